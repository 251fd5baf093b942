//! `batch --list`: what batches there are, and how far each is. Asks nobody.

use serde_json::{Value, json};

use super::unprintable;
use crate::commands::refs::account;
use crate::commands::session::Session;
use crate::domain::State;
use crate::error::{ExitCode, Result};
use crate::ledger::{Batch, Standings};
use crate::output::{Cell, Column, Shown, Table, Tone};

/// Shows the batches.
pub(super) async fn run(session: &Session) -> Result<ExitCode> {
    let ledger = session.ledger()?;
    let account = account(session, &ledger).await?;
    let columns = vec![
        Column::left("batch", "Batch"),
        Column::right("total", "Rows"),
        Column::right("planned", "Planned"),
        Column::right("open", "Open"),
        Column::right("fulfilled", "Fulfilled"),
        Column::right("refunded", "Refunded").shown(Shown::WhenFilled),
        Column::right("rejected", "Rejected").shown(Shown::WhenFilled),
        Column::right("other", "Other").shown(Shown::WhenFilled),
        Column::left("file", "File"),
        Column::left("planned_at", "Planned at"),
    ];
    let mut table = Table::new(columns, "no batches yet");
    for batch in ledger.batches(&account)? {
        let elsewhere = ledger.standings_elsewhere(&batch)?;
        let standings = ledger.standings(&batch)?.with(&elsewhere);
        table.push(cells(&batch, &standings), as_json(&batch, &standings, &elsewhere));
    }
    session.printer.note(&format!("account {account}"));
    session.printer.list(table).map_err(unprintable)?;
    Ok(ExitCode::Success)
}

fn cells(batch: &Batch, standings: &Standings) -> Vec<Cell> {
    let of = |wanted: fn(State) -> bool| standings.count(wanted);
    let other = |state| matches!(state, State::Conflict | State::Cancelled | State::WrittenOff);
    let sheet = batch.sheet.as_ref();
    vec![
        Cell::foreign(batch.label.as_str()).tone(Tone::Strong),
        Cell::number(of(|_| true)),
        Cell::number(of(|state| state == State::Planned)),
        Cell::number(of(State::is_open)),
        Cell::number(of(|state| state == State::Fulfilled)),
        Cell::some(of(|state| state == State::Refunded)),
        Cell::some(of(|state| state == State::Rejected)),
        Cell::some(of(other)),
        Cell::maybe(sheet, |sheet| Cell::foreign(sheet.file.as_str())),
        Cell::maybe(sheet, |sheet| Cell::time(sheet.planned_at)),
    ]
}

fn as_json(batch: &Batch, standings: &Standings, elsewhere: &Standings) -> Value {
    let by_state = |standings: &Standings| -> serde_json::Map<String, Value> {
        let states = standings.states.iter();
        states
            .map(|(state, orders)| (state.word().to_owned(), (*orders).into()))
            .collect()
    };
    json!({
        "batch": batch.label.as_str(),
        "total": standings.count(|_| true),
        "states": by_state(standings),
        "elsewhere": by_state(elsewhere),
        "file": batch.sheet.as_ref().map(|sheet| sheet.file.as_str()),
        "created_at": format!("{:.3}", batch.created_at),
        "planned_at": batch.sheet.as_ref().map(|sheet| format!("{:.3}", sheet.planned_at)),
    })
}
