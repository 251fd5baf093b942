//! Lines of the account that name no order, assigned by amount and time. Which of several equal orders a line is about
//! can't be told; how many there are can.

use std::collections::{HashMap, HashSet, VecDeque};

/// How far a line may be from its order.
const APART_MS_MAX: i64 = 5 * 60 * 1_000;

/// An order that is to be paid for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Owed {
    pub order: i64,
    /// What it cost; the list shows none of a refunded one.
    pub cost: Option<i64>,
    pub at: i64,
    pub is_refunded: bool,
}

/// A line of the account.
#[derive(Debug, Clone, Copy)]
pub(super) struct Charge {
    pub entry: i64,
    pub amount: i64,
    pub at: i64,
}

/// Pairs of line and order. All lists are in order of time.
pub(super) fn pair(owed: &[Owed], debits: &[Charge], refunds: &[Charge]) -> Vec<(i64, i64)> {
    let mut pairs = Vec::new();
    let mut taken = HashSet::new();
    let mut queues = queues_of(debits);
    for order in owed.iter().filter(|order| !order.is_refunded) {
        let queue = order.cost.and_then(|cost| queues.get_mut(&cost));
        if let Some(debit) = queue.and_then(|queue| next_near(queue, order.at)) {
            taken.insert(debit.entry);
            pairs.push((debit.entry, order.order));
        }
    }
    let left: Vec<_> = debits
        .iter()
        .filter(|debit| !taken.contains(&debit.entry))
        .copied()
        .collect();
    pair_refunded(owed, &left, refunds, &mut pairs);
    pairs
}

/// Refunded orders show no cost: each takes a debit near it, one whose amount has come back where there is one.
fn pair_refunded(owed: &[Owed], debits: &[Charge], refunds: &[Charge], pairs: &mut Vec<(i64, i64)>) {
    let mut back = queues_of(refunds);
    let mut free: VecDeque<Charge> = debits.iter().copied().collect();
    for order in owed.iter().filter(|order| order.is_refunded) {
        while free
            .front()
            .is_some_and(|debit| debit.at < order.at - APART_MS_MAX)
        {
            free.pop_front();
        }
        let near = free
            .iter()
            .take_while(|debit| debit.at <= order.at + APART_MS_MAX);
        let has_come_back = |debit: &Charge| back.get(&debit.amount).is_some_and(|queue| !queue.is_empty());
        let place = near
            .clone()
            .position(has_come_back)
            .or(near.clone().next().map(|_| 0));
        let Some(debit) = place.and_then(|place| free.remove(place)) else {
            continue;
        };
        pairs.push((debit.entry, order.order));
        if let Some(refund) = back.get_mut(&debit.amount).and_then(VecDeque::pop_front) {
            pairs.push((refund.entry, order.order));
        }
    }
}

fn queues_of(charges: &[Charge]) -> HashMap<i64, VecDeque<Charge>> {
    let mut queues: HashMap<i64, VecDeque<Charge>> = HashMap::new();
    for charge in charges {
        queues.entry(charge.amount).or_default().push_back(*charge);
    }
    queues
}

/// The next line that is near a moment; those long before it are about nothing that is still to come.
fn next_near(queue: &mut VecDeque<Charge>, at: i64) -> Option<Charge> {
    while queue.front()?.at < at - APART_MS_MAX {
        queue.pop_front();
    }
    if queue.front()?.at > at + APART_MS_MAX {
        return None;
    }
    queue.pop_front()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owed(order: i64, cost: i64, at: i64) -> Owed {
        Owed {
            order,
            cost: (cost > 0).then_some(cost),
            at,
            is_refunded: cost == 0,
        }
    }

    fn charge(entry: i64, amount: i64, at: i64) -> Charge {
        Charge { entry, amount, at }
    }

    #[test]
    fn equal_amounts_go_by_time_and_what_is_over_stays_over() {
        let orders = [owed(1, 500, 1_000), owed(2, 500, 2_000), owed(3, 700, 3_000)];
        let debits = [
            charge(11, 500, 1_000),
            charge(12, 500, 2_000),
            charge(13, 700, 3_000),
            charge(14, 500, 4_000),
        ];
        assert_eq!(pair(&orders, &debits, &[]), [(11, 1), (12, 2), (13, 3)]);
        assert_eq!(
            pair(&[owed(1, 500, 0)], &[charge(11, 500, APART_MS_MAX + 1)], &[]),
            []
        );
    }

    #[test]
    fn a_refunded_order_takes_a_debit_that_has_come_back() {
        let orders = [owed(1, 0, 1_000)];
        let debits = [charge(11, 300, 900), charge(12, 500, 1_000)];
        assert_eq!(
            pair(&orders, &debits, &[charge(21, 500, 9_000)]),
            [(12, 1), (21, 1)]
        );
        assert_eq!(pair(&orders, &debits, &[]), [(11, 1)]);
    }
}
