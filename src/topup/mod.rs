//! The at-most-once protocol: one order, from the wish to its end. `send` and `ref check` share it.
//!
//! The order of writing (design, section 2): the order is durable in the ledger as `sending`; one POST leaves,
//! never dropped, never resent by the HTTP stack; its answer is stored; then the provider is asked until the
//! order has ended. A lost answer is `unknown`: ask first, and send again only under the same ref, and only what
//! the provider has twice said it does not know.

mod ask;
mod check;
mod halted;
mod look;
mod meaning;
mod recover;
mod rows;
mod seek;
mod send;
mod survey;
mod sweep;
mod wait;

use std::time::Duration;

use jiff::Timestamp;

pub use ask::{Asked, ask};
pub use halted::Halted;
pub(crate) use meaning::is_ignored;
pub use rows::{RowAnswer, RowOpen, RowSent};
pub use seek::Sought;
pub use send::{Refusal, Wish};
pub use survey::Surveyed;
pub use sweep::{ListPage, Swept, SweptTo};

use crate::api::{AuthFault, Client, Exchange, Outcome};
use crate::clock::Clock;
use crate::domain::{Account, Difference, Money, Order, State};
use crate::ledger::{Attempt, Change, Ledger, LedgerError};
use crate::stop::{Signal, Stop};

/// The waits of the protocol, from the configuration.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// Before the first question about an order whose answer was lost.
    pub settle_delay: Duration,
    /// Between tries; doubles.
    pub retry_delay: Duration,
    /// How often an order is sent at most, and how often one question is asked.
    pub retry_attempts: u32,
    /// Between two looks at an order that is on its way.
    pub poll_interval: Duration,
    /// How long an order is waited for.
    pub poll_timeout: Duration,
}

/// The longest that the provider's own "wait" is obeyed in all, for one order (design, section 2).
const ASKED_TO_WAIT_MAX: Duration = Duration::from_mins(5);
/// The longest pause between two tries, however often they have doubled.
const RETRY_DELAY_MAX: Duration = Duration::from_secs(30);

impl Pace {
    /// That of a configuration where nothing is set.
    #[cfg(test)]
    pub(crate) fn usual() -> Self {
        Self {
            settle_delay: Duration::from_millis(1500),
            retry_delay: Duration::from_secs(2),
            retry_attempts: 3,
            poll_interval: Duration::from_secs(5),
            poll_timeout: Duration::from_mins(5),
        }
    }

    /// The pause behind the `nth` try, counted from 0.
    pub fn backoff(&self, nth: u32) -> Duration {
        self.retry_delay
            .saturating_mul(2_u32.saturating_pow(nth))
            .min(RETRY_DELAY_MAX.max(self.retry_delay))
    }
}

/// What happens to an order, told while it happens.
#[derive(Debug)]
pub enum Event<'a> {
    /// It is in the ledger, and its request leaves now.
    Sending(&'a Order),
    /// It stands somewhere else than before.
    Moved(&'a Order),
    /// Nothing is known, so the provider is asked.
    Asking(&'a Order),
    /// The next step waits.
    Waiting {
        /// Why.
        why: &'a str,
        /// How long.
        length: Duration,
    },
}

/// What an answer puts an end to, for all orders.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Halt {
    /// Nothing: it speaks of its own order.
    Nothing,
    /// No other order may be sent before somebody has looked: the wallet, the way to the provider.
    Sends,
    /// Nothing may be asked either: the key.
    Everything,
}

/// Who is told.
pub type Tell<'a> = &'a (dyn Fn(&Event<'_>) + Sync);

/// Why an order is not where it was meant to go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// The key was refused.
    Auth(AuthFault),
    /// The wallet is empty.
    EmptyWallet {
        /// The provider's code.
        code: String,
        /// What is there, where the provider says.
        available: Option<Money>,
    },
    /// The provider refuses the request.
    Rejected {
        /// The provider's code.
        code: String,
        /// The field at fault, where the provider names it.
        field: Option<String>,
        /// The HTTP status.
        status: u16,
    },
    /// The connection never opened, or the provider asked to wait for too long: nothing was made.
    Unavailable(String),
    /// The ref is another order's at the provider.
    Conflict(Vec<Difference>),
    /// Nobody could tell what became of it.
    Unresolved(String),
    /// The provider does not know it, so it was never made.
    Absent,
    /// Another process is sending it just now.
    Busy,
    /// Not final when the waiting ended.
    TimedOut,
    /// Asked to stop.
    Interrupted(Signal),
}

/// Where an order stands when the protocol has done what it can for now.
#[derive(Debug, Clone)]
pub struct Standing {
    /// The order.
    pub order: Order,
    /// Why it is not where it was meant to go.
    pub trouble: Option<Trouble>,
    /// The balance behind it, where the provider said.
    pub balance: Option<Money>,
}

impl Standing {
    fn of(order: Order) -> Self {
        Self {
            order,
            trouble: None,
            balance: None,
        }
    }

    fn with(order: Order, trouble: Trouble) -> Self {
        Self {
            order,
            trouble: Some(trouble),
            balance: None,
        }
    }
}

/// The ledger failed while an order was on its way.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{source}")]
pub struct Unrecorded {
    /// What the ledger says.
    pub source: LedgerError,
    /// The order as it was last written, if it ever was.
    pub order: Option<Box<Order>>,
    /// What the provider answered and could not be stored; none where nothing has left.
    pub answered: Option<String>,
}

impl From<LedgerError> for Unrecorded {
    fn from(source: LedgerError) -> Self {
        Self {
            source,
            order: None,
            answered: None,
        }
    }
}

/// A result whose failure is the ledger's.
pub type Result<T> = std::result::Result<T, Unrecorded>;

/// Everything that the protocol works with, for one account.
#[derive(Debug)]
pub struct Desk {
    /// Asks and sends.
    pub client: Client,
    /// Remembers.
    pub ledger: Ledger,
    /// Tells the time.
    pub clock: Clock,
    /// Says when to stop.
    pub stop: Stop,
    /// What an answer has put an end to.
    pub halted: Halted,
    /// Whose orders they are.
    pub account: Account,
    /// How long to wait between steps.
    pub pace: Pace,
}

/// How an order stands behind a change.
enum Changed {
    /// As the change has it.
    Ours(Order),
    /// As another process has written it.
    Theirs(Order),
}

impl Desk {
    /// Writes a change of an order. When another process was faster, its version is the truth and is returned.
    async fn change(&self, order: &Order, change: Change) -> Result<Order> {
        let (Changed::Ours(order) | Changed::Theirs(order)) = self.try_change(order, change).await?;
        Ok(order)
    }

    /// The same, and whose version it is.
    async fn try_change(&self, order: &Order, change: Change) -> Result<Changed> {
        let answered = change.why.clone();
        match self.ledger.change(order, change).await {
            Ok(changed) => Ok(Changed::Ours(changed)),
            Err(LedgerError::Stale(_)) => Ok(Changed::Theirs(self.reread(order)?)),
            Err(source) => Err(Unrecorded {
                source,
                order: Some(Box::new(order.clone())),
                answered: Some(answered),
            }),
        }
    }

    fn reread(&self, order: &Order) -> Result<Order> {
        let found = self.ledger.find(&order.account, &order.intent.reference)?;
        found.ok_or_else(|| LedgerError::Stale(order.intent.reference.clone()).into())
    }

    /// A change whose cause is an exchange.
    fn change_by(&self, to: State, why: impl Into<String>, exchange: &Exchange) -> Change {
        Change {
            request_id: request_id(exchange),
            ..Change::to(to, self.clock.now(), why)
        }
    }
}

fn request_id(exchange: &Exchange) -> Option<String> {
    match &exchange.outcome {
        Outcome::Answered(answer) => answer.request_id.clone(),
        Outcome::NotSent(_) | Outcome::Lost(_) => None,
    }
}

/// What time it is at the provider, by its answer.
fn server_time(exchange: &Exchange) -> Option<Timestamp> {
    match &exchange.outcome {
        Outcome::Answered(answer) => answer.server_time,
        Outcome::NotSent(_) | Outcome::Lost(_) => None,
    }
}

/// The exchange as the ledger keeps it, with how it was understood.
fn attempt_of(exchange: &Exchange, outcome: impl Into<String>) -> Attempt {
    let mut attempt = outline_of(exchange, outcome);
    attempt.path.clone_from(&exchange.path);
    attempt.request.clone_from(&exchange.request);
    if let Outcome::Answered(answer) = &exchange.outcome {
        attempt.answer = Some(answer.text.clone());
    }
    attempt
}

/// The same for an exchange about many orders: of its answer, what concerns one of them.
fn attempt_about(exchange: &Exchange, outcome: impl Into<String>, answer: String) -> Attempt {
    Attempt {
        path: exchange.path.clone(),
        request: exchange.request.clone(),
        answer: Some(answer),
        ..outline_of(exchange, outcome)
    }
}

/// The same for an exchange that nobody needs any more: its texts are taken out of it.
fn take_attempt(exchange: &mut Exchange, outcome: impl Into<String>) -> Attempt {
    let mut attempt = outline_of(exchange, outcome);
    attempt.path = std::mem::take(&mut exchange.path);
    attempt.request = exchange.request.take();
    if let Outcome::Answered(answer) = &mut exchange.outcome {
        attempt.answer = Some(std::mem::take(&mut answer.text));
    }
    attempt
}

/// The exchange without the texts that were sent and received.
fn outline_of(exchange: &Exchange, outcome: impl Into<String>) -> Attempt {
    let (http_status, answer) = match &exchange.outcome {
        Outcome::Answered(answer) => (Some(answer.status), None),
        Outcome::NotSent(why) => (None, Some(format!("{NOT_SENT}{why}"))),
        Outcome::Lost(why) => (None, Some(format!("no answer: {why}"))),
    };
    Attempt {
        endpoint: exchange.endpoint.word().to_owned(),
        path: String::new(),
        request: None,
        started_at: exchange.started_at,
        ended_at: Some(exchange.ended_at),
        http_status,
        request_id: request_id(exchange),
        answer,
        outcome: Some(outcome.into()),
    }
}

/// Whether every request for an order was told that its ref is taken: then nothing was made by any of them. `attempts` are
/// all calls about it.
pub fn was_only_told_taken(attempts: &[Attempt]) -> bool {
    let mut sends = attempts
        .iter()
        .filter(|attempt| attempt.endpoint == "send")
        .peekable();
    sends.peek().is_some() && sends.all(|attempt| attempt.outcome.as_deref() == Some(REF_TAKEN))
}

/// The word that an attempt carries when the provider said that the ref is taken: from then on an order that
/// can't be seen is hidden, not absent.
const REF_TAKEN: &str = "the ref is taken";

/// How an attempt begins that never left.
const NOT_SENT: &str = "not sent: ";

/// How long the provider asks to wait, or our own pause where it does not say.
fn asked_to_wait(wait: Option<Duration>, pace: &Pace) -> Duration {
    wait.unwrap_or(pace.retry_delay).max(Duration::from_millis(10))
}

/// The earliest moment that a sweep for an order has to look at, by our clock.
fn around(order: &Order) -> Timestamp {
    order.created_at.min(order.sent_at.unwrap_or(order.created_at))
}
