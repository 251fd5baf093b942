//! The rows of a batch: claimed many at a time, sent like any other order, and asked about by sweeps.

use super::send::{Asking, Wish};
use super::{Desk, Result, Standing, Tell};
use crate::api::Client;
use crate::domain::{Order, State};
use crate::ledger::{Batch, Change, ClaimCursor, ClaimRules, Claims, Guard, Written};

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

    /// Sends a claimed row. Where its answer is lost it is left `unknown`, and this process goes on being the one
    /// that asks about it.
    pub async fn send_row(&self, written: Written, tell: Tell<'_>) -> Result<Standing> {
        // A first request follows no other.
        let is_in_doubt = written.order.attempts > 1 && self.has_been_unknown(&written.order)?;
        let wish = wish_of(&written.order);
        self.send_written(&wish, written, is_in_doubt, Asking::BySweep, tell)
            .await
    }

    /// Goes on with a row whose answer was lost and that a sweep of the list, made behind it, did not show: asks
    /// by its ref, and sends again under the same ref what is proved absent.
    pub async fn recover_row(&self, order: Order, tell: Tell<'_>) -> Result<Standing> {
        let wish = wish_of(&order);
        self.recover_and_send(order, &wish, Asking::Swept, tell).await
    }

    /// Puts claimed rows back whose requests have not left.
    pub async fn put_back(&self, written: Vec<Written>) -> Result<Vec<Order>> {
        let why = "stopped before it was sent";
        let at = self.clock.now();
        let changes = written.into_iter().map(|written| {
            let is_in_doubt = written.order.attempts > 1 && self.has_been_unknown(&written.order)?;
            let to = if is_in_doubt {
                State::Unknown
            } else {
                State::Planned
            };
            Ok((written.order, Change::to(to, at, why)))
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
