//! The other side of the wire, for rehearsals and tests: a simulator of the Flexy API v3.
//!
//! It shares no types with the rest of the house, so that a misreading there cannot hide here. Everything
//! that the provider's pages disagree about is a switch, everything that goes wrong on the way is a fault,
//! and its books tell what was really accepted, whatever the client was told.
//!
//! ```text
//! connection -> desk -> gate, fault, { mobile, send, account, admin } -> store -> { books, journal }
//! ```

mod account;
mod admin;
mod answers;
mod books;
mod call;
mod catalogue;
mod clock;
mod connection;
mod desk;
mod fault;
mod gate;
mod journal;
mod mobile;
mod options;
mod order;
mod page;
mod send;
mod store;
mod switches;
mod tally;
mod tamper;
#[cfg(test)]
mod tests;

use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::net::TcpListener;

use desk::Desk;
pub use fault::{FAULTS, Fault, FaultError};
pub use options::{Environment, EnvironmentError, Options, SimulatorError};
pub use switches::{SWITCHES, SwitchError, Switches};
pub use tamper::TAMPERINGS;

/// A simulator of the provider. A clone is the same simulator.
#[derive(Clone)]
pub struct Simulator {
    desk: Arc<Mutex<Desk>>,
    latency: Duration,
}

impl Simulator {
    /// Opens a simulator, and its books where they are kept on disk.
    ///
    /// Fails when the books cannot be read or written.
    pub fn open(options: Options) -> Result<Self, SimulatorError> {
        Ok(Self {
            latency: options.latency,
            desk: Arc::new(Mutex::new(Desk::open(options)?)),
        })
    }

    /// Serves until the future is dropped, and every connection ends with it.
    ///
    /// Fails only when the listener refuses connections for good.
    pub async fn serve(self, listener: TcpListener) -> io::Result<()> {
        connection::serve(self, listener).await
    }

    /// What was really accepted: the same as `GET /_simulator/books`.
    ///
    /// `balance`, `accepted` by ref, `orders`, `deliveries` by ref, `calls` by endpoint, `answers` by status,
    /// `bad_keys` and `rate_limited`. Calls and answers are counted by each process for itself.
    pub fn books(&self) -> serde_json::Value {
        self.desk().fresh_books()
    }

    fn desk(&self) -> MutexGuard<'_, Desk> {
        // A panic elsewhere leaves the books as they are in the journal or before its last event.
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn latency(&self) -> Duration {
        self.latency
    }
}

impl fmt::Debug for Simulator {
    /// Without the key.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Simulator").finish_non_exhaustive()
    }
}
