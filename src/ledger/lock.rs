//! One process per batch, and one per comparison: a lock that the system frees when the process ends, however it ends
//! (design, section 4).

use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::error::LedgerError;
use super::owner::make_private_directory;
use super::{Ledger, Result};
use crate::domain::{Account, Label, hex};
use crate::promise::{Rule, holds};

/// The right to send the rows of one batch, until it is dropped.
#[derive(Debug)]
pub struct BatchLock(#[expect(dead_code, reason = "held, not read")] File);

/// The right to read an account's lists for a comparison, until it is dropped.
#[derive(Debug)]
pub struct ReadingLock(#[expect(dead_code, reason = "held, not read")] File);

impl Ledger {
    /// Takes the lock of a batch; none where another process has it.
    ///
    /// # Errors
    /// The lock's file beside the ledger can't be made.
    pub fn lock_batch(&self, account: &Account, label: &Label) -> Result<Option<BatchLock>> {
        Ok(match lock(&self.lock_path(account, &label.to_string()))? {
            Err(_) if holds(Rule::BatchLock) => None,
            Ok(file) | Err(file) => Some(BatchLock(file)),
        })
    }

    /// Takes the right to read an account's lists for a comparison; none where another process has it.
    ///
    /// # Errors
    /// The lock's file beside the ledger can't be made.
    pub fn lock_reading(&self, account: &Account) -> Result<Option<ReadingLock>> {
        // No label ends with a line end.
        let held = lock(&self.lock_path(account, "reading\n"))?;
        Ok(held.ok().map(ReadingLock))
    }

    /// `ledger.db.batches/<digest>` beside `ledger.db`. The file stays: taking it away could let two in.
    fn lock_path(&self, account: &Account, what: &str) -> PathBuf {
        let name = format!("{}\n{}\n{what}", account.username, account.environment);
        let digest = Sha256::digest(name.as_bytes());
        let name = hex(digest.iter().take(16));
        let mut directory = self.path.file_name().unwrap_or_default().to_owned();
        directory.push(".batches");
        self.path.with_file_name(directory).join(name)
    }
}

/// The file, locked; or as it is, where another process has locked it.
fn lock(path: &Path) -> Result<std::result::Result<File, File>> {
    let failed = |error: std::io::Error| LedgerError::at(path, error);
    if let Some(directory) = path.parent() {
        make_private_directory(directory).map_err(failed)?;
    }
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(path).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(Ok(file)),
        Err(TryLockError::WouldBlock) => Ok(Err(file)),
        Err(TryLockError::Error(error)) => Err(failed(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Environment;

    #[test]
    fn a_batch_is_locked_once_and_free_again_when_its_holder_is_gone() -> Result<()> {
        let place = tempfile::tempdir().map_err(|error| LedgerError::Storage(error.to_string()))?;
        let ledger = Ledger::open(&place.path().join("ledger.db"))?;
        let account = Account {
            username: "+213770000000".to_owned(),
            environment: Environment::Sandbox,
        };
        let label = |text: &str| text.parse::<Label>().unwrap_or_else(|error| panic!("{error}"));
        let held = ledger.lock_batch(&account, &label("november"))?;
        assert!(held.is_some());
        assert!(ledger.lock_batch(&account, &label("november"))?.is_none());
        assert!(ledger.lock_batch(&account, &label("december"))?.is_some());
        drop(held);
        assert!(ledger.lock_batch(&account, &label("november"))?.is_some());
        Ok(())
    }
}
