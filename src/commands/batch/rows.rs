//! What is wrong with the rows of a sheet, and what was done to them, as people read it.

use super::words::{count, rows_of, were};
use super::{Job, Planned};
use crate::batch::sheet::{Refusal, Remark};
use crate::batch::{KEPT_MAX, Reading, Terms, Told};
use crate::commands::send::told;
use crate::domain::Operator;
use crate::error::{Error, Kind, Result};
use crate::ledger::{Fate, Repeat, Resolved};
use crate::output::Printer;

/// Refuses a sheet with rows that can't be sent, unless they are to be left out. How many those are.
pub(super) fn check(job: &Job<'_>, terms: &Terms, planned: &Planned) -> Result<u64> {
    let Planned::Staged(staged, reading) = planned else {
        return Ok(0);
    };
    let (sending, printer) = (job.sending, &job.session.printer);
    if printer.verbosity() > 0 {
        terms.retell(&job.sheet, &mut |told| {
            match told {
                Told::Read(line, remark) => printer.note(&repair(line, remark)),
                // One that is staged all the same is an order already.
                Told::Refused(refusal) if staged.has(refusal.line)? => {}
                Told::Refused(refusal) => printer.warn(&line_of(refusal)),
            }
            Ok(())
        })?;
    } else {
        tell_changes(printer, reading);
    }
    tell_remarks(printer, reading);
    let others = staged.under_other_terms();
    if others > 0 {
        printer.note(&format!(
            "{} sent before, under another plan or price than the catalogue gives {} today",
            were(others, "1 row was", &format!("{} were", rows_of(others))),
            were(others, "it", "them")
        ));
    }
    let (clashing, clashes) = staged.clashes(KEPT_MAX)?;
    let bad = reading.bad + clashing;
    // The error that refuses the sheet names the first of them.
    if bad > 1 || sending.skip_bad {
        if printer.verbosity() == 0 {
            tell_refusals(printer, reading);
        }
        for resolved in &clashes {
            printer.warn(&clash(resolved));
        }
    }
    if bad == 0 {
        return Ok(0);
    }
    if sending.skip_bad {
        let are = were(bad, "is", "are");
        printer.warn(&format!("{} {are} left out (`--skip-bad`)", rows_of(bad)));
        return if reading.rows > clashing {
            Ok(bad)
        } else {
            Err(nothing_left())
        };
    }
    let first = reading
        .refusals
        .first()
        .map(line_of)
        .or_else(|| clashes.first().map(clash));
    let message = format!(
        "{} of the sheet can't be sent: {}; nothing was sent",
        rows_of(bad),
        first.unwrap_or_default()
    );
    let is_capped = reading.over_cap == bad;
    let (kind, code) = if is_capped {
        (Kind::Limit, "max_per_send")
    } else {
        (Kind::Usage, "bad_rows")
    };
    let hint = if reading.rows > clashing {
        "mend what is wrong and run the command again, or send the others with `--skip-bad`"
    } else {
        "mend the rows and run the command again"
    };
    Err(Error::new(kind, code, message).hint(hint))
}

fn nothing_left() -> Error {
    Error::usage("no_rows", "no row of the sheet can be sent").hint("mend the rows and run the command again")
}

fn tell_refusals(printer: &Printer, reading: &Reading) {
    for refusal in &reading.refusals {
        printer.warn(&line_of(refusal));
    }
    let untold = reading.bad.saturating_sub(reading.told);
    if untold > 0 {
        printer.warn(&format!(
            "and {} more can't be sent; `-v` shows all",
            rows_of(untold)
        ));
    }
}

/// What was done to cells: repairs one by one, the rest by the first.
fn tell_changes(printer: &Printer, reading: &Reading) {
    for (line, remark) in &reading.repairs {
        printer.note(&repair(*line, remark));
    }
    let shown = u64::try_from(reading.repairs.len()).unwrap_or(u64::MAX);
    if reading.repaired > shown {
        printer.note(&format!(
            "and more: {} cells were repaired; `-v` shows all",
            count(reading.repaired)
        ));
    }
    if let Some((line, remark)) = reading.notes.first() {
        let others = match reading.noted {
            1 => String::new(),
            2 => "; one more cell was read in another spelling".to_owned(),
            more => format!("; {} more cells were read in another spelling", count(more - 1)),
        };
        printer.note(&format!("{}{others}", repair(*line, remark)));
    }
}

fn tell_remarks(printer: &Printer, reading: &Reading) {
    if reading.blank > 0 {
        printer.note(&format!(
            "{} blank {} passed over",
            count(reading.blank),
            were(reading.blank, "row was", "rows were")
        ));
    }
    for (line, named, phone, plan) in &reading.contradictions {
        printer.warn(&format!(
            "line {line}: the sheet names {named}, and `{phone}`, to be topped up with `{plan}`, has a prefix of {}",
            Operator::of(phone)
        ));
    }
    let shown = u64::try_from(reading.contradictions.len()).unwrap_or(u64::MAX);
    if reading.contradicted > shown {
        let more = rows_of(reading.contradicted - shown);
        printer.warn(&format!("and {more} more name another operator than the prefix"));
    }
    if let Some((line, phone, plan)) = &reading.misfit {
        let others = match reading.misfits {
            1 => String::new(),
            2 => ", and one more row".to_owned(),
            more => format!(", and {} more", rows_of(more - 1)),
        };
        printer.warn(&format!(
            "line {line}: `{phone}` does not have the prefix of the operator of `{plan}`{others}"
        ));
    }
}

fn repair(line: u64, remark: &Remark) -> String {
    format!(
        "line {line}, column `{}`: `{}` is read as `{}`: {}",
        remark.column, remark.from, remark.to, remark.why
    )
}

fn line_of(refusal: &Refusal) -> String {
    let Refusal {
        line,
        column,
        value,
        reason,
    } = refusal;
    if column == "row" && value.is_empty() {
        return format!("line {line}: {reason}");
    }
    if column == "row" {
        return format!("line {line}, `{value}`: {reason}");
    }
    // Most reasons name the value themselves.
    if value.is_empty() || reason.contains(value.as_str()) {
        format!("line {line}, column `{column}`: {reason}")
    } else {
        format!("line {line}, column `{column}`, `{value}`: {reason}")
    }
}

fn clash(resolved: &Resolved) -> String {
    let (line, reference) = (resolved.row.row, &resolved.row.intent.reference);
    match &resolved.fate {
        Fate::Clash(order) => format!(
            "line {line}: the ref `{reference}` is another order's: {}",
            told(order)
        ),
        Fate::SameRef(other) => format!("line {line}: the ref `{reference}` stands on line {other} already"),
        Fate::New | Fate::Again | Fate::Known(_) => format!("line {line}"),
    }
}

/// A repeat as people read it, with both lines or the order.
pub(super) fn repeat_of(resolved: &Resolved) -> String {
    let row = &resolved.row;
    let (line, phone, amount) = (row.row, &row.intent.phone, row.intent.amount.grouped());
    match &resolved.repeat {
        Some(Repeat::InSheet(other)) => {
            format!("line {line}: {amount} DZD to `{phone}`, who is on line {other} as well")
        }
        Some(Repeat::Order(order)) => format!("line {line}: {amount} DZD to `{phone}`; {}", told(order)),
        None => format!("line {line}: {amount} DZD to `{phone}`"),
    }
}
