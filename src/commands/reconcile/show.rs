//! A comparison as people and scripts read it.

use serde_json::{Value, json};

use crate::commands::link::Connected;
use crate::commands::outcome::unprintable;
use crate::commands::session::Session;
use crate::config::shell_word;
use crate::domain::{Direction, Money};
use crate::error::Result;
use crate::ledger::{MatchedBy, Sum};
use crate::output::{Aim, Cell, Column, Format, Record, Shown, Table, Tone};
use crate::reconcile::{Equation, Finding, Report};

/// Shows the summary and the findings.
pub(super) fn show(session: &Session, connected: &Connected, report: &Report) -> Result<()> {
    let printer = &session.printer;
    if report.matched_by == Some(MatchedBy::AmountAndTime) {
        printer.warn(
            "the account's transactions name no order that anybody knows, so they were matched by amount and time: \
             which of several equal orders a difference is about can't be told",
        );
    }
    for left in &report.unchecked {
        printer.warn(&left.why);
    }
    let shown = match printer.format() {
        Format::Table => printer
            .record(summary(connected, report))
            .and_then(|()| {
                // The findings stand apart.
                let is_seen = printer.terminal().stdout_is_terminal && !report.findings.is_empty();
                if is_seen { printer.raw(b"\n") } else { Ok(()) }
            })
            .and_then(|()| printer.list(findings(report, printer.aim()))),
        Format::Csv => printer.list(findings(report, printer.aim())),
        Format::Json => {
            let mut whole = summary_json(connected, report);
            let findings = report.findings.iter();
            whole["findings"] = findings
                .map(|finding| finding_json(finding, printer.aim()))
                .collect();
            printer.json(&whole)
        }
        Format::Jsonl => report
            .findings
            .iter()
            .try_for_each(|finding| printer.json(&typed("finding", finding_json(finding, printer.aim()))))
            .and_then(|()| printer.json(&typed("summary", summary_json(connected, report)))),
    };
    shown.map_err(unprintable)
}

/// A line of `jsonl` says what it is.
fn typed(kind: &str, value: Value) -> Value {
    let mut line = json!({ "type": kind });
    if let (Value::Object(line), Value::Object(fields)) = (&mut line, value) {
        line.extend(fields);
    }
    line
}

fn total(sums: impl Iterator<Item = Sum>) -> Sum {
    sums.fold(Sum::default(), |all, sum| Sum {
        count: all.count + sum.count,
        face: all.face + sum.face,
        cost: all.cost + sum.cost,
    })
}

fn sum_json(sum: Sum) -> Value {
    json!({ "orders": sum.count, "face": sum.face.to_string(), "cost": sum.cost.to_string() })
}

fn matched_by(report: &Report) -> Option<&'static str> {
    report.matched_by.map(|by| match by {
        MatchedBy::Id => "id",
        MatchedBy::Reference => "ref",
        MatchedBy::AmountAndTime => "amount_and_time",
    })
}

fn direction(direction: Option<Direction>) -> Option<&'static str> {
    direction.map(|direction| match direction {
        Direction::In => "in",
        Direction::Out => "out",
    })
}

fn summary_json(connected: &Connected, report: &Report) -> Value {
    let sides = &report.sides;
    let mut ours = sum_json(total(sides.ours.values().copied()));
    ours["states"] = counts(sides.ours.iter().map(|(state, sum)| (state.word(), sum)));
    let mut theirs = sum_json(total(sides.theirs.values().copied()));
    theirs["statuses"] = counts(sides.theirs.iter().map(|(word, sum)| (word.as_str(), sum)));
    let lines: Vec<_> = sides
        .entries
        .iter()
        .map(|line| {
            json!({
                "type": line.word, "direction": direction(line.direction), "count": line.count,
                "amount": line.amount.to_string(),
            })
        })
        .collect();
    let balance = report.equation.map(|equation| {
        json!({
            "opening": equation.opening.to_string(),
            "paid_in": equation.paid_in.to_string(),
            "paid_out": equation.paid_out.to_string(),
            "closing": equation.closing.to_string(),
            "difference": equation.difference().to_string(),
        })
    });
    let unchecked: Vec<_> = report
        .unchecked
        .iter()
        .map(|left| json!({ "what": left.what, "why": left.why }))
        .collect();
    let calls = connected.desk.client.call_counts();
    let account = &report.reading.account;
    json!({
        "account": account.username,
        "environment": account.environment.word(),
        "since": moment(report.reading.range.0),
        "until": moment(report.reading.range.1),
        "as_of": moment(report.reading.begun_at),
        "agrees": report.agrees(),
        "differences": report.differences(),
        "moved": report.findings.len() - report.differences(),
        "open": report.open,
        "ours": ours,
        "theirs": theirs,
        "transactions": lines,
        "matched_by": matched_by(report),
        "balance": balance,
        "unchecked": unchecked,
        "calls": { "list": calls.lists, "check": calls.checks, "other": calls.others },
    })
}

fn moment(moment: jiff::Timestamp) -> String {
    Cell::time(moment).plain
}

fn counts<'a>(sums: impl Iterator<Item = (&'a str, &'a Sum)>) -> Value {
    Value::Object(
        sums.map(|(word, sum)| (word.to_owned(), sum.count.into()))
            .collect(),
    )
}

fn summary(connected: &Connected, report: &Report) -> Record {
    let sides = &report.sides;
    let (ours, theirs) = (
        total(sides.ours.values().copied()),
        total(sides.theirs.values().copied()),
    );
    let (verdict, tone) = if report.agrees() {
        ("yes", Tone::Good)
    } else {
        ("no", Tone::Bad)
    };
    let record = Record::new(summary_json(connected, report))
        .field(
            "agrees",
            "Agrees",
            Cell::yes(report.agrees()).shown_as(verdict).tone(tone),
        )
        .field("differences", "Differences", number(report.differences()))
        .field(
            "moved",
            "Moved here",
            number(report.findings.len() - report.differences()),
        )
        .field("open", "Still open", Cell::number(report.open))
        .field("ours", "Here", sum_cell(ours))
        .field(
            "ours_states",
            "",
            list_cell(sides.ours.iter().map(|(state, sum)| (state.word(), sum))),
        )
        .field("theirs", "At the provider", sum_cell(theirs))
        .field(
            "theirs_statuses",
            "",
            list_cell(sides.theirs.iter().map(|(word, sum)| (word.as_str(), sum))),
        );
    let record = sides.entries.iter().fold(record, |record, line| {
        let sign = match line.direction {
            Some(Direction::In) => "+",
            Some(Direction::Out) => "-",
            None => "",
        };
        let told = |amount: String| format!("{} {}: {sign}{amount}", line.count, line.word);
        let cell = Cell::foreign(told(line.amount.to_string())).shown_as(told(line.amount.grouped()));
        record.field("transactions", "Transactions", cell)
    });
    match report.equation {
        None => record,
        Some(equation) => {
            let exact = told_equation(&equation, |money| money.to_string());
            let shown = told_equation(&equation, Money::grouped);
            record.field("balance", "Balance", Cell::text(exact).shown_as(shown))
        }
    }
}

fn told_equation(equation: &Equation, told: fn(Money) -> String) -> String {
    let sum = format!(
        "{} + {} - {} = {}",
        told(equation.opening),
        told(equation.paid_in),
        told(equation.paid_out),
        told(equation.closing)
    );
    let off = equation.difference();
    if off == Money::ZERO {
        sum
    } else {
        format!("{sum}, off by {}", told(off))
    }
}

fn number(count: usize) -> Cell {
    Cell::text(count.to_string())
}

fn sum_cell(sum: Sum) -> Cell {
    let told = |face: String, cost: String| {
        let orders = if sum.count == 1 { "order" } else { "orders" };
        format!("{} {orders}, face {face}, cost {cost}", sum.count)
    };
    Cell::text(told(sum.face.to_string(), sum.cost.to_string()))
        .shown_as(told(sum.face.grouped(), sum.cost.grouped()))
}

fn list_cell<'a>(sums: impl Iterator<Item = (&'a str, &'a Sum)>) -> Cell {
    let parts: Vec<_> = sums.map(|(word, sum)| format!("{} {word}", sum.count)).collect();
    if parts.is_empty() {
        Cell::none()
    } else {
        Cell::foreign(parts.join(", "))
    }
}

/// Whole dinars as a number; nothing where it is none.
fn whole(amount: Option<Money>) -> Option<u64> {
    amount?.to_string().parse().ok()
}

/// What to do next, ready to paste.
fn next(finding: &Finding, aim: &Aim) -> String {
    aim.sentence(&finding.next(shell_word)).into_owned()
}

fn finding_json(finding: &Finding, aim: &Aim) -> Value {
    json!({
        "kind": finding.kind.word(),
        "difference": finding.kind.is_difference(),
        "ref": finding.reference,
        "topup_id": finding.topup_id,
        "phone": finding.phone,
        "plan": finding.plan,
        "amount": whole(finding.amount),
        "batch": finding.batch,
        "ours": finding.ours,
        "theirs": finding.theirs,
        "money": finding.money.map(|money| money.to_string()),
        "at": finding.at.map(moment),
        "meaning": finding.kind.meaning(),
        "detail": finding.detail,
        "next": next(finding, aim),
    })
}

fn findings(report: &Report, aim: &Aim) -> Table {
    let columns = vec![
        Column::left("kind", "Kind"),
        Column::left("difference", "Difference").shown(Shown::OffTerminal),
        Column::left("ref", "Ref").shown(Shown::WhenFilled),
        Column::left("topup_id", "Id").shown(Shown::WhenFilled),
        Column::left("phone", "Phone").shown(Shown::WhenFilled),
        Column::left("plan", "Plan").shown(Shown::WhenFilled),
        Column::right("amount", "Amount").shown(Shown::WhenFilled),
        Column::left("batch", "Batch").shown(Shown::WhenFilled),
        Column::left("ours", "Here").shown(Shown::WhenFilled),
        Column::left("theirs", "There").shown(Shown::WhenFilled),
        Column::right("money", "Money").shown(Shown::WhenFilled),
        Column::left("at", "At").shown(Shown::WhenFilled),
        Column::left("meaning", "What it is"),
        Column::left("detail", "More").shown(Shown::WhenFilled),
        Column::left("next", "Next"),
    ];
    let mut table = Table::new(columns, "nothing differs");
    for finding in &report.findings {
        table.push(cells(finding, aim), finding_json(finding, aim));
    }
    table
}

fn cells(finding: &Finding, aim: &Aim) -> Vec<Cell> {
    let foreign = |text: &Option<String>| Cell::maybe(text.clone(), Cell::foreign);
    let tone = if finding.kind.is_difference() {
        Tone::Bad
    } else {
        Tone::Muted
    };
    vec![
        Cell::text(finding.kind.word()).tone(tone),
        Cell::yes(finding.kind.is_difference()),
        foreign(&finding.reference),
        foreign(&finding.topup_id),
        foreign(&finding.phone),
        foreign(&finding.plan),
        Cell::maybe(finding.amount, Cell::money),
        foreign(&finding.batch),
        foreign(&finding.ours),
        foreign(&finding.theirs),
        Cell::maybe(finding.money, Cell::money),
        Cell::maybe(finding.at, Cell::time),
        Cell::text(finding.kind.meaning()),
        foreign(&finding.detail),
        Cell::foreign(next(finding, aim)),
    ]
}
