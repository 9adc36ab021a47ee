//! The decision and its obligations: may this key ask this of this model, with these texts, and what must be changed first.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use portcullis_core::{Action, Decision, Direction, Located, UninspectableKind};
use portcullis_dialect::{Document, EXTENSION, Edit, Reading, apply, quoted};
use portcullis_policy::{Denial, Facts, RuleName, Ruling, decide};

use super::forward::retries;
use super::inserted::Inserted;
use super::inspect_input::Inspected;
use super::instruct::instruct;
use super::leak::{self, Confided};
use super::parse::Asked;
use super::permit::{circumstances, permit_endpoint, permit_use};
use super::pinned::pinned;
use super::sandbox::sandbox;
use super::terms::Terms;
use crate::approvals::Approving;
use crate::calling::Calling;
use crate::calls::ToolGuard;
use crate::enforce;
use crate::marks::Marks;
use crate::masks::Masks;
use crate::places::Places;
use crate::record::{Record, now_ms};
use crate::{Gateway, Refusal};

/// A request that may go on, as it may go on.
pub(crate) struct Authorized {
    asked: Asked,
    body: Reading,
    edits: Vec<Edit>,
    confiding: Confiding,
    /// The upstream that holds the stored state which the request names.
    bound_to: Option<String>,
}

/// What the reply's side must know of the request's texts.
pub(crate) struct Confiding {
    pub masks: Masks,
    pub marks: Vec<Marks>,
    pub confided: Option<Confided>,
    pub inserted: Inserted,
    /// What instructs the model, where the provider keeps that for later turns.
    pub prompt: Arc<str>,
    pub terms: Option<Arc<Terms>>,
    /// What the tool calls of the reply are judged by.
    pub calls: Option<Arc<ToolGuard>>,
    /// Whether it was the gateway that asked for the event that tells what was used: the client does not see it.
    pub asked_usage: bool,
}

impl Authorized {
    pub(super) fn into_parts(self) -> (Asked, Outgoing, Confiding, Option<String>) {
        (
            self.asked,
            Outgoing {
                reading: self.body,
                edits: self.edits,
            },
            self.confiding,
            self.bound_to,
        )
    }
}

impl Authorized {
    pub(super) fn asked(&self) -> &Asked {
        &self.asked
    }

    pub(super) fn places(&mut self) -> &mut Places {
        &mut self.asked.places
    }

    pub(super) fn document(&self) -> &Document {
        self.body.document()
    }

    /// The upstream that holds the stored state which the request names.
    pub(super) fn bound_to(&self) -> Option<&str> {
        self.bound_to.as_deref()
    }

    /// What no detector could read.
    pub(super) fn uninspectable(&self) -> impl Iterator<Item = UninspectableKind> + '_ {
        self.body.uninspectable().iter().map(|found| found.kind)
    }

    /// Bytes of the body at most, as it goes upstream.
    pub(super) fn length(&self) -> u64 {
        let added: usize = self.edits.iter().map(|edit| edit.text.len()).sum();
        u64::try_from(self.document().bytes().len().saturating_add(added)).unwrap_or(u64::MAX)
    }

    /// How often it may be sent.
    pub(super) fn attempts(&self) -> u64 {
        let is_stored = self.asked.exchange.stores(self.document());
        u64::from(retries(&self.asked, &self.confiding, is_stored)).saturating_add(1)
    }

    /// Adds edits that are the gateway's own.
    pub(super) fn change(&mut self, edits: Vec<Edit>) {
        self.edits.extend(edits);
    }

    /// Asks for what a stream uses, where the client does not.
    pub(super) fn ask_usage(&mut self) {
        let edits = self.asked.exchange.ask_usage(self.body.document());
        self.confiding.asked_usage = !edits.is_empty();
        self.change(edits);
    }
}

/// The body for the upstream: the bytes that were parsed, and the edits that were decided.
pub(super) struct Outgoing {
    reading: Reading,
    edits: Vec<Edit>,
}

impl Outgoing {
    /// Whether the provider keeps something of the exchange, so that it must not be asked twice.
    pub fn is_stored(&self, asked: &Asked) -> bool {
        asked.exchange.stores(self.reading.document())
    }

    /// Whether it is a model that answers.
    pub fn is_answered(&self, asked: &Asked) -> bool {
        asked.exchange.allowance(self.reading.document()).is_some()
    }

    /// The bytes, with the model renamed where the upstream knows it by another name.
    pub fn bytes(&self, asked: &Asked, model: Option<&str>) -> Bytes {
        let mut edits = self.edits.clone();
        let document = self.reading.document();
        if let Some(model) = model {
            let named = asked.call.model_node.map(|node| (node, quoted(model)));
            let repeated = asked
                .call
                .model_repeats
                .iter()
                .map(|node| (*node, quoted(&format!("models/{model}"))));
            let renamed = named.into_iter().chain(repeated);
            edits.extend(renamed.map(|(node, text)| Edit {
                range: document.range(node),
                text,
            }));
        }
        apply(document.bytes(), edits)
    }
}

pub(super) async fn authorize(
    gw: &Gateway,
    request: Inspected,
    record: &mut Record,
) -> Result<Authorized, Refusal> {
    let (asked, reading, findings, outside) = request.into_parts();
    permit_endpoint(gw, &asked, reading.document(), record)?;
    let model = asked.call.model.as_deref();
    // The list itself has only models that this key may name.
    let models = match asked.exchange.lists_models() {
        true => Vec::new(),
        false => asked.standing.models(),
    };
    let verdict = decide(
        &asked.guard.profile,
        &Facts {
            direction: Direction::Input,
            principal_models: &models,
            model,
            system_prompt_from_client: asked.call.system_prompt,
            findings: &findings,
            uninspectable: reading.uninspectable(),
        },
    );
    record.judged(Direction::Input, &reading, &findings, &verdict);
    match verdict.refusal {
        Some(Denial::Model) => {
            record.audit.denied_by.extend(asked.standing.denies_model(model));
            return Err(Refusal::ForbiddenModel);
        }
        Some(Denial::SystemPrompt) => {
            let setting = verdict.refused_by.map(|setting| setting.to_string());
            record.audit.denied_by.extend(setting);
            return Err(Refusal::ForbiddenSystemPrompt);
        }
        Some(Denial::Uninspectable) => return Err(Refusal::Uninspectable),
        Some(Denial::Content) => return Err(Refusal::Content),
        None => {}
    }
    permit_use(gw, &asked, reading.document(), record)?;
    judge_outside(&asked, &outside, record)?;
    let calls = tools(gw, &asked, &reading, record).await?;
    let terms = Terms::of(&asked.guard, asked.exchange, reading.document())?;
    let bound_to = owned_state(gw, &asked).await?;
    let mailboxes = asks_for_mailboxes(reading.document());
    let owner = &asked.principal.key;
    let mut masks = Masks::new(gw.services.mask_key, owner, mailboxes);
    let (mut inserted, mut earlier, mut marks) = (Inserted::Nothing, Vec::new(), Vec::new());
    for state in &asked.call.state {
        let store = gw.services.store.as_ref();
        let recalled = gw.services.kept.recall_from(store, owner, &state.id, now_ms());
        let recalled = recalled.await.map_err(|error| {
            tracing::error!(%error, "what belongs to a stored conversation cannot be looked up");
            Refusal::Unavailable("stored state cannot be looked up")
        })?;
        masks.recall(&recalled.values);
        marks.extend(recalled.marks.iter().cloned());
        earlier.push(recalled.prompt);
        if asked.call.retrieves && gw.instructs() {
            inserted = Inserted::earlier(recalled.inserted);
        }
    }
    let (mut findings, mut rulings) = (findings, verdict.rulings);
    if let Some(calls) = &calls {
        sanitise(calls, &reading, &mut findings, &mut rulings, record);
    }
    let replaced = enforce::replacements(&reading, &findings, &rulings, Some(&mut masks));
    let sandboxed = sandbox(&asked, &reading, &replaced, !marks.is_empty())?;
    record.audit.sandboxed = sandboxed.recorded;
    marks.extend(sandboxed.marks);
    let mut edits = sandboxed.edits;
    let explanation = sandboxed.explanation.as_deref();
    let instructed = instruct(gw, &asked, (&reading, &edits), explanation, &mut masks, record)?;
    edits.extend(reading.strip_extensions());
    if findings.iter().any(|located| reading.is_key(located.part)) {
        // A key that was replaced may now be another of its object: then the body has two readings again.
        Document::read(apply(reading.document().bytes(), edits.clone()))?;
    }
    let confided = Confided::of(&asked.guard, &reading, instructed.as_ref(), &earlier);
    let prompt = match asked.call.stores {
        true => leak::kept(&reading, instructed.as_ref(), &earlier),
        false => Arc::default(),
    };
    if let Some(instructed) = instructed {
        inserted = Inserted::put(instructed.text);
        // Before the marks of a text that begins in the same place.
        edits.splice(..0, instructed.edits);
    }
    record.left("authorize");
    Ok(Authorized {
        asked,
        body: reading,
        edits,
        confiding: Confiding {
            masks,
            marks,
            confided,
            inserted,
            prompt,
            terms,
            calls,
            asked_usage: false,
        },
        bound_to,
    })
}

/// What the tool calls of the reply will be judged by, where a model answers; and whether the tools may be offered at all.
async fn tools(
    gw: &Gateway,
    asked: &Asked,
    reading: &Reading,
    record: &mut Record,
) -> Result<Option<Arc<ToolGuard>>, Refusal> {
    let profile = &asked.guard.profile;
    let document = reading.document();
    let answers = asked.exchange.allowance(document).is_some() || asked.call.retrieves;
    let about = circumstances(asked, Some(document));
    let calling = Calling::new(gw.access.as_ref(), &asked.standing, about);
    // Who may call what is not the tool policy's: it is asked also where that is left out.
    if !answers || (profile.danger_tools_unchecked && !calling.has_policies()) {
        return Ok(None);
    }
    let named = gw.tools(&asked.standing);
    let in_body = document.str_at(&[EXTENSION, "approval"]);
    let brought = in_body.or(asked.approval.as_deref());
    let patience = patience(gw, asked, document)?;
    let approving = Approving::new(&gw.services, &asked.principal, &record.audit.request_id, brought)
        .await?
        .waiting(patience);
    let offers = asked.exchange.offers(document);
    // Stored state, what the provider's own tools find, and what nobody here can read: any of it may hold a stranger's words.
    let unseen = !asked.call.state.is_empty()
        || offers.iter().any(|offer| offer.provided)
        || reading.uninspectable().iter().any(|content| {
            matches!(
                content.kind,
                UninspectableKind::Image
                    | UninspectableKind::Audio
                    | UninspectableKind::Video
                    | UninspectableKind::File
            )
        });
    let guard = ToolGuard::of(
        &named,
        calling,
        profile,
        asked.exchange,
        reading,
        (unseen, approving),
    );
    if let Some((by, tool)) = guard.refuses_offer(&offers) {
        record.audit.denied_by.extend(by);
        return Err(Refusal::ForbiddenTool(tool));
    }
    if !profile.danger_tools_unchecked {
        pinned(gw, &named, &asked.guard, (reading, &offers), record).await?;
    }
    Ok(Some(guard))
}

/// What the tool policy takes out of what others wrote, besides what detectors found.
fn sanitise(
    calls: &ToolGuard,
    reading: &Reading,
    findings: &mut Vec<Located>,
    rulings: &mut Vec<Ruling>,
    record: &mut Record,
) {
    let unusable = calls.unusable(reading);
    if unusable.is_empty() {
        return;
    }
    record.audit.decision = record.audit.decision.max(Decision::Redact);
    let rule = format!("tools.{}: sanitise", calls.name());
    for located in unusable {
        record.found(Direction::Input, &located, Action::Redact, &rule, || {
            reading.path(located.part)
        });
        findings.push(located);
        rulings.push(Ruling {
            action: Action::Redact,
            rule: RuleName::of_key("tools"),
        });
    }
}

/// How long calls of the reply may be held for a person, as the client says and the configuration lets it.
pub(super) fn patience(gw: &Gateway, asked: &Asked, document: &Document) -> Result<Duration, Refusal> {
    let in_body = document
        .member(document.root(), EXTENSION)
        .and_then(|said| document.member(said, "approval_wait"))
        .map(|node| document.wire(node).to_owned());
    let Some(said) = in_body.or_else(|| asked.approval_wait.clone()) else {
        return Ok(Duration::ZERO);
    };
    let seconds: u32 = said
        .trim()
        .parse()
        .map_err(|_| Refusal::Invalid("approval_wait and x-portcullis-approval-wait are whole seconds."))?;
    Ok(Duration::from_secs(seconds.into()).min(gw.timeouts.approval))
}

/// Whether a schema in the request (of a tool's arguments, of the reply) wants a mailbox somewhere. A model that is held to it
/// could not write another placeholder there.
fn asks_for_mailboxes(document: &Document) -> bool {
    let mut open = vec![document.root()];
    while let Some(node) = open.pop() {
        for (key, value) in document.members(node) {
            let is_format = document.as_str(key) == Some("format");
            if is_format && matches!(document.as_str(value), Some("email" | "idn-email")) {
                return true;
            }
            open.push(value);
        }
        open.extend(document.items(node));
    }
    false
}

/// Judges what was found besides the body. Nothing can be replaced in a path or a header: what would be is refused.
fn judge_outside(asked: &Asked, outside: &[Located], record: &mut Record) -> Result<(), Refusal> {
    if outside.is_empty() {
        return Ok(());
    }
    let facts = Facts {
        direction: Direction::Input,
        principal_models: &[],
        model: None,
        system_prompt_from_client: false,
        findings: outside,
        uninspectable: &[],
    };
    let verdict = decide(&asked.guard.profile, &facts);
    record.audit.decision = record.audit.decision.max(verdict.decision);
    for (located, ruling) in outside.iter().zip(&verdict.rulings) {
        record.found(Direction::Input, located, ruling.action, &ruling.rule, || {
            "outside the body".to_owned()
        });
    }
    let refused = verdict.rulings.iter().any(|ruling| ruling.action.changes_text());
    if refused { Err(Refusal::Content) } else { Ok(()) }
}

/// Whether every stored object that the request names was made by this key through this gateway, and at which upstream.
async fn owned_state(gw: &Gateway, asked: &Asked) -> Result<Option<String>, Refusal> {
    let mut bound_to: Option<String> = None;
    for state in &asked.call.state {
        let owned = gw
            .services
            .store
            .owned(state.kind, &state.id)
            .await
            .map_err(|error| {
                tracing::error!(%error, "ownership cannot be looked up");
                Refusal::Unavailable("stored state cannot be looked up")
            })?;
        // Somebody else's object and one that does not exist are the same answer: ids must not be probed.
        let owned = owned
            .filter(|owned| owned.owner == asked.principal.key)
            .ok_or(Refusal::ForbiddenState)?;
        if bound_to.as_ref().is_some_and(|other| *other != owned.upstream) {
            return Err(Refusal::ForbiddenState);
        }
        bound_to = Some(owned.upstream);
    }
    Ok(bound_to)
}
