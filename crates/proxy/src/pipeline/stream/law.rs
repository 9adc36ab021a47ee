//! The law of streams at scale, on the engine itself: random texts in every dialect, several choices at once, tool calls and masked
//! values among them, cut at random. What leaves of each text is what redacting it as a whole gives, and no planted value is anywhere in
//! the bytes that left. As nothing that left can be taken back, no beginning of a value left either.
//!
//! `PORTCULLIS_CASES=1000000` says how many cuts, `PORTCULLIS_SEED` which; `PORTCULLIS_TEXTS` names files of JSON lines (`.gz` too)
//! whose `text` members are streamed through every dialect, a word or less at a time. Whether findings are right is not asked here.

use std::collections::{BTreeMap, VecDeque};
use std::io::Read as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use portcullis_core::{Channel, Direction, Finding, KeyId, Lane, Located, PartId, Principal};
use portcullis_dialect::{Body, Document, Frames, Reading, apply, quoted};
use portcullis_inspect::{Inspector, Selection, Window};
use portcullis_policy::{Links, Profile};
use portcullis_store::{AuditLog, Keyring, Meters};

mod dice;
mod wires;

use self::dice::Dice;
use self::wires::{Part, WIRES, Wire, weave};
use super::engine::{Engine, Instructions, Stop};
use super::verdict::{judge, judge_at_end};
use crate::gateway::Guard;
use crate::masks::{Masks, lies_in};
use crate::pipeline::deliver::restore;
use crate::pipeline::inserted::Inserted;
use crate::record::Record;
use crate::{Client, Gateway, Kept, Metrics, Repeats, Services, Settings, Turns, enforce};

/// Streams of one text before the next one is made.
const CUTS: u64 = 8;

struct Bench {
    gateway: Arc<Gateway>,
    guards: Vec<Arc<Guard>>,
    owner: Arc<Principal>,
    _dir: tempfile::TempDir,
}

impl Bench {
    async fn new() -> Bench {
        let dir = tempfile::tempdir().unwrap();
        let store = portcullis_store::open(&format!("sqlite:{}", dir.path().join("state.db").display()))
            .await
            .unwrap();
        let signing = portcullis_store::load_or_create_signing_key(&dir.path().join("audit.key")).unwrap();
        let (owner, _) = store
            .create_key(portcullis_store::NewKey::named("law"), 1)
            .await
            .unwrap();
        let services = Services {
            keyring: Arc::new(Keyring::load(Arc::clone(&store)).await.unwrap()),
            meters: Arc::new(Meters::new()),
            audit: Arc::new(AuditLog::open(Arc::clone(&store), signing, None).await.unwrap()),
            store,
            client: Client::new(std::time::Duration::from_secs(1)),
            metrics: Arc::new(Metrics::new()),
            mask_key: [5; 16],
            kept: Kept::default(),
            turns: Turns::default(),
            repeats: Repeats::default(),
            approvals: portcullis_store::ApprovalKey::new([9; 32]),
            identity: crate::Identity::default(),
            mcp: crate::Mcp::default(),
        };
        let strict = Profile {
            name: "strict".into(),
            links: Some(Links::default()),
            ..Profile::default()
        };
        let settings = Settings {
            profiles: vec![Profile::default(), strict],
            ..Settings::default()
        };
        let inspector = Arc::new(Inspector::built_in().unwrap().with_cache([7; 16], 1 << 20));
        let gateway = Arc::new(Gateway::new(settings, inspector, Arc::new(services)).unwrap());
        Bench {
            guards: ["default", "strict"]
                .map(|name| Arc::clone(&gateway.profiles[name]))
                .to_vec(),
            owner: Arc::new(owner.principal.clone()),
            gateway,
            _dir: dir,
        }
    }

    fn masks(&self, values: &[String]) -> (Masks, Vec<String>) {
        let mut masks = Masks::new([5; 16], &KeyId::from_text("owner"), false);
        let placeholders = values
            .iter()
            .map(|value| masks.placeholder("EMAIL_ADDRESS", value).to_owned())
            .collect();
        (masks, placeholders)
    }

    /// What a text is as a whole; nothing where it is refused.
    fn whole(
        &self,
        guard: &Guard,
        masks: &Masks,
        channel: Channel,
        text: &str,
        record: &mut Record,
    ) -> Option<String> {
        if channel == Channel::ToolCall {
            let judged = judge_at_end(
                &self.gateway,
                guard,
                masks,
                None,
                (Channel::ToolCall, text),
                record,
            )
            .ok()?;
            return Some(judged.unwrap_or_else(|| text.to_owned()));
        }
        let reading = Reading::whole(Document::read(Bytes::from(quoted(text))).unwrap(), channel);
        let mut found = Vec::new();
        let selection = guard.selection(Direction::Output, channel, channel.origin());
        let inspector = &self.gateway.inspector;
        let mut window = Window::new(channel, selection.clone());
        let gone = window.push(inspector, text, &mut found).ok()?;
        window.finish(inspector, &mut found);
        let (held, late) = hindsight(inspector, selection, masks, channel, text, (gone, &found));
        found.extend(held);
        let locate = |finding| Located {
            part: PartId(0),
            channel,
            origin: channel.origin(),
            finding,
            piece: 0,
        };
        let mut found: Vec<Located> = found.into_iter().map(locate).collect();
        masks.spare(&reading, &mut found);
        let verdict = judge(guard, &found, &[]);
        let late: Vec<Located> = late.into_iter().map(locate).collect();
        if verdict.refusal.is_some() || judge(guard, &late, &[]).refusal.is_some() {
            return None;
        }
        let mut edits = enforce::edits(&reading, &found, &verdict.rulings, None);
        let mut rulings = verdict.rulings.iter();
        found.retain(|_| rulings.next().is_some_and(|ruling| ruling.action.changes_text()));
        edits.extend(restore(&reading, &found, masks, |_| true));
        let document = Document::read(apply(reading.document().bytes(), edits)).unwrap();
        Some(document.text(document.root()).to_owned())
    }

    /// What leaves of a stream: its bytes, and the text of each lane.
    fn through(
        &self,
        wire: Wire,
        guard: &Arc<Guard>,
        masks: Masks,
        pieces: &[&[u8]],
        record: &mut Record,
    ) -> Result<(Vec<u8>, BTreeMap<Lane, String>), Stop> {
        let exchange = wire.exchange();
        let maker = (Arc::clone(&self.owner), "upstream".to_owned());
        let nothing = Instructions {
            confided: None,
            inserted: Inserted::Nothing,
            prompt: "".into(),
            repeats: false,
            terms: None,
            calls: None,
            asked_usage: false,
        };
        let mut engine = Engine::new(
            Arc::clone(&self.gateway),
            exchange,
            Arc::clone(guard),
            (masks, Vec::new()),
            nothing,
            maker,
        );
        let mut out = VecDeque::new();
        for piece in pieces {
            engine.push(piece, record, &mut out)?;
        }
        engine.finish(record, &mut out)?;
        let left: Vec<u8> = out.iter().flat_map(|bytes| bytes.iter().copied()).collect();
        let (mut frames, mut all) = (Frames::new(), Vec::new());
        frames.push(&left, &mut all).unwrap();
        assert!(frames.finish().is_none());
        let mut said: BTreeMap<Lane, String> = BTreeMap::new();
        for data in all
            .into_iter()
            .filter_map(|frame| frame.data)
            .filter(|data| &data[..] != b"[DONE]")
        {
            let reading = Reading::of(Document::read(data).unwrap(), |place| {
                exchange.label(Body::Event, place)
            });
            for part in reading.parts().filter(|part| reading.is_delta(part.id)) {
                said.entry(part.lane.unwrap()).or_default().push_str(part.text);
            }
        }
        said.retain(|_, text| !text.is_empty());
        Ok((left, said))
    }
}

/// What only all views of a text that has ended show: where nothing of it is gone, and where some is.
fn hindsight(
    inspector: &Inspector,
    selection: &Selection,
    masks: &Masks,
    channel: Channel,
    text: &str,
    (gone, known): (usize, &[Finding]),
) -> (Vec<Finding>, Vec<Finding>) {
    let placeholders = masks.restorations(text);
    let pending = gone.min(masks.pending(text));
    let open = placeholders.iter().filter(|found| found.span.end > pending);
    let gone = open.map(|found| found.span.start).fold(pending, usize::min);
    let mut seen = Vec::new();
    inspector.scan_disguised(text, channel, selection, &mut seen);
    let is_known = |new: &Finding| {
        let same = |found: &Finding| found.kind == new.kind && found.span.overlaps(new.span);
        known.iter().any(same)
    };
    let is_own = |found: &Finding| {
        let value = text.get(found.span.start..found.span.end);
        value.is_some_and(|value| masks.is_own(found, value))
    };
    seen.retain(|found| !lies_in(found.span, &placeholders) && !is_own(found) && !is_known(found));
    seen.into_iter().partition(|finding| finding.span.start >= gone)
}

/// What is said in one stream: choice, part, text.
type Said = Vec<(u32, Part, String)>;

/// One set of texts in one dialect.
struct Case<'a> {
    bench: &'a Bench,
    wire: Wire,
    guard: &'a Arc<Guard>,
    /// Values that were masked.
    values: &'a [String],
    said: &'a Said,
    /// What is to leave of each; nothing where the stream is to be refused.
    expected: Option<&'a BTreeMap<Lane, String>>,
}

impl Case<'_> {
    /// Streams what is said, cut in a new way, and compares; the bytes that left.
    fn check(
        &self,
        cut: impl Fn(&mut Dice, &str) -> Vec<String>,
        dice: &mut Dice,
        record: &mut Record,
    ) -> Vec<u8> {
        let wire = self.wire;
        let mut choices: BTreeMap<u32, Vec<(Part, Vec<String>)>> = BTreeMap::new();
        for (choice, part, text) in self.said {
            choices.entry(*choice).or_default().push((*part, cut(dice, text)));
        }
        let (mut lines, mut finishes) = (Vec::new(), VecDeque::new());
        for (choice, parts) in &choices {
            let mut of = wire.lines(*choice, parts);
            // Some choices finish while others go on.
            match &mut of[..] {
                [line] => line.extend(wire.finish(*choice)),
                _ => finishes.extend(wire.finish(*choice)),
            }
            lines.extend(of);
        }
        let stream = weave(wire, lines, finishes, dice);
        let mut pieces = Vec::new();
        let mut rest = stream.as_bytes();
        while !rest.is_empty() {
            let (piece, more) = rest.split_at(rest.len().min(1 + dice.roll(700)));
            pieces.push(piece);
            rest = more;
        }
        let (masks, _) = self.bench.masks(self.values);
        let left = self.bench.through(wire, self.guard, masks, &pieces, record);
        match (left, self.expected) {
            (Ok((left, said)), Some(expected)) => {
                assert_eq!(&said, expected, "{wire:?}\n{stream}");
                left
            }
            (Err(Stop::Content), None) => Vec::new(),
            (Ok(_), None) => panic!("{wire:?}: what is refused as a whole has passed\n{stream}"),
            (Err(stop), _) => panic!("{wire:?}: {stop:?}\n{stream}"),
        }
    }
}

/// What leaves of each text as a whole; nothing where one of them is refused.
fn expected(
    bench: &Bench,
    wire: Wire,
    guard: &Guard,
    masks: &Masks,
    said: &Said,
    record: &mut Record,
) -> Option<BTreeMap<Lane, String>> {
    let mut expected = BTreeMap::new();
    for (choice, part, text) in said {
        let whole = bench.whole(guard, masks, part.channel(), text, record)?;
        if !whole.is_empty() {
            expected.insert(wire.lane(*choice, *part), whole);
        }
    }
    Some(expected)
}

fn number(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).map_or(otherwise, |number| number.parse().unwrap())
}

fn workers(run: impl Fn(u64) + Sync) {
    let count = number(
        "PORTCULLIS_THREADS",
        std::thread::available_parallelism().map_or(1, |count| count.get() as u64),
    );
    std::thread::scope(|scope| {
        for worker in 0..count {
            let run = &run;
            // One that fails fails the test at once: the others would go on for hours.
            scope.spawn(move || {
                if std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| run(worker))).is_err() {
                    std::process::exit(101);
                }
            });
        }
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn what_leaves_is_what_redacting_the_whole_gives() {
    let (cases, seed) = (number("PORTCULLIS_CASES", 400), number("PORTCULLIS_SEED", 1));
    let bench = Bench::new().await;
    let (begun, changed, refused) = (AtomicU64::new(0), AtomicU64::new(0), AtomicU64::new(0));
    let started = std::time::Instant::now();
    workers(|worker| {
        let mut record = Record::open(&bench.gateway).unwrap();
        let mut dice = Dice(
            0x9e37_79b9_7f4a_7c15 ^ (seed.wrapping_mul(31) + worker).wrapping_mul(0xff51_afd7_ed55_8ccd),
        );
        while begun.fetch_add(CUTS, Ordering::Relaxed) < cases {
            let wire = *dice.one(&WIRES);
            let guard = dice.one(&bench.guards);
            let values: Vec<String> = (0..dice.roll(3))
                .map(|number| format!("anna.{number}@example.org"))
                .collect();
            let (masks, mut placeholders) = bench.masks(&values);
            placeholders.extend(values.iter().cloned());
            let (mut planted, mut said) = (Vec::new(), Said::new());
            let choices = if wire == Wire::Messages {
                1
            } else {
                1 + dice.roll(4) as u32
            };
            for choice in 0..choices {
                for (part, odds) in [
                    (Part::Text, 1),
                    (Part::Thought, 3),
                    (Part::Call(0), 4),
                    (Part::Call(1), 5),
                ] {
                    if wire.has(part) && dice.roll(odds) == 0 {
                        let text = dice.text(&placeholders, &mut planted);
                        let text = match part {
                            Part::Call(_) if dice.roll(3) > 0 => {
                                format!(r#"{{"to":{},"n":1.50}}"#, quoted(&text))
                            }
                            _ => text,
                        };
                        said.push((choice, part, text));
                    }
                }
            }
            let expected = expected(&bench, wire, guard, &masks, &said, &mut record);
            let gone: Vec<&String> = match &expected {
                Some(expected) => {
                    let kept = |value: &&String| {
                        expected.values().any(|text| {
                            text.contains(quoted(value).trim_matches('"')) || text.contains(value.as_str())
                        })
                    };
                    planted.iter().filter(|value| !kept(value)).collect()
                }
                None => Vec::new(),
            };
            changed.fetch_add(u64::from(!gone.is_empty()) * CUTS, Ordering::Relaxed);
            refused.fetch_add(u64::from(expected.is_none()) * CUTS, Ordering::Relaxed);
            let case = Case {
                bench: &bench,
                wire,
                guard,
                values: &values,
                said: &said,
                expected: expected.as_ref(),
            };
            for _ in 0..CUTS {
                let left = case.check(Dice::cut, &mut dice, &mut record);
                let left = String::from_utf8(left).unwrap();
                for value in &gone {
                    assert!(
                        !left.contains(quoted(value).trim_matches('"')),
                        "{wire:?}: {value} has left\n{left}"
                    );
                }
            }
        }
    });
    let (changed, refused, seconds) = (
        changed.into_inner(),
        refused.into_inner(),
        started.elapsed().as_secs_f64(),
    );
    println_figures(&format!(
        "{cases} cuts in {seconds:.1} s; {changed} with values taken out, {refused} refused"
    ));
    assert!(changed > cases / 4, "{changed}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "it streams the files that PORTCULLIS_TEXTS names"]
async fn texts_of_files_leave_as_redacting_the_whole_gives() {
    let files = std::env::var("PORTCULLIS_TEXTS").unwrap();
    let mut texts: Vec<String> = Vec::new();
    for file in files.split(':') {
        let bytes = std::fs::read(file).unwrap();
        let mut lines = String::new();
        match file.ends_with(".gz") {
            true => flate2::read::MultiGzDecoder::new(&bytes[..])
                .read_to_string(&mut lines)
                .unwrap(),
            false => (&bytes[..]).read_to_string(&mut lines).unwrap(),
        };
        texts.extend(lines.lines().map(|line| {
            let document = Document::read(Bytes::copy_from_slice(line.as_bytes())).unwrap();
            document.str_at(&["text"]).unwrap().to_owned()
        }));
    }
    let bench = Bench::new().await;
    let guard = &bench.guards[0];
    let (next, streams, changed, refused) = (
        AtomicU64::new(0),
        AtomicU64::new(0),
        AtomicU64::new(0),
        AtomicU64::new(0),
    );
    let started = std::time::Instant::now();
    workers(|worker| {
        let mut record = Record::open(&bench.gateway).unwrap();
        let mut dice = Dice(0x9e37_79b9_7f4a_7c15 + worker);
        let (masks, _) = bench.masks(&[]);
        while let Some(text) = texts.get(next.fetch_add(1, Ordering::Relaxed) as usize) {
            for wire in WIRES {
                let parts = [Part::Text, Part::Thought, Part::Call(0)]
                    .into_iter()
                    .filter(|part| wire.has(*part));
                let said: Said = parts.map(|part| (0, part, text.clone())).collect();
                let expected = expected(&bench, wire, guard, &masks, &said, &mut record);
                let case = Case {
                    bench: &bench,
                    wire,
                    guard,
                    values: &[],
                    said: &said,
                    expected: expected.as_ref(),
                };
                case.check(Dice::tokens, &mut dice, &mut record);
                streams.fetch_add(1, Ordering::Relaxed);
                refused.fetch_add(u64::from(expected.is_none()), Ordering::Relaxed);
                let whole = expected.is_some_and(|expected| expected.values().all(|left| left == text));
                changed.fetch_add(u64::from(!whole), Ordering::Relaxed);
            }
        }
    });
    let (streams, changed, refused) = (streams.into_inner(), changed.into_inner(), refused.into_inner());
    println_figures(&format!(
        "{} texts in {streams} streams, {changed} of them changed and {refused} refused, in {:.1} s",
        texts.len(),
        started.elapsed().as_secs_f64()
    ));
}

#[allow(clippy::print_stdout, reason = "the figures are what these are run for")]
fn println_figures(figures: &str) {
    println!("{figures}");
}
