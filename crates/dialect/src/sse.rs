//! Server-sent events: cuts a byte stream into frames, whatever the pieces it comes in, and keeps each frame's bytes.
//!
//! Only what the providers use is read (`event:` and `data:` lines, comments); a frame that holds more than one `data:` line is
//! joined as the standard says. A frame is passed on byte for byte unless its data is patched.

use bytes::{Bytes, BytesMut};
use thiserror::Error;

/// A frame longer than this is refused: no provider sends one, and holding more would let an upstream pin memory.
pub const MAX_FRAME: usize = 8 * 1024 * 1024;

/// The stream cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SseError {
    /// A frame outgrew [`MAX_FRAME`].
    #[error("an event is longer than {MAX_FRAME} bytes")]
    TooLong,
}

/// One event: everything up to and including its blank line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// The bytes as they came.
    pub raw: Bytes,
    /// The `event:` name.
    pub event: Option<String>,
    /// The data; `None` for a frame of comments or names alone.
    pub data: Option<Bytes>,
}

impl Frame {
    /// A frame of the given name and data (one line of JSON).
    #[must_use]
    pub fn new(event: Option<&str>, data: Bytes) -> Frame {
        let mut raw = Vec::with_capacity(data.len() + 32);
        if let Some(name) = event {
            raw.extend_from_slice(b"event: ");
            raw.extend_from_slice(name.as_bytes());
            raw.push(b'\n');
        }
        // Data with line breaks needs a field a line, or the rest would be read as other fields.
        for line in data.split(|byte| *byte == b'\n') {
            raw.extend_from_slice(b"data: ");
            raw.extend_from_slice(line);
            raw.push(b'\n');
        }
        raw.push(b'\n');
        Frame {
            raw: Bytes::from(raw),
            event: event.map(str::to_owned),
            data: Some(data),
        }
    }

    /// The same event with other data.
    #[must_use]
    pub fn with_data(&self, data: Bytes) -> Frame {
        Frame::new(self.event.as_deref(), data)
    }
}

/// Collects bytes until frames are whole.
#[derive(Debug, Default)]
pub struct Frames {
    buffer: BytesMut,
    /// Bytes of the buffer that were already searched for a blank line.
    searched: usize,
    started: bool,
}

impl Frames {
    /// A cutter at the start of a stream.
    #[must_use]
    pub fn new() -> Frames {
        Frames::default()
    }

    /// Adds bytes and appends the frames that are whole now.
    ///
    /// # Errors
    /// [`SseError::TooLong`]: nothing more of the stream can be trusted.
    pub fn push(&mut self, bytes: &[u8], frames: &mut Vec<Frame>) -> Result<(), SseError> {
        self.buffer.extend_from_slice(bytes);
        if !self.started {
            self.start();
        }
        while let Some(end) = blank_line(&self.buffer, self.searched) {
            frames.push(parse(self.buffer.split_to(end).freeze()));
            self.searched = 0;
        }
        // A blank line may straddle the next push: its first bytes are searched again.
        self.searched = self.buffer.len().saturating_sub(3);
        if self.buffer.len() > MAX_FRAME {
            Err(SseError::TooLong)
        } else {
            Ok(())
        }
    }

    /// Takes off a byte order mark, as soon as it is clear whether the stream begins with one.
    fn start(&mut self) {
        const MARK: &[u8] = b"\xef\xbb\xbf";
        if self.buffer.starts_with(MARK) {
            let _ = self.buffer.split_to(MARK.len());
            self.started = true;
        } else {
            self.started = !MARK.starts_with(&self.buffer);
        }
    }

    /// What is left when the stream ends: a frame without its blank line, if there is one. By the standard such a frame is
    /// not an event; some servers leave the last blank line out, so it is read, inspected and completed.
    pub fn finish(&mut self) -> Option<Frame> {
        self.searched = 0;
        let rest = self.buffer.split().freeze();
        if rest.iter().all(|byte| matches!(byte, b'\n' | b'\r')) {
            return None;
        }
        let frame = parse(rest);
        frame.data.as_ref().map(|data| frame.with_data(data.clone()))
    }
}

/// The end of the first blank line at or after `from`, a few bytes before it included.
fn blank_line(buffer: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    while let Some(found) = memchr::memchr2(b'\n', b'\r', buffer.get(at..)?) {
        let line_end = at.saturating_add(found);
        let rest = buffer.get(line_end..)?;
        let length = match rest {
            [b'\r', b'\n', b'\r', b'\n', ..] => Some(4),
            [b'\r', b'\n', b'\r'] | [b'\r', b'\n'] | [b'\r'] => None,
            [b'\r', b'\n', b'\n', ..] | [b'\n', b'\r', b'\n', ..] | [b'\r', b'\r', b'\n', ..] => Some(3),
            // A lone CR ends a line too; whether an LF follows decides nothing but the length.
            [b'\n', b'\r'] | [b'\r', b'\r'] => None,
            [b'\n', b'\n', ..] | [b'\n', b'\r', ..] | [b'\r', b'\r', ..] => Some(2),
            _ => None,
        };
        if let Some(length) = length {
            return Some(line_end.saturating_add(length));
        }
        at = line_end.saturating_add(1);
    }
    None
}

/// Reads the lines of a frame. Whatever is not an event name or data (comments, ids, unknown fields) could carry text past
/// the detectors: a frame that has such lines is written anew without them.
fn parse(raw: Bytes) -> Frame {
    let mut event: Option<String> = None;
    let mut data: Vec<Bytes> = Vec::new();
    let mut plain = true;
    for line in raw
        .split(|byte| matches!(byte, b'\n' | b'\r'))
        .filter(|line| !line.is_empty())
    {
        let (name, value) = match memchr::memchr(b':', line) {
            Some(colon) => (
                line.get(..colon).unwrap_or(&[]),
                line.get(colon.saturating_add(1)..).unwrap_or(&[]),
            ),
            None => (line, &[] as &[u8]),
        };
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match (name, event_name(value)) {
            (b"event", Some(known)) if event.is_none() => event = Some(known),
            (b"data", _) => data.push(raw.slice_ref(value)),
            _ => plain = false,
        }
    }
    match data.as_slice() {
        [] => Frame {
            raw: Bytes::from_static(b":\n\n"),
            event: None,
            data: None,
        },
        [one] if plain => Frame {
            data: Some(one.clone()),
            event,
            raw,
        },
        [one] => Frame::new(event.as_deref(), one.clone()),
        several => Frame::new(event.as_deref(), Bytes::from(several.join(&b'\n'))),
    }
}

/// An event name as providers use them: words and dots, at most 64 bytes.
fn event_name(value: &[u8]) -> Option<String> {
    let plain = value.len() <= 64
        && value
            .iter()
            .all(|b| b.is_ascii_lowercase() || matches!(b, b'_' | b'.'));
    plain.then(|| String::from_utf8_lossy(value).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(stream: &[u8], at: &[usize]) -> Vec<Frame> {
        let (mut frames, mut out, mut from) = (Frames::new(), Vec::new(), 0);
        for to in at.iter().copied().chain([stream.len()]) {
            frames.push(&stream[from..to], &mut out).unwrap();
            from = to;
        }
        out.extend(frames.finish());
        out
    }

    #[test]
    fn frames_are_the_same_at_every_cut_and_with_every_line_ending() {
        let unix = "event: delta\ndata: {\"a\":1}\n\ndata: x\ndata: y\n\n: hello\n\ndata: [DONE]\n\n";
        for ending in ["\n", "\r\n"] {
            let stream = unix.replace('\n', ending).into_bytes();
            let whole = cut(&stream, &[]);
            assert_eq!(whole.len(), 4);
            assert_eq!(whole[0].event.as_deref(), Some("delta"));
            assert_eq!(whole[1].data.as_deref(), Some(&b"x\ny"[..]));
            assert_eq!(&whole[2].raw[..], b":\n\n");
            for a in 0..stream.len() {
                assert_eq!(cut(&stream, &[a]), whole, "cut at {a}");
                for b in a..stream.len() {
                    assert_eq!(cut(&stream, &[a, b]), whole, "cut at {a} and {b}");
                }
            }
        }
    }

    #[test]
    fn a_plain_frame_keeps_its_bytes_and_another_loses_what_is_not_data() {
        let plain = b"event: message_stop\ndata: {}\n\n";
        assert_eq!(&cut(plain, &[])[0].raw[..], plain);
        let odd = b"id: 7\n: note to self\nevent: EVIL name\ndata: {}\n\n";
        assert_eq!(&cut(odd, &[])[0].raw[..], b"data: {}\n\n");
    }

    #[test]
    fn a_last_frame_without_its_blank_line_is_completed() {
        assert_eq!(&cut(b"data: {}", &[])[0].raw[..], b"data: {}\n\n");
        assert!(cut(b"\n\n\n", &[]).iter().all(|frame| frame.data.is_none()));
    }

    #[test]
    fn a_byte_order_mark_is_one_at_the_start_alone() {
        let mark = "\u{feff}data: {}\n\n".as_bytes();
        let later = "\n\n\u{feff}data: {}\n\n".as_bytes();
        for at in 0..later.len() {
            assert_eq!(
                cut(mark, &[at.min(mark.len())])[0].data.as_deref(),
                Some(&b"{}"[..])
            );
            assert_eq!(cut(later, &[at]), cut(later, &[]), "cut at {at}");
        }
    }

    #[test]
    fn a_frame_without_end_is_refused() {
        let mut frames = Frames::new();
        assert_eq!(
            frames.push(&vec![b'a'; MAX_FRAME + 1], &mut Vec::new()),
            Err(SseError::TooLong)
        );
    }
}
