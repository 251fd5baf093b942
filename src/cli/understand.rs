//! From what was typed to what is wanted.

use std::path::PathBuf;

use super::args::{
    BalanceArgs, BatchArgs, Cli, Command, ConfigCommand, ListArgs, PlanArg, PlansArgs, ReconcileArgs,
    RefCommand, ReportArgs, SendArgs, SimulateArgs,
};
use super::complete;
use crate::commands::{
    Globals, Request, balance, batch, config, plans, reconcile, refs, report, send, simulate,
};
use crate::config::Overrides;
use crate::domain::{Environment, Ref, When};
use crate::error::{Error, Result};
use crate::simulator;

impl Cli {
    pub(super) fn globals(&self, words: &[String]) -> Globals {
        let global = &self.global;
        let makes_file = matches!(&self.command, Command::Config(ConfigCommand::Init { .. }));
        Globals {
            overrides: Overrides {
                profile: global.profile.clone(),
                config: global.config.clone(),
                output: global.output,
                color: global.color,
                simulate: global.simulate,
                makes_file,
            },
            quiet: global.quiet,
            verbosity: global.verbose,
            typed: words.to_vec(),
        }
    }

    /// `words`: what was typed, to be typed again.
    pub(super) fn understand(self, words: &[String]) -> Result<Request> {
        let profile = self.global.profile;
        Ok(match self.command {
            Command::Balance(BalanceArgs { min }) => Request::Balance(balance::Request { min }),
            Command::Plans(PlansArgs {
                operator,
                all,
                refresh,
            }) => Request::Plans(plans::Request {
                operator,
                all,
                refresh,
            }),
            Command::Send(typed) => Request::Send(sending(typed)),
            Command::Batch(typed) => Request::Batch(batching(*typed, words)),
            Command::Ref(typed) => Request::Refs(refs_request(typed)?),
            Command::Report(typed) => Request::Report(reporting(typed)),
            Command::Reconcile(ReconcileArgs { since, until, fresh }) => {
                Request::Reconcile(reconcile::Request {
                    since,
                    until,
                    fresh,
                    typed: words.iter().skip(1).cloned().collect(),
                })
            }
            Command::Config(typed) => Request::Config(config_request(typed, profile)),
            Command::Simulate(typed) => Request::Simulate(simulate_request(*typed)?),
            Command::Completions { shell } => Request::Text(complete::script(shell)?),
            Command::Man { command } => Request::Text(complete::man(&command)?),
        })
    }
}

fn sending(typed: SendArgs) -> send::Request {
    send::Request {
        plan: match typed.plan {
            PlanArg::Auto => send::PlanChoice::Auto,
            PlanArg::Code(code) => send::PlanChoice::Code(code),
        },
        phone: typed.phone,
        amount: typed.amount,
        reference: typed.reference,
        no_wait: typed.no_wait,
        dry_run: typed.dry_run,
        again: typed.again,
    }
}

fn batching(typed: BatchArgs, words: &[String]) -> batch::Request {
    let Some(file) = typed.file.filter(|_| !typed.list) else {
        return batch::Request::List;
    };
    let source = if file.as_os_str() == "-" {
        batch::Source::Stdin
    } else {
        batch::Source::File(file)
    };
    batch::Request::Send(Box::new(batch::Sending {
        source,
        plan: typed.plan.map(|plan| match plan {
            PlanArg::Auto => batch::PlanCell::Auto,
            PlanArg::Code(code) => batch::PlanCell::Code(code),
        }),
        amount: typed.amount,
        label: typed.label,
        dry_run: typed.dry_run,
        yes: typed.yes,
        confirm_total: typed.confirm_total,
        expect_count: typed.expect_count,
        expect_total: typed.expect_total,
        skip_bad: typed.skip_bad,
        again: typed.again,
        max_total: typed.max_total,
        limit: typed.limit,
        until_empty: typed.until_empty,
        no_wait: typed.no_wait,
        results: typed.results,
        typed: retyped(words),
    }))
}

/// The words behind the program's name, without `--confirm-total`: it may be that of what was left to send.
fn retyped(words: &[String]) -> Vec<String> {
    let mut kept = Vec::new();
    let mut words = words.iter().skip(1);
    while let Some(word) = words.next() {
        if word == "--confirm-total" {
            words.next();
        } else if !word.starts_with("--confirm-total=") {
            kept.push(word.clone());
        }
    }
    kept
}

fn refs_request(typed: RefCommand) -> Result<refs::Request> {
    Ok(match typed {
        RefCommand::New { prefix, count } => refs::Request::New(refs::new::Request { prefix, count }),
        RefCommand::Check { refs } => refs::Request::Check(refs::check::Request {
            refs,
            waits: false,
            timeout: None,
        }),
        RefCommand::Wait { refs, timeout } => {
            let timeout = timeout.map(crate::domain::Span::duration);
            refs::Request::Check(refs::check::Request {
                refs,
                waits: true,
                timeout,
            })
        }
        RefCommand::List(typed) => refs::Request::List(list_request(typed)),
        RefCommand::Show { reference, support } => refs::Request::Show(showing(reference, support)?),
        RefCommand::Settle {
            refs,
            settled_as,
            because,
            yes,
        } => refs::Request::Settle(refs::settle::Request {
            refs,
            settled_as: settled_as.into(),
            because,
            yes,
        }),
        RefCommand::Audit(typed) => refs::Request::Audit(refs::audit::Request {
            reference: typed.reference,
            since: typed.since,
            until: typed.until,
            limit: typed.limit,
            verify: typed.verify,
            head: typed.head,
        }),
    })
}

/// `--support order-1` alone names the order, whichever of the two stands first.
fn showing(reference: Option<Ref>, support: Option<PathBuf>) -> Result<refs::show::Request> {
    let is_stdout = |target: &PathBuf| target.as_os_str() == "-";
    let (reference, support) = match (reference, support) {
        (None, Some(only)) if !is_stdout(&only) => {
            let typed = only.to_string_lossy().parse::<Ref>();
            let reference = typed.map_err(|error| Error::usage("ref", error.to_string()))?;
            (reference, Some(refs::show::PackTarget::Stdout))
        }
        (None, _) => {
            return Err(Error::usage("ref_missing", "no order is named")
                .hint("`oneclick ref show REF --support`, or `--support FILE` to write it to a new file"));
        }
        (Some(reference), support) => (
            reference,
            support.map(|target| {
                if is_stdout(&target) {
                    refs::show::PackTarget::Stdout
                } else {
                    refs::show::PackTarget::File(target)
                }
            }),
        ),
    };
    Ok(refs::show::Request { reference, support })
}

fn list_request(typed: ListArgs) -> refs::list::Request {
    refs::list::Request {
        states: typed.state,
        phone: typed.phone,
        batch: typed.batch,
        since: typed.since,
        until: typed.until,
        open: typed.open,
        limit: typed.limit,
    }
}

fn reporting(typed: ReportArgs) -> report::Request {
    use report::ReportSpan;
    let span = match (typed.day, typed.month) {
        (Some(day), _) => ReportSpan::Day(day),
        (None, Some(month)) => ReportSpan::Month(month),
        (None, None) if typed.since.is_none() && typed.until.is_none() => ReportSpan::Day(When::DaysBack(0)),
        (None, None) => ReportSpan::Range(typed.since, typed.until),
    };
    let mut by: Vec<report::By> = Vec::new();
    for word in typed.by.into_iter().map(report::By::from) {
        if !by.contains(&word) {
            by.push(word);
        }
    }
    report::Request {
        span,
        by,
        excel: typed.excel,
    }
}

fn config_request(typed: ConfigCommand, profile: Option<String>) -> config::Request {
    match typed {
        ConfigCommand::Init {
            key_command,
            key_file,
            force,
            no_check,
        } => config::Request::Init(config::InitRequest {
            key_command,
            key_file,
            force,
            no_check,
            profile,
        }),
        ConfigCommand::Show => config::Request::Show,
        ConfigCommand::Path => config::Request::Path,
        ConfigCommand::Check => config::Request::Check,
    }
}

fn simulate_request(typed: SimulateArgs) -> Result<simulate::Request> {
    let mut switches = simulator::Switches::default();
    for spelling in &typed.switches {
        switches.set(spelling).map_err(|error| {
            Error::usage("switch", error.to_string()).hint("`oneclick simulate --help` lists the switches")
        })?;
    }
    let balance = typed.balance.to_string();
    let options = simulator::Options {
        seed: typed.seed,
        key: typed.key,
        username: typed.username,
        environment: match typed.environment {
            Environment::Sandbox => simulator::Environment::Sandbox,
            Environment::Production => simulator::Environment::Production,
        },
        balance: balance
            .parse()
            .map_err(|_| Error::usage("balance", format!("`{balance}` is no balance")))?,
        speed: typed.speed,
        rate: typed.rate,
        latency: typed.latency.duration(),
        switches,
        faults: typed.faults,
        store: typed.store,
    };
    Ok(simulate::Request {
        listen: typed.listen,
        options,
    })
}
