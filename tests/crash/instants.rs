//! kill -9 at random instants of a batch of some hundred rows, on a day on which the provider fails at everything now
//! and then.

use std::time::{Duration, Instant};

use libtest_mimic::Trial;
use oneclick::simulator::FAULTS;

use crate::deed::quick;
use crate::lanes::{each, seed, setting};
use crate::outcome::Running;
use crate::sheet::Sheet;
use crate::support::Shop;
use crate::tally;

const ROWS: u32 = 200;
/// Kills in a usual run.
const KILLS: u32 = 40;
/// Kills in one batch: then it is finished and the next one begins.
const KILLS_PER_BATCH: u32 = 10;
/// The longest that a run lives before it is killed.
const LIFE_MS_MAX: u64 = 400;
/// How often a batch is typed again on a good day until nothing is open.
const AGAIN_MAX: usize = 4;

/// The scenes of this file.
pub fn scenes() -> Vec<Trial> {
    let name = "instants::killed_at_random_on_a_bad_day_each_row_is_paid_once";
    vec![Trial::test(name, || {
        torture(seed(), setting("ONECLICK_CRASH_KILLS", KILLS));
        Ok(())
    })]
}

fn torture(seed: u64, kills: u32) {
    let batches: Vec<_> = (0..kills.div_ceil(KILLS_PER_BATCH))
        .map(|batch| {
            (
                seed.wrapping_add(batch.into()),
                KILLS_PER_BATCH.min(kills - batch * KILLS_PER_BATCH),
            )
        })
        .collect();
    each(&batches, |(seed, kills)| torture_one(*seed, *kills));
}

fn torture_one(seed: u64, kills: u32) {
    let mut random = fastrand::Rng::with_seed(seed);
    let shop = quick(&["--seed", &seed.to_string(), "--latency", "3ms"])
        .set("ONECLICKDZ_CONCURRENCY", random.u8(1..=8).to_string())
        .set("ONECLICKDZ_SEND_TIMEOUT", "150ms")
        .set("ONECLICKDZ_READ_TIMEOUT", "150ms");
    shop.run(&["plans"]).expect_exit(0);
    let november = shop.sheet("november.csv").customers(ROWS);
    for _ in 0..kills {
        let weather = weather(&mut random);
        shop.provider
            .set_faults(&weather.iter().map(String::as_str).collect::<Vec<_>>());
        let running = november.start(&[]);
        outlive(running, Duration::from_millis(random.u64(0..LIFE_MS_MAX)));
        tally::inspect(&shop, &[]);
    }
    finish(&shop, &november);
}

/// Every fault at 1 to 20 percent of the sends, and some of the questions.
fn weather(random: &mut fastrand::Rng) -> Vec<String> {
    let mut faults = Vec::new();
    for (fault, _) in FAULTS {
        // Both are obeyed in whole seconds.
        if matches!(*fault, "auth_unavailable" | "rate_limited") || random.u8(0..3) > 0 {
            continue;
        }
        let endpoint = ["", ":list", ":check-ref", ":check-id"][random.usize(0..4)];
        faults.push(format!("{fault}{endpoint}={}%", random.u8(1..=20)));
    }
    faults
}

fn outlive(mut running: Running<'_>, life: Duration) {
    let started = Instant::now();
    while started.elapsed() < life {
        if running.has_ended() {
            return;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    running.kill();
    tally::killed();
}

fn finish(shop: &Shop, sheet: &Sheet<'_>) {
    shop.provider.set_faults(&[]);
    shop.provider.advance(120);
    for _ in 1..AGAIN_MAX {
        let outcome = sheet.send();
        tally::inspect(shop, &[&outcome]);
        if outcome.code == Some(0) {
            break;
        }
    }
    sheet.send().expect_exit(0);
    sheet.expect_each_paid_once();
    sheet.expect_true_results();
    shop.expect_agreement();
    tally::paid(shop);
}
