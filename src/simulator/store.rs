//! The books together with their journal: each visit sees what others have done, and leaves its own.

use rust_decimal::Decimal;
use sha2::{Digest, Sha256};

use super::books::Books;
use super::clock::{Anchor, Millis};
use super::journal::{Birth, Deposit, Event, Journal, VERSION};
use super::options::{Options, SimulatorError};

/// Books that may be shared with other processes.
#[derive(Debug)]
pub(super) struct Store {
    books: Books,
    journal: Option<Journal>,
}

impl Store {
    /// Opens the books, and begins them with the opening balance where there are none.
    pub(super) fn open(options: &Options) -> Result<Self, SimulatorError> {
        let journal = options.store.as_deref().map(Journal::open).transpose()?;
        let mut store = Self {
            books: Books::new(Anchor::start(options.speed)),
            journal,
        };
        store.enter()?;
        let begun = store.begin(options);
        store.leave()?;
        begun.map(|()| store)
    }

    fn begin(&mut self, options: &Options) -> Result<(), SimulatorError> {
        if self.books.entries().is_empty() {
            let clock = Anchor::start(options.speed);
            // Ids are the same for the same seed in memory, and differ from store to store.
            let salt = if self.journal.is_some() { clock.now() } else { 0 };
            self.record(Event::Born(Birth {
                version: VERSION,
                clock,
                salt,
            }))?;
            return self.deposit(options.balance);
        }
        if self.books.anchor().speed() != options.speed {
            self.record(Event::Clock(self.books.anchor().paced(options.speed)))?;
        }
        Ok(())
    }

    /// Begins a visit: nobody else uses the books until it ends, and what they did is known.
    pub(super) fn enter(&mut self) -> Result<(), SimulatorError> {
        if let Some(journal) = &mut self.journal {
            journal.lock()?;
            match journal.news() {
                Ok(events) => events.into_iter().for_each(|event| self.books.apply(event)),
                Err(error) => {
                    journal.unlock()?;
                    return Err(error);
                }
            }
        }
        let now = self.books.now();
        self.books.pass_to(now);
        Ok(())
    }

    /// Ends a visit.
    pub(super) fn leave(&mut self) -> Result<(), SimulatorError> {
        self.journal.as_ref().map_or(Ok(()), Journal::unlock)
    }

    /// Writes down what has happened, then lets it happen. Only during a visit.
    pub(super) fn record(&mut self, event: Event) -> Result<(), SimulatorError> {
        if let Some(journal) = &mut self.journal {
            journal.append(&event)?;
        }
        self.books.apply(event);
        Ok(())
    }

    /// Pays money in. Only during a visit.
    pub(super) fn deposit(&mut self, amount: Decimal) -> Result<(), SimulatorError> {
        let at_ms = self.books.now();
        self.record(Event::Deposit(Deposit { amount, at_ms }))
    }

    /// Moves simulated time on. Only during a visit.
    pub(super) fn advance(&mut self, by_ms: Millis) -> Result<(), SimulatorError> {
        self.record(Event::Clock(self.books.anchor().advanced(by_ms)))?;
        let now = self.books.now();
        self.books.pass_to(now);
        Ok(())
    }

    /// The books.
    pub(super) fn books(&self) -> &Books {
        &self.books
    }

    /// The id of the next order: 24 hexadecimal digits that no other order has.
    pub(super) fn next_id(&self, seed: u64) -> String {
        let (salt, number) = (self.books.salt(), self.books.orders().len());
        object_id(&format!("{seed}/{salt}/{number}"))
    }
}

/// An id in the provider's form that only the subject decides.
pub(super) fn object_id(subject: &str) -> String {
    let digest = Sha256::digest(subject.as_bytes());
    let mut id = String::with_capacity(24);
    for byte in digest.iter().take(12) {
        id.extend(char::from_digit(u32::from(byte >> 4), 16));
        id.extend(char::from_digit(u32::from(byte & 15), 16));
    }
    id
}
