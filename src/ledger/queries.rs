//! What can be asked of the ledger. Every question names the account: accounts never meet in one view.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, ToSql, named_params};

use super::rows::{self, Attempt, OPEN, millis, read_attempt, state_words};
use super::{Ledger, LedgerError, Result};
use crate::domain::{Account, Label, Order, Phone, Ref, State};

/// Which orders to list; everything that is none does not filter.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// In one of these states; empty for all.
    pub states: Vec<State>,
    /// To this number.
    pub phone: Option<Phone>,
    /// Under this ref.
    pub reference: Option<Ref>,
    /// Of this batch.
    pub batch: Option<Label>,
    /// Written down at or after.
    pub since: Option<Timestamp>,
    /// Written down before.
    pub until: Option<Timestamp>,
    /// At most so many, the newest.
    pub limit: Option<u32>,
}

impl Filter {
    fn takes(&self, state: State) -> bool {
        self.states.is_empty() || self.states.contains(&state)
    }
}

/// One step of an order from state to state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Move {
    /// When.
    pub at: Timestamp,
    /// From where; none for the first.
    pub from: Option<State>,
    /// To where.
    pub to: State,
    /// Why.
    pub why: Option<String>,
}

/// How many orders are open, and since when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenCount {
    /// How many.
    pub count: u32,
    /// When the oldest of them was sent.
    pub oldest: Option<Timestamp>,
}

/// What a command is working on itself: no news to whoever typed it.
#[derive(Debug, Clone, Copy, Default)]
pub enum InHand<'a> {
    /// Nothing.
    #[default]
    Nothing,
    /// The order under this ref.
    Order(&'a Ref),
    /// The batch of this label.
    Batch(&'a Label),
}

impl<'a> InHand<'a> {
    fn reference(self) -> Option<&'a str> {
        match self {
            Self::Order(reference) => Some(reference.as_str()),
            Self::Nothing | Self::Batch(_) => None,
        }
    }

    fn batch(self) -> Option<&'a str> {
        match self {
            Self::Batch(label) => Some(label.as_str()),
            Self::Nothing | Self::Order(_) => None,
        }
    }
}

const OF_ACCOUNT: &str = "WHERE account = :account AND environment = :environment";

pub(super) fn find(connection: &Connection, account: &Account, reference: &Ref) -> Result<Option<Order>> {
    let (username, environment) = (&account.username, account.environment.word());
    let parameters: &[(&str, &dyn ToSql)] =
        named_params! {":account": username, ":environment": environment, ":ref": reference.as_str()};
    Ok(rows::orders(connection, &format!("{OF_ACCOUNT} AND ref = :ref"), parameters)?.pop())
}

/// The index that has the orders in these states and no others, and that an order is in one of them, in the index's own
/// words; where there is no such index the database chooses. All states where none is named.
fn picking(states: &[State]) -> (&'static str, String) {
    let is_the_open_ones = State::ALL
        .iter()
        .all(|state| state.is_open() == states.contains(state));
    match states {
        [] => ("", String::new()),
        _ if is_the_open_ones => ("INDEXED BY orders_open ", " AND is_open = 1".to_owned()),
        [only] => {
            let index = match only {
                State::Conflict => "INDEXED BY orders_clashing ",
                _ => "",
            };
            (index, format!(" AND state = '{only}'"))
        }
        states => {
            let words = state_words(|state| states.contains(&state));
            ("", format!(" AND state IN ({words})"))
        }
    }
}

impl Ledger {
    /// The orders that a filter picks, oldest first.
    pub fn list(&self, account: &Account, filter: &Filter) -> Result<Vec<Order>> {
        let (index, states) = picking(&filter.states);
        let rest = format!(
            "{index}{OF_ACCOUNT}{states} AND (:phone IS NULL OR phone = :phone) AND (:ref IS NULL OR ref = :ref) AND (:batch IS NULL OR batch_id = (SELECT id FROM batches \
             WHERE account = :account AND environment = :environment AND label = :batch)) AND created_at >= :since AND created_at < :until ORDER BY created_at DESC, id DESC LIMIT :limit"
        );
        let environment = account.environment.word();
        let parameters: &[(&str, &dyn ToSql)] = named_params! {
            ":account": account.username,
            ":environment": environment,
            ":phone": filter.phone.as_ref().map(Phone::as_str),
            ":ref": filter.reference.as_ref().map(Ref::as_str),
            ":batch": filter.batch.as_ref().map(Label::as_str),
            ":since": filter.since.map_or(i64::MIN, millis),
            ":until": filter.until.map_or(i64::MAX, millis),
            ":limit": filter.limit.map_or(-1, i64::from),
        };
        let mut orders = rows::orders(&self.reader(), &rest, parameters)?;
        orders.reverse();
        if filter.takes(State::Planned) {
            orders.extend(self.waiting_orders(account, filter)?);
            orders.sort_by_key(|order| order.created_at);
            let surplus = filter.limit.map_or(0, |limit| {
                orders
                    .len()
                    .saturating_sub(usize::try_from(limit).unwrap_or(usize::MAX))
            });
            orders.drain(..surplus);
        }
        Ok(orders)
    }

    /// Every order that the provider may still have to say something about, oldest first.
    pub fn open_orders(&self, account: &Account) -> Result<Vec<Order>> {
        let states = State::ALL.into_iter().filter(|state| state.is_open()).collect();
        self.list(
            account,
            &Filter {
                states,
                ..Filter::default()
            },
        )
    }

    /// How many orders are open, but for what is in hand. Reads every open one.
    pub fn open_count(&self, account: &Account, in_hand: InHand<'_>) -> Result<OpenCount> {
        let query = format!(
            "SELECT count(*), min(sent_at) FROM orders {OPEN} AND account = :account AND environment = :environment \
             AND (:ref IS NULL OR ref <> :ref) AND (:batch IS NULL OR batch_id IS NULL \
             OR batch_id <> coalesce((SELECT id FROM batches WHERE account = :account AND environment = :environment \
             AND label = :batch), 0))"
        );
        let environment = account.environment.word();
        let (count, oldest): (u32, Option<i64>) = self.reader().query_row(
            &query,
            named_params! {
                ":account": account.username, ":environment": environment,
                ":ref": in_hand.reference(), ":batch": in_hand.batch(),
            },
            |row| Ok((row.get(0)?, row.get(1)?)),
        )?;
        Ok(OpenCount {
            count,
            oldest: oldest.and_then(|at| Timestamp::from_millisecond(at).ok()),
        })
    }

    /// Orders of any account under a ref: for telling "no such order" from "another account's order".
    pub fn find_anywhere(&self, reference: &Ref) -> Result<Vec<Order>> {
        rows::orders(
            &self.reader(),
            "WHERE ref = :ref",
            named_params! {":ref": reference.as_str()},
        )
    }

    /// Every call about an order, in the order in which they were made.
    pub fn attempts(&self, order: &Order) -> Result<Vec<Attempt>> {
        self.about(
            order,
            "SELECT * FROM attempts WHERE order_id = :id ORDER BY id",
            read_attempt,
        )
    }

    /// Every step of an order.
    pub fn moves(&self, order: &Order) -> Result<Vec<Move>> {
        self.about(
            order,
            "SELECT * FROM moves WHERE order_id = :id ORDER BY id",
            |row| {
                let unreadable = |what: String| LedgerError::Unreadable(what);
                let state = |word: String| {
                    word.parse::<State>()
                        .map_err(|error| unreadable(error.to_string()))
                };
                Ok(Move {
                    at: Timestamp::from_millisecond(row.get("at")?)
                        .map_err(|error| unreadable(error.to_string()))?,
                    from: row
                        .get::<_, Option<String>>("from_state")?
                        .map(state)
                        .transpose()?,
                    to: state(row.get("to_state")?)?,
                    why: row.get("why")?,
                })
            },
        )
    }

    fn about<T>(
        &self,
        order: &Order,
        query: &str,
        read: impl Fn(&rusqlite::Row<'_>) -> Result<T>,
    ) -> Result<Vec<T>> {
        let reader = self.reader();
        let environment = order.account.environment.word();
        let id: Option<i64> = reader
            .query_row(
                &format!("SELECT id FROM orders {OF_ACCOUNT} AND ref = :ref"),
                named_params! {
                    ":account": order.account.username,
                    ":environment": environment,
                    ":ref": order.intent.reference.as_str(),
                },
                |row| row.get(0),
            )
            .optional()?;
        // A row of a sheet that is still planned is no order yet.
        let Some(id) = id else { return Ok(Vec::new()) };
        let mut statement = reader.prepare_cached(query)?;
        let mut rows = statement.query(named_params! {":id": id})?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            found.push(read(row)?);
        }
        Ok(found)
    }

    /// Refs that begin with `prefix`, newest first: for the shell's completion.
    pub fn refs_like(&self, prefix: &str, limit: u32) -> Result<Vec<(Ref, State)>> {
        let reader = self.reader();
        let mut statement = reader.prepare_cached(
            "SELECT ref, state FROM orders WHERE substr(ref, 1, length(:prefix)) = :prefix ORDER BY id DESC LIMIT :limit",
        )?;
        let mut rows = statement.query(named_params! {":prefix": prefix, ":limit": limit})?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            let (reference, state): (String, String) = (row.get(0)?, row.get(1)?);
            if let (Ok(reference), Ok(state)) = (reference.parse(), state.parse()) {
                found.push((reference, state));
            }
        }
        Ok(found)
    }
}
