//! The reference model: what must be true of ledger and books whatever has happened, in a few sentences of its own.

use std::collections::{BTreeMap, BTreeSet};

use super::provider::{Booked, Ending};
use super::world::{PLAN, REFUSED_PHONE, Row};
use crate::domain::{Order, State};

/// What is sold to whom: the same twice is a repeat.
pub type Key = (String, u32);

/// What somebody has wished for, and how often at most it may be paid.
#[derive(Debug, Default)]
pub struct Wishes {
    /// In worlds whose sheets have refs: each ref is a wish of its own.
    refs: BTreeMap<Key, BTreeSet<String>>,
    most: BTreeMap<Key, u32>,
    singles: BTreeSet<Key>,
}

/// A promise that was not kept.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Broken {
    Double(String),
    Lost(String),
    FalseWord(String),
    Secret(String),
    Conduct(String),
}

impl Wishes {
    /// A run of the batch is wished for: of equal rows all with consent to repeats, else one.
    pub fn sheet(&mut self, rows: &[Row], has_own_refs: bool, again: bool) {
        let mut counts: BTreeMap<Key, u32> = BTreeMap::new();
        for row in rows {
            let key = (row.phone.to_owned(), row.amount);
            *counts.entry(key.clone()).or_default() += 1;
            if has_own_refs {
                self.refs.entry(key).or_default().insert(row.reference.clone());
            }
        }
        for (key, count) in counts {
            let most = self.most.entry(key).or_default();
            *most = (*most).max(if again { count } else { 1 });
        }
    }

    /// A single top-up is wished for.
    pub fn single(&mut self, phone: &str, amount: u32) {
        self.singles.insert((phone.to_owned(), amount));
    }

    /// How often it may be paid. Consent to a repeat, and a ref of the caller's own, do not look at singles.
    fn most(&self, key: &Key, again: bool) -> u32 {
        let own = u32::try_from(self.refs.get(key).map_or(0, BTreeSet::len)).unwrap_or(u32::MAX);
        let rows = self.most.get(key).copied().unwrap_or(0).max(own);
        let single = u32::from(self.singles.contains(key));
        if again || own > 0 {
            rows + single
        } else {
            rows.max(single)
        }
    }

    /// Nobody is paid more often than was wished.
    pub fn doubles(&self, books: &[Booked], again: bool) -> Vec<Broken> {
        let mut paid: BTreeMap<Key, Vec<&str>> = BTreeMap::new();
        for order in books
            .iter()
            .filter(|order| !order.is_foreign && order.ending != Ending::PaidBack)
        {
            let key = (order.phone.clone(), u32::try_from(order.amount).unwrap_or(0));
            paid.entry(key).or_default().push(&order.reference);
        }
        let over = |(key, refs): (&Key, &Vec<&str>)| {
            let most = self.most(key, again);
            (u32::try_from(refs.len()).unwrap_or(u32::MAX) > most)
                .then(|| Broken::Double(format!("{key:?} was paid under {refs:?}, at most {most} wished")))
        };
        paid.iter().filter_map(over).collect()
    }
}

/// Whatever the provider has made is in the ledger.
pub fn losses(ledger: &[Order], books: &[Booked]) -> Vec<Broken> {
    let known: BTreeSet<_> = ledger
        .iter()
        .map(|order| order.intent.reference.as_str())
        .collect();
    let lost = books
        .iter()
        .filter(|order| !order.is_foreign && !known.contains(order.reference.as_str()));
    lost.map(|order| {
        Broken::Lost(format!(
            "`{}` is in the books and not in the ledger",
            order.reference
        ))
    })
    .collect()
}

/// What the ledger says for certain is what the books say.
pub fn false_words(ledger: &[Order], books: &[Booked]) -> Vec<Broken> {
    let by_ref: BTreeMap<_, _> = books
        .iter()
        .map(|order| (order.reference.as_str(), order))
        .collect();
    let is_false = |order: &Order| {
        let there = by_ref.get(order.intent.reference.as_str());
        let ours = there.filter(|there| is_same(order, there));
        match order.state {
            State::Planned | State::Cancelled | State::Rejected => ours.is_some(),
            State::Accepted | State::InReview => ours.is_none(),
            State::Fulfilled => ours.is_none_or(|there| there.ending != Ending::Delivered),
            State::Refunded => ours.is_none_or(|there| there.ending != Ending::PaidBack),
            State::Conflict => there.is_none() || ours.is_some(),
            State::Sending | State::Unknown | State::WrittenOff => false,
        }
    };
    let told = |order: &Order| {
        let reference = order.intent.reference.as_str();
        let there = by_ref.get(reference).map(|there| there.ending);
        Broken::FalseWord(format!(
            "`{reference}` is called {}, and the books say {there:?}",
            order.state
        ))
    };
    ledger.iter().filter(|order| is_false(order)).map(told).collect()
}

fn is_same(ours: &Order, theirs: &Booked) -> bool {
    ours.intent.phone.as_str() == theirs.phone
        && ours.intent.plan.as_str() == theirs.plan
        && theirs.plan == PLAN
        && u64::from(ours.intent.amount.dinars()) == theirs.amount
}

/// When everything works again, every row of the sheet comes to its end. `consents`: to repeats, or by refs of the
/// caller's own.
pub fn unfinished(ledger: &[Order], books: &[Booked], rows: &[Row], consents: bool) -> Vec<Broken> {
    let mut broken: Vec<_> = ledger
        .iter()
        .filter(|order| order.state.is_open() || order.state == State::Planned && order.row.is_some())
        .map(|order| Broken::Lost(format!("`{}` stays {}", order.intent.reference, order.state)))
        .collect();
    let clashes: BTreeSet<_> = ledger
        .iter()
        .filter(|order| order.state == State::Conflict)
        .map(|order| order.intent.phone.as_str())
        .collect();
    let wanted: BTreeSet<_> = rows
        .iter()
        .filter(|row| row.phone != REFUSED_PHONE && !clashes.contains(row.phone))
        .map(|row| (row.phone, row.amount))
        .collect();
    for (phone, amount) in wanted {
        // Without consent, a number that this batch has paid another amount is a repeat, too.
        let is_made = books
            .iter()
            .any(|order| order.phone == phone && (!consents || order.amount == u64::from(amount)));
        if !is_made {
            broken.push(Broken::Lost(format!(
                "{phone} {amount} stands in the sheet and was never made"
            )));
        }
    }
    broken
}
