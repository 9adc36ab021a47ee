//! The one door to learned classifiers: what one says of a text. Models and their numbers are in `portcullis-infer`.

use portcullis_core::{Channel, Span};

/// What a text tries, in the eyes of a classifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Attempt {
    /// Instructions that try to take control: override, hijack, hidden in data.
    Injection,
    /// A way of asking that is to make the model drop its rules.
    Jailbreak,
    /// To make the model tell its instructions or what else it was given.
    Extraction,
}

impl Attempt {
    /// All of them.
    pub const ALL: [Attempt; 3] = [Attempt::Injection, Attempt::Jailbreak, Attempt::Extraction];

    /// Its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Attempt::Injection => "injection",
            Attempt::Jailbreak => "jailbreak",
            Attempt::Extraction => "extraction",
        }
    }
}

/// What a classifier says of a text.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Opinion {
    /// How surely the text is an attack, calibrated: in 0..=1.
    pub score: f32,
    /// What it most likely tries, if it is one.
    pub attempt: Attempt,
    /// The bytes of the text that look worst, for people. The whole text where the classifier cannot tell.
    pub span: Span,
}

/// Which share of harmless texts may be taken for attacks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Rate {
    /// One in a hundred.
    #[default]
    Hundredth,
    /// One in a thousand: fewer attacks are found.
    Thousandth,
}

/// What a classifier is asked.
#[derive(Clone, Copy, Debug)]
pub struct Question<'t> {
    /// The text that it is to judge.
    pub text: &'t str,
    /// Where it stands.
    pub channel: Channel,
    /// The rate whose threshold the score is held against. What cannot come near that one need not be read as closely: a score below
    /// it says that it is below, and no more.
    pub rate: Rate,
}

/// From this score on nothing that a text says further on makes it less of an attack.
const CERTAIN: f32 = 0.99;

/// A classifier of what models read. It is never run on what models write.
pub trait Classifier: Send + Sync {
    /// Its name, as records and the documentation give it.
    fn id(&self) -> &str;

    /// The score from which on a text of that channel is an attack, at that rate of false positives as it was measured.
    fn threshold(&self, channel: Channel, rate: Rate) -> f32;

    /// The score from which on reading may end: an attack at every rate, and hardly ever wrongly. What stands behind it could only raise
    /// the score, and a flood of long attacks is not read to its end.
    fn certain(&self, channel: Channel) -> f32 {
        self.threshold(channel, Rate::Thousandth).max(CERTAIN)
    }

    /// Reads all of a text, or until it is [certain](Classifier::certain). It is asked between pieces of work of some ten
    /// milliseconds whether to go on; where it may not, nothing is known.
    fn classify(&self, question: Question<'_>, go_on: &dyn Fn() -> bool) -> Option<Opinion>;
}
