//! An order whose answer was lost: asked for until it is found, proved absent, or nobody can tell for now.

use std::time::Duration;

use tokio::time::Instant;

use super::look::{List, Sight};
use super::send::Asking;
use super::{ASKED_TO_WAIT_MAX, Desk, Event, REF_TAKEN, Result, Standing, Tell, Trouble, asked_to_wait};
use crate::clock::elapsed;
use crate::domain::{Difference, Order, Seen, SettledBy, State};
use crate::ledger::{Attempt, Change};
use crate::promise::{Rule, holds};

/// Why an order whose ref is taken stays unknown.
const HIDDEN: &str = "the provider says that the ref is taken, and does not show the order";

/// When an order that the provider says it does not know may be called absent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Absence {
    /// Twice, `retry_delay` apart: it is sent again under its ref, and the provider's refusal is the last guard.
    BeforeSendingAgain,
    /// Nothing is sent behind it, so no refusal would tell: also not before ten times `settle_delay` have passed
    /// since it was sent. A request may still be landing, and an order may be shown late.
    BeforeGivingUp,
    /// Never: the provider has called its ref taken, so it is there and can't be seen yet.
    Never {
        /// Whether it is waited for, up to `poll_timeout`; else a few looks are enough.
        waits: bool,
    },
}

/// What came of asking.
pub(super) enum Recovered {
    /// It was found, it clashes, or nobody can tell.
    Standing(Box<Standing>),
    /// The provider has said twice that it does not know it.
    Absent(Box<Order>),
}

impl Desk {
    /// Asks about an `unknown` order. Absent means: enveloped `NOT_FOUND` for both spellings, twice,
    /// `retry_delay` apart, and nowhere on the list. [`Absence`] says from when on that is believed.
    pub(super) async fn recover(
        &self,
        order: Order,
        why: String,
        absence: Absence,
        asking: Asking,
        tell: Tell<'_>,
    ) -> Result<Recovered> {
        if !holds(Rule::AskedFirst) {
            return self.proved_absent(&order);
        }
        tell(&Event::Asking(&order));
        let (mut absences, mut misses, mut waited) = (0, 0, Duration::ZERO);
        let mut why = why;
        let mut pause = self.rest_of_settling(&order);
        // Lengths are measured by a clock that nobody can turn back.
        let started = Instant::now();
        loop {
            if let Err(signal) = self.stop.sleep(pause).await {
                return Ok(standing(order, Trouble::Interrupted(signal)));
            }
            let list = match asking {
                // A sweep has looked for what may be new. What is taken may be old, and where an order is given up
                // nobody looks again.
                Asking::Swept if absence == Absence::BeforeSendingAgain => List::Never,
                Asking::Swept if matches!(absence, Absence::Never { .. }) => List::WhereUnclear,
                _ if absences > 0 => List::BehindAbsence,
                _ => List::WhereUnclear,
            };
            let sight = match self.stop.race(self.look(&order, list)).await {
                Ok(sight) => sight,
                Err(signal) => return Ok(standing(order, Trouble::Interrupted(signal))),
            };
            match sight {
                Sight::Found(seen, attempt) => {
                    return Ok(recovered(Standing::of(
                        self.adopt(&order, &seen, attempt, tell).await?,
                    )));
                }
                Sight::Foreign(differences, seen, attempt) => {
                    return self
                        .clash(&order, differences, &seen, attempt, tell)
                        .await
                        .map(recovered);
                }
                Sight::Refused(auth, attempt) => {
                    let order = self.note(&order, attempt).await?;
                    return Ok(standing(order, Trouble::Auth(auth)));
                }
                Sight::Absent(attempt) if let Absence::Never { waits } = absence => {
                    self.ledger.note_attempt(&order, attempt).await?;
                    HIDDEN.clone_into(&mut why);
                    misses += 1;
                    let is_over = if waits {
                        started.elapsed() >= self.pace.poll_timeout
                    } else {
                        misses >= self.pace.retry_attempts
                    };
                    if is_over {
                        return self.unresolved(&order, why).await.map(recovered);
                    }
                    pause = self.pace.backoff(misses - 1);
                }
                Sight::Absent(attempt) => {
                    self.ledger.note_attempt(&order, attempt).await?;
                    absences += 1;
                    if absences >= absences_needed() && self.is_old_enough(&order, absence, started.elapsed())
                    {
                        return self.proved_absent(&order);
                    }
                    pause = self.pace.retry_delay;
                }
                Sight::Unclear(unclear, attempt) => {
                    if let Some(attempt) = attempt {
                        self.ledger.note_attempt(&order, attempt).await?;
                    }
                    why = if matches!(absence, Absence::Never { .. }) {
                        format!("{REF_TAKEN}; {unclear}")
                    } else {
                        unclear
                    };
                    absences = 0;
                    misses += 1;
                    if misses >= self.pace.retry_attempts {
                        return self.unresolved(&order, why).await.map(recovered);
                    }
                    pause = self.pace.backoff(misses - 1);
                }
                Sight::Wait(wait) => {
                    pause = asked_to_wait(wait, &self.pace);
                    waited += pause;
                    if waited > ASKED_TO_WAIT_MAX {
                        return self.unresolved(&order, why).await.map(recovered);
                    }
                    tell(&Event::Waiting {
                        why: "the provider asks to wait",
                        length: pause,
                    });
                }
            }
        }
    }

    /// The request may still be landing: what is left of `settle_delay` since it was sent.
    fn rest_of_settling(&self, order: &Order) -> Duration {
        let since = elapsed(
            order.updated_at.max(order.sent_at.unwrap_or(order.updated_at)),
            self.clock.now(),
        );
        self.pace.settle_delay.saturating_sub(since)
    }

    fn is_old_enough(&self, order: &Order, absence: Absence, asked_for: Duration) -> bool {
        let by_clock = elapsed(order.sent_at.unwrap_or(order.created_at), self.clock.now());
        let age = by_clock.max(asked_for);
        match absence {
            Absence::BeforeSendingAgain => true,
            Absence::BeforeGivingUp if !holds(Rule::GivenUpLate) => true,
            Absence::BeforeGivingUp => age >= self.pace.settle_delay.saturating_mul(10),
            Absence::Never { .. } => false,
        }
    }

    /// What was shown is an absence of the order as it was asked about. Somebody else may have sent it since, or have
    /// heard of it: then it proves nothing, even where the order is `unknown` again.
    fn proved_absent(&self, asked: &Order) -> Result<Recovered> {
        let order = self.reread(asked)?;
        Ok(match order.state {
            State::Unknown if order.revision == asked.revision => Recovered::Absent(Box::new(order)),
            State::Sending | State::Unknown if self.ledger.is_being_sent(&order) => {
                standing(order, Trouble::Busy)
            }
            State::Unknown => {
                let why = order.message.clone().unwrap_or_default();
                standing(order, Trouble::Unresolved(why))
            }
            _ => recovered(Standing::of(order)),
        })
    }

    pub(super) async fn unresolved(&self, order: &Order, why: String) -> Result<Standing> {
        let change = Change {
            message: Some(why.clone()),
            ..Change::to(order.state, self.clock.now(), why.clone())
        };
        let order = self.change(order, change).await?;
        Ok(match order.state {
            State::Unknown => Standing::with(order, Trouble::Unresolved(why)),
            _ => Standing::of(order),
        })
    }

    /// Takes over what the provider shows of an order that is ours.
    pub(super) async fn adopt(
        &self,
        order: &Order,
        seen: &Seen,
        attempt: Attempt,
        tell: Tell<'_>,
    ) -> Result<Order> {
        let to = shown_state(order, seen);
        let is_news = to != order.state
            || order.provider_status.as_ref() != Some(&seen.status)
            || order.topup_id.is_none();
        if !is_news {
            return Ok(order.clone());
        }
        let changed = self.change(order, self.adoption(order, seen, attempt)).await?;
        tell(&Event::Moved(&changed));
        Ok(changed)
    }

    /// What the provider shows of an order that is ours, as a change of it.
    pub(super) fn adoption(&self, order: &Order, seen: &Seen, attempt: Attempt) -> Change {
        let to = shown_state(order, seen);
        Change {
            provider_status: Some(seen.status.clone()),
            topup_id: seen.id.clone(),
            provider_ref: seen.reference.clone(),
            cost: seen.cost,
            message: seen.message.clone(),
            offers: seen.offers.clone(),
            request_id: attempt.request_id.clone(),
            settled_by: to.is_final().then_some(SettledBy::Provider),
            asked: Some(attempt),
            ..Change::to(
                to,
                self.clock.now(),
                format!("the provider shows {}", seen.status.word()),
            )
        }
    }

    /// The ref is another order's: nothing was made by us, and nothing is sent.
    async fn clash(
        &self,
        order: &Order,
        differences: Vec<Difference>,
        seen: &Seen,
        attempt: Attempt,
        tell: Tell<'_>,
    ) -> Result<Standing> {
        let change = self.conflict(&differences, seen, attempt);
        let order = self.change(order, change).await?;
        tell(&Event::Moved(&order));
        Ok(Standing::with(order, Trouble::Conflict(differences)))
    }

    /// The ref is another order's, as a change of ours.
    pub(super) fn conflict(&self, differences: &[Difference], seen: &Seen, attempt: Attempt) -> Change {
        let told: Vec<_> = differences
            .iter()
            .map(|d| format!("{} {} there, {} here", d.field, d.theirs, d.ours))
            .collect();
        let message = format!("the ref is another order's: {}", told.join("; "));
        Change {
            message: Some(message.clone()),
            provider_status: Some(seen.status.clone()),
            request_id: attempt.request_id.clone(),
            asked: Some(attempt),
            ..Change::to(State::Conflict, self.clock.now(), message)
        }
    }

    /// Keeps a call in the order's history; the order stays where it is, and nobody is sending it any more.
    pub(super) async fn note(&self, order: &Order, attempt: Attempt) -> Result<Order> {
        let why = attempt.outcome.clone().unwrap_or_default();
        let change = Change {
            asked: Some(attempt),
            ..Change::to(order.state, self.clock.now(), why)
        };
        self.change(order, change).await
    }
}

/// Where an order goes by what the provider shows. An order in review is not moved back by a word that nobody lists.
pub(super) fn shown_state(order: &Order, seen: &Seen) -> State {
    let to = seen.status.state();
    if to != order.state && !order.state.may_become(to) {
        order.state
    } else {
        to
    }
}

/// A single "not found" may have been overtaken by the request that it is about.
fn absences_needed() -> u32 {
    if holds(Rule::AbsentTwice) { 2 } else { 1 }
}

fn recovered(standing: Standing) -> Recovered {
    Recovered::Standing(Box::new(standing))
}

fn standing(order: Order, trouble: Trouble) -> Recovered {
    recovered(Standing::with(order, trouble))
}

#[cfg(test)]
#[path = "recover_tests.rs"]
mod tests;
