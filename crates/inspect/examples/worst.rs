//! Looks for texts that cost the most: mixes pieces of the rules' own cases, their disguises and what stands between, keeps
//! what is slowest and changes it further. Prints the slowest of it. Arguments: seconds to search, bytes of a text,
//! and a file that the slowest text is written to. With `SURVEY=1` it does not search: it tells how many of the pieces, each
//! repeated by itself, are slow. `PLAIN=1` leaves the views out.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::disallowed_methods,
    reason = "a tool for those who write rules"
)]

use portcullis_core::{Channel, Finding};
use portcullis_inspect::{Inspector, Selection, corpus::expand, views::VIEWS};

fn cpu() -> f64 {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    stat.split(' ').next().unwrap().parse::<f64>().unwrap() / 1e9
}

struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 33) as usize % bound.max(1)
    }
}

/// Pieces that texts are made of.
fn pieces(inspector: &Inspector) -> Vec<String> {
    let plain = [
        " ",
        "\n",
        "\t",
        "-",
        "_",
        ".",
        ",",
        ":",
        "=",
        "\"",
        "'",
        "\\",
        "\\n",
        "\\u0041",
        "%41",
        "&amp;",
        "&#65;",
        "=41",
        "/",
        "+",
        "@",
        "0",
        "1",
        "a",
        "A",
        "é",
        "а",
        "漢",
        "\u{200b}",
        "\u{e0041}",
        "ｉ",
        "𝐢",
        "(",
        ")",
        "[",
        "]",
        "<",
        ">",
        "{",
        "}",
        "<!--",
        "-->",
        "**",
        "password",
        "token",
        "key",
        "4111 ",
        "e",
        "th",
    ];
    let mut pieces: Vec<String> = plain.map(str::to_owned).to_vec();
    for rule in inspector.rules() {
        pieces.extend(rule.keywords().iter().cloned());
        for (seed, case) in (1..).zip(rule.hits().iter().chain(rule.misses())) {
            let text = expand(case, seed).replace(['«', '»'], "");
            let characters: Vec<char> = text.chars().collect();
            for length in [4, 8, 12, 20, 40, characters.len()] {
                pieces.push(characters.iter().take(length).collect());
            }
            pieces.extend(VIEWS.iter().filter_map(|view| view.disguise(&text)));
        }
    }
    pieces.sort();
    pieces.dedup();
    pieces
}

struct Search<'a> {
    inspector: &'a Inspector,
    all: &'a Selection,
    pieces: Vec<String>,
    bytes: usize,
    dice: Dice,
    /// Without views.
    plain: bool,
}

impl Search<'_> {
    /// A text of the wanted length that repeats a few pieces.
    fn text(&self, recipe: &[usize]) -> String {
        let once: String = recipe.iter().map(|at| self.pieces[*at].as_str()).collect();
        let mut text = once.repeat(self.bytes / once.len().max(1) + 1);
        let cut = (0..=self.bytes)
            .rev()
            .find(|at| text.is_char_boundary(*at))
            .unwrap();
        text.truncate(cut);
        text
    }

    /// Seconds a byte, the best of three. By the clock of the wall, as a scan is shorter than what CPU time is counted in.
    fn cost(&self, text: &str) -> f64 {
        let mut found: Vec<Finding> = Vec::new();
        let mut once = || {
            found.clear();
            let start = std::time::Instant::now();
            if self.plain {
                self.inspector
                    .scan_plain(text, Channel::ToolResult, self.all, &mut found);
            } else {
                self.inspector
                    .scan(text, Channel::ToolResult, self.all, &mut found);
            }
            start.elapsed().as_secs_f64() / text.len().max(1) as f64
        };
        (0..3).map(|_| once()).fold(f64::MAX, f64::min)
    }

    fn change(&mut self, recipe: &[usize]) -> Vec<usize> {
        let mut recipe = recipe.to_vec();
        let piece = self.dice.below(self.pieces.len());
        match self.dice.below(4) {
            0 if recipe.len() > 1 => drop(recipe.remove(self.dice.below(recipe.len()))),
            1 => {
                let at = self.dice.below(recipe.len());
                recipe[at] = piece;
            }
            2 => recipe.truncate(1 + self.dice.below(recipe.len())),
            _ => recipe.insert(self.dice.below(recipe.len() + 1), piece),
        }
        recipe
    }
}

/// How many pieces, each repeated by itself, are scanned at less than some speeds.
fn survey(search: &Search<'_>) {
    let speeds = [20.0, 10.0, 5.0, 1.0];
    let mut slow = [0usize; 4];
    for at in 0..search.pieces.len() {
        let megabytes = 1e-6 / search.cost(&search.text(&[at]));
        for (count, speed) in slow.iter_mut().zip(speeds) {
            *count += usize::from(megabytes < speed);
        }
    }
    for (count, speed) in slow.iter().zip(speeds) {
        println!("{count} of {} pieces under {speed} MB/s", search.pieces.len());
    }
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let seconds: f64 = arguments.next().map_or(60.0, |text| text.parse().unwrap());
    let bytes = arguments.next().map_or(8192, |text| text.parse().unwrap());
    let file = arguments.next();
    let inspector = Inspector::built_in().unwrap();
    let all = inspector.select(|_| true);
    let pieces = pieces(&inspector);
    let mut search = Search {
        inspector: &inspector,
        all: &all,
        pieces,
        bytes,
        dice: Dice(0x9e37_79b9_7f4a_7c15),
        plain: std::env::var("PLAIN").is_ok(),
    };
    if std::env::var("SURVEY").is_ok() {
        return survey(&search);
    }
    let mut worst: Vec<(f64, Vec<usize>)> = Vec::new();
    let begun = cpu();
    let mut next = 0;
    while cpu() - begun < seconds {
        // First every piece alone; then changes of what was worst.
        let recipe = if next < search.pieces.len() {
            next += 1;
            vec![next - 1]
        } else {
            let pick = search.dice.below(worst.len());
            let recipe = worst[pick].1.clone();
            search.change(&recipe)
        };
        let cost = search.cost(&search.text(&recipe));
        if worst.iter().all(|(_, known)| *known != recipe) {
            worst.push((cost, recipe));
        }
        worst.sort_by(|one, other| other.0.total_cmp(&one.0));
        worst.truncate(24);
    }
    for (cost, recipe) in worst.iter().take(8) {
        let once: String = recipe.iter().map(|at| search.pieces[*at].as_str()).collect();
        println!(
            "{:.1} MB/s: {:?}",
            1e-6 / cost,
            once.chars().take(160).collect::<String>()
        );
    }
    if let (Some(file), Some((_, recipe))) = (file, worst.first()) {
        std::fs::write(file, search.text(recipe)).unwrap();
    }
}
