//! A progress bar on standard error, where that is a terminal. A program that reads the output never sees it.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

/// How wide the bar is.
const WIDTH: usize = 30;

/// How often it is drawn at most.
const PACE: Duration = Duration::from_millis(100);

/// A bar that fills up.
pub struct Progress {
    what: &'static str,
    total: usize,
    drawn: Option<Instant>,
    terminal: bool,
}

impl Progress {
    /// A bar for so many things of a kind, `texts`.
    pub fn new(what: &'static str, total: usize) -> Progress {
        Progress {
            what,
            total,
            drawn: None,
            terminal: std::io::stderr().is_terminal(),
        }
    }

    /// Draws it, unless it was drawn just now.
    pub fn show(&mut self, done: usize) {
        let now = Instant::now();
        if !self.terminal || self.drawn.is_some_and(|drawn| now - drawn < PACE) {
            return;
        }
        self.drawn = Some(now);
        // A bar that cannot be drawn is no reason to stop the work.
        let _ = write!(std::io::stderr().lock(), "\r{}", bar(done, self.total, self.what));
    }
}

impl Drop for Progress {
    /// Wipes it out: what comes next stands in its place.
    fn drop(&mut self) {
        if self.drawn.is_some() {
            let _ = write!(std::io::stderr().lock(), "\r\x1b[K");
        }
    }
}

fn bar(done: usize, total: usize, what: &str) -> String {
    let full = (WIDTH * done).checked_div(total).unwrap_or(WIDTH).min(WIDTH);
    format!(
        "[{}{}] {done} of {total} {what}",
        "#".repeat(full),
        " ".repeat(WIDTH - full)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_as_full_as_the_work_is_done() {
        assert_eq!(bar(0, 0, "x").matches('#').count(), WIDTH);
        assert_eq!(bar(5, 10, "x").matches('#').count(), WIDTH / 2);
        assert_eq!(bar(10, 10, "x").matches('#').count(), WIDTH);
    }
}
