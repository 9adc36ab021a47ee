//! Standard output, and how a command ends. A reader that goes away early (`| head`) is not a failure.

use std::fmt::Display;
use std::io::{self, BufWriter, StdoutLock, Write};
use std::process::ExitCode;

use comfy_table::{ContentArrangement, Table, presets};

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// As asked.
    Done,
    /// Something was found in a text: exit 3.
    Findings,
    /// The audit log was changed by somebody: exit 4.
    Tampered,
}

impl From<Outcome> for ExitCode {
    fn from(outcome: Outcome) -> ExitCode {
        match outcome {
            Outcome::Done => ExitCode::SUCCESS,
            Outcome::Findings => ExitCode::from(3),
            Outcome::Tampered => ExitCode::from(4),
        }
    }
}

/// Why a command did not end as asked.
#[derive(Debug)]
pub enum Failure {
    /// Whoever read the output went away. Not worth a word.
    Quiet,
    /// What to tell, ready to print.
    Said(String),
}

impl Failure {
    /// A failure that says what went wrong and what to do, in one line.
    pub fn said(message: impl Display) -> Failure {
        Failure::Said(format!("error: {message}"))
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Failure {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Failure::Quiet,
            _ => Failure::said(error),
        }
    }
}

impl From<serde_json::Error> for Failure {
    fn from(error: serde_json::Error) -> Failure {
        Failure::from(io::Error::from(error))
    }
}

impl From<crate::config::ConfigError> for Failure {
    fn from(error: crate::config::ConfigError) -> Failure {
        match error {
            wrong @ crate::config::ConfigError::Wrong { .. } => Failure::Said(wrong.to_string()),
            other => Failure::said(other),
        }
    }
}

impl From<portcullis_store::StoreError> for Failure {
    fn from(error: portcullis_store::StoreError) -> Failure {
        Failure::said(error)
    }
}

impl From<portcullis_inspect::RuleError> for Failure {
    fn from(error: portcullis_inspect::RuleError) -> Failure {
        Failure::said(error)
    }
}

/// Standard output, buffered until the end.
pub struct Out(BufWriter<StdoutLock<'static>>);

impl Out {
    /// Takes standard output.
    pub fn new() -> Out {
        Out(BufWriter::new(io::stdout().lock()))
    }

    /// One line.
    pub fn line(&mut self, text: impl Display) -> io::Result<()> {
        writeln!(self.0, "{text}")
    }

    /// A table, without blanks at the ends of its lines.
    pub fn table(&mut self, table: &Table) -> io::Result<()> {
        self.line(table.trim_fmt())
    }

    /// One value as a line of JSON.
    pub fn json(&mut self, value: &serde_json::Value) -> io::Result<()> {
        self.line(value)
    }

    /// Hands over what is buffered.
    pub fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }

    /// Hands over what is buffered and ends the command.
    pub fn end(mut self, outcome: Outcome) -> Result<Outcome, Failure> {
        self.0.flush()?;
        Ok(outcome)
    }
}

/// A table for people: plain, no frame, as wide as the terminal.
pub fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    if let Some((terminal_size::Width(width), _)) = terminal_size::terminal_size() {
        table
            .set_content_arrangement(ContentArrangement::Dynamic)
            .set_width(width);
    }
    table.set_header(header);
    table
}

/// A text from outside, safe to print: control characters would let a stored name move a terminal's cursor.
pub fn printable(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect()
}

/// So many of something, as people say it.
pub fn counted(count: usize, thing: &str) -> String {
    match count {
        1 => format!("1 {thing}"),
        count => format!("{count} {thing}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_one() {
        let told: Vec<String> = (0..3).map(|count| counted(count, "rule")).collect();
        assert_eq!(told, ["0 rules", "1 rule", "2 rules"]);
    }
}
