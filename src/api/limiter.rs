//! One limiter for all calls of the process: a schedule, and pauses that the provider asks for.
//!
//! A single order may begin with a short burst. A batch goes by an even schedule that stays within the quota in any
//! minute, and learns: whenever the provider says "too many" it goes slower, and faster again while all is quiet.

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
    steady: Mutex<Option<Steady>>,
    begun: Mutex<Option<Begun>>,
}

/// The calls before an even schedule, which count like any others.
#[derive(Debug, Clone, Copy)]
struct Begun {
    first: Instant,
    calls: u32,
}

/// An even schedule and what it has learnt.
#[derive(Debug, Clone, Copy)]
struct Steady {
    /// The schedule that the quota allows.
    least: Duration,
    /// The schedule in force.
    period: Duration,
    /// When it was last changed.
    changed_at: Instant,
}

/// Calls can reach the provider a little late or early; a minute of them must stay within the quota all the same.
const JITTER: Duration = Duration::from_millis(600);
/// How much slower it goes behind a "too many", in percent of the period.
const SLOWER_PERCENT: u32 = 125;
/// How much faster behind a quiet minute.
const FASTER_PERCENT: u32 = 90;
/// The slowest schedule, in times of the quota's own.
const SLOWEST: u32 = 10;
/// A quiet time, behind which a faster schedule is tried.
const QUIET: Duration = Duration::from_mins(1);

impl Limiter {
    /// One that lets everything through until it is told the rate: the account's kind decides it.
    pub fn unlimited() -> Self {
        Self {
            gate: Mutex::new(None),
            paused_until: Mutex::new(None),
            steady: Mutex::new(None),
            begun: Mutex::new(None),
        }
    }

    /// Sets an even schedule, without a burst: for work that goes on for more than a minute. It begins where it would
    /// stand if the calls so far had gone by it.
    pub fn set_steady(&self, rate: Rate) {
        let Rate::PerMinute(count) = rate else {
            return self.set_rate(rate);
        };
        let least = (Duration::from_mins(1) + JITTER) / count.get();
        let steady = Steady {
            least,
            period: least,
            changed_at: Instant::now(),
        };
        *self.steady.lock().unwrap_or_else(PoisonError::into_inner) = Some(steady);
        self.set_period(least);
        let begun = *self.begun.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(begun) = begun {
            self.hold_until(begun.first + least * begun.calls);
        }
    }

    /// Whether calls go by a schedule.
    pub fn is_paced(&self) -> bool {
        self.gate.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    fn set_period(&self, period: Duration) {
        let quota = Quota::with_period(period);
        let gate =
            quota.map(|quota| std::sync::Arc::new(RateLimiter::direct_with_clock(quota, RuntimeClock)));
        *self.gate.lock().unwrap_or_else(PoisonError::into_inner) = gate;
    }

    /// The provider has said "too many": slower from now on. Several at a time count as one.
    fn learn(&self, now: Instant) {
        let mut steady = self.steady.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(known) = steady.as_mut() else { return };
        if now.duration_since(known.changed_at) < known.period * 4 && known.period > known.least {
            return;
        }
        known.period = (known.period * SLOWER_PERCENT / 100).min(known.least * SLOWEST);
        known.changed_at = now;
        self.set_period(known.period);
    }

    /// Faster again where a minute was quiet.
    fn relax(&self, now: Instant) {
        let mut steady = self.steady.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(known) = steady.as_mut() else { return };
        if known.period > known.least && now.duration_since(known.changed_at) >= QUIET {
            known.period = (known.period * FASTER_PERCENT / 100).max(known.least);
            known.changed_at = now;
            self.set_period(known.period);
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
        *self.steady.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Lets no call through for `length`: the provider said so. The longest of several pauses holds.
    pub fn pause(&self, length: Duration) {
        self.hold_until(Instant::now() + length);
        self.learn(Instant::now());
    }

    fn hold_until(&self, until: Instant) {
        let mut paused = self.paused_until.lock().unwrap_or_else(PoisonError::into_inner);
        *paused = Some(paused.map_or(until, |earlier| earlier.max(until)));
    }

    /// Counts a call that goes by no even schedule.
    fn count(&self) {
        let is_steady = self
            .steady
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .is_some();
        if !is_steady {
            let mut begun = self.begun.lock().unwrap_or_else(PoisonError::into_inner);
            let first = Instant::now();
            begun.get_or_insert(Begun { first, calls: 0 }).calls += 1;
        }
    }

    /// Waits until no pause holds that the provider has asked for.
    pub async fn unpaused(&self) {
        loop {
            let paused = *self.paused_until.lock().unwrap_or_else(PoisonError::into_inner);
            match paused.filter(|until| *until > Instant::now()) {
                Some(until) => tokio::time::sleep_until(until).await,
                None => return,
            }
        }
    }

    /// Waits for a turn.
    pub async fn turn(&self) {
        loop {
            self.unpaused().await;
            self.relax(Instant::now());
            let gate = self.gate.lock().unwrap_or_else(PoisonError::into_inner).clone();
            match gate.map_or(Ok(()), |gate| {
                gate.check().map_err(|early| early.wait_time_from(Moment::now()))
            }) {
                Ok(()) => return self.count(),
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
    async fn an_even_schedule_keeps_any_minute_within_the_quota_and_loses_little() {
        for quota in [60, 120] {
            let limiter = Limiter::unlimited();
            let mut turns = Vec::new();
            for call in 0..quota * 3 {
                // The first ones ask whose key it is, and at what rate it may go on.
                match call {
                    1 => limiter.set_rate(per_minute(quota)),
                    3 => limiter.set_steady(per_minute(quota)),
                    _ => {}
                }
                limiter.turn().await;
                turns.push(Instant::now());
            }
            let within = usize::try_from(quota).unwrap_or_default();
            for window in turns.windows(within + 1) {
                let length = window[within].duration_since(window[0]);
                // Half a second late or early does no harm.
                assert!(length >= Duration::from_millis(60_500), "{length:?}");
            }
            let took = turns
                .last()
                .map_or(Duration::ZERO, |last| last.duration_since(turns[0]));
            assert!(took <= Duration::from_secs(182), "{took:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn too_many_teaches_a_slower_schedule_until_it_is_quiet() {
        let limiter = Limiter::unlimited();
        limiter.set_steady(per_minute(60));
        let period = async || {
            limiter.turn().await;
            let before = Instant::now();
            limiter.turn().await;
            before.elapsed()
        };
        let first = period().await;
        limiter.pause(Duration::from_secs(1));
        limiter.pause(Duration::from_secs(1));
        let taught = period().await;
        assert!(
            taught > first * 120 / 100 && taught < first * 130 / 100,
            "{first:?} {taught:?}"
        );
        for _ in 0..400 {
            limiter.turn().await;
        }
        let quiet = period().await;
        assert!(quiet <= first + Duration::from_millis(2), "{first:?} {quiet:?}");
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
