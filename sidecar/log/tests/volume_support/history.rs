//! What was asked of a volume, what it promised, and when: counted in calls on the disk.

use std::ops::Range;

use lifeboat_log::ranges::RangeSet;

use super::Payload;

/// How many calls the disk had had.
pub(crate) type Calls = u64;

/// Everything about one run of a workload.
#[derive(Debug, Default)]
pub(crate) struct History {
    pub(crate) streams: Vec<StreamHistory>,
}

/// One stream: its records, its dead letters, its deliveries in the order of their names' list.
#[derive(Debug, Default)]
pub(crate) struct StreamHistory {
    pub(crate) records: LogHistory,
    pub(crate) dead_letters: LogHistory,
    pub(crate) deliveries: Vec<DeliveryHistory>,
}

impl StreamHistory {
    pub(crate) fn log(&self, dead: bool) -> &LogHistory {
        if dead { &self.dead_letters } else { &self.records }
    }

    pub(crate) fn log_mut(&mut self, dead: bool) -> &mut LogHistory {
        if dead { &mut self.dead_letters } else { &mut self.records }
    }
}

/// One log. Records get their seqs in the order in which they are handed over, so the place in
/// the list is the seq that a record has if it is stored.
#[derive(Debug, Default)]
pub(crate) struct LogHistory {
    submitted: Vec<(Calls, Payload)>,
    /// From when on all below an end was promised to be stored.
    promised: Vec<(Calls, u64)>,
    /// Ends of lists that a restart did without.
    forgotten: Vec<Forgotten>,
}

#[derive(Debug)]
struct Forgotten {
    /// Until then, while the restart went on, they may show.
    until: Calls,
    from: usize,
    records: Vec<(Calls, Payload)>,
}

impl LogHistory {
    pub(crate) fn submitted(&mut self, at: Calls, payloads: &[Payload]) {
        self.submitted.extend(payloads.iter().map(|payload| (at, Payload::clone(payload))));
    }

    pub(crate) fn promised(&mut self, at: Calls, end: u64) {
        self.promised.push((at, end));
    }

    /// A restart found records up to `end` only.
    pub(crate) fn restarted(&mut self, at: Calls, end: u64) {
        let from = usize::try_from(end).unwrap();
        if from < self.submitted.len() {
            let records = self.submitted.split_off(from);
            self.forgotten.push(Forgotten { until: at, from, records });
        }
    }

    /// How many records were handed over, those that a restart did without left out.
    pub(crate) fn len(&self) -> u64 {
        self.submitted.len() as u64
    }

    /// Every seq below was promised by then.
    pub(crate) fn promised_end(&self, at: Calls) -> u64 {
        let made = self.promised.iter().take_while(|(when, _)| *when <= at);
        made.map(|(_, end)| *end).max().unwrap_or(0)
    }

    /// What may be stored by then, by seq.
    pub(crate) fn possible(&self, at: Calls) -> Vec<&Payload> {
        let mut list: Vec<_> = self.submitted.iter().collect();
        for Forgotten { until, from, records } in self.forgotten.iter().rev() {
            if *until > at {
                list.truncate(*from);
                list.extend(records);
            }
        }
        list.retain(|(when, _)| *when <= at);
        list.into_iter().map(|(_, payload)| payload).collect()
    }
}

/// What a delivery settled.
#[derive(Debug, Default)]
pub(crate) struct DeliveryHistory {
    settled: Vec<Settled>,
}

#[derive(Debug)]
struct Settled {
    range: Range<u64>,
    at: Calls,
    promised: Option<Calls>,
}

impl DeliveryHistory {
    /// Notes a settlement and returns its place for [`Self::promised`].
    pub(crate) fn submitted(&mut self, at: Calls, range: Range<u64>) -> usize {
        self.settled.push(Settled { range, at, promised: None });
        self.settled.len() - 1
    }

    pub(crate) fn promised(&mut self, at: Calls, place: usize) {
        self.settled[place].promised = Some(at);
    }

    /// What may be settled by then.
    pub(crate) fn possible(&self, at: Calls) -> RangeSet {
        let asked = self.settled.iter().filter(|settled| settled.at <= at);
        asked.map(|settled| settled.range.clone()).collect()
    }

    /// What must be settled by then.
    pub(crate) fn certain(&self, at: Calls) -> RangeSet {
        let durable = |settled: &&Settled| settled.promised.is_some_and(|when| when <= at);
        self.settled.iter().filter(durable).map(|settled| settled.range.clone()).collect()
    }
}
