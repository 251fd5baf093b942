//! `simulate`: serves the simulator until stopped, for scripts and other clients.

use std::net::SocketAddr;

use super::session::Session;
use crate::error::{Error, ExitCode, Kind, Result};
use crate::simulator::{Options, Simulator};

/// What is asked for.
#[derive(Debug, Clone)]
pub struct Request {
    /// Where to listen; loopback only.
    pub listen: SocketAddr,
    /// How the simulator behaves.
    pub options: Options,
}

/// Serves until asked to stop, which is its good end.
pub async fn run(session: &Session, request: Request) -> Result<ExitCode> {
    let listen = request.listen;
    if !listen.ip().is_loopback() {
        return Err(
            Error::usage("not_loopback", format!("`{listen}` is not a loopback address"))
                .hint("the simulator serves this machine only: use 127.0.0.1"),
        );
    }
    let listener = tokio::net::TcpListener::bind(listen).await.map_err(|error| {
        Error::new(Kind::Usage, "listen", format!("can't listen on `{listen}`"))
            .because(error)
            .hint("choose another port, or 0 for any free one")
    })?;
    let address = listener
        .local_addr()
        .map_err(|error| Error::internal("no address").because(error))?;
    let (key, environment) = (request.options.key.clone(), request.options.environment);
    let simulator = Simulator::open(request.options)
        .map_err(|error| Error::new(Kind::Usage, "simulator", "the simulator can't start").because(error))?;
    let text = format!("http://{address}\n");
    session
        .printer
        .raw(text.as_bytes())
        .map_err(super::outcome::unprintable)?;
    session.printer.note(&format!(
        "{environment} account with the key `{key}`; in another terminal:"
    ));
    session.printer.note(&format!(
        "  export ONECLICKDZ_BASE_URL=http://{address} ONECLICKDZ_API_KEY={key}"
    ));
    session.printer.note(&format!(
        "  books: http://{address}/_simulator/books; Ctrl-C ends"
    ));
    tokio::select! {
        served = simulator.serve(listener) => {
            served.map_err(|error| Error::internal("the simulator has stopped").because(error))?;
        }
        () = until_stopped(session) => {}
    }
    Ok(ExitCode::Success)
}

async fn until_stopped(session: &Session) {
    // A year is as good as for ever, and a sleep wakes up when asked to stop.
    while session
        .stop
        .sleep(std::time::Duration::from_hours(366 * 24))
        .await
        .is_ok()
    {}
}
