//! The way to a place as Gemini's API understands it: member names in one spelling, positions in lists left out.
//!
//! The API reads every member both as `systemInstruction` and as `system_instruction`, and takes one value where a list is
//! meant. A place is labelled alike however the client writes it.

use std::collections::HashSet;

use crate::json::{Document, NodeId};
use crate::reading::{Place, Seg};

/// Names that are kept: every place that has a label of its own is nearer to the root. A label is asked for at every leaf, so
/// what is done here must stay little however deep a body is.
const LONGEST: usize = 10;

/// The names on the way to a place.
pub struct Trail<'a> {
    names: [&'a str; LONGEST],
    depths: [usize; LONGEST],
    length: usize,
    path: &'a [Seg<'a>],
}

impl<'a> Trail<'a> {
    /// The trail to a place.
    pub fn to(place: &Place<'a>) -> Trail<'a> {
        let mut trail = Trail {
            names: [""; LONGEST],
            depths: [0; LONGEST],
            length: 0,
            path: place.path,
        };
        for (depth, step) in place.path.iter().enumerate() {
            let Seg::Key(name) = step else { continue };
            let slot = trail
                .names
                .get_mut(trail.length)
                .zip(trail.depths.get_mut(trail.length));
            let Some((slot, at)) = slot else { break };
            *slot = camel(name);
            *at = depth;
            trail.length = trail.length.saturating_add(1);
        }
        trail
    }

    /// The names, from number `from`.
    pub fn names(&self, from: usize) -> &[&'a str] {
        self.names.get(from..self.length).unwrap_or(&[])
    }

    /// The depth at which the object stands that has name number `number` as its member.
    pub fn holder(&self, number: usize) -> usize {
        self.depths.get(number).copied().unwrap_or(0)
    }

    /// The position in its list of what stands under name number `number`; 0 where it is no list.
    pub fn position(&self, number: usize) -> u32 {
        match self.path.get(self.holder(number).saturating_add(1)) {
            Some(Seg::Index(position)) => u32::try_from(*position).unwrap_or(u32::MAX),
            _ => 0,
        }
    }
}

/// The member of an object, in either spelling.
pub fn member(document: &Document, object: NodeId, name: &str) -> Option<NodeId> {
    document.member(object, name).or_else(|| {
        let mut members = document.members(object);
        members
            .find(|(key, _)| document.text(*key).contains('_') && same(document.text(*key), name))
            .map(|(_, value)| value)
    })
}

/// The members of an object, each by the spelling that names are written in here. One that stands there in both comes twice.
pub fn named(document: &Document, object: NodeId) -> impl Iterator<Item = (String, NodeId)> + '_ {
    let members = document.members(object);
    members.map(|(key, value)| (camel_of(document.text(key)), value))
}

/// Whether an object has a member in both spellings.
pub fn says_twice(document: &Document, object: NodeId) -> bool {
    let names = || document.members(object).map(|(key, _)| document.text(key));
    let snakes: Vec<&str> = names().filter(|name| name.contains('_')).collect();
    if snakes.is_empty() {
        return false;
    }
    let all: HashSet<&str> = names().collect();
    snakes.into_iter().any(|name| {
        let camel = camel_of(name);
        camel != name && all.contains(camel.as_str())
    })
}

/// `max_output_tokens` as `maxOutputTokens`.
fn camel_of(snake: &str) -> String {
    let mut camel = String::with_capacity(snake.len());
    let mut up = false;
    for c in snake.chars() {
        match c {
            '_' => up = true,
            c if up => {
                camel.extend(c.to_uppercase());
                up = false;
            }
            c => camel.push(c),
        }
    }
    camel
}

/// The value at a path of names from the root, in either spelling.
pub fn at(document: &Document, path: &[&str]) -> Option<NodeId> {
    path.iter()
        .try_fold(document.root(), |node, name| member(document, node, name))
}

/// The values of a list, or the one value that stands in its place.
pub fn list(document: &Document, node: Option<NodeId>) -> impl Iterator<Item = NodeId> + '_ {
    let one = node.filter(|node| document.sort(*node) == crate::json::Sort::Object);
    let many = node.into_iter().flat_map(|node| document.items(node));
    one.into_iter().chain(many)
}

/// Every name that a label or a fact asks for and that has two spellings, in order of the first.
const NAMES: &[(&str, &str)] = &[
    ("adaptation_phrases", "adaptationPhrases"),
    ("allowed_function_names", "allowedFunctionNames"),
    ("audio_metadata", "audioMetadata"),
    ("audio_transcription", "audioTranscription"),
    ("audio_transcription_config", "audioTranscriptionConfig"),
    ("block_reason", "blockReason"),
    ("block_reason_message", "blockReasonMessage"),
    ("cached_content", "cachedContent"),
    ("chosen_candidates", "chosenCandidates"),
    ("citation_metadata", "citationMetadata"),
    ("code_execution_result", "codeExecutionResult"),
    ("consent_audio", "consentAudio"),
    ("continuation_token", "continuationToken"),
    ("create_time", "createTime"),
    ("custom_vocabulary", "customVocabulary"),
    ("display_name", "displayName"),
    ("document_metadata", "documentMetadata"),
    ("executable_code", "executableCode"),
    ("file_data", "fileData"),
    ("file_search", "fileSearch"),
    ("file_search_store_names", "fileSearchStoreNames"),
    ("file_uri", "fileUri"),
    ("finish_message", "finishMessage"),
    ("finish_reason", "finishReason"),
    ("function_call", "functionCall"),
    ("function_calling_config", "functionCallingConfig"),
    ("function_declarations", "functionDeclarations"),
    ("function_response", "functionResponse"),
    ("generate_content_request", "generateContentRequest"),
    ("generation_config", "generationConfig"),
    ("google_maps_widget_context_token", "googleMapsWidgetContextToken"),
    ("grounding_metadata", "groundingMetadata"),
    ("image_config", "imageConfig"),
    ("inline_data", "inlineData"),
    ("json_path", "jsonPath"),
    ("language_code", "languageCode"),
    ("language_codes", "languageCodes"),
    ("logprobs_result", "logprobsResult"),
    ("media_processing", "mediaProcessing"),
    ("media_resolution", "mediaResolution"),
    ("mime_type", "mimeType"),
    ("model_selection_config", "modelSelectionConfig"),
    ("model_status", "modelStatus"),
    ("model_version", "modelVersion"),
    ("part_metadata", "partMetadata"),
    ("partial_args", "partialArgs"),
    ("prompt_feedback", "promptFeedback"),
    ("rendered_content", "renderedContent"),
    ("response_format", "responseFormat"),
    ("response_id", "responseId"),
    ("response_json_schema", "responseJsonSchema"),
    ("response_mime_type", "responseMimeType"),
    ("response_modalities", "responseModalities"),
    ("response_schema", "responseSchema"),
    ("retrieved_url", "retrievedUrl"),
    ("routing_config", "routingConfig"),
    ("safety_ratings", "safetyRatings"),
    ("safety_settings", "safetySettings"),
    ("sdk_blob", "sdkBlob"),
    ("search_entry_point", "searchEntryPoint"),
    ("service_tier", "serviceTier"),
    ("source_text", "sourceText"),
    ("speaker_label", "speakerLabel"),
    ("speech_config", "speechConfig"),
    ("speech_metadata", "speechMetadata"),
    ("spreadsheet_metadata", "spreadsheetMetadata"),
    ("stop_sequences", "stopSequences"),
    ("string_value", "stringValue"),
    ("system_instruction", "systemInstruction"),
    ("task_type", "taskType"),
    ("thinking_config", "thinkingConfig"),
    ("thought_signature", "thoughtSignature"),
    ("tool_call", "toolCall"),
    ("tool_config", "toolConfig"),
    ("tool_response", "toolResponse"),
    ("tool_type", "toolType"),
    ("top_candidates", "topCandidates"),
    ("translation_config", "translationConfig"),
    ("url_context_metadata", "urlContextMetadata"),
    ("url_metadata", "urlMetadata"),
    ("url_retrieval_status", "urlRetrievalStatus"),
    ("usage_metadata", "usageMetadata"),
    ("video_metadata", "videoMetadata"),
    ("voice_consent_signature", "voiceConsentSignature"),
    ("voice_sample_audio", "voiceSampleAudio"),
    ("will_continue", "willContinue"),
];

/// The spelling that labels are written in.
fn camel(name: &str) -> &str {
    if !name.contains('_') {
        return name;
    }
    let known = NAMES.binary_search_by(|(snake, _)| (*snake).cmp(name));
    let known = known.ok().and_then(|number| NAMES.get(number));
    known.map_or(name, |(_, camel)| camel)
}

/// Whether `snake` is `camel` in the other spelling.
fn same(snake: &str, camel: &str) -> bool {
    let mut snake = snake.bytes();
    let fits = camel.bytes().all(|wanted| match wanted {
        b'A'..=b'Z' => snake.next() == Some(b'_') && snake.next() == Some(wanted.to_ascii_lowercase()),
        _ => snake.next() == Some(wanted),
    });
    fits && snake.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_are_in_order_and_each_is_the_other_spelling() {
        assert!(NAMES.is_sorted());
        for (snake, camel) in NAMES {
            assert!(same(snake, camel), "{snake} and {camel}");
        }
    }

    #[test]
    fn both_spellings_are_one_name() {
        for (written, read) in [
            ("system_instruction", "systemInstruction"),
            ("systemInstruction", "systemInstruction"),
            ("system_instructions", "system_instructions"),
            ("systeminstruction", "systeminstruction"),
            ("_response_schema", "_response_schema"),
            ("generate_content_request", "generateContentRequest"),
        ] {
            assert_eq!(camel(written), read);
        }
    }
}
