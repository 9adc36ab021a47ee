//! The recorded exchanges of every dialect (they live beside the dialects' own tests), and every way to plant a marker in one.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use portcullis_dialect::{DIALECTS, Document, Edit, Exchange, Frames, NodeId, Sort, apply, quoted};

/// A value that a detector knows. It holds characters outside base64, so that it is never taken for packed bytes.
pub const MARKER: &str = "marker@portcullis.example";

pub struct Case {
    pub exchange: &'static dyn Exchange,
    pub name: String,
    pub request: Option<Bytes>,
    pub reply: Option<Bytes>,
    pub stream: Option<Bytes>,
}

impl Case {
    /// What stands for the parameter of the path: the recorded bodies that name their model call it `models/parameter`.
    pub fn parameter(&self) -> &'static str {
        let named = |body: &Bytes| String::from_utf8_lossy(body).contains("models/parameter");
        match self.exchange.api() {
            portcullis_dialect::Api::Gemini if self.request.as_ref().is_some_and(named) => "parameter",
            portcullis_dialect::Api::Gemini => "gemini-2.5-flash",
            _ => "resp_1",
        }
    }

    /// The path to ask at, with its parameter filled.
    pub fn path(&self) -> String {
        let mut path = self.exchange.path().to_owned();
        if let (Some(open), Some(close)) = (path.find('{'), path.find('}')) {
            path.replace_range(open..=close, self.parameter());
        }
        path
    }
}

/// Every case of every exchange. An exchange without a case fails the tests that walk over them.
pub fn cases() -> Vec<Case> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../dialect/tests/exchanges");
    let mut cases = Vec::new();
    for exchange in DIALECTS.iter().flat_map(|dialect| dialect.exchanges()) {
        let mut folders: Vec<PathBuf> = std::fs::read_dir(root.join(exchange.id()))
            .unwrap_or_else(|error| panic!("{} has no recorded exchange: {error}", exchange.id()))
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.is_dir())
            .collect();
        folders.sort();
        assert!(!folders.is_empty(), "{} has no recorded exchange", exchange.id());
        let first = cases.len();
        for folder in folders {
            let file = |name: &str| std::fs::read(folder.join(name)).ok().map(Bytes::from);
            cases.push(Case {
                exchange: *exchange,
                name: format!(
                    "{}/{}",
                    exchange.id(),
                    folder.file_name().unwrap().to_string_lossy()
                ),
                request: file("request.json"),
                reply: file("reply.json"),
                stream: file("stream.sse"),
            });
        }
        // A case may be of a reply alone; it is asked for as another case of the endpoint asks.
        let ask = cases
            .iter()
            .skip(first)
            .find_map(|case: &Case| case.request.clone());
        for case in cases.iter_mut().skip(first) {
            case.request = case.request.take().or_else(|| ask.clone());
        }
    }
    cases
}

/// Every string leaf of a body, strings inside JSON in strings included, each with the body in which the text stands there.
pub fn plantings(bytes: &Bytes, planting: &str) -> Vec<(String, Bytes)> {
    let document = Document::read(bytes.clone()).unwrap();
    let mut planted = Vec::new();
    for leaf in leaves(&document) {
        let path = document.path(leaf);
        let put = |text: &str| {
            let edit = Edit {
                range: document.range(leaf),
                text: quoted(text),
            };
            apply(bytes, vec![edit])
        };
        planted.push((path.clone(), put(planting)));
        if let Ok(inner) = Document::read(Bytes::copy_from_slice(document.text(leaf).as_bytes())) {
            if inner.sort(inner.root()) != Sort::Object {
                continue;
            }
            for inside in leaves(&inner) {
                let edit = Edit {
                    range: inner.range(inside),
                    text: quoted(planting),
                };
                let text = String::from_utf8(apply(inner.bytes(), vec![edit]).to_vec()).unwrap();
                planted.push((format!("{path}/{}", inner.path(inside)), put(&text)));
            }
        }
    }
    planted
}

fn leaves(document: &Document) -> Vec<NodeId> {
    fn visit(document: &Document, node: NodeId, leaves: &mut Vec<NodeId>) {
        match document.sort(node) {
            Sort::Object => document
                .members(node)
                .for_each(|(_, value)| visit(document, value, leaves)),
            Sort::Array => document
                .items(node)
                .for_each(|item| visit(document, item, leaves)),
            Sort::String => leaves.push(node),
            _ => {}
        }
    }
    let mut found = Vec::new();
    visit(document, document.root(), &mut found);
    found
}

/// The data of every event of a stream, and how to put the stream together again with other data at one place.
pub struct Events {
    frames: Vec<portcullis_dialect::Frame>,
}

impl Events {
    pub fn of(stream: &Bytes) -> Events {
        let (mut cutter, mut frames) = (Frames::new(), Vec::new());
        cutter.push(stream, &mut frames).unwrap();
        frames.extend(cutter.finish());
        Events { frames }
    }

    /// Number and data of every event with a JSON body.
    pub fn data(&self) -> impl Iterator<Item = (usize, &Bytes)> {
        self.frames.iter().enumerate().filter_map(|(number, frame)| {
            frame
                .data
                .as_ref()
                .filter(|data| data.starts_with(b"{"))
                .map(|data| (number, data))
        })
    }

    pub fn with(&self, number: usize, data: Bytes) -> Bytes {
        let mut out = Vec::new();
        for (at, frame) in self.frames.iter().enumerate() {
            if at == number {
                out.extend_from_slice(&frame.with_data(data.clone()).raw);
            } else {
                out.extend_from_slice(&frame.raw);
            }
        }
        Bytes::from(out)
    }
}
