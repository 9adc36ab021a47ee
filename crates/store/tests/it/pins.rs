//! Pins, in every store alike.

use std::sync::Arc;

use portcullis_store::{MOST_PINS, Pin, PinKind, PinState, PinWhy, Sighting, Store, StoreError};

use crate::samples::NOW;

fn tool(name: &str, words: &str) -> Sighting {
    let mut digest = [0; 32];
    for (place, byte) in digest.iter_mut().zip(words.bytes()) {
        *place = byte;
    }
    Sighting {
        kind: PinKind::Tool,
        name: name.to_owned(),
        folded: name.to_lowercase().replace('_', ""),
        digest,
        definition: format!("{{\"description\":\"{words} \u{fc}\"}}").into_bytes(),
        is_flagged: false,
    }
}

fn flagged(name: &str, words: &str) -> Sighting {
    Sighting {
        is_flagged: true,
        ..tool(name, words)
    }
}

async fn see(store: &Arc<dyn Store>, server: &str, sighting: Sighting) -> Pin {
    let beside = ["mail".to_owned(), "files".to_owned()];
    let mut pins = store
        .see_pins(server, vec![sighting], &beside, NOW)
        .await
        .unwrap();
    pins.pop().unwrap()
}

fn why(pin: &Pin) -> (PinState, PinWhy) {
    (pin.state, pin.why)
}

pub async fn first_words_are_accepted_and_others_held(store: Arc<dyn Store>) {
    let first = see(&store, "mail", tool("send", "sends")).await;
    assert_eq!(why(&first), (PinState::Accepted, PinWhy::First));
    assert!(first.id.starts_with("pin_") && first.first_ms == NOW);
    assert_eq!(see(&store, "mail", tool("send", "sends")).await, first);
    assert_eq!(store.pin(&first.id).await.unwrap(), Some(first.clone()));
    let changed = see(&store, "mail", tool("send", "sends to me too")).await;
    assert_eq!(why(&changed), (PinState::Held, PinWhy::Changed));
    // What was accepted stays so, in whatever order they are seen.
    assert_eq!(see(&store, "mail", tool("send", "sends")).await, first);
    assert_eq!(store.pins_held().await.unwrap(), 1);
    let held = store.pins(Some(PinState::Held), 10).await.unwrap();
    assert_eq!(held, std::slice::from_ref(&changed));
    assert_eq!(store.pins(None, 10).await.unwrap().len(), 2);
    // Another kind of that name is another thing.
    let prompt = Sighting {
        kind: PinKind::Prompt,
        ..tool("send", "p")
    };
    assert_eq!(
        why(&see(&store, "mail", prompt).await),
        (PinState::Accepted, PinWhy::First)
    );
    assert_eq!(store.pin("pin_nothing").await.unwrap(), None);
    assert_eq!(store.pin("pin\0").await.unwrap(), None);
}

pub async fn what_was_found_in_does_not_come_by_in_other_words(store: Arc<dyn Store>) {
    let found = see(&store, "mail", flagged("read", "ignore all else")).await;
    assert_eq!(why(&found), (PinState::Held, PinWhy::Content));
    let again = see(&store, "mail", tool("read", "harmless")).await;
    assert_eq!(why(&again), (PinState::Held, PinWhy::Changed));
}

pub async fn a_name_belongs_to_the_first_server(store: Arc<dyn Store>) {
    see(&store, "mail", tool("send_mail", "a")).await;
    let shadow = see(&store, "files", tool("SendMail", "b")).await;
    assert_eq!(why(&shadow), (PinState::Held, PinWhy::Shadows));
    assert_eq!(shadow.other.as_deref(), Some("mail"));
    // A server that is not there any more takes no names.
    see(&store, "gone", tool("list", "a")).await;
    assert_eq!(
        see(&store, "files", tool("list", "b")).await.state,
        PinState::Accepted
    );
    // Nor does a tool that was rejected.
    let other = see(&store, "mail", tool("move", "a")).await;
    store.decide_pin(&other.id, "ann", false, NOW).await.unwrap();
    assert_eq!(
        see(&store, "files", tool("move", "b")).await.state,
        PinState::Accepted
    );
}

pub async fn an_operator_decides_and_decides_again(store: Arc<dyn Store>) {
    let pin = see(&store, "mail", flagged("read", "x")).await;
    let accepted = store
        .decide_pin(&pin.id, "ann\u{e9}", true, NOW + 5)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (
            accepted.state,
            accepted.decided_by.as_deref(),
            accepted.decided_ms
        ),
        (PinState::Accepted, Some("ann\u{e9}"), Some(NOW + 5))
    );
    assert_eq!(see(&store, "mail", flagged("read", "x")).await, accepted);
    let rejected = store
        .decide_pin(&pin.id, "bob", false, NOW + 6)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(rejected.state, PinState::Rejected);
    assert_eq!(store.pins_held().await.unwrap(), 0);
    assert_eq!(
        store.decide_pin("pin_nothing", "bob", true, NOW).await.unwrap(),
        None
    );
}

pub async fn of_many_first_words_one_is_accepted(store: Arc<dyn Store>) {
    let all = (0..8).map(|number| {
        let store = Arc::clone(&store);
        tokio::spawn(async move { see(&store, "mail", tool("send", &format!("words {number}"))).await })
    });
    let mut accepted = 0;
    for one in all.collect::<Vec<_>>() {
        accepted += usize::from(one.await.unwrap().state == PinState::Accepted);
    }
    assert_eq!(accepted, 1);
}

pub async fn a_server_cannot_fill_the_disk(store: Arc<dyn Store>) {
    let many = |from: u32, count: u32| {
        let each = (from..from + count).map(|number| tool("send", &number.to_string()));
        each.collect::<Vec<_>>()
    };
    for piece in 0..MOST_PINS / 100 {
        store
            .see_pins("mail", many(piece * 100, 100), &[], NOW)
            .await
            .unwrap();
    }
    let more = store.see_pins("mail", many(MOST_PINS, 1), &[], NOW).await;
    assert!(matches!(more, Err(StoreError::TooManyPins(server)) if server == "mail"));
    let known = store.see_pins("mail", many(0, 3), &[], NOW).await.unwrap();
    assert_eq!(known.first().map(|pin| pin.state), Some(PinState::Accepted));
    store.see_pins("files", many(0, 1), &[], NOW).await.unwrap();
}
