//! OpenAI chat completions, as the stand-in reads and writes them.

use serde_json::{Value, json};

use super::Turn;
use super::mind::{End, Prompt, chunks};

/// The time that every reply claims, so that replies are the same on every run.
pub const CREATED: u64 = 1_750_000_000;

/// Reads the conversation.
pub fn read(request: &Value) -> Prompt {
    let mut prompt = Prompt {
        weight: request["messages"].to_string().len(),
        ..Prompt::default()
    };
    for message in request["messages"].as_array().into_iter().flatten() {
        let text = text_of(&message["content"]);
        match message["role"].as_str() {
            Some("system" | "developer") => join(&mut prompt.system, &text),
            role => {
                prompt.from_tool = matches!(role, Some("tool" | "function"));
                prompt.text = text;
            }
        }
    }
    prompt.limit = limit(&request["max_completion_tokens"]).or_else(|| limit(&request["max_tokens"]));
    prompt.stops = strings(&request["stop"]);
    prompt.forced = match &request["tool_choice"] {
        Value::Object(choice) => choice
            .get("function")
            .and_then(|tool| tool["name"].as_str())
            .map(str::to_owned),
        choice if choice == "required" => request["tools"][0]["function"]["name"]
            .as_str()
            .map(str::to_owned),
        _ => None,
    };
    prompt
}

/// The text of a string or of an array of parts.
pub fn text_of(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        Value::Array(parts) => {
            let texts = parts.iter().filter_map(|part| part["text"].as_str());
            texts.collect::<Vec<_>>().join("\n")
        }
        _ => String::new(),
    }
}

/// Adds a line to a text.
pub fn join(text: &mut String, more: &str) {
    if !text.is_empty() {
        text.push('\n');
    }
    text.push_str(more);
}

/// A number of tokens.
pub fn limit(value: &Value) -> Option<usize> {
    value.as_u64().and_then(|number| usize::try_from(number).ok())
}

/// A string or an array of strings.
pub fn strings(value: &Value) -> Vec<String> {
    match value {
        Value::String(one) => vec![one.clone()],
        Value::Array(many) => many.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        _ => Vec::new(),
    }
}

/// One server-sent event without a name.
pub fn frame(data: &Value) -> String {
    format!("data: {data}\n\n")
}

/// The end of OpenAI's older streams.
pub const DONE: &str = "data: [DONE]\n\n";

fn finish(end: &End) -> &'static str {
    match end {
        End::Stop | End::Sequence(_) => "stop",
        End::Length => "length",
        End::Calls => "tool_calls",
    }
}

/// How many choices are wanted.
pub fn choices(request: &Value) -> u64 {
    request["n"].as_u64().unwrap_or(1).clamp(1, 16)
}

/// Tokens of a reply with that many choices.
pub fn usage(turn: &Turn<'_>) -> Value {
    let input = turn.prompt.tokens();
    let each = u64::try_from(turn.answer.tokens()).unwrap_or(u64::MAX);
    let output = each.saturating_mul(choices(turn.request));
    json!({
        "prompt_tokens": input,
        "completion_tokens": output,
        "total_tokens": output.saturating_add(u64::try_from(input).unwrap_or(u64::MAX)),
        "prompt_tokens_details": { "cached_tokens": 0, "audio_tokens": 0 },
        "completion_tokens_details": {
            "reasoning_tokens": 0, "audio_tokens": 0, "accepted_prediction_tokens": 0, "rejected_prediction_tokens": 0
        },
    })
}

fn logprobs(request: &Value, pieces: &[&str]) -> Value {
    if request["logprobs"] != true {
        return Value::Null;
    }
    let several = request["top_logprobs"].as_u64().is_some_and(|count| count > 0);
    let one = |piece: &&str| json!({ "token": piece, "logprob": -0.1, "bytes": piece.as_bytes() });
    let tokens = pieces.iter().map(|piece| {
        let mut token = one(piece);
        token["top_logprobs"] = if several { json!([one(piece)]) } else { json!([]) };
        token
    });
    json!({ "content": tokens.collect::<Vec<_>>(), "refusal": null })
}

fn call_id(turn: &Turn<'_>, choice: u64, at: usize) -> String {
    format!("call_standin_{}_{choice}_{at}", turn.serial)
}

/// The whole reply.
pub fn buffered(turn: &Turn<'_>) -> Value {
    let answer = &turn.answer;
    let choice = |index: u64| {
        let spoken = !answer.text.is_empty() || answer.calls.is_empty();
        let content = if spoken {
            answer.text.as_str().into()
        } else {
            Value::Null
        };
        let mut message =
            json!({ "role": "assistant", "content": content, "refusal": null, "annotations": [] });
        if !answer.calls.is_empty() {
            let calls = answer.calls.iter().enumerate().map(|(at, call)| {
                json!({
                    "id": call_id(turn, index, at),
                    "type": "function",
                    "function": { "name": call.name, "arguments": call.arguments },
                })
            });
            message["tool_calls"] = calls.collect();
        }
        let logprobs = logprobs(turn.request, &chunks(&answer.text));
        json!({ "index": index, "message": message, "logprobs": logprobs, "finish_reason": finish(&answer.end) })
    };
    json!({
        "id": format!("chatcmpl-standin-{}", turn.serial),
        "object": "chat.completion",
        "created": CREATED,
        "model": turn.model,
        "choices": (0..choices(turn.request)).map(choice).collect::<Vec<_>>(),
        "usage": usage(turn),
        "service_tier": "default",
        "system_fingerprint": "fp_standin",
    })
}

/// The reply as events; the choices take turns.
pub fn streamed(turn: &Turn<'_>) -> Vec<String> {
    let with_usage = turn.request["stream_options"]["include_usage"] == true;
    let chunk = |choices: Value, usage: Value| {
        let mut chunk = json!({
            "id": format!("chatcmpl-standin-{}", turn.serial),
            "object": "chat.completion.chunk",
            "created": CREATED,
            "model": turn.model,
            "service_tier": "default",
            "system_fingerprint": "fp_standin",
            "choices": choices,
        });
        if with_usage {
            chunk["usage"] = usage;
        }
        frame(&chunk)
    };
    let mut frames = Vec::new();
    for (delta, logprobs, reason) in deltas(turn) {
        for index in 0..choices(turn.request) {
            let mut delta = delta.clone();
            if let Some(id) = delta.pointer_mut("/tool_calls/0/id") {
                *id = id
                    .as_str()
                    .unwrap_or_default()
                    .replace('#', &index.to_string())
                    .into();
            }
            let choice =
                json!({ "index": index, "delta": delta, "logprobs": logprobs, "finish_reason": reason });
            frames.push(chunk(json!([choice]), Value::Null));
        }
    }
    if with_usage {
        frames.push(chunk(json!([]), usage(turn)));
    }
    frames.push(DONE.to_owned());
    frames
}

/// What one choice streams: delta, logprobs, finish reason. `#` in an id stands for the choice.
fn deltas(turn: &Turn<'_>) -> Vec<(Value, Value, Value)> {
    let answer = &turn.answer;
    let first = if answer.calls.is_empty() {
        "".into()
    } else {
        Value::Null
    };
    let mut deltas = vec![(
        json!({ "role": "assistant", "content": first, "refusal": null }),
        Value::Null,
        Value::Null,
    )];
    for piece in chunks(&answer.text) {
        deltas.push((
            json!({ "content": piece }),
            logprobs(turn.request, &[piece]),
            Value::Null,
        ));
    }
    for (at, call) in answer.calls.iter().enumerate() {
        let id = format!("call_standin_{}_#_{at}", turn.serial);
        let function = json!({ "name": call.name, "arguments": "" });
        let opening = json!({ "index": at, "id": id, "type": "function", "function": function });
        deltas.push((json!({ "tool_calls": [opening] }), Value::Null, Value::Null));
        for piece in chunks(&call.arguments) {
            let more = json!({ "index": at, "function": { "arguments": piece } });
            deltas.push((json!({ "tool_calls": [more] }), Value::Null, Value::Null));
        }
    }
    deltas.push((json!({}), Value::Null, finish(&answer.end).into()));
    deltas
}
