//! Whether a reply says what its system prompt says.
//!
//! A [`Prompt`] is the system prompt as nothing but letters, with a table of the windows of [`WINDOW`] letters that begin where
//! its words begin. A `Follower` reads a text letter by letter, looks the last window up, and follows the prompt
//! from there for as long as the text says the same. A [`Trace`] counts which letters of the prompt have been said, each once,
//! and says when that is more than an answer on the prompt's subject would say of it. Everything is linear in the texts, in
//! memory of some bytes a letter, and exact: what the table gives is compared.
//!
//! The marker that may be put into a prompt (a canary) is one window more. Nothing here knows what is done about a leak.

mod follow;
mod letters;
mod reader;

use portcullis_core::{Family, Finding, Kind, Severity, Span};

use follow::Follower;
use letters::Letters;
pub use reader::Reader;

use crate::views;

/// So many letters in a row are looked up: four to five words. Fewer are stock phrases, more are longer than many lines.
pub(crate) const WINDOW: usize = 24;

/// Of a long prompt so many letters are watched: it bounds what a request can make the gateway keep.
const WATCHED: usize = 1 << 18;

/// Where words are so long, or not written apart, windows begin within them.
const STEP: usize = 8;

/// A reply that says so many letters of the prompt, about fifty words, leaks it, however long it is.
const MUCH: usize = 240;

/// Of a shorter prompt this share is a leak: a numerator and a denominator.
const SHARE: (usize, usize) = (2, 5);

/// A system prompt, made ready to be recognised.
#[derive(Debug)]
pub struct Prompt {
    letters: Vec<u16>,
    /// Letters of the prompt itself; what follows is the marker.
    own: usize,
    /// Hashes of windows and where they begin, sorted.
    windows: Vec<(u64, u32)>,
    /// One bit for the low end of every hash: most windows of other texts end here.
    sieve: Vec<u64>,
}

/// How much of a prompt was said so far.
#[derive(Clone, Debug)]
pub struct Trace {
    /// One bit a letter: said before, or no secret.
    said: Vec<u64>,
    /// Letters that are secret from whoever gets the reply.
    secret: usize,
    /// Letters that earlier replies of the conversation said.
    earlier: usize,
    /// Letters that this reply says and nobody said before.
    fresh: usize,
    canary: bool,
}

impl Prompt {
    /// A prompt of those texts, with a marker that was put into it. `None` where there is too little of it to be recognised.
    #[must_use]
    pub fn new<'t>(texts: impl Iterator<Item = &'t str>, canary: Option<&str>) -> Option<Prompt> {
        let mut letters = Vec::new();
        let mut starts = Vec::new();
        for text in texts {
            add(text, &mut letters, &mut starts);
        }
        letters.truncate(WATCHED);
        let own = letters.len();
        if let Some(canary) = canary {
            let mut apart = Vec::new();
            add(canary, &mut letters, &mut apart);
            letters.truncate(own + WINDOW);
            starts.push(own);
        }
        let window = |start: usize| {
            let hash = hash_of(letters.get(start..start.checked_add(WINDOW)?)?);
            Some((hash, u32::try_from(start).ok()?))
        };
        let mut windows: Vec<(u64, u32)> = starts.into_iter().filter_map(window).collect();
        windows.sort_unstable();
        windows.dedup_by_key(|(hash, _)| *hash);
        if windows.is_empty() {
            return None;
        }
        let mut sieve = vec![0u64; (windows.len() / 4 + 1).next_power_of_two()];
        for (hash, _) in &windows {
            let (word, bit) = sifted(*hash, sieve.len());
            if let Some(word) = sieve.get_mut(word) {
                *word |= bit;
            }
        }
        Some(Prompt {
            letters,
            own,
            windows,
            sieve,
        })
    }

    /// The trace of a reply that has not begun.
    #[must_use]
    pub fn trace(&self) -> Trace {
        Trace {
            said: vec![0; self.letters.len() / 64 + 1],
            secret: self.own,
            earlier: 0,
            fresh: 0,
            canary: false,
        }
    }

    /// Where the window of that hash begins.
    fn find(&self, hash: u64) -> Option<usize> {
        let (word, bit) = sifted(hash, self.sieve.len());
        if self.sieve.get(word).is_none_or(|word| word & bit == 0) {
            return None;
        }
        let at = self.windows.binary_search_by_key(&hash, |(hash, _)| *hash).ok()?;
        let (_, start) = self.windows.get(at)?;
        usize::try_from(*start).ok()
    }

    /// Reads a whole text as it stands and under its disguises; returns where it says something of the prompt that was not
    /// said before.
    #[must_use]
    pub fn read(&self, text: &str, trace: &mut Trace) -> Vec<Span> {
        let mut spans = self.read_plain(text, trace);
        spans.extend(self.read_disguised(text, trace));
        merged(spans)
    }

    /// The same for what a text says under its disguises alone.
    fn read_disguised(&self, text: &str, trace: &mut Trace) -> Vec<Span> {
        let mut spans = Vec::new();
        if text.len() >= WINDOW {
            views::explore(text, &mut |derived| {
                let shown = self.read_plain(&derived.text, trace);
                spans.extend(shown.into_iter().map(|span| derived.original(span)));
            });
        }
        spans
    }

    fn read_plain(&self, text: &str, trace: &mut Trace) -> Vec<Span> {
        let mut follower = Follower::default();
        let mut spans = Vec::new();
        follower.push(self, trace, text, &mut spans);
        follower.finish(&mut spans);
        spans
    }

    /// What the user wrote is no secret from the user.
    pub fn concede(&self, text: &str, trace: &mut Trace) {
        let before = trace.fresh;
        let _ = self.read_plain(text, trace);
        trace.secret = trace.secret.saturating_sub(trace.fresh.saturating_sub(before));
        trace.fresh = before;
        trace.canary = false;
    }

    /// What earlier replies of the conversation said counts towards a leak: it may come in pieces.
    pub fn recall(&self, text: &str, trace: &mut Trace) {
        let before = trace.fresh;
        let _ = self.read_plain(text, trace);
        trace.earlier = trace.earlier.saturating_add(trace.fresh.saturating_sub(before));
        trace.fresh = before;
        trace.canary = false;
    }
}

impl Trace {
    /// Marks a letter as said; whether it was a secret until now.
    fn say(&mut self, prompt: &Prompt, letter: usize) -> bool {
        let Some(word) = self.said.get_mut(letter / 64) else {
            return false;
        };
        let bit = 1u64 << (letter % 64);
        let new = *word & bit == 0;
        *word |= bit;
        if new && letter >= prompt.own {
            self.canary |= letter + 1 == prompt.letters.len();
        } else if new {
            self.fresh += 1;
        }
        new
    }

    /// Letters that make a leak.
    fn much(&self) -> usize {
        (self.secret * SHARE.0 / SHARE.1).clamp(WINDOW, MUCH)
    }

    /// What was found in the reply so far.
    #[must_use]
    pub fn leak(&self) -> Option<Leak> {
        if self.canary {
            return Some(Leak::Canary);
        }
        let much = self.much();
        // A reply after a leak is not one itself unless it adds to it.
        let adds = self.fresh * 4 >= much;
        (adds && self.earlier + self.fresh >= much).then_some(Leak::Text)
    }

    /// The finding on a stretch of a text that says something of the prompt, once there is a leak.
    #[must_use]
    pub fn finding(&self, leak: Leak, span: Span) -> Finding {
        #[allow(
            clippy::cast_precision_loss,
            reason = "a share of a few hundred thousand letters"
        )]
        let share = |said: usize| (said as f32 / self.secret.max(1) as f32).clamp(0.5, 1.0);
        let (kind, score) = match leak {
            Leak::Canary => (CANARY, 1.0),
            Leak::Text => (TEXT, share(self.earlier + self.fresh)),
        };
        Finding {
            kind: Kind::new(kind),
            family: Family::SystemPrompt,
            span,
            severity: Severity::High,
            score,
            target: None,
        }
    }
}

/// The kind of a finding on a reply that says too much of its system prompt.
pub const TEXT: &str = "prompt.leak";
/// The kind of a finding on a reply that says the marker of its system prompt.
pub const CANARY: &str = "prompt.canary";

/// How a prompt came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leak {
    /// Too much of its words were said.
    Text,
    /// The marker in it was said.
    Canary,
}

/// Adds the letters of a text, and where windows begin in it.
fn add(text: &str, letters: &mut Vec<u16>, starts: &mut Vec<usize>) {
    let mut reader = Letters::default();
    let mut apart = true;
    for c in text.chars() {
        let Some(letter) = reader.next(c) else {
            apart = true;
            continue;
        };
        let far = starts.last().is_none_or(|last| letters.len() - last >= STEP);
        if apart || far || letter.units > 1 {
            starts.push(letters.len());
        }
        apart = false;
        letters.extend(follow::units(letter));
        if letters.len() >= WATCHED {
            break;
        }
    }
}

const BASE: u64 = 0x9e37_79b9_7f4a_7c15;

/// The hash of a window. It is one that rolls: [`Follower`] computes it letter by letter.
fn hash_of(letters: &[u16]) -> u64 {
    letters.iter().fold(0, |hash, letter| rolled(hash, *letter))
}

fn rolled(hash: u64, letter: u16) -> u64 {
    hash.wrapping_mul(BASE).wrapping_add(u64::from(letter) + 1)
}

/// The word and the bit of a sieve for a hash.
fn sifted(hash: u64, words: usize) -> (usize, u64) {
    let mixed = (hash ^ hash >> 29).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let word = usize::try_from(mixed >> 20).unwrap_or(0) & words.saturating_sub(1);
    (word, 1 << (mixed >> 58))
}

/// Spans in order, those that touch as one.
fn merged(mut spans: Vec<Span>) -> Vec<Span> {
    spans.sort_unstable();
    let mut all: Vec<Span> = Vec::with_capacity(spans.len());
    for span in spans {
        match all.last_mut().filter(|last| span.start <= last.end) {
            Some(last) => last.end = last.end.max(span.end),
            None => all.push(span),
        }
    }
    all
}

#[cfg(test)]
mod tests;
