//! What can go wrong with the ledger. Most of it means: nothing may be sent.

use std::path::Path;

use rusqlite::ErrorCode;

use crate::domain::{IllegalMove, Ref};
use crate::error::{Error, Kind};

/// Why the ledger did not do what was asked of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LedgerError {
    /// The file is something else, or damaged.
    #[error("the ledger `{path}` can't be read: {why}")]
    Damaged {
        /// Where it is.
        path: String,
        /// What the database says.
        why: String,
    },
    /// Written by a later version of the tool.
    #[error("the ledger `{path}` has schema {found}; this version of oneclick knows {known} at most")]
    Newer {
        /// Where it is.
        path: String,
        /// Its schema.
        found: i64,
        /// The newest known here.
        known: i64,
    },
    /// The file or its directory can't be opened or made.
    #[error("the ledger `{path}` can't be opened: {why}")]
    Place {
        /// Where it is.
        path: String,
        /// What the system says.
        why: String,
    },
    /// No room on the disk.
    #[error("the ledger can't be written: the disk is full")]
    Full,
    /// It may not be written.
    #[error("the ledger can't be written: it is read-only")]
    ReadOnly,
    /// Another process holds it.
    #[error("the ledger is locked by another process")]
    Locked,
    /// The disk failed.
    #[error("the ledger can't be written or read: {0}")]
    Storage(String),
    /// A move that the state machine does not have.
    #[error(transparent)]
    Illegal(#[from] IllegalMove),
    /// Somebody else has changed the order since it was read.
    #[error("the order `{0}` was changed by another process")]
    Stale(Ref),
    /// What is stored can't be understood.
    #[error("the ledger holds something that can't be understood: {0}")]
    Unreadable(String),
}

impl LedgerError {
    /// Names the place where opening failed.
    pub(super) fn at(path: &Path, why: impl std::fmt::Display) -> Self {
        Self::Place {
            path: path.display().to_string(),
            why: why.to_string(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Damaged { .. } => "ledger_damaged",
            Self::Newer { .. } => "ledger_newer",
            Self::Place { .. } => "ledger_unavailable",
            Self::Full => "disk_full",
            Self::ReadOnly => "ledger_read_only",
            Self::Locked => "ledger_locked",
            Self::Storage(_) => "ledger_storage",
            Self::Illegal(_) => "illegal_move",
            Self::Stale(_) => "order_changed",
            Self::Unreadable(_) => "ledger_unreadable",
        }
    }

    fn hint(&self) -> &'static str {
        match self {
            Self::Damaged { .. } => {
                "move the file away and keep it; a new ledger is made, and the provider still refuses refs that it knows"
            }
            Self::Newer { .. } => {
                "install the newer oneclick that wrote it, or name another ledger with ONECLICKDZ_LEDGER"
            }
            Self::Place { .. } => {
                "check the directory, its permissions and the room on its disk, or name another place with `ledger` in the configuration or ONECLICKDZ_LEDGER"
            }
            Self::Full => {
                "free some space; what was sent so far is in the ledger, and `oneclick ref check` settles it"
            }
            Self::ReadOnly => {
                "make the file and its directory writable, or name another place with ONECLICKDZ_LEDGER"
            }
            Self::Locked => "wait for the other process to end, then run the command again",
            Self::Storage(_) => "check the disk; `oneclick ref check` settles what was sent before",
            Self::Illegal(_) | Self::Stale(_) => {
                "look at it with `oneclick ref show`, then run the command again"
            }
            Self::Unreadable(_) => "a newer oneclick may have written it; please report it otherwise",
        }
    }
}

impl From<LedgerError> for Error {
    fn from(error: LedgerError) -> Self {
        Self::new(Kind::Ledger, error.code(), error.to_string()).hint(error.hint())
    }
}

impl From<rusqlite::Error> for LedgerError {
    fn from(error: rusqlite::Error) -> Self {
        let why = error.to_string();
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::Full,
            Some(ErrorCode::ReadOnly) => Self::ReadOnly,
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Locked,
            Some(_) => Self::Storage(why),
            None => Self::Unreadable(why),
        }
    }
}
