//! What every store does alike. A new store adds a line to `stores!`; nothing here knows which one it speaks to.

use std::sync::Arc;

use ed25519_dalek::SigningKey;
use portcullis_core::{Glob, KeyId, Limits, Money, PrincipalKind, Usage};
use portcullis_store::{
    AuditBatch, AuthError, BudgetAlert, Encoded, Head, KeyRecord, Keyring, MeterId, Meters, NewKey, Period,
    Sealed, Store, StoreError, UsageBatch, UsageDelta, UsageTotals, open, verify,
};

use crate::approvals::{
    a_grant_is_used_once, a_key_cannot_pile_them_up, of_many_claims_one_wins,
    only_what_is_pending_is_decided_and_once, what_is_asked_is_found_again, what_is_over_is_forgotten,
    who_asks_again_gets_the_same,
};
use crate::pins::{
    a_name_belongs_to_the_first_server, a_server_cannot_fill_the_disk, an_operator_decides_and_decides_again,
    first_words_are_accepted_and_others_held, of_many_first_words_one_is_accepted,
    what_was_found_in_does_not_come_by_in_other_words,
};
use crate::samples::{NOW, Place, record, request};
use crate::server::Server;

/// Runs every case over every store. The place holds the files of a store that has any.
macro_rules! stores {
    ($($case:ident),* $(,)?) => {
        mod sqlite_file {
            $(#[tokio::test] async fn $case() {
                let place = super::Place::new();
                super::$case(place.store().await).await;
            })*
        }
        mod sqlite_memory {
            $(#[tokio::test] async fn $case() {
                super::$case(super::open("sqlite::memory:").await.unwrap()).await;
            })*
        }
        mod postgres {
            $(#[tokio::test] async fn $case() {
                let server = super::Server::start();
                super::$case(super::open(&server.url()).await.unwrap()).await;
            })*
        }
    };
}

stores!(
    a_key_authenticates_until_it_is_revoked,
    a_key_expires,
    rotation_replaces_the_text,
    a_rotated_key_may_overlap,
    last_uses_are_kept_and_are_no_change,
    everything_about_a_key_is_kept,
    names_are_unique_among_live_keys,
    keys_that_cannot_be_meant_are_refused,
    every_change_of_a_key_changes_the_version,
    ownership_belongs_to_the_first,
    sealed_texts_are_kept_for_their_time,
    usage_adds_up,
    an_alert_is_raised_once,
    a_name_belongs_to_the_first_server,
    a_server_cannot_fill_the_disk,
    an_operator_decides_and_decides_again,
    first_words_are_accepted_and_others_held,
    of_many_first_words_one_is_accepted,
    what_was_found_in_does_not_come_by_in_other_words,
    what_is_asked_is_found_again,
    a_grant_is_used_once,
    of_many_claims_one_wins,
    only_what_is_pending_is_decided_and_once,
    who_asks_again_gets_the_same,
    a_key_cannot_pile_them_up,
    what_is_over_is_forgotten,
    meters_take_up_where_they_left_off,
    audit_records_are_found_again,
    an_audit_batch_is_written_whole_or_not_at_all,
);

async fn created(store: &Arc<dyn Store>, name: &str) -> (KeyRecord, String) {
    let (record, text) = store.create_key(NewKey::named(name), NOW).await.unwrap();
    (record, text.expose().clone())
}

async fn a_key_authenticates_until_it_is_revoked(store: Arc<dyn Store>) {
    let keyring = Keyring::load(Arc::clone(&store)).await.unwrap();
    let (record, text) = created(&store, "one").await;
    assert_eq!(
        keyring.authenticate(&text, NOW),
        Err(AuthError::Unknown),
        "before it is refreshed"
    );
    assert!(keyring.refresh().await.unwrap());
    assert!(!keyring.refresh().await.unwrap(), "nothing changed since");
    assert_eq!(*keyring.authenticate(&text, NOW).unwrap(), record.principal);

    let (_, other) = created(&store, "two").await;
    keyring.refresh().await.unwrap();
    store.revoke_key("one", NOW + 1).await.unwrap();
    assert!(keyring.refresh().await.unwrap());
    assert_eq!(keyring.authenticate(&text, NOW), Err(AuthError::Revoked));
    assert_eq!(keyring.authenticate(&other, NOW).unwrap().name, "two");
    assert_eq!(
        keyring.authenticate("pc_nonsense", NOW),
        Err(AuthError::Malformed)
    );
    assert_eq!(keyring.authenticate("", NOW), Err(AuthError::Malformed));

    let again = store
        .revoke_key(record.principal.key.as_str(), NOW + 9)
        .await
        .unwrap();
    assert_eq!(again.revoked_ms, Some(NOW + 1), "the first time counts");
    assert!(
        matches!(store.revoke_key("nobody", NOW).await, Err(StoreError::NoSuchKey(name)) if name == "nobody")
    );
}

async fn a_key_expires(store: Arc<dyn Store>) {
    let new = NewKey {
        expires_ms: Some(NOW + 1000),
        ..NewKey::named("brief")
    };
    let (record, text) = store.create_key(new, NOW).await.unwrap();
    let keyring = Keyring::load(store).await.unwrap();
    assert!(keyring.authenticate(text.expose(), NOW + 999).is_ok());
    assert_eq!(
        keyring.authenticate(text.expose(), NOW + 1000),
        Err(AuthError::Expired)
    );
    assert!(record.is_live(NOW + 999) && !record.is_live(NOW + 1000));
}

async fn rotation_replaces_the_text(store: Arc<dyn Store>) {
    let (before, old) = created(&store, "one").await;
    let (after, new) = store.rotate_key("one", 0, NOW + 5).await.unwrap();
    let keyring = Keyring::load(Arc::clone(&store)).await.unwrap();
    assert_eq!(keyring.authenticate(&old, NOW), Err(AuthError::Unknown));
    assert_eq!(
        keyring.authenticate(new.expose(), NOW).unwrap().key,
        before.principal.key
    );
    assert_eq!(after.rotated_ms, Some(NOW + 5));
    assert!(new.expose().starts_with(&after.prefix) && after.prefix.len() == 7);
    store.revoke_key("one", NOW).await.unwrap();
    assert!(matches!(
        store.rotate_key("one", 0, NOW).await,
        Err(StoreError::KeyRevoked(_))
    ));
    assert!(matches!(
        store.rotate_key("two", 0, NOW).await,
        Err(StoreError::NoSuchKey(_))
    ));
}

async fn everything_about_a_key_is_kept(store: Arc<dyn Store>) {
    let new = NewKey {
        kind: PrincipalKind::Service,
        org: Some("acme".to_owned()),
        team: Some("free".to_owned()),
        roles: vec!["reader".to_owned(), "ünï".to_owned()],
        profile: Some("strict".to_owned()),
        endpoints: vec![Glob::new("/v1/chat/*")],
        networks: vec!["10.0.0.0/8".parse().unwrap(), "2001:db8::/32".parse().unwrap()],
        models: vec![Glob::new("gpt-*"), Glob::new("\"odd\"")],
        tools: Some("crm-agent".to_owned()),
        limits: Limits {
            rpm: Some(60),
            tpm: Some(u32::MAX),
            concurrency: Some(0),
            budget: Some("5 USD/day".to_owned()),
        },
        expires_ms: Some(NOW + 77),
        ..NewKey::named("Ünï code")
    };
    let (made, _) = store.create_key(new.clone(), NOW).await.unwrap();
    let principal = &made.principal;
    assert_eq!(
        (
            &principal.name,
            &principal.team,
            &principal.profile,
            &principal.models,
            &principal.tools,
            &principal.limits
        ),
        (
            &new.name,
            &new.team,
            &new.profile,
            &new.models,
            &new.tools,
            &new.limits
        )
    );
    assert_eq!(
        (
            principal.kind,
            &principal.org,
            &principal.user,
            &principal.roles,
            &principal.endpoints,
            &principal.networks
        ),
        (
            new.kind,
            &new.org,
            &new.user,
            &new.roles,
            &new.endpoints,
            &new.networks
        )
    );
    let of_user = NewKey {
        user: Some("ann@example.com".to_owned()),
        ..NewKey::named("ann's")
    };
    assert!(principal.key.as_str().starts_with("key_") && principal.key.as_str().len() == 16);
    assert_eq!(
        (made.created_ms, made.expires_ms, made.revoked_ms),
        (NOW, Some(NOW + 77), None)
    );
    assert_eq!(store.keys().await.unwrap(), std::slice::from_ref(&made));
    let revoked = store.revoke_key(principal.key.as_str(), NOW + 1).await.unwrap();
    assert_eq!(
        store.keys().await.unwrap(),
        [KeyRecord {
            revoked_ms: Some(NOW + 1),
            ..made
        }]
    );
    assert_eq!(store.keys().await.unwrap(), [revoked]);
    let (ann, _) = store.create_key(of_user, NOW + 1).await.unwrap();
    assert_eq!(ann.principal.user.as_deref(), Some("ann@example.com"));
    assert_eq!(store.keys().await.unwrap().last(), Some(&ann));
}

async fn a_rotated_key_may_overlap(store: Arc<dyn Store>) {
    let new = NewKey {
        expires_ms: Some(NOW + 1000),
        ..NewKey::named("one")
    };
    let (_, first) = store.create_key(new, NOW).await.unwrap();
    let (record, second) = store.rotate_key("one", 100, NOW).await.unwrap();
    assert_eq!(record.prior_until_ms, Some(NOW + 100));
    assert_eq!(store.keys().await.unwrap(), std::slice::from_ref(&record));
    let keyring = Keyring::load(Arc::clone(&store)).await.unwrap();
    assert_eq!(keyring.len(), 1, "it is one key");
    for text in [&first, &second] {
        assert_eq!(
            *keyring.authenticate(text.expose(), NOW + 99).unwrap(),
            record.principal
        );
    }
    assert_eq!(
        keyring.authenticate(first.expose(), NOW + 100),
        Err(AuthError::Expired)
    );
    assert!(keyring.authenticate(second.expose(), NOW + 100).is_ok());

    // The overlap is no way past the key's own end, and only the last text has it.
    let (_, third) = store.rotate_key("one", 5000, NOW).await.unwrap();
    keyring.refresh().await.unwrap();
    assert_eq!(keyring.authenticate(first.expose(), NOW), Err(AuthError::Unknown));
    assert!(keyring.authenticate(second.expose(), NOW + 999).is_ok());
    assert_eq!(
        keyring.authenticate(second.expose(), NOW + 1000),
        Err(AuthError::Expired)
    );

    let (record, _) = store.rotate_key("one", 0, NOW).await.unwrap();
    assert_eq!(record.prior_until_ms, None);
    keyring.refresh().await.unwrap();
    assert_eq!(keyring.authenticate(third.expose(), NOW), Err(AuthError::Unknown));

    let (_, fourth) = store.rotate_key("one", 500, NOW).await.unwrap();
    store.rotate_key("one", 500, NOW).await.unwrap();
    store.revoke_key("one", NOW).await.unwrap();
    keyring.refresh().await.unwrap();
    assert!(
        keyring.authenticate(fourth.expose(), NOW).is_err(),
        "revoking ends both texts"
    );
}

async fn last_uses_are_kept_and_are_no_change(store: Arc<dyn Store>) {
    let (record, _) = created(&store, "one").await;
    let (other, _) = created(&store, "two").await;
    let (keyring, id) = (
        Keyring::load(Arc::clone(&store)).await.unwrap(),
        &record.principal.key,
    );
    let used_of = async |id: &KeyId| {
        let keys = store.keys().await.unwrap();
        keys.iter().find(|key| key.principal.key == *id).unwrap().used_ms
    };
    let used = async || used_of(id).await;
    keyring.used(id, NOW);
    keyring.save_uses(false).await.unwrap();
    assert_eq!(used().await, Some(NOW), "the first use is written at once");
    keyring.used(id, NOW + 59_999);
    keyring.save_uses(false).await.unwrap();
    assert_eq!(used().await, Some(NOW), "once a minute is enough");
    created(&store, "three").await;
    keyring.refresh().await.unwrap();
    keyring.used(id, NOW + 60_000);
    keyring.used(id, NOW + 5);
    let version = store.keys_version().await.unwrap();
    keyring.save_uses(false).await.unwrap();
    assert_eq!(used().await, Some(NOW + 60_000), "the latest counts");
    keyring.used(id, NOW + 60_001);
    keyring.save_uses(true).await.unwrap();
    assert_eq!(used().await, Some(NOW + 60_001), "the end writes all");
    store.note_key_uses(vec![(id.clone(), 1)]).await.unwrap();
    assert_eq!(used().await, Some(NOW + 60_001), "time does not go back");
    assert_eq!(
        store.keys_version().await.unwrap(),
        version,
        "a use is no change of a key"
    );
    assert_eq!(used_of(&other.principal.key).await, None);
    assert_eq!(
        store.revoke_key("one", NOW).await.unwrap().used_ms,
        Some(NOW + 60_001)
    );
    keyring.used(&other.principal.key, NOW);
    keyring.used(&KeyId::from_text("key_nobody"), NOW);
    keyring.save_uses(true).await.unwrap();
    assert_eq!(used_of(&other.principal.key).await, Some(NOW));
}

async fn names_are_unique_among_live_keys(store: Arc<dyn Store>) {
    let (first, _) = created(&store, "one").await;
    let again = store.create_key(NewKey::named("one"), NOW).await;
    assert!(matches!(again, Err(StoreError::NameTaken(name)) if name == "one"));
    store.revoke_key("one", NOW).await.unwrap();
    let (second, _) = created(&store, "one").await;
    assert_ne!(first.principal.key, second.principal.key);
    let revoked = store.revoke_key("one", NOW + 2).await.unwrap();
    assert_eq!(
        revoked.principal.key, second.principal.key,
        "a name means the live key"
    );
}

async fn keys_that_cannot_be_meant_are_refused(store: Arc<dyn Store>) {
    let wrong = [
        NewKey::named(""),
        NewKey::named("two\nlines"),
        NewKey::named(&"x".repeat(201)),
        NewKey::named("key_abc"),
        NewKey {
            team: Some(String::new()),
            ..NewKey::named("a")
        },
        NewKey {
            expires_ms: Some(NOW),
            ..NewKey::named("a")
        },
        NewKey {
            roles: vec!["two\nlines".to_owned()],
            ..NewKey::named("a")
        },
        NewKey {
            endpoints: vec![Glob::new(" ")],
            ..NewKey::named("a")
        },
        NewKey {
            kind: PrincipalKind::Token,
            ..NewKey::named("a")
        },
        NewKey {
            kind: PrincipalKind::Service,
            user: Some("ann".to_owned()),
            ..NewKey::named("a")
        },
        NewKey {
            limits: Limits {
                budget: Some("5 EUR/day".to_owned()),
                ..Limits::default()
            },
            ..NewKey::named("a")
        },
    ];
    for new in wrong {
        let refused = store.create_key(new.clone(), NOW).await;
        assert!(matches!(refused, Err(StoreError::InvalidKey(_))), "{new:?}");
    }
    assert!(store.keys().await.unwrap().is_empty());
}

async fn every_change_of_a_key_changes_the_version(store: Arc<dyn Store>) {
    let mut seen = vec![store.keys_version().await.unwrap()];
    let mut note = async || {
        let version = store.keys_version().await.unwrap();
        assert!(!seen.contains(&version), "{version} came before");
        seen.push(version);
    };
    created(&store, "one").await;
    note().await;
    store.rotate_key("one", 0, NOW).await.unwrap();
    note().await;
    store.revoke_key("one", NOW).await.unwrap();
    note().await;
    store.keys().await.unwrap();
    assert_eq!(
        store.keys_version().await.unwrap(),
        seen[3],
        "reading is no change"
    );
}

async fn ownership_belongs_to_the_first(store: Arc<dyn Store>) {
    let (ann, bob) = (KeyId::from_text("key_ann"), KeyId::from_text("key_bob"));
    assert_eq!(store.owned("response", "resp_1").await.unwrap(), None);
    for _ in 0..2 {
        store
            .remember_owned("response", "resp_1", &ann, "openai", Some("gpt-4o"), NOW)
            .await
            .unwrap();
    }
    let owned = store.owned("response", "resp_1").await.unwrap().unwrap();
    assert_eq!((owned.owner, owned.upstream.as_str()), (ann.clone(), "openai"));
    assert_eq!((owned.model.as_deref(), owned.created_ms), (Some("gpt-4o"), NOW));
    let stolen = store
        .remember_owned("response", "resp_1", &bob, "openai", None, NOW)
        .await;
    assert!(matches!(stolen, Err(StoreError::OwnedByAnother { id, .. }) if id == "resp_1"));
    assert_eq!(
        store.owned("conversation", "resp_1").await.unwrap(),
        None,
        "another kind is another thing"
    );
    assert!(!store.forget_owned("response", "resp_1", &bob).await.unwrap());
    assert!(store.forget_owned("response", "resp_1", &ann).await.unwrap());
    assert_eq!(store.owned("response", "resp_1").await.unwrap(), None);
}

async fn sealed_texts_are_kept_for_their_time(store: Arc<dyn Store>) {
    let sealed = |name: u8, bytes: &[u8], until_ms| Sealed {
        name: [name; 32],
        bytes: bytes.to_vec(),
        until_ms,
    };
    assert_eq!(store.sealed(&[1; 32], NOW).await.unwrap(), None);
    store.keep_sealed(sealed(1, b"one", NOW + 10), NOW).await.unwrap();
    store
        .keep_sealed(sealed(2, &[0, 255], NOW + 20), NOW)
        .await
        .unwrap();
    store
        .keep_sealed(sealed(1, b"another", NOW + 10), NOW)
        .await
        .unwrap();
    let found = async |name: u8, now| store.sealed(&[name; 32], now).await.unwrap();
    assert_eq!(found(1, NOW + 9).await.as_deref(), Some(&b"another"[..]));
    assert_eq!(found(2, NOW).await.as_deref(), Some(&[0, 255][..]));
    assert_eq!(found(1, NOW + 10).await, None, "its time is over");
    store
        .keep_sealed(sealed(3, b"three", NOW + 50), NOW + 15)
        .await
        .unwrap();
    assert_eq!(found(1, NOW).await, None, "it was dropped");
    assert!(found(2, NOW + 15).await.is_some() && found(3, NOW + 15).await.is_some());
}

fn totals(requests: u64, tokens: u64, cost: u64) -> UsageTotals {
    let usage = Usage {
        input: tokens,
        cached: 1,
        output: 2 * tokens,
        reasoning: 3,
        cache_write: 0,
    };
    UsageTotals {
        requests,
        usage,
        cost: Money(cost),
    }
}

async fn usage_adds_up(store: Arc<dyn Store>) {
    let (meter, other) = (MeterId::key(&KeyId::from_text("key_a")), MeterId::team("free"));
    let hour = NOW / 3_600_000;
    let delta = |meter: &MeterId, hour, totals| UsageDelta {
        meter: meter.clone(),
        hour,
        totals,
    };
    let first = vec![
        delta(&meter, hour - 1, totals(1, 10, 100)),
        delta(&meter, hour, totals(2, 20, 200)),
        delta(&other, hour, totals(5, 50, 500)),
    ];
    let batch = |number, deltas| UsageBatch {
        writer: [1; 16],
        number,
        deltas,
    };
    store.add_usage(batch(1, first)).await.unwrap();
    store
        .add_usage(batch(2, vec![delta(&meter, hour, totals(3, 30, 300))]))
        .await
        .unwrap();

    // Asked again, it is not added again; another writer's is.
    for (writer, number) in [([1; 16], 2), ([1; 16], 1), ([2; 16], 1), ([2; 16], 1)] {
        let deltas = match writer == [1; 16] {
            true => vec![delta(&meter, hour, totals(3, 30, 300))],
            false => vec![delta(&other, hour + 1, totals(1, 1, 1))],
        };
        let batch = UsageBatch {
            writer,
            number,
            deltas,
        };
        store.add_usage(batch).await.unwrap();
    }
    assert_eq!(
        store.usage_hours(&other, NOW + 3_600_000).await.unwrap()[0]
            .totals
            .requests,
        1
    );

    let hours = store.usage_hours(&meter, NOW - 3_600_000).await.unwrap();
    assert_eq!(
        hours.iter().map(|entry| entry.hour).collect::<Vec<_>>(),
        [hour - 1, hour]
    );
    let both = hours[1].totals;
    assert_eq!(
        (both.requests, both.usage.input, both.usage.output, both.cost),
        (5, 50, 100, Money(500))
    );
    assert_eq!((both.usage.cached, both.usage.reasoning), (2, 6));
    assert_eq!(store.usage_hours(&meter, NOW).await.unwrap().len(), 1);

    let mut since = store.usage_since(NOW - 3_600_000).await.unwrap();
    since.sort_by(|one, other| one.0.cmp(&other.0));
    let short: Vec<_> = since
        .iter()
        .map(|(id, sum)| (id.as_str(), sum.requests, sum.cost.0))
        .collect();
    assert_eq!(short, [("key:key_a", 6, 600), ("team:free", 6, 501)]);
}

async fn an_alert_is_raised_once(store: Arc<dyn Store>) {
    let alerts = |meter: &MeterId, budget: &str, spent, now| {
        BudgetAlert::of(meter, budget.parse().unwrap(), Money(spent), false, now)
    };
    let (ann, free) = (MeterId::key(&KeyId::from_text("key_ann")), MeterId::team("free"));
    let raise = async |alerts: Vec<BudgetAlert>| -> Vec<(String, u8)> {
        let raised = store.raise_alerts(alerts).await.unwrap();
        raised
            .iter()
            .map(|alert| (alert.meter.to_string(), alert.percent))
            .collect()
    };
    let ann_at = |percent| ("key:key_ann".to_owned(), percent);
    assert_eq!(raise(alerts(&ann, "1 USD/day", 600_000, NOW)).await, [ann_at(50)]);
    assert_eq!(raise(alerts(&ann, "1 USD/day", 700_000, NOW + 1)).await, []);
    assert_eq!(
        raise(alerts(&ann, "1 USD/day", 1_000_000, NOW + 2)).await,
        [ann_at(80), ann_at(100)]
    );
    // Another period, another budget and another meter are others.
    assert_eq!(
        raise(alerts(&ann, "1 USD/day", 500_000, NOW + 86_400_000)).await,
        [ann_at(50)]
    );
    assert_eq!(
        raise(alerts(&ann, "1.1 USD/day", 1_000_000, NOW + 4)).await,
        [ann_at(50), ann_at(80)]
    );
    assert_eq!(
        raise(alerts(&ann, "1 USD/month", 1_000_000, NOW + 5)).await.len(),
        3
    );
    assert_eq!(
        raise(alerts(&free, "1 USD/day", 500_000, NOW + 6)).await,
        [("team:free".to_owned(), 50)]
    );
    let last = store.alerts(2).await.unwrap();
    assert_eq!(last[0], alerts(&ann, "1 USD/day", 500_000, NOW + 86_400_000)[0]);
    assert_eq!(last[1], alerts(&free, "1 USD/day", 500_000, NOW + 6)[0]);
    assert_eq!(store.alerts(99).await.unwrap().len(), 10);
}

async fn meters_take_up_where_they_left_off(store: Arc<dyn Store>) {
    let id = MeterId::key(&KeyId::from_text("key_a"));
    let limits = Limits {
        budget: Some("1 USD/hour".to_owned()),
        ..Limits::default()
    };
    let meters = Meters::load(&*store, NOW).await.unwrap();
    let usage = Usage {
        input: 7,
        output: 5,
        ..Usage::default()
    };
    let last_hour = NOW - 3_600_000;
    meters
        .admit(&[(id.clone(), &limits)], last_hour)
        .await
        .unwrap()
        .settle(&usage, Money(400_000), last_hour);
    meters
        .admit(&[(id.clone(), &limits)], NOW)
        .await
        .unwrap()
        .settle(&usage, Money(1_000_000), NOW);
    meters.flush(&*store).await.unwrap();
    meters.flush(&*store).await.unwrap();
    assert_eq!(
        store.usage_hours(&id, 0).await.unwrap().len(),
        2,
        "handed over once"
    );

    let again = Meters::load(&*store, NOW).await.unwrap();
    assert_eq!(again.spent(&id, Period::Hour, NOW), Money(1_000_000));
    assert_eq!(again.spent(&id, Period::Day, NOW), Money(1_400_000));
    assert_eq!(again.spent(&id, Period::Month, NOW), Money(1_400_000));
    assert!(again.admit(&[(id.clone(), &limits)], NOW).await.is_err());
    assert!(again.admit(&[(id, &limits)], NOW + 3_600_000).await.is_ok());
}

fn batch(behind: &Head, numbers: &[u64]) -> Arc<AuditBatch> {
    let encoded: Vec<Encoded> = numbers
        .iter()
        .map(|number| Encoded::new(&record(*number)).unwrap())
        .collect();
    Arc::new(AuditBatch::chain(
        behind,
        &encoded,
        &SigningKey::from_bytes(&[7; 32]),
        NOW,
    ))
}

async fn audit_records_are_found_again(store: Arc<dyn Store>) {
    assert_eq!(store.audit_head().await.unwrap(), None);
    let first = batch(&Head::genesis(NOW), &[1, 2, 3]);
    store.append_audit(Arc::clone(&first)).await.unwrap();
    let second = batch(&first.head.head, &[4]);
    store.append_audit(Arc::clone(&second)).await.unwrap();

    assert_eq!(store.audit_head().await.unwrap(), Some(second.head));
    assert_eq!(
        store.audit_heads().await.unwrap(),
        [second.head],
        "a superseded head is not kept"
    );
    let found = store.audit_record(&request(2)).await.unwrap().unwrap();
    assert_eq!((found.seq, &found.record), (2, &record(2)));
    assert_eq!(found.json, first.records[1].json);
    assert_eq!(store.audit_record(&request(9)).await.unwrap(), None);
    let tail: Vec<u64> = store
        .audit_tail(2)
        .await
        .unwrap()
        .iter()
        .map(|stored| stored.seq)
        .collect();
    assert_eq!(tail, [3, 4]);
    let page = |after, limit| {
        let store = Arc::clone(&store);
        async move {
            let rows = store.audit_page(after, limit).await.unwrap();
            rows.iter().map(|row| row.seq).collect::<Vec<_>>()
        }
    };
    assert_eq!(page(None, 3).await, [1, 2, 3]);
    assert_eq!(page(Some(3), 3).await, [4]);
    assert_eq!(page(Some(4), 3).await, [0; 0]);
    let key = SigningKey::from_bytes(&[7; 32]).verifying_key();
    let verified = verify(&*store, &key, None).await.unwrap();
    assert_eq!((verified.records, verified.head), (4, Some(second.head)));
}

async fn an_audit_batch_is_written_whole_or_not_at_all(store: Arc<dyn Store>) {
    let first = batch(&Head::genesis(NOW), &[1, 2]);
    store.append_audit(Arc::clone(&first)).await.unwrap();
    let twice = store.append_audit(batch(&first.head.head, &[3, 2, 4])).await;
    assert!(matches!(twice, Err(StoreError::DuplicateRequest(id)) if id == request(2).as_str()));
    let conflict = store.append_audit(batch(&Head::genesis(NOW), &[5, 6])).await;
    assert!(matches!(conflict, Err(StoreError::AuditConflict(1))));
    assert_eq!(store.audit_tail(9).await.unwrap().len(), 2);
    assert_eq!(store.audit_head().await.unwrap(), Some(first.head));
}
