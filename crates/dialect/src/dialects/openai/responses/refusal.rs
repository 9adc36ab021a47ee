//! A response that the gateway writes itself: incomplete, for the content filter, with one safe message.

use crate::exchange::{Cut, Progress};
use crate::json::{Document, quoted};

use super::super::facts;

/// A whole response in the place of one that is withheld.
pub fn whole(reply: &Document, cut: &Cut<'_>) -> String {
    let usage = reply
        .at(&["usage"])
        .map_or("null", |usage| facts::wire(reply, usage));
    let message = message(cut, &item_id(cut), "completed");
    response(
        cut.request_id,
        facts::created_at(reply),
        reply.str_at(&["model"]).unwrap_or(""),
        State::Incomplete(&message),
        usage,
    )
}

/// A stored response in the place of one that is withheld: it has its own id and no usage to account for again.
pub fn stored(reply: &Document, cut: &Cut<'_>) -> String {
    response(
        reply.str_at(&["id"]).unwrap_or(cut.request_id),
        facts::created_at(reply),
        reply.str_at(&["model"]).unwrap_or(""),
        State::Incomplete(&message(cut, &item_id(cut), "completed")),
        "null",
    )
}

/// The last events of a stream that is cut. The SDKs want a response to be created before anything is said of it, and an
/// item that was never opened before.
pub fn events(progress: &Progress, cut: &Cut<'_>) -> String {
    let mut stream = Stream {
        out: String::new(),
        sequence: progress.sequence,
        first: !progress.begun,
    };
    let id = if progress.id.is_empty() {
        cut.request_id
    } else {
        &progress.id
    };
    let created = if progress.created.is_empty() {
        "0"
    } else {
        &progress.created
    };
    if progress.id.is_empty() {
        let response = response(id, created, &progress.model, State::InProgress, "null");
        stream.push("response.created", &format!(r#""response":{response}"#));
    }
    let (item, index) = (
        item_id(cut),
        progress.open.map_or(0, |open| open.saturating_add(1)),
    );
    let text = quoted(cut.text);
    let empty = format!(
        r#"{{"id":{},"type":"message","status":"in_progress","role":"assistant","content":[]}}"#,
        quoted(&item)
    );
    let whole = message(cut, &item, "completed");
    let part = format!(
        r#""item_id":{},"output_index":{index},"content_index":0"#,
        quoted(&item)
    );
    let said =
        |text: &str| format!(r#"{{"type":"output_text","text":{text},"annotations":[],"logprobs":[]}}"#);
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
    stream.push(
        "response.output_text.done",
        &format!(r#"{part},"text":{text},"logprobs":[]"#),
    );
    stream.push(
        "response.content_part.done",
        &format!(r#"{part},"part":{}"#, said(&text)),
    );
    stream.push(
        "response.output_item.done",
        &format!(r#""output_index":{index},"item":{whole}"#),
    );
    let response = response(id, created, &progress.model, State::Incomplete(&whole), "null");
    stream.push("response.incomplete", &format!(r#""response":{response}"#));
    stream.out
}

struct Stream {
    out: String,
    sequence: u64,
    first: bool,
}

impl Stream {
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
    Incomplete(&'a str),
}

fn item_id(cut: &Cut<'_>) -> String {
    format!("msg_{}", cut.request_id)
}

fn message(cut: &Cut<'_>, id: &str, status: &str) -> String {
    format!(
        r#"{{"id":{},"type":"message","status":"{status}","role":"assistant","content":[{{"type":"output_text","text":{},"annotations":[],"logprobs":[]}}]}}"#,
        quoted(id),
        quoted(cut.text),
    )
}

fn response(id: &str, created: &str, model: &str, state: State<'_>, usage: &str) -> String {
    let (status, details, output) = match state {
        State::InProgress => ("in_progress", "null", ""),
        State::Incomplete(message) => ("incomplete", r#"{"reason":"content_filter"}"#, message),
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
