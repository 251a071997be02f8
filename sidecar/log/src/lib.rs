//! The segmented log and the state journal.
#![forbid(unsafe_code)]
#![warn(clippy::print_stderr, clippy::print_stdout)]

mod active;
mod batch;
mod budget;
mod commit_stats;
mod committer;
pub mod disk;
pub mod error;
mod fate;
mod handle;
pub mod ids;
mod index;
pub mod journal;
mod journal_queue;
mod log;
mod meta;
mod pending;
pub mod ranges;
mod reader;
mod reaper;
mod recover;
mod reserve;
mod scan;
mod seal;
mod segment;
#[cfg(any(test, feature = "sim"))]
pub mod sim;
pub mod state;
mod sync_pool;
mod tail;
pub mod vfs;
mod volume;
mod waker;
mod window;
mod writer;

pub use batch::Batch;
pub use commit_stats::CommitStats;
pub use committer::{Committer, Now};
pub use error::{Corruption, LogError};
pub use fate::{Fate, Refusal};
pub use handle::{LogHandle, Marks};
pub use ids::{DeliveryId, StreamId, VolumeId};
pub use journal_queue::{JournalQueue, Urgency};
pub use pending::{CommitQueue, Rejection, Run, Submitted};
pub use reader::{Read, Reader};
pub use state::Op;
pub use volume::{Finding, Running, Stream, StreamOptions, Volume, VolumeOptions};
pub use writer::Writer;
