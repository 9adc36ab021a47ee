//! Texts as tokens: whole, in windows as long as the model reads, each with its place in the text.

use std::path::Path;

use portcullis_core::Span;
use tokenizers::{Encoding, PostProcessor, Tokenizer, TruncationDirection};

use super::error::LoadError;
use super::files;

/// The most bytes of `tokenizer.json`: those of the largest vocabularies in use have 35 MB.
const LIMIT: u64 = 64 << 20;
/// Bytes of a text that are tokenised at once, so that there is time to ask whether to go on.
const STRETCH: usize = 32 << 10;
/// The share of a window, and of a stretch, that the next one reads again.
const SHARE: usize = 8;
/// A window with less room for the text than this many tokens is no window.
const LEAST: usize = 8;

/// A tokenizer and the windows it makes.
pub struct Tokens {
    tokenizer: Tokenizer,
    /// Tokens of the text in a window.
    room: usize,
}

/// What a model reads at once.
pub struct Window {
    /// Ids, with the special tokens around.
    pub ids: Vec<u32>,
    /// The bytes of the text that each is. Nothing at 0 for special tokens.
    pub places: Vec<Span>,
    /// The bytes of the text from the first token to the last. None where there is nothing of the text.
    pub span: Option<Span>,
}

/// The windows of a stretch of a text.
pub struct Stretch {
    /// At least one.
    pub windows: Vec<Window>,
    /// Where the next stretch starts, unless this was the last.
    pub next: Option<usize>,
}

impl Tokens {
    /// Reads a tokenizer for a model that reads so many tokens and knows so many ids.
    pub fn load(path: &Path, limit: usize, vocabulary: usize) -> Result<Tokens, LoadError> {
        let malformed = |why: String| LoadError::Malformed {
            file: path.to_owned(),
            why,
        };
        let raw = files::bytes(path, LIMIT)?;
        let mut tokenizer = Tokenizer::from_bytes(&raw).map_err(|why| malformed(why.to_string()))?;
        // A saved folder may cut texts or fill them up: here all of a text is read, window by window.
        tokenizer
            .with_truncation(None)
            .map_err(|why| malformed(why.to_string()))?;
        tokenizer.with_padding(None);
        let highest = tokenizer.get_vocab(true).into_values().max().unwrap_or(0);
        if highest as usize >= vocabulary {
            return Err(malformed(format!(
                "it has id {highest}, and the model knows ids below {vocabulary}: the two do not belong together"
            )));
        }
        let special = tokenizer
            .get_post_processor()
            .map_or(0, |template| template.added_tokens(false));
        let room = limit.saturating_sub(special);
        if room < LEAST {
            return Err(LoadError::Options {
                why: format!(
                    "a window of {limit} tokens, {special} of them special, leaves too little for a text"
                ),
            });
        }
        Ok(Tokens { tokenizer, room })
    }

    /// The windows of the stretch that starts at a byte. Errors are the tokenizer's.
    pub fn stretch(&self, text: &str, start: usize) -> tokenizers::Result<Stretch> {
        let rest = text.get(start..).unwrap_or_default();
        let end = cut(rest);
        let part = rest.get(..end).unwrap_or_default();
        let mut whole = self.tokenizer.encode(part, false)?;
        let next = (end < rest.len()).then(|| {
            // What a window shares with the next one, and not more than a share of the stretch: it has to go on.
            let shared = whole.len().saturating_sub(self.room / SHARE);
            let place = whole.get_offsets().get(shared).map_or(end, |place| place.0);
            start + floor(part, place.clamp(end - end / SHARE, end))
        });
        whole.truncate(self.room, self.room / SHARE, TruncationDirection::Right);
        let rest = whole.take_overflowing();
        let windows = std::iter::once(whole)
            .chain(rest)
            .map(|tokens| self.window(tokens, part, start))
            .collect::<tokenizers::Result<_>>()?;
        Ok(Stretch { windows, next })
    }

    /// Puts special tokens around.
    fn window(&self, tokens: Encoding, part: &str, start: usize) -> tokenizers::Result<Window> {
        // Places are those before the template, which in some tokenizers takes the blank off a token a second time.
        let mut offsets = tokens.get_offsets().to_vec().into_iter();
        let whole = self.tokenizer.post_process(tokens, None, true)?;
        let place = |special: &u32| {
            if *special == 1 {
                return Span::new(0, 0);
            }
            match offsets.next() {
                // A token can be a part of a character.
                Some((from, to)) if from < to => Span::new(start + floor(part, from), start + ceil(part, to)),
                _ => Span::new(0, 0),
            }
        };
        let marks = whole.get_special_tokens_mask();
        let places: Vec<Span> = marks.iter().map(place).collect();
        let read = || places.iter().filter(|place| !place.is_empty());
        let first = read().map(|place| place.start).min();
        let last = read().map(|place| place.end).max();
        let span = first.zip(last).map(|(first, last)| Span::new(first, last));
        Ok(Window {
            ids: whole.get_ids().to_vec(),
            places,
            span,
        })
    }
}

/// Where a stretch ends: after a blank if there is one near the limit, so that no word is cut.
fn cut(text: &str) -> usize {
    if text.len() <= STRETCH {
        return text.len();
    }
    let end = floor(text, STRETCH);
    let tail = floor(text, STRETCH - STRETCH / SHARE);
    let blank = text
        .get(tail..end)
        .and_then(|tail| tail.rfind(char::is_whitespace));
    blank.map_or(end, |blank| tail + blank)
}

/// The start of the character that a byte belongs to.
fn floor(text: &str, mut place: usize) -> usize {
    place = place.min(text.len());
    while !text.is_char_boundary(place) {
        place -= 1;
    }
    place
}

/// The end of the character that the byte before belongs to.
fn ceil(text: &str, mut place: usize) -> usize {
    place = place.min(text.len());
    while !text.is_char_boundary(place) {
        place += 1;
    }
    place
}
