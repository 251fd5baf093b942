//! A small bar chart for a terminal: a line for each bar, with its number in digits, so that nothing hangs on the drawing.

use std::fmt::Write;

use unicode_width::UnicodeWidthStr;

use super::paint::{Paint, Tone};
use crate::domain::group_thousands;

/// The longest that a bar gets, however wide the terminal is.
const BAR_COLUMNS_MAX: usize = 60;
/// With less room than this a bar says nothing, and only the numbers are shown.
const BAR_COLUMNS_MIN: usize = 4;
/// Between label, bar and number.
const GAP: usize = 1;

/// Bars of one kind, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chart {
    title: &'static str,
    bars: Vec<Bar>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Bar {
    label: String,
    value: u64,
    open: u64,
}

impl Chart {
    /// A chart without bars.
    pub fn new(title: &'static str) -> Self {
        Self {
            title,
            bars: Vec::new(),
        }
    }

    /// Adds to the bar of a label, the last one or a new one. What is open is no part of its length and is said in words.
    pub fn add(&mut self, label: String, value: u64, open: u64) {
        match self.bars.last_mut() {
            Some(last) if last.label == label => {
                last.value += value;
                last.open += open;
            }
            _ => self.bars.push(Bar { label, value, open }),
        }
    }

    /// A title and a line for each bar; nothing where there is no bar of any length.
    pub(super) fn for_people(&self, columns: usize, paint: Paint) -> String {
        let most = self.bars.iter().map(|bar| bar.value).max().unwrap_or(0);
        if most == 0 {
            return String::new();
        }
        let labels = widest(self.bars.iter().map(|bar| bar.label.as_str()));
        let words: Vec<String> = self.bars.iter().map(words).collect();
        let numbers = widest(words.iter().map(String::as_str));
        let room = columns
            .saturating_sub(labels + numbers + 2 * GAP)
            .min(BAR_COLUMNS_MAX);
        let mut text = format!("\n{}\n", paint.tone(Tone::Strong, self.title));
        for (bar, words) in self.bars.iter().zip(&words) {
            let drawn = drawn(bar.value, most, room);
            let space = if drawn.is_empty() { "" } else { " " };
            let painted = paint.tone(Tone::Good, &drawn);
            let label = &bar.label;
            // Writing to a String can't fail.
            let _ = writeln!(text, "{label:labels$} {painted}{space}{words}");
        }
        text
    }
}

fn widest<'a>(texts: impl Iterator<Item = &'a str>) -> usize {
    texts.map(UnicodeWidthStr::width).max().unwrap_or(0)
}

fn words(bar: &Bar) -> String {
    let value = group_thousands(&bar.value.to_string());
    match bar.open {
        0 => value,
        open => format!("{value} (+{open} open)"),
    }
}

/// A bar in proportion; what is not nothing is never drawn as nothing.
fn drawn(value: u64, most: u64, room: usize) -> String {
    if room < BAR_COLUMNS_MIN || value == 0 {
        return String::new();
    }
    let room = u64::try_from(room).unwrap_or(0);
    let share = u128::from(value) * u128::from(room) / u128::from(most);
    let cells = usize::try_from(share).unwrap_or(0);
    "█".repeat(cells.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Paint = Paint::of(false);

    fn chart() -> Chart {
        let mut chart = Chart::new("Sold by hour, DZD");
        chart.add("08:00".to_owned(), 12_000, 0);
        chart.add("09:00".to_owned(), 0, 2);
        chart.add("10:00".to_owned(), 5, 0);
        chart.add("10:00".to_owned(), 5, 0);
        chart
    }

    #[test]
    fn bars_are_in_proportion_and_fit() {
        assert_eq!(
            chart().for_people(30, PLAIN),
            "
Sold by hour, DZD
08:00 ████████████ 12 000
09:00 0 (+2 open)
10:00 █ 10
"
        );
        for columns in [10, 20, 50, 80, 300] {
            let shown = chart().for_people(columns, PLAIN);
            let widest = shown.lines().skip(2).map(UnicodeWidthStr::width).max();
            assert!(widest <= Some(columns.max(18)), "{columns} columns:\n{shown}");
        }
    }

    #[test]
    fn a_narrow_terminal_gets_the_numbers_alone() {
        let shown = chart().for_people(12, PLAIN);
        assert!(
            shown.contains("08:00 12 000\n") && !shown.contains('█'),
            "{shown}"
        );
    }

    #[test]
    fn nothing_sold_is_no_chart() {
        let mut chart = Chart::new("Sold by hour, DZD");
        chart.add("08:00".to_owned(), 0, 3);
        assert_eq!(chart.for_people(80, PLAIN), "");
    }
}
