use proptest::prelude::*;

use super::*;

const STREAM: StreamId = StreamId([1; 16]);
const ONE: DeliveryId = DeliveryId(1);

fn created(delivery: u32, cursor: u64) -> Op {
    let (delivery, name) = (DeliveryId(delivery), format!("d{delivery}"));
    Op::DeliveryCreated { stream: STREAM, delivery, name, cursor }
}

fn settled(range: Range<u64>) -> Op {
    Op::Settled { stream: STREAM, delivery: ONE, range }
}

fn tried(seq: u64, attempt: u32, failures: u32, suspect: bool) -> Op {
    Op::Attempt { stream: STREAM, delivery: ONE, seq, attempt, failures, suspect }
}

fn fold<'a>(ops: impl IntoIterator<Item = &'a Op>) -> State {
    let mut state = State::default();
    state.apply_all(ops);
    state
}

#[test]
fn settling_at_the_cursor_raises_it_over_what_waits_above() {
    let state = fold(&[created(1, 10), settled(12..15), settled(20..21), settled(8..12)]);
    let delivery = state.delivery(STREAM, ONE).unwrap();
    assert_eq!((delivery.cursor, delivery.settled.len()), (15, 1));
    assert!(delivery.is_settled(14) && !delivery.is_settled(15) && delivery.is_settled(20));
}

#[test]
fn attempts_end_with_the_settlement_of_their_record() {
    let all = [created(1, 0), tried(0, 2, 1, false), tried(3, 2, 0, true), tried(5, 3, 2, false)];
    let mut state = fold(&all);
    for op in [settled(0..1), settled(3..4), tried(0, 9, 9, true), tried(3, 9, 9, true)] {
        state.apply(&op);
    }
    let left = &state.delivery(STREAM, ONE).unwrap().attempts;
    let five = Attempt { attempt: 3, failures: 2, suspect: false };
    assert_eq!(left.iter().collect::<Vec<_>>(), [(&5, &five)]);
}

#[test]
fn a_later_attempt_decides_whether_a_record_is_a_suspect() {
    let last = |ops: &[Op]| fold(ops).delivery(STREAM, ONE).unwrap().attempts[&0];
    let suspect = last(&[created(1, 0), tried(0, 1, 0, false), tried(0, 1, 0, true)]);
    assert!(suspect.suspect, "the connection broke");
    let cleared = last(&[created(1, 0), tried(0, 2, 1, false), tried(0, 2, 0, true)]);
    assert!(!cleared.suspect, "the app answered afterwards");
}

#[test]
fn a_removed_delivery_stays_removed_and_its_id_used() {
    let removed = Op::DeliveryRemoved { stream: STREAM, delivery: DeliveryId(2) };
    let state = fold(&[created(1, 0), created(2, 0), removed, created(2, 5)]);
    let stream = state.stream(STREAM).unwrap();
    assert_eq!(stream.deliveries.len(), 1);
    assert_eq!(stream.next_delivery(), DeliveryId(3));
    assert_eq!(StreamState::default().next_delivery(), DeliveryId(1));
}

#[test]
fn a_removed_stream_stays_removed() {
    let state = fold(&[created(1, 0), Op::StreamRemoved { stream: STREAM }, created(1, 0)]);
    assert!(state.is_removed(STREAM) && state.stream(STREAM).is_none());
}

#[test]
fn a_seek_forgets_what_was_known_and_keeps_to_what_belongs_to_no_record() {
    let to = |cursor| Op::Seeked { stream: STREAM, delivery: ONE, cursor };
    let jumped = Op::Jump { log: STREAM, range: 6..9 };
    let mut state = fold(&[created(1, 0), settled(0..20), tried(25, 2, 1, false), jumped, to(4)]);
    let delivery = state.delivery(STREAM, ONE).unwrap();
    assert_eq!((delivery.cursor, &delivery.name[..]), (4, "d1"));
    assert_eq!((delivery.settled.first(), delivery.settled.len()), (Some(6..9), 3));
    assert!(delivery.attempts.is_empty());
    state.apply(&settled(4..6));
    assert_eq!(state.delivery(STREAM, ONE).unwrap().cursor, 9);
    state.apply(&to(30));
    assert_eq!(state.delivery(STREAM, ONE).unwrap().cursor, 30);
}

#[test]
fn a_seek_does_not_forget_what_was_lost() {
    let lost = Op::Lost { stream: STREAM, delivery: ONE, range: 2..5 };
    let to = Op::Seeked { stream: STREAM, delivery: ONE, cursor: 1 };
    let state = fold(&[created(1, 0), lost, to]);
    let delivery = state.delivery(STREAM, ONE).unwrap();
    assert_eq!((delivery.cursor, delivery.lost.len()), (1, 3));
    assert_eq!((delivery.settled.first(), delivery.settled.len()), (Some(2..5), 3));
}

#[test]
fn a_jump_tells_nothing_of_how_far_the_log_reaches() {
    let jump = Op::Jump { log: STREAM, range: 6..90 };
    let end = |ops: &[Op]| fold(ops).stream(STREAM).unwrap().settled_end();
    assert_eq!(end(&[created(1, 0), settled(0..3), jump.clone()]), 6);
    assert_eq!(end(&[created(1, 0), settled(0..6), jump.clone()]), 6);
    assert_eq!(end(&[created(1, 0), settled(0..6), jump, settled(90..91)]), 91);
}

#[test]
fn what_is_unknown_is_left_alone() {
    assert_eq!(fold(&[settled(0..3), tried(1, 1, 0, false)]), State::default());
}

/// Operations on two deliveries of one stream within 30 seqs.
fn any_op() -> impl Strategy<Value = Op> {
    let delivery = (1u32..3).prop_map(DeliveryId);
    prop_oneof![
        1 => (1u32..3, 0u64..10).prop_map(|(id, cursor)| created(id, cursor)),
        6 => (delivery.clone(), 0u64..30, 0u64..6).prop_map(|(delivery, start, len)| {
            Op::Settled { stream: STREAM, delivery, range: start..start + len }
        }),
        4 => (delivery, 0u64..30, 1u32..4, 0u32..3, any::<bool>()).prop_map(
            |(delivery, seq, attempt, failures, suspect)| {
                Op::Attempt { stream: STREAM, delivery, seq, attempt, failures, suspect }
            },
        ),
        1 => (0u64..9, 0u64..3).prop_map(|(start, len)| {
            Op::SegmentsDeleted { log: STREAM, numbers: start..start + len }
        }),
    ]
}

/// The same, and those whose order matters.
fn any_step() -> impl Strategy<Value = Op> {
    prop_oneof![
        12 => any_op(),
        2 => (1u32..3, 0u64..30).prop_map(|(id, cursor)| {
            Op::Seeked { stream: STREAM, delivery: DeliveryId(id), cursor }
        }),
        1 => (0u64..30, 0u64..6).prop_map(|(start, len)| {
            Op::Jump { log: STREAM, range: start..start + len }
        }),
        1 => (1u32..3, 0u64..30, 0u64..6).prop_map(|(id, start, len)| {
            Op::Lost { stream: STREAM, delivery: DeliveryId(id), range: start..start + len }
        }),
        1 => any::<bool>().prop_map(|weak| Op::WeaklySynced { log: STREAM, weak }),
    ]
}

fn any_ops() -> impl Strategy<Value = Vec<Op>> {
    prop::collection::vec(any_step(), 0..50).prop_map(|ops| {
        let known = [created(1, 0), created(2, 0)];
        known.into_iter().chain(ops).collect()
    })
}

/// Every settled seq one by one, and the greatest attempt of each that is not.
type Naive = BTreeMap<DeliveryId, (BTreeSet<u64>, BTreeMap<u64, Attempt>)>;

fn naive(ops: &[Op]) -> Naive {
    let (mut model, mut jumped) = (Naive::new(), BTreeSet::new());
    let mut lost = BTreeMap::<DeliveryId, BTreeSet<u64>>::new();
    for op in ops {
        match op {
            Op::DeliveryCreated { delivery, cursor, .. } => {
                let settled = &mut model.entry(*delivery).or_default().0;
                settled.extend((0..*cursor).chain(jumped.iter().copied()));
            }
            Op::Seeked { delivery, cursor, .. } => {
                let lost = lost.entry(*delivery).or_default().iter();
                let settled = (0..*cursor).chain(jumped.iter().chain(lost).copied()).collect();
                model.insert(*delivery, (settled, BTreeMap::new()));
            }
            Op::Jump { range: seqs, .. } => {
                jumped.extend(seqs.clone());
                for (settled, _) in model.values_mut() {
                    settled.extend(seqs.clone());
                }
            }
            Op::Lost { delivery, range, .. } => {
                lost.entry(*delivery).or_default().extend(range.clone());
                model.entry(*delivery).or_default().0.extend(range.clone());
            }
            Op::Settled { delivery, range, .. } => {
                model.entry(*delivery).or_default().0.extend(range.clone());
            }
            Op::Attempt { delivery, seq, attempt, failures, suspect, .. } => {
                let tried = model.entry(*delivery).or_default().1.entry(*seq).or_default();
                let (attempt, failures, suspect) = (*attempt, *failures, *suspect);
                *tried = Attempt { attempt, failures, suspect }.max(*tried);
            }
            _ => {}
        }
    }
    for (settled, attempts) in model.values_mut() {
        attempts.retain(|seq, _| !settled.contains(seq));
    }
    model
}

proptest! {
    #[test]
    fn agrees_with_a_naive_model(ops in any_ops()) {
        let state = fold(&ops);
        for (id, (settled, attempts)) in naive(&ops) {
            let delivery = state.delivery(STREAM, id).unwrap();
            for seq in 0..60 {
                prop_assert_eq!(delivery.is_settled(seq), settled.contains(&seq));
            }
            prop_assert_eq!(&delivery.attempts, &attempts);
            prop_assert!(!delivery.settled.contains(delivery.cursor));
            prop_assert!(delivery.settled.first().is_none_or(|range| range.start > delivery.cursor));
        }
    }

    #[test]
    fn order_does_not_matter_once_the_deliveries_are_known(
        (ops, shuffled) in prop::collection::vec(any_op(), 0..30).prop_flat_map(|ops| {
            (Just(ops.clone()), Just(ops).prop_shuffle())
        })
    ) {
        let known = [created(1, 0), created(2, 0)];
        prop_assert_eq!(fold(known.iter().chain(&ops)), fold(known.iter().chain(&shuffled)));
    }

    #[test]
    fn a_replay_from_anywhere_changes_nothing(ops in any_ops(), from in 0usize..50) {
        let once = fold(&ops);
        prop_assert_eq!(&fold(ops.iter().chain(ops.iter().skip(from))), &once);
    }

    #[test]
    fn the_operations_of_a_state_rebuild_it(ops in any_ops(), remove in any::<[bool; 2]>()) {
        let mut state = fold(&ops);
        if remove[0] {
            state.apply(&Op::DeliveryRemoved { stream: STREAM, delivery: ONE });
        }
        if remove[1] {
            state.apply(&Op::StreamRemoved { stream: StreamId([2; 16]) });
        }
        let rebuilt: Vec<_> = state.ops().collect();
        prop_assert_eq!(fold(&rebuilt), state);
    }
}
