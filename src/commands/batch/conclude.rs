//! The end of a run: the summary, what is open, the exact command that continues, and the exit code.

use std::collections::BTreeMap;
use std::io::ErrorKind;

use serde_json::{Value, json};

use super::report::Report;
use super::words::{count, is_good, rows_of, were};
use super::{Job, LeftOut, others, unprintable};
use crate::batch::{Outcome, Stopped};
use crate::commands::link::Connected;
use crate::commands::outcome::{auth_error, ended, interrupted};
use crate::domain::{Label, Money, State};
use crate::error::{Error, ExitCode, Kind, Result};
use crate::ledger::{Batch, Standings};
use crate::output::{Cell, Format, Record};

/// What a cap of the day lets through.
const TOMORROW: &str = "the same command goes on tomorrow, or with a higher cap";

/// Everything that is said at the end.
struct Summary<'a> {
    job: &'a Job<'a>,
    connected: &'a Connected,
    outcome: &'a Outcome,
    report: &'a Report<'a>,
    states: BTreeMap<State, u64>,
    /// Those of them that are orders of no batch or of another one: this batch neither sends them nor asks about them.
    elsewhere: Standings,
    /// The batches that have planned some of those.
    planned_by: Vec<Label>,
    /// Orders that the sheet no longer has.
    gone: BTreeMap<State, u64>,
    total: u64,
    already_done: u64,
    face: u64,
    cost: Money,
    next: Option<String>,
    retry_rows: u64,
    left_out: LeftOut,
}

/// Shows the summary; an error where not every row has reached its good end.
pub(super) async fn conclude(
    job: &Job<'_>,
    connected: &Connected,
    batch: &Batch,
    outcome: &Outcome,
    mut report: Report<'_>,
    left_out: LeftOut,
) -> Result<ExitCode> {
    let retry_rows = report.close().await?;
    let ledger = &connected.desk.ledger;
    let elsewhere = ledger.standings_elsewhere(batch)?;
    let standings = ledger.standings(batch)?.with(&elsewhere);
    let (mut states, mut gone) = (standings.states, standings.gone);
    gone.retain(|_, orders| *orders > 0);
    states.retain(|_, orders| *orders > 0);
    let paid = ledger.paid(batch)?;
    let mut summary = Summary {
        job,
        connected,
        outcome,
        report: &report,
        total: states.values().sum(),
        already_done: report.done_before(),
        face: paid.face,
        cost: paid.cost,
        next: None,
        planned_by: ledger.planned_elsewhere(batch)?,
        states,
        elsewhere,
        gone,
        retry_rows,
        left_out,
    };
    summary.next = summary.is_unfinished().then(|| job.next_command());
    let shown = summary.show();
    let verdict = summary.verdict().map_or(Ok(ExitCode::Success), Err);
    ended(&job.session.printer, shown, verdict)
}

impl Summary<'_> {
    fn count(&self, wanted: impl Fn(State) -> bool) -> u64 {
        let all = self.states.iter().chain(&self.gone);
        let picked = all.filter(|(state, _)| wanted(**state));
        picked.map(|(_, count)| count).sum()
    }

    /// The same without the orders of others.
    fn own(&self, wanted: impl Fn(State) -> bool) -> u64 {
        self.count(&wanted).saturating_sub(self.elsewhere.count(wanted))
    }

    /// Rows that this batch has still to send; what the sheet no longer has is not waited for any more.
    fn planned(&self) -> u64 {
        let planned = self.states.get(&State::Planned).copied().unwrap_or_default();
        planned.saturating_sub(self.elsewhere.count(|state| state == State::Planned))
    }

    /// Whether the same command has anything left to do.
    fn is_unfinished(&self) -> bool {
        self.planned() > 0 || self.own(State::is_open) > 0
    }

    fn stopped_word(&self) -> Option<&'static str> {
        let Some(stopped) = self.what_stopped() else {
            // Not the run, but some of its rows.
            return (self.report.held_caps > 0).then_some("cap");
        };
        Some(match stopped {
            Stopped::EmptyWallet => "empty_wallet",
            Stopped::Auth(_) => "auth",
            Stopped::Cap(_) => "cap",
            Stopped::Limit => "limit",
            Stopped::Consent => "consent",
            Stopped::Unavailable(_) | Stopped::Unresolved(_) => "unavailable",
            Stopped::Interrupted(crate::stop::Signal::Interrupt) => "interrupted",
            Stopped::Interrupted(crate::stop::Signal::Terminate) => "terminated",
        })
    }

    fn json(&self) -> Value {
        let calls = self.connected.desk.client.call_counts();
        let states: serde_json::Map<String, Value> = self
            .states
            .iter()
            .map(|(state, orders)| (state.word().to_owned(), (*orders).into()))
            .collect();
        json!({
            "batch": self.job.label.as_str(),
            "file": self.job.file.shown,
            "total": self.total,
            "already_done": self.already_done,
            "states": states,
            "elsewhere": self.elsewhere.states.iter().map(|(state, orders)| (state.word().to_owned(), Value::from(*orders))).collect::<serde_json::Map<_, _>>(),
            "gone": self.gone.iter().map(|(state, orders)| (state.word().to_owned(), Value::from(*orders))).collect::<serde_json::Map<_, _>>(),
            "face": self.face,
            "cost": self.cost.to_string(),
            "calls": {
                "send": calls.sends, "list": calls.lists, "check": calls.checks, "other": calls.others,
            },
            "elapsed_s": self.report.started.elapsed().as_secs(),
            "stopped": self.stopped_word(),
            "next": self.next,
            "results": self.job.file.results.display().to_string(),
            "retry": (self.retry_rows > 0).then(|| self.job.retry_path().display().to_string()),
            "left_out": { "bad": self.left_out.bad, "repeats": self.left_out.repeats },
        })
    }

    fn show(&self) -> Result<()> {
        let printer = &self.job.session.printer;
        let shown = match printer.format() {
            Format::Json => printer.json(&self.json()),
            Format::Jsonl => {
                let mut line = json!({ "type": "summary" });
                if let (Value::Object(line), Value::Object(summary)) = (&mut line, self.json()) {
                    line.extend(summary);
                }
                printer.json(&line)
            }
            Format::Table | Format::Csv => printer.record(self.record()),
        };
        shown.map_err(unprintable)
    }

    fn record(&self) -> Record {
        let calls = self.connected.desk.client.call_counts();
        let seconds = self.report.started.elapsed().as_secs();
        let asked = calls.lists + calls.checks;
        let sends = format!("{} {}", count(calls.sends), were(calls.sends, "send", "sends"));
        let questions = format!("{} {}", count(asked), were(asked, "question", "questions"));
        Record::new(self.json())
            .field("batch", "Batch", Cell::foreign(self.job.label.as_str()))
            .field("file", "File", Cell::foreign(self.job.file.shown.as_str()))
            .field(
                "total",
                "Rows",
                Cell::number(self.total).shown_as(count(self.total)),
            )
            .field(
                "already_done",
                "Done before",
                Cell::number(self.already_done).shown_as(count(self.already_done)),
            )
            .field("states", "Now", Cell::text(worded(&self.states)))
            .field("gone", "No longer in it", Cell::text(worded(&self.gone)))
            .field(
                "face",
                "Face",
                Cell::number(self.face).shown_as(format!("{} DZD", count(self.face))),
            )
            .field(
                "cost",
                "Cost",
                Cell::money(self.cost).shown_as(format!("{} DZD", self.cost.grouped())),
            )
            .field("calls", "Calls", Cell::text(format!("{sends}, {questions}")))
            .field("elapsed_s", "Took", Cell::number(seconds).shown_as(took(seconds)))
            .hidden("stopped", Cell::maybe(self.stopped_word(), Cell::text))
            .field(
                "results",
                "Results",
                Cell::foreign(self.job.file.results.display().to_string()),
            )
            .hidden("next", Cell::maybe(self.next.clone(), Cell::foreign))
    }

    /// The gravest of what applies (design, section 3: 10, 6, 4, 9, 8, 5, 3).
    fn verdict(&self) -> Option<Error> {
        let errors = [
            self.stopped(),
            self.unknown(),
            self.open_orders(),
            self.held(),
            self.put_back(),
            others::planned_by(&self.elsewhere, &self.planned_by),
            self.undelivered(),
            self.unwritten(),
        ];
        let errors: Vec<_> = errors.into_iter().flatten().collect();
        let worst = ExitCode::worst(errors.iter().map(Error::exit_code));
        let gravest = errors.into_iter().find(|error| error.exit_code() == worst)?;
        // What has stopped the run is told beside what weighs more: a refused key is not mended by asking again.
        let stopped = self.stopped().filter(|stopped| stopped.code != gravest.code);
        let besides = stopped.map(|stopped| (format!("besides: {}", stopped.message), stopped.hints));
        let gravest = match besides {
            Some((besides, hints)) => hints.into_iter().fold(gravest.hint(besides), Error::hint),
            None => gravest,
        };
        let continues = self.continuing().filter(|hint| !gravest.hints.contains(hint));
        Some(gravest.maybe_hint(self.warning()).maybe_hint(continues))
    }

    /// What is done, what is open and the command that continues.
    fn standing(&self) -> String {
        worded(&self.states)
    }

    /// What must not be done with rows whose outcome is unknown, whatever else is told.
    fn warning(&self) -> Option<String> {
        let is_unknown = self.count(State::is_in_doubt) > 0;
        is_unknown.then(|| {
            "do not send the unknown rows under another label or ref: they may have been paid".to_owned()
        })
    }

    fn continuing(&self) -> Option<String> {
        let next = self.next.as_ref()?;
        Some(format!("to go on: `{next}`"))
    }

    /// What kept rows from being sent. Where none is left, doubts about the last ones have stopped nothing.
    fn what_stopped(&self) -> Option<&Stopped> {
        let has_rest = self.planned() > 0;
        let stopped = self.outcome.stopped.as_ref();
        stopped.filter(|stopped| has_rest || !matches!(stopped, Stopped::Unresolved(_)))
    }

    fn stopped(&self) -> Option<Error> {
        let standing = self.standing();
        Some(match self.what_stopped()? {
            Stopped::EmptyWallet => Error::new(
                Kind::Limit,
                "empty_wallet",
                format!("the balance is used up; the rest stays planned: {standing}"),
            )
            .hint("put money on the account, then type the same command again"),
            Stopped::Auth(auth) => {
                let mut error = auth_error(auth);
                error.message = format!("{}; nothing more was sent: {standing}", error.message);
                error
            }
            Stopped::Cap(passed) => Error::new(
                Kind::Limit,
                passed.cap,
                format!(
                    "`{}` of {} DZD is reached ({} DZD sent today); the rest stays planned: {standing}",
                    passed.cap,
                    count(passed.limit),
                    count(passed.used)
                ),
            )
            // Where nothing was sent today, the next row alone is above the cap.
            .hint(if passed.used == 0 {
                "the next row is above the cap by itself: set a higher one, or take the row out of the sheet"
            } else {
                TOMORROW
            }),
            Stopped::Consent => Error::new(
                Kind::Limit,
                "over_consent",
                format!("more was planned meanwhile than was consented to; the rest stays planned: {standing}"),
            )
            .hint("the same command shows what is left, and needs consent to it"),
            Stopped::Unavailable(why) => Error::new(
                Kind::Unavailable,
                "not_sent",
                format!("{why}; the rest stays planned: {standing}"),
            )
            .hint("check the network, then type the same command again"),
            Stopped::Unresolved(why) => Error::new(
                Kind::Unavailable,
                "unresolved",
                format!("{why}; the rest stays planned: {standing}"),
            )
            .hint("wait until the provider works again, or ask its support what that means, then type the same command again"),
            Stopped::Interrupted(signal) => interrupted(
                *signal,
                &format!("stopped; what was on its way has been stored: {standing}"),
            ),
            Stopped::Limit => return None,
        })
    }

    fn unknown(&self) -> Option<Error> {
        let orders = self.count(State::is_in_doubt);
        (orders > 0).then(|| {
            let error = Error::new(
                Kind::Unknown,
                "outcome_unknown",
                format!("{}: {}", not_known(orders), self.standing()),
            );
            let asks = (self.own(State::is_in_doubt) > 0)
                .then(|| "the same command asks again, and so does `oneclick ref check`".to_owned());
            error
                .maybe_hint(asks)
                .maybe_hint(others::asked_by(&self.elsewhere, State::is_in_doubt))
                .hint("what stays unknown, the provider's support can tell, and `oneclick ref settle` stores")
        })
    }

    fn open_orders(&self) -> Option<Error> {
        let is_accepted = |state| matches!(state, State::Accepted | State::InReview);
        let orders = self.count(is_accepted);
        (orders > 0).then(|| {
            let error = Error::new(
                Kind::Open,
                "not_final",
                format!(
                    "{} {} end yet: {}",
                    rows_of(orders),
                    were(orders, "is not at its", "are not at their"),
                    self.standing()
                ),
            );
            let asks = (self.own(is_accepted) > 0).then(|| {
                "the same command asks what became of them, and so does `oneclick ref check`; neither sends them again"
                    .to_owned()
            });
            error
                .maybe_hint(asks)
                .maybe_hint(others::asked_by(&self.elsewhere, is_accepted))
        })
    }

    fn held(&self) -> Option<Error> {
        let report = self.report;
        let message = |why: &str, rows: u64| {
            let stay = if rows == 1 { "stays" } else { "stay" };
            format!("{} {stay} planned: {why}", rows_of(rows))
        };
        if report.held_caps > 0 {
            let they = were(report.held_caps, "it", "they");
            let text = message(
                &format!("{they} would pass `max_per_number_per_day`"),
                report.held_caps,
            );
            let above = match report.held_above_cap {
                0 => None,
                rows => Some(format!(
                    "{} above the cap by {}: set a higher one, or take {} out of the sheet",
                    were(rows, "1 row is", &format!("{} are", rows_of(rows))),
                    were(rows, "itself", "themselves"),
                    were(rows, "it", "them")
                )),
            };
            let tomorrow = (report.held_caps > report.held_above_cap).then(|| TOMORROW.to_owned());
            return Some(
                Error::new(Kind::Limit, "max_per_number_per_day", text)
                    .maybe_hint(tomorrow)
                    .maybe_hint(above),
            );
        }
        if report.held_repeats > 0 {
            let text = message(
                "the same went out elsewhere while this batch was planned",
                report.held_repeats,
            );
            // What was consented to were the repeats of the preview.
            let hint = if self.job.sending.again {
                "if that is meant, type the same command again"
            } else {
                "if that is meant, add `--again`"
            };
            return Some(Error::usage("repeat", text).hint(hint));
        }
        (report.held_clashes > 0).then(|| {
            let text = message("their refs are other orders'", report.held_clashes);
            Error::new(Kind::Refused, "conflict", text).hint("give these rows refs of their own")
        })
    }

    /// Rows that are planned although nothing has stopped them: another command has asked about them meanwhile.
    fn put_back(&self) -> Option<Error> {
        let rows = self.planned();
        let is_explained = self.outcome.stopped.is_some() || self.outcome.held > 0;
        (rows > 0 && !is_explained).then(|| {
            let stay = were(rows, "stays", "stay");
            let message = format!(
                "{} {stay} planned: another command has put them back",
                rows_of(rows)
            );
            Error::new(Kind::Open, "not_final", message).hint("the same command sends them")
        })
    }

    fn undelivered(&self) -> Option<Error> {
        // What the sheet no longer has is not waited for any more.
        let undelivered = self
            .states
            .iter()
            .filter(|(state, _)| state.is_final() && !is_good(**state));
        let orders: u64 = undelivered.map(|(_, orders)| orders).sum();
        (orders > 0).then(|| {
            let error = Error::new(
                Kind::Partial,
                "partial",
                format!(
                    "{} {} not delivered: {}",
                    rows_of(orders),
                    were(orders, "was", "were"),
                    self.standing()
                ),
            );
            let has_cancelled = self.states.contains_key(&State::Cancelled);
            let error = error.maybe_hint(has_cancelled.then(|| {
                "a cancelled row was given up behind a request that was lost: `oneclick reconcile` shows whether that one has turned up; then mend the row in the sheet itself, under a new ref where it has one, and the same command sends it".to_owned()
            }));
            if self.retry_rows == 0 {
                return error.hint("the results say why");
            }
            let retry = self.job.retry_path().display().to_string();
            error.hint(format!(
                "mend the rows of {retry}, then send them: `{}`",
                self.job.retry_command(&retry)
            ))
        })
    }

    fn unwritten(&self) -> Option<Error> {
        let trouble = self.report.trouble.as_ref()?;
        let is_full = matches!(trouble.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded);
        Some(
            Error::new(
                if is_full { Kind::Ledger } else { Kind::Internal },
                "results_unwritten",
                format!("the results are not complete: {trouble}"),
            )
            .hint("make room, then type the same command again: it writes them anew from the ledger"),
        )
    }
}

/// What is to be said of rows in doubt.
pub(super) fn not_known(rows: u64) -> String {
    let were_they = were(rows, "it was", "they were");
    format!("of {} it is not known whether {were_they} made", rows_of(rows))
}

/// `38 fulfilled, 2 refunded`.
pub(super) fn worded(states: &BTreeMap<State, u64>) -> String {
    let states: Vec<_> = states
        .iter()
        .filter(|(_, orders)| **orders > 0)
        .map(|(state, orders)| format!("{} {state}", count(*orders)))
        .collect();
    states.join(", ")
}

fn took(seconds: u64) -> String {
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, seconds) => format!("{seconds} s"),
        (0, minutes, seconds) => format!("{minutes} min {seconds} s"),
        (hours, minutes, _) => format!("{hours} h {minutes} min"),
    }
}
