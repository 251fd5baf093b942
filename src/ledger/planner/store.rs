//! Staged rows become the sheet of their batch.

use std::collections::BTreeSet;

use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};

use super::super::batches::{Batch, ensure_batch, find_batch};
use super::super::rows::{millis, state_words};
use super::super::{LedgerError, Result};
use super::{NEEDS_CONSENT, NewSheet, Planner, TO_SEND};

/// How many rows are stored in one transaction: others can write between two of them.
const ROWS_PER_COMMIT: u32 = 50_000;

impl Planner {
    /// Stores the rows as the sheet of the batch, in place of its last one, durable when this returns. Rows that
    /// clash, that stand twice under one ref, and repeats that nobody has consented to are left out.
    pub fn store(mut self, new: &NewSheet) -> Result<Batch> {
        let repeats = if new.with_repeats {
            String::new()
        } else {
            format!(" AND NOT ({TO_SEND} AND {NEEDS_CONSENT})")
        };
        let kept = format!("same_ref IS NULL AND fate IS NOT 'clash'{repeats}");
        let (count, face): (u32, i64) = if self.has_marks {
            self.connection.query_row(
                &format!("SELECT count(*), coalesce(sum(amount), 0) FROM staged WHERE {kept}"),
                [],
                |row| Ok((row.get(0)?, row.get(1)?)),
            )?
        } else {
            (self.rows, self.face)
        };
        let is_whole = new.is_whole && count == self.rows && !self.is_passing;
        let (batch, sheet) = self.begin_sheet(new, (count, face), is_whole)?;
        self.copy_rows(sheet, &kept)?;
        self.activate(batch, sheet, new, &kept)?;
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
    fn activate(&mut self, batch: i64, sheet: i64, new: &NewSheet, kept: &str) -> Result<()> {
        let at = millis(new.at);
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        transaction.execute("UPDATE batches SET sheet_id = ?2 WHERE id = ?1", [batch, sheet])?;
        let of_sheet = "SELECT order_id FROM sheet_rows WHERE sheet_id = ?2 AND order_id IS NOT NULL";
        let gone = format!("batch_id = ?1 AND row IS NOT NULL AND id NOT IN ({of_sheet})");
        let dropped = format!("is_open = 0 AND {gone} AND state = 'planned'");
        let why = "no longer in the sheet, or left out of it";
        transaction.execute(
            &format!(
                "INSERT INTO moves (order_id, at, from_state, to_state, why, act_id) \
                 SELECT id, ?3, 'planned', 'cancelled', ?4, ?5 FROM orders WHERE {dropped}"
            ),
            params![batch, sheet, at, why, new.act],
        )?;
        transaction.execute(
            &format!(
                "UPDATE orders SET state = 'cancelled', revision = revision + 1, updated_at = ?3, message = ?4 WHERE {dropped}"
            ),
            params![batch, sheet, at, why],
        )?;
        // Open or not: a batch's orders are in two indexes.
        for part in ["is_open = 1", "is_open = 0"] {
            transaction.execute(
                &format!("UPDATE orders SET row = NULL WHERE {part} AND {gone}"),
                [batch, sheet],
            )?;
        }
        // A sheet whose rows are all new is not gone through for those that are orders already.
        if !self.has_marks {
            transaction.commit()?;
            return Ok(());
        }
        let left = if self.has_own_refs {
            leave_behind(&transaction, batch, kept)?
        } else {
            Vec::new()
        };
        plan_again(&transaction, (batch, sheet), kept, at, new.act)?;
        look_again(&transaction, (batch, sheet), kept)?;
        for (batch, sheet) in left {
            count_elsewhere(&transaction, batch, sheet)?;
        }
        count_elsewhere(&transaction, batch, sheet)?;
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

/// Orders of which nothing was made.
const NOTHING_MADE: &str = "(state = 'cancelled' OR (state = 'rejected' AND batch_id IS NOT ?1))";

/// Orders that the sheet has again, and that are planned anew.
fn planned_again(kept: &str) -> String {
    format!("id IN (SELECT order_id FROM staged WHERE fate = 'again' AND {kept}) AND {NOTHING_MADE}")
}

/// Orders of which nothing was made, and that the sheet has again, are planned anew: those that were shown as to be sent,
/// and not what has been cancelled while consent was asked.
fn plan_again(
    connection: &Connection,
    (batch, sheet): (i64, i64),
    kept: &str,
    at: i64,
    act: Option<i64>,
) -> Result<()> {
    let again = planned_again(kept);
    connection.execute(
        &format!(
            "INSERT INTO moves (order_id, at, from_state, to_state, why, act_id) \
             SELECT id, ?2, state, 'planned', 'planned with a sheet', ?3 FROM orders WHERE {again}"
        ),
        params![batch, at, act],
    )?;
    connection.execute(
        &format!(
            "UPDATE orders SET state = 'planned', batch_id = ?1, revision = revision + 1, updated_at = ?2, message = NULL, \
             settled_by = NULL WHERE {again}"
        ),
        [batch, at],
    )?;
    connection.execute(
        "UPDATE orders SET again = 1 FROM sheet_rows AS s WHERE s.sheet_id = ?2 AND s.order_id = orders.id \
         AND s.again = 1 AND orders.state = 'planned' AND orders.batch_id = ?1",
        [batch, sheet],
    )?;
    Ok(())
}

/// Joins the orders that other batches have as rows to the sheets of those, which count them as theirs still. The batches
/// and sheets that were so joined.
fn leave_behind(connection: &Connection, batch: i64, kept: &str) -> Result<Vec<(i64, i64)>> {
    let again = planned_again(kept);
    let mut statement = connection.prepare(&format!(
        "UPDATE sheet_rows SET order_id = moved.id FROM batches JOIN \
         (SELECT id, batch_id, row FROM orders WHERE {again} AND batch_id IS NOT ?1 AND row IS NOT NULL) AS moved \
         ON batches.id = moved.batch_id WHERE sheet_rows.sheet_id = batches.sheet_id AND sheet_rows.row = moved.row \
         RETURNING sheet_id"
    ))?;
    let sheets = statement.query_map([batch], |row| row.get::<_, i64>(0))?;
    let sheets: BTreeSet<i64> = sheets.collect::<rusqlite::Result<_>>()?;
    let batch_of = |sheet: i64| {
        let mut statement = connection.prepare_cached("SELECT batch_id FROM sheets WHERE id = ?1")?;
        Ok((statement.query_row([sheet], |row| row.get(0))?, sheet))
    };
    sheets.into_iter().map(batch_of).collect()
}

/// Counts the rows of a sheet that are orders of no batch or of another one.
fn count_elsewhere(connection: &Connection, batch: i64, sheet: i64) -> Result<()> {
    connection.execute(
        "UPDATE sheets SET elsewhere = (SELECT count(*) FROM sheet_rows JOIN orders ON orders.id = order_id \
         WHERE sheet_id = ?2 AND order_id IS NOT NULL AND batch_id IS NOT ?1) WHERE id = ?2",
        [batch, sheet],
    )?;
    Ok(())
}

/// A row that was not to be sent, and that somebody has cancelled meanwhile: the next run reads the sheet anew, and asks
/// about it.
fn look_again(connection: &Connection, (batch, sheet): (i64, i64), kept: &str) -> Result<()> {
    let open = state_words(|state| !state.is_final());
    connection.execute(
        &format!(
            "UPDATE sheets SET is_whole = 0 WHERE id = ?2 AND EXISTS (SELECT 1 FROM staged JOIN orders ON orders.id = order_id \
             WHERE fate IN ({open}) AND {kept} AND {NOTHING_MADE})"
        ),
        [batch, sheet],
    )?;
    Ok(())
}
