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

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(20);

    fn owner(volume: u8, epoch: u64) -> Owner {
        Owner { ids: [[volume; 16], [2; 16]], epoch }
    }

    fn ids(keys: Range<u8>) -> HashMap<Key, Known> {
        let known = |key: u8| Known { content: [key; 16], seq: key.into(), time: 5 };
        keys.map(|key| ([key; 16], known(key))).collect()
    }

    fn older(data: &tempfile::TempDir, owner: Owner) -> Older {
        Older::new(Place::new(data.path(), "work"), owner, LIMIT)
    }

    /// Two runs of a first start.
    fn filled(data: &tempfile::TempDir) -> Older {
        let mut older = older(data, owner(1, 1));
        assert!(older.load(0..9).unwrap().is_empty());
        older.spill(&ids(0..50), 0..4, 77).unwrap();
        older.spill(&ids(50..90), 4..9, 78).unwrap();
        older
    }

    fn load(data: &tempfile::TempDir, owner: Owner, kept: Range<u64>) -> Result<Vec<Run>, Doubt> {
        older(data, owner).load(kept)
    }

    #[test]
    fn runs_come_back_at_the_next_start_and_are_searched_from_the_newest() {
        let data = tempfile::tempdir().unwrap();
        drop(filled(&data));
        let mut older = older(&data, owner(1, 2));
        let runs: Vec<_> = older.load(1..9).unwrap().into_iter().map(Arc::new).collect();
        assert_eq!(runs.iter().map(|run| run.copies.clone()).collect::<Vec<_>>(), [0..4, 4..9]);
        let keys = vec![[3; 16], [60; 16], [99; 16]];
        let found = older.look_up(keys, runs).unwrap();
        assert_eq!(found, HashMap::from([3, 60].map(|key| ([key; 16], ids(0..90)[&[key; 16]]))));
        drop(older);
        let left = load(&data, owner(1, 3), 4..9).unwrap();
        assert_eq!(left.len(), 1, "the first is too old");
    }

    #[test]
    fn an_index_that_does_not_fit_the_log_is_in_doubt() {
        let data = tempfile::tempdir().unwrap();
        drop(filled(&data));
        assert!(load(&data, owner(7, 2), 0..9).is_err(), "another volume");
        assert!(load(&data, owner(1, 1), 0..9).is_err(), "no later start");
        assert!(load(&data, owner(1, 2), 0..8).is_err(), "of copies that are not there");
        assert!(load(&data, owner(1, 9), 0..9).is_ok());
    }

    #[test]
    fn a_part_that_is_lost_is_in_doubt_when_it_is_looked_for() {
        let data = tempfile::tempdir().unwrap();
        let mut older = filled(&data);
        let runs: Vec<_> = [Run::new(&ids(0..50), 0..4, 77).0].map(Arc::new).into();
        let lost = bucket_key(runs[0].bucket_of(&[3; 16]));
        older.call(move |shelf| shelf.put("run-00000000000000000000", &lost, vec![1])).unwrap();
        assert!(older.look_up(vec![[3; 16]], runs.clone()).is_err(), "other bytes");
        older.call(|shelf| shelf.drop_tree("run-00000000000000000000")).unwrap();
        assert!(older.look_up(vec![[3; 16]], runs).is_err(), "nothing");
        drop(older);
        assert!(load(&data, owner(1, 2), 0..9).is_err(), "the first run is missing");
    }
}
