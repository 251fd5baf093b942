//! `ref show`: one order with every step, request and answer: what the provider's support asks for.

use serde_json::{Value, json};

pub use super::support::PackTarget;
use super::support::{self, Evidence};
use super::{account, find};
use crate::commands::outcome::unprintable;
use crate::commands::session::Session;
use crate::domain::{Order, Ref};
use crate::error::{ExitCode, Result};
use crate::ledger::{Attempt, Ledger, Move};
use crate::output::{Cell, Column, Format, Table, order_json, order_record};

/// What is asked for.
#[derive(Debug, Clone)]
pub struct Request {
    /// Which order.
    pub reference: Ref,
    /// Writes what the provider's support needs in place of it, and where to.
    pub support: Option<PackTarget>,
}

/// Shows the order. Asks nobody where the account is known.
pub async fn run(session: &Session, request: &Request) -> Result<ExitCode> {
    let ledger = session.ledger()?;
    let order = find_order(session, &ledger, &request.reference).await?;
    let (moves, attempts) = (ledger.moves(&order)?, ledger.attempts(&order)?);
    if let Some(target) = &request.support {
        let evidence = Evidence {
            order: &order,
            moves: &moves,
            attempts: &attempts,
            now: session.clock.now(),
        };
        return support::write(session, &evidence, target);
    }
    let printer = &session.printer;
    let shown = match printer.format() {
        Format::Json | Format::Jsonl => printer.json(&whole(&order, &moves, &attempts)),
        Format::Csv => printer.record(order_record(&order)),
        Format::Table => printer
            .record(order_record(&order))
            .and_then(|()| printer.raw(b"\n"))
            .and_then(|()| printer.list(moves_table(&moves)))
            .and_then(|()| printer.raw(b"\n"))
            .and_then(|()| printer.list(attempts_table(&attempts))),
    };
    shown.map_err(unprintable)?;
    Ok(ExitCode::Success)
}

/// Without a key, an order whose ref only one account has is shown all the same.
async fn find_order(session: &Session, ledger: &Ledger, reference: &Ref) -> Result<Order> {
    if let Some(account) = session.known_account(ledger) {
        return find(ledger, &account, reference);
    }
    if let [only] = ledger.find_anywhere(reference)?.as_slice() {
        return Ok(only.clone());
    }
    find(ledger, &account(session, ledger).await?, reference)
}

fn whole(order: &Order, moves: &[Move], attempts: &[Attempt]) -> Value {
    let mut json = order_json(order);
    let exact = |moment: jiff::Timestamp| format!("{moment:.3}");
    json["account"] = json!(order.account.username);
    json["environment"] = json!(order.account.environment.word());
    json["history"] = moves
        .iter()
        .map(|step| {
            json!({
                "at": exact(step.at), "from": step.from.map(crate::domain::State::word), "to": step.to.word(),
                "why": step.why,
            })
        })
        .collect();
    json["calls"] = attempts
        .iter()
        .map(|attempt| {
            json!({
                "endpoint": attempt.endpoint, "path": attempt.path, "request": attempt.request,
                "started_at": exact(attempt.started_at), "ended_at": attempt.ended_at.map(exact),
                "http_status": attempt.http_status, "request_id": attempt.request_id,
                "answer": attempt.answer, "outcome": attempt.outcome,
            })
        })
        .collect();
    json
}

fn moves_table(moves: &[Move]) -> Table {
    let columns = vec![
        Column::left("at", "When"),
        Column::left("from", "From"),
        Column::left("to", "To"),
        Column::left("why", "Why"),
    ];
    let mut table = Table::new(columns, "it has not moved");
    for step in moves {
        let cells = vec![
            Cell::time(step.at),
            Cell::maybe(step.from, Cell::state),
            Cell::state(step.to),
            Cell::maybe(step.why.clone(), Cell::foreign),
        ];
        table.push(cells, Value::Null);
    }
    table
}

fn attempts_table(attempts: &[Attempt]) -> Table {
    let columns = vec![
        Column::left("started_at", "Asked"),
        Column::left("ended_at", "Answered"),
        Column::left("call", "Call"),
        Column::right("http_status", "HTTP"),
        Column::left("outcome", "Understood as"),
        Column::left("request_id", "Request id"),
        Column::left("request", "Request"),
        Column::left("answer", "Answer"),
    ];
    let mut table = Table::new(columns, "nothing has been sent or asked");
    for attempt in attempts {
        let cells = vec![
            Cell::time(attempt.started_at),
            Cell::maybe(attempt.ended_at, Cell::time),
            Cell::foreign(format!("{} {}", attempt.endpoint, attempt.path)),
            Cell::maybe(attempt.http_status, Cell::number),
            Cell::maybe(attempt.outcome.clone(), Cell::foreign),
            Cell::maybe(attempt.request_id.clone(), Cell::foreign),
            // Evidence is shown whole; `foreign` would shorten it.
            Cell::maybe(attempt.request.clone(), Cell::text),
            Cell::maybe(attempt.answer.clone(), Cell::text),
        ];
        table.push(cells, Value::Null);
    }
    table
}
