//! What a comparison gives: orders of both sides, lines of the account, sums.

use jiff::Timestamp;
use rusqlite::Row;

use super::Result;
use super::rows::moment;
use crate::domain::{Direction, Money, Order, ProviderStatus, State};

/// How the lines of the account were assigned to orders.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MatchedBy {
    /// By the provider's id of the order.
    Id,
    /// By its ref.
    Reference,
    /// By amount and time, since the lines name no order that anybody knows.
    AmountAndTime,
}

/// What the account shows of one order.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Moved {
    /// How often it was paid for.
    pub debits: u32,
    /// How often its money came back.
    pub refunds: u32,
    /// What was paid in all.
    pub debited: Money,
    /// What came back in all.
    pub refunded: Money,
}

/// An order as the provider shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Theirs {
    /// The provider's id.
    pub topup_id: Option<String>,
    /// The ref without the provider's prefix.
    pub reference: Option<String>,
    /// Where it stands.
    pub status: ProviderStatus,
    /// The plan.
    pub plan: Option<String>,
    /// The number.
    pub phone: Option<String>,
    /// Face value.
    pub amount: Option<Money>,
    /// What it cost.
    pub cost: Option<Money>,
    /// When it was made, by the provider's clock.
    pub created_at: Option<Timestamp>,
}

/// An order of the provider beside ours.
#[derive(Debug, Clone)]
pub struct Compared {
    /// What the provider shows.
    pub theirs: Theirs,
    /// What we have; none for an order that this ledger does not know.
    pub ours: Option<Order>,
    /// Where ours stood before this reading moved it, and what it was expected to cost.
    pub before: Option<(State, Option<Money>)>,
    /// What the account shows of it.
    pub moved: Moved,
    /// Whether the list has shown it; else it was asked about, and its lines may be out of reach.
    pub is_listed: bool,
    /// Whether another of the provider's orders is the one that our order of this ref means.
    pub is_twin: bool,
}

/// A line of the account, as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenEntry {
    /// Its key in the ledger.
    pub id: i64,
    /// Its type: foreign text.
    pub word: String,
    /// Which way.
    pub direction: Option<Direction>,
    /// How much.
    pub amount: Money,
    /// The balance before.
    pub before: Option<Money>,
    /// The balance behind.
    pub after: Option<Money>,
    /// What it is about.
    pub subject: Option<String>,
    /// When.
    pub at: Option<Timestamp>,
}

/// Counts and sums of a group of orders.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sum {
    /// How many.
    pub count: u64,
    /// Their face value.
    pub face: Money,
    /// Their cost, where it is known.
    pub cost: Money,
}

/// Counts and sums of the lines of one type and direction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntrySum {
    /// The type: foreign text.
    pub word: String,
    /// Which way.
    pub direction: Option<Direction>,
    /// How many.
    pub count: u64,
    /// How much.
    pub amount: Money,
}

pub(super) fn direction(sign: i64) -> Option<Direction> {
    match sign {
        1 => Some(Direction::In),
        -1 => Some(Direction::Out),
        _ => None,
    }
}

fn money(row: &Row<'_>, column: &str) -> Result<Option<Money>> {
    Ok(row.get::<_, Option<i64>>(column)?.map(Money::from_micros))
}

pub(super) fn read_theirs(row: &Row<'_>) -> Result<Theirs> {
    let at: Option<i64> = row.get("created_at")?;
    Ok(Theirs {
        topup_id: row.get("topup_id")?,
        reference: row.get("short_ref")?,
        status: ProviderStatus::named(&row.get::<_, String>("status")?),
        plan: row.get("plan")?,
        phone: row.get("phone")?,
        amount: money(row, "amount")?,
        cost: money(row, "cost")?,
        created_at: at.map(|at| moment("created_at", at)).transpose()?,
    })
}

pub(super) fn read_moved(row: &Row<'_>) -> Result<Moved> {
    Ok(Moved {
        debits: row.get("debits")?,
        refunds: row.get("refunds")?,
        debited: Money::from_micros(row.get("debited")?),
        refunded: Money::from_micros(row.get("refunded")?),
    })
}

pub(super) fn read_entry(row: &Row<'_>) -> Result<SeenEntry> {
    let at: Option<i64> = row.get("at")?;
    Ok(SeenEntry {
        id: row.get("id")?,
        word: row.get("word")?,
        direction: direction(row.get("sign")?),
        amount: Money::from_micros(row.get("amount")?),
        before: money(row, "before")?,
        after: money(row, "after")?,
        subject: row.get("subject")?,
        at: at.map(|at| moment("at", at)).transpose()?,
    })
}
