//! Parse, run, exit code.

use std::panic::catch_unwind;
use std::process::ExitCode;

use oneclick::error::ExitCode as Code;

fn main() -> ExitCode {
    // A fault of the tool has the exit code that the contract names; the panic's own message is on stderr.
    let code = catch_unwind(oneclick::cli::main).unwrap_or(Code::Internal);
    ExitCode::from(code.number())
}
