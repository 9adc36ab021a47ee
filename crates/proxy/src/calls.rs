//! Tool calls of a reply, held to the tool policy of the key. What a conversation proves is known from the request; each call is judged when
//! its arguments are whole, as the client would get them, and before anything of it has left.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::future::join_all;
use portcullis_core::{
    Action, Channel, Decision, Direction, Family, Finding, Kind, Located, Origin, Part, Principal,
    RecordedFinding, Severity, Span,
};
use portcullis_dialect::{Document, Exchange, NodeId, Offer, Reading, Sort, Step};
use portcullis_policy::tools::{
    Answer, CallVerdict, Conversation, Evidence, Offered, Reason, ToolPolicy, Turn, Unknown, judge, may_offer,
};
use portcullis_policy::{Mode, Profile};
use portcullis_store::Approval;
use serde_json::Value;

use crate::approvals::{Agreed, Approving, Put};
use crate::calling::{Calling, may_call};
use crate::record::Record;

/// A tool policy by its name.
#[derive(Clone, Debug)]
pub struct NamedToolPolicy {
    /// Its name in the configuration.
    pub name: Arc<str>,
    /// What it says.
    pub policy: Arc<ToolPolicy>,
}

impl NamedToolPolicy {
    /// What holds where the configuration says nothing.
    #[must_use]
    pub fn derived() -> NamedToolPolicy {
        NamedToolPolicy {
            name: Arc::from("derived"),
            policy: Arc::default(),
        }
    }

    /// What holds for a key whose policy is not there any more: nothing goes through.
    #[must_use]
    pub fn missing(name: &str) -> NamedToolPolicy {
        NamedToolPolicy {
            name: Arc::from(name),
            policy: Arc::new(ToolPolicy {
                unknown: Unknown::Deny,
                ..ToolPolicy::default()
            }),
        }
    }
}

/// What the calls of one reply are judged by.
pub(crate) struct ToolGuard {
    name: Arc<str>,
    evidence: Evidence,
    who: Arc<Principal>,
    enforces: bool,
    approving: Approving,
    /// Who is asked for by the operator's policies; where calls are made at a server, that is asked before.
    calling: Option<Calling>,
    /// Whether the tool policy is held to, or the operator's policies alone.
    checks: bool,
    /// The server that the calls are made at, where they are not given to a client but made.
    at: Option<Arc<str>>,
}

impl ToolGuard {
    /// The guard of the reply to a request. `unseen` says that the model reads what is not in
    /// the request: a conversation that the provider keeps, what its own tools find.
    pub fn of(
        named: &NamedToolPolicy,
        calling: Calling,
        profile: &Profile,
        exchange: &dyn Exchange,
        reading: &Reading,
        (unseen, approving): (bool, Approving),
    ) -> Arc<ToolGuard> {
        // What is not here to be looked at is taken for untrusted, and it vouches for nothing.
        let conversation = Conversation {
            tainted: unseen,
            ..conversation(exchange, reading)
        };
        Arc::new(ToolGuard {
            name: Arc::clone(&named.name),
            evidence: Evidence::new(Arc::clone(&named.policy), conversation),
            who: Arc::clone(calling.who()),
            enforces: profile.mode == Mode::Enforce,
            approving,
            calling: Some(calling),
            checks: !profile.danger_tools_unchecked,
            at: None,
        })
    }

    /// The guard of calls that are made at a server of tools, with what the session with it has shown.
    pub fn at(
        server: &Arc<str>,
        named: &NamedToolPolicy,
        (who, mode): (&Arc<Principal>, Mode),
        conversation: Conversation,
        approving: Approving,
    ) -> Arc<ToolGuard> {
        Arc::new(ToolGuard {
            name: Arc::clone(&named.name),
            evidence: Evidence::new(Arc::clone(&named.policy), conversation),
            who: Arc::clone(who),
            enforces: mode == Mode::Enforce,
            approving,
            calling: None,
            checks: true,
            at: Some(Arc::clone(server)),
        })
    }

    /// What is decided about a call. Where it comes from is not asked again of one that was judged in the reply that asked for it: there the
    /// whole conversation was before the judge.
    fn verdict(&self, tool: &str, value: Option<&Value>, made: &[String]) -> CallVerdict {
        if !self.checks {
            return CallVerdict {
                answer: Answer::Allow,
                reasons: Vec::new(),
            };
        }
        let Some(value) = value else {
            return unreadable();
        };
        let mut verdict = judge(&self.evidence, &self.who, tool, value, made);
        let is_flow = |reason: &Reason| reason.rule.starts_with("flow.");
        let Some(server) = self.at.as_deref() else {
            return verdict;
        };
        if verdict.reasons.iter().any(is_flow) && self.approving.was_vetted(server, tool, value) {
            verdict.reasons.retain(|reason| !is_flow(reason));
            let strictest = verdict.reasons.iter().map(|reason| reason.answer).max();
            verdict.answer = strictest.unwrap_or(Answer::Allow);
        }
        verdict
    }

    /// What of the operator's policies denies a call; nothing where they permit it.
    fn forbids(&self, tool: &str, arguments: &Value) -> Vec<String> {
        let Some(calling) = self.calling.as_ref().filter(|calling| calling.has_policies()) else {
            return Vec::new();
        };
        let nature = self.evidence.nature(tool, arguments);
        may_call(calling, None, tool, nature).err().unwrap_or_default()
    }

    /// Settles a call that is made at a server: nothing where it may be made, else what is told in its place. A person who is asked may be
    /// waited for.
    pub async fn settle(
        &self,
        tool: &str,
        arguments: &str,
        patience: Duration,
        record: &Mutex<Record>,
    ) -> Result<Option<Agreed>, String> {
        let value = read(arguments, self.evidence.takes_text(tool));
        let verdict = self.verdict(tool, value.as_ref(), &[]);
        let server = self.at.as_deref().unwrap_or_default();
        let named = format!("{server}/{tool}");
        let (mut agreed, mut asked) = (None, None);
        if let (Answer::Ask, true, Some(value)) = (verdict.answer, self.enforces, &value) {
            agreed = self.approving.agreed(&named, value);
            if agreed.is_none()
                && let Some(approval) = self.approving.ask(&named, value, arguments, &verdict.reasons)
            {
                asked = Some(approval.id.clone());
                match self.approving.put(approval, patience).await {
                    Put::Agreed(grant) => agreed = Some(*grant),
                    Put::Asked(id) => asked = Some(id),
                    Put::Nowhere => {}
                }
            }
        }
        let mut record = record.lock().unwrap_or_else(PoisonError::into_inner);
        note(
            self,
            tool,
            &verdict,
            (self.enforces, agreed.is_some()),
            &mut record,
        );
        if verdict.answer == Answer::Allow || !self.enforces || agreed.is_some() {
            return Ok(agreed);
        }
        Err(told(tool, &verdict, asked.as_deref()))
    }

    /// Values in what others wrote that no call could send anything to, where the policy of an offered tool says that the model does not
    /// read them.
    pub fn unusable(&self, reading: &Reading) -> Vec<Located> {
        let sanitising = self
            .evidence
            .sanitising()
            .filter(|_| self.enforces && self.checks);
        let Some(sanitising) = sanitising else {
            return Vec::new();
        };
        let is_others = |origin| matches!(origin, Origin::ToolResult | Origin::Document | Origin::Unknown);
        let parts = reading.parts().filter(|part| is_others(part.origin));
        let of = |part: Part<'_>| {
            let unusable = sanitising.unusable(part.text).into_iter();
            let located = unusable.map(|range| Located {
                part: part.id,
                channel: part.channel,
                origin: part.origin,
                finding: Finding {
                    kind: Kind::new("flow.sanitised"),
                    family: Family::Tool,
                    span: Span::new(range.start, range.end),
                    severity: Severity::Medium,
                    score: 1.0,
                    target: None,
                },
                piece: 0,
            });
            located.collect::<Vec<_>>()
        };
        parts.flat_map(of).collect()
    }

    /// The name of the tool policy.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The tool of a request that may not be offered, if there is one: what says so, and its name.
    pub fn refuses_offer(&self, offers: &[Offer]) -> Option<(Vec<String>, String)> {
        offers.iter().find_map(|offer| {
            let tool: String = offer.name.chars().take(100).collect();
            let may = may_offer(self.evidence.policy(), &self.who, &offer.name, offer.provided);
            let by = match may {
                Err(why) if self.checks => vec![format!("tools.{}.{tool}: {why}", self.name)],
                _ => self.forbids(&offer.name, &Value::Null),
            };
            (!by.is_empty()).then_some((by, tool))
        })
    }
}

/// The conversation that a request tells.
fn conversation(exchange: &dyn Exchange, reading: &Reading) -> Conversation {
    let document = reading.document();
    let origins: HashMap<NodeId, Origin> = reading.origins().collect();
    let text = |node: NodeId| match document.sort(node) {
        Sort::String => document.text(node).to_owned(),
        _ => document.wire(node).to_owned(),
    };
    let turns = exchange.steps(document).into_iter().map(|step| match step {
        Step::Said(node) => Turn::Said {
            origin: origins.get(&node).copied().unwrap_or(Origin::Unknown),
            text: text(node),
        },
        Step::Called { id, name, arguments } => Turn::Called {
            id,
            tool: name,
            arguments: arguments.map_or(Value::Null, |node| {
                let text = text(node);
                serde_json::from_str(&text).unwrap_or(Value::String(text))
            }),
        },
        Step::Returned { call, name, content } => Turn::Returned {
            call,
            tool: name,
            text: content.into_iter().map(text).collect::<Vec<_>>().join("\n"),
        },
    });
    let offered = exchange.offers(document).into_iter().map(|offer| Offered {
        name: offer.name,
        about: offer.about.map_or_else(String::new, text),
        schema: offer
            .schema
            .and_then(|node| serde_json::from_str(document.wire(node)).ok())
            .unwrap_or(Value::Null),
    });
    Conversation {
        turns: turns.collect(),
        offered: offered.collect(),
        tainted: false,
    }
}

/// What is done about a call of a reply.
#[derive(Clone, Debug)]
pub(crate) enum Word {
    /// It goes through.
    Passes,
    /// It does not; what is told in its place.
    Told(Arc<str>),
    /// A person is waited for.
    Waits,
}

/// Which of the calls of a reply that say the same, counted from 0. A grant is for one of them, and each counts towards a quota.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Nth {
    /// That one.
    One(usize),
    /// One that a list of all calls says once more, and which of them is not told: what holds for the strictest of them holds for each.
    Again(usize),
}

/// What a person is asked while the reply is held.
struct Question {
    /// The call, by its place among those that were judged.
    at: usize,
    approval: Approval,
    verdict: CallVerdict,
    value: Value,
}

/// What became of a question: the person's agreement, or the id under which it stands.
type Answered = Vec<(Question, Put)>;

/// What is awaited while a reply is held.
pub(crate) type Awaited = Pin<Box<dyn Future<Output = Answers> + Send>>;

/// What persons said to the questions of a reply.
pub(crate) struct Answers(Answered);

/// The calls of one reply so far.
pub(crate) struct Calls {
    guard: Arc<ToolGuard>,
    judged: Vec<Judged>,
    /// Tools of the calls that go through.
    made: Vec<String>,
    /// What a person is to be asked, and is not kept yet.
    asked: Vec<Approval>,
    /// What a person is asked while the reply is held, and whom nobody is waiting for yet.
    questions: Vec<Question>,
    /// Until when it may be held.
    until: Option<Instant>,
}

/// A call that was judged.
struct Judged {
    tool: String,
    arguments: String,
    word: Word,
}

impl Calls {
    pub fn new(guard: Arc<ToolGuard>) -> Calls {
        Calls {
            guard,
            judged: Vec::new(),
            made: Vec::new(),
            asked: Vec::new(),
            questions: Vec::new(),
            until: None,
        }
    }

    fn same(&self, tool: &str, arguments: &str) -> impl Iterator<Item = &Word> {
        let same = move |known: &&Judged| known.tool == tool && known.arguments == arguments;
        self.judged.iter().filter(same).map(|known| &known.word)
    }

    /// How many calls that say this were judged.
    pub fn count(&self, tool: &str, arguments: &str) -> usize {
        self.same(tool, arguments).count()
    }

    /// What was said of a call, if it was judged.
    fn known(&self, tool: &str, arguments: &str, nth: Nth) -> Option<Word> {
        match nth {
            Nth::One(number) => self.same(tool, arguments).nth(number).cloned(),
            Nth::Again(number) if number < self.count(tool, arguments) => {
                let strictness = |word: &&Word| match word {
                    Word::Passes => 0,
                    Word::Waits => 1,
                    Word::Told(_) => 2,
                };
                self.same(tool, arguments).max_by_key(strictness).cloned()
            }
            Nth::Again(_) => None,
        }
    }

    /// Judges a call.
    pub fn judge(&mut self, tool: &str, arguments: &str, nth: Nth, record: &mut Record) -> Word {
        if let Some(word) = self.known(tool, arguments, nth) {
            return word;
        }
        let value = read(arguments, self.guard.evidence.takes_text(tool));
        let mut verdict = self.guard.verdict(tool, value.as_ref(), &self.made);
        // As everything that these policies deny, whatever the mode of the profile is.
        let forbidden = self.guard.forbids(tool, value.as_ref().unwrap_or(&Value::Null));
        let enforces = self.guard.enforces || !forbidden.is_empty();
        if !forbidden.is_empty() {
            verdict.answer = Answer::Deny;
            verdict
                .reasons
                .push(denied("tool.policy", "no policy lets it be called"));
            record.audit.denied_by.extend(forbidden);
        }
        let asks = value
            .as_ref()
            .filter(|_| verdict.answer == Answer::Ask && enforces);
        let agreed = asks.is_some_and(|value| self.guard.approving.has(tool, value));
        if let (Some(value), false) = (asks, agreed)
            && self.may_wait()
            && let Some(approval) = self.guard.approving.ask(tool, value, arguments, &verdict.reasons)
        {
            // What another call may follow is not known before somebody has decided: it is taken for made.
            self.made.push(tool.to_owned());
            self.questions.push(Question {
                at: self.judged.len(),
                approval,
                verdict,
                value: value.clone(),
            });
            return self.knows(tool, arguments, Word::Waits);
        }
        note(&self.guard, tool, &verdict, (enforces, agreed), record);
        let passes = verdict.answer == Answer::Allow || !enforces || agreed;
        if passes {
            self.made.push(tool.to_owned());
            // What nobody judged vouches for nothing elsewhere.
            if let (true, Some(value)) = (self.guard.enforces && self.guard.checks, &value) {
                self.guard.approving.vet(tool, value);
            }
            return self.knows(tool, arguments, Word::Passes);
        }
        let asked = asks.and_then(|value| self.guard.approving.ask(tool, value, arguments, &verdict.reasons));
        let told = told(tool, &verdict, asked.as_ref().map(|asked| asked.id.as_str()));
        self.asked.extend(asked);
        self.knows(tool, arguments, Word::Told(Arc::from(told)))
    }

    fn knows(&mut self, tool: &str, arguments: &str, word: Word) -> Word {
        self.judged.push(Judged {
            tool: tool.to_owned(),
            arguments: arguments.to_owned(),
            word: word.clone(),
        });
        word
    }

    /// Whether time is left to wait for a person.
    fn may_wait(&mut self) -> bool {
        let patience = self.guard.approving.patience();
        let now = Instant::now();
        let until = *self
            .until
            .get_or_insert_with(|| now.checked_add(patience).unwrap_or(now));
        until > now
    }

    /// Puts the questions that there are before persons and waits for them; nothing where there are none.
    pub fn await_persons(&mut self) -> Option<Awaited> {
        let questions = std::mem::take(&mut self.questions);
        if questions.is_empty() {
            return None;
        }
        let guard = Arc::clone(&self.guard);
        let patience = self.until.map_or(Duration::ZERO, |until| {
            until.saturating_duration_since(Instant::now())
        });
        Some(Box::pin(async move {
            let asked = questions.into_iter().map(|question| async {
                let put = guard.approving.put(question.approval.clone(), patience).await;
                (question, put)
            });
            Answers(join_all(asked).await)
        }))
    }

    /// Takes what persons said: every call that waited now goes through or does not.
    pub fn answered(&mut self, answers: Answers, record: &mut Record) {
        for (question, put) in answers.0 {
            let Some(judged) = self.judged.get_mut(question.at) else {
                continue;
            };
            let tool = judged.tool.clone();
            let (agreed, id) = match put {
                Put::Agreed(agreed) => (Some(agreed), None),
                Put::Asked(id) => (None, Some(id)),
                Put::Nowhere => (None, None),
            };
            note(
                &self.guard,
                &tool,
                &question.verdict,
                (true, agreed.is_some()),
                record,
            );
            match agreed {
                Some(agreed) => {
                    agreed.is_used();
                    judged.word = Word::Passes;
                    self.guard.approving.vet(&tool, &question.value);
                }
                None => {
                    let told = told(&tool, &question.verdict, id.as_deref());
                    judged.word = Word::Told(Arc::from(told));
                    if let Some(at) = self.made.iter().rposition(|made| *made == tool) {
                        self.made.remove(at);
                    }
                }
            }
        }
    }

    /// What a person is to be asked. It is to be kept before what is told of it leaves.
    pub fn take_asked(&mut self) -> Vec<Approval> {
        std::mem::take(&mut self.asked)
    }

    /// Judges the calls that a body holds whole: those that may not go through, with what is told.
    pub fn whole(
        &mut self,
        exchange: &dyn Exchange,
        body: portcullis_dialect::Body,
        document: &Document,
        record: &mut Record,
    ) -> Vec<(NodeId, Arc<str>)> {
        let acts = exchange.acts(body, document);
        let whole = acts.into_iter().filter(|act| act.lane.is_none());
        let mut seen: Vec<(String, &str)> = Vec::new();
        whole
            .filter_map(|act| {
                let arguments = act.arguments.map_or("", |node| written(document, node));
                let said = (act.name, arguments);
                let number = seen.iter().filter(|other| **other == said).count();
                let word = self.judge(&said.0, arguments, Nth::One(number), record);
                seen.push(said);
                match word {
                    Word::Told(told) => Some((act.node, told)),
                    Word::Passes => None,
                    // Whoever does not wait for the person does not get the call.
                    Word::Waits => Some((
                        act.node,
                        Arc::from("[approval_required] A call waits for a person."),
                    )),
                }
            })
            .collect()
    }
}

/// Arguments as they are written: the JSON in a string, or a value.
pub(crate) fn written(document: &Document, arguments: NodeId) -> &str {
    match document.sort(arguments) {
        Sort::String => document.text(arguments),
        _ => document.wire(arguments),
    }
}

/// Arguments as a value. What another parser could read otherwise is none; a free text is the one argument of a tool that takes such, and
/// of no other: whoever is patient with what is nearly JSON would read something else in it.
fn read(arguments: &str, takes_text: bool) -> Option<Value> {
    let trimmed = arguments.trim();
    if trimmed.is_empty() {
        return Some(Value::Object(serde_json::Map::new()));
    }
    let strict = Document::read(Bytes::copy_from_slice(trimmed.as_bytes()));
    match strict.ok().and_then(|_| serde_json::from_str(trimmed).ok()) {
        Some(value @ (Value::Object(_) | Value::Array(_))) => Some(value),
        _ if takes_text => Some(serde_json::json!({ "input": arguments })),
        // One that has no names is the policy's to judge: a dialect may bring arguments in pieces.
        value => value,
    }
}

fn unreadable() -> CallVerdict {
    CallVerdict {
        answer: Answer::Deny,
        reasons: vec![denied("tool.arguments", "its arguments cannot be read")],
    }
}

/// Why a call is denied as a whole.
fn denied(rule: &'static str, why: &str) -> Reason {
    Reason {
        rule,
        answer: Answer::Deny,
        path: String::new(),
        value: String::new(),
        whence: None,
        why: why.to_owned(),
    }
}

/// Records why a call does not simply go through.
fn note(
    guard: &ToolGuard,
    tool: &str,
    verdict: &CallVerdict,
    (enforces, agreed): (bool, bool),
    record: &mut Record,
) {
    let tool: String = tool.chars().take(100).collect();
    for reason in &verdict.reasons {
        let action = match reason.answer {
            _ if !enforces || agreed => Action::Flag,
            Answer::Allow => Action::Flag,
            Answer::Ask | Answer::Sanitise | Answer::Deny => Action::Block,
        };
        record.noted(RecordedFinding {
            kind: reason.rule.to_owned(),
            family: Family::Tool,
            severity: Severity::High,
            score: 1.0,
            direction: Direction::Output,
            channel: Channel::ToolCall,
            path: match reason.path.as_str() {
                "" => tool.clone(),
                path => format!("{tool}.{path}"),
            },
            span: Span::new(0, 0),
            action,
            rule: match agreed {
                true => format!("tools.{}: granted", guard.name),
                false => format!("tools.{}: {}", guard.name, reason.answer.name()),
            },
            late: false,
        });
    }
    if verdict.answer != Answer::Allow && !agreed {
        let decision = if enforces {
            Decision::Redact
        } else {
            Decision::Observe
        };
        record.audit.decision = record.audit.decision.max(decision);
    }
}

/// What stands in the place of a call: for the model, that it can go on, and for the client. Whatever strangers wrote is not repeated.
fn told(tool: &str, verdict: &CallVerdict, approval: Option<&str>) -> String {
    let tool: String = tool
        .chars()
        .filter(|char| char.is_alphanumeric() || "_-.:".contains(*char))
        .take(64)
        .collect();
    let mut whys: Vec<String> = Vec::new();
    for reason in verdict
        .reasons
        .iter()
        .filter(|reason| reason.answer == verdict.answer)
    {
        let why = reason.briefly();
        if !whys.contains(&why) {
            whys.push(why);
        }
    }
    let why = whys.join("; ");
    match verdict.answer {
        Answer::Ask => {
            let id = approval.map_or(String::new(), |id| format!(" ({id})"));
            format!(
                "[approval_required] The call of `{tool}` waits for a person's approval{id}: {why}. It was not made. Go on without it where that is possible, or ask the user."
            )
        }
        _ => format!(
            "[tool_call_denied] The call of `{tool}` was not let through: {why}. Do not try it again in another form; go on with what the user asked for."
        ),
    }
}
