//! Files that stand where a batch writes, and that it did not write: they are moved aside, never written over.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::batch::sheet::{self, Row};
use crate::domain::Ref;
use crate::error::Result;
use crate::ledger::{Batch, Ledger};

/// How many lines of a results file are looked at.
const LOOKED_AT: usize = 50;
/// The most that the header of a results file takes: the caller's, which is read up to a mebibyte, and ours.
const HEADER_BYTES_MAX: u64 = 2 << 20;
/// So much of a file is read at a time.
const READ_BYTES: usize = 64 * 1024;
/// Our own columns of a results file; they stand behind the caller's.
const COLUMNS: usize = 17;
/// Those from `ref` on.
const FROM_REF: usize = 16;

/// Whether a results file is one of this batch, whole or not: it names orders of it.
pub(super) fn is_of(ledger: &Ledger, batch: &Batch, path: &Path) -> Result<bool> {
    let Ok(found) = sheet::open(path) else {
        // One that was begun and has no line yet is no loss; what is no text is somebody else's.
        return Ok(File::open(path).is_ok_and(is_just_begun));
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

/// Whether there is nothing but a header of ours, or nothing at all.
fn is_just_begun(file: impl Read) -> bool {
    let mut begun = String::new();
    let mut head = file.take(HEADER_BYTES_MAX);
    head.read_to_string(&mut begun).is_ok()
        && head.limit() > 0
        && (begun.is_empty() || (begun.lines().count() == 1 && begun.contains("settled_by")))
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

/// Stands for the bytes of a file, however long it is; none where it can't be read.
pub(super) fn digest(path: &Path) -> Option<String> {
    digest_of(File::open(path).ok()?).ok()
}

fn digest_of(mut file: impl Read) -> io::Result<String> {
    let (mut digest, mut bytes) = (Sha256::new(), vec![0; READ_BYTES]);
    loop {
        match file.read(&mut bytes) {
            Ok(0) => return Ok(brief(digest)),
            Ok(count) => digest.update(&bytes[..count]),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// The first half of a digest, which is enough to tell files apart.
pub(super) fn brief(digest: Sha256) -> String {
    crate::domain::hex(&digest.finalize()[..16])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A long file of one letter, and how much of it was read, at most at a time and in all.
    struct Long {
        left: usize,
        most: usize,
        read: usize,
    }

    impl Read for Long {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            let count = into.len().min(self.left);
            into[..count].fill(b'x');
            self.left -= count;
            self.most = self.most.max(count);
            self.read += count;
            Ok(count)
        }
    }

    const LONG: Long = Long {
        left: 8 << 20,
        most: 0,
        read: 0,
    };

    #[test]
    fn a_long_file_is_hashed_a_piece_at_a_time() {
        let mut file = LONG;
        let digest = digest_of(&mut file).unwrap_or_else(|error| panic!("{error}"));
        let whole = Sha256::new().chain_update("x".repeat(LONG.left));
        assert_eq!((digest, file.left), (brief(whole), 0));
        assert!(file.most <= READ_BYTES, "{} bytes at once", file.most);
    }

    #[test]
    fn the_head_tells_whether_a_file_was_just_begun() {
        let mut file = LONG;
        assert!(!is_just_begun(&mut file));
        assert!(file.read <= 2 << 20, "{} bytes were read", file.read);
        for begun in ["", "phone,ref,settled_by\n", "phone,ref,settled_by"] {
            assert!(is_just_begun(begun.as_bytes()), "{begun}");
        }
        for other in ["a list", "settled_by\nmine\n", "settled_by\u{0}\nx"] {
            assert!(!is_just_begun(other.as_bytes()), "{other}");
        }
    }
}
