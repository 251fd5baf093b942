//! What is begun next: a claim of further rows, the storing of answers, a question for a lost row, a sweep.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

use super::super::sweeper::{self, Found, Look, Task};
use super::{Done, Engine, Stopped};
use crate::domain::{Order, State};
use crate::ledger::{Batch, Caps, ClaimCursor, Claims, Guard};
use crate::topup::{self, Desk, Halt, RowOpen};

/// Claimed rows that do not stand yet, for each connection: no more are claimed while the ledger lags behind.
const OUT_PER_CONNECTION: usize = 24;
/// Answers for each connection that are stored at once, however short they have waited.
const ANSWERED_PER_CONNECTION: usize = 8;
/// Lost rows that are asked for at the same time.
const RECOVERIES_MAX: usize = 16;
/// How long an answer waits for others, to be stored with them.
const GATHERING: Duration = Duration::from_millis(5);
/// How long the first row is alone: a provider that is slow to answer doesn't hold up the rest.
const PROOF_WAIT: Duration = Duration::from_secs(2);

impl Engine<'_> {
    /// How many rows the wallet surely holds.
    fn affordable(&self, room: usize) -> usize {
        let Some(mut left) = self.budget else { return room };
        (0..room)
            .take_while(|_| {
                left = left - self.options.dearest;
                !left.is_negative()
            })
            .count()
    }

    /// How many rows this run may still claim.
    fn left(&self) -> u64 {
        let most = self.options.limit.map_or(self.planned, u64::from);
        most.min(self.planned).saturating_sub(self.claimed.into())
    }

    /// How many rows may be claimed now: none while enough wait for a connection.
    fn claimable(&self) -> u32 {
        let connections = self.options.connections;
        let is_slow = self.first_sent.is_some_and(|sent| sent.elapsed() >= PROOF_WAIT);
        let room = if !self.is_proven && !is_slow {
            // The first answer proves the key: a bad one is tried once.
            usize::from(self.out == 0)
        } else if self.is_paced {
            connections.saturating_sub(self.out).min(1)
        } else {
            // Many at a time, and only when few are left.
            let most = self.ahead.rows();
            let left = self.outbox.len();
            if left > most / 2 || self.out > OUT_PER_CONNECTION * connections {
                0
            } else {
                most - left
            }
        };
        // Where the wallet may not hold another row, they go one by one.
        let room = match self.affordable(room) {
            0 => usize::from(room > 0 && self.out == 0),
            affordable => affordable,
        };
        let limit = self
            .options
            .limit
            .map_or(u32::MAX, |limit| limit.saturating_sub(self.claimed));
        u32::try_from(room).unwrap_or(u32::MAX).min(limit)
    }

    pub(super) fn start_claim(&mut self) {
        if self.is_claiming || !self.is_open() || self.is_holding() {
            return;
        }
        if self.options.limit.is_some_and(|limit| self.claimed >= limit) {
            self.outcome.stopped = Some(Stopped::Limit);
            return;
        }
        let room = self.claimable();
        if room == 0 {
            return;
        }
        self.is_claiming = true;
        let unanswered = u32::try_from(self.outbox.len() + self.outbox.away()).unwrap_or(u32::MAX);
        let answered = self.claimed.saturating_sub(unanswered);
        self.ahead
            .claiming(Instant::now(), answered, self.outbox.take_starved());
        if std::mem::take(&mut self.has_sent_again) {
            self.cursor.count_anew();
        }
        if let Some(row) = self.came_back.take() {
            self.cursor.come_back(row);
        }
        // What has just been learnt holds for this claim, too.
        let room = room.max(self.claimable());
        let (desk, batch, cursor) = (Arc::clone(&self.desk), Arc::clone(&self.batch), self.cursor);
        let (window, caps) = (self.options.repeat_window, self.options.caps);
        self.tasks
            .spawn(async move { Done::Claimed(claim(&desk, &batch, window, caps, cursor, room).await) });
    }

    /// Starts the storing of the answers that have gathered, where it is due; else says when it is. A commit of many
    /// costs little more than one of few, so they wait for each other for a moment, unless nothing else is on its way.
    pub(super) fn start_store(&mut self) -> Option<Instant> {
        if self.is_storing {
            return None;
        }
        let due = self.answered_since? + GATHERING;
        let enough = self.options.connections * ANSWERED_PER_CONNECTION;
        let is_enough = self.answered.len() >= enough.min(self.out - self.open);
        if !is_enough && due > Instant::now() {
            return Some(due);
        }
        self.is_storing = true;
        self.answered_since = None;
        let answers = std::mem::take(&mut self.answered);
        let desk = Arc::clone(&self.desk);
        self.tasks
            .spawn(async move { Done::Stored(answers.len(), desk.store_answers(answers).await) });
        None
    }

    /// Goes on with a row that its answer has left open, while its connection sends others.
    pub(super) fn go_on(&mut self, open: RowOpen, hand: OwnedSemaphorePermit) {
        let (desk, found) = (Arc::clone(&self.desk), self.found.clone());
        let reference = open.reference().clone();
        self.working.insert(reference.clone(), State::Sending);
        self.tasks.spawn(async move {
            let tell = |event: &topup::Event<'_>| match event {
                // A wait that finds no listener is told by the next one.
                topup::Event::Waiting { why, length } => {
                    let _ = found.try_send(Found::Waiting((*why).to_owned(), *length));
                }
                topup::Event::Sending(_) | topup::Event::Moved(_) | topup::Event::Asking(_) => {}
            };
            let stands = desk.go_on_with_row(open, &tell).await;
            drop(hand);
            Done::Stands(reference, stands)
        });
    }

    pub(super) fn start_recoveries(&mut self) {
        let most = if self.is_paced {
            RECOVERIES_MAX
        } else {
            RECOVERIES_MAX.max(self.options.connections)
        };
        while self.is_open_for_questions() && self.recoveries < most {
            let Some(order) = self.lost.pop() else {
                return;
            };
            let reference = order.intent.reference.clone();
            if self.working.contains_key(&reference) {
                continue;
            }
            let order = match self.desk.ledger.find(&self.desk.account, &reference) {
                Ok(Some(order)) if order.state == State::Unknown => order,
                // The sweep that is under way may have found it, and tells of it then.
                Ok(Some(order)) if self.is_sweeping => return self.lost.push(order),
                Ok(Some(order)) => {
                    // Another command has asked about it meanwhile.
                    self.stands(State::Unknown, &order);
                    continue;
                }
                Ok(None) => continue,
                Err(failure) => return self.fail(failure.into()),
            };
            self.working.insert(reference.clone(), State::Unknown);
            self.recoveries += 1;
            let may_send_again = match self.may_send_again(&order) {
                Ok(may_send_again) => may_send_again,
                Err(failure) => return self.fail(failure),
            };
            let (desk, sends) = (Arc::clone(&self.desk), u32::from(self.is_of_this_run(&order)));
            self.tasks.spawn(async move {
                let recovered = if may_send_again {
                    desk.recover_row(order, sends, &|_| {}).await
                } else {
                    desk.check(order, &|_| {}).await
                };
                Done::Recovered(reference, recovered)
            });
        }
    }

    /// Whether a lost row is sent again once it is proved absent, and not only asked about: then it is planned again. What
    /// the sheet no longer has is not sent, and nothing is behind an empty wallet. What an earlier run has left is one of
    /// those that were asked for, or stands under the guard and the caps of today, only by a claim.
    fn may_send_again(&self, order: &Order) -> topup::Result<bool> {
        if order.row.is_none() || self.desk.halted.is(Halt::Sends) {
            return Ok(false);
        }
        if self.is_of_this_run(order) {
            return Ok(true);
        }
        let guard = guard(&self.desk, self.options.repeat_window, self.options.caps);
        let is_held = self.desk.ledger.holds_back(order, &self.batch, &guard)?;
        Ok(self.options.limit.is_none() && !is_held)
    }

    fn is_of_this_run(&self, order: &Order) -> bool {
        order.sent_at.is_some_and(|at| at >= self.began_at)
    }

    /// Starts a sweep where one is due; else says when the next one is.
    pub(super) fn start_sweep(&mut self) -> Option<Instant> {
        if self.is_sweeping || !self.is_open_for_questions() {
            return None;
        }
        let accepted = if self.options.waits { self.accepted } else { 0 };
        // Also where nobody waits: what was sent earlier is looked at once.
        let is_first = self.has_old;
        let due = self
            .schedule
            .next(self.phase(), accepted, is_first, self.left())?;
        if due > Instant::now() {
            return Some(due);
        }
        let look = if is_first {
            Look::First
        } else if self.schedule.is_last_look(self.phase()) {
            Look::Last
        } else {
            Look::Usual
        };
        let task = Task {
            phase: self.phase(),
            with_accepted: self.options.waits || is_first,
            look,
            is_wide: self.is_wide,
            before: self.schedule.before(self.phase()),
        };
        self.has_old = false;
        self.is_sweeping = true;
        self.schedule.begins(self.phase(), Instant::now());
        let (desk, batch, found) = (
            Arc::clone(&self.desk),
            Arc::clone(&self.batch),
            self.found.clone(),
        );
        let schedule = self.schedule.clone();
        self.tasks
            .spawn(async move { Done::Swept(sweeper::sweep(&desk, &batch, &schedule, task, found).await) });
        None
    }
}

/// Waits for a turn, then claims. None where somebody has asked to stop before.
async fn claim(
    desk: &Desk,
    batch: &Batch,
    repeat_window: Duration,
    caps: Caps,
    cursor: ClaimCursor,
    room: u32,
) -> topup::Result<Option<Claims>> {
    let turn = desk.stop.race(desk.client.limiter().turn()).await;
    if turn.is_err() || desk.stop.asked().is_some() {
        return Ok(None);
    }
    let guard = guard(desk, repeat_window, caps);
    desk.claim(batch, guard, cursor, room).await.map(Some)
}

/// What must hold for a row that is sent now.
fn guard(desk: &Desk, repeat_window: Duration, caps: Caps) -> Guard {
    let now = desk.clock.now();
    Guard {
        no_repeat_since: Some(crate::clock::earlier(now, repeat_window)),
        caps,
        day_start: crate::domain::start_of_day(now),
        ..Guard::default()
    }
}
