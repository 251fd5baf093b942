//! The road to the provider breaks in every way that a network, a proxy or a broken server knows.
//!
//! The binary talks to a scripted server over real sockets; what arrives is passed on to the simulator, whose books say
//! what was paid. Every case is played on `send`, `batch`, `ref check` and `balance`: what is lost is unknown (exit 6)
//! and is asked about; what never left is not sent (exit 7); the same command again, on a mended road, ends with one
//! acceptance for each ref; and the key is in no output and no file.
//!
//! `cargo test --test cli network -- --nocapture` prints a table of what was played behind each family.

mod answers;
mod case;
mod connections;
mod papers;
mod road;
mod suite;
mod unsent;
