//! What is asked and what is granted, signed with a key that every gateway of a state has and the state has not.

use hmac::{Hmac, KeyInit, Mac};
use portcullis_core::{KeyId, RequestId, Secret};
use sha2::Sha256;

use super::{Approval, ApprovalReason, ApprovalState, MOST_ASKED};
use crate::StoreError;
use crate::key::push_random;

/// 22 characters of base62: 131 bits, so that nobody finds an id by trying.
const ID_CHARACTERS: usize = 22;

/// A question, before it has an id and a signature.
#[derive(Clone, Debug)]
pub struct Asking {
    /// The key whose call it is.
    pub key: KeyId,
    /// The key's name.
    pub key_name: String,
    /// The key's team.
    pub team: Option<String>,
    /// The tool.
    pub tool: String,
    /// Its arguments, as a person is to see them.
    pub arguments: Vec<u8>,
    /// The same as [`ApprovalKey::binding`] makes it.
    pub binding: [u8; 32],
    /// Why a person is asked.
    pub reasons: Vec<ApprovalReason>,
    /// The request that asks.
    pub request_id: RequestId,
    /// Now, milliseconds since 1970 UTC.
    pub created_ms: u64,
    /// When its time is over.
    pub expires_ms: u64,
}

/// The key that approvals are signed with: `secret_for(signing_key, "approvals")`.
pub struct ApprovalKey(Secret<[u8; 32]>);

impl ApprovalKey {
    /// Takes the key.
    #[must_use]
    pub fn new(key: [u8; 32]) -> ApprovalKey {
        ApprovalKey(Secret::new(key))
    }

    /// Whose call, of which tool, with which arguments, in one keyed sum: nobody finds arguments by trying. The arguments must be in
    /// canonical form ([`crate::canonical_json`]), or the same call is another one.
    ///
    /// # Errors
    /// Never: a key of any length is taken.
    pub fn binding(&self, key: &KeyId, tool: &str, arguments: &[u8]) -> Result<[u8; 32], StoreError> {
        let mut sum = self.sum(b"binding")?;
        field(&mut sum, key.as_str().as_bytes());
        field(&mut sum, tool.as_bytes());
        field(&mut sum, arguments);
        Ok(sum.finalize().into_bytes().into())
    }

    /// A question as it is kept: with an id, and signed over all that a person is shown.
    ///
    /// # Errors
    /// [`StoreError::ApprovalTooLarge`] if nobody could read it, and no random bytes.
    pub fn ask(&self, asking: Asking) -> Result<Approval, StoreError> {
        if asking.arguments.len() > MOST_ASKED || reasons(&asking.reasons)?.len() > MOST_ASKED {
            return Err(StoreError::ApprovalTooLarge);
        }
        let mut id = String::from("apr_");
        push_random(&mut id, ID_CHARACTERS)?;
        // PostgreSQL's texts hold no zero byte, and what is signed must be what is read again.
        let text = |text: String| text.replace('\0', "\u{fffd}");
        let mut approval = Approval {
            id,
            key: asking.key,
            key_name: text(asking.key_name),
            team: asking.team.map(text),
            tool: text(asking.tool),
            arguments: Some(asking.arguments),
            binding: asking.binding,
            reasons: asking.reasons,
            request_id: asking.request_id,
            created_ms: asking.created_ms,
            expires_ms: asking.expires_ms,
            state: ApprovalState::Pending,
            decided_by: None,
            decided_ms: None,
            asked: [0; 32],
            signature: None,
        };
        approval.asked = self.asked(&approval)?.finalize().into_bytes().into();
        Ok(approval)
    }

    /// Whether what a person is shown is what was asked. Not if the arguments are gone.
    #[must_use]
    pub fn is_asked(&self, approval: &Approval) -> bool {
        approval.arguments.is_some()
            && self
                .asked(approval)
                .is_ok_and(|sum| sum.verify_slice(&approval.asked).is_ok())
    }

    /// The signature of a grant by somebody.
    ///
    /// # Errors
    /// [`StoreError::ApprovalChanged`] if it is not what was asked: nobody may sign what was not shown.
    pub fn grant(&self, approval: &Approval, by: &str) -> Result<[u8; 32], StoreError> {
        if !self.is_asked(approval) {
            return Err(StoreError::ApprovalChanged(approval.id.clone()));
        }
        Ok(self.granted(approval, by)?.finalize().into_bytes().into())
    }

    /// Whether it was granted by somebody who has the key, and not changed since.
    #[must_use]
    pub fn is_granted(&self, approval: &Approval) -> bool {
        let (Some(by), Some(signature)) = (&approval.decided_by, &approval.signature) else {
            return false;
        };
        self.granted(approval, by)
            .is_ok_and(|sum| sum.verify_slice(signature).is_ok())
    }

    fn asked(&self, approval: &Approval) -> Result<Hmac<Sha256>, StoreError> {
        let mut sum = self.sum(b"asked")?;
        self.identity(&mut sum, approval);
        field(&mut sum, approval.key_name.as_bytes());
        // One more byte tells no team from a team without a name.
        field(&mut sum, &[u8::from(approval.team.is_some())]);
        field(&mut sum, approval.team.as_deref().unwrap_or_default().as_bytes());
        field(&mut sum, approval.tool.as_bytes());
        field(&mut sum, approval.arguments.as_deref().unwrap_or_default());
        field(&mut sum, reasons(&approval.reasons)?.as_bytes());
        field(&mut sum, approval.request_id.as_str().as_bytes());
        field(&mut sum, &approval.created_ms.to_be_bytes());
        Ok(sum)
    }

    fn granted(&self, approval: &Approval, by: &str) -> Result<Hmac<Sha256>, StoreError> {
        let mut sum = self.sum(b"granted")?;
        self.identity(&mut sum, approval);
        field(&mut sum, by.as_bytes());
        Ok(sum)
    }

    fn identity(&self, sum: &mut Hmac<Sha256>, approval: &Approval) {
        field(sum, approval.id.as_bytes());
        field(sum, approval.key.as_str().as_bytes());
        field(sum, &approval.binding);
        field(sum, &approval.expires_ms.to_be_bytes());
    }

    fn sum(&self, purpose: &[u8]) -> Result<Hmac<Sha256>, StoreError> {
        let mut sum = Hmac::<Sha256>::new_from_slice(self.0.expose())
            .map_err(|error| StoreError::Corrupt(error.to_string()))?;
        field(&mut sum, purpose);
        Ok(sum)
    }
}

/// With its length before it, so that no two lists of fields have one text.
fn field(sum: &mut Hmac<Sha256>, bytes: &[u8]) {
    let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    sum.update(&length.to_be_bytes());
    sum.update(bytes);
}

/// Reasons as they are signed and kept.
pub(crate) fn reasons(reasons: &[ApprovalReason]) -> Result<String, StoreError> {
    serde_json::to_string(reasons).map_err(|error| StoreError::Corrupt(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asking() -> Asking {
        Asking {
            key: KeyId::from_text("key_ann"),
            key_name: "ann\0".to_owned(),
            team: None,
            tool: "send_money".to_owned(),
            arguments: br#"{"to":"DE1"}"#.to_vec(),
            binding: [5; 32],
            reasons: vec![ApprovalReason {
                rule: "flow.origin".to_owned(),
                path: "to".to_owned(),
                value: "DE1".to_owned(),
                why: "from a mail".to_owned(),
            }],
            request_id: RequestId::from_text("req_1"),
            created_ms: 7,
            expires_ms: 9,
        }
    }

    #[test]
    fn an_id_is_long_and_never_twice() {
        let key = ApprovalKey::new([1; 32]);
        let (one, other) = (key.ask(asking()).unwrap(), key.ask(asking()).unwrap());
        assert!(one.id.starts_with("apr_") && one.id.len() == 26, "{}", one.id);
        assert_ne!(one.id, other.id);
        assert_eq!(one.key_name, "ann\u{fffd}");
    }

    #[test]
    fn whatever_a_person_is_shown_cannot_be_changed() {
        let key = ApprovalKey::new([1; 32]);
        let asked = key.ask(asking()).unwrap();
        assert!(key.is_asked(&asked) && key.grant(&asked, "bob").is_ok());
        let changes: [fn(&mut Approval); 12] = [
            |it| it.id.push('x'),
            |it| it.key = KeyId::from_text("key_bob"),
            |it| it.key_name = "bob".to_owned(),
            |it| it.team = Some(String::new()),
            |it| it.tool = "read_mail".to_owned(),
            |it| it.arguments = Some(br#"{"to":"DE2"}"#.to_vec()),
            |it| it.arguments = None,
            |it| it.binding = [6; 32],
            |it| it.reasons.clear(),
            |it| it.request_id = RequestId::from_text("req_2"),
            |it| it.created_ms = 8,
            |it| it.expires_ms = 10,
        ];
        for (number, change) in changes.into_iter().enumerate() {
            let mut changed = asked.clone();
            change(&mut changed);
            assert!(!key.is_asked(&changed), "{number}");
            assert!(
                matches!(key.grant(&changed, "bob"), Err(StoreError::ApprovalChanged(_))),
                "{number}"
            );
        }
        assert!(!ApprovalKey::new([2; 32]).is_asked(&asked));
    }

    #[test]
    fn a_grant_is_of_one_call_by_one_person() {
        let key = ApprovalKey::new([1; 32]);
        let mut granted = key.ask(asking()).unwrap();
        assert!(!key.is_granted(&granted));
        granted.signature = Some(granted.asked);
        granted.decided_by = Some("bob".to_owned());
        assert!(!key.is_granted(&granted), "what was asked is no grant");
        granted.signature = Some(key.grant(&granted, "bob").unwrap());
        granted.arguments = None;
        assert!(key.is_granted(&granted), "also when the arguments are gone");
        assert!(!ApprovalKey::new([2; 32]).is_granted(&granted));
        let changes: [fn(&mut Approval); 5] = [
            |it| it.id.push('x'),
            |it| it.key = KeyId::from_text("key_bob"),
            |it| it.binding = [6; 32],
            |it| it.expires_ms = 10,
            |it| it.decided_by = Some("eve".to_owned()),
        ];
        for (number, change) in changes.into_iter().enumerate() {
            let mut changed = granted.clone();
            change(&mut changed);
            assert!(!key.is_granted(&changed), "{number}");
        }
    }

    #[test]
    fn a_binding_tells_whose_call_of_what_with_what() {
        let key = ApprovalKey::new([1; 32]);
        let of = |who: &str, tool: &str, arguments: &[u8]| {
            key.binding(&KeyId::from_text(who), tool, arguments).unwrap()
        };
        assert_eq!(of("a", "t", b"{}"), of("a", "t", b"{}"));
        for other in [
            of("b", "t", b"{}"),
            of("a", "u", b"{}"),
            of("a", "t", b"[]"),
            of("at", "", b"{}"),
        ] {
            assert_ne!(of("a", "t", b"{}"), other);
        }
    }

    #[test]
    fn what_nobody_could_read_is_not_asked() {
        let key = ApprovalKey::new([1; 32]);
        let large = Asking {
            arguments: vec![b'x'; MOST_ASKED + 1],
            ..asking()
        };
        assert!(matches!(key.ask(large), Err(StoreError::ApprovalTooLarge)));
    }
}
