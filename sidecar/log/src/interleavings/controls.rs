//! Mistakes that the scenarios must notice, made in parts that replace the real ones.

use std::sync::atomic::Ordering;

use shuttle::future::block_on;

use super::parts::{Latch, PRODUCERS, Parts, signals, submit, traffic};
use super::under;
use crate::fate::{Fate, Refusal};
use crate::handle::LogHandle;
use crate::pending::{CommitQueue, Rejection, Run, Submitted};
use crate::sync::{AtomicBool, Condvar, Mutex};
use crate::tail::InMemory;

/// As many as the real parts pass, so that a mistake is found where they are not at fault.
const SCHEDULES: usize = super::SCHEDULES;

/// The waker, but for the lock that orders a wake after the sleeper's last look.
#[derive(Default)]
struct Hasty {
    set: AtomicBool,
    sleeping: Mutex<()>,
    woken: Condvar,
}

impl Latch for Hasty {
    fn wake(&self) {
        if !self.set.swap(true, Ordering::AcqRel) {
            self.woken.notify_one();
        }
    }

    fn wait(&self) {
        let mut sleeping = self.sleeping.lock().unwrap();
        while !self.set.load(Ordering::Acquire) {
            sleeping = self.woken.wait(sleeping).unwrap();
        }
        self.set.store(false, Ordering::Release);
    }
}

#[test]
#[should_panic(expected = "deadlock")]
fn a_wake_without_the_lock_is_lost() {
    under(SCHEDULES, || signals::<Hasty>(PRODUCERS));
}

/// Tries first and listens then.
fn listens_late(queue: &CommitQueue, run: Run<'_>) -> Result<Submitted, Refusal> {
    let mut scratch = Vec::new();
    loop {
        match queue.submit(run, &mut scratch) {
            Ok(submitted) => return Ok(submitted),
            Err(Rejection::Closed(refusal)) => return Err(refusal),
            Err(Rejection::Full) => block_on(queue.room()),
        }
    }
}

#[test]
#[should_panic(expected = "deadlock")]
fn a_producer_that_listens_after_it_tried_waits_for_ever() {
    under(SCHEDULES, || traffic(Parts { submit: listens_late, ..Parts::default() }));
}

/// Decides first and publishes then.
fn decides_early(log: &LogHandle, batches: Vec<InMemory>, fate: &Fate<u64>) {
    fate.decide(Ok(batches[0].batch.first_seq));
    log.publish(batches);
}

#[test]
#[should_panic(expected = "a fate was decided before its record was visible")]
fn a_fate_that_is_decided_before_its_records_are_visible_is_noticed() {
    under(SCHEDULES, || traffic(Parts { publish: decides_early, submit }));
}
