//! One transaction that claims rows: first those that came back to `planned`, then those that are no orders yet, each
//! behind its guard and within what was consented to.

use jiff::Timestamp;
use rusqlite::{CachedStatement, Connection, params};

use super::super::batches::{Batch, PLANNED_COLUMNS, PlannedRow, read_planned};
use super::super::guard::{CapPassed, guarded, paid_today};
use super::super::rows::{NOT_OPEN_OF_BATCH, ORDER_COLUMNS, millis, read_order};
use super::super::writes::{Moves, NewMove, OrderKey};
use super::super::{Begun, LedgerError, Result, queries};
use super::{ClaimRules, Claims, Hold, give_way};
use crate::clock::to_the_millisecond;
use crate::domain::{Account, Amount, Intent, Order, State};
use crate::promise::{Rule, holds};

/// Writes a row as a new order that is `sending`.
pub(super) const INSERT_ROW: &str = "INSERT INTO orders (account, environment, ref, state, phone, plan, operator, amount, cost, \
     batch_id, row, note, again, attempts, owner, created_at, updated_at, sent_at, their_at) \
     VALUES (?1, ?2, ?3, 'sending', ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, 1, ?13, ?14, ?14, ?14, ?15) \
     ON CONFLICT DO NOTHING";

/// The rows of a sheet that are next. They are read before the transaction that claims them, by the thread that makes
/// orders of them: the writer is the busiest of all, and memory goes back to whom it came from.
pub(super) struct Ahead {
    sheet: i64,
    /// The row that they come behind.
    behind: u32,
    /// The last row that may be one of them.
    last: u32,
    rows: Vec<PlannedRow>,
}

impl Ahead {
    pub fn read(connection: &Connection, sheet: i64, last: u32, limit: u32) -> Result<Self> {
        let behind = next_row(connection, sheet)?;
        let mut statement = connection.prepare_cached(&format!(
            "SELECT {PLANNED_COLUMNS} FROM sheet_rows WHERE sheet_id = ?1 AND order_id IS NULL AND row > ?2 \
             AND row <= ?3 ORDER BY row LIMIT ?4"
        ))?;
        let mut found = statement.query((sheet, behind, last, limit))?;
        let mut rows = Vec::new();
        while let Some(row) = found.next()? {
            rows.push(read_planned(row)?);
        }
        Ok(Self {
            sheet,
            behind,
            last,
            rows,
        })
    }

    /// In the transaction: they are the next ones still, or those that are take their place.
    fn known_next(self, connection: &Connection, limit: u32) -> Result<Self> {
        if self.behind == next_row(connection, self.sheet)? {
            Ok(self)
        } else {
            Self::read(connection, self.sheet, self.last, limit)
        }
    }
}

/// The row of a sheet up to which all have been looked at.
fn next_row(connection: &Connection, sheet: i64) -> Result<u32> {
    let mut statement = connection.prepare_cached("SELECT next_row FROM sheets WHERE id = ?1")?;
    Ok(statement.query_row([sheet], |row| row.get(0))?)
}

/// One transaction's claims.
pub(super) struct Claiming<'a> {
    pub connection: &'a Connection,
    pub insert: CachedStatement<'a>,
    pub moves: Moves<'a>,
    pub account: &'a Account,
    pub batch: &'a Batch,
    pub owner: &'a str,
    pub rules: &'a ClaimRules,
    pub limit: u32,
    pub claims: Claims,
    /// What [`Claims::written`] is made of, by the thread that needs it.
    pub claimed: Vec<(OrderKey, Claimed)>,
}

/// A row that stands as `sending`.
pub(super) enum Claimed {
    /// A new order.
    New(PlannedRow),
    /// One that had come back to `planned`.
    Returned(Box<Order>),
}

/// The order of a row that is claimed for the first time.
pub(super) fn sent_first(
    row: PlannedRow,
    account: &Account,
    batch: &Batch,
    owner: &str,
    at: Timestamp,
) -> Order {
    Order {
        state: State::Sending,
        revision: 1,
        attempts: 1,
        sent_at: Some(at),
        owner: Some(owner.to_owned()),
        batch: Some(batch.label.to_string()),
        ..row.order(account, at)
    }
}

impl Claiming<'_> {
    fn left(&self) -> u32 {
        if self.claims.over_cap.is_some() || self.claims.is_over_consent {
            return 0;
        }
        let claimed = u32::try_from(self.claimed.len()).unwrap_or(u32::MAX);
        self.limit.saturating_sub(claimed)
    }

    /// Orders that came back to `planned`: nothing was made by them, or they were proved absent. Whether all of them have
    /// been looked at: where some were held, there may be more behind them, which the next claim comes to.
    pub fn returned(&mut self) -> Result<bool> {
        let wanted = self.left();
        let mut statement = self.connection.prepare_cached(&format!(
            "SELECT {ORDER_COLUMNS}, id, again FROM orders {NOT_OPEN_OF_BATCH} \
             AND batch_id = ?1 AND state = 'planned' AND row > ?2 AND row <= ?3 \
             ORDER BY row LIMIT ?4"
        ))?;
        let cursor = self.claims.cursor;
        let mut rows = statement.query((self.batch.id, cursor.returned, cursor.last_row(), wanted))?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            found.push((
                row.get::<_, i64>("id")?,
                row.get::<_, bool>("again")?,
                read_order(row)?,
            ));
        }
        let is_all = u32::try_from(found.len()).unwrap_or(u32::MAX) < wanted;
        for (nth, (id, again, order)) in found.into_iter().enumerate() {
            give_way(nth);
            match self.guarded(&order.intent, again)? {
                Some(Begun::OverCap(passed)) if passed.is_of_the_day() => {
                    self.claims.over_cap = Some(passed);
                    return Ok(false);
                }
                Some(stopped) => {
                    if matches!(stopped, Begun::Repeat(_)) {
                        self.look_again()?;
                    }
                    let row = planned_row(&order, again);
                    self.claims.cursor.returned = row.row;
                    self.hold(row, stopped);
                }
                // What this run has sent before is paid once, however often it is claimed.
                None if order.sent_at.is_some_and(|at| at >= cursor.began_at) => {
                    self.send_returned(id, order)?;
                }
                None if !self.is_consented(order.intent.amount) => return Ok(false),
                None => self.send_returned(id, order)?,
            }
        }
        Ok(is_all)
    }

    /// The next run reads the sheet anew, finds the repeat, and asks about it.
    fn look_again(&self) -> Result<()> {
        let sheet = self.batch.sheet.as_ref().map(|sheet| sheet.id);
        self.connection
            .prepare_cached("UPDATE sheets SET is_whole = 0 WHERE id = ?1")?
            .execute([sheet])?;
        Ok(())
    }

    fn send_returned(&mut self, id: i64, read: Order) -> Result<()> {
        let at = millis(self.rules.at);
        self.connection
            .prepare_cached(
                "UPDATE orders SET state = 'sending', is_open = 1, attempts = attempts + 1, owner = ?2, revision = revision + 1, \
                 updated_at = ?3, sent_at = ?3, their_at = ?4, message = NULL, settled_by = NULL WHERE id = ?1",
            )?
            .execute((id, self.owner, at, millis(self.rules.their_at)))?;
        self.moves.insert(&NewMove {
            order: id,
            at: self.rules.at,
            from: Some(State::Planned),
            to: State::Sending,
            why: Some("sent with its batch"),
            request_id: None,
        })?;
        let moment = to_the_millisecond(self.rules.at);
        let order = Order {
            state: State::Sending,
            attempts: read.attempts + 1,
            owner: Some(self.owner.to_owned()),
            revision: read.revision + 1,
            updated_at: moment,
            sent_at: Some(moment),
            message: None,
            settled_by: None,
            ..read
        };
        self.count(order.intent.amount);
        self.claimed
            .push((OrderKey(id), Claimed::Returned(Box::new(order))));
        Ok(())
    }

    /// Rows of the sheet that are no orders yet.
    pub fn waiting(&mut self, ahead: Option<Ahead>) -> Result<()> {
        let limit = self.left();
        if limit == 0 {
            return Ok(());
        }
        let Some(ahead) = ahead else {
            self.claims.is_exhausted = true;
            return Ok(());
        };
        let Ahead { sheet, mut rows, .. } = ahead.known_next(self.connection, limit)?;
        self.claims.is_exhausted = u32::try_from(rows.len()).unwrap_or(u32::MAX) < limit;
        rows.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        let (mut last, mut held) = (None, Vec::new());
        for (nth, row) in rows.into_iter().enumerate() {
            give_way(nth);
            let number = row.row;
            match self.guarded(&row.intent, row.again)? {
                Some(Begun::OverCap(passed)) if passed.is_of_the_day() => {
                    self.claims.over_cap = Some(passed);
                    break;
                }
                Some(stopped) => {
                    self.hold(row, stopped);
                    held.push(number);
                }
                None if !self.is_consented(row.intent.amount) => break,
                None => held.extend((!self.send_new(row)?).then_some(number)),
            }
            last = Some(number);
        }
        if let Some(last) = last {
            self.connection
                .prepare_cached(
                    "UPDATE sheets SET next_row = ?2, is_whole = is_whole AND NOT ?3 WHERE id = ?1",
                )?
                .execute((sheet, last, !held.is_empty()))?;
        }
        for row in held {
            self.connection
                .prepare_cached("UPDATE sheet_rows SET is_held = 1 WHERE sheet_id = ?1 AND row = ?2")?
                .execute((sheet, row))?;
        }
        Ok(())
    }

    /// Writes a row as a new order. False where its ref is another order's.
    fn send_new(&mut self, row: PlannedRow) -> Result<bool> {
        let (intent, at) = (&row.intent, millis(self.rules.at));
        let made = self.insert.execute(params![
            self.account.username,
            self.account.environment.word(),
            intent.reference.as_str(),
            intent.phone.as_str(),
            intent.plan.as_str(),
            row.operator.name(),
            intent.amount.dinars(),
            row.cost.map(|cost| cost.to_string()),
            self.batch.id,
            row.row,
            row.note,
            row.again,
            self.owner,
            at,
            millis(self.rules.their_at),
        ])?;
        if made == 0 {
            return self.exists_already(row);
        }
        let id = self.connection.last_insert_rowid();
        self.moves.insert(&NewMove {
            order: id,
            at: self.rules.at,
            from: None,
            to: State::Sending,
            why: None,
            request_id: None,
        })?;
        self.count(row.intent.amount);
        self.claimed.push((OrderKey(id), Claimed::New(row)));
        Ok(true)
    }

    /// Takes a row from what was consented to; false where it would pass that.
    fn is_consented(&mut self, amount: Amount) -> bool {
        let left = &mut self.claims.cursor.left;
        let face = left.face.checked_sub(amount.dinars().into());
        match (left.rows.checked_sub(1), face) {
            (Some(rows), Some(face)) => (left.rows, left.face) = (rows, face),
            _ => self.claims.is_over_consent = true,
        }
        !self.claims.is_over_consent
    }

    /// A row that is claimed counts against the cap of the day.
    fn count(&mut self, amount: Amount) {
        if let Some((_, used)) = &mut self.claims.cursor.today {
            *used = used.saturating_add(u64::from(amount.dinars()));
        }
    }

    /// The row is an order of another command from now on: it counts with the sheet all the same.
    fn link(&self, row: &PlannedRow) -> Result<()> {
        let Some(sheet) = &self.batch.sheet else {
            return Ok(());
        };
        self.connection
            .prepare_cached(
                "UPDATE sheet_rows SET order_id = (SELECT id FROM orders WHERE account = ?3 AND environment = ?4 AND ref = ?5) \
                 WHERE sheet_id = ?1 AND row = ?2",
            )?
            .execute(params![
                sheet.id,
                row.row,
                self.account.username,
                self.account.environment.word(),
                row.intent.reference.as_str(),
            ])?;
        self.connection
            .prepare_cached("UPDATE sheets SET elsewhere = elsewhere + 1 WHERE id = ?1")?
            .execute([sheet.id])?;
        Ok(())
    }

    fn exists_already(&mut self, row: PlannedRow) -> Result<bool> {
        let reference = &row.intent.reference;
        let order = queries::find(self.connection, self.account, reference)?
            .ok_or_else(|| LedgerError::Unreadable(format!("`{reference}` is there and can't be read")))?;
        let is_the_same = order.intent == row.intent;
        if is_the_same {
            self.link(&row)?;
            self.claims.existing.push(order);
        } else {
            self.claims.held.push((row, Hold::Clash(Box::new(order))));
        }
        Ok(is_the_same)
    }

    fn hold(&mut self, row: PlannedRow, stopped: Begun) {
        let hold = match stopped {
            Begun::Repeat(order) => Hold::Repeat(order),
            Begun::OverCap(passed) => Hold::OverCap(passed),
            Begun::Exists(order) => Hold::Clash(order),
            // A guard writes nothing.
            Begun::Written(_) => return,
        };
        self.claims.held.push((row, hold));
    }

    /// The guard of a row. What was paid today is counted anew only when somebody else has written, or when it
    /// would stop the row: the sum over a day is long, and a count that is too high is safe.
    fn guarded(&mut self, intent: &Intent, again: bool) -> Result<Option<Begun>> {
        let mut guard = self.rules.guard.of_row(self.batch, again);
        let per_day = guard.caps.per_day.take();
        if let Some(stopped) = guarded(self.connection, self.account, intent, &guard)? {
            return Ok(Some(stopped));
        }
        let Some(limit) = per_day.filter(|_| holds(Rule::Caps)) else {
            return Ok(None);
        };
        let version: i64 = self
            .connection
            .prepare_cached("PRAGMA data_version")?
            .query_row([], |row| row.get(0))?;
        let amount = u64::from(intent.amount.dinars());
        let passes = |used: u64| used.saturating_add(amount) <= limit;
        let known = self
            .claims
            .cursor
            .today
            .filter(|(seen, used)| *seen == version && passes(*used));
        let used = match known {
            Some((_, used)) => used,
            None => paid_today(self.connection, self.account, intent, guard.day_start)?,
        };
        self.claims.cursor.today = Some((version, used));
        let over = CapPassed {
            cap: CapPassed::OF_THE_DAY,
            limit,
            used,
        };
        Ok((!passes(used)).then_some(Begun::OverCap(over)))
    }
}

fn planned_row(order: &Order, again: bool) -> PlannedRow {
    PlannedRow {
        row: order.row.unwrap_or_default(),
        intent: order.intent.clone(),
        operator: order.operator.clone(),
        cost: order.cost,
        note: order.note.clone(),
        again,
    }
}
