//! The library that is preloaded into the binary: made from `inject.c`, and told where to strike.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use tempfile::TempDir;

use crate::outcome::Outcome;
use crate::support::{OrFail, Shop};
use crate::tally;

/// No run may take longer, struck or not.
const RUN_MAX: Duration = Duration::from_mins(1);

/// What is counted, in the order of `inject.c`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// fsync and fdatasync of a file or directory.
    Sync,
    /// A write into a file, or its cut.
    Write,
    /// A file or directory is made, or renamed.
    Make,
    /// A file is removed.
    Remove,
    /// A write to stdout or stderr.
    Tell,
    /// Bytes leave for the network.
    Send,
    /// Bytes are taken from the network.
    Receive,
    /// A file is opened for writing.
    Open,
}

/// Every kind, in the order of `inject.c`.
pub const KINDS: [Kind; 8] = [
    Kind::Sync,
    Kind::Write,
    Kind::Make,
    Kind::Remove,
    Kind::Tell,
    Kind::Send,
    Kind::Receive,
    Kind::Open,
];

impl Kind {
    /// The word for it in a plan.
    pub fn word(self) -> &'static str {
        match self {
            Self::Sync => "sync",
            Self::Write => "write",
            Self::Make => "make",
            Self::Remove => "remove",
            Self::Tell => "tell",
            Self::Send => "send",
            Self::Receive => "receive",
            Self::Open => "open",
        }
    }

    /// When a kill can strike at it: what has a length can be cut in half.
    pub fn moments(self) -> &'static [Act] {
        match self {
            Self::Write | Self::Tell | Self::Send => &[Act::Before, Act::Half, Act::After],
            Self::Sync | Self::Make | Self::Remove | Self::Receive | Self::Open => &[Act::Before, Act::After],
        }
    }
}

/// What a system says of a call that fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Errno {
    /// EIO: the disk is broken.
    Io = 5,
    /// EACCES: somebody else's file.
    Access = 13,
    /// ENOSPC: the disk is full.
    NoSpace = 28,
    /// EROFS: the disk may not be written.
    ReadOnly = 30,
}

/// What happens at the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Act {
    /// Killed before it.
    Before,
    /// Killed when half of it was done.
    Half,
    /// Killed behind it.
    After,
    /// It fails, and the next one works.
    Once(Errno),
    /// It fails, and so does all that follows.
    Lasting(Errno),
    /// The wall clock jumps by so many seconds.
    Clock(i64),
}

/// Where to strike, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Plan {
    /// At which calls.
    pub kind: Kind,
    /// At which of them, from 1.
    pub place: u64,
    /// What happens.
    pub act: Act,
}

impl fmt::Display for Plan {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, place, act } = self;
        write!(formatter, "{} {place} ", kind.word())?;
        match act {
            Act::Before => formatter.write_str("before"),
            Act::Half => formatter.write_str("half"),
            Act::After => formatter.write_str("after"),
            Act::Once(errno) => write!(formatter, "once {}", *errno as i32),
            Act::Lasting(errno) => write!(formatter, "lasting {}", *errno as i32),
            Act::Clock(seconds) => write!(formatter, "clock {seconds}"),
        }
    }
}

/// How a run ended that was watched.
pub struct Watched<'shop> {
    /// How it ended.
    pub outcome: Outcome<'shop>,
    /// Whether the plan has struck.
    pub is_struck: bool,
    counts: Vec<u64>,
    journal: Vec<u8>,
}

impl Watched<'_> {
    /// How often it made calls of a kind.
    pub fn count(&self, kind: Kind) -> u64 {
        let place = KINDS.iter().position(|known| *known == kind);
        self.counts[place.or_fail("a kind that is not counted")]
    }

    /// What it has written and sent, for `replay.rs`; empty where nobody asked for it.
    pub fn journal(&self) -> &[u8] {
        &self.journal
    }
}

/// Runs a command without a strike, and counts its calls.
pub fn watch<'shop>(shop: &'shop Shop, words: &[&str]) -> Watched<'shop> {
    run(shop, words, None, false)
}

/// Runs a command and strikes.
pub fn strike<'shop>(shop: &'shop Shop, words: &[&str], plan: Plan) -> Watched<'shop> {
    run(shop, words, Some(plan), false)
}

/// Runs a command, struck or not, and keeps what it writes and sends.
pub fn record<'shop>(shop: &'shop Shop, words: &[&str], plan: Option<Plan>) -> Watched<'shop> {
    run(shop, words, plan, true)
}

fn run<'shop>(shop: &'shop Shop, words: &[&str], plan: Option<Plan>, records: bool) -> Watched<'shop> {
    // Outside the home: what is sent holds the key.
    let scratch = tempfile::tempdir().or_fail("no temporary directory");
    let (counts, journal) = (scratch.path().join("counts"), scratch.path().join("journal"));
    fs::write(&counts, vec![0; 8 * (KINDS.len() + 1)]).or_fail("no room for counts");
    let mut command = shop.command(words);
    command
        .env("LD_PRELOAD", library())
        .env("CRASH_ROOT", shop.home())
        .env("CRASH_COUNTS", &counts);
    if let Some(plan) = plan {
        command.env("CRASH_PLAN", plan.to_string());
    }
    if records {
        command.env("CRASH_JOURNAL", &journal);
    }
    let mut command = assert_cmd::Command::from_std(command);
    let output = command
        .timeout(RUN_MAX)
        .output()
        .or_fail("the command does not run");
    let outcome = Outcome::new(shop, words, &output);
    let counts = fs::read(&counts).or_fail("the counts are gone");
    let numbers = counts.chunks_exact(8).map(|bytes| {
        let bytes = bytes.try_into().or_fail("a number has eight bytes");
        u64::from_ne_bytes(bytes)
    });
    let mut counts: Vec<_> = numbers.collect();
    let is_struck = counts.pop().or_fail("nothing is counted") > 0;
    if let Some(plan) = plan.filter(|_| is_struck) {
        tally::injected(plan);
    }
    let journal = if records {
        fs::read(&journal).or_fail("nothing was recorded")
    } else {
        Vec::new()
    };
    Watched {
        outcome,
        is_struck,
        counts,
        journal,
    }
}

/// The library, made once.
///
/// # Panics
/// There is no C compiler: a suite that skips itself would look like one that passes.
fn library() -> &'static Path {
    static LIBRARY: OnceLock<PathBuf> = OnceLock::new();
    LIBRARY.get_or_init(|| {
        let place = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).or_fail("no place for the library");
        let (made, kept) = (
            place.path().join("inject.so"),
            Path::new(env!("CARGO_TARGET_TMPDIR")).join("inject.so"),
        );
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/crash/inject.c");
        let output = Command::new("cc")
            .args(["-shared", "-fPIC", "-O1", "-Wall", "-Wextra", "-Werror", "-o"])
            .arg(&made)
            .arg(source)
            .args(["-ldl", "-lpthread"])
            .output()
            .or_fail("the crash suite needs a C compiler that is called `cc`");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "`cc` refuses inject.c: {said}");
        // Another run of the suite may be using the old one: a rename leaves it to it.
        fs::rename(&made, &kept).or_fail("the library can't be put in its place");
        kept
    })
}
