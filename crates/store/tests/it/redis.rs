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
}

impl Redis {
    /// Starts one; a durable one has on disk what it has answered.
    pub fn start(durable: bool) -> Redis {
        let folder = TempDir::new().unwrap();
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let child = run(port, folder.path(), durable);
        let redis = Redis {
            child,
            port,
            folder,
            durable,
        };
        redis.wait();
        redis
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Kills it, and starts it again.
    pub fn restart(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.child = run(self.port, self.folder.path(), self.durable);
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

fn run(port: u16, folder: &Path, durable: bool) -> Child {
    let start = |program: &str| {
        Command::new(program)
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", ""])
            .args(["--appendonly", if durable { "yes" } else { "no" }])
            .args(["--appendfsync", "always", "--maxmemory-policy", "noeviction"])
            .current_dir(folder)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
    };
    start("redis-server")
        .or_else(|_| start("valkey-server"))
        .expect("redis-server or valkey-server is needed: `cargo xtask setup` installs it")
}
