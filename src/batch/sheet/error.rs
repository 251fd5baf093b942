//! Why a whole sheet is refused: what is wrong, where, and how to mend it.

use crate::error::Error;

use super::names::Role;
use super::{COLUMNS_MAX, RECORD_BYTES_MAX};

/// The whole file is refused. Foreign text in it is short and escaped.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SheetError {
    /// The system did not give it.
    #[error("`{path}` can't be read: {why}")]
    Read {
        /// The file.
        path: String,
        /// What the system says.
        why: String,
    },
    /// A directory, a pipe, a device.
    #[error("`{path}` is {what}, not a file")]
    NotAFile {
        /// The file.
        path: String,
        /// What it is.
        what: &'static str,
    },
    /// A file of another kind, known by its first bytes.
    #[error("`{path}` is {what}, not a CSV file")]
    Foreign {
        /// The file.
        path: String,
        /// What it is.
        what: &'static str,
    },
    /// Bytes that no text has.
    #[error("`{path}` is not a text file: line {line} holds {what}")]
    Binary {
        /// The file.
        path: String,
        /// Where.
        line: u64,
        /// What stands there.
        what: &'static str,
    },
    /// Bytes that mean nothing in the encoding that the rest speaks for.
    #[error("`{path}` is not valid {encoding}: line {line} can't be read")]
    Undecodable {
        /// The file.
        path: String,
        /// The encoding.
        encoding: &'static str,
        /// Where.
        line: u64,
    },
    /// The last character is incomplete.
    #[error("`{path}` ends in the middle of a character: it has been cut")]
    Cut {
        /// The file.
        path: String,
    },
    /// A quote that is never closed.
    #[error("line {line} opens a quote that is never closed: the file has been cut, or a `\"` is too many")]
    OpenQuote {
        /// The line on which the quote opens.
        line: u64,
    },
    /// Quotes above the rows that do not match, or that hold rows.
    #[error(
        "the heading on line {line} holds lines in quotes that look like rows, or text behind a closing quote: a quote is missing or too many"
    )]
    HeaderQuotes {
        /// The line on which it begins.
        line: u64,
    },
    /// A row that is part of the heading.
    #[error("the heading on line {line} has a row in it: `{cell}` names a column and holds a phone number")]
    HeaderRow {
        /// The line of the heading.
        line: u64,
        /// The cell.
        cell: String,
    },
    /// A record without end.
    #[error("line {line} is longer than {max} bytes", max = RECORD_BYTES_MAX)]
    TooLong {
        /// The line on which it begins.
        line: u64,
    },
    /// More columns than a spreadsheet has.
    #[error("line {line} has more than {max} columns", max = COLUMNS_MAX)]
    TooWide {
        /// The line on which it begins.
        line: u64,
    },
    /// An empty file, blank rows only, or a header only.
    #[error("`{path}` has no rows")]
    NoRows {
        /// The file.
        path: String,
    },
    /// `sep=` with something that can't be a separator.
    #[error("the line `{0}` names a separator that is not known")]
    Separator(String),
    /// The first row is neither a header with a phone column nor data.
    #[error("line {line} is neither a header with a phone column nor a top-up; its cells are {cells}{}", why.as_ref().map_or(String::new(), |why| format!("; {why}")))]
    Header {
        /// Where.
        line: u64,
        /// Its cells, in backticks.
        cells: String,
        /// What is wrong with its first cell, if that is meant as a number.
        why: Option<String>,
    },
    /// Two columns that mean the same.
    #[error("the columns `{first}` and `{second}` both mean the {}", role.name())]
    Twice {
        /// What both mean.
        role: Role,
        /// The one.
        first: String,
        /// The other.
        second: String,
    },
    /// No header, and a shape that could mean several things.
    #[error(
        "the sheet has no header, and line {line} is none of `phone`, `phone, amount` and `phone, plan, amount`; its cells are {cells}"
    )]
    Shape {
        /// Where.
        line: u64,
        /// Its cells, in backticks.
        cells: String,
    },
    /// Another file than the one that was opened.
    #[error("`{path}` has changed while it was being read")]
    Changed {
        /// The file.
        path: String,
    },
}

impl SheetError {
    /// A stable word for scripts.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Read { .. } => "sheet_unreadable",
            Self::NotAFile { .. } => "sheet_not_a_file",
            Self::Foreign { .. } => "sheet_not_csv",
            Self::Binary { .. } => "sheet_binary",
            Self::Undecodable { .. } => "sheet_encoding",
            Self::Cut { .. } => "sheet_cut",
            Self::OpenQuote { .. } => "sheet_open_quote",
            Self::HeaderQuotes { .. } => "sheet_header_quotes",
            Self::HeaderRow { .. } => "sheet_header_row",
            Self::TooLong { .. } => "sheet_line_too_long",
            Self::TooWide { .. } => "sheet_too_wide",
            Self::NoRows { .. } => "sheet_no_rows",
            Self::Separator(_) => "sheet_separator",
            Self::Header { .. } => "sheet_header",
            Self::Twice { .. } => "sheet_column_twice",
            Self::Shape { .. } => "sheet_shape",
            Self::Changed { .. } => "sheet_changed",
        }
    }

    /// How to mend it.
    pub fn hint(&self) -> String {
        match self {
            Self::Read { .. } => "check its name and its permissions".to_owned(),
            Self::NotAFile { .. } => "name a file, or `-` to read from standard input".to_owned(),
            Self::Foreign { .. } => {
                "save the sheet as CSV (in Excel: Save as, `CSV UTF-8`), and name that file".to_owned()
            }
            Self::Binary { .. } | Self::Undecodable { .. } => {
                "save the sheet again as CSV UTF-8, and name that file".to_owned()
            }
            Self::Cut { .. } => "copy or export the whole file again".to_owned(),
            Self::OpenQuote { .. } => "close the quote, or export the whole file again".to_owned(),
            Self::HeaderQuotes { .. } => {
                "mend the quotes of the first row; write quotes inside a cell twice (`\"\"`)".to_owned()
            }
            Self::HeaderRow { .. } => {
                "put the first row on a line of its own: press Enter behind the last name of the heading"
                    .to_owned()
            }
            Self::TooLong { .. } => "a row is never that long: check that the file is a sheet".to_owned(),
            Self::TooWide { .. } => "delete the empty columns on the right".to_owned(),
            Self::NoRows { .. } => {
                "put one top-up on each line, under a header such as `phone,amount`".to_owned()
            }
            Self::Separator(_) => {
                "write `sep=,`, `sep=;` or `sep=` and a tab, or leave the line out".to_owned()
            }
            Self::Header { .. } => format!(
                "name the columns in the first row ({}); without a header the first column must hold phone numbers; cells are set apart by `,`, `;` or a tab",
                Role::understood()
            ),
            Self::Twice { .. } => "rename the one that is not meant".to_owned(),
            Self::Shape { .. } => format!(
                "put a header in the first row ({}), and quote amounts that hold a comma",
                Role::understood()
            ),
            Self::Changed { .. } => "run the command again once nobody is writing to it".to_owned(),
        }
    }
}

impl From<SheetError> for Error {
    fn from(error: SheetError) -> Self {
        Self::usage(error.code(), error.to_string()).hint(error.hint())
    }
}
