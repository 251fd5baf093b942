//! What is done while it strikes: one top-up at the counter, or a small batch; and what must hold in the end.

use std::collections::BTreeMap;

use crate::outcome::Outcome;
use crate::support::{PHONE, PLAN, Shop};
use crate::tally;

/// Rows of the batch.
const ROWS: u32 = 6;
/// How often a command is typed again until it must have ended well.
const AGAIN_MAX: usize = 3;

/// What somebody does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deed {
    /// The first top-up of a new shop: the ledger is made by it.
    FirstSend,
    /// A top-up whose answer is lost on its first way.
    SendWithLostAnswer,
    /// A top-up whose request is lost on its first way.
    SendWithLostRequest,
    /// A batch in a shop that has a ledger.
    Batch,
    /// A batch, some of whose answers and requests are lost.
    BatchWithLosses,
    /// A top-up at a provider that accepts a ref twice: nothing but our own questions guards it.
    UnguardedSend,
    /// A batch at such a provider.
    UnguardedBatch,
}

impl Deed {
    /// A shop in which it is about to be done.
    pub fn open(self) -> Shop {
        let mut shop = quick(&[]);
        if matches!(self, Self::UnguardedSend | Self::UnguardedBatch) {
            // What has left must have landed before it is asked for: no other guard is there.
            shop = shop
                .switches(["unique_refs=off"])
                .set("ONECLICKDZ_SETTLE_DELAY", "300ms")
                .set("ONECLICKDZ_RETRY_DELAY", "300ms");
        }
        if self != Self::FirstSend {
            shop.run(&["plans"]).expect_exit(0);
        }
        let faults: &[&str] = match self {
            Self::FirstSend | Self::Batch | Self::UnguardedSend | Self::UnguardedBatch => &[],
            Self::SendWithLostAnswer => &["answer_lost@1"],
            Self::SendWithLostRequest => &["request_lost@1"],
            Self::BatchWithLosses => &["answer_lost@1", "request_lost@3", "html_502_after@4"],
        };
        shop.provider.set_faults(faults);
        if self.is_batch() {
            drop(shop.sheet("november.csv").customers(ROWS));
        }
        shop
    }

    /// Whether a sheet is sent.
    pub fn is_batch(self) -> bool {
        matches!(self, Self::Batch | Self::BatchWithLosses | Self::UnguardedBatch)
    }

    /// How many orders it makes.
    pub fn rows(self) -> u64 {
        if self.is_batch() { ROWS.into() } else { 1 }
    }

    /// What is typed for it.
    pub fn words(self) -> &'static [&'static str] {
        if self.is_batch() {
            &["batch", "november.csv", "--yes", "-o", "json"]
        } else {
            &[
                "send", "--plan", PLAN, "--phone", PHONE, "--amount", "500", "--ref", "order-1", "-o", "json",
            ]
        }
    }

    /// Types it again until all is paid; then each row is paid once, and ledger and results say what the books say.
    #[track_caller]
    pub fn finish(self, shop: &Shop) {
        let (mut last, mut ledger) = self.again(shop);
        for _ in 1..AGAIN_MAX {
            if last.code == Some(0) {
                break;
            }
            (last, ledger) = self.again(shop);
        }
        last.expect_exit(0);
        let is_open = ledger.values().any(|state| state != "fulfilled");
        assert!(!is_open, "{ledger:?}");
        if self.is_batch() {
            // A file of its own is what the sheet was; it is read back for what is due.
            let sheet = shop.sheet("november.csv").customers(ROWS);
            sheet.expect_each_paid_once();
            sheet.expect_true_results();
        } else {
            let books = shop.books();
            assert_eq!((books.orders(), books.count("order-1")), (1, 1), "{}", books.0);
        }
        tally::paid(shop);
    }

    #[track_caller]
    fn again(self, shop: &Shop) -> (Outcome<'_>, BTreeMap<String, String>) {
        let outcome = shop.run(self.words());
        let ledger = tally::inspect(shop, &[&outcome]);
        (outcome, ledger)
    }
}

/// A shop in which nothing takes long.
pub fn quick(flags: &[&str]) -> Shop {
    let speed: &[&str] = if flags.contains(&"--speed") {
        &[]
    } else {
        &["--speed", "1000"]
    };
    Shop::open_with(&[speed, flags].concat())
        .set("ONECLICKDZ_SETTLE_DELAY", "10ms")
        .set("ONECLICKDZ_RETRY_DELAY", "10ms")
        .set("ONECLICKDZ_POLL_INTERVAL", "10ms")
        .set("ONECLICKDZ_CONCURRENCY", "3")
}
