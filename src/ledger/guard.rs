//! The repeat guard and the caps, counted over the ledger.

use std::sync::LazyLock;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, named_params};

use super::rows::{self, TO_PHONE, millis, state_words};
use super::{Batch, Begun, Result};
use crate::domain::{Account, Intent, Order, State};
use crate::promise::{Rule, holds};

/// Limits over the ledger, in dinars of face value.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Caps {
    /// For one number in a day.
    pub per_number_per_day: Option<u64>,
    /// For all numbers in a day.
    pub per_day: Option<u64>,
}

/// What must hold, in the same transaction, for an order to be written as `sending`.
#[derive(Debug, Clone, Default)]
pub struct Guard {
    /// No order with the same phone, plan and amount since then; none when the caller has consented.
    pub no_repeat_since: Option<Timestamp>,
    /// Caps on the day that began at `day_start`.
    pub caps: Caps,
    /// When the day began.
    pub day_start: Timestamp,
    /// The batch whose row it is: its other rows are no repeats, the sheet has been consented to as a whole.
    pub own_batch: Option<i64>,
}

impl Guard {
    /// The same for a row of a batch; `again`: somebody has consented to it as a repeat.
    pub(super) fn of_row(&self, batch: &Batch, again: bool) -> Self {
        Self {
            no_repeat_since: self.no_repeat_since.filter(|_| !again),
            own_batch: Some(batch.id),
            ..self.clone()
        }
    }
}

/// Which cap would be passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CapPassed {
    /// The key of the configuration.
    pub cap: &'static str,
    /// Its value, in dinars.
    pub limit: u64,
    /// What has or may have been paid today.
    pub used: u64,
}

impl CapPassed {
    /// The cap that stops everything until the next day.
    pub(super) const OF_THE_DAY: &'static str = "max_per_day";

    /// Whether nothing more may be sent today.
    pub fn is_of_the_day(&self) -> bool {
        self.cap == Self::OF_THE_DAY
    }
}

/// The repeat guard and the caps; none where both hold.
pub(super) fn guarded(
    connection: &Connection,
    account: &Account,
    intent: &Intent,
    guard: &Guard,
) -> Result<Option<Begun>> {
    if let Some(since) = guard.no_repeat_since
        && holds(Rule::RepeatGuard)
        && let Some(order) = repeat_of(connection, account, intent, since, guard.own_batch)?
    {
        return Ok(Some(Begun::Repeat(Box::new(order))));
    }
    if !holds(Rule::Caps) {
        return Ok(None);
    }
    let day = |phone: Option<&str>| paid_since(connection, account, intent, phone, guard.day_start);
    let amount = u64::from(intent.amount.dinars());
    let over = |cap, limit: Option<u64>, used: u64| {
        limit
            .filter(|limit| used.saturating_add(amount) > *limit)
            .map(|limit| CapPassed { cap, limit, used })
    };
    if guard.caps.per_number_per_day.is_some()
        && let Some(passed) = over(
            "max_per_number_per_day",
            guard.caps.per_number_per_day,
            day(Some(intent.phone.as_str()))?,
        )
    {
        return Ok(Some(Begun::OverCap(passed)));
    }
    if guard.caps.per_day.is_some()
        && let Some(passed) = over(CapPassed::OF_THE_DAY, guard.caps.per_day, day(None)?)
    {
        return Ok(Some(Begun::OverCap(passed)));
    }
    Ok(None)
}

/// Finds the newest order that has or may have paid the same: number, account, environment, moment, plan, amount and the
/// ref that is no repeat, in this order.
pub(super) fn repeat_query() -> String {
    format!(
        "SELECT id FROM orders {TO_PHONE} AND account = ?2 AND environment = ?3 AND sent_at >= ?4 AND plan = ?5 AND amount = ?6 \
         AND ref <> ?7 AND (?8 IS NULL OR batch_id IS NOT ?8 OR row IS NULL) AND state IN ({}) ORDER BY sent_at DESC LIMIT 1",
        state_words(State::may_be_repeated)
    )
}

/// The newest order that has or may have paid the same to the same number since then.
fn repeat_of(
    connection: &Connection,
    account: &Account,
    intent: &Intent,
    since: Timestamp,
    own_batch: Option<i64>,
) -> Result<Option<Order>> {
    static QUERY: LazyLock<String> = LazyLock::new(repeat_query);
    // Most have none, and then there is no order to be read.
    let id: Option<i64> = connection
        .prepare_cached(&QUERY)?
        .query_row(
            (
                intent.phone.as_str(),
                &account.username,
                account.environment.word(),
                millis(since),
                intent.plan.as_str(),
                intent.amount.dinars(),
                intent.reference.as_str(),
                own_batch,
            ),
            |row| row.get(0),
        )
        .optional()?;
    let Some(id) = id else { return Ok(None) };
    Ok(rows::orders(connection, "WHERE id = :id", named_params! {":id": id})?.pop())
}

/// The newest single order for the same that was given up although one of its requests may have made something.
pub(super) fn given_up_in_doubt(
    connection: &Connection,
    account: &Account,
    intent: &Intent,
    since: Timestamp,
) -> Result<Option<Order>> {
    let environment = account.environment.word();
    let found = rows::orders(
        connection,
        &format!(
            "{TO_PHONE} AND account = :account AND environment = :environment AND sent_at >= :since \
             AND plan = :plan AND amount = :amount AND state = 'cancelled' AND batch_id IS NULL \
             AND EXISTS (SELECT 1 FROM moves WHERE order_id = orders.id AND to_state = 'unknown') \
             ORDER BY sent_at DESC LIMIT 1"
        ),
        named_params! {
            ":account": account.username, ":environment": environment, ":phone": intent.phone.as_str(),
            ":plan": intent.plan.as_str(), ":amount": intent.amount.dinars(), ":since": millis(since),
        },
    )?;
    Ok(found.into_iter().next())
}

impl super::Ledger {
    /// Whether the guard stands against sending a row once more.
    pub fn holds_back(&self, order: &Order, batch: &Batch, guard: &Guard) -> Result<bool> {
        let reader = self.reader();
        let again: bool = reader
            .prepare_cached("SELECT again FROM orders WHERE account = ?1 AND environment = ?2 AND ref = ?3")?
            .query_row(
                (
                    &order.account.username,
                    order.account.environment.word(),
                    order.intent.reference.as_str(),
                ),
                |row| row.get(0),
            )?;
        let guard = guard.of_row(batch, again);
        Ok(guarded(&reader, &order.account, &order.intent, &guard)?.is_some())
    }

    /// The face value that has or may have been paid since then, in dinars.
    pub fn paid_face_since(&self, account: &Account, since: Timestamp) -> Result<u64> {
        sum_since(&self.reader(), account, None, None, since)
    }
}

/// The face value that has or may have been paid today, this order left out.
pub(super) fn paid_today(
    connection: &Connection,
    account: &Account,
    intent: &Intent,
    day_start: Timestamp,
) -> Result<u64> {
    paid_since(connection, account, intent, None, day_start)
}

/// The face value that has or may have been paid since then, this order left out.
fn paid_since(
    connection: &Connection,
    account: &Account,
    intent: &Intent,
    phone: Option<&str>,
    since: Timestamp,
) -> Result<u64> {
    sum_since(connection, account, Some(intent.reference.as_str()), phone, since)
}

fn sum_since(
    connection: &Connection,
    account: &Account,
    but: Option<&str>,
    phone: Option<&str>,
    since: Timestamp,
) -> Result<u64> {
    // A number has few orders, a day has many.
    let which = match phone {
        Some(_) => TO_PHONE,
        None => "WHERE :phone IS NULL",
    };
    let query = format!(
        "SELECT coalesce(sum(amount), 0) FROM orders {which} AND account = :account AND environment = :environment \
         AND sent_at >= :since AND ref IS NOT :but AND state IN ({})",
        state_words(State::may_have_paid)
    );
    let environment = account.environment.word();
    let sum: i64 = connection.prepare_cached(&query)?.query_row(
        named_params! {
            ":account": account.username, ":environment": environment, ":since": millis(since),
            ":phone": phone, ":but": but,
        },
        |row| row.get(0),
    )?;
    Ok(u64::try_from(sum).unwrap_or(0))
}
