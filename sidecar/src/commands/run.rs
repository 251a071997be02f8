//! `lifeboat run`: a queue from its file, until a signal.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use lifeboat_api::Dataplane;
use lifeboat_log::LogError;
use tokio::select;
use tokio::time::{interval, sleep};

use super::fail;
use super::signals::RunSignals;
use crate::app::{self, Applied, Place, Sidecar, StartError};
use crate::cli::Run;
use crate::descriptors;
use crate::exit::Exit;
use crate::reload::watch::{self, FileWatch};
use crate::telemetry;

/// How long until what could not be opened is tried again.
const TRY_AGAIN: Duration = Duration::from_secs(5);

/// Between two looks at the size of a file system that is smaller than the file says.
const LOOK_AT_VOLUME: Duration = Duration::from_secs(5);

/// Runs the queue in `options.file`.
pub fn run(options: &Run) -> Exit {
    telemetry::start();
    descriptors::raise_limit();
    let place = match place(options) {
        Ok(place) => place,
        Err(error) => return fail(&error, Exit::BadInput),
    };
    // Watched before it is read, so that no change is missed.
    let file = FileWatch::new(&options.file);
    let loaded = match load(&options.file, &place) {
        Ok(loaded) => loaded,
        Err(problems) => {
            for problem in problems {
                eprintln!("{}: {problem}", options.file.display());
            }
            return Exit::BadInput;
        }
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&error, Exit::Failure),
    };
    let exit = runtime.block_on(serve(loaded, file, &place));
    runtime.shutdown_background();
    exit
}

/// Finds where everything goes, and touches nothing.
fn place(options: &Run) -> Result<Place, String> {
    let data = absolute(&options.data)?;
    let sockets = match &options.sockets {
        Some(sockets) => absolute(sockets)?,
        None => data.join("sockets"),
    };
    let (host, admin, ordinal) = (options.host.clone(), options.admin.0, options.ordinal);
    Ok(Place { data, sockets, host, admin, ordinal })
}

fn absolute(path: &Path) -> Result<PathBuf, String> {
    std::path::absolute(path).map_err(|error| format!("{}: {error}", path.display()))
}

/// A file that was read and checked.
struct Loaded {
    dataplane: Dataplane,
    hash: String,
}

/// Reads and checks the queue's file.
///
/// # Errors
/// Every problem, with its field.
fn load(file: &Path, place: &Place) -> Result<Loaded, Vec<String>> {
    let text = watch::read(file).map_err(|error| {
        vec![format!("{error}; it is to be a PersistentQueue, as you would `kubectl apply` it")]
    })?;
    let lines = |problems: lifeboat_api::Problems| {
        problems.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let tree = lifeboat_api::parse(&text).map_err(lines)?;
    let dataplane = lifeboat_api::validate_dataplane(&tree).map_err(lines)?;
    dataplane.check_sockets(&place.sockets).map_err(lines)?;
    if place.ordinal.is_none() && !dataplane.replicas.is_empty() {
        // To guess could open what the file fences.
        let problem = "replicas: the file tells replicas apart; say with --ordinal (or \
                       LIFEBOAT_ORDINAL) which one runs here";
        return Err(vec![problem.to_owned()]);
    }
    Ok(Loaded { dataplane, hash: watch::hash(&text) })
}

async fn serve(loaded: Loaded, mut file: FileWatch, place: &Place) -> Exit {
    let mut signals = match RunSignals::listen() {
        Ok(signals) => signals,
        Err(error) => return fail(&error, Exit::Failure),
    };
    let mut sidecar = match app::start(&loaded.dataplane, place).await {
        Ok(sidecar) => sidecar,
        Err(error) => return fail(&error, start_exit(&error)),
    };
    note(&sidecar, file.path(), loaded.hash, Applied::default());
    announce(&sidecar, &loaded.dataplane, place);
    let mut volume = interval(LOOK_AT_VOLUME);
    loop {
        let again = !sidecar.node.config().problems.is_empty();
        let due = select! {
            () = signals.end.next() => return end(sidecar, signals).await,
            () = sidecar.failed() => return stop(sidecar).await,
            () = file.changed() => Due::File,
            _ = signals.hangup.recv() => Due::File,
            () = sidecar.quiesce_ordered() => Due::Quiesce,
            _ = volume.tick(), if !again => Due::Growth,
            () = sleep(TRY_AGAIN), if again => Due::File,
        };
        select! {
            () = heed(due, &mut sidecar, file.path(), place) => {}
            // It may wait for a disk that hangs. What it leaves half done goes with the process.
            () = signals.end.next() => return end(sidecar, signals).await,
        }
    }
}

/// What a running queue has to do.
enum Due {
    /// Look at the file, which may have changed.
    File,
    /// Quiesce, by order.
    Quiesce,
    /// Look whether the volume has grown.
    Growth,
}

async fn heed(due: Due, sidecar: &mut Sidecar, file: &Path, place: &Place) {
    match due {
        Due::File => reload(sidecar, file, place).await,
        Due::Quiesce => sidecar.quiesce().await,
        Due::Growth => {
            sidecar.grow();
        }
    }
}

/// Stops by a signal. Another one ends the process at once, whatever that waits for: where the disk
/// hangs, the writer does not come back.
async fn end(sidecar: Sidecar, mut signals: RunSignals) -> Exit {
    tracing::info!("stopping: what is stored stays");
    tokio::spawn(async move {
        signals.end.next().await;
        std::process::exit(Exit::Failure.code().into());
    });
    stop(sidecar).await
}

/// Applies the file as it is now. One that is wrong changes nothing.
async fn reload(sidecar: &mut Sidecar, file: &Path, place: &Place) {
    let problems = match load(file, place) {
        Ok(Loaded { dataplane, hash }) => {
            let applied = sidecar.apply(&dataplane).await;
            if !applied.withheld {
                return note(sidecar, file, hash, applied);
            }
            applied.problems
        }
        Err(problems) => problems,
    };
    let mut config = sidecar.node.config();
    if config.problems != problems {
        for problem in &problems {
            tracing::error!(file = %file.display(), problem, "the file is not applied");
        }
        config.problems = problems;
    }
}

/// Has status say what became of a file.
fn note(sidecar: &Sidecar, file: &Path, hash: String, applied: Applied) {
    let Applied { changes, pending, problems, withheld: _ } = applied;
    let mut config = sidecar.node.config();
    if config.hash != hash || changes > 0 || config.problems != problems {
        tracing::info!(file = %file.display(), hash, changes, ?pending, "the file is applied");
        for problem in &problems {
            tracing::error!(problem, "not done now; it is tried again");
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        config.applied = now.as_secs();
    }
    config.file = file.display().to_string();
    (config.hash, config.problems, config.pending_restart) = (hash, problems, pending);
}

async fn stop(sidecar: Sidecar) -> Exit {
    match sidecar.stop().await {
        Ok(()) => Exit::Success,
        Err(error) => fail(&error, Exit::DiskFailed),
    }
}

fn start_exit(error: &StartError) -> Exit {
    match error {
        StartError::Bind { .. } => Exit::CannotBind,
        StartError::Volume { source, .. } => match source {
            LogError::Locked { .. } => Exit::Locked,
            LogError::Corrupt { .. } | LogError::Version { .. } => Exit::BadVolume,
            _ => Exit::DiskFailed,
        },
        StartError::Directory { .. } => Exit::DiskFailed,
        StartError::System(_) | StartError::Metrics(_) => Exit::Failure,
    }
}

/// Says where everything is.
fn announce(sidecar: &Sidecar, dataplane: &Dataplane, place: &Place) {
    let node = &sidecar.node;
    let state = node.state.unready().unwrap_or_else(|| "open".to_owned());
    println!("{} is {state}; data in {}", node.name, place.data.display());
    for stream in &node.streams {
        let ingress = stream.ingress().into_iter().map(|it| (it.socket, "producers"));
        let deliveries = stream.deliveries().into_iter().map(|it| (it.socket, "apps"));
        for (socket, side) in ingress.chain(deliveries) {
            let kind = socket.protocol.unwrap_or(socket.socket);
            let name = format!("{}.{}", stream.name, socket.name);
            let to = if socket.connects { "connects to " } else { "" };
            let closed = if socket.open { "" } else { "  (closed)" };
            println!("  {side:<9}  {name:<24}  {kind:<7}  {to}{}{closed}", socket.endpoint);
        }
    }
    if let Some(admin) = sidecar.admin {
        println!("  admin      http://{admin}");
    }
    if dataplane.ignored.is_empty() {
        println!("ready");
    } else {
        println!("ready; one replica runs here, ignored: {}", dataplane.ignored.join(", "));
    }
}
