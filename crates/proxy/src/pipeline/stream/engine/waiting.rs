//! A stream that is held while a person decides about a call: what comes meanwhile waits in its order, and nothing leaves.

use std::collections::VecDeque;

use bytes::Bytes;
use portcullis_dialect::{Ends, Frame};

use super::{Engine, Stop};
use crate::calls::{Answers, Awaited};
use crate::record::Record;

impl Engine {
    /// Whether a person is waited for.
    pub fn waits(&self) -> bool {
        self.acts.waits()
    }

    /// What is to be waited for, once.
    pub fn await_persons(&mut self) -> Option<Awaited> {
        self.acts.await_persons()
    }

    /// Goes on with what persons said.
    pub fn resume(
        &mut self,
        answers: Answers,
        record: &mut Record,
        out: &mut VecDeque<Bytes>,
    ) -> Result<(), Stop> {
        self.acts.answered(answers, record)?;
        self.release(None, out);
        while !self.waits() {
            let Some(frame) = self.deferred.pop_front() else {
                break;
            };
            self.take(frame, record, out)?;
        }
        match self.is_over {
            true => self.conclude(record, out),
            false => Ok(()),
        }
    }

    /// Takes an event, or keeps it until it is its turn.
    pub(super) fn take_in_turn(
        &mut self,
        frame: Frame,
        record: &mut Record,
        out: &mut VecDeque<Bytes>,
    ) -> Result<(), Stop> {
        if self.waits() {
            self.deferred.push_back(frame);
            return Ok(());
        }
        self.take(frame, record, out)
    }

    /// Decides what is left at the end, once nobody is waited for.
    pub(super) fn conclude(&mut self, record: &mut Record, out: &mut VecDeque<Bytes>) -> Result<(), Stop> {
        if self.waits() {
            return Ok(());
        }
        self.close(Ends::All, record, "the end of the stream")?;
        if self.waits() {
            return Ok(());
        }
        self.release(None, out);
        self.watch.finish(&self.guard, record)
    }
}
