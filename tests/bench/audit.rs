//! The audit log: what a line costs when it is written and when it is verified, and how much memory that takes.

use std::error::Error;
use std::path::Path;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use oneclick::ledger::audit::{Exporter, verify};
use oneclick::ledger::{Author, Ledger, NewAct};

/// Orders, each with three moves.
const ORDERS: u32 = 300_000;

/// Prints the figures.
pub fn figures() -> Result<(), Box<dyn Error>> {
    let place = tempfile::tempdir()?;
    let path = place.path().join("ledger.db");
    drop(Ledger::open(&path)?);
    fill(&path)?;
    let act = NewAct {
        author: Author {
            host: "desk-1".to_owned(),
            ..Author::default()
        },
        ..NewAct::default()
    };
    let before = peak_kib();
    let started = (Instant::now(), processor_time());
    let exported = Exporter::open(&path, &act)?.export(Timestamp::UNIX_EPOCH)?;
    show("written", exported.lines, started);
    let started = (Instant::now(), processor_time());
    let verdict = verify(&path, None)?;
    if verdict.count > 0 {
        return Err(format!("{:?}", verdict.differences).into());
    }
    show("verified", exported.lines, started);
    if let (Some(before), Some(after)) = (before, peak_kib()) {
        println!("memory: {before} KiB before, {after} KiB at most");
    }
    Ok(())
}

fn show(what: &str, lines: u64, (started, spent): (Instant, Duration)) {
    let each = |time: Duration| time.as_nanos() / u128::from(lines.max(1));
    let (took, spent) = (started.elapsed(), processor_time().saturating_sub(spent));
    println!(
        "audit log: {lines} lines {what} in {} ms; a line takes {} ns, {} ns of them of the processor (goal: 5,000)",
        took.as_millis(),
        each(took),
        each(spent)
    );
}

/// How long the processor has worked for this process, as far as the system tells: in steps of 10 ms.
fn processor_time() -> Duration {
    let told = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let behind_name = told.rsplit(')').next().unwrap_or_default();
    let ticks = behind_name.split_whitespace().skip(11).take(2);
    let ticks: u64 = ticks.filter_map(|ticks| ticks.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 10)
}

/// Orders as a batch leaves them.
fn fill(path: &Path) -> Result<(), Box<dyn Error>> {
    let connection = rusqlite::Connection::open(path)?;
    connection.execute_batch(&format!(
        "BEGIN;
         INSERT INTO acts (after_move, at, event, user, uid, host, pid, version, command, account, environment, overrides)
             VALUES (0, 1795684274292, 'consented', 'amine', 1000, 'desk-1', 4711, '0.1.0', 'oneclick batch november.csv',
             '+213770000000', 'production', '[]');
         WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {ORDERS})
         INSERT INTO orders (account, environment, ref, state, phone, plan, operator, amount, is_open, created_at, updated_at)
             SELECT '+213770000000', 'production', printf('november-%012x', i * 7919), 'fulfilled',
             printf('0770%06d', i), 'PREPAID_DJEZZY', 'Djezzy', 500, 0, 1795684274292, 1795684274292 FROM n;
         INSERT INTO moves (order_id, at, from_state, to_state, why, act_id)
             SELECT id, 1795684274292, NULL, 'sending', NULL, 1 FROM orders;
         INSERT INTO moves (order_id, at, from_state, to_state, why, act_id, request_id)
             SELECT id, 1795684275292, 'sending', 'accepted', 'accepted', 1, printf('req-%08x', id) FROM orders;
         INSERT INTO moves (order_id, at, from_state, to_state, why, act_id)
             SELECT id, 1795684276292, 'accepted', 'fulfilled', 'the provider shows FULFILLED', 1 FROM orders;
         COMMIT;"
    ))?;
    Ok(())
}

/// The most memory that this process has used.
fn peak_kib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}
