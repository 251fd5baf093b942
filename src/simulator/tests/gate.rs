//! Keys, lockout, quota and rights.

use std::time::Duration;

use serde_json::json;

use super::rig::{Heard, KEY, Rig, calm, heard};
use crate::simulator::{Environment, Options};

fn with_key(rig: &Rig, key: Option<&str>) -> Heard {
    heard(rig.call("GET", "/v3/account/balance", key, None))
}

#[test]
fn a_key_is_asked_for() {
    let rig = Rig::calm();
    let answer = with_key(&rig, None);
    assert_eq!(
        (answer.status, answer.code().as_str()),
        (401, "MISSING_ACCESS_TOKEN")
    );
    assert!(answer.header("x-request-id").is_some());
    assert_eq!(heard(rig.call("GET", "/v3/ping", None, None)).status, 200);
    let rig = Rig::switched(&["missing_token=400"]);
    assert_eq!(with_key(&rig, None).status, 400);
}

#[test]
fn five_guesses_block_the_address_for_fifteen_minutes() {
    let rig = Rig::calm();
    for left in [4, 3, 2, 1, 0] {
        let answer = with_key(&rig, Some("guess"));
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (401, "INVALID_ACCESS_TOKEN")
        );
        assert_eq!(answer.json()["error"]["details"], json!({ "attemptsLeft": left }));
    }
    let blocked = with_key(&rig, Some(KEY));
    assert_eq!((blocked.status, blocked.code().as_str()), (403, "IP_BLOCKED"));
    rig.pass(15 * 60 - 1);
    assert_eq!(with_key(&rig, Some(KEY)).status, 403);
    rig.pass(1);
    assert_eq!(with_key(&rig, Some(KEY)).status, 200);
    assert_eq!(rig.simulator.books()["bad_keys"], 5);
}

#[test]
fn the_right_key_forgives_guesses() {
    let rig = Rig::calm();
    for _ in 0..3 {
        for _ in 0..4 {
            assert_eq!(with_key(&rig, Some("guess")).status, 401);
        }
        assert_eq!(with_key(&rig, Some(KEY)).status, 200);
    }
}

#[test]
fn the_other_reading_allows_twenty_guesses() {
    let rig = Rig::switched(&["bad_key_attempts=20"]);
    for _ in 0..20 {
        assert_eq!(with_key(&rig, Some("guess")).status, 401);
    }
    assert_eq!(with_key(&rig, Some("guess")).code(), "IP_BLOCKED");
}

#[test]
fn the_quota_slides_over_a_minute() {
    let rig = Rig::start(Options {
        rate: Some(3),
        ..calm()
    });
    let status = || with_key(&rig, Some(KEY)).status;
    assert_eq!([status(), status()], [200, 200]);
    rig.pass(20);
    assert_eq!([status(), status()], [200, 429]);
    let refused = with_key(&rig, Some(KEY));
    assert_eq!(refused.code(), "RATE_LIMIT_EXCEEDED");
    assert_eq!(refused.header("retry-after"), Some("40"));
    rig.pass(40);
    assert_eq!([status(), status(), status()], [200, 200, 429]);
    assert_eq!(rig.simulator.books()["rate_limited"], 3);
}

#[test]
fn the_environment_decides_the_quota() {
    for (environment, quota) in [(Environment::Sandbox, 60), (Environment::Production, 120)] {
        let rig = Rig::start(Options {
            environment,
            rate: None,
            ..calm()
        });
        let refused = (0..121).position(|_| with_key(&rig, Some(KEY)).status == 429);
        assert_eq!(refused, Some(quota));
    }
}

#[test]
fn compressed_time_shortens_the_wait() {
    let rig = Rig::start(Options {
        rate: Some(1),
        speed: 10,
        ..calm()
    });
    assert_eq!(with_key(&rig, Some(KEY)).status, 200);
    assert_eq!(with_key(&rig, Some(KEY)).header("retry-after"), Some("6"));
}

#[test]
fn retry_after_and_the_body_of_a_429_have_other_readings() {
    let limited = |switches: &[&str]| {
        let mut options = calm();
        options.rate = Some(1);
        for spelling in switches {
            options
                .switches
                .set(spelling)
                .unwrap_or_else(|error| panic!("{error}"));
        }
        let rig = Rig::start(options);
        with_key(&rig, Some(KEY));
        with_key(&rig, Some(KEY))
    };
    assert_eq!(limited(&["retry_after=missing"]).header("retry-after"), None);
    assert_eq!(
        limited(&["retry_after=huge"]).header("retry-after"),
        Some("86400")
    );
    let dated = limited(&["retry_after=date"]);
    assert!(
        dated
            .header("retry-after")
            .is_some_and(|date| date.ends_with(" GMT"))
    );
    let bare = limited(&["rate_429_body=bare"]);
    assert_eq!(
        (bare.status, bare.json()["statusCode"].clone()),
        (429, 429.into())
    );
    assert!(limited(&["rate_429_body=html"]).body.starts_with("<html>"));
}

#[test]
fn a_read_only_or_disabled_key_cannot_send() {
    let rig = Rig::switched(&["scope=READ-ONLY"]);
    assert_eq!(rig.send("x", "0778037340").code(), "INSUFFICIENT_PERMISSIONS");
    assert_eq!(rig.data("/v3/validate")["apiKey"]["scope"], "READ-ONLY");
    assert_eq!(with_key(&rig, Some(KEY)).status, 200);
    let rig = Rig::switched(&["key_enabled=off"]);
    assert_eq!(rig.send("x", "0778037340").code(), "API_DISABLED");
    assert_eq!(rig.data("/v3/validate")["apiKey"]["isEnabled"], false);
    assert_eq!(rig.simulator.books()["orders"], 0);
}

#[test]
fn latency_holds_answers_back() {
    let rig = Rig::start(Options {
        latency: Duration::from_millis(60),
        ..calm()
    });
    let begin = std::time::Instant::now();
    assert_eq!(with_key(&rig, Some(KEY)).status, 200);
    assert!(begin.elapsed() >= Duration::from_millis(60));
}
