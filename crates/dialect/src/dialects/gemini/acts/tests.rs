//! Tools in generations: tables of replies and requests. Recorded streams are under the laws of `tests/it/acts.rs`.

use super::*;
use crate::{Reading, apply};
use bytes::Bytes;

const TOLD: &str = "Not \"sent\".";

fn read(body: &str) -> Document {
    Document::read(Bytes::copy_from_slice(body.as_bytes())).unwrap()
}

fn names(document: &Document) -> Vec<(u32, String)> {
    let acts = acts(Body::Event, document).into_iter();
    acts.map(|act| (act.group, act.name)).collect()
}

fn candidate(index: u32, parts: &str) -> String {
    format!(r#"{{"content":{{"parts":{parts},"role":"model"}},"finishReason":"STOP","index":{index}}}"#)
}

fn of(candidates: &[String]) -> Document {
    read(&format!(r#"{{"candidates":[{}]}}"#, candidates.join(",")))
}

const SEND: &str = r#"{"functionCall":{"name":"send","args":{"to":"x"}},"thoughtSignature":"c2Vl"}"#;
const LOOK: &str = r#"{"function_call":{"name":"look","args":{}}}"#;

#[test]
fn a_reply_without_a_call_says_what_is_told_in_its_place() {
    let text = r#"{"text":"Hello."}"#;
    for (candidates, left, texts) in [
        (vec![format!("[{SEND}]")], vec![], vec![TOLD]),
        (vec![SEND.to_owned()], vec![], vec![TOLD]),
        (vec![format!("[{text},{SEND}]")], vec![], vec!["Hello.", TOLD]),
        (vec![format!("[{SEND},{LOOK}]")], vec![(0, "look")], vec![TOLD]),
        (
            vec![format!("[{LOOK}]"), format!("[{SEND},{SEND}]")],
            vec![(0, "look")],
            vec![TOLD, TOLD],
        ),
    ] {
        let numbered = (0u32..).zip(&candidates);
        let reply = of(&numbered
            .map(|(index, parts)| candidate(index, parts))
            .collect::<Vec<_>>());
        let denied: Vec<_> = acts(Body::Reply, &reply)
            .into_iter()
            .filter(|act| act.name == "send")
            .map(|act| (act.node, TOLD))
            .collect();
        for body in [Body::Reply, Body::Event] {
            let after = Document::read(apply(reply.bytes(), deny(body, &reply, &denied))).unwrap();
            let left = left.iter().map(|(group, name)| (*group, (*name).to_owned()));
            assert_eq!(names(&after), left.collect::<Vec<_>>(), "{candidates:?}");
            let reading = Reading::of(after, |place| reply::label(place, body == Body::Event));
            let model = reading
                .parts()
                .filter(|part| part.channel == portcullis_core::Channel::Assistant);
            assert_eq!(model.map(|part| part.text.to_string()).collect::<Vec<_>>(), texts);
        }
    }
}

#[test]
fn calls_are_found_in_both_spellings_and_in_pieces() {
    for (part, expected) in [
        (
            r#"{"functionCall":{"name":"f","args":{"a":1}}}"#,
            vec![("f", Some(r#"{"a":1}"#))],
        ),
        (r#"{"function_call":{"name":"f"}}"#, vec![("f", None)]),
        (r#"{"functionCall":{"name":"f","args":null}}"#, vec![("f", None)]),
        (
            r#"{"functionCall":{"name":"f"},"function_call":{"name":"g"}}"#,
            vec![("f", None), ("g", None)],
        ),
        (r#"{"text":"t","functionCall":{"name":"f"}}"#, vec![("f", None)]),
        (r#"{"functionCall":"f"}"#, vec![("", None)]),
        (
            r#"{"functionCall":{"name":"f","willContinue":true}}"#,
            vec![("f", Some("true"))],
        ),
        (
            r#"{"functionCall":{"name":"f","partial_args":[{"jsonPath":"$.a"}]}}"#,
            vec![("f", Some(r#"[{"jsonPath":"$.a"}]"#))],
        ),
        (r#"{"functionCall":{"partialArgs":[]}}"#, vec![("", Some("[]"))]),
        (r#"{"functionCall":null}"#, vec![]),
        (r#"{"executableCode":{"code":"print(1)"}}"#, vec![]),
        (r#"{"toolCall":{"toolType":"GOOGLE_SEARCH_WEB"}}"#, vec![]),
    ] {
        let document = of(&[candidate(7, &format!("[{part}]"))]);
        let found = acts(Body::Event, &document);
        let found: Vec<_> = found
            .iter()
            .map(|act| {
                assert_eq!((act.lane, act.group), (None, 7));
                (act.name.as_str(), act.arguments.map(|node| document.wire(node)))
            })
            .collect();
        assert_eq!(found, expected, "{part}");
    }
}

#[test]
fn the_steps_of_a_request() {
    let request = read(
        r#"{"contents":[{"role":"user","parts":{"text":"Look."}},
        {"role":"model","parts":[{"text":"no","thought":true},{"text":"Yes."},
            {"function_call":{"name":"look","args":{"a":1}}},{"functionCall":{"id":"c1","name":"send","args":{}}},
            {"executableCode":{"code":"print(1)"}},{"codeExecutionResult":{"output":"1"}},
            {"tool_call":{"id":"s1","tool_type":"SEARCH","args":{"q":"r"}}},
            {"toolResponse":{"id":"s1","toolType":"SEARCH","response":{"x":"y"}}}]},
        {"parts":[{"function_response":{"name":"look","response":{"b":"c"}}},
            {"functionResponse":{"id":"c1","name":"send","response":null}}]}],
        "system_instruction":{"parts":[{"text":"Sys"}]}}"#,
    );
    let wire = |node: NodeId| request.wire(node);
    let found: Vec<String> = steps(&request)
        .into_iter()
        .map(|step| match step {
            Step::Said(node) => format!("said {}", wire(node)),
            Step::Called { id, name, arguments } => {
                format!("called {id} {name} {}", arguments.map_or("-", wire))
            }
            Step::Returned { call, name, content } => {
                let content: Vec<&str> = content.into_iter().map(wire).collect();
                format!(
                    "returned {call} {} {}",
                    name.unwrap_or_default(),
                    content.join("+")
                )
            }
        })
        .collect();
    assert_eq!(
        found,
        [
            r#"said "Sys""#,
            r#"said "Look.""#,
            r#"said "Yes.""#,
            r#"called look look {"a":1}"#,
            "called c1 send {}",
            r#"called codeExecution codeExecution "print(1)""#,
            r#"returned codeExecution codeExecution "1""#,
            r#"called s1 SEARCH {"q":"r"}"#,
            r#"returned s1 SEARCH {"x":"y"}"#,
            r#"returned look look {"b":"c"}"#,
            "returned c1 send ",
        ]
    );
}

#[test]
fn the_tools_of_a_request() {
    let request = read(
        r#"{"tools":[{"function_declarations":[{"name":"a","description":"A","parameters":{"type":"OBJECT"}}],
            "functionDeclarations":{"name":"b","parameters_json_schema":{}}},
        {"google_search":{},"codeExecution":{},"url_context":null},{"computer_use":{}},
        {"mcp_servers":[{"name":"station"}]}]}"#,
    );
    let found: Vec<_> = offers(&request)
        .into_iter()
        .map(|offer| (offer.name, offer.provided, offer.schema.is_some()))
        .collect();
    let expected = [
        ("a", false, true),
        ("b", false, true),
        ("googleSearch", true, false),
        ("codeExecution", true, false),
        ("computerUse", false, false),
        ("mcp:station", true, false),
    ];
    assert_eq!(
        found,
        expected.map(|(name, provided, schema)| (name.to_owned(), provided, schema))
    );
}
