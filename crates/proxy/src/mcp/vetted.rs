//! Calls of tools that were judged in the reply that asked for them, with the whole conversation before the judge. A client that then makes
//! such a call at a server of tools behind this gateway makes it once: what the session with that server alone could not prove is known.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// How long a client may take to make a call that it was given, milliseconds.
const LASTS_MS: u64 = 600_000;
/// Calls that are remembered at most. What comes on top pushes out what is over; if nothing is, it is not remembered, and a person is
/// asked where nobody would have been.
const MOST: usize = 20_000;

/// The longest name of a tool that a server has, with what an agent puts before it.
const LONGEST: usize = 256;

/// Whose call, with which arguments: see [`portcullis_store::ApprovalKey::binding`].
type Sum = [u8; 32];

/// What is remembered.
#[derive(Default)]
pub(crate) struct Vetted(Mutex<HashMap<Sum, Vec<Call>>>);

struct Call {
    tool: String,
    until_ms: u64,
}

impl Vetted {
    /// A call was let through in a reply, under the name that the client's model knows the tool by.
    pub fn put(&self, sum: Sum, tool: &str, now_ms: u64) {
        if tool.len() > LONGEST {
            return;
        }
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= MOST {
            all.retain(|_, calls| {
                calls.retain(|call| call.until_ms > now_ms);
                !calls.is_empty()
            });
        }
        if all.len() < MOST {
            all.entry(sum).or_default().push(Call {
                tool: tool.to_owned(),
                until_ms: now_ms.saturating_add(LASTS_MS),
            });
        }
    }

    /// Whether this call of a server's tool was let through; it is used up.
    pub fn take(&self, sum: &Sum, server: &str, tool: &str, now_ms: u64) -> bool {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(calls) = all.get_mut(sum) else {
            return false;
        };
        let fits = |call: &Call| call.until_ms > now_ms && is_name_of(&call.tool, server, tool);
        let found = calls.iter().position(fits);
        if let Some(found) = found {
            calls.swap_remove(found);
        }
        if calls.is_empty() {
            all.remove(sum);
        }
        found.is_some()
    }
}

/// Whether a model may know a server's tool by this name. Agents put a name of the server before that of the tool, with something between
/// that is no part of either.
fn is_name_of(known: &str, server: &str, tool: &str) -> bool {
    let Some(before) = known.strip_suffix(tool) else {
        return false;
    };
    let ends = |mark: &str| before.len() > mark.len() && before.ends_with(mark);
    before.is_empty()
        || ["__", ".", "/", ":", "-"].into_iter().any(ends)
        || before.strip_suffix('_') == Some(server)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_made_once_and_in_time() {
        let (vetted, sum) = (Vetted::default(), [7; 32]);
        vetted.put(sum, "mcp__github__create_issue", 1000);
        assert!(!vetted.take(&sum, "github", "issue", 1001));
        assert!(!vetted.take(&[8; 32], "github", "create_issue", 1001));
        assert!(vetted.take(&sum, "github", "create_issue", 1001));
        assert!(!vetted.take(&sum, "github", "create_issue", 1002));
        vetted.put(sum, "create_issue", 1000);
        assert!(!vetted.take(&sum, "github", "create_issue", 1000 + LASTS_MS));
    }

    #[test]
    fn names_that_agents_give() {
        for known in [
            "send",
            "mcp__mail__send",
            "mail.send",
            "mail/send",
            "mail_send",
            "x-send",
        ] {
            assert!(is_name_of(known, "mail", "send"), "{known}");
        }
        for other in ["resend", "auto_send", "_send", "-send", "send_all", "Send"] {
            assert!(!is_name_of(other, "mail", "send"), "{other}");
        }
    }

    #[test]
    fn it_does_not_grow_without_end() {
        let vetted = Vetted::default();
        let sum = |number: usize| {
            let mut sum = [0; 32];
            sum[..8].copy_from_slice(&number.to_be_bytes());
            sum
        };
        for number in 0..MOST {
            vetted.put(sum(number), "t", 0);
        }
        vetted.put(sum(MOST), "t", 1);
        assert!(!vetted.take(&sum(MOST), "s", "t", 2));
        vetted.put(sum(MOST), "t", LASTS_MS + 1);
        assert!(vetted.take(&sum(MOST), "s", "t", LASTS_MS + 2));
    }
}
