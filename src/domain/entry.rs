//! A line of the account at the provider: why and how the balance has moved (API page `list-transactions`).

use jiff::Timestamp;

use super::Money;

/// Which way money went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// Into the account.
    In,
    /// Out of it.
    Out,
}

/// What a line is about, by its type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EntryKind {
    /// A mobile top-up was paid for: `FLEXY`.
    Debit,
    /// The money of a mobile top-up came back: `REFUND-FLEXY`.
    Refund,
    /// Anything else: deposits, withdrawals, other products.
    Other,
}

/// A line of the account. Any field but type and amount may be missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The provider's id of the line.
    pub id: Option<String>,
    /// Its type, as the provider spells it: foreign text.
    pub word: String,
    /// Which way; none where neither the operation nor the type tells.
    pub direction: Option<Direction>,
    /// How much.
    pub amount: Money,
    /// The balance before.
    pub before: Option<Money>,
    /// The balance behind it.
    pub after: Option<Money>,
    /// What it is about (`objid`): presumably the id of the top-up.
    pub subject: Option<String>,
    /// When.
    pub at: Option<Timestamp>,
}

impl Direction {
    /// Reads `increment` and `decrement`, or goes by the type where there is neither.
    pub fn of(operation: Option<&str>, word: &str) -> Option<Self> {
        match operation {
            Some("increment") => return Some(Self::In),
            Some("decrement") => return Some(Self::Out),
            _ => {}
        }
        match word {
            "DEPOSIT" | "RECEIVE" | "POINT-EXCHANGE" => Some(Self::In),
            word if word.starts_with("REFUND-") => Some(Self::In),
            "FLEXY" | "ADSL" | "ORDER" | "WITHDRAW" | "SEND" | "SERVICE" => Some(Self::Out),
            _ => None,
        }
    }

    /// The amount with its sign.
    pub fn signed(self, amount: Money) -> Money {
        match self {
            Self::In => amount,
            Self::Out => Money::ZERO - amount,
        }
    }
}

impl Entry {
    /// What it is about, by its type and its direction: a `FLEXY` that pays in is no top-up.
    pub fn kind(&self) -> EntryKind {
        match (self.word.as_str(), self.direction) {
            ("FLEXY", Some(Direction::Out)) => EntryKind::Debit,
            ("REFUND-FLEXY", Some(Direction::In)) => EntryKind::Refund,
            _ => EntryKind::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_operation_decides_and_the_type_only_where_it_is_missing() {
        for (operation, word, direction) in [
            (Some("increment"), "DEPOSIT", Some(Direction::In)),
            (Some("decrement"), "REFUND-FLEXY", Some(Direction::Out)),
            (None, "REFUND-ADSL", Some(Direction::In)),
            (None, "FLEXY", Some(Direction::Out)),
            (Some("moved"), "BONUS", None),
        ] {
            assert_eq!(Direction::of(operation, word), direction, "{word}");
        }
    }
}
