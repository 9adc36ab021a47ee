//! What costs money without being of use is slowed: repetition, conversations in circles, replies by the dozen.

use http::StatusCode;
use portcullis_core::{Action, Decision};
use portcullis_policy::{Abuse, Mode, Profile};
use serde_json::{Value, json};

use crate::bench::{Answer, Bench, Plan, Script};

async fn with(abuse: Abuse, mode: Mode) -> Bench {
    let profile = Profile {
        mode,
        abuse,
        ..Profile::default()
    };
    Bench::with(Plan {
        profile,
        ..Plan::default()
    })
    .await
}

const REPLY: &str = r#"{"id":"x","object":"chat.completion","created":1,"model":"gpt-4o","choices":[{"index":0,"finish_reason":"stop","message":{"role":"assistant","content":"Yes."}}]}"#;

impl Bench {
    async fn ask(&self, path: &str, body: &Value) -> Answer {
        self.script(Script::json(REPLY));
        self.post(path, body.to_string()).await
    }
}

fn is_slowed(answer: &Answer) -> bool {
    if answer.status == StatusCode::OK {
        return false;
    }
    assert_eq!(
        (answer.status.as_u16(), answer.code().as_str()),
        (429, "rate_limited"),
        "{}",
        answer.text()
    );
    assert!(answer.header("retry-after").parse::<u64>().unwrap() > 0);
    true
}

#[tokio::test]
async fn the_same_request_is_slowed_and_any_other_is_not() {
    let abuse = Abuse {
        repeated: Action::Block,
        repeated_rpm: 3,
        ..Abuse::default()
    };
    let bench = with(abuse, Mode::Enforce).await;
    let say = |text: &str| json!({"model": "gpt-4o", "messages": [{"role": "user", "content": text}]});
    for _ in 0..3 {
        assert!(!is_slowed(&bench.ask("/v1/chat/completions", &say("a")).await));
    }
    let refused = bench.ask("/v1/chat/completions", &say("a")).await;
    assert!(is_slowed(&refused));
    let record = bench.record(&refused).await;
    assert_eq!(record.decision, Decision::Block);
    assert_eq!(record.findings[0].kind, "abuse.repeated");
    assert!(!is_slowed(&bench.ask("/v1/chat/completions", &say("b")).await));
    // No model replies to it: it costs little, and programs do count the same text again.
    for _ in 0..5 {
        let body = json!({"model": "gpt-4o", "input": "a"});
        assert_eq!(bench.ask("/v1/embeddings", &body).await.status, StatusCode::OK);
    }
}

/// A conversation in which the same call was made so often, with these results, in the words of each dialect.
fn conversations(results: &[String]) -> Vec<(&'static str, Value)> {
    let user = json!({"role": "user", "content": "Is it done?"});
    let (mut chat, mut messages) = (vec![user.clone()], vec![user]);
    let mut input = vec![json!({"role": "user", "content": "Is it done?"})];
    let mut contents = vec![json!({"role": "user", "parts": [{"text": "Is it done?"}]})];
    for (number, result) in results.iter().enumerate() {
        let id = format!("call_{number}");
        chat.push(json!({"role": "assistant", "content": null, "tool_calls": [
            {"id": id, "type": "function", "function": {"name": "status", "arguments": "{\"job\": 7}"}}]}));
        chat.push(json!({"role": "tool", "tool_call_id": id, "content": result}));
        messages.push(json!({"role": "assistant", "content": [
            {"type": "text", "text": format!("Attempt {number}.")},
            {"type": "tool_use", "id": id, "name": "status", "input": {"job": 7}}]}));
        messages.push(json!({"role": "user", "content": [{"type": "tool_result", "tool_use_id": id, "content": result}]}));
        input.push(
            json!({"type": "function_call", "call_id": id, "name": "status", "arguments": "{\"job\": 7}"}),
        );
        input.push(json!({"type": "function_call_output", "call_id": id, "output": result}));
        contents.push(
            json!({"role": "model", "parts": [{"functionCall": {"name": "status", "args": {"job": 7}}}]}),
        );
        contents.push(json!({"role": "user", "parts": [{"functionResponse": {"name": "status", "response": {"result": result}}}]}));
    }
    let tool = json!([{"name": "status", "input_schema": {"type": "object"}}]);
    vec![
        (
            "/v1/chat/completions",
            json!({"model": "gpt-4o", "messages": chat}),
        ),
        (
            "/v1/messages",
            json!({"model": "claude-x", "max_tokens": 9, "messages": messages, "tools": tool}),
        ),
        ("/v1/responses", json!({"model": "gpt-4o", "input": input})),
        (
            "/v1beta/models/gemini-x:generateContent",
            json!({"contents": contents}),
        ),
    ]
}

#[tokio::test]
async fn a_conversation_that_goes_in_circles_is_slowed_however_long_it_grows() {
    let abuse = Abuse {
        looping_calls: 5,
        looping_rpm: 2,
        ..Abuse::default()
    };
    let bench = with(abuse, Mode::Enforce).await;
    let same = |count: usize| vec!["still running".to_owned(); count];
    let changing: Vec<String> = (0..12).map(|number| format!("{number} % done")).collect();
    for dialect in 0..4 {
        let ask = async |results: &[String]| {
            let (path, body) = conversations(results).swap_remove(dialect);
            let answer = bench.ask(path, &body).await;
            (is_slowed_or_not_a_reply(&answer), answer)
        };
        for count in 0..5 {
            assert!(!ask(&same(count)).await.0, "{dialect}: {count} calls");
        }
        assert!(!ask(&changing).await.0, "{dialect}: what moves on");
        assert!(!ask(&same(5)).await.0);
        assert!(!ask(&same(6)).await.0);
        let (slowed, answer) = ask(&same(7)).await;
        assert!(
            slowed,
            "{dialect}: the third one of a minute: {} {}",
            answer.status,
            answer.text()
        );
        assert_eq!(bench.record(&answer).await.findings[0].kind, "abuse.looping");
    }
}

/// The upstream's reply is in the words of one dialect: whether another one could read it does not matter here.
fn is_slowed_or_not_a_reply(answer: &Answer) -> bool {
    answer.status.as_u16() == 429 && is_slowed(answer)
}

#[tokio::test]
async fn replies_by_the_dozen_are_refused_where_a_profile_says_how_many() {
    let abuse = Abuse {
        choices: 4,
        ..Abuse::default()
    };
    let many = json!({"model": "gpt-4o", "n": 5, "messages": [{"role": "user", "content": "x"}]});
    let few = json!({"model": "gpt-4o", "n": 4, "messages": [{"role": "user", "content": "x"}]});
    let bench = with(abuse.clone(), Mode::Enforce).await;
    let refused = bench.ask("/v1/chat/completions", &many).await;
    assert_eq!(
        (refused.status.as_u16(), refused.code().as_str()),
        (400, "invalid_request")
    );
    assert_eq!(
        bench.ask("/v1/chat/completions", &few).await.status,
        StatusCode::OK
    );
    let watching = with(abuse, Mode::Observe).await;
    let passed = watching.ask("/v1/chat/completions", &many).await;
    assert_eq!(passed.status, StatusCode::OK);
    assert_eq!(watching.record(&passed).await.findings[0].kind, "abuse.choices");
}
