//! Shapes that begin alike, read together: most of what begins like a match of one of them goes on like none.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use crate::{machine::Machine, shape::Shape};

/// So far is looked; what could match yet is left to the shapes.
const FAR: usize = 48;
/// One automaton of several patterns can have far more rows than they have one by one, and hostile texts would have them all
/// made: where there is no room, the shapes are asked one by one.
const MAX_ROWS: usize = 1 << 9;
/// So many shapes have a bit each.
pub(crate) const MOST: usize = 64;

/// Some shapes as one automaton.
pub(crate) struct Joint(Option<Machine>);

impl Joint {
    fn of<'a>(shapes: impl Iterator<Item = &'a Shape>) -> Joint {
        let patterns: Vec<&str> = shapes.map(Shape::pattern).collect();
        Joint(Machine::of(&patterns, MAX_ROWS).ok())
    }

    /// A bit for each shape of which a match may begin where `bytes` begin.
    pub(crate) fn possible(&self, bytes: &[u8]) -> u64 {
        let matching = self.0.as_ref().and_then(|machine| machine.matching(bytes, FAR));
        matching.unwrap_or(u64::MAX)
    }
}

/// All shapes, and the automata of those that begin alike. They are made where a text needs them, once for all plans.
pub(crate) struct Shapes {
    all: Vec<Shape>,
    joints: Mutex<HashMap<Box<[usize]>, Arc<Joint>>>,
}

impl Shapes {
    pub(crate) fn new(all: Vec<Shape>) -> Shapes {
        Shapes {
            all,
            joints: Mutex::default(),
        }
    }

    /// The shape of that number.
    pub(crate) fn get(&self, number: usize) -> Option<&Shape> {
        self.all.get(number)
    }

    /// Every shape, in the order of their numbers.
    pub(crate) fn all(&self) -> &[Shape] {
        &self.all
    }

    /// These shapes as one automaton, with their bits in this order.
    pub(crate) fn joint(&self, numbers: &[usize]) -> Arc<Joint> {
        let mut joints = self.joints.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = joints.get(numbers) {
            return Arc::clone(known);
        }
        let joint = Arc::new(Joint::of(numbers.iter().filter_map(|number| self.get(*number))));
        joints.insert(numbers.into(), Arc::clone(&joint));
        joint
    }
}
