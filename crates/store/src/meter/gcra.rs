//! The generic cell rate algorithm: a rate kept in one number, the time at which all that was taken is paid back.
//!
//! It knows neither keys nor clocks; times come in as nanoseconds and go out as milliseconds, rounded up.

/// One minute, which every rate here is counted in.
const MINUTE_NS: u64 = 60_000_000_000;
const MS: u64 = 1_000_000;
/// Up to so many requests may come at once whatever the rate, as long as the rate itself allows so many in a minute.
const SMALL_BURST: u32 = 10;

/// What a client may know about a rate: the values of `x-ratelimit-*`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateState {
    /// How much is allowed in a minute.
    pub limit: u32,
    /// How much could be taken at this moment.
    pub remaining: u32,
    /// In how many milliseconds `remaining` is as large as it can get, if nothing more is taken.
    pub reset_ms: u64,
}

/// How many requests may come at once under a rate of `rpm`: a tenth of it, and ten (or all, where `rpm` is less)
/// so that a small limit lets a page of parallel calls through. In any minute at most `rpm + burst` are let in.
pub(super) const fn burst(rpm: u32) -> u32 {
    let small = if rpm < SMALL_BURST { rpm } else { SMALL_BURST };
    if rpm / 10 > small { rpm / 10 } else { small }
}

/// Time taken and not yet paid back. Default: nothing.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Debt {
    /// When all is paid back, nanoseconds since 1970.
    clear_at: u64,
}

impl Debt {
    /// Whether one more may come under `rpm` now; if not, after how many milliseconds.
    pub(super) fn check_request(self, rpm: u32, now_ns: u64) -> Result<(), u64> {
        let Some(step) = step(rpm) else {
            return Err(MINUTE_NS / MS);
        };
        let room = u64::from(burst(rpm)).saturating_mul(step);
        let after = self.owed(now_ns).saturating_add(step);
        if after <= room {
            Ok(())
        } else {
            Err((after - room).div_ceil(MS))
        }
    }

    /// Takes one.
    pub(super) fn take_request(&mut self, rpm: u32, now_ns: u64) {
        self.clear_at = self.clear_at.max(now_ns).saturating_add(step(rpm).unwrap_or(0));
    }

    /// Gives one back that was taken a moment ago. Whatever was taken in between stays taken.
    pub(super) fn return_request(&mut self, rpm: u32) {
        self.clear_at = self.clear_at.saturating_sub(step(rpm).unwrap_or(0));
    }

    /// What a client may know about its requests.
    pub(super) fn request_state(self, rpm: u32, now_ns: u64) -> RateState {
        let owed = self.owed(now_ns);
        let step = step(rpm).unwrap_or(MINUTE_NS);
        let free = u64::from(burst(rpm)).saturating_mul(step).saturating_sub(owed);
        RateState {
            limit: rpm,
            remaining: u32::try_from(free / step).unwrap_or(u32::MAX),
            reset_ms: owed.div_ceil(MS),
        }
    }

    /// Whether less than a minute's worth of tokens is owed; if not, after how many milliseconds.
    pub(super) fn check_tokens(self, tpm: u32, now_ns: u64) -> Result<(), u64> {
        if tpm == 0 {
            return Err(MINUTE_NS / MS);
        }
        let owed = self.owed(now_ns);
        if owed < MINUTE_NS {
            Ok(())
        } else {
            Err((owed - MINUTE_NS).div_ceil(MS).max(1))
        }
    }

    /// Takes tokens that were used, however many: they are known only after the reply.
    pub(super) fn take_tokens(&mut self, tpm: u32, tokens: u64, now_ns: u64) {
        let cost = u128::from(tokens)
            .saturating_mul(u128::from(MINUTE_NS))
            .div_ceil(u128::from(tpm.max(1)));
        let cost = u64::try_from(cost).unwrap_or(u64::MAX);
        self.clear_at = self.clear_at.max(now_ns).saturating_add(cost);
    }

    /// What a client may know about its tokens.
    pub(super) fn token_state(self, tpm: u32, now_ns: u64) -> RateState {
        let owed = self.owed(now_ns);
        let free = MINUTE_NS.saturating_sub(owed);
        let remaining = u128::from(free).saturating_mul(u128::from(tpm)) / u128::from(MINUTE_NS);
        RateState {
            limit: tpm,
            remaining: u32::try_from(remaining).unwrap_or(tpm),
            reset_ms: owed.div_ceil(MS),
        }
    }

    fn owed(self, now_ns: u64) -> u64 {
        self.clear_at.saturating_sub(now_ns)
    }
}

/// Nanoseconds that one request takes, rounded up so that rounding never lets one more in; none at a rate of zero.
fn step(rpm: u32) -> Option<u64> {
    (rpm > 0).then(|| MINUTE_NS.div_ceil(u64::from(rpm)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Times of the requests that were let in, given the pauses between all that came.
    fn admitted(rpm: u32, pauses_ms: &[u64]) -> Vec<u64> {
        let (mut debt, mut now, mut times) = (Debt::default(), 1_700_000_000_000 * MS, Vec::new());
        for pause in pauses_ms {
            now += pause * MS;
            if debt.check_request(rpm, now).is_ok() {
                debt.take_request(rpm, now);
                times.push(now);
            }
        }
        times
    }

    proptest! {
        #[test]
        fn no_window_holds_more_than_rate_and_burst(
            rpm in 1u32..400,
            window_ms in 1u64..180_000,
            pauses in proptest::collection::vec(prop_oneof![9 => 0u64..400, 1 => 0u64..90_000], 1..1500),
        ) {
            let times = admitted(rpm, &pauses);
            let allowed = u64::from(burst(rpm)) + window_ms * u64::from(rpm) / 60_000;
            let mut first = 0;
            for (last, time) in times.iter().enumerate() {
                while time - times[first] >= window_ms * MS {
                    first += 1;
                }
                prop_assert!((last - first + 1) as u64 <= allowed, "{rpm} rpm, {window_ms} ms");
            }
        }

        #[test]
        fn a_minute_holds_at_most_rate_and_burst(rpm in 1u32..400, pause in 0u64..50) {
            let times = admitted(rpm, &vec![pause; 5000]);
            for (first, start) in times.iter().enumerate() {
                let inside = times[first..].iter().take_while(|time| *time - start < MINUTE_NS).count();
                prop_assert!(inside as u64 <= u64::from(rpm + burst(rpm)));
            }
        }

        #[test]
        fn who_keeps_the_pace_is_never_refused(rpm in 1u32..6000, count in 1usize..300) {
            let pause = 60_000u64.div_ceil(u64::from(rpm));
            prop_assert_eq!(admitted(rpm, &vec![pause; count]).len(), count);
        }

        #[test]
        fn waiting_as_long_as_told_is_enough_and_not_too_long(rpm in 1u32..2000, taken in 0u32..300) {
            let (mut debt, now) = (Debt::default(), 5_000_000 * MS);
            for _ in 0..taken {
                if debt.check_request(rpm, now).is_ok() {
                    debt.take_request(rpm, now);
                }
            }
            prop_assert_eq!(debt.request_state(rpm, now).remaining, burst(rpm) - taken.min(burst(rpm)));
            if let Err(wait) = debt.check_request(rpm, now) {
                prop_assert!(debt.check_request(rpm, now + wait * MS).is_ok());
                prop_assert!(debt.check_request(rpm, now + (wait - 1) * MS).is_err());
            }
        }

        #[test]
        fn tokens_are_let_in_again_when_they_are_paid_back(tpm in 1u32..5_000_000, used in 0u64..50_000_000) {
            let (mut debt, now) = (Debt::default(), 5_000_000 * MS);
            debt.take_tokens(tpm, used, now);
            match debt.check_tokens(tpm, now) {
                Ok(()) => prop_assert!(used <= u64::from(tpm)),
                Err(wait) => {
                    prop_assert!(used >= u64::from(tpm));
                    prop_assert!(debt.check_tokens(tpm, now + (wait + 1) * MS).is_ok());
                }
            }
        }
    }

    #[test]
    fn bursts() {
        for (rpm, expected) in [(0, 0), (1, 1), (5, 5), (10, 10), (60, 10), (100, 10), (600, 60)] {
            assert_eq!(burst(rpm), expected, "{rpm}");
        }
    }

    #[test]
    fn a_rate_of_zero_lets_nothing_in() {
        assert_eq!(Debt::default().check_request(0, 0), Err(60_000));
        assert_eq!(Debt::default().check_tokens(0, 0), Err(60_000));
        assert_eq!(Debt::default().request_state(0, 0).remaining, 0);
    }

    #[test]
    fn what_is_given_back_can_be_taken_again() {
        let (mut debt, now) = (Debt::default(), 60_000 * MS);
        debt.take_request(1, now);
        assert!(debt.check_request(1, now).is_err());
        debt.return_request(1);
        assert!(debt.check_request(1, now).is_ok());
    }
}
