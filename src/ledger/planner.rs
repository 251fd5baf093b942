//! Planning: a sheet is staged in temporary tables, held against the ledger, and, once there is consent, stored as the
//! sheet of its batch. Nothing of it shows in the ledger before [`Planner::store`] has returned.
//!
//! Whatever the size of the sheet, memory stays flat: what must be sorted is sorted by the database, on disk.

mod resolve;
mod store;

use std::collections::BTreeMap;

use jiff::Timestamp;
use rusqlite::{Connection, Row, params};

use super::batches::{Batch, PLANNED_COLUMNS, PlannedRow, ToSend, find_batch, read_planned, walk_to_send};
use super::rows::{ORDER_COLUMNS, read_order, required};
use super::{Ledger, Result, schema};
use crate::domain::{Account, Label, Money, Operator, Order, Phone, PlanCode, Ref, RowRefs, State};

/// A row of the sheet, read and priced.
#[derive(Debug)]
pub struct StagedRow<'a> {
    /// The line of the sheet.
    pub row: u32,
    /// The caller's own ref.
    pub reference: Option<&'a Ref>,
    /// Who gets it.
    pub phone: &'a Phone,
    /// What is sold.
    pub plan: &'a PlanCode,
    /// Whose credit it is.
    pub operator: &'a Operator,
    /// Face value.
    pub amount: crate::domain::Amount,
    /// What it is expected to cost.
    pub cost: Option<Money>,
    /// The note.
    pub note: Option<&'a str>,
    /// The caller's cells, as a JSON array.
    pub cells: &'a str,
    /// What the sheet leaves to the catalogue.
    pub left_open: LeftOpen,
    /// Why it must not be sent, in words of the caller's: it is left out, unless it is an order already.
    pub refused: Option<&'a str>,
}

/// What a row leaves to the catalogue of the day. It is the same row on another day, whatever that one says: an order of its
/// batch may be it under another plan or price.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LeftOpen {
    /// The plan: it is the prepaid one of the number.
    pub plan: bool,
    /// The amount: it is the price of the plan.
    pub amount: bool,
}

/// What the ledger says of a staged row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// It is to be sent.
    New,
    /// It is an order already, of which nothing was made: it is to be sent under the same ref.
    Again,
    /// It is an order already: nothing is sent.
    Known(State),
    /// Its ref is an order with other details.
    Clash(Box<Order>),
    /// Its ref stands on another line.
    SameRef(u32),
}

/// Why sending a row may pay somebody a second time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Repeat {
    /// The number stands on this line, too.
    InSheet(u32),
    /// An order that has or may have paid: the same elsewhere not long ago, or another amount or plan in this batch.
    Order(Box<Order>),
}

/// A staged row, held against the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved {
    /// The row.
    pub row: PlannedRow,
    /// Whether its ref is the caller's own: then a repeat is only told.
    pub has_own_ref: bool,
    /// What it is.
    pub fate: Fate,
    /// Whether it is a repeat.
    pub repeat: Option<Repeat>,
}

/// What is stored with the rows of a sheet.
#[derive(Debug, Clone)]
pub struct NewSheet {
    /// Where it was read from.
    pub file: String,
    /// The header's cells.
    pub header: Vec<String>,
    /// Stands for the bytes of the file and for all that decides what they mean.
    pub digest: String,
    /// Whether no row of the file was left out before it was staged.
    pub is_whole: bool,
    /// Whether repeats have been consented to; they are left out otherwise.
    pub with_repeats: bool,
    /// When.
    pub at: Timestamp,
    /// The act that stores it.
    pub act: Option<i64>,
}

/// Stages a sheet for one batch.
#[derive(Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is one independent fact of the rows"
)]
pub struct Planner {
    connection: Connection,
    account: Account,
    label: Label,
    refs: RowRefs,
    batch: Option<Batch>,
    rows: u32,
    /// The face value of all rows, in dinars.
    face: i64,
    has_own_refs: bool,
    has_refused: bool,
    has_left_open: bool,
    /// How many rows are orders under another plan or price than they would have today.
    others: u64,
    /// Whether a row is an order in doubt under another plan or price than it would have today.
    is_passing: bool,
    /// The ref of the last row while every row has one of the caller's, each behind the one before: then none stands
    /// twice, and nobody need look for those that do. None once that is not so.
    last_of_sorted_refs: Option<Ref>,
    /// Whether a row was found to be anything but new.
    has_marks: bool,
}

const STAGING: &str = "
    CREATE TEMP TABLE staged (
        row      INTEGER PRIMARY KEY,
        ref      TEXT NOT NULL,
        phone    TEXT NOT NULL,
        plan     TEXT NOT NULL,
        operator TEXT NOT NULL,
        amount   INTEGER NOT NULL,
        cost     TEXT,
        note     TEXT,
        cells    TEXT NOT NULL,
        own_ref  INTEGER NOT NULL,
        refused  TEXT,
        -- What the sheet leaves to the catalogue.
        open_plan INTEGER NOT NULL,
        open_amount INTEGER NOT NULL,
        again    INTEGER NOT NULL DEFAULT 0,
        order_id INTEGER,
        -- `again`, `clash`, or the state of the order that it is.
        fate     TEXT,
        same_ref INTEGER,
        twin     INTEGER,
        repeat   INTEGER
    ) STRICT;";

/// Rows that are to be sent.
const TO_SEND: &str = "(fate IS NULL OR fate = 'again') AND same_ref IS NULL";
/// Repeats that need consent.
const NEEDS_CONSENT: &str = "(twin IS NOT NULL OR repeat IS NOT NULL) AND own_ref = 0";
/// What is no repeat that needs consent.
const NO_CONSENT: &str = " AND ((twin IS NULL AND repeat IS NULL) OR own_ref = 1)";

impl Ledger {
    /// Begins to plan a sheet. The planner has a connection of its own.
    pub fn planner(&self, account: &Account, label: &Label) -> Result<Planner> {
        let connection = schema::connect(&self.path)?;
        connection.execute_batch(STAGING)?;
        connection.execute_batch("BEGIN")?;
        Ok(Planner {
            batch: find_batch(&connection, account, label)?,
            connection,
            account: account.clone(),
            label: label.clone(),
            refs: label.refs(account),
            rows: 0,
            face: 0,
            has_own_refs: false,
            has_refused: false,
            has_left_open: false,
            others: 0,
            is_passing: false,
            last_of_sorted_refs: None,
            has_marks: false,
        })
    }
}

impl Planner {
    /// Stages a row. Rows come in the order of the sheet.
    pub fn stage(&mut self, row: &StagedRow<'_>) -> Result<()> {
        let derived = match row.reference {
            Some(_) => None,
            None => Some(self.refs.of(row.phone, row.plan, row.amount, 1)),
        };
        let reference = row.reference.or(derived.as_ref()).map(Ref::as_str);
        self.has_own_refs |= row.reference.is_some();
        self.has_refused |= row.refused.is_some();
        self.has_left_open |= row.left_open != LeftOpen::default();
        let before = self.last_of_sorted_refs.take();
        self.last_of_sorted_refs = row
            .reference
            .filter(|reference| before.map_or(self.rows == 0, |before| before < **reference))
            .cloned();
        self.rows += 1;
        self.face += i64::from(row.amount.dinars());
        let cost = row.cost.map(|cost| cost.to_string());
        self.connection
            .prepare_cached(
                "INSERT INTO staged (row, ref, phone, plan, operator, amount, cost, note, cells, own_ref, refused, \
                 open_plan, open_amount) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
            )?
            .execute(params![
                row.row,
                reference,
                row.phone.as_str(),
                row.plan.as_str(),
                row.operator.name(),
                row.amount.dinars(),
                cost,
                row.note,
                row.cells,
                row.reference.is_some(),
                row.refused,
                row.left_open.plan,
                row.left_open.amount,
            ])?;
        Ok(())
    }

    /// How many rows are staged.
    pub fn rows(&self) -> u32 {
        self.rows
    }

    /// Their face value, in dinars.
    pub fn face(&self) -> u64 {
        u64::try_from(self.face).unwrap_or_default()
    }

    /// How many rows are orders already, under another plan or price than the catalogue gives them today.
    pub fn under_other_terms(&self) -> u64 {
        self.others
    }

    /// Whether a line of the sheet is staged.
    pub fn has(&self, line: u64) -> Result<bool> {
        let mut statement = self
            .connection
            .prepare_cached("SELECT EXISTS (SELECT 1 FROM staged WHERE row = ?1)")?;
        Ok(statement.query_row([i64::try_from(line).unwrap_or(i64::MAX)], |row| row.get(0))?)
    }

    /// The batch, where there is one already.
    pub fn batch(&self) -> Option<&Batch> {
        self.batch.as_ref()
    }

    /// The first `limit` rows that can't be sent because of their refs, and how many there are.
    pub fn clashes(&self, limit: usize) -> Result<(u64, Vec<Resolved>)> {
        self.picked("same_ref IS NOT NULL OR fate = 'clash'", limit)
    }

    /// The first `limit` repeats that need consent, and how many there are.
    pub fn repeats(&self, limit: usize) -> Result<(u64, Vec<Resolved>)> {
        self.picked(&format!("{TO_SEND} AND {NEEDS_CONSENT}"), limit)
    }

    /// The first `limit` repeats under refs of the caller's own, and how many there are.
    pub fn own_repeats(&self, limit: usize) -> Result<(u64, Vec<Resolved>)> {
        let repeats = "(twin IS NOT NULL OR repeat IS NOT NULL) AND own_ref = 1";
        self.picked(&format!("{TO_SEND} AND {repeats}"), limit)
    }

    /// Rows that something was found about.
    fn picked(&self, which: &str, limit: usize) -> Result<(u64, Vec<Resolved>)> {
        if !self.has_marks {
            return Ok((0, Vec::new()));
        }
        let count: i64 =
            self.connection
                .query_row(&format!("SELECT count(*) FROM staged WHERE {which}"), [], |row| {
                    row.get(0)
                })?;
        let mut statement = self.connection.prepare(&format!(
            "SELECT {PLANNED_COLUMNS}, own_ref, fate, order_id, same_ref, twin, repeat FROM staged WHERE {which} \
             ORDER BY row LIMIT ?1"
        ))?;
        let mut rows = statement.query([i64::try_from(limit).unwrap_or(i64::MAX)])?;
        let mut picked = Vec::new();
        while let Some(row) = rows.next()? {
            picked.push(self.resolved(row)?);
        }
        Ok((u64::try_from(count).unwrap_or_default(), picked))
    }

    /// Rows that are orders already, by state.
    pub fn known(&self) -> Result<BTreeMap<State, u64>> {
        if !self.has_marks {
            return Ok(BTreeMap::new());
        }
        let mut statement = self.connection.prepare(
            "SELECT fate, count(*) FROM staged WHERE fate IS NOT NULL AND fate NOT IN ('again', 'clash') \
             AND same_ref IS NULL GROUP BY fate",
        )?;
        let mut rows = statement.query([])?;
        let mut known = BTreeMap::new();
        while let Some(row) = rows.next()? {
            let state: State = required(row, "fate", |word| word.parse().ok())?;
            known.insert(state, u64::try_from(row.get::<_, i64>(1)?).unwrap_or_default());
        }
        Ok(known)
    }

    /// Walks what would be sent, in the order of the sheet.
    pub fn each_to_send(
        &self,
        with_repeats: bool,
        each: &mut dyn FnMut(&ToSend<'_>) -> Result<()>,
    ) -> Result<()> {
        let repeats = if with_repeats { "" } else { NO_CONSENT };
        let mut statement = self.connection.prepare(&format!(
            "SELECT row, operator, plan, amount, cost FROM staged WHERE {TO_SEND}{repeats} ORDER BY row"
        ))?;
        walk_to_send(&mut statement, &[], each)
    }

    fn resolved(&self, row: &Row<'_>) -> Result<Resolved> {
        let fate: Option<String> = row.get("fate")?;
        let same_ref: Option<u32> = row.get("same_ref")?;
        let order = |column: &str| -> Result<Order> { self.order(row.get(column)?) };
        let fate = match (same_ref, fate.as_deref()) {
            (Some(line), _) => Fate::SameRef(line),
            (None, None) => Fate::New,
            (None, Some("again")) => Fate::Again,
            (None, Some("clash")) => Fate::Clash(Box::new(order("order_id")?)),
            (None, Some(_)) => Fate::Known(required(row, "fate", |word| word.parse().ok())?),
        };
        let (twin, repeat): (Option<u32>, Option<i64>) = (row.get("twin")?, row.get("repeat")?);
        let repeat = match (repeat, twin) {
            (Some(_), _) => Some(Repeat::Order(Box::new(order("repeat")?))),
            (None, Some(line)) => Some(Repeat::InSheet(line)),
            (None, None) => None,
        };
        Ok(Resolved {
            row: read_planned(row)?,
            has_own_ref: row.get("own_ref")?,
            fate,
            repeat,
        })
    }

    fn order(&self, id: i64) -> Result<Order> {
        let mut statement = self
            .connection
            .prepare_cached(&format!("SELECT {ORDER_COLUMNS} FROM orders WHERE id = ?1"))?;
        let mut rows = statement.query([id])?;
        read_order(rows.next()?.ok_or(rusqlite::Error::QueryReturnedNoRows)?)
    }
}

#[cfg(test)]
#[path = "planner_tests.rs"]
mod tests;
