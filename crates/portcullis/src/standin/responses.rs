//! OpenAI responses, as the stand-in reads and writes them.

use serde_json::{Map, Value, json};

use super::Turn;
use super::chat::{CREATED, join, limit, text_of};
use super::mind::{End, Prompt, chunks};

/// Reads instructions and input items.
pub fn read(request: &Value) -> Prompt {
    let mut prompt = Prompt {
        system: request["instructions"].as_str().unwrap_or_default().to_owned(),
        limit: limit(&request["max_output_tokens"]),
        thinks: request["reasoning"].is_object(),
        weight: request["input"]
            .to_string()
            .len()
            .saturating_add(request["instructions"].to_string().len()),
        ..Prompt::default()
    };
    if let Some(text) = request["input"].as_str() {
        prompt.text = text.to_owned();
    }
    for item in request["input"].as_array().into_iter().flatten() {
        match (item["type"].as_str(), item["role"].as_str()) {
            (_, Some("system" | "developer")) => join(&mut prompt.system, &text_of(&item["content"])),
            (Some("function_call_output"), _) => {
                prompt.text = text_of(&item["output"]);
                prompt.from_tool = true;
            }
            (None | Some("message"), _) => {
                prompt.text = text_of(&item["content"]);
                prompt.from_tool = false;
            }
            _ => {}
        }
    }
    prompt.forced = match &request["tool_choice"] {
        Value::Object(choice) => choice.get("name").and_then(Value::as_str).map(str::to_owned),
        choice if choice == "required" => request["tools"][0]["name"].as_str().map(str::to_owned),
        _ => None,
    };
    prompt
}

fn envelope(turn: &Turn<'_>, status: &str, output: Value) -> Value {
    let asked = |name: &str, default: Value| turn.request.get(name).cloned().unwrap_or(default);
    json!({
        "id": format!("resp_standin_{}", turn.serial),
        "object": "response",
        "created_at": CREATED,
        "status": status,
        "background": false,
        "error": null,
        "incomplete_details": if status == "incomplete" { json!({ "reason": "max_output_tokens" }) } else { Value::Null },
        "instructions": asked("instructions", Value::Null),
        "max_output_tokens": asked("max_output_tokens", Value::Null),
        "model": turn.model,
        "output": output,
        "parallel_tool_calls": true,
        "previous_response_id": asked("previous_response_id", Value::Null),
        "reasoning": { "effort": turn.request["reasoning"]["effort"], "summary": turn.request["reasoning"]["summary"] },
        "store": asked("store", true.into()),
        "temperature": 1.0,
        "text": asked("text", json!({ "format": { "type": "text" } })),
        "tool_choice": asked("tool_choice", "auto".into()),
        "tools": asked("tools", json!([])),
        "top_p": 1.0,
        "truncation": "disabled",
        "usage": null,
        "user": null,
        "metadata": asked("metadata", json!({})),
    })
}

fn finished(turn: &Turn<'_>, output: Value) -> Value {
    let status = if turn.answer.end == End::Length {
        "incomplete"
    } else {
        "completed"
    };
    let mut response = envelope(turn, status, output);
    let (input, output) = (turn.prompt.tokens(), turn.answer.tokens());
    let reasoning = turn
        .answer
        .thinking
        .as_deref()
        .map_or(0, |text| chunks(text).len());
    response["usage"] = json!({
        "input_tokens": input,
        "input_tokens_details": { "cached_tokens": 0 },
        "output_tokens": output,
        "output_tokens_details": { "reasoning_tokens": reasoning },
        "total_tokens": input.saturating_add(output),
    });
    response
}

/// The items of the reply, whole.
fn items(turn: &Turn<'_>) -> Vec<Value> {
    let mut items = Vec::new();
    let serial = turn.serial;
    if let Some(thinking) = &turn.answer.thinking {
        let summary = json!([{ "type": "summary_text", "text": thinking }]);
        items.push(json!({ "id": format!("rs_standin_{serial}"), "type": "reasoning", "summary": summary }));
    }
    if !turn.answer.text.is_empty() || turn.answer.calls.is_empty() {
        items.push(json!({
            "id": format!("msg_standin_{serial}"),
            "type": "message",
            "status": "completed",
            "role": "assistant",
            "content": [{ "type": "output_text", "text": turn.answer.text, "annotations": [], "logprobs": [] }],
        }));
    }
    for (at, call) in turn.answer.calls.iter().enumerate() {
        items.push(json!({
            "id": format!("fc_standin_{serial}_{at}"),
            "type": "function_call",
            "status": "completed",
            "call_id": format!("call_standin_{serial}_{at}"),
            "name": call.name,
            "arguments": call.arguments,
        }));
    }
    items
}

/// What a request put in, as items of a list.
pub fn items_of(input: &Value, response: &str) -> Vec<Value> {
    let one = json!([{ "role": "user", "content": input }]);
    let items = if input.is_array() { input } else { &one };
    let item = |(at, item): (usize, &Value)| {
        let mut item = item.clone();
        item["id"] = format!("item_{response}_{at}").into();
        if item.get("type").is_none() {
            item["type"] = "message".into();
        }
        if let Some(text) = item["content"].as_str() {
            item["content"] = json!([{ "type": "input_text", "text": text }]);
        }
        item
    };
    items
        .as_array()
        .into_iter()
        .flatten()
        .enumerate()
        .map(item)
        .collect()
}

/// The whole reply.
pub fn buffered(turn: &Turn<'_>) -> Value {
    finished(turn, Value::Array(items(turn)))
}

/// The reply as events, numbered.
pub fn streamed(turn: &Turn<'_>) -> Vec<String> {
    let mut events = Events::default();
    let begun = envelope(turn, "in_progress", json!([]));
    events.push("response.created", json!({ "response": begun }));
    events.push("response.in_progress", json!({ "response": begun }));
    let items = items(turn);
    for (index, item) in items.iter().enumerate() {
        match item["type"].as_str() {
            Some("reasoning") => reasoning(&mut events, index, item),
            Some("message") => message(&mut events, index, item),
            _ => call(&mut events, index, item),
        }
        events.push(
            "response.output_item.done",
            json!({ "output_index": index, "item": item }),
        );
    }
    let response = finished(turn, Value::Array(items));
    let last = if turn.answer.end == End::Length {
        "response.incomplete"
    } else {
        "response.completed"
    };
    events.push(last, json!({ "response": response }));
    events.frames
}

#[derive(Default)]
struct Events {
    frames: Vec<String>,
}

impl Events {
    fn push(&mut self, kind: &str, data: Value) {
        let mut event = Map::new();
        event.insert("type".to_owned(), kind.into());
        event.insert("sequence_number".to_owned(), self.frames.len().into());
        if let Value::Object(data) = data {
            event.extend(data);
        }
        self.frames
            .push(format!("event: {kind}\ndata: {}\n\n", Value::Object(event)));
    }
}

fn opened(item: &Value, emptied: &str, with: Value) -> Value {
    let mut item = item.clone();
    item[emptied] = with;
    if item.get("status").is_some() {
        item["status"] = "in_progress".into();
    }
    item
}

fn message(events: &mut Events, index: usize, item: &Value) {
    events.push(
        "response.output_item.added",
        json!({ "output_index": index, "item": opened(item, "content", json!([])) }),
    );
    let place = |more: Value| {
        with_place(
            json!({ "item_id": item["id"], "output_index": index, "content_index": 0 }),
            more,
        )
    };
    let empty = json!({ "type": "output_text", "text": "", "annotations": [], "logprobs": [] });
    events.push("response.content_part.added", place(json!({ "part": empty })));
    let text = item["content"][0]["text"].as_str().unwrap_or_default();
    for piece in chunks(text) {
        events.push(
            "response.output_text.delta",
            place(json!({ "delta": piece, "logprobs": [] })),
        );
    }
    events.push(
        "response.output_text.done",
        place(json!({ "text": text, "logprobs": [] })),
    );
    events.push(
        "response.content_part.done",
        place(json!({ "part": item["content"][0] })),
    );
}

fn call(events: &mut Events, index: usize, item: &Value) {
    events.push(
        "response.output_item.added",
        json!({ "output_index": index, "item": opened(item, "arguments", "".into()) }),
    );
    let place = |more: Value| with_place(json!({ "item_id": item["id"], "output_index": index }), more);
    let arguments = item["arguments"].as_str().unwrap_or_default();
    for piece in chunks(arguments) {
        events.push(
            "response.function_call_arguments.delta",
            place(json!({ "delta": piece })),
        );
    }
    let done = json!({ "name": item["name"], "arguments": arguments });
    events.push("response.function_call_arguments.done", place(done));
}

fn reasoning(events: &mut Events, index: usize, item: &Value) {
    events.push(
        "response.output_item.added",
        json!({ "output_index": index, "item": opened(item, "summary", json!([])) }),
    );
    let place = |more: Value| {
        with_place(
            json!({ "item_id": item["id"], "output_index": index, "summary_index": 0 }),
            more,
        )
    };
    let empty = json!({ "type": "summary_text", "text": "" });
    events.push(
        "response.reasoning_summary_part.added",
        place(json!({ "part": empty })),
    );
    let text = item["summary"][0]["text"].as_str().unwrap_or_default();
    for piece in chunks(text) {
        events.push(
            "response.reasoning_summary_text.delta",
            place(json!({ "delta": piece })),
        );
    }
    events.push(
        "response.reasoning_summary_text.done",
        place(json!({ "text": text })),
    );
    events.push(
        "response.reasoning_summary_part.done",
        place(json!({ "part": item["summary"][0] })),
    );
}

fn with_place(mut place: Value, more: Value) -> Value {
    if let (Value::Object(place), Value::Object(more)) = (&mut place, more) {
        place.extend(more);
    }
    place
}
