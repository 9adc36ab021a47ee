//! Lanes: a delta never comes for a lane that was said to have ended, every lane has ended when the stream has, and only
//! events that are one delta may be sent in halves.

use std::collections::BTreeSet;

use portcullis_dialect::{Body, Document, Exchange, Reading, lanes};

use crate::cases;

#[test]
fn lanes_end_once_and_in_time() {
    for case in cases::all() {
        check(&case.name, case.exchange, case.events());
    }
}

/// Whether the lanes of a stream end once and in time.
pub fn check(name: &str, exchange: &dyn Exchange, events: Vec<Document>) {
    let (mut open, mut ended) = (BTreeSet::new(), BTreeSet::new());
    for (number, event) in events.into_iter().enumerate() {
        let ends = exchange.ends(&event);
        let reading = Reading::of(event, |place| exchange.label(Body::Event, place));
        for part in reading.parts().filter(|part| reading.is_delta(part.id)) {
            let lane = part.lane.expect("a delta has a lane");
            assert!(
                !ended.contains(&lane),
                "{name}: event {number} continues a lane that has ended: {}",
                reading.path(part.id)
            );
            open.insert(lane);
        }
        ended.extend(open.iter().copied().filter(|lane| ends.covers(*lane)));
        open.retain(|lane| !ends.covers(*lane));
    }
    let left: Vec<_> = open
        .iter()
        .map(|lane| (lanes::group(*lane), lanes::item(*lane), lanes::sort(*lane)))
        .collect();
    assert!(left.is_empty(), "{name}: lanes that never end: {left:?}");
}

#[test]
fn what_may_be_split_is_one_delta_of_text() {
    let mut splittable = 0usize;
    for case in cases::all() {
        for event in case.events() {
            if !case.exchange.splittable(&event) {
                continue;
            }
            splittable += 1;
            // An event may tell the usage so far: told twice, it is the same.
            let reading = Reading::of(event, |place| case.exchange.label(Body::Event, place));
            let deltas: Vec<_> = reading.parts().filter(|part| reading.is_delta(part.id)).collect();
            let [delta] = deltas.as_slice() else {
                panic!(
                    "{}: an event with {} deltas may be split",
                    case.name,
                    deltas.len()
                );
            };
            let sort = lanes::sort(delta.lane.unwrap());
            assert_ne!(sort, lanes::ARGUMENTS, "{}: arguments may be split", case.name);
        }
    }
    assert!(splittable > 0, "no recorded event may be split");
}
