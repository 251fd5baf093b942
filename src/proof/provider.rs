//! The provider of the proof: inside this process, in the runtime's time. It shares nothing with the simulator, keeps
//! its own books, and watches over every request that it gets.

mod pages;
mod wire;

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use fastrand::Rng;
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::world::{Fault, Spelling, World};
use crate::api::stage::Staged;
use crate::clock::{Clock, earlier, later};
use crate::domain::Account;
use crate::ledger::Ledger;
pub use wire::Wire;

/// The key of all worlds.
pub const KEY: &str = "sk_proof_4f1d9b7c2e8a";
/// The account of all worlds.
pub const USERNAME: &str = "+213770000000";

/// How an order ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    Delivered,
    PaidBack,
    /// Looked at by hand: nobody knows yet.
    InReview,
}

/// An order in the books.
#[derive(Debug, Clone)]
pub struct Booked {
    pub id: String,
    pub reference: String,
    pub phone: String,
    pub plan: String,
    pub amount: u64,
    pub ending: Ending,
    /// Made by somebody else with the same key.
    pub is_foreign: bool,
    created: Timestamp,
    shown_from: Instant,
    ends_at: Instant,
}

impl Booked {
    fn word(&self, now: Instant) -> &'static str {
        if now < self.ends_at {
            return "PENDING";
        }
        match self.ending {
            Ending::Delivered => "FULFILLED",
            Ending::PaidBack => "REFUNDED",
            Ending::InReview => "UNKNOWN_ERROR",
        }
    }
}

/// What is known of a ref's requests, seen from the wire.
#[derive(Debug, Default)]
struct Asked {
    /// Whether a request of it has had no sure answer.
    is_in_doubt: bool,
    /// "Not found" since its last request, by spelling.
    absent_raw: u32,
    absent_prefixed: u32,
}

impl Asked {
    /// Whether it may have been made, and the provider has not said twice that it does not know it.
    fn is_unproved(&self) -> bool {
        self.is_in_doubt && self.absent_raw.min(self.absent_prefixed) < 2
    }
}

/// The books and everything else that changes.
#[derive(Debug)]
struct Books {
    rng: Rng,
    faults_percent: u8,
    is_healed: bool,
    orders: Vec<Booked>,
    by_ref: HashMap<String, usize>,
    wallet: Option<u64>,
    key_off_after: Option<u64>,
    calls: u64,
    posts: u64,
    faults: BTreeMap<Fault, u64>,
    asked: HashMap<String, Asked>,
    /// When a process was told that nothing can be sent.
    halted: HashMap<u32, (Instant, &'static str)>,
    /// Which process works on the batch.
    working: Option<u32>,
    breaches: Vec<String>,
}

/// Somebody works on the batch.
#[derive(Debug)]
pub struct Present(Arc<Provider>);

impl Drop for Present {
    fn drop(&mut self) {
        self.0.books().working = None;
    }
}

/// What the contradictions of the API's sources are in this world, and how fast things go.
#[derive(Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is one contradiction of the API's sources"
)]
struct Habits {
    stores_prefixed: bool,
    spelling: Spelling,
    newest_first: bool,
    has_hyphen: bool,
    looks_at_wallet_first: bool,
    skew: Duration,
    is_ahead: bool,
    order_life: Duration,
    shown_late: Duration,
    refunds_percent: u8,
    reviews_percent: u8,
    is_slow_road: bool,
}

/// The provider.
#[derive(Debug)]
pub struct Provider {
    habits: Habits,
    books: Mutex<Books>,
    clock: Clock,
    account: Account,
    /// Reads what the ledger knows at the moment at which a request leaves.
    witness: Ledger,
}

impl Provider {
    pub fn new(world: &mut World, clock: Clock, account: Account, witness: Ledger) -> Self {
        Self {
            habits: Habits {
                stores_prefixed: world.stores_prefixed,
                spelling: world.spelling,
                newest_first: world.newest_first,
                has_hyphen: world.has_hyphen,
                looks_at_wallet_first: world.looks_at_wallet_first,
                skew: world.skew,
                is_ahead: world.is_ahead,
                order_life: world.order_life,
                shown_late: world.shown_late,
                refunds_percent: world.refunds_percent,
                reviews_percent: world.reviews_percent,
                is_slow_road: world.is_slow_road,
            },
            books: Mutex::new(Books {
                rng: world.rng.fork(),
                faults_percent: world.faults_percent,
                is_healed: false,
                orders: Vec::new(),
                by_ref: HashMap::new(),
                wallet: world.wallet,
                key_off_after: world.key_off_after,
                calls: 0,
                posts: 0,
                faults: BTreeMap::new(),
                asked: HashMap::new(),
                halted: HashMap::new(),
                working: None,
                breaches: Vec::new(),
            }),
            clock,
            account,
            witness,
        }
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Everything that is in the books.
    pub fn orders(&self) -> Vec<Booked> {
        self.books().orders.clone()
    }

    pub fn order(&self, reference: &str) -> Option<Booked> {
        let books = self.books();
        books.by_ref.get(reference).map(|at| books.orders[*at].clone())
    }

    pub fn counts(&self) -> (u64, BTreeMap<Fault, u64>) {
        let books = self.books();
        (books.posts, books.faults.clone())
    }

    pub fn breaches(&self) -> Vec<String> {
        self.books().breaches.clone()
    }

    pub fn breach(&self, what: impl fmt::Display) {
        self.books().breaches.push(what.to_string());
    }

    /// A process works on the batch until what this returns is dropped.
    pub fn enters(self: &Arc<Self>, process: u32) -> Present {
        let mut books = self.books();
        if let Some(other) = books.working.replace(process) {
            books
                .breaches
                .push(format!("processes {other} and {process} work on one batch"));
        }
        drop(books);
        Present(Arc::clone(self))
    }

    /// Nothing goes wrong any more, the wallet is full, the key works, and what was in review is settled.
    pub fn heal(&self) {
        let mut books = self.books();
        books.faults_percent = 0;
        books.is_healed = true;
        books.wallet = None;
        books.key_off_after = None;
        let Books { orders, rng, .. } = &mut *books;
        for order in orders.iter_mut().filter(|order| order.ending == Ending::InReview) {
            order.ending = if rng.bool() {
                Ending::Delivered
            } else {
                Ending::PaidBack
            };
        }
    }

    /// An order that somebody else made under a ref.
    pub fn book_foreign(&self, reference: &str) {
        self.book(reference, "0799999999", super::world::PLAN, 300, true);
    }

    fn their_now(&self) -> Timestamp {
        let now = self.clock.now();
        if self.habits.is_ahead {
            later(now, self.habits.skew)
        } else {
            earlier(now, self.habits.skew)
        }
    }

    fn book(&self, reference: &str, phone: &str, plan: &str, amount: u64, is_foreign: bool) -> String {
        let (created, now) = (self.their_now(), Instant::now());
        let mut books = self.books();
        let dice = books.rng.u8(0..100);
        let late = books
            .rng
            .u64(0..=u64::try_from(self.habits.shown_late.as_millis()).unwrap_or(0));
        let (refunds, reviews) = (self.habits.refunds_percent, self.habits.reviews_percent);
        let ending = match dice {
            _ if dice < refunds => Ending::PaidBack,
            _ if dice < refunds + reviews && !books.is_healed => Ending::InReview,
            _ => Ending::Delivered,
        };
        let id = format!("{:024x}", books.orders.len() + 1);
        let at = books.orders.len();
        books.by_ref.insert(reference.to_owned(), at);
        books.orders.push(Booked {
            id: id.clone(),
            reference: reference.to_owned(),
            phone: phone.to_owned(),
            plan: plan.to_owned(),
            amount,
            ending,
            is_foreign,
            created,
            shown_from: now + Duration::from_millis(late),
            ends_at: now + self.habits.order_life,
        });
        id
    }

    fn stored_ref(&self, reference: &str) -> String {
        if self.habits.stores_prefixed {
            format!("API-{USERNAME}-{reference}")
        } else {
            reference.to_owned()
        }
    }

    fn row(&self, order: &Booked) -> Value {
        json!({
            "_id": order.id, "ref": self.stored_ref(&order.reference), "status": order.word(Instant::now()),
            "plan_code": order.plan, "MSSIDN": order.phone, "topup_amount": order.amount,
            "balance_amount": order.amount, "created_at": format!("{:.3}", order.created),
        })
    }

    fn answer(&self, status: u16, body: &Value) -> Staged {
        let date =
            jiff::fmt::rfc2822::to_string(&self.their_now().to_zoned_datetime(jiff::tz::TimeZone::UTC));
        let date = date.ok().map(|date| date.replace("+0000", "GMT"));
        Staged::json(status, date.as_deref(), body)
    }

    fn error(&self, status: u16, code: &str, message: &str) -> Staged {
        let body =
            json!({ "success": false, "error": { "code": code, "message": message }, "requestId": "req-1" });
        self.answer(status, &body)
    }

    fn data(&self, data: &Value) -> Staged {
        self.answer(
            200,
            &json!({ "success": true, "data": data, "requestId": "req-2" }),
        )
    }
}
