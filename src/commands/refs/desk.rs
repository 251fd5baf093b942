//! `ref list --open`: the desk of orders that somebody must look after. Of each: its age against the time that the
//! provider needs, what was tried, and what to do next.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::clock::{elapsed, later};
use crate::commands::outcome::typed;
use crate::domain::{Order, State, day_in_algiers, in_algiers, in_words};
use crate::ledger::{Attempt, Ledger};
use crate::output::{Aim, Cell, Column, Shown, Table, Tone, orders_table};

/// So long the provider needs at most to settle an order by hand (API page `4-status-polling`).
pub(super) const PROVIDER_NEEDS: Duration = Duration::from_hours(24);
/// An order that was accepted ends in seconds; behind this, waiting for it is no use.
const ENDS_WITHIN: Duration = Duration::from_mins(5);

/// An order on the desk.
struct Case {
    order: Order,
    /// Since when it is open.
    since: Timestamp,
    now: Timestamp,
    /// How often its request was sent.
    sent: u32,
    /// How often it was asked about.
    asked: usize,
    /// The last question: when, and what came back.
    last: Option<(Timestamp, String)>,
    /// Whether another process is sending it.
    is_busy: bool,
}

/// What to do about an order.
struct Next {
    told: String,
    command: Option<String>,
}

impl Next {
    fn with(before: &str, command: String, behind: &str) -> Self {
        Self {
            told: format!("{before}`{command}`{behind}"),
            command: Some(command),
        }
    }

    fn aimed(self, aim: &Aim) -> Self {
        Self {
            told: aim.sentence(&self.told).into_owned(),
            command: self.command.map(|command| aim.command(&command)),
        }
    }
}

/// The desk as a list; every order as elsewhere, and what its case adds. What to do next is aimed at the account of this
/// run.
pub(super) fn table(
    ledger: &Ledger,
    orders: Vec<Order>,
    now: Timestamp,
    aim: &Aim,
) -> crate::ledger::Result<Table> {
    let mut table = orders_table(&orders);
    "nothing is open, and nothing clashes".clone_into(&mut table.empty);
    for column in &mut table.columns {
        // What tells the cases apart has to fit; the rest is a `ref show` away.
        if matches!(column.key, "cost" | "created_at" | "message") {
            column.shown = Shown::OffTerminal;
        }
    }
    let hidden = |key| Column::left(key, "").shown(Shown::OffTerminal);
    table.columns.extend([
        Column::left("age_s", "Age"),
        hidden("sent_at"),
        hidden("due_at"),
        hidden("overdue"),
        hidden("asked"),
        hidden("last_asked_at"),
        Column::left("last_answer", "Tried"),
        Column::left("next", "Next"),
        hidden("next_command"),
    ]);
    for (place, order) in orders.into_iter().enumerate() {
        let attempts = ledger.attempts(&order)?;
        let case = Case::of(order, &attempts, ledger, now);
        let next = case.next().aimed(aim);
        if let Some(row) = table.rows.get_mut(place) {
            row.extend(case.cells(&next));
        }
        if let Some(Value::Object(fields)) = table.json.get_mut(place) {
            fields.extend(case.json(&next));
        }
    }
    Ok(table)
}

impl Case {
    fn of(order: Order, attempts: &[Attempt], ledger: &Ledger, now: Timestamp) -> Self {
        let questions = attempts.iter().filter(|attempt| attempt.endpoint != "send");
        let last = questions.clone().next_back().map(|attempt| {
            let answer = attempt.outcome.as_deref().unwrap_or("no answer");
            (
                attempt.ended_at.unwrap_or(attempt.started_at),
                in_people_s_words(answer),
            )
        });
        Self {
            since: order.sent_at.unwrap_or(order.created_at),
            now,
            sent: order.attempts,
            asked: questions.count(),
            last,
            is_busy: order.state.is_in_doubt() && ledger.is_being_sent(&order),
            order,
        }
    }

    fn age(&self) -> Duration {
        elapsed(self.since, self.now)
    }

    /// When the provider should have settled it; a ref that clashes is settled by nobody there.
    fn due(&self) -> Option<Timestamp> {
        self.order
            .state
            .is_open()
            .then(|| later(self.since, PROVIDER_NEEDS))
    }

    fn is_overdue(&self) -> bool {
        self.due().is_some_and(|due| due <= self.now)
    }

    fn told_age(&self) -> String {
        let age = in_words(self.age());
        match self.due() {
            None => age,
            Some(_) if self.is_overdue() => format!("{age}, overdue: 24 h are over"),
            Some(_) => format!("{age} of 24 h"),
        }
    }

    fn told_tries(&self) -> String {
        let sent = match self.sent {
            0 => String::new(),
            1 => "sent once; ".to_owned(),
            times => format!("sent {times} times; "),
        };
        let Some((at, answer)) = &self.last else {
            return format!("{sent}not asked about yet");
        };
        let times = match self.asked {
            1 => "once".to_owned(),
            times => format!("{times} times, last"),
        };
        format!("{sent}asked {times} {}: {answer}", self.moment(*at))
    }

    /// A moment of today as the time alone.
    fn moment(&self, at: Timestamp) -> String {
        let told = in_algiers(at);
        let is_today = day_in_algiers(at) == day_in_algiers(self.now);
        let time = told.get(11..).filter(|_| is_today).map(str::to_owned);
        time.unwrap_or(told)
    }

    fn next(&self) -> Next {
        let reference = typed(&self.order.intent.reference);
        let check = format!("oneclick ref check {reference}");
        let wait = format!("oneclick ref wait {reference}");
        match self.order.state {
            _ if self.is_busy => Next::with("another process is sending it: ", wait, ""),
            State::Conflict => Next {
                told: format!(
                    "the ref is another order's, or this one shown in another way: compare both; if nothing was made, send it \
                     under another ref if it is still wanted, then `oneclick ref settle {reference} --as written-off --because \"…\"`"
                ),
                command: None,
            },
            _ if self.is_overdue() && self.was_asked_since_due() => support(&reference),
            _ if self.is_overdue() => Next::with("ask once more: ", check, ""),
            State::InReview => {
                let due = self.due().map(|due| self.moment(due)).unwrap_or_default();
                Next::with(&format!("wait until {due}, then "), check, "")
            }
            State::Accepted if self.age() < ENDS_WITHIN => Next::with("wait for its end: ", wait, ""),
            State::Unknown | State::Sending => Next::with(
                "",
                check,
                "; do not send it under another ref, it may have been paid",
            ),
            State::Accepted => Next::with("", check, ""),
            // None of these is on the desk: nothing is asked about what was not sent, or has ended.
            State::Planned
            | State::Fulfilled
            | State::Refunded
            | State::Rejected
            | State::Cancelled
            | State::WrittenOff => Next {
                told: "nothing to be asked".to_owned(),
                command: None,
            },
        }
    }

    fn was_asked_since_due(&self) -> bool {
        let last = self.last.as_ref().map(|(at, _)| *at);
        last.zip(self.due()).is_some_and(|(last, due)| last >= due)
    }

    fn cells(&self, next: &Next) -> Vec<Cell> {
        let overdue = self.is_overdue();
        let last = self.last.as_ref();
        vec![
            Cell::number(self.age().as_secs())
                .shown_as(self.told_age())
                .tone(if overdue { Tone::Bad } else { Tone::Plain }),
            Cell::time(self.since),
            Cell::maybe(self.due(), Cell::time),
            Cell::yes(overdue),
            Cell::number(u64::try_from(self.asked).unwrap_or(u64::MAX)),
            Cell::maybe(last, |(at, _)| Cell::time(*at)),
            Cell::foreign(last.map_or("", |(_, answer)| answer.as_str())).shown_as(self.told_tries()),
            Cell::foreign(next.told.as_str()).tone(Tone::Strong),
            Cell::maybe(next.command.as_ref(), Cell::foreign),
        ]
    }

    fn json(&self, next: &Next) -> impl Iterator<Item = (String, Value)> {
        let exact = |at: Timestamp| format!("{at:.3}");
        let fields = [
            ("age_s", json!(self.age().as_secs())),
            ("sent_at", json!(exact(self.since))),
            ("due_at", json!(self.due().map(exact))),
            ("overdue", json!(self.is_overdue())),
            ("asked", json!(self.asked)),
            (
                "last_asked_at",
                json!(self.last.as_ref().map(|(at, _)| exact(*at))),
            ),
            ("last_answer", json!(self.last.as_ref().map(|(_, answer)| answer))),
            ("next", json!(next.told)),
            ("next_command", json!(next.command)),
        ];
        fields.into_iter().map(|(key, value)| (key.to_owned(), value))
    }
}

fn support(reference: &str) -> Next {
    let show = format!("oneclick ref show {reference} --support");
    let then = format!(
        " to the provider's support; with its answer `oneclick ref settle {reference} --as … --because \"…\"`"
    );
    Next::with("write ", show, &then)
}

/// The provider's status, or what was understood, as a sentence goes on with it.
fn in_people_s_words(outcome: &str) -> String {
    match outcome {
        "PENDING" => "in the provider's queue (PENDING)".to_owned(),
        "HANDLING" => "in work at the provider (HANDLING)".to_owned(),
        "UNKNOWN_ERROR" => "in review at the provider (UNKNOWN_ERROR)".to_owned(),
        "the provider does not know it" | "not on the list" => "not found at the provider".to_owned(),
        other => other.to_owned(),
    }
}
