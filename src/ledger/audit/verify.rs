//! Is the log whole? Every line is held against the row that it was made of, against the line before, and the last one
//! against the head that the ledger keeps. Both sides are read once, side by side, in flat memory.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufRead, BufReader, ErrorKind, Read, Take};
use std::path::Path;

use rusqlite::Connection;
use serde_json::{Map, Value};

use super::entries::{Entries, Entry, Queries};
use super::line::{Parts, hash, parts, render};
use super::{AuditError, Head, NO_HASH, Result, path_of};
use crate::ledger::{LedgerError, schema};

/// Differences that are told one by one; the others are counted.
const DIFFERENCES_MAX: usize = 1_000;
/// The longest line; ours are shorter by far.
const LINE_BYTES_MAX: u64 = 1024 * 1024;
/// The longest value that a difference quotes.
const QUOTED_MAX: usize = 60;

/// How the log differs from what was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DifferenceKind {
    /// A line is another than was written.
    Changed,
    /// A line and its row in the ledger say different things, and the lines behind it fit the line.
    RowDiffers,
    /// A line is not there.
    Missing,
    /// The lines up to the end, or up to where the log was taken up again, are not there.
    Cut,
    /// A line is there that was never written.
    Inserted,
    /// A line stands elsewhere than it was written.
    OutOfOrder,
    /// A line carries another hash than that of the line before.
    Chain,
    /// The last line is another than the ledger has noted.
    Head,
    /// The hash that was noted elsewhere is not in the log.
    Noted,
    /// An order stands elsewhere than its last move has put it.
    State,
}

impl DifferenceKind {
    /// The word in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Changed => "changed",
            Self::RowDiffers => "row_differs",
            Self::Missing => "missing",
            Self::Cut => "cut",
            Self::Inserted => "inserted",
            Self::OutOfOrder => "out_of_order",
            Self::Chain => "chain",
            Self::Head => "head",
            Self::Noted => "noted_head",
            Self::State => "state",
        }
    }
}

/// One difference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// What it is.
    pub kind: DifferenceKind,
    /// The line of the file.
    pub line: Option<u64>,
    /// The number that the line has or should have.
    pub n: Option<i64>,
    /// The last of several numbers.
    pub until: Option<i64>,
    /// The order that it is about.
    pub reference: Option<String>,
    /// What differs, for people.
    pub detail: String,
}

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verdict {
    /// The number of the last line, as the ledger has noted it.
    pub last: i64,
    /// The hash of that line: to be noted elsewhere.
    pub head: String,
    /// The line whose hash was noted elsewhere.
    pub noted: Option<i64>,
    /// The first differences.
    pub differences: Vec<Difference>,
    /// How many there are.
    pub count: u64,
}

/// Holds the log of a ledger against its rows. `noted` is a hash that somebody has noted elsewhere.
pub fn verify(ledger: &Path, noted: Option<&str>) -> Result<Verdict> {
    let connection = schema::connect(ledger)?;
    schema::read_lightly(&connection).map_err(LedgerError::from)?;
    // One moment of the ledger: what is written meanwhile is behind the head.
    let reading = connection.unchecked_transaction()?;
    let head = Head::read(&reading)?;
    let path = path_of(ledger);
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
        lines: Lines::open(&path, head.bytes)?,
        path: &path,
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
    check_states(&reading, &mut verdict)?;
    if noted.is_some() && verdict.noted.is_none() {
        let detail = "no line has the hash that was noted".to_owned();
        verdict.push(difference(DifferenceKind::Noted, detail));
    }
    Ok(verdict)
}

fn difference(kind: DifferenceKind, detail: String) -> Difference {
    Difference {
        kind,
        line: None,
        n: None,
        until: None,
        reference: None,
        detail,
    }
}

impl Verdict {
    fn push(&mut self, difference: Difference) {
        self.count += 1;
        if self.differences.len() < DIFFERENCES_MAX {
            self.differences.push(difference);
        }
    }
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
        let is_over =
            |entry: &Entry| entry.move_id > self.head.move_id || entry.act_id > self.head.act_id;
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
        let is_followed = match &self.lines.next {
            Some(next) => next.parts().is_some_and(|next| next.previous == hash.as_bytes()),
            None => self.head.hash == hash,
        };
        let Some(taken) = taken.filter(|_| line.has_end) else {
            return tell(DifferenceKind::Changed, "it is no line of the log".to_owned());
        };
        let detail = if taken.n == row.n {
            fields(taken.body, &self.body)
        } else {
            format!("its number is {}", taken.n)
        };
        if is_followed {
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

    /// A line without a row. The lines behind it still fit the one before it.
    fn foreign(&mut self) -> Result<()> {
        if let Some(line) = &self.lines.current {
            let taken = line.parts();
            let n = taken.map(|taken| taken.n);
            let is_early = n.is_some_and(|n| n <= self.head.n && self.row.is_some_and(|row| n > row.n));
            let was_missing = n.is_some_and(|n| self.verdict.takes_back_missing(n));
            let kind = if is_early || was_missing {
                DifferenceKind::OutOfOrder
            } else {
                DifferenceKind::Inserted
            };
            if let Some(n) = n.filter(|_| is_early)
                && self.early.len() < DIFFERENCES_MAX
            {
                self.early.insert(n);
            }
            let detail = match kind {
                DifferenceKind::OutOfOrder => "it stands elsewhere than it was written",
                _ => "it was never written",
            };
            let found = Difference {
                line: Some(line.number),
                n,
                reference: taken.and_then(|taken| reference(taken.body)),
                ..difference(kind, detail.to_owned())
            };
            self.verdict.push(found);
        }
        self.read_line()
    }
}

impl Verdict {
    /// A line that was told as missing has turned up elsewhere.
    fn takes_back_missing(&mut self, n: i64) -> bool {
        let is_it = |told: &Difference| {
            told.kind == DifferenceKind::Missing && told.n == Some(n) && told.until.is_none()
        };
        let found = self.differences.iter().position(is_it);
        if let Some(place) = found {
            self.differences.remove(place);
            self.count -= 1;
        }
        found.is_some()
    }
}

fn object(body: &[u8]) -> Option<Map<String, Value>> {
    let mut text = vec![b'{'];
    text.extend_from_slice(body);
    text.push(b'}');
    serde_json::from_slice(&text).ok()
}

fn reference(body: &[u8]) -> Option<String> {
    Some(object(body)?.get("ref")?.as_str()?.to_owned())
}

/// Which fields of a line are others than in its row.
fn fields(line: &[u8], row: &[u8]) -> String {
    let (Some(line), Some(row)) = (object(line), object(row)) else {
        return "it is no line of the log".to_owned();
    };
    let names: BTreeSet<_> = line.keys().chain(row.keys()).collect();
    let told: Vec<_> = names
        .into_iter()
        .filter(|name| line.get(*name) != row.get(*name))
        .map(|name| {
            let (line, row) = (quoted(line.get(name)), quoted(row.get(name)));
            format!("`{name}` is {line} in the file and {row} in the ledger")
        })
        .collect();
    if told.is_empty() {
        "it is written another way".to_owned()
    } else {
        told.join("; ")
    }
}

fn quoted(value: Option<&Value>) -> String {
    let text = match value {
        None => return "not".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    };
    let short: String = text.chars().take(QUOTED_MAX).collect();
    format!("`{short}`")
}

/// A line of the file.
struct Line {
    number: u64,
    bytes: Vec<u8>,
    /// Whether it is ended.
    has_end: bool,
}

impl Line {
    fn parts(&self) -> Option<Parts<'_>> {
        parts(&self.bytes)
    }

    /// Whether the log was taken up again with it, behind a change of the file.
    fn says_damaged(&self) -> bool {
        let word = br#","event":"damaged","#;
        self.bytes.windows(word.len()).any(|bytes| bytes == word)
    }
}

/// The lines of the file up to the head's length, with one in advance.
struct Lines {
    reader: Option<Take<BufReader<File>>>,
    read: u64,
    current: Option<Line>,
    next: Option<Line>,
}

impl Lines {
    fn open(path: &Path, bytes: u64) -> Result<Self> {
        let reader = match File::open(path) {
            Ok(file) => Some(BufReader::with_capacity(256 * 1024, file).take(bytes)),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(AuditError::file(path, error)),
        };
        let mut lines = Self {
            reader,
            read: 0,
            current: None,
            next: None,
        };
        let failed = |error| AuditError::file(path, error);
        lines.advance().map_err(failed)?;
        lines.advance().map_err(failed)?;
        Ok(lines)
    }

    fn advance(&mut self) -> std::io::Result<()> {
        let spent = std::mem::replace(&mut self.current, self.next.take());
        let mut bytes = spent.map(|line| line.bytes).unwrap_or_default();
        bytes.clear();
        let Some(reader) = &mut self.reader else {
            return Ok(());
        };
        if reader
            .by_ref()
            .take(LINE_BYTES_MAX)
            .read_until(b'\n', &mut bytes)?
            == 0
        {
            return Ok(());
        }
        let has_end = bytes.pop_if(|last| *last == b'\n').is_some();
        self.read += 1;
        self.next = Some(Line {
            number: self.read,
            bytes,
            has_end,
        });
        Ok(())
    }
}
