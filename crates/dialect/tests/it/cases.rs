//! The recorded exchanges, found by walking their folder.

use std::fs;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use portcullis_dialect::{Body, DIALECTS, Document, Exchange, Frame, Frames, Reading};

/// One recorded exchange.
pub struct Case {
    pub exchange: &'static dyn Exchange,
    /// `openai.chat/plain`.
    pub name: String,
    pub folder: PathBuf,
    pub request: Option<Bytes>,
    pub reply: Option<Bytes>,
    pub stream: Option<Bytes>,
}

/// One body of a case that is JSON.
pub struct Recorded {
    pub exchange: &'static dyn Exchange,
    /// `openai.chat/plain request`, `openai.chat/plain event 3`.
    pub name: String,
    pub body: Body,
    pub bytes: Bytes,
}

impl Recorded {
    /// The surface of other bytes at the same place.
    pub fn read(&self, bytes: &Bytes) -> Reading {
        let document = Document::read(bytes.clone())
            .unwrap_or_else(|error| panic!("{}: {error}: {}", self.name, String::from_utf8_lossy(bytes)));
        Reading::of(document, |place| self.exchange.label(self.body, place))
    }
}

impl Case {
    /// The frames of the stream.
    pub fn frames(&self) -> Vec<Frame> {
        frames(self.stream.as_ref().map_or(&[], |stream| stream))
    }

    /// The events of the stream that hold JSON.
    pub fn events(&self) -> Vec<Document> {
        let data = self.frames().into_iter().filter_map(|frame| frame.data);
        data.filter(|data| &data[..] != b"[DONE]")
            .map(|data| Document::read(data).unwrap())
            .collect()
    }

    /// All bodies.
    pub fn bodies(&self) -> Vec<Recorded> {
        let recorded = |part: String, body, bytes: &Bytes| Recorded {
            exchange: self.exchange,
            name: format!("{} {part}", self.name),
            body,
            bytes: bytes.clone(),
        };
        let mut bodies = Vec::new();
        bodies.extend(
            self.request
                .iter()
                .map(|bytes| recorded("request".into(), Body::Request, bytes)),
        );
        bodies.extend(
            self.reply
                .iter()
                .map(|bytes| recorded("reply".into(), Body::Reply, bytes)),
        );
        for (number, event) in self.events().iter().enumerate() {
            bodies.push(recorded(format!("event {number}"), Body::Event, event.bytes()));
        }
        bodies
    }
}

/// The frames of a whole stream.
pub fn frames(stream: &[u8]) -> Vec<Frame> {
    let (mut cutter, mut out) = (Frames::new(), Vec::new());
    cutter.push(stream, &mut out).unwrap();
    out.extend(cutter.finish());
    out
}

/// Every endpoint.
pub fn exchanges() -> impl Iterator<Item = &'static dyn Exchange> {
    DIALECTS.iter().flat_map(|dialect| dialect.exchanges()).copied()
}

/// Every case, in order of name.
pub fn all() -> Vec<Case> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/exchanges");
    let mut cases = Vec::new();
    for folder in folders(&root) {
        let id = folder.file_name().unwrap().to_str().unwrap().to_owned();
        let exchange = exchanges()
            .find(|exchange| exchange.id() == id)
            .unwrap_or_else(|| panic!("no endpoint has the id {id}"));
        for folder in folders(&folder) {
            let name = format!("{id}/{}", folder.file_name().unwrap().to_str().unwrap());
            let file = |file: &str| fs::read(folder.join(file)).ok().map(Bytes::from);
            let (request, reply, stream) = (file("request.json"), file("reply.json"), file("stream.sse"));
            assert!(
                request.is_some() || reply.is_some() || stream.is_some(),
                "{name} holds no recorded body"
            );
            cases.push(Case {
                exchange,
                name,
                folder,
                request,
                reply,
                stream,
            });
        }
    }
    cases
}

/// Every body of every case.
pub fn bodies() -> Vec<Recorded> {
    all().iter().flat_map(Case::bodies).collect()
}

fn folders(root: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(root).unwrap_or_else(|error| panic!("{}: {error}", root.display()));
    let mut folders: Vec<_> = entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir())
        .collect();
    folders.sort();
    folders
}

#[test]
fn every_endpoint_has_a_recorded_exchange_and_an_id_of_its_own() {
    let cases = all();
    let mut ids = Vec::new();
    for exchange in exchanges() {
        let id = exchange.id();
        assert!(!ids.contains(&id), "two endpoints have the id {id}");
        ids.push(id);
        assert!(
            cases.iter().any(|case| case.exchange.id() == id),
            "no recorded exchange in tests/exchanges/{id}"
        );
    }
}
