//! What policies decide, what they may not say, and that nothing that fails permits.

use super::*;

fn subject<'a>(team: Option<&'a str>, roles: &'a [String]) -> Subject<'a> {
    Subject {
        kind: SubjectKind::Client(PrincipalKind::Key),
        id: "key_1",
        name: "web",
        org: Some("acme"),
        team,
        user: Some("ann"),
        roles,
    }
}

fn model<'a>(subject: Subject<'a>, name: &'a str) -> Question<'a> {
    Question {
        subject,
        act: Act::InvokeModel,
        resource: Resource::Model {
            name,
            upstream: Some("openai"),
        },
        circumstances: Circumstances {
            source: IpAddr::from([10, 0, 0, 1]),
            profile: "default",
            stream: false,
            max_tokens: None,
        },
    }
}

fn read(text: &str) -> Access {
    Access::read(&[PolicyText {
        file: "policies/a.cedar",
        text,
    }])
    .unwrap()
}

fn told(text: &str) -> Vec<String> {
    let file = "policies/a.cedar";
    let problems = Access::read(&[PolicyText { file, text }]).unwrap_err();
    problems.iter().map(ToString::to_string).collect()
}

#[test]
fn permits_permit_and_forbids_win() {
    let access = read(
        r#"
        @id("free-minis") permit (principal in Team::"free", action == Action::"invoke_model", resource)
          when { resource in Upstream::"openai" };
        @id("no-o3") forbid (principal, action == Action::"invoke_model", resource == Model::"o3")
          unless { principal in Role::"lead" };
        "#,
    );
    let (nobody, lead) = (Vec::new(), vec!["lead".to_owned()]);
    for (team, roles, name, permitted, by) in [
        (Some("free"), &nobody, "gpt-4o", true, &["free-minis"][..]),
        (Some("paid"), &nobody, "gpt-4o", false, &[]),
        (None, &nobody, "gpt-4o", false, &[]),
        (Some("free"), &nobody, "o3", false, &["no-o3"]),
        (Some("free"), &lead, "o3", true, &["free-minis"]),
    ] {
        for _ in 0..2 {
            let answer = access.ask(&model(subject(team, roles), name));
            assert_eq!(
                (
                    answer.permitted,
                    answer.policies.iter().map(String::as_str).collect::<Vec<_>>()
                ),
                (permitted, by.to_vec()),
                "{team:?} {name}"
            );
            assert!(answer.failed.is_empty());
        }
    }
    let denied = access.ask(&model(subject(None, &nobody), "gpt-4o"));
    assert_eq!(
        denied.denied_by(Act::InvokeModel),
        ["no policy permits invoke_model"]
    );
    let endpoint = Question {
        act: Act::UseEndpoint,
        resource: Resource::Endpoint {
            path: "/v1/models",
            method: "GET",
            dialect: "openai",
        },
        ..model(subject(Some("free"), &nobody), "")
    };
    assert!(!access.ask(&endpoint).permitted, "nothing is said of endpoints");
}

/// Whether a policy that cannot be evaluated permits or forbids, or has another beside it that permits: it denies.
#[test]
fn a_policy_that_cannot_be_evaluated_denies() {
    let broken = "context has max_tokens && context.max_tokens * 2 > 0";
    for policies in [
        format!("@id(\"broken\") permit (principal, action, resource) when {{ {broken} }};"),
        format!(
            "@id(\"all\") permit (principal, action, resource);\n\
             @id(\"broken\") permit (principal, action, resource) when {{ {broken} }};"
        ),
        format!(
            "@id(\"all\") permit (principal, action, resource);\n\
             @id(\"broken\") forbid (principal, action, resource) when {{ {broken} }};"
        ),
    ] {
        let access = read(&policies);
        let mut question = model(subject(None, &[]), "gpt-4o");
        question.circumstances.max_tokens = Some(u64::MAX);
        let answer = access.ask(&question);
        assert!(!answer.permitted, "{policies}");
        assert_eq!(answer.failed, ["broken"]);
        assert_eq!(
            answer.denied_by(Act::InvokeModel),
            ["policy.broken (cannot be evaluated)"]
        );
    }
}

#[test]
fn circumstances_are_looked_at_where_a_policy_does() {
    let access = read(
        r#"
        permit (principal, action, resource);
        @id("inside") forbid (principal, action == Action::"invoke_model", resource)
          unless { context.source.isInRange(ip("10.0.0.0/8")) };
        @id("short") forbid (principal, action == Action::"invoke_model", resource)
          unless { context has max_tokens && context.max_tokens <= 100 };
        "#,
    );
    let mut question = model(subject(None, &[]), "gpt-4o");
    for (source, max_tokens, by) in [
        ([10, 0, 0, 1], Some(100), None),
        ([10, 0, 0, 1], Some(101), Some("short")),
        ([10, 0, 0, 1], None, Some("short")),
        ([11, 0, 0, 1], Some(100), Some("inside")),
    ] {
        question.circumstances.source = IpAddr::from(source);
        question.circumstances.max_tokens = max_tokens;
        let answer = access.ask(&question);
        assert_eq!(answer.permitted, by.is_none(), "{source:?} {max_tokens:?}");
        if let Some(by) = by {
            assert_eq!(answer.denied_by(Act::InvokeModel), [format!("policy.{by}")]);
        }
    }
    assert_eq!(access.ids(), ["a.cedar#1", "inside", "short"]);
    assert_eq!(
        access.circumstantial,
        [Act::InvokeModel],
        "the others are remembered without"
    );
}

#[test]
fn what_is_remembered_is_bounded_and_no_question_is_taken_for_another() {
    let access = read(r#"permit (principal, action, resource == Model::"ab");"#);
    for number in 0..REMEMBERED + 10 {
        let name = format!("m{number}");
        assert!(!access.ask(&model(subject(None, &[]), &name)).permitted);
    }
    assert!(access.remembered.lock().unwrap().len() <= REMEMBERED);
    let (ab, c) = (vec!["a".to_owned(), "b".to_owned()], vec!["ab".to_owned()]);
    let key = |roles| ask::key(&model(subject(None, roles), "x"), false);
    assert_ne!(key(&ab), key(&c));
    let (mut one, mut other) = (model(subject(None, &[]), "x"), model(subject(None, &[]), "x"));
    (one.subject.org, one.subject.team) = (Some("x"), None);
    (other.subject.org, other.subject.team) = (None, Some("x"));
    assert_ne!(ask::key(&one, false), ask::key(&other, false));
}

#[test]
fn everything_that_is_wrong_is_told_with_its_place() {
    for (text, says) in [
        ("permit (principal, action, resource)", "policies/a.cedar:1:"),
        (
            "permit (principal, action, resource);\n\nforbid (principal, action, resource)\n  when { principal.naem == \"x\" };",
            "policies/a.cedar:4:10: ",
        ),
        (
            "permit (principal, action == Action::\"invoke_modle\", resource);",
            "invoke_modle",
        ),
        ("permit (principal in Taem::\"x\", action, resource);", "Taem"),
        (
            "permit (principal, action, resource) when { context.max_tokens > 5 };",
            "max_tokens",
        ),
        ("permit (principal == ?principal, action, resource);", "template"),
        (
            "permit (principal, action == Action::\"invoke_model\", resource == Endpoint::\"/v1/models\");",
            "",
        ),
        (
            "forbid (principal, action, resource);",
            "no policy permits anything",
        ),
        ("", "no policy permits anything"),
        (
            "@id(\"a\") permit (principal, action, resource);\n@id(\"a\") permit (principal, action, resource);",
            "two policies have the id `a`",
        ),
    ] {
        let told = told(text);
        assert!(told.iter().any(|line| line.contains(says)), "{text}: {told:#?}");
    }
}

#[test]
fn texts_of_any_sort_are_only_texts() {
    let access =
        read(r#"permit (principal in Team::"a\"b", action, resource) when { principal.name == "web" };"#);
    let odd = ["a\"b", "\u{0}", "Team::\"x\"", "é\n"];
    for team in odd {
        let answer = access.ask(&model(subject(Some(team), &[]), team));
        assert_eq!(
            (answer.permitted, answer.failed.len()),
            (team == "a\"b", 0),
            "{team:?}"
        );
    }
}

fn calls<'a>(team: &'a str, server: Option<&'a str>, name: &'a str, class: &'a str) -> Question<'a> {
    Question {
        act: Act::CallTool,
        resource: Resource::Tool {
            name,
            server,
            class,
            impact: if name.starts_with("delete") {
                "irreversible"
            } else {
                "high"
            },
        },
        ..model(subject(Some(team), &[]), "")
    }
}

#[test]
fn tools_are_called_by_whom_policies_let() {
    let access = read(
        r#"
        @id("all") permit (principal, action, resource);
        @id("free-reads") forbid (principal in Team::"free", action == Action::"call_tool", resource)
          unless { resource.class == "read" };
        @id("no-deleting-at-crm") forbid (principal, action == Action::"call_tool", resource in McpServer::"crm")
          when { resource.name like "delete_*" && resource.impact == "irreversible" };
        @id("no-post") forbid (principal, action == Action::"call_tool", resource == Tool::"post");
        "#,
    );
    for (team, server, name, class, by) in [
        ("paid", None, "send", "write", None),
        ("free", None, "send", "write", Some("free-reads")),
        ("free", None, "get", "read", None),
        ("paid", None, "delete_row", "write", None),
        (
            "paid",
            Some("crm"),
            "delete_row",
            "write",
            Some("no-deleting-at-crm"),
        ),
        ("paid", Some("mail"), "delete_row", "write", None),
        ("paid", Some("mail"), "post", "read", Some("no-post")),
        ("paid", None, "post", "read", Some("no-post")),
    ] {
        for _ in 0..2 {
            let answer = access.ask(&calls(team, server, name, class));
            assert!(answer.failed.is_empty());
            let by: Vec<String> = by.iter().map(|by| format!("policy.{by}")).collect();
            assert_eq!(answer.denied_by(Act::CallTool), by, "{team} {server:?} {name}");
        }
    }
    let access = read(r#"permit (principal, action == Action::"invoke_model", resource);"#);
    let answer = access.ask(&calls("paid", None, "get", "read"));
    assert_eq!(answer.denied_by(Act::CallTool), ["no policy permits call_tool"]);
    // A tool of a server is another than one of the same name that a client brings.
    let key = |server| ask::key(&calls("paid", server, "get", "read"), false);
    assert_ne!(key(None), key(Some("crm")));
    assert_ne!(key(Some("")), key(None));
}

fn looks<'a>(act: Act, path: &'a str, roles: &'a [String], issuer: &'a str) -> Question<'a> {
    Question {
        subject: Subject {
            kind: SubjectKind::Operator { issuer },
            id: "jwt_1",
            name: "ann",
            ..subject(Some("free"), roles)
        },
        act,
        resource: Resource::Admin { path, method: "POST" },
        ..model(subject(None, &[]), "")
    }
}

/// Operators are a sort of their own: what is permitted to a team is not permitted to one of its members as an operator.
#[test]
fn the_operators_side_is_asked_of_operators_alone() {
    let access = read(
        r#"
        @id("team") permit (principal in Team::"free", action, resource);
        @id("auditors") permit (principal in Role::"auditor", action == Action::"read_admin", resource);
        @id("admins") permit (principal is Operator in Role::"admin", action in [Action::"read_admin", Action::"change_admin"], resource)
          when { principal.issuer == "https://idp.example.com" };
        @id("no-keys") forbid (principal, action == Action::"change_admin", resource == AdminResource::"/api/v1/keys")
          when { resource.method == "POST" } unless { context.source.isInRange(ip("10.0.0.0/8")) };
        "#,
    );
    let role = |name: &str| vec![name.to_owned()];
    let (own, other) = ("https://idp.example.com", "https://other.example.com");
    for (act, path, roles, issuer, permitted) in [
        (Act::ReadAdmin, "/metrics", role("auditor"), own, true),
        (Act::ReadAdmin, "/metrics", role("auditor"), other, true),
        (
            Act::ChangeAdmin,
            "/api/v1/keys/{key}",
            role("auditor"),
            own,
            false,
        ),
        (Act::ChangeAdmin, "/api/v1/keys/{key}", role("admin"), own, true),
        (
            Act::ChangeAdmin,
            "/api/v1/keys/{key}",
            role("admin"),
            other,
            false,
        ),
        (Act::ReadAdmin, "/metrics", role("member"), own, false),
        (Act::ReadAdmin, "/metrics", Vec::new(), own, false),
    ] {
        for _ in 0..2 {
            let answer = access.ask(&looks(act, path, &roles, issuer));
            assert_eq!(answer.permitted, permitted, "{act:?} {path} {roles:?} {issuer}");
            assert!(answer.failed.is_empty());
        }
    }
    let admin = role("admin");
    let mut question = looks(Act::ChangeAdmin, "/api/v1/keys", &admin, own);
    assert!(access.ask(&question).permitted);
    question.circumstances.source = IpAddr::from([192, 0, 2, 1]);
    assert_eq!(
        access.ask(&question).denied_by(Act::ChangeAdmin),
        ["policy.no-keys"]
    );
    // Neither may be asked with the other's words.
    let client = Question {
        subject: subject(Some("free"), &admin),
        ..looks(Act::ReadAdmin, "/metrics", &admin, own)
    };
    let answer = access.ask(&client);
    assert!(!answer.permitted && !answer.failed.is_empty(), "{answer:?}");
}

#[test]
fn an_operators_policy_that_cannot_be_evaluated_denies() {
    let access = read(
        r#"@id("all") permit (principal, action, resource);
           @id("broken") forbid (principal is Operator, action, resource)
             when { 9223372036854775807 + (if principal.name == "" then 0 else 1) < 0 };"#,
    );
    let answer = access.ask(&looks(Act::ReadAdmin, "/metrics", &[], "x"));
    assert_eq!(
        (answer.permitted, &answer.failed[..]),
        (false, &["broken".to_owned()][..])
    );
    assert!(access.ask(&model(subject(None, &[]), "gpt-4o")).permitted);
}
