//! From which score on a window goes on to the next stage, and what a stage's score counts in the verdict (FORMAT.md, 4).

use std::collections::HashMap;

use portcullis_inspect::Rate;
use serde::Deserialize;

/// A score that is farther from nothing says no more.
const FAR: f32 = 8.0;

/// What `config.json` says of a stage that clears windows.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Limits {
    #[serde(flatten)]
    table: Table,
    /// Rates that have limits of their own: the rarer a mistake may be, the surer the verdict must be, and the less comes near it.
    #[serde(default)]
    rates: Rates,
    /// How much of its score counts in the verdict: it sees what later stages do not.
    #[serde(default)]
    share: f32,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rates {
    #[serde(rename = "0.01")]
    hundredth: Option<Table>,
    #[serde(rename = "0.001")]
    thousandth: Option<Table>,
}

/// The limits that hold at a rate.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Table {
    #[serde(flatten)]
    limit: Limit,
    /// Channels that have limits of their own.
    #[serde(default)]
    channels: HashMap<String, Limit>,
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

    fn of(self, pieces: usize) -> f32 {
        let short = self.short.filter(|short| pieces <= short.pieces);
        short.map_or(self.pass, |short| short.pass)
    }
}

impl Limits {
    /// Whether its numbers are any, and its channels among these.
    pub fn is_whole(&self, channels: &HashMap<String, u16>) -> bool {
        let mut rates = [&self.rates.hundredth, &self.rates.thousandth]
            .into_iter()
            .flatten();
        (0.0..=1.0).contains(&self.share)
            && self.table.is_whole(channels)
            && rates.all(|table| table.is_whole(channels))
    }

    /// The limits for a rate.
    pub fn at(&self, rate: Rate) -> &Table {
        let own = match rate {
            Rate::Hundredth => &self.rates.hundredth,
            Rate::Thousandth => &self.rates.thousandth,
        };
        own.as_ref().unwrap_or(&self.table)
    }

    /// What a score adds to the last stage's logit of any attack.
    pub fn adds(&self, score: f32) -> f32 {
        self.share * near(score)
    }
}

impl Table {
    fn is_whole(&self, channels: &HashMap<String, u16>) -> bool {
        let own = |(name, limit): (&String, &Limit)| channels.contains_key(name) && limit.is_whole();
        self.limit.is_whole() && self.channels.iter().all(own)
    }

    /// The score from which on a window of so many pieces goes on.
    pub fn of(&self, channel: &str, pieces: usize) -> f32 {
        self.channels.get(channel).unwrap_or(&self.limit).of(pieces)
    }
}

/// Whether a window of that score goes on to the next stage; nothing where the score is no number, which clears nothing.
pub(super) fn goes_on(score: f32, limit: f32) -> Option<bool> {
    score.is_finite().then_some(score >= limit)
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
            let lets =
                |limits: &Limits| goes_on(score, limits.at(Rate::Hundredth).of(channel, pieces)).unwrap();
            assert_eq!(
                (lets(&plain), lets(&with)),
                (one, other),
                "{channel} {score} {pieces}"
            );
        }
        assert!(with.is_whole(&channels()));
        assert!(!told(r#", "channels": {"nowhere": {"pass": 3}}"#).is_whole(&channels()));
    }

    #[test]
    fn a_rate_may_have_limits_of_its_own() {
        let with = told(r#", "rates": {"0.001": {"pass": 4, "channels": {"user": {"pass": 5}}}}"#);
        for (score, common, own, of_user) in [
            (1.0, false, false, false),
            (2.0, true, false, false),
            (4.0, true, true, false),
            (5.0, true, true, true),
        ] {
            let lets = |rate, channel| goes_on(score, with.at(rate).of(channel, 9)).unwrap();
            assert_eq!(lets(Rate::Hundredth, "email"), common, "{score}");
            assert_eq!(lets(Rate::Thousandth, "email"), own, "{score}");
            assert_eq!(lets(Rate::Thousandth, "user"), of_user, "{score}");
        }
        assert!(with.is_whole(&channels()));
        assert!(
            !told(r#", "rates": {"0.001": {"pass": 4, "channels": {"nowhere": {"pass": 5}}}}"#)
                .is_whole(&channels())
        );
        let other: Result<Limits, _> = serde_json::from_str(r#"{"pass": 1, "rates": {"0.1": {"pass": 2}}}"#);
        assert!(other.is_err(), "a rate that nobody asks for");
    }

    #[test]
    fn what_is_no_number_clears_nothing() {
        let limit = told("").at(Rate::Hundredth).of("user", 9);
        assert_eq!(goes_on(limit, limit), Some(true));
        assert_eq!(goes_on(limit.next_down(), limit), Some(false));
        for none in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            assert_eq!(goes_on(none, limit), None);
        }
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
