//! The power is cut between any two syncs: the ledger that is left opens, and knows every ref that may have left this
//! machine. So does a copy of its files that somebody takes at such a moment.

use std::collections::BTreeSet;
use std::path::Path;

use libtest_mimic::Trial;

use crate::deed::{Deed, quick};
use crate::inject::{Act, Errno, Kind, Plan, record, watch};
use crate::lanes::{each, seed, setting};
use crate::replay::{Change, Disk, Loss, Step, steps};
use crate::support::{OrFail, Shop};
use crate::tally;

/// Images of a long batch in a usual run.
const CUTS: usize = 80;
/// Images that are on the disk at a time.
const IMAGES: usize = 16;
/// Rows of the long batch: more than the log of the database holds before it is copied into it.
const ROWS: u32 = 2_000;

/// The scenes of this file.
pub fn scenes() -> Vec<Trial> {
    let scene = |name: &str, work: fn()| {
        Trial::test(format!("power::{name}"), move || {
            work();
            Ok(())
        })
    };
    vec![
        scene("cut_at_any_sync_of_the_first_send_the_ledger_knows_it", || {
            cut_everywhere(Deed::FirstSend);
        }),
        scene(
            "cut_at_any_sync_of_a_first_batch_the_ledger_knows_its_rows",
            cut_in_first_batch,
        ),
        scene("cut_in_a_long_batch_the_ledger_knows_its_rows", cut_in_long_batch),
        scene("a_sync_that_fails_is_believed", cut_behind_failed_syncs),
    ]
}

/// A moment at which the power is cut, and what is left then.
#[derive(Debug, Clone, Copy)]
struct Cut {
    step: usize,
    loss: Loss,
}

fn cut_everywhere(deed: Deed) {
    let shop = deed.open();
    let recorded = record(&shop, deed.words(), None);
    assert!(
        matches!(recorded.outcome.code, Some(0 | 8)),
        "{:?}",
        recorded.outcome
    );
    let steps = steps(recorded.journal());
    expect_converges(&shop, &steps, &all_cuts(&steps), deed);
}

fn cut_in_first_batch() {
    let shop = quick(&[]);
    drop(shop.sheet("november.csv").customers(6));
    let recorded = record(&shop, Deed::Batch.words(), None);
    assert!(
        matches!(recorded.outcome.code, Some(0 | 8)),
        "{:?}",
        recorded.outcome
    );
    let steps = steps(recorded.journal());
    expect_converges(&shop, &steps, &all_cuts(&steps), Deed::Batch);
}

fn cut_in_long_batch() {
    let seed = seed();
    let shop = quick(&["--latency", "2ms", "--balance", "10000000"]).set("ONECLICKDZ_CONCURRENCY", "2");
    drop(shop.sheet("november.csv").customers(ROWS));
    let recorded = record(&shop, Deed::Batch.words(), None);
    assert!(
        matches!(recorded.outcome.code, Some(0 | 8)),
        "{:?}",
        recorded.outcome
    );
    let steps = steps(recorded.journal());
    assert!(is_log_copied_meanwhile(&steps), "too few rows");
    let mut cuts = all_cuts(&steps);
    let mut random = fastrand::Rng::with_seed(seed);
    random.shuffle(&mut cuts);
    cuts.truncate(setting("ONECLICK_CRASH_CUTS", CUTS));
    expect_known(&shop, &steps, &cuts, |_| ());
}

/// A system may drop what it failed to write and call the next sync a success: nothing may stand on that.
fn cut_behind_failed_syncs() {
    let deed = Deed::FirstSend;
    let shop = deed.open();
    let syncs = watch(&shop, deed.words()).count(Kind::Sync);
    let places: Vec<_> = (1..=syncs).collect();
    each(&places, |place| {
        let plan = Plan {
            kind: Kind::Sync,
            place: *place,
            act: Act::Once(Errno::Io),
        };
        let shop = deed.open();
        let recorded = record(&shop, deed.words(), Some(plan));
        tally::inspect(&shop, &[&recorded.outcome]);
        let steps = steps(recorded.journal());
        let cuts: Vec<_> = all_cuts(&steps)
            .into_iter()
            .filter(|cut| cut.loss == Loss::AllUnsynced && matches!(steps[cut.step], Step::Sent(_)))
            .collect();
        if !cuts.is_empty() {
            expect_known(&shop, &steps, &cuts, |_| ());
        }
    });
}

/// Before every sync and send, with all that is not synced gone, all there, and some there.
fn all_cuts(steps: &[Step]) -> Vec<Cut> {
    let seed = seed();
    let boundaries = steps
        .iter()
        .enumerate()
        .filter(|(_, step)| Disk::is_boundary(step));
    boundaries
        .flat_map(|(place, _)| {
            let some = seed.wrapping_add(place as u64);
            [Loss::AllUnsynced, Loss::Nothing, Loss::Some(some)].map(|loss| Cut { step: place, loss })
        })
        .collect()
}

/// Asks each image what its ledger knows; typed again there, the same command pays nothing a second time.
fn expect_converges(shop: &Shop, steps: &[Step], cuts: &[Cut], deed: Deed) {
    let paid = shop.books().orders();
    expect_known(shop, steps, cuts, |home| {
        if deed.is_batch() {
            let (sheet, copy) = (shop.home().join("november.csv"), home.join("november.csv"));
            std::fs::copy(sheet, copy).or_fail("the sheet can't be copied");
        }
        let run = || {
            let mut command = shop.command(deed.words());
            command.env("HOME", home).current_dir(home);
            command.output().or_fail("it does not run")
        };
        let mut last = run();
        if !last.status.success() {
            last = run();
        }
        assert!(last.status.success(), "it does not go on: {last:?}");
        let books = shop.books();
        books.expect_no_doubles();
        assert_eq!(books.orders(), paid, "paid again: {last:?}");
    });
}

/// Lays out each image, and asks the binary what its ledger knows.
fn expect_known(shop: &Shop, steps: &[Step], cuts: &[Cut], then: impl Fn(&Path) + Sync) {
    let posted = posted(steps);
    let refs: BTreeSet<_> = posted.iter().map(|(_, reference)| reference.clone()).collect();
    let booked = BTreeSet::from_iter(shop.books().refs());
    assert!(booked.is_subset(&refs), "posts are overlooked");
    let mut cuts = cuts.to_vec();
    cuts.sort_by_key(|cut| cut.step);
    // The disk goes forward once; so many images of it at a time are opened side by side.
    let mut disk = Disk::new(shop.home());
    let mut next = 0;
    for some in cuts.chunks(IMAGES) {
        let mut images = Vec::new();
        for cut in some {
            steps[next..cut.step].iter().for_each(|step| disk.apply(step));
            next = cut.step;
            let home = tempfile::tempdir().or_fail("no temporary directory");
            disk.lay_out(home.path(), cut.loss);
            images.push((*cut, home));
        }
        each(&images, |(cut, home)| {
            let known = known(shop, home.path());
            tally::opened();
            // What leaves with this very step must be known before it.
            let may_be_there = posted.iter().filter(|(place, _)| *place <= cut.step);
            let missing: Vec<_> = may_be_there
                .filter(|(_, reference)| !known.contains(reference))
                .collect();
            tally::lost(missing.len());
            assert!(
                missing.is_empty(),
                "{cut:?} has lost {missing:?}; it knows {known:?}"
            );
            then(home.path());
        });
    }
}

/// The refs that leave, each with its step.
fn posted(steps: &[Step]) -> Vec<(usize, String)> {
    let posts = steps.iter().enumerate().filter_map(|(place, step)| match step {
        Step::Sent(bytes) if bytes.starts_with(b"POST ") => Some((place, String::from_utf8_lossy(bytes))),
        _ => None,
    });
    posts
        .map(|(place, text)| {
            let body = text.split_once("\r\n\r\n").or_fail("a request without a body").1;
            let body: serde_json::Value = serde_json::from_str(body).or_fail("a body that is no JSON");
            let reference = body["ref"].as_str().or_fail("a top-up without a ref");
            (place, reference.to_owned())
        })
        .collect()
}

/// Whether the log of the database is copied into it before the last row leaves.
fn is_log_copied_meanwhile(steps: &[Step]) -> bool {
    let last = posted(steps).last().or_fail("no posts").0;
    let made = steps.iter().find_map(|step| match step {
        Step::Made(path, number) if path.ends_with("ledger.db") => Some(*number),
        _ => None,
    });
    // Its first page is written when it is made.
    steps[..last]
        .iter()
        .any(|step| matches!(step, Step::Changed(number, Change::Written(1.., _)) if Some(*number) == made))
}

/// The refs that the ledger below `home` knows.
fn known(shop: &Shop, home: &Path) -> BTreeSet<String> {
    let mut command = shop.command(&["ref", "list", "--limit", "0", "-o", "json"]);
    let output = command
        .env("HOME", home)
        .current_dir(home)
        .output()
        .or_fail("it does not run");
    assert!(output.status.success(), "it does not open: {output:?}");
    let listed: serde_json::Value = serde_json::from_slice(&output.stdout).or_fail("no JSON");
    let refs = listed.as_array().into_iter().flatten();
    refs.map(|order| order["ref"].as_str().or_fail("an order without a ref").to_owned())
        .collect()
}
