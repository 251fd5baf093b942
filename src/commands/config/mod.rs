//! `config …`: the first file, every value with its origin, where the file is, and whether the key works.

mod init;

use serde_json::json;

use super::Globals;
use super::outcome::unprintable;
use super::session::{Session, fallback_printer};
use crate::config::{Config, Env, Places};
use crate::error::{Error, ExitCode, Result};
use crate::output::{Cell, Column, Format, Printer, Record, Table};

pub use init::Request as InitRequest;

/// What is asked for.
#[derive(Debug, Clone)]
pub enum Request {
    /// `config init`
    Init(init::Request),
    /// `config show`
    Show,
    /// `config path`
    Path,
    /// `config check`
    Check,
}

impl Request {
    /// Whether it waits for somebody: for the provider, or for who types the key.
    pub fn waits(&self) -> bool {
        match self {
            Self::Check | Self::Init(_) => true,
            Self::Show | Self::Path => false,
        }
    }
}

/// Does what waits for nobody.
pub fn run_offline(session: &Session, request: &Request) -> Result<ExitCode> {
    match request {
        Request::Show => show(session),
        Request::Path => path(&session.printer, &session.config.path),
        Request::Init(_) | Request::Check => Err(Error::internal("this command waits for an answer")),
    }
}

/// Does what waits for an answer.
pub async fn run(session: &Session, request: &Request) -> Result<ExitCode> {
    match request {
        Request::Check => check(session).await,
        Request::Init(_) if session.simulates => Err(Error::usage(
            "simulate_config",
            "`--simulate` needs no configuration, and `config init` checks a real key",
        )
        .hint("leave `--simulate` out")),
        Request::Init(request) => init::run(session, request).await,
        Request::Show | Request::Path => run_offline(session, request),
    }
}

/// `config path` works with a configuration that can't be read; it says where to mend it.
pub fn run_without(request: &Request, globals: &Globals) -> Option<ExitCode> {
    let Request::Path = request else { return None };
    let located = Config::locate(&globals.overrides, &Env::process(), &Places::process()).ok()?;
    path(&fallback_printer(globals), &located.value).ok()
}

fn path(printer: &Printer, path: &std::path::Path) -> Result<ExitCode> {
    let shown = path.display().to_string();
    let outcome = match printer.format() {
        Format::Json | Format::Jsonl => printer.json(&json!({ "path": shown, "exists": path.exists() })),
        Format::Table | Format::Csv => printer.raw(format!("{shown}\n").as_bytes()),
    };
    outcome.map_err(unprintable)?;
    if !path.exists() {
        printer.note("there is no such file yet; `oneclick config init` makes it");
    }
    Ok(ExitCode::Success)
}

fn show(session: &Session) -> Result<ExitCode> {
    let columns = vec![
        Column::left("key", "Key"),
        Column::left("value", "Value"),
        Column::left("origin", "From"),
    ];
    let mut table = Table::new(columns, "nothing is configured");
    for row in session.config.rows() {
        let json = json!({ "key": row.key, "value": row.value, "origin": row.origin });
        table.push(
            vec![
                Cell::text(row.key),
                Cell::maybe(row.value, Cell::foreign),
                Cell::foreign(row.origin),
            ],
            json,
        );
    }
    session.printer.list(table).map_err(unprintable)?;
    Ok(ExitCode::Success)
}

async fn check(session: &Session) -> Result<ExitCode> {
    let link = session.link().await?;
    // Asked anew even if the answer is stored: that is what the command is for.
    let identity = session.identify(&link, None).await?;
    let account = &identity.account;
    let address = if session.simulates {
        "the simulator inside this process"
    } else {
        session.config.base_url.value.as_str()
    };
    let scope = if identity.is_read_only {
        "READ-ONLY"
    } else {
        "READ-WRITE"
    };
    let json = json!({
        "account": account.username, "environment": account.environment.word(), "scope": scope,
        "base_url": address, "config": session.config.path.display().to_string(),
    });
    let record = Record::new(json)
        .field("account", "Account", Cell::foreign(account.username.clone()))
        .field(
            "environment",
            "Environment",
            Cell::text(account.environment.word()),
        )
        .field("scope", "Scope", Cell::text(scope))
        .field("base_url", "Address", Cell::text(address))
        .field(
            "config",
            "File",
            Cell::foreign(session.config.path.display().to_string()),
        );
    session.printer.record(record).map_err(unprintable)?;
    if !session.simulates {
        session
            .printer
            .note("the configuration is sound and the key works");
    }
    Ok(ExitCode::Success)
}
