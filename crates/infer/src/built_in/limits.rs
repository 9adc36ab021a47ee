//! From which score on a window goes on to the next stage, and what a stage's score counts in the verdict (FORMAT.md, 4).

use std::collections::HashMap;

use serde::Deserialize;

/// A score that is farther from nothing says no more.
const FAR: f32 = 8.0;

/// What `config.json` says of a stage that clears windows.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Limits {
    #[serde(flatten)]
    limit: Limit,
    /// Channels that have limits of their own.
    #[serde(default)]
    channels: HashMap<String, Limit>,
    /// How much of its score counts in the verdict: it sees what later stages do not.
    #[serde(default)]
    share: f32,
}

#[derive(Clone, Copy, Debug, Deserialize)]
struct Limit {
    pass: f32,
    short: Option<Short>,
}

/// Windows that cost the next stage little, of which more are let through: a window costs by its pieces.
#[derive(Clone, Copy, Debug, Deserialize)]
struct Short {
    pieces: usize,
    pass: f32,
}

impl Limit {
    fn is_whole(self) -> bool {
        self.pass.is_finite() && self.short.is_none_or(|short| short.pass.is_finite())
    }

    fn lets(self, score: f32, pieces: usize) -> bool {
        let short = self.short.filter(|short| pieces <= short.pieces);
        score >= short.map_or(self.pass, |short| short.pass)
    }
}

impl Limits {
    /// Whether its numbers are any, and its channels among these.
    pub fn is_whole(&self, channels: &HashMap<String, u16>) -> bool {
        let own = |(name, limit): (&String, &Limit)| channels.contains_key(name) && limit.is_whole();
        self.limit.is_whole() && self.channels.iter().all(own) && (0.0..=1.0).contains(&self.share)
    }

    /// Whether a window of so many pieces goes on.
    pub fn lets(&self, channel: &str, score: f32, pieces: usize) -> bool {
        let limit = self.channels.get(channel).unwrap_or(&self.limit);
        limit.lets(score, pieces)
    }

    /// What a score adds to the last stage's logit of any attack.
    pub fn adds(&self, score: f32) -> f32 {
        self.share * near(score)
    }
}

/// A score as far as it counts.
pub(super) fn near(score: f32) -> f32 {
    score.clamp(-FAR, FAR)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(more: &str) -> Limits {
        serde_json::from_str(&format!(r#"{{"pass": 1.5{more}}}"#)).unwrap()
    }

    fn channels() -> HashMap<String, u16> {
        HashMap::from([("user".to_owned(), 3), ("email".to_owned(), 7)])
    }

    #[test]
    fn short_windows_have_a_limit_of_their_own() {
        let (plain, with) = (
            told(""),
            told(r#", "short": {"pieces": 48, "pass": -2}, "channels": {"user": {"pass": 3}}"#),
        );
        for (channel, score, pieces, one, other) in [
            ("email", 1.5, 20, true, true),
            ("email", 0.0, 48, false, true),
            ("email", 0.0, 49, false, false),
            ("email", -3.0, 9, false, false),
            ("user", 2.0, 9, true, false),
            ("user", 3.0, 99, true, true),
        ] {
            assert_eq!(
                (
                    plain.lets(channel, score, pieces),
                    with.lets(channel, score, pieces)
                ),
                (one, other),
                "{channel} {score} {pieces}"
            );
        }
        assert!(with.is_whole(&channels()) && !plain.lets("user", f32::NAN, 1));
        assert!(!told(r#", "channels": {"nowhere": {"pass": 3}}"#).is_whole(&channels()));
    }

    #[test]
    fn a_share_of_the_score_counts() {
        assert_eq!(told("").adds(3.0), 0.0);
        let with = told(r#", "share": 0.5"#);
        assert_eq!((with.adds(3.0), with.adds(-99.0)), (1.5, -4.0));
        assert!(with.is_whole(&channels()) && with.adds(f32::NAN).is_nan());
        for wrong in ["1.5", "-0.5"] {
            assert!(!told(&format!(r#", "share": {wrong}"#)).is_whole(&channels()));
        }
    }
}
