//! One sweep: every open order of the batch that is due is looked for on the provider's list, in stretches of it that
//! hold many of them; single checks only for what the list does not show (design, section 4).

use std::collections::HashSet;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::schedule::{Phase, Schedule};
use crate::api::AuthFault;
use crate::clock::{earlier, elapsed, later};
use crate::domain::{Order, Ref, State};
use crate::ledger::{Batch, OpenRow};
use crate::stop::Signal;
use crate::topup::{Desk, Halt, Result, SweptTo, Trouble};

/// Open orders that are read from the ledger at a time.
const CHUNK: u32 = 500;
/// Lost rows that one sweep hands over to be asked for by their refs; the others wait for the next.
const LOST_MAX: u32 = 256;
/// A stretch with so few orders is asked about one by one: that costs no more than the list, and trusts no clock.
const FEW: usize = 1;
/// Orders that one sweep asks for by their ids, because the list does not show them.
const CHECKS_MAX: usize = 20;
/// Of a stretch with no more orders it is known which ones the list does not show.
const KNOWN_MAX: usize = 500;
/// Clocks differ, and writing takes its time: how far before and after the orders a stretch of the list reaches.
const MARGIN: Duration = Duration::from_secs(5);
/// The same, once a stretch did not show a single order that must be on it.
const MARGIN_WIDE: Duration = Duration::from_mins(15);
/// The longest that an answer may have been on its way.
const ANSWER_MAX: Duration = Duration::from_mins(2);
/// Orders that were sent within so long of each other share a stretch.
const GAP: Duration = Duration::from_secs(30);

/// What a sweep is told.
#[derive(Debug, Clone, Copy)]
pub(super) struct Task {
    /// Whether rows are still being sent.
    pub phase: Phase,
    /// What is asked about besides what is due.
    pub look: Look,
    /// Whether accepted orders are: not where nobody waits for them.
    pub with_accepted: bool,
    /// Whether a sweep of this run failed to show any order that must be there.
    pub is_wide: bool,
    /// When the sweep before began.
    pub before: Option<Instant>,
}

/// What is asked about once a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    /// The first look at what earlier runs have left: also at orders in review.
    First,
    /// At what is due.
    Usual,
    /// Behind the last row: also at lost rows that could not be settled. Their stretches reach from then until now.
    Last,
}

/// What a sweep has found so far.
#[derive(Debug)]
pub(super) enum Found {
    /// An order stands somewhere else than it stood.
    Moved(State, Box<Order>),
    /// A lost row that the list does not show: to be asked for by its ref.
    Lost(Box<Order>),
    /// Somebody waits, and why.
    Waiting(String, Duration),
}

/// How a sweep ended.
#[derive(Debug, Default)]
pub(super) struct Report {
    /// The key was refused.
    pub refused: Option<AuthFault>,
    /// Asked to stop.
    pub interrupted: Option<Signal>,
    /// Whether a whole stretch showed none of several orders that must be on it: the clocks differ by more than the
    /// margin.
    pub is_blind: bool,
    /// Calls that it took; tries again are not counted.
    pub calls: u64,
    /// Rows that the list has shown.
    pub rows: u64,
    /// Orders that the provider was known to have: how old they are, and whether they have ended.
    pub lives: Vec<(Duration, bool)>,
}

/// Sweeps once; what it finds is told while it goes on.
pub(super) async fn sweep(
    desk: &Desk,
    batch: &Batch,
    schedule: &Schedule,
    task: Task,
    found: mpsc::Sender<Found>,
) -> Result<Report> {
    let mut sweep = Sweep {
        desk,
        batch,
        schedule,
        task,
        found,
        now: desk.clock.now(),
        checked: 0,
        report: Report::default(),
    };
    sweep.open_orders().await?;
    if !sweep.is_over() {
        sweep.hand_over_the_lost().await?;
    }
    Ok(sweep.report)
}

/// Orders that were sent close to each other: where they begin and end by the provider's clock, and when the last of
/// them was sent by ours.
#[derive(Debug)]
struct Stretch {
    from: Timestamp,
    to: Timestamp,
    last: Timestamp,
    rows: Vec<OpenRow>,
    count: usize,
    accepted: usize,
}

struct Sweep<'a> {
    desk: &'a Desk,
    batch: &'a Batch,
    schedule: &'a Schedule,
    task: Task,
    found: mpsc::Sender<Found>,
    now: Timestamp,
    checked: usize,
    report: Report,
}

impl Sweep<'_> {
    /// Whether nothing may be asked any more.
    fn is_over(&self) -> bool {
        self.report.refused.is_some()
            || self.report.interrupted.is_some()
            || self.desk.stop.asked().is_some()
            || self.desk.halted.is(Halt::Everything)
    }

    /// Walks the open orders that are due, stretch by stretch.
    async fn open_orders(&mut self) -> Result<()> {
        let (mut after, mut stretch) = (OpenRow::START, None::<Stretch>);
        loop {
            let with_given_up = self.task.look == Look::Last;
            let open = self
                .desk
                .ledger
                .open_rows(self.batch, after, CHUNK, with_given_up)?;
            let Some(last) = open.last() else { break };
            after = *last;
            for row in open {
                if !self.is_due(&row) {
                    continue;
                }
                let is_far = stretch
                    .as_ref()
                    .is_some_and(|s| elapsed(s.last, row.sent_at) > GAP);
                if is_far && let Some(stretch) = stretch.take() {
                    self.stretch(stretch).await?;
                    if self.is_over() {
                        return Ok(());
                    }
                }
                let (begin, end) = self.around(&row);
                stretch
                    .get_or_insert_with(|| Stretch::at(&row, begin))
                    .add(row, begin, end);
            }
            // Others have a turn between two readings.
            tokio::task::yield_now().await;
        }
        match stretch {
            Some(stretch) => self.stretch(stretch).await,
            None => Ok(()),
        }
    }

    fn is_due(&self, row: &OpenRow) -> bool {
        match row.state {
            // A request that was lost a moment ago may still be landing.
            State::Unknown => self.has_settled(row.updated_at),
            State::InReview => self.task.with_accepted && self.task.look == Look::First,
            State::Accepted if self.task.with_accepted => {
                if self.is_to_come(row.sent_at) {
                    return true;
                }
                let before = self.task.before.map(|before| {
                    let ago = Instant::now().saturating_duration_since(before);
                    elapsed(row.sent_at, earlier(self.now, ago))
                });
                let age = elapsed(row.sent_at, self.now);
                self.schedule.is_due(age, before, self.task.phase)
            }
            // The request of one that is `sending` is on the way.
            State::Accepted
            | State::Sending
            | State::Planned
            | State::Fulfilled
            | State::Refunded
            | State::Rejected
            | State::Conflict
            | State::Cancelled
            | State::WrittenOff => false,
        }
    }

    /// Whether the request of a row that was lost at this moment has had its time to land. One that was lost while the
    /// sweep goes on is on the next one.
    fn has_settled(&self, lost_at: Timestamp) -> bool {
        elapsed(lost_at, self.now) >= self.desk.pace.settle_delay || self.is_to_come(lost_at)
    }

    /// Whether a moment that has been lies ahead: the clock was turned back since, and how long it was ago nobody knows.
    /// Waiting until it comes round again could take days.
    fn is_to_come(&self, moment: Timestamp) -> bool {
        moment > self.desk.clock.now()
    }

    /// When the provider may have made an order, by its clock: at the earliest and at the latest.
    fn around(&self, row: &OpenRow) -> (Timestamp, Timestamp) {
        let client = &self.desk.client;
        let told = row.their_at.unwrap_or_else(|| client.theirs(row.sent_at));
        if row.state == State::Unknown {
            // Its request may have landed at any time since.
            return (told, client.theirs(self.now).max(told));
        }
        // Told with the answer, which may have been long on its way.
        let answered_in = elapsed(row.sent_at, row.updated_at).min(ANSWER_MAX);
        (earlier(told, answered_in), told)
    }

    async fn stretch(&mut self, stretch: Stretch) -> Result<()> {
        if stretch.count <= FEW && stretch.accepted == stretch.count {
            return self.check_each(&stretch.rows, &HashSet::new()).await;
        }
        let margin = if self.task.is_wide { MARGIN_WIDE } else { MARGIN };
        let (from, to) = (earlier(stretch.from, margin), later(stretch.to, margin));
        let (mut seen, mut is_whole, mut before) = (HashSet::new(), false, Vec::new());
        for number in 1.. {
            if self.is_over() {
                return Ok(());
            }
            self.report.calls += 1;
            let page = match self.desk.list_page(number, from, to).await {
                Ok(page) => page,
                Err(SweptTo::Refused(auth)) => {
                    self.report.refused = Some(auth);
                    return Ok(());
                }
                Err(SweptTo::Interrupted(signal)) => {
                    self.report.interrupted = Some(signal);
                    return Ok(());
                }
                Err(SweptTo::End | SweptTo::Unclear(_)) => break,
            };
            if page.is_again(&before) {
                break;
            }
            before.clone_from(&page.page().texts);
            self.report.rows += u64::try_from(page.page().rows).unwrap_or_default();
            let is_last = page.is_last;
            let swept = self.desk.take_over(Some(self.batch), page).await?;
            let seen_at = self.desk.clock.now();
            let lives = swept.lives.iter();
            self.report
                .lives
                .extend(lives.map(|(sent_at, has_ended)| (elapsed(*sent_at, seen_at), *has_ended)));
            if stretch.count <= KNOWN_MAX || seen.is_empty() {
                seen.extend(swept.seen);
            }
            for (from, order) in swept.moved {
                self.tell(Found::Moved(from, Box::new(order))).await;
            }
            if is_last {
                is_whole = true;
                break;
            }
        }
        let is_settling = self.task.phase == Phase::Settling;
        if seen.is_empty() && stretch.accepted > 0 {
            let listed = self.listed(&stretch);
            self.report.is_blind |= is_whole && listed.len() > FEW;
            // A list that can't be read may be readable later: until then questions don't take the place of sends.
            if is_whole || is_settling {
                self.check_each(&listed, &seen).await?;
            }
            return Ok(());
        }
        if is_settling && is_whole && stretch.count <= KNOWN_MAX && seen.len() < stretch.count {
            return self.check_each(&self.listed(&stretch), &seen).await;
        }
        Ok(())
    }

    /// Those of a stretch that the list should have shown.
    fn listed(&self, stretch: &Stretch) -> Vec<OpenRow> {
        let is_listed = |row: &&OpenRow| {
            let age = elapsed(row.sent_at, self.now);
            self.schedule.is_listed(age) || self.is_to_come(row.sent_at)
        };
        stretch.rows.iter().filter(is_listed).copied().collect()
    }

    /// Asks about accepted orders one by one, by their ids: those that were not seen.
    async fn check_each(&mut self, rows: &[OpenRow], seen: &HashSet<Ref>) -> Result<()> {
        for row in rows.iter().filter(|row| row.state != State::Unknown) {
            if self.is_over() || self.checked >= CHECKS_MAX {
                return Ok(());
            }
            let Some(order) = self.desk.ledger.open_order(row)? else {
                continue;
            };
            if seen.contains(&order.intent.reference) {
                continue;
            }
            self.checked += 1;
            self.report.calls += 1;
            let from = order.state;
            let standing = self.desk.check(order, &|_| {}).await?;
            match standing.trouble {
                Some(Trouble::Auth(auth)) => self.report.refused = Some(auth),
                Some(Trouble::Interrupted(signal)) => self.report.interrupted = Some(signal),
                _ if standing.order.state != from => {
                    self.tell(Found::Moved(from, Box::new(standing.order))).await;
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Lost rows that the list did not show are asked for by their refs. What an earlier question of this run could
    /// not settle waits for the next run.
    async fn hand_over_the_lost(&mut self) -> Result<()> {
        for order in self.desk.ledger.lost_rows(self.batch, LOST_MAX)? {
            if self.has_settled(order.updated_at) {
                self.tell(Found::Lost(Box::new(order))).await;
            }
        }
        Ok(())
    }

    async fn tell(&self, found: Found) {
        // Nobody listens any more when the run has ended; the ledger knows all the same.
        let _ = self.found.send(found).await;
    }
}

impl Stretch {
    fn at(row: &OpenRow, begin: Timestamp) -> Self {
        Self {
            from: begin,
            to: begin,
            last: row.sent_at,
            rows: Vec::new(),
            count: 0,
            accepted: 0,
        }
    }

    fn add(&mut self, row: OpenRow, begin: Timestamp, end: Timestamp) {
        self.from = self.from.min(begin);
        self.to = self.to.max(end);
        self.last = row.sent_at;
        self.count += 1;
        self.accepted += usize::from(row.state != State::Unknown);
        if self.rows.len() < KNOWN_MAX {
            self.rows.push(row);
        }
    }
}
