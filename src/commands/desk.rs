//! The line that every money command says while something is open: an order that nobody looks at is forgotten.

use super::session::Session;
use crate::clock::elapsed;
use crate::domain::{Account, in_words};
use crate::ledger::{InHand, Ledger};

impl Session {
    /// Says on stderr how many orders of the account are open, but for what the command works on itself; silent with
    /// `--quiet`. Said before the work, so that an error stays the last line.
    pub(super) fn say_what_is_open(&self, ledger: &Ledger, account: &Account, in_hand: InHand<'_>) {
        if self.printer.quiet() {
            return;
        }
        // A ledger that can't be read has its own error where it is needed; here it would only be one more.
        let Ok(open) = ledger.open_count(account, in_hand) else {
            return;
        };
        let age = open
            .oldest
            .map(|oldest| format!(" (oldest {})", in_words(elapsed(oldest, self.clock.now()))))
            .unwrap_or_default();
        match open.count {
            0 => {}
            1 => self
                .printer
                .note(&format!("1 order is open{age}: `oneclick ref list --open`")),
            count => self.printer.note(&format!(
                "{count} orders are open{age}: `oneclick ref list --open`"
            )),
        }
    }
}
