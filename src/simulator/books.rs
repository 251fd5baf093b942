//! The account's books in memory: orders, money, and the entries that explain every dinar.
//!
//! They change only by events, and by time passing: a refund is booked when its order ends.

use std::collections::{BTreeSet, HashMap};

use rust_decimal::Decimal;

use super::clock::{Anchor, Millis};
use super::journal::Event;
use super::order::Order;
use super::tamper::Mask;

/// Everything that has happened to the account.
#[derive(Debug)]
pub(super) struct Books {
    orders: Vec<Order>,
    by_ref: HashMap<String, Vec<usize>>,
    by_id: HashMap<String, usize>,
    entries: Vec<Entry>,
    balance: Decimal,
    due: BTreeSet<(Millis, usize)>,
    anchor: Anchor,
    latest_ms: Millis,
    salt: i64,
    lines: u64,
    /// What the list shows in place of the truth, by the order's id.
    pub(super) masks: HashMap<String, Mask>,
}

/// One line of the account's transactions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    /// Counts the lines; it stays with a line whatever becomes of its neighbours.
    pub(super) number: u64,
    /// Why money moved.
    pub(super) kind: EntryKind,
    /// How much.
    pub(super) amount: Decimal,
    /// The balance before.
    pub(super) before: Decimal,
    /// The balance after.
    pub(super) after: Decimal,
    /// The order that it is about; empty for a deposit.
    pub(super) topup_id: String,
    /// When.
    pub(super) at: Millis,
}

/// Why money moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EntryKind {
    Deposit,
    Flexy,
    RefundFlexy,
    Withdraw,
    Adsl,
}

impl EntryKind {
    /// The provider's word for it.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Deposit => "DEPOSIT",
            Self::Flexy => "FLEXY",
            Self::RefundFlexy => "REFUND-FLEXY",
            Self::Withdraw => "WITHDRAW",
            Self::Adsl => "ADSL",
        }
    }

    /// The direction: `increment` or `decrement`.
    pub(super) fn operation(self) -> &'static str {
        match self {
            Self::Deposit | Self::RefundFlexy => "increment",
            Self::Flexy | Self::Withdraw | Self::Adsl => "decrement",
        }
    }

    /// The balance behind a line.
    fn applied(self, before: Decimal, amount: Decimal) -> Decimal {
        match self {
            Self::Deposit | Self::RefundFlexy => before.saturating_add(amount),
            Self::Flexy | Self::Withdraw | Self::Adsl => before.saturating_sub(amount),
        }
    }
}

impl Books {
    /// Empty books.
    pub(super) fn new(anchor: Anchor) -> Self {
        Self {
            orders: Vec::new(),
            by_ref: HashMap::new(),
            by_id: HashMap::new(),
            entries: Vec::new(),
            balance: Decimal::ZERO,
            due: BTreeSet::new(),
            anchor,
            latest_ms: Millis::MIN,
            salt: 0,
            lines: 0,
            masks: HashMap::new(),
        }
    }

    /// Takes in what has happened.
    pub(super) fn apply(&mut self, event: Event) {
        match event {
            Event::Born(birth) => {
                self.anchor = birth.clock;
                self.salt = birth.salt;
            }
            Event::Clock(anchor) => self.anchor = anchor,
            Event::Deposit(deposit) => {
                self.pass_to(deposit.at_ms);
                self.enter(EntryKind::Deposit, deposit.amount, String::new(), deposit.at_ms);
            }
            Event::Order(order) => self.accept(order),
            Event::Tampered(tampering) => self.tamper(&tampering),
        }
    }

    fn accept(&mut self, order: Order) {
        let at = order.course.created_ms;
        self.pass_to(at);
        let place = self.orders.len();
        self.by_ref
            .entry(order.reference.clone())
            .or_default()
            .push(place);
        self.by_id.insert(order.topup_id.clone(), place);
        if !order.cost.is_zero() {
            self.enter(EntryKind::Flexy, order.cost, order.topup_id.clone(), at);
            self.due.extend(order.refunded_at().map(|due| (due, place)));
        }
        self.orders.push(order);
    }

    /// Lets time pass: books the refunds that are due by then.
    pub(super) fn pass_to(&mut self, now: Millis) {
        self.latest_ms = self.latest_ms.max(now);
        while let Some((due, place)) = self.due.first().copied().filter(|(due, _)| *due <= now) {
            self.due.pop_first();
            if let Some(order) = self.orders.get(place) {
                let (cost, topup_id) = (order.cost, order.topup_id.clone());
                self.enter(EntryKind::RefundFlexy, cost, topup_id, due);
            }
        }
    }

    /// Writes a line, and moves the balance by it.
    pub(super) fn enter(&mut self, kind: EntryKind, amount: Decimal, topup_id: String, at: Millis) {
        let before = self.balance;
        self.balance = kind.applied(before, amount);
        self.lines += 1;
        self.entries.push(Entry {
            number: self.lines,
            kind,
            amount,
            before,
            after: self.balance,
            topup_id,
            at,
        });
    }

    /// Changes lines that are written already; the balances of all of them follow.
    pub(super) fn change_entries(&mut self, change: impl FnOnce(&mut Vec<Entry>)) {
        change(&mut self.entries);
        let mut balance = Decimal::ZERO;
        for entry in &mut self.entries {
            entry.before = balance;
            balance = entry.kind.applied(balance, entry.amount);
            entry.after = balance;
        }
        self.balance = balance;
    }

    /// An order's money will not come back.
    pub(super) fn owed_no_more(&mut self, topup_id: &str) {
        if let Some(lost) = self.by_id.get(topup_id).copied() {
            self.due.retain(|(_, place)| *place != lost);
        }
    }

    /// Money is gone, and no line says why.
    pub(super) fn lose(&mut self, amount: Decimal) {
        self.balance = self.balance.saturating_sub(amount);
    }

    /// What the list shows of an order in place of the truth, where somebody has changed it.
    pub(super) fn mask(&self, order: &Order) -> Option<&Mask> {
        self.masks.get(&order.topup_id)
    }

    /// The simulated now, which never goes back although the system's clock may.
    pub(super) fn now(&self) -> Millis {
        self.anchor.now().max(self.latest_ms)
    }

    /// How simulated time runs.
    pub(super) fn anchor(&self) -> Anchor {
        self.anchor
    }

    /// What tells the ids of these books from those of others.
    pub(super) fn salt(&self) -> i64 {
        self.salt
    }

    /// The balance.
    pub(super) fn balance(&self) -> Decimal {
        self.balance
    }

    /// Every order, oldest first.
    pub(super) fn orders(&self) -> &[Order] {
        &self.orders
    }

    /// Every transaction, oldest first.
    pub(super) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The newest order with a ref, as it was sent.
    pub(super) fn by_ref(&self, reference: &str) -> Option<&Order> {
        let place = self.by_ref.get(reference)?.last()?;
        self.orders.get(*place)
    }

    /// The order with an id.
    pub(super) fn by_id(&self, topup_id: &str) -> Option<&Order> {
        let place = self.by_id.get(topup_id)?;
        self.orders.get(*place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulator::journal::Deposit;
    use crate::simulator::order::{Course, Fate};
    use crate::simulator::switches::Switches;

    fn deposit(amount: i64, at_ms: Millis) -> Event {
        Event::Deposit(Deposit {
            amount: Decimal::from(amount),
            at_ms,
        })
    }

    fn order(topup_id: &str, fate: Fate, at: Millis) -> Event {
        Event::Order(Order {
            topup_id: topup_id.to_owned(),
            reference: format!("ref-{topup_id}"),
            phone: "0778037340".to_owned(),
            plan_code: "PREPAID_DJEZZY".to_owned(),
            amount: 500,
            cost: Decimal::from(490),
            course: Course::begin(at, fate, false, &Switches::default()),
        })
    }

    #[test]
    fn a_refund_is_booked_when_its_order_ends_and_only_once() {
        let mut books = Books::new(Anchor::start(0));
        books.apply(deposit(1000, 0));
        books.apply(order("a", Fate::Refunded, 1_000));
        books.pass_to(16_999);
        assert_eq!(books.balance(), Decimal::from(510));
        books.pass_to(17_000);
        books.pass_to(18_000);
        assert_eq!(books.balance(), Decimal::from(1000));
        assert_eq!(books.entries().len(), 3);
    }

    #[test]
    fn entries_are_in_order_of_time_and_chain() {
        let mut books = Books::new(Anchor::start(0));
        books.apply(deposit(5000, 0));
        books.apply(order("a", Fate::Offered, 1_000));
        books.apply(order("b", Fate::Fulfilled, 30_000));
        let kinds: Vec<_> = books.entries().iter().map(|entry| entry.kind.word()).collect();
        assert_eq!(kinds, ["DEPOSIT", "FLEXY", "REFUND-FLEXY", "FLEXY"]);
        for pair in books.entries().windows(2) {
            assert_eq!(pair[0].after, pair[1].before);
            assert!(pair[0].at <= pair[1].at);
        }
        assert_eq!(books.by_ref("ref-b"), books.by_id("b"));
    }
}
