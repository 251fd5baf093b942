//! Reading the two lists, page by page, into the ledger.

use std::time::Duration;

use jiff::Timestamp;

use super::{Event, FRESH, Halted, MARGIN, Range, Result, Tell};
use crate::api::{EntryPage, Fault, read_data, read_entries};
use crate::clock::{earlier, elapsed, later};
use crate::domain::Order;
use crate::ledger::{Listing, PageRows, Reading, StoredPage, Stretch, StretchEnd};
use crate::topup::{Asked, Desk, SweptTo, ask};

/// Clocks that differ by less are the same: the provider tells whole seconds.
const SKEW_MIN: Duration = Duration::from_secs(2);
/// The provider tells the time to the second.
const TOLD_TO: Duration = Duration::from_secs(1);
/// The longest that a refund may follow its order: a review takes a day.
const REVIEW_MAX: Duration = Duration::from_hours(25);
/// How far a second look at the account reaches back into the first.
const OVERLAP: Duration = Duration::from_mins(1);
/// A page with so many rows may be followed by another.
const FULL_PAGE: usize = 100;

/// Goes on with the reading of the range, or begins it.
pub(super) async fn open(desk: &Desk, range: &Range, tell: Tell<'_>) -> Result<Reading> {
    let now = desk.clock.now();
    let fresh_since = if range.fresh {
        Timestamp::MAX
    } else {
        earlier(now, FRESH)
    };
    let found = desk
        .ledger
        .open_reading(&desk.account, &range.asked, fresh_since)?;
    desk.ledger
        .drop_readings(&desk.account, found.as_ref().map(|reading| reading.id))
        .await?;
    if let Some(reading) = found {
        tell(Event::GoesOn);
        return Ok(reading);
    }
    // The answer to any question tells what time it is there.
    let asked = ask(&desk.pace, &desk.stop, async || desk.client.balance().await).await;
    if let Err(asked) = asked
        && !matches!(&asked, Asked::Fault(Fault::NoRoute | Fault::Refused { .. }))
    {
        return Err(asked.into());
    }
    let now = desk.clock.now();
    let theirs = |moment: Timestamp| desk.client.theirs(moment);
    let is_same_clock = elapsed(now, theirs(now)).max(elapsed(theirs(now), now)) < SKEW_MIN;
    let (from, to) = if is_same_clock {
        (range.since, range.until)
    } else {
        (
            range.since.min(theirs(range.since)),
            range.until.max(theirs(range.until)),
        )
    };
    // What is made from now on belongs to the next run.
    let to = to.min(now_there(desk).max(from));
    let spans = (range.since, range.until.min(now));
    Ok(desk
        .ledger
        .begin_reading(&desk.account, &range.asked, spans, (from, to), now)
        .await?)
}

/// Reads the orders, and moves those of ours that are open as each page shows them.
pub(super) async fn orders(desk: &Desk, reading: &Reading, tell: Tell<'_>) -> Result<()> {
    let between = (earlier(reading.theirs.0, MARGIN), margin_behind(desk, reading));
    let mut stretch = stretch(desk, reading, Listing::Orders, 1, between).await?;
    let mut before = Vec::new();
    while stretch.end.is_none() {
        let (from, to) = stretch.between;
        let page = desk
            .list_page(stretch.next_page, from, to)
            .await
            .map_err(|swept| match swept {
                SweptTo::Refused(auth) => Halted::Refused(auth),
                SweptTo::Interrupted(signal) => Halted::Interrupted(signal),
                SweptTo::Unclear(why) => Halted::Unreadable(why),
                SweptTo::End => Halted::Unreadable("the list has no such page".to_owned()),
            })?;
        if page.is_again(&before) {
            return Err(again_and_again("its list"));
        }
        before.clone_from(&page.page().texts);
        let shown = page.page();
        let stored = StoredPage {
            unreadable: count(shown.rows.saturating_sub(shown.orders.len())),
            rows: PageRows::Orders(shown.orders.clone()),
            total: shown.total,
            is_last: page.is_last,
        };
        let (number, pages) = (stretch.next_page, shown.pages);
        let swept = desk.take_over(None, page).await?;
        // Noted before the page counts as read: one that is read twice has nothing left to move.
        let moves = swept.moved.into_iter().zip(swept.expected);
        let moves = moves.filter(|((from, order), _)| *from != order.state);
        let moves = moves.map(|((from, order), expected)| {
            (
                from,
                Order {
                    cost: expected,
                    ..order
                },
            )
        });
        desk.ledger.note_moves(reading, moves.collect()).await?;
        stretch = store(desk, stretch, stored).await?;
        told(&stretch, number, pages, tell);
    }
    Ok(())
}

/// Reads the lines of the account. The second part is what follows the first: refunds come behind their orders.
/// Says whether the provider has such a list.
pub(super) async fn entries(desk: &Desk, reading: &Reading, part: u32, tell: Tell<'_>) -> Result<bool> {
    let begun = desk.ledger.stretches(reading, Listing::Entries)?;
    if begun
        .iter()
        .any(|stretch| stretch.end == Some(StretchEnd::Missing))
    {
        return Ok(false);
    }
    let between = match begun.first() {
        Some(first) if part > 1 => {
            let pause = desk.stop.sleep(desk.pace.settle_delay).await;
            pause.map_err(Halted::Interrupted)?;
            let end = later(reading.theirs.1, REVIEW_MAX).min(now_there(desk));
            let from = earlier(first.between.1, OVERLAP);
            (from, end.max(from))
        }
        _ => (earlier(reading.theirs.0, MARGIN), margin_behind(desk, reading)),
    };
    let mut stretch = stretch(desk, reading, Listing::Entries, part, between).await?;
    let mut before = Vec::new();
    while stretch.end.is_none() {
        let (from, to) = stretch.between;
        let number = stretch.next_page;
        let asked = ask(&desk.pace, &desk.stop, async || {
            desk.client.transactions(number, from, to).await
        })
        .await;
        let exchange = match asked {
            Ok(exchange) => exchange,
            Err(Asked::Fault(Fault::NoRoute | Fault::NotFound)) => {
                let now = desk.clock.now();
                desk.ledger.end_stretch(stretch, StretchEnd::Missing, now).await?;
                return Ok(false);
            }
            Err(asked) => return Err(asked.into()),
        };
        let data = read_data(&exchange).map_err(|fault| Halted::Unreadable(fault.describe()))?;
        let page = read_entries(data, exchange.meta())
            .ok_or_else(|| Halted::Unreadable("the account's lines can't be read".to_owned()))?;
        let pages = page.pages;
        if page.is_again(&before) && !is_last(&page, number) {
            return Err(again_and_again("the list of the account's lines"));
        }
        before.clone_from(&page.entries);
        stretch = store(desk, stretch, stored(page, number)).await?;
        told(&stretch, number, pages, tell);
    }
    Ok(true)
}

/// Reads the lines that have come since they were read last.
pub(super) async fn more_entries(desk: &Desk, reading: &Reading) -> Result<()> {
    let begun = desk.ledger.stretches(reading, Listing::Entries)?;
    let part = begun.last().map_or(1, |stretch| stretch.number + 1);
    entries(desk, reading, part, &|_| {}).await.map(|_| ())
}

fn again_and_again(list: &str) -> Halted {
    Halted::Unreadable(format!("{list} shows the same page again and again"))
}

fn is_last(page: &EntryPage, number: u32) -> bool {
    page.rows == 0
        || page
            .pages
            .map_or(page.rows < FULL_PAGE, |pages| u64::from(number) >= pages)
}

fn stored(page: EntryPage, number: u32) -> StoredPage {
    let is_last = is_last(&page, number);
    StoredPage {
        unreadable: count(page.rows.saturating_sub(page.entries.len())),
        rows: PageRows::Entries(page.entries),
        total: page.total,
        is_last,
    }
}

/// The end of what is read: the margin behind the range, and nothing that is still to come.
fn margin_behind(desk: &Desk, reading: &Reading) -> Timestamp {
    later(reading.theirs.1, MARGIN)
        .min(now_there(desk))
        .max(reading.theirs.1)
}

/// What time it is at the provider, at the latest: it tells whole seconds, and the last one counts as well.
fn now_there(desk: &Desk) -> Timestamp {
    later(desk.client.theirs(desk.clock.now()), TOLD_TO)
}

async fn stretch(
    desk: &Desk,
    reading: &Reading,
    listing: Listing,
    number: u32,
    between: (Timestamp, Timestamp),
) -> Result<Stretch> {
    let begun = desk.ledger.stretches(reading, listing)?;
    match begun.into_iter().find(|stretch| stretch.number == number) {
        Some(stretch) => Ok(stretch),
        None => Ok(desk
            .ledger
            .begin_stretch(reading, listing, number, between)
            .await?),
    }
}

async fn store(desk: &Desk, stretch: Stretch, page: StoredPage) -> Result<Stretch> {
    let now = desk.clock.now();
    Ok(desk.ledger.store_page(stretch, page, &desk.account, now).await?)
}

fn told(stretch: &Stretch, number: u32, pages: Option<u64>, tell: Tell<'_>) {
    tell(Event::Page {
        listing: stretch.listing,
        page: u64::from(number),
        pages,
    });
    if stretch.end.is_none() && stretch.next_page == 1 {
        tell(Event::Again(stretch.listing));
    }
}

fn count(rows: usize) -> u64 {
    u64::try_from(rows).unwrap_or(u64::MAX)
}
