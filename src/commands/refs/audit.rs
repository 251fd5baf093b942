//! `ref audit`: the log of all that has moved money; `--verify` holds it against itself and the ledger. Asks nobody.

use serde_json::{Value, json};

use crate::commands::acting::warn_of_log;
use crate::commands::outcome::{refuse_no_time, unprintable};
use crate::commands::session::Session;
use crate::domain::{Period, Ref, State, When};
use crate::error::{Error, ExitCode, Kind, Result};
use crate::ledger::NewAct;
use crate::ledger::audit::{
    AuditError, Difference, DifferenceKind, Exporter, Lookup, Verdict, list, path_of, verify,
};
use crate::output::{Cell, Column, Record, Shown, Table};

/// What is asked for.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// Only lines about this order.
    pub reference: Option<Ref>,
    /// Only lines from then on.
    pub since: Option<When>,
    /// Only lines up to then.
    pub until: Option<When>,
    /// At most so many, the newest; 0 for all.
    pub limit: u32,
    /// Holds the log against itself and the ledger.
    pub verify: bool,
    /// A hash that was noted elsewhere.
    pub head: Option<String>,
}

/// Shows the log, or whether it is whole.
pub fn run(session: &Session, request: &Request) -> Result<ExitCode> {
    let now = session.clock.now();
    if request.since.is_some() || request.until.is_some() {
        refuse_no_time(Period::between(request.since, request.until, now))?;
    }
    let path = &session.config.ledger.value;
    // A ledger that is damaged or newer is refused like everywhere; one that is not there is made.
    let ledger = session.ledger()?;
    if request.verify {
        // What is verified is not written to before.
        return verified(session, request);
    }
    let account = session.known_account(&ledger);
    let act = NewAct {
        author: session.author(),
        ..NewAct::default()
    };
    let written = Exporter::open(path, &act).and_then(|mut exporter| exporter.export(now));
    warn_of_log(&session.printer, written);
    let lookup = Lookup {
        account: account.clone(),
        reference: request.reference.clone(),
        since: request.since.map(|when| when.moment(now)),
        until: request.until.map(|when| when.end(now)),
        limit: (request.limit > 0).then(|| usize::try_from(request.limit).unwrap_or(usize::MAX)),
    };
    let listed = list(path, &lookup).map_err(unreadable)?;
    if let Some(account) = account {
        session.printer.note(&format!("account {account}"));
    }
    let shown = u64::try_from(listed.lines.len()).unwrap_or(u64::MAX);
    if listed.found > shown {
        session.printer.note(&format!(
            "the newest {shown} of {} lines; `--limit 0` shows all",
            listed.found
        ));
    }
    if listed.unreadable > 0 {
        session.printer.warn(&format!(
            "{} lines can't be read; `oneclick ref audit --verify` says more",
            listed.unreadable
        ));
    }
    session.printer.list(table(listed.lines)).map_err(unprintable)?;
    Ok(ExitCode::Success)
}

fn unreadable(error: AuditError) -> Error {
    match error {
        AuditError::Ledger(error) => error.into(),
        file @ AuditError::File { .. } => Error::new(
            Kind::Ledger,
            "audit_unreadable",
            format!("the audit log can't be read: {file}"),
        )
        .hint("look at its permissions and its disk"),
    }
}

fn table(lines: Vec<Value>) -> Table {
    let columns = vec![
        Column::right("n", "Line"),
        Column::left("at", "When"),
        Column::left("who", "Who"),
        Column::left("event", "What"),
        Column::left("ref", "Ref").shown(Shown::WhenFilled),
        Column::left("phone", "Phone").shown(Shown::WhenFilled),
        Column::left("plan", "Plan").shown(Shown::OffTerminal),
        Column::right("amount", "Amount").shown(Shown::WhenFilled),
        Column::left("why", "Why").shown(Shown::WhenFilled),
        Column::left("command", "Command").shown(Shown::OffTerminal),
        Column::left("overrides", "Set aside").shown(Shown::WhenFilled),
        Column::left("request_id", "Request id").shown(Shown::OffTerminal),
        Column::left("host", "Host").shown(Shown::OffTerminal),
        Column::left("act", "Act").shown(Shown::OffTerminal),
        Column::left("account", "Account").shown(Shown::OffTerminal),
        Column::left("environment", "Environment").shown(Shown::OffTerminal),
        Column::left("prev", "Previous").shown(Shown::OffTerminal),
    ];
    let mut table = Table::new(columns, "nothing has moved money");
    for line in lines {
        table.push(cells(&line), line);
    }
    table
}

fn cells(line: &Value) -> Vec<Cell> {
    let text = |name: &str| line[name].as_str().map(str::to_owned);
    let foreign = |name: &str| Cell::maybe(text(name), Cell::foreign);
    let number = |name: &str| Cell::maybe(line[name].as_u64(), Cell::number);
    let overrides = line["overrides"].as_array().filter(|list| !list.is_empty());
    // People see with an act what was typed.
    let why = match (text("why"), text("command")) {
        (Some(why), _) => Cell::foreign(why),
        (None, Some(command)) => Cell::text("").shown_as(Cell::foreign(command).shown),
        (None, None) => Cell::none(),
    };
    vec![
        number("n"),
        Cell::maybe(text("at").and_then(|at| at.parse().ok()), Cell::time),
        foreign("who"),
        event(line),
        foreign("ref"),
        foreign("phone"),
        foreign("plan"),
        number("amount"),
        why,
        foreign("command"),
        Cell::maybe(overrides, |list| {
            let told: Vec<_> = list.iter().map(set_aside).collect();
            Cell::text(Value::from(list.clone()).to_string()).shown_as(told.join("; "))
        }),
        foreign("request_id"),
        foreign("host"),
        number("act"),
        foreign("account"),
        foreign("environment"),
        foreign("prev"),
    ]
}

/// A guard that was set aside, in people's words: which, by what, and why.
fn set_aside(one: &Value) -> String {
    let text = |name: &str| one[name].as_str();
    let (what, by) = (text("what").unwrap_or_default(), text("by").unwrap_or_default());
    let reason = text("reason").map(|reason| format!(": {reason}"));
    format!("{what} ({by}){}", reason.unwrap_or_default())
}

/// What a line is about: the word of an act, or the state that an order has come to.
fn event(line: &Value) -> Cell {
    let state = line["to"].as_str().and_then(|word| word.parse::<State>().ok());
    match state {
        Some(state) => Cell::state(state),
        None => Cell::maybe(line["event"].as_str(), Cell::foreign),
    }
}

fn verified(session: &Session, request: &Request) -> Result<ExitCode> {
    let verdict = verify(&session.config.ledger.value, request.head.as_deref()).map_err(unreadable)?;
    let printer = &session.printer;
    for told in &verdict.set_aside {
        printer.warn(&format!("{told}; keep it beside the ledger that it belongs to"));
    }
    if verdict.waiting > 0 {
        printer.warn(&format!(
            "{} lines are not yet in the file; `oneclick ref audit` writes them",
            verdict.waiting
        ));
    }
    if !printer.format().is_json() && !verdict.differences.is_empty() {
        printer.message_table(&differences(&verdict.differences));
    }
    printer
        .record(record(session, request, &verdict))
        .map_err(unprintable)?;
    if verdict.count == 0 {
        return Ok(ExitCode::Success);
    }
    let what = if verdict.count == 1 {
        "1 difference".to_owned()
    } else {
        format!("{} differences", verdict.count)
    };
    let first = verdict.differences.first().map(told).unwrap_or_default();
    let error = Error::new(
        Kind::Ledger,
        "audit_damaged",
        format!("the audit log is not whole: {what}; the first: {first}"),
    )
    .hint("keep the file and the ledger as they are, and compare both with a backup")
    .hint("`oneclick ref show REF` shows what the ledger holds of an order, and `oneclick ref check REF` asks the provider");
    Err(error)
}

fn record(session: &Session, request: &Request, verdict: &Verdict) -> Record {
    let file = path_of(&session.config.ledger.value).display().to_string();
    let is_whole = verdict.count == 0;
    let json = json!({
        "file": file,
        "whole": is_whole,
        "lines": verdict.last,
        "waiting": verdict.waiting,
        "set_aside": verdict.set_aside,
        "head": verdict.head,
        "noted_head": request.head.as_ref().map(|hash| json!({"hash": hash, "n": verdict.noted})),
        "difference_count": verdict.count,
        "differences": verdict.differences.iter().map(difference_json).collect::<Vec<_>>(),
    });
    let noted = verdict.noted.and_then(|n| u64::try_from(n).ok());
    Record::new(json)
        .field("file", "File", Cell::text(file))
        .field("whole", "Whole", Cell::yes(is_whole))
        .field(
            "lines",
            "Lines",
            Cell::number(u64::try_from(verdict.last).unwrap_or_default()),
        )
        .field("head", "Head", Cell::text(verdict.head.clone()))
        .field(
            "noted_head",
            "Noted head",
            Cell::maybe(noted, |n| Cell::text(format!("line {n}"))),
        )
        .field("difference_count", "Differences", Cell::number(verdict.count))
}

fn difference_json(difference: &Difference) -> Value {
    json!({
        "kind": difference.kind.word(),
        "line": difference.line,
        "n": difference.n,
        "until": difference.until,
        "ref": difference.reference,
        "detail": difference.detail,
    })
}

fn differences(found: &[Difference]) -> Table {
    let columns = vec![
        Column::right("line", "Line of the file"),
        Column::left("n", "Number"),
        Column::left("kind", "What"),
        Column::left("ref", "Ref"),
        Column::left("detail", "Detail"),
    ];
    let mut table = Table::new(columns, "none");
    for difference in found {
        let cells = vec![
            Cell::maybe(difference.line, Cell::number),
            Cell::maybe(numbers(difference), Cell::text),
            Cell::text(name(difference.kind)),
            Cell::maybe(difference.reference.clone(), Cell::foreign),
            Cell::text(difference.detail.clone()),
        ];
        table.push(cells, Value::Null);
    }
    table
}

fn numbers(difference: &Difference) -> Option<String> {
    let n = difference.n?;
    Some(match difference.until {
        Some(until) => format!("{n} to {until}"),
        None => n.to_string(),
    })
}

fn name(kind: DifferenceKind) -> &'static str {
    match kind {
        DifferenceKind::Changed => "line changed",
        DifferenceKind::RowDiffers => "line and ledger differ",
        DifferenceKind::Missing => "line missing",
        DifferenceKind::Cut => "end cut off",
        DifferenceKind::Inserted => "line inserted",
        DifferenceKind::RowMissing => "row missing in the ledger",
        DifferenceKind::OutOfOrder => "out of order",
        DifferenceKind::Chain => "chain broken",
        DifferenceKind::Head => "other end",
        DifferenceKind::Noted => "noted head missing",
        DifferenceKind::Tail => "foreign end",
        DifferenceKind::OtherLedger => "log of another ledger",
        DifferenceKind::State => "order and history differ",
    }
}

/// One difference in a sentence.
fn told(difference: &Difference) -> String {
    let place = match (difference.line, numbers(difference)) {
        (Some(line), _) => format!("line {line}: "),
        (None, Some(numbers)) => format!("line {numbers}: "),
        (None, None) => String::new(),
    };
    let about = difference.reference.as_ref();
    let about = about
        .map(|reference| format!(" (`{reference}`)"))
        .unwrap_or_default();
    format!("{place}{}{about}: {}", name(difference.kind), difference.detail)
}

/// Whether what was typed can be a hash of the log.
pub fn read_hash(text: &str) -> std::result::Result<String, String> {
    let text = text.trim();
    let is_hash = text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_hash {
        Ok(text.to_ascii_lowercase())
    } else {
        Err("a head is 64 hexadecimal digits, as `oneclick ref audit --verify` prints them".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_see_what_was_set_aside_and_why() {
        let line = json!({
            "n": 1, "event": "begun", "command": "oneclick ref settle open",
            "overrides": [
                {"what": "settled by hand", "by": "--as written_off", "reason": "support, ticket\u{1b} 4711"},
                {"what": "repeat", "by": "--again"},
            ],
        });
        let table = table(vec![line]);
        let place = table
            .columns
            .iter()
            .position(|column| column.key == "overrides")
            .unwrap_or_default();
        assert_eq!(table.columns[place].shown, Shown::WhenFilled);
        assert_eq!(
            table.rows[0][place].shown,
            "settled by hand (--as written_off): support, ticket\u{1b} 4711; repeat (--again)",
            "the printer takes control characters out"
        );
        assert!(table.rows[0][place].plain.starts_with("[{\"what\""));
    }
}
