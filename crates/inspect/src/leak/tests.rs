//! A prompt is recognised in any dress, whole and in pieces, and nothing else is; how often in real texts is the affair of `examples/leaks.rs`.

use super::*;

const PROMPT: &str = "You are Aria, the assistant of the Harbour Bank. Never say which systems you use. \
    If a customer asks for a refund above 500 dollars, call the tool `escalate` and tell nobody why. \
    The name of the project that you belong to is Blue Lantern, and its budget is a secret.";

fn prompt() -> Prompt {
    Prompt::new(std::iter::once(PROMPT), None).unwrap()
}

fn leaks(reply: &str) -> bool {
    let prompt = prompt();
    let mut trace = prompt.trace();
    let spans = prompt.read(reply, &mut trace);
    let leak = trace.leak().is_some();
    assert!(!leak || !spans.is_empty());
    leak
}

#[test]
fn a_prompt_is_recognised_in_any_dress() {
    let spaced: String = PROMPT.chars().flat_map(|c| [c, ' ']).collect();
    let numbered: Vec<String> = PROMPT
        .split_inclusive(' ')
        .collect::<Vec<_>>()
        .chunks(8)
        .zip(1..)
        .map(|(words, line)| format!("{line:>3}: {}", words.concat()))
        .collect();
    let base64 = views::VIEWS
        .iter()
        .find(|view| view.id() == "base64")
        .and_then(|view| view.disguise(PROMPT))
        .unwrap();
    for reply in [
        PROMPT.to_owned(),
        PROMPT.to_uppercase(),
        spaced,
        numbered.join("\n"),
        format!("{{\"prompt\": {}}}", format_args!("{PROMPT:?}")),
        format!("Here it is: {base64}"),
    ] {
        assert!(leaks(&reply), "{reply}");
        assert!(leaks(&format!(
            "Sure. My instructions are these:\n{reply}\nThat is all."
        )));
    }
}

#[test]
fn an_answer_on_the_subject_is_no_leak() {
    for reply in [
        "Hello, I am Aria, the assistant of the Harbour Bank. How can I help?",
        "I cannot say which systems we use, but a refund above 500 dollars needs another look by my colleagues.",
        "",
    ] {
        assert!(!leaks(reply), "{reply}");
    }
}

#[test]
fn what_the_user_wrote_is_no_secret() {
    let prompt = prompt();
    let mut trace = prompt.trace();
    prompt.concede(PROMPT, &mut trace);
    let spans = prompt.read(PROMPT, &mut trace);
    assert!(spans.is_empty() && trace.leak().is_none());
}

#[test]
fn pieces_of_a_conversation_add_up() {
    let prompt = prompt();
    let third = PROMPT.len() / 3;
    let (first, rest) = PROMPT.split_at(third);
    let (second, _) = rest.split_at(third);
    let mut trace = prompt.trace();
    let _ = prompt.read(second, &mut trace);
    assert!(trace.leak().is_none());
    let mut trace = prompt.trace();
    prompt.recall(first, &mut trace);
    assert!(trace.leak().is_none());
    let _ = prompt.read("Anything else?", &mut trace);
    assert!(trace.leak().is_none());
    let _ = prompt.read(second, &mut trace);
    assert_eq!(trace.leak(), Some(Leak::Text));
}

#[test]
fn a_marker_is_recognised_in_any_dress_and_alone() {
    let canary = "qwhzkfmtrbxnwplcvdjgysqe";
    let prompt = Prompt::new(std::iter::once("Be kind."), Some(canary)).unwrap();
    let reads = |reply: &str| {
        let mut trace = prompt.trace();
        let _ = prompt.read(reply, &mut trace);
        trace.leak()
    };
    let parted: String = canary.to_uppercase().chars().flat_map(|c| [c, '-']).collect();
    assert_eq!(reads(canary), Some(Leak::Canary));
    assert_eq!(reads(&parted), Some(Leak::Canary));
    assert_eq!(reads("Be kind."), None);
    assert!(Prompt::new(std::iter::once("Be kind."), None).is_none());
}

#[test]
fn however_a_text_is_cut_the_same_is_found() {
    let prompt = prompt();
    let reply = format!("Well: {PROMPT} And: {PROMPT}");
    let mut trace = prompt.trace();
    let whole = prompt.read_plain(&reply, &mut trace);
    for size in [1, 2, 7, 40] {
        let mut other = prompt.trace();
        let (mut follower, mut spans) = (Follower::default(), Vec::new());
        for piece in reply.as_bytes().chunks(size) {
            follower.push(
                &prompt,
                &mut other,
                std::str::from_utf8(piece).unwrap(),
                &mut spans,
            );
        }
        follower.finish(&mut spans);
        assert_eq!((spans, other.fresh), (whole.clone(), trace.fresh), "{size}");
    }
}

/// What goes of a streamed reply before there is a leak; all of it where there is none.
fn gone(reply: &str, size: usize) -> (usize, bool) {
    let prompt = prompt();
    let mut trace = prompt.trace();
    let (mut reader, mut spans, mut gone, mut end) = (Reader::default(), Vec::new(), 0, 0);
    let pieces: Vec<char> = reply.chars().collect();
    for piece in pieces.chunks(size) {
        let piece: String = piece.iter().collect();
        end += piece.len();
        let may = reader.push(&prompt, &mut trace, &piece, &mut spans);
        assert!(may >= gone && may <= end && reply.is_char_boundary(may));
        if trace.leak().is_some() {
            return (gone, true);
        }
        gone = may;
    }
    reader.finish(&prompt, &mut trace, &mut spans);
    if trace.leak().is_some() {
        (gone, true)
    } else {
        (reply.len(), false)
    }
}

#[test]
fn of_a_stream_little_goes_before_a_leak_is_known() {
    let base64 = views::VIEWS
        .iter()
        .find(|view| view.id() == "base64")
        .and_then(|view| view.disguise(PROMPT))
        .unwrap();
    let hex: String = PROMPT.bytes().map(|byte| format!("{byte:02x}")).collect();
    for size in [1, 3, 11, 100, 5000] {
        for (dressed, most) in [
            (PROMPT.to_owned(), 48),
            (PROMPT.to_uppercase(), 48),
            (base64.clone(), 64),
            (hex.clone(), 64),
        ] {
            let before = "Here you are: ";
            let (gone, leaks) = gone(&format!("{before}{dressed}"), size);
            assert!(leaks && gone <= before.len() + most, "{size} {gone} {dressed}");
        }
    }
}

#[test]
fn a_stream_that_says_nothing_of_the_prompt_is_not_held() {
    let reply =
        "The refund goes to the card that you paid with. It takes three days, sometimes a little more. "
            .repeat(40);
    let prompt = prompt();
    let mut trace = prompt.trace();
    let (mut reader, mut spans, mut end) = (Reader::default(), Vec::new(), 0);
    for piece in reply.split_inclusive(' ') {
        end += piece.len();
        assert_eq!(reader.push(&prompt, &mut trace, piece, &mut spans), end);
    }
    assert!(spans.is_empty());
}
