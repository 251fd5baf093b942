//! A ref means one order for ever: sending under it again, finding it taken here or there, two desks at once.

use crate::support::{PHONE, PLAN, Shop};

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
    let again = [&["send"], &order[..]].concat();
    let refused = shop.run(&again).expect_exit(3);
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
    let sent = shop.run(&again).expect_exit(0).expect_paid_once();
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

/// One order stays unknown, and the question about the other hangs: who asks to stop is heard at once, and what is told is
/// the gravest, not the last.
#[cfg(unix)]
#[test]
fn a_question_that_hangs_is_left_when_somebody_asks_to_stop() {
    for (signal, code) in [("INT", 130), ("TERM", 143)] {
        let shop = Shop::open_with(&["--switch", "order_seconds=3600"]).faults([
            "request_lost:send@1",
            "error_500_before:check-ref=100%",
            "error_500_before:list=100%",
        ]);
        shop.send_as("lost", 100).expect_exit(6);
        shop.send_plus(200, &["--ref", "on-its-way", "--no-wait"])
            .expect_exit(8);
        shop.run(&["ref", "check", "-o", "json"]).expect_exit(6);
        shop.provider.set_faults(&[
            "hang_before:check-id=100%",
            "error_500_before:check-ref=100%",
            "error_500_before:list=100%",
        ]);
        let asked = shop.books().calls("check-id");
        let running = shop.start(&["ref", "check", "-o", "json"]);
        shop.provider
            .await_books("the question", |books| books.calls("check-id") > asked);
        running.signal(signal);
        running.finish().expect_exit(code);
    }
}
