//! `ref list`: the ledger, filtered. Asks nobody.

use super::{account, desk};
use crate::commands::outcome::unprintable;
use crate::commands::session::Session;
use crate::domain::{Account, Label, Order, Phone, State, When};
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
    let ledger = session.ledger()?;
    let account = account(session, &ledger).await?;
    if let Some(label) = &request.batch
        && ledger.batch(&account, label)?.is_none()
    {
        return Err(
            Error::usage("no_batch", format!("account {account} has no batch `{label}`"))
                .hint("`oneclick batch --list` shows its batches"),
        );
    }
    let now = session.clock.now();
    // One more than is shown tells whether there are more.
    let limit = (request.limit > 0).then_some(request.limit);
    let filter = Filter {
        states: request.states.clone(),
        phone: request.phone.clone(),
        reference: None,
        batch: request.batch.clone(),
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
        session
            .printer
            .note(&format!("the {which} {limit} orders; `--limit 0` shows all"));
    }
    let table = if request.open {
        desk::table(&ledger, orders, now, session.printer.aim())?
    } else {
        orders_table(&orders)
    };
    session.printer.list(table).map_err(unprintable)?;
    Ok(ExitCode::Success)
}

/// What is open, oldest first, then what clashes: neither goes away by itself. `--state` adds to it.
fn on_the_desk(ledger: &Ledger, account: &Account, filter: &Filter) -> Result<Vec<Order>> {
    let among = |states: Vec<State>| {
        ledger.list(
            account,
            &Filter {
                states,
                limit: None,
                ..filter.clone()
            },
        )
    };
    let open = State::ALL.into_iter().filter(|state| state.is_open());
    let mut orders = among(open.collect())?;
    orders.extend(among(vec![State::Conflict])?);
    let is_new = |state: &&State| !state.is_open() && **state != State::Conflict;
    let others: Vec<_> = filter.states.iter().filter(is_new).copied().collect();
    if !others.is_empty() {
        orders.extend(among(others)?);
    }
    Ok(orders)
}
