//! The states of an order and the only moves between them (design, section 2).

use std::fmt;
use std::str::FromStr;

/// Where an order stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum State {
    /// Recorded, nothing sent.
    Planned,
    /// In the ledger, and its request may be on the way.
    Sending,
    /// The provider has it; no end yet.
    Accepted,
    /// Delivered.
    Fulfilled,
    /// Not delivered; the money came back.
    Refunded,
    /// The provider's `UNKNOWN_ERROR`: settled by hand there within 24 h. Never a failure.
    InReview,
    /// Refused before creation; nothing was made.
    Rejected,
    /// The ref exists at the provider with another phone, plan or amount.
    Conflict,
    /// It may have been made, and no answer says so.
    Unknown,
    /// Dropped before sending, or proved never to have arrived.
    Cancelled,
    /// Given up by the operator, with a reason.
    WrittenOff,
}

/// A move that the state machine does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an order that is `{from}` can't become `{to}`")]
pub struct IllegalMove {
    /// Where the order stands.
    pub from: State,
    /// Where it can't go.
    pub to: State,
}

/// A word that names no state.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no state")]
pub struct StateError(pub String);

impl State {
    /// Every state, in the order in which people think of them.
    pub const ALL: [Self; 11] = [
        Self::Planned,
        Self::Sending,
        Self::Accepted,
        Self::Fulfilled,
        Self::Refunded,
        Self::InReview,
        Self::Rejected,
        Self::Conflict,
        Self::Unknown,
        Self::Cancelled,
        Self::WrittenOff,
    ];

    /// The word in JSON, in the ledger and in `--state`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Planned => "planned",
            Self::Sending => "sending",
            Self::Accepted => "accepted",
            Self::Fulfilled => "fulfilled",
            Self::Refunded => "refunded",
            Self::InReview => "in_review",
            Self::Rejected => "rejected",
            Self::Conflict => "conflict",
            Self::Unknown => "unknown",
            Self::Cancelled => "cancelled",
            Self::WrittenOff => "written_off",
        }
    }

    /// Whether the provider may still have to say something about it: what `ref check` asks for.
    pub fn is_open(self) -> bool {
        match self {
            Self::Sending | Self::Accepted | Self::InReview | Self::Unknown => true,
            Self::Planned
            | Self::Fulfilled
            | Self::Refunded
            | Self::Rejected
            | Self::Conflict
            | Self::Cancelled
            | Self::WrittenOff => false,
        }
    }

    /// Whether its request has or may have left, and no answer tells what came of it.
    pub fn is_in_doubt(self) -> bool {
        match self {
            Self::Sending | Self::Unknown => true,
            Self::Planned
            | Self::Accepted
            | Self::InReview
            | Self::Fulfilled
            | Self::Refunded
            | Self::Rejected
            | Self::Conflict
            | Self::Cancelled
            | Self::WrittenOff => false,
        }
    }

    /// Whether the machine never touches it again. `rejected` and `cancelled` made nothing, so the same ref
    /// may be tried again, by the operator's own command only.
    pub fn is_final(self) -> bool {
        match self {
            Self::Fulfilled
            | Self::Refunded
            | Self::Rejected
            | Self::Conflict
            | Self::Cancelled
            | Self::WrittenOff => true,
            Self::Planned | Self::Sending | Self::Accepted | Self::InReview | Self::Unknown => false,
        }
    }

    /// Whether money has or may have moved: what the repeat guard and the caps count.
    pub fn may_have_paid(self) -> bool {
        match self {
            Self::Sending
            | Self::Accepted
            | Self::Fulfilled
            | Self::InReview
            | Self::Unknown
            | Self::WrittenOff => true,
            Self::Planned | Self::Refunded | Self::Rejected | Self::Conflict | Self::Cancelled => false,
        }
    }

    /// Whether the same again is a repeat (design, section 3: what was rejected, refunded or cancelled is none). A conflict
    /// is: the order under its ref may be this one, shown in another way.
    pub fn may_be_repeated(self) -> bool {
        self.may_have_paid() || self == Self::Conflict
    }

    /// The only moves that the machine makes. Settling by hand has its own rule, `may_be_settled`.
    pub fn may_become(self, to: Self) -> bool {
        use State::{
            Accepted, Cancelled, Conflict, Fulfilled, InReview, Planned, Refunded, Rejected, Sending,
            Unknown, WrittenOff,
        };
        match self {
            Planned => matches!(to, Sending | Cancelled),
            // `planned` and `cancelled` from `sending`: the connection never opened, or the wallet is empty.
            Sending => matches!(
                to,
                Accepted
                    | Fulfilled
                    | Refunded
                    | InReview
                    | Rejected
                    | Conflict
                    | Unknown
                    | Planned
                    | Cancelled
            ),
            Accepted => matches!(to, Fulfilled | Refunded | InReview),
            InReview => matches!(to, Fulfilled | Refunded),
            // Found, found to be another's, or proved absent: sent again under the same ref, or dropped.
            Unknown => matches!(
                to,
                Accepted
                    | Fulfilled
                    | Refunded
                    | InReview
                    | Conflict
                    | Sending
                    | Planned
                    | Cancelled
                    | Rejected
            ),
            // Nothing was made: the operator may try the same ref again, at once or with a sheet.
            Rejected | Cancelled => matches!(to, Sending | Planned),
            Fulfilled | Refunded | Conflict | WrittenOff => false,
        }
    }

    /// Refuses a move that the machine does not have.
    pub fn check_move(self, to: Self) -> Result<(), IllegalMove> {
        if self.may_become(to) {
            Ok(())
        } else {
            Err(IllegalMove { from: self, to })
        }
    }

    /// Whether the operator may settle it by hand: only what is open, and what clashed.
    pub fn may_be_settled(self) -> bool {
        self.is_open() || self == Self::Conflict
    }

    /// Whether neither the machine nor the operator ever moves it again.
    pub fn is_end(self) -> bool {
        !self.may_be_settled() && !Self::ALL.into_iter().any(|to| self.may_become(to))
    }
}

impl fmt::Display for State {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.word())
    }
}

impl FromStr for State {
    type Err = StateError;

    /// Reads the word, with `-` or `_`.
    fn from_str(word: &str) -> Result<Self, StateError> {
        let plain = word.trim().to_ascii_lowercase().replace('-', "_");
        Self::ALL
            .into_iter()
            .find(|state| state.word() == plain)
            .ok_or_else(|| StateError(word.to_owned()))
    }
}

/// What the operator may declare by hand (`ref settle`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SettledAs {
    /// It was delivered.
    Fulfilled,
    /// It was not delivered, and the money came back.
    Refunded,
    /// It is given up.
    WrittenOff,
}

impl SettledAs {
    /// The state that it sets.
    pub fn state(self) -> State {
        match self {
            Self::Fulfilled => State::Fulfilled,
            Self::Refunded => State::Refunded,
            Self::WrittenOff => State::WrittenOff,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_back() {
        for state in State::ALL {
            assert_eq!(state.word().parse(), Ok(state));
        }
        assert_eq!("written-off".parse(), Ok(State::WrittenOff));
        assert!("failed".parse::<State>().is_err());
    }

    #[test]
    fn a_state_is_open_final_or_planned_and_nothing_else() {
        for state in State::ALL {
            let kinds = [state.is_open(), state.is_final(), state == State::Planned];
            assert_eq!(kinds.iter().filter(|kind| **kind).count(), 1, "{state}");
        }
    }

    #[test]
    fn what_may_have_been_paid_never_becomes_sendable_without_proof() {
        for from in [
            State::Accepted,
            State::InReview,
            State::Fulfilled,
            State::Refunded,
            State::WrittenOff,
        ] {
            for to in [
                State::Sending,
                State::Planned,
                State::Cancelled,
                State::Rejected,
                State::Unknown,
            ] {
                assert!(!from.may_become(to), "{from} to {to}");
            }
        }
    }

    #[test]
    fn the_ends_are_those_that_nothing_leaves() {
        let ends: Vec<_> = State::ALL.into_iter().filter(|state| state.is_end()).collect();
        assert_eq!(ends, [State::Fulfilled, State::Refunded, State::WrittenOff]);
    }

    #[test]
    fn final_states_are_never_rewritten_by_the_machine() {
        for from in State::ALL.into_iter().filter(|state| state.is_final()) {
            for to in State::ALL {
                let again = matches!(from, State::Rejected | State::Cancelled)
                    && matches!(to, State::Sending | State::Planned);
                assert_eq!(from.may_become(to), again, "{from} to {to}");
            }
        }
    }

    #[test]
    fn every_open_order_can_reach_both_ends() {
        for from in State::ALL.into_iter().filter(|state| state.is_open()) {
            assert!(
                from.may_become(State::Fulfilled) && from.may_become(State::Refunded),
                "{from}"
            );
        }
    }
}
