//! A ref means one order for ever: sending under it again, finding it taken, asking about it, settling it by hand.

use serde_json::Value;

use crate::support::{OrFail, PHONE, PLAN, Shop};

const OTHER_PHONE: &str = "0771234567";

#[test]
fn the_same_command_again_sends_nothing() {
    let shop = Shop::open();
    let first = shop
        .send_as("order-1", 500)
        .expect_exit(0)
        .expect_paid_once()
        .json();
    let again = shop.send_as("order-1", 500).expect_exit(0).expect_paid_once();
    again.clone().expect_said(["order-1", "fulfilled"]);
    assert_eq!(again.json()["topup_id"], first["topup_id"]);
    assert_eq!(shop.books().calls("send"), 1);
}

/// Another phone, plan or amount under a ref that the ledger has: both versions are named, and nothing is sent.
#[test]
fn a_ref_of_another_order_here_is_a_conflict() {
    let shop = Shop::open();
    shop.send_as("order-1", 500).expect_exit(0);
    let cases = [
        (OTHER_PHONE, PLAN, "500", [PHONE, OTHER_PHONE]),
        (PHONE, "FACTURE_DJEZZY", "500", [PLAN, "FACTURE_DJEZZY"]),
        (PHONE, PLAN, "600", ["500", "600"]),
    ];
    for (phone, plan, amount, versions) in cases {
        let order = [
            "--plan", plan, "--phone", phone, "--amount", amount, "--ref", "order-1", "-o", "json",
        ];
        let refused = shop
            .run(&[&["send"], &order[..]].concat())
            .expect_exit(3)
            .expect_error("conflict");
        let message = refused.error()["message"].to_string();
        assert!(
            versions.iter().all(|version| message.contains(version)),
            "{refused:?}"
        );
        assert_eq!(
            (shop.books().calls("send"), shop.books().orders()),
            (1, 1),
            "{refused:?}"
        );
    }
    assert_eq!(
        shop.ledger()["order-1"],
        "fulfilled",
        "the first order is as it was"
    );
}

/// The same where only the provider knows the ref: the order is a conflict, and nothing is made.
#[test]
fn a_ref_of_another_order_there_is_a_conflict() {
    let cases = [
        (OTHER_PHONE, PLAN, 500, [PHONE, OTHER_PHONE]),
        (PHONE, "FACTURE_DJEZZY", 500, [PLAN, "FACTURE_DJEZZY"]),
        (PHONE, PLAN, 700, ["500", "700"]),
    ];
    for (phone, plan, amount, versions) in cases {
        for code in ["duplicate_code=hyphen", "duplicate_code=underscore"] {
            let shop = Shop::open().switches([code]);
            shop.provider.make_order("order-1", phone, plan, amount);
            let refused = shop
                .send_as("order-1", 500)
                .expect_exit(3)
                .expect_error("conflict");
            let message = refused.error()["message"].to_string();
            assert!(
                versions.iter().all(|version| message.contains(version)),
                "{refused:?}"
            );
            assert_eq!(
                (shop.books().orders(), shop.ledger()["order-1"].as_str()),
                (1, "conflict")
            );
        }
    }
}

/// A ref that the provider has with the same details, as after a lost ledger, is ours.
#[test]
fn a_ref_with_the_same_details_there_is_adopted() {
    for switch in [
        "duplicate_details=on",
        "check_ref=raw",
        "check_ref=prefixed",
        "check_ref=missing",
    ] {
        let shop = Shop::open().switches([switch]);
        shop.provider.make_order("order-1", PHONE, PLAN, 500);
        let adopted = shop.send_as("order-1", 500).expect_exit(0).expect_paid_once();
        assert_eq!(
            adopted.json()["topup_id"],
            shop.books().0["accepted"]["order-1"]["topup_id"],
            "{switch}"
        );
    }
}

/// Whoever is first sends; the others follow and see the same end.
#[test]
fn many_processes_with_one_ref_make_one_top_up() {
    let shop = Shop::open_with(&["--latency", "20ms"]);
    shop.run(&["plans"]).expect_exit(0);
    for round in 1..=5 {
        let reference = format!("order-{round}");
        let amount = (500 + round).to_string();
        let order = [
            "--plan", PLAN, "--phone", PHONE, "--amount", &amount, "--ref", &reference, "-o", "json",
        ];
        let desks: Vec<_> = (0..3)
            .map(|_| shop.start(&[&["send"], &order[..]].concat()))
            .collect();
        for desk in desks {
            let ended = desk.finish().expect_exit(0);
            assert_eq!(ended.json()["state"], "fulfilled", "{ended:?}");
        }
        let books = shop.books();
        assert_eq!(
            (books.count(&reference), books.calls("send"), books.orders()),
            (1, round, round)
        );
    }
}

/// Nothing was made by a rejected order, so the same ref may try again.
#[test]
fn a_rejected_order_is_tried_again_under_its_ref() {
    let shop = Shop::open().switches(["operator_check=on"]);
    let order = [
        "--plan",
        PLAN,
        "--phone",
        "0661234567",
        "--amount",
        "500",
        "--ref",
        "order-1",
        "-o",
        "json",
    ];
    let send = [&["send"], &order[..]].concat();
    let refused = shop.run(&send).expect_exit(3);
    assert_eq!(
        (refused.json()["state"].as_str(), shop.books().orders()),
        (Some("rejected"), 0),
        "{refused:?}"
    );
    assert!(
        refused.error()["message"].to_string().contains("MSSIDN"),
        "the field is named: {refused:?}"
    );
    shop.provider.set_switch("operator_check=off");
    let sent = shop.run(&send).expect_exit(0).expect_paid_once();
    assert_eq!(sent.json()["attempts"], 2, "{sent:?}");
}

/// Refs that others gave are data, not paths.
#[test]
fn a_ref_of_any_characters_is_found_again() {
    for reference in ["a/b c?d=e&f#g", "../validate", "فاتورة-12", "100%"] {
        let shop = Shop::open().faults(["answer_lost@1"]);
        shop.send_as(reference, 500)
            .expect_true_exit()
            .expect_exit(0)
            .expect_paid_once();
    }
}

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
        (&["--since", "today", "--phone", PHONE], &["good"]),
        (&["--until", "2020-01-01"], &[]),
        (&["--batch", "november"], &[]),
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
