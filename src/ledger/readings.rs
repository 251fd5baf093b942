//! Readings of the provider's lists: stored page by page with how far they got.

use std::collections::HashMap;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, named_params, params};

use super::rows::{millis, moment, required};
use super::{Ledger, LedgerError, Result};
use crate::domain::{Account, Direction, Entry, EntryKind, Money, Order, Phone, Seen, State};

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
    fn table(self) -> &'static str {
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
                let rows = count_rows(connection, &stretch)?;
                let after = stretch.behind(&page, rows);
                if after.pass != stretch.pass || after.end == Some(StretchEnd::Unstable) {
                    drop_repeats(connection, &stretch)?;
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
    /// Where it stands behind a page, when so many rows of this pass are stored.
    fn behind(&self, page: &StoredPage, rows: u64) -> Self {
        let mut after = self.clone();
        after.unreadable += page.unreadable;
        after.has_moved |= matches!((self.total, page.total), (Some(a), Some(b)) if a != b);
        after.total = page.total.or(self.total);
        if !page.is_last {
            after.next_page += 1;
            return after;
        }
        let is_whole = after.total.is_none_or(|total| total == rows + after.unreadable);
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

/// A row that is seen twice in the first pass has moved from page to page. When that did not make up the count, it is
/// taken for two from the second pass on, until that turns out to be wrong.
fn is_repeat(connection: &Connection, stretch: &Stretch, name: &str) -> Result<bool> {
    if stretch.pass == 1 {
        return Ok(false);
    }
    let query = format!(
        "SELECT pass = ?3 AND stretch = ?4 FROM {} WHERE reading_id = ?1 AND key = ?2",
        stretch.listing.table()
    );
    let seen = connection
        .prepare_cached(&query)?
        .query_row((stretch.reading, name, stretch.pass, stretch.number), |row| {
            row.get(0)
        })
        .optional()?;
    Ok(seen.unwrap_or(false))
}

fn drop_repeats(connection: &Connection, stretch: &Stretch) -> Result<()> {
    let query = format!(
        "DELETE FROM {} WHERE reading_id = ?1 AND stretch = ?2 AND key GLOB '* @[0-9]*'",
        stretch.listing.table()
    );
    connection.execute(&query, (stretch.reading, stretch.number))?;
    Ok(())
}

fn count_rows(connection: &Connection, stretch: &Stretch) -> Result<u64> {
    let query = format!(
        "SELECT count(*) FROM {} WHERE reading_id = ?1 AND stretch = ?2 AND pass = ?3",
        stretch.listing.table()
    );
    let count: i64 = connection
        .prepare_cached(&query)?
        .query_row((stretch.reading, stretch.number, stretch.pass), |row| row.get(0))?;
    Ok(u64::try_from(count).unwrap_or(0))
}

fn insert_rows(connection: &Connection, stretch: &Stretch, rows: &PageRows, prefix: &str) -> Result<()> {
    let mut names = Names::default();
    let whose = (stretch.reading, stretch.number, stretch.pass);
    match rows {
        PageRows::Orders(orders) => {
            for seen in orders {
                let name = told_apart(connection, stretch, names.of_order(seen))?;
                insert_order(connection, whose, seen, &name, prefix)?;
            }
        }
        PageRows::Entries(entries) => {
            for (index, entry) in entries.iter().enumerate() {
                let place = i64::from(stretch.next_page) * 1_000 + i64::try_from(index).unwrap_or_default();
                let name = told_apart(connection, stretch, names.of_entry(entry))?;
                insert_entry(connection, whose, entry, &name, place)?;
            }
        }
    }
    Ok(())
}

fn told_apart(connection: &Connection, stretch: &Stretch, name: String) -> Result<String> {
    if is_repeat(connection, stretch, &name)? {
        Ok(format!("{name} @{}", stretch.next_page))
    } else {
        Ok(name)
    }
}

/// Names rows by what they are, so that one that has moved to another page is known again. Two that are alike on one
/// page are two.
#[derive(Default)]
struct Names(HashMap<String, u32>);

impl Names {
    fn of_order(&mut self, seen: &Seen) -> String {
        let id = seen.id.as_ref().map(|id| id.as_str().to_owned());
        self.tell_apart(id.unwrap_or_else(|| {
            format!(
                "{:?} {:?} {:?} {:?}",
                seen.reference, seen.phone, seen.amount, seen.created_at
            )
        }))
    }

    fn of_entry(&mut self, entry: &Entry) -> String {
        let id = entry.id.clone();
        self.tell_apart(id.unwrap_or_else(|| {
            format!(
                "{} {} {:?} {:?} {:?} {:?}",
                entry.word, entry.amount, entry.subject, entry.before, entry.after, entry.at
            )
        }))
    }

    fn tell_apart(&mut self, name: String) -> String {
        let count = self.0.entry(name.clone()).or_default();
        *count += 1;
        if *count == 1 {
            name
        } else {
            format!("{name} #{count}")
        }
    }
}

fn micros(money: Option<Money>) -> Option<i64> {
    money.and_then(Money::micros)
}

fn insert_order(
    connection: &Connection,
    (reading, stretch, pass): (i64, u32, u32),
    seen: &Seen,
    name: &str,
    prefix: &str,
) -> Result<()> {
    let phone = seen.phone.as_ref().map(|phone| {
        let known = phone.parse::<Phone>();
        known.map_or_else(|_| phone.clone(), |known| known.as_str().to_owned())
    });
    let short = seen
        .reference
        .as_ref()
        .map(|theirs| theirs.strip_prefix(prefix).unwrap_or(theirs));
    connection
        .prepare_cached(
            "INSERT INTO seen_orders (reading_id, key, stretch, pass, topup_id, ref, short_ref, status, plan, phone, \
             amount, cost, cost_text, created_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14) \
             ON CONFLICT (reading_id, key) DO UPDATE SET stretch = excluded.stretch, pass = excluded.pass, \
             status = excluded.status, cost = excluded.cost, cost_text = excluded.cost_text",
        )?
        .execute(params![
            reading,
            name,
            stretch,
            pass,
            seen.id.as_ref().map(crate::domain::TopupId::as_str),
            seen.reference,
            short,
            seen.status.word(),
            seen.plan,
            phone,
            micros(seen.amount),
            micros(seen.cost),
            seen.cost.map(|cost| cost.to_string()),
            seen.created_at.map(millis),
        ])?;
    Ok(())
}

fn insert_entry(
    connection: &Connection,
    (reading, stretch, pass): (i64, u32, u32),
    entry: &Entry,
    name: &str,
    place: i64,
) -> Result<()> {
    let kind = match entry.kind() {
        EntryKind::Debit => "debit",
        EntryKind::Refund => "refund",
        EntryKind::Other => "other",
    };
    let sign = match entry.direction {
        Some(Direction::In) => 1,
        Some(Direction::Out) => -1,
        None => 0,
    };
    let unreadable = || LedgerError::Unreadable(format!("`{}` as an amount of the account", entry.amount));
    connection
        .prepare_cached(
            "INSERT INTO seen_entries (reading_id, key, stretch, pass, place, word, kind, sign, amount, before, after, \
             subject, at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13) \
             ON CONFLICT (reading_id, key) DO UPDATE SET stretch = excluded.stretch, pass = excluded.pass, \
             place = excluded.place",
        )?
        .execute(params![
            reading,
            name,
            stretch,
            pass,
            place,
            entry.word,
            kind,
            sign,
            entry.amount.micros().ok_or_else(unreadable)?,
            micros(entry.before),
            micros(entry.after),
            entry.subject,
            entry.at.map(millis),
        ])?;
    Ok(())
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
mod tests {
    use super::*;

    fn stretch() -> Stretch {
        Stretch {
            reading: 1,
            listing: Listing::Orders,
            number: 1,
            between: (Timestamp::UNIX_EPOCH, Timestamp::UNIX_EPOCH),
            pass: 1,
            next_page: 1,
            total: None,
            has_moved: false,
            unreadable: 0,
            end: None,
        }
    }

    fn page(total: Option<u64>, is_last: bool) -> StoredPage {
        StoredPage {
            rows: PageRows::Orders(Vec::new()),
            unreadable: 0,
            total,
            is_last,
        }
    }

    #[test]
    fn a_list_that_stands_still_is_read_once() {
        let second = stretch().behind(&page(Some(150), false), 100);
        assert_eq!((second.next_page, second.end), (2, None));
        let end = second.behind(&page(Some(150), true), 150);
        assert_eq!(end.end, Some(StretchEnd::Whole));
        let silent = stretch().behind(&page(None, true), 3);
        assert_eq!(
            silent.end,
            Some(StretchEnd::Whole),
            "a list that counts nothing is believed"
        );
    }

    #[test]
    fn a_list_that_changes_is_read_again_and_not_for_ever() {
        let mut at = stretch();
        for pass in 1..=3 {
            assert_eq!((at.pass, at.next_page, at.total), (pass, 1, None));
            at = at.behind(&page(Some(150), false), 100);
            at = at.behind(&page(Some(151), true), 151);
        }
        assert_eq!(at.end, Some(StretchEnd::Unstable));
    }

    #[test]
    fn a_list_with_fewer_rows_than_it_says_is_not_whole() {
        let again = stretch().behind(&page(Some(150), true), 149);
        assert_eq!((again.pass, again.end), (2, None));
        let whole = stretch().behind(
            &StoredPage {
                unreadable: 1,
                ..page(Some(150), true)
            },
            149,
        );
        assert_eq!(whole.end, Some(StretchEnd::Whole));
    }

    #[test]
    fn rows_that_are_alike_on_one_page_are_two() {
        let mut names = Names::default();
        let told: Vec<_> = ["a", "a", "b"]
            .map(|name| names.tell_apart(name.to_owned()))
            .into();
        assert_eq!(told, ["a", "a #2", "b"]);
    }

    fn entry(id: &str) -> Entry {
        Entry {
            id: Some(id.to_owned()),
            word: "FLEXY".to_owned(),
            direction: Some(Direction::Out),
            amount: Money::from_dinars(500),
            before: None,
            after: None,
            subject: Some("order".to_owned()),
            at: Some(Timestamp::UNIX_EPOCH),
        }
    }

    /// Reads pages of lines, each with the total that it tells and whether it is the last.
    async fn read(pages: &[(&[&str], u64, bool)]) -> Result<(Stretch, i64)> {
        let place = tempfile::tempdir().unwrap_or_else(|error| panic!("{error}"));
        let ledger = Ledger::open(&place.path().join("ledger.db"))?;
        let account = Account {
            username: "+213770000000".to_owned(),
            environment: crate::domain::Environment::Sandbox,
        };
        let now = Timestamp::UNIX_EPOCH;
        let reading = ledger
            .begin_reading(&account, "today", (now, now), (now, now), now)
            .await?;
        let mut stretch = ledger
            .begin_stretch(&reading, Listing::Entries, 1, (now, now))
            .await?;
        for (ids, total, is_last) in pages {
            let page = StoredPage {
                rows: PageRows::Entries(ids.iter().map(|id| entry(id)).collect()),
                unreadable: 0,
                total: Some(*total),
                is_last: *is_last,
            };
            stretch = ledger.store_page(stretch, page, &account, now).await?;
        }
        assert_eq!(ledger.stretches(&reading, Listing::Entries)?, [stretch.clone()]);
        let rows = ledger
            .reader()
            .query_row("SELECT count(*) FROM seen_entries", [], |row| row.get(0))?;
        ledger.drop_readings(&account, None).await?;
        assert!(ledger.open_reading(&account, "today", now)?.is_none());
        Ok((stretch, rows))
    }

    #[tokio::test]
    async fn a_row_that_moves_to_the_next_page_is_one() -> Result<()> {
        let (stretch, rows) = read(&[
            (&["c", "b"], 3, false),
            (&["b", "a"], 4, true),
            (&["d", "c"], 4, false),
            (&["b", "a"], 4, true),
        ])
        .await?;
        assert_eq!((stretch.end, stretch.pass, rows), (Some(StretchEnd::Whole), 2, 4));
        Ok(())
    }

    #[tokio::test]
    async fn a_row_that_is_there_twice_again_and_again_is_two() -> Result<()> {
        let twice: &[(&[&str], u64, bool)] = &[(&["a", "b"], 3, false), (&["b"], 3, true)];
        let (stretch, rows) = read(&[twice, twice].concat()).await?;
        assert_eq!((stretch.end, stretch.pass, rows), (Some(StretchEnd::Whole), 2, 3));
        Ok(())
    }

    #[tokio::test]
    async fn what_was_taken_for_two_by_mistake_is_one_again() -> Result<()> {
        let pages: &[(&[&str], u64, bool)] = &[
            (&["b", "a"], 3, true),
            (&["b", "a"], 3, false),
            (&["a"], 4, true),
            (&["d", "c"], 4, false),
            (&["b", "a"], 4, true),
        ];
        let (stretch, rows) = read(pages).await?;
        assert_eq!((stretch.end, stretch.pass, rows), (Some(StretchEnd::Whole), 3, 4));
        Ok(())
    }
}
