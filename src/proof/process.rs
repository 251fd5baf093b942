//! The processes of the proof: what `batch`, `send` and `ref check` do, without a terminal. Engine, protocol, planner,
//! sheet reader and ledger are the real ones.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;

use super::provider::{KEY, Provider, Wire};
use super::world::{PLAN, World};
use crate::api::{Client, ClientOptions, Rate, read_balance, read_data};
use crate::batch::{Bounds, Options, Preview, Terms, sheet};
use crate::clock::{Clock, earlier};
use crate::domain::{Account, Amount, Catalogue, Intent, Label, Money, Operator, Plan, Price};
use crate::ledger::{Caps, Guard, Ledger, NewSheet};
use crate::promise::Life;
use crate::stop::Stop;
use crate::topup::{Desk, Pace, Refusal, Standing, Wish, ask};

/// How long the same phone, plan and amount is a repeat: longer than any world lasts.
const REPEAT_WINDOW: Duration = Duration::from_hours(12);

/// Where the processes of one world run.
#[derive(Debug)]
pub struct Shop {
    pub place: PathBuf,
    pub provider: Arc<Provider>,
    pub clock: Clock,
    pub account: Account,
    pub label: Label,
    pub connections: usize,
    pub is_paced: bool,
    pub again: bool,
    pub caps: Caps,
}

/// What a run of a process ends with.
pub type Ran = Result<(), Box<dyn std::error::Error>>;

impl Shop {
    pub fn new(
        world: &World,
        place: &Path,
        provider: Arc<Provider>,
        clock: Clock,
        account: Account,
        label: Label,
    ) -> Self {
        Self {
            place: place.to_owned(),
            provider,
            clock,
            account,
            label,
            connections: world.connections,
            is_paced: world.is_paced,
            again: world.again,
            caps: Caps {
                per_number_per_day: None,
                per_day: world.cap,
            },
        }
    }

    pub fn ledger(&self) -> PathBuf {
        self.place.join("ledger.db")
    }

    pub fn sheet(&self) -> PathBuf {
        self.place.join("sheet.csv")
    }

    fn desk(&self, process: u32, life: &Life, stop: Stop) -> Result<Arc<Desk>, Box<dyn std::error::Error>> {
        let options = ClientOptions {
            base_url: "http://127.0.0.1:1".to_owned(),
            is_loopback: true,
            key: SecretString::from(KEY),
            connect_timeout: Duration::from_secs(10),
            send_timeout: Duration::from_secs(90),
            read_timeout: Duration::from_secs(20),
        };
        let wire = Wire {
            provider: Arc::clone(&self.provider),
            life: life.clone(),
            process,
        };
        let client = Client::new(options, self.clock)?.on_stage(Arc::new(wire));
        if self.is_paced {
            client
                .limiter()
                .set_steady(Rate::PerMinute(std::num::NonZeroU32::MIN.saturating_add(59)));
        }
        Ok(Arc::new(Desk {
            client,
            ledger: Ledger::open_stepwise(&self.ledger(), life.clone())?,
            clock: self.clock,
            stop,
            halted: crate::topup::Halted::default(),
            account: self.account.clone(),
            pace: Pace::usual(),
        }))
    }

    async fn balance(&self, desk: &Desk) -> Option<Money> {
        let asked = ask(&desk.pace, &desk.stop, async || desk.client.balance().await)
            .await
            .ok()?;
        read_balance(read_data(&asked).ok()?)
    }

    /// `batch sheet.csv`, in the steps of the command.
    pub async fn batch(&self, process: u32, life: Life, stop: Stop) -> Ran {
        let desk = self.desk(process, &life, stop)?;
        let Some(_lock) = desk.ledger.lock_batch(&self.account, &self.label)? else {
            return Ok(());
        };
        let _present = self.provider.enters(process);
        let sheet = sheet::open(&self.sheet())?;
        let terms = Terms {
            plan: None,
            amount: None,
            max_per_send: None,
            catalogue: catalogue(),
        };
        let known = desk.ledger.batch(&self.account, &self.label)?;
        let digest = terms.digest(&sheet);
        let stored = known.clone().filter(|batch| {
            batch
                .sheet
                .as_ref()
                .is_some_and(|sheet| sheet.is_whole && sheet.digest == digest)
        });
        let batch = match (stored, &known) {
            (Some(batch), _) => batch,
            (None, known) => {
                if let Some(batch) = known
                    && crate::batch::settle_lost(&desk, batch).await.is_err()
                {
                    return Ok(());
                }
                let mut planner = desk.ledger.planner(&self.account, &self.label)?;
                let since = earlier(self.clock.now(), REPEAT_WINDOW);
                let reading = terms.plan(&sheet, &mut planner, since)?;
                life.step().await;
                let batch = planner.store(&NewSheet {
                    file: "sheet.csv".to_owned(),
                    header: sheet.header().to_vec(),
                    digest,
                    is_whole: reading.bad == 0,
                    with_repeats: self.again,
                    at: self.clock.now(),
                    act: None,
                })?;
                life.step().await;
                batch
            }
        };
        let Some(balance) = self.balance(&desk).await else {
            return Ok(());
        };
        let in_doubt = desk
            .ledger
            .in_doubt(&batch, crate::domain::start_of_day(self.clock.now()))?;
        let preview = Preview::of_stored(&desk.ledger, &batch, Bounds::default())?;
        let options = Options {
            connections: self.connections,
            waits: true,
            limit: None,
            consent: preview.consent(in_doubt),
            repeat_window: REPEAT_WINDOW,
            caps: self.caps,
            balance: Some(balance),
            dearest: Money::from_dinars(500),
        };
        crate::batch::run(desk, batch, options, &mut |_| {}).await?;
        Ok(())
    }

    /// `send --plan … --phone … --amount …`, without a ref of its own.
    pub async fn send(&self, process: u32, life: Life, stop: Stop, phone: &str, amount: u32) -> Ran {
        let desk = self.desk(process, &life, stop)?;
        let now = self.clock.now();
        let mut wish = Wish {
            intent: Intent {
                reference: format!("single-{process}").parse()?,
                phone: phone.parse()?,
                plan: PLAN.parse()?,
                amount: Amount::of(amount)?,
            },
            operator: Operator::Djezzy,
            cost: None,
            guard: Guard {
                no_repeat_since: Some(earlier(now, REPEAT_WINDOW)),
                caps: self.caps,
                day_start: crate::domain::start_of_day(now),
                own_batch: None,
            },
        };
        let since = earlier(now, REPEAT_WINDOW);
        let given_up = desk
            .ledger
            .given_up_in_doubt(&self.account, &wish.intent, since)?;
        let tell = |_: &crate::topup::Event<'_>| {};
        let begun = match given_up {
            Some(order) => {
                wish.intent.reference = order.intent.reference.clone();
                desk.top_up_again(&order, &wish, &tell).await?
            }
            None => desk.top_up(&wish, &tell).await?,
        };
        let standing = match begun {
            Ok(standing) => standing,
            Err(Refusal::Exists(order)) => desk.resume(*order, &wish, &tell).await?,
            Err(Refusal::Repeat(_) | Refusal::OverCap(_) | Refusal::Interrupted(_)) => return Ok(()),
        };
        desk.wait(standing, &tell).await?;
        Ok(())
    }

    /// `ref check`, without a ref.
    pub async fn check(&self, process: u32, life: Life, stop: Stop) -> Ran {
        let desk = self.desk(process, &life, stop)?;
        for order in desk.ledger.open_orders(&self.account)? {
            let Standing { trouble, .. } = desk.check(order, &|_| {}).await?;
            if matches!(
                trouble,
                Some(crate::topup::Trouble::Auth(_) | crate::topup::Trouble::Interrupted(_))
            ) {
                return Ok(());
            }
        }
        Ok(())
    }
}

fn catalogue() -> Catalogue {
    let amount = |dinars| Amount::of(dinars).unwrap_or_else(|error| panic!("{error}"));
    Catalogue {
        plans: vec![Plan {
            code: PLAN.parse().unwrap_or_else(|error| panic!("{error}")),
            name: "PREPAID".to_owned(),
            operator: Operator::Djezzy,
            multiplier: None,
            price: Price::Range {
                min: amount(50),
                max: amount(10_000),
            },
            enabled: true,
        }],
    }
}
