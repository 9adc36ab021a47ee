//! What views undo character by character, for texts that come piece by piece.
//!
//! Coarser than the views on purpose: where a view asks what stands around a character before it changes it, this changes
//! it. So whatever a view shows of a text is shown here too, as soon as it is there, and more that is not so: who takes
//! something for a match by this asks the views themselves before it is reported. Nothing here finds or judges.

use portcullis_core::Span;
use unicode_normalization::char::compose;

use super::{
    characters::{Class, alike, bare, class, narrow, quote, styled},
    escapes, markup, percent,
};

/// The longest tag or comment that is taken out of a text that comes piece by piece: what stands before it waits for its end.
const TAG: usize = 512;

/// So many signs of emphasis in a row.
const EMPHASIS: usize = 3;

/// A character of what a text says, and the bytes of the text that it stands for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Unit {
    pub(crate) c: char,
    pub(crate) span: Span,
    /// Whether the text does not say it so.
    pub(crate) changed: bool,
}

/// A way of reading a text on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dress {
    /// What cannot be seen is left out, other styles of letters are plain ones.
    Styles,
    /// Besides, look-alikes of other scripts are what they look like.
    Alikes,
    /// The same from where a word is Latin on: words of the other script stay as they are.
    Mixed,
    /// Besides, letters bear no marks.
    Bare,
    Escapes,
    Percent,
    Entities,
    Markup,
    // Any two of these on top of each other, in whatever order.
    Inward,
    Outward,
    Page,
}

impl Dress {
    pub(crate) const EACH: &'static [Dress] = &[
        Dress::Styles,
        Dress::Alikes,
        Dress::Mixed,
        Dress::Bare,
        Dress::Escapes,
        Dress::Percent,
        Dress::Entities,
        Dress::Markup,
    ];

    /// Those of several on top of each other.
    pub(crate) const LAYERED: &'static [Dress] = &[Dress::Inward, Dress::Outward, Dress::Page];

    /// Whether it is one of several that a text may wear on top of each other.
    pub(crate) fn is_layer(self) -> bool {
        matches!(
            self,
            Dress::Escapes | Dress::Percent | Dress::Entities | Dress::Markup
        )
    }

    /// Whether `c` behind `before` may begin what this undoes. `live` says whether a match may be under way where `c` stands:
    /// what is only left out begins none.
    pub(crate) fn is_cued(self, before: char, c: char, live: bool) -> bool {
        let in_word = || before.is_alphanumeric();
        match self {
            Dress::Escapes => c == '\\',
            Dress::Percent => c == '%',
            Dress::Entities => c == '&',
            Dress::Markup => (c == '<' || markup::is_emphasis(c) && in_word()) && live,
            Dress::Styles if !c.is_ascii() => match class(c) {
                Class::Gone | Class::Blank | Class::Line | Class::Mark | Class::Styled | Class::Wide => true,
                Class::Quote => in_word() && live,
                _ => false,
            },
            Dress::Alikes | Dress::Mixed if !c.is_ascii() => class(c) == Class::Alike,
            // A word is bare of its marks where nearly all of its letters bear one.
            Dress::Bare if !c.is_ascii() => match class(c) {
                Class::Mark => true,
                Class::Latin => !before.is_ascii() && class(before) == Class::Latin,
                _ => false,
            },
            Dress::Styles
            | Dress::Alikes
            | Dress::Mixed
            | Dress::Bare
            | Dress::Inward
            | Dress::Outward
            | Dress::Page => false,
        }
    }

    /// So many bytes behind a change a reading through it is still not the plain one: rules look at what stands before them.
    pub(crate) fn reach(self) -> usize {
        match self {
            // What was left out only matters to the match that it stands in.
            Dress::Markup => 0,
            _ => 128,
        }
    }

    /// What undoes it behind `before`, the first one first.
    pub(crate) fn steps(self, before: char) -> Vec<Step> {
        let coded = |way| Step::Coded(Coded::new(way));
        let styles = || Step::Styles { last: None };
        let alikes = |bare, mixed| Step::Alikes {
            bare,
            mixed,
            latin: is_latin(false, before),
        };
        let markup = || {
            Step::Markup(Markup {
                in_word: before.is_alphanumeric(),
                ..Markup::default()
            })
        };
        match self {
            Dress::Styles => vec![styles()],
            Dress::Alikes => vec![alikes(false, false)],
            Dress::Mixed => vec![alikes(false, true)],
            Dress::Bare => vec![alikes(true, false)],
            Dress::Escapes => vec![coded(Way::Escapes), styles()],
            Dress::Percent => vec![coded(Way::Percent), styles()],
            Dress::Entities => vec![coded(Way::Entities), styles()],
            Dress::Markup => vec![markup(), styles()],
            Dress::Inward => vec![
                coded(Way::Escapes),
                coded(Way::Entities),
                coded(Way::Percent),
                styles(),
            ],
            Dress::Outward => vec![
                coded(Way::Percent),
                coded(Way::Entities),
                coded(Way::Escapes),
                styles(),
            ],
            Dress::Page => vec![coded(Way::Escapes), coded(Way::Entities), markup(), styles()],
        }
    }
}

/// Whether what a dress shows may be the beginning of another.
pub(crate) fn is_layered(units: &[Unit]) -> bool {
    units
        .iter()
        .any(|unit| unit.changed && (introduces(unit.c) || unit.c == '<'))
}

/// Whether something may be written by its number or name from `c` on.
fn introduces(c: char) -> bool {
    matches!(c, '\\' | '%' | '&')
}

/// How many bytes at the beginning of `text` no dress can begin with.
pub(crate) fn quiet(text: &str) -> usize {
    let loud = |byte: &u8| {
        !byte.is_ascii()
            || matches!(
                byte,
                b'\\' | b'%' | b'&' | b'<' | b'*' | b'`' | b'~' | b'|' | b'^'
            )
    };
    text.as_bytes().iter().position(loud).unwrap_or(text.len())
}

/// Something that undoes one dress.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// Waits for a mark behind the last letter.
    Styles {
        last: Option<Unit>,
    },
    Alikes {
        bare: bool,
        mixed: bool,
        /// Whether the word that is being read has a Latin letter.
        latin: bool,
    },
    Coded(Coded),
    Markup(Markup),
}

/// Whether a word that had a Latin letter, or had none, has one behind `c`.
fn is_latin(was: bool, c: char) -> bool {
    match c.is_ascii() {
        true => c.is_ascii_alphanumeric(),
        false => match class(c) {
            Class::Latin | Class::Styled => true,
            Class::Foreign | Class::Alike | Class::Gone | Class::Mark => was,
            _ => false,
        },
    }
}

/// Sends characters through steps; what comes out takes their place. `spare` is room to work in.
pub(crate) fn send(steps: &mut [Step], units: &mut Vec<Unit>, spare: &mut Vec<Unit>) {
    let mut is_open = false;
    for step in steps {
        units.drain(..).for_each(|unit| step.push(unit, spare));
        if let Step::Styles { last } = step
            && is_open
        {
            // What stands before something undecided is not undecided itself.
            spare.extend(last.take());
        }
        is_open |= step.is_open();
        std::mem::swap(units, spare);
    }
}

/// Ends the text that went through steps; what they kept is in `units` then.
pub(crate) fn end(steps: &mut [Step], units: &mut Vec<Unit>, spare: &mut Vec<Unit>) {
    for step in steps {
        units.drain(..).for_each(|unit| step.push(unit, spare));
        step.finish(spare);
        std::mem::swap(units, spare);
    }
}

impl Step {
    /// Where what it keeps begins, if that may become the beginning of something that the text does not say.
    pub(crate) fn pending(&self) -> Option<usize> {
        match self {
            Step::Styles { last } => last.filter(|last| last.changed).map(|last| last.span.start),
            Step::Coded(coded) => coded.units.first().map(|first| first.span.start),
            Step::Alikes { .. } | Step::Markup(_) => None,
        }
    }

    /// Whether it keeps anything that what follows may change.
    pub(crate) fn is_open(&self) -> bool {
        match self {
            Step::Coded(coded) => !coded.units.is_empty(),
            Step::Markup(markup) => !markup.tag.is_empty() || !markup.signs.is_empty(),
            Step::Styles { .. } | Step::Alikes { .. } => false,
        }
    }

    /// Whether it keeps what stands at `span`.
    pub(crate) fn keeps(&self, span: Span) -> bool {
        match self {
            Step::Styles { last } => last.is_some_and(|last| last.span.end == span.end),
            _ => self.is_open(),
        }
    }

    fn push(&mut self, unit: Unit, out: &mut Vec<Unit>) {
        match self {
            Step::Styles { last } => {
                if let Some(composed) = last.and_then(|last| composed(last, unit)) {
                    *last = Some(composed);
                    return;
                }
                out.extend(last.take());
                let from = out.len();
                plain(unit, false, false, out);
                if out.len() == from + 1 {
                    *last = out.pop_if(|unit| unit.c.is_alphabetic());
                }
            }
            Step::Alikes { bare, mixed, latin } => {
                *latin = is_latin(*latin, unit.c);
                plain(unit, *latin || !*mixed, *bare, out);
            }
            Step::Coded(coded) => coded.push(unit, out),
            Step::Markup(markup) => markup.push(unit, out),
        }
    }

    fn finish(&mut self, out: &mut Vec<Unit>) {
        match self {
            Step::Styles { last } => out.extend(last.take()),
            Step::Alikes { .. } => {}
            Step::Coded(coded) => coded.settle(true, out),
            Step::Markup(markup) => {
                out.append(&mut markup.signs);
                out.append(&mut markup.tag);
            }
        }
    }
}

/// A letter and the mark behind it as one letter; the letter alone, where it goes with no such mark.
fn composed(last: Unit, mark: Unit) -> Option<Unit> {
    if mark.c.is_ascii() || class(mark.c) != Class::Mark {
        return None;
    }
    let mark_c = match mark.c {
        '\u{ff9e}' => '\u{3099}',
        '\u{ff9f}' => '\u{309a}',
        c => c,
    };
    Some(Unit {
        c: compose(last.c, mark_c).unwrap_or_else(|| bare(last.c)),
        span: Span::new(last.span.start, mark.span.end),
        changed: true,
    })
}

/// Adds what a character stands for.
fn plain(unit: Unit, alikes: bool, naked: bool, out: &mut Vec<Unit>) {
    if unit.c.is_ascii() {
        out.push(unit);
        return;
    }
    let mut say = |c: char| {
        out.push(Unit {
            c,
            changed: c != unit.c || unit.changed,
            span: unit.span,
        });
    };
    match class(unit.c) {
        Class::Gone | Class::Mark => {}
        Class::Blank => say(' '),
        Class::Line => say('\n'),
        Class::Wide => say(narrow(unit.c).unwrap_or(unit.c)),
        Class::Quote => quote(unit.c).chars().for_each(say),
        Class::Styled => match styled(unit.c) {
            Some(said) => said.chars().for_each(say),
            None => say(unit.c),
        },
        Class::Alike if alikes => say(alike(unit.c).unwrap_or(unit.c)),
        Class::Latin if naked => say(bare(unit.c)),
        Class::Alike | Class::Latin | Class::Foreign | Class::Inert => say(unit.c),
    }
}

/// A way of writing a character by its number or name.
#[derive(Clone, Copy, Debug)]
enum Way {
    Escapes,
    Percent,
    Entities,
}

impl Way {
    fn sign(self) -> char {
        match self {
            Way::Escapes => '\\',
            Way::Percent => '%',
            Way::Entities => '&',
        }
    }

    /// Whether what follows may change what `text` begins with.
    fn is_open(self, text: &[u8]) -> bool {
        match self {
            Way::Escapes => escapes::is_open(text),
            Way::Percent => percent::is_open(text),
            Way::Entities => percent::is_open_entity(text),
        }
    }

    /// What `text` begins with: its length, and the character, if it says one.
    fn undo(self, text: &[u8]) -> Option<(usize, Option<char>)> {
        let one = |(length, c)| (length, Some(c));
        match self {
            Way::Escapes => escapes::undo(text),
            Way::Percent => percent::character(text, b'%').map(one),
            Way::Entities => percent::entity(text.get(1..)?).map(|(length, c)| (length + 1, Some(c))),
        }
    }
}

/// Undoes escapes.
#[derive(Clone, Debug)]
pub(crate) struct Coded {
    way: Way,
    /// What may be an escape, from its sign on.
    units: Vec<Unit>,
    /// The same as bytes, one for each; what is not ASCII is in no escape.
    bytes: Vec<u8>,
}

impl Coded {
    fn new(way: Way) -> Coded {
        Coded {
            way,
            units: Vec::new(),
            bytes: Vec::new(),
        }
    }

    fn push(&mut self, unit: Unit, out: &mut Vec<Unit>) {
        if self.units.is_empty() && unit.c != self.way.sign() {
            out.push(unit);
            return;
        }
        self.units.push(unit);
        self.bytes
            .push(u8::try_from(unit.c).ok().filter(u8::is_ascii).unwrap_or(0xff));
        self.settle(false, out);
    }

    /// Decides what can be decided; all, where the text has ended.
    fn settle(&mut self, ended: bool, out: &mut Vec<Unit>) {
        while let Some(first) = self.units.first().copied() {
            if !ended && self.way.is_open(&self.bytes) {
                return;
            }
            let undone = self.way.undo(&self.bytes);
            let length = undone.map_or(1, |(length, _)| length.max(1));
            let last = self.units.get(length - 1).copied().unwrap_or(first);
            match undone {
                Some((_, said)) => out.extend(said.map(|c| Unit {
                    c,
                    span: Span::new(first.span.start, last.span.end),
                    changed: true,
                })),
                None => out.push(first),
            }
            // What follows stands for itself up to the next sign.
            let sign = self.way.sign();
            let rest = self.units.iter().skip(length);
            let plain = rest.take_while(|unit| unit.c != sign).count();
            out.extend(self.units.iter().skip(length).take(plain));
            let done = (length + plain).min(self.units.len());
            self.units.drain(..done);
            self.bytes.drain(..done);
        }
    }
}

/// Takes tags, comments and signs of emphasis out.
#[derive(Clone, Debug, Default)]
pub(crate) struct Markup {
    /// What may be a tag, from its `<` on.
    tag: Vec<Unit>,
    /// Signs of emphasis behind a letter.
    signs: Vec<Unit>,
    /// Whether the name of the tag is complete.
    named: bool,
    quote: Option<char>,
    in_word: bool,
}

impl Markup {
    fn push(&mut self, unit: Unit, out: &mut Vec<Unit>) {
        if markup::is_emphasis(unit.c) && self.tag.is_empty() && self.in_word && self.signs.len() < EMPHASIS {
            self.signs.push(unit);
            return;
        }
        if !self.signs.is_empty() {
            // Only between two letters they are in the way.
            if unit.c.is_ascii() && !unit.c.is_ascii_alphanumeric() {
                out.extend(self.signs.iter().copied());
                self.in_word = false;
            }
            self.signs.clear();
        }
        if self.tag.is_empty() {
            if unit.c == '<' {
                self.tag.push(unit);
                self.named = false;
            } else {
                self.in_word = unit.c.is_alphanumeric();
                out.push(unit);
            }
            return;
        }
        self.tag.push(unit);
        let second = self.tag.get(1).map_or(' ', |unit| unit.c);
        let comment = second == '!';
        let begins = second.is_ascii_alphabetic() || matches!(second, '/' | '!');
        if !begins || self.tag.len() > TAG || !comment && !self.is_named(unit.c) {
            self.give_back(out);
            return;
        }
        match (unit.c, self.quote) {
            ('>', None) => {}
            (c, Some(quote)) if c == quote => {
                self.quote = None;
                return;
            }
            (c @ ('"' | '\''), None) if !comment => {
                self.quote = Some(c);
                return;
            }
            _ => return,
        }
        let dashed = self.tag.get(2).is_some_and(|unit| unit.c == '-');
        let closes = |back: usize| self.tag.iter().rev().nth(back).is_some_and(|unit| unit.c == '-');
        if comment && dashed && !(self.tag.len() > 6 && closes(1) && closes(2)) {
            return;
        }
        let name: String = self.tag.iter().skip(1).map(|unit| unit.c).collect();
        let said = markup::said(&name);
        if said.is_none() && !comment && !self.in_word {
            self.give_back(out);
            return;
        }
        if said == Some("\n") {
            let (first, last) = (self.tag.first(), self.tag.last());
            out.extend(first.zip(last).map(|(first, last)| Unit {
                c: '\n',
                span: Span::new(first.span.start, last.span.end),
                changed: true,
            }));
        }
        self.tag.clear();
    }

    /// Whether what was read so far may be a tag, by its name. `last` is the last character of it.
    fn is_named(&mut self, last: char) -> bool {
        let goes_on = |c: char| c.is_ascii_alphanumeric() || c == '-';
        match self.named {
            true => true,
            false if goes_on(last) || last == '/' && self.tag.len() == 2 => true,
            false => {
                self.named = last.is_ascii_whitespace() || matches!(last, '>' | '/');
                self.named
            }
        }
    }

    /// It was no tag.
    fn give_back(&mut self, out: &mut Vec<Unit>) {
        self.quote = None;
        let mut units = std::mem::take(&mut self.tag).into_iter();
        out.extend(units.next());
        self.in_word = false;
        units.for_each(|unit| self.push(unit, out));
    }
}
