//! Sending one order: written first, sent once, its answer stored before anything else happens.

use super::meaning::{ASKS_TO_WAIT, Meaning, Next, Patience};
use super::recover::{Absence, Recovered};
use super::{
    Changed, Desk, Event, Halt, NOT_SENT, REF_TAKEN, Result, Standing, Tell, Trouble, server_time,
    take_attempt,
};
use crate::api::{Client, Exchange, classify_send};
use crate::domain::{Intent, Money, Operator, Order, State};
use crate::ledger::{Again, Attempt, Begun, CapPassed, Change, Guard, LedgerError, NewSend, Written};
use crate::promise::{Rule, holds};
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

/// Who asks about an order whose answer was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asking {
    /// The order itself, at once, with a look through the list.
    AtOnce,
    /// The next sweep, for many at a time.
    BySweep,
    /// The order itself, behind a sweep of the list that did not show it.
    Swept,
}

/// An order whose request has been answered, or will not be: nothing of that is stored yet.
#[derive(Debug)]
pub(super) struct Sent {
    pub written: Box<Written>,
    exchange: Exchange,
    pub meaning: Meaning,
    patience: Patience,
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
        if let Err(signal) = self.stop.race(self.client.limiter().turn()).await {
            return Ok(Err(Refusal::Interrupted(signal)));
        }
        let new = self.new_send(
            wish,
            again,
            again.map(|_| "tried again by its operator".to_owned()),
        );
        Ok(match self.ledger.begin(new).await {
            Ok(Begun::Written(written)) => {
                let patience = Patience::new(again.is_some() && self.has_been_unknown(&written.order)?);
                Ok(self
                    .send_written(wish, written, patience, Asking::AtOnce, tell)
                    .await?)
            }
            Ok(Begun::Exists(order)) => Err(Refusal::Exists(order)),
            Ok(Begun::Repeat(order)) => Err(Refusal::Repeat(order)),
            Ok(Begun::OverCap(passed)) => Err(Refusal::OverCap(passed)),
            // Another process was faster with the same order: it is that one's now.
            Err(LedgerError::Stale(reference)) => {
                let order = self.ledger.find(&self.account, &reference)?;
                Err(Refusal::Exists(Box::new(
                    order.ok_or(LedgerError::Stale(reference))?,
                )))
            }
            Err(source) => return Err(source.into()),
        })
    }

    /// Whether a request for the order may ever have made something.
    pub(super) fn has_been_unknown(&self, order: &Order) -> Result<bool> {
        Ok(self
            .ledger
            .moves(order)?
            .iter()
            .any(|step| step.to == State::Unknown))
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
    pub(super) async fn send_written(
        &self,
        wish: &Wish,
        written: Box<Written>,
        patience: Patience,
        asking: Asking,
        tell: Tell<'_>,
    ) -> Result<Standing> {
        // Each is a large future: not both in one.
        let sent = Box::pin(self.post(written, patience, tell)).await;
        Box::pin(self.go_on(wish, sent, asking, tell)).await
    }

    /// Makes the one request of an order. Its answer is understood and not yet stored.
    pub(super) async fn post(
        &self,
        mut written: Box<Written>,
        mut patience: Patience,
        tell: Tell<'_>,
    ) -> Sent {
        tell(&Event::Sending(&written.order));
        let exchange = self.client.post_send(std::mem::take(&mut written.request)).await;
        let is_row = written.order.is_row();
        let answer = classify_send(&exchange, &written.order.intent.reference);
        if let Some(at) = self.client.accepted_at() {
            patience.others_pass(at);
        }
        let meaning = Meaning::of(answer, &self.pace, &mut patience, is_row);
        // Before the connection is free: nothing may leave on it that this answer puts an end to.
        self.halted.raise(meaning.halts());
        Sent {
            written,
            exchange,
            meaning,
            patience,
        }
    }

    /// Stores the answer, and goes on until the order stands somewhere.
    pub(super) async fn go_on(
        &self,
        wish: &Wish,
        mut sent: Sent,
        asking: Asking,
        tell: Tell<'_>,
    ) -> Result<Standing> {
        loop {
            let is_row = sent.written.order.is_row();
            let change = self.answer(&mut sent);
            let Sent {
                written,
                meaning,
                mut patience,
                ..
            } = sent;
            let changed = self.try_change(&written.order, change).await?;
            let is_ours = matches!(changed, Changed::Ours(_));
            let (Changed::Ours(order) | Changed::Theirs(order)) = changed;
            tell(&Event::Moved(&order));
            let (order, again, why) = match meaning.next {
                Next::Stand(trouble, balance) => {
                    return Ok(Standing {
                        order,
                        trouble,
                        balance,
                    });
                }
                // Who has taken the order over goes on with it. Its revision is no leave to send.
                Next::Again(_) | Next::Recover { .. } if !is_ours => return Ok(Standing::of(order)),
                Next::Again(pause) => {
                    tell(&Event::Waiting {
                        why: &meaning.why,
                        length: pause,
                    });
                    if let Err(signal) = self.stop.sleep(pause).await {
                        return self.interrupted(&order, signal, patience.is_in_doubt).await;
                    }
                    let again = Again {
                        revision: order.revision,
                        counts: false,
                    };
                    (order, again, meaning.why)
                }
                // What the provider calls taken is there: its ref leads to it.
                Next::Recover {
                    may_send_again: true, ..
                } if asking == Asking::BySweep && meaning.why != REF_TAKEN => {
                    return Ok(Standing::with(order, Trouble::Unresolved(meaning.why)));
                }
                Next::Recover {
                    may_send_again,
                    refused,
                } => {
                    patience.sends += 1;
                    patience.is_in_doubt = true;
                    let otherwise = if may_send_again {
                        Absence::BeforeSendingAgain
                    } else {
                        Absence::BeforeGivingUp
                    };
                    let absence = self.absence_of(&order, otherwise)?;
                    let why = meaning.why.clone();
                    let asking = match asking {
                        Asking::AtOnce => Asking::AtOnce,
                        Asking::BySweep | Asking::Swept => Asking::Swept,
                    };
                    match self.recover(order, why, absence, asking, tell).await? {
                        Recovered::Standing(standing) => return Ok(*standing),
                        Recovered::Absent(order) if !may_send_again => {
                            return match refused.filter(|_| is_row) {
                                Some(refused) => self.given_up(&order, refused, meaning.why, tell).await,
                                None => self.unresolved(&order, meaning.why).await,
                            };
                        }
                        Recovered::Absent(order) if patience.sends >= self.pace.retry_attempts => {
                            return self.out_of_patience(&order, &meaning.why).await;
                        }
                        Recovered::Absent(order) => once_more(*order),
                    }
                }
            };
            match self
                .write_again(&order, wish, again, why, patience.is_in_doubt)
                .await?
            {
                // A large future, for the few that come here.
                Ok(written) => sent = Box::pin(self.post(written, patience, tell)).await,
                Err(standing) => return Ok(*standing),
            }
        }
    }

    /// A row whose last request was refused and that the provider, asked for long enough, does not know: nothing was
    /// made. Its batch goes on without it where the row is at fault, and with it otherwise; a later request could
    /// only go out under the same ref.
    async fn given_up(
        &self,
        order: &Order,
        refused: Trouble,
        why: String,
        tell: Tell<'_>,
    ) -> Result<Standing> {
        let (to, why) = match refused {
            Trouble::Rejected { .. } => (State::Cancelled, format!("{why}; the provider does not know it")),
            _ => (State::Planned, why),
        };
        let change = Change {
            message: Some(why.clone()),
            ..Change::to(to, self.clock.now(), why)
        };
        let order = self.change(order, change).await?;
        tell(&Event::Moved(&order));
        Ok(Standing::with(order, refused))
    }

    /// Asked to stop between two requests, when the last one made nothing.
    async fn interrupted(&self, order: &Order, signal: Signal, is_in_doubt: bool) -> Result<Standing> {
        let order = self.put_down(order, "interrupted", is_in_doubt).await?;
        Ok(Standing::with(order, Trouble::Interrupted(signal)))
    }

    /// Another order's answer has put an end to sending, when the last request of this one made nothing.
    async fn held_up(&self, order: &Order, is_in_doubt: bool) -> Result<Standing> {
        let order = self.put_down(order, "sending was stopped", is_in_doubt).await?;
        Ok(match (order.state, order.message.clone()) {
            (State::Unknown, Some(why)) => Standing::with(order, Trouble::Unresolved(why)),
            _ => Standing::of(order),
        })
    }

    /// An order whose last request made nothing, and that is not sent again for now.
    async fn put_down(&self, order: &Order, why: &str, is_in_doubt: bool) -> Result<Order> {
        let (to, why) = if is_in_doubt {
            (
                State::Unknown,
                format!("{why}; an earlier request may have made it"),
            )
        } else if order.is_row() {
            (State::Planned, format!("{why} before it was made"))
        } else {
            (State::Cancelled, format!("{why} before it was made"))
        };
        let change = Change {
            message: Some(why.clone()),
            ..Change::to(to, self.clock.now(), why)
        };
        self.change(order, change).await
    }

    /// What an answer makes of its order, with the answer itself, which is taken out.
    pub(super) fn answer(&self, sent: &mut Sent) -> Change {
        let (meaning, exchange) = (&mut sent.meaning, &mut sent.exchange);
        let why = meaning.why.as_str();
        Change {
            message: meaning.message.take(),
            topup_id: meaning.topup_id.take(),
            provider_ref: meaning.provider_ref.take(),
            their_at: server_time(exchange).filter(|_| meaning.to == State::Accepted),
            settled_by: meaning.settled_by,
            // This process goes on with it; nobody else may take it for abandoned.
            keep_owner: matches!(meaning.next, Next::Again(_) | Next::Recover { .. }),
            ..self.change_by(meaning.to, why, exchange)
        }
        .answering(&sent.written, take_attempt(exchange, why))
    }

    /// Goes on with an order that is `unknown`: asks, and sends again under the same ref what is proved absent. `sends`:
    /// how often this command has sent it already.
    pub(super) async fn recover_and_send(
        &self,
        order: Order,
        wish: &Wish,
        sends: u32,
        asking: Asking,
        tell: Tell<'_>,
    ) -> Result<Standing> {
        let absence = self.absence_of(&order, Absence::BeforeSendingAgain)?;
        let why = order
            .message
            .clone()
            .unwrap_or_else(|| "its answer was lost".to_owned());
        let last = why.clone();
        let order = match self.recover(order, why, absence, asking, tell).await? {
            Recovered::Standing(standing) => return Ok(*standing),
            Recovered::Absent(order) if sends >= self.pace.retry_attempts => {
                return self.out_of_patience(&order, &last).await;
            }
            Recovered::Absent(order) => *order,
        };
        let (order, again, why) = once_more(order);
        match self.write_again(&order, wish, again, why, true).await? {
            Ok(written) => {
                let patience = Patience::behind(sends);
                self.send_written(wish, written, patience, asking, tell).await
            }
            Err(standing) => Ok(*standing),
        }
    }

    /// Sent as often as one command may, and absent each time: it stays unknown.
    async fn out_of_patience(&self, order: &Order, last: &str) -> Result<Standing> {
        let attempts = self.ledger.attempts(order)?;
        let times = match attempts.iter().filter(|attempt| may_have_made(attempt)).count() {
            1 => "once".to_owned(),
            sends => format!("{sends} times"),
        };
        let why = format!("sent {times}, and the provider knows of none; what came back last: {last}");
        self.unresolved(order, why).await
    }

    /// Writes down that an order is sent again. When another process has moved it meanwhile, what that one wrote
    /// is the truth, and nothing is sent.
    async fn write_again(
        &self,
        order: &Order,
        wish: &Wish,
        again: Again,
        why: String,
        is_in_doubt: bool,
    ) -> Result<std::result::Result<Box<Written>, Box<Standing>>> {
        if let Err(signal) = self.stop.race(self.client.limiter().turn()).await {
            return Ok(Err(Box::new(self.interrupted(order, signal, is_in_doubt).await?)));
        }
        if self.halted.is(Halt::Sends) {
            return Ok(Err(Box::new(self.held_up(order, is_in_doubt).await?)));
        }
        // It has passed its guard before: neither that nor a cap may stop it halfway.
        let wish = Wish {
            guard: Guard::default(),
            ..wish.clone()
        };
        let mut new = self.new_send(&wish, Some(again), Some(why));
        if !holds(Rule::SameRef) {
            new.request = new.request.replace(wish.intent.reference.as_str(), "another-ref");
        }
        match self.ledger.begin(new).await {
            Ok(Begun::Written(written)) => Ok(Ok(written)),
            Ok(Begun::Exists(_) | Begun::Repeat(_) | Begun::OverCap(_))
            | Err(LedgerError::Stale(_) | LedgerError::Illegal(_)) => {
                Ok(Err(Box::new(Standing::of(self.reread(order)?))))
            }
            Err(source) => Err(source.into()),
        }
    }

    /// An order whose ref the provider has ever called taken is never absent.
    pub(super) fn absence_of(&self, order: &Order, otherwise: Absence) -> Result<Absence> {
        let attempts = self.ledger.attempts(order)?;
        let is_taken = attempts
            .iter()
            .any(|attempt| attempt.outcome.as_deref() == Some(REF_TAKEN));
        let waits = otherwise == Absence::BeforeSendingAgain;
        Ok(if is_taken && holds(Rule::TakenIsThere) {
            Absence::Never { waits }
        } else {
            otherwise
        })
    }
}

/// Whether a call is a request for the order that may have made it: not one that never left, and none that the provider
/// has put off. Claims that were given back have no request at all.
fn may_have_made(attempt: &Attempt) -> bool {
    let has_left = !attempt
        .answer
        .as_deref()
        .is_some_and(|answer| answer.starts_with(NOT_SENT));
    let outcome = attempt.outcome.as_deref();
    let is_put_off = outcome.is_some_and(|outcome| outcome.ends_with(ASKS_TO_WAIT));
    attempt.endpoint == "send" && has_left && !is_put_off
}

/// What is proved absent is sent again under its ref.
fn once_more(order: Order) -> (Order, Again, String) {
    let again = Again {
        revision: order.revision,
        counts: true,
    };
    (order, again, "proved absent; sent again under its ref".to_owned())
}
