//! Where batches are measured: sheets, homes with ledgers of their own, and runs that are looked at.

use std::error::Error;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use super::provider::{Counts, Provider, Terms};
use crate::stand::{bare, binary};

/// Spreads numbers over the ten million of a prefix, each once: nobody's sheet is in the order of its numbers.
const SPREAD: u64 = 7_654_321;
/// What every row of a sheet sells.
const PLAN_AND_AMOUNT: (&str, u32) = ("PREPAID_DJEZZY", 500);
/// A key as the provider makes them: it is looked for in every answer.
const KEY: &str = "0d7ecb12-4f5a-4f0e-9c7d-1b2a3c4d5e6f";
/// How often a process is asked for its memory.
const LOOK_EVERY: Duration = Duration::from_millis(2);

/// The provider, and a directory for everything else.
pub struct Bench {
    /// What is asked.
    pub provider: Provider,
    directory: TempDir,
}

impl Bench {
    /// Starts the provider.
    pub fn open() -> Result<Self, Box<dyn Error>> {
        Ok(Self {
            provider: Provider::start()?,
            // The target directory lies on a real disk, where a flush costs what it costs; /tmp may be memory.
            directory: TempDir::new_in(env!("CARGO_TARGET_TMPDIR"))?,
        })
    }

    /// A sheet with the columns `phone,amount,plan,ref`, the same for the same number of rows.
    pub fn sheet(&self, rows: u32) -> Result<PathBuf, Box<dyn Error>> {
        let path = self.directory.path().join(format!("sheet-{rows}.csv"));
        if path.exists() {
            return Ok(path);
        }
        let (plan, amount) = PLAN_AND_AMOUNT;
        let mut file = BufWriter::new(File::create(&path)?);
        writeln!(file, "phone,amount,plan,ref")?;
        for number in 0..u64::from(rows) {
            let phone = number * SPREAD % 10_000_000;
            writeln!(file, "077{phone:07},{amount},{plan},bench-{number:08}")?;
        }
        file.flush()?;
        Ok(path)
    }

    /// A home without a ledger.
    pub fn home(&self) -> Result<Home, Box<dyn Error>> {
        Ok(Home {
            directory: TempDir::new_in(self.directory.path())?,
            base_url: self.provider.base_url.clone(),
        })
    }

    /// What the provider counts while a program runs.
    pub fn counted<T>(
        &self,
        terms: &Terms,
        run: impl FnOnce() -> Result<T, Box<dyn Error>>,
    ) -> Result<(T, Counts), Box<dyn Error>> {
        self.provider.set(terms)?;
        let made = run()?;
        Ok((made, self.provider.counts()?))
    }
}

/// A home of the tool, on a real disk.
pub struct Home {
    directory: TempDir,
    base_url: String,
}

/// What became of a run.
#[derive(Debug)]
pub struct Run {
    /// From the start of the process to its end.
    pub took: Duration,
    /// The most memory that it had in use, where the system says.
    pub peak_kib: Option<u64>,
    /// What it printed.
    pub summary: Value,
}

impl Run {
    /// How many orders of the batch are in a state.
    pub fn orders(&self, state: &str) -> u64 {
        self.summary["states"][state].as_u64().unwrap_or_default()
    }

    /// Fails where not all orders are in this state: then the time means nothing.
    pub fn expect_all(self, rows: u32, state: &str) -> Result<Self, Box<dyn Error>> {
        if self.orders(state) == u64::from(rows) {
            return Ok(self);
        }
        Err(format!("not all {rows} rows are `{state}`: {}", self.summary).into())
    }
}

impl Home {
    /// `oneclick batch SHEET --yes`, with as many calls as there can be over 64 connections.
    pub fn batch(&self, sheet: &Path) -> Command {
        let mut command = bare(Path::new(binary()));
        command
            .args(["batch", "--yes", "-o", "json", "--results"])
            .arg(self.directory.path().join("results.csv"))
            .arg(sheet)
            .env("HOME", self.directory.path())
            .env("ONECLICKDZ_BASE_URL", &self.base_url)
            .env("ONECLICKDZ_API_KEY", KEY)
            .env("ONECLICKDZ_RATE", "unlimited")
            .env("ONECLICKDZ_CONCURRENCY", "64")
            .env("ONECLICKDZ_POLL_INTERVAL", "100ms");
        command
    }

    /// Where something else may be put.
    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Runs to the end.
    pub fn run(&self, command: &mut Command) -> Result<Run, Box<dyn Error>> {
        self.run_with(command, |child| Ok(child.wait().map(|_| None)?))
    }

    /// Runs to the end, and looks at its memory all the time.
    pub fn watch(&self, command: &mut Command) -> Result<Run, Box<dyn Error>> {
        self.run_with(command, watched)
    }

    fn run_with(
        &self,
        command: &mut Command,
        wait: impl FnOnce(&mut Child) -> Result<Option<u64>, Box<dyn Error>>,
    ) -> Result<Run, Box<dyn Error>> {
        let (shown, said) = (self.path().join("shown.json"), self.path().join("said.txt"));
        command
            .stdin(Stdio::null())
            .stdout(File::create(&shown)?)
            .stderr(File::create(&said)?);
        let start = Instant::now();
        let peak_kib = wait(&mut command.spawn()?)?;
        let took = start.elapsed();
        let Ok(summary) = serde_json::from_slice(&fs::read(&shown)?) else {
            return Err(format!("{command:?} printed no summary: {}", fs::read_to_string(&said)?).into());
        };
        Ok(Run {
            took,
            peak_kib,
            summary,
        })
    }
}

/// Waits while a second thread reads the high-water mark, which is the new program's own from its first moment. What
/// is added within the last two milliseconds of a process is not seen.
fn watched(child: &mut Child) -> Result<Option<u64>, Box<dyn Error>> {
    let status = format!("/proc/{}/status", child.id());
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let looking = scope.spawn(|| {
            let mut peak_kib = None;
            while !is_over.load(Ordering::Relaxed) {
                // A process that has ended has no memory left to be read.
                peak_kib = peak_of(&status).max(peak_kib);
                std::thread::sleep(LOOK_EVERY);
            }
            peak_kib
        });
        let waited = child.wait();
        is_over.store(true, Ordering::Relaxed);
        let peak_kib = looking.join().unwrap_or_default();
        waited?;
        Ok(peak_kib)
    })
}

fn peak_of(status: &str) -> Option<u64> {
    let text = fs::read_to_string(status).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().trim_end_matches("kB").trim().parse().ok()
}
