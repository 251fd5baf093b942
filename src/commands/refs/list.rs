//! `ref list`: the ledger, filtered. Asks nobody.

use super::{account, desk};
use crate::commands::outcome::{refuse_no_time, unprintable};
use crate::commands::session::Session;
use crate::domain::{Account, Label, Order, Period, Phone, State, When};
use crate::error::{Error, ExitCode, Result};
use crate::ledger::{Filter, Ledger};
use crate::output::orders_table;

/// What is asked for.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// In these states; all where there is none.
    pub states: Vec<State>,
    /// To this number.
    pub phone: Option<Phone>,
    /// Of this batch.
    pub batch: Option<Label>,
    /// Written down at or after.
    pub since: Option<When>,
    /// Written down before the end of.
    pub until: Option<When>,
    /// The desk: those that the provider may still have to say something about, and those that clash.
    pub open: bool,
    /// At most so many, the newest; 0 for all.
    pub limit: u32,
}

/// Shows the orders.
pub async fn run(session: &Session, request: &Request) -> Result<ExitCode> {
    let now = session.clock.now();
    if request.since.is_some() || request.until.is_some() {
        refuse_no_time(Period::between(request.since, request.until, now))?;
    }
    let states = states(request)?;
    let ledger = session.ledger()?;
    let account = account(session, &ledger).await?;
    let label = request.batch.as_ref();
    let label = label
        .map(|label| ledger.known_label(&account, label))
        .transpose()?;
    if let Some(label) = &label
        && ledger.batch(&account, label)?.is_none()
    {
        return Err(
            Error::usage("no_batch", format!("account {account} has no batch `{label}`"))
                .hint("`oneclick batch --list` shows its batches"),
        );
    }
    // One more than is shown tells whether there are more.
    let limit = (request.limit > 0).then_some(request.limit);
    let filter = Filter {
        states,
        phone: request.phone.clone(),
        reference: None,
        batch: label,
        since: request.since.map(|when| when.moment(now)),
        until: request.until.map(|when| when.end(now)),
        limit: limit.map(|limit| limit.saturating_add(1)),
    };
    let mut orders = if request.open {
        on_the_desk(&ledger, &account, &filter)?
    } else {
        ledger.list(&account, &filter)?
    };
    session.printer.note(&format!("account {account}"));
    let limit = usize::try_from(request.limit).unwrap_or(usize::MAX);
    if limit > 0 && orders.len() > limit {
        // The desk begins with what has waited longest; a list ends with what is newest.
        let which = if request.open {
            orders.truncate(limit);
            "oldest"
        } else {
            orders.drain(..orders.len() - limit);
            "newest"
        };
        let shown = match limit {
            1 => format!("the {which} order"),
            _ => format!("the {which} {limit} orders"),
        };
        session.printer.note(&format!("{shown}; `--limit 0` shows all"));
    }
    let table = if request.open {
        desk::table(&ledger, orders, now, session.printer.aim())?
    } else {
        orders_table(&orders)
    };
    session.printer.list(table).map_err(unprintable)?;
    Ok(ExitCode::Success)
}

/// The states to show; empty for all. On the desk are only those that are open or clash: `--state` picks among them.
fn states(request: &Request) -> Result<Vec<State>> {
    if !request.open {
        return Ok(request.states.clone());
    }
    let is_picked = |state: State| request.states.is_empty() || request.states.contains(&state);
    let shown = State::ALL
        .into_iter()
        .filter(|state| is_on_desk(*state) && is_picked(*state));
    let states: Vec<_> = shown.collect();
    if states.is_empty() {
        let picked: Vec<_> = request.states.iter().map(|state| format!("`{state}`")).collect();
        let message = format!("no order that is {} is open or clashes", picked.join(" or "));
        return Err(Error::usage("never_open", message).hint("leave `--open` out to list such orders"));
    }
    Ok(states)
}

fn is_on_desk(state: State) -> bool {
    state.is_open() || state == State::Conflict
}

/// What is open, oldest first, then what clashes: neither goes away by itself.
fn on_the_desk(ledger: &Ledger, account: &Account, filter: &Filter) -> Result<Vec<Order>> {
    let (open, clashing): (Vec<_>, Vec<_>) = filter.states.iter().partition(|state| state.is_open());
    let mut orders = Vec::new();
    // No state at all would mean every state.
    for states in [open, clashing].into_iter().filter(|states| !states.is_empty()) {
        let filter = Filter {
            states,
            limit: None,
            ..filter.clone()
        };
        orders.extend(ledger.list(account, &filter)?);
    }
    Ok(orders)
}
