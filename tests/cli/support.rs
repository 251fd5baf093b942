//! The language of these tests: a shop with a home of its own and a provider, what it types, and what must follow.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use tempfile::TempDir;

use crate::outcome::{Outcome, Running};
use crate::provider::{Books, Provider};

pub const BINARY: &str = env!("CARGO_BIN_EXE_oneclick");
/// The key of every shop. It may appear in no output and in no file.
pub const KEY: &str = "3f9a7c1e-shop-key-0b5d";
pub const PHONE: &str = "0778037340";
pub const PLAN: &str = "PREPAID_DJEZZY";

/// No run may take longer; the protocol's waits are cut to milliseconds.
const RUN_MAX: Duration = Duration::from_mins(1);

const SETTINGS: &[(&str, &str)] = &[
    ("COLUMNS", "100"),
    ("ONECLICKDZ_SETTLE_DELAY", "50ms"),
    ("ONECLICKDZ_RETRY_DELAY", "50ms"),
    ("ONECLICKDZ_POLL_INTERVAL", "50ms"),
    ("ONECLICKDZ_POLL_TIMEOUT", "3s"),
    ("ONECLICKDZ_SEND_TIMEOUT", "1s"),
    ("ONECLICKDZ_READ_TIMEOUT", "1s"),
    ("ONECLICKDZ_RATE", "unlimited"),
];

/// What must be there, or the test fails and says what is not.
pub trait OrFail<T> {
    fn or_fail(self, what: &str) -> T;
}

impl<T> OrFail<T> for Option<T> {
    #[track_caller]
    fn or_fail(self, what: &str) -> T {
        match self {
            Some(value) => value,
            None => panic!("{what}"),
        }
    }
}

impl<T, E: Debug> OrFail<T> for Result<T, E> {
    #[track_caller]
    fn or_fail(self, what: &str) -> T {
        match self {
            Ok(value) => value,
            Err(error) => panic!("{what}: {error:?}"),
        }
    }
}

/// Every file below a directory that holds a text.
pub fn files_with(directory: &Path, text: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).or_fail("not a directory") {
        let path = entry.or_fail("not read").path();
        if path.is_dir() {
            found.extend(files_with(&path, text));
        } else if String::from_utf8_lossy(&fs::read(&path).or_fail("not read")).contains(text) {
            found.push(path);
        }
    }
    found
}

/// Where the tests themselves were started with signals that are ignored, their commands would be, too: a signal that is
/// caught here is an ordinary one there.
fn hear_signals() {
    static HEARD: std::sync::Once = std::sync::Once::new();
    HEARD.call_once(|| {
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
        let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
        for signal in [SIGHUP, SIGINT, SIGTERM] {
            if mask.unwrap_or_default() & (1 << (signal - 1)) != 0 {
                signal_hook::flag::register(signal, Arc::default()).or_fail("it can't be caught");
            }
        }
    });
}

/// A shop: a home directory, variables, and a provider of its own.
pub struct Shop {
    home: TempDir,
    pub provider: Provider,
    variables: BTreeMap<String, String>,
}

impl Shop {
    pub fn open() -> Self {
        Self::open_with(&[])
    }

    /// A shop whose simulator is started with `flags`.
    pub fn open_with(flags: &[&str]) -> Self {
        let home = tempfile::tempdir().or_fail("no temporary directory");
        let provider = Provider::open(home.path(), flags);
        let mut variables: BTreeMap<_, _> = SETTINGS
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        variables.insert("HOME".to_owned(), home.path().display().to_string());
        variables.insert("ONECLICKDZ_BASE_URL".to_owned(), provider.url());
        variables.insert("ONECLICKDZ_API_KEY".to_owned(), KEY.to_owned());
        Self {
            home,
            provider,
            variables,
        }
    }

    /// Sets a variable for all that is run from now on.
    #[must_use]
    pub fn set(mut self, name: &str, value: impl Into<String>) -> Self {
        self.variables.insert(name.to_owned(), value.into());
        self
    }

    #[must_use]
    pub fn unset(mut self, name: &str) -> Self {
        self.variables.remove(name);
        self
    }

    #[must_use]
    pub fn faults<const N: usize>(self, faults: [&str; N]) -> Self {
        self.provider.set_faults(&faults);
        self
    }

    #[must_use]
    pub fn switches<const N: usize>(self, switches: [&str; N]) -> Self {
        for switch in switches {
            self.provider.set_switch(switch);
        }
        self
    }

    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// Where the ledger is when nothing says otherwise, in a home without `XDG_DATA_HOME`.
    pub fn ledger_path(&self) -> PathBuf {
        self.home().join(".local/share/oneclick/ledger.db")
    }

    pub fn books(&self) -> Books {
        self.provider.books()
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        hear_signals();
        let mut command = Command::new(BINARY);
        command
            .env_clear()
            .envs(&self.variables)
            .current_dir(self.home())
            .args(arguments);
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Outcome<'_> {
        self.run_with(arguments, "")
    }

    /// Runs with something on stdin.
    pub fn run_with(&self, arguments: &[&str], stdin: &str) -> Outcome<'_> {
        let mut command = assert_cmd::Command::from_std(self.command(arguments));
        let output = command.write_stdin(stdin).timeout(RUN_MAX).output();
        Outcome::new(self, arguments, &output.or_fail("the command does not run"))
    }

    /// Starts a command and leaves it running.
    pub fn start(&self, arguments: &[&str]) -> Running<'_> {
        let mut command = self.command(arguments);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let process = command.spawn().or_fail("the command does not start");
        Running::new(self, process, arguments)
    }

    /// Starts a command as `nohup` and background jobs are started: with signals that are ignored.
    pub fn start_ignoring(&self, signals: &str, arguments: &[&str]) -> Running<'_> {
        let model = self.command(&[]);
        let variables = model.get_envs().filter_map(|(name, value)| Some((name, value?)));
        let mut shell = Command::new("/bin/sh");
        shell
            .env_clear()
            .envs(variables)
            .current_dir(self.home())
            .args(["-c", &format!("trap '' {signals}; exec \"$@\""), "sh", BINARY])
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let process = shell.spawn().or_fail("there is no /bin/sh");
        Running::new(self, process, arguments)
    }

    /// The usual top-up, shown as JSON.
    pub fn send(&self, amount: u32) -> Outcome<'_> {
        self.send_plus(amount, &[])
    }

    pub fn send_plus(&self, amount: u32, more: &[&str]) -> Outcome<'_> {
        let amount = amount.to_string();
        let mut arguments = vec![
            "send", "--plan", PLAN, "--phone", PHONE, "--amount", &amount, "-o", "json",
        ];
        arguments.extend(more);
        self.run(&arguments)
    }

    /// The usual top-up under a ref of the caller's own.
    pub fn send_as(&self, reference: &str, amount: u32) -> Outcome<'_> {
        self.send_plus(amount, &["--ref", reference])
    }

    /// State by ref, as the ledger has it.
    #[track_caller]
    pub fn ledger(&self) -> BTreeMap<String, String> {
        let listed = self
            .run(&["ref", "list", "--limit", "0", "-o", "json"])
            .expect_exit(0)
            .json();
        let word =
            |row: &Value, key: &str| row[key].as_str().or_fail("a row without ref or state").to_owned();
        listed
            .as_array()
            .into_iter()
            .flatten()
            .map(|row| (word(row, "ref"), word(row, "state")))
            .collect()
    }

    /// Changes the ledger behind the tool's back, as only time or an older version could.
    #[track_caller]
    pub fn rewrite(&self, statement: &str) {
        let ledger = rusqlite::Connection::open(self.ledger_path()).or_fail("no ledger");
        let changed = ledger.execute(statement, []).or_fail(statement);
        assert!(changed > 0, "nothing to rewrite: {statement}");
    }

    /// A number that a query finds in the ledger.
    #[track_caller]
    pub fn count(&self, query: &str) -> i64 {
        let ledger = rusqlite::Connection::open(self.ledger_path()).or_fail("no ledger");
        ledger.query_row(query, [], |row| row.get(0)).or_fail(query)
    }

    /// Runs a statement on the ledger that changes no row.
    #[track_caller]
    pub fn execute(&self, statement: &str) {
        let ledger = rusqlite::Connection::open(self.ledger_path()).or_fail("no ledger");
        ledger.execute(statement, []).or_fail(statement);
    }

    /// The audit log is whole, and says what the ledger says.
    #[track_caller]
    pub fn expect_whole_log(&self) {
        self.run(&["ref", "audit", "--verify", "-o", "json"])
            .expect_exit(0);
    }

    /// The road is mended and time passes; then one `ref check` makes ledger and books say the same.
    #[track_caller]
    pub fn expect_agreement(&self) {
        self.expect_agreement_after(120);
    }

    /// Waits until the process that sends an order has stored that it waits: the answer to its last request.
    #[track_caller]
    pub fn await_waiting(&self, reference: &str) {
        self.await_answers(reference, 2);
    }

    /// Waits until so many sends of an order are stored, each with its answer.
    #[track_caller]
    pub fn await_answers(&self, reference: &str, count: usize) {
        for _ in 0..200 {
            let shown = self.run(&["ref", "show", reference, "-o", "json"]).json();
            let calls = shown["calls"].as_array().cloned().unwrap_or_default();
            let sends: Vec<_> = calls.iter().filter(|call| call["endpoint"] == "send").collect();
            if sends.len() == count && sends.iter().all(|call| !call["ended_at"].is_null()) {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        panic!("`{reference}` never waited");
    }

    /// The same, after so many seconds of the provider's time.
    #[track_caller]
    pub fn expect_agreement_after(&self, seconds: u32) {
        self.provider.set_faults(&[]);
        self.provider.advance(seconds);
        let checked = self.run(&["ref", "check", "-o", "json"]);
        let (books, ledger) = (self.books(), self.ledger());
        books.expect_no_doubles();
        self.expect_whole_log();
        for (reference, state) in &ledger {
            let agrees = match state.as_str() {
                "fulfilled" => books.status(reference) == Some("FULFILLED"),
                "refunded" => books.status(reference) == Some("REFUNDED"),
                "cancelled" | "rejected" | "planned" => books.status(reference).is_none(),
                _ => false,
            };
            assert!(
                agrees,
                "`{reference}` is `{state}` here; the books: {}\n{checked:?}",
                books.0
            );
        }
        for reference in books.refs() {
            assert!(
                ledger.contains_key(&reference),
                "`{reference}` is lost: {ledger:?}"
            );
        }
    }
}
