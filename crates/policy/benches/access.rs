//! What it costs to ask fifty policies about one request: its endpoint, its model and its system prompt.
//!
//! `remembered` is what a request costs whose questions were asked before, `new` what one costs whose were not.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a benchmark whose set-up fails has nothing to measure"
)]
#![allow(missing_docs, reason = "criterion's macros make items without documentation")]

use std::fmt::Write as _;
use std::hint::black_box;
use std::net::IpAddr;

use criterion::{Criterion, criterion_group, criterion_main};
use portcullis_core::PrincipalKind;
use portcullis_policy::access::{
    Access, Act, Circumstances, PolicyText, Question, Resource, Subject, SubjectKind,
};

fn policies(context: bool) -> String {
    let mut text = "@id(\"all\") permit (principal, action, resource);\n".to_owned();
    for number in 1..50 {
        let when = match (context, number % 3) {
            (true, 0) => "when { context.source.isInRange(ip(\"192.0.2.0/24\")) }",
            (true, 1) => "when { context has max_tokens && context.max_tokens > 100000 }",
            _ => "unless { principal in Role::\"lead\" }",
        };
        let act = ["use_endpoint", "invoke_model", "send_system_prompt"][number % 3];
        let team = format!("Team::\"team{number}\"");
        let _ = writeln!(
            text,
            "@id(\"p{number}\") forbid (principal in {team}, action == Action::\"{act}\", resource) {when};"
        );
    }
    text
}

fn ask_all(access: &Access, team: &str) -> bool {
    let roles = ["reader".to_owned()];
    let endpoint = Resource::Endpoint {
        path: "/v1/chat/completions",
        method: "POST",
        dialect: "openai",
    };
    let model = Resource::Model {
        name: "gpt-4o",
        upstream: Some("openai"),
    };
    let acts = [
        (Act::UseEndpoint, endpoint),
        (Act::InvokeModel, model),
        (Act::SendSystemPrompt, endpoint),
    ];
    acts.into_iter().all(|(act, resource)| {
        let answer = access.ask(&Question {
            subject: Subject {
                kind: SubjectKind::Client(PrincipalKind::Key),
                id: "key_abcdefghijkl",
                name: "web",
                org: Some("acme"),
                team: Some(team),
                user: Some("ann@example.com"),
                roles: &roles,
            },
            act,
            resource,
            circumstances: Circumstances {
                source: IpAddr::from([10, 0, 0, 1]),
                profile: "default",
                stream: true,
                max_tokens: Some(4096),
            },
        });
        answer.permitted
    })
}

fn asked(c: &mut Criterion) {
    for (name, context) in [("plain", false), ("with circumstances", true)] {
        let text = policies(context);
        let file = "bench.cedar";
        let access = Access::read(&[PolicyText { file, text: &text }]).unwrap();
        assert!(ask_all(&access, "free"));
        c.bench_function(&format!("50 policies, {name}, remembered"), |b| {
            b.iter(|| black_box(ask_all(&access, black_box("free"))));
        });
        let mut number = 0_u64;
        c.bench_function(&format!("50 policies, {name}, new"), |b| {
            b.iter(|| {
                number += 1;
                black_box(ask_all(&access, &format!("new{number}")))
            });
        });
    }
}

criterion_group!(benches, asked);
criterion_main!(benches);
