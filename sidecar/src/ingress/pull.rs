//! PULL: producers are PUSH sockets, which nobody can answer. The wire bytes of a run of messages
//! are the records as they will lie on disk.

use lifeboat_zmtp::{CloseReason, Connection, Event};
use tokio::select;

use super::IngressContext;
use super::intake::{Handed, Intake};

pub(super) async fn serve(mut connection: Connection, context: &IngressContext) {
    let mut stop = context.stop.clone();
    let mut intake = Intake::default();
    let mut room = None;
    let reason = loop {
        let retry = async {
            match room.as_mut() {
                Some(room) => room.await,
                None => std::future::pending().await,
            }
        };
        select! {
            biased;
            () = stop.ordered() => break CloseReason::Shutdown,
            () = retry => {}
            event = connection.drive() => match event {
                Ok(Event::Messages) => {
                    let messages = connection.messages();
                    intake.push_all(messages.ends());
                    context.metrics.received(messages.len(), messages.bytes().len());
                }
                Ok(Event::Flushed) => continue,
                Err(reason) => break reason,
            },
        }
        room = match intake.hand_over(connection.messages().bytes(), &context.log) {
            Handed::Over(_) => {
                connection.consume_all();
                None
            }
            Handed::Wait(room) => Some(room),
            Handed::Refused => {
                // The stream takes nothing any more. The producer blocks, as if it were full:
                // closing would only make it connect and lose more.
                connection.set_reading(false);
                None
            }
        };
    };
    connection.close(reason).await;
}
