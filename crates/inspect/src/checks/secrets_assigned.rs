//! Values that are secrets because of the name they are given: `DB_PASSWORD=…`, `"apiKey": "…"`, "my password is …".
//!
//! The pattern finds a name, what joins it to a value, and the value; the checks here ask whether the name is that of a
//! secret and not of its length, place or type, and whether the value is one and not a reference to it, a placeholder,
//! a digest or a piece of a program.

use std::{collections::HashSet, sync::LazyLock};

use portcullis_core::Span;

use crate::{
    around::{Check, Match},
    keywords::Keywords,
};

use super::{
    in_small_letters,
    secrets::{distinct, generated, is_drawn, is_placeholder, pieces},
};

/// The checks of this file.
pub(super) static CHECKS: &[(&str, Check)] = &[
    ("assigned_password", Check::Left(password)),
    ("assigned_secret", Check::Left(secret)),
    ("userinfo", Check::Left(userinfo)),
    ("header_token", Check::Left(header_token)),
    ("session", Check::Left(session)),
    ("seed", Check::Left(seed)),
    ("given_password", Check::Left(given_password)),
    ("given_secret", Check::Left(given_secret)),
    ("query_key", Check::Left(query_key)),
];

/// Passwords that stand where a command, a statement or a label takes one.
fn given_password(found: &Match<'_>) -> Option<Span> {
    let value = trimmed(found.value(), false, Joined::Said);
    let good = !refers(value) && !is_digest(value) && is_password(value, true);
    let span = found.span();
    good.then(|| Span::new(span.start, span.start + value.len()))
}

/// As [`given_password`], for what machines draw.
fn given_secret(found: &Match<'_>) -> Option<Span> {
    let value = trimmed(found.value(), false, Joined::Said);
    let good = !refers(value) && !is_digest(value) && value.len() >= 16 && generated(value);
    let span = found.span();
    good.then(|| Span::new(span.start, span.start + value.len()))
}

/// Values of a parameter called `key`: digests and ids stand there too, so the value must be of both cases and digits, or
/// long.
fn query_key(found: &Match<'_>) -> Option<Span> {
    let value = found.value();
    let upper = value.bytes().any(|byte| byte.is_ascii_uppercase());
    let long = value.len() >= 32 && !value.contains('-');
    ((upper || long) && value.len() >= 20 && generated(value)).then(|| found.span())
}

/// How a name and a value are joined.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Joined {
    /// `=`, `:`, `=>`, `value="…"`.
    Assigned,
    /// "… is …", "… to …".
    Said,
    /// A space and no more: `ENV NAME value`, `--token value`, `secret "value"`.
    Beside,
}

/// A name, a value, and how they are joined.
struct Given<'a> {
    name: &'a str,
    value: &'a str,
    joined: Joined,
    quoted: bool,
    span: Span,
}

/// Words of a name that make it the name of something else than a secret, wherever they stand.
static OTHER: LazyLock<HashSet<&str>> = LazyLock::new(|| {
    HashSet::from([
        "public",
        "pub",
        "publishable",
        "hash",
        "hashed",
        "hashes",
        "digest",
        "checksum",
        "fingerprint",
        "integrity",
        "encrypted",
        "enc",
        "ciphertext",
        "sealed",
        "signature",
        "sha",
        "sha1",
        "sha256",
        "sha512",
        "md5",
        "bcrypt",
        "argon2",
        "etag",
        "cursor",
        "page",
        "pagination",
        "continuation",
        "next",
        "count",
        "counts",
        "limit",
        "max",
        "min",
        "num",
        "total",
        "idempotency",
        "cache",
        "csrf",
        "xsrf",
        "nonce",
        "commit",
        "trace",
        "span",
        "request",
        "prompt",
        "completion",
        "special",
        "pad",
        "bos",
        "eos",
        "mask",
        "unk",
        "stop",
        "tokenizer",
        "tokenize",
        "reset",
        "forgot",
        "bypass",
        "compass",
        "surpass",
        "secretary",
        "placeholder",
        "example",
        "partition",
        "sort",
        "primary",
        "foreign",
        "author",
        "authored",
        "keyword",
        "cancellation",
    ])
});

/// Words with which a name ends that is the name of something about a secret.
static ABOUT: LazyLock<HashSet<&str>> = LazyLock::new(|| {
    HashSet::from([
        "id",
        "ids",
        "name",
        "names",
        "type",
        "types",
        "length",
        "len",
        "size",
        "file",
        "path",
        "dir",
        "url",
        "uri",
        "endpoint",
        "host",
        "ref",
        "reference",
        "arn",
        "version",
        "policy",
        "field",
        "label",
        "hint",
        "column",
        "regex",
        "pattern",
        "format",
        "prefix",
        "suffix",
        "expiry",
        "expires",
        "expiration",
        "ttl",
        "lifetime",
        "at",
        "date",
        "provider",
        "method",
        "mode",
        "scheme",
        "strategy",
        "class",
        "store",
        "manager",
        "service",
        "validator",
        "input",
        "form",
        "error",
        "message",
        "status",
        "enabled",
        "required",
        "issuer",
        "audience",
        "scope",
        "rotation",
        "period",
        "count",
        "index",
        "idx",
        "key_id",
        "header",
        "param",
        "variable",
        "env",
        "source",
        "algorithm",
        "alg",
        "algo",
        "kind",
        "description",
        "year",
        "title",
        "test",
    ])
});

/// Secrets that are called passwords: what people think up counts too.
fn password(found: &Match<'_>) -> Option<Span> {
    let given = read(found)?;
    let good = match given.joined {
        Joined::Assigned | Joined::Said => is_password(given.value, given.quoted),
        Joined::Beside => is_strong(given.value) || (given.quoted && is_password(given.value, true)),
    };
    good.then_some(given.span)
}

/// Secrets that are called keys, tokens, secrets: what machines draw.
fn secret(found: &Match<'_>) -> Option<Span> {
    let given = read(found)?;
    let value = given.value;
    let plain = value.bytes().all(|byte| {
        byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'+' | b'/' | b'=' | b'.' | b'~' | b'%')
    });
    let token = plain && value.len() >= 16 && generated(value) && !is_uuid_of_a_plain_token(&given);
    let long = value.len() >= 20;
    let good = match given.joined {
        Joined::Assigned => token || (is_strong(value) && value.len() >= 10),
        Joined::Said => token || (is_strong(value) && value.len() >= 8),
        Joined::Beside => token && long && (given.quoted || is_called_out(given.name) || is_mixed(value)),
    };
    good.then_some(given.span)
}

/// Letters of both cases and digits, so that it is no digest.
fn is_mixed(value: &str) -> bool {
    let has = |kind: fn(&u8) -> bool| value.bytes().any(|byte| kind(&byte));
    has(u8::is_ascii_digit) && has(u8::is_ascii_lowercase) && has(u8::is_ascii_uppercase)
}

/// Whether a name is one that a value may follow after a space: `API_TOKEN`, `--api-token`.
fn is_called_out(name: &str) -> bool {
    let capital = name.bytes().any(|byte| byte.is_ascii_uppercase());
    name.starts_with("--") || (capital && !name.bytes().any(|byte| byte.is_ascii_lowercase()))
}

/// A UUID is a secret where it is called one, or a key; a bare `token` in a log is more often an id.
fn is_uuid_of_a_plain_token(given: &Given<'_>) -> bool {
    let value = given.value;
    let is_uuid = value.len() == 36 && value.bytes().filter(|byte| *byte == b'-').count() == 4;
    let name = given.name.to_ascii_lowercase();
    is_uuid
        && !["secret", "key", "auth", "access"]
            .iter()
            .any(|word| name.contains(word))
}

/// Takes a match apart; nothing where the name is not that of a secret or the value refers to one.
fn read<'a>(found: &Match<'a>) -> Option<Given<'a>> {
    let whole = found.whole();
    let lead = whole.get(..found.span().start - found.whole_span().start)?;
    let part_of_name =
        |character: char| character.is_ascii_alphanumeric() || matches!(character, '_' | '-' | '.');
    let ends = lead
        .find(|character: char| !part_of_name(character))
        .unwrap_or(lead.len());
    let (head, join) = lead.split_at_checked(ends)?;
    let around = found.before(lead.len() + 40);
    let prior = around.get(..around.len().checked_sub(lead.len())?)?;
    let begins = prior
        .rfind(|character: char| !part_of_name(character))
        .map_or(0, |at| {
            at + prior
                .get(at..)
                .and_then(|rest| rest.chars().next())
                .map_or(1, char::len_utf8)
        });
    let name = around.get(begins..prior.len() + head.len())?;
    let among = |words: &HashSet<&str>, word: &str| in_small_letters(word, |word| words.contains(word));
    let about = pieces(name).last().is_some_and(|last| among(&ABOUT, last));
    if about || pieces(name).any(|word| among(&OTHER, word)) {
        return None;
    }
    let quoted = join.ends_with(['"', '\'', '`']);
    let joined = joined(join);
    let value = trimmed(found.value(), quoted, joined);
    if refers(value) || is_digest(value) {
        return None;
    }
    let span = found.span();
    Some(Given {
        name,
        value,
        joined,
        quoted,
        span: Span::new(span.start, span.start + value.len()),
    })
}

fn joined(join: &str) -> Joined {
    let bare = join.trim_matches(|character: char| {
        character.is_ascii_whitespace() || matches!(character, '"' | '\'' | '`' | '\\' | ')' | ']' | '*')
    });
    if bare.is_empty() || bare == "-" {
        Joined::Beside
    } else if bare.starts_with('(') && bare.ends_with(')') {
        Joined::Said
    } else if bare.contains(['=', ':', '>', ',', '(', '|']) || bare.to_ascii_lowercase().contains("value") {
        Joined::Assigned
    } else {
        Joined::Said
    }
}

/// A value without the punctuation of the sentence around it, and without the next parameter of a query.
fn trimmed(value: &str, quoted: bool, joined: Joined) -> &str {
    let value = value
        .split_at_checked(query_end(value))
        .map_or(value, |(value, _)| value);
    match (quoted, joined) {
        (true, _) => value,
        (false, Joined::Assigned) => value.trim_end_matches(['.', ',', ';', ':']),
        (false, _) => value.trim_end_matches(['.', ',', ';', ':', '?']),
    }
}

/// Where `&name=` begins in a value; its length where it does not.
fn query_end(value: &str) -> usize {
    let is_parameter = |at: &usize| {
        let rest = value.get(at + 1..).unwrap_or_default();
        let name = rest.split('=').next().unwrap_or_default();
        let plain = name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b';'));
        rest.contains('=') && plain && name.len() <= 32
    };
    let all = value.match_indices('&').map(|(at, _)| at);
    all.clone().find(is_parameter).unwrap_or(value.len())
}

/// Whether a value says where the secret is instead of what it is.
fn refers(value: &str) -> bool {
    static PLACES: LazyLock<Keywords> = LazyLock::new(|| {
        Keywords::of(&[
            "process.",
            "os.",
            "env.",
            "env:",
            "env(",
            "file:",
            "var.",
            "vars.",
            "local.",
            "data.",
            "config.",
            "config[",
            "settings.",
            "self.",
            "this.",
            "params.",
            "args.",
            "opts.",
            "options.",
            "request.",
            "req.",
            "secrets.",
            "secret:",
            "vault:",
            "vault.",
            "ref+",
            "op://",
            "sm://",
            "arn:",
            "ssm:",
            "http://",
            "https://",
            "./",
            "../",
            "~/",
            "file(",
            "module.",
            "System.",
            "ENV[",
            "credentials.",
            "props.",
            "user.",
            "input.",
            "values.",
            ".Values",
            "azurerm_",
            "aws_",
            "google_",
            "random_",
            "kubernetes_",
            "lookup(",
            "$(",
            "${",
            "$[",
            "{{",
            "{%",
            "<%",
            "#{",
            "%(",
            "@{",
            "$env:",
            "$ENV",
            "%env",
            "keyring",
            "getenv",
            "data:",
            "spring.",
        ])
    });
    let variable = value
        .strip_prefix('$')
        .or_else(|| value.strip_prefix('%'))
        .is_some_and(|rest| {
            rest.bytes().all(|byte| {
                byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'%' | b'-' | b'>' | b'.' | b'[')
            }) && !is_drawn(rest)
        });
    let template = value.contains("${")
        || value.contains("{{")
        || value.contains("#{")
        || value.contains("://")
        || value.contains("$(");
    variable || template || value.starts_with(['<', '[', '/']) || PLACES.begin(value)
}

/// Whether a value is what is left of a secret after it was hashed or sealed: it is kept where all may read it.
fn is_digest(value: &str) -> bool {
    static SEALED: LazyLock<Keywords> = LazyLock::new(|| {
        Keywords::of(&[
            "$2a$",
            "$2b$",
            "$2y$",
            "$argon2",
            "$1$",
            "$5$",
            "$6$",
            "$y$",
            "$scrypt",
            "$pbkdf2",
            "pbkdf2",
            "scrypt:",
            "sha256:",
            "sha512:",
            "sha1:",
            "md5:",
            "sha256-",
            "sha384-",
            "sha512-",
            "sha1-",
            "sha256$",
            "sha1$",
            "bcrypt",
            "{SSHA",
            "{SHA",
            "{CRYPT",
            "{PBKDF2",
            "{bcrypt}",
            "SCRAM-SHA",
            "ENC[",
            "ENC(",
            "AQICAH",
            "$ANSIBLE_VAULT",
            "v1:",
            "ssh-",
            "AAAAB3NzaC1",
            "AAAAC3NzaC1",
            "MIIB",
            "LS0tLS1CRUdJTiBQVUJMSUM",
            "LS0tLS1CRUdJTiBDRVJU",
        ])
    });
    SEALED.begin(value) || (value.starts_with("Ag") && value.len() > 150)
}

/// What people write where a password would stand, in lower case.
static STANDS_FOR: LazyLock<Keywords> = LazyLock::new(|| {
    Keywords::of(&[
        "password",
        "passwd",
        "passwort",
        "contraseña",
        "changeme",
        "change_me",
        "change-me",
        "example",
        "placeholder",
        "redacted",
        "your",
        "xxxx",
        "****",
        "....",
        "dummy",
        "sample",
        "insert",
        "replace",
        "todo",
        "fixme",
        "12345",
        "qwerty",
        "abc123",
        "letmein",
        "undefined",
        "null",
        "none",
        "required",
        "optional",
        "string",
        "masked",
        "hidden",
        "removed",
        "censored",
        "foobar",
        "secret_",
        "_secret",
        "-secret",
        "mysecret",
        "supersecret",
        "my-",
        "my_",
        "test_",
        "_test",
        "default",
        "false",
        "true",
        "unset",
        "empty",
        "pass123",
        "user",
        "admin123",
        "root123",
        "test123",
        "getenv",
        "invalid",
    ])
});

/// Whether a value is one that could be a password: not a word, not a name, not a thing of a program.
fn is_password(value: &str, quoted: bool) -> bool {
    if !(6..=128).contains(&value.len()) || distinct(value) < 5 {
        return false;
    }
    if STANDS_FOR.any_in(value.as_bytes(), |_, _| true) {
        // Among drawn characters a word stands by chance.
        return value.len() >= 16 && !is_placeholder(value) && is_drawn(value);
    }
    let name_like = value
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'));
    let (digits, letters) = count(value);
    let upper = value.bytes().any(|byte| byte.is_ascii_uppercase());
    let lower_case = value.bytes().any(|byte| byte.is_ascii_lowercase());
    if !name_like {
        let code = value.contains("(?")
            || value.contains(".*")
            || value.contains("()")
            || value.contains("->")
            || value.contains("::");
        return letters >= 2
            && !code
            && (digits > 0 || (quoted && upper && lower_case))
            && !is_address(value);
    }
    let dotted = value.contains('.') && !value.bytes().any(|byte| byte.is_ascii_digit());
    let mixed = digits >= 1 && upper && lower_case && value.len() >= 8;
    let many_digits = digits >= 2 && letters >= 3 && value.len() >= 8 && !value.contains(['.', '_']);
    !dotted
        && (generated(value) || (mixed && (digits >= 2 || !is_one_word(value))) || (quoted && many_digits))
}

/// A word with a number: `password2`, `userToken1`, `Argument12`.
fn is_one_word(value: &str) -> bool {
    value
        .trim_end_matches(|character: char| character.is_ascii_digit())
        .bytes()
        .all(|byte| byte.is_ascii_alphabetic())
}

/// Mail addresses and the like.
fn is_address(value: &str) -> bool {
    value.split_once('@').is_some_and(|(_, host)| {
        host.contains('.')
            && host
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || matches!(byte, b'.' | b'-'))
    })
}

fn count(value: &str) -> (usize, usize) {
    let digits = value.bytes().filter(u8::is_ascii_digit).count();
    (digits, value.bytes().filter(u8::is_ascii_alphabetic).count())
}

/// Letters of both cases, digits and a sign: what rules for passwords ask for, and little else has.
fn is_strong(value: &str) -> bool {
    let (digits, letters) = count(value);
    let sign = value
        .bytes()
        .any(|byte| byte.is_ascii_punctuation() && !matches!(byte, b'_' | b'-' | b'.' | b'/' | b':'));
    let upper = value.bytes().any(|byte| byte.is_ascii_uppercase());
    let lower = value.bytes().any(|byte| byte.is_ascii_lowercase());
    (sign && digits > 0 && letters >= 2 && upper && lower && value.len() >= 8 && is_password(value, true))
        || (value.len() >= 12 && value.bytes().all(|byte| byte.is_ascii_alphanumeric()) && generated(value))
}

/// The password in an address: `scheme://user:password@host`.
fn userinfo(found: &Match<'_>) -> Option<Span> {
    let value = found.value();
    let lower = value.to_ascii_lowercase();
    let example = [
        "password", "pass", "passwd", "pwd", "secret", "token", "xxx", "pw", "changeme", "example", "your",
        "user", "<", "redacted",
    ];
    let stands_for = example.contains(&lower.as_str())
        || STANDS_FOR
            .iter()
            .take(12)
            .any(|word| lower.contains(word.as_str()))
        || lower.contains("x-token")
        || lower.contains("x-oauth");
    let word = lower.bytes().all(|byte| byte.is_ascii_lowercase())
        && ["secret", "pass", "token", "pwd", "key"]
            .iter()
            .any(|said| lower.contains(said));
    let plain = word || lower.bytes().all(|byte| byte.is_ascii_digit()) || distinct(value) < 3;
    ((!stands_for && !plain || generated(value)) && !refers(value)).then(|| found.span())
}

/// What follows `Bearer`.
fn header_token(found: &Match<'_>) -> Option<Span> {
    let value = found.value().trim_end_matches(['.', '=']);
    let kept = found.value();
    (value.len() >= 16 && generated(kept) && !refers(kept) && !is_digest(kept)).then(|| found.span())
}

/// The value of a cookie that keeps a session.
fn session(found: &Match<'_>) -> Option<Span> {
    let value = found.value();
    (value.len() >= 16 && generated(value)).then(|| found.span())
}

/// Seeds of one-time passwords: base 32.
fn seed(found: &Match<'_>) -> Option<Span> {
    let value = found.value();
    let compact: String = value.chars().filter(char::is_ascii_alphanumeric).collect();
    let (digits, _) = count(&compact);
    (compact.len() >= 16 && digits > 0 && !is_placeholder(&compact) && distinct(&compact) >= 8)
        .then(|| found.span())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_told_from_words_and_code() {
        for (value, quoted, right) in [
            ("Tig3r2026!", false, true),
            ("falcon-lamp-21!", false, true),
            ("x7r6AZrp!1pn", false, true),
            ("H3PvdsKUmHgn", false, true),
            ("Qw8sVbn2", false, true),
            ("password1", true, false),
            ("changeme123!", true, false),
            ("get_password", false, false),
            ("self.token2", false, false),
            ("argument2", false, false),
            ("Argument2", false, false),
            ("required|min:8", true, false),
            ("jane@example.org", true, false),
            ("********", false, false),
        ] {
            assert_eq!(is_password(value, quoted), right, "{value}");
        }
    }

    #[test]
    fn references_are_not_values() {
        for value in [
            "${DB_PASSWORD}",
            "$DB_PASSWORD",
            "process.env.X",
            "{{ secrets.X }}",
            "/run/secrets/db",
            "https://a.b",
            "<token>",
            "$(cat",
            "%DB%",
        ] {
            assert!(refers(value), "{value}");
        }
        for value in ["$ecr3t!Pa7", "P@nd@2019!", "Copper$86"] {
            assert!(!refers(value), "{value}");
        }
    }

    #[test]
    fn joints_are_told_apart() {
        for (join, expected) in [
            ("=", Joined::Assigned),
            ("\": \"", Joined::Assigned),
            (" is ", Joined::Said),
            (" ", Joined::Beside),
            (" \"", Joined::Beside),
            ("\"\n value: \"", Joined::Assigned),
        ] {
            assert!(joined(join) == expected, "{join}");
        }
    }
}
