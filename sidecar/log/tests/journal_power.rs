//! The state journal under power cuts and kills, between any two calls on the disk.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failed test panics")]

mod journal_support;

use journal_support::{TINY, created, dir, fold, open, path, run, settled};
use lifeboat_log::error::LogError;
use lifeboat_log::sim::{Fault, Liar, Lie, SimDisk};
use lifeboat_log::state::State;
use lifeboat_log::vfs::Vfs;
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

const STEPS: usize = 40;

/// Runs one workload and cuts the power `cuts` times before each of its calls.
/// Returns how many cuts were made and what they violated.
fn cut_everywhere(seed: u64, cuts: usize, lie: Option<Lie>) -> (usize, Vec<String>) {
    let disk = SimDisk::new(seed);
    disk.record();
    let calls = || disk.calls();
    let history = match lie {
        None => run(disk.clone(), seed, STEPS, calls),
        Some(lie) => run(Liar::new(disk.clone(), lie), seed, STEPS, calls),
    };
    assert!(!history.broke && history.promises.len() > STEPS / 4);
    let mut rng = SmallRng::seed_from_u64(seed);
    let (mut made, mut violations) = (0, Vec::new());
    for (call, moment) in (0..).zip(disk.recorded()) {
        for _ in 0..cuts {
            made += 1;
            let after = moment.power_cut(&mut rng);
            let found = open(after, TINY).map_err(|error| error.to_string());
            let checked = found.and_then(|(journal, recovery)| {
                if !recovery.damaged.is_empty() {
                    return Err(format!("took a power cut for damage: {:?}", recovery.damaged));
                }
                history.check(journal.state(), history.promised_at(call))
            });
            if let Err(violation) = checked {
                violations.push(format!("seed {seed}, before call {call}: {violation}"));
            }
        }
    }
    (made, violations)
}

#[test]
fn nothing_that_was_synced_is_lost_by_a_power_cut() {
    let mut made = 0;
    for seed in 0..40 {
        let (cuts, violations) = cut_everywhere(seed, 14, None);
        assert_eq!(violations, Vec::<String>::new());
        made += cuts;
    }
    assert!(made > 50_000, "{made}");
}

#[test]
fn a_journal_that_does_not_sync_its_files_is_caught() {
    let (_, violations) = cut_everywhere(1, 3, Some(Lie::NoDataSync));
    assert!(violations.len() > 10, "{}", violations.len());
}

#[test]
fn a_journal_that_does_not_sync_its_directory_is_caught() {
    let (_, violations) = cut_everywhere(1, 3, Some(Lie::NoDirSync));
    assert!(violations.len() > 10, "{}", violations.len());
}

#[test]
fn a_kill_loses_nothing_that_was_appended() {
    for seed in 0..10 {
        let disk = SimDisk::new(seed);
        let history = run(disk.clone(), seed, STEPS, || 0);
        let (journal, recovery) = open(disk.kill(), TINY).unwrap();
        assert_eq!(journal.state(), &fold(&history.asked));
        assert_eq!((recovery.damaged.len(), recovery.discarded_tail_bytes), (0, 0));
    }
}

/// Interrupts recovery three times before it may finish.
#[test]
fn interrupted_recoveries_end_in_the_same_state() {
    for seed in 0..1000 {
        let mut rng = SmallRng::seed_from_u64(seed);
        let disk = SimDisk::new(seed);
        disk.record();
        run(disk.clone(), seed, STEPS, || 0);
        let moments = disk.recorded();
        let mut disk = moments[rng.random_range(0..moments.len())].power_cut(&mut rng);
        let expected = open(disk.fork(), TINY).unwrap().0.state().clone();
        for _ in 0..3 {
            let attempt = disk.fork();
            attempt.record();
            assert_eq!(open(attempt.clone(), TINY).unwrap().0.state(), &expected);
            let moments = attempt.recorded();
            let moment = &moments[rng.random_range(0..moments.len())];
            disk = if rng.random() { moment.kill() } else { moment.power_cut(&mut rng) };
        }
        let (journal, recovery) = open(disk, TINY).unwrap();
        assert_eq!((journal.state(), recovery.damaged.len()), (&expected, 0), "seed {seed}");
    }
}

/// What is recovered when the newest snapshot has rotted away, and nothing else has.
fn from_the_snapshot_before(disk: &SimDisk) -> State {
    let names = disk.list(dir()).unwrap();
    let snapshots: Vec<_> = names.iter().filter(|name| name.ends_with(".snapshot")).collect();
    assert!(snapshots.len() > 1, "{names:?}");
    let newest = path(snapshots[snapshots.len() - 1]);
    disk.set_contents(&newest, b"").unwrap();
    let (journal, recovery) = open(disk.clone(), TINY).unwrap();
    let damaged: Vec<_> = recovery.damaged.into_iter().map(|damage| damage.path).collect();
    assert_eq!(damaged, [newest], "that and nothing else");
    journal.state().clone()
}

#[test]
fn the_snapshot_before_is_as_good_as_the_newest() {
    for seed in 0..100 {
        let mut rng = SmallRng::seed_from_u64(seed);
        let disk = SimDisk::new(seed);
        disk.record();
        run(disk.clone(), seed, STEPS, || 0);
        let moments = disk.recorded();
        for _ in 0..20 {
            // Late enough for a second snapshot to be there.
            let moment = &moments[rng.random_range(moments.len() / 2..moments.len())];
            let disk = if rng.random() { moment.kill() } else { moment.power_cut(&mut rng) };
            let expected = open(disk.clone(), TINY).unwrap().0.state().clone();
            assert_eq!(from_the_snapshot_before(&disk.power_cut(&mut rng)), expected);
        }
    }
}

#[test]
fn a_failed_sync_does_not_make_the_next_process_believe_its_cache() {
    for seed in 0..50 {
        let disk = SimDisk::new(seed);
        let (mut journal, _) = open(disk.clone(), TINY).unwrap();
        journal.append(&[created()]).unwrap();
        journal.sync().unwrap();
        journal.append(&[settled(0)]).unwrap();
        disk.fail_next_sync(&path(&disk.list(dir()).unwrap()[0])).unwrap();
        journal.sync().unwrap_err();
        let disk = disk.kill();
        let expected = open(disk.clone(), TINY).unwrap().0.state().clone();
        let cut = disk.power_cut(&mut SmallRng::seed_from_u64(seed));
        assert_eq!(from_the_snapshot_before(&cut), expected);
    }
}

#[test]
fn what_a_failed_write_left_is_not_taken_for_damage_later() {
    for seed in 0..50 {
        let disk = SimDisk::new(seed);
        let (mut journal, _) = open(disk.clone(), TINY).unwrap();
        journal.append(&[created()]).unwrap();
        disk.fail_at(disk.calls() + 1, Fault::Enospc, false);
        assert!(matches!(journal.append(&[settled(0), settled(7)]), Err(LogError::Full)));
        journal.snapshot().unwrap();
        let cut = disk.power_cut(&mut SmallRng::seed_from_u64(seed));
        assert_eq!(&from_the_snapshot_before(&cut), journal.state());
    }
}
