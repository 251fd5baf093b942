//! Killed at every call: each sync, write, send and receive in turn, before it, in the middle of it and behind it;
//! then the same command again.

use libtest_mimic::Trial;

use crate::deed::Deed;
use crate::inject::{Kind, Plan, strike, watch};
use crate::lanes::{each, setting};
use crate::tally;

/// Of each scene, so many calls that were counted may not come again: polls and groups of commits vary.
const MISSED_PERCENT_MAX: usize = 40;
/// Runs that are counted; a call counts that each of them made.
const COUNTED: usize = 3;

/// The scenes of this file.
pub fn scenes() -> Vec<Trial> {
    use Kind::{Make, Receive, Remove, Send, Sync, Tell, Write};
    let scene = |name: &str, deed: Deed, kinds: &'static [Kind]| {
        Trial::test(format!("kills::{name}"), move || {
            kill_at_every_call(deed, kinds);
            Ok(())
        })
    };
    let all = &[Sync, Write, Make, Remove, Tell, Send, Receive];
    let road = &[Sync, Send, Receive];
    vec![
        scene("the_first_send_is_paid_once", Deed::FirstSend, all),
        scene(
            "a_send_with_a_lost_answer_is_paid_once",
            Deed::SendWithLostAnswer,
            road,
        ),
        scene(
            "a_send_with_a_lost_request_is_paid_once",
            Deed::SendWithLostRequest,
            road,
        ),
        scene("each_row_of_a_batch_is_paid_once", Deed::Batch, all),
        scene(
            "each_row_of_a_batch_with_losses_is_paid_once",
            Deed::BatchWithLosses,
            road,
        ),
        scene(
            "a_send_without_the_providers_guard_is_paid_once",
            Deed::UnguardedSend,
            road,
        ),
        scene(
            "a_batch_without_the_providers_guard_is_paid_once",
            Deed::UnguardedBatch,
            &[Send, Receive],
        ),
    ]
}

fn kill_at_every_call(deed: Deed, kinds: &[Kind]) {
    let plans = plans(deed, kinds);
    let missed = std::sync::atomic::AtomicUsize::new(0);
    each(&plans, |plan| {
        let shop = deed.open();
        let struck = strike(&shop, deed.words(), *plan);
        if struck.is_struck {
            assert_eq!(struck.outcome.code, None, "it lives on: {:?}", struck.outcome);
        } else {
            missed.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            assert!(matches!(struck.outcome.code, Some(0 | 8)), "{:?}", struck.outcome);
        }
        tally::inspect(&shop, &[&struck.outcome]);
        deed.finish(&shop);
    });
    let missed = missed.into_inner();
    assert!(
        missed * 100 <= plans.len() * MISSED_PERCENT_MAX,
        "{missed} of {} calls never came",
        plans.len()
    );
}

/// A few runs are counted; each of their calls is struck at. Of the many writes each has one moment in a usual run.
fn plans(deed: Deed, kinds: &[Kind]) -> Vec<Plan> {
    let is_full = setting("ONECLICK_CRASH_FULL", 0) > 0;
    let shops: Vec<_> = (0..COUNTED).map(|_| deed.open()).collect();
    let counted: Vec<_> = shops.iter().map(|shop| watch(shop, deed.words())).collect();
    let mut plans = Vec::new();
    for kind in kinds {
        let counts = counted.iter().map(|run| run.count(*kind));
        let count = counts.min().unwrap_or_default();
        assert!(count > 0, "there is no {}", kind.word());
        for place in 1..=count {
            let moments = kind.moments();
            let is_of_many = matches!(kind, Kind::Write | Kind::Make | Kind::Remove | Kind::Tell);
            let turn = usize::try_from(place).unwrap_or_default() % moments.len();
            let chosen = if is_full || !is_of_many {
                moments
            } else {
                &moments[turn..=turn]
            };
            plans.extend(chosen.iter().map(|act| Plan {
                kind: *kind,
                place,
                act: *act,
            }));
        }
    }
    plans
}
