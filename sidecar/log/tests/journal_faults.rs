//! The state journal over a disk that fails: every call once, in turn, and from there on.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failed test panics")]

mod journal_support;

use journal_support::{History, TINY, open, run};
use lifeboat_log::sim::{Fault, SimDisk};
use rand::SeedableRng;
use rand::rngs::SmallRng;

const STEPS: usize = 60;

/// Runs a workload once for each of its calls, that call failing, and restarts after each.
/// Returns how many runs broke.
fn ladder(fault: Fault, persistent: bool, check: impl Fn(&History)) -> usize {
    let mut broke = 0;
    for call in 1.. {
        let disk = SimDisk::new(call);
        disk.fail_at(call, fault, persistent);
        let history = run(disk.clone(), 3, STEPS, || 0);
        if disk.calls() < call {
            assert!(call > 100, "the ladder has {call} rungs");
            return broke;
        }
        broke += usize::from(history.broke);
        check(&history);
        disk.heal();
        let promised = history.promised_at(0);
        let mut rng = SmallRng::seed_from_u64(call);
        let cut = disk.power_cut(&mut rng);
        for after in [disk.kill(), cut] {
            let (journal, recovery) = open(after, TINY).unwrap();
            assert_eq!(recovery.damaged, [], "call {call}");
            let checked = history.check(journal.state(), promised);
            assert_eq!(checked, Ok(()), "call {call}");
        }
    }
    broke
}

#[test]
fn an_error_of_the_device_breaks_no_promise() {
    for persistent in [false, true] {
        let broke = ladder(Fault::Eio, persistent, |history| assert!(history.broke));
        assert!(broke > 100);
    }
}

#[test]
fn want_of_space_breaks_no_promise() {
    for persistent in [false, true] {
        ladder(Fault::Enospc, persistent, |_| {});
    }
}

#[test]
fn signals_and_short_writes_go_unnoticed() {
    for persistent in [false, true] {
        for fault in [Fault::Eintr, Fault::ShortWrite] {
            let broke = ladder(fault, persistent, |history| assert!(!history.refused));
            assert_eq!(broke, 0);
        }
    }
}

/// Every call of a recovery fails, once and for good; then it is tried again.
#[test]
fn a_recovery_that_fails_can_be_tried_again() {
    let disk = SimDisk::new(1);
    let history = run(disk.clone(), 3, STEPS, || 0);
    let cut = disk.power_cut(&mut SmallRng::seed_from_u64(1));
    let expected = open(cut.fork(), TINY).unwrap().0.state().clone();
    assert_eq!(history.check(&expected, history.promised_at(0)), Ok(()));
    for fault in [Fault::Eio, Fault::Enospc] {
        for persistent in [false, true] {
            for call in 1.. {
                let disk = cut.fork();
                disk.fail_at(call, fault, persistent);
                let failed = open(disk.clone(), TINY).is_err();
                if disk.calls() < call {
                    assert!(call > 15);
                    break;
                }
                assert!(failed || fault == Fault::Enospc);
                disk.heal();
                let (journal, recovery) = open(disk.kill(), TINY).unwrap();
                assert_eq!((journal.state(), recovery.damaged.len()), (&expected, 0));
            }
        }
    }
}
