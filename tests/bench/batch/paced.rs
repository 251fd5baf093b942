//! How a quota is used: how many of the calls are sends, and how close to the quota they go.

use std::error::Error;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::home::Bench;
use super::provider::Terms;
use super::{Scale, grouped};
use crate::{decimal, milliseconds, row};

/// Calls in a minute: five times what the provider allows, and all its other times a fifth.
const PER_MINUTE: u16 = 600;
/// What the provider counts: so short that even this batch could pass its quota.
const WINDOW_S: u16 = 20;
/// How long an order is on its way: 16 s in life.
const LIFE_MS: u16 = 3_200;
/// How far apart the same question is asked: 5 s in life.
const POLL_INTERVAL: &str = "1s";

/// One batch from the first row to the last one's end.
pub fn figures(bench: &Bench, scale: Scale) -> Result<(), Box<dyn Error>> {
    let rows = scale.paced_rows();
    println!(
        "\nA quota of {PER_MINUTE} calls a minute, held to in any {WINDOW_S} s; {} rows, settled: life five times as \
         fast, an order takes {} ms",
        grouped(rows),
        grouped(LIFE_MS)
    );
    row(["", "oneclick", "rows ÷ quota", "ratio", "goal"]);
    let terms = Terms {
        quota: Some(usize::from(PER_MINUTE * WINDOW_S / 60)),
        window_s: WINDOW_S.into(),
        life_ms: Some(LIFE_MS.into()),
        ..Terms::default()
    };
    let (home, sheet) = (bench.home()?, bench.sheet(rows)?);
    let mut command = home.batch(&sheet);
    command
        .env("ONECLICKDZ_RATE", PER_MINUTE.to_string())
        .env("ONECLICKDZ_POLL_INTERVAL", POLL_INTERVAL)
        .env_remove("ONECLICKDZ_CONCURRENCY");
    let began_ms = now_ms()?;
    let (run, counts) = bench.counted(&terms, || home.run(&mut command))?;
    let run = run.expect_all(rows, "fulfilled")?;
    let sending_ms = u64::try_from(i128::from(counts.last_send_ms) - began_ms)?;
    let sending = Duration::from_millis(sending_ms);
    let least = Duration::from_mins(1) * rows / u32::from(PER_MINUTE);
    time("until the last send", sending, least, "≤ 1.050");
    time(
        "until all are settled",
        run.took,
        least,
        "≤ 1.050 and the settling of the last order",
    );
    println!(
        "behind the last send: {}; an order takes {} ms at the provider",
        milliseconds(run.took.saturating_sub(sending)),
        grouped(LIFE_MS)
    );
    let share = u128::from(counts.sends) * 100_000 / u128::from(counts.all().max(1));
    println!(
        "calls: {} sends, {} pages, {} checks, {} others; sends are {} % of them, goal ≥ 95 %; {} over the quota, goal 0",
        counts.sends,
        counts.lists,
        counts.checks,
        counts.balances + counts.others,
        decimal(share),
        counts.refused
    );
    Ok(())
}

fn time(name: &str, took: Duration, least: Duration, goal: &str) {
    let ratio = took.as_micros() * 1_000 / least.as_micros().max(1);
    // The goal is close to what the schedule and the questions take: a third digit tells on which side it is.
    let ratio = format!("{}.{:03}", ratio / 1_000, ratio % 1_000);
    row([name, &milliseconds(took), &milliseconds(least), &ratio, goal]);
}

fn now_ms() -> Result<i128, Box<dyn Error>> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH)?;
    Ok(i128::try_from(since.as_millis())?)
}
