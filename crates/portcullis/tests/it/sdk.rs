//! The providers' official clients, against the stand-in model itself and through the real gateway.
//!
//! The scripts are in `tests/sdk`. `cargo xtask test` makes the Python environment that they run in; without it these
//! tests fail and say so: they are never skipped.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use portcullis::standin::{Received, Standin};

use crate::gateway::Gateway;
use crate::standin::started;

/// The key that only the gateway and the stand-in know.
const UPSTREAM_KEY: &str = "the-upstream-key-of-the-tests";

/// What a client sends or is told in the scripts, and the model must never be sent.
const NEVER_UPSTREAM: &[&str] = &[
    "4111 1111 1111 1111",
    "anna.kowalska@example.com",
    "bob.of.the.client@example.org",
    "Ignore all previous instructions",
    "\"portcullis\"",
];

pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()
        .unwrap()
}

pub fn python() -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| root().join("target"), |folder| root().join(folder));
    let python = target.join("sdk-venv/bin/python");
    assert!(
        python.exists(),
        "the clients' environment is missing: run `cargo xtask setup`"
    );
    python
}

/// Runs a script to its end in an environment that holds nothing but what is given here.
async fn run(script: &str, url: String, variables: Vec<(&'static str, String)>) {
    let path = root().join("tests/sdk").join(script);
    let output = tokio::task::spawn_blocking(move || {
        Command::new(python())
            .arg("-B")
            .arg(path)
            .env_clear()
            .env("PORTCULLIS_TEST_URL", url)
            .envs(variables)
            .output()
            .unwrap()
    });
    let output = output.await.unwrap();
    let told =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{script}: {}\n{told}", output.status);
    assert!(told.contains("cases hold"), "{script} ended early:\n{told}");
}

async fn against_the_stand_in(script: &str) {
    let address = started(Standin::new().expecting_key(UPSTREAM_KEY)).await;
    run(
        script,
        format!("http://{address}"),
        vec![("PORTCULLIS_TEST_KEY", UPSTREAM_KEY.to_owned())],
    )
    .await;
}

async fn through_the_gateway(script: &str) {
    let model = Standin::new().expecting_key(UPSTREAM_KEY);
    let address = started(model.clone()).await;
    let gateway = tokio::task::spawn_blocking(move || Gateway::before(address, UPSTREAM_KEY))
        .await
        .unwrap();
    let (key, limited) = (
        gateway.key("client", &[]),
        gateway.key("limited", &["--rpm", "1"]),
    );
    let variables = vec![
        ("PORTCULLIS_TEST_KEY", key.clone()),
        ("PORTCULLIS_TEST_LIMITED_KEY", limited.clone()),
        ("PORTCULLIS_TEST_GUARDED", "1".to_owned()),
    ];
    run(script, gateway.url.clone(), variables).await;
    let received = model.received();
    assert!(!received.is_empty());
    for forbidden in NEVER_UPSTREAM
        .iter()
        .copied()
        .chain([key.as_str(), limited.as_str()])
    {
        for request in &received {
            assert!(
                !told(request).contains(forbidden),
                "{forbidden} went upstream on {}",
                request.path
            );
        }
    }
}

/// All that a request told the model: its path, headers and body.
fn told(request: &Received) -> String {
    format!(
        "{} {:?} {}",
        request.path,
        request.headers,
        String::from_utf8_lossy(&request.body)
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn openai_against_the_stand_in() {
    against_the_stand_in("openai_client.py").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn anthropic_against_the_stand_in() {
    against_the_stand_in("anthropic_client.py").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gemini_against_the_stand_in() {
    against_the_stand_in("gemini_client.py").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn openai_through_the_gateway() {
    through_the_gateway("openai_client.py").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn anthropic_through_the_gateway() {
    through_the_gateway("anthropic_client.py").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gemini_through_the_gateway() {
    through_the_gateway("gemini_client.py").await;
}

/// A model of the tests' own, ended when dropped.
struct Obedient(Child, SocketAddr);

impl Obedient {
    fn started() -> Obedient {
        let mut child = Command::new(python())
            .arg("-B")
            .arg(root().join("tests/sdk/tools_model.py"))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut port = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut port)
            .unwrap();
        let port: u16 = port.trim().parse().unwrap();
        Obedient(child, SocketAddr::from(([127, 0, 0, 1], port)))
    }
}

impl Drop for Obedient {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_tool_result_asks_for_is_not_called_by_any_client() {
    let model = Obedient::started();
    let address = model.1;
    let gateway = tokio::task::spawn_blocking(move || Gateway::before(address, UPSTREAM_KEY))
        .await
        .unwrap();
    let key = gateway.key("agent", &[]);
    run(
        "tools_client.py",
        gateway.url.clone(),
        vec![("PORTCULLIS_TEST_KEY", key)],
    )
    .await;
}
