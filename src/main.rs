//! Parse, run, exit code.

use std::process::ExitCode;

/// A batch asks for memory dozens of times a row; the system's allocator takes a tenth of its time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    ExitCode::from(oneclick::cli::main().number())
}
