//! The demo as a newcomer meets it: the printed lines are run and must do what they say.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

struct Demo {
    child: Child,
    told: String,
}

impl Demo {
    fn start() -> Demo {
        let mut command = Command::new(env!("CARGO_BIN_EXE_portcullis"));
        command
            .args(["demo", "--port", "0", "--admin-port", "0"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut told = String::new();
        while !told.contains("Ctrl-C") {
            let line = lines
                .next()
                .unwrap_or_else(|| panic!("it ended:\n{told}"))
                .unwrap();
            told.push_str(&line);
            told.push('\n');
        }
        Demo { child, told }
    }

    /// The rest of the first line that begins with `word`.
    fn after(&self, word: &str) -> &str {
        let mut lines = self
            .told
            .lines()
            .filter_map(|line| line.trim_start().strip_prefix(word));
        lines
            .next()
            .unwrap_or_else(|| panic!("no {word} in\n{}", self.told))
            .trim()
    }

    /// Address and body of the printed `curl` whose prompt holds these words.
    fn line(&self, words: &str) -> String {
        let line = self
            .told
            .lines()
            .find(|line| line.contains("curl") && line.contains(words))
            .unwrap();
        let (_, body) = line.split_once("-d '").unwrap();
        body.strip_suffix('\'').unwrap().to_owned()
    }

    fn ask(&self, words: &str) -> String {
        let host = self
            .after("gateway")
            .split_whitespace()
            .next()
            .unwrap()
            .strip_prefix("http://")
            .unwrap()
            .to_owned();
        let (key, body) = (self.after("API key"), self.line(words));
        let mut socket = TcpStream::connect(&host).unwrap();
        write!(
            socket,
            "POST /v1/chat/completions HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {key}\r\n\
             content-type: application/json\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        )
        .unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).unwrap();
        answer
    }

    /// Runs a command on the demo's state, as its last printed lines do.
    fn beside(&self, args: &[&str]) -> Output {
        let line = self
            .told
            .lines()
            .find(|line| line.contains("audit verify"))
            .unwrap();
        let config = line
            .split_whitespace()
            .skip_while(|word| *word != "--config")
            .nth(1)
            .unwrap();
        Command::new(env!("CARGO_BIN_EXE_portcullis"))
            .args(["--config", config])
            .args(args)
            .output()
            .unwrap()
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn request_id(answer: &str) -> String {
    let line = answer
        .lines()
        .find_map(|line| line.strip_prefix("x-portcullis-request-id: "))
        .unwrap();
    line.trim().to_owned()
}

/// The deltas of a streamed chat completion, put together.
fn said(answer: &str) -> String {
    let events = answer.lines().filter_map(|line| line.strip_prefix("data: {"));
    let delta = |event: &str| {
        let event: serde_json::Value = serde_json::from_str(&format!("{{{event}")).unwrap();
        let text = event.pointer("/choices/0/delta/content");
        text.and_then(serde_json::Value::as_str).map(str::to_owned)
    };
    events.filter_map(delta).collect()
}

#[test]
fn the_printed_lines_do_what_they_say() {
    let demo = Demo::start();
    let plain = demo.ask("Say hello");
    assert!(
        plain.starts_with("HTTP/1.1 200") && plain.contains("hello to the castle"),
        "{plain}"
    );

    let injection = demo.ask("Ignore all previous");
    assert!(
        injection.starts_with("HTTP/1.1 400") && injection.contains("\"code\":\"content_filter\""),
        "{injection}"
    );

    let spelled = demo.ask("Spell: anna");
    assert!(
        spelled.starts_with("HTTP/1.1 200") && spelled.contains("[·E·M·A·I·L·_·A·D·D·R·E·S·S·_·1·_·"),
        "{spelled}"
    );
    assert!(!spelled.contains("a·n·n·a"), "{spelled}");

    let restored = demo.ask("Repeat: write to");
    let said = said(&restored);
    assert_eq!(said, "write to anna@example.com about card 4111 1111 1111 1111.");

    let streamed = demo.ask("customer");
    assert!(
        streamed.contains("text/event-stream") && streamed.contains("data: [DONE]"),
        "{streamed}"
    );
    assert!(
        !streamed.contains("example.com") && !streamed.contains("1111"),
        "{streamed}"
    );

    let id = request_id(&injection);
    let explained = demo.beside(&["explain", &id]);
    let text = String::from_utf8_lossy(&explained.stdout).into_owned();
    assert!(
        text.contains("injection.override") && text.contains("profiles.default.injection.user"),
        "{text}"
    );

    let verified = demo.beside(&["audit", "verify"]);
    assert_eq!(verified.status.code(), Some(0), "{verified:?}");
    let tail = demo.beside(&["audit", "tail", "--json"]);
    assert_eq!(String::from_utf8_lossy(&tail.stdout).lines().count(), 5);

    let folder = demo.after("state").split_whitespace().next().unwrap().to_owned();
    let state = Path::new(&folder).join("portcullis.db");
    edit_a_record(&state);
    assert_eq!(demo.beside(&["audit", "verify"]).status.code(), Some(4));
    demo.beside(&["key", "list"]);

    end(demo, &folder);
}

/// One byte of one record, as somebody with the file would change it: in the write-ahead log and in the database alike.
fn edit_a_record(state: &Path) {
    let mut changed = 0;
    for suffix in ["", "-wal"] {
        let path = format!("{}{suffix}", state.display());
        let Ok(mut bytes) = std::fs::read(&path) else {
            continue;
        };
        let places: Vec<usize> = bytes
            .windows(b"\"status\":400".len())
            .enumerate()
            .filter(|(_, window)| *window == b"\"status\":400")
            .map(|(at, _)| at)
            .collect();
        for at in places {
            bytes[at + b"\"status\":".len()] = b'2';
            changed += 1;
        }
        std::fs::write(&path, bytes).unwrap();
    }
    assert!(changed > 0, "the record is not where it was looked for");
}

/// A signal ends it, and nothing stays behind.
fn end(mut demo: Demo, folder: &str) {
    let pid = demo.child.id().to_string();
    assert!(
        Command::new("kill")
            .args(["-TERM", &pid])
            .status()
            .unwrap()
            .success()
    );
    assert!(demo.child.wait().unwrap().success());
    assert!(!Path::new(folder).exists(), "{folder} is still there");
}
