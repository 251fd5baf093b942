//! A reading held against the ledger, by SQL. What belongs together is worked out in temporary tables of a connection
//! of its own: nothing is locked meanwhile, and memory does not grow with the range.

use std::collections::BTreeMap;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, named_params, params};

use super::compared::{
    Compared, EntrySum, MatchedBy, Moved, SeenEntry, Sum, direction, read_entry, read_moved, read_theirs,
};
use super::pairing::{Charge, Owed, pair};
use super::rows::{self, ORDER_COLUMNS, millis, optional, read_order};
use super::{Ledger, Reading, Result, schema};
use crate::domain::{Money, Order, State};

/// How far back orders are looked for that the provider shows under an id alone.
const DAYS_BACK: i64 = 3 * 24 * 3_600_000;

/// A reading beside the ledger.
#[derive(Debug)]
pub struct Comparison {
    connection: Connection,
    reading: Reading,
    has_entries: bool,
    matched_by: MatchedBy,
}

impl Ledger {
    /// Holds a reading against the ledger. `has_entries`: whether the account's lines could be read.
    pub fn compare(&self, reading: &Reading, has_entries: bool) -> Result<Comparison> {
        let connection = schema::connect(&self.path)?;
        connection.execute_batch(include_str!("comparison.sql"))?;
        let mut comparison = Comparison {
            connection,
            reading: reading.clone(),
            has_entries,
            matched_by: MatchedBy::Id,
        };
        comparison.pair_orders()?;
        comparison.matched_by = comparison.link_entries()?;
        comparison.add_up()?;
        Ok(comparison)
    }

    /// Orders of a range that may have been made although no answer says so.
    pub fn lost_between(&self, reading: &Reading, limit: u32) -> Result<Vec<Order>> {
        let (username, environment) = (&reading.account.username, reading.account.environment.word());
        rows::orders(
            &self.reader(),
            "WHERE account = :account AND environment = :environment AND sent_at >= :since AND sent_at < :until \
             AND state IN ('sending', 'unknown') ORDER BY sent_at, id LIMIT :limit",
            named_params! {
                ":account": username, ":environment": environment,
                ":since": millis(reading.range.0), ":until": millis(reading.range.1), ":limit": limit,
            },
        )
    }
}

impl Comparison {
    /// How the lines of the account were assigned to orders.
    pub fn matched_by(&self) -> MatchedBy {
        self.matched_by
    }

    fn pair_orders(&self) -> Result<()> {
        let account = &self.reading.account;
        let environment = account.environment.word();
        for column in ["short_ref", "ref"] {
            let query = format!(
                "INSERT OR IGNORE INTO pairs SELECT s.id, o.id FROM seen_orders AS s CROSS JOIN orders AS o \
                 ON o.account = ?2 AND o.environment = ?3 AND o.ref = s.{column} \
                 WHERE s.reading_id = ?1 AND (o.topup_id IS NULL OR s.topup_id IS NULL OR o.topup_id = s.topup_id) \
                 ORDER BY o.topup_id IS s.topup_id DESC, s.created_at, s.id"
            );
            self.connection
                .execute(&query, (self.reading.id, &account.username, environment))?;
        }
        if self.is_any("SELECT 1 FROM seen_orders WHERE reading_id = ?1 AND topup_id IS NOT NULL AND id NOT IN (SELECT seen FROM pairs)")? {
            self.connection.execute(
                "INSERT OR IGNORE INTO pairs SELECT s.id, o.id FROM orders AS o INDEXED BY orders_by_sending \
                 CROSS JOIN seen_orders AS s ON s.reading_id = ?1 AND s.topup_id = o.topup_id \
                 WHERE o.account = ?2 AND o.environment = ?3 AND o.sent_at >= ?4 AND o.topup_id IS NOT NULL",
                (
                    self.reading.id,
                    &account.username,
                    environment,
                    millis(self.reading.range.0).saturating_sub(DAYS_BACK),
                ),
            )?;
        }
        Ok(())
    }

    fn is_any(&self, query: &str) -> Result<bool> {
        let found: Option<i64> = self
            .connection
            .query_row(query, [self.reading.id], |row| row.get(0))
            .optional()?;
        Ok(found.is_some())
    }

    /// Assigns the lines of the account to orders: by the provider's id, else by ref, else by amount and time.
    fn link_entries(&self) -> Result<MatchedBy> {
        const UNLINKED: &str = "SELECT 1 FROM seen_entries WHERE reading_id = ?1 AND kind <> 'other' \
                                AND id NOT IN (SELECT entry FROM links)";
        const NAMED: &str = "SELECT 1 FROM links";
        let id = self.reading.id;
        self.connection.execute(
            "INSERT OR IGNORE INTO links SELECT e.id, s.id, NULL FROM seen_entries AS e CROSS JOIN seen_orders AS s \
             ON s.reading_id = ?1 AND s.topup_id = e.subject WHERE e.reading_id = ?1 AND e.kind <> 'other'",
            [id],
        )?;
        let by_id = self
            .connection
            .query_row(NAMED, [], |_| Ok(()))
            .optional()?
            .is_some();
        if !self.is_any(UNLINKED)? {
            return Ok(MatchedBy::Id);
        }
        self.link_to_ours()?;
        for column in ["ref", "short_ref"] {
            let query = format!(
                "INSERT OR IGNORE INTO links SELECT e.entry, s.id, NULL FROM seen_orders AS s CROSS JOIN strays AS e \
                 ON e.subject = s.{column} WHERE s.reading_id = ?1"
            );
            self.connection.execute("DELETE FROM strays", [])?;
            self.connection.execute(
                "INSERT INTO strays SELECT id, subject FROM seen_entries WHERE reading_id = ?1 AND kind <> 'other' \
                 AND subject IS NOT NULL AND id NOT IN (SELECT entry FROM links)",
                [id],
            )?;
            self.connection.execute(&query, [id])?;
        }
        let named = self
            .connection
            .query_row(NAMED, [], |_| Ok(()))
            .optional()?
            .is_some();
        let by_amount = self.link_by_amount(!named)?;
        Ok(match (by_id, named, by_amount) {
            (true, _, _) | (false, false, 0) => MatchedBy::Id,
            (false, true, _) => MatchedBy::Reference,
            (false, false, _) => MatchedBy::AmountAndTime,
        })
    }

    /// Lines about orders of ours that no list shows.
    fn link_to_ours(&self) -> Result<()> {
        let account = &self.reading.account;
        self.connection.execute(
            "INSERT INTO strays SELECT id, subject FROM seen_entries WHERE reading_id = ?1 AND kind <> 'other' \
             AND subject IS NOT NULL AND id NOT IN (SELECT entry FROM links)",
            [self.reading.id],
        )?;
        self.connection.execute(
            "INSERT OR IGNORE INTO links SELECT e.entry, NULL, o.id FROM orders AS o CROSS JOIN strays AS e \
             ON e.subject = o.topup_id WHERE o.account = ?1 AND o.environment = ?2 AND o.topup_id IS NOT NULL",
            (&account.username, account.environment.word()),
        )?;
        Ok(())
    }

    /// Lines that name no order: all of them where no line names one that is known, else those without a name.
    fn link_by_amount(&self, all: bool) -> Result<usize> {
        let mut owed = self.connection.prepare(
            "SELECT id, nullif(cost, 0), created_at, status = 'REFUNDED' FROM seen_orders WHERE reading_id = ?1 \
             AND created_at IS NOT NULL AND id NOT IN (SELECT seen FROM links WHERE seen IS NOT NULL) ORDER BY created_at, id",
        )?;
        let owed = owed
            .query_map([self.reading.id], |row| {
                Ok(Owed {
                    order: row.get(0)?,
                    cost: row.get(1)?,
                    at: row.get(2)?,
                    is_refunded: row.get(3)?,
                })
            })?
            .collect::<rusqlite::Result<Vec<_>>>()?;
        let mut charges = self.connection.prepare(
            "SELECT id, amount, at FROM seen_entries WHERE reading_id = ?1 AND kind = ?2 AND at IS NOT NULL \
             AND (?3 OR subject IS NULL) AND id NOT IN (SELECT entry FROM links) ORDER BY at, id",
        )?;
        let mut of_kind = |kind: &str| {
            charges
                .query_map(params![self.reading.id, kind, all], |row| {
                    Ok(Charge {
                        entry: row.get(0)?,
                        amount: row.get(1)?,
                        at: row.get(2)?,
                    })
                })?
                .collect::<rusqlite::Result<Vec<_>>>()
        };
        let (debits, refunds) = (of_kind("debit")?, of_kind("refund")?);
        let pairs = pair(&owed, &debits, &refunds);
        let mut link = self
            .connection
            .prepare("INSERT OR IGNORE INTO links VALUES (?1, ?2, NULL)")?;
        for (entry, order) in &pairs {
            link.execute((entry, order))?;
        }
        Ok(pairs.len())
    }

    /// What the account shows of each order.
    fn add_up(&self) -> Result<()> {
        for (table, column) in [("moved", "seen"), ("moved_ours", "ours")] {
            self.connection.execute(
                &format!(
                    "INSERT INTO {table} SELECT l.{column}, sum(e.kind = 'debit'), sum(e.kind = 'refund'), \
                     sum(iif(e.kind = 'debit', e.amount, 0)), sum(iif(e.kind = 'refund', e.amount, 0)) \
                     FROM links AS l JOIN seen_entries AS e ON e.id = l.entry WHERE l.{column} IS NOT NULL GROUP BY l.{column}"
                ),
                [],
            )?;
        }
        Ok(())
    }

    /// Walks the orders of the range that do not plainly agree, oldest first.
    pub fn each_suspect(&self, each: &mut dyn FnMut(Compared) -> Result<()>) -> Result<()> {
        let mut statement = self.connection.prepare(include_str!("suspects.sql"))?;
        let reading = &self.reading;
        let environment = reading.account.environment.word();
        let mut rows = statement.query(named_params! {
            ":reading": reading.id, ":account": reading.account.username, ":environment": environment,
            ":from": millis(reading.theirs.0), ":to": millis(reading.theirs.1),
            ":since": millis(reading.range.0), ":until": millis(reading.range.1), ":has_entries": self.has_entries,
        })?;
        while let Some(row) = rows.next()? {
            each(self.compared(row)?)?;
        }
        Ok(())
    }

    fn compared(&self, row: &Row<'_>) -> Result<Compared> {
        let ours: Option<i64> = row.get("ours")?;
        let before = optional(row, "from_state", |word| word.parse::<State>().ok())?;
        let cost = optional(row, "expected", |text| text.parse::<Money>().ok())?;
        Ok(Compared {
            theirs: read_theirs(row)?,
            ours: ours.map(|id| self.order(id)).transpose()?.flatten(),
            before: before.map(|state| (state, cost)),
            moved: read_moved(row)?,
            is_listed: row.get("is_listed")?,
            is_twin: row.get("is_twin")?,
        })
    }

    fn order(&self, id: i64) -> Result<Option<Order>> {
        Ok(rows::orders(&self.connection, "WHERE id = :id", named_params! {":id": id})?.pop())
    }

    /// Orders of ours in the range that the provider's list does not show although it has accepted them, with what
    /// the account shows of them.
    pub fn missing(&self) -> Result<Vec<(Order, Moved)>> {
        let reading = &self.reading;
        let environment = reading.account.environment.word();
        let query = format!(
            "SELECT {ORDER_COLUMNS}, coalesce(debits, 0) AS debits, coalesce(refunds, 0) AS refunds, \
             coalesce(debited, 0) AS debited, coalesce(refunded, 0) AS refunded \
             FROM orders INDEXED BY orders_by_sending LEFT JOIN moved_ours ON moved_ours.ours = orders.id \
             WHERE account = :account AND environment = :environment AND sent_at >= :since AND sent_at < :until \
             AND state IN ('accepted', 'in_review', 'fulfilled', 'refunded') AND settled_by IS NOT 'operator' \
             AND NOT EXISTS (SELECT 1 FROM pairs WHERE pairs.ours = orders.id) ORDER BY sent_at, id"
        );
        let mut statement = self.connection.prepare(&query)?;
        let mut rows = statement.query(named_params! {
            ":account": reading.account.username, ":environment": environment,
            ":since": millis(reading.range.0), ":until": millis(reading.range.1),
        })?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            found.push((read_order(row)?, read_moved(row)?));
        }
        Ok(found)
    }

    /// Orders that this reading has found to be known to nobody, with where they stood before.
    pub fn proved_absent(&self) -> Result<Vec<(State, Order)>> {
        let reading = &self.reading;
        let environment = reading.account.environment.word();
        let query = format!(
            "SELECT {ORDER_COLUMNS}, from_state FROM orders JOIN (SELECT ref AS moved_ref, from_state FROM reading_moves \
             WHERE reading_id = :reading) ON ref = moved_ref WHERE account = :account AND environment = :environment \
             AND state IN ('planned', 'cancelled') AND NOT EXISTS (SELECT 1 FROM pairs WHERE pairs.ours = orders.id) \
             ORDER BY sent_at, id"
        );
        let mut statement = self.connection.prepare(&query)?;
        let mut rows = statement.query(named_params! {
            ":account": reading.account.username, ":environment": environment, ":reading": reading.id,
        })?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            if let Some(from) = optional(row, "from_state", |word| word.parse::<State>().ok())? {
                found.push((from, read_order(row)?));
            }
        }
        Ok(found)
    }

    /// Lines of the range about top-ups that neither side knows.
    pub fn orphans(&self) -> Result<Vec<SeenEntry>> {
        let mut statement = self.connection.prepare(
            "SELECT * FROM seen_entries WHERE reading_id = ?1 AND kind <> 'other' AND (at IS NULL OR (at >= ?2 AND at < ?3)) \
             AND id NOT IN (SELECT entry FROM links) ORDER BY at, id",
        )?;
        let (from, to) = self.reading.theirs;
        let mut rows = statement.query((self.reading.id, millis(from), millis(to)))?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            found.push(read_entry(row)?);
        }
        Ok(found)
    }

    /// The first debit of an amount, but for rounding, between two moments that belongs to no order.
    pub fn unexplained_debit(
        &self,
        amount: Money,
        between: (Timestamp, Timestamp),
    ) -> Result<Option<SeenEntry>> {
        let mut statement = self.connection.prepare_cached(
            "SELECT * FROM seen_entries WHERE reading_id = ?1 AND kind = 'debit' AND abs(amount - ?2) <= 5000 \
             AND at >= ?3 AND at <= ?4 AND id NOT IN (SELECT entry FROM links) ORDER BY at, id LIMIT 1",
        )?;
        let (from, to) = (millis(between.0), millis(between.1));
        let mut rows = statement.query((self.reading.id, amount.micros(), from, to))?;
        rows.next()?.map(read_entry).transpose()
    }

    /// Walks all lines of the account in the order of time; lines of one moment as the list has them.
    pub fn each_entry(&self, each: &mut dyn FnMut(SeenEntry) -> Result<()>) -> Result<()> {
        let edge = |order: &str| -> Result<Option<i64>> {
            let query = format!(
                "SELECT at FROM seen_entries WHERE reading_id = ?1 AND at IS NOT NULL ORDER BY stretch {order}, place {order} LIMIT 1"
            );
            let at = self
                .connection
                .query_row(&query, [self.reading.id], |row| row.get(0));
            Ok(at.optional()?)
        };
        let is_newest_first = edge("ASC")? > edge("DESC")?;
        let order = if is_newest_first { "DESC" } else { "ASC" };
        let query = format!(
            "SELECT * FROM seen_entries WHERE reading_id = ?1 AND at IS NOT NULL ORDER BY at, place {order}"
        );
        let mut statement = self.connection.prepare(&query)?;
        let mut rows = statement.query([self.reading.id])?;
        while let Some(row) = rows.next()? {
            each(read_entry(row)?)?;
        }
        Ok(())
    }

    /// The provider's orders of the range by status.
    pub fn their_sums(&self) -> Result<BTreeMap<String, Sum>> {
        let mut statement = self.connection.prepare(
            "SELECT status, count(*), coalesce(sum(amount), 0), coalesce(sum(cost), 0) FROM seen_orders \
             WHERE reading_id = ?1 AND (created_at IS NULL OR (created_at >= ?2 AND created_at < ?3)) GROUP BY status",
        )?;
        let (from, to) = self.reading.theirs;
        let sums = statement.query_map((self.reading.id, millis(from), millis(to)), |row| {
            let sum = Sum {
                count: row.get::<_, u32>(1)?.into(),
                face: Money::from_micros(row.get(2)?),
                cost: Money::from_micros(row.get(3)?),
            };
            Ok((row.get(0)?, sum))
        })?;
        Ok(sums.collect::<rusqlite::Result<_>>()?)
    }

    /// Our orders of the range by state.
    pub fn our_sums(&self) -> Result<BTreeMap<State, Sum>> {
        let reading = &self.reading;
        let mut statement = self.connection.prepare(
            "SELECT state, amount, cost FROM orders INDEXED BY orders_by_sending WHERE account = ?1 AND environment = ?2 \
             AND sent_at >= ?3 AND sent_at < ?4",
        )?;
        let mut rows = statement.query((
            &reading.account.username,
            reading.account.environment.word(),
            millis(reading.range.0),
            millis(reading.range.1),
        ))?;
        let mut sums: BTreeMap<State, Sum> = BTreeMap::new();
        while let Some(row) = rows.next()? {
            let Some(state) = optional(row, "state", |word| word.parse::<State>().ok())? else {
                continue;
            };
            let sum = sums.entry(state).or_default();
            sum.count += 1;
            sum.face = sum.face + Money::from_dinars(row.get::<_, u32>("amount")?.into());
            sum.cost = sum.cost + optional(row, "cost", |text| text.parse().ok())?.unwrap_or(Money::ZERO);
        }
        Ok(sums)
    }

    /// The lines of the range by type.
    pub fn entry_sums(&self) -> Result<Vec<EntrySum>> {
        let mut statement = self.connection.prepare(
            "SELECT word, sign, count(*), sum(amount) FROM seen_entries WHERE reading_id = ?1 \
             AND (at IS NULL OR (at >= ?2 AND at < ?3)) GROUP BY word, sign ORDER BY sign DESC, word",
        )?;
        let (from, to) = self.reading.theirs;
        let sums = statement.query_map((self.reading.id, millis(from), millis(to)), |row| {
            Ok(EntrySum {
                word: row.get(0)?,
                direction: direction(row.get(1)?),
                count: row.get::<_, u32>(2)?.into(),
                amount: Money::from_micros(row.get(3)?),
            })
        })?;
        Ok(sums.collect::<rusqlite::Result<_>>()?)
    }

    /// Whether an order was refunded, or paid for, without a line of the account that says so.
    pub fn awaits_entries(&self) -> Result<bool> {
        let (from, to) = self.reading.theirs;
        let found: Option<i64> = self
            .connection
            .query_row(
                "SELECT 1 FROM seen_orders AS s LEFT JOIN moved AS m ON m.seen = s.id WHERE s.reading_id = ?1 \
                 AND s.created_at >= ?2 AND s.created_at < ?3 \
                 AND ((s.status = 'REFUNDED' AND coalesce(m.debits, 0) > coalesce(m.refunds, 0)) \
                 OR (s.status = 'FULFILLED' AND s.cost > 0 AND coalesce(m.debits, 0) = 0)) LIMIT 1",
                (self.reading.id, millis(from), millis(to)),
                |row| row.get(0),
            )
            .optional()?;
        Ok(found.is_some())
    }
}
