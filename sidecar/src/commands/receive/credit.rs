//! Receiving from a Credit delivery: what was printed is acknowledged, unless it is not to be.

use std::time::Duration;

use tokio::select;

use super::{Job, enough, idle, print_failed};
use crate::client::{CreditConsumer, Delivered, Heard};
use crate::commands::failure::Failure;
use crate::commands::human::{count, counted};

/// Records held at once; the delivery's maxInFlight may allow fewer.
const WINDOW: u32 = 256;
/// The sidecar's time to hear the last acknowledgements.
const SETTLE: Duration = Duration::from_secs(10);

/// Prints and acknowledges until the job is done.
pub(super) async fn receive(mut job: Job<'_>) -> Result<(), Failure> {
    let wanted = job.options.count;
    let mut consumer = CreditConsumer::connect(&job.endpoint, WINDOW, wanted, job.patience).await?;
    let mut received = 0;
    let outcome = pump(&mut consumer, &mut job, &mut received).await;
    let losses = consumer.losses();
    // What was printed is settled also when the rest failed.
    let settled = consumer.finish(SETTLE).await;
    let end = if job.options.no_ack {
        "not acknowledged: they will be delivered again"
    } else if settled.is_ok() {
        "acknowledged"
    } else {
        "the last acknowledgements may not have been heard: those will be delivered again"
    };
    eprintln!("{} received; {end}", count(received));
    if losses > 0 {
        eprintln!("the connection was lost {}: expect repeats", counted(losses, "time"));
    }
    outcome?;
    settled?;
    enough(received, wanted)
}

async fn pump(
    consumer: &mut CreditConsumer,
    job: &mut Job<'_>,
    received: &mut u64,
) -> Result<(), Failure> {
    let options = job.options;
    while options.count.is_none_or(|wanted| *received < wanted) {
        let heard = select! {
            heard = consumer.next() => heard?,
            () = idle(options.timeout) => return Ok(()),
            () = job.signals.next() => return Ok(()),
        };
        match heard {
            Heard::Message(Delivered { token, attempt, seq, body }) => {
                let printed = job.printer.print(Some((seq, attempt)), &body);
                printed.map_err(|error| print_failed(&error))?;
                *received += 1;
                if !options.no_ack {
                    consumer.ack(token);
                }
            }
            Heard::Refused(code, text) => eprintln!("the queue says: {code} {text}"),
            Heard::Hello(_) => {}
        }
    }
    Ok(())
}
