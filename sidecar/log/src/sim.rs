//! A simulated disk for tests: deterministic from a seed, with power cuts, kills and faults.
//!
//! It keeps apart what is durable from what a process sees, and the operations between the two.
//! What POSIX leaves open at a power cut it leaves to chance, sector by sector and name by name;
//! what POSIX promises it keeps. Copies share their contents, so that one run of a workload can
//! be cut tens of thousands of times. It must stay out of builds for production (feature `sim`).
//!
//! Simplifications: a file without a name takes no space; directories cannot be renamed or
//! removed; the name of a file is never durable by a sync of the file.

mod content;
mod controls;
mod fault;
mod hang;
mod inode;
mod names;

use std::any::Any;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, IoSlice};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

use crate::vfs::{File, Space, Vfs};
use content::Content;
pub use controls::{Liar, Lie};
pub use fault::Fault;
use fault::{Call, Plan};
use hang::Hang;
use inode::Inode;
use names::{Entry, Names};

/// Size of a simulated disk that was given no capacity.
const UNLIMITED: u64 = 1 << 40;

/// A simulated disk. Clones are the same disk.
#[derive(Debug, Clone)]
#[must_use]
pub struct SimDisk {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    world: Mutex<World>,
    /// The disk before each call, when recording.
    history: Mutex<Option<Vec<World>>>,
    hang: Hang,
}

/// Everything about a disk at one moment. Contents are shared between clones.
#[derive(Debug, Clone)]
struct World {
    names: Names,
    inodes: BTreeMap<u64, Arc<Inode>>,
    next_inode: u64,
    capacity: u64,
    locks: BTreeSet<PathBuf>,
    calls: u64,
    plans: Vec<Plan>,
    doomed_syncs: BTreeSet<u64>,
    killed: bool,
    rng: SmallRng,
}

impl SimDisk {
    /// An empty disk whose every choice follows from `seed`.
    pub fn new(seed: u64) -> Self {
        Self::from_world(World {
            names: Names::default(),
            inodes: BTreeMap::new(),
            next_inode: 0,
            capacity: UNLIMITED,
            locks: BTreeSet::new(),
            calls: 0,
            plans: Vec::new(),
            doomed_syncs: BTreeSet::new(),
            killed: false,
            rng: SmallRng::seed_from_u64(seed),
        })
    }

    fn from_world(world: World) -> Self {
        let (world, history) = (Mutex::new(world), Mutex::new(None));
        Self { shared: Arc::new(Shared { world, history, hang: Hang::default() }) }
    }

    /// The disk as a restarted machine finds it if the power fails now: what is durable, and of
    /// the rest whatever chance kept. No faults are planned on it. This disk goes on unharmed.
    pub fn power_cut(&self, rng: &mut impl Rng) -> Self {
        let world = self.world();
        let mut rng = SmallRng::seed_from_u64(rng.random());
        let names = world.names.after_power_cut(&mut rng);
        let mut inodes = BTreeMap::new();
        for number in names.inodes().collect::<BTreeSet<_>>() {
            if let Some(inode) = world.inodes.get(&number) {
                let content = inode.after_power_cut(&mut rng);
                inodes.insert(number, Arc::new(Inode::durable(content)));
            }
        }
        Self::from_world(World { names, inodes, rng, ..world.afresh() })
    }

    /// The disk as the next process finds it after a SIGKILL now: all that was written is seen,
    /// durable or not, and locks are free. Every later call on this disk and its files fails.
    pub fn kill(&self) -> Self {
        let mut world = self.world();
        world.killed = true;
        Self::from_world(world.afresh())
    }

    /// A second disk in the very same state, un-synced operations included, with no faults
    /// planned and no locks held.
    pub fn fork(&self) -> Self {
        Self::from_world(self.world().afresh())
    }

    /// From now on keeps the state of the disk before every call, for [`SimDisk::recorded`].
    pub fn record(&self) {
        *self.history() = Some(Vec::new());
    }

    /// What was recorded, oldest first: element `i` is the disk before the `i`-th call after
    /// [`SimDisk::record`], counted from 0. Ends the recording.
    pub fn recorded(&self) -> Vec<Self> {
        let worlds = self.history().take().unwrap_or_default();
        worlds.into_iter().map(Self::from_world).collect()
    }

    /// How many calls were made so far: the number of the last one, counted from 1.
    pub fn calls(&self) -> u64 {
        self.world().calls
    }

    /// Lets the call with this number (see [`SimDisk::calls`]) fail, and all later ones if
    /// `persistent`. A fault that the call cannot have leaves it alone; a persistent
    /// [`Fault::Eintr`] hits every second call.
    pub fn fail_at(&self, call: u64, fault: Fault, persistent: bool) {
        self.world().plans.push(Plan { at: call, fault, persistent });
    }

    /// Lets the next sync of this file fail, and give up what it did not write.
    pub fn fail_next_sync(&self, path: &Path) -> io::Result<()> {
        let mut world = self.world();
        let inode = world.names.file(path)?;
        world.doomed_syncs.insert(inode);
        Ok(())
    }

    /// Takes all planned faults away.
    pub fn heal(&self) {
        let mut world = self.world();
        world.plans.clear();
        world.doomed_syncs.clear();
    }

    /// Whether calls that need the disk do not return, until they do again.
    pub fn set_hanging(&self, hangs: bool) {
        self.shared.hang.set(hangs);
    }

    /// Sets the size of the disk, in bytes. What is on it stays.
    pub fn set_capacity(&self, capacity: u64) {
        self.world().capacity = capacity;
    }

    /// Space taken, in bytes.
    pub fn used(&self) -> u64 {
        self.world().used()
    }

    /// What a process would read from a file now. Not a call of the workload.
    pub fn contents(&self, path: &Path) -> io::Result<Vec<u8>> {
        let world = self.world();
        Ok(world.inode(world.names.file(path)?)?.current().to_vec())
    }

    /// Puts other bytes into a file behind everyone's back, durable: rot, truncation, swaps.
    pub fn set_contents(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let mut world = self.world();
        let number = world.names.file(path)?;
        let mut content = Content::default();
        content.write(bytes, 0);
        world.inodes.insert(number, Arc::new(Inode::durable(content)));
        Ok(())
    }

    /// Inverts a bit of a file, durable and cached alike. Nothing happens beyond the end.
    pub fn flip_bit(&self, path: &Path, byte: u64, bit: u8) -> io::Result<()> {
        let mut world = self.world();
        let number = world.names.file(path)?;
        world.inode_mut(number)?.flip(byte, bit);
        Ok(())
    }

    fn world(&self) -> MutexGuard<'_, World> {
        self.shared.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn history(&self) -> MutexGuard<'_, Option<Vec<World>>> {
        self.shared.history.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts one call of the workload.
    ///
    /// # Errors
    /// The planned fault, but for those that leave a trace: of writes and syncs.
    fn begin(&self, call: Call) -> io::Result<(MutexGuard<'_, World>, Option<Fault>)> {
        self.shared.hang.wait(call);
        let mut world = self.world();
        if world.killed {
            return Err(io::Error::other("the process that opened this disk was killed"));
        }
        if let Some(history) = &mut *self.history() {
            history.push(world.afresh());
        }
        world.calls += 1;
        let number = world.calls;
        let fault =
            world.plans.iter().find(|plan| plan.strikes(number, call)).map(|plan| plan.fault);
        match (fault, call) {
            (Some(fault), Call::Look | Call::Read | Call::Name | Call::Allocate) => {
                Err(fault.error())
            }
            _ => Ok((world, fault)),
        }
    }

    fn file(&self, inode: u64) -> Arc<dyn File> {
        Arc::new(SimFile { disk: self.clone(), inode })
    }
}

impl World {
    /// The same disk for another process: no faults, no locks, calls counted anew.
    fn afresh(&self) -> Self {
        Self {
            locks: BTreeSet::new(),
            calls: 0,
            plans: Vec::new(),
            doomed_syncs: BTreeSet::new(),
            killed: false,
            ..self.clone()
        }
    }

    fn inode(&self, number: u64) -> io::Result<&Inode> {
        self.inodes.get(&number).map(Arc::as_ref).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn inode_mut(&mut self, number: u64) -> io::Result<&mut Inode> {
        let inode = self.inodes.get_mut(&number).map(Arc::make_mut);
        inode.ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn create(&mut self, path: &Path) -> io::Result<u64> {
        let number = self.next_inode;
        self.names.create(path, Entry::File(number))?;
        self.inodes.insert(number, Arc::default());
        self.next_inode += 1;
        Ok(number)
    }

    fn used(&self) -> u64 {
        let named = self.names.inodes().filter_map(|number| self.inodes.get(&number));
        named.map(|inode| inode.space()).sum()
    }

    /// Whether `more` bytes fit.
    fn check_space(&self, more: u64) -> io::Result<()> {
        if more > 0 && self.used() + more > self.capacity {
            return Err(Fault::Enospc.error());
        }
        Ok(())
    }
}

impl Vfs for SimDisk {
    fn create_dir(&self, path: &Path) -> io::Result<()> {
        let (mut world, _) = self.begin(Call::Name)?;
        match world.names.list(path) {
            Ok(_) => Ok(()),
            Err(_) => world.names.create(path, Entry::Dir),
        }
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        self.begin(Call::Look)?.0.names.list(dir)
    }

    fn create(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        let number = self.begin(Call::Name)?.0.create(path)?;
        Ok(self.file(number))
    }

    fn open(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        let number = self.begin(Call::Look)?.0.names.file(path)?;
        Ok(self.file(number))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.begin(Call::Name)?.0.names.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.begin(Call::Look)?.0.names.remove(path)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        let (mut world, fault) = self.begin(Call::SyncDir)?;
        match fault {
            None => world.names.sync(dir),
            Some(fault) => {
                let World { names, rng, .. } = &mut *world;
                names.fail_sync(dir, rng);
                Err(fault.error())
            }
        }
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn Any + Send + Sync>> {
        let (mut world, _) = self.begin(Call::Name)?;
        if !world.names.exists(path) {
            world.create(path)?;
        }
        if !world.locks.insert(path.to_owned()) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        Ok(Box::new(Lock { disk: self.clone(), path: path.to_owned() }))
    }

    fn space(&self, _dir: &Path) -> io::Result<Space> {
        let (world, _) = self.begin(Call::Look)?;
        let available = world.capacity.saturating_sub(world.used());
        Ok(Space { total: world.capacity, available })
    }
}

/// Frees its path when dropped.
#[derive(Debug)]
struct Lock {
    disk: SimDisk,
    path: PathBuf,
}

impl Drop for Lock {
    fn drop(&mut self) {
        self.disk.world().locks.remove(&self.path);
    }
}

/// An open file of a simulated disk.
#[derive(Debug)]
struct SimFile {
    disk: SimDisk,
    inode: u64,
}

impl File for SimFile {
    fn len(&self) -> io::Result<u64> {
        Ok(self.disk.begin(Call::Look)?.0.inode(self.inode)?.current().len())
    }

    fn read_at(&self, buf: &mut [u8], position: u64) -> io::Result<usize> {
        let (world, _) = self.disk.begin(Call::Read)?;
        Ok(world.inode(self.inode)?.current().read(buf, position))
    }

    fn write_at(&self, slices: &[IoSlice<'_>], position: u64) -> io::Result<usize> {
        let (mut world, fault) = self.disk.begin(Call::Write)?;
        let bytes: Vec<u8> = slices.iter().flat_map(|slice| slice.iter()).copied().collect();
        let taken = match fault {
            None => bytes.len(),
            Some(Fault::Eintr) => 0,
            Some(Fault::ShortWrite) => world.rng.random_range(1.min(bytes.len())..=bytes.len()),
            Some(_) => world.rng.random_range(0..=bytes.len()),
        };
        let missing = world.inode(self.inode)?.space_to_write(position, taken as u64);
        world.check_space(missing)?;
        world.inode_mut(self.inode)?.write(&bytes[..taken], position);
        match fault {
            None | Some(Fault::ShortWrite) => Ok(taken),
            Some(fault) => Err(fault.error()),
        }
    }

    fn allocate(&self, len: u64) -> io::Result<()> {
        let (mut world, _) = self.disk.begin(Call::Allocate)?;
        let missing = world.inode(self.inode)?.space_to_allocate(len);
        world.check_space(missing)?;
        world.inode_mut(self.inode)?.allocate(len);
        Ok(())
    }

    fn truncate(&self, len: u64) -> io::Result<()> {
        let (mut world, _) = self.disk.begin(Call::Look)?;
        world.inode_mut(self.inode)?.truncate(len);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        let (mut world, fault) = self.disk.begin(Call::SyncData)?;
        let doomed = world.doomed_syncs.remove(&self.inode).then_some(Fault::Eio);
        let World { inodes, rng, .. } = &mut *world;
        let inode = inodes.get_mut(&self.inode).ok_or(io::ErrorKind::NotFound)?;
        match fault.or(doomed) {
            None => {
                Arc::make_mut(inode).sync();
                Ok(())
            }
            Some(fault) => {
                Arc::make_mut(inode).fail_sync(rng);
                Err(fault.error())
            }
        }
    }

    fn forget(&self, _bytes: Range<u64>) {
        if let Ok(inode) = self.disk.world().inode_mut(self.inode) {
            inode.forget();
        }
    }
}

#[cfg(test)]
mod tests;
