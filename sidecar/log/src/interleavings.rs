//! Producers, the writer thread and readers, in every order of steps that random scheduling finds:
//! nobody waits for ever, a fate is decided only once its records are visible, and a buffer that
//! somebody reads is never filled again.
//!
//! Only in unit tests built with `--cfg shuttle` (`just interleavings`): [`crate::sync`] hands out
//! primitives whose every use is a point where another thread may go on. Timeouts never fire there,
//! so that a lost wake-up cannot hide behind one: it is a deadlock, and found. Atomics are
//! sequentially consistent there, whatever their ordering says.
//!
//! `controls` proves that these tests see such mistakes: it makes them, in parts of its own.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failed test panics"
)]

mod controls;
mod parts;
mod volume;

use shuttle::scheduler::{DfsScheduler, RandomScheduler};
use shuttle::{Config, Runner};

use crate::waker::Waker;
use parts::{Latch, PRODUCERS, Parts, signals, traffic};

/// Schedules tried of each small scenario.
const SCHEDULES: usize = 100_000;
/// The same numbers for every run: a failure comes again.
const SEED: u64 = 1;
/// Of each thread, in bytes. The default is too little for a build with assertions.
const STACK: usize = 128 << 10;

/// Runs `scenario` under this many schedules. A panic in any of its threads, and a deadlock, is one
/// of the caller.
fn under(schedules: usize, scenario: impl Fn() + Send + Sync + 'static) {
    let mut config = Config::new();
    config.stack_size = STACK;
    Runner::new(RandomScheduler::new_from_seed(SEED, schedules), config).run(scenario);
}

impl Latch for Waker {
    fn wake(&self) {
        self.wake();
    }

    fn wait(&self) {
        self.wait(None);
    }
}

#[test]
fn a_signal_wakes_the_writer_whenever_it_comes() {
    under(SCHEDULES, || signals::<Waker>(PRODUCERS));
}

#[test]
fn every_order_of_one_signal_and_the_writers_look_is_tried() {
    let runner = Runner::new(DfsScheduler::new(None, false), Config::new());
    let orders = runner.run(|| signals::<Waker>(1));
    assert!(orders > 10, "{orders}");
}

#[test]
fn every_record_is_visible_when_its_fate_is_decided_and_stays_what_it_is() {
    under(SCHEDULES, || traffic(Parts::default()));
}
