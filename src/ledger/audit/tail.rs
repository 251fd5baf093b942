//! What stands behind the end that the ledger has noted: the beginning of lines that a process has left when it died,
//! or what nobody has written. It is only read.

use std::fs::{File, TryLockError};
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::Path;
use std::time::Instant;

use rusqlite::Connection;

use super::entries::Queries;
use super::line::{hash, render};
use super::verdict::{Difference, DifferenceKind, difference};
use super::{AuditError, Head, LOCK_PAUSE, LOCK_WAIT, Result};

/// Keeps others from writing; false where one does for longer than it is waited for.
pub(super) fn hold(file: &File) -> std::io::Result<bool> {
    let until = Instant::now() + LOCK_WAIT;
    loop {
        match file.try_lock_shared() {
            Ok(()) => return Ok(true),
            Err(TryLockError::Error(error)) => return Err(error),
            Err(TryLockError::WouldBlock) if Instant::now() >= until => return Ok(false),
            Err(TryLockError::WouldBlock) => std::thread::sleep(LOCK_PAUSE),
        }
    }
}

/// The file behind the head, as far as it was written when nobody else did.
pub(super) struct Tail<'f> {
    pub path: &'f Path,
    pub file: &'f File,
    pub length: u64,
}

/// What the tail is made of.
enum Made {
    /// Of lines that the ledger holds, the last of them perhaps cut off.
    Ours,
    /// Of something else, from its first byte or behind lines of ours.
    Foreign { from_its_first: bool },
}

impl Tail<'_> {
    /// What nobody has written there.
    pub fn difference(&self, head: &Head, connection: &Connection) -> Result<Option<Difference>> {
        if self.length <= head.bytes {
            return Ok(None);
        }
        let Made::Foreign { from_its_first } = self.made(head, connection)? else {
            return Ok(None);
        };
        let ends_with_zeros = self.byte(self.length - 1).is_ok_and(|last| last == 0);
        if head.n == 0 && from_its_first && !ends_with_zeros {
            let detail = "the log belongs to another ledger: this one has no row for line 1";
            return Ok(Some(Difference {
                line: Some(1),
                ..difference(DifferenceKind::OtherLedger, detail.to_owned())
            }));
        }
        let more = self.length - head.bytes;
        let zeros = if ends_with_zeros {
            "; zeros are what a power cut leaves, and the next command that moves money takes them away"
        } else {
            ""
        };
        let detail =
            format!("{more} bytes behind the end that the ledger has noted are not of its rows{zeros}");
        Ok(Some(difference(DifferenceKind::Tail, detail)))
    }

    fn made(&self, head: &Head, connection: &Connection) -> Result<Made> {
        let failed = |error| AuditError::file(self.path, error);
        let is_torn = head.bytes > 0 && self.byte(head.bytes - 1).map_err(failed)? != b'\n';
        let mut file = self.file;
        file.seek(SeekFrom::Start(head.bytes)).map_err(failed)?;
        let mut reader = BufReader::new(file.take(self.length - head.bytes));
        let mut queries = Queries::prepare(connection)?;
        let mut entries = queries.behind(head)?;
        let (mut body, mut line, mut there) = (Vec::new(), Vec::new(), Vec::new());
        let (mut previous, mut count) = (head.hash.clone(), 0_u64);
        while !reader.fill_buf().map_err(failed)?.is_empty() {
            let foreign = Made::Foreign {
                from_its_first: count == 0,
            };
            let Some(entry) = entries.next(&mut body)? else {
                return Ok(foreign);
            };
            render(&mut line, entry.n, &body, &previous);
            previous = hash(&line);
            line.push(b'\n');
            if is_torn && count == 0 {
                line.insert(0, b'\n');
            }
            there.clear();
            let longest = u64::try_from(line.len()).unwrap_or(u64::MAX);
            reader
                .by_ref()
                .take(longest)
                .read_to_end(&mut there)
                .map_err(failed)?;
            if !line.starts_with(&there) {
                return Ok(foreign);
            }
            count += 1;
        }
        Ok(Made::Ours)
    }

    fn byte(&self, at: u64) -> std::io::Result<u8> {
        let (mut file, mut byte) = (self.file, [0]);
        file.seek(SeekFrom::Start(at))?;
        file.read_exact(&mut byte)?;
        Ok(byte[0])
    }
}
