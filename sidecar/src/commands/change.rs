//! What the commands share that change a running queue: they ask before they destroy something, show
//! how far long work has come, and say what was done.

use std::io::{self, IsTerminal, Write};

use indicatif::{ProgressBar, ProgressStyle};

use super::failure::Failure;
use super::human::counted;
use super::{ask, print_json};
use crate::cli::Change;
use crate::control::Verb;
use crate::control::client::Told;
use crate::control::verb::Done;

/// A change and how it is spoken of.
pub(super) struct Order<'a> {
    /// How it is done.
    pub(super) change: &'a Change,
    /// The verb, for real or dry.
    pub(super) verb: &'a dyn Fn(bool) -> Verb,
    /// What is counted: `record`.
    pub(super) noun: &'a str,
    /// What is done to them: `discarded from work.workers`.
    pub(super) done: String,
    /// For what destroys something: whether the user has said yes before.
    pub(super) destroys: Option<bool>,
}

impl Order<'_> {
    /// Carries it out.
    ///
    /// # Errors
    /// In words, also when the user does not want it after all.
    pub(super) async fn carry_out(&self) -> Result<(), Failure> {
        if self.destroys == Some(false) && !self.change.dry_run {
            self.confirm().await?;
        }
        let done = self.ask(self.change.dry_run).await?;
        if self.change.json {
            return print_json(&done);
        }
        let would = if done.dry_run { "would be " } else { "" };
        println!("{} {would}{}", counted(done.records, self.noun), self.done);
        if done.left > 0 {
            println!(
                "{} left: the file does not name the delivery, or the label cannot be read",
                counted(done.left, self.noun)
            );
        }
        Ok(())
    }

    /// Says how much would be destroyed, and asks.
    async fn confirm(&self) -> Result<(), Failure> {
        let would = self.ask(true).await?;
        let what = format!("{} would be {}", counted(would.records, self.noun), self.done);
        confirm(&what)
    }

    async fn ask(&self, dry_run: bool) -> Result<Done, Failure> {
        let bar = ProgressBar::no_length();
        if let Ok(style) = ProgressStyle::with_template("[{bar:24}] {pos}/{len}") {
            bar.set_style(style.progress_chars("=> "));
        }
        let outcome = ask::verb(&self.change.data, (self.verb)(dry_run), |told| {
            if let Told::Progress(progress) = told {
                bar.set_length(progress.of);
                bar.set_position(progress.done);
            }
            Ok(())
        });
        let outcome = outcome.await;
        bar.finish_and_clear();
        outcome
    }
}

/// Asks whoever sits at the terminal whether to go on, once `what` was said.
///
/// # Errors
/// In words, when nobody does, or the answer is no.
pub(super) fn confirm(what: &str) -> Result<(), Failure> {
    if !io::stdin().is_terminal() {
        return Err(Failure::usage(format!("{what}: say --yes if that is what you want")));
    }
    eprint!("{what}. Go on? [y/N] ");
    let failed = |error: io::Error| Failure::new(error.to_string());
    io::stderr().flush().map_err(failed)?;
    let mut answer = String::new();
    io::stdin().read_line(&mut answer).map_err(failed)?;
    match answer.trim() {
        "y" | "Y" | "yes" => Ok(()),
        _ => Err(Failure::new("nothing was changed")),
    }
}
