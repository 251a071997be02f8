//! Messages of which none is to be stored twice: what came in one read, until all of it can be
//! decided about, and the answers that it then has.

use std::ops::Range;
use std::sync::Arc;

use event_listener::EventListener;
use lifeboat_api::OnFull;
use lifeboat_log::{DedupId, Rejection, Run, Submitted};

use super::answers::{Answer, Group};
use super::{IngressContext, Repeats};
use crate::dedup::{Decision, Hold, Question};
use crate::metrics::IngressMetrics;

/// One connection's.
#[derive(Debug)]
pub(super) struct Once<'a> {
    repeats: &'a Repeats,
    /// What is to be answered, in order.
    owed: Vec<Owed>,
    envelopes: Vec<u8>,
    /// Where the record of each message that has one is, and its id.
    records: Vec<Range<u32>>,
    ids: Vec<Option<DedupId>>,
    /// What was asked about them.
    question: Option<Arc<Question>>,
}

/// A message, its envelope being the next so many bytes.
#[derive(Debug)]
enum Owed {
    /// It has a record, the next one.
    Record(usize),
    /// It has none, and this answer.
    Answer(usize, Answer),
}

/// What became of what came in.
pub(super) enum Admitted {
    /// It is decided: the answers, in order, and what each group of them waits for.
    Groups(Vec<(Group, Option<Submitted>)>),
    /// Not yet: try again when this completes.
    Wait(EventListener),
}

impl<'a> Once<'a> {
    pub(super) fn new(repeats: &'a Repeats) -> Self {
        let (owed, envelopes, records, ids) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        Self { repeats, owed, envelopes, records, ids, question: None }
    }

    /// Adds a message whose body is at `record` in the connection's buffer.
    pub(super) fn offer(&mut self, envelope: &[u8], body: &[u8], record: Range<u32>) {
        self.ids.push(self.repeats.scope.id_of(envelope, body));
        self.records.push(record);
        self.envelopes.extend_from_slice(envelope);
        self.owed.push(Owed::Record(envelope.len()));
    }

    /// Adds a message that is answered at once.
    pub(super) fn owe(&mut self, answer: Answer, envelope: &[u8]) {
        self.envelopes.extend_from_slice(envelope);
        self.owed.push(Owed::Answer(envelope.len(), answer));
    }

    /// Tries to decide about all that was added; then nothing of it is left here.
    pub(super) fn admit(&mut self, bytes: &[u8], context: &IngressContext) -> Admitted {
        let Repeats { dedup, window, .. } = self.repeats;
        let queue = context.queue_with_receipts();
        let room = queue.room();
        let records = &self.records;
        let store = |decisions: &[Decision], ids: &[(u32, DedupId)]| {
            let new = decisions.iter().zip(records);
            let new = new.filter(|(decision, _)| matches!(decision, Decision::New(_)));
            let new: Vec<_> = new.map(|(_, record)| record.clone()).collect();
            let run = Run { bytes, records: &new };
            queue.submit_with_ids(run, ids, &mut Vec::new())
        };
        let admitted = match dedup.admit(&self.ids, *window, self.question.as_deref(), store) {
            Ok((decisions, submitted)) => {
                self.groups(decisions, submitted.as_ref(), &context.metrics)
            }
            Err(Hold::Until(changed)) => return Admitted::Wait(changed),
            Err(Hold::Asked(question, answered)) => {
                self.question = Some(question);
                return Admitted::Wait(answered);
            }
            Err(Hold::Log(Rejection::Full)) => return Admitted::Wait(room),
            Err(Hold::NoRoom(changed)) if context.on_full != OnFull::Reject => {
                return Admitted::Wait(changed);
            }
            Err(Hold::NoRoom(_) | Hold::Log(Rejection::Closed(_))) => {
                let none = vec![Decision::Unavailable; self.ids.len()];
                self.groups(none, None, &context.metrics)
            }
        };
        *self = Self::new(self.repeats);
        Admitted::Groups(admitted)
    }

    /// The answers, in groups of which each waits for one fate: that of what was `submitted` now,
    /// or that of an earlier copy.
    fn groups(
        &self,
        decisions: Vec<Decision>,
        submitted: Option<&Submitted>,
        metrics: &IngressMetrics,
    ) -> Vec<(Group, Option<Submitted>)> {
        let mut groups = Groups { done: Vec::new(), open: Group::default(), of: None };
        let (mut decisions, mut envelopes) = (decisions.into_iter(), self.envelopes.as_slice());
        let mine = |index: u64| {
            submitted.map(|run| Submitted { index: run.index + index, fate: Arc::clone(&run.fate) })
        };
        for owed in &self.owed {
            let (Owed::Record(len) | Owed::Answer(len, _)) = *owed;
            let (envelope, rest) = envelopes.split_at(len);
            envelopes = rest;
            let decision = match owed {
                Owed::Answer(_, answer) => {
                    groups.open.owe(*answer, envelope);
                    continue;
                }
                Owed::Record(_) => decisions.next().unwrap_or(Decision::Unavailable),
            };
            let repeat =
                matches!(decision, Decision::Twin(_) | Decision::Same(_) | Decision::Stored(_));
            if repeat {
                metrics.duplicate();
            }
            match decision {
                Decision::New(index) => groups.next_record(mine(index), envelope),
                Decision::Twin(index) => groups.lone_record(mine(index), envelope),
                Decision::Same(earlier) => groups.lone_record(Some(earlier), envelope),
                Decision::Stored(seq) => groups.open.owe(Answer::Stored(seq), envelope),
                Decision::Conflict => groups.open.owe(Answer::Conflict, envelope),
                Decision::Unavailable => groups.open.owe(Answer::Unavailable, envelope),
            }
        }
        groups.close();
        groups.done
    }
}

struct Groups {
    done: Vec<(Group, Option<Submitted>)>,
    open: Group,
    /// The first record of the open group.
    of: Option<Submitted>,
}

impl Groups {
    /// Owes the answer of the record after the last one of the open group, or its first.
    fn next_record(&mut self, record: Option<Submitted>, envelope: &[u8]) {
        if self.of.is_none() {
            self.of = record;
        }
        self.open.owe(Answer::OfRecord, envelope);
    }

    /// Owes the answer of a record that is not in line.
    fn lone_record(&mut self, record: Option<Submitted>, envelope: &[u8]) {
        self.close();
        self.open.owe(Answer::OfRecord, envelope);
        self.of = record;
        self.close();
    }

    fn close(&mut self) {
        self.done.push((std::mem::take(&mut self.open), self.of.take()));
    }
}
