//! Finds, never decides: every text of the request through the detectors of its place.

use std::cell::Cell;
use std::time::{Duration, Instant};

use futures_util::stream::{self, StreamExt as _};
use portcullis_core::{Channel, Direction, Located, Part, PartId, Span};
use portcullis_dialect::Reading;
use portcullis_inspect::{Asked as Posed, Opinion, Question, Rate};
use portcullis_policy::{Ask, FalsePositives, Injection, refuses};

use super::pace::Paced;
use super::parse::Asked;
use crate::Gateway;
use crate::gateway::Guard;
use crate::judge::{Judged, judged};
use crate::record::Record;

/// A request whose every text has been read by the detectors.
pub(crate) struct Inspected {
    asked: Asked,
    reading: Reading,
    findings: Vec<Located>,
    /// What was found in the words that go upstream besides the body.
    outside: Vec<Located>,
}

impl Inspected {
    pub(super) fn into_parts(self) -> (Asked, Reading, Vec<Located>, Vec<Located>) {
        (self.asked, self.reading, self.findings, self.outside)
    }
}

/// How many texts of a request a judge is asked about at once.
const QUESTIONS: usize = 8;

/// The score of what a judge takes for an attack.
const CONVICTED: f32 = 0.9;

/// Bodies above this are scanned where they do not hold up other requests.
const LARGE: usize = 256 * 1024;

pub(super) async fn inspect(gw: &Gateway, request: Paced, record: &mut Record) -> Inspected {
    let (asked, reading) = request.into_parts();
    let scanned = scan_input(gw, &asked.guard, &reading, record);
    let findings = scanned.classified(gw, &asked.guard, &reading).await;
    let outside = scan_outside(gw, &asked, record);
    record.left("inspect_input");
    Inspected {
        asked,
        reading,
        findings,
        outside,
    }
}

/// Reads the words that go upstream in the path, the query and the headers. They are few and of few characters, yet a name
/// or a key can stand in them, and they are on no body's surface.
fn scan_outside(gw: &Gateway, asked: &Asked, record: &mut Record) -> Vec<Located> {
    let channel = Channel::Identifier;
    let selection = asked.guard.selection(Direction::Input, channel, channel.origin());
    let headers = asked
        .passed
        .headers
        .values()
        .filter_map(|value| value.to_str().ok());
    let query = asked.passed.query.split(['&', '=']);
    let words = asked
        .parameters
        .iter()
        .map(String::as_str)
        .chain(query)
        .chain(headers);
    let mut found = Vec::new();
    for word in words.filter(|word| !word.is_empty()) {
        record.inspected(1, word.len() as u64);
        gw.inspector.scan(word, channel, selection, &mut found);
    }
    let locate = |finding| Located {
        part: PartId(0),
        channel,
        origin: channel.origin(),
        finding,
        piece: 0,
    };
    found.into_iter().map(locate).collect()
}

/// What detectors found in what a model will read. What was found comes out by [`Scanned::classified`] alone: whoever reads an input cannot
/// leave the classifier out.
#[must_use]
pub(crate) struct Scanned(Vec<Located>);

/// Runs the detectors over what a model will read.
pub(crate) fn scan_input(gw: &Gateway, guard: &Guard, reading: &Reading, record: &mut Record) -> Scanned {
    Scanned(scan(gw, guard, Direction::Input, reading, record))
}

impl Scanned {
    /// All findings, with what the classifier says. Where rules refuse the request by themselves it is not asked: it could change nothing, and
    /// a flood of known attacks costs no more than their rules.
    pub async fn classified(self, gw: &Gateway, guard: &Guard, reading: &Reading) -> Vec<Located> {
        let Scanned(mut findings) = self;
        if !refuses(&guard.profile, Direction::Input, &findings) {
            findings.extend(classified(gw, guard, reading).await);
        }
        findings
    }
}

/// Asks the profile's classifier and its judge about every text that the rules would have them read, for as long as they may take. A
/// text that they did not come to is a finding as well: what becomes of it is the policy's affair.
async fn classified(gw: &Gateway, guard: &Guard, reading: &Reading) -> Vec<Located> {
    let injection = &guard.profile.injection;
    if guard.classifier.is_none() && injection.judge.is_none() {
        return Vec::new();
    }
    let selection = |part: &Part<'_>| guard.selection(Direction::Input, part.channel, part.origin);
    let asked = gw.inspector.asked(reading.parts(), selection);
    let opinions = match &guard.classifier {
        None => Vec::new(),
        Some(pool) => {
            let until = Instant::now() + Duration::from_millis(injection.deadline_ms.into());
            let rate = rate_asked(injection);
            let questions = asked.iter().map(|asked| Question {
                text: &asked.text,
                channel: asked.channel,
                rate,
            });
            pool.opinions(questions, until).await
        }
    };
    let opinions = opinions.into_iter().map(Some).chain(std::iter::repeat(None));
    let patience = injection.judge.as_ref().map_or(0, |judge| judge.timeout_ms);
    let until = Instant::now() + Duration::from_millis(patience.into());
    let mut deciding = Vec::with_capacity(asked.len());
    for (asked, opinion) in asked.iter().zip(opinions) {
        deciding.push(decided(gw, guard, asked, opinion, until));
    }
    let said: Vec<Said> = stream::iter(deciding).buffered(QUESTIONS).collect().await;
    let mut located = Vec::new();
    for (asked, said) in asked.iter().zip(said) {
        match said {
            Said::Attack(opinion) => located.extend(gw.inspector.classified(asked, &opinion)),
            Said::Nothing => {}
            Said::Unread => located.extend(gw.inspector.unclassified(asked)),
        }
    }
    located
}

/// The rate at which a classifier's word is an attack.
fn rate(injection: &Injection) -> Rate {
    match injection.false_positives {
        FalsePositives::Hundredth => Rate::Hundredth,
        FalsePositives::Thousandth => Rate::Thousandth,
    }
}

/// The rate at which a classifier is asked: where its doubts call a judge, that from which on it doubts.
fn rate_asked(injection: &Injection) -> Rate {
    let doubts = injection
        .judge
        .as_ref()
        .is_some_and(|judge| judge.ask == Ask::Doubtful);
    if doubts { Rate::Hundredth } else { rate(injection) }
}

/// What classifier and judge come to.
enum Said {
    Attack(Opinion),
    Nothing,
    Unread,
}

/// `opinion`: nothing where there is no classifier, and nothing in it where the classifier did not come to an end.
/// `until`: how long a judge is waited for.
async fn decided(
    gw: &Gateway,
    guard: &Guard,
    asked: &Posed<'_>,
    opinion: Option<Option<Opinion>>,
    until: Instant,
) -> Said {
    let injection = &guard.profile.injection;
    let over = |opinion: &Opinion, rate| {
        let pool = guard.classifier.as_ref();
        pool.is_some_and(|pool| opinion.score >= pool.threshold(asked.channel, rate))
    };
    let rate = rate(injection);
    let alone = match &opinion {
        Some(Some(opinion)) if over(opinion, rate) => Said::Attack(*opinion),
        Some(None) => Said::Unread,
        _ => Said::Nothing,
    };
    let Some(judge) = &injection.judge else {
        return alone;
    };
    // What is almost certainly an attack needs no judge.
    let known = opinion.flatten();
    let is_certain = known.is_some_and(|known| over(&known, Rate::Thousandth));
    let is_doubtful = known.is_some_and(|known| over(&known, Rate::Hundredth));
    if is_certain || judge.ask == Ask::Doubtful && !is_doubtful {
        return alone;
    }
    let asking = judged(
        gw,
        (&guard.profile.name, judge),
        (&asked.text, asked.channel),
        until,
    );
    match (asking.await, judge.ask) {
        (Judged::Attack(attempt), _) => Said::Attack(Opinion {
            score: known.map_or(CONVICTED, |known| known.score.max(CONVICTED)),
            attempt,
            span: known.map_or(Span::new(0, asked.text.len()), |known| known.span),
        }),
        (Judged::Harmless, _) => Said::Nothing,
        (Judged::Silent, Ask::Doubtful) => alone,
        (Judged::Silent, Ask::All) => match alone {
            Said::Attack(opinion) => Said::Attack(opinion),
            _ => Said::Unread,
        },
    }
}

/// What detectors find in what a model wrote. No classifier of inputs reads it.
pub(crate) fn read_output(
    gw: &Gateway,
    guard: &Guard,
    reading: &Reading,
    record: &mut Record,
) -> Vec<Located> {
    scan(gw, guard, Direction::Output, reading, record)
}

/// Runs the detectors over a surface.
fn scan(
    gw: &Gateway,
    guard: &Guard,
    direction: Direction,
    reading: &Reading,
    record: &mut Record,
) -> Vec<Located> {
    let (texts, bytes, said) = (Cell::new(0u64), Cell::new(0u64), Cell::new(0u64));
    let run = || {
        gw.inspector.inspect(reading.parts(), |part| {
            texts.set(texts.get().saturating_add(1));
            let length = part.text.len() as u64;
            bytes.set(bytes.get().saturating_add(length));
            if is_said(direction, part.channel) {
                said.set(said.get().saturating_add(length));
            }
            guard.selection(direction, part.channel, part.origin)
        })
    };
    let several_workers = tokio::runtime::Handle::try_current()
        .is_ok_and(|handle| handle.runtime_flavor() == tokio::runtime::RuntimeFlavor::MultiThread);
    let large = reading.document().bytes().len() > LARGE;
    let findings = if large && several_workers {
        tokio::task::block_in_place(run)
    } else {
        run()
    };
    record.inspected(texts.get(), bytes.get());
    record.said(said.get());
    findings
}

/// Whether a text is one that a model wrote just now.
fn is_said(direction: Direction, channel: Channel) -> bool {
    let of_model = matches!(
        channel,
        Channel::Assistant | Channel::Reasoning | Channel::Refusal | Channel::ToolCall
    );
    direction == Direction::Output && of_model
}
