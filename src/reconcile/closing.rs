//! The balance that the account has now, beside the one that its last line leads to.

use super::chain::{Chain, Followed, Gap};
use super::judge::is_same;
use super::report::Unchecked;
use super::{Halted, Range, Result, read};
use crate::api::{Fault, read_balance, read_data};
use crate::domain::{Money, State};
use crate::ledger::{Comparison, Reading, SeenEntry};
use crate::topup::{Asked, Desk, ask};

/// How often the two are held against each other while money moves.
const ROUNDS_MAX: u32 = 2;

/// What came of it.
#[derive(Debug)]
pub(super) enum Closing {
    /// They are the same, or there is nothing to compare.
    Agrees,
    /// The account has another balance than its lines lead to.
    Differs(Box<Gap>),
    /// It can't be told.
    Open(Unchecked),
}

/// Follows the balance along all lines.
pub(super) fn follow(reading: &Reading, comparison: &Comparison) -> Result<Followed> {
    let mut chain = Chain::new(reading.theirs);
    comparison.each_entry(&mut |entry| {
        chain.push(entry);
        Ok(())
    })?;
    Ok(chain.finish())
}

/// Asks for the balance behind all else. Where it is another than the lines lead to, a line may be late and money may
/// have moved meanwhile: the lines are read again, and then the balance.
pub(super) async fn ask_for(
    desk: &Desk,
    reading: &Reading,
    range: &Range,
    mut comparison: Comparison,
) -> Result<(Comparison, Closing)> {
    if range.until <= desk.clock.now() {
        return Ok((comparison, Closing::Agrees));
    }
    let Some((mut expected, mut last)) = end_of(follow(reading, &comparison)?) else {
        return Ok((comparison, Closing::Agrees));
    };
    for _ in 0..ROUNDS_MAX {
        let found = match balance(desk).await? {
            Ok(found) => found,
            Err(why) => return Ok((comparison, open(&why))),
        };
        if is_same(expected, found) {
            return Ok((comparison, Closing::Agrees));
        }
        let before = expected;
        read::more_entries(desk, reading).await?;
        comparison = desk.ledger.compare(reading, true)?;
        (expected, last) = end_of(follow(reading, &comparison)?).unwrap_or((expected, last));
        if is_same(expected, found) {
            return Ok((comparison, Closing::Agrees));
        }
        if is_same(before, expected) && balance(desk).await? == Ok(found) {
            let closing = differs(expected, found, last, &comparison)?;
            return Ok((comparison, closing));
        }
    }
    Ok((
        comparison,
        open("money moved each time that the balance was asked for"),
    ))
}

fn end_of(followed: Followed) -> Option<(Money, SeenEntry)> {
    followed.last.and_then(|last| Some((last.after?, last)))
}

/// The line of an order that is on its way may still come.
fn differs(expected: Money, found: Money, last: SeenEntry, comparison: &Comparison) -> Result<Closing> {
    let sums = comparison.our_sums()?;
    if [State::Sending, State::Unknown, State::Accepted]
        .iter()
        .any(|state| sums.contains_key(state))
    {
        return Ok(open(&format!(
            "the account has {found} and its last line leads to {expected}, while orders are on their way"
        )));
    }
    Ok(Closing::Differs(Box::new(Gap {
        entry: last,
        expected,
        found,
        is_within: false,
    })))
}

fn open(why: &str) -> Closing {
    let why = format!("the balance of now could not be compared: {why}");
    Closing::Open(Unchecked {
        what: "closing_balance",
        why,
    })
}

/// The balance of now, or why it can't be told.
async fn balance(desk: &Desk) -> Result<std::result::Result<Money, String>> {
    let asked = ask(&desk.pace, &desk.stop, async || desk.client.balance().await).await;
    Ok(match asked {
        Ok(exchange) => {
            let found = read_data(&exchange).ok().and_then(read_balance);
            found.ok_or_else(|| "the answer names none".to_owned())
        }
        Err(Asked::Fault(Fault::Auth(auth))) => return Err(Halted::Refused(auth)),
        Err(Asked::Fault(fault)) => Err(fault.describe()),
        Err(interrupted) => return Err(interrupted.into()),
    })
}
