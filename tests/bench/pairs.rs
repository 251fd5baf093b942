//! Two programs by turns, so that whatever disturbs the machine disturbs both.

use std::error::Error;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Turns of a short program that are not counted: files come into memory, caches warm up.
const WARM_UP_PAIRS: usize = 5;

/// The times of both, pair by pair, each from the start of a process to its end.
#[derive(Debug, Clone, Default)]
pub struct Pairs {
    times: Vec<(Duration, Duration)>,
}

impl Pairs {
    /// The median time of `oneclick`.
    pub fn ours(&self) -> Duration {
        middle(self.times.iter().map(|(ours, _)| *ours).collect())
    }

    /// The median time of what it is measured against.
    pub fn yardstick(&self) -> Duration {
        middle(self.times.iter().map(|(_, yardstick)| *yardstick).collect())
    }

    /// How many thousandths of the yardstick's time ours is.
    pub fn per_mille(&self) -> u128 {
        per_mille(self.ours(), self.yardstick())
    }

    /// How many thousandths of our time the yardstick's is: how fast ours is, where more is better.
    pub fn speed_per_mille(&self) -> u128 {
        per_mille(self.yardstick(), self.ours())
    }

    /// The least and the most that single pairs say of [`Pairs::per_mille`].
    pub fn spread(&self) -> (u128, u128) {
        let ratios = self
            .times
            .iter()
            .map(|(ours, yardstick)| per_mille(*ours, *yardstick));
        least_and_most(ratios)
    }

    /// The least and the most that single pairs say of [`Pairs::speed_per_mille`].
    pub fn speed_spread(&self) -> (u128, u128) {
        let ratios = self
            .times
            .iter()
            .map(|(ours, yardstick)| per_mille(*yardstick, *ours));
        least_and_most(ratios)
    }
}

/// Runs both `pairs` times. Which goes first changes with each pair.
///
/// Fails when a program can't be started or does not exit with 0: its time would mean nothing.
pub fn alternate(pairs: usize, ours: &mut Command, yardstick: &mut Command) -> Result<Pairs, Box<dyn Error>> {
    let [whole] = by_turns(pairs, WARM_UP_PAIRS, &mut || Ok([time(ours)?]), &mut || {
        Ok([time(yardstick)?])
    })?;
    Ok(whole)
}

/// What runs a program once and says how long it and its parts took.
pub type Timed<'a, const N: usize> = &'a mut dyn FnMut() -> Result<[Duration; N], Box<dyn Error>>;

/// The same for what has to be prepared and looked at around each run. The first `uncounted` pairs are not counted.
pub fn by_turns<const N: usize>(
    pairs: usize,
    uncounted: usize,
    ours: Timed<'_, N>,
    yardstick: Timed<'_, N>,
) -> Result<[Pairs; N], Box<dyn Error>> {
    let mut counted = [const { Pairs { times: Vec::new() } }; N];
    for pair in 0..uncounted + pairs {
        let times = if pair % 2 == 0 {
            let our_time = ours()?;
            (our_time, yardstick()?)
        } else {
            let yardstick_time = yardstick()?;
            (ours()?, yardstick_time)
        };
        if pair >= uncounted {
            for (part, counted) in counted.iter_mut().enumerate() {
                counted.times.push((times.0[part], times.1[part]));
            }
        }
    }
    Ok(counted)
}

/// Runs a program to its end, without a word.
pub fn time(command: &mut Command) -> Result<Duration, Box<dyn Error>> {
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

fn per_mille(part: Duration, whole: Duration) -> u128 {
    part.as_nanos() * 1_000 / whole.as_nanos().max(1)
}

fn least_and_most(ratios: impl Iterator<Item = u128> + Clone) -> (u128, u128) {
    let least = ratios.clone().min().unwrap_or_default();
    (least, ratios.max().unwrap_or_default())
}

/// The middle one; the upper of the two middle ones of an even number.
fn middle(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}
