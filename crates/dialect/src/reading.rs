//! The surface of one body: every string of it, labelled, with a way back to its bytes.
//!
//! The walk is total: it visits every leaf, and a dialect can only *name* what is visited. A string that a dialect does
//! not know is on the surface all the same, as [`Channel::Unknown`]. Nothing here looks for anything in a text.

use std::ops::Range;

use bytes::Bytes;
use portcullis_core::{Channel, Lane, Origin, Part, PartId, Span, Uninspectable, UninspectableKind};

use crate::extension::{self, EXTENSION};
use crate::json::{Document, Malformed, NodeId, Sort, escape_into, path_of};
use crate::patch::Edit;

/// One step of a path into a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seg<'a> {
    /// The member of that name.
    Key(&'a str),
    /// The item of that number.
    Index(usize),
}

/// Where a leaf stands: the path to it and the values on the way.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// Steps from the root.
    pub path: &'a [Seg<'a>],
    /// The document.
    pub document: &'a Document,
    nodes: &'a [NodeId],
}

impl<'a> Place<'a> {
    /// The value reached after the first `depth` steps; 0 is the root.
    #[must_use]
    pub fn ancestor(&self, depth: usize) -> Option<NodeId> {
        self.nodes.get(depth).copied()
    }

    /// The string member `key` of the value reached after the first `depth` steps.
    #[must_use]
    pub fn str_in(&self, depth: usize, key: &str) -> Option<&'a str> {
        let object = self.ancestor(depth)?;
        self.document.as_str(self.document.member(object, key)?)
    }

    /// The whole-number member `key` of the value reached after the first `depth` steps.
    #[must_use]
    pub fn u64_in(&self, depth: usize, key: &str) -> Option<u64> {
        let object = self.ancestor(depth)?;
        self.document.as_u64(self.document.member(object, key)?)
    }

    /// The length of the path.
    #[must_use]
    pub fn depth(&self) -> usize {
        self.path.len()
    }
}

/// How the text at a place is to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// As it is.
    Text,
    /// As JSON written into a string (tool call arguments): its strings come onto the surface one by one. What is not JSON is text.
    Json,
    /// Not at all, if it really is packed bytes (base64, or a `data:` address of base64); anything else is text *and* listed.
    Opaque(UninspectableKind),
}

/// Whether a text may be written otherwise before the model reads it, and how it stands there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Prose {
    /// The provider, or somebody who gets it back, takes it for what it is: an id, a name, a call, a text that is cited by place.
    #[default]
    Fixed,
    /// A text by itself: nobody but the model reads it.
    Free,
    /// One string of structured data: nobody but the model reads it, but it stands among others.
    Leaf,
}

/// What a dialect says of a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Label {
    /// The channel.
    pub channel: Channel,
    /// How to read it.
    pub content: Content,
    /// What it continues.
    pub lane: Option<Lane>,
    /// In a stream event: whether the text is appended to its lane (a delta) and not whole in itself.
    pub delta: bool,
    /// In a request: whether it may be marked.
    pub prose: Prose,
}

impl Label {
    /// What a dialect answers for a place it does not know.
    pub const UNKNOWN: Label = Label::text(Channel::Unknown);
    /// Ids, types, roles, model names.
    pub const IDENTIFIER: Label = Label::text(Channel::Identifier);

    /// Text of a channel.
    #[must_use]
    pub const fn text(channel: Channel) -> Label {
        Label {
            channel,
            content: Content::Text,
            lane: None,
            delta: false,
            prose: Prose::Fixed,
        }
    }

    /// JSON in a string.
    #[must_use]
    pub const fn json(channel: Channel) -> Label {
        Label {
            channel,
            content: Content::Json,
            lane: None,
            delta: false,
            prose: Prose::Fixed,
        }
    }

    /// Packed bytes.
    #[must_use]
    pub const fn opaque(channel: Channel, kind: UninspectableKind) -> Label {
        Label {
            channel,
            content: Content::Opaque(kind),
            lane: None,
            delta: false,
            prose: Prose::Fixed,
        }
    }

    /// The same, as one of several parts that continue each other.
    #[must_use]
    pub const fn in_lane(self, lane: Lane) -> Label {
        Label {
            lane: Some(lane),
            ..self
        }
    }

    /// The same, as a text that nobody but the model reads.
    #[must_use]
    pub const fn prose(self, prose: Prose) -> Label {
        Label { prose, ..self }
    }

    /// The same, as a delta of a streamed lane.
    #[must_use]
    pub const fn delta(self, lane: Lane) -> Label {
        Label {
            lane: Some(lane),
            delta: true,
            ..self
        }
    }
}

/// The body, or JSON found inside one of its strings.
#[derive(Clone, Debug)]
struct Layer {
    document: Document,
    /// The layer and string it was found in.
    outer: Option<(usize, NodeId)>,
}

#[derive(Clone, Copy, Debug)]
struct Slot {
    layer: u32,
    node: NodeId,
    channel: Channel,
    origin: Origin,
    lane: Option<Lane>,
    delta: bool,
    prose: Prose,
}

/// A body with its surface.
#[derive(Clone, Debug)]
pub struct Reading {
    layers: Vec<Layer>,
    slots: Vec<Slot>,
    uninspectable: Vec<Uninspectable>,
    extensions: Vec<NodeId>,
    raised: bool,
}

impl Reading {
    /// Walks the whole document and labels every text in it.
    pub fn of(document: Document, label: impl Fn(&Place<'_>) -> Label) -> Reading {
        let mut walk = Walk {
            slots: Vec::with_capacity(16),
            opaque: Vec::new(),
            nested: Vec::new(),
            extensions: Vec::new(),
            raised: false,
        };
        let mut path = Vec::with_capacity(8);
        let mut nodes = Vec::with_capacity(8);
        walk.visit(&document, document.root(), &label, &mut path, &mut nodes, None);
        let Walk {
            mut slots,
            opaque,
            nested,
            extensions,
            raised,
        } = walk;
        let mut layers = vec![Layer {
            document,
            outer: None,
        }];
        for (outer, inner) in nested {
            read_nested(&mut layers, &mut slots, outer, inner);
        }
        Reading {
            layers,
            slots,
            uninspectable: opaque,
            extensions,
            raised,
        }
    }

    /// A document whose texts are all of one channel, as the arguments of a tool call are.
    #[must_use]
    pub fn whole(document: Document, channel: Channel) -> Reading {
        let root = document.root();
        let outer = Slot {
            layer: 0,
            node: root,
            channel,
            origin: channel.origin(),
            lane: None,
            delta: false,
            prose: Prose::Fixed,
        };
        let mut walk = Walk {
            slots: Vec::new(),
            opaque: Vec::new(),
            nested: Vec::new(),
            extensions: Vec::new(),
            raised: false,
        };
        walk.inner(&document, root, outer);
        let layers = vec![Layer {
            document,
            outer: None,
        }];
        Reading {
            layers,
            slots: walk.slots,
            uninspectable: Vec::new(),
            extensions: Vec::new(),
            raised: false,
        }
    }

    /// The body.
    #[must_use]
    pub fn document(&self) -> &Document {
        // INVARIANT: `of` puts the body first; the fallback is never built.
        static EMPTY: std::sync::OnceLock<Document> = std::sync::OnceLock::new();
        self.layers
            .first()
            .map_or_else(|| EMPTY.get_or_init(Document::empty), |layer| &layer.document)
    }

    /// Every text of the body.
    pub fn parts(&self) -> impl Iterator<Item = Part<'_>> {
        self.slots.iter().zip(0u32..).map(|(slot, number)| Part {
            id: PartId(number),
            channel: slot.channel,
            origin: slot.origin,
            lane: slot.lane,
            text: self.slot_text(slot),
        })
    }

    /// Who wrote each text of the body itself.
    pub fn origins(&self) -> impl Iterator<Item = (NodeId, Origin)> + '_ {
        let own = self.slots.iter().filter(|slot| slot.layer == 0);
        own.map(|slot| (slot.node, slot.origin))
    }

    /// The text of one part.
    #[must_use]
    pub fn text(&self, part: PartId) -> &str {
        self.slot(part).map_or("", |slot| self.slot_text(slot))
    }

    /// Whether the part is a delta of a streamed lane.
    #[must_use]
    pub fn is_delta(&self, part: PartId) -> bool {
        self.slot(part).is_some_and(|slot| slot.delta)
    }

    /// Whether the part may be marked before the model reads it, and how it stands there.
    #[must_use]
    pub fn prose(&self, part: PartId) -> Prose {
        self.slot(part).map_or(Prose::Fixed, |slot| slot.prose)
    }

    /// Whether the part is the name of a member. An edit of one can make two names of an object the same: a body in which names
    /// were edited is read once more before it is sent.
    #[must_use]
    pub fn is_key(&self, part: PartId) -> bool {
        self.slot(part).is_some_and(|slot| {
            let layer = self.layers.get(slot.layer as usize);
            layer.is_some_and(|layer| layer.document.sort(slot.node) == Sort::Key)
        })
    }

    /// What could not be read.
    #[must_use]
    pub fn uninspectable(&self) -> &[Uninspectable] {
        &self.uninspectable
    }

    /// Whether the client asked for more trust in a text than its place gives (`"origin": "trusted"`).
    #[must_use]
    pub fn asks_for_trust(&self) -> bool {
        self.raised
    }

    /// The path of a part, as `messages[0].content`; inside JSON in a string, the inner path follows a `/`.
    #[must_use]
    pub fn path(&self, part: PartId) -> String {
        let Some(slot) = self.slot(part) else {
            return String::new();
        };
        let mut path = String::new();
        let (mut layer, mut node) = (slot.layer as usize, slot.node);
        while let Some(at) = self.layers.get(layer) {
            let here = at.document.path(node);
            path = if path.is_empty() {
                here
            } else {
                format!("{here}/{path}")
            };
            match at.outer {
                Some(outer) => (layer, node) = outer,
                None => break,
            }
        }
        path
    }

    /// The edit that puts `replacement` in the place of `span` of a part's text.
    ///
    /// A number is replaced whole, by a string. A key gets the part's number behind the replacement, so that two keys that
    /// are replaced do not become one.
    #[must_use]
    pub fn edit(&self, part: PartId, span: Span, replacement: &str) -> Edit {
        let Some(slot) = self.slot(part) else {
            return Edit {
                range: 0..0,
                text: String::new(),
            };
        };
        let (mut layer, mut node) = (slot.layer as usize, slot.node);
        let mut text = String::new();
        let mut range: Range<usize> = 0..0;
        if let Some(at) = self.layers.get(layer) {
            match at.document.sort(node) {
                Sort::Number => {
                    range = at.document.range(node);
                    text = crate::json::quoted(replacement);
                }
                Sort::Key => {
                    range = at.document.wire_range(node, span.start..span.end);
                    escape_into(&mut text, replacement);
                    if !replacement.is_empty() {
                        text.push_str(&format!("#{}", part.0));
                    }
                }
                _ => {
                    range = at.document.wire_range(node, span.start..span.end);
                    escape_into(&mut text, replacement);
                }
            }
        }
        while let Some((outer_layer, outer_node)) = self.layers.get(layer).and_then(|at| at.outer) {
            let Some(outer) = self.layers.get(outer_layer) else {
                break;
            };
            range = outer.document.wire_range(outer_node, range);
            let mut escaped = String::with_capacity(text.len() + 4);
            escape_into(&mut escaped, &text);
            text = escaped;
            (layer, node) = (outer_layer, outer_node);
        }
        let _ = node;
        Edit { range, text }
    }

    /// The edit that puts `null` in the place of a part, for one that is a string of the body itself.
    #[must_use]
    pub fn nulled(&self, part: PartId) -> Option<Edit> {
        let slot = self.slot(part).filter(|slot| slot.layer == 0)?;
        let document = self.document();
        (document.sort(slot.node) == Sort::String).then(|| Edit {
            range: document.range(slot.node),
            text: "null".to_owned(),
        })
    }

    /// The edits that take the gateway's own members (`"portcullis": …`) out of the body.
    pub fn strip_extensions(&self) -> impl Iterator<Item = Edit> + '_ {
        let document = self.document();
        self.extensions
            .iter()
            .filter_map(|object| document.removal(*object, EXTENSION))
            .map(|range| Edit {
                range,
                text: String::new(),
            })
    }

    /// See [`extension::check`].
    ///
    /// # Errors
    /// [`Malformed::Shape`] with a message for the client.
    pub fn check_extensions(&self) -> Result<(), Malformed> {
        self.extensions
            .iter()
            .try_for_each(|object| extension::check(self.document(), *object))
    }

    fn slot(&self, part: PartId) -> Option<&Slot> {
        self.slots.get(part.0 as usize)
    }

    fn slot_text(&self, slot: &Slot) -> &str {
        self.layers
            .get(slot.layer as usize)
            .map_or("", |layer| layer.document.text(slot.node))
    }
}

struct Walk {
    slots: Vec<Slot>,
    opaque: Vec<Uninspectable>,
    nested: Vec<(Slot, Document)>,
    extensions: Vec<NodeId>,
    raised: bool,
}

impl Walk {
    fn visit<'a>(
        &mut self,
        document: &'a Document,
        node: NodeId,
        label: &impl Fn(&Place<'_>) -> Label,
        path: &mut Vec<Seg<'a>>,
        nodes: &mut Vec<NodeId>,
        origin: Option<Origin>,
    ) {
        nodes.push(node);
        match document.sort(node) {
            Sort::Object => {
                let spoken = spoken(document, node, label, path, nodes);
                let origin = spoken
                    .and_then(|said| self.extension(document, node, said))
                    .or(origin);
                for (key, value) in document.members(node) {
                    let name = document.text(key);
                    path.push(Seg::Key(name));
                    if !is_plain_field(name) {
                        let said = label(&Place {
                            path,
                            document,
                            nodes: &*nodes,
                        });
                        self.push(
                            document,
                            key,
                            Label {
                                content: Content::Text,
                                lane: None,
                                delta: false,
                                prose: Prose::Fixed,
                                ..said
                            },
                            origin,
                        );
                    }
                    if spoken == Some(value) {
                        self.whole(document, value, Channel::Metadata);
                    } else {
                        self.visit(document, value, label, path, nodes, origin);
                    }
                    path.pop();
                }
            }
            Sort::Array => {
                for (index, item) in document.items(node).enumerate() {
                    path.push(Seg::Index(index));
                    if index == 0 && document.sort(item) == Sort::Number {
                        nodes.push(item);
                        let said = label(&Place {
                            path,
                            document,
                            nodes: &*nodes,
                        });
                        nodes.pop();
                        if let Content::Opaque(kind) = said.content {
                            let list = path.split_last().map_or(&[] as &[_], |(_, list)| list);
                            self.blind(document, node, kind, list);
                        }
                    }
                    self.visit(document, item, label, path, nodes, origin);
                    path.pop();
                }
            }
            Sort::String => {
                let said = label(&Place {
                    path,
                    document,
                    nodes: &*nodes,
                });
                if let Content::Opaque(kind) = said.content
                    && !document.text(node).is_empty()
                {
                    self.blind(document, node, kind, path);
                }
                self.push(document, node, said, origin);
            }
            Sort::Number if holds_long_integer(document.text(node)) => {
                let said = label(&Place {
                    path,
                    document,
                    nodes: &*nodes,
                });
                self.push(
                    document,
                    node,
                    Label {
                        content: Content::Text,
                        lane: None,
                        delta: false,
                        prose: Prose::Fixed,
                        ..said
                    },
                    origin,
                );
            }
            Sort::Number | Sort::Key | Sort::Bool | Sort::Null => {}
        }
        nodes.pop();
    }

    /// Reads what a client says of an object's trust, and remembers that it must be taken out.
    fn extension(&mut self, document: &Document, object: NodeId, said: NodeId) -> Option<Origin> {
        self.extensions.push(object);
        match document.member(said, "origin").map(|node| document.text(node)) {
            Some("untrusted") => Some(Origin::Document),
            Some("trusted") => {
                self.raised = true;
                None
            }
            _ => None,
        }
    }

    /// Everything inside a value, as texts of one channel.
    fn whole(&mut self, document: &Document, value: NodeId, channel: Channel) {
        self.visit(
            document,
            value,
            &|_: &Place<'_>| Label::text(channel),
            &mut Vec::new(),
            &mut Vec::new(),
            None,
        );
    }

    /// Lists what cannot be read. The path is made of the steps at hand: to search for it would walk a long list once for each item.
    fn blind(&mut self, document: &Document, node: NodeId, kind: UninspectableKind, path: &[Seg<'_>]) {
        self.opaque.push(Uninspectable {
            kind,
            path: path_of(path),
            bytes: document.range(node).len(),
        });
    }

    fn push(&mut self, document: &Document, node: NodeId, said: Label, origin: Option<Origin>) {
        let slot = Slot {
            layer: 0,
            node,
            channel: said.channel,
            origin: origin.unwrap_or(said.channel.origin()),
            lane: said.lane,
            delta: said.delta,
            prose: said.prose,
        };
        match said.content {
            Content::Text => self.slots.push(slot),
            Content::Opaque(_) => {
                if !is_packed(document.text(node)) {
                    self.slots.push(slot);
                }
            }
            Content::Json if said.delta => self.slots.push(slot),
            Content::Json => match Document::read(Bytes::copy_from_slice(document.text(node).as_bytes())) {
                Ok(inner) if matches!(inner.sort(inner.root()), Sort::Object | Sort::Array) => {
                    self.nested.push((slot, inner))
                }
                _ => self.slots.push(slot),
            },
        }
    }
}

/// The member of an object by which the client speaks to the gateway. Data of a tool may have one of that name: it is none of the
/// gateway's, and whoever wrote it is not the client.
fn spoken<'a>(
    document: &'a Document,
    object: NodeId,
    label: &impl Fn(&Place<'_>) -> Label,
    path: &mut Vec<Seg<'a>>,
    nodes: &[NodeId],
) -> Option<NodeId> {
    let said = document.member(object, EXTENSION)?;
    path.push(Seg::Key(EXTENSION));
    let place = Place {
        path,
        document,
        nodes,
    };
    let is_data = label(&place).channel != Channel::Unknown;
    path.pop();
    (!is_data).then_some(said)
}

/// Puts the texts of JSON that stood in a string onto the surface, on the channel of that string.
fn read_nested(layers: &mut Vec<Layer>, slots: &mut Vec<Slot>, outer: Slot, inner: Document) {
    let mut walk = Walk {
        slots: Vec::new(),
        opaque: Vec::new(),
        nested: Vec::new(),
        extensions: Vec::new(),
        raised: false,
    };
    // Inside arguments the gateway's own member has no meaning: it is text like any other.
    walk.inner(&inner, inner.root(), outer);
    let number = u32::try_from(layers.len()).unwrap_or(u32::MAX);
    slots.extend(walk.slots.into_iter().map(|slot| Slot {
        layer: number,
        ..slot
    }));
    layers.push(Layer {
        document: inner,
        outer: Some((0, outer.node)),
    });
}

impl Walk {
    fn inner(&mut self, document: &Document, node: NodeId, outer: Slot) {
        match document.sort(node) {
            Sort::Object => {
                for (key, value) in document.members(node) {
                    if !is_plain_field(document.text(key)) {
                        self.slots.push(Slot {
                            node: key,
                            lane: None,
                            ..outer
                        });
                    }
                    self.inner(document, value, outer);
                }
            }
            Sort::Array => {
                for item in document.items(node) {
                    self.inner(document, item, outer);
                }
            }
            Sort::String => self.slots.push(Slot {
                node,
                lane: None,
                ..outer
            }),
            Sort::Number if holds_long_integer(document.text(node)) => self.slots.push(Slot {
                node,
                lane: None,
                ..outer
            }),
            Sort::Number | Sort::Key | Sort::Bool | Sort::Null => {}
        }
    }
}

/// A key that is an ordinary field name cannot hold anything a detector looks for: letters and underscores in lower or
/// camel case, at most 32. Every other key is on the surface.
fn is_plain_field(name: &str) -> bool {
    let mut after_lower = false;
    name.len() <= 32
        && name.bytes().all(|byte| {
            let fits =
                byte.is_ascii_lowercase() || byte == b'_' || (byte.is_ascii_uppercase() && after_lower);
            after_lower = byte.is_ascii_lowercase();
            fits
        })
}

/// Numbers with nine or more digits before the point can be account, card or identity numbers. Fractions are not read as
/// such: among embeddings, digits that pass a checksum by chance would be found all the time.
fn holds_long_integer(number: &str) -> bool {
    number
        .bytes()
        .skip_while(|byte| *byte == b'-')
        .take_while(u8::is_ascii_digit)
        .count()
        >= 9
}

/// Whether a text at a place for packed bytes is that: base64 of some length, bare or in a `data:` address.
fn is_packed(text: &str) -> bool {
    let packed = match text
        .strip_prefix("data:")
        .and_then(|rest| rest.split_once(";base64,"))
    {
        Some((kind, packed)) => {
            let plain = kind.len() <= 64
                && kind
                    .bytes()
                    .all(|b| b.is_ascii_lowercase() || b"/+.-;=".contains(&b) || b.is_ascii_digit());
            if !plain {
                return false;
            }
            packed
        }
        None => text,
    };
    packed.len() >= 24
        && packed.bytes().all(|b| {
            b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'=' | b'_' | b'-' | b'\n' | b'\r')
        })
}
