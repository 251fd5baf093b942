//! What an operator sees of a top-up: its steps, its end, and what would be sent.

use serde_json::json;

use super::{Offer, Request};
use crate::commands::link::Connected;
use crate::commands::outcome::{ended, typed, unprintable, verdict};
use crate::commands::session::Session;
use crate::domain::{Money, Ref, State};
use crate::error::{ExitCode, Result};
use crate::output::{Cell, Printer, Progress, Record, Tone, order_record};
use crate::topup::{Event, Standing};

/// Shows the order where it stands; an error where that is not its good end.
pub(super) fn conclude(
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
            Cell::maybe(balance, dzd),
            json!(balance.map(|money| money.to_string())),
        );
    let shown = session.printer.record(record).map_err(|error| {
        let reference = &order.intent.reference;
        unprintable(error)
            .hint(format!(
                "the order is `{}`: `oneclick ref show {}` shows it",
                order.state,
                typed(reference)
            ))
            .about(reference)
    });
    let verdict = verdict(standing).map_or(Ok(ExitCode::Success), Err);
    ended(&session.printer, shown, verdict)
}

/// Money with its unit, for people.
fn dzd(money: Money) -> Cell {
    Cell::money(money).shown_as(format!("{} DZD", money.grouped()))
}

/// `--dry-run`: what would be sent.
pub(super) fn show_plan(
    session: &Session,
    connected: &Connected,
    request: &Request,
    offer: &Offer,
) -> Result<ExitCode> {
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
        .field("ref", "Ref", Cell::maybe(reference, Cell::foreign))
        .field("state", "State", Cell::state(State::Planned))
        .field(
            "phone",
            "Phone",
            Cell::text(intent.phone.as_str()).tone(Tone::Strong),
        )
        .field(
            "plan",
            "Plan",
            Cell::foreign(intent.plan.as_str()).shown_as(format!("{} ({})", intent.plan, wish.operator)),
        )
        .hidden("operator", Cell::foreign(wish.operator.name()))
        .field(
            "amount",
            "Amount",
            Cell::amount(intent.amount).shown_as(format!("{} DZD", intent.amount.grouped())),
        )
        .field("cost", "Cost", Cell::maybe(wish.cost, dzd))
        .field("balance", "Balance", Cell::maybe(offer.balance, dzd))
        .field("balance_after", "Balance after", Cell::maybe(after, dzd))
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
pub(in crate::commands) fn tell(printer: &Printer, progress: &Progress, event: &Event<'_>) {
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
            progress.say(&format!("waiting {}s: {why}", length.as_secs().max(1)));
        }
    }
}
