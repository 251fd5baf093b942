//! Being asked to stop: Ctrl-C and SIGTERM, seen by everything that waits.
//!
//! The first one lets answers in flight arrive and be stored; the second one leaves at once.

use std::time::Duration;

use tokio::sync::watch;

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// Ctrl-C.
    Interrupt,
    /// SIGTERM, or the terminal was closed.
    Terminate,
}

/// Tells everything that waits whether it should go on.
#[derive(Debug, Clone)]
pub struct Stop(watch::Receiver<Option<Signal>>);

/// The other end: says that it is time to stop.
#[derive(Debug)]
pub struct Stopper(watch::Sender<Option<Signal>>);

/// A pair that nothing has stopped yet.
pub fn channel() -> (Stopper, Stop) {
    let (sender, receiver) = watch::channel(None);
    (Stopper(sender), Stop(receiver))
}

impl Stopper {
    /// Asks everything that waits to stop.
    pub fn stop(&self, signal: Signal) {
        self.0.send_replace(Some(signal));
    }
}

impl Stop {
    /// Who has asked to stop, if anybody has.
    pub fn asked(&self) -> Option<Signal> {
        *self.0.borrow()
    }

    /// Waits until somebody asks to stop: then says who.
    pub async fn wait(&self) -> Signal {
        let asked = self
            .0
            .clone()
            .wait_for(Option::is_some)
            .await
            .map(|signal| *signal);
        match asked {
            Ok(signal) => signal.unwrap_or(Signal::Interrupt),
            // Nobody is left to ask.
            Err(_) => std::future::pending().await,
        }
    }

    /// Awaits `work`, or until somebody asks to stop: then `work` is dropped. For questions only; the answer to a
    /// POST is always awaited.
    pub async fn race<T>(&self, work: impl Future<Output = T>) -> Result<T, Signal> {
        tokio::select! {
            biased;
            signal = self.wait() => Err(signal),
            done = work => Ok(done),
        }
    }

    /// Sleeps for `length`, or until somebody asks to stop: then says who.
    pub async fn sleep(&self, length: Duration) -> Result<(), Signal> {
        self.race(tokio::time::sleep(length)).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_sleep_ends_by_itself_or_when_asked() {
        let (stopper, stop) = channel();
        assert_eq!(stop.sleep(Duration::from_mins(1)).await, Ok(()));
        let sleeper = tokio::spawn({
            let stop = stop.clone();
            async move { stop.sleep(Duration::from_hours(1)).await }
        });
        tokio::task::yield_now().await;
        stopper.stop(Signal::Terminate);
        assert_eq!(sleeper.await.unwrap_or(Ok(())), Err(Signal::Terminate));
        assert_eq!(stop.sleep(Duration::from_secs(1)).await, Err(Signal::Terminate));
        assert_eq!(stop.asked(), Some(Signal::Terminate));
    }

    #[tokio::test(start_paused = true)]
    async fn a_dropped_stopper_never_stops_anybody() {
        let (stopper, stop) = channel();
        drop(stopper);
        assert_eq!(stop.sleep(Duration::from_mins(1)).await, Ok(()));
    }
}
