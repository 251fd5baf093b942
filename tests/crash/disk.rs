//! A disk that fails: full at each write in turn, broken at each write or sync, not to be written at all. The command
//! says so with exit code 10, nothing has left that the ledger does not know, and once the disk is mended the same
//! command ends well.

use std::path::Path;

use libtest_mimic::Trial;

use crate::deed::{Deed, quick};
use crate::inject::{Act, Errno, Kind, Plan, strike, watch};
use crate::lanes::{each, seed, setting};
use crate::outcome::Outcome;
use crate::support::{OrFail, Shop};
use crate::tally;

/// A usual run lets every so many-th write fail.
const WRITE_STRIDE: u64 = 8;

/// The scenes of this file.
pub fn scenes() -> Vec<Trial> {
    let scene = |name: &str, kinds: &'static [Kind], acts: &'static [Act]| {
        Trial::test(format!("disk::{name}"), move || {
            for deed in [Deed::FirstSend, Deed::Batch] {
                fail_at_every_call(deed, kinds, acts);
            }
            Ok(())
        })
    };
    let plain = |name: &str, work: fn()| {
        Trial::test(format!("disk::{name}"), move || {
            work();
            Ok(())
        })
    };
    vec![
        scene(
            "full_from_any_write_on",
            &[Kind::Write, Kind::Make],
            &[Act::Lasting(Errno::NoSpace)],
        ),
        scene(
            "broken_from_any_call_on",
            &[Kind::Sync, Kind::Write, Kind::Make],
            &[Act::Lasting(Errno::Io)],
        ),
        scene(
            "broken_at_one_call",
            &[Kind::Sync, Kind::Write, Kind::Make, Kind::Remove],
            &[Act::Once(Errno::Io)],
        ),
        scene(
            "not_to_be_written",
            &[Kind::Open],
            &[Act::Lasting(Errno::Access), Act::Lasting(Errno::ReadOnly)],
        ),
        plain("not_to_be_written_by_their_modes", by_their_modes),
        plain("in_no_directory_nothing_is_sent", in_no_directory),
        plain(
            "with_a_lost_directory_each_row_is_paid_once",
            with_a_lost_directory,
        ),
    ]
}

fn fail_at_every_call(deed: Deed, kinds: &[Kind], acts: &[Act]) {
    each(&plans(deed, kinds, acts), |plan| {
        let shop = deed.open();
        let struck = strike(&shop, deed.words(), *plan);
        expect_honest(&shop, deed, &struck.outcome);
        tally::inspect(&shop, &[&struck.outcome]);
        deed.finish(&shop);
    });
}

/// One run is counted; each of its calls fails in turn. Of the many writes a usual run takes every eighth.
fn plans(deed: Deed, kinds: &[Kind], acts: &[Act]) -> Vec<Plan> {
    let stride = if setting("ONECLICK_CRASH_FULL", 0) > 0 {
        1
    } else {
        WRITE_STRIDE
    };
    let first = seed() % stride;
    let shop = deed.open();
    let counted = watch(&shop, deed.words());
    let mut plans = Vec::new();
    for kind in kinds {
        let is_due = |place: &u64| *kind != Kind::Write || place % stride == first;
        for place in (1..=counted.count(*kind)).filter(is_due) {
            plans.extend(acts.iter().map(|act| Plan {
                kind: *kind,
                place,
                act: *act,
            }));
        }
    }
    plans
}

/// What it says is so: done is done, and where it says that nothing was sent, nothing was.
#[track_caller]
fn expect_honest(shop: &Shop, deed: Deed, outcome: &Outcome<'_>) {
    let books = shop.books();
    let is_true = match outcome.code {
        Some(0) => books.orders() == deed.rows(),
        // Neither claims that anything failed.
        Some(8 | 10) => true,
        // The file with the results: before the first row leaves, or when all have ended.
        Some(2) => deed.is_batch() && outcome.error()["code"] == "results_unwritable" && books.orders() == 0,
        Some(1) => {
            deed.is_batch() && outcome.error()["code"] == "results_unwritten" && books.orders() == deed.rows()
        }
        _ => false,
    };
    assert!(is_true, "{outcome:?}\n{}", books.0);
    let claims_nothing_sent = outcome.stderr.contains("nothing was sent");
    assert!(!claims_nothing_sent || books.orders() == 0, "{outcome:?}");
    assert!(!outcome.stderr.contains("panicked"), "{outcome:?}");
}

/// Where its directory can't be made, nothing is sent.
fn in_no_directory() {
    for place in ["/dev/null/ledger.db", "/proc/oneclick/ledger.db"] {
        let shop = quick(&[]).set("ONECLICKDZ_LEDGER", place);
        shop.send(500).expect_exit(10).expect_no_post();
    }
    let shop = quick(&[]);
    std::fs::write(shop.home().join(".local"), "somebody's file").or_fail("not written");
    let november = shop.sheet("november.csv").customers(3);
    november.send().expect_exit(10).expect_no_post();
    std::fs::remove_file(shop.home().join(".local")).or_fail("not removed");
    november.send().expect_exit(0);
    november.expect_each_paid_once();
    tally::paid(&shop);
}

/// The directory is gone with all that was in it: a new ledger is made, and the provider still refuses the refs of the
/// rows that it has.
fn with_a_lost_directory() {
    let shop = quick(&[]);
    let november = shop.sheet("november.csv").customers(6);
    november.batch(&["--yes", "--limit", "3"]).expect_exit(0);
    let directory = shop.ledger_path();
    let directory = directory.parent().or_fail("a ledger without a directory");
    std::fs::remove_dir_all(directory).or_fail("not removed");
    november.send().expect_exit(0);
    november.expect_each_paid_once();
    november.expect_true_results();
    tally::paid(&shop);
}

/// Modes bind everybody but root; for root the injected `EACCES` stands in.
fn by_their_modes() {
    let shop = Deed::Batch.open();
    let file = shop.ledger_path();
    let directory = file.parent().or_fail("a ledger without a directory").to_owned();
    for (path, mode, usual) in [(&file, 0o400, 0o600), (&directory, 0o500, 0o700)] {
        set_mode(path, mode);
        let binds = std::fs::OpenOptions::new().append(true).open(&file).is_err()
            || std::fs::write(directory.join("probe"), "").is_err();
        if binds {
            shop.run(Deed::Batch.words()).expect_exit(10).expect_no_post();
        }
        set_mode(path, usual);
        let _ = std::fs::remove_file(directory.join("probe"));
    }
    Deed::Batch.finish(&shop);
}

fn set_mode(path: &Path, mode: u32) {
    let mode = std::os::unix::fs::PermissionsExt::from_mode(mode);
    std::fs::set_permissions(path, mode).or_fail("the mode can't be set");
}
