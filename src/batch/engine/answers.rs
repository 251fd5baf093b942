//! What has happened, and what it means for the rows that wait.

use tokio::time::Instant;

use super::super::event::Event;
use super::super::schedule::Phase;
use super::super::sweeper::{Found, Report};
use super::{Done, Engine, Stopped};
use crate::domain::{Order, State};
use crate::ledger::{Claims, Hold, LedgerError, PlannedRow};
use crate::topup::{self, Halt, Standing, Trouble, Unrecorded};

impl Engine<'_> {
    pub(super) async fn handle(&mut self, done: Result<Done, tokio::task::JoinError>) {
        match done {
            Ok(Done::Claimed(claims)) => {
                self.is_claiming = false;
                match claims {
                    Ok(Some(claims)) => self.claimed(claims),
                    // Asked to stop before a row was claimed; the loop hears of it.
                    Ok(None) => {}
                    Err(failure) => self.fail(failure),
                }
            }
            Ok(Done::Sent(sent)) => {
                self.sending -= 1;
                self.schedule.sent();
                self.is_proven |= !self.desk.halted.is(Halt::Sends);
                self.sent(State::Sending, sent).await;
            }
            Ok(Done::Unsent(written)) => {
                self.sending -= 1;
                self.ready.push_front(*written);
            }
            Ok(Done::Recovered(reference, recovered)) => {
                let from = self.recovering.remove(&reference).unwrap_or(State::Unknown);
                self.sent(from, recovered).await;
            }
            Ok(Done::Swept(report)) => {
                self.is_sweeping = false;
                match report {
                    Ok(report) => self.swept(report).await,
                    Err(failure) => self.fail(failure),
                }
            }
            Err(fallen) => self.fail(LedgerError::Storage(format!("a worker has fallen: {fallen}")).into()),
        }
        // Rows that were claimed or held up while everything stopped.
        if !self.is_open_for_sends() {
            self.put_back().await;
        }
    }

    fn claimed(&mut self, claims: Claims) {
        self.cursor = claims.cursor;
        self.is_exhausted = claims.is_exhausted;
        let count = claims.written.len();
        self.claimed = self
            .claimed
            .saturating_add(u32::try_from(count).unwrap_or(u32::MAX));
        if count > 0 {
            (self.tell)(Event::Claimed(u64::try_from(count).unwrap_or_default()));
        }
        for written in &claims.written {
            let cost = written
                .order
                .cost
                .unwrap_or_else(|| written.order.intent.amount.into());
            self.budget = self.budget.map(|budget| budget - cost);
        }
        self.ready.extend(claims.written);
        for order in &claims.existing {
            (self.tell)(Event::Existing(order));
        }
        for (row, hold) in &claims.held {
            self.hold(row, hold);
        }
        if let Some(passed) = claims.over_cap {
            self.outcome.stopped = Some(Stopped::Cap(passed));
        }
    }

    fn hold(&mut self, row: &PlannedRow, hold: &Hold) {
        self.outcome.held += 1;
        (self.tell)(Event::Held(row, hold));
    }

    /// A row stands somewhere: accepted, refused, or lost.
    async fn sent(&mut self, from: State, sent: topup::Result<Standing>) {
        let standing = match sent {
            Ok(standing) => standing,
            Err(failure) => return self.fail(failure),
        };
        self.moved(from, &standing.order);
        if standing.order.state == State::Unknown && from == State::Sending {
            self.schedule.lost(Instant::now());
        }
        match standing.trouble {
            Some(trouble) if topup::is_ignored(&trouble) => {}
            Some(Trouble::EmptyWallet { .. }) => self.stop(Stopped::EmptyWallet).await,
            Some(Trouble::Auth(auth)) => self.stop(Stopped::Auth(auth)).await,
            Some(Trouble::Unavailable(why)) => self.stop(Stopped::Unavailable(why)).await,
            Some(Trouble::Interrupted(signal)) => self.stop(Stopped::Interrupted(signal)).await,
            // A row in doubt was refused for want of money, and then found or not to be told: the rest stops all the same.
            _ if self.desk.halted.is(Halt::Sends) => self.stop(Stopped::EmptyWallet).await,
            _ => {}
        }
    }

    pub(super) fn take(&mut self, found: Found) {
        match found {
            Found::Moved(from, order) => {
                // A sweep and a question may find the same row: it moves once from where it stood.
                if let Some(known) = self.recovering.get_mut(&order.intent.reference) {
                    *known = order.state;
                }
                self.moved(from, &order);
            }
            Found::Waiting(why, length) => (self.tell)(Event::Waiting { why: &why, length }),
            Found::Lost(order) => {
                if !self.recovering.contains_key(&order.intent.reference) {
                    self.lost.push_back(*order);
                }
            }
        }
    }

    fn moved(&mut self, from: State, order: &Order) {
        // What has ended stays so, whoever tells of it last.
        if from == order.state
            || (from.is_final() && !order.state.is_final() && order.state != State::Planned)
        {
            return;
        }
        if from == State::Accepted {
            self.accepted = self.accepted.saturating_sub(1);
        }
        if order.state == State::Accepted {
            self.accepted += 1;
            self.schedule.accepted(Instant::now());
        }
        (self.tell)(Event::Moved { from, order });
    }

    async fn swept(&mut self, report: Report) {
        self.is_wide |= report.is_blind;
        if self.phase() == Phase::Settling && self.recovering.is_empty() {
            self.recount();
        }
        if let Some(auth) = report.refused {
            self.stop(Stopped::Auth(auth)).await;
        }
        if let Some(signal) = report.interrupted {
            self.stop(Stopped::Interrupted(signal)).await;
        }
    }

    /// Other commands may have settled orders of this batch: the ledger knows how many are left.
    fn recount(&mut self) {
        while let Ok(found) = self.finds.try_recv() {
            self.take(found);
        }
        match self.desk.ledger.accepted(&self.batch) {
            Ok(accepted) if accepted == self.accepted => {}
            Ok(accepted) => {
                self.accepted = accepted;
                (self.tell)(Event::Recounted);
            }
            Err(failure) => self.fail(failure.into()),
        }
    }

    /// The ledger fails: nothing more is sent. What is on its way is awaited.
    fn fail(&mut self, failure: Unrecorded) {
        self.failure.get_or_insert(failure);
    }

    /// No new rows; those that have not left are put back.
    pub(super) async fn stop(&mut self, why: Stopped) {
        let is_graver = self
            .outcome
            .stopped
            .as_ref()
            .is_none_or(|known| why.is_hard() && !known.is_hard());
        if is_graver {
            self.outcome.stopped = Some(why);
        }
        self.put_back().await;
    }

    async fn put_back(&mut self) {
        let ready: Vec<_> = std::mem::take(&mut self.ready).into();
        if ready.is_empty() {
            return;
        }
        match self.desk.put_back(ready).await {
            Ok(orders) => {
                for order in &orders {
                    self.moved(State::Sending, order);
                }
            }
            // They stay `sending`, and the next run asks about them.
            Err(failure) => self.fail(failure),
        }
    }
}
