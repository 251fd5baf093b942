//! Completion for the shell: scripts that ask this program, which answers from the ledger and its caches alone.

use std::ffi::OsStr;

use clap::CommandFactory;
use clap_complete::engine::CompletionCandidate;
use clap_complete::env::{Bash, Elvish, EnvCompleter, Fish, Powershell, Zsh};

use super::args::{Cli, Shell};
use crate::commands::{known_catalogue, known_refs};
use crate::config::{Config, Env, Overrides, Places};
use crate::error::{Error, Result};

/// The script that a shell loads once; it calls `oneclick` for each completion.
pub(super) fn script(shell: Shell) -> Result<Vec<u8>> {
    let completer: &dyn EnvCompleter = match shell {
        Shell::Bash => &Bash,
        Shell::Zsh => &Zsh,
        Shell::Fish => &Fish,
        Shell::Powershell => &Powershell,
        Shell::Elvish => &Elvish,
    };
    let mut text = Vec::new();
    completer
        .write_registration("COMPLETE", "oneclick", "oneclick", "oneclick", &mut text)
        .map_err(|error| Error::internal("the script can't be made").because(error))?;
    Ok(text)
}

/// The manual page of `oneclick`, or of one of its commands.
pub(super) fn man(path: &[String]) -> Result<Vec<u8>> {
    let mut root = Cli::command().disable_help_subcommand(true);
    root.build();
    let mut command = root;
    for name in path.iter().flat_map(|word| word.split_whitespace()) {
        command = command.find_subcommand(name).cloned().ok_or_else(|| {
            Error::usage("no_command", format!("there is no command `{name}`"))
                .hint("`oneclick --help` lists them")
        })?;
    }
    let name = command.get_display_name().unwrap_or("oneclick").to_owned();
    let mut text = Vec::new();
    clap_mangen::Man::new(command.display_name(name))
        .render(&mut text)
        .map_err(|error| Error::internal("the page can't be made").because(error))?;
    Ok(text)
}

pub(super) fn complete_refs(current: &OsStr) -> Vec<CompletionCandidate> {
    let prefix = current.to_string_lossy();
    let refs = known_refs(&prefix).into_iter();
    refs.map(|(reference, state)| candidate(reference.as_str(), state.word()))
        .collect()
}

pub(super) fn complete_plans(current: &OsStr) -> Vec<CompletionCandidate> {
    let prefix = current.to_string_lossy().to_ascii_uppercase();
    let plans = known_catalogue().plans.into_iter().filter(|plan| plan.enabled);
    let known = plans.map(|plan| (plan.code.to_string(), plan.operator.to_string()));
    std::iter::once((
        "auto".to_owned(),
        "the prepaid plan of the number's prefix".to_owned(),
    ))
    .chain(known)
    .filter(|(code, _)| code.to_ascii_uppercase().starts_with(&prefix))
    .map(|(code, about)| candidate(&code, &about))
    .collect()
}

pub(super) fn complete_profiles(current: &OsStr) -> Vec<CompletionCandidate> {
    let prefix = current.to_string_lossy();
    let config = Config::load(&Overrides::default(), &Env::process(), &Places::process());
    let profiles = config.map(|config| config.profiles).unwrap_or_default();
    profiles
        .iter()
        .filter(|name| name.starts_with(prefix.as_ref()))
        .map(|name| candidate(name, "profile"))
        .collect()
}

fn candidate(value: &str, about: &str) -> CompletionCandidate {
    CompletionCandidate::new(value).help(Some(about.to_owned().into()))
}
