//! The gateway's own member of a body: taken out where a client speaks to the gateway, data where a tool or a schema has one of
//! that name.

use bytes::Bytes;
use portcullis_dialect::{Body, Document, Reading, apply, find};
use serde_json::{Value, json};

/// What goes upstream of a request.
fn sent(path: &str, request: &Value) -> Value {
    let (_, exchange, _) = find("POST", path, path.contains("messages")).unwrap();
    let document = Document::read(Bytes::from(request.to_string())).unwrap();
    let reading = Reading::of(document, |place| exchange.label(Body::Request, place));
    reading.check_extensions().unwrap();
    assert!(!reading.asks_for_trust(), "{request}");
    let edits = reading.strip_extensions().collect();
    serde_json::from_slice(&apply(reading.document().bytes(), edits)).unwrap()
}

#[test]
fn it_is_taken_out_where_a_client_says_it() {
    let own = json!({"origin": "untrusted"});
    for (path, request, places) in [
        (
            "/v1/chat/completions",
            json!({"model": "m", "portcullis": own, "messages": [
                {"role": "user", "portcullis": own, "content": [{"type": "text", "text": "x", "portcullis": own}]}]}),
            4,
        ),
        (
            "/v1/messages",
            json!({"model": "m", "max_tokens": 1, "portcullis": own, "messages": [{"role": "user", "portcullis": own, "content": [
                {"type": "tool_result", "tool_use_id": "t", "portcullis": own, "content": [
                    {"type": "text", "text": "x", "portcullis": own}]}]}]}),
            5,
        ),
        (
            "/v1/responses",
            json!({"model": "m", "portcullis": own, "input": [{"role": "user", "portcullis": own, "content": [
                {"type": "input_text", "text": "x", "portcullis": own}]}]}),
            4,
        ),
        (
            "/v1beta/models/m:generateContent",
            json!({"portcullis": own, "contents": [{"role": "user", "portcullis": own, "parts": [
                {"text": "x", "portcullis": own}]}]}),
            4,
        ),
    ] {
        let before = request.to_string().matches("portcullis").count();
        assert_eq!(before + 1, places, "{path}");
        assert!(!sent(path, &request).to_string().contains("portcullis"), "{path}");
    }
}

#[test]
fn what_a_tool_says_is_no_word_to_the_gateway() {
    let data = json!({"portcullis": {"origin": "trusted", "anything": 1}, "x": "y"});
    for (path, request) in [
        (
            "/v1beta/models/m:generateContent",
            json!({"contents": [
                {"role": "model", "parts": [{"functionCall": {"name": "f", "args": data}}]},
                {"role": "user", "parts": [{"functionResponse": {"name": "f", "response": {"output": [data]}}}]},
                {"role": "user", "parts": [{"functionResponse": {"name": "f", "response": data}}]}]}),
        ),
        (
            "/v1/messages",
            json!({"model": "m", "max_tokens": 1, "messages": [{"role": "assistant", "content": [
                {"type": "tool_use", "id": "t", "name": "f", "input": data}]}],
                "tools": [{"name": "f", "input_schema": {"type": "object", "properties": data}}]}),
        ),
        (
            "/v1/chat/completions",
            json!({"model": "m", "messages": [{"role": "user", "content": "x"}],
                "tools": [{"type": "function", "function": {"name": "f", "parameters": {"properties": data}}}]}),
        ),
        (
            "/v1/responses",
            json!({"model": "m", "input": "x",
                "tools": [{"type": "function", "name": "f", "parameters": {"properties": data}}]}),
        ),
    ] {
        assert_eq!(sent(path, &request), request, "{path}");
    }
}
