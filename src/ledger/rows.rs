//! Rows to types and back.

use jiff::Timestamp;
use rusqlite::types::{FromSql, ValueRef};
use rusqlite::{Row, ToSql};
use serde_json::{Value, json};

use super::error::LedgerError;
use crate::domain::{
    Account, Amount, Intent, Money, Offer, Operator, Order, Phone, ProviderStatus, Ref, SettledBy, State,
    TopupId,
};

/// The columns of an order, in the order in which [`read_order`] takes them. They stand first in a query.
pub(super) const ORDER_COLUMNS: &str = "account, environment, ref, phone, plan, amount, operator, state, revision, \
     provider_status, topup_id, provider_ref, cost, (SELECT label FROM batches WHERE id = batch_id) AS batch, row, \
     attempts, created_at, updated_at, sent_at, message, offers, request_id, settled_by, note, owner";

/// One call about an order: what was asked and what came back, the key taken out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// `send`, `check-ref`, `check-id` or `list`.
    pub endpoint: String,
    /// Path and query.
    pub path: String,
    /// The body as sent.
    pub request: Option<String>,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended; none while no answer has been stored.
    pub ended_at: Option<Timestamp>,
    /// The HTTP status.
    pub http_status: Option<u16>,
    /// What the provider's support asks for.
    pub request_id: Option<String>,
    /// The body of the answer, cut to a few kilobytes.
    pub answer: Option<String>,
    /// How it was understood.
    pub outcome: Option<String>,
}

pub(super) fn millis(moment: Timestamp) -> i64 {
    moment.as_millisecond()
}

/// What a text in the database means; a text that means nothing is damage or a later version.
fn read<T>(column: &str, text: &str, parsed: Option<T>) -> Result<T, LedgerError> {
    parsed.ok_or_else(|| LedgerError::Unreadable(format!("`{text}` as {column}")))
}

pub(super) fn moment(column: &str, millisecond: i64) -> Result<Timestamp, LedgerError> {
    read(
        column,
        &millisecond.to_string(),
        Timestamp::from_millisecond(millisecond).ok(),
    )
}

pub(super) fn optional<T>(
    row: &Row<'_>,
    column: &str,
    parse: impl FnOnce(&str) -> Option<T>,
) -> Result<Option<T>, LedgerError> {
    optional_text(row.get_ref(column)?, column, parse)
}

pub(super) fn required<T>(
    row: &Row<'_>,
    column: &str,
    parse: impl FnOnce(&str) -> Option<T>,
) -> Result<T, LedgerError> {
    required_text(row.get_ref(column)?, column, parse)
}

fn optional_text<T>(
    cell: ValueRef<'_>,
    column: &str,
    parse: impl FnOnce(&str) -> Option<T>,
) -> Result<Option<T>, LedgerError> {
    let text = cell.as_str_or_null().map_err(rusqlite::Error::from)?;
    text.map(|text| read(column, text, parse(text))).transpose()
}

fn required_text<T>(
    cell: ValueRef<'_>,
    column: &str,
    parse: impl FnOnce(&str) -> Option<T>,
) -> Result<T, LedgerError> {
    let text = cell.as_str().map_err(rusqlite::Error::from)?;
    read(column, text, parse(text))
}

fn amount_of(dinars: i64) -> Result<Amount, LedgerError> {
    let amount = u32::try_from(dinars)
        .ok()
        .and_then(|dinars| Amount::of(dinars).ok());
    read("amount", &dinars.to_string(), amount)
}

/// Takes the columns of a row one after the other: finding them by their names costs more than reading them.
pub(super) struct Cells<'r, 's> {
    row: &'r Row<'s>,
    next: usize,
}

impl<'r, 's> Cells<'r, 's> {
    /// The columns of a row from the first on.
    pub fn of(row: &'r Row<'s>) -> Self {
        Self { row, next: 0 }
    }

    fn step(&mut self) -> usize {
        self.next += 1;
        self.next - 1
    }

    pub fn get<T: FromSql>(&mut self) -> Result<T, LedgerError> {
        Ok(self.row.get(self.step())?)
    }

    /// A text that means something; `column` for who reads that it does not.
    pub fn required<T>(
        &mut self,
        column: &str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Result<T, LedgerError> {
        let at = self.step();
        required_text(self.row.get_ref(at)?, column, parse)
    }

    /// The same where there may be none.
    pub fn optional<T>(
        &mut self,
        column: &str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>, LedgerError> {
        let at = self.step();
        optional_text(self.row.get_ref(at)?, column, parse)
    }

    fn moment(&mut self, column: &str) -> Result<Timestamp, LedgerError> {
        moment(column, self.get()?)
    }

    /// `ref`, `phone`, `plan` and `amount`.
    pub fn intent(&mut self) -> Result<Intent, LedgerError> {
        Ok(Intent {
            reference: self.required("ref", |text| text.parse::<Ref>().ok())?,
            phone: self.required("phone", |text| text.parse::<Phone>().ok())?,
            plan: self.required("plan", |text| text.parse().ok())?,
            amount: amount_of(self.get()?)?,
        })
    }
}

/// Reads a row of `ORDER_COLUMNS`, field by field in their order.
pub(super) fn read_order(row: &Row<'_>) -> Result<Order, LedgerError> {
    let mut cells = Cells::of(row);
    Ok(Order {
        account: Account {
            username: cells.get()?,
            environment: cells.required("environment", |text| text.parse().ok())?,
        },
        intent: cells.intent()?,
        operator: cells.required("operator", |text| Some(Operator::named(text)))?,
        state: cells.required("state", |text| text.parse::<State>().ok())?,
        revision: cells.get()?,
        provider_status: cells.optional("provider_status", |text| Some(ProviderStatus::named(text)))?,
        topup_id: cells.optional("topup_id", TopupId::new)?,
        provider_ref: cells.get()?,
        cost: cells.optional("cost", |text| text.parse::<Money>().ok())?,
        batch: cells.get()?,
        row: cells.get()?,
        attempts: cells.get()?,
        created_at: cells.moment("created_at")?,
        updated_at: cells.moment("updated_at")?,
        sent_at: {
            let at: Option<i64> = cells.get()?;
            at.map(|at| moment("sent_at", at)).transpose()?
        },
        message: cells.get()?,
        offers: cells.optional("offers", read_offers)?.unwrap_or_default(),
        request_id: cells.get()?,
        settled_by: cells.optional("settled_by", settled_by)?,
        note: cells.get()?,
        owner: cells.get()?,
    })
}

fn settled_by(word: &str) -> Option<SettledBy> {
    [SettledBy::Provider, SettledBy::Operator]
        .into_iter()
        .find(|by| by.word() == word)
}

/// The offers as one JSON text.
pub(super) fn offers_text(offers: &[Offer]) -> Option<String> {
    let rows: Vec<_> = offers
        .iter()
        .map(|offer| json!({"name": offer.name, "plan": offer.plan, "amount": offer.amount.map(|a| a.to_string())}))
        .collect();
    (!rows.is_empty()).then(|| Value::from(rows).to_string())
}

fn read_offers(text: &str) -> Option<Vec<Offer>> {
    let Value::Array(rows) = serde_json::from_str(text).ok()? else {
        return None;
    };
    let field = |row: &Value, name: &str| row.get(name).and_then(Value::as_str).map(str::to_owned);
    rows.iter()
        .map(|row| {
            Some(Offer {
                name: field(row, "name")?,
                plan: field(row, "plan")?,
                amount: field(row, "amount").and_then(|amount| amount.parse().ok()),
            })
        })
        .collect()
}

/// Reads a row of `attempts`.
pub(super) fn read_attempt(row: &Row<'_>) -> Result<Attempt, LedgerError> {
    let ended_at: Option<i64> = row.get("ended_at")?;
    Ok(Attempt {
        endpoint: row.get("endpoint")?,
        path: row.get("path")?,
        request: row.get("request")?,
        started_at: moment("started_at", row.get("started_at")?)?,
        ended_at: ended_at.map(|at| moment("ended_at", at)).transpose()?,
        http_status: row.get("http_status")?,
        request_id: row.get("request_id")?,
        answer: row.get("answer")?,
        outcome: row.get("outcome")?,
    })
}

/// `'a', 'b'` for the states that `wanted` picks: fixed words, so they may stand in a query.
pub(super) fn state_words(wanted: impl Fn(State) -> bool) -> String {
    let words: Vec<_> = State::ALL
        .into_iter()
        .filter(|state| wanted(*state))
        .map(|s| format!("'{}'", s.word()))
        .collect();
    words.join(", ")
}

/// Behind `orders`: those to the number `:phone`, found by their index.
pub(super) const TO_PHONE: &str =
    "INDEXED BY orders_by_phone WHERE CAST(phone AS INTEGER) = CAST(:phone AS INTEGER) AND phone = :phone";
/// Behind `orders`: the open ones, found by their index, which has `batch_id` and `sent_at` at hand.
pub(super) const OPEN: &str = "INDEXED BY orders_open WHERE is_open = 1";
/// Behind `orders`: those of batches that are not open, found by theirs, which has `batch_id`, `state` and `row` at hand.
pub(super) const NOT_OPEN_OF_BATCH: &str =
    "INDEXED BY orders_not_open WHERE is_open = 0 AND batch_id IS NOT NULL";

/// Runs a query whose rows are orders.
pub(super) fn orders(
    connection: &rusqlite::Connection,
    rest: &str,
    parameters: &[(&str, &dyn ToSql)],
) -> Result<Vec<Order>, LedgerError> {
    let mut statement = connection.prepare_cached(&format!("SELECT {ORDER_COLUMNS} FROM orders {rest}"))?;
    let mut rows = statement.query(parameters)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(read_order(row)?);
    }
    Ok(found)
}
