//! What a row asks for: cells into domain types, or the reasons why not, each with its column and value.
//!
//! What is certain is repaired or noted, and told; what is not is refused. Money is never guessed.

use super::layout::{Layout, is_digits};
use super::names;
use super::records::{Record, is_unseen};
use super::swallowed;
use crate::domain::{Amount, CellNote, Operator, Phone, PlanCode, Ref, as_text, is_turned, shown};

/// The longest note that is kept, in characters.
const NOTE_MAX: usize = 500;

/// A row that can be sent, as far as the sheet alone can tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The number.
    pub phone: Phone,
    /// The face value; none only where there is no such column or its cell is empty.
    pub amount: Option<Amount>,
    /// The plan; none only where there is no such column or its cell is empty.
    pub plan: Option<PlanCell>,
    /// The caller's own identity of the order.
    pub reference: Option<Ref>,
    /// Whose number it is by the sheet's own word, where there is such a column and its cell names one.
    pub operator: Option<Operator>,
    /// Text for people, trimmed, as it was written.
    pub note: Option<String>,
    /// What was done to the cells.
    pub remarks: Vec<Remark>,
}

/// What a plan cell says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PlanCell {
    /// The prepaid plan of the number's prefix.
    Auto,
    /// This one.
    Code(PlanCode),
}

/// Why a row can't be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The line on which the row begins.
    pub line: u64,
    /// The column's name as written, `column 2` where it has none, `row` where the whole row is meant.
    pub column: String,
    /// What stands there; at most 60 characters, unseen ones escaped.
    pub value: String,
    /// What is wrong, and how to mend it.
    pub reason: String,
}

/// Something that was done to a cell and is worth telling.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remark {
    /// How much was done.
    pub kind: RemarkKind,
    /// The column's name as written, or `column 2`.
    pub column: String,
    /// What stands there; at most 60 characters, unseen ones escaped.
    pub from: String,
    /// What it was read as.
    pub to: String,
    /// What was done, in words.
    pub why: &'static str,
}

/// How much was done to a cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum RemarkKind {
    /// Rewritten: the same value in another spelling.
    Noted,
    /// Digits were added (a spreadsheet ate the zero): listed one by one.
    Repaired,
}

/// A row that was never read from a sheet.
pub(super) fn unread() -> Refusal {
    Refusal {
        line: 0,
        column: "row".to_owned(),
        value: String::new(),
        reason: "no row has been read yet".to_owned(),
    }
}

/// Reads a record under a layout. A row that is broken as a whole is refused without a look at its cells.
pub(super) fn read(record: &Record, layout: &Layout, is_cut: bool) -> Result<Entry, Vec<Refusal>> {
    let mut reading = Reading {
        record,
        layout,
        refusals: Vec::new(),
        remarks: Vec::new(),
    };
    reading.check_row(is_cut);
    if !reading.refusals.is_empty() {
        return Err(reading.refusals);
    }
    let columns = &layout.columns;
    let phone = reading.phone(columns.phone);
    let amount = columns.amount.and_then(|column| reading.amount(column));
    let plan = columns.plan.and_then(|column| reading.plan(column));
    let reference = columns.reference.and_then(|column| reading.reference(column));
    let operator = layout
        .operator
        .and_then(|column| names::operator(reading.cell(column)?));
    let note = columns.note.and_then(|column| reading.note(column));
    match phone {
        Some(phone) if reading.refusals.is_empty() => Ok(Entry {
            phone,
            amount,
            plan,
            reference,
            operator,
            note,
            remarks: reading.remarks,
        }),
        _ => Err(reading.refusals),
    }
}

/// A row being read.
struct Reading<'a> {
    record: &'a Record,
    layout: &'a Layout,
    refusals: Vec<Refusal>,
    remarks: Vec<Remark>,
}

impl<'a> Reading<'a> {
    /// A cell; one that looks empty is none. A lone quote does not: people write it for "as above".
    fn cell(&self, column: usize) -> Option<&'a str> {
        let is_filled = |cell: &&str| !cell.chars().all(is_unseen) && cell.trim() != "=\"\"";
        self.record.cell(column).filter(is_filled)
    }

    fn column_name(&self, column: usize) -> String {
        let name = self.layout.header.get(column).filter(|name| !name.is_empty());
        match name {
            Some(name) if self.layout.has_header => name.clone(),
            _ => format!("column {}", column + 1),
        }
    }

    fn refuse(&mut self, column: usize, reason: &str) {
        let value = self.record.cell(column).map(shown).unwrap_or_default();
        self.refusals.push(Refusal {
            line: self.record.line,
            column: self.column_name(column),
            value,
            reason: reason.to_string(),
        });
    }

    fn refuse_row(&mut self, reason: &str) {
        let separator = char::from(self.layout.separator).to_string();
        let count = match self.record.used() {
            0 => self.record.width(),
            used => used,
        };
        let cells: Vec<_> = self.record.cells().take(count).collect();
        self.refusals.push(Refusal {
            line: self.record.line,
            column: "row".to_owned(),
            value: shown(&cells.join(&separator)),
            reason: reason.to_string(),
        });
    }

    fn remark(&mut self, kind: RemarkKind, column: usize, to: &str, why: &'static str) {
        let from = self.record.cell(column).map(shown).unwrap_or_default();
        self.remarks.push(Remark {
            kind,
            column: self.column_name(column),
            from,
            to: to.to_string(),
            why,
        });
    }

    /// Whether the row is whole and its cells stand under their columns.
    fn check_row(&mut self, is_cut: bool) {
        if is_cut && self.record.is_blank() {
            self.refuse_row(
                "the last line looks empty and has no line end, so it may be what is left of a row; compare it with the original; then delete it, or name the face value of the whole sheet with `--expect-total`",
            );
        } else if is_cut {
            self.refuse_row(
                "the last line has no line end, so the file may have been cut there; compare the row with the original; then press Enter behind it and save, or name the face value of the whole sheet with `--expect-total`",
            );
        } else if self.record.is_stray {
            self.refuse_row(
                "text stands behind a closing quote, so a quote is missing or too many; write quotes inside a cell twice (`\"\"`)",
            );
        } else if swallowed::in_row(self.record, self.layout) {
            self.refuse_row(
                "a quoted cell holds a line that looks like another row, so a quote is missing or too many; mend the quotes, or take the line break out",
            );
        } else if self.has_cells_too_many() {
            self.refuse_too_many();
        } else if self.is_amount_cut() {
            self.refuse_row(
                "an amount seems to be written with a comma in it; write it in plain digits, as in `500`",
            );
        } else {
            self.check_missing();
        }
    }

    /// Empty cells on the right are fine.
    fn has_cells_too_many(&self) -> bool {
        let width = self.layout.header.len();
        self.record.width() > width && self.record.used() > width
    }

    fn refuse_too_many(&mut self) {
        let (used, width) = (self.record.used(), self.layout.header.len());
        let comma = if self.layout.separator == b',' {
            "; an amount with a comma in it must be quoted, or written in plain digits, as in `500`"
        } else {
            ""
        };
        let than = if self.layout.has_header {
            format!("the header has {width}")
        } else if self.layout.width > width {
            format!("the first row fills {width} of its {}", self.layout.width)
        } else {
            format!("the first row has {width}")
        };
        self.refuse_row(&format!("the row has {used} cells, and {than}{comma}"));
    }

    /// `0555123456,1,500,` under `phone,amount,note`: one cell more than the header row, and the amount goes on behind
    /// its comma.
    fn is_amount_cut(&self) -> bool {
        let Some(column) = self.layout.columns.amount else {
            return false;
        };
        let is_part = |column: usize, lengths: std::ops::RangeInclusive<usize>| {
            let cell = self.record.cell(column).map(str::trim).unwrap_or_default();
            is_digits(cell) && lengths.contains(&cell.chars().count())
        };
        self.layout.separator == b','
            && self.record.width() > self.layout.width
            && is_part(column, 1..=4)
            && is_part(column + 1, 1..=3)
    }

    /// Cells that are left out on the right, where money depends on them.
    fn check_missing(&mut self) {
        let columns = &self.layout.columns;
        let width = self.record.width();
        let needed = [Some(columns.phone), columns.amount, columns.plan];
        for column in needed.into_iter().flatten().filter(|column| *column >= width) {
            let reason = format!(
                "the row ends before this cell, after {width}; add the cell, or the separators of an empty one"
            );
            self.refuse(column, &reason);
        }
    }

    fn phone(&mut self, column: usize) -> Option<Phone> {
        let raw = self.record.cell(column).unwrap_or_default();
        let reading = match Phone::read(raw) {
            Ok(reading) => reading,
            Err(error) => {
                self.refuse(column, &error.to_string());
                return None;
            }
        };
        for note in &reading.notes {
            let kind = if note.is_repair() {
                RemarkKind::Repaired
            } else {
                RemarkKind::Noted
            };
            self.remark(kind, column, reading.phone.as_str(), note.why());
        }
        Some(reading.phone)
    }

    fn amount(&mut self, column: usize) -> Option<Amount> {
        let reading = match Amount::read(self.cell(column)?) {
            Ok(reading) => reading,
            Err(error) => {
                self.refuse(column, &error.to_string());
                return None;
            }
        };
        for note in &reading.notes {
            self.remark(RemarkKind::Noted, column, &reading.amount.to_string(), note.why());
        }
        Some(reading.amount)
    }

    fn plan(&mut self, column: usize) -> Option<PlanCell> {
        let raw = self.cell(column)?;
        if is_turned(raw) {
            self.refuse(
                column,
                "marks in this cell show it in another order than it stands; type the plan again",
            );
            return None;
        }
        let (text, trick) = as_text(raw);
        let text = text.trim_matches(is_unseen);
        if AUTO.iter().any(|word| text.to_lowercase() == *word) {
            return Some(PlanCell::Auto);
        }
        if !self.layout.has_header && is_digits(text) {
            self.refuse(
                column,
                "the plan is a number; if it is part of an amount with a comma in it, write the amount in plain digits",
            );
            return None;
        }
        match text.parse::<PlanCode>() {
            Ok(code) => {
                self.tell(trick, column, code.as_str());
                Some(PlanCell::Code(code))
            }
            Err(error) => {
                self.refuse(column, &error.to_string());
                None
            }
        }
    }

    /// An identity is taken as it stands, or refused; one that a spreadsheet has shortened may belong to several rows.
    fn reference(&mut self, column: usize) -> Option<Ref> {
        let (text, trick) = as_text(self.cell(column)?);
        if is_shortened(text) {
            self.refuse(
                column,
                "a spreadsheet has shortened this ref: digits are gone; format the column as text and enter it again",
            );
            return None;
        }
        if self.layout.is_guessed && !text.is_ascii() {
            self.refuse(
                column,
                "the encoding of these letters can only be guessed, and another guess would make another order of the row; save the sheet as UTF-8",
            );
            return None;
        }
        match text.parse::<Ref>() {
            Ok(reference) => {
                self.tell(trick, column, reference.as_str());
                Some(reference)
            }
            Err(error) => {
                self.refuse(column, &error.to_string());
                None
            }
        }
    }

    fn note(&mut self, column: usize) -> Option<String> {
        let text = self.cell(column)?.trim();
        let Some((cut, _)) = text.char_indices().nth(NOTE_MAX) else {
            return Some(text.to_owned());
        };
        let kept = text[..cut].to_owned();
        self.remark(
            RemarkKind::Noted,
            column,
            &shown(&kept),
            "the first 500 characters were kept",
        );
        Some(kept)
    }

    fn tell(&mut self, trick: Option<CellNote>, column: usize, to: &str) {
        if let Some(trick) = trick {
            self.remark(RemarkKind::Noted, column, to, trick.why());
        }
    }
}

/// Words for the plan that goes with the number's prefix.
const AUTO: &[&str] = &["auto", "automatique", "automatic", "تلقائي"];

/// `1,23457E+14`: always with a sign, so that a code such as `12E3` stays a code.
fn is_shortened(text: &str) -> bool {
    let Some((mantissa, exponent)) = text.split_once(['E', 'e']) else {
        return false;
    };
    let is_number =
        |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_digit() || ".,".contains(c));
    is_number(mantissa) && exponent.strip_prefix('+').is_some_and(is_number)
}
