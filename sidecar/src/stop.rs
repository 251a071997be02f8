//! The order to stop, as every task hears it.

use tokio::sync::watch;

/// Gives the order.
#[derive(Debug)]
pub struct Stopper(watch::Sender<bool>);

/// Hears the order. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Stop(watch::Receiver<bool>);

/// A stopper and what hears it.
pub fn channel() -> (Stopper, Stop) {
    let (sender, receiver) = watch::channel(false);
    (Stopper(sender), Stop(receiver))
}

impl Stopper {
    /// Orders everybody to stop, also those who ask later.
    pub fn stop(&self) {
        self.0.send_replace(true);
    }
}

impl Stop {
    /// Whether the order was given.
    pub fn is_ordered(&self) -> bool {
        *self.0.borrow()
    }

    /// Completes once the order was given, or its giver is gone. Cancel-safe.
    pub async fn ordered(&mut self) {
        // An error means that nobody is left to give the order: the same.
        let _ = self.0.wait_for(|stop| *stop).await;
    }
}
