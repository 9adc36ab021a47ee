//! Calls: nothing that a reply calls is outside of what is told of its calls, and a reply without some of them has none of those and
//! says what is told in their place. What the provider runs itself is no call of a reply.

use std::collections::BTreeSet;
use std::ops::Range;

use portcullis_core::{Channel, Lane, Span};
use portcullis_dialect::{
    Act, Altered, Body, DeniedLane, Document, Exchange, NodeId, Reading, Sort, apply, lanes,
};

use crate::cases::{self, Case};
use crate::ends;

const TOLD: &str = "The gateway did not pass \"this\" on.";

/// Objects that are of what the provider runs: by their type, or by the member that they stand under.
const PROVIDED: [&str; 10] = [
    "server_tool_use",
    "mcp_tool_use",
    "web_search_call",
    "file_search_call",
    "code_interpreter_call",
    "image_generation_call",
    "mcp_call",
    "program",
    "executableCode",
    "toolCall",
];

fn is_provided(document: &Document, object: NodeId) -> bool {
    let text = |key| {
        document
            .member(object, key)
            .and_then(|node| document.as_str(node))
    };
    let environment = document.member(object, "environment");
    let kind = environment.and_then(|environment| document.member(environment, "type"));
    text("type").is_some_and(|sort| PROVIDED.contains(&sort))
        || text("execution") == Some("server")
        || kind
            .and_then(|kind| document.as_str(kind))
            .is_some_and(|kind| kind.starts_with("container"))
}

fn provided(document: &Document, node: NodeId, found: &mut Vec<Range<usize>>) {
    if is_provided(document, node) {
        found.push(document.range(node));
    }
    for (key, value) in document.members(node) {
        if PROVIDED.contains(&document.text(key)) {
            found.push(document.range(value));
        }
        provided(document, value, found);
    }
    for item in document.items(node) {
        provided(document, item, found);
    }
}

fn read(exchange: &dyn Exchange, body: Body, document: &Document) -> Reading {
    Reading::of(document.clone(), |place| exchange.label(body, place))
}

/// The cases of endpoints whose replies call.
fn calling() -> impl Iterator<Item = Case> {
    // A list of what a response was made from calls nothing.
    let lists = ["openai.responses.items"];
    cases::all()
        .into_iter()
        .filter(move |case| !lists.contains(&case.exchange.id()))
}

/// The number of the block or item that an event is about, in dialects that have such.
fn position(event: &Document) -> Option<u64> {
    let node = event.at(&["output_index"]).or_else(|| event.at(&["index"]));
    event.as_u64(node?)
}

#[test]
fn every_part_of_a_call_is_of_an_act() {
    let (mut inside, mut outside) = (0usize, Vec::new());
    for case in calling() {
        let exchange = case.exchange;
        let mut check = |body, document: &Document, groups: &BTreeSet<u32>, of_provider: bool| {
            let mut exempt = Vec::new();
            provided(document, document.root(), &mut exempt);
            let nodes = exchange.acts(body, document).into_iter();
            let nodes: Vec<_> = nodes.map(|act| document.range(act.node)).collect();
            let reading = read(exchange, body, document);
            for part in reading.parts().filter(|part| part.channel == Channel::ToolCall) {
                let at = reading.edit(part.id, Span::new(0, 0), "").range.start;
                let within = |ranges: &[Range<usize>]| ranges.iter().any(|range| range.contains(&at));
                // A call may come in more lanes than that of its arguments: they are of one group then, or of one block.
                let lane = part.lane.filter(|_| reading.is_delta(part.id));
                let in_lane = lane.is_some_and(|lane| groups.contains(&group(exchange, lane)));
                if within(&nodes) || in_lane {
                    inside += 1;
                } else if !within(&exempt) && !of_provider {
                    outside.push(format!("{} {body:?}: {}", case.name, reading.path(part.id)));
                }
            }
        };
        if let Some(reply) = &case.reply {
            let reply = Document::read(reply.clone()).unwrap();
            check(Body::Reply, &reply, &BTreeSet::new(), false);
        }
        let (mut groups, mut of_provider) = (BTreeSet::new(), BTreeSet::new());
        for event in case.events() {
            let acts = exchange.acts(Body::Event, &event).into_iter();
            groups.extend(acts.filter_map(|act| act.lane).map(|lane| group(exchange, lane)));
            let begun = event.at(&["item"]).or_else(|| event.at(&["content_block"]));
            if begun.is_some_and(|begun| is_provided(&event, begun)) {
                of_provider.extend(position(&event));
            }
            let provided = position(&event).is_some_and(|at| of_provider.contains(&at));
            check(Body::Event, &event, &groups, provided);
        }
    }
    assert!(
        outside.is_empty(),
        "not of a call that is told of:\n{}",
        outside.join("\n")
    );
    assert!(inside > 50, "{inside}");
}

/// What a call's lanes have in common: the output of a response, the block or the call of a choice elsewhere.
fn group(exchange: &dyn Exchange, lane: Lane) -> u32 {
    match exchange.id() {
        id if id.starts_with("openai.responses") => lanes::group(lane),
        _ => lanes::group(lane) * 1000 + lanes::item(lane),
    }
}

/// The sets of names to deny: each by itself, and all.
fn choices(acts: &[Act]) -> Vec<BTreeSet<String>> {
    let all: BTreeSet<String> = acts.iter().map(|act| act.name.clone()).collect();
    let mut sets: Vec<_> = all.iter().map(|name| BTreeSet::from([name.clone()])).collect();
    sets.push(all);
    sets.retain(|set| !set.is_empty());
    sets
}

/// What the model says in a body.
fn said(exchange: &dyn Exchange, body: Body, document: &Document) -> String {
    let reading = read(exchange, body, document);
    let model = reading.parts().filter(|part| part.channel == Channel::Assistant);
    model.map(|part| part.text.to_string()).collect()
}

fn names(acts: &[Act]) -> BTreeSet<&str> {
    acts.iter().map(|act| act.name.as_str()).collect()
}

#[test]
fn a_reply_without_a_call_has_it_no_more_and_says_what_is_told() {
    let mut tried = 0usize;
    for case in calling() {
        let Some(reply) = &case.reply else { continue };
        let reply = Document::read(reply.clone()).unwrap();
        let acts = case.exchange.acts(Body::Reply, &reply);
        for denied in choices(&acts) {
            tried += 1;
            let (gone, left): (Vec<Act>, Vec<Act>) =
                acts.iter().cloned().partition(|act| denied.contains(&act.name));
            let of: Vec<_> = gone.iter().map(|act| (act.node, TOLD)).collect();
            let edits = case.exchange.deny(Body::Reply, &reply, &of);
            let after = Document::read(apply(reply.bytes(), edits)).unwrap();
            let found = case.exchange.acts(Body::Reply, &after);
            assert_eq!(names(&found), names(&left), "{} without {denied:?}", case.name);
            assert_eq!(found.len(), left.len());
            let told = said(case.exchange, Body::Reply, &after).matches(TOLD).count();
            assert_eq!(told, gone.len(), "{} without {denied:?}", case.name);
        }
    }
    assert!(tried > 10, "{tried}");
}

/// A stream as it leaves when calls of those names may not go through. Names are known beforehand, as if their lanes had been judged.
fn without(exchange: &dyn Exchange, events: &[Document], denied: &BTreeSet<String>) -> Vec<Document> {
    let (mut lanes, mut left) = (Vec::new(), BTreeSet::new());
    for act in events.iter().flat_map(|event| exchange.acts(Body::Event, event)) {
        match act.lane {
            Some(lane) if denied.contains(&act.name) => lanes.push(lane),
            _ if !act.name.is_empty() && !denied.contains(&act.name) => {
                left.insert(act.group);
            }
            _ => {}
        }
    }
    let none_left = |group| !left.contains(&group);
    let (mut begun, mut out) = (BTreeSet::new(), Vec::new());
    for event in events {
        let acts = exchange.acts(Body::Event, event);
        let whole: Vec<_> = acts
            .iter()
            .filter(|act| act.lane.is_none() && denied.contains(&act.name))
            .map(|act| (act.node, TOLD))
            .collect();
        let event = Document::read(apply(event.bytes(), exchange.deny(Body::Event, event, &whole))).unwrap();
        let reading = read(exchange, Body::Event, &event);
        let mut touched: BTreeSet<Lane> = acts.iter().filter_map(|act| act.lane).collect();
        touched.extend(reading.parts().filter_map(|part| part.lane));
        let told: Vec<DeniedLane<'_>> = lanes
            .iter()
            .filter(|lane| begun.contains(*lane) || touched.contains(*lane))
            .copied()
            .collect::<BTreeSet<Lane>>()
            .into_iter()
            .map(|lane| DeniedLane {
                lane,
                told: begun.insert(lane).then_some(TOLD),
            })
            .collect();
        if told.is_empty() && whole.is_empty() && begun.is_empty() {
            out.push(event);
            continue;
        }
        match exchange.deny_event(&event, &told, &none_left) {
            Altered::Not => out.push(event),
            Altered::Gone => {}
            Altered::Edited(edits) => out.push(Document::read(apply(event.bytes(), edits)).unwrap()),
            Altered::Instead(bytes) => out.extend(cases::frames(bytes.as_bytes()).into_iter().map(|frame| {
                let event = Document::read(frame.data.unwrap()).unwrap();
                if let Some(name) = frame.event {
                    assert_eq!(event.str_at(&["type"]), Some(&name[..]));
                }
                event
            })),
        }
    }
    out
}

#[test]
fn a_stream_without_a_call_has_it_no_more_and_says_what_is_told() {
    let mut tried = 0usize;
    for case in calling() {
        let (exchange, events) = (case.exchange, case.events());
        let all = |events: &[Document]| -> Vec<Act> {
            let acts = events.iter().flat_map(|event| exchange.acts(Body::Event, event));
            acts.filter(|act| !act.name.is_empty() || act.lane.is_none())
                .collect()
        };
        let acts = all(&events);
        for denied in choices(&acts) {
            tried += 1;
            let name = format!("{} without {denied:?}", case.name);
            let after = without(exchange, &events, &denied);
            let found = all(&after);
            let expected: BTreeSet<&str> = names(&acts)
                .into_iter()
                .filter(|name| !denied.contains(*name))
                .collect();
            assert_eq!(names(&found), expected, "{name}");
            let told: String = after
                .iter()
                .map(|event| said(exchange, Body::Event, event))
                .collect();
            assert!(told.contains(TOLD), "{name}");
            for event in &after {
                for (path, reason) in [
                    (&["delta", "stop_reason"], "tool_use"),
                    (&["message", "stop_reason"], "tool_use"),
                ] {
                    let ended = event.str_at(path) == Some(reason);
                    assert!(!ended || !expected.is_empty(), "{name}");
                }
            }
            ends::check(&name, exchange, after);
        }
    }
    assert!(tried > 10, "{tried}");
}

#[test]
fn what_a_request_tells_of_its_conversation_is_on_its_surface() {
    use portcullis_dialect::Step;
    let (mut said, mut called, mut returned) = (0usize, 0usize, 0usize);
    for case in cases::all() {
        let Some(request) = &case.request else { continue };
        let request = Document::read(request.clone()).unwrap();
        let reading = read(case.exchange, Body::Request, &request);
        let of: Vec<(usize, Channel)> = reading
            .parts()
            .map(|part| {
                (
                    reading.edit(part.id, Span::new(0, 0), "").range.start,
                    part.channel,
                )
            })
            .collect();
        for step in case.exchange.steps(&request) {
            match step {
                Step::Said(node) => {
                    said += 1;
                    assert_eq!(request.sort(node), Sort::String, "{}", case.name);
                    let range = request.range(node);
                    let channel = of.iter().find(|(at, _)| range.contains(at));
                    // An empty text may have no part.
                    assert!(
                        channel.is_none_or(|(_, channel)| !matches!(
                            channel,
                            Channel::Unknown | Channel::Reasoning | Channel::ToolCall | Channel::ToolResult
                        )),
                        "{}: {} is {channel:?}",
                        case.name,
                        request.path(node)
                    );
                }
                Step::Called { name, .. } => {
                    called += 1;
                    assert!(!name.is_empty(), "{}", case.name);
                }
                Step::Returned { call, .. } => {
                    returned += 1;
                    assert!(!call.is_empty(), "{}", case.name);
                }
            }
        }
    }
    assert!(
        said > 50 && called > 30 && returned > 30,
        "{said} {called} {returned}"
    );
}
