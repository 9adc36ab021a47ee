//! How long a stream holds text back: texts are streamed in pieces of about a token, and for each character it is counted how
//! many pieces later than it came it was let go, and what that cost. For those who write rules: a rule that begins with ordinary words holds them.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::string_slice,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::cast_precision_loss,
    reason = "a tool for those who write rules"
)]

use portcullis_core::{Channel, Family};
use portcullis_inspect::{Inspector, Rule, Selection, Window};

/// Pieces such as models send: a word with the blank before it, long words in two or more, signs by themselves.
fn pieces(text: &str) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut from = 0;
    let mut last = ' ';
    for (at, character) in text.char_indices() {
        let begins = match (last.is_alphanumeric(), character.is_alphanumeric()) {
            (true, true) => at - from >= 6,
            (false, true) => last != ' ',
            _ => true,
        };
        if begins && at > from {
            pieces.push(&text[from..at]);
            from = at;
        }
        last = character;
    }
    pieces.push(&text[from..]);
    pieces
}

/// For each count of pieces, how many bytes waited for so many.
fn waits(inspector: &Inspector, selection: &Selection, text: &str) -> Vec<usize> {
    let mut window = Window::new(Channel::Assistant, selection.clone());
    let mut found = Vec::new();
    let (mut waits, mut waiting, mut released) = (vec![0; 1], Vec::new(), 0);
    let (mut to, mut let_go) = (0, 0);
    let pieces = pieces(text);
    for (number, piece) in pieces.iter().enumerate() {
        to += piece.len();
        waiting.push((number, to));
        let_go = window.push(inspector, piece, &mut found).unwrap();
        while let Some((came, end)) = waiting.first().copied() {
            let bytes = let_go.min(end) - released;
            released += bytes;
            let wait = number - came;
            waits.resize(waits.len().max(wait + 1), 0);
            waits[wait] += bytes;
            if released < end {
                break;
            }
            waiting.remove(0);
        }
    }
    let _ = let_go;
    waits
}

fn cpu() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/schedstat").unwrap();
    stat.split(' ').next().unwrap().parse::<f64>().unwrap() / 1e9
}

fn main() {
    let inspector = Inspector::built_in().unwrap();
    let types = ["EMAIL_ADDRESS", "PHONE_NUMBER", "CREDIT_CARD", "IBAN", "US_SSN"];
    let default = |rule: &Rule| match rule.family() {
        Family::Secret => true,
        Family::Pii => types.contains(&rule.id().as_str()),
        _ => false,
    };
    let profiles: [(&str, Selection); 3] = [
        (
            "secrets",
            inspector.select(|rule| rule.family() == Family::Secret),
        ),
        (
            "the default profile's secrets and personal data",
            inspector.select(default),
        ),
        ("every rule", inspector.select(|_| true)),
    ];
    let texts: Vec<String> = std::env::args()
        .skip(1)
        .map(|path| std::fs::read_to_string(path).unwrap())
        .collect();
    for (name, selection) in &profiles {
        let mut all = vec![0usize; 1];
        let start = cpu();
        for text in &texts {
            let waits = waits(&inspector, selection, text);
            all.resize(all.len().max(waits.len()), 0);
            all.iter_mut().zip(waits).for_each(|(sum, count)| *sum += count);
        }
        let total: usize = all.iter().sum();
        let nanoseconds = (cpu() - start) * 1e9 / total.max(1) as f64;
        let within = |share: f64| {
            let mut sum = 0;
            let mut counts = all.iter();
            counts.position(|count| {
                sum += count;
                sum as f64 >= share * total as f64
            })
        };
        println!(
            "{name}: {:.1} % of {total} bytes at once; 99 % within {:?} pieces, 99.9 % within {:?}, all within {}; {nanoseconds:.0} ns a byte",
            100.0 * all[0] as f64 / total as f64,
            within(0.99).unwrap(),
            within(0.999).unwrap(),
            all.len() - 1
        );
    }
}
