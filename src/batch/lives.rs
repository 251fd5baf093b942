//! How long orders live at the provider, as a run has seen it: the last ones are asked about when they have had their time,
//! neither long before nor long after.

use std::time::Duration;

/// Ages are told apart by so much.
const STEP: Duration = Duration::from_secs(2);
/// What is older tells nothing of the usual life.
const STEPS: usize = 60;
/// So many neighbouring steps are looked at together, and so many orders must be in them.
const WINDOW: usize = 3;
const ORDERS_MIN: u32 = 4;

/// Orders by their age when they were seen.
#[derive(Debug, Clone)]
pub(super) struct Lives {
    /// How many had ended, and how many had not.
    seen: [(u32, u32); STEPS],
}

/// The usual life of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Life {
    /// Half of them have ended by this age, and before it they have not.
    About(Duration),
    /// Half of them or more have ended by this age, and none was seen that is younger.
    AtMost(Duration),
    /// Of this age they are still on their way.
    Beyond(Duration),
}

impl Default for Lives {
    fn default() -> Self {
        Self {
            seen: [(0, 0); STEPS],
        }
    }
}

impl Lives {
    /// An order of this age was seen, at its end or not.
    pub(super) fn see(&mut self, age: Duration, has_ended: bool) {
        let step = usize::try_from(age.as_secs() / STEP.as_secs()).unwrap_or(usize::MAX);
        if let Some((ended, open)) = self.seen.get_mut(step) {
            let count = if has_ended { ended } else { open };
            *count = count.saturating_add(1);
        }
    }

    /// What they show; none while too few were seen.
    pub(super) fn usual(&self) -> Option<Life> {
        let age = |step: usize| STEP * u32::try_from(step).unwrap_or(u32::MAX);
        let mut is_youngest = true;
        for (step, window) in self.seen.windows(WINDOW).enumerate() {
            let of = |pick: fn(&(u32, u32)) -> u32| window.iter().map(pick).sum::<u32>();
            let (ended, open) = (of(|seen| seen.0), of(|seen| seen.1));
            // A window begins with an age of which orders were seen.
            if window[0] == (0, 0) || ended + open < ORDERS_MIN {
                continue;
            }
            if ended >= open && window[0].0 >= window[0].1 {
                return Some(if is_youngest {
                    Life::AtMost(age(step))
                } else {
                    Life::About(age(step))
                });
            }
            is_youngest = false;
        }
        let oldest = self.seen.iter().rposition(|seen| *seen != (0, 0))?;
        (!is_youngest).then(|| Life::Beyond(age(oldest)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is seen of orders that are sent twice a second, of these ages, and that live so long.
    fn seen(ages: std::ops::Range<u64>, lives: impl Fn(u64) -> u64) -> Option<Life> {
        let mut seen = Lives::default();
        for half in ages.start * 2..ages.end * 2 {
            let age = Duration::from_millis(half * 500);
            seen.see(age, age >= Duration::from_secs(lives(half)));
        }
        seen.usual()
    }

    #[test]
    fn a_life_is_known_where_the_young_are_open_and_the_old_have_ended() {
        let seconds = Duration::from_secs;
        assert_eq!(seen(12..80, |_| 16), Some(Life::About(seconds(16))));
        assert_eq!(seen(12..80, |_| 1), Some(Life::AtMost(seconds(12))));
        assert_eq!(seen(2..80, |_| 1), Some(Life::AtMost(seconds(2))));
        assert_eq!(seen(12..80, |_| 90), Some(Life::Beyond(seconds(78))));
        assert_eq!(seen(12..13, |_| 16), None);
        // From 5 to 40 seconds, one as often as the other.
        let Some(Life::About(life)) = seen(12..80, |nth| 5 + nth * 7 % 36) else {
            panic!("it is not known");
        };
        assert!((seconds(16)..=seconds(26)).contains(&life), "{life:?}");
    }

    #[test]
    fn a_few_that_never_end_do_not_lengthen_it() {
        let never = |nth: u64| if nth.is_multiple_of(20) { 1_000 } else { 16 };
        assert_eq!(seen(12..80, never), Some(Life::About(Duration::from_secs(16))));
    }
}
