//! The engine: claims rows from the ledger, sends them over a bounded number of connections, sweeps, asks for what was
//! lost, and stops where it must. It knows no sheet, prints nothing, and holds a bounded number of rows in memory.

mod ahead;
mod answers;
mod doubt;
mod lost;
mod outbox;
mod start;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::event::Event;
use super::schedule::{Phase, Schedule};
use super::sweeper::{Found, Report};
use crate::api::AuthFault;
use crate::domain::{Money, Order, Ref, State};
use crate::ledger::{Batch, CapPassed, Caps, ClaimCursor, Claims, Consent};
use crate::stop::Signal;
use crate::topup::{self, Desk, Halt, RowAnswer, Standing, Unrecorded};
use ahead::Ahead;
use doubt::Doubt;
use lost::Lost;
use outbox::{Outbox, Sent};

/// Answers that are taken at a time.
const ANSWERS_MAX: usize = 1024;
/// What a sweep may have found before it waits for the engine.
const FOUND_MAX: usize = 256;
/// How long the engine waits for something to happen before it looks around by itself.
const LOOK_AROUND: Duration = Duration::from_secs(1);

/// How a batch is sent.
#[derive(Debug, Clone)]
pub struct Options {
    /// Requests that may be on the way at the same time.
    pub connections: usize,
    /// Whether accepted orders are waited for.
    pub waits: bool,
    /// At most so many rows in this run.
    pub limit: Option<u32>,
    /// What was consented to.
    pub consent: Consent,
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
    /// More than was consented to.
    Consent,
    /// The provider can't be reached.
    Unavailable(String),
    /// Neither its answers nor its lists and checks tell what became of row after row.
    Unresolved(String),
    /// Asked to stop.
    Interrupted(Signal),
}

impl Stopped {
    /// Whether the provider is not asked any more either.
    fn is_hard(&self) -> bool {
        self.gravity() > Self::EmptyWallet.gravity()
    }

    /// What is told where several have stopped a run: that all was sent that was asked for weighs nothing beside a wallet
    /// that was found empty on the way.
    fn gravity(&self) -> u8 {
        match self {
            Self::Auth(_) | Self::Unavailable(_) | Self::Unresolved(_) | Self::Interrupted(_) => 2,
            Self::EmptyWallet => 1,
            Self::Cap(_) | Self::Limit | Self::Consent => 0,
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
    // What it has sent itself was sent behind this moment as the ledger keeps it.
    let began_at = crate::clock::to_the_millisecond(desk.clock.now());
    let taken = desk.take_over_lost(&batch).await?;
    let open = desk.ledger.standings(&batch)?;
    let is_accepted = |state| state == State::Accepted;
    let is_paced = desk.client.limiter().is_paced();
    let mut schedule = Schedule::new(is_paced, desk.pace);
    if taken > 0 {
        schedule.lost(Instant::now());
    }
    let (found, finds) = mpsc::channel(FOUND_MAX);
    let (answers, sent) = mpsc::unbounded_channel();
    let options = Options {
        connections: options.connections.max(1),
        ..options
    };
    let cursor = ClaimCursor::within(options.consent, began_at);
    let outbox = Arc::new(Outbox::new(options.connections));
    let connections = (0..options.connections)
        .map(|_| outbox::connection(Arc::clone(&desk), Arc::clone(&outbox), answers.clone()));
    let engine = Engine {
        connections: connections.collect(),
        outbox,
        sent,
        accepted: open.count(is_accepted) + open.count_gone(is_accepted),
        planned: open.count(|state| state == State::Planned),
        has_old: open.count(State::is_open) + open.count_gone(State::is_open) > 0,
        budget: options.balance,
        ahead: Ahead::new(options.connections),
        desk,
        batch: Arc::new(batch),
        options,
        tell,
        schedule,
        is_paced,
        tasks: JoinSet::new(),
        is_proven: false,
        first_sent: None,
        began_at,
        lost: Lost::default(),
        doubt: Doubt::default(),
        working: HashMap::new(),
        recoveries: 0,
        has_sent_again: false,
        came_back: None,
        held: HashSet::new(),
        found,
        finds,
        cursor,
        claimed: 0,
        out: 0,
        open: 0,
        answered: Vec::new(),
        answered_since: None,
        is_claiming: false,
        is_storing: false,
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
    /// The answers of so many rows.
    Stored(usize, topup::Result<Vec<Order>>),
    /// A row that its answer had left open.
    Stands(Ref, topup::Result<Standing>),
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
    /// Claimed rows that wait for a connection.
    outbox: Arc<Outbox>,
    /// They end when there is nothing more to send.
    connections: JoinSet<()>,
    /// What comes of the requests that they make.
    sent: mpsc::UnboundedReceiver<Sent>,
    tasks: JoinSet<Done>,
    /// Whether an answer has shown that rows can be sent.
    is_proven: bool,
    /// When the first row was given to the connections.
    first_sent: Option<Instant>,
    /// When the run began: rows that were sent before it are an earlier run's.
    began_at: Timestamp,
    /// Lost rows that wait to be asked for.
    lost: Lost,
    /// How many of the last rows were left in doubt.
    doubt: Doubt,
    /// Rows that a task goes on with or asks for, and where they stand as far as has been told: no other task may take
    /// them, and each move is told once.
    working: HashMap<Ref, State>,
    /// How many of them are asked for.
    recoveries: usize,
    /// Whether some may have been sent again since the last claim.
    has_sent_again: bool,
    found: mpsc::Sender<Found>,
    finds: mpsc::Receiver<Found>,
    cursor: ClaimCursor,
    /// The first line whose order has come back to `planned` since the last claim.
    came_back: Option<u32>,
    /// Lines that were held: each is told once, however often it is looked at.
    held: HashSet<u32>,
    /// Rows that were to be sent when the run began.
    planned: u64,
    claimed: u32,
    ahead: Ahead,
    /// Claimed rows whose standing is not known yet, or not stored.
    out: usize,
    /// Those of them whose answers have left them open.
    open: usize,
    /// Answers that wait to be stored together, and since when.
    answered: Vec<RowAnswer>,
    answered_since: Option<Instant>,
    /// Orders that the provider has and that have not ended.
    accepted: u64,
    /// Whether orders of earlier runs are open: they are looked at first.
    has_old: bool,
    /// What is surely left of the balance.
    budget: Option<Money>,
    is_claiming: bool,
    is_storing: bool,
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
        let (mut is_told, mut sent) = (false, Vec::new());
        loop {
            if self.has_come_to_nothing()? {
                self.stop(Stopped::Unresolved(self.doubt.why()));
            }
            // Rows that were claimed, or held up, when everything stopped.
            if !self.is_open_for_sends() || self.outbox.is_closed() {
                self.put_back().await;
            }
            // First of all: it may find lost rows, and then a sweep is due.
            if self.is_done()? {
                break;
            }
            self.start_claim();
            self.start_recoveries();
            let due = [self.start_store(), self.start_sweep()]
                .into_iter()
                .flatten()
                .min();
            let wake = due.unwrap_or_else(|| Instant::now() + LOOK_AROUND);
            tokio::select! {
                biased;
                signal = stop.wait(), if !is_told => {
                    // Once, also where something graver has stopped the run before.
                    is_told = true;
                    self.stop(Stopped::Interrupted(signal));
                }
                Some(found) = self.finds.recv() => self.take(found),
                // There is always a sender: connections that have ended leave theirs to this run.
                _ = self.sent.recv_many(&mut sent, ANSWERS_MAX) => {
                    for sent in sent.drain(..) {
                        self.answered(sent);
                    }
                }
                Some(done) = self.tasks.join_next(), if !self.tasks.is_empty() => self.handle(done),
                Some(ended) = self.connections.join_next() => self.lose_connection(ended),
                () = tokio::time::sleep_until(wake) => {}
            }
        }
        self.outbox.close();
        self.finds.close();
        while let Ok(found) = self.finds.try_recv() {
            self.take(found);
        }
        // What was not shown waits for the next run.
        if self.options.consent.last_row.is_some() {
            self.outcome.stopped.get_or_insert(Stopped::Limit);
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
            .is_none_or(|stopped| matches!(stopped, Stopped::Limit | Stopped::Consent | Stopped::Cap(_)))
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

    /// Whether rows wait until something is known of those that are in doubt.
    fn is_holding(&self) -> bool {
        self.doubt.is_grave() && (self.is_open() || self.outbox.len() > 0)
    }

    /// Whether all that are in doubt have been asked about, and nothing has come of it.
    fn has_come_to_nothing(&mut self) -> topup::Result<bool> {
        let is_holding = self.is_holding() && !self.outbox.is_closed();
        if !is_holding || !self.is_at_rest() || !self.finds.is_empty() || !self.lost.is_empty() {
            return Ok(false);
        }
        Ok(!self.has_lost_rows()?)
    }

    /// Whether there are rows in doubt that are not asked about and don't wait for that; then a sweep is due.
    fn has_lost_rows(&mut self) -> topup::Result<bool> {
        let known = self.working.len() + self.lost.len();
        let limit = u32::try_from(known).unwrap_or(u32::MAX).saturating_add(1);
        let has_some = self.desk.ledger.lost_rows(&self.batch, limit)?.len() > known;
        if has_some {
            self.schedule.lost(Instant::now());
        }
        Ok(has_some)
    }

    /// Rows that are only asked about any more are not being sent.
    fn phase(&self) -> Phase {
        let is_sending = (self.is_open() || self.out > self.open) && !self.is_holding();
        if is_sending {
            Phase::Sending
        } else {
            Phase::Settling
        }
    }

    /// Whether no answer is awaited any more, and none is left to be stored. It also holds for a run that has failed: what
    /// a fallen task had in hand is not counted down.
    fn is_at_rest(&self) -> bool {
        let is_idle = self.tasks.is_empty() && self.outbox.is_idle();
        is_idle && self.sent.is_empty() && self.answered.is_empty()
    }

    /// Whether there is nothing left to do or to wait for.
    fn is_done(&mut self) -> topup::Result<bool> {
        if self.failure.is_some() {
            return Ok(self.is_at_rest());
        }
        if !self.tasks.is_empty() || !self.finds.is_empty() || self.out > 0 {
            return Ok(false);
        }
        if !self.is_open_for_questions() {
            return Ok(true);
        }
        if self.is_open() || !self.lost.is_empty() || self.has_old {
            return Ok(false);
        }
        if self.has_lost_rows()? {
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
