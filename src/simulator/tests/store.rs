//! Books on disk: two simulators on one store, a line that was cut, and time that goes on.

use std::fs;
use std::io::Write;
use std::path::Path;

use serde_json::json;
use tempfile::TempDir;

use super::rig::{Rig, calm};
use crate::simulator::{Options, Simulator, SimulatorError};

fn folder() -> TempDir {
    tempfile::tempdir().unwrap_or_else(|error| panic!("{error}"))
}

fn at(store: &Path) -> Options {
    Options {
        store: Some(store.to_owned()),
        ..calm()
    }
}

fn append(store: &Path, text: &str) {
    let file = fs::OpenOptions::new()
        .append(true)
        .open(store.join("books.jsonl"));
    file.and_then(|mut file| file.write_all(text.as_bytes()))
        .unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn two_simulators_share_one_set_of_books() {
    let folder = folder();
    let store = folder.path().join("books");
    let (one, two) = (Rig::start(at(&store)), Rig::start(at(&store)));
    let mut ids = Vec::new();
    for number in 0..6 {
        let rig = if number % 2 == 0 { &one } else { &two };
        let sent = rig.send(&format!("order-{number}"), "0778037340").json();
        ids.push(sent["data"]["topupId"].to_string());
    }
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 6);
    assert_eq!(two.send("order-0", "0778037340").code(), "DUPLICATED-REF");
    assert_eq!(
        (one.balance(), two.balance()),
        ("47022.5".into(), "47022.5".into())
    );
    one.pass(16);
    assert_eq!(two.status("order-1"), "FULFILLED");
    assert_eq!(
        one.simulator.books()["accepted"],
        two.simulator.books()["accepted"]
    );
}

#[test]
#[cfg(unix)]
fn books_are_private() {
    use std::os::unix::fs::PermissionsExt;
    let folder = folder();
    let store = folder.path().join("books");
    let _rig = Rig::start(at(&store));
    let mode = |path: &Path| fs::metadata(path).map(|data| data.permissions().mode() & 0o777);
    assert_eq!(mode(&store).ok(), Some(0o700));
    assert_eq!(mode(&store.join("books.jsonl")).ok(), Some(0o600));
}

#[test]
fn many_senders_on_one_store_are_each_accepted_once() {
    let folder = folder();
    let rigs = [Rig::start(at(folder.path())), Rig::start(at(folder.path()))];
    std::thread::scope(|scope| {
        for rig in rigs.iter().chain(rigs.iter()) {
            scope.spawn(move || {
                for number in 0..20 {
                    rig.send(&format!("order-{number}"), "0778037340");
                }
            });
        }
    });
    let books = rigs[0].simulator.books();
    assert_eq!(books["orders"], 20);
    assert_eq!(books["balance"], json!(40_075));
    assert_eq!(books["accepted"], rigs[1].simulator.books()["accepted"]);
}

#[test]
fn orders_money_and_time_survive_a_restart() {
    let folder = folder();
    let rig = Rig::start(at(folder.path()));
    rig.send("back", "0600000001");
    rig.pass(3600);
    let before = rig.simulator.books();
    drop(rig);
    let rig = Rig::start(Options {
        balance: 1.into(),
        ..at(folder.path())
    });
    let after = rig.simulator.books();
    assert_eq!(
        (&after["accepted"], &after["balance"]),
        (&before["accepted"], &before["balance"])
    );
    assert_eq!(
        (rig.status("back").as_str(), rig.balance().as_str()),
        ("REFUNDED", "50000")
    );
}

#[test]
fn another_pace_goes_on_from_the_same_time() {
    let folder = folder();
    let slow = Rig::start(at(folder.path()));
    slow.send("a", "0778037340");
    slow.pass(7);
    let _fast = Rig::start(Options {
        speed: 100_000,
        ..at(folder.path())
    });
    std::thread::sleep(std::time::Duration::from_millis(20));
    assert_eq!(slow.status("a"), "FULFILLED");
}

#[test]
fn a_line_that_was_cut_is_dropped() {
    let folder = folder();
    let rig = Rig::start(at(folder.path()));
    rig.send("whole", "0778037340");
    append(folder.path(), r#"{"order":{"topup_id":"0123"#);
    assert_eq!(rig.send("next", "0778037340").status, 200);
    let again = Rig::start(at(folder.path()));
    assert_eq!(again.simulator.books()["orders"], 2);
    assert_eq!(again.balance(), rig.balance());
}

#[test]
fn a_store_cut_in_its_first_line_begins_again() {
    let folder = folder();
    fs::write(folder.path().join("books.jsonl"), r#"{"born":{"ver"#)
        .unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(Rig::start(at(folder.path())).balance(), "50000");
}

#[test]
fn damage_and_other_versions_are_told() {
    let folder = folder();
    let rig = Rig::start(at(folder.path()));
    append(folder.path(), "what is this\n");
    let damaged = Simulator::open(at(folder.path())).map(|_| ());
    assert!(
        matches!(damaged, Err(SimulatorError::Damaged { line: 3, .. })),
        "{damaged:?}"
    );
    for _ in 0..2 {
        assert_eq!(rig.send("a", "0778037340").code(), "INTERNAL_ERROR");
    }
    let text = fs::read_to_string(folder.path().join("books.jsonl")).unwrap_or_default();
    let newer = text.replace("\"version\":1", "\"version\":2");
    fs::write(folder.path().join("books.jsonl"), newer).unwrap_or_else(|error| panic!("{error}"));
    let version = Simulator::open(at(folder.path())).map(|_| ());
    assert!(
        matches!(version, Err(SimulatorError::Version { version: 2, .. })),
        "{version:?}"
    );
}

#[test]
fn a_store_that_cannot_be_made_is_told() {
    let folder = folder();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap_or_else(|error| panic!("{error}"));
    let refused = Simulator::open(at(&file)).map(|_| ());
    assert!(
        matches!(refused, Err(SimulatorError::Store { .. })),
        "{refused:?}"
    );
}

#[test]
fn the_same_seed_gives_the_same_ids_in_memory() {
    let first_id = |seed| {
        let rig = Rig::start(Options { seed, ..calm() });
        rig.send("a", "0778037340").json()["data"]["topupId"].to_string()
    };
    assert_eq!(first_id(1), first_id(1));
    assert_ne!(first_id(1), first_id(2));
}
