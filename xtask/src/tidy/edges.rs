//! Which crate may depend on which: ours, and third parties'.
//!
//! The tables are the architecture. A new edge is a line here, and a reason in `ARCHITECTURE.md`.

use toml::Table;

use super::Complaint;
use crate::tree::Tree;

/// What a crate may depend on.
struct Room {
    name: &'static str,
    /// Crates of ours.
    ours: &'static [&'static str],
    /// Crates of others.
    others: Others,
    /// Whether it computes from its arguments alone.
    pure: bool,
}

enum Others {
    /// These and no more: pure crates.
    Only(&'static [&'static str]),
    /// Anything but these: rooms that do I/O, each of its own kind.
    Not(&'static [&'static str]),
}

static ROOMS: &[Room] = &[
    Room {
        name: "core",
        ours: &[],
        others: Others::Only(&["bytes", "serde", "zeroize"]),
        pure: true,
    },
    Room {
        name: "dialect",
        ours: &["core"],
        others: Others::Only(&["base64", "bytes", "bytestring", "memchr", "thiserror"]),
        pure: true,
    },
    Room {
        name: "inspect",
        ours: &["core"],
        others: Others::Only(&[
            "bip39",
            "crc32fast",
            "memchr",
            "phonenumber",
            "regex-automata",
            "regex-syntax",
            "serde",
            "sha2",
            "siphasher",
            "thiserror",
            "toml",
            "unicode-normalization",
            "unicode-security",
        ]),
        pure: true,
    },
    Room {
        name: "infer",
        ours: &["core", "inspect"],
        others: Others::Not(&["axum", "clap", "hyper", "reqwest", "rusqlite", "sqlx"]),
        pure: false,
    },
    Room {
        name: "policy",
        ours: &["core"],
        others: Others::Only(&[
            "cedar-policy",
            "memchr",
            "miette",
            "regex-automata",
            "saphyr-parser",
            "schemars",
            "serde",
            "serde_json",
            "sqlparser",
            "thiserror",
            "unicode-normalization",
            "url",
        ]),
        pure: true,
    },
    Room {
        name: "schema",
        ours: &[],
        others: Others::Only(&["jsonschema", "serde_json"]),
        pure: true,
    },
    Room {
        name: "store",
        ours: &["core"],
        others: Others::Not(&[
            "axum",
            "http",
            "http-body-util",
            "hyper",
            "hyper-util",
            "regex-automata",
            "clap",
        ]),
        pure: false,
    },
    Room {
        name: "database",
        ours: &["policy"],
        others: Others::Not(&["axum", "clap", "hyper", "redis", "regex-automata"]),
        pure: false,
    },
    Room {
        name: "proxy",
        ours: &["core", "dialect", "inspect", "infer", "policy", "schema", "store"],
        others: Others::Not(&[
            "axum",
            "clap",
            "jsonschema",
            "regex-automata",
            "rusqlite",
            "saphyr",
            "toml",
        ]),
        pure: false,
    },
    Room {
        name: "admin",
        ours: &["core", "store", "policy"],
        others: Others::Not(&["clap", "hyper-rustls", "regex-automata", "rusqlite", "saphyr"]),
        pure: false,
    },
    Room {
        name: "portcullis",
        ours: &[
            "core", "dialect", "inspect", "infer", "policy", "schema", "store", "database", "proxy", "admin",
        ],
        others: Others::Not(&[
            "aho-corasick",
            "jsonschema",
            "regex-automata",
            "rusqlite",
            "hyper-rustls",
        ]),
        pure: false,
    },
];

/// Our crates depend on each other only as the table says, tests included.
pub fn ours(tree: &Tree) -> Vec<Complaint> {
    each_room(tree, |room, path, manifest, complaints| {
        for dependency in dependencies(
            manifest,
            &["dependencies", "build-dependencies", "dev-dependencies"],
        ) {
            let Some(short) = dependency.strip_prefix("portcullis-") else {
                continue;
            };
            if !room.ours.contains(&short) {
                let what = format!(
                    "{} must not see {short}: see the room table of ARCHITECTURE.md",
                    room.name
                );
                complaints.push(Complaint::new(path, what));
            }
        }
    })
}

/// Third parties' crates stay in the rooms that may touch what they touch. Tests may use more.
pub fn third_party(tree: &Tree) -> Vec<Complaint> {
    each_room(tree, |room, path, manifest, complaints| {
        for dependency in dependencies(manifest, &["dependencies", "build-dependencies"]) {
            let allowed = match &room.others {
                _ if dependency.starts_with("portcullis-") => true,
                Others::Only(names) => names.contains(&dependency.as_str()),
                Others::Not(names) => !names.contains(&dependency.as_str()),
            };
            if !allowed {
                let what = format!(
                    "{} must not use {dependency}: xtask/src/tidy/edges.rs holds the table",
                    room.name
                );
                complaints.push(Complaint::new(path, what));
            }
        }
    })
}

/// Lints and versions come from the workspace, so that no crate is judged by milder rules than the others.
pub fn inheritance(tree: &Tree) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    for file in tree
        .ending("Cargo.toml")
        .filter(|file| file.path != "Cargo.toml" && !file.path.starts_with("fuzz/"))
    {
        let Ok(manifest) = file.text.parse::<Table>() else {
            continue;
        };
        let inherits = |table: Option<&toml::Value>| {
            table
                .and_then(|value| value.get("workspace"))
                .and_then(toml::Value::as_bool)
                == Some(true)
        };
        if !inherits(manifest.get("lints")) {
            complaints.push(Complaint::new(&file.path, "needs `[lints] workspace = true`"));
        }
        for kind in ["dependencies", "build-dependencies", "dev-dependencies"] {
            for (name, value) in manifest
                .get(kind)
                .and_then(toml::Value::as_table)
                .into_iter()
                .flatten()
            {
                if !inherits(Some(value)) {
                    let what = format!(
                        "{name}: versions live in [workspace.dependencies]; write `{name}.workspace = true`"
                    );
                    complaints.push(Complaint::new(&file.path, what));
                }
            }
        }
    }
    complaints
}

/// A pure crate has a `clippy.toml` that bans files, environment, network, clock and threads.
pub fn pure_crates(tree: &Tree) -> Vec<Complaint> {
    const BANNED: &[&str] = &[
        "std::fs::read",
        "std::env::var",
        "std::net::TcpStream::connect",
        "std::time::SystemTime::now",
    ];
    let mut complaints = Vec::new();
    for room in ROOMS
        .iter()
        .filter(|room| room.pure && tree.holds(&format!("crates/{}/Cargo.toml", room.name)))
    {
        let path = format!("crates/{}/clippy.toml", room.name);
        let text = tree.text(&path).unwrap_or_default();
        for method in BANNED
            .iter()
            .filter(|method| !text.contains(&format!("\"{method}\"")))
        {
            complaints.push(Complaint::new(
                &path,
                format!("{} is pure: disallow {method}", room.name),
            ));
        }
    }
    complaints
}

fn each_room(tree: &Tree, check: impl Fn(&Room, &str, &Table, &mut Vec<Complaint>)) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    for file in tree
        .ending("/Cargo.toml")
        .filter(|file| file.path.starts_with("crates/"))
    {
        let name = file
            .path
            .trim_start_matches("crates/")
            .trim_end_matches("/Cargo.toml");
        match (
            ROOMS.iter().find(|room| room.name == name),
            file.text.parse::<Table>(),
        ) {
            (Some(room), Ok(manifest)) => check(room, &file.path, &manifest, &mut complaints),
            (None, _) => complaints.push(Complaint::new(
                &file.path,
                "a crate that the table of edges does not know",
            )),
            (_, Err(why)) => complaints.push(Complaint::new(&file.path, why.to_string())),
        }
    }
    complaints
}

fn dependencies(manifest: &Table, kinds: &[&str]) -> Vec<String> {
    let tables = kinds
        .iter()
        .filter_map(|kind| manifest.get(*kind))
        .filter_map(toml::Value::as_table);
    tables.flat_map(|table| table.keys().cloned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(name: &str, lines: &str) -> Tree {
        Tree::of(&[(
            &format!("crates/{name}/Cargo.toml"),
            &format!("[lints]\nworkspace = true\n[dependencies]\n{lines}"),
        )])
    }

    #[test]
    fn a_drilled_wall_is_seen() {
        assert_eq!(ours(&manifest("dialect", "portcullis-core.workspace = true")), []);
        assert_eq!(
            ours(&manifest("dialect", "portcullis-inspect.workspace = true")).len(),
            1
        );
        assert_eq!(
            ours(&manifest("admin", "portcullis-proxy.workspace = true")).len(),
            1
        );
        assert_eq!(
            ours(&manifest("utils", "")).len(),
            1,
            "an unknown crate needs a line in the table"
        );
    }

    #[test]
    fn tests_do_not_drill_walls_either() {
        let text = "[dev-dependencies]\nportcullis-policy.workspace = true\n";
        assert_eq!(ours(&Tree::of(&[("crates/inspect/Cargo.toml", text)])).len(), 1);
    }

    #[test]
    fn heavy_words_stay_out_of_pure_crates() {
        assert_eq!(third_party(&manifest("core", "serde.workspace = true")), []);
        for (room, dependency) in [
            ("core", "tokio"),
            ("core", "regex-automata"),
            ("dialect", "tokio"),
            ("policy", "rusqlite"),
            ("store", "axum"),
            ("portcullis", "rusqlite"),
        ] {
            let tree = manifest(room, &format!("{dependency}.workspace = true"));
            assert_eq!(third_party(&tree).len(), 1, "{room} with {dependency}");
        }
    }

    #[test]
    fn a_version_of_its_own_and_missing_lints_are_seen() {
        assert_eq!(inheritance(&manifest("core", "serde.workspace = true")), []);
        assert_eq!(inheritance(&manifest("core", "serde = \"1\"")).len(), 1);
        assert_eq!(
            inheritance(&Tree::of(&[("crates/core/Cargo.toml", "[package]\n")])).len(),
            1
        );
    }

    #[test]
    fn a_pure_crate_without_its_bans_is_seen() {
        assert_eq!(pure_crates(&manifest("policy", "")).len(), 4);
        assert_eq!(pure_crates(&manifest("proxy", "")), []);
    }
}
