//! Anthropic messages, as the stand-in reads and writes them.

use serde_json::{Value, json};

use super::chat::{join, limit, strings, text_of};
use super::error::{Voice, missing};
use super::mind::{End, Prompt, chunks};
use super::{Reply, Turn};

/// Reads the conversation.
pub fn read(request: &Value) -> Prompt {
    let mut prompt = Prompt {
        system: text_of(&request["system"]),
        limit: limit(&request["max_tokens"]),
        stops: strings(&request["stop_sequences"]),
        thinks: matches!(request["thinking"]["type"].as_str(), Some("enabled" | "adaptive")),
        weight: request["messages"]
            .to_string()
            .len()
            .saturating_add(request["system"].to_string().len()),
        ..Prompt::default()
    };
    if let Some(message) = request["messages"]
        .as_array()
        .and_then(|messages| messages.last())
    {
        prompt.text = text_of(&message["content"]);
        let blocks = message["content"].as_array().into_iter().flatten();
        for result in blocks.filter(|block| block["type"] == "tool_result") {
            prompt.from_tool = prompt.from_tool || prompt.text.is_empty();
            join(&mut prompt.text, &text_of(&result["content"]));
        }
    }
    prompt.forced = match request["tool_choice"]["type"].as_str() {
        Some("tool") => request["tool_choice"]["name"].as_str().map(str::to_owned),
        Some("any") => request["tools"][0]["name"].as_str().map(str::to_owned),
        _ => None,
    };
    prompt
}

/// Counts tokens.
pub fn count(request: &Value) -> Reply {
    match ["model", "messages"]
        .iter()
        .find(|name| request.get(**name).is_none())
    {
        Some(absent) => missing(Voice::Anthropic, absent),
        None => Reply::Json(200, json!({ "input_tokens": read(request).tokens() })),
    }
}

fn reason(end: &End) -> &'static str {
    match end {
        End::Stop => "end_turn",
        End::Length => "max_tokens",
        End::Sequence(_) => "stop_sequence",
        End::Calls => "tool_use",
    }
}

fn sequence(end: &End) -> Value {
    match end {
        End::Sequence(stop) => stop.as_str().into(),
        _ => Value::Null,
    }
}

fn envelope(turn: &Turn<'_>, content: Value, reason: Value, output_tokens: usize) -> Value {
    json!({
        "id": format!("msg_standin_{}", turn.serial),
        "type": "message",
        "role": "assistant",
        "model": turn.model,
        "content": content,
        "stop_reason": reason,
        "stop_sequence": null,
        "usage": {
            "input_tokens": turn.prompt.tokens(),
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 0,
            "output_tokens": output_tokens,
            "service_tier": "standard",
        },
    })
}

fn call_id(turn: &Turn<'_>, at: usize) -> String {
    format!("toolu_standin_{}_{at}", turn.serial)
}

/// The whole reply.
pub fn buffered(turn: &Turn<'_>) -> Value {
    let answer = &turn.answer;
    let mut content = Vec::new();
    if let Some(thinking) = &answer.thinking {
        content.push(json!({ "type": "thinking", "thinking": thinking, "signature": SIGNATURE }));
    }
    if !answer.text.is_empty() {
        content.push(json!({ "type": "text", "text": answer.text }));
    }
    for (at, call) in answer.calls.iter().enumerate() {
        let input = serde_json::from_str::<Value>(&call.arguments).unwrap_or_else(|_| json!({}));
        content
            .push(json!({ "type": "tool_use", "id": call_id(turn, at), "name": call.name, "input": input }));
    }
    let mut reply = envelope(
        turn,
        Value::Array(content),
        reason(&answer.end).into(),
        answer.tokens(),
    );
    reply["stop_sequence"] = sequence(&answer.end);
    reply
}

/// What stands for the provider's signature of its own reasoning.
const SIGNATURE: &str = "c3RhbmQtaW4=";

fn event(kind: &str, mut data: Value) -> String {
    if let Value::Object(members) = &mut data {
        members.shift_insert(0, "type".to_owned(), kind.into());
    }
    format!("event: {kind}\ndata: {data}\n\n")
}

/// The reply as events.
pub fn streamed(turn: &Turn<'_>) -> Vec<String> {
    let answer = &turn.answer;
    let begun = envelope(turn, json!([]), Value::Null, 1);
    let mut frames = vec![event("message_start", json!({ "message": begun }))];
    let mut index = 0usize;
    let mut block = |empty: Value, deltas: Vec<Value>| {
        frames.push(event(
            "content_block_start",
            json!({ "index": index, "content_block": empty }),
        ));
        if index == 0 {
            frames.push(event("ping", json!({})));
        }
        for delta in deltas {
            frames.push(event(
                "content_block_delta",
                json!({ "index": index, "delta": delta }),
            ));
        }
        frames.push(event("content_block_stop", json!({ "index": index })));
        index = index.saturating_add(1);
    };
    if let Some(thinking) = &answer.thinking {
        let pieces = chunks(thinking)
            .into_iter()
            .map(|piece| json!({ "type": "thinking_delta", "thinking": piece }));
        let signature = json!({ "type": "signature_delta", "signature": SIGNATURE });
        let empty = json!({ "type": "thinking", "thinking": "", "signature": "" });
        block(empty, pieces.chain([signature]).collect());
    }
    if !answer.text.is_empty() {
        let pieces = chunks(&answer.text)
            .into_iter()
            .map(|piece| json!({ "type": "text_delta", "text": piece }));
        block(json!({ "type": "text", "text": "" }), pieces.collect());
    }
    for (at, call) in answer.calls.iter().enumerate() {
        // The API opens with an empty piece.
        let pieces = [""].into_iter().chain(chunks(&call.arguments));
        let deltas = pieces.map(|piece| json!({ "type": "input_json_delta", "partial_json": piece }));
        block(
            json!({ "type": "tool_use", "id": call_id(turn, at), "name": call.name, "input": {} }),
            deltas.collect(),
        );
    }
    let delta = json!({ "stop_reason": reason(&answer.end), "stop_sequence": sequence(&answer.end) });
    let usage = json!({ "output_tokens": answer.tokens() });
    frames.push(event("message_delta", json!({ "delta": delta, "usage": usage })));
    frames.push(event("message_stop", json!({})));
    frames
}
