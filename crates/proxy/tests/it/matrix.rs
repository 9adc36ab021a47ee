//! Who may do what, as a table: `tests/matrix.txt` is what the pipeline does with each principal, endpoint, model and system prompt.
//! A change of it is a change of who may do what, and shows as a diff. `PORTCULLIS_BLESS=1` writes it anew.

use std::fmt::Write as _;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::Full;
use portcullis_core::{Glob, PrincipalKind};
use portcullis_policy::access::{Access, PolicyText};
use portcullis_policy::{Permission, Profile, SystemPrompt};
use portcullis_proxy::{Group, Groups, ModelSize, Route, Settings};
use portcullis_store::NewKey;
use serde_json::json;

use crate::bench::{Bench, Plan, Script};

const POLICIES: &str = r#"
@id("all") permit (principal, action, resource);
@id("o3-is-for-leads") forbid (principal, action == Action::"invoke_model", resource == Model::"o3")
  unless { principal in Role::"lead" };
@id("services-do-not-stream") forbid (principal is Service, action == Action::"invoke_model", resource)
  when { context.stream };
@id("free-prompts") forbid (principal in Team::"free", action == Action::"send_system_prompt", resource);
@id("no-anthropic-for-acme") forbid (principal in Org::"acme", action == Action::"invoke_model", resource in Upstream::"anthropic");
@id("no-llama-for-bob") forbid (principal in User::"bob", action == Action::"invoke_model", resource == Model::"llama");
@id("no-guard-outside") forbid (principal, action == Action::"use_endpoint", resource == Endpoint::"/v1/guard")
  unless { principal in Org::"acme" };
@id("no-mail-for-free") forbid (principal in Team::"free", action == Action::"call_tool", resource == Tool::"send_email");
@id("services-undo") forbid (principal is Service, action == Action::"call_tool", resource)
  when { resource.impact == "irreversible" };
@id("closed-reads") forbid (principal in Team::"closed", action == Action::"call_tool", resource)
  unless { resource.class == "read" };
"#;

fn globs(all: &[&str]) -> Vec<Glob> {
    all.iter().map(|glob| Glob::new(glob)).collect()
}

fn settings() -> Settings {
    let mut settings = Settings::default();
    let policies = PolicyText {
        file: "matrix.cedar",
        text: POLICIES,
    };
    settings.access = Some(Arc::new(Access::read(&[policies]).unwrap()));
    let free = Group {
        org: Some("acme".to_owned()),
        models: globs(&["gpt-*", "o3", "claude-*", "fast"]),
        ..Group::default()
    };
    let closed = Group {
        profile: Some("closed".to_owned()),
        endpoints: globs(&["/v1/chat/completions", "/v1/messages"]),
        ..Group::default()
    };
    settings.groups = Groups {
        teams: [
            ("free".to_owned(), Arc::new(free)),
            ("closed".to_owned(), Arc::new(closed)),
        ]
        .into(),
        ..Groups::default()
    };
    settings.profiles.push(Profile {
        name: "closed".into(),
        system_prompt: SystemPrompt {
            from_client: Permission::Deny,
            ..SystemPrompt::default()
        },
        ..Profile::default()
    });
    settings.routes.push(Route {
        matches: Glob::new("fast"),
        upstream: "openai".to_owned(),
        renamed: Some("llama".to_owned()),
        fallback: Vec::new(),
        price: None,
        size: ModelSize::default(),
    });
    settings
}

fn principals() -> Vec<NewKey> {
    let named = |name: &str, team: Option<&str>, user: Option<&str>| NewKey {
        team: team.map(str::to_owned),
        user: user.map(str::to_owned),
        ..NewKey::named(name)
    };
    let lead = NewKey {
        roles: vec!["lead".to_owned()],
        ..named("lead of free", Some("free"), Some("ann"))
    };
    let nightly = NewKey {
        kind: PrincipalKind::Service,
        models: globs(&["gpt-*"]),
        ..named("service", None, None)
    };
    let abroad = NewKey {
        networks: vec!["10.0.0.0/8".parse().unwrap()],
        ..named("key of elsewhere", None, None)
    };
    vec![
        named("plain key", None, None),
        named("key of free", Some("free"), Some("bob")),
        lead,
        named("key of closed", Some("closed"), None),
        nightly,
        abroad,
    ]
}

/// Endpoint, method and body of each request: what it asks for in a word.
fn requests() -> Vec<(&'static str, &'static str, String, String)> {
    let mut all = Vec::new();
    for (model, system, stream) in [
        ("gpt-4o", false, false),
        ("gpt-4o", true, false),
        ("gpt-4o", false, true),
        ("o3", false, false),
        ("fast", false, false),
    ] {
        let mut messages = vec![json!({ "role": "user", "content": "Hello." })];
        if system {
            messages.insert(0, json!({ "role": "system", "content": "Be brief." }));
        }
        let told = match (system, stream) {
            (true, _) => format!("{model}, system prompt"),
            (_, true) => format!("{model}, stream"),
            _ => model.to_owned(),
        };
        let body = json!({ "model": model, "messages": messages, "stream": stream });
        all.push(("POST", "/v1/chat/completions", told, body.to_string()));
    }
    for tool in ["get_mails", "send_email", "delete_file"] {
        let tools =
            json!([{ "type": "function", "function": { "name": tool, "parameters": { "type": "object" } } }]);
        let body = json!({ "model": "gpt-4o", "messages": [{ "role": "user", "content": "Hello." }], "tools": tools });
        all.push((
            "POST",
            "/v1/chat/completions",
            format!("tool {tool}"),
            body.to_string(),
        ));
    }
    let claude = json!({ "model": "claude-x", "max_tokens": 5, "messages": [{ "role": "user", "content": "Hello." }] });
    all.push(("POST", "/v1/messages", "claude-x".to_owned(), claude.to_string()));
    let embed = json!({ "model": "gpt-embed", "input": "Hello." });
    all.push((
        "POST",
        "/v1/embeddings",
        "gpt-embed".to_owned(),
        embed.to_string(),
    ));
    let open = json!({ "input": "Hello." });
    all.push((
        "POST",
        "/v1/moderations",
        "a model left open".to_owned(),
        open.to_string(),
    ));
    let gemini = json!({ "contents": [{ "parts": [{ "text": "Hello." }] }] });
    let path = "/v1beta/models/gemini-2:generateContent";
    all.push(("POST", path, "gemini-2".to_owned(), gemini.to_string()));
    let guard = json!({ "text": "Hello." });
    all.push(("POST", "/v1/guard", "a text".to_owned(), guard.to_string()));
    all.push(("GET", "/v1beta/models", "the list".to_owned(), String::new()));
    all
}

#[tokio::test]
async fn who_may_do_what() {
    let bench = Bench::with(Plan {
        settings: settings(),
        ..Plan::default()
    })
    .await;
    let mut table = String::from("# Who may do what: generated by a test, see tests/it/matrix.rs.\n");
    for principal in principals() {
        let _ = write!(table, "\n{}\n", principal.name);
        let (_, key) = bench.store.create_key(principal, 1).await.unwrap();
        bench.services.keyring.refresh().await.unwrap();
        for (method, path, told, body) in requests() {
            bench.script(Script::json("{}"));
            let request = http::Request::builder()
                .method(method)
                .uri(format!("http://{}{path}", bench.address))
                .header("x-api-key", key.expose());
            let request = match method {
                "POST" => request.header("content-type", "application/json"),
                _ => request,
            };
            let sent = bench.received().len();
            let answer = bench
                .send(request.body(Full::new(Bytes::from(body))).unwrap())
                .await;
            let record = bench.record(&answer).await;
            let decision = match answer.status.as_u16() {
                401 => "401".to_owned(),
                403 => format!("403 {}", record.denied_by.join(", ")),
                400 | 404 | 429 | 503 => panic!("{path} {told}: {}", answer.text()),
                _ => "allow".to_owned(),
            };
            let went = bench.received().len() > sent;
            assert_eq!(
                went,
                decision == "allow" && path != "/v1/guard",
                "what is denied goes nowhere: {path} {told}"
            );
            assert!(
                answer.status != 403 || !record.denied_by.is_empty(),
                "{path} {told}: nothing says why"
            );
            for secret in &record.denied_by {
                assert!(
                    !answer.text().contains(secret.as_str()),
                    "the client is told: {secret}"
                );
            }
            let _ = writeln!(table, "  {method:4} {path:40} {told:24} {decision}");
        }
    }
    let place = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/matrix.txt");
    if std::env::var_os("PORTCULLIS_BLESS").is_some() {
        std::fs::write(&place, &table).unwrap();
    }
    let kept = std::fs::read_to_string(&place).unwrap_or_default();
    assert!(
        kept == table,
        "who may do what has changed; PORTCULLIS_BLESS=1 writes {} anew:\n{table}",
        place.display()
    );
}
