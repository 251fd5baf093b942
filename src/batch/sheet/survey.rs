//! The first look: every byte once, for the digest and for the evidence that later decisions need.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use sha2::{Digest, Sha256};

use super::encoding::Letters;
use super::error::SheetError;
use super::{RECORD_BYTES_MAX, foreign, show};

/// How much is read at a time, in bytes.
pub(super) const PIECE: usize = 64 * 1024;

/// What the bytes of a file say.
#[derive(Debug, Default)]
pub(super) struct Survey {
    /// How many were read at a time, and will be.
    pub piece: usize,
    /// SHA-256 of all of them.
    pub digest: [u8; 32],
    /// How many there are.
    pub length: u64,
    /// The first four.
    pub head: Vec<u8>,
    /// NUL bytes at even and at odd places: UTF-16 has many on one side.
    pub nuls: [u64; 2],
    /// Where the first NUL stands.
    pub first_nul_line: Option<u64>,
    /// Control characters other than tabs and line ends.
    pub controls: u64,
    /// Where the first of them stands.
    pub first_control_line: Option<u64>,
    /// Whether all of it is UTF-8; what is missing at the end counts as `cut`.
    pub utf8: Utf8,
    /// What bytes above 0x7F say about the alphabet.
    pub letters: Letters,
}

/// How far the bytes are UTF-8.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Utf8 {
    /// A sequence that UTF-8 does not have.
    pub broken: bool,
    /// The last sequence is incomplete.
    pub cut: bool,
    /// A complete sequence of several bytes was seen.
    pub wide: bool,
}

/// Reads all of the file, `piece` bytes at a time. Stops at once at a file of another kind, and at a line without end.
pub(super) fn survey(path: &Path, piece: usize) -> Result<Survey, SheetError> {
    let mut file = open_file(path)?;
    let mut walk = Walk::default();
    walk.survey.piece = piece;
    let mut chunk = vec![0; piece];
    loop {
        let filled = fill(&mut file, &mut chunk).map_err(|error| unreadable(path, &error))?;
        if filled == 0 {
            break;
        }
        if walk.survey.length == 0
            && let Some(what) = foreign::name(&chunk[..filled])
        {
            let path = show(path);
            return Err(SheetError::Foreign { path, what });
        }
        walk.take(&chunk[..filled])?;
    }
    Ok(walk.end())
}

/// Opens a regular file: only those can be read twice.
pub(super) fn open_file(path: &Path) -> Result<File, SheetError> {
    let metadata = std::fs::metadata(path).map_err(|error| unreadable(path, &error))?;
    let what = if metadata.is_dir() {
        "a directory"
    } else {
        "a pipe or a device"
    };
    if !metadata.is_file() {
        let path = show(path);
        return Err(SheetError::NotAFile { path, what });
    }
    File::open(path).map_err(|error| unreadable(path, &error))
}

pub(super) fn unreadable(path: &Path, error: &std::io::Error) -> SheetError {
    SheetError::Read {
        path: show(path),
        why: error.to_string(),
    }
}

/// Fills `chunk` unless the file ends: the places of bytes stay even or odd, and short reads change nothing.
pub(super) fn fill(file: &mut File, chunk: &mut [u8]) -> std::io::Result<usize> {
    let mut filled = 0;
    while filled < chunk.len() {
        match file.read(&mut chunk[filled..]) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// The state of a survey under way.
#[derive(Default)]
struct Walk {
    survey: Survey,
    digest: Sha256,
    /// Line ends so far, CRLF once.
    lines: u64,
    line_start: u64,
    was_return: bool,
    /// The beginning of a UTF-8 sequence that the next chunk goes on with.
    rest: Vec<u8>,
}

impl Walk {
    fn take(&mut self, chunk: &[u8]) -> Result<(), SheetError> {
        self.digest.update(chunk);
        if self.survey.length == 0 {
            self.survey.head = chunk.iter().take(4).copied().collect();
        }
        if chunk.is_ascii() {
            self.survey.letters.pass(chunk);
        } else {
            self.survey.letters.take(chunk);
        }
        self.check_utf8(chunk);
        self.scan(chunk)?;
        self.survey.length += chunk.len() as u64;
        self.check_length(self.survey.length)
    }

    /// Line ends, NULs and controls. Bytes in UTF-16 are looked at one by one too, which only makes lines seem
    /// shorter; records are measured again when they are read.
    fn scan(&mut self, chunk: &[u8]) -> Result<(), SheetError> {
        for (index, &byte) in chunk.iter().enumerate() {
            if byte >= b' ' {
                self.was_return = false;
                continue;
            }
            let place = self.survey.length + index as u64;
            match byte {
                b'\n' | b'\r' => {
                    self.check_length(place)?;
                    self.lines += u64::from(!(byte == b'\n' && self.was_return));
                    self.line_start = place + 1;
                }
                0 => {
                    self.survey.nuls[usize::from(place % 2 == 1)] += 1;
                    self.survey.first_nul_line.get_or_insert(self.lines + 1);
                }
                b'\t' => {}
                _ => {
                    self.survey.controls += 1;
                    self.survey.first_control_line.get_or_insert(self.lines + 1);
                }
            }
            self.was_return = byte == b'\r';
        }
        Ok(())
    }

    fn check_length(&self, place: u64) -> Result<(), SheetError> {
        let has_nuls = self.survey.first_nul_line.is_some();
        let bytes_max = RECORD_BYTES_MAX * if has_nuls { 2 } else { 1 };
        if place - self.line_start > bytes_max as u64 {
            let line = self.lines + 1;
            return Err(SheetError::TooLong { line });
        }
        Ok(())
    }

    fn check_utf8(&mut self, chunk: &[u8]) {
        if self.survey.utf8.broken {
            return;
        }
        let joined;
        let bytes = if self.rest.is_empty() {
            chunk
        } else {
            joined = [&self.rest, chunk].concat();
            &joined
        };
        let (valid, rest) = match std::str::from_utf8(bytes) {
            Ok(_) => (bytes, [].as_slice()),
            Err(error) => {
                self.survey.utf8.broken = error.error_len().is_some();
                bytes.split_at(error.valid_up_to())
            }
        };
        self.survey.utf8.wide |= !valid.is_ascii();
        self.rest = if self.survey.utf8.broken {
            Vec::new()
        } else {
            rest.to_vec()
        };
    }

    fn end(mut self) -> Survey {
        self.survey.utf8.cut = !self.rest.is_empty();
        self.survey.digest = self.digest.finalize().into();
        self.survey
    }
}
