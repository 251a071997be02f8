//! How fast is it? Ratios against peers in one run, on this machine, interleaved, medians.
//!
//! `cargo bench -p lifeboat-sidecar --bench speed [-- CASE.. --rounds N]`; the cases are `hop`,
//! `acked`, `latency`, `backlog` and `siege`, each explained in its module. Every part of a case is a
//! process of its own, with libzmq at both ends.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a bench may panic
#![allow(clippy::cast_precision_loss)] // rates are rounded anyway

mod acked;
mod backlog;
mod hop;
mod latency;
mod raw;
mod roles;
mod siege;
#[path = "../../tests/support/mod.rs"]
mod support;
mod table;

use clap::{Parser, ValueEnum};

use roles::Role;

/// Compares lifeboat with its peers.
#[derive(Debug, Parser)]
struct Args {
    /// What to compare; everything when left out.
    cases: Vec<Case>,
    /// Runs of everything, for the medians.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Given by `cargo bench`, and of no meaning.
    #[arg(long, hide = true)]
    bench: bool,
    /// Be one end of a socket: for the processes that the bench starts.
    #[arg(long, hide = true, num_args = 1.., allow_hyphen_values = true)]
    role: Option<Vec<String>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Case {
    Hop,
    Acked,
    Latency,
    Backlog,
    Siege,
}

fn main() {
    let args = Args::parse();
    if let Some(role) = args.role {
        return Role::parse_from(role).play();
    }
    let cases = match args.cases {
        none if none.is_empty() => Case::value_variants().to_vec(),
        some => some,
    };
    for case in cases {
        match case {
            Case::Hop => hop::compare(args.rounds),
            Case::Acked => acked::compare(args.rounds),
            Case::Latency => latency::compare(args.rounds),
            Case::Backlog => backlog::compare(args.rounds),
            Case::Siege => siege::compare(args.rounds),
        }
    }
}
