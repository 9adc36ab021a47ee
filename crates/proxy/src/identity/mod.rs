//! Who comes without an API key, by a token of an identity provider; and who shows what is none.
//!
//! `token` and `keys` compute from their arguments alone; `source` fetches an issuer's keys; `issuers` puts them together
//! and remembers what was found good; `outside` is what the operators' side may ask.

mod guesses;
mod issuers;
mod keys;
mod outside;
mod source;
mod token;

#[cfg(test)]
mod tests;

pub use guesses::{GuessLimit, Guesses};
pub(crate) use issuers::Issuers;
pub use issuers::{Denied, JwtIssuer, Mapping, Shown};
pub use keys::Algorithm;
pub use outside::subject_id;
pub use source::{KeySources, is_safe};
pub use token::{Claims, Terms, TokenError};

/// What is known of those who come, for as long as the process lives.
#[derive(Default)]
pub struct Identity {
    /// Keys of issuers.
    pub keys: KeySources,
    /// Sources that were wrong of late.
    pub guesses: Guesses,
}
