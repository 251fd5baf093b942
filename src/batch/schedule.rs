//! When the provider is asked what became of the orders: seldom, since every question takes the place of a send, and
//! late enough that one page of the list settles a hundred of them (design, section 4).

use std::time::Duration;

use tokio::time::Instant;

use super::lives::{Life, Lives};
use crate::topup::Pace;

/// Rows on a page of the list, less a few that come in between.
const ROWS_OF_PAGE: u64 = 95;
/// Accepted orders that make each page of a sweep worth its call.
const WORTH_A_PAGE: u64 = 60;
/// The most pages that a sweep is meant to fill: what it shows should not be old.
const PAGES_MAX: u64 = 3;
/// How many rows a sweep shows beside the fresh ones, until one has told: the margins of its stretch, and orders that take
/// longer than others.
const BESIDE: u64 = 30;
/// What a send earns for questions, and what a question costs: at least 95 of 100 calls are sends.
const EARNED_BY_SEND: i64 = 4;
const CALL_COSTS: i64 = 100;
/// How much of the usual life of an order passes before the last ones are asked about, in tenths of `poll_interval`:
/// the provider takes about 16 s, and asks for an interval of 5 s (API facts, 7 and 8). It holds until the run has seen
/// how long they live.
const LIFE_TENTHS: u32 = 34;
/// The longest that the last ones are left alone.
const LIFE_MAX: Duration = Duration::from_mins(2);

/// The pace of the questions of one run.
#[derive(Debug, Clone)]
pub(super) struct Schedule {
    /// Whether calls are counted by a quota.
    is_paced: bool,
    pace: Pace,
    /// In debt where a sweep took more than was earned: then the next one waits.
    credit: i64,
    lives: Lives,
    /// What they show: each row of a sweep is held against it.
    life: Option<Life>,
    accepted_since: u64,
    /// How many were accepted between the last two sweeps.
    fresh: Option<u64>,
    /// Rows that the last sweep showed beside them.
    beside: u64,
    last_accept: Option<Instant>,
    last_sweep: Option<Instant>,
    /// Whether a sweep has begun behind the last row.
    is_settling: bool,
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
    pub(super) fn new(is_paced: bool, pace: Pace) -> Self {
        Self {
            is_paced,
            pace,
            credit: 0,
            lives: Lives::default(),
            life: None,
            accepted_since: 0,
            fresh: None,
            beside: BESIDE,
            last_accept: None,
            last_sweep: None,
            is_settling: false,
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
    pub(super) fn begins(&mut self, phase: Phase, now: Instant) {
        self.is_settling = phase == Phase::Settling;
        // The first one shows nothing of orders that an earlier one has left.
        self.fresh = self.last_sweep.map(|_| self.accepted_since);
        self.last_sweep = Some(now);
        self.accepted_since = 0;
        self.lost_at = None;
    }

    /// A sweep has ended, that took so many calls and showed so many rows.
    pub(super) fn swept(&mut self, calls: u64, rows: u64) {
        let calls = i64::try_from(calls).unwrap_or(i64::MAX);
        self.credit = self.credit.saturating_sub(calls.saturating_mul(CALL_COSTS));
        // One that came for lost rows is no measure.
        if let Some(fresh) = self.fresh.filter(|fresh| *fresh >= WORTH_A_PAGE) {
            self.beside = rows.saturating_sub(fresh);
        }
    }

    /// How many accepted orders make a sweep worth its calls: with the rows beside them they fill its pages.
    fn worth(&self) -> u64 {
        let fresh = |pages: u64| (pages * ROWS_OF_PAGE).saturating_sub(self.beside);
        let mut pages = 1..PAGES_MAX;
        let enough = pages.find(|pages| fresh(*pages) >= pages * WORTH_A_PAGE);
        fresh(enough.unwrap_or(PAGES_MAX)).max(WORTH_A_PAGE)
    }

    /// Whether a sweep is the first one behind the last row: it asks about everything once more.
    pub(super) fn is_last_look(&self, phase: Phase) -> bool {
        phase == Phase::Settling && !self.is_settling
    }

    /// When the sweep before began, whose questions are not asked again.
    pub(super) fn before(&self, phase: Phase) -> Option<Instant> {
        self.last_sweep.filter(|_| !self.is_last_look(phase))
    }

    /// How long an order is left alone before the first question about it.
    pub(super) fn first_look(&self) -> Duration {
        if !self.is_paced {
            return self.pace.poll_interval;
        }
        let learnt = match self.life {
            None => return self.ordinary_life(),
            Some(Life::About(life)) => life + self.pace.poll_interval / 5,
            Some(Life::AtMost(life)) => life / 2,
            Some(Life::Beyond(life)) => life + 2 * self.pace.poll_interval,
        };
        // Whoever waits less long than that looks at least once.
        let most = LIFE_MAX.min(self.pace.poll_timeout / 2);
        learnt.max(self.pace.poll_interval / 2).min(most)
    }

    fn ordinary_life(&self) -> Duration {
        self.pace.poll_interval * LIFE_TENTHS / 10
    }

    /// Whether a list must show an order of this age: it may be late, and a question about each that it does not show yet
    /// would cost more than the next list.
    pub(super) fn is_listed(&self, age: Duration) -> bool {
        !self.is_paced || age >= self.ordinary_life()
    }

    /// Orders of these ages have been seen, at their ends or not.
    pub(super) fn lived(&mut self, lives: &[(Duration, bool)]) {
        for (age, has_ended) in lives {
            self.lives.see(*age, *has_ended);
        }
        self.life = self.lives.usual();
    }

    /// Whether an order of this age is asked about in a sweep, when the sweep before found it at that age: the older
    /// it is, the more seldom.
    pub(super) fn is_due(&self, age: Duration, before: Option<Duration>, phase: Phase) -> bool {
        let mut threshold = self.first_look().max(Duration::from_millis(1));
        while threshold <= age {
            if before.is_none_or(|before| threshold > before) {
                return true;
            }
            threshold += match phase {
                Phase::Sending => threshold,
                // Calls are free now, and somebody waits.
                Phase::Settling => self.pace.poll_interval.max(threshold / 8),
            };
        }
        false
    }

    /// When the next sweep is due; none while nothing waits for one. `left` rows are still to be sent: behind the last
    /// ones all orders are asked about anyway.
    pub(super) fn next(&self, phase: Phase, accepted: u64, first: bool, left: u64) -> Option<Instant> {
        let now = Instant::now();
        if first {
            return Some(now);
        }
        let earliest = self.last_sweep.map_or(now, |last| last + self.pace.poll_interval);
        let for_lost = self.lost_at.map(|lost| lost + self.pace.settle_delay);
        if !self.is_paced {
            let for_accepted = (accepted > 0).then_some(earliest);
            return soonest(for_lost, for_accepted);
        }
        match phase {
            Phase::Sending if self.credit >= 2 * CALL_COSTS => {
                let worth = self.worth();
                let is_worth_it = self.accepted_since >= worth && left >= worth / 2;
                let for_accepted = is_worth_it.then_some(earliest);
                // What was lost shares its page with orders that were accepted, where there are any.
                let is_shared = self.accepted_since >= WORTH_A_PAGE || self.credit >= 4 * CALL_COSTS;
                soonest(for_lost.filter(|_| is_shared), for_accepted)
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

    #[tokio::test(start_paused = true)]
    async fn questions_keep_within_what_sends_have_earned() {
        let mut schedule = Schedule::new(true, Pace::usual());
        let (mut sends, mut sweeps) = (0_u64, 0_u64);
        for _ in 0..3000 {
            schedule.sent();
            schedule.accepted(Instant::now());
            sends += 1;
            tokio::time::advance(Duration::from_millis(508)).await;
            if schedule
                .next(Phase::Sending, sends, false, 3000 - sends)
                .is_some_and(|at| at <= Instant::now())
            {
                schedule.begins(Phase::Sending, Instant::now());
                schedule.swept(1, 80);
                sweeps += 1;
            }
        }
        assert!(
            sweeps * 100 <= sends * 4 && sweeps >= sends / 120,
            "{sweeps} sweeps for {sends} sends"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_sweep_waits_for_as_many_orders_as_fill_its_pages() {
        // Rows that each sweep shows beside the fresh ones, pages that are meant to be full, and how many calls of 1,000
        // that may take.
        for (beside, pages, per_mille) in [(0, 1, 12), (10, 1, 13), (30, 1, 17), (66, 2, 18), (110, 3, 20)] {
            let mut schedule = Schedule::new(true, Pace::usual());
            let (mut calls, mut since, mut last) = (0_u64, 0_u64, 0);
            for _ in 0..6000 {
                schedule.sent();
                schedule.accepted(Instant::now());
                since += 1;
                tokio::time::advance(Duration::from_millis(508)).await;
                let due = schedule.next(Phase::Sending, 1, false, 1000);
                if due.is_some_and(|at| at <= Instant::now()) {
                    schedule.begins(Phase::Sending, Instant::now());
                    let rows = since + beside;
                    last = rows.div_ceil(100);
                    schedule.swept(last, rows);
                    calls += last;
                    since = 0;
                }
            }
            assert_eq!(last, pages, "{beside} rows beside");
            assert!(calls <= 6 * per_mille, "{beside} rows beside: {calls} calls");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_last_rows_are_not_held_up_by_a_sweep() {
        let mut schedule = Schedule::new(true, Pace::usual());
        for _ in 0..100 {
            schedule.sent();
            schedule.accepted(Instant::now());
        }
        let next = |left| schedule.next(Phase::Sending, 100, false, left);
        assert!(next(100).is_some());
        assert_eq!(next(10), None);
    }

    /// Else one order that keeps a long stretch open would have the pages of it read again and again.
    #[tokio::test(start_paused = true)]
    async fn a_sweep_that_took_more_than_was_earned_is_paid_for_first() {
        let mut schedule = Schedule::new(true, Pace::usual());
        let send = |schedule: &mut Schedule, count: u64| {
            for _ in 0..count {
                schedule.sent();
                schedule.accepted(Instant::now());
            }
        };
        let next = |schedule: &Schedule| schedule.next(Phase::Sending, 100, false, 10_000);
        send(&mut schedule, 100);
        assert!(next(&schedule).is_some());
        schedule.begins(Phase::Sending, Instant::now());
        schedule.swept(54, 5_300);
        send(&mut schedule, 1_200);
        assert_eq!(next(&schedule), None);
        send(&mut schedule, 200);
        assert!(next(&schedule).is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_lost_waits_for_a_page_that_is_worth_it() {
        let mut schedule = Schedule::new(true, Pace::usual());
        schedule.lost(Instant::now());
        let mut sends = 0;
        while schedule.next(Phase::Sending, sends, false, 1_000).is_none() {
            schedule.sent();
            schedule.accepted(Instant::now());
            sends += 1;
        }
        assert_eq!(sends, WORTH_A_PAGE);
        // Where nothing is accepted, it is asked about all the same.
        let mut schedule = Schedule::new(true, Pace::usual());
        schedule.lost(Instant::now());
        (0..100).for_each(|_| schedule.sent());
        assert!(schedule.next(Phase::Sending, 0, false, 1_000).is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn behind_the_last_row_everything_is_asked_about_once_more() {
        let mut schedule = Schedule::new(true, Pace::usual());
        schedule.begins(Phase::Sending, Instant::now());
        assert!(schedule.before(Phase::Sending).is_some());
        assert_eq!(schedule.before(Phase::Settling), None);
        schedule.begins(Phase::Settling, Instant::now());
        assert!(schedule.before(Phase::Settling).is_some());
    }

    #[test]
    fn a_sweep_for_lost_rows_teaches_nothing() {
        let mut schedule = Schedule::new(true, Pace::usual());
        let worth = schedule.worth();
        for rows in [500, 0] {
            schedule.begins(Phase::Sending, Instant::now());
            schedule.swept(1, rows);
        }
        assert_eq!(schedule.worth(), worth);
    }

    #[tokio::test(start_paused = true)]
    async fn the_last_orders_are_asked_about_when_they_have_lived_their_time() {
        let mut schedule = Schedule::new(true, Pace::usual());
        schedule.accepted(Instant::now());
        let due = schedule.next(Phase::Settling, 1, false, 0);
        assert_eq!(due, Some(Instant::now() + Duration::from_secs(17)));
        assert_eq!(schedule.next(Phase::Settling, 0, false, 0), None);
        schedule.lost(Instant::now());
        assert_eq!(
            schedule.next(Phase::Settling, 1, false, 0),
            Some(Instant::now() + Pace::usual().settle_delay)
        );
    }

    #[test]
    fn the_first_look_is_when_orders_are_known_to_end() {
        let look = |life: u64| {
            let mut schedule = Schedule::new(true, Pace::usual());
            for _ in 0..3 {
                // A sweep shows what is old enough, and the margin of its stretch.
                let from = schedule.first_look().as_secs().saturating_sub(5);
                let ages = (from * 2..from * 2 + 130).map(|half| Duration::from_millis(half * 500));
                let lives: Vec<_> = ages.map(|age| (age, age >= Duration::from_secs(life))).collect();
                schedule.lived(&lives);
            }
            schedule.first_look()
        };
        assert_eq!(look(16), Duration::from_secs(17));
        assert_eq!(look(1), Pace::usual().poll_interval / 2);
        assert_eq!(look(90), Duration::from_secs(91));
        assert_eq!(look(900), LIFE_MAX);
    }

    #[test]
    fn an_old_order_is_asked_about_more_and_more_seldom() {
        let schedule = Schedule::new(true, Pace::usual());
        let looks = |phase| {
            (1..=300_u64)
                .filter(|second| {
                    let before = (*second > 1).then(|| Duration::from_secs(second - 1));
                    schedule.is_due(Duration::from_secs(*second), before, phase)
                })
                .count()
        };
        assert_eq!(looks(Phase::Sending), 5, "17, 34, 68, 136, 272");
        assert!(
            (20..=25).contains(&looks(Phase::Settling)),
            "{}",
            looks(Phase::Settling)
        );
        // The end of an order that lives a minute is known within an interval or so.
        for second in 17..60_u64 {
            let (age, before) = (Duration::from_secs(second + 7), Duration::from_secs(second));
            assert!(schedule.is_due(age, Some(before), Phase::Settling), "{second}");
        }
        assert!(!schedule.is_due(Duration::from_secs(15), None, Phase::Settling));
    }
}
