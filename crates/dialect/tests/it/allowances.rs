//! What a model writes costs money: every exchange in which one does knows how much may be written, and can say it.

use portcullis_dialect::{Document, apply};

use crate::cases;

#[test]
fn every_exchange_that_writes_knows_how_much() {
    let mut checked = Vec::new();
    for case in cases::all() {
        let bodies = case
            .reply
            .iter()
            .map(|reply| Document::read(reply.clone()).unwrap());
        let mut all = bodies.chain(case.events());
        let Some(request) = &case.request else { continue };
        let writes = all.any(|body| case.exchange.usage(&body).is_some_and(|usage| usage.output > 0));
        if !writes {
            continue;
        }
        let request = Document::read(request.clone()).unwrap();
        // What retrieves or cancels an answer that was made before has no request to write it into.
        let Some(allowance) = case.exchange.allowance(&request) else {
            assert!(
                case.exchange.takes_no_body(),
                "{}: nobody knows how much it may write",
                case.name
            );
            continue;
        };
        assert!(allowance.texts > 0, "{}", case.name);
        if allowance.tokens.is_none() {
            let told = apply(request.bytes(), case.exchange.allow(&request, 7));
            let told = case.exchange.allowance(&Document::read(told).unwrap()).unwrap();
            assert_eq!(told.tokens, Some(7), "{}", case.name);
        }
        checked.push(case.exchange.id());
    }
    checked.dedup();
    assert!(checked.len() >= 6, "{checked:?}");
}
