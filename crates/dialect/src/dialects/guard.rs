//! `POST /v1/guard`: Portcullis's own endpoint, a decision without a model, for other gateways and for code.
//!
//! It takes `{"messages": […]}` in the shape of chat completions, or `{"text": …, "channel": …}`, and `"direction"`. It has no
//! upstream, so it is not among the dialects; its texts are on the surface like those of any other body.

use std::sync::OnceLock;

use portcullis_core::{Channel, Direction};

use crate::exchange::{Api, Body, Call, Cut, Exchange, Method, find};
use crate::json::{Document, Malformed, Sort};
use crate::reading::Seg::Key as K;
use crate::reading::{Label, Place};

/// The endpoint.
pub struct Guard;

impl Guard {
    /// Which way the texts travel; towards the model where the body does not say.
    ///
    /// # Errors
    /// A direction that is neither.
    pub fn direction(document: &Document) -> Result<Direction, Malformed> {
        match document.at(&["direction"]).map(|node| document.text(node)) {
            None | Some("input") => Ok(Direction::Input),
            Some("output") => Ok(Direction::Output),
            Some(_) => Err(Malformed::Shape("`direction` must be `input` or `output`".into())),
        }
    }
}

impl Exchange for Guard {
    fn id(&self) -> &'static str {
        "portcullis.guard"
    }

    fn api(&self) -> Api {
        Api::OpenAi
    }

    fn method(&self) -> Method {
        Method::Post
    }

    fn path(&self) -> &'static str {
        "/v1/guard"
    }

    fn call(&self, document: &Document, _parameters: &[&str]) -> Result<Call, Malformed> {
        Guard::direction(document)?;
        let messages = document.at(&["messages"]);
        let text = document.at(&["text"]);
        match (messages, text) {
            (Some(messages), None) if document.sort(messages) == Sort::Array => {}
            (None, Some(text)) if document.sort(text) == Sort::String => {}
            _ => {
                return Err(Malformed::Shape(
                    "the body needs either `messages` (an array) or `text` (a string)".into(),
                ));
            }
        }
        if let Some(channel) = document
            .str_at(&["channel"])
            .filter(|name| Channel::from_name(name).is_none())
        {
            return Err(Malformed::Shape(format!(
                "`{}` is not a channel",
                channel.escape_default()
            )));
        }
        Ok(Call::default())
    }

    fn label(&self, body: Body, place: &Place<'_>) -> Label {
        match place.path {
            [K("text")] => {
                let named = place.str_in(0, "channel").and_then(Channel::from_name);
                Label::text(named.unwrap_or(match place.str_in(0, "direction") {
                    Some("output") => Channel::Assistant,
                    _ => Channel::User,
                }))
            }
            [K("messages"), ..] => chat().map_or(Label::UNKNOWN, |chat| chat.label(body, place)),
            [K("channel" | "direction")] => Label::IDENTIFIER,
            _ => Label::UNKNOWN,
        }
    }

    fn withheld(&self, _reply: &Document, _cut: &Cut<'_>) -> String {
        // It has no reply to withhold: the decision is the reply.
        String::new()
    }
}

/// The endpoint whose messages these are.
fn chat() -> Option<&'static dyn Exchange> {
    static CHAT: OnceLock<Option<&'static dyn Exchange>> = OnceLock::new();
    *CHAT.get_or_init(|| find("POST", "/v1/chat/completions", false).map(|(_, exchange, _)| exchange))
}
