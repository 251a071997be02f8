//! One thread that starts all children and never ends: the signal of [`super::orphan`] comes when
//! the thread that spawned ends, and a test's thread ends long before its process.

use std::io;
use std::process::{Child, Command};
use std::sync::{LazyLock, Mutex, PoisonError, mpsc};
use std::thread;

/// A command, and where its child goes.
type Order = (Command, mpsc::Sender<io::Result<Child>>);

static ORDERS: LazyLock<Mutex<mpsc::Sender<Order>>> = LazyLock::new(|| {
    let (sender, orders) = mpsc::channel::<Order>();
    thread::spawn(move || {
        for (mut command, answer) in orders {
            // Whoever ordered it may be gone; a child that nobody takes is killed with the process.
            let _nobody_waits = answer.send(command.spawn());
        }
    });
    Mutex::new(sender)
});

/// `Command::spawn`, on that thread.
pub(super) fn spawn(command: Command) -> io::Result<Child> {
    let (sender, answer) = mpsc::channel();
    let orders = ORDERS.lock().unwrap_or_else(PoisonError::into_inner);
    orders.send((command, sender)).map_err(io::Error::other)?;
    drop(orders);
    answer.recv().map_err(io::Error::other)?
}
