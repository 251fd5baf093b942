//! The desk: takes a call, lets faults strike, and has it answered. All state of a simulator is here.

use serde_json::{Map, Value, json};

use super::answers::{Answer, BAD_GATEWAY, MAINTENANCE, Reply, number};
use super::call::{Call, Endpoint};
use super::clock::{Millis, iso};
use super::fault::{FaultKind, Strike};
use super::gate::Gate;
use super::options::{Options, SimulatorError};
use super::order::Status;
use super::store::Store;
use super::tally::Tally;
use super::{account, admin, mobile};

/// All state of a simulator. Calls are answered one after another.
#[derive(Debug)]
pub(super) struct Desk {
    /// How it behaves; switches and faults may be changed while it serves.
    pub(super) options: Options,
    /// The books.
    pub(super) store: Store,
    gate: Gate,
    tally: Tally,
}

impl Desk {
    /// Opens the books.
    pub(super) fn open(options: Options) -> Result<Self, SimulatorError> {
        Ok(Self {
            store: Store::open(&options)?,
            options,
            gate: Gate::default(),
            tally: Tally::default(),
        })
    }

    /// Answers a call. What it does to the books is written down before the answer leaves.
    pub(super) fn answer(&mut self, call: &Call) -> Reply {
        if let Err(error) = self.store.enter() {
            return Reply::Whole(Answer::broken(&error));
        }
        let reply = match call.path.strip_prefix("/_simulator/") {
            Some(_) => Reply::Whole(admin::answer(self, call)),
            None => self.serve(call),
        };
        match self.store.leave() {
            Ok(()) => reply,
            Err(error) => Reply::Whole(Answer::broken(&error)),
        }
    }

    fn serve(&mut self, call: &Call) -> Reply {
        let now = self.store.books().now();
        let reply = match call.endpoint(&self.options.switches) {
            Some(endpoint) => self.reply(call, endpoint, now),
            None => Reply::Whole(self.no_route(call)),
        };
        self.tally.answer(outcome(&reply));
        let request_id = self.tally.request_id();
        let switches = &self.options.switches;
        match reply {
            Reply::Whole(answer) => Reply::Whole(answer.dress(&request_id, now, switches)),
            Reply::Half(answer) => Reply::Half(answer.dress(&request_id, now, switches)),
            Reply::Reset | Reply::Hang => reply,
        }
    }

    fn no_route(&mut self, call: &Call) -> Answer {
        self.tally.stray();
        Answer::bare(
            404,
            "Not Found",
            &format!("Route {}:{} not found", call.method, call.path),
        )
    }

    fn reply(&mut self, call: &Call, endpoint: Endpoint, now: Millis) -> Reply {
        let ordinal = self.tally.call(endpoint);
        let strike = Strike::draw(&self.options.faults, self.options.seed, ordinal);
        if let Some(fault) = strike.before {
            return self.fail_before(fault, call, now);
        }
        let speed = self.store.books().anchor().speed();
        let answer = self
            .gate
            .admit(call, endpoint, &self.options, now, speed)
            .and_then(|()| self.dispatch(call, endpoint, now, strike.late))
            .unwrap_or_else(|refusal| refusal);
        match strike.after {
            Some(fault) => fail_after(fault, answer),
            None => Reply::Whole(answer),
        }
    }

    fn dispatch(
        &mut self,
        call: &Call,
        endpoint: Endpoint,
        now: Millis,
        late: bool,
    ) -> Result<Answer, Answer> {
        let books = self.store.books();
        match endpoint {
            Endpoint::Send => mobile::send(self, call, now, late),
            Endpoint::CheckRef => mobile::check_ref(books, &self.options, &call.subject(), now),
            Endpoint::CheckId => mobile::check_id(books, &self.options, &call.subject(), now),
            Endpoint::List => mobile::list(books, &self.options, call, now),
            Endpoint::Plans => Ok(mobile::plans(&self.options)),
            Endpoint::Balance => Ok(account::balance(books, &self.options)),
            Endpoint::Transactions => account::transactions(books, &self.options, call),
            Endpoint::Validate => Ok(account::validate(&self.options)),
            Endpoint::Ping => Ok(account::ping()),
        }
    }

    fn fail_before(&mut self, fault: FaultKind, call: &Call, now: Millis) -> Reply {
        let switches = &self.options.switches;
        Reply::Whole(match fault {
            FaultKind::RequestLost => return Reply::Reset,
            FaultKind::HangBefore => return Reply::Hang,
            FaultKind::Html502Before => Answer::html(502, BAD_GATEWAY),
            FaultKind::Error503Before => unavailable(),
            FaultKind::AuthUnavailable => Answer::refuse(
                503,
                "AUTH_UNAVAILABLE",
                "The access token could not be verified in time",
            )
            .retry_after(5, now, switches),
            FaultKind::RateLimited => self.gate.too_many(1, now, switches),
            FaultKind::Redirect => Answer::empty(307).header("location", call.path.clone()),
            _ => internal(),
        })
    }

    /// The books as tests read them.
    pub(super) fn books(&self) -> Value {
        let books = self.store.books();
        let now = books.now();
        let mut accepted = Map::new();
        let mut deliveries = Map::new();
        for order in books.orders() {
            let row = accepted
                .entry(order.reference.clone())
                .or_insert_with(|| json!({ "count": 0 }));
            let count = row["count"].as_u64().unwrap_or_default() + 1;
            *row = json!({
                "count": count,
                "topup_id": order.topup_id,
                "phone": order.phone,
                "plan": order.plan_code,
                "amount": order.amount,
                "status": order.status(now).word(),
                "created_at": iso(order.course.created_ms),
            });
            if order.status(now) == Status::Fulfilled {
                let delivered = deliveries
                    .entry(order.reference.clone())
                    .or_insert_with(|| 0.into());
                *delivered = (delivered.as_u64().unwrap_or_default() + 1).into();
            }
        }
        json!({
            "balance": number(books.balance()),
            "accepted": accepted,
            "orders": books.orders().len(),
            "deliveries": deliveries,
            "calls": self.tally.calls(),
            "answers": self.tally.answers(),
            "bad_keys": self.gate.bad_keys,
            "rate_limited": self.gate.rate_limited,
        })
    }

    /// The books, with what other processes have done to them, as far as they can be read.
    pub(super) fn fresh_books(&mut self) -> Value {
        if self.store.enter().is_ok() {
            // The lock is released with the file at the latest.
            let _ = self.store.leave();
        }
        self.books()
    }
}

fn outcome(reply: &Reply) -> String {
    match reply {
        Reply::Whole(answer) | Reply::Half(answer) => answer.status.to_string(),
        Reply::Reset => "reset".to_owned(),
        Reply::Hang => "hang".to_owned(),
    }
}

/// Spoils an answer. What claims a success strikes only a success: a refusal stays one.
fn fail_after(fault: FaultKind, answer: Answer) -> Reply {
    let success = answer.is_success();
    match fault {
        FaultKind::AnswerLost => Reply::Reset,
        FaultKind::HangAfter => Reply::Hang,
        FaultKind::HalfBody => Reply::Half(answer),
        FaultKind::Html502After => Reply::Whole(Answer::html(502, BAD_GATEWAY)),
        FaultKind::Error500After => Reply::Whole(internal()),
        FaultKind::Error503After => Reply::Whole(unavailable()),
        FaultKind::NotJson200 if success => Reply::Whole(Answer::html(200, MAINTENANCE)),
        FaultKind::Empty200 if success => Reply::Whole(Answer::empty(200)),
        FaultKind::NoId200 => Reply::Whole(answer.without_id()),
        _ => Reply::Whole(answer),
    }
}

fn internal() -> Answer {
    Answer::refuse(500, "INTERNAL_ERROR", "An internal error occurred")
}

fn unavailable() -> Answer {
    Answer::refuse(
        503,
        "SERVICE_UNAVAILABLE",
        "The service is temporarily unavailable",
    )
}
