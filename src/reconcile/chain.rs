//! The balance from line to line of the account: opening + paid in − paid out = closing, and where that breaks.

use std::collections::VecDeque;
use std::time::Duration;

use jiff::Timestamp;

use super::judge::is_same;
use super::trail::trail;
use crate::clock::later;
use crate::domain::{Direction, Money};
use crate::ledger::SeenEntry;

/// Lines that are closer may be written in another order than they happened: their balances say which came first.
const APART: Duration = Duration::from_secs(2);
/// How many such lines are looked through for the one that follows.
const LOOKED_AT_MAX: usize = 1_000;

/// A place where the balance changes and no line says why, or a line that does not add up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gap {
    /// The line behind the gap, or the one that does not add up.
    pub entry: SeenEntry,
    /// The balance that it ought to show.
    pub expected: Money,
    /// The balance that it shows.
    pub found: Money,
    /// Whether the line itself does not add up.
    pub is_within: bool,
}

impl Gap {
    /// By how much the balance jumps.
    pub fn jump(&self) -> Money {
        self.found - self.expected
    }
}

/// The balance equation of the range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Equation {
    /// The balance before the first line of the range.
    pub opening: Money,
    /// What came in.
    pub paid_in: Money,
    /// What went out.
    pub paid_out: Money,
    /// The balance behind the last line of the range.
    pub closing: Money,
}

impl Equation {
    /// Opening + paid in − paid out − closing: 0 where the account adds up.
    pub fn difference(&self) -> Money {
        self.opening + self.paid_in - self.paid_out - self.closing
    }
}

/// Follows the balance. Lines are pushed in the order of time.
#[derive(Debug)]
pub(super) struct Chain {
    range: (Timestamp, Timestamp),
    waiting: VecDeque<SeenEntry>,
    balance: Option<Money>,
    equation: Option<Equation>,
    gaps: Vec<Gap>,
    /// Lines of the range without balances, or without a direction.
    bare: u64,
    last: Option<SeenEntry>,
}

/// What came of it.
#[derive(Debug)]
pub(super) struct Followed {
    pub equation: Option<Equation>,
    pub gaps: Vec<Gap>,
    pub bare: u64,
    /// The last line of all.
    pub last: Option<SeenEntry>,
}

impl Chain {
    /// For a range of the provider's time; lines around it are only where the balance comes from.
    pub fn new(range: (Timestamp, Timestamp)) -> Self {
        Self {
            range,
            waiting: VecDeque::new(),
            balance: None,
            equation: None,
            gaps: Vec::new(),
            bare: 0,
            last: None,
        }
    }

    /// The next line.
    pub fn push(&mut self, entry: SeenEntry) {
        let at = moment(&entry);
        self.waiting.push_back(entry);
        while self
            .waiting
            .front()
            .is_some_and(|first| later(moment(first), APART) < at)
        {
            self.take_next();
        }
    }

    /// The end of all lines.
    pub fn finish(mut self) -> Followed {
        while !self.waiting.is_empty() {
            self.take_next();
        }
        Followed {
            equation: self.equation,
            gaps: self.gaps,
            bare: self.bare,
            last: self.last,
        }
    }

    /// The lines of the first moment as their balances chain them, or all that are close to it; where they can't be
    /// chained whole, one.
    fn take_next(&mut self) {
        let Some(first) = self.waiting.front().map(moment) else {
            return;
        };
        let is_of_moment = |entry: &SeenEntry| moment(entry).as_second() == first.as_second();
        let is_close = |entry: &SeenEntry| moment(entry) <= later(first, APART);
        if !self.take_chained(&is_of_moment) && !self.take_chained(&is_close) {
            self.take_one();
        }
    }

    /// Takes the first lines that are one group, if the balance leads through all of them.
    fn take_chained(&mut self, is_one: &dyn Fn(&SeenEntry) -> bool) -> bool {
        let count = self.waiting.iter().take_while(|entry| is_one(entry)).count();
        let lines: Option<Vec<_>> = self
            .waiting
            .iter()
            .take(count)
            .map(|entry| entry.direction.and(entry.before.zip(entry.after)))
            .collect();
        let behind = self.waiting.iter().skip(count).take(LOOKED_AT_MAX);
        let next: Vec<_> = behind.filter_map(|entry| entry.before).collect();
        let Some(places) = lines.and_then(|lines| trail(&lines, self.balance, &next)) else {
            return false;
        };
        let group: Vec<_> = self.waiting.drain(..count).collect();
        for place in places {
            self.follow(&group[place]);
        }
        true
    }

    /// Of the lines that are close to each other, the one that the balance leads to. Where it leads to none, the row
    /// goes on behind a gap: with one that no other of its moment leads to.
    fn take_one(&mut self) {
        let Some(first) = self.waiting.front() else { return };
        let limit = later(moment(first), APART);
        let place = self
            .waiting
            .iter()
            .take(LOOKED_AT_MAX)
            .take_while(|entry| moment(entry) <= limit)
            .position(|entry| self.leads_to(entry));
        if let Some(next) = place.and_then(|place| self.waiting.remove(place)) {
            self.follow(&next);
        } else if let Some(entry) = self.waiting.pop_front() {
            // The balance goes on without it: the line moved no money.
            let is_aside =
                self.balance.is_some() && self.waiting.front().is_some_and(|next| self.leads_to(next));
            if is_aside {
                self.pass_over(entry);
            } else {
                let entry = self.begin_anew(entry);
                self.follow(&entry);
            }
        }
    }

    /// The line of the first one's moment that none of the others leads to; the first where there is none.
    fn begin_anew(&mut self, first: SeenEntry) -> SeenEntry {
        let second = moment(&first).as_second();
        let others = self.waiting.iter().take(LOOKED_AT_MAX);
        let count = others
            .take_while(|entry| moment(entry).as_second() == second)
            .count();
        let group = || self.waiting.iter().take(count).chain([&first]);
        let ends: Vec<_> = group().filter_map(|entry| entry.after).collect();
        let is_led_to = |entry: &SeenEntry| {
            let before = entry.before;
            before.is_some_and(|before| ends.iter().any(|end| is_same(*end, before)))
        };
        if !is_led_to(&first) {
            return first;
        }
        let place = group().take(count).position(|entry| !is_led_to(entry));
        let Some(found) = place.and_then(|place| self.waiting.remove(place)) else {
            return first;
        };
        self.waiting.push_front(first);
        found
    }

    fn leads_to(&self, entry: &SeenEntry) -> bool {
        match (entry.before, self.balance) {
            (Some(before), Some(balance)) => is_same(before, balance),
            _ => true,
        }
    }

    fn counts(&self, entry: &SeenEntry) -> bool {
        let at = moment(entry);
        at >= self.range.0 && at < self.range.1
    }

    /// A line that says that money moved while the balance says that it did not.
    fn pass_over(&mut self, entry: SeenEntry) {
        let (Some(balance), Some(direction)) = (self.balance, entry.direction) else {
            return;
        };
        if self.counts(&entry) {
            self.add(balance, balance, direction, entry.amount);
            self.gaps.push(Gap {
                expected: balance + direction.signed(entry.amount),
                found: balance,
                is_within: false,
                entry,
            });
        }
    }

    fn follow(&mut self, entry: &SeenEntry) {
        let counts = self.counts(entry);
        self.last = Some(entry.clone());
        let (Some(before), Some(after), Some(direction)) = (entry.before, entry.after, entry.direction)
        else {
            self.bare += u64::from(counts);
            self.balance = entry.after;
            return;
        };
        let gap = |expected: Money, found: Money, is_within: bool| {
            (!is_same(expected, found)).then(|| Gap {
                entry: entry.clone(),
                expected,
                found,
                is_within,
            })
        };
        if counts {
            let between = self.balance.and_then(|balance| gap(balance, before, false));
            let within = gap(before + direction.signed(entry.amount), after, true);
            self.gaps.extend([between, within].into_iter().flatten());
            self.add(before, after, direction, entry.amount);
        }
        self.balance = Some(after);
    }

    fn add(&mut self, before: Money, after: Money, direction: Direction, amount: Money) {
        let equation = self.equation.get_or_insert(Equation {
            opening: before,
            paid_in: Money::ZERO,
            paid_out: Money::ZERO,
            closing: after,
        });
        match direction {
            Direction::In => equation.paid_in = equation.paid_in + amount,
            Direction::Out => equation.paid_out = equation.paid_out + amount,
        }
        equation.closing = after;
    }
}

fn moment(entry: &SeenEntry) -> Timestamp {
    entry.at.unwrap_or(Timestamp::MIN)
}

#[cfg(test)]
#[path = "chain_tests.rs"]
mod tests;
