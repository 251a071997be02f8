//! The commands as a user runs them: the real binary, its output and its exit codes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a failed test may panic

mod admin;
mod control;
mod demo;
mod receive;
mod run;
mod send;
mod status;
#[path = "../support/mod.rs"]
mod support;
mod usage;
mod verbs;

use lifeboat_sidecar::status::Status;
use support::{Home, Lifeboat, Outcome, lifeboat};

const RECEIPTS: &str = "{name: receipts, socket: ROUTER, protocol: Receipt, \
                        bind: \"tcp://127.0.0.1:*\"}";
const PULL: &str = "{name: push, socket: PULL, bind: \"tcp://127.0.0.1:*\"}";
const CREDIT: &str = "{name: workers, socket: ROUTER, protocol: Credit, maxInFlight: 8, \
                      bind: \"tcp://127.0.0.1:*\"}";

/// A running queue and its data directory.
struct Running {
    home: Home,
    process: Lifeboat,
}

impl Running {
    fn start(ingress: &str, deliveries: &str) -> Self {
        let home = Home::queue(ingress, deliveries);
        let process = home.start();
        Self { home, process }
    }

    /// Both ingresses and the Credit delivery.
    fn usual() -> Self {
        Self::start(&[RECEIPTS, PULL].join(", "), CREDIT)
    }

    /// Runs a command against it.
    fn run(&self, arguments: &[&str]) -> Outcome {
        self.run_with(arguments, "")
    }

    fn run_with(&self, arguments: &[&str], input: &str) -> Outcome {
        let data = self.home.data();
        let data = ["--data", data.to_str().unwrap()];
        lifeboat(&[arguments, &data[..]].concat(), input)
    }

    fn status(&self) -> Status {
        serde_json::from_str(&self.run(&["status", "--json"]).succeeds().stdout).unwrap()
    }

    fn depth(&self) -> u64 {
        self.status().streams[0].depth
    }
}

impl Outcome {
    #[track_caller]
    fn succeeds(self) -> Self {
        assert_eq!(self.code, Some(0), "{self:?}");
        self
    }

    #[track_caller]
    fn fails(self, code: i32, said: &[&str]) -> Self {
        assert_eq!(self.code, Some(code), "{self:?}");
        for text in said {
            assert!(self.stderr.contains(text), "{text:?} is not in {self:?}");
        }
        self
    }

    #[track_caller]
    fn says(self, said: &[&str]) -> Self {
        for text in said {
            assert!(self.stdout.contains(text), "{text:?} is not in {self:?}");
        }
        self
    }
}
