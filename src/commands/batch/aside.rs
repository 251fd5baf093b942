//! Files that stand where a batch writes, and that it did not write: they are moved aside, never written over.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::batch::sheet::{self, Row};
use crate::domain::Ref;
use crate::error::Result;
use crate::ledger::{Batch, Ledger};

/// How many lines of a results file are looked at.
const LOOKED_AT: usize = 50;
/// Our own columns of a results file; they stand behind the caller's.
const COLUMNS: usize = 17;
/// Those from `ref` on.
const FROM_REF: usize = 16;

/// Whether a results file is one of this batch, whole or not: it names orders of it.
pub(super) fn is_of(ledger: &Ledger, batch: &Batch, path: &Path) -> Result<bool> {
    let Ok(found) = sheet::open(path) else {
        // One that was begun and has no line yet is no loss; what is no text is somebody else's.
        let begun = fs::read_to_string(path);
        return Ok(begun.is_ok_and(|begun| {
            begun.is_empty() || (begun.lines().count() == 1 && begun.contains("settled_by"))
        }));
    };
    let columns = found.header().len();
    let is_results = columns >= COLUMNS && found.header()[columns - 2].ends_with("settled_by");
    let (true, Ok(mut rows)) = (is_results, found.rows()) else {
        return Ok(false);
    };
    let (mut row, mut refs) = (Row::default(), Vec::new());
    while refs.len() < LOOKED_AT && rows.read(&mut row).unwrap_or(false) {
        let reference = row.cells().nth(columns - FROM_REF);
        refs.extend(reference.and_then(|cell| cell.parse::<Ref>().ok()));
    }
    Ok(ledger.has_any(batch, &refs)?)
}

/// Moves a file out of the way: `x.csv` to the first `x.1.csv` that is free. Where it stands now.
pub(super) fn put(path: &Path) -> io::Result<PathBuf> {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let free = (1_u32..1_000_000)
        .map(|number| path.with_file_name(format!("{stem}.{number}.csv")))
        .find(|place| fs::symlink_metadata(place).is_err());
    let Some(place) = free else {
        return Err(io::ErrorKind::AlreadyExists.into());
    };
    fs::rename(path, &place)?;
    Ok(place)
}

/// Stands for the bytes of a file; none where it can't be read.
pub(super) fn digest(path: &Path) -> Option<String> {
    let bytes = fs::read(path).ok()?;
    Some(brief(Sha256::new().chain_update(bytes)))
}

/// The first half of a digest, which is enough to tell files apart.
pub(super) fn brief(digest: Sha256) -> String {
    crate::domain::hex(&digest.finalize()[..16])
}
