//! What no list shows is asked about one by one, a few of each: not being on a list proves nothing.

use super::{Event, MARGIN, Result, Tell};
use crate::clock::{earlier, later};
use crate::domain::{Order, Seen, State, TopupId};
use crate::ledger::{AnswerKind, Comparison, Reading, SeenEntry};
use crate::topup::{Desk, Sought, Trouble};

/// Lost orders that one run asks about; `ref check` asks about all.
const LOST_MAX: u32 = 200;
/// Questions about what no list shows. Many such things have one cause, and a quota to be kept.
const QUESTIONS_MAX: u32 = 100;

/// A lost order that stays lost, and why.
#[derive(Debug)]
pub(super) struct Unsettled {
    /// The order.
    pub order: Order,
    /// Why.
    pub why: String,
    /// Whether another process is sending it just now.
    pub is_busy: bool,
}

/// What came of the questions.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Asked {
    /// What could not be asked about any more.
    pub left: u64,
    /// What nobody could tell.
    pub unclear: u64,
}

/// Asks about orders of the range whose answers were lost, as `ref check` does: found and taken over, in conflict,
/// proved absent, or still unknown.
///
/// Where the account shows a debit that may be its own, no answer proves that it is absent: it stays unknown.
pub(super) async fn settle_lost(
    desk: &Desk,
    reading: &Reading,
    has_entries: bool,
    tell: Tell<'_>,
) -> Result<Vec<Unsettled>> {
    let lost = desk.ledger.lost_between(reading, LOST_MAX)?;
    if lost.is_empty() {
        return Ok(Vec::new());
    }
    tell(Event::Settling);
    let comparison = desk.ledger.compare(reading, has_entries)?;
    let mut unsettled = Vec::new();
    for order in lost {
        let before = order.clone();
        let trace = if has_entries && !desk.ledger.is_being_sent(&order) {
            trace_of(desk, &comparison, &order)?
        } else {
            None
        };
        if let Some(debit) = trace
            && !matches!(desk.seek(&order).await?, Sought::Found(_))
        {
            let why = told(&debit);
            let is_busy = false;
            unsettled.push(Unsettled { order, why, is_busy });
            continue;
        }
        let standing = desk.check(order, &|_| {}).await?;
        let order = standing.order;
        match standing.trouble {
            Some(Trouble::Auth(auth)) => return Err(super::Halted::Refused(auth)),
            Some(Trouble::Interrupted(signal)) => return Err(super::Halted::Interrupted(signal)),
            trouble if order.state.is_in_doubt() => {
                let is_busy = trouble == Some(Trouble::Busy);
                let why = match trouble {
                    Some(Trouble::Unresolved(why)) => why,
                    _ => order.message.clone().unwrap_or_default(),
                };
                unsettled.push(Unsettled { order, why, is_busy });
            }
            _ => desk.ledger.note_moves(reading, moved(&before)).await?,
        }
    }
    Ok(unsettled)
}

/// A debit that no order explains, of what the order was expected to cost, around the time of its sending.
fn trace_of(desk: &Desk, comparison: &Comparison, order: &Order) -> Result<Option<SeenEntry>> {
    let (Some(cost), Some(sent_at)) = (order.cost, order.sent_at) else {
        return Ok(None);
    };
    // What their clock is ahead by may have changed since then.
    let there = desk.client.theirs(sent_at);
    let around = (
        earlier(sent_at.min(there), MARGIN),
        later(sent_at.max(there), MARGIN),
    );
    Ok(comparison.unexplained_debit(cost, around)?)
}

fn told(debit: &SeenEntry) -> String {
    let at = debit.at.map(|at| format!(" at {at}")).unwrap_or_default();
    let subject = debit.subject.as_ref().map(|id| format!(" for the id {id}"));
    format!(
        "the provider does not show it, but the account was charged {}{at}{}, and no order explains that: it was probably made",
        debit.amount,
        subject.unwrap_or_default()
    )
}

/// An order that was lost has been unknown, whichever word the ledger had for it.
fn moved(before: &Order) -> Vec<(State, Order)> {
    vec![(State::Unknown, before.clone())]
}

/// Asks about accepted orders that the list does not show, and about the top-ups of lines that name none known.
pub(super) async fn ask_the_rest(
    desk: &Desk,
    reading: &Reading,
    comparison: &Comparison,
    has_entries: bool,
    tell: Tell<'_>,
) -> Result<Asked> {
    let mut questions = Questions {
        desk,
        reading,
        asked: Asked::default(),
        count: 0,
    };
    let missing = comparison.missing()?;
    let orphans = if has_entries {
        comparison.orphans()?
    } else {
        Vec::new()
    };
    if !missing.is_empty() || !orphans.is_empty() {
        tell(Event::Asking);
    }
    for (order, _) in missing {
        let subject = order.intent.reference.as_str().to_owned();
        if questions.may_ask(&subject)? {
            let sought = desk.seek(&order).await?;
            if let Sought::Found(_) = &sought
                && order.state.is_open()
            {
                let before = order.clone();
                let now = desk.check(order, &|_| {}).await?.order;
                if now.state != before.state {
                    desk.ledger
                        .note_moves(reading, vec![(before.state, before)])
                        .await?;
                }
            }
            questions.note(&subject, sought).await?;
        }
    }
    for orphan in orphans {
        // A line with an id that can't be one was not asked about, and needs not be.
        let Some(id) = orphan.subject.as_deref().and_then(TopupId::new) else {
            continue;
        };
        if questions.may_ask(id.as_str())? {
            let sought = desk.seek_id(&id).await?;
            questions.note(id.as_str(), sought).await?;
        }
    }
    Ok(questions.asked)
}

struct Questions<'a> {
    desk: &'a Desk,
    reading: &'a Reading,
    asked: Asked,
    count: u32,
}

impl Questions<'_> {
    /// Whether something is still to be asked about, and may be.
    fn may_ask(&mut self, subject: &str) -> Result<bool> {
        if self.desk.ledger.reading_answer(self.reading, subject)?.is_some() {
            return Ok(false);
        }
        if self.count >= QUESTIONS_MAX {
            self.asked.left += 1;
            return Ok(false);
        }
        self.count += 1;
        Ok(true)
    }

    async fn note(&mut self, subject: &str, sought: Sought) -> Result<()> {
        let (answer, seen): (_, Option<Seen>) = match sought {
            Sought::Found(seen) => (AnswerKind::Found, Some(*seen)),
            Sought::Absent => (AnswerKind::Absent, None),
            Sought::Unclear(_) => {
                self.asked.unclear += 1;
                (AnswerKind::Unclear, None)
            }
        };
        let stored = self.desk.ledger.store_answer(self.reading, subject, answer, seen);
        Ok(stored.await?)
    }
}
