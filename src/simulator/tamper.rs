//! Books that are changed behind a client's back, to rehearse what `reconcile` must find.
//!
//! Where money is concerned, the balances of all later lines follow: the books go on adding up. A gap is the
//! exception, made on purpose.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::books::{Books, EntryKind};
use super::clock::Millis;
use super::journal::exact;

/// Something done to the books that no order explains.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Tampering {
    /// What is done.
    pub(super) what: Deed,
    /// The order that it is done to; empty where there is none.
    #[serde(default)]
    pub(super) topup_id: String,
    /// Dinars, where the deed needs them.
    #[serde(with = "exact", default)]
    pub(super) amount: Decimal,
    /// A status or a number, where the deed needs one.
    #[serde(default)]
    pub(super) text: String,
    /// When.
    pub(super) at_ms: Millis,
}

macro_rules! deeds {
    ($($deed:ident = $word:literal, $needs:literal, $meaning:literal;)+) => {
        /// What can be done to the books.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub(super) enum Deed {
            $(#[doc = $meaning] $deed,)+
        }

        /// Every deed: its word, the fields that it needs, and what it does.
        pub const TAMPERINGS: &[(&str, &str, &str)] = &[$(($word, $needs, $meaning)),+];

        impl Deed {
            /// Reads the word.
            pub(super) fn read(word: &str) -> Option<Self> {
                match word {
                    $($word => Some(Self::$deed),)+
                    _ => None,
                }
            }

            /// The fields that it needs beside `what`.
            pub(super) fn needs(self) -> &'static str {
                match self {
                    $(Self::$deed => $needs,)+
                }
            }
        }
    };
}

deeds! {
    DropOrder = "drop_order", "ref", "the order is shown no more; its money stays moved";
    UnlistOrder = "unlist_order", "ref", "the list leaves the order out; a check by id or ref shows it";
    DropDebit = "drop_debit", "ref", "the order was never paid for";
    DropRefund = "drop_refund", "ref", "the order's money never comes back";
    DuplicateDebit = "duplicate_debit", "ref", "the order is paid for once more, now";
    DuplicateRefund = "duplicate_refund", "ref", "the order's money comes back once more, now";
    ChangeCost = "change_cost", "ref amount", "the order has cost another amount, in the list and in the account";
    ChangeShownCost = "change_shown_cost", "ref amount", "the list alone shows another cost";
    ChangeDebit = "change_debit", "ref amount", "the account alone was charged another amount";
    ChangeStatus = "change_status", "ref text", "the order is shown with another status";
    ChangePhone = "change_phone", "ref text", "the order is shown with another number";
    ExtraDebit = "extra_debit", "amount", "a top-up is paid for that nobody knows";
    ExtraRefund = "extra_refund", "amount", "money comes back for a top-up that nobody knows";
    Withdraw = "withdraw", "amount", "money is taken out, as the account's owner may do";
    Adsl = "adsl", "amount", "another product is paid for";
    Gap = "gap", "amount", "the balance falls, and no line says why";
}

impl Books {
    /// Does it.
    pub(super) fn tamper(&mut self, tampering: &Tampering) {
        let Tampering {
            what,
            topup_id,
            amount,
            text,
            at_ms,
        } = tampering;
        self.pass_to(*at_ms);
        let lost = || format!("lost-{at_ms}-{}", self.entries().len());
        match what {
            Deed::DropOrder => self.masks.entry(topup_id.clone()).or_default().is_gone = true,
            Deed::UnlistOrder => self.masks.entry(topup_id.clone()).or_default().is_unlisted = true,
            Deed::DropDebit => self.strike(topup_id, EntryKind::Flexy),
            Deed::DropRefund => {
                self.owed_no_more(topup_id);
                self.strike(topup_id, EntryKind::RefundFlexy);
            }
            Deed::DuplicateDebit => self.once_more(topup_id, EntryKind::Flexy, *at_ms),
            Deed::DuplicateRefund => self.once_more(topup_id, EntryKind::RefundFlexy, *at_ms),
            Deed::ChangeCost => {
                self.masks.entry(topup_id.clone()).or_default().cost = Some(*amount);
                self.reprice(topup_id, *amount);
            }
            Deed::ChangeShownCost => self.masks.entry(topup_id.clone()).or_default().cost = Some(*amount),
            Deed::ChangeDebit => self.reprice(topup_id, *amount),
            Deed::ChangeStatus => {
                self.masks.entry(topup_id.clone()).or_default().status = Some(text.clone());
            }
            Deed::ChangePhone => self.masks.entry(topup_id.clone()).or_default().phone = Some(text.clone()),
            Deed::ExtraDebit => self.enter(EntryKind::Flexy, *amount, lost(), *at_ms),
            Deed::ExtraRefund => self.enter(EntryKind::RefundFlexy, *amount, lost(), *at_ms),
            Deed::Withdraw => self.enter(EntryKind::Withdraw, *amount, String::new(), *at_ms),
            Deed::Adsl => self.enter(EntryKind::Adsl, *amount, String::new(), *at_ms),
            Deed::Gap => self.lose(*amount),
        }
    }

    fn strike(&mut self, topup_id: &str, kind: EntryKind) {
        self.change_entries(|entries| {
            entries.retain(|entry| entry.kind != kind || entry.topup_id != topup_id);
        });
    }

    fn reprice(&mut self, topup_id: &str, amount: Decimal) {
        self.change_entries(|entries| {
            for entry in entries
                .iter_mut()
                .filter(|entry| entry.kind != EntryKind::Deposit && entry.topup_id == topup_id)
            {
                entry.amount = amount;
            }
        });
    }

    fn once_more(&mut self, topup_id: &str, kind: EntryKind, at: Millis) {
        let same = self
            .entries()
            .iter()
            .find(|entry| entry.kind == kind && entry.topup_id == topup_id);
        if let Some(amount) = same.map(|entry| entry.amount) {
            self.enter(kind, amount, topup_id.to_owned(), at);
        }
    }
}

/// What the list shows of an order in place of the truth.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Mask {
    /// It shows nothing.
    pub(super) is_gone: bool,
    /// The list leaves it out.
    pub(super) is_unlisted: bool,
    /// Another cost.
    pub(super) cost: Option<Decimal>,
    /// Another status.
    pub(super) status: Option<String>,
    /// Another number.
    pub(super) phone: Option<String>,
}
