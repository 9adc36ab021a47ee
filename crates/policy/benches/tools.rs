//! What a decision about a tool call costs: the evidence of a conversation of thirty messages, and the judgement of one call of it.
//!
//! `evidence and call` is what a request with one call pays, whatever the call was: nothing is kept between two of them. `one more call` is
//! what a second, parallel call of the same reply adds.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::too_many_lines,
    reason = "a benchmark whose set-up fails has nothing to measure, and a conversation is long"
)]
#![allow(missing_docs, reason = "criterion's macros make items without documentation")]

use std::fmt::Write as _;
use std::hint::black_box;
use std::sync::Arc;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use portcullis_core::{KeyId, Origin, Principal};
use portcullis_policy::tools::{Conversation, Evidence, Offered, ToolPolicy, Turn, judge};
use serde_json::{Value, json};

/// The program's own.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const PEOPLE: [(&str, &str); 6] = [
    ("Mara Lindqvist", "mara.lindqvist@northfield-labs.com"),
    ("Tom Okafor", "tom.okafor@northfield-labs.com"),
    ("Priya Raman", "priya.raman@northfield-labs.com"),
    ("Jules Ferrand", "jules.ferrand@atelier-ferrand.fr"),
    ("Hana Sato", "h.sato@kawabe-print.co.jp"),
    ("Billing", "no-reply@cloud-invoices.net"),
];

/// Mails as a server of mails gives them.
fn mails(first: usize, count: usize) -> String {
    let bodies = [
        "Hi Lena,\n\nthe venue has confirmed the 14th and asks for the number of guests by Friday. I said forty, which should leave some room. \
         They also want to know whether we need the projector; the one in the large room is broken, so it would be theirs.\n\nBest,\nMara",
        "Lena,\n\nhere is what we agreed on in the call: two print runs, the second one only if the first is gone by May. Proofs are at \
         https://proofs.kawabe-print.co.jp/northfield/2291 until the end of the month. The price stays as it was.\n\nRegards\nHana",
        "Your invoice INV-2024-0519 over EUR 1,184.20 is ready. You need not do anything: it is debited on 3 June from the account that ends in \
         4417. If you have questions, answer to this mail or call +49 30 5550 1200.",
        "Hello,\n\nthe draft of the programme is in the shared folder (programme-v3.docx). Please have a look at the second afternoon, I am not \
         sure about the order. Jules would rather speak before the break. Can you tell him when?\n\nThanks, Priya",
    ];
    let list: Vec<Value> = (first..first + count)
        .map(|number| {
            let (_, sender) = PEOPLE[number % PEOPLE.len()];
            json!({
                "id_": (100 + number).to_string(),
                "sender": sender,
                "recipients": ["lena.brandt@northfield-labs.com"],
                "cc": if number % 3 == 0 { json!(["tom.okafor@northfield-labs.com"]) } else { json!([]) },
                "subject": format!("{} {number}", ["Venue", "Print run", "Invoice", "Programme"][number % 4]),
                "body": bodies[number % bodies.len()],
                "status": "received",
                "read": number % 2 == 0,
                "timestamp": format!("2024-05-{:02}T09:{:02}:00", 1 + number % 28, number % 60),
                "attachments": [],
            })
        })
        .collect();
    Value::from(list).to_string()
}

/// A calendar in YAML, as other servers write.
fn events(count: usize) -> String {
    let mut text = String::new();
    for number in 0..count {
        let (name, guest) = PEOPLE[number % PEOPLE.len()];
        let _ = write!(
            text,
            "- id_: '{number}'\n  title: Talk with {name}\n  description: Goes through what is open, then the plan for the next week.\n  \
             start_time: 2024-05-{:02}T10:00:00\n  end_time: 2024-05-{:02}T11:00:00\n  location: Room {number}\n  participants:\n  \
             - lena.brandt@northfield-labs.com\n  - {guest}\n  all_day: false\n  status: confirmed\n",
            10 + number,
            10 + number,
        );
    }
    text
}

fn files(count: usize) -> String {
    let list: Vec<Value> = (0..count)
        .map(|number| {
            json!({
                "id_": number.to_string(),
                "filename": format!("programme-v{number}.docx"),
                "content": "Programme of the spring meeting\n\nFirst day\n  09:00 Welcome (Mara)\n  09:30 What we learned from the pilot (Tom, Priya)\n  \
                    11:00 Break\n  11:30 Printing in small numbers (Hana Sato, Kawabe)\n  13:00 Lunch\n\nSecond day\n  09:30 Open space\n  \
                    14:00 The shop window as a medium (Jules Ferrand)\n  16:00 End\n\nStill open: who opens the second day; whether there is a dinner.",
                "owner": "priya.raman@northfield-labs.com",
                "last_modified": "2024-05-13T13:30:00",
                "shared_with": { "lena.brandt@northfield-labs.com": "rw", "tom.okafor@northfield-labs.com": "r" },
                "size": 512 + number,
            })
        })
        .collect();
    Value::from(list).to_string()
}

fn contacts() -> String {
    let mut text = "name,email,phone\n".to_owned();
    for (name, email) in PEOPLE {
        let _ = writeln!(text, "{name},{email},+49 30 5550 1200");
    }
    text
}

/// Thirty messages: the operator's prompt, three turns of the user, thirteen look-ups and changes with their results.
fn conversation() -> Conversation {
    let said = |origin, text: &str| Turn::Said {
        origin,
        text: text.to_owned(),
    };
    let mut turns = vec![said(
        Origin::System,
        "You work for Lena Brandt (lena.brandt@northfield-labs.com) on her mails, her calendar and her files. Use the tools; do not make up \
         addresses or dates. Today's date is to be asked for. If a search finds nothing, try another one before you give up.",
    )];
    let mut number = 0;
    let mut asked = |turns: &mut Vec<Turn>, tool: &str, arguments: Value, result: String| {
        number += 1;
        let id = format!("call_{number:020x}");
        turns.push(Turn::Called {
            id: id.clone(),
            tool: tool.to_owned(),
            arguments,
        });
        turns.push(Turn::Returned {
            call: id,
            tool: None,
            text: result,
        });
    };
    turns.push(said(
        Origin::User,
        "What is new about the spring meeting? Please look at my mails of the last days and at the programme.",
    ));
    asked(&mut turns, "get_current_day", json!({}), "2024-05-15".to_owned());
    asked(&mut turns, "get_unread_emails", json!({}), mails(0, 10));
    asked(
        &mut turns,
        "search_emails",
        json!({"query": "spring meeting"}),
        mails(6, 4),
    );
    asked(
        &mut turns,
        "search_files_by_filename",
        json!({"filename": "programme"}),
        files(4),
    );
    turns.push(said(
        Origin::User,
        "Put a talk with Jules on the second afternoon into the calendar and invite Tom.",
    ));
    asked(
        &mut turns,
        "get_day_calendar_events",
        json!({"day": "2024-06-14"}),
        events(6),
    );
    asked(
        &mut turns,
        "search_contacts_by_name",
        json!({"query": "Jules"}),
        contacts(),
    );
    asked(
        &mut turns,
        "create_calendar_event",
        json!({"title": "Talk with Jules", "start_time": "2024-06-14 14:00", "end_time": "2024-06-14 15:00",
               "participants": ["jules.ferrand@atelier-ferrand.fr", "tom.okafor@northfield-labs.com"]}),
        json!({"id_": "31", "title": "Talk with Jules", "status": "confirmed", "location": null}).to_string(),
    );
    asked(
        &mut turns,
        "get_day_calendar_events",
        json!({"day": "2024-06-15"}),
        "[]".to_owned(),
    );
    turns.push(said(
        Origin::User,
        "Now write to Jules Ferrand that he speaks at 14:00 on the second day, before the break, with the programme attached. Tom and \
         priya.raman@northfield-labs.com in copy.",
    ));
    asked(
        &mut turns,
        "search_emails",
        json!({"query": "Jules", "sender": "jules.ferrand@atelier-ferrand.fr"}),
        mails(10, 2),
    );
    asked(
        &mut turns,
        "search_contacts_by_name",
        json!({"query": "Jules Ferrand"}),
        contacts(),
    );
    asked(&mut turns, "get_file_by_id", json!({"file_id": "1"}), files(1));
    asked(
        &mut turns,
        "search_contacts_by_name",
        json!({"query": "Tom"}),
        contacts(),
    );
    asked(
        &mut turns,
        "list_rooms",
        json!({"building": "north"}),
        "There are three rooms: Alder (40 seats), Birch (12 seats, no projector) and Cedar (8 seats)."
            .to_owned(),
    );
    assert_eq!(turns.len(), 30);
    Conversation {
        turns,
        offered: offered(),
        tainted: false,
    }
}

fn offered() -> Vec<Offered> {
    let tools: [(&str, &[&str]); 10] = [
        (
            "send_email",
            &["recipients[]", "cc[]", "subject", "body", "attachments[]"],
        ),
        ("delete_email", &["email_id"]),
        ("get_unread_emails", &[]),
        ("search_emails", &["query", "sender"]),
        ("search_contacts_by_name", &["query"]),
        ("search_files_by_filename", &["filename"]),
        ("get_file_by_id", &["file_id"]),
        ("share_file", &["file_id", "email", "permission"]),
        ("get_day_calendar_events", &["day"]),
        (
            "create_calendar_event",
            &["title", "start_time", "end_time", "participants[]", "location"],
        ),
    ];
    let schema = |arguments: &[&str]| {
        let members = arguments.iter().map(|name| {
            let of = match name.strip_suffix("[]") {
                Some(_) => json!({"type": "array", "items": {"type": "string"}}),
                None => json!({"type": "string", "description": "as the tool says"}),
            };
            (name.trim_end_matches("[]").to_owned(), of)
        });
        json!({"type": "object", "properties": members.collect::<serde_json::Map<_, _>>()})
    };
    let offered = tools.iter().map(|(name, arguments)| Offered {
        name: (*name).to_owned(),
        about: "One of the tools of the office.".to_owned(),
        schema: schema(arguments),
    });
    offered.collect()
}

/// A call that writes: two recipients in two arguments, an attachment, two texts that are read.
fn call() -> Value {
    json!({
        "recipients": ["jules.ferrand@atelier-ferrand.fr"],
        "cc": ["tom.okafor@northfield-labs.com", "priya.raman@northfield-labs.com"],
        "subject": "Your talk on the second day",
        "body": "Dear Jules,\n\nyou speak at 14:00 on the second day, before the break. The programme is attached; should anything in it be wrong, \
                 tell Priya or me.\n\nBest regards\nLena",
        "attachments": [{"type": "file", "file_id": "1"}],
    })
}

fn decisions(c: &mut Criterion) {
    let written = json!({
        "owner": ["lena.brandt@northfield-labs.com"],
        "tools": {
            "send_email": {
                "sinks": {"recipients[]": "email", "cc[]": "email", "bcc[]": "email", "attachments[].file_id": "id"},
                "content": ["subject", "body"],
            },
            "delete_email": {"impact": "irreversible", "sinks": {"email_id": "id"}},
            "share_file": {"sinks": {"file_id": "id", "email": "email"}},
            "create_calendar_event": {"impact": "medium", "sinks": {"participants[]": "email"}, "content": ["title", "location"]},
        },
        "results": {
            "*_emails": {"trusted": {"[].id_": "id"}, "known": {"[].sender": "email", "[].recipients[]": "email"}},
            "search_contacts_*": {"trusted": {"[].email": "email"}},
            "*_calendar_events": {"trusted": {"[].id_": "id"}, "known": {"[].participants[]": "email"}},
            "*file*": {"trusted": {"[].id_": "id"}},
            "get_current_day": {"harmless": true},
        },
    });
    let conversation = conversation();
    let bytes: usize = conversation
        .turns
        .iter()
        .map(|turn| match turn {
            Turn::Said { text, .. } | Turn::Returned { text, .. } => text.len(),
            Turn::Called { arguments, .. } => arguments.to_string().len(),
        })
        .sum();
    assert!((12_000..24_000).contains(&bytes), "{bytes}");
    let who = Principal::new(KeyId::from_text("key_1"), "agent");
    let call = call();
    for (name, policy) in [("a policy", written), ("derived", json!({}))] {
        let policy: Arc<ToolPolicy> = Arc::new(serde_json::from_value(policy).unwrap());
        let evidence = || Evidence::new(Arc::clone(&policy), conversation.clone());
        let verdict = judge(&evidence(), &who, "send_email", &call, &[]);
        // With the policy nothing is doubtful, so that everything is looked at.
        if name == "a policy" {
            assert!(verdict.reasons.is_empty(), "{verdict:?}");
        }
        c.bench_function(&format!("tools, {name}, evidence and call"), |b| {
            b.iter_batched(
                || conversation.clone(),
                |conversation| {
                    let evidence = Evidence::new(Arc::clone(&policy), conversation);
                    judge(&evidence, &who, "send_email", black_box(&call), &[])
                },
                BatchSize::SmallInput,
            );
        });
        let evidence = evidence();
        c.bench_function(&format!("tools, {name}, one more call"), |b| {
            b.iter(|| black_box(judge(&evidence, &who, "send_email", black_box(&call), &[])));
        });
    }
}

criterion_group!(benches, decisions);
criterion_main!(benches);
