//! Writing the log: what is new in the ledger becomes lines at the end of the file.
//!
//! A lock on the file lets one process write at a time. Lines are durable before the head that counts them: a process
//! that dies in between has left a surplus, which the next one makes anew from the same rows, compares, and goes on
//! behind. Nothing here holds the lock of the ledger for longer than a head takes: no send waits for it.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use jiff::Timestamp;
use rusqlite::{Connection, TransactionBehavior};

use super::entries::{Entries, Entry, Queries};
use super::line::{hash, render};
use super::lines;
use super::{AuditError, Head, LOCK_PAUSE, LOCK_WAIT, Result, open, path_of};
use crate::ledger::acts::{self, ActEvent, NewAct};
use crate::ledger::rows::millis;
use crate::ledger::{LedgerError, schema};
use crate::pipeline;

/// Lines between two heads: bounds how long a reader keeps the ledger's log from being cleared.
const LINES_PER_ROUND: u64 = 50_000;
/// Lines that one thread reads and another writes at a time.
const LINES_PER_PORTION: u64 = 500;
/// What is written or compared at a time.
const BUFFER_BYTES: usize = 128 * 1024;

/// What an export has done.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Exported {
    /// Lines that are in the file now and were not counted before.
    pub lines: u64,
    /// What had happened to the file since it was last written.
    pub damages: Vec<String>,
    /// Whether another process was writing: what is left is written by the next command.
    pub is_busy: bool,
}

/// Writes the log of one ledger, over a connection of its own.
#[derive(Debug)]
pub struct Exporter {
    connection: Connection,
    path: PathBuf,
}

impl Exporter {
    /// An exporter for the ledger at `ledger`, which is there already. `act` says who finds damage, if there is any.
    pub fn open(ledger: &Path, act: &NewAct) -> Result<Self> {
        let connection = schema::connect(ledger)?;
        schema::read_lightly(&connection).map_err(LedgerError::from)?;
        acts::prepare(&connection)?;
        acts::keep(&connection, act)?;
        Ok(Self {
            connection,
            path: path_of(ledger),
        })
    }

    /// Before the first move of a command: writes what a process has left, and looks at a file that is another than
    /// it was. The log of another ledger is put out of the way, so that ours begins with the line that names it.
    pub fn begin(&mut self, at: Timestamp) -> Result<Exported> {
        let head = Head::read(&self.connection)?;
        let length = std::fs::metadata(&self.path).map_or(0, |data| data.len());
        if self.is_behind()? || length != head.bytes {
            self.bring_up_to_date(at)
        } else {
            Ok(Exported::default())
        }
    }

    /// Whether the ledger holds what is not in the file.
    fn is_behind(&self) -> Result<bool> {
        Ok(self.connection.query_row(
            "SELECT move_id < (SELECT coalesce(max(id), 0) FROM moves) \
             OR act_id < (SELECT coalesce(max(id), 0) FROM acts) FROM audit_head",
            [],
            |row| row.get(0),
        )?)
    }

    /// Writes all that is new. The file is looked at even where nothing is.
    pub fn export(&mut self, at: Timestamp) -> Result<Exported> {
        let head = Head::read(&self.connection)?;
        if head.n == 0 && !self.is_behind()? {
            return Ok(Exported::default());
        }
        self.bring_up_to_date(at)
    }

    fn bring_up_to_date(&mut self, at: Timestamp) -> Result<Exported> {
        let mut exported = Exported::default();
        let Some(mut file) = self.lock()? else {
            exported.is_busy = true;
            return Ok(exported);
        };
        loop {
            match self.round(&file)? {
                Round::Whole(lines) => {
                    exported.lines += lines;
                    return Ok(exported);
                }
                Round::Part(lines) => exported.lines += lines,
                Round::Damaged(damage) if damage.is_foreign => {
                    // It is the log of another ledger, which once stood here: kept, and not mixed with ours.
                    exported.damages.push(self.put_aside(&file, at)?);
                    match self.lock()? {
                        Some(next) => file = next,
                        None => return Ok(exported),
                    }
                }
                Round::Damaged(damage) => {
                    self.note(&damage, at)?;
                    exported.damages.push(damage.why);
                }
            }
        }
    }

    fn failed(&self, why: impl std::fmt::Display) -> AuditError {
        AuditError::file(&self.path, why)
    }

    /// The file, locked; none where another process keeps it.
    fn lock(&self) -> Result<Option<File>> {
        let is_new = !self.path.exists();
        let mut options = OpenOptions::new();
        options.read(true).append(true).create(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = open(&self.path, &mut options).map_err(|error| self.failed(error))?;
        if is_new && let Some(directory) = self.path.parent() {
            File::open(directory)
                .and_then(|directory| directory.sync_all())
                .map_err(|error| self.failed(error))?;
        }
        schema::make_private(&self.path)?;
        let until = Instant::now() + LOCK_WAIT;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Some(file)),
                Err(TryLockError::Error(error)) => return Err(self.failed(error)),
                Err(TryLockError::WouldBlock) if Instant::now() >= until => return Ok(None),
                Err(TryLockError::WouldBlock) => std::thread::sleep(LOCK_PAUSE),
            }
        }
    }

    /// Writes up to so many lines, and the head behind them.
    fn round(&self, file: &File) -> Result<Round> {
        let failed = |error: std::io::Error| self.failed(error);
        let head = Head::read(&self.connection)?;
        let length = file.metadata().map_err(failed)?.len();
        if length < head.bytes {
            let why = format!("the file was {length} bytes long and had been {}", head.bytes);
            return Ok(Round::Damaged(Damage::new(why, length)));
        }
        let mut tail = Tail {
            end: End::of(file, head.bytes, length).map_err(failed)?,
            head: head.clone(),
            line: Vec::new(),
            lines: 0,
        };
        // One moment of the ledger, so that acts and moves belong together.
        let reading = self.connection.unchecked_transaction()?;
        let mut queries = Queries::prepare(&reading)?;
        let mut entries = queries.behind(&head)?;
        let mut left = LINES_PER_ROUND;
        let read = || -> Result<Option<Portion>> {
            let portion = Portion::read(&mut entries, left.min(LINES_PER_PORTION))?;
            left -= portion.count();
            Ok((portion.count() > 0).then_some(portion))
        };
        let path = &self.path;
        let put = |portion: Portion| tail.put(&portion).map_err(|error| AuditError::file(path, error));
        let is_put = pipeline::run(read, put)?;
        drop(entries);
        drop(queries);
        drop(reading);
        let lines = tail.lines;
        let is_last = lines < LINES_PER_ROUND;
        if !is_put || is_last && !tail.end.is_used_up().map_err(failed)? {
            return Ok(Round::Damaged(Damage::behind(&head, length)));
        }
        if lines > 0 {
            let next = Head {
                bytes: tail.end.finish().map_err(failed)?,
                ..tail.head
            };
            self.replace(&head, &next)?;
        }
        Ok(if is_last {
            Round::Whole(lines)
        } else {
            Round::Part(lines)
        })
    }

    fn replace(&self, head: &Head, next: &Head) -> Result<()> {
        if next.replace(head, &self.connection)? {
            Ok(())
        } else {
            Err(self.failed("another process has written to it under another name"))
        }
    }

    /// Writes down that the file was changed, and goes on at its end as it is.
    fn note(&self, damage: &Damage, at: Timestamp) -> Result<()> {
        let transaction =
            rusqlite::Transaction::new_unchecked(&self.connection, TransactionBehavior::Immediate)?;
        let head = Head::read(&transaction)?;
        acts::write(&transaction, ActEvent::Damaged, Some(&damage.why), millis(at))?;
        let next = Head {
            bytes: damage.length,
            ..head.clone()
        };
        self.replace(&head, &next)?;
        transaction.commit()?;
        Ok(())
    }

    /// Writes down where the log of another ledger is kept: once, however often moving it fails.
    fn note_put_aside(&self, why: &str, at: Timestamp) -> Result<()> {
        let transaction =
            rusqlite::Transaction::new_unchecked(&self.connection, TransactionBehavior::Immediate)?;
        let is_told: bool = transaction.query_row(
            "SELECT EXISTS (SELECT 1 FROM acts WHERE event = ?1 AND why = ?2)",
            (ActEvent::SetAside.word(), why),
            |row| row.get(0),
        )?;
        if !is_told {
            acts::write(&transaction, ActEvent::SetAside, Some(why), millis(at))?;
        }
        Ok(transaction.commit()?)
    }

    /// Moves a file that is not ours out of the way: `x.audit.jsonl` to the first `x.audit.1.jsonl` that is free. Our
    /// log says so before it is done.
    fn put_aside(&self, file: &File, at: Timestamp) -> Result<String> {
        let stem = self.path.file_stem().unwrap_or_default().to_string_lossy();
        let free = (1_u32..100_000)
            .map(|number| self.path.with_file_name(format!("{stem}.{number}.jsonl")))
            .find(|place| std::fs::symlink_metadata(place).is_err())
            .ok_or_else(|| self.failed("it is the log of another ledger"))?;
        let (count, head) = lines::end(file, &self.path)?;
        let why = format!(
            "the log of another ledger, {count} lines with the head {head}, is kept as `{}`",
            free.display()
        );
        self.note_put_aside(&why, at)?;
        std::fs::rename(&self.path, &free).map_err(|error| self.failed(error))?;
        Ok(format!(
            "the file was the log of another ledger; it is `{}` now",
            free.display()
        ))
    }
}

/// Lines that are read and not yet written.
#[derive(Default)]
struct Portion {
    /// Each with where its body ends.
    lines: Vec<(Entry, usize)>,
    bodies: Vec<u8>,
}

impl Portion {
    fn read(entries: &mut Entries<'_>, limit: u64) -> Result<Self> {
        let (mut portion, mut body) = (Self::default(), Vec::new());
        while portion.count() < limit
            && let Some(entry) = entries.next(&mut body)?
        {
            portion.bodies.extend_from_slice(&body);
            portion.lines.push((entry, portion.bodies.len()));
        }
        Ok(portion)
    }

    fn count(&self) -> u64 {
        u64::try_from(self.lines.len()).unwrap_or(u64::MAX)
    }
}

/// The end of the log, line by line: what each is put behind.
struct Tail<'f> {
    end: End<'f>,
    head: Head,
    line: Vec<u8>,
    lines: u64,
}

impl Tail<'_> {
    /// Puts lines there. False where something else stands.
    fn put(&mut self, portion: &Portion) -> std::io::Result<bool> {
        let mut from = 0;
        for (entry, to) in &portion.lines {
            let body = portion.bodies.get(from..*to).unwrap_or_default();
            from = *to;
            render(&mut self.line, entry.n, body, &self.head.hash);
            self.head.hash = hash(&self.line);
            self.line.push(b'\n');
            if !self.end.put(&self.line)? {
                return Ok(false);
            }
            (self.head.n, self.head.move_id, self.head.act_id) = (entry.n, entry.move_id, entry.act_id);
            self.lines += 1;
        }
        Ok(true)
    }
}

/// What came of writing some lines.
enum Round {
    /// Nothing is left.
    Whole(u64),
    /// There is more.
    Part(u64),
    /// The file is another than was written.
    Damaged(Damage),
}

/// How the file differs from what was written.
struct Damage {
    why: String,
    /// How long it is now.
    length: u64,
    /// Whether nothing of it is ours.
    is_foreign: bool,
}

impl Damage {
    fn new(why: String, length: u64) -> Self {
        Self {
            why,
            length,
            is_foreign: false,
        }
    }

    fn behind(head: &Head, length: u64) -> Self {
        let more = length.saturating_sub(head.bytes);
        Self {
            is_foreign: head.n == 0,
            ..Self::new(format!("the file had {more} foreign bytes at its end"), length)
        }
    }
}

/// The end of the file: what a process that died has left there is compared, and what comes behind it is written.
struct End<'f> {
    file: &'f File,
    surplus: BufReader<&'f File>,
    /// How much of the surplus is not yet compared.
    left: u64,
    writer: BufWriter<&'f File>,
    /// Where the next byte belongs.
    at: u64,
    compared: Vec<u8>,
    is_torn: bool,
}

impl<'f> End<'f> {
    fn of(file: &'f File, head: u64, length: u64) -> std::io::Result<Self> {
        let mut reader = file;
        let mut last = [b'\n'];
        if head > 0 {
            reader.seek(SeekFrom::Start(head - 1))?;
            reader.read_exact(&mut last)?;
        } else {
            reader.rewind()?;
        }
        Ok(Self {
            file,
            surplus: BufReader::with_capacity(BUFFER_BYTES, file),
            left: length - head,
            writer: BufWriter::with_capacity(BUFFER_BYTES, file),
            at: head,
            compared: Vec::new(),
            // A line that was cut off stays as it is, on a line of its own.
            is_torn: last != [b'\n'],
        })
    }

    /// Puts a line there. False where something else is.
    fn put(&mut self, line: &[u8]) -> std::io::Result<bool> {
        if std::mem::take(&mut self.is_torn) && !self.put(b"\n")? {
            return Ok(false);
        }
        let length = u64::try_from(line.len()).unwrap_or(u64::MAX);
        let there = usize::try_from(self.left.min(length)).unwrap_or(line.len());
        if there > 0 {
            self.compared.resize(there, 0);
            self.surplus.read_exact(&mut self.compared)?;
            self.left -= self.left.min(length);
            let same = line
                .iter()
                .zip(&self.compared)
                .take_while(|(a, b)| a == b)
                .count();
            if same < there && !self.is_blank(same)? {
                return Ok(false);
            }
            let missing = line.get(same..).unwrap_or_default();
            self.writer.write_all(missing)?;
        } else {
            self.writer.write_all(line)?;
        }
        self.at += length;
        Ok(true)
    }

    /// Whether the rest of the surplus is what a power cut leaves behind a length that was stored before its bytes:
    /// zeros. Then it is taken away.
    fn is_blank(&mut self, same: usize) -> std::io::Result<bool> {
        let is_zero = |bytes: &[u8]| bytes.iter().all(|byte| *byte == 0);
        if !is_zero(self.compared.get(same..).unwrap_or_default()) {
            return Ok(false);
        }
        let mut chunk = vec![0; BUFFER_BYTES];
        loop {
            match self.surplus.read(&mut chunk)? {
                0 => break,
                count if is_zero(&chunk[..count]) => {}
                _ => return Ok(false),
            }
        }
        self.file
            .set_len(self.at + u64::try_from(same).unwrap_or_default())?;
        self.left = 0;
        Ok(true)
    }

    /// Whether nothing stands behind what was put there.
    fn is_used_up(&mut self) -> std::io::Result<bool> {
        if self.left == 0 {
            return Ok(true);
        }
        self.compared.clear();
        self.is_blank(0)
    }

    /// Makes it durable. How long the file is now.
    fn finish(mut self) -> std::io::Result<u64> {
        self.writer.flush()?;
        self.file.sync_data()?;
        Ok(self.at)
    }
}
