//! The results file: a line for each settled order, the caller's own cells in front (design, section 4).

use std::io;
use std::path::Path;

use super::draft::Draft;
use super::line::{Line, UTF8_MARK};
use crate::domain::{Order, ProviderStatus, SettledBy, TopupId};

/// What stands behind the caller's columns.
const COLUMNS: [&str; 17] = [
    "row",
    "ref",
    "state",
    "phone",
    "plan",
    "operator",
    "amount",
    "cost",
    "topup_id",
    "provider_status",
    "attempts",
    "message",
    "request_id",
    "created_at",
    "updated_at",
    "settled_by",
    "note",
];

/// Which of them holds the ref.
pub(super) const OWN_REF: usize = 1;

/// Stands in front of a name of ours that the caller's header has already.
const OURS: &str = "oneclick_";

/// Where our own columns begin in the header of a results file, which is a sheet again; none where it is no such file.
pub(super) fn own_columns(header: &[String]) -> Option<usize> {
    let start = header.len().checked_sub(COLUMNS.len())?;
    let mut names = header.get(start..)?.iter().zip(COLUMNS);
    let is_ours = names.all(|(name, column)| name.trim().trim_start_matches(OURS) == column);
    is_ours.then_some(start)
}

/// How the caller's sheet is laid out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    /// The header's cells; our own names where the sheet has none.
    pub header: Vec<String>,
    /// Which column holds the phone number.
    pub phone: Option<usize>,
    /// Which column holds the caller's own ref.
    pub reference: Option<usize>,
    /// What stands between the cells: `;` stays, anything else becomes `,`.
    pub separator: u8,
}

impl Layout {
    /// `name`, or `oneclick_<name>` where the caller's header or `ours` has it.
    fn free_name(&self, name: &str, ours: &[String]) -> String {
        let is_taken = |name: &str| {
            let same = |other: &String| other.trim().to_lowercase() == name;
            self.header.iter().any(same) || ours.iter().any(same)
        };
        let mut free = name.to_owned();
        while is_taken(&free) {
            free.insert_str(0, OURS);
        }
        free
    }

    /// The first line: the caller's names, then ours.
    pub(super) fn head(&self, columns: &[&str]) -> Vec<u8> {
        let mut line = Line::new(self.separator);
        self.header.iter().for_each(|name| line.cell(name));
        let mut ours = Vec::with_capacity(columns.len());
        for column in columns {
            let name = self.free_name(column, &ours);
            line.ours(&name);
            ours.push(name);
        }
        [UTF8_MARK.as_bytes(), line.end()].concat()
    }

    /// The caller's cells, one under each name. A row never has filled cells beyond them: the reader refuses it.
    pub(super) fn put<'a>(&self, line: &mut Line, cell: impl Fn(usize) -> &'a str) {
        for column in 0..self.header.len() {
            if self.phone == Some(column) {
                line.phone(cell(column));
            } else {
                line.cell(cell(column));
            }
        }
    }
}

/// The results file of a batch.
///
/// UTF-8 with its mark, RFC 4180, readable by its owner alone. Cells that a spreadsheet would run get an apostrophe,
/// and so does a phone number that it would bend. Times are RFC 3339 in UTC, amounts and costs exact.
pub struct Results {
    layout: Layout,
    draft: Draft,
    line: Line,
    lines: u64,
}

impl Results {
    /// Begins a new file beside `path`; what stands there stays until [`Self::publish`].
    ///
    /// Every error of this type names the file and has the kind of the failure beneath.
    pub fn begin(path: &Path, layout: &Layout) -> io::Result<Self> {
        Ok(Self {
            draft: Draft::begin(path, &layout.head(&COLUMNS))?,
            line: Line::new(layout.separator),
            layout: layout.clone(),
            lines: 0,
        })
    }

    /// Writes the line of an order: `row` and `cells` as the sheet has them now, none where it no longer has the row.
    ///
    /// A line that can't be written is written with the next one.
    pub fn write(&mut self, row: Option<u32>, cells: Option<&[String]>, order: &Order) -> io::Result<()> {
        let cells = cells.unwrap_or_default();
        self.line.clear();
        self.layout.put(&mut self.line, |column| {
            cells.get(column).map_or("", String::as_str)
        });
        put_order(&mut self.line, row, order);
        self.lines += 1;
        self.draft.add(self.line.end())
    }

    /// Puts the file in its place at a stroke, durably. From now on every line is there as soon as it is written.
    pub fn publish(&mut self) -> io::Result<()> {
        self.draft.publish()
    }

    /// Where it stands or will stand.
    pub fn path(&self) -> &Path {
        self.draft.path()
    }

    /// How many orders it was given.
    pub fn lines(&self) -> u64 {
        self.lines
    }

    /// Makes all lines durable. A file that was never published goes away.
    pub fn finish(self) -> io::Result<()> {
        self.draft.finish()
    }
}

/// Our columns, in the order of [`COLUMNS`].
fn put_order(line: &mut Line, row: Option<u32>, order: &Order) {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    line.ours(&row.map(|row| row.to_string()).unwrap_or_default());
    line.foreign(order.intent.reference.as_str());
    line.ours(order.state.word());
    line.ours(order.intent.phone.as_str());
    line.foreign(order.intent.plan.as_str());
    line.foreign(order.operator.name());
    line.ours(&order.intent.amount.dinars().to_string());
    line.ours(&order.cost.map(|cost| cost.to_string()).unwrap_or_default());
    line.foreign(order.topup_id.as_ref().map_or("", TopupId::as_str));
    line.foreign(order.provider_status.as_ref().map_or("", ProviderStatus::word));
    line.ours(&order.attempts.to_string());
    line.foreign(&text(&order.message));
    line.foreign(&text(&order.request_id));
    line.ours(&format!("{:.3}", order.created_at));
    line.ours(&format!("{:.3}", order.updated_at));
    line.ours(order.settled_by.map_or("", SettledBy::word));
    line.foreign(&text(&order.note));
}

#[cfg(test)]
#[path = "results_tests.rs"]
pub(super) mod tests;
