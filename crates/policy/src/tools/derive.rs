//! The rule of a tool that no rule names: from the words of its name and the names of its arguments. Whatever cannot be told is taken for
//! the worse: a name without a verb writes.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::conversation::Offered;
use super::rule::{Class, Impact, Sink};
use super::sort::Sort;
use super::verbs::{Does, Verb, joined, words};

/// What is derived of a tool.
#[derive(Clone, Debug)]
pub struct Derived {
    /// What it does.
    pub class: Class,
    /// How bad it is where it goes wrong.
    pub impact: Impact,
    /// Arguments that decide who or what is touched.
    pub sinks: BTreeMap<String, Sink>,
    /// Arguments whose text somebody reads.
    pub content: Vec<String>,
}

/// How deep a schema of arguments is looked into.
const MAX_DEPTH: usize = 6;

/// Derives the rule of a tool from its name, where the client offers it the schema of its arguments, and the arguments of a call: a model
/// may give some that no schema names.
#[must_use]
pub fn tool(name: &str, offered: Option<&Offered>, given: &[(String, String)]) -> Derived {
    let mut fields = Fields::default();
    fields.all(offered);
    for (path, _) in given {
        fields.given(path);
    }
    let (does, class) = fields.class(name);
    if class == Class::Fetch {
        fields.sinks.retain(|_, sink| sink.rule().sort == Sort::Url);
    }
    Derived {
        class,
        impact: match (class, does) {
            (Class::Read, _) => Impact::Low,
            (Class::Fetch, _) => Impact::Medium,
            (Class::Write, Does::Destroys) => Impact::Irreversible,
            (Class::Write, _) => Impact::High,
        },
        sinks: match class {
            Class::Read => BTreeMap::new(),
            _ => fields.sinks,
        },
        content: fields.content,
    }
}

/// The same of the class alone.
#[must_use]
pub fn class(name: &str, offered: Option<&Offered>) -> Class {
    if does(name) != Does::Reads {
        return Class::Write;
    }
    let mut fields = Fields {
        is_for_class: true,
        ..Fields::default()
    };
    fields.all(offered);
    fields.class(name).1
}

/// What a tool does, by its name: the first verb counts, and a verb behind it that destroys.
fn does(name: &str) -> Does {
    let words = words(name);
    let mut verbs = words
        .iter()
        .filter_map(|word| Verb::of(word))
        .map(|verb| verb.does);
    match verbs.next() {
        None => Does::Writes,
        Some(Does::Reads) if words.iter().any(|word| COMMANDS.contains(&&**word)) => Does::Writes,
        Some(Does::Reads) => Does::Reads,
        Some(first) => {
            if verbs.any(|does| does == Does::Destroys) {
                Does::Destroys
            } else {
                first
            }
        }
    }
}

/// What is said of a tool that reads and does something on the way: `get_and_delete`, `query_update`.
const COMMANDS: &[&str] = &[
    "delete", "remove", "send", "update", "transfer", "pay", "execute", "write", "insert", "drop", "create",
    "set",
];

#[derive(Default)]
struct Fields {
    sinks: BTreeMap<String, Sink>,
    content: Vec<String>,
    /// Whether an argument is a program: a command, a statement, code.
    orders: bool,
    /// Whether an argument says where something is read from.
    fetches: bool,
    /// Whether nothing else is asked for.
    is_for_class: bool,
}

impl Fields {
    fn all(&mut self, offered: Option<&Offered>) {
        if let Some(offered) = offered {
            self.walk(&mut String::new(), &offered.schema, &offered.schema, 0);
        }
    }

    /// What a tool with these arguments does.
    fn class(&self, name: &str) -> (Does, Class) {
        let does = match does(name) {
            // Whoever may write the statement or the command writes more than what reads.
            Does::Reads if self.orders => Does::Writes,
            does => does,
        };
        let class = match does {
            Does::Reads if self.fetches => Class::Fetch,
            Does::Reads => Class::Read,
            Does::Writes | Does::Destroys => Class::Write,
        };
        (does, class)
    }

    /// Looks at the members that an object may have.
    fn walk(&mut self, path: &mut String, schema: &Json, root: &Json, depth: usize) {
        if depth > MAX_DEPTH {
            return;
        }
        let deeper = depth.saturating_add(1);
        let length = path.len();
        for schema in variants(schema, root) {
            let Some(properties) = schema.get("properties").and_then(Json::as_object) else {
                continue;
            };
            for (name, member) in properties {
                if !path.is_empty() {
                    path.push('.');
                }
                path.push_str(name);
                self.member(path, name, member, root, deeper);
                path.truncate(length);
            }
        }
    }

    fn member(&mut self, path: &mut String, name: &str, schema: &Json, root: &Json, depth: usize) {
        if depth > MAX_DEPTH {
            return;
        }
        let deeper = depth.saturating_add(1);
        let length = path.len();
        let mut is_plain = true;
        for schema in variants(schema, root) {
            if let Some(items) = schema.get("items") {
                is_plain = false;
                path.push_str("[]");
                self.member(path, name, items, root, deeper);
                path.truncate(length);
            }
            if schema.get("properties").is_some() {
                is_plain = false;
                self.walk(path, schema, root, deeper);
            }
        }
        if is_plain {
            let key = &*joined(name);
            self.add(path, key, sort_of(key));
        }
    }

    fn add(&mut self, path: &str, key: &str, sort: Option<Sort>) {
        self.orders |= sort == Some(Sort::Text);
        self.fetches |= sort == Some(Sort::Url);
        if self.is_for_class {
            return;
        }
        match sort {
            Some(sort) => {
                self.sinks.insert(path.to_owned(), Sink::Sort(sort));
            }
            None if is_content(key) && !self.content.iter().any(|known| known == path) => {
                self.content.push(path.to_owned());
            }
            None => {}
        }
    }

    /// An argument that a call gives.
    fn given(&mut self, path: &str) {
        if self.sinks.contains_key(path) {
            return;
        }
        let name = path.trim_end_matches("[]").rsplit('.').next().unwrap_or(path);
        let key = &*joined(name.trim_end_matches("[]"));
        self.add(path, key, sort_of(key));
    }
}

/// A schema and what it stands for or may be instead.
fn variants<'s>(schema: &'s Json, root: &'s Json) -> impl Iterator<Item = &'s Json> {
    let instead = ["anyOf", "oneOf", "allOf"]
        .into_iter()
        .filter_map(|key| schema.get(key)?.as_array())
        .flatten();
    std::iter::once(schema).chain(instead).flat_map(move |schema| {
        let referred = || root.pointer(schema.get("$ref")?.as_str()?.strip_prefix('#')?);
        std::iter::once(schema).chain(referred())
    })
}

/// What an argument of such a name decides, if it decides who or what is touched.
fn sort_of(key: &str) -> Option<Sort> {
    let last = key.rsplit('_').next().unwrap_or(key);
    let ends = |words: &[&str]| words.contains(&key) || words.contains(&last);
    if ends(&[
        "recipient",
        "recipients",
        "to",
        "cc",
        "bcc",
        "participant",
        "participants",
        "attendee",
        "attendees",
        "guest",
        "guests",
        "beneficiary",
        "payee",
        "receiver",
        "invitee",
        "invitees",
        "target",
        "destination",
    ]) {
        Some(Sort::Party)
    } else if ends(&["email", "emails", "mail"])
        || key.ends_with("email_address")
        || key.ends_with("email_addresses")
    {
        Some(Sort::Email)
    } else if ends(&[
        "url", "urls", "uri", "link", "links", "website", "webpage", "endpoint", "webhook", "host",
        "hostname", "domain", "site",
    ]) {
        Some(Sort::Url)
    } else if ends(&["iban", "account", "accounts", "phone", "wallet", "card"])
        || key.ends_with("account_number")
        || key.ends_with("account_id")
        || key.ends_with("phone_number")
        || key.ends_with("card_number")
        || key.ends_with("wallet_address")
        || key.ends_with("routing_number")
    {
        Some(Sort::Account)
    } else if ends(&["id", "ids", "uuid", "guid"]) {
        Some(Sort::Id)
    } else if ends(&[
        "user",
        "users",
        "username",
        "usernames",
        "channel",
        "channels",
        "group",
        "team",
        "member",
        "members",
        "person",
        "contact",
        "customer",
        "owner",
        "repo",
        "repository",
        "project",
        "device",
        "hotel",
        "restaurant",
        "company",
        "password",
        "pin",
        "passcode",
    ]) || key == "name"
    {
        Some(Sort::Name)
    } else if PROGRAMS.contains(&key) || key.ends_with("_command") || key.ends_with("_sql") {
        // Nothing is more powerful: it is the user's own words or it is asked about.
        Some(Sort::Text)
    } else if ends(&["path", "filepath", "directory", "dir", "folder"]) {
        Some(Sort::Path)
    } else {
        None
    }
}

/// Arguments that are programs: whoever writes one decides everything.
const PROGRAMS: &[&str] = &[
    "command",
    "commands",
    "cmd",
    "code",
    "source_code",
    "python_code",
    "script",
    "sql",
    "sql_query",
    "statement",
    "statements",
    "argv",
    "shell",
    "bash",
    "program",
    "expression",
];

fn is_content(key: &str) -> bool {
    let last = key.rsplit('_').next().unwrap_or(key);
    [
        "body",
        "content",
        "contents",
        "subject",
        "description",
        "message",
        "text",
        "title",
        "comment",
        "note",
        "notes",
        "summary",
        "location",
        "caption",
        "tweet",
        "reply",
        "html",
        "reason",
        "details",
        "memo",
        "data",
        "payload",
    ]
    .contains(&last)
}

/// Words of tools that tell the time or do sums: where a name has no other, nobody else writes what they return.
const CLOCK: &[&str] = &[
    "get",
    "current",
    "the",
    "today",
    "todays",
    "now",
    "day",
    "date",
    "time",
    "datetime",
    "clock",
    "timezone",
    "zone",
    "weekday",
    "week",
    "month",
    "year",
    "utc",
    "local",
    "system",
    "calculator",
    "calculate",
    "compute",
];

/// Whether nobody else writes what a tool without a rule returns.
#[must_use]
pub fn is_harmless(name: &str) -> bool {
    let words = words(name);
    !words.is_empty() && words.iter().all(|word| CLOCK.contains(&&**word))
}

/// What a field of a result is worth, by its path alone: an identifier is the tool's own, and so is a list of plain names; fields that say who
/// somebody is are known. Of what is fetched from somewhere, nothing is.
#[must_use]
pub fn field(class: Class, path: &str, sort: Sort) -> Option<Worth> {
    if class == Class::Fetch || path.is_empty() {
        return None;
    }
    let last = path.rsplit('.').next().unwrap_or(path);
    let key = &*joined(last.trim_end_matches("[]"));
    let is_id = key == "id" || key == "uuid" || key == "guid" || key.ends_with("_id");
    match sort {
        Sort::Id => is_id.then_some(Worth::Trusted),
        Sort::Name if path == "[]" => Some(Worth::Trusted),
        Sort::Name
            if matches!(
                key,
                "sender" | "user" | "username" | "channel" | "author" | "name" | "member" | "members"
            ) =>
        {
            Some(Worth::Trusted)
        }
        _ => {
            let says_who = [
                "sender",
                "from",
                "to",
                "cc",
                "author",
                "owner",
                "email",
                "emails",
                "mail",
                "participants",
                "attendees",
                "recipients",
                "recipient",
                "user",
                "username",
                "name",
                "members",
                "organizer",
                "contact",
                "phone",
                "iban",
                "account",
                "address",
                "url",
                "link",
                "website",
                "path",
                "filename",
                "title",
                "guests",
                "creator",
                "assignee",
                "shared_with",
            ];
            let tail = key.rsplit('_').next().unwrap_or(key);
            (says_who.contains(&key) || says_who.contains(&tail)).then_some(Worth::Known)
        }
    }
}

/// What a field of a result is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Worth {
    /// Others write it, and it says who somebody is.
    Known,
    /// The tool writes it.
    Trusted,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offered(name: &str, schema: &str) -> Derived {
        let offered = Offered {
            name: name.to_owned(),
            about: String::new(),
            schema: serde_json::from_str(schema).unwrap(),
        };
        tool(name, Some(&offered), &[])
    }

    #[test]
    fn names_say_what_tools_do() {
        for (name, class, impact) in [
            ("get_unread_emails", Class::Read, Impact::Low),
            ("send_email", Class::Write, Impact::High),
            ("GmailDeleteEmails", Class::Write, Impact::Irreversible),
            ("frobnicate", Class::Write, Impact::High),
            ("search_and_delete", Class::Write, Impact::High),
            ("add_or_remove_user", Class::Write, Impact::Irreversible),
        ] {
            let derived = tool(name, None, &[]);
            assert_eq!((derived.class, derived.impact), (class, impact), "{name}");
        }
    }

    #[test]
    fn arguments_say_who_is_touched() {
        let derived = offered(
            "send_email",
            r##"{"type": "object", "properties": {
                "recipients": {"type": "array", "items": {"type": "string"}},
                "cc": {"anyOf": [{"type": "array", "items": {"type": "string"}}, {"type": "null"}]},
                "attachments": {"type": "array", "items": {"$ref": "#/$defs/File"}},
                "subject": {"type": "string"}, "body": {"type": "string"}},
                "$defs": {"File": {"properties": {"file_id": {"type": "string"}}}}}"##,
        );
        let sinks: Vec<_> = derived
            .sinks
            .iter()
            .map(|(path, sink)| (path.as_str(), sink.rule().sort))
            .collect();
        assert_eq!(
            sinks,
            [
                ("attachments[].file_id", Sort::Id),
                ("cc[]", Sort::Party),
                ("recipients[]", Sort::Party)
            ]
        );
        assert_eq!(derived.content, ["subject", "body"]);
    }

    #[test]
    fn a_program_is_written_and_arguments_that_no_schema_names_count() {
        let derived = offered("query_database", r#"{"properties": {"sql": {"type": "string"}}}"#);
        assert_eq!((derived.class, derived.impact), (Class::Write, Impact::High));
        let given = [
            ("to[]".to_owned(), String::new()),
            ("action.command[]".to_owned(), String::new()),
        ];
        let derived = tool("forward", None, &given);
        let sorts: Vec<_> = derived.sinks.values().map(|sink| sink.rule().sort).collect();
        assert_eq!(sorts, [Sort::Text, Sort::Party]);
    }

    #[test]
    fn only_a_clock_is_harmless() {
        for (name, harmless) in [
            ("get_current_day", true),
            ("calculate", true),
            ("get_time_entries", false),
            ("get_day_calendar_events", false),
            ("", false),
        ] {
            assert_eq!(is_harmless(name), harmless, "{name}");
        }
    }

    #[test]
    fn what_reads_from_an_address_fetches() {
        let derived = offered(
            "get_webpage",
            r#"{"properties": {"url": {"type": "string"}, "id": {}}}"#,
        );
        assert_eq!(derived.class, Class::Fetch);
        assert_eq!(derived.sinks.len(), 1);
    }
}
