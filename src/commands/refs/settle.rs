//! `ref settle`: an order closed by hand, with a reason.

use super::{account, find, refused};
use crate::commands::outcome::unprintable;
use crate::commands::session::Session;
use crate::domain::{Ref, SettledAs, SettledBy};
use crate::error::{Error, ExitCode, Result};
use crate::ledger::{Change, LedgerError, Override};
use crate::output::order_record;

/// What is asked for.
#[derive(Debug, Clone)]
pub struct Request {
    /// Which order.
    pub reference: Ref,
    /// Its end.
    pub settled_as: SettledAs,
    /// Why the operator is sure.
    pub because: String,
}

/// The longest reason.
const REASON_CHARACTERS_MAX: usize = 500;

/// Settles an order that is open or clashes; nothing else can be settled by hand.
pub async fn run(session: &Session, request: &Request) -> Result<ExitCode> {
    let reason = request.because.trim();
    if reason.is_empty() || reason.chars().count() > REASON_CHARACTERS_MAX {
        let message = format!("`--because` needs a reason of 1 to {REASON_CHARACTERS_MAX} characters");
        return Err(Error::usage("reason", message)
            .hint("say who told you, for example `--because \"support, ticket 4711\"`"));
    }
    let ledger = session.ledger()?;
    let account = account(session, &ledger).await?;
    let order = find(&ledger, &account, &request.reference)?;
    if ledger.is_being_sent(&order) {
        return Err(refused(
            &order,
            "another process is sending this order just now".to_owned(),
        )
        .hint(format!(
            "wait for it with `oneclick ref wait {}`",
            request.reference
        )));
    }
    if !order.state.may_be_settled() {
        let message = format!(
            "the order is `{}` already; only open orders are settled by hand",
            order.state
        );
        return Err(refused(&order, message));
    }
    let reason = session.without_key(reason);
    let by_hand = Override {
        what: "settled by hand".to_owned(),
        by: format!("--as {}", request.settled_as.state()),
        reason: Some(reason.clone()),
    };
    session.act(&ledger, &account, vec![by_hand]).await?;
    let change = Change {
        note: Some(reason.clone()),
        message: order.message.clone(),
        settled_by: Some(SettledBy::Operator),
        ..Change::to(
            request.settled_as.state(),
            session.clock.now(),
            format!("settled by hand: {reason}"),
        )
    };
    let settled = ledger.change(&order, change).await.map_err(|error| match error {
        LedgerError::Stale(_) => Error::from(error).hint("somebody else has just changed it"),
        other => other.into(),
    })?;
    session
        .printer
        .record(order_record(&settled))
        .map_err(unprintable)?;
    Ok(ExitCode::Success)
}
