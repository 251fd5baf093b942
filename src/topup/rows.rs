//! The rows of a batch: claimed many at a time, sent like any other order, and asked about by sweeps.

use super::meaning::{Next, Patience};
use super::send::{Asking, Sent, Wish};
use super::{Desk, REF_TAKEN, Result, Standing, Tell, Unrecorded};
use crate::api::Client;
use crate::domain::{Order, Ref, State};
use crate::ledger::{Batch, Change, ClaimCursor, ClaimRules, Claims, Guard, LedgerError, Written};

/// What came of the request of a row. Nothing of it is stored yet.
#[derive(Debug)]
pub enum RowSent {
    /// The row stands: [`Desk::store_answers`] stores that.
    Answered(RowAnswer),
    /// Anything but good news: [`Desk::go_on_with_row`] stores it, and does what is to be done.
    Open(RowOpen),
}

/// The answer that says where a row stands.
#[derive(Debug)]
pub struct RowAnswer(Box<(Order, Change)>);

/// A row whose answer is no plain acceptance.
#[derive(Debug)]
pub struct RowOpen(Box<Sent>);

impl RowOpen {
    /// The ref of the row.
    pub fn reference(&self) -> &Ref {
        &self.0.written.order.intent.reference
    }

    /// What came back, where that doesn't tell what became of the request. That a ref is taken tells enough.
    pub fn doubt(&self) -> Option<&str> {
        let meaning = &self.0.meaning;
        let is_in_doubt = matches!(meaning.next, Next::Recover { .. }) && meaning.why != REF_TAKEN;
        is_in_doubt.then_some(meaning.why.as_str())
    }
}

impl Desk {
    /// Claims up to `limit` rows of a batch: they stand in the ledger as `sending` when this returns.
    pub async fn claim(
        &self,
        batch: &Batch,
        guard: Guard,
        cursor: ClaimCursor,
        limit: u32,
    ) -> Result<Claims> {
        let at = self.clock.now();
        let rules = ClaimRules {
            guard,
            at,
            their_at: self.client.theirs(at),
            request: Client::send_request,
        };
        Ok(self
            .ledger
            .claim(&self.account, batch, rules, cursor, limit)
            .await?)
    }

    /// Takes over the rows of a batch whose answers were lost: this process asks about them from now on.
    pub async fn take_over_lost(&self, batch: &Batch) -> Result<u64> {
        let (request, at) = (Client::send_request, self.clock.now());
        Ok(self.ledger.take_over_lost(batch, request, at).await?)
    }

    /// Sends a claimed row, once.
    pub async fn send_row(&self, written: Box<Written>) -> Result<RowSent> {
        // A first request follows no other.
        let is_in_doubt = written.order.attempts > 1 && self.has_been_unknown(&written.order)?;
        let mut sent = self.post(written, Patience::new(is_in_doubt), &|_| {}).await;
        if matches!(sent.meaning.next, Next::Stand(None, _)) {
            let change = self.answer(&mut sent);
            let answer = RowAnswer(Box::new((sent.written.order, change)));
            return Ok(RowSent::Answered(answer));
        }
        Ok(RowSent::Open(RowOpen(Box::new(sent))))
    }

    /// Stores the answer of a row, and does what is to be done next. Where the answer was lost the row is left
    /// `unknown`, and this process goes on being the one that asks about it.
    pub async fn go_on_with_row(&self, open: RowOpen, tell: Tell<'_>) -> Result<Standing> {
        let wish = wish_of(&open.0.written.order);
        self.go_on(&wish, *open.0, Asking::BySweep, tell).await
    }

    /// Stores the answers of many rows in one transaction; durable when this returns.
    pub async fn store_answers(&self, answers: Vec<RowAnswer>) -> Result<Vec<Order>> {
        let first = answers.first().map(|answer| {
            let (order, change) = &*answer.0;
            (Box::new(order.clone()), change.why.clone())
        });
        let changes = answers.into_iter().map(|answer| answer.0).collect();
        let stored = self.ledger.change_all(changes).await;
        let unrecorded = |source| {
            let (order, answered) = first.unzip();
            Unrecorded {
                source,
                order,
                answered,
            }
        };
        let stored = stored
            .map_err(unrecorded)?
            .into_iter()
            .map(|stored| match stored {
                // Another process was faster; what it wrote is the truth.
                Err(LedgerError::Stale(reference)) => {
                    let order = self.ledger.find(&self.account, &reference)?;
                    order.ok_or(LedgerError::Stale(reference))
                }
                stored => stored,
            });
        Ok(stored.collect::<std::result::Result<_, _>>()?)
    }

    /// Goes on with a row whose answer was lost and that a sweep of the list, made behind it, did not show: asks
    /// by its ref, and sends again under the same ref what is proved absent. `sends`: how often this run has sent it.
    pub async fn recover_row(&self, order: Order, sends: u32, tell: Tell<'_>) -> Result<Standing> {
        let wish = wish_of(&order);
        self.recover_and_send(order, &wish, sends, Asking::Swept, tell)
            .await
    }

    /// Puts claimed rows back whose requests have not left.
    pub async fn put_back(&self, written: impl IntoIterator<Item = Box<Written>>) -> Result<Vec<Order>> {
        let why = "stopped before it was sent";
        let at = self.clock.now();
        let changes = written.into_iter().map(|written| {
            let is_in_doubt = written.order.attempts > 1 && self.has_been_unknown(&written.order)?;
            let to = if is_in_doubt {
                State::Unknown
            } else {
                State::Planned
            };
            let change = Change {
                key: Some(written.key),
                ..Change::to(to, at, why)
            };
            Ok(Box::new((written.order, change)))
        });
        let changes = changes.collect::<Result<Vec<_>>>()?;
        let stored = self.ledger.change_all(changes).await?;
        Ok(stored.into_iter().flatten().collect())
    }
}

/// What a row wishes for again: it has passed its guard when it was claimed.
fn wish_of(order: &Order) -> Wish {
    Wish {
        intent: order.intent.clone(),
        operator: order.operator.clone(),
        cost: order.cost,
        guard: Guard::default(),
    }
}
