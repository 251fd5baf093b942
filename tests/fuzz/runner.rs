//! Makes inputs by changing known ones, and cuts a failing one down to what it takes.
//!
//! A target is a name, a corpus in `tests/fuzz/corpus/<name>/`, words that its inputs are made of, and a property that
//! panics. The same seed makes the same inputs.

use std::collections::BTreeSet;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use fastrand::Rng;

/// The seed of the bounded run.
const SEED: u64 = 20_261_126;
/// How many tries it may take to make a failing input shorter.
const SHORTENINGS_MAX: usize = 2_000;
/// How often one input is changed at most.
const CHANGES_MAX: usize = 8;

/// What is fuzzed, and how.
pub struct Target {
    name: &'static str,
    words: &'static [&'static str],
    inputs: usize,
    bytes_max: usize,
}

impl Target {
    /// A target with its words; its bounded run has so many inputs.
    pub fn new(name: &'static str, words: &'static [&'static str], inputs: usize) -> Self {
        Self {
            name,
            words,
            inputs,
            bytes_max: 4096,
        }
    }

    fn directory(&self) -> PathBuf {
        PathBuf::from(env!("CARGO_MANIFEST_DIR"))
            .join("tests/fuzz/corpus")
            .join(self.name)
    }

    /// Every file of the corpus, by name.
    fn corpus(&self) -> Vec<Vec<u8>> {
        let listed = fs::read_dir(self.directory()).unwrap_or_else(|error| panic!("{}: {error}", self.name));
        let paths: BTreeSet<_> = listed.flatten().map(|entry| entry.path()).collect();
        let read =
            |path: &PathBuf| fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        paths.iter().map(read).collect()
    }

    /// Holds the corpus and what is made of it to the property: the bounded run, or as long as
    /// `ONECLICK_FUZZ_SECONDS` says, from another seed each time.
    pub fn run(&self, property: impl Fn(&[u8])) {
        let seconds = std::env::var("ONECLICK_FUZZ_SECONDS")
            .ok()
            .and_then(|text| text.parse().ok());
        let given = std::env::var("ONECLICK_FUZZ_SEED")
            .ok()
            .and_then(|text| text.parse().ok());
        let seed = given.unwrap_or_else(|| {
            if seconds.is_some() {
                fastrand::u64(..)
            } else {
                SEED
            }
        });
        let end = seconds.map(|seconds| Instant::now() + Duration::from_secs(seconds));
        let corpus = self.corpus();
        for input in &corpus {
            self.hold(input, &property, seed);
        }
        let mut maker = Maker {
            rng: Rng::with_seed(seed),
            corpus: &corpus,
            target: self,
        };
        let mut made = 0_usize;
        while end.map_or(made < self.inputs, |end| Instant::now() < end) {
            self.hold(&maker.input(), &property, seed);
            made += 1;
        }
        println!(
            "fuzz {:10} {:>4} of the corpus, {made:>9} made, seed {seed}",
            self.name,
            corpus.len()
        );
    }

    /// A failing input is cut down, written to the corpus, and told.
    fn hold(&self, input: &[u8], property: &impl Fn(&[u8]), seed: u64) {
        let fails = |input: &[u8]| catch_unwind(AssertUnwindSafe(|| property(input))).is_err();
        if !fails(input) {
            return;
        }
        let short = shortest(input, fails);
        let name = short.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
        });
        let path = self.directory().join(format!("found-{name:016x}"));
        let kept =
            fs::write(&path, &short).map_or_else(|error| error.to_string(), |()| path.display().to_string());
        println!(
            "seed {seed}: {:?}\nkept in {kept}",
            String::from_utf8_lossy(&short)
        );
        property(&short);
        panic!("{}: it failed once, and not again", self.name);
    }
}

/// Leaves out ever smaller pieces as long as it still fails.
fn shortest(input: &[u8], fails: impl Fn(&[u8]) -> bool) -> Vec<u8> {
    let (mut short, mut piece, mut tries) = (input.to_vec(), input.len() / 2, 0);
    while piece > 0 && tries < SHORTENINGS_MAX {
        let (mut at, mut is_shorter) = (0, false);
        while at < short.len() && tries < SHORTENINGS_MAX {
            let end = (at + piece).min(short.len());
            let without = [&short[..at], &short[end..]].concat();
            tries += 1;
            if fails(&without) {
                (short, is_shorter) = (without, true);
            } else {
                at = end;
            }
        }
        if !is_shorter {
            piece /= 2;
        }
    }
    short
}

/// Makes inputs.
struct Maker<'a> {
    rng: Rng,
    corpus: &'a [Vec<u8>],
    target: &'a Target,
}

impl Maker<'_> {
    fn input(&mut self) -> Vec<u8> {
        let mut input = match self.rng.u8(..10) {
            0 => (0..self.rng.usize(..64)).map(|_| self.rng.u8(..)).collect(),
            1 | 2 => (0..self.rng.usize(..16)).flat_map(|_| self.word()).collect(),
            _ => self.known(),
        };
        for _ in 0..self.rng.usize(..=CHANGES_MAX) {
            self.change(&mut input);
        }
        input.truncate(self.target.bytes_max);
        input
    }

    fn known(&mut self) -> Vec<u8> {
        self.rng.choice(self.corpus).cloned().unwrap_or_default()
    }

    fn word(&mut self) -> Vec<u8> {
        self.rng
            .choice(self.target.words)
            .map_or_else(Vec::new, |word| word.as_bytes().to_vec())
    }

    /// Two places in order, not far from each other.
    fn range(&mut self, length: usize) -> std::ops::Range<usize> {
        let start = self.rng.usize(..=length);
        let end = (start + self.rng.usize(..=16)).min(length);
        start..end
    }

    fn change(&mut self, input: &mut Vec<u8>) {
        let place = self.rng.usize(..=input.len());
        let range = self.range(input.len());
        match self.rng.u8(..10) {
            0 if place < input.len() => input[place] ^= 1 << self.rng.u8(..8),
            1 if place < input.len() => input[place] = self.rng.u8(..),
            2 if place < input.len() => input[place] = b'0' + self.rng.u8(..10),
            3 => drop(input.drain(range)),
            4 => {
                let piece = input[range].to_vec();
                drop(input.splice(place..place, piece));
            }
            5 => input.truncate(place),
            6 => {
                let other = self.known();
                let piece = self.range(other.len());
                drop(input.splice(range, other[piece].iter().copied()));
            }
            7 => {
                let mut character = [0; 4];
                let drawn = self.rng.char(..).encode_utf8(&mut character).as_bytes().to_vec();
                drop(input.splice(place..place, drawn));
            }
            _ => {
                let word = self.word();
                drop(input.splice(place..place, word));
            }
        }
    }
}
