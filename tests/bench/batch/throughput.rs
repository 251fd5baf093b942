//! Rows per second against loops that keep no ledger: from the first request that the provider sees to the last, and of
//! the whole command, which reads, checks and stores the sheet before and writes its log behind.

use std::error::Error;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::home::Bench;
use super::provider::{Terms, itself};
use super::{BARE_LOOP, PAIRS, Scale, bare, grouped};
use crate::pairs::{Pairs, by_turns, time};
use crate::stand::{bare as program, find};
use crate::{decimal, row};

/// The loop of a script.
const PYTHON_LOOP: &str = include_str!("loop.py");

/// Something that posts as many top-ups as the sheet has rows.
struct Yardstick {
    name: &'static str,
    command: Command,
    latency_ms: u64,
    goal: &'static str,
}

/// The whole command with the ledger against each yardstick that is there, over 64 connections each.
pub fn figures(bench: &Bench, scale: Scale) -> Result<(), Box<dyn Error>> {
    let rows = scale.throughput_rows();
    println!(
        "\nThroughput: rows per second, {} rows, 64 connections, durable ledger; from the first request to the last, and \
         of the whole process",
        grouped(rows)
    );
    row(["", "oneclick", "yardstick", "ratio", "goal"]);
    let loop_of = |latency_ms, name, goal| -> Result<Yardstick, Box<dyn Error>> {
        Ok(Yardstick {
            name,
            command: itself(&[BARE_LOOP, &bench.provider.base_url, &rows.to_string()])?,
            latency_ms,
            goal,
        })
    };
    compare(bench, rows, loop_of(0, "÷ bare reqwest loop", "≥ 0.60")?)?;
    compare(bench, rows, loop_of(5, "… 5 ms behind the wire", "≥ 0.98")?)?;
    match oha(bench, rows) {
        Some(yardstick) => compare(bench, rows, yardstick)?,
        None => println!("÷ oha: there is no `oha` on the PATH"),
    }
    match python(bench, rows) {
        Some(yardstick) => compare(bench, rows, yardstick)?,
        None => println!("÷ Python's aiohttp: there is no `python3` with `aiohttp` on the PATH"),
    }
    Ok(())
}

fn oha(bench: &Bench, rows: u32) -> Option<Yardstick> {
    let mut command = program(&find("oha")?);
    command
        .args([
            "-n",
            &rows.to_string(),
            "-c",
            "64",
            "-m",
            "POST",
            "-T",
            "application/json",
        ])
        .args(["-H", "X-Access-Token: bench", "-d", &bare::body(0)])
        .args(["--no-tui", "--output-format", "quiet"])
        .arg(format!("{}/v3/mobile/send", bench.provider.base_url));
    Some(Yardstick {
        name: "÷ oha",
        command,
        latency_ms: 0,
        goal: "≥ 0.60",
    })
}

fn python(bench: &Bench, rows: u32) -> Option<Yardstick> {
    let python = find("python3")?;
    // What stands on the PATH may be a door to another Python, which finds its way by the environment.
    time(Command::new(&python).args(["-c", "import aiohttp"])).ok()?;
    let mut command = Command::new(python);
    command.args(["-c", PYTHON_LOOP, &bench.provider.base_url, &rows.to_string()]);
    Some(Yardstick {
        name: "÷ Python's aiohttp",
        command,
        latency_ms: 0,
        goal: "≥ 4.00",
    })
}

fn compare(bench: &Bench, rows: u32, mut yardstick: Yardstick) -> Result<(), Box<dyn Error>> {
    let sheet = bench.sheet(rows)?;
    let terms = Terms {
        latency_ms: yardstick.latency_ms,
        ..Terms::default()
    };
    let [sending, whole] = by_turns(PAIRS, 1, &mut || send(bench, &terms, &sheet, rows), &mut || {
        let (took, counts) = bench.counted(&terms, || time(&mut yardstick.command))?;
        if counts.sends == u64::from(rows) {
            return Ok([Duration::from_micros(counts.sending_us), took]);
        }
        Err(format!("{} sent {} of {rows}", yardstick.name, counts.sends).into())
    })?;
    show(yardstick.name, yardstick.goal, rows, &sending);
    show("  whole process", yardstick.goal, rows, &whole);
    Ok(())
}

fn show(name: &str, goal: &str, rows: u32, pairs: &Pairs) {
    let (least, most) = pairs.speed_spread();
    row([
        name,
        &per_second(rows, pairs.ours()),
        &per_second(rows, pairs.yardstick()),
        &decimal(pairs.speed_per_mille()),
        &format!("{goal:6}   {}–{}", decimal(least), decimal(most)),
    ]);
}

/// The sheet as a new batch of a new ledger.
fn send(bench: &Bench, terms: &Terms, sheet: &Path, rows: u32) -> Result<[Duration; 2], Box<dyn Error>> {
    let home = bench.home()?;
    let (run, counts) = bench.counted(terms, || home.run(home.batch(sheet).arg("--no-wait")))?;
    if counts.sends != u64::from(rows) {
        return Err(format!("{} of {rows} rows were sent: {}", counts.sends, run.summary).into());
    }
    let whole = run.expect_all(rows, "accepted")?.took;
    Ok([Duration::from_micros(counts.sending_us), whole])
}

fn per_second(rows: u32, took: Duration) -> String {
    let per_second = u128::from(rows) * 1_000_000 / took.as_micros().max(1);
    format!("{}/s", grouped(per_second))
}
