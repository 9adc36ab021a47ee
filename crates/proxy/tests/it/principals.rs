//! Who asks: where a key may be used, for what, what its groups say, and that it is seen nowhere.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http_body_util::Full;
use portcullis_core::{Glob, Limits};
use portcullis_policy::Profile;
use portcullis_proxy::{Group, GroupLimit, Groups, Settings};
use portcullis_store::NewKey;

use crate::bench::{Bench, Plan, Script};

const CHAT: &str = "/v1/chat/completions";
const BODY: &str = r#"{"model":"gpt-4o","messages":[{"role":"user","content":"Hello."}]}"#;

fn reply() -> Script {
    Script::json(
        r#"{"id":"c","object":"chat.completion","choices":[{"index":0,"finish_reason":"stop","message":{"role":"assistant","content":"Hi."}}]}"#,
    )
}

async fn with(key: NewKey) -> Bench {
    Bench::with(Plan {
        key,
        ..Plan::default()
    })
    .await
}

#[tokio::test]
async fn a_key_works_from_its_networks_alone() {
    let from = async |networks: &[&str]| {
        let key = NewKey {
            networks: networks.iter().map(|text| text.parse().unwrap()).collect(),
            ..NewKey::named("test")
        };
        let bench = with(key).await;
        bench.script(reply());
        let answer = bench.post(CHAT, BODY).await;
        let record = bench.record(&answer).await;
        assert_eq!(record.key, Some(bench.key_id.clone()), "the record has the key");
        bench.services.keyring.save_uses(true).await.unwrap();
        let used = bench.store.keys().await.unwrap()[0].used_ms.is_some();
        assert_eq!(used, answer.status == 200, "what is refused is no use");
        (answer.status.as_u16(), answer.code())
    };
    assert_eq!(from(&["10.0.0.0/8", "127.0.0.0/8"]).await.0, 200);
    assert_eq!(
        from(&["10.0.0.0/8", "::1"]).await,
        (401, "unauthenticated".to_owned())
    );
}

#[tokio::test]
async fn a_key_may_use_its_endpoints_only() {
    let key = NewKey {
        endpoints: vec![Glob::new("/v1/chat/*"), Glob::new("/v1/models")],
        ..NewKey::named("test")
    };
    let bench = with(key).await;
    bench.script(reply());
    assert_eq!(bench.post(CHAT, BODY).await.status, 200);
    for (path, body) in [
        ("/v1/completions", r#"{"model":"gpt-4o","prompt":"Hello."}"#),
        ("/v1/guard", r#"{"text":"Hello.","direction":"output"}"#),
        ("/v1/guard", r#"{"text":"Hello."}"#),
        (
            "/v1beta/models/gemini-2:countTokens",
            r#"{"contents":[{"parts":[{"text":"Hello."}]}]}"#,
        ),
    ] {
        let answer = bench.post(path, body).await;
        assert_eq!(
            (answer.status.as_u16(), answer.text().contains("endpoint")),
            (403, true),
            "{path}"
        );
    }
    assert_eq!(bench.received().len(), 1);
}

fn globs(all: &[&str]) -> Vec<Glob> {
    all.iter().map(|glob| Glob::new(glob)).collect()
}

fn ann() -> NewKey {
    NewKey {
        team: Some("free".to_owned()),
        user: Some("ann".to_owned()),
        ..NewKey::named("test")
    }
}

#[tokio::test]
async fn what_is_said_of_a_group_holds_for_its_keys() {
    let mut settings = Settings::default();
    let team = Group {
        org: Some("acme".to_owned()),
        models: globs(&["gpt-*"]),
        ..Group::default()
    };
    let org = Group {
        profile: Some("strict".to_owned()),
        endpoints: globs(&["/v1/chat/*", "/v1/models"]),
        ..Group::default()
    };
    settings.groups = Groups {
        teams: [("free".to_owned(), Arc::new(team))].into(),
        orgs: [("acme".to_owned(), Arc::new(org))].into(),
        ..Groups::default()
    };
    settings.profiles.push(Profile {
        name: "strict".into(),
        ..Profile::default()
    });
    let bench = Bench::with(Plan {
        key: ann(),
        settings,
        ..Plan::default()
    })
    .await;
    bench.script(reply());
    let answer = bench.post(CHAT, BODY).await;
    assert_eq!(answer.status, 200);
    let record = bench.record(&answer).await;
    assert_eq!(
        (
            record.org.as_deref(),
            record.user.as_deref(),
            record.profile.as_deref()
        ),
        (Some("acme"), Some("ann"), Some("strict"))
    );
    for (path, body, denied_by) in [
        (CHAT, BODY.replace("gpt-4o", "o3"), "teams.free.models"),
        (
            "/v1/completions",
            r#"{"model":"gpt-4o","prompt":"Hello."}"#.to_owned(),
            "orgs.acme.endpoints",
        ),
    ] {
        let answer = bench.post(path, body).await;
        assert_eq!(
            (answer.status.as_u16(), answer.code().as_str()),
            (403, "forbidden")
        );
        assert!(!answer.text().contains("acme") && !answer.text().contains("free"));
        assert_eq!(bench.record(&answer).await.denied_by, [denied_by]);
    }
    // A list of models has those that it may name.
    bench.script(Script::json(
        r#"{"models":[{"name":"models/gemini-2"},{"name":"models/parameter"}]}"#,
    ));
    let key = NewKey {
        models: globs(&["gemini-*"]),
        ..NewKey::named("lister")
    };
    let (_, text) = bench.store.create_key(key, 1).await.unwrap();
    bench.services.keyring.refresh().await.unwrap();
    let request = http::Request::builder()
        .uri(format!("http://{}/v1beta/models", bench.address))
        .header("x-goog-api-key", text.expose());
    let listed = bench.send(request.body(Full::default()).unwrap()).await;
    assert!(
        listed.text().contains("gemini-2") && !listed.text().contains("parameter"),
        "{}",
        listed.text()
    );
}

fn rpm(limit: GroupLimit, rpm: u32) -> Settings {
    Settings {
        limits: vec![GroupLimit {
            limits: Limits {
                rpm: Some(rpm),
                ..Limits::default()
            },
            ..limit
        }],
        ..Settings::default()
    }
}

/// Sends so many requests for each model with each key; tells how many were let in.
async fn let_in(settings: Settings, keys: &[NewKey], models: &[&str], each: usize) -> usize {
    let bench = Bench::with(Plan {
        settings,
        ..Plan::default()
    })
    .await;
    let mut count = 0;
    for key in keys {
        let (_, text) = bench.store.create_key(key.clone(), 1).await.unwrap();
        bench.services.keyring.refresh().await.unwrap();
        for model in models {
            for _ in 0..each {
                bench.script(reply());
                let request = http::Request::builder()
                    .method("POST")
                    .uri(format!("http://{}{CHAT}", bench.address))
                    .header("content-type", "application/json")
                    .header("x-api-key", text.expose());
                let body = BODY.replace("gpt-4o", model);
                let answer = bench
                    .send(request.body(Full::new(Bytes::from(body))).unwrap())
                    .await;
                match answer.status.as_u16() {
                    200 => count += 1,
                    429 => assert_eq!(answer.code(), "rate_limited"),
                    other => panic!("{other}: {}", answer.text()),
                }
            }
        }
    }
    count
}

#[tokio::test]
async fn a_limit_is_shared_by_those_it_names_and_is_each_ones_own_under_a_star() {
    let key = |name: &str, team: &str, user: &str| NewKey {
        team: Some(team.to_owned()),
        user: Some(user.to_owned()),
        ..NewKey::named(name)
    };
    let keys = [
        key("a", "free", "ann"),
        key("b", "free", "bob"),
        key("c", "paid", "ann"),
    ];
    let glob = |text: &str| Some(Glob::new(text));
    let of = |limit: GroupLimit| rpm(limit, 1);
    // Of 3 keys × 2 models × 2 requests, with one request a minute for each meter.
    for (limit, expected) in [
        (GroupLimit::default(), 1),
        (
            GroupLimit {
                team: glob("free"),
                ..GroupLimit::default()
            },
            1 + 4,
        ),
        (
            GroupLimit {
                team: glob("*"),
                ..GroupLimit::default()
            },
            2,
        ),
        (
            GroupLimit {
                user: glob("*"),
                ..GroupLimit::default()
            },
            2,
        ),
        (
            GroupLimit {
                team: glob("free"),
                user: glob("*"),
                ..GroupLimit::default()
            },
            2 + 4,
        ),
        (
            GroupLimit {
                key: glob("*"),
                ..GroupLimit::default()
            },
            3,
        ),
        (
            GroupLimit {
                model: glob("gpt-4o"),
                ..GroupLimit::default()
            },
            1 + 6,
        ),
        (
            GroupLimit {
                model: glob("*"),
                ..GroupLimit::default()
            },
            1,
        ),
        (
            GroupLimit {
                user: glob("*"),
                model: glob("o3"),
                ..GroupLimit::default()
            },
            2 + 6,
        ),
    ] {
        let told = format!("{limit:?}");
        assert_eq!(
            let_in(of(limit), &keys, &["gpt-4o", "o3"], 2).await,
            expected,
            "{told}"
        );
    }
}

/// `fast`, which its upstream knows as `llama`.
fn fast() -> portcullis_proxy::Route {
    portcullis_proxy::Route {
        matches: Glob::new("fast"),
        upstream: "openai".to_owned(),
        renamed: Some("llama".to_owned()),
        fallback: Vec::new(),
        price: None,
        size: portcullis_proxy::ModelSize::default(),
    }
}

#[tokio::test]
async fn a_models_limit_holds_under_every_name_of_the_model() {
    let mut settings = rpm(
        GroupLimit {
            model: Some(Glob::new("llama")),
            ..GroupLimit::default()
        },
        1,
    );
    settings.routes.push(fast());
    assert_eq!(
        let_in(settings, &[NewKey::named("a")], &["fast", "llama"], 2).await,
        1
    );
}

#[tokio::test]
async fn a_place_under_a_models_limit_is_freed_with_the_request() {
    let mut settings = rpm(
        GroupLimit {
            model: Some(Glob::new("gpt-*")),
            ..GroupLimit::default()
        },
        1000,
    );
    settings.limits[0].limits.concurrency = Some(1);
    let bench = Bench::with(Plan {
        settings,
        ..Plan::default()
    })
    .await;
    for _ in 0..3 {
        bench.script(reply());
        let answer = bench.post(CHAT, BODY).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("x-ratelimit-limit-requests"), "1000");
    }
}

/// What is logged, at every level and by every crate.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// A key that is shown in whatever place, let in or not, is seen in no record, metric, answer, request to a provider or line of the log.
#[tokio::test]
async fn a_key_leaves_no_trace() {
    let log = Log::default();
    let lines = log.clone();
    // For the whole process: tasks of other threads log as well.
    tracing_subscriber::fmt()
        .with_max_level(tracing_subscriber::filter::LevelFilter::TRACE)
        .with_ansi(false)
        .with_writer(move || lines.clone())
        .init();
    let bench = with(NewKey::named("test")).await;
    let key = bench.key.expose().clone();
    let pepper = bench.store.pepper().await.unwrap();
    let hash = pepper.hash(&key).0;
    let hexadecimal: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    let mut wrong = key.clone();
    wrong.pop();
    wrong.push(if key.ends_with('0') { '1' } else { '0' });

    let mut seen: Vec<String> = Vec::new();
    let headers = [
        "authorization",
        "x-api-key",
        "x-goog-api-key",
        "user-agent",
        "openai-organization",
        "x-request-id",
        "anthropic-beta",
        "cookie",
        "x-anything",
    ];
    let mut let_in = 0;
    for shown in [&key, &wrong] {
        for header in headers {
            for bearer in ["", "Bearer ", "Basic "] {
                let request = http::Request::builder()
                    .method("POST")
                    .uri(format!("http://{}{CHAT}", bench.address))
                    .header("content-type", "application/json")
                    .header(header, format!("{bearer}{shown}"));
                bench.script(reply());
                let answer = bench
                    .send(request.body(Full::new(Bytes::from(BODY))).unwrap())
                    .await;
                let_in += u32::from(answer.status == 200);
                seen.push(format!("{:?} {}", answer.headers, answer.text()));
                seen.push(serde_json::to_string(&bench.record(&answer).await).unwrap());
            }
        }
    }
    assert_eq!(let_in, 3, "as a bearer, and bare in the two other headers");
    for (path, body) in [
        (format!("/v1/{key}"), BODY.to_owned()),
        (CHAT.to_owned(), format!("{{\"{key}\"")),
        (CHAT.to_owned(), BODY.replace("gpt-4o", "gpt-\u{0}")),
        (format!("{CHAT}?key={key}"), BODY.to_owned()),
    ] {
        let answer = bench.post(&path, body).await;
        seen.push(format!("{:?} {}", answer.headers, answer.text()));
        seen.push(serde_json::to_string(&bench.record(&answer).await).unwrap());
    }
    seen.push(bench.server.metrics());
    for received in bench.received() {
        seen.push(format!(
            "{} {:?} {:?}",
            received.path, received.headers, received.body
        ));
    }
    let logged = String::from_utf8_lossy(&log.0.lock().unwrap()).into_owned();
    assert!(
        logged.contains("a credential was refused") && logged.contains("TRACE"),
        "nothing was captured: {logged}"
    );
    seen.extend(logged.lines().map(str::to_owned));
    assert!(seen.len() > 100);
    for text in &seen {
        for secret in [&key, &wrong, &hexadecimal] {
            assert!(!text.contains(secret.as_str()), "{text}");
        }
        assert!(!text.contains(key.get(7..39).unwrap()), "{text}");
    }
}

/// A list of models is what may be asked: what the upstream has and the gateway routes there, and what the gateway calls otherwise.
#[tokio::test]
async fn a_list_of_models_has_what_the_key_may_ask() {
    let list = r#"{"object":"list","data":[{"id":"gpt-4o","object":"model","created":7,"owned_by":"openai"},{"id":"o3","object":"model","created":7,"owned_by":"openai"},{"id":"llama","object":"model","created":7,"owned_by":"me"}]}"#;
    for (models, expected) in [
        (globs(&[]), vec!["gpt-4o", "o3", "llama", "fast"]),
        (globs(&["gpt-*", "fast"]), vec!["gpt-4o", "fast"]),
        (globs(&["claude-*"]), vec![]),
    ] {
        let mut settings = Settings::default();
        settings.routes.push(fast());
        let bench = Bench::with(Plan {
            settings,
            key: NewKey {
                models,
                ..NewKey::named("test")
            },
            ..Plan::default()
        })
        .await;
        bench.script(Script::json(list));
        let answer = bench.get("/v1/models").await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let body: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
        let data = body["data"].as_array().unwrap();
        let names: Vec<&str> = data.iter().filter_map(|model| model["id"].as_str()).collect();
        assert_eq!(names, expected);
        assert!(data.iter().all(|model| model["object"] == "model"));
    }
}
