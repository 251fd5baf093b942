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
        loop {
            let order = self.waiting.pop_front()?;
            if self.refs.remove(&order.intent.reference) {
                return Some(order);
            }
        }
    }

    /// A row that needs not be asked for any more.
    pub fn forget(&mut self, reference: &Ref) {
        self.refs.remove(reference);
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        self.refs.len()
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.refs.is_empty()
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

    #[test]
    fn a_row_that_is_forgotten_comes_only_when_it_is_lost_again() {
        let mut lost = Lost::default();
        for reference in ["r-1", "r-2"] {
            lost.push(order(reference));
        }
        lost.forget(&order("r-1").intent.reference);
        assert_eq!(lost.len(), 1);
        lost.push(order("r-1"));
        lost.forget(&order("r-2").intent.reference);
        assert_eq!(lost.len(), 1);
        let mut next = || lost.pop().map(|order| order.intent.reference.as_str().to_owned());
        assert_eq!([next(), next()], [Some("r-1".to_owned()), None]);
    }
}
