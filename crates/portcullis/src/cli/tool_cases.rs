//! Cases of tool policies, for `portcullis policy test`: a conversation, the call that a model makes at its end, and what is to become of
//! it. They are decided as the gateway decides them; no detector looks at their texts.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use portcullis_core::{KeyId, Origin, Principal};
use portcullis_policy::tools::{
    CallVerdict, Conversation, Evidence, Offered, ToolPolicy, Turn, judge, may_offer,
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Failure;
use super::policy::{Tried, Who};
use crate::config::{Node, parse_yaml, tool_policy};

/// A file of cases as it is written. What else stands in it is no case of ours.
struct Cases {
    policy: Arc<ToolPolicy>,
    offered: Vec<Offer>,
    conversations: BTreeMap<String, Vec<Said>>,
    calls: Vec<Case>,
}

/// A tool that is offered to the model: its name alone, or with the schema of its arguments.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
enum Offer {
    Named(String),
    Described(Described),
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Described {
    name: String,
    #[serde(default)]
    arguments: Value,
}

/// One thing that was said or done.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Said {
    /// By the operator of the application.
    System(String),
    User(String),
    /// By the model: never a source of trust.
    Assistant(String),
    /// By whoever could write a document.
    Document(String),
    /// A call that was made, and what came back.
    Call(Made),
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Made {
    tool: String,
    #[serde(default)]
    arguments: Value,
    /// A text as it is; anything else is returned as JSON.
    #[serde(default)]
    returned: Value,
}

/// What is to become of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Expected {
    Allow,
    Ask,
    Sanitise,
    Deny,
}

impl Expected {
    const fn name(self) -> &'static str {
        match self {
            Expected::Allow => "allow",
            Expected::Ask => "ask",
            Expected::Sanitise => "sanitise",
            Expected::Deny => "deny",
        }
    }
}

/// One case.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    #[serde(default)]
    principal: Who,
    /// Which of the conversations it is in; none where it is the first thing.
    conversation: Option<String>,
    tool: String,
    #[serde(default)]
    arguments: Value,
    /// Tools that the same reply calls before.
    #[serde(default)]
    beside: Vec<String>,
    expect: Expected,
    /// The rules that are to say so, in any order.
    because: Option<Vec<String>>,
}

/// The cases of a file, if it has any, decided.
pub(super) fn tried(file: &Path, text: &str) -> Result<Vec<Tried>, Failure> {
    let name = file.display().to_string();
    let root = parse_yaml(text).map_err(|problems| {
        let lines: Vec<String> = problems.iter().map(|problem| problem.line(&name)).collect();
        Failure::Said(lines.join("\n"))
    })?;
    let Some(calls) = root.child("calls") else {
        return Ok(Vec::new());
    };
    let cases = Cases {
        policy: Arc::new(policy(file, &root)?),
        offered: part(&name, &root, "offered")?.unwrap_or_default(),
        conversations: part(&name, &root, "conversations")?.unwrap_or_default(),
        calls: calls
            .items()
            .iter()
            .map(|node| read(&name, node))
            .collect::<Result<_, _>>()?,
    };
    cases.calls.iter().map(|case| cases.tried(&name, case)).collect()
}

fn read<T: serde::de::DeserializeOwned>(file: &str, node: &Node) -> Result<T, Failure> {
    serde_json::from_value(node.to_json())
        .map_err(|error| Failure::Said(format!("{file}:{}:{}: {error}", node.at.line, node.at.column)))
}

fn part<T: serde::de::DeserializeOwned>(file: &str, root: &Node, name: &str) -> Result<Option<T>, Failure> {
    root.child(name).map(|node| read(file, node)).transpose()
}

/// The policy that a file of cases names, beside it; without one, what is derived is tried.
fn policy(file: &Path, root: &Node) -> Result<ToolPolicy, Failure> {
    let Some(node) = root.child("policy") else {
        return Ok(ToolPolicy::default());
    };
    let written = node.text().unwrap_or_default();
    let place = file.parent().unwrap_or(Path::new("")).join(written);
    let text = std::fs::read_to_string(&place).map_err(|error| {
        let at = node.at;
        Failure::Said(format!(
            "{}:{}:{}: cannot read {}: {error}",
            file.display(),
            at.line,
            at.column,
            place.display()
        ))
    })?;
    tool_policy(&text, &place.display().to_string()).map_err(|wrong| Failure::Said(wrong.join("\n")))
}

impl Cases {
    fn tried(&self, file: &str, case: &Case) -> Result<Tried, Failure> {
        let turns = match &case.conversation {
            None => Vec::new(),
            Some(name) => {
                let said = self.conversations.get(name).ok_or_else(|| {
                    Failure::Said(format!(
                        "{file}: {}: there is no conversation `{name}`",
                        case.name
                    ))
                })?;
                said.iter()
                    .enumerate()
                    .flat_map(|(at, said)| said.turns(at))
                    .collect()
            }
        };
        let conversation = Conversation {
            turns,
            offered: self.offered.iter().map(Offer::offered).collect(),
            tainted: false,
        };
        let who = case.principal.principal();
        let evidence = Evidence::new(Arc::clone(&self.policy), conversation);
        let arguments = match &case.arguments {
            Value::Null => json!({}),
            arguments => arguments.clone(),
        };
        let verdict = judge(&evidence, &who, &case.tool, &arguments, &case.beside);
        let offer = may_offer(&self.policy, &who, &case.tool, false);
        Ok(case.shown(file, &verdict, offer.is_ok()))
    }
}

impl Case {
    fn shown(&self, file: &str, verdict: &CallVerdict, may_be_offered: bool) -> Tried {
        let mut because: Vec<&str> = verdict.reasons.iter().map(|reason| reason.rule).collect();
        because.sort_unstable();
        because.dedup();
        let mut wanted = self.because.clone();
        if let Some(wanted) = &mut wanted {
            wanted.sort_unstable();
        }
        let decided = verdict.answer.name();
        let met = decided == self.expect.name() && wanted.as_ref().is_none_or(|wanted| *wanted == because);
        let whys: Vec<&str> = verdict.reasons.iter().map(|reason| reason.why.as_str()).collect();
        Tried {
            name: self.name.clone(),
            wanted: match &self.because {
                Some(because) => format!("{} because of {}", self.expect.name(), because.join(", ")),
                None => self.expect.name().to_owned(),
            },
            decided: decided.to_owned(),
            because: because.join(", "),
            met,
            told: json!({
                "file": file, "name": self.name, "tool": self.tool, "expect": self.expect.name(), "because": self.because,
                "decision": decided, "reasons": because, "why": whys, "may_be_offered": may_be_offered, "ok": met,
            }),
        }
    }
}

impl Offer {
    fn offered(&self) -> Offered {
        let (name, schema) = match self {
            Offer::Named(name) => (name, json!({ "type": "object" })),
            Offer::Described(tool) => (&tool.name, tool.arguments.clone()),
        };
        Offered {
            name: name.clone(),
            about: String::new(),
            schema,
        }
    }
}

impl Said {
    fn turns(&self, at: usize) -> Vec<Turn> {
        let said = |origin, text: &String| {
            vec![Turn::Said {
                origin,
                text: text.clone(),
            }]
        };
        match self {
            Said::System(text) => said(Origin::System, text),
            Said::User(text) => said(Origin::User, text),
            Said::Assistant(text) => said(Origin::Model, text),
            Said::Document(text) => said(Origin::Document, text),
            Said::Call(made) => {
                let id = format!("call_{at}");
                vec![
                    Turn::Called {
                        id: id.clone(),
                        tool: made.tool.clone(),
                        arguments: made.arguments.clone(),
                    },
                    Turn::Returned {
                        call: id,
                        tool: Some(made.tool.clone()),
                        text: match &made.returned {
                            Value::String(text) => text.clone(),
                            Value::Null => String::new(),
                            value => value.to_string(),
                        },
                    },
                ]
            }
        }
    }
}

impl Who {
    /// Somebody to whom a tool policy may speak.
    fn principal(&self) -> Principal {
        let id = KeyId::from_text(self.id.as_deref().unwrap_or("key_case"));
        let mut principal = Principal::new(id, self.name.as_deref().unwrap_or("case"));
        principal.org.clone_from(&self.org);
        principal.team.clone_from(&self.team);
        principal.user.clone_from(&self.user);
        principal.roles.clone_from(&self.roles);
        principal
    }
}
