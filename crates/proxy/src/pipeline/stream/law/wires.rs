//! How each dialect writes a stream: several choices, their texts, thoughts and tool calls, woven together at random. It is about the
//! shapes that an engine has to tell apart, not about every member that a provider sends.

use std::collections::VecDeque;

use portcullis_core::{Channel, Lane};
use portcullis_dialect::{Exchange, find, lanes, quoted};

use super::dice::Dice;

/// What a lane says, and which part of a choice it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Text,
    Thought,
    /// The arguments of that tool call.
    Call(u32),
}

impl Part {
    pub(super) const fn channel(self) -> Channel {
        match self {
            Part::Text => Channel::Assistant,
            Part::Thought => Channel::Reasoning,
            Part::Call(_) => Channel::ToolCall,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wire {
    Chat,
    Completions,
    Messages,
    Gemini,
    Responses,
}

pub(super) const WIRES: [Wire; 5] = [
    Wire::Chat,
    Wire::Completions,
    Wire::Messages,
    Wire::Gemini,
    Wire::Responses,
];

/// One step of a stream: what one choice says in it, or a whole event.
pub(super) enum Step {
    Of(u32, String),
    Event(String),
}

impl Wire {
    pub(super) fn exchange(self) -> &'static dyn Exchange {
        let path = match self {
            Wire::Chat => "/v1/chat/completions",
            Wire::Completions => "/v1/completions",
            Wire::Messages => "/v1/messages",
            Wire::Gemini => "/v1beta/models/m:streamGenerateContent",
            Wire::Responses => "/v1/responses",
        };
        find("POST", path, self == Wire::Messages).unwrap().1
    }

    /// Whether the dialect has that part, and may say it in a stream together with others.
    pub(super) fn has(self, part: Part) -> bool {
        match (self, part) {
            (_, Part::Text) => true,
            (Wire::Completions, _) => false,
            (Wire::Gemini, Part::Call(number)) => number == 0,
            _ => true,
        }
    }

    pub(super) fn lane(self, choice: u32, part: Part) -> Lane {
        let (group, item, sort) = match (self, part) {
            (Wire::Messages, Part::Text) => (0, 0, lanes::TEXT),
            (Wire::Messages, Part::Thought) => (0, 1, lanes::REASONING),
            (Wire::Messages, Part::Call(number)) => (0, number + 3, lanes::ARGUMENTS),
            (Wire::Gemini, Part::Thought) => (choice, 1, lanes::REASONING),
            (Wire::Gemini, Part::Call(_)) => (choice, 2, lanes::ARGUMENTS),
            (Wire::Responses, Part::Text) => (choice * 8, 0, lanes::TEXT),
            (Wire::Responses, Part::Thought) => (choice * 8 + 1, 1, lanes::SUMMARY),
            (Wire::Responses, Part::Call(number)) => (choice * 8 + 2 + number, 4, lanes::ARGUMENTS),
            (_, Part::Text) => (choice, 0, lanes::TEXT),
            (_, Part::Thought) => (choice, 0, lanes::REASONING),
            // The old form of a call has item 0.
            (_, Part::Call(number)) => (choice, number, lanes::ARGUMENTS),
        };
        lanes::lane(group, item, sort)
    }

    /// The lines in which the parts of one choice are said, each in its order.
    pub(super) fn lines(self, choice: u32, parts: &[(Part, Vec<String>)]) -> Vec<VecDeque<Step>> {
        match self {
            Wire::Chat | Wire::Completions => parts
                .iter()
                .map(|(part, pieces)| self.chat(choice, *part, pieces))
                .collect(),
            Wire::Gemini => {
                // Thoughts end where the answer goes on.
                let mut sorted: Vec<&(Part, Vec<String>)> = parts.iter().collect();
                sorted.sort_by_key(|(part, _)| *part != Part::Thought);
                let said = sorted
                    .into_iter()
                    .flat_map(|(part, pieces)| self.gemini(choice, *part, pieces));
                vec![said.collect()]
            }
            Wire::Messages => vec![messages(parts)],
            Wire::Responses => parts
                .iter()
                .map(|(part, pieces)| self.response(choice, *part, pieces))
                .collect(),
        }
    }

    pub(super) fn chat(self, choice: u32, part: Part, pieces: &[String]) -> VecDeque<Step> {
        let say = |members: String| Step::Of(choice, members);
        let call = |number: u32, name: &str, text: &str| match number {
            0 => format!(r#""delta":{{"function_call":{{{name}"arguments":{text}}}}}"#),
            _ => format!(
                r#""delta":{{"tool_calls":[{{"index":{},"function":{{{name}"arguments":{text}}}}}]}}"#,
                number - 1
            ),
        };
        let mut steps = VecDeque::new();
        if let Part::Call(number) = part {
            steps.push_back(say(call(number, r#""name":"mail","#, "\"\"")));
        }
        for piece in pieces {
            let text = quoted(piece);
            steps.push_back(say(match part {
                Part::Text if self == Wire::Completions => format!(r#""text":{text}"#),
                Part::Text => format!(r#""delta":{{"content":{text}}}"#),
                Part::Thought => format!(r#""delta":{{"reasoning_content":{text}}}"#),
                Part::Call(number) => call(number, "", &text),
            }));
        }
        steps
    }

    pub(super) fn gemini(self, choice: u32, part: Part, pieces: &[String]) -> Vec<Step> {
        let say = |part: String| {
            Step::Of(
                choice,
                format!(r#""content":{{"parts":[{part}],"role":"model"}}"#),
            )
        };
        let mut steps = Vec::new();
        if let Part::Call(_) = part {
            steps.push(say(
                r#"{"functionCall":{"name":"mail","willContinue":true}}"#.to_owned()
            ));
        }
        steps.extend(pieces.iter().map(|piece| {
            let text = quoted(piece);
            say(match part {
                Part::Text => format!(r#"{{"text":{text}}}"#),
                Part::Thought => format!(r#"{{"text":{text},"thought":true}}"#),
                Part::Call(_) => format!(
                    r#"{{"functionCall":{{"partialArgs":[{{"jsonPath":"$.a","stringValue":{text}}}],"willContinue":true}}}}"#
                ),
            })
        }));
        steps
    }

    pub(super) fn response(self, choice: u32, part: Part, pieces: &[String]) -> VecDeque<Step> {
        let index = lanes::group(self.lane(choice, part));
        let (item, stem, at) = match part {
            Part::Text => ("message", "output_text", r#","content_index":0"#),
            Part::Thought => ("reasoning", "reasoning_summary_text", r#","summary_index":0"#),
            Part::Call(_) => ("function_call", "function_call_arguments", ""),
        };
        let event = |name: String, rest: String| {
            Step::Event(format!(
                r#"{{"type":"response.{name}","sequence_number":0,"output_index":{index}{rest}}}"#
            ))
        };
        let mut steps = VecDeque::from([event(
            "output_item.added".to_owned(),
            format!(r#","item":{{"type":"{item}","id":"i"}}"#),
        )]);
        for piece in pieces {
            steps.push_back(event(
                format!("{stem}.delta"),
                format!(r#"{at},"delta":{}"#, quoted(piece)),
            ));
        }
        steps.push_back(event(format!("{stem}.done"), at.to_owned()));
        steps.push_back(event(
            "output_item.done".to_owned(),
            format!(r#","item":{{"type":"{item}","id":"i"}}"#),
        ));
        steps
    }

    /// The step with which a choice finishes.
    pub(super) fn finish(self, choice: u32) -> Option<Step> {
        let members = match self {
            Wire::Chat => r#""delta":{},"finish_reason":"stop""#,
            Wire::Completions => r#""text":"","finish_reason":"stop""#,
            Wire::Gemini => r#""finishReason":"STOP""#,
            Wire::Messages | Wire::Responses => return None,
        };
        Some(Step::Of(choice, members.to_owned()))
    }

    pub(super) fn event(self, choices: &[(u32, String)]) -> String {
        let choices = choices
            .iter()
            .map(|(choice, members)| format!(r#"{{"index":{choice},{members}}}"#));
        let choices = choices.collect::<Vec<_>>().join(",");
        match self {
            Wire::Gemini => format!(r#"{{"candidates":[{choices}],"responseId":"r"}}"#),
            _ => format!(r#"{{"id":"c","object":"chunk","created":1,"model":"m","choices":[{choices}]}}"#),
        }
    }

    pub(super) fn last(self) -> &'static str {
        match self {
            Wire::Chat | Wire::Completions => {
                "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":2}}\n\ndata: [DONE]\n\n"
            }
            Wire::Messages => {
                "data: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"}}\n\ndata: {\"type\":\"message_stop\"}\n\n"
            }
            Wire::Gemini => "data: {\"usageMetadata\":{\"promptTokenCount\":1}}\n\n",
            Wire::Responses => {
                "data: {\"type\":\"response.completed\",\"sequence_number\":0,\"response\":{\"id\":\"r\"}}\n\n"
            }
        }
    }
}

/// The blocks of a message: its text goes on behind a tool call.
pub(super) fn messages(parts: &[(Part, Vec<String>)]) -> VecDeque<Step> {
    let mut steps = VecDeque::new();
    let mut block = |index: u32, start: &str, member: &str, pieces: &[String]| {
        let mut say = |name: &str, rest: String| {
            steps.push_back(Step::Event(format!(
                r#"{{"type":"content_block_{name}","index":{index}{rest}}}"#
            )));
        };
        say("start", format!(r#","content_block":{{{start}}}"#));
        for piece in pieces {
            say("delta", format!(r#","delta":{{{member}:{}}}"#, quoted(piece)));
        }
        say("stop", String::new());
    };
    let text = parts.iter().find(|(part, _)| *part == Part::Text);
    let (first, second) = text.map_or((&[][..], &[][..]), |(_, pieces)| {
        pieces.split_at(pieces.len() / 2)
    });
    let mut said = |pieces: &[String], index| {
        block(
            index,
            r#""type":"text","text":"""#,
            r#""type":"text_delta","text""#,
            pieces,
        );
    };
    said(first, 1);
    for (part, pieces) in parts {
        match part {
            Part::Text => {}
            Part::Thought => block(
                0,
                r#""type":"thinking","thinking":"""#,
                r#""type":"thinking_delta","thinking""#,
                pieces,
            ),
            Part::Call(number) => {
                let start = r#""type":"tool_use","id":"t","name":"mail","input":{}"#;
                block(
                    number + 2,
                    start,
                    r#""type":"input_json_delta","partial_json""#,
                    pieces,
                );
            }
        }
    }
    block(
        20,
        r#""type":"text","text":"""#,
        r#""type":"text_delta","text""#,
        second,
    );
    steps
}

/// Steps of all lines, those of each in their order, written as events.
pub(super) fn weave(
    wire: Wire,
    mut lines: Vec<VecDeque<Step>>,
    mut finishes: VecDeque<Step>,
    dice: &mut Dice,
) -> String {
    let mut stream = String::new();
    let mut say = |event: &str| stream.push_str(&format!("data: {event}\n\n"));
    let mut waiting: Vec<(u32, String)> = Vec::new();
    loop {
        lines.retain(|line| !line.is_empty());
        if lines.is_empty() {
            // A choice finishes behind all that it says.
            let Some(step) = finishes.pop_front() else {
                break;
            };
            lines.push(VecDeque::from([step]));
        }
        let at = dice.roll(lines.len());
        match lines[at].pop_front() {
            Some(Step::Event(event)) => say(&event),
            Some(Step::Of(choice, members)) => {
                // Some servers put several choices into one event.
                let again = waiting.iter().any(|(other, _)| *other == choice);
                if !waiting.is_empty() && (again || dice.roll(6) > 0) {
                    say(&wire.event(&waiting));
                    waiting.clear();
                }
                waiting.push((choice, members));
            }
            None => {}
        }
    }
    if !waiting.is_empty() {
        say(&wire.event(&waiting));
    }
    stream + wire.last()
}
