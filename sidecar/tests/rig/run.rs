//! One run: rounds of kills under load, then a last life in which everything is worked off.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::thread::{JoinHandle, sleep, spawn};
use std::time::{Duration, Instant};

use rand::SeedableRng;
use rand::rngs::SmallRng;

use super::actors::{Phase, Shared};
use super::consumer::{Consumer, ConsumerLog};
use super::history::History;
use super::message::Submission;
use super::producer::{Producer, ProducerLog, dealer, req};
use super::puller;
use super::queue::{ACK_TIMEOUT, Queue};
use super::schedule::{KillAt, Round};
use super::stage::{Conduct, Stage};
use crate::support::{Lifeboat, PATIENCE};

/// How often a condition is looked at.
const LOOK: Duration = Duration::from_micros(500);
/// A receipt or a delivery that is to be the last of a round comes within this time, or any will do.
const ROUND_LIMIT: Duration = Duration::from_millis(2_500);
/// When nothing is left, nothing has come for so long, and something was not delivered: it is lost.
const SILENCE: Duration = Duration::from_secs(2);

/// What to do.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    /// Seeds everybody's choices.
    pub(crate) seed: u64,
    /// The kills.
    pub(crate) rounds: Vec<Round>,
    /// How many consumers share the Credit delivery.
    pub(crate) consumers: usize,
    /// Whether there is a PUSH delivery with its PULL application.
    pub(crate) puller: bool,
    /// What ends a round.
    pub(crate) blow: Blow,
    /// Puts a stage before the Receipt ingress.
    pub(crate) receipts: Option<Conduct>,
    /// Puts a stage behind the Credit delivery, for each consumer.
    pub(crate) credit: Option<Conduct>,
}

/// What a round ends with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Blow {
    /// SIGKILL: what the process has written is in the page cache, and stays.
    Kill,
    /// The file system forgets what it has not synced. Needs root.
    PowerCut,
}

/// Runs `plan` to its end.
pub(crate) fn run(plan: &Plan) -> History {
    let mut rig = Rig::new(plan);
    for round in &plan.rounds {
        rig.round(round);
    }
    rig.finish()
}

/// A run at work. Dropped before its end, it tells everybody to stop.
struct Rig<'a> {
    plan: &'a Plan,
    queue: Queue,
    shared: Arc<Shared>,
    context: zmq::Context,
    producers: Vec<JoinHandle<ProducerLog>>,
    consumers: Vec<JoinHandle<ConsumerLog>>,
    puller: Option<JoinHandle<Vec<Option<Submission>>>>,
    watch: Option<JoinHandle<Vec<Range<Duration>>>>,
    history: History,
}

/// A life of the process, its stages included.
struct Life {
    lifeboat: Lifeboat,
    stages: Vec<Stage>,
    epoch: u64,
}

impl<'a> Rig<'a> {
    fn new(plan: &'a Plan) -> Self {
        let shared = Arc::new(Shared::new());
        let watched = Arc::clone(&shared);
        let mut rig = Self {
            plan,
            queue: Queue::new(plan.puller, plan.blow == Blow::PowerCut),
            shared,
            context: zmq::Context::new(),
            producers: Vec::new(),
            consumers: Vec::new(),
            puller: None,
            watch: Some(spawn(move || watched.watch_stalls())),
            history: History { ack_timeout: ACK_TIMEOUT, ..History::default() },
        };
        rig.start_producers();
        rig.start_consumers();
        rig
    }

    fn rng(&self, actor: u64) -> SmallRng {
        SmallRng::seed_from_u64(self.plan.seed.wrapping_add(actor << 32))
    }

    fn start_producers(&mut self) {
        let staged = self.plan.receipts.map(|_| self.queue.spare_endpoint("receipts"));
        let endpoints = [&self.queue.receipts, &self.queue.local];
        for id in 0..4u32 {
            let rng = self.rng(u64::from(id));
            let endpoint = staged.as_ref().unwrap_or(endpoints[id as usize % 2]).clone();
            let (context, shared) = (self.context.clone(), Arc::clone(&self.shared));
            self.producers.push(spawn(move || {
                let socket = if id < 2 { dealer } else { req }(&context, &endpoint);
                let producer = Producer::new(id, socket, &shared, rng);
                match id {
                    0 => producer.run_window(128),
                    1 => producer.run_window(32),
                    _ => producer.run_lockstep(),
                }
            }));
        }
    }

    fn start_consumers(&mut self) {
        for at in 0..self.plan.consumers {
            let rng = self.rng(100 + at as u64);
            let endpoint = match self.plan.credit {
                Some(_) => self.queue.spare_endpoint(&format!("workers{at}")),
                None => self.queue.workers.clone(),
            };
            let (context, shared) = (self.context.clone(), Arc::clone(&self.shared));
            self.consumers
                .push(spawn(move || Consumer::new(&context, &endpoint, &shared, rng).run()));
        }
        if self.plan.puller {
            let (context, shared) = (self.context.clone(), Arc::clone(&self.shared));
            let endpoint = self.queue.out.clone();
            self.puller = Some(spawn(move || puller::run(&context, &endpoint, &shared)));
        }
    }

    /// Starts the process and waits until it is open.
    fn live(&mut self) -> Life {
        self.began();
        let lifeboat = self.queue.start();
        let epoch = self.queue.status().epoch;
        let mut stages = Vec::new();
        if let Some(conduct) = self.plan.receipts {
            let front = self.queue.spare_endpoint("receipts");
            stages.push(Stage::receipts(front, self.queue.receipts.clone(), conduct));
        }
        if let Some(conduct) = self.plan.credit {
            for at in 0..self.plan.consumers {
                let front = self.queue.spare_endpoint(&format!("workers{at}"));
                stages.push(Stage::credit(front, self.queue.workers.clone(), conduct));
            }
        }
        Life { lifeboat, stages, epoch }
    }

    fn began(&mut self) {
        self.history.starts += 1;
        self.shared.boot.fetch_add(1, SeqCst);
    }

    fn round(&mut self, round: &Round) {
        for &life in &round.stillborn {
            self.began();
            self.queue.start_and_kill(life);
            self.history.kills += 1;
        }
        self.shared.begin_round();
        self.shared.puller_sleeps.store(round.puller_sleeps, SeqCst);
        let life = self.live();
        let opened = Instant::now();
        let (receipts, deliveries) = self.shared.progress();
        let come = || {
            let now = self.shared.progress();
            let (receipts, deliveries) = (now.0 - receipts, now.1 - deliveries);
            let late = opened.elapsed() > ROUND_LIMIT && receipts + deliveries > 0;
            late || match round.kill {
                KillAt::Time(time) => opened.elapsed() >= time,
                KillAt::Receipt(count) => receipts >= count,
                KillAt::Delivery(count) => deliveries >= count,
            }
        };
        while !come() {
            assert!(opened.elapsed() < PATIENCE, "the queue stands still");
            sleep(LOOK);
        }
        // The time before the kill: what came after it, came before the process was gone.
        self.history.killed.insert(life.epoch, self.shared.now());
        self.history.kills += 1;
        match self.plan.blow {
            Blow::Kill => life.lifeboat.kill(),
            Blow::PowerCut => self.queue.cut_power(life.lifeboat),
        }
        life.stages.into_iter().for_each(Stage::crash);
    }

    /// Works everything off, and gathers what everybody saw.
    fn finish(mut self) -> History {
        self.shared.puller_sleeps.store(false, SeqCst);
        let life = self.live();
        self.shared.set_phase(Phase::Drain);
        for producer in std::mem::take(&mut self.producers) {
            let log = join(producer, "a producer");
            assert_eq!(log.unanswered, 0, "messages without a receipt at the end");
            self.history.sent.extend(log.sent);
            self.history.receipts.extend(log.receipts);
            self.history.refusals.extend(log.refusals);
        }
        self.history.stored = self.drained();
        life.stages.into_iter().for_each(Stage::crash);
        assert_eq!(life.lifeboat.stop().code(), Some(0), "SIGTERM");
        self.shared.set_phase(Phase::Stop);
        for consumer in std::mem::take(&mut self.consumers) {
            let log = join(consumer, "a consumer");
            self.history.consumers.push(log.deliveries);
            self.history.verdicts.extend(log.verdicts);
            self.history.streams.extend(log.streams);
            self.history.refusals.extend(log.refusals);
        }
        self.history.pulled = self.puller.take().map(|puller| join(puller, "the PULL"));
        self.history.stalls = self.watch.take().map(|watch| watch.join().unwrap()).unwrap();
        self.history.dead_letters = self.queue.dead_letters();
        std::mem::take(&mut self.history)
    }

    /// Waits until nothing is left to deliver, and says how many records were stored in all.
    fn drained(&self) -> u64 {
        let mut progress = (0, 0);
        let mut since = Instant::now();
        loop {
            let stream = self.queue.status().streams.swap_remove(0);
            let arrived = (self.shared.seen_count(), self.shared.pulled.load(SeqCst));
            let complete = arrived.0 == stream.durable_end
                && (!self.plan.puller || arrived.1 == stream.durable_end);
            let now = (arrived.0 + arrived.1, stream.depth);
            if now != progress {
                (progress, since) = (now, Instant::now());
            }
            if stream.depth == 0 && (complete || since.elapsed() > SILENCE) {
                return stream.durable_end;
            }
            assert!(since.elapsed() < PATIENCE, "the queue does not drain: {stream:?}");
            sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Rig<'_> {
    fn drop(&mut self) {
        self.shared.set_phase(Phase::Stop);
    }
}

fn join<T>(thread: JoinHandle<T>, who: &str) -> T {
    let deadline = Instant::now() + PATIENCE;
    while !thread.is_finished() {
        assert!(Instant::now() < deadline, "{who} does not end");
        sleep(LOOK);
    }
    thread.join().unwrap()
}
