//! What becomes of content that no detector can read. It does not try to read it.

use portcullis_core::{Action, UninspectableKind};

use super::Rule;
use crate::{Profile, Ruling};

/// Pictures, sound, files and the like pass, are recorded or are refused, by kind.
pub struct Uninspectable;

impl Rule for Uninspectable {
    fn id(&self) -> &'static str {
        "uninspectable"
    }

    fn about(&self) -> &'static str {
        "Images, audio, video, files, encrypted reasoning and vectors are allowed, flagged or blocked, each by its own setting."
    }

    fn on_uninspectable(&self, profile: &Profile, kind: UninspectableKind) -> Option<Ruling> {
        // There is no text to change, so an action that would change it refuses instead: closed, not open.
        let action = match profile.uninspectable.on(kind) {
            action if action.changes_text() => Action::Block,
            action => action,
        };
        Some(profile.says(setting(kind), action))
    }
}

const fn setting(kind: UninspectableKind) -> &'static str {
    match kind {
        UninspectableKind::Image => "uninspectable.image",
        UninspectableKind::Audio => "uninspectable.audio",
        UninspectableKind::Video => "uninspectable.video",
        UninspectableKind::File => "uninspectable.file",
        UninspectableKind::Encrypted => "uninspectable.encrypted",
        UninspectableKind::Vector => "uninspectable.vector",
    }
}
