//! The rules that the promise rests on (design, section 2), each by its name.
//!
//! Outside tests every rule holds, and the compiler takes the question away. A test build can break one of them for one
//! thread, to show that the proof then fails: a guard whose absence nothing notices is no guard.

use std::fmt;

/// A rule of the promise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// An order is durable in the ledger before its first byte leaves.
    WrittenFirst,
    /// An order is sent again under its own ref only.
    SameRef,
    /// What may have been made is asked about before it is sent again.
    AskedFirst,
    /// Only the provider's own, enveloped word, said twice, proves that it does not know an order.
    AbsentTwice,
    /// A refusal behind a lost answer proves nothing.
    DoubtStays,
    /// Phone, plan and amount are compared before an order is taken over.
    AdoptionCompares,
    /// A lost answer is unknown, never failed.
    UnknownIsNotFailed,
    /// A ref that is taken leads to its order, and is no refusal.
    TakenIsNotRefused,
    /// An order whose ref the provider has called taken is never called absent.
    TakenIsThere,
    /// An order is given up only when its request can't be landing any more.
    GivenUpLate,
    /// Behind a refused key nothing is sent.
    AuthStops,
    /// Behind an empty wallet nothing is sent.
    EmptyWalletStops,
    /// One process works on a batch.
    BatchLock,
    /// What a living process is sending is left to it.
    OwnerAlive,
    /// The same phone, plan and amount needs consent.
    RepeatGuard,
    /// The caps of the day.
    Caps,
    /// The key is taken out of what is stored.
    KeyWithheld,
}

impl Rule {
    /// All of them.
    pub const ALL: [Self; 17] = [
        Self::WrittenFirst,
        Self::SameRef,
        Self::AskedFirst,
        Self::AbsentTwice,
        Self::DoubtStays,
        Self::AdoptionCompares,
        Self::UnknownIsNotFailed,
        Self::TakenIsNotRefused,
        Self::TakenIsThere,
        Self::GivenUpLate,
        Self::AuthStops,
        Self::EmptyWalletStops,
        Self::BatchLock,
        Self::OwnerAlive,
        Self::RepeatGuard,
        Self::Caps,
        Self::KeyWithheld,
    ];

    /// The rule in a sentence.
    pub fn sentence(self) -> &'static str {
        match self {
            Self::WrittenFirst => "an order is durable before its first byte leaves",
            Self::SameRef => "an order is sent again under its own ref only",
            Self::AskedFirst => "what may have been made is asked about before it is sent again",
            Self::AbsentTwice => "absence is the provider's own word, said twice",
            Self::DoubtStays => "a refusal behind a lost answer proves nothing",
            Self::AdoptionCompares => "details are compared before an order is taken over",
            Self::UnknownIsNotFailed => "a lost answer is unknown, never failed",
            Self::TakenIsNotRefused => "a ref that is taken leads to its order",
            Self::TakenIsThere => "what has a taken ref is never called absent",
            Self::GivenUpLate => "an order is given up when its request can't land any more",
            Self::AuthStops => "behind a refused key nothing is sent",
            Self::EmptyWalletStops => "behind an empty wallet nothing is sent",
            Self::BatchLock => "one process works on a batch",
            Self::OwnerAlive => "what a living process sends is left to it",
            Self::RepeatGuard => "a repeat needs consent",
            Self::Caps => "caps are counted over the ledger",
            Self::KeyWithheld => "the key is taken out of what is stored",
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.sentence())
    }
}

/// Whether a rule holds: always, outside the proof.
#[cfg(not(test))]
#[inline]
pub const fn holds(_rule: Rule) -> bool {
    true
}

#[cfg(test)]
pub(crate) use rehearsal::{Life, broken, holds};

#[cfg(test)]
mod rehearsal {
    //! What only the proof can do: break a rule, and end a process between two of its steps.

    use std::cell::Cell;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    use tokio::sync::Notify;

    use super::Rule;

    thread_local! {
        static BROKEN: Cell<Option<Rule>> = const { Cell::new(None) };
    }

    /// Whether a rule holds in this thread.
    pub fn holds(rule: Rule) -> bool {
        BROKEN.get() != Some(rule)
    }

    /// Does `work` while a rule is broken in this thread.
    pub fn broken<T>(rule: Option<Rule>, work: impl FnOnce() -> T) -> T {
        let before = BROKEN.replace(rule);
        let done = work();
        BROKEN.set(before);
        done
    }

    /// The life of a process in the proof: it ends after so many steps, and then none of its tasks moves any more.
    #[derive(Debug, Clone)]
    pub struct Life(Arc<Steps>);

    #[derive(Debug)]
    struct Steps {
        left: AtomicU64,
        ended: Notify,
    }

    impl Life {
        /// A life of `steps` steps.
        pub fn of(steps: u64) -> Self {
            Self(Arc::new(Steps {
                left: AtomicU64::new(steps),
                ended: Notify::new(),
            }))
        }

        /// Takes a step, such as a commit or a call; never comes back from the one behind the last.
        pub async fn step(&self) {
            if self
                .0
                .left
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1))
                .is_err()
            {
                self.0.ended.notify_one();
                std::future::pending::<()>().await;
            }
        }

        /// Returns when it has ended.
        pub async fn ended(&self) {
            self.0.ended.notified().await;
        }
    }
}
