//! A profile: the settings that a key's requests are judged by. Data only; the rules give it meaning.

use std::sync::Arc;

use portcullis_core::{Action, Glob, Kind, UninspectableKind};
use serde::{Deserialize, Serialize};

use crate::rules::RULES;
use crate::{Place, RuleName, Ruling};

/// Whether a profile acts or only watches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// What the settings say is done.
    #[default]
    Enforce,
    /// What the settings say is recorded; texts pass unchanged. Denials that are a matter of permission hold all the same.
    Observe,
}

impl Mode {
    /// The action that is really taken where a setting asks for `action`.
    #[must_use]
    pub const fn applied(self, action: Action) -> Action {
        match self {
            Mode::Observe if action.changes_text() => Action::Flag,
            Mode::Observe | Mode::Enforce => action,
        }
    }
}

/// Whether something is permitted at all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Permission {
    /// It is.
    #[default]
    Allow,
    /// It is not.
    Deny,
}

/// The settings of one profile. [`Profile::default`] is the profile `default` with the safe defaults.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Profile {
    /// Its name in the configuration.
    pub name: Arc<str>,
    /// Whether it acts or only watches.
    pub mode: Mode,
    /// Texts that try to take control of the model.
    pub injection: Injection,
    /// Credentials.
    pub secrets: Both,
    /// Personal data.
    pub pii: Pii,
    /// Links and images in replies. Without it they are not looked at.
    pub links: Option<Links>,
    /// What acts when a reply is rendered or run.
    pub output: OutputActions,
    /// Content that cannot be read.
    pub uninspectable: UninspectableActions,
    /// The application's instructions to the model.
    pub system_prompt: SystemPrompt,
    /// How texts from outside are shown to the model.
    pub sandbox: Sandbox,
    /// Limits on what costs money without being of use.
    pub abuse: Abuse,
    /// Whether tool calls go through unjudged.
    pub danger_tools_unchecked: bool,
}

/// What is done about requests of one key that cost money without being of use, and from when on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Abuse {
    /// The same request, more often in a minute than it may come.
    pub repeated: Action,
    /// How often in a minute the same request may come.
    pub repeated_rpm: u32,
    /// A conversation that goes in circles, more often in a minute than it may go on.
    pub looping: Action,
    /// How often in a row the same tool calls have the same results in a conversation that goes in circles.
    pub looping_calls: u32,
    /// How often in a minute such a conversation may go on.
    pub looping_rpm: u32,
    /// How many replies a request may ask for; 0 is any number.
    pub choices: u32,
}

/// Actions on injections, by how far the author of the text is trusted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Injection {
    /// In the user's own words.
    pub user: Action,
    /// In tool results, documents, tool definitions and texts of unknown origin.
    pub untrusted: Action,
    /// The classifier that reads texts besides the rules, by the name that it was given to the gateway by. This default has
    /// none, since a library has no weights; that of a configuration is the built-in one.
    pub model: Option<Arc<str>>,
    /// How many harmless texts may be taken for attacks by it.
    pub false_positives: FalsePositives,
    /// How long it may take for a request, in milliseconds.
    pub deadline_ms: u32,
    /// The action on a request that it did not read to the end by then: `flag` or `block`.
    pub late: Action,
    /// A model that is asked as well.
    pub judge: Option<Judge>,
}

/// A model that judges texts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Judge {
    /// Its name, as requests name models.
    pub model: Arc<str>,
    /// Which texts it is asked about.
    pub ask: Ask,
    /// How long its answers about a request may take, all together, in milliseconds.
    pub timeout_ms: u32,
    /// Money per period, as `5 USD/day`; counted for the profile.
    pub budget: Option<Arc<str>>,
}

/// Which texts a judge is asked about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ask {
    /// Those that the classifier takes for attacks at one false positive in a hundred and not at one in a thousand.
    #[default]
    Doubtful,
    /// All that a classifier is asked about.
    All,
}

/// How many harmless texts may be taken for attacks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum FalsePositives {
    /// One in a hundred.
    #[serde(rename = "1%")]
    Hundredth,
    /// One in a thousand: a conversation has many texts.
    #[default]
    #[serde(rename = "0.1%")]
    Thousandth,
}

/// Actions by direction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Both {
    /// On the way to the upstream.
    pub input: Action,
    /// On the way to the client. `mask` acts as `redact` there.
    pub output: Action,
}

/// Actions on personal data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Pii {
    /// On the way to the upstream.
    pub input: Action,
    /// On the way to the client. `mask` acts as `redact` there.
    pub output: Action,
    /// The kinds that are acted upon; others are flagged. `None` means all.
    pub types: Option<Vec<Kind>>,
}

/// What becomes of links in replies, by the host that they lead to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Links {
    /// Hosts that a reply may link to, in the form in which findings name them; `*.example.com` stands for every host below.
    pub allow: Vec<Glob>,
    /// The action on every other link, and on those of which it is not certain where they lead.
    pub otherwise: Action,
}

/// Actions on what acts when a reply is rendered or run, and limits on what it says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OutputActions {
    /// Links that are code: `javascript:` and the like.
    pub scripts: Action,
    /// HTML that runs, loads, embeds or posts.
    pub markup: Action,
    /// Control characters and escape sequences of terminals.
    pub terminal: Action,
    /// Text that nobody sees.
    pub invisible: Action,
    /// SQL that destroys or breaks out.
    pub sql: Action,
    /// Shell commands that destroy or let somebody in.
    pub shell: Action,
    /// Characters that a reply may have; 0 is any number.
    pub max_chars: u32,
    /// Characters of the same over and over that a reply may have; 0 is any number.
    pub max_repeated: u32,
    /// What is done about a reply that is not what its request's schema, or this profile's, says: `allow` checks nothing.
    pub validate: Action,
    /// The profile's own JSON schema for the text of every answer, as JSON.
    pub schema: Option<Arc<str>>,
    /// How often the model is asked once more where a reply does not fit.
    pub retries: u8,
    /// How much of a streamed text is held back until it is judged.
    pub hold: Hold,
}

/// How much of a streamed text is held back until it is judged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Hold {
    /// What could still become a finding, and nothing else.
    #[default]
    Needed,
    /// The whole text: it is read as that of a buffered reply.
    Part,
}

/// Actions on content that cannot be read: `allow`, `flag` or `block`. There is no text to redact, so a stricter action
/// than `flag` acts as `block`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct UninspectableActions {
    /// Pictures.
    pub image: Action,
    /// Sound.
    pub audio: Action,
    /// Moving pictures.
    pub video: Action,
    /// Files, embedded or by reference.
    pub file: Action,
    /// Reasoning or state that the provider encrypted.
    pub encrypted: Action,
    /// Numbers that stand for a text.
    pub vector: Action,
}

/// Who may give the model its instructions, and whether it may say them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SystemPrompt {
    /// The action on a reply that says too much of its system prompt. `mask` acts as `redact`.
    pub leak: Action,
    /// Whether a random marker is put into the system prompt of every request, for its reply to be searched for.
    pub canary: bool,
    /// Whether a client may send system or developer texts.
    pub from_client: Permission,
    /// The gateway's own prompt that goes before every conversation, unless the request names another.
    pub prompt: Option<String>,
}

/// How texts are shown to the model, by how far their author is trusted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Sandbox {
    /// Tool results, documents, and what the client labels untrusted.
    pub untrusted: Marking,
}

/// How a text is marked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Marking {
    /// Not at all.
    #[default]
    Off,
    /// It stands between marks with a random tag.
    Delimit,
    /// A sign stands for its blanks as well.
    Datamark,
    /// It is in base64 as well.
    Encode,
}

impl Marking {
    /// Its name in configuration and records.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Marking::Off => "off",
            Marking::Delimit => "delimit",
            Marking::Datamark => "datamark",
            Marking::Encode => "encode",
        }
    }
}

impl Default for Profile {
    fn default() -> Profile {
        Profile {
            name: Arc::from("default"),
            mode: Mode::default(),
            injection: Injection::default(),
            secrets: Both::default(),
            pii: Pii::default(),
            links: None,
            output: OutputActions::default(),
            uninspectable: UninspectableActions::default(),
            system_prompt: SystemPrompt::default(),
            sandbox: Sandbox::default(),
            abuse: Abuse::default(),
            danger_tools_unchecked: false,
        }
    }
}

impl Default for Injection {
    fn default() -> Injection {
        Injection {
            user: Action::Block,
            untrusted: Action::Block,
            model: None,
            false_positives: FalsePositives::default(),
            deadline_ms: 30_000,
            late: Action::Block,
            judge: None,
        }
    }
}

impl Default for Both {
    fn default() -> Both {
        Both {
            input: Action::Mask,
            output: Action::Redact,
        }
    }
}

impl Pii {
    /// The kinds that are acted upon where a profile names none.
    pub const DEFAULT_TYPES: &'static [&'static str] =
        &["EMAIL_ADDRESS", "PHONE_NUMBER", "CREDIT_CARD", "IBAN", "US_SSN"];

    /// Whether findings of this kind are acted upon.
    #[must_use]
    pub fn covers(&self, kind: &Kind) -> bool {
        self.types.as_ref().is_none_or(|types| types.contains(kind))
    }
}

impl Default for Pii {
    fn default() -> Pii {
        Pii {
            input: Action::Mask,
            output: Action::Redact,
            types: Some(Pii::DEFAULT_TYPES.iter().map(|name| Kind::new(name)).collect()),
        }
    }
}

impl Default for Links {
    fn default() -> Links {
        Links {
            allow: Vec::new(),
            otherwise: Action::Strip,
        }
    }
}

impl OutputActions {
    /// Some two thousand tokens: more than anybody asks for, less than anybody pays for.
    pub const MAX_REPEATED: u32 = 8192;
}

impl Default for Abuse {
    /// Some programs sample many replies to one prompt, so that is flagged; sixteen equal calls with equal results in a row help nobody.
    fn default() -> Abuse {
        Abuse {
            repeated: Action::Flag,
            repeated_rpm: 60,
            looping: Action::Block,
            looping_calls: 16,
            looping_rpm: 6,
            choices: 0,
        }
    }
}

impl Default for SystemPrompt {
    fn default() -> SystemPrompt {
        SystemPrompt {
            leak: Action::Block,
            canary: false,
            from_client: Permission::Allow,
            prompt: None,
        }
    }
}

impl Default for OutputActions {
    fn default() -> OutputActions {
        OutputActions {
            scripts: Action::Flag,
            markup: Action::Flag,
            terminal: Action::Strip,
            invisible: Action::Strip,
            sql: Action::Allow,
            shell: Action::Allow,
            max_chars: 0,
            max_repeated: OutputActions::MAX_REPEATED,
            validate: Action::Allow,
            schema: None,
            retries: 0,
            hold: Hold::Needed,
        }
    }
}

impl UninspectableActions {
    /// The action on content of this kind.
    #[must_use]
    pub const fn on(&self, kind: UninspectableKind) -> Action {
        match kind {
            UninspectableKind::Image => self.image,
            UninspectableKind::Audio => self.audio,
            UninspectableKind::Video => self.video,
            UninspectableKind::File => self.file,
            UninspectableKind::Encrypted => self.encrypted,
            UninspectableKind::Vector => self.vector,
        }
    }
}

impl Default for UninspectableActions {
    fn default() -> UninspectableActions {
        UninspectableActions {
            image: Action::Allow,
            audio: Action::Allow,
            video: Action::Allow,
            file: Action::Flag,
            encrypted: Action::Allow,
            vector: Action::Allow,
        }
    }
}

impl Profile {
    /// What the settings say about a finding, before [`Profile::mode`] is applied to it. A family that no rule
    /// names is flagged.
    #[must_use]
    pub fn ruling(&self, place: &Place<'_>) -> Ruling {
        RULES
            .iter()
            .find_map(|rule| rule.on_finding(self, place))
            .unwrap_or_else(|| self.says("otherwise", Action::Flag))
    }

    /// The profile as it holds between a client and a server of tools. Masking is for what goes to a model and comes back from it: here
    /// nothing comes back, so a credential that would be masked is replaced for good, and personal data that would be is recorded, since
    /// a tool that sends a mail needs its address.
    #[must_use]
    pub fn at_tools(&self) -> Profile {
        let mut profile = self.clone();
        if profile.secrets.input == Action::Mask {
            profile.secrets.input = Action::Redact;
        }
        if profile.pii.input == Action::Mask {
            profile.pii.input = Action::Flag;
        }
        profile
    }

    /// What the settings say about content that cannot be read, before [`Profile::mode`] is applied to it.
    #[must_use]
    pub fn ruling_on_uninspectable(&self, kind: UninspectableKind) -> Ruling {
        RULES
            .iter()
            .find_map(|rule| rule.on_uninspectable(self, kind))
            .unwrap_or_else(|| self.says("otherwise", Action::Flag))
    }

    /// A ruling by one of this profile's settings.
    pub(crate) fn says(&self, setting: &'static str, action: Action) -> Ruling {
        Ruling {
            action,
            rule: RuleName::of_profile(&self.name, setting),
        }
    }
}
