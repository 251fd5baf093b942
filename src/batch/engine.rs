//! The engine: claims rows from the ledger, sends them over a bounded number of connections, sweeps, asks for what was
//! lost, and stops where it must. It knows no sheet, prints nothing, and holds a bounded number of rows in memory.

mod answers;
mod start;

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::event::Event;
use super::schedule::{Phase, Schedule};
use super::sweeper::{Found, Report};
use crate::api::AuthFault;
use crate::domain::{Money, Order, Ref, State};
use crate::ledger::{Batch, CapPassed, Caps, ClaimCursor, Claims, Written};
use crate::stop::Signal;
use crate::topup::{self, Desk, Halt, Standing, Unrecorded};

/// Rows that are sent or stored at a time, for each connection: answers are stored while it sends the next row.
const TASKS_PER_CONNECTION: usize = 3;
/// What a sweep may have found before it waits for the engine.
const FOUND_MAX: usize = 256;
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
        is_proven: false,
        first_sent: None,
        lost: VecDeque::new(),
        recovering: HashMap::new(),
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
    /// Whether an answer has shown that rows can be sent.
    is_proven: bool,
    /// When the first row left.
    first_sent: Option<Instant>,
    /// Lost rows that wait to be asked for.
    lost: VecDeque<Order>,
    /// Rows that are being asked for, and where they stand as far as sweeps have told.
    recovering: HashMap<Ref, State>,
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
        let mut is_told = false;
        loop {
            // First of all: it may find lost rows, and then a sweep is due.
            if self.is_done()? {
                break;
            }
            self.start_claim();
            self.start_recoveries();
            let wake = self.start_sweep().unwrap_or_else(|| Instant::now() + LOOK_AROUND);
            let tasks_max = self.options.connections.max(1) * TASKS_PER_CONNECTION;
            let may_send = !self.ready.is_empty() && self.sending < tasks_max && self.is_open_for_sends();
            tokio::select! {
                biased;
                Err(signal) = stop.sleep(FOR_EVER), if !is_told => {
                    // Once, also where something graver has stopped the run before.
                    is_told = true;
                    self.stop(Stopped::Interrupted(signal)).await;
                }
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

    /// Whether further rows may be claimed.
    fn is_open(&self) -> bool {
        self.outcome.stopped.is_none()
            && self.failure.is_none()
            && !self.is_exhausted
            && !self.desk.halted.is(Halt::Sends)
    }

    /// Whether claimed rows may leave.
    fn is_open_for_sends(&self) -> bool {
        self.outcome
            .stopped
            .as_ref()
            .is_none_or(|stopped| *stopped == Stopped::Limit)
            && self.failure.is_none()
            && !self.desk.halted.is(Halt::Sends)
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
}
