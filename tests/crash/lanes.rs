//! Many cases side by side: most of a case is waiting.

use std::fmt::Debug;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::str::FromStr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

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
    assert!(failed.is_empty(), "{count} of {all} cases failed: {failed:#?}");
}

/// A count or seed from the environment.
///
/// # Panics
/// It is there and can't be read: a long run with the usual counts would be a lie.
pub fn setting<T: FromStr>(name: &str, usual: T) -> T {
    match std::env::var(name) {
        Err(_) => usual,
        Ok(text) => match text.parse() {
            Ok(value) => value,
            Err(_) => panic!("{name} can't be `{text}`"),
        },
    }
}

/// The seed of this run: from the environment, or new.
pub fn seed() -> u64 {
    setting("ONECLICK_CRASH_SEED", fastrand::u64(..))
}
