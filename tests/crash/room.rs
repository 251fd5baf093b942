//! A disk that is really full: a small one of memory, mounted in a namespace of its own, where the system lets a user
//! do that.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use libtest_mimic::Trial;

use crate::deed::quick;
use crate::outcome::Outcome;
use crate::support::{BINARY, OrFail, Shop};
use crate::tally;

const ROWS: u32 = 150;
/// Sizes at which it is full while the ledger is made, while the sheet is stored, and while rows are sent.
const SIZES: [&str; 4] = ["64k", "192k", "512k", "1m"];

/// Mounts a disk of size $1 over the directory $2, where $3 says how; runs the rest there, and keeps what is on it.
const ON_SMALL_DISK: &str = r#"
size=$1; place=$2; how=$3; shift 3
mkdir -p "$place" "$place.kept" && cp -a "$place/." "$place.kept/"
mount -t tmpfs -o "size=$size,mode=700" small "$place" && cp -a "$place.kept/." "$place/"
[ "$how" = rw ] || mount -o "remount,$how" "$place"
"$@"; code=$?
rm -rf "$place.kept" && cp -a "$place" "$place.kept"
exit $code
"#;

/// The scenes of this file; left out, and shown as such, where nothing can be mounted.
pub fn scenes() -> Vec<Trial> {
    let can_mount = can_mount();
    let scene = |name: &str, work: fn()| {
        Trial::test(format!("room::{name}"), move || {
            work();
            Ok(())
        })
        .with_ignored_flag(!can_mount)
    };
    if !can_mount {
        tally::left_out("`room::`, since no small disk can be mounted here");
    }
    vec![
        scene("a_small_one_that_is_full_loses_nothing", || {
            for size in SIZES {
                fill(size);
            }
        }),
        scene("a_small_one_that_is_read_only_sends_nothing", read_only),
    ]
}

fn can_mount() -> bool {
    let tried = Command::new("unshare")
        .args(["-rm", "mount", "-t", "tmpfs", "-o", "size=1m", "small", "/tmp"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    tried.is_ok_and(|status| status.success())
}

fn place(shop: &Shop) -> PathBuf {
    shop.ledger_path()
        .parent()
        .or_fail("a ledger without a directory")
        .to_owned()
}

/// Runs a command with its ledger on a disk of this size; afterwards the ledger is where there is room.
fn on_small_disk<'shop>(shop: &'shop Shop, size: &str, how: &str, words: &[&str]) -> Outcome<'shop> {
    let place = place(shop);
    let model = shop.command(words);
    let variables = model.get_envs().filter_map(|(name, value)| Some((name, value?)));
    let mut command = Command::new("unshare");
    command
        .env_clear()
        .envs(variables)
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .current_dir(shop.home())
        .stdin(Stdio::null())
        .args(["-rm", "sh", "-c", ON_SMALL_DISK, "sh", size])
        .arg(&place)
        .args([how, BINARY])
        .args(words);
    let output = command.output().or_fail("unshare does not run");
    let kept = place.with_extension("kept");
    std::fs::remove_dir_all(&place).or_fail("the place of the small disk");
    std::fs::rename(kept, &place).or_fail("what was on the small disk");
    Outcome::new(shop, words, &output)
}

fn fill(size: &str) {
    let shop = quick(&[]);
    let november = shop.sheet("november.csv").customers(ROWS);
    let full = on_small_disk(
        &shop,
        size,
        "rw",
        &["batch", "november.csv", "--yes", "-o", "json"],
    );
    assert_eq!(full.code, Some(10), "{size}: {full:?}");
    tally::inspect(&shop, &[&full]);
    november.send().expect_exit(0);
    november.expect_each_paid_once();
    november.expect_true_results();
    tally::paid(&shop);
}

fn read_only() {
    let shop = quick(&[]);
    shop.run(&["plans"]).expect_exit(0);
    let november = shop.sheet("november.csv").customers(3);
    let refused = on_small_disk(
        &shop,
        "4m",
        "ro",
        &["batch", "november.csv", "--yes", "-o", "json"],
    );
    refused.expect_exit(10).expect_no_post();
    november.send().expect_exit(0);
    november.expect_each_paid_once();
    tally::paid(&shop);
}
