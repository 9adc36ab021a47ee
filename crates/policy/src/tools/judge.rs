//! The decision about one call: may it go through, is a person asked, is it denied, and why. A pure and total function of the evidence, the
//! policy in it, the call and who asks.

use std::collections::BTreeMap;
use std::ops::Range;

use portcullis_core::{Glob, Principal};
use serde_json::Value as Json;

use crate::arguments::{ArgumentRule, Checked, Refused};

use super::evidence::{Evidence, Origins, Whence};
use super::folded::Folded;
use super::rule::{
    Answer, Class, From, Impact, Principals, Sink, SinkRule, ToolPolicy, ToolRule, Trifecta, Unknown, named,
};
use super::sort::{Sort, Value};
use super::structure;
use super::verbs::{Does, Verb, words};

/// What is done about a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallVerdict {
    /// In one word: the strictest of all reasons; without any, it is allowed.
    pub answer: Answer,
    /// Why, in the order of arguments.
    pub reasons: Vec<Reason>,
}

/// Why a call does not simply go through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    /// Which rule says so, as `flow.origin`.
    pub rule: &'static str,
    /// What it asks for.
    pub answer: Answer,
    /// The argument, if it is about one.
    pub path: String,
    /// Its value, shortened.
    pub value: String,
    /// Where the value comes from, as far as that is known.
    pub whence: Option<Whence>,
    /// In a sentence, for the person who is asked and for the model.
    pub why: String,
}

/// How much of a value is shown.
const SHOWN: usize = 120;

/// Judges a call. `beside` has the tools of the calls that the same reply makes before it.
#[must_use]
pub fn judge(
    evidence: &Evidence,
    who: &Principal,
    tool: &str,
    arguments: &Json,
    beside: &[String],
) -> CallVerdict {
    let mut call = Call::new(evidence, tool, arguments);
    call.standing(who, beside);
    call.arguments(arguments);
    if call.rule.is_none() {
        call.unknown();
    }
    call.shape(arguments);
    if call.class != Class::Read && evidence.is_tainted() && call.fixed.is_none() {
        call.flow();
    }
    if call.class != Class::Read && evidence.is_tainted() {
        call.trifecta();
    }
    let answer = call
        .reasons
        .iter()
        .map(|reason| reason.answer)
        .max()
        .unwrap_or(Answer::Allow);
    CallVerdict {
        answer,
        reasons: call.reasons,
    }
}

impl Reason {
    /// In a few words, for whoever called: nothing in it was written by a stranger.
    #[must_use]
    pub fn briefly(&self) -> String {
        let path: String = self
            .path
            .chars()
            .filter(|char| char.is_alphanumeric() || "_-.[]".contains(*char))
            .take(64)
            .collect();
        match self.rule {
            "flow.origin" => format!("`{path}` does not come from the user"),
            "flow.known" => {
                format!("`{path}` comes from a field that others write, and the user did not name it")
            }
            "flow.source" => {
                format!("`{path}` comes from a text that others wrote, and the user did not name it")
            }
            "flow.mentioned" => format!("`{path}` is named by a text that others wrote, and not by the user"),
            "flow.redirected" => {
                format!(
                    "a text that others wrote says that `{path}` is another now, and it may have been named for something else"
                )
            }
            "flow.unnamed" => format!("it cannot be undone, and the user did not name `{path}`"),
            "flow.intent" => "the user's last message does not ask for it".to_owned(),
            "flow.text" => "it takes a free text, which could do anything".to_owned(),
            "flow.content" => {
                format!("`{path}` carries a link, an address or a number that is not the user's")
            }
            "flow.trifecta" => "it could carry private data out".to_owned(),
            "tool.quota" => "it was called as often as it may be".to_owned(),
            "tool.sequence" => "it may not follow what was called before".to_owned(),
            "tool.answer" if self.answer == Answer::Ask => "every call of it is to be agreed to".to_owned(),
            "tool.unknown" => "no rule names it".to_owned(),
            "tool.arguments" => "its arguments cannot be read".to_owned(),
            _ if self.path.is_empty() => "it may not be called".to_owned(),
            _ => format!("`{path}` is not what it may be"),
        }
    }
}

/// Whether a client may offer a tool to a model.
///
/// # Errors
/// Why not.
pub fn may_offer(
    policy: &ToolPolicy,
    who: &Principal,
    tool: &str,
    provided: bool,
) -> Result<(), &'static str> {
    match named(&policy.tools, tool) {
        Some((_, rule)) => {
            if rule.answer == Some(Answer::Deny) {
                return Err("its rule denies it");
            }
            if rule.principals.as_ref().is_some_and(|allowed| !allowed.has(who)) {
                return Err("its rule is for others");
            }
            Ok(())
        }
        None if policy.unknown == Unknown::Deny => Err("no rule names it"),
        // Nobody sees what the provider runs before it has run: it is named, or it is not offered. Where there are no rules at all, there is
        // nothing to name it in.
        None if provided && !policy.tools.is_empty() => Err("the provider runs it, and no rule names it"),
        None => Ok(()),
    }
}

/// A call under judgement.
struct Call<'e> {
    evidence: &'e Evidence,
    tool: &'e str,
    rule: Option<&'e ToolRule>,
    class: Class,
    impact: Impact,
    fixed: Option<Answer>,
    sinks: BTreeMap<String, Sink>,
    content: Vec<String>,
    values: Vec<(String, String)>,
    /// The values that decide who or what is touched, each with its rule.
    touched: Vec<(String, String, SinkRule)>,
    reasons: Vec<Reason>,
    /// Whether the user named what is touched.
    named: bool,
}

impl<'e> Call<'e> {
    fn new(evidence: &'e Evidence, tool: &'e str, arguments: &Json) -> Call<'e> {
        let values = structure::values(arguments);
        let (rule, derived) = evidence.rule(tool, &values);
        let class = rule.and_then(|rule| rule.class).unwrap_or(derived.class);
        let sinks = rule.and_then(|rule| rule.sinks.clone()).unwrap_or(derived.sinks);
        Call {
            evidence,
            touched: touched(&sinks, &values),
            tool,
            class,
            impact: rule.and_then(|rule| rule.impact).unwrap_or(derived.impact),
            fixed: rule.and_then(|rule| rule.answer),
            sinks,
            content: rule
                .and_then(|rule| rule.content.clone())
                .unwrap_or(derived.content),
            rule,
            values,
            reasons: Vec::new(),
            named: false,
        }
    }

    fn because(
        &mut self,
        rule: &'static str,
        answer: Answer,
        at: Option<(&str, &str)>,
        whence: Option<Whence>,
        why: String,
    ) {
        let (path, value) = at.unwrap_or_default();
        self.reasons.push(Reason {
            rule,
            answer,
            path: path.to_owned(),
            value: value.chars().take(SHOWN).collect(),
            whence,
            why,
        });
    }

    /// What holds for a call whatever its arguments say.
    fn standing(&mut self, who: &Principal, beside: &[String]) {
        let tool = self.tool;
        if let Some(rule) = self.rule {
            if rule.principals.as_ref().is_some_and(|allowed| !allowed.has(who)) {
                self.because(
                    "tool.principal",
                    Answer::Deny,
                    None,
                    None,
                    format!("{tool} may not be called by this key"),
                );
            }
            if let Some(answer) = rule.answer.filter(|answer| *answer != Answer::Allow) {
                let why = match answer {
                    Answer::Ask => format!("every call of {tool} is to be agreed to"),
                    _ => format!("{tool} may not be called"),
                };
                self.because("tool.answer", answer, None, None, why);
            }
            if let Some(most) = rule.quota {
                let made = self.evidence.called().chain(beside.iter().map(String::as_str));
                let made = made.filter(|name| *name == tool).count();
                if made >= most as usize {
                    self.because(
                        "tool.quota",
                        Answer::Deny,
                        None,
                        None,
                        format!("{tool} was called {made} times already"),
                    );
                }
            }
        }
        let evidence = self.evidence;
        for sequence in &evidence.policy().sequences {
            if !sequence.never.iter().any(|glob| glob.matches(tool)) {
                continue;
            }
            let mut before = evidence.called().chain(beside.iter().map(String::as_str));
            if let Some(first) = before.find(|name| sequence.after.iter().any(|glob| glob.matches(name))) {
                let why = format!("{tool} may not be called after {first}");
                self.because("tool.sequence", sequence.answer, None, None, why);
            }
        }
    }

    /// What arguments may be by their kind. One that is missing is the tool's own affair.
    fn arguments(&mut self, arguments: &Json) {
        let Some(rule) = self.rule else { return };
        for (path, argument) in &rule.arguments {
            for value in at(arguments, path) {
                let refused = match argument.check(value) {
                    Ok(Checked::Passed) => continue,
                    // What is sent must be what was judged, and a reply's arguments are not rewritten: the model may send them so.
                    Ok(Checked::Rewritten(form)) => {
                        Refused::new("tool.form", format!("only in this form: {form}"))
                    }
                    Err(refused) => refused,
                };
                let shown = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                let why = format!("{path}: {}", refused.why);
                self.because(refused.rule, Answer::Deny, Some((path, &shown)), None, why);
            }
        }
    }

    /// Arguments that have no names: nobody can tell which of them decides what. A free text, where a tool takes one, is for a person.
    fn shape(&mut self, arguments: &Json) {
        let is_named = arguments.is_null() || arguments.is_object();
        let ruled = self.rule.is_some_and(|rule| !rule.arguments.is_empty());
        let matters = self.class != Class::Read && self.evidence.is_tainted();
        if !is_named && (ruled || matters) {
            let why = format!("the arguments of {} have no names", self.tool);
            self.because("tool.arguments", Answer::Deny, None, None, why);
        } else if matters && self.fixed.is_none() && self.evidence.takes_text(self.tool) {
            let is_settled = self.rule.is_some_and(|rule| rule.sinks.is_some());
            let free = self.values.iter().find(|(path, _)| path == "input").cloned();
            if let Some((path, text)) = free.filter(|_| !is_settled) {
                let why = format!("{} takes a free text, which could do anything", self.tool);
                self.because("flow.text", Answer::Ask, Some((&path, &text)), None, why);
            }
        }
    }

    /// A tool that no rule names.
    fn unknown(&mut self) {
        let tool = self.tool;
        match self.evidence.policy().unknown {
            Unknown::Derive => {}
            Unknown::Ask if self.class == Class::Read => {}
            Unknown::Ask => self.because(
                "tool.unknown",
                Answer::Ask,
                None,
                None,
                format!("no rule names {tool}"),
            ),
            Unknown::Deny => self.because(
                "tool.unknown",
                Answer::Deny,
                None,
                None,
                format!("no rule names {tool}"),
            ),
        }
    }

    /// Where the values come from, and whether the call was asked for.
    fn flow(&mut self) {
        let touched = std::mem::take(&mut self.touched);
        for (path, text, sink) in &touched {
            for text in one_by_one(sink.sort, text) {
                self.sink(path, text, sink);
            }
        }
        self.touched = touched;
        self.intent();
        self.content();
    }

    fn sink(&mut self, path: &str, text: &str, rule: &SinkRule) {
        let value = Value::new(rule.sort, text);
        let value = &value;
        if rule.allow.iter().any(|allowed| allowed.matches(text)) {
            return;
        }
        let origins = self.evidence.origins(value, self.tool);
        let may = |from: &[From]| from.iter().any(|from| origins.are(*from));
        let at = Some((path, text));
        if may(&rule.from) {
            self.named |= origins.user;
            if (origins.user || origins.system) && !origins.owner {
                self.redirected(path, text, value);
            }
            // A field of the tool's own says that there is such a thing, not that it is the one that was meant.
            if !(origins.user || origins.system || origins.owner)
                && rule.from.contains(&From::Trusted)
                && origins.trusted.is_some()
            {
                self.chosen(path, text, value, &origins);
            }
            return;
        }
        if may(&rule.ask) {
            let is_source_of_fetch = self.class == Class::Fetch
                && value.sort() == Sort::Url
                && origins.source.as_ref().is_some_and(|(hops, _)| *hops == 1);
            let is_meant = (origins.known.is_some() && origins.hinted)
                || (origins.source.as_ref().is_some_and(|(hops, _)| *hops == 1) && origins.spelled);
            if is_meant || is_source_of_fetch {
                self.named = true;
                return;
            }
            let (rule, whence) = match (origins.known, origins.source) {
                (Some(known), _) => ("flow.known", Some(known)),
                (None, source) => ("flow.source", source.map(|(_, whence)| whence)),
            };
            let why = told(path, text, whence.as_ref(), "and the user did not name it");
            self.because(rule, Answer::Ask, at, whence, why);
            return;
        }
        let otherwise = rule.otherwise.or(self.rule.and_then(|rule| rule.otherwise));
        let is_read = self.class == Class::Fetch && value.sort() == Sort::Url && origins.seen.is_some();
        let default = if self.rule.is_none() || is_read {
            Answer::Ask
        } else {
            Answer::Deny
        };
        let whence = origins.seen;
        let why = told(
            path,
            text,
            whence.as_ref(),
            "and the user's words did not lead there",
        );
        self.because("flow.origin", otherwise.unwrap_or(default), at, whence, why);
    }

    /// A value that the user or the operator named, and that a text of others puts in the place of another one: it may have been named for
    /// something else.
    fn redirected(&mut self, path: &str, text: &str, value: &Value) {
        if self.class == Class::Write
            && let Some(whence) = self.evidence.redirection(value)
        {
            let but = "which says that it is another now; it was named, but perhaps for something else";
            let why = told(path, text, Some(&whence), but);
            self.because(
                "flow.redirected",
                Answer::Ask,
                Some((path, text)),
                Some(whence),
                why,
            );
        }
    }

    /// A value that the model chose among those that a tool knows.
    fn chosen(&mut self, path: &str, text: &str, value: &Value, origins: &Origins) {
        let by_name = self.impact == Impact::Irreversible;
        if origins.hinted || (value.sort() == Sort::Id && self.evidence.is_described(value, by_name)) {
            self.named = true;
        } else if let Some(whence) = self.evidence.mention(value) {
            let why = told(
                path,
                text,
                Some(&whence),
                "a text that names it, and the user did not",
            );
            self.because(
                "flow.mentioned",
                Answer::Ask,
                Some((path, text)),
                Some(whence),
                why,
            );
        } else if self.impact == Impact::Irreversible {
            let why = format!(
                "{} cannot be undone, and the user did not name {}",
                self.tool,
                shown(text)
            );
            self.because(
                "flow.unnamed",
                Answer::Ask,
                Some((path, text)),
                origins.trusted.clone(),
                why,
            );
        }
    }

    /// Whether the user asked for the call: by naming what is touched, by words that the call repeats, by a verb.
    fn intent(&mut self) {
        let may_be_meant = self.impact != Impact::Irreversible;
        if (may_be_meant && self.named) || self.is_asked() || (may_be_meant && self.repeats()) {
            return;
        }
        let why = format!("the user's last message does not ask for {}", self.tool);
        self.because("flow.intent", Answer::Ask, None, None, why);
    }

    fn is_asked(&self) -> bool {
        if let Some(phrases) = self.rule.and_then(|rule| rule.intent.as_ref()) {
            return phrases.is_empty() || phrases.iter().any(|phrase| self.evidence.is_asked(phrase));
        }
        // Names have nouns that are verbs elsewhere: of `delete_message`, only `delete` counts, of `update_record`, only `update`.
        let words = words(self.tool);
        let verbs = || words.iter().filter_map(|word| Verb::of(word));
        let destroys = verbs().find(|verb| verb.does == Does::Destroys);
        let phrases = destroys
            .or_else(|| verbs().next())
            .map_or(&[][..], |verb| verb.said);
        phrases.iter().any(|phrase| self.evidence.is_asked(phrase))
    }

    /// Whether an argument besides the sinks is in the user's words: a title, a text that was dictated.
    fn repeats(&self) -> bool {
        self.values.iter().any(|(path, text)| {
            let folded = Folded::of(text);
            folded.as_str().chars().nth(3).is_some()
                && !folded.as_str().chars().all(char::is_numeric)
                && !self.touched.iter().any(|(sink, ..)| sink == path)
                && self.evidence.is_typed(folded.text())
        })
    }

    /// What a text carries to its reader: links, addresses and numbers that the user did not type.
    fn content(&mut self) {
        let content: Vec<(String, String)> = self
            .values
            .iter()
            .filter(|(path, _)| {
                self.content
                    .iter()
                    .any(|content| content == path || path.starts_with(&format!("{content}[")))
            })
            .cloned()
            .collect();
        for (path, text) in content {
            for (_, value) in carried(&text) {
                let is_known = |value: &Value| {
                    let origins = self.evidence.origins(value, self.tool);
                    value.sort() == Sort::Email && origins.trusted.is_some()
                };
                if self.evidence.is_said(&value) || is_known(&value) {
                    continue;
                }
                let whence = self.evidence.origins(&value, self.tool).seen;
                let shown = value.folded().as_str().to_owned();
                let why = told(
                    &path,
                    &shown,
                    whence.as_ref(),
                    "and whoever gets the text may follow it",
                );
                self.because("flow.content", Answer::Ask, Some((&path, &shown)), whence, why);
            }
        }
    }

    /// Private data, untrusted content and a way out, where nobody said where it goes.
    fn trifecta(&mut self) {
        let setting = self.evidence.policy().trifecta;
        let is_out = self.class == Class::Fetch
            || self.sinks.values().any(|sink| {
                matches!(
                    sink.rule().sort,
                    Sort::Email | Sort::Url | Sort::Account | Sort::Party
                )
            })
            || self.fixed == Some(Answer::Allow);
        let is_settled = self.reasons.iter().any(|reason| reason.answer != Answer::Allow);
        if setting == Trifecta::Off || is_settled || !is_out || !self.evidence.is_private() || self.named {
            return;
        }
        let goes_to_known = {
            !self.touched.is_empty()
                && self.touched.iter().all(|(_, text, rule)| {
                    let origins = self.evidence.origins(&Value::new(rule.sort, text), self.tool);
                    origins.user
                        || origins.system
                        || origins.owner
                        || origins.trusted.is_some()
                        || rule.allow.iter().any(|allowed| allowed.matches(text))
                })
        };
        if goes_to_known || self.is_asked() {
            return;
        }
        let answer = if setting == Trifecta::Deny {
            Answer::Deny
        } else {
            Answer::Ask
        };
        let why = format!(
            "{} could carry private data out of a conversation in which strangers have written, and the user did not say where to",
            self.tool
        );
        self.because("flow.trifecta", answer, None, None, why);
    }
}

/// The values that are of a sink. Whatever stands under the place of one is of it: a tool may take a text in the place of a list.
fn touched(sinks: &BTreeMap<String, Sink>, values: &[(String, String)]) -> Vec<(String, String, SinkRule)> {
    let plain = |path: &str| path.replace("[]", "");
    let sinks: Vec<(String, &String, &Sink)> = sinks
        .iter()
        .map(|(path, sink)| (plain(path), path, sink))
        .collect();
    let of = |path: &str| {
        let path = plain(path);
        sinks
            .iter()
            .filter(|(sink, ..)| {
                path.strip_prefix(sink.as_str())
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
            })
            .max_by_key(|(_, written, _)| written.len())
            .map(|(.., sink)| sink.rule())
    };
    values
        .iter()
        .filter(|(_, text)| !text.trim().is_empty())
        .filter_map(|(path, text)| Some((path.clone(), text.clone(), of(path)?)))
        .collect()
}

/// The values at a path: `a.b`, and `[]` for every item of a list.
fn at<'v>(value: &'v Json, path: &str) -> Vec<&'v Json> {
    let mut found = vec![value];
    for step in path.split('.') {
        let (name, lists) = step.split_once("[]").map_or((step, 0), |(name, rest)| {
            (name, rest.matches("[]").count().saturating_add(1))
        });
        if !name.is_empty() {
            found = found.into_iter().filter_map(|value| value.get(name)).collect();
        }
        for _ in 0..lists {
            found = found.into_iter().filter_map(Json::as_array).flatten().collect();
        }
    }
    found
}

impl Principals {
    /// Whether somebody is in one of the lists.
    #[must_use]
    pub fn has(&self, who: &Principal) -> bool {
        let any = |list: &[Glob], name: Option<&str>| {
            name.is_some_and(|name| list.iter().any(|glob| glob.matches(name)))
        };
        any(&self.orgs, who.org.as_deref())
            || any(&self.teams, who.team.as_deref())
            || any(&self.users, who.user.as_deref())
            || any(&self.keys, Some(&who.name))
            || who.roles.iter().any(|role| any(&self.roles, Some(role)))
    }
}

impl Origins {
    pub(super) fn are(&self, from: From) -> bool {
        match from {
            From::User => self.user,
            From::System => self.system,
            From::Owner => self.owner,
            From::Trusted => self.trusted.is_some(),
            From::Known => self.known.is_some(),
            From::Source => self.source.is_some(),
            From::Anywhere => true,
        }
    }
}

/// The addresses in one text; any other text is one value.
fn one_by_one(sort: Sort, text: &str) -> impl Iterator<Item = &str> {
    let is_list = matches!(sort, Sort::Email | Sort::Party) && text.matches('@').nth(1).is_some();
    let pieces = if is_list {
        text.split(&[',', ';'][..])
    } else {
        text.split(&['\0'][..])
    };
    pieces.map(str::trim).filter(|piece| !piece.is_empty())
}

/// Links, addresses and numbers of accounts in a text, and where each of them stands.
pub(super) fn carried(text: &str) -> Vec<(Range<usize>, Value)> {
    let is_between = |char: char| char.is_whitespace() || "<>()[]{}\"'|`\\".contains(char);
    let mut values = Vec::new();
    let mut at = 0usize;
    for piece in text.split_inclusive(is_between) {
        let begins = at;
        at = at.saturating_add(piece.len());
        let token = piece.trim_end_matches(is_between);
        let ends = |char: char| ".,;:!?*".contains(char);
        let left = token.trim_start_matches(ends);
        let start = begins.saturating_add(token.len().saturating_sub(left.len()));
        let token = left.trim_end_matches(ends);
        if token.len() < 4 {
            continue;
        }
        let folded = Folded::of(token);
        // Folded, a word may be several: a bracket of another script is one, and a sentence may be glued to a link.
        let words = folded.as_str().split(is_between);
        for value in words.filter_map(|word| shaped(word.trim_matches(ends))) {
            values.push((start..start.saturating_add(token.len()), value));
        }
    }
    values
}

/// What a word is by its shape, if it is a link, an address or the number of an account.
fn shaped(token: &str) -> Option<Value> {
    if token.contains('@') {
        is_address(token).then(|| Value::new(Sort::Email, token))
    } else if is_link(token) {
        Some(Value::new(Sort::Url, token))
    } else if Sort::Party.of(token) == Sort::Account && !is_date(token) {
        Some(Value::new(Sort::Account, token))
    } else {
        None
    }
}

fn is_address(token: &str) -> bool {
    token
        .split_once('@')
        .is_some_and(|(name, host)| !name.is_empty() && host.contains('.'))
}

fn is_link(token: &str) -> bool {
    if token.contains("://") || token.starts_with("www.") {
        return true;
    }
    let host = token.split(['/', '?', '#']).next().unwrap_or("");
    let Some((name, top)) = host.rsplit_once('.') else {
        return false;
    };
    let is_label =
        |label: &str| !label.is_empty() && label.chars().all(|char| char.is_alphanumeric() || char == '-');
    name.split('.').all(is_label)
        && name.chars().any(char::is_alphabetic)
        && (2..=24).contains(&top.len())
        && top.chars().all(|char| char.is_ascii_alphabetic())
        && !FILES.contains(&top)
}

/// Endings of files that are no hosts, or hardly ever.
const FILES: &[&str] = &[
    "doc", "docx", "xls", "xlsx", "ppt", "pptx", "pdf", "txt", "csv", "json", "xml", "yaml", "yml", "md",
    "html", "htm", "jpg", "jpeg", "png", "gif", "svg", "mp", "wav", "mov", "zip", "tar", "gz", "exe", "py",
    "js", "ts", "rs", "go", "java", "log", "sql", "eml", "ics",
];

fn is_date(token: &str) -> bool {
    let digits = token.bytes().filter(u8::is_ascii_digit).count();
    digits == 8 && token.matches('-').count() == 2
}

fn shown(text: &str) -> String {
    let short: String = text.chars().take(SHOWN).collect();
    format!("{short:?}")
}

/// Where a value comes from, in words.
fn told(path: &str, text: &str, whence: Option<&Whence>, but: &str) -> String {
    let value = shown(text);
    match whence {
        None => format!("{path} is {value}, which is in no message of the user and in no result"),
        Some(Whence {
            tool,
            path: field,
            by,
            ..
        }) => {
            let field = if field.is_empty() {
                "the text".to_owned()
            } else {
                format!("the field `{field}`")
            };
            let by = by
                .as_ref()
                .map_or(String::new(), |by| format!(", written by {}", shown(by)));
            format!("{path} is {value}, from {field} of a result of {tool}{by}, {but}")
        }
    }
}
