//! What the sidecar does at large, out of everything that has a say in it. Pure but for the lock
//! that shares it.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::status::State;

/// The sidecar's state, shared.
#[derive(Debug, Default)]
pub struct Lifecycle(Mutex<Causes>);

/// Everything that has a say, each for itself: what ends one of them does not end the others.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "any of them may hold beside any other")]
pub struct Causes {
    /// The disk failed; for ever.
    pub failed: bool,
    /// The process is on its way out; for ever.
    pub stopping: bool,
    /// The id of the volume that the file expects, where this is another.
    pub expected: Option<String>,
    /// The file fences the replica.
    pub fenced: bool,
    /// `lifeboat quiesce` was said; until the process ends.
    pub quiesced: bool,
    /// The file drains the replica.
    pub draining: bool,
}

impl Causes {
    /// What they come to: the one that permits least.
    pub fn state(&self) -> State {
        match self {
            Self { failed: true, .. } => State::Failed,
            Self { stopping: true, .. } => State::Stopping,
            Self { expected: Some(_), .. } => State::Closed,
            Self { fenced: true, .. } => State::Fenced,
            Self { quiesced: true, .. } => State::Quiesced,
            Self { draining: true, .. } => State::Draining,
            _ => State::Open,
        }
    }

    /// Why it takes nothing from outside, in a few words; `None` when it does.
    pub fn unready(&self) -> Option<String> {
        Some(match self.state() {
            State::Open => return None,
            State::Draining => "draining".to_owned(),
            State::Quiesced => "quiesced".to_owned(),
            State::Fenced => "fenced".to_owned(),
            State::Closed => format!(
                "closed: the file expects the volume {}, and this is another",
                self.expected.as_deref().unwrap_or_default()
            ),
            State::Stopping => "stopping".to_owned(),
            State::Failed => "the disk failed".to_owned(),
        })
    }
}

impl Lifecycle {
    /// What it is.
    pub fn get(&self) -> State {
        self.lock().state()
    }

    /// Why it takes nothing from outside, in a few words; `None` when it does.
    pub fn unready(&self) -> Option<String> {
        self.lock().unready()
    }

    /// Changes what has a say. Returns what that comes to, before and after.
    pub fn change(&self, change: impl FnOnce(&mut Causes)) -> [State; 2] {
        let mut causes = self.lock();
        let before = causes.state();
        change(&mut causes);
        [before, causes.state()]
    }

    fn lock(&self) -> MutexGuard<'_, Causes> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cause_that_permits_least_decides_and_its_end_brings_the_next() {
        let mut causes = Causes {
            failed: true,
            stopping: true,
            expected: Some("5e".to_owned()),
            fenced: true,
            quiesced: true,
            draining: true,
        };
        let mut states = Vec::new();
        let ends: [fn(&mut Causes); 6] = [
            |it| it.failed = false,
            |it| it.stopping = false,
            |it| it.expected = None,
            |it| it.fenced = false,
            |it| it.quiesced = false,
            |it| it.draining = false,
        ];
        for end in ends {
            states.push(causes.state());
            let reason = causes.unready().unwrap();
            assert!(!reason.is_empty() && !reason.contains('\n'), "{reason:?}");
            end(&mut causes);
        }
        let expected = [
            State::Failed,
            State::Stopping,
            State::Closed,
            State::Fenced,
            State::Quiesced,
            State::Draining,
        ];
        assert_eq!(states, expected);
        assert_eq!((causes.state(), causes.unready()), (State::Open, None));
    }

    #[test]
    fn a_change_says_what_it_comes_to() {
        let lifecycle = Lifecycle::default();
        assert_eq!(lifecycle.change(|it| it.draining = true), [State::Open, State::Draining]);
        assert_eq!(lifecycle.change(|it| it.fenced = true), [State::Draining, State::Fenced]);
        assert_eq!(lifecycle.get(), State::Fenced);
    }
}
