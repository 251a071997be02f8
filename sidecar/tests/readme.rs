//! What the README shows is what the repository holds: its code blocks are files that CI runs. The
//! page of protocols has what the code says and hears.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a failed test may panic

use lifeboat_sidecar::exit::Exit;
use lifeboat_sidecar::wire::credit::{MAX_BYTES, MAX_DELAY, MAX_PARTS, MAX_REASON, MAX_TOKENS};
use lifeboat_sidecar::wire::token::TOKEN_LEN;

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

/// The words in capitals and the codes that the code in front of a module's tests says or hears.
fn words_of(source: &str) -> impl Iterator<Item = &str> {
    let code = source.split("#[cfg(test)]").next().unwrap_or_default();
    let words = code.split("b\"").skip(1).filter_map(|rest| rest.split('"').next());
    let is_word = |word: &&str| {
        word.len() >= 2
            && (word.bytes().all(|byte| byte.is_ascii_uppercase())
                || word.bytes().all(|byte| byte.is_ascii_digit()))
    };
    words.filter(is_word)
}

#[test]
fn every_verb_and_code_is_documented() {
    const PAGE: &str = include_str!("../../docs/protocols.md");
    let mut count = 0;
    for source in [
        include_str!("../src/wire/credit.rs"),
        include_str!("../src/wire/fetch.rs"),
        include_str!("../src/wire/receipt.rs"),
        include_str!("../src/wire/refusal.rs"),
        include_str!("../src/wire/rep.rs"),
    ] {
        for word in words_of(source) {
            assert!(PAGE.contains(&format!("`{word}`")), "docs/protocols.md does not have {word}");
            count += 1;
        }
    }
    assert!(count > 20, "{count}");
    let limits = [MAX_TOKENS as u128, MAX_PARTS.into(), MAX_BYTES.into(), MAX_DELAY.as_millis()];
    for limit in limits.into_iter().chain([MAX_REASON as u128, TOKEN_LEN as u128]) {
        assert!(PAGE.contains(&format!(" {limit}")), "docs/protocols.md does not have {limit}");
    }
}
