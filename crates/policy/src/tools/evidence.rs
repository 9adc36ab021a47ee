//! What a conversation proves about a value: who said it, which field of which result it comes from, whether the user's own words led there.
//!
//! Labels are computed anew from all messages for every decision: nothing that the model wrote, and nothing that a tool echoed of what the
//! model wrote, is evidence of anything.

use std::sync::{Arc, OnceLock};

use portcullis_core::{Integrity, Origin};
use serde_json::Value as Json;

use super::conversation::{Conversation, Offered, Turn};
use super::derive::{self, Derived, Worth};
use super::folded::{Folded, FoldedText};
use super::leaves::{Leaf, Leaves, Needle};
use super::redirect::redirects;
use super::rule::{Class, Impact, ResultRule, SinkRule, ToolPolicy, ToolRule, Unknown, named};
use super::sort::{Sort, Value};
use super::structure;

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
    /// What is known of the tools that returned something.
    returning: Vec<Arc<Returning>>,
    hops: OnceLock<Vec<Option<u8>>>,
}

/// Something that the operator or the user said.
struct Said {
    by_user: bool,
    text: String,
    folded: OnceLock<Folded>,
}

impl Said {
    fn folded(&self) -> FoldedText<'_> {
        self.folded.get_or_init(|| Folded::of(&self.text)).text()
    }
}

/// A call that was made.
struct Called {
    id: String,
    tool: String,
    arguments: Json,
    values: OnceLock<Vec<(String, String)>>,
}

impl Called {
    /// The values of its arguments with their paths.
    fn values(&self) -> &[(String, String)] {
        self.values.get_or_init(|| structure::values(&self.arguments))
    }
}

/// What a tool returned.
struct Outcome {
    of: Arc<Returning>,
    /// The call that it answers, by its place among the calls.
    call: Option<usize>,
    text: String,
    leaves: OnceLock<Leaves>,
}

/// What holds for all that a tool returns.
struct Returning {
    tool: String,
    class: Class,
    rule: Ruled,
    harmless: bool,
    private: bool,
}

/// Which rule a result has.
enum Ruled {
    /// One of the policy, by what it is written under.
    By(String),
    /// None: what it is worth is derived.
    Derived,
    /// None: nothing of it is worth anything.
    Nothing,
}

impl Outcome {
    fn rule<'p>(&self, policy: &'p ToolPolicy) -> Option<&'p ResultRule> {
        match &self.of.rule {
            Ruled::By(name) => policy.results.get(name),
            Ruled::Derived | Ruled::Nothing => None,
        }
    }

    fn leaves(&self) -> &Leaves {
        self.leaves.get_or_init(|| structure::leaves(&self.text))
    }

    /// Whether a text in it names a value.
    fn names(&self, value: &Sought<'_>) -> bool {
        self.leaves()
            .with(&value.needle)
            .any(|leaf| value.value.is_in(leaf.folded().text()))
    }
}

/// Whether a path is the one that a rule names. A single object stands for a list of one.
fn fits(pattern: &str, path: &str) -> bool {
    pattern == path || pattern.strip_prefix("[].").is_some_and(|single| single == path)
}

/// A value that is looked for in many results.
struct Sought<'v> {
    value: &'v Value,
    needle: Needle<'v>,
}

impl<'v> Sought<'v> {
    fn new(value: &'v Value) -> Sought<'v> {
        Sought {
            value,
            needle: value.needle(),
        }
    }
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
            returning: Vec::new(),
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
                self.calls.push(Called {
                    id,
                    tool,
                    arguments,
                    values: OnceLock::new(),
                });
            }
            Turn::Returned { call, tool, text } => {
                *goes_on = false;
                let at = self.calls.iter().rposition(|known| known.id == call);
                let called = at.and_then(|at| self.calls.get(at)).map(|call| call.tool.clone());
                // The call says which tool it was; what a result says of itself may be anybody's.
                let tool = called.or(tool).unwrap_or_default();
                let of = self.about(tool);
                self.tainted |= !of.harmless && !text.trim().is_empty();
                self.results.push(Outcome {
                    of,
                    call: at,
                    text,
                    leaves: OnceLock::new(),
                });
            }
        }
    }

    /// What is known of the results of a tool. Most tools are called more than once.
    fn about(&mut self, tool: String) -> Arc<Returning> {
        if let Some(known) = self.returning.iter().find(|known| known.tool == tool) {
            return Arc::clone(known);
        }
        let rule = named(&self.policy.results, &tool);
        let harmless = rule.map_or_else(|| derive::is_harmless(&tool), |(_, rule)| rule.harmless);
        let ruled = named(&self.policy.tools, &tool).and_then(|(_, rule)| rule.class);
        let offered = self.offered.iter().find(|offered| offered.name == tool);
        let class = ruled.unwrap_or_else(|| derive::class(&tool, offered));
        let about = Arc::new(Returning {
            private: rule
                .and_then(|(_, rule)| rule.private)
                .unwrap_or(class == Class::Read && !harmless),
            class,
            rule: match rule {
                Some((name, _)) => Ruled::By(name.to_owned()),
                None if self.policy.unknown == Unknown::Derive => Ruled::Derived,
                None => Ruled::Nothing,
            },
            harmless,
            tool,
        });
        self.returning.push(Arc::clone(&about));
        about
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
            .any(|result| result.of.private && !result.text.trim().is_empty())
    }

    /// The tools that may be called.
    pub(super) fn offered(&self) -> impl Iterator<Item = &str> {
        self.offered.iter().map(|offered| offered.name.as_str())
    }

    /// Whether a value may go into a sink at all, be it after a person was asked.
    pub(super) fn may_flow(&self, value: &Value, tool: &str, sink: &SinkRule) -> bool {
        let origins = self.origins(value, tool);
        let is_allowed = sink
            .allow
            .iter()
            .any(|allowed| allowed.matches(value.folded().as_str()));
        is_allowed || sink.from.iter().chain(&sink.ask).any(|from| origins.are(*from))
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

    /// What a tool does and how bad it is where it goes wrong, as a call with these arguments.
    #[must_use]
    pub fn nature(&self, tool: &str, arguments: &Json) -> (Class, Impact) {
        let offered = self.offered.iter().find(|offered| offered.name == tool);
        nature(&self.policy, tool, offered, arguments)
    }

    /// Whether a tool takes a free text in the place of named arguments: it is offered, and without a schema of them.
    #[must_use]
    pub fn takes_text(&self, tool: &str) -> bool {
        self.offered
            .iter()
            .any(|offered| offered.name == tool && !offered.schema.is_object())
    }

    fn users(&self) -> impl Iterator<Item = FoldedText<'_>> {
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
    pub fn is_typed(&self, text: FoldedText<'_>) -> bool {
        self.users().any(|said| said.holds(text))
    }

    /// Whether the user or the operator typed a value.
    #[must_use]
    pub fn is_said(&self, value: &Value) -> bool {
        self.is_owner(value) || self.said.iter().any(|said| value.is_in(said.folded()))
    }

    fn is_owner(&self, value: &Value) -> bool {
        self.owner.iter().any(|own| value.is(own.text()))
    }

    /// Whether a word is one of the user's.
    fn is_word(&self, word: &str) -> bool {
        self.users().any(|said| {
            said.any(word, |before, after| {
                !before.is_some_and(char::is_alphanumeric) && !after.is_some_and(char::is_alphanumeric)
            })
        })
    }

    /// What a field of a result is worth as the origin of a value of that sort.
    fn worth(&self, result: &Outcome, path: &str, sort: Sort) -> Option<Worth> {
        let rule = match result.of.rule {
            Ruled::Derived => return derive::field(result.of.class, path, sort),
            Ruled::Nothing => return None,
            Ruled::By(_) => result.rule(&self.policy)?,
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

    /// Where a value comes from, as an argument of a call of that tool.
    #[must_use]
    pub fn origins(&self, value: &Value, tool: &str) -> Origins {
        let mut parts = value.all_parts().peekable();
        let mut origins = Origins {
            user: self.users().any(|said| value.is_in(said)),
            system: self
                .said
                .iter()
                .any(|said| !said.by_user && value.is_in(said.folded())),
            owner: self.is_owner(value),
            hinted: value.parts().any(|part| self.is_word(part)),
            spelled: parts.peek().is_some() && parts.all(|part| self.is_word(part)),
            ..Origins::default()
        };
        if origins.user || origins.owner {
            return origins;
        }
        // A short number is told from others where it is a value, and is in texts as any other.
        let as_text = (value.sort() == Sort::Id).then(|| Value::new(Sort::Text, value.folded().as_str()));
        let sought = Sought::new(value);
        for (at, result) in self.results.iter().enumerate() {
            self.look_in(
                at,
                result,
                &sought,
                as_text.as_ref().unwrap_or(value),
                tool,
                &mut origins,
            );
        }
        origins
    }

    fn look_in(
        &self,
        at: usize,
        result: &Outcome,
        sought: &Sought<'_>,
        as_text: &Value,
        tool: &str,
        origins: &mut Origins,
    ) {
        let value = sought.value;
        let leaves = result.leaves().with(&sought.needle);
        let mut leaves = leaves
            .filter_map(|leaf| {
                let folded = leaf.folded();
                let whole = value.is(folded.text());
                (whole || as_text.is_in(folded.text())).then_some((leaf, whole))
            })
            .peekable();
        if leaves.peek().is_none() {
            return;
        }
        // What the model said to the tool and the tool says back proves nothing.
        let is_echo = self.is_echo(result, value) && !self.is_said(value);
        for (leaf, whole) in leaves {
            let whole = whole
                || (leaf.path.is_empty()
                    && leaf
                        .text
                        .split(['\n', ','])
                        .any(|piece| value.is(Folded::of(piece).text())));
            if whole && !is_echo {
                let whence = || self.whence(at, result, leaf);
                match self.worth(result, leaf.path, value.sort()) {
                    Some(Worth::Trusted) if origins.trusted.is_none() => origins.trusted = Some(whence()),
                    Some(Worth::Known) if origins.known.is_none() => origins.known = Some(whence()),
                    _ => {}
                }
            }
            if !result.of.harmless {
                let whence = || self.whence(at, result, leaf);
                // A page does not vouch for the next page: what chains a tool to itself crawls.
                let hops = self
                    .hops()
                    .get(at)
                    .copied()
                    .flatten()
                    .filter(|_| result.of.tool != tool && !is_echo);
                if let Some(hops) = hops
                    && origins.source.as_ref().is_none_or(|(known, _)| hops < *known)
                {
                    origins.source = Some((hops, whence()));
                }
                if origins.seen.is_none() {
                    origins.seen = Some(whence());
                }
            }
        }
    }

    fn is_echo(&self, result: &Outcome, value: &Value) -> bool {
        let Some(call) = result.call.and_then(|call| self.calls.get(call)) else {
            return false;
        };
        let mut own = call.values().iter();
        own.any(|(_, text)| value.is(Folded::of(text).text()))
    }

    fn whence(&self, at: usize, result: &Outcome, leaf: Leaf<'_>) -> Whence {
        let by = result
            .leaves()
            .of_record(leaf.record)
            .filter(|_| leaf.record != 0)
            .find(|other| {
                let key = other.path.rsplit('.').next().unwrap_or("");
                matches!(key, "sender" | "from" | "author" | "owner" | "user")
            });
        Whence {
            tool: result.of.tool.clone(),
            path: leaf.path.to_owned(),
            by: by.filter(|by| by.path != leaf.path).map(|by| by.text.to_owned()),
            result: at,
        }
    }

    /// In how many look-ups the user's words lead to each result.
    fn hops(&self) -> &[Option<u8>] {
        self.hops.get_or_init(|| {
            let looked_up: Vec<Vec<Value>> =
                self.results.iter().map(|result| self.looked_up(result)).collect();
            let by_user = |value: &Value| self.users().any(|said| value.is_in(said));
            let mut hops: Vec<Option<u8>> = looked_up
                .iter()
                .map(|values| values.iter().any(by_user).then_some(1))
                .collect();
            for step in 2..=MAX_HOPS {
                for (at, values) in looked_up.iter().enumerate() {
                    if hops.get(at).copied().flatten().is_none()
                        && self.leads_to(at, values, step, &hops)
                        && let Some(hop) = hops.get_mut(at)
                    {
                        *hop = Some(step);
                    }
                }
            }
            hops
        })
    }

    /// The values by which a result was looked up.
    fn looked_up(&self, result: &Outcome) -> Vec<Value> {
        let Some(call) = result.call.and_then(|call| self.calls.get(call)) else {
            return Vec::new();
        };
        let located_by = result
            .rule(&self.policy)
            .and_then(|rule| rule.located_by.as_ref());
        if located_by.is_none() && result.of.class == Class::Write {
            return Vec::new();
        }
        let values = call.values().iter();
        values
            .filter(|(path, text)| {
                located_by.is_none_or(|paths| paths.contains(path)) && text.trim().chars().nth(1).is_some()
            })
            .map(|(path, text)| {
                let sort = match Sort::Party.of(text) {
                    _ if path.ends_with("url") => Sort::Url,
                    Sort::Name => Sort::Text,
                    sort => sort,
                };
                Value::new(sort, text)
            })
            .collect()
    }

    /// Whether a result that is a step nearer to the user's words, and was there before, names a value by which this one was looked up.
    fn leads_to(&self, at: usize, values: &[Value], step: u8, hops: &[Option<u8>]) -> bool {
        let before = || {
            let nearer = self.results.iter().zip(hops).take(at);
            nearer
                .filter(|(_, hop)| **hop == Some(step.saturating_sub(1)))
                .map(|(result, _)| result)
        };
        before().next().is_some()
            && values.iter().any(|value| {
                let sought = Sought::new(value);
                before().any(|result| result.names(&sought))
            })
    }

    /// A short field that the user typed, of the object that an identifier stands for: the title of the meeting, the name of the file. Whose
    /// it is may be what the user asked for something else: where `by_name`, an address describes nothing.
    #[must_use]
    pub fn is_described(&self, id: &Value, by_name: bool) -> bool {
        let sought = Sought::new(id);
        let tells = |leaf: Leaf<'_>| {
            let folded = leaf.folded();
            let text = folded.as_str();
            (4..=80).contains(&text.chars().count())
                && !text
                    .chars()
                    .all(|char| char.is_numeric() || ".:- t".contains(char))
                && !STATES.contains(&text)
                && (!by_name || Sort::Party.of(text) != Sort::Email)
                && self.is_typed(folded.text())
        };
        self.results.iter().any(|result| {
            let leaves = result.leaves();
            let mut ids = leaves
                .with(&sought.needle)
                .filter(|leaf| leaf.record != 0 && id.is(leaf.folded().text()))
                .filter(|leaf| self.worth(result, leaf.path, Sort::Id).is_some());
            ids.any(|of| leaves.of_record(of.record).any(tells))
        })
    }

    /// A text in results that names a value in passing: "the valid one is now Eve".
    #[must_use]
    pub fn mention(&self, value: &Value) -> Option<Whence> {
        let named = value.folded().text();
        let is_short = value.sort() == Sort::Id && named.as_str().chars().count() < 4;
        self.spoken_of(value, &Needle::of(named.as_str()), |text| {
            text.words().nth(FREE_TEXT.saturating_sub(1)).is_some()
                && match is_short {
                    true => speaks_of_id(text, named),
                    false => text.holds(named),
                }
        })
    }

    /// A text in results that says that what was to go elsewhere goes to a value.
    #[must_use]
    pub fn redirection(&self, value: &Value) -> Option<Whence> {
        self.spoken_of(value, &value.needle(), |text| redirects(text, value))
    }

    /// A text in results that has a value in it, is not that value, and speaks of it in some way.
    fn spoken_of(
        &self,
        value: &Value,
        needle: &Needle<'_>,
        speaks: impl Fn(FoldedText<'_>) -> bool,
    ) -> Option<Whence> {
        let named = value.folded().text();
        let mut results = self.results.iter().enumerate();
        results.find_map(|(at, result)| {
            if result.of.harmless {
                return None;
            }
            let leaf = result.leaves().with(needle).find(|leaf| {
                let folded = leaf.folded();
                let text = folded.text();
                text != named && speaks(text)
            })?;
            Some(self.whence(at, result, leaf))
        })
    }
}

/// What a tool does and how bad it is where it goes wrong, by its rule, or else by its name, its schema and the arguments of a call.
#[must_use]
pub fn nature(
    policy: &ToolPolicy,
    tool: &str,
    offered: Option<&Offered>,
    arguments: &Json,
) -> (Class, Impact) {
    let rule = named(&policy.tools, tool).map(|(_, rule)| rule);
    let written = rule.and_then(|rule| Some((rule.class?, rule.impact?)));
    written.unwrap_or_else(|| {
        let derived = derive::tool(tool, offered, &structure::values(arguments));
        let of = |rule: &ToolRule| {
            (
                rule.class.unwrap_or(derived.class),
                rule.impact.unwrap_or(derived.impact),
            )
        };
        rule.map_or((derived.class, derived.impact), of)
    })
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
fn speaks_of_id(text: FoldedText<'_>, id: FoldedText<'_>) -> bool {
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
