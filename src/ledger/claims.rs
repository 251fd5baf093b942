//! Claims: rows of a sheet become orders that are `sending`, many in one transaction, each behind its guard; and
//! the other moves that a batch makes for many orders at once.

use jiff::Timestamp;
use rusqlite::{CachedStatement, Connection, OptionalExtension, named_params, params};

use super::batches::{Batch, PLANNED_COLUMNS, PlannedRow, read_planned};
use super::guard::{CapPassed, Guard, guarded, paid_today};
use super::rows::{Attempt, NOT_OPEN_OF_BATCH, OPEN, ORDER_COLUMNS, millis, read_order};
use super::writes::{
    Change, Changes, Moves, NewMove, OrderKey, Written, changed, insert_attempt, insert_move,
};
use super::{Begun, Ledger, LedgerError, Result};
use crate::clock::to_the_millisecond;
use crate::domain::{Account, Amount, Intent, Order, State};
use crate::promise::{Rule, holds};

/// Rows that are written before others have the processor.
const ROWS_AT_A_STRETCH: usize = 32;

/// What must hold for a row to be claimed, and how its request will look.
#[derive(Debug, Clone)]
pub struct ClaimRules {
    /// The repeat guard, for rows whose repeat nobody has consented to; caps.
    pub guard: Guard,
    /// When.
    pub at: Timestamp,
    /// When, by the provider's clock.
    pub their_at: Timestamp,
    /// Path and body of the request for an order.
    pub request: fn(&Intent) -> (&'static str, String),
}

/// What somebody has consented to: the claims of a run never come to more.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Consent {
    /// How many rows.
    pub rows: u64,
    /// Their face value, in dinars.
    pub face: u64,
    /// The last line of the sheet that was shown; none where all of it was.
    pub last_row: Option<u32>,
}

/// How far the claims of this process have come.
#[derive(Debug, Clone, Copy, Default)]
pub struct ClaimCursor {
    /// What is left of the consent.
    left: Consent,
    /// When the run began: what it has sent behind that moment has had its consent.
    began_at: Timestamp,
    /// Orders that came back to `planned`, up to this line of the sheet, have been looked at: one of them was held.
    returned: u32,
    /// What has or may have been paid today at most, and the state of the database when that was counted.
    today: Option<(i64, u64)>,
}

impl ClaimCursor {
    /// Before the first claim of a run that began then.
    pub fn within(consent: Consent, began_at: Timestamp) -> Self {
        Self {
            left: consent,
            began_at,
            ..Self::default()
        }
    }

    /// The last line of the sheet that may be claimed.
    fn last_row(&self) -> u32 {
        self.left.last_row.unwrap_or(u32::MAX)
    }
}

/// Why a row was not claimed and stays planned.
#[derive(Debug, Clone)]
pub enum Hold {
    /// The same phone, plan and amount, not long ago.
    Repeat(Box<Order>),
    /// A cap that other rows may still pass under.
    OverCap(CapPassed),
    /// Its ref is another order's.
    Clash(Box<Order>),
}

/// What came of claiming.
#[derive(Debug, Default)]
pub struct Claims {
    /// How far the claims have come.
    pub cursor: ClaimCursor,
    /// Orders that stand as `sending`: now their requests may leave.
    pub written: Vec<Box<Written>>,
    /// Rows that stay planned.
    pub held: Vec<(PlannedRow, Hold)>,
    /// Rows that are orders already, made by another command.
    pub existing: Vec<Order>,
    /// The cap of the day: nothing more may be claimed.
    pub over_cap: Option<CapPassed>,
    /// The next row would pass what was consented to: nothing more may be claimed.
    pub is_over_consent: bool,
    /// Whether there is nothing more to claim.
    pub is_exhausted: bool,
}

impl Ledger {
    /// Claims up to `limit` rows of a batch, in the order of its sheet: each stands as `sending`, durable when this
    /// returns.
    pub async fn claim(
        &self,
        account: &Account,
        batch: &Batch,
        rules: ClaimRules,
        cursor: ClaimCursor,
        limit: u32,
    ) -> Result<Claims> {
        let owner = self.owner_name()?;
        let (request, at) = (rules.request, to_the_millisecond(rules.at));
        let (its_owner, its_account, its_batch) = (owner.to_owned(), account.clone(), batch.clone());
        let ahead = batch.sheet.as_ref();
        let ahead = ahead
            .map(|sheet| Ahead::read(&self.reader(), sheet.id, cursor.last_row(), limit))
            .transpose()?;
        let (mut claims, claimed) = self
            .writer
            .write_whole(move |connection| {
                let mut claiming = Claiming {
                    connection,
                    insert: connection.prepare_cached(INSERT_ROW)?,
                    moves: Moves::on(connection)?,
                    account: &its_account,
                    batch: &its_batch,
                    owner: &its_owner,
                    rules: &rules,
                    limit,
                    claims: Claims {
                        cursor,
                        ..Claims::default()
                    },
                    claimed: Vec::new(),
                };
                if claiming.returned()? {
                    claiming.waiting(ahead)?;
                }
                Ok((claiming.claims, claiming.claimed))
            })
            .await?;
        let written = claimed.into_iter().map(|(key, claimed)| {
            let order = match claimed {
                Claimed::New(row) => sent_first(row, account, batch, owner, at),
                Claimed::Returned(order) => *order,
            };
            let (_, request) = request(&order.intent);
            Box::new(Written {
                order,
                key,
                attempt: None,
                request,
            })
        });
        claims.written = written.collect();
        Ok(claims)
    }

    /// Moves many orders in one transaction. Each answer is its own: an order that somebody else has changed leaves
    /// the others alone.
    pub async fn change_all(&self, changes: Vec<Box<(Order, Change)>>) -> Result<Vec<Result<Order>>> {
        let (changes, written) = self
            .writer
            .write_whole(move |connection| {
                let mut written = Vec::with_capacity(changes.len());
                let mut writing = Changes::on(connection)?;
                for (nth, change) in changes.iter().enumerate() {
                    give_way(nth);
                    let (order, change) = &**change;
                    match writing.apply(order, change) {
                        applied @ (Ok(()) | Err(LedgerError::Stale(_) | LedgerError::Illegal(_))) => {
                            written.push(applied);
                        }
                        Err(error) => return Err(error),
                    }
                }
                // What this thread has not made it does not take apart: two threads that do are in each other's way.
                Ok((changes, written))
            })
            .await?;
        let orders = changes.into_iter().zip(written).map(|(change, written)| {
            let (order, change) = *change;
            written.map(|()| changed(order, change))
        });
        Ok(orders.collect())
    }

    /// Takes over the orders of a batch whose answers were lost: those that were `sending` when their process ended
    /// become `unknown`, and this process is the one that asks about them from now on.
    pub async fn take_over_lost(
        &self,
        batch: &Batch,
        request: fn(&Intent) -> (&'static str, String),
        at: Timestamp,
    ) -> Result<u64> {
        let owner = self.owner_name()?.to_owned();
        let lost = self.lost_orders(batch)?;
        let mut taken = 0;
        for chunk in lost.chunks(500) {
            let (chunk, owner) = (chunk.to_vec(), owner.clone());
            taken += self
                .writer
                .write(move |connection| {
                    let mut count = 0;
                    for order in &chunk {
                        count += u64::from(take_over(connection, order, request, &owner, at)?);
                    }
                    Ok(count)
                })
                .await?;
        }
        Ok(taken)
    }

    /// Orders of a batch that are `sending` or `unknown` and that no living process works on.
    fn lost_orders(&self, batch: &Batch) -> Result<Vec<Order>> {
        let orders = {
            let reader = self.reader();
            let mut statement = reader.prepare_cached(&format!(
                "SELECT {ORDER_COLUMNS} FROM orders {OPEN} AND batch_id = ?1 AND state IN ('sending', 'unknown')"
            ))?;
            let mut rows = statement.query([batch.id])?;
            let mut orders = Vec::new();
            while let Some(row) = rows.next()? {
                orders.push(read_order(row)?);
            }
            orders
        };
        Ok(orders
            .into_iter()
            .filter(|order| !self.is_being_sent(order))
            .collect())
    }
}

/// Between some rows of a long transaction others have the processor: without that, whoever answers or sends can wait
/// for milliseconds.
fn give_way(nth: usize) {
    if nth % ROWS_AT_A_STRETCH == ROWS_AT_A_STRETCH - 1 {
        std::thread::yield_now();
    }
}

fn take_over(
    connection: &Connection,
    order: &Order,
    request: fn(&Intent) -> (&'static str, String),
    owner: &str,
    at: Timestamp,
) -> Result<bool> {
    let id: Option<i64> = connection
        .prepare_cached(
            "UPDATE orders SET state = 'unknown', owner = :owner, revision = revision + 1, updated_at = :at \
             WHERE account = :account AND environment = :environment AND ref = :ref AND revision = :revision RETURNING id",
        )?
        .query_row(
            named_params! {
                ":owner": owner, ":at": millis(at), ":account": order.account.username,
                ":environment": order.account.environment.word(), ":ref": order.intent.reference.as_str(),
                ":revision": order.revision,
            },
            |row| row.get(0),
        )
        .optional()?;
    if let Some(id) = id
        && order.state == State::Sending
    {
        let why = "the process that sent it has ended before it stored an answer";
        insert_move(
            connection,
            id,
            at,
            Some(State::Sending),
            State::Unknown,
            Some(why),
        )?;
        let (path, body) = request(&order.intent);
        let attempt = Attempt {
            endpoint: "send".to_owned(),
            path: path.to_owned(),
            request: Some(body),
            started_at: order.sent_at.unwrap_or(at),
            ended_at: None,
            http_status: None,
            request_id: None,
            answer: None,
            outcome: Some(why.to_owned()),
        };
        insert_attempt(connection, id, &attempt)?;
    }
    Ok(id.is_some())
}

const INSERT_ROW: &str = "INSERT INTO orders (account, environment, ref, state, phone, plan, operator, amount, cost, \
     batch_id, row, note, again, attempts, owner, created_at, updated_at, sent_at, their_at) \
     VALUES (?1, ?2, ?3, 'sending', ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, 1, ?13, ?14, ?14, ?14, ?15) \
     ON CONFLICT DO NOTHING";

/// The rows of a sheet that are next. They are read before the transaction that claims them, by the thread that makes
/// orders of them: the writer is the busiest of all, and memory goes back to whom it came from.
struct Ahead {
    sheet: i64,
    /// The row that they come behind.
    behind: u32,
    /// The last row that may be one of them.
    last: u32,
    rows: Vec<PlannedRow>,
}

impl Ahead {
    fn read(connection: &Connection, sheet: i64, last: u32, limit: u32) -> Result<Self> {
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
struct Claiming<'a> {
    connection: &'a Connection,
    insert: CachedStatement<'a>,
    moves: Moves<'a>,
    account: &'a Account,
    batch: &'a Batch,
    owner: &'a str,
    rules: &'a ClaimRules,
    limit: u32,
    claims: Claims,
    /// What [`Claims::written`] is made of, by the thread that needs it.
    claimed: Vec<(OrderKey, Claimed)>,
}

/// A row that stands as `sending`.
enum Claimed {
    /// A new order.
    New(PlannedRow),
    /// One that had come back to `planned`.
    Returned(Box<Order>),
}

/// The order of a row that is claimed for the first time.
fn sent_first(row: PlannedRow, account: &Account, batch: &Batch, owner: &str, at: Timestamp) -> Order {
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
    fn returned(&mut self) -> Result<bool> {
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
    fn waiting(&mut self, ahead: Option<Ahead>) -> Result<()> {
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
        let order = super::queries::find(self.connection, self.account, reference)?
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
        let mut guard = self.rules.guard.clone();
        if again {
            guard.no_repeat_since = None;
        }
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

#[cfg(test)]
#[path = "claims_tests.rs"]
mod tests;
