//! `ref check` and `ref wait`: ask the provider and bring the ledger up to date. Neither ever sends.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::api::{Fault, read_data, read_seen};
use crate::commands::link::Connected;
use crate::commands::outcome::{asked_error, ended, exit_code, unprintable, unrecorded, verdict};
use crate::commands::send::tell;
use crate::commands::session::Session;
use crate::domain::{Money, Operator, Order, Ref, Seen, State};
use crate::error::{Error, ExitCode, Kind, Result};
use crate::output::{Progress, orders_table};
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

/// Asks about orders: many together by the provider's list, the others one after the other.
pub async fn run(session: &Session, request: &Request) -> Result<ExitCode> {
    let connected = session.connect().await?;
    let desk = &connected.desk;
    session.act(&desk.ledger, &desk.account, Vec::new()).await?;
    let (orders, strangers) = match request.refs.as_slice() {
        [] => (desk.ledger.open_orders(&desk.account)?, Vec::new()),
        refs => find_all(session, &connected, refs).await?,
    };
    if orders.is_empty() && strangers.is_empty() {
        session.printer.note("no order is open");
    }
    let was_open: BTreeSet<_> = open_refs(orders.iter());
    let progress = session.printer.spinner();
    let standings = ask_all(session, request, &connected, orders, &progress).await?;
    progress.finish();
    let orders: Vec<_> = standings.iter().map(|standing| standing.order.clone()).collect();
    let shown = if strangers.is_empty() || !orders.is_empty() {
        session.printer.list(orders_table(&orders)).map_err(unprintable)
    } else {
        Ok(())
    };
    if request.refs.len() != 1 {
        sum_up(session, &orders, &was_open);
    }
    let verdict = conclude(session, &connected, &standings, strangers).await;
    ended(&session.printer, shown, verdict)
}

fn open_refs<'a>(orders: impl Iterator<Item = &'a Order>) -> BTreeSet<Ref> {
    orders
        .filter(|order| order.state.is_open())
        .map(|order| order.intent.reference.clone())
        .collect()
}

/// What has been settled, what is left, and what to do about it.
fn sum_up(session: &Session, orders: &[Order], was_open: &BTreeSet<Ref>) {
    let still_open = orders.iter().filter(|order| order.state.is_open()).count();
    let mut ends: BTreeMap<State, usize> = BTreeMap::new();
    for order in orders {
        if was_open.contains(&order.intent.reference) && !order.state.is_open() {
            *ends.entry(order.state).or_default() += 1;
        }
    }
    if was_open.is_empty() {
        return;
    }
    let settled: usize = ends.values().sum();
    let ends: Vec<_> = ends
        .into_iter()
        .map(|(state, count)| format!("{count} {state}"))
        .collect();
    let told = if ends.is_empty() {
        "nothing settled".to_owned()
    } else {
        format!("{settled} settled: {}", ends.join(", "))
    };
    let left = match still_open {
        0 => "nothing is open any more".to_owned(),
        count => format!("{count} still open: `oneclick ref list --open` says what to do"),
    };
    session.printer.note(&format!("{told}; {left}"));
}

/// So few orders are not worth a page of the list.
const FEW: usize = 2;

/// Asks about all of them; they stand in the order in which they were given.
async fn ask_all(
    session: &Session,
    request: &Request,
    connected: &Connected,
    orders: Vec<Order>,
    progress: &Progress,
) -> Result<Vec<Standing>> {
    let places: BTreeMap<Ref, usize> = orders
        .iter()
        .enumerate()
        .map(|(place, order)| (order.intent.reference.clone(), place))
        .collect();
    // What is not in this ledger has just been asked about, and has no history to be kept.
    let (mut left, foreign): (Vec<_>, Vec<_>) = orders
        .into_iter()
        .partition(|order| is_in_ledger(order) || request.waits);
    let mut standings: Vec<_> = foreign.into_iter().map(standing_of).collect();
    let mut stopped = None;
    if left.iter().filter(|order| order.state.is_open()).count() > FEW && !request.waits {
        progress.say("looking through the provider's list");
        let surveyed = connected.desk.survey(left).await.map_err(unrecorded)?;
        standings.extend(surveyed.shown.into_iter().map(standing_of));
        (left, stopped) = (surveyed.left, surveyed.trouble);
    }
    standings.extend(check_all(session, request, connected, left, stopped, progress).await?);
    standings.sort_by_key(|standing| places.get(&standing.order.intent.reference).copied());
    Ok(standings)
}

fn standing_of(order: Order) -> Standing {
    Standing {
        order,
        trouble: None,
        balance: None,
    }
}

/// Each change of an order that is stored counts its revision.
fn is_in_ledger(order: &Order) -> bool {
    order.revision > 0
}

async fn check_all(
    session: &Session,
    request: &Request,
    connected: &Connected,
    orders: Vec<Order>,
    mut stopped: Option<Trouble>,
    progress: &Progress,
) -> Result<Vec<Standing>> {
    let (desk, started) = (&connected.desk, tokio::time::Instant::now());
    let timeout = request.timeout.unwrap_or(desk.pace.poll_timeout);
    let mut standings: Vec<Standing> = Vec::new();
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
        let asked = if is_in_ledger(&order) {
            desk.question(order, &tell).await
        } else {
            desk.check(order, &tell).await
        };
        let mut standing = asked.map_err(unrecorded)?;
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
async fn conclude(
    session: &Session,
    connected: &Connected,
    standings: &[Standing],
    mut strangers: Vec<Error>,
) -> Result<ExitCode> {
    let bad: Vec<_> = standings.iter().filter_map(verdict).collect();
    let worst = ExitCode::worst(standings.iter().map(exit_code));
    // A slip of the keyboard must not hide that an order may have been paid, or that the key is refused.
    let is_graver = matches!(
        worst,
        ExitCode::Unknown | ExitCode::Auth | ExitCode::Interrupted | ExitCode::Terminated
    );
    if !is_graver && let Some(last) = strangers.pop() {
        say_strangers(session, &strangers);
        return Err(last);
    }
    say_strangers(session, &strangers);
    let count = bad.len();
    let gravest = bad.into_iter().max_by_key(|error| error.exit_code() == worst);
    let Some(gravest) = gravest else {
        return Ok(worst);
    };
    if count > 1 {
        session.printer.note(&format!(
            "{count} of {} orders are not at a good end; the gravest:",
            standings.len()
        ));
    }
    Err(connected.heed(gravest).await)
}

fn say_strangers(session: &Session, strangers: &[Error]) {
    for error in strangers {
        session.printer.warn(&error.message);
    }
}

/// The orders behind refs, and what is to be said about refs that nobody knows.
async fn find_all(
    session: &Session,
    connected: &Connected,
    refs: &[Ref],
) -> Result<(Vec<Order>, Vec<Error>)> {
    let (mut orders, mut strangers) = (Vec::new(), Vec::new());
    let mut seen = BTreeSet::new();
    let (ledger, account) = (&connected.desk.ledger, &connected.desk.account);
    for reference in refs.iter().filter(|reference| seen.insert(*reference)) {
        let known = ledger.find(account, reference)?;
        let known = match known {
            Some(order) => Some(order),
            None => ledger.find_waiting(account, reference)?,
        };
        if let Some(order) = known {
            orders.push(order);
            continue;
        }
        match ask_for_foreign(session, connected, reference).await {
            Ok(order) => orders.push(order),
            // Nothing else can be asked either.
            Err(error) if matches!(error.kind, Kind::Auth | Kind::Interrupted | Kind::Terminated) => {
                return Err(connected.heed(error).await);
            }
            Err(error) => strangers.push(error),
        }
    }
    Ok((orders, strangers))
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
