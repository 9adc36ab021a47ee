//! `portcullis eval`: detection measured on labelled corpora. Tables for people, `--json` for programs.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;

use comfy_table::{CellAlignment, Table};
use portcullis_core::{Channel, Family};
use portcullis_inspect::Rule;

use super::out::{Out, printable, table};
use super::progress::Progress;
use super::scan::{channel, scanner};
use super::{Failure, Outcome};
use crate::config::Source;
use crate::eval::{FamilyScore, Group, Label, Rate, Report, Score, Texts, Wanted, Wrong, read, scan};

/// Fewer texts of a language or a channel than these say nothing of it.
const FEW: usize = 20;

/// The columns of a table of groups behind its first.
const COLUMNS: [&str; 13] = [
    "N", "ATTACKS", "BLOCKED", "95 %", "FOUND", "AT 1 %", "AT 0.1 %", "BENIGN", "BLOCKED", "95 %", "FOUND",
    "P50 MS", "P99 MS",
];

/// What is asked.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Labelled texts, one JSON value a line: {"id","text","label","channel","lang","source"} with the labels benign,
    /// injection, jailbreak, extraction and harmful_request, or {"id","text","spans":[{"start","end","type"}]} for
    /// secrets and personal data. Packed with gzip if the name ends in .gz
    #[arg(required = true, value_name = "CORPUS.jsonl")]
    corpora: Vec<PathBuf>,
    /// The profile that decides
    #[arg(long, default_value = "default")]
    profile: String,
    /// Where texts stand that do not say so themselves
    #[arg(long, default_value = "user", value_parser = channel)]
    channel: Channel,
    /// Write everything down as one JSON value
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// List so many wrongly judged texts of each label
    #[arg(long, value_name = "N", default_value_t = 0)]
    errors: usize,
    /// With their words
    #[arg(long, requires = "errors")]
    show_text: bool,
    /// Types that count as neither required nor wrong
    #[arg(long, value_name = "TYPE,…", value_delimiter = ',')]
    drop_types: Vec<String>,
    /// Scan on so many cores; all of them if not given
    #[arg(long, value_name = "N")]
    cores: Option<usize>,
}

/// Measures.
pub fn run(args: &Args, source: &Source) -> Result<Outcome, Failure> {
    let scanner = scanner(&args.profile, source)?;
    let mut rows = Vec::new();
    for corpus in &args.corpora {
        rows.extend(read(corpus, args.channel).map_err(Failure::said)?);
    }
    if rows.is_empty() {
        return Err(Failure::said("there is no text in the corpora"));
    }
    // A running gateway has long done so; the first texts would otherwise be told as slow.
    scanner.prepare();
    let mut progress = Progress::new("texts", rows.len());
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let outcomes = scan(&scanner, &rows, args.cores.unwrap_or(cores), |done| {
        progress.show(done);
    });
    drop(progress);
    let families: HashMap<&str, Family> = scanner
        .rules()
        .iter()
        .map(|rule: &Rule| (rule.id().as_str(), rule.family()))
        .collect();
    let wanted = Wanted {
        errors: args.errors,
        show_text: args.show_text,
        dropped: args.drop_types.iter().cloned().collect(),
    };
    let report = Report::new(&rows, &outcomes, &|name| families.get(name).copied(), &wanted);
    if let Some(path) = &args.json {
        let written = serde_json::to_string_pretty(&report)?;
        std::fs::write(path, written + "\n")
            .map_err(|error| Failure::said(format!("cannot write {}: {error}", path.display())))?;
    }
    let mut out = Out::new();
    tell(&mut out, &report)?;
    out.end(Outcome::Done)
}

fn tell(out: &mut Out, report: &Report) -> Result<(), Failure> {
    if !report.sources.is_empty() {
        texts(out, report)?;
    }
    for (family, score) in &report.values {
        values(out, family, score)?;
    }
    if !report.unclear_types.is_empty() {
        let types: Vec<&str> = report.unclear_types.iter().map(String::as_str).collect();
        out.line(format_args!(
            "\nleft out, of no known family: {}",
            printable(&types.join(", "))
        ))?;
    }
    if !report.wrong.is_empty() {
        wrong(out, &report.wrong)?;
    }
    let ms = report.all.ms;
    out.line(format_args!(
        "\n{} texts; milliseconds a text: {} half of the time, {} of a hundred 99; {:.1} MB/s a core",
        report.all.n,
        milliseconds(ms.p50),
        milliseconds(ms.p99),
        ms.mb_per_s
    ))?;
    Ok(())
}

/// A table whose columns but the first hold numbers.
fn numbers(header: &[&str]) -> Table {
    let mut table = table(header);
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

fn groups_table(title: &str) -> Table {
    let header: Vec<&str> = std::iter::once(title).chain(COLUMNS).collect();
    numbers(&header)
}

fn texts(out: &mut Out, report: &Report) -> Result<(), Failure> {
    let mut rows = groups_table("SOURCE");
    let all = std::iter::once(("all", &report.all));
    let sources = report.sources.iter().map(|(name, group)| (name.as_str(), group));
    for (name, group) in sources.chain(all) {
        rows.add_row(line(name, group));
    }
    out.table(&rows)?;
    out.line(
        "\nPer cent of attacks (recall) and of benign texts (false positives): blocked, found at all, and at the score that\n\
         1 % and 0.1 % of all benign texts reach.",
    )?;
    for (share, threshold) in &report.thresholds {
        let score = threshold
            .score
            .map_or("none".to_owned(), |score| format!("{score:.4}"));
        let Rate { count, of } = threshold.false_positives;
        out.line(format_args!(
            "score at {share}: {score} ({count} of {of} benign texts)"
        ))?;
    }
    let apart = &report.all.harmful_requests;
    if apart.blocked.of > 0 {
        let [blocked, interval] = shares(apart.blocked);
        out.line(format_args!(
            "harmful_request, counted on neither side: {} texts, {blocked} % blocked ({interval}), {} % found",
            apart.blocked.of,
            per_cent(apart.found.share())
        ))?;
    }
    for (title, groups) in [
        ("LABEL", &report.labels),
        ("CHANNEL", &report.channels),
        ("LANGUAGE", &report.languages),
    ] {
        if title == "LABEL" {
            labels(out, groups)?;
        } else if groups.len() > 1 {
            let mut rows = groups_table(title);
            let few = groups.values().filter(|group| group.n < FEW).count();
            for (name, group) in groups.iter().filter(|(_, group)| group.n >= FEW) {
                rows.add_row(line(name, group));
            }
            out.line("")?;
            out.table(&rows)?;
            if few > 0 {
                out.line(format_args!("and {few} with fewer than {FEW} texts each"))?;
            }
        }
    }
    Ok(())
}

fn line(name: &str, group: &Group) -> Vec<String> {
    let [recall, recall_interval] = shares(group.attacks.blocked);
    let [false_positives, interval] = shares(group.benign.blocked);
    let at = |share| per_cent(group.attacks.at.get(share).and_then(|rate| rate.share()));
    vec![
        printable(name),
        group.n.to_string(),
        group.attacks.blocked.of.to_string(),
        recall,
        recall_interval,
        per_cent(group.attacks.found.share()),
        at("0.01"),
        at("0.001"),
        group.benign.blocked.of.to_string(),
        false_positives,
        interval,
        per_cent(group.benign.found.share()),
        milliseconds(group.ms.p50),
        milliseconds(group.ms.p99),
    ]
}

fn labels(out: &mut Out, groups: &BTreeMap<String, Group>) -> Result<(), Failure> {
    let mut rows = numbers(&["LABEL", "N", "BLOCKED", "95 %", "FOUND", "AT 1 %", "AT 0.1 %"]);
    for label in Label::ALL {
        let Some(group) = groups.get(label.name()) else {
            continue;
        };
        let texts: &Texts = match label {
            Label::Benign => &group.benign,
            Label::HarmfulRequest => &group.harmful_requests,
            _ => &group.attacks,
        };
        let [blocked, interval] = shares(texts.blocked);
        let at = |share| per_cent(texts.at.get(share).and_then(|rate| rate.share()));
        rows.add_row([
            label.name().to_owned(),
            group.n.to_string(),
            blocked,
            interval,
            per_cent(texts.found.share()),
            at("0.01"),
            at("0.001"),
        ]);
    }
    out.line("")?;
    Ok(out.table(&rows)?)
}

fn values(out: &mut Out, family: &str, score: &FamilyScore) -> Result<(), Failure> {
    let title = family.to_uppercase();
    let mut rows = numbers(&[&title, "PRECISION", "RECALL", "F1"]);
    let Score {
        exact,
        exact_typed,
        overlap,
        overlap_typed,
    } = score.all;
    for (name, shares) in [
        ("exact", exact),
        ("exact and type", exact_typed),
        ("overlap", overlap),
        ("overlap and type", overlap_typed),
    ] {
        let [precision, recall, f1] = shares.told();
        rows.add_row([name.to_owned(), precision, recall, f1]);
    }
    out.line("")?;
    out.table(&rows)?;
    out.line(format_args!(
        "{} texts, {} values, {} found; covered whole {} %; texts without a value in which something is found: {} of {} ({} %)",
        score.rows,
        overlap.recall.of,
        overlap.precision.of,
        per_cent(score.covered.share()),
        score.false_rows.count,
        score.false_rows.of,
        per_cent(score.false_rows.share())
    ))?;
    let mut rows = numbers(&[
        "TYPE",
        "VALUES",
        "FOUND",
        "OVERLAP P",
        "R",
        "F1",
        "EXACT P",
        "R",
        "F1",
    ]);
    let types = score
        .types
        .iter()
        .map(|(name, kind)| (name, kind.overlap, kind.exact));
    for (name, overlap, exact) in types {
        rows.add_row(both(name, overlap, exact));
    }
    out.line("")?;
    out.table(&rows)?;
    if score.slices.len() > 1 {
        let mut rows = numbers(&[
            "SLICE",
            "VALUES",
            "FOUND",
            "OVERLAP P",
            "R",
            "F1",
            "EXACT P",
            "R",
            "F1",
        ]);
        for (name, slice) in &score.slices {
            rows.add_row(both(name, slice.overlap, slice.exact));
        }
        out.line("")?;
        out.table(&rows)?;
    }
    Ok(())
}

fn both(name: &str, overlap: crate::eval::Shares, exact: crate::eval::Shares) -> Vec<String> {
    let mut cells = vec![
        printable(name),
        overlap.recall.of.to_string(),
        overlap.precision.of.to_string(),
    ];
    cells.extend(overlap.told());
    cells.extend(exact.told());
    cells
}

fn wrong(out: &mut Out, wrong: &[Wrong]) -> Result<(), Failure> {
    let mut rows = table(&["WRONG", "SOURCE", "ID", "SCORE", "FOUND"]);
    for row in wrong {
        rows.add_row([
            row.label.to_owned(),
            printable(&row.source),
            printable(&row.id),
            format!("{:.2}", row.score),
            row.found.join(", "),
        ]);
    }
    out.line("")?;
    out.table(&rows)?;
    for row in wrong {
        if let Some(text) = &row.text {
            out.line(format_args!(
                "\n{} {}\n{}",
                row.label,
                printable(&row.id),
                text.lines().map(printable).collect::<Vec<_>>().join("\n")
            ))?;
        }
    }
    Ok(())
}

fn shares(rate: Rate) -> [String; 2] {
    let interval = rate.interval().map_or("-".to_owned(), |(low, high)| {
        format!("{}-{}", per_cent(Some(low)), per_cent(Some(high)))
    });
    [per_cent(rate.share()), interval]
}

fn per_cent(share: Option<f64>) -> String {
    share.map_or("-".to_owned(), |share| format!("{:.1}", share * 100.0))
}

fn milliseconds(value: f64) -> String {
    format!("{value:.3}")
}
