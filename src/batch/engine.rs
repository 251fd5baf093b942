//! The engine: claims rows from the ledger, sends them over a bounded number of connections, sweeps, asks for what was
//! lost, and stops where it must. It knows no sheet, prints nothing, and holds a bounded number of rows in memory.

use std::collections::{HashSet, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::event::Event;
use super::halted::Halted;
use super::schedule::{Phase, Schedule};
use super::sweeper::{self, Found, Report, Task};
use crate::api::AuthFault;
use crate::domain::{Money, Order, Ref, State};
use crate::ledger::{
    Batch, CapPassed, Caps, ClaimCursor, Claims, Guard, Hold, LedgerError, PlannedRow, Written,
};
use crate::stop::Signal;
use crate::topup::{self, Desk, Halt, Standing, Trouble, Unrecorded};

/// Claimed rows that wait for a connection, for each of them: a commit of many costs little more than one of few.
const READY_PER_CONNECTION: usize = 4;
/// Rows that are sent or stored at a time, for each connection: answers are stored while it sends the next row.
const TASKS_PER_CONNECTION: usize = 3;
/// Lost rows that are asked for at the same time.
const RECOVERIES_MAX: usize = 16;
/// What a sweep may have found before it waits for the engine.
const FOUND_MAX: usize = 256;
/// How long the first row is alone: a provider that is slow to answer doesn't hold up the rest.
const PROOF_WAIT: Duration = Duration::from_secs(2);
/// How long the engine waits for something to happen before it looks around by itself.
const LOOK_AROUND: Duration = Duration::from_secs(1);
/// Longer than any run.
const FOR_EVER: Duration = Duration::from_hours(366 * 24);

/// How a batch is sent.
#[derive(Debug, Clone)]
pub struct Options {
    /// Requests that may be on the way at the same time.
    pub connections: usize,
    /// Whether accepted orders are waited for.
    pub waits: bool,
    /// At most so many rows in this run.
    pub limit: Option<u32>,
    /// How long the same phone, plan and amount is a repeat.
    pub repeat_window: Duration,
    /// Caps over the ledger.
    pub caps: Caps,
    /// The balance before the first row: near its end, rows go one by one, so that an empty wallet refuses one only.
    pub balance: Option<Money>,
    /// The most that a row may cost.
    pub dearest: Money,
}

/// Why no more rows were sent although there are some.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stopped {
    /// The wallet is empty.
    EmptyWallet,
    /// The key was refused.
    Auth(AuthFault),
    /// A cap.
    Cap(CapPassed),
    /// So many rows were asked for.
    Limit,
    /// The provider can't be reached.
    Unavailable(String),
    /// Asked to stop.
    Interrupted(Signal),
}

impl Stopped {
    /// Whether the provider is not asked any more either.
    fn is_hard(&self) -> bool {
        match self {
            Self::Auth(_) | Self::Unavailable(_) | Self::Interrupted(_) => true,
            Self::EmptyWallet | Self::Cap(_) | Self::Limit => false,
        }
    }
}

/// How a run ended.
#[derive(Debug, Clone, Default)]
pub struct Outcome {
    /// Why it stopped early.
    pub stopped: Option<Stopped>,
    /// Rows that were held back by their guard.
    pub held: u64,
    /// Whether orders were still open when the waiting ended.
    pub is_waited_out: bool,
}

/// Sends what a batch has planned and settles what it has sent.
///
/// # Errors
/// The ledger's: then nothing more is sent, answers in flight are stored as far as that is possible, and what could not
/// be stored is found again by the next run.
pub async fn run(
    desk: Arc<Desk>,
    batch: Batch,
    options: Options,
    tell: &mut dyn FnMut(Event<'_>),
) -> topup::Result<Outcome> {
    let taken = desk.take_over_lost(&batch).await?;
    let open = desk.ledger.standings(&batch)?;
    let is_accepted = |state| state == State::Accepted;
    let is_paced = desk.client.limiter().is_paced();
    let mut schedule = Schedule::new(is_paced, desk.pace.poll_interval, desk.pace.settle_delay);
    if taken > 0 {
        schedule.lost(Instant::now());
    }
    let (found, finds) = mpsc::channel(FOUND_MAX);
    let engine = Engine {
        connections: Arc::new(Semaphore::new(options.connections.max(1))),
        accepted: open.count(is_accepted) + open.count_gone(is_accepted),
        has_old: open.count(State::is_open) + open.count_gone(State::is_open) > 0,
        budget: options.balance,
        desk,
        batch: Arc::new(batch),
        options,
        tell,
        schedule,
        is_paced,
        tasks: JoinSet::new(),
        ready: VecDeque::new(),
        halted: Halted::default(),
        is_proven: false,
        first_sent: None,
        lost: VecDeque::new(),
        recovering: HashSet::new(),
        found,
        finds,
        cursor: ClaimCursor::default(),
        claimed: 0,
        sending: 0,
        is_claiming: false,
        is_sweeping: false,
        is_exhausted: false,
        is_wide: false,
        waiting_since: None,
        failure: None,
        outcome: Outcome::default(),
    };
    engine.work().await
}

/// What a task has done.
enum Done {
    Claimed(topup::Result<Option<Claims>>),
    Sent(topup::Result<Standing>),
    /// Another row's answer has stopped everything before this one left.
    Unsent(Box<Written>),
    Recovered(Ref, topup::Result<Standing>),
    Swept(topup::Result<Report>),
}

#[expect(
    clippy::struct_excessive_bools,
    reason = "each is one independent fact of the run"
)]
struct Engine<'a> {
    desk: Arc<Desk>,
    batch: Arc<Batch>,
    options: Options,
    tell: &'a mut dyn FnMut(Event<'_>),
    schedule: Schedule,
    is_paced: bool,
    connections: Arc<Semaphore>,
    tasks: JoinSet<Done>,
    /// Claimed rows that wait for a connection.
    ready: VecDeque<Written>,
    /// What an answer has put an end to.
    halted: Halted,
    /// Whether an answer has shown that rows can be sent.
    is_proven: bool,
    /// When the first row left.
    first_sent: Option<Instant>,
    /// Lost rows that wait to be asked for.
    lost: VecDeque<Order>,
    recovering: HashSet<Ref>,
    found: mpsc::Sender<Found>,
    finds: mpsc::Receiver<Found>,
    cursor: ClaimCursor,
    claimed: u32,
    /// Rows whose requests are on the way or whose answers are being stored.
    sending: usize,
    /// Orders that the provider has and that have not ended.
    accepted: u64,
    /// Whether orders of earlier runs are open: they are looked at first.
    has_old: bool,
    /// What is surely left of the balance.
    budget: Option<Money>,
    is_claiming: bool,
    is_sweeping: bool,
    is_exhausted: bool,
    is_wide: bool,
    waiting_since: Option<Instant>,
    failure: Option<Unrecorded>,
    outcome: Outcome,
}

impl Engine<'_> {
    async fn work(mut self) -> topup::Result<Outcome> {
        let stop = self.desk.stop.clone();
        loop {
            // First of all: it may find lost rows, and then a sweep is due.
            if self.is_done()? {
                break;
            }
            self.start_claim();
            self.start_recoveries();
            let wake = self.start_sweep().unwrap_or_else(|| Instant::now() + LOOK_AROUND);
            let tasks_max = self.options.connections.max(1) * TASKS_PER_CONNECTION;
            let may_send = !self.ready.is_empty()
                && self.sending < tasks_max
                && self.is_open_for_sends()
                && !self.halted.is(Halt::Sends);
            let is_asked = self.asked().is_some();
            tokio::select! {
                biased;
                Err(signal) = stop.sleep(FOR_EVER), if !is_asked => self.stop(Stopped::Interrupted(signal)).await,
                Ok(permit) = Arc::clone(&self.connections).acquire_owned(), if may_send => self.send(permit),
                Some(found) = self.finds.recv() => self.take(found),
                Some(done) = self.tasks.join_next(), if !self.tasks.is_empty() => self.handle(done).await,
                () = tokio::time::sleep_until(wake) => {}
            }
        }
        self.finds.close();
        while let Ok(found) = self.finds.try_recv() {
            self.take(found);
        }
        match self.failure {
            Some(failure) => Err(failure),
            None => Ok(self.outcome),
        }
    }

    fn asked(&self) -> Option<Signal> {
        match self.outcome.stopped {
            Some(Stopped::Interrupted(signal)) => Some(signal),
            _ => None,
        }
    }

    /// Whether further rows may be claimed.
    fn is_open(&self) -> bool {
        self.outcome.stopped.is_none() && self.failure.is_none() && !self.is_exhausted
    }

    /// Whether claimed rows may leave.
    fn is_open_for_sends(&self) -> bool {
        self.outcome
            .stopped
            .as_ref()
            .is_none_or(|stopped| *stopped == Stopped::Limit)
            && self.failure.is_none()
    }

    /// Whether the provider may be asked.
    fn is_open_for_questions(&self) -> bool {
        self.outcome
            .stopped
            .as_ref()
            .is_none_or(|stopped| !stopped.is_hard())
            && self.failure.is_none()
    }

    fn phase(&self) -> Phase {
        let is_sending = self.is_open() || self.sending > 0 || !self.ready.is_empty();
        if is_sending {
            Phase::Sending
        } else {
            Phase::Settling
        }
    }

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

    /// How many rows may be claimed now: none while enough wait for a connection.
    fn claimable(&self) -> u32 {
        let connections = self.options.connections.max(1);
        let busy = self.sending + self.ready.len();
        let is_slow = self.first_sent.is_some_and(|sent| sent.elapsed() >= PROOF_WAIT);
        let room = if !self.is_proven && !is_slow {
            // The first answer proves the key: a bad one is tried once.
            usize::from(busy == 0)
        } else if self.is_paced {
            connections.saturating_sub(busy).min(1)
        } else {
            // Many at a time, and only when few are left.
            let most = connections * READY_PER_CONNECTION;
            let left = self.ready.len();
            if left > most / 2 { 0 } else { most - left }
        };
        // Where the wallet may not hold another row, they go one by one.
        let room = match self.affordable(room) {
            0 => usize::from(room > 0 && busy == 0),
            affordable => affordable,
        };
        let limit = self
            .options
            .limit
            .map_or(u32::MAX, |limit| limit.saturating_sub(self.claimed));
        u32::try_from(room).unwrap_or(u32::MAX).min(limit)
    }

    fn start_claim(&mut self) {
        if self.is_claiming || !self.is_open() {
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
        let (desk, batch, cursor) = (Arc::clone(&self.desk), Arc::clone(&self.batch), self.cursor);
        let (window, caps) = (self.options.repeat_window, self.options.caps);
        self.tasks
            .spawn(async move { Done::Claimed(claim(&desk, &batch, window, caps, cursor, room).await) });
    }

    fn send(&mut self, permit: OwnedSemaphorePermit) {
        let Some(written) = self.ready.pop_front() else {
            return;
        };
        self.sending += 1;
        self.first_sent.get_or_insert_with(Instant::now);
        let (desk, found) = (Arc::clone(&self.desk), self.found.clone());
        let halted = self.halted.clone();
        self.tasks.spawn(async move {
            // The connection is free as soon as the answer is there; it is stored while the next row leaves.
            let permit = Mutex::new(Some(permit));
            if halted.is(Halt::Sends) {
                return Done::Unsent(Box::new(written));
            }
            let sent = desk
                .send_row(written, &|event| match event {
                    topup::Event::Answered { halts, .. } => {
                        // Before the connection is free: the next row must not leave on it.
                        halted.raise(*halts);
                        drop(permit.lock().unwrap_or_else(PoisonError::into_inner).take());
                    }
                    // A wait that finds no listener is told by the next one.
                    topup::Event::Waiting { why, length } => {
                        let _ = found.try_send(Found::Waiting((*why).to_owned(), *length));
                    }
                    topup::Event::Sending(_) | topup::Event::Moved(_) | topup::Event::Asking(_) => {}
                })
                .await;
            Done::Sent(sent)
        });
    }

    fn start_recoveries(&mut self) {
        while self.is_open_for_questions() && self.recovering.len() < RECOVERIES_MAX {
            let Some(order) = self.lost.pop_front() else {
                return;
            };
            let reference = order.intent.reference.clone();
            if !self.recovering.insert(reference.clone()) {
                continue;
            }
            let desk = Arc::clone(&self.desk);
            self.tasks.spawn(async move {
                // A row that the sheet no longer has is asked about, and not sent again.
                let recovered = match order.row {
                    Some(_) => desk.recover_row(order, &|_| {}).await,
                    None => desk.check(order, &|_| {}).await,
                };
                Done::Recovered(reference, recovered)
            });
        }
    }

    /// Starts a sweep where one is due; else says when the next one is.
    fn start_sweep(&mut self) -> Option<Instant> {
        if self.is_sweeping || !self.is_open_for_questions() {
            return None;
        }
        let accepted = if self.options.waits { self.accepted } else { 0 };
        let is_first = self.has_old && self.options.waits;
        let due = self.schedule.next(self.phase(), accepted, is_first)?;
        if due > Instant::now() {
            return Some(due);
        }
        let task = Task {
            phase: self.phase(),
            with_reviews: is_first,
            with_accepted: self.options.waits,
            is_wide: self.is_wide,
            before: self.schedule.last_sweep(),
        };
        self.has_old = false;
        self.is_sweeping = true;
        self.schedule.swept(Instant::now());
        let (desk, batch, found) = (
            Arc::clone(&self.desk),
            Arc::clone(&self.batch),
            self.found.clone(),
        );
        let (schedule, halted) = (self.schedule.clone(), self.halted.clone());
        self.tasks.spawn(async move {
            Done::Swept(sweeper::sweep(&desk, &batch, &schedule, task, &halted, found).await)
        });
        None
    }

    /// Whether there is nothing left to do or to wait for.
    fn is_done(&mut self) -> topup::Result<bool> {
        if !self.tasks.is_empty() || !self.finds.is_empty() {
            return Ok(false);
        }
        if !self.is_open_for_questions() {
            return Ok(true);
        }
        let has_sends = self.is_open() || (!self.ready.is_empty() && self.is_open_for_sends());
        if has_sends || !self.lost.is_empty() || self.has_old && self.options.waits {
            return Ok(false);
        }
        if !self.desk.ledger.lost_rows(&self.batch, 1)?.is_empty() {
            self.schedule.lost(Instant::now());
            return Ok(false);
        }
        if !self.options.waits || self.accepted == 0 {
            return Ok(true);
        }
        let since = *self.waiting_since.get_or_insert_with(Instant::now);
        self.outcome.is_waited_out = since.elapsed() >= self.desk.pace.poll_timeout;
        Ok(self.outcome.is_waited_out)
    }

    async fn handle(&mut self, done: Result<Done, tokio::task::JoinError>) {
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
                self.is_proven |= !self.halted.is(Halt::Sends);
                self.sent(State::Sending, sent).await;
            }
            Ok(Done::Unsent(written)) => {
                self.sending -= 1;
                self.ready.push_front(*written);
            }
            Ok(Done::Recovered(reference, recovered)) => {
                self.recovering.remove(&reference);
                self.sent(State::Unknown, recovered).await;
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
            Some(Trouble::EmptyWallet { .. }) => self.stop(Stopped::EmptyWallet).await,
            Some(Trouble::Auth(auth)) => self.stop(Stopped::Auth(auth)).await,
            Some(Trouble::Unavailable(why)) => self.stop(Stopped::Unavailable(why)).await,
            Some(Trouble::Interrupted(signal)) => self.stop(Stopped::Interrupted(signal)).await,
            _ => {}
        }
    }

    fn take(&mut self, found: Found) {
        match found {
            Found::Moved(from, order) => self.moved(from, &order),
            Found::Waiting(why, length) => (self.tell)(Event::Waiting { why: &why, length }),
            Found::Lost(order) => {
                if !self.recovering.contains(&order.intent.reference) {
                    self.lost.push_back(*order);
                }
            }
        }
    }

    fn moved(&mut self, from: State, order: &Order) {
        if from == order.state {
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
        if let Some(auth) = report.refused {
            self.stop(Stopped::Auth(auth)).await;
        }
        if let Some(signal) = report.interrupted {
            self.stop(Stopped::Interrupted(signal)).await;
        }
    }

    /// The ledger fails: nothing more is sent. What is on its way is awaited.
    fn fail(&mut self, failure: Unrecorded) {
        self.failure.get_or_insert(failure);
    }

    /// No new rows; those that have not left are put back.
    async fn stop(&mut self, why: Stopped) {
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
    let now = desk.clock.now();
    let guard = Guard {
        no_repeat_since: Some(crate::clock::earlier(now, repeat_window)),
        caps,
        day_start: crate::domain::start_of_day(now),
    };
    desk.claim(batch, guard, cursor, room).await.map(Some)
}
