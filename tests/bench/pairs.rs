//! Two programs by turns, so that whatever disturbs the machine disturbs both.

use std::error::Error;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Turns that are not counted: files come into memory, caches warm up.
const WARM_UP_PAIRS: usize = 5;

/// The median time of each, from the start of the process to its end.
#[derive(Debug, Clone, Copy)]
pub struct Medians {
    /// `oneclick`.
    pub ours: Duration,
    /// What it is measured against.
    pub yardstick: Duration,
}

impl Medians {
    /// How many thousandths of the yardstick's time ours is.
    pub fn per_mille(&self) -> u128 {
        self.ours.as_nanos() * 1_000 / self.yardstick.as_nanos().max(1)
    }
}

/// Runs both `pairs` times. Which goes first changes with each pair.
///
/// Fails when a program can't be started or does not exit with 0: its time would mean nothing.
pub fn alternate(
    pairs: usize,
    ours: &mut Command,
    yardstick: &mut Command,
) -> Result<Medians, Box<dyn Error>> {
    let mut times = (Vec::with_capacity(pairs), Vec::with_capacity(pairs));
    for pair in 0..WARM_UP_PAIRS + pairs {
        let (our_time, yardstick_time) = if pair % 2 == 0 {
            let our_time = time(ours)?;
            (our_time, time(yardstick)?)
        } else {
            let yardstick_time = time(yardstick)?;
            (time(ours)?, yardstick_time)
        };
        if pair >= WARM_UP_PAIRS {
            times.0.push(our_time);
            times.1.push(yardstick_time);
        }
    }
    Ok(Medians {
        ours: median(times.0),
        yardstick: median(times.1),
    })
}

fn time(command: &mut Command) -> Result<Duration, Box<dyn Error>> {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let start = Instant::now();
    let status = command.status()?;
    let took = start.elapsed();
    if status.success() {
        Ok(took)
    } else {
        Err(format!("{command:?} ended with {status}").into())
    }
}

/// The middle one; the upper of the two middle ones of an even number.
fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}
