//! The figures that the tool has promised, each beside a yardstick of the same run: `cargo bench`.
//!
//! Times are medians of alternating pairs. Nothing is asserted, since the machine may be busy: the ratios are there
//! to be judged. `ONECLICK_BENCH_BINARY` names another binary to measure.
//!
//! `cargo bench` prints everything. `cargo bench -- batch` prints the figures of batches alone; behind it, the names
//! of the figures that are wanted (`-- batch planning paced`). `-- batch-small` has fewer rows, for a machine that is
//! busy, and `-- batch-full` has a million. `-- audit` prints those of the audit log.

#![expect(
    clippy::print_stdout,
    reason = "a table on stdout is what this program is for"
)]

mod audit;
mod batch;
mod pairs;
mod stand;
mod tls;

use std::error::Error;
use std::time::Duration;

use batch::Scale;
use pairs::{Pairs, alternate};
use serde_json::Value;
use stand::{Stand, Way, bare, binary, find};

const VERSION_PAIRS: usize = 200;
const BALANCE_PAIRS: usize = 100;
/// The most that the release binary may weigh.
const BINARY_BYTES_MAX: u64 = 8_000_000;

fn main() -> Result<(), Box<dyn Error>> {
    // `cargo bench` adds `--bench`.
    let words: Vec<_> = std::env::args()
        .skip(1)
        .filter(|word| !word.starts_with("--"))
        .collect();
    let words: Vec<_> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        [] => {
            single()?;
            audit::figures()?;
            batch::figures(Scale::Usual, &[])
        }
        ["batch-small", wanted @ ..] => batch::figures(Scale::Small, wanted),
        ["batch", wanted @ ..] => batch::figures(Scale::Usual, wanted),
        ["audit"] => audit::figures(),
        ["batch-full", wanted @ ..] => batch::figures(Scale::Full, wanted),
        [batch::PROVIDER] => batch::serve(),
        [batch::BARE_LOOP, base_url, rows] => batch::post_all(base_url, rows.parse()?),
        _ => Err(format!("there is no figure `{}`", words.join(" ")).into()),
    }
}

/// The figures of commands that are typed one by one.
fn single() -> Result<(), Box<dyn Error>> {
    let stand = Stand::open()?;
    row(["", "oneclick", "yardstick", "ratio", "goal"]);
    version(&stand)?;
    balance(&stand, "balance ÷ curl, http", &Way::Http)?;
    balance(&stand, "… https, 1 certificate", &stand.https_alone())?;
    match stand.https_among_many()? {
        Some(way) => balance(&stand, "… https, the system's", &way)?,
        None => println!("… https, the system's: no file of certificates found"),
    }
    size()?;
    calls_of_a_send(&stand)
}

/// The start of the process, reading the arguments, and nothing else.
fn version(stand: &Stand) -> Result<(), Box<dyn Error>> {
    let Some(program) = find("true") else {
        println!("--version ÷ true: there is no `true` on the PATH");
        return Ok(());
    };
    let pairs = alternate(
        VERSION_PAIRS,
        &mut stand.oneclick(&Way::Http, &["--version"]),
        &mut bare(&program),
    )?;
    compare("--version ÷ true", &pairs, "");
    let micros = |time: Duration| i128::try_from(time.as_micros());
    let over = micros(pairs.ours())? - micros(pairs.yardstick())? * 3 / 2;
    row([
        "… oneclick − 1.5 × true",
        &format!("{over} µs"),
        "",
        "",
        "≤ 1000 µs",
    ]);
    Ok(())
}

/// One call with everything around it, once the provider has said whose key it is.
fn balance(stand: &Stand, name: &str, way: &Way) -> Result<(), Box<dyn Error>> {
    let command = ["balance", "-o", "json"];
    let shown = stand.run(way, &command)?;
    if shown["balance"].is_null() {
        return Err(format!("`oneclick balance` names no balance: {shown}").into());
    }
    let Some(mut curl) = stand.curl(way) else {
        println!("{name}: there is no `curl` on the PATH");
        return Ok(());
    };
    let pairs = alternate(BALANCE_PAIRS, &mut stand.oneclick(way, &command), &mut curl)?;
    compare(name, &pairs, "≤ 1.00");
    Ok(())
}

fn size() -> Result<(), Box<dyn Error>> {
    let bytes = std::fs::metadata(binary())?.len();
    row([
        "binary",
        &format!("{bytes} B"),
        &format!("{BINARY_BYTES_MAX} B"),
        &decimal(u128::from(bytes) * 1_000 / u128::from(BINARY_BYTES_MAX)),
        "≤ 1.00",
    ]);
    Ok(())
}

/// What one top-up asks of the provider when whose key it is and the plans are known.
fn calls_of_a_send(stand: &Stand) -> Result<(), Box<dyn Error>> {
    let way = Way::Http;
    stand.run(&way, &["plans", "-o", "json"])?;
    let before = stand.calls();
    let order = [
        "send",
        "--plan",
        "PREPAID_DJEZZY",
        "--phone",
        "0778037340",
        "--amount",
        "500",
        "-o",
        "json",
    ];
    let shown = stand.run(&way, &order)?;
    let after = stand.calls();
    let made = |endpoint: &str| count(&after, endpoint) - count(&before, endpoint);
    let endpoints = after
        .as_object()
        .into_iter()
        .flat_map(serde_json::Map::keys)
        .filter(|endpoint| !["send", "balance", "validate", "plans"].contains(&endpoint.as_str()));
    let polls: Vec<_> = endpoints
        .filter(|endpoint| made(endpoint) > 0)
        .map(|endpoint| format!("{endpoint} {}", made(endpoint)))
        .collect();
    println!(
        "\ncalls of one send, caches warm: send {}, balance {}, validate {}, plans {}; polls: {}; it ended as {}",
        made("send"),
        made("balance"),
        made("validate"),
        made("plans"),
        polls.join(", "),
        shown["state"],
    );
    println!("goal: send 1, balance 1, validate 0, plans 0, and the polls");
    Ok(())
}

fn count(calls: &Value, endpoint: &str) -> u64 {
    calls[endpoint].as_u64().unwrap_or_default()
}

fn compare(name: &str, pairs: &Pairs, goal: &str) {
    row([
        name,
        &milliseconds(pairs.ours()),
        &milliseconds(pairs.yardstick()),
        &decimal(pairs.per_mille()),
        goal,
    ]);
}

fn milliseconds(time: Duration) -> String {
    format!("{} ms", decimal(time.as_micros()))
}

/// A number of thousandths with two digits after the point.
fn decimal(thousandths: u128) -> String {
    let hundredths = (thousandths + 5) / 10;
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}

fn row([name, ours, yardstick, ratio, goal]: [&str; 5]) {
    println!("{name:<25} {ours:>12} {yardstick:>12} {ratio:>7}   {goal}");
}
