//! The crash suite: the real binary, struck at every call that it makes to the system, against the simulator over real
//! sockets. Whatever strikes, and whenever, each order is paid once, none is lost, and none that was delivered is
//! called failed.
//!
//! `cargo test --test crash` runs it and prints a table at its end; a name behind `--` picks scenes, as
//! `-- power`. It strikes through a small library that the system's `cc` makes when the suite runs (`inject.c`), and
//! needs neither root nor a tool besides. Linux alone has what it stands on.
//!
//! The counts of a usual run fit into a minute and a half on two cores. The long mode is the same with more of each:
//!
//! ```text
//! ONECLICK_CRASH_FULL=1      every moment of every write, not one moment of each
//! ONECLICK_CRASH_KILLS=2000  kill -9 at so many random instants
//! ONECLICK_CRASH_CUTS=20000  so many images of the disk at a power cut
//! ONECLICK_CRASH_SEED=7      other instants, faults and images than the usual ones; a failure names its seed
//! ```
//!
//! A seed replays what was chosen, not how the system shared out its time: a failure at a random instant may take
//! several runs to come again.

#[cfg(target_os = "linux")]
#[path = "../cli/outcome.rs"]
#[expect(
    dead_code,
    reason = "another suite's language, of which this one speaks a part"
)]
mod outcome;
#[cfg(target_os = "linux")]
#[path = "../cli/provider.rs"]
#[expect(
    dead_code,
    reason = "another suite's language, of which this one speaks a part"
)]
mod provider;
#[cfg(target_os = "linux")]
#[path = "../cli/sheet.rs"]
#[expect(
    dead_code,
    reason = "another suite's language, of which this one speaks a part"
)]
mod sheet;
#[cfg(target_os = "linux")]
#[path = "../cli/support.rs"]
#[expect(
    dead_code,
    reason = "another suite's language, of which this one speaks a part"
)]
mod support;

#[cfg(target_os = "linux")]
mod clock;
#[cfg(target_os = "linux")]
mod deed;
#[cfg(target_os = "linux")]
mod disk;
#[cfg(target_os = "linux")]
mod inject;
#[cfg(target_os = "linux")]
mod instants;
#[cfg(target_os = "linux")]
mod kills;
#[cfg(target_os = "linux")]
mod lanes;
#[cfg(target_os = "linux")]
mod power;
#[cfg(target_os = "linux")]
mod replay;
#[cfg(target_os = "linux")]
mod room;
#[cfg(target_os = "linux")]
mod tally;

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    let scenes = [
        kills::scenes(),
        instants::scenes(),
        disk::scenes(),
        room::scenes(),
        power::scenes(),
        clock::scenes(),
    ];
    let mut arguments = libtest_mimic::Arguments::from_args();
    // `cargo proof` asks this suite and the model for their reports: all of this suite is part of the proof.
    arguments.filter = arguments.filter.filter(|name| name != "proof");
    let conclusion = libtest_mimic::run(&arguments, scenes.into_iter().flatten().collect());
    if conclusion.num_passed + conclusion.num_failed > 0 {
        tally::print();
    }
    conclusion.exit_code()
}

#[cfg(not(target_os = "linux"))]
fn main() {}
