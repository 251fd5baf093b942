//! The sums of a report. Every order stands in one of five places and in no other: sold, refunded, open, written off,
//! or never made. Only what is sold is a sale, and what is open is neither sold nor failed.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use crate::clock::later;
use crate::domain::{Money, Period, State, day_in_algiers, start_of_day};
use crate::ledger::Sale;

const HOUR: Duration = Duration::from_hours(1);
/// Algiers changes no clocks: each day has as many.
const DAY: Duration = Duration::from_hours(24);

/// By what orders are grouped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// Whose credit it is.
    Operator,
    /// The plan's code.
    Plan,
    /// The batch; single orders are together.
    Batch,
    /// Where it stands.
    State,
    /// The day on which it was sent, in Algiers time.
    Day,
}

impl By {
    /// The key in JSON and the word of `--by`.
    pub fn key(self) -> &'static str {
        match self {
            Self::Operator => "operator",
            Self::Plan => "plan",
            Self::Batch => "batch",
            Self::State => "state",
            Self::Day => "day",
        }
    }

    fn of(self, sale: &Sale<'_>) -> Label {
        match self {
            Self::Operator => Label::Text(sale.operator.to_owned()),
            Self::Plan => Label::Text(sale.plan.to_owned()),
            Self::Batch => sale
                .batch
                .map_or(Label::None, |batch| Label::Text(batch.to_owned())),
            Self::State => Label::State(sale.state),
            Self::Day => Label::Text(day_in_algiers(sale.sent_at)),
        }
    }
}

/// What a group has in common.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Label {
    /// No batch.
    None,
    /// An operator, a plan, a batch or a day.
    Text(String),
    /// A state.
    State(State),
}

/// Orders of one place.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Part {
    /// How many.
    pub orders: u64,
    /// Their face value in dinars.
    pub face: u64,
    /// What those cost of which it is known.
    known: Money,
    /// Of how many the cost is not known.
    pub unknown: u64,
    /// The face value of those whose cost is not known.
    unknown_face: u64,
}

impl Part {
    fn add(&mut self, sale: &Sale<'_>) {
        self.orders += 1;
        self.face += u64::from(sale.amount);
        if let Some(cost) = sale.cost {
            self.known = self.known + cost;
        } else {
            self.unknown += 1;
            self.unknown_face += u64::from(sale.amount);
        }
    }

    /// What they cost, of those whose cost is known; none where it is known of none of them.
    pub fn cost(&self) -> Option<Money> {
        (self.orders == 0 || self.unknown < self.orders).then_some(self.known)
    }

    /// What is left of the face value, of those whose cost is known; none where it is known of none of them.
    pub fn margin(&self) -> Option<Money> {
        let cost = self.cost()?;
        Some(Money::from_dinars(self.face - self.unknown_face) - cost)
    }
}

/// The orders of a group, each in its place.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Sums {
    /// Delivered.
    pub sold: Part,
    /// Not delivered, and the money came back: the cost is what had been taken.
    pub refunded: Part,
    /// Nobody knows the end yet: the cost may have been taken.
    pub open: Part,
    /// Given up by the operator: the cost was taken where the provider had accepted it, and may have been elsewhere.
    pub written_off: Part,
    /// Rejected, cancelled, clashing or put back: nothing was made and nothing was taken.
    pub not_made: Part,
    /// How many of them the operator has settled by hand.
    pub by_hand: u64,
    /// What has surely been taken for all of them.
    pub taken: Money,
    /// What may have been taken besides.
    pub unsure: Money,
}

impl Sums {
    fn add(&mut self, sale: &Sale<'_>) {
        self.place_of(sale.state).add(sale);
        self.by_hand += u64::from(sale.is_by_hand);
        let cost = sale.cost.unwrap_or_default();
        match sale.state {
            State::Fulfilled | State::Refunded | State::Accepted | State::InReview => {
                self.taken = self.taken + cost;
            }
            State::WrittenOff if sale.is_accepted => self.taken = self.taken + cost,
            State::Unknown | State::Sending | State::WrittenOff => self.unsure = self.unsure + cost,
            State::Planned | State::Rejected | State::Conflict | State::Cancelled => {}
        }
    }

    fn place_of(&mut self, state: State) -> &mut Part {
        match state {
            State::Fulfilled => &mut self.sold,
            State::Refunded => &mut self.refunded,
            State::Sending | State::Accepted | State::InReview | State::Unknown => &mut self.open,
            State::WrittenOff => &mut self.written_off,
            State::Planned | State::Rejected | State::Conflict | State::Cancelled => &mut self.not_made,
        }
    }

    /// How many orders there are in all.
    pub fn orders(&self) -> u64 {
        let parts = [
            self.sold,
            self.refunded,
            self.open,
            self.written_off,
            self.not_made,
        ];
        parts.iter().map(|part| part.orders).sum()
    }

    /// Of how many orders the cost is not known where money has or may have moved.
    pub fn unknown(&self) -> u64 {
        [self.sold, self.refunded, self.open, self.written_off]
            .iter()
            .map(|part| part.unknown)
            .sum()
    }
}

/// Everything that one walk over the orders of a period collects.
#[derive(Debug)]
pub(super) struct Collected {
    by: Vec<By>,
    period: Period,
    /// The groups, in the order of their labels.
    pub groups: BTreeMap<Vec<Label>, Sums>,
    /// All of them together.
    pub total: Sums,
    /// Money that came back within the period, of orders of the same period.
    pub back: Money,
    /// Hours of a day, or days of something longer, by when they begin.
    times: BTreeMap<Timestamp, Sums>,
}

impl Collected {
    /// Nothing yet.
    pub fn new(by: &[By], period: Period) -> Self {
        Self {
            by: by.to_vec(),
            period,
            groups: BTreeMap::new(),
            total: Sums::default(),
            back: Money::ZERO,
            times: BTreeMap::new(),
        }
    }

    /// Counts an order.
    pub fn add(&mut self, sale: &Sale<'_>) {
        let labels = self.by.iter().map(|by| by.of(sale)).collect();
        self.groups.entry(labels).or_default().add(sale);
        self.total.add(sale);
        let time = if self.period.is_a_day() {
            hour_of(sale.sent_at)
        } else {
            start_of_day(sale.sent_at)
        };
        self.times.entry(time).or_default().add(sale);
        let came_back = sale.refunded_at.is_some_and(|at| at < self.period.to);
        if came_back {
            self.back = self.back + sale.cost.unwrap_or_default();
        }
    }

    /// Each hour or day from the first to the last in which something was sent, those with nothing too.
    pub fn each_time(&self) -> impl Iterator<Item = (Timestamp, Sums)> {
        let step = if self.period.is_a_day() { HOUR } else { DAY };
        let last = self.times.last_key_value().map(|(time, _)| *time);
        let first = self.times.first_key_value().map(|(time, _)| *time);
        let times = std::iter::successors(first, move |time| {
            Some(later(*time, step)).filter(|next| Some(*next) <= last)
        });
        times.map(|time| (time, self.times.get(&time).copied().unwrap_or_default()))
    }
}

/// When the hour of a moment began; Algiers is a whole hour away from UTC.
fn hour_of(moment: Timestamp) -> Timestamp {
    let millis = i64::try_from(HOUR.as_millis()).unwrap_or(i64::MAX);
    let begun = moment.as_millisecond().div_euclid(millis) * millis;
    Timestamp::from_millisecond(begun).unwrap_or(moment)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Month;

    fn period() -> Period {
        let month: Month = "2026-11".parse().unwrap_or_else(|error| panic!("{error}"));
        Period::month(month)
    }

    fn sale(state: State, cost: Option<&str>) -> Sale<'static> {
        Sale {
            sent_at: period().from,
            operator: "Djezzy",
            plan: "PREPAID_DJEZZY",
            batch: None,
            state,
            amount: 500,
            cost: cost.and_then(|cost| cost.parse().ok()),
            refunded_at: None,
            is_accepted: false,
            is_by_hand: false,
        }
    }

    fn money(text: &str) -> Money {
        text.parse().unwrap_or_else(|error| panic!("{error}"))
    }

    #[test]
    fn every_state_has_one_place_and_only_delivered_is_sold() {
        for state in State::ALL {
            let mut sums = Sums::default();
            sums.add(&sale(state, Some("496.25")));
            assert_eq!(sums.orders(), 1, "{state}");
            assert_eq!(sums.sold.orders == 1, state == State::Fulfilled, "{state}");
            assert_eq!(sums.open.orders == 1, state.is_open(), "{state}");
            let moved = sums.taken + sums.unsure != Money::ZERO;
            assert_eq!(
                moved,
                state.may_have_paid() || state == State::Refunded,
                "{state}"
            );
        }
    }

    #[test]
    fn a_cost_that_is_not_known_is_counted_and_never_taken_as_nothing() {
        let mut sums = Sums::default();
        sums.add(&sale(State::Fulfilled, Some("496.25")));
        sums.add(&sale(State::Fulfilled, None));
        assert_eq!((sums.sold.face, sums.sold.unknown, sums.unknown()), (1_000, 1, 1));
        assert_eq!(
            sums.sold.margin(),
            Some(money("3.75")),
            "not 503.75, as if it had cost nothing"
        );
        let mut nothing = Sums::default();
        nothing.add(&sale(State::Fulfilled, None));
        assert_eq!((nothing.sold.cost(), nothing.sold.margin()), (None, None));
        assert_eq!(Sums::default().sold.cost(), Some(Money::ZERO));
    }

    #[test]
    fn groups_are_ordered_and_come_to_the_total() {
        let mut collected = Collected::new(&[By::Operator, By::State], period());
        for state in [
            State::Refunded,
            State::Fulfilled,
            State::Unknown,
            State::Fulfilled,
        ] {
            collected.add(&sale(state, Some("496.25")));
        }
        collected.add(&Sale {
            operator: "Mobilis",
            ..sale(State::Fulfilled, Some("480"))
        });
        let orders: Vec<_> = collected.groups.values().map(Sums::orders).collect();
        assert_eq!(orders, [2, 1, 1, 1], "{:#?}", collected.groups);
        assert_eq!(collected.total.sold.cost(), Some(money("1472.50")));
    }

    #[test]
    fn money_that_comes_back_behind_the_period_is_not_in_its_cash() {
        let mut collected = Collected::new(&[], period());
        for at in [period().from, period().to] {
            collected.add(&Sale {
                refunded_at: Some(at),
                ..sale(State::Refunded, Some("496.25"))
            });
        }
        assert_eq!(collected.back, money("496.25"));
        assert_eq!(collected.total.refunded.cost(), Some(money("992.50")));
    }
}
