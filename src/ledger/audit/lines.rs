//! The lines of the file, read once from its beginning, with one in advance.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, Take};
use std::path::Path;

use super::line::{Parts, hash, parts};
use super::{AuditError, NO_HASH, Result};

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
    /// The first so many bytes of a file; none where there is no file.
    pub fn of(file: Option<&File>, path: &Path, bytes: u64) -> Result<Self> {
        let failed = |error| AuditError::file(path, error);
        let reader = match file {
            Some(file) => {
                let mut file = file.try_clone().map_err(failed)?;
                file.rewind().map_err(failed)?;
                Some(BufReader::with_capacity(256 * 1024, file).take(bytes))
            }
            None => None,
        };
        let mut lines = Self {
            reader,
            read: 0,
            current: None,
            next: None,
        };
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

/// How many lines a file has, and the hash of the last.
pub(super) fn end(file: &File, path: &Path) -> Result<(u64, String)> {
    let mut lines = Lines::of(Some(file), path, u64::MAX)?;
    let mut end = (0, NO_HASH.to_owned());
    while let Some(line) = &lines.current {
        end.0 = line.number;
        if lines.next.is_none() {
            end.1 = hash(&line.bytes);
        }
        lines.advance().map_err(|error| AuditError::file(path, error))?;
    }
    Ok(end)
}
