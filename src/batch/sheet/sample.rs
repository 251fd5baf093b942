//! The first rows of a sheet, as one separator would cut them.

use std::path::Path;

use super::encoding::Encoding;
use super::error::SheetError;
use super::records::{Record, Records};
use super::survey::Survey;
use super::text::Text;

/// How many rows the decisions look at.
const ROWS_MAX: usize = 20;
/// How much text, at least one row.
const BYTES_MAX: usize = 256 * 1024;

/// The first rows that are not blank.
#[derive(Debug, Default)]
pub(super) struct Sample {
    /// The line on which the first begins.
    pub line: u64,
    /// How many cells the first has, empty ones on the right included.
    pub width: usize,
    /// Whether text stands behind a closing quote in the first.
    pub is_stray: bool,
    /// Their cells.
    pub rows: Vec<Vec<String>>,
}

/// Where a sheet is read from, and as what.
#[derive(Clone, Copy)]
pub(super) struct Source<'a> {
    pub path: &'a Path,
    pub survey: &'a Survey,
    pub encoding: Encoding,
}

impl Source<'_> {
    /// Its records as `separator` cuts them.
    pub(super) fn records(&self, separator: Option<u8>) -> Result<Records, SheetError> {
        let text = Text::open(self.path, self.survey, self.encoding)?;
        Ok(Records::new(text, separator))
    }

    /// The first rows, without the `sep=` line where there is one. A fault behind the first row is left to those who
    /// read the rows: the separator may only be the wrong one.
    pub(super) fn sample(&self, separator: u8, has_sep_line: bool) -> Result<Sample, SheetError> {
        let mut records = self.records(Some(separator))?;
        let (mut sample, mut record, mut bytes) = (Sample::default(), Record::default(), 0);
        let mut skip = has_sep_line;
        while sample.rows.len() < ROWS_MAX && bytes < BYTES_MAX {
            match records.read(&mut record) {
                Ok(true) => {}
                Err(error) if sample.rows.is_empty() => return Err(error),
                Ok(false) | Err(_) => break,
            }
            if record.is_blank() {
                continue;
            }
            if std::mem::take(&mut skip) {
                check_sep_line(&record)?;
                continue;
            }
            if sample.rows.is_empty() {
                (sample.line, sample.width) = (record.line, record.width());
                sample.is_stray = record.is_stray;
            }
            let cells = record.cells().take(record.used());
            sample.rows.push(cells.map(str::to_owned).collect());
            bytes += record.cells().map(str::len).sum::<usize>();
        }
        Ok(sample)
    }
}

/// `sep=;"` opens a quote that may hold rows.
fn check_sep_line(record: &Record) -> Result<(), SheetError> {
    if record.has_line_break() {
        let line = record.line;
        return Err(SheetError::HeaderQuotes { line });
    }
    Ok(())
}
