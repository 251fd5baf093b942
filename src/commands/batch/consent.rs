//! Consent: at a terminal `y`, in production the total typed in; elsewhere a flag (design, section 4).

use super::rows::repeat_of;
use super::words::{count as grouped, rows_of, were};
use super::{Job, Planned};
use crate::batch::{KEPT_MAX, Preview};
use crate::commands::link::Connected;
use crate::domain::{Environment, shown};
use crate::error::{Error, Result};
use crate::ledger::{ActEvent, InDoubt, Override, Planner};

/// How somebody at a terminal consents.
const AT_TERMINAL: &str = "y at the terminal";

/// Whether repeats are sent as well. Without `--again` somebody at a terminal is asked; elsewhere they are left out
/// with `--skip-bad`, and refused otherwise.
pub(super) async fn repeats(job: &Job<'_>, connected: &Connected, planner: &Planner) -> Result<bool> {
    let printer = &job.session.printer;
    let (own, first_own) = planner.own_repeats(KEPT_MAX)?;
    for resolved in &first_own {
        printer.warn(&format!(
            "a repeat under a ref of its own: {}",
            repeat_of(resolved)
        ));
    }
    tell_more(job, own, first_own.len());
    let (count, first) = planner.repeats(KEPT_MAX)?;
    if count == 0 {
        return Ok(job.sending.again);
    }
    for resolved in &first {
        printer.warn(&format!("a repeat: {}", repeat_of(resolved)));
    }
    tell_more(job, count, first.len());
    if job.sending.again {
        return Ok(true);
    }
    if job.sending.skip_bad {
        printer.note(&format!(
            "{} {} left out: repeats need `--again`",
            rows_of(count),
            were(count, "is", "are")
        ));
        return Ok(false);
    }
    if job.sending.dry_run {
        printer.note(&format!(
            "{} not counted: `--again` sends repeats, `--skip-bad` leaves them out, and without either a run asks, or sends nothing",
            were(count, "1 row is", &format!("{} are", rows_of(count)))
        ));
        return Ok(false);
    }
    if printer.is_interactive() {
        let question = format!(
            "send the repeats as well ({}; no leaves them out)?",
            rows_of(count)
        );
        if !job.session.ask(&question).await? {
            return Ok(false);
        }
        let repeats = Override {
            what: "repeats".to_owned(),
            by: AT_TERMINAL.to_owned(),
            reason: Some(rows_of(count)),
        };
        job.session.set_aside(&connected.desk.ledger, repeats).await?;
        return Ok(true);
    }
    let first = first.first().map(repeat_of).unwrap_or_default();
    let message = format!(
        "{} of the sheet {}: {first}; nothing was sent",
        rows_of(count),
        were(count, "is a repeat", "are repeats")
    );
    Err(Error::usage("repeat", message)
        .hint("if they are meant, add `--again`; `--skip-bad` leaves them out and sends the others"))
}

fn tell_more(job: &Job<'_>, all: u64, shown: usize) {
    let shown = u64::try_from(shown).unwrap_or(u64::MAX);
    if all > shown {
        let more = rows_of(all - shown);
        job.session.printer.warn(&format!("and {more} more are repeats"));
    }
}

/// Asks for consent, and writes down what came of it. The act that stores and sends; none where there is nothing to do.
pub(super) async fn noted(
    job: &Job<'_>,
    connected: &Connected,
    planned: &Planned,
    preview: &Preview,
    in_doubt: InDoubt,
) -> Result<Option<i64>> {
    let (session, ledger) = (job.session, &connected.desk.ledger);
    let asked = Asked {
        rows: preview.to_send.rows,
        face: preview.to_send.face,
        in_doubt,
    };
    let (label, what) = (&job.label, asked.what());
    match ask(job, connected, planned, &asked).await {
        Ok(Some(by)) => {
            let why = format!("batch `{label}`: {what}, by {by}");
            session.note_act(ledger, ActEvent::Consented, why).await.map(Some)
        }
        Ok(None) if matches!(planned, Planned::Staged(..)) => {
            let why = format!("batch `{label}`: a sheet with nothing to send is stored");
            session.note_act(ledger, ActEvent::Begun, why).await.map(Some)
        }
        Ok(None) => Ok(None),
        Err(error) => {
            // Where nobody was asked, nobody has declined.
            if session.printer.is_interactive() || job.sending.confirm_total.is_some() {
                let why = format!("batch `{label}`: {what}; {}", error.message);
                if let Err(unwritten) = session.note_act(ledger, ActEvent::Declined, why).await {
                    session.printer.warn(&unwritten.message);
                }
            }
            Err(error)
        }
    }
}

/// What somebody consents to: the most that may be sent.
struct Asked {
    rows: u64,
    face: u64,
    in_doubt: InDoubt,
}

impl Asked {
    /// The face value of everything that may leave.
    fn total(&self) -> u64 {
        self.face.saturating_add(self.in_doubt.face)
    }

    fn what(&self) -> String {
        let what = |rows, face| format!("{} for {} DZD", rows_of(rows), grouped(face));
        let again = what(self.in_doubt.rows, self.in_doubt.face);
        match (self.rows, self.in_doubt.rows) {
            (rows, 0) => what(rows, self.face),
            (0, _) => format!("again up to {again} whose answers were lost"),
            (rows, _) => format!(
                "{}, and again up to {again} whose answers were lost",
                what(rows, self.face)
            ),
        }
    }
}

/// Consent to what would be sent, and how it was given; none where there is nothing to send.
async fn ask(
    job: &Job<'_>,
    connected: &Connected,
    planned: &Planned,
    asked: &Asked,
) -> Result<Option<&'static str>> {
    let (sending, total) = (job.sending, asked.total());
    // That of the whole sheet says nothing of the rows that a limit lets through.
    let whole = sending.limit.is_none().then(|| planned.totals().1);
    if asked.rows == 0 && asked.in_doubt.rows == 0 {
        return Ok(None);
    }
    if let Some(confirmed) = sending.confirm_total {
        // A batch that goes on is confirmed by the same total as when it began.
        if confirmed == total || Some(confirmed) == whole {
            let _ = job.confirmed.set(whole);
            return Ok(Some("`--confirm-total`"));
        }
        let message = format!(
            "the total is {} DZD, not the {} DZD of `--confirm-total`; nothing was sent",
            grouped(total),
            grouped(confirmed)
        );
        let takes = match whole {
            Some(_) => "the sheet, or of what is left to send",
            None => "the rows that `--limit` lets through",
        };
        return Err(Error::usage("total_not_confirmed", message).hint(format!(
            "look at `--dry-run`; `--confirm-total` takes the face value of {takes}"
        )));
    }
    if sending.yes {
        return Ok(Some("`--yes`"));
    }
    if !job.session.printer.is_interactive() {
        let message = format!("sending {} needs consent; nothing was sent", asked.what());
        let error = Error::usage("consent", message).hint(format!(
            "add `--yes`, or `--confirm-total {total}` so that only this total is sent"
        ));
        let asks = (asked.in_doubt.rows > 0).then(|| {
            "`oneclick ref check` asks what became of those that were lost; it sends nothing".to_owned()
        });
        return Err(error.maybe_hint(asks));
    }
    typed(job, connected, asked).await.map(Some)
}

async fn typed(job: &Job<'_>, connected: &Connected, asked: &Asked) -> Result<&'static str> {
    let total = asked.total();
    let is_given = match connected.desk.account.environment {
        Environment::Sandbox => job.session.ask(&format!("send {}?", asked.what())).await?,
        Environment::Production => {
            let question = format!(
                "send {}? type the total in dinars, {}, to confirm:",
                asked.what(),
                grouped(total)
            );
            let answer = job.session.ask_text(&question).await?;
            let digits: String = answer
                .chars()
                .filter(|character| !character.is_whitespace())
                .collect();
            let is_the_total = digits == total.to_string();
            if !is_the_total && !digits.is_empty() {
                let message = format!(
                    "`{}` is not the total, {} DZD; nothing was sent",
                    shown(&answer),
                    grouped(total)
                );
                return Err(Error::usage("total_not_confirmed", message).hint("type its digits alone"));
            }
            is_the_total
        }
    };
    if is_given {
        Ok(match connected.desk.account.environment {
            Environment::Sandbox => AT_TERMINAL,
            Environment::Production => "the total typed at the terminal",
        })
    } else {
        Err(Error::usage("consent", "not confirmed; nothing was sent")
            .hint("run the command again to look at it once more"))
    }
}
