//! What has happened, and what it means for the rows that wait.

use tokio::task::JoinError;
use tokio::time::Instant;

use super::super::event::Event;
use super::super::schedule::Phase;
use super::super::sweeper::{Found, Report};
use super::outbox::Sent;
use super::{Done, Engine, Stopped};
use crate::domain::{Order, State};
use crate::ledger::{Claims, Hold, LedgerError, PlannedRow};
use crate::topup::{self, Halt, RowSent, Standing, Trouble, Unrecorded};

impl Engine<'_> {
    /// What came of a row's request.
    pub(super) fn answered(&mut self, sent: Sent) {
        self.schedule.sent();
        match sent.came {
            Ok(RowSent::Answered(answer)) => {
                self.prove();
                self.answered_since.get_or_insert_with(Instant::now);
                self.answered.push(answer);
            }
            Ok(RowSent::Open(open)) => {
                if let Some(why) = open.doubt() {
                    self.doubt.left(why);
                    self.outbox.hold(self.is_holding());
                }
                self.open += 1;
                self.go_on(open, sent.hand);
            }
            Err(failure) => {
                self.out -= 1;
                self.fail(failure);
            }
        }
    }

    /// An answer shows that rows can be sent, unless it has put an end to that.
    fn prove(&mut self) {
        self.is_proven |= !self.desk.halted.is(Halt::Sends);
    }

    /// A connection ends by itself where all sending has come to an end, and otherwise by a fault of this program: then
    /// the row that it had in hand stays `sending`, and the next run asks about it.
    pub(super) fn lose_connection(&mut self, ended: Result<(), JoinError>) {
        if let Err(fallen) = ended {
            self.out = self.out.saturating_sub(1);
            self.fall(&fallen);
        }
    }

    fn fall(&mut self, fallen: &JoinError) {
        // It may have been the one that stored.
        self.is_storing = false;
        self.fail(LedgerError::Storage(format!("a worker has fallen: {fallen}")).into());
    }

    pub(super) fn handle(&mut self, done: Result<Done, JoinError>) {
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
            Ok(Done::Stored(count, stored)) => {
                self.is_storing = false;
                self.out -= count;
                match stored {
                    Ok(orders) => orders.iter().for_each(|order| self.stands(State::Sending, order)),
                    Err(failure) => self.fail(failure),
                }
            }
            Ok(Done::Stands(reference, stands)) => {
                self.out -= 1;
                self.open -= 1;
                self.has_sent_again = true;
                self.prove();
                let from = self.working.remove(&reference).unwrap_or(State::Sending);
                self.sent(from, stands);
            }
            Ok(Done::Recovered(reference, recovered)) => {
                self.recoveries -= 1;
                self.has_sent_again = true;
                let from = self.working.remove(&reference).unwrap_or(State::Unknown);
                self.sent(from, recovered);
            }
            Ok(Done::Swept(report)) => {
                self.is_sweeping = false;
                match report {
                    Ok(report) => self.swept(report),
                    Err(failure) => self.fail(failure),
                }
            }
            Err(fallen) => self.fall(&fallen),
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
        self.out += count;
        if count > 0 {
            self.first_sent.get_or_insert_with(Instant::now);
        }
        self.outbox.add(claims.written);
        for order in &claims.existing {
            (self.tell)(Event::Existing(order));
        }
        for (row, hold) in &claims.held {
            self.hold(row, hold);
        }
        if claims.is_over_consent {
            self.outcome.stopped.get_or_insert(Stopped::Consent);
        }
        if let Some(passed) = claims.over_cap {
            // What the run was told to stop for meanwhile weighs more.
            self.outcome.stopped.get_or_insert(Stopped::Cap(passed));
        }
    }

    fn hold(&mut self, row: &PlannedRow, hold: &Hold) {
        if !self.held.insert(row.row) {
            return;
        }
        self.outcome.held += 1;
        (self.tell)(Event::Held(row, hold));
    }

    /// A row stands somewhere: accepted, refused, or lost.
    fn sent(&mut self, from: State, sent: topup::Result<Standing>) {
        let standing = match sent {
            Ok(standing) => standing,
            Err(failure) => return self.fail(failure),
        };
        self.stands(from, &standing.order);
        match standing.trouble {
            Some(trouble) if topup::is_ignored(&trouble) => {}
            Some(Trouble::EmptyWallet { .. }) => self.stop(Stopped::EmptyWallet),
            Some(Trouble::Auth(auth)) => self.stop(Stopped::Auth(auth)),
            Some(Trouble::Unavailable(why)) => self.stop(Stopped::Unavailable(why)),
            Some(Trouble::Interrupted(signal)) => self.stop(Stopped::Interrupted(signal)),
            // A row in doubt was refused for want of money, and then found or not to be told: the rest stops all the same.
            _ if self.desk.halted.is(Halt::Sends) => self.stop(Stopped::EmptyWallet),
            _ => {}
        }
    }

    pub(super) fn stands(&mut self, from: State, order: &Order) {
        self.moved(from, order);
        // A row that is planned again, by this run or by another command, is claimed like any other.
        if from == State::Unknown && order.state == State::Planned {
            self.is_exhausted = false;
            self.came_back = self.came_back.into_iter().chain(order.row).min();
        }
        if order.state == State::Unknown && from == State::Sending {
            self.schedule.lost(Instant::now());
        }
    }

    pub(super) fn take(&mut self, found: Found) {
        match found {
            Found::Moved(from, order) => {
                // A sweep and a question may find the same row: it moves once from where it stood.
                let reference = &order.intent.reference;
                let known = self.working.get_mut(reference);
                let from = known.map_or(from, |known| std::mem::replace(known, order.state));
                self.lost.forget(reference);
                self.moved(from, &order);
            }
            Found::Waiting(why, length) => (self.tell)(Event::Waiting { why: &why, length }),
            Found::Lost(order) => {
                if !self.working.contains_key(&order.intent.reference) {
                    self.lost.push(*order);
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
        self.doubt.moved(from, order.state);
        self.outbox.hold(self.is_holding());
        if from == State::Accepted {
            self.accepted = self.accepted.saturating_sub(1);
        }
        if order.state == State::Accepted {
            self.accepted += 1;
            self.schedule.accepted(Instant::now());
        }
        (self.tell)(Event::Moved { from, order });
    }

    fn swept(&mut self, report: Report) {
        self.schedule.swept(report.calls, report.rows);
        self.schedule.lived(&report.lives);
        self.is_wide |= report.is_blind;
        if self.phase() == Phase::Settling {
            if self.working.is_empty() {
                self.recount();
            }
            // Some may have been too young for this sweep.
            if let Err(failure) = self.has_lost_rows() {
                self.fail(failure);
            }
        }
        if let Some(auth) = report.refused {
            self.stop(Stopped::Auth(auth));
        }
        if let Some(signal) = report.interrupted {
            self.stop(Stopped::Interrupted(signal));
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
    pub(super) fn fail(&mut self, failure: Unrecorded) {
        self.outbox.close();
        self.failure.get_or_insert(failure);
    }

    /// No new rows, and nothing leaves any more. What has not left is put back by the loop.
    pub(super) fn stop(&mut self, why: Stopped) {
        self.outbox.close();
        let known = self.outcome.stopped.as_ref();
        if known.is_none_or(|known| why.gravity() > known.gravity()) {
            self.outcome.stopped = Some(why);
        }
    }

    /// Puts back what has not left.
    pub(super) async fn put_back(&mut self) {
        let rows = self.outbox.take_back();
        if rows.is_empty() {
            return;
        }
        self.out -= rows.len();
        match self.desk.put_back(rows).await {
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
