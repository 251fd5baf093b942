//! Readings of the provider's lists: stored page by page with how far they got.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, named_params, params};

use super::rows::{millis, moment, required};
use super::seen_rows::{Counted, Names, count_rows, drop_repeats, drop_same_ids, insert_order, insert_rows};
use super::{Ledger, LedgerError, Result};
use crate::domain::{Account, Entry, Order, Seen, State};

/// How often a list that changes while it is read is read anew.
const PASSES_MAX: u32 = 3;
/// Rows that are deleted in one transaction: others write in between.
const CHUNK: u32 = 5_000;

/// Which list is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listing {
    /// The orders.
    Orders,
    /// The lines of the account.
    Entries,
}

impl Listing {
    fn word(self) -> &'static str {
        match self {
            Self::Orders => "orders",
            Self::Entries => "entries",
        }
    }

    /// Where its rows are kept.
    pub(super) fn table(self) -> &'static str {
        match self {
            Self::Orders => "seen_orders",
            Self::Entries => "seen_entries",
        }
    }
}

/// A range of the provider's lists, read for one comparison.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// Its key in the ledger.
    pub id: i64,
    /// Whose lists they are.
    pub account: Account,
    /// The range by our clock: from then on, and before then.
    pub range: (Timestamp, Timestamp),
    /// The same by the provider's clock, up to the moment when the reading began.
    pub theirs: (Timestamp, Timestamp),
    /// When it began.
    pub begun_at: Timestamp,
}

/// How a stretch ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StretchEnd {
    /// All of it has been seen.
    Whole,
    /// It changed each time that it was read, or shows another number of rows than it says.
    Unstable,
    /// The provider has no such list.
    Missing,
}

impl StretchEnd {
    fn word(self) -> &'static str {
        match self {
            Self::Whole => "whole",
            Self::Unstable => "unstable",
            Self::Missing => "missing",
        }
    }

    fn named(word: &str) -> Option<Self> {
        [Self::Whole, Self::Unstable, Self::Missing]
            .into_iter()
            .find(|end| end.word() == word)
    }
}

/// A part of a list that is read page by page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stretch {
    /// Of which reading.
    pub reading: i64,
    /// Of which list.
    pub listing: Listing,
    /// Which part.
    pub number: u32,
    /// Between which moments of the provider's clock.
    pub between: (Timestamp, Timestamp),
    /// How often it has been begun.
    pub pass: u32,
    /// The page that comes next.
    pub next_page: u32,
    /// How many rows the list says that it has.
    pub total: Option<u64>,
    /// Whether it said something else meanwhile.
    pub has_moved: bool,
    /// Rows that could not be read.
    pub unreadable: u64,
    /// How it ended, once it has.
    pub end: Option<StretchEnd>,
}

/// What a page shows.
#[derive(Debug, Clone)]
pub enum PageRows {
    /// Orders.
    Orders(Vec<Seen>),
    /// Lines of the account.
    Entries(Vec<Entry>),
}

/// A page, to be stored.
#[derive(Debug, Clone)]
pub struct StoredPage {
    /// What could be read of it.
    pub rows: PageRows,
    /// How many rows it has beside those.
    pub unreadable: u64,
    /// How many rows the list says that it has.
    pub total: Option<u64>,
    /// Whether there is none behind it.
    pub is_last: bool,
}

/// What is known about something that was asked about by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AnswerKind {
    /// It is there.
    Found,
    /// The provider says that it is not.
    Absent,
    /// Nobody can tell.
    Unclear,
}

impl AnswerKind {
    fn word(self) -> &'static str {
        match self {
            Self::Found => "found",
            Self::Absent => "absent",
            Self::Unclear => "unclear",
        }
    }

    fn named(word: &str) -> Option<Self> {
        [Self::Found, Self::Absent, Self::Unclear]
            .into_iter()
            .find(|answer| answer.word() == word)
    }
}

impl Ledger {
    /// The reading of a range that was begun and not closed, if it has been worked on since `fresh_since`.
    pub fn open_reading(
        &self,
        account: &Account,
        asked: &str,
        fresh_since: Timestamp,
    ) -> Result<Option<Reading>> {
        let reader = self.reader();
        let mut statement = reader.prepare_cached(
            "SELECT * FROM readings WHERE account = :account AND environment = :environment AND asked = :asked \
             AND touched_at >= :fresh ORDER BY id DESC LIMIT 1",
        )?;
        let environment = account.environment.word();
        let mut rows = statement.query(named_params! {
            ":account": account.username, ":environment": environment, ":asked": asked, ":fresh": millis(fresh_since),
        })?;
        rows.next()?.map(|row| read_reading(row, account)).transpose()
    }

    /// Begins a reading.
    pub async fn begin_reading(
        &self,
        account: &Account,
        asked: &str,
        range: (Timestamp, Timestamp),
        theirs: (Timestamp, Timestamp),
        at: Timestamp,
    ) -> Result<Reading> {
        let (owner, asked) = (account.clone(), asked.to_owned());
        let id = self
            .writer
            .write(move |connection| {
                connection.execute(
                    "INSERT INTO readings (account, environment, asked, since, until, their_since, their_until, \
                     begun_at, touched_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?8)",
                    params![
                        owner.username,
                        owner.environment.word(),
                        asked,
                        millis(range.0),
                        millis(range.1),
                        millis(theirs.0),
                        millis(theirs.1),
                        millis(at)
                    ],
                )?;
                Ok(connection.last_insert_rowid())
            })
            .await?;
        Ok(Reading {
            id,
            account: account.clone(),
            range,
            theirs,
            begun_at: at,
        })
    }

    /// Drops what readings of an account have stored, but for one of them.
    pub async fn drop_readings(&self, account: &Account, but: Option<i64>) -> Result<()> {
        let ids = self.other_readings(account, but)?;
        for id in ids {
            for table in ["seen_orders", "seen_entries"] {
                while self.drop_chunk(table, id).await? > 0 {}
            }
            self.writer
                .write(move |connection| {
                    for table in ["reading_moves", "reading_answers", "stretches"] {
                        connection.execute(&format!("DELETE FROM {table} WHERE reading_id = ?1"), [id])?;
                    }
                    connection.execute("DELETE FROM readings WHERE id = ?1", [id])?;
                    Ok(())
                })
                .await?;
        }
        Ok(())
    }

    fn other_readings(&self, account: &Account, but: Option<i64>) -> Result<Vec<i64>> {
        let reader = self.reader();
        let mut statement = reader.prepare_cached(
            "SELECT id FROM readings WHERE account = ?1 AND environment = ?2 AND id IS NOT ?3",
        )?;
        let ids = statement.query_map((&account.username, account.environment.word(), but), |row| {
            row.get(0)
        })?;
        Ok(ids.collect::<rusqlite::Result<_>>()?)
    }

    async fn drop_chunk(&self, table: &'static str, id: i64) -> Result<usize> {
        self.writer
            .write(move |connection| {
                let query = format!(
                    "DELETE FROM {table} WHERE id IN (SELECT id FROM {table} WHERE reading_id = ?1 LIMIT {CHUNK})"
                );
                Ok(connection.execute(&query, [id])?)
            })
            .await
    }

    /// The parts of a list that a reading has begun.
    pub fn stretches(&self, reading: &Reading, listing: Listing) -> Result<Vec<Stretch>> {
        let reader = self.reader();
        let mut statement = reader
            .prepare_cached("SELECT * FROM stretches WHERE reading_id = ?1 AND list = ?2 ORDER BY number")?;
        let mut rows = statement.query((reading.id, listing.word()))?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            found.push(read_stretch(row, listing)?);
        }
        Ok(found)
    }

    /// Begins a part of a list.
    pub async fn begin_stretch(
        &self,
        reading: &Reading,
        listing: Listing,
        number: u32,
        between: (Timestamp, Timestamp),
    ) -> Result<Stretch> {
        let id = reading.id;
        self.writer
            .write(move |connection| {
                connection.execute(
                    "INSERT INTO stretches (reading_id, list, number, begins, ends) VALUES (?1, ?2, ?3, ?4, ?5)",
                    (id, listing.word(), number, millis(between.0), millis(between.1)),
                )?;
                Ok(())
            })
            .await?;
        Ok(Stretch {
            reading: id,
            listing,
            number,
            between,
            pass: 1,
            next_page: 1,
            total: None,
            has_moved: false,
            unreadable: 0,
            end: None,
        })
    }

    /// Stores the page that a stretch waits for, with where the stretch stands behind it, in one commit. Whoever reads
    /// holds the lock of [`Ledger::lock_reading`].
    pub async fn store_page(
        &self,
        stretch: Stretch,
        page: StoredPage,
        account: &Account,
        at: Timestamp,
    ) -> Result<Stretch> {
        let prefix = format!("API-{}-", account.username);
        self.writer
            .write(move |connection| {
                insert_rows(connection, &stretch, &page.rows, &prefix)?;
                // Counting takes as long as there are rows: once a pass.
                let rows = if page.is_last {
                    count_rows(connection, &stretch)?
                } else {
                    Counted::default()
                };
                let after = stretch.behind(&page, rows);
                if after.pass != stretch.pass || after.end == Some(StretchEnd::Unstable) {
                    drop_repeats(connection, &stretch)?;
                }
                if after.end.is_some() {
                    drop_same_ids(connection, &stretch)?;
                }
                step(connection, &stretch, &after, at)?;
                Ok(after)
            })
            .await
    }

    /// The provider has no such list.
    pub async fn end_stretch(&self, stretch: Stretch, end: StretchEnd, at: Timestamp) -> Result<Stretch> {
        self.writer
            .write(move |connection| {
                let after = Stretch {
                    end: Some(end),
                    ..stretch.clone()
                };
                step(connection, &stretch, &after, at)?;
                Ok(after)
            })
            .await
    }

    /// Notes where orders stood before a reading moved them. What was noted first stays.
    pub async fn note_moves(&self, reading: &Reading, moves: Vec<(State, Order)>) -> Result<()> {
        if moves.is_empty() {
            return Ok(());
        }
        let id = reading.id;
        self.writer
            .write(move |connection| {
                for (from, order) in &moves {
                    connection
                        .prepare_cached("INSERT OR IGNORE INTO reading_moves VALUES (?1, ?2, ?3, ?4)")?
                        .execute((
                            id,
                            order.intent.reference.as_str(),
                            from.word(),
                            order.cost.map(|cost| cost.to_string()),
                        ))?;
                }
                Ok(())
            })
            .await
    }

    /// What is known about something that this reading has asked about by itself.
    pub fn reading_answer(&self, reading: &Reading, subject: &str) -> Result<Option<AnswerKind>> {
        let word: Option<String> = self
            .reader()
            .prepare_cached("SELECT answer FROM reading_answers WHERE reading_id = ?1 AND subject = ?2")?
            .query_row((reading.id, subject), |row| row.get(0))
            .optional()?;
        Ok(word.and_then(|word| AnswerKind::named(&word)))
    }

    /// Stores what was answered to a question about one thing, with the order where it was found.
    pub async fn store_answer(
        &self,
        reading: &Reading,
        subject: &str,
        answer: AnswerKind,
        seen: Option<Seen>,
    ) -> Result<()> {
        let (id, subject) = (reading.id, subject.to_owned());
        let prefix = format!("API-{}-", reading.account.username);
        self.writer
            .write(move |connection| {
                connection.execute(
                    "INSERT OR REPLACE INTO reading_answers VALUES (?1, ?2, ?3)",
                    (id, &subject, answer.word()),
                )?;
                let Some(seen) = seen else { return Ok(()) };
                let mut names = Names::default();
                insert_order(connection, (id, 0, 0), &seen, &names.of_order(&seen), &prefix)
            })
            .await
    }
}

impl Stretch {
    /// Where it stands behind a page; behind the last one, when so many rows of this pass are stored.
    fn behind(&self, page: &StoredPage, rows: Counted) -> Self {
        let mut after = self.clone();
        after.unreadable += page.unreadable;
        after.has_moved |= matches!((self.total, page.total), (Some(a), Some(b)) if a != b);
        after.total = page.total.or(self.total);
        if !page.is_last {
            after.next_page += 1;
            return after;
        }
        let is_whole = after.total.is_none_or(|total| {
            let readable = total.saturating_sub(after.unreadable);
            total >= after.unreadable && (readable == rows.shown || readable == rows.single)
        });
        if is_whole && !after.has_moved {
            after.end = Some(StretchEnd::Whole);
        } else if self.pass >= PASSES_MAX {
            after.end = Some(StretchEnd::Unstable);
        } else {
            after.pass += 1;
            after.next_page = 1;
            after.total = None;
            after.has_moved = false;
            after.unreadable = 0;
        }
        after
    }
}

/// Writes where a stretch stands, if it still stands where it was read.
fn step(connection: &Connection, read: &Stretch, after: &Stretch, at: Timestamp) -> Result<()> {
    let changed = connection
        .prepare_cached(
            "UPDATE stretches SET pass = ?1, next_page = ?2, total = ?3, has_moved = ?4, unreadable = ?5, ended = ?6 \
             WHERE reading_id = ?7 AND list = ?8 AND number = ?9 AND pass = ?10 AND next_page = ?11 AND ended IS NULL",
        )?
        .execute(params![
            after.pass,
            after.next_page,
            after.total.map(signed),
            after.has_moved,
            signed(after.unreadable),
            after.end.map(StretchEnd::word),
            read.reading,
            read.listing.word(),
            read.number,
            read.pass,
            read.next_page,
        ])?;
    if changed != 1 {
        return Err(LedgerError::Locked);
    }
    connection
        .prepare_cached("UPDATE readings SET touched_at = ?2 WHERE id = ?1")?
        .execute((read.reading, millis(at)))?;
    Ok(())
}

fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn read_reading(row: &Row<'_>, account: &Account) -> Result<Reading> {
    let at = |column: &str| moment(column, row.get(column)?);
    Ok(Reading {
        id: row.get("id")?,
        account: account.clone(),
        range: (at("since")?, at("until")?),
        theirs: (at("their_since")?, at("their_until")?),
        begun_at: at("begun_at")?,
    })
}

fn read_stretch(row: &Row<'_>, listing: Listing) -> Result<Stretch> {
    let count = |column: &str| -> Result<Option<u64>> {
        Ok(row
            .get::<_, Option<i64>>(column)?
            .and_then(|count| u64::try_from(count).ok()))
    };
    let ended: Option<String> = row.get("ended")?;
    Ok(Stretch {
        reading: row.get("reading_id")?,
        listing,
        number: row.get("number")?,
        between: (
            moment("begins", row.get("begins")?)?,
            moment("ends", row.get("ends")?)?,
        ),
        pass: row.get("pass")?,
        next_page: row.get("next_page")?,
        total: count("total")?,
        has_moved: row.get("has_moved")?,
        unreadable: count("unreadable")?.unwrap_or(0),
        end: ended
            .map(|_| required(row, "ended", StretchEnd::named))
            .transpose()?,
    })
}

#[cfg(test)]
#[path = "readings_tests.rs"]
mod tests;
