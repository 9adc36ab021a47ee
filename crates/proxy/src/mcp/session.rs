//! What a session with a server has shown so far, and what follows from it for a call. Of a conversation between a user and a model nothing is
//! known here: what only a user can vouch for is vouched for by the reply that asked for the call ([`super::vetted`]), by a rule of the
//! policy, or by a person.

use std::collections::VecDeque;
use std::sync::Mutex;

use portcullis_policy::tools::{Conversation, Offered, Turn};
use serde::Serialize;
use serde_json::Value;

use super::lock;

/// Turns and bytes of results that are remembered. What is older taints, and proves nothing any more.
const MOST_TURNS: usize = 200;
const MOST_BYTES: usize = 512 * 1024;

/// What has happened in a session.
#[derive(Default)]
pub(super) struct History(Mutex<Past>);

#[derive(Default)]
struct Past {
    turns: VecDeque<Turn>,
    bytes: usize,
    /// Whether something is not here any more, or was not to be read.
    tainted: bool,
    made: u64,
}

impl History {
    /// The session as the judge of a call sees it.
    pub fn conversation(&self, offered: Vec<Offered>) -> Conversation {
        let past = lock(&self.0);
        Conversation {
            turns: past.turns.iter().cloned().collect(),
            offered,
            tainted: past.tainted,
        }
    }

    /// A call and the texts that came back of it.
    pub fn called(&self, tool: &str, arguments: Value, texts: Vec<String>) {
        let mut past = lock(&self.0);
        past.made = past.made.saturating_add(1);
        let id = past.made.to_string();
        let is_large = weight(&arguments) > MOST_BYTES;
        past.tainted |= is_large;
        past.add(Turn::Called {
            id: id.clone(),
            tool: tool.to_owned(),
            arguments: if is_large { Value::Null } else { arguments },
        });
        past.returned(&id, tool, texts);
    }

    /// Something else that a model will read.
    pub fn read(&self, what: &str, texts: Vec<String>) {
        lock(&self.0).returned("", what, texts);
    }

    /// Anything else of a server's that a client gets, and perhaps shows to its model.
    pub fn told<T: Serialize>(&self, method: &str, said: &T) {
        self.read(method, vec![serde_json::to_string(said).unwrap_or_default()]);
    }

    /// Something that nobody here could read.
    pub fn unread(&self) {
        lock(&self.0).tainted = true;
    }
}

impl Past {
    fn returned(&mut self, call: &str, tool: &str, texts: Vec<String>) {
        for mut text in texts {
            if text.len() > MOST_BYTES {
                let end = (0..=MOST_BYTES).rfind(|at| text.is_char_boundary(*at));
                text.truncate(end.unwrap_or(0));
                self.tainted = true;
            }
            self.add(Turn::Returned {
                call: call.to_owned(),
                tool: Some(tool.to_owned()),
                text,
            });
        }
    }

    fn add(&mut self, turn: Turn) {
        self.bytes = self.bytes.saturating_add(size(&turn));
        self.turns.push_back(turn);
        while self.turns.len() > MOST_TURNS || (self.bytes > MOST_BYTES && self.turns.len() > 1) {
            if let Some(oldest) = self.turns.pop_front() {
                self.bytes = self.bytes.saturating_sub(size(&oldest));
                self.tainted = true;
            }
        }
    }
}

fn size(turn: &Turn) -> usize {
    match turn {
        Turn::Said { text, .. } | Turn::Returned { text, .. } => text.len(),
        Turn::Called { arguments, .. } => weight(arguments),
    }
}

/// About how much memory a value takes.
fn weight(value: &Value) -> usize {
    let inner: usize = match value {
        Value::String(text) => text.len(),
        Value::Array(items) => items.iter().map(weight).sum(),
        Value::Object(members) => members
            .iter()
            .map(|(key, member)| key.len().saturating_add(weight(member)))
            .sum(),
        _ => 0,
    };
    inner.saturating_add(32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_forgotten_taints() {
        let history = History::default();
        history.called("a", Value::Null, vec!["x".repeat(MOST_BYTES / 2)]);
        assert!(!history.conversation(Vec::new()).tainted);
        history.called("b", Value::Null, vec!["y".repeat(MOST_BYTES)]);
        let now = history.conversation(Vec::new());
        assert!(now.tainted && now.turns.len() < 4);
        let large = History::default();
        for _ in 0..20 {
            large.called("a", Value::String("z".repeat(MOST_BYTES / 4)), Vec::new());
        }
        let now = large.conversation(Vec::new());
        assert!(now.tainted && now.turns.len() < 5, "{}", now.turns.len());
        large.called("a", Value::String("z".repeat(MOST_BYTES * 2)), Vec::new());
        let now = large.conversation(Vec::new());
        assert!(now.turns.iter().map(size).sum::<usize>() <= MOST_BYTES);
        let many = History::default();
        for _ in 0..MOST_TURNS {
            many.called("a", Value::Null, vec![String::new()]);
        }
        let now = many.conversation(Vec::new());
        assert!(now.tainted && now.turns.len() == MOST_TURNS);
    }
}
