//! What a dialect says of its endpoints: one [`Exchange`] for each, one registry, one way to find them.
//!
//! An exchange only names and writes: it labels places of a body, reads the few facts the gateway needs, and writes the
//! replies that the gateway gives itself. It never extracts text (see [`crate::Reading`]) and never decides.

use std::collections::BTreeMap;

use portcullis_core::{Lane, Usage};

use crate::allowance::Allowance;
use crate::json::{Document, Malformed, NodeId};
use crate::patch::Edit;
use crate::promise::{Answer, Called, Promise};
use crate::reading::{Label, Place};
use crate::tools::{Act, Altered, DeniedLane, Offer, Step};

/// A family of endpoints that share credentials, errors and an upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Api {
    /// OpenAI and compatible servers.
    OpenAi,
    /// Anthropic.
    Anthropic,
    /// Gemini.
    Gemini,
}

impl Api {
    /// The name in configuration and records.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Api::OpenAi => "openai",
            Api::Anthropic => "anthropic",
            Api::Gemini => "gemini",
        }
    }

    /// The API of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Api> {
        [Api::OpenAi, Api::Anthropic, Api::Gemini]
            .into_iter()
            .find(|api| api.name() == name)
    }
}

/// An HTTP method that a model endpoint takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Method {
    /// Reads.
    Get,
    /// Asks.
    Post,
    /// Deletes.
    Delete,
}

impl Method {
    /// As on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Method::Get => "GET",
            Method::Post => "POST",
            Method::Delete => "DELETE",
        }
    }
}

/// Which body of an exchange a place is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Body {
    /// What the client sends.
    Request,
    /// A whole reply.
    Reply,
    /// The data of one event of a streamed reply.
    Event,
}

/// Something stored at the provider that a request names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateRef {
    /// What it is: `response`, `conversation`, `file`, `prompt`, `vector_store`, `container`, `cached_content`, …
    pub kind: &'static str,
    /// Its id at the provider.
    pub id: String,
}

/// What the gateway needs to know of a request, besides its texts.
#[derive(Clone, Debug, Default)]
pub struct Call {
    /// The model that is asked for; `None` where the endpoint takes none.
    pub model: Option<String>,
    /// The place of the model's name in the body; `None` where it stands in the path.
    pub model_node: Option<NodeId>,
    /// Whether a stream is asked for.
    pub stream: bool,
    /// Whether the client sent a system prompt (or a developer message, or instructions).
    pub system_prompt: bool,
    /// Places that must say the model of the path once more, behind `models/`: changed with it where a model has another name upstream.
    pub model_repeats: Vec<NodeId>,
    /// Stored state that the request names.
    pub state: Vec<StateRef>,
    /// Whether the provider keeps the conversation, so that a later request may go on with it by its id.
    pub stores: bool,
    /// Whether the reply is that of an earlier request: it may repeat what that one said.
    pub retrieves: bool,
}

/// Which lanes have ended once an event has been appended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ends {
    /// None.
    Nothing,
    /// Those of one group (see [`lanes`]).
    Group(u32),
    /// Those of several groups: bit n for group n. A group that has no bit ends with the stream.
    Groups(u64),
    /// Those of one item in a group.
    Item(u32, u32),
    /// All.
    All,
}

impl Ends {
    /// Whether `lane` is among them.
    #[must_use]
    pub fn covers(self, lane: Lane) -> bool {
        match self {
            Ends::Nothing => false,
            Ends::All => true,
            Ends::Group(group) => lanes::group(lane) == group,
            Ends::Groups(groups) => {
                let bit = 1u64.checked_shl(lanes::group(lane)).unwrap_or(0);
                groups & bit != 0
            }
            Ends::Item(group, item) => lanes::group(lane) == group && lanes::item(lane) == item,
        }
    }
}

/// Which groups an event is about. Events of one group leave in the order they came; what another group holds back does not hold them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum About {
    /// One group, and nothing besides.
    One(u32),
    /// The whole stream, or more than one group: it leaves behind all that came before it, and all that follows leaves behind it.
    All,
}

/// How lanes are numbered: a group (choice, candidate, output item), an item in it (content block, tool call), a sort of text.
pub mod lanes {
    use portcullis_core::Lane;

    /// Reply text.
    pub const TEXT: u8 = 0;
    /// Reasoning text.
    pub const REASONING: u8 = 1;
    /// Refusal text.
    pub const REFUSAL: u8 = 2;
    /// Tool call arguments: held until they are complete.
    pub const ARGUMENTS: u8 = 3;
    /// Tokens reported with probabilities.
    pub const LOGPROBS: u8 = 4;
    /// A transcript of sound.
    pub const TRANSCRIPT: u8 = 5;
    /// Summaries of reasoning.
    pub const SUMMARY: u8 = 6;
    /// What a tool that the provider runs printed.
    pub const OUTPUT: u8 = 7;
    /// What it printed as errors.
    pub const ERROR_OUTPUT: u8 = 8;

    /// The lane of those three numbers (group and item are cut to 28 bits).
    #[must_use]
    pub const fn lane(group: u32, item: u32, sort: u8) -> Lane {
        Lane(((group as u64 & 0xfff_ffff) << 36) | ((item as u64 & 0xfff_ffff) << 8) | sort as u64)
    }

    /// The group of a lane.
    #[must_use]
    #[allow(clippy::cast_possible_truncation, reason = "28 bits are left after the shift")]
    pub const fn group(lane: Lane) -> u32 {
        (lane.0 >> 36) as u32
    }

    /// The item of a lane.
    #[must_use]
    #[allow(clippy::cast_possible_truncation, reason = "28 bits are left after the mask")]
    pub const fn item(lane: Lane) -> u32 {
        ((lane.0 >> 8) & 0xfff_ffff) as u32
    }

    /// The sort of text in a lane.
    #[must_use]
    #[allow(clippy::cast_possible_truncation, reason = "8 bits are left after the mask")]
    pub const fn sort(lane: Lane) -> u8 {
        (lane.0 & 0xff) as u8
    }
}

/// How far a choice of a stream has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// The upstream began it; nothing of it was passed on.
    Unsaid,
    /// Something of it was passed on.
    Open,
    /// Why it finished was passed on.
    Finished,
}

/// What is known of a streamed reply from the events that were passed on; what a cut needs to end it well.
#[derive(Clone, Debug, Default)]
pub struct Progress {
    /// Its choices, by their numbers, if the dialect has such.
    pub choices: BTreeMap<u32, Stage>,
    /// The reply's id.
    pub id: String,
    /// The model that answers.
    pub model: String,
    /// When the provider made the reply, as it wrote it.
    pub created: String,
    /// The block or item that is open, if the dialect has such.
    pub open: Option<u64>,
    /// The last sequence number, if the dialect counts events.
    pub sequence: u64,
    /// Whether anything was passed on yet.
    pub begun: bool,
    /// Items that were passed on whole, as they were written, if the dialect repeats them at the end.
    pub items: Vec<String>,
    /// The id of the message that is open and its text so far, if the dialect repeats it at the end.
    pub message: Option<(String, String)>,
}

impl Progress {
    /// Notes how far a choice has come. It does not go back.
    pub fn choice(&mut self, number: u32, stage: Stage) {
        let known = self.choices.entry(number).or_insert(stage);
        *known = stage.max(*known);
    }

    /// The choices that last events are about, and whether something of each was passed on: those that are open; the first where
    /// none is.
    #[must_use]
    pub fn open_choices(&self) -> Vec<(u32, bool)> {
        let begun = |(number, stage): (&u32, &Stage)| (*number, *stage > Stage::Unsaid);
        let open = self.choices.iter().filter(|(_, stage)| **stage < Stage::Finished);
        let open: Vec<(u32, bool)> = open.map(begun).collect();
        if open.is_empty() {
            return vec![self.choices.iter().next().map_or((0, false), begun)];
        }
        open
    }
}

/// Why a reply is withheld and what the client is told.
#[derive(Clone, Copy, Debug)]
pub struct Cut<'a> {
    /// The request.
    pub request_id: &'a str,
    /// A text that is safe to show.
    pub text: &'a str,
}

/// An error as the client is told it.
#[derive(Clone, Copy, Debug)]
pub struct Failure<'a> {
    /// HTTP status.
    pub status: u16,
    /// Stable code.
    pub code: &'a str,
    /// What happened and what to do about it.
    pub message: &'a str,
    /// The request.
    pub request_id: &'a str,
}

/// A dialect: its endpoints and the shape of its errors.
pub trait Dialect: Sync {
    /// Which API it is.
    fn api(&self) -> Api;
    /// One sentence for the documentation.
    fn about(&self) -> &'static str;
    /// Its endpoints.
    fn exchanges(&self) -> &'static [&'static dyn Exchange];
    /// An error body in this dialect.
    fn error(&self, failure: &Failure<'_>) -> String;
}

/// One endpoint of a dialect.
pub trait Exchange: Sync {
    /// Its name, as `openai.chat`.
    fn id(&self) -> &'static str;
    /// The API it belongs to.
    fn api(&self) -> Api;
    /// The method.
    fn method(&self) -> Method;
    /// The path, with `{name}` for one segment (or the part of a segment before a fixed ending), as
    /// `/v1beta/models/{model}:generateContent`.
    fn path(&self) -> &'static str;

    /// Reads the facts of a request and refuses what the endpoint does not take. `document` is `null` for a request without body.
    /// `parameters` are the values of the path's `{…}` in order.
    ///
    /// # Errors
    /// [`Malformed::Shape`] with a message for the client.
    fn call(&self, document: &Document, parameters: &[&str]) -> Result<Call, Malformed>;

    /// Labels one place of one of its bodies.
    fn label(&self, body: Body, place: &Place<'_>) -> Label;

    /// Whether a `POST` of this endpoint comes without a body.
    fn takes_no_body(&self) -> bool {
        false
    }

    /// Whether it lists models: the gateway answers from the lists of its upstreams.
    fn lists_models(&self) -> bool {
        false
    }

    /// The models that a list names, each with its entry as it stands there. For endpoints that list models.
    fn models_in(&self, list: &Document) -> Vec<(String, String)> {
        let _ = list;
        Vec::new()
    }

    /// An entry for a model that no upstream lists; `name` is a JSON string. For endpoints that list models.
    fn model_entry(&self, name: &str) -> String {
        let _ = name;
        String::new()
    }

    /// A list of those entries. For endpoints that list models.
    fn model_list(&self, entries: &[(String, String)]) -> String {
        let _ = entries;
        String::new()
    }

    /// Whether a model is instructed through this endpoint: what the gateway must tell it has to go along.
    fn takes_instructions(&self) -> bool {
        false
    }

    /// The edits that put a text in front of all that instructs the model. Nothing where the endpoint takes no instructions, or where
    /// the request has something in their place that cannot be added to.
    fn instruct(&self, request: &Document, text: &str) -> Option<Vec<Edit>> {
        let _ = (request, text);
        None
    }

    /// How much a request lets a model write; `None` where no model writes.
    fn allowance(&self, request: &Document) -> Option<Allowance> {
        let _ = request;
        None
    }

    /// The edits after which each text of the reply has at most so many tokens.
    fn allow(&self, request: &Document, tokens: u64) -> Vec<Edit> {
        let _ = (request, tokens);
        Vec::new()
    }

    /// The edits after which a stream tells at its end what was used, in an event of its own; none where it tells by itself, or never does.
    fn ask_usage(&self, request: &Document) -> Vec<Edit> {
        let _ = request;
        Vec::new()
    }

    /// Whether an event is the one that [`Exchange::ask_usage`] asks for.
    fn is_usage_alone(&self, event: &Document) -> bool {
        let _ = event;
        false
    }

    /// Which lanes end with an event.
    fn ends(&self, event: &Document) -> Ends {
        let _ = event;
        Ends::Nothing
    }

    /// Which groups an event is about. A dialect whose protocol has one order for all of its events says nothing here.
    fn about(&self, event: &Document) -> About {
        let _ = event;
        About::All
    }

    /// The lanes of arguments that an event says something of without holding any: a tool call's name is held with its arguments.
    fn opens(&self, event: &Document) -> Vec<Lane> {
        let _ = event;
        Vec::new()
    }

    /// Whether an event is nothing but one delta, so that it may be sent twice with the halves of its text.
    fn splittable(&self, event: &Document) -> bool {
        let _ = event;
        false
    }

    /// Values that stand for a text besides the text itself (token probabilities): nulled where that text is changed or held.
    fn echoes(&self, body: Body, document: &Document) -> Vec<NodeId> {
        let _ = (body, document);
        Vec::new()
    }

    /// Tokens used so far, as a whole reply or an event says. Of several events, the greatest of each count is what was used.
    fn usage(&self, document: &Document) -> Option<Usage> {
        let _ = document;
        None
    }

    /// Ids of state that a reply or an event says was stored at the provider.
    fn stored(&self, document: &Document) -> Vec<StateRef> {
        let _ = document;
        Vec::new()
    }

    /// Notes what an event says, before it is passed on.
    fn progress(&self, event: &Document, progress: &mut Progress) {
        let _ = (event, progress);
    }

    /// A whole reply in the place of one that is withheld. Its status is 200: SDKs know this shape (`content_filter`, `refusal`).
    fn withheld(&self, reply: &Document, cut: &Cut<'_>) -> String;

    /// The last events of a stream that is cut, as bytes of server-sent events.
    fn cut(&self, progress: &Progress, cut: &Cut<'_>) -> String {
        let _ = (progress, cut);
        String::new()
    }

    /// The last events of a stream that has said all that it may say: as the model's own limit would end it (`length`,
    /// `max_tokens`). Nothing is said in them; the text of `cut` is not used.
    fn stopped(&self, progress: &Progress, cut: &Cut<'_>) -> String {
        let _ = (progress, cut);
        String::new()
    }

    /// A whole reply that says as much as it may: the text of `cut` alone, ended as the model's own limit would end it. The id is
    /// that of the request: it is not the reply that the model gave. `None` where the endpoint gives no reply of a model, so that
    /// nothing limits it.
    fn shortened(&self, reply: &Document, cut: &Cut<'_>) -> Option<String> {
        let _ = (reply, cut);
        None
    }

    /// The list in a reply whose items are alternatives to each other, if there is one: whoever tells a reply as one text tells the
    /// first.
    fn alternatives(&self) -> Option<&'static str> {
        None
    }

    /// Where an event that brings text also says why the text ended: it did not, where it is cut.
    fn finishes(&self, event: &Document) -> Vec<NodeId> {
        let _ = event;
        Vec::new()
    }

    /// What a request says its reply must be.
    fn promise(&self, request: &Document) -> Promise {
        let _ = request;
        Promise::default()
    }

    /// Whether a request has the provider keep something of the exchange, so that to ask once more would leave two.
    fn stores(&self, request: &Document) -> bool {
        let _ = request;
        false
    }

    /// The answers of a whole reply, or those that an event holds whole. Deltas of an answer are in lanes of [`lanes::TEXT`].
    fn answers(&self, body: Body, document: &Document) -> Vec<Answer> {
        let _ = (body, document);
        Vec::new()
    }

    /// The tool calls of a whole reply, or what an event says of some.
    fn calls(&self, body: Body, document: &Document) -> Vec<Called> {
        let _ = (body, document);
        Vec::new()
    }

    /// What a request tells of the conversation, in its order: what was said, called and returned.
    fn steps(&self, request: &Document) -> Vec<Step> {
        let _ = request;
        Vec::new()
    }

    /// The tools that a request offers to the model, also those that the provider runs.
    fn offers(&self, request: &Document) -> Vec<Offer> {
        let _ = request;
        Vec::new()
    }

    /// Every tool call of a whole reply, or what an event says of some: of functions, of tools with a free text, in the old form and in
    /// every choice.
    fn acts(&self, body: Body, document: &Document) -> Vec<Act> {
        let _ = (body, document);
        Vec::new()
    }

    /// Whether the calls that an event of a stream has whole are a list of those that came before, and not calls of their own.
    fn lists_calls_again(&self) -> bool {
        false
    }

    /// The edits after which a reply, or an event that holds calls whole, has those calls no more and says in its text what is told in
    /// the place of each. Where no call of a choice is left, it ends as a text does.
    fn deny(&self, body: Body, document: &Document, denied: &[(NodeId, &str)]) -> Vec<Edit> {
        let _ = (body, document, denied);
        Vec::new()
    }

    /// What becomes of an event of a stream in which some calls may not go through. `denied` are all of them so far; `none_left` says
    /// whether a choice has no call that does go through.
    fn deny_event(
        &self,
        event: &Document,
        denied: &[DeniedLane<'_>],
        none_left: &dyn Fn(u32) -> bool,
    ) -> Altered {
        let _ = (event, denied, none_left);
        Altered::Gone
    }

    /// Whether every answer of a whole reply came to its own end: no limit cut it, no filter, and the model did not refuse.
    fn ended_well(&self, reply: &Document) -> bool {
        let _ = reply;
        true
    }

    /// The last event of a stream that failed: an error in the shape that the dialect's SDKs raise.
    fn broken(&self, progress: &Progress, failure: &Failure<'_>) -> String {
        let _ = progress;
        let name = if self.api() == Api::Anthropic {
            "event: error\n"
        } else {
            ""
        };
        format!("{name}data: {}\n\n", crate::dialect(self.api()).error(failure))
    }
}

/// Finds the endpoint of a method and a path. `anthropic` says whether the client named an Anthropic version.
#[must_use]
pub fn find<'p>(
    method: &str,
    path: &'p str,
    anthropic: bool,
) -> Option<(&'static dyn Dialect, &'static dyn Exchange, Vec<&'p str>)> {
    find_as(method, path, anthropic.then_some(Api::Anthropic))
}

/// Finds the endpoint of a method and a path. `named` is the API that the client's headers name (`anthropic-version`,
/// `x-goog-api-key`): three dialects have the path `/v1/models`. Without one, it is OpenAI's.
#[must_use]
pub fn find_as<'p>(
    method: &str,
    path: &'p str,
    named: Option<Api>,
) -> Option<(&'static dyn Dialect, &'static dyn Exchange, Vec<&'p str>)> {
    let mut found = None;
    for dialect in crate::DIALECTS {
        for exchange in dialect.exchanges() {
            if exchange.method().name() != method {
                continue;
            }
            if let Some(parameters) = fit_any(dialect.api(), exchange.path(), path) {
                if dialect.api() == named.unwrap_or(Api::OpenAi) {
                    return Some((*dialect, *exchange, parameters));
                }
                found.get_or_insert((*dialect, *exchange, parameters));
            }
        }
    }
    found
}

/// As [`fit`], with the two versions under which Gemini's endpoints stand: its SDK asks for `/v1` unless told otherwise. The
/// upstream is asked under the version of the template, which takes all that the other takes.
fn fit_any<'p>(api: Api, template: &str, path: &'p str) -> Option<Vec<&'p str>> {
    let other = match api {
        Api::Gemini => template.strip_prefix("/v1beta").zip(path.strip_prefix("/v1")),
        Api::OpenAi | Api::Anthropic => None,
    };
    fit(template, path).or_else(|| other.and_then(|(template, path)| fit(template, path)))
}

/// The parameters of `path` if it has the form of `template`. A parameter is never empty and holds no `/`.
fn fit<'p>(template: &str, path: &'p str) -> Option<Vec<&'p str>> {
    let mut parameters = Vec::new();
    let (mut template, mut path) = (template, path);
    while let Some((before, rest)) = template.split_once('{') {
        path = path.strip_prefix(before)?;
        let (_, after) = rest.split_once('}')?;
        let fixed = after.split('/').next().unwrap_or("");
        let segment = path.split('/').next().unwrap_or("");
        let value = segment.strip_suffix(fixed)?;
        if value.is_empty() || (fixed.is_empty() && value.contains(':')) {
            return None;
        }
        parameters.push(value);
        path = path.get(value.len()..)?;
        template = after;
    }
    (template == path).then_some(parameters)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates() {
        assert_eq!(fit("/v1/chat", "/v1/chat"), Some(vec![]));
        assert_eq!(fit("/v1/chat", "/v1/chat/"), None);
        assert_eq!(
            fit("/v1/responses/{id}", "/v1/responses/resp_1"),
            Some(vec!["resp_1"])
        );
        assert_eq!(fit("/v1/responses/{id}", "/v1/responses/"), None);
        assert_eq!(fit("/v1/responses/{id}", "/v1/responses/a/b"), None);
        assert_eq!(fit("/b/{m}:go", "/b/gemini-2:go"), Some(vec!["gemini-2"]));
        assert_eq!(fit("/b/{m}:go", "/b/gemini-2:stop"), None);
    }

    #[test]
    fn the_sdk_of_gemini_finds_its_endpoints_under_both_versions() {
        fn id(method: &str, path: &str, named: Option<Api>) -> Option<&'static str> {
            find_as(method, path, named).map(|(_, exchange, _)| exchange.id())
        }
        for version in ["v1", "v1beta"] {
            let path = format!("/{version}/models/gemini-2.5-flash:generateContent");
            assert_eq!(id("POST", &path, None), Some("gemini.generate"));
            let models = format!("/{version}/models");
            assert_eq!(id("GET", &models, Some(Api::Gemini)), Some("gemini.models"));
        }
        assert_eq!(id("GET", "/v1/models", None), Some("openai.models"));
        assert_eq!(
            id("GET", "/v1/models", Some(Api::Anthropic)),
            Some("anthropic.models")
        );
        assert_eq!(
            id("POST", "/v1/messages", Some(Api::Gemini)),
            Some("anthropic.messages")
        );
        assert_eq!(id("POST", "/v1betamodels/m:generateContent", None), None);
        assert_eq!(id("POST", "/v1/v1beta/models/m:generateContent", None), None);
    }

    #[test]
    fn last_events_are_about_every_choice_that_is_open() {
        let mut progress = Progress::default();
        assert_eq!(progress.open_choices(), [(0, false)]);
        progress.choice(2, Stage::Open);
        progress.choice(2, Stage::Unsaid);
        progress.choice(1, Stage::Unsaid);
        progress.choice(0, Stage::Finished);
        assert_eq!(progress.open_choices(), [(1, false), (2, true)]);
        progress.choice(1, Stage::Finished);
        progress.choice(2, Stage::Finished);
        assert_eq!(progress.open_choices(), [(0, true)]);
    }

    #[test]
    fn lanes_keep_their_three_numbers_apart() {
        let lane = lanes::lane(3, 7, lanes::ARGUMENTS);
        assert_eq!(
            (lanes::group(lane), lanes::item(lane), lanes::sort(lane)),
            (3, 7, 3)
        );
        assert!(Ends::Groups(0b1000).covers(lane) && !Ends::Groups(0b0111).covers(lane));
        assert!(!Ends::Groups(u64::MAX).covers(lanes::lane(64, 0, lanes::TEXT)));
        assert!(Ends::Group(3).covers(lane) && Ends::Item(3, 7).covers(lane) && Ends::All.covers(lane));
        assert!(
            !Ends::Group(7).covers(lane) && !Ends::Item(3, 6).covers(lane) && !Ends::Nothing.covers(lane)
        );
    }
}
