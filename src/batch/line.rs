//! A line of a CSV file that people open in a spreadsheet: no cell of it runs, no phone number of it is bent.
//!
//! RFC 4180 with `\n` at the end: Excel, `LibreOffice` and every shell tool read that, and a line break inside a cell
//! then is the same character. The mark of UTF-8 stands in front, or Excel would show Arabic as rubbish.

use crate::domain::foreign::{FORMULA_SIGNS, clean, is_formula};

/// What a file begins with, so that Excel reads it as UTF-8.
pub(super) const UTF8_MARK: &str = "\u{feff}";

/// From this many digits on Excel shows a number as `2,13556E+11`, and saves it so.
const BENT_DIGITS_MIN: usize = 11;

/// A line under construction.
pub(super) struct Line {
    text: String,
    separator: char,
    /// The separator where Windows speaks the other language: Excel splits there, whatever the file says.
    other_separator: char,
    is_empty: bool,
}

impl Line {
    /// An empty line of a file with `;` or, for any other wish, with `,`.
    pub(super) fn new(separator: u8) -> Self {
        let (separator, other_separator) = if separator == b';' { (';', ',') } else { (',', ';') };
        Self {
            text: String::new(),
            separator,
            other_separator,
            is_empty: true,
        }
    }

    /// Begins anew.
    pub(super) fn clear(&mut self) {
        self.text.clear();
        self.is_empty = true;
    }

    /// A value of our own: a number, a time, a word.
    pub(super) fn ours(&mut self, text: &str) {
        self.push(text);
    }

    /// Text that others wrote, on one line.
    pub(super) fn foreign(&mut self, text: &str) {
        let cleaned = clean(text);
        let cell = self.harmless(text, cleaned);
        self.push(&cell);
    }

    /// A cell of the caller's sheet: as it came, its line breaks too, as far as it is harmless.
    pub(super) fn cell(&mut self, text: &str) {
        let cell = self.harmless_cell(text);
        self.push(&cell);
    }

    /// A cell of the caller's that holds a phone number.
    pub(super) fn phone(&mut self, text: &str) {
        let cell = self.harmless_cell(text);
        if is_bent_by_excel(&cell) {
            self.push(&format!("'{cell}"));
        } else {
            self.push(&cell);
        }
    }

    /// The line with its end.
    pub(super) fn end(&mut self) -> &[u8] {
        self.text.push('\n');
        self.text.as_bytes()
    }

    fn harmless_cell(&self, text: &str) -> String {
        match text_trick(text) {
            Some("") => String::new(),
            // `="0555123456"` is a formula to whoever neutralises it; with the apostrophe alone it is the same text.
            Some(inner) => format!("'{}", self.without_inner_formulas(clean(inner))),
            None => self.harmless(text, clean_cell(text)),
        }
    }

    /// `cleaned`, which comes from `raw`, so that no part of it runs.
    fn harmless(&self, raw: &str, cleaned: String) -> String {
        let defused = self.without_inner_formulas(cleaned);
        if is_formula(raw) || is_formula(&defused) {
            format!("'{defused}")
        } else {
            defused
        }
    }

    /// A spreadsheet that splits at the other separator takes quotes in the middle for text, so what stands behind
    /// such a separator or a line break must be no formula either.
    fn without_inner_formulas(&self, text: String) -> String {
        let splits = |character| character == self.other_separator || character == '\n';
        if !text.contains(splits) {
            return text;
        }
        let mut defused = String::with_capacity(text.len() + 4);
        for piece in text.split_inclusive(splits) {
            let runs = piece.trim_start_matches([' ', '"']).starts_with(FORMULA_SIGNS);
            if runs && !defused.is_empty() {
                defused.push('\'');
            }
            defused.push_str(piece);
        }
        defused
    }

    fn push(&mut self, field: &str) {
        if !self.is_empty {
            self.text.push(self.separator);
        }
        self.is_empty = false;
        let padded = field.starts_with(' ') || field.ends_with(' ');
        // Both separators: whoever guesses the separator of a file counts those outside of quotes.
        if padded || field.contains([',', ';', '"', '\n']) {
            self.text.push('"');
            self.text.push_str(&field.replace('"', "\"\""));
            self.text.push('"');
        } else {
            self.text.push_str(field);
        }
    }
}

/// What stands in `="…"`, by which exports tell Excel that a cell is text.
fn text_trick(text: &str) -> Option<&str> {
    let inner = text.trim().strip_prefix("=\"")?.strip_suffix('"')?;
    (!inner.contains('"')).then_some(inner)
}

/// Clean line by line; the line breaks stay, as `\n`.
fn clean_cell(text: &str) -> String {
    if !text.contains(['\n', '\r']) {
        return clean(text);
    }
    let unified = text.replace("\r\n", "\n").replace('\r', "\n");
    let lines: Vec<_> = unified.split('\n').map(clean).collect();
    lines.join("\n")
}

/// Whether Excel would take the cell for a number and lose digits of it: a long number, grouped or not, or one with a
/// point. Ten digits lose their first zero only, and the reader of sheets puts that back.
fn is_bent_by_excel(cell: &str) -> bool {
    let digits = cell.chars().filter(|character| character.is_numeric()).count();
    let is_number = !cell.starts_with('\'') && !cell.chars().any(char::is_alphabetic);
    let has_point = cell.matches(['.', '\u{66b}']).count() == 1;
    is_number && digits > 0 && (digits >= BENT_DIGITS_MIN || has_point)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Amount, Phone};

    fn written(separator: u8, write: impl FnOnce(&mut Line)) -> String {
        let mut line = Line::new(separator);
        write(&mut line);
        String::from_utf8_lossy(line.end()).into_owned()
    }

    fn read_back(separator: u8, write: impl FnOnce(&mut Line)) -> Vec<String> {
        // A lone empty cell would make a blank line, which readers pass over; real lines have many cells.
        let text = written(separator, |line| {
            line.ours("first");
            write(line);
        });
        let mut reader = csv::ReaderBuilder::new()
            .has_headers(false)
            .delimiter(separator)
            .from_reader(text.as_bytes());
        let records: Vec<_> = reader.records().filter_map(Result::ok).collect();
        assert_eq!(records.len(), 1, "{text:?}");
        records.iter().flatten().skip(1).map(str::to_owned).collect()
    }

    fn cell(text: &str) -> String {
        read_back(b',', |line| line.cell(text)).concat()
    }

    fn phone(text: &str) -> String {
        read_back(b',', |line| line.phone(text)).concat()
    }

    #[test]
    fn what_is_harmless_comes_back_as_it_was() {
        let cells = [
            "a,b",
            "c;d",
            "e\"f",
            " g ",
            "",
            "ملاحظة",
            "two\nlines",
            "'=x",
            "500 - 3",
            "é",
        ];
        for separator in [b',', b';'] {
            let read = read_back(separator, |line| cells.iter().for_each(|text| line.cell(text)));
            assert_eq!(read, cells);
        }
        assert_eq!(
            written(b';', |line| [1, 2].iter().for_each(|_| line.ours("x"))),
            "x;x\n"
        );
        assert_eq!(
            written(b'\t', |line| [1, 2].iter().for_each(|_| line.ours("x"))),
            "x,x\n"
        );
    }

    #[test]
    fn formulas_get_an_apostrophe() {
        for text in [
            "=1+1",
            "+1+1",
            "-2",
            "@cmd",
            "  =x",
            "\u{a0}=x",
            "=\"a\"&A1",
            "\u{ff1d}1",
        ] {
            assert_eq!(cell(text), format!("'{text}"));
        }
        assert_eq!(cell("\t=x"), "' =x");
        assert_eq!(cell("\tx"), "' x");
        assert_eq!(cell("\rx"), "'\nx");
        assert_eq!(cell("\u{202e}=x"), "'=x", "what hides the sign goes first");
        assert_eq!(read_back(b',', |line| line.foreign("-2\nx")).concat(), "'-2 x");
        assert_eq!(read_back(b',', |line| line.ours("-2")).concat(), "-2");
    }

    #[test]
    fn formulas_behind_the_separator_of_the_other_language_are_no_formulas() {
        assert_eq!(cell("a;=cmd"), "a;'=cmd");
        assert_eq!(cell("a; \"=cmd"), "a;' \"=cmd");
        assert_eq!(cell("a\n=cmd"), "a\n'=cmd");
        assert_eq!(cell("a,=cmd"), "a,=cmd");
        assert_eq!(read_back(b';', |line| line.cell("a,=cmd")).concat(), "a,'=cmd");
    }

    #[test]
    fn control_and_direction_characters_go_and_line_breaks_stay() {
        assert_eq!(cell("a\u{1b}[2J\u{202e}b\u{0}\u{feff}"), "a[2Jb");
        assert_eq!(cell("a\r\nb\rc\u{2028}d"), "a\nb\nc d");
        assert_eq!(read_back(b',', |line| line.foreign("a\r\nb")).concat(), "a b");
    }

    #[test]
    fn the_text_trick_of_excel_stays_one_and_can_be_read_again() {
        assert_eq!(cell("=\"0555123456\""), "'0555123456");
        assert_eq!(cell("=\"=1+1\""), "'=1+1");
        assert_eq!(cell("=\"\""), "");
        let amount = Amount::read(&cell("=\"500\"")).map(|reading| reading.amount.dinars());
        assert_eq!(amount.ok(), Some(500));
    }

    /// What Excel makes of a cell that it takes for a number, and saves again.
    fn through_excel(cell: &str) -> String {
        let digits = cell.trim_start_matches(['+', '0']);
        let is_number = digits.chars().all(|c| c.is_ascii_digit()) && !digits.is_empty();
        match (is_number, digits.len()) {
            (true, ..BENT_DIGITS_MIN) => digits.to_owned(),
            (true, length) => format!("{},{}E+{}", &digits[..1], &digits[1..6], length - 1),
            (false, _) => cell.to_owned(),
        }
    }

    #[test]
    fn phones_survive_excel() {
        for raw in [
            "0555123456",
            "555123456",
            "05 55 12 34 56",
            "+213555123456",
            "+213 (0)555 12 34 56",
            "00213555123456",
            "213555123456",
            "2130555123456",
            "213 555 123 456",
            "0555.123456",
            "=\"0555123456\"",
            "'0555123456",
            "٠٠٢١٣٥٥٥١٢٣٤٥٦",
        ] {
            let saved = through_excel(&phone(raw));
            let read = Phone::read(&saved).map(|reading| reading.phone.to_string());
            assert_eq!(read.ok().as_deref(), Some("0555123456"), "{raw} became {saved}");
        }
        assert_eq!(
            through_excel("213555123456"),
            "2,13555E+11",
            "or this test proves nothing"
        );
    }

    #[test]
    fn an_apostrophe_stands_only_where_it_is_needed() {
        for plain in [
            "0555123456",
            "555123456",
            "05 55 12 34 56",
            "05.55.12.34.56",
            "",
            "Ali",
        ] {
            assert_eq!(phone(plain), plain);
        }
        assert_eq!(phone("213555123456"), "'213555123456");
        assert_eq!(phone("+213555123456"), "'+213555123456");
        assert_eq!(phone("'213555123456"), "'213555123456");
        assert_eq!(cell("213555123456"), "213555123456");
    }
}
