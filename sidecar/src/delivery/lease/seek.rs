//! Going on elsewhere, by an operator's order.

use lifeboat_log::ranges::RangeSet;

use super::Leases;
use crate::delivery::cursor::Cursor;
use crate::delivery::{Effects, JournalOp};

impl Leases {
    /// Goes on at `to`: everything below is settled, and everything from there on is to be delivered,
    /// but for the `holes` of the log. All leases are revoked, and failures are forgotten. Tokens of
    /// before are late from now on: their ACK still settles, anything else is ignored.
    pub fn seek(&mut self, to: u64, holes: &RangeSet, effects: &mut Effects) {
        let end = self.tracked.end();
        // Whatever is tracked is taken out of all its indexes. What that settles is not meant.
        self.settle(0..end, &mut Effects::default(), |_, _| ());
        self.epoch += 1;
        self.cursor = Cursor::new(to, RangeSet::new());
        effects.journal.push(JournalOp::Seeked(to));
        for hole in holes.iter() {
            self.cursor.settle(hole, |run| effects.settled(run));
        }
        self.next_fresh = self.cursor.position();
        self.delivered_end = self.cursor.position();
        effects.wake = true;
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use proptest::prelude::*;

    use super::*;
    use crate::delivery::backoff::{Backoff, Policy};
    use crate::delivery::lease::{Grant, Recovered};
    use crate::delivery::{Effects, LeaseKey};

    const END: u64 = 40;

    fn leases() -> Leases {
        let policy = Policy {
            ack_timeout: Duration::from_secs(30),
            max_in_flight: 64,
            max_attempts: 3,
            backoff: Backoff::new(vec![Duration::from_secs(1)]),
        };
        let recovered = Recovered { epoch: 100, ..Recovered::default() };
        Leases::new(policy, recovered, &mut Effects::default())
    }

    fn unsettled(leases: &Leases) -> Vec<u64> {
        (0..END).filter(|seq| leases.cursor().next_unsettled(*seq..seq + 1).is_some()).collect()
    }

    #[test]
    fn old_tokens_settle_and_do_nothing_else() {
        let (mut leases, mut effects, now) = (leases(), Effects::default(), Instant::now());
        leases.set_credit(1, 10, &mut effects);
        let mut grants = Vec::new();
        leases.grant(1, now, END, 10, &mut grants, &mut effects);
        let old = |seq| LeaseKey { epoch: 100, seq, attempt: 1 };
        leases.ack(&[old(0), old(1), old(2)], END, &mut effects);
        effects.clear();

        leases.seek(1, &RangeSet::new(), &mut effects);
        assert_eq!(effects.journal, [JournalOp::Seeked(1)]);
        assert_eq!((leases.figures(END).in_flight, leases.figures(END).unsettled), (0, END - 1));
        grants.clear();
        leases.grant(1, now, END, 10, &mut grants, &mut effects);
        assert_eq!(grants, [Grant { seqs: 1..11, attempt: 1 }], "all of its credit is free");
        // The same seq and attempt as the new lease, and yet not its token.
        assert!(!leases.nack(old(3), None, now, &mut effects));
        assert!(!leases.reject(old(3), b"", &mut effects));
        assert!(!leases.extend(old(3), Duration::from_secs(60), now));
        let outcome = leases.ack(&[old(3)], END, &mut effects);
        assert_eq!((outcome.settled, outcome.late, outcome.refused), (1, 1, 0));
        let new = LeaseKey { epoch: leases.epoch(), seq: 4, attempt: 1 };
        assert!(leases.nack(new, None, now, &mut effects));
    }

    #[test]
    fn holes_of_the_log_stay_settled() {
        let (mut leases, mut effects) = (leases(), Effects::default());
        let holes: RangeSet = [0..3, 10..20].into_iter().collect();
        leases.seek(1, &holes, &mut effects);
        let settled = [JournalOp::Settled(1..3), JournalOp::Settled(10..20)];
        assert_eq!(effects.journal[0], JournalOp::Seeked(1));
        assert_eq!(effects.journal[1..], settled);
        assert_eq!(unsettled(&leases), (3..10).chain(20..END).collect::<Vec<_>>());
        assert_eq!(leases.figures(END).cursor, 3);
    }

    proptest! {
        /// Whatever state the records are in, afterwards all is as if nothing had been before.
        #[test]
        fn nothing_of_before_is_left(
            acked in prop::collection::vec(0u64..20, 0..10),
            failed in prop::collection::vec((0u64..20, any::<bool>()), 0..10),
            to in 0..END,
        ) {
            let (mut leases, mut effects, now) = (leases(), Effects::default(), Instant::now());
            let mut grants = Vec::new();
            for (connection, credit) in [(1, 5), (2, 15)] {
                leases.set_credit(connection, credit, &mut effects);
                leases.grant(connection, now, END, credit, &mut grants, &mut effects);
            }
            let key = |seq| LeaseKey { epoch: 100, seq, attempt: 1 };
            let acked: Vec<_> = acked.into_iter().map(key).collect();
            leases.ack(&acked, END, &mut effects);
            for (seq, nacked) in failed {
                if nacked {
                    leases.nack(key(seq), None, now, &mut effects);
                } else {
                    leases.reject(key(seq), b"no", &mut effects);
                }
            }
            leases.seek(to, &RangeSet::new(), &mut effects);
            prop_assert_eq!(unsettled(&leases), (to..END).collect::<Vec<_>>());
            let figures = leases.figures(END);
            prop_assert_eq!((figures.cursor, figures.delivered_end), (to, to));
            prop_assert_eq!((figures.in_flight, figures.parking), (0, 0));
            prop_assert_eq!(leases.next_deadline(), None);
            for seq in 0..END {
                prop_assert!(!leases.parked(seq, &mut effects));
            }
            grants.clear();
            leases.set_credit(3, 64, &mut effects);
            leases.grant(3, now, END, 64, &mut grants, &mut effects);
            prop_assert_eq!(grants, [Grant { seqs: to..END, attempt: 1 }]);
        }
    }
}
