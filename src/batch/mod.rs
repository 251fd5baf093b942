//! A batch: a sheet of top-ups, each sent at most once, however often the sheet is sent (design, section 4).
//!
//! The ledger is the queue. The engine claims rows from it, sends them over a bounded number of connections, and
//! settles them by sweeping the provider's list; what happens is told in one kind of event, which progress, results
//! and summary consume.

mod draft;
mod engine;
mod event;
mod line;
mod lives;
mod plan;
mod preview;
mod pricing;
mod results;
mod retry;
mod schedule;
mod settle;
pub mod sheet;
mod sweeper;

pub use engine::{Options, Outcome, Stopped, run};
pub use event::Event;
pub use plan::{KEPT_MAX, Reading, Terms, Told};
pub use preview::{Bounds, PlanTotals, Preview, Totals};
pub use results::{Layout, Results};
pub use retry::{Retry, is_undelivered};
pub use settle::{Unsettled, settle_lost};
