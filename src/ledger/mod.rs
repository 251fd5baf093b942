//! The ledger: every order that may have left this machine, written before its first byte leaves. The only room
//! that names the database.
//!
//! `SQLite` in WAL mode with `synchronous=FULL`: a commit that has returned survives a power cut. One writer
//! thread commits all that is waiting in one transaction; readers have a connection of their own. Moves between
//! states are checked here, against the state that is stored, in the transaction that writes them.

mod acts;
pub mod audit;
mod batches;
mod cache;
mod claims;
mod compared;
mod comparison;
mod error;
mod guard;
mod lock;
mod owner;
mod pairing;
mod planner;
mod queries;
mod readings;
mod rows;
mod sales;
mod schema;
mod seen_rows;
mod writer;
mod writes;

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use rusqlite::Connection;

pub use acts::{ActEvent, Author, NewAct, Override};
pub use batches::{Batch, InDoubt, OpenRow, Paid, PlannedRow, Sheet, SheetOrder, Standings, ToSend};
pub use cache::StoredIdentity;
pub use claims::{ClaimCursor, ClaimRules, Claims, Consent, Hold};
pub use compared::{Compared, EntrySum, MatchedBy, Moved, SeenEntry, Sum, Theirs};
pub use comparison::Comparison;
pub use error::LedgerError;
pub use guard::{CapPassed, Caps, Guard};
pub use lock::{BatchLock, ReadingLock};
pub use owner::Owner;
pub use planner::{Fate, LeftOpen, NewSheet, Planner, Repeat, Resolved, StagedRow};
pub use queries::{Filter, InHand, Move, OpenCount};
pub use readings::{AnswerKind, Listing, PageRows, Reading, StoredPage, Stretch, StretchEnd};
pub use rows::Attempt;
pub use sales::{CameBack, Sale};
pub use writes::{Again, Begun, Change, NewSend, OrderKey, Written};

use crate::domain::{Account, Order, Ref};
use crate::promise::{Rule, holds};
use writer::Writer;

/// A result whose failure is the ledger's.
pub type Result<T> = std::result::Result<T, LedgerError>;

/// Where the file is, whatever links lead to it: what stands beside the ledger (locks, owners, its log) must be the same
/// for everybody who opens it.
pub fn true_path(ledger: &Path) -> PathBuf {
    ledger.canonicalize().unwrap_or_else(|_| ledger.to_owned())
}

/// An open ledger.
#[derive(Debug)]
pub struct Ledger {
    path: PathBuf,
    reader: Mutex<Connection>,
    writer: Writer,
    /// Claimed with the first order that is sent: most commands send none.
    owner: OnceLock<Owner>,
}

impl Ledger {
    /// Opens the ledger at `path`, makes it where there is none, and brings an older schema up to date.
    ///
    /// # Errors
    /// A file that is no ledger, one written by a newer version, a directory or disk that can't be written: in
    /// each case nothing may be sent.
    pub fn open(path: &Path) -> Result<Self> {
        schema::prepare_place(path)?;
        let path = &true_path(path);
        let mut writing = schema::connect(path)?;
        schema::migrate(&mut writing, path)?;
        acts::prepare(&writing)?;
        let reader = schema::connect(path)?;
        schema::read_lightly(&reader)?;
        Ok(Self {
            path: path.to_owned(),
            reader: Mutex::new(reader),
            writer: Writer::start(writing)?,
            owner: OnceLock::new(),
        })
    }

    /// A ledger whose writer commits each job alone, as a step of a life, and leaves it to the system when it reaches
    /// the disk: the proof kills no machine.
    #[cfg(test)]
    pub(crate) fn open_stepwise(path: &Path, life: crate::promise::Life) -> Result<Self> {
        schema::prepare_place(path)?;
        let writing = schema::connect(path)?;
        writing.pragma_update(None, "synchronous", "off")?;
        acts::prepare(&writing)?;
        let reader = schema::connect(path)?;
        Ok(Self {
            path: path.to_owned(),
            reader: Mutex::new(reader),
            writer: Writer::stepwise(writing, life),
            owner: OnceLock::new(),
        })
    }

    /// Whether the process that is sending an order is still there. Only then may its `sending` be believed.
    pub fn is_being_sent(&self, order: &Order) -> bool {
        order
            .owner
            .as_ref()
            .is_some_and(|owner| !self.is_us(owner) && Owner::is_alive(&self.path, owner))
            && holds(Rule::OwnerAlive)
    }

    fn is_us(&self, owner: &str) -> bool {
        self.owner.get().is_some_and(|us| us.is(owner))
    }

    /// The name under which this process sends.
    fn owner_name(&self) -> Result<&str> {
        if self.owner.get().is_none() {
            // The database overlooks it where the name of its log can't be made durable.
            schema::sync_directory(&self.path)?;
            // A second claim in one process, made at the same moment, is dropped and its file with it.
            let _ = self.owner.set(Owner::claim(&self.path)?);
        }
        Ok(self.owner.get().map_or("", Owner::name))
    }

    /// The order of an account under a ref.
    pub fn find(&self, account: &Account, reference: &Ref) -> Result<Option<Order>> {
        queries::find(&self.reader(), account, reference)
    }

    fn reader(&self) -> MutexGuard<'_, Connection> {
        self.reader.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
