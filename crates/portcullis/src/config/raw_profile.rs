//! A profile as it is written. What the settings mean is the policy crate's affair; this is their spelling.

use std::sync::Arc;

use portcullis_core::Action;
use portcullis_policy::{
    Abuse, Ask, Both, FalsePositives, Hold, Injection, Judge, Links, Marking, Mode, OutputActions,
    Permission, Pii, Profile, Sandbox, SystemPrompt, UninspectableActions,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::forms::{Duration, HostPattern, Model, PiiType, Spending};
use super::raw::{pii_types, text};
use super::text::Text;

/// What is done about findings in the requests and replies of a key.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "Profile")]
pub struct RawProfile {
    /// Whether the profile acts or only watches.
    pub mode: RawMode,
    /// Texts that try to take control of the model.
    pub injection: RawInjection,
    /// Credentials: keys, tokens, passwords.
    pub secrets: RawBoth,
    /// Personal data.
    pub pii: RawPii,
    /// Links and images in replies, by the host that they lead to. Without this section they are not looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub links: Option<RawLinks>,
    /// What acts when a reply is rendered or run, links by their hosts aside.
    pub output: RawOutput,
    /// Content that no detector can read.
    pub uninspectable: RawUninspectable,
    /// The instructions that come before a conversation.
    pub system_prompt: RawSystemPrompt,
    /// How texts are shown to the model, by how far their author is trusted.
    pub sandbox: RawSandbox,
    /// What costs money without being of use: repetition, conversations that go in circles, replies by the dozen.
    pub abuse: RawAbuse,
    /// Lets tool calls through without looking at where their values come from. Whoever writes what a tool returns can then make the model do
    /// whatever its tools can.
    pub danger_tools_unchecked: bool,
}

/// Whether a profile acts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "Mode")]
pub enum RawMode {
    /// Do what the settings say.
    #[default]
    Enforce,
    /// Change and refuse nothing for its content, and record what would have been done. Permissions hold all the same.
    Observe,
}

/// What is done about a value that was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "Action")]
pub enum RawAction {
    /// Nothing, not even a record.
    Allow,
    /// Record it.
    Flag,
    /// Replace it by a placeholder that is restored for the client that sent it, and for no one else. In a reply it
    /// acts as `redact` on values that the client did not send.
    Mask,
    /// Replace it for good.
    Redact,
    /// Refuse the request or the reply.
    Block,
}

/// What is done about an injection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "InjectionAction")]
pub enum RawInjectionAction {
    /// Nothing, not even a record.
    Allow,
    /// Record it.
    Flag,
    /// Cut the offending words out.
    Redact,
    /// Refuse the request.
    Block,
}

/// What is done about what acts when a reply is rendered or run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "OutputAction")]
pub enum RawOutputAction {
    /// Nothing, not even a record.
    Allow,
    /// Record it.
    Flag,
    /// Take out what acts and leave the words: of `[text](address)` stays `[text]`, of an address that stands by itself
    /// `[link]`, of a tag its content.
    Strip,
    /// Refuse the reply.
    Block,
}

/// What is done about a reply that says much of its system prompt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "LeakAction")]
pub enum RawLeakAction {
    /// Nothing, not even a record. Replies are not compared with the prompt.
    Allow,
    /// Record it.
    Flag,
    /// Cut the words of the prompt out. In a stream, what went before it was much stays.
    Redact,
    /// Refuse the reply; cut the stream.
    Block,
}

/// What is done about content that cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "UnreadAction")]
pub enum RawUnreadAction {
    /// Let it pass; the audit record lists it.
    Allow,
    /// Let it pass and record it like a finding.
    Flag,
    /// Refuse the request or the reply.
    Block,
}

/// How a text is marked before the model reads it. A model that heeds the marks takes what stands between them for data; nothing
/// makes it heed them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "Marking")]
pub enum RawMarking {
    /// Not at all.
    #[default]
    Off,
    /// It stands between two lines with a random tag, and the system prompt says what they mean.
    Delimit,
    /// The same, and a sign that is nowhere else stands for its blanks. It takes the model twice the tokens.
    Datamark,
    /// The same as `delimit`, and it is written in base64. For strong models only: others misread it. It takes five times the tokens.
    Encode,
}

/// Whether something is permitted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "Permission")]
pub enum RawPermission {
    /// It is.
    #[default]
    Allow,
    /// It is not: 403.
    Deny,
}

/// Injections, by who wrote the text.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "Injection")]
pub struct RawInjection {
    /// In the user's own words.
    pub user: RawInjectionAction,
    /// In tool results, documents, tool definitions and texts of unknown origin.
    pub untrusted: RawInjectionAction,
    /// The classifier that reads texts besides the rules.
    pub model: Text<Model>,
    /// How many harmless texts the built-in classifier may take for attacks, as it was measured: `docs/detection.md`.
    pub false_positives: RawFalsePositives,
    /// How long the classifier may take for a request.
    pub deadline: Text<Duration>,
    /// What becomes of a request that it did not read to the end by then.
    pub late: RawLateAction,
    /// Of a model in a folder: the labels that mean an attack, where their names do not tell.
    pub model_attacks: Vec<String>,
    /// Of a model in a folder: the score from which on a text is an attack, in 0..1.
    pub model_threshold: f64,
    /// A language model that is asked about texts as well. It sees what it is asked about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub judge: Option<RawJudge>,
}

/// A language model that is asked whether a text is an attack, by an upstream of the OpenAI dialect.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Judge")]
pub struct RawJudge {
    /// The model, by a name that `models` sends to an upstream.
    pub model: String,
    /// Which texts it is asked about.
    #[serde(default)]
    pub ask: RawAsk,
    /// How long its answers about a request may take, all together; 10s unless given. What it does not answer, the classifier alone decides.
    #[serde(default = "ten_seconds")]
    pub timeout: Text<Duration>,
    /// Money that it may cost in a period. Once it is spent, the classifier alone decides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<Text<Spending>>,
}

fn ten_seconds() -> Text<Duration> {
    text("10s")
}

/// Which texts a judge is asked about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "Ask")]
pub enum RawAsk {
    /// Those that the classifier takes for attacks at 1 % false positives and not at 0.1 %.
    #[default]
    Doubtful,
    /// Every text. One that it does not answer about is treated as one that the classifier did not read in time.
    All,
}

/// How many harmless texts may be taken for attacks. The fewer, the more attacks are missed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "FalsePositives")]
pub enum RawFalsePositives {
    /// One in a hundred.
    #[serde(rename = "1%")]
    Hundredth,
    /// One in a thousand: a conversation has many texts.
    #[default]
    #[serde(rename = "0.1%")]
    Thousandth,
}

/// What is done about a request that the classifier did not read in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "LateAction")]
pub enum RawLateAction {
    /// Let it pass and record it. Rules have read it.
    Flag,
    /// Refuse it.
    Block,
}

/// Actions by direction.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "Both")]
pub struct RawBoth {
    /// On the way to the model.
    pub input: RawAction,
    /// On the way to the client.
    pub output: RawAction,
}

/// Actions on personal data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "Pii")]
pub struct RawPii {
    /// On the way to the model.
    pub input: RawAction,
    /// On the way to the client.
    pub output: RawAction,
    /// The kinds that are acted upon; others are only flagged.
    pub types: Vec<Text<PiiType>>,
}

/// Links and images in replies: markdown, HTML, and addresses that stand by themselves. A link to a place of the page itself
/// is no link to a host and passes. Requests and the arguments of tool calls are not judged.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "Links")]
pub struct RawLinks {
    /// Hosts that a reply may link to, on any port. `*.example.com` stands for every host below `example.com`, and not for
    /// `example.com` itself. An allowed host that redirects leads wherever it says.
    pub allow: Vec<Text<HostPattern>>,
    /// What is done about links to all other hosts, and about those that programs could read in different ways.
    pub otherwise: RawOutputAction,
}

/// What acts when a reply is rendered or run, and how much it may say. Tags and links in the arguments of tool calls are data and pass.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "Output")]
pub struct RawOutput {
    /// Links that are code: `javascript:`, `vbscript:`, `data:` other than pictures and sound.
    pub scripts: RawOutputAction,
    /// HTML that runs, loads, embeds or posts: scripts, event handlers, frames, objects, forms, refreshes, base addresses.
    pub markup: RawOutputAction,
    /// Control characters and escape sequences that a terminal obeys.
    pub terminal: RawOutputAction,
    /// Characters that nobody sees, in runs that no script and no emoji needs, and those that turn text around.
    pub invisible: RawOutputAction,
    /// SQL that destroys data or breaks out of a statement.
    pub sql: RawOutputAction,
    /// Shell commands that destroy data, fetch and run code, or let somebody in.
    pub shell: RawOutputAction,
    /// Characters that a reply may have, reasoning and arguments of tool calls included; 0 is any number. What would be more is cut off,
    /// and the reply ends as at the model's own limit.
    pub max_chars: u32,
    /// Characters of the same word, line or block over and over that a reply may have; 0 is any number. What has no words (rulers,
    /// zeros, markup) may be four times as long. The reply ends there as at the model's own limit.
    pub max_repeated: u32,
    /// What is done about a reply that is not what its request asks for: JSON, JSON by a schema, the arguments of tools that are called
    /// strictly; and about one that does not fit `schema`.
    pub validate: RawCheck,
    /// A JSON schema of the profile's own that the text of every answer must fit, besides what the request asks for: the schema itself, or
    /// `{file: PATH}`, relative to this file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schema: Option<RawSchema>,
    /// How often the model is asked once more where a whole reply does not fit, 0 to 3. Streams are not asked for again, nor is what the
    /// provider stores. Every attempt is paid for.
    #[schemars(range(max = 3))]
    pub retries: u8,
    /// How much of a streamed text is held back until it is judged.
    pub hold: RawHold,
}

/// How much of a streamed text is held back until it is judged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "Hold")]
pub enum RawHold {
    /// What could still become a finding as the text stands or under disguised characters; the rest goes at once.
    #[default]
    Needed,
    /// Every text until it is complete, as arguments of tool calls are: it is read under all views as that of a buffered reply is, and
    /// comes in one piece. A client sees nothing of it before.
    Part,
}

impl From<RawHold> for Hold {
    fn from(raw: RawHold) -> Hold {
        match raw {
            RawHold::Needed => Hold::Needed,
            RawHold::Part => Hold::Part,
        }
    }
}

/// What is done about a reply that does not fit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "Check")]
pub enum RawCheck {
    /// Nothing: replies are not checked.
    #[default]
    Off,
    /// Record it.
    Flag,
    /// Refuse the reply. A stream is held until its answer is whole and fits. A request whose schema cannot be checked is refused.
    Block,
}

/// A JSON schema, or the name of a file that holds one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RawSchema(pub serde_json::Value);

impl JsonSchema for RawSchema {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "ReplySchema".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "object", "format": SCHEMA_FORMAT })
    }
}

/// The format of a setting that is a JSON schema itself: what is wrong with it, its own reader tells.
pub const SCHEMA_FORMAT: &str = "json_schema";

/// What is done about a request that comes too often.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "AbuseAction")]
pub enum RawAbuseAction {
    /// Nothing: it is not looked for.
    Off,
    /// Record it.
    Flag,
    /// Refuse it until its time has come.
    Block,
}

impl From<RawAbuseAction> for Action {
    fn from(raw: RawAbuseAction) -> Action {
        match raw {
            RawAbuseAction::Off => Action::Allow,
            RawAbuseAction::Flag => Action::Flag,
            RawAbuseAction::Block => Action::Block,
        }
    }
}

/// What is done about requests of one key that cost money without being of use. Only requests to which a model replies count. What is
/// refused is told when to come back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "Abuse")]
pub struct RawAbuse {
    /// The same request, to the byte, more often in a minute than `repeated_rpm`: a program that retries without end, a job that is stuck.
    pub repeated: RawAbuseAction,
    /// How often in a minute the same request may come.
    #[schemars(range(min = 1))]
    pub repeated_rpm: u32,
    /// A conversation whose tool calls go in circles, more often in a minute than `looping_rpm`.
    pub looping: RawAbuseAction,
    /// A conversation goes in circles where its last tool calls, up to 16 of them together, and their results came so often in a row.
    #[schemars(range(min = 2))]
    pub looping_calls: u32,
    /// How often in a minute such a conversation may go on.
    #[schemars(range(min = 1))]
    pub looping_rpm: u32,
    /// Replies that one request may ask for (`n`, `best_of`, `candidateCount`); 0 is any number.
    pub choices: u32,
}

/// Content that no detector can read, by what it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "Uninspectable")]
pub struct RawUninspectable {
    /// Pictures.
    pub image: RawUnreadAction,
    /// Sound.
    pub audio: RawUnreadAction,
    /// Moving pictures.
    pub video: RawUnreadAction,
    /// Files, embedded or by reference.
    pub file: RawUnreadAction,
    /// Reasoning or state that the provider encrypted.
    pub encrypted: RawUnreadAction,
    /// Numbers that stand for a text: token ids, packed embeddings.
    pub vector: RawUnreadAction,
}

/// The instructions that come before a conversation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "SystemPrompt")]
pub struct RawSystemPrompt {
    /// What is done about a reply that says much of its system prompt, whoever sent the prompt: verbatim or in another case,
    /// spacing, numbering, quoting or encoding, in one reply or in several of a conversation.
    pub leak: RawLeakAction,
    /// Whether every request that has a system prompt gets a random marker in front of it. A reply that says the marker follows
    /// `leak`, however little it says besides. Providers then find no request's beginning in their caches.
    pub canary: bool,
    /// Whether a client may send system and developer texts.
    pub from_client: RawPermission,
    /// The prompt of `prompts` that goes before every conversation, unless the request names another that its key may use.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prompt: Option<String>,
}

/// How texts are shown to the model. It is a soft layer: it makes it more likely that a model tells data from instructions, and
/// enforces nothing. What a client sees does not change.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "Sandbox")]
pub struct RawSandbox {
    /// How tool results, documents and what the client labels `"portcullis": {"origin": "untrusted"}` are marked. A profile that only
    /// observes marks nothing.
    pub untrusted: RawMarking,
}

/// Two spellings of one list of words.
macro_rules! same_words {
    ($raw:ident, $own:ident: $($word:ident),+) => {
        impl From<$raw> for $own {
            fn from(raw: $raw) -> $own {
                match raw { $($raw::$word => $own::$word),+ }
            }
        }
    };
}

same_words!(RawMode, Mode: Enforce, Observe);
same_words!(RawAction, Action: Allow, Flag, Mask, Redact, Block);
same_words!(RawInjectionAction, Action: Allow, Flag, Redact, Block);
same_words!(RawOutputAction, Action: Allow, Flag, Strip, Block);
same_words!(RawLeakAction, Action: Allow, Flag, Redact, Block);
same_words!(RawAsk, Ask: Doubtful, All);
same_words!(RawLateAction, Action: Flag, Block);
same_words!(RawFalsePositives, FalsePositives: Hundredth, Thousandth);
same_words!(RawUnreadAction, Action: Allow, Flag, Block);
same_words!(RawPermission, Permission: Allow, Deny);
same_words!(RawMarking, Marking: Off, Delimit, Datamark, Encode);

impl From<RawCheck> for Action {
    fn from(raw: RawCheck) -> Action {
        match raw {
            RawCheck::Off => Action::Allow,
            RawCheck::Flag => Action::Flag,
            RawCheck::Block => Action::Block,
        }
    }
}

impl RawInjection {
    /// The name that the gateway knows the classifier by: what its settings are, so that equal ones are one.
    #[must_use]
    pub fn model_name(&self) -> Option<String> {
        match self.model.meaning() {
            Model::Off => None,
            Model::BuiltIn => Some(Model::BUILT_IN.to_owned()),
            Model::Folder(folder) => Some(format!(
                "{} {:?} {}",
                folder.display(),
                self.model_attacks,
                self.model_threshold
            )),
        }
    }
}

fn millis(duration: std::time::Duration) -> u32 {
    u32::try_from(duration.as_millis()).unwrap_or(u32::MAX)
}

impl RawProfile {
    /// The profile that is meant, without its own schema, which may stand in a file.
    #[must_use]
    pub fn build(&self, name: &str) -> Profile {
        let types = self.pii.types.iter().map(|kind| kind.meaning().0.clone());
        Profile {
            name: name.into(),
            mode: self.mode.into(),
            injection: Injection {
                user: self.injection.user.into(),
                untrusted: self.injection.untrusted.into(),
                model: self.injection.model_name().map(Arc::from),
                false_positives: self.injection.false_positives.into(),
                deadline_ms: millis(self.injection.deadline.meaning().0),
                late: self.injection.late.into(),
                judge: self.injection.judge.as_ref().map(|judge| Judge {
                    model: judge.model.as_str().into(),
                    ask: judge.ask.into(),
                    timeout_ms: millis(judge.timeout.meaning().0),
                    budget: judge.budget.as_ref().map(|budget| budget.written().into()),
                }),
            },
            secrets: Both {
                input: self.secrets.input.into(),
                output: self.secrets.output.into(),
            },
            pii: Pii {
                input: self.pii.input.into(),
                output: self.pii.output.into(),
                types: Some(types.collect()),
            },
            links: self.links.as_ref().map(|links| Links {
                allow: links.allow.iter().map(|host| host.meaning().0.clone()).collect(),
                otherwise: links.otherwise.into(),
            }),
            output: OutputActions {
                scripts: self.output.scripts.into(),
                markup: self.output.markup.into(),
                terminal: self.output.terminal.into(),
                invisible: self.output.invisible.into(),
                sql: self.output.sql.into(),
                shell: self.output.shell.into(),
                max_chars: self.output.max_chars,
                max_repeated: self.output.max_repeated,
                validate: self.output.validate.into(),
                // Whoever builds the profile knows where files are.
                schema: None,
                retries: self.output.retries,
                hold: self.output.hold.into(),
            },
            uninspectable: UninspectableActions {
                image: self.uninspectable.image.into(),
                audio: self.uninspectable.audio.into(),
                video: self.uninspectable.video.into(),
                file: self.uninspectable.file.into(),
                encrypted: self.uninspectable.encrypted.into(),
                vector: self.uninspectable.vector.into(),
            },
            system_prompt: SystemPrompt {
                leak: self.system_prompt.leak.into(),
                canary: self.system_prompt.canary,
                from_client: self.system_prompt.from_client.into(),
                prompt: self.system_prompt.prompt.clone(),
            },
            danger_tools_unchecked: self.danger_tools_unchecked,
            abuse: Abuse {
                repeated: self.abuse.repeated.into(),
                repeated_rpm: self.abuse.repeated_rpm,
                looping: self.abuse.looping.into(),
                looping_calls: self.abuse.looping_calls,
                looping_rpm: self.abuse.looping_rpm,
                choices: self.abuse.choices,
            },
            sandbox: Sandbox {
                untrusted: self.sandbox.untrusted.into(),
            },
        }
    }
}

impl Default for RawSystemPrompt {
    fn default() -> RawSystemPrompt {
        RawSystemPrompt {
            leak: RawLeakAction::Block,
            canary: false,
            from_client: RawPermission::Allow,
            prompt: None,
        }
    }
}

impl Default for RawInjection {
    fn default() -> RawInjection {
        RawInjection {
            user: RawInjectionAction::Block,
            untrusted: RawInjectionAction::Block,
            model: text(Model::BUILT_IN),
            false_positives: RawFalsePositives::default(),
            deadline: text("30s"),
            late: RawLateAction::Block,
            model_attacks: Vec::new(),
            model_threshold: 0.5,
            judge: None,
        }
    }
}

impl Default for RawBoth {
    fn default() -> RawBoth {
        RawBoth {
            input: RawAction::Mask,
            output: RawAction::Redact,
        }
    }
}

impl Default for RawPii {
    fn default() -> RawPii {
        RawPii {
            input: RawAction::Mask,
            output: RawAction::Redact,
            types: pii_types(Pii::DEFAULT_TYPES),
        }
    }
}

impl Default for RawLinks {
    fn default() -> RawLinks {
        RawLinks {
            allow: Vec::new(),
            otherwise: RawOutputAction::Strip,
        }
    }
}

impl Default for RawAbuse {
    fn default() -> RawAbuse {
        let abuse = Abuse::default();
        RawAbuse {
            repeated: RawAbuseAction::Flag,
            repeated_rpm: abuse.repeated_rpm,
            looping: RawAbuseAction::Block,
            looping_calls: abuse.looping_calls,
            looping_rpm: abuse.looping_rpm,
            choices: abuse.choices,
        }
    }
}

impl Default for RawOutput {
    fn default() -> RawOutput {
        RawOutput {
            scripts: RawOutputAction::Flag,
            markup: RawOutputAction::Flag,
            terminal: RawOutputAction::Strip,
            invisible: RawOutputAction::Strip,
            sql: RawOutputAction::Allow,
            shell: RawOutputAction::Allow,
            max_chars: 0,
            max_repeated: OutputActions::MAX_REPEATED,
            validate: RawCheck::Off,
            schema: None,
            retries: 0,
            hold: RawHold::Needed,
        }
    }
}

impl Default for RawUninspectable {
    fn default() -> RawUninspectable {
        RawUninspectable {
            image: RawUnreadAction::Allow,
            audio: RawUnreadAction::Allow,
            video: RawUnreadAction::Allow,
            file: RawUnreadAction::Flag,
            encrypted: RawUnreadAction::Allow,
            vector: RawUnreadAction::Allow,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_of_the_file_are_the_defaults_of_the_policy() {
        let mut written = RawProfile::default().build("default");
        // A library has no weights.
        assert_eq!(written.injection.model.take().as_deref(), Some(Model::BUILT_IN));
        assert_eq!(written, Profile::default());
        let links = RawProfile {
            links: Some(RawLinks::default()),
            ..RawProfile::default()
        };
        assert_eq!(links.build("default").links, Some(Links::default()));
    }
}
