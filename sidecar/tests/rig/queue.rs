//! The queue that the rig kills: its file, its process, what it says of itself, and what it leaves.

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use lifeboat_log::disk::Disk;
use lifeboat_log::{Read, Volume};
use lifeboat_sidecar::dead_letter::Label;
use lifeboat_sidecar::sizing::sizes;
use lifeboat_sidecar::status::Status;
use rand::Rng;

use super::history::DeadLetter;
use super::message::Submission;
use crate::support::loop_disk::LoopDisk;
use crate::support::{Home, Lifeboat};

/// Short, so that consumers can wait for it.
pub(crate) const ACK_TIMEOUT: Duration = Duration::from_millis(600);

/// Of a disk that power is cut from.
const DISK_BYTES: u64 = 1 << 30;

/// A queue with one stream, `work`, at the same endpoints for ever.
pub(crate) struct Queue {
    /// The disk of the data directory, if it has one of its own; unmounted before `home` goes.
    disk: Option<LoopDisk>,
    home: Home,
    /// A Receipt ingress on tcp.
    pub(crate) receipts: String,
    /// Another one, on ipc.
    pub(crate) local: String,
    /// The Credit delivery.
    pub(crate) workers: String,
    /// The PUSH delivery, if there is one.
    pub(crate) out: String,
}

impl Queue {
    pub(crate) fn new(with_push: bool, own_disk: bool) -> Self {
        let receipts = format!("tcp://127.0.0.1:{}", free_port());
        let ingress = format!(
            "{{name: receipts, socket: ROUTER, protocol: Receipt, bind: \"{receipts}\"}}, \
             {{name: local, socket: ROUTER, protocol: Receipt}}"
        );
        let push = ", {name: out, socket: PUSH, trail: {messages: 1000, time: 1s}}";
        let deliveries = format!(
            "{{name: workers, socket: ROUTER, protocol: Credit, ackTimeout: {}ms, \
             maxInFlight: 64, maxAttempts: 1000000, backoff: [20ms]}}{}",
            ACK_TIMEOUT.as_millis(),
            if with_push { push } else { "" }
        );
        let home = Home::queue(&ingress, &deliveries);
        let disk =
            own_disk.then(|| LoopDisk::new(&home.path().join("disk"), &home.data(), DISK_BYTES));
        let ipc = |name| format!("ipc://{}/sockets/work.{name}", home.data().display());
        let (local, workers, out) = (ipc("local"), ipc("workers"), ipc("out"));
        Self { disk, home, receipts, local, workers, out }
    }

    /// Starts the process and waits until it is open.
    pub(crate) fn start(&self) -> Lifeboat {
        self.home.start()
    }

    /// Starts the process and kills it after `life`, however far it came.
    pub(crate) fn start_and_kill(&self, life: Duration) {
        let mut child = self.home.command().stdout(Stdio::null()).spawn().unwrap();
        std::thread::sleep(life);
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// Cuts the power of process and disk, and gives it back once the process is gone. Power goes for
    /// both at once: a sync that is under way when a file system is shut down may still succeed, with
    /// nothing on the disk, and nobody must be left who says so.
    pub(crate) fn cut_power(&self, lifeboat: Lifeboat) {
        let disk = self.disk.as_ref().expect("a disk of its own");
        lifeboat.freeze();
        disk.cut_power();
        drop(lifeboat);
        disk.power_on();
    }

    /// What the running process says of itself.
    pub(crate) fn status(&self) -> Status {
        self.home.status()
    }

    /// The dead letters on the disk, when no process runs.
    pub(crate) fn dead_letters(&self) -> Vec<DeadLetter> {
        let text = std::fs::read_to_string(self.home.file()).unwrap();
        let dataplane =
            lifeboat_api::validate_dataplane(&lifeboat_api::parse(&text).unwrap()).unwrap();
        let sizes = sizes(&dataplane, u64::MAX, 0);
        let disk = Arc::new(Disk::new());
        let volume = Volume::open(disk, &self.home.data(), &sizes.volume, &sizes.streams).unwrap();
        assert!(volume.findings.is_empty(), "{:?}", volume.findings);
        let log = &volume.streams[0].dead_letters;
        let (mut reader, mut seq, mut letters) = (log.reader(), log.marks().log_start, Vec::new());
        loop {
            match reader.read(seq).unwrap() {
                Read::Batch(batch) => {
                    let records = seq..batch.end_seq();
                    seq = batch.end_seq();
                    letters.extend(records.map(|at| dead_letter(&batch.payload(at).unwrap())));
                }
                Read::Deleted { next } => seq = next,
                Read::End => return letters,
            }
        }
    }

    /// An unused endpoint for a stage.
    pub(crate) fn spare_endpoint(&self, name: &str) -> String {
        let path: PathBuf = self.home.path().join(name);
        format!("ipc://{}", path.display())
    }
}

fn dead_letter(record: &[u8]) -> DeadLetter {
    let mut frames = lifeboat_zmtp::frames(record).map(|frame| frame.body.to_vec());
    let label: Label = serde_json::from_slice(&frames.next().unwrap()).unwrap();
    let body: Vec<_> = frames.collect();
    DeadLetter { seq: label.seq, message: Submission::decode(&body) }
}

/// A port below those that the kernel hands out by itself: one of those could be taken while the
/// queue is down, even by a producer that connects to itself.
fn free_port() -> u16 {
    loop {
        let port = rand::rng().random_range(20_000..32_000);
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}
