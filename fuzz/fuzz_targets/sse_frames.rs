//! A stream gives the same frames however it is cut, and a frame that is written is read again as it was.
#![no_main]

use libfuzzer_sys::fuzz_target;
use portcullis_dialect::{Frame, Frames};

fuzz_target!(|data: &[u8]| {
    // The first byte says how many cuts follow it; the rest is the stream.
    let Some((count, rest)) = data.split_first() else {
        return;
    };
    let Some((cuts, stream)) = rest.split_at_checked(usize::from(*count) % 16) else {
        return;
    };
    let whole = frames(std::iter::once(stream));
    assert_eq!(
        frames(pieces(stream, cuts).into_iter()),
        whole,
        "at arbitrary cuts"
    );
    assert_eq!(frames(stream.chunks(1)), whole, "byte by byte");
    for frame in whole {
        let meant: Vec<_> = frame
            .data
            .iter()
            .map(|data| (name(&frame), data.to_vec()))
            .collect();
        assert_eq!(
            standard(&frame.raw),
            meant,
            "what the client reads of {:?}",
            frame.raw
        );
        if let Some(data) = &frame.data {
            let again = frame.with_data(data.clone());
            assert_eq!(standard(&again.raw), meant, "written anew");
            assert_eq!(frames(std::iter::once(&again.raw[..])), [again.clone()]);
        }
    }
});

fn name(frame: &Frame) -> String {
    match frame.event.as_deref() {
        None | Some("") => "message".to_owned(),
        Some(name) => name.to_owned(),
    }
}

/// The events that a client reads, after the HTML standard's section on interpreting an event stream, slowly.
fn standard(stream: &[u8]) -> Vec<(String, Vec<u8>)> {
    let (mut events, mut event, mut data) = (Vec::new(), Vec::new(), Vec::new());
    let mut lines = Vec::new();
    let mut rest = stream;
    while let Some(end) = rest.iter().position(|byte| matches!(byte, b'\n' | b'\r')) {
        lines.push(&rest[..end]);
        let length = if rest[end..].starts_with(b"\r\n") { 2 } else { 1 };
        rest = &rest[end + length..];
    }
    for line in lines {
        let (field, value) = match line.iter().position(|byte| *byte == b':') {
            Some(colon) => (&line[..colon], &line[colon + 1..]),
            None => (line, &[] as &[u8]),
        };
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match (line, field) {
            ([], _) => {
                if data.pop().is_some() {
                    let name = match &event[..] {
                        [] => "message".to_owned(),
                        name => String::from_utf8_lossy(name).into_owned(),
                    };
                    events.push((name, std::mem::take(&mut data)));
                }
                data.clear();
                event.clear();
            }
            (_, b"event") => event = value.to_vec(),
            (_, b"data") => {
                data.extend_from_slice(value);
                data.push(b'\n');
            }
            _ => {}
        }
    }
    events
}

/// The stream in pieces whose lengths follow `cuts`.
fn pieces<'a>(stream: &'a [u8], cuts: &[u8]) -> Vec<&'a [u8]> {
    let (mut rest, mut pieces) = (stream, Vec::new());
    for cut in cuts {
        let (piece, after) = rest.split_at(usize::from(*cut).min(rest.len()));
        pieces.push(piece);
        rest = after;
    }
    pieces.push(rest);
    pieces
}

fn frames<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> Vec<Frame> {
    let (mut cutter, mut out) = (Frames::new(), Vec::new());
    for piece in pieces {
        cutter.push(piece, &mut out).expect("inputs are short");
    }
    out.extend(cutter.finish());
    out
}
