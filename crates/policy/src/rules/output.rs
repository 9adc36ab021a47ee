//! What becomes of what acts when a reply is rendered or run. Links by their hosts are another rule's affair.

use portcullis_core::{Action, Direction, Family};

use super::{Rule, in_reply, is_shown};
use crate::{Place, Profile, Ruling};

/// The action depends on the kind.
pub struct Output;

impl Rule for Output {
    fn id(&self) -> &'static str {
        "output"
    }

    fn about(&self) -> &'static str {
        "Scripts in links, active markup, terminal escapes, invisible text, and SQL and shell fragments in a reply follow the \
         settings of `output`. In the arguments of tool calls, scripts and markup are data and pass. \
         What goes beyond `output.max_chars` or `output.max_repeated` is cut off. \
         What is not what its schema says follows `output.validate`."
    }

    fn on_finding(&self, profile: &Profile, place: &Place<'_>) -> Option<Ruling> {
        if place.family != Family::Output {
            return None;
        }
        if place.direction == Direction::Input {
            return Some(profile.says("output", Action::Allow));
        }
        let output = &profile.output;
        let (setting, action, only_shown) = match place.kind.as_str() {
            "link.script" => ("output.scripts", output.scripts, true),
            "markup.script" => ("output.markup", output.markup, true),
            "terminal.escape" => ("output.terminal", output.terminal, false),
            "text.invisible" => ("output.invisible", output.invisible, false),
            "code.sql" => ("output.sql", output.sql, false),
            "code.shell" => ("output.shell", output.shell, false),
            "output.length" => ("output.max_chars", limit(output.max_chars), false),
            "output.schema" | "output.json" => ("output.validate", output.validate, false),
            "output.loop" => ("output.max_repeated", limit(output.max_repeated), false),
            _ => return None,
        };
        Some(if only_shown && !is_shown(place) {
            profile.says("output", Action::Allow)
        } else {
            profile.says(setting, in_reply(action))
        })
    }
}

/// What is done about a text that goes beyond a limit: the rest of it is taken away.
const fn limit(most: u32) -> Action {
    if most == 0 { Action::Allow } else { Action::Redact }
}
