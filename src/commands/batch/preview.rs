//! What people see before anything is sent: what is wrong with the sheet, what would be sent, and what stands against
//! it (design, section 4).

use serde_json::{Value, json};

use super::{Job, Planned, unprintable};
use crate::batch::sheet::{Refusal, Remark};
use crate::batch::{Bounds, KEPT_MAX, PlanTotals, Preview, Reading, Terms, Told, Totals};
use crate::commands::link::Connected;
use crate::commands::send::told;
use crate::domain::{Money, Operator, State, group_thousands, in_algiers};
use crate::error::{Error, Kind, Result};
use crate::ledger::{Batch, Fate, InDoubt, Repeat, Resolved};
use crate::output::{Cell, Column, Printer, Table, Tone};

/// Refuses a sheet with rows that can't be sent, unless they are to be left out. How many those are.
pub(super) fn check_rows(job: &Job<'_>, terms: &Terms, planned: &Planned) -> Result<u64> {
    let Planned::Staged(staged, reading) = planned else {
        return Ok(0);
    };
    let (sending, printer) = (job.sending, &job.session.printer);
    if printer.verbosity() > 0 {
        terms.retell(&job.sheet, &mut |told| match told {
            Told::Read(line, remark) => printer.note(&repair(line, remark)),
            Told::Refused(refusal) => printer.warn(&line_of(refusal)),
        })?;
    } else {
        tell_changes(printer, reading);
        tell_refusals(printer, reading);
    }
    tell_remarks(printer, reading);
    let mut bad = reading.bad;
    let (clashing, clashes) = staged.clashes(KEPT_MAX)?;
    bad += clashing;
    for resolved in &clashes {
        printer.warn(&clash(resolved));
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
        "mend these rows and run the command again, or send the others with `--skip-bad`"
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

/// What would be sent, to be shown and held against what bounds it.
pub(super) struct Shown<'a> {
    pub job: &'a Job<'a>,
    pub connected: &'a Connected,
    pub planned: &'a Planned,
    pub preview: &'a Preview,
    /// Rows whose answers were lost, and that may be sent again.
    pub in_doubt: InDoubt,
    pub balance: Money,
}

impl Shown<'_> {
    /// The table: data in a dry run, a message before a real one.
    pub fn show(&self) -> Result<()> {
        let printer = &self.job.session.printer;
        let table = self.table();
        if self.job.sending.dry_run {
            if printer.format().is_json() {
                return printer.json(&self.json()).map_err(unprintable);
            }
            self.tell_around();
            return printer.list(table).map_err(unprintable);
        }
        self.tell_around();
        // Who is quiet has agreed already, or is asked and must see to what.
        let is_asked = printer.is_interactive() && !self.job.sending.is_agreed();
        if self.preview.to_send.rows > 0 && (is_asked || !printer.quiet()) {
            printer.message_table(&table);
        }
        Ok(())
    }

    /// What stands around the table: whose batch it is, what is done already, repeats, balance now and after.
    fn tell_around(&self) {
        let printer = &self.job.session.printer;
        let (account, preview) = (&self.connected.desk.account, self.preview);
        let begun = |batch: &Batch| format!(", begun on {}", in_algiers(batch.created_at));
        let since = match self.planned {
            Planned::Stored(batch) => Some(begun(batch)),
            // The sheet has changed, or it is another one.
            Planned::Staged(staged, _) => staged
                .batch()
                .map(|batch| begun(batch) + "; if this is another sheet, give it a `--label` of its own"),
        };
        printer.note(&format!(
            "batch `{}` from {}, account {account}{}",
            self.job.label,
            self.job.file.shown,
            since.unwrap_or_default()
        ));
        if preview.already() > 0 {
            let sent = preview
                .known
                .iter()
                .filter(|(state, _)| **state != State::Planned);
            let states: Vec<_> = sent
                .map(|(state, orders)| format!("{} {state}", count(*orders)))
                .collect();
            printer.note(&format!(
                "{} sent before: {}",
                were(
                    preview.already(),
                    "1 row was",
                    &format!("{} were", rows_of(preview.already()))
                ),
                states.join(", ")
            ));
        }
        let elsewhere = preview.planned_elsewhere();
        if elsewhere > 0 {
            printer.note(&format!(
                "{} planned in another batch, which is the one that sends {}",
                were(elsewhere, "1 row is", &format!("{} are", rows_of(elsewhere))),
                were(elsewhere, "it", "them")
            ));
        }
        if self.in_doubt.rows > 0 {
            let InDoubt { rows, face, .. } = self.in_doubt;
            printer.note(&format!(
                "the answers to {} for {} DZD were lost: the provider is asked about {} first, and what it does not know is sent \
                 again under its own ref",
                rows_of(rows),
                count(face),
                were(rows, "it", "them")
            ));
        }
        if preview.to_send.rows == 0 {
            // An empty list says so itself.
            if self.in_doubt.rows == 0 && !self.job.sending.dry_run {
                printer.note("nothing is left to send");
            }
            return;
        }
        let Totals { cost, unpriced, .. } = preview.to_send;
        let after = self.balance - cost;
        let at_least = if unpriced > 0 { "at least " } else { "" };
        printer.note(&format!(
            "balance {} DZD, {at_least}{} DZD after it",
            self.balance.grouped(),
            after.grouped()
        ));
        if unpriced > 0 {
            printer.note(&format!(
                "the catalogue does not say what {} {}: face value is counted, which is the most",
                rows_of(unpriced),
                were(unpriced, "costs", "cost")
            ));
        }
    }

    fn table(&self) -> Table {
        let columns = vec![
            Column::left("operator", "Operator"),
            Column::left("plan", "Plan"),
            Column::right("rows", "Rows"),
            Column::right("face", "Face DZD"),
            Column::right("cost", "Cost DZD"),
            Column::right("margin", "Margin DZD"),
        ];
        let mut table = Table::new(columns, "nothing is left to send");
        for PlanTotals {
            operator,
            plan,
            totals,
        } in &self.preview.plans
        {
            table.push(cells(operator, plan, totals), totals_json(operator, plan, totals));
        }
        if self.preview.plans.len() > 1 {
            let all = &self.preview.to_send;
            table.push(cells("all", "", all), totals_json("all", "", all));
        }
        table
    }

    fn json(&self) -> Value {
        let (rows, face) = self.planned.totals();
        let (preview, account) = (self.preview, &self.connected.desk.account);
        let known: serde_json::Map<String, Value> = preview
            .known
            .iter()
            .map(|(state, orders)| (state.word().to_owned(), (*orders).into()))
            .collect();
        let plans: Vec<_> = preview
            .plans
            .iter()
            .map(|plan| totals_json(&plan.operator, &plan.plan, &plan.totals))
            .collect();
        let none = Reading::default();
        let reading = match self.planned {
            Planned::Staged(_, reading) => reading,
            Planned::Stored(..) => &none,
        };
        json!({
            "dry_run": true,
            "batch": self.job.label.as_str(),
            "file": self.job.file.shown,
            "account": account.username,
            "environment": account.environment.word(),
            "total": rows,
            "face": face,
            "bad": reading.bad,
            "blank": reading.blank,
            "repaired": reading.repaired,
            "noted": reading.noted,
            "contradicted": reading.contradicted,
            "already_done": preview.done(),
            "states": known,
            "in_doubt": { "rows": self.in_doubt.rows, "face": self.in_doubt.face },
            "repeats": preview.repeats,
            "to_send": {
                "rows": preview.to_send.rows,
                "face": preview.to_send.face,
                "cost": preview.to_send.cost.to_string(),
                "unpriced": preview.to_send.unpriced,
                "plans": plans,
            },
            "balance": self.balance.to_string(),
            "balance_after": (self.balance - preview.to_send.cost).to_string(),
            "runs_out_at": preview.runs_out_at,
        })
    }

    /// What would refuse the run, as warnings.
    pub fn warn_of_bounds(&self, bounds: &Bounds) {
        let printer = &self.job.session.printer;
        for error in [self.over_max_total(), self.over_balance(), self.over_day(bounds)]
            .into_iter()
            .flatten()
        {
            printer.warn(&error.message);
        }
    }

    /// Refuses a run that the balance, a cap or `--max-total` does not let through.
    pub fn check_bounds(&self, bounds: &Bounds) -> Result<()> {
        if let Some(row) = self.preview.runs_out_at.filter(|_| self.job.sending.until_empty) {
            let message = format!("the money runs out at line {row}; the rows from there on stay planned");
            self.job.session.printer.warn(&message);
        }
        match self
            .over_max_total()
            .or_else(|| self.over_day(bounds))
            .or_else(|| self.over_balance())
        {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }

    fn over_max_total(&self) -> Option<Error> {
        let (face, max) = (self.preview.to_send.face, self.job.sending.max_total?);
        // Also under a limit: which rows it lets through is not known before the provider has been asked.
        let sent_again = self.in_doubt.face;
        if face.saturating_add(sent_again) <= max {
            return None;
        }
        let sent = count(face);
        Some(if face > max {
            let message =
                format!("{sent} DZD would be sent, more than `--max-total {max}`; nothing was sent");
            Error::new(Kind::Limit, "max_total", message)
                .hint("check that this is the sheet that is meant; `--limit` sends its first rows only")
        } else {
            let message = format!(
                "{sent} DZD would be sent, and up to {} DZD again whose answers were lost, together more than \
                 `--max-total {max}`; nothing was sent",
                count(sent_again)
            );
            Error::new(Kind::Limit, "max_total", message)
                .hint("`oneclick ref check` asks what became of those first; it sends nothing")
        })
    }

    /// What may be sent again without another guard. Where a limit is set, a row in doubt is only asked about; proved
    /// absent it is claimed like any other, within the limit and the caps.
    fn sent_again(&self) -> u64 {
        if self.job.sending.limit.is_some() {
            0
        } else {
            self.in_doubt.face
        }
    }

    fn over_day(&self, bounds: &Bounds) -> Option<Error> {
        let (face, room) = (self.preview.to_send.face, bounds.room_today?);
        let sent_again = self.sent_again();
        // What was sent today has its room already.
        let anew = sent_again.saturating_sub(self.in_doubt.face_today);
        (face.saturating_add(anew) > room || sent_again > 0 && bounds.is_day_passed).then(|| {
            let again = if sent_again > 0 {
                format!(
                    ", and up to {} DZD again whose answers were lost",
                    count(sent_again)
                )
            } else {
                String::new()
            };
            let message = format!(
                "{} DZD would be sent{again}, and `max_per_day` leaves {} DZD today; nothing was sent",
                count(face),
                count(room)
            );
            let error = Error::new(Kind::Limit, "max_per_day", message)
                .hint("`oneclick config show` says where the cap is set");
            match self.preview.under_cap {
                0 => error,
                rows => error.hint(format!("`--limit {rows}` sends the rows that fit")),
            }
        })
    }

    fn over_balance(&self) -> Option<Error> {
        let row = self
            .preview
            .runs_out_at
            .filter(|_| !self.job.sending.until_empty)?;
        let (cost, missing) = (
            self.preview.to_send.cost,
            self.preview.to_send.cost - self.balance,
        );
        let message = format!(
            "the balance is {} DZD and the rows cost {} DZD: the money would run out at line {row}; nothing was sent",
            self.balance.grouped(),
            cost.grouped()
        );
        let error = Error::new(Kind::Limit, "balance_too_low", message)
            .hint(format!(
                "put {} DZD more on the account, then run the command again",
                missing.grouped()
            ))
            .hint("`--until-empty` sends as far as the money goes");
        Some(match self.preview.covered {
            0 => error,
            rows => error.hint(format!("`--limit {rows}` sends the rows that it covers")),
        })
    }
}

fn cells(operator: &str, plan: &str, totals: &Totals) -> Vec<Cell> {
    let margin = Money::from_dinars(totals.face) - totals.cost;
    let mut money = (Cell::money(totals.cost), Cell::money(margin));
    if totals.unpriced > 0 {
        // The most that all of them can cost, and the least that is earned.
        money.0 = money.0.shown_as(format!("≤ {}", totals.cost.grouped()));
        money.1 = money.1.shown_as(format!("≥ {}", margin.grouped()));
    }
    vec![
        Cell::foreign(operator).tone(Tone::Strong),
        Cell::foreign(plan),
        Cell::number(totals.rows).shown_as(count(totals.rows)),
        Cell::number(totals.face).shown_as(count(totals.face)),
        money.0,
        money.1,
    ]
}

fn totals_json(operator: &str, plan: &str, totals: &Totals) -> Value {
    let margin = Money::from_dinars(totals.face) - totals.cost;
    json!({
        "operator": operator,
        "plan": plan,
        "rows": totals.rows,
        "face": totals.face,
        "cost": totals.cost.to_string(),
        "margin": margin.to_string(),
        "unpriced": totals.unpriced,
    })
}

/// A number with groups of three.
pub(super) fn count(number: u64) -> String {
    group_thousands(&number.to_string())
}

/// `1 row`, `2 rows`.
pub(super) fn rows_of(number: u64) -> String {
    if number == 1 {
        "1 row".to_owned()
    } else {
        format!("{} rows", count(number))
    }
}

/// One word or the other, after a number.
pub(super) fn were(number: u64, one: &str, many: &str) -> String {
    if number == 1 {
        one.to_owned()
    } else {
        many.to_owned()
    }
}

/// States that have ended well, for those who count.
pub(super) fn is_good(state: State) -> bool {
    state == State::Fulfilled
}
