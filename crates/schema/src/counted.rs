//! JSON values that count how often they are looked at. The work of a check is bounded whatever the schema says: an engine that has
//! no bound of its own is stopped from inside.
//!
//! It interprets no schema.

use std::borrow::Cow;
use std::cell::Cell;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use jsonschema::JsonType;
use jsonschema::json::{Array, Json, Node, NodeIdentity, Object, SerdeJson};
use serde_json::{Map, Number, Value};

thread_local! {
    static LEFT: Cell<u64> = const { Cell::new(u64::MAX) };
}

/// What unwinds where the work is used up. It is no panic: no hook is run, nothing is printed.
struct UsedUp;

/// Runs `work` with that many looks at values; `None` where they do not suffice.
pub fn within<T>(looks: u64, work: impl FnOnce() -> T) -> Option<T> {
    let before = LEFT.replace(looks);
    let done = catch_unwind(AssertUnwindSafe(work));
    LEFT.set(before);
    // A fault of the engine is none of the reply's, and no way past the check either.
    done.ok()
}

fn spend(looks: usize) {
    let left = LEFT.get();
    match left.checked_sub(looks as u64) {
        Some(left) => LEFT.set(left),
        None => resume_unwind(Box::new(UsedUp)),
    }
}

/// `serde_json`'s values, counted.
pub struct Counted;

impl Json for Counted {
    type Node<'a> = &'a Value;
    type PreparedKey = String;
    type StringBuffer = ();

    const KEYS_PER_LOOKUP: usize = SerdeJson::KEYS_PER_LOOKUP;
    const ACYCLIC: bool = true;

    fn prepare_key(key: &str) -> String {
        key.to_owned()
    }

    fn with_string_node<T>((): &mut (), string: &str, f: impl FnOnce(&Value) -> T) -> T {
        spend(string.len());
        f(&Value::String(string.to_owned()))
    }
}

type Own = SerdeJson;

impl<'a> Node<'a, Counted> for &'a Value {
    type Object = &'a Map<String, Value>;
    type Array = &'a [Value];
    type Number = &'a Number;

    fn as_object(&self) -> Option<&'a Map<String, Value>> {
        spend(1);
        Node::<Own>::as_object(self)
    }

    fn as_array(&self) -> Option<&'a [Value]> {
        spend(1);
        Node::<Own>::as_array(self)
    }

    /// Patterns and formats ask for the text itself: they cost more the longer it is.
    fn as_string(&self) -> Option<Cow<'a, str>> {
        let text = Node::<Own>::as_string(self);
        spend(
            text.as_ref()
                .map_or(1, |text| text.len().saturating_mul(LOOKS_A_BYTE).max(1)),
        );
        text
    }

    fn as_number(&self) -> Option<&'a Number> {
        spend(1);
        Node::<Own>::as_number(self)
    }

    fn as_boolean(&self) -> Option<bool> {
        spend(1);
        Node::<Own>::as_boolean(self)
    }

    fn is_null(&self) -> bool {
        spend(1);
        Node::<Own>::is_null(self)
    }

    fn json_type(&self) -> JsonType {
        spend(1);
        Node::<Own>::json_type(self)
    }

    fn string_length(&self) -> Option<u64> {
        spend(text_looks(self));
        Node::<Own>::string_length(self)
    }

    fn string_length_within(&self, min: u64, max: u64) -> Option<bool> {
        spend(text_looks(self));
        Node::<Own>::string_length_within(self, min, max)
    }

    fn equals_value(&self, expected: &Value) -> bool {
        spend(size(expected));
        Node::<Own>::equals_value(self, expected)
    }

    fn to_value(&self) -> Cow<'a, Value> {
        spend(1);
        Node::<Own>::to_value(self)
    }

    fn identity(&self) -> Option<NodeIdentity> {
        Node::<Own>::identity(self)
    }
}

impl<'a> Object<'a, Counted> for &'a Map<String, Value> {
    type Node = &'a Value;
    type MemberName = &'a str;
    type MembersIter = Members<'a>;

    fn len(&self) -> usize {
        Map::len(self)
    }

    fn get(&self, key: &String) -> Option<&'a Value> {
        spend(1);
        Object::<Own>::get(self, key)
    }

    fn members(&self) -> Members<'a> {
        Members(Map::iter(self))
    }

    fn try_for_each_name_node<B>(
        &self,
        buffer: &mut (),
        mut f: impl FnMut(&Value) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        for name in self.keys() {
            if let ControlFlow::Break(value) = Counted::with_string_node(buffer, name, &mut f) {
                return ControlFlow::Break(value);
            }
        }
        ControlFlow::Continue(())
    }
}

/// Members of an object, each a look; their names are matched by patterns.
pub struct Members<'a>(serde_json::map::Iter<'a>);

impl<'a> Iterator for Members<'a> {
    type Item = (&'a str, &'a Value);

    fn next(&mut self) -> Option<Self::Item> {
        let (key, value) = self.0.next()?;
        spend(key.len().max(1));
        Some((key.as_str(), value))
    }
}

impl<'a> Array<'a, Counted> for &'a [Value] {
    type Node = &'a Value;
    type ElementsIter = Elements<'a>;

    fn len(&self) -> usize {
        <[Value]>::len(self)
    }

    fn elements(&self) -> Elements<'a> {
        Elements(self.iter())
    }

    fn is_unique(&self) -> bool {
        spend(self.iter().map(size).fold(0, usize::saturating_add));
        Array::<Own>::is_unique(self)
    }
}

/// Items of an array, each a look.
pub struct Elements<'a>(std::slice::Iter<'a, Value>);

impl<'a> Iterator for Elements<'a> {
    type Item = &'a Value;

    fn next(&mut self) -> Option<&'a Value> {
        let value = self.0.next()?;
        spend(1);
        Some(value)
    }
}

/// What a byte costs that a pattern reads.
const LOOKS_A_BYTE: usize = 4;

fn text_looks(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len().div_ceil(32).max(1),
        _ => 1,
    }
}

/// How many values a value holds, itself included; of a text, its length in pieces.
pub fn size(value: &Value) -> usize {
    match value {
        Value::Array(items) => items.iter().map(size).fold(1, usize::saturating_add),
        Value::Object(members) => members.values().map(size).fold(1, usize::saturating_add),
        value => text_looks(value),
    }
}
