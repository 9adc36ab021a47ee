//! The table of forged tokens. Every row is refused, for the reason that stands in it.

use bytes::Bytes;
use serde_json::{Value, json};

use super::signer::{Signer, encode, hs256};
use super::{ISSUER, NOW, claims, terms};
use crate::identity::keys::{Algorithm, KeySet};
use crate::identity::token::TokenError::{Claim, Header};
use crate::identity::token::{Claims, LONGEST, Terms, TokenError, Unverified};

/// The issuer's keys, and one that is not the issuer's.
struct Bench {
    rsa: Signer,
    p256: Signer,
    p384: Signer,
    ed: Signer,
    stranger: Signer,
    keys: KeySet,
}

fn set(keys: &[Value]) -> KeySet {
    KeySet::read(Bytes::from(json!({ "keys": keys }).to_string())).unwrap()
}

impl Bench {
    fn new() -> Bench {
        let (rsa, p256) = (Signer::rsa("rsa"), Signer::p256("p256"));
        let (p384, ed) = (Signer::p384("p384"), Signer::ed25519("ed"));
        let mut only = rsa.jwk();
        only["kid"] = "rsa-only-256".into();
        only["alg"] = "RS256".into();
        let mut encrypting = p256.jwk();
        encrypting["kid"] = "for-encryption".into();
        encrypting["use"] = "enc".into();
        let mut deriving = p256.jwk();
        deriving["kid"] = "for-deriving".into();
        deriving["key_ops"] = json!(["deriveBits"]);
        let mut small = rsa.jwk();
        small["kid"] = "small".into();
        small["n"] = encode([0xb5; 128]).into();
        let secret = json!({ "kty": "oct", "k": encode([7; 32]), "kid": "shared", "alg": "HS256" });
        let keys = set(&[
            rsa.jwk(),
            p256.jwk(),
            p384.jwk(),
            ed.jwk(),
            only,
            encrypting,
            deriving,
            small,
            secret,
        ]);
        Bench {
            rsa,
            p256,
            p384,
            ed,
            stranger: Signer::p256("p256"),
            keys,
        }
    }

    fn verify(&self, token: &str, terms: &Terms) -> Result<Claims, TokenError> {
        Unverified::read(token)?.verify(terms, &self.keys, NOW)
    }

    /// A token in order but for one claim, which is put in or, if null, taken out.
    fn claiming(&self, claim: &str, value: Value) -> String {
        let mut all = claims();
        match value {
            Value::Null => drop(all.as_object_mut().unwrap().remove(claim)),
            value => all[claim] = value,
        }
        self.p256.token("ES256", &all)
    }

    /// A token whose claims are written like this.
    fn written(&self, claims: &str) -> String {
        self.p256
            .token_of("ES256", r#"{"alg":"ES256","kid":"p256"}"#, claims)
    }

    /// A token in order but for more members of its header.
    fn heading(&self, more: &str) -> String {
        let header = format!(r#"{{"alg":"ES256","kid":"p256"{more}}}"#);
        self.p256.token_of("ES256", &header, &claims().to_string())
    }

    /// A token in order but for the name of its key.
    fn keyed(&self, kid: &str) -> String {
        let header = format!(r#"{{"alg":"ES256","kid":{kid}}}"#);
        self.p256.token_of("ES256", &header, &claims().to_string())
    }

    /// A token in order but for its algorithm, as its header names it; signed as that says where this key can.
    fn by(&self, signer: &Signer, algorithm: &str, kid: &str) -> String {
        let header = json!({ "alg": algorithm, "kid": kid });
        signer.token_of(algorithm, &header.to_string(), &claims().to_string())
    }
}

type Row = (&'static str, String, TokenError);

fn check(bench: &Bench, rows: Vec<Row>) {
    let mut wrong = Vec::new();
    for (name, token, expected) in rows {
        let found = bench.verify(&token, &terms()).err();
        if found != Some(expected) {
            wrong.push(format!("{name}: {found:?}, not {expected:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn good_tokens_of_every_algorithm_are_accepted() {
    let bench = Bench::new();
    for algorithm in Algorithm::ALL {
        let name = algorithm.name();
        let signer = match name {
            "ES256" => &bench.p256,
            "ES384" => &bench.p384,
            "EdDSA" => &bench.ed,
            _ => &bench.rsa,
        };
        let token = signer.token(name, &claims());
        let claims = bench
            .verify(&token, &terms())
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(claims.subject(), Some("anna"));
        assert_eq!(claims.texts("groups"), ["staff", "free"]);
        assert_eq!(claims.texts("realm_access.roles"), ["writer", "reader"]);
        assert_eq!(claims.texts("sub"), ["anna"]);
        assert!(claims.texts("exp").is_empty() && claims.texts("realm_access").is_empty());
    }
}

#[test]
fn what_may_differ_between_good_tokens() {
    let bench = Bench::new();
    for (name, token) in [
        (
            "several audiences",
            bench.claiming("aud", json!(["other", "portcullis"])),
        ),
        (
            "the other audience",
            bench.claiming("aud", json!("https://gateway.example.com")),
        ),
        (
            "expired within the leeway",
            bench.claiming("exp", json!(NOW - 29)),
        ),
        ("begins within the leeway", bench.claiming("nbf", json!(NOW + 29))),
        ("issued within the leeway", bench.claiming("iat", json!(NOW + 29))),
        ("no nbf", bench.claiming("nbf", Value::Null)),
        (
            "a fraction of a second",
            bench.written(&format!(
                r#"{{"iss":"{ISSUER}","aud":"portcullis","sub":"a","iat":{NOW}.25,"exp":{}.5}}"#,
                NOW + 1
            )),
        ),
        ("JWT as type", bench.heading(r#","typ":"JWT""#)),
        (
            "the long form of the type",
            bench.heading(r#","typ":"application/at+jwt""#),
        ),
        ("no type", bench.heading("")),
        (
            "a hash of a certificate, which is only a name",
            bench.heading(r#","x5t":"abc""#),
        ),
        (
            "bound to a certificate, which is asked for elsewhere",
            bench.claiming("cnf", json!({ "x5t#S256": "abc" })),
        ),
    ] {
        assert!(bench.verify(&token, &terms()).is_ok(), "{name}");
    }
    // Without a kid where one key alone fits, and not where there are two.
    let header = r#"{"alg":"ES384"}"#;
    let token = bench.p384.token_of("ES384", header, &claims().to_string());
    assert!(bench.verify(&token, &terms()).is_ok());
    let two = set(&[bench.p384.jwk(), Signer::p384("other").jwk()]);
    let found = Unverified::read(&token).unwrap().verify(&terms(), &two, NOW);
    assert_eq!(found.err(), Some(TokenError::Key));
}

#[test]
fn forged_by_algorithm() {
    let bench = Bench::new();
    let text = claims().to_string();
    let good = bench.p256.token("ES256", &claims());
    let (signed, signature) = good.rsplit_once('.').unwrap();
    let (_, body) = signed.split_once('.').unwrap();
    let none = |alg: &str, signature: &str| {
        format!(
            "{}.{}.{signature}",
            encode(format!(r#"{{"alg":"{alg}","kid":"p256"}}"#)),
            encode(&text)
        )
    };
    let crate::identity::tests::signer::Kind::Rsa(_, modulus) = &bench.rsa.kind else {
        panic!("an RSA key")
    };
    let hs = r#"{"alg":"HS256","kid":"rsa"}"#;
    check(
        &bench,
        vec![
            ("alg none", none("none", "AA"), TokenError::Algorithm),
            ("alg None", none("None", "AA"), TokenError::Algorithm),
            ("alg NONE", none("NONE", "AA"), TokenError::Algorithm),
            ("alg nOnE", none("nOnE", "AA"), TokenError::Algorithm),
            (
                "alg none without a signature",
                none("none", ""),
                TokenError::Parts,
            ),
            ("alg empty", none("", signature), TokenError::Algorithm),
            (
                "alg in lower case",
                none("es256", signature),
                TokenError::Algorithm,
            ),
            (
                "alg missing",
                format!("{}.{body}.{signature}", encode(r#"{"kid":"p256"}"#)),
                TokenError::Algorithm,
            ),
            (
                "alg a number",
                format!("{}.{body}.{signature}", encode(r#"{"alg":1}"#)),
                TokenError::Algorithm,
            ),
            (
                "alg a list",
                format!("{}.{body}.{signature}", encode(r#"{"alg":["ES256"]}"#)),
                TokenError::Algorithm,
            ),
            (
                "HS256 with the modulus of the public key as secret",
                hs256(hs, &text, modulus),
                TokenError::Algorithm,
            ),
            (
                "HS256 with the published key as secret",
                hs256(hs, &text, bench.rsa.jwk().to_string().as_bytes()),
                TokenError::Algorithm,
            ),
            (
                "HS256 with a shared secret that the issuer lists",
                hs256(r#"{"alg":"HS256","kid":"shared"}"#, &text, &[7; 32]),
                TokenError::Algorithm,
            ),
        ],
    );
}

#[test]
fn forged_by_algorithm_of_another_key() {
    let bench = Bench::new();
    let good = bench.p256.token("ES256", &claims());
    let (signed, _) = good.rsplit_once('.').unwrap();
    let (_, body) = signed.split_once('.').unwrap();
    check(
        &bench,
        vec![
            (
                "RS256 named on a key of P-256",
                bench.by(&bench.rsa, "RS256", "p256"),
                TokenError::Key,
            ),
            (
                "ES256 named on an RSA key",
                bench.by(&bench.p256, "ES256", "rsa"),
                TokenError::Key,
            ),
            (
                "ES384 named on a key of P-256",
                bench.by(&bench.p384, "ES384", "p256"),
                TokenError::Key,
            ),
            (
                "another algorithm than the key is for",
                bench.by(&bench.rsa, "PS256", "rsa-only-256"),
                TokenError::Key,
            ),
            (
                "RS256 where PS256 is named",
                {
                    let header = encode(r#"{"alg":"PS256","kid":"rsa"}"#);
                    let signed = format!("{header}.{body}");
                    format!("{signed}.{}", encode(bench.rsa.sign("RS256", signed.as_bytes())))
                },
                TokenError::Signature,
            ),
            (
                "a key for encryption",
                bench.by(&bench.p256, "ES256", "for-encryption"),
                TokenError::Key,
            ),
            (
                "a key for deriving",
                bench.by(&bench.p256, "ES256", "for-deriving"),
                TokenError::Key,
            ),
            (
                "an RSA key of 1024 bits",
                bench.by(&bench.rsa, "RS256", "small"),
                TokenError::Key,
            ),
        ],
    );
    // What an issuer's settings leave out is left out.
    let narrow = Terms {
        algorithms: vec![Algorithm::EdDsa],
        ..terms()
    };
    assert_eq!(bench.verify(&good, &narrow).err(), Some(TokenError::Algorithm));
    assert!(bench.verify(&bench.ed.token("EdDSA", &claims()), &narrow).is_ok());
}

#[test]
fn forged_by_signature() {
    let bench = Bench::new();
    let good = bench.p256.token("ES256", &claims());
    let (signed, signature) = good.rsplit_once('.').unwrap();
    let (header, _) = signed.split_once('.').unwrap();
    let zero = |bytes: usize| format!("{signed}.{}", encode(vec![0; bytes]));
    let mut changed = signature.to_owned().into_bytes();
    changed[10] = if changed[10] == b'A' { b'B' } else { b'A' };
    let mut admin = claims();
    admin["sub"] = "root".into();
    let other_half = bench.p256.token("ES256", &admin);
    let swapped = format!("{header}.{}.{signature}", other_half.split('.').nth(1).unwrap());
    check(
        &bench,
        vec![
            (
                "another's key of the same name",
                bench.stranger.token("ES256", &claims()),
                TokenError::Signature,
            ),
            ("signature stripped", format!("{signed}."), TokenError::Parts),
            (
                "signature and its dot stripped",
                signed.to_owned(),
                TokenError::Parts,
            ),
            (
                "signature changed",
                format!("{signed}.{}", String::from_utf8(changed).unwrap()),
                TokenError::Signature,
            ),
            (
                "signature cut",
                format!("{signed}.{}", &signature[..80]),
                TokenError::Signature,
            ),
            ("r and s zero", zero(64), TokenError::Signature),
            (
                "r and s empty bytes of another length",
                zero(1),
                TokenError::Signature,
            ),
            (
                "r and s in DER",
                format!("{signed}.{}", encode([0x30, 6, 2, 1, 0, 2, 1, 0])),
                TokenError::Signature,
            ),
            ("claims of another token", swapped, TokenError::Signature),
        ],
    );
}

/// Name, claim, its value in JSON (nothing takes it out), why it is refused. It is 1800000000 o'clock.
#[rustfmt::skip]
static CLAIMS: &[(&str, &str, &str, TokenError)] = &[
    ("wrong issuer", "iss", r#""https://evil.example.com""#, Claim("iss")),
    ("issuer with a slash", "iss", r#""https://idp.example.com/""#, Claim("iss")),
    ("issuer in other letters", "iss", r#""HTTPS://IDP.EXAMPLE.COM""#, Claim("iss")),
    ("issuer a list", "iss", r#"["https://idp.example.com"]"#, Claim("iss")),
    ("issuer null", "iss", "null", Claim("iss")),
    ("no issuer", "iss", "", Claim("iss")),
    ("wrong audience", "aud", r#""other""#, Claim("aud")),
    ("wrong audiences", "aud", r#"["other","portcullis2"]"#, Claim("aud")),
    ("audience with white space", "aud", r#""portcullis ""#, Claim("aud")),
    ("audience among other sorts", "aud", r#"["portcullis",1]"#, Claim("aud")),
    ("audience in an object", "aud", r#"{"0":"portcullis"}"#, Claim("aud")),
    ("audience in a list in a list", "aud", r#"[["portcullis"]]"#, Claim("aud")),
    ("no audience in the list", "aud", "[]", Claim("aud")),
    ("no audience", "aud", "", Claim("aud")),
    ("no subject", "sub", "", Claim("sub")),
    ("empty subject", "sub", r#""""#, Claim("sub")),
    ("subject a number", "sub", "7", Claim("sub")),
    ("subject with a line break", "sub", r#""anna\nroot""#, Claim("sub")),
    ("no expiry", "exp", "", Claim("exp")),
    ("expired", "exp", "1799999970", TokenError::Expired),
    ("expired long ago", "exp", "0", TokenError::Expired),
    ("expiry a text", "exp", r#""1800000300""#, Claim("exp")),
    ("expiry true", "exp", "true", Claim("exp")),
    ("expiry null", "exp", "null", Claim("exp")),
    ("expiry a list", "exp", "[1800000300]", Claim("exp")),
    ("expiry 1e99", "exp", "1e99", Claim("exp")),
    ("expiry with an exponent", "exp", "1.9e9", Claim("exp")),
    ("expiry negative", "exp", "-1", Claim("exp")),
    ("expiry beyond counting", "exp", "99999999999999999999", Claim("exp")),
    ("expiry NaN", "exp", "NaN", TokenError::Json),
    ("expiry Infinity", "exp", "Infinity", TokenError::Json),
    ("expiry in hex", "exp", "0x7fffffff", TokenError::Json),
    ("expiry with a plus", "exp", "+1800000300", TokenError::Json),
    ("expiry with a zero before", "exp", "01800000300", TokenError::Json),
    ("expiry twice", "exp", r#"1,"exp":1800000300"#, TokenError::Json),
    ("subject twice, once in escapes", "exp", r#"1800000300,"s\u0075b":"root""#, TokenError::Json),
    ("not yet valid", "nbf", "1800000031", TokenError::NotYet),
    ("nbf a text", "nbf", r#""0""#, Claim("nbf")),
    ("issued in the future", "iat", "1800000031", TokenError::NotYet),
    ("iat a text", "iat", r#""0""#, Claim("iat")),
    ("no iat where there is a greatest age", "iat", "", Claim("iat")),
    ("too old", "iat", "1799996370", TokenError::TooOld),
    ("bound to a key that is not asked for", "cnf", r#"{"jkt":"x"}"#, Claim("cnf")),
    ("bound to two things", "cnf", r#"{"x5t#S256":"x","jkt":"x"}"#, Claim("cnf")),
    ("bound to nothing", "cnf", "{}", Claim("cnf")),
    ("bound to a number", "cnf", r#"{"x5t#S256":1}"#, Claim("cnf")),
];

#[test]
fn forged_by_claims() {
    let bench = Bench::new();
    let row = |(name, claim, value, error): &(&'static str, &str, &str, TokenError)| {
        let mut all = claims();
        all.as_object_mut().unwrap().remove(*claim);
        let rest = all.to_string();
        let written = match *value {
            "" => rest,
            value => format!(r#"{{"{claim}":{value},{}"#, rest.strip_prefix('{').unwrap()),
        };
        (*name, bench.written(&written), *error)
    };
    check(&bench, CLAIMS.iter().map(row).collect());
    let endless = bench.claiming("sub", json!("a".repeat(300)));
    check(&bench, vec![("endless subject", endless, Claim("sub"))]);
}

/// Name, more members of the header of a token that is in order, why it is refused.
#[rustfmt::skip]
static HEADERS: &[(&str, &str, TokenError)] = &[
    ("a set of keys elsewhere", r#""jku":"https://evil.example.com/k""#, Header("jku")),
    ("a set of keys of the issuer's", r#""jku":"https://idp.example.com/k""#, Header("jku")),
    ("jku null", r#""jku":null"#, Header("jku")),
    ("a key of its own", r#""jwk":{"kty":"EC"}"#, Header("jwk")),
    ("a certificate elsewhere", r#""x5u":"https://evil.example.com/c""#, Header("x5u")),
    ("a certificate of its own", r#""x5c":["MIIB"]"#, Header("x5c")),
    ("crit", r#""crit":["exp"],"exp":1"#, Header("crit")),
    ("crit empty", r#""crit":[]"#, Header("crit")),
    ("b64 false", r#""b64":false,"crit":["b64"]"#, Header("crit")),
    ("b64 false without crit", r#""b64":false"#, Header("b64")),
    ("compressed", r#""zip":"DEF""#, Header("zip")),
    ("encrypted", r#""enc":"A256GCM""#, Header("enc")),
    ("nested", r#""cty":"JWT""#, Header("cty")),
    ("of another type", r#""typ":"logout+jwt""#, Header("typ")),
    ("a proof of possession", r#""typ":"dpop+jwt""#, Header("typ")),
    ("type a number", r#""typ":1"#, Header("typ")),
    ("alg twice", r#""alg":"none""#, TokenError::Json),
    ("alg twice, once in escapes", r#""\u0061lg":"none""#, TokenError::Json),
    ("kid twice", r#""kid":"rsa""#, TokenError::Json),
];

/// Name, the key's name in JSON, why the token is refused.
#[rustfmt::skip]
static KIDS: &[(&str, &str, TokenError)] = &[
    ("unknown kid", r#""nobody""#, TokenError::Key),
    ("kid of a path", r#""../../../../dev/null""#, TokenError::Key),
    ("kid of SQL", r#""p256' UNION SELECT 'key'--""#, TokenError::Key),
    ("kid of a command", r#""p256; curl evil.example.com""#, TokenError::Key),
    ("kid with a zero byte", r#""p256\u0000""#, TokenError::Key),
    ("kid in other letters", r#""P256""#, TokenError::Key),
    ("kid empty", r#""""#, Header("kid")),
    ("kid a number", "1", Header("kid")),
    ("kid null", "null", Header("kid")),
    ("kid a list", r#"["p256"]"#, Header("kid")),
];

#[test]
fn forged_by_header() {
    let bench = Bench::new();
    let heading = |(name, more, error): &(&'static str, &str, TokenError)| {
        (*name, bench.heading(&format!(",{more}")), *error)
    };
    check(&bench, HEADERS.iter().map(heading).collect());
    let keyed = |(name, kid, error): &(&'static str, &str, TokenError)| (*name, bench.keyed(kid), *error);
    check(&bench, KIDS.iter().map(keyed).collect());
    let own = format!(r#"{{"alg":"ES256","jwk":{}}}"#, bench.stranger.jwk());
    let own = bench.stranger.token_of("ES256", &own, &claims().to_string());
    let unnamed = bench
        .rsa
        .token_of("RS256", r#"{"alg":"RS256"}"#, &claims().to_string());
    let endless = bench.keyed(&format!(r#""{}""#, "k".repeat(300)));
    check(
        &bench,
        vec![
            ("signed by the key that it brings", own, Header("jwk")),
            ("no kid where several keys fit", unnamed, TokenError::Key),
            ("endless kid", endless, Header("kid")),
        ],
    );
}

#[test]
fn forged_by_form() {
    let bench = Bench::new();
    let good = bench.p256.token("ES256", &claims());
    let [header, body, signature] = good.split('.').collect::<Vec<_>>()[..] else {
        panic!("three parts")
    };
    // The last character of a signature of 64 bytes has bits that mean nothing.
    let spare = match signature.chars().last().unwrap() {
        'A' => 'B',
        'Q' => 'R',
        'g' => 'h',
        _ => 'x',
    };
    let trailing = format!("{header}.{body}.{}{spare}", &signature[..signature.len() - 1]);
    let nested = bench
        .p256
        .token_of("ES256", r#"{"alg":"ES256","kid":"p256"}"#, &good);
    check(
        &bench,
        vec![
            ("nothing", String::new(), TokenError::Parts),
            ("dots", "..".to_owned(), TokenError::Parts),
            ("two parts", format!("{header}.{body}"), TokenError::Parts),
            ("four parts", format!("{good}.{signature}"), TokenError::Parts),
            (
                "five parts, as an encrypted one",
                format!("{header}.{body}.{body}.{body}.{signature}"),
                TokenError::Parts,
            ),
            ("a token in a token", nested, TokenError::Json),
            (
                "padded header",
                format!("{header}=.{body}.{signature}"),
                TokenError::Encoding,
            ),
            (
                "padded claims",
                format!("{header}.{body}==.{signature}"),
                TokenError::Encoding,
            ),
            ("padded signature", format!("{good}=="), TokenError::Encoding),
            ("bits that mean nothing", trailing, TokenError::Encoding),
            (
                "the other alphabet of base64",
                format!("{header}.{body}.{}+/", &signature[..84]),
                TokenError::Encoding,
            ),
            ("white space before", format!(" {good}"), TokenError::Encoding),
            ("white space after", format!("{good} "), TokenError::Encoding),
            (
                "a line break within",
                format!("{header}.{body}\n.{signature}"),
                TokenError::Encoding,
            ),
            (
                "letters of another script",
                format!("{header}.{body}é.{signature}"),
                TokenError::Encoding,
            ),
            (
                "too long",
                format!("{header}.{}.{signature}", "A".repeat(LONGEST)),
                TokenError::TooLong,
            ),
            ("a million bytes", "A".repeat(1 << 20), TokenError::TooLong),
        ],
    );
}

#[test]
fn forged_by_json() {
    let bench = Bench::new();
    let good = bench.p256.token("ES256", &claims());
    let [header, body, signature] = good.split('.').collect::<Vec<_>>()[..] else {
        panic!("three parts")
    };
    let deep = format!(r#"{{"a":{}{}}}"#, "[".repeat(80), "]".repeat(80));
    check(
        &bench,
        vec![
            ("claims a list", bench.written("[]"), TokenError::Json),
            ("claims a text", bench.written("\"x\""), TokenError::Json),
            (
                "claims nothing",
                format!("{header}..{signature}"),
                TokenError::Parts,
            ),
            (
                "claims not UTF-8",
                format!("{header}.{}.{signature}", encode([0xff, 0xfe])),
                TokenError::Json,
            ),
            (
                "claims with a mark of byte order",
                bench.written(&format!("\u{feff}{}", claims())),
                TokenError::Json,
            ),
            (
                "claims and more",
                bench.written(&format!("{}{{}}", claims())),
                TokenError::Json,
            ),
            (
                "claims with a comma too many",
                bench.written("{\"a\":1,}"),
                TokenError::Json,
            ),
            ("claims nested deep", bench.written(&deep), TokenError::Json),
            (
                "header not an object",
                format!("{}.{body}.{signature}", encode("1")),
                TokenError::Json,
            ),
        ],
    );
}
