//! What a conversation proves about a value: who said it, which field of which result it comes from, whether the user's own words led there.
//!
//! Labels are computed anew from all messages for every decision: nothing that the model wrote, and nothing that a tool echoed of what the
//! model wrote, is evidence of anything.

use std::collections::HashSet;
use std::sync::{Arc, OnceLock};

use portcullis_core::{Integrity, Origin};
use serde_json::Value as Json;

use super::conversation::{Conversation, Offered, Turn};
use super::derive::{self, Derived, Worth};
use super::folded::Folded;
use super::rule::{Class, ResultRule, ToolPolicy, ToolRule, Unknown, named};
use super::sort::{Sort, Value};
use super::structure::{self, Leaf};

/// How many look-ups may lie between the user's words and a source.
const MAX_HOPS: u8 = 3;

/// Words from which on a value of a field is a text that somebody wrote, and may name things in it.
const FREE_TEXT: usize = 4;

/// A conversation, labelled.
pub struct Evidence {
    policy: Arc<ToolPolicy>,
    offered: Vec<Offered>,
    said: Vec<Said>,
    calls: Vec<Called>,
    results: Vec<Outcome>,
    owner: Vec<Folded>,
    /// Where in `said` the user's last turn begins.
    last: usize,
    tainted: bool,
    names: OnceLock<HashSet<String>>,
    hops: OnceLock<Vec<Option<u8>>>,
}

/// Something that the operator or the user said.
struct Said {
    by_user: bool,
    text: String,
    folded: OnceLock<Folded>,
}

impl Said {
    fn folded(&self) -> &Folded {
        self.folded.get_or_init(|| Folded::of(&self.text))
    }
}

/// A call that was made.
struct Called {
    id: String,
    tool: String,
    arguments: Json,
}

/// What a tool returned.
struct Outcome {
    tool: String,
    class: Class,
    rule: Option<ResultRule>,
    /// The call that it answers, by its place among the calls.
    call: Option<usize>,
    harmless: bool,
    private: bool,
    text: String,
    leaves: OnceLock<Vec<Leaf>>,
}

impl Outcome {
    fn leaves(&self) -> &[Leaf] {
        self.leaves.get_or_init(|| structure::leaves(&self.text))
    }

    /// Whether a text in it names a value.
    fn names(&self, value: &Value) -> bool {
        self.leaves().iter().any(|leaf| value.is_in(&leaf.folded))
    }

    /// What a field is worth as the origin of a value of that sort.
    fn worth(&self, path: &str, sort: Sort) -> Option<Worth> {
        let Some(rule) = &self.rule else {
            return derive::field(self.class, path, sort);
        };
        let is = |(pattern, of): (&String, &Sort)| (*of == sort || *of == Sort::Party) && fits(pattern, path);
        if rule.trusted.iter().any(is) {
            Some(Worth::Trusted)
        } else if rule.known.iter().any(is) {
            Some(Worth::Known)
        } else {
            None
        }
    }
}

/// Whether a path is the one that a rule names. A single object stands for a list of one.
fn fits(pattern: &str, path: &str) -> bool {
    pattern == path || pattern.strip_prefix("[].").is_some_and(|single| single == path)
}

/// Where a value was met.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Whence {
    /// The tool whose result it is in.
    pub tool: String,
    /// The field.
    pub path: String,
    /// Who is said to have written it, where a field beside it says so.
    pub by: Option<String>,
    /// The result, by its place among the results.
    pub result: usize,
}

/// What is known of where a value comes from.
#[derive(Clone, Debug, Default)]
pub struct Origins {
    /// The user typed it.
    pub user: bool,
    /// The system prompt has it.
    pub system: bool,
    /// It is the user's own.
    pub owner: bool,
    /// The user named whom it belongs to by a part of it.
    pub hinted: bool,
    /// The user typed all of what tells it from others.
    pub spelled: bool,
    /// A field that its tool writes.
    pub trusted: Option<Whence>,
    /// A field that others write and that says who somebody is.
    pub known: Option<Whence>,
    /// A result that the user's words led to, and in how many steps.
    pub source: Option<(u8, Whence)>,
    /// Anywhere else in results.
    pub seen: Option<Whence>,
}

impl Evidence {
    /// Labels a conversation.
    #[must_use]
    pub fn new(policy: Arc<ToolPolicy>, conversation: Conversation) -> Evidence {
        let owner = policy.owner.iter().map(|own| Folded::of(own)).collect();
        let mut evidence = Evidence {
            policy,
            offered: conversation.offered,
            said: Vec::new(),
            calls: Vec::new(),
            results: Vec::new(),
            owner,
            last: 0,
            tainted: conversation.tainted,
            names: OnceLock::new(),
            hops: OnceLock::new(),
        };
        let mut goes_on = false;
        for turn in conversation.turns {
            evidence.take(turn, &mut goes_on);
        }
        evidence.last = evidence.last_turn();
        evidence
    }

    fn take(&mut self, turn: Turn, goes_on: &mut bool) {
        match turn {
            Turn::Said { origin, text } => {
                let by_user = origin == Origin::User;
                match origin.integrity() {
                    Integrity::Untrusted => {
                        self.tainted |= origin != Origin::Model && !text.trim().is_empty()
                    }
                    Integrity::User | Integrity::Operator => {
                        if by_user && !*goes_on {
                            self.last = self.said.len();
                        }
                        self.said.push(Said {
                            by_user,
                            text,
                            folded: OnceLock::new(),
                        });
                    }
                }
                *goes_on = by_user;
            }
            Turn::Called { id, tool, arguments } => {
                *goes_on = false;
                self.calls.push(Called { id, tool, arguments });
            }
            Turn::Returned { call, tool, text } => {
                *goes_on = false;
                let at = self.calls.iter().rposition(|known| known.id == call);
                let called = at.and_then(|at| self.calls.get(at)).map(|call| call.tool.clone());
                // The call says which tool it was; what a result says of itself may be anybody's.
                let tool = called.or(tool).unwrap_or_default();
                let rule = named(&self.policy.results, &tool).map(|(_, rule)| rule.clone());
                let derived = derive::results(&tool);
                let harmless = rule.as_ref().map_or(derived.harmless, |rule| rule.harmless);
                let class = self.class(&tool);
                let private = rule.as_ref().and_then(|rule| rule.private);
                self.tainted |= !harmless && !text.trim().is_empty();
                self.results.push(Outcome {
                    private: private.unwrap_or(class == Class::Read && !harmless),
                    class,
                    rule: rule.or((self.policy.unknown != Unknown::Derive).then(ResultRule::default)),
                    call: at,
                    harmless,
                    tool,
                    text,
                    leaves: OnceLock::new(),
                });
            }
        }
    }

    /// The user's last turn; with the one before it where it only agrees: "yes, please".
    fn last_turn(&self) -> usize {
        let last = self.said.get(self.last..).unwrap_or_default();
        let words: usize = last.iter().map(|said| said.text.split_whitespace().count()).sum();
        if words > 3 {
            return self.last;
        }
        let before = self.said.get(..self.last).unwrap_or_default();
        before.iter().rposition(|said| said.by_user).unwrap_or(self.last)
    }

    /// The policy that it was labelled for.
    #[must_use]
    pub fn policy(&self) -> &ToolPolicy {
        &self.policy
    }

    /// Whether anything in it was written by somebody who is not trusted.
    #[must_use]
    pub fn is_tainted(&self) -> bool {
        self.tainted
    }

    /// Whether a result in it is private.
    #[must_use]
    pub fn is_private(&self) -> bool {
        self.results
            .iter()
            .any(|result| result.private && !result.text.trim().is_empty())
    }

    /// The tools that were called, in their order.
    pub fn called(&self) -> impl Iterator<Item = &str> {
        self.calls.iter().map(|call| call.tool.as_str())
    }

    /// The rule for a tool, if a rule names it, and what is derived of it and of the arguments that a call gives.
    #[must_use]
    pub fn rule(&self, tool: &str, given: &[(String, String)]) -> (Option<&ToolRule>, Derived) {
        let offered = self.offered.iter().find(|offered| offered.name == tool);
        (
            named(&self.policy.tools, tool).map(|(_, rule)| rule),
            derive::tool(tool, offered, given),
        )
    }

    /// Whether a tool takes a free text in the place of named arguments: it is offered, and without a schema of them.
    #[must_use]
    pub fn takes_text(&self, tool: &str) -> bool {
        self.offered
            .iter()
            .any(|offered| offered.name == tool && !offered.schema.is_object())
    }

    fn class(&self, tool: &str) -> Class {
        let (rule, derived) = self.rule(tool, &[]);
        rule.and_then(|rule| rule.class).unwrap_or(derived.class)
    }

    fn users(&self) -> impl Iterator<Item = &Folded> {
        self.said.iter().filter(|said| said.by_user).map(Said::folded)
    }

    /// Whether the user's last turn has the words of a phrase in their order.
    #[must_use]
    pub fn is_asked(&self, phrase: &str) -> bool {
        let phrase = Folded::of(phrase);
        let last = self.said.get(self.last..).unwrap_or_default();
        last.iter().filter(|said| said.by_user).any(|said| {
            let mut words = said.folded().words();
            phrase.words().all(|wanted| words.any(|word| word == wanted))
        })
    }

    /// Whether the user typed a text, at any time.
    #[must_use]
    pub fn is_typed(&self, text: &Folded) -> bool {
        self.users().any(|said| said.holds(text))
    }

    /// Whether the user or the operator typed a value.
    #[must_use]
    pub fn is_said(&self, value: &Value) -> bool {
        self.is_owner(value) || self.said.iter().any(|said| value.is_in(said.folded()))
    }

    fn is_owner(&self, value: &Value) -> bool {
        self.owner.iter().any(|own| value.is(own))
    }

    fn names(&self) -> &HashSet<String> {
        self.names
            .get_or_init(|| self.users().flat_map(Folded::words).map(str::to_owned).collect())
    }

    /// Where a value comes from, as an argument of a call of that tool.
    #[must_use]
    pub fn origins(&self, value: &Value, tool: &str) -> Origins {
        let names = self.names();
        let mut parts = value.all_parts().peekable();
        let mut origins = Origins {
            user: self.users().any(|said| value.is_in(said)),
            system: self
                .said
                .iter()
                .any(|said| !said.by_user && value.is_in(said.folded())),
            owner: self.is_owner(value),
            hinted: value.parts().any(|part| names.contains(part)),
            spelled: parts.peek().is_some() && parts.all(|part| names.contains(part)),
            ..Origins::default()
        };
        if origins.user || origins.owner {
            return origins;
        }
        for (at, result) in self.results.iter().enumerate() {
            self.look_in(at, result, value, tool, &mut origins);
        }
        origins
    }

    fn look_in(&self, at: usize, result: &Outcome, value: &Value, tool: &str, origins: &mut Origins) {
        let text_sort = match value.sort() {
            Sort::Id => Value::new(Sort::Text, value.folded().as_str()),
            _ => value.clone(),
        };
        let is_here = |leaf: &Leaf| value.is(&leaf.folded) || text_sort.is_in(&leaf.folded);
        if !result.leaves().iter().any(is_here) {
            return;
        }
        // What the model said to the tool and the tool says back proves nothing.
        let is_echo = self.is_echo(result, value) && !self.is_said(value);
        for leaf in result.leaves() {
            let whole = value.is(&leaf.folded)
                || (leaf.path.is_empty()
                    && leaf
                        .text
                        .split(['\n', ','])
                        .any(|piece| value.is(&Folded::of(piece))));
            if whole && !is_echo {
                let whence = || self.whence(at, result, leaf);
                match result.worth(&leaf.path, value.sort()) {
                    Some(Worth::Trusted) if origins.trusted.is_none() => origins.trusted = Some(whence()),
                    Some(Worth::Known) if origins.known.is_none() => origins.known = Some(whence()),
                    _ => {}
                }
            }
            if (whole || text_sort.is_in(&leaf.folded)) && !result.harmless {
                let whence = self.whence(at, result, leaf);
                // A page does not vouch for the next page: what chains a tool to itself crawls.
                let hops = self
                    .hops()
                    .get(at)
                    .copied()
                    .flatten()
                    .filter(|_| result.tool != tool && !is_echo);
                if let Some(hops) = hops
                    && origins.source.as_ref().is_none_or(|(known, _)| hops < *known)
                {
                    origins.source = Some((hops, whence.clone()));
                }
                if origins.seen.is_none() {
                    origins.seen = Some(whence);
                }
            }
        }
    }

    fn is_echo(&self, result: &Outcome, value: &Value) -> bool {
        let Some(call) = result.call.and_then(|call| self.calls.get(call)) else {
            return false;
        };
        let mut own = structure::values(&call.arguments).into_iter();
        own.any(|(_, text)| value.is(&Folded::of(&text)))
    }

    fn whence(&self, at: usize, result: &Outcome, leaf: &Leaf) -> Whence {
        let by = result.leaves().iter().find(|other| {
            let key = other.path.rsplit('.').next().unwrap_or("");
            other.record == leaf.record
                && leaf.record != 0
                && matches!(key, "sender" | "from" | "author" | "owner" | "user")
        });
        Whence {
            tool: result.tool.clone(),
            path: leaf.path.clone(),
            by: by.filter(|by| by.path != leaf.path).map(|by| by.text.clone()),
            result: at,
        }
    }

    /// In how many look-ups the user's words lead to each result.
    fn hops(&self) -> &[Option<u8>] {
        self.hops.get_or_init(|| {
            let mut hops: Vec<Option<u8>> = vec![None; self.results.len()];
            for step in 1..=MAX_HOPS {
                for at in 0..self.results.len() {
                    if hops.get(at).copied().flatten().is_none()
                        && self.leads_to(at, step, &hops)
                        && let Some(hop) = hops.get_mut(at)
                    {
                        *hop = Some(step);
                    }
                }
            }
            hops
        })
    }

    fn leads_to(&self, at: usize, step: u8, hops: &[Option<u8>]) -> bool {
        let Some(result) = self.results.get(at) else {
            return false;
        };
        let Some(call) = result.call.and_then(|call| self.calls.get(call)) else {
            return false;
        };
        let located_by = result.rule.as_ref().and_then(|rule| rule.located_by.as_ref());
        if located_by.is_none() && result.class == Class::Write {
            return false;
        }
        structure::values(&call.arguments)
            .into_iter()
            .any(|(path, text)| {
                if located_by.is_some_and(|paths| !paths.contains(&path))
                    || text.trim().chars().nth(1).is_none()
                {
                    return false;
                }
                let sort = match Sort::Party.of(&text) {
                    Sort::Name => Sort::Text,
                    sort => sort,
                };
                let value = if path.ends_with("url") {
                    Value::new(Sort::Url, &text)
                } else {
                    Value::new(sort, &text)
                };
                if step == 1 {
                    return self.users().any(|said| value.is_in(said));
                }
                let before = hops
                    .iter()
                    .enumerate()
                    .filter(|(_, hop)| **hop == Some(step.saturating_sub(1)));
                before
                    .filter(|(before, _)| *before < at)
                    .filter_map(|(before, _)| self.results.get(before))
                    .any(|before| before.names(&value))
            })
    }

    /// A short field that the user typed, of the object that an identifier stands for: the title of the meeting, the name of the file.
    #[must_use]
    pub fn is_described(&self, id: &Value) -> bool {
        self.results.iter().any(|result| {
            let leaves = result.leaves();
            leaves
                .iter()
                .filter(|leaf| {
                    leaf.record != 0 && id.is(&leaf.folded) && result.worth(&leaf.path, Sort::Id).is_some()
                })
                .any(|of| {
                    leaves.iter().filter(|leaf| leaf.record == of.record).any(|leaf| {
                        let length = leaf.folded.as_str().chars().count();
                        (4..=80).contains(&length)
                            && !leaf
                                .folded
                                .as_str()
                                .chars()
                                .all(|char| char.is_numeric() || ".:- t".contains(char))
                            && !STATES.contains(&leaf.folded.as_str())
                            && self.is_typed(&leaf.folded)
                    })
                })
        })
    }

    /// A text in results that names a value in passing: "the valid one is now Eve".
    #[must_use]
    pub fn mention(&self, value: &Value) -> Option<Whence> {
        let is_short = value.sort() == Sort::Id && value.folded().as_str().chars().count() < 4;
        self.results
            .iter()
            .enumerate()
            .filter(|(_, result)| !result.harmless)
            .find_map(|(at, result)| {
                let leaf = result.leaves().iter().find(|leaf| {
                    leaf.folded.words().nth(FREE_TEXT.saturating_sub(1)).is_some()
                        && leaf.folded != *value.folded()
                        && if is_short {
                            speaks_of_id(&leaf.folded, value.folded())
                        } else {
                            leaf.folded.holds(value.folded())
                        }
                })?;
                Some(self.whence(at, result, leaf))
            })
    }
}

/// Words that are states of things and name none of them.
const STATES: &[&str] = &[
    "true",
    "false",
    "none",
    "null",
    "confirmed",
    "cancelled",
    "read",
    "unread",
    "sent",
    "received",
    "draft",
    "open",
    "closed",
    "active",
    "pending",
    "done",
];

/// Whether a text speaks of an id and then, in the same sentence, of that short number.
fn speaks_of_id(text: &Folded, id: &Folded) -> bool {
    text.any_between(id.as_str(), |before, after| {
        let touches = |char: Option<char>| {
            char.is_some_and(|char| char.is_alphanumeric() || char == ':' || char == '-')
        };
        if touches(before.chars().next_back()) || touches(after.chars().next()) {
            return false;
        }
        let sentence = before.rsplit(['.', ';', '!', '?']).next().unwrap_or("");
        let mut words = sentence
            .split(|char: char| !char.is_alphanumeric())
            .filter(|word| !word.is_empty())
            .rev()
            .take(12);
        words.any(|word| matches!(word, "id" | "ids"))
    })
}
