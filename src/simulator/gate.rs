//! Who may come in: the key, the lockout of addresses that guess, and the quota of the key.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;

use serde_json::json;

use super::answers::{Answer, TOO_MANY};
use super::call::{Call, Endpoint};
use super::clock::Millis;
use super::options::Options;
use super::switches::{Attempts, MissingToken, RateBody, Scope, Switches};

const LOCKOUT_MS: Millis = 15 * 60 * 1_000;
const MINUTE_MS: Millis = 60 * 1_000;

/// What the door remembers. Each process has its own.
#[derive(Debug, Default)]
pub(super) struct Gate {
    guesses: HashMap<IpAddr, Guesses>,
    recent: VecDeque<Millis>,
    /// Calls with a wrong key.
    pub(super) bad_keys: u64,
    /// Calls that the quota refused, or a fault in its name.
    pub(super) rate_limited: u64,
}

#[derive(Debug, Default, Clone, Copy)]
struct Guesses {
    in_a_row: u32,
    blocked_until: Option<Millis>,
}

impl Gate {
    /// Lets a call in, or says why not.
    pub(super) fn admit(
        &mut self,
        call: &Call,
        endpoint: Endpoint,
        options: &Options,
        now: Millis,
        speed: u32,
    ) -> Result<(), Answer> {
        if endpoint == Endpoint::Ping {
            return Ok(());
        }
        self.check_key(call, options, now)?;
        if let Some(quota) = options.quota() {
            self.check_quota(quota, &options.switches, now, speed)?;
        }
        check_rights(endpoint, &options.switches)
    }

    fn check_key(&mut self, call: &Call, options: &Options, now: Millis) -> Result<(), Answer> {
        let guesses = self.guesses.entry(call.peer).or_default();
        match guesses.blocked_until {
            Some(until) if now < until => return Err(blocked()),
            Some(_) => *guesses = Guesses::default(),
            None => {}
        }
        let switches = &options.switches;
        match &call.token {
            Some(token) if *token == options.key => {
                *guesses = Guesses::default();
                Ok(())
            }
            Some(_) => {
                self.bad_keys += 1;
                Err(guesses.wrong(switches, now))
            }
            None => {
                let status = match switches.missing_token {
                    MissingToken::Unauthorized => 401,
                    MissingToken::BadRequest => 400,
                };
                Err(Answer::refuse(
                    status,
                    "MISSING_ACCESS_TOKEN",
                    "Access token is required",
                ))
            }
        }
    }

    fn check_quota(
        &mut self,
        quota: usize,
        switches: &Switches,
        now: Millis,
        speed: u32,
    ) -> Result<(), Answer> {
        while self.recent.front().is_some_and(|first| first + MINUTE_MS <= now) {
            self.recent.pop_front();
        }
        match self.recent.front() {
            Some(first) if self.recent.len() >= quota => {
                let free_in_ms = first + MINUTE_MS - now;
                let per_second = 1_000 * i64::from(speed.max(1));
                let seconds = (free_in_ms + per_second - 1) / per_second;
                Err(self.too_many(seconds, now, switches))
            }
            _ => {
                self.recent.push_back(now);
                Ok(())
            }
        }
    }

    /// A 429 in the form that the switches want, with a wait of real seconds.
    pub(super) fn too_many(&mut self, seconds: i64, now: Millis, switches: &Switches) -> Answer {
        self.rate_limited += 1;
        let message = format!("Rate limit exceeded, retry in {seconds} seconds");
        let answer = match switches.rate_429_body {
            RateBody::Envelope => Answer::refuse(429, "RATE_LIMIT_EXCEEDED", &message),
            RateBody::Bare => Answer::bare(429, "Too Many Requests", &message),
            RateBody::Html => Answer::html(429, TOO_MANY),
        };
        answer.retry_after(seconds, now, switches)
    }
}

impl Guesses {
    fn wrong(&mut self, switches: &Switches, now: Millis) -> Answer {
        let allowed = match switches.bad_key_attempts {
            Attempts::Five => 5,
            Attempts::Twenty => 20,
        };
        self.in_a_row += 1;
        if self.in_a_row >= allowed {
            self.blocked_until = Some(now + LOCKOUT_MS);
        }
        let left = allowed.saturating_sub(self.in_a_row);
        Answer::refuse(
            401,
            "INVALID_ACCESS_TOKEN",
            "The provided access token is invalid",
        )
        .details(json!({ "attemptsLeft": left }))
    }
}

fn blocked() -> Answer {
    Answer::refuse(
        403,
        "IP_BLOCKED",
        "Your IP has been temporarily blocked due to too many invalid attempts",
    )
}

/// `/validate` tells that a key is disabled; everything else refuses it. No page says what a read-only key
/// is told on a send.
fn check_rights(endpoint: Endpoint, switches: &Switches) -> Result<(), Answer> {
    if !switches.key_enabled && endpoint != Endpoint::Validate {
        return Err(Answer::refuse(
            403,
            "API_DISABLED",
            "API access is disabled for this key",
        ));
    }
    if switches.scope == Scope::ReadOnly && endpoint == Endpoint::Send {
        return Err(Answer::refuse(
            403,
            "INSUFFICIENT_PERMISSIONS",
            "This key is read-only",
        ));
    }
    Ok(())
}
