//! What the gateway says in place of a reply: readable by the same dialect, with the safe text in it, and with nothing of the
//! reply that it replaces.

use bytes::Bytes;
use portcullis_core::Channel;
use portcullis_dialect::{Body, Cut, Document, Progress, Reading};

use crate::cases;

const CUT: Cut<'_> = Cut {
    request_id: "req_00000000000000000000000000",
    text: "This reply was \"withheld\".\nPlease ask otherwise.",
};

#[test]
fn a_withheld_reply_is_readable_and_says_so() {
    for case in cases::all() {
        let Some(reply) = &case.reply else { continue };
        let reply = Document::read(reply.clone()).unwrap();
        let withheld = case.exchange.withheld(&reply, &CUT);
        let document = Document::read(Bytes::from(withheld.clone()))
            .unwrap_or_else(|error| panic!("{}: {error}: {withheld}", case.name));
        let reading = Reading::of(document.clone(), |place| case.exchange.label(Body::Reply, place));
        assert!(
            reading.parts().all(|part| part.channel != Channel::Unknown),
            "{}: {withheld}",
            case.name
        );
        assert!(
            reading.parts().any(|part| part.text == CUT.text),
            "{}: the text is missing: {withheld}",
            case.name
        );
        assert_eq!(
            case.exchange.usage(&document),
            case.exchange.usage(&reply),
            "{}: usage is lost",
            case.name
        );
        let texts = Reading::of(reply, |place| case.exchange.label(Body::Reply, place));
        for part in texts.parts() {
            if !matches!(part.channel, Channel::Identifier) && part.text.len() > 12 {
                assert!(
                    !withheld.contains(part.text),
                    "{}: {:?} is still there",
                    case.name,
                    part.text
                );
            }
        }
    }
}

#[test]
fn a_shortened_reply_is_readable_and_says_no_more_than_it_may() {
    for case in cases::all() {
        let Some(reply) = &case.reply else { continue };
        let reply = Document::read(reply.clone()).unwrap();
        let Some(short) = case.exchange.shortened(&reply, &CUT) else {
            continue;
        };
        let document = Document::read(Bytes::from(short.clone())).unwrap();
        let reading = Reading::of(document.clone(), |place| case.exchange.label(Body::Reply, place));
        let said: Vec<&str> = reading
            .parts()
            .filter(|part| !matches!(part.channel, Channel::Identifier | Channel::ToolDefinition))
            .map(|part| part.text)
            .collect();
        assert_eq!(said, [CUT.text], "{}: {short}", case.name);
        assert_eq!(
            case.exchange.usage(&document),
            case.exchange.usage(&reply),
            "{}",
            case.name
        );
    }
}

#[test]
fn a_stream_can_stop_after_every_event() {
    for case in cases::all() {
        let events = case.events();
        let mut progress = Progress::default();
        for number in 0..=events.len() {
            let last = case.exchange.stopped(&progress, &CUT);
            assert!(!last.contains("withheld"), "{}: {last}", case.name);
            for frame in cases::frames(last.as_bytes()) {
                let data = frame.data.expect("a last event has data");
                if &data[..] == b"[DONE]" {
                    continue;
                }
                let document = Document::read(data)
                    .unwrap_or_else(|error| panic!("{} after {number} events: {error}: {last}", case.name));
                let reading = Reading::of(document, |place| case.exchange.label(Body::Event, place));
                let unknown = reading.parts().find(|part| part.channel == Channel::Unknown);
                assert!(unknown.is_none(), "{}: {last}", case.name);
            }
            if let Some(event) = events.get(number) {
                case.exchange.progress(event, &mut progress);
            }
        }
    }
}

#[test]
fn a_stream_can_be_cut_after_every_event() {
    for case in cases::all() {
        let events = case.events();
        if events.is_empty() {
            continue;
        }
        let mut progress = Progress::default();
        for number in 0..=events.len() {
            let cut = case.exchange.cut(&progress, &CUT);
            let mut seen = false;
            for frame in cases::frames(cut.as_bytes()) {
                let data = frame.data.expect("an event of a cut has data");
                if &data[..] == b"[DONE]" {
                    continue;
                }
                let document = Document::read(data)
                    .unwrap_or_else(|error| panic!("{} after {number} events: {error}: {cut}", case.name));
                let reading = Reading::of(document, |place| case.exchange.label(Body::Event, place));
                for part in reading.parts() {
                    assert_ne!(
                        part.channel,
                        Channel::Unknown,
                        "{}: {}",
                        case.name,
                        reading.path(part.id)
                    );
                    seen |= part.text == CUT.text;
                }
            }
            assert!(
                seen,
                "{} after {number} events: the text is missing: {cut}",
                case.name
            );
            if let Some(event) = events.get(number) {
                case.exchange.progress(event, &mut progress);
            }
        }
    }
}
