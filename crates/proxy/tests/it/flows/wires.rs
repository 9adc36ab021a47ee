//! One conversation and one reply in the words of every dialect, whole and as a stream.

use serde_json::{Value, json};

use crate::talks::Talk;

/// A call, with what it returned where it was made.
#[derive(Clone, Debug)]
pub struct Call {
    pub id: String,
    pub tool: String,
    pub arguments: Value,
    pub returned: String,
}

/// One thing of a conversation.
#[derive(Clone, Debug)]
pub enum Turn {
    User(String),
    Model(String),
    Calls(Vec<Call>),
}

/// One thing of a reply.
#[derive(Clone, Debug)]
pub enum Piece {
    Text(String),
    Call(Call),
}

/// What is asked and answered.
pub struct Exchange {
    pub turns: Vec<Turn>,
    pub tools: Vec<(String, Value)>,
    pub reply: Vec<Piece>,
    /// How many choices there are, where the dialect has such.
    pub choices: usize,
    /// Where texts and arguments are cut into deltas.
    pub cuts: Vec<usize>,
}

impl Exchange {
    fn cut(&self, text: &str) -> Vec<String> {
        let chars: Vec<char> = text.chars().collect();
        let (mut out, mut from) = (Vec::new(), 0);
        let mut sizes = self.cuts.iter().cycle();
        while from < chars.len() {
            let to = chars.len().min(from + sizes.next().unwrap());
            out.push(chars[from..to].iter().collect());
            from = to;
        }
        out
    }

    fn calls(&self) -> impl Iterator<Item = &Call> {
        self.reply.iter().filter_map(|piece| match piece {
            Piece::Call(call) => Some(call),
            Piece::Text(_) => None,
        })
    }

    fn text(&self) -> String {
        let texts = self.reply.iter().filter_map(|piece| match piece {
            Piece::Text(text) => Some(text.as_str()),
            Piece::Call(_) => None,
        });
        texts.collect::<Vec<_>>().join(" ")
    }

    pub fn chat(&self) -> Talk {
        let call = |call: &Call| json!({"id": call.id, "type": "function", "function": {"name": call.tool, "arguments": call.arguments.to_string()}});
        let mut messages = Vec::new();
        for turn in &self.turns {
            match turn {
                Turn::User(text) => messages.push(json!({"role": "user", "content": text})),
                Turn::Model(text) => messages.push(json!({"role": "assistant", "content": text})),
                Turn::Calls(calls) => {
                    let made: Vec<Value> = calls.iter().map(call).collect();
                    messages.push(json!({"role": "assistant", "content": null, "tool_calls": made}));
                    for call in calls {
                        messages
                            .push(json!({"role": "tool", "tool_call_id": call.id, "content": call.returned}));
                    }
                }
            }
        }
        let tools: Vec<Value> = self
            .tools
            .iter()
            .map(|(name, schema)| json!({"type": "function", "function": {"name": name, "parameters": schema}}))
            .collect();
        let made: Vec<Value> = self.calls().map(call).collect();
        let choice = |index: usize| {
            json!({"index": index, "logprobs": null, "finish_reason": "tool_calls", "message":
                {"role": "assistant", "content": self.text(), "refusal": null, "tool_calls": made}})
        };
        let chunk = |choice: usize, delta: Value, finish: Value| {
            json!({"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "gpt-4o",
                "choices": [{"index": choice, "delta": delta, "logprobs": null, "finish_reason": finish}]})
        };
        let mut events = Vec::new();
        for at in 0..self.choices {
            events.push(chunk(
                at,
                json!({"role": "assistant", "content": ""}),
                Value::Null,
            ));
            for text in self.cut(&self.text()) {
                events.push(chunk(at, json!({"content": text}), Value::Null));
            }
            for (index, made) in self.calls().enumerate() {
                let mut first = call(made);
                first["index"] = json!(index);
                first["function"]["arguments"] = json!("");
                events.push(chunk(at, json!({"tool_calls": [first]}), Value::Null));
                for piece in self.cut(&made.arguments.to_string()) {
                    let delta = json!({"tool_calls": [{"index": index, "function": {"arguments": piece}}]});
                    events.push(chunk(at, delta, Value::Null));
                }
            }
            events.push(chunk(at, json!({}), json!("tool_calls")));
        }
        Talk {
            path: "/v1/chat/completions",
            request: json!({"model": "gpt-4o", "n": self.choices, "messages": messages, "tools": tools}),
            reply: json!({"id": "c1", "object": "chat.completion", "created": 1, "model": "gpt-4o",
                "choices": (0..self.choices).map(choice).collect::<Vec<_>>()}),
            events,
        }
    }

    pub fn messages(&self) -> Talk {
        let block = |call: &Call| json!({"type": "tool_use", "id": call.id, "name": call.tool, "input": call.arguments});
        let mut messages = Vec::new();
        for turn in &self.turns {
            match turn {
                Turn::User(text) => messages.push(json!({"role": "user", "content": text})),
                Turn::Model(text) => messages.push(json!({"role": "assistant", "content": text})),
                Turn::Calls(calls) => {
                    let made: Vec<Value> = calls.iter().map(block).collect();
                    let results = calls.iter().map(
                        |call| json!({"type": "tool_result", "tool_use_id": call.id, "content": call.returned}),
                    );
                    messages.push(json!({"role": "assistant", "content": made}));
                    messages.push(json!({"role": "user", "content": results.collect::<Vec<_>>()}));
                }
            }
        }
        let tools: Vec<Value> = self
            .tools
            .iter()
            .map(|(name, schema)| json!({"name": name, "input_schema": schema}))
            .collect();
        let content: Vec<Value> = self
            .reply
            .iter()
            .map(|piece| match piece {
                Piece::Text(text) => json!({"type": "text", "text": text}),
                Piece::Call(call) => block(call),
            })
            .collect();
        let mut events = vec![
            json!({"type": "message_start", "message": {"id": "m1", "type": "message", "role": "assistant", "model": "claude-x",
                "content": [], "stop_reason": null, "stop_sequence": null, "usage": {"input_tokens": 1, "output_tokens": 1}}}),
        ];
        for (index, piece) in self.reply.iter().enumerate() {
            let (start, deltas): (Value, Vec<Value>) = match piece {
                Piece::Text(text) => (
                    json!({"type": "text", "text": ""}),
                    self.cut(text)
                        .iter()
                        .map(|text| json!({"type": "text_delta", "text": text}))
                        .collect(),
                ),
                Piece::Call(call) => {
                    let mut start = block(call);
                    start["input"] = json!({});
                    let pieces = self.cut(&call.arguments.to_string());
                    let deltas = pieces
                        .iter()
                        .map(|piece| json!({"type": "input_json_delta", "partial_json": piece}));
                    (start, deltas.collect())
                }
            };
            events.push(json!({"type": "content_block_start", "index": index, "content_block": start}));
            for delta in deltas {
                events.push(json!({"type": "content_block_delta", "index": index, "delta": delta}));
            }
            events.push(json!({"type": "content_block_stop", "index": index}));
        }
        events.push(json!({"type": "message_delta", "delta": {"stop_reason": "tool_use", "stop_sequence": null}, "usage": {"output_tokens": 9}}));
        events.push(json!({"type": "message_stop"}));
        Talk {
            path: "/v1/messages",
            request: json!({"model": "claude-x", "max_tokens": 99, "messages": messages, "tools": tools}),
            reply: json!({"id": "m1", "type": "message", "role": "assistant", "model": "claude-x", "stop_reason": "tool_use",
                "stop_sequence": null, "usage": {"input_tokens": 1, "output_tokens": 9}, "content": content}),
            events,
        }
    }

    pub fn gemini(&self) -> Talk {
        let part = |call: &Call| json!({"functionCall": {"name": call.tool, "args": call.arguments}});
        let mut contents = Vec::new();
        for turn in &self.turns {
            match turn {
                Turn::User(text) => contents.push(json!({"role": "user", "parts": [{"text": text}]})),
                Turn::Model(text) => contents.push(json!({"role": "model", "parts": [{"text": text}]})),
                Turn::Calls(calls) => {
                    let made: Vec<Value> = calls.iter().map(part).collect();
                    let results = calls.iter().map(
                        |call| json!({"functionResponse": {"name": call.tool, "response": {"output": call.returned}}}),
                    );
                    contents.push(json!({"role": "model", "parts": made}));
                    contents.push(json!({"role": "user", "parts": results.collect::<Vec<_>>()}));
                }
            }
        }
        let tools: Vec<Value> = self
            .tools
            .iter()
            .map(|(name, schema)| json!({"name": name, "parametersJsonSchema": schema}))
            .collect();
        let reply = |parts: Value, finish: Value| {
            let mut candidate = json!({"content": {"role": "model", "parts": parts}, "index": 0});
            if !finish.is_null() {
                candidate["finishReason"] = finish;
            }
            json!({"candidates": [candidate], "modelVersion": "gemini-x"})
        };
        let parts: Vec<Value> = self
            .reply
            .iter()
            .map(|piece| match piece {
                Piece::Text(text) => json!({"text": text}),
                Piece::Call(call) => part(call),
            })
            .collect();
        let mut events = Vec::new();
        for piece in &self.reply {
            match piece {
                Piece::Text(text) => {
                    let pieces = self.cut(text);
                    events.extend(
                        pieces
                            .iter()
                            .map(|text| reply(json!([{"text": text}]), Value::Null)),
                    );
                }
                Piece::Call(call) => events.push(reply(json!([part(call)]), Value::Null)),
            }
        }
        events.push(reply(json!([{"text": ""}]), json!("STOP")));
        Talk {
            path: "/v1beta/models/gemini-x:generateContent",
            request: json!({"contents": contents, "tools": [{"functionDeclarations": tools}]}),
            reply: reply(json!(parts), json!("STOP")),
            events,
        }
    }

    pub fn responses(&self) -> Talk {
        let item = |call: &Call| {
            json!({"type": "function_call", "id": call.id, "call_id": call.id, "name": call.tool,
            "arguments": call.arguments.to_string(), "status": "completed"})
        };
        let message = |at: usize, text: &str| {
            json!({"type": "message", "id": format!("msg_{at}"), "role": "assistant", "status": "completed",
            "content": [{"type": "output_text", "text": text, "annotations": []}]})
        };
        let response = |status: &str, output: Value| {
            json!({"id": "resp_1", "object": "response", "created_at": 1, "status": status,
            "model": "gpt-4o", "output": output})
        };
        let mut input = Vec::new();
        for turn in &self.turns {
            match turn {
                Turn::User(text) => input.push(json!({"role": "user", "content": text})),
                Turn::Model(text) => input.push(json!({"role": "assistant", "content": text})),
                Turn::Calls(calls) => {
                    for call in calls {
                        input.push(json!({"type": "function_call", "call_id": call.id, "name": call.tool, "arguments": call.arguments.to_string()}));
                    }
                    for call in calls {
                        input.push(json!({"type": "function_call_output", "call_id": call.id, "output": call.returned}));
                    }
                }
            }
        }
        let tools: Vec<Value> = self
            .tools
            .iter()
            .map(|(name, schema)| json!({"type": "function", "name": name, "parameters": schema}))
            .collect();
        let output: Vec<Value> = self
            .reply
            .iter()
            .enumerate()
            .map(|(at, piece)| match piece {
                Piece::Text(text) => message(at, text),
                Piece::Call(call) => item(call),
            })
            .collect();
        let mut events =
            vec![json!({"type": "response.created", "response": response("in_progress", json!([]))})];
        for (at, piece) in self.reply.iter().enumerate() {
            match piece {
                Piece::Text(text) => {
                    let id = format!("msg_{at}");
                    let mut begun = message(at, "");
                    begun["content"] = json!([]);
                    begun["status"] = json!("in_progress");
                    events.push(
                        json!({"type": "response.output_item.added", "output_index": at, "item": begun}),
                    );
                    events.push(json!({"type": "response.content_part.added", "item_id": id, "output_index": at, "content_index": 0,
                        "part": {"type": "output_text", "text": "", "annotations": []}}));
                    for delta in self.cut(text) {
                        events.push(json!({"type": "response.output_text.delta", "item_id": id, "output_index": at, "content_index": 0, "delta": delta}));
                    }
                    events.push(json!({"type": "response.output_text.done", "item_id": id, "output_index": at, "content_index": 0, "text": text}));
                    events.push(json!({"type": "response.content_part.done", "item_id": id, "output_index": at, "content_index": 0,
                        "part": {"type": "output_text", "text": text, "annotations": []}}));
                    events.push(json!({"type": "response.output_item.done", "output_index": at, "item": message(at, text)}));
                }
                Piece::Call(call) => {
                    let mut begun = item(call);
                    begun["arguments"] = json!("");
                    begun["status"] = json!("in_progress");
                    events.push(
                        json!({"type": "response.output_item.added", "output_index": at, "item": begun}),
                    );
                    for delta in self.cut(&call.arguments.to_string()) {
                        events.push(json!({"type": "response.function_call_arguments.delta", "item_id": call.id, "output_index": at, "delta": delta}));
                    }
                    events.push(json!({"type": "response.function_call_arguments.done", "item_id": call.id, "output_index": at,
                        "name": call.tool, "arguments": call.arguments.to_string()}));
                    events.push(
                        json!({"type": "response.output_item.done", "output_index": at, "item": item(call)}),
                    );
                }
            }
        }
        events.push(json!({"type": "response.completed", "response": response("completed", json!(output))}));
        for (number, event) in events.iter_mut().enumerate() {
            event["sequence_number"] = json!(number);
        }
        Talk {
            path: "/v1/responses",
            request: json!({"model": "gpt-4o", "store": false, "input": input, "tools": tools}),
            reply: response("completed", json!(output)),
            events,
        }
    }
}
