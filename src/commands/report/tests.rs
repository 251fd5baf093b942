//! What people see of a report.

use std::io::{Cursor, Write};
use std::sync::{Arc, Mutex, PoisonError};

use super::*;
use crate::commands::report::sums::Collected;
use crate::domain::{Account, Environment, Period, State, When};
use crate::ledger::{CameBack, Sale};
use crate::output::{PrinterOptions, Streams, Terminal};

#[derive(Clone, Default)]
struct Paper(Arc<Mutex<Vec<u8>>>);

impl Write for Paper {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut paper = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        paper.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What a terminal of so many columns shows.
fn shown(closing: &Closing, columns: usize) -> String {
    let paper = Paper::default();
    let streams = Streams {
        stdout: Box::new(paper.clone()),
        stderr: Box::new(Paper::default()),
        stdin: Box::new(Cursor::new(Vec::new())),
    };
    let terminal = Terminal {
        no_color: true,
        ..Terminal::people(columns)
    };
    let printer = Printer::on(PrinterOptions::default(), terminal, streams);
    closing
        .show(&printer, false)
        .unwrap_or_else(|error| panic!("{error}"));
    drop(printer);
    let bytes = paper.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
    String::from_utf8_lossy(&bytes).into_owned()
}

fn read<T: std::str::FromStr<Err: std::fmt::Display>>(text: &str) -> T {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn sale(at: &str, operator: &'static str, state: State, amount: u32) -> Sale<'static> {
    Sale {
        sent_at: read(at),
        operator,
        plan: "PREPAID",
        batch: Some("november"),
        state,
        amount,
        cost: Some(read(&format!("{}.25", amount - 4))),
        refunded_at: (state == State::Refunded).then(|| read(at)),
        is_accepted: false,
        is_by_hand: false,
    }
}

fn closing(by: &[By]) -> Closing {
    let day: When = read("2026-11-25");
    let period = Period::day(day, read("2026-11-26T12:00:00Z"));
    let mut collected = Collected::new(by, period);
    for sale in [
        sale("2026-11-25T07:30:00Z", "Djezzy", State::Fulfilled, 12_000),
        sale("2026-11-25T07:40:00Z", "Djezzy", State::Refunded, 300),
        sale("2026-11-25T09:10:00Z", "Djezzy", State::Unknown, 500),
        sale("2026-11-25T09:20:00Z", "Mobilis", State::Fulfilled, 4_000),
        sale("2026-11-25T09:30:00Z", "Mobilis", State::Rejected, 200),
        sale("2026-11-25T09:40:00Z", "Mobilis", State::InReview, 700),
        Sale {
            cost: None,
            is_by_hand: true,
            ..sale("2026-11-25T10:00:00Z", "GMobilis", State::Fulfilled, 5_000)
        },
    ] {
        collected.add(&sale);
    }
    Closing {
        account: Account {
            username: "+213770000000".to_owned(),
            environment: Environment::Sandbox,
        },
        period,
        by: by.to_vec(),
        collected,
        earlier: CameBack {
            orders: 2,
            cost: read("992.50"),
            unknown: 1,
        },
    }
}

#[test]
fn people_see_the_day_at_a_glance() {
    insta::assert_snapshot!(shown(&closing(&[By::Operator, By::State]), 80));
}

#[test]
fn without_states_each_place_has_its_column() {
    insta::assert_snapshot!(shown(&closing(&[By::Operator]), 80));
}

#[test]
fn a_narrow_terminal_loses_nothing() {
    let shown = shown(&closing(&[By::Operator]), 40);
    for needed in ["Djezzy", "11 996.25", "neither sold", "992.50"] {
        assert!(shown.contains(needed), "{needed}: {shown}");
    }
    assert!(!shown.contains("Written off"), "a column of nothing: {shown}");
    let widest = shown.lines().map(|line| line.chars().count()).max();
    assert!(widest <= Some(40), "{shown}");
}
