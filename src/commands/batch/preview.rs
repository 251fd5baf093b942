//! What people see before anything is sent: what would be sent, what it costs, and what was sent before (design, section
//! 4).

use serde_json::{Value, json};

use super::words::{count, rows_of, were};
use super::{Job, Planned, unprintable};
use crate::batch::{PlanTotals, Preview, Reading, Totals};
use crate::commands::link::Connected;
use crate::domain::{Money, State, in_algiers};
use crate::error::Result;
use crate::ledger::{Batch, InDoubt};
use crate::output::{Cell, Column, Table, Tone};

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
