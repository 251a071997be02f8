//! Sending to a PULL ingress: nobody answers, so what can be known is what left this process and,
//! where the queue can be asked, by how much its counters have risen since.

use std::path::Path;
use std::time::Duration;

use serde_json::json;
use tokio::select;
use tokio::time::{Instant, sleep, timeout};

use crate::cli::Send;
use crate::client::{ClientError, Push};
use crate::commands::ask;
use crate::commands::failure::Failure;
use crate::commands::human::count;
use crate::commands::input::Input;
use crate::commands::print_json;
use crate::commands::signals::Signals;
use crate::commands::target::Target;
use crate::status::Status;

/// Time between two looks at the queue's counters.
const LOOK: Duration = Duration::from_millis(20);
const NO_RECEIPTS: &str = "a PULL ingress gives no receipts: what had not reached the disk when \
                           either side dies is lost";

/// Sends all of `input` and prints what is known of it.
pub(super) async fn send(
    target: &Target,
    mut input: Input,
    options: &Send,
    mut signals: Signals,
) -> Result<(), Failure> {
    let before = match &target.name {
        Some(name) => Some(Counters::ask(&options.data, name).await?),
        None => None,
    };
    let mut push = Push::connect(&target.endpoint, options.timeout).await?;
    let mut sent = 0;
    let outcome = select! {
        outcome = pump(&mut push, &mut input, options.timeout, &mut sent) => outcome,
        () = signals.next() => Err(Failure::new("interrupted")),
    };
    let left = match outcome {
        Ok(()) => push.finish(options.timeout).await.map_err(Failure::from),
        Err(failure) => Err(failure),
    };
    if options.json {
        print_json(&json!({"sent": sent}))?;
    } else {
        println!("{} sent; {NO_RECEIPTS}", count(sent));
    }
    left?;
    let (Some(before), Some(name)) = (before, &target.name) else { return Ok(()) };
    let counted = select! {
        counted = wait_for(&before, sent, name, options) => counted,
        () = signals.next() => Err(Failure::new("interrupted")),
    };
    counted?;
    if options.json {
        return Ok(());
    }
    println!(
        "since then the queue has read {} on {} and synced as many",
        count(sent),
        options.target
    );
    if before.connections > 0 {
        println!("other producers are connected there: their messages count as well");
    }
    Ok(())
}

async fn pump(
    push: &mut Push,
    input: &mut Input,
    patience: Duration,
    sent: &mut u64,
) -> Result<(), Failure> {
    let input_failed = |error| Failure::new(format!("standard input: {error}"));
    while let Some(body) = input.next().await.map_err(input_failed)? {
        timeout(patience, push.send(body)).await.map_err(|_| ClientError::Timeout)??;
        *sent += 1;
    }
    Ok(())
}

/// What the queue has counted of one ingress and its stream.
#[derive(Debug)]
struct Counters {
    boot_id: String,
    /// Messages read on the ingress.
    messages: u64,
    /// First record of the stream not yet synced.
    durable_end: u64,
    /// Connections of the ingress.
    connections: u64,
}

impl Counters {
    async fn ask(data: &Path, name: &(String, String)) -> Result<Self, Failure> {
        let status = ask::status(data).await?;
        Self::of(&status, name).ok_or_else(|| Failure::new("the ingress is gone from the queue"))
    }

    fn of(status: &Status, (stream, ingress): &(String, String)) -> Option<Self> {
        let stream = status.streams.iter().find(|candidate| candidate.name == *stream)?;
        let ingress = stream.ingress.iter().find(|candidate| candidate.socket.name == *ingress)?;
        Some(Self {
            boot_id: status.boot_id.clone(),
            messages: ingress.messages,
            durable_end: stream.durable_end,
            connections: ingress.socket.connections,
        })
    }
}

/// Waits until the queue's counters have risen by `sent` since `before`, for as long as they rise.
async fn wait_for(
    before: &Counters,
    sent: u64,
    name: &(String, String),
    options: &Send,
) -> Result<(), Failure> {
    let (mut seen, mut deadline) = (0, Instant::now() + options.timeout);
    loop {
        let now = Counters::ask(&options.data, name).await?;
        if now.boot_id != before.boot_id {
            return Err(Failure::new("the queue was restarted meanwhile: some may be lost"));
        }
        let read = now.messages - before.messages;
        let synced = now.durable_end - before.durable_end;
        if read >= sent && synced >= sent {
            return Ok(());
        }
        if read + synced > seen {
            (seen, deadline) = (read + synced, Instant::now() + options.timeout);
        }
        if Instant::now() >= deadline {
            return Err(Failure::new(format!(
                "so far the queue has read {} and synced {}: it may be full",
                count(read),
                count(synced)
            )));
        }
        sleep(LOOK).await;
    }
}
