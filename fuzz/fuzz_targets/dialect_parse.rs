//! Any bytes as any body of any endpoint: nothing panics, every text on the surface is where it says it is, and whatever the
//! gateway writes itself can be read.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use portcullis_core::{PartId, Span};
use portcullis_dialect::{
    Body, Cut, DIALECTS, Document, Exchange, Failure, Frames, Malformed, Progress, Reading, apply,
};

/// Looks like nothing that a dialect has a rule for, and needs no escape.
const MARKER: &str = "marker@portcullis.example";

const CUT: Cut<'_> = Cut {
    request_id: "req_\"1",
    text: "withheld \u{7f}\n\"text\"",
};

fuzz_target!(|data: &[u8]| {
    let documents = documents(data);
    // What is too slow to be done for all of an input is done for one of them: over many inputs, for all.
    let chosen = data.iter().fold(data.len(), |sum, byte| {
        sum.wrapping_mul(31).wrapping_add(usize::from(*byte))
    });
    for dialect in DIALECTS {
        let failure = Failure {
            status: data.len() as u16,
            code: "content_filter",
            message: &String::from_utf8_lossy(data),
            request_id: "req_1",
        };
        Document::read(Bytes::from(dialect.error(&failure))).expect("an error is JSON");
        for (number, exchange) in dialect.exchanges().iter().enumerate() {
            let mut progress = Progress::default();
            for document in &documents {
                facts(*exchange, document, &mut progress);
                let bodies = [Body::Request, Body::Reply, Body::Event];
                let body = bodies[(chosen / 7 + number) % bodies.len()];
                let reading = surface(*exchange, body, document);
                replace(*exchange, body, &reading, chosen);
            }
        }
    }
});

/// The input as JSON, or the JSON in its events.
fn documents(data: &[u8]) -> Vec<Document> {
    if let Ok(document) = Document::read(Bytes::copy_from_slice(data)) {
        return vec![document];
    }
    let (mut frames, mut out) = (Frames::new(), Vec::new());
    frames.push(data, &mut out).expect("inputs are short");
    out.extend(frames.finish());
    let data = out.into_iter().filter_map(|frame| frame.data);
    data.filter_map(|data| Document::read(data).ok())
        .take(8)
        .collect()
}

fn facts(exchange: &dyn Exchange, document: &Document, progress: &mut Progress) {
    let parameters = vec!["gemini-2.5-flash"; exchange.path().matches('{').count()];
    let _ = exchange.call(document, &parameters);
    let _ = (
        exchange.ends(document),
        exchange.opens(document),
        exchange.splittable(document),
    );
    let _ = (exchange.usage(document), exchange.stored(document));
    for body in [Body::Reply, Body::Event] {
        for node in exchange.echoes(body, document) {
            assert!(document.range(node).end <= document.bytes().len());
        }
    }
    let withheld = exchange.withheld(document, &CUT);
    Document::read(Bytes::from(withheld)).expect("a withheld reply is JSON");
    exchange.progress(document, progress);
    let (mut frames, mut out) = (Frames::new(), Vec::new());
    let cut = exchange.cut(progress, &CUT);
    frames.push(cut.as_bytes(), &mut out).expect("a cut is short");
    assert!(frames.finish().is_none(), "a cut ends with a whole event");
    for data in out.into_iter().filter_map(|frame| frame.data) {
        if data != "[DONE]" {
            Document::read(data).expect("every event of a cut is JSON");
        }
    }
}

fn surface(exchange: &dyn Exchange, body: Body, document: &Document) -> Reading {
    let reading = Reading::of(document.clone(), |place| exchange.label(body, place));
    let bytes = reading.document().bytes();
    assert_eq!(bytes, document.bytes());
    for part in reading.parts() {
        assert_eq!(reading.text(part.id), part.text);
        let whole = reading.edit(part.id, Span::new(0, part.text.len()), "");
        assert!(whole.range.start <= whole.range.end && whole.range.end <= bytes.len());
    }
    let extensions: Vec<_> = reading.strip_extensions().collect();
    if !extensions.is_empty() {
        Document::read(apply(bytes, extensions)).expect("a body without extensions is JSON");
    }
    reading
}

/// Puts a marker in the place of one text: it is there when the body is read again.
fn replace(exchange: &dyn Exchange, body: Body, reading: &Reading, chosen: usize) {
    let count = reading.parts().count();
    if count == 0 {
        return;
    }
    let part = PartId((chosen % count) as u32);
    // A path is for people and logs: an index or a shortened key for each of 64 levels, twice for JSON in a string.
    assert!(reading.path(part).len() < 2 * 64 * 70);
    let whole = Span::new(0, reading.text(part).len());
    let patched = apply(
        reading.document().bytes(),
        vec![reading.edit(part, whole, MARKER)],
    );
    match Document::read(patched) {
        Ok(patched) => {
            let again = Reading::of(patched, |place| exchange.label(body, place));
            let seen = again.parts().any(|part| part.text.contains(MARKER));
            assert!(
                seen,
                "the marker at {} of {} is not seen",
                reading.path(part),
                exchange.id()
            );
        }
        Err(error) => {
            assert!(
                reading.is_key(part) && matches!(error, Malformed::DuplicateKey(_)),
                "{error}"
            );
        }
    }
}
