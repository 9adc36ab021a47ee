//! The surface of every recorded body, compared with the one that was reviewed (`<case>/{request,reply,stream}.surface`).
//!
//! `UPDATE=1` writes them anew; a change in labelling is then a change in these files, seen in review.

use std::fmt::Write as _;
use std::fs;

use bytes::Bytes;
use portcullis_core::{Channel, Lane, Span};
use portcullis_dialect::{Body, Document, Ends, Exchange, Reading, StateRef, lanes};

use crate::cases::{self, Case};

#[test]
fn surfaces_are_as_reviewed() {
    let update = std::env::var_os("UPDATE").is_some();
    let mut wrong = Vec::new();
    for case in cases::all() {
        for (file, surface) in surfaces(&case) {
            let path = case.folder.join(file);
            if update {
                fs::write(&path, &surface).unwrap();
                continue;
            }
            let reviewed = fs::read_to_string(&path).unwrap_or_default();
            let line = (surface.lines().zip(reviewed.lines())).position(|(now, then)| now != then);
            if surface != reviewed {
                let line = line.unwrap_or_else(|| surface.lines().count().min(reviewed.lines().count()));
                wrong.push(format!(
                    "{}/{file}, line {}:\n  now      {:?}\n  reviewed {:?}",
                    case.name,
                    line + 1,
                    surface.lines().nth(line),
                    reviewed.lines().nth(line)
                ));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "not as reviewed (UPDATE=1 writes them anew):\n{}",
        wrong.join("\n")
    );
}

#[test]
fn no_place_of_the_reference_is_unknown() {
    let mut unknown = Vec::new();
    for body in cases::bodies() {
        let reading = body.read(&body.bytes);
        for part in reading.parts().filter(|part| part.channel == Channel::Unknown) {
            unknown.push(format!("{}: {}", body.name, reading.path(part.id)));
        }
    }
    assert!(unknown.is_empty(), "unknown places:\n{}", unknown.join("\n"));
}

/// File name and text of each surface of a case.
fn surfaces(case: &Case) -> Vec<(&'static str, String)> {
    let mut out = Vec::new();
    if let Some(bytes) = &case.request {
        out.push(("request.surface", request(case.exchange, bytes)));
    }
    if let Some(bytes) = &case.reply {
        let mut text = String::new();
        render(&mut text, case.exchange, Body::Reply, bytes);
        out.push(("reply.surface", text));
    }
    if case.stream.is_some() {
        let mut text = String::new();
        for (number, frame) in case.frames().into_iter().enumerate() {
            let _ = writeln!(text, "[{number}] {}", frame.event.as_deref().unwrap_or("-"));
            match frame.data {
                Some(data) if &data[..] == b"[DONE]" => text.push_str("  done\n"),
                Some(data) => render(&mut text, case.exchange, Body::Event, &data),
                None => {}
            }
        }
        out.push(("stream.surface", text));
    }
    out
}

/// The facts of a request, then its surface.
fn request(exchange: &dyn Exchange, bytes: &Bytes) -> String {
    let document = Document::read(bytes.clone()).unwrap();
    let parameters = vec!["parameter"; exchange.path().matches('{').count()];
    let call = exchange.call(&document, &parameters).unwrap();
    let mut text = format!(
        "  call: model {}, stream {}, system prompt {}\n",
        call.model.as_deref().unwrap_or("-"),
        call.stream,
        call.system_prompt
    );
    if let Some(node) = call.model_node {
        let _ = writeln!(text, "  call: model at {}", document.path(node));
    }
    states(&mut text, "call", &call.state);
    render(&mut text, exchange, Body::Request, bytes);
    text
}

fn render(out: &mut String, exchange: &dyn Exchange, body: Body, bytes: &Bytes) {
    let document = Document::read(bytes.clone()).unwrap();
    let reading = Reading::of(document.clone(), |place| exchange.label(body, place));
    for part in reading.parts() {
        let _ = write!(
            out,
            "  {} | {} | {:?} | ",
            reading.path(part.id),
            part.channel.name(),
            part.origin
        );
        if let Some(lane) = part.lane {
            let how = if reading.is_delta(part.id) { "delta " } else { "" };
            let _ = write!(out, "{how}{} ", lane_name(lane));
        }
        let cut: String = part.text.chars().take(60).collect();
        let _ = writeln!(out, "| {cut:?}");
        // An edit of nothing is where it says: the path leads back to the bytes.
        let edit = reading.edit(part.id, Span::new(0, 0), "");
        assert!(edit.range.start <= bytes.len() && edit.range.end <= bytes.len());
    }
    for blind in reading.uninspectable() {
        let _ = writeln!(out, "  {} | uninspectable {}", blind.path, blind.kind.name());
    }
    if body == Body::Request {
        return;
    }
    if let Some(usage) = exchange.usage(&document) {
        let _ = writeln!(
            out,
            "  usage: input {} (cached {}), output {} (reasoning {})",
            usage.input, usage.cached, usage.output, usage.reasoning
        );
    }
    states(out, "stored", &exchange.stored(&document));
    for echo in exchange.echoes(body, &document) {
        let _ = writeln!(out, "  echo: {}", document.path(echo));
    }
    if body == Body::Event {
        match exchange.ends(&document) {
            Ends::Nothing => {}
            ends => {
                let _ = writeln!(out, "  ends: {ends:?}");
            }
        }
        if exchange.splittable(&document) {
            out.push_str("  splittable\n");
        }
    }
}

fn states(out: &mut String, what: &str, state: &[StateRef]) {
    for state in state {
        let _ = writeln!(out, "  {what}: state {} {}", state.kind, state.id);
    }
}

fn lane_name(lane: Lane) -> String {
    let sort = match lanes::sort(lane) {
        lanes::TEXT => "text",
        lanes::REASONING => "reasoning",
        lanes::REFUSAL => "refusal",
        lanes::ARGUMENTS => "arguments",
        lanes::LOGPROBS => "logprobs",
        lanes::TRANSCRIPT => "transcript",
        lanes::SUMMARY => "summary",
        lanes::OUTPUT => "output",
        lanes::ERROR_OUTPUT => "errors",
        _ => "?",
    };
    format!("{sort} {}.{}", lanes::group(lane), lanes::item(lane))
}
