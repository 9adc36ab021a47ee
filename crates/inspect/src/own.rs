//! Rules that users write: the same blocks as the built-in ones, held to the same things when they are read.
//!
//! Every rule is tried alone on its own cases before it is let in: a guard that is configured and does not find what its
//! author says it finds is worse than none. All that is wrong is told, not the first thing only.

use std::ops::RangeInclusive;

use portcullis_core::{Channel, Family, Kind, Span};

use crate::{
    Inspector, Rule, RuleError, Source,
    around::{AFTER, BEFORE, LONG},
    corpus::expand,
    cost::costly_word,
    inspector::built_in_rules,
};

/// Families that a user's rule may belong to: those whose findings a profile's settings rule on by family.
const FAMILIES: [Family; 3] = [Family::Injection, Family::Secret, Family::Pii];

/// How far before a match a keyword may be looked for.
const NEAR: usize = BEFORE - LONG;

impl Inspector {
    /// The built-in rules and others besides.
    ///
    /// A rule with the id of a built-in one of the same family is another form of the same kind.
    ///
    /// # Errors
    /// What is wrong with which of the other rules, by number; several may be told of one.
    pub fn with(extra: &[Source]) -> Result<Inspector, Vec<(usize, RuleError)>> {
        // INVARIANT: this crate's tests find what is wrong with built-in rules; it concerns none of the others.
        let built_in = built_in_rules().map_err(|error| vec![(usize::MAX, error)])?;
        let mut all = built_in;
        let mut errors = Vec::new();
        for (number, source) in extra.iter().enumerate() {
            let mut wrong = Vec::new();
            well_formed(source, &mut wrong);
            let rule = source.clone().into_rule(Family::Secret);
            if let Some(other) = all
                .iter()
                .find(|other| other.id == rule.id && other.family != rule.family)
            {
                let family = other.family.name();
                wrong
                    .push(source.wrong_at("id", format!("there is a kind of that name, of family {family}")));
            }
            if wrong.is_empty() {
                compiles_and_finds(&rule, &mut wrong);
            }
            errors.extend(wrong.into_iter().map(|error| (number, error)));
            all.push(rule);
        }
        match errors.is_empty() {
            true => Inspector::new(all).map_err(|error| vec![(usize::MAX, error)]),
            false => Err(errors),
        }
    }
}

/// What can be seen without compiling anything.
fn well_formed(source: &Source, wrong: &mut Vec<RuleError>) {
    let mut say = |place: &str, reason: &str| wrong.push(source.wrong_at(place, reason));
    let fine = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    let letter = source
        .id
        .chars()
        .next()
        .is_some_and(|first| first.is_ascii_alphabetic());
    if !letter || source.id.len() > 64 || !source.id.chars().all(fine) {
        say(
            "id",
            "an id is a letter and up to 63 letters, digits, `_`, `.` and `-`",
        );
    }
    if source.family.is_some_and(|family| !FAMILIES.contains(&family)) {
        say(
            "family",
            "a rule of your own is of family secret, pii or injection",
        );
    }
    if source.pattern.is_empty() {
        say("pattern", "there is no pattern");
    }
    in_range(f64::from(source.score), 0.0..=1.0, "score", &mut say);
    // No byte sequence has more than eight bits a byte.
    in_range(f64::from(source.entropy), 0.0..=8.0, "entropy", &mut say);
    if source.near > NEAR {
        say(
            "near",
            &format!("keywords are looked for within {NEAR} bytes before a match"),
        );
    }
    if source.near_after > AFTER {
        say(
            "near_after",
            &format!("keywords are looked for within {AFTER} bytes behind a match"),
        );
    }
    if source.channels.as_ref().is_some_and(Vec::is_empty) {
        say("channels", "a rule for no channel finds nothing");
    }
    if let Err(error) = source.find_check() {
        wrong.push(error);
    }
}

fn in_range(value: f64, range: RangeInclusive<f64>, place: &str, say: &mut impl FnMut(&str, &str)) {
    if !range.contains(&value) {
        say(place, &format!("is from {} to {}", range.start(), range.end()));
    }
}

/// A mistake in a pattern is drawn over several lines, with what it is at the end of them.
fn in_one_line(reason: &str) -> String {
    let (pattern, error) = match (reason.split_once("`: "), reason.rsplit_once("error: ")) {
        (Some((pattern, _)), Some((_, error))) => (pattern, error),
        _ => return reason.to_owned(),
    };
    let hint = match error.contains("invalid UTF-8") {
        true => ": say `(?u)` before `.`, a negated class, `\\S`, `\\W` or `\\D`, or name the characters",
        false => "",
    };
    format!("{pattern}`: {error}{hint}")
}

/// Compiles a rule alone and tries it on its cases.
fn compiles_and_finds(rule: &Rule, wrong: &mut Vec<RuleError>) {
    let source = &rule.source;
    // One after the other, so that each pattern's mistake is told with its place.
    for (number, pattern) in source.pattern.iter().enumerate() {
        let one = Rule {
            source: Source {
                pattern: vec![pattern.clone()],
                ..source.clone()
            },
            ..rule.clone()
        };
        let compiled = Inspector::new(vec![one]).and_then(|alone| alone.compile());
        if let Err(RuleError::Rule { place, reason, .. }) = compiled {
            let place = match place.as_str() {
                "" => format!("pattern[{number}]"),
                // It concerns every pattern and was told with the first.
                _ if number > 0 => continue,
                _ => place,
            };
            wrong.push(source.wrong_at(&place, in_one_line(&reason)));
        }
    }
    if !wrong.is_empty() {
        return;
    }
    let Ok(alone) = Inspector::new(vec![rule.clone()]) else {
        return;
    };
    for number in 0..source.pattern.len() {
        let shape = alone.shape(number);
        if let Some(word) = shape.and_then(|shape| costly_word(shape, source)) {
            let reason = format!(
                "a text that repeats {word:?} would cost the square of its length: bound what repeats, as in \
                 `{{1,200}}`, or say with `before` what it may not follow"
            );
            wrong.push(source.wrong_at(&format!("pattern[{number}]"), reason));
        }
    }
    let channel = rule.channels.first().copied().unwrap_or(Channel::User);
    let selection = alone.select(|_| true);
    let finds = |text: &str| -> Vec<Span> {
        let mut found = Vec::new();
        alone.scan_plain(text, channel, &selection, &mut found);
        found.into_iter().map(|finding| finding.span).collect()
    };
    for (number, hit) in source.hit.iter().enumerate() {
        let (text, marked) = case(hit, number);
        let found = finds(&text);
        let reason = match marked {
            None => "mark what is to be found, as in `key «abc»`".to_owned(),
            Some(marked) if found == [marked] => continue,
            Some(_) if found.is_empty() => "is not found".to_owned(),
            Some(_) => {
                let found: Vec<&str> = found
                    .iter()
                    .filter_map(|span| text.get(span.start..span.end))
                    .collect();
                format!("found is `{}`", found.join("`, `"))
            }
        };
        wrong.push(source.wrong_at(&format!("hit[{number}]"), reason));
    }
    for (number, miss) in source.miss.iter().enumerate() {
        let (text, _) = case(miss, number);
        let found = finds(&text);
        if let Some(found) = found.first().and_then(|span| text.get(span.start..span.end)) {
            wrong.push(source.wrong_at(&format!("miss[{number}]"), format!("is found: `{found}`")));
        }
    }
}

/// A case written out: its text without marks, and what is marked.
fn case(template: &str, seed: usize) -> (String, Option<Span>) {
    let text = expand(template, u64::try_from(seed).unwrap_or(0) + 1);
    let marked = text
        .find('«')
        .zip(text.find('»'))
        .filter(|(start, end)| start < end)
        .map(|(start, end)| Span::new(start, end - '«'.len_utf8()));
    (text.replace(['«', '»'], ""), marked)
}

impl Source {
    /// The rule that is written; of that family where it names none.
    pub(crate) fn into_rule(self, family: Family) -> Rule {
        Rule {
            id: Kind::new(&self.id),
            family: self.family.unwrap_or(family),
            channels: self.channels.clone().unwrap_or_else(|| Channel::ALL.to_vec()),
            source: self,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sources(text: &str) -> Vec<Source> {
        Source::read_file(text).unwrap()
    }

    fn wrong(block: &str) -> Vec<String> {
        let sources = sources(&format!("[[rule]]\n{block}"));
        let errors = Inspector::with(&sources).map(drop).unwrap_err();
        let told = errors.into_iter().map(|(number, error)| {
            assert_eq!(number, 0);
            error.to_string()
        });
        told.collect()
    }

    const FINE: &str = "
        [[rule]]
        id = 'ACME_BADGE'
        family = 'pii'
        severity = 'medium'
        pattern = 'AB-[0-9]{6}'
        hit = ['badge «AB-{digit:6}».']
        miss = ['AB-{digit:5}', 'xAB-{digit:6}']

        [[rule]]
        id = 'ACME_KEY'
        severity = 'high'
        pattern = ['(?<value>[a-f0-9]{20})']
        keywords = ['acme_key']
        hit = ['acme_key = «{hex:20}»']
        miss = ['key = {hex:20}']
    ";

    #[test]
    fn a_rule_of_ones_own_finds_beside_the_built_in_ones() {
        let inspector = Inspector::with(&sources(FINE)).unwrap();
        let all = inspector.select(|_| true);
        let mut found = Vec::new();
        inspector.scan("AB-123456 and anna@example.com", Channel::User, &all, &mut found);
        let kinds: Vec<_> = found
            .iter()
            .map(|finding| (finding.kind.as_str(), finding.family))
            .collect();
        assert_eq!(
            kinds,
            [("ACME_BADGE", Family::Pii), ("EMAIL_ADDRESS", Family::Pii)]
        );
        let of = |id: &str| {
            inspector
                .rules()
                .iter()
                .find(|rule| rule.id().as_str() == id)
                .unwrap()
                .family()
        };
        assert_eq!(of("ACME_KEY"), Family::Secret);
    }

    #[test]
    fn every_mistake_is_told_with_its_place() {
        let fine = "id = 'X'\nseverity = 'low'\n";
        for (rest, says) in [
            (
                "pattern = 'ab['",
                "rule X: pattern[0]: `ab[`: unclosed character class",
            ),
            (
                "pattern = 'a[^b]'",
                "rule X: pattern[0]: `a[^b]`: pattern can match invalid UTF-8: say `(?u)`",
            ),
            ("pattern = ['abc', 'x*']", "rule X: pattern[1]: "),
            ("pattern = 'abc$'", "pattern[0]"),
            (
                "pattern = ['abc', '[a-z ]+k']",
                "rule X: pattern[1]: a text that repeats",
            ),
            ("pattern = []", "rule X: pattern: there is no pattern"),
            (
                "pattern = 'abc'\nchecksum = 'luna'",
                "rule X: checksum: there is no checksum named luna",
            ),
            ("pattern = 'abc'\nkeywords = ['ab']", "rule X: keywords: "),
            ("pattern = 'abc'\nscore = 2", "rule X: score: "),
            ("pattern = 'abc'\nfamily = 'link'", "rule X: family: "),
            ("pattern = 'abc'\nnear = 5000", "rule X: near: "),
            ("pattern = 'abc'\nnear_after = 65", "rule X: near_after: "),
            ("pattern = 'abc'\nchannels = []", "rule X: channels: "),
            (
                "pattern = 'abc'\nhit = ['«abc»', 'an «abd»']",
                "rule X: hit[1]: is not found",
            ),
            (
                "pattern = 'abc'\nhit = ['«an abc»']",
                "rule X: hit[0]: found is `abc`",
            ),
            ("pattern = 'abc'\nhit = ['abc']", "rule X: hit[0]: mark"),
            (
                "pattern = 'abc'\nmiss = ['abd', 'abc']",
                "rule X: miss[1]: is found: `abc`",
            ),
        ] {
            let told = wrong(&format!("{fine}{rest}"));
            assert_eq!(told.len(), 1, "{rest}: {told:?}");
            assert!(
                told[0].contains(says) && !told[0].contains('\n'),
                "{rest}: {told:?}"
            );
        }
        let told = wrong("id = 'a b'\nseverity = 'low'\npattern = 'abc'\nscore = -1");
        assert_eq!(told.len(), 2, "{told:?}");
        let told = wrong("id = 'IBAN'\nseverity = 'low'\npattern = 'abc'");
        assert!(told[0].contains("of family pii"), "{told:?}");
    }

    #[test]
    fn a_rule_may_be_another_form_of_a_built_in_kind() {
        let rules =
            sources("[[rule]]\nid = 'IBAN'\nfamily = 'pii'\nseverity = 'low'\npattern = 'IB-[0-9]{4}'");
        let inspector = Inspector::with(&rules).unwrap();
        let all = inspector.select(|_| true);
        let mut found = Vec::new();
        inspector.scan("IB-1234", Channel::User, &all, &mut found);
        assert_eq!(found[0].kind.as_str(), "IBAN");
    }
}
