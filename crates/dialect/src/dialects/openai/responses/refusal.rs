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
