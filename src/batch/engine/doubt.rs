//! A provider whose answers don't tell what became of row after row gets no more of them: those that are in doubt are
//! asked about first. Once one of them stands somewhere the others follow; where none does, the batch stops.

use crate::domain::State;

/// So many rows behind each other are in doubt by chance only where nearly every answer is lost.
const ROWS_MAX: u32 = 20;

/// The rows that were left in doubt since one last stood somewhere.
#[derive(Debug, Default)]
pub(super) struct Doubt {
    rows: u32,
    /// What came back of the last of them.
    last: Option<String>,
}

impl Doubt {
    /// The answer to a row's request doesn't tell what became of it.
    pub fn left(&mut self, why: &str) {
        self.rows = self.rows.saturating_add(1);
        self.last = Some(why.to_owned());
    }

    /// A row has moved.
    pub fn moved(&mut self, from: State, to: State) {
        let was_in_hand = from.is_in_doubt();
        // What was accepted long ago tells nothing of what is sent now, and neither does a row that is put back.
        if was_in_hand && !to.is_in_doubt() && to != State::Planned {
            *self = Self::default();
        }
    }

    /// Whether no more rows may leave for now.
    pub fn is_grave(&self) -> bool {
        self.rows >= ROWS_MAX
    }

    /// What is to be said of it.
    pub fn why(&self) -> String {
        let last = self.last.as_deref().unwrap_or("no answer");
        format!(
            "the answers to the last {} requests don't tell what became of them, and neither does asking; what came back last: {last}",
            self.rows
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn left(rows: u32) -> Doubt {
        let mut doubt = Doubt::default();
        for nth in 0..rows {
            doubt.left(&format!("answer {nth}"));
        }
        doubt
    }

    #[test]
    fn twenty_rows_in_doubt_behind_each_other_are_grave() {
        assert!(!left(ROWS_MAX - 1).is_grave());
        let doubt = left(ROWS_MAX);
        assert!(doubt.is_grave());
        assert!(
            doubt.why().contains("last 20 requests") && doubt.why().ends_with("answer 19"),
            "{}",
            doubt.why()
        );
    }

    #[test]
    fn a_row_that_stands_somewhere_ends_the_doubt() {
        for from in [State::Sending, State::Unknown] {
            for to in [
                State::Accepted,
                State::Rejected,
                State::Conflict,
                State::Fulfilled,
            ] {
                let mut doubt = left(ROWS_MAX);
                doubt.moved(from, to);
                assert!(!doubt.is_grave(), "{from} to {to}");
            }
        }
    }

    #[test]
    fn a_row_that_tells_nothing_of_the_provider_does_not() {
        for (from, to) in [
            (State::Sending, State::Planned),
            (State::Unknown, State::Planned),
            (State::Sending, State::Unknown),
            (State::Accepted, State::Fulfilled),
        ] {
            let mut doubt = left(ROWS_MAX);
            doubt.moved(from, to);
            assert!(doubt.is_grave(), "{from} to {to}");
        }
    }
}
