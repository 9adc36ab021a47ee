//! What a schema may hold, looked at before any engine sees it: how large and how deep it is, what it refers to, how often.
//!
//! It walks a schema along its keywords, so a member of a value that is called `$ref` is no reference.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::Wrong;

/// Bytes of a schema's text.
pub const MAX_BYTES: usize = 256 * 1024;
/// Values inside of values in a schema.
pub const MAX_DEPTH: usize = 64;
/// Values in a schema.
pub const MAX_NODES: usize = 16 * 1024;
/// Different patterns in a schema.
pub const MAX_PATTERNS: usize = 64;
/// References of a schema that follow each other.
pub const MAX_REFERENCES: usize = 64;
/// References that follow each other without going into the value.
const MAX_IN_PLACE: usize = 16;

/// How a keyword holds schemas.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Holds {
    One,
    List,
    /// By name.
    Map,
    /// By name, or lists of names.
    MapOrNames,
    /// One, or a list of them.
    OneOrList,
}

/// Keywords that hold schemas, and whether these are held against the same value or against something in it.
const KEYWORDS: &[(&str, Holds, bool)] = &[
    ("$defs", Holds::Map, false),
    ("definitions", Holds::Map, false),
    ("properties", Holds::Map, false),
    ("patternProperties", Holds::Map, false),
    ("additionalProperties", Holds::One, false),
    ("propertyNames", Holds::One, false),
    ("unevaluatedProperties", Holds::One, false),
    ("items", Holds::OneOrList, false),
    ("prefixItems", Holds::List, false),
    ("additionalItems", Holds::One, false),
    ("unevaluatedItems", Holds::One, false),
    ("contains", Holds::One, false),
    ("contentSchema", Holds::One, false),
    ("allOf", Holds::List, true),
    ("anyOf", Holds::List, true),
    ("oneOf", Holds::List, true),
    ("not", Holds::One, true),
    ("if", Holds::One, true),
    ("then", Holds::One, true),
    ("else", Holds::One, true),
    ("dependentSchemas", Holds::Map, true),
    ("dependencies", Holds::MapOrNames, true),
];

/// Keywords that lead elsewhere than their text says, and are not taken.
const NOT_TAKEN: &[&str] = &[
    "$dynamicRef",
    "$dynamicAnchor",
    "$recursiveRef",
    "$recursiveAnchor",
];

/// Checks the bounds and tells the names of members that the schema says.
pub fn check(schema: &Value) -> Result<BTreeSet<String>, Vec<Wrong>> {
    let nodes = measure(schema, 0).ok_or_else(|| {
        vec![Wrong::new(
            "",
            format!("is nested deeper than {MAX_DEPTH} levels"),
        )]
    })?;
    if nodes > MAX_NODES {
        return Err(vec![Wrong::new(
            "",
            format!("holds more than {MAX_NODES} values"),
        )]);
    }
    let mut walk = Walk::new(schema);
    walk.reach("");
    while let Some(pointer) = walk.open.pop() {
        walk.visit(&pointer);
    }
    if walk.patterns.len() > MAX_PATTERNS {
        walk.wrong
            .push(Wrong::new("", format!("holds more than {MAX_PATTERNS} patterns")));
    }
    if walk.wrong.is_empty() {
        walk.chains();
    }
    walk.wrong.sort();
    if walk.wrong.is_empty() {
        Ok(walk.names)
    } else {
        Err(walk.wrong)
    }
}

/// Every pattern with the pointer to it.
pub fn patterns(schema: &Value) -> Vec<(String, String)> {
    let mut walk = Walk::new(schema);
    walk.reach("");
    while let Some(pointer) = walk.open.pop() {
        walk.visit(&pointer);
    }
    let all = walk.patterns.into_iter();
    all.map(|(pattern, pointer)| (pointer, pattern)).collect()
}

/// How many values there are; `None` where they are too deep.
fn measure(value: &Value, depth: usize) -> Option<usize> {
    if depth > MAX_DEPTH {
        return None;
    }
    let sum = |mut values: &mut dyn Iterator<Item = &Value>| {
        (&mut values).try_fold(1usize, |sum, value| {
            Some(sum.saturating_add(measure(value, depth.saturating_add(1))?))
        })
    };
    match value {
        Value::Array(items) => sum(&mut items.iter()),
        Value::Object(members) => sum(&mut members.values()),
        _ => Some(1),
    }
}

/// Schemas by their pointers, and what leads from one to another.
struct Walk<'s> {
    root: &'s Value,
    open: Vec<String>,
    /// Every schema that was reached, with those it leads to and whether that is against the same value.
    edges: BTreeMap<String, Vec<(String, Edge)>>,
    names: BTreeSet<String>,
    patterns: BTreeMap<String, String>,
    wrong: Vec<Wrong>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
struct Edge {
    in_place: bool,
    reference: bool,
}

impl<'s> Walk<'s> {
    fn new(root: &'s Value) -> Walk<'s> {
        Walk {
            root,
            open: Vec::new(),
            edges: BTreeMap::new(),
            names: BTreeSet::new(),
            patterns: BTreeMap::new(),
            wrong: Vec::new(),
        }
    }

    fn reach(&mut self, pointer: &str) {
        if !self.edges.contains_key(pointer) {
            self.edges.insert(pointer.to_owned(), Vec::new());
            self.open.push(pointer.to_owned());
        }
    }

    fn lead(&mut self, from: &str, to: String, in_place: bool, reference: bool) {
        self.reach(&to);
        if let Some(edges) = self.edges.get_mut(from) {
            edges.push((to, Edge { in_place, reference }));
        }
    }

    fn visit(&mut self, pointer: &str) {
        let Some(Value::Object(schema)) = self.root.pointer(pointer) else {
            return;
        };
        for keyword in NOT_TAKEN {
            if schema.contains_key(*keyword) {
                let what = format!("`{keyword}` is not taken: name the place with `$ref`");
                self.wrong.push(Wrong::new(format!("{pointer}/{keyword}"), what));
            }
        }
        for id in ["$id", "id"] {
            let is_id = schema.get(id).is_some_and(Value::is_string);
            if is_id && !pointer.is_empty() {
                let what = format!("`{id}` is taken at the root of a schema only");
                self.wrong.push(Wrong::new(format!("{pointer}/{id}"), what));
            }
        }
        if let Some(reference) = schema.get("$ref") {
            self.refer(pointer, reference);
        }
        if let Some(pattern) = schema.get("pattern").and_then(Value::as_str) {
            self.patterns
                .insert(pattern.to_owned(), format!("{pointer}/pattern"));
        }
        for (keyword, holds, in_place) in KEYWORDS {
            if let Some(held) = schema.get(*keyword) {
                self.hold(pointer, keyword, *holds, *in_place, held);
            }
        }
    }

    fn refer(&mut self, pointer: &str, reference: &Value) {
        let place = format!("{pointer}/$ref");
        let Some(reference) = reference.as_str() else {
            return;
        };
        let target = match reference.strip_prefix('#') {
            Some(target) if target.is_empty() || target.starts_with('/') => unescaped(target),
            Some(_) => None,
            None => {
                let what =
                    format!("`{reference}` stands elsewhere: nothing is fetched, so refer to `#/$defs/…`");
                return self.wrong.push(Wrong::new(place, what));
            }
        };
        match target.filter(|target| self.root.pointer(target).is_some()) {
            Some(target) => self.lead(pointer, target, true, true),
            None => self
                .wrong
                .push(Wrong::new(place, format!("`{reference}` leads nowhere"))),
        }
    }

    fn hold(&mut self, pointer: &str, keyword: &str, holds: Holds, in_place: bool, held: &Value) {
        let base = format!("{pointer}/{keyword}");
        match (holds, held) {
            (Holds::Map | Holds::MapOrNames, Value::Object(members)) => {
                for (name, inner) in members {
                    match keyword {
                        "properties" => {
                            self.names.insert(name.clone());
                        }
                        "patternProperties" => {
                            self.patterns.insert(name.clone(), base.clone());
                        }
                        _ => {}
                    }
                    if inner.is_object() || inner.is_boolean() {
                        self.lead(pointer, format!("{base}/{}", escaped(name)), in_place, false);
                    }
                }
            }
            (Holds::List | Holds::OneOrList, Value::Array(items)) => {
                for number in 0..items.len() {
                    self.lead(pointer, format!("{base}/{number}"), in_place, false);
                }
            }
            (Holds::One | Holds::OneOrList, Value::Object(_)) => self.lead(pointer, base, in_place, false),
            _ => {}
        }
    }

    /// Chains of references: a cycle that never goes into the value has no end, and each link costs stack.
    fn chains(&mut self) {
        for (in_place, most) in [(true, MAX_IN_PLACE), (false, MAX_REFERENCES)] {
            let mut lengths: BTreeMap<&str, Option<usize>> = BTreeMap::new();
            let starts: Vec<&str> = self.edges.keys().map(String::as_str).collect();
            let mut longest = 0;
            for start in starts {
                match longest_from(&self.edges, start, in_place, &mut lengths) {
                    Some(length) => longest = longest.max(length),
                    None => {
                        let what = "refers to itself without going into the value";
                        return self.wrong.push(Wrong::new(start, what));
                    }
                }
            }
            if longest > most {
                let what = match in_place {
                    true => format!("more than {most} references follow each other"),
                    false => format!("more than {most} references lead from one to the next"),
                };
                return self.wrong.push(Wrong::new("", what));
            }
        }
    }
}

/// The most references that follow each other from a schema on: of those in place, or of all but what was met before on the way.
/// `None` is a cycle in place.
fn longest_from<'e>(
    edges: &'e BTreeMap<String, Vec<(String, Edge)>>,
    start: &'e str,
    in_place: bool,
    known: &mut BTreeMap<&'e str, Option<usize>>,
) -> Option<usize> {
    /// A schema on the way, and how many of its edges were gone.
    struct Step<'e> {
        at: &'e str,
        gone: usize,
        longest: usize,
    }
    if let Some(Some(length)) = known.get(start) {
        return Some(*length);
    }
    known.insert(start, None);
    let mut way = vec![Step {
        at: start,
        gone: 0,
        longest: 0,
    }];
    let mut last = 0;
    while let Some(step) = way.last_mut() {
        let next = edges.get(step.at).and_then(|edges| edges.get(step.gone));
        let Some((to, edge)) = next else {
            last = step.longest;
            known.insert(step.at, Some(last));
            way.pop();
            if let Some(outer) = way.last_mut() {
                let by = edges.get(outer.at).and_then(|edges| edges.get(outer.gone));
                let counts = usize::from(by.is_some_and(|(_, edge)| edge.reference));
                outer.longest = outer.longest.max(last.saturating_add(counts));
                outer.gone = outer.gone.saturating_add(1);
            }
            continue;
        };
        if in_place && !edge.in_place {
            step.gone = step.gone.saturating_add(1);
            continue;
        }
        match known.get(to.as_str()) {
            Some(Some(length)) => {
                step.longest = step
                    .longest
                    .max(length.saturating_add(usize::from(edge.reference)));
                step.gone = step.gone.saturating_add(1);
            }
            // On the way already: a schema that refers to itself is made once.
            Some(None) if in_place => return None,
            Some(None) => step.gone = step.gone.saturating_add(1),
            None => {
                known.insert(to, None);
                way.push(Step {
                    at: to,
                    gone: 0,
                    longest: 0,
                });
            }
        }
    }
    Some(last)
}

fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

/// A pointer as it stands in a fragment: with percent signs for what an address may not hold.
fn unescaped(fragment: &str) -> Option<String> {
    if !fragment.contains('%') {
        return Some(fragment.to_owned());
    }
    let mut bytes = Vec::with_capacity(fragment.len());
    let mut rest = fragment.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || char::from(rest.next()?).to_digit(16);
        let (high, low) = (digit()?, digit()?);
        bytes.push(u8::try_from(high.saturating_mul(16).saturating_add(low)).ok()?);
    }
    String::from_utf8(bytes).ok()
}
