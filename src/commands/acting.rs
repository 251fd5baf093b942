//! Who does what: every command that moves money says so once, with [`Session::act`], and the log of the ledger is
//! brought up to date before and behind it. What goes wrong with the log is a warning: it stops and fails nothing.

use std::fmt::Display;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;

use super::session::Session;
use crate::clock::Clock;
use crate::config::{Setting, shell_word};
use crate::domain::Account;
use crate::error::Result;
use crate::ledger::audit::{Exported, Exporter, Result as Logged};
use crate::ledger::{ActEvent, Author, Ledger, NewAct, Override};
use crate::output::Printer;

/// How often the log is brought up to date while a batch runs.
const EXPORT_EVERY: Duration = Duration::from_secs(1);
/// The longest command line that is kept.
const COMMAND_CHARACTERS_MAX: usize = 2_000;

/// What a session is doing, and who writes its log.
#[derive(Debug, Default)]
pub(super) struct Acting {
    act: Mutex<NewAct>,
    log: Mutex<Option<Arc<Mutex<Log>>>>,
}

/// The log of this session's ledger.
#[derive(Debug)]
struct Log {
    exporter: Exporter,
    /// What was found in it and is not told yet.
    damages: Vec<String>,
}

impl Log {
    fn write(&mut self, clock: Clock) -> Logged<()> {
        let exported = self.exporter.export(clock.now())?;
        self.damages.extend(exported.damages);
        Ok(())
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Session {
    /// Says that this command is about to work on the orders of an account, and which guards are set aside. The line
    /// is written with its first move.
    pub(super) async fn act(
        &self,
        ledger: &Ledger,
        account: &Account,
        overrides: Vec<Override>,
    ) -> Result<()> {
        let act = NewAct {
            author: self.author(),
            account: Some(account.clone()),
            overrides: [self.guards_set_aside(), overrides].concat(),
        };
        match Exporter::open(&self.config.ledger.value, &act) {
            Ok(mut exporter) => {
                // What a process that was killed has left is written now.
                // What fails here is told at the end, when it still does.
                if let Ok(exported) = exporter.begin(self.clock.now()) {
                    warn_of_log(&self.printer, Ok(exported));
                }
                let damages = Vec::new();
                *locked(&self.acting.log) = Some(Arc::new(Mutex::new(Log { exporter, damages })));
            }
            Err(error) => warn_of_log(&self.printer, Err(error)),
        }
        *locked(&self.acting.act) = act.clone();
        Ok(ledger.begin_act(act).await?)
    }

    /// Adds what somebody has set aside since the command began.
    pub(super) async fn set_aside(&self, ledger: &Ledger, set_aside: Override) -> Result<()> {
        let act = {
            let mut act = locked(&self.acting.act);
            act.overrides.push(set_aside);
            act.clone()
        };
        Ok(ledger.begin_act(act).await?)
    }

    /// Writes a line for what matters although it moves nothing. Its number among the acts.
    pub(super) async fn note_act(&self, ledger: &Ledger, event: ActEvent, why: String) -> Result<i64> {
        let act = locked(&self.acting.act).clone();
        Ok(ledger.note_act(act, event, why, self.clock.now()).await?)
    }

    /// Brings the log up to date while something long runs, until the guard is dropped; and once more behind that, while
    /// this session goes on.
    pub(super) fn write_log_meanwhile(&self) -> Meanwhile {
        let log = locked(&self.acting.log).clone();
        let clock = self.clock;
        Meanwhile(log.map(|log| {
            let (ended, mut end) = oneshot::channel::<()>();
            tokio::spawn(async move {
                loop {
                    let is_over = tokio::time::timeout(EXPORT_EVERY, &mut end).await.is_ok();
                    let log = Arc::clone(&log);
                    // What fails here is told at the end, when it still does.
                    let _ = tokio::task::spawn_blocking(move || locked(&log).write(clock)).await;
                    if is_over {
                        return;
                    }
                }
            });
            ended
        }))
    }

    /// Brings the log up to date, where this command has touched money.
    pub(super) fn write_log(&self) {
        let log = locked(&self.acting.log).clone();
        if let Some(log) = log {
            let mut log = locked(&log);
            let written = log.write(self.clock);
            warn_of_damages(&self.printer, std::mem::take(&mut log.damages));
            warn_of_failure(&self.printer, written);
        }
    }

    /// Who works: for the log.
    pub(super) fn author(&self) -> Author {
        let words = self.typed.iter().skip(1).map(|word| shell_word(word));
        let command = std::iter::once("oneclick".to_owned()).chain(words);
        let command = self.without_key(&command.collect::<Vec<_>>().join(" "));
        let (user, uid) = user();
        Author {
            user,
            uid,
            host: host(),
            pid: std::process::id(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            command: command.chars().take(COMMAND_CHARACTERS_MAX).collect(),
            profile: self.config.profile.as_ref().map(|profile| profile.value.clone()),
        }
    }

    /// Guards that a variable has loosened against the file, and a file that is not the user's own: it may hold others.
    fn guards_set_aside(&self) -> Vec<Override> {
        let (config, beneath) = (&self.config, &self.config.beneath);
        let file = config.path_named_by.as_ref().map(|origin| Override {
            what: format!("configuration = {}", config.path.display()),
            by: origin.to_string(),
            reason: None,
        });
        let window = (config.repeat_window.value < beneath.repeat_window)
            .then(|| loosened("repeat_window", &config.repeat_window));
        [
            file,
            window,
            raised("max_per_send", config.max_per_send.as_ref(), beneath.max_per_send),
            raised(
                "max_per_number_per_day",
                config.max_per_number_per_day.as_ref(),
                beneath.max_per_number_per_day,
            ),
            raised("max_per_day", config.max_per_day.as_ref(), beneath.max_per_day),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

/// A cap above the one beneath it; one that nothing is beneath only tightens.
fn raised<T: Copy + Ord + Display>(
    name: &str,
    cap: Option<&Setting<T>>,
    beneath: Option<T>,
) -> Option<Override> {
    let cap = cap?;
    (cap.value > beneath?).then(|| loosened(name, cap))
}

fn loosened<T: Display>(name: &str, setting: &Setting<T>) -> Override {
    Override {
        what: format!("{name} = {}", setting.value),
        by: setting.origin.to_string(),
        reason: None,
    }
}

/// A flag that sets a guard aside.
pub(super) fn by_flag(what: impl Into<String>, flag: &str) -> Override {
    Override {
        what: what.into(),
        by: flag.to_owned(),
        reason: None,
    }
}

/// The log is brought up to date until this is dropped.
pub(super) struct Meanwhile(#[expect(dead_code, reason = "dropped with it")] Option<oneshot::Sender<()>>);

/// What is to be said of writing the log.
pub(super) fn warn_of_log(printer: &Printer, written: Logged<Exported>) {
    let written = written.map(|exported| warn_of_damages(printer, exported.damages));
    warn_of_failure(printer, written);
}

fn warn_of_damages(printer: &Printer, damages: Vec<String>) {
    for damage in damages {
        printer.warn(&format!(
            "the audit log was changed: {damage}; `oneclick ref audit --verify` says more"
        ));
    }
}

fn warn_of_failure(printer: &Printer, written: Logged<()>) {
    if let Err(error) = written {
        printer.warn(&format!(
            "the audit log can't be written: {error}; its lines are kept in the ledger, and the next command writes them"
        ));
    }
}

#[cfg(unix)]
fn user() -> (Option<String>, Option<u32>) {
    let uid = nix::unistd::getuid();
    let user = nix::unistd::User::from_uid(uid).ok().flatten();
    // Where nobody knows a name, the number is one.
    let name = user.map_or_else(|| uid.to_string(), |user| user.name);
    (Some(name), Some(uid.as_raw()))
}

#[cfg(not(unix))]
fn user() -> (Option<String>, Option<u32>) {
    (std::env::var("USERNAME").ok(), None)
}

#[cfg(unix)]
fn host() -> String {
    let name = nix::unistd::gethostname();
    name.map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default()
}

#[cfg(not(unix))]
fn host() -> String {
    std::env::var("COMPUTERNAME").unwrap_or_default()
}
