//! Percent escapes of URLs, and the entities of HTML: names and numbers of characters between signs.

use std::{collections::HashMap, sync::LazyLock};

use portcullis_core::{Family, Span};

use super::{Source, View, census::cue, escapes::hex};
use crate::derived::{Changes, Draft};

/// Undoes `%41`; `+` is a blank in a query that has such escapes.
#[derive(Debug)]
pub(super) struct Percent;

impl View for Percent {
    fn id(&self) -> &'static str {
        "percent"
    }

    fn about(&self) -> &'static str {
        "Percent escapes (RFC 3986), with `+` for a blank in a query."
    }

    fn families(&self) -> &'static [Family] {
        super::READ
    }

    fn cues(&self) -> u64 {
        cue::PERCENT
    }

    fn is_encoding(&self) -> bool {
        true
    }

    fn apply(&self, source: &Source<'_>, out: &mut Vec<Draft>) {
        let bytes = source.text.as_bytes();
        let mut changes = Changes::new(source.text);
        for at in memchr::memchr_iter(b'%', bytes) {
            if at < changes.done() {
                continue;
            }
            let Some((length, said)) = character(bytes.get(at..).unwrap_or_default(), b'%') else {
                continue;
            };
            blanks(source.text, changes.done(), at, &mut changes);
            changes.replace(Span::new(at, at + length), said.encode_utf8(&mut [0; 4]));
        }
        if changes.done() > 0 {
            blanks(source.text, changes.done(), source.text.len(), &mut changes);
        }
        out.extend(changes.finish());
    }

    fn disguise(&self, text: &str) -> Option<String> {
        Some(text.bytes().map(|byte| format!("%{byte:02X}")).collect())
    }
}

/// Writes the `+` between two escapes of a query as blanks.
fn blanks(text: &str, from: usize, to: usize, changes: &mut Changes<'_>) {
    let between = text.as_bytes().get(from..to).unwrap_or_default();
    let token = between
        .iter()
        .take(1024)
        .take_while(|byte| byte.is_ascii_graphic())
        .count();
    // Looking back costs, and is done for a `+` alone.
    if memchr::memchr(b'+', between.get(..token).unwrap_or_default()).is_none() {
        return;
    }
    let query = text.get(..from).unwrap_or_default();
    let start = query
        .bytes()
        .rev()
        .take(1024)
        .take_while(u8::is_ascii_graphic)
        .count();
    let query = query.get(query.len() - start..).unwrap_or_default();
    if !query.contains(['?', '=', '&']) {
        return;
    }
    for at in memchr::memchr_iter(b'+', between.get(..token).unwrap_or_default()) {
        changes.replace(Span::new(from + at, from + at + 1), " ");
    }
}

/// A character written as `sign` and two digits for each of its bytes.
pub(super) fn character(text: &[u8], sign: u8) -> Option<(usize, char)> {
    let byte = |at: usize| {
        let escape = text.get(3 * at..3 * at + 3)?;
        (escape.first() == Some(&sign))
            .then(|| hex(escape.get(1..)?))?
            .and_then(|byte| u8::try_from(byte).ok())
    };
    let first = byte(0)?;
    let count = match first {
        0..=0x7f => 1,
        0xc2..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf4 => 4,
        _ => return None,
    };
    let bytes: Vec<u8> = (0..count).map(byte).collect::<Option<_>>()?;
    let said = std::str::from_utf8(&bytes).ok()?.chars().next()?;
    Some((3 * count, said))
}

/// Whether what follows may change the character written by `%` at the beginning of `text`.
pub(super) fn is_open(text: &[u8]) -> bool {
    let fits = |(at, byte): (usize, &u8)| match at % 3 {
        0 => *byte == b'%',
        _ => byte.is_ascii_hexdigit(),
    };
    let first = text.get(1..3).and_then(hex).unwrap_or(0);
    let most = match first {
        0xc2..=0xdf => 6,
        0xe0..=0xef => 9,
        0xf0..=0xf4 => 12,
        _ => 3,
    };
    text.len() < most && text.iter().enumerate().all(fits)
}

/// Undoes `&amp;`, `&#65;`, `&#x41;`.
#[derive(Debug)]
pub(super) struct Entities;

impl View for Entities {
    fn id(&self) -> &'static str {
        "entities"
    }

    fn about(&self) -> &'static str {
        "Entities of HTML: the names that are in use, decimal and hexadecimal numbers."
    }

    fn families(&self) -> &'static [Family] {
        super::READ
    }

    fn cues(&self) -> u64 {
        cue::ENTITY
    }

    fn is_encoding(&self) -> bool {
        true
    }

    fn apply(&self, source: &Source<'_>, out: &mut Vec<Draft>) {
        let bytes = source.text.as_bytes();
        let mut changes = Changes::new(source.text);
        for at in memchr::memchr_iter(b'&', bytes) {
            if let Some((length, said)) = entity(bytes.get(at + 1..).unwrap_or_default()) {
                changes.replace(Span::new(at, at + 1 + length), said.encode_utf8(&mut [0; 4]));
            }
        }
        out.extend(changes.finish());
    }

    fn disguise(&self, text: &str) -> Option<String> {
        Some(text.chars().map(|c| format!("&#{};", u32::from(c))).collect())
    }
}

/// Whether what follows may change the entity at the beginning of `text`.
pub(super) fn is_open_entity(text: &[u8]) -> bool {
    match text {
        [b'&'] | [b'&', b'#'] | [b'&', b'#', b'x' | b'X'] => true,
        [b'&', b'#', b'x' | b'X', digits @ ..] => {
            digits.len() < 10 && digits.iter().all(u8::is_ascii_hexdigit)
        }
        [b'&', b'#', digits @ ..] => digits.len() < 10 && digits.iter().all(u8::is_ascii_digit),
        [b'&', name @ ..] => name.len() <= LONGEST && name.iter().all(u8::is_ascii_alphanumeric),
        _ => false,
    }
}

/// The entity behind `&`: its length and what it says.
pub(super) fn entity(rest: &[u8]) -> Option<(usize, char)> {
    let (prefix, radix) = match rest {
        [b'#', b'x' | b'X', ..] => (2, 16),
        [b'#', ..] => (1, 10),
        _ => return named(rest),
    };
    let digits = rest.get(prefix..)?;
    let count = digits
        .iter()
        .take(9)
        .take_while(|byte| char::from(**byte).is_digit(radix))
        .count();
    let code = std::str::from_utf8(digits.get(..count)?).ok()?;
    let said = char::from_u32(u32::from_str_radix(code, radix).ok()?).filter(|c| *c != '\0')?;
    let closed = usize::from(digits.get(count) == Some(&b';'));
    Some((prefix + count + closed, said))
}

fn named(rest: &[u8]) -> Option<(usize, char)> {
    // In code most signs of this kind begin no name.
    let length = rest
        .iter()
        .take(LONGEST + 1)
        .position(|byte| !byte.is_ascii_alphanumeric())?;
    if rest.get(length) != Some(&b';') {
        return None;
    }
    let said = KNOWN.get(rest.get(..length)?)?;
    Some((length + 1, *said))
}

/// The longest name has so many letters, as far as names are looked for.
const LONGEST: usize = 14;

/// What each name says.
static KNOWN: LazyLock<HashMap<&'static [u8], char>> = LazyLock::new(|| {
    let latin = LATIN.split(' ').zip('\u{a0}'..='\u{ff}');
    let names = NAMES.iter().copied().chain(latin);
    names.map(|(name, said)| (name.as_bytes(), said)).collect()
});

static NAMES: &[(&str, char)] = &[
    ("amp", '&'),
    ("lt", '<'),
    ("gt", '>'),
    ("quot", '"'),
    ("apos", '\''),
    ("AMP", '&'),
    ("LT", '<'),
    ("GT", '>'),
    ("QUOT", '"'),
    ("Tab", '\t'),
    ("NewLine", '\n'),
    ("excl", '!'),
    ("num", '#'),
    ("dollar", '$'),
    ("percnt", '%'),
    ("lpar", '('),
    ("rpar", ')'),
    ("ast", '*'),
    ("plus", '+'),
    ("comma", ','),
    ("period", '.'),
    ("sol", '/'),
    ("colon", ':'),
    ("semi", ';'),
    ("equals", '='),
    ("quest", '?'),
    ("commat", '@'),
    ("lsqb", '['),
    ("lbrack", '['),
    ("bsol", '\\'),
    ("rsqb", ']'),
    ("rbrack", ']'),
    ("Hat", '^'),
    ("lowbar", '_'),
    ("grave", '`'),
    ("lcub", '{'),
    ("lbrace", '{'),
    ("verbar", '|'),
    ("vert", '|'),
    ("rcub", '}'),
    ("rbrace", '}'),
    ("ensp", '\u{2002}'),
    ("emsp", '\u{2003}'),
    ("thinsp", '\u{2009}'),
    ("zwnj", '\u{200c}'),
    ("zwj", '\u{200d}'),
    ("lrm", '\u{200e}'),
    ("rlm", '\u{200f}'),
    ("ndash", '–'),
    ("mdash", '—'),
    ("lsquo", '‘'),
    ("rsquo", '’'),
    ("sbquo", '‚'),
    ("ldquo", '“'),
    ("rdquo", '”'),
    ("bdquo", '„'),
    ("bull", '•'),
    ("hellip", '…'),
    ("euro", '€'),
    ("trade", '™'),
    ("OElig", 'Œ'),
    ("oelig", 'œ'),
    ("Scaron", 'Š'),
    ("scaron", 'š'),
    ("ZeroWidthSpace", '\u{200b}'),
    ("NoBreak", '\u{2060}'),
    ("hyphen", '‐'),
    ("dash", '‐'),
];

/// The names of the characters from U+00A0 to U+00FF.
const LATIN: &str = "nbsp iexcl cent pound curren yen brvbar sect uml copy ordf laquo not shy reg macr deg plusmn sup2 sup3 acute micro para middot cedil sup1 ordm raquo frac14 frac12 frac34 iquest Agrave Aacute Acirc Atilde Auml Aring AElig Ccedil Egrave Eacute Ecirc Euml Igrave Iacute Icirc Iuml ETH Ntilde Ograve Oacute Ocirc Otilde Ouml times Oslash Ugrave Uacute Ucirc Uuml Yacute THORN szlig agrave aacute acirc atilde auml aring aelig ccedil egrave eacute ecirc euml igrave iacute icirc iuml eth ntilde ograve oacute ocirc otilde ouml divide oslash ugrave uacute ucirc uuml yacute thorn yuml";

/// Undoes quoted-printable (RFC 2045).
#[derive(Debug)]
pub(super) struct Quoted;

impl View for Quoted {
    fn id(&self) -> &'static str {
        "quoted"
    }

    fn about(&self) -> &'static str {
        "Quoted-printable (RFC 2045), where a text shows that it is: soft line breaks, `=3D`, escapes side by side."
    }

    fn families(&self) -> &'static [Family] {
        super::READ
    }

    fn cues(&self) -> u64 {
        cue::QUOTED
    }

    fn is_encoding(&self) -> bool {
        true
    }

    fn apply(&self, source: &Source<'_>, out: &mut Vec<Draft>) {
        let bytes = source.text.as_bytes();
        let places = || memchr::memchr_iter(b'=', bytes).map(|at| (at, bytes.get(at..).unwrap_or_default()));
        // `a=20` is an assignment in most texts.
        if !places().any(|(_, rest)| shows(rest)) {
            return;
        }
        let mut changes = Changes::new(source.text);
        for (at, rest) in places() {
            if at < changes.done() {
                continue;
            }
            let soft = match rest {
                [b'=', b'\n', ..] => 2,
                [b'=', b'\r', b'\n', ..] => 3,
                _ => 0,
            };
            if soft > 0 {
                changes.replace(Span::new(at, at + soft), "");
            } else if let Some((length, said)) = character(rest, b'=') {
                changes.replace(Span::new(at, at + length), said.encode_utf8(&mut [0; 4]));
            }
        }
        out.extend(changes.finish());
    }

    fn disguise(&self, text: &str) -> Option<String> {
        let escape = |byte: u8| format!("={byte:02X}");
        (text.len() > 1).then(|| text.bytes().map(escape).collect())
    }
}

/// Whether this can only be quoted-printable.
fn shows(rest: &[u8]) -> bool {
    let upper = |at: usize| {
        let digit = |at: usize| {
            rest.get(at)
                .is_some_and(|byte| byte.is_ascii_digit() || (b'A'..=b'F').contains(byte))
        };
        rest.get(at) == Some(&b'=') && digit(at + 1) && digit(at + 2)
    };
    rest.starts_with(b"=3D")
        || rest.starts_with(b"=20\n")
        || rest.starts_with(b"=20\r\n")
        || upper(0) && upper(3)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn undone(view: &dyn View, text: &str) -> String {
        let mut out = Vec::new();
        view.apply(&Source::of(text), &mut out);
        out.pop().map_or(text.to_owned(), |draft| draft.text)
    }

    #[test]
    fn percent_escapes() {
        for (text, said) in [
            ("/a?q=ignore%20all+rules", "/a?q=ignore all rules"),
            ("/a?q=ignore+all%20rules+now x+y", "/a?q=ignore+all rules now x+y"),
            ("%E2%82%AC%zz%4", "€%zz%4"),
            ("100% of 50%", "100% of 50%"),
            ("a+b%40example.com", "a+b@example.com"),
            ("%2541", "%41"),
        ] {
            assert_eq!(undone(&Percent, text), said, "{text}");
        }
    }

    #[test]
    fn entities() {
        for (text, said) in [
            (
                "&lt;b&gt; &amp;amp; &#105;&#x67;n&#x6f;re &eacute;&yuml;",
                "<b> &amp; ignore éÿ",
            ),
            (
                "AT&T & co; &bogus; &#0; &#; &#x110000;",
                "AT&T & co; &bogus; &#0; &#; &#x110000;",
            ),
            ("&#105 &#106g", "i jg"),
        ] {
            assert_eq!(undone(&Entities, text), said, "{text}");
        }
    }

    #[test]
    fn quoted_printable() {
        for (text, said) in [
            ("a=3Db igno=\nre =C3=A9", "a=b ignore é"),
            ("x=20 y=41", "x=20 y=41"),
            ("=69=67=6E", "ign"),
        ] {
            assert_eq!(undone(&Quoted, text), said, "{text}");
        }
    }
}
