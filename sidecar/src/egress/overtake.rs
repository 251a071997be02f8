//! What retention takes before an application has settled it: deliveries step over it and count it.

use std::ops::Range;

use lifeboat_log::LogHandle;

use crate::metrics::DeliveryMetrics;

/// Has `skip` settle what is too old or gone, now and whenever that becomes more. `skip` says how
/// many records of the range were not settled before.
pub(super) async fn follow(
    log: &LogHandle,
    metrics: &DeliveryMetrics,
    mut skip: impl FnMut(Range<u64>) -> u64,
) {
    loop {
        let raised = log.floor_raised();
        let marks = log.marks();
        metrics.expired.inc_by(skip(0..marks.expired_end));
        metrics.dropped.inc_by(skip(0..marks.log_start));
        raised.await;
    }
}
