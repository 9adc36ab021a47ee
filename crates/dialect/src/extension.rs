//! The member by which a client speaks to the gateway itself: `"portcullis": {…}`, at the top of a body or on a message or a
//! part of one. It never goes upstream. What is said in it is for the gateway's rooms; here is only how it is spelled.

use crate::json::{Document, Malformed, NodeId, Sort};

/// Its name.
pub const EXTENSION: &str = "portcullis";

/// Whether that member of an object is as it must be. A word that is misspelled is refused and not passed over: it may be the
/// one that lowers trust.
pub(crate) fn check(document: &Document, object: NodeId) -> Result<(), Malformed> {
    let shape = |message: &str| Err(Malformed::Shape(format!("`{EXTENSION}{message}")));
    let Some(said) = document.member(object, EXTENSION) else {
        return Ok(());
    };
    if document.sort(said) != Sort::Object {
        return shape("` must be an object");
    }
    let is_top = object == document.root();
    for (key, value) in document.members(said) {
        let name = document.text(key);
        let expected = match name {
            "origin" | "source" => Sort::String,
            "session" | "prompt" | "approval" if is_top => Sort::String,
            "variables" if is_top => Sort::Object,
            "approval_wait" if is_top => Sort::Number,
            _ if is_top => {
                return shape(
                    "` may have session, prompt, variables, approval, approval_wait, origin and source",
                );
            }
            _ => return shape("` may have origin and source here"),
        };
        if document.sort(value) != expected {
            let kind = match expected {
                Sort::String => "a string",
                Sort::Number => "a number",
                _ => "an object",
            };
            return shape(&format!(".{name}` must be {kind}"));
        }
        if name == "origin" && !matches!(document.text(value), "trusted" | "untrusted") {
            return shape(".origin` must be `trusted` or `untrusted`");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn told(body: &str) -> String {
        let document = Document::read(Bytes::copy_from_slice(body.as_bytes())).unwrap();
        let object = document.items(document.root()).next().unwrap_or(document.root());
        check(&document, object).map_or_else(|error| error.to_string(), |()| String::new())
    }

    #[test]
    fn misspelled_words_are_refused() {
        for fine in [
            r#"{"portcullis": {"session": "s", "prompt": "p", "variables": {"a": [1]}, "approval": "x", "approval_wait": 30}}"#,
            r#"[{"portcullis": {"origin": "untrusted", "source": "rag:1"}}]"#,
            r#"[{"portcullis": {}}]"#,
            "{}",
        ] {
            assert_eq!(told(fine), "", "{fine}");
        }
        for (wrong, says) in [
            (r#"{"portcullis": "untrusted"}"#, "must be an object"),
            (r#"{"portcullis": {"prompts": "p"}}"#, "may have session"),
            (
                r#"{"portcullis": {"approval_wait": "30"}}"#,
                "`portcullis.approval_wait` must be a number",
            ),
            (
                r#"[{"portcullis": {"prompt": "p"}}]"#,
                "may have origin and source here",
            ),
            (
                r#"{"portcullis": {"prompt": 1}}"#,
                "`portcullis.prompt` must be a string",
            ),
            (
                r#"{"portcullis": {"variables": "v"}}"#,
                "`portcullis.variables` must be an object",
            ),
            (
                r#"[{"portcullis": {"origin": "untrused"}}]"#,
                "must be `trusted` or `untrusted`",
            ),
        ] {
            assert!(told(wrong).contains(says), "{wrong}: {}", told(wrong));
        }
    }
}
