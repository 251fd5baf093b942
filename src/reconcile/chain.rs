//! The balance from line to line of the account: opening + paid in − paid out = closing, and where that breaks.

use std::collections::VecDeque;
use std::time::Duration;

use jiff::Timestamp;

use super::judge::is_same;
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
}

/// What came of it.
#[derive(Debug)]
pub(super) struct Followed {
    pub equation: Option<Equation>,
    pub gaps: Vec<Gap>,
    pub bare: u64,
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
        }
    }

    /// Of the lines that are close to each other, the one that the balance leads to; the first where none is.
    fn take_next(&mut self) {
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
                self.follow(&entry);
            }
        }
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
mod tests {
    use super::*;

    fn money(text: &str) -> Money {
        text.parse().unwrap_or_else(|error| panic!("{error}"))
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap_or_else(|error| panic!("{error}"))
    }

    fn line(second: i64, before: &str, change: &str, after: &str) -> SeenEntry {
        let (direction, amount) = match change.strip_prefix('-') {
            Some(amount) => (Direction::Out, amount),
            None => (Direction::In, change),
        };
        SeenEntry {
            id: second,
            word: "FLEXY".to_owned(),
            direction: Some(direction),
            amount: money(amount),
            before: Some(money(before)),
            after: Some(money(after)),
            subject: None,
            at: Some(at(second)),
        }
    }

    fn followed(lines: Vec<SeenEntry>) -> Followed {
        let mut chain = Chain::new((at(100), at(200)));
        for line in lines {
            chain.push(line);
        }
        chain.finish()
    }

    fn jumps(lines: Vec<SeenEntry>) -> Vec<(String, bool)> {
        let gaps = followed(lines).gaps;
        gaps.iter()
            .map(|gap| (gap.jump().to_string(), gap.is_within))
            .collect()
    }

    #[test]
    fn a_whole_chain_adds_up_and_its_edges_do_not_count() {
        let whole = followed(vec![
            line(50, "0", "1000", "1000"),
            line(110, "1000", "-500", "500"),
            line(120, "500", "-100.5", "399.5"),
            line(130, "399.50", "500", "899.50"),
            line(250, "899.50", "-1", "7"),
        ]);
        assert!(whole.gaps.is_empty(), "{:?}", whole.gaps);
        let equation = whole.equation.unwrap_or_else(|| panic!("no equation"));
        assert_eq!(
            (equation.opening, equation.closing, equation.difference()),
            (money("1000"), money("899.5"), Money::ZERO)
        );
    }

    #[test]
    fn a_gap_is_named_with_its_size() {
        let lines = vec![line(110, "1000", "-500", "500"), line(120, "400", "-100", "300")];
        assert_eq!(jumps(lines), [("-100".to_owned(), false)]);
        let lines = vec![line(50, "1000", "-500", "500"), line(120, "400", "-100", "300")];
        assert_eq!(
            jumps(lines).len(),
            1,
            "the line before the range is what it is held against"
        );
    }

    #[test]
    fn a_line_that_does_not_add_up_is_named() {
        let lines = vec![line(110, "1000", "-500", "480"), line(120, "480", "-80", "400")];
        assert_eq!(jumps(lines), [("-20".to_owned(), true)]);
    }

    #[test]
    fn half_a_centime_is_rounding() {
        let lines = vec![
            line(110, "1000", "-100.2475", "899.75"),
            line(120, "899.75", "-1", "898.75"),
        ];
        assert!(jumps(lines).is_empty());
        let lines = vec![line(110, "1000", "-100.24", "899.75")];
        assert_eq!(jumps(lines).len(), 1);
    }

    #[test]
    fn lines_of_one_moment_are_put_in_the_order_of_their_balances() {
        let lines = vec![
            line(110, "1000", "-500", "500"),
            line(111, "300", "-100", "200"),
            line(111, "500", "-200", "300"),
        ];
        assert!(jumps(lines).is_empty());
    }

    #[test]
    fn a_line_that_moves_no_money_is_one_gap_of_its_amount() {
        for copied_at in [110, 115, 120] {
            let copy = line(copied_at, "1000", "-500", "500");
            let mut lines = vec![
                line(110, "1000", "-500", "500"),
                line(111, "500", "-200", "300"),
                line(130, "300", "-100", "200"),
                line(140, "200", "-100", "100"),
                copy,
            ];
            lines.sort_by_key(|line| line.at);
            assert_eq!(jumps(lines), [("500".to_owned(), false)], "{copied_at}");
        }
    }

    #[test]
    fn lines_without_balances_are_counted_and_break_nothing() {
        let mut bare = line(115, "0", "-5", "0");
        (bare.before, bare.after) = (None, None);
        let known = followed(vec![
            line(110, "1000", "-500", "500"),
            bare,
            line(120, "495", "-95", "400"),
        ]);
        assert_eq!((known.bare, known.gaps.len()), (1, 0));
    }
}
