//! Reads one streamed text, plain and under its disguises, and says how much of it may go.
//!
//! As it stands, a text is followed letter by letter, and is held from where it says something of the prompt until
//! that has ended. Views need whole texts: words are read through them every [`STRIDE`] bytes, after they went; a run without a
//! blank that is long enough to be an encoding is held until it was. So of a prompt in an encoding less goes than
//! makes a leak, and of one whose words are disguised one by one at most a stride more.

use portcullis_core::Span;

use super::follow::Follower;
use super::{Prompt, Trace};

/// A run of so many bytes without a blank may be an encoding: a marker in base64 is. Of ordinary texts, only addresses are.
const DENSE: usize = 32;
/// Such a run is read through views whenever it has grown by so much.
const DENSE_STRIDE: usize = 192;
/// Other text is read through views whenever so much of it came.
const STRIDE: usize = 1024;
/// With so much of what came before.
const CONTEXT: usize = 1024;
/// How much of a run is kept. What is cut off is a whole number of units of every base: 4, 8 and 5 characters, or 2 digits.
const RUN: usize = 4096;
const UNITS: usize = 40;

/// One streamed text being read.
#[derive(Clone, Debug, Default)]
pub struct Reader {
    follower: Follower,
    tail: String,
    /// Offset of the tail.
    from: usize,
    /// Offset at which the run begins that the text ends with.
    run: usize,
    /// Offset up to which views have read the run.
    run_read: usize,
    /// Offset up to which they have shown nothing of the prompt in it.
    run_clear: usize,
    /// The same for all text.
    read: usize,
    /// What was returned last.
    gone: usize,
}

impl Reader {
    /// Reads on. Adds the stretches that say something of the prompt and have ended, in bytes from the beginning;
    /// returns the offset up to which the text may go. It never goes back.
    pub fn push(&mut self, prompt: &Prompt, trace: &mut Trace, text: &str, ended: &mut Vec<Span>) -> usize {
        self.follower.push(prompt, trace, text, ended);
        for piece in text.split_inclusive(char::is_whitespace) {
            self.tail.push_str(piece);
            if piece.ends_with(char::is_whitespace) {
                self.end_run(prompt, trace, ended);
            }
        }
        if self.is_dense() && self.end() - self.run_read >= DENSE_STRIDE {
            self.read_run(prompt, trace, ended);
        }
        if self.end() - self.read >= STRIDE {
            self.read_tail(prompt, trace, ended);
        }
        let held = self.is_dense().then_some(self.run_clear);
        let open = self.follower.open().map(|stretch| stretch.start);
        let may = held.into_iter().chain(open).fold(self.end(), usize::min);
        self.gone = self.gone.max(may);
        self.gone
    }

    /// The text has ended.
    pub fn finish(&mut self, prompt: &Prompt, trace: &mut Trace, ended: &mut Vec<Span>) {
        self.end_run(prompt, trace, ended);
        self.read_tail(prompt, trace, ended);
        self.follower.finish(ended);
    }

    /// A stretch that says something of the prompt and may go on.
    #[must_use]
    pub fn open(&self) -> Option<Span> {
        self.follower.open()
    }

    fn end(&self) -> usize {
        self.from + self.tail.len()
    }

    fn is_dense(&self) -> bool {
        self.end() - self.run >= DENSE
    }

    fn end_run(&mut self, prompt: &Prompt, trace: &mut Trace, ended: &mut Vec<Span>) {
        if self.is_dense() && self.run_read < self.end() {
            self.read_run(prompt, trace, ended);
        }
        self.run = self.end();
        (self.run_read, self.run_clear) = (self.run, self.run);
    }

    fn read_run(&mut self, prompt: &Prompt, trace: &mut Trace, ended: &mut Vec<Span>) {
        let before = trace.fresh;
        self.view(self.run, prompt, trace, ended);
        // What shows something of the prompt is held while it goes on showing it.
        self.run_read = self.end();
        if trace.fresh == before {
            self.run_clear = self.run_read;
        }
        let over = (self.end() - self.run).saturating_sub(RUN) / UNITS * UNITS;
        self.run += over;
    }

    fn read_tail(&mut self, prompt: &Prompt, trace: &mut Trace, ended: &mut Vec<Span>) {
        if self.read < self.end() {
            self.view(self.from, prompt, trace, ended);
        }
        self.read = self.end();
        let keep = self.end().saturating_sub(CONTEXT).min(self.run).max(self.from);
        let cut = boundary(&self.tail, keep - self.from);
        self.tail.drain(..cut);
        self.from += cut;
    }

    fn view(&self, from: usize, prompt: &Prompt, trace: &mut Trace, ended: &mut Vec<Span>) {
        let at = boundary(&self.tail, from.saturating_sub(self.from));
        let text = self.tail.get(at..).unwrap_or("");
        let shift = self.from + at;
        let shown = prompt.read_disguised(text, trace);
        ended.extend(
            shown
                .into_iter()
                .map(|span| Span::new(span.start + shift, span.end + shift)),
        );
    }
}

/// The first boundary of characters at or behind `at`.
fn boundary(text: &str, at: usize) -> usize {
    (at..text.len())
        .find(|at| text.is_char_boundary(*at))
        .unwrap_or(text.len())
}
