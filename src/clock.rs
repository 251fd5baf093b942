//! The wall clock, injected: the real one, or one that goes with the runtime's paused time.

use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

/// Tells the time. Sleeping is the runtime's; both stand still together in tests with paused time.
#[derive(Debug, Clone, Copy)]
pub struct Clock(Source);

#[derive(Debug, Clone, Copy)]
enum Source {
    System,
    FromRuntime { epoch: Timestamp, started: Instant },
}

impl Clock {
    /// The machine's clock.
    pub fn system() -> Self {
        Self(Source::System)
    }

    /// A clock that shows `epoch` now and then goes as the runtime's time goes.
    pub fn from_runtime(epoch: Timestamp) -> Self {
        Self(Source::FromRuntime {
            epoch,
            started: Instant::now(),
        })
    }

    /// What time it is.
    pub fn now(&self) -> Timestamp {
        match self.0 {
            Source::System => Timestamp::now(),
            Source::FromRuntime { epoch, started } => later(epoch, started.elapsed()),
        }
    }
}

/// `moment` moved forward; stays at the last representable moment instead of overflowing.
pub fn later(moment: Timestamp, by: Duration) -> Timestamp {
    moment.saturating_add(by).unwrap_or(Timestamp::MAX)
}

/// `moment` moved back; stays at the first representable moment instead of overflowing.
pub fn earlier(moment: Timestamp, by: Duration) -> Timestamp {
    moment.saturating_sub(by).unwrap_or(Timestamp::MIN)
}

/// `moment` as the ledger keeps it.
pub fn to_the_millisecond(moment: Timestamp) -> Timestamp {
    Timestamp::from_millisecond(moment.as_millisecond()).unwrap_or(moment)
}

/// How long from `start` to `end`; zero when the clock has been turned back.
pub fn elapsed(start: Timestamp, end: Timestamp) -> Duration {
    Duration::try_from(end.duration_since(start)).unwrap_or(Duration::ZERO)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_runtime_clock_goes_with_paused_time() {
        let clock = Clock::from_runtime(Timestamp::UNIX_EPOCH);
        tokio::time::sleep(Duration::from_secs(90)).await;
        assert_eq!(
            elapsed(Timestamp::UNIX_EPOCH, clock.now()),
            Duration::from_secs(90)
        );
    }

    #[test]
    fn a_clock_turned_back_measures_nothing() {
        let now = Timestamp::UNIX_EPOCH;
        assert_eq!(elapsed(later(now, Duration::from_secs(5)), now), Duration::ZERO);
        assert_eq!(earlier(Timestamp::MIN, Duration::from_secs(5)), Timestamp::MIN);
    }
}
