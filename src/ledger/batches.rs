//! Batches and how far each is. A row of a sheet is planned until it is claimed; from then on it is an order.

use std::collections::BTreeMap;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, Statement, ToSql, named_params};

use super::rows::{
    self, Cells, NOT_OPEN_OF_BATCH, OPEN, ORDER_COLUMNS, millis, moment, optional, read_order, required,
    state_words,
};
use super::{Filter, Ledger, LedgerError, Result};
use crate::domain::{Account, Amount, Intent, Label, Money, Operator, Order, Phone, Ref, State};

/// A batch, and the sheet that it was last planned from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// Its key in the ledger.
    pub id: i64,
    /// Its name.
    pub label: Label,
    /// When it was first planned.
    pub created_at: Timestamp,
    /// What was last noted of the file of rows to be retried; see [`Ledger::note_retried`].
    pub retried: Option<String>,
    /// What it was last planned from; none where the planning was cut short.
    pub sheet: Option<Sheet>,
}

/// A sheet as it was planned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sheet {
    /// Its key in the ledger.
    pub id: i64,
    /// Where it was read from.
    pub file: String,
    /// The header's cells.
    pub header: Vec<String>,
    /// Stands for the bytes of the file and for all that decides what they mean.
    pub digest: String,
    /// How many rows were planned.
    pub rows: u32,
    /// Their face value, in dinars.
    pub face: u64,
    /// What was last noted of the results file; see [`Ledger::note_results`].
    pub results: Option<String>,
    /// Whether every row of the file was planned.
    pub is_whole: bool,
    /// When.
    pub planned_at: Timestamp,
}

/// How far a batch is: its orders by state, and the rows that no order stands for yet.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Standings {
    /// Orders by state; rows that are not yet orders count as `planned`.
    pub states: BTreeMap<State, u64>,
    /// Orders that the sheet no longer has.
    pub gone: BTreeMap<State, u64>,
}

impl Standings {
    /// How many are in states that `wanted` picks.
    pub fn count(&self, wanted: impl Fn(State) -> bool) -> u64 {
        let picked = self.states.iter().filter(|(state, _)| wanted(**state));
        picked.map(|(_, count)| count).sum()
    }

    /// All rows of the sheet, with those that are orders `elsewhere`.
    #[must_use]
    pub fn with(mut self, elsewhere: &Self) -> Self {
        for (state, orders) in &elsewhere.states {
            *self.states.entry(*state).or_default() += orders;
        }
        self
    }

    /// The same, of the orders that the sheet no longer has.
    pub fn count_gone(&self, wanted: impl Fn(State) -> bool) -> u64 {
        let picked = self.gone.iter().filter(|(state, _)| wanted(**state));
        picked.map(|(_, count)| count).sum()
    }
}

/// What a batch has moved: face values and costs of the orders that have or may have paid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Paid {
    /// Dinars of face value.
    pub face: u64,
    /// What they cost, where the cost is known.
    pub cost: Money,
}

/// The rows of a batch of which nobody knows yet whether they were made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct InDoubt {
    /// How many.
    pub rows: u64,
    /// Dinars of face value.
    pub face: u64,
    /// The part of it that was sent today, and that caps of the day count.
    pub face_today: u64,
}

/// A row that is planned, as its sheet has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedRow {
    /// The line of the sheet.
    pub row: u32,
    /// What is meant.
    pub intent: Intent,
    /// Whose credit it is.
    pub operator: Operator,
    /// What it is expected to cost.
    pub cost: Option<Money>,
    /// The note of the sheet.
    pub note: Option<String>,
    /// Whether a repeat has been consented to.
    pub again: bool,
}

/// The columns of [`read_planned`], in `sheet_rows` and where sheets are staged. They stand first in a query.
pub(super) const PLANNED_COLUMNS: &str = "row, ref, phone, plan, amount, operator, cost, note, again";

/// Reads a row of `PLANNED_COLUMNS`, field by field in their order.
pub(super) fn read_planned(row: &Row<'_>) -> Result<PlannedRow> {
    let mut cells = Cells::of(row);
    Ok(PlannedRow {
        row: cells.get()?,
        intent: cells.intent()?,
        operator: cells.required("operator", |text| Some(Operator::named(text)))?,
        cost: cells.optional("cost", |text| text.parse::<Money>().ok())?,
        note: cells.get()?,
        again: cells.get()?,
    })
}

/// Where an order of a sheet stands, and the caller's cells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SheetOrder {
    /// The line of the sheet now; none for an order that the sheet no longer has.
    pub row: Option<u32>,
    /// The caller's cells; none for an order that the sheet no longer has.
    pub cells: Option<Vec<String>>,
    /// The order.
    pub order: Order,
}

impl Ledger {
    /// The batch of an account under a label.
    pub fn batch(&self, account: &Account, label: &Label) -> Result<Option<Batch>> {
        find_batch(&self.reader(), account, label)
    }

    /// The label under which the ledger knows a batch of this name, however its accents are spelt: as typed where it knows
    /// both spellings, and the composed one where it knows none.
    pub fn known_label(&self, account: &Account, label: &Label) -> Result<Label> {
        let composed = label.composed();
        for spelling in [label, &composed, &label.decomposed()] {
            if self.batch(account, spelling)?.is_some() {
                return Ok(spelling.clone());
            }
        }
        Ok(composed)
    }

    /// Every batch of an account, oldest first.
    pub fn batches(&self, account: &Account) -> Result<Vec<Batch>> {
        let reader = self.reader();
        let mut statement = reader.prepare_cached(
            "SELECT id, label, sheet_id, created_at, retried FROM batches \
             WHERE account = :account AND environment = :environment ORDER BY id",
        )?;
        let environment = account.environment.word();
        let mut found =
            statement.query(named_params! {":account": account.username, ":environment": environment})?;
        let mut batches = Vec::new();
        while let Some(row) = found.next()? {
            batches.push(read_batch(&reader, row)?);
        }
        Ok(batches)
    }

    /// How far a batch is.
    pub fn standings(&self, batch: &Batch) -> Result<Standings> {
        let reader = self.reader();
        let mut standings = Standings::default();
        // They are counted here: the database would sort all of them first, in two mebibytes of memory.
        let mut statement = reader.prepare_cached(&format!(
            "SELECT state, row IS NULL FROM orders {NOT_OPEN_OF_BATCH} AND batch_id = ?1 \
             UNION ALL SELECT state, row IS NULL FROM orders {OPEN} AND batch_id = ?1"
        ))?;
        let mut rows = statement.query([batch.id])?;
        while let Some(row) = rows.next()? {
            let state = required(row, "state", |text| text.parse::<State>().ok())?;
            let is_gone: bool = row.get(1)?;
            let states = if is_gone {
                &mut standings.gone
            } else {
                &mut standings.states
            };
            *states.entry(state).or_default() += 1;
        }
        let waiting = batch
            .sheet
            .as_ref()
            .map_or(Ok(0), |sheet| waiting(&reader, sheet.id))?;
        if waiting > 0 {
            *standings.states.entry(State::Planned).or_default() += waiting;
        }
        Ok(standings)
    }

    /// How many orders of a batch the provider has that have not ended.
    pub fn accepted(&self, batch: &Batch) -> Result<u64> {
        let accepted: i64 = self
            .reader()
            .prepare_cached(&format!(
                "SELECT count(*) FROM orders {OPEN} AND batch_id = ?1 AND state = 'accepted'"
            ))?
            .query_row([batch.id], |row| row.get(0))?;
        Ok(count(accepted))
    }

    /// Rows of a batch's sheet that are orders of no batch or of another one: under refs of the caller's own.
    pub fn standings_elsewhere(&self, batch: &Batch) -> Result<Standings> {
        let reader = self.reader();
        let mut standings = Standings::default();
        let Some(sheet) = batch.sheet.as_ref() else {
            return Ok(standings);
        };
        // Claims of this run may have found some since the batch was read.
        let elsewhere: i64 = reader
            .prepare_cached("SELECT elsewhere FROM sheets WHERE id = ?1")?
            .query_row([sheet.id], |row| row.get(0))?;
        if elsewhere == 0 {
            return Ok(standings);
        }
        let mut statement = reader.prepare_cached(
            "SELECT state FROM sheet_rows JOIN orders ON orders.id = order_id \
             WHERE sheet_id = ?1 AND order_id IS NOT NULL AND batch_id IS NOT ?2",
        )?;
        let mut rows = statement.query([sheet.id, batch.id])?;
        while let Some(row) = rows.next()? {
            let state = required(row, "state", |text| text.parse::<State>().ok())?;
            *standings.states.entry(state).or_default() += 1;
        }
        Ok(standings)
    }

    /// The batches that have planned, and not sent, orders of this one's sheet.
    pub fn planned_elsewhere(&self, batch: &Batch) -> Result<Vec<Label>> {
        let Some(sheet) = batch.sheet.as_ref() else {
            return Ok(Vec::new());
        };
        let reader = self.reader();
        let mut statement = reader.prepare_cached(
            "SELECT DISTINCT label FROM sheets JOIN sheet_rows ON sheet_rows.sheet_id = sheets.id JOIN orders ON orders.id = order_id \
             JOIN batches ON batches.id = orders.batch_id WHERE sheets.id = ?1 AND elsewhere > 0 AND order_id IS NOT NULL \
             AND orders.batch_id IS NOT ?2 AND state = 'planned' ORDER BY label",
        )?;
        let mut rows = statement.query([sheet.id, batch.id])?;
        let mut labels = Vec::new();
        while let Some(row) = rows.next()? {
            labels.push(required(row, "label", |text| text.parse().ok())?);
        }
        Ok(labels)
    }

    /// Whether a row of a batch's sheet is an order elsewhere that was given up, and that nobody else sends.
    pub fn has_given_up_elsewhere(&self, batch: &Batch) -> Result<bool> {
        let Some(sheet) = batch.sheet.as_ref() else {
            return Ok(false);
        };
        let given_up = self
            .reader()
            .prepare_cached(
                "SELECT EXISTS (SELECT 1 FROM sheets JOIN sheet_rows ON sheet_id = sheets.id \
                 JOIN orders ON orders.id = order_id WHERE sheets.id = ?1 AND elsewhere > 0 AND order_id IS NOT NULL \
                 AND orders.batch_id IS NOT ?2 AND orders.row IS NULL AND state = 'cancelled')",
            )?
            .query_row([sheet.id, batch.id], |row| row.get(0))?;
        Ok(given_up)
    }

    /// Whether a row of a batch that may still be sent is of more than so much: one that waits, that came back, or that is in
    /// doubt.
    pub fn may_send_over(&self, batch: &Batch, cap: Amount) -> Result<bool> {
        let sheet = batch.sheet.as_ref().map(|sheet| sheet.id);
        let over = self
            .reader()
            .prepare_cached(&format!(
                "SELECT EXISTS (SELECT 1 FROM sheets JOIN sheet_rows ON sheet_id = sheets.id WHERE sheets.id = ?1 \
                 AND sheet_rows.row > next_row AND order_id IS NULL AND amount > ?3) \
                 OR EXISTS (SELECT 1 FROM orders {NOT_OPEN_OF_BATCH} AND batch_id = ?2 AND state = 'planned' \
                 AND amount > ?3) \
                 OR EXISTS (SELECT 1 FROM orders {OPEN} AND batch_id = ?2 AND state IN ('sending', 'unknown') \
                 AND amount > ?3)"
            ))?
            .query_row((sheet, batch.id, cap.dinars()), |row| row.get(0))?;
        Ok(over)
    }

    /// Notes that the results file is whole, so that it need not be written again while nothing has changed.
    pub async fn note_results(&self, sheet: &Sheet, results: String) -> Result<()> {
        let id = sheet.id;
        self.writer
            .write(move |connection| {
                connection.execute("UPDATE sheets SET results = ?2 WHERE id = ?1", (id, &results))?;
                Ok(())
            })
            .await
    }

    /// Notes for which undelivered orders the file of rows to be retried stands, and its bytes: it is written again
    /// when there are others, and else left to whoever mends it.
    pub async fn note_retried(&self, batch: &Batch, retried: String) -> Result<()> {
        let id = batch.id;
        self.writer
            .write(move |connection| {
                connection.execute("UPDATE batches SET retried = ?2 WHERE id = ?1", (id, &retried))?;
                Ok(())
            })
            .await
    }

    /// Whether any of these refs is an order of the batch or a row of its sheet.
    pub fn has_any(&self, batch: &Batch, refs: &[Ref]) -> Result<bool> {
        let refs: Vec<_> = refs.iter().map(Ref::as_str).collect();
        let refs = serde_json::Value::from(refs).to_string();
        let reader = self.reader();
        let has_orders: bool = reader.query_row(
            "SELECT EXISTS (SELECT 1 FROM orders JOIN batches ON batches.id = ?1 WHERE orders.account = batches.account \
             AND orders.environment = batches.environment AND batch_id = ?1 AND ref IN (SELECT value FROM json_each(?2)))",
            (batch.id, &refs),
            |row| row.get(0),
        )?;
        let Some(sheet) = batch.sheet.as_ref().filter(|_| !has_orders) else {
            return Ok(has_orders);
        };
        Ok(reader.query_row(
            "SELECT EXISTS (SELECT 1 FROM sheet_rows WHERE sheet_id = ?1 AND ref IN (SELECT value FROM json_each(?2)))",
            (sheet.id, &refs),
            |row| row.get(0),
        )?)
    }

    /// Face values and costs of the rows of a batch's sheet that have or may have paid, whoever has made their orders.
    pub fn paid(&self, batch: &Batch) -> Result<Paid> {
        let reader = self.reader();
        let states = state_words(State::may_have_paid);
        let mut statement = reader.prepare_cached(&format!(
            "SELECT amount, cost FROM orders {NOT_OPEN_OF_BATCH} AND batch_id = ?1 AND row IS NOT NULL AND state IN ({states}) \
             UNION ALL SELECT amount, cost FROM orders {OPEN} AND batch_id = ?1 AND row IS NOT NULL AND state IN ({states}) \
             UNION ALL SELECT o.amount, o.cost FROM sheets JOIN sheet_rows AS s ON s.sheet_id = sheets.id \
             JOIN orders AS o ON o.id = s.order_id WHERE sheets.id = ?2 AND sheets.elsewhere > 0 \
             AND o.batch_id IS NOT ?1 AND o.state IN ({states})"
        ))?;
        let sheet = batch.sheet.as_ref().map(|sheet| sheet.id);
        let mut rows = statement.query((batch.id, sheet))?;
        let mut paid = Paid {
            face: 0,
            cost: Money::ZERO,
        };
        while let Some(row) = rows.next()? {
            paid.face += count(row.get(0)?);
            let cost = optional(row, "cost", |text| text.parse::<Money>().ok())?;
            paid.cost = paid.cost + cost.unwrap_or(Money::ZERO);
        }
        Ok(paid)
    }

    /// The rows of a batch whose answers were lost: they are sent again where the provider does not know them.
    pub fn in_doubt(&self, batch: &Batch, day_start: Timestamp) -> Result<InDoubt> {
        let reader = self.reader();
        let mut statement = reader.prepare_cached(&format!(
            "SELECT count(*), coalesce(sum(amount), 0), coalesce(sum(iif(sent_at >= ?2, amount, 0)), 0) FROM orders {OPEN} \
             AND batch_id = ?1 AND row IS NOT NULL AND (state = 'sending' OR state = 'unknown')"
        ))?;
        Ok(statement.query_row((batch.id, millis(day_start)), |row| {
            Ok(InDoubt {
                rows: count(row.get(0)?),
                face: count(row.get(1)?),
                face_today: count(row.get(2)?),
            })
        })?)
    }

    /// Walks the rows of a stored sheet that are still to be sent, those that came back to `planned` among them, in the
    /// order of the file.
    pub fn each_waiting(&self, batch: &Batch, each: &mut dyn FnMut(&ToSend<'_>) -> Result<()>) -> Result<()> {
        let reader = self.reader();
        let mut waiting = reader.prepare_cached(&format!(
            "SELECT row, operator, plan, amount, cost FROM orders {NOT_OPEN_OF_BATCH} AND batch_id = ?1 \
             AND state = 'planned' AND row IS NOT NULL \
             UNION ALL SELECT row, operator, plan, amount, cost FROM sheet_rows WHERE sheet_id = ?2 \
             AND order_id IS NULL AND row > (SELECT next_row FROM sheets WHERE id = ?2) ORDER BY row"
        ))?;
        let sheet = batch.sheet.as_ref().map(|sheet| sheet.id);
        walk_to_send(&mut waiting, &[&batch.id, &sheet], each)
    }

    /// Orders of a batch whose answers were lost, that this process asks about, in the order in which they were sent.
    pub fn lost_rows(&self, batch: &Batch, limit: u32) -> Result<Vec<Order>> {
        let owner = self.owner_name()?;
        rows::orders(
            &self.reader(),
            "INDEXED BY orders_unknown WHERE batch_id = :batch AND state = 'unknown' AND owner = :owner \
             ORDER BY sent_at, id LIMIT :limit",
            named_params! {":batch": batch.id, ":owner": owner, ":limit": limit},
        )
    }

    /// Open orders of a batch in the order in which they were sent, as far as a sweep must know them: those behind
    /// `after`. Of the lost ones those that this process asks about; with `given_up` also those that it could not settle.
    pub fn open_rows(
        &self,
        batch: &Batch,
        after: OpenRow,
        limit: u32,
        given_up: bool,
    ) -> Result<Vec<OpenRow>> {
        let owner = self.owner_name()?;
        let reader = self.reader();
        let mut statement = reader.prepare_cached(&format!(
            "SELECT id, state, sent_at, their_at, updated_at FROM orders {OPEN} AND batch_id = :batch \
             AND sent_at >= :sent_at AND (sent_at > :sent_at OR id > :id) AND (state <> 'unknown' OR owner = :owner OR :given_up) \
             ORDER BY sent_at, id LIMIT :limit"
        ))?;
        let mut rows = statement.query(named_params! {
            ":batch": batch.id, ":owner": owner, ":given_up": given_up,
            ":sent_at": millis(after.sent_at), ":id": after.id, ":limit": limit,
        })?;
        let mut open = Vec::new();
        while let Some(row) = rows.next()? {
            open.push(OpenRow {
                id: row.get("id")?,
                state: required(row, "state", |text| text.parse::<State>().ok())?,
                sent_at: moment("sent_at", row.get("sent_at")?)?,
                their_at: row
                    .get::<_, Option<i64>>("their_at")?
                    .map(|at| moment("their_at", at))
                    .transpose()?,
                updated_at: moment("updated_at", row.get("updated_at")?)?,
            });
        }
        Ok(open)
    }

    /// The order behind a row of [`Ledger::open_rows`].
    pub fn open_order(&self, row: &OpenRow) -> Result<Option<Order>> {
        Ok(rows::orders(&self.reader(), "WHERE id = :id", named_params! {":id": row.id})?.pop())
    }

    /// Open orders of a batch, or of an account, by the provider's ids: for lists that show no refs.
    pub fn open_by_id(&self, account: &Account, batch: Option<&Batch>, ids: &[&str]) -> Result<Vec<Order>> {
        let ids = serde_json::to_string(ids).unwrap_or_default();
        let environment = account.environment.word();
        rows::orders(
            &self.reader(),
            &format!(
                "{OPEN} AND account = :account AND environment = :environment \
                 AND (:batch IS NULL OR batch_id = :batch) AND topup_id IN (SELECT value FROM json_each(:ids))"
            ),
            named_params! {
                ":account": account.username, ":environment": environment,
                ":batch": batch.map(|batch| batch.id), ":ids": ids,
            },
        )
    }

    /// Walks the orders of a batch with the caller's cells: those of the sheet in its order, then those that the
    /// sheet no longer has.
    pub fn each_order(&self, batch: &Batch, each: &mut dyn FnMut(SheetOrder) -> Result<()>) -> Result<()> {
        let reader = self.reader();
        if let Some(sheet) = &batch.sheet {
            let mut statement = reader.prepare_cached(&format!(
                "SELECT o.*, s.row AS sheet_row, s.cells AS cells FROM sheet_rows AS s JOIN (SELECT {ORDER_COLUMNS} FROM orders) AS o \
                 ON o.account = :account AND o.environment = :environment AND o.ref = s.ref \
                 AND o.phone = s.phone AND o.plan = s.plan AND o.amount = s.amount WHERE s.sheet_id = :sheet ORDER BY s.row"
            ))?;
            let (account, environment) = account_of(&reader, batch.id)?;
            let mut rows = statement.query(
                named_params! {":account": account, ":environment": environment, ":sheet": sheet.id},
            )?;
            while let Some(row) = rows.next()? {
                let cells: String = row.get("cells")?;
                each(SheetOrder {
                    row: row.get("sheet_row")?,
                    cells: Some(serde_json::from_str(&cells).unwrap_or_default()),
                    order: read_order(row)?,
                })?;
            }
        }
        let mut statement = reader.prepare_cached(&format!(
            "SELECT {ORDER_COLUMNS} FROM orders WHERE id IN (SELECT id FROM orders {NOT_OPEN_OF_BATCH} AND batch_id = ?1 \
             AND row IS NULL UNION ALL SELECT id FROM orders {OPEN} AND batch_id = ?1 AND row IS NULL) ORDER BY id"
        ))?;
        let mut rows = statement.query([batch.id])?;
        while let Some(row) = rows.next()? {
            each(SheetOrder {
                row: None,
                cells: None,
                order: read_order(row)?,
            })?;
        }
        Ok(())
    }

    /// The caller's cells of a row.
    pub fn cells(&self, sheet: &Sheet, row: u32) -> Result<Option<Vec<String>>> {
        let cells: Option<String> = self
            .reader()
            .prepare_cached("SELECT cells FROM sheet_rows WHERE sheet_id = ?1 AND row = ?2")?
            .query_row((sheet.id, row), |row| row.get(0))
            .optional()?;
        Ok(cells.and_then(|cells| serde_json::from_str(&cells).ok()))
    }

    /// Rows of sheets that are still to be sent, as orders: for lists. The newest ones, oldest first.
    pub(super) fn waiting_orders(&self, account: &Account, filter: &Filter) -> Result<Vec<Order>> {
        let reader = self.reader();
        let mut statement = reader.prepare_cached(&format!(
            "SELECT {PLANNED_COLUMNS}, label, sheets.planned_at AS planned_at FROM batches \
             JOIN sheets ON sheets.id = batches.sheet_id JOIN sheet_rows ON sheet_rows.sheet_id = sheets.id \
             WHERE account = :account AND environment = :environment AND (:label IS NULL OR label = :label) \
             AND (:phone IS NULL OR phone = :phone) AND planned_at >= :since AND planned_at < :until \
             AND (:ref IS NULL OR ref = :ref) \
             AND order_id IS NULL AND (row > next_row OR is_held = 1) ORDER BY batches.id DESC, row DESC LIMIT :limit"
        ))?;
        let environment = account.environment.word();
        let mut rows = statement.query(named_params! {
            ":account": account.username, ":environment": environment,
            ":label": filter.batch.as_ref().map(Label::as_str),
            ":phone": filter.phone.as_ref().map(Phone::as_str),
            ":ref": filter.reference.as_ref().map(Ref::as_str),
            ":since": filter.since.map_or(i64::MIN, millis),
            ":until": filter.until.map_or(i64::MAX, millis),
            ":limit": filter.limit.map_or(-1, i64::from),
        })?;
        let mut orders = Vec::new();
        while let Some(row) = rows.next()? {
            let planned_at = moment("planned_at", row.get("planned_at")?)?;
            let mut order = read_planned(row)?.order(account, planned_at);
            order.batch = row.get("label")?;
            orders.push(order);
        }
        orders.reverse();
        Ok(orders)
    }

    /// The row of a sheet that is still to be sent under a ref, as an order.
    pub fn find_waiting(&self, account: &Account, reference: &Ref) -> Result<Option<Order>> {
        let filter = Filter {
            reference: Some(reference.clone()),
            limit: Some(1),
            ..Filter::default()
        };
        Ok(self.waiting_orders(account, &filter)?.pop())
    }
}

/// An open order, as far as a sweep must know it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenRow {
    id: i64,
    /// Where it stands.
    pub state: State,
    /// When its request left.
    pub sent_at: Timestamp,
    /// The same by the provider's clock, as far as it was known.
    pub their_at: Option<Timestamp>,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

impl OpenRow {
    /// Before all of them.
    pub const START: Self = Self {
        id: 0,
        state: State::Sending,
        sent_at: Timestamp::UNIX_EPOCH,
        their_at: None,
        updated_at: Timestamp::UNIX_EPOCH,
    };
}

impl PlannedRow {
    /// The row as an order that nothing has been sent of.
    pub(super) fn order(self, account: &Account, at: Timestamp) -> Order {
        Order {
            account: account.clone(),
            intent: self.intent,
            operator: self.operator,
            state: State::Planned,
            revision: 0,
            provider_status: None,
            topup_id: None,
            provider_ref: None,
            cost: self.cost,
            batch: None,
            row: Some(self.row),
            attempts: 0,
            created_at: at,
            updated_at: at,
            sent_at: None,
            message: None,
            offers: Vec::new(),
            request_id: None,
            settled_by: None,
            note: self.note,
            owner: None,
        }
    }

    /// Dinars of face value.
    pub fn amount(&self) -> Amount {
        self.intent.amount
    }
}

pub(super) fn find_batch(connection: &Connection, account: &Account, label: &Label) -> Result<Option<Batch>> {
    let mut statement = connection.prepare_cached(
        "SELECT id, label, sheet_id, created_at, retried FROM batches \
         WHERE account = :account AND environment = :environment AND label = :label",
    )?;
    let environment = account.environment.word();
    let mut rows = statement.query(named_params! {
        ":account": account.username, ":environment": environment, ":label": label.as_str(),
    })?;
    rows.next()?.map(|row| read_batch(connection, row)).transpose()
}

fn read_batch(connection: &Connection, row: &Row<'_>) -> Result<Batch> {
    let sheet_id: Option<i64> = row.get("sheet_id")?;
    Ok(Batch {
        id: row.get("id")?,
        label: required(row, "label", |text| text.parse().ok())?,
        created_at: moment("created_at", row.get("created_at")?)?,
        retried: row.get("retried")?,
        sheet: sheet_id.map(|id| read_sheet(connection, id)).transpose()?,
    })
}

fn read_sheet(connection: &Connection, id: i64) -> Result<Sheet> {
    let mut statement = connection.prepare_cached(
        "SELECT id, file, header, digest, rows, face, is_whole, planned_at, results FROM sheets WHERE id = ?1",
    )?;
    let mut rows = statement.query([id])?;
    let row = rows.next()?.ok_or(rusqlite::Error::QueryReturnedNoRows)?;
    Ok(Sheet {
        id: row.get("id")?,
        file: row.get("file")?,
        header: required(row, "header", |text| serde_json::from_str(text).ok())?,
        digest: row.get("digest")?,
        rows: row.get("rows")?,
        face: count(row.get("face")?),
        results: row.get("results")?,
        is_whole: row.get("is_whole")?,
        planned_at: moment("planned_at", row.get("planned_at")?)?,
    })
}

fn waiting(connection: &Connection, sheet: i64) -> Result<u64> {
    let waiting: i64 = connection
        .prepare_cached(
            "SELECT (SELECT count(*) FROM sheet_rows WHERE sheet_id = ?1 AND order_id IS NULL \
             AND row > (SELECT next_row FROM sheets WHERE id = ?1)) \
             + (SELECT count(*) FROM sheet_rows WHERE sheet_id = ?1 AND is_held = 1)",
        )?
        .query_row([sheet], |row| row.get(0))?;
    Ok(count(waiting))
}

/// A count or a sum of amounts; neither is ever negative.
fn count(number: i64) -> u64 {
    u64::try_from(number).unwrap_or_default()
}

fn account_of(connection: &Connection, batch: i64) -> Result<(String, String)> {
    let account = connection
        .prepare_cached("SELECT account, environment FROM batches WHERE id = ?1")?
        .query_row([batch], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(account)
}

/// A row that would be sent, as far as a preview must know it.
#[derive(Debug, Clone, Copy)]
pub struct ToSend<'a> {
    /// The line of the sheet.
    pub row: u32,
    /// Whose credit it is.
    pub operator: &'a str,
    /// The plan's code.
    pub plan: &'a str,
    /// Dinars of face value.
    pub amount: u32,
    /// What it is expected to cost.
    pub cost: Option<Money>,
}

/// Walks the rows of `row, operator, plan, amount, cost`.
pub(super) fn walk_to_send(
    statement: &mut Statement<'_>,
    parameters: &[&dyn ToSql],
    each: &mut dyn FnMut(&ToSend<'_>) -> Result<()>,
) -> Result<()> {
    let text = |column, value: rusqlite::types::ValueRef<'_>| {
        LedgerError::Unreadable(format!("`{value:?}` as {column}"))
    };
    let mut rows = statement.query(parameters)?;
    while let Some(row) = rows.next()? {
        let (operator, plan) = (row.get_ref(1)?, row.get_ref(2)?);
        each(&ToSend {
            row: row.get::<_, Option<u32>>(0)?.unwrap_or_default(),
            operator: operator.as_str().map_err(|_| text("operator", operator))?,
            plan: plan.as_str().map_err(|_| text("plan", plan))?,
            amount: row.get(3)?,
            cost: row
                .get_ref(4)?
                .as_str_or_null()
                .ok()
                .flatten()
                .and_then(|cost| cost.parse().ok()),
        })?;
    }
    Ok(())
}

/// Makes the batch where there is none.
pub(super) fn ensure_batch(
    connection: &Connection,
    account: &Account,
    label: &Label,
    at: Timestamp,
) -> Result<i64> {
    let environment = account.environment.word();
    connection.execute(
        "INSERT INTO batches (account, environment, label, created_at) VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING",
        (&account.username, environment, label.as_str(), millis(at)),
    )?;
    let id = connection.query_row(
        "SELECT id FROM batches WHERE account = ?1 AND environment = ?2 AND label = ?3",
        (&account.username, environment, label.as_str()),
        |row| row.get(0),
    )?;
    Ok(id)
}

#[cfg(test)]
#[path = "index_tests.rs"]
mod tests;
