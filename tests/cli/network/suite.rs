//! Runs cases: each on `send`, `batch`, `ref check` and `balance`, once and for good, and again when the road is
//! mended. Counts, and prints a table.

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use serde_json::Value;

use super::case::{Case, Meaning};
use super::papers::Papers;
use super::road::{Call, Open, Road, Rule};
use crate::outcome::Outcome;
use crate::sheet::number;
use crate::support::files_with;
use crate::support::{KEY, OrFail, Shop};

/// How many cases run beside each other: most of them wait.
const BESIDE: usize = 4;

/// Time goes so fast at the provider that an order ends between two looks.
const FLAGS: &[&str] = &["--speed", "5000"];

/// A shop at the end of a road.
pub struct Remote {
    pub shop: Shop,
    pub road: Road,
    /// How often the command has run.
    runs: AtomicUsize,
    /// The address space a run may take, in kilobytes; any when none.
    memory_kb: Option<u32>,
}

/// What has been run and seen, over all families of a test run.
static TABLE: Mutex<Vec<Row>> = Mutex::new(Vec::new());

/// What a family of cases came to.
#[derive(Default)]
struct Row {
    family: &'static str,
    cases: usize,
    runs: usize,
    posts: usize,
    paid: usize,
    doubles: usize,
    lost: usize,
}

impl Row {
    fn of(family: &'static str) -> Self {
        Self {
            family,
            ..Self::default()
        }
    }

    /// Counts what a shop and its provider have in their books.
    fn count(&mut self, remote: &Remote) {
        let (books, ledger) = (remote.shop.books(), remote.shop.ledger());
        let paid = books.refs();
        self.cases += 1;
        self.runs += remote.runs.load(Ordering::Relaxed);
        self.posts += remote.road.posts(None);
        self.paid += paid.len();
        self.doubles += paid.iter().filter(|known| books.count(known) > 1).count();
        self.lost += paid.iter().filter(|known| !ledger.contains_key(*known)).count();
    }

    fn add(&mut self, other: &Self) {
        self.cases += other.cases;
        self.runs += other.runs;
        self.posts += other.posts;
        self.paid += other.paid;
        self.doubles += other.doubles;
        self.lost += other.lost;
    }

    fn line(&self) -> String {
        let Self {
            family,
            cases,
            runs,
            posts,
            paid,
            doubles,
            lost,
        } = self;
        format!("{family:20} {cases:>6} {runs:>6} {posts:>6} {paid:>6} {doubles:>8} {lost:>6}\n")
    }
}

impl Remote {
    pub fn open() -> Self {
        Self::open_by(Road::to)
    }

    /// A shop at the end of a road that is opened to the provider's address in a way of its own.
    pub fn open_by(build: impl FnOnce(&str) -> Road) -> Self {
        let remote = Self::open_unseen(build);
        // From now on account and plans are known.
        remote.run(&["plans"]).expect_exit(0);
        remote
    }

    /// The same, and nothing has been asked yet.
    pub fn open_unseen(build: impl FnOnce(&str) -> Road) -> Self {
        let shop = Shop::open_with(FLAGS);
        let road = build(&shop.provider.url());
        let settings = [
            ("BASE_URL", road.url()),
            ("SETTLE_DELAY", "1ms".to_owned()),
            ("RETRY_DELAY", "5ms".to_owned()),
            ("POLL_INTERVAL", "10ms".to_owned()),
            ("POLL_TIMEOUT", "300ms".to_owned()),
            ("SEND_TIMEOUT", "30s".to_owned()),
            ("READ_TIMEOUT", "30s".to_owned()),
        ];
        let shop = settings.into_iter().fold(shop, |shop, (key, value)| {
            shop.set(&format!("ONECLICKDZ_{key}"), value)
        });
        Self {
            shop,
            road,
            runs: AtomicUsize::new(0),
            memory_kb: None,
        }
    }

    /// A shop at the end of an encrypted road, with papers that it trusts.
    pub fn open_tls(papers: &Papers, open: Open) -> Self {
        let remote = Self::open_unseen(|provider| Road::opened(provider, open));
        let url = remote.road.url().replace("http:", "https:");
        let remote = remote
            .set("BASE_URL", &url)
            .with("SSL_CERT_FILE", &papers.authority());
        remote.run(&["plans"]).expect_exit(0);
        remote
    }

    /// From now on no run may take more of the address space.
    #[must_use]
    pub fn within(self, memory_kb: u32) -> Self {
        Self {
            memory_kb: Some(memory_kb),
            ..self
        }
    }

    /// Sets a variable for all that is run from now on.
    #[must_use]
    pub fn set(self, key: &str, value: &str) -> Self {
        self.with(&format!("ONECLICKDZ_{key}"), value)
    }

    /// The same, for a variable that is not ours.
    #[must_use]
    pub fn with(self, name: &str, value: &str) -> Self {
        Self {
            shop: self.shop.set(name, value),
            ..self
        }
    }

    /// What never ends is waited for a moment only.
    #[must_use]
    fn impatient(self) -> Self {
        self.set("SEND_TIMEOUT", "250ms")
            .set("READ_TIMEOUT", "250ms")
            .set("RETRY_ATTEMPTS", "1")
    }

    #[must_use]
    fn patient(self) -> Self {
        self.set("SEND_TIMEOUT", "30s")
            .set("READ_TIMEOUT", "30s")
            .set("RETRY_ATTEMPTS", "3")
    }

    /// Runs a command with wire traces; the key is in nothing that it says or writes.
    #[track_caller]
    pub fn run(&self, words: &[&str]) -> Outcome<'_> {
        self.runs.fetch_add(1, Ordering::Relaxed);
        let words = [words, &["-vv", "-o", "json"]].concat();
        let outcome = match self.memory_kb {
            Some(kilobytes) => {
                let line = format!("ulimit -v {kilobytes} && exec oneclick {}", words.join(" "));
                self.shop.shell(&line)
            }
            None => self.shop.run(&words),
        };
        for text in [&outcome.stdout, &outcome.stderr] {
            assert!(!text.contains(KEY), "the key is shown\n{outcome:?}");
        }
        outcome
    }

    /// The usual top-up under a ref.
    #[track_caller]
    pub fn send(&self, reference: &str, amount: u32) -> Outcome<'_> {
        let amount = amount.to_string();
        let plan = ["--plan", crate::support::PLAN, "--phone", crate::support::PHONE];
        self.run(&[&["send"][..], &plan, &["--amount", &amount, "--ref", reference]].concat())
    }

    /// Saves a sheet of so many customers, each with this amount.
    pub fn save(&self, name: &str, customers: u32, amount: u32) {
        let sheet = self.shop.sheet(name);
        let _saved = (0..customers).fold(sheet, |sheet, customer| {
            sheet.row(&format!("{},{amount}", number(customer)))
        });
    }

    /// Sends a sheet.
    #[track_caller]
    pub fn batch(&self, name: &str) -> Outcome<'_> {
        self.run(&["batch", name, "--yes"])
    }

    /// State by ref; the refs of a batch by its label.
    #[track_caller]
    pub fn states(&self, start: &str) -> Vec<String> {
        self.runs.fetch_add(1, Ordering::Relaxed);
        let ledger = self.shop.ledger().into_iter();
        ledger
            .filter(|(reference, _)| reference.starts_with(start))
            .map(|(_, state)| state)
            .collect()
    }

    /// The books have so many orders, each accepted once, and the ledger has the same under the same ids.
    #[track_caller]
    pub fn expect_each_paid_once(&self, count: usize) {
        let books = self.shop.books();
        books.expect_no_doubles();
        let id = |order: &Value| order["topup_id"].as_str().map(str::to_owned);
        let theirs = books.0["accepted"].as_object().into_iter().flatten();
        let theirs: BTreeMap<_, _> = theirs.map(|(name, order)| (name.clone(), id(order))).collect();
        let ours = self.listed();
        let ours: BTreeMap<_, _> = ours
            .iter()
            .filter(|order| order["state"] == "fulfilled")
            .map(|order| (order["ref"].as_str().unwrap_or_default().to_owned(), id(order)))
            .collect();
        assert_eq!(theirs.len(), count, "{}", books.0);
        assert_eq!(ours, theirs);
    }

    /// The orders of the ledger.
    #[track_caller]
    pub fn listed(&self) -> Vec<Value> {
        self.runs.fetch_add(1, Ordering::Relaxed);
        let listed = self
            .shop
            .run(&["ref", "list", "--limit", "0", "-o", "json"])
            .expect_exit(0);
        listed.json().as_array().cloned().unwrap_or_default()
    }

    #[track_caller]
    pub fn expect_no_key_in_files(&self) {
        let found = files_with(self.shop.home(), KEY);
        assert!(found.is_empty(), "the key is in {found:?}");
    }
}

/// Rules that play a case on these calls for good.
fn for_good(case: &Case, calls: &[Call]) -> Vec<Rule> {
    let rule = |call: &Call| Rule {
        call: *call,
        first: 1,
        times: usize::MAX,
        act: case.act.clone(),
    };
    calls.iter().map(rule).collect()
}

fn on_post(case: &Case, first: usize, times: usize) -> Rule {
    Rule {
        call: Call::Send,
        first,
        times,
        act: case.act.clone(),
    }
}

/// It stays so, for every call of the kind: nothing is claimed, nothing sent twice, and the mended road settles it.
fn stays(remote: Remote, case: &Case) -> Remote {
    let remote = if case.is_endless {
        remote.impatient()
    } else {
        remote
    };
    remote.road.set(&for_good(case, &[Call::Balance]));
    remote.run(&["balance"]).expect_exit(7);
    remote.road.set(&for_good(case, &[Call::Send, Call::Question]));
    let sent = remote
        .send("stays-1", 500)
        .expect_exit(6)
        .expect_error("outcome_unknown");
    remote.save("stays.csv", 2, 100);
    let batch = remote.batch("stays.csv").expect_exit(6);
    remote.run(&["ref", "check"]).expect_exit(6);
    assert_eq!(remote.states("stays"), ["unknown"; 3], "{sent:?}\n{batch:?}");
    assert_eq!(
        remote.road.posts(None),
        3,
        "asked about, not sent again\n{sent:?}\n{batch:?}"
    );
    remote.road.mend();
    let remote = if case.is_endless { remote.patient() } else { remote };
    remote.send("stays-1", 500).expect_exit(0);
    remote.batch("stays.csv").expect_exit(0);
    let again = if case.act.arrives { 0 } else { 3 };
    assert_eq!(
        remote.road.posts(None),
        3 + again,
        "sent again is what never arrived"
    );
    remote
}

/// It happens to single POSTs, and the questions behind them are answered.
fn passes(remote: Remote, case: &Case) -> Remote {
    let remote = if case.is_endless {
        remote.set("SEND_TIMEOUT", "250ms")
    } else {
        remote
    };
    remote.road.set(&[on_post(case, 1, 1)]);
    remote.send("once-1", 600).expect_exit(0);
    remote.save("once.csv", 3, 200);
    remote.road.set(&[on_post(case, 2, 1)]);
    remote.batch("once.csv").expect_exit(0);
    remote
}

/// Nothing of it is noticed.
fn is_good(remote: Remote, case: &Case) -> Remote {
    remote
        .road
        .set(&for_good(case, &[Call::Balance, Call::Send, Call::Question]));
    remote.run(&["balance"]).expect_exit(0);
    remote.send("good-1", 500).expect_exit(0);
    remote.save("good.csv", 3, 100);
    remote.batch("good.csv").expect_exit(0);
    assert_eq!(remote.road.posts(None), 4, "each was sent once");
    remote
}

/// Runs each case by itself, some beside each other; then prints the table as far as it goes.
pub fn run(family: &'static str, cases: &[Case]) {
    run_on(family, cases, &Remote::open);
}

/// The same at the end of another road.
pub fn run_on(family: &'static str, cases: &[Case], open: &(dyn Fn() -> Remote + Sync)) {
    let next = AtomicUsize::new(0);
    let failures = Mutex::new(Vec::new());
    let row = Mutex::new(Row::of(family));
    let work = || {
        while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
            let played = std::panic::catch_unwind(AssertUnwindSafe(|| play(case, open())));
            match played {
                Ok(remote) => row.lock().unwrap_or_else(PoisonError::into_inner).count(&remote),
                Err(_) => failures
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .push(case.name.clone()),
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..BESIDE {
            scope.spawn(work);
        }
    });
    let failures = failures.into_inner().unwrap_or_else(PoisonError::into_inner);
    assert!(failures.is_empty(), "{family}: {failures:#?} of {}", cases.len());
    note(row.into_inner().unwrap_or_else(PoisonError::into_inner));
}

fn play(case: &Case, remote: Remote) -> Remote {
    let (remote, orders) = match case.meaning {
        Meaning::Unknown => (passes(stays(remote, case), case), 3 + 4),
        Meaning::Good => (is_good(remote, case), 4),
    };
    remote.expect_each_paid_once(orders);
    remote.expect_no_key_in_files();
    remote
}

/// Counts a test of its own kind into the table.
pub fn tell(family: &'static str, remotes: &[&Remote]) {
    let mut row = Row::of(family);
    for remote in remotes {
        remote.expect_no_key_in_files();
        row.count(remote);
    }
    assert_eq!((row.doubles, row.lost), (0, 0), "{family}");
    note(row);
}

#[expect(clippy::print_stdout, reason = "the table is what is asked for")]
fn note(row: Row) {
    let mut rows = TABLE.lock().or_fail("a family fell while it told");
    rows.push(row);
    let mut table = String::from("\nnetwork               cases   runs  posts   paid  doubles   lost\n");
    let mut total = Row::of("so far");
    for row in rows.iter() {
        total.add(row);
        table += &row.line();
    }
    println!("{table}{}", total.line());
}
