//! What servers of tools say of their tools, as it was when somebody accepted it. The first words of a server are accepted as they are; what
//! is said otherwise later, and a tool that has the name of another server's, is held until an operator accepts it.

use async_trait::async_trait;

use crate::StoreError;

/// Definitions that are kept of one server at most: one that says something else each time must not fill the disk.
pub const MOST_PINS: u32 = 2000;
/// The largest definition, in bytes.
pub const MOST_PINNED: usize = 64 * 1024;
/// Characters of an id behind `pin_`.
const ID_CHARACTERS: usize = 22;

/// What is defined.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PinKind {
    /// A tool.
    Tool,
    /// A prompt.
    Prompt,
    /// What a server tells every model that uses it.
    Instructions,
}

impl PinKind {
    /// A stable word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            PinKind::Tool => "tool",
            PinKind::Prompt => "prompt",
            PinKind::Instructions => "instructions",
        }
    }

    fn from_name(name: &str) -> Option<PinKind> {
        [PinKind::Tool, PinKind::Prompt, PinKind::Instructions]
            .into_iter()
            .find(|kind| kind.name() == name)
    }
}

/// Whether a definition may be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PinState {
    /// It may.
    Accepted,
    /// Nobody has decided.
    Held,
    /// An operator said that it may not.
    Rejected,
}

impl PinState {
    /// All of them.
    pub const ALL: [PinState; 3] = [PinState::Accepted, PinState::Held, PinState::Rejected];

    /// A stable word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            PinState::Accepted => "accepted",
            PinState::Held => "held",
            PinState::Rejected => "rejected",
        }
    }

    /// The state of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<PinState> {
        PinState::ALL.into_iter().find(|state| state.name() == name)
    }
}

/// Why a definition was accepted or held when it was first seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PinWhy {
    /// It was the first of its name.
    First,
    /// Its server said something else before.
    Changed,
    /// A tool of another server has its name.
    Shadows,
    /// Something was found in it.
    Content,
}

impl PinWhy {
    /// A stable word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            PinWhy::First => "first",
            PinWhy::Changed => "changed",
            PinWhy::Shadows => "shadows",
            PinWhy::Content => "content",
        }
    }

    fn from_name(name: &str) -> Option<PinWhy> {
        [PinWhy::First, PinWhy::Changed, PinWhy::Shadows, PinWhy::Content]
            .into_iter()
            .find(|why| why.name() == name)
    }
}

/// A definition that a server gave just now.
#[derive(Clone, Debug)]
pub struct Sighting {
    /// What is defined.
    pub kind: PinKind,
    /// Its name there.
    pub name: String,
    /// Its name as a model may mistake it: what differs only in case or marks is one.
    pub folded: String,
    /// A sum of the definition.
    pub digest: [u8; 32],
    /// The definition as an operator is to see it.
    pub definition: Vec<u8>,
    /// Whether something was found in it.
    pub is_flagged: bool,
}

/// A definition with what is known of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pin {
    /// `pin_` and 22 characters of base62.
    pub id: String,
    /// The server.
    pub server: String,
    /// What is defined.
    pub kind: PinKind,
    /// Its name.
    pub name: String,
    /// A sum of the definition.
    pub digest: [u8; 32],
    /// The definition.
    pub definition: Vec<u8>,
    /// Whether it may be shown.
    pub state: PinState,
    /// Why it was accepted or held at first.
    pub why: PinWhy,
    /// The server whose tool has its name.
    pub other: Option<String>,
    /// When it was first seen, milliseconds since 1970 UTC.
    pub first_ms: u64,
    /// Who decided, if somebody did.
    pub decided_by: Option<String>,
    /// When.
    pub decided_ms: Option<u64>,
}

/// Keeps definitions. `now_ms` is milliseconds since 1970 UTC everywhere.
#[async_trait]
pub trait PinStore {
    /// Notes what a server says of what it has, and tells for each, in the same order, whether it may be shown. `beside` are the
    /// servers whose names of tools are taken.
    ///
    /// # Errors
    /// [`StoreError::TooManyPins`] if the server says something else each time, and failures of the database.
    async fn see_pins(
        &self,
        server: &str,
        seen: Vec<Sighting>,
        beside: &[String],
        now_ms: u64,
    ) -> Result<Vec<Pin>, StoreError>;

    /// The last `count` of them, newest first: all, or those in a state.
    async fn pins(&self, state: Option<PinState>, count: u32) -> Result<Vec<Pin>, StoreError>;

    /// How many are held.
    async fn pins_held(&self) -> Result<u64, StoreError>;

    /// One of them.
    async fn pin(&self, id: &str) -> Result<Option<Pin>, StoreError>;

    /// Accepts or rejects one, whatever was decided before; nothing if there is none of that id.
    async fn decide_pin(
        &self,
        id: &str,
        by: &str,
        accept: bool,
        now_ms: u64,
    ) -> Result<Option<Pin>, StoreError>;
}

/// The columns of [`StoredPin`], in its order.
pub(crate) const COLUMNS: &str =
    "id, server, kind, name, state, why, other, digest, definition, first_ms, decided_by, decided_ms";

/// A pin as a database has it.
pub(crate) struct StoredPin {
    /// Id, server, kind, name, state, why.
    pub texts: [String; 6],
    pub other: Option<String>,
    pub digest: Vec<u8>,
    pub definition: Vec<u8>,
    pub first_ms: i64,
    pub decided_by: Option<String>,
    pub decided_ms: Option<i64>,
}

impl StoredPin {
    pub(crate) fn read(self) -> Result<Pin, StoreError> {
        let [id, server, kind, name, state, why] = self.texts;
        let wrong = || StoreError::Corrupt(format!("pin {id:?}"));
        let time = |stored: i64| u64::try_from(stored).map_err(|_| wrong());
        Ok(Pin {
            kind: PinKind::from_name(&kind).ok_or_else(wrong)?,
            state: PinState::from_name(&state).ok_or_else(wrong)?,
            why: PinWhy::from_name(&why).ok_or_else(wrong)?,
            digest: <[u8; 32]>::try_from(self.digest).map_err(|_| wrong())?,
            first_ms: time(self.first_ms)?,
            decided_ms: self.decided_ms.map(time).transpose()?,
            server,
            name,
            other: self.other,
            definition: self.definition,
            decided_by: self.decided_by,
            id,
        })
    }
}

/// What is known of a name when a definition of it is seen for the first time.
pub(crate) struct Known {
    /// Whether its server said something of that name before.
    pub before: bool,
    /// Servers with an accepted tool of such a name.
    pub others: Vec<String>,
}

impl Sighting {
    /// The pin that this becomes.
    pub(crate) fn pinned(
        self,
        server: &str,
        known: &Known,
        beside: &[String],
        now_ms: u64,
    ) -> Result<Pin, StoreError> {
        let shadowed = known.others.iter().find(|other| beside.contains(other));
        let why = match shadowed {
            // What was held for its content must not come by in other words: it is no first word any more.
            _ if known.before => PinWhy::Changed,
            _ if self.is_flagged => PinWhy::Content,
            Some(_) if self.kind == PinKind::Tool => PinWhy::Shadows,
            _ => PinWhy::First,
        };
        let mut id = String::from("pin_");
        crate::key::push_random(&mut id, ID_CHARACTERS)?;
        Ok(Pin {
            id,
            server: server.to_owned(),
            kind: self.kind,
            name: self.name,
            digest: self.digest,
            definition: self.definition,
            state: match why {
                PinWhy::First => PinState::Accepted,
                PinWhy::Changed | PinWhy::Shadows | PinWhy::Content => PinState::Held,
            },
            other: shadowed.filter(|_| why == PinWhy::Shadows).cloned(),
            why,
            first_ms: now_ms,
            decided_by: None,
            decided_ms: None,
        })
    }
}
