//! Tools in messages: tables of replies and events. Recorded streams are under the laws of `tests/it/acts.rs`.

use super::*;
use crate::exchange::lanes;
use crate::{Exchange as _, Reading, apply};
use bytes::Bytes;

const TOLD: &str = "Not \"sent\".";

fn read(body: &str) -> Document {
    Document::read(Bytes::copy_from_slice(body.as_bytes())).unwrap()
}

fn named(document: &Document, body: Body) -> Vec<String> {
    acts(body, document).into_iter().map(|act| act.name).collect()
}

/// The texts of the model in a body.
fn said(document: &Document, body: Body) -> Vec<String> {
    let reading = Reading::of(document.clone(), |place| {
        super::super::messages::Messages.label(body, place)
    });
    let model = reading
        .parts()
        .filter(|part| part.channel == portcullis_core::Channel::Assistant);
    model.map(|part| part.text.to_string()).collect()
}

fn call(name: &str) -> String {
    format!(r#"{{"type":"tool_use","id":"toolu_{name}","name":"{name}","input":{{"a":"b"}}}}"#)
}

#[test]
fn a_reply_without_a_call_says_what_is_told_in_its_place() {
    let text = r#"{"type":"text","text":"Hello."}"#.to_owned();
    let server = r#"{"type":"server_tool_use","id":"s","name":"web_search","input":{"q":"r"}}"#.to_owned();
    for (blocks, denied, left, stop, texts) in [
        (vec![call("send")], "send", vec![], "end_turn", vec![TOLD]),
        (
            vec![text.clone(), call("send")],
            "send",
            vec![],
            "end_turn",
            vec!["Hello.", TOLD],
        ),
        (
            vec![call("send"), text.clone(), call("look")],
            "send",
            vec!["look"],
            "tool_use",
            vec![TOLD, "Hello."],
        ),
        (
            vec![call("look"), call("send")],
            "send",
            vec!["look"],
            "tool_use",
            vec![TOLD],
        ),
        (
            vec![server.clone(), call("send")],
            "send",
            vec![],
            "end_turn",
            vec![TOLD],
        ),
        (vec![server, text], "send", vec![], "tool_use", vec!["Hello."]),
    ] {
        let body = format!(
            r#"{{"type":"message","content":[{}],"stop_reason":"tool_use","usage":{{}}}}"#,
            blocks.join(", ")
        );
        let reply = read(&body);
        let of: Vec<_> = acts(Body::Reply, &reply)
            .into_iter()
            .filter(|act| act.name == denied)
            .map(|act| (act.node, TOLD))
            .collect();
        let after = apply(reply.bytes(), deny(Body::Reply, &reply, &of));
        let after = Document::read(after).unwrap();
        assert_eq!(named(&after, Body::Reply), left, "{body}");
        assert_eq!(after.str_at(&["stop_reason"]), Some(stop), "{body}");
        assert_eq!(said(&after, Body::Reply), texts, "{body}");
    }
}

#[test]
fn an_event_tells_name_lane_and_arguments_as_far_as_it_has_them() {
    let lane = Some(lanes::lane(0, 4, lanes::ARGUMENTS));
    for (block, expected) in [
        (r#"{"type":"tool_use","name":"f","input":{}}"#, Some(("f", None))),
        (r#"{"type":"tool_use","name":"f"}"#, Some(("f", None))),
        (r#"{"type":"tool_use","name":"f","input":""}"#, Some(("f", None))),
        (
            r#"{"type":"tool_use","name":"f","input":{"a":1}}"#,
            Some(("f", Some(r#"{"a":1}"#))),
        ),
        (
            r#"{"type":"tool_use","name":"f","input":"a"}"#,
            Some(("f", Some("\"a\""))),
        ),
        (
            r#"{"type":"new_tool_use","name":"f","input":{}}"#,
            Some(("f", None)),
        ),
        (r#"{"type":"server_tool_use","name":"f","input":{}}"#, None),
        (r#"{"type":"mcp_tool_use","name":"f","input":{}}"#, None),
        (r#"{"type":"text","text":"f"}"#, None),
    ] {
        let event = read(&format!(
            r#"{{"type":"content_block_start","index":3,"content_block":{block}}}"#
        ));
        let acts = acts(Body::Event, &event);
        let found = acts.first().map(|act| {
            assert_eq!(act.lane, lane);
            (act.name.as_str(), act.arguments.map(|node| event.wire(node)))
        });
        assert_eq!(found, expected, "{block}");
        assert!(acts.len() < 2);
    }
}

#[test]
fn a_call_that_the_start_of_a_stream_holds_is_whole() {
    let event = read(&format!(
        r#"{{"type":"message_start","message":{{"content":[{}],"stop_reason":null}}}}"#,
        call("send")
    ));
    let found = acts(Body::Event, &event);
    assert!(found[0].lane.is_none() && found[0].arguments.is_some());
    let after = apply(event.bytes(), deny(Body::Event, &event, &[(found[0].node, TOLD)]));
    let after = Document::read(after).unwrap();
    assert_eq!(named(&after, Body::Event), [""; 0]);
    assert_eq!(said(&after, Body::Event), [TOLD]);
}

#[test]
fn what_becomes_of_each_event_of_a_call() {
    let lane = |index: u32| lanes::lane(0, index + 1, lanes::ARGUMENTS);
    let first = [DeniedLane {
        lane: lane(2),
        told: Some(TOLD),
    }];
    let later = [DeniedLane {
        lane: lane(2),
        told: None,
    }];
    let start = read(
        r#"{"type":"content_block_start","index":2,"content_block":{"type":"tool_use","name":"f","input":{}}}"#,
    );
    let delta = read(
        r#"{"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":"{}"}}"#,
    );
    let stop = read(r#"{"type":"content_block_stop","index":2}"#);
    let other = read(
        r#"{"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":"{}"}}"#,
    );
    let end = read(r#"{"type":"message_delta","delta":{"stop_reason":"tool_use"},"usage":{}}"#);
    let limit = read(r#"{"type":"message_delta","delta":{"stop_reason":"max_tokens"},"usage":{}}"#);

    let Altered::Instead(events) = deny_event(&start, &first, &|_| true) else {
        panic!()
    };
    assert!(
        events
            .starts_with("event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":2,")
    );
    assert_eq!(events.matches("\n\n").count(), 2);
    assert!(events.contains(r#""text":"Not \"sent\".""#));
    assert_eq!(deny_event(&delta, &later, &|_| true), Altered::Gone);
    assert_eq!(deny_event(&stop, &later, &|_| true), Altered::Not);
    assert_eq!(deny_event(&other, &later, &|_| true), Altered::Not);
    assert_eq!(deny_event(&end, &later, &|_| false), Altered::Not);
    assert_eq!(deny_event(&limit, &later, &|_| true), Altered::Not);
    let Altered::Edited(edits) = deny_event(&end, &later, &|_| true) else {
        panic!()
    };
    let after = Document::read(apply(end.bytes(), edits)).unwrap();
    assert_eq!(after.str_at(&["delta", "stop_reason"]), Some("end_turn"));
    // A call whose beginning never came is a text all the same.
    let Altered::Instead(events) = deny_event(&stop, &first, &|_| true) else {
        panic!()
    };
    assert!(
        events
            .ends_with("event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":2}\n\n")
    );
}

fn told_of(request: &Document) -> Vec<String> {
    let wire = |nodes: &[NodeId]| {
        nodes
            .iter()
            .map(|node| request.wire(*node))
            .collect::<Vec<_>>()
            .join("+")
    };
    steps(request)
        .into_iter()
        .map(|step| match step {
            Step::Said(node) => format!("said {}", request.text(node)),
            Step::Called { id, name, arguments } => {
                format!(
                    "called {id} {name} {}",
                    arguments.map_or("-", |node| request.wire(node))
                )
            }
            Step::Returned { call, content, .. } => format!("returned {call} {}", wire(&content)),
        })
        .collect()
}

#[test]
fn the_steps_of_a_request() {
    let request = read(
        r#"{"messages":[
        {"role":"user","content":"Look."},
        {"role":"user","content":[{"type":"document","title":"T","context":"C","source":{"type":"text","data":"D"}},
            {"type":"document","source":{"type":"base64","data":"x"}},
            {"type":"document","source":{"type":"content","content":[{"type":"text","text":"E"}]}},
            {"type":"search_result","source":"S","title":"U","content":[{"type":"text","text":"F"}]}]},
        {"role":"assistant","content":[{"type":"thinking","thinking":"no"},{"type":"text","text":"Yes."},
            {"type":"tool_use","id":"t1","name":"look","input":{"a":1}},
            {"type":"server_tool_use","id":"s1","name":"web_search","input":{"q":"r"}},
            {"type":"web_search_tool_result","tool_use_id":"s1","content":[{"url":"v"}]}]},
        {"role":"user","content":[{"type":"tool_result","tool_use_id":"t1","content":"R"},
            {"type":"tool_result","tool_use_id":"t2","content":[{"type":"text","text":"P"},{"type":"image"},{"type":"text","text":"Q"}]},
            {"type":"tool_result","tool_use_id":"t3"}]}],
        "system":[{"type":"text","text":"Sys"}]}"#,
    );
    assert_eq!(
        told_of(&request),
        [
            "said Sys",
            "said Look.",
            "said T",
            "said C",
            "said D",
            "said E",
            "said S",
            "said U",
            "said F",
            "said Yes.",
            r#"called t1 look {"a":1}"#,
            r#"called s1 web_search {"q":"r"}"#,
            r#"returned s1 [{"url":"v"}]"#,
            r#"returned t1 "R""#,
            r#"returned t2 "P"+"Q""#,
            "returned t3 ",
        ]
    );
}

#[test]
fn the_tools_of_a_request() {
    let request = read(
        r#"{"tools":[{"name":"a","description":"A","input_schema":{"type":"object"}},{"type":"custom","name":"b"},
        {"type":"bash_20250124","name":"bash"},{"type":"web_search_20250305","name":"web_search"},
        {"type":"mcp_toolset","mcp_server_name":"station"},{"type":"from_tomorrow","name":"c"}],
        "mcp_servers":[{"name":"station"},{"name":"port"}],
        "messages":[{"role":"system","content":[{"type":"tool_addition","tool":{"type":"tool_definition",
            "definition":{"name":"d","input_schema":{}}}},{"type":"tool_addition","tool":{"type":"tool_reference","name":"a"}}]}]}"#,
    );
    let found: Vec<_> = offers(&request)
        .into_iter()
        .map(|offer| (offer.name, offer.provided, offer.schema.is_some()))
        .collect();
    let expected = [
        ("a", false, true),
        ("b", false, false),
        ("bash", false, false),
        ("web_search_20250305", true, false),
        ("mcp:station", true, false),
        ("from_tomorrow", true, false),
        ("d", false, true),
        ("mcp:port", true, false),
    ];
    assert_eq!(
        found,
        expected.map(|(name, provided, schema)| (name.to_owned(), provided, schema))
    );
}
