//! Which process is sending an order: a lock file that the system frees when the process dies, however it dies.
//!
//! An order that is `sending` under a living owner is that owner's business; under a dead one it is `unknown`.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

use super::error::LedgerError;

/// This process's claim. Freed by the system at the latest when the process ends.
#[derive(Debug)]
pub struct Owner {
    name: String,
    path: PathBuf,
    _lock: File,
}

impl Owner {
    /// Claims a new name beside the ledger.
    pub fn claim(ledger: &Path) -> Result<Self, LedgerError> {
        let directory = directory_of(ledger);
        make_private_directory(&directory).map_err(|error| LedgerError::at(&directory, error))?;
        sweep_away_the_dead(&directory);
        loop {
            let name = format!("{}-{:016x}", std::process::id(), fastrand::u64(..));
            let path = directory.join(&name);
            let lock = File::create_new(&path).map_err(|error| LedgerError::at(&path, error))?;
            match lock.try_lock() {
                Ok(()) => {}
                // Somebody swept between making and locking; the next name is as good.
                Err(TryLockError::WouldBlock) => continue,
                Err(TryLockError::Error(error)) => return Err(LedgerError::at(&path, error)),
            }
            if path.exists() {
                return Ok(Self {
                    name,
                    path,
                    _lock: lock,
                });
            }
        }
    }

    /// The name, as it stands in an order.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether `name` is this process.
    pub fn is(&self, name: &str) -> bool {
        self.name == name
    }

    /// Whether the owner called `name` still holds its lock. When it can't be told, it counts as alive: then
    /// nothing is sent twice, at the price of asking again later.
    pub fn is_alive(ledger: &Path, name: &str) -> bool {
        match File::open(directory_of(ledger).join(name)) {
            Ok(file) => file.try_lock_shared().is_err(),
            Err(error) => error.kind() != std::io::ErrorKind::NotFound,
        }
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        // A file that stays is swept away by the next process.
        let _ = fs::remove_file(&self.path);
    }
}

/// `ledger.db.owners` beside `ledger.db`.
fn directory_of(ledger: &Path) -> PathBuf {
    let mut name = ledger.file_name().unwrap_or_default().to_owned();
    name.push(".owners");
    ledger.with_file_name(name)
}

fn sweep_away_the_dead(directory: &Path) {
    let Ok(entries) = fs::read_dir(directory) else {
        return;
    };
    for path in entries.flatten().map(|entry| entry.path()) {
        let Ok(file) = File::open(&path) else { continue };
        // The lock is held until the name is gone: a claim that is just being made sees one or the other.
        if file.try_lock().is_ok() {
            let _ = fs::remove_file(&path);
        }
    }
}

/// Makes a directory that only its owner can enter, with all those above it.
pub(super) fn make_private_directory(path: &Path) -> std::io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_owner_is_alive_until_it_is_gone() -> Result<(), Box<dyn std::error::Error>> {
        let place = tempfile::tempdir()?;
        let ledger = place.path().join("ledger.db");
        let owner = Owner::claim(&ledger)?;
        let name = owner.name().to_owned();
        assert!(owner.is(&name) && Owner::is_alive(&ledger, &name));
        let other = Owner::claim(&ledger)?;
        assert!(!other.is(&name) && Owner::is_alive(&ledger, &name));
        drop(owner);
        assert!(!Owner::is_alive(&ledger, &name));
        assert!(!Owner::is_alive(&ledger, "1-0"));
        Ok(())
    }

    #[test]
    fn the_dead_are_swept_away_and_the_living_stay() -> Result<(), Box<dyn std::error::Error>> {
        let place = tempfile::tempdir()?;
        let ledger = place.path().join("ledger.db");
        let living = Owner::claim(&ledger)?;
        fs::write(directory_of(&ledger).join("dead"), "")?;
        let _next = Owner::claim(&ledger)?;
        assert!(!directory_of(&ledger).join("dead").exists());
        assert!(Owner::is_alive(&ledger, living.name()));
        Ok(())
    }
}
