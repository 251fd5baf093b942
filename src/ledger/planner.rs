//! Planning: a sheet is staged in temporary tables, held against the ledger, and, once there is consent, stored as the
//! sheet of its batch. Nothing of it shows in the ledger before [`Planner::store`] has returned.
//!
//! Whatever the size of the sheet, memory stays flat: what must be sorted is sorted by the database, on disk.

use std::collections::BTreeMap;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, TransactionBehavior, named_params, params};

use super::batches::{
    Batch, PLANNED_COLUMNS, PlannedRow, ToSend, ensure_batch, find_batch, read_planned, walk_to_send,
};
use super::rows::{ORDER_COLUMNS, millis, read_order, required, state_words};
use super::{Ledger, LedgerError, Result, schema};
use crate::domain::{Account, Intent, Label, Money, Operator, Order, Phone, PlanCode, Ref, RowRefs, State};

/// How many rows are stored in one transaction: others can write between two of them.
const ROWS_PER_COMMIT: u32 = 50_000;
/// How many orders that rows are already are held in memory.
const FOUND_AT_A_TIME: usize = 10_000;

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
}

/// Stages a sheet for one batch.
#[derive(Debug)]
pub struct Planner {
    connection: Connection,
    account: Account,
    label: Label,
    refs: RowRefs,
    batch: Option<Batch>,
    rows: u32,
    has_own_refs: bool,
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
            has_own_refs: false,
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
        self.rows += 1;
        let cost = row.cost.map(|cost| cost.to_string());
        self.connection
            .prepare_cached(
                "INSERT INTO staged (row, ref, phone, plan, operator, amount, cost, note, cells, own_ref) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
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
            ])?;
        Ok(())
    }

    /// How many rows are staged.
    pub fn rows(&self) -> u32 {
        self.rows
    }

    /// The batch, where there is one already.
    pub fn batch(&self) -> Option<&Batch> {
        self.batch.as_ref()
    }

    /// Holds the staged rows against each other and against the ledger: occurrences, orders that they are already,
    /// refs that clash, repeats since `repeat_since`.
    pub fn resolve(&mut self, repeat_since: Timestamp) -> Result<()> {
        self.connection.execute_batch("COMMIT")?;
        self.connection.execute_batch("BEGIN")?;
        let has_twins = self.gather_twins()?;
        if has_twins {
            self.occurrences()?;
        }
        if self.has_own_refs {
            self.same_refs()?;
        }
        if self.has_own_refs || self.batch.is_some() {
            self.known_orders()?;
        }
        if has_twins {
            self.mark_twins()?;
        }
        let since = millis(repeat_since);
        if self.may_repeat(since)? {
            self.find_repeats(since)?;
        }
        self.connection.execute_batch("COMMIT")?;
        Ok(())
    }

    /// Numbers that stand on several lines: the only ones whose rows can look alike.
    fn gather_twins(&self) -> Result<bool> {
        self.connection.execute_batch(
            "CREATE TEMP TABLE twins AS SELECT phone FROM staged GROUP BY phone HAVING count(*) > 1;
             CREATE UNIQUE INDEX temp.twins_by_phone ON twins (phone);",
        )?;
        let any: bool = self
            .connection
            .query_row("SELECT EXISTS (SELECT 1 FROM twins)", [], |row| row.get(0))?;
        Ok(any)
    }

    /// Rows that look alike are told apart by their occurrence: the n-th gets the n-th ref.
    fn occurrences(&self) -> Result<()> {
        let mut alike = self.connection.prepare(
            "SELECT row, ref, phone, plan, amount FROM staged \
             WHERE own_ref = 0 AND phone IN (SELECT phone FROM twins) ORDER BY phone, plan, amount, row",
        )?;
        let mut mark = self
            .connection
            .prepare("UPDATE staged SET ref = ?2 WHERE row = ?1")?;
        let mut rows = alike.query([])?;
        let mut before: Option<(Intent, u32)> = None;
        while let Some(row) = rows.next()? {
            let intent = super::rows::read_intent(row)?;
            let nth = match &before {
                Some((other, nth)) if is_alike(other, &intent) => nth + 1,
                _ => 1,
            };
            if nth > 1 {
                let reference = self.refs.of(&intent.phone, &intent.plan, intent.amount, nth);
                mark.execute(params![row.get::<_, u32>("row")?, reference.as_str()])?;
            }
            before = Some((intent, nth));
        }
        Ok(())
    }

    /// Finds the orders that rows are already: a merge of two sorted sequences, since the refs of one batch sort as
    /// its numbers do.
    fn known_orders(&self) -> Result<()> {
        // A batch that is new has no orders under refs of ours.
        let which = if self.batch.is_some() {
            ""
        } else {
            "own_ref = 1 AND "
        };
        let mut matched = self.connection.prepare(&format!(
            "SELECT s.row AS row, o.id AS id, o.state AS state, o.batch_id AS batch_id, o.again AS again, \
             o.phone = s.phone AND o.plan = s.plan AND o.amount = s.amount AS is_the_same \
             FROM (SELECT row, ref, phone, plan, amount, own_ref FROM staged ORDER BY ref) AS s \
             JOIN orders AS o ON o.ref = s.ref \
             WHERE {which}o.account = ?1 AND o.environment = ?2"
        ))?;
        let mut mark = self
            .connection
            .prepare("UPDATE staged SET order_id = ?2, fate = ?3, again = ?4 WHERE row = ?1")?;
        let environment = self.account.environment.word();
        let mut rows = matched.query((&self.account.username, environment))?;
        let mut found = Vec::with_capacity(FOUND_AT_A_TIME);
        loop {
            // What is read is marked in portions: the query must not see its own marks.
            let row = rows.next()?;
            let is_over = row.is_none();
            if let Some(row) = row {
                found.push((row.get::<_, u32>("row")?, self.found(row)?));
            }
            if is_over || found.len() >= FOUND_AT_A_TIME {
                for (number, order) in found.drain(..) {
                    mark.execute(params![number, order.id, order.fate, order.again])?;
                }
            }
            if is_over {
                return Ok(());
            }
        }
    }

    /// The order that a row is already, and what that means for it.
    fn found(&self, row: &Row<'_>) -> Result<Found> {
        let id: i64 = row.get("id")?;
        if !row.get::<_, bool>("is_the_same")? {
            return Ok(Found {
                id,
                fate: "clash",
                again: false,
            });
        }
        let state: State = required(row, "state", |text| text.parse().ok())?;
        let batch: Option<i64> = row.get("batch_id")?;
        let is_of_this = batch.is_some() && batch == self.batch.as_ref().map(|batch| batch.id);
        let is_sent_again = match state {
            State::Planned => is_of_this,
            State::Cancelled => true,
            // Of this batch it is at its end; under the caller's own ref elsewhere, nothing was made by it.
            State::Rejected => !is_of_this,
            State::Sending
            | State::Accepted
            | State::Fulfilled
            | State::Refunded
            | State::InReview
            | State::Conflict
            | State::Unknown
            | State::WrittenOff => false,
        };
        Ok(Found {
            id,
            fate: if is_sent_again { "again" } else { state.word() },
            again: row.get("again")?,
        })
    }

    /// Of the lines of one number, every one but the first is a twin of the first. Lines that were not delivered and
    /// will not be sent do not count.
    fn mark_twins(&self) -> Result<()> {
        let undelivered = state_words(|state| !state.may_have_paid());
        let mut lines = self.connection.prepare(&format!(
            "SELECT row, phone FROM staged WHERE phone IN (SELECT phone FROM twins) \
             AND (fate IS NULL OR fate NOT IN ({undelivered})) ORDER BY phone, row"
        ))?;
        let mut mark = self
            .connection
            .prepare("UPDATE staged SET twin = ?2 WHERE row = ?1")?;
        let mut rows = lines.query([])?;
        let mut first: Option<(String, u32)> = None;
        while let Some(row) = rows.next()? {
            let (line, phone): (u32, String) = (row.get(0)?, row.get(1)?);
            match &first {
                Some((known, first)) if *known == phone => {
                    mark.execute([line, *first])?;
                }
                _ => first = Some((phone, line)),
            }
        }
        Ok(())
    }

    /// The same ref on two lines means one order: the later line is told.
    fn same_refs(&self) -> Result<()> {
        let mut sorted = self
            .connection
            .prepare("SELECT row, ref FROM staged WHERE own_ref = 1 ORDER BY ref, row")?;
        let mut mark = self
            .connection
            .prepare("UPDATE staged SET same_ref = ?2 WHERE row = ?1")?;
        let mut rows = sorted.query([])?;
        let mut first: Option<(String, u32)> = None;
        while let Some(row) = rows.next()? {
            let (number, reference): (u32, String) = (row.get(0)?, row.get(1)?);
            match &first {
                Some((known, line)) if *known == reference => {
                    mark.execute([number, *line])?;
                }
                _ => first = Some((reference, number)),
            }
        }
        Ok(())
    }

    /// Whether anything was sent that a row could repeat.
    fn may_repeat(&self, since: i64) -> Result<bool> {
        let environment = self.account.environment.word();
        let recent: Option<i64> = self
            .connection
            .query_row(
                "SELECT 1 FROM orders WHERE account = ?1 AND environment = ?2 AND sent_at >= ?3 LIMIT 1",
                (&self.account.username, environment, since),
                |row| row.get(0),
            )
            .optional()?;
        Ok(recent.is_some() || self.batch.is_some())
    }

    /// Orders that a row would repeat: the same phone, plan and amount not long ago, or any to the same phone in
    /// this batch that is no row of this sheet.
    fn find_repeats(&self, since: i64) -> Result<()> {
        self.connection.execute_batch(
            "CREATE INDEX temp.staged_by_order ON staged (order_id) WHERE order_id IS NOT NULL",
        )?;
        let states = state_words(State::may_have_paid);
        let mut staged = self.connection.prepare(&format!(
            "SELECT row, ref, phone, plan, amount FROM staged WHERE {TO_SEND} AND again = 0"
        ))?;
        let mut find = self.connection.prepare(&format!(
            "SELECT id FROM orders WHERE account = :account AND environment = :environment AND phone = :phone \
             AND ref <> :ref AND state IN ({states}) \
             AND ((sent_at >= :since AND plan = :plan AND amount = :amount) OR batch_id = :batch) \
             AND NOT EXISTS (SELECT 1 FROM staged WHERE staged.order_id = orders.id) \
             ORDER BY sent_at DESC LIMIT 1"
        ))?;
        let mut mark = self
            .connection
            .prepare("UPDATE staged SET repeat = ?2 WHERE row = ?1")?;
        let batch = self.batch.as_ref().map_or(-1, |batch| batch.id);
        let mut rows = staged.query([])?;
        while let Some(row) = rows.next()? {
            let number: u32 = row.get("row")?;
            let intent = super::rows::read_intent(row)?;
            let found: Option<i64> = find
                .query_row(
                    named_params! {
                        ":account": self.account.username, ":environment": self.account.environment.word(),
                        ":phone": intent.phone.as_str(), ":ref": intent.reference.as_str(), ":since": since,
                        ":plan": intent.plan.as_str(), ":amount": intent.amount.dinars(), ":batch": batch,
                    },
                    |row| row.get(0),
                )
                .optional()?;
            if let Some(found) = found {
                mark.execute((number, found))?;
            }
        }
        Ok(())
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

    fn picked(&self, which: &str, limit: usize) -> Result<(u64, Vec<Resolved>)> {
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

    /// Stores the rows as the sheet of the batch, in place of its last one, durable when this returns. Rows that
    /// clash, that stand twice under one ref, and repeats that nobody has consented to are left out.
    pub fn store(mut self, new: &NewSheet) -> Result<Batch> {
        let repeats = if new.with_repeats {
            String::new()
        } else {
            format!(" AND NOT ({TO_SEND} AND {NEEDS_CONSENT})")
        };
        let kept = format!("same_ref IS NULL AND fate IS NOT 'clash'{repeats}");
        let (count, face): (u32, i64) = self.connection.query_row(
            &format!("SELECT count(*), coalesce(sum(amount), 0) FROM staged WHERE {kept}"),
            [],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )?;
        let is_whole = new.is_whole && count == self.rows;
        let (batch, sheet) = self.begin_sheet(new, (count, face), is_whole)?;
        self.copy_rows(sheet, &kept)?;
        self.activate(batch, sheet, new.at)?;
        self.sweep_away_old_sheets(batch, sheet)?;
        find_batch(&self.connection, &self.account, &self.label)?
            .ok_or_else(|| LedgerError::Unreadable("the batch is gone".to_owned()))
    }

    fn begin_sheet(
        &mut self,
        new: &NewSheet,
        (rows, face): (u32, i64),
        is_whole: bool,
    ) -> Result<(i64, i64)> {
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        let batch = ensure_batch(&transaction, &self.account, &self.label, new.at)?;
        let header = serde_json::to_string(&new.header).unwrap_or_default();
        transaction.execute(
            "INSERT INTO sheets (batch_id, file, header, digest, rows, face, is_whole, planned_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            params![batch, new.file, header, new.digest, rows,
                face,
                is_whole, millis(new.at)],
        )?;
        let sheet = transaction.last_insert_rowid();
        transaction.commit()?;
        Ok((batch, sheet))
    }

    fn copy_rows(&mut self, sheet: i64, kept: &str) -> Result<()> {
        let copy = format!(
            "INSERT INTO sheet_rows (sheet_id, row, ref, phone, plan, operator, amount, cost, note, cells, again, order_id) \
             SELECT ?1, row, ref, phone, plan, operator, amount, cost, note, cells, \
             again OR own_ref OR ({TO_SEND} AND {NEEDS_CONSENT}), order_id FROM staged \
             WHERE row > ?2 AND row <= ?3 AND {kept} ORDER BY row"
        );
        let mut done: u32 = 0;
        loop {
            let next: Option<u32> = self
                .connection
                .prepare_cached(
                    "SELECT max(row) FROM (SELECT row FROM staged WHERE row > ?1 ORDER BY row LIMIT ?2)",
                )?
                .query_row([done, ROWS_PER_COMMIT], |row| row.get(0))?;
            let Some(next) = next else { return Ok(()) };
            let transaction = self
                .connection
                .transaction_with_behavior(TransactionBehavior::Immediate)?;
            transaction
                .prepare_cached(&copy)?
                .execute(params![sheet, done, next])?;
            transaction.commit()?;
            done = next;
        }
    }

    /// Makes the sheet the one of its batch: rows that are orders already are joined to it, and planned orders that
    /// it no longer has are dropped.
    fn activate(&mut self, batch: i64, sheet: i64, at: Timestamp) -> Result<()> {
        let at = millis(at);
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        transaction.execute("UPDATE batches SET sheet_id = ?2 WHERE id = ?1", [batch, sheet])?;
        let of_sheet = "SELECT order_id FROM sheet_rows WHERE sheet_id = ?2 AND order_id IS NOT NULL";
        let gone = format!("batch_id = ?1 AND row IS NOT NULL AND id NOT IN ({of_sheet})");
        let dropped = format!("{gone} AND state = 'planned'");
        let why = "no longer in the sheet";
        transaction.execute(
            &format!(
                "INSERT INTO moves (order_id, at, from_state, to_state, why) \
                 SELECT id, ?3, 'planned', 'cancelled', ?4 FROM orders WHERE {dropped}"
            ),
            params![batch, sheet, at, why],
        )?;
        transaction.execute(
            &format!(
                "UPDATE orders SET state = 'cancelled', revision = revision + 1, updated_at = ?3, message = ?4 WHERE {dropped}"
            ),
            params![batch, sheet, at, why],
        )?;
        transaction.execute(
            &format!("UPDATE orders SET row = NULL WHERE {gone}"),
            [batch, sheet],
        )?;
        plan_again(&transaction, batch, sheet, at)?;
        transaction.execute(
            "UPDATE sheets SET elsewhere = (SELECT count(*) FROM sheet_rows JOIN orders ON orders.id = order_id \
             WHERE sheet_id = ?2 AND order_id IS NOT NULL AND batch_id IS NOT ?1) WHERE id = ?2",
            [batch, sheet],
        )?;
        transaction.execute(
            "UPDATE orders SET row = s.row FROM sheet_rows AS s WHERE s.sheet_id = ?2 AND s.order_id = orders.id \
             AND orders.batch_id = ?1 AND orders.row IS NOT s.row",
            [batch, sheet],
        )?;
        transaction.commit()?;
        Ok(())
    }

    /// Takes away the sheets that this one has replaced, and what a planner left that did not come to its end.
    fn sweep_away_old_sheets(&mut self, batch: i64, current: i64) -> Result<()> {
        loop {
            let transaction = self
                .connection
                .transaction_with_behavior(TransactionBehavior::Immediate)?;
            let old: Option<i64> = transaction
                .prepare_cached("SELECT id FROM sheets WHERE batch_id = ?1 AND id <> ?2 LIMIT 1")?
                .query_row([batch, current], |row| row.get(0))
                .optional()?;
            let Some(old) = old else { return Ok(()) };
            let gone = transaction.execute(
                "DELETE FROM sheet_rows WHERE sheet_id = ?1 AND row IN \
                 (SELECT row FROM sheet_rows WHERE sheet_id = ?1 ORDER BY row LIMIT ?2)",
                params![old, ROWS_PER_COMMIT],
            )?;
            if gone == 0 {
                transaction.execute("DELETE FROM sheets WHERE id = ?1", [old])?;
            }
            transaction.commit()?;
        }
    }
}

/// Orders of which nothing was made, and that the sheet has again, are planned anew.
fn plan_again(connection: &Connection, batch: i64, sheet: i64, at: i64) -> Result<()> {
    let again = "id IN (SELECT order_id FROM sheet_rows WHERE sheet_id = ?2 AND order_id IS NOT NULL) \
         AND (state = 'cancelled' OR (state = 'rejected' AND batch_id IS NOT ?1))";
    connection.execute(
        &format!(
            "INSERT INTO moves (order_id, at, from_state, to_state, why) \
             SELECT id, ?3, state, 'planned', 'planned with a sheet' FROM orders WHERE {again}"
        ),
        [batch, sheet, at],
    )?;
    connection.execute(
        &format!(
            "UPDATE orders SET state = 'planned', batch_id = ?1, revision = revision + 1, updated_at = ?3, message = NULL, \
             settled_by = NULL WHERE {again}"
        ),
        [batch, sheet, at],
    )?;
    connection.execute(
        "UPDATE orders SET again = 1 FROM sheet_rows AS s WHERE s.sheet_id = ?2 AND s.order_id = orders.id \
         AND s.again = 1 AND orders.state = 'planned' AND orders.batch_id = ?1",
        [batch, sheet],
    )?;
    Ok(())
}

/// An order that a staged row is already.
struct Found {
    id: i64,
    fate: &'static str,
    again: bool,
}

fn is_alike(one: &Intent, other: &Intent) -> bool {
    one.phone == other.phone && one.plan == other.plan && one.amount == other.amount
}
