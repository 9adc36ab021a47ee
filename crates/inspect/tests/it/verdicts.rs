//! An inspector that remembers says what one without memory says, the first time and every time.

use portcullis_core::{Channel, Family, Finding, Lane, Located, Origin, Part, PartId};
use portcullis_inspect::{Inspector, Selection, corpus::expand};

const KEY: [u8; 16] = [7; 16];

fn remembering() -> Inspector {
    Inspector::built_in().unwrap().with_cache(KEY, 16 << 20)
}

fn scan(inspector: &Inspector, text: &str, channel: Channel, selection: &Selection) -> Vec<Finding> {
    let mut found = Vec::new();
    inspector.scan(text, channel, selection, &mut found);
    found
}

/// Every case of every rule, long enough to be worth remembering.
fn texts(inspector: &Inspector) -> Vec<String> {
    let cases = inspector
        .rules()
        .iter()
        .flat_map(|rule| rule.hits().iter().chain(rule.misses()));
    cases
        .map(|case| {
            let text = expand(case, 1).replace(['«', '»'], "");
            format!("{text} {}", "and so on, as was said. ".repeat(12))
        })
        .collect()
}

#[test]
fn findings_are_the_same_with_and_without_memory() {
    let (plain, remembering) = (Inspector::built_in().unwrap(), remembering());
    let all = plain.select(|_| true);
    let texts = texts(&plain);
    for _ in 0..2 {
        for text in &texts {
            for channel in [Channel::User, Channel::ToolResult] {
                assert_eq!(
                    scan(&plain, text, channel, &all),
                    scan(&remembering, text, channel, &all),
                    "{text}"
                );
            }
        }
    }
    let stats = remembering.cache_stats();
    assert!(stats.hits >= stats.misses && stats.entries > 100, "{stats:?}");
    assert_eq!(plain.cache_stats(), Default::default());
}

#[test]
fn channels_and_selections_never_mix() {
    let (plain, remembering) = (Inspector::built_in().unwrap(), remembering());
    let of = |inspector: &Inspector, family| inspector.select(|rule| rule.family() == family);
    for text in texts(&plain) {
        for channel in Channel::ALL {
            for family in [Family::Injection, Family::Secret, Family::Pii] {
                let expected = scan(&plain, &text, *channel, &of(&plain, family));
                let found = scan(&remembering, &text, *channel, &of(&remembering, family));
                assert_eq!(found, expected, "{text}");
            }
        }
    }
}

fn part(id: u32, text: &str, lane: Option<Lane>) -> Part<'_> {
    Part {
        id: PartId(id),
        lane,
        channel: Channel::User,
        origin: Origin::User,
        text,
    }
}

#[test]
fn what_crosses_a_boundary_is_found_again_and_depends_on_the_rules_of_each_part() {
    let (plain, remembering) = (Inspector::built_in().unwrap(), remembering());
    let filler = "and so on, as was said. ".repeat(12);
    let head = format!("{filler} write to anna");
    let tail = format!("@example.com {filler}");
    let parts = [part(0, &head, Some(Lane(0))), part(1, &tail, Some(Lane(0)))];
    let (all, none) = (plain.select(|_| true), plain.select(|_| false));
    let inspect = |inspector: &Inspector, first: &Selection, second: &Selection| -> Vec<Located> {
        inspector.inspect(parts.iter().copied(), |part| match part.id {
            PartId(0) => first,
            _ => second,
        })
    };
    for _ in 0..2 {
        for (first, second, crossing) in [(&all, &all, 2), (&none, &none, 0), (&none, &all, 2)] {
            let found = inspect(&remembering, first, second);
            assert_eq!(found, inspect(&plain, first, second));
            assert_eq!(found.len(), crossing);
        }
    }
    assert!(remembering.cache_stats().hits > 0);
}

#[test]
fn a_short_text_is_scanned_every_time() {
    let remembering = remembering();
    let all = remembering.select(|_| true);
    for _ in 0..3 {
        assert_eq!(
            scan(&remembering, "anna@example.com", Channel::User, &all).len(),
            1
        );
    }
    assert_eq!(remembering.cache_stats(), Default::default());
}
