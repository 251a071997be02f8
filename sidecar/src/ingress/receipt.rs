//! Receipt: producers are REQ or DEALER sockets, and each message is answered once it is safe.

use std::future::pending;
use std::time::Duration;

use event_listener::EventListener;
use lifeboat_zmtp::{CloseReason, Connection, Event, SocketType};
use tokio::select;
use tokio::time::{Instant, sleep_until};

use super::IngressContext;
use super::answers::{Answer, Answers, Group};
use super::intake::{Handed, Intake};
use super::once::{Admitted, Once};
use crate::share::{OutputShare, packed};
use crate::stop::Stop;
use crate::wire::envelope::{Client, Submission, split};

/// How long what has arrived may take to be handed over, after the order to stop.
const LAST_WORDS: Duration = Duration::from_secs(1);

pub(super) async fn serve(connection: Connection, context: &IngressContext) {
    let client = match connection.peer().socket {
        SocketType::Req => Client::Req,
        _ => Client::Dealer,
    };
    let mut session = Session {
        connection,
        context,
        client,
        first: true,
        intake: Intake::default(),
        group: Group::default(),
        once: context.repeats.as_ref().map(Once::new),
        answers: Answers::default(),
        share: context.output.join(),
        room: None,
    };
    let reason = session.run(context.stop.clone()).await;
    session.connection.close(reason).await;
}

/// One producer's connection.
struct Session<'a> {
    connection: Connection,
    context: &'a IngressContext,
    client: Client,
    /// Nothing came in yet.
    first: bool,
    intake: Intake,
    /// Answers to what is in `intake`.
    group: Group,
    /// Instead of both, where repeats are known.
    once: Option<Once<'a>>,
    answers: Answers,
    /// Answers owed, and not yet taken by the producer, beyond which reading stops.
    share: OutputShare,
    /// When what is in `intake` is to be tried again.
    room: Option<EventListener>,
}

impl Session<'_> {
    async fn run(&mut self, mut stop: Stop) -> CloseReason {
        let mut deadline = None;
        loop {
            let next = self.answers.next();
            let decided = async {
                match next {
                    Some(fate) => drop(fate.wait().await),
                    None => pending().await,
                }
            };
            let retry = async {
                match self.room.as_mut() {
                    Some(room) => room.await,
                    None => pending().await,
                }
            };
            select! {
                biased;
                () = stop.ordered(), if deadline.is_none() => {
                    // What has arrived is as good as read.
                    self.connection.end_input();
                    deadline = Some(Instant::now() + LAST_WORDS);
                }
                () = passed(deadline) => return self.finish().await,
                () = decided => self.answer(),
                () = retry => self.hand_over(),
                event = self.connection.drive() => match event {
                    Ok(Event::Messages) => self.take_messages(),
                    Ok(Event::Flushed) => {}
                    Err(_) if deadline.is_some() => return self.finish().await,
                    Err(reason) => return reason,
                },
            }
            let owed = self.answers.bytes() + self.connection.queued();
            self.connection.set_reading(owed < self.share.limit());
        }
    }

    /// Splits what came in and hands the bodies over.
    fn take_messages(&mut self) {
        let messages = self.connection.messages();
        self.context.metrics.received(messages.len(), messages.bytes().len());
        let mut start = 0u32;
        for &end in messages.ends() {
            let wire = messages.bytes().get(start as usize..end as usize).unwrap_or_default();
            let part = |range| wire.get(range).unwrap_or_default();
            match split(wire, self.client, self.first) {
                Submission::Probe => {}
                Submission::Message { envelope: head, body } => {
                    // A body is the tail of its message.
                    let record = start + offset(body.start)..end;
                    if let Some(once) = &mut self.once {
                        once.offer(part(head), part(body), record);
                    } else {
                        self.intake.push(record);
                        self.group.owe(Answer::OfRecord, part(head));
                    }
                }
                Submission::Malformed { envelope: head } => {
                    owe(&mut self.group, &mut self.once, Answer::Malformed, part(head));
                }
            }
            self.first = false;
            start = end;
        }
        if let Some(head) = messages.too_large() {
            self.first = false;
            let head = envelope_of(head, self.client);
            owe(&mut self.group, &mut self.once, Answer::TooLarge, head);
        }
        self.hand_over();
    }

    /// Tries to hand over what is in `intake`.
    fn hand_over(&mut self) {
        self.room = None;
        if self.once.is_some() {
            return self.admit();
        }
        let submitted = if self.intake.len() == 0 {
            None
        } else {
            let queue = self.context.queue_with_receipts();
            match self.intake.hand_over(self.connection.messages().bytes(), queue) {
                Handed::Over(submitted) => Some(submitted),
                Handed::Wait(room) => {
                    self.room = Some(room);
                    return;
                }
                Handed::Refused => {
                    self.answers.push_refused(std::mem::take(&mut self.group));
                    None
                }
            }
        };
        self.answers.push(std::mem::take(&mut self.group), submitted);
        self.handed_over();
    }

    /// The same where repeats are known.
    fn admit(&mut self) {
        let Some(once) = &mut self.once else { return };
        let bytes = self.connection.messages().bytes();
        match once.admit(bytes, self.context) {
            Admitted::Groups(groups) => {
                for (group, submitted) in groups {
                    self.answers.push(group, submitted);
                }
            }
            Admitted::Wait(until) => {
                self.room = Some(until);
                return;
            }
        }
        self.handed_over();
    }

    /// What was read is on its way, and some of it may be answered at once.
    fn handed_over(&mut self) {
        self.connection.consume_all();
        if self.answers.next().is_none() {
            self.answer();
        }
    }

    /// Sends every answer that is known.
    fn answer(&mut self) {
        let mut out = Vec::new();
        let metrics = &self.context.metrics;
        self.answers.take_decided(&mut out, |receipt| metrics.answered(receipt));
        if !out.is_empty() {
            self.connection.enqueue(packed(out));
        }
    }

    /// Reads nothing more, but answers what was handed over: the writer is still at work.
    async fn finish(&mut self) -> CloseReason {
        self.connection.set_reading(false);
        while let Some(fate) = self.answers.next() {
            // Refused or stored, the answer says which.
            let _ = fate.wait().await;
            self.answer();
        }
        CloseReason::Shutdown
    }
}

/// Completes at the deadline, if there is one.
async fn passed(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => pending().await,
    }
}

/// Owes an answer that hangs on no record.
fn owe(group: &mut Group, once: &mut Option<Once<'_>>, answer: Answer, envelope: &[u8]) {
    match once {
        Some(once) => once.owe(answer, envelope),
        None => group.owe(answer, envelope),
    }
}

/// A place within one message, which the codec keeps far below 4 GiB.
fn offset(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

/// The envelope in the whole frames that came before the one that was too large.
fn envelope_of(head: &[u8], client: Client) -> &[u8] {
    match split(head, client, false) {
        Submission::Message { envelope, .. } | Submission::Malformed { envelope } => {
            head.get(envelope).unwrap_or_default()
        }
        Submission::Probe => &[],
    }
}
