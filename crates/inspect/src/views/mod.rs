//! Canonical views: what a text says when its disguises are taken off.
//!
//! A view undoes one way of writing a text so that rules do not see it. Views are applied to what views made, up to
//! [`DEPTH`] times and within a budget of derived bytes, so that the cost of a text is linear in its length whatever it
//! holds. Every derived text maps back to the original. Views find nothing and judge nothing.

mod base64;
mod bases;
mod census;
pub(crate) mod characters;
mod decoding;
mod escapes;
pub(crate) mod flow;
mod fold;
mod hyphens;
mod leet;
mod markup;
mod morse;
pub(crate) mod padding;
mod percent;
mod radix;
mod reversed;
mod rotated;
mod smuggled;
mod spaced;
mod words;

use std::{
    cell::OnceCell,
    collections::{HashSet, VecDeque},
    hash::{BuildHasher, RandomState},
};

use portcullis_core::{Family, Span};

use crate::{
    derived::{Draft, Map, concerns},
    selection::Readers,
};
use census::Census;

/// How often views are applied on top of each other.
const DEPTH: usize = 3;
/// All derived texts of a text together may be so many times as long, and so many bytes more.
const TIMES: usize = 2;
const MORE: usize = 16 << 10;

/// The families whose rules read views: those of what somebody reads. What acts when a reply is rendered or run acts as it is
/// written: a disguised link is no link.
pub(crate) const READ: &[Family] = &[
    Family::Injection,
    Family::Secret,
    Family::Pii,
    Family::SystemPrompt,
];

/// The families that read what a text says. What acts when it is shown acts as it stands, not when it is decoded.
const SAID: &[Family] = &[
    Family::Injection,
    Family::Secret,
    Family::Pii,
    Family::Link,
    Family::SystemPrompt,
];

/// A way of writing a text that a table or an automaton can undo.
pub trait View: Sync {
    /// Its name.
    fn id(&self) -> &'static str;

    /// What it undoes, in a sentence.
    fn about(&self) -> &'static str;

    /// The families of rules that read it.
    fn families(&self) -> &'static [Family];

    /// Writes `text` so that this view undoes it; nothing where it cannot carry the text.
    fn disguise(&self, text: &str) -> Option<String>;

    /// The cues one of which a text must hold for the view to change it.
    #[doc(hidden)]
    fn cues(&self) -> u64;

    /// Whether the view could change anything in a text.
    #[doc(hidden)]
    fn is_cued(&self, source: &Source<'_>) -> bool {
        source.census.any(self.cues())
    }

    /// Whether a text that hides so is suspicious whatever it says.
    #[doc(hidden)]
    fn is_suspicious(&self) -> bool {
        false
    }

    /// Whether text is put into this form for machines, so that more layers than views undo are no accident.
    #[doc(hidden)]
    fn is_encoding(&self) -> bool {
        false
    }

    /// Whether a text may hold several layers of it.
    #[doc(hidden)]
    fn is_layered(&self) -> bool {
        self.is_encoding()
    }

    /// Adds what the text says.
    #[doc(hidden)]
    fn apply(&self, source: &Source<'_>, out: &mut Vec<Draft>);
}

/// Every view. Those that all rules read come first.
pub static VIEWS: &[&dyn View] = &[
    &escapes::Escapes,
    &fold::Fold,
    &smuggled::Smuggled,
    &percent::Percent,
    &percent::Entities,
    &percent::Quoted,
    &base64::Base64,
    &radix::Radix,
    &bases::Bases,
    &bases::Base85,
    &markup::Markup,
    &hyphens::Hyphens,
    &padding::Padding,
    &leet::Leet,
    &spaced::Spaced,
    &reversed::Reversed,
    &rotated::Rotated,
    &morse::Morse,
];

/// A text as a view sees it.
#[derive(Debug)]
pub struct Source<'a> {
    pub(crate) text: &'a str,
    pub(crate) census: Census,
    /// Whether a view made it, so that marks may stand where text was left out. What looks like one elsewhere is the writer's.
    pub(crate) derived: bool,
    /// Asked for by several views.
    long_runs: OnceCell<Vec<Span>>,
}

/// A text that a view made, and where it comes from.
#[derive(Clone, Debug)]
pub struct Derived {
    /// What the text says.
    pub text: String,
    /// The views that made it, the first one first.
    pub trail: Vec<&'static str>,
    map: Map,
    changes: Vec<Span>,
    families: Vec<Family>,
}

impl Derived {
    /// The range of the original text that made `span` of this one.
    #[must_use]
    pub fn original(&self, span: Span) -> Span {
        self.map.original(span)
    }

    /// Whether rules of that family read it.
    #[must_use]
    pub fn is_read_by(&self, family: Family) -> bool {
        self.families.contains(&family)
    }

    /// Which rules need be run on it.
    pub(crate) fn readers(&self) -> Readers {
        match self.families.as_slice() {
            [Family::Injection] => Readers::Instructed,
            _ => Readers::All,
        }
    }

    /// Whether something in `span` is not as it stands in the text it was made of; texts made in several steps count as changed.
    #[must_use]
    pub fn changed(&self, span: Span) -> bool {
        let first = self.changes.partition_point(|change| change.end < span.start);
        self.trail.len() > 1
            || self
                .changes
                .get(first)
                .is_some_and(|change| change.start <= span.end)
    }

    /// The text as a view sees it.
    fn source(&self) -> Source<'_> {
        Source {
            derived: true,
            ..Source::of(&self.text)
        }
    }

    /// Whether nothing but encodings made it.
    fn is_encoded(&self) -> bool {
        let encoding = |id: &&str| VIEWS.iter().any(|view| view.id() == *id && view.is_encoding());
        self.trail.iter().all(encoding)
    }

    /// Whether a finding in `span` may be due to the view, so that the text before it did not show it.
    #[must_use]
    pub fn concerns(&self, span: Span) -> bool {
        concerns(&self.changes, span)
    }
}

/// What exploring a text cost and what it came upon.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Explored {
    /// Where text was written so that a model reads it and no one sees it.
    pub smuggled: Vec<Span>,
    /// Bytes of all derived texts.
    pub bytes: usize,
    /// Number of derived texts.
    pub texts: usize,
    /// Where text was left unread because undoing all of its disguises would cost too much.
    pub left: Option<Span>,
}

/// Shows `visit` what `text` says under its disguises.
pub fn explore(text: &str, visit: &mut dyn FnMut(&Derived)) -> Explored {
    let mut explored = Explored::default();
    if u32::try_from(text.len()).is_err() {
        explored.left = Some(Span::new(0, text.len()));
        return explored;
    }
    let budget = text.len() * TIMES + MORE;
    // With a key that nobody outside knows: two texts cannot be made to look like one, of which the second would not be read.
    let (key, mut known): (RandomState, HashSet<u64>) = Default::default();
    let mut queue: VecDeque<Derived> = VecDeque::new();
    let mut drafts = Vec::new();
    let mut next: Option<Derived> = None;
    loop {
        let parent = next.as_ref();
        let source = parent.map_or_else(|| Source::of(text), Derived::source);
        for view in VIEWS.iter().filter(|view| view.is_cued(&source)) {
            let families = view.families().iter().copied();
            let families: Vec<Family> = families
                .filter(|family| parent.is_none_or(|parent| parent.is_read_by(*family)))
                .collect();
            let again = parent.is_some_and(|parent| parent.trail.contains(&view.id()));
            if families.is_empty() || again && !view.is_layered() {
                continue;
            }
            view.apply(&source, &mut drafts);
            for draft in drafts.drain(..) {
                let derived = derive(draft, parent, *view, families.clone());
                if !known.insert(key.hash_one(&derived.text)) {
                    continue;
                }
                if explored.bytes + derived.text.len() > budget {
                    // That not every combination of what ordinary texts hold (markup, escapes, numbers) is read on top of
                    // each other is no accident worth a report; that a layer is not read at all, or that encodings go on, is.
                    if derived.trail.len() == 1 || derived.is_encoded() {
                        explored.leave(&derived);
                    }
                    continue;
                }
                explored.bytes += derived.text.len();
                explored.texts += 1;
                if view.is_suspicious() {
                    explored
                        .smuggled
                        .extend(derived.changes.iter().map(|change| derived.original(*change)));
                }
                visit(&derived);
                if derived.trail.len() < DEPTH {
                    queue.push_back(derived);
                } else if view.is_encoding() && goes_on(&derived) {
                    explored.leave(&derived);
                }
            }
        }
        next = queue.pop_front();
        if next.is_none() {
            return explored;
        }
    }
}

impl Explored {
    /// Notes that a text was not read, or not further.
    fn leave(&mut self, derived: &Derived) {
        let span = derived.original(Span::new(0, derived.text.len()));
        let both = |left: Span| Span::new(left.start.min(span.start), left.end.max(span.end));
        self.left = Some(self.left.map_or(span, both));
    }
}

/// Whether a text that was decoded as often as views decode is encoded still.
fn goes_on(derived: &Derived) -> bool {
    let source = derived.source();
    let mut drafts = Vec::new();
    let decodes = |view: &&&dyn View| view.is_encoding() && view.is_cued(&source);
    for view in VIEWS.iter().filter(decodes) {
        view.apply(&source, &mut drafts);
    }
    !drafts.is_empty() && derived.is_encoded()
}

fn derive(draft: Draft, parent: Option<&Derived>, view: &dyn View, families: Vec<Family>) -> Derived {
    let mut trail = parent.map(|parent| parent.trail.clone()).unwrap_or_default();
    trail.push(view.id());
    let map = match parent {
        Some(parent) => draft.map.through(&parent.map),
        None => draft.map,
    };
    Derived {
        text: draft.text,
        trail,
        map,
        changes: draft.changes,
        families,
    }
}

impl<'a> Source<'a> {
    pub(crate) fn of(text: &'a str) -> Source<'a> {
        Source {
            text,
            census: Census::of(text.as_bytes()),
            derived: false,
            long_runs: OnceCell::new(),
        }
    }

    /// The runs of characters in which base64 is written, and so hexadecimal digits and other bases.
    fn long_runs(&self) -> &[Span] {
        self.long_runs
            .get_or_init(|| base64::long_runs(self.text.as_bytes(), &self.census))
    }
}
