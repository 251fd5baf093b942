//! `send`: one top-up, from the wish to its end.

mod guard;
mod price;
mod show;

use super::acting::by_flag;
use super::link::Connected;
use super::outcome::{interrupted, unrecorded};
use super::session::Session;
use crate::clock::earlier;
use crate::domain::{Amount, Money, Order, PhoneReading, PlanCode, Ref, State};
use crate::error::{Error, ExitCode, Kind, Result};
use crate::ledger::{Guard, InHand};
use crate::output::Progress;
use crate::topup::{Event, Refusal, Standing, Wish};
use guard::{cap_error, check_before_sending, check_is_the_same, repeat_error};
use price::price;
use show::{conclude, show_plan};

pub(super) use guard::told;
pub(super) use price::nonce;
pub(super) use show::tell;

/// Which plan is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PlanChoice {
    /// The prepaid plan of the number's prefix.
    Auto,
    /// This one.
    Code(PlanCode),
}

/// What is asked for.
#[derive(Debug, Clone)]
pub struct Request {
    /// Which plan.
    pub plan: PlanChoice,
    /// Who gets it, and what was done to read the number.
    pub phone: PhoneReading,
    /// Face value; a fixed plan needs none.
    pub amount: Option<Amount>,
    /// The caller's own ref; one is made where there is none.
    pub reference: Option<Ref>,
    /// Returns as soon as the provider has accepted it.
    pub no_wait: bool,
    /// Shows what would be sent.
    pub dry_run: bool,
    /// Consents to a repeat.
    pub again: bool,
}

/// What will be sent, priced.
struct Offer {
    wish: Wish,
    balance: Option<Money>,
}

/// Tops up once.
pub async fn run(session: &Session, request: &Request) -> Result<ExitCode> {
    if request.phone.notes.iter().any(|note| note.is_repair()) {
        session.printer.warn(&format!(
            "the leading zero was put back: `{}`",
            request.phone.phone
        ));
    }
    let connected = session.connect().await?;
    let desk = &connected.desk;
    let again = request.again.then(|| by_flag("repeat", "--again"));
    session
        .act(&desk.ledger, &desk.account, again.into_iter().collect())
        .await?;
    match Box::pin(send(session, &connected, request)).await {
        Ok(code) => Ok(code),
        Err(error) => Err(connected.heed(error).await),
    }
}

async fn send(session: &Session, connected: &Connected, request: &Request) -> Result<ExitCode> {
    let desk = &connected.desk;
    let in_hand = request.reference.as_ref().map_or(InHand::Nothing, InHand::Order);
    session.say_what_is_open(&desk.ledger, &desk.account, in_hand);
    let known = match &request.reference {
        Some(reference) => desk.ledger.find(&desk.account, reference)?,
        None => None,
    };
    if let Some(order) = &known {
        check_is_the_same(request, order)?;
        if !is_sent_anew(order) {
            return go_on_with(session, connected, request, order.clone()).await;
        }
    }
    if connected.identity.is_read_only {
        return Err(Error::new(
            Kind::Auth,
            "read_only_key",
            "the API key may only read; it can't send",
        )
        .hint("make a key with the scope READ-WRITE in the provider's dashboard"));
    }
    let mut offer = price(session, connected, request).await?;
    let known = known.or(given_up(session, connected, request, &mut offer.wish)?);
    check_before_sending(session, connected, request, &mut offer).await?;
    if request.dry_run {
        return show_plan(session, connected, request, &offer);
    }
    let progress = session.printer.spinner();
    let standing = top_up(session, connected, known.as_ref(), &offer.wish, &progress).await?;
    finish(session, connected, request, standing, offer.balance, progress).await
}

/// Whether nothing was made under its ref, and no batch sends it.
fn is_sent_anew(order: &Order) -> bool {
    match order.state {
        State::Rejected | State::Cancelled => true,
        State::Planned => !order.is_row(),
        State::Sending
        | State::Accepted
        | State::Fulfilled
        | State::Refunded
        | State::InReview
        | State::Conflict
        | State::Unknown
        | State::WrittenOff => false,
    }
}

/// The same order, given up a while ago because the provider did not know it: it may have been late. Under its own
/// ref the provider makes it once at most, so that ref is taken up again.
fn given_up(
    session: &Session,
    connected: &Connected,
    request: &Request,
    wish: &mut Wish,
) -> Result<Option<Order>> {
    if request.reference.is_some() || request.again {
        return Ok(None);
    }
    let desk = &connected.desk;
    let since = earlier(session.clock.now(), session.config.repeat_window.value.duration());
    let found = desk
        .ledger
        .given_up_in_doubt(&desk.account, &wish.intent, since)?;
    if let Some(order) = &found {
        let reference = &order.intent.reference;
        session.printer.note(&format!(
            "`{reference}` was the same order and never seen at the provider; its ref is used again, so that it can't be paid twice"
        ));
        wish.intent.reference = reference.clone();
    }
    Ok(found)
}

/// The order is in the ledger under this ref: nothing new is sent, and it is shown where it stands.
async fn go_on_with(
    session: &Session,
    connected: &Connected,
    request: &Request,
    order: Order,
) -> Result<ExitCode> {
    let reference = &order.intent.reference;
    session.printer.note(&format!(
        "`{reference}` is in the ledger already, as `{}`; no second one is made",
        order.state
    ));
    if request.dry_run {
        return conclude(
            session,
            connected,
            &Standing {
                order,
                trouble: None,
                balance: None,
            },
            None,
        );
    }
    let wish = Wish {
        intent: order.intent.clone(),
        operator: order.operator.clone(),
        cost: order.cost,
        guard: Guard::default(),
    };
    let progress = session.printer.spinner();
    let standing = connected
        .desk
        .resume(order, &wish, &|event| tell(&session.printer, &progress, event))
        .await
        .map_err(unrecorded)?;
    finish(session, connected, request, standing, None, progress).await
}

async fn top_up(
    session: &Session,
    connected: &Connected,
    known: Option<&Order>,
    wish: &Wish,
    progress: &Progress,
) -> Result<Standing> {
    let desk = &connected.desk;
    let tell = |event: &Event<'_>| tell(&session.printer, progress, event);
    let begun = match known {
        Some(order) => desk.top_up_again(order, wish, &tell).await,
        None => desk.top_up(wish, &tell).await,
    };
    match begun.map_err(unrecorded)? {
        Ok(standing) => Ok(standing),
        Err(Refusal::Exists(order)) => {
            // Another process wrote the same ref a moment ago: that one sends it, this one follows.
            session
                .printer
                .note("another process sends this order just now; it is followed");
            if order.intent != wish.intent {
                return Err(Error::new(
                    Kind::Refused,
                    "conflict",
                    format!("the ref is another order's: {}", told(&order)),
                )
                .hint("a different top-up needs a ref of its own; nothing was sent")
                .about(&order.intent.reference));
            }
            desk.resume(*order, wish, &tell).await.map_err(unrecorded)
        }
        Err(Refusal::Repeat(order)) => Err(repeat_error(&order)),
        Err(Refusal::OverCap(passed)) => Err(cap_error(passed, wish.intent.amount)),
        Err(Refusal::Interrupted(signal)) => Err(interrupted(signal, "stopped; nothing was sent")),
    }
}

async fn finish(
    session: &Session,
    connected: &Connected,
    request: &Request,
    standing: Standing,
    before: Option<Money>,
    progress: Progress,
) -> Result<ExitCode> {
    let standing = if request.no_wait {
        standing
    } else {
        let told_at_once = standing.balance;
        let ended = connected
            .desk
            .wait(standing, &|event| tell(&session.printer, &progress, event))
            .await
            .map_err(unrecorded)?;
        Standing {
            balance: ended.balance.or(told_at_once),
            ..ended
        }
    };
    progress.finish();
    conclude(session, connected, &standing, before)
}
