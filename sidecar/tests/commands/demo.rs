//! `lifeboat demo` holds its own promise.

use crate::lifeboat;

#[test]
fn nothing_is_lost_and_nothing_is_left() {
    let outcome = lifeboat(&["demo", "--rounds", "2", "--seconds", "2"], "").succeeds();
    let figure = |name: &str| -> u64 {
        let line = outcome.stdout.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_whitespace().nth(1).unwrap().replace(',', "").parse().unwrap()
    };
    assert!(figure("sent") > 100, "{outcome:?}");
    assert_eq!(figure("receipted"), figure("sent"), "{outcome:?}");
    assert_eq!(figure("delivered"), figure("sent"), "{outcome:?}");
    assert_eq!((figure("lost"), figure("kills")), (0, 2), "{outcome:?}");
    assert!(outcome.stdout.contains("every receipted message was delivered"), "{outcome:?}");
    let dir = outcome.stdout.lines().next().unwrap().split([' ', ',']).nth(3).unwrap();
    assert!(dir.contains("lifeboat-demo-"), "{dir}");
    assert!(!std::path::Path::new(dir).exists(), "{dir} is left");
}

#[test]
fn its_outcome_can_be_had_for_machines() {
    let outcome = lifeboat(&["demo", "--rounds", "1", "--seconds", "1", "--json"], "").succeeds();
    let report: serde_json::Value = serde_json::from_str(&outcome.stdout).unwrap();
    assert_eq!((&report["lost"], &report["kills"]), (&0.into(), &1.into()), "{report}");
    assert_eq!(report["receipted"], report["sent"], "{report}");
}
