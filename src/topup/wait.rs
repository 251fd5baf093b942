//! Waiting for the end of an order that the provider has.

use std::time::Duration;

use tokio::time::Instant;

use super::look::{List, Sight};
use super::{Desk, Event, Result, Standing, Tell, Trouble, asked_to_wait};
use crate::domain::{Order, State};

/// When waiting ends without an end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Patience {
    /// `in_review` takes hours: not waited for.
    NotForReview,
    /// Until it is final.
    UntilFinal,
}

impl Desk {
    /// Looks at an accepted order every `poll_interval` until it has ended, is in review, or `poll_timeout` is
    /// over. Faults on the way do not end the waiting; a refused key does.
    pub async fn wait(&self, standing: Standing, tell: Tell<'_>) -> Result<Standing> {
        self.wait_with(standing, self.pace.poll_timeout, Patience::NotForReview, tell)
            .await
    }

    /// The same, until it is final or `timeout` is over.
    pub async fn wait_until_final(
        &self,
        standing: Standing,
        timeout: Duration,
        tell: Tell<'_>,
    ) -> Result<Standing> {
        self.wait_with(standing, timeout, Patience::UntilFinal, tell)
            .await
    }

    async fn wait_with(
        &self,
        standing: Standing,
        timeout: Duration,
        patience: Patience,
        tell: Tell<'_>,
    ) -> Result<Standing> {
        let Standing {
            mut order,
            trouble,
            balance,
        } = standing;
        let give = |order: Order, trouble: Option<Trouble>| {
            Ok(Standing {
                order,
                trouble,
                balance,
            })
        };
        if trouble.is_some() {
            return give(order, trouble);
        }
        let started = Instant::now();
        loop {
            let goes_on = match order.state {
                State::Accepted => true,
                State::InReview => patience == Patience::UntilFinal,
                _ => false,
            };
            if !goes_on {
                return give(order, None);
            }
            let left = timeout.saturating_sub(started.elapsed());
            if left.is_zero() {
                return give(order, Some(Trouble::TimedOut));
            }
            if let Err(signal) = self.stop.sleep(self.pace.poll_interval.min(left)).await {
                return give(order, Some(Trouble::Interrupted(signal)));
            }
            let sight = match self.stop.race(self.look(&order, List::WhereUnclear)).await {
                Ok(sight) => sight,
                Err(signal) => return give(order, Some(Trouble::Interrupted(signal))),
            };
            order = match sight {
                Sight::Found(seen, attempt) => self.adopt(&order, &seen, attempt, tell).await?,
                Sight::Refused(auth, attempt) => {
                    let order = self.note(&order, attempt).await?;
                    return give(order, Some(Trouble::Auth(auth)));
                }
                // Another order's details under our id prove nothing about ours; kept for its history.
                Sight::Foreign(_, _, attempt) => self.note(&order, attempt).await?,
                Sight::Wait(wait) => {
                    let length = asked_to_wait(wait, &self.pace).min(left);
                    tell(&Event::Waiting {
                        why: "the provider asks to wait",
                        length,
                    });
                    if let Err(signal) = self.stop.sleep(length).await {
                        return give(order, Some(Trouble::Interrupted(signal)));
                    }
                    order
                }
                Sight::Absent(_) | Sight::Unclear(..) => order,
            };
        }
    }
}
