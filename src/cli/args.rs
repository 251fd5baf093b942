//! Commands and flags, with the help that operators read.

use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::str::FromStr;

use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};
use clap_complete::engine::ArgValueCompleter;

use super::complete::{complete_plans, complete_profiles, complete_refs};
use super::help;
use crate::commands::refs;
use crate::commands::report::By;
use crate::config::{ColorChoice, OutputFormat};
use crate::domain::{
    Amount, Environment, Label, Money, Month, Operator, Phone, PhoneReading, PlanCode, Ref, RefPrefix,
    SettledAs, Span, State, When,
};

/// Prepaid mobile credit, each top-up at most once
#[derive(Debug, Parser)]
#[command(
    about = "Prepaid mobile credit in Algeria through the OneClickDz Flexy API, each top-up at most once"
)]
#[command(name = "oneclick", version, max_term_width = 100, after_help = help::EXAMPLES, after_long_help = help::LONG)]
#[command(
    arg_required_else_help = true,
    subcommand_required = true,
    propagate_version = false
)]
pub struct Cli {
    #[command(flatten)]
    pub(super) global: GlobalArgs,
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Global options")]
pub(super) struct GlobalArgs {
    /// The profile of the configuration to use
    #[arg(long, global = true, value_name = "NAME", add = ArgValueCompleter::new(complete_profiles))]
    pub profile: Option<String>,
    /// The configuration file
    #[arg(long, global = true, value_name = "PATH")]
    pub config: Option<PathBuf>,
    /// How results are written to stdout: table, json, jsonl or csv
    #[arg(short, long, global = true, value_name = "FORMAT", hide_possible_values = true, value_parser = choice::<OutputFormat>(&["table", "json", "jsonl", "csv"]))]
    pub output: Option<OutputFormat>,
    /// Whether to use colours: auto, always or never
    #[arg(long, global = true, value_name = "WHEN", hide_possible_values = true, value_parser = choice::<ColorChoice>(&["auto", "always", "never"]))]
    pub color: Option<ColorChoice>,
    /// Says only results, warnings and errors
    #[arg(short, long, global = true)]
    pub quiet: bool,
    /// Says more; twice shows every request and answer, without the key
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub verbose: u8,
    /// Runs against a simulator inside this process, with a ledger of its own: no key, no network, no money
    #[arg(long, global = true)]
    pub simulate: bool,
}

/// One of a few words, completed by the shell and turned into its type.
fn choice<T>(words: &'static [&'static str]) -> impl clap::builder::TypedValueParser<Value = T>
where
    T: std::str::FromStr + Clone + Send + Sync + 'static,
    T::Err: std::error::Error + Send + Sync + 'static,
{
    use clap::builder::TypedValueParser as _;
    clap::builder::PossibleValuesParser::new(words).try_map(|word| word.parse::<T>())
}

/// A whole number. What is none is answered with what is wanted.
fn whole<T>(
    range: RangeInclusive<T>,
    wanted: &'static str,
) -> impl Fn(&str) -> Result<T, String> + Clone + Send + Sync + 'static
where
    T: FromStr + PartialOrd + Clone + Send + Sync + 'static,
{
    move |text| {
        let number = text.parse().ok().filter(|number| range.contains(number));
        number.ok_or_else(|| format!("it takes {wanted}"))
    }
}

/// How many, or all.
fn limit(text: &str) -> Result<u32, String> {
    whole(0..=u32::MAX, "a whole number, as in `100`, or 0 for all")(text)
}

/// A text with something in it.
fn filled(text: &str) -> Result<String, String> {
    if text.trim().is_empty() {
        return Err("it is empty".to_owned());
    }
    Ok(text.to_owned())
}

fn listening(text: &str) -> Result<SocketAddr, String> {
    let example = "it takes an address and a port, as in `127.0.0.1:8787`";
    text.parse().map_err(|_| example.to_owned())
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Show the balance, the account and its environment
    #[command(after_help = help::BALANCE)]
    Balance(BalanceArgs),
    /// Show what can be sold: code, name, operator, cost, amounts
    Plans(PlansArgs),
    /// Send one top-up, and wait for its end
    #[command(after_help = help::SEND)]
    Send(SendArgs),
    /// Send a sheet of top-ups; the same command again goes on where it stopped
    #[command(after_help = help::BATCH)]
    Batch(Box<BatchArgs>),
    /// Work with refs: make them, ask what became of them, settle them
    #[command(subcommand)]
    Ref(RefCommand),
    /// Close a day, a month or a range: what was sold, what it cost, what came back, what is open
    #[command(after_help = help::REPORT)]
    Report(ReportArgs),
    /// Compare the ledger with the provider's list and account over a range; never sends
    #[command(after_help = help::RECONCILE, after_long_help = help::reconcile())]
    Reconcile(ReconcileArgs),
    /// Make, show and check the configuration
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Serve the simulator on loopback until stopped, for scripts and other clients
    #[command(after_long_help = help::simulate())]
    Simulate(Box<SimulateArgs>),
    /// Print the completion script of a shell
    #[command(after_help = help::COMPLETIONS)]
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Print the manual page, of oneclick or of one of its commands
    Man {
        /// The command, for example `send` or `ref check`
        command: Vec<String>,
    },
}

#[derive(Debug, Args)]
pub(super) struct BalanceArgs {
    /// Exit with 9 when the balance is below this many dinars, for cron and monitoring
    #[arg(long, value_name = "DZD")]
    pub min: Option<Money>,
}

#[derive(Debug, Args)]
pub(super) struct PlansArgs {
    /// Only plans of this operator
    #[arg(long, value_name = "NAME", value_parser = |name: &str| Ok::<_, std::convert::Infallible>(Operator::named(name)))]
    pub operator: Option<Operator>,
    /// Also plans that can't be sold just now
    #[arg(long)]
    pub all: bool,
    /// Ask the provider, even if the stored catalogue is less than a day old
    #[arg(long)]
    pub refresh: bool,
}

#[derive(Debug, Args)]
pub(super) struct SendArgs {
    /// The plan's code, as `oneclick plans` shows it, or `auto` for the prepaid plan of the number's prefix
    #[arg(long, value_name = "CODE", add = ArgValueCompleter::new(complete_plans))]
    pub plan: PlanArg,
    /// The phone number, as people write it
    #[arg(long, value_name = "NUMBER", value_parser = phone, allow_hyphen_values = true)]
    pub phone: PhoneReading,
    /// The face value in whole dinars; plans with a fixed price need none
    #[arg(long, value_name = "DZD", allow_hyphen_values = true)]
    pub amount: Option<Amount>,
    /// Your own reference: with it, the same command again never makes a second top-up
    #[arg(long = "ref", value_name = "REF", allow_hyphen_values = true)]
    pub reference: Option<Ref>,
    /// Return as soon as the provider has accepted it (exit code 8), without waiting for its end
    #[arg(long)]
    pub no_wait: bool,
    /// Show what would be sent and what it costs; send nothing
    #[arg(short = 'n', long)]
    pub dry_run: bool,
    /// Send even though the same phone, plan and amount went out not long ago
    #[arg(long)]
    pub again: bool,
}

#[derive(Debug, Args)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is one flag of the command line"
)]
pub(super) struct BatchArgs {
    /// The sheet: CSV as spreadsheets save it, or `-` for standard input
    #[arg(value_name = "FILE", required_unless_present = "list")]
    pub file: Option<PathBuf>,
    /// The plan of rows without one: a code, or `auto` for the prepaid plan of the number's prefix (the default where
    /// the sheet has no plan column)
    #[arg(long, value_name = "CODE", add = ArgValueCompleter::new(complete_plans))]
    pub plan: Option<PlanArg>,
    /// The face value of rows without one, in whole dinars
    #[arg(long, value_name = "DZD", allow_hyphen_values = true)]
    pub amount: Option<Amount>,
    /// The batch's name: the same name and row mean the same top-up, for ever (default: the file's name)
    #[arg(long, value_name = "TEXT")]
    pub label: Option<Label>,
    /// Show what would be sent and what it costs; send nothing
    #[arg(short = 'n', long)]
    pub dry_run: bool,
    /// Consent to sending, where nobody can be asked
    #[arg(long)]
    pub yes: bool,
    /// Consent only if this is the face value of the sheet, or of what is left to send; under `--limit`, of its rows
    #[arg(long, value_name = "DZD", value_parser = dinars)]
    pub confirm_total: Option<u64>,
    /// Refuse a sheet that does not have so many rows
    #[arg(long, value_name = "COUNT", value_parser = whole(0..=u64::MAX, "a whole number, as in `3000`"))]
    pub expect_count: Option<u64>,
    /// Refuse a sheet that does not have this face value
    #[arg(long, value_name = "DZD", value_parser = dinars)]
    pub expect_total: Option<u64>,
    /// Leave out rows that can't be sent, and repeats without `--again`; send the others
    #[arg(long)]
    pub skip_bad: bool,
    /// Send repeats as well: a number that is in the sheet twice, or that got the same not long ago
    #[arg(long)]
    pub again: bool,
    /// Refuse to send more face value than this in one run
    #[arg(long, value_name = "DZD", value_parser = dinars)]
    pub max_total: Option<u64>,
    /// Send at most so many rows in this run
    #[arg(long, value_name = "COUNT", value_parser = whole(1..=u32::MAX, "a whole number from 1 on, as in `100`"))]
    pub limit: Option<u32>,
    /// Send as far as the money goes, although the balance does not cover all rows
    #[arg(long)]
    pub until_empty: bool,
    /// Return as soon as every row has been sent (exit code 8), without waiting for their ends
    #[arg(long)]
    pub no_wait: bool,
    /// Where the results go (default: `<name>.results.csv` beside the sheet)
    #[arg(long, value_name = "FILE")]
    pub results: Option<PathBuf>,
    /// List the batches, and how far each is
    #[arg(long, exclusive = false, conflicts_with = "file")]
    pub list: bool,
}

/// Whole dinars of many top-ups together, as people write them.
fn dinars(text: &str) -> Result<u64, String> {
    let digits: String = text
        .trim()
        .chars()
        .filter(|character| !matches!(character, ' ' | '\u{a0}' | '\u{202f}'))
        .collect();
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    digits
        .parse()
        .ok()
        .filter(|_| is_number)
        .ok_or_else(|| format!("`{text}` is no total; write whole dinars, as in `60000`"))
}

fn phone(text: &str) -> Result<PhoneReading, crate::domain::PhoneError> {
    Phone::read(text)
}

/// `auto`, or a code.
#[derive(Debug, Clone)]
pub(super) enum PlanArg {
    Auto,
    Code(PlanCode),
}

impl std::str::FromStr for PlanArg {
    type Err = crate::domain::PlanCodeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "auto" {
            Ok(Self::Auto)
        } else {
            text.parse().map(Self::Code)
        }
    }
}

#[derive(Debug, Subcommand)]
pub(super) enum RefCommand {
    /// Make references to be used with `send --ref`
    New {
        /// What they begin with: letters, digits and `-`
        #[arg(long, default_value = "oc")]
        prefix: RefPrefix,
        /// How many
        #[arg(long, default_value_t = 1, value_parser = whole(1..=100_000_u32, "a whole number from 1 to 100000, as in `10`"))]
        count: u32,
    },
    /// Ask the provider about orders and bring the ledger up to date; never sends
    #[command(after_help = help::CHECK)]
    Check {
        /// Which orders; every open one where none is named
        #[arg(value_name = "REF", add = ArgValueCompleter::new(complete_refs))]
        refs: Vec<Ref>,
    },
    /// Wait until orders are final; never sends
    Wait {
        /// Which orders
        #[arg(value_name = "REF", required = true, add = ArgValueCompleter::new(complete_refs))]
        refs: Vec<Ref>,
        /// How long to wait at most, as in `90s` or `10m`; `poll_timeout` where it is left out
        #[arg(long, value_name = "TIME")]
        timeout: Option<Span>,
    },
    /// List the orders of the ledger, newest last
    List(ListArgs),
    /// Show one order with every attempt, request and answer
    #[command(after_help = help::SHOW, override_usage = "oneclick ref show [OPTIONS] <REF>")]
    Show {
        /// Which order
        #[arg(value_name = "REF", required_unless_present = "support", add = ArgValueCompleter::new(complete_refs))]
        reference: Option<Ref>,
        /// Write what the provider's support needs, without the key and without other orders; to a new file, or to stdout
        #[arg(long, value_name = "FILE|-", num_args = 0..=1, default_missing_value = "-")]
        support: Option<PathBuf>,
    },
    /// Settle open orders by hand, when somebody knows what became of them
    #[command(after_help = help::SETTLE)]
    Settle {
        /// Which orders
        #[arg(value_name = "REF", required = true, add = ArgValueCompleter::new(complete_refs))]
        refs: Vec<Ref>,
        /// What became of it
        #[arg(long = "as", value_name = "END")]
        settled_as: SettledAsArg,
        /// Who says so, and why: kept with the order
        #[arg(long, value_name = "TEXT")]
        because: String,
        /// Do not ask at the terminal
        #[arg(long)]
        yes: bool,
    },
    /// Show the audit log: who has moved money, when, and with which command; asks nobody
    #[command(after_help = help::AUDIT)]
    Audit(AuditArgs),
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum SettledAsArg {
    /// It was delivered
    Fulfilled,
    /// It was not delivered, and the money came back
    Refunded,
    /// It is given up
    #[value(alias = "written_off")]
    WrittenOff,
}

impl From<SettledAsArg> for SettledAs {
    fn from(typed: SettledAsArg) -> Self {
        match typed {
            SettledAsArg::Fulfilled => Self::Fulfilled,
            SettledAsArg::Refunded => Self::Refunded,
            SettledAsArg::WrittenOff => Self::WrittenOff,
        }
    }
}

#[derive(Debug, Args)]
pub(super) struct ReconcileArgs {
    /// From then on: a day, an exact time, `today`, `yesterday`, or how long ago, as in `7d` (default: yesterday)
    #[arg(long, value_name = "WHEN")]
    pub since: Option<When>,
    /// Up to then; a day counts whole (default: today)
    #[arg(long, value_name = "WHEN")]
    pub until: Option<When>,
    /// Read all of it anew, although an earlier run was cut off less than an hour ago
    #[arg(long)]
    pub fresh: bool,
}

#[derive(Debug, Args)]
pub(super) struct ListArgs {
    /// Only orders in this state; may be given several times
    #[arg(long, value_name = "STATE", value_parser = choice::<State>(&STATE_WORDS))]
    pub state: Vec<State>,
    /// Only orders to this number
    #[arg(long, value_name = "NUMBER")]
    pub phone: Option<Phone>,
    /// Only orders of this batch
    #[arg(long, value_name = "LABEL")]
    pub batch: Option<Label>,
    /// Only orders from then on: a day, an exact time, `today`, `yesterday`, or how long ago, as in `7d`
    #[arg(long, value_name = "WHEN")]
    pub since: Option<When>,
    /// Only orders up to then; a day counts whole
    #[arg(long, value_name = "WHEN")]
    pub until: Option<When>,
    /// The desk: open orders and clashes, oldest first, with their age, what was tried and what to do next
    #[arg(long)]
    pub open: bool,
    /// At most so many, the newest (with `--open` the oldest); 0 for all
    #[arg(long, default_value_t = 50, value_name = "COUNT", value_parser = limit)]
    pub limit: u32,
}

#[derive(Debug, Args)]
pub(super) struct ReportArgs {
    /// A day in Algiers time: `2026-11-25`, `today` or `yesterday`; today where no time is given
    #[arg(long, value_name = "DAY", value_parser = day, group = "when")]
    pub day: Option<When>,
    /// A month, as `2026-11`
    #[arg(long, value_name = "MONTH", group = "when")]
    pub month: Option<Month>,
    /// From then on: a day, an exact time, `today`, `yesterday`, or how long ago, as in `7d`
    #[arg(long, value_name = "WHEN", conflicts_with = "when")]
    pub since: Option<When>,
    /// Up to then; a day counts whole
    #[arg(long, value_name = "WHEN", conflicts_with = "when")]
    pub until: Option<When>,
    /// What a row stands for; several words with `,` between them
    #[arg(
        long,
        value_name = "WORDS",
        value_delimiter = ',',
        default_value = "operator,state",
        hide_possible_values = true
    )]
    pub by: Vec<ByArg>,
    /// Write CSV for a French Excel: `;` between columns, `,` in decimals
    #[arg(long)]
    pub excel: bool,
}

/// A day, and nothing more exact.
fn day(text: &str) -> Result<When, String> {
    match text.parse() {
        Ok(when @ (When::Day(_) | When::DaysBack(_))) => Ok(when),
        Ok(When::At(_) | When::Ago(_)) | Err(_) => Err(format!(
            "`{text}` is no day; write it as `2026-11-24`, `today` or `yesterday`"
        )),
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum ByArg {
    /// Whose credit it is
    Operator,
    /// The plan's code
    Plan,
    /// The batch
    Batch,
    /// Where orders stand
    State,
    /// The day on which orders were sent
    Day,
}

impl From<ByArg> for By {
    fn from(typed: ByArg) -> Self {
        match typed {
            ByArg::Operator => Self::Operator,
            ByArg::Plan => Self::Plan,
            ByArg::Batch => Self::Batch,
            ByArg::State => Self::State,
            ByArg::Day => Self::Day,
        }
    }
}

/// The words of `State`, for clap; a test holds the two together.
pub(super) const STATE_WORDS: [&str; 11] = [
    "planned",
    "sending",
    "accepted",
    "fulfilled",
    "refunded",
    "in_review",
    "rejected",
    "conflict",
    "unknown",
    "cancelled",
    "written_off",
];

#[derive(Debug, Args)]
pub(super) struct AuditArgs {
    /// Only lines about this order
    #[arg(long = "ref", value_name = "REF", add = ArgValueCompleter::new(complete_refs))]
    pub reference: Option<Ref>,
    /// Only lines from then on: a day, an exact time, `today`, `yesterday`, or how long ago, as in `7d`
    #[arg(long, value_name = "WHEN")]
    pub since: Option<When>,
    /// Only lines up to then; a day counts whole
    #[arg(long, value_name = "WHEN")]
    pub until: Option<When>,
    /// At most so many, the newest; 0 for all
    #[arg(long, default_value_t = 50, value_name = "COUNT", value_parser = limit)]
    pub limit: u32,
    /// Find lines that were changed, taken away or added, and rows of the ledger that say something else
    #[arg(long, conflicts_with_all = ["reference", "since", "until", "limit"])]
    pub verify: bool,
    /// With `--verify`: a head that was noted elsewhere, which must still be in the log
    #[arg(long, value_name = "HASH", requires = "verify", value_parser = refs::audit::read_hash)]
    pub head: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(super) enum ConfigCommand {
    /// Make the configuration file; asks for the key and checks that it works
    #[command(after_help = help::CONFIG_INIT)]
    Init {
        /// A command that prints the key, for example of a password manager
        #[arg(long, value_name = "COMMAND", value_parser = filled, conflicts_with = "key_file")]
        key_command: Option<String>,
        /// A file that holds the key and nothing else
        #[arg(long, value_name = "PATH", value_parser = filled)]
        key_file: Option<String>,
        /// Replace the key of a file or profile that is there; limits and other profiles stay
        #[arg(long)]
        force: bool,
        /// Do not ask the provider whether the key works
        #[arg(long)]
        no_check: bool,
    },
    /// Show every setting with its value and where it comes from; of the key, the last 4 characters
    Show,
    /// Print where the configuration file is
    Path,
    /// Check the configuration, and ask the provider whose key it is
    Check,
}

#[derive(Debug, Args)]
pub(super) struct SimulateArgs {
    /// Address and port to listen on; port 0 takes any free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8787", value_parser = listening)]
    pub listen: SocketAddr,
    /// Decides every draw: the same seed and calls give the same run
    #[arg(long, default_value_t = 0, value_parser = whole(0..=u64::MAX, "a whole number, as in `42`"))]
    pub seed: u64,
    /// What goes wrong, as `NAME[:ENDPOINT][=RATE|@N]`; may be given several times (see below)
    #[arg(long = "fault", value_name = "FAULT")]
    pub faults: Vec<crate::simulator::Fault>,
    /// Which reading of the API holds, as `NAME=VALUE`; may be given several times (see below)
    #[arg(long = "switch", value_name = "SWITCH")]
    pub switches: Vec<String>,
    /// The balance at the start, in dinars
    #[arg(long, value_name = "DZD", default_value = "50000")]
    pub balance: Money,
    /// How many times faster than the clock its time goes; 0 stands still
    #[arg(long, default_value_t = 1, value_parser = whole(0..=u32::MAX, "a whole number, as in `10`; 0 stands still"))]
    pub speed: u32,
    /// Calls a minute; by environment (60 or 120) where it is left out, 0 for no limit
    #[arg(long, value_parser = whole(0..=u32::MAX, "calls a minute, as in `60`; 0 for no limit"))]
    pub rate: Option<u32>,
    /// How long each answer is held back, as in `50ms`
    #[arg(long, value_name = "TIME", default_value = "0s")]
    pub latency: Span,
    /// What kind of key it has: sandbox or production
    #[arg(long, value_name = "KIND", hide_possible_values = true, default_value = "sandbox", value_parser = choice::<Environment>(&["sandbox", "production"]))]
    pub environment: Environment,
    /// The only key that it accepts
    #[arg(long, default_value = "simulator")]
    pub key: String,
    /// The account's name
    #[arg(long, default_value = "+213770000000", allow_hyphen_values = true)]
    pub username: String,
    /// A directory to keep its books in; in memory where it is left out
    #[arg(long, value_name = "DIR")]
    pub store: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
#[value(rename_all = "lower")]
pub(super) enum Shell {
    /// bash
    Bash,
    /// zsh
    Zsh,
    /// fish
    Fish,
    /// `PowerShell`
    Powershell,
    /// elvish
    Elvish,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_commands_are_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_state_can_be_listed() {
        assert_eq!(STATE_WORDS.to_vec(), State::ALL.map(State::word).to_vec());
    }
}
