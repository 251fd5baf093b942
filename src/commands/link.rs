//! The way to the provider: key, client, account, catalogue, balance; and the desk that they make together.

use std::sync::Arc;

use secrecy::{ExposeSecret, SecretString};

use super::outcome::asked_error;
use super::session::{FRESH, Session};
use crate::api::{
    Client, Identity, Outcome, Rate, catalogue_json, read_balance, read_catalogue, read_data, read_identity,
};
use crate::clock::elapsed;
use crate::config;
use crate::domain::{Account, Catalogue, Environment, KeyFingerprint, Money};
use crate::error::{Error, Kind, Result};
use crate::ledger::{Caps, Ledger};
use crate::simulator::{self, Simulator};
use crate::topup::{Asked, Desk, ask};

/// How fast the simulator's time goes under `--simulate`: an order takes 2 s instead of 16.
const SIMULATED_SPEED: u32 = 8;

/// A client, and what stands for its key.
pub(super) struct Link {
    pub client: Client,
    fingerprint: KeyFingerprint,
}

/// Everything that orders are worked on with, for the account of the configured key.
pub(super) struct Connected {
    pub desk: Arc<Desk>,
    pub identity: Identity,
    fingerprint: KeyFingerprint,
}

impl Connected {
    /// Passes a failure on. When the provider has refused the key, whose it is must be asked again next time.
    pub async fn heed(&self, error: Error) -> Error {
        if error.kind == Kind::Auth {
            // A cache that can't be cleared is asked again tomorrow; the refusal itself is what counts now.
            let _ = self.desk.ledger.forget_identity(&self.fingerprint).await;
        }
        error
    }
}

/// The balance, and when the provider said so.
pub(super) struct Balance {
    pub balance: Money,
    pub as_of: jiff::Timestamp,
}

impl Session {
    /// The ledger; made where there is none.
    pub(super) fn ledger(&self) -> Result<Ledger> {
        Ok(Ledger::open(&self.config.ledger.value)?)
    }

    /// The ledger where it only spares a call: without it the command works all the same, and says so.
    pub(super) fn ledger_if_any(&self) -> Option<Ledger> {
        self.ledger()
            .map_err(|error| self.printer.warn(&error.to_string()))
            .ok()
    }

    /// The configured key, remembered: what is kept must not hold it.
    fn fetch_key(&self) -> Result<SecretString> {
        if let Some(key) = self.key.get() {
            return Ok(key.clone());
        }
        let key = self.config.api_key(&self.env)?;
        Ok(self.key.get_or_init(|| key).clone())
    }

    /// A client with the configured key, or against a simulator inside this process.
    pub(super) async fn link(&self) -> Result<Link> {
        if self.simulates {
            return self.simulated_link().await;
        }
        let key = self.fetch_key()?;
        let base_url = &self.config.base_url.value;
        let fingerprint = KeyFingerprint::of(key.expose_secret(), base_url.as_str());
        Ok(Link {
            client: self.client_for(base_url, key)?,
            fingerprint,
        })
    }

    async fn simulated_link(&self) -> Result<Link> {
        let failed =
            |why: String| Error::internal("the simulator can't start").because(anyhow::Error::msg(why));
        let options = simulator::Options {
            speed: SIMULATED_SPEED,
            rate: Some(0),
            store: Some(self.config.simulator_store()),
            ..simulator::Options::default()
        };
        let key = options.key.clone();
        let simulator = Simulator::open(options).map_err(|error| failed(error.to_string()))?;
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0))
            .await
            .map_err(|error| failed(error.to_string()))?;
        let address = listener.local_addr().map_err(|error| failed(error.to_string()))?;
        tokio::spawn(simulator.serve(listener));
        let base_url = format!("http://{address}")
            .parse()
            .map_err(|_| failed(format!("`{address}`")))?;
        let fingerprint = KeyFingerprint::of(&key, "simulator");
        Ok(Link {
            client: self.client_for(&base_url, SecretString::from(key))?,
            fingerprint,
        })
    }

    /// Whose key it is: from the ledger where the provider has said so within a day, else asked.
    pub(super) async fn identify(&self, link: &Link, ledger: Option<&Ledger>) -> Result<Identity> {
        let known = ledger.and_then(|ledger| ledger.identity(&link.fingerprint).ok().flatten());
        let known = known.filter(|known| elapsed(known.validated_at, self.clock.now()) < FRESH);
        let identity = match known {
            // Only keys that are on and may write are stored.
            Some(known) => Identity {
                account: known.account,
                is_enabled: true,
                is_read_only: false,
            },
            None => self.validate(link, ledger).await?,
        };
        self.check_environment(&identity.account)?;
        link.client
            .limiter()
            .set_rate(self.rate_for(identity.account.environment));
        Ok(identity)
    }

    async fn validate(&self, link: &Link, ledger: Option<&Ledger>) -> Result<Identity> {
        let asked = ask(&self.pace(), &self.stop, async || link.client.validate().await).await;
        let exchange = asked.map_err(|asked| asked_error(asked, "ask whose key it is"))?;
        let data =
            read_data(&exchange).map_err(|fault| asked_error(Asked::Fault(fault), "ask whose key it is"))?;
        let identity = read_identity(data).ok_or_else(|| {
            let message = "the provider's answer does not tell whose key it is, or of which environment";
            Error::new(Kind::Unavailable, "validate_unreadable", message).hint(
                "nothing was sent; if this stays so, the API may have changed: look for a newer oneclick",
            )
        })?;
        if !identity.is_enabled {
            return Err(
                Error::new(Kind::Auth, "key_disabled", "the API key is switched off")
                    .hint("switch it on, or make a new one, in the provider's dashboard"),
            );
        }
        if let Some(ledger) = ledger
            && !identity.is_read_only
        {
            ledger
                .store_identity(&link.fingerprint, &identity.account, self.clock.now())
                .await?;
        }
        Ok(identity)
    }

    fn check_environment(&self, account: &Account) -> Result<()> {
        match &self.config.environment {
            Some(wanted) if wanted.value != account.environment && !self.simulates => {
                let message = format!(
                    "the API key is for {}, and {} asks for {}",
                    account.environment, wanted.origin, wanted.value
                );
                Err(Error::new(Kind::Auth, "environment_mismatch", message)
                    .hint("use the key of the other environment, or another profile with `--profile`"))
            }
            _ => Ok(()),
        }
    }

    pub(super) fn rate_for(&self, environment: Environment) -> Rate {
        let per_minute = |count| std::num::NonZeroU32::new(count).map_or(Rate::Unlimited, Rate::PerMinute);
        match (self.config.rate.value, environment) {
            _ if self.simulates => Rate::Unlimited,
            (config::Rate::Unlimited, _) => Rate::Unlimited,
            (config::Rate::PerMinute(count), _) => Rate::PerMinute(count),
            (config::Rate::Auto, Environment::Sandbox) => per_minute(60),
            (config::Rate::Auto, Environment::Production) => per_minute(120),
        }
    }

    /// The daily caps of the configuration.
    pub(super) fn caps(&self) -> Caps {
        let config = &self.config;
        Caps {
            per_number_per_day: config
                .max_per_number_per_day
                .as_ref()
                .map(|cap| cap.value.dinars()),
            per_day: config.max_per_day.as_ref().map(|cap| cap.value.dinars()),
        }
    }

    /// Ledger, client and account together. The ledger comes first: where it can't be written, nothing is asked.
    pub(super) async fn connect(&self) -> Result<Connected> {
        let ledger = self.ledger()?;
        let link = self.link().await?;
        let identity = self.identify(&link, Some(&ledger)).await?;
        let desk = Arc::new(Desk {
            client: link.client,
            ledger,
            clock: self.clock,
            stop: self.stop.clone(),
            halted: crate::topup::Halted::default(),
            account: identity.account.clone(),
            pace: self.pace(),
        });
        Ok(Connected {
            desk,
            identity,
            fingerprint: link.fingerprint,
        })
    }

    /// The account of the configured key without asking anybody, where the ledger knows it.
    pub(super) fn known_account(&self, ledger: &Ledger) -> Option<Account> {
        let (key, place) = if self.simulates {
            (
                SecretString::from(simulator::Options::default().key),
                "simulator".to_owned(),
            )
        } else {
            (
                self.fetch_key().ok()?,
                self.config.base_url.value.as_str().to_owned(),
            )
        };
        let fingerprint = KeyFingerprint::of(key.expose_secret(), &place);
        ledger
            .identity(&fingerprint)
            .ok()
            .flatten()
            .map(|known| known.account)
    }

    /// The key, where there is one: only ever to be taken out of texts.
    pub(super) fn any_key(&self) -> Option<SecretString> {
        if self.simulates {
            Some(SecretString::from(simulator::Options::default().key))
        } else {
            self.config.api_key(&self.env).ok()
        }
    }

    /// The balance now.
    pub(super) async fn balance(&self, client: &Client) -> Result<Balance> {
        let asked = ask(&self.pace(), &self.stop, async || client.balance().await).await;
        let exchange = asked.map_err(|asked| asked_error(asked, "ask for the balance"))?;
        let balance = read_data(&exchange).ok().and_then(read_balance).ok_or_else(|| {
            Error::new(
                Kind::Unavailable,
                "balance_unreadable",
                "the provider's answer names no balance",
            )
        })?;
        let as_of = match &exchange.outcome {
            // The simulator's own time runs ahead of the clock.
            Outcome::Answered(answer) if !self.simulates => answer.server_time.unwrap_or(exchange.ended_at),
            Outcome::Answered(_) | Outcome::NotSent(_) | Outcome::Lost(_) => exchange.ended_at,
        };
        Ok(Balance { balance, as_of })
    }

    /// The catalogue: from the ledger where it is fresh, else asked and stored.
    pub(super) async fn catalogue(
        &self,
        client: &Client,
        ledger: Option<&Ledger>,
        account: &Account,
        refresh: bool,
    ) -> Result<Catalogue> {
        if !refresh && let Some(catalogue) = ledger.and_then(|ledger| self.stored_catalogue(ledger, account))
        {
            return Ok(catalogue);
        }
        let asked = ask(&self.pace(), &self.stop, async || client.plans().await).await;
        let exchange = asked.map_err(|asked| asked_error(asked, "ask for the plans"))?;
        let catalogue = read_data(&exchange)
            .ok()
            .and_then(read_catalogue)
            .ok_or_else(|| {
                Error::new(
                    Kind::Unavailable,
                    "plans_unreadable",
                    "the provider's answer names no plans",
                )
            })?;
        if let Some(ledger) = ledger {
            let text = catalogue_json(&catalogue).to_string();
            ledger.store_catalogue(account, text, self.clock.now()).await?;
        }
        Ok(catalogue)
    }

    fn stored_catalogue(&self, ledger: &Ledger, account: &Account) -> Option<Catalogue> {
        let (text, at) = ledger.catalogue(account).ok().flatten()?;
        if elapsed(at, self.clock.now()) >= FRESH {
            return None;
        }
        read_catalogue(&serde_json::from_str(&text).ok()?)
    }
}
