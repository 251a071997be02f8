//! `lifeboat demo`: a queue that is killed while it works, and a count of what came of it.

mod cast;
mod consumer;
mod figures;
mod producer;
mod progress;
mod queue;
mod report;

use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::select;
use tokio::time::{Instant, sleep, timeout};

use self::cast::Cast;
use self::progress::Progress;
use self::queue::Queue;
use self::report::Report;
use super::failure::Failure;
use super::signals::Signals;
use super::{block_on, print_json};
use crate::cli::Demo;
use crate::exit::Exit;

/// Patience of every part with the others: far longer than a restart takes.
const PATIENCE: Duration = Duration::from_secs(30);
/// Between two looks at the figures.
const TICK: Duration = Duration::from_millis(100);

/// Runs the demo in a temporary directory, which stays only where a message was lost.
pub fn run(options: &Demo) -> Exit {
    block_on(async {
        let dir = tempfile::Builder::new().prefix("lifeboat-demo-").tempdir();
        let dir = dir.map_err(|error| Failure::new(format!("temporary directory: {error}")))?;
        let mut signals = Signals::listen().map_err(|error| Failure::new(error.to_string()))?;
        if !options.json {
            let (rounds, seconds) = (options.rounds, options.seconds);
            let place = dir.path().display();
            println!("a queue in {place}, killed {rounds} times in about {seconds} s");
        }
        let report = select! {
            report = perform(dir.path(), options) => report?,
            () = signals.next() => return Err(Failure::new("interrupted")),
        };
        if options.json {
            print_json(&report)?;
        } else {
            println!("{}", report.render());
        }
        if report.is_good() {
            return Ok(());
        }
        Err(Failure::new(format!("the queue's data is kept in {}", dir.keep().display())))
    })
}

/// The whole demo. Dropped midway, it leaves nothing running.
async fn perform(dir: &Path, options: &Demo) -> Result<Report, Failure> {
    let mut progress = Progress::new(options.rounds);
    let mut queue = Queue::start(dir).await?;
    let mut cast = Cast::start(&queue).await?;
    let mut report = Report::default();
    let round = Duration::from_secs(options.seconds.into()) / options.rounds;
    for _ in 0..options.rounds {
        let end = Instant::now() + round.mul_f64(rand::random_range(0.6..1.4));
        while Instant::now() < end {
            cast.check().await?;
            progress.show(&cast.figures);
            sleep(TICK.min(end - Instant::now())).await;
        }
        report.add_syncs(&queue).await?;
        queue.kill()?;
        cast.figures.kills.add();
        queue = Queue::start(dir).await?;
    }
    let figures = Arc::clone(&cast.figures);
    let mut finishing = pin!(cast.finish());
    let ledger = loop {
        match timeout(TICK, &mut finishing).await {
            Ok(ledger) => break ledger?,
            Err(_) => progress.show(&figures),
        }
    };
    report.add_syncs(&queue).await?;
    queue.stop().await?;
    Ok(Report {
        sent: figures.sent.get(),
        receipted: figures.receipted.get(),
        delivered: figures.delivered.get(),
        lost: ledger.missing(figures.receipted.get()),
        redelivered: ledger.redelivered,
        stored_twice: ledger.stored_twice(),
        kills: figures.kills.get(),
        ..report
    })
}

impl Report {
    /// Adds what this boot of the queue has synced.
    async fn add_syncs(&mut self, queue: &Queue) -> Result<(), Failure> {
        let status = queue.status().await?;
        self.syncs += status.syncs;
        self.synced_records += status.synced_records;
        Ok(())
    }
}
