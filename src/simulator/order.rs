//! One order as the provider keeps it. Its state is a function of this record and the time, and nothing else.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::clock::Millis;
use super::journal::exact;
use super::switches::Switches;

/// An accepted order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Order {
    /// 24 hexadecimal digits.
    pub(super) topup_id: String,
    /// The ref as it was sent.
    #[serde(rename = "ref")]
    pub(super) reference: String,
    /// The number.
    pub(super) phone: String,
    /// The plan.
    pub(super) plan_code: String,
    /// The face value, in dinars.
    pub(super) amount: u64,
    /// What was taken from the balance.
    #[serde(with = "exact")]
    pub(super) cost: Decimal,
    /// How it goes on.
    pub(super) course: Course,
}

/// When an order changes its state, fixed when it is accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Course {
    /// Accepted: `PENDING`.
    pub(super) created_ms: Millis,
    /// Checks and lists show it from here on.
    pub(super) visible_ms: Millis,
    /// In work: `HANDLING`.
    pub(super) handling_ms: Millis,
    /// The end of polling.
    pub(super) ends_ms: Millis,
    /// When `UNKNOWN_ERROR` settles; the end, for all other fates.
    pub(super) settles_ms: Millis,
    /// How long behind its end its cost is given back, if ever.
    #[serde(default)]
    pub(super) refund_delay_ms: Millis,
    /// What becomes of it.
    pub(super) fate: Fate,
}

/// What becomes of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Fate {
    /// Delivered.
    Fulfilled,
    /// Not delivered; the cost is given back.
    Refunded,
    /// Not delivered, but the number may take another plan.
    Offered,
    /// Nobody knows for hours; then it turns out to have been delivered.
    Reviewed,
}

impl Fate {
    /// What the number decides: the test numbers of the sandbox, in both environments.
    pub(super) fn of_phone(phone: &str) -> Self {
        match phone {
            "0600000001" => Self::Refunded,
            "0600000002" => Self::Offered,
            "0600000003" => Self::Reviewed,
            _ => Self::Fulfilled,
        }
    }
}

/// The state of an order, in the words of the live API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Status {
    Pending,
    Handling,
    Fulfilled,
    Refunded,
    UnknownError,
}

impl Status {
    /// The word for it.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::Handling => "HANDLING",
            Self::Fulfilled => "FULFILLED",
            Self::Refunded => "REFUNDED",
            Self::UnknownError => "UNKNOWN_ERROR",
        }
    }
}

const SECOND_MS: Millis = 1_000;
const HOUR_MS: Millis = 3_600_000;

impl Course {
    /// The course of an order accepted now: half of its time `PENDING`, half `HANDLING`.
    pub(super) fn begin(now: Millis, fate: Fate, late: bool, switches: &Switches) -> Self {
        let life_ms = i64::from(switches.order_seconds) * SECOND_MS;
        let hidden_ms = i64::from(switches.late_by) * SECOND_MS;
        let review_ms = i64::from(switches.review_hours) * HOUR_MS;
        let ends_ms = now + life_ms;
        Self {
            created_ms: now,
            visible_ms: if late { now + hidden_ms } else { now },
            handling_ms: now + life_ms / 2,
            ends_ms,
            settles_ms: if fate == Fate::Reviewed {
                ends_ms + review_ms
            } else {
                ends_ms
            },
            refund_delay_ms: i64::from(switches.refund_after) * SECOND_MS,
            fate,
        }
    }
}

impl Order {
    /// The state at a moment.
    pub(super) fn status(&self, now: Millis) -> Status {
        let course = self.course;
        if now < course.handling_ms {
            return Status::Pending;
        }
        if now < course.ends_ms {
            return Status::Handling;
        }
        match course.fate {
            Fate::Refunded | Fate::Offered => Status::Refunded,
            Fate::Reviewed if now < course.settles_ms => Status::UnknownError,
            Fate::Reviewed | Fate::Fulfilled => Status::Fulfilled,
        }
    }

    /// When its cost is given back, if ever.
    pub(super) fn refunded_at(&self) -> Option<Millis> {
        match self.course.fate {
            Fate::Refunded | Fate::Offered => Some(self.course.ends_ms + self.course.refund_delay_ms),
            Fate::Fulfilled | Fate::Reviewed => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(fate: Fate) -> Order {
        Order {
            topup_id: String::new(),
            reference: String::new(),
            phone: String::new(),
            plan_code: String::new(),
            amount: 500,
            cost: Decimal::ONE,
            course: Course::begin(1_000, fate, false, &Switches::default()),
        }
    }

    #[test]
    fn an_order_is_pending_then_in_work_then_at_its_end() {
        let delivered = order(Fate::Fulfilled);
        let states = [1_000, 8_999, 9_000, 16_999, 17_000].map(|now| delivered.status(now).word());
        assert_eq!(
            states,
            ["PENDING", "PENDING", "HANDLING", "HANDLING", "FULFILLED"]
        );
        assert_eq!(order(Fate::Refunded).status(17_000), Status::Refunded);
        assert_eq!(order(Fate::Offered).refunded_at(), Some(17_000));
    }

    #[test]
    fn a_review_lasts_its_hours_and_ends_delivered() {
        let reviewed = order(Fate::Reviewed);
        assert_eq!(reviewed.status(17_000), Status::UnknownError);
        assert_eq!(reviewed.status(17_000 + 24 * HOUR_MS - 1), Status::UnknownError);
        assert_eq!(reviewed.status(17_000 + 24 * HOUR_MS), Status::Fulfilled);
        assert_eq!(reviewed.refunded_at(), None);
    }
}
