//! A control plane to try things on: prints its kubeconfig's path and runs until stdin ends or
//! Ctrl-C comes. `cargo run -p lifeboat-e2e --bin control-plane`
#![allow(clippy::print_stdout)] // whoever runs it wants the path

use lifeboat_e2e::{ControlPlane, Result};
use tokio::io::AsyncReadExt as _;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let plane = ControlPlane::start().await?;
    println!("export KUBECONFIG={}", plane.kubeconfig().display());
    println!("alias kubectl={}", plane.kubectl()?.get_program().display());
    println!("alias helm={}", plane.helm()?.get_program().display());
    let mut typed = [0; 256];
    let mut stdin = tokio::io::stdin();
    loop {
        tokio::select! {
            _interrupt = tokio::signal::ctrl_c() => return Ok(()),
            read = stdin.read(&mut typed) => if matches!(read, Ok(0) | Err(_)) { return Ok(()) },
        }
    }
}
