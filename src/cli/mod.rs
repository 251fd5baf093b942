//! What was typed: clap types only. Each becomes a request of `commands`, once, here.

mod args;
mod complete;
mod help;
mod understand;

use std::ffi::OsString;
use std::io::Write;

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser};

use crate::commands;
use crate::error::{Error, ExitCode};

pub use args::Cli;

/// Runs what was typed. A fault of the tool ends with the exit code that the contract names for it; the panic's
/// own message is on stderr.
pub fn main() -> ExitCode {
    clap_complete::CompleteEnv::with_factory(Cli::command)
        .bin("oneclick")
        .complete();
    let arguments: Vec<_> = std::env::args_os().collect();
    std::panic::catch_unwind(|| run(&arguments)).unwrap_or(ExitCode::Internal)
}

fn run(arguments: &[OsString]) -> ExitCode {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => return usage(&error, arguments),
    };
    let words: Vec<_> = arguments
        .iter()
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    let globals = cli.globals(&words);
    match cli.understand(&words) {
        Ok(request) => commands::run(request, &globals),
        Err(error) => {
            commands::fallback_printer(&globals).error(&error);
            error.exit_code()
        }
    }
}

/// Help and version go to stdout; what could not be parsed goes to stderr, as JSON where JSON was asked for.
fn usage(error: &clap::Error, arguments: &[OsString]) -> ExitCode {
    if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        // A reader that has gone away is no failure.
        let _ = error.print();
        return ExitCode::Success;
    }
    if wants_json(arguments) {
        let text = error.to_string();
        // What was typed may have line ends of its own; clap's sentence ends at the first empty line.
        let sentence: Vec<_> = text.lines().take_while(|line| !line.trim().is_empty()).collect();
        let sentence = sentence.join(" ").trim_start_matches("error: ").to_owned();
        let json = Error::usage("usage", sentence)
            .hint("`oneclick --help` lists commands and flags")
            .to_json();
        let _ = writeln!(std::io::stderr(), "{json}");
    } else {
        let _ = error.print();
    }
    ExitCode::Usage
}

/// Whether JSON was asked for on a command line that could not be parsed.
fn wants_json(arguments: &[OsString]) -> bool {
    let words: Vec<_> = arguments
        .iter()
        .filter_map(|argument| argument.to_str())
        .collect();
    let is_json = |word: &str| matches!(word, "json" | "jsonl");
    let pairs = words
        .windows(2)
        .any(|pair| matches!(pair, ["-o" | "--output", form] if is_json(form)));
    let joined = words.iter().any(|word| {
        let form = word.strip_prefix("--output=").or_else(|| word.strip_prefix("-o"));
        form.is_some_and(|form| is_json(form.trim_start_matches('=')))
    });
    pairs || joined || std::env::var("ONECLICKDZ_OUTPUT").is_ok_and(|form| is_json(&form))
}
