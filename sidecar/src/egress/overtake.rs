//! What retention takes before an application has settled it: deliveries step over it.

use std::ops::Range;

use lifeboat_log::LogHandle;

/// Has `step_over` get over what is too old or gone, now and whenever that becomes more.
pub(super) async fn follow(log: &LogHandle, step_over: impl Fn(Range<u64>)) {
    loop {
        let raised = log.floor_raised();
        let marks = log.marks();
        step_over(0..marks.expired_end.max(marks.log_start));
        raised.await;
    }
}
