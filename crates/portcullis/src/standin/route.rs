//! Which endpoint of which provider is asked, whether the credential is right, and what it answers.

use serde_json::{Value, json};

use super::error::{Voice, coded, error, missing};
use super::mind::{self, Fault, Prompt};
use super::{Received, Reply, Standin, Turn, anthropic, chat, completions, gemini, lists, responses};

/// An endpoint that answers with the model's words.
struct Speaker {
    voice: Voice,
    /// Members that a request must have.
    required: &'static [&'static str],
    read: fn(&Value) -> Prompt,
    buffered: fn(&Turn<'_>) -> Value,
    streamed: fn(&Turn<'_>) -> Vec<String>,
}

static CHAT: Speaker = Speaker {
    voice: Voice::OpenAi,
    required: &["model", "messages"],
    read: chat::read,
    buffered: chat::buffered,
    streamed: chat::streamed,
};
static COMPLETIONS: Speaker = Speaker {
    voice: Voice::OpenAi,
    required: &["model", "prompt"],
    read: completions::read,
    buffered: completions::buffered,
    streamed: completions::streamed,
};
static RESPONSES: Speaker = Speaker {
    voice: Voice::OpenAi,
    required: &["model", "input"],
    read: responses::read,
    buffered: responses::buffered,
    streamed: responses::streamed,
};
static MESSAGES: Speaker = Speaker {
    voice: Voice::Anthropic,
    required: &["model", "max_tokens", "messages"],
    read: anthropic::read,
    buffered: anthropic::buffered,
    streamed: anthropic::streamed,
};
static GEMINI: Speaker = Speaker {
    voice: Voice::Gemini,
    required: &["contents"],
    read: gemini::read,
    buffered: gemini::buffered,
    streamed: gemini::streamed,
};

/// Answers one request.
pub fn reply(model: &Standin, received: &Received, serial: u64) -> Reply {
    let (path, query) = received.path.split_once('?').unwrap_or((&received.path, ""));
    let header = |name: &str| received.headers.get(name).and_then(|value| value.to_str().ok());
    // Google's client asks under `v1` unless it is told otherwise; there only the credential's name tells it apart.
    let voice = if path.starts_with("/v1beta/") || header("x-goog-api-key").is_some() {
        Voice::Gemini
    } else if header("anthropic-version").is_some() || path.starts_with("/v1/messages") {
        Voice::Anthropic
    } else {
        Voice::OpenAi
    };
    let bearer = || header("authorization").and_then(|value| value.strip_prefix("Bearer "));
    let credential = match voice {
        Voice::OpenAi => bearer(),
        // The API takes both; its newer clients send the key as a bearer.
        Voice::Anthropic => header("x-api-key").or_else(bearer),
        Voice::Gemini => header("x-goog-api-key").or_else(|| parameter(query, "key")),
    };
    if model.key.as_deref().is_some_and(|key| credential != Some(key)) {
        return match voice {
            Voice::OpenAi => coded(401, "Incorrect API key provided.", "invalid_api_key"),
            Voice::Anthropic => error(voice, 401, "invalid x-api-key"),
            Voice::Gemini => error(voice, 400, "API key not valid. Please pass a valid API key."),
        };
    }
    let asked = if received.method != http::Method::POST {
        Value::Null
    } else {
        match serde_json::from_slice::<Value>(&received.body) {
            Ok(body @ Value::Object(_)) => body,
            _ => return error(voice, 400, "We could not parse the JSON body of your request."),
        }
    };
    if voice == Voice::Anthropic && header("anthropic-version").is_none() {
        return error(voice, 400, "anthropic-version: header is required");
    }
    let segments: Vec<&str> = path.trim_matches('/').split('/').collect();
    match (received.method.as_str(), segments.as_slice()) {
        ("POST", ["v1", "chat", "completions"]) => speak(&CHAT, None, &asked, streams(&asked), serial),
        ("POST", ["v1", "completions"]) => speak(&COMPLETIONS, None, &asked, streams(&asked), serial),
        ("POST", ["v1", "responses"]) => respond(model, &asked, serial),
        ("GET", ["v1", "responses", id]) => stored(model, id),
        ("DELETE", ["v1", "responses", id]) => deleted(model, id),
        ("GET", ["v1", "responses", id, "input_items"]) => input_items(model, id),
        ("POST", ["v1", "embeddings"]) => lists::embeddings(&asked),
        ("POST", ["v1", "moderations"]) => lists::moderations(&asked, serial),
        ("POST", ["v1", "messages"]) => speak(&MESSAGES, None, &asked, streams(&asked), serial),
        ("POST", ["v1", "messages", "count_tokens"]) => anthropic::count(&asked),
        ("GET", ["v1" | "v1beta", "models"]) => Reply::Json(200, lists::models(voice)),
        ("POST", ["v1" | "v1beta", "models", action]) => gemini_action(action, query, &asked, serial),
        _ => error(voice, 404, &format!("Invalid URL ({} {path})", received.method)),
    }
}

fn gemini_action(action: &str, query: &str, asked: &Value, serial: u64) -> Reply {
    let (name, action) = action.split_once(':').unwrap_or((action, ""));
    match action {
        "generateContent" => speak(&GEMINI, Some(name), asked, false, serial),
        "streamGenerateContent" => {
            let reply = speak(&GEMINI, Some(name), asked, true, serial);
            if parameter(query, "alt") == Some("sse") {
                reply
            } else {
                gemini::as_array(reply)
            }
        }
        "countTokens" => gemini::count(asked),
        "embedContent" => gemini::embed(asked),
        "batchEmbedContents" => gemini::embed_batch(asked),
        _ => error(
            Voice::Gemini,
            404,
            &format!("models/{name} is not found or does not support {action}"),
        ),
    }
}

fn speak(speaker: &Speaker, model: Option<&str>, request: &Value, stream: bool, serial: u64) -> Reply {
    if let Some(absent) = speaker.required.iter().find(|name| request.get(**name).is_none()) {
        return missing(speaker.voice, absent);
    }
    let prompt = (speaker.read)(request);
    let answer = mind::answer(&prompt);
    if let Some(Fault::Status(status)) = answer.fault {
        return error(
            speaker.voice,
            status,
            "The stand-in fails because the prompt asked it to.",
        );
    }
    let broken = answer.fault == Some(Fault::BreakOff);
    let model = model.or_else(|| request["model"].as_str()).unwrap_or_default();
    let turn = Turn {
        request,
        model,
        prompt,
        answer,
        serial,
    };
    if stream {
        return Reply::Stream {
            frames: (speaker.streamed)(&turn),
            media: "text/event-stream",
            broken,
        };
    }
    let body = (speaker.buffered)(&turn);
    if broken {
        // Half of the body comes, the other half never does.
        let text = body.to_string();
        let half = mind::chunks(&text).len() / 2;
        let first = mind::chunks(&text).into_iter().take(half).collect();
        return Reply::Stream {
            frames: vec![first, String::new()],
            media: "application/json",
            broken,
        };
    }
    Reply::Json(200, body)
}

/// The Responses API keeps what it answered, unless told not to.
fn respond(model: &Standin, asked: &Value, serial: u64) -> Reply {
    if let Some(previous) = asked["previous_response_id"].as_str()
        && model.stored(previous).is_none()
    {
        let message = format!("Previous response with id '{previous}' not found.");
        return coded(400, &message, "previous_response_not_found");
    }
    let whole = speak(&RESPONSES, None, asked, false, serial);
    if let (Reply::Json(200, body), true) = (&whole, asked["store"] != false) {
        model.store(body, &asked["input"]);
    }
    if streams(asked) {
        speak(&RESPONSES, None, asked, true, serial)
    } else {
        whole
    }
}

fn stored(model: &Standin, id: &str) -> Reply {
    match model.stored(id) {
        Some(kept) => Reply::Json(200, kept.response),
        None => absent(id),
    }
}

fn deleted(model: &Standin, id: &str) -> Reply {
    match model.forget(id) {
        true => Reply::Json(200, json!({ "id": id, "object": "response", "deleted": true })),
        false => absent(id),
    }
}

fn input_items(model: &Standin, id: &str) -> Reply {
    let Some(kept) = model.stored(id) else {
        return absent(id);
    };
    let items = responses::items_of(&kept.input, id);
    let end = |item: Option<&Value>| item.map_or(Value::Null, |item| item["id"].clone());
    let (first, last) = (end(items.first()), end(items.last()));
    let list =
        json!({ "object": "list", "data": items, "first_id": first, "last_id": last, "has_more": false });
    Reply::Json(200, list)
}

fn absent(id: &str) -> Reply {
    error(Voice::OpenAi, 404, &format!("Response with id '{id}' not found."))
}

fn streams(request: &Value) -> bool {
    request["stream"] == true
}

fn parameter<'a>(query: &'a str, name: &str) -> Option<&'a str> {
    query
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .find(|(key, _)| *key == name)
        .map(|(_, value)| value)
}
