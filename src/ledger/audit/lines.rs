//! The lines of the file, read once from its beginning, with one in advance.

use std::fs::File;
use std::io::{BufRead, BufReader, ErrorKind, Read, Take};
use std::path::Path;

use super::line::{Parts, parts};
use super::{AuditError, Result};

/// The longest line; ours are shorter by far.
const LINE_BYTES_MAX: u64 = 1024 * 1024;

/// A line of the file.
pub(super) struct Line {
    pub number: u64,
    pub bytes: Vec<u8>,
    /// Whether it is ended.
    pub has_end: bool,
}

impl Line {
    pub fn parts(&self) -> Option<Parts<'_>> {
        parts(&self.bytes)
    }

    /// Whether the log was taken up again with it, behind a change of the file.
    pub fn says_damaged(&self) -> bool {
        let word = br#","event":"damaged","#;
        self.bytes.windows(word.len()).any(|bytes| bytes == word)
    }
}

/// The lines of the file up to the head's length, with one in advance.
pub(super) struct Lines {
    reader: Option<Take<BufReader<File>>>,
    read: u64,
    /// The line to look at.
    pub current: Option<Line>,
    /// The one behind it.
    pub next: Option<Line>,
}

impl Lines {
    pub fn open(path: &Path, bytes: u64) -> Result<Self> {
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

    /// Goes on to the next line.
    pub fn advance(&mut self) -> std::io::Result<()> {
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
