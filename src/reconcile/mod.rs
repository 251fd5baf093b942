//! The ledger against the provider's list and account, over a range. It asks and never sends.
//!
//! ```text
//! read (pages, stored as they come) -> settle (what is lost) -> ask (what no list shows) -> judge, chain -> report
//! ```
//!
//! Both lists are read page by page into the ledger, so that a run that was cut off goes on where it stopped. Open
//! orders that a page shows are moved as `ref check` moves them. What then differs is a finding; a final state is
//! never rewritten.

mod ask;
mod chain;
mod closing;
mod finding;
mod judge;
mod read;
mod report;
mod trail;

use std::time::Duration;

use jiff::Timestamp;

pub use chain::{Equation, Gap};
pub use finding::{Finding, Kind};
pub use report::{Report, Sides, Unchecked};

use crate::api::{AuthFault, Fault};
use crate::ledger::{LedgerError, Listing};
use crate::stop::Signal;
use crate::topup::{Asked, Desk, Unrecorded};

/// How far around the range orders and lines are read: clocks differ, and lines follow their orders.
const MARGIN: Duration = Duration::from_mins(15);
/// A reading that was cut off is gone on with for so long; what is older is read anew.
pub const FRESH: Duration = Duration::from_hours(1);

/// What is compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Range {
    /// As it was asked for: the same words go on with the same reading.
    pub asked: String,
    /// From then on, by our clock.
    pub since: Timestamp,
    /// Before then.
    pub until: Timestamp,
    /// Whether what an earlier run has read is dropped.
    pub fresh: bool,
}

/// How far a reading is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// An earlier run has read some pages; this one goes on behind them.
    GoesOn,
    /// A page has been read and stored.
    Page {
        /// Of which list.
        listing: Listing,
        /// The pages that are read.
        page: u64,
        /// All that there are, as far as the provider says.
        pages: Option<u64>,
    },
    /// The list has changed while it was read, so it is read again.
    Again(Listing),
    /// Lost orders are asked about.
    Settling,
    /// What no list shows is asked about, one by one.
    Asking,
}

/// Who is told.
pub type Tell<'a> = &'a (dyn Fn(Event) + Sync);

/// Why a run ended before it could compare. What was read is kept.
#[derive(Debug, Clone)]
pub enum Halted {
    /// The key was refused.
    Refused(AuthFault),
    /// Asked to stop.
    Interrupted(Signal),
    /// The provider's list can't be read just now.
    Unreadable(String),
    /// The ledger.
    Ledger(LedgerError),
    /// Another process is comparing this account.
    Busy,
}

impl From<LedgerError> for Halted {
    fn from(error: LedgerError) -> Self {
        Self::Ledger(error)
    }
}

impl From<Unrecorded> for Halted {
    fn from(failure: Unrecorded) -> Self {
        Self::Ledger(failure.source)
    }
}

impl From<Asked> for Halted {
    fn from(asked: Asked) -> Self {
        match asked {
            Asked::Interrupted(signal) => Self::Interrupted(signal),
            Asked::Fault(Fault::Auth(auth)) => Self::Refused(auth),
            Asked::Fault(fault) => Self::Unreadable(fault.describe()),
        }
    }
}

/// A result whose failure ends the run.
type Result<T> = std::result::Result<T, Halted>;

/// Compares the ledger with the provider over a range.
///
/// # Errors
/// Whatever keeps it from reading both sides; the same range goes on where it stopped.
pub async fn reconcile(desk: &Desk, range: &Range, tell: Tell<'_>) -> Result<Report> {
    let Some(_lock) = desk.ledger.lock_reading(&desk.account)? else {
        return Err(Halted::Busy);
    };
    let reading = read::open(desk, range, tell).await?;
    read::orders(desk, &reading, tell).await?;
    let mut has_entries = read::entries(desk, &reading, 1, tell).await?;
    let unsettled = ask::settle_lost(desk, &reading, has_entries, tell).await?;
    let first = desk.ledger.compare(&reading, has_entries)?;
    if has_entries && first.awaits_entries()? {
        // What is booked a moment behind its order, or a day behind a review, may be there by now.
        has_entries = read::entries(desk, &reading, 2, tell).await?;
    }
    let asked = ask::ask_the_rest(desk, &reading, &first, has_entries, tell).await?;
    drop(first);
    let comparison = desk.ledger.compare(&reading, has_entries)?;
    let (comparison, closing) = if has_entries {
        closing::ask_for(desk, &reading, range, comparison).await?
    } else {
        (comparison, closing::Closing::Agrees)
    };
    let found = report::Found {
        has_entries,
        unsettled,
        asked,
        closing,
    };
    let report = report::assemble(desk, &reading, &comparison, found)?;
    // It has been told: the next run reads anew.
    desk.ledger.drop_readings(&desk.account, None).await?;
    Ok(report)
}
