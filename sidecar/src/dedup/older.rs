//! Runs of ids on disk, in the store of [`crate::index`]: each a tree of its own.
//!
//! Any [`Doubt`] that comes out of here means that nothing on disk is to be believed: the caller
//! sets it aside and starts over from the log.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use super::run::Run;
use super::{Key, Known};
use crate::index::{Doubt, Guarded, Place, Shelf};

/// The tree that says whose index it is.
const OWNER_TREE: &str = "owner";
const OWNER: &[u8] = b"owner";
/// In a run's tree: all but its buckets, written last.
const RUN: &[u8] = b"run";

/// Whose index it is, and of which start.
#[derive(Debug, Clone)]
pub(super) struct Owner {
    /// The volume's id, the stream's id.
    pub ids: [[u8; 16]; 2],
    /// The volume's epoch.
    pub epoch: u64,
}

#[derive(Debug)]
pub(super) struct Older {
    place: Place,
    owner: Owner,
    limit: Duration,
    /// Open once it is needed.
    shelf: Option<Guarded<Shelf>>,
}

impl Older {
    pub(super) fn new(place: Place, owner: Owner, limit: Duration) -> Self {
        Self { place, owner, limit, shelf: None }
    }

    /// The runs that an earlier start left, the oldest first. Of the copies, those of `kept` are
    /// there; runs of older ones are dropped, the others must follow each other from the first.
    pub(super) fn load(&mut self, kept: Range<u64>) -> Result<Vec<Run>, Doubt> {
        let Some(dir) = self.place.current() else { return Ok(Vec::new()) };
        self.shelf = Some(Guarded::open(self.limit, move || Shelf::open(&dir))?);
        let owner = self.owner.clone();
        let (gone, runs) = self.call(move |shelf| {
            claim(shelf, &owner)?;
            let mut runs = Vec::new();
            for tree in shelf.trees()?.iter().filter(|tree| tree.starts_with("run-")) {
                let run = shelf.get(tree, RUN)?.ok_or(Doubt::Wrong("a run is not complete"))?;
                runs.push(Run::decode(&run)?);
            }
            runs.sort_by_key(|run| run.copies.start);
            Ok(runs.into_iter().partition::<Vec<_>, _>(|run| run.copies.end <= kept.start))
        })?;
        let follow = |pair: &[Run]| matches!(pair, [a, b] if a.copies.end == b.copies.start);
        let from_the_first = runs.first().is_none_or(|run| run.copies.start <= kept.start);
        let to_the_end = runs.last().is_none_or(|run| run.copies.end <= kept.end);
        if !from_the_first || !to_the_end || !runs.windows(2).all(follow) {
            return Err(Doubt::Wrong("the runs on disk are not those of the log"));
        }
        gone.iter().try_for_each(|run| self.drop_run(run))?;
        Ok(runs)
    }

    /// Writes a run.
    pub(super) fn spill(
        &mut self,
        ids: &HashMap<Key, Known>,
        copies: Range<u64>,
        witness: u64,
    ) -> Result<Run, Doubt> {
        if self.shelf.is_none() {
            let dir = match self.place.current() {
                Some(dir) => dir,
                None => self.place.make()?,
            };
            self.shelf = Some(Guarded::open(self.limit, move || Shelf::open(&dir))?);
            let owner = self.owner.clone();
            self.call(move |shelf| shelf.put(OWNER_TREE, OWNER, encode(&owner)))?;
        }
        let (run, buckets) = Run::new(ids, copies, witness);
        let (tree, encoded) = (tree(&run), run.encode());
        self.call(move |shelf| {
            for (at, bucket) in buckets.into_iter().enumerate() {
                shelf.put(&tree, &bucket_key(at), bucket)?;
            }
            shelf.put(&tree, RUN, encoded)?;
            shelf.flush()
        })?;
        Ok(run)
    }

    /// What is known by `keys` in `runs`; of two, the newest.
    pub(super) fn look_up(
        &mut self,
        keys: Vec<Key>,
        runs: Vec<Arc<Run>>,
    ) -> Result<HashMap<Key, Known>, Doubt> {
        if runs.is_empty() {
            return Ok(HashMap::new());
        }
        self.call(move |shelf| {
            let mut found = HashMap::new();
            for key in keys {
                for run in runs.iter().rev().filter(|run| run.filter.may_hold(&key)) {
                    let at = run.bucket_of(&key);
                    let bucket = shelf.get(&tree(run), &bucket_key(at))?;
                    let bucket = bucket.ok_or(Doubt::Wrong("a part of a run is not there"))?;
                    if let Some(known) = run.find(&key, at, &bucket)? {
                        found.insert(key, known);
                        break;
                    }
                }
            }
            Ok(found)
        })
    }

    /// Drops a run that is too old to matter.
    pub(super) fn drop_run(&mut self, run: &Run) -> Result<(), Doubt> {
        let tree = tree(run);
        self.call(move |shelf| {
            shelf.drop_tree(&tree)?;
            shelf.flush()
        })
    }

    /// Puts what is on disk out of the way.
    pub(super) fn set_aside(&mut self) -> Result<(), Doubt> {
        self.shelf = None;
        Ok(self.place.set_aside()?)
    }

    fn call<R: Send + 'static>(
        &mut self,
        job: impl FnOnce(&mut Shelf) -> Result<R, Doubt> + Send + 'static,
    ) -> Result<R, Doubt> {
        self.shelf.as_mut().ok_or(Doubt::Wrong("no index is open"))?.call(job)
    }
}

/// Checks that the index is `owner`'s and of an earlier start, and makes it this one's.
fn claim(shelf: &mut Shelf, owner: &Owner) -> Result<(), Doubt> {
    let found = shelf.get(OWNER_TREE, OWNER)?.ok_or(Doubt::Wrong("nobody's index"))?;
    let (ids, epoch) = found.split_last_chunk().ok_or(Doubt::Wrong("nobody's index"))?;
    if ids != owner.ids.as_flattened() || u64::from_le_bytes(*epoch) >= owner.epoch {
        return Err(Doubt::Wrong("the index of another volume, stream or time"));
    }
    shelf.put(OWNER_TREE, OWNER, encode(owner))
}

fn encode(owner: &Owner) -> Vec<u8> {
    [owner.ids.as_flattened(), &owner.epoch.to_le_bytes()].concat()
}

fn tree(run: &Run) -> String {
    format!("run-{:020}", run.copies.start)
}

fn bucket_key(at: usize) -> [u8; 8] {
    (at as u64).to_be_bytes()
}
