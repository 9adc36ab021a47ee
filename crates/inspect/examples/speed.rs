//! How fast whole scans are, in CPU time: one line a text and size. For those who write rules; `benches/scan.rs` is the measure.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a tool for those who write rules"
)]

use portcullis_core::Channel;
use portcullis_inspect::Inspector;

fn cpu() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/schedstat").unwrap();
    stat.split(' ').next().unwrap().parse::<f64>().unwrap() / 1e9
}

fn main() {
    let start = cpu();
    let inspector = Inspector::built_in().unwrap();
    println!(
        "built in {:.1} ms, {} rules",
        (cpu() - start) * 1e3,
        inspector.rules().len()
    );
    let all = inspector.select(|_| true);
    for path in std::env::args().skip(1) {
        let text = std::fs::read_to_string(&path).unwrap();
        let mut found = Vec::new();
        let start = cpu();
        inspector.scan(&text, Channel::User, &all, &mut found);
        println!("{path}: the first scan took {:.1} ms", (cpu() - start) * 1e3);
        let count = found.len();
        if std::env::var("VIEWS").is_ok() {
            portcullis_inspect::views::explore(&text, &mut |derived| {
                println!("{:?}: {} bytes", derived.trail, derived.text.len());
            });
            continue;
        }
        if std::env::var("EFFORT").is_ok() {
            for (kind, tried, read) in inspector.effort(&text, Channel::User, &all).iter().take(25) {
                println!("{kind}: tried {tried} times, {read} bytes read");
            }
            continue;
        }
        if let Ok(rounds) = std::env::var("ROUNDS") {
            // For callgrind: the difference of two numbers of rounds is what the rounds cost.
            for _ in 0..rounds.parse::<u32>().unwrap() {
                found.clear();
                match std::env::var("PLAIN") {
                    Ok(_) => inspector.scan_plain(&text, Channel::User, &all, &mut found),
                    Err(_) => inspector.scan(&text, Channel::User, &all, &mut found),
                }
            }
            continue;
        }
        for plain in [true, false] {
            let (start, mut bytes) = (cpu(), 0usize);
            while cpu() - start < 0.4 {
                for _ in 0..(1 << 20) / text.len().max(1) + 1 {
                    found.clear();
                    if plain {
                        inspector.scan_plain(&text, Channel::User, &all, &mut found);
                    } else {
                        inspector.scan(&text, Channel::User, &all, &mut found);
                    }
                    bytes += text.len();
                }
            }
            let speed = bytes as f64 / (cpu() - start) / 1e6;
            println!(
                "{path}: {} bytes, {count} findings, {} {speed:.0} MB/s",
                text.len(),
                if plain { "plain" } else { "whole" }
            );
        }
    }
}
