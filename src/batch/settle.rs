//! Before a changed sheet is held against the ledger: what became of the rows whose answers were lost. It asks and never
//! sends, since the sheet may have those rows no longer.

use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::schedule::{Phase, Schedule};
use super::sweeper::{self, Found, Look, Task};
use crate::domain::Order;
use crate::ledger::{Batch, LedgerError};
use crate::topup::{self, Asked, Desk, Standing, Trouble};

/// Rows that are asked about at the same time.
const CHECKS_AT_A_TIME: usize = 16;
/// What a sweep may have found before it waits.
const FOUND_MAX: usize = 256;

/// Why the rows could not be asked about.
#[derive(Debug)]
pub enum Unsettled {
    /// The ledger.
    Ledger(topup::Unrecorded),
    /// The key, or somebody who asks to stop.
    Asked(Asked),
}

impl<E: Into<topup::Unrecorded>> From<E> for Unsettled {
    fn from(error: E) -> Self {
        Self::Ledger(error.into())
    }
}

/// Settles the lost rows of a batch as far as the provider can tell: found, or proved absent. What nobody can tell
/// stays `unknown`. How many there were.
pub async fn settle_lost(desk: &Arc<Desk>, batch: &Batch) -> Result<u64, Unsettled> {
    let taken = desk.take_over_lost(batch).await?;
    while !desk.ledger.lost_rows(batch, 1)?.is_empty() {
        // Their requests may still be landing.
        let settled = desk.stop.sleep(desk.pace.settle_delay).await;
        settled.map_err(|signal| Unsettled::Asked(Asked::Interrupted(signal)))?;
        let lost = swept(desk, batch).await?;
        check_all(desk, lost).await?;
    }
    Ok(taken)
}

/// A sweep of the list; the rows that it does not show.
async fn swept(desk: &Desk, batch: &Batch) -> Result<Vec<Order>, Unsettled> {
    let schedule = Schedule::new(false, desk.pace);
    let task = Task {
        phase: Phase::Settling,
        with_accepted: false,
        look: Look::Last,
        is_wide: false,
        before: None,
    };
    let (found, mut finds) = mpsc::channel(FOUND_MAX);
    let mut lost = Vec::new();
    let gather = async {
        while let Some(found) = finds.recv().await {
            if let Found::Lost(order) = found {
                lost.push(*order);
            }
        }
    };
    let (report, ()) = tokio::join!(sweeper::sweep(desk, batch, &schedule, task, found), gather);
    let report = report?;
    match (report.refused, report.interrupted) {
        (Some(auth), _) => Err(Unsettled::Asked(Asked::Fault(crate::api::Fault::Auth(auth)))),
        (None, Some(signal)) => Err(Unsettled::Asked(Asked::Interrupted(signal))),
        (None, None) => Ok(lost),
    }
}

async fn check_all(desk: &Arc<Desk>, lost: Vec<Order>) -> Result<(), Unsettled> {
    let mut waiting = lost.into_iter();
    let mut checks: JoinSet<topup::Result<Standing>> = JoinSet::new();
    loop {
        while checks.len() < CHECKS_AT_A_TIME
            && let Some(order) = waiting.next()
        {
            let desk = Arc::clone(desk);
            checks.spawn(async move { desk.check(order, &|_| {}).await });
        }
        let Some(checked) = checks.join_next().await else {
            return Ok(());
        };
        let fallen = |error| LedgerError::Storage(format!("a worker has fallen: {error}"));
        match checked.map_err(fallen)??.trouble {
            Some(Trouble::Auth(auth)) => {
                return Err(Unsettled::Asked(Asked::Fault(crate::api::Fault::Auth(auth))));
            }
            Some(Trouble::Interrupted(signal)) => return Err(Unsettled::Asked(Asked::Interrupted(signal))),
            _ => {}
        }
    }
}
