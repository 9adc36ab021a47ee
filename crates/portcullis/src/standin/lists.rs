//! Endpoints of the stand-in that answer with lists: embeddings, moderations, models.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::Reply;
use super::chat::{CREATED, strings, text_of};
use super::error::{Voice, missing};

const MODELS: &[(Voice, &str)] = &[
    (Voice::OpenAi, "gpt-4o"),
    (Voice::OpenAi, "gpt-4o-mini"),
    (Voice::OpenAi, "text-embedding-3-small"),
    (Voice::OpenAi, "omni-moderation-latest"),
    (Voice::Anthropic, "claude-sonnet-5"),
    (Voice::Anthropic, "claude-haiku-5"),
    (Voice::Gemini, "gemini-2.5-flash"),
    (Voice::Gemini, "gemini-embedding-001"),
];

/// The models of one provider, in its shape.
pub fn models(voice: Voice) -> Value {
    let names: Vec<&str> = MODELS
        .iter()
        .filter(|(whose, _)| *whose == voice)
        .map(|(_, name)| *name)
        .collect();
    let each = |shape: fn(&str) -> Value| names.iter().map(|name| shape(name)).collect::<Vec<Value>>();
    match voice {
        Voice::OpenAi => json!({
            "object": "list",
            "data": each(|name| json!({ "id": name, "object": "model", "created": CREATED, "owned_by": "standin" })),
        }),
        Voice::Anthropic => json!({
            "data": each(|name| {
                json!({ "type": "model", "id": name, "display_name": name, "created_at": "2025-06-15T00:00:00Z" })
            }),
            "has_more": false,
            "first_id": names.first(),
            "last_id": names.last(),
        }),
        Voice::Gemini => json!({
            "models": each(|name| {
                json!({
                    "name": format!("models/{name}"),
                    "version": "001",
                    "displayName": name,
                    "inputTokenLimit": 1_048_576,
                    "outputTokenLimit": 65_536,
                    "supportedGenerationMethods": ["generateContent", "countTokens", "embedContent"],
                })
            }),
        }),
    }
}

/// A vector of unit length that depends on nothing but the text.
pub fn vector(text: &str, size: Option<u64>) -> Vec<f32> {
    let size = size
        .and_then(|size| usize::try_from(size).ok())
        .unwrap_or(16)
        .clamp(1, 4096);
    // xorshift, seeded with the text's FNV-1a hash.
    let hash = |seed: u64, byte: u8| (seed ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    let mut state = text.bytes().fold(0xcbf2_9ce4_8422_2325, hash) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let sixteen = u16::try_from(state & 0xffff).unwrap_or(0);
        f32::from(sixteen) / 32_768.0 - 1.0
    };
    let raw: Vec<f32> = (0..size).map(|_| next()).collect();
    let length = raw
        .iter()
        .map(|x| x * x)
        .sum::<f32>()
        .sqrt()
        .max(f32::MIN_POSITIVE);
    raw.into_iter().map(|x| x / length).collect()
}

/// Texts, or token ids that stand for one.
fn inputs(value: &Value) -> Vec<String> {
    let ids = |value: &Value| {
        value
            .as_array()
            .is_some_and(|items| items.iter().all(Value::is_u64))
    };
    match value {
        Value::Array(items) if !items.is_empty() && ids(value) => vec![value.to_string()],
        Value::Array(items) if items.iter().any(ids) => items.iter().map(Value::to_string).collect(),
        Value::Array(items) if items.iter().all(Value::is_object) => vec![text_of(value)],
        _ => strings(value),
    }
}

/// OpenAI embeddings, as numbers or as base64 of little-endian floats.
pub fn embeddings(request: &Value) -> Reply {
    if let Some(absent) = ["model", "input"]
        .iter()
        .find(|name| request.get(**name).is_none())
    {
        return missing(Voice::OpenAi, absent);
    }
    let packed = request["encoding_format"] == "base64";
    let texts = inputs(&request["input"]);
    let one = |(index, text): (usize, &String)| {
        let numbers = vector(text, request["dimensions"].as_u64());
        let embedding = if packed {
            let bytes: Vec<u8> = numbers.iter().flat_map(|x| x.to_le_bytes()).collect();
            Value::from(STANDARD.encode(bytes))
        } else {
            Value::from(numbers)
        };
        json!({ "object": "embedding", "index": index, "embedding": embedding })
    };
    let tokens = texts
        .iter()
        .map(|text| (text.len() / 4).saturating_add(1))
        .fold(0, usize::saturating_add);
    let body = json!({
        "object": "list",
        "data": texts.iter().enumerate().map(one).collect::<Vec<_>>(),
        "model": request["model"],
        "usage": { "prompt_tokens": tokens, "total_tokens": tokens },
    });
    Reply::Json(200, body)
}

const CATEGORIES: &[&str] = &[
    "harassment",
    "harassment/threatening",
    "hate",
    "hate/threatening",
    "illicit",
    "illicit/violent",
    "self-harm",
    "self-harm/instructions",
    "self-harm/intent",
    "sexual",
    "sexual/minors",
    "violence",
    "violence/graphic",
];

/// OpenAI moderations: a text that speaks of killing is flagged as violence.
pub fn moderations(request: &Value, serial: u64) -> Reply {
    if request.get("input").is_none() {
        return missing(Voice::OpenAi, "input");
    }
    let one = |text: &String| {
        let violent = text.to_ascii_lowercase().contains("kill");
        let all = |value: &dyn Fn(bool) -> Value| {
            let pairs = CATEGORIES
                .iter()
                .map(|name| ((*name).to_owned(), value(violent && *name == "violence")));
            pairs.collect::<Map<String, Value>>()
        };
        json!({
            "flagged": violent,
            "categories": all(&|hit| hit.into()),
            "category_scores": all(&|hit| if hit { 0.97.into() } else { 0.0001.into() }),
            "category_applied_input_types": all(&|_| json!(["text"])),
        })
    };
    let results: Vec<Value> = inputs(&request["input"]).iter().map(one).collect();
    let model = request
        .get("model")
        .cloned()
        .unwrap_or_else(|| "omni-moderation-latest".into());
    Reply::Json(
        200,
        json!({ "id": format!("modr-standin-{serial}"), "model": model, "results": results }),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vector_is_the_text_s_own_and_has_unit_length() {
        let (a, b) = (vector("a", None), vector("b", Some(3)));
        assert_eq!(a, vector("a", None));
        assert_eq!((a.len(), b.len()), (16, 3));
        assert!((a.iter().map(|x| x * x).sum::<f32>() - 1.0).abs() < 1e-5);
        assert_ne!(vector("b", None), a);
    }

    #[test]
    fn inputs_may_be_texts_or_token_ids() {
        assert_eq!(inputs(&json!("a")), ["a"]);
        assert_eq!(inputs(&json!(["a", "b"])), ["a", "b"]);
        assert_eq!(inputs(&json!([1, 2])), ["[1,2]"]);
        assert_eq!(inputs(&json!([[1, 2], [3]])), ["[1,2]", "[3]"]);
        assert_eq!(inputs(&json!([{ "type": "text", "text": "a" }])), ["a"]);
    }
}
