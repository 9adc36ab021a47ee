//! Random texts and random cuts, the same for the same seed.

pub(super) struct Dice(pub u64);

impl Dice {
    pub(super) fn roll(&mut self, sides: usize) -> usize {
        // xorshift64: the same texts for the same seed.
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % sides as u64) as usize
    }

    pub(super) fn one<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.roll(of.len())]
    }

    pub(super) fn word(&mut self, alphabet: &str, length: usize) -> String {
        (0..length)
            .map(|_| char::from(*self.one(alphabet.as_bytes())))
            .collect()
    }

    /// Something that a rule finds, or nearly.
    pub(super) fn value(&mut self) -> String {
        const UPPER: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
        const HEX: &str = "0123456789abcdef";
        const MIXED: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
        match self.roll(9) {
            0 => format!(
                "{}.{}@example.com",
                self.word("abcdehilmnorst", 5),
                self.word("abcdehilmnorst", 7)
            ),
            1 => "4111 1111 1111 1111".to_owned(),
            2 => "DE89 3704 0044 0532 0130 00".to_owned(),
            3 => format!("AKIA{}", self.word(UPPER, 16)),
            4 => format!("api_key = \"{}\"", self.word(HEX, 32)),
            5 => format!("postgres://app:{}@db.example.com:5432/main", self.word(MIXED, 14)),
            6 => {
                let lines: Vec<String> = (0..3).map(|_| self.word(MIXED, 64)).collect();
                let kind = "PRIVATE KEY-----";
                format!("-----BEGIN {kind}\n{}\n-----END {kind}\n", lines.join("\n"))
            }
            7 => format!(
                "https://{}.example/?q={}",
                self.word("abcxyz", 6),
                self.word(HEX, 12)
            ),
            _ => format!("+49 30 {}", self.word("0123456789", 8)),
        }
    }

    /// A text, and the values that were planted in it. `placeholders` may stand in it too.
    pub(super) fn text(&mut self, placeholders: &[String], planted: &mut Vec<String>) -> String {
        const AROUND: &[&str] = &[
            " ",
            ", ",
            "\n",
            " [",
            "] ",
            "] [",
            "\\ ",
            "** ",
            " \"",
            "\" ",
            " EMAIL_ADDRESS_1_ ",
            "[EMAIL_ADDRESS_1] ",
            " [EMAIL_",
            " né ",
            " 漢字 ",
            "\u{1f600}",
            "\u{200b}",
            "\u{1b}[31m",
            "the ",
            "password: ",
            "Mail me at ",
            "key",
            "![a](https://",
            ")",
            "<script>",
            "\t\u{0}",
            "\\u0041",
            "1",
            "a",
            "@",
            "-----BEGIN ",
            "ghp_",
            "<b>x</b> ",
            "`rm -rf /` ",
            "]",
            "[",
        ];
        let mut text = String::new();
        for _ in 0..=self.roll(9) {
            match self.roll(6) {
                0 | 1 => {
                    let value = self.value();
                    text.push_str(&value);
                    planted.push(value);
                }
                2 if !placeholders.is_empty() => text.push_str(self.one(placeholders).as_str()),
                _ => text.push_str(self.one::<&str>(AROUND)),
            }
        }
        text
    }

    pub(super) fn cut(&mut self, text: &str) -> Vec<String> {
        let most = 1 + self.roll(14);
        let (mut pieces, mut rest) = (Vec::new(), text);
        while !rest.is_empty() {
            let length = self.roll(most + 1);
            let end = rest.char_indices().nth(length).map_or(rest.len(), |(at, _)| at);
            pieces.push(rest[..end].to_owned());
            rest = &rest[end..];
        }
        pieces
    }

    /// Cuts as models do: words with the space before them or parts of them, a few digits or signs.
    pub(super) fn tokens(&mut self, text: &str) -> Vec<String> {
        let class = |c: char| (c.is_alphabetic(), c.is_numeric(), c.is_whitespace());
        let (mut pieces, mut rest) = (Vec::new(), text);
        while let Some(first) = rest.chars().next() {
            let space = usize::from(first == ' ' && rest.chars().nth(1).is_some_and(char::is_alphanumeric));
            let of = class(rest.chars().nth(space).unwrap_or(first));
            let most = if of.0 {
                1 + self.roll(9)
            } else {
                1 + self.roll(if of.1 { 3 } else { 6 })
            };
            let length = rest
                .chars()
                .skip(space)
                .take(most)
                .take_while(|c| class(*c) == of)
                .count()
                + space;
            let end = rest.char_indices().nth(length).map_or(rest.len(), |(at, _)| at);
            pieces.push(rest[..end].to_owned());
            rest = &rest[end..];
        }
        pieces
    }
}
