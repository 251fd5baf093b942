//! `config init`: the wizard that asks for the key, checks it, and writes it into the configuration.

use std::fs::File;
use std::io::{BufRead, ErrorKind};

use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr};
use secrecy::SecretString;

use crate::api::{Fault, read_data, read_identity};
use crate::commands::outcome::{asked_error, interrupted, refused_key};
use crate::commands::session::Session;
use crate::config::{
    Config, Initial, InitialKey, Origin, Overrides, Places, check_profile_name, initial_file, profile_exists,
    with_key, write_private,
};
use crate::domain::Environment;
use crate::error::{Error, ExitCode, Kind, Result};
use crate::stop::Signal;
use crate::topup::{Asked, ask};

/// What `config init` is told.
#[derive(Debug, Clone)]
pub struct Request {
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

/// Makes a first configuration, adds a profile, or gives one that is there another key.
pub(super) async fn run(session: &Session, request: &Request) -> Result<ExitCode> {
    init(session, request).await.map_err(unwritten)
}

async fn init(session: &Session, request: &Request) -> Result<ExitCode> {
    check_place(session, request)?;
    let key = match given_source(request)? {
        Some(source) => source,
        None => InitialKey::Inline(typed_key(session).await?),
    };
    let environment = if request.no_check {
        None
    } else {
        Some(checked_environment(session, &key).await?)
    };
    write(session, request, key, environment)
}

/// Asks the provider whose key it is; tells it, and says what kind it is.
async fn checked_environment(session: &Session, source: &InitialKey) -> Result<Environment> {
    let key = source.fetch(&session.config.path, &Places::process())?;
    let client = session.client_for(&session.config.base_url.value, key)?;
    let asked = ask(&session.pace(), &session.stop, async || client.validate().await).await;
    let exchange = asked.map_err(unchecked)?;
    let data = read_data(&exchange).map_err(|fault| unchecked(Asked::Fault(fault)))?;
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
    Ok(identity.account.environment)
}

/// The key could not be checked. It is not in the configuration, so that is no place to look for it.
fn unchecked(asked: Asked) -> Error {
    match asked {
        Asked::Fault(Fault::Auth(auth)) => refused_key(
            &auth,
            "nothing was written; compare the key with the one in the provider's dashboard",
        ),
        asked => asked_error(asked, "check the key"),
    }
}

/// Who stops the wizard wants to know of the file.
fn unwritten(error: Error) -> Error {
    match error.kind {
        Kind::Interrupted | Kind::Terminated => Error {
            message: "stopped; nothing was written".to_owned(),
            ..error
        },
        _ => error,
    }
}

/// A file and a profile that are there already are kept, unless `--force` says otherwise. Told before the key is asked for.
fn check_place(session: &Session, request: &Request) -> Result<()> {
    let config = &session.config;
    if let Some(name) = &request.profile {
        check_profile_name(name)?;
    }
    match &request.profile {
        _ if request.force => Ok(()),
        Some(name) if config.profiles.contains(name) => Err(profile_exists(name)),
        None if config.file_exists => {
            let message = format!("{} exists already", config.path.display());
            Err(Error::usage("file_exists", message)
                .hint("`--profile NAME` adds an account to it; `--force` replaces the key at its top and keeps the rest"))
        }
        Some(_) | None => Ok(()),
    }
}

/// The source of the key that was typed. A file is found from anywhere, as the configuration is read from anywhere.
fn given_source(request: &Request) -> Result<Option<InitialKey>> {
    if let Some(command) = &request.key_command {
        return Ok(Some(InitialKey::Command(command.clone())));
    }
    let Some(file) = &request.key_file else {
        return Ok(None);
    };
    if file.starts_with("~/") {
        return Ok(Some(InitialKey::File(file.clone())));
    }
    let path = std::path::absolute(file)
        .map_err(|error| Error::usage("key_file", format!("`{file}` is no path")).because(error))?;
    Ok(Some(InitialKey::File(path.to_string_lossy().into_owned())))
}

/// Typed without being shown at a terminal; the first line of stdin otherwise.
async fn typed_key(session: &Session) -> Result<SecretString> {
    let typed = if session.printer.is_interactive() {
        session
            .printer
            .note("the key is in the provider's dashboard: https://enterprise.oneclickdz.com/api-keys");
        let terminal = Terminal::now();
        let typed = session
            .read(|| rpassword::prompt_password("API key (not shown): "))
            .await;
        // Who stops it gets a terminal back that shows what is typed, although nobody waits for the reader.
        terminal.restore();
        typed?
    } else {
        session.read(first_line).await?
    };
    let typed = typed.map_err(|error| match error.kind() {
        ErrorKind::Interrupted => interrupted(Signal::Interrupt, "stopped"),
        _ => Error::usage("key_unread", "the key can't be read").because(error),
    })?;
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

fn first_line() -> std::io::Result<String> {
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line)?;
    Ok(line)
}

/// How the terminal was before something that is not shown was typed.
struct Terminal(Option<(File, Termios)>);

impl Terminal {
    fn now() -> Self {
        let terminal = File::open("/dev/tty").ok();
        Self(terminal.and_then(|terminal| {
            let modes = tcgetattr(&terminal).ok()?;
            Some((terminal, modes))
        }))
    }

    fn restore(self) {
        if let Some((terminal, modes)) = self.0 {
            // A window that was closed needs none.
            let _ = tcsetattr(&terminal, OptionalActions::Now, &modes);
        }
    }
}

fn write(
    session: &Session,
    request: &Request,
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
    if config.file_exists {
        let existing = std::fs::read_to_string(&config.path).map_err(|error| {
            Error::usage("file_unreadable", format!("can't read {}", config.path.display())).because(error)
        })?;
        write_private(&config.path, &with_key(&existing, &answers, request.force)?, true)?;
    } else {
        write_private(&config.path, &initial_file(&answers), request.force)?;
    }
    let printer = &session.printer;
    printer.note(&format!("written: {}", config.path.display()));
    if let Some(stronger) = stronger_key(session, request) {
        printer.warn(&format!("another key goes before this one, from {stronger}"));
    }
    printer.note("next: `oneclick balance`, and `oneclick --simulate send …` to try without money");
    Ok(ExitCode::Success)
}

/// Where the key of the next command comes from, if not from what was written.
fn stronger_key(session: &Session, request: &Request) -> Option<Origin> {
    let overrides = Overrides {
        config: Some(session.config.path.clone()),
        profile: request.profile.clone(),
        ..Overrides::default()
    };
    let config = Config::load(&overrides, &session.env, &Places::process()).ok()?;
    let origin = config.api_key?.origin;
    let is_written = match &origin {
        Origin::Profile { name, .. } => request.profile.as_ref() == Some(name),
        Origin::File(_) => true,
        Origin::Flag(_) | Origin::Variable(_) | Origin::Default => false,
    };
    (!is_written).then_some(origin)
}
