//! A small HTTP client, so that what is tested is bytes on a socket.

use std::net::SocketAddr;
use std::sync::Arc;

use portcullis_admin::{Console, Operators, Token};
use portcullis_core::Secret;
use portcullis_store::{ApprovalKey, Store};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// The token of the tests.
pub const TOKEN: &str = "the admin token of the tests";

/// What approvals are signed with.
pub const APPROVALS: [u8; 32] = [3; 32];

/// A running operators' side.
pub struct Admin {
    /// Its state.
    pub store: Arc<dyn Store>,
    /// The value behind it.
    pub console: Arc<Console>,
    address: SocketAddr,
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (given, value) = line.split_once(": ")?;
            given.eq_ignore_ascii_case(name).then_some(value)
        })
    }
}

impl Admin {
    /// Starts one on an empty state.
    pub async fn start() -> Admin {
        Admin::of(None).await
    }

    /// Starts one that asks somebody else about operators.
    pub async fn with(operators: impl Operators + 'static) -> Admin {
        Admin::of(Some(Arc::new(operators))).await
    }

    async fn of(operators: Option<Arc<dyn Operators>>) -> Admin {
        let store = portcullis_store::open("sqlite::memory:").await.unwrap();
        let effective = json!({ "listen": "127.0.0.1:8080", "profiles": { "closed": {} }, "tools": { "crm-agent": { "file": "crm-agent.yaml" } } });
        let token = Token::new(Secret::new(TOKEN.to_owned()));
        let metrics = || "portcullis_requests_total 7\n# EOF\n".to_owned();
        let mut console = Console::new(token, Arc::clone(&store), metrics, effective)
            .with_approvals(ApprovalKey::new(APPROVALS));
        if let Some(operators) = operators {
            console = console.with_operators(operators);
        }
        let console = Arc::new(console);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(portcullis_admin::serve(
            listener,
            Arc::clone(&console),
            std::future::pending(),
        ));
        Admin {
            store,
            console,
            address,
        }
    }

    /// `127.0.0.1:PORT`, as a browser's `Host` has it.
    pub fn host(&self) -> String {
        self.address.to_string()
    }

    /// Sends a request with these header lines.
    pub async fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let mut socket = TcpStream::connect(self.address).await.unwrap();
        let mut request = format!(
            "{method} {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\ncontent-length: {}\r\n",
            self.address,
            body.len()
        );
        for (name, value) in headers {
            request.push_str(&format!("{name}: {value}\r\n"));
        }
        request.push_str("\r\n");
        request.push_str(body);
        socket.write_all(request.as_bytes()).await.unwrap();
        let mut bytes = Vec::new();
        socket.read_to_end(&mut bytes).await.unwrap();
        let text = String::from_utf8(bytes).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        Answer {
            status: head.split(' ').nth(1).unwrap().parse().unwrap(),
            head: head.to_owned(),
            body: body.to_owned(),
        }
    }

    /// Sends a request with the token.
    pub async fn ask(&self, method: &str, path: &str, body: &str) -> Answer {
        let bearer = format!("Bearer {TOKEN}");
        self.send(method, path, &[("authorization", &bearer)], body).await
    }
}
