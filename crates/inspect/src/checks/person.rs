//! Names of people, where words around them say that a name stands there.
//!
//! No list of names: what a name looks like (capitals, particles, titles, the lengths of names in scripts without
//! capitals) and what is none (words that stand in the same places) decide.

use std::{collections::HashMap, sync::LazyLock};

use portcullis_core::Span;

use super::in_small_letters;
use crate::around::{Check, Match};

/// The checks of this file.
pub(super) static CHECKS: &[(&str, Check)] = &[
    ("name", Check::Left(name)),
    ("greeted", Check::Left(greeted)),
    ("full_name", Check::Left(full_name)),
    ("name_field", Check::Left(name_field)),
];

/// Words in the places of names that are none, in small letters.
const NONE: &str = " run build check install setup create update upload download publish deploy lint format cache checkout test \
    documentation docs subscribers subscriber unsubscribe subscribe newsletter digest daily weekly monthly offer offers deals deal events event \
    social researcher reviewer reviewers anarchy history men women fool users' announce announcements alert alerts notification \
    notifications billing reservation reservations orders shipping returns security privacy legal compliance press media relations \
    human resources marketing engineering research science technology technologies solutions studios labs ventures partners holdings \
    unlimited lose weight quick information tbd leaflet desk topic quoting developers developer llm restaurant cafe shop store hotel airlines cargo kargo market \
    club foundation settings admin all there team everyone everybody folks guys friend friends sir sirs madam ma'am customer customers client clients \
    colleague colleagues hiring manager managers recruiter support world again valued user users reader readers student students mom mum \
    dad mother father editor investor partner partners member members subscriber applicant candidate committee professor doctor admin \
    administrator webmaster postmaster assistant claude chatgpt gpt siri alexa copilot bard gemini grok llama dan ai bot google \
    microsoft apple amazon openai anthropic facebook twitter github linux windows mac python java javascript html http https api json xml \
    yaml sql url id uuid the a an this that these those it its he she they we you i me my your our his her their who what when where \
    why how which if then else and or but not no yes none null nil undefined true false test example sample demo unknown anonymous n/a na \
    tbd todo foo bar baz string int integer float number boolean object array list dict value key name names title label field column row \
    table type class function method president word excel file folder path page section chapter part step item items product products project projects \
    company inc ltd llc gmbh corp corporation group department office bank university college school hospital institute center centre \
    street road avenue lane drive city state country county new york san los angeles francisco london paris berlin tokyo united states \
    kingdom america american english german french spanish italian japanese chinese monday tuesday wednesday thursday friday saturday \
    sunday january february march april june july august september october november december today tomorrow yesterday please thanks \
    thank dear hello hi hey best kind regards sincerely yours faithfully cheers from to cc bcc re fwd fw subject date sent received \
    reply mailto email e-mail mail phone tel fax mobile address web website online internet list lists group groups news sales service \
    services info contact help note notes important warning error attention urgent free order invoice account payment credit card number \
    no nr damen herren kollegen kolleginnen kunde kundin kunden team zusammen leute gentlemen ladies everyone hallo guten tag monsieur \
    madame messieurs mesdames tous toutes amigos amigo todos todas señores señor señora clientes cliente equipo equipe senhor senhora \
    senhores tutti tutte signori signore gentile dati allen iedereen heer mevrouw klant alla kund alle państwo pani pan коллеги друзья \
    клиент господа дамы все user agent system model role content message messages tool result data home work street default public \
    private static void return import export const let var async await main index version release build beta alpha first last middle \
    full display given family same other another more less next previous open source free software foundation project license general \
    public mit bsd apache gnu high low medium critical active inactive enabled disabled pending completed standard premium basic pro plus \
    not here now never always only just also very so as at by for in of on with without into over under about after before between \
    happy glad sorry sure able unable using trying looking writing working going interested having getting ";

/// Titles before a name, without their dots.
const TITLES: &str = " mr mrs ms miss mx dr prof professor sir madam lord lady rev fr hr herr frau fräulein dipl ing mag med dipl.-ing \
    m mme mlle me maître monsieur madame mademoiselle docteur sr sra srta srita srs don doña dn dña lic dott dott.ssa dottor dottoressa \
    sig sig.ra sig.na signor signora signorina avv arch prof.ssa geom rag dra eng exmo exma dhr mevr mw drs ir mevrouw meneer fru fröken \
    rouva pan pani pán paní slečna bay bayan sn av doç op arş gör yrd uzm dipl pdt hj h ir tgk puti cut sutan kh raden r ra drg dt \
    г-н г-жа господин госпожа товарищ пан пані д-р проф kumari shri smt sri nyonya tuan ibu bapak khun นาย นาง นางสาว น.ส ด.ช ด.ญ ";

/// Small words within names.
const PARTICLES: &str = " de da do dos das del della delle dello di du des d la le les van von der den dem ter ten te zu zum zur vom und y e i \
    bin ibn al el ul ben bint af av til st st. los las san ";

/// Letters behind a name, without dots and in small letters.
const SUFFIXES: &str = " jr sr ii iii iv md phd dds dvm esq ba bsc beng msc ma mba mkom mpd msi mti mm mfarm mak mkes spd st se sh skom spsi ssos \
    sip sked ssi sgz spt si amd ssos srl sfarm shum skm skep sikom iak ijd spd.i cpa rn llb llm jd dphil frcs pmp ";

/// What a word is in a name, a bit for each list that has it.
type Kinds = u8;
const IS_NONE: Kinds = 1;
const IS_TITLE: Kinds = 2;
const IS_PARTICLE: Kinds = 4;
const IS_SUFFIX: Kinds = 8;

/// The words of those lists.
static WORDS: LazyLock<HashMap<&str, Kinds>> = LazyLock::new(|| {
    let lists = [
        (NONE, IS_NONE),
        (TITLES, IS_TITLE),
        (PARTICLES, IS_PARTICLE),
        (SUFFIXES, IS_SUFFIX),
    ];
    let mut words = HashMap::new();
    for (list, kind) in lists {
        for word in list.split(' ').filter(|word| !word.is_empty()) {
            *words.entry(word).or_default() |= kind;
        }
    }
    words
});

fn kinds(word: &str) -> Kinds {
    in_small_letters(word, |word| WORDS.get(word).copied().unwrap_or(0))
}

/// Whether letters behind a name are one of the suffixes, dots aside.
fn is_suffix(word: &str, kinds: Kinds) -> bool {
    let kinds = match word.contains('.') {
        true => self::kinds(&word.replace('.', "")),
        false => kinds,
    };
    kinds & IS_SUFFIX != 0
}

/// A name at the beginning of a text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Name {
    /// Where it ends.
    end: usize,
    /// How many words of it are no titles, particles or suffixes.
    words: usize,
    titled: bool,
}

/// The name that `text` begins with.
fn read(text: &str) -> Option<Name> {
    let first = text.chars().next()?;
    if first >= '\u{2e80}' || ('\u{e00}'..='\u{e7f}').contains(&first) {
        return uncased(text);
    }
    let mut name = Name::default();
    let mut at = 0;
    let mut capitals = false;
    for token in text.split(' ') {
        let from = at;
        at += token.len() + 1;
        let bare = token.trim_end_matches([',', '.', ':', ';', '!', '\'', '’', '-']);
        let (kinds, upper) = (kinds(bare), starts_upper(bare));
        let ended =
            token.ends_with([',', ';', ':', '!']) || (token.ends_with('.') && bare.chars().count() > 3);
        let is_title = name.words == 0 && upper && kinds & IS_TITLE != 0;
        let is_suffix = name.words > 0 && upper && is_suffix(bare, kinds);
        if bare.is_empty() {
            break;
        } else if is_title {
            name.titled = true;
        } else if is_suffix {
            name.end = from
                + bare.len()
                + usize::from(token.get(bare.len()..).is_some_and(|rest| rest.starts_with('.')));
        } else if name.words > 0 && kinds & IS_PARTICLE != 0 && !upper {
            // A part of the name if a name follows: the end is not moved.
        } else if capitals && !is_capitals(bare) && text.find(' ').is_some_and(|first| first < 4) {
            break; // `SUN Ireland` is a firm's, `DUPONT Jean` somebody's name
        } else if kinds & IS_NONE == 0 && is_name_word(bare, token, name.words, capitals) {
            capitals = name.words == 0 && is_capitals(bare);
            name.words += 1;
            let initial = bare.chars().count() == 1
                && token.starts_with(bare)
                && token.get(bare.len()..).is_some_and(|rest| rest.starts_with('.'));
            name.end = from + bare.len() + usize::from(initial);
        } else {
            break;
        }
        // A comma may stand before a suffix.
        let suffix_follows = token.ends_with(',')
            && text.get(at..).is_some_and(|rest| {
                let next = rest.split([' ', ',']).next().unwrap_or_default();
                next.contains('.') && self::is_suffix(next, 0)
            });
        if (ended && !is_title && !suffix_follows) || name.words == 5 {
            break;
        }
    }
    (name.words > 0).then_some(name)
}

fn starts_upper(word: &str) -> bool {
    word.chars().next().is_some_and(char::is_uppercase)
}

fn is_capitals(word: &str) -> bool {
    word.chars().count() > 1
        && word
            .chars()
            .filter(|character| character.is_alphabetic())
            .all(char::is_uppercase)
}

/// Whether a word can be one of a name: a capital and small letters, parts joined by dashes or apostrophes, an initial with
/// its dot; in capitals throughout only after another such.
fn is_name_word(bare: &str, token: &str, before: usize, capitals: bool) -> bool {
    if !starts_upper(bare) {
        return false;
    }
    let count = bare.chars().count();
    if count == 1 {
        return token.starts_with(bare) && token.len() > bare.len();
    }
    let mut parts = bare.split(['-', '\'', '’']).filter(|part| !part.is_empty());
    let sound = parts.all(|part| {
        let mut letters = part.chars();
        let first = letters.next().is_some_and(|first| {
            first.is_uppercase()
                || part.len() <= 2
                || first.is_lowercase() && !part.starts_with(|first: char| first.is_ascii_digit())
        });
        first && part.chars().all(|letter| letter.is_alphabetic() || letter == '.')
    });
    let inner = bare
        .chars()
        .skip(1)
        .filter(|letter| letter.is_uppercase())
        .count();
    let joined = bare.matches(['-', '\'', '’']).count();
    let shape = is_capitals(bare) && (before == 0 || capitals) || inner <= joined + 1 && !is_capitals(bare);
    sound && shape && count <= 24 && !bare.contains('.')
}

/// Surnames of Korea, by their first syllable.
const KOREAN: &str = "김이박최정강조윤장임한오서신권황안송류전홍고문양손배백허유남심노하곽성차주우구민진지엄채원천방공현함변염여추도소석선설마길연위표명기반왕금옥육인맹제모탁국";

/// Frequent surnames of China.
const CHINESE: &str = "王李张刘陈杨黄赵吴周徐孙马朱胡郭何高林罗郑梁谢宋唐许韩冯邓曹彭曾肖田董袁潘于蒋蔡余杜叶程苏魏吕丁任沈姚卢姜崔钟谭陆汪范金石廖贾夏韦付方白邹孟熊秦邱江尹薛闫段雷侯龙史陶黎贺顾毛郝龚邵万钱严覃武戴莫孔向汤張劉陳楊黃趙吳孫馬鄭謝許韓馮鄧蔣葉蘇呂盧鍾陸賈韋鄒閻龍賀顧龔萬錢嚴湯";

/// A name in a script without capitals: two to four Han characters or Hangul syllables that begin with a surname, Japanese
/// names in two parts, Thai names in two words.
fn uncased(text: &str) -> Option<Name> {
    let han =
        |character: &char| ('\u{4e00}'..='\u{9fff}').contains(character) || matches!(*character, '々' | 'ヶ');
    let found = |end: usize, words: usize| {
        Some(Name {
            end,
            words,
            titled: false,
        })
    };
    let length = |characters: usize| text.chars().take(characters).map(char::len_utf8).sum::<usize>();
    let first = text.chars().next()?;
    if ('\u{ac00}'..='\u{d7a3}').contains(&first) {
        let count = text
            .chars()
            .take_while(|character| ('\u{ac00}'..='\u{d7a3}').contains(character))
            .count();
        // Three syllables are the rule; what follows them is a particle.
        return (KOREAN.contains(first) && count >= 2)
            .then(|| length(count.min(3)))
            .and_then(|end| found(end, 2));
    }
    if ('\u{e00}'..='\u{e7f}').contains(&first) {
        let thai = |character: &char| ('\u{e00}'..='\u{e7f}').contains(character);
        let one = text.chars().take_while(thai).count();
        let rest = text.get(length(one)..)?;
        let two = rest.strip_prefix(' ')?.chars().take_while(thai).count();
        return (one >= 2 && two >= 2)
            .then(|| length(one + 1 + two))
            .and_then(|end| found(end, 2));
    }
    let one = text.chars().take_while(han).count();
    let rest = text.get(length(one)..)?;
    let two = rest
        .strip_prefix([' ', '\u{3000}', '·'])
        .map_or(0, |rest| rest.chars().take_while(han).count());
    match (one, two) {
        (1..=3, 1..=3) => found(length(one + 1 + two), 2),
        (2..=3, 0)
            if CHINESE.contains(first)
                || rest.starts_with(|next: char| ('\u{3041}'..='\u{3096}').contains(&next)) =>
        {
            found(length(one), 2)
        }
        (4, 0) if rest.starts_with(|next: char| ('\u{3041}'..='\u{3096}').contains(&next)) => {
            found(length(4), 2)
        }
        (4.., _) if CHINESE.contains(first) => found(length(3), 2),
        _ => None,
    }
}

fn narrow(found: &Match<'_>, least: usize) -> Option<Span> {
    let name = read(found.value())?;
    let enough = name.words >= least || (name.titled && name.words >= 1);
    let start = found.span().start;
    enough.then(|| Span::new(start, start + name.end))
}

/// A name of one word or more.
fn name(found: &Match<'_>) -> Option<Span> {
    narrow(found, 1)
}

/// A name that is all that is greeted; one word in capitals is an abbreviation.
fn greeted(found: &Match<'_>) -> Option<Span> {
    let span = name(found)?;
    let text = found.value();
    let whole = text
        .get(span.len()..)
        .is_some_and(|rest| rest.trim_matches(['.', ' ']).is_empty());
    (whole && !is_capitals(text)).then_some(span)
}

/// A name of two words or more, or of one behind a title.
fn full_name(found: &Match<'_>) -> Option<Span> {
    narrow(found, 2)
}

/// A full name that fills its field: what follows it in the match is a sign, or nothing.
fn name_field(found: &Match<'_>) -> Option<Span> {
    let label = found.whole().len() - found.value().len();
    // `file_name`, `merchant_name` are other fields.
    if found.before(label + 1).starts_with('_') && label > 0 {
        return None;
    }
    let span = full_name(found)?;
    let rest = found.value().get(span.len()..).unwrap_or_default();
    let filled = rest.trim_start().is_empty() || rest.starts_with([',', ';', '.', '(', '|']);
    filled.then_some(span)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_to_their_end() {
        for (text, name) in [
            ("John Smith and", "John Smith"),
            ("Dr. Ricky Hill, the", "Dr. Ricky Hill"),
            ("Carl-Heinz Höfig B.A., wir", "Carl-Heinz Höfig B.A."),
            ("María de la Cruz y vivo", "María de la Cruz"),
            ("Stef van der Sande", "Stef van der Sande"),
            ("J. R. Tolkien wrote", "J. R. Tolkien"),
            ("Sean O'Neil.", "Sean O'Neil"),
            ("Fiona McDonald", "Fiona McDonald"),
            ("JOHN SMITH", "JOHN SMITH"),
            ("Меня", "Меня"),
            ("Таисия Богдановна Галкина, телефон", "Таисия Богдановна Галкина"),
            ("Devi Firmansyah, M.Kom. in", "Devi Firmansyah, M.Kom."),
            ("佐藤 翔太と申します", "佐藤 翔太"),
            ("李秀梅，住在", "李秀梅"),
            ("김수민이고", "김수민"),
            ("อัญชัญ บุตดา", "อัญชัญ บุตดา"),
            ("Team", ""),
            ("the manager", ""),
            ("iPhone", ""),
            ("Customer Support", ""),
            ("SUN Ireland", "SUN"),
            ("DUPONT Jean", "DUPONT Jean"),
        ] {
            let end = read(text).map_or(0, |name| name.end);
            assert_eq!(text.get(..end), Some(name), "{text}");
        }
    }
}
