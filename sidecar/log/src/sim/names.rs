//! The simulated directories: names that are durable, names as a process sees them, and the
//! creations, renames and removals between.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use rand::Rng;
use rand::rngs::SmallRng;

/// What a name stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Entry {
    File(u64),
    Dir,
}

type Tree = BTreeMap<PathBuf, Entry>;

/// One creation, rename or removal: the names that it sets or clears, atomically.
#[derive(Debug, Clone)]
struct NameOp {
    effects: Vec<(PathBuf, Option<Entry>)>,
}

/// All names of a simulated disk.
#[derive(Debug, Clone, Default)]
pub(super) struct Names {
    durable: Tree,
    current: Tree,
    pending: Vec<NameOp>,
}

impl Names {
    pub(super) fn file(&self, path: &Path) -> io::Result<u64> {
        match self.current.get(path) {
            Some(Entry::File(inode)) => Ok(*inode),
            Some(Entry::Dir) => Err(io::ErrorKind::IsADirectory.into()),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    pub(super) fn exists(&self, path: &Path) -> bool {
        self.current.contains_key(path)
    }

    /// Inodes that a process can reach by name.
    pub(super) fn inodes(&self) -> impl Iterator<Item = u64> + '_ {
        files(&self.current)
    }

    pub(super) fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        self.check_dir(dir)?;
        let names = self.current.keys().filter(|path| path.parent() == Some(dir));
        Ok(names
            .filter_map(|path| Some(path.file_name()?.to_string_lossy().into_owned()))
            .collect())
    }

    /// Gives `path` to a new file or directory. The parent must be there, the name must not.
    pub(super) fn create(&mut self, path: &Path, entry: Entry) -> io::Result<()> {
        self.check_dir(path.parent().unwrap_or(Path::new("/")))?;
        if self.exists(path) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        self.push(vec![(path.to_owned(), Some(entry))]);
        Ok(())
    }

    pub(super) fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        let inode = self.file(from)?;
        self.check_dir(to.parent().unwrap_or(Path::new("/")))?;
        if self.current.get(to) == Some(&Entry::Dir) {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        if from != to {
            let there = (to.to_owned(), Some(Entry::File(inode)));
            self.push(vec![(from.to_owned(), None), there]);
        }
        Ok(())
    }

    pub(super) fn remove(&mut self, path: &Path) -> io::Result<()> {
        self.file(path)?;
        self.push(vec![(path.to_owned(), None)]);
        Ok(())
    }

    /// Makes every operation that touches `dir` durable; a rename between two directories as a
    /// whole.
    pub(super) fn sync(&mut self, dir: &Path) -> io::Result<()> {
        self.check_dir(dir)?;
        for op in self.take_pending(dir) {
            op.apply(&mut self.durable);
        }
        Ok(())
    }

    /// A sync that fails: each operation is on the disk or never will be.
    pub(super) fn fail_sync(&mut self, dir: &Path, rng: &mut SmallRng) {
        for op in self.take_pending(dir) {
            if rng.random() {
                op.apply(&mut self.durable);
            }
        }
    }

    /// The names that the disk may hold after a power cut: each pending operation happened or
    /// did not, in order for each name.
    pub(super) fn after_power_cut(&self, rng: &mut SmallRng) -> Self {
        let kept = [0.0, 0.5, 0.5, 1.0][rng.random_range(0..4)];
        let mut tree = self.durable.clone();
        for op in &self.pending {
            if rng.random_bool(kept) {
                op.apply(&mut tree);
            }
        }
        // What lies in a directory that is not there is not there either.
        let all = tree.clone();
        tree.retain(|path, _| path.ancestors().skip(1).all(|dir| is_dir(&all, dir)));
        Self { durable: tree.clone(), current: tree, pending: Vec::new() }
    }

    fn push(&mut self, effects: Vec<(PathBuf, Option<Entry>)>) {
        let op = NameOp { effects };
        op.apply(&mut self.current);
        self.pending.push(op);
    }

    /// Takes out the operations that touch `dir`. An older one elsewhere on a name that they
    /// change too, by a rename between directories, is superseded for that name.
    fn take_pending(&mut self, dir: &Path) -> Vec<NameOp> {
        let (mut taken, mut left): (Vec<NameOp>, Vec<NameOp>) = (Vec::new(), Vec::new());
        for op in self.pending.drain(..) {
            if op.touches(dir) {
                for older in &mut left {
                    older.effects.retain(|(path, _)| op.effects.iter().all(|(new, _)| new != path));
                }
                taken.push(op);
            } else {
                left.push(op);
            }
        }
        self.pending = left;
        taken
    }

    fn check_dir(&self, dir: &Path) -> io::Result<()> {
        if is_dir(&self.current, dir) { Ok(()) } else { Err(io::ErrorKind::NotFound.into()) }
    }
}

impl NameOp {
    fn touches(&self, dir: &Path) -> bool {
        self.effects.iter().any(|(path, _)| path.parent() == Some(dir))
    }

    fn apply(&self, tree: &mut Tree) {
        for (path, entry) in &self.effects {
            match entry {
                Some(entry) => tree.insert(path.clone(), *entry),
                None => tree.remove(path),
            };
        }
    }
}

/// The root, whose name is no name in any directory, always is.
fn is_dir(tree: &Tree, dir: &Path) -> bool {
    dir.parent().is_none() || tree.get(dir) == Some(&Entry::Dir)
}

fn files(tree: &Tree) -> impl Iterator<Item = u64> + '_ {
    tree.values().filter_map(|entry| match entry {
        Entry::File(inode) => Some(*inode),
        Entry::Dir => None,
    })
}
