//! What a rule finds it also finds in disguise: each hit by each view, and some by two.

use std::collections::BTreeMap;

use portcullis_core::{Channel, Span};
use portcullis_inspect::{
    Rule, Selection,
    corpus::expand,
    views::{VIEWS, View},
};

use crate::samples::{INSPECTOR, in_parts, scan};

in_parts! { hits_in_disguise:
    every_hit_is_found_in_every_disguise_0 0,
    every_hit_is_found_in_every_disguise_1 1,
    every_hit_is_found_in_every_disguise_2 2,
    every_hit_is_found_in_every_disguise_3 3,
    every_hit_is_found_in_every_disguise_4 4,
    every_hit_is_found_in_every_disguise_5 5,
}

/// What was missed, by view.
type Missed = BTreeMap<&'static str, Vec<String>>;

/// One rule's eyes.
struct Eyes {
    channel: Channel,
    only: Selection,
}

impl Eyes {
    fn of(rule: &Rule) -> Eyes {
        Eyes {
            channel: rule.channels()[0],
            only: INSPECTOR.select(|other| other.id() == rule.id()),
        }
    }

    fn spans(&self, text: &str) -> Vec<Span> {
        scan(text, self.channel, &self.only)
            .iter()
            .map(|finding| finding.span)
            .collect()
    }

    /// Whether the text is found wherever it stands.
    fn finds_alone(&self, text: &str) -> bool {
        self.spans(text).contains(&Span::new(0, text.len()))
    }
}

/// The hits of a rule: what stands before the marked part, the part, and what stands behind it.
fn hits(rule: &Rule) -> impl Iterator<Item = [String; 3]> {
    (1..).zip(rule.hits()).map(|(seed, hit)| {
        let text = expand(hit, seed);
        let (before, rest) = text.split_once('«').unwrap();
        let (marked, after) = rest.split_once('»').unwrap();
        [before, marked, after].map(str::to_owned)
    })
}

/// The views that are read for the rule's family.
fn views(rule: &Rule) -> impl Iterator<Item = &'static dyn View> {
    let family = rule.family();
    VIEWS
        .iter()
        .copied()
        .filter(move |view| view.families().contains(&family))
}

fn placed(before: &str, disguised: &str, after: &str) -> (String, Span) {
    let start = before.len();
    (
        format!("{before}{disguised}{after}"),
        Span::new(start, start + disguised.len()),
    )
}

/// Whether a finding is that of the disguised text. The signs that frame a text in base85 are not part of what is found.
fn covers(found: Span, span: Span) -> bool {
    found.start >= span.start
        && found.start <= span.start + 2
        && found.end <= span.end
        && found.end + 2 >= span.end
}

fn report(missed: &Missed) -> String {
    let lines = |(view, texts): (&&str, &Vec<String>)| {
        format!(
            "{view}: {} missed\n  {}\n",
            texts.len(),
            texts.iter().take(4).cloned().collect::<Vec<_>>().join("\n  ")
        )
    };
    missed.iter().map(lines).collect()
}

fn hits_in_disguise(is_of_part: impl Fn(usize) -> bool) {
    let mut missed = Missed::new();
    for (_, rule) in (0..)
        .zip(INSPECTOR.rules())
        .filter(|(number, _)| is_of_part(*number))
    {
        let eyes = Eyes::of(rule);
        for hit in hits(rule) {
            let is_alone = eyes.finds_alone(&hit[1]);
            for view in views(rule) {
                if let Some(what) = missed_in(view, &eyes, &hit, is_alone) {
                    let what = format!("{}: {what}", rule.id());
                    missed.entry(view.id()).or_default().push(what);
                }
            }
        }
    }
    assert!(missed.is_empty(), "{}", report(&missed));
}

/// What is said of a hit that is not found in the disguise of a view.
fn missed_in(
    view: &dyn View,
    eyes: &Eyes,
    [before, marked, after]: &[String; 3],
    is_alone: bool,
) -> Option<String> {
    let disguised = view.disguise(marked)?;
    let found = |text: &str, span: Span| eyes.spans(text).iter().any(|found| covers(*found, span));
    let (text, span) = placed(before, &disguised, after);
    // What stands around it may be of the same signs: then it is set apart.
    let in_place = || found(&text, span);
    let apart = || {
        let (text, span) = placed(&format!("{before}  "), &disguised, &format!("  {after}"));
        found(&text, span)
    };
    // A view that reads a value out of its place loses what stood around it: where that counts, all is disguised.
    let in_all = || {
        let all = view.disguise(&format!("{before}{marked}{after}"));
        !is_alone && all.is_none_or(|all| !eyes.spans(&all).is_empty())
    };
    let is_found = in_place() || apart() || in_all();
    (!is_found).then(|| format!("{marked:?} as {text:?}: {span:?}, found {:?}", eyes.spans(&text)))
}

#[test]
fn a_hit_in_two_disguises_is_found() {
    let mut missed = Missed::new();
    let mut tried = 0;
    let said = |rule: &&Rule| rule.id().as_str() != "injection.smuggled";
    for (number, rule) in INSPECTOR.rules().iter().filter(said).enumerate() {
        let eyes = Eyes::of(rule);
        // A value that is found wherever it stands: two disguises take it far from the words around it.
        let Some([_, marked, _]) = hits(rule).find(|[_, marked, _]| eyes.finds_alone(marked)) else {
            continue;
        };
        for (at, outer) in views(rule).enumerate() {
            // Each rule with a part of all pairs, all rules with all.
            for (_, inner) in (0..)
                .zip(views(rule))
                .filter(|(inner, _)| (inner + at + number) % 5 == 0)
            {
                let twice = inner.disguise(&marked).and_then(|once| outer.disguise(&once));
                let Some(disguised) = twice else { continue };
                tried += 1;
                let (text, span) = placed("see:  ", &disguised, "  .");
                let is = |found: &Span| found.overlaps(span) && 10 * found.len() > 7 * span.len();
                if !eyes.spans(&text).iter().any(is) {
                    let (inner, id) = (inner.id(), rule.id());
                    let what = format!("{inner} in {}: {id}: {marked:?} as {text:?}", outer.id());
                    missed.entry(outer.id()).or_default().push(what);
                }
            }
        }
    }
    assert!(tried > 500, "{tried}");
    assert!(missed.is_empty(), "{tried} tried; {}", report(&missed));
}
