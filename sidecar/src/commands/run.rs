//! `lifeboat run`: a queue from its file, until a signal.

use std::path::{Path, PathBuf};

use lifeboat_api::Dataplane;
use lifeboat_log::LogError;
use tokio::select;

use super::fail;
use super::signals::Signals;
use crate::app::{self, Place, Sidecar, StartError};
use crate::cli::Run;
use crate::descriptors;
use crate::exit::Exit;
use crate::telemetry;

/// Runs the queue in `options.file`.
pub fn run(options: &Run) -> Exit {
    telemetry::start();
    descriptors::raise_limit();
    let (dataplane, place) = match prepare(options) {
        Ok(prepared) => prepared,
        Err(problems) => {
            eprintln!("{problems}");
            return Exit::BadInput;
        }
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&error, Exit::Failure),
    };
    let exit = runtime.block_on(serve(&dataplane, &place));
    runtime.shutdown_background();
    exit
}

/// Reads and checks everything, and touches nothing.
fn prepare(options: &Run) -> Result<(Dataplane, Place), String> {
    let file = options.file.display();
    let text =
        std::fs::read_to_string(&options.file).map_err(|error| format!("{file}: {error}"))?;
    let named = |problems: lifeboat_api::Problems| {
        let lines: Vec<String> =
            problems.iter().map(|problem| format!("{file}: {problem}")).collect();
        lines.join("\n")
    };
    let tree = lifeboat_api::parse(&text).map_err(named)?;
    let dataplane = lifeboat_api::validate_dataplane(&tree).map_err(named)?;
    let data = absolute(&options.data)?;
    let sockets = match &options.sockets {
        Some(sockets) => absolute(sockets)?,
        None => data.join("sockets"),
    };
    dataplane.check_sockets(&sockets).map_err(named)?;
    let place = Place { data, sockets, host: options.host.clone(), admin: options.admin.0 };
    Ok((dataplane, place))
}

fn absolute(path: &Path) -> Result<PathBuf, String> {
    std::path::absolute(path).map_err(|error| format!("{}: {error}", path.display()))
}

async fn serve(dataplane: &Dataplane, place: &Place) -> Exit {
    let mut signals = match Signals::listen() {
        Ok(signals) => signals,
        Err(error) => return fail(&error, Exit::Failure),
    };
    let sidecar = match app::start(dataplane, place).await {
        Ok(sidecar) => sidecar,
        Err(error) => return fail(&error, start_exit(&error)),
    };
    announce(&sidecar, dataplane, place);
    select! {
        () = signals.next() => {
            tracing::info!("stopping: what is stored stays");
            select! {
                exit = stop(sidecar) => exit,
                () = signals.next() => Exit::Failure,
            }
        }
        () = sidecar.failed() => stop(sidecar).await,
    }
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
    println!("{} is open; data in {}", node.name, place.data.display());
    for stream in &node.streams {
        let ingress = stream.ingress.iter().map(|ingress| (&ingress.socket, "producers"));
        let deliveries = stream.deliveries.iter().map(|delivery| (&delivery.socket, "apps"));
        for (socket, side) in ingress.chain(deliveries) {
            let kind = socket.protocol.unwrap_or(socket.socket);
            let name = format!("{}.{}", stream.name, socket.name);
            println!("  {side:<9}  {name:<24}  {kind:<7}  {}", socket.endpoint);
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
