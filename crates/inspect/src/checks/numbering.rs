//! The numbering plans of the world's telephone networks.
//!
//! The data is that of Google's libphonenumber, kept by the crate `phonenumber`. Its own matching is not used: it takes
//! microseconds and a lock a number, and finds where it should match. A plan becomes an automaton of ours when it is asked
//! for first.

use std::sync::{LazyLock, OnceLock};

use phonenumber::metadata::{DATABASE, Descriptor, Metadata};

use crate::machine::Machine;

/// The plan of one region.
struct Plan {
    /// ISO 3166's two letters; `001` where no country owns the calling code.
    region: String,
    /// The calling code.
    code: u32,
    /// What is dialled before a national number inside the country and is no part of it.
    trunk: String,
    /// A bit for each number of digits that a national number can have.
    lengths: u32,
    /// What national numbers look like, as a pattern.
    pattern: String,
    machine: OnceLock<Option<Machine>>,
}

/// Calling codes that no country owns: freephone, satellites, networks of their own.
const SHARED: &[u16] = &[800, 808, 870, 878, 881, 882, 883, 888, 979];

static PLANS: LazyLock<Vec<Plan>> = LazyLock::new(|| {
    // Of the codes that no country owns the list by region knows one only.
    let shared = SHARED.iter().flat_map(|code| DATABASE.by_code(code)).flatten();
    let owned = DATABASE.iter().filter(|data| data.id() != "001");
    let mut plans: Vec<Plan> = owned.chain(shared).map(Plan::of).collect();
    plans.sort_by(|one, other| (one.code, &one.region).cmp(&(other.code, &other.region)));
    plans
});

impl Plan {
    fn of(data: &Metadata) -> Plan {
        let all = data.descriptors();
        let kinds = [
            all.fixed_line(),
            all.mobile(),
            all.toll_free(),
            all.premium_rate(),
            all.shared_cost(),
            all.personal_number(),
            all.voip(),
            all.pager(),
            all.uan(),
        ];
        let kinds = || kinds.iter().flatten().copied();
        let patterns: Vec<String> = kinds()
            .map(|kind| {
                let pattern: String = kind.national_number().as_str().split_whitespace().collect();
                format!("(?:{pattern})")
            })
            .collect();
        let mut lengths = kinds()
            .chain([all.general()])
            .flat_map(Descriptor::possible_length);
        Plan {
            region: data.id().to_owned(),
            code: u32::from(data.country_code()),
            trunk: data.national_prefix().unwrap_or_default().to_owned(),
            lengths: lengths
                .try_fold(0, |bits, length| {
                    Some(bits | 1u32.checked_shl(u32::from(*length))?)
                })
                .unwrap_or(0),
            pattern: patterns.join("|"),
            machine: OnceLock::new(),
        }
    }

    /// Whether a national number can have so many digits.
    fn fits(&self, digits: &[u8]) -> bool {
        u32::try_from(digits.len()).is_ok_and(|length| self.lengths.checked_shr(length).unwrap_or(0) & 1 == 1)
    }

    /// Whether the plan knows the national number.
    fn knows(&self, digits: &[u8]) -> bool {
        if !self.fits(digits) {
            return false;
        }
        let machine = self.machine.get_or_init(|| Machine::new(&self.pattern).ok());
        machine.as_ref().is_some_and(|machine| {
            let end = digits
                .iter()
                .fold(machine.start(), |state, digit| machine.step(state, *digit));
            end.accepts()
        })
    }

    /// The number without what is dialled before it.
    fn bare<'a>(&self, digits: &'a [u8]) -> &'a [u8] {
        match digits.strip_prefix(self.trunk.as_bytes()) {
            Some(rest) if !self.trunk.is_empty() => rest,
            _ => digits,
        }
    }
}

/// What is known of a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Standing {
    /// No such calling code, or no number of that length.
    Impossible,
    /// A number could be so long.
    Possible,
    /// The plan has such numbers.
    Valid,
}

/// The standing of a number in international form, its calling code first, in ASCII digits. A trunk prefix left between
/// code and number (`+44 0141 …`) is overlooked.
pub(super) fn international(digits: &[u8]) -> Standing {
    let code = (1..=3).find_map(|length| {
        let number = digits
            .get(..length)?
            .iter()
            .fold(0, |number, digit| number * 10 + u32::from(digit & 15));
        PLANS.binary_search_by(|plan| plan.code.cmp(&number)).ok()?;
        Some((number, digits.get(length..)?))
    });
    let Some((code, national)) = code else {
        return Standing::Impossible;
    };
    let standing = |plan: &Plan| {
        [national, plan.bare(national)]
            .into_iter()
            .map(|number| match (plan.knows(number), plan.fits(number)) {
                (true, _) => Standing::Valid,
                (false, true) => Standing::Possible,
                _ => Standing::Impossible,
            })
            .max()
    };
    let from = PLANS.partition_point(|plan| plan.code < code);
    let plans = PLANS.iter().skip(from).take_while(|plan| plan.code == code);
    plans.filter_map(standing).max().unwrap_or(Standing::Impossible)
}

/// Whether one of `regions` (two letters each, parted by blanks) has that number, as dialled inside the country.
pub(super) fn national(digits: &[u8], regions: &str) -> bool {
    regions.split_whitespace().any(|region| {
        let plan = place(region)
            .and_then(|place| REGIONS.get(place))
            .and_then(|plan| PLANS.get(*plan));
        plan.is_some_and(|plan| plan.knows(plan.bare(digits)))
    })
}

/// Where the plan of each region stands among all, by the letters of its name.
static REGIONS: LazyLock<Vec<usize>> = LazyLock::new(|| {
    let mut places = vec![usize::MAX; 26 * 26];
    for (number, plan) in PLANS.iter().enumerate().rev() {
        if let Some(slot) = place(&plan.region).and_then(|place| places.get_mut(place)) {
            *slot = number;
        }
    }
    places
});

/// The place of a region in [`REGIONS`].
fn place(region: &str) -> Option<usize> {
    let [first, second] = region.as_bytes() else {
        return None;
    };
    let letter = |byte: &u8| {
        byte.checked_sub(b'A')
            .filter(|place| *place < 26)
            .map(usize::from)
    };
    Some(letter(first)? * 26 + letter(second)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_plan_becomes_an_automaton() {
        assert!(PLANS.len() > 240);
        let wrong: Vec<&str> = PLANS
            .iter()
            .filter(|plan| Machine::new(&plan.pattern).is_err())
            .map(|plan| plan.region.as_str())
            .collect();
        assert_eq!(wrong, [""; 0], "do not compile");
    }

    #[test]
    fn numbers_stand_as_the_plans_say() {
        for (number, standing) in [
            ("14155552671", Standing::Valid),
            ("442079460958", Standing::Valid),
            ("4402079460958", Standing::Valid),
            ("33142685300", Standing::Valid),
            ("1415555267", Standing::Impossible),
            ("11155552671", Standing::Possible),
            ("999123456789", Standing::Impossible),
        ] {
            assert_eq!(international(number.as_bytes()), standing, "{number}");
        }
        assert!(national(b"02079460958", "GB"));
        assert!(national(b"0612345678", "FR"));
        assert!(!national(b"0612345678", "US"));
    }
}
