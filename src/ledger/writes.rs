//! What changes the ledger. Guards and moves are checked in the transaction that writes, so that two processes
//! can't both pass them.

use std::sync::LazyLock;

use jiff::Timestamp;
use rusqlite::{CachedStatement, Connection, OptionalExtension, named_params, params};

use super::acts;
use super::guard::{CapPassed, Guard, given_up_in_doubt, guarded};
use super::queries::find;
use super::rows::{Attempt, millis, offers_text};
use super::{Ledger, LedgerError, Result};
use crate::clock::to_the_millisecond;
use crate::domain::{
    Account, Intent, Money, Offer, Operator, Order, ProviderStatus, SettledBy, State, TopupId,
};

/// An order that is about to be sent, with the request that will be.
#[derive(Debug, Clone)]
pub struct NewSend {
    /// Whose it is.
    pub account: Account,
    /// What is meant.
    pub intent: Intent,
    /// Whose credit it is.
    pub operator: Operator,
    /// What it is expected to cost.
    pub cost: Option<Money>,
    /// When.
    pub at: Timestamp,
    /// The path of the request.
    pub path: String,
    /// The body of the request.
    pub request: String,
    /// The order that is sent again under its own ref; none for a new order.
    pub again: Option<Again>,
    /// Why it is sent again.
    pub why: Option<String>,
    /// What must hold.
    pub guard: Guard,
}

#[cfg(test)]
impl NewSend {
    /// An order that a test sends by hand, at the beginning of time and without a guard.
    pub(super) fn by_hand(account: Account, intent: Intent) -> Self {
        Self {
            account,
            intent,
            operator: Operator::Djezzy,
            cost: None,
            at: Timestamp::UNIX_EPOCH,
            path: "/v3/mobile/send".to_owned(),
            request: "{}".to_owned(),
            again: None,
            why: None,
            guard: Guard::default(),
        }
    }
}

/// Sending an order again, under its own ref.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Again {
    /// The order as it was read.
    pub revision: u32,
    /// Whether it counts as a further attempt; a request that surely made nothing did not use one up.
    pub counts: bool,
}

/// The ledger's own number of an order: it is found by it without being looked up by its ref.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(test, derive(Default))]
pub struct OrderKey(pub(super) i64);

/// An order that stands in the ledger as `sending`: now its request may leave.
#[derive(Debug, Clone)]
pub struct Written {
    /// The order.
    pub order: Order,
    /// Its number.
    pub key: OrderKey,
    /// The attempt that waits for its answer. Of a row of a batch it is written down with the answer: until then the
    /// order itself says what was sent.
    pub attempt: Option<i64>,
    /// The body of its request.
    pub request: String,
}

/// What became of the wish to send.
#[derive(Debug, Clone)]
pub enum Begun {
    /// Written; send it.
    Written(Box<Written>),
    /// The ref is in the ledger already.
    Exists(Box<Order>),
    /// The same phone, plan and amount, not long ago.
    Repeat(Box<Order>),
    /// A cap.
    OverCap(CapPassed),
}

/// A move of an order to a state, or news about it where it stands.
#[derive(Debug, Clone)]
pub struct Change {
    /// Where it goes; the same state for news only.
    pub to: State,
    /// When.
    pub at: Timestamp,
    /// Why, for the order's history.
    pub why: String,
    /// The provider's word.
    pub provider_status: Option<ProviderStatus>,
    /// The provider's id.
    pub topup_id: Option<TopupId>,
    /// The ref as the provider stores it.
    pub provider_ref: Option<String>,
    /// When the provider has made it, by its clock.
    pub their_at: Option<Timestamp>,
    /// What it cost.
    pub cost: Option<Money>,
    /// A message to keep with the order; replaced at every move.
    pub message: Option<String>,
    /// What the number would take in its place.
    pub offers: Vec<Offer>,
    /// What the provider's support asks for.
    pub request_id: Option<String>,
    /// Who says that it has ended.
    pub settled_by: Option<SettledBy>,
    /// The operator's own words.
    pub note: Option<String>,
    /// Who sends it from now on: this process while it is at it, nobody behind it.
    pub keep_owner: bool,
    /// The attempt whose answer this is; none for one that is written down with its answer.
    pub answers: Option<(Option<i64>, Attempt)>,
    /// A further call about the order.
    pub asked: Option<Attempt>,
    /// The order's number, where it is known.
    pub key: Option<OrderKey>,
}

impl Change {
    /// A move to `to` with nothing else to say.
    pub fn to(to: State, at: Timestamp, why: impl Into<String>) -> Self {
        Self {
            to,
            at,
            why: why.into(),
            provider_status: None,
            topup_id: None,
            provider_ref: None,
            their_at: None,
            cost: None,
            message: None,
            offers: Vec::new(),
            request_id: None,
            settled_by: None,
            note: None,
            keep_owner: false,
            answers: None,
            asked: None,
            key: None,
        }
    }

    /// With the answer to what was written, which is its cause.
    #[must_use]
    pub fn answering(self, written: &Written, answer: Attempt) -> Self {
        Self {
            answers: Some((written.attempt, answer)),
            key: Some(written.key),
            ..self
        }
    }
}

impl Ledger {
    /// Writes an order as `sending`, durable when this returns, if its guard holds. Its one request may leave
    /// after that and not before (design, section 2).
    pub async fn begin(&self, new: NewSend) -> Result<Begun> {
        let owner = self.owner_name()?.to_owned();
        self.writer
            .write(move |connection| begin(connection, &new, &owner))
            .await
    }

    /// What the guard says, without writing anything.
    pub fn check(&self, account: &Account, intent: &Intent, guard: &Guard) -> Result<Option<Begun>> {
        guarded(&self.reader(), account, intent, guard)
    }

    /// An order for the same phone, plan and amount that was given up although it may still turn up at the
    /// provider. Going on under its ref can't pay twice; a new ref could.
    pub fn given_up_in_doubt(
        &self,
        account: &Account,
        intent: &Intent,
        since: Timestamp,
    ) -> Result<Option<Order>> {
        given_up_in_doubt(&self.reader(), account, intent, since)
    }

    /// Moves an order, if it is still as it was read and the state machine has the move.
    ///
    /// # Errors
    /// `Stale` when another process has changed it, `Illegal` for a move that there is not.
    pub async fn change(&self, order: &Order, change: Change) -> Result<Order> {
        let changed = self.change_all(vec![Box::new((order.clone(), change))]).await?;
        let stale = || LedgerError::Stale(order.intent.reference.clone());
        changed.into_iter().next().unwrap_or_else(|| Err(stale()))
    }

    /// Notes a call about an order that changes nothing.
    pub async fn note_attempt(&self, order: &Order, attempt: Attempt) -> Result<()> {
        let order = order.clone();
        self.writer
            .write(move |connection| {
                let id = order_id(connection, &order)?;
                insert_attempt(connection, id, &attempt)
            })
            .await
    }
}

fn begin(connection: &Connection, new: &NewSend, owner: &str) -> Result<Begun> {
    let existing = find(connection, &new.account, &new.intent.reference)?;
    match (existing, new.again) {
        (Some(order), Some(again)) if order.revision == again.revision => {
            // This process may go on with what it is sending itself, as long as nothing was made by it.
            let is_ours = order.state == State::Sending && order.owner.as_deref() == Some(owner);
            if !is_ours {
                order.state.check_move(State::Sending)?;
            }
            if let Some(stopped) = guarded(connection, &new.account, &new.intent, &new.guard)? {
                return Ok(stopped);
            }
            send_again(connection, new, &order, owner, again.counts)?;
        }
        (Some(order), None) => return Ok(Begun::Exists(Box::new(order))),
        (_, Some(_)) => return Err(LedgerError::Stale(new.intent.reference.clone())),
        (None, None) => {
            if let Some(stopped) = guarded(connection, &new.account, &new.intent, &new.guard)? {
                return Ok(stopped);
            }
            insert_order(connection, new, owner)?;
        }
    }
    let order = find(connection, &new.account, &new.intent.reference)?
        .ok_or_else(|| LedgerError::Stale(new.intent.reference.clone()))?;
    let id = order_id(connection, &order)?;
    let attempt = begin_attempt(connection, id, &new.path, &new.request, new.at)?;
    Ok(Begun::Written(Box::new(Written {
        order,
        key: OrderKey(id),
        attempt: Some(attempt),
        request: new.request.clone(),
    })))
}

fn insert_order(connection: &Connection, new: &NewSend, owner: &str) -> Result<()> {
    let environment = new.account.environment.word();
    connection.prepare_cached(
        "INSERT INTO orders (account, environment, ref, state, phone, plan, operator, amount, cost, attempts, owner, \
         created_at, updated_at, sent_at) VALUES (:account, :environment, :ref, 'sending', :phone, :plan, :operator, \
         :amount, :cost, 1, :owner, :at, :at, :at)",
    )?
    .execute(named_params! {
        ":account": new.account.username, ":environment": environment,
        ":ref": new.intent.reference.as_str(), ":phone": new.intent.phone.as_str(),
        ":plan": new.intent.plan.as_str(), ":operator": new.operator.name(),
        ":amount": new.intent.amount.dinars(), ":cost": new.cost.map(|cost| cost.to_string()),
        ":owner": owner, ":at": millis(new.at),
    })?;
    insert_move(
        connection,
        connection.last_insert_rowid(),
        new.at,
        None,
        State::Sending,
        new.why.as_deref(),
    )
}

fn send_again(
    connection: &Connection,
    new: &NewSend,
    order: &Order,
    owner: &str,
    counts: bool,
) -> Result<()> {
    let id = order_id(connection, order)?;
    if order.intent != new.intent {
        return Err(LedgerError::Unreadable(format!(
            "`{}` is another order",
            order.intent.reference
        )));
    }
    connection.prepare_cached(
        "UPDATE orders SET state = 'sending', is_open = 1, attempts = attempts + :counts, owner = :owner, revision = revision + 1, \
         updated_at = :at, sent_at = :at, message = NULL, settled_by = NULL, cost = coalesce(:cost, cost) WHERE id = :id",
    )?
    .execute(named_params! {
        ":counts": counts, ":counts": counts, ":owner": owner, ":at": millis(new.at), ":id": id, ":cost": new.cost.map(|cost| cost.to_string()),
    })?;
    insert_move(
        connection,
        id,
        new.at,
        Some(order.state),
        State::Sending,
        new.why.as_deref(),
    )
}

/// Writes changes of orders, one behind the other in one transaction: their statements are at hand for all of them.
pub(super) struct Changes<'c> {
    connection: &'c Connection,
    update: CachedStatement<'c>,
    update_openness: CachedStatement<'c>,
    moves: Moves<'c>,
    attempts: CachedStatement<'c>,
}

impl<'c> Changes<'c> {
    pub fn on(connection: &'c Connection) -> Result<Self> {
        Ok(Self {
            connection,
            update: connection.prepare_cached(&UPDATE_ORDER)?,
            update_openness: connection.prepare_cached(&UPDATE_OPENNESS)?,
            moves: Moves::on(connection)?,
            attempts: connection.prepare_cached(INSERT_ATTEMPT)?,
        })
    }

    /// Writes a change of an order as it was read. The revision is the lock: it grows with every change, so an order
    /// that still has it is in the state that was read. Fails before it has written anything, or with the disk.
    pub fn apply(&mut self, read: &Order, change: &Change) -> Result<()> {
        let is_move = read.state != change.to;
        let by_hand = change.settled_by == Some(SettledBy::Operator) && read.state.may_be_settled();
        if is_move && !by_hand {
            read.state.check_move(change.to)?;
        }
        let id = match change.key {
            Some(OrderKey(id)) => id,
            None => order_id(self.connection, read)?,
        };
        if !self.update(id, read, change, is_move)? {
            return Err(LedgerError::Stale(read.intent.reference.clone()));
        }
        if is_move {
            self.moves.insert(&NewMove {
                order: id,
                at: change.at,
                from: Some(read.state),
                to: change.to,
                why: Some(change.why.as_str()),
                request_id: change.request_id.as_deref(),
            })?;
        }
        self.put_answer(id, change)?;
        if let Some(asked) = &change.asked {
            put_attempt(&mut self.attempts, id, asked)?;
        }
        Ok(())
    }

    /// An answer to an order that another process has changed since it was read, which took this one for dead: it stays
    /// with the order all the same. Where it says that the order was made, and that process has left it in doubt, it is
    /// what settles it: then `read` is the order as it stood before, and true.
    pub fn take_late(&mut self, read: &mut Order, change: &mut Change) -> Result<bool> {
        let reference = &read.intent.reference;
        let Some(found) = find(self.connection, &read.account, reference)? else {
            return Ok(false);
        };
        let id = order_id(self.connection, &found)?;
        if let Some((attempt @ None, _)) = &mut change.answers
            && found.state != State::Sending
        {
            // Who took it over has written down what was sent, and no answer.
            *attempt = self
                .connection
                .prepare_cached(
                    "SELECT max(id) FROM attempts WHERE order_id = ?1 AND endpoint = 'send' AND ended_at IS NULL",
                )?
                .query_row([id], |row| row.get(0))?;
        }
        if found.state == State::Unknown && change.to == State::Accepted && found.intent == read.intent {
            *read = found;
            return self.apply(read, change).map(|()| true);
        }
        self.put_answer(id, change)?;
        Ok(false)
    }

    fn put_answer(&mut self, id: i64, change: &Change) -> Result<()> {
        match &change.answers {
            Some((Some(attempt), answer)) => answer_attempt(self.connection, *attempt, answer),
            Some((None, answer)) => put_attempt(&mut self.attempts, id, answer),
            None => Ok(()),
        }
    }

    /// The parameters stand by their places: looking them up by name costs as much as the update.
    fn update(&mut self, id: i64, read: &Order, change: &Change, is_move: bool) -> Result<bool> {
        let stays_open = read.state.is_open() && change.to.is_open();
        let update = if stays_open {
            &mut self.update
        } else {
            &mut self.update_openness
        };
        let changed = update.execute(params![
            change.to.word(),
            millis(change.at),
            change.provider_status.as_ref().map(ProviderStatus::word),
            change.topup_id.as_ref().map(TopupId::as_str),
            change.provider_ref,
            change.cost.map(|cost| cost.to_string()),
            is_move,
            change.message,
            offers_text(&change.offers),
            change.request_id,
            change.settled_by.map(SettledBy::word),
            change.note,
            change.their_at.map(millis),
            change.keep_owner,
            id,
            read.revision,
            // It has never been another's; a second lock costs nothing.
            read.intent.reference.as_str(),
        ])?;
        Ok(changed == 1)
    }
}

/// The change of an order that stays open: neither the index of open orders nor an end is touched by it.
static UPDATE_ORDER: LazyLock<String> = LazyLock::new(|| update_order(""));
/// The change of an order that is open no more, or again, or that was not open.
static UPDATE_OPENNESS: LazyLock<String> = LazyLock::new(|| {
    let any_of = |is_meant: fn(State) -> bool| {
        let meant = State::ALL.into_iter().filter(|state| is_meant(*state));
        let terms: Vec<_> = meant.map(|state| format!("?1 = '{state}'")).collect();
        terms.join(" OR ")
    };
    update_order(&format!(
        ", is_open = ({}), ended_as = CASE WHEN {} THEN ?1 END",
        any_of(State::is_open),
        any_of(State::is_end)
    ))
});

fn update_order(further: &str) -> String {
    format!(
        "UPDATE orders SET state = ?1, revision = revision + 1, updated_at = ?2, \
         provider_status = coalesce(?3, provider_status), topup_id = coalesce(?4, topup_id), \
         provider_ref = coalesce(?5, provider_ref), cost = coalesce(?6, cost), \
         message = CASE WHEN ?7 THEN ?8 ELSE coalesce(?8, message) END, \
         offers = coalesce(?9, offers), request_id = coalesce(?10, request_id), \
         settled_by = coalesce(?11, settled_by), note = coalesce(?12, note), \
         their_at = coalesce(?13, their_at), owner = CASE WHEN ?14 THEN owner ELSE NULL END, \
         charged = CASE WHEN NOT ?7 OR ?1 <> 'refunded' THEN charged \
             WHEN state = 'conflict' THEN '0' ELSE coalesce(nullif(?6, '0'), cost) END{further} \
         WHERE id = ?15 AND revision = ?16 AND ref = ?17"
    )
}

/// The order as it stands in the ledger behind a change: what [`Changes::apply`] writes, without reading it again.
pub(super) fn changed(mut order: Order, change: Change) -> Order {
    let is_move = order.state != change.to;
    order.state = change.to;
    order.revision += 1;
    order.updated_at = to_the_millisecond(change.at);
    order.provider_status = change.provider_status.or(order.provider_status);
    order.topup_id = change.topup_id.or(order.topup_id);
    order.provider_ref = change.provider_ref.or(order.provider_ref);
    order.request_id = change.request_id.or(order.request_id);
    order.note = change.note.or(order.note);
    order.cost = change.cost.or(order.cost);
    order.settled_by = change.settled_by.or(order.settled_by);
    if is_move || change.message.is_some() {
        order.message = change.message;
    }
    if !change.offers.is_empty() {
        order.offers = change.offers;
    }
    if !change.keep_owner {
        order.owner = None;
    }
    order
}

fn order_id(connection: &Connection, order: &Order) -> Result<i64> {
    let environment = order.account.environment.word();
    connection
        .prepare_cached("SELECT id FROM orders WHERE account = ?1 AND environment = ?2 AND ref = ?3")?
        .query_row(
            (
                &order.account.username,
                environment,
                order.intent.reference.as_str(),
            ),
            |row| row.get(0),
        )
        .optional()?
        .ok_or_else(|| LedgerError::Stale(order.intent.reference.clone()))
}

/// A step of an order's history.
pub(super) struct NewMove<'a> {
    pub order: i64,
    pub at: Timestamp,
    pub from: Option<State>,
    pub to: State,
    pub why: Option<&'a str>,
    /// What the provider's support asks for, where an answer has caused it.
    pub request_id: Option<&'a str>,
}

/// Writes moves, all of one transaction, under the act of this process.
pub(super) struct Moves<'c> {
    connection: &'c Connection,
    insert: CachedStatement<'c>,
    act: Act,
}

/// The act that moves belong to.
#[derive(Clone, Copy)]
enum Act {
    /// It is looked for with the first move, since it is written with that.
    Unasked,
    /// None where nobody has said what this process is about to do.
    Known(Option<i64>),
}

impl<'c> Moves<'c> {
    pub fn on(connection: &'c Connection) -> Result<Self> {
        Ok(Self {
            connection,
            insert: connection.prepare_cached(
                "INSERT INTO moves (order_id, at, from_state, to_state, why, act_id, request_id) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            )?,
            act: Act::Unasked,
        })
    }

    pub fn insert(&mut self, new: &NewMove<'_>) -> Result<()> {
        let at = millis(new.at);
        let act = match self.act {
            Act::Known(act) => act,
            Act::Unasked => acts::current(self.connection, at)?,
        };
        self.act = Act::Known(act);
        self.insert.execute((
            new.order,
            at,
            new.from.map(State::word),
            new.to.word(),
            new.why,
            act,
            new.request_id,
        ))?;
        Ok(())
    }
}

pub(super) fn insert_move(
    connection: &Connection,
    order: i64,
    at: Timestamp,
    from: Option<State>,
    to: State,
    why: Option<&str>,
) -> Result<()> {
    Moves::on(connection)?.insert(&NewMove {
        order,
        at,
        from,
        to,
        why,
        request_id: None,
    })
}

/// The attempt of a POST whose answer is still to come.
fn begin_attempt(
    connection: &Connection,
    order: i64,
    path: &str,
    request: &str,
    at: Timestamp,
) -> Result<i64> {
    connection
        .prepare_cached(
            "INSERT INTO attempts (order_id, endpoint, path, request, started_at) VALUES (?1, 'send', ?2, ?3, ?4)",
        )?
        .execute((order, path, request, millis(at)))?;
    Ok(connection.last_insert_rowid())
}

const INSERT_ATTEMPT: &str = "INSERT INTO attempts (order_id, endpoint, path, request, started_at, ended_at, \
     http_status, request_id, answer, outcome) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";

pub(super) fn insert_attempt(connection: &Connection, order: i64, attempt: &Attempt) -> Result<()> {
    put_attempt(&mut connection.prepare_cached(INSERT_ATTEMPT)?, order, attempt)
}

fn put_attempt(insert: &mut CachedStatement<'_>, order: i64, attempt: &Attempt) -> Result<()> {
    insert.execute((
        order,
        &attempt.endpoint,
        &attempt.path,
        &attempt.request,
        millis(attempt.started_at),
        attempt.ended_at.map(millis),
        attempt.http_status,
        &attempt.request_id,
        &attempt.answer,
        &attempt.outcome,
    ))?;
    Ok(())
}

fn answer_attempt(connection: &Connection, id: i64, answer: &Attempt) -> Result<()> {
    connection
        .prepare_cached(
            "UPDATE attempts SET ended_at = ?2, http_status = ?3, request_id = ?4, answer = ?5, outcome = ?6 WHERE id = ?1",
        )?
        .execute((
            id,
            answer.ended_at.map(millis),
            answer.http_status,
            &answer.request_id,
            &answer.answer,
            &answer.outcome,
        ))?;
    Ok(())
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
