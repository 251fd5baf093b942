//! `send`: one top-up, from the wish to its end.

use std::time::SystemTime;

use jiff::Timestamp;
use serde_json::json;

use super::link::Connected;
use super::outcome::{ledger_error, unprintable, unrecorded, verdict};
use super::session::Session;
use crate::clock::earlier;
use crate::domain::{
    Amount, Intent, Money, NONCE_LENGTH, Operator, Order, PhoneReading, Plan, PlanCode, PriceError, Ref,
    RefPrefix, State,
};
use crate::error::{Error, ExitCode, Kind, Result};
use crate::ledger::{Begun, CapPassed, Caps, Guard};
use crate::output::{Cell, Printer, Progress, Record, Tone, order_record};
use crate::topup::{Event, Refusal, Standing, Wish};

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
    match send(session, &connected, request).await {
        Ok(code) => Ok(code),
        Err(error) => Err(connected.heed(error).await),
    }
}

async fn send(session: &Session, connected: &Connected, request: &Request) -> Result<ExitCode> {
    let desk = &connected.desk;
    let known = match &request.reference {
        Some(reference) => desk.ledger.find(&desk.account, reference).map_err(ledger_error)?,
        None => None,
    };
    if let Some(order) = &known {
        check_is_the_same(request, order)?;
        if !matches!(order.state, State::Rejected | State::Cancelled) {
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
    check_before_sending(session, connected, request, &mut offer).await?;
    if request.dry_run {
        return show_plan(session, connected, request, &offer);
    }
    let progress = session.printer.spinner();
    let standing = top_up(session, connected, known.as_ref(), &offer.wish, &progress).await?;
    finish(session, connected, request, standing, offer.balance, progress).await
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

/// A ref means one order for ever: another phone, plan or amount under it is a clash, and nothing is sent.
fn check_is_the_same(request: &Request, order: &Order) -> Result<()> {
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
        "the ref `{}` is another order's in the ledger: {}",
        intent.reference,
        differences.join(", ")
    );
    Err(Error::new(Kind::Refused, "conflict", message)
        .hint(format!(
            "nothing was sent; `oneclick ref show {}` shows that order",
            intent.reference
        ))
        .hint("a different top-up needs a ref of its own: leave `--ref` out or choose another")
        .about(&intent.reference))
}

/// Plan, amount and cost from the catalogue; asked anew once when the stored one does not have the plan.
async fn price(session: &Session, connected: &Connected, request: &Request) -> Result<Offer> {
    let desk = &connected.desk;
    let catalogue = async |refresh: bool| {
        session
            .catalogue(&desk.client, Some(&desk.ledger), &desk.account, refresh)
            .await
    };
    let phone = &request.phone.phone;
    let find = |catalogue: &crate::domain::Catalogue| match &request.plan {
        PlanChoice::Auto => catalogue.prepaid_for(phone).cloned(),
        PlanChoice::Code(code) => catalogue.find(code).cloned(),
    };
    let mut stored = catalogue(false).await?;
    let mut plan = find(&stored);
    if !plan
        .as_ref()
        .is_some_and(|plan| plan.enabled && plan.price.settle(request.amount).is_ok())
    {
        // It may have been added, switched on or repriced since.
        stored = catalogue(true).await?;
        plan = find(&stored);
    }
    let plan = plan.ok_or_else(|| unknown_plan(request, &stored.plans))?;
    if !plan.enabled {
        return Err(Error::new(
            Kind::Refused,
            "plan_disabled",
            format!("`{}` can't be sold just now", plan.code),
        )
        .hint("`oneclick plans` shows what can be sold; nothing was sent"));
    }
    let amount = plan
        .price
        .settle(request.amount)
        .map_err(|error| price_error(&plan, &error))?;
    if !plan.operator.fits(phone) {
        session.printer.warn(&format!(
            "`{phone}` has the prefix of {}, and `{}` is a plan of {}",
            Operator::of(phone),
            plan.code,
            plan.operator
        ));
    }
    let intent = Intent {
        reference: request
            .reference
            .clone()
            .unwrap_or_else(|| made_ref(session.clock.now())),
        phone: phone.clone(),
        plan: plan.code.clone(),
        amount,
    };
    let cost = plan.cost_of(amount);
    let wish = Wish {
        intent,
        operator: plan.operator,
        cost,
        guard: guard(session, request),
    };
    Ok(Offer { wish, balance: None })
}

fn unknown_plan(request: &Request, plans: &[Plan]) -> Error {
    let PlanChoice::Code(code) = &request.plan else {
        let operator = Operator::of(&request.phone.phone);
        let message = format!("the catalogue has no prepaid plan of {operator} for `--plan auto`");
        return Error::new(Kind::Refused, "unknown_plan", message)
            .hint("choose one of `oneclick plans`; nothing was sent");
    };
    let nearest = plans
        .iter()
        .map(|plan| {
            (
                strsim::damerau_levenshtein(
                    &plan.code.as_str().to_uppercase(),
                    &code.as_str().to_uppercase(),
                ),
                plan,
            )
        })
        .min_by_key(|(distance, _)| *distance)
        .filter(|(distance, _)| *distance <= 6)
        .map(|(_, plan)| format!("did you mean `{}`?", plan.code));
    Error::new(
        Kind::Refused,
        "unknown_plan",
        format!("there is no plan `{code}`"),
    )
    .maybe_hint(nearest)
    .hint("`oneclick plans --all` shows every plan; nothing was sent")
}

fn price_error(plan: &Plan, error: &PriceError) -> Error {
    let message = format!("`{}`: {error}", plan.code);
    let hint = "nothing was sent; `oneclick plans` shows what each plan takes";
    match error {
        PriceError::Missing { .. } => Error::usage("amount_missing", message).hint("add `--amount`"),
        PriceError::OutOfRange { .. } => Error::new(Kind::Refused, "amount_out_of_range", message).hint(hint),
        PriceError::NotThePrice { .. } => Error::new(Kind::Refused, "not_the_price", message)
            .hint("leave `--amount` out, or give the plan's price; nothing was sent"),
        PriceError::Unpriced => Error::new(Kind::Refused, "unpriced_plan", message).hint(hint),
    }
}

/// A ref of our own: `oc-<unix ms>-<6 base36>`.
fn made_ref(now: Timestamp) -> Ref {
    RefPrefix::default().make(u64::try_from(now.as_millisecond()).unwrap_or(0), &nonce())
}

/// Six characters of `0-9a-z`, drawn from the system's randomness.
pub(super) fn nonce() -> String {
    use std::hash::{BuildHasher, RandomState};
    // Each `RandomState` is keyed from the system; time and process keep two starts apart even without it.
    let seed = RandomState::new().hash_one((SystemTime::now(), std::process::id()));
    let mut random = fastrand::Rng::with_seed(seed);
    (0..NONCE_LENGTH).map(|_| random.digit(36)).collect()
}

fn guard(session: &Session, request: &Request) -> Guard {
    let (config, now) = (&session.config, session.clock.now());
    // An explicit ref is the caller's own identity, so there the guard only warns (design, section 3).
    let is_guarded = !request.again && request.reference.is_none();
    Guard {
        no_repeat_since: is_guarded.then(|| earlier(now, config.repeat_window.value.duration())),
        caps: Caps {
            per_number_per_day: config
                .max_per_number_per_day
                .as_ref()
                .map(|cap| cap.value.dinars()),
            per_day: config.max_per_day.as_ref().map(|cap| cap.value.dinars()),
        },
        day_start: crate::domain::start_of_day(now),
    }
}

/// Caps, repeats and the balance, before anything is written (design, section 3).
async fn check_before_sending(
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
    match desk
        .ledger
        .check(&desk.account, &wish.intent, &wish.guard)
        .map_err(ledger_error)?
    {
        Some(Begun::Repeat(order)) => consent(session, &order, wish, request.dry_run)?,
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
    if let Some(Begun::Repeat(order)) = desk
        .ledger
        .check(&desk.account, &wish.intent, &guard)
        .map_err(ledger_error)?
    {
        session.printer.warn(&format!("a repeat: {}", told(&order)));
    }
    Ok(())
}

/// The same phone, plan and amount, not long ago: asked at a terminal, refused elsewhere.
fn consent(session: &Session, order: &Order, wish: &mut Wish, is_dry_run: bool) -> Result<()> {
    let told = told(order);
    if is_dry_run {
        session
            .printer
            .warn(&format!("a repeat: {told}; sending it needs `--again`"));
        return Ok(());
    }
    if session.printer.is_interactive() {
        session.printer.warn(&format!("a repeat: {told}"));
        if session
            .printer
            .ask("send it a second time?")
            .map_err(unprintable)?
        {
            wish.guard.no_repeat_since = None;
            return Ok(());
        }
    }
    Err(repeat_error(order))
}

fn told(order: &Order) -> String {
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

fn repeat_error(order: &Order) -> Error {
    let reference = &order.intent.reference;
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

fn cap_error(passed: CapPassed, amount: Amount) -> Error {
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
        Err(Refusal::Interrupted(signal)) => {
            Err(super::outcome::interrupted(signal, "stopped; nothing was sent"))
        }
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

/// Shows the order where it stands; an error where that is not its good end.
fn conclude(
    session: &Session,
    connected: &Connected,
    standing: &Standing,
    before: Option<Money>,
) -> Result<ExitCode> {
    let order = &standing.order;
    let account = &connected.desk.account;
    let paid = matches!(order.state, State::Accepted | State::Fulfilled | State::InReview);
    let expected = before
        .zip(order.cost)
        .map(|(before, cost)| if paid { before - cost } else { before });
    let balance = standing.balance.or(expected);
    let text = |money: Money| Cell::money(money).shown_as(format!("{} DZD", money.grouped()));
    let record = order_record(order)
        .with(
            "account",
            "Account",
            Cell::foreign(account.username.clone()),
            json!(account.username),
        )
        .with(
            "environment",
            "Environment",
            Cell::text(account.environment.word()),
            json!(account.environment.word()),
        )
        .with(
            "balance",
            "Balance",
            Cell::maybe(balance, text),
            json!(balance.map(|money| money.to_string())),
        );
    session.printer.record(record).map_err(unprintable)?;
    match verdict(standing) {
        None => Ok(ExitCode::Success),
        Some(error) => Err(error),
    }
}

/// `--dry-run`: what would be sent.
fn show_plan(session: &Session, connected: &Connected, request: &Request, offer: &Offer) -> Result<ExitCode> {
    let (account, wish) = (&connected.desk.account, &offer.wish);
    let intent = &wish.intent;
    let after = offer.balance.zip(wish.cost).map(|(balance, cost)| balance - cost);
    let exact = |money: Option<Money>| money.map(|money| money.to_string());
    let reference = request.reference.as_ref().map(Ref::as_str);
    let json = json!({
        "dry_run": true, "ref": reference, "state": State::Planned.word(), "plan": intent.plan.as_str(),
        "operator": wish.operator.name(), "phone": intent.phone.as_str(), "amount": intent.amount.dinars(),
        "cost": exact(wish.cost), "balance": exact(offer.balance), "balance_after": exact(after),
        "account": account.username, "environment": account.environment.word(),
    });
    let record = Record::new(json)
        .field("state", "State", Cell::state(State::Planned))
        .field("ref", "Ref", Cell::maybe(reference, Cell::foreign))
        .field(
            "phone",
            "Phone",
            Cell::text(intent.phone.as_str()).tone(Tone::Strong),
        )
        .field(
            "plan",
            "Plan",
            Cell::foreign(format!("{} ({})", intent.plan, wish.operator)),
        )
        .field("amount", "Amount", Cell::amount(intent.amount))
        .field("cost", "Cost", Cell::maybe(wish.cost, Cell::money))
        .field("balance", "Balance", Cell::maybe(offer.balance, Cell::money))
        .field("balance_after", "Balance after", Cell::maybe(after, Cell::money))
        .field("account", "Account", Cell::foreign(account.username.clone()))
        .field(
            "environment",
            "Environment",
            Cell::text(account.environment.word()),
        );
    session.printer.record(record).map_err(unprintable)?;
    session.printer.note("nothing was sent (`--dry-run`)");
    Ok(ExitCode::Success)
}

/// Says what happens while it happens: each step on a line that stays, what is waited for beside the spinner.
pub(super) fn tell(printer: &Printer, progress: &Progress, event: &Event<'_>) {
    // In a log, the steps say it all.
    let beside_spinner = |text: &str| {
        if printer.terminal().stderr_is_terminal {
            progress.say(text);
        }
    };
    match event {
        Event::Sending(order) => {
            let intent = &order.intent;
            let amount = intent.amount.grouped();
            printer.status(&format!(
                "sending {amount} DZD to {} with {}, ref {}",
                intent.phone, intent.plan, intent.reference
            ));
            beside_spinner("waiting for the answer");
        }
        Event::Moved(order) => {
            let word = order
                .provider_status
                .as_ref()
                .map(|status| format!(" ({})", status.word()))
                .unwrap_or_default();
            printer.status(&format!("{}{word}", order.state));
            beside_spinner("waiting for its end");
        }
        Event::Asking(order) => progress.say(&format!(
            "no sure answer; asking about ref {}",
            order.intent.reference
        )),
        Event::Waiting { why, length } => {
            progress.say(&format!("waiting {}s: {why}", length.as_secs().max(1)))
        }
    }
}
