//! The page of guarantees names tests that exist.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a failed test may panic

use std::path::Path;

const PAGE: &str = include_str!("../../docs/guarantees.md");

#[test]
fn every_promise_has_its_test() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut promises = 0;
    for row in PAGE.lines().filter(|line| line.contains("`cargo test ")) {
        let mut cells = row.split('|').map(|cell| cell.trim().trim_matches('`')).skip(2);
        let (file, command) = (cells.next().unwrap(), cells.next().unwrap());
        let words: Vec<&str> = command.split_whitespace().collect();
        let ["cargo", "test", "-p", package, "--test", target, name, rest @ ..] = &words[..] else {
            panic!("not a command that runs one test: {command}")
        };
        let source = std::fs::read_to_string(root.join(file)).expect(file);
        assert!(source.contains(&format!("fn {name}(")), "{file} has no {name}");
        let home = match *package {
            "lifeboat-log" => "sidecar/log",
            package => package.strip_prefix("lifeboat-").unwrap(),
        };
        let beginning = format!("{home}/tests/{target}");
        assert!(file.starts_with(&beginning), "{command} does not run {file}");
        let (before, _) = source.split_once(&format!("fn {name}(")).unwrap();
        let starts = ["#[test]", "#[tokio::test"].map(|attribute| before.rfind(attribute));
        let attributes = &before[starts.into_iter().flatten().max().expect(name)..];
        assert_eq!(attributes.contains("#[ignore"), !rest.is_empty(), "{command}");
        promises += 1;
    }
    assert!(promises > 30, "{promises}");
}
