//! `serve` as a service: signals, reload, and the operators' side beside it.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, ChildStderr, Command, Stdio};

use tempfile::TempDir;

pub const TOKEN: &str = "an-admin-token-of-the-tests";

/// A gateway without an upstream, its log line by line.
pub struct Service {
    child: Child,
    log: BufReader<ChildStderr>,
    /// Where its configuration and its state are.
    pub folder: TempDir,
    /// Address and port of the data plane.
    pub data: String,
    /// Address and port of the operators' side.
    pub admin: String,
}

fn configuration(more: &str) -> String {
    format!("listen: 127.0.0.1:0\nadmin: {{ listen: 127.0.0.1:0, token: env:ADMIN_TOKEN }}\n{more}")
}

impl Service {
    fn start() -> Service {
        Service::with(tempfile::tempdir().unwrap(), &configuration(""))
    }

    /// One with this configuration, in this folder.
    pub fn with(folder: TempDir, configuration: &str) -> Service {
        fs::write(folder.path().join("portcullis.yaml"), configuration).unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_portcullis"))
            .arg("serve")
            .current_dir(folder.path())
            .env_clear()
            .env("ADMIN_TOKEN", TOKEN)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let log = BufReader::new(child.stderr.take().unwrap());
        let mut service = Service {
            child,
            log,
            folder,
            data: String::new(),
            admin: String::new(),
        };
        let address = |line: String| {
            line.rsplit("://")
                .next()
                .unwrap()
                .split_whitespace()
                .next()
                .unwrap()
                .to_owned()
        };
        service.data = address(service.until("gateway on http"));
        service.admin = address(service.until("metrics on http"));
        service
    }

    /// Reads the log up to the line that holds `words`.
    pub fn until(&mut self, words: &str) -> String {
        let mut told = String::new();
        loop {
            let mut line = String::new();
            assert!(self.log.read_line(&mut line).unwrap() > 0, "it ended:\n{told}");
            if line.contains(words) {
                return line.trim_end().to_owned();
            }
            told.push_str(&line);
        }
    }

    fn configure(&mut self, more: &str) {
        fs::write(self.folder.path().join("portcullis.yaml"), configuration(more)).unwrap();
        self.signal("-HUP");
    }

    fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        assert!(
            Command::new("kill")
                .args([name, &pid])
                .status()
                .unwrap()
                .success()
        );
    }

    fn in_force(&self) -> serde_json::Value {
        let (_, body) = get(
            &self.admin,
            "/api/v1/config",
            &format!("authorization: Bearer {TOKEN}\r\n"),
        );
        serde_json::from_str(&body).unwrap()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Status and body.
fn get(host: &str, path: &str, headers: &str) -> (u16, String) {
    let mut socket = TcpStream::connect(host).unwrap();
    write!(
        socket,
        "GET {path} HTTP/1.1\r\nhost: {host}\r\n{headers}connection: close\r\n\r\n"
    )
    .unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

#[test]
fn it_serves_reloads_keeps_what_it_had_on_an_error_and_drains() {
    let mut service = Service::start();
    assert_eq!(get(&service.data, "/healthz", "").0, 200);
    assert_eq!(get(&service.data, "/readyz", "").0, 200);
    assert_eq!(get(&service.admin, "/healthz", "").0, 200);
    assert_eq!(get(&service.admin, "/metrics", "").0, 401);
    assert_eq!(get(&service.data, "/nothing", "").0, 404);
    assert_eq!(get(&service.data, "/v1/models", "").0, 401);

    service.configure("profiles: { default: { mode: observe } }\n");
    service.until("configuration reloaded");
    assert_eq!(service.in_force()["profiles"]["default"]["mode"], "observe");

    service.configure("profiles: { default: { mode: observ } }\n");
    service.until("NOT reloaded");
    let told = service.until("profiles.default.mode");
    assert!(told.contains("portcullis.yaml:3:30: "), "{told}");
    assert_eq!(service.in_force()["profiles"]["default"]["mode"], "observe");

    service.configure("state: sqlite:other.db\n");
    service.until("take a restart");
    service.until("configuration reloaded");

    service.signal("-TERM");
    service.until("draining");
    assert!(service.child.wait().unwrap().success());
    let mut out = String::new();
    service
        .child
        .stdout
        .take()
        .unwrap()
        .read_to_string(&mut out)
        .unwrap();
    assert!(
        out.is_empty(),
        "the token is the operator's own, so none is printed: {out}"
    );
}

#[test]
fn an_address_that_is_taken_is_told_in_one_line() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let address = taken.local_addr().unwrap();
    fs::write(
        folder.path().join("portcullis.yaml"),
        format!("listen: {address}\n"),
    )
    .unwrap();
    let ran = Command::new(env!("CARGO_BIN_EXE_portcullis"))
        .arg("serve")
        .current_dir(folder.path())
        .output()
        .unwrap();
    let told = String::from_utf8(ran.stderr).unwrap();
    assert_eq!(ran.status.code(), Some(1));
    assert!(
        told.lines().count() == 1 && told.starts_with(&format!("error: cannot listen on {address}")),
        "{told}"
    );
}
