//! Labelled corpora: JSON lines, packed with gzip where the name ends in `.gz`. A row that cannot be read ends the
//! measurement with its file and line: a figure over half a corpus would look like one over the whole.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::sync::Arc;

use flate2::read::MultiGzDecoder;
use portcullis_core::{Channel, Span};
use serde::Deserialize;

/// What a text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Label {
    /// Harmless.
    Benign,
    /// Instructions that were smuggled in.
    Injection,
    /// A technique that is to make the model forget its rules.
    Jailbreak,
    /// An attempt at the system prompt.
    Extraction,
    /// A request for something harmful without any technique. It attacks nobody's instructions, so it counts on neither
    /// side.
    HarmfulRequest,
}

impl Label {
    /// Every label.
    pub const ALL: &'static [Label] = &[
        Label::Injection,
        Label::Jailbreak,
        Label::Extraction,
        Label::Benign,
        Label::HarmfulRequest,
    ];

    /// Its name in corpora.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Label::Benign => "benign",
            Label::Injection => "injection",
            Label::Jailbreak => "jailbreak",
            Label::Extraction => "extraction",
            Label::HarmfulRequest => "harmful_request",
        }
    }

    /// Whether such a text should be found.
    #[must_use]
    pub const fn is_attack(self) -> bool {
        matches!(self, Label::Injection | Label::Jailbreak | Label::Extraction)
    }
}

/// A labelled text.
#[derive(Clone, Debug)]
pub struct Row {
    /// Its name in the corpus.
    pub id: String,
    /// The text.
    pub text: String,
    /// Where it stands.
    pub channel: Channel,
    /// What it is, where the corpus is one of attacks.
    pub label: Option<Label>,
    /// Its language, as the corpus names it.
    pub lang: Option<Arc<str>>,
    /// The data set it comes from; the file's name where the row names none.
    pub source: Arc<str>,
    /// The kind of surroundings its values stand in, as the corpus names it.
    pub slice: Option<Arc<str>>,
    /// `secret` or `pii`, where the corpus says which of both it is about.
    pub kind: Option<Arc<str>>,
    /// The values in it, where the corpus is one of values; none of them is a finding of a text without.
    pub spans: Option<Vec<Gold>>,
    /// The file it stands in.
    pub file: Arc<str>,
}

/// A value that should be found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gold {
    /// What it is.
    pub kind: String,
    /// Where, in bytes.
    pub span: Span,
    /// Whether it may be found or not, as the corpus says.
    pub ignore: bool,
}

/// A row as written. Offsets count code points. What else stands there (licences, notes) is the corpus's own.
#[derive(Deserialize)]
struct Written {
    id: serde_json::Value,
    text: String,
    channel: Option<String>,
    label: Option<Label>,
    lang: Option<Arc<str>>,
    source: Option<Arc<str>>,
    slice: Option<Arc<str>>,
    kind: Option<Arc<str>>,
    spans: Option<Vec<WrittenSpan>>,
}

#[derive(Deserialize)]
struct WrittenSpan {
    start: usize,
    end: usize,
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    ignore: bool,
}

/// Reads a corpus. Rows that name no channel stand on `otherwise`.
///
/// # Errors
/// A message with file and line.
pub fn read(path: &Path, otherwise: Channel) -> Result<Vec<Row>, String> {
    let name: Arc<str> = path.display().to_string().into();
    let file = File::open(path).map_err(|error| format!("cannot read {name}: {error}"))?;
    let packed = path.extension().is_some_and(|ending| ending == "gz");
    let text: Box<dyn Read> = if packed {
        Box::new(MultiGzDecoder::new(BufReader::new(file)))
    } else {
        Box::new(file)
    };
    let mut rows = Vec::new();
    for (number, line) in (1usize..).zip(BufReader::new(text).lines()) {
        let wrong = |what: String| format!("{name}:{number}: {what}");
        let line = line.map_err(|error| wrong(error.to_string()))?;
        if !line.trim().is_empty() {
            rows.push(row(&line, &name, otherwise).map_err(wrong)?);
        }
    }
    Ok(rows)
}

fn row(line: &str, file: &Arc<str>, otherwise: Channel) -> Result<Row, String> {
    let written: Written = serde_json::from_str(line).map_err(|error| error.to_string())?;
    let channel = match &written.channel {
        None => otherwise,
        Some(name) => Channel::from_name(name).ok_or_else(|| format!("there is no channel `{name}`"))?,
    };
    if written.label.is_none() && written.spans.is_none() {
        return Err("has neither `label` nor `spans`: there is nothing to measure".to_owned());
    }
    let spans = match &written.spans {
        None => None,
        Some(spans) => Some(in_bytes(spans, &written.text)?),
    };
    let stem = || Path::new(&**file).file_name().and_then(|name| name.to_str());
    Ok(Row {
        id: match written.id {
            serde_json::Value::String(id) => id,
            other => other.to_string(),
        },
        channel,
        label: written.label,
        lang: written.lang,
        source: written
            .source
            .unwrap_or_else(|| stem().unwrap_or_default().into()),
        slice: written.slice,
        kind: written.kind,
        spans,
        text: written.text,
        file: Arc::clone(file),
    })
}

fn in_bytes(spans: &[WrittenSpan], text: &str) -> Result<Vec<Gold>, String> {
    let ends = std::iter::once(text.len());
    let bytes: Vec<usize> = text.char_indices().map(|(at, _)| at).chain(ends).collect();
    let byte = |point: usize| bytes.get(point).copied();
    let each = |span: &WrittenSpan| match (byte(span.start), byte(span.end)) {
        (Some(start), Some(end)) if start < end => Ok(Gold {
            kind: span.kind.clone(),
            span: Span::new(start, end),
            ignore: span.ignore,
        }),
        _ => Err(format!(
            "the span {}..{} is not in the text",
            span.start, span.end
        )),
    };
    spans.iter().map(each).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(line: &str) -> Result<Row, String> {
        row(line, &"folder/set.jsonl".into(), Channel::User)
    }

    #[test]
    fn rows() {
        let row =
            one(r#"{"id":"a","text":"x","label":"extraction","channel":"tool_result","extra":1}"#).unwrap();
        assert_eq!(
            (row.label, row.channel),
            (Some(Label::Extraction), Channel::ToolResult)
        );
        assert_eq!((&*row.source, row.id.as_str()), ("set.jsonl", "a"));
        let row = one(r#"{"id":7,"text":"aé漢b","spans":[{"start":1,"end":3,"type":"T"}]}"#).unwrap();
        assert_eq!(row.spans.unwrap()[0].span, Span::new(1, 6));
    }

    #[test]
    fn what_cannot_be_measured_is_refused() {
        for (line, says) in [
            (r#"{"id":"a","text":"x","label":"odd"}"#, "odd"),
            (
                r#"{"id":"a","text":"x","label":"benign","channel":"radio"}"#,
                "no channel `radio`",
            ),
            (r#"{"id":"a","text":"x"}"#, "nothing to measure"),
            (
                r#"{"id":"a","text":"x","spans":[{"start":0,"end":2,"type":"T"}]}"#,
                "0..2",
            ),
            (
                r#"{"id":"a","text":"x","spans":[{"start":1,"end":1,"type":"T"}]}"#,
                "1..1",
            ),
        ] {
            let error = one(line).unwrap_err();
            assert!(error.contains(says), "{line}: {error}");
        }
    }

    #[test]
    fn every_label_has_its_name() {
        for label in Label::ALL {
            let read: Label = serde_json::from_value(label.name().into()).unwrap();
            assert_eq!(read, *label);
        }
    }
}
