//! An order: what was meant, what the provider shows, and whether the two are the same.

use std::fmt;

use compact_str::CompactString;
use jiff::Timestamp;

use super::{Account, Amount, Money, Operator, Phone, PlanCode, Ref, State};

/// What is to be topped up, under which ref. Phone, plan and amount are its fingerprint: an order at the
/// provider is ours only if all three agree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Intent {
    /// The caller's identity of it.
    pub reference: Ref,
    /// Who gets the credit.
    pub phone: Phone,
    /// Which product.
    pub plan: PlanCode,
    /// Face value.
    pub amount: Amount,
}

/// The provider's id of an order: 24 hexadecimal digits so far, opaque here.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TopupId(CompactString);

impl TopupId {
    /// Takes the provider's text; none where there is nothing in it.
    pub fn new(text: &str) -> Option<Self> {
        let trimmed = text.trim();
        (!trimmed.is_empty() && trimmed.len() <= 200).then(|| Self(trimmed.into()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TopupId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.0)
    }
}

/// The provider's word for where an order stands (API page `check-by-id`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProviderStatus {
    /// In the queue.
    Pending,
    /// In work.
    Handling,
    /// Delivered.
    Fulfilled,
    /// Not delivered, paid back.
    Refunded,
    /// Settles by hand within 24 h.
    UnknownError,
    /// A word that no page names: still open, never failed (design, section 2).
    Other(String),
}

impl ProviderStatus {
    /// Reads the word.
    pub fn named(word: &str) -> Self {
        match word {
            "PENDING" => Self::Pending,
            "HANDLING" => Self::Handling,
            "FULFILLED" => Self::Fulfilled,
            "REFUNDED" => Self::Refunded,
            "UNKNOWN_ERROR" => Self::UnknownError,
            other => Self::Other(other.to_owned()),
        }
    }

    /// The word as the provider wrote it.
    pub fn word(&self) -> &str {
        match self {
            Self::Pending => "PENDING",
            Self::Handling => "HANDLING",
            Self::Fulfilled => "FULFILLED",
            Self::Refunded => "REFUNDED",
            Self::UnknownError => "UNKNOWN_ERROR",
            Self::Other(word) => word,
        }
    }

    /// Where an order with this status stands for us.
    pub fn state(&self) -> State {
        match self {
            Self::Fulfilled => State::Fulfilled,
            Self::Refunded => State::Refunded,
            Self::UnknownError => State::InReview,
            Self::Pending | Self::Handling | Self::Other(_) => State::Accepted,
        }
    }
}

/// Another plan that the number would take (API page `list-topups`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// The provider's name for it: foreign text.
    pub name: String,
    /// Its code.
    pub plan: String,
    /// Its amount, where one is named.
    pub amount: Option<Money>,
}

/// An order as the provider shows it. Any field may be missing (API facts, 2.3), so all but the status are
/// optional, and what is compared is kept as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// The provider's id.
    pub id: Option<TopupId>,
    /// The ref, raw or behind the provider's prefix.
    pub reference: Option<String>,
    /// Where it stands.
    pub status: ProviderStatus,
    /// The plan's code.
    pub plan: Option<String>,
    /// The number.
    pub phone: Option<String>,
    /// Face value.
    pub amount: Option<Money>,
    /// What was taken from the balance; 0 on a refunded order.
    pub cost: Option<Money>,
    /// When the provider made it.
    pub created_at: Option<Timestamp>,
    /// Why it was refunded or is in review: foreign text, often Arabic.
    pub message: Option<String>,
    /// What the number would take in its place.
    pub offers: Vec<Offer>,
}

/// One detail in which the provider's order is not the one that was meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// `phone`, `plan` or `amount`.
    pub field: &'static str,
    /// What was meant.
    pub ours: String,
    /// What the provider has: foreign text.
    pub theirs: String,
}

/// Whether the provider's order is the one that was meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It is.
    Same,
    /// It is another one under the same ref.
    Different(Vec<Difference>),
    /// The answer shows too little to tell; nothing may be concluded.
    Unproven,
}

impl Intent {
    /// Compares the fingerprint. Phone and amount must be shown; the plan is left out by some answers
    /// (API page `quickstart`) and is compared where it is there. A number that can't be read, as a masked one, is not shown;
    /// nor is a plan by its name in place of its code.
    pub fn compare(&self, seen: &Seen) -> Verdict {
        let mut differences = Vec::new();
        let mut differ =
            |field, ours: String, theirs: String| differences.push(Difference { field, ours, theirs });
        let phone = seen.phone.as_ref().and_then(|text| text.parse::<Phone>().ok());
        if let Some(theirs) = &phone
            && *theirs != self.phone
        {
            differ("phone", self.phone.to_string(), theirs.to_string());
        }
        if let Some(plan) = &seen.plan
            && !plan.eq_ignore_ascii_case(self.plan.as_str())
            && !plan.trim().contains(char::is_whitespace)
        {
            differ("plan", self.plan.to_string(), plan.clone());
        }
        if let Some(amount) = seen.amount
            && amount != Money::from(self.amount)
        {
            differ("amount", self.amount.to_string(), amount.to_string());
        }
        match (differences.is_empty(), phone.is_some() && seen.amount.is_some()) {
            (false, _) => Verdict::Different(differences),
            (true, true) => Verdict::Same,
            (true, false) => Verdict::Unproven,
        }
    }
}

/// Who said that an order has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SettledBy {
    /// The provider's own answer.
    Provider,
    /// The operator, by `ref settle`.
    Operator,
}

impl SettledBy {
    /// The word in JSON and in the ledger.
    pub fn word(self) -> &'static str {
        match self {
            Self::Provider => "provider",
            Self::Operator => "operator",
        }
    }
}

/// An order as the ledger holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// Whose it is.
    pub account: Account,
    /// What was meant.
    pub intent: Intent,
    /// Whose credit it is.
    pub operator: Operator,
    /// Where it stands.
    pub state: State,
    /// Counts every change: a writer that read an older revision is refused.
    pub revision: u32,
    /// The provider's last word.
    pub provider_status: Option<ProviderStatus>,
    /// The provider's id.
    pub topup_id: Option<TopupId>,
    /// The ref as the provider stores it.
    pub provider_ref: Option<String>,
    /// What it costs: expected until the provider has said it.
    pub cost: Option<Money>,
    /// The batch that it belongs to.
    pub batch: Option<String>,
    /// Its row in the sheet.
    pub row: Option<u32>,
    /// How many requests have been sent for it.
    pub attempts: u32,
    /// When it was written down.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// When its last request left.
    pub sent_at: Option<Timestamp>,
    /// The provider's message, or why it stands where it stands.
    pub message: Option<String>,
    /// What the number would take in its place.
    pub offers: Vec<Offer>,
    /// The provider's request id of the last answer about it: what its support asks for.
    pub request_id: Option<String>,
    /// Who said that it has ended.
    pub settled_by: Option<SettledBy>,
    /// The operator's own words: the sheet's note, or why it was settled by hand.
    pub note: Option<String>,
    /// The process that is sending it, while there is one.
    pub owner: Option<String>,
}

impl Order {
    /// Whether it is a row of its batch's sheet: the batch sends no order that the sheet no longer has.
    pub fn is_row(&self) -> bool {
        self.batch.is_some() && self.row.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn intent() -> Intent {
        Intent {
            reference: "r-1".parse().unwrap_or_else(|error| panic!("{error}")),
            phone: "0778037340".parse().unwrap_or_else(|error| panic!("{error}")),
            plan: "PREPAID_DJEZZY".parse().unwrap_or_else(|error| panic!("{error}")),
            amount: Amount::of(500).unwrap_or_else(|error| panic!("{error}")),
        }
    }

    fn seen() -> Seen {
        Seen {
            id: TopupId::new("6901616fe9e88196b4eb64b0"),
            reference: Some("r-1".to_owned()),
            status: ProviderStatus::Pending,
            plan: Some("PREPAID_DJEZZY".to_owned()),
            phone: Some("0778037340".to_owned()),
            amount: "500.00".parse().ok(),
            cost: None,
            created_at: None,
            message: None,
            offers: Vec::new(),
        }
    }

    #[test]
    fn the_same_order_in_other_spellings_is_the_same() {
        assert_eq!(intent().compare(&seen()), Verdict::Same);
        assert_eq!(
            intent().compare(&Seen {
                phone: Some("+213778037340".to_owned()),
                ..seen()
            }),
            Verdict::Same
        );
        for plan in [None, Some("prepaid_djezzy"), Some("Djezzy Prepaid")] {
            let plan = plan.map(str::to_owned);
            assert_eq!(intent().compare(&Seen { plan, ..seen() }), Verdict::Same);
        }
    }

    #[test]
    fn each_foreign_detail_is_a_difference() {
        for (field, other) in [
            (
                "phone",
                Seen {
                    phone: Some("0778037341".to_owned()),
                    ..seen()
                },
            ),
            (
                "plan",
                Seen {
                    plan: Some("PREPAID_MOBILIS".to_owned()),
                    ..seen()
                },
            ),
            (
                "amount",
                Seen {
                    amount: "501".parse().ok(),
                    ..seen()
                },
            ),
            (
                "amount",
                Seen {
                    amount: "500.5".parse().ok(),
                    phone: None,
                    ..seen()
                },
            ),
        ] {
            let Verdict::Different(differences) = intent().compare(&other) else {
                panic!("{field}")
            };
            assert_eq!(differences.iter().map(|d| d.field).collect::<Vec<_>>(), [field]);
        }
    }

    #[test]
    fn too_little_proves_nothing() {
        for phone in [None, Some("077803****"), Some("no number")] {
            let phone = phone.map(str::to_owned);
            assert_eq!(intent().compare(&Seen { phone, ..seen() }), Verdict::Unproven);
        }
        assert_eq!(
            intent().compare(&Seen {
                amount: None,
                ..seen()
            }),
            Verdict::Unproven
        );
    }

    #[test]
    fn only_the_two_good_words_are_final_and_no_word_is_a_failure() {
        for (word, state) in [
            ("PENDING", State::Accepted),
            ("HANDLING", State::Accepted),
            ("FULFILLED", State::Fulfilled),
            ("REFUNDED", State::Refunded),
            ("UNKNOWN_ERROR", State::InReview),
            ("SUCCESS", State::Accepted),
            ("FAILED", State::Accepted),
            ("fulfilled", State::Accepted),
            ("", State::Accepted),
        ] {
            let status = ProviderStatus::named(word);
            assert_eq!(status.state(), state, "{word}");
            assert_eq!(status.word(), word);
        }
    }
}
