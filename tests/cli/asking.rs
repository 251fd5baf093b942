//! What the ledger and the provider are asked about orders: made, listed, shown, waited for, settled by hand.

use serde_json::Value;

use crate::support::{OrFail, PHONE, PLAN, Shop};

#[test]
fn new_refs_are_made_to_be_sent() {
    let shop = Shop::open().unset("ONECLICKDZ_API_KEY");
    let made = shop
        .run(&["ref", "new", "--prefix", "user123", "--count", "20", "-o", "json"])
        .expect_exit(0)
        .json();
    let mut refs: Vec<_> = made
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    assert_eq!(refs.len(), 20);
    for reference in &refs {
        let (millis, nonce) = reference
            .strip_prefix("user123-")
            .and_then(|rest| rest.split_once('-'))
            .or_fail("not of the form PREFIX-MILLIS-NONCE");
        assert!(
            millis.len() == 13 && millis.bytes().all(|byte| byte.is_ascii_digit()),
            "{reference}"
        );
        let is_base36 = |byte: u8| byte.is_ascii_digit() || byte.is_ascii_lowercase();
        assert!(nonce.len() == 6 && nonce.bytes().all(is_base36), "{reference}");
    }
    refs.sort_unstable();
    refs.dedup();
    assert_eq!(refs.len(), 20, "two are alike");
    shop.run(&["ref", "new", "--prefix", "a b"]).expect_exit(2);
    assert_eq!(shop.books().all_calls(), 0);
}

#[test]
fn the_ledger_is_listed_by_what_is_asked() {
    let shop = Shop::open();
    shop.send_as("good", 500).expect_exit(0);
    let more = ["--amount", "600", "--plan", PLAN, "-o", "json"];
    shop.run(&[&["send", "--phone", "0600000001", "--ref", "back"], &more[..]].concat())
        .expect_exit(3);
    shop.run(&[&["send", "--phone", "0600000003", "--ref", "open"], &more[..]].concat())
        .expect_exit(8);
    let asked_before = shop.books().all_calls();
    let cases: &[(&[&str], &[&str])] = &[
        (&[], &["good", "back", "open"]),
        (&["--state", "fulfilled"], &["good"]),
        (
            &["--state", "fulfilled", "--state", "refunded"],
            &["good", "back"],
        ),
        (&["--open"], &["open"]),
        (&["--phone", "+213 600 00 00 01"], &["back"]),
        (&["--since", "1h"], &["good", "back", "open"]),
        (&["--since", "yesterday", "--phone", PHONE], &["good"]),
        (&["--until", "2020-01-01"], &[]),
        (&["--limit", "2"], &["back", "open"]),
    ];
    for (filter, expected) in cases {
        let listed = shop
            .run(&[&["ref", "list", "-o", "json"], *filter].concat())
            .expect_exit(0)
            .json();
        let refs: Vec<_> = listed
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|row| row["ref"].as_str())
            .collect();
        assert_eq!(refs, *expected, "{filter:?}");
    }
    assert_eq!(
        shop.books().all_calls(),
        asked_before,
        "the ledger is asked, not the provider"
    );
    shop.run(&["ref", "list", "--state", "lost"]).expect_exit(2);
}

/// Every attempt with its request and its answer: what the provider's support asks for.
#[test]
fn one_order_is_shown_with_all_its_calls() {
    let shop = Shop::open().faults(["error_500_before@1"]);
    shop.send_as("order-1", 500).expect_exit(0);
    let shown = shop
        .run(&["ref", "show", "order-1", "-o", "json"])
        .expect_exit(0)
        .json();
    assert_eq!(
        (shown["state"].as_str(), shown["attempts"].as_u64()),
        (Some("fulfilled"), Some(2)),
        "{shown}"
    );
    let calls: Vec<_> = shown["calls"].as_array().into_iter().flatten().collect();
    let sends: Vec<_> = calls.iter().filter(|call| call["endpoint"] == "send").collect();
    assert_eq!(sends.len(), 2, "{shown}");
    assert_eq!(sends[0]["http_status"], 500, "{shown}");
    for send in sends {
        let request: Value =
            serde_json::from_str(send["request"].as_str().or_fail("no request")).or_fail("no JSON");
        assert_eq!(
            (&request["ref"], &request["MSSIDN"]),
            (&"order-1".into(), &PHONE.into())
        );
        assert!(
            send["answer"].is_string() && send["started_at"].is_string(),
            "{send}"
        );
    }
    let moves: Vec<_> = shown["history"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|step| step["to"].as_str())
        .collect();
    assert_eq!(
        (moves.first(), moves.last()),
        (Some(&"sending"), Some(&"fulfilled")),
        "{moves:?}"
    );
    assert!(
        moves.contains(&"unknown") && moves.contains(&"accepted"),
        "{moves:?}"
    );
    shop.run(&["ref", "show", "no-such", "-o", "json"])
        .expect_exit(2)
        .expect_error("ref_not_found");
}

#[test]
fn waiting_ends_with_the_order_or_with_patience() {
    let shop = Shop::open_with(&["--speed", "0"]);
    shop.send_plus(500, &["--no-wait", "--ref", "order-1"])
        .expect_exit(8);
    let wait = ["ref", "wait", "order-1", "--timeout", "200ms", "-o", "json"];
    shop.run(&wait).expect_exit(8).expect_error("not_final");
    shop.run(&["ref", "check", "order-1"]).expect_exit(8);
    shop.provider.advance(60);
    let ended = shop.run(&wait).expect_exit(0).json();
    assert_eq!(ended[0]["state"], "fulfilled", "{ended}");
    assert_eq!(shop.books().calls("send"), 1);
}

/// What is not in this ledger is shown as the provider has it, and not taken in.
#[test]
fn a_ref_of_another_desk_is_shown() {
    let shop = Shop::open();
    shop.provider.make_order("theirs", PHONE, PLAN, 500);
    shop.provider.advance(60);
    let shown = shop
        .run(&["ref", "check", "theirs", "-o", "json"])
        .expect_exit(0)
        .json();
    assert_eq!(
        (shown[0]["state"].as_str(), shown[0]["amount"].as_u64()),
        (Some("fulfilled"), Some(500))
    );
    assert!(shop.ledger().is_empty());
    shop.run(&["ref", "check", "nobodys", "-o", "json"])
        .expect_exit(2)
        .expect_error("ref_not_found");
}

/// By hand only what is open, with a reason that stays; and the machine never rewrites it.
#[test]
fn only_open_orders_are_settled_by_hand() {
    let shop = Shop::open();
    let settle = |reference: &str, end: &str, because: &str| {
        let words = [
            "ref",
            "settle",
            reference,
            "--as",
            end,
            "--because",
            because,
            "-o",
            "json",
        ];
        shop.run(&words)
    };
    shop.send_as("good", 500).expect_exit(0);
    settle("good", "refunded", "a guess")
        .expect_exit(2)
        .expect_error("not_open");
    let order = [
        "--plan",
        PLAN,
        "--phone",
        "0600000003",
        "--amount",
        "500",
        "--ref",
        "open",
        "-o",
        "json",
    ];
    shop.run(&[&["send"], &order[..]].concat()).expect_exit(8);
    settle("open", "written-off", "  ").expect_exit(2);
    assert_eq!(shop.ledger()["open"], "in_review");
    let settled = settle("open", "written-off", "support, ticket 4711")
        .expect_exit(0)
        .json();
    assert_eq!(settled["state"], "written_off");
    assert_eq!(
        (&settled["settled_by"], &settled["note"]),
        (&"operator".into(), &"support, ticket 4711".into())
    );
    shop.provider.advance(25 * 3600);
    shop.run(&["ref", "check", "open"]);
    assert_eq!(shop.ledger()["open"], "written_off");
    settle("open", "fulfilled", "again")
        .expect_exit(2)
        .expect_error("not_open");
    settle("no-such", "fulfilled", "why")
        .expect_exit(2)
        .expect_error("ref_not_found");
}

/// Orders of another account are never in this one's view or guard.
#[test]
fn accounts_do_not_meet() {
    let shop = Shop::open();
    shop.send_as("order-1", 500).expect_exit(0);
    let other = Shop::open_with(&["--username", "+213550000000"])
        .set("ONECLICKDZ_LEDGER", shop.ledger_path().display().to_string());
    assert!(other.ledger().is_empty());
    let missing = other
        .run(&["ref", "show", "order-1", "-o", "json"])
        .expect_exit(2)
        .expect_error("ref_not_found");
    assert!(
        missing.error()["hints"].to_string().contains("--profile"),
        "{missing:?}"
    );
    other.send(500).expect_exit(0).expect_paid_once();
    assert_eq!(shop.ledger().len(), 1);
}
