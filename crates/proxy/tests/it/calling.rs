//! Who may have tools called, by the operator's policies: where they are offered, and of each call in a reply.

use std::sync::Arc;

use portcullis_core::Family;
use portcullis_policy::access::{Access, PolicyText};
use portcullis_policy::{Mode, Profile};
use portcullis_proxy::Settings;
use serde_json::json;

use crate::bench::{Bench, Plan};
use crate::talks::{MALLORY, flags, has_call, talks};

async fn bench(profile: Profile, policies: &str) -> Bench {
    let policies = PolicyText {
        file: "tools.cedar",
        text: policies,
    };
    Bench::with(Plan {
        profile,
        settings: Settings {
            access: Some(Arc::new(Access::read(&[policies]).unwrap())),
            ..Settings::default()
        },
        ..Plan::default()
    })
    .await
}

const READERS: &str = r#"
@id("all") permit (principal, action, resource);
@id("readers") forbid (principal, action == Action::"call_tool", resource) unless { resource.class == "read" };
"#;

/// Whatever the mode is, and whether values are looked at or not: these are no findings that might be wrong.
fn profiles() -> [Profile; 3] {
    let observes = Profile {
        mode: Mode::Observe,
        ..flags()
    };
    let unchecked = Profile {
        danger_tools_unchecked: true,
        ..flags()
    };
    [flags(), observes, unchecked]
}

#[tokio::test]
async fn a_tool_that_policies_deny_is_not_offered() {
    for profile in profiles() {
        let bench = bench(profile, READERS).await;
        for talk in talks() {
            let answer = talk.ask(&bench, false, Vec::new()).await;
            assert_eq!(
                (answer.status.as_u16(), answer.code().as_str()),
                (403, "forbidden"),
                "{}",
                talk.path
            );
            assert!(bench.received().is_empty(), "{}", talk.path);
            let record = bench.record(&answer).await;
            assert_eq!(record.denied_by, ["policy.readers"], "{}", talk.path);
            assert!(!answer.text().contains("readers"), "{}", answer.text());
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_policies_deny_is_taken_out_of_the_reply() {
    for profile in profiles() {
        let bench = bench(profile, READERS).await;
        for talk in talks() {
            let mut talk = talk;
            // The model calls what nobody offered.
            talk.request.as_object_mut().unwrap().remove("tools");
            for streamed in [false, true] {
                let answer = talk.ask(&bench, streamed, vec![talk.stream()]).await;
                let text = answer.text();
                assert_eq!(answer.status, 200, "{}: {text}", talk.path);
                assert!(
                    !text.contains(MALLORY) && !has_call(text, "send_email"),
                    "{}: {text}",
                    talk.path
                );
                assert!(has_call(text, "read_mails"), "{}: {text}", talk.path);
                assert!(
                    text.contains("[tool_call_denied] The call of `send_email`"),
                    "{}: {text}",
                    talk.path
                );
                let record = bench.record(&answer).await;
                assert_eq!(record.denied_by, ["policy.readers"], "{}", talk.path);
                let found = record.findings.iter().find(|found| found.kind == "tool.policy");
                let found = found.unwrap_or_else(|| panic!("{:?}", record.findings));
                assert_eq!((found.family, found.path.as_str()), (Family::Tool, "send_email"));
            }
        }
    }
}

#[tokio::test]
async fn what_no_policy_permits_is_denied_and_what_one_permits_is_left_alone() {
    let some = r#"permit (principal, action in [Action::"use_endpoint", Action::"invoke_model"], resource);"#;
    let closed = bench(flags(), some).await;
    let all = "permit (principal, action, resource);";
    let open = bench(
        Profile {
            danger_tools_unchecked: true,
            ..flags()
        },
        all,
    )
    .await;
    for talk in talks() {
        let answer = talk.ask(&closed, false, Vec::new()).await;
        assert_eq!(answer.status, 403, "{}", talk.path);
        let record = closed.record(&answer).await;
        assert_eq!(record.denied_by, ["no policy permits call_tool"]);
        let answer = talk.ask(&open, false, Vec::new()).await;
        assert_eq!(answer.text(), talk.reply.to_string());
    }
    let mut none = talks()[0].request.clone();
    none.as_object_mut().unwrap().remove("tools");
    closed.script(crate::bench::Script::json(
        json!({"id": "c1", "object": "chat.completion", "created": 1, "model": "gpt-4o", "choices": [{"index": 0, "logprobs": null,
            "finish_reason": "stop", "message": {"role": "assistant", "content": "Noon.", "refusal": null}}]})
        .to_string(),
    ));
    let answer = closed.post("/v1/chat/completions", none.to_string()).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
}
