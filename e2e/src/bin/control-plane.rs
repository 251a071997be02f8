//! A control plane to try things on: prints its kubeconfig's path and runs until stdin ends, or
//! SIGINT or SIGTERM comes. `cargo run -p lifeboat-e2e --bin control-plane`
#![allow(clippy::print_stdout)] // whoever runs it wants the path

use lifeboat_e2e::ControlPlane;
use tokio::io::AsyncReadExt as _;
use tokio::signal::unix::{SignalKind, signal};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let plane = tokio::select! {
        plane = ControlPlane::start() => plane?,
        _told = interrupt.recv() => return Ok(()),
        _told = terminate.recv() => return Ok(()),
    };
    println!("export KUBECONFIG={}", plane.kubeconfig().display());
    println!("alias kubectl={}", plane.kubectl()?.get_program().display());
    println!("alias helm={}", plane.helm()?.get_program().display());
    let mut typed = [0; 256];
    let mut stdin = tokio::io::stdin();
    loop {
        tokio::select! {
            _told = interrupt.recv() => return Ok(()),
            _told = terminate.recv() => return Ok(()),
            read = stdin.read(&mut typed) => if matches!(read, Ok(0) | Err(_)) { return Ok(()) },
        }
    }
}
