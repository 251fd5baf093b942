//! The pages that the application answers.

use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::{Booked, Provider, USERNAME};
use crate::api::stage::Staged;
use crate::proof::world::{REFUSED_PHONE, Spelling};

impl Provider {
    /// The application's answer.
    pub(super) fn applied(&self, is_post: bool, is_key_off: bool, path: &str, body: Option<&str>) -> Staged {
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
}

fn decoded(text: &str) -> String {
    percent_encoding::percent_decode_str(text)
        .decode_utf8_lossy()
        .into_owned()
}
