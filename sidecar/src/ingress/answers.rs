//! Receipts that are owed to one producer, in the order of its messages. Pure but for the fates
//! that it looks at.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use lifeboat_log::{Fate, Submitted};

use crate::wire::receipt::{Receipt, append_reply};

/// One message's answer to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    /// Whatever becomes of the group's next record.
    OfRecord,
    /// 200 with this seq: it was stored before.
    Stored(u64),
    /// 409.
    Conflict,
    /// 400, whatever happens; so for the others.
    Malformed,
    /// 413.
    TooLarge,
    /// 503.
    Unavailable,
}

/// The answers to one run of messages.
#[derive(Debug, Default)]
pub(super) struct Group {
    answers: Vec<(Answer, u32)>,
    envelopes: Vec<u8>,
    /// `None` when the run holds no record.
    submitted: Option<Submitted>,
}

impl Group {
    /// Owes the next message's answer.
    pub(super) fn owe(&mut self, answer: Answer, envelope: &[u8]) {
        // An envelope is part of a message, which the codec keeps far below 4 GiB.
        let len = u32::try_from(envelope.len()).unwrap_or(u32::MAX);
        self.answers.push((answer, len));
        self.envelopes.extend_from_slice(envelope);
    }

    fn cost(&self) -> usize {
        self.envelopes.len() + self.answers.len() * size_of::<(Answer, u32)>() + size_of::<Self>()
    }
}

/// All that is owed.
#[derive(Debug, Default)]
pub(super) struct Answers {
    groups: VecDeque<Group>,
    bytes: usize,
}

impl Answers {
    /// Adds a group whose records, if any, were submitted.
    pub(super) fn push(&mut self, mut group: Group, submitted: Option<Submitted>) {
        if group.answers.is_empty() {
            return;
        }
        group.submitted = submitted;
        self.bytes += group.cost();
        self.groups.push_back(group);
    }

    /// Adds a group whose records were refused.
    pub(super) fn push_refused(&mut self, mut group: Group) {
        for (answer, _) in &mut group.answers {
            if *answer == Answer::OfRecord {
                *answer = Answer::Unavailable;
            }
        }
        self.push(group, None);
    }

    /// Memory that it takes.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// What the next answer waits for; `None` when it waits for nothing.
    pub(super) fn next(&self) -> Option<Arc<Fate<u64>>> {
        self.groups.front()?.submitted.as_ref().map(|submitted| Arc::clone(&submitted.fate))
    }

    /// Appends every reply that can be given now, and calls `count` with each.
    pub(super) fn take_decided(&mut self, out: &mut Vec<u8>, mut count: impl FnMut(Receipt)) {
        while let Some(group) = self.groups.front() {
            let stored = match &group.submitted {
                None => None,
                Some(submitted) => match submitted.seqs() {
                    None => return,
                    Some(outcome) => outcome.ok(),
                },
            };
            self.bytes -= group.cost();
            reply(group, stored.unwrap_or_default(), out, &mut count);
            self.groups.pop_front();
        }
    }
}

/// Appends a group's replies; `seqs` are those of its records, as far as they were stored.
fn reply(group: &Group, mut seqs: Range<u64>, out: &mut Vec<u8>, count: &mut impl FnMut(Receipt)) {
    let mut envelopes = group.envelopes.as_slice();
    for &(answer, len) in &group.answers {
        let (envelope, rest) = envelopes.split_at(len as usize);
        envelopes = rest;
        let receipt = match answer {
            Answer::Stored(seq) => Receipt::Stored(seq),
            Answer::Conflict => Receipt::Conflict,
            Answer::Malformed => Receipt::Malformed,
            Answer::TooLarge => Receipt::TooLarge,
            Answer::Unavailable => Receipt::Unavailable,
            Answer::OfRecord => seqs.next().map_or(Receipt::Unavailable, Receipt::Stored),
        };
        append_reply(out, envelope, receipt);
        count(receipt);
    }
}
