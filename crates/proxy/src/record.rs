//! The record of one request while it is under way. It is written exactly once, whatever becomes of the request.

use std::cell::RefCell;
use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use portcullis_core::{
    Action, AuditRecord, Decision, Direction, Kind, Located, Outcome, RecordedFinding, RequestId, RoomTime,
    Usage,
};
use portcullis_dialect::Reading;
use portcullis_policy::Verdict;
use portcullis_store::AuditSlot;

use crate::levels::Standing;
use crate::{Gateway, Metrics, Refusal};

/// Findings and uninspectable places that a record lists; the rest is counted.
const LISTED: usize = 100;

/// Milliseconds since 1970 UTC.
pub(crate) fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// Random bits for an id. They are fetched for 64 ids at once, which spares a system call a request.
fn random() -> Option<u128> {
    thread_local! {
        static POOL: RefCell<Vec<u128>> = const { RefCell::new(Vec::new()) };
    }
    POOL.with_borrow_mut(|pool| {
        if pool.is_empty() {
            let mut bytes = [0u8; 1024];
            getrandom::fill(&mut bytes).ok()?;
            pool.extend(
                bytes
                    .as_chunks::<16>()
                    .0
                    .iter()
                    .map(|bits| u128::from_le_bytes(*bits)),
            );
        }
        pool.pop()
    })
}

/// A word that nobody can guess: 24 letters, 112 random bits.
pub(crate) fn marker() -> Option<String> {
    let mut bits = random()?;
    let mut letter = || {
        let value = u8::try_from(bits % 26).unwrap_or(0);
        bits /= 26;
        char::from(b'a'.saturating_add(value))
    };
    Some((0..24).map(|_| letter()).collect())
}

/// Writes itself into the audit log when it is dropped, so a panic, a client that goes away and a forgotten branch all leave one record.
pub(crate) struct Record {
    slot: Option<AuditSlot>,
    metrics: Arc<Metrics>,
    started: Instant,
    room_entered: Instant,
    ended: bool,
    /// Tokens of this attempt, and of those before it.
    attempt: Usage,
    before: Usage,
    /// Bytes of what a model said.
    said: u64,
    pub audit: AuditRecord,
}

impl Record {
    /// Takes a place in the audit log *before* anything is done: what cannot be recorded is not done.
    pub fn open(gateway: &Gateway) -> Result<Record, Refusal> {
        let slot = gateway
            .services
            .audit
            .reserve()
            .map_err(|_| Refusal::Unavailable("the audit log cannot be written"))?;
        let unix_ms = now_ms();
        let random = random().ok_or(Refusal::Unavailable("no random numbers"))?;
        let started = Instant::now();
        Ok(Record {
            slot: Some(slot),
            metrics: Arc::clone(&gateway.services.metrics),
            started,
            room_entered: started,
            ended: false,
            attempt: Usage::default(),
            before: Usage::default(),
            said: 0,
            audit: AuditRecord {
                request_id: RequestId::from_parts(unix_ms, random),
                unix_ms,
                endpoint: "unknown".to_owned(),
                rooms: Vec::with_capacity(8),
                ..AuditRecord::default()
            },
        })
    }

    /// Notes that the room entered last has been left.
    pub fn left(&mut self, room: &'static str) {
        let now = Instant::now();
        let micros = micros(now.saturating_duration_since(self.room_entered));
        self.metrics.room(room, micros);
        self.audit.rooms.push(RoomTime {
            room: room.into(),
            micros,
        });
        self.room_entered = now;
    }

    pub fn standing(&mut self, standing: &Standing) {
        let principal = &standing.principal;
        self.audit.key = Some(principal.key.clone());
        self.audit.org.clone_from(&standing.org);
        self.audit.team.clone_from(&principal.team);
        self.audit.user.clone_from(&principal.user);
        self.audit.profile = Some(standing.profile().to_owned());
    }

    pub fn model(&mut self, model: &str) {
        self.audit.model = Some(model.chars().take(200).collect());
    }

    /// Notes what was inspected.
    pub fn inspected(&mut self, texts: u64, bytes: u64) {
        self.audit.inspected = self.audit.inspected.saturating_add(texts);
        self.audit.inspected_bytes = self.audit.inspected_bytes.saturating_add(bytes);
    }

    /// How much a model said, in bytes.
    pub fn has_said(&self) -> u64 {
        self.said
    }

    /// Notes that a model said so much, in bytes.
    pub fn said(&mut self, bytes: u64) {
        self.said = self.said.saturating_add(bytes);
    }

    /// Notes a verdict, and what it was given on.
    pub fn judged(
        &mut self,
        direction: Direction,
        reading: &Reading,
        findings: &[Located],
        verdict: &Verdict,
    ) {
        self.audit.decision = self.audit.decision.max(verdict.decision);
        for (located, ruling) in findings.iter().zip(&verdict.rulings) {
            self.found(direction, located, ruling.action, &ruling.rule, || {
                reading.path(located.part)
            });
        }
        let room = LISTED.saturating_sub(self.audit.uninspectable.len());
        self.audit
            .uninspectable
            .extend(reading.uninspectable().iter().take(room).cloned());
    }

    /// Notes a finding that no detector made.
    pub fn noted(&mut self, finding: RecordedFinding) {
        let kind = Kind::new(&finding.kind);
        self.metrics
            .finding(kind.as_str(), finding.family, finding.action);
        self.audit.findings_total = self.audit.findings_total.saturating_add(1);
        if self.audit.findings.len() < LISTED {
            self.audit.findings.push(finding);
        }
    }

    /// Notes one finding.
    pub fn found(
        &mut self,
        direction: Direction,
        located: &Located,
        action: Action,
        rule: &impl ToString,
        path: impl FnOnce() -> String,
    ) {
        if action == Action::Allow {
            return;
        }
        let finding = &located.finding;
        self.metrics
            .finding(finding.kind.as_str(), finding.family, action);
        self.audit.findings_total = self.audit.findings_total.saturating_add(1);
        if self.audit.findings.len() < LISTED {
            self.audit.findings.push(RecordedFinding {
                kind: finding.kind.as_str().to_owned(),
                family: finding.family,
                severity: finding.severity,
                score: finding.score,
                direction,
                channel: located.channel,
                path: path(),
                span: finding.span,
                action,
                rule: rule.to_string(),
                late: false,
            });
        }
    }

    /// Notes tokens; a later report of the same reply replaces an earlier one where it says more.
    pub fn used(&mut self, usage: Usage) {
        let (known, before) = (&mut self.attempt, self.before);
        known.input = known.input.max(usage.input);
        known.output = known.output.max(usage.output);
        known.cached = known.cached.max(usage.cached);
        known.reasoning = known.reasoning.max(usage.reasoning);
        known.cache_write = known.cache_write.max(usage.cache_write);
        self.audit.usage = Some(Usage {
            input: before.input.saturating_add(known.input),
            output: before.output.saturating_add(known.output),
            cached: before.cached.saturating_add(known.cached),
            reasoning: before.reasoning.saturating_add(known.reasoning),
            cache_write: before.cache_write.saturating_add(known.cache_write),
        });
    }

    /// Notes that the model is asked once more: what it used so far is added to what it will use.
    pub fn asks_again(&mut self) {
        self.before = self.audit.usage.unwrap_or_default();
        self.attempt = Usage::default();
    }

    /// Notes how the request ended. The record is written when the value goes.
    pub fn end(&mut self, outcome: Outcome, status: u16) {
        self.ended = true;
        self.audit.outcome = outcome;
        self.audit.status = status;
    }

    /// Notes that a room panicked.
    pub fn panicked(&mut self) {
        self.audit.code = Some("unavailable".to_owned());
        self.end(Outcome::Panicked, 503);
    }

    /// Notes a refusal.
    pub fn refused(&mut self, refusal: &Refusal) {
        let (status, code) = refusal.wire();
        self.audit.code = Some(code.as_str().to_owned());
        if refusal.is_upstream() {
            self.end(Outcome::UpstreamFailed, status);
        } else {
            self.audit.decision = Decision::Block;
            self.end(Outcome::Refused, status);
        }
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        let Some(slot) = self.slot.take() else { return };
        if !self.ended && !std::thread::panicking() {
            self.audit.outcome = Outcome::ClientGone;
        }
        self.audit.micros = micros(self.started.elapsed());
        self.metrics.request(&self.audit);
        slot.write(std::mem::take(&mut self.audit));
    }
}

fn micros(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
