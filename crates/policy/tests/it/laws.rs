//! What holds for every profile and every set of facts.

use portcullis_core::{
    Action, Channel, Decision, Direction, Family, Glob, Located, Origin, Uninspectable, UninspectableKind,
};
use portcullis_policy::{
    Both, Facts, Injection, Links, Mode, OutputActions, Permission, Place, Profile, UninspectableActions,
    Verdict, decide,
};
use proptest::prelude::*;
use proptest::sample::select;

use crate::corpus::located;

const ACTIONS: &[Action] = &[
    Action::Allow,
    Action::Flag,
    Action::Mask,
    Action::Redact,
    Action::Strip,
    Action::Block,
];
const ORIGINS: &[Origin] = &[
    Origin::System,
    Origin::Developer,
    Origin::User,
    Origin::Model,
    Origin::ToolDefinition,
    Origin::ToolResult,
    Origin::Document,
    Origin::Unknown,
];
const KINDS: &[&str] = &[
    "injection.override",
    "EMAIL_ADDRESS",
    "SOME_KEY",
    "PERSON",
    "link.url",
    "link.script",
    "code.sql",
];
const HOSTS: &[Option<&str>] = &[None, Some("docs.example.com"), Some("evil.example")];

fn profiles() -> impl Strategy<Value = Profile> {
    (proptest::array::uniform16(select(ACTIONS)), any::<[bool; 4]>()).prop_map(|(actions, flags)| {
        let [
            user,
            untrusted,
            secrets_in,
            secrets_out,
            pii_in,
            pii_out,
            rest @ ..,
        ] = actions;
        let [
            image,
            audio,
            video,
            file,
            encrypted,
            vector,
            otherwise,
            scripts,
            markup,
            sql,
        ] = rest;
        let [observe, all_types, no_system, links] = flags;
        let mut profile = Profile {
            injection: Injection {
                user,
                untrusted,
                ..Injection::default()
            },
            secrets: Both {
                input: secrets_in,
                output: secrets_out,
            },
            uninspectable: UninspectableActions {
                image,
                audio,
                video,
                file,
                encrypted,
                vector,
            },
            links: links.then(|| Links {
                allow: vec![Glob::new("*.example.com")],
                otherwise,
            }),
            output: OutputActions {
                scripts,
                markup,
                sql,
                ..OutputActions::default()
            },
            ..Profile::default()
        };
        profile.pii.input = pii_in;
        profile.pii.output = pii_out;
        profile.mode = if observe { Mode::Observe } else { Mode::Enforce };
        if all_types {
            profile.pii.types = None;
        }
        if no_system {
            profile.system_prompt.from_client = Permission::Deny;
        }
        profile
    })
}

fn findings() -> impl Strategy<Value = Located> {
    (
        select(Channel::ALL),
        select(ORIGINS),
        select(Family::ALL),
        select(KINDS),
        select(HOSTS),
    )
        .prop_map(|(channel, origin, family, kind, host)| located(channel, origin, family, kind, host))
}

fn unreadable() -> impl Strategy<Value = Uninspectable> {
    select(UninspectableKind::ALL).prop_map(|kind| Uninspectable {
        kind,
        path: String::new(),
        bytes: 0,
    })
}

/// The facts of one case, owned.
#[derive(Clone, Debug)]
struct Owned {
    direction: Direction,
    models: Vec<Glob>,
    system: bool,
    findings: Vec<Located>,
    unreadable: Vec<Uninspectable>,
}

fn facts() -> impl Strategy<Value = Owned> {
    (
        select(&[Direction::Input, Direction::Output][..]),
        proptest::collection::vec(select(&["gpt-*", "claude-*"][..]).prop_map(Glob::new), 0..2),
        any::<bool>(),
        proptest::collection::vec(findings(), 0..6),
        proptest::collection::vec(unreadable(), 0..3),
    )
        .prop_map(|(direction, models, system, findings, unreadable)| Owned {
            direction,
            models,
            system,
            findings,
            unreadable,
        })
}

fn judge(profile: &Profile, facts: &Owned) -> Verdict {
    let lists: Vec<&[Glob]> = Some(facts.models.as_slice())
        .filter(|list| !list.is_empty())
        .into_iter()
        .collect();
    decide(
        profile,
        &Facts {
            direction: facts.direction,
            principal_models: &lists,
            model: Some("gpt-4o"),
            system_prompt_from_client: facts.system,
            findings: &facts.findings,
            uninspectable: &facts.unreadable,
        },
    )
}

proptest! {
    #[test]
    fn one_more_fact_never_makes_a_decision_milder(
        profile in profiles(), facts in facts(), finding in findings(), content in unreadable(), at in any::<prop::sample::Index>()
    ) {
        let before = judge(&profile, &facts);
        let mut more = facts.clone();
        more.findings.insert(at.index(facts.findings.len() + 1), finding);
        let after = judge(&profile, &more);
        prop_assert!(after.decision >= before.decision, "{before:?} became {after:?}");
        more.unreadable.insert(at.index(facts.unreadable.len() + 1), content);
        prop_assert!(judge(&profile, &more).decision >= after.decision);
    }

    #[test]
    fn a_verdict_agrees_with_its_rulings(profile in profiles(), facts in facts()) {
        let verdict = judge(&profile, &facts);
        prop_assert_eq!(verdict.rulings.len(), facts.findings.len());
        prop_assert_eq!(verdict.uninspectable.len(), facts.unreadable.len());
        prop_assert_eq!(verdict.refusal.is_some(), verdict.decision == Decision::Block);
        prop_assert_eq!(verdict.refused_by.is_some(), verdict.refusal.is_some());
        let strictest = verdict.rulings.iter().chain(&verdict.uninspectable).map(|ruling| ruling.action).max();
        if verdict.refusal.is_none() {
            let changes = strictest.is_some_and(Action::changes_text);
            prop_assert_eq!(changes, verdict.decision == Decision::Redact);
        }
        for ruling in &verdict.rulings {
            prop_assert!(facts.direction == Direction::Input || ruling.action != Action::Mask, "nothing to restore");
            prop_assert!(profile.mode == Mode::Enforce || !ruling.action.changes_text(), "observing changes nothing");
        }
    }

    #[test]
    fn an_unknown_place_is_judged_at_least_as_strictly_as_any_other(
        profile in profiles(), direction in select(&[Direction::Input, Direction::Output][..]), finding in findings()
    ) {
        let kind = &finding.finding.kind;
        let at = |channel| Place {
            direction,
            channel,
            origin: finding.origin,
            family: finding.finding.family,
            kind,
            target: finding.finding.target.as_deref(),
        };
        let known = profile.ruling(&at(finding.channel));
        let unknown = profile.ruling(&at(Channel::Unknown));
        prop_assert!(unknown.action >= known.action, "{known:?} but {unknown:?}");
    }
}
