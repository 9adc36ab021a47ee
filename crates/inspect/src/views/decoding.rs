//! What the views of encodings share: symbols that carry bits, and whether what they say is text.

use portcullis_core::Span;

use crate::derived::{Draft, Ratio};

/// Symbols of an encoding: where each stands, and its value.
#[derive(Debug, Default)]
pub(super) struct Symbols(pub(super) Vec<(usize, u8)>);

impl Symbols {
    /// The bytes that the symbols carry, `width` bits each; bits that are left over are dropped.
    pub(super) fn bytes(&self, width: u32) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.0.len() * usize::try_from(width).unwrap_or(8) / 8);
        let (mut bits, mut count) = (0u32, 0);
        for (_, value) in &self.0 {
            bits = ((bits << width) | u32::from(*value)) & 0xffff;
            count += width;
            if count >= 8 {
                count -= 8;
                bytes.push(u8::try_from((bits >> count) & 0xff).unwrap_or(0));
            }
        }
        bytes
    }

    /// Whether the first symbols already say something other than text.
    pub(super) fn begin_badly(&self, width: u32) -> bool {
        begin_badly(self.0.iter().map(|(_, value)| *value), width)
    }

    /// Adds the text that the symbols say, as far as it is text and if it is long enough; whether it was.
    pub(super) fn say(&self, width: u32, draft: &mut Draft) -> bool {
        if self.begin_badly(width) {
            return false;
        }
        let mut bytes = self.bytes(width);
        // Text in sixteen bits a character, as PowerShell encodes commands: of two bytes the first counts.
        let step = if is_wide(&bytes) { 2 } else { 1 };
        if step == 2 {
            bytes = bytes.into_iter().step_by(2).collect();
        }
        let said = text(&bytes);
        if !is_plausible(said) {
            return false;
        }
        let (Some((first, _)), Some((last, _))) = (self.0.first(), self.0.last()) else {
            return false;
        };
        draft.cut(*first);
        let width = usize::try_from(width).unwrap_or(8);
        if step == 1 && last - first + 1 == self.0.len() {
            let used = (said.len() * 8).div_ceil(width);
            let ratio = match width {
                6 => Ratio::new(3, 4),
                5 => Ratio::new(5, 8),
                width => Ratio::new(1, u8::try_from(8 / width).unwrap_or(8)),
            };
            draft.scaled(Span::new(*first, first + used), said, ratio);
        } else {
            let symbol = |at: usize| self.0.get(at).map_or(*last, |(place, _)| *place);
            let part = |byte: usize| {
                let (from, to) = (byte * step * 8 / width, ((byte + 1) * step * 8).div_ceil(width));
                (Span::new(symbol(from), symbol(to - 1) + 1), 1, None)
            };
            draft.spread(said, (0..said.len()).map(part));
        }
        true
    }
}

/// Whether the first of these symbols say something other than text: most runs that only look encoded end here.
pub(super) fn begin_badly(values: impl Iterator<Item = u8>, width: u32) -> bool {
    let (mut bytes, mut length) = ([0; 16], 0);
    let (mut bits, mut count) = (0u32, 0);
    for value in values.take(16) {
        bits = (bits << width) | u32::from(value);
        count += width;
        if count >= 8
            && let Some(slot) = bytes.get_mut(length)
        {
            count -= 8;
            *slot = u8::try_from((bits >> count) & 0xff).unwrap_or(0);
            length += 1;
        }
        bits &= 0xff;
    }
    let bytes = bytes.get(..length).unwrap_or_default();
    if is_wide(bytes) {
        return false;
    }
    bytes.iter().any(|byte| is_control(*byte)) || text(bytes).len() + 3 < bytes.len()
}

/// Whether every second byte is zero.
fn is_wide(bytes: &[u8]) -> bool {
    bytes.len() > 7 && bytes.iter().skip(1).step_by(2).take(64).all(|byte| *byte == 0)
}

fn is_control(byte: u8) -> bool {
    byte < b' ' && !matches!(byte, b'\t' | b'\n' | b'\r') || byte == 0x7f
}

/// The text at the beginning of `bytes`.
pub(super) fn text(bytes: &[u8]) -> &str {
    let end = bytes
        .iter()
        .position(|byte| is_control(*byte))
        .unwrap_or(bytes.len());
    let bytes = bytes.get(..end).unwrap_or_default();
    bytes.utf8_chunks().next().map_or("", |chunk| chunk.valid())
}

/// Whether something says enough, in enough letters, to be text that someone encoded.
pub(super) fn is_plausible(text: &str) -> bool {
    let (mut letters, mut all) = (0, 0);
    for c in text.chars() {
        all += 1;
        letters += usize::from(c.is_alphanumeric() || !c.is_ascii() || c == ' ' || c == '\n');
    }
    // Much text is text by chance no more, whatever it is made of.
    all >= 24 || all >= 8 && letters * 2 >= all
}

/// What symbols of an encoding stand for, by byte; nothing where that is [`NONE`].
pub(super) type Values = [u8; 256];
pub(super) const NONE: u8 = 0xff;

/// The table of an alphabet in the order of its values.
#[allow(clippy::indexing_slicing, reason = "evaluated when compiled")]
pub(super) const fn values(alphabet: &[u8]) -> Values {
    let mut values = [NONE; 256];
    let mut at = 0;
    while at < alphabet.len() {
        values[alphabet[at] as usize] = at as u8;
        at += 1;
    }
    values
}

/// What a symbol stands for.
pub(super) fn value(values: &Values, symbol: u8) -> u8 {
    values.get(usize::from(symbol)).copied().unwrap_or(NONE)
}

/// The runs of bytes that `holds` says yes to, at least `least` long, in the places where a cue of them was met.
pub(super) fn runs(
    bytes: &[u8],
    mut places: impl Iterator<Item = (usize, usize)>,
    least: usize,
    holds: impl Fn(u8) -> bool,
) -> impl Iterator<Item = Span> {
    let (mut at, mut to, mut done) = (0, 0, 0);
    std::iter::from_fn(move || {
        loop {
            while at >= to {
                let (from, until) = places.next()?;
                (at, to) = (from.max(done), until.min(bytes.len()));
            }
            let before = bytes.get(done..at).unwrap_or_default();
            let start = at - before.iter().rev().take_while(|byte| holds(**byte)).count();
            let behind = bytes.get(at..).unwrap_or_default();
            let end = at + behind.iter().take_while(|byte| holds(**byte)).count();
            done = end.max(at + 1);
            let next = bytes.get(done..to).unwrap_or_default();
            at = done + next.iter().take_while(|byte| !holds(**byte)).count();
            if end - start >= least {
                return Some(Span::new(start, end));
            }
        }
    })
}

/// The runs of bytes that `holds` says yes to within longer runs.
pub(super) fn runs_within<'a>(
    bytes: &'a [u8],
    longer: &'a [Span],
    least: usize,
    holds: impl Fn(u8) -> bool + Copy + 'a,
) -> impl Iterator<Item = Span> + 'a {
    longer
        .iter()
        .flat_map(move |run| runs(bytes, std::iter::once((run.start, run.end)), least, holds))
}
