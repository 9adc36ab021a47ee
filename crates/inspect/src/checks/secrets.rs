//! What tells a credential from a placeholder, and a generated value from a name.
//!
//! Three questions of rising strictness. [`random`] is asked of a value whose format already says what it is: it lets go
//! only what repeats itself, counts up or says that it is an example. [`generated`] is asked where the format says little:
//! the value must look drawn, not written. [`credential`] is asked of a value known by the service named before it: the
//! value must look drawn, and the line must speak of a key or a token.

use std::sync::LazyLock;

use portcullis_core::Span;

use crate::{
    around::{Check, Match},
    keywords::Keywords,
};

/// The checks of this file.
pub(super) static CHECKS: &[(&str, Check)] = &[
    ("random", Check::Value(random)),
    ("generated", Check::Value(generated)),
    ("credential", Check::Left(credential)),
    ("credential_word", Check::Left(credential_word)),
    ("client_secret", Check::Left(client_secret)),
    ("secret_id", Check::Left(secret_id)),
];

/// What placeholders say of themselves, in lower case. Words of fewer than five letters would stand in drawn values by
/// chance too often; these four are what people write most.
static SAYS_SO: LazyLock<Keywords> = LazyLock::new(|| {
    Keywords::of(&[
        "xxxx",
        "your_",
        "your-",
        "yourkey",
        "yourtoken",
        "yoursecret",
        "yourapi",
        "example",
        "placeholder",
        "changeme",
        "change_me",
        "change-me",
        "changethis",
        "replace_",
        "replace-",
        "replaceme",
        "insert_",
        "insert-",
        "insertyour",
        "redacted",
        "dummy",
        "sample_",
        "sample-",
        "notreal",
        "not_real",
        "not-real",
        "fake_",
        "fake-",
        "faketoken",
        "fakekey",
        "foobar",
        "deadbeef",
        "cafebabe",
        "12345678",
        "87654321",
        "abcdefgh",
        "abcd1234",
        "qwerty",
        "....",
        "****",
        "-test-",
        "test-key",
        "test_key",
        "testkey",
        "test-token",
        "test_token",
        "testtoken",
        "test_secret",
        "test-secret",
        "_here",
        "-here",
        "keyhere",
        "tokenhere",
    ])
});

/// Generated values of a known format.
fn random(text: &str) -> bool {
    !is_placeholder(text)
}

/// Whether a value of a known format says that it stands for another: by a word, by repeating itself, by counting up, by
/// being made of words.
pub(super) fn is_placeholder(text: &str) -> bool {
    if says_so(text) {
        return true;
    }
    // A drawn token has eight different characters all but surely (20 hexadecimal digits miss it once in 10,000,000).
    if distinct(text) < 8 || longest_run(text) > (text.len() / 3).max(4) {
        return true;
    }
    let main = segments(text).max_by_key(|part| part.len()).unwrap_or_default();
    if main.len() >= 12 {
        let steps = main.as_bytes().windows(2);
        let upward = steps
            .filter(|pair| matches!(pair, [a, b] if a.wrapping_add(1) == *b))
            .count();
        if distinct(main) < 5 || upward * 5 > main.len() * 2 || repeats(main) {
            return true;
        }
    }
    let written = |part: &str| part.bytes().all(|byte| byte.is_ascii_lowercase());
    (main.len() >= 20 && written(main)) || is_wording(text)
}

/// Whether a value contains one of [`SAYS_SO`]. In long values short words stand by chance.
fn says_so(text: &str) -> bool {
    let least = if text.len() > 100 { 7 } else { 4 };
    SAYS_SO.any_in(text.as_bytes(), |word, _| word.len() >= least)
}

/// Whether a value looks drawn by a machine: letters and digits, or both cases, in an order that no word and no name in
/// a program has.
pub(super) fn generated(text: &str) -> bool {
    text.len() >= 12 && !is_placeholder(text) && is_drawn(text)
}

/// The core of [`generated`].
pub(super) fn is_drawn(text: &str) -> bool {
    let count = |kind: fn(&u8) -> bool| text.bytes().filter(kind).count();
    let (digits, upper) = (count(u8::is_ascii_digit), count(u8::is_ascii_uppercase));
    let letters = count(u8::is_ascii_alphabetic);
    if letters == 0 {
        return false;
    }
    if digits > 0 && text.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-') {
        // `face2face`, `added1`: hexadecimal words are short.
        return text.len() >= 20 || digits * 3 >= text.len();
    }
    let (odd, pairs) = odd_pairs(text);
    let changes = changes(text);
    let mixed = digits > 0 || (upper > 0 && upper < letters);
    let unlike_words = (pairs >= 5 && odd * 10 >= pairs * 3) || (changes >= 5 && odd * 10 >= pairs);
    let unlike_names = changes >= 4 && digits * 4 >= letters && pairs < 8;
    mixed && (unlike_words || unlike_names)
}

/// Letters that follow a letter in English words and names in programs often enough: these pairs make up 97 % of the
/// pairs there, and two in five of all that are possible.
const FOLLOWERS: [&str; 26] = [
    "bcdgiklmnprstuvwxy",
    "aceijlorsuy",
    "acehiklorstu",
    "adeilorstu",
    "abcdefgilmnopqrstvwxy",
    "aefilorstu",
    "ehilnrsu",
    "aeiort",
    "abcdefglmnoprstvxz",
    "e",
    "eis",
    "adefilopstuy",
    "abeimopsu",
    "acdefgiklnopstuv",
    "abcdfgiklmnoprstuvw",
    "aeiloprstuy",
    "u",
    "acdegikmnorstuvy",
    "aceghilopstuy",
    "acdefhilmoprstuwy",
    "abcefilmnprst",
    "aei",
    "aehior",
    "ceipt",
    "epst",
    "ei",
];

/// How many pairs of letters are rare in words, and how many pairs there are. Where a capital follows a small letter, as in
/// `myKey`, a new word begins.
fn odd_pairs(text: &str) -> (usize, usize) {
    let (mut odd, mut pairs) = (0, 0);
    for pair in text.as_bytes().windows(2) {
        let [a, b] = *pair else { continue };
        let begins_a_word = a.is_ascii_lowercase() && b.is_ascii_uppercase();
        if !a.is_ascii_alphabetic() || !b.is_ascii_alphabetic() || begins_a_word {
            continue;
        }
        pairs += 1;
        let row = usize::from(a.to_ascii_lowercase() - b'a');
        let followers = FOLLOWERS.get(row).copied().unwrap_or_default();
        odd += usize::from(!followers.as_bytes().contains(&b.to_ascii_lowercase()));
    }
    (odd, pairs)
}

/// How often a letter stands beside a digit.
fn changes(text: &str) -> usize {
    let beside = |pair: &&[u8]| {
        matches!(pair, [a, b] if (a.is_ascii_digit() && b.is_ascii_alphabetic())
            || (a.is_ascii_alphabetic() && b.is_ascii_digit()))
    };
    text.as_bytes().windows(2).filter(beside).count()
}

/// The pieces of letters and digits.
fn segments(text: &str) -> impl Iterator<Item = &str> {
    text.split(|character: char| !character.is_ascii_alphanumeric())
        .filter(|part| !part.is_empty())
}

/// Three or more words of one case, joined: `paste-the-token-here-1`.
fn is_wording(text: &str) -> bool {
    let is_word = |part: &str| {
        let letters = part.trim_end_matches(|character: char| character.is_ascii_digit());
        let one_case = letters.bytes().all(|byte| byte.is_ascii_lowercase())
            || letters.bytes().all(|byte| byte.is_ascii_uppercase());
        one_case && part.len() - letters.len() <= 4 && part.len() <= 16
    };
    let separated = text.bytes().filter(|byte| !byte.is_ascii_alphanumeric()).count();
    // Dashes between groups of a drawn value (a UUID, a 1Password key) part digits from letters too.
    let lengths = segments(text).filter(|part| part.len() > 1).count();
    separated >= 2
        && lengths >= 3
        && segments(text).all(is_word)
        && text.bytes().filter(u8::is_ascii_digit).count() * 6 < text.len()
        && {
            let (odd, pairs) = odd_pairs(text);
            odd * 5 <= pairs
        }
}

/// How many different bytes there are.
pub(super) fn distinct(text: &str) -> usize {
    let mut seen = [false; 256];
    for byte in text.bytes() {
        if let Some(seen) = seen.get_mut(usize::from(byte)) {
            *seen = true;
        }
    }
    seen.iter().filter(|seen| **seen).count()
}

/// The length of the longest run of one byte.
fn longest_run(text: &str) -> usize {
    let (mut longest, mut run, mut last) = (0, 0, None);
    for byte in text.bytes() {
        run = if last == Some(byte) { run + 1 } else { 1 };
        last = Some(byte);
        longest = longest.max(run);
    }
    longest
}

/// Whether a text is a shorter one, written again and again.
fn repeats(text: &str) -> bool {
    let bytes = text.as_bytes();
    (1..=bytes.len() / 2).take(16).any(|period| {
        let again = bytes.iter().skip(period).zip(bytes);
        again.clone().count() > 0 && again.clone().all(|(one, other)| one == other)
    })
}

/// The line in which a value stands, as far as the value; where the line says no more than `value:`, as in a list of
/// variables, the line before it too.
pub(super) fn line<'a>(found: &Match<'a>, length: usize) -> &'a str {
    let before = found.before(length);
    let start = |text: &str| {
        let line = text.rfind('\n').map_or(0, |at| at + 1);
        // A break that is written as an escape ends a line too.
        text.rfind("\\n").map_or(line, |at| line.max(at + 2))
    };
    let here = start(before);
    let last = before.get(here..).unwrap_or_default();
    let bare = last.trim_matches(|character: char| !character.is_ascii_alphabetic());
    if !bare.eq_ignore_ascii_case("value") && !bare.is_empty() {
        return last;
    }
    let earlier = before.get(..here.saturating_sub(1)).unwrap_or_default();
    before.get(start(earlier)..).unwrap_or_default()
}

/// The name that a value is given: `db.password` in `"db.password": "`.
pub(super) fn name(line: &str) -> &str {
    let part_of_name =
        |character: char| character.is_ascii_alphanumeric() || matches!(character, '_' | '-' | '.');
    let ended = line.trim_end_matches(|character: char| !character.is_ascii_alphanumeric());
    let start = ended
        .rfind(|character: char| !part_of_name(character))
        .map_or(0, |at| at + 1);
    ended.get(start..).unwrap_or_default()
}

/// What words that speak of credentials end with: `apikey` and `authtoken` do too.
const CREDENTIAL: &[&str] = &[
    "key",
    "token",
    "secret",
    "credential",
    "cred",
    "password",
    "passwd",
    "pwd",
    "auth",
    "bearer",
    "pat",
    "dsn",
    "pass",
    "passphrase",
    "clave",
    "schlüssel",
    "schluessel",
    "密钥",
    "密鑰",
    "ключ",
    "токен",
    "キー",
];

/// Words that end so by chance, services among them.
const NO_CREDENTIAL: &[&str] = &[
    "monkey",
    "surveymonkey",
    "portkey",
    "turkey",
    "hotkey",
    "donkey",
    "compass",
    "bypass",
];

/// What a name ends with that is no secret.
const NO_SECRET: &[&str] = &[
    "id",
    "ids",
    "sha",
    "sha1",
    "sha256",
    "hash",
    "digest",
    "checksum",
    "fingerprint",
    "commit",
    "ref",
    "rev",
    "revision",
    "url",
    "uri",
    "host",
    "name",
    "user",
    "username",
    "email",
    "version",
    "path",
    "file",
    "md5",
    "etag",
    "uuid",
    "guid",
    "region",
    "bucket",
    "project",
    "account",
    "org",
    "type",
    "date",
    "time",
    "trace",
    "request",
];

/// Values that the service named before them explains: drawn, on a line that speaks of a credential, and not called an id
/// or a digest.
fn credential(found: &Match<'_>) -> Option<Span> {
    generated(found.value()).then(|| credential_word(found)).flatten()
}

/// As [`credential`], for values too short or too plain to look drawn.
fn credential_word(found: &Match<'_>) -> Option<Span> {
    let line = line(found, 128);
    let speaks = words(line).any(|word| {
        let one = word.strip_suffix('s').unwrap_or(&word);
        let ends = |credential: &str| one.ends_with(credential) || word.ends_with(credential);
        CREDENTIAL.iter().any(|credential| ends(credential)) && !NO_CREDENTIAL.contains(&one)
    });
    let last = words(name(line)).last().unwrap_or_default();
    let right =
        speaks && !NO_SECRET.contains(&last.as_str()) && !line.to_ascii_lowercase().contains("public");
    (right && !says_so(found.value()) && distinct(found.value()) >= 6).then(|| found.span())
}

/// Values that are called a client secret.
fn client_secret(found: &Match<'_>) -> Option<Span> {
    let secret = name(line(found, 64)).to_ascii_lowercase().contains("secret");
    (secret && generated(found.value())).then(|| found.span())
}

/// Identifiers that are secrets by name.
fn secret_id(found: &Match<'_>) -> Option<Span> {
    let line = line(found, 64).to_ascii_lowercase();
    let named = line.contains("secret_id") || line.contains("secret-id") || line.contains("secretid");
    (named && generated(found.value())).then(|| found.span())
}

/// Letters and digits, and all that is not ASCII.
fn is_letter(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || !byte.is_ascii()
}

/// The words of a name in a program, in lower case: `dbPassword2` is `db`, `password`, `2`.
pub(super) fn words(name: &str) -> impl Iterator<Item = String> + '_ {
    pieces(name).map(str::to_lowercase)
}

/// The same as they are written.
pub(super) fn pieces(name: &str) -> impl Iterator<Item = &str> {
    let bytes = name.as_bytes();
    let mut start = 0;
    let ends = (1..=bytes.len()).filter(move |at| {
        let (Some(before), Some(here)) = (bytes.get(at - 1), bytes.get(*at)) else {
            return true;
        };
        let hump = before.is_ascii_lowercase() && here.is_ascii_uppercase();
        (hump || is_letter(*before) != is_letter(*here)) && name.is_char_boundary(*at)
    });
    ends.filter_map(move |end| name.get(std::mem::replace(&mut start, end)..end))
        .filter(|word| word.bytes().any(is_letter))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::corpus::expand;

    #[test]
    fn placeholders_are_not_random() {
        for text in [
            "ghp_xxxxxxxxxxxx",
            "ABCDEFGHEXAMPLE",
            "0123456789abcdef0123456789abcdef",
            "sk-abcdefghijklmnopqrstuvwxyz",
            "key-aaaaaaaabbbbbbbbccccccccdddddddd",
            "sk-proj-your-key-goes-in-this-place",
            "token-0000000000000000000000000000",
            "a1b2c3d4a1b2c3d4a1b2c3d4a1b2c3d4",
            "paste-the-token-of-the-service-1",
        ] {
            assert!(!random(text), "{text}");
        }
    }

    #[test]
    fn drawn_values_are_random_and_generated() {
        let mut missed = 0;
        for seed in 1..400 {
            for template in [
                "ghp_{base62:36}",
                "{hex:32}",
                "sk_live_{base62:24}",
                "{base64url:40}",
                "{base62:24}",
                "{hex:8}-{hex:4}-{hex:4}-{hex:4}-{hex:12}",
                "{upper:32}",
            ] {
                let text = expand(template, seed);
                missed += usize::from(!random(&text) || !generated(&text));
            }
        }
        assert!(missed < 28, "{missed} of 2800");
    }

    #[test]
    fn names_are_not_generated() {
        for text in [
            "getElementsByTagNameNS",
            "decrypt_password_v2",
            "AbstractUserPasswordHandler1",
            "process.env.SECRET_KEY",
            "secretsmanager-client",
            "my-very-long-resource-name-2",
            "SECRET_TOKEN_FOR_STAGING",
            "sha256WithRSAEncryption",
            "1234567890123456",
            "user_session_storage_key",
            "application/x-www-form-urlencoded",
        ] {
            assert!(!generated(text), "{text}");
        }
    }

    #[test]
    fn a_name_is_read_off_a_line_and_taken_apart() {
        assert_eq!(name("export DB_PASSWORD=\""), "DB_PASSWORD");
        assert_eq!(name("  \"db.password\": \""), "db.password");
        let taken: Vec<String> = words("dbPassword_V2 für").collect();
        assert_eq!(taken, ["db", "password", "v2", "für"]);
    }
}
