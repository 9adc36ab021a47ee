//! Forged tokens, each with its name, and good ones of every algorithm.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test that cannot go on ends here"
)]

mod forged;
mod signer;
mod sources;

use signer::Signer;

use super::token::Terms;

/// When the tests are, in seconds since 1970.
const NOW: u64 = 1_800_000_000;

const ISSUER: &str = "https://idp.example.com";

/// Claims that are in order.
fn claims() -> serde_json::Value {
    serde_json::json!({
        "iss": ISSUER, "aud": "portcullis", "sub": "anna", "exp": NOW + 300, "iat": NOW - 10, "nbf": NOW - 10,
        "groups": ["staff", "free"], "realm_access": { "roles": ["writer", "reader"] },
    })
}

fn terms() -> Terms {
    Terms {
        issuer: ISSUER.to_owned(),
        audiences: vec!["portcullis".to_owned(), "https://gateway.example.com".to_owned()],
        algorithms: Vec::new(),
        leeway: 30,
        max_age: Some(3600),
    }
}
