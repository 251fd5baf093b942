//! The figures of batches: how fast, how much memory, how they grow, and how a quota is used.
//!
//! Everything is measured from outside: the whole command, from its start to its end, with a ledger of its own on a
//! real disk, against a provider in a process of its own that does as little as an honest one can.

mod bare;
mod growth;
mod home;
mod paced;
mod planning;
mod provider;
mod serve;
mod throughput;

use std::error::Error;

pub use bare::post_all;
pub use serve::serve;

use home::Bench;

/// The word that makes this program the provider.
pub const PROVIDER: &str = "provider";
/// The word that makes this program the bare loop.
pub const BARE_LOOP: &str = "bare-loop";

/// Turns of each pair that are counted.
const PAIRS: usize = 5;

/// How many rows are measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scale {
    /// To see that everything works.
    Small,
    /// What a few minutes allow.
    Usual,
    /// What was promised: a million.
    Full,
}

impl Scale {
    fn throughput_rows(self) -> u32 {
        match self {
            Self::Small => 2_000,
            Self::Usual | Self::Full => 20_000,
        }
    }

    fn planning_rows(self) -> u32 {
        match self {
            Self::Small => 20_000,
            Self::Usual => 200_000,
            Self::Full => 1_000_000,
        }
    }

    fn growth_rows(self) -> &'static [u32] {
        match self {
            Self::Small => &[1_000, 3_000, 10_000],
            Self::Usual => &[1_000, 10_000, 100_000],
            Self::Full => &[1_000, 10_000, 100_000, 1_000_000],
        }
    }

    fn paced_rows(self) -> u32 {
        match self {
            Self::Small => 250,
            Self::Usual | Self::Full => 300,
        }
    }
}

/// A figure, or several that are measured by the same runs.
type Figure = fn(&Bench, Scale) -> Result<(), Box<dyn Error>>;

const FIGURES: [(&str, Figure); 4] = [
    ("throughput", throughput::figures),
    ("planning", planning::figures),
    ("growth", growth::figures),
    ("paced", paced::figures),
];

/// Prints the wanted figures; all where none is named.
pub fn figures(scale: Scale, wanted: &[&str]) -> Result<(), Box<dyn Error>> {
    let known = FIGURES.map(|(name, _)| name);
    if let Some(unknown) = wanted.iter().find(|name| !known.contains(name)) {
        return Err(format!("there is no figure `{unknown}`; there are: {}", known.join(", ")).into());
    }
    let bench = Bench::open()?;
    println!(
        "\nBatches. Each ratio is that of the medians of {PAIRS} alternating pairs; behind the goal, those of single pairs."
    );
    for (name, figure) in FIGURES {
        if wanted.is_empty() || wanted.contains(&name) {
            figure(&bench, scale)?;
        }
    }
    Ok(())
}

/// A whole number with its thousands apart.
fn grouped(number: impl Into<u128>) -> String {
    let digits = number.into().to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
