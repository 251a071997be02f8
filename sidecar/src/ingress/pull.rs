//! PULL: producers are PUSH sockets, which nobody can answer. The wire bytes of a run of messages
//! are the records as they will lie on disk.

use std::time::Duration;

use event_listener::EventListener;
use lifeboat_zmtp::{CloseReason, Connection, Event};
use tokio::select;
use tokio::time::timeout;

use super::IngressContext;
use super::intake::{Handed, Intake};

/// How long a producer may take to end after the order to stop.
const LAST_WORDS: Duration = Duration::from_secs(1);

pub(super) async fn serve(connection: Connection, context: &IngressContext) {
    let mut stop = context.stop.clone();
    let mut session = Session { connection, context, intake: Intake::patient(), room: None };
    let reason = select! {
        biased;
        () = stop.ordered() => None,
        reason = session.receive() => Some(reason),
    };
    let reason = match reason {
        Some(reason) => reason,
        None => session.receive_the_rest().await,
    };
    session.connection.close(reason).await;
}

/// One producer's connection.
struct Session<'a> {
    connection: Connection,
    context: &'a IngressContext,
    intake: Intake,
    /// When what is in `intake` is to be tried again.
    room: Option<EventListener>,
}

impl Session<'_> {
    /// Stores what comes, until the connection ends. Cancel-safe.
    async fn receive(&mut self) -> CloseReason {
        loop {
            let retry = async {
                match self.room.as_mut() {
                    Some(room) => room.await,
                    None => std::future::pending().await,
                }
            };
            select! {
                biased;
                () = retry => {}
                event = self.connection.drive() => match event {
                    Ok(Event::Messages) => {
                        let messages = self.connection.messages();
                        self.intake.push_all(messages.ends());
                        self.context.metrics.received(messages.len(), messages.bytes().len());
                    }
                    Ok(Event::Flushed) => continue,
                    Err(reason) => return reason,
                },
            }
            self.hand_over();
        }
    }

    /// Has the producer end the connection and stores what it had sent until then, for nobody else
    /// has it any more.
    async fn receive_the_rest(&mut self) -> CloseReason {
        self.connection.end_output();
        // In a full stream, and with a producer that does not listen, the time ends it.
        let _ = timeout(LAST_WORDS, self.receive()).await;
        CloseReason::Shutdown
    }

    fn hand_over(&mut self) {
        self.room = match self
            .intake
            .hand_over(self.connection.messages().bytes(), self.context.log.queue())
        {
            Handed::Over(_) => {
                self.connection.consume_all();
                None
            }
            Handed::Wait(room) => Some(room),
            Handed::Refused => {
                // The stream takes nothing any more. The producer blocks, as if it were full:
                // closing would only make it connect and lose more.
                self.connection.set_reading(false);
                None
            }
        };
    }
}
