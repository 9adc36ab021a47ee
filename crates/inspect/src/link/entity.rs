//! Character references of HTML, as far as they can stand in an address: numbers, and the names of ASCII characters. One
//! pass: what a decoded reference spells is not decoded again.

/// The names of references that make a difference to an address.
const NAMES: &[(&str, char)] = &[
    ("Tab", '\t'),
    ("NewLine", '\n'),
    ("nbsp", '\u{a0}'),
    ("excl", '!'),
    ("quot", '"'),
    ("num", '#'),
    ("percnt", '%'),
    ("amp", '&'),
    ("AMP", '&'),
    ("apos", '\''),
    ("lpar", '('),
    ("rpar", ')'),
    ("ast", '*'),
    ("plus", '+'),
    ("comma", ','),
    ("period", '.'),
    ("sol", '/'),
    ("colon", ':'),
    ("semi", ';'),
    ("lt", '<'),
    ("equals", '='),
    ("gt", '>'),
    ("quest", '?'),
    ("commat", '@'),
    ("lsqb", '['),
    ("lbrack", '['),
    ("bsol", '\\'),
    ("rsqb", ']'),
    ("rbrack", ']'),
    ("lowbar", '_'),
    ("lcub", '{'),
    ("rcub", '}'),
    ("vert", '|'),
];

/// The longest reference, its `&` and `;` included; leading zeros beyond it are no reference to us.
const LONGEST: usize = 16;

/// The text with its references replaced.
pub(crate) fn decode(text: &str) -> String {
    let mut decoded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((plain, after)) = rest.split_once('&') {
        decoded.push_str(plain);
        match reference(after) {
            Some((character, length)) => {
                decoded.push(character);
                rest = after.get(length..).unwrap_or_default();
            }
            None => {
                decoded.push('&');
                rest = after;
            }
        }
    }
    decoded.push_str(rest);
    decoded
}

/// The character that the reference after a `&` stands for, and the length of the rest of the reference.
pub(crate) fn reference(after: &str) -> Option<(char, usize)> {
    if let Some(number) = after.strip_prefix('#') {
        let (digits, radix, skipped) = match number.strip_prefix(['x', 'X']) {
            Some(digits) => (digits, 16, 2),
            None => (number, 10, 1),
        };
        let length = digits
            .bytes()
            .take(LONGEST)
            .take_while(|byte| char::from(*byte).is_digit(radix))
            .count();
        let code = u32::from_str_radix(digits.get(..length)?, radix).ok()?;
        let closed = usize::from(digits.as_bytes().get(length) == Some(&b';'));
        return Some((char::from_u32(code)?, skipped + length + closed));
    }
    let name = after.get(..after.bytes().take(LONGEST).position(|byte| byte == b';')?)?;
    let (_, character) = NAMES.iter().find(|(known, _)| *known == name)?;
    Some((*character, name.len() + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references() {
        for (text, decoded) in [
            ("a&amp;b", "a&b"),
            ("&#106;&#x61;&#X76;a", "java"),
            ("&#0000106avascript", "javascript"),
            ("java&Tab;script&colon;", "java\tscript:"),
            ("&amp;colon;", "&colon;"),
            ("a&b=c&d", "a&b=c&d"),
            ("&#;&#x;&", "&#;&#x;&"),
            ("&#99999999;", "&#99999999;"),
        ] {
            assert_eq!(decode(text), decoded, "{text}");
        }
    }
}
