//! What every command works with: the configuration, the printer, the clock, and being asked to stop.

use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use secrecy::SecretString;
use tokio::sync::oneshot;

use super::Globals;
use super::acting::Acting;
use super::outcome::interrupted;
use super::signals::Signals;
use crate::api::{Client, ClientOptions, read_catalogue, without_key};
use crate::clock::Clock;
use crate::config::{BaseUrl, ColorChoice, Config, Env, OutputFormat, Overrides, Places, shell_word};
use crate::domain::{Catalogue, Ref, State};
use crate::error::{Error, ExitCode, Kind, Result};
use crate::ledger::Ledger;
use crate::output::{Aim, Colour, Format, Printer, PrinterOptions};
use crate::stop::{self, Signal, Stop, Stopper};
use crate::topup::Pace;

/// One run of the tool.
pub struct Session {
    /// The configuration.
    pub config: Config,
    /// Where keys may come from.
    pub env: Env,
    /// Both streams.
    pub printer: Printer,
    /// The time.
    pub clock: Clock,
    /// Says when to stop.
    pub stop: Stop,
    /// Whether the provider is a simulator inside this process.
    pub simulates: bool,
    /// The whole command line.
    pub(super) typed: Vec<String>,
    pub(super) acting: Acting,
    /// The key, once it has been fetched.
    pub(super) key: OnceLock<SecretString>,
    stopper: Stopper,
    /// How far a batch is, and the command that goes on.
    last_words: Mutex<Option<LastWords>>,
}

/// What is said when a run is left at once.
struct LastWords {
    /// How things stand at that moment; none where nobody can tell.
    standing: Box<dyn Fn() -> Option<String> + Send>,
    next: String,
}

impl Session {
    /// Reads the configuration.
    pub fn open(globals: &Globals) -> Result<Self> {
        let env = Env::process();
        let config = Config::load(&globals.overrides, &env, &Places::process())?;
        let printer = printer(config.output.value, config.color.value, globals);
        watch_the_wire(globals.verbosity);
        let (stopper, stop) = stop::channel();
        let simulates = globals.overrides.simulate;
        Ok(Self {
            config,
            env,
            printer,
            clock: Clock::system(),
            stop,
            simulates,
            typed: globals.typed.clone(),
            acting: Acting::default(),
            key: OnceLock::new(),
            stopper,
            last_words: Mutex::default(),
        })
    }

    /// Runs a command to its end. A first Ctrl-C asks it to stop, and what is in flight is awaited and stored; a
    /// second one leaves at once.
    pub fn block_on(&self, work: impl Future<Output = Result<ExitCode>>) -> Result<ExitCode> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| Error::internal("the runtime can't start").because(error))?;
        runtime.block_on(async {
            let mut work = std::pin::pin!(work);
            let mut signals = Signals::watch()?;
            tokio::select! {
                biased;
                outcome = &mut work => return outcome,
                signal = signals.next() => {
                    self.stopper.stop(signal);
                    self.printer.status("stopping; what is on its way is awaited and stored (again to leave at once)");
                }
            }
            tokio::select! {
                biased;
                outcome = &mut work => outcome,
                signal = signals.next() => {
                    let error = self.left_at_once(signal);
                    self.printer.error(&error);
                    // Nothing is awaited any more, not even a worker of the runtime; the ledger stands a kill.
                    std::process::exit(error.exit_code().number().into())
                }
            }
        })
    }

    /// For whoever leaves at once: what tells then what is done and what is open, and the command that goes on.
    pub(super) fn set_last_words(
        &self,
        standing: impl Fn() -> Option<String> + Send + 'static,
        next: String,
    ) {
        let mut words = self.last_words.lock().unwrap_or_else(PoisonError::into_inner);
        *words = Some(LastWords {
            standing: Box::new(standing),
            next,
        });
    }

    fn left_at_once(&self, signal: Signal) -> Error {
        let words = self.last_words.lock().unwrap_or_else(PoisonError::into_inner);
        let error = |standing: &str| {
            let message = format!("left at once{standing}; what was on its way may have been made");
            interrupted(signal, &message).hint("do not send it under another label or ref")
        };
        match words.as_ref() {
            Some(words) => {
                let standing = (words.standing)().map(|standing| format!(": {standing}"));
                error(&standing.unwrap_or_default()).hint(format!("to go on: `{}`", words.next))
            }
            None => error("").hint("`oneclick ref check` asks what became of it"),
        }
    }

    /// Asks a question; anything but a yes is a no. Ctrl-C at the question ends the command.
    pub(super) async fn ask(&self, question: &str) -> Result<bool> {
        let answer = self.ask_text(&format!("{question} [y/N]")).await?;
        Ok(Printer::is_yes(&answer))
    }

    /// Asks for a word, such as a total to confirm; empty at the end of stdin.
    pub(super) async fn ask_text(&self, question: &str) -> Result<String> {
        self.printer.question(question);
        let typed = self.read(self.printer.answer()).await?;
        // Its window is closed, and the reader was faster than the signal.
        let is_gone = |error| {
            let what = "the terminal can't be read any more; nothing was sent";
            interrupted(Signal::Terminate, what).because(error)
        };
        typed.map_err(is_gone)
    }

    /// Reads in a thread of its own, unless somebody asks to stop: nothing else wakes up from reading, and the process may
    /// end while it waits.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T> {
        let (reader, is_read) = oneshot::channel();
        std::thread::Builder::new()
            .spawn(move || reader.send(read()))
            .map_err(|error| Error::internal("no thread is to be had").because(error))?;
        let ended = self.stop.race(is_read).await;
        let ended = ended.map_err(|signal| interrupted(signal, "stopped; nothing was sent"))?;
        ended.map_err(|_| Error::internal("a reader has fallen"))
    }

    /// A text that is kept, without the key.
    pub(super) fn without_key(&self, text: &str) -> String {
        self.key
            .get()
            .map_or_else(|| text.to_owned(), |key| without_key(key, text))
    }

    /// The waits of the protocol.
    pub fn pace(&self) -> Pace {
        let config = &self.config;
        Pace {
            settle_delay: config.settle_delay.value.duration(),
            retry_delay: config.retry_delay.value.duration(),
            retry_attempts: config.retry_attempts.value,
            poll_interval: config.poll_interval.value.duration(),
            poll_timeout: config.poll_timeout.value.duration(),
        }
    }

    /// A client for `base_url` with `key`; opens no connection.
    pub(super) fn client_for(&self, base_url: &BaseUrl, key: SecretString) -> Result<Client> {
        let options = ClientOptions {
            base_url: base_url.as_str().to_owned(),
            is_loopback: base_url.is_loopback(),
            key,
            connect_timeout: self.config.connect_timeout.value.duration(),
            send_timeout: self.config.send_timeout.value.duration(),
            read_timeout: self.config.read_timeout.value.duration(),
        };
        Client::new(options, self.clock).map_err(|error| {
            let hint = "check the system's certificates, for example the package `ca-certificates`, or SSL_CERT_FILE";
            Error::new(Kind::Unavailable, "client", error.to_string()).hint(hint)
        })
    }
}

fn printer(output: OutputFormat, color: ColorChoice, globals: &Globals) -> Printer {
    let format = match output {
        OutputFormat::Table => Format::Table,
        OutputFormat::Json => Format::Json,
        OutputFormat::Jsonl => Format::Jsonl,
        OutputFormat::Csv => Format::Csv,
    };
    let painted = match color {
        ColorChoice::Auto => Colour::Auto,
        ColorChoice::Always => Colour::Always,
        ColorChoice::Never => Colour::Never,
    };
    Printer::new(PrinterOptions {
        format,
        colour: painted,
        quiet: globals.quiet,
        verbosity: globals.verbosity,
    })
    .aimed(aim(&globals.overrides))
}

/// What the flags say of the account and the ledger that are meant, as it is typed again.
fn aim(overrides: &Overrides) -> Aim {
    let config = overrides.config.as_ref();
    Aim {
        simulates: overrides.simulate,
        profile: overrides.profile.as_deref().map(shell_word),
        config: config.map(|path| shell_word(&path.to_string_lossy())),
    }
}

/// A printer for when the configuration can't be read: what flags and variables say, or else the defaults.
pub fn fallback_printer(globals: &Globals) -> Printer {
    let said = |name: &str| std::env::var(name).ok();
    let output = globals
        .overrides
        .output
        .or_else(|| said("ONECLICKDZ_OUTPUT")?.parse().ok());
    let color = globals
        .overrides
        .color
        .or_else(|| said("ONECLICKDZ_COLOR")?.parse().ok());
    printer(
        output.unwrap_or(OutputFormat::Table),
        color.unwrap_or(ColorChoice::Auto),
        globals,
    )
}

/// `-v` shows each call on stderr in a line; `-vv` the wire: requests, answers, allowed headers. Never the key.
fn watch_the_wire(verbosity: u8) {
    let level = match verbosity {
        0 => return,
        1 => tracing::Level::INFO,
        _ => tracing::Level::DEBUG,
    };
    let subscriber = tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_max_level(level)
        .with_ansi(false)
        .with_target(false)
        .with_level(false)
        .finish();
    // Only a second subscriber in one process fails, and the first one serves.
    let _ = tracing::subscriber::set_global_default(subscriber);
}

/// How long the provider's word on keys and plans is believed without asking again.
pub(super) const FRESH: Duration = Duration::from_hours(24);

/// The ledger of the configuration, if there is one already: for the shell's completion, without the network.
fn existing_ledger() -> Option<Ledger> {
    let config = Config::load(&Overrides::default(), &Env::process(), &Places::process()).ok()?;
    let path = &config.ledger.value;
    path.exists().then(|| Ledger::open(path).ok()).flatten()
}

/// Refs of the ledger that begin with `prefix`, newest first.
pub fn known_refs(prefix: &str) -> Vec<(Ref, State)> {
    existing_ledger()
        .and_then(|ledger| ledger.refs_like(prefix, 50).ok())
        .unwrap_or_default()
}

/// The plans of all catalogues that are stored.
pub fn known_catalogue() -> Catalogue {
    let stored = existing_ledger()
        .and_then(|ledger| ledger.catalogues().ok())
        .unwrap_or_default();
    let read = |text: String| read_catalogue(&serde_json::from_str(&text).ok()?);
    Catalogue {
        plans: stored
            .into_iter()
            .filter_map(read)
            .flat_map(|catalogue| catalogue.plans)
            .collect(),
    }
}
