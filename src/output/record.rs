//! One object: a balance, an order.

use comfy_table::{CellAlignment, ColumnConstraint, ContentArrangement, Table as Layout, Width};
use serde_json::Value;

use super::cell::Cell;
use super::csv;
use super::paint::{Paint, Tone};
use super::sanitise::isolate;

/// Below this width a value is no longer wrapped: the terminal may do that itself.
const VALUE_COLUMNS_MIN: usize = 20;

/// What stands between a title and its value.
const GAP: usize = 2;

/// One property of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// The name for scripts, in `snake_case`.
    pub key: &'static str,
    /// The name for people; none where only scripts get it.
    pub title: Option<&'static str>,
    /// The value.
    pub cell: Cell,
}

/// One object, for people and for scripts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Its properties, in order.
    pub fields: Vec<Field>,
    /// The whole of it in JSON.
    pub json: Value,
}

impl Record {
    /// A record whose JSON form is `json` and that has no fields yet.
    pub fn new(json: Value) -> Self {
        Self {
            fields: Vec::new(),
            json,
        }
    }

    /// Adds a field that the JSON form already has.
    #[must_use]
    pub fn field(mut self, key: &'static str, title: &'static str, cell: Cell) -> Self {
        self.fields.push(Field {
            key,
            title: Some(title),
            cell,
        });
        self
    }

    /// Adds a field that people do not need to see.
    #[must_use]
    pub fn hidden(mut self, key: &'static str, cell: Cell) -> Self {
        self.fields.push(Field {
            key,
            title: None,
            cell,
        });
        self
    }

    /// Extends the record, JSON included: a balance beside an order.
    #[must_use]
    pub fn with(mut self, key: &'static str, title: &'static str, cell: Cell, value: Value) -> Self {
        if let Value::Object(object) = &mut self.json {
            object.insert(key.to_owned(), value);
        }
        self.field(key, title, cell)
    }

    /// Titles and values in two columns, without what is empty.
    pub(super) fn for_people(&self, columns: usize, paint: Paint) -> String {
        let shown = self
            .fields
            .iter()
            .filter_map(|field| Some((field.title?, &field.cell)));
        block(shown, columns, paint)
    }

    /// A line of key, tab and value for each field.
    pub(super) fn for_tabs(&self) -> String {
        let line = |field: &Field| format!("{}\t{}\n", field.key, field.cell.for_tabs());
        self.fields.iter().map(line).collect()
    }

    /// A header and one record.
    pub(super) fn for_csv(&self) -> String {
        let cells: Vec<String> = self.fields.iter().map(|field| field.cell.for_csv()).collect();
        csv::record(self.fields.iter().map(|field| field.key))
            + &csv::record(cells.iter().map(String::as_str))
    }
}

/// Lines of title and value; values wrap at the width of the terminal, empty ones are left out.
pub(super) fn block<'a>(
    fields: impl Iterator<Item = (&'static str, &'a Cell)>,
    columns: usize,
    paint: Paint,
) -> String {
    let filled: Vec<_> = fields.filter(|(_, cell)| !cell.is_none()).collect();
    let title_columns = filled.iter().map(|(title, _)| title.len()).max().unwrap_or(0);
    let value_columns = columns.saturating_sub(title_columns + GAP).max(VALUE_COLUMNS_MIN);
    let mut text = String::new();
    for (title, cell) in filled {
        let label = paint.tone(Tone::Strong, title);
        let mut margin = format!("{label}{:1$}", "", title_columns - title.len() + GAP);
        for line in wrap(&cell.for_people(), value_columns) {
            text += &margin;
            text += &paint.tone(cell.tone, &isolate(&line));
            text.push('\n');
            margin = " ".repeat(title_columns + GAP);
        }
    }
    text
}

/// The lines that `text` takes in a column of `columns`.
fn wrap(text: &str, columns: usize) -> Vec<String> {
    let width = u16::try_from(columns).unwrap_or(u16::MAX);
    let mut layout = Layout::new();
    layout
        .load_style(comfy_table::presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_width(width)
        .add_row([text]);
    if let Some(column) = layout.column_mut(0) {
        column.set_padding((0, 0));
        column.set_cell_alignment(CellAlignment::Left);
        column.set_constraint(ColumnConstraint::UpperBoundary(Width::Fixed(width)));
    }
    layout.lines().map(|line| line.trim_end().to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const PLAIN: Paint = Paint::of(false);

    fn balance() -> Record {
        Record::new(json!({"balance": "12503.75", "account": "+213665983439"}))
            .field(
                "balance",
                "Balance",
                Cell::text("12503.75").shown_as("12 503.75 DZD"),
            )
            .field("account", "Account", Cell::text("+213665983439"))
            .hidden("as_of", Cell::text("2026-11-24T20:05:10.500Z"))
            .field("low", "Low", Cell::none())
    }

    #[test]
    fn people_see_aligned_values_and_nothing_empty() {
        assert_eq!(
            balance().for_people(80, PLAIN),
            "Balance  12 503.75 DZD\nAccount  +213665983439\n"
        );
    }

    #[test]
    fn scripts_see_every_key() {
        assert_eq!(
            balance().for_tabs(),
            "balance\t12503.75\naccount\t+213665983439\nas_of\t2026-11-24T20:05:10.500Z\nlow\t\n"
        );
        assert_eq!(
            balance().for_csv(),
            "balance,account,as_of,low\n12503.75,+213665983439,2026-11-24T20:05:10.500Z,\n"
        );
    }

    #[test]
    fn an_extension_reaches_the_json_too() {
        let extended = balance().with(
            "environment",
            "Environment",
            Cell::text("sandbox"),
            json!("sandbox"),
        );
        assert_eq!(extended.json["environment"], "sandbox");
        assert!(extended.for_tabs().ends_with("environment\tsandbox\n"));
    }

    #[test]
    fn long_values_wrap_and_lose_nothing() {
        let words = "one two three four five six seven eight nine ten";
        let shown = Record::new(Value::Null)
            .field("message", "Message", Cell::foreign(words))
            .field("id", "Id", Cell::text("z".repeat(50)))
            .for_people(30, PLAIN);
        assert!(shown.lines().all(|line| line.len() <= 30), "{shown}");
        let joined: Vec<&str> = shown.split_whitespace().collect();
        assert!(joined.join(" ").contains(words), "{shown}");
        assert_eq!(shown.matches('z').count(), 50);
    }

    #[test]
    fn each_line_of_arabic_is_isolated_by_itself() {
        let shown = Record::new(Value::Null)
            .field("message", "Message", Cell::foreign("رصيد غير كاف ".repeat(6)))
            .for_people(40, PLAIN);
        assert!(shown.lines().count() > 1);
        for line in shown.lines() {
            assert!(
                line.contains('\u{2068}') && line.ends_with('\u{2069}'),
                "{line:?}"
            );
        }
    }
}
