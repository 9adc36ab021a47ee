//! One connection to Redis: how it is made, which scripts it runs, and how long it is waited for.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, Cmd, Value};

/// Commands that may wait for the socket at once. Whoever comes when it is full waits no longer than for an answer.
const PIPELINE: usize = 1024;

/// How many times longer than an answer a connection is waited for.
const CONNECTING: u32 = 8;

/// A script.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Script {
    Hello,
    Join,
    Admit,
    Reserve,
    Settle,
    Leave,
    Charge,
    Saved,
    Beat,
    Seed,
    Open,
    Part,
    Look,
}

const LIBRARY: &str = include_str!("lua/lib.lua");
/// In the order of [`Script`].
const SCRIPTS: [&str; 13] = [
    include_str!("lua/hello.lua"),
    include_str!("lua/join.lua"),
    include_str!("lua/admit.lua"),
    include_str!("lua/reserve.lua"),
    include_str!("lua/settle.lua"),
    include_str!("lua/leave.lua"),
    include_str!("lua/charge.lua"),
    include_str!("lua/saved.lua"),
    include_str!("lua/beat.lua"),
    include_str!("lua/seed.lua"),
    include_str!("lua/open.lua"),
    include_str!("lua/part.lua"),
    include_str!("lua/look.lua"),
];

/// Why Redis did not answer as it must.
#[derive(Debug, thiserror::Error)]
pub(super) enum Trouble {
    /// No answer in time.
    #[error("no answer in time")]
    Late,
    /// It cannot be reached, or it refuses.
    #[error("{0}")]
    Redis(#[from] redis::RedisError),
    /// It answered what the scripts do not.
    #[error("an answer that was not expected")]
    Answer,
    /// It knows nothing of this connection: its data is gone, or is another's.
    #[error("it does not know this replica any more")]
    Stale,
    /// It may throw data away.
    #[error("its maxmemory-policy is `{0}`: it must be `noeviction`, or what was spent may be forgotten")]
    Evicts(String),
    /// The state at rest, which is needed to know what was spent.
    #[error("what was spent cannot be read: {0}")]
    Store(#[from] crate::StoreError),
    /// No random bytes for a name.
    #[error("no random bytes: {0}")]
    Random(#[from] getrandom::Error),
}

/// What is shared by all scripts' arguments.
#[derive(Clone, Debug, Default)]
pub(super) struct Caller {
    pub epoch: String,
    pub replica: String,
    pub generation: u64,
}

/// Arguments of a script, as Redis takes them.
#[derive(Default)]
pub(super) struct Arguments(pub Vec<Vec<u8>>);

impl Arguments {
    pub fn text(mut self, text: &str) -> Arguments {
        self.push_text(text);
        self
    }

    pub fn number(mut self, number: impl ToString) -> Arguments {
        self.push_number(number);
        self
    }

    pub fn push_text(&mut self, text: &str) {
        self.0.push(text.as_bytes().to_vec());
    }

    pub fn push_number(&mut self, number: impl ToString) {
        self.0.push(number.to_string().into_bytes());
    }
}

/// An answer: a word and what follows it.
#[derive(Debug)]
pub(super) struct Answer(Vec<String>);

impl Answer {
    /// The word.
    pub fn word(&self) -> &str {
        self.0.first().map_or("", String::as_str)
    }

    pub fn text(&self, at: usize) -> Result<&str, Trouble> {
        self.0.get(at).map(String::as_str).ok_or(Trouble::Answer)
    }

    pub fn number(&self, at: usize) -> Result<u64, Trouble> {
        self.text(at)?.parse().map_err(|_| Trouble::Answer)
    }

    /// A number that a rate which does not apply has not.
    pub fn signed(&self, at: usize) -> Result<i64, Trouble> {
        self.text(at)?.parse().map_err(|_| Trouble::Answer)
    }

    pub fn from(&self, at: usize) -> &[String] {
        self.0.get(at..).unwrap_or(&[])
    }
}

/// A connection that a replica has joined over.
pub(super) struct Link {
    connection: MultiplexedConnection,
    hashes: Vec<String>,
    prefix: String,
    pub caller: Caller,
    patience: Duration,
    broken: AtomicBool,
}

impl Link {
    /// Connects and makes the scripts known.
    pub async fn connect(
        client: &Client,
        prefix: &str,
        caller: Caller,
        patience: Duration,
    ) -> Result<(Link, String), Trouble> {
        // Only the keeper waits for it, and a handshake goes back and forth several times.
        let longer = patience.saturating_mul(CONNECTING);
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(longer))
            .set_response_timeout(Some(patience))
            .set_pipeline_buffer_size(PIPELINE);
        let connecting = client.get_multiplexed_async_connection_with_config(&config);
        let mut connection = tokio::time::timeout(longer, connecting)
            .await
            .map_err(|_| Trouble::Late)??;
        let mut about = String::new();
        for section in ["server", "memory"] {
            let mut info = redis::cmd("INFO");
            info.arg(section);
            let text: String = info.query_async(&mut connection).await?;
            about.push_str(&text);
        }
        let said = |name: &str| {
            let line = about
                .lines()
                .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
            line.unwrap_or_default().trim().to_owned()
        };
        let policy = said("maxmemory_policy");
        // Meters do not expire, so only a policy for all keys would take them.
        if policy.starts_with("allkeys") && said("maxmemory") != "0" {
            return Err(Trouble::Evicts(policy));
        }
        let mut hashes = Vec::with_capacity(SCRIPTS.len());
        for script in SCRIPTS {
            let mut load = redis::cmd("SCRIPT");
            load.arg("LOAD").arg(source(script));
            hashes.push(load.query_async(&mut connection).await?);
        }
        let link = Link {
            connection,
            hashes,
            prefix: prefix.to_owned(),
            caller,
            patience,
            broken: AtomicBool::new(false),
        };
        Ok((link, said("run_id")))
    }

    /// The command that runs a script.
    pub fn command(&self, script: Script, arguments: Arguments) -> Cmd {
        let mut command = redis::cmd("EVALSHA");
        command
            .arg(self.hashes.get(script as usize).map_or("", String::as_str))
            .arg(1)
            .arg(&self.prefix)
            .arg(&self.caller.epoch)
            .arg(&self.caller.replica)
            .arg(self.caller.generation);
        for argument in arguments.0 {
            command.arg(argument);
        }
        command
    }

    /// Runs a script. Whatever goes wrong leaves the connection unusable: what was sent over it may still come to pass.
    pub async fn call(&self, script: Script, arguments: Arguments) -> Result<Answer, Trouble> {
        self.wait_for(script, arguments, self.patience).await
    }

    /// Runs a script that may take longer.
    pub async fn wait_for(
        &self,
        script: Script,
        arguments: Arguments,
        patience: Duration,
    ) -> Result<Answer, Trouble> {
        if self.is_broken() {
            return Err(Trouble::Late);
        }
        let command = self.command(script, arguments);
        let mut connection = self.connection.clone();
        connection.set_response_timeout(patience);
        let told = tokio::time::timeout(patience, command.query_async::<Vec<String>>(&mut connection)).await;
        let answer = match told {
            Ok(Ok(words)) => Ok(Answer(words)),
            Ok(Err(error)) => Err(Trouble::Redis(error)),
            Err(_) => Err(Trouble::Late),
        };
        let answer = answer.and_then(|answer| match answer.word() {
            "stale" => Err(Trouble::Stale),
            _ => Ok(answer),
        });
        if answer.is_err() {
            self.broken.store(true, Ordering::Release);
        }
        answer
    }

    /// Runs commands one after the other; the words that they answered.
    pub async fn run(&self, commands: Vec<Cmd>) -> Result<Vec<String>, Trouble> {
        let mut pipeline = redis::pipe();
        for command in commands {
            pipeline.add_command(command);
        }
        let mut connection = self.connection.clone();
        let answered = pipeline.query_async::<Vec<Value>>(&mut connection);
        let answers = match tokio::time::timeout(self.patience, answered).await {
            Ok(Ok(answers)) => answers,
            Ok(Err(error)) => {
                self.broken.store(true, Ordering::Release);
                return Err(error.into());
            }
            Err(_) => {
                self.broken.store(true, Ordering::Release);
                return Err(Trouble::Late);
            }
        };
        let word = |value: &Value| {
            let words: Vec<String> = redis::FromRedisValue::from_redis_value_ref(value).unwrap_or_default();
            words.into_iter().next().unwrap_or_default()
        };
        let words: Vec<String> = answers.iter().map(word).collect();
        if words.iter().any(|word| word == "stale") {
            self.broken.store(true, Ordering::Release);
            return Err(Trouble::Stale);
        }
        Ok(words)
    }

    /// Nothing is asked over it any more.
    pub fn give_up(&self) {
        self.broken.store(true, Ordering::Release);
    }

    pub fn is_broken(&self) -> bool {
        self.broken.load(Ordering::Acquire)
    }
}

/// A whole script. In tests, time stands where a key says it does.
fn source(script: &str) -> String {
    let clock = match cfg!(test) {
        true => "local set = redis.call('GET', P .. ':clock') if set then return tonumber(set) end",
        false => "",
    };
    [LIBRARY.replace("--CLOCK", clock).as_str(), script].concat()
}

/// Runs a piece of the library, so that its sums are held against those of this crate.
#[cfg(test)]
pub(super) fn library(body: &str) -> String {
    source(body)
}
