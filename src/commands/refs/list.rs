//! `ref list`: the ledger, filtered. Asks nobody.

use super::account;
use crate::commands::outcome::unprintable;
use crate::commands::session::Session;
use crate::domain::{Label, Phone, State, When};
use crate::error::{Error, ExitCode, Result};
use crate::ledger::Filter;
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
    /// Only those that the provider may still have to say something about.
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
    let mut states = request.states.clone();
    if request.open {
        states.extend(State::ALL.into_iter().filter(|state| state.is_open()));
    }
    // One more than is shown tells whether there are more.
    let limit = (request.limit > 0).then_some(request.limit);
    let filter = Filter {
        states,
        phone: request.phone.clone(),
        reference: None,
        batch: request.batch.clone(),
        since: request.since.map(|when| when.moment(now)),
        until: request.until.map(|when| when.end(now)),
        limit: limit.map(|limit| limit.saturating_add(1)),
    };
    let mut orders = ledger.list(&account, &filter)?;
    session.printer.note(&format!("account {account}"));
    if let Some(limit) = limit
        && orders.len() > usize::try_from(limit).unwrap_or(usize::MAX)
    {
        orders.remove(0);
        session
            .printer
            .note(&format!("the newest {limit} orders; `--limit 0` shows all"));
    }
    session.printer.list(orders_table(&orders)).map_err(unprintable)?;
    Ok(ExitCode::Success)
}
