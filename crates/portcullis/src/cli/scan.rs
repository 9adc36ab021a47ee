//! `portcullis scan`: a text in, findings out. What is scanned goes nowhere and is kept nowhere.

use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;

use portcullis_core::{Channel, Decision};
use portcullis_policy::Profile;
use serde::Deserialize;
use serde_json::{Value, json};

use super::out::{Out, printable, table};
use super::state::{configured, inspector};
use super::{Failure, Outcome};
use crate::config::{Config, Source};
use crate::models::OwnModel;
use crate::scan::{Scanned, Scanner};

/// What is asked.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The text; standard input if it is `-` or not given
    file: Option<PathBuf>,
    /// The profile that decides
    #[arg(long, default_value = "default")]
    profile: String,
    /// Where the text would stand: user, system, assistant, document, email, code, tool_result, …
    #[arg(long, default_value = "user", value_parser = channel)]
    channel: Channel,
    /// Texts as JSON, one a line, as {"id","text","channel"}; answers likewise, in the same order
    #[arg(long)]
    jsonl: bool,
    /// The answer as one JSON value
    #[arg(long, conflicts_with = "jsonl")]
    json: bool,
}

/// The channel of that name.
pub(super) fn channel(name: &str) -> Result<Channel, String> {
    Channel::from_name(name).ok_or_else(|| {
        let known: Vec<&str> = Channel::ALL.iter().map(|channel| channel.name()).collect();
        format!("there are {}", known.join(", "))
    })
}

/// Scans.
pub fn run(args: &Args, source: &Source) -> Result<Outcome, Failure> {
    let scanner = scanner(&args.profile, source)?;
    let (input, name): (Box<dyn Read>, String) = match &args.file {
        Some(path) if path.as_os_str() != "-" => {
            let name = path.display().to_string();
            let file = std::fs::File::open(path)
                .map_err(|error| Failure::said(format!("cannot read {name}: {error}")))?;
            (Box::new(file), name)
        }
        _ => (Box::new(std::io::stdin()), "standard input".to_owned()),
    };
    if args.jsonl {
        return lines(
            &scanner,
            BufReader::with_capacity(READ, input),
            &name,
            args.channel,
        );
    }
    let text = whole(input, &name)?;
    let scanned = scanner.scan(&text, args.channel);
    let mut out = Out::new();
    if args.json {
        out.json(&answer(&scanned, &text))?;
    } else {
        tell(&mut out, &scanned, &text)?;
    }
    out.end(outcome(&scanned))
}

/// A scanner with the configured rules, under the profile of that name.
pub(super) fn scanner(name: &str, source: &Source) -> Result<Scanner, Failure> {
    let config = configured(source)?;
    let profile = profile(name, &config)?;
    let model = profile.injection.model.as_deref();
    let model = config
        .models
        .iter()
        .find(|known| Some(known.name.as_str()) == model);
    let classifier = model.map(OwnModel::open).transpose();
    let classifier = classifier.map_err(|error| Failure::said(error.to_string()))?;
    Ok(Scanner::new(inspector(&config)?, profile).with_classifier(classifier))
}

fn profile(name: &str, config: &Config) -> Result<Profile, Failure> {
    let written = config
        .settings
        .profiles
        .iter()
        .find(|profile| profile.name.as_ref() == name);
    match written {
        Some(profile) => Ok(profile.clone()),
        None if name == "default" => Ok(Profile::default()),
        None => {
            let known: Vec<&str> = config.profiles().collect();
            Err(Failure::said(format!(
                "there is no profile `{}`; there are {}",
                printable(name),
                known.join(", ")
            )))
        }
    }
}

fn whole(mut input: impl Read, name: &str) -> Result<String, Failure> {
    let mut bytes = Vec::new();
    input
        .read_to_end(&mut bytes)
        .map_err(|error| Failure::said(format!("cannot read {name}: {error}")))?;
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        Failure::said(format!("{name} is not UTF-8 (byte {at})"))
    })
}

const fn outcome(scanned: &Scanned) -> Outcome {
    if scanned.findings.is_empty() {
        Outcome::Done
    } else {
        Outcome::Findings
    }
}

/// How much of `--jsonl` is read at once.
const READ: usize = 64 << 10;

/// One line of `--jsonl`. Other fields (labels, sources) are the corpus's own and are not read.
#[derive(Deserialize)]
struct Line {
    #[serde(default)]
    id: Value,
    text: String,
    channel: Option<String>,
}

/// Answers line by line. What was asked is answered before it waits for more, so that a program can keep a scanner
/// running at the other end of a pipe; while there is more, answers are gathered.
fn lines(
    scanner: &Scanner,
    mut input: BufReader<impl Read>,
    name: &str,
    otherwise: Channel,
) -> Result<Outcome, Failure> {
    let mut out = Out::new();
    let mut worst = Outcome::Done;
    let mut line = String::new();
    for number in 1usize.. {
        let wrong = |what: &dyn std::fmt::Display| Failure::said(format!("{name}:{number}: {what}"));
        if !input.buffer().contains(&b'\n') {
            out.flush()?;
        }
        line.clear();
        if input.read_line(&mut line).map_err(|error| wrong(&error))? == 0 {
            break;
        }
        if line.trim().is_empty() {
            continue;
        }
        let line: Line = serde_json::from_str(&line).map_err(|error| wrong(&error))?;
        let place = match &line.channel {
            Some(name) => {
                channel(name).map_err(|known| wrong(&format!("no channel `{}`; {known}", printable(name))))?
            }
            None => otherwise,
        };
        let scanned = scanner.scan(&line.text, place);
        if outcome(&scanned) == Outcome::Findings {
            worst = Outcome::Findings;
        }
        let mut value = answer(&scanned, &line.text);
        if let Value::Object(map) = &mut value {
            map.shift_insert(0, "id".to_owned(), line.id);
        }
        out.json(&value)?;
    }
    out.end(worst)
}

fn answer(scanned: &Scanned, text: &str) -> Value {
    let mut points = CodePoints::of(text);
    let findings: Vec<Value> = scanned
        .findings
        .iter()
        .map(|(finding, ruling)| {
            json!({
                "type": finding.kind.as_str(),
                "start": points.before(finding.span.start),
                "end": points.before(finding.span.end),
                "score": rounded(finding.score),
                "action": ruling.action,
            })
        })
        .collect();
    json!({
        "decision": scanned.decision.name(),
        "score": rounded(scanned.score),
        "findings": findings,
        "redacted": scanned.redacted,
    })
}

/// Four digits are all that a score means; the rest would be noise of its conversion from `f32`.
fn rounded(score: f32) -> f64 {
    (f64::from(score) * 10_000.0).round() / 10_000.0
}

fn tell(out: &mut Out, scanned: &Scanned, text: &str) -> Result<(), Failure> {
    if scanned.findings.is_empty() {
        out.line("nothing found")?;
        return Ok(());
    }
    let mut points = CodePoints::of(text);
    let mut rows = table(&["FOUND", "FROM", "TO", "SCORE", "ACTION", "BECAUSE OF"]);
    for (finding, ruling) in &scanned.findings {
        let action = serde_json::to_value(ruling.action)?;
        rows.add_row([
            finding.kind.to_string(),
            points.before(finding.span.start).to_string(),
            points.before(finding.span.end).to_string(),
            format!("{:.2}", finding.score),
            action.as_str().unwrap_or_default().to_owned(),
            ruling.rule.to_string(),
        ]);
    }
    out.table(&rows)?;
    out.line("")?;
    out.line(format_args!("decision: {}", scanned.decision.name()))?;
    if scanned.decision == Decision::Redact {
        out.line("what would be sent:")?;
        out.line(
            scanned
                .redacted
                .lines()
                .map(printable)
                .collect::<Vec<_>>()
                .join("\n"),
        )?;
    }
    Ok(())
}

/// Counts code points before a byte. Bytes are asked for nearly in order, so it goes on from the last answer.
struct CodePoints<'a> {
    text: &'a str,
    byte: usize,
    count: usize,
}

impl<'a> CodePoints<'a> {
    fn of(text: &'a str) -> CodePoints<'a> {
        CodePoints {
            text,
            byte: 0,
            count: 0,
        }
    }

    fn before(&mut self, byte: usize) -> usize {
        let between =
            |from: usize, to: usize| self.text.get(from..to).map_or(0, |piece| piece.chars().count());
        self.count = if byte >= self.byte {
            self.count.saturating_add(between(self.byte, byte))
        } else {
            self.count.saturating_sub(between(byte, self.byte))
        };
        self.byte = byte;
        self.count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_are_code_points_also_when_asked_out_of_order() {
        let text = "aé漢😀z";
        let mut points = CodePoints::of(text);
        let starts: Vec<usize> = text.char_indices().map(|(byte, _)| byte).collect();
        for (count, byte) in starts.iter().enumerate() {
            assert_eq!(points.before(*byte), count);
        }
        assert_eq!(points.before(text.len()), 5);
        assert_eq!(points.before(3), 2);
        assert_eq!(points.before(0), 0);
    }
}
