//! Streams give the same frames however they are cut, and the frames hold all the bytes.

use portcullis_dialect::{Frame, Frames};

use crate::cases;

#[test]
fn streams_cut_at_every_byte_give_the_same_frames() {
    for case in cases::all() {
        let Some(stream) = case.stream.clone() else {
            continue;
        };
        let whole = cases::frames(&stream);
        let joined: Vec<u8> = whole.iter().flat_map(|frame| frame.raw.to_vec()).collect();
        assert_eq!(joined, stream, "{}: frames lose bytes", case.name);
        assert_eq!(pieces(stream.chunks(1)), whole, "{}, byte by byte", case.name);
        for size in [2, 3, 5, 7, 64, 1000] {
            assert_eq!(
                pieces(stream.chunks(size)),
                whole,
                "{} in pieces of {size}",
                case.name
            );
        }
        // A cut in one frame can only matter to that frame and the next: pairs of frames, cut everywhere.
        for pair in whole.windows(2) {
            let bytes = [&pair[0].raw[..], &pair[1].raw[..]].concat();
            for at in 0..=bytes.len() {
                let (first, second) = bytes.split_at(at);
                assert_eq!(
                    pieces([first, second].into_iter()),
                    pair,
                    "{} cut at {at}",
                    case.name
                );
            }
        }
    }
}

#[test]
fn other_line_endings_give_the_same_events() {
    for case in cases::all() {
        let Some(stream) = case.stream.clone() else {
            continue;
        };
        let events = |frames: Vec<Frame>| -> Vec<_> {
            frames
                .into_iter()
                .map(|frame| (frame.event, frame.data))
                .collect()
        };
        let unix = String::from_utf8(stream.to_vec()).unwrap().replace("\r\n", "\n");
        for ending in ["\n", "\r\n", "\r"] {
            let other = cases::frames(unix.replace('\n', ending).as_bytes());
            assert_eq!(
                events(other),
                events(case.frames()),
                "{} with {ending:?}",
                case.name
            );
        }
    }
}

fn pieces<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> Vec<Frame> {
    let (mut cutter, mut out) = (Frames::new(), Vec::new());
    for piece in pieces {
        cutter.push(piece, &mut out).unwrap();
    }
    out.extend(cutter.finish());
    out
}
