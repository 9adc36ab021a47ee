//! A PostgreSQL server of a test's own: real, on a socket in a folder of its own, gone when the test is, however it ends.
//!
//! A cluster is made once and kept under the target folder; each server starts from a copy. PostgreSQL does not run as
//! root, so root lends it to another user.

#![allow(
    dead_code,
    reason = "more than one test binary takes this file, and not all of them use all of it"
)]

use std::fs::{self, File};
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use tempfile::TempDir;

const USER: &str = "gate";
const PASSWORD: &str = "opensesame";

/// A running server, or one that was stopped.
pub struct Server {
    folder: TempDir,
    programs: PathBuf,
    child: Option<Child>,
    /// The port of this machine where it speaks TLS, if it does.
    port: Option<u16>,
}

impl Server {
    pub fn start() -> Server {
        Server::run(None)
    }

    /// Starts one that also listens on a port of this machine, where it speaks TLS with this certificate and key, in PEM.
    pub fn encrypted(cert: &str, key: &str) -> Server {
        Server::run(Some((cert, key)))
    }

    /// Its address over TLS, with these parameters.
    pub fn tls_url(&self, parameters: &str) -> String {
        let port = self.port.expect("it speaks TLS");
        format!("postgres://{USER}:{PASSWORD}@localhost:{port}/postgres?{parameters}")
    }

    fn run(pair: Option<(&str, &str)>) -> Server {
        let programs = programs();
        let folder = tempfile::Builder::new()
            .prefix("portcullis-pg-")
            .tempdir()
            .unwrap();
        lend(folder.path());
        let template = template(&programs, folder.path());
        copy(&template, &folder.path().join("data"));
        let mut server = Server {
            folder,
            programs,
            child: None,
            port: None,
        };
        if let Some((cert, key)) = pair {
            for (name, pem) in [("cert.pem", cert), ("key.pem", key)] {
                let path = server.folder.path().join(name);
                fs::write(&path, pem).unwrap();
                fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
                lend(&path);
            }
            let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
            server.port = Some(free.local_addr().unwrap().port());
        }
        server.resume();
        server
    }

    /// The address of its database.
    pub fn url(&self) -> String {
        format!(
            "postgres://{USER}:{PASSWORD}@localhost/postgres?host={}",
            self.folder.path().display()
        )
    }

    /// Where it listens.
    pub fn socket(&self) -> PathBuf {
        self.folder.path().join(".s.PGSQL.5432")
    }

    /// Starts it again after `stop`; what was committed is there.
    pub fn resume(&mut self) {
        assert!(self.child.is_none());
        let folder = self.folder.path();
        let log = File::create(folder.join("log")).unwrap();
        let mut command = as_user(&self.programs.join("postgres"));
        command
            .arg("-D")
            .arg(folder.join("data"))
            .arg("-k")
            .arg(folder)
            .args(self.network())
            .args(["-c", "fsync=off", "-c", "shared_buffers=4MB"])
            .args([
                "-c",
                "max_connections=60",
                "-c",
                "autovacuum=off",
                "-c",
                "max_wal_senders=0",
                "-c",
                "wal_level=minimal",
            ])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log);
        self.child = Some(command.spawn().unwrap());
        for _ in 0..3000 {
            let mut ready = Command::new(self.programs.join("pg_isready"));
            ready.args(["-q", "-h"]).arg(folder);
            if let Some(port) = self.port {
                ready.args(["-p", &port.to_string()]);
            }
            if ready.status().unwrap().success() {
                return;
            }
            let ended = self.child.as_mut().unwrap().try_wait().unwrap();
            assert!(
                ended.is_none(),
                "{}",
                fs::read_to_string(folder.join("log")).unwrap()
            );
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("{}", fs::read_to_string(folder.join("log")).unwrap());
    }

    fn network(&self) -> Vec<String> {
        let Some(port) = self.port else {
            return vec!["-c".to_owned(), "listen_addresses=".to_owned()];
        };
        let file = |name: &str| self.folder.path().join(name).display().to_string();
        let settings = [
            "listen_addresses=127.0.0.1".to_owned(),
            format!("port={port}"),
            "ssl=on".to_owned(),
            format!("ssl_cert_file={}", file("cert.pem")),
            format!("ssl_key_file={}", file("key.pem")),
        ];
        settings
            .into_iter()
            .flat_map(|setting| ["-c".to_owned(), setting])
            .collect()
    }

    /// Stops it at once: connections are cut, transactions under way are undone.
    pub fn stop(&mut self) {
        self.signal("-QUIT");
        if let Some(mut child) = self.child.take() {
            child.wait().unwrap();
        }
    }

    /// Keeps every process of it from running, as a machine does that has lost its network: sockets stay, answers do not come.
    pub fn freeze(&self) {
        self.signal_all("-STOP");
    }

    pub fn thaw(&self) {
        self.signal_all("-CONT");
    }

    fn signal(&self, signal: &str) {
        if let Some(child) = &self.child {
            let _ = Command::new("kill")
                .arg(signal)
                .arg(child.id().to_string())
                .status();
        }
    }

    fn signal_all(&self, signal: &str) {
        let Some(child) = &self.child else { return };
        let _ = Command::new("pkill")
            .arg(signal)
            .arg("-P")
            .arg(child.id().to_string())
            .status();
        self.signal(signal);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.thaw();
        self.signal("-QUIT");
        if let Some(mut child) = self.child.take() {
            let _ = child.wait();
        }
    }
}

/// Where the server's programs are: Debian keeps them out of the path.
fn programs() -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    let mut debian: Vec<PathBuf> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path().join("bin")))
        .collect();
    debian.sort();
    folders.extend(debian.into_iter().rev());
    folders
        .into_iter()
        .find(|folder| {
            ["initdb", "postgres", "pg_isready"]
                .iter()
                .all(|name| folder.join(name).exists())
        })
        .expect("PostgreSQL is not installed: `cargo xtask test` installs it, or apt-get install postgresql")
}

/// A command as a user that PostgreSQL runs as, which ends when the thread of the test does.
fn as_user(program: &Path) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "QUIT"]);
    if let Some(user) = other_user() {
        command
            .args([
                "--reuid",
                &user.0.to_string(),
                "--regid",
                &user.1.to_string(),
                "--clear-groups",
            ])
            .env("HOME", "/nonexistent");
    }
    command.arg("--").arg(program);
    command.env("LC_ALL", "C.UTF-8").env_remove("PGDATA");
    command
}

/// User and group to lend to, if this is root.
fn other_user() -> Option<(u32, u32)> {
    static USER: OnceLock<Option<(u32, u32)>> = OnceLock::new();
    *USER.get_or_init(find_user)
}

fn find_user() -> Option<(u32, u32)> {
    let number = |arguments: &[&str]| -> Option<u32> {
        let output = Command::new("id").args(arguments).output().ok()?;
        String::from_utf8(output.stdout).ok()?.trim().parse().ok()
    };
    if number(&["-u"])? != 0 {
        return None;
    }
    ["postgres", "nobody"]
        .iter()
        .find_map(|name| Some((number(&["-u", name])?, number(&["-g", name])?)))
}

fn lend(path: &Path) {
    if let Some((user, group)) = other_user() {
        chown(path, Some(user), Some(group)).unwrap();
    }
}

/// A cluster that was never started, made once for each version of PostgreSQL.
fn template(programs: &Path, folder: &Path) -> PathBuf {
    let version = Command::new(programs.join("postgres"))
        .arg("--version")
        .output()
        .unwrap();
    let version: String = String::from_utf8(version.stdout)
        .unwrap()
        .chars()
        .map(|letter| {
            if letter.is_ascii_alphanumeric() {
                letter
            } else {
                '-'
            }
        })
        .collect();
    let kept = Path::new(env!("CARGO_TARGET_TMPDIR"));
    fs::create_dir_all(kept).unwrap();
    let template = kept.join(format!("cluster-{}", version.trim_matches('-')));
    let lock = File::create(kept.join("cluster.lock")).unwrap();
    lock.lock().unwrap();
    if !template.exists() {
        let (new, password) = (folder.join("new"), folder.join("password"));
        fs::write(&password, PASSWORD).unwrap();
        lend(&password);
        let made = as_user(&programs.join("initdb"))
            .arg("-D")
            .arg(&new)
            .args([
                "-U",
                USER,
                "-A",
                "scram-sha-256",
                "-E",
                "UTF8",
                "--locale",
                "C.UTF-8",
            ])
            .args(["--no-sync", "--wal-segsize", "1", "--data-checksums", "--pwfile"])
            .arg(&password)
            .output()
            .unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let half = kept.join("cluster.half");
        let _ = fs::remove_dir_all(&half);
        copy(&new, &half);
        fs::rename(&half, &template).unwrap();
    }
    template
}

/// Copies a folder and lends the copy.
fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    fs::set_permissions(to, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
    lend(to);
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), &target).unwrap();
            lend(&target);
        }
    }
}
