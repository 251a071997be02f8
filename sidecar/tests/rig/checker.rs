//! Judges a history: nothing receipted is lost, nothing comes that was not sent, and duplicates and
//! order follow the rules of ARCHITECTURE.md. Pure.
//!
//! Order is meant like this. *By seq, the records of one producer's socket are in the order in
//! which it sent them*, over all rounds: libzmq keeps that order across connections, and so must
//! the log. *By time, the first hand-outs (attempt 1) of one boot to one consumer are ascending in
//! seq.* Together: a consumer meets each producer's messages in order, but for redeliveries. A PULL
//! application gets ascending runs, one for each boot at most.

use std::collections::{BTreeMap, BTreeSet};

use lifeboat_sidecar::wire::token::StreamMark;

use super::deliveries;
use super::history::{DeadLetter, History, Verdict};
use super::message::Submission;
use super::report::{Reason, Report, Violation};

/// Judges `history`.
pub(crate) fn check(history: &History) -> Report {
    let mut check = Check {
        history,
        positions: positions(history),
        contents: BTreeMap::new(),
        delivered: BTreeSet::new(),
        violations: Vec::new(),
        duplicates: BTreeMap::new(),
    };
    check.deliveries();
    check.receipts();
    check.producers_order();
    check.dead_letters();
    check.completeness();
    check.pulled();
    check.streams();
    deliveries::check(history, &mut check.violations, &mut check.duplicates);
    let figures = check.figures();
    let Check { violations, duplicates, .. } = check;
    Report { violations, duplicates, figures }
}

struct Check<'a> {
    history: &'a History,
    /// When each submission was sent: its place in `history.sent`.
    positions: BTreeMap<Submission, usize>,
    /// The submission at each seq, as far as consumers and receipts tell.
    contents: BTreeMap<u64, Submission>,
    /// What consumers were handed.
    delivered: BTreeSet<Submission>,
    violations: Vec<Violation>,
    duplicates: BTreeMap<Reason, u64>,
}

fn positions(history: &History) -> BTreeMap<Submission, usize> {
    history.sent.iter().enumerate().map(|(at, sent)| (sent.submission, at)).collect()
}

impl Check<'_> {
    fn deliveries(&mut self) {
        for delivery in self.history.consumers.iter().flatten() {
            let seq = delivery.hand_out.seq;
            if let Some(message) = self.known(delivery.message, || format!("seq {seq}")) {
                self.delivered.insert(message);
                self.holds(seq, message);
            }
        }
    }

    /// A message that was sent, or a violation.
    fn known(
        &mut self,
        message: Option<Submission>,
        place: impl FnOnce() -> String,
    ) -> Option<Submission> {
        match message {
            None => self.violations.push(Violation::Damaged(place())),
            Some(message) if !self.positions.contains_key(&message) => {
                self.violations.push(Violation::Unexpected(message));
            }
            Some(_) => return message,
        }
        None
    }

    fn holds(&mut self, seq: u64, message: Submission) {
        if *self.contents.entry(seq).or_insert(message) != message {
            self.violations.push(Violation::SeqReused(seq));
        }
    }

    fn receipts(&mut self) {
        let mut last = BTreeMap::new();
        for receipt in &self.history.receipts {
            let submission = receipt.submission;
            if let Some(seq) = receipt.seq {
                self.holds(seq, submission);
            }
            let position = self.positions.get(&submission).copied();
            let before = last.insert(submission.producer, position);
            if position.is_none() || before.is_some_and(|before| before >= position) {
                self.violations.push(Violation::ReceiptOutOfOrder(submission));
            }
        }
    }

    fn producers_order(&mut self) {
        let mut last = BTreeMap::new();
        let mut seqs = BTreeSet::new();
        for message in self.contents.values() {
            let position = self.positions.get(message);
            let before = last.insert(message.producer, position);
            if !seqs.insert(*message) {
                self.violations.push(Violation::StoredTwice(*message));
            } else if before.is_some_and(|before| before > position) {
                self.violations.push(Violation::OutOfOrder(*message));
            }
        }
        let different: BTreeSet<_> =
            seqs.iter().map(|message| (message.producer, message.number)).collect();
        let resent = (seqs.len() - different.len()) as u64;
        *self.duplicates.entry(Reason::Resend).or_default() += resent;
    }

    fn dead_letters(&mut self) {
        let verdicts = self.history.verdicts.iter();
        let rejects = verdicts.filter(|given| given.verdict == Verdict::Reject);
        let rejected: BTreeSet<_> = rejects.map(|given| given.hand_out.seq).collect();
        let mut seen = BTreeSet::new();
        for &DeadLetter { seq, message } in &self.history.dead_letters {
            if let Some(message) = self.known(message, || format!("dead letter of seq {seq}")) {
                self.holds(seq, message);
            }
            if !rejected.contains(&seq) {
                self.violations.push(Violation::StrangeDeadLetter(seq));
            }
            if !seen.insert(seq) {
                *self.duplicates.entry(Reason::Parking).or_default() += 1;
            }
        }
    }

    /// Everything that was receipted and everything that is stored came, and was settled by someone.
    fn completeness(&mut self) {
        let history = self.history;
        let apart: BTreeSet<_> = history.dead_letters.iter().map(|letter| letter.seq).collect();
        for receipt in &history.receipts {
            let set_apart = receipt.seq.is_some_and(|seq| apart.contains(&seq));
            if receipt.seq.is_some() && !self.delivered.contains(&receipt.submission) && !set_apart
            {
                self.violations.push(Violation::Lost(receipt.submission));
            }
        }
        let handed = history.consumers.iter().flatten().map(|delivery| delivery.hand_out.seq);
        let handed: BTreeSet<_> = handed.chain(apart.iter().copied()).collect();
        let acks = history.verdicts.iter().filter(|given| given.verdict == Verdict::Ack);
        let acked: BTreeSet<_> = acks.map(|given| given.hand_out.seq).collect();
        for seq in 0..history.stored {
            if !handed.contains(&seq) {
                self.violations.push(Violation::Undelivered(seq));
            } else if !acked.contains(&seq) && !apart.contains(&seq) {
                self.violations.push(Violation::SettledUnasked(seq));
            }
        }
    }

    fn pulled(&mut self) {
        let Some(pulled) = &self.history.pulled else { return };
        let seqs: BTreeMap<_, _> =
            self.contents.iter().map(|(seq, message)| (*message, *seq)).collect();
        let (mut runs, mut last, mut got) = (1, None, BTreeSet::new());
        for (at, message) in pulled.iter().enumerate() {
            let Some(message) = self.known(*message, || format!("message {at} of PULL")) else {
                continue;
            };
            got.insert(message);
            if let Some(&seq) = seqs.get(&message)
                && last.replace(seq).is_some_and(|last| last >= seq)
            {
                runs += 1;
            }
        }
        if runs > self.history.starts.max(1) {
            self.violations.push(Violation::PulledOutOfOrder(runs));
        }
        for receipt in &self.history.receipts {
            if receipt.seq.is_some() && !got.contains(&receipt.submission) {
                self.violations.push(Violation::LostToPull(receipt.submission));
            }
        }
    }

    fn streams(&mut self) {
        let tokens = self.history.consumers.iter().flatten().map(|delivery| delivery.stream);
        let said = self.history.streams.iter().filter_map(|id| id.first_chunk().copied());
        let marks: BTreeSet<StreamMark> = tokens.chain(said).collect();
        if marks.len() > 1 || self.history.streams.len() > 1 {
            self.violations.push(Violation::StreamChanged);
        }
        let refusals = self.history.refusals.iter().cloned();
        self.violations.extend(refusals.map(Violation::Refused));
    }

    fn figures(&self) -> Vec<(&'static str, u64)> {
        let history = self.history;
        let submissions = history.sent.iter().map(|sent| sent.submission);
        let messages: BTreeSet<_> =
            submissions.map(|message| (message.producer, message.number)).collect();
        let receipts = history.receipts.iter().filter(|receipt| receipt.seq.is_some());
        let deliveries = history.consumers.iter().map(Vec::len).sum::<usize>();
        vec![
            ("starts", history.starts),
            ("kills", history.kills),
            ("messages", messages.len() as u64),
            ("sent, copies included", history.sent.len() as u64),
            ("receipted", receipts.count() as u64),
            ("stored", history.stored),
            ("delivered (Credit)", deliveries as u64),
            ("delivered (PUSH)", history.pulled.as_ref().map_or(0, Vec::len) as u64),
            ("dead letters", history.dead_letters.len() as u64),
            ("stalls of this machine", history.stalls.len() as u64),
        ]
    }
}
