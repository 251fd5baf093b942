//! Records and their cells, by RFC 4180: quotes may hold separators and line breaks, and are doubled inside.
//!
//! A quote inside a cell that did not begin with one is text. Line ends are CRLF, LF and a lone CR.

use std::ops::Range;

use super::error::SheetError;
use super::text::Text;
use super::{COLUMNS_MAX, RECORD_BYTES_MAX};

/// One record; its buffers are used again.
#[derive(Debug, Default)]
pub(super) struct Record {
    /// The cells, one behind the other.
    text: String,
    /// Where each cell ends.
    ends: Vec<usize>,
    /// The physical line on which it begins, from 1.
    pub line: u64,
    /// Whether a line end stands behind it.
    pub is_ended: bool,
    /// Whether something stands between a closing quote and the next separator: quotes do not match.
    pub is_stray: bool,
}

impl Record {
    /// How many cells it has.
    pub(super) fn width(&self) -> usize {
        self.ends.len()
    }

    /// A cell as it was written, without its quotes.
    pub(super) fn cell(&self, index: usize) -> Option<&str> {
        let end = *self.ends.get(index)?;
        let start = index.checked_sub(1).map_or(0, |before| self.ends[before]);
        self.text.get(start..end)
    }

    /// All cells.
    pub(super) fn cells(&self) -> impl Iterator<Item = &str> {
        (0..self.width()).map(|index| self.cell(index).unwrap_or_default())
    }

    /// How many cells there are up to the last that is filled.
    pub(super) fn used(&self) -> usize {
        let is_filled = |index: &usize| self.cell(*index).is_some_and(|cell| !is_blank(cell));
        (0..self.width()).rev().find(is_filled).map_or(0, |last| last + 1)
    }

    /// Whether nobody would see anything in it.
    pub(super) fn is_blank(&self) -> bool {
        is_blank(&self.text)
    }

    /// Whether it is more than what old editors put behind the last line. A line of separators may be what is left of
    /// a row, and so may a space.
    pub(super) fn is_more_than_an_end_mark(&self) -> bool {
        self.width() > 1 || self.text != "\u{1A}"
    }

    /// Whether a cell holds one.
    pub(super) fn has_line_break(&self) -> bool {
        self.text.contains(['\n', '\r'])
    }
}

/// Whether a text is made of white space, quotes and unseen characters only.
fn is_blank(text: &str) -> bool {
    text.chars()
        .all(|character| matches!(character, '"' | '\'') || is_unseen(character))
}

/// White space, marks that turn the direction of text, and DOS's end of file.
pub(super) fn is_unseen(character: char) -> bool {
    character.is_whitespace()
        || matches!(
            character,
            '\u{1A}'
                | '\u{61C}'
                | '\u{200B}'..='\u{200F}'
                | '\u{202A}'..='\u{202E}'
                | '\u{2060}'..='\u{2069}'
                | '\u{FEFF}'
        )
}

/// The records of a file.
pub(super) struct Records {
    text: Text,
    splitter: Splitter,
}

impl Records {
    /// Those that `separator` makes of `text`; without one, each line is a cell.
    pub(super) fn new(text: Text, separator: Option<u8>) -> Self {
        let splitter = Splitter::new(separator);
        Self { text, splitter }
    }

    /// Reads the next record, blank or not. False at the end.
    pub(super) fn read(&mut self, record: &mut Record) -> Result<bool, SheetError> {
        let mut into = Filling::of(record);
        self.splitter.begin();
        record.line = self.splitter.line;
        loop {
            let chunk = self.text.fill(self.splitter.line)?;
            if chunk.is_empty() {
                record.is_ended = false;
                if !self.splitter.end(&mut into)? {
                    return Ok(false);
                }
                break;
            }
            let (used, step) = self.splitter.feed(chunk, &mut into);
            self.text.consume(used);
            if step == Step::Nul {
                return Err(self.text.binary(self.splitter.line));
            }
            let line = record.line;
            if into.bytes.len() > RECORD_BYTES_MAX {
                return Err(SheetError::TooLong { line });
            }
            if step == Step::TooWide {
                return Err(SheetError::TooWide { line });
            }
            if step == Step::Ended {
                record.is_ended = true;
                break;
            }
        }
        record.is_stray = into.is_stray;
        record.ends = into.ends;
        // The decoder gives valid text, and cells are cut at ASCII.
        record.text = String::from_utf8(into.bytes).map_err(|_| self.text.undecodable(record.line))?;
        Ok(true)
    }
}

/// What is being put into a record.
struct Filling {
    bytes: Vec<u8>,
    ends: Vec<usize>,
    is_stray: bool,
}

impl Filling {
    fn of(record: &mut Record) -> Self {
        let mut bytes = std::mem::take(&mut record.text).into_bytes();
        let mut ends = std::mem::take(&mut record.ends);
        bytes.clear();
        ends.clear();
        Self {
            bytes,
            ends,
            is_stray: false,
        }
    }

    fn end_cell(&mut self) {
        self.ends.push(self.bytes.len());
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    CellStart,
    Bare,
    Quoted,
    /// A quote inside quotes: the end of them, or the first of a double.
    QuoteSeen,
    /// Behind the closing quote.
    Closed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// The piece is used up; the record is not.
    More,
    Ended,
    TooWide,
    Nul,
}

/// The state machine; knows nothing of files.
struct Splitter {
    separator: Option<u8>,
    /// Bytes that mean something outside quotes, and inside.
    stops: [[bool; 256]; 2],
    state: State,
    /// The physical line that is being read.
    line: u64,
    opened_line: u64,
    /// The last byte was a CR, so that a LF is the second half of one line end.
    was_return: bool,
    has_begun: bool,
}

impl Splitter {
    fn new(separator: Option<u8>) -> Self {
        let mut inside = [false; 256];
        for byte in [0, b'\n', b'\r', b'"'] {
            inside[usize::from(byte)] = true;
        }
        let mut outside = inside;
        if let Some(separator) = separator {
            outside[usize::from(separator)] = true;
        }
        Self {
            separator,
            stops: [outside, inside],
            state: State::CellStart,
            line: 1,
            opened_line: 1,
            was_return: false,
            has_begun: false,
        }
    }

    fn begin(&mut self) {
        self.state = State::CellStart;
        self.has_begun = false;
    }

    /// The end of the file. False where no record had begun.
    fn end(&mut self, into: &mut Filling) -> Result<bool, SheetError> {
        if self.state == State::Quoted {
            let line = self.opened_line;
            return Err(SheetError::OpenQuote { line });
        }
        into.end_cell();
        Ok(self.has_begun)
    }

    /// Takes bytes until the record ends; tells how many.
    fn feed(&mut self, chunk: &[u8], into: &mut Filling) -> (usize, Step) {
        let mut at = 0;
        if !self.has_begun && std::mem::take(&mut self.was_return) && chunk.first() == Some(&b'\n') {
            at = 1;
        }
        while at < chunk.len() {
            self.has_begun = true;
            let (used, step) = match self.state {
                State::CellStart => self.start(chunk[at]),
                State::QuoteSeen => self.behind_quote(chunk[at], into),
                State::Bare | State::Closed => self.bare(&chunk[at..], into),
                State::Quoted => self.quoted(&chunk[at..], into),
            };
            at += used;
            if step != Step::More {
                return (at, step);
            }
        }
        (at, Step::More)
    }

    fn start(&mut self, byte: u8) -> (usize, Step) {
        if byte == b'"' {
            self.state = State::Quoted;
            self.opened_line = self.line;
            self.was_return = false;
            (1, Step::More)
        } else {
            self.state = State::Bare;
            (0, Step::More)
        }
    }

    fn behind_quote(&mut self, byte: u8, into: &mut Filling) -> (usize, Step) {
        if byte == b'"' {
            into.bytes.push(byte);
            self.state = State::Quoted;
            (1, Step::More)
        } else {
            self.state = State::Closed;
            (0, Step::More)
        }
    }

    fn bare(&mut self, bytes: &[u8], into: &mut Filling) -> (usize, Step) {
        let run = self.run(bytes, 0);
        into.bytes.extend_from_slice(&bytes[run.clone()]);
        if self.state == State::Closed && !bytes[run.clone()].trim_ascii().is_empty() {
            into.is_stray = true;
        }
        let Some(&byte) = bytes.get(run.end) else {
            return (run.end, Step::More);
        };
        let used = run.end + 1;
        if Some(byte) == self.separator {
            into.end_cell();
            self.state = State::CellStart;
            let is_wide = into.ends.len() >= COLUMNS_MAX;
            return (used, if is_wide { Step::TooWide } else { Step::More });
        }
        match byte {
            b'"' => {
                into.is_stray |= self.state == State::Closed;
                into.bytes.push(byte);
                (used, Step::More)
            }
            0 => (used, Step::Nul),
            _ => {
                into.end_cell();
                self.line += 1;
                self.was_return = byte == b'\r';
                (used, Step::Ended)
            }
        }
    }

    fn quoted(&mut self, bytes: &[u8], into: &mut Filling) -> (usize, Step) {
        let run = self.run(bytes, 1);
        into.bytes.extend_from_slice(&bytes[run.clone()]);
        if !run.is_empty() {
            self.was_return = false;
        }
        let Some(&byte) = bytes.get(run.end) else {
            return (run.end, Step::More);
        };
        let used = run.end + 1;
        match byte {
            b'"' => {
                self.state = State::QuoteSeen;
                self.was_return = false;
            }
            0 => return (used, Step::Nul),
            _ => {
                into.bytes.push(byte);
                self.line += u64::from(!(byte == b'\n' && self.was_return));
                self.was_return = byte == b'\r';
            }
        }
        (used, Step::More)
    }

    /// The bytes before the next one that means something.
    fn run(&self, bytes: &[u8], side: usize) -> Range<usize> {
        let stops = &self.stops[side];
        let end = bytes.iter().position(|byte| stops[usize::from(*byte)]);
        0..end.unwrap_or(bytes.len())
    }
}
