//! Reading a sheet of top-ups (design, section 4; `cells.md`): what the file is, what its columns mean, and its rows one
//! by one. Memory stays the same for a file of any size.
//!
//! ```text
//! open:  survey (all bytes once: digest, evidence) -> encoding -> layout (separator, header, columns)
//! rows:  text (bytes to UTF-8) -> records (cells between separators) -> row -> entry (phone, amount, …)
//! ```
//!
//! The `csv` crate is not used here: it can't tell a quote that is never closed, a last line that was cut, blank
//! rows, or a record without end, and each of these decides whether money goes out. Tests hold our reader against it.

mod encoding;
mod entry;
mod error;
mod foreign;
mod header;
mod layout;
mod names;
mod records;
mod row;
mod sample;
mod survey;
mod swallowed;
#[cfg(test)]
mod tests;
mod text;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use encoding::Encoding;
pub use entry::{Entry, PlanCell, Refusal, Remark, RemarkKind};
pub use error::SheetError;
pub use header::Columns;
use layout::Layout;
pub use names::Role;
pub use row::{Row, Rows};
use survey::Survey;

use crate::domain::shown;

/// The widest record: as many columns as Excel has.
const COLUMNS_MAX: usize = 16_384;
/// The smallest piece: the first one must show what kind of file it is.
const PIECE_BYTES_MIN: usize = 64;
/// The longest record, and the longest line, in bytes.
const RECORD_BYTES_MAX: usize = 1 << 20;

/// A sheet that has been understood; its rows have not been read yet.
#[derive(Debug)]
pub struct Sheet {
    path: PathBuf,
    survey: Survey,
    encoding: Encoding,
    layout: Arc<Layout>,
    is_known_whole: bool,
}

/// Learns what the sheet is: reads all its bytes once, then decides its encoding, separator, header and columns.
///
/// Refuses what is no sheet, what can't be told for certain, and a sheet without rows.
pub fn open(path: &Path) -> Result<Sheet, SheetError> {
    open_in_pieces(path, survey::PIECE)
}

/// The same, reading so many bytes at a time, at least 64. It makes no difference but to speed.
pub fn open_in_pieces(path: &Path, piece_bytes: usize) -> Result<Sheet, SheetError> {
    let survey = survey::survey(path, piece_bytes.max(PIECE_BYTES_MIN))?;
    let (encoding, layout) = layout::learn(path, &survey)?;
    let sheet = Sheet {
        path: path.to_owned(),
        survey,
        encoding,
        layout: Arc::new(layout),
        is_known_whole: false,
    };
    if sheet.rows()?.read(&mut Row::default())? {
        Ok(sheet)
    } else {
        Err(SheetError::NoRows { path: show(path) })
    }
}

impl Sheet {
    /// SHA-256 of the file's bytes, as they were when it was opened.
    pub fn digest(&self) -> &[u8; 32] {
        &self.survey.digest
    }

    /// The caller's header cells; without a header our own names for the columns that are there.
    pub fn header(&self) -> &[String] {
        &self.layout.header
    }

    /// Whether the first row names the columns.
    pub fn has_header(&self) -> bool {
        self.layout.has_header
    }

    /// What stands between its cells: `,`, `;` or a tab.
    pub fn separator(&self) -> u8 {
        self.layout.separator
    }

    /// Which column holds what.
    pub fn columns(&self) -> &Columns {
        &self.layout.columns
    }

    /// Columns that are not used and whose names look like a slip of the keyboard, a sentence each: `pln` for `plan`.
    pub fn slips(&self) -> Vec<String> {
        let columns = self.columns();
        let missing: Vec<_> = [
            (Role::Amount, columns.amount),
            (Role::Plan, columns.plan),
            (Role::Reference, columns.reference),
        ]
        .into_iter()
        .filter_map(|(role, column)| column.is_none().then_some(role))
        .collect();
        let slip = |name: &String| {
            let (_, known) = names::near(name, &missing)?;
            Some(format!(
                "the column `{}` is not used; if it is meant, name it `{known}`",
                shown(name)
            ))
        };
        self.layout.unused.iter().filter_map(slip).collect()
    }

    /// The caller knows by other means, such as its total, that the file is not cut: then its last line may be
    /// without a line end, as Google Sheets leaves it.
    #[must_use]
    pub fn known_whole(mut self, is_known_whole: bool) -> Self {
        self.is_known_whole = is_known_whole;
        self
    }

    /// What was understood and is worth telling, a sentence each.
    pub fn remarks(&self) -> Vec<String> {
        let mut remarks = Vec::new();
        if self.encoding != Encoding::Utf8 {
            remarks.push(format!("read as {}", self.encoding.name()));
        }
        if !self.layout.has_header {
            remarks.push(format!(
                "no header; columns taken as: {}",
                self.header().join(", ")
            ));
        }
        if !self.layout.unused.is_empty() {
            let names: Vec<_> = self.layout.unused.iter().take(UNUSED_SHOWN_MAX).collect();
            let names: Vec<_> = names.iter().map(|name| format!("`{}`", shown(name))).collect();
            let more = self.layout.unused.len() - names.len();
            let tail = if more > 0 {
                format!(" and {more} more")
            } else {
                String::new()
            };
            remarks.push(format!("columns not used: {}{tail}", names.join(", ")));
        }
        remarks
    }

    /// Its rows from the first; opens the file again, and refuses one that has changed since [`open`].
    ///
    /// A change while it is being read is refused at the end of the rows.
    pub fn rows(&self) -> Result<Rows, SheetError> {
        let layout = Arc::clone(&self.layout);
        Rows::open(
            &self.path,
            &self.survey,
            self.encoding,
            layout,
            self.is_known_whole,
        )
    }
}

/// How many unused columns a remark names.
const UNUSED_SHOWN_MAX: usize = 12;

fn show(path: &Path) -> String {
    shown(&path.display().to_string())
}
