//! The audit log: a file beside the ledger with a line for each act and each move, where every line carries the hash
//! of the one before.
//!
//! The ledger is the truth and the outbox: lines are made of its committed rows, in the order of their commits, and of
//! nothing else, so that whoever writes them writes the same bytes. A file that can't be written stops nothing: its
//! lines are written later.

mod entries;
mod export;
mod line;
mod lines;
mod listing;
mod tail;
mod verdict;
mod verify;

use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::Connection;

use super::{LedgerError, true_path};
pub use export::{Exported, Exporter};
pub use listing::{Listed, Lookup, list};
pub use verdict::{Difference, DifferenceKind, Verdict};
pub use verify::verify;

/// What the first line carries in place of a hash.
pub const NO_HASH: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// How long to wait for another process that writes. What is left is written by the next command.
const LOCK_WAIT: Duration = Duration::from_secs(2);
/// Between two looks at the lock.
const LOCK_PAUSE: Duration = Duration::from_millis(5);

/// Why the log could not be written or read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AuditError {
    /// The file.
    #[error("`{path}`: {why}")]
    File {
        /// Where it is.
        path: String,
        /// What the system says.
        why: String,
    },
    /// The ledger.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

impl AuditError {
    fn file(path: &Path, why: impl std::fmt::Display) -> Self {
        Self::File {
            path: path.display().to_string(),
            why: why.to_string(),
        }
    }
}

impl From<rusqlite::Error> for AuditError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Ledger(error.into())
    }
}

/// A result whose failure is the log's.
pub type Result<T> = std::result::Result<T, AuditError>;

/// Where the log of a ledger is: `ledger.db.audit.jsonl` beside `ledger.db`.
pub fn path_of(ledger: &Path) -> PathBuf {
    let ledger = true_path(ledger);
    let mut name = ledger.file_name().unwrap_or_default().to_owned();
    name.push(".audit.jsonl");
    ledger.with_file_name(name)
}

/// Opens the log. What is no regular file is refused: a pipe or a device in its place would be waited for.
fn open(path: &Path, options: &mut OpenOptions) -> std::io::Result<File> {
    let is_file = |data: &std::fs::Metadata| {
        if data.is_file() {
            Ok(())
        } else {
            Err(std::io::Error::other("it is no regular file"))
        }
    };
    // Before it is opened: opening a pipe waits already.
    if let Ok(data) = std::fs::metadata(path) {
        is_file(&data)?;
    }
    let file = options.open(path)?;
    is_file(&file.metadata()?)?;
    Ok(file)
}

/// How far the file is written.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Head {
    /// The number of its last line.
    n: i64,
    /// The hash of that line.
    hash: String,
    /// The length of the file.
    bytes: u64,
    /// The last move that is in it.
    move_id: i64,
    /// The last act that is in it.
    act_id: i64,
}

impl Head {
    fn read(connection: &Connection) -> Result<Self> {
        let query = "SELECT n, hash, bytes, move_id, act_id FROM audit_head";
        Ok(connection.prepare_cached(query)?.query_row([], |row| {
            Ok(Self {
                n: row.get(0)?,
                hash: row.get(1)?,
                bytes: u64::try_from(row.get::<_, i64>(2)?).unwrap_or_default(),
                move_id: row.get(3)?,
                act_id: row.get(4)?,
            })
        })?)
    }

    /// Puts this head in the place of `before`, unless another process has put one there.
    fn replace(&self, before: &Self, connection: &Connection) -> Result<bool> {
        let bytes = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        let replaced = connection
            .prepare_cached(
                "UPDATE audit_head SET n = ?1, hash = ?2, bytes = ?3, move_id = ?4, act_id = ?5 \
                 WHERE n = ?6 AND bytes = ?7",
            )?
            .execute((
                self.n,
                &self.hash,
                bytes(self.bytes),
                self.move_id,
                self.act_id,
                before.n,
                bytes(before.bytes),
            ))?;
        Ok(replaced == 1)
    }
}

#[cfg(test)]
mod tests;
