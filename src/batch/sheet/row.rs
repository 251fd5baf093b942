//! The rows of a sheet, one at a time, into buffers that are used again.

use std::path::Path;
use std::sync::Arc;

use super::encoding::Encoding;
use super::entry::{self, Entry, Refusal};
use super::error::SheetError;
use super::layout::Layout;
use super::records::{Record, Records};
use super::sample::Source;
use super::survey::Survey;

/// The rows of a sheet from the first.
pub struct Rows {
    records: Records,
    layout: Arc<Layout>,
    /// What stands before the rows and is still to be passed: the `sep=` line, the header.
    heading: u8,
    is_known_whole: bool,
    blank: u64,
}

/// One row. Make it once and let [`Rows::read`] fill it again and again.
#[derive(Debug, Default)]
pub struct Row {
    /// The physical line on which it begins, from 1.
    pub line: u64,
    record: Record,
    layout: Option<Arc<Layout>>,
    /// The file ends in the middle of it, or seems to.
    is_cut: bool,
}

impl Rows {
    pub(super) fn open(
        path: &Path,
        survey: &Survey,
        encoding: Encoding,
        layout: Arc<Layout>,
        is_known_whole: bool,
    ) -> Result<Self, SheetError> {
        let source = Source {
            path,
            survey,
            encoding,
        };
        Ok(Self {
            records: source.records(Some(layout.separator))?,
            heading: u8::from(layout.has_sep_line) + u8::from(layout.has_header),
            layout,
            is_known_whole,
            blank: 0,
        })
    }

    /// Reads the next row that is not blank into `row`, whose buffers are used again. False at the end, and by then
    /// the file has proved to be the one that was opened.
    pub fn read(&mut self, row: &mut Row) -> Result<bool, SheetError> {
        while self.records.read(&mut row.record)? {
            let is_cut = !self.is_known_whole && !row.record.is_ended;
            if row.record.is_blank() && !(is_cut && row.record.is_more_than_an_end_mark()) {
                self.blank += 1;
            } else if self.heading > 0 {
                self.heading -= 1;
            } else {
                row.line = row.record.line;
                row.is_cut = is_cut;
                row.belongs_to(&self.layout);
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Blank rows passed so far.
    pub fn blank(&self) -> u64 {
        self.blank
    }
}

impl Row {
    /// The cells as the caller wrote them, decoded and without their quotes.
    pub fn cells(&self) -> impl Iterator<Item = &str> {
        self.record.cells()
    }

    /// What the row asks for, or everything that is wrong with it.
    pub fn entry(&self) -> Result<Entry, Vec<Refusal>> {
        match &self.layout {
            Some(layout) => entry::read(&self.record, layout, self.is_cut),
            None => Err(vec![entry::unread()]),
        }
    }

    fn belongs_to(&mut self, layout: &Arc<Layout>) {
        let is_known = self
            .layout
            .as_ref()
            .is_some_and(|known| Arc::ptr_eq(known, layout));
        if !is_known {
            self.layout = Some(Arc::clone(layout));
        }
    }
}
