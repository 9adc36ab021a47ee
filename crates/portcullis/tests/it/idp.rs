//! Tokens of a real identity provider (`oidc-provider` for Node.js), shown to the real program.
//!
//! `cargo xtask test` installs the provider; without it these tests fail and say so: they are never skipped.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use portcullis::standin::Standin;
use serde_json::{Value, json};

use crate::serve::{Service, TOKEN};
use crate::standin::started;

/// What the provider knows its client by.
pub const SECRET: &str = "the-secret-of-the-agent-of-the-tests";

/// The provider, ended when dropped.
pub struct Provider {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    /// Who it is.
    pub issuer: String,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()
        .unwrap()
}

/// A Node.js with the packages that tests need, and the folder that they are in, with a script of `tests/node` put beside them.
pub fn node(script: &str) -> (PathBuf, PathBuf) {
    let target = std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| root().join("target"), |folder| root().join(folder));
    let folder = target.join("node");
    assert!(
        folder.join("stamp").exists(),
        "the packages for Node.js are missing: run `cargo xtask setup`"
    );
    std::fs::copy(root().join("tests/node").join(script), folder.join(script)).unwrap();
    // The one that is installed with them; elsewhere than on Linux, the machine's own.
    let own = ["x64", "arm64"].map(|kind| folder.join(format!("node_modules/node-linux-{kind}/bin/node")));
    let node = own.into_iter().find(|node| node.exists());
    (node.unwrap_or_else(|| "node".into()), folder)
}

impl Provider {
    fn start() -> Provider {
        Provider::with_console("http://127.0.0.1:1/login/oidc/callback")
    }

    /// One where people log in for a console that they come back to at this address.
    pub fn with_console(back: &str) -> Provider {
        let (node, folder) = node("idp.mjs");
        let mut child = Command::new(node)
            .arg("idp.mjs")
            .current_dir(&folder)
            .env("IDP_CLIENT_SECRET", SECRET)
            .env("IDP_CONSOLE", back)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut provider = Provider {
            input: child.stdin.take().unwrap(),
            output: BufReader::new(child.stdout.take().unwrap()),
            child,
            issuer: String::new(),
        };
        provider.issuer = provider.told()["issuer"].as_str().unwrap().to_owned();
        provider
    }

    fn told(&mut self) -> Value {
        let mut line = String::new();
        assert!(
            self.output.read_line(&mut line).unwrap() > 0,
            "the identity provider ended"
        );
        serde_json::from_str(&line).unwrap()
    }

    /// Signs with another key from now on.
    fn rotate(&mut self) {
        writeln!(self.input, "rotate").unwrap();
        assert_eq!(self.told()["rotated"], 2);
    }

    /// Seats somebody else at the browser.
    pub fn seat(&mut self, person: &str) {
        writeln!(self.input, "person {person}").unwrap();
        assert_eq!(self.told()["person"], person);
    }

    /// An access token for this resource, by the client's credentials.
    fn token(&self, resource: &str) -> String {
        self.token_of("agent", resource)
    }

    /// One of this client's.
    pub fn token_of(&self, client: &str, resource: &str) -> String {
        let form = format!(
            "grant_type=client_credentials&client_id={client}&client_secret={SECRET}&resource={}",
            resource.replace(':', "%3A")
        );
        let host = self.issuer.strip_prefix("http://").unwrap();
        let headers = "content-type: application/x-www-form-urlencoded\r\n";
        let answer = exchange(host, "POST", "/token", headers, &form);
        assert_eq!(answer.status, 200, "{}", answer.body);
        let body: Value = serde_json::from_str(&answer.body).unwrap();
        body["access_token"].as_str().unwrap().to_owned()
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

pub struct Answer {
    pub status: u16,
    /// In lower case.
    pub head: String,
    pub body: String,
    /// As it was.
    pub lines: Vec<String>,
}

pub fn exchange(host: &str, method: &str, path: &str, headers: &str, body: &str) -> Answer {
    let mut socket = TcpStream::connect(host).unwrap();
    write!(
        socket,
        "{method} {path} HTTP/1.1\r\nhost: {host}\r\n{headers}content-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    Answer {
        status: head.split(' ').nth(1).unwrap().parse().unwrap(),
        head: head.to_ascii_lowercase(),
        lines: head.lines().map(str::to_owned).collect(),
        body: body.to_owned(),
    }
}

fn gateway(issuer: &str, model: SocketAddr) -> Service {
    let configuration = format!(
        "listen: 127.0.0.1:0\nadmin: {{ listen: 127.0.0.1:0, token: env:ADMIN_TOKEN }}\n\
         upstreams: {{ local: {{ dialect: openai, url: \"http://{model}/v1\" }} }}\n\
         models: [{{ match: \"*\", upstream: local }}]\n\
         limits: [{{ for: {{ team: free }}, rpm: 10000 }}]\n\
         identity:\n  resource: https://gateway.example.com\n\
         \x20 guesses: {{ per_minute: 1, burst: 5 }}\n\
         \x20 jwt: [{{ issuer: \"{issuer}\", audience: portcullis, team: groups }}]\n"
    );
    Service::with(tempfile::tempdir().unwrap(), &configuration)
}

fn ask(service: &Service, token: &str) -> Answer {
    let headers = format!("authorization: Bearer {token}\r\ncontent-type: application/json\r\n");
    let body = json!({ "model": "gpt-test", "messages": [{ "role": "user", "content": "Hello" }] });
    exchange(
        &service.data,
        "POST",
        "/v1/chat/completions",
        &headers,
        &body.to_string(),
    )
}

/// The record of the only request so far that was let in.
fn recorded(service: &Service) -> Value {
    let begun = Instant::now();
    loop {
        let headers = format!("authorization: Bearer {TOKEN}\r\n");
        let answer = exchange(&service.admin, "GET", "/api/v1/events", &headers, "");
        let told: Value = serde_json::from_str(&answer.body).unwrap();
        let events = told["events"].as_array().unwrap();
        if let Some(event) = events.iter().find(|event| event["record"]["key"].is_string()) {
            return event["record"].clone();
        }
        assert!(
            begun.elapsed() < Duration::from_secs(30),
            "never recorded: {told}"
        );
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn tokens_of_a_real_provider(model: SocketAddr) {
    let mut provider = Provider::start();
    let service = gateway(&provider.issuer, model);
    let first = ask(&service, &provider.token("urn:portcullis"));
    assert_eq!(first.status, 200, "{}", first.body);
    let record = recorded(&service);
    assert_eq!(
        record["team"], "free",
        "of two groups, the one that a limit is for: {record}"
    );
    assert!(record["key"].as_str().unwrap().starts_with("jwt_"), "{record}");
    assert!(!record.to_string().contains("eyJ"), "{record}");

    // A token for somebody else, and none: the same answer, which says where tokens come from.
    let elsewhere = ask(&service, &provider.token("urn:other"));
    let nobody = exchange(&service.data, "POST", "/v1/chat/completions", "", "{}");
    let plain = |answer: &Answer| {
        let mut body: Value = serde_json::from_str(&answer.body).unwrap();
        for place in [&["request_id"][..], &["error", "request_id"]] {
            if let Some(id) = place
                .iter()
                .try_fold(&mut body, |value, name| value.get_mut(name))
            {
                *id = Value::Null;
            }
        }
        body
    };
    assert_eq!((elsewhere.status, nobody.status), (401, 401));
    assert_eq!(plain(&elsewhere), plain(&nobody));
    let well_known = "/.well-known/oauth-protected-resource";
    assert!(
        elsewhere.head.contains(&format!(
            "resource_metadata=\"https://gateway.example.com{well_known}\""
        )),
        "{}",
        elsewhere.head
    );
    let about = exchange(&service.data, "GET", well_known, "", "");
    let about: Value = serde_json::from_str(&about.body).unwrap();
    assert_eq!(about["resource"], "https://gateway.example.com");
    assert_eq!(about["authorization_servers"], json!([provider.issuer]));
    let endpoint = format!("{well_known}/v1/chat/completions");
    let about = exchange(&service.data, "GET", &endpoint, "", "");
    let about: Value = serde_json::from_str(&about.body).unwrap();
    assert_eq!(
        about["resource"],
        "https://gateway.example.com/v1/chat/completions"
    );
    for path in ["/v1/nothing", "x", "//evil.example.com"] {
        assert_eq!(
            exchange(&service.data, "GET", &format!("{well_known}{path}"), "", "").status,
            404,
            "{path}"
        );
    }

    // Another key, by another algorithm: it is fetched when it is first seen.
    provider.rotate();
    assert_eq!(ask(&service, &provider.token("urn:portcullis")).status, 200);
    // The provider is gone: what is known stays known, also for tokens that were never shown.
    let unseen = provider.token("urn:portcullis");
    drop(provider);
    assert_eq!(ask(&service, &unseen).status, 200);

    // Who guesses is told to wait, and whoever is right is let in all the same.
    let mut forged = unseen.clone();
    forged.truncate(forged.len() - 8);
    forged.push_str("AAAAAAAA");
    let guesses: Vec<u16> = (0..8).map(|_| ask(&service, &forged).status).collect();
    assert_eq!(
        guesses,
        [401, 401, 401, 401, 429, 429, 429, 429],
        "one guess of five was made above"
    );
    let waiting = ask(&service, &forged);
    assert!(
        waiting.head.contains("retry-after: ") && waiting.body.contains("rate_limited"),
        "{}",
        waiting.body
    );
    assert_eq!(ask(&service, &unseen).status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokens_of_a_real_identity_provider() {
    let model = started(Standin::new()).await;
    tokio::task::spawn_blocking(move || tokens_of_a_real_provider(model))
        .await
        .unwrap();
}
