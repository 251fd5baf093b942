//! Rows that a stray quote has made part of a cell. They would be lost in silence, so what looks like one is told.
//!
//! What is wrong with such a row does not count: a phone number that can't be read belongs to a customer as well.

use super::header::Columns;
use super::layout::Layout;
use super::records::{Record, is_unseen};
use crate::domain::{Amount, Phone};

/// Whether a cell of a row holds another row, or a part of one.
pub(super) fn in_row(record: &Record, layout: &Layout) -> bool {
    if !record.has_line_break() {
        return false;
    }
    let shape = Shape {
        separator: char::from(layout.separator),
        width: layout.header.len(),
        columns: &layout.columns,
    };
    (0..record.width()).any(|place| shape.has_row(record, place))
}

/// Whether a name of the heading holds rows. Names are no phone numbers, and have no long numbers between separators.
pub(super) fn in_heading(cells: &[String], separator: u8) -> bool {
    let separator = char::from(separator);
    let is_row = |line: &str| {
        let mut cells = line.split(separator);
        Phone::read(line).is_ok() || (line.contains(separator) && cells.any(is_long_number))
    };
    let mut names = cells.iter().filter(|cell| cell.contains(LINE_ENDS));
    names.any(|name| name.split(LINE_ENDS).any(is_row))
}

/// Whether a name of the heading has a phone number behind it: the row that follows has lost its line of its own, to a
/// character that only looks like a line end, or to none.
pub(super) fn names_a_phone(name: &str) -> bool {
    let is_between = |c: char| c.is_whitespace() || c.is_control() || is_unseen(c);
    let mut words = name.split(is_between).filter(|word| !word.is_empty());
    words.next().is_some() && words.any(|word| Phone::read(word).is_ok())
}

const LINE_ENDS: [char; 2] = ['\n', '\r'];

/// What the rows of the sheet look like.
struct Shape<'a> {
    separator: char,
    width: usize,
    columns: &'a Columns,
}

impl Shape<'_> {
    fn has_row(&self, record: &Record, place: usize) -> bool {
        let cell = record.cell(place).unwrap_or_default();
        let mut lines = cell.split(LINE_ENDS);
        let first = lines.next().unwrap_or_default();
        let Some(last) = lines.clone().next_back() else {
            return false;
        };
        lines.any(|line| self.is_row(line))
            || self.is_end_of_row(first, place)
            || self.is_start_of_row(last, record.used().saturating_sub(place + 1))
    }

    /// A line of its own: a phone among its cells, or numbers where this sheet has its phone and its amount.
    fn is_row(&self, line: &str) -> bool {
        if !line.contains(self.separator) {
            return false;
        }
        let cells: Vec<_> = line.split(self.separator).collect();
        let numbers = self.numbers(&cells, 0);
        let are_both_there = numbers.asked == 1 + usize::from(self.columns.amount.is_some());
        let filled = cells.iter().rposition(|cell| !cell.chars().all(is_unseen));
        let is_as_wide = cells.len() >= self.width && filled.is_some_and(|last| last < self.width);
        cells.iter().any(|cell| Phone::read(cell).is_ok())
            || (are_both_there && numbers.are_all_there())
            || (is_as_wide && numbers.found > 0)
    }

    /// The first line of a cell, where the quote has opened in the middle of a row that ends with that line.
    fn is_end_of_row(&self, line: &str, place: usize) -> bool {
        let cells: Vec<_> = line.split(self.separator).collect();
        let is_as_wide = cells.len() > 1 && place + cells.len() == self.width;
        is_as_wide && self.numbers(&cells, place).are_all_there()
    }

    /// The last line of a cell, where the quote closes in the middle of a row that goes on with `behind` more cells. A
    /// post code in front of a town is no phone number.
    fn is_start_of_row(&self, line: &str, behind: usize) -> bool {
        let cells: Vec<_> = line.split(self.separator).collect();
        let is_as_wide = cells.len() > 1 && cells.len() + behind == self.width;
        let is_phone = |cell: &&str| count(cell, char::is_numeric) >= 7 || cell.contains("E+");
        is_as_wide && cells.iter().any(is_phone) && self.numbers(&cells, 0).are_all_there()
    }

    /// Looks at those cells that would stand under the phone and the amount if the first were the one at `place`.
    fn numbers(&self, cells: &[&str], place: usize) -> Numbers {
        let mut numbers = Numbers::default();
        for column in [Some(self.columns.phone), self.columns.amount]
            .into_iter()
            .flatten()
        {
            let cell = column.checked_sub(place).and_then(|column| cells.get(column));
            if let Some(cell) = cell {
                numbers.asked += 1;
                numbers.found += usize::from(is_number(cell));
            }
        }
        numbers
    }
}

#[derive(Default)]
struct Numbers {
    asked: usize,
    found: usize,
}

impl Numbers {
    fn are_all_there(&self) -> bool {
        self.found > 0 && self.found == self.asked
    }
}

/// What may be a phone number, broken or not: `6.61E+08` has five digits and one letter.
fn is_long_number(cell: &str) -> bool {
    count(cell, char::is_numeric) >= 5 && count(cell, char::is_alphabetic) <= 1
}

/// An amount, or more digits than letters: `6,61E+08` and `O66123456` are meant as numbers, `bloc 3` is not.
fn is_number(cell: &str) -> bool {
    Amount::read(cell).is_ok() || count(cell, char::is_numeric) > count(cell, char::is_alphabetic)
}

fn count(cell: &str, is_it: fn(char) -> bool) -> usize {
    cell.chars().filter(|character| is_it(*character)).count()
}
