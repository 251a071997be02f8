//! How much a stream still owes: pure arithmetic on what its deliveries have settled.

use std::ops::Range;

use lifeboat_log::ranges::RangeSet;

use crate::delivery::cursor::Cursor;

/// Records of `kept` that at least one of the deliveries has not settled.
pub fn depth(kept: &Range<u64>, cursors: &[Cursor]) -> u64 {
    if let [only] = cursors {
        return only.unsettled_within(kept);
    }
    owed(kept, cursors).len()
}

/// Which records these are.
pub fn owed(kept: &Range<u64>, cursors: &[Cursor]) -> RangeSet {
    let mut owed = RangeSet::new();
    for cursor in cursors {
        let mut from = kept.start;
        while let Some(run) = cursor.next_unsettled(from..kept.end) {
            from = run.end;
            owed.insert(run);
        }
    }
    owed
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cursor(position: u64, settled: Option<Range<u64>>) -> Cursor {
        Cursor::new(position, settled.into_iter().collect())
    }

    #[test]
    fn a_record_counts_once_however_many_deliveries_owe_it() {
        assert_eq!(depth(&(0..10), &[cursor(4, Some(6..8))]), 4);
        assert_eq!(depth(&(0..10), &[cursor(4, Some(6..8)), cursor(5, Some(5..10))]), 4);
        assert_eq!(depth(&(0..10), &[cursor(4, None), cursor(2, None)]), 8);
        assert_eq!(depth(&(3..10), &[cursor(10, None), cursor(10, None)]), 0);
        assert_eq!(depth(&(3..3), &[]), 0);
    }
}
