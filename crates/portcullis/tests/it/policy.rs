//! Policies of who may do what: read with the configuration, tried by `policy test`.

use std::path::Path;

use serde_json::Value;

use crate::commands::Folder;

const ALL: &str = "@id(\"all\") permit (principal, action, resource);\n";
const CONFIG: &str = "authorization: { policies: [rules] }\n";

fn example() -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config/policies");
    folder.display().to_string()
}

#[test]
fn the_cases_of_the_example_pass() {
    let folder = Folder::new();
    let ran = folder.run(&["policy", "test", &example()]).code(0);
    assert!(
        ran.out().contains("interns-chat") && ran.out().contains("18 cases passed"),
        "{}",
        ran.out()
    );
    let lines = folder
        .run(&["policy", "test", "--json", &example()])
        .code(0)
        .out();
    let lines: Vec<Value> = lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 18);
    assert!(lines.iter().all(|line| line["ok"] == true));
    assert_eq!(lines[2]["policies"], serde_json::json!(["o3-is-for-leads"]));
}

#[test]
fn a_case_that_fails_is_told_and_ends_with_1() {
    let folder = Folder::new();
    std::fs::create_dir(folder.path().join("rules")).unwrap();
    folder.write("portcullis.yaml", CONFIG);
    folder.write("rules/a.cedar", ALL);
    let none = folder.run(&["policy", "test"]).code(1);
    assert!(none.err().contains("there are no cases"), "{}", none.err());
    let case = |expect: &str, more: &str| {
        format!("cases:\n  - {{ name: one, action: invoke_model, resource: o3, expect: {expect}{more} }}\n")
    };
    for (cases, code, says) in [
        (case("allow", ""), 0, "1 case passed"),
        (case("allow", ", by: [all]"), 0, "1 case passed"),
        (case("deny", ""), 1, "FAILED"),
        (case("allow", ", by: [other]"), 1, "FAILED"),
    ] {
        folder.write("rules/cases.yaml", &cases);
        let ran = folder.run(&["policy", "test"]).code(code);
        assert!(ran.out().contains(says), "{cases}: {}", ran.out());
    }
    let ran = folder.run(&["policy", "test", "--json"]).code(1);
    assert!(ran.out().contains("\"ok\":false") && ran.err().contains("1 of 1 case failed"));
    folder.write("rules/cases.yaml", &case("perhaps", ""));
    let ran = folder.run(&["policy", "test"]).code(1);
    assert!(
        ran.err().contains("cases.yaml:2:") && ran.err().contains("perhaps"),
        "{}",
        ran.err()
    );
}

#[test]
fn check_tells_what_is_wrong_with_policies_in_their_files() {
    let folder = Folder::new();
    std::fs::create_dir(folder.path().join("rules")).unwrap();
    folder.write("portcullis.yaml", CONFIG);
    folder.write("rules/a.cedar", ALL);
    folder.run(&["check"]).code(0);
    folder.write(
        "rules/b.cedar",
        "\nforbid (principal, action == Action::\"fly\", resource);\n",
    );
    folder.write("rules/c.cedar", "permit (\n");
    let ran = folder.run(&["check"]).code(1);
    for says in ["portcullis.yaml:1:", "b.cedar:2:", "c.cedar:"] {
        assert!(ran.err().contains(says), "{says}: {}", ran.err());
    }
    let ran = folder.run(&["policy", "test", "rules"]).code(1);
    assert!(ran.err().contains("b.cedar:2:"), "{}", ran.err());
    folder.write("portcullis.yaml", "listen: 127.0.0.1:0\n");
    let ran = folder.run(&["policy", "test"]).code(1);
    assert!(ran.err().contains("no `authorization.policies`"), "{}", ran.err());
}
