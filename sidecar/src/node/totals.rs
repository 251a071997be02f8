//! What a queue comes to over all its streams: pure sums over their status.

use jiff::Timestamp;

use super::StreamNode;
use crate::status::{StreamState, StreamStatus, Totals};

/// Sums over `streams`, of which `backlogs` are the estimated bytes.
pub(super) fn totals(streams: &[StreamStatus], backlogs: &[u64]) -> Totals {
    let sum = |of: fn(&StreamStatus) -> u64| streams.iter().map(of).sum();
    let rate = |of: fn(&StreamStatus) -> f64| streams.iter().map(of).sum();
    let oldest = streams.iter().filter_map(|stream| stream.oldest_time).min();
    Totals {
        depth: sum(|stream| stream.depth),
        bytes: backlogs.iter().sum(),
        in_flight: sum(|stream| stream.in_flight),
        dead_letters: sum(|stream| stream.dead_letters),
        oldest_time: oldest.and_then(rfc3339),
        ingress_per_second: rate(|stream| stream.ingress_per_second),
        delivered_per_second: rate(|stream| stream.delivered_per_second),
        redelivered: sum(|stream| stream.deliveries.iter().map(|it| it.redelivered).sum()),
    }
}

/// A Unix time in seconds as RFC 3339 has it, in UTC; `None` after the year 9999.
fn rfc3339(unix: u64) -> Option<String> {
    let time = Timestamp::from_second(i64::try_from(unix).ok()?).ok()?;
    Some(time.to_string())
}

/// Whether any application is connected to any delivery.
pub(super) fn app_connected(streams: &[StreamStatus]) -> bool {
    let mut deliveries = streams.iter().flat_map(|stream| &stream.deliveries);
    deliveries.any(|it| it.socket.as_ref().is_some_and(|socket| socket.connections > 0))
}

/// Whether nothing of a stream is left to be done: no record that a delivery holds, the removed ones
/// included, no lease, no dead letter. Of a damaged stream that is not known. A full one may be full of
/// what is kept although nobody needs it.
pub(super) fn is_drained(stream: &StreamStatus) -> bool {
    let whole = stream.state != StreamState::Stopped && stream.damage.is_none();
    whole && stream.depth == 0 && stream.in_flight == 0 && stream.dead_letters == 0
}

impl StreamNode {
    /// Whether something that was read is not shown by the log yet.
    pub(super) fn holds_unstored(&self) -> bool {
        let queued = |queue: &lifeboat_log::CommitQueue| queue.queued_records() > 0;
        let log = &self.log;
        log.marks().waiting || queued(log.queue()) || queued(log.refusing_queue())
    }

    /// About how many bytes the unsettled records and the dead letters have on the disk: their part
    /// of what is kept, as if all were of the mean size.
    pub(super) fn backlog_bytes(&self, status: &StreamStatus) -> u64 {
        let kept = self.kept();
        let records = part(self.log.data_bytes(), status.depth, kept.end - kept.start);
        let letters = self.dead_letters.log();
        let marks = letters.marks();
        let all = marks.published_end - marks.log_start;
        records + part(letters.data_bytes(), status.dead_letters, all)
    }
}

/// `bytes` times `some` by `all`, rounded up.
fn part(bytes: u64, some: u64, all: u64) -> u64 {
    let share = (u128::from(bytes) * u128::from(some)).div_ceil(u128::from(all.max(1)));
    u64::try_from(share).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_has_whole_seconds_and_is_utc() {
        assert_eq!(rfc3339(951_868_799).as_deref(), Some("2000-02-29T23:59:59Z"));
        assert_eq!(rfc3339(u64::MAX), None);
    }

    #[test]
    fn a_part_is_a_share_and_never_nothing_of_something() {
        assert_eq!([part(1000, 0, 10), part(1000, 5, 10), part(1000, 10, 10)], [0, 500, 1000]);
        assert_eq!([part(1, 1, 10), part(0, 3, 10), part(u64::MAX, 2, 1)], [1, 0, u64::MAX]);
        assert_eq!(part(1000, 3, 0), 3000, "a race between two looks is no reason to fail");
    }
}
