//! The bytes of a file as UTF-8, a piece at a time, with the proof at the end that it is still the same file.

use std::fs::File;
use std::path::{Path, PathBuf};

use encoding_rs::{Decoder, DecoderResult};
use sha2::{Digest, Sha256};

use super::encoding::Encoding;
use super::error::SheetError;
use super::show;
use super::survey::{Survey, fill, open_file, unreadable};

/// A file being read and decoded.
pub(super) struct Text {
    path: PathBuf,
    file: File,
    encoding: Encoding,
    decoder: Decoder,
    /// What the bytes must amount to in the end.
    expected: [u8; 32],
    digest: Sha256,
    /// Bytes of the mark at the beginning that are still to be left out.
    mark_bytes: usize,
    raw: Window,
    decoded: Window,
    is_at_end: bool,
}

/// A buffer and the part of it that is still to be used.
struct Window {
    bytes: Vec<u8>,
    start: usize,
    end: usize,
}

impl Window {
    fn new(bytes: usize) -> Self {
        Self {
            bytes: vec![0; bytes],
            start: 0,
            end: 0,
        }
    }

    fn left(&self) -> &[u8] {
        &self.bytes[self.start..self.end]
    }
}

impl Text {
    /// Opens the file that was surveyed; another length means another file.
    pub(super) fn open(path: &Path, survey: &Survey, encoding: Encoding) -> Result<Self, SheetError> {
        let file = open_file(path)?;
        let length = file.metadata().map_err(|error| unreadable(path, &error))?.len();
        if length != survey.length {
            return Err(SheetError::Changed { path: show(path) });
        }
        Ok(Self {
            path: path.to_owned(),
            file,
            encoding,
            decoder: encoding.decoder(),
            expected: survey.digest,
            digest: Sha256::new(),
            mark_bytes: encoding.mark_bytes(&survey.head),
            raw: Window::new(survey.piece),
            decoded: Window::new(survey.piece),
            is_at_end: false,
        })
    }

    /// The next piece of text, until it is [used](Self::consume); empty at the end. `line` is for the refusal.
    pub(super) fn fill(&mut self, line: u64) -> Result<&[u8], SheetError> {
        while self.decoded.left().is_empty() && !self.is_at_end {
            self.read()?;
            self.decode(line)?;
        }
        Ok(self.decoded.left())
    }

    /// Says how much of the piece was used.
    pub(super) fn consume(&mut self, count: usize) {
        self.decoded.start += count;
    }

    /// What a NUL in the text means.
    pub(super) fn binary(&self, line: u64) -> SheetError {
        SheetError::Binary {
            path: show(&self.path),
            line,
            what: "a NUL byte",
        }
    }

    /// What a broken sequence means.
    pub(super) fn undecodable(&self, line: u64) -> SheetError {
        SheetError::Undecodable {
            path: show(&self.path),
            encoding: self.encoding.name(),
            line,
        }
    }

    fn read(&mut self) -> Result<(), SheetError> {
        if !self.raw.left().is_empty() {
            return Ok(());
        }
        let filled =
            fill(&mut self.file, &mut self.raw.bytes).map_err(|error| unreadable(&self.path, &error))?;
        self.digest.update(&self.raw.bytes[..filled]);
        self.raw.start = self.mark_bytes.min(filled);
        self.mark_bytes -= self.raw.start;
        self.raw.end = filled;
        if filled == 0 {
            self.is_at_end = true;
            let digest: [u8; 32] = self.digest.finalize_reset().into();
            if digest != self.expected {
                let path = show(&self.path);
                return Err(SheetError::Changed { path });
            }
        }
        Ok(())
    }

    fn decode(&mut self, line: u64) -> Result<(), SheetError> {
        let (result, read, written) = self.decoder.decode_to_utf8_without_replacement(
            &self.raw.bytes[self.raw.start..self.raw.end],
            &mut self.decoded.bytes,
            self.is_at_end,
        );
        self.raw.start += read;
        (self.decoded.start, self.decoded.end) = (0, written);
        match result {
            DecoderResult::InputEmpty | DecoderResult::OutputFull => Ok(()),
            DecoderResult::Malformed(..) => {
                let before = String::from_utf8_lossy(&self.decoded.bytes[..written]);
                let ends = before.matches('\n').count();
                Err(self.undecodable(line + ends as u64))
            }
        }
    }
}
