//! Many cases side by side: most of a case is waiting.

use std::fmt::Debug;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::str::FromStr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use crate::support::OrFail;

/// How many cases of one scene run at a time.
const LANES: usize = 4;

/// Does `work` on every case; panics at the end where one of them has.
pub fn each<T: Sync + Debug>(cases: &[T], work: impl Fn(&T) + Sync) {
    let (next, failed) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..LANES {
            scope.spawn(|| {
                while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    // Its message is on stderr already.
                    if catch_unwind(AssertUnwindSafe(|| work(case))).is_err() {
                        failed
                            .lock()
                            .unwrap_or_else(PoisonError::into_inner)
                            .push(format!("{case:?}"));
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().unwrap_or_else(PoisonError::into_inner);
    let (count, all) = (failed.len(), cases.len());
    assert!(
        failed.is_empty(),
        "{count} of {all} cases failed, ONECLICK_CRASH_SEED={}: {failed:#?}",
        seed()
    );
}

/// A count or seed from the environment.
///
/// # Panics
/// It is there and can't be read: a long run with the usual counts would be a lie.
pub fn setting<T: FromStr>(name: &str, usual: T) -> T {
    match std::env::var(name) {
        Err(std::env::VarError::NotPresent) => usual,
        Err(error) => panic!("{name}: {error}"),
        Ok(text) => text.parse().ok().or_fail(&format!("{name} can't be `{text}`")),
    }
}

/// The seed of a run that nobody gives one: what fails today fails tomorrow.
const USUAL_SEED: u64 = 20_261_126;

/// The seed of this run: from the environment, or the usual one. The table at the end shows it.
pub fn seed() -> u64 {
    static SEED: OnceLock<u64> = OnceLock::new();
    *SEED.get_or_init(|| setting("ONECLICK_CRASH_SEED", USUAL_SEED))
}
