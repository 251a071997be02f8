//! Receiving from a PUSH delivery, which cannot be acknowledged.

use std::time::Duration;

use tokio::select;

use super::{Job, enough, idle, print_failed};
use crate::client::{ClientError, Frames, Pull};
use crate::commands::failure::Failure;
use crate::commands::human::{count, counted};

/// Prints until the job is done.
pub(super) async fn receive(mut job: Job<'_>) -> Result<(), Failure> {
    let wanted = job.options.count;
    let mut pull = Some(Pull::connect(&job.endpoint, job.patience).await?);
    let mut received = 0;
    let mut losses = 0;
    while wanted.is_none_or(|wanted| received < wanted) {
        let message = select! {
            message = next(&mut pull, &job.endpoint, job.patience) => message,
            () = idle(job.options.timeout) => break,
            () = job.signals.next() => break,
        };
        match message {
            Ok(body) => {
                job.printer.print(None, &body).map_err(|error| print_failed(&error))?;
                received += 1;
            }
            Err(ClientError::Lost) => {
                pull = None;
                losses += 1;
            }
            Err(error) => return Err(error.into()),
        }
    }
    eprintln!(
        "{} received; a PULL cannot acknowledge: the queue takes them as delivered, and sends the \
         last ones (the delivery's trail) once more to whoever connects next",
        count(received)
    );
    if losses > 0 {
        eprintln!("the connection was lost {}: expect repeats", counted(losses, "time"));
    }
    enough(received, wanted)
}

/// The next message, on a new connection if need be. Cancel-safe.
async fn next(
    pull: &mut Option<Pull>,
    endpoint: &str,
    patience: Duration,
) -> Result<Frames, ClientError> {
    let connected = match pull.take() {
        Some(connected) => connected,
        None => Pull::connect(endpoint, patience).await?,
    };
    pull.insert(connected).recv().await
}
