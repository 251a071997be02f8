//! A sidecar in this process, on a simulated disk: its power can be cut at any moment.

use std::path::Path;
use std::sync::Arc;

use lifeboat_api::{parse, validate_dataplane};
use lifeboat_log::sim::SimDisk;
use lifeboat_log::vfs::Vfs;
use lifeboat_sidecar::app::{self, Place, Sidecar};
use tempfile::TempDir;

/// A queue with a Receipt ingress and a PUSH delivery.
pub(crate) const QUEUE: &str = "
apiVersion: lifeboat.dev/v1alpha1
kind: PersistentQueue
metadata: {name: q}
spec:
  storage: {size: 64Mi}
  streams:
    - name: work
      ingress: [{name: in, socket: ROUTER, protocol: Receipt, bind: \"tcp://127.0.0.1:*\"}]
      deliveries: [{name: out, socket: PUSH}]
";

/// The running queue, and where it lies: the simulated disk has the same paths as the real one,
/// which holds its sockets.
pub(crate) struct Simulated {
    pub(crate) sidecar: Sidecar,
    pub(crate) disk: SimDisk,
    pub(crate) home: TempDir,
}

impl Simulated {
    /// Starts what `yaml` says on an empty disk, as `seen` through another one.
    pub(crate) async fn start(yaml: &str, seen: impl FnOnce(SimDisk) -> Arc<dyn Vfs>) -> Self {
        let home = tempfile::tempdir().unwrap();
        let (data, sockets) = (home.path().join("data"), home.path().join("sockets"));
        let disk = SimDisk::new(1);
        make_parents(&disk, home.path());
        let dataplane = validate_dataplane(&parse(yaml).unwrap()).unwrap();
        let admin = Some(([127, 0, 0, 1], 0).into());
        let place = Place { data, sockets, host: "127.0.0.1".into(), admin, ordinal: None };
        let sidecar = app::start_on(seen(disk.clone()), &dataplane, &place).await.unwrap();
        Self { sidecar, disk, home }
    }

    /// The endpoint of an ingress of the first stream.
    pub(crate) fn ingress(&self, at: usize) -> String {
        self.sidecar.node.streams[0].ingress()[at].socket.endpoint.clone()
    }
}

fn make_parents(disk: &SimDisk, path: &Path) {
    let mut parents: Vec<_> = path.ancestors().collect();
    parents.reverse();
    for parent in &parents {
        disk.create_dir(parent).unwrap();
    }
    // A power cut must take nothing that was there before the queue.
    for parent in &parents {
        disk.sync_dir(parent).unwrap();
    }
}
