//! How time, calls and memory grow with the rows: the same sheet sent, settled and typed again, at several sizes.

use std::error::Error;
use std::time::Duration;

use super::home::{Bench, Home, Run};
use super::planning::{again, mebibytes};
use super::provider::{Counts, Terms};
use super::{Scale, grouped};
use crate::milliseconds;

/// Orders are over as soon as they are accepted.
const SETTLED_AT_ONCE: Terms = Terms {
    latency_ms: 0,
    quota: None,
    window_s: 0,
    life_ms: Some(0),
};

/// One size.
struct Size {
    rows: u32,
    sent: Run,
    sending: Counts,
    settled: Run,
    settling: Counts,
    repeated: Run,
}

/// Sends, settles and repeats sheets of growing size, each in a home of its own.
pub fn figures(bench: &Bench, scale: Scale) -> Result<(), Box<dyn Error>> {
    println!(
        "\nGrowth: a new ledger each; sent with `--no-wait`, settled by typing it again, and typed once more"
    );
    println!(
        "{:>10} {:>13} {:>9} {:>10} {:>13} {:>9} {:>10} {:>13} {:>10}",
        "rows", "sending", "calls", "peak", "settling", "calls", "peak", "again", "peak"
    );
    let (mut sizes, mut last) = (Vec::new(), None);
    for rows in scale.growth_rows() {
        let home = bench.home()?;
        let size = measure(bench, &home, *rows)?;
        show(&size);
        sizes.push(size);
        last = Some((home, *rows));
    }
    exponents(&sizes);
    println!("memory: the goal is at most 24 MiB whatever the number of rows");
    if let Some((home, rows)) = last {
        again(bench, &home, &bench.sheet(rows)?, rows)?;
    }
    Ok(())
}

fn measure(bench: &Bench, home: &Home, rows: u32) -> Result<Size, Box<dyn Error>> {
    let sheet = bench.sheet(rows)?;
    let (sent, sending) = bench.counted(&SETTLED_AT_ONCE, || {
        home.watch(home.batch(&sheet).arg("--no-wait"))?
            .expect_all(rows, "accepted")
    })?;
    let settled = home
        .watch(&mut home.batch(&sheet))?
        .expect_all(rows, "fulfilled")?;
    let settling = since(&sending, &bench.provider.counts()?);
    let repeated = home
        .watch(&mut home.batch(&sheet))?
        .expect_all(rows, "fulfilled")?;
    Ok(Size {
        rows,
        sent,
        sending,
        settled,
        settling,
        repeated,
    })
}

/// What was counted between two moments.
fn since(before: &Counts, after: &Counts) -> Counts {
    Counts {
        sends: after.sends - before.sends,
        lists: after.lists - before.lists,
        checks: after.checks - before.checks,
        balances: after.balances - before.balances,
        others: after.others - before.others,
        refused: after.refused - before.refused,
        last_send_ms: after.last_send_ms,
        sending_us: after.sending_us,
    }
}

fn show(size: &Size) {
    let peak = |run: &Run| run.peak_kib.map_or_else(|| "unknown".to_owned(), mebibytes);
    println!(
        "{:>10} {:>13} {:>9} {:>10} {:>13} {:>9} {:>10} {:>13} {:>10}",
        grouped(size.rows),
        milliseconds(size.sent.took),
        grouped(size.sending.all()),
        peak(&size.sent),
        milliseconds(size.settled.took),
        grouped(size.settling.all()),
        peak(&size.settled),
        milliseconds(size.repeated.took),
        peak(&size.repeated),
    );
}

fn exponents(sizes: &[Size]) {
    let shown = |took: fn(&Size) -> Duration| {
        let points = sizes
            .iter()
            .map(|size| (size.rows, took(size)))
            .collect::<Vec<_>>();
        let tail = points.get(points.len().saturating_sub(2)..).unwrap_or_default();
        format!("{} (largest two: {})", exponent(&points), exponent(tail))
    };
    println!(
        "time = rows ^ sending {}, settling {}, again {}; goal: about 1, less where the start still shows",
        shown(|size| size.sent.took),
        shown(|size| size.settled.took),
        shown(|size| size.repeated.took),
    );
    let is_even = sizes
        .iter()
        .all(|size| size.sending.all() <= u64::from(size.rows) + 3);
    println!(
        "calls of sending: {}; goal: the rows, the balance, and once per ledger the key and the plans",
        if is_even {
            "as the goal says"
        } else {
            "more than the goal says"
        }
    );
}

/// The slope of the line through the logarithms of rows and time, by least squares.
#[expect(
    clippy::float_arithmetic,
    reason = "a slope of logarithms is no money, and judged by its second digit"
)]
fn exponent(points: &[(u32, Duration)]) -> String {
    let logs: Vec<_> = points
        .iter()
        .map(|(rows, took)| (f64::from(*rows).ln(), took.as_secs_f64().ln()))
        .collect();
    let count = logs.iter().fold(0.0, |count, _| count + 1.0);
    let mean_x = logs.iter().map(|(x, _)| x).sum::<f64>() / count;
    let mean_y = logs.iter().map(|(_, y)| y).sum::<f64>() / count;
    let products = logs.iter().map(|(x, y)| (x - mean_x) * (y - mean_y)).sum::<f64>();
    let squares = logs.iter().map(|(x, _)| (x - mean_x) * (x - mean_x)).sum::<f64>();
    format!("{:.2}", products / squares)
}
