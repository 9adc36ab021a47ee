//! Facts that Gemini's endpoints share: the model of the path, stored state, usage, and the places of a request.

use portcullis_core::{Channel, UninspectableKind as Kind, Usage};

use super::content;
use super::trail::{self, Trail};
use crate::allowance::{Allowance, number};
use crate::exchange::{Call, StateRef, lanes};
use crate::instruct;
use crate::json::{Document, Malformed, NodeId, Sort, quoted};
use crate::patch::Edit;
use crate::reading::{Label, Place, Prose};

/// The model of the path, for a body that must be an object.
pub fn call(document: &Document, parameters: &[&str]) -> Result<Call, Malformed> {
    if document.sort(document.root()) != Sort::Object {
        return Err(shape("the body must be a JSON object"));
    }
    let model = parameters.first().copied().unwrap_or("");
    // What stands in the path goes into the path upstream: nothing in it may mean anything there.
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.@".contains(&b);
    if model.is_empty() || model.starts_with('.') || !model.bytes().all(plain) {
        return Err(shape("the model's name holds characters that no model has"));
    }
    Ok(Call {
        model: Some(model.to_owned()),
        ..Call::default()
    })
}

/// Notes a `model` member of `object`, and refuses it if it is not the model of the path.
pub fn same_model(document: &Document, object: NodeId, call: &mut Call) -> Result<(), Malformed> {
    let Some(node) = document.member(object, "model") else {
        return Ok(());
    };
    let said = document.as_str(node);
    let name = said.map(|name| name.strip_prefix("models/").unwrap_or(name));
    if name != call.model.as_deref() {
        return Err(shape("`model` in the body is not the model of the path"));
    }
    call.model_repeats.push(node);
    Ok(())
}

/// Reads what a generation names, and refuses what the endpoint does not take.
pub fn generation(document: &Document, object: NodeId, call: &mut Call) -> Result<(), Malformed> {
    let contents = trail::member(document, object, "contents");
    let mut count = 0usize;
    for content in trail::list(document, contents) {
        count += 1;
        turn(document, content, call)?;
    }
    if count == 0 {
        return Err(shape("`contents` is missing or empty"));
    }
    same_model(document, object, call)?;
    match trail::member(document, object, "systemInstruction") {
        Some(system) if document.sort(system) == Sort::Object => {
            turn(document, system, call)?;
            call.system_prompt = true;
        }
        Some(system) => call.system_prompt |= document.sort(system) != Sort::Null,
        None => {}
    }
    let cached = trail::member(document, object, "cachedContent");
    call.state.extend(state(document, "cached_content", cached));
    for tool in trail::list(document, trail::member(document, object, "tools")) {
        let search = trail::member(document, tool, "fileSearch");
        let names = search.and_then(|search| trail::member(document, search, "fileSearchStoreNames"));
        for name in names.into_iter().flat_map(|names| document.items(names)) {
            call.state
                .extend(state(document, "file_search_store", Some(name)));
        }
    }
    let config = trail::member(document, object, "generationConfig");
    // Which of two spellings the API believes is not known: a limit, or what instructs the model, would have two readings.
    if [Some(object), config]
        .into_iter()
        .flatten()
        .any(|object| trail::says_twice(document, object))
    {
        return Err(shape(
            "a member stands there in both spellings, `likeThis` and `like_this`",
        ));
    }
    for name in ["routingConfig", "modelSelectionConfig"] {
        // Both have another model answer than the one the rules for models were asked about.
        if config.is_some_and(|config| trail::member(document, config, name).is_some()) {
            return Err(Malformed::Shape(format!(
                "`{name}` is not taken: models are routed by the gateway"
            )));
        }
    }
    Ok(())
}

/// Reads one content.
pub fn turn(document: &Document, content: NodeId, call: &mut Call) -> Result<(), Malformed> {
    if document.sort(content) != Sort::Object {
        return Err(shape("every content must be an object"));
    }
    call.system_prompt |= document
        .member(content, "role")
        .and_then(|role| document.as_str(role))
        == Some("system");
    for part in trail::list(document, document.member(content, "parts")) {
        file(document, part, call);
        let answer = trail::member(document, part, "functionResponse");
        let parts = answer.and_then(|answer| document.member(answer, "parts"));
        for part in trail::list(document, parts) {
            file(document, part, call);
        }
    }
    Ok(())
}

/// A file that was uploaded, or that lies in a bucket. Public addresses are nobody's state.
fn file(document: &Document, part: NodeId, call: &mut Call) {
    let uri = trail::member(document, part, "fileData")
        .and_then(|file| trail::member(document, file, "fileUri"))
        .and_then(|uri| document.as_str(uri));
    let Some(uri) = uri else { return };
    let lower = uri.to_ascii_lowercase();
    let public = lower.starts_with("http://") || lower.starts_with("https://");
    // The provider reads its own addresses with the gateway's credential, others as anybody would.
    if public && !lower.contains("googleapis.com") {
        return;
    }
    let id = match uri.rsplit_once("/files/") {
        Some((_, id)) => format!("files/{id}"),
        None => uri.to_owned(),
    };
    call.state.push(StateRef { kind: "file", id });
}

/// A reference to stored state, if the node is a string.
fn state(document: &Document, kind: &'static str, node: Option<NodeId>) -> Option<StateRef> {
    let id = document.as_str(node?)?.to_owned();
    Some(StateRef { kind, id })
}

/// A place in a generation request, whose members begin at name number `number` of the trail.
pub fn request(place: &Place<'_>, trail: &Trail<'_>, number: usize) -> Label {
    let below = number.saturating_add(1);
    match trail.names(number) {
        ["contents", "parts", "text"] => {
            let channel = content::channel(place, trail, below);
            let label = content::part(place, trail, below.saturating_add(1), channel);
            let sort = match label.channel {
                Channel::Reasoning => lanes::REASONING,
                _ => lanes::TEXT,
            };
            label.in_lane(lanes::lane(trail.position(number), 0, sort))
        }
        ["contents", "parts", _, ..] => {
            let channel = content::channel(place, trail, below);
            content::part(place, trail, below.saturating_add(1), channel)
        }
        ["systemInstruction", "parts", "text"] => Label::text(Channel::System)
            .in_lane(lanes::lane(u32::MAX, 0, lanes::TEXT))
            .prose(Prose::Free),
        ["systemInstruction", "parts", _, ..] => {
            content::part(place, trail, below.saturating_add(1), Channel::System)
        }
        ["systemInstruction"] | ["systemInstruction", "parts"] => Label::text(Channel::System),
        ["contents" | "systemInstruction", "role"] => Label::IDENTIFIER,
        ["tools", ..] => Label::text(Channel::ToolDefinition),
        ["toolConfig", "functionCallingConfig", "allowedFunctionNames"] => {
            Label::text(Channel::ToolDefinition)
        }
        ["toolConfig", ..] | ["safetySettings", ..] | ["model" | "serviceTier"] => Label::IDENTIFIER,
        ["generationConfig", rest @ ..] => configuration(rest),
        // Content by reference: what it says cannot be read here.
        ["cachedContent"] => Label::opaque(Channel::Identifier, Kind::File),
        ["continuationToken"] => Label::opaque(Channel::Metadata, Kind::Encrypted),
        ["labels", ..] => Label::text(Channel::Metadata),
        _ => Label::UNKNOWN,
    }
}

fn configuration(rest: &[&str]) -> Label {
    match rest {
        ["stopSequences"] => Label::text(Channel::Steering),
        [
            "responseSchema" | "responseJsonSchema" | "_responseJsonSchema" | "responseFormat",
            ..,
        ] => Label::text(Channel::Steering),
        [
            "audioTranscriptionConfig",
            "customVocabulary" | "adaptationPhrases" | "sourceText",
        ] => Label::text(Channel::Steering),
        ["speechConfig", .., "voiceSampleAudio" | "consentAudio"] => {
            Label::opaque(Channel::Steering, Kind::Audio)
        }
        ["speechConfig", .., "voiceConsentSignature", "signature"] => {
            Label::opaque(Channel::Steering, Kind::Encrypted)
        }
        ["speechConfig", .., "speaker"] => Label::text(Channel::Name),
        [
            "speechConfig"
            | "imageConfig"
            | "thinkingConfig"
            | "audioTranscriptionConfig"
            | "translationConfig",
            ..,
        ]
        | ["responseMimeType" | "responseModalities" | "mediaResolution"] => Label::IDENTIFIER,
        _ => Label::UNKNOWN,
    }
}

/// Token counts of a reply or a chunk; a chunk's are those so far.
pub fn usage(document: &Document) -> Option<Usage> {
    let usage = trail::at(document, &["usageMetadata"])?;
    let count = |name| {
        document
            .member(usage, name)
            .and_then(|node| document.as_u64(node))
            .unwrap_or(0)
    };
    let reasoning = count("thoughtsTokenCount");
    Some(Usage {
        input: count("promptTokenCount").saturating_add(count("toolUsePromptTokenCount")),
        cached: count("cachedContentTokenCount"),
        output: count("candidatesTokenCount").saturating_add(reasoning),
        reasoning,
        cache_write: 0,
    })
}

/// A refusal with a message for the client.
pub fn shape(message: &str) -> Malformed {
    Malformed::Shape(message.to_owned())
}

/// A text in front of the system instruction.
pub fn instruct(request: &Document, text: &str) -> Option<Vec<Edit>> {
    let part = format!(r#"{{"text":{}}}"#, quoted(text));
    let whole = format!(r#"{{"parts":[{part}]}}"#);
    let Some(system) = trail::member(request, request.root(), "systemInstruction") else {
        return Some(instruct::first_member(
            request,
            request.root(),
            "systemInstruction",
            &whole,
        ));
    };
    match request.sort(system) {
        Sort::Null => return Some(instruct::instead(request, system, whole)),
        Sort::Object => {}
        _ => return None,
    }
    let Some(parts) = trail::member(request, system, "parts") else {
        return Some(instruct::first_member(
            request,
            system,
            "parts",
            &format!("[{part}]"),
        ));
    };
    match request.sort(parts) {
        Sort::Array => Some(instruct::first_item(request, parts, &part)),
        Sort::Null => Some(instruct::instead(request, parts, format!("[{part}]"))),
        // The API takes one part where a list is.
        Sort::Object => {
            let range = request.range(parts);
            let before = range.start..range.start;
            let behind = range.end..range.end;
            let edit = |range, text| Edit { range, text };
            Some(vec![
                edit(before, format!("[{part},")),
                edit(behind, "]".to_owned()),
            ])
        }
        _ => None,
    }
}

/// How many tokens a candidate may have, and how many candidates there may be.
pub fn allowance(request: &Document) -> Allowance {
    let config = trail::member(request, request.root(), "generationConfig");
    let said = |name| -> Vec<_> {
        let node = config.and_then(|config| trail::member(request, config, name));
        node.and_then(|node| number(request, node)).into_iter().collect()
    };
    Allowance::of(&said("maxOutputTokens"), &said("candidateCount"))
}

/// The edits after which a candidate has at most so many tokens.
pub fn allow(request: &Document, tokens: u64) -> Vec<Edit> {
    let member = format!(r#"{{"maxOutputTokens":{tokens}}}"#);
    let root = request.root();
    let Some(config) = trail::member(request, root, "generationConfig") else {
        return instruct::first_member(request, root, "generationConfig", &member);
    };
    if request.sort(config) != Sort::Object {
        return instruct::instead(request, config, member);
    }
    match trail::member(request, config, "maxOutputTokens") {
        Some(node) => instruct::instead(request, node, tokens.to_string()),
        None => instruct::first_member(request, config, "maxOutputTokens", &tokens.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    fn read(body: &'static str, model: &str) -> Result<Call, String> {
        let document = Document::read(Bytes::from_static(body.as_bytes())).unwrap();
        let mut call = call(&document, &[model]).map_err(|error| error.to_string())?;
        generation(&document, document.root(), &mut call).map_err(|error| error.to_string())?;
        Ok(call)
    }

    const PLAIN: &str = r#"{"contents":[{"parts":[{"text":"hello"}]}]}"#;

    #[test]
    fn a_member_in_both_spellings_is_refused() {
        for body in [
            r#"{"contents": [{}], "generationConfig": {"maxOutputTokens": 1, "max_output_tokens": 100000}}"#,
            r#"{"contents": [{}], "systemInstruction": {}, "system_instruction": {}}"#,
            r#"{"contents": [{}], "generationConfig": {}, "generation_config": {}}"#,
        ] {
            let document = Document::read(Bytes::from_static(body.as_bytes())).unwrap();
            let mut call = Call::default();
            let refused = generation(&document, document.root(), &mut call);
            assert!(
                refused.unwrap_err().to_string().contains("both spellings"),
                "{body}"
            );
        }
    }

    #[test]
    fn a_model_that_could_mean_another_path_is_refused() {
        for model in ["gemini-2.5-flash", "learnlm-2.0", "text_embedding@001"] {
            assert_eq!(read(PLAIN, model).unwrap().model.as_deref(), Some(model));
        }
        for model in ["", "..", "a%2fb", "a?b", "a:b", "a#b", "a\\b", "a b", "größe"] {
            assert!(read(PLAIN, model).is_err(), "{model:?}");
        }
    }

    #[test]
    fn the_body_names_no_other_model_and_nothing_that_chooses_one() {
        let good = r#"{"model":"models/m","contents":{"parts":{"text":"hello"}}}"#;
        assert_eq!(read(good, "m").unwrap().model_repeats.len(), 1);
        for body in [
            r#"{"model":"models/other","contents":[{"parts":[]}]}"#,
            r#"{"model":7,"contents":[{"parts":[]}]}"#,
            r#"{"contents":[{"parts":[]}],"generationConfig":{"routingConfig":{"manualMode":{"modelName":"x"}}}}"#,
            r#"{"contents":[{"parts":[]}],"generation_config":{"model_selection_config":{}}}"#,
        ] {
            assert!(read(body, "m").is_err(), "{body}");
        }
    }

    #[test]
    fn what_is_no_list_of_contents_is_refused() {
        for body in [
            "[]",
            "{}",
            r#"{"contents":[]}"#,
            r#"{"contents":"hello"}"#,
            r#"{"contents":["hello"]}"#,
            r#"{"contents":null}"#,
        ] {
            assert!(read(body, "m").is_err(), "{body}");
        }
    }

    #[test]
    fn files_are_state_unless_anybody_may_read_them() {
        for (uri, id) in [
            (
                "https://generativelanguage.googleapis.com/v1beta/files/abc",
                Some("files/abc"),
            ),
            (
                "HTTPS://generativelanguage.GOOGLEAPIS.com/v1beta/files/abc",
                Some("files/abc"),
            ),
            ("files/abc", Some("files/abc")),
            ("gs://bucket/a.pdf", Some("gs://bucket/a.pdf")),
            ("https://films.example/files/abc", None),
        ] {
            let body = format!(r#"{{"contents":[{{"parts":[{{"file_data":{{"file_uri":"{uri}"}}}}]}}]}}"#);
            let document = Document::read(Bytes::from(body)).unwrap();
            let mut call = call(&document, &["m"]).unwrap();
            generation(&document, document.root(), &mut call).unwrap();
            let found: Vec<_> = call.state.iter().map(|state| state.id.as_str()).collect();
            assert_eq!(found, Vec::from_iter(id), "{uri}");
        }
    }
}
