//! Wrong command lines, help, version, completions.

use crate::lifeboat;

const COMMANDS: [&str; 11] = [
    "run",
    "demo",
    "status",
    "send",
    "receive",
    "check",
    "dump",
    "accept-gap",
    "quiesce",
    "version",
    "completions",
];

#[test]
fn a_wrong_command_line_ends_with_64_and_the_fix() {
    for (arguments, said) in [
        (&["rum"][..], "run"),
        (&["run"], "<FILE>"),
        (&["run", "q.yaml", "--admin", "9464"], "127.0.0.1:9464"),
        (&["send"], "<TARGET>"),
        (&["send", "work.in", "a", "--timeout", "30"], "such as 30s"),
        (&["send", "work.in", "a", "--size", "3"], "cannot be used with"),
        (&["send", "work.in", "--count", "3"], "add a MESSAGE, or --size BYTES"),
        (&["send", "work.in", "a", "--window", "0"], "1..=50000"),
        (&["send", "tcp://h:1", "a", "--push", "--receipts"], "cannot be used with"),
        (&["receive", "work.out", "--count", "0"], "--count"),
        (&["demo", "--rounds", "0"], "1..=1000"),
        (&["completions", "tcsh"], "bash"),
    ] {
        lifeboat(arguments, "").fails(64, &[said]);
    }
}

#[test]
fn help_has_examples_and_exit_codes() {
    lifeboat(&["--help"], "").succeeds().says(&["Exit codes:", "  64  "]);
    for command in COMMANDS {
        let said = ["Examples:", &format!("lifeboat {command}"), "Exit codes:"];
        lifeboat(&[command, "--help"], "").succeeds().says(&said);
    }
}

#[test]
fn the_version_names_its_features() {
    let version = env!("CARGO_PKG_VERSION");
    lifeboat(&["version"], "").succeeds().says(&[version]);
    let outcome = lifeboat(&["version", "--json"], "").succeeds();
    let json: serde_json::Value = serde_json::from_str(&outcome.stdout).unwrap();
    assert_eq!(json["version"], version);
    assert_eq!(json["features"], serde_json::json!(lifeboat_api::supported_features()));
}

#[test]
fn completions_know_the_commands() {
    for shell in ["bash", "zsh", "fish"] {
        lifeboat(&["completions", shell], "").succeeds().says(&["receive", "demo", "no-ack"]);
    }
}
