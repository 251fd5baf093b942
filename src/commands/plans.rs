//! `plans`: what can be sold.

use serde_json::{Value, json};

use super::outcome::unprintable;
use super::session::Session;
use crate::domain::{Operator, Plan, Price};
use crate::error::{Error, ExitCode, Result};
use crate::output::{Cell, Column, Shown, Table, Tone};

/// What is asked for.
#[derive(Debug, Clone)]
pub struct Request {
    /// Of this operator only.
    pub operator: Option<Operator>,
    /// Those that can't be sold just now as well.
    pub all: bool,
    /// Asks the provider even though the stored catalogue is fresh.
    pub refresh: bool,
}

/// Shows the plans.
pub async fn run(session: &Session, request: &Request) -> Result<ExitCode> {
    let ledger = session.ledger_if_any();
    let link = session.link().await?;
    let account = session.identify(&link, ledger.as_ref()).await?.account;
    let catalogue = session
        .catalogue(&link.client, ledger.as_ref(), &account, request.refresh)
        .await?;
    if let Some(operator) = &request.operator
        && !catalogue.plans.iter().any(|plan| plan.operator == *operator)
    {
        return Err(unknown_operator(operator, &catalogue.plans));
    }
    let columns = vec![
        Column::left("code", "Code"),
        Column::left("name", "Name"),
        Column::left("operator", "Operator"),
        Column::right("cost", "Cost"),
        Column::right("min_amount", "Least").shown(Shown::OffTerminal),
        Column::right("max_amount", "Most").shown(Shown::OffTerminal),
        Column::right("amount", "Amount DZD"),
        Column::left("enabled", "Enabled"),
    ];
    let mut table = Table::new(
        columns,
        "no plan can be sold just now; `--all` shows those that are switched off",
    );
    let wanted = |plan: &&Plan| {
        (request.all || plan.enabled)
            && request
                .operator
                .as_ref()
                .is_none_or(|operator| plan.operator == *operator)
    };
    for plan in catalogue.plans.iter().filter(wanted) {
        table.push(cells(plan), plan_json(plan));
    }
    session.printer.note(&format!("account {account}"));
    session.printer.list(table).map_err(unprintable)?;
    Ok(ExitCode::Success)
}

fn unknown_operator(operator: &Operator, plans: &[Plan]) -> Error {
    let mut names: Vec<_> = plans.iter().map(|plan| plan.operator.name()).collect();
    names.sort_unstable();
    names.dedup();
    Error::usage(
        "unknown_operator",
        format!("no plan is of the operator `{operator}`"),
    )
    .hint(format!("the catalogue has {}", names.join(", ")))
}

fn bounds(price: Price) -> (Cell, Cell, Cell) {
    match price {
        Price::Range { min, max } => (
            Cell::amount(min),
            Cell::amount(max),
            Cell::text("").shown_as(format!("{} to {}", min.grouped(), max.grouped())),
        ),
        Price::Fixed(amount) => (Cell::none(), Cell::none(), Cell::amount(amount)),
        Price::Unpriced => (Cell::none(), Cell::none(), Cell::none()),
    }
}

fn cells(plan: &Plan) -> Vec<Cell> {
    let (min, max, amount) = bounds(plan.price);
    vec![
        Cell::foreign(plan.code.as_str()).tone(Tone::Strong),
        Cell::foreign(plan.name.clone()),
        Cell::foreign(plan.operator.name()),
        Cell::maybe(plan.multiplier, |multiplier| Cell::text(multiplier.to_string())),
        min,
        max,
        amount,
        Cell::yes(plan.enabled),
    ]
}

fn plan_json(plan: &Plan) -> Value {
    let (min, max, amount) = match plan.price {
        Price::Range { min, max } => (Some(min.dinars()), Some(max.dinars()), None),
        Price::Fixed(amount) => (None, None, Some(amount.dinars())),
        Price::Unpriced => (None, None, None),
    };
    json!({
        "code": plan.code.as_str(),
        "name": plan.name,
        "operator": plan.operator.name(),
        "cost": plan.multiplier.map(|multiplier| multiplier.to_string()),
        "min_amount": min,
        "max_amount": max,
        "amount": amount,
        "enabled": plan.enabled,
    })
}
