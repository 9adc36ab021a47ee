//! What a reply is held to: the schema that its request asks for, the profile's own, those of tools that are called strictly.
//!
//! It judges what the client will get: placeholders are restored, redactions made. What is done about a misfit is the profile's to say.

use std::sync::Arc;

use portcullis_core::{
    Action, Channel, Decision, Direction, Family, Finding, Kind, Lane, Located, PartId, Severity, Span,
};
use portcullis_dialect::{Body, Document, Exchange, Form, Malformed, NodeId, Sort};
use portcullis_policy::{Facts, Mode, decide};
use portcullis_schema::{MAX_TEXT, Misfit, Schema, Wrong};
use serde_json::Value;

use crate::Refusal;
use crate::gateway::Guard;
use crate::record::Record;

const JSON: &str = "output.json";
const SCHEMA: &str = "output.schema";

/// What the replies to one request are held to.
pub(crate) struct Terms {
    own: Option<Arc<Schema>>,
    asked: Option<Asked>,
    tools: Vec<(String, Schema)>,
    blocks: bool,
}

/// What a request says an answer must be.
enum Asked {
    Object,
    Json,
    Schema(Schema),
    Text(Schema),
}

/// What does not fit, and where in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unfit {
    kind: &'static str,
    place: String,
}

/// What is done about what does not fit.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Fit {
    /// Whether something does not.
    pub is_misfit: bool,
    /// Whether the reply is withheld for it.
    pub is_refused: bool,
    /// What was decided.
    pub decision: Decision,
}

impl Terms {
    /// The terms of a request. `None` where nothing is to be checked.
    ///
    /// # Errors
    /// A schema that cannot be used, where what does not fit is blocked: nobody could tell what fits.
    pub fn of(
        guard: &Guard,
        exchange: &dyn Exchange,
        request: &Document,
    ) -> Result<Option<Arc<Terms>>, Refusal> {
        let profile = &guard.profile;
        if profile.output.validate == Action::Allow {
            return Ok(None);
        }
        let blocks = profile.output.validate == Action::Block && profile.mode == Mode::Enforce;
        let read = |schema: &str, whose: &str| match Schema::read(schema) {
            Ok(schema) => Ok(Some(schema)),
            Err(wrong) if blocks => Err(unusable(whose, &wrong)),
            // What the provider makes of it is the provider's business.
            Err(_) => Ok(None),
        };
        let promise = exchange.promise(request);
        let asked = match promise.text {
            None => None,
            Some(Form::Object) => Some(Asked::Object),
            Some(Form::Json) => Some(Asked::Json),
            Some(Form::Schema(schema)) => {
                let schema = read(&schema, "the reply")?;
                Some(schema.map_or(Asked::Json, Asked::Schema))
            }
            Some(Form::Text(schema)) => read(&schema, "the reply")?.map(Asked::Text),
        };
        let mut tools = Vec::new();
        for (name, schema) in promise.tools {
            if let Some(schema) = read(&schema, "a tool")? {
                tools.push((name, schema));
            }
        }
        let own = guard.schema.clone();
        let any = own.is_some() || asked.is_some() || !tools.is_empty();
        Ok(any.then(|| {
            Arc::new(Terms {
                own,
                asked,
                tools,
                blocks,
            })
        }))
    }

    /// Whether a stream's answers are held until they are whole and fit.
    pub fn holds_answers(&self) -> bool {
        self.blocks && self.has_answers()
    }

    /// Whether answers are held to anything.
    pub fn has_answers(&self) -> bool {
        self.own.is_some() || self.asked.is_some()
    }

    /// What does not fit in an answer.
    pub fn answer(&self, text: &str) -> Option<Unfit> {
        if !self.has_answers() {
            return None;
        }
        let value = match &self.asked {
            Some(Asked::Text(_)) => Value::from(text),
            _ => match json(text) {
                Some(value) => value,
                None => return Some(Unfit::json()),
            },
        };
        let asked = match &self.asked {
            Some(Asked::Object) if !value.is_object() => return Some(Unfit::schema(Misfit(String::new()))),
            Some(Asked::Schema(schema) | Asked::Text(schema)) => schema.check(&value),
            _ => Ok(()),
        };
        let own = || self.own.as_ref().map_or(Ok(()), |own| own.check(&value));
        asked.and_then(|()| own()).err().map(Unfit::schema)
    }

    /// What does not fit in the arguments of a call of one of these tools: a tool may be named in pieces. Nothing is the empty object.
    pub fn arguments(&self, names: &[String], text: &str) -> Option<Unfit> {
        if self.tools.is_empty() {
            return None;
        }
        let is_named = |name: &String| names.contains(name) || (names.len() > 1 && names.concat() == *name);
        let mut called = self.tools.iter().filter(|(name, _)| is_named(name)).peekable();
        if called.peek().is_none() {
            // Whatever says no name could be any of them.
            let nameless = names.iter().all(String::is_empty);
            return nameless.then(|| Unfit::schema(Misfit(String::new())));
        }
        let text = if text.is_empty() { "{}" } else { text };
        let Some(value) = json(text) else {
            return Some(Unfit::json());
        };
        called.find_map(|(_, schema)| schema.check(&value).err().map(Unfit::schema))
    }

    /// Judges a whole reply as the client will get it. `again` says that the model may be asked once more: then what does not fit is
    /// only noted.
    pub fn whole(
        &self,
        guard: &Guard,
        exchange: &dyn Exchange,
        reply: &Document,
        again: bool,
        record: &mut Record,
    ) -> Fit {
        let found = self.unfit(exchange, Body::Reply, reply, |_| &[]);
        note(guard, &found, again, record)
    }

    /// What does not fit of the answers and calls that a body holds whole, each with its path and channel. `names` tells what is known
    /// of the tool that is called in a lane.
    pub fn unfit<'n>(
        &self,
        exchange: &dyn Exchange,
        body: Body,
        document: &Document,
        names: impl Fn(Lane) -> &'n [String],
    ) -> Vec<(Unfit, Channel, String)> {
        let mut found = Vec::new();
        let mut add = |unfit: Option<Unfit>, channel, node: Option<NodeId>| {
            if let Some(unfit) = unfit {
                let path = node.map_or(String::new(), |node| document.path(node));
                found.push((unfit, channel, path));
            }
        };
        let calls = exchange.calls(body, document);
        for answer in exchange.answers(body, document) {
            let text: String = answer.iter().map(|node| document.text(*node)).collect();
            // What calls a tool or refuses need not say anything besides.
            if text.is_empty() && (!calls.is_empty() || !exchange.ended_well(document)) {
                continue;
            }
            add(self.answer(&text), Channel::Assistant, answer.first().copied());
        }
        for call in calls {
            // In a lane, they are still to come.
            if call.arguments.is_none() && call.lane.is_some() {
                continue;
            }
            let text = match call.arguments {
                Some(arguments) if document.sort(arguments) == Sort::String => document.text(arguments),
                Some(arguments) => document.wire(arguments),
                None => "",
            };
            let known = call.lane.filter(|_| call.name.is_empty()).map(&names);
            let unfit = match known {
                Some(known) => self.arguments(known, text),
                None => self.arguments(&[call.name], text),
            };
            add(unfit, Channel::ToolCall, call.arguments);
        }
        found
    }
}

impl Unfit {
    fn json() -> Unfit {
        Unfit {
            kind: JSON,
            place: String::new(),
        }
    }

    fn schema(misfit: Misfit) -> Unfit {
        Unfit {
            kind: SCHEMA,
            place: misfit.0,
        }
    }
}

/// Records what does not fit and asks what is done about it. What another attempt may make good is flagged.
pub(super) fn note(
    guard: &Guard,
    found: &[(Unfit, Channel, String)],
    again: bool,
    record: &mut Record,
) -> Fit {
    let located: Vec<Located> = found
        .iter()
        .map(|(unfit, channel, _)| Located {
            part: PartId(0),
            piece: 0,
            channel: *channel,
            origin: channel.origin(),
            finding: Finding {
                kind: Kind::new(unfit.kind),
                family: Family::Output,
                span: Span::new(0, 0),
                severity: Severity::Medium,
                score: 1.0,
                target: None,
            },
        })
        .collect();
    let facts = Facts {
        direction: Direction::Output,
        principal_models: &[],
        model: None,
        system_prompt_from_client: false,
        findings: &located,
        uninspectable: &[],
    };
    let verdict = decide(&guard.profile, &facts);
    for ((located, ruling), (unfit, _, path)) in located.iter().zip(&verdict.rulings).zip(found) {
        let action = if again { Action::Flag } else { ruling.action };
        record.found(Direction::Output, located, action, &ruling.rule, || {
            format!("{path}{}", unfit.place)
        });
    }
    Fit {
        is_misfit: !found.is_empty(),
        is_refused: verdict.refusal.is_some(),
        decision: verdict.decision,
    }
}

/// A text as JSON, if every parser reads it alike.
fn json(text: &str) -> Option<Value> {
    if text.len() > MAX_TEXT {
        return None;
    }
    Document::read(bytes::Bytes::copy_from_slice(text.as_bytes())).ok()?;
    serde_json::from_str(text).ok()
}

/// Tells a client what is wrong with its own schema.
fn unusable(whose: &str, wrong: &[Wrong]) -> Refusal {
    let (pointer, what) = wrong.first().map_or(("", "cannot be read"), |wrong| {
        (wrong.pointer.as_str(), wrong.what.as_str())
    });
    let told: String = format!("{pointer}: {what}").chars().take(300).collect();
    Refusal::Malformed(Malformed::Shape(format!(
        "the schema of {whose} cannot be checked, so no reply could be let through. At #{told}"
    )))
}
