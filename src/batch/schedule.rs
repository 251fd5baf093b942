//! When the provider is asked what became of the orders: seldom, since every question takes the place of a send, and
//! late enough that one page of the list settles a hundred of them (design, section 4).

use std::time::Duration;

use tokio::time::Instant;

/// Accepted orders that make a sweep worth its page: with those around them they fill one.
const WORTH_A_PAGE: u64 = 80;
/// What a send earns for questions, and what a page of the list costs: at least 95 of 100 calls are sends.
const EARNED_BY_SEND: u64 = 4;
const PAGE_COSTS: u64 = 100;
/// How much of the usual life of an order passes before the last ones are asked about, in tenths of `poll_interval`:
/// the provider takes about 16 s, and asks for an interval of 5 s (API facts, 7 and 8).
const LIFE_TENTHS: u32 = 34;

/// The pace of the questions of one run.
#[derive(Debug, Clone)]
pub(super) struct Schedule {
    /// Whether calls are counted by a quota.
    is_paced: bool,
    poll_interval: Duration,
    settle_delay: Duration,
    credit: u64,
    accepted_since: u64,
    last_accept: Option<Instant>,
    last_sweep: Option<Instant>,
    lost_at: Option<Instant>,
}

/// Whether there is anything left to send; questions wait for sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// Rows are being sent.
    Sending,
    /// Nothing is left but to ask.
    Settling,
}

impl Schedule {
    pub(super) fn new(is_paced: bool, poll_interval: Duration, settle_delay: Duration) -> Self {
        Self {
            is_paced,
            poll_interval,
            settle_delay,
            credit: 0,
            accepted_since: 0,
            last_accept: None,
            last_sweep: None,
            lost_at: None,
        }
    }

    /// A row was sent.
    pub(super) fn sent(&mut self) {
        self.credit = self.credit.saturating_add(EARNED_BY_SEND);
    }

    /// A row was accepted.
    pub(super) fn accepted(&mut self, now: Instant) {
        self.accepted_since += 1;
        self.last_accept = Some(now);
    }

    /// The answer about a row was lost.
    pub(super) fn lost(&mut self, now: Instant) {
        self.lost_at.get_or_insert(now);
    }

    /// A sweep has begun.
    pub(super) fn swept(&mut self, now: Instant) {
        self.last_sweep = Some(now);
        self.accepted_since = 0;
        self.lost_at = None;
        self.credit = self.credit.saturating_sub(PAGE_COSTS);
    }

    /// When the last sweep began.
    pub(super) fn last_sweep(&self) -> Option<Instant> {
        self.last_sweep
    }

    /// How long an order is left alone before the first question about it.
    pub(super) fn first_look(&self) -> Duration {
        if self.is_paced {
            self.poll_interval * LIFE_TENTHS / 10
        } else {
            self.poll_interval
        }
    }

    /// Whether an order of this age is asked about in a sweep, when the sweep before found it at that age: the older
    /// it is, the more seldom.
    pub(super) fn is_due(&self, age: Duration, before: Option<Duration>, phase: Phase) -> bool {
        let mut threshold = self.first_look().max(Duration::from_millis(1));
        let percent = match phase {
            Phase::Sending => 200,
            Phase::Settling => 125,
        };
        while threshold <= age {
            if before.is_none_or(|before| threshold > before) {
                return true;
            }
            threshold = threshold * percent / 100;
        }
        false
    }

    /// When the next sweep is due; none while nothing waits for one.
    pub(super) fn next(&self, phase: Phase, accepted: u64, first: bool) -> Option<Instant> {
        let now = Instant::now();
        if first {
            return Some(now);
        }
        let earliest = self.last_sweep.map_or(now, |last| last + self.poll_interval);
        let for_lost = self.lost_at.map(|lost| lost + self.settle_delay);
        if !self.is_paced {
            let for_accepted = (accepted > 0).then_some(earliest);
            return soonest(for_lost, for_accepted);
        }
        match phase {
            Phase::Sending if self.credit >= 2 * PAGE_COSTS => {
                let for_accepted = (self.accepted_since >= WORTH_A_PAGE).then_some(earliest);
                soonest(for_lost, for_accepted)
            }
            Phase::Sending => None,
            Phase::Settling => {
                let life = self.last_accept.map_or(now, |last| last + self.first_look());
                let for_accepted = (accepted > 0).then(|| earliest.max(life));
                soonest(for_lost, for_accepted)
            }
        }
    }
}

fn soonest(one: Option<Instant>, other: Option<Instant>) -> Option<Instant> {
    [one, other].into_iter().flatten().min()
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLL: Duration = Duration::from_secs(5);
    const SETTLE: Duration = Duration::from_millis(1500);

    #[tokio::test(start_paused = true)]
    async fn questions_keep_within_what_sends_have_earned() {
        let mut schedule = Schedule::new(true, POLL, SETTLE);
        let (mut sends, mut sweeps) = (0_u64, 0_u64);
        for _ in 0..3000 {
            schedule.sent();
            schedule.accepted(Instant::now());
            sends += 1;
            tokio::time::advance(Duration::from_millis(508)).await;
            if schedule
                .next(Phase::Sending, sends, false)
                .is_some_and(|at| at <= Instant::now())
            {
                schedule.swept(Instant::now());
                sweeps += 1;
            }
        }
        assert!(
            sweeps * 100 <= sends * 4 && sweeps >= sends / 120,
            "{sweeps} sweeps for {sends} sends"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn the_last_orders_are_asked_about_when_they_have_lived_their_time() {
        let mut schedule = Schedule::new(true, POLL, SETTLE);
        schedule.accepted(Instant::now());
        let due = schedule.next(Phase::Settling, 1, false);
        assert_eq!(due, Some(Instant::now() + Duration::from_secs(17)));
        assert_eq!(schedule.next(Phase::Settling, 0, false), None);
        schedule.lost(Instant::now());
        assert_eq!(
            schedule.next(Phase::Settling, 1, false),
            Some(Instant::now() + SETTLE)
        );
    }

    #[test]
    fn an_old_order_is_asked_about_more_and_more_seldom() {
        let schedule = Schedule::new(true, POLL, SETTLE);
        let looks = |phase| {
            (1..=300_u64)
                .filter(|second| {
                    let before = (*second > 1).then(|| Duration::from_secs(second - 1));
                    schedule.is_due(Duration::from_secs(*second), before, phase)
                })
                .count()
        };
        assert_eq!(looks(Phase::Sending), 5, "17, 34, 68, 136, 272");
        assert!((10..=15).contains(&looks(Phase::Settling)));
        assert!(!schedule.is_due(Duration::from_secs(15), None, Phase::Settling));
    }
}
