//! What has happened, as lines of a file that several processes append to under one lock.
//!
//! A line counts when its end is there. One without an end was cut by a process that died, which the lock
//! makes certain, so whoever holds the lock next cuts it off.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
#[cfg(unix)]
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::clock::{Anchor, Millis};
use super::options::SimulatorError;
use super::order::Order;
use super::tamper::Tampering;

/// What the lines of this program mean.
pub(super) const VERSION: u32 = 1;

/// Something that happened; one line each.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Event {
    /// The first line.
    Born(Birth),
    /// Time was moved or got another pace.
    Clock(Anchor),
    /// Money came in.
    Deposit(Deposit),
    /// An order was accepted.
    Order(Order),
    /// Somebody has changed the books.
    Tampered(Tampering),
}

/// The first line of a journal.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) struct Birth {
    /// What the lines mean.
    pub(super) version: u32,
    /// How simulated time began.
    pub(super) clock: Anchor,
    /// Tells the ids of these books from those of others.
    pub(super) salt: i64,
}

/// Money that came in.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) struct Deposit {
    /// How much.
    #[serde(with = "exact")]
    pub(super) amount: Decimal,
    /// When.
    pub(super) at_ms: Millis,
}

/// Money as a text, so that no reader can round it.
pub(super) mod exact {
    use rust_decimal::Decimal;
    use serde::{Deserialize, Deserializer, Serializer, de};

    pub(in crate::simulator) fn serialize<S: Serializer>(
        value: &Decimal,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_str(value)
    }

    pub(in crate::simulator) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Decimal, D::Error> {
        let text = String::deserialize(deserializer)?;
        Decimal::from_str_exact(&text).map_err(de::Error::custom)
    }
}

/// The file, and how much of it has been read.
#[derive(Debug)]
pub(super) struct Journal {
    path: PathBuf,
    file: File,
    read_to: u64,
    lines: u64,
}

impl Journal {
    /// Opens or creates `books.jsonl` in a directory; both are private to their owner.
    pub(super) fn open(directory: &Path) -> Result<Self, SimulatorError> {
        let refused = |path: &Path| {
            let path = path.to_owned();
            move |source| SimulatorError::Store { path, source }
        };
        private_directory(directory).map_err(refused(directory))?;
        let path = directory.join("books.jsonl");
        let file = private_file(&path).map_err(refused(&path))?;
        Ok(Self {
            path,
            file,
            read_to: 0,
            lines: 0,
        })
    }

    /// Waits until no other process uses the books.
    pub(super) fn lock(&self) -> Result<(), SimulatorError> {
        self.file.lock().map_err(|source| self.refused(source))
    }

    /// Lets other processes use the books.
    pub(super) fn unlock(&self) -> Result<(), SimulatorError> {
        self.file.unlock().map_err(|source| self.refused(source))
    }

    /// What others have appended since the last look. The lock must be held.
    ///
    /// When it cannot be understood, nothing of it counts as read, so that no event is ever passed over.
    pub(super) fn news(&mut self) -> Result<Vec<Event>, SimulatorError> {
        let begin = (self.read_to, self.lines);
        let text = self.unread().map_err(|source| self.refused(source))?;
        let events: Result<Vec<_>, _> = text.lines().map(|line| self.understand(line)).collect();
        if events.is_err() {
            (self.read_to, self.lines) = begin;
        }
        events
    }

    fn understand(&mut self, line: &str) -> Result<Event, SimulatorError> {
        self.lines += 1;
        let event = serde_json::from_str(line).map_err(|_| self.damaged())?;
        match event {
            Event::Born(Birth { version, .. }) if version != VERSION => Err(SimulatorError::Version {
                path: self.path.clone(),
                version,
            }),
            _ => Ok(event),
        }
    }

    /// Whole lines beyond what has been read; a cut line is dropped from the file.
    fn unread(&mut self) -> io::Result<String> {
        let length = self.file.metadata()?.len();
        if length <= self.read_to {
            return Ok(String::new());
        }
        self.file.seek(SeekFrom::Start(self.read_to))?;
        let mut bytes = Vec::new();
        self.file.read_to_end(&mut bytes)?;
        let whole = bytes
            .iter()
            .rposition(|byte| *byte == b'\n')
            .map_or(0, |at| at + 1);
        if whole < bytes.len() {
            bytes.truncate(whole);
            self.file.set_len(self.read_to + whole as u64)?;
        }
        self.read_to += whole as u64;
        String::from_utf8(bytes).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
    }

    /// Appends what has happened. The lock must be held, and the news read.
    pub(super) fn append(&mut self, event: &Event) -> Result<(), SimulatorError> {
        let written = self.write(event);
        if written.is_err() {
            // Half a line would be taken for the beginning of the next one.
            let _ = self.file.set_len(self.read_to);
        }
        written.map_err(|source| self.refused(source))
    }

    fn write(&mut self, event: &Event) -> io::Result<()> {
        let mut line = serde_json::to_vec(event)?;
        line.push(b'\n');
        self.file.seek(SeekFrom::Start(self.read_to))?;
        self.file.write_all(&line)?;
        self.read_to += line.len() as u64;
        self.lines += 1;
        Ok(())
    }

    fn refused(&self, source: io::Error) -> SimulatorError {
        SimulatorError::Store {
            path: self.path.clone(),
            source,
        }
    }

    fn damaged(&self) -> SimulatorError {
        SimulatorError::Damaged {
            path: self.path.clone(),
            line: self.lines,
        }
    }
}

fn private_directory(directory: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    builder.mode(0o700);
    builder.create(directory)
}

fn private_file(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    options.mode(0o600);
    options.open(path)
}
