//! OpenAI's older completions, as the stand-in reads and writes them.

use serde_json::{Value, json};

use super::Turn;
use super::chat::{CREATED, DONE, choices, frame, limit, strings, usage};
use super::mind::{End, Prompt, chunks};

/// Reads the prompt; of several the last.
pub fn read(request: &Value) -> Prompt {
    Prompt {
        text: strings(&request["prompt"]).pop().unwrap_or_default(),
        limit: limit(&request["max_tokens"]),
        stops: strings(&request["stop"]),
        weight: request["prompt"].to_string().len(),
        ..Prompt::default()
    }
}

fn finish(end: &End) -> &'static str {
    if *end == End::Length { "length" } else { "stop" }
}

fn logprobs(request: &Value, pieces: &[&str], from: usize) -> Value {
    if request["logprobs"].as_u64().is_none() {
        return Value::Null;
    }
    let offsets = pieces.iter().scan(from, |at, piece| {
        let here = *at;
        *at = at.saturating_add(piece.chars().count());
        Some(here)
    });
    json!({
        "tokens": pieces,
        "token_logprobs": vec![-0.1; pieces.len()],
        "top_logprobs": null,
        "text_offset": offsets.collect::<Vec<_>>(),
    })
}

fn envelope(turn: &Turn<'_>, choices: Value) -> Value {
    json!({
        "id": format!("cmpl-standin-{}", turn.serial),
        "object": "text_completion",
        "created": CREATED,
        "model": turn.model,
        "choices": choices,
        "system_fingerprint": "fp_standin",
    })
}

/// The whole reply.
pub fn buffered(turn: &Turn<'_>) -> Value {
    let text = &turn.answer.text;
    let logprobs = logprobs(turn.request, &chunks(text), 0);
    let choice = |index: u64| json!({ "text": text, "index": index, "logprobs": logprobs, "finish_reason": finish(&turn.answer.end) });
    let mut reply = envelope(turn, (0..choices(turn.request)).map(choice).collect());
    reply["usage"] = usage(turn);
    reply
}

/// The reply as events.
pub fn streamed(turn: &Turn<'_>) -> Vec<String> {
    let mut frames = Vec::new();
    let mut at = 0usize;
    let mut push = |text: &str, logprobs: Value, reason: Value| {
        for index in 0..choices(turn.request) {
            let choice =
                json!({ "text": text, "index": index, "logprobs": logprobs, "finish_reason": reason });
            frames.push(frame(&envelope(turn, json!([choice]))));
        }
    };
    for piece in chunks(&turn.answer.text) {
        push(piece, logprobs(turn.request, &[piece], at), Value::Null);
        at = at.saturating_add(piece.chars().count());
    }
    push("", Value::Null, finish(&turn.answer.end).into());
    if turn.request["stream_options"]["include_usage"] == true {
        let mut last = envelope(turn, json!([]));
        last["usage"] = usage(turn);
        frames.push(frame(&last));
    }
    frames.push(DONE.to_owned());
    frames
}
