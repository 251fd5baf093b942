//! Everything that reaches the two streams: data on stdout, all else on stderr.
//!
//! One [`Printer`] owns both. Commands hand it a [`Table`], a [`Record`], a JSON value or a sentence; it alone
//! knows whether people or scripts are reading, and lays the same data out for either:
//!
//! | | a terminal | a pipe |
//! |---|---|---|
//! | `table` | aligned and coloured; blocks where it is too narrow | tabs, a header line, RFC 3339 times |
//! | `json` | an array or an object, invisible characters escaped | the same, untouched |
//! | `jsonl` | an object a line | the same |
//! | `csv` | RFC 4180, formulas in foreign text neutralised | the same |
//!
//! No other room writes to a stream. A reader that has gone away is no failure: what is left is dropped.

mod aim;
mod bar;
mod cell;
mod chart;
mod csv;
mod data;
mod failure;
mod feed;
mod json;
mod order;
mod paint;
mod printer;
mod progress;
mod record;
mod sanitise;
mod sink;
mod table;
mod tally;
mod terminal;

pub use aim::Aim;
pub use bar::Bar;
pub use cell::Cell;
pub use chart::Chart;
pub use feed::Feed;
pub use order::{order_json, order_record, orders_table};
pub use paint::Tone;
pub use printer::{Format, FormatError, Printer, PrinterOptions, Streams};
pub use progress::Progress;
pub use record::{Field, Record};
pub use sanitise::{clean, isolate};
pub use table::{Align, Column, Shown, Table};
pub use tally::Tally;
pub use terminal::{Colour, ColourError, Terminal};
