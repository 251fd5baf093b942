//! `ref …`: the orders of the ledger, one by one.

pub mod audit;
pub mod check;
mod desk;
pub mod list;
pub mod new;
pub mod settle;
pub mod show;
mod support;

use super::session::Session;
use crate::domain::{Account, Order, Ref};
use crate::error::{Error, ExitCode, Kind, Result};
use crate::ledger::Ledger;

/// What is asked for.
#[derive(Debug, Clone)]
pub enum Request {
    /// `ref new`
    New(new::Request),
    /// `ref check` and `ref wait`
    Check(check::Request),
    /// `ref list`
    List(list::Request),
    /// `ref show`
    Show(show::Request),
    /// `ref settle`
    Settle(settle::Request),
    /// `ref audit`
    Audit(audit::Request),
}

/// Does it.
pub async fn run(session: &Session, request: Request) -> Result<ExitCode> {
    match request {
        Request::New(request) => new::run(session, &request),
        Request::Check(request) => check::run(session, &request).await,
        Request::List(request) => list::run(session, &request).await,
        Request::Show(request) => show::run(session, &request).await,
        Request::Settle(request) => settle::run(session, &request).await,
        Request::Audit(request) => audit::run(session, &request),
    }
}

/// Whose orders to look at: known without asking where the key has been seen before, asked otherwise.
pub(super) async fn account(session: &Session, ledger: &Ledger) -> Result<Account> {
    if let Some(account) = session.known_account(ledger) {
        return Ok(account);
    }
    let link = session.link().await?;
    Ok(session.identify(&link, Some(ledger)).await?.account)
}

/// The order of an account under a ref, or why there is none.
fn find(ledger: &Ledger, account: &Account, reference: &Ref) -> Result<Order> {
    if let Some(order) = ledger.find(account, reference)? {
        return Ok(order);
    }
    if let Some(planned) = ledger.find_waiting(account, reference)? {
        return Ok(planned);
    }
    let error = Error::usage(
        "ref_not_found",
        format!("there is no order `{reference}` in the ledger"),
    );
    Err(match ledger.find_anywhere(reference)?.first() {
        Some(other) => error.hint(format!(
            "it is an order of {}; choose that account with `--profile`",
            other.account
        )),
        None => error.hint("`oneclick ref list` shows the orders of this account"),
    }
    .about(reference))
}

/// What can't be done to an order where it stands.
fn refused(order: &Order, message: String) -> Error {
    Error::new(Kind::Usage, "not_open", message).about(&order.intent.reference)
}
