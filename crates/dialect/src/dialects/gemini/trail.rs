//! The way to a place as Gemini's API understands it: member names in one spelling, positions in lists left out.
//!
//! The API reads every member both as `systemInstruction` and as `system_instruction`, and takes one value where a list is
//! meant. A place is labelled alike however the client writes it.

use crate::json::{Document, NodeId};
use crate::reading::{Place, Seg};

/// Names longer ways than this are cut off from; every place that has a label of its own is nearer to the root.
const LONGEST: usize = 24;

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

/// Every name that a label or a fact asks for and that has two spellings.
const NAMES: &[&str] = &[
    "adaptationPhrases",
    "allowedFunctionNames",
    "audioTranscription",
    "audioTranscriptionConfig",
    "blockReason",
    "blockReasonMessage",
    "cachedContent",
    "chosenCandidates",
    "citationMetadata",
    "codeExecutionResult",
    "consentAudio",
    "continuationToken",
    "createTime",
    "customVocabulary",
    "displayName",
    "documentMetadata",
    "audioMetadata",
    "executableCode",
    "fileData",
    "fileSearch",
    "fileSearchStoreNames",
    "fileUri",
    "finishMessage",
    "finishReason",
    "functionCall",
    "functionCallingConfig",
    "functionDeclarations",
    "functionResponse",
    "generateContentRequest",
    "generationConfig",
    "googleMapsWidgetContextToken",
    "groundingMetadata",
    "imageConfig",
    "inlineData",
    "jsonPath",
    "languageCode",
    "languageCodes",
    "logprobsResult",
    "mediaProcessing",
    "mediaResolution",
    "mimeType",
    "modelSelectionConfig",
    "modelStatus",
    "modelVersion",
    "partMetadata",
    "partialArgs",
    "promptFeedback",
    "renderedContent",
    "responseFormat",
    "responseId",
    "responseJsonSchema",
    "responseMimeType",
    "responseModalities",
    "responseSchema",
    "retrievedUrl",
    "routingConfig",
    "safetyRatings",
    "safetySettings",
    "sdkBlob",
    "searchEntryPoint",
    "serviceTier",
    "sourceText",
    "speakerLabel",
    "speechConfig",
    "speechMetadata",
    "spreadsheetMetadata",
    "stopSequences",
    "stringValue",
    "systemInstruction",
    "taskType",
    "thinkingConfig",
    "thoughtSignature",
    "toolCall",
    "toolConfig",
    "toolResponse",
    "toolType",
    "topCandidates",
    "translationConfig",
    "urlContextMetadata",
    "urlMetadata",
    "urlRetrievalStatus",
    "usageMetadata",
    "videoMetadata",
    "voiceConsentSignature",
    "voiceSampleAudio",
    "willContinue",
];

/// The spelling that labels are written in.
fn camel(name: &str) -> &str {
    if !name.contains('_') || name.len() > 40 {
        return name;
    }
    NAMES
        .iter()
        .copied()
        .find(|known| same(name, known))
        .unwrap_or(name)
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
