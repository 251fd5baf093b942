//! What the answer to a POST makes of its order: the table of the design's section 2, from class to state.

use std::time::Duration;

use tokio::time::Instant;

use super::{ASKED_TO_WAIT_MAX, Halt, Pace, REF_TAKEN, Trouble, asked_to_wait};
use crate::api::SendAnswer;
use crate::domain::{Money, SettledBy, State, TopupId};
use crate::promise::{Rule, holds};

/// Why an order is sent again that the provider has put off.
pub(super) const ASKS_TO_WAIT: &str = "the provider asks to wait";

/// What becomes of an order behind an answer.
#[derive(Debug)]
pub(super) struct Meaning {
    /// Where it goes.
    pub to: State,
    /// Why, for its history.
    pub why: String,
    /// What to keep with it.
    pub message: Option<String>,
    /// The provider's id.
    pub topup_id: Option<TopupId>,
    /// The ref as the provider stores it.
    pub provider_ref: Option<String>,
    /// Who says so, where that is an end.
    pub settled_by: Option<SettledBy>,
    /// What to do next.
    pub next: Next,
}

/// What to do once the answer is stored.
#[derive(Debug)]
pub(super) enum Next {
    /// Nothing: it stands there.
    Stand(Option<Trouble>, Option<Money>),
    /// Nothing was made: wait, then send the same again.
    Again(Duration),
    /// It may have been made: ask.
    Recover {
        /// Whether it is sent again once it is proved absent.
        may_send_again: bool,
        /// Why the last request surely made nothing, where an earlier one may have.
        refused: Option<Trouble>,
    },
}

/// How much patience has been used up with a provider that makes nothing.
#[derive(Debug, Default)]
pub(super) struct Patience {
    /// Requests that may have made something.
    pub sends: u32,
    /// Whether any request for the order, in this run or before, may have made something.
    pub is_in_doubt: bool,
    connections: u32,
    waited: Duration,
    /// When it was asked for the first time to wait, or another order was let through since. What all rows of a batch
    /// wait together is time of each of them.
    asked_to_wait: Option<Instant>,
}

impl Patience {
    /// None used up yet. `is_in_doubt`: whether an earlier request for the order may have made something.
    pub fn new(is_in_doubt: bool) -> Self {
        Self {
            is_in_doubt,
            ..Self::default()
        }
    }

    /// The provider has let an order through: it makes some, and each waits for its turn.
    pub fn others_pass(&mut self, at: Instant) {
        self.asked_to_wait = self.asked_to_wait.map(|since| since.max(at));
    }

    /// What this command has sent so often before, and that may have made something, or another command has.
    pub fn behind(sends: u32) -> Self {
        Self {
            sends,
            ..Self::new(true)
        }
    }
}

/// Whether the proof wants to know what happens where this stops nothing.
pub(crate) fn is_ignored(trouble: &Trouble) -> bool {
    match trouble {
        Trouble::Auth(_) => !holds(Rule::AuthStops),
        Trouble::EmptyWallet { .. } => !holds(Rule::EmptyWalletStops),
        _ => false,
    }
}

impl Meaning {
    fn new(to: State, why: impl Into<String>, next: Next) -> Self {
        let why = why.into();
        Self {
            to,
            why,
            message: None,
            topup_id: None,
            provider_ref: None,
            settled_by: None,
            next,
        }
    }

    /// The provider refused it before it was made.
    fn refused(code: &str, message: &str, trouble: Trouble) -> Self {
        let shown = if message.is_empty() { code } else { message };
        Self {
            message: Some(shown.to_owned()),
            settled_by: Some(SettledBy::Provider),
            ..Self::new(State::Rejected, code, Next::Stand(Some(trouble), None))
        }
    }

    /// What every public client makes of an answer that says nothing sure.
    fn failed(why: &str) -> Self {
        let code = why.to_owned();
        Self::refused(
            why,
            why,
            Trouble::Rejected {
                code,
                field: None,
                status: 0,
            },
        )
    }

    /// Nothing was made: again behind a pause while there is patience, else given up.
    fn not_made(why: String, pause: Option<Duration>) -> Self {
        match pause {
            Some(pause) => Self::new(State::Sending, why, Next::Again(pause)),
            None => Self {
                message: Some(why.clone()),
                ..Self::new(
                    State::Cancelled,
                    why.clone(),
                    Next::Stand(Some(Trouble::Unavailable(why)), None),
                )
            },
        }
    }

    /// What must not go on behind it, for all orders.
    pub fn halts(&self) -> Halt {
        match &self.next {
            Next::Stand(Some(trouble), _) if is_ignored(trouble) => Halt::Nothing,
            Next::Stand(Some(Trouble::Auth(_)), _) => Halt::Everything,
            Next::Stand(Some(Trouble::EmptyWallet { .. } | Trouble::Unavailable(_)), _)
            | Next::Recover {
                refused: Some(Trouble::EmptyWallet { .. }),
                ..
            } => Halt::Sends,
            Next::Stand(..) | Next::Again(_) | Next::Recover { .. } => Halt::Nothing,
        }
    }

    fn unknown(why: String) -> Self {
        Self {
            message: Some(why.clone()),
            ..Self::new(
                State::Unknown,
                why,
                Next::Recover {
                    may_send_again: true,
                    refused: None,
                },
            )
        }
    }

    /// Where an earlier request may have made something, a later one that surely made nothing does not prove that
    /// nothing was made: the first may have emptied the wallet, or not be visible yet. The order stays unknown.
    fn in_doubt(self) -> Self {
        let Self {
            to: State::Rejected | State::Cancelled,
            next: Next::Stand(trouble, _),
            why,
            ..
        } = self
        else {
            return self;
        };
        let why = format!("an earlier request may have made it; the last one made nothing: {why}");
        let next = match trouble {
            // A refused key ends all asking at once.
            Some(Trouble::Auth(auth)) => Next::Stand(Some(Trouble::Auth(auth)), None),
            refused => Next::Recover {
                may_send_again: false,
                refused,
            },
        };
        Self {
            message: Some(why.clone()),
            ..Self::new(State::Unknown, why, next)
        }
    }

    /// A row of a batch of which nothing was made, through no fault of its own, stays in the queue: the key, the
    /// wallet and the way to the provider are mended, and the same batch goes on.
    fn of_row(self) -> Self {
        let is_the_rows_fault = matches!(&self.next, Next::Stand(Some(Trouble::Rejected { .. }), _));
        match self.to {
            State::Rejected | State::Cancelled if !is_the_rows_fault => Self {
                to: State::Planned,
                settled_by: None,
                ..self
            },
            _ => self,
        }
    }

    /// The meaning of an answer for an order, or for a row of a batch, given what came before it.
    pub fn of(answer: SendAnswer, pace: &Pace, patience: &mut Patience, is_row: bool) -> Self {
        let meaning = Self::of_answer(answer, pace, patience);
        match (patience.is_in_doubt, is_row) {
            (true, _) if holds(Rule::DoubtStays) => meaning.in_doubt(),
            (_, true) => meaning.of_row(),
            (_, false) => meaning,
        }
    }

    /// The meaning of an answer by itself.
    fn of_answer(answer: SendAnswer, pace: &Pace, patience: &mut Patience) -> Self {
        match answer {
            SendAnswer::Accepted {
                id,
                stored_ref,
                balance,
            } => Self {
                topup_id: Some(id),
                provider_ref: stored_ref,
                ..Self::new(State::Accepted, "accepted", Next::Stand(None, balance))
            },
            SendAnswer::Rejected {
                code,
                message,
                field,
                status,
            } => Self::refused(&code.clone(), &message, Trouble::Rejected { code, field, status }),
            SendAnswer::Auth(auth) => {
                Self::refused(&auth.code.clone(), &auth.message.clone(), Trouble::Auth(auth))
            }
            SendAnswer::EmptyWallet {
                code,
                message,
                available,
            } => Self::refused(&code.clone(), &message, Trouble::EmptyWallet { code, available }),
            SendAnswer::NotSent(why) => {
                patience.connections += 1;
                let tries = patience.connections;
                let pause = (tries <= pace.retry_attempts).then(|| pace.backoff(tries - 1));
                Self::not_made(format!("no connection: {why}"), pause)
            }
            SendAnswer::NotCreated(wait) => {
                let pause = asked_to_wait(wait, pace);
                patience.waited += pause;
                let since = *patience.asked_to_wait.get_or_insert_with(Instant::now);
                let waited = patience.waited.max(since.elapsed() + pause);
                let pause = (waited <= ASKED_TO_WAIT_MAX).then_some(pause);
                Self::not_made(ASKS_TO_WAIT.to_owned(), pause)
            }
            SendAnswer::Exists if !holds(Rule::TakenIsNotRefused) => Self::failed(REF_TAKEN),
            SendAnswer::Exists => Self::unknown(REF_TAKEN.to_owned()),
            SendAnswer::Unknown(why) if !holds(Rule::UnknownIsNotFailed) => Self::failed(&why),
            SendAnswer::Unknown(why) => Self::unknown(why),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The pauses until it is given up.
    fn pauses(answer: &SendAnswer) -> Vec<u64> {
        let mut patience = Patience::default();
        let mut pauses = Vec::new();
        loop {
            match Meaning::of(answer.clone(), &Pace::usual(), &mut patience, false) {
                Meaning {
                    next: Next::Again(pause),
                    to: State::Sending,
                    ..
                } => pauses.push(pause.as_secs()),
                Meaning {
                    next: Next::Stand(Some(Trouble::Unavailable(_)), _),
                    to: State::Cancelled,
                    ..
                } => return pauses,
                other => panic!("{}", other.to),
            }
        }
    }

    #[test]
    fn a_connection_that_never_opens_is_tried_again_after_2_4_and_8_seconds() {
        assert_eq!(pauses(&SendAnswer::NotSent("refused".to_owned())), [2, 4, 8]);
    }

    #[test]
    fn being_told_to_wait_is_obeyed_for_five_minutes_in_all() {
        assert_eq!(
            pauses(&SendAnswer::NotCreated(Some(Duration::from_mins(1)))),
            [60; 5]
        );
        assert_eq!(pauses(&SendAnswer::NotCreated(None)), [2; 150]);
    }

    #[test]
    fn a_refusal_behind_a_lost_answer_proves_nothing() {
        let refusals = [
            SendAnswer::EmptyWallet {
                code: "NO_BALANCE".to_owned(),
                message: String::new(),
                available: None,
            },
            SendAnswer::Rejected {
                code: "ERR_VALIDATION".to_owned(),
                message: String::new(),
                field: None,
                status: 400,
            },
        ];
        for refusal in refusals {
            let mut patience = Patience::new(true);
            let meaning = Meaning::of(refusal, &Pace::usual(), &mut patience, false);
            assert_eq!(meaning.to, State::Unknown);
            assert_eq!(meaning.settled_by, None);
            assert!(matches!(
                meaning.next,
                Next::Recover {
                    may_send_again: false,
                    ..
                }
            ));
        }
        let auth = crate::api::AuthFault {
            code: "ERR_AUTH".to_owned(),
            message: String::new(),
            attempts_left: None,
            status: 401,
            request_id: None,
        };
        let mut patience = Patience::new(true);
        let meaning = Meaning::of(SendAnswer::Auth(auth), &Pace::usual(), &mut patience, false);
        assert!(
            meaning.to == State::Unknown && matches!(meaning.next, Next::Stand(Some(Trouble::Auth(_)), _))
        );
    }

    #[test]
    fn a_provider_that_can_not_be_reached_any_more_proves_nothing_either() {
        let mut patience = Patience::new(true);
        for _ in 0..3 {
            let meaning = Meaning::of(
                SendAnswer::NotSent("refused".to_owned()),
                &Pace::usual(),
                &mut patience,
                false,
            );
            assert!(meaning.to == State::Sending && matches!(meaning.next, Next::Again(_)));
        }
        let meaning = Meaning::of(
            SendAnswer::NotSent("refused".to_owned()),
            &Pace::usual(),
            &mut patience,
            false,
        );
        assert_eq!(meaning.to, State::Unknown);
    }

    #[test]
    fn what_may_have_been_made_is_unknown_and_asked_about() {
        for answer in [SendAnswer::Exists, SendAnswer::Unknown("HTTP 500".to_owned())] {
            let meaning = Meaning::of(answer, &Pace::usual(), &mut Patience::default(), false);
            assert!(
                meaning.to == State::Unknown
                    && matches!(
                        meaning.next,
                        Next::Recover {
                            may_send_again: true,
                            ..
                        }
                    )
            );
        }
    }

    /// The other rows of a batch hold it up as well: its own pauses are the smaller part.
    #[tokio::test(start_paused = true)]
    async fn five_minutes_of_waiting_are_the_most_however_they_pass() {
        let mut patience = Patience::default();
        let mut goes_on = || {
            let answer = SendAnswer::NotCreated(Some(Duration::from_secs(1)));
            let meaning = Meaning::of(answer, &Pace::usual(), &mut patience, true);
            matches!(meaning.next, Next::Again(_))
        };
        assert!(goes_on());
        tokio::time::advance(Duration::from_secs(298)).await;
        assert!(goes_on());
        tokio::time::advance(Duration::from_secs(2)).await;
        assert!(!goes_on());
    }

    #[tokio::test(start_paused = true)]
    async fn an_order_waits_for_its_turn_while_others_are_let_through() {
        let mut patience = Patience::default();
        let goes_on = |patience: &mut Patience| {
            let answer = SendAnswer::NotCreated(Some(Duration::from_secs(1)));
            let meaning = Meaning::of(answer, &Pace::usual(), patience, true);
            matches!(meaning.next, Next::Again(_))
        };
        assert!(goes_on(&mut patience));
        tokio::time::advance(Duration::from_secs(290)).await;
        patience.others_pass(Instant::now());
        tokio::time::advance(Duration::from_secs(20)).await;
        assert!(goes_on(&mut patience));
        tokio::time::advance(Duration::from_secs(290)).await;
        assert!(!goes_on(&mut patience));
    }
}
