//! What happens while a batch is sent. Progress, results and summary consume it; none of them touches the engine.

use std::time::Duration;

use crate::domain::{Order, State};
use crate::ledger::{Hold, PlannedRow};

/// One thing that has happened.
#[derive(Debug)]
pub enum Event<'a> {
    /// Rows are on their way: they stand in the ledger as `sending`.
    Claimed(u64),
    /// An order stands somewhere else than before.
    Moved {
        /// Where it stood.
        from: State,
        /// The order as it stands now.
        order: &'a Order,
    },
    /// A row turned out to be an order that another command has made.
    Existing(&'a Order),
    /// Other commands have moved orders of this batch: the counts are those of the ledger.
    Recounted,
    /// A row stays planned: its guard does not hold.
    Held(&'a PlannedRow, &'a Hold),
    /// The next step waits.
    Waiting {
        /// Why.
        why: &'a str,
        /// How long.
        length: Duration,
    },
}
