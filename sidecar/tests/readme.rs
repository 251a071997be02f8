//! What the README shows is what the repository holds: its code blocks are files that CI runs.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a failed test may panic

use lifeboat_sidecar::exit::Exit;

const README: &str = include_str!("../../README.md");

#[test]
fn every_example_is_shown_as_it_is_run() {
    for (language, file) in [
        ("python", include_str!("../../examples/python/receipt.py")),
        ("python", include_str!("../../examples/python/once.py")),
        ("python", include_str!("../../examples/python/push.py")),
        ("python", include_str!("../../examples/python/worker.py")),
        ("python", include_str!("../../examples/python/fetch.py")),
        ("python", include_str!("../../examples/python/rep.py")),
        ("python", include_str!("../../examples/python/pull.py")),
        ("rust", include_str!("../examples/producer.rs")),
        ("rust", include_str!("../examples/worker.rs")),
        ("yaml", include_str!("../../examples/work-queue.yaml")),
    ] {
        let block = format!("```{language}\n{}\n```", file.trim_end());
        assert!(README.contains(&block), "the README does not show\n{block}");
    }
}

#[test]
fn every_exit_code_is_documented() {
    for exit in Exit::ALL {
        let row = format!("| {} | {} |", exit.code(), exit.meaning());
        assert!(README.contains(&row), "the README does not have\n{row}");
    }
}
