//! Is the log whole? Every line is held against the row that it was made of, against the line before, and the last one
//! against the head that the ledger keeps. Both sides are read once, side by side, in flat memory. Nothing is written.

use std::collections::BTreeSet;
use std::fs::OpenOptions;
use std::io::ErrorKind;
use std::path::Path;

use rusqlite::Connection;

use super::entries::{Entries, Entry, Queries};
use super::line::{hash, render};
use super::lines::{Line, Lines};
use super::tail::{Tail, hold};
use super::verdict::{DIFFERENCES_MAX, Difference, DifferenceKind, Verdict, difference, fields, reference};
use super::{AuditError, Head, NO_HASH, Result, open, path_of};
use crate::ledger::{ActEvent, LedgerError, schema};

/// Holds the log of a ledger against its rows. `noted` is a hash that somebody has noted elsewhere.
pub fn verify(ledger: &Path, noted: Option<&str>) -> Result<Verdict> {
    let connection = schema::connect(ledger)?;
    schema::read_lightly(&connection).map_err(LedgerError::from)?;
    verify_with(&connection, &path_of(ledger), noted)
}

pub(super) fn verify_with(connection: &Connection, path: &Path, noted: Option<&str>) -> Result<Verdict> {
    let failed = |error| AuditError::file(path, error);
    let file = match open(path, OpenOptions::new().read(true)) {
        Ok(file) => Some(file),
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        Err(error) => return Err(failed(error)),
    };
    let is_held = file.as_ref().map(hold).transpose().map_err(failed)?;
    // One moment of the ledger and of the file: what is written meanwhile is behind both.
    let reading = connection.unchecked_transaction()?;
    let head = Head::read(&reading)?;
    let mut tail = None;
    if let (Some(file), Some(true)) = (&file, is_held) {
        let length = file.metadata().map_err(failed)?.len();
        file.unlock().map_err(failed)?;
        tail = Some(Tail { path, file, length });
    }
    let mut queries = Queries::prepare(&reading)?;
    let start = Head {
        n: 0,
        hash: NO_HASH.to_owned(),
        bytes: 0,
        move_id: 0,
        act_id: 0,
    };
    let mut walk = Walk {
        entries: queries.behind(&start)?,
        lines: Lines::of(file.as_ref(), path, head.bytes)?,
        path,
        head: &head,
        row: None,
        body: Vec::new(),
        expected: Vec::new(),
        previous: NO_HASH.to_owned(),
        is_disturbed: false,
        early: BTreeSet::new(),
        noted,
        verdict: Verdict {
            last: head.n,
            head: head.hash.clone(),
            ..Verdict::default()
        },
    };
    walk.work()?;
    let mut verdict = walk.verdict;
    if let Some(tail) = tail
        && let Some(found) = tail.difference(&head, &reading)?
    {
        verdict.push(found);
    }
    check_states(&reading, &mut verdict)?;
    verdict.waiting = waiting(&reading)?;
    verdict.set_aside = set_aside(&reading)?;
    if noted.is_some() && verdict.noted.is_none() {
        let detail = "no line has the hash that was noted".to_owned();
        verdict.push(difference(DifferenceKind::Noted, detail));
    }
    Ok(verdict)
}

/// How many rows are not yet lines.
fn waiting(connection: &Connection) -> Result<u64> {
    let query = "SELECT (SELECT coalesce(max(id), 0) FROM moves) - move_id \
         + (SELECT coalesce(max(id), 0) FROM acts) - act_id FROM audit_head";
    let rows: i64 = connection.query_row(query, [], |row| row.get(0))?;
    Ok(u64::try_from(rows).unwrap_or_default())
}

/// What is told of logs of other ledgers.
fn set_aside(connection: &Connection) -> Result<Vec<String>> {
    let mut statement = connection.prepare("SELECT why FROM acts WHERE event = ?1 ORDER BY id")?;
    let told = statement.query_map([ActEvent::SetAside.word()], |row| row.get(0))?;
    Ok(told.collect::<std::result::Result<_, _>>()?)
}

/// Orders whose state no move has put there.
fn check_states(connection: &Connection, verdict: &mut Verdict) -> Result<()> {
    let mut statement = connection.prepare(
        "SELECT ref, state, last FROM (SELECT ref, state, \
         (SELECT to_state FROM moves WHERE order_id = orders.id ORDER BY id DESC LIMIT 1) AS last FROM orders) \
         WHERE state IS NOT last",
    )?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (reference, state, last): (String, String, Option<String>) =
            (row.get(0)?, row.get(1)?, row.get(2)?);
        let last = last.unwrap_or_else(|| "nothing".to_owned());
        let detail = format!("the order is `{state}` in the ledger, and its last step says `{last}`");
        verdict.push(Difference {
            reference: Some(reference),
            ..difference(DifferenceKind::State, detail)
        });
    }
    Ok(())
}

/// What a line is to the row that is next.
enum Place {
    /// The line of this row.
    Same,
    /// The row has no line here.
    Missing,
    /// The line belongs to no row, or to one elsewhere.
    Foreign,
}

/// Both sides, as far as they have been read.
struct Walk<'a> {
    entries: Entries<'a>,
    lines: Lines,
    path: &'a Path,
    head: &'a Head,
    row: Option<Entry>,
    body: Vec<u8>,
    expected: Vec<u8>,
    /// The hash of the line before.
    previous: String,
    /// Whether the next line can't fit the one before: that has been told already.
    is_disturbed: bool,
    /// Lines that came before their places.
    early: BTreeSet<i64>,
    noted: Option<&'a str>,
    verdict: Verdict,
}

impl Walk<'_> {
    fn work(&mut self) -> Result<()> {
        self.read_row()?;
        loop {
            match (&self.lines.current, self.row) {
                (None, None) => break,
                (None, Some(row)) => self.missing(row)?,
                (Some(_), None) => self.foreign()?,
                (Some(_), Some(row)) => match self.place(row) {
                    Place::Same => self.compare(row)?,
                    Place::Missing => self.missing(row)?,
                    Place::Foreign => self.foreign()?,
                },
            }
        }
        if !self.is_disturbed && self.previous != self.head.hash {
            let detail = "the last line is not the one that the ledger has noted: lines were made anew";
            self.verdict
                .push(difference(DifferenceKind::Head, detail.to_owned()));
        }
        Ok(())
    }

    /// The next row up to the head; what is behind it is not yet written.
    fn read_row(&mut self) -> Result<()> {
        let is_over = |entry: &Entry| entry.move_id > self.head.move_id || entry.act_id > self.head.act_id;
        self.row = self.entries.next(&mut self.body)?.filter(|entry| !is_over(entry));
        Ok(())
    }

    fn read_line(&mut self) -> Result<()> {
        self.lines
            .advance()
            .map_err(|error| AuditError::file(self.path, error))
    }

    fn place(&self, row: Entry) -> Place {
        let Some(line) = &self.lines.current else {
            return Place::Missing;
        };
        let taken = line.parts();
        if taken.is_some_and(|taken| taken.n == row.n || taken.body == self.body) {
            return Place::Same;
        }
        let behind = self.lines.next.as_ref();
        let next = behind.and_then(Line::parts).map(|taken| taken.n);
        if next == Some(row.n) {
            return Place::Foreign;
        }
        let is_before_next = next == Some(row.n + 1) || behind.is_none();
        match taken.map(|taken| taken.n) {
            Some(n) if n > row.n && n <= self.head.n && next != Some(row.n + 1) => Place::Missing,
            Some(n) if n < row.n && next != Some(row.n + 1) => Place::Foreign,
            Some(n) if n > self.head.n && !is_before_next => Place::Foreign,
            _ => Place::Same,
        }
    }

    fn compare(&mut self, row: Entry) -> Result<()> {
        let Some(line) = &self.lines.current else {
            return Ok(());
        };
        render(&mut self.expected, row.n, &self.body, &self.previous);
        let hash = hash(&line.bytes);
        if line.bytes == self.expected && line.has_end {
            self.is_disturbed = false;
        } else if let Some(difference) = self.differs(line, row, &hash) {
            self.is_disturbed = difference.kind != DifferenceKind::RowDiffers;
            self.verdict.push(difference);
        } else {
            self.is_disturbed = false;
        }
        if self.noted.is_some_and(|noted| noted.eq_ignore_ascii_case(&hash)) {
            self.verdict.noted = Some(row.n);
        }
        self.previous = hash;
        self.read_row()?;
        self.read_line()
    }

    /// How a line differs from what it should be; none where only its hash does, and that has been told.
    fn differs(&self, line: &Line, row: Entry, hash: &str) -> Option<Difference> {
        let tell = |kind, detail| {
            Some(Difference {
                line: Some(line.number),
                n: Some(row.n),
                reference: reference(&self.body),
                ..difference(kind, detail)
            })
        };
        let taken = line.parts();
        let fits = taken.is_some_and(|taken| taken.n == row.n && taken.body == self.body);
        if fits && line.has_end {
            let detail = "it carries another hash than that of the line before it".to_owned();
            return if self.is_disturbed {
                None
            } else {
                tell(DifferenceKind::Chain, detail)
            };
        }
        let Some(taken) = taken.filter(|_| line.has_end) else {
            return tell(DifferenceKind::Changed, "it is no line of the log".to_owned());
        };
        let detail = if taken.n == row.n {
            fields(taken.body, &self.body)
        } else {
            format!("its number is {}", taken.n)
        };
        if self.is_followed(hash) {
            tell(DifferenceKind::RowDiffers, detail)
        } else {
            tell(DifferenceKind::Changed, detail)
        }
    }

    /// A row without a line. Several in a row are told as one.
    fn missing(&mut self, row: Entry) -> Result<()> {
        if !self.early.remove(&row.n) {
            let line = self.lines.current.as_ref();
            let is_cut = line.is_none_or(Line::says_damaged);
            let kind = if is_cut {
                DifferenceKind::Cut
            } else {
                DifferenceKind::Missing
            };
            self.tell_missing(row.n, kind);
        }
        self.is_disturbed = true;
        self.read_row()
    }

    fn tell_missing(&mut self, n: i64, kind: DifferenceKind) {
        if let Some(last) = self.verdict.differences.last_mut()
            && last.kind == kind
            && last.until.or(last.n) == Some(n - 1)
        {
            last.until = Some(n);
            return;
        }
        self.verdict.push(Difference {
            n: Some(n),
            reference: reference(&self.body),
            ..difference(kind, "not in the file".to_owned())
        });
    }

    /// Whether a line is followed by one that carries its hash.
    fn is_followed(&self, hash: &str) -> bool {
        match &self.lines.next {
            Some(next) => next.parts().is_some_and(|next| next.previous == hash.as_bytes()),
            None => self.head.hash == hash,
        }
    }

    /// A line without a row. Where it was put in, the lines behind it still fit the one before it.
    fn foreign(&mut self) -> Result<()> {
        if let Some(line) = &self.lines.current {
            let taken = line.parts();
            let n = taken.map(|taken| taken.n);
            let is_early = n.is_some_and(|n| n <= self.head.n && self.row.is_some_and(|row| n > row.n));
            let was_missing = n.is_some_and(|n| self.verdict.takes_back_missing(n));
            let hash = hash(&line.bytes);
            let is_linked = taken.is_some_and(|taken| taken.previous == self.previous.as_bytes())
                && self.is_followed(&hash);
            let (kind, detail) = if is_linked {
                (DifferenceKind::RowMissing, "the ledger has no row for it")
            } else if is_early || was_missing {
                (
                    DifferenceKind::OutOfOrder,
                    "it stands elsewhere than it was written",
                )
            } else {
                (DifferenceKind::Inserted, "it was never written")
            };
            if let Some(n) = n.filter(|_| is_early)
                && self.early.len() < DIFFERENCES_MAX
            {
                self.early.insert(n);
            }
            let found = Difference {
                line: Some(line.number),
                n,
                reference: taken.and_then(|taken| reference(taken.body)),
                ..difference(kind, detail.to_owned())
            };
            self.verdict.push(found);
            if is_linked {
                self.previous = hash;
            }
        }
        self.read_line()
    }
}
