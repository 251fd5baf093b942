//! What the ledger says of the staged rows: orders that they are already, refs that clash, repeats.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, Statement, named_params, params};

use super::super::Result;
use super::super::rows::{Cells, NOT_OPEN_OF_BATCH, OPEN, TO_PHONE, millis, required, state_words};
use super::{LeftOpen, Planner, TO_SEND};
use crate::domain::{Intent, PlanCode, State};

/// How many orders that rows are already are held in memory.
const FOUND_AT_A_TIME: usize = 10_000;

impl Planner {
    /// Holds the staged rows against each other and against the ledger: occurrences, orders that they are already,
    /// refs that clash, repeats since `repeat_since`. Rows that must not be sent, and that would be, are left out, line and
    /// reason told to `refused`.
    pub fn resolve(&mut self, repeat_since: Timestamp, refused: &mut dyn FnMut(u32, &str)) -> Result<()> {
        self.connection.execute_batch("COMMIT")?;
        self.connection.execute_batch("BEGIN")?;
        let has_twins = self.gather_twins()?;
        if has_twins {
            self.occurrences()?;
        }
        let before = self.connection.total_changes();
        if self.has_own_refs && self.last_of_sorted_refs.is_none() {
            self.same_refs()?;
        }
        if self.has_own_refs || self.batch.is_some() {
            let corrected = self.known_orders()?;
            self.correct(&corrected);
        }
        if self.has_left_open {
            let corrected = self.known_by_cells()?;
            self.correct(&corrected);
        }
        if self.has_refused {
            self.leave_out_refused(refused)?;
        }
        if has_twins {
            self.mark_twins()?;
        }
        let since = millis(repeat_since);
        if self.may_repeat(since)? {
            self.find_repeats(since)?;
        }
        self.has_marks = self.connection.total_changes() != before;
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
            let mut cells = Cells::of(row);
            let (number, intent): (u32, _) = (cells.get()?, cells.intent()?);
            let nth = match &before {
                Some((other, nth)) if is_alike(other, &intent) => nth + 1,
                _ => 1,
            };
            if nth > 1 {
                let reference = self.refs.of(&intent.phone, &intent.plan, intent.amount, nth);
                mark.execute(params![number, reference.as_str()])?;
            }
            before = Some((intent, nth));
        }
        Ok(())
    }

    /// Finds the orders that rows are already, by their refs.
    fn known_orders(&self) -> Result<Corrected> {
        // A batch that is new has no orders under refs of ours.
        let which = if self.batch.is_some() {
            ""
        } else {
            "own_ref = 1 AND "
        };
        let mut matched = self.connection.prepare(&format!(
            "SELECT s.row AS row, s.amount AS amount, o.id AS id, o.state AS state, o.batch_id AS batch_id, o.again AS again, \
             o.plan AS their_plan, o.amount AS their_amount, \
             o.phone = s.phone AND (o.plan = s.plan OR open_plan) AND (o.amount = s.amount OR open_amount) AS is_alike, \
             o.plan = s.plan AS is_the_plan, o.plan = s.plan AND o.amount = s.amount AS is_the_same \
             FROM staged AS s JOIN orders AS o ON o.ref = s.ref \
             WHERE {which}o.account = ?1 AND o.environment = ?2"
        ))?;
        let environment = self.account.environment.word();
        let mut rows = matched.query((&self.account.username, environment))?;
        let mut found = Vec::with_capacity(FOUND_AT_A_TIME);
        let mut marks = Marks::on(&self.connection)?;
        loop {
            // What is read is marked in portions: the query must not see its own marks.
            let row = rows.next()?;
            let is_over = row.is_none();
            if let Some(row) = row {
                found.push((row.get::<_, u32>("row")?, self.found(row)?));
            }
            if is_over || found.len() >= FOUND_AT_A_TIME {
                for (number, order) in found.drain(..) {
                    marks.put(number, &order)?;
                }
            }
            if is_over {
                break;
            }
        }
        Ok(marks.corrected)
    }

    /// Finds the orders that rows are already, where the catalogue of another day gave them another plan or another price:
    /// those of this batch, to the same number, that no other row is. One of which nothing was made is left: the row is sent
    /// as it would be today.
    fn known_by_cells(&self) -> Result<Corrected> {
        let Some(batch) = self.batch.as_ref().map(|batch| batch.id) else {
            return Ok(Corrected::default());
        };
        self.index_by_order()?;
        let made = state_words(|state| !matches!(state, State::Planned | State::Cancelled));
        let no_row = "NOT EXISTS (SELECT 1 FROM staged WHERE staged.order_id = orders.id)";
        let has_some: bool = self.connection.query_row(
            &format!(
                "SELECT EXISTS (SELECT 1 FROM orders {NOT_OPEN_OF_BATCH} AND batch_id = ?1 AND state IN ({made}) AND {no_row}) \
                 OR EXISTS (SELECT 1 FROM orders {OPEN} AND batch_id = ?1 AND {no_row})"
            ),
            [batch],
            |row| row.get(0),
        )?;
        if !has_some {
            return Ok(Corrected::default());
        }
        let mut staged = self.connection.prepare(
            "SELECT row, ref, phone, plan, amount, open_plan, open_amount FROM staged \
             WHERE fate IS NULL AND own_ref = 0 AND (open_plan OR open_amount) ORDER BY row",
        )?;
        let mut find = self.connection.prepare(&format!(
            "SELECT id, ref, plan, amount, state, again FROM orders {TO_PHONE} AND account = :account \
             AND environment = :environment AND batch_id = :batch AND state IN ({made}) AND {no_row} ORDER BY id"
        ))?;
        let mut marks = Marks::on(&self.connection)?;
        let mut refer = self
            .connection
            .prepare("UPDATE staged SET ref = ?2 WHERE row = ?1")?;
        let mut rows = staged.query([])?;
        while let Some(row) = rows.next()? {
            let mut cells = Cells::of(row);
            let (number, intent): (u32, _) = (cells.get()?, cells.intent()?);
            let open = LeftOpen {
                plan: row.get("open_plan")?,
                amount: row.get("open_amount")?,
            };
            let mut orders = find.query(named_params! {
                ":account": self.account.username, ":environment": self.account.environment.word(),
                ":phone": intent.phone.as_str(), ":batch": batch,
            })?;
            while let Some(order) = orders.next()? {
                let plan = required(order, "plan", |text| text.parse::<PlanCode>().ok())?;
                let their_amount: u32 = order.get("amount")?;
                let is_plan = plan == intent.plan || (open.plan && plan.is_prepaid());
                let is_amount = their_amount == intent.amount.dinars() || open.amount;
                let reference: String = order.get("ref")?;
                if !is_plan || !is_amount || !self.refs.has_form(&reference, &intent.phone) {
                    continue;
                }
                let state: State = required(order, "state", |text| text.parse().ok())?;
                refer.execute(params![number, reference])?;
                marks.put(
                    number,
                    &Found {
                        id: order.get("id")?,
                        fate: state.word(),
                        again: order.get("again")?,
                        other: Some(Other {
                            plan: plan.to_string(),
                            amount: their_amount,
                            more: i64::from(their_amount) - i64::from(intent.amount.dinars()),
                            is_in_doubt: state.is_in_doubt(),
                        }),
                    },
                )?;
                break;
            }
        }
        Ok(marks.corrected)
    }

    fn correct(&mut self, corrected: &Corrected) {
        self.face += corrected.more;
        self.others += corrected.rows;
        self.is_passing |= corrected.is_passing;
    }

    /// Rows by the orders that they are.
    fn index_by_order(&self) -> Result<()> {
        self.connection.execute_batch(
            "CREATE INDEX IF NOT EXISTS temp.staged_by_order ON staged (order_id) WHERE order_id IS NOT NULL",
        )?;
        Ok(())
    }

    /// What stands against a row stands against sending it: one that is an order already is none to be mended. One of this
    /// batch whose answer was lost may have to be sent again.
    fn leave_out_refused(&mut self, refused: &mut dyn FnMut(u32, &str)) -> Result<()> {
        let in_doubt = state_words(State::is_in_doubt);
        let which = format!(
            "refused IS NOT NULL AND (({TO_SEND}) OR (same_ref IS NULL AND fate IN ({in_doubt}) \
             AND order_id IN (SELECT id FROM orders WHERE batch_id = ?1)))"
        );
        let batch = self.batch.as_ref().map(|batch| batch.id);
        let mut statement = self.connection.prepare(&format!(
            "SELECT row, amount, refused FROM staged WHERE {which} ORDER BY row"
        ))?;
        let mut rows = statement.query([batch])?;
        while let Some(row) = rows.next()? {
            refused(
                row.get(0)?,
                row.get_ref(2)?.as_str().map_err(rusqlite::Error::from)?,
            );
            self.rows -= 1;
            self.face -= row.get::<_, i64>(1)?;
        }
        self.connection
            .execute(&format!("DELETE FROM staged WHERE {which}"), [batch])?;
        Ok(())
    }

    /// The order that a row is already, and what that means for it.
    fn found(&self, row: &Row<'_>) -> Result<Found> {
        let id: i64 = row.get("id")?;
        let clash = Found {
            id,
            fate: "clash",
            again: false,
            other: None,
        };
        let their_plan = required(row, "their_plan", |text| text.parse::<PlanCode>().ok())?;
        let is_other_plan = !row.get::<_, bool>("is_the_plan")?;
        // Under another plan than today's it is one that a row without a plan can have had.
        if !row.get::<_, bool>("is_alike")? || (is_other_plan && !their_plan.is_prepaid()) {
            return Ok(clash);
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
        let other = if row.get("is_the_same")? {
            None
        } else if is_sent_again {
            // Under one ref there is one order: it can't be sent as it would be today.
            return Ok(clash);
        } else {
            let (ours, theirs): (i64, u32) = (row.get("amount")?, row.get("their_amount")?);
            Some(Other {
                plan: their_plan.to_string(),
                amount: theirs,
                more: i64::from(theirs) - ours,
                is_in_doubt: state.is_in_doubt(),
            })
        };
        Ok(Found {
            id,
            fate: if is_sent_again { "again" } else { state.word() },
            again: row.get("again")?,
            other,
        })
    }

    /// Of the lines of one number, every one but the first is a twin of the first; lines that are orders already come
    /// before those that are to be sent, wherever they stand. Lines that were not delivered and will not be sent do not
    /// count.
    fn mark_twins(&self) -> Result<()> {
        let undelivered = state_words(|state| !state.may_be_repeated());
        let mut lines = self.connection.prepare(&format!(
            "SELECT row, phone FROM staged WHERE phone IN (SELECT phone FROM twins) \
             AND (fate IS NULL OR fate NOT IN ({undelivered})) \
             ORDER BY phone, (fate IS NULL OR fate = 'again'), row"
        ))?;
        let mut mark = self
            .connection
            .prepare("UPDATE staged SET twin = ?2 WHERE row = ?1")?;
        mark_later(&mut lines, &mut mark)
    }

    /// The same ref on two lines means one order: the later line is told, or the one that has it in a cell where the other
    /// one's is made of its phone, plan and amount.
    fn same_refs(&self) -> Result<()> {
        let mut sorted = self
            .connection
            .prepare("SELECT row, ref FROM staged ORDER BY ref, own_ref, row")?;
        let mut mark = self
            .connection
            .prepare("UPDATE staged SET same_ref = ?2 WHERE row = ?1")?;
        mark_later(&mut sorted, &mut mark)
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
        self.index_by_order()?;
        let states = state_words(State::may_be_repeated);
        let mut staged = self.connection.prepare(&format!(
            "SELECT row, ref, phone, plan, amount FROM staged WHERE {TO_SEND} AND again = 0"
        ))?;
        let mut find = self.connection.prepare(&format!(
            "SELECT id FROM orders {TO_PHONE} AND account = :account AND environment = :environment \
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
            let mut cells = Cells::of(row);
            let (number, intent): (u32, _) = (cells.get()?, cells.intent()?);
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
}

/// Marks every line but the first of those that share a key with the first one's number. `sorted` gives lines and
/// keys, equal keys together, by line.
fn mark_later(sorted: &mut Statement<'_>, mark: &mut Statement<'_>) -> Result<()> {
    let mut rows = sorted.query([])?;
    let mut first: Option<(String, u32)> = None;
    while let Some(row) = rows.next()? {
        let (line, key): (u32, String) = (row.get(0)?, row.get(1)?);
        match &first {
            Some((known, first)) if *known == key => {
                mark.execute([line, *first])?;
            }
            _ => first = Some((key, line)),
        }
    }
    Ok(())
}

/// An order that a staged row is already.
struct Found {
    id: i64,
    fate: &'static str,
    again: bool,
    /// Its plan and amount, where they are not those that the row would have today.
    other: Option<Other>,
}

/// Under what plan and for what amount an order was made that is a row.
struct Other {
    plan: String,
    amount: u32,
    /// How much more that is, in dinars.
    more: i64,
    /// Whether it is not known what became of it.
    is_in_doubt: bool,
}

/// Marks rows that are orders already.
struct Marks<'c> {
    mark: Statement<'c>,
    correct: Statement<'c>,
    corrected: Corrected,
}

/// Rows that have another plan or price than they would have today.
#[derive(Default)]
struct Corrected {
    /// How many.
    rows: u64,
    /// How much more they are worth by that, in dinars.
    more: i64,
    /// Whether one of them is in doubt.
    is_passing: bool,
}

impl<'c> Marks<'c> {
    fn on(connection: &'c Connection) -> Result<Self> {
        Ok(Self {
            mark: connection
                .prepare("UPDATE staged SET order_id = ?2, fate = ?3, again = ?4 WHERE row = ?1")?,
            correct: connection.prepare("UPDATE staged SET plan = ?2, amount = ?3 WHERE row = ?1")?,
            corrected: Corrected::default(),
        })
    }

    fn put(&mut self, number: u32, found: &Found) -> Result<()> {
        self.mark
            .execute(params![number, found.id, found.fate, found.again])?;
        if let Some(other) = &found.other {
            self.correct.execute(params![number, other.plan, other.amount])?;
            self.corrected.rows += 1;
            self.corrected.more += other.more;
            self.corrected.is_passing |= other.is_in_doubt;
        }
        Ok(())
    }
}

fn is_alike(one: &Intent, other: &Intent) -> bool {
    one.phone == other.phone && one.plan == other.plan && one.amount == other.amount
}
