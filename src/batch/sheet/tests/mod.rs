//! Sheets made in code, read as a batch reads them.

mod cells;
mod encodings;
mod quotes;
mod random;
mod refusals;
mod rows;
mod shapes;

use std::io::Write;

use super::{Entry, Refusal, Remark, RemarkKind, Row, Sheet, SheetError, open};

/// A sheet with its file, which lives as long.
struct Opened {
    sheet: Sheet,
    file: tempfile::NamedTempFile,
}

/// Everything that a sheet gives.
#[derive(Debug, Default, PartialEq)]
struct Seen {
    /// The line and the entry of each row that can be sent.
    entries: Vec<(u64, Entry)>,
    refusals: Vec<Refusal>,
    rows: u64,
    blank: u64,
}

fn opened(bytes: impl AsRef<[u8]>) -> Result<Opened, SheetError> {
    let file = file(bytes);
    Ok(Opened {
        sheet: open(file.path())?,
        file,
    })
}

fn file(bytes: impl AsRef<[u8]>) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap_or_else(|error| panic!("{error}"));
    file.write_all(bytes.as_ref())
        .unwrap_or_else(|error| panic!("{error}"));
    file
}

fn read(sheet: &Sheet) -> Result<Seen, SheetError> {
    let (mut seen, mut row, mut rows) = (Seen::default(), Row::default(), sheet.rows()?);
    while rows.read(&mut row)? {
        seen.rows += 1;
        match row.entry() {
            Ok(entry) => seen.entries.push((row.line, entry)),
            Err(refusals) => {
                assert!(!refusals.is_empty(), "a row is refused without a reason");
                seen.refusals.extend(refusals);
            }
        }
    }
    seen.blank = rows.blank();
    Ok(seen)
}

/// What the sheet gives; the sheet itself must be good.
fn seen(bytes: impl AsRef<[u8]>) -> Seen {
    try_seen(&bytes).unwrap_or_else(|error| {
        let text = String::from_utf8_lossy(bytes.as_ref());
        panic!("{text:?}: {error}")
    })
}

fn try_seen(bytes: impl AsRef<[u8]>) -> Result<Seen, SheetError> {
    read(&opened(bytes)?.sheet)
}

/// Why the whole sheet is refused.
fn refused(bytes: impl AsRef<[u8]>) -> SheetError {
    match try_seen(&bytes) {
        Err(error) => error,
        Ok(seen) => panic!("{:?} was read: {seen:?}", String::from_utf8_lossy(bytes.as_ref())),
    }
}

impl Seen {
    /// `phone plan amount ref note` of each entry, `-` for none.
    fn brief(&self) -> Vec<String> {
        let show = |entry: &Entry| {
            let dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
            let plan = entry.plan.as_ref().map(|plan| match plan {
                super::PlanCell::Auto => "auto".to_owned(),
                super::PlanCell::Code(code) => code.to_string(),
            });
            [
                entry.phone.to_string(),
                dash(plan),
                dash(entry.amount.map(|amount| amount.to_string())),
                dash(entry.reference.as_ref().map(ToString::to_string)),
                dash(entry.note.clone()),
            ]
            .join(" ")
        };
        self.entries.iter().map(|(_, entry)| show(entry)).collect()
    }

    /// The only refusal.
    fn refusal(&self) -> &Refusal {
        match &self.refusals[..] {
            [refusal] => refusal,
            other => panic!("one refusal was expected: {other:?}"),
        }
    }

    fn remarks(&self) -> impl Iterator<Item = &Remark> {
        self.entries.iter().flat_map(|(_, entry)| &entry.remarks)
    }

    fn repairs(&self) -> usize {
        self.remarks()
            .filter(|remark| remark.kind == RemarkKind::Repaired)
            .count()
    }
}
