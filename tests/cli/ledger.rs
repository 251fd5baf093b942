//! A ledger that cannot be used: exit code 10, a hint, and not a single request.

use std::fs;
use std::io::{Seek, SeekFrom, Write};

use crate::outcome::Outcome;
use crate::support::{OrFail, Shop};

/// Nothing was asked and nothing was sent, and the error says how to mend it.
#[track_caller]
fn expect_refused(shop: &Shop, code: &str) {
    let calls = shop.books().all_calls();
    let check = |refused: Outcome<'_>| {
        let refused = refused.expect_exit(10).expect_error(code);
        assert!(
            refused.error()["hints"]
                .as_array()
                .is_some_and(|hints| !hints.is_empty()),
            "{refused:?}"
        );
        assert_eq!(shop.books().all_calls(), calls, "a request has left: {refused:?}");
    };
    check(shop.send(500));
    check(shop.run(&["ref", "check", "-o", "json"]));
    check(shop.run(&["ref", "list", "-o", "json"]));
}

#[test]
fn a_directory_is_no_ledger() {
    let shop = Shop::open();
    let path = shop.home().join("directory");
    fs::create_dir(&path).or_fail("no directory");
    let shop = shop.set("ONECLICKDZ_LEDGER", path.display().to_string());
    expect_refused(&shop, "ledger_unavailable");
}

#[test]
fn a_text_is_no_ledger_and_stays_as_it_is() {
    let shop = Shop::open();
    let path = shop.home().join("november.csv");
    let text = "phone,amount\n0778037340,500\n".repeat(200);
    fs::write(&path, &text).or_fail("not written");
    let shop = shop.set("ONECLICKDZ_LEDGER", path.display().to_string());
    expect_refused(&shop, "ledger_damaged");
    assert_eq!(fs::read_to_string(&path).or_fail("not read"), text);
}

#[test]
fn a_place_below_a_file_cannot_hold_one() {
    let shop = Shop::open();
    let file = shop.home().join("file");
    fs::write(&file, "").or_fail("not written");
    let shop = shop.set("ONECLICKDZ_LEDGER", file.join("ledger.db").display().to_string());
    expect_refused(&shop, "ledger_unavailable");
}

/// A device that takes no byte, as a full disk does.
#[cfg(target_os = "linux")]
#[test]
fn a_device_without_room_cannot_hold_one() {
    let shop = Shop::open();
    let link = shop.home().join("full.db");
    std::os::unix::fs::symlink("/dev/full", &link).or_fail("no link");
    let shop = shop.set("ONECLICKDZ_LEDGER", link.display().to_string());
    let refused = shop.send(500).expect_exit(10).expect_no_post();
    assert_eq!(refused.error()["kind"], "ledger", "{refused:?}");
}

/// The schema's number is the big-endian integer at offset 60 of the file: the database's documented format.
#[test]
fn a_newer_ledger_is_refused() {
    let shop = Shop::open();
    shop.send(500).expect_exit(0);
    assert!(shop.ledger_path().exists(), "the ledger is elsewhere");
    let mut file = fs::OpenOptions::new()
        .write(true)
        .open(shop.ledger_path())
        .or_fail("no ledger");
    file.seek(SeekFrom::Start(60)).or_fail("no offset 60");
    file.write_all(&999_u32.to_be_bytes()).or_fail("not written");
    drop(file);
    expect_refused(&shop, "ledger_newer");
    let refused = shop.send(600);
    assert!(
        refused.error()["message"].to_string().contains("999"),
        "{refused:?}"
    );
}

/// In the middle of the file, where the first page no longer tells it.
#[test]
fn a_ledger_that_is_overwritten_is_refused() {
    let shop = Shop::open();
    shop.send(500).expect_exit(0);
    let length = fs::metadata(shop.ledger_path()).or_fail("no ledger").len();
    let noise = vec![0xA5; usize::try_from(length).or_fail("too long")];
    fs::write(shop.ledger_path(), noise).or_fail("not written");
    expect_refused(&shop, "ledger_damaged");
}

/// Only when permissions bind whoever runs the tests: they do not bind root.
#[cfg(unix)]
#[test]
fn a_directory_that_cannot_be_written_cannot_hold_one() {
    use std::os::unix::fs::PermissionsExt;
    let shop = Shop::open();
    let directory = shop.home().join("read-only");
    fs::create_dir(&directory).or_fail("no directory");
    fs::set_permissions(&directory, fs::Permissions::from_mode(0o500)).or_fail("no permissions");
    if fs::write(directory.join("probe"), "").is_ok() {
        return;
    }
    let shop = shop.set(
        "ONECLICKDZ_LEDGER",
        directory.join("ledger.db").display().to_string(),
    );
    expect_refused(&shop, "ledger_unavailable");
}

/// Private from its first byte on, with all that lies beside it.
#[cfg(unix)]
#[test]
fn the_ledger_is_readable_by_its_owner_only() {
    use std::os::unix::fs::PermissionsExt;
    let shop = Shop::open();
    shop.send(500).expect_exit(0);
    let directory = shop.ledger_path().parent().or_fail("no directory").to_owned();
    let mode = |path: &std::path::Path| fs::metadata(path).or_fail("no file").permissions().mode() & 0o777;
    assert_eq!(mode(&directory), 0o700);
    for entry in fs::read_dir(&directory).or_fail("not read") {
        let path = entry.or_fail("not read").path();
        assert_eq!(mode(&path) & 0o077, 0, "{}", path.display());
    }
}

/// The first commands of a new shop, at one instant: one of them makes the ledger, and the others wait for it.
#[test]
fn a_ledger_is_made_once_by_many_at_the_same_instant() {
    let home = tempfile::tempdir().or_fail("no temporary directory");
    for round in 0..100 {
        let path = home.path().join(format!("{round}/ledger.db"));
        let start = std::sync::Barrier::new(4);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    start.wait();
                    oneclick::ledger::Ledger::open(&path).or_fail("it is refused")
                });
            }
        });
    }
}
