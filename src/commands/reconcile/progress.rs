//! How far the reading is.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::commands::session::Session;
use crate::ledger::Listing;
use crate::output::{Bar, Tally, Tone};
use crate::reconcile::Event;

/// Pages, as they are read.
pub(super) struct Pages<'a> {
    session: &'a Session,
    bar: Bar,
    begun: Mutex<Option<(Listing, u64, Instant)>>,
}

impl<'a> Pages<'a> {
    pub(super) fn new(session: &'a Session) -> Self {
        Self {
            session,
            bar: session.printer.bar(),
            begun: Mutex::new(None),
        }
    }

    pub(super) fn tell(&self, event: Event) {
        let say = |text: &str| self.session.printer.status(text);
        match event {
            Event::GoesOn => say("goes on where an earlier run stopped; `--fresh` reads all of it anew"),
            Event::Again(listing) => say(&format!("the {} changed meanwhile; read again", name(listing))),
            Event::Settling => say("asking about orders whose answers were lost"),
            Event::Asking => say("asking one by one about what the lists do not show"),
            Event::Page { listing, page, pages } => self.page(listing, page, pages.unwrap_or(page)),
        }
    }

    fn page(&self, listing: Listing, page: u64, pages: u64) {
        let (first, since) = self.begun(listing, page);
        let read = page.saturating_sub(first).saturating_add(1);
        let left = pages.saturating_sub(page);
        let each = since
            .elapsed()
            .checked_div(u32::try_from(read).unwrap_or(u32::MAX))
            .unwrap_or(Duration::ZERO);
        let eta = each.saturating_mul(u32::try_from(left).unwrap_or(u32::MAX));
        self.bar.show(&Tally {
            total: pages.max(page),
            done: page,
            sent: page,
            eta: (left > 0 && read > 1).then_some(eta),
            parts: vec![(pages_of(listing, page), page, Tone::Plain)],
            ..Tally::default()
        });
    }

    /// The page that this run began with, and when.
    fn begun(&self, listing: Listing, page: u64) -> (u64, Instant) {
        let mut begun = self.begun.lock().unwrap_or_else(PoisonError::into_inner);
        match *begun {
            Some((of, first, since)) if of == listing && first <= page => (first, since),
            _ => {
                let now = Instant::now();
                *begun = Some((listing, page, now));
                (page, now)
            }
        }
    }
}

fn pages_of(listing: Listing, count: u64) -> &'static str {
    match (listing, count) {
        (Listing::Orders, 1) => "page of orders",
        (Listing::Orders, _) => "pages of orders",
        (Listing::Entries, 1) => "page of transactions",
        (Listing::Entries, _) => "pages of transactions",
    }
}

fn name(listing: Listing) -> &'static str {
    match listing {
        Listing::Orders => "list of orders",
        Listing::Entries => "account's transactions",
    }
}
