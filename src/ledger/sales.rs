//! Orders as the closing of a day counts them. They are walked and not listed, so that a month of a million costs no
//! more memory than a day; sums are made above, since the database has no exact decimals.

use jiff::Timestamp;
use rusqlite::{Row, named_params};

use super::rows::{millis, moment, optional, required};
use super::{Ledger, LedgerError, Result};
use crate::domain::{Account, Money, Period, SettledBy, State};

/// An order that was sent, as far as a report must know it.
#[derive(Debug, Clone, Copy)]
pub struct Sale<'a> {
    /// When its last request left.
    pub sent_at: Timestamp,
    /// Whose credit it is.
    pub operator: &'a str,
    /// The plan's code.
    pub plan: &'a str,
    /// The batch that it belongs to.
    pub batch: Option<&'a str>,
    /// Where it stands.
    pub state: State,
    /// Dinars of face value.
    pub amount: u32,
    /// What it costs, as far as is known. Of a refunded order: what had been taken for it before it came back.
    pub cost: Option<Money>,
    /// When it was known that its money had come back.
    pub refunded_at: Option<Timestamp>,
    /// Whether the provider had accepted it: then it has taken the money, whatever the operator says since.
    pub is_accepted: bool,
    /// Whether the operator says how it ended, and not the provider.
    pub is_by_hand: bool,
}

/// Money that came back in a period, of orders that had been sent before it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CameBack {
    /// How many orders.
    pub orders: u64,
    /// How much, as far as is known.
    pub cost: Money,
    /// Of how many orders it is not known.
    pub unknown: u64,
}

impl Ledger {
    /// Walks the orders of an account that were sent in a period, in the order in which they were sent.
    pub fn each_sale(
        &self,
        account: &Account,
        period: Period,
        each: &mut dyn FnMut(&Sale<'_>),
    ) -> Result<()> {
        let reader = self.reader();
        let mut statement = reader.prepare_cached(
            "SELECT sent_at, operator, plan, label, state, amount, cost, charged, updated_at, settled_by, topup_id \
             FROM orders LEFT JOIN batches ON batches.id = batch_id \
             WHERE orders.account = :account AND orders.environment = :environment \
             AND sent_at >= :from AND sent_at < :to ORDER BY sent_at",
        )?;
        let mut rows = statement.query(named_params! {
            ":account": account.username, ":environment": account.environment.word(),
            ":from": millis(period.from), ":to": millis(period.to),
        })?;
        while let Some(row) = rows.next()? {
            each(&read_sale(row)?);
        }
        Ok(())
    }

    /// Money that came back in a period, of orders that had been sent before it. The moment is the one at which it
    /// was known here: the provider tells no other.
    pub fn came_back(&self, account: &Account, period: Period) -> Result<CameBack> {
        let reader = self.reader();
        let mut statement = reader.prepare_cached(
            "SELECT charged FROM orders WHERE account = :account AND environment = :environment \
             AND state = 'refunded' AND updated_at >= :from AND updated_at < :to AND sent_at < :from",
        )?;
        let mut rows = statement.query(named_params! {
            ":account": account.username, ":environment": account.environment.word(),
            ":from": millis(period.from), ":to": millis(period.to),
        })?;
        let mut back = CameBack::default();
        while let Some(row) = rows.next()? {
            back.orders += 1;
            match money(row, "charged")? {
                Some(charged) => back.cost = back.cost + charged,
                None => back.unknown += 1,
            }
        }
        Ok(back)
    }
}

fn read_sale<'row>(row: &'row Row<'_>) -> Result<Sale<'row>> {
    let state = required(row, "state", |text| text.parse::<State>().ok())?;
    let is_refunded = state == State::Refunded;
    Ok(Sale {
        sent_at: moment("sent_at", row.get("sent_at")?)?,
        operator: text(row, "operator")?.unwrap_or_default(),
        plan: text(row, "plan")?.unwrap_or_default(),
        batch: text(row, "label")?,
        state,
        amount: row.get("amount")?,
        cost: money(row, if is_refunded { "charged" } else { "cost" })?,
        refunded_at: is_refunded
            .then(|| moment("updated_at", row.get("updated_at")?))
            .transpose()?,
        is_accepted: text(row, "topup_id")?.is_some(),
        is_by_hand: text(row, "settled_by")? == Some(SettledBy::Operator.word()),
    })
}

fn text<'row>(row: &'row Row<'_>, column: &str) -> Result<Option<&'row str>> {
    let value = row.get_ref(column)?;
    value
        .as_str_or_null()
        .map_err(|_| LedgerError::Unreadable(format!("`{value:?}` as {column}")))
}

fn money(row: &Row<'_>, column: &str) -> Result<Option<Money>> {
    optional(row, column, |text| text.parse().ok())
}
