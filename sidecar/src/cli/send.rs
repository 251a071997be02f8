//! The command line of `lifeboat send`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::{DATA, DATA_VARIABLE, after_help, duration};
use crate::client::MAX_WINDOW;
use crate::exit::Exit;

/// Options of `lifeboat send`.
#[derive(Debug, Args)]
#[command(after_help = after_help("\
Examples:
  lifeboat send work.receipts 'one order' 'another order'
  lifeboat send work.receipts < orders.txt          # one message a line
  lifeboat send work.push --count 10000 --size 1024
  lifeboat send work.receipts 'head|body' --separator '|'
  lifeboat send tcp://queue:5556 --receipts hello   # without a data directory

To a Receipt ingress it sends up to --window messages ahead of their receipts and ends when each has
one: 200 says stored and synced. A message whose connection was lost before its receipt came is sent
again, and may be stored twice. A PULL ingress gives no receipts: what had not reached the disk when
either side dies is lost. Found by name, the queue is then asked until its counters have risen by
what was sent.", &[Exit::Success, Exit::Failure, Exit::BadInput]))]
pub struct Send {
    /// An ingress of the running queue, as stream.name, or an endpoint's URL
    pub target: String,
    /// Messages; without any, each line of standard input is one
    #[arg(value_name = "MESSAGE", conflicts_with = "size")]
    pub messages: Vec<String>,
    /// Data directory of the running queue, in which TARGET is looked up
    #[arg(long, env = DATA_VARIABLE, default_value = DATA, value_name = "DIR")]
    pub data: PathBuf,
    /// For a URL
    #[command(flatten)]
    pub protocol: Protocol,
    /// Send so many messages: the given ones over and over, or made ones
    #[arg(long, value_name = "N")]
    pub count: Option<u64>,
    /// Send made messages of so many bytes, numbered from 0
    #[arg(long, value_name = "BYTES", value_parser = clap::value_parser!(u32).range(0..=(64 << 20)))]
    pub size: Option<u32>,
    /// Cut each message into frames at this text
    #[arg(long, value_name = "TEXT")]
    pub separator: Option<String>,
    /// Messages that may wait for their receipts
    #[arg(long, default_value_t = 1000, value_name = "N",
          value_parser = clap::value_parser!(u32).range(1..=MAX_WINDOW as i64))]
    pub window: u32,
    /// Give up when nothing goes forward for so long
    #[arg(long, default_value = "30s", value_parser = duration, value_name = "TIME")]
    pub timeout: Duration,
    /// The outcome as JSON: sent, and with receipts receipted, refused, firstSeq, lastSeq, resent
    #[arg(long)]
    pub json: bool,
}

/// What is spoken at an endpoint that was given as a URL.
#[derive(Debug, Clone, Copy, Args)]
#[group(multiple = false)]
pub struct Protocol {
    /// TARGET is the URL of an ingress with receipts (ROUTER, Receipt)
    #[arg(long)]
    pub receipts: bool,
    /// TARGET is the URL of an ingress without receipts (PULL)
    #[arg(long)]
    pub push: bool,
}
