//! What is wrong in a configuration, and where. It is told to a person, so it says what to do.

/// A place in a file, both from one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// Line.
    pub line: usize,
    /// Column, in characters.
    pub column: usize,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where.
    pub at: Position,
    /// The setting, as `profiles.default.pii.input`; empty where there is none.
    pub path: String,
    /// What is wrong and what would be right.
    pub message: String,
}

impl Problem {
    /// A problem at a place.
    pub fn new(at: Position, path: impl Into<String>, message: impl Into<String>) -> Problem {
        Problem {
            at,
            path: path.into(),
            message: message.into(),
        }
    }

    /// One line, in the form that editors and compilers share.
    #[must_use]
    pub fn line(&self, file: &str) -> String {
        let Position { line, column } = self.at;
        match self.path.as_str() {
            "" => format!("{file}:{line}:{column}: {}", self.message),
            path => format!("{file}:{line}:{column}: {path}: {}", self.message),
        }
    }
}

/// The candidate that was probably meant by `word`, if one is near enough.
#[must_use]
pub fn nearest<'a>(word: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let allowed = (word.chars().count() / 3).clamp(1, 3);
    candidates
        .map(|candidate| {
            (
                strsim::damerau_levenshtein(&word.to_lowercase(), &candidate.to_lowercase()),
                candidate,
            )
        })
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Words in a row for a sentence: `a, b or c`.
#[must_use]
pub fn either(words: &[&str]) -> String {
    match words {
        [] => String::new(),
        [word] => (*word).to_owned(),
        [most @ .., last] => format!("{} or {last}", most.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_keys_is_recognised_and_another_word_is_not() {
        let known = ["secrets", "injection", "pii"];
        assert_eq!(nearest("secerts", known.into_iter()), Some("secrets"));
        assert_eq!(nearest("Injection", known.into_iter()), Some("injection"));
        assert_eq!(nearest("pi", known.into_iter()), Some("pii"));
        assert_eq!(nearest("banana", known.into_iter()), None);
    }

    #[test]
    fn words_in_a_row() {
        assert_eq!(either(&["a"]), "a");
        assert_eq!(either(&["a", "b", "c"]), "a, b or c");
    }
}
