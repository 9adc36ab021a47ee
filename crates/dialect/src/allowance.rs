//! How much a request lets a model write, and the edits that set it. What it may cost is not known here.

use crate::instruct;
use crate::json::{Document, NodeId, Sort};
use crate::patch::Edit;

/// How much a model may write in answer to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowance {
    /// Tokens of each text, reasoning included; `None` where the request does not say.
    pub tokens: Option<u64>,
    /// Texts that are asked for.
    pub texts: u64,
}

/// Reads it from the members of `object`: where several say a number, the greatest counts, whichever the provider believes.
pub(crate) fn read(document: &Document, object: NodeId, tokens: &[&str], texts: &[&str]) -> Allowance {
    let said = |names: &[&str]| -> Vec<Said> {
        let members = names.iter().filter_map(|name| document.member(object, name));
        members.filter_map(|node| number(document, node)).collect()
    };
    Allowance::of(&said(tokens), &said(texts))
}

/// What a member says: a number, or something that is none.
type Said = Option<u64>;

impl Allowance {
    /// Of what members say. A number of tokens that cannot be read is as good as none; of texts, it is any number.
    pub(crate) fn of(tokens: &[Said], texts: &[Said]) -> Allowance {
        let tokens = tokens.iter().copied().collect::<Option<Vec<u64>>>();
        let texts = texts.iter().map(|said| said.unwrap_or(u64::MAX)).max();
        Allowance {
            tokens: tokens.and_then(|all| all.into_iter().max()),
            texts: texts.unwrap_or(1).max(1),
        }
    }
}

/// The number that a member says, rounded up: providers take `4.0` and `4e1`, and some take `"4"`. Nothing for `null`, which is as if
/// the member were not there.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "`as` saturates: what is negative is 0, what is too large the largest"
)]
pub(crate) fn number(document: &Document, node: NodeId) -> Option<Said> {
    match document.sort(node) {
        Sort::Null => None,
        Sort::Number | Sort::String => {
            let text = document.text(node).trim();
            let float = || {
                let value = text.parse::<f64>().ok().filter(|value| !value.is_nan())?;
                Some(value.ceil() as u64)
            };
            Some(text.parse().ok().or_else(float))
        }
        _ => Some(None),
    }
}

/// Says in `object` how many tokens each text may have: in every member of those that is there, else in a new one of the first
/// name.
pub(crate) fn write(document: &Document, object: NodeId, names: &[&str], tokens: u64) -> Vec<Edit> {
    let there = names.iter().filter_map(|name| document.member(object, name));
    let mut edits: Vec<Edit> = there
        .flat_map(|node| instruct::instead(document, node, tokens.to_string()))
        .collect();
    if let (true, Some(name)) = (edits.is_empty(), names.first()) {
        edits = instruct::first_member(document, object, name, &tokens.to_string());
    }
    edits
}

/// The number of texts that a member holds: one, or as many as its list has.
pub(crate) fn texts_in(document: &Document, node: Option<NodeId>) -> u64 {
    let Some(node) = node.filter(|node| document.sort(*node) == Sort::Array) else {
        return 1;
    };
    let is_token = |item: NodeId| document.sort(item) == Sort::Number;
    if document.items(node).all(is_token) {
        return 1;
    }
    u64::try_from(document.items(node).count()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    #[test]
    fn numbers_are_read_as_the_most_that_a_provider_could_make_of_them() {
        let of = |body: &str| {
            let document = Document::read(Bytes::copy_from_slice(body.as_bytes())).unwrap();
            let read = read(&document, document.root(), &["max", "old"], &["n", "best"]);
            (read.tokens, read.texts)
        };
        for (body, tokens, texts) in [
            ("{}", None, 1),
            (r#"{"max": 7, "n": 2}"#, Some(7), 2),
            (r#"{"max": 7, "old": 9}"#, Some(9), 1),
            (r#"{"max": 1, "old": 1e6}"#, Some(1_000_000), 1),
            (r#"{"max": "9", "n": "5"}"#, Some(9), 5),
            (r#"{"max": null, "n": 4e1}"#, None, 40),
            (r#"{"max": 2.5, "n": 2.0}"#, Some(3), 2),
            (r#"{"max": 1, "old": "many"}"#, None, 1),
            (r#"{"max": 1, "old": [5], "n": {}}"#, None, u64::MAX),
            (r#"{"max": -1, "n": 0}"#, Some(0), 1),
        ] {
            assert_eq!(of(body), (tokens, texts), "{body}");
        }
    }
}
