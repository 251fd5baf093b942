//! The wall clock jumps a day, forward or back, between any two calls to the provider, and back again before the next
//! run: nothing is paid twice, nothing is lost, nothing panics.

use libtest_mimic::Trial;

use crate::deed::Deed;
use crate::inject::{Act, Kind, Plan, strike, watch};
use crate::lanes::each;
use crate::tally;

const DAY_S: i64 = 24 * 60 * 60;

/// The scenes of this file.
pub fn scenes() -> Vec<Trial> {
    let scene = |name: &str, deed: Deed| {
        Trial::test(format!("clock::{name}"), move || {
            jump_at_every_send(deed);
            Ok(())
        })
    };
    vec![
        scene("a_day_off_in_a_send", Deed::FirstSend),
        scene("a_day_off_while_an_answer_is_asked_for", Deed::SendWithLostAnswer),
        scene(
            "a_day_off_while_a_lost_request_is_sent_again",
            Deed::SendWithLostRequest,
        ),
        scene("a_day_off_in_a_batch", Deed::BatchWithLosses),
        Trial::test("clock::what_was_sent_on_another_day_settles_today", || {
            settle_what_was_sent_off_by_a_day();
            Ok(())
        }),
    ]
}

/// The clock was wrong while rows were sent, and was set right before anybody asked about them: nobody waits for that
/// day to come.
fn settle_what_was_sent_off_by_a_day() {
    for seconds in [DAY_S, -DAY_S] {
        for deed in [Deed::Batch, Deed::BatchWithLosses] {
            let plan = Plan {
                kind: Kind::Send,
                place: 1,
                act: Act::Clock(seconds),
            };
            let shop = deed.open();
            let sent = strike(&shop, &[deed.words(), &["--no-wait"]].concat(), plan);
            assert!(
                matches!(sent.outcome.code, Some(6 | 8)),
                "{plan}: {:?}",
                sent.outcome
            );
            shop.provider.advance(120);
            shop.run(deed.words()).expect_exit(0);
            deed.finish(&shop);
        }
    }
}

fn jump_at_every_send(deed: Deed) {
    let shop = deed.open();
    let counted = watch(&shop, deed.words());
    let plans: Vec<_> = (1..=counted.count(Kind::Send))
        .flat_map(|place| {
            [DAY_S, -DAY_S].map(|seconds| Plan {
                kind: Kind::Send,
                place,
                act: Act::Clock(seconds),
            })
        })
        .collect();
    each(&plans, |plan| {
        let shop = deed.open();
        let jumped = strike(&shop, deed.words(), *plan);
        let outcome = &jumped.outcome;
        // It may give up waiting; it may not say that anything failed.
        assert!(matches!(outcome.code, Some(0 | 6 | 8)), "{plan}: {outcome:?}");
        assert!(!outcome.stderr.contains("panicked"), "{plan}: {outcome:?}");
        tally::inspect(&shop, &[outcome]);
        deed.finish(&shop);
    });
}
