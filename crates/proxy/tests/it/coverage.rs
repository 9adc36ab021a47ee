//! The coverage proof: a marker in every string leaf of every recorded exchange, in and out, buffered and streamed, is seen and
//! does not come through. The table in `docs/coverage.md` is what this test has seen, and nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::Full;
use portcullis_core::{Action, RequestId};
use portcullis_policy::{Both, Injection, Pii, Profile};

use crate::bench::{Answer, Bench, Plan, Script};
use crate::classified::{READ, Reader, with_reader};
use crate::recorded::{Case, Events, MARKER, cases, plantings};

/// Where a text travels.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Way {
    Request,
    Reply,
    Stream,
}

type Seen = BTreeMap<(String, Way), BTreeSet<&'static str>>;

async fn redacting(reader: &Arc<Reader>) -> Bench {
    let profile = Profile {
        injection: Injection {
            user: Action::Flag,
            untrusted: Action::Flag,
            ..Injection::default()
        },
        secrets: Both {
            input: Action::Redact,
            output: Action::Redact,
        },
        pii: Pii {
            input: Action::Redact,
            output: Action::Redact,
            types: None,
        },
        // A call that may not go through takes its texts with it: then there is nothing left to be seen.
        danger_tools_unchecked: true,
        ..Profile::default()
    };
    let (settings, profile) = with_reader(reader, profile);
    Bench::with(Plan {
        profile,
        settings,
        ..Plan::default()
    })
    .await
}

async fn ask(bench: &Bench, case: &Case, body: &Bytes) -> Answer {
    let mut request = bench.request(case.exchange.method().name(), &case.path());
    if case.exchange.api() == portcullis_dialect::Api::Anthropic {
        request = request.header("anthropic-version", "2023-06-01");
    }
    if !body.is_empty() {
        request = request.header("content-type", "application/json");
    }
    bench.send(request.body(Full::new(body.clone())).unwrap()).await
}

/// Makes every stored object that the case names the property of the test's key.
async fn own_state(bench: &Bench, case: &Case) {
    let body = case
        .request
        .clone()
        .unwrap_or_else(|| Bytes::from_static(b"null"));
    let document = portcullis_dialect::Document::read(body).unwrap();
    let call = case.exchange.call(&document, &[case.parameter()]).unwrap();
    for state in call.state {
        let upstream = case.exchange.api().name();
        bench
            .store
            .remember_owned(state.kind, &state.id, &bench.key_id, upstream, None, 1)
            .await
            .unwrap();
    }
}

/// A request whose record is still to be looked at.
struct Due {
    id: RequestId,
    way: Way,
    what: String,
    /// Whether the classifier was shown the marker.
    classified: bool,
}

impl Due {
    fn of(answer: &Answer, way: Way, what: String, reader: &Reader) -> Due {
        Due {
            classified: reader.shown().iter().any(|text| text.contains(MARKER)),
            id: RequestId::from_text(answer.header("x-portcullis-request-id")),
            way,
            what,
        }
    }
}

/// Looks at the records of a case, all at once: each is on disk only when its batch is.
async fn check(bench: &Bench, case: &Case, due: Vec<Due>, seen: &mut Seen) {
    bench.services.audit.flush().await.unwrap();
    let endpoint = format!("{} {}", case.exchange.method().name(), case.exchange.path());
    for Due {
        id,
        way,
        what,
        classified,
    } in due
    {
        let record = bench
            .store
            .audit_record(&id)
            .await
            .unwrap()
            .unwrap_or_else(|| panic!("{what}: no record"))
            .record;
        let marked = record
            .findings
            .iter()
            .filter(|finding| finding.kind == "EMAIL_ADDRESS");
        let found: Vec<&str> = marked.map(|finding| finding.channel.name()).collect();
        assert!(
            !found.is_empty(),
            "{what}: not seen; {} {:?}",
            record.status,
            record.code
        );
        // A classifier is shown all that a model reads as somebody else's words, and nothing that a model wrote.
        let is_read = |finding: &&portcullis_core::RecordedFinding| READ.contains(&finding.channel);
        let is_due = way == Way::Request
            && record
                .findings
                .iter()
                .filter(|f| f.kind == "EMAIL_ADDRESS")
                .any(|f| is_read(&f));
        assert_eq!(classified, is_due, "{what}: {found:?}");
        seen.entry((endpoint.clone(), way)).or_default().extend(found);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_marker_in_any_leaf_is_seen_and_does_not_come_through() {
    let mut seen = Seen::new();
    let reader = Arc::new(Reader::default());
    let bench = redacting(&reader).await;
    for case in cases() {
        own_state(&bench, &case).await;
        let mut due = Vec::new();
        let request = case.request.clone().unwrap_or_default();
        let answerable = case.reply.clone().or_else(|| case.stream.clone());
        if let (Some(body), Some(_)) = (&case.request, &answerable) {
            requests(&bench, &case, body, &reader, &mut due).await;
        }
        for (path, reply) in case.reply.iter().flat_map(|reply| plantings(reply, MARKER)) {
            let what = format!("{} reply {path}", case.name);
            bench.upstream.scripts.lock().unwrap().clear();
            bench.script(Script::json(reply));
            let answer = ask(&bench, &case, &request).await;
            assert!(
                !answer.text().contains(MARKER),
                "{what} came through: {}",
                answer.text()
            );
            // A list of models is put together anew: what does not come through it may have been left out.
            let left_out = case.exchange.lists_models() && !answer.text().contains("[EMAIL_ADDRESS]");
            if !left_out {
                due.push(Due::of(&answer, Way::Reply, what, &reader));
            }
        }
        if let Some(stream) = &case.stream {
            streams(&bench, &case, stream, &reader, &mut due).await;
        }
        check(&bench, &case, due, &mut seen).await;
    }
    compare(&table(&seen));
}

async fn requests(bench: &Bench, case: &Case, body: &Bytes, reader: &Reader, due: &mut Vec<Due>) {
    for (path, planted) in plantings(body, MARKER) {
        let what = format!("{} request {path}", case.name);
        bench.upstream.scripts.lock().unwrap().clear();
        bench.script(match (&case.stream, &case.reply) {
            (_, Some(reply)) => Script::json(reply.clone()),
            (Some(stream), None) => Script::sse(stream.clone()),
            (None, None) => unreachable!("checked by the caller"),
        });
        let before = bench.received().len();
        // What a refused request left.
        reader.shown();
        let answer = ask(bench, case, &planted).await;
        let received = bench.received();
        match received.get(before) {
            Some(up) => {
                let text = String::from_utf8(up.body.to_vec()).unwrap();
                assert!(!text.contains(MARKER), "{what} went upstream: {text}");
                due.push(Due::of(&answer, Way::Request, what, reader));
            }
            // Refused: a role, a type, an id that is not one. It went nowhere.
            None => assert!(
                answer.status.is_client_error(),
                "{what}: {} {}",
                answer.status,
                answer.text()
            ),
        }
    }
}

async fn streams(bench: &Bench, case: &Case, stream: &Bytes, reader: &Reader, due: &mut Vec<Due>) {
    let request = case.request.clone().unwrap_or_default();
    let events = Events::of(stream);
    // The next event goes on where this one ends. A blank ends the marker there: with a word behind it, `…exampleHeads`, it
    // would be no address, for no domain ends so.
    let planting = format!("{MARKER} ");
    for (number, data) in events.data() {
        for (path, planted) in plantings(data, &planting) {
            let what = format!("{} stream event {number} {path}", case.name);
            bench.upstream.scripts.lock().unwrap().clear();
            bench.script(Script::sse(events.with(number, planted)));
            let answer = ask(bench, case, &request).await;
            assert_eq!(
                answer.header("content-type"),
                "text/event-stream",
                "{what}: {}",
                answer.text()
            );
            assert!(
                !answer.text().contains(MARKER),
                "{what} came through: {}",
                answer.text()
            );
            due.push(Due::of(&answer, Way::Stream, what, reader));
        }
    }
}

fn table(seen: &Seen) -> String {
    let mut out = String::from(
        "# Coverage\n\nEvery string of a body is on the surface and is inspected. This table is written by the coverage proof\n\
         (`crates/proxy/tests/it/coverage.rs`): it plants a marker in every string leaf of recorded exchanges and lists the channels\n\
         on which it was found, and after redaction gone. `unknown` is what a dialect does not know; it is inspected at the strictest setting.\n\n\
         | endpoint | way | channels |\n|---|---|---|\n",
    );
    for ((endpoint, way), channels) in seen {
        let way = match way {
            Way::Request => "request",
            Way::Reply => "reply, buffered",
            Way::Stream => "reply, streamed",
        };
        let channels: Vec<_> = channels.iter().copied().collect();
        let _ = writeln!(out, "| `{endpoint}` | {way} | {} |", channels.join(", "));
    }
    out
}

/// Compares with the page in the documentation, or writes it where `UPDATE` is set.
fn compare(text: &str) {
    let page = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/coverage.md");
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&page, text).unwrap();
    }
    let written = std::fs::read_to_string(&page).unwrap_or_default();
    assert_eq!(
        written, text,
        "docs/coverage.md is not what was seen; run the test with UPDATE=1"
    );
}
