//! `reconcile`: the ledger against the provider's list and account. It asks and never sends.

mod progress;
mod show;

use jiff::Timestamp;

use super::link::Connected;
use super::outcome::{auth_error, interrupted};
use super::session::Session;
use crate::config::shell_word;
use crate::domain::{When, in_algiers};
use crate::error::{Error, ExitCode, Kind, Result};
use crate::ledger::InHand;
pub use crate::reconcile::Kind as FindingKind;
use crate::reconcile::{Halted, Range, Report, reconcile};

/// What is asked for.
#[derive(Debug, Clone)]
pub struct Request {
    /// From then on; the beginning of yesterday where it is left out.
    pub since: Option<When>,
    /// Up to then; a day counts whole. Today where it is left out.
    pub until: Option<When>,
    /// Whether what an earlier run has read is dropped.
    pub fresh: bool,
    /// What was typed, to be typed again.
    pub typed: Vec<String>,
}

/// Compares, and shows what came of it.
pub async fn run(session: &Session, request: &Request) -> Result<ExitCode> {
    let now = session.clock.now();
    let range = range(request, now)?;
    let connected = session.connect().await?;
    let desk = &connected.desk;
    session.act(&desk.ledger, &desk.account, Vec::new()).await?;
    session.printer.note(&format!(
        "account {}; {} to {} in Algiers",
        desk.account,
        in_algiers(range.since),
        in_algiers(range.until)
    ));
    let next = next_command(&request.typed);
    session.set_last_words(
        || Some("the comparison is not done; nothing was sent".to_owned()),
        next.clone(),
    );
    let progress = progress::Pages::new(session);
    let compared = reconcile(desk, &range, &|event| progress.tell(event)).await;
    drop(progress);
    let report = match compared {
        Ok(report) => report,
        Err(halted) => return Err(stopped(&connected, halted, &next).await),
    };
    // Behind the comparison: it settles what it can.
    session.say_what_is_open(&desk.ledger, &desk.account, InHand::Nothing);
    show::show(session, &connected, &report)?;
    verdict(&report)
}

fn range(request: &Request, now: Timestamp) -> Result<Range> {
    let since = request.since.unwrap_or(When::DaysBack(1));
    let until = request.until.unwrap_or(When::DaysBack(0));
    let (from, to) = (since.moment(now), until.end(now));
    if from >= to || from > now {
        let message = format!(
            "there is nothing between {} and {}",
            in_algiers(from),
            in_algiers(to)
        );
        return Err(Error::usage("empty_range", message)
            .hint("`--since` must be before `--until`, and not in the future"));
    }
    Ok(Range {
        asked: format!("{} {}", spelling(since, from), spelling(until, to)),
        since: from,
        until: to,
        fresh: request.fresh,
    })
}

/// How a moment is asked for: the same words a minute later mean the same reading, although `12h` has moved on.
fn spelling(when: When, moment: Timestamp) -> String {
    match when {
        When::Ago(span) => format!("{span} ago"),
        When::At(_) | When::Day(_) | When::DaysBack(_) => moment.to_string(),
    }
}

/// The same command, without what belonged to one run only.
fn next_command(typed: &[String]) -> String {
    let words = typed.iter().filter(|word| *word != "--fresh");
    let words: Vec<_> = ["oneclick".to_owned()]
        .into_iter()
        .chain(words.map(|word| shell_word(word)))
        .collect();
    words.join(" ")
}

/// It ended before it could compare: what was read is kept, and the same command goes on behind it.
async fn stopped(connected: &Connected, halted: Halted, next: &str) -> Error {
    let goes_on = format!("to go on within an hour: `{next}`");
    match halted {
        Halted::Refused(auth) => connected.heed(auth_error(&auth)).await.hint(goes_on),
        Halted::Interrupted(signal) => {
            interrupted(signal, "stopped before all was read; nothing was sent").hint(goes_on)
        }
        Halted::Unreadable(why) => Error::new(
            Kind::Unavailable,
            "unavailable",
            format!("can't read the provider's books: {why}; nothing was sent"),
        )
        .hint(goes_on),
        Halted::Ledger(source) => source.into(),
        Halted::Busy => Error::new(
            Kind::Busy,
            "reading_elsewhere",
            "another process is comparing this account just now",
        )
        .hint(format!("wait for its end, then: `{next}`")),
    }
}

/// 0 only where all agrees: what could not be compared is no agreement.
fn verdict(report: &Report) -> Result<ExitCode> {
    let differences = report.differences();
    if report.agrees() {
        return Ok(ExitCode::Success);
    }
    let count = |count: usize, word: &str| format!("{count} {word}{}", if count == 1 { "" } else { "s" });
    let message = match (differences, report.unchecked.len()) {
        (0, left) => format!(
            "nothing differs, but not all could be compared ({})",
            count(left, "reason")
        ),
        (_, 0) => format!("the books differ: {}", count(differences, "difference")),
        (_, left) => format!(
            "the books differ: {}; and not all could be compared ({})",
            count(differences, "difference"),
            count(left, "reason")
        ),
    };
    let (kind, code) = match (report.has_unknown(), differences) {
        (true, _) => (Kind::Unknown, "outcome_unknown"),
        (false, 0) => (Kind::Partial, "not_all_compared"),
        (false, _) => (Kind::Partial, "books_differ"),
    };
    let reasons = report.unchecked.iter().map(|left| left.why.clone());
    let error = Error::new(kind, code, message);
    let error = if differences > 0 {
        error.hint(
            "each difference says what to do next; `oneclick ref show REF` has the whole history of an order",
        )
    } else {
        error
    };
    Err(reasons.fold(error, Error::hint))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moment(text: &str) -> Timestamp {
        text.parse().unwrap_or_else(|error| panic!("{error}"))
    }

    fn request(since: Option<&str>, until: Option<&str>) -> Request {
        let when = |text: &str| text.parse().unwrap_or_else(|error| panic!("{error}"));
        Request {
            since: since.map(when),
            until: until.map(when),
            fresh: false,
            typed: Vec::new(),
        }
    }

    #[test]
    fn yesterday_and_today_in_algiers_are_the_range_unless_others_are_named() {
        let now = moment("2026-11-24T23:30:00Z");
        let usual = range(&request(None, None), now).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(usual.since, moment("2026-11-23T23:00:00Z"));
        assert_eq!(usual.until, moment("2026-11-25T23:00:00Z"));
        let day = range(&request(Some("2026-11-01"), Some("2026-11-01")), now);
        let day = day.unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(day.since, moment("2026-10-31T23:00:00Z"));
        assert_eq!(day.until, moment("2026-11-01T23:00:00Z"));
        for (since, until) in [("today", "yesterday"), ("2026-12-01", "2026-12-02")] {
            assert!(range(&request(Some(since), Some(until)), now).is_err(), "{since}");
        }
    }

    #[test]
    fn the_same_words_name_the_same_reading_although_time_goes_on() {
        let asked = |since: &str, now: &str| {
            let range = range(&request(Some(since), None), moment(now));
            range.map_or_else(|error| panic!("{error}"), |range| range.asked)
        };
        let (one, other) = ("2026-11-24T10:00:00Z", "2026-11-24T10:07:00Z");
        for since in ["12h", "yesterday", "2026-11-01"] {
            assert_eq!(asked(since, one), asked(since, other), "{since}");
        }
        assert_ne!(asked("12h", one), asked("13h", one));
        assert_ne!(
            asked("yesterday", one),
            asked("yesterday", "2026-11-25T10:00:00Z")
        );
    }

    #[test]
    fn the_command_that_goes_on_reads_nothing_anew() {
        let typed = ["reconcile", "--fresh", "--since", "2026-11-01T08:00:00+01:00"].map(str::to_owned);
        assert_eq!(
            next_command(&typed),
            "oneclick reconcile --since 2026-11-01T08:00:00+01:00"
        );
    }
}
