//! What one sees of a running demo: a bar on a terminal, lines elsewhere.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use super::figures::Figures;
use crate::commands::human::count;

/// Time between two lines where there is no terminal.
const LINE: Duration = Duration::from_secs(2);

/// The display.
#[derive(Debug)]
pub(super) struct Progress {
    bar: ProgressBar,
    rounds: u64,
    /// The last line, where there is no terminal.
    said: Instant,
}

impl Progress {
    /// A display of `rounds` kills.
    pub(super) fn new(rounds: u32) -> Self {
        let bar = ProgressBar::new(rounds.into());
        if let Ok(style) = ProgressStyle::with_template("[{bar:24}] {msg}") {
            bar.set_style(style.progress_chars("=> "));
        }
        Self { bar, rounds: rounds.into(), said: Instant::now() }
    }

    /// Shows where the figures stand.
    pub(super) fn show(&mut self, figures: &Figures) {
        let kills = figures.kills.get();
        self.bar.set_position(kills);
        let text = format!(
            "sent {}  receipted {}  delivered {}  kills {kills}/{}",
            count(figures.sent.get()),
            count(figures.receipted.get()),
            count(figures.delivered.get()),
            self.rounds,
        );
        if self.bar.is_hidden() && self.said.elapsed() >= LINE {
            self.said = Instant::now();
            eprintln!("{text}");
        }
        self.bar.set_message(text);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
