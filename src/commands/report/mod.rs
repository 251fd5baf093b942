//! `report`: the closing of a day, a month or a range, from the ledger alone. Asks nobody.

mod show;
mod sums;

use super::outcome::{refuse_no_time, unprintable};
use super::refs::account;
use super::session::Session;
use crate::config::{Origin, OutputFormat};
use crate::domain::{Account, Month, Period, When};
use crate::error::{Error, ExitCode, Result};
use crate::ledger::{CameBack, InHand};
use sums::Collected;

pub use sums::By;

/// What is asked for.
#[derive(Debug, Clone)]
pub struct Request {
    /// Of when.
    pub span: ReportSpan,
    /// By what orders are grouped.
    pub by: Vec<By>,
    /// Writes CSV as a French Excel opens it, whatever the format.
    pub excel: bool,
}

/// Of when a report is.
#[derive(Debug, Clone, Copy)]
pub enum ReportSpan {
    /// A day.
    Day(When),
    /// A month.
    Month(Month),
    /// From then up to then.
    Range(Option<When>, Option<When>),
}

/// The closing of a period.
struct Closing {
    account: Account,
    period: Period,
    by: Vec<By>,
    collected: Collected,
    /// Money of earlier orders that came back in the period.
    earlier: CameBack,
}

/// Shows the report.
pub async fn run(session: &Session, request: &Request) -> Result<ExitCode> {
    refuse_two_forms(session, request)?;
    let period = period(session, request)?;
    let ledger = session.ledger()?;
    let account = account(session, &ledger).await?;
    let mut collected = Collected::new(&request.by, period);
    ledger.each_sale(&account, period, &mut |sale| collected.add(sale))?;
    let closing = Closing {
        earlier: ledger.came_back(&account, period)?,
        by: request.by.clone(),
        account,
        period,
        collected,
    };
    session
        .printer
        .note(&format!("account {}; {period}, Algiers time", closing.account));
    session.say_what_is_open(&ledger, &closing.account, InHand::Nothing);
    closing
        .show(&session.printer, request.excel)
        .map_err(unprintable)?;
    Ok(ExitCode::Success)
}

/// `--excel` is a form of its own; a format that is typed beside it would silently not be used.
fn refuse_two_forms(session: &Session, request: &Request) -> Result<()> {
    let output = &session.config.output;
    let is_typed = matches!(output.origin, Origin::Flag(_));
    if !request.excel || !is_typed || output.value == OutputFormat::Csv {
        return Ok(());
    }
    let message = format!(
        "`--excel` writes CSV, and `--output {}` asks for something else",
        output.value
    );
    Err(Error::usage("two_formats", message).hint("leave one of the two out"))
}

fn period(session: &Session, request: &Request) -> Result<Period> {
    let now = session.clock.now();
    let period = match request.span {
        ReportSpan::Day(day) => Period::day(day, now),
        ReportSpan::Month(month) => Period::month(month),
        ReportSpan::Range(since, until) => Period::between(since, until, now),
    };
    refuse_no_time(period)?;
    Ok(period)
}
