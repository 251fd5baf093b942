//! Rows whose answers were lost and that a sweep did not show: they wait to be asked for, each once.

use std::collections::{HashSet, VecDeque};

use crate::domain::{Order, Ref};

/// In the order in which they came. Every sweep hands over what it does not show, again and again.
#[derive(Debug, Default)]
pub(super) struct Lost {
    waiting: VecDeque<Order>,
    refs: HashSet<Ref>,
}

impl Lost {
    /// Puts a row behind the others, unless it waits already.
    pub fn push(&mut self, order: Order) {
        if self.refs.insert(order.intent.reference.clone()) {
            self.waiting.push_back(order);
        }
    }

    /// The row that has waited longest.
    pub fn pop(&mut self) -> Option<Order> {
        let order = self.waiting.pop_front()?;
        self.refs.remove(&order.intent.reference);
        Some(order)
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::results::tests::order;

    #[test]
    fn a_row_waits_once_and_may_come_again() {
        let mut lost = Lost::default();
        for reference in ["r-1", "r-2", "r-1"] {
            lost.push(order(reference));
        }
        let mut next = || lost.pop().map(|order| order.intent.reference.as_str().to_owned());
        assert_eq!(
            [next(), next(), next()],
            [Some("r-1".to_owned()), Some("r-2".to_owned()), None]
        );
        lost.push(order("r-1"));
        assert!(!lost.is_empty());
    }
}
