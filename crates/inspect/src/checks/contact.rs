//! Ways to reach a person: mailboxes and telephones.

use std::{cell::OnceCell, collections::HashSet, sync::LazyLock};

use portcullis_core::Span;

use super::{
    context::{OTHERS, Words},
    numbering::{self, Standing},
};
use crate::{
    around::{Check, Match},
    label::header,
};

/// The checks of this file.
pub(super) static CHECKS: &[(&str, Check)] = &[
    ("phone", Check::Left(phone)),
    ("mailbox", Check::Left(mailbox)),
    ("handle", Check::Value(handle)),
];

/// Regions whose national numbers begin with a nought.
const NOUGHT: &str = "GB FR DE IT AT CH NL BE SE FI IE AU NZ JP KR IN ID TH UA RO TR ZA CN TW VN MY PH IL EG NG KE PK BD BR  \
    AR HR RS SI SK BG MA DZ";

/// Regions whose national numbers begin with themselves, for numbers in the fields of a record.
const PLAIN: &str =
    "US ES PT IT DK NO PL CZ GR HK SG MX BR CN IN RU CL CO PE HU LV EE LT LU TN AE SA QA KW UA";

/// A telephone number as it is written.
struct Number {
    digits: [u8; 20],
    count: usize,
    /// Lengths of the groups of digits.
    groups: [usize; 8],
    parts: usize,
    /// It says that it begins with a calling code.
    plus: bool,
    /// Digits within brackets, where there are such.
    bracketed: Option<usize>,
    extension: bool,
    /// What parts the groups: a bit each for blank, dash, dot, slash.
    signs: u8,
}

impl Number {
    /// Reads a number; `None` where its signs are not in order.
    fn read(text: &str) -> Option<Number> {
        let mut number = Number {
            digits: [0; 20],
            count: 0,
            groups: [0; 8],
            parts: 0,
            plus: false,
            bracketed: None,
            extension: false,
            signs: 0,
        };
        let (mut open, mut within, mut fresh) = (false, 0, true);
        for character in text.chars() {
            match character {
                '0'..='9' => {
                    *number.digits.get_mut(number.count)? = u8::try_from(character).ok()?;
                    number.count += 1;
                    if fresh {
                        number.parts += 1;
                    }
                    *number.groups.get_mut(number.parts.checked_sub(1)?)? += 1;
                    fresh = false;
                    within += usize::from(open);
                    continue;
                }
                '+' => number.plus = true,
                '(' if open || number.bracketed.is_some() => return None,
                '(' => open = true,
                ')' if !open => return None,
                ')' => {
                    open = false;
                    number.bracketed = Some(within);
                }
                '-' | '\u{2010}' | '\u{2011}' => number.signs |= 2,
                '.' => number.signs |= 4,
                '/' => number.signs |= 8,
                'x' | 'X' | 'e' | 'E' | '#' | ',' | ';' | 'd' | 'D' | 'p' | 'r' | 'i' | 'w' => {
                    number.extension = true;
                    break;
                }
                _ => number.signs |= 1,
            }
            fresh = true;
        }
        (!open).then_some(number)
    }

    fn digits(&self) -> &[u8] {
        self.digits.get(..self.count).unwrap_or_default()
    }

    fn groups(&self) -> &[usize] {
        self.groups.get(..self.parts).unwrap_or_default()
    }

    fn begins(&self, digits: &str) -> bool {
        self.digits().starts_with(digits.as_bytes())
    }

    /// The digits behind a calling code's `+` or `00`, the trunk's nought in brackets left out (`+44 (0)20 …`).
    fn international(&self) -> Option<Vec<u8>> {
        let digits = self.digits();
        let digits = match self.plus {
            true => digits,
            false => digits.strip_prefix(b"00")?,
        };
        Some(digits.to_vec())
    }

    /// Whether groups look like a date (`2024-01-31`, `31.01.2024`) or an address of the internet.
    fn is_date(&self) -> bool {
        let value = |from: usize, length: usize| {
            let digits = self.digits().get(from..from + length).unwrap_or_default();
            digits
                .iter()
                .fold(0, |number, digit| number * 10 + u32::from(digit & 15))
        };
        match *self.groups() {
            [4, 2 | 1, ..] => matches!(value(0, 4), 1900..=2099) && matches!(value(4, 2), 0..=12),
            [2, 2, 4, ..] => value(0, 2) <= 31 && value(2, 2) <= 31 && matches!(value(4, 4), 1900..=2099),
            [4, 4] => (1800..=2100).contains(&value(0, 4)) && (1800..=2100).contains(&value(4, 4)),
            // A postal code of the United States.
            [5, 4] if self.signs == 2 => !self.begins("0"),
            // An address of the internet.
            [first, second, third, _] if self.signs == 4 => first.max(second).max(third) <= 3,
            _ => false,
        }
    }
}

/// Telephone numbers.
///
/// With a calling code: a number of the country's plan, or one of a possible length where it is written in groups or a
/// word for a telephone stands before it. Without: any plausible number behind such a word, in a column of that name, or
/// in a record behind a mailbox; else only what is written as nothing else is (`(415) 555-2671`, `06 12 34 56 78`,
/// `020 7946 0958`) and stands in a country's plan.
fn phone(found: &Match<'_>) -> Option<Span> {
    let before = found.before(96);
    let mut back = before.chars().rev();
    let (last, earlier) = (back.next().unwrap_or(' '), back.next().unwrap_or(' '));
    let joined = matches!(
        last,
        '.' | ',' | '/' | '(' | '\u{a0}' | ' ' | ':' | '\'' | '#' | '$' | '€' | '£' | '='
    );
    // What stands right behind another number is a part of that number.
    let behind_digit = joined && earlier.is_ascii_digit() && !matches!(last, ':' | '=' | '(');
    if matches!(last, '+' | '$' | '€' | '£' | '#' | '@' | '%' | '*') {
        return None;
    }
    if behind_digit && !found.value().contains('+') {
        return None;
    }
    let number = Number::read(found.value())?;
    let digits = number.digits();
    let same = digits.iter().skip(1).all(|digit| Some(digit) == digits.get(1));
    if same || number.is_date() || (behind_digit && !number.plus) {
        return None;
    }
    let context = LazyContext::new(found, before);
    let right = match number.international() {
        Some(full) => {
            international(&number, &full, &context) || (!number.plus && national(&number, &context))
        }
        None => national(&number, &context),
    };
    right.then(|| found.span())
}

/// What stands before a number, looked at when it is needed.
struct LazyContext<'a> {
    found: &'a Match<'a>,
    before: &'a str,
    /// What stands before, in small letters.
    lower: OnceCell<String>,
    called: OnceCell<bool>,
}

impl<'a> LazyContext<'a> {
    fn new(found: &'a Match<'a>, before: &'a str) -> LazyContext<'a> {
        LazyContext {
            found,
            before,
            lower: OnceCell::new(),
            called: OnceCell::new(),
        }
    }

    fn lower(&self) -> &str {
        self.lower.get_or_init(|| self.before.to_lowercase())
    }

    /// Whether the number is called a telephone's: by a word before it, or by its column.
    fn is_called(&self) -> bool {
        *self.called.get_or_init(|| self.call())
    }

    fn call(&self) -> bool {
        let lower = self.lower();
        let call = CALLS.last_in(lower);
        let other = OTHERS.last_in(lower);
        if let Some(call) = call {
            return other.is_none_or(|other| other < call) && leads_to(lower.get(call..).unwrap_or_default());
        }
        other.is_none()
            && header(self.found).is_some_and(|name| CALLS.last_in(&name.to_lowercase()).is_some())
    }

    /// Whether the number is called something else.
    fn is_other(&self) -> bool {
        let lower = self.lower();
        let near = lower.get(lower.len().saturating_sub(32)..).unwrap_or(lower);
        OTHERS.last_in(near).is_some()
    }

    /// Whether the number is a field of a record about somebody: a mailbox stands right before it, or the line begins
    /// with a name and has a date or a mailbox.
    fn is_field(&self) -> bool {
        let before = self.found.before(192);
        if !before.ends_with([' ', '\t', ',', ';', '|']) {
            return false;
        }
        let line = before.rsplit(['\n', '"']).next().unwrap_or_default();
        let Some(fields) = line.strip_suffix([' ', '\t', ',', ';', '|']) else {
            return false;
        };
        let fields = fields.trim_end();
        if !fields.ends_with([',', ';', '|', '/', '·', '•']) && !line.ends_with(['\t', ',', ';', '|']) {
            return false;
        }
        let last = fields.trim_end_matches([',', ';', '|', '/', '·', '•', ' ']);
        let last = last.rsplit([',', ';', '|', '\t']).next().unwrap_or_default();
        last.contains('@') || (dated(fields) && named(fields))
    }
}

/// Whether what stands between a word for a telephone and a number leaves the number to the word: no label of its own, and
/// no other number but those of the same list.
fn leads_to(between: &str) -> bool {
    let run = between
        .split(|character: char| !character.is_ascii_digit())
        .map(str::len)
        .max();
    let list = run.unwrap_or(0) < 4 || between.contains(['/', ',']);
    let own = between
        .rsplit_once([',', ';', '\n', '{', '|', '"'])
        .map_or("", |(_, own)| own);
    let bridge = |word: &str| {
        matches!(
            word,
            "" | "and" | "or" | "und" | "oder" | "et" | "ou" | "y" | "o" | "e" | "at" | "on" | "is"
        )
    };
    list && own
        .split(|character: char| !character.is_alphabetic())
        .all(bridge)
}

/// Whether a text has a date: a year in four digits, or three numbers parted by dashes, dots or slashes.
fn dated(text: &str) -> bool {
    let mut runs = text.split(|character: char| !character.is_ascii_digit());
    let year = |run: &str| run.len() == 4 && (run.starts_with("19") || run.starts_with("20"));
    let part = |part: &str| (1..=4).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
    let three = |field: &str| {
        let parts = field.split(['-', '.', '/']).map(str::trim);
        parts.clone().count() == 3 && parts.clone().all(part)
    };
    runs.any(year) || text.split([',', ';', '|', '\t']).any(three)
}

/// Whether a text begins with what could be a name: two words or more, no digits, up to a comma.
fn named(text: &str) -> bool {
    let text = text.trim_start_matches(|character: char| !character.is_alphanumeric());
    let name = text.split([',', ';', '|', '\t']).next().unwrap_or_default();
    let mut words = name.split_whitespace();
    let capital = |word: &str| {
        word.chars()
            .next()
            .is_some_and(|first| first.is_uppercase() || !first.is_ascii())
    };
    let count = words.clone().count();
    let cjk = count == 1 && name.chars().count() <= 6 && name.chars().all(|character| character >= '\u{e00}');
    ((2..=6).contains(&count) || cjk)
        && words.next().is_some_and(capital)
        && !name.contains(|character: char| character.is_ascii_digit())
}

fn international(number: &Number, full: &[u8], context: &LazyContext<'_>) -> bool {
    match numbering::international(full) {
        // `00…` may be any number.
        Standing::Valid => {
            number.plus
                || (number.parts > 1 && !context.is_other())
                || context.is_called()
                || context.is_field()
        }
        // A nought in brackets is left out inside the plan; other brackets and groups speak for a number.
        Standing::Possible => {
            (number.plus && number.parts > 1 && number.signs != 4)
                || context.is_called()
                || context.is_field()
        }
        Standing::Impossible => {
            let loose = (8..=15).contains(&full.len());
            loose && number.parts > 1 && (context.is_called() || context.is_field() || number.extension)
        }
    }
}

fn national(number: &Number, context: &LazyContext<'_>) -> bool {
    let digits = number.digits();
    let count = digits.len();
    if !(6..=13).contains(&count) {
        return false;
    }
    let grouped = number.parts > 1;
    let typical = typical(number);
    if typical && !context.is_other() {
        return true;
    }
    // A point parts decimals too: `3358.7097`.
    let plain = !grouped && !(7..=12).contains(&count);
    if plain || number.groups().contains(&1) && number.parts > 3 && number.bracketed.is_none() {
        return false;
    }
    if context.is_called() {
        return true;
    }
    let plausible = || {
        (number.begins("0") && numbering::national(digits, NOUGHT))
            || numbering::national(digits, PLAIN)
            || grouped
    };
    count >= 7 && (count >= 8 || grouped) && context.is_field() && plausible()
}

/// Whether the number is written as telephone numbers are and nothing else is, and stands in a plan.
fn typical(number: &Number) -> bool {
    let digits = number.digits();
    let groups = number.groups();
    let bracketed = number.bracketed.is_some();
    match *groups {
        // (415) 555-2671, 415-555-2671, 415.555.2671, and with an extension whatever the area.
        [3, 3, 4] if !number.begins("0") && !number.begins("1") => {
            (bracketed || number.signs & 6 != 0 && number.signs & 9 == 0)
                && (numbering::national(digits, "US CA PR") || number.extension || bracketed)
        }
        [1, 3, 3, 4] if number.begins("1") => bracketed || number.signs == 2,
        // 8 (912) 476-06-30
        [1, 3, 3, 2, 2] if number.begins("8") => bracketed || number.signs & 2 != 0,
        // 06 12 34 56 78
        [2, 2, 2, 2, 2] if number.begins("0") => numbering::national(digits, "FR"),
        // 020 7946 0958, (0161) 496 0518, 0171 1234567, 090-4954-6995
        // None are 037-50-5063, 021130-23-3034, 091-141-112.
        [_, 2, _] => false,
        [3, 3, 3] if number.signs & 2 != 0 => false,
        [first, .., last] if number.begins("0") && !number.begins("00") => {
            let area = (2..=6).contains(&first) && last >= 3;
            let whole = (9..=12).contains(&digits.len()) && number.signs & 4 == 0;
            area && whole
                && (groups.len() > 2 || bracketed || first >= 3 && last >= 5)
                && numbering::national(digits, NOUGHT)
        }
        // (02) 2048 4370 has brackets; (11) 95411-1104
        [2, 4 | 5, 4] if bracketed => numbering::national(digits, "BR AU"),
        _ => false,
    }
}

/// Stems of words for a telephone, in small letters; a word may go on behind them.
static CALLS: LazyLock<Words> = LazyLock::new(|| Words::new(CALL_WORDS));

const CALL_WORDS: &str = "phone|tel|mobile|mobil|cell|call|fax|whatsapp|sms|text me|text us|hotline|helpline|dial|contact|\
    reach me|reach us|ring me|viber|signal|landline|voicemail|emergency contact|msisdn|ruf|handy|kontakt|\
    festnetz|durchwahl|tél|portable|appel|joign|llám|llam|móvil|movil|celular|contacto|cel.|cellulare|\
    chiama|recapito|ligue|ligar|telemóvel|bel|gsm|mob|ring|puh|puhelin|matkapuhelin|mobiltelefon|tlf|\
    komórka|kom.|zadzwoń|dzwoń|volejte|mobilní|sunați|suna|nr. tel|gsm|телефон|тел|моб|звон|позвон|\
    номер для связи|τηλ|κινητό|電話|携帯|电话|手机|联系|致电|聯絡|手機|전화|휴대폰|연락처|핸드폰|โทร|เบอร์|มือถือ|telp|ponsel|\
    hubungi|nomor hp|no. hp|hp:|cep tel|cep no|điện thoại|sđt|फ़ोन|फोन|मोबाइल|هاتف|جوال|موبايل|تلفن|טלפון|נייד";

/// Top-level domains that people have mailboxes under, besides the two letters of countries; the last ones are reserved or
/// used inside houses.
const DOMAINS: &str = "com net org info biz name pro edu gov mil int aero coop museum jobs mobi travel tel cat asia post xyz  \
    online site store shop tech app dev cloud page blog email mail live news world today space website  \
    agency company solutions services systems software network digital media studio design consulting group  \
    team global international center academy school university education institute health care clinic  \
    dental doctor hospital legal law bank finance financial capital insurance insure fund holdings ventures  \
    partners expert works work london berlin paris nyc tokyo moscow amsterdam hamburg wien bayern koeln  \
    cologne swiss ruhr brussels vlaanderen gent madrid barcelona quebec scot wales cymru africa bzh eus gal  \
    club life fun art games game photo photos photography gallery music band video film fit guru zone city  \
    land house homes estate properties realty rent restaurant cafe bar pizza wine beer coffee vip one top  \
    icu link click help support social chat community foundation ngo ong charity church family love green  \
    eco bio earth energy farm garden science engineering tools codes build builders construction industries  \
    supply supplies auto cars bike taxi tours flights hotel holiday delivery express market marketing trade  \
    trading exchange money cash credit loan tax accountants lawyer attorney associates management careers  \
    training coach events express plus run show tips wiki zip ai ltd llc inc gmbh srl limited google apple  \
    microsoft amazon bmw audi example test invalid localhost local internal corp lan home intranet private  \
    arpa onion";

/// E-mail addresses. None are the user of a repository's address (`git@host:path`), a file of an icon (`icon@2x.png`), a
/// product in code (`a@b.T`), a package at a version.
fn mailbox(found: &Match<'_>) -> Option<Span> {
    let text = found.value();
    let (local, domain) = text.rsplit_once('@')?;
    let top = domain.rsplit('.').next().unwrap_or_default();
    let glued = glued(top)?;
    let sane = !domain.split('.').any(|label| label.ends_with('-'));
    let robot = local == "git" || (local == "2x" || local == "3x");
    // `user:password@host.example.com` is a part of an address of the web; its secret is for others to find.
    let word = found
        .before(64)
        .rsplit(char::is_whitespace)
        .next()
        .unwrap_or_default();
    let credential = word.ends_with(':') && word.contains("://");
    let span = found.span();
    (sane && !robot && !credential).then(|| Span::new(span.start, span.end - glued))
}

/// How many bytes of the last label belong to a word that is glued to the address (`example.comThanks`); nothing where no
/// top-level domain begins there.
fn glued(top: &str) -> Option<usize> {
    if is_top(top) {
        return Some(0);
    }
    let new_word = |(at, c): &(usize, char)| *at > 1 && (c.is_ascii_uppercase() || c.is_ascii_digit());
    let mut words = top.char_indices().filter(new_word).map(|(at, _)| at);
    words
        .rfind(|at| top.get(..*at).is_some_and(is_top))
        .map(|at| top.len() - at)
}

static TOPS: LazyLock<HashSet<&'static str>> = LazyLock::new(|| DOMAINS.split_whitespace().collect());

/// Whether there is a top-level domain of that name, and it is rather that than the ending of a file's name.
fn is_top(label: &str) -> bool {
    let label = label.to_lowercase();
    let file = matches!(label.as_str(), "js" | "ts" | "rb" | "gz" | "xz");
    !label.is_ascii()
        || label.starts_with("xn--")
        || (label.len() == 2 && !file)
        || TOPS.contains(label.as_str())
}

/// Names of accounts on social networks: not a word of the sentence.
fn handle(text: &str) -> bool {
    let name = text.trim_start_matches('@');
    name.len() >= 3
        && !matches!(
            name,
            "media" | "import" | "param" | "return" | "Override" | "types" | "property"
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(check: fn(&Match<'_>) -> Option<Span>, before: &str, value: &str) -> bool {
        let text = format!("{before}{value}");
        let span = Span::new(before.len(), text.len());
        check(&Match::new(&text, span, span)).is_some()
    }

    #[test]
    fn telephone_numbers() {
        for (before, value, right) in [
            ("", "+1 415 555 2671", true),
            ("", "+14155552671", true),
            ("", "+44(0)141 496 0157", true),
            ("", "+62-076-195-5192", true),
            ("", "+2024-01-31 12", false),
            ("", "+999123456789", false),
            ("", "+20240131", false),
            ("", "(415) 555-2671", true),
            ("", "06 12 34 56 78", true),
            ("", "020 7946 0958", true),
            ("", "0171 1234567", true),
            ("", "8 (912) 476-06-30", true),
            ("", "358-2511-76", false),
            ("Part no. ", "415-555-2671", false),
            ("", "0612345678", false),
            ("Tel. ", "0612345678", true),
            ("mein Telefon: ", "030/901820", true),
            ("电话", "13185575956", true),
            ("a@example.org | ", "34 40 28 04", true),
            ("id,name,phone\n1,Anna,", "95680151", true),
            ("Phone IMEI ", "352099001761", false),
            ("the year ", "2019-2021", false),
            ("Tel: ", "2021-03-04", false),
            ("Anna Berg, 02/01/1962, CPR 120362-1234, ", "34 40 28 04", true),
        ] {
            assert_eq!(find(phone, before, value), right, "{before}{value}");
        }
    }

    #[test]
    fn mailboxes() {
        for (before, value, right) in [
            ("", "git@example.com", false),
            ("", "digit@example.com", true),
            ("", "icon@2x.png", false),
            ("", "W@x.T", false),
            ("", "jane@example.comThanks", true),
            ("", "jane@example.comthanks", false),
            ("https://user:", "pass@db.example.com", false),
        ] {
            assert_eq!(find(mailbox, before, value), right, "{before}{value}");
        }
    }
}
