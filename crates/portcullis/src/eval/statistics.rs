//! Shares with their uncertainty, and lengths of time.

use serde::Serialize;

/// So many of so many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rate {
    /// So many.
    pub count: usize,
    /// Of so many.
    pub of: usize,
}

/// The normal quantile of a 95 % interval.
const Z: f64 = 1.959_963_984_540_054;

impl Rate {
    /// Counts one.
    pub fn add(&mut self, counts: bool) {
        self.of += 1;
        self.count += usize::from(counts);
    }

    /// The share, 0..=1; `None` of nothing.
    #[must_use]
    pub fn share(self) -> Option<f64> {
        (self.of > 0).then(|| float(self.count) / float(self.of))
    }

    /// Wilson's 95 % interval of the share. Unlike the textbook's it is honest about none of a few.
    #[must_use]
    pub fn interval(self) -> Option<(f64, f64)> {
        let (share, of) = (self.share()?, float(self.of));
        let denominator = 1.0 + Z * Z / of;
        let middle = share + Z * Z / (2.0 * of);
        let half = Z * (share * (1.0 - share) / of + Z * Z / (4.0 * of * of)).sqrt();
        let low = ((middle - half) / denominator).max(0.0);
        Some((low, ((middle + half) / denominator).min(1.0)))
    }
}

impl Serialize for Rate {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Told {
            count: usize,
            of: usize,
            rate: Option<f64>,
            low: Option<f64>,
            high: Option<f64>,
        }
        let interval = self.interval();
        Told {
            count: self.count,
            of: self.of,
            rate: self.share().map(rounded),
            low: interval.map(|(low, _)| rounded(low)),
            high: interval.map(|(_, high)| rounded(high)),
        }
        .serialize(serializer)
    }
}

/// How long scans took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Times {
    /// Half of the texts took no longer, in milliseconds.
    pub p50: f64,
    /// Of a hundred texts 99 took no longer, in milliseconds.
    pub p99: f64,
    /// Megabytes of text a second and core.
    pub mb_per_s: f64,
}

impl Times {
    /// Of scans of `bytes` in all, that took so many nanoseconds each.
    #[must_use]
    pub fn of(mut nanos: Vec<u64>, bytes: usize) -> Times {
        nanos.sort_unstable();
        let milliseconds =
            |share: usize| rounded(quantile(&nanos, share).map_or(0.0, |nanos| real(nanos) / 1e6));
        let total = real(nanos.iter().sum());
        Times {
            p50: milliseconds(50),
            p99: milliseconds(99),
            mb_per_s: match total > 0.0 {
                true => rounded(float(bytes) / total * 1e3),
                false => 0.0,
            },
        }
    }
}

/// The least value that so many of a hundred do not exceed.
fn quantile(sorted: &[u64], of_a_hundred: usize) -> Option<u64> {
    let rank = (sorted.len() * of_a_hundred).div_ceil(100).max(1);
    sorted.get(rank - 1).copied()
}

/// Four digits behind the point: more would be noise.
pub(super) fn rounded(value: f64) -> f64 {
    (value * 1e4).round() / 1e4
}

#[allow(clippy::cast_precision_loss, reason = "counts of a corpus are far below 2^52")]
pub(super) fn float(count: usize) -> f64 {
    count as f64
}

#[allow(
    clippy::cast_precision_loss,
    reason = "nanoseconds: 2^52 of them are seven weeks"
)]
fn real(nanos: u64) -> f64 {
    nanos as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_are_wilsons() {
        for (count, of, low, high) in [
            (0, 10, 0.0, 0.2775),
            (10, 10, 0.7225, 1.0),
            (81, 263, 0.2553, 0.3662),
        ] {
            let (told_low, told_high) = Rate { count, of }.interval().unwrap();
            assert!(
                (told_low - low).abs() < 1e-3 && (told_high - high).abs() < 1e-3,
                "{count}/{of}: {told_low} {told_high}"
            );
        }
        assert_eq!(Rate::default().interval(), None);
        assert_eq!(Rate::default().share(), None);
    }

    #[test]
    fn quantiles_are_values_that_occurred() {
        let sorted: Vec<u64> = (1..=200).collect();
        assert_eq!(quantile(&sorted, 50), Some(100));
        assert_eq!(quantile(&sorted, 99), Some(198));
        assert_eq!(quantile(&[7], 99), Some(7));
        assert_eq!(quantile(&[], 50), None);
    }
}
