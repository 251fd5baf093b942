//! Bringing an order of the ledger towards the provider's truth. Checking asks and never sends.

use std::time::Duration;

use tokio::time::Instant;

use super::look::{List, Sight};
use super::recover::{Absence, Recovered};
use super::send::Asking;
use super::{Desk, Event, Result, Standing, Tell, Trouble, Wish};
use crate::domain::{Order, State};
use crate::ledger::{Attempt, Change};

/// How often a process looks whether another one has finished with an order.
const FOLLOW_INTERVAL: Duration = Duration::from_millis(200);

impl Desk {
    /// Asks about an order once, as far as its state leaves anything to ask. One that is proved absent becomes
    /// `planned` again when it is a batch's row, and `cancelled` when it is a single one (design, section 2).
    pub async fn check(&self, order: Order, tell: Tell<'_>) -> Result<Standing> {
        // It may have been read long ago, as one of many: who sends it now is what counts.
        let order = match order.state {
            State::Sending | State::Unknown => self.reread(&order)?,
            _ => order,
        };
        match order.state {
            State::Sending | State::Unknown if self.ledger.is_being_sent(&order) => {
                Ok(Standing::with(order, Trouble::Busy))
            }
            State::Sending => {
                let order = self.lost_with_its_process(&order).await?;
                self.check_unknown(order, tell).await
            }
            State::Unknown => self.check_unknown(order, tell).await,
            State::Accepted | State::InReview => self
                .check_accepted(order, tell)
                .await
                .map(|(standing, _)| standing),
            State::Planned
            | State::Fulfilled
            | State::Refunded
            | State::Rejected
            | State::Conflict
            | State::Cancelled
            | State::WrittenOff => Ok(Standing::of(order)),
        }
    }

    /// The same on the operator's own question: what is answered is kept with the order even where it is no news, so
    /// that its history says how often it was asked and what came back.
    pub async fn question(&self, order: Order, tell: Tell<'_>) -> Result<Standing> {
        if !matches!(order.state, State::Accepted | State::InReview) {
            return self.check(order, tell).await;
        }
        let (standing, asked) = self.check_accepted(order, tell).await?;
        if let Some(asked) = asked {
            self.ledger.note_attempt(&standing.order, asked).await?;
        }
        Ok(standing)
    }

    /// Goes on with an order that was sent before under the same ref: follows the process that sends it, settles
    /// what is unknown, and sends again only what is proved absent.
    pub async fn resume(&self, order: Order, wish: &Wish, tell: Tell<'_>) -> Result<Standing> {
        let order = match self.follow(order).await? {
            Ok(order) => order,
            Err(standing) => return Ok(*standing),
        };
        match order.state {
            State::Sending => {
                let order = self.lost_with_its_process(&order).await?;
                self.recover_and_send(order, wish, 0, Asking::AtOnce, tell).await
            }
            State::Unknown => self.recover_and_send(order, wish, 0, Asking::AtOnce, tell).await,
            _ => self.check(order, tell).await,
        }
    }

    /// Waits while another process is sending the order.
    async fn follow(&self, mut order: Order) -> Result<std::result::Result<Order, Box<Standing>>> {
        let started = Instant::now();
        while order.state.is_in_doubt() && self.ledger.is_being_sent(&order) {
            if started.elapsed() >= self.pace.poll_timeout {
                return Ok(Err(Box::new(Standing::with(order, Trouble::Busy))));
            }
            if let Err(signal) = self.stop.sleep(FOLLOW_INTERVAL).await {
                return Ok(Err(Box::new(Standing::with(order, Trouble::Interrupted(signal)))));
            }
            order = self.reread(&order)?;
        }
        Ok(Ok(order))
    }

    /// An order that was `sending` when its process died is unknown: ask first, never send first.
    async fn lost_with_its_process(&self, order: &Order) -> Result<Order> {
        let why = "the process that sent it has ended before it stored an answer";
        let change = Change {
            message: Some(why.to_owned()),
            ..Change::to(State::Unknown, self.clock.now(), why)
        };
        self.change(order, change).await
    }

    async fn check_unknown(&self, order: Order, tell: Tell<'_>) -> Result<Standing> {
        if order.state != State::Unknown {
            return Ok(Standing::of(order));
        }
        let absence = self.absence_of(&order, Absence::BeforeGivingUp)?;
        let why = order.message.clone().unwrap_or_default();
        match self.recover(order, why, absence, Asking::AtOnce, tell).await? {
            Recovered::Standing(standing) => Ok(*standing),
            Recovered::Absent(order) => {
                // A row that its sheet no longer has is dropped.
                let to = if order.is_row() {
                    State::Planned
                } else {
                    State::Cancelled
                };
                let why = "the provider does not know it";
                let change = Change {
                    message: Some(why.to_owned()),
                    ..Change::to(to, self.clock.now(), why)
                };
                let order = self.change(&order, change).await?;
                tell(&Event::Moved(&order));
                Ok(Standing::with(order, Trouble::Absent))
            }
        }
    }

    /// What the provider says of an accepted order, and the question as far as it is not yet with the order.
    async fn check_accepted(&self, order: Order, tell: Tell<'_>) -> Result<(Standing, Option<Attempt>)> {
        let unresolved = |order: Order, why: &str, asked: Option<Attempt>| {
            let trouble = Trouble::Unresolved(why.to_owned());
            (Standing::with(order, trouble), asked)
        };
        // Looking goes through many pages, and each may take its time.
        let seen = match self.stop.race(self.look(&order, List::WhereUnclear)).await {
            Ok(seen) => seen,
            Err(signal) => return Ok((Standing::with(order, Trouble::Interrupted(signal)), None)),
        };
        Ok(match seen {
            Sight::Found(seen, attempt) => {
                let adopted = self.adopt(&order, &seen, attempt.clone(), tell).await?;
                let is_kept = adopted.revision != order.revision;
                (Standing::of(adopted), (!is_kept).then_some(attempt))
            }
            Sight::Refused(auth, attempt) => {
                let order = self.note(&order, attempt).await?;
                (Standing::with(order, Trouble::Auth(auth)), None)
            }
            Sight::Foreign(_, _, attempt) => {
                let order = self.note(&order, attempt).await?;
                unresolved(order, "the provider shows other details under its id", None)
            }
            Sight::Absent(attempt) => unresolved(
                order,
                "the provider has accepted it and does not show it",
                Some(attempt),
            ),
            Sight::Unclear(why, attempt) => unresolved(order, &why, attempt),
            Sight::Wait(_) => unresolved(order, "the provider asks to wait", None),
        })
    }
}
