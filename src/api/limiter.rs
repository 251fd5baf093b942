//! One limiter for all calls of the process: a schedule, and pauses that the provider asks for.

use std::num::NonZeroU32;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use governor::clock::{Clock, Reference};
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use tokio::time::Instant;

/// How many calls a minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rate {
    /// So many.
    PerMinute(NonZeroU32),
    /// As many as there are.
    Unlimited,
}

type Gate = RateLimiter<NotKeyed, InMemoryState, RuntimeClock, NoOpMiddleware<Moment>>;

/// Lets calls through by schedule. All calls of a process share one.
#[derive(Debug)]
pub struct Limiter {
    gate: Mutex<Option<std::sync::Arc<Gate>>>,
    paused_until: Mutex<Option<Instant>>,
}

impl Limiter {
    /// One that lets everything through until it is told the rate: the account's kind decides it.
    pub fn unlimited() -> Self {
        Self {
            gate: Mutex::new(None),
            paused_until: Mutex::new(None),
        }
    }

    /// Sets the rate. A short burst is let through at once, so that one order does not wait for its schedule.
    pub fn set_rate(&self, rate: Rate) {
        let gate = match rate {
            Rate::Unlimited => None,
            Rate::PerMinute(count) => {
                let burst = NonZeroU32::new(count.get() / 6).unwrap_or(NonZeroU32::MIN);
                let quota = Quota::per_minute(count).allow_burst(burst);
                Some(std::sync::Arc::new(RateLimiter::direct_with_clock(
                    quota,
                    RuntimeClock,
                )))
            }
        };
        *self.gate.lock().unwrap_or_else(PoisonError::into_inner) = gate;
    }

    /// Lets no call through for `length`: the provider said so. The longest of several pauses holds.
    pub fn pause(&self, length: Duration) {
        let until = Instant::now() + length;
        let mut paused = self.paused_until.lock().unwrap_or_else(PoisonError::into_inner);
        *paused = Some(paused.map_or(until, |earlier| earlier.max(until)));
    }

    /// Waits for a turn.
    pub async fn turn(&self) {
        loop {
            let now = Instant::now();
            let paused = *self.paused_until.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(until) = paused.filter(|until| *until > now) {
                tokio::time::sleep_until(until).await;
                continue;
            }
            let gate = self.gate.lock().unwrap_or_else(PoisonError::into_inner).clone();
            match gate.map_or(Ok(()), |gate| {
                gate.check().map_err(|early| early.wait_time_from(Moment::now()))
            }) {
                Ok(()) => return,
                Err(wait) => tokio::time::sleep(wait.max(Duration::from_millis(1))).await,
            }
        }
    }
}

/// The runtime's time as governor wants it, so that the schedule stands still with paused time.
#[derive(Debug, Clone, Copy, Default)]
struct RuntimeClock;

/// A moment of the runtime's time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Moment(Instant);

impl Moment {
    fn now() -> Self {
        Self(Instant::now())
    }
}

impl Reference for Moment {
    fn duration_since(&self, earlier: Self) -> Nanos {
        self.0.saturating_duration_since(earlier.0).into()
    }

    fn saturating_sub(&self, duration: Nanos) -> Self {
        Self(self.0.checked_sub(duration.into()).unwrap_or(self.0))
    }
}

impl std::ops::Add<Nanos> for Moment {
    type Output = Self;

    fn add(self, length: Nanos) -> Self {
        let length: Duration = length.into();
        Self(self.0 + length)
    }
}

impl Clock for RuntimeClock {
    type Instant = Moment;

    fn now(&self) -> Moment {
        Moment::now()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn per_minute(count: u32) -> Rate {
        NonZeroU32::new(count).map_or(Rate::Unlimited, Rate::PerMinute)
    }

    #[tokio::test(start_paused = true)]
    async fn after_a_burst_calls_go_by_schedule() {
        let limiter = Limiter::unlimited();
        limiter.set_rate(per_minute(60));
        let started = Instant::now();
        for _ in 0..10 {
            limiter.turn().await;
        }
        assert_eq!(started.elapsed(), Duration::ZERO);
        for _ in 0..60 {
            limiter.turn().await;
        }
        let took = started.elapsed();
        assert!(
            (Duration::from_secs(59)..Duration::from_millis(60_200)).contains(&took),
            "{took:?}"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_holds_everything_and_the_longest_one_counts() {
        let limiter = Limiter::unlimited();
        limiter.pause(Duration::from_secs(5));
        limiter.pause(Duration::from_secs(2));
        let started = Instant::now();
        limiter.turn().await;
        assert_eq!(started.elapsed(), Duration::from_secs(5));
        limiter.turn().await;
        assert_eq!(started.elapsed(), Duration::from_secs(5));
    }
}
