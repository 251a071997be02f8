//! The segmented log and the state journal.
#![forbid(unsafe_code)]

mod active;
mod batch;
mod budget;
mod committer;
pub mod disk;
mod error;
mod fate;
mod handle;
mod ids;
mod index;
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
mod sync_pool;
mod tail;
pub mod vfs;
mod volume;
mod waker;
mod window;
mod writer;

pub use batch::Batch;
pub use committer::{Committer, Now};
pub use error::{Corruption, LogError};
pub use fate::{Fate, Refusal};
pub use handle::{LogHandle, Marks};
pub use journal_queue::{JournalQueue, Urgency};
pub use ids::{DeliveryId, StreamId, VolumeId};
pub use pending::{CommitQueue, Rejection, Run, Submitted};
pub use reader::{Read, Reader};
pub use volume::{Finding, Running, Stream, StreamOptions, Volume, VolumeOptions};
pub use writer::Writer;
