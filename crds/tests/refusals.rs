//! Every file in `refusals/` is refused, with the problems of its snapshot beside it.
// A failed step is the test's failure.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use lifeboat_api::{Problems, parse, validate_dataplane};

/// Words by which a message tells what to do.
const FIXES: [&str; 8] = [
    "expected ",
    "remove it",
    "did you mean ",
    "choose ",
    "split the file",
    "use ",
    "write ",
    "lower ",
];

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/refusals")
}

fn stems(extension: &str) -> BTreeSet<String> {
    let paths = std::fs::read_dir(directory()).unwrap().map(|entry| entry.unwrap().path());
    let paths = paths.filter(|path| path.extension().is_some_and(|end| end == extension));
    paths.map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned()).collect()
}

fn refusal(name: &str) -> Problems {
    let text = std::fs::read_to_string(directory().join(format!("{name}.yaml"))).unwrap();
    match parse(&text).and_then(|tree| validate_dataplane(&tree)) {
        Ok(_) => panic!("{name} was accepted"),
        Err(problems) => problems,
    }
}

#[test]
fn each_file_has_the_problems_of_its_snapshot() {
    let names = stems("yaml");
    assert!(names.len() >= 40, "only {} files", names.len());
    insta::with_settings!({
        snapshot_path => directory(),
        prepend_module_to_snapshot => false,
        omit_expression => true,
    }, {
        for name in &names {
            insta::assert_snapshot!(name.as_str(), refusal(name).to_string());
        }
    });
    assert_eq!(stems("snap"), names, "a snapshot without its file");
}

#[test]
fn each_problem_is_one_line_with_a_place_and_a_fix() {
    for name in stems("yaml") {
        let problems = refusal(&name);
        assert!(!problems.is_empty());
        for problem in &problems {
            let line = problem.to_string();
            assert!(!line.contains(char::is_control), "{name}: {line:?}");
            let syntax = problem.path.starts_with("line ");
            let fixed = FIXES.iter().any(|fix| problem.message.contains(fix));
            assert!(syntax || fixed, "{name}: no fix in {line}");
            assert!(
                syntax
                    || !problem.path.is_empty()
                    || name.starts_with("document-")
                    || name == "yaml-empty",
                "{name}: no place in {line}"
            );
        }
    }
}
