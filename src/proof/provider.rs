//! The provider of the proof: inside this process, in the runtime's time. It shares nothing with the simulator, keeps
//! its own books, and watches over every request that it gets.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use fastrand::Rng;
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::world::{Fault, REFUSED_PHONE, Spelling, World};
use crate::api::stage::{Call, Stage, Staged};
use crate::clock::{Clock, earlier, later};
use crate::domain::{Account, Ref, State};
use crate::ledger::Ledger;

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

/// The wire between one process and the provider.
#[derive(Debug)]
pub struct Wire {
    pub provider: Arc<Provider>,
    pub life: crate::promise::Life,
    pub process: u32,
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

    /// What the network and the edge make of a call before the application sees it.
    fn struck(&self, fault: Fault) -> Option<Staged> {
        match fault {
            Fault::NotSent => Some(Staged::NotSent),
            Fault::LostBefore => Some(Staged::Lost),
            Fault::ErrorBefore => Some(self.error(500, "INTERNAL_ERROR", "rare")),
            Fault::PageBefore => Some(Staged::text(502, None, "<html>Bad gateway</html>")),
            Fault::NoRoute => Some(self.answer(
                404,
                &json!({ "message": "Route not found", "error": "Not Found", "statusCode": 404 }),
            )),
            Fault::TooMany => Some(self.error(429, "RATE_LIMIT_EXCEEDED", "slow down")),
            Fault::AuthUnavailable => Some(self.error(503, "AUTH_UNAVAILABLE", "later")),
            Fault::LostAfter
            | Fault::ErrorAfter
            | Fault::PageAfter
            | Fault::Hangs
            | Fault::LandsLate
            | Fault::EchoesKey => None,
        }
    }

    /// What becomes of an answer on its way back.
    async fn returned(&self, fault: Option<Fault>, answer: Staged) -> Staged {
        match fault {
            Some(Fault::LostAfter | Fault::LandsLate) => Staged::Lost,
            Some(Fault::ErrorAfter) => self.error(500, "INTERNAL_ERROR", "rare"),
            Some(Fault::PageAfter) => Staged::text(504, None, "<html>Gateway timeout</html>"),
            Some(Fault::Hangs) => std::future::pending().await,
            Some(Fault::EchoesKey) => self.error(500, "INTERNAL_ERROR", &format!("no luck with {KEY}")),
            _ => answer,
        }
    }

    async fn serve(self: Arc<Self>, is_post: bool, path: String, body: Option<String>) -> Staged {
        let (there, back, fault, is_key_off) = self.drawn(is_post);
        tokio::time::sleep(there).await;
        if let Some(struck) = fault.and_then(|fault| self.struck(fault)) {
            return struck;
        }
        if fault == Some(Fault::LandsLate) {
            let late = there * 20;
            let provider = Arc::clone(&self);
            tokio::spawn(async move {
                tokio::time::sleep(late).await;
                provider.applied(is_post, is_key_off, &path, body.as_deref());
            });
            return Staged::Lost;
        }
        let answer = self.applied(is_post, is_key_off, &path, body.as_deref());
        tokio::time::sleep(back).await;
        self.returned(fault, answer).await
    }

    fn drawn(&self, is_post: bool) -> (Duration, Duration, Option<Fault>, bool) {
        let mut books = self.books();
        books.calls += 1;
        let is_key_off = books.key_off_after.is_some_and(|calls| books.calls > calls);
        let is_struck = books.rng.u8(0..100) < books.faults_percent;
        let fault = is_struck.then(|| books.rng.choice(Fault::ALL)).flatten();
        if let Some(fault) = fault {
            *books.faults.entry(fault).or_default() += 1;
        }
        let mut way = || Duration::from_millis(books.rng.u64(20..400));
        let (mut there, back) = (way(), way());
        if is_post && self.habits.is_slow_road {
            there *= 150;
        }
        (there, back, fault, is_key_off)
    }

    /// The application's answer.
    fn applied(&self, is_post: bool, is_key_off: bool, path: &str, body: Option<&str>) -> Staged {
        if is_key_off {
            return self.error(
                401,
                "INVALID_ACCESS_TOKEN",
                "The provided access token is invalid",
            );
        }
        let (route, query) = path.split_once('?').unwrap_or((path, ""));
        if is_post {
            let order: Value = body
                .and_then(|body| serde_json::from_str(body).ok())
                .unwrap_or_default();
            return self.send(&order);
        }
        if let Some(reference) = route.strip_prefix("/v3/mobile/check-ref/") {
            let reference = decoded(reference);
            return self.check_ref(&reference);
        }
        if let Some(id) = route.strip_prefix("/v3/mobile/check-id/") {
            let shown = self.shown();
            let found = shown.iter().find(|order| order.id == id);
            return found.map_or_else(|| self.not_found(), |order| self.data(&self.row(order)));
        }
        match route {
            "/v3/mobile/list" => self.list(query),
            "/v3/account/balance" => {
                let balance = self.books().wallet.unwrap_or(1_000_000);
                self.data(&json!({ "balance": balance }))
            }
            _ => self.error(404, "NOT_FOUND", "no such page"),
        }
    }

    fn not_found(&self) -> Staged {
        self.error(404, "NOT_FOUND", "Top-up not found")
    }

    fn send(&self, order: &Value) -> Staged {
        let text = |name: &str| order[name].as_str().unwrap_or_default();
        let (reference, amount) = (text("ref"), order["amount"].as_u64().unwrap_or(0));
        if text("MSSIDN") == REFUSED_PHONE {
            return self.error(400, "ERR_VALIDATION", "body/MSSIDN is refused");
        }
        let is_poor = self.books().wallet.is_some_and(|wallet| wallet < amount);
        let poor = || self.error(403, "INSUFFICIENT_BALANCE", "Insufficient balance");
        if is_poor && self.habits.looks_at_wallet_first {
            return poor();
        }
        if self.books().by_ref.contains_key(reference) {
            let code = if self.habits.has_hyphen {
                "DUPLICATED-REF"
            } else {
                "DUPLICATED_REF"
            };
            return self.error(403, code, "This reference ID is already in use");
        }
        if is_poor {
            return poor();
        }
        if let Some(wallet) = &mut self.books().wallet {
            *wallet = wallet.saturating_sub(amount);
        }
        let id = self.book(reference, text("MSSIDN"), text("plan_code"), amount, false);
        self.data(&json!({ "topupId": id, "topupRef": self.stored_ref(reference) }))
    }

    fn shown(&self) -> Vec<Booked> {
        let (now, mut orders) = (Instant::now(), self.orders());
        orders.retain(|order| order.shown_from <= now);
        orders
    }

    fn check_ref(&self, asked: &str) -> Staged {
        let prefix = format!("API-{USERNAME}-");
        let (reference, is_prefixed) = match asked.strip_prefix(&prefix) {
            Some(raw) => (raw, true),
            None => (asked, false),
        };
        let is_looked_up = match self.habits.spelling {
            Spelling::Both => true,
            Spelling::Raw => !is_prefixed,
            Spelling::Prefixed => is_prefixed,
        };
        let shown = self.shown();
        let found = shown
            .iter()
            .find(|order| is_looked_up && order.reference == reference);
        if let Some(order) = found {
            return self.data(&self.row(order));
        }
        let mut books = self.books();
        let known = books.asked.entry(reference.to_owned()).or_default();
        if is_prefixed {
            known.absent_prefixed += 1;
        } else {
            known.absent_raw += 1;
        }
        drop(books);
        self.not_found()
    }

    fn list(&self, query: &str) -> Staged {
        let value = |name: &str| {
            let pair = query
                .split('&')
                .find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
            pair.map(decoded).unwrap_or_default()
        };
        let moment = |name: &str| value(name).parse::<Timestamp>().unwrap_or_default();
        let (from, to) = (moment("from"), moment("to"));
        let page: usize = value("page").parse().unwrap_or(1);
        let mut shown = self.shown();
        shown.retain(|order| (from..=to).contains(&order.created));
        if self.habits.newest_first {
            shown.reverse();
        }
        let total = shown.len();
        let items: Vec<_> = shown
            .iter()
            .skip((page - 1) * 100)
            .take(100)
            .map(|order| self.row(order))
            .collect();
        let pagination = json!({
            "page": page, "pageSize": 100, "totalPages": total.div_ceil(100), "totalResults": total,
        });
        self.data(&json!({ "items": items, "pagination": pagination }))
    }

    /// A request is about to leave: what must hold by now?
    fn departing(&self, process: u32, body: &str) -> String {
        let order: Value = serde_json::from_str(body).unwrap_or_default();
        let reference = order["ref"].as_str().unwrap_or_default().to_owned();
        let known: Option<Ref> = reference.parse().ok();
        let known = known.and_then(|known| self.witness.find(&self.account, &known).ok().flatten());
        if known.is_none_or(|known| known.state != State::Sending) {
            self.breach(format!(
                "`{reference}` left before the ledger knew it as `sending`"
            ));
        }
        let now = Instant::now();
        let mut books = self.books();
        books.posts += 1;
        if let Some((at, why)) = books.halted.get(&process).copied()
            && now > at
        {
            books
                .breaches
                .push(format!("`{reference}` was sent behind {why}"));
        }
        let known = books.asked.entry(reference.clone()).or_default();
        let is_unproved = known.is_unproved();
        *known = Asked {
            is_in_doubt: true,
            ..Asked::default()
        };
        if is_unproved {
            books.breaches.push(format!(
                "`{reference}` was sent again although it was not proved absent"
            ));
        }
        reference
    }

    /// The answer has reached the process.
    fn delivered(&self, process: u32, reference: &str, was_in_doubt: bool, staged: &Staged) {
        let mut books = self.books();
        let is_sure = match staged {
            Staged::NotSent => true,
            Staged::Lost => false,
            Staged::Answer { status, body, .. } => {
                let body: Value = serde_json::from_slice(body).unwrap_or_default();
                let code = body["error"]["code"].as_str().unwrap_or_default();
                match code {
                    "INVALID_ACCESS_TOKEN" => {
                        books
                            .halted
                            .entry(process)
                            .or_insert((Instant::now(), "a refused key"));
                    }
                    "INSUFFICIENT_BALANCE" => {
                        books
                            .halted
                            .entry(process)
                            .or_insert((Instant::now(), "an empty wallet"));
                    }
                    _ => {}
                }
                !code.is_empty()
                    && (*status < 500 || code == "AUTH_UNAVAILABLE")
                    && !code.starts_with("DUPLICATED")
            }
        };
        if is_sure && let Some(known) = books.asked.get_mut(reference) {
            known.is_in_doubt = was_in_doubt;
        }
    }

    fn was_in_doubt(&self, body: &str) -> bool {
        let order: Value = serde_json::from_str(body).unwrap_or_default();
        let books = self.books();
        let known = books.asked.get(order["ref"].as_str().unwrap_or_default());
        known.is_some_and(Asked::is_unproved)
    }
}

impl Stage for Wire {
    fn call<'a>(&'a self, method: &str, path: &str, body: Option<String>) -> Call<'a> {
        let (is_post, path) = (method == "POST", path.to_owned());
        Box::pin(async move {
            self.life.step().await;
            let provider = &self.provider;
            let was_in_doubt = body.as_deref().is_some_and(|body| provider.was_in_doubt(body));
            let reference = body.as_deref().map(|body| provider.departing(self.process, body));
            // What has left goes on whatever becomes of the process that sent it.
            let serving = tokio::spawn(Arc::clone(provider).serve(is_post, path, body));
            let staged = serving.await.unwrap_or(Staged::Lost);
            self.life.step().await;
            if let Some(reference) = reference {
                provider.delivered(self.process, &reference, was_in_doubt, &staged);
            }
            staged
        })
    }
}

fn decoded(text: &str) -> String {
    percent_encoding::percent_decode_str(text)
        .decode_utf8_lossy()
        .into_owned()
}
