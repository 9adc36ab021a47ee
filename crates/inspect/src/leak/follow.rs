//! Follows a prompt through a text, letter by letter, in whatever pieces the text comes.

use portcullis_core::Span;

use super::letters::{Letter, Letters};
use super::{BASE, Prompt, Trace, WINDOW, rolled};

/// What stands between two stretches that say something of the prompt is one with them up to so many letters: the words that
/// number lines, a word changed here and there.
const GAP: usize = 48;

/// The same in characters of any kind.
const APART: usize = 512;

/// `BASE` to the power of [`WINDOW`]: what a letter counts when it leaves the window.
const LEAVING: u64 = {
    let (mut power, mut times) = (1u64, 0);
    while times < WINDOW {
        power = power.wrapping_mul(BASE);
        times += 1;
    }
    power
};

/// One text being read.
#[derive(Clone, Debug, Default)]
pub struct Follower {
    letters: Letters,
    /// The last letters and the offsets at which they stand, the oldest at `turn`.
    window: [(u16, usize); WINDOW],
    turn: usize,
    filled: usize,
    hash: u64,
    /// The letter of the prompt that comes next, while the text follows it.
    next: Option<usize>,
    /// Bytes read.
    offset: usize,
    /// A stretch that says something of the prompt, and what came since.
    stretch: Option<Span>,
    since: usize,
    since_chars: usize,
}

/// The codes that a letter gives: an ideograph gives several.
pub(super) fn units(letter: Letter) -> impl Iterator<Item = u16> {
    (0..letter.units).map(move |unit| letter.code ^ (u16::from(unit) << 11))
}

impl Follower {
    /// Reads on. Adds the stretches that have ended, in bytes from the beginning of the first piece.
    pub fn push(&mut self, prompt: &Prompt, trace: &mut Trace, text: &str, ended: &mut Vec<Span>) {
        let base = self.offset;
        for (at, c) in text.char_indices() {
            self.since_chars += 1;
            if let Some(letter) = self.letters.next(c) {
                let span = Span::new(base + at, base + at + c.len_utf8());
                for code in units(letter) {
                    self.take(prompt, trace, code, span);
                }
            }
            if self.since > GAP || self.since_chars > APART {
                ended.extend(self.stretch.take());
            }
        }
        self.offset = base + text.len();
    }

    /// The text has ended.
    pub fn finish(&mut self, ended: &mut Vec<Span>) {
        ended.extend(self.stretch.take());
    }

    /// Where a stretch stands that says something of the prompt and may go on.
    #[must_use]
    pub fn open(&self) -> Option<Span> {
        self.stretch
    }

    fn take(&mut self, prompt: &Prompt, trace: &mut Trace, code: u16, span: Span) {
        self.since += 1;
        let Some(oldest) = self.window.get_mut(self.turn) else {
            return;
        };
        let (left, _) = std::mem::replace(oldest, (code, span.start));
        self.turn = (self.turn + 1) % WINDOW;
        self.hash = rolled(self.hash, code);
        if self.filled == WINDOW {
            self.hash = self.hash.wrapping_sub(LEAVING.wrapping_mul(u64::from(left) + 1));
        } else {
            self.filled += 1;
        }
        if let Some(next) = self.next.filter(|next| prompt.letters.get(*next) == Some(&code)) {
            self.next = Some(next + 1);
            if trace.say(prompt, next) {
                self.says(span);
            }
            return;
        }
        self.next = None;
        if self.filled < WINDOW {
            return;
        }
        let Some(start) = prompt.find(self.hash).filter(|start| self.is_at(prompt, *start)) else {
            return;
        };
        let mut new = false;
        for letter in start..start + WINDOW {
            new |= trace.say(prompt, letter);
        }
        self.next = Some(start + WINDOW);
        if new {
            let first = self.window.get(self.turn).map_or(span.start, |(_, at)| *at);
            self.says(Span::new(first, span.end));
        }
    }

    /// Whether the window holds what the prompt says from `start` on.
    fn is_at(&self, prompt: &Prompt, start: usize) -> bool {
        let (later, earlier) = self.window.split_at(self.turn.min(WINDOW));
        let read = earlier.iter().chain(later).map(|(code, _)| code);
        prompt
            .letters
            .get(start..start + WINDOW)
            .is_some_and(|said| said.iter().eq(read))
    }

    fn says(&mut self, span: Span) {
        match &mut self.stretch {
            Some(stretch) => stretch.end = span.end,
            None => self.stretch = Some(span),
        }
        self.since = 0;
        self.since_chars = 0;
    }
}
