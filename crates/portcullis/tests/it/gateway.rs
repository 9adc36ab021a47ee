//! The real program, serving with a configuration of its own in a temporary folder, ended when dropped.

use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// A gateway before one upstream that speaks every dialect.
pub struct Gateway {
    /// Where clients reach it.
    pub url: String,
    child: Child,
    folder: TempDir,
}

impl Gateway {
    /// Starts one and waits until it is ready.
    pub fn before(upstream: SocketAddr, upstream_key: &str) -> Gateway {
        Gateway::on("sqlite:state.db", None, upstream, upstream_key)
    }

    /// The same with its state elsewhere, and the signing key of another.
    pub fn on(state: &str, signing_key: Option<&Path>, upstream: SocketAddr, upstream_key: &str) -> Gateway {
        Gateway::with(state, signing_key, upstream, upstream_key, "", "")
    }

    /// The same with more settings, and with more models before the others.
    pub fn with(
        state: &str,
        signing_key: Option<&Path>,
        upstream: SocketAddr,
        upstream_key: &str,
        settings: &str,
        models: &str,
    ) -> Gateway {
        let folder = tempfile::tempdir().unwrap();
        if let Some(key) = signing_key {
            fs::copy(key, folder.path().join("audit.key")).unwrap();
        }
        let (port, admin) = (free_port(), free_port());
        fs::write(folder.path().join("state.url"), state).unwrap();
        let configuration = configuration(port, admin, upstream, settings, models);
        fs::write(folder.path().join("portcullis.yaml"), configuration).unwrap();
        let log = fs::File::create(folder.path().join("log")).unwrap();
        let mut command = program(&folder);
        let child = command
            .args(["serve", "--config", "portcullis.yaml"])
            .env("TEST_UPSTREAM_KEY", upstream_key)
            .stdout(Stdio::from(log.try_clone().unwrap()))
            .stderr(Stdio::from(log))
            .spawn()
            .unwrap();
        let mut gateway = Gateway {
            url: format!("http://127.0.0.1:{port}"),
            child,
            folder,
        };
        gateway.wait_until_ready(port);
        gateway
    }

    /// Makes an API key with the command line, as an operator does, while the gateway runs.
    pub fn key(&self, name: &str, more: &[&str]) -> String {
        let mut command = program(&self.folder);
        command
            .args(["key", "create", "--config", "portcullis.yaml", "--name", name])
            .args(more);
        let output = command
            .env("TEST_UPSTREAM_KEY", "not needed here")
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        let key = String::from_utf8(output.stdout).unwrap().trim_end().to_owned();
        // A key made by another process is known within two seconds.
        let begun = Instant::now();
        while self.status_with(&key) == 401 {
            assert!(
                begun.elapsed() < Duration::from_secs(30),
                "the key {name} never became known"
            );
            std::thread::sleep(Duration::from_millis(50));
        }
        key
    }

    /// The key that signs its audit log.
    pub fn signing_key(&self) -> PathBuf {
        self.folder.path().join("audit.key")
    }

    /// Runs a command beside it: its status and what it printed.
    pub fn command(&self, words: &[&str]) -> (i32, String) {
        let mut command = program(&self.folder);
        let (first, rest) = words.split_first().unwrap();
        let output = command
            .arg("--config")
            .arg("portcullis.yaml")
            .arg(first)
            .args(rest)
            .env("TEST_UPSTREAM_KEY", "not needed here")
            .output()
            .unwrap();
        let printed = [output.stdout, output.stderr].concat();
        (
            output.status.code().unwrap_or(-1),
            String::from_utf8_lossy(&printed).into_owned(),
        )
    }

    /// The status of a GET.
    pub fn get(&self, path: &str, key: &str) -> u16 {
        let headers = format!("authorization: Bearer {key}\r\n");
        status(self.port(), "GET", path, &headers, "").unwrap_or(0)
    }

    /// The status of a question to the model.
    pub fn ask(&self, key: &str) -> u16 {
        self.ask_this(
            key,
            r#"{"model":"gpt-4o","messages":[{"role":"user","content":"Say hello."}]}"#,
        )
    }

    /// The status of such a body.
    pub fn ask_this(&self, key: &str, body: &str) -> u16 {
        let headers = format!(
            "authorization: Bearer {key}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n",
            body.len()
        );
        status(self.port(), "POST", "/v1/chat/completions", &headers, body).unwrap_or(0)
    }

    fn port(&self) -> u16 {
        self.url.rsplit(':').next().unwrap().parse().unwrap()
    }

    /// Waits for what must come true; a minute is far more than it takes anywhere.
    pub fn until(&self, what: &str, mut come_true: impl FnMut(&Gateway) -> bool) {
        let begun = Instant::now();
        while !come_true(self) {
            assert!(
                begun.elapsed() < Duration::from_secs(60),
                "{what}\n{}",
                self.log()
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Kills it at once, as the machine's end would.
    pub fn kill(&self) {
        let pid = self.child.id().to_string();
        let done = Command::new("kill").args(["-KILL", &pid]).status();
        assert!(done.unwrap().success());
    }

    /// The log so far.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    fn wait_until_ready(&mut self, port: u16) {
        let begun = Instant::now();
        while status(port, "GET", "/readyz", "", "") != Some(200) {
            let ended = self.child.try_wait().unwrap();
            assert!(
                ended.is_none(),
                "the gateway ended at once: {ended:?}\n{}",
                self.log()
            );
            assert!(
                begun.elapsed() < Duration::from_secs(60),
                "the gateway never became ready\n{}",
                self.log()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// The status of a request that costs nothing: an unknown path is told only to those who are known.
    fn status_with(&self, key: &str) -> u16 {
        self.get("/v1/models", key)
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// The program under test, in an environment that holds nothing of the machine's.
fn program(folder: &TempDir) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_portcullis"));
    command
        .current_dir(folder.path())
        .env_clear()
        .env("HOME", folder.path());
    command
}

fn configuration(port: u16, admin: u16, upstream: SocketAddr, settings: &str, more_models: &str) -> String {
    let mut text = format!(
        "listen: 127.0.0.1:{port}\nadmin: {{ listen: 127.0.0.1:{admin} }}\nstate: file:state.url\n\
         audit: {{ signing_key: file:audit.key }}\n{settings}upstreams:\n"
    );
    let routes = [
        ("openai", "/v1", "gpt-*"),
        ("anthropic", "", "claude-*"),
        ("gemini", "", "gemini-*"),
    ];
    for (dialect, base, _) in routes {
        let at = format!("url: \"http://{upstream}{base}\", key: env:TEST_UPSTREAM_KEY");
        writeln!(text, "  {dialect}: {{ dialect: {dialect}, {at} }}").unwrap();
    }
    // A key is asked for again and again until it is known: so long, it is a wrong one.
    text.push_str("identity: { guesses: { per_minute: 6000, burst: 1000 } }\nmodels:\n");
    text.push_str(more_models);
    let more = [
        ("openai", "", "o4-*"),
        ("openai", "", "text-embedding-*"),
        ("openai", "", "omni-moderation-*"),
    ];
    for (dialect, _, models) in routes.into_iter().chain(more) {
        writeln!(text, "  - {{ match: \"{models}\", upstream: {dialect} }}").unwrap();
    }
    text
}

/// A port that was free a moment ago.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}

/// The status of a request; `None` if nobody answers.
fn status(port: u16, method: &str, path: &str, headers: &str, body: &str) -> Option<u16> {
    let mut socket = TcpStream::connect(("127.0.0.1", port)).ok()?;
    socket.set_read_timeout(Some(Duration::from_secs(10))).ok()?;
    let request =
        format!("{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n{headers}\r\n{body}");
    socket.write_all(request.as_bytes()).ok()?;
    let mut reader = BufReader::new(socket);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let status = line.split(' ').nth(1)?.parse().ok();
    std::io::copy(&mut reader.take(1 << 20), &mut std::io::sink()).ok();
    status
}
