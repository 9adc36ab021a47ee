//! Tools in responses: tables of replies, events and requests. Recorded streams are under the laws of `tests/it/acts.rs`.

use super::super::Responses;
use super::*;
use crate::{Cut, Exchange as _, Frames, Progress, Reading, apply};
use bytes::Bytes;

const TOLD: &str = "Not \"sent\".";

fn read(body: &str) -> Document {
    Document::read(Bytes::copy_from_slice(body.as_bytes())).unwrap()
}

fn names(body: Body, document: &Document) -> Vec<String> {
    acts(body, document).into_iter().map(|act| act.name).collect()
}

fn said(body: Body, document: &Document) -> Vec<String> {
    let reading = Reading::of(document.clone(), |place| Responses.label(body, place));
    let model = reading
        .parts()
        .filter(|part| part.channel == portcullis_core::Channel::Assistant);
    model.map(|part| part.text.to_string()).collect()
}

const SEND: &str = r#"{"id":"fc_1","type":"function_call","call_id":"c1","name":"send","arguments":"{}"}"#;
const LOOK: &str = r#"{"id":"ctc_1","type":"custom_tool_call","call_id":"c2","name":"look","input":"x"}"#;
const PATCH: &str =
    r#"{"id":"ap_1","type":"apply_patch_call","call_id":"c3","operation":{"type":"delete_file","path":"a"}}"#;
const TEXT: &str = r#"{"id":"msg_1","type":"message","role":"assistant","content":[{"type":"output_text","text":"Hello.","annotations":[]}]}"#;

#[test]
fn a_response_without_a_call_says_what_is_told_in_its_place() {
    for (items, denied, left, texts) in [
        (vec![SEND], "send", vec![], vec![TOLD]),
        (vec![TEXT, SEND], "send", vec![], vec!["Hello.", TOLD]),
        (vec![SEND, LOOK], "send", vec!["look"], vec![TOLD]),
        (vec![SEND, LOOK], "look", vec!["send"], vec![TOLD]),
        (
            vec![PATCH, TEXT, SEND],
            "apply_patch_call",
            vec!["send"],
            vec![TOLD, "Hello."],
        ),
    ] {
        let list = items.join(", ");
        for (body, response) in [
            (
                Body::Reply,
                format!(r#"{{"object":"response","status":"completed","output":[{list}]}}"#),
            ),
            (
                Body::Event,
                format!(
                    r#"{{"type":"response.completed","response":{{"status":"completed","output":[{list}]}}}}"#
                ),
            ),
        ] {
            let response = read(&response);
            let of: Vec<_> = acts(body, &response)
                .into_iter()
                .filter(|act| act.name == denied)
                .map(|act| {
                    assert!(act.lane.is_none() && act.arguments.is_some());
                    (act.node, TOLD)
                })
                .collect();
            let after = Document::read(apply(response.bytes(), deny(body, &response, &of))).unwrap();
            assert_eq!(names(body, &after), left);
            assert_eq!(said(body, &after), texts);
        }
    }
}

#[test]
fn what_the_client_runs_or_approves_is_a_call_and_what_the_provider_runs_is_none() {
    for (item, expected) in [
        (SEND, Some(("send", "\"{}\""))),
        (LOOK, Some(("look", "\"x\""))),
        (
            PATCH,
            Some(("apply_patch_call", r#"{"type":"delete_file","path":"a"}"#)),
        ),
        (
            r#"{"type":"computer_call","action":{"type":"wait"}}"#,
            Some(("computer_call", r#"{"type":"wait"}"#)),
        ),
        (
            r#"{"type":"computer_call","action":null,"actions":[]}"#,
            Some(("computer_call", "[]")),
        ),
        (
            r#"{"type":"computer_call","action":{},"actions":[]}"#,
            Some((
                "computer_call",
                r#"{"type":"computer_call","action":{},"actions":[]}"#,
            )),
        ),
        (
            r#"{"type":"local_shell_call","action":{}}"#,
            Some(("local_shell_call", "{}")),
        ),
        (
            r#"{"type":"shell_call","action":{},"environment":{"type":"local"}}"#,
            Some(("shell_call", "{}")),
        ),
        (
            r#"{"type":"shell_call","action":{},"environment":null}"#,
            Some(("shell_call", "{}")),
        ),
        (
            r#"{"type":"shell_call","action":{},"environment":{"type":"container_reference"}}"#,
            None,
        ),
        (
            r#"{"type":"mcp_approval_request","name":"find","arguments":"{}"}"#,
            Some(("find", "\"{}\"")),
        ),
        (
            r#"{"type":"tool_search_call","execution":"client","arguments":{}}"#,
            Some(("tool_search_call", "{}")),
        ),
        (
            r#"{"type":"tool_search_call","execution":"server","arguments":{}}"#,
            None,
        ),
        (
            r#"{"type":"tomorrows_call","input":{}}"#,
            Some(("tomorrows_call", "{}")),
        ),
        (r#"{"type":"web_search_call","action":{}}"#, None),
        (r#"{"type":"mcp_call","name":"find","arguments":"{}"}"#, None),
        (r#"{"type":"message","role":"assistant","content":[]}"#, None),
    ] {
        let response = read(&format!(r#"{{"output":[{item}]}}"#));
        let found = acts(Body::Reply, &response);
        let found = found
            .first()
            .map(|act| (act.name.as_str(), response.wire(act.arguments.unwrap())));
        assert_eq!(found, expected, "{item}");
        // The same item in a stream is held from its first event on, and its lane is told.
        let event = read(&format!(
            r#"{{"type":"response.output_item.added","output_index":2,"item":{item}}}"#
        ));
        let lane = acts(Body::Event, &event).first().and_then(|act| act.lane);
        assert_eq!(lane.is_some(), expected.is_some(), "{item}");
        if let Some(lane) = lane {
            assert_eq!(events::opens(&event), [lane], "{item}");
        }
    }
}

#[test]
fn what_an_event_says_of_a_call() {
    let lane = Some(lanes::lane(3, 4, lanes::ARGUMENTS));
    for (event, expected) in [
        (
            r#""type":"response.output_item.added","item":{"type":"function_call","name":"f","arguments":""}"#,
            Some(("f", None)),
        ),
        (
            r#""type":"response.output_item.added","item":{"type":"function_call","name":"f","arguments":"{}"}"#,
            Some(("f", Some("\"{}\""))),
        ),
        (
            r#""type":"response.output_item.done","item":{"type":"function_call","name":"f","arguments":""}"#,
            Some(("f", Some("\"\""))),
        ),
        (
            r#""type":"response.function_call_arguments.done","arguments":"{}","name":"f""#,
            Some(("f", Some("\"{}\""))),
        ),
        (
            r#""type":"response.function_call_arguments.done","arguments":"{}""#,
            Some(("", Some("\"{}\""))),
        ),
        (
            r#""type":"response.custom_tool_call_input.done","input":"x""#,
            Some(("", Some("\"x\""))),
        ),
        (
            r#""type":"response.function_call_arguments.delta","delta":"{}""#,
            None,
        ),
        (
            r#""type":"response.mcp_call_arguments.done","arguments":"{}""#,
            None,
        ),
    ] {
        let event = read(&format!(r#"{{"output_index":3,{event}}}"#));
        let acts = acts(Body::Event, &event);
        let found = acts.first().map(|act| {
            assert_eq!(act.lane, lane);
            (act.name.as_str(), act.arguments.map(|node| event.wire(node)))
        });
        assert_eq!(found, expected);
    }
}

/// What a client gets, with what is noted of it.
fn sent(events: &[&str], denied: u32, progress: &mut Progress) -> Vec<Document> {
    let lane = lanes::lane(denied, 4, lanes::ARGUMENTS);
    let (mut out, mut told) = (Vec::new(), Some(TOLD));
    for event in events {
        let event = read(event);
        let mut frames = Vec::new();
        match deny_event(&event, &[DeniedLane { lane, told }]) {
            Altered::Not => out.push(event),
            Altered::Instead(bytes) => {
                Frames::new().push(bytes.as_bytes(), &mut frames).unwrap();
                told = None;
            }
            Altered::Gone => assert!(told.is_none()),
            Altered::Edited(_) => panic!(),
        }
        out.extend(frames.into_iter().map(|frame| {
            let event = Document::read(frame.data.unwrap()).unwrap();
            assert_eq!(frame.event.as_deref(), event.str_at(&["type"]));
            event
        }));
    }
    out.iter().for_each(|event| events::progress(event, progress));
    out
}

#[test]
fn a_message_comes_in_the_place_of_a_call_and_is_what_a_cut_repeats() {
    let events = [
        r#"{"type":"response.created","sequence_number":0,"response":{"id":"resp_1","output":[]}}"#,
        r#"{"type":"response.output_item.added","sequence_number":1,"output_index":0,"item":{"id":"fc_1","type":"function_call","name":"send","arguments":""}}"#,
        r#"{"type":"response.output_item.added","sequence_number":2,"output_index":1,"item":{"id":"fc_2","type":"function_call","name":"look","arguments":""}}"#,
        r#"{"type":"response.function_call_arguments.delta","sequence_number":3,"item_id":"fc_1","output_index":0,"delta":"{}"}"#,
        r#"{"type":"response.function_call_arguments.delta","sequence_number":4,"item_id":"fc_2","output_index":1,"delta":"{}"}"#,
        r#"{"type":"response.function_call_arguments.done","sequence_number":5,"item_id":"fc_1","output_index":0,"arguments":"{}"}"#,
        r#"{"type":"response.output_item.done","sequence_number":6,"output_index":0,"item":{"id":"fc_1","type":"function_call","name":"send","arguments":"{}"}}"#,
        r#"{"type":"response.output_item.done","sequence_number":7,"output_index":1,"item":{"id":"fc_2","type":"function_call","name":"look","arguments":"{}"}}"#,
    ];
    let mut progress = Progress::default();
    let sent = sent(&events, 0, &mut progress);
    let types: Vec<&str> = sent
        .iter()
        .map(|event| event.str_at(&["type"]).unwrap())
        .collect();
    assert_eq!(
        types,
        [
            "response.created",
            "response.output_item.added",
            "response.content_part.added",
            "response.output_text.delta",
            "response.output_text.done",
            "response.content_part.done",
            "response.output_item.done",
            "response.output_item.added",
            "response.function_call_arguments.delta",
            "response.output_item.done",
        ]
    );
    for event in &sent[1..7] {
        let number = |key| event.as_u64(event.at(&[key]).unwrap());
        assert_eq!(
            (number("sequence_number"), number("output_index")),
            (Some(1), Some(0))
        );
    }
    assert_eq!(sent[6].str_at(&["item", "id"]), Some("msg_fc_1"));
    let cut = Cut {
        request_id: "r",
        text: "",
    };
    let (mut frames, stopped) = (Vec::new(), Responses.stopped(&progress, &cut));
    Frames::new().push(stopped.as_bytes(), &mut frames).unwrap();
    let last = Document::read(frames.pop().unwrap().data.unwrap()).unwrap();
    assert_eq!(names(Body::Event, &last), ["look"]);
    assert_eq!(said(Body::Event, &last), [TOLD]);
}

#[test]
fn events_that_are_of_no_item_stay() {
    let lane = lanes::lane(0xfff_ffff, 4, lanes::ARGUMENTS);
    for event in [
        r#"{"type":"response.completed","response":{"output":[]}}"#,
        r#"{"type":"response.audio.transcript.delta","delta":"a"}"#,
        r#"{"type":"error","message":"m"}"#,
    ] {
        for told in [Some(TOLD), None] {
            assert_eq!(
                deny_event(&read(event), &[DeniedLane { lane, told }]),
                Altered::Not
            );
        }
    }
}

#[test]
fn the_steps_of_a_request() {
    let request = read(
        r#"{"input":[{"role":"user","content":"Look."},
        {"type":"message","role":"user","content":[{"type":"input_text","text":"A"},{"type":"input_image"},{"type":"input_text","text":"B"}]},
        {"type":"reasoning","summary":[{"type":"summary_text","text":"no"}]},
        {"type":"function_call","id":"fc","call_id":"c1","name":"f","arguments":"{}"},
        {"type":"function_call_output","call_id":"c1","output":"R"},
        {"type":"custom_tool_call","call_id":"c2","name":"g","input":"x"},
        {"type":"custom_tool_call_output","call_id":"c2","output":[{"type":"input_text","text":"S"},{"type":"input_text","text":"T"}]},
        {"type":"shell_call","call_id":"c3","action":{"commands":["ls"]}},
        {"type":"shell_call_output","call_id":"c3","output":[{"stdout":"O","stderr":"E"}]},
        {"type":"local_shell_call_output","id":"c4","output":"L"},
        {"type":"computer_call_output","call_id":"c5","output":{"type":"computer_screenshot","image_url":"x"}},
        {"type":"mcp_call","id":"m1","name":"find","arguments":"{}","output":"M","error":null},
        {"type":"file_search_call","id":"fs","queries":["q"],"results":[{"text":"t"}]},
        {"type":"program_output","call_id":"c6","result":"P"}],
        "instructions":"Sys","prompt":{"id":"p","variables":{"v":"V","w":{"type":"input_text","text":"W"}}}}"#,
    );
    let wire = |node: NodeId| request.wire(node);
    let found: Vec<String> = steps(&request)
        .into_iter()
        .map(|step| match step {
            Step::Said(node) => format!("said {}", request.text(node)),
            Step::Called { id, name, arguments } => {
                format!("called {id} {name} {}", arguments.map_or("-", wire))
            }
            Step::Returned { call, content, .. } => {
                let content: Vec<&str> = content.into_iter().map(wire).collect();
                format!("returned {call} {}", content.join("+"))
            }
        })
        .collect();
    assert_eq!(
        found,
        [
            "said Sys",
            "said V",
            "said W",
            "said Look.",
            "said A",
            "said B",
            "called c1 f \"{}\"",
            "returned c1 \"R\"",
            "called c2 g \"x\"",
            "returned c2 \"S\"+\"T\"",
            r#"called c3 shell_call {"commands":["ls"]}"#,
            "returned c3 \"O\"+\"E\"",
            "returned c4 \"L\"",
            "returned c5 ",
            "called m1 find \"{}\"",
            "returned m1 \"M\"",
            r#"called fs file_search_call ["q"]"#,
            r#"returned fs [{"text":"t"}]"#,
            "returned c6 \"P\"",
        ]
    );
    let text = read(r#"{"input":"Hello."}"#);
    assert_eq!(steps(&text), [Step::Said(text.at(&["input"]).unwrap())]);
}

#[test]
fn the_tools_of_a_request() {
    let request = read(
        r#"{"tools":[{"type":"function","name":"a","description":"A","parameters":{}},{"type":"custom","name":"b"},
        {"type":"namespace","name":"sky","tools":[{"type":"function","name":"c"}]},
        {"type":"web_search"},{"type":"mcp","server_label":"maps"},{"type":"local_shell"},
        {"type":"shell","environment":{"type":"container_auto"}},{"type":"shell","environment":{"type":"local"}},
        {"type":"computer"},{"type":"apply_patch"},{"type":"tool_search","execution":"client"},{"type":"tool_search"}],
        "input":[{"type":"additional_tools","tools":[{"type":"custom","name":"d"}]},{"type":"tool_search_output","tools":[{"type":"function","name":"e"}]}]}"#,
    );
    let found: Vec<_> = offers(&request)
        .into_iter()
        .map(|offer| (offer.name, offer.provided))
        .collect();
    let expected = [
        ("a", false),
        ("b", false),
        ("c", false),
        ("web_search", true),
        ("mcp:maps", true),
        ("local_shell_call", false),
        ("shell", true),
        ("shell_call", false),
        ("computer_call", false),
        ("apply_patch_call", false),
        ("tool_search_call", false),
        ("tool_search", true),
        ("d", false),
        ("e", false),
    ];
    assert_eq!(
        found,
        expected.map(|(name, provided)| (name.to_owned(), provided))
    );
}
