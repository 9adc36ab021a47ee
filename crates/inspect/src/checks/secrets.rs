//! What tells a credential from a placeholder.

use crate::around::Check;

/// The checks of this file.
pub(super) static CHECKS: &[(&str, Check)] = &[("random", Check::Value(random))];

/// Generated values: a placeholder repeats itself or says what it is. A generated token has eight different characters
/// all but surely (20 hexadecimal digits miss it once in 10,000,000).
fn random(text: &str) -> bool {
    let kinds = |byte: &u8| text.as_bytes().contains(byte);
    !text.ends_with("EXAMPLE") && (0..=u8::MAX).filter(kinds).count() >= 8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_check_knows_right_from_wrong() {
        for (check, text, right) in [
            (random as fn(&str) -> bool, "ghp_xxxxxxxxxxxx", false),
            (random, "ABCDEFGHEXAMPLE", false),
            (random, "0123456789abcdef", true),
        ] {
            assert_eq!(check(text), right, "{text}");
        }
    }
}
