//! Asking for many orders at once: a stretch of the provider's list. Each row of a page is held against the ledger, so
//! that a stretch may be of any length (design, section 4).

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use jiff::Timestamp;

use super::recover::shown_state;
use super::{ASKED_TO_WAIT_MAX, Desk, Result, asked_to_wait, attempt_about};
use crate::api::{AuthFault, Exchange, Fault, Page, read_data, read_page};
use crate::domain::{Money, Order, Ref, Seen, State, Verdict};
use crate::ledger::{Attempt, Batch, Change, LedgerError};
use crate::promise::{Rule, holds};
use crate::stop::Signal;

/// The most pages of one stretch: two million orders.
const PAGES_MAX: u32 = 20_000;
/// A page with so many rows may be followed by another.
const FULL_PAGE: usize = 100;

/// How a sweep of a stretch ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SweptTo {
    /// All of it has been seen.
    End,
    /// The list can't be read: what was not seen may be on it.
    Unclear(String),
    /// The key was refused.
    Refused(AuthFault),
    /// Asked to stop.
    Interrupted(Signal),
}

/// What a page did to the orders that it shows.
#[derive(Debug, Default)]
pub struct Swept {
    /// Orders that stand somewhere else than before, with where they stood.
    pub moved: Vec<(State, Order)>,
    /// What each of them was expected to cost before the provider said it.
    pub expected: Vec<Option<Money>>,
    /// Which of the open orders that are looked for the page shows.
    pub seen: Vec<Ref>,
    /// When those of them were sent that the provider was known to have, and whether they have ended.
    pub lives: Vec<(Timestamp, bool)>,
}

/// What a page says of one order, in however many rows.
struct Told {
    order: Order,
    news: Option<Change>,
    /// Whether it says where the order stands.
    is_seen: bool,
    /// Whether it says several things that can't all be true.
    is_contradictory: bool,
}

impl Told {
    /// A further row about the same order. One that is another order's gives way to one that is ours; two ends of one order
    /// tell nothing.
    fn add(&mut self, news: Option<Change>, is_seen: bool) {
        let ends = |change: &Change| (change.to != State::Conflict).then_some(change.to);
        match (&self.news, news) {
            (Some(known), Some(new)) => match (ends(known), ends(&new)) {
                (None, Some(_)) => self.news = Some(new),
                (Some(one), Some(other)) if one != other => self.is_contradictory = true,
                _ => {}
            },
            (None, Some(new)) => self.news = Some(new),
            (_, None) => {}
        }
        self.is_seen |= is_seen;
    }
}

/// One page of the list, still to be held against the ledger.
#[derive(Debug)]
pub struct ListPage {
    pub(super) exchange: Exchange,
    pub(super) page: Page,
    /// Whether there is none behind it.
    pub is_last: bool,
}

impl ListPage {
    /// What it shows.
    pub fn page(&self) -> &Page {
        &self.page
    }

    /// Whether it shows the rows of the page before once more, and is not the last one either: a provider that does not
    /// turn the pages would be asked for ever.
    pub fn is_again(&self, before: &[String]) -> bool {
        !self.is_last && self.page.texts == before && !before.is_empty()
    }
}

impl Desk {
    /// Asks for a page of the provider's list between two moments of its clock, from page 1 on. With patience: faults
    /// on the way do not end a sweep.
    pub async fn list_page(
        &self,
        number: u32,
        from: Timestamp,
        to: Timestamp,
    ) -> std::result::Result<ListPage, SweptTo> {
        let (mut tries, mut waited) = (0, Duration::ZERO);
        loop {
            let asked = self.stop.race(self.client.list(number, from, to)).await;
            let exchange = asked.map_err(SweptTo::Interrupted)?;
            let fault = match page_of(&exchange) {
                Ok(page) => {
                    let is_last = number >= PAGES_MAX
                        || page.rows == 0
                        || page
                            .pages
                            .map_or(page.rows < FULL_PAGE, |pages| u64::from(number) >= pages);
                    return Ok(ListPage {
                        exchange,
                        page,
                        is_last,
                    });
                }
                Err(fault) => fault,
            };
            let pause = match &fault {
                Fault::Auth(auth) => return Err(SweptTo::Refused(auth.clone())),
                Fault::Wait(wait) => {
                    let pause = asked_to_wait(*wait, &self.pace);
                    waited += pause;
                    (waited <= ASKED_TO_WAIT_MAX).then_some(pause)
                }
                passing if passing.is_passing() => {
                    tries += 1;
                    (tries < self.pace.retry_attempts).then(|| self.pace.backoff(tries - 1))
                }
                _ => None,
            };
            let Some(pause) = pause else {
                return Err(SweptTo::Unclear(fault.describe()));
            };
            self.stop.sleep(pause).await.map_err(SweptTo::Interrupted)?;
        }
    }

    /// Brings the open orders that a page shows up to date, in one commit: those of a batch, or all of the account.
    pub async fn take_over(&self, batch: Option<&Batch>, shown: ListPage) -> Result<Swept> {
        let ListPage { exchange, page, .. } = shown;
        let page = without_contradictions(page);
        let mut swept = Swept::default();
        let (mut told, mut places) = (Vec::<Told>::new(), HashMap::new());
        let nameless = self.by_ids(batch, &page)?;
        for (seen, text) in page.orders.into_iter().zip(page.texts) {
            let Some(order) = self.order_behind(batch, &seen, &nameless)? else {
                continue;
            };
            let attempt = attempt_about(&exchange, seen.status.word(), text);
            let news = self.news(&order, &seen, attempt);
            // An unknown order without news is one that the list proves too little of.
            let is_seen = news.is_some() || order.state != State::Unknown;
            let place = *places.entry(order.intent.reference.clone()).or_insert(told.len());
            match told.get_mut(place) {
                Some(known) => known.add(news, is_seen),
                None => told.push(Told {
                    order,
                    news,
                    is_seen,
                    is_contradictory: false,
                }),
            }
        }
        let mut changes = Vec::new();
        for told in told.into_iter().filter(|told| !told.is_contradictory) {
            if told.is_seen {
                swept.seen.push(told.order.intent.reference.clone());
            }
            if let (State::Accepted, Some(sent_at)) = (told.order.state, told.order.sent_at) {
                let has_ended = told.news.as_ref().is_some_and(|news| news.to.is_final());
                swept.lives.push((sent_at, has_ended));
            }
            changes.extend(told.news.map(|change| Box::new((told.order, change))));
        }
        let read: Vec<_> = changes.iter().map(|change| change.0.clone()).collect();
        for (changed, read) in self.ledger.change_all(changes).await?.into_iter().zip(read) {
            let order = match changed {
                Ok(order) => order,
                // Another process was faster: what it wrote is the truth.
                Err(LedgerError::Stale(_) | LedgerError::Illegal(_)) => self.reread(&read)?,
                Err(source) => return Err(source.into()),
            };
            swept.expected.push(read.cost);
            swept.moved.push((read.state, order));
        }
        Ok(swept)
    }

    /// Orders of rows that show no ref, by the provider's ids.
    fn by_ids(&self, batch: Option<&Batch>, page: &Page) -> Result<Vec<Order>> {
        let nameless = page.orders.iter().filter(|seen| seen.reference.is_none());
        let ids: Vec<_> = nameless
            .filter_map(|seen| Some(seen.id.as_ref()?.as_str()))
            .collect();
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        Ok(self.ledger.open_by_id(&self.account, batch, &ids)?)
    }

    /// The open order that a row of the list is about: its id must be ours where both are known, and its
    /// ref, raw or prefixed.
    fn order_behind(&self, batch: Option<&Batch>, seen: &Seen, nameless: &[Order]) -> Result<Option<Order>> {
        let Some(theirs) = seen.reference.as_deref() else {
            let by_id = nameless.iter().find(|order| order.topup_id == seen.id);
            return Ok(by_id.cloned());
        };
        let prefix = format!("API-{}-", self.account.username);
        for spelling in [theirs.strip_prefix(&prefix), Some(theirs)].into_iter().flatten() {
            let Ok(reference) = spelling.parse::<Ref>() else {
                continue;
            };
            let Some(order) = self.ledger.find(&self.account, &reference)? else {
                continue;
            };
            let is_of_batch = batch.is_none_or(|batch| order.batch.as_deref() == Some(batch.label.as_str()));
            // What another process is sending just now is that one's to follow.
            let is_busy =
                batch.is_none() && order.state == State::Unknown && self.ledger.is_being_sent(&order);
            let is_another = order.topup_id.is_some() && seen.id.is_some() && order.topup_id != seen.id;
            let is_asked_about = matches!(order.state, State::Accepted | State::InReview | State::Unknown);
            return Ok(Some(order).filter(|_| is_of_batch && is_asked_about && !is_another && !is_busy));
        }
        Ok(None)
    }

    /// What a row of the list changes about its order; none where it says nothing new, or nothing sure.
    pub(super) fn news(&self, order: &Order, seen: &Seen, attempt: Attempt) -> Option<Change> {
        match order.intent.compare(seen) {
            _ if !holds(Rule::AdoptionCompares) => {}
            Verdict::Same => {}
            // An order that the provider's own id leads to is proved by that id.
            Verdict::Unproven if order.topup_id.is_some() && order.topup_id == seen.id => {}
            Verdict::Unproven => return None,
            Verdict::Different(differences) => {
                // Another order's details under our id prove nothing about one that was accepted.
                let is_ours = order.state != State::Unknown;
                return (!is_ours).then(|| self.conflict(&differences, seen, attempt));
            }
        }
        // That it goes from queue to work is no news worth a write.
        let is_news = shown_state(order, seen) != order.state || order.topup_id.is_none();
        is_news.then(|| self.adoption(order, seen, attempt))
    }
}

/// A page without the rows that give one order two ends: they tell nothing of it, and it is asked about by itself.
pub(super) fn without_contradictions(page: Page) -> Page {
    let key = |seen: &Seen| {
        let id = seen.id.as_ref().map(|id| id.as_str().to_owned());
        id.or_else(|| seen.reference.clone())
    };
    let mut ends = HashMap::<String, State>::new();
    let mut contradicted = HashSet::new();
    for seen in &page.orders {
        let end = seen.status.state();
        let Some(key) = key(seen).filter(|_| end.is_final()) else {
            continue;
        };
        if *ends.entry(key.clone()).or_insert(end) != end {
            contradicted.insert(key);
        }
    }
    if contradicted.is_empty() {
        return page;
    }
    let rows = page.orders.into_iter().zip(page.texts);
    let kept = rows.filter(|(seen, _)| key(seen).is_none_or(|key| !contradicted.contains(&key)));
    let (orders, texts) = kept.unzip();
    Page {
        orders,
        texts,
        ..page
    }
}

fn page_of(exchange: &Exchange) -> std::result::Result<Page, Fault> {
    let data = read_data(exchange)?;
    read_page(data, exchange.meta()).ok_or_else(|| Fault::Unclear("the list can't be read".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ProviderStatus;

    #[test]
    fn two_ends_of_one_order_are_none() {
        let row = |id: &str, status: &str| Seen {
            id: crate::domain::TopupId::new(id),
            reference: None,
            status: ProviderStatus::named(status),
            plan: None,
            phone: None,
            amount: None,
            cost: None,
            created_at: None,
            message: None,
            offers: Vec::new(),
        };
        let told = |rows: &[(&str, &str)]| {
            let page = Page {
                orders: rows.iter().map(|(id, status)| row(id, status)).collect(),
                texts: rows.iter().map(|(id, status)| format!("{id} {status}")).collect(),
                ..Page::default()
            };
            without_contradictions(page).texts
        };
        assert_eq!(
            told(&[("a", "REFUNDED"), ("b", "FULFILLED"), ("a", "FULFILLED")]),
            ["b FULFILLED"]
        );
        let once = [
            ("a", "HANDLING"),
            ("a", "FULFILLED"),
            ("b", "REFUNDED"),
            ("b", "REFUNDED"),
        ];
        assert_eq!(told(&once).len(), once.len());
    }

    #[test]
    fn a_page_that_comes_again_is_known_unless_it_is_the_last() {
        let exchange = Exchange {
            endpoint: crate::api::Endpoint::List,
            path: String::new(),
            request: None,
            started_at: Timestamp::UNIX_EPOCH,
            ended_at: Timestamp::UNIX_EPOCH,
            outcome: crate::api::Outcome::NotSent(String::new()),
        };
        let page = |rows: &[&str], is_last| ListPage {
            exchange: exchange.clone(),
            page: Page {
                texts: rows.iter().map(|row| (*row).to_owned()).collect(),
                ..Page::default()
            },
            is_last,
        };
        let before = ["a".to_owned(), "b".to_owned()];
        assert!(page(&["a", "b"], false).is_again(&before));
        assert!(!page(&["a", "c"], false).is_again(&before));
        assert!(!page(&["a", "b"], true).is_again(&before));
        assert!(!page(&["a", "b"], false).is_again(&[]));
        assert!(!page(&[], false).is_again(&[]));
    }
}
