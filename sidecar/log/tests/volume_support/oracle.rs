//! Judges a recovered volume by the history of what was asked of it and promised by it.

use lifeboat_log::ranges::RangeSet;
use lifeboat_log::state::DeliveryState;
use lifeboat_log::{Finding, Stream, Volume};

use super::history::{Calls, History, StreamHistory};
use super::{Payload, log_of, read_all};

/// What must and what may be found on the disk after so many calls.
pub(crate) struct Expected<'a> {
    streams: Vec<ExpectedStream<'a>>,
}

struct ExpectedStream<'a> {
    records: ExpectedLog<'a>,
    dead_letters: ExpectedLog<'a>,
    deliveries: Vec<ExpectedDelivery>,
}

struct ExpectedLog<'a> {
    promised_end: u64,
    possible: Vec<&'a Payload>,
}

struct ExpectedDelivery {
    certain: RangeSet,
    possible: RangeSet,
}

impl<'a> Expected<'a> {
    pub(crate) fn new(history: &'a History, at: Calls) -> Self {
        let stream = |stream: &'a StreamHistory| {
            let log = |dead| ExpectedLog {
                promised_end: stream.log(dead).promised_end(at),
                possible: stream.log(dead).possible(at),
            };
            let deliveries = stream.deliveries.iter().map(|delivery| ExpectedDelivery {
                certain: delivery.certain(at),
                possible: delivery.possible(at),
            });
            ExpectedStream {
                records: log(false),
                dead_letters: log(true),
                deliveries: deliveries.collect(),
            }
        };
        Self { streams: history.streams.iter().map(stream).collect() }
    }

    /// Whether a volume recovered without damage keeps every promise and invents nothing.
    ///
    /// # Errors
    /// The first violation, in words.
    pub(crate) fn check(&self, volume: &Volume) -> Result<(), String> {
        let damage = |finding: &&Finding| matches!(finding, Finding::Damage(_));
        if let Some(damage) = volume.findings.iter().find(damage) {
            return Err(format!("took it for damage: {damage:?}"));
        }
        for (expected, stream) in self.streams.iter().zip(&volume.streams) {
            expected.check(stream).map_err(|what| format!("stream {}: {what}", stream.name))?;
        }
        Ok(())
    }
}

impl ExpectedStream<'_> {
    fn check(&self, stream: &Stream) -> Result<(), String> {
        let states: Vec<&DeliveryState> =
            stream.deliveries.iter().map(|(_, state)| state).collect();
        let settled_by_all = |seq| states.iter().all(|state| state.is_settled(seq));
        self.records.check(stream, false, settled_by_all)?;
        self.dead_letters
            .check(stream, true, |_| false)
            .map_err(|what| format!("dead letters: {what}"))?;
        let marks = stream.log.marks();
        for (expected, state) in self.deliveries.iter().zip(&states) {
            expected.check(state).map_err(|what| format!("delivery {}: {what}", state.name))?;
            if !(marks.log_start..=marks.published_end).contains(&state.cursor) {
                return Err(format!("the cursor {} is outside of {marks:?}", state.cursor));
            }
        }
        Ok(())
    }
}

impl ExpectedLog<'_> {
    fn check(
        &self,
        stream: &Stream,
        dead: bool,
        may_be_gone: impl Fn(u64) -> bool,
    ) -> Result<(), String> {
        let log = log_of(stream, dead);
        let marks = log.marks();
        if let Some(why) = marks.stopped {
            return Err(format!("stopped: {why}"));
        }
        let (end, possible) = (marks.published_end, self.possible.len() as u64);
        if !(self.promised_end..=possible).contains(&end) {
            return Err(format!("ends at {end}, not in {}..={possible}", self.promised_end));
        }
        let found = read_all(log, 0).map_err(|error| error.to_string())?;
        let mut next = 0;
        for (seq, payload) in found {
            if let Some(lost) = (next..seq).find(|&seq| !may_be_gone(seq)) {
                return Err(format!("record {lost} is gone and not settled"));
            }
            if self.possible.get(usize::try_from(seq).unwrap()) != Some(&&payload) {
                return Err(format!("record {seq} is another than was handed over"));
            }
            next = seq + 1;
        }
        match (next..end).find(|&seq| !may_be_gone(seq)) {
            Some(lost) => Err(format!("record {lost} is gone and not settled")),
            None => Ok(()),
        }
    }
}

impl ExpectedDelivery {
    fn check(&self, state: &DeliveryState) -> Result<(), String> {
        let mut known = state.settled.clone();
        known.insert(0..state.cursor);
        if let Some(lost) = self.certain.iter().find(|range| !known.covers(range)) {
            return Err(format!("{lost:?} was settled, and is not any more"));
        }
        match known.iter().find(|range| !self.possible.covers(range)) {
            Some(range) => Err(format!("{range:?} is settled, and nobody asked for that")),
            None => Ok(()),
        }
    }
}

/// All that a restarted sidecar would see of a volume, for comparison.
#[derive(Debug, PartialEq)]
pub(crate) struct Seen {
    streams: Vec<(Vec<SeenLog>, Vec<DeliveryState>)>,
}

#[derive(Debug, PartialEq)]
struct SeenLog {
    end: u64,
    records: Vec<(u64, Payload)>,
}

impl Seen {
    pub(crate) fn of(volume: &Volume) -> Self {
        let log = |stream: &Stream, dead| {
            let log = log_of(stream, dead);
            assert_eq!(log.marks().stopped, None);
            SeenLog { end: log.published_end(), records: read_all(log, 0).unwrap() }
        };
        let stream = |stream: &Stream| {
            let logs = [false, true].map(|dead| log(stream, dead));
            let states = stream.deliveries.iter().map(|(_, state)| state.clone());
            (logs.into(), states.collect())
        };
        Self { streams: volume.streams.iter().map(stream).collect() }
    }
}
