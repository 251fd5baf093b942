//! `ref check` and `ref wait`: ask the provider and bring the ledger up to date. Neither ever sends.

use std::time::Duration;

use crate::api::{Fault, read_data, read_seen};
use crate::commands::link::Connected;
use crate::commands::outcome::{asked_error, exit_code, unprintable, unrecorded, verdict};
use crate::commands::send::tell;
use crate::commands::session::Session;
use crate::domain::{Money, Operator, Order, Ref, Seen};
use crate::error::{Error, ExitCode, Result};
use crate::output::{Progress, orders_table};
use crate::stop::Signal;
use crate::topup::{Asked, Standing, Trouble, ask};

/// What is asked for.
#[derive(Debug, Clone)]
pub struct Request {
    /// Which orders; every open one where none is named.
    pub refs: Vec<Ref>,
    /// Waits until each is final.
    pub waits: bool,
    /// How long to wait in all, where that is not `poll_timeout`.
    pub timeout: Option<Duration>,
}

/// Asks about orders, one after the other.
pub async fn run(session: &Session, request: &Request) -> Result<ExitCode> {
    let connected = session.connect().await?;
    let desk = &connected.desk;
    session.act(&desk.ledger, &desk.account, Vec::new()).await?;
    let orders = match request.refs.as_slice() {
        [] => desk.ledger.open_orders(&desk.account)?,
        refs => find_all(session, &connected, refs).await?,
    };
    if orders.is_empty() {
        session.printer.note("no order is open");
    }
    let progress = session.printer.spinner();
    let standings = check_all(session, request, &connected, orders, &progress).await?;
    progress.finish();
    let orders: Vec<_> = standings.iter().map(|standing| standing.order.clone()).collect();
    session.printer.list(orders_table(&orders)).map_err(unprintable)?;
    conclude(session, &connected, &standings).await
}

async fn check_all(
    session: &Session,
    request: &Request,
    connected: &Connected,
    orders: Vec<Order>,
    progress: &Progress,
) -> Result<Vec<Standing>> {
    let (desk, started) = (&connected.desk, tokio::time::Instant::now());
    let timeout = request.timeout.unwrap_or(desk.pace.poll_timeout);
    let mut standings: Vec<Standing> = Vec::new();
    let mut stopped: Option<Trouble> = None;
    for order in orders {
        // Once the key is refused or somebody asks to stop, the rest is shown as it stands.
        if stopped.is_some() {
            standings.push(Standing {
                order,
                trouble: stopped.clone(),
                balance: None,
            });
            continue;
        }
        let tell = |event: &crate::topup::Event<'_>| tell(&session.printer, progress, event);
        let mut standing = desk.check(order, &tell).await.map_err(unrecorded)?;
        if request.waits {
            let left = timeout.saturating_sub(started.elapsed());
            // What could not be told just now may be told while waiting.
            if matches!(standing.trouble, Some(Trouble::Unresolved(_))) && standing.order.state.is_open() {
                standing.trouble = None;
            }
            standing = desk
                .wait_until_final(standing, left, &tell)
                .await
                .map_err(unrecorded)?;
        }
        stopped = match &standing.trouble {
            Some(Trouble::Auth(auth)) => Some(Trouble::Auth(auth.clone())),
            Some(Trouble::Interrupted(signal)) => Some(Trouble::Interrupted(*signal)),
            _ => session.stop.asked().map(Trouble::Interrupted),
        };
        standings.push(standing);
    }
    Ok(standings)
}

/// One order: its own message. Several: how many did not end well, and the code that weighs most.
async fn conclude(session: &Session, connected: &Connected, standings: &[Standing]) -> Result<ExitCode> {
    let bad: Vec<_> = standings.iter().filter_map(verdict).collect();
    let worst = ExitCode::worst(standings.iter().map(exit_code));
    let asked = session.stop.asked().map(|signal| match signal {
        Signal::Interrupt => ExitCode::Interrupted,
        Signal::Terminate => ExitCode::Terminated,
    });
    let worst = ExitCode::worst(asked.into_iter().chain([worst]));
    let Some(gravest) = bad
        .into_iter()
        .max_by_key(|error| ExitCode::worst([error.exit_code(), worst]) == error.exit_code())
    else {
        return Ok(worst);
    };
    let count = standings
        .iter()
        .filter(|standing| verdict(standing).is_some())
        .count();
    if count > 1 {
        session.printer.note(&format!(
            "{count} of {} orders are not at a good end; the gravest:",
            standings.len()
        ));
    }
    Err(connected.heed(gravest).await)
}

async fn find_all(session: &Session, connected: &Connected, refs: &[Ref]) -> Result<Vec<Order>> {
    let mut orders = Vec::new();
    for reference in refs {
        let known = connected.desk.ledger.find(&connected.desk.account, reference)?;
        orders.push(match known {
            Some(order) => order,
            None if let Some(planned) = connected
                .desk
                .ledger
                .find_waiting(&connected.desk.account, reference)? =>
            {
                planned
            }
            None => ask_for_foreign(session, connected, reference).await?,
        });
    }
    Ok(orders)
}

/// A ref that this ledger does not have: shown as the provider shows it, and not stored.
async fn ask_for_foreign(session: &Session, connected: &Connected, reference: &Ref) -> Result<Order> {
    let desk = &connected.desk;
    for spelling in [reference.to_string(), reference.prefixed(&desk.account.username)] {
        match ask(&desk.pace, &session.stop, async || {
            desk.client.check_ref(&spelling).await
        })
        .await
        {
            Ok(exchange) => {
                let seen = read_data(&exchange).ok().and_then(read_seen);
                if let Some(order) = seen.and_then(|seen| order_of(session, connected, reference, seen)) {
                    session.printer.warn(&format!(
                        "`{reference}` is not in this ledger; shown as the provider has it"
                    ));
                    return Ok(order);
                }
            }
            Err(Asked::Fault(Fault::NotFound)) => {}
            Err(asked) => return Err(asked_error(asked, &format!("ask about `{reference}`"))),
        }
    }
    let error = Error::usage(
        "ref_not_found",
        format!("neither the ledger nor the provider knows `{reference}`"),
    )
    .hint("`oneclick ref list` shows the orders of this account")
    .about(reference);
    Err(match desk.ledger.find_anywhere(reference)?.first() {
        Some(other) => error.hint(format!(
            "an order of {} has this ref; choose that account with `--profile`",
            other.account
        )),
        None => error,
    })
}

/// The provider's order as one of ours. None where it shows too little to be shown.
fn order_of(session: &Session, connected: &Connected, reference: &Ref, seen: Seen) -> Option<Order> {
    let amount: Money = seen.amount?;
    let now = session.clock.now();
    let phone: crate::domain::Phone = seen.phone?.parse().ok()?;
    Some(Order {
        account: connected.desk.account.clone(),
        operator: Operator::of(&phone),
        intent: crate::domain::Intent {
            reference: reference.clone(),
            phone,
            plan: seen.plan?.parse().ok()?,
            amount: amount.to_string().parse().ok()?,
        },
        state: seen.status.state(),
        revision: 0,
        provider_status: Some(seen.status),
        topup_id: seen.id,
        provider_ref: seen.reference,
        cost: seen.cost,
        batch: None,
        row: None,
        attempts: 0,
        created_at: seen.created_at.unwrap_or(now),
        updated_at: now,
        sent_at: seen.created_at,
        message: seen.message,
        offers: seen.offers,
        request_id: None,
        settled_by: None,
        note: Some("not in this ledger".to_owned()),
        owner: None,
    })
}
