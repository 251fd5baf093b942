//! The separator, the header and the columns: each separator is tried on the first rows, and the one that makes most
//! sense of them wins.

use std::path::Path;

use super::encoding::{self, Choice, Encoding};
use super::error::SheetError;
use super::header::{self, Columns, Trouble};
use super::names::{self, Role};
use super::records::Record;
use super::sample::{Sample, Source};
use super::show;
use super::survey::Survey;
use super::swallowed;
use crate::domain::{Phone, PhoneError, shown};

/// How the rows of a sheet are to be read.
#[derive(Debug)]
pub(super) struct Layout {
    /// What stands between cells.
    pub separator: u8,
    /// Whether a `sep=` line comes first.
    pub has_sep_line: bool,
    /// Whether a header comes next.
    pub has_header: bool,
    /// The header's cells up to the last that is filled, or our own names.
    pub header: Vec<String>,
    /// How many cells the first row has, empty ones on the right included.
    pub width: usize,
    /// What the columns hold.
    pub columns: Columns,
    /// A column that says whose number it is.
    pub operator: Option<usize>,
    /// Named columns that mean nothing here.
    pub unused: Vec<String>,
    /// Whether its letters are read by an encoding that nothing but they themselves tells.
    pub is_guessed: bool,
}

/// The separators that are tried; in a sheet of one column the first is as good as any.
const SEPARATORS: [u8; 3] = [b';', b'\t', b','];
/// From so many digits on a cell is meant as a phone number, and not as a year or a count.
const DIGITS_MEANT_MIN: usize = 7;
/// How many cells of a row a refusal shows.
const CELLS_SHOWN_MAX: usize = 8;

/// Decides the encoding, the separator, the header and the columns.
pub(super) fn learn(path: &Path, survey: &Survey) -> Result<(Encoding, Layout), SheetError> {
    let read_as = |encoding: Encoding| {
        understand(Source {
            path,
            survey,
            encoding,
        })
    };
    match encoding::choose(path, survey)? {
        Choice::Known(encoding) => Ok((encoding, read_as(encoding)?)),
        Choice::Legacy => {
            let (latin, arabic) = (Encoding::Windows1252, Encoding::Windows1256);
            let [in_latin, in_arabic] = [read_as(latin), read_as(arabic)];
            let words = |read: &Result<Layout, SheetError>| match read {
                Ok(layout) if layout.has_header => layout.columns.count(),
                _ => 0,
            };
            let encoding = match words(&in_latin).cmp(&words(&in_arabic)) {
                std::cmp::Ordering::Greater => latin,
                std::cmp::Ordering::Less => arabic,
                std::cmp::Ordering::Equal => survey.letters.encoding(),
            };
            let layout = if encoding == latin { in_latin } else { in_arabic };
            Ok((
                encoding,
                Layout {
                    is_guessed: true,
                    ..layout?
                },
            ))
        }
    }
}

/// Tries the separators, or takes the one that a `sep=` line names.
fn understand(source: Source) -> Result<Layout, SheetError> {
    let named = sep_line(source)?;
    let candidates = named.map_or(SEPARATORS.to_vec(), |separator| vec![separator]);
    let mut best: Option<(Score, Result<Layout, SheetError>)> = None;
    for separator in candidates {
        let attempt = match source.sample(separator, named.is_some()) {
            Ok(sample) if sample.rows.is_empty() => {
                let path = show(source.path);
                return Err(SheetError::NoRows { path });
            }
            Ok(sample) => judge(&sample, separator, named.is_some()),
            // What has more columns than a sheet can have has at least its separator.
            Err(error @ SheetError::TooWide { .. }) => (
                Score {
                    sense: 2,
                    ..Score::default()
                },
                Err(error),
            ),
            Err(error) => (Score::default(), Err(error)),
        };
        if best.as_ref().is_none_or(|(score, _)| attempt.0 > *score) {
            best = Some(attempt);
        }
    }
    let nothing = || SheetError::NoRows {
        path: show(source.path),
    };
    best.ok_or_else(nothing)?.1
}

/// The separator that the first line names as `sep=;`, quoted or not.
fn sep_line(source: Source) -> Result<Option<u8>, SheetError> {
    let mut record = Record::default();
    // A quote that is never closed is found again, and told, when the rows are read.
    match source.records(None)?.read(&mut record) {
        Ok(true) => {}
        Ok(false) | Err(SheetError::OpenQuote { .. }) => return Ok(None),
        Err(error) => return Err(error),
    }
    let line = record.cell(0).unwrap_or_default();
    let text = line.trim_matches([' ', '\u{FEFF}', '"']);
    let is_named = text
        .get(..4)
        .is_some_and(|start| start.eq_ignore_ascii_case("sep="));
    if !is_named {
        return Ok(None);
    }
    let named = text.as_bytes().get(4).copied();
    let rest = text.get(5..).unwrap_or_default();
    match named.filter(|separator| SEPARATORS.contains(separator)) {
        Some(separator) if rest.trim_matches([' ', '"', char::from(separator)]).is_empty() => {
            Ok(Some(separator))
        }
        _ => Err(SheetError::Separator(shown(line))),
    }
}

/// How much sense a separator makes: what was understood, columns that mean something, rows with a phone, and
/// where nothing was understood the more cells.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Score {
    sense: u8,
    columns: usize,
    phones: usize,
    cells: usize,
}

fn judge(sample: &Sample, separator: u8, has_sep_line: bool) -> (Score, Result<Layout, SheetError>) {
    let first = &sample.rows[0];
    let layout = if first.iter().any(|cell| is_phone(cell)) {
        without_header(sample, separator)
    } else {
        with_header(sample, separator)
    };
    let sense = match &layout {
        Ok(_) => 4,
        Err(SheetError::Twice { .. } | SheetError::HeaderQuotes { .. } | SheetError::HeaderRow { .. }) => 3,
        Err(SheetError::Shape { .. }) => 2,
        Err(_) => 1,
    };
    let column = layout.as_ref().ok().map(|layout| layout.columns.phone);
    let score = Score {
        sense,
        columns: layout.as_ref().map_or(0, |layout| layout.columns.count()),
        phones: sample.rows.iter().filter(|row| has_phone(row, column)).count(),
        cells: first.len(),
    };
    let layout = layout.map(|layout| Layout {
        has_sep_line,
        ..layout
    });
    (score, layout)
}

/// Why the first cell is no number, where one is meant: somebody who left the header out has to know.
fn broken_phone(row: &[String]) -> Option<String> {
    let error = Phone::read(row.first()?).err()?;
    let is_meant = match &error {
        PhoneError::Empty | PhoneError::Character { .. } => false,
        PhoneError::Length { digits, .. } => *digits >= DIGITS_MEANT_MIN,
        PhoneError::DigitsLost(_)
        | PhoneError::Decimal(_)
        | PhoneError::Date(_)
        | PhoneError::Turned(_)
        | PhoneError::Several(_)
        | PhoneError::Foreign(_)
        | PhoneError::FixedLine(_)
        | PhoneError::NotMobile(_) => true,
    };
    is_meant.then(|| error.to_string())
}

fn is_phone(cell: &str) -> bool {
    Phone::read(cell).is_ok()
}

/// Whether a row has a phone in its column, or anywhere while that is not known.
fn has_phone(row: &[String], column: Option<usize>) -> bool {
    match column {
        Some(column) => row.get(column).is_some_and(|cell| is_phone(cell)),
        None => row.iter().any(|cell| is_phone(cell)),
    }
}

fn with_header(sample: &Sample, separator: u8) -> Result<Layout, SheetError> {
    let header: Vec<_> = sample.rows[0].iter().map(|cell| clean_name(cell)).collect();
    let columns = header::columns(&header, &sample.rows[1..]).map_err(|trouble| match trouble {
        Trouble::NoPhone => SheetError::Header {
            line: sample.line,
            cells: show_cells(&header),
            why: broken_phone(&sample.rows[0]),
        },
        Trouble::Twice(role, first, second) => SheetError::Twice {
            role,
            first: shown(&header[first]),
            second: shown(&header[second]),
        },
    })?;
    if sample.is_stray || swallowed::in_heading(&sample.rows[0], separator) {
        let line = sample.line;
        return Err(SheetError::HeaderQuotes { line });
    }
    if let Some(name) = sample.rows[0].iter().find(|cell| swallowed::names_a_phone(cell)) {
        return Err(SheetError::HeaderRow {
            line: sample.line,
            cell: shown(name),
        });
    }
    let operator = header
        .iter()
        .enumerate()
        .position(|(index, name)| !columns.is_used(index) && names::is_operator(name));
    let is_unused = |(index, name): &(usize, &String)| {
        !columns.is_used(*index) && operator != Some(*index) && !name.is_empty()
    };
    let unused = header.iter().enumerate().filter(is_unused);
    Ok(Layout {
        separator,
        has_sep_line: false,
        has_header: true,
        unused: unused.map(|(_, name)| name.clone()).collect(),
        is_guessed: false,
        columns,
        operator,
        header,
        width: sample.width,
    })
}

/// By position: `phone`, `phone, amount` or `phone, plan, amount`.
fn without_header(sample: &Sample, separator: u8) -> Result<Layout, SheetError> {
    let first = &sample.rows[0];
    let roles: &[Role] = match fullest(sample) {
        [_] => &[Role::Phone],
        [_, _] => &[Role::Phone, Role::Amount],
        // `0555123456,1,500` is one amount that the comma has cut, not a plan and an amount.
        [_, plan, _] if !is_digits(plan) => &[Role::Phone, Role::Plan, Role::Amount],
        _ => &[],
    };
    if roles.is_empty() || !is_phone(&first[0]) {
        return Err(SheetError::Shape {
            line: sample.line,
            cells: show_cells(first),
        });
    }
    let place = |role: Role| roles.iter().position(|other| *other == role);
    Ok(Layout {
        separator,
        has_sep_line: false,
        has_header: false,
        header: roles.iter().map(|role| role.name().to_owned()).collect(),
        width: sample.width,
        columns: Columns {
            amount: place(Role::Amount),
            plan: place(Role::Plan),
            ..Columns::default()
        },
        operator: None,
        unused: Vec::new(),
        is_guessed: false,
    })
}

/// The row that shows the positions: the first, or where that has nothing but a phone in front of empty cells, one that
/// fills them.
fn fullest(sample: &Sample) -> &[String] {
    let first = &sample.rows[0];
    let is_cut_amount = |row: &[String]| row.len() == 3 && is_digits(&row[1]);
    let fits = |row: &&Vec<String>| row.len() <= sample.width && !is_cut_amount(row);
    let fuller = sample.rows.iter().filter(fits).max_by_key(|row| row.len());
    match (first.len(), fuller.map_or(0, Vec::len)) {
        (1, 2 | 3) => fuller.unwrap_or(first),
        _ => first,
    }
}

/// Whether a cell is digits only, of any script.
pub(super) fn is_digits(cell: &str) -> bool {
    let cell = cell.trim();
    !cell.is_empty() && cell.chars().all(char::is_numeric)
}

fn clean_name(cell: &str) -> String {
    cell.trim_matches(|c: char| c.is_whitespace() || c == '\u{FEFF}')
        .to_owned()
}

fn show_cells(cells: &[String]) -> String {
    let shown: Vec<_> = cells
        .iter()
        .take(CELLS_SHOWN_MAX)
        .map(|cell| format!("`{}`", shown(cell)))
        .collect();
    let more = if cells.len() > shown.len() { ", …" } else { "" };
    format!("{}{more}", shown.join(", "))
}
