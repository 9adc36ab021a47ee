//! A Redis (or Valkey) of a test's own: on a free port, in a folder of its own, ended with its value. The distribution's service is
//! neither needed nor touched.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

pub struct Redis {
    child: Child,
    port: u16,
    folder: TempDir,
    durable: bool,
    encrypted: bool,
}

impl Redis {
    /// Starts one; a durable one has on disk what it has answered.
    pub fn start(durable: bool) -> Redis {
        Redis::run(durable, None)
    }

    #[allow(dead_code, reason = "not every crate's tests need it")]
    /// Starts one that speaks TLS alone, with this certificate and key, in PEM.
    pub fn encrypted(cert: &str, key: &str) -> Redis {
        Redis::run(false, Some((cert, key)))
    }

    fn run(durable: bool, pair: Option<(&str, &str)>) -> Redis {
        let folder = TempDir::new().unwrap();
        if let Some((cert, key)) = pair {
            std::fs::write(folder.path().join("cert.pem"), cert).unwrap();
            std::fs::write(folder.path().join("key.pem"), key).unwrap();
        }
        let encrypted = pair.is_some();
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let child = run(port, folder.path(), durable, encrypted);
        let redis = Redis {
            child,
            port,
            folder,
            durable,
            encrypted,
        };
        redis.wait();
        redis
    }

    pub fn url(&self) -> String {
        match self.encrypted {
            true => format!("rediss://localhost:{}", self.port),
            false => format!("redis://127.0.0.1:{}", self.port),
        }
    }

    /// Kills it, and starts it again.
    pub fn restart(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.child = run(self.port, self.folder.path(), self.durable, self.encrypted);
        self.wait();
    }

    #[allow(dead_code, reason = "not every crate's tests need it")]
    /// Stops (`-STOP`) and continues (`-CONT`) it, as a machine that hangs.
    pub fn signal(&self, signal: &str) {
        let done = Command::new("kill")
            .arg(signal)
            .arg(self.child.id().to_string())
            .status();
        assert!(done.unwrap().success());
    }

    fn wait(&self) {
        let begun = Instant::now();
        while !self.answers() {
            assert!(
                begun.elapsed() < Duration::from_secs(60),
                "redis-server does not answer"
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn answers(&self) -> bool {
        let ping = || {
            let mut socket = TcpStream::connect(("127.0.0.1", self.port)).ok()?;
            socket.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
            socket.write_all(b"PING\r\n").ok()?;
            if self.encrypted {
                // Who speaks plainly is not answered; that it listens says that it is there.
                return Some(());
            }
            let mut answer = [0; 5];
            socket.read_exact(&mut answer).ok()?;
            (&answer == b"+PONG").then_some(())
        };
        ping().is_some()
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn run(port: u16, folder: &Path, durable: bool, encrypted: bool) -> Child {
    let own = port.to_string();
    let ports = match encrypted {
        false => vec!["--port", own.as_str()],
        true => vec![
            "--port",
            "0",
            "--tls-port",
            own.as_str(),
            "--tls-cert-file",
            "cert.pem",
            "--tls-key-file",
            "key.pem",
            "--tls-auth-clients",
            "no",
        ],
    };
    let start = |program: &str| {
        Command::new(program)
            .args(&ports)
            .args(["--bind", "127.0.0.1", "--save", ""])
            .args(["--appendonly", if durable { "yes" } else { "no" }])
            .args(["--appendfsync", "always", "--maxmemory-policy", "noeviction"])
            .current_dir(folder)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
    };
    // Where both are there, the one that is named: the suite is for either.
    let named = std::env::var("PORTCULLIS_TEST_REDIS");
    let (first, second) = match named.as_deref() {
        Ok("valkey-server") => ("valkey-server", "valkey-server"),
        _ => ("redis-server", "valkey-server"),
    };
    start(first)
        .or_else(|_| start(second))
        .expect("redis-server or valkey-server is needed: `cargo xtask setup` installs it")
}
