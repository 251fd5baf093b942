//! What stops a top-up before anything is written: another order under its ref, a repeat, a cap, the balance.

use super::{Offer, PlanChoice, Request};
use crate::clock::earlier;
use crate::commands::link::Connected;
use crate::commands::outcome::typed;
use crate::commands::session::Session;
use crate::domain::{Amount, Order};
use crate::error::{Error, Kind, Result};
use crate::ledger::{Begun, CapPassed, Caps, Guard, Override};
use crate::topup::Wish;

/// A ref means one order for ever: another phone, plan or amount under it is a clash, and nothing is sent.
pub(super) fn check_is_the_same(request: &Request, order: &Order) -> Result<()> {
    let intent = &order.intent;
    let mut differences = Vec::new();
    let mut compare = |field: &str, ours: String, asked: String| {
        if ours != asked {
            differences.push(format!("{field} is `{ours}` there and `{asked}` here"));
        }
    };
    compare("phone", intent.phone.to_string(), request.phone.phone.to_string());
    if let PlanChoice::Code(code) = &request.plan {
        compare("plan", intent.plan.to_string(), code.to_string());
    }
    if let Some(amount) = request.amount {
        compare("amount", intent.amount.to_string(), amount.to_string());
    }
    if differences.is_empty() {
        return Ok(());
    }
    let message = format!(
        "the ref `{}` is another order's in the ledger: {}; there it is {}",
        intent.reference,
        differences.join(", "),
        told(order)
    );
    Err(Error::new(Kind::Refused, "conflict", message)
        .hint(format!(
            "nothing was sent; `oneclick ref show {}` shows that order",
            typed(&intent.reference)
        ))
        .hint("a different top-up needs a ref of its own: leave `--ref` out or choose another")
        .about(&intent.reference))
}

/// The repeat guard and the caps, to be checked in the transaction that writes the order.
pub(super) fn guard(session: &Session, request: &Request) -> Guard {
    let (config, now) = (&session.config, session.clock.now());
    // An explicit ref is the caller's own identity, so there the guard only warns (design, section 3).
    let is_guarded = !request.again && request.reference.is_none();
    Guard {
        no_repeat_since: is_guarded.then(|| earlier(now, config.repeat_window.value.duration())),
        caps: session.caps(),
        day_start: crate::domain::start_of_day(now),
        own_batch: None,
    }
}

/// Caps, repeats and the balance, before anything is written (design, section 3).
pub(super) async fn check_before_sending(
    session: &Session,
    connected: &Connected,
    request: &Request,
    offer: &mut Offer,
) -> Result<()> {
    let (desk, wish) = (&connected.desk, &mut offer.wish);
    if let Some(cap) = &session.config.max_per_send
        && wish.intent.amount > cap.value
    {
        return Err(over_cap(
            "max_per_send",
            u64::from(cap.value.dinars()),
            0,
            wish.intent.amount,
        ));
    }
    warn_of_repeats(session, connected, request, wish)?;
    match desk.ledger.check(&desk.account, &wish.intent, &wish.guard)? {
        Some(Begun::Repeat(order)) => consent(session, connected, &order, wish, request.dry_run).await?,
        Some(Begun::OverCap(passed)) => return Err(cap_error(passed, wish.intent.amount)),
        _ => {}
    }
    let balance = session.balance(&desk.client).await?.balance;
    offer.balance = Some(balance);
    if let Some(cost) = offer.wish.cost
        && balance < cost
    {
        let message = format!(
            "the balance is {} DZD and the top-up costs {} DZD; nothing was sent",
            balance.grouped(),
            cost.grouped()
        );
        return Err(Error::new(Kind::Limit, "balance_too_low", message)
            .hint("put money on the account, then try again"));
    }
    if let Some(low) = &session.config.low_balance
        && balance < low.value
    {
        session.printer.warn(&format!(
            "the balance is below {} DZD (`low_balance`)",
            low.value.grouped()
        ));
    }
    Ok(())
}

fn warn_of_repeats(session: &Session, connected: &Connected, request: &Request, wish: &Wish) -> Result<()> {
    if wish.guard.no_repeat_since.is_some() || request.again {
        return Ok(());
    }
    let since = earlier(session.clock.now(), session.config.repeat_window.value.duration());
    let guard = Guard {
        no_repeat_since: Some(since),
        caps: Caps::default(),
        ..wish.guard.clone()
    };
    let desk = &connected.desk;
    if let Some(Begun::Repeat(order)) = desk.ledger.check(&desk.account, &wish.intent, &guard)? {
        session.printer.warn(&format!("a repeat: {}", told(&order)));
    }
    Ok(())
}

/// The same phone, plan and amount, not long ago: asked at a terminal, refused elsewhere.
async fn consent(
    session: &Session,
    connected: &Connected,
    order: &Order,
    wish: &mut Wish,
    is_dry_run: bool,
) -> Result<()> {
    let told = told(order);
    if is_dry_run {
        session
            .printer
            .warn(&format!("a repeat: {told}; sending it needs `--again`"));
        return Ok(());
    }
    if session.printer.is_interactive() {
        session.printer.warn(&format!("a repeat: {told}"));
        if session.ask("send it a second time?").await? {
            wish.guard.no_repeat_since = None;
            let repeat = Override {
                what: "repeat".to_owned(),
                by: "y at the terminal".to_owned(),
                reason: Some(told),
            };
            return session.set_aside(&connected.desk.ledger, repeat).await;
        }
    }
    Err(repeat_error(order))
}

pub(in crate::commands) fn told(order: &Order) -> String {
    let intent = &order.intent;
    format!(
        "{} DZD to `{}` with `{}` at {} is `{}` under the ref `{}`",
        intent.amount.grouped(),
        intent.phone,
        intent.plan,
        crate::domain::in_algiers(order.sent_at.unwrap_or(order.created_at)),
        order.state,
        intent.reference
    )
}

pub(super) fn repeat_error(order: &Order) -> Error {
    let reference = typed(&order.intent.reference);
    let error = Error::usage(
        "repeat",
        format!("this looks like a repeat: {}; nothing was sent", told(order)),
    );
    let error = if order.state.is_open() {
        error.hint(format!(
            "see first what became of it: `oneclick ref check {reference}`"
        ))
    } else {
        error
    };
    error.hint("if it is meant a second time, add `--again`")
}

pub(super) fn cap_error(passed: CapPassed, amount: Amount) -> Error {
    over_cap(passed.cap, passed.limit, passed.used, amount)
}

fn over_cap(cap: &'static str, limit: u64, used: u64, amount: Amount) -> Error {
    let so_far = if used == 0 {
        String::new()
    } else {
        format!(", and {used} DZD have been sent today")
    };
    let message = format!("{amount} DZD would pass `{cap}` of {limit} DZD{so_far}; nothing was sent");
    Error::new(Kind::Limit, cap, message).hint("`oneclick config show` says where the cap is set")
}
