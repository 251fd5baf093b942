//! Looking for one order at the provider: by id, by ref in both spellings, and through the list.

use std::time::Duration;

use super::sweep::without_contradictions;
use super::{Desk, attempt_of};
use crate::api::{Exchange, Fault, read_data, read_page, read_seen, refuses_the_request};
use crate::clock::{earlier, later};
use crate::domain::{Difference, Order, Seen, Verdict};
use crate::ledger::Attempt;
use crate::promise::{Rule, holds};

/// The most pages that one look through the list takes.
const PAGES_MAX: u32 = 50;
/// How far before and after an order the list is looked through: clocks differ, and writing takes its time.
const AROUND: Duration = Duration::from_mins(15);

/// What was seen of an order.
#[derive(Debug)]
pub(super) enum Sight {
    /// It is there, and it is the one that was meant.
    Found(Box<Seen>, Attempt),
    /// Something else is there under its ref.
    Foreign(Vec<Difference>, Box<Seen>, Attempt),
    /// The provider says, in its own envelope, that it is not there.
    Absent(Attempt),
    /// Nothing can be concluded.
    Unclear(String, Option<Attempt>),
    /// The key was refused.
    Refused(crate::api::AuthFault, Attempt),
    /// The provider asks to wait.
    Wait(Option<Duration>),
}

/// When the list is looked through for one order. It takes a page for every hundred orders around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum List {
    /// Not at all: a sweep has looked through it.
    Never,
    /// Where the checks say nothing sure.
    WhereUnclear,
    /// There, and where they say that the order is absent.
    BehindAbsence,
}

impl Desk {
    /// Looks for an order by id where it has one, by its ref raw and prefixed, and, as far as `list` says, in the
    /// list around the time of sending.
    pub(super) async fn look(&self, order: &Order, list: List) -> Sight {
        let direct = self.look_directly(order).await;
        match direct {
            sight if list == List::Never => sight,
            Sight::Absent(_) if list == List::BehindAbsence => match self.look_through_list(order).await {
                found @ (Sight::Found(..) | Sight::Foreign(..) | Sight::Refused(..) | Sight::Wait(_)) => {
                    found
                }
                Sight::Absent(_) | Sight::Unclear(..) => direct,
            },
            Sight::Unclear(why, attempt) => match self.look_through_list(order).await {
                // Not being on a list proves nothing: it may be sorted, paged or delayed in ways nobody documents.
                Sight::Absent(_) => Sight::Unclear(why, attempt),
                Sight::Unclear(more, other) if more == why => Sight::Unclear(why, attempt.or(other)),
                Sight::Unclear(more, other) => Sight::Unclear(format!("{why}; {more}"), attempt.or(other)),
                sure => sure,
            },
            sure => sure,
        }
    }

    async fn look_directly(&self, order: &Order) -> Sight {
        if let Some(id) = &order.topup_id {
            match sight_of(order, &self.client.check_id(id.as_str()).await) {
                // An id that the provider gave and does not know yet is late, not absent; the ref may show more.
                Sight::Absent(_) | Sight::Unclear(..) => {}
                sure => return sure,
            }
        }
        let reference = &order.intent.reference;
        let raw = self.client.check_ref(reference.as_str()).await;
        let by_raw = sight_of(order, &raw);
        if !matches!(by_raw, Sight::Absent(_) | Sight::Unclear(..)) {
            return by_raw;
        }
        let prefixed = self
            .client
            .check_ref(&reference.prefixed(&self.account.username))
            .await;
        let by_prefixed = sight_of(order, &prefixed);
        match (by_raw, by_prefixed) {
            (Sight::Absent(attempt), Sight::Absent(_)) => Sight::Absent(attempt),
            // One spelling is refused as no ref at all, so the other is the one that counts.
            (Sight::Absent(attempt), Sight::Unclear(..)) if is_refused(&prefixed) => Sight::Absent(attempt),
            (Sight::Unclear(..), Sight::Absent(attempt)) if is_refused(&raw) => Sight::Absent(attempt),
            (Sight::Absent(_), other) | (other, Sight::Absent(_)) => other,
            (Sight::Unclear(why, attempt), Sight::Unclear(..)) => Sight::Unclear(why, attempt),
            (_, sure) => sure,
        }
    }

    /// Walks the list around the time of sending, all pages, whichever way it is sorted.
    async fn look_through_list(&self, order: &Order) -> Sight {
        let from = self.client.theirs(earlier(super::around(order), AROUND));
        let to = self.client.theirs(later(self.clock.now(), AROUND));
        let mut last = None;
        for number in 1..=PAGES_MAX {
            let exchange = self.client.list(number, from, to).await;
            let data = match read_data(&exchange) {
                Ok(data) => data,
                Err(fault) => return sight_of_fault(fault, &exchange),
            };
            let Some(page) = read_page(data, exchange.meta()) else {
                return Sight::Unclear(
                    "the list can't be read".to_owned(),
                    Some(attempt_of(&exchange, "unreadable")),
                );
            };
            let is_told_of = page.orders.iter().any(|seen| self.is_about(order, seen));
            let page = without_contradictions(page);
            let mut rows = page.orders.into_iter().zip(page.texts);
            if let Some((seen, text)) = rows.find(|(seen, _)| self.is_about(order, seen)) {
                return with_row(judged(order, seen, &exchange), text);
            }
            if is_told_of {
                let why = "the list gives the order two ends".to_owned();
                return Sight::Unclear(why.clone(), Some(attempt_of(&exchange, why)));
            }
            let is_last = page
                .pages
                .map_or(page.rows < 100, |pages| u64::from(number) >= pages);
            last = Some(exchange);
            if is_last || page.rows == 0 {
                break;
            }
        }
        let attempt = last.map(|exchange| attempt_of(&exchange, "not on the list"));
        let attempt = attempt.map(|attempt| Attempt {
            answer: Some("no row of it is about this order".to_owned()),
            ..attempt
        });
        attempt.map_or_else(
            || Sight::Unclear("the list is empty".to_owned(), None),
            Sight::Absent,
        )
    }

    fn is_about(&self, order: &Order, seen: &Seen) -> bool {
        let by_id = order.topup_id.is_some() && order.topup_id == seen.id;
        let username = &self.account.username;
        by_id
            || seen
                .reference
                .as_ref()
                .is_some_and(|theirs| order.intent.reference.is_meant_by(theirs, username))
    }
}

/// What a check says about an order.
fn sight_of(order: &Order, exchange: &Exchange) -> Sight {
    match read_data(exchange).map(read_seen) {
        Ok(Some(seen)) => {
            // Whatever the prefix is, an answer about another ref is no answer about this one.
            let ours = &order.intent.reference;
            if seen
                .reference
                .as_ref()
                .is_some_and(|theirs| !ours.may_be_meant_by(theirs))
            {
                let why = "the answer is about another ref".to_owned();
                return Sight::Unclear(why.clone(), Some(attempt_of(exchange, why)));
            }
            judged(order, seen, exchange)
        }
        Ok(None) => Sight::Unclear(
            "the answer names no status".to_owned(),
            Some(attempt_of(exchange, "unreadable")),
        ),
        Err(fault) => sight_of_fault(fault, exchange),
    }
}

fn sight_of_fault(fault: Fault, exchange: &Exchange) -> Sight {
    let attempt = attempt_of(exchange, fault.describe());
    match fault {
        Fault::Auth(auth) => Sight::Refused(auth, attempt),
        Fault::Wait(wait) => Sight::Wait(wait),
        Fault::NotFound => Sight::Absent(attempt),
        Fault::NoRoute | Fault::Refused { .. } | Fault::NotSent(_) | Fault::Unclear(_) => {
            Sight::Unclear(fault.describe(), Some(attempt))
        }
    }
}

/// Phone, plan and amount are compared on every adoption (design, section 2).
fn judged(order: &Order, seen: Seen, exchange: &Exchange) -> Sight {
    let attempt = attempt_of(exchange, seen.status.word());
    match order.intent.compare(&seen) {
        _ if !holds(Rule::AdoptionCompares) => Sight::Found(Box::new(seen), attempt),
        Verdict::Same => Sight::Found(Box::new(seen), attempt),
        Verdict::Different(differences) => Sight::Foreign(differences, Box::new(seen), attempt),
        // An order that the provider's own id leads to is proved by that id.
        Verdict::Unproven if order.topup_id.is_some() && order.topup_id == seen.id => {
            Sight::Found(Box::new(seen), attempt)
        }
        Verdict::Unproven => Sight::Unclear(
            "the answer shows too little of the order".to_owned(),
            Some(attempt),
        ),
    }
}

/// Of a page of the list only the row about the order is kept with it: the others are other customers'.
fn with_row(sight: Sight, text: String) -> Sight {
    let only_row = |attempt: Attempt| Attempt {
        answer: Some(text),
        ..attempt
    };
    match sight {
        Sight::Found(seen, attempt) => Sight::Found(seen, only_row(attempt)),
        Sight::Foreign(differences, seen, attempt) => Sight::Foreign(differences, seen, only_row(attempt)),
        Sight::Unclear(why, attempt) => Sight::Unclear(why, attempt.map(only_row)),
        other @ (Sight::Absent(_) | Sight::Refused(..) | Sight::Wait(_)) => other,
    }
}

/// Whether a spelling was refused as no ref at all. A timeout, or a code that nobody has heard of, refuses none.
fn is_refused(exchange: &Exchange) -> bool {
    matches!(read_data(exchange), Err(Fault::Refused { code, status, .. }) if refuses_the_request(&code, status))
}
