//! All decisions against a twin of a cluster, under random wishes, deaths and delays. What must
//! hold: no claim goes with anything in it, no replica with a backlog, and when the trouble ends
//! everything settles as wished, and then nothing is done any more.

mod cluster;
mod objects;
mod operator;

use std::collections::BTreeSet;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use self::cluster::{Cluster, Spec};
use self::operator::{Cache, Fault, Operator};
use crate::facts::State;

/// The ordinals that there may ever be.
const ORDINALS: std::ops::Range<u32> = 0..4;
/// Enough rounds for every drain, one after the other, and growth.
const ROUNDS: usize = 150;

/// What happens next.
#[derive(Clone, Debug)]
enum Event {
    Replicas(i32),
    Suspend(bool),
    Grow,
    Fence(u32),
    Unfence,
    Force(u32),
    Pass(i64),
    Control,
    Start(u32),
    End(u32),
    Evict(u32),
    Die(u32),
    Quiesce(u32),
    Bring(u32),
    Send(u32),
    SendInside(u32),
    Consume(u32),
    Resize(u32),
    Poll(u32),
    /// A cache gets no news, until all catch up.
    Lag(Cache),
    CatchUp,
    Refresh,
    Reconcile,
    /// The operator dies after so many operations.
    Killed(usize),
    /// Everything that goes by itself goes one step, and the operator reconciles.
    Round,
}

fn event() -> impl Strategy<Value = Event> {
    let one = || ORDINALS;
    prop_oneof![
        6 => (0..=4).prop_map(Event::Replicas),
        1 => any::<bool>().prop_map(Event::Suspend),
        1 => Just(Event::Grow),
        1 => one().prop_map(Event::Fence),
        1 => Just(Event::Unfence),
        1 => one().prop_map(Event::Force),
        3 => (1..12_i64).prop_map(Event::Pass),
        3 => Just(Event::Control),
        2 => one().prop_map(Event::Start),
        2 => one().prop_map(Event::End),
        1 => one().prop_map(Event::Evict),
        1 => one().prop_map(Event::Die),
        1 => one().prop_map(Event::Quiesce),
        3 => one().prop_map(Event::Bring),
        4 => one().prop_map(Event::Send),
        4 => one().prop_map(Event::SendInside),
        4 => one().prop_map(Event::Consume),
        1 => one().prop_map(Event::Resize),
        3 => one().prop_map(Event::Poll),
        1 => cache().prop_map(Event::Lag),
        2 => Just(Event::CatchUp),
        2 => Just(Event::Refresh),
        6 => Just(Event::Reconcile),
        3 => (0..6_usize).prop_map(Event::Killed),
        20 => Just(Event::Round),
    ]
}

fn cache() -> impl Strategy<Value = Cache> {
    prop_oneof![Just(Cache::Queue), Just(Cache::Set), Just(Cache::Config), Just(Cache::Replicas)]
}

struct Run {
    cluster: Cluster,
    lagging: BTreeSet<Cache>,
    operator: Operator,
}

impl Run {
    fn new(keeps_history: bool, fault: Fault) -> Self {
        let fenced = BTreeSet::new();
        let (replicas, size) = (2, 1);
        let spec = Spec { replicas, suspend: false, size, fenced, force: None, keeps_history };
        let cluster = Cluster::new(spec);
        let operator = Operator::new(&cluster, fault);
        Self { cluster, lagging: BTreeSet::new(), operator }
    }

    fn happen(&mut self, event: &Event) {
        let Self { cluster, lagging, operator } = self;
        match *event {
            Event::Replicas(replicas) => cluster.spec.replicas = replicas,
            Event::Suspend(suspend) => cluster.spec.suspend = suspend,
            Event::Grow => cluster.spec.size += 1,
            Event::Fence(ordinal) => drop(cluster.spec.fenced.insert(ordinal)),
            Event::Unfence => cluster.spec.fenced.clear(),
            Event::Force(ordinal) => cluster.spec.force = Some(ordinal),
            Event::Pass(seconds) => cluster.now += seconds,
            Event::Control => cluster.control(),
            Event::Start(ordinal) => cluster.start(ordinal),
            Event::End(ordinal) => cluster.end(ordinal),
            Event::Evict(ordinal) => cluster.evict(ordinal),
            Event::Die(ordinal) => cluster.die(ordinal),
            Event::Quiesce(ordinal) => cluster.quiesce(ordinal),
            Event::Bring(ordinal) => cluster.bring(ordinal),
            Event::Send(ordinal) => cluster.send(ordinal, false),
            Event::SendInside(ordinal) => cluster.send(ordinal, true),
            Event::Consume(ordinal) => cluster.consume(ordinal),
            Event::Resize(ordinal) => cluster.resize(ordinal),
            Event::Poll(ordinal) => operator.poll(cluster, ordinal),
            Event::Lag(cache) => drop(lagging.insert(cache)),
            Event::CatchUp => {
                lagging.clear();
                operator.refresh(cluster, lagging);
            }
            Event::Refresh => operator.refresh(cluster, lagging),
            Event::Reconcile => drop(operator.reconcile(cluster, usize::MAX)),
            Event::Killed(operations) => {
                operator.reconcile(cluster, operations);
                lagging.clear();
                operator.restart(cluster);
            }
            Event::Round => drop(self.round()),
        }
    }

    fn round(&mut self) -> crate::plan::Plan {
        let Self { cluster, lagging, operator } = self;
        cluster.control();
        for ordinal in ORDINALS {
            cluster.end(ordinal);
            cluster.start(ordinal);
            cluster.bring(ordinal);
            cluster.resize(ordinal);
            operator.poll(cluster, ordinal);
        }
        operator.refresh(cluster, lagging);
        cluster.now += 3;
        operator.reconcile(cluster, usize::MAX)
    }

    /// The trouble ends and the application consumes, until nothing has been done for a while.
    fn settle(&mut self) {
        self.cluster.spec.fenced.clear();
        self.lagging.clear();
        let mut quiet = 0;
        for _ in 0..ROUNDS {
            for ordinal in ORDINALS {
                self.cluster.consume(ordinal);
            }
            let plan = self.round();
            let is_quiet = plan.steps.is_empty() && plan.scale_down.is_none();
            quiet = if is_quiet && plan.growth.is_none() { quiet + 1 } else { 0 };
            // Longer than the status waits to tell small changes.
            if quiet == 15 {
                return;
            }
        }
    }

    fn check(&mut self) -> Result<(), TestCaseError> {
        if let Some(breach) = &self.cluster.breach {
            return Err(TestCaseError::fail(breach.clone()));
        }
        Ok(())
    }

    fn check_settled(&mut self) -> Result<(), TestCaseError> {
        let before = self.operator.status.clone();
        let plan = self.round();
        let Self { cluster, operator, .. } = self;
        prop_assert_eq!(&plan.steps, &vec![], "a settled queue needs nothing");
        prop_assert!(plan.scale_down.is_none() && plan.growth.is_none(), "{:?}", plan);
        prop_assert_eq!(&operator.status, &before, "and tells nothing new");
        let wanted = if cluster.spec.suspend { 0 } else { cluster.spec.replicas };
        let set = cluster.set.as_ref().unwrap();
        prop_assert_eq!((set.replicas, set.size), (wanted, cluster.spec.size));
        prop_assert_eq!(cluster.pods.len(), usize::try_from(wanted).unwrap());
        for (ordinal, pod) in &cluster.pods {
            let state = cluster.state(*ordinal);
            let serves = matches!(state, Some(State::Open | State::Quiesced));
            prop_assert!(serves, "replica {} is {:?}", ordinal, state);
            prop_assert!(pod.accepts, "replica {} is not sent to", ordinal);
            let claim = &cluster.claims[ordinal];
            prop_assert_eq!(&claim.mark, &None);
            prop_assert!(claim.has >= cluster.spec.size);
        }
        Ok(())
    }
}

fn run(events: &[Event], keeps_history: bool, fault: Fault) -> Result<(), TestCaseError> {
    let mut run = Run::new(keeps_history, fault);
    for event in events {
        run.happen(event);
        run.check()?;
    }
    run.settle();
    run.check()?;
    run.check_settled()
}

fn runs(cases: u32, fault: Fault) -> Result<(), String> {
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(
        config,
        proptest::test_runner::TestRng::deterministic_rng(
            proptest::test_runner::RngAlgorithm::ChaCha,
        ),
    );
    let space = (prop::collection::vec(event(), 1..150), any::<bool>());
    runner
        .run(&space, |(events, keeps_history)| run(&events, keeps_history, fault))
        .map_err(|error| format!("{error:.2000}"))
}

#[test]
fn whatever_happens_nothing_is_lost_and_all_settles() {
    assert_eq!(runs(1_000, Fault::None), Ok(()));
}

/// Each variant that is broken on purpose must be found out, for the reason that it is broken.
#[test]
fn what_is_broken_on_purpose_is_found() {
    let faults = [
        (Fault::NoSeal, "was deleted with"),
        (Fault::NoProof, "goes with"),
        (Fault::NoMark, "was deleted with"),
        (Fault::NoCount, "goes with"),
    ];
    for (fault, found) in faults {
        let error = runs(3_000, fault).expect_err(&format!("{fault:?} was not found"));
        assert!(error.contains(found), "{fault:?}: {error}");
    }
}

/// What chance hardly finds: the way there, step by step.
#[test]
fn what_is_seen_too_late_does_no_harm() {
    use Event::{Bring, Lag, Reconcile, Refresh, Replicas, Round, Send};
    let sealed = [Round, Round, Replicas(1), Round, Round, Round, Round, Round];
    // A drain is taken back at its very end, and asked for again before that has been seen.
    let again = [
        Refresh,
        Lag(Cache::Config),
        Lag(Cache::Replicas),
        Replicas(2),
        Refresh,
        Reconcile,
        Bring(1),
        Send(1),
        Replicas(1),
        Refresh,
        Reconcile,
    ];
    // More replicas come, which has not been seen when fewer are wanted again.
    let unseen = [
        Round,
        Round,
        Lag(Cache::Set),
        Lag(Cache::Replicas),
        Replicas(3),
        Round,
        Round,
        Send(2),
        Event::Force(1),
        Replicas(1),
        Round,
    ];
    let cases =
        [(Fault::NoMemory, [&sealed[..], &again].concat()), (Fault::NoPrecondition, unseen.into())];
    for (fault, events) in cases {
        run(&events, false, Fault::None).unwrap();
        let error = run(&events, false, fault).expect_err(&format!("{fault:?} was not found"));
        assert!(error.to_string().contains("goes with"), "{fault:?}: {error}");
    }
}
