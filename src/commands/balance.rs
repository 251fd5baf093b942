//! `balance`: what is left, whose it is, and in which environment.

use serde_json::json;

use super::outcome::unprintable;
use super::session::Session;
use crate::domain::Money;
use crate::error::{Error, ExitCode, Kind, Result};
use crate::ledger::InHand;
use crate::output::{Cell, Record, Tone};

/// What is asked for.
#[derive(Debug, Clone)]
pub struct Request {
    /// Exit 9 when there is less, in dinars.
    pub min: Option<Money>,
}

/// Shows the balance.
pub async fn run(session: &Session, request: &Request) -> Result<ExitCode> {
    let ledger = session.ledger_if_any();
    let link = session.link().await?;
    let identity = session.identify(&link, ledger.as_ref()).await?;
    if let Some(ledger) = &ledger {
        session.say_what_is_open(ledger, &identity.account, InHand::Nothing);
    }
    let balance = session.balance(&link.client).await?;
    let account = &identity.account;
    let json = json!({
        "balance": balance.balance.to_string(),
        "currency": "DZD",
        "account": account.username,
        "environment": account.environment.word(),
        "as_of": format!("{:.3}", balance.as_of),
    });
    let record = Record::new(json)
        .field(
            "balance",
            "Balance",
            Cell::money(balance.balance).tone(Tone::Strong),
        )
        .field("currency", "Currency", Cell::text("DZD"))
        .field("account", "Account", Cell::foreign(account.username.clone()))
        .field(
            "environment",
            "Environment",
            Cell::text(account.environment.word()),
        )
        .field("as_of", "As of", Cell::time(balance.as_of));
    session.printer.record(record).map_err(unprintable)?;
    below(session, request, balance.balance)
}

fn below(session: &Session, request: &Request, balance: Money) -> Result<ExitCode> {
    if let Some(min) = request.min
        && balance < min
    {
        let message = format!(
            "the balance is {} DZD, below the {} DZD asked for",
            balance.grouped(),
            min.grouped()
        );
        return Err(Error::new(Kind::Limit, "below_min", message).hint("put money on the account"));
    }
    if let Some(low) = &session.config.low_balance
        && balance < low.value
    {
        session.printer.warn(&format!(
            "the balance is below {} DZD (`low_balance`)",
            low.value.grouped()
        ));
    }
    Ok(ExitCode::Success)
}
