//! Approvals, in every store alike.

use std::sync::Arc;

use portcullis_core::KeyId;
use portcullis_store::{
    Approval, ApprovalKey, ApprovalReason, ApprovalState, Asking, Decided, MOST_PENDING, Store, StoreError,
};

use crate::samples::{NOW, Place, request};

const LIFE: u64 = 1000;

fn signer() -> ApprovalKey {
    ApprovalKey::new([3; 32])
}

fn reason() -> ApprovalReason {
    ApprovalReason {
        rule: "flow.origin".to_owned(),
        path: "to".to_owned(),
        value: "\"ünï\"\n".to_owned(),
        why: "from a mail, not from you".to_owned(),
    }
}

/// A call of `send_money` with a number that tells it from others.
fn asking(key: &str, number: u8, now: u64) -> Approval {
    let (key, arguments) = (KeyId::from_text(key), vec![number, 0, 255]);
    let binding = signer().binding(&key, "send_money", &arguments).unwrap();
    signer()
        .ask(Asking {
            key_name: format!("name of {}", key.as_str()),
            key,
            team: Some("free".to_owned()),
            tool: "send_money".to_owned(),
            arguments,
            binding,
            reasons: vec![reason()],
            request_id: request(u64::from(number)),
            created_ms: now,
            expires_ms: now + LIFE,
        })
        .unwrap()
}

async fn grant(store: &Arc<dyn Store>, approval: &Approval, now: u64) -> Approval {
    let signature = signer().grant(approval, "bob").unwrap();
    let decided = store
        .decide_approval(&approval.id, "bob", Some(signature), now)
        .await;
    match decided.unwrap() {
        Decided::Now(granted) => granted,
        other => panic!("{other:?}"),
    }
}

async fn claim(store: &Arc<dyn Store>, of: &Approval, now: u64) -> Option<Approval> {
    store
        .claim_approval(&of.id, &of.key, &of.binding, now)
        .await
        .unwrap()
}

pub async fn what_is_asked_is_found_again(store: Arc<dyn Store>) {
    let asked = asking("key_ann", 1, NOW);
    assert_eq!(store.ask_approval(asked.clone(), NOW).await.unwrap(), asked);
    let found = store.approval(&asked.id, NOW + 1).await.unwrap().unwrap();
    assert_eq!(found, asked);
    assert!(signer().is_asked(&found), "the signature survives the database");
    assert_eq!(store.approval("apr_nothing", NOW).await.unwrap(), None);
    assert_eq!(store.approval("apr\0", NOW).await.unwrap(), None);
    let later = asking("key_bob", 1, NOW + 5);
    store.ask_approval(later.clone(), NOW + 5).await.unwrap();
    let list = async |state, count| -> Vec<String> {
        let found = store.approvals(state, count, NOW + 6).await.unwrap();
        found.into_iter().map(|approval| approval.id).collect()
    };
    let both = [later.id.clone(), asked.id.clone()];
    assert_eq!(list(None, 10).await, both, "newest first");
    assert_eq!(list(Some(ApprovalState::Pending), 10).await, both);
    assert_eq!(list(None, 1).await, both[..1]);
    assert!(list(Some(ApprovalState::Granted), 10).await.is_empty());
    assert_eq!(store.approvals_pending(NOW + 6).await.unwrap(), 2);
    assert_eq!(store.approvals_pending(NOW + LIFE).await.unwrap(), 1);
    let plain = Approval {
        team: None,
        reasons: Vec::new(),
        ..asking("key_eve", 1, NOW)
    };
    store.ask_approval(plain.clone(), NOW).await.unwrap();
    assert_eq!(store.approval(&plain.id, NOW).await.unwrap(), Some(plain));
}

pub async fn a_grant_is_used_once(store: Arc<dyn Store>) {
    let asked = asking("key_ann", 1, NOW);
    store.ask_approval(asked.clone(), NOW).await.unwrap();
    assert_eq!(claim(&store, &asked, NOW).await, None, "nobody decided yet");
    let granted = grant(&store, &asked, NOW + 1).await;
    assert_eq!(granted.state, ApprovalState::Granted);
    assert_eq!(
        (granted.decided_by.as_deref(), granted.decided_ms),
        (Some("bob"), Some(NOW + 1))
    );
    assert_eq!(granted.arguments, asked.arguments, "it is shown what was granted");

    let (bob, other) = (KeyId::from_text("key_bob"), asking("key_ann", 2, NOW));
    let claims = [(&bob, &asked.binding), (&asked.key, &other.binding)];
    for (key, binding) in claims {
        let claimed = store
            .claim_approval(&asked.id, key, binding, NOW + 2)
            .await
            .unwrap();
        assert_eq!(claimed, None, "another's key, another call");
    }
    assert_eq!(claim(&store, &asked, NOW + LIFE).await, None, "its time is over");

    let used = claim(&store, &asked, NOW + 2).await.unwrap();
    assert!(signer().is_granted(&used));
    assert_eq!(
        (used.state, used.arguments, used.reasons),
        (ApprovalState::Used, None, Vec::new())
    );
    assert_eq!(claim(&store, &asked, NOW + 2).await, None, "it is used");

    assert!(store.release_approval(&asked.id, NOW + 3).await.unwrap());
    assert!(
        !store.release_approval(&asked.id, NOW + 3).await.unwrap(),
        "it is not used now"
    );
    let again = claim(&store, &asked, NOW + 4).await.unwrap();
    assert!(signer().is_granted(&again));
    assert!(
        !store.release_approval(&asked.id, NOW + LIFE).await.unwrap(),
        "too late"
    );
    assert!(!store.release_approval("apr_nothing", NOW).await.unwrap());
    let next = asking("key_ann", 1, NOW + 5);
    let next = store.ask_approval(next.clone(), NOW + 5).await.unwrap();
    assert_ne!(next.id, asked.id, "what was used is no answer to the next call");
}

pub async fn of_many_claims_one_wins(store: Arc<dyn Store>) {
    for round in 0..5 {
        let asked = asking("key_ann", round, NOW);
        store.ask_approval(asked.clone(), NOW).await.unwrap();
        grant(&store, &asked, NOW).await;
        let claims = (0..16).map(|_| {
            let (store, asked) = (Arc::clone(&store), asked.clone());
            tokio::spawn(async move { claim(&store, &asked, NOW + 1).await.is_some() })
        });
        let mut won = 0;
        for claim in claims.collect::<Vec<_>>() {
            won += u32::from(claim.await.unwrap());
        }
        assert_eq!(won, 1);
    }
}

pub async fn only_what_is_pending_is_decided_and_once(store: Arc<dyn Store>) {
    let denied = asking("key_ann", 1, NOW);
    store.ask_approval(denied.clone(), NOW).await.unwrap();
    let Decided::Now(told) = store
        .decide_approval(&denied.id, "bob", None, NOW + 1)
        .await
        .unwrap()
    else {
        panic!("it was pending");
    };
    assert_eq!(
        (told.state, told.arguments, told.reasons),
        (ApprovalState::Denied, None, Vec::new())
    );
    let signature = Some(signer().grant(&denied, "eve").unwrap());
    let again = store
        .decide_approval(&denied.id, "eve", signature, NOW + 2)
        .await
        .unwrap();
    assert!(matches!(again, Decided::Before(before) if before.decided_by.as_deref() == Some("bob")));
    assert_eq!(claim(&store, &denied, NOW + 2).await, None);

    let late = asking("key_ann", 2, NOW);
    store.ask_approval(late.clone(), NOW).await.unwrap();
    let signature = Some(signer().grant(&late, "bob").unwrap());
    let decided = store
        .decide_approval(&late.id, "bob", signature, NOW + LIFE)
        .await
        .unwrap();
    assert!(matches!(decided, Decided::Before(before) if before.state == ApprovalState::Expired));
    let unknown = store
        .decide_approval("apr_nothing", "bob", signature, NOW)
        .await
        .unwrap();
    assert_eq!(unknown, Decided::Unknown);

    let asked = asking("key_ann", 3, NOW);
    store.ask_approval(asked.clone(), NOW).await.unwrap();
    let deciding = (0..8).map(|number| {
        let (store, id) = (Arc::clone(&store), asked.id.clone());
        let signature = (number % 2 == 0).then_some([1; 32]);
        tokio::spawn(async move { store.decide_approval(&id, "bob", signature, NOW).await.unwrap() })
    });
    let mut decided = 0;
    for one in deciding.collect::<Vec<_>>() {
        decided += u32::from(matches!(one.await.unwrap(), Decided::Now(_)));
    }
    assert_eq!(decided, 1);
}

pub async fn who_asks_again_gets_the_same(store: Arc<dyn Store>) {
    let first = store.ask_approval(asking("key_ann", 1, NOW), NOW).await.unwrap();
    let asks = (0..8).map(|_| {
        let store = Arc::clone(&store);
        tokio::spawn(async move {
            store
                .ask_approval(asking("key_ann", 2, NOW), NOW)
                .await
                .unwrap()
                .id
        })
    });
    let mut ids = Vec::new();
    for ask in asks.collect::<Vec<_>>() {
        ids.push(ask.await.unwrap());
    }
    ids.dedup();
    assert_eq!(ids.len(), 1, "also of those that ask at once");
    let again = async |key, now| store.ask_approval(asking(key, 1, now), now).await.unwrap();
    assert_eq!(again("key_ann", NOW + 1).await, first);
    assert_ne!(
        again("key_bob", NOW + 1).await.id,
        first.id,
        "another's call is another"
    );
    grant(&store, &first, NOW + 2).await;
    let granted = again("key_ann", NOW + 3).await;
    assert_eq!(
        (granted.id, granted.state),
        (first.id.clone(), ApprovalState::Granted)
    );
    let next = again("key_ann", NOW + LIFE).await;
    assert_ne!(next.id, first.id, "the time of the first is over");
    store
        .decide_approval(&next.id, "bob", None, NOW + LIFE + 1)
        .await
        .unwrap();
    let told = again("key_ann", NOW + LIFE + 2).await;
    assert_eq!((told.id, told.state), (next.id, ApprovalState::Denied));
    assert_eq!(
        again("key_ann", NOW + 2 * LIFE).await.state,
        ApprovalState::Pending
    );
}

pub async fn a_key_cannot_pile_them_up(store: Arc<dyn Store>) {
    for number in 0..u8::try_from(MOST_PENDING).unwrap() {
        store
            .ask_approval(asking("key_ann", number, NOW), NOW)
            .await
            .unwrap();
    }
    let ask = async |key, now| store.ask_approval(asking(key, 200, now), now).await;
    let refused = ask("key_ann", NOW + 1).await;
    assert!(matches!(refused, Err(StoreError::TooManyApprovals(key)) if key == "key_ann"));
    let same = store.ask_approval(asking("key_ann", 7, NOW), NOW).await;
    assert!(same.is_ok(), "what is asked already is no more");
    assert!(ask("key_bob", NOW + 1).await.is_ok(), "others are not held up");
    assert!(
        ask("key_ann", NOW + LIFE).await.is_ok(),
        "the others' time is over"
    );
}

pub async fn what_is_over_is_forgotten(store: Arc<dyn Store>) {
    let (open, over) = (asking("key_ann", 1, NOW + 500), asking("key_ann", 2, NOW));
    for asked in [&open, &over] {
        store.ask_approval(asked.clone(), NOW).await.unwrap();
    }
    let found = async |of: &Approval, now| store.approval(&of.id, now).await.unwrap();
    let expired = found(&over, NOW + LIFE).await.unwrap();
    assert_eq!((expired.state, expired.arguments), (ApprovalState::Expired, None));
    assert_eq!(
        store
            .approvals(Some(ApprovalState::Expired), 9, NOW + LIFE)
            .await
            .unwrap()
            .len(),
        1
    );
    store.sweep_approvals(NOW + LIFE).await.unwrap();
    assert_eq!(found(&open, NOW + LIFE).await, Some(open.clone()));
    // An earlier clock would show it if it were there.
    let gone = found(&over, NOW).await.unwrap();
    assert_eq!((gone.arguments, gone.reasons), (None, Vec::new()));
    store.sweep_approvals(NOW + LIFE + 30 * 86_400_000).await.unwrap();
    assert_eq!(found(&over, NOW).await, None);
    assert!(found(&open, NOW).await.is_some());
}

#[tokio::test]
async fn a_hand_in_the_database_can_grant_nothing() {
    let place = Place::new();
    let store = place.store().await;
    let (asked, other) = (asking("key_ann", 1, NOW), asking("key_ann", 2, NOW));
    for approval in [&asked, &other] {
        store.ask_approval(approval.clone(), NOW).await.unwrap();
    }
    grant(&store, &other, NOW).await;
    let take = "(SELECT signature FROM approvals WHERE state = 'granted' AND id <> ?1)";
    for signature in ["NULL", "asked", "zeroblob(32)", take] {
        place
            .hand()
            .execute(
                &format!("UPDATE approvals SET state = 'granted', decided_by = 'bob', signature = {signature} WHERE id = ?1"),
                [&asked.id],
            )
            .unwrap();
        let claimed = claim(&store, &asked, NOW).await.unwrap();
        assert!(!signer().is_granted(&claimed), "{signature}");
        assert!(store.release_approval(&asked.id, NOW).await.unwrap());
    }
    let shown = "UPDATE approvals SET state = 'pending', arguments = x'7b7d' WHERE id = ?1";
    place.hand().execute(shown, [&asked.id]).unwrap();
    let changed = store.approval(&asked.id, NOW).await.unwrap().unwrap();
    assert!(
        signer().grant(&changed, "bob").is_err(),
        "it is not what was asked"
    );
}
