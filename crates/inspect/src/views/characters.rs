//! What a character may be a disguise of: the tables behind [`super::fold`].
//!
//! Most come from Unicode (compatibility decompositions, the table of confusables); a few letters are added that people use
//! as look-alikes and Unicode does not list. It knows characters only, never words.

use std::sync::OnceLock;

use unicode_normalization::{
    UnicodeNormalization,
    char::{canonical_combining_class, is_combining_mark},
};

/// What is done about a character.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    /// Stays, and stands in no word: ideographs, emoji, punctuation.
    Inert,
    /// Seen by nobody: taken out.
    Gone,
    /// A blank of some width.
    Blank,
    /// The end of a line.
    Line,
    /// Goes over or under the letter before it.
    Mark,
    /// Another way to write letters or digits.
    Styled,
    /// Full-width punctuation: folded among ASCII, natural among ideographs.
    Wide,
    /// A quotation mark, an apostrophe, a dash, a point at half height.
    Quote,
    /// A letter of another script that looks like an ASCII letter.
    Alike,
    /// Another letter that is not Latin.
    Foreign,
    /// A Latin letter with a diacritic, or one that ASCII lacks.
    Latin,
}

/// Whether a character of ASCII is one that nobody sees, and no blank.
pub(crate) const fn is_control(byte: u8) -> bool {
    matches!(byte, 0..=8 | 0x0e..=0x1f | 0x7f)
}

/// What is read of a text: its letters and digits, and what is written over them.
pub(crate) fn is_read(c: char) -> bool {
    c.is_ascii_alphanumeric() || !c.is_ascii() && (c.is_alphanumeric() || is_combining_mark(c))
}

/// The class of a character that is not a sign, letter or digit of ASCII.
pub(crate) fn class(c: char) -> Class {
    let code = u32::from(c);
    let (page, place) = ((code >> 8) as usize, (code & 0xff) as usize);
    let Some(page) = PAGES.get(page) else {
        return classify(c);
    };
    let classes = page.get_or_init(|| {
        std::array::from_fn(|place| {
            let code = u32::try_from(place).map(|place| (code & !0xff) | place);
            let c = code.ok().and_then(char::from_u32);
            c.map_or(Class::Inert, classify)
        })
    });
    classes.get(place).copied().unwrap_or(Class::Inert)
}

/// The classes of the first two planes, in pages that are filled when a character of them is met.
static PAGES: [OnceLock<[Class; 256]>; 512] = [const { OnceLock::new() }; 512];

fn classify(c: char) -> Class {
    let code = u32::from(c);
    match code {
        0..=8 | 0x0e..=0x1f | 0x7f => Class::Gone,
        0x09..=0x0d | 0x20..=0x7e => Class::Inert,
        0xad
        | 0x34f
        | 0x61c
        | 0x115f
        | 0x1160
        | 0x17b4
        | 0x17b5
        | 0x180b..=0x180f
        | 0x200b..=0x200f
        | 0x202a..=0x202e
        | 0x2060..=0x206f
        | 0x3164
        | 0xfe00..=0xfe0f
        | 0xfeff
        | 0xffa0
        | 0xfff0..=0xfffb
        | 0x1bca0..=0x1bca3
        | 0x1d173..=0x1d17a
        | 0xe_0000..=0xe_0fff => Class::Gone,
        0xa0 | 0x1680 | 0x2000..=0x200a | 0x202f | 0x205f | 0x2800 | 0x3000 => Class::Blank,
        0x85 | 0x2028 | 0x2029 => Class::Line,
        0xb7
        | 0x2022
        | 0x2219
        | 0x22c5
        | 0x30fb
        | 0x2010..=0x2015
        | 0x2018..=0x201f
        | 0x2032
        | 0x2033
        | 0x2035
        | 0x2212
        | 0x02bc
        | 0x02b9 => Class::Quote,
        0xff01..=0xff0f | 0xff1a..=0xff20 | 0xff3b..=0xff40 | 0xff5b..=0xff5e => Class::Wide,
        // Ideographs, kana, syllables of Korean, private use, emoji: most of what is not ASCII.
        0x2e80..=0x2fff
        | 0x3001..=0x3098
        | 0x309b..=0x33ff
        | 0x3400..=0xa4cf
        | 0xac00..=0xd7ff
        | 0xe000..=0xf8ff
        | 0x1f300..=0x1faff
        | 0x2_0000..=0x2_f7ff => Class::Inert,
        // Signs that are themselves: ª º ² ³ ¹ ¼ ½ ¾ ™ ℠ ℹ № ℃ ℉ Ω K Å.
        0xaa
        | 0xba
        | 0xb2
        | 0xb3
        | 0xb9
        | 0xbc..=0xbe
        | 0x2103
        | 0x2109
        | 0x2116
        | 0x2120
        | 0x2122
        | 0x2139 => Class::Inert,
        0x640 | 0x64b..=0x652 | 0x670 | 0x591..=0x5bd | 0x5bf | 0x5c1 | 0x5c2 | 0x5c4 | 0x5c5 | 0x5c7 => {
            Class::Mark
        }
        0x300..=0x36f
        | 0x483..=0x489
        | 0x653..=0x655
        | 0x1ab0..=0x1aff
        | 0x1dc0..=0x1dff
        | 0x20d0..=0x20ff
        | 0x3099
        | 0x309a
        | 0xfe20..=0xfe2f
        | 0xff9e
        | 0xff9f => Class::Mark,
        _ if is_combining_mark(c) || canonical_combining_class(c) != 0 => Class::Inert,
        _ if styled(c).is_some() => Class::Styled,
        0xc0..=0x24f | 0x1e00..=0x1eff if c.is_alphabetic() => Class::Latin,
        _ if alike(c).is_some() => Class::Alike,
        _ if c.is_alphabetic() && canonical(c) => Class::Styled,
        _ if c.is_alphabetic() => Class::Foreign,
        _ => Class::Inert,
    }
}

/// Whether the canonical form of a letter is another letter.
fn canonical(c: char) -> bool {
    std::iter::once(c).nfc().ne(std::iter::once(c))
}

/// Letters and digits of another style: what they stand for.
pub(crate) fn styled(c: char) -> Option<String> {
    if let Some(letter) = lettered(c) {
        return Some(letter.to_string());
    }
    let code = u32::from(c);
    if matches!(code, 0xff10..=0xff19 | 0xff21..=0xff3a | 0xff41..=0xff5a) {
        return narrow(c).map(|c| c.to_string());
    }
    // Jamo and signs of Korean and Japanese that no one reads as their parts.
    if matches!(code, 0x3130..=0x33ff | 0x1100..=0x11ff) {
        return None;
    }
    let plain: String = std::iter::once(c).nfkc().collect();
    if plain.chars().eq(std::iter::once(c)) {
        return None;
    }
    let enclosed = matches!(code, 0x2460..=0x24ff | 0x1f100..=0x1f1ff);
    let inner = if enclosed {
        plain.trim_matches(['(', ')', '.', ',', '〔', '〕'])
    } else {
        &plain
    };
    let short = inner.chars().take(5).count() <= 4;
    (short && !inner.is_empty() && inner.chars().all(char::is_alphanumeric)).then(|| inner.to_owned())
}

/// Blocks of letters that Unicode does not decompose.
fn lettered(c: char) -> Option<char> {
    let code = u32::from(c);
    let upper = |first: u32| char::from_u32(u32::from(b'A') + code - first);
    match code {
        0x1f110..=0x1f129 => upper(0x1f110),
        0x1f130..=0x1f149 => upper(0x1f130),
        0x1f150..=0x1f169 => upper(0x1f150),
        0x1f170..=0x1f189 => upper(0x1f170),
        0x1f1e6..=0x1f1ff => upper(0x1f1e6),
        // None of the others is small.
        0x2000..=0xa6ff | 0xac00.. => None,
        _ => among(SMALL, c),
    }
}

/// Small capitals and letters turned round that are read as the letter.
const SMALL: &str = "ᴀaʙbᴄcᴅdᴇeꜰfɢgʜhɪiᴊjᴋkʟlᴍmɴnᴏoᴘpꞯqǫqʀrꜱsᴛtᴜuᴠvᴡwʏyᴢz";

/// Look-alikes that Unicode's table lacks, or sends elsewhere.
const ALIKE: &str = "кkтtмmнhвbпnгrзeеeяrиuшwщwКKТTМMНHВBЗEЬbьbІIіiЇIїiӀIӏlΙIιiεeηnκkτtωwβbμuγyχxλlπnσoςcρpνvυuαaοoՕOօo×xʟlƵZƶzøoØOłlŁLđdĐDħhĦHıiŧtŦTƀbɨiɵoʉuѡwɛeɜeʒzɲnŋnɓbɗdʂsƒf";

/// The character that stands behind `c` in pairs.
fn among(pairs: &str, c: char) -> Option<char> {
    let mut pairs = pairs.chars();
    while let (Some(known), Some(letter)) = (pairs.next(), pairs.next()) {
        if known == c {
            return Some(letter);
        }
    }
    None
}

/// The ASCII letter or digit that a letter of another script looks like.
pub(crate) fn alike(c: char) -> Option<char> {
    if let Some(letter) = among(ALIKE, c) {
        return Some(letter);
    }
    let mut buffer = [0; 4];
    let mut skeleton = unicode_security::skeleton(c.encode_utf8(&mut buffer));
    let first = skeleton.next()?;
    if skeleton.next().is_some() || !first.is_ascii_alphanumeric() || first == c {
        return None;
    }
    // The table has one prototype for `I`, `l`, `1` and one for `O`, `0`: the case of what looks like it tells.
    match first {
        'l' if c.is_uppercase() => Some('I'),
        'l' | 'O' if c.is_numeric() => Some(if first == 'l' { '1' } else { '0' }),
        'O' if c.is_lowercase() => Some('o'),
        _ => Some(first),
    }
}

/// The ASCII of full-width punctuation.
pub(crate) fn narrow(c: char) -> Option<char> {
    u32::from(c).checked_sub(0xfee0).and_then(char::from_u32)
}

/// The ASCII of a quotation mark, a dash, or a point.
pub(crate) fn quote(c: char) -> &'static str {
    match u32::from(c) {
        0x2010..=0x2015 | 0x2212 => "-",
        0x201c..=0x201f | 0x2033 => "\"",
        0xb7 | 0x2022 | 0x2219 | 0x22c5 | 0x30fb => ".",
        _ => "'",
    }
}

/// A letter without its diacritics.
pub(crate) fn bare(c: char) -> char {
    if c.is_ascii() {
        return c;
    }
    std::iter::once(c).nfd().next().unwrap_or(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes() {
        for (characters, expected) in [
            ("漢かカ한🙂™²½،。", Class::Inert),
            (
                "\0\u{8}\u{1f}\u{7f}\u{200b}\u{200d}\u{feff}\u{e0041}\u{3164}\u{ad}",
                Class::Gone,
            ),
            ("\u{a0}\u{3000}\u{2800}", Class::Blank),
            ("\u{301}\u{336}\u{20dd}\u{489}", Class::Mark),
            ("ｉⓘ𝐢𝕚🄸🅘🅸🇮ⁱᵢｱ\u{fb01}ɪᴀ", Class::Styled),
            ("，！（", Class::Wide),
            ("’“–", Class::Quote),
            ("аеорсухіԁԛԝոսհⲅᎪ", Class::Alike),
            ("éüßñşğỳẖž", Class::Latin),
            ("жфюδψΩאب", Class::Foreign),
        ] {
            for c in characters.chars() {
                assert_eq!(class(c), expected, "{c} U+{:04X}", u32::from(c));
            }
        }
    }

    #[test]
    fn letters_stand_for_letters() {
        for (characters, letters) in [("ｉⓘ𝐢𝕚🄸🅘🅸🇮ⁱᵢɪ⒤", "iiiiIIIIiiii"), ("𝟎①１⑴", "0111")]
        {
            let plain: String = characters.chars().filter_map(styled).collect();
            assert_eq!(plain, letters);
        }
        for (characters, letters) in [("іІѕοОоӏ", "iIsoOol"), ("հոսԁԝѵϲϳɡɑ", "hnudwvcjga")] {
            let plain: String = characters.chars().filter_map(alike).collect();
            assert_eq!(plain, letters);
        }
    }
}
