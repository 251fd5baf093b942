//! What a run would send: per operator and plan, rows, face, cost and margin; the row at which the money would run
//! out; what is done already; repeats (design, section 4).

use std::collections::BTreeMap;

use crate::domain::{Money, State};
use crate::ledger::{self, Batch, Consent, InDoubt, Ledger, Planner, ToSend};

/// Rows of one plan that would be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanTotals {
    /// Whose credit it is.
    pub operator: String,
    /// The plan's code.
    pub plan: String,
    /// What they come to.
    pub totals: Totals,
}

/// What rows come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Totals {
    /// How many.
    pub rows: u64,
    /// Face value in dinars.
    pub face: u64,
    /// What they cost, as far as that is known.
    pub cost: Money,
    /// Rows whose cost the catalogue does not name.
    pub unpriced: u64,
}

impl Default for Totals {
    fn default() -> Self {
        Self {
            rows: 0,
            face: 0,
            cost: Money::ZERO,
            unpriced: 0,
        }
    }
}

impl Totals {
    fn add(&mut self, row: &ToSend<'_>) {
        self.rows += 1;
        self.face += u64::from(row.amount);
        self.cost = self.cost + dear(row);
        self.unpriced += u64::from(row.cost.is_none());
    }
}

/// What a row takes from the balance; where nobody knows, its face value, which is never less.
fn dear(row: &ToSend<'_>) -> Money {
    row.cost.unwrap_or_else(|| Money::from_dinars(row.amount.into()))
}

/// What a run would do.
#[derive(Debug, Clone)]
pub struct Preview {
    /// Rows that would be sent, by operator and plan.
    pub plans: Vec<PlanTotals>,
    /// All of them.
    pub to_send: Totals,
    /// The most that one of them costs.
    pub dearest: Money,
    /// Rows that are orders already, by state; those that are `planned` are another batch's.
    pub known: BTreeMap<State, u64>,
    /// Repeats that need consent, or have it.
    pub repeats: u64,
    /// The row at which the balance would not cover the next one.
    pub runs_out_at: Option<u32>,
    /// Rows that the balance covers.
    pub covered: u64,
    /// Rows that a cap on the day's face value leaves room for.
    pub under_cap: u64,
    /// At most so many rows are sent in this run.
    limit: u64,
    /// The last line that would be sent.
    last_row: Option<u32>,
    /// Whether the limit lets lines behind it wait.
    is_cut: bool,
    left: Option<Money>,
    room: Option<u64>,
}

/// What bounds a run.
#[derive(Debug, Clone, Copy, Default)]
pub struct Bounds {
    /// `--limit`.
    pub limit: Option<u32>,
    /// What is on the account.
    pub balance: Option<Money>,
    /// What a cap leaves of today's face value.
    pub room_today: Option<u64>,
    /// Whether more than that cap has or may have been sent today.
    pub is_day_passed: bool,
}

impl Preview {
    fn new(bounds: Bounds) -> Self {
        Self {
            plans: Vec::new(),
            to_send: Totals::default(),
            dearest: Money::ZERO,
            known: BTreeMap::new(),
            repeats: 0,
            runs_out_at: None,
            covered: 0,
            under_cap: 0,
            limit: bounds.limit.map_or(u64::MAX, u64::from),
            last_row: None,
            is_cut: false,
            left: bounds.balance,
            room: bounds.room_today,
        }
    }

    /// Of a sheet that is staged. `with_repeats`: whether repeats that need consent have it.
    pub fn of_staged(planner: &Planner, bounds: Bounds, with_repeats: bool) -> ledger::Result<Self> {
        let mut preview = Self::new(bounds);
        preview.known = planner.known()?;
        (preview.repeats, _) = planner.repeats(0)?;
        planner.each_to_send(with_repeats, &mut |row| {
            preview.send(row);
            Ok(())
        })?;
        Ok(preview)
    }

    /// Of what a stored batch has left to send.
    pub fn of_stored(ledger: &Ledger, batch: &Batch, bounds: Bounds) -> ledger::Result<Self> {
        let mut preview = Self::new(bounds);
        ledger.each_waiting(batch, &mut |row| {
            preview.send(row);
            Ok(())
        })?;
        let mut known = ledger.standings(batch)?;
        known.states.remove(&State::Planned);
        preview.known = known.with(&ledger.standings_elsewhere(batch)?).states;
        Ok(preview)
    }

    fn send(&mut self, row: &ToSend<'_>) {
        if self.to_send.rows >= self.limit {
            self.is_cut = true;
            return;
        }
        self.to_send.add(row);
        self.last_row = Some(row.row);
        self.dearest = self.dearest.max(dear(row));
        if let Some(left) = self.left {
            let left = left - dear(row);
            self.left = Some(left);
            if left.is_negative() {
                self.runs_out_at.get_or_insert(row.row);
            }
        }
        self.covered += u64::from(self.runs_out_at.is_none());
        let room = self.room.unwrap_or(u64::MAX);
        self.under_cap += u64::from(self.to_send.face <= room);
        let (operator, plan) = (row.operator, row.plan);
        let known = self
            .plans
            .iter()
            .position(|totals| totals.plan == plan && totals.operator == operator);
        let place = known.unwrap_or_else(|| {
            self.plans.push(PlanTotals {
                operator: operator.to_owned(),
                plan: plan.to_owned(),
                totals: Totals::default(),
            });
            self.plans.len() - 1
        });
        if let Some(plan) = self.plans.get_mut(place) {
            plan.totals.add(row);
        }
    }

    /// What is consented to with it: these rows, and those in doubt, which may be sent again.
    pub fn consent(&self, in_doubt: InDoubt) -> Consent {
        Consent {
            rows: self.to_send.rows.saturating_add(in_doubt.rows),
            face: self.to_send.face.saturating_add(in_doubt.face),
            last_row: self.last_row.filter(|_| self.is_cut),
        }
    }

    /// How many rows were sent before.
    pub fn already(&self) -> u64 {
        self.known.values().sum::<u64>() - self.planned_elsewhere()
    }

    /// How many rows another batch has planned, and sends.
    pub fn planned_elsewhere(&self) -> u64 {
        self.known.get(&State::Planned).copied().unwrap_or_default()
    }

    /// How many of those have come to their end.
    pub fn done(&self) -> u64 {
        let ended = self.known.iter().filter(|(state, _)| state.is_final());
        ended.map(|(_, orders)| orders).sum()
    }
}
