//! What the suite has done and found, and how a shop is held to its provider's books.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::inject::{Act, Errno, Plan};
use crate::lanes::seed;
use crate::outcome::Outcome;
use crate::support::{KEY, Shop, files_with};

static KILLS: AtomicU64 = AtomicU64::new(0);
static IMAGES: AtomicU64 = AtomicU64::new(0);
static PAID: AtomicU64 = AtomicU64::new(0);
static DOUBLES: AtomicU64 = AtomicU64::new(0);
static LOSSES: AtomicU64 = AtomicU64::new(0);
static FALSE_FAILURES: AtomicU64 = AtomicU64::new(0);
static SECRETS: AtomicU64 = AtomicU64::new(0);
static LEFT_OUT: Mutex<Vec<String>> = Mutex::new(Vec::new());
static INJECTED: Mutex<BTreeMap<String, u64>> = Mutex::new(BTreeMap::new());

fn add(counter: &AtomicU64, count: u64) {
    counter.fetch_add(count, Ordering::Relaxed);
}

/// A plan has struck.
pub fn injected(plan: Plan) {
    let act = match plan.act {
        Act::Before | Act::Half | Act::After => {
            add(&KILLS, 1);
            "killed"
        }
        Act::Once(Errno::Io) | Act::Lasting(Errno::Io) => "EIO",
        Act::Once(Errno::NoSpace) | Act::Lasting(Errno::NoSpace) => "ENOSPC",
        Act::Once(Errno::Access) | Act::Lasting(Errno::Access) => "EACCES",
        Act::Once(Errno::ReadOnly) | Act::Lasting(Errno::ReadOnly) => "EROFS",
        Act::Clock(seconds) if seconds < 0 => "clock back",
        Act::Clock(_) => "clock forward",
    };
    let mut injected = INJECTED.lock().unwrap_or_else(PoisonError::into_inner);
    *injected
        .entry(format!("{act} at {}", plan.kind.word()))
        .or_default() += 1;
}

/// A process was killed from outside.
pub fn killed() {
    add(&KILLS, 1);
    let mut injected = INJECTED.lock().unwrap_or_else(PoisonError::into_inner);
    *injected
        .entry("killed at a random instant".to_owned())
        .or_default() += 1;
}

/// An image of the disk was opened.
pub fn opened() {
    add(&IMAGES, 1);
}

/// An image of the disk does not know orders that may have left.
pub fn lost(refs: usize) {
    add(&LOSSES, u64::try_from(refs).unwrap_or(u64::MAX));
}

/// A scene can't be had on this machine; the table says so.
pub fn left_out(why: &str) {
    let mut left_out = LEFT_OUT.lock().unwrap_or_else(PoisonError::into_inner);
    left_out.push(why.to_owned());
}

/// What a shop's orders come to.
pub fn paid(shop: &Shop) {
    add(&PAID, shop.books().orders());
}

/// Holds ledger, files and what was said to the books, at any moment at which no command runs: nothing was paid twice,
/// nothing that the provider has is unknown to the ledger, nothing that it has or will deliver is called failed, and
/// the key is nowhere. Gives the state of each order, as the ledger has it.
#[track_caller]
pub fn inspect(shop: &Shop, said: &[&Outcome<'_>]) -> BTreeMap<String, String> {
    let (books, ledger) = (shop.books(), shop.ledger());
    let (mut doubles, mut losses, mut false_failures) = (0, 0, 0);
    for reference in books.refs() {
        doubles += books.count(&reference).saturating_sub(1);
        let state = ledger.get(&reference).map(String::as_str);
        losses += u64::from(state.is_none());
        let is_refunded = books.status(&reference) == Some("REFUNDED");
        // A planned row is one that nobody has sent.
        let is_called_failed = match state {
            Some("rejected" | "cancelled" | "planned") => true,
            Some("refunded") => !is_refunded,
            _ => false,
        };
        false_failures += u64::from(is_called_failed);
    }
    let files = files_with(shop.home(), KEY);
    let told = said
        .iter()
        .filter(|outcome| outcome.stdout.contains(KEY) || outcome.stderr.contains(KEY));
    let secrets = files.len() + told.count();
    add(&DOUBLES, doubles);
    add(&LOSSES, losses);
    add(&FALSE_FAILURES, false_failures);
    add(&SECRETS, u64::try_from(secrets).unwrap_or(u64::MAX));
    assert!(
        (doubles, losses, false_failures, secrets) == (0, 0, 0, 0),
        "{doubles} doubles, {losses} losses, {false_failures} false failures, {secrets} secrets\n\
         ledger: {ledger:?}\nbooks: {}\nfiles with the key: {files:?}\n{said:?}",
        books.0
    );
    ledger
}

/// The table at the end.
pub fn print() {
    let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    let injected = INJECTED.lock().unwrap_or_else(PoisonError::into_inner);
    let mut lines: Vec<(String, u64)> = injected
        .iter()
        .map(|(what, count)| (format!("  {what}"), *count))
        .collect();
    lines.extend(
        [
            ("kills", &KILLS),
            ("images of a cut disk", &IMAGES),
            ("rows paid", &PAID),
            ("doubles", &DOUBLES),
            ("losses", &LOSSES),
            ("false failures", &FALSE_FAILURES),
            ("secrets found", &SECRETS),
        ]
        .map(|(what, counter)| (what.to_owned(), read(counter))),
    );
    let left_out = LEFT_OUT.lock().unwrap_or_else(PoisonError::into_inner);
    let mut table = format!("ONECLICK_CRASH_SEED={}\n", seed());
    for why in left_out.iter() {
        let _ = writeln!(table, "left out: {why}");
    }
    table += "injections\n";
    for (what, count) in lines {
        let _ = writeln!(table, "{what:<32}{count:>10}");
    }
    // A reader that has gone away has seen what it wanted.
    let _ = std::io::stdout().write_all(table.as_bytes());
}
