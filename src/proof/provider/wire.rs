//! The wire: what goes wrong on it, and what must hold for whatever leaves a process.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use super::{Asked, KEY, Provider};
use crate::api::stage::{Call, Stage, Staged};
use crate::domain::{Ref, State};
use crate::proof::world::Fault;

/// The wire between one process and the provider.
#[derive(Debug)]
pub struct Wire {
    pub provider: Arc<Provider>,
    pub life: crate::promise::Life,
    pub process: u32,
}

impl Provider {
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
