//! `config …`: the first file, every value with its origin, where the file is, and whether the key works.

use std::io::BufRead;

use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use super::Globals;
use super::outcome::unprintable;
use super::session::{Session, fallback_printer};
use crate::api::{read_data, read_identity};
use crate::config::{
    Config, Env, Initial, InitialKey, Places, add_profile, initial_file, shell_word, write_private,
};
use crate::domain::Environment;
use crate::error::{Error, ExitCode, Kind, Result};
use crate::output::{Cell, Column, Format, Printer, Record, Table};
use crate::topup::{Asked, ask};

/// What is asked for.
#[derive(Debug, Clone)]
pub enum Request {
    /// `config init`
    Init(InitRequest),
    /// `config show`
    Show,
    /// `config path`
    Path,
    /// `config check`
    Check,
}

/// What `config init` is told.
#[derive(Debug, Clone)]
pub struct InitRequest {
    /// A command that prints the key.
    pub key_command: Option<String>,
    /// A file that holds the key.
    pub key_file: Option<String>,
    /// Writes over a file that is there.
    pub force: bool,
    /// Does not ask the provider whether the key works.
    pub no_check: bool,
    /// The profile to add, from `--profile`.
    pub profile: Option<String>,
}

impl Request {
    /// Whether it needs the network.
    pub fn asks_the_provider(&self) -> bool {
        match self {
            Self::Check => true,
            Self::Init(request) => !request.no_check,
            Self::Show | Self::Path => false,
        }
    }
}

/// Does what needs no network.
pub fn run_offline(session: &Session, request: &Request) -> Result<ExitCode> {
    match request {
        Request::Show => show(session),
        Request::Path => path(&session.printer, &session.config.path),
        Request::Init(request) => init(session, request, None),
        Request::Check => Err(Error::internal("`config check` needs the network")),
    }
}

/// Does what needs the provider.
pub async fn run(session: &Session, request: &Request) -> Result<ExitCode> {
    match request {
        Request::Check => check(session).await,
        Request::Init(_) if session.simulates => Err(Error::usage(
            "simulate_config",
            "`--simulate` needs no configuration, and `config init` checks a real key",
        )
        .hint("leave `--simulate` out")),
        Request::Init(request) => init_checked(session, request).await,
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

async fn init_checked(session: &Session, request: &InitRequest) -> Result<ExitCode> {
    check_place(session, request)?;
    let (source, key) = chosen_key(session, request)?;
    let client = session.client_for(&session.config.base_url.value, key)?;
    let asked = ask(&session.pace(), &session.stop, async || client.validate().await).await;
    let exchange = asked.map_err(|asked| super::outcome::asked_error(asked, "check the key"))?;
    let data = read_data(&exchange)
        .map_err(|fault| super::outcome::asked_error(Asked::Fault(fault), "check the key"))?;
    let identity = read_identity(data).ok_or_else(|| {
        Error::new(
            Kind::Unavailable,
            "validate_unreadable",
            "the provider's answer does not tell whose key it is",
        )
        .hint("`--no-check` writes the file all the same")
    })?;
    session
        .printer
        .note(&format!("the key works: account {}", identity.account));
    if identity.is_read_only {
        session.printer.warn("the key may only read: it can't send");
    }
    write(session, request, source, Some(identity.account.environment))
}

fn init(session: &Session, request: &InitRequest, environment: Option<Environment>) -> Result<ExitCode> {
    check_place(session, request)?;
    let source = match given_source(request) {
        Some(source) => source,
        None => InitialKey::Inline(typed_key(session)?),
    };
    write(session, request, source, environment)
}

/// A file that is there already is kept, unless a profile is added to it or `--force` says otherwise.
fn check_place(session: &Session, request: &InitRequest) -> Result<()> {
    if session.config.file_exists && !request.force && request.profile.is_none() {
        let message = format!("{} exists already", session.config.path.display());
        return Err(Error::usage("file_exists", message)
            .hint("`--profile NAME` adds an account to it; `--force` writes it anew"));
    }
    Ok(())
}

fn given_source(request: &InitRequest) -> Option<InitialKey> {
    let command = request.key_command.clone().map(InitialKey::Command);
    command.or_else(|| request.key_file.clone().map(InitialKey::File))
}

/// Where the key will come from, and the key itself, to be checked.
fn chosen_key(session: &Session, request: &InitRequest) -> Result<(InitialKey, SecretString)> {
    let Some(source) = given_source(request) else {
        let key = typed_key(session)?;
        return Ok((InitialKey::Inline(key.clone()), key));
    };
    // The loader itself reads the key, so that what is checked is what will be used.
    let env = match &source {
        InitialKey::Command(command) => Env::of([("ONECLICKDZ_API_KEY_COMMAND", command.clone())]),
        InitialKey::File(file) => Env::of([("ONECLICKDZ_API_KEY_FILE", file.clone())]),
        InitialKey::Inline(_) => Env::of::<String, String>([]),
    };
    let overrides = crate::config::Overrides {
        config: None,
        ..crate::config::Overrides::default()
    };
    let mut places = Places::process();
    places.config_dir = None;
    let key = Config::load(&overrides, &env, &places)?.api_key(&env)?;
    Ok((source, key))
}

/// Typed without being shown at a terminal; the first line of stdin otherwise.
fn typed_key(session: &Session) -> Result<SecretString> {
    let unread = |error: std::io::Error| Error::usage("key_unread", "the key can't be read").because(error);
    let typed = if session.printer.is_interactive() {
        session
            .printer
            .note("the key is in the provider's dashboard: https://enterprise.oneclickdz.com/api-keys");
        rpassword::prompt_password("API key (not shown): ").map_err(unread)?
    } else {
        let mut line = String::new();
        std::io::stdin().lock().read_line(&mut line).map_err(unread)?;
        line
    };
    let key = typed.trim();
    if key.is_empty() {
        return Err(Error::usage("key_missing", "no key was given")
            .hint("type it, pipe it in, or name its source with `--key-command` or `--key-file`"));
    }
    if !key.chars().all(|character| character.is_ascii_graphic()) {
        return Err(Error::usage(
            "key_characters",
            "the key has spaces or characters that no key has",
        )
        .hint("copy it again from the provider's dashboard"));
    }
    Ok(SecretString::from(key.to_owned()))
}

fn write(
    session: &Session,
    request: &InitRequest,
    key: InitialKey,
    environment: Option<Environment>,
) -> Result<ExitCode> {
    let config = &session.config;
    let base_url = (!config.base_url.is_default()).then(|| config.base_url.value.clone());
    let answers = Initial {
        key,
        environment,
        base_url,
        profile: request.profile.clone(),
    };
    let (text, overwrite) = match &request.profile {
        Some(name) if config.file_exists && !request.force => {
            let existing = std::fs::read_to_string(&config.path).map_err(|error| {
                Error::usage("file_unreadable", format!("can't read {}", config.path.display()))
                    .because(error)
            })?;
            (add_profile(&existing, name, &answers)?, true)
        }
        _ => (initial_file(&answers), request.force),
    };
    debug_assert!(match &answers.key {
        InitialKey::Inline(key) =>
            text.contains(key.expose_secret()) || key.expose_secret().contains(['"', '\\', '\'']),
        InitialKey::Command(_) | InitialKey::File(_) => true,
    });
    write_private(&config.path, &text, overwrite)?;
    session
        .printer
        .note(&format!("written: {}", config.path.display()));
    // The flag has made the profile here; from now on it chooses it.
    let chosen = request.profile.as_deref().map(shell_word);
    let chosen = chosen
        .map(|name| format!(" --profile {name}"))
        .unwrap_or_default();
    session.printer.note(&format!(
        "next: `oneclick{chosen} balance`, and `oneclick{chosen} --simulate send …` to try without money"
    ));
    Ok(ExitCode::Success)
}
