//! The command line of `kubectl pq`: what can be said, and its help.

use clap::{ArgGroup, Args, Parser, Subcommand};

/// Look at PersistentQueues and act on them.
#[derive(Debug, Parser)]
#[command(name = "kubectl-pq", bin_name = "kubectl pq", version, propagate_version = true)]
pub struct Cli {
    /// The namespace [default: that of the context]
    #[arg(short, long, global = true, value_name = "NAME")]
    pub(super) namespace: Option<String>,
    /// The context of the kubeconfig [default: the current one]
    #[arg(long, global = true, value_name = "NAME")]
    pub(super) context: Option<String>,
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Say where queues stand, or one of them in detail
    Status(Status),
    /// Look at records without consuming them
    Peek(Peek),
    /// Put dead letters back into their stream
    Redrive(Redrive),
    /// Deliver what replicas hold, and take them away
    Drain(Drain),
    /// Have a replica take and deliver nothing
    Fence(Fence),
}

/// Options of `status`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  kubectl pq status
  kubectl pq status -A
  kubectl pq status orders
  kubectl pq status --json | jq '.[] | {name: .metadata.name, depth: .status.backlog.messages}'

With NAME, each replica's sidecar is asked too (this needs pods/exec) for the figures of its streams.")]
pub(super) struct Status {
    /// One queue in detail
    pub(super) name: Option<String>,
    /// The queues of all namespaces
    #[arg(short = 'A', long, conflicts_with = "name")]
    pub(super) all_namespaces: bool,
    /// As JSON: the resources; with NAME one, with each replica's own status in `sidecars`
    #[arg(long)]
    pub(super) json: bool,
}

/// Options of `peek`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  kubectl pq peek orders work
  kubectl pq peek orders work --dead-letters --replica 1
  kubectl pq peek orders work --delivery workers --count 3 --json | jq .frames

Nothing is consumed, leased or settled. It runs `lifeboat peek` in each replica's sidecar.")]
pub(super) struct Peek {
    /// The queue
    pub(super) name: String,
    /// The stream
    pub(super) stream: String,
    /// One replica alone
    #[arg(long, value_name = "N")]
    pub(super) replica: Option<u32>,
    /// Only what this delivery has not settled
    #[arg(long, value_name = "NAME")]
    pub(super) delivery: Option<String>,
    /// The dead letters instead; with --delivery, those that it gave up
    #[arg(long)]
    pub(super) dead_letters: bool,
    /// So many of each replica at most [default: 10]
    #[arg(long, value_name = "N")]
    pub(super) count: Option<u64>,
    /// From this seq on
    #[arg(long, value_name = "SEQ", requires = "replica")]
    pub(super) from: Option<u64>,
    /// Bytes of each message that are shown
    #[arg(long, value_name = "N")]
    pub(super) bytes: Option<u32>,
    /// One JSON object a record, as `lifeboat peek --json` gives it, and its replica
    #[arg(long)]
    pub(super) json: bool,
}

/// Options of `redrive`.
#[derive(Debug, Args)]
#[command(
    group = ArgGroup::new("which").required(true),
    after_help = "\
Examples:
  kubectl pq redrive orders work --all
  kubectl pq redrive orders work --replica 1 --seq 3 --seq 7-20
  kubectl pq redrive orders work --all --delivery workers --dry-run

It runs `lifeboat redrive` in each replica's sidecar. A dead letter goes to the delivery that gave it
up and to no other, with a new seq and all its attempts before it."
)]
pub(super) struct Redrive {
    /// The queue
    pub(super) name: String,
    /// The stream
    pub(super) stream: String,
    /// One replica alone
    #[arg(long, value_name = "N")]
    pub(super) replica: Option<u32>,
    /// Only what this delivery gave up
    #[arg(long, value_name = "NAME")]
    pub(super) delivery: Option<String>,
    /// These, by their seq among the dead letters of the replica: 7, or a run such as 7-20
    #[arg(long, value_name = "SEQ", group = "which", requires = "replica")]
    pub(super) seq: Vec<String>,
    /// All of them
    #[arg(long, group = "which")]
    pub(super) all: bool,
    /// Say what would be done, and do nothing
    #[arg(long)]
    pub(super) dry_run: bool,
    /// One JSON object a replica: records, left, dryRun, replica
    #[arg(long)]
    pub(super) json: bool,
}

/// Options of `drain`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  kubectl pq drain orders              # every replica, one after the other
  kubectl pq drain orders --replica 2  # replica 2 and those above it

A replica that is drained takes no more messages from outside its pod, delivers what it holds, and
goes when nothing is left; its claim stays unless whenScaled says otherwise. Replicas go from the
highest down, so this lowers spec.replicas, and the operator does the rest: raising it again at any
time takes replicas back. `kubectl pq status NAME` shows how far it is.")]
pub(super) struct Drain {
    /// The queue
    pub(super) name: String,
    /// The lowest replica that is to go [default: 0]
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    pub(super) replica: u32,
    /// The outcome as JSON: before, after
    #[arg(long)]
    pub(super) json: bool,
}

/// Options of `fence`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  kubectl pq fence orders --replica 1
  kubectl pq fence orders --replica 1 --undo

A replica that is fenced runs, and neither takes nor delivers anything; what it holds stays.")]
pub(super) struct Fence {
    /// The queue
    pub(super) name: String,
    /// The replica
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(0..128))]
    pub(super) replica: u32,
    /// Let it work again
    #[arg(long)]
    pub(super) undo: bool,
    /// The outcome as JSON: fenced
    #[arg(long)]
    pub(super) json: bool,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
        assert!(Cli::try_parse_from(["kubectl-pq", "redrive", "q", "s"]).is_err());
        assert!(Cli::try_parse_from(["kubectl-pq", "redrive", "q", "s", "--seq", "1"]).is_err());
        assert!(Cli::try_parse_from(["kubectl-pq", "fence", "q", "--replica", "128"]).is_err());
        let good = ["kubectl-pq", "peek", "q", "s", "-n", "shop", "--replica", "1", "--from", "7"];
        assert_eq!(Cli::try_parse_from(good).unwrap().namespace.as_deref(), Some("shop"));
    }
}
