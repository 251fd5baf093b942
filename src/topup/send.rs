//! Sending one order: written first, sent once, its answer stored before anything else happens.

use std::time::Duration;

use super::recover::Recovered;
use super::{
    ASKED_TO_WAIT_MAX, Desk, Event, REF_TAKEN, Result, Standing, Tell, Trouble, asked_to_wait, attempt_of,
};
use crate::api::{Client, Endpoint, Exchange, SendAnswer, classify_send};
use crate::domain::{Intent, Money, Operator, Order, SettledBy, State};
use crate::ledger::{Again, Begun, CapPassed, Change, Guard, LedgerError, NewSend, Written};
use crate::stop::Signal;

/// What is wished for: an order, what it is expected to cost, and what must hold before it is sent.
#[derive(Debug, Clone)]
pub struct Wish {
    /// The order.
    pub intent: Intent,
    /// Whose credit it is.
    pub operator: Operator,
    /// What it is expected to cost.
    pub cost: Option<Money>,
    /// Repeat guard and caps.
    pub guard: Guard,
}

/// Why nothing was sent.
#[derive(Debug, Clone)]
pub enum Refusal {
    /// The ref is in the ledger already.
    Exists(Box<Order>),
    /// The same phone, plan and amount, not long ago.
    Repeat(Box<Order>),
    /// A cap.
    OverCap(CapPassed),
    /// Asked to stop.
    Interrupted(Signal),
}

/// What to do behind an answer.
enum Next {
    /// It stands somewhere.
    Stand(Standing),
    /// Nothing was made: wait, then send the same again.
    Again {
        order: Order,
        pause: Duration,
        why: String,
    },
    /// It may have been made: ask.
    Recover {
        order: Order,
        why: String,
        is_taken: bool,
    },
}

/// How much patience is left with a provider that makes nothing.
#[derive(Default)]
struct Patience {
    sends: u32,
    connections: u32,
    waited: Duration,
}

impl Desk {
    /// Tops up once. Returns when the order is accepted or has ended, or when nothing more can be done about it
    /// now; waiting for its end is [`Desk::wait`].
    pub async fn top_up(
        &self,
        wish: &Wish,
        tell: Tell<'_>,
    ) -> Result<std::result::Result<Standing, Refusal>> {
        self.begin_and_send(wish, None, tell).await
    }

    /// Tops up under the ref of an order that was rejected or cancelled: nothing was made by it.
    pub async fn top_up_again(
        &self,
        order: &Order,
        wish: &Wish,
        tell: Tell<'_>,
    ) -> Result<std::result::Result<Standing, Refusal>> {
        self.begin_and_send(
            wish,
            Some(Again {
                revision: order.revision,
                counts: true,
            }),
            tell,
        )
        .await
    }

    async fn begin_and_send(
        &self,
        wish: &Wish,
        again: Option<Again>,
        tell: Tell<'_>,
    ) -> Result<std::result::Result<Standing, Refusal>> {
        if let Some(signal) = self.stop.asked() {
            return Ok(Err(Refusal::Interrupted(signal)));
        }
        self.client.limiter().turn().await;
        let new = self.new_send(
            wish,
            again,
            again.map(|_| "tried again by its operator".to_owned()),
        );
        Ok(match self.ledger.begin(new).await? {
            Begun::Written(written) => Ok(self.send_written(wish, *written, tell).await?),
            Begun::Exists(order) => Err(Refusal::Exists(order)),
            Begun::Repeat(order) => Err(Refusal::Repeat(order)),
            Begun::OverCap(passed) => Err(Refusal::OverCap(passed)),
        })
    }

    fn new_send(&self, wish: &Wish, again: Option<Again>, why: Option<String>) -> NewSend {
        let (path, request) = Client::send_request(&wish.intent);
        NewSend {
            account: self.account.clone(),
            intent: wish.intent.clone(),
            operator: wish.operator.clone(),
            cost: wish.cost,
            at: self.clock.now(),
            path: path.to_owned(),
            request,
            again,
            why,
            guard: wish.guard.clone(),
        }
    }

    /// Sends what stands in the ledger as `sending`, and goes on until it stands somewhere else.
    async fn send_written(&self, wish: &Wish, mut written: Written, tell: Tell<'_>) -> Result<Standing> {
        let mut patience = Patience::default();
        loop {
            tell(&Event::Sending(&written.order));
            let (path, body) = Client::send_request(&written.order.intent);
            let exchange = self.client.post_send(path, body).await;
            patience.sends += 1;
            let (order, again, why) = match self
                .store_answer(&written, &exchange, &mut patience, tell)
                .await?
            {
                Next::Stand(standing) => return Ok(standing),
                Next::Again { order, pause, why } => {
                    tell(&Event::Waiting {
                        why: &why,
                        length: pause,
                    });
                    if let Err(signal) = self.stop.sleep(pause).await {
                        let dropped = Change::to(
                            State::Cancelled,
                            self.clock.now(),
                            "interrupted before it was made",
                        );
                        let order = self.change(&order, dropped).await?;
                        return Ok(Standing::with(order, Trouble::Interrupted(signal)));
                    }
                    patience.sends -= 1;
                    let again = Again {
                        revision: order.revision,
                        counts: false,
                    };
                    (order, again, why)
                }
                Next::Recover { order, why, is_taken } => {
                    match self.recover(order, why, is_taken, tell).await? {
                        Recovered::Standing(standing) => return Ok(*standing),
                        Recovered::Absent(order) if patience.sends >= self.pace.retry_attempts => {
                            let why =
                                format!("sent {} times, and the provider knows of none", patience.sends);
                            return self.unresolved(&order, why).await;
                        }
                        Recovered::Absent(order) => self.once_more(order),
                    }
                }
            };
            match self.write_again(&order, wish, again, why).await? {
                Ok(next) => written = next,
                Err(standing) => return Ok(*standing),
            }
        }
    }

    /// Goes on with an order that is `unknown`: asks, and sends again under the same ref what is proved absent.
    pub(super) async fn recover_and_send(
        &self,
        order: Order,
        wish: &Wish,
        tell: Tell<'_>,
    ) -> Result<Standing> {
        let is_taken = self.was_told_taken(&order)?;
        let why = order
            .message
            .clone()
            .unwrap_or_else(|| "its answer was lost".to_owned());
        let order = match self.recover(order, why, is_taken, tell).await? {
            Recovered::Standing(standing) => return Ok(*standing),
            Recovered::Absent(order) => order,
        };
        let (order, again, why) = self.once_more(order);
        match self.write_again(&order, wish, again, why).await? {
            Ok(written) => self.send_written(wish, written, tell).await,
            Err(standing) => Ok(*standing),
        }
    }

    fn once_more(&self, order: Order) -> (Order, Again, String) {
        let again = Again {
            revision: order.revision,
            counts: true,
        };
        (order, again, "proved absent; sent again under its ref".to_owned())
    }

    /// Writes down that an order is sent again. When another process has moved it meanwhile, what that one wrote
    /// is the truth, and nothing is sent.
    async fn write_again(
        &self,
        order: &Order,
        wish: &Wish,
        again: Again,
        why: String,
    ) -> Result<std::result::Result<Written, Box<Standing>>> {
        self.client.limiter().turn().await;
        // It has passed its guard before: neither that nor a cap may stop it halfway.
        let wish = Wish {
            guard: Guard::default(),
            ..wish.clone()
        };
        match self
            .ledger
            .begin(self.new_send(&wish, Some(again), Some(why)))
            .await
        {
            Ok(Begun::Written(written)) => Ok(Ok(*written)),
            Ok(Begun::Exists(_) | Begun::Repeat(_) | Begun::OverCap(_)) | Err(LedgerError::Stale(_)) => {
                Ok(Err(Box::new(Standing::of(self.reread(order)?))))
            }
            Err(source) => Err(source.into()),
        }
    }

    /// Stores the answer to a POST; says what to do next. The table of the design, section 2.
    async fn store_answer(
        &self,
        written: &Written,
        exchange: &Exchange,
        patience: &mut Patience,
        tell: Tell<'_>,
    ) -> Result<Next> {
        debug_assert_eq!(exchange.endpoint, Endpoint::Send);
        let order = &written.order;
        let store = async |to: State, why: &str, more: Change| -> Result<Order> {
            let answers = Some((written.attempt, attempt_of(exchange, why)));
            let change = self
                .change(
                    order,
                    Change {
                        to,
                        why: why.to_owned(),
                        answers,
                        ..more
                    },
                )
                .await?;
            tell(&Event::Moved(&change));
            Ok(change)
        };
        let plain = self.change_by(State::Sending, "", exchange);
        Ok(match classify_send(exchange) {
            SendAnswer::Accepted {
                id,
                stored_ref,
                balance,
            } => {
                let more = Change {
                    topup_id: Some(id),
                    provider_ref: stored_ref,
                    ..plain
                };
                let order = store(State::Accepted, "accepted", more).await?;
                Next::Stand(Standing {
                    order,
                    trouble: None,
                    balance,
                })
            }
            SendAnswer::Rejected {
                code,
                message,
                field,
                status,
            } => {
                let shown = if message.is_empty() { code.clone() } else { message };
                let more = Change {
                    message: Some(shown),
                    settled_by: Some(SettledBy::Provider),
                    ..plain
                };
                let order = store(State::Rejected, &code, more).await?;
                Next::Stand(Standing::with(order, Trouble::Rejected { code, field, status }))
            }
            SendAnswer::Auth(auth) => {
                let more = Change {
                    message: Some(format!("{} {}", auth.code, auth.message)),
                    ..plain
                };
                let order = store(State::Rejected, &auth.code, more).await?;
                Next::Stand(Standing::with(order, Trouble::Auth(auth)))
            }
            SendAnswer::EmptyWallet {
                code,
                message,
                available,
            } => {
                let more = Change {
                    message: Some(message),
                    ..plain
                };
                let order = store(State::Rejected, &code, more).await?;
                Next::Stand(Standing::with(order, Trouble::EmptyWallet { code, available }))
            }
            SendAnswer::NotSent(why) => {
                patience.connections += 1;
                let pause = (patience.connections <= self.pace.retry_attempts)
                    .then(|| self.pace.backoff(patience.connections - 1));
                self.not_made(format!("no connection: {why}"), pause, plain, store)
                    .await?
            }
            SendAnswer::NotCreated(wait) => {
                let pause = asked_to_wait(wait, &self.pace);
                patience.waited += pause;
                let pause = (patience.waited <= ASKED_TO_WAIT_MAX).then_some(pause);
                self.not_made("the provider asks to wait".to_owned(), pause, plain, store)
                    .await?
            }
            SendAnswer::Exists => {
                let more = Change {
                    message: Some(REF_TAKEN.to_owned()),
                    keep_owner: true,
                    ..plain
                };
                let order = store(State::Unknown, REF_TAKEN, more).await?;
                Next::Recover {
                    order,
                    why: REF_TAKEN.to_owned(),
                    is_taken: true,
                }
            }
            SendAnswer::Unknown(why) => {
                let more = Change {
                    message: Some(why.clone()),
                    keep_owner: true,
                    ..plain
                };
                let order = store(State::Unknown, &why, more).await?;
                let is_taken = self.was_told_taken(&order)?;
                Next::Recover { order, why, is_taken }
            }
        })
    }

    /// Nothing was made: again behind a pause, or given up.
    async fn not_made(
        &self,
        why: String,
        pause: Option<Duration>,
        plain: Change,
        store: impl AsyncFn(State, &str, Change) -> Result<Order>,
    ) -> Result<Next> {
        Ok(match pause {
            Some(pause) => {
                let order = store(
                    State::Sending,
                    &why,
                    Change {
                        keep_owner: true,
                        ..plain
                    },
                )
                .await?;
                Next::Again { order, pause, why }
            }
            None => {
                let more = Change {
                    message: Some(why.clone()),
                    ..plain
                };
                let order = store(State::Cancelled, &why, more).await?;
                Next::Stand(Standing::with(order, Trouble::Unavailable(why)))
            }
        })
    }

    /// Whether the provider has ever said that the ref of this order is taken.
    pub(super) fn was_told_taken(&self, order: &Order) -> Result<bool> {
        let attempts = self.ledger.attempts(order)?;
        Ok(attempts
            .iter()
            .any(|attempt| attempt.outcome.as_deref() == Some(REF_TAKEN)))
    }
}
