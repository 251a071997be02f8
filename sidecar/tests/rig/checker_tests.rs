//! The checker on histories made by hand: a good one with every legal duplicate, and one for each
//! rule that is broken.

use std::time::Duration;

use super::checker::check;
use super::history::{DeadLetter, Delivery, Given, HandOut, History, Receipt, Sent, Verdict};
use super::message::Submission;
use super::report::{Reason, Violation};

const STREAM: [u8; 16] = *b"0123456789abcdef";
const ACK_TIMEOUT: Duration = Duration::from_millis(600);

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// A message of producer 1.
fn message(number: u64, copy: u32) -> Submission {
    Submission { producer: 1, number, copy }
}

fn hand_out(seq: u64, epoch: u64, attempt: u32) -> HandOut {
    HandOut { seq, epoch, attempt }
}

/// Comes 10 ms after the message was sent.
fn receipt(seq: u64, submission: Submission) -> Receipt {
    Receipt { submission, seq: Some(seq), at: sent(submission).at + ms(10) }
}

/// Number after number, 300 ms apart.
fn sent(submission: Submission) -> Sent {
    Sent { at: ms(300 * submission.number), submission }
}

fn delivery(at: u64, hand_out: HandOut, message: Submission) -> Delivery {
    Delivery {
        at: ms(at),
        stream: *STREAM.first_chunk().unwrap(),
        hand_out,
        message: Some(message),
    }
}

/// A verdict, given when the newest delivery was of the same boot.
fn given(at: u64, hand_out: HandOut, verdict: Verdict) -> Given {
    Given { at: ms(at), hand_out, verdict, heard: hand_out.epoch }
}

/// Epoch 1 lives from 0 to 2000 ms, epoch 2 after that. Seq by seq:
/// 0 is acknowledged at once; 1 is nacked, then acknowledged; 2 is held until its lease ends; 3 is
/// acknowledged just before the kill and comes again; 4 is in flight at the kill; 5 is a second
/// copy of 4's message; 6 is rejected and a dead letter.
fn good() -> History {
    use Verdict::{Ack, Hold, Nack, Reject};
    let contents =
        [(0, 0), (1, 0), (2, 0), (3, 0), (4, 0), (4, 1), (5, 0)].map(|(n, c)| message(n, c));
    let first = |at, seq: usize, epoch| delivery(at, hand_out(seq as u64, epoch, 1), contents[seq]);
    History {
        sent: contents.map(sent).to_vec(),
        receipts: [0, 1, 2, 3, 5, 6].map(|seq| receipt(seq as u64, contents[seq])).to_vec(),
        consumers: vec![
            vec![
                first(100, 0, 1),
                first(101, 1, 1),
                delivery(130, hand_out(1, 1, 2), contents[1]),
                first(1900, 3, 1),
                first(1901, 4, 1),
                first(2100, 3, 2),
                first(2101, 4, 2),
                first(2102, 5, 2),
                first(2103, 6, 2),
            ],
            vec![first(102, 2, 1), delivery(710, hand_out(2, 1, 2), contents[2])],
        ],
        verdicts: vec![
            given(105, hand_out(0, 1, 1), Ack),
            given(106, hand_out(1, 1, 1), Nack),
            given(135, hand_out(1, 1, 2), Ack),
            given(102, hand_out(2, 1, 1), Hold),
            given(715, hand_out(2, 1, 2), Ack),
            given(1995, hand_out(3, 1, 1), Ack),
            given(2105, hand_out(3, 2, 1), Ack),
            given(2105, hand_out(4, 2, 1), Ack),
            given(2105, hand_out(5, 2, 1), Ack),
            given(2106, hand_out(6, 2, 1), Reject),
        ],
        pulled: Some([0, 1, 2, 3, 2, 3, 4, 5, 6].map(|seq| Some(contents[seq])).to_vec()),
        dead_letters: vec![DeadLetter { seq: 6, message: Some(contents[6]) }; 2],
        stored: 7,
        streams: [STREAM].into(),
        refusals: Vec::new(),
        killed: [(1, ms(2000))].into(),
        starts: 2,
        kills: 1,
        stalls: Vec::new(),
        ack_timeout: ACK_TIMEOUT,
    }
}

/// What a change to the good history breaks.
fn broken_by(change: impl FnOnce(&mut History)) -> Vec<Violation> {
    let mut history = good();
    change(&mut history);
    check(&history).violations
}

fn forget_deliveries(history: &mut History, seq: u64) {
    for consumer in &mut history.consumers {
        consumer.retain(|delivery| delivery.hand_out.seq != seq);
    }
}

#[test]
fn duplicates_by_rule_are_counted_and_break_nothing() {
    let report = check(&good());
    assert_eq!(report.violations, []);
    let expected = [
        (Reason::Resend, 1),
        (Reason::Nack, 1),
        (Reason::Expiry, 1),
        (Reason::InFlight, 1),
        (Reason::AckInFlight, 1),
        (Reason::Parking, 1),
    ];
    assert_eq!(report.duplicates, expected.into());
}

#[test]
fn what_is_missing_is_noticed() {
    let lost = broken_by(|history| forget_deliveries(history, 0));
    assert_eq!(lost, [Violation::Lost(message(0, 0)), Violation::Undelivered(0)]);
    let unknown = broken_by(|history| forget_deliveries(history, 4));
    assert_eq!(unknown, [Violation::Undelivered(4)], "it has no receipt");
    let pull = broken_by(|history| {
        history.pulled.as_mut().unwrap().remove(0);
    });
    assert_eq!(pull, [Violation::LostToPull(message(0, 0))]);
    let unasked = broken_by(|history| history.verdicts.retain(|given| given.hand_out.seq != 0));
    assert_eq!(unasked, [Violation::SettledUnasked(0)]);
    let dead_letter = broken_by(|history| history.dead_letters.clear());
    assert_eq!(dead_letter, [Violation::SettledUnasked(6)]);
}

#[test]
fn what_nobody_sent_is_noticed() {
    let unexpected = broken_by(|history| {
        history.consumers[0].push(delivery(2200, hand_out(7, 2, 1), message(9, 0)));
    });
    assert_eq!(unexpected, [Violation::Unexpected(message(9, 0))]);
    let damaged = broken_by(|history| history.consumers[0][1].message = None);
    assert!(matches!(damaged[..], [Violation::Damaged(_)]));
    let pulled = broken_by(|history| history.pulled.as_mut().unwrap().push(None));
    assert!(matches!(pulled[..], [Violation::Damaged(_)]));
    let letter = broken_by(|history| history.dead_letters[0].message = None);
    assert!(matches!(letter[..], [Violation::Damaged(_)]));
    let strange = broken_by(|history| {
        history.dead_letters.push(DeadLetter { seq: 0, message: Some(message(0, 0)) });
    });
    assert_eq!(strange, [Violation::StrangeDeadLetter(0)]);
    let refused = broken_by(|history| history.refusals.push("ERR 410".to_owned()));
    assert_eq!(refused, [Violation::Refused("ERR 410".to_owned())]);
}

#[test]
fn a_seq_is_one_message_and_a_sending_is_one_seq() {
    let reused = broken_by(|history| {
        history.consumers[0].push(delivery(2200, hand_out(0, 2, 1), message(1, 0)));
    });
    assert!(reused.contains(&Violation::SeqReused(0)));
    let receipt_of_another = broken_by(|history| history.receipts[0].seq = Some(1));
    assert!(receipt_of_another.contains(&Violation::SeqReused(1)));
    let twice = broken_by(|history| {
        history.consumers[0].push(delivery(2200, hand_out(7, 2, 1), message(5, 0)));
    });
    assert_eq!(twice, [Violation::StoredTwice(message(5, 0))]);
    let stream = broken_by(|history| history.consumers[0][0].stream = [0; 6]);
    assert_eq!(stream, [Violation::StreamChanged]);
    let hello = broken_by(|history| {
        history.streams.insert([0; 16]);
    });
    assert_eq!(hello, [Violation::StreamChanged]);
}

#[test]
fn order_is_kept() {
    let sent = broken_by(|history| history.sent.swap(0, 1));
    assert!(sent.contains(&Violation::OutOfOrder(message(1, 0))));
    let receipts = broken_by(|history| history.receipts.swap(0, 1));
    assert_eq!(receipts, [Violation::ReceiptOutOfOrder(message(0, 0))]);
    let answered_twice = broken_by(|history| {
        let last = *history.receipts.last().unwrap();
        history.receipts.push(last);
    });
    assert_eq!(answered_twice, [Violation::ReceiptOutOfOrder(message(5, 0))]);
    let delivered = broken_by(|history| history.consumers[0].swap(6, 7));
    assert_eq!(delivered, [Violation::DeliveredOutOfOrder(hand_out(4, 2, 1))]);
    let pulled = broken_by(|history| history.pulled.as_mut().unwrap().push(Some(message(0, 0))));
    assert_eq!(pulled, [Violation::PulledOutOfOrder(3)]);
}

#[test]
fn attempts_only_rise() {
    let repeated = broken_by(|history| {
        let last = *history.consumers[1].last().unwrap();
        history.consumers[1].push(last);
    });
    assert_eq!(repeated, [Violation::AttemptRepeated(hand_out(2, 1, 2))]);
    let backwards = broken_by(|history| history.consumers[0].swap(1, 2));
    assert_eq!(backwards, [Violation::AttemptRepeated(hand_out(1, 1, 1))]);
    let forgotten = broken_by(|history| {
        // Without its acknowledgement it may come again, but not as the first attempt.
        history.verdicts.retain(|given| given.hand_out != hand_out(2, 1, 2));
        history.consumers[1].push(delivery(2200, hand_out(2, 2, 1), message(2, 0)));
        history.verdicts.push(given(2205, hand_out(2, 2, 1), Verdict::Ack));
    });
    assert_eq!(forgotten, [Violation::AttemptForgotten(hand_out(2, 2, 1))]);
}

#[test]
fn a_redelivery_has_a_reason() {
    let again = |history: &mut History, at| {
        history.consumers[1].push(delivery(at, hand_out(0, 1, 2), message(0, 0)));
    };
    let unexplained = vec![Violation::Unexplained(hand_out(0, 1, 2))];
    assert_eq!(broken_by(|history| again(history, 720)), unexplained, "acknowledged in time");
    let early = broken_by(|history| {
        history.verdicts[0].verdict = Verdict::Hold;
        history.verdicts.push(given(1000, hand_out(0, 1, 2), Verdict::Ack));
        again(history, 300);
    });
    assert_eq!(early, unexplained, "the lease has not ended");
    let late = broken_by(|history| {
        history.verdicts[0].at = ms(705);
        again(history, 720);
    });
    assert_eq!(late, []);
    let stalled = broken_by(|history| {
        history.stalls = vec![ms(110)..ms(700)];
        again(history, 720);
    });
    assert_eq!(stalled, [], "this machine stood still");
}

#[test]
fn an_acknowledgement_that_had_long_arrived_is_not_forgotten() {
    let again = |history: &mut History| {
        history.consumers[1].push(delivery(2200, hand_out(0, 2, 1), message(0, 0)));
    };
    assert_eq!(broken_by(again), [Violation::AckForgotten(hand_out(0, 2, 1))]);
    let no_commit = broken_by(|history| {
        // 305 ms: it has arrived; 610 ms: one commit is done, which may have begun before.
        history.killed = [(1, ms(900))].into();
        again(history);
    });
    assert_eq!(no_commit, []);
    let unheard = broken_by(|history| {
        history.verdicts[0].heard = 0;
        again(history);
    });
    assert_eq!(unheard, [], "its boot may have been gone already");
}
