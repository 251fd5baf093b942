//! `ref settle`: orders closed by hand, with a reason.

use super::{account, find, refused};
use crate::commands::outcome::{typed, unprintable};
use crate::commands::session::Session;
use crate::domain::{Account, Money, Order, Ref, SettledAs, SettledBy, State};
use crate::error::{Error, ExitCode, Kind, Result};
use crate::ledger::{Change, Ledger, LedgerError, Override};
use crate::output::{order_record, orders_table};
use crate::topup::was_only_told_taken;

/// What is asked for.
#[derive(Debug, Clone)]
pub struct Request {
    /// Which orders.
    pub refs: Vec<Ref>,
    /// Their end.
    pub settled_as: SettledAs,
    /// Why the operator is sure.
    pub because: String,
    /// Does not ask at the terminal.
    pub yes: bool,
}

/// The longest reason.
const REASON_CHARACTERS_MAX: usize = 500;

/// Settles orders that are open or clash; nothing else can be settled by hand, and nothing is changed before all of
/// them have been found fit.
pub async fn run(session: &Session, request: &Request) -> Result<ExitCode> {
    let reason = request.because.trim();
    if reason.is_empty() || reason.chars().count() > REASON_CHARACTERS_MAX {
        let message = format!("`--because` needs a reason of 1 to {REASON_CHARACTERS_MAX} characters");
        return Err(Error::usage("reason", message)
            .hint("say who told you, for example `--because \"support, ticket 4711\"`"));
    }
    let ledger = session.ledger()?;
    let account = account(session, &ledger).await?;
    let mut orders: Vec<Order> = Vec::new();
    for reference in &request.refs {
        if orders.iter().all(|order| order.intent.reference != *reference) {
            orders.push(fit(&ledger, &account, reference, request.settled_as)?);
        }
    }
    if !consented(session, request, &orders).await? {
        return Err(Error::usage("not_confirmed", "nothing was settled"));
    }
    let reason = session.without_key(reason);
    let by_hand = Override {
        what: "settled by hand".to_owned(),
        by: format!("--as {}", request.settled_as.state()),
        reason: Some(reason.clone()),
    };
    session.act(&ledger, &account, vec![by_hand]).await?;
    let mut settled = Vec::new();
    for order in &orders {
        settled.push(settle(session, &ledger, order, request.settled_as, &reason).await?);
    }
    let printer = &session.printer;
    let shown = match settled.as_slice() {
        [only] => printer.record(order_record(only)),
        several => printer.list(orders_table(several)),
    };
    shown.map_err(unprintable)?;
    Ok(ExitCode::Success)
}

/// The order, if it may be settled by hand and so.
fn fit(ledger: &Ledger, account: &Account, reference: &Ref, settled_as: SettledAs) -> Result<Order> {
    let order = find(ledger, account, reference)?;
    if ledger.is_being_sent(&order) {
        return Err(refused(
            &order,
            "another process is sending this order just now".to_owned(),
        )
        .hint(format!(
            "wait for it with `oneclick ref wait {}`",
            typed(reference)
        )));
    }
    if !order.state.may_be_settled() {
        let message = format!(
            "the order `{reference}` is `{}` already; only open orders are settled by hand",
            order.state
        );
        return Err(refused(&order, message).hint("nothing was settled"));
    }
    if order.state == State::Conflict && !may_end(ledger, &order, settled_as.state())? {
        return Err(never_made(&order, settled_as));
    }
    Ok(order)
}

/// Whether a conflict may have come to this end. What is shown under its ref may be this very order, unless the provider
/// has told each of its requests that the ref is taken.
fn may_end(ledger: &Ledger, order: &Order, end: State) -> Result<bool> {
    Ok(match end {
        State::WrittenOff => true,
        State::Fulfilled => !was_only_told_taken(&ledger.attempts(order)?),
        _ => false,
    })
}

/// Nothing was made for an order whose ref is another's: it can be neither delivered nor paid back.
fn never_made(order: &Order, settled_as: SettledAs) -> Error {
    let reference = &order.intent.reference;
    let message = format!(
        "the order `{reference}` clashes with another one under its ref: nothing is known to be made for it, so it can't be `{}`",
        settled_as.state()
    );
    Error::new(Kind::Usage, "conflict", message)
        .about(reference)
        .hint("settle it with `--as written-off`; nothing was settled")
}

/// What is settled by hand is never asked about again: somebody at a terminal sees it once more.
async fn consented(session: &Session, request: &Request, orders: &[Order]) -> Result<bool> {
    let printer = &session.printer;
    if request.yes || !printer.is_interactive() {
        return Ok(true);
    }
    printer.message_table(&orders_table(orders));
    let end = request.settled_as.state();
    let question = match orders.len() {
        1 => format!("Settle this order as `{end}`? It can't be taken back"),
        count => format!("Settle these {count} orders as `{end}`? It can't be taken back"),
    };
    session.ask(&question).await
}

async fn settle(
    session: &Session,
    ledger: &Ledger,
    order: &Order,
    settled_as: SettledAs,
    reason: &str,
) -> Result<Order> {
    let change = Change {
        note: Some(reason.to_owned()),
        message: order.message.clone(),
        settled_by: Some(SettledBy::Operator),
        // Where the ref is another order's, nothing was taken for this one.
        cost: (order.state == State::Conflict && settled_as.state() != State::Fulfilled)
            .then_some(Money::ZERO),
        ..Change::to(
            settled_as.state(),
            session.clock.now(),
            format!("settled by hand: {reason}"),
        )
    };
    ledger.change(order, change).await.map_err(|error| match error {
        LedgerError::Stale(_) => Error::from(error).hint("somebody else has just changed it"),
        other => other.into(),
    })
}
