//! Bytes of others, and what must hold whatever they are: sheets, numbers, amounts, the provider's answers, and the
//! words and files that people write.
//!
//! `cargo test --test fuzz` holds the corpus and some thousand inputs made of it to each property, always the same
//! ones. `ONECLICK_FUZZ_SECONDS=3600 cargo test --release --test fuzz -- --nocapture` goes on for an hour a property
//! from a new seed, which it prints; `ONECLICK_FUZZ_SEED` runs that one again. What fails is cut down and written to
//! `tests/fuzz/corpus/<name>/found-…`: mend it, name the file after what it shows, and keep it.
//!
//! Each property is a function of bytes, so a fuzzer that is led by coverage takes it as it is: in a crate of its own,
//! `libfuzzer_sys::fuzz_target!(|bytes: &[u8]| numbers::phone(bytes))` with the module named by `#[path]`, and the
//! corpus directory as its first argument.

#![expect(clippy::print_stdout, reason = "what was made, and what failed, is told")]

mod answer;
mod numbers;
mod runner;
mod sheet;
mod words;
