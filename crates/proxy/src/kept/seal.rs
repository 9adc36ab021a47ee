//! How what is kept leaves the process: sealed with ChaCha20-Poly1305, under a name that says nothing.

use portcullis_core::KeyId;
use portcullis_store::Sealed;
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hmac;
use serde_json::{Value, json};

use super::Recalled;
use crate::marks::Marks;
use crate::masks::Known;

/// What is larger stays in the memory of its process: a database is no place for it.
const MAX_SEALED: usize = 256 * 1024;

pub(super) struct Sealer {
    key: LessSafeKey,
    names: hmac::Key,
}

impl Sealer {
    pub fn new(key: [u8; 32]) -> Option<Sealer> {
        let root = hmac::Key::new(hmac::HMAC_SHA256, &key);
        let sealing = hmac::sign(&root, b"seal");
        let naming = hmac::sign(&root, b"name");
        Some(Sealer {
            key: LessSafeKey::new(UnboundKey::new(&CHACHA20_POLY1305, sealing.as_ref()).ok()?),
            names: hmac::Key::new(hmac::HMAC_SHA256, naming.as_ref()),
        })
    }

    /// What a client's stored object is kept under.
    pub fn name(&self, owner: &KeyId, id: &str) -> [u8; 32] {
        let mut context = hmac::Context::with_key(&self.names);
        // The length keeps one client's ids apart from another's.
        context.update(&owner.as_str().len().to_le_bytes());
        context.update(owner.as_str().as_bytes());
        context.update(id.as_bytes());
        let mut name = [0; 32];
        for (byte, of_tag) in name.iter_mut().zip(context.sign().as_ref()) {
            *byte = *of_tag;
        }
        name
    }

    /// Nothing where it is too large, or there are no random bytes.
    pub fn seal(&self, owner: &KeyId, id: &str, what: &Recalled, until_ms: u64) -> Option<Sealed> {
        let name = self.name(owner, id);
        let mut nonce = [0; NONCE_LEN];
        getrandom::fill(&mut nonce).ok()?;
        let mut text = json!([until_ms, told(what)]).to_string().into_bytes();
        if text.len() > MAX_SEALED {
            return None;
        }
        let mut bytes = nonce.to_vec();
        let unique = Nonce::assume_unique_for_key(nonce);
        self.key
            .seal_in_place_append_tag(unique, Aad::from(name), &mut text)
            .ok()?;
        bytes.append(&mut text);
        Some(Sealed {
            name,
            bytes,
            until_ms,
        })
    }

    /// What was sealed, and until when; nothing where it was sealed with another key, for another object, or changed.
    pub fn open(&self, owner: &KeyId, id: &str, mut sealed: Vec<u8>) -> Option<(Recalled, u64)> {
        let name = self.name(owner, id);
        let (nonce, text) = sealed.split_at_mut_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let text = self.key.open_in_place(nonce, Aad::from(name), text).ok()?;
        let text: Value = serde_json::from_slice(text).ok()?;
        Some((heard(text.get(1)?)?, text.get(0)?.as_u64()?))
    }
}

fn told(what: &Recalled) -> Value {
    let values = what
        .values
        .iter()
        .map(|known| json!([known.kind, known.number, known.value, known.tag]));
    json!({
        "values": values.collect::<Vec<_>>(),
        "inserted": what.inserted.as_deref(),
        "prompt": &*what.prompt,
        "marks": what.marks.iter().map(Marks::told).collect::<Vec<_>>(),
    })
}

fn heard(value: &Value) -> Option<Recalled> {
    let known = |value: &Value| {
        Some(Known {
            kind: value.get(0)?.as_str()?.into(),
            number: usize::try_from(value.get(1)?.as_u64()?).ok()?,
            value: value.get(2)?.as_str()?.into(),
            tag: value.get(3)?.as_str()?.into(),
        })
    };
    let list = |name: &str| value.get(name)?.as_array();
    Some(Recalled {
        values: list("values")?.iter().map(known).collect::<Option<_>>()?,
        inserted: value.get("inserted")?.as_str().map(Into::into),
        prompt: value.get("prompt")?.as_str()?.into(),
        marks: list("marks")?.iter().map(Marks::heard).collect::<Option<_>>()?,
    })
}

#[cfg(test)]
mod tests {
    use portcullis_policy::Marking;

    use super::*;

    #[test]
    fn what_is_sealed_is_opened_by_its_key_for_its_object_alone() {
        let (ann, bob) = (KeyId::from_text("ann"), KeyId::from_text("bob"));
        let sealer = Sealer::new([7; 32]).unwrap();
        let what = Recalled {
            values: [Known {
                kind: "EMAIL_ADDRESS".into(),
                number: 2,
                value: "ann@example.com".into(),
                tag: "k7q2m9".into(),
            }]
            .into(),
            inserted: None,
            prompt: "Be kind.".into(),
            marks: [Marks::new(
                Marking::Datamark,
                "abcdefghijklmnopqrstuvwxyz",
                &["a text"],
            )]
            .into(),
        };
        let sealed = sealer.seal(&ann, "resp_1", &what, 9).unwrap();
        let text = String::from_utf8_lossy(&sealed.bytes);
        assert!(!text.contains("ann@example.com") && !text.contains("kind"));
        let (opened, until_ms) = sealer.open(&ann, "resp_1", sealed.bytes.clone()).unwrap();
        assert_eq!(until_ms, 9);
        assert_eq!(told(&opened), told(&what));
        assert_eq!(opened.marks, what.marks);
        let again = sealer.seal(&ann, "resp_1", &what, 9).unwrap();
        assert!(again.name == sealed.name && again.bytes != sealed.bytes);
        let mut changed = sealed.bytes.clone();
        *changed.last_mut().unwrap() ^= 1;
        let other = Sealer::new([8; 32]).unwrap();
        for (opened, why) in [
            (
                sealer.open(&bob, "resp_1", sealed.bytes.clone()),
                "another client's",
            ),
            (
                sealer.open(&ann, "resp_2", sealed.bytes.clone()),
                "another object's",
            ),
            (other.open(&ann, "resp_1", sealed.bytes.clone()), "another key's"),
            (sealer.open(&ann, "resp_1", changed), "changed"),
            (sealer.open(&ann, "resp_1", vec![1; 5]), "too short"),
        ] {
            assert!(opened.is_none(), "{why}");
        }
        let large = Recalled {
            prompt: "x".repeat(MAX_SEALED).into(),
            ..Recalled::default()
        };
        assert!(sealer.seal(&ann, "resp_1", &large, 9).is_none());
    }
}
