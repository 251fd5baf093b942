//! Rows of the provider's lists, as a reading stores them: each once, whichever page shows it.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::readings::{PageRows, Stretch};
use super::rows::millis;
use super::{LedgerError, Result};
use crate::domain::{Direction, Entry, EntryKind, Money, Phone, Seen};

/// A row under the provider's id of another one, by its key.
const SAME_ID: &str = "(key GLOB 'id * @[0-9]*' OR key GLOB 'id * #[0-9]*')";

/// How many rows a pass has shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Counted {
    /// All of them.
    pub shown: u64,
    /// Those under one id counted once.
    pub single: u64,
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

pub(super) fn drop_repeats(connection: &Connection, stretch: &Stretch) -> Result<()> {
    let query = format!(
        "DELETE FROM {} WHERE reading_id = ?1 AND stretch = ?2 AND key GLOB '* @[0-9]*'",
        stretch.listing.table()
    );
    connection.execute(&query, (stretch.reading, stretch.number))?;
    Ok(())
}

/// Rows of this pass, and how many of them have the provider's id of a row that was there before.
pub(super) fn count_rows(connection: &Connection, stretch: &Stretch) -> Result<Counted> {
    let query = format!(
        "SELECT count(*), coalesce(sum({SAME_ID}), 0) FROM {} WHERE reading_id = ?1 AND stretch = ?2 AND pass = ?3",
        stretch.listing.table()
    );
    let of_pass = (stretch.reading, stretch.number, stretch.pass);
    let counted = |row: &Row<'_>| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?));
    let (shown, same) = connection.prepare_cached(&query)?.query_row(of_pass, counted)?;
    let count = |rows: i64| u64::try_from(rows).unwrap_or(0);
    Ok(Counted {
        shown: count(shown),
        single: count(shown - same),
    })
}

/// The provider's id tells a row from all others: one that is shown twice under it is one.
pub(super) fn drop_same_ids(connection: &Connection, stretch: &Stretch) -> Result<()> {
    let query = format!(
        "DELETE FROM {} WHERE reading_id = ?1 AND stretch = ?2 AND {SAME_ID}",
        stretch.listing.table()
    );
    connection.execute(&query, (stretch.reading, stretch.number))?;
    Ok(())
}

pub(super) fn insert_rows(
    connection: &Connection,
    stretch: &Stretch,
    rows: &PageRows,
    prefix: &str,
) -> Result<()> {
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
/// page are counted as two, and are two unless the provider's id says that they are one.
#[derive(Default)]
pub(super) struct Names(HashMap<String, u32>);

impl Names {
    pub fn of_order(&mut self, seen: &Seen) -> String {
        let id = seen.id.as_ref().map(|id| format!("id {id}"));
        self.tell_apart(id.unwrap_or_else(|| {
            format!(
                "row {:?} {:?} {:?} {:?}",
                seen.reference, seen.phone, seen.amount, seen.created_at
            )
        }))
    }

    fn of_entry(&mut self, entry: &Entry) -> String {
        let id = entry.id.as_ref().map(|id| format!("id {id}"));
        self.tell_apart(id.unwrap_or_else(|| {
            format!(
                "row {} {} {:?} {:?} {:?} {:?}",
                entry.word, entry.amount, entry.subject, entry.before, entry.after, entry.at
            )
        }))
    }

    pub fn tell_apart(&mut self, name: String) -> String {
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

pub(super) fn insert_order(
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
