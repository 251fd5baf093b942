//! A finding: one difference between the books, or one order that this run has moved.

use jiff::Timestamp;

use crate::domain::{Money, Order, State};
use crate::ledger::{SeenEntry, Theirs};

macro_rules! kinds {
    ($($kind:ident = $word:literal, $is_difference:literal, $meaning:literal, $next:literal;)+) => {
        /// What a finding is. The words are stable; more may be added.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Kind {
            $(#[doc = $meaning] $kind,)+
        }

        impl Kind {
            /// Every kind, the gravest first.
            pub const ALL: &[Self] = &[$(Self::$kind),+];

            /// The word in JSON and CSV.
            pub fn word(self) -> &'static str {
                match self {
                    $(Self::$kind => $word,)+
                }
            }

            /// Whether the books differ; a move that this run has made is none.
            pub fn is_difference(self) -> bool {
                match self {
                    $(Self::$kind => $is_difference,)+
                }
            }

            /// What it means, in one sentence.
            pub fn meaning(self) -> &'static str {
                match self {
                    $(Self::$kind => $meaning,)+
                }
            }

            /// What to do next. `{ref}` and `{id}` stand for the order's ref and the provider's id.
            fn next(self) -> &'static str {
                match self {
                    $(Self::$kind => $next,)+
                }
            }
        }
    };
}

kinds! {
    Unknown = "unknown", true,
        "nobody knows whether the top-up was made",
        "do not send it under another ref; `oneclick ref check {ref}` asks again, the provider's support may know more";
    OrderMissing = "order_missing", true,
        "the ledger has it as accepted, and the provider does not show it",
        "ask the provider's support about the id {id}; `oneclick ref show {ref}` has its answers";
    ForeignOrder = "foreign_order", true,
        "the provider has it, and this ledger does not",
        "find out who uses the key, or who sells on the dashboard; change the key if nobody should";
    RefTwice = "ref_twice", true,
        "the provider has a second order under a ref of ours",
        "one of the two was not sent by this ledger: ask the provider's support to give back the id {id}";
    MadeAfterAll = "made_after_all", true,
        "the ledger says that nothing was made, and the provider has it",
        "do not send it again; `oneclick ref show {ref}` has what was answered";
    Conflict = "conflict", true,
        "the ref is another order's at the provider",
        "nothing was made by this ledger; a different top-up needs a ref of its own";
    StateContradicted = "state_contradicted", true,
        "it has ended here, and otherwise at the provider",
        "ask the provider's support which is true, with the id {id}";
    SettlementContradicted = "settlement_contradicted", true,
        "it was settled by hand, and the provider shows another end",
        "correct your own accounts; the reason given is in `oneclick ref show {ref}`";
    DetailsDiffer = "details_differ", true,
        "number, plan or amount are others at the provider",
        "ask the provider's support about the id {id} before you tell the customer anything";
    CostDiffers = "cost_differs", true,
        "the provider shows another cost than the ledger",
        "compare with `oneclick plans --refresh`; ask the provider's support about the id {id}";
    DebitMissing = "debit_missing", true,
        "the account shows no debit for it",
        "nothing was lost; the provider may still take it";
    DebitDuplicated = "debit_duplicated", true,
        "the account was charged more than once for one order",
        "ask the provider's support to give the money back, with the id {id}";
    DebitDiffers = "debit_differs", true,
        "the account was charged another amount than the order cost",
        "ask the provider's support about the id {id}";
    DebitWithoutOrder = "debit_without_order", true,
        "the account was charged for a top-up that nobody knows",
        "ask the provider's support what the id {id} is";
    RefundMissing = "refund_missing", true,
        "it was refunded, and its money has not come back",
        "ask the provider's support for the money, with the id {id}";
    RefundDuplicated = "refund_duplicated", true,
        "its money came back more than once",
        "the provider may take it again: leave so much on the account";
    RefundDiffers = "refund_differs", true,
        "another amount came back than was taken",
        "ask the provider's support about the id {id}";
    RefundOfFulfilled = "refund_of_fulfilled", true,
        "it was delivered, and its money came back",
        "the provider may take it again: leave so much on the account";
    RefundWithoutOrder = "refund_without_order", true,
        "money came back for a top-up that nobody knows",
        "ask the provider's support what the id {id} is";
    BalanceGap = "balance_gap", true,
        "the balance changes between two lines of the account, and no line says why",
        "ask the provider's support what happened to the balance then";
    EntryWrong = "entry_wrong", true,
        "a line of the account does not add up",
        "ask the provider's support about this line";
    Adopted = "adopted", false,
        "its answer was lost, and the provider has it; taken over",
        "nothing";
    Settled = "settled", false,
        "it was open here and has ended at the provider; taken over",
        "nothing";
    Absent = "absent", false,
        "its answer was lost, and the provider does not know it: nothing was made",
        "send it again under the same ref, or run its batch again";
}

/// One difference, or one move.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What it is.
    pub kind: Kind,
    /// The ref, as it was sent: foreign text where the order is foreign.
    pub reference: Option<String>,
    /// The provider's id.
    pub topup_id: Option<String>,
    /// The number: foreign text where the order is foreign.
    pub phone: Option<String>,
    /// The plan: foreign text where the order is foreign.
    pub plan: Option<String>,
    /// Face value.
    pub amount: Option<Money>,
    /// The batch that it belongs to.
    pub batch: Option<String>,
    /// What we have: a state, a cost, what was expected.
    pub ours: Option<String>,
    /// What the provider has: foreign text.
    pub theirs: Option<String>,
    /// The money that it is about, where it is about money.
    pub money: Option<Money>,
    /// When, by the clock of the side that it was found on.
    pub at: Option<Timestamp>,
    /// More about it, in words.
    pub detail: Option<String>,
    /// By how much the balance would jump if the account told the truth and its lines did not.
    pub(super) jump: Option<Money>,
}

impl Finding {
    /// A finding about nothing in particular yet.
    pub(super) fn of(kind: Kind) -> Self {
        Self {
            kind,
            reference: None,
            topup_id: None,
            phone: None,
            plan: None,
            amount: None,
            batch: None,
            ours: None,
            theirs: None,
            money: None,
            at: None,
            detail: None,
            jump: None,
        }
    }

    /// About an order of ours.
    pub(super) fn about(kind: Kind, order: &Order) -> Self {
        Self {
            reference: Some(order.intent.reference.to_string()),
            topup_id: order.topup_id.as_ref().map(ToString::to_string),
            phone: Some(order.intent.phone.to_string()),
            plan: Some(order.intent.plan.to_string()),
            amount: Some(order.intent.amount.into()),
            batch: order.batch.clone(),
            at: order.sent_at,
            ..Self::of(kind)
        }
    }

    /// About an order of the provider's.
    pub(super) fn about_theirs(kind: Kind, theirs: &Theirs) -> Self {
        Self {
            reference: theirs.reference.clone(),
            topup_id: theirs.topup_id.clone(),
            phone: theirs.phone.clone(),
            plan: theirs.plan.clone(),
            amount: theirs.amount,
            at: theirs.created_at,
            ..Self::of(kind)
        }
    }

    /// About a line of the account.
    pub(super) fn about_entry(kind: Kind, entry: &SeenEntry) -> Self {
        Self {
            topup_id: entry.subject.clone(),
            theirs: Some(entry.word.clone()),
            money: Some(entry.amount),
            at: entry.at,
            ..Self::of(kind)
        }
    }

    /// What both sides have.
    pub(super) fn sides(self, ours: Option<String>, theirs: Option<String>) -> Self {
        Self { ours, theirs, ..self }
    }

    /// The money that it is about.
    pub(super) fn money(self, money: Money) -> Self {
        Self {
            money: Some(money),
            ..self
        }
    }

    /// The jump of the balance that would go with it.
    pub(super) fn jump(self, jump: Money) -> Self {
        Self {
            jump: Some(jump),
            ..self
        }
    }

    /// More about it.
    pub(super) fn detail(mut self, detail: impl Into<String>) -> Self {
        let detail = detail.into();
        self.detail = Some(match self.detail {
            Some(before) => format!("{before}; {detail}"),
            None => detail,
        });
        self
    }

    /// What to do next. `typed` spells a ref as a shell takes it.
    pub fn next(&self, typed: impl Fn(&str) -> String) -> String {
        let blank = "(none)".to_owned();
        self.kind
            .next()
            .replace("{id}", self.topup_id.as_ref().unwrap_or(&blank))
            .replace("{ref}", &self.reference.as_deref().map_or(blank, typed))
    }
}

/// Where an order of ours stands, with who said so where it was a person.
pub(super) fn standing(order: &Order) -> String {
    match order.settled_by {
        Some(crate::domain::SettledBy::Operator) => format!("{} by hand", order.state),
        _ => order.state.to_string(),
    }
}

/// A state before and behind a move.
pub(super) fn step(from: State, to: State) -> String {
    format!("{from} -> {to}")
}
