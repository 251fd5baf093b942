//! One file per subcommand: a request of domain types, the work, an outcome to show. Nothing here parses what
//! was typed, and nothing here knows how HTTP or the database work.

mod acting;
pub mod balance;
pub mod batch;
pub mod config;
mod desk;
mod link;
mod outcome;
pub mod plans;
pub mod reconcile;
pub mod refs;
pub mod report;
pub mod send;
mod session;
mod signals;
pub mod simulate;

use crate::config::Overrides;
use crate::error::{ExitCode, Result};
pub use session::{Session, fallback_printer, known_catalogue, known_refs};

/// What was typed, understood.
#[derive(Debug)]
pub enum Request {
    /// `balance`
    Balance(balance::Request),
    /// `plans`
    Plans(plans::Request),
    /// `send`
    Send(send::Request),
    /// `batch`
    Batch(batch::Request),
    /// `ref …`
    Refs(refs::Request),
    /// `report`
    Report(report::Request),
    /// `reconcile`
    Reconcile(reconcile::Request),
    /// `config …`
    Config(config::Request),
    /// `simulate`
    Simulate(simulate::Request),
    /// `completions` and `man`: a text that is ready.
    Text(Vec<u8>),
}

/// What every command is told.
#[derive(Debug, Clone, Default)]
pub struct Globals {
    /// What the flags say of the configuration.
    pub overrides: Overrides,
    /// `--quiet`
    pub quiet: bool,
    /// `--verbose`, counted.
    pub verbosity: u8,
    /// The whole command line.
    pub typed: Vec<String>,
}

/// Does what was typed; what went wrong has been shown when this returns.
pub fn run(request: Request, globals: &Globals) -> ExitCode {
    let session = match Session::open(globals) {
        Ok(session) => session,
        Err(error) => {
            // `config path` says where a configuration is that can't be read.
            if let Request::Config(request) = &request
                && let Some(code) = config::run_without(request, globals)
            {
                return code;
            }
            fallback_printer(globals).error(&error);
            return error.exit_code();
        }
    };
    for warning in &session.config.warnings {
        session.printer.warn(warning);
    }
    let outcome = dispatch(&session, request);
    // Before the error: it is the last line.
    session.write_log();
    outcome.unwrap_or_else(|error| {
        session.printer.error(&error);
        error.exit_code()
    })
}

fn dispatch(session: &Session, request: Request) -> Result<ExitCode> {
    match request {
        Request::Text(text) => {
            session.printer.raw(&text).map_err(outcome::unprintable)?;
            Ok(ExitCode::Success)
        }
        Request::Refs(refs::Request::New(request)) => refs::new::run(session, &request),
        Request::Refs(refs::Request::Audit(request)) => refs::audit::run(session, &request),
        Request::Config(request) if !request.waits() => config::run_offline(session, &request),
        Request::Balance(request) => session.block_on(balance::run(session, &request)),
        Request::Plans(request) => session.block_on(plans::run(session, &request)),
        Request::Batch(request) => session.block_on(batch::run(session, &request)),
        Request::Send(request) => session.block_on(send::run(session, &request)),
        Request::Refs(request) => session.block_on(refs::run(session, request)),
        Request::Report(request) => session.block_on(report::run(session, &request)),
        Request::Reconcile(request) => session.block_on(reconcile::run(session, &request)),
        Request::Config(request) => session.block_on(config::run(session, &request)),
        Request::Simulate(request) => session.block_on(simulate::run(session, request)),
    }
}
