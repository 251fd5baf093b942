//! Asking about many open orders of an account at once, whatever batch they belong to: stretches of the provider's list
//! where these hold many of them. What no list shows is left to be asked about by its ref.

use std::collections::HashMap;
use std::time::Duration;

use jiff::Timestamp;

use super::sweep::{ListPage, without_contradictions};
use super::{Desk, Result, SweptTo, Trouble, attempt_about};
use crate::clock::{earlier, elapsed, later};
use crate::domain::{Order, Ref, Seen, State, Verdict};
use crate::ledger::{Change, LedgerError};

/// So few orders are asked about one by one: that costs no more than a page of the list.
const FEW: usize = 2;
/// Orders that were sent within so long of each other share a stretch of the list.
const GAP: Duration = Duration::from_mins(2);
/// Clocks differ: how far a stretch reaches before its first order.
const BEFORE: Duration = Duration::from_secs(30);
/// A request may land late, and its answer be long on its way: how far a stretch reaches behind its last order.
const BEHIND: Duration = Duration::from_mins(3);

/// What a survey has found.
#[derive(Debug, Default)]
pub struct Surveyed {
    /// Orders that the list has shown, as they stand now.
    pub shown: Vec<Order>,
    /// Orders that it has not: each is still to be asked about.
    pub left: Vec<Order>,
    /// What ended it before its time: the key, or being asked to stop.
    pub trouble: Option<Trouble>,
}

impl Desk {
    /// Looks for open orders on the provider's list, oldest first. A stretch of it is walked as long as it has fewer
    /// pages than orders that are looked for: single questions would cost no more.
    pub async fn survey(&self, mut orders: Vec<Order>) -> Result<Surveyed> {
        orders.sort_by_key(sent_at);
        let mut surveyed = Surveyed::default();
        let mut stretch: Vec<Order> = Vec::new();
        for order in orders {
            if !matches!(order.state, State::Accepted | State::InReview | State::Unknown)
                || self.ledger.is_being_sent(&order)
            {
                surveyed.left.push(order);
                continue;
            }
            let is_far = stretch
                .last()
                .is_some_and(|last| elapsed(sent_at(last), sent_at(&order)) > GAP);
            if is_far {
                self.stretch(std::mem::take(&mut stretch), &mut surveyed).await?;
            }
            stretch.push(order);
        }
        self.stretch(stretch, &mut surveyed).await?;
        surveyed.left.sort_by_key(sent_at);
        Ok(surveyed)
    }

    async fn stretch(&self, orders: Vec<Order>, surveyed: &mut Surveyed) -> Result<()> {
        let (Some(first), Some(last)) = (orders.first(), orders.last()) else {
            return Ok(());
        };
        if orders.len() <= FEW || surveyed.trouble.is_some() {
            surveyed.left.extend(orders);
            return Ok(());
        }
        let from = self.client.theirs(earlier(sent_at(first), BEFORE));
        let to = self.client.theirs(later(sent_at(last), BEHIND));
        let mut wanted = Wanted::of(orders);
        let mut number = 1;
        while usize::try_from(number).unwrap_or(usize::MAX) <= wanted.by_ref.len().max(1) {
            match self.list_page(number, from, to).await {
                Ok(page) => {
                    let is_last = page.is_last;
                    surveyed.shown.extend(self.read(&mut wanted, page).await?);
                    if is_last {
                        break;
                    }
                }
                Err(SweptTo::Refused(auth)) => surveyed.trouble = Some(Trouble::Auth(auth)),
                Err(SweptTo::Interrupted(signal)) => surveyed.trouble = Some(Trouble::Interrupted(signal)),
                // Nothing is concluded from a list that can't be read.
                Err(SweptTo::End | SweptTo::Unclear(_)) => break,
            }
            if surveyed.trouble.is_some() {
                break;
            }
            number += 1;
        }
        surveyed.left.extend(wanted.by_ref.into_values());
        Ok(())
    }

    /// Takes over what a page shows of the orders that are wanted, in one commit. What is no news is kept with them too:
    /// somebody has asked.
    async fn read(&self, wanted: &mut Wanted, page: ListPage) -> Result<Vec<Order>> {
        let ListPage { exchange, page, .. } = page;
        let page = without_contradictions(page);
        let prefix = format!("API-{}-", self.account.username);
        let mut changes = Vec::new();
        for (seen, text) in page.orders.into_iter().zip(page.texts) {
            let Some(order) = wanted.behind(&seen, &prefix) else {
                continue;
            };
            let attempt = attempt_about(&exchange, seen.status.word(), text);
            match self.news(&order, &seen, attempt.clone()) {
                Some(change) => changes.push(Box::new((order, change))),
                // The list proves too little of it, or shows another one's details: asked about by itself.
                None if order.state == State::Unknown || is_in_doubt(&order, &seen) => wanted.put_back(order),
                None => {
                    let change = Change {
                        asked: Some(attempt),
                        ..Change::to(order.state, self.clock.now(), "asked again")
                    };
                    changes.push(Box::new((order, change)));
                }
            }
        }
        let before: Vec<_> = changes.iter().map(|change| change.0.clone()).collect();
        let mut shown = Vec::with_capacity(before.len());
        for (changed, order) in self.ledger.change_all(changes).await?.into_iter().zip(before) {
            shown.push(match changed {
                Ok(order) => order,
                // Another process was faster: what it wrote is the truth.
                Err(LedgerError::Stale(_) | LedgerError::Illegal(_)) => self.reread(&order)?,
                Err(source) => return Err(source.into()),
            });
        }
        Ok(shown)
    }
}

fn sent_at(order: &Order) -> Timestamp {
    order.sent_at.unwrap_or(order.created_at)
}

fn is_in_doubt(order: &Order, seen: &Seen) -> bool {
    matches!(order.intent.compare(seen), Verdict::Different(_))
}

/// The orders that a stretch is walked for.
struct Wanted {
    by_ref: HashMap<Ref, Order>,
}

impl Wanted {
    fn of(orders: Vec<Order>) -> Self {
        let by_ref = orders
            .into_iter()
            .map(|order| (order.intent.reference.clone(), order))
            .collect();
        Self { by_ref }
    }

    /// The order that a row is about, taken out: by its ref, raw or prefixed, and by its id where the row shows no ref.
    fn behind(&mut self, seen: &Seen, prefix: &str) -> Option<Order> {
        let reference = if let Some(theirs) = seen.reference.as_deref() {
            let spellings = [theirs.strip_prefix(prefix), Some(theirs)];
            spellings
                .into_iter()
                .flatten()
                .filter_map(|text| text.parse::<Ref>().ok())
                .find(|reference| self.by_ref.contains_key(reference))?
        } else {
            let mut orders = self.by_ref.values();
            let by_id = orders.find(|order| order.topup_id.is_some() && order.topup_id == seen.id)?;
            by_id.intent.reference.clone()
        };
        let is_another =
            |order: &Order| order.topup_id.is_some() && seen.id.is_some() && order.topup_id != seen.id;
        if self.by_ref.get(&reference).is_some_and(is_another) {
            return None;
        }
        self.by_ref.remove(&reference)
    }

    fn put_back(&mut self, order: Order) {
        self.by_ref.insert(order.intent.reference.clone(), order);
    }
}
