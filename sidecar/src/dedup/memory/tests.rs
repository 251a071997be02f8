use std::path::Path;
use std::time::Instant;

use lifeboat_log::sim::SimDisk;
use lifeboat_log::vfs::Vfs;
use lifeboat_log::{
    DeliveryOptions, Now, OnDamage, Refusal, Retention, Run as Records, StreamOptions, SyncMode,
    Volume, VolumeOptions,
};

use super::*;

const SECOND: u64 = 1_000_000_000;
const WINDOW: Duration = Duration::from_secs(10);
const NOW: u64 = 1_000 * SECOND;

/// A volume whose commits the test makes.
fn volume() -> Volume {
    let (disk, dir) = (SimDisk::new(1), Path::new("/data"));
    disk.create_dir(dir).unwrap();
    let options = VolumeOptions {
        queue_bytes: 1 << 16,
        tail_bytes: 1 << 16,
        snapshot_bytes: 1 << 20,
        sync: SyncMode::Always,
        reserve_bytes: 1 << 16,
        seed: 1,
    };
    let stream = StreamOptions {
        name: "work".into(),
        max_bytes: 1 << 24,
        segment_bytes: 1 << 16,
        retention: Retention::default(),
        deliveries: vec![DeliveryOptions { name: "out".into(), from: None }],
        keeps_ids: true,
        on_damage: OnDamage::Stop,
    };
    Volume::open(Arc::new(disk), dir, &options, &[stream]).unwrap()
}

fn submit(volume: &Volume) -> Submitted {
    let whole = 0..1;
    let run = Records { bytes: b"x", records: std::slice::from_ref(&whole) };
    volume.streams[0].log.queue().submit(run, &mut Vec::new()).unwrap()
}

fn id(key: u8, content: u8) -> DedupId {
    DedupId { key: [key; 16], content: [content; 16] }
}

fn known(content: u8, seq: u64, time: u64) -> Known {
    Known { content: [content; 16], seq, time }
}

fn ready() -> Memory {
    let mut memory = Memory::new(2);
    memory.ready();
    memory
}

fn verdict(memory: &Memory, id: DedupId, now: u64) -> Verdict {
    memory.verdict(&id, WINDOW, now, None)
}

#[test]
fn a_repeat_shares_the_fate_of_the_first_copy() {
    let mut volume = volume();
    let mut memory = ready();
    let first = submit(&volume);
    memory.submitted(&id(1, 7), first.clone());
    let Verdict::Same(same) = verdict(&memory, id(1, 7), NOW) else { panic!("not the same") };
    assert!(Arc::ptr_eq(&same.fate, &first.fate) && same.fate.outcome().is_none());
    assert!(matches!(verdict(&memory, id(1, 8), NOW), Verdict::Other));
    assert!(matches!(verdict(&memory, id(2, 7), NOW), Verdict::New));
    volume.committer.commit(Now { instant: Instant::now(), unix_nanos: NOW }).unwrap();
    assert_eq!(same.fate.outcome(), Some(Ok(0)));
}

#[test]
fn an_id_without_its_record_is_new() {
    let mut memory = ready();
    memory.copied(&[([1; 16], known(7, 4, NOW)), ([2; 16], known(7, 5, NOW))]);
    memory.set_jumps(std::iter::once(5..9).collect());
    assert!(matches!(verdict(&memory, id(1, 7), NOW), Verdict::Stored(4)));
    assert!(matches!(verdict(&memory, id(2, 7), NOW), Verdict::New));
    assert!(matches!(verdict(&memory, id(2, 8), NOW), Verdict::New));
}

#[test]
fn a_first_copy_that_failed_lets_the_repeat_be_stored() {
    let mut volume = volume();
    let mut memory = ready();
    memory.submitted(&id(1, 7), submit(&volume));
    volume.committer.close(Refusal::Poisoned);
    assert!(matches!(verdict(&memory, id(1, 7), NOW), Verdict::New));
    assert!(matches!(verdict(&memory, id(1, 8), NOW), Verdict::New));
}

#[test]
fn what_a_full_stream_refused_is_new_again_and_takes_no_memory() {
    let mut volume = volume();
    let mut memory = ready();
    let log = Arc::clone(&volume.streams[0].log);
    // No volume of the test has room for it; the one before it fits.
    let large = vec![0; 20 << 20];
    let end = u32::try_from(large.len()).unwrap();
    let records = [0..1, 1..end];
    let run = Records { bytes: &large, records: &records };
    let submitted = log.refusing_queue().submit(run, &mut Vec::new()).unwrap();
    for (key, index) in [(1, 0), (2, 1)] {
        memory.submitted(&id(key, 7), Submitted { index, ..submitted.clone() });
    }
    let now = Now { instant: Instant::now(), unix_nanos: NOW };
    volume.committer.commit(now).unwrap();
    assert!(matches!(verdict(&memory, id(1, 7), NOW), Verdict::Same(_)));
    assert!(matches!(verdict(&memory, id(2, 7), NOW), Verdict::New));
    memory.forget_refused();
    assert_eq!(memory.len(), 1);
}

#[test]
fn an_id_is_known_through_all_its_stages_until_its_window_has_passed() {
    let mut memory = ready();
    let ids = [1, 2].map(|key| ([key; 16], known(7, key.into(), NOW)));
    let stored = |memory: &Memory, stage: &str| {
        let found = verdict(memory, id(1, 7), NOW + 10 * SECOND);
        assert!(matches!(found, Verdict::Stored(1)), "{stage}: {found:?}");
        assert!(matches!(verdict(memory, id(1, 8), NOW), Verdict::Other), "{stage}");
        let late = verdict(memory, id(1, 7), NOW + 11 * SECOND);
        assert!(matches!(late, Verdict::New), "{stage}: {late:?}");
    };
    for one in ids {
        memory.durable(one);
    }
    stored(&memory, "fresh");
    memory.copied(&ids);
    stored(&memory, "young");
    let spilling = memory.start_spill().unwrap();
    stored(&memory, "spilling");
    assert!(memory.start_spill().is_none());
    let (run, _) = Run::new(&spilling, 0..1, 5);
    drop(spilling);
    memory.spilled(run);
    assert_eq!(memory.len(), 2);
    assert!(matches!(verdict(&memory, id(1, 7), NOW), Verdict::OnDisk));
    assert!(matches!(verdict(&memory, id(1, 7), NOW + 11 * SECOND), Verdict::New));
    assert_eq!(memory.expire(WINDOW, NOW + 11 * SECOND).len(), 1);
    assert_eq!(memory.len(), 0);
}

#[test]
fn an_answer_counts_only_while_the_disk_is_as_it_was() {
    let mut memory = ready();
    let ids = [1, 2].map(|key| ([key; 16], known(7, key.into(), NOW)));
    memory.copied(&ids);
    let spilling = memory.start_spill().unwrap();
    memory.spilled(Run::new(&spilling, 0..1, 5).0);
    let (generation, _) = memory.older();
    let answer = Answer { generation, found: HashMap::from(ids) };
    let nothing = Answer { generation, found: HashMap::new() };
    let with = |memory: &Memory, answer| memory.verdict(&id(1, 7), WINDOW, NOW, Some(answer));
    assert!(matches!(with(&memory, &answer), Verdict::Stored(1)));
    assert!(matches!(with(&memory, &nothing), Verdict::New));
    memory.start_over();
    assert!(!memory.takes_more() && !memory.is_ready());
    memory.set_older(vec![Arc::new(Run::new(&spilling, 0..1, 5).0)]);
    assert!(matches!(with(&memory, &nothing), Verdict::OnDisk));
}

#[test]
fn a_copy_of_an_old_record_does_not_hide_a_new_one_on_its_way() {
    let volume = volume();
    let mut memory = ready();
    let old = ([1; 16], known(7, 1, NOW - 100 * SECOND));
    memory.durable(old);
    memory.submitted(&id(1, 7), submit(&volume));
    memory.copied(&[old]);
    assert!(matches!(verdict(&memory, id(1, 7), NOW), Verdict::Same(_)));
}

#[test]
fn too_many_at_once_have_to_wait_and_after_a_failure_nobody_knows() {
    let mut memory = ready();
    for key in 0..4 {
        assert!(memory.takes_more());
        memory.durable(([key; 16], known(7, key.into(), NOW)));
    }
    assert!(!memory.takes_more());
    memory.fail();
    assert!(memory.takes_more());
    assert!(matches!(verdict(&memory, id(1, 7), NOW), Verdict::Unavailable));
}
