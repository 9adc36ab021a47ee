//! What a stream tells of its tokens: nothing, unless `stream_options.include_usage` asks for it.

use crate::instruct::{first_member, instead};
use crate::json::{Document, Sort};
use crate::patch::Edit;

/// The edits after which a stream tells at its end what it used; none where it does so anyway.
pub fn ask(request: &Document) -> Vec<Edit> {
    let is = |node, wanted| node == Some(wanted);
    let said = |path: &[&str]| request.at(path).and_then(|node| request.as_bool(node));
    if !is(said(&["stream"]), true) || is(said(&["stream_options", "include_usage"]), true) {
        return Vec::new();
    }
    let options = r#"{"include_usage":true}"#;
    let Some(node) = request.at(&["stream_options"]) else {
        return first_member(request, request.root(), "stream_options", options);
    };
    match (
        request.sort(node),
        request.at(&["stream_options", "include_usage"]),
    ) {
        (Sort::Object, Some(said)) => instead(request, said, "true".to_owned()),
        (Sort::Object, None) => first_member(request, node, "include_usage", "true"),
        (Sort::Null, _) => instead(request, node, options.to_owned()),
        // The provider refuses it.
        _ => Vec::new(),
    }
}

/// Whether an event is the one that was asked for: no choices, and what was used.
pub fn is_alone(event: &Document) -> bool {
    let empty = event
        .at(&["choices"])
        .is_some_and(|node| event.sort(node) == Sort::Array && event.items(node).next().is_none());
    empty
        && event
            .at(&["usage"])
            .is_some_and(|node| event.sort(node) == Sort::Object)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::patch::apply;

    fn asked(body: &'static str) -> String {
        let document = Document::read(Bytes::from_static(body.as_bytes())).unwrap();
        let bytes = apply(document.bytes(), ask(&document));
        String::from_utf8(bytes.to_vec()).unwrap()
    }

    #[test]
    fn a_stream_is_asked_once() {
        for (body, sent) in [
            (r#"{"model":"m"}"#, r#"{"model":"m"}"#),
            (r#"{"stream":false}"#, r#"{"stream":false}"#),
            (
                r#"{"stream":true}"#,
                r#"{"stream_options":{"include_usage":true},"stream":true}"#,
            ),
            (
                r#"{"stream":true,"stream_options":null}"#,
                r#"{"stream":true,"stream_options":{"include_usage":true}}"#,
            ),
            (
                r#"{"stream":true,"stream_options":{}}"#,
                r#"{"stream":true,"stream_options":{"include_usage":true}}"#,
            ),
            (
                r#"{"stream":true,"stream_options":{"include_usage":false,"include_obfuscation":false}}"#,
                r#"{"stream":true,"stream_options":{"include_usage":true,"include_obfuscation":false}}"#,
            ),
            (
                r#"{"stream":true,"stream_options":{"include_usage":true}}"#,
                r#"{"stream":true,"stream_options":{"include_usage":true}}"#,
            ),
        ] {
            assert_eq!(asked(body), sent);
        }
    }

    #[test]
    fn only_the_event_that_was_asked_for_is_alone() {
        let alone =
            |body: &'static str| is_alone(&Document::read(Bytes::from_static(body.as_bytes())).unwrap());
        assert!(alone(r#"{"choices":[],"usage":{"prompt_tokens":1}}"#));
        assert!(!alone(r#"{"choices":[],"usage":null}"#));
        assert!(!alone(r#"{"choices":[],"prompt_filter_results":[]}"#));
        assert!(!alone(r#"{"choices":[{"index":0}],"usage":{"prompt_tokens":1}}"#));
    }
}
