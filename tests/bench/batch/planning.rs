//! Planning a sheet, and typing a finished one again, against the `sqlite3` shell's import of the same file.

use std::error::Error;
use std::path::Path;
use std::time::Duration;

use super::home::{Bench, Home};
use super::provider::Terms;
use super::{PAIRS, Scale, grouped};
use crate::pairs::{Pairs, by_turns, time};
use crate::stand::{bare, find};
use crate::{decimal, milliseconds, row};

/// Makes the table that a sheet is imported into.
const TABLE: &str = concat!(
    ".read \"",
    env!("CARGO_MANIFEST_DIR"),
    "/tests/bench/batch/import.sql\""
);

/// A sheet is read, checked, priced and stored whole, and one row of it is sent.
pub fn figures(bench: &Bench, scale: Scale) -> Result<(), Box<dyn Error>> {
    let rows = scale.planning_rows();
    println!("\nPlanning: `batch --limit 1 --no-wait`, the whole process, on a new ledger");
    explain_import();
    let sheet = bench.sheet(rows)?;
    let mut peak_kib = None;
    let pairs = against_import(bench, &sheet, rows, &mut || {
        let home = bench.home()?;
        let mut command = home.batch(&sheet);
        let run = home.watch(command.args(["--limit", "1", "--no-wait"]))?;
        if run.orders("planned") + 1 != u64::from(rows) || run.orders("accepted") != 1 {
            return Err(format!("not one of {rows} rows was sent: {}", run.summary).into());
        }
        peak_kib = run.peak_kib.max(peak_kib);
        Ok(run.took)
    })?;
    show(&format!("{} rows", grouped(rows)), pairs.as_ref(), "≤ 1.50");
    if let Some(peak_kib) = peak_kib {
        println!("the most memory that planning used: {}", mebibytes(peak_kib));
    }
    Ok(())
}

/// A batch at whose end everything is, typed once more.
pub fn again(bench: &Bench, home: &Home, sheet: &Path, rows: u32) -> Result<(), Box<dyn Error>> {
    println!("\nA finished batch typed again: the whole process");
    explain_import();
    let mut calls = String::new();
    let pairs = against_import(bench, sheet, rows, &mut || {
        let (run, counts) = bench.counted(&Terms::default(), || home.run(&mut home.batch(sheet)))?;
        calls = format!(
            "{} balance, {} others",
            counts.balances,
            counts.all() - counts.balances
        );
        Ok(run.expect_all(rows, "fulfilled")?.took)
    })?;
    show(&format!("{} rows", grouped(rows)), pairs.as_ref(), "≤ 0.50");
    println!("calls: {calls}; goal: the balance alone");
    Ok(())
}

fn explain_import() {
    println!(
        "yardstick: `sqlite3 .import` of the same file into a new table with the ledger's columns, defaults for what \
         the file lacks, its five indexes, journal_mode=wal, synchronous=full"
    );
    row(["", "oneclick", "yardstick", "ratio", "goal"]);
}

fn show(name: &str, pairs: Option<&Pairs>, goal: &str) {
    let Some(pairs) = pairs else {
        println!("{name}: there is no `sqlite3` on the PATH");
        return;
    };
    let (least, most) = pairs.spread();
    row([
        name,
        &milliseconds(pairs.ours()),
        &milliseconds(pairs.yardstick()),
        &decimal(pairs.per_mille()),
        &format!("{goal}   {}–{}", decimal(least), decimal(most)),
    ]);
}

/// Runs ours and an import by turns. Ours runs once and is not compared where there is no `sqlite3`.
fn against_import(
    bench: &Bench,
    sheet: &Path,
    rows: u32,
    ours: &mut dyn FnMut() -> Result<Duration, Box<dyn Error>>,
) -> Result<Option<Pairs>, Box<dyn Error>> {
    let Some(program) = find("sqlite3") else {
        ours()?;
        return Ok(None);
    };
    let [pairs] = by_turns(PAIRS, 1, &mut || Ok([ours()?]), &mut || {
        let home = bench.home()?;
        Ok([import(&program, home.path(), sheet, rows)?])
    })?;
    Ok(Some(pairs))
}

fn import(program: &Path, place: &Path, sheet: &Path, rows: u32) -> Result<Duration, Box<dyn Error>> {
    let database = place.join("import.db");
    let load = format!(".import --csv --skip 1 \"{}\" orders", sheet.display());
    let took = time(bare(program).arg(&database).arg(TABLE).arg(load))?;
    let count = bare(program)
        .arg(&database)
        .arg("SELECT count(*) FROM orders")
        .output()?;
    if String::from_utf8_lossy(&count.stdout).trim() == rows.to_string() {
        return Ok(took);
    }
    Err("`sqlite3` has not imported every row".into())
}

/// Kibibytes as people read them.
pub fn mebibytes(kib: u64) -> String {
    format!("{} MiB", decimal(u128::from(kib) * 1_000 / 1_024))
}
