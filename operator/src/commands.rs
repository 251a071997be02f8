//! What the commands do.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "they talk to people")]

use std::process::ExitCode;

use serde_json::json;
use tokio::runtime::Builder;
use tokio::signal::unix::{SignalKind, signal};

use crate::check_install;
use crate::cli;
use crate::run::{self, Options};
use crate::telemetry;

/// Threads: reconciles wait for the API server most of their time.
const THREADS: usize = 2;

/// `lifeboat-operator run`.
pub(crate) fn run(options: cli::Run) -> ExitCode {
    telemetry::start();
    let runtime = Builder::new_multi_thread().worker_threads(THREADS).enable_all().build();
    let result = runtime.map_err(|error| error.to_string()).and_then(|runtime| {
        let result = runtime.block_on(serve(options));
        // Names are resolved on threads that nothing can end.
        runtime.shutdown_background();
        result
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(%error, "the operator ends");
            ExitCode::FAILURE
        }
    }
}

async fn serve(options: cli::Run) -> Result<(), String> {
    let config = kube::Config::infer().await.map_err(|error| error.to_string())?;
    let listen = |kind| signal(kind).map_err(|error| error.to_string());
    let (mut interrupt, mut terminate) =
        (listen(SignalKind::interrupt())?, listen(SignalKind::terminate())?);
    let stop = async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        tracing::info!("stopping");
    };
    let options = Options {
        sidecar_image: options.sidecar_image,
        namespaces: options.watch_namespaces,
        listen: options.listen,
        lease_name: options.lease_name,
        pod_name: options.pod_name,
        pod_namespace: options.pod_namespace,
    };
    run::run(options, config, stop).await.map_err(|error| error.to_string())
}

/// `lifeboat-operator check-install`.
pub(crate) fn check_install(options: cli::CheckInstall) -> ExitCode {
    let options = check_install::Options {
        namespace: options.namespace,
        image: options.image,
        storage_class: options.storage_class,
        messages: options.messages,
        patience: options.timeout,
        host: options.host,
        keep_failed: options.keep_failed,
    };
    let check = async {
        let client = kube::Client::try_default().await.map_err(|error| error.to_string())?;
        check_install::run(client, &options).await.map_err(|error| error.to_string())
    };
    let runtime = Builder::new_current_thread().enable_all().build();
    match runtime.map_err(|error| error.to_string()).and_then(|runtime| runtime.block_on(check)) {
        Ok(report) => {
            let check_install::Report { queue, ready, exchange, messages } = report;
            println!(
                "{queue}: ready after {ready:.1?}, {messages} messages back in {exchange:.1?}"
            );
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("the installation does not work: {error}");
            ExitCode::FAILURE
        }
    }
}

/// `lifeboat-operator crd`.
pub(crate) fn crd() -> ExitCode {
    match lifeboat_api::queue::manifest() {
        Ok(text) => {
            print!("{text}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("cannot render the CRD: {error}");
            ExitCode::FAILURE
        }
    }
}

/// `lifeboat-operator version`.
pub(crate) fn version(options: &cli::Version) -> ExitCode {
    let version = env!("CARGO_PKG_VERSION");
    if options.json {
        let features = lifeboat_api::supported_features();
        println!("{}", json!({"version": version, "features": features}));
    } else {
        println!("lifeboat-operator {version}");
    }
    ExitCode::SUCCESS
}
