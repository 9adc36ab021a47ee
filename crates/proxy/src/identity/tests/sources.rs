//! Issuers as they are met: a small server plays the identity provider.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

use super::{NOW, Signer, claims, terms};
use crate::Client;
use crate::identity::issuers::{Denied, Issuers, JwtIssuer, Mapping};
use crate::identity::source::{KeySources, is_safe};
use crate::identity::token::TokenError;

/// What the provider answers with, by path, and what it was asked for.
#[derive(Default)]
struct Pages {
    answers: Vec<(String, String)>,
    asked: Vec<String>,
}

struct Provider {
    url: String,
    pages: Arc<Mutex<Pages>>,
}

impl Provider {
    fn start() -> Provider {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let pages = Arc::new(Mutex::new(Pages::default()));
        let shared = Arc::clone(&pages);
        std::thread::spawn(move || {
            for socket in listener.incoming() {
                let mut socket = socket.unwrap();
                let mut lines = BufReader::new(socket.try_clone().unwrap()).lines();
                let Some(Ok(first)) = lines.next() else { continue };
                for line in lines {
                    if line.is_ok_and(|line| line.is_empty()) {
                        break;
                    }
                }
                let path = first.split(' ').nth(1).unwrap().to_owned();
                let mut pages = shared.lock().unwrap();
                let known = pages.answers.iter().find(|(known, _)| *known == path);
                let answer = known.map_or(
                    "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n".to_owned(),
                    |page| page.1.clone(),
                );
                pages.asked.push(path);
                drop(pages);
                // Whoever asked may have hung up already.
                let _ = socket.write_all(
                    answer
                        .replace("\r\n\r\n", "\r\nconnection: close\r\n\r\n")
                        .as_bytes(),
                );
            }
        });
        let provider = Provider { url, pages };
        let about = json!({ "issuer": provider.url, "jwks_uri": format!("{}/keys", provider.url) });
        provider.says("/.well-known/openid-configuration", &about.to_string());
        provider
    }

    fn says(&self, path: &str, body: &str) {
        self.answers(
            path,
            format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len()),
        );
    }

    fn answers(&self, path: &str, answer: String) {
        let mut pages = self.pages.lock().unwrap();
        pages.answers.retain(|(known, _)| known != path);
        pages.answers.push((path.to_owned(), answer));
    }

    fn publishes(&self, signers: &[&Signer]) {
        let keys: Vec<Value> = signers.iter().map(|signer| signer.jwk()).collect();
        self.says("/keys", &json!({ "keys": keys }).to_string());
    }

    /// It answers nothing that is of use any more.
    fn fails(&self) {
        self.pages.lock().unwrap().answers.clear();
    }

    fn asked(&self, path: &str) -> usize {
        let pages = self.pages.lock().unwrap();
        pages.asked.iter().filter(|asked| *asked == path).count()
    }

    fn token(&self, signer: &Signer, change: impl FnOnce(&mut Value)) -> String {
        let mut all = claims();
        all["iss"] = self.url.clone().into();
        change(&mut all);
        signer.token("ES256", &all)
    }

    fn issuer(&self) -> JwtIssuer {
        let mut terms = terms();
        terms.issuer.clone_from(&self.url);
        JwtIssuer {
            terms,
            jwks_url: None,
            mapping: Mapping {
                team: Some("groups".to_owned()),
                roles: Some("realm_access.roles".to_owned()),
                tools: Some("crm-agent".to_owned()),
                teams: vec!["free".to_owned()],
                ..Mapping::default()
            },
        }
    }
}

/// A gateway's view of issuers.
struct Bench {
    client: Client,
    sources: KeySources,
    issuers: Issuers,
}

impl Bench {
    fn new(issuer: JwtIssuer) -> Bench {
        let sources = KeySources::default();
        Bench {
            client: Client::new(Duration::from_secs(5)),
            issuers: Issuers::new(vec![issuer], &sources),
            sources,
        }
    }

    async fn ask(&self, token: &str) -> Result<Arc<portcullis_core::Principal>, Denied> {
        self.issuers.authenticate(&self.client, token, NOW, None).await
    }
}

#[tokio::test]
async fn a_token_makes_a_sender_of_its_claims() {
    let provider = Provider::start();
    let signer = Signer::p256("a");
    provider.publishes(&[&signer]);
    let bench = Bench::new(provider.issuer());
    let anna = bench.ask(&provider.token(&signer, |_| {})).await.unwrap();
    assert_eq!((anna.name.as_str(), anna.user.as_deref()), ("anna", Some("anna")));
    // Of several groups, the one that something is said of.
    assert_eq!(anna.team.as_deref(), Some("free"));
    assert_eq!(anna.roles, ["writer", "reader"]);
    assert_eq!(anna.tools.as_deref(), Some("crm-agent"));
    assert!(anna.key.as_str().starts_with("jwt_") && anna.key.as_str().len() == 36);
    // The same subject is the same sender, another is another, whatever they are called.
    let again = bench
        .ask(&provider.token(&signer, |all| all["jti"] = "2".into()))
        .await
        .unwrap();
    assert_eq!(again.key, anna.key);
    let other = bench
        .ask(&provider.token(&signer, |all| all["sub"] = "anna2".into()))
        .await
        .unwrap();
    assert_ne!(other.key, anna.key);
    let alone = bench
        .ask(&provider.token(&signer, |all| all["groups"] = "staff".into()))
        .await
        .unwrap();
    assert_eq!(alone.team.as_deref(), Some("staff"));
    assert_eq!(
        (
            provider.asked("/keys"),
            provider.asked("/.well-known/openid-configuration")
        ),
        (1, 1)
    );

    let mut strict = provider.issuer();
    strict.mapping.strict = true;
    let strict = Issuers::new(vec![strict], &bench.sources);
    let token = provider.token(&signer, |all| all["groups"] = "staff".into());
    let refused = strict.authenticate(&bench.client, &token, NOW, None).await;
    assert_eq!(refused.err(), Some(Denied::Token(TokenError::Unmapped)));
    // Another configuration of the same issuer asks for no keys that are known.
    assert_eq!(provider.asked("/keys"), 1);
}

#[tokio::test]
async fn a_token_that_was_good_is_asked_again_what_may_have_changed() {
    let provider = Provider::start();
    let (old, new) = (Signer::p256("old"), Signer::p256("new"));
    provider.publishes(&[&old]);
    let bench = Bench::new(provider.issuer());
    let token = provider.token(&old, |_| {});
    assert!(bench.ask(&token).await.is_ok());
    // Its time is over.
    let late = bench
        .issuers
        .authenticate(&bench.client, &token, NOW + 330, None)
        .await;
    assert_eq!(late.err(), Some(Denied::Token(TokenError::Expired)));
    // Its key is the issuer's no more, as soon as that is known.
    provider.publishes(&[&new]);
    assert!(bench.ask(&provider.token(&new, |_| {})).await.is_ok());
    assert_eq!(
        bench.ask(&token).await.err(),
        Some(Denied::Token(TokenError::Key))
    );
    // It is bound to a certificate.
    let bound = provider.token(&new, |all| all["cnf"] = json!({ "x5t#S256": "abc" }));
    for (shown, good) in [
        (None, false),
        (Some("abd"), false),
        (Some("abc"), true),
        (None, false),
    ] {
        let asked = bench
            .issuers
            .authenticate(&bench.client, &bound, NOW, shown)
            .await;
        assert_eq!(asked.is_ok(), good, "{shown:?}");
    }
}

#[tokio::test]
async fn unknown_keys_do_not_have_the_issuer_asked_more_often() {
    let provider = Provider::start();
    let signer = Signer::p256("a");
    provider.publishes(&[&signer]);
    let bench = Bench::new(provider.issuer());
    bench.issuers.keep(&bench.client).await;
    assert_eq!(provider.asked("/keys"), 1);
    let stranger = Signer::p256("nobody");
    for _ in 0..20 {
        let token = provider.token(&stranger, |_| {});
        assert_eq!(
            bench.ask(&token).await.err(),
            Some(Denied::Token(TokenError::Key))
        );
    }
    assert_eq!(provider.asked("/keys"), 3, "one at the start, two on demand");
    // It is not time for the next look either.
    bench.issuers.keep(&bench.client).await;
    assert_eq!(provider.asked("/keys"), 3);
    assert!(bench.ask(&provider.token(&signer, |_| {})).await.is_ok());
}

#[tokio::test]
async fn keys_outlast_an_outage_and_there_is_no_guessing_without_any() {
    let provider = Provider::start();
    let signer = Signer::p256("a");
    let bench = Bench::new(provider.issuer());
    let token = provider.token(&signer, |_| {});
    assert_eq!(
        bench.ask(&token).await.err(),
        Some(Denied::NoKeys),
        "it has published none"
    );
    provider.publishes(&[&signer]);
    assert!(bench.ask(&token).await.is_ok());
    provider.fails();
    let stranger = provider.token(&Signer::p256("b"), |_| {});
    assert_eq!(
        bench.ask(&stranger).await.err(),
        Some(Denied::Token(TokenError::Key))
    );
    assert!(
        bench
            .ask(&provider.token(&signer, |all| all["sub"] = "ben".into()))
            .await
            .is_ok()
    );
}

#[tokio::test]
async fn what_is_no_description_of_the_issuer_gives_no_keys() {
    let signer = Signer::p256("a");
    let elsewhere = Provider::start();
    elsewhere.publishes(&[&signer]);
    let keys = format!("{}/keys", elsewhere.url);
    let ok = |body: &str| format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    let moved = format!("HTTP/1.1 302 Found\r\nlocation: {keys}\r\ncontent-length: 0\r\n\r\n");
    let about = "/.well-known/openid-configuration";
    let cases = |url: &str| {
        let large = format!(
            r#"{{"keys":[{}],"more":"{}"}}"#,
            signer.jwk(),
            "x".repeat(300_000)
        );
        vec![
            (
                "another issuer",
                about,
                ok(&json!({ "issuer": elsewhere.url, "jwks_uri": keys }).to_string()),
            ),
            ("no address", about, ok(&json!({ "issuer": url }).to_string())),
            (
                "issuer twice",
                about,
                ok(&format!(
                    r#"{{"issuer":"x","issuer":"{url}","jwks_uri":"{keys}"}}"#
                )),
            ),
            (
                "http elsewhere",
                about,
                ok(&json!({ "issuer": url, "jwks_uri": "http://192.0.2.1/k" }).to_string()),
            ),
            (
                "a file",
                about,
                ok(&json!({ "issuer": url, "jwks_uri": "file:///etc/passwd" }).to_string()),
            ),
            ("moved", about, moved.clone()),
            ("keys moved", "/keys", moved.clone()),
            ("keys too large", "/keys", ok(&large)),
            ("keys a list", "/keys", ok("[]")),
            (
                "no key of use",
                "/keys",
                ok(r#"{"keys":[{"kty":"oct","k":"AAAA","kid":"a"}]}"#),
            ),
        ]
    };
    for number in 0..cases("").len() {
        let provider = Provider::start();
        provider.publishes(&[&signer]);
        let (name, path, answer) = cases(&provider.url).remove(number);
        provider.answers(path, answer);
        let bench = Bench::new(provider.issuer());
        let found = bench.ask(&provider.token(&signer, |_| {})).await;
        assert_eq!(found.err(), Some(Denied::NoKeys), "{name}");
    }
    assert_eq!(elsewhere.asked("/keys"), 0);
    // Where the configuration says where the keys are, the description is not asked for.
    let provider = Provider::start();
    let mut issuer = provider.issuer();
    issuer.jwks_url = Some(keys);
    let bench = Bench::new(issuer);
    assert!(bench.ask(&provider.token(&signer, |_| {})).await.is_ok());
    assert_eq!((provider.asked(about), elsewhere.asked("/keys")), (0, 1));
    // A token of an issuer that is not configured has nobody asked anything.
    let unknown = elsewhere.token(&signer, |_| {});
    assert_eq!(
        bench.ask(&unknown).await.err(),
        Some(Denied::Token(TokenError::Issuer))
    );
    assert_eq!(elsewhere.asked("/keys"), 1);
}

#[test]
fn keys_come_over_an_encrypted_connection_or_from_this_machine() {
    for (address, safe) in [
        ("https://idp.example.com/x", true),
        ("http://127.0.0.1:8000/x", true),
        ("http://[::1]:8000/x", true),
        ("http://localhost/x", true),
        ("http://idp.example.com/x", false),
        ("http://127.0.0.1.example.com/x", false),
        ("http://localhost.example.com/x", false),
        ("ftp://127.0.0.1/x", false),
        ("/x", false),
    ] {
        assert_eq!(is_safe(&address.parse().unwrap()), safe, "{address}");
    }
}
