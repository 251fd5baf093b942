//! An order that two processes have in hand: what one of them is shown proves nothing of what the other has sent since.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use jiff::{SignedDuration, Timestamp};
use secrecy::SecretString;
use serde_json::json;

use super::*;
use crate::api::stage::{Call, Stage, Staged};
use crate::api::{Client, ClientOptions};
use crate::clock::Clock;
use crate::domain::{Account, Amount, Environment, Intent, Operator};
use crate::ledger::{Again, Begun, Guard, Ledger, NewSend};
use crate::promise::Life;
use crate::topup::{Halted, Pace};

type Outcome = std::result::Result<(), Box<dyn std::error::Error>>;

fn account() -> Account {
    Account {
        username: "+213770000000".to_owned(),
        environment: Environment::Sandbox,
    }
}

fn intent() -> std::result::Result<Intent, Box<dyn std::error::Error>> {
    Ok(Intent {
        reference: "order-1".parse()?,
        phone: "0778037340".parse()?,
        plan: "PREPAID_DJEZZY".parse()?,
        amount: Amount::of(500)?,
    })
}

fn ledger_at(path: &Path) -> Result<Ledger> {
    Ok(Ledger::open_stepwise(path, Life::of(u64::MAX))?)
}

/// Sends the order, a first time or again, and loses the answer.
async fn send_and_lose(
    ledger: &Ledger,
    at: Timestamp,
    again: Option<Again>,
) -> std::result::Result<Order, Box<dyn std::error::Error>> {
    let new = NewSend {
        account: account(),
        intent: intent()?,
        operator: Operator::Djezzy,
        cost: None,
        at,
        path: "/v3/mobile/send".to_owned(),
        request: String::new(),
        again,
        why: None,
        guard: Guard::default(),
    };
    let Begun::Written(written) = ledger.begin(new).await? else {
        return Err("not written".into());
    };
    Ok(ledger
        .change(
            &written.order,
            Change::to(State::Unknown, at, "its answer was lost"),
        )
        .await?)
}

/// Knows of no order. Behind the last of so many questions, before its answer is there, another process has the order
/// sent once more.
#[derive(Debug)]
struct Meanwhile {
    ledger: Ledger,
    clock: Clock,
    questions: AtomicU32,
    behind: u32,
}

impl Stage for Meanwhile {
    fn call<'a>(&'a self, _method: &str, path: &str, _body: Option<String>) -> Call<'a> {
        let is_question = path.contains("check-ref");
        Box::pin(async move {
            let questions = self
                .questions
                .fetch_add(u32::from(is_question), Ordering::Relaxed)
                + 1;
            if is_question && questions == self.behind {
                let order = self
                    .ledger
                    .find(&account(), &intent().unwrap_or_else(|e| panic!("{e}")).reference);
                let order = order.ok().flatten().unwrap_or_else(|| panic!("no order"));
                let again = Again {
                    revision: order.revision,
                    counts: true,
                };
                let sent = send_and_lose(&self.ledger, self.clock.now(), Some(again)).await;
                sent.unwrap_or_else(|error| panic!("{error}"));
            }
            let body = json!({"success": false, "error": {"code": "NOT_FOUND", "message": "none"}, "requestId": "r"});
            Staged::json(404, None, &body)
        })
    }
}

/// Asks about an order that was lost an hour ago, with a request of another process behind the nth question.
async fn asked_about(behind: u32) -> std::result::Result<Standing, Box<dyn std::error::Error>> {
    let place = tempfile::tempdir()?;
    let path = place.path().join("ledger.db");
    drop(Ledger::open(&path)?);
    let clock = Clock::from_runtime(Timestamp::from_second(1_800_010_800)?);
    let hour_ago = clock.now().checked_sub(SignedDuration::from_hours(1))?;
    let order = send_and_lose(&ledger_at(&path)?, hour_ago, None).await?;
    let options = ClientOptions {
        base_url: "http://127.0.0.1:1".to_owned(),
        is_loopback: true,
        key: SecretString::from("key-of-the-shop"),
        connect_timeout: Duration::from_secs(10),
        send_timeout: Duration::from_secs(90),
        read_timeout: Duration::from_secs(20),
    };
    let stage = Meanwhile {
        ledger: ledger_at(&path)?,
        clock,
        questions: AtomicU32::new(0),
        behind,
    };
    let (_stopper, stop) = crate::stop::channel();
    let desk = Desk {
        client: Client::new(options, clock)?.on_stage(Arc::new(stage)),
        ledger: ledger_at(&path)?,
        clock,
        stop,
        halted: Halted::default(),
        account: account(),
        pace: Pace::usual(),
    };
    Ok(desk.check(order, &|_| {}).await?)
}

#[tokio::test(start_paused = true)]
async fn an_order_that_nobody_has_sent_since_is_proved_absent() -> Outcome {
    let standing = asked_about(u32::MAX).await?;
    assert_eq!(standing.order.state, State::Cancelled, "{standing:?}");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn an_absence_proves_nothing_of_a_request_that_has_left_since() -> Outcome {
    for behind in 1..=4 {
        let standing = asked_about(behind).await?;
        assert_eq!(standing.order.state, State::Unknown, "{behind}: {standing:?}");
        assert_eq!(standing.order.attempts, 2, "{behind}: {standing:?}");
    }
    Ok(())
}
