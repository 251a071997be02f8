//! The segmented log and the state journal: what arrives is on the disk, synced, before anybody is
//! told that it is safe, and stays until every delivery has settled it.
//!
//! No async runtime, no sockets, no Kubernetes. Bytes on disk are in FORMAT.md.
//!
//! # What shapes it
//! - A receipt is a promise over a power cut. Only `fdatasync` keeps it, and it costs as much for
//!   one record as for a thousand: so one thread writes, and groups what came in meanwhile.
//! - A failed `fdatasync` leaves nothing to believe in. Linux takes the pages for clean, and the
//!   next one succeeds.
//! - A power cut keeps un-synced sectors and names in any order. Rot changes synced ones. Only
//!   evidence written later tells the two apart.
//! - A backlog is larger than memory. What is in memory is bounded in bytes, always.
//! - A full volume must still drain, and open.
//!
//! # Invariants
//! `log_start <= cursor <= delivered_end <= published_end <= log_end`, in seqs of one log. Below
//! `log_start` nothing is kept; `cursor` is a delivery's, everything below it is settled; up to
//! `delivered_end` it has been handed out; up to `published_end` all is synced and readers see it;
//! at `log_end` the next record goes. The `cursor` is in the journal, `delivered_end` is the
//! deliveries' own, the rest is here. Seqs only rise, and none is given out twice. (In a weak
//! [`SyncMode`] what is published need not be synced; `durable_end` says up to where it is.)
//!
//! # A record's way
//! [`CommitQueue::submit`] copies it into the group that forms. [`Committer::commit`], on the
//! [`Writer`]'s thread:
//! 1. appends what the deliveries learned to the journal,
//! 2. writes each log's group as one batch, in one call,
//! 3. syncs all files that this made dirty, and the journal if it is due, in parallel,
//! 4. publishes: readers see the batch, live ones from memory (`tail`),
//! 5. decides the group's [`Fate`]: receipts go out,
//! 6. deletes segments, and takes a snapshot of the journal when it is due.
//!
//! # A segment's life
//! Made under a temporary name, with all its space and its header; synced; named; its directory
//! synced; then written to. A marker is its witness whenever the log turns quiet. When a record does
//! not fit, or a limit wants it small, it is synced, sealed, synced, cut to its length, synced. It
//! goes when every delivery has settled all of it, or when a limit takes it: that is journaled and
//! synced before the file is unlinked. The newest segment stays until there is a newer one, for it
//! knows the next seq. After a restart the last
//! segment is verified and sealed where it ends, and a new one begins.
//!
//! # The order of syncs
//! 1. A record before its receipt.
//! 2. A dead letter before its source is settled: the caller waits for its fate.
//! 3. A settlement before the deletion of a segment that it allows, and the note of the deletion
//!    too, so that recovery tells a deleted segment from a lost one.
//! 4. An attempt from the second one on before it is handed out: the caller waits for its fate.
//!
//! A crash between any two costs a repetition, never a record.
//!
//! # When a write or a sync fails
//! Whatever the reason, [`Committer::commit`] fails and is not called again. No fate that was open
//! is decided well, nobody is left waiting, nothing more is taken ([`Refusal::Poisoned`]), and the
//! process ends. The next start drops the cached pages of what was written last and reads what the
//! disk really has.
//!
//! Want of space is another matter, unless a sync reports it. A record that finds no room waits, its
//! producers are held back by the bounded queue, and everything else goes on. The journal, its
//! snapshots and the opening of a volume may use the `reserve`, which is taken again when space was
//! freed. A stream has its own limit, its dead letters included.
//!
//! # When bytes are not what was written
//!
//! Whoever meets it, recovery, a reader or the scrub, reports it to the log's [`LogHandle`]. By the
//! stream's [`OnDamage`] the log stops, or the writer mends it: what can be read is written anew
//! under its own seqs, what cannot is a gap in the journal, synced before the new segment gets its
//! name. Readers see [`Read::Deleted`] there, and deliveries settle it as [`Op::Lost`].
//!
//! # Modules
//! - bytes, pure: `batch`, `dedup_id`, `segment`, `seal`, `index`, `meta`
//! - the log: `pending` (in), `log`, `active` and `publish` (write), `handle`, `view`, `tail`, `reader`,
//!   `lookup`, `scan`, `window` (read), `retire` with `retention` and `age` (what goes), `recover`, `budget`
//! - damage: `verify` and `scrub` find it, `mend` with `salvage` and `quarantine` gets over it;
//!   [`inspect`] and [`offline`] work on a directory that nobody runs, the former through `read_only`
//! - `holes`: where a log holds no record, and why
//! - the journal: [`journal`], `journal_queue`, [`state`], [`ranges`]
//! - the volume: `volume`, `committer`, `deletions`, `writer`, `orders` to it, `reserve`, `fate`, `waker`
//! - threads: `sync` is where they meet; `interleavings` lets a scheduler choose their order, in tests
//! - the disk: [`vfs`] (the seam), [`disk`] with `sync_pool`, `reaper` and `direct`, `sim` for tests
#![forbid(unsafe_code)]
#![deny(clippy::indexing_slicing)]
#![warn(clippy::print_stderr, clippy::print_stdout)]

mod active;
mod age;
mod batch;
mod budget;
mod commit_stats;
mod committer;
mod dedup_id;
mod deletions;
mod direct;
pub mod disk;
pub mod error;
mod fate;
mod handle;
mod holes;
pub mod ids;
mod index;
pub mod inspect;
#[cfg(all(test, shuttle))]
mod interleavings;
pub mod journal;
mod journal_queue;
mod log;
mod lookup;
mod mend;
mod meta;
pub mod offline;
mod orders;
mod pending;
mod publish;
mod quarantine;
pub mod ranges;
mod read_only;
mod reader;
mod reaper;
mod recover;
mod reserve;
mod rest;
mod retention;
mod retire;
mod salvage;
mod scan;
mod scrub;
mod seal;
mod segment;
#[cfg(any(test, feature = "sim"))]
#[allow(clippy::indexing_slicing, reason = "part of tests, where a panic is a failed test")]
pub mod sim;
pub mod state;
mod sync;
mod sync_mode;
mod sync_pool;
mod tail;
mod verify;
pub mod vfs;
mod view;
mod volume;
mod waker;
mod window;
mod writer;

pub use batch::{Batch, MAX_RECORD_LEN};
pub use budget::SpaceLimit;
pub use commit_stats::CommitStats;
pub use committer::{Committer, Now};
pub use dedup_id::DedupId;
pub use error::{Corruption, LogError};
pub use fate::{Fate, Refusal};
pub use handle::{LogHandle, OnDamage};
pub use holes::Holes;
pub use ids::{DeliveryId, StreamId, VolumeId};
pub use journal_queue::{JournalQueue, Urgency};
pub use lookup::{FirstSince, Place};
pub use mend::{Accepted, Authority, Mended};
pub use pending::{CommitQueue, Rejection, Run, Submitted};
pub use reader::{Read, Reader};
pub use retention::{Retention, RetentionRules};
pub use scrub::{ScrubOptions, ScrubProgress, Scrubber};
pub use state::Op;
pub use sync_mode::SyncMode;
pub use view::Marks;
pub use volume::{
    DeliveryOptions, Finding, Holder, KeptIds, Running, Stream, StreamOptions, Volume,
    VolumeOptions,
};
pub use writer::Writer;
