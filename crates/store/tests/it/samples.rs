//! Records and places that the tests share.

use std::path::PathBuf;
use std::sync::Arc;

use portcullis_core::{
    Action, AuditRecord, Channel, Decision, Direction, Family, KeyId, Money, Outcome, RecordedFinding,
    RequestId, RoomTime, Severity, Span, Usage,
};
use portcullis_store::{AuditLog, SigningKey, Store, open};
use tempfile::TempDir;

/// A time to begin with: in January 2027, twenty minutes past an hour.
pub const NOW: u64 = 1_800_000_000_000;

/// The id of the request with that number.
pub fn request(number: u64) -> RequestId {
    RequestId::from_parts(NOW, u128::from(number))
}

/// A record with something in every field.
pub fn record(number: u64) -> AuditRecord {
    AuditRecord {
        request_id: request(number),
        unix_ms: NOW + number,
        micros: 1234,
        key: Some(KeyId::from_text("key_sample")),
        org: Some("acme".to_owned()),
        team: Some("free".to_owned()),
        user: number.is_multiple_of(5).then(|| "ann".to_owned()),
        profile: Some("default".to_owned()),
        dialect: Some("openai".to_owned()),
        endpoint: "POST /v1/chat/completions".to_owned(),
        model: Some("gpt-4o-mini \"é\"".to_owned()),
        upstream: Some("openai".to_owned()),
        prompt: number
            .is_multiple_of(3)
            .then(|| "aria@e3b0c44298fc1c14".to_owned()),
        streamed: number.is_multiple_of(2),
        status: 200,
        code: None,
        denied_by: match number.is_multiple_of(7) {
            true => vec!["teams.free.models".to_owned()],
            false => Vec::new(),
        },
        decision: Decision::Redact,
        outcome: Outcome::Completed,
        findings: vec![RecordedFinding {
            kind: "EMAIL_ADDRESS".to_owned(),
            family: Family::Pii,
            severity: Severity::Medium,
            score: 0.9,
            direction: Direction::Input,
            channel: Channel::User,
            path: "messages[0].content".to_owned(),
            span: Span::new(3, 20),
            action: Action::Mask,
            rule: "profiles.default.pii.input".to_owned(),
            late: false,
        }],
        findings_total: 1,
        inspected: 7,
        inspected_bytes: 512,
        uninspectable: Vec::new(),
        sandboxed: None,
        usage: Some(Usage {
            input: 100,
            cached: 0,
            output: 20,
            reasoning: 0,
            cache_write: 7,
        }),
        usage_estimated: false,
        limits_alone: false,
        cost: Some(Money(450)),
        rooms: vec![RoomTime {
            room: "inspect_input".to_owned().into(),
            micros: 88,
        }],
    }
}

/// A folder with a database, a head file and a key, which is gone afterwards.
pub struct Place {
    folder: TempDir,
    pub key: SigningKey,
}

impl Place {
    pub fn new() -> Place {
        Place {
            folder: TempDir::new().unwrap(),
            key: SigningKey::from_bytes(&[7; 32]),
        }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn database(&self) -> PathBuf {
        self.path("portcullis.db")
    }

    pub fn head_file(&self) -> PathBuf {
        self.path("audit.head")
    }

    pub async fn store(&self) -> Arc<dyn Store> {
        open(&format!("sqlite:{}", self.database().display()))
            .await
            .unwrap()
    }

    pub async fn log(&self, store: &Arc<dyn Store>) -> AuditLog {
        AuditLog::open(Arc::clone(store), self.key.clone(), Some(self.head_file()))
            .await
            .unwrap()
    }

    /// Another connection to the same file, as a hostile hand would have.
    pub fn hand(&self) -> rusqlite::Connection {
        rusqlite::Connection::open(self.database()).unwrap()
    }

    /// Writes records `first..=last` in batches of at most `batch` and closes everything.
    pub async fn write(&self, first: u64, last: u64, batch: usize) {
        let store = self.store().await;
        let log = self.log(&store).await;
        let numbers: Vec<u64> = (first..=last).collect();
        for chunk in numbers.chunks(batch) {
            for number in chunk {
                log.append(record(*number)).unwrap();
            }
            log.flush().await.unwrap();
        }
        log.close().await.unwrap();
    }
}
