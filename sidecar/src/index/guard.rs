//! Something that may panic or hang, on a thread of its own: whoever uses it gets an answer in time,
//! or a doubt.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use super::Doubt;

/// Name of the threads whose panics are caught and told.
pub(crate) const THREAD: &str = "lifeboat-index";

type Job<T> = Box<dyn FnOnce(&mut T) + Send>;

/// A `T` that only its own thread touches.
#[derive(Debug)]
pub(crate) struct Guarded<T> {
    jobs: Option<Sender<Job<T>>>,
    ended: Receiver<()>,
    limit: Duration,
    /// It hangs: nobody waits for its end.
    abandoned: bool,
}

impl<T: 'static> Guarded<T> {
    /// Makes the `T`, on its thread. No call, this one included, takes longer than `limit`.
    pub(crate) fn open(
        limit: Duration,
        open: impl FnOnce() -> Result<T, Doubt> + Send + 'static,
    ) -> Result<Self, Doubt> {
        let (jobs, work) = channel::<Job<T>>();
        let (opened, opening) = channel();
        let (end, ended) = channel();
        std::thread::Builder::new().name(THREAD.into()).spawn(move || {
            match guarded(open) {
                Ok(mut value) => {
                    let _ = opened.send(Ok(()));
                    while let Ok(job) = work.recv() {
                        job(&mut value);
                    }
                    let _ = guarded(|| {
                        drop(value);
                        Ok(())
                    });
                }
                Err(doubt) => drop(opened.send(Err(doubt))),
            }
            drop(end);
        })?;
        let mut made = Self { jobs: Some(jobs), ended, limit, abandoned: false };
        made.answer(&opening)?;
        Ok(made)
    }

    /// Has the thread do `job`. After a doubt it is not to be called again.
    pub(crate) fn call<R: Send + 'static>(
        &mut self,
        job: impl FnOnce(&mut T) -> Result<R, Doubt> + Send + 'static,
    ) -> Result<R, Doubt> {
        let (done, doing) = channel();
        let job: Job<T> = Box::new(move |value| drop(done.send(guarded(|| job(value)))));
        let sent = self.jobs.as_ref().is_some_and(|jobs| jobs.send(job).is_ok());
        if sent { self.answer(&doing) } else { Err(Doubt::Hangs) }
    }

    fn answer<R>(&mut self, from: &Receiver<Result<R, Doubt>>) -> Result<R, Doubt> {
        from.recv_timeout(self.limit).unwrap_or_else(|_| {
            self.abandoned = true;
            Err(Doubt::Hangs)
        })
    }
}

/// Waits for the end of the thread, so that its files are closed: but no longer than for a call.
impl<T> Drop for Guarded<T> {
    fn drop(&mut self) {
        self.jobs = None;
        if !self.abandoned {
            let _ = self.ended.recv_timeout(self.limit);
        }
    }
}

fn guarded<R>(work: impl FnOnce() -> Result<R, Doubt>) -> Result<R, Doubt> {
    catch_unwind(AssertUnwindSafe(work))
        .unwrap_or_else(|panic| Err(Doubt::Panicked(message(&*panic))))
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message").to_owned()
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    const SOON: Duration = Duration::from_millis(50);
    const LATE: Duration = Duration::from_secs(20);

    #[test]
    fn it_answers_from_its_own_thread_and_ends_with_its_handle() {
        let (gone, going) = mpsc::channel::<()>();
        let mut guarded = Guarded::open(LATE, move || Ok((3, gone))).unwrap();
        let own = std::thread::current().id();
        let other = guarded.call(|(number, _)| {
            *number += 1;
            Ok((*number, std::thread::current().id()))
        });
        let (number, thread) = other.unwrap();
        assert!(number == 4 && thread != own);
        drop(guarded);
        assert_eq!(going.try_recv(), Err(mpsc::TryRecvError::Disconnected), "it was dropped");
    }

    #[test]
    fn a_panic_is_a_doubt() {
        let mut guarded = Guarded::open(LATE, || Ok(())).unwrap();
        let doubt = guarded.call::<()>(|()| panic!("torn")).unwrap_err();
        assert!(matches!(&doubt, Doubt::Panicked(text) if text == "torn"), "{doubt}");
        let opened = Guarded::<()>::open(LATE, || panic!("at once")).unwrap_err();
        assert!(matches!(opened, Doubt::Panicked(_)));
    }

    #[test]
    fn what_hangs_is_left_alone() {
        let (release, blocked) = mpsc::channel::<()>();
        let mut guarded = Guarded::open(LATE, || Ok(())).unwrap();
        guarded.limit = SOON;
        let doubt = guarded.call(move |()| {
            let _ = blocked.recv();
            Ok(())
        });
        assert!(matches!(doubt, Err(Doubt::Hangs)));
        drop(guarded);
        drop(release);
    }
}
