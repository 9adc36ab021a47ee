//! Gemini's content generation, as the stand-in reads and writes it.

use serde_json::{Value, json};

use super::chat::{limit, strings};
use super::error::{Voice, missing};
use super::lists::vector;
use super::mind::{End, Prompt, chunks};
use super::{Reply, Turn};

/// A member under its camel-case name or, as the API also takes it, with underscores.
fn either<'a>(value: &'a Value, camel: &str, snake: &str) -> &'a Value {
    value
        .get(camel)
        .unwrap_or_else(|| value.get(snake).unwrap_or(&Value::Null))
}

fn texts(content: &Value) -> String {
    let parts = content["parts"].as_array().into_iter().flatten();
    parts
        .filter_map(|part| part["text"].as_str())
        .collect::<Vec<_>>()
        .join("\n")
}

/// Reads the conversation.
pub fn read(request: &Value) -> Prompt {
    let config = either(request, "generationConfig", "generation_config");
    let mut prompt = Prompt {
        system: texts(either(request, "systemInstruction", "system_instruction")),
        limit: limit(either(config, "maxOutputTokens", "max_output_tokens")),
        stops: strings(either(config, "stopSequences", "stop_sequences")),
        thinks: *either(
            either(config, "thinkingConfig", "thinking_config"),
            "includeThoughts",
            "include_thoughts",
        ) == true,
        weight: request["contents"].to_string().len(),
        ..Prompt::default()
    };
    if let Some(content) = request["contents"]
        .as_array()
        .and_then(|contents| contents.last())
    {
        prompt.text = texts(content);
        let parts = content["parts"].as_array().into_iter().flatten();
        let results = parts.map(|part| &either(part, "functionResponse", "function_response")["response"]);
        for result in results.filter(|result| !result.is_null()) {
            prompt.from_tool = true;
            let told = result["result"].as_str().or_else(|| result["output"].as_str());
            prompt.text = told.map_or_else(|| result.to_string(), str::to_owned);
        }
    }
    let calling = either(
        either(request, "toolConfig", "tool_config"),
        "functionCallingConfig",
        "function_calling_config",
    );
    if calling["mode"] == "ANY" {
        let declared = either(
            &request["tools"][0],
            "functionDeclarations",
            "function_declarations",
        );
        let allowed = either(calling, "allowedFunctionNames", "allowed_function_names");
        let name = allowed[0].as_str().or_else(|| declared[0]["name"].as_str());
        prompt.forced = name.map(str::to_owned);
    }
    prompt
}

fn finish(end: &End) -> &'static str {
    if *end == End::Length { "MAX_TOKENS" } else { "STOP" }
}

fn envelope(turn: &Turn<'_>, parts: Vec<Value>, reason: Option<&str>, output: usize) -> Value {
    let config = either(turn.request, "generationConfig", "generation_config");
    let count = either(config, "candidateCount", "candidate_count")
        .as_u64()
        .unwrap_or(1)
        .clamp(1, 8);
    let candidate = |index: u64| {
        let mut candidate = json!({ "content": { "parts": parts, "role": "model" } });
        if let Some(reason) = reason {
            candidate["finishReason"] = reason.into();
        }
        candidate["index"] = index.into();
        candidate
    };
    let input = turn.prompt.tokens();
    json!({
        "candidates": (0..count).map(candidate).collect::<Vec<_>>(),
        "usageMetadata": {
            "promptTokenCount": input,
            "candidatesTokenCount": output,
            "totalTokenCount": input.saturating_add(output),
            "promptTokensDetails": [{ "modality": "TEXT", "tokenCount": input }],
        },
        "modelVersion": turn.model,
        "responseId": format!("standin-{}", turn.serial),
    })
}

fn calls(turn: &Turn<'_>) -> Vec<Value> {
    let call = |call: &super::mind::Call| {
        let arguments = serde_json::from_str::<Value>(&call.arguments).unwrap_or_else(|_| json!({}));
        json!({ "functionCall": { "name": call.name, "args": arguments } })
    };
    turn.answer.calls.iter().map(call).collect()
}

/// The whole reply.
pub fn buffered(turn: &Turn<'_>) -> Value {
    let mut parts = Vec::new();
    if let Some(thinking) = &turn.answer.thinking {
        parts.push(json!({ "text": thinking, "thought": true }));
    }
    if !turn.answer.text.is_empty() {
        parts.push(json!({ "text": turn.answer.text }));
    }
    parts.extend(calls(turn));
    envelope(turn, parts, Some(finish(&turn.answer.end)), turn.answer.tokens())
}

/// The reply as events. Function calls come whole, and lines end as the API ends them.
pub fn streamed(turn: &Turn<'_>) -> Vec<String> {
    let mut parts = Vec::new();
    if let Some(thinking) = &turn.answer.thinking {
        parts.extend(
            chunks(thinking)
                .into_iter()
                .map(|piece| json!({ "text": piece, "thought": true })),
        );
    }
    parts.extend(
        chunks(&turn.answer.text)
            .into_iter()
            .map(|piece| json!({ "text": piece })),
    );
    parts.extend(calls(turn));
    if parts.is_empty() {
        parts.push(json!({ "text": "" }));
    }
    let last = parts.len().saturating_sub(1);
    let event = |(at, part): (usize, Value)| {
        let reason = (at == last).then(|| finish(&turn.answer.end));
        let tokens = turn.answer.tokens().min(at.saturating_add(1));
        let body = envelope(
            turn,
            vec![part],
            reason,
            if at == last { turn.answer.tokens() } else { tokens },
        );
        format!("data: {body}\r\n\r\n")
    };
    parts.into_iter().enumerate().map(event).collect()
}

/// The same stream as the API gives it without `alt=sse`: one JSON array that grows.
pub fn as_array(reply: Reply) -> Reply {
    let Reply::Stream { frames, broken, .. } = reply else {
        return reply;
    };
    let bodies = frames
        .iter()
        .map(|frame| frame.trim_start_matches("data: ").trim_end());
    let mut pieces: Vec<String> = bodies
        .enumerate()
        .map(|(at, body)| format!("{}{body}", if at == 0 { "[" } else { ",\r\n" }))
        .collect();
    pieces.push("]".to_owned());
    Reply::Stream {
        frames: pieces,
        media: "application/json",
        broken,
    }
}

/// Counts tokens.
pub fn count(request: &Value) -> Reply {
    let inner = request.get("generateContentRequest").unwrap_or(request);
    if inner.get("contents").is_none() {
        return missing(Voice::Gemini, "contents");
    }
    let tokens = read(inner).tokens();
    Reply::Json(
        200,
        json!({ "totalTokens": tokens, "promptTokensDetails": [{ "modality": "TEXT", "tokenCount": tokens }] }),
    )
}

/// The vector of one content.
pub fn embed(request: &Value) -> Reply {
    match request.get("content") {
        Some(content) => Reply::Json(200, json!({ "embedding": embedded(request, content) })),
        None => missing(Voice::Gemini, "content"),
    }
}

/// The vectors of several contents.
pub fn embed_batch(request: &Value) -> Reply {
    let Some(requests) = request["requests"].as_array() else {
        return missing(Voice::Gemini, "requests");
    };
    let all = requests.iter().map(|one| embedded(one, &one["content"]));
    Reply::Json(200, json!({ "embeddings": all.collect::<Vec<_>>() }))
}

fn embedded(request: &Value, content: &Value) -> Value {
    let size = either(request, "outputDimensionality", "output_dimensionality").as_u64();
    json!({ "values": vector(&texts(content), size) })
}
