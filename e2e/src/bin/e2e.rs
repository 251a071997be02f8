//! Lifeboat on a real cluster: `e2e/run`, and `e2e/up`, `e2e/enter`, `e2e/down` for a person.
#![allow(clippy::print_stdout, clippy::print_stderr)] // it talks to people

use std::ffi::OsString;
use std::fs;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use clap::{Parser, Subcommand};
use lifeboat_e2e::sandbox::Sandbox;
use lifeboat_e2e::scenarios::{self, Cluster, End};
use lifeboat_e2e::{Error, Node, Result, images, sandbox, tools};
use tokio::io::AsyncReadExt as _;
use tokio::signal::unix::{SignalKind, signal};

#[derive(Debug, Parser)]
#[command(about, version)]
struct Arguments {
    #[command(subcommand)]
    command: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Runs scenarios on the cluster of $KUBECONFIG, or on one of its own, and counts messages.
    Run(Run),
    /// Starts a cluster on this machine and leaves it standing.
    Up,
    /// Runs a command in the cluster that stands; without one, a shell.
    Enter {
        /// The command and its arguments.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        command: Vec<OsString>,
    },
    /// Builds what has changed of the images; says where the archives are.
    Images,
    /// Ends the cluster that stands.
    Down,
    /// Holds a cluster until it is told to end.
    #[command(hide = true)]
    Hold,
    /// What runs in a sandbox first.
    #[command(hide = true)]
    FirstProcess {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// In a sandbox: a cluster, until standard input ends.
    #[command(hide = true)]
    Stand {
        /// Who holds it: a process outside.
        holder: u32,
    },
}

#[derive(Debug, clap::Args)]
struct Run {
    /// Repeats more often, and runs those that take long, too.
    #[arg(long)]
    all: bool,
    /// In a sandbox already.
    #[arg(long, hide = true)]
    inside: bool,
    /// Which; without any: those that belong to every run, or with --all all of them.
    #[arg(value_parser = scenarios::ALL.map(|scenario| scenario.name))]
    scenarios: Vec<String>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let result = match arguments.command {
        Verb::FirstProcess { arguments } => sandbox::first_process(&arguments),
        Verb::Enter { command } => enter(command),
        Verb::Down => sandbox::end_other().map(|ended| {
            println!("{}", if ended { "it is down" } else { "there was none" });
            ExitCode::SUCCESS
        }),
        Verb::Images => images::build().map(|archives| {
            for archive in archives {
                println!("{}", archive.display());
            }
            ExitCode::SUCCESS
        }),
        Verb::Run(run) => run_scenarios(&run),
        Verb::Up => up(),
        Verb::Hold => block_on(outside(vec!["stand".to_owned(), std::process::id().to_string()])),
        Verb::Stand { holder } => block_on(stand(holder)),
    };
    result.unwrap_or_else(|error| {
        eprintln!("e2e: {error}");
        ExitCode::FAILURE
    })
}

fn block_on(task: impl Future<Output = Result<ExitCode>>) -> Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|source| Error::Io { what: "starting a runtime".to_owned(), source })?;
    let result = runtime.block_on(task);
    // A thread may wait for standard input, which nothing can end.
    runtime.shutdown_background();
    result
}

/// Runs this program in a sandbox until it ends, or a signal comes.
async fn outside(arguments: Vec<String>) -> Result<ExitCode> {
    let told = |source| Error::Io { what: "waiting for signals".to_owned(), source };
    let mut interrupt = signal(SignalKind::interrupt()).map_err(told)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(told)?;
    let place = Sandbox::take()?;
    let mut inside = place.start(arguments)?;
    let code = loop {
        tokio::select! {
            _ = interrupt.recv() => break None,
            _ = terminate.recv() => break None,
            () = tokio::time::sleep(Duration::from_millis(100)) => {}
        }
        if let Some(code) = inside.ended()? {
            break Some(code);
        }
    };
    drop(inside);
    let code = code.unwrap_or(ExitCode::from(130));
    if code != ExitCode::SUCCESS && code != ExitCode::from(130) {
        eprintln!("logs are kept in {}", place.keep_logs()?.display());
    }
    Ok(code)
}

fn run_scenarios(run: &Run) -> Result<ExitCode> {
    if run.inside {
        return block_on(inside(run));
    }
    if std::env::var_os("KUBECONFIG").is_some() {
        tools::build(&["control"])?;
        images::build()?;
        return block_on(report(Cluster::of_environment(), run));
    }
    make_all()?;
    let mut arguments = vec!["run".to_owned(), "--inside".to_owned()];
    arguments.extend(run.all.then(|| "--all".to_owned()));
    arguments.extend(run.scenarios.iter().cloned());
    block_on(outside(arguments))
}

/// Scenarios on a cluster of this sandbox, unless standard input ends before.
async fn inside(run: &Run) -> Result<ExitCode> {
    let node = Node::start(&sandbox::run_directory()).await?;
    tokio::select! {
        code = report(Cluster::own(node), run) => code,
        () = until_told() => Ok(ExitCode::from(130)),
    }
}

/// Runs what was asked for, and prints the table.
async fn report(mut cluster: Cluster, run: &Run) -> Result<ExitCode> {
    cluster.load_images()?;
    let mut rows = Vec::new();
    for scenario in scenarios::chosen(&run.scenarios, run.all) {
        println!("{}: {}", scenario.name, scenario.about);
        let row = scenarios::run(&mut cluster, scenario, run.all).await;
        if let End::Failed(why) = &row.end {
            println!("{} FAILED: {why}", scenario.name);
            cluster.keep_evidence(scenario.name).await;
        }
        println!("{}", scenarios::line(&row));
        rows.push(row);
    }
    print!("\n{}", scenarios::render(&rows));
    let failed = rows.iter().any(|row| matches!(row.end, End::Failed(_)));
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// A cluster and all images, until standard input ends.
async fn stand(holder: u32) -> Result<ExitCode> {
    let begun = Instant::now();
    let node = Node::start(&sandbox::run_directory()).await?;
    for archive in images::archives() {
        node.load(&archive)?;
    }
    sandbox::say_ready(holder, begun.elapsed())?;
    until_told().await;
    Ok(ExitCode::SUCCESS)
}

/// Waits until standard input ends.
async fn until_told() {
    let (mut stdin, mut typed) = (tokio::io::stdin(), [0; 64]);
    while !matches!(stdin.read(&mut typed).await, Ok(0) | Err(_)) {}
}

/// Builds what a cluster of its own needs.
fn make_all() -> Result<()> {
    tools::build(&["control", "cluster"])?;
    images::build().map(|_| ())
}

fn up() -> Result<ExitCode> {
    make_all()?;
    let io = |source| Error::Io { what: "starting a cluster".to_owned(), source };
    let log = std::env::temp_dir().join("lifeboat-e2e-up.log");
    // Not this program's own: whoever reads that would wait for the cluster's end.
    let said = fs::File::create(&log).map_err(io)?;
    // `setsid` becomes the program, so that its number is the holder's.
    let mut hold = Command::new("setsid")
        .arg(std::env::current_exe().map_err(io)?)
        .arg("hold")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(said)
        .spawn()
        .map_err(io)?;
    loop {
        if let Some(status) = hold.try_wait().map_err(io)? {
            eprint!("{}", fs::read_to_string(&log).unwrap_or_default());
            eprintln!("e2e: the cluster did not come up: {status}");
            return Ok(ExitCode::FAILURE);
        }
        if let Some(took) = sandbox::ready_after(hold.id()) {
            println!("a cluster is up, after {took}; use it by `e2e/enter kubectl get nodes`");
            println!("and end it by `e2e/down`");
            return Ok(ExitCode::SUCCESS);
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn enter(mut command: Vec<OsString>) -> Result<ExitCode> {
    let run = sandbox::run_directory();
    if command.is_empty() {
        command.push("bash".into());
    }
    let mut inside = sandbox::enter("env".as_ref())?;
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut search = OsString::from("PATH=");
    search.push(tools::links()?);
    search.push(":");
    search.push(path);
    let mut kubeconfig = OsString::from("KUBECONFIG=");
    kubeconfig.push(run.join("admin.kubeconfig"));
    inside.arg(search).arg(kubeconfig).args(command);
    Err(Error::Io { what: "entering the cluster".to_owned(), source: inside.exec() })
}
