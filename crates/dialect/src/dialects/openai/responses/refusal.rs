//! A response that the gateway writes itself: incomplete, for the content filter, with one safe message.

use crate::exchange::{Cut, Progress};
use crate::json::{Document, quoted};

use super::super::facts;

/// A whole response in the place of one that is withheld.
pub fn whole(reply: &Document, cut: &Cut<'_>) -> String {
    answered(reply, cut, CONTENT)
}

/// A whole response that says no more than the text it may say.
pub fn shortened(reply: &Document, cut: &Cut<'_>) -> String {
    answered(reply, cut, LENGTH)
}

fn answered(reply: &Document, cut: &Cut<'_>, reason: &str) -> String {
    let usage = reply
        .at(&["usage"])
        .map_or("null", |usage| facts::wire(reply, usage));
    let message = message(&item_id(cut), cut.text, status(reason));
    response(
        cut.request_id,
        facts::created_at(reply),
        reply.str_at(&["model"]).unwrap_or(""),
        State::Incomplete(&message, reason),
        usage,
    )
}

/// A stored response in the place of one that is withheld: it has its own id and no usage to account for again.
pub fn stored(reply: &Document, cut: &Cut<'_>) -> String {
    read_again(reply, cut, CONTENT)
}

/// A stored response that says no more than the text it may say.
pub fn stored_shortened(reply: &Document, cut: &Cut<'_>) -> String {
    read_again(reply, cut, LENGTH)
}

fn read_again(reply: &Document, cut: &Cut<'_>, reason: &str) -> String {
    response(
        reply.str_at(&["id"]).unwrap_or(cut.request_id),
        facts::created_at(reply),
        reply.str_at(&["model"]).unwrap_or(""),
        State::Incomplete(&message(&item_id(cut), cut.text, status(reason)), reason),
        "null",
    )
}

/// The last events of a stream that is cut. The SDKs want a response to be created before anything is said of it, and an
/// item that was never opened before.
pub fn events(progress: &Progress, cut: &Cut<'_>) -> String {
    let mut stream = Stream::after(progress, cut);
    let item = item_id(cut);
    let index = progress.open.map_or(0, |open| open.saturating_add(1));
    let empty = format!(
        r#"{{"id":{},"type":"message","status":"in_progress","role":"assistant","content":[]}}"#,
        quoted(&item)
    );
    let whole = message(&item, cut.text, "completed");
    let part = part(&item, index);
    let text = quoted(cut.text);
    stream.push(
        "response.output_item.added",
        &format!(r#""output_index":{index},"item":{empty}"#),
    );
    stream.push(
        "response.content_part.added",
        &format!(r#"{part},"part":{}"#, said("\"\"")),
    );
    stream.push(
        "response.output_text.delta",
        &format!(r#"{part},"delta":{text},"logprobs":[]"#),
    );
    stream.close(&part, &text, index, &whole);
    stream.incomplete(progress, cut, &whole, CONTENT)
}

/// The last events of a stream that has said all that it may: the message that is open is closed as it stands, and the response is
/// incomplete with what was passed on of it.
pub fn stopped(progress: &Progress, cut: &Cut<'_>) -> String {
    let mut stream = Stream::after(progress, cut);
    let mut items = progress.items.clone();
    if let Some((id, text)) = &progress.message {
        let index = progress.open.unwrap_or(0);
        let whole = message(id, text, status(LENGTH));
        stream.close(&part(id, index), &quoted(text), index, &whole);
        items.push(whole);
    }
    stream.incomplete(progress, cut, &items.join(","), LENGTH)
}

/// Why a response is incomplete: for its content, or because it has said as much as it may.
const CONTENT: &str = "content_filter";
const LENGTH: &str = "max_output_tokens";

/// The status of a message of an incomplete response: one that says why is whole in itself.
fn status(reason: &str) -> &'static str {
    match reason {
        LENGTH => "incomplete",
        _ => "completed",
    }
}

/// Where the one part of a message stands.
pub fn part(item: &str, index: u64) -> String {
    format!(
        r#""item_id":{},"output_index":{index},"content_index":0"#,
        quoted(item)
    )
}

/// A content part; `text` is a JSON string.
pub fn said(text: &str) -> String {
    format!(r#"{{"type":"output_text","text":{text},"annotations":[],"logprobs":[]}}"#)
}

struct Stream {
    out: String,
    sequence: u64,
    first: bool,
}

impl Stream {
    /// What comes behind the events that were passed on. A response that was not created is.
    fn after(progress: &Progress, cut: &Cut<'_>) -> Stream {
        let mut stream = Stream {
            out: String::new(),
            sequence: progress.sequence,
            first: !progress.begun,
        };
        if progress.id.is_empty() {
            let response = response_after(progress, cut, State::InProgress);
            stream.push("response.created", &format!(r#""response":{response}"#));
        }
        stream
    }

    /// Ends an open message whose one part says `text`, a JSON string.
    fn close(&mut self, part: &str, text: &str, index: u64, message: &str) {
        self.push(
            "response.output_text.done",
            &format!(r#"{part},"text":{text},"logprobs":[]"#),
        );
        self.push(
            "response.content_part.done",
            &format!(r#"{part},"part":{}"#, said(text)),
        );
        self.push(
            "response.output_item.done",
            &format!(r#""output_index":{index},"item":{message}"#),
        );
    }

    fn incomplete(mut self, progress: &Progress, cut: &Cut<'_>, output: &str, reason: &str) -> String {
        let response = response_after(progress, cut, State::Incomplete(output, reason));
        self.push("response.incomplete", &format!(r#""response":{response}"#));
        self.out
    }

    fn push(&mut self, name: &str, rest: &str) {
        if !self.first {
            self.sequence = self.sequence.saturating_add(1);
        }
        self.first = false;
        self.out.push_str(&format!(
            "event: {name}\ndata: {{\"type\":\"{name}\",\"sequence_number\":{},{rest}}}\n\n",
            self.sequence
        ));
    }
}

enum State<'a> {
    InProgress,
    /// With this output, for that reason.
    Incomplete(&'a str, &'a str),
}

fn item_id(cut: &Cut<'_>) -> String {
    format!("msg_{}", cut.request_id)
}

/// A message of one text.
pub fn message(id: &str, text: &str, status: &str) -> String {
    format!(
        r#"{{"id":{},"type":"message","status":"{status}","role":"assistant","content":[{{"type":"output_text","text":{},"annotations":[],"logprobs":[]}}]}}"#,
        quoted(id),
        quoted(text),
    )
}

/// The response of a stream, as far as its events told of it.
fn response_after(progress: &Progress, cut: &Cut<'_>, state: State<'_>) -> String {
    let or = |known: &'_ str, otherwise: &'_ str| match known {
        "" => otherwise.to_owned(),
        known => known.to_owned(),
    };
    response(
        &or(&progress.id, cut.request_id),
        &or(&progress.created, "0"),
        &progress.model,
        state,
        "null",
    )
}

fn response(id: &str, created: &str, model: &str, state: State<'_>, usage: &str) -> String {
    let (status, details, output) = match state {
        State::InProgress => ("in_progress", "null".to_owned(), ""),
        State::Incomplete(output, reason) => ("incomplete", format!(r#"{{"reason":"{reason}"}}"#), output),
    };
    format!(
        r#"{{"id":{},"object":"response","created_at":{created},"status":"{status}","error":null,"incomplete_details":{details},"instructions":null,"metadata":{{}},"model":{},"output":[{output}],"parallel_tool_calls":true,"temperature":null,"tool_choice":"auto","tools":[],"top_p":null,"usage":{usage}}}"#,
        quoted(id),
        quoted(model),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Exchange as _, Frames};

    const CUT: Cut<'_> = Cut {
        request_id: "req_1",
        text: "withheld",
    };

    fn cut(progress: &Progress) -> Vec<Document> {
        let (mut frames, mut out) = (Frames::new(), Vec::new());
        frames.push(events(progress, &CUT).as_bytes(), &mut out).unwrap();
        assert!(frames.finish().is_none());
        out.into_iter()
            .map(|frame| {
                let document = Document::read(frame.data.unwrap()).unwrap();
                assert_eq!(frame.event.as_deref(), document.str_at(&["type"]));
                document
            })
            .collect()
    }

    fn number(event: &Document, key: &str) -> Option<u64> {
        event.as_u64(event.at(&[key])?)
    }

    #[test]
    fn a_cut_before_anything_creates_a_response_and_counts_from_nought() {
        let events = cut(&Progress::default());
        assert_eq!(events[0].str_at(&["type"]), Some("response.created"));
        for (expected, event) in (0u64..).zip(&events) {
            assert_eq!(number(event, "sequence_number"), Some(expected));
        }
        assert_eq!(number(&events[1], "output_index"), Some(0));
        assert_eq!(events[0].str_at(&["response", "id"]), Some("req_1"));
    }

    #[test]
    fn a_cut_later_goes_on_under_the_same_id_with_an_item_of_its_own() {
        let mut progress = Progress::default();
        for event in [
            r#"{"type":"response.created","sequence_number":0,"response":{"id":"resp_1","model":"m","created_at":7}}"#,
            r#"{"type":"response.output_item.added","sequence_number":4,"output_index":2,"item":{"type":"reasoning"}}"#,
        ] {
            let event = Document::read(bytes::Bytes::from_static(event.as_bytes())).unwrap();
            super::super::Responses.progress(&event, &mut progress);
        }
        let events = cut(&progress);
        assert_eq!(events[0].str_at(&["type"]), Some("response.output_item.added"));
        assert_eq!(number(&events[0], "sequence_number"), Some(5));
        assert_eq!(number(&events[0], "output_index"), Some(3));
        let last = events.last().unwrap();
        assert_eq!(last.str_at(&["type"]), Some("response.incomplete"));
        assert_eq!(last.str_at(&["response", "id"]), Some("resp_1"));
        assert_eq!(
            last.str_at(&["response", "incomplete_details", "reason"]),
            Some("content_filter")
        );
    }
}
