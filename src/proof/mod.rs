//! The proof: thousands of worlds, each from a seed, in which everything goes wrong that can, and in which the promise
//! holds all the same (design, section 2).
//!
//! `cargo proof` prints the report, and behind it that of the crash suite, which does the same to the real binary. `ONECLICK_PROOF_SEEDS` says how many worlds are played
//! (100000 is a long run), `ONECLICK_PROOF_FROM` where they begin; a world that breaks the promise is named by its seed,
//! which replays it, and shown whole with `ONECLICK_PROOF_SHOWN`. `ONECLICK_PROOF_RULE=SameRef` breaks one rule only. Seeds that have ever failed stand in `seeds.txt` and are played each time.

mod process;
mod provider;
mod reference;
mod rig;
mod world;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::promise::{Rule, broken};
use reference::Broken;
use rig::{Verdict, play};

/// Worlds that are played where nobody says how many.
const SEEDS: u64 = 2_000;
/// Worlds that are played, at most, to notice that a rule is broken.
const SEEDS_TO_NOTICE: u64 = 800;

fn told(name: &str, otherwise: u64) -> u64 {
    std::env::var(name)
        .ok()
        .and_then(|value| value.parse().ok())
        .unwrap_or(otherwise)
}

/// The report is for whoever asks with `--nocapture`.
#[expect(clippy::print_stdout, reason = "a test's own output")]
fn say(line: &str) {
    println!("{line}");
}

/// Whether a failed world is shown, and which are being played.
fn is_shown() -> bool {
    std::env::var_os("ONECLICK_PROOF_SHOWN").is_some()
}

/// Seeds that have failed once.
fn regressions() -> impl Iterator<Item = u64> {
    let lines = include_str!("seeds.txt").lines();
    lines.filter_map(|line| line.split('#').next()?.trim().parse().ok())
}

/// Plays worlds on all processors until `stop` says that it is enough; gives what each has brought.
fn play_all(seeds: impl Iterator<Item = u64>, rule: Option<Rule>) -> Vec<(u64, Verdict)> {
    let seeds: Vec<_> = seeds.collect();
    let next = AtomicU64::new(0);
    let worker = || {
        let mut played = Vec::new();
        while let Some(seed) = usize::try_from(next.fetch_add(1, Ordering::Relaxed))
            .ok()
            .and_then(|at| seeds.get(at))
        {
            if is_shown() {
                say(&format!("seed {seed} begins"));
            }
            let verdict = broken(rule, || play(*seed, rule));
            if is_shown() {
                say(&format!("seed {seed} has ended"));
            }
            let is_broken = !verdict.broken.is_empty();
            played.push((*seed, verdict));
            if is_broken && rule.is_some() {
                next.store(u64::from(u32::MAX), Ordering::Relaxed);
            }
        }
        played
    };
    let threads = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(worker)).collect();
        let played = workers.into_iter().flat_map(|worker| {
            worker
                .join()
                .unwrap_or_else(|fallen| std::panic::resume_unwind(fallen))
        });
        played.collect()
    })
}

fn report(played: &[(u64, Verdict)]) -> String {
    let sum = |of: fn(&Verdict) -> u64| played.iter().map(|(_, verdict)| of(verdict)).sum::<u64>();
    let count = |is: fn(&Broken) -> bool| {
        let broken = played.iter().flat_map(|(_, verdict)| &verdict.broken);
        broken.filter(|broken| is(broken)).count() as u64
    };
    let mut faults: BTreeMap<String, u64> = BTreeMap::new();
    for (fault, times) in played.iter().flat_map(|(_, verdict)| &verdict.faults) {
        *faults.entry(format!("{fault:?}")).or_default() += times;
    }
    let mut lines = vec![
        ("worlds", played.len() as u64),
        ("scenes", sum(|v| v.scenes)),
        ("faults injected", faults.values().sum()),
        ("kills", sum(|v| v.kills)),
        ("interrupts", sum(|v| v.interrupts)),
        ("requests to top up", sum(|v| v.posts)),
        ("rows paid", sum(|v| v.paid)),
        ("doubles", count(|b| matches!(b, Broken::Double(_)))),
        ("losses", count(|b| matches!(b, Broken::Lost(_)))),
        ("false failures", count(|b| matches!(b, Broken::FalseWord(_)))),
        ("secrets found", count(|b| matches!(b, Broken::Secret(_)))),
        ("other breaches", count(|b| matches!(b, Broken::Conduct(_)))),
    ]
    .into_iter()
    .map(|(what, number)| format!("{what:<20} {number:>9}"))
    .collect::<Vec<_>>();
    lines.extend(
        faults
            .iter()
            .map(|(fault, times)| format!("  {fault:<18} {times:>9}")),
    );
    lines.join("\n")
}

fn failures(played: &[(u64, Verdict)]) -> Vec<String> {
    let failed = played.iter().filter(|(_, verdict)| !verdict.broken.is_empty());
    failed
        .take(20)
        .map(|(seed, verdict)| format!("seed {seed}: {:?}", verdict.broken))
        .collect()
}

#[test]
fn the_promise_holds_in_every_world() {
    let from = told("ONECLICK_PROOF_FROM", 0);
    let seeds = from..from + told("ONECLICK_PROOF_SEEDS", SEEDS);
    let played = play_all(regressions().chain(seeds), None);
    say(&report(&played));
    let failures = failures(&played);
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn a_seed_replays_its_run() {
    for seed in 0..20 {
        assert_eq!(play(seed, None), play(seed, None), "seed {seed}");
    }
}

#[test]
fn each_rule_is_missed_when_it_is_broken() {
    let mut alive = Vec::new();
    say(&format!("{:<62} noticed by", "rule"));
    let asked_for = std::env::var("ONECLICK_PROOF_RULE").ok();
    let is_asked_for = |rule: &Rule| asked_for.as_ref().is_none_or(|name| *name == format!("{rule:?}"));
    for rule in Rule::ALL.into_iter().filter(is_asked_for) {
        let played = play_all(0..SEEDS_TO_NOTICE, Some(rule));
        let noticed = played
            .iter()
            .filter(|(_, verdict)| !verdict.broken.is_empty())
            .min_by_key(|(seed, _)| *seed);
        match noticed {
            Some((seed, verdict)) => say(&format!("{rule:<62} seed {seed}: {:?}", verdict.broken.first())),
            None => alive.push(rule),
        }
    }
    assert!(alive.is_empty(), "nobody misses {alive:?}");
}
