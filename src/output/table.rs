//! A list of records: columns for people and for scripts, rows, and each row in JSON.

use comfy_table::{
    Cell as LayoutCell, CellAlignment, ContentLineStyle, LineStyle, Table as Layout, TableStyle,
};
use serde_json::Value;
use unicode_width::UnicodeWidthStr;

use super::cell::Cell;
use super::csv;
use super::paint::{Paint, Tone};
use super::record;
use super::sanitise::isolate;

/// No borders: a rule under the header, and two spaces between columns, one of them each column's padding.
const STYLE: TableStyle = TableStyle::new()
    .header_lines(ContentLineStyle::none().junction(' '))
    .header_separator(LineStyle::none().fill('─').junction(' '))
    .content_lines(ContentLineStyle::none().junction(' '));

/// The side to which the values of a column keep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Align {
    /// Text.
    Left,
    /// Numbers.
    Right,
}

/// Who gets to see a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shown {
    /// People and scripts.
    Always,
    /// Scripts; people only if a row has something in it.
    WhenFilled,
    /// Scripts only.
    OffTerminal,
}

/// One column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column {
    /// The name for scripts, in `snake_case`.
    pub key: &'static str,
    /// The name for people.
    pub title: &'static str,
    /// Where its values stand.
    pub align: Align,
    /// Who sees it.
    pub shown: Shown,
}

impl Column {
    /// A column of text.
    pub const fn left(key: &'static str, title: &'static str) -> Self {
        Self {
            key,
            title,
            align: Align::Left,
            shown: Shown::Always,
        }
    }

    /// A column of numbers.
    pub const fn right(key: &'static str, title: &'static str) -> Self {
        Self {
            align: Align::Right,
            ..Self::left(key, title)
        }
    }

    /// The same column for other eyes.
    #[must_use]
    pub const fn shown(mut self, shown: Shown) -> Self {
        self.shown = shown;
        self
    }
}

/// A list of records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// Its columns.
    pub columns: Vec<Column>,
    /// Its rows, each with a cell for every column.
    pub rows: Vec<Vec<Cell>>,
    /// Each row in JSON.
    pub json: Vec<Value>,
    /// The sentence that people read where there are no rows.
    pub empty: String,
}

impl Table {
    /// A table with no rows yet; `empty` is what people read if it stays so.
    pub fn new(columns: Vec<Column>, empty: impl Into<String>) -> Self {
        Self {
            columns,
            rows: Vec::new(),
            json: Vec::new(),
            empty: empty.into(),
        }
    }

    /// Adds a row and its JSON form. A row must have a cell for every column.
    pub fn push(&mut self, cells: Vec<Cell>, json: Value) {
        debug_assert_eq!(cells.len(), self.columns.len(), "a cell for every column");
        self.rows.push(cells);
        self.json.push(json);
    }

    /// Aligned columns if they fit; else a block of titles and values for each row, so that nothing is lost.
    pub(super) fn for_people(&self, columns: usize, paint: Paint) -> String {
        let shown = self.shown_columns();
        let rows: Vec<Vec<&Cell>> = self
            .rows
            .iter()
            .map(|row| shown.iter().filter_map(|index| row.get(*index)).collect())
            .collect();
        let headed: Vec<Column> = shown
            .iter()
            .filter_map(|index| self.columns.get(*index).copied())
            .collect();
        grid(&headed, &rows, columns, paint).unwrap_or_else(|| blocks(&headed, &rows, columns, paint))
    }

    /// A header of keys and a line for each row, fields separated by tabs.
    pub(super) fn for_tabs(&self) -> String {
        let line = |row: &Vec<Cell>| {
            let fields: Vec<String> = row.iter().map(Cell::for_tabs).collect();
            fields.join("\t") + "\n"
        };
        self.keys().join("\t") + "\n" + &self.rows.iter().map(line).collect::<String>()
    }

    /// A header of keys and a record for each row.
    pub(super) fn for_csv(&self) -> String {
        let line = |row: &Vec<Cell>| {
            let fields: Vec<String> = row.iter().map(Cell::for_csv).collect();
            csv::record(fields.iter().map(String::as_str))
        };
        csv::record(self.keys()) + &self.rows.iter().map(line).collect::<String>()
    }

    /// CSV as a spreadsheet in French opens it by a double click: a mark of UTF-8, `;` between fields, `,` in decimals.
    pub(super) fn for_excel(&self) -> String {
        let field = |(cell, column): (&Cell, &Column)| {
            let text = cell.for_csv();
            match column.align {
                Align::Right if !cell.foreign => text.replace('.', ","),
                Align::Left | Align::Right => text,
            }
        };
        let line = |row: &Vec<Cell>| {
            let fields: Vec<String> = row.iter().zip(&self.columns).map(field).collect();
            csv::excel_record(fields.iter().map(String::as_str))
        };
        let rows = self.rows.iter().map(line).collect::<String>();
        format!("\u{feff}{}{rows}", csv::excel_record(self.keys()))
    }

    fn keys(&self) -> Vec<&'static str> {
        self.columns.iter().map(|column| column.key).collect()
    }

    /// The indices of the columns that people see.
    fn shown_columns(&self) -> Vec<usize> {
        let is_filled = |index: usize| {
            let mut cells = self.rows.iter().filter_map(|row| row.get(index));
            cells.any(|cell| !cell.is_none())
        };
        let columns = self.columns.iter().enumerate();
        columns
            .filter(|(index, column)| match column.shown {
                Shown::Always => true,
                Shown::WhenFilled => is_filled(*index),
                Shown::OffTerminal => false,
            })
            .map(|(index, _)| index)
            .collect()
    }
}

/// Rows under a header, or none where they do not fit.
fn grid(headed: &[Column], rows: &[Vec<&Cell>], columns: usize, paint: Paint) -> Option<String> {
    let texts: Vec<Vec<String>> = rows
        .iter()
        .map(|row| row.iter().map(|cell| cell.for_people()).collect())
        .collect();
    let lines = lay_out(headed, &texts);
    if lines.iter().any(|line| line.width() > columns) {
        return None;
    }
    let mut lines = lines.iter();
    let titles = headed.iter().map(|column| (column.title, Tone::Strong));
    let mut text = paint_line(lines.next()?, titles, paint);
    text += &paint.tone(Tone::Muted, lines.next()?);
    text.push('\n');
    for (line, (row, cells)) in lines.zip(rows.iter().zip(&texts)) {
        let parts = cells
            .iter()
            .zip(row)
            .map(|(text, cell)| (text.as_str(), cell.tone));
        text += &paint_line(line, parts, paint);
    }
    Some(text)
}

/// One line for the header, one for the rule and one for each row, without colour.
fn lay_out(headed: &[Column], texts: &[Vec<String>]) -> Vec<String> {
    let mut layout = Layout::new();
    layout.load_style(STYLE);
    layout.set_header(headed.iter().map(|column| LayoutCell::new(column.title)));
    layout.add_rows(texts);
    for (column, described) in layout.column_iter_mut().zip(headed) {
        column.set_padding((0, 1));
        column.set_cell_alignment(match described.align {
            Align::Left => CellAlignment::Left,
            Align::Right => CellAlignment::Right,
        });
    }
    layout.lines().map(|line| line.trim_end().to_owned()).collect()
}

/// Paints and isolates each cell of a line that is already laid out: neither takes any width. Between the
/// cells there is nothing but spaces, so each is the next occurrence of its text.
fn paint_line<'a>(line: &str, cells: impl Iterator<Item = (&'a str, Tone)>, paint: Paint) -> String {
    let mut painted = String::with_capacity(line.len());
    let mut rest = line;
    for (text, tone) in cells {
        if let Some((space, after)) = rest.split_once(text) {
            painted += space;
            painted += &paint.tone(tone, &isolate(text));
            rest = after;
        }
    }
    painted + rest + "\n"
}

/// A block for each row, a blank line between them.
fn blocks(headed: &[Column], rows: &[Vec<&Cell>], columns: usize, paint: Paint) -> String {
    let one = |row: &Vec<&Cell>| {
        let fields = headed.iter().map(|column| column.title).zip(row.iter().copied());
        record::block(fields, columns, paint)
    };
    rows.iter().map(one).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const PLAIN: Paint = Paint::of(false);

    fn plans() -> Table {
        let columns = vec![
            Column::left("code", "Code"),
            Column::left("name", "Name"),
            Column::right("price", "Price"),
            Column::left("raw", "Raw").shown(Shown::OffTerminal),
            Column::left("note", "Note").shown(Shown::WhenFilled),
        ];
        let mut table = Table::new(columns, "no plans");
        for (code, name, price) in [
            ("PREPAID_DJEZZY", "Djezzy\tprepaid", "50"),
            ("GETMENU_Mobilis", "عرض سريع", "10 000"),
        ] {
            table.push(
                vec![
                    Cell::text(code).tone(Tone::Good),
                    Cell::foreign(name),
                    Cell::text(price),
                    Cell::text("raw"),
                    Cell::none(),
                ],
                json!({"code": code}),
            );
        }
        table
    }

    #[test]
    fn people_see_aligned_columns() {
        let shown = plans().for_people(80, PLAIN);
        assert_eq!(
            shown,
            "\
Code             Name             Price
──────────────── ─────────────── ───────
PREPAID_DJEZZY   Djezzy prepaid      50
GETMENU_Mobilis  \u{2068}عرض سريع\u{2069}        10 000
"
        );
    }

    #[test]
    fn a_narrow_terminal_gets_blocks() {
        let shown = plans().for_people(30, PLAIN);
        assert_eq!(
            shown,
            "\
Code   PREPAID_DJEZZY
Name   Djezzy prepaid
Price  50

Code   GETMENU_Mobilis
Name   \u{2068}عرض سريع\u{2069}
Price  10 000
"
        );
    }

    #[test]
    fn colour_changes_no_width_and_no_text() {
        let painted = plans().for_people(80, Paint::of(true));
        assert!(
            painted.contains("\u{1b}[32mPREPAID_DJEZZY\u{1b}[0m   Djezzy"),
            "{painted}"
        );
        assert!(painted.starts_with("\u{1b}[1mCode\u{1b}[0m "), "{painted}");
        let mut bare = painted.replace("\u{1b}[0m", "");
        for code in ["\u{1b}[1m", "\u{1b}[2m", "\u{1b}[32m"] {
            bare = bare.replace(code, "");
        }
        assert_eq!(bare, plans().for_people(80, PLAIN));
    }

    #[test]
    fn scripts_see_every_column_in_both_forms() {
        assert_eq!(
            plans().for_tabs(),
            "code\tname\tprice\traw\tnote\nPREPAID_DJEZZY\tDjezzy prepaid\t50\traw\t\n\
             GETMENU_Mobilis\tعرض سريع\t10 000\traw\t\n"
        );
        assert_eq!(plans().for_csv().lines().next(), Some("code,name,price,raw,note"));
    }

    #[test]
    fn a_column_that_is_filled_once_is_shown() {
        let mut table = plans();
        table.rows[1][4] = Cell::text("new");
        assert!(table.for_people(80, PLAIN).contains("Note"));
    }
}
