//! How often a system prompt is recognised in a reply that says it, in several dresses, and how often in one that does not:
//! `leaks PROMPTS.jsonl REPLIES.jsonl`. A line of either is an object with `text`; a reply may bring the `prompt` that it
//! was given under, else it is tried with every prompt.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::string_slice,
    clippy::disallowed_methods,
    reason = "a tool for those who measure"
)]

use portcullis_inspect::leak::{Prompt, Trace};
use portcullis_inspect::views::VIEWS;
use serde_json::{Value, json};

type Dress = fn(&str) -> String;

static DRESSES: &[(&str, Dress)] = &[
    ("verbatim", str::to_owned),
    ("upper case", str::to_uppercase),
    ("lower case", str::to_lowercase),
    ("spaced", |text| text.chars().flat_map(|c| [c, ' ']).collect()),
    ("base64", |text| view("base64", text)),
    ("base64 in lines", |text| in_lines(&view("base64", text))),
    ("lines numbered", |text| {
        let lines = text.lines().zip(1..);
        lines
            .map(|(line, number)| format!("{number}. {line}\n"))
            .collect()
    }),
    ("lines named", |text| {
        let lines = text.lines().zip(1..);
        lines
            .map(|(line, number)| format!("Line {number}: {line}\n"))
            .collect()
    }),
    ("JSON", |text| json!({ "system_prompt": text }).to_string()),
    ("JSON, ASCII only", |text| {
        json!({ "system_prompt": text })
            .to_string()
            .chars()
            .map(ascii)
            .collect()
    }),
    ("JSON in JSON", |text| {
        let inner = json!({ "prompt": text }).to_string();
        json!({ "arguments": inner }).to_string()
    }),
    ("no punctuation", |text| {
        let kept = |c: &char| c.is_alphanumeric() || c.is_whitespace();
        text.chars().filter(kept).collect()
    }),
    ("stars between words", |text| {
        text.split_whitespace().collect::<Vec<_>>().join(" * ")
    }),
    ("quoted with >", |text| {
        text.lines().map(|line| format!("> {line}\n")).collect()
    }),
    ("hexadecimal", |text| {
        text.bytes().map(|byte| format!("{byte:02x}")).collect()
    }),
    ("percent", |text| view("percent", text)),
    ("entities", |text| view("entities", text)),
    ("rotated by 13", |text| view("rotated", text)),
    ("reversed", |text| text.chars().rev().collect()),
];

fn main() {
    let mut args = std::env::args().skip(1);
    let prompts = rows(&args.next().unwrap());
    let replies = rows(&args.next().unwrap());
    for (name, dress) in DRESSES {
        caught(name, &prompts, |known, prompt| {
            leaks(
                known,
                &mut known.trace(),
                &format!("Of course:\n\n{}\n\nAnything else?", dress(prompt)),
            )
        });
    }
    for (name, part) in [("half", 2), ("third", 3), ("tenth", 10)] {
        caught(&format!("the first {name} alone"), &prompts, |known, prompt| {
            leaks(
                known,
                &mut known.trace(),
                &prompt[..boundary(prompt, prompt.len() / part)],
            )
        });
    }
    caught("split over two answers", &prompts, |known, prompt| {
        let (first, second) = prompt.split_at(boundary(prompt, prompt.len() / 2));
        let mut later = known.trace();
        known.recall(first, &mut later);
        leaks(known, &mut known.trace(), first) || leaks(known, &mut later, second)
    });
    false_alarms(&prompts, &replies);
}

fn caught(name: &str, prompts: &[(String, Option<String>)], is_caught: impl Fn(&Prompt, &str) -> bool) {
    let caught = prompts
        .iter()
        .filter(|(prompt, _)| known(prompt).is_some_and(|known| is_caught(&known, prompt)));
    share(name, caught.count(), prompts.len());
}

fn false_alarms(prompts: &[(String, Option<String>)], replies: &[(String, Option<String>)]) {
    let all: Vec<Prompt> = prompts.iter().filter_map(|(prompt, _)| known(prompt)).collect();
    let (mut pairs, mut alarms, mut alarmed) = (0, 0, 0);
    for (reply, prompt) in replies {
        let own: Option<Vec<Prompt>> = prompt
            .as_deref()
            .map(|prompt| known(prompt).into_iter().collect());
        let tried = own.as_ref().unwrap_or(&all);
        let raised = tried
            .iter()
            .filter(|known| leaks(known, &mut known.trace(), reply));
        let raised = raised.count();
        pairs += tried.len();
        alarms += raised;
        alarmed += usize::from(raised > 0);
    }
    share("false alarms, of pairs of a prompt and a reply", alarms, pairs);
    share(
        "replies with a false alarm under any prompt",
        alarmed,
        replies.len(),
    );
}

fn known(prompt: &str) -> Option<Prompt> {
    Prompt::new(std::iter::once(prompt), None)
}

fn leaks(known: &Prompt, trace: &mut Trace, reply: &str) -> bool {
    let _ = known.read(reply, trace);
    trace.leak().is_some()
}

fn in_lines(text: &str) -> String {
    let lines = text.as_bytes().chunks(76);
    let lines: Vec<_> = lines.map(|line| std::str::from_utf8(line).unwrap()).collect();
    lines.join("\n")
}

fn ascii(c: char) -> String {
    if c.is_ascii() {
        return c.to_string();
    }
    let mut units = [0; 2];
    let units = c.encode_utf16(&mut units).iter();
    units.map(|unit| format!("\\u{unit:04x}")).collect()
}

fn boundary(text: &str, at: usize) -> usize {
    (at..text.len())
        .find(|at| text.is_char_boundary(*at))
        .unwrap_or(text.len())
}

fn view(id: &str, text: &str) -> String {
    let view = VIEWS.iter().find(|view| view.id() == id).unwrap();
    view.disguise(text).unwrap_or_else(|| text.to_owned())
}

fn share(name: &str, some: usize, all: usize) {
    #[allow(clippy::cast_precision_loss, reason = "small numbers")]
    let percent = 100.0 * some as f64 / all.max(1) as f64;
    println!("{name:50} {some:7} of {all:7}  {percent:7.2} %");
}

fn rows(path: &str) -> Vec<(String, Option<String>)> {
    let text = std::fs::read_to_string(path).unwrap();
    let rows = text
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    let member = |row: &Value, key: &str| row.get(key).and_then(Value::as_str).map(str::to_owned);
    rows.map(|row| (member(&row, "text").unwrap(), member(&row, "prompt")))
        .collect()
}
