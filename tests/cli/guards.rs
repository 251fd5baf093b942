//! What stops a send before it leaves: the key, repeats, caps, the balance, what can't be sold.

use crate::support::{OrFail, PHONE, PLAN, Shop, files_with};

#[test]
fn a_wrong_key_costs_one_request() {
    for command in [
        &["balance"][..],
        &["plans"],
        &["ref", "check"],
        &["config", "check"],
    ] {
        let shop = Shop::open().set("ONECLICKDZ_API_KEY", "a-wrong-key-1234");
        shop.run(&[command, &["-o", "json"]].concat())
            .expect_exit(4)
            .expect_error("INVALID_ACCESS_TOKEN");
        let books = shop.books();
        assert_eq!(
            (books.all_calls(), books.0["bad_keys"].as_u64()),
            (1, Some(1)),
            "{command:?}"
        );
    }
    let shop = Shop::open().set("ONECLICKDZ_API_KEY", "a-wrong-key-1234");
    let refused = shop.send(500).expect_exit(4).expect_no_post();
    assert_eq!(
        (refused.error()["kind"].as_str(), shop.books().all_calls()),
        (Some("auth"), 1),
        "{refused:?}"
    );
    assert_eq!(
        files_with(shop.home(), "a-wrong-key-1234"),
        Vec::<std::path::PathBuf>::new()
    );
}

/// A key that is refused only when it sends, since whose it is was stored before: one POST and the end.
#[test]
fn a_key_that_was_switched_off_stops_at_the_next_request() {
    let shop = Shop::open();
    shop.run(&["plans"]).expect_exit(0);
    shop.provider.set_switch("key_enabled=off");
    let before = shop.books().all_calls();
    let refused = shop.send(500).expect_exit(4);
    assert_eq!(shop.books().all_calls() - before, 1, "{refused:?}");
    assert_eq!(shop.books().orders(), 0);
}

#[test]
fn a_missing_key_is_told_without_a_request() {
    let shop = Shop::open().unset("ONECLICKDZ_API_KEY");
    let refused = shop.send(500).expect_exit(4).expect_no_post();
    assert_eq!(shop.books().all_calls(), 0, "{refused:?}");
    assert!(
        !refused.error()["hints"].as_array().or_fail("no hints").is_empty(),
        "{refused:?}"
    );
}

#[test]
fn a_key_that_may_only_read_sends_nothing() {
    let shop = Shop::open().switches(["scope=READ-ONLY"]);
    shop.send(500)
        .expect_exit(4)
        .expect_error("read_only_key")
        .expect_no_post();
    shop.run(&["balance"]).expect_exit(0);
}

/// The same phone, plan and amount again needs consent; another amount does not.
#[test]
fn a_repeat_needs_again() {
    let shop = Shop::open();
    shop.send(500).expect_exit(0);
    let refused = shop.send(500).expect_exit(2).expect_error("repeat");
    assert!(
        refused.error()["hints"].to_string().contains("--again"),
        "{refused:?}"
    );
    assert_eq!(shop.books().orders(), 1);
    shop.send(600).expect_exit(0);
    shop.send_plus(500, &["--again"]).expect_exit(0);
    assert_eq!(shop.books().orders(), 3);
    shop.books().expect_no_doubles();
}

/// An explicit ref is the caller's own identity: a warning, no refusal.
#[test]
fn an_explicit_ref_is_only_warned_of_a_repeat() {
    let shop = Shop::open();
    shop.send(500).expect_exit(0);
    let sent = shop.send_as("order-2", 500).expect_exit(0);
    assert!(sent.stderr.contains("repeat"), "{sent:?}");
    assert_eq!(shop.books().orders(), 2);
}

/// What was not delivered is no repeat, and neither is what is older than the window.
#[test]
fn only_what_may_have_been_delivered_is_a_repeat() {
    let refunded = ["send", "--plan", PLAN, "--phone", "0600000001", "--amount", "500"];
    let shop = Shop::open();
    shop.run(&refunded).expect_exit(3);
    shop.run(&refunded).expect_exit(3);
    assert_eq!(shop.books().orders(), 2);
    let shop = Shop::open().set("ONECLICKDZ_REPEAT_WINDOW", "1ms");
    shop.send(500).expect_exit(0);
    shop.send(500).expect_exit(0);
    assert_eq!(shop.books().orders(), 2);
}

#[test]
fn caps_stop_what_would_pass_them() {
    let shop = Shop::open().set("ONECLICKDZ_MAX_PER_SEND", "400");
    shop.send(500)
        .expect_exit(9)
        .expect_error("max_per_send")
        .expect_no_post();
    shop.send(400).expect_exit(0);
    for cap in ["max_per_number_per_day", "max_per_day"] {
        let shop = Shop::open().set(&format!("ONECLICKDZ_{}", cap.to_uppercase()), "1000");
        shop.send(600).expect_exit(0);
        shop.send(500).expect_exit(9).expect_error(cap);
        shop.send(400).expect_exit(0);
        assert_eq!(shop.books().calls("send"), 2, "{cap}");
    }
}

#[test]
fn a_balance_that_does_not_cover_it_sends_nothing() {
    let shop = Shop::open_with(&["--balance", "300"]);
    shop.send(500)
        .expect_exit(9)
        .expect_error("balance_too_low")
        .expect_no_post();
    shop.send(300).expect_exit(0).expect_paid_once();
}

#[test]
fn the_threshold_of_a_balance_is_9() {
    let shop = Shop::open_with(&["--balance", "300"]);
    shop.run(&["balance", "--min", "300"]).expect_exit(0);
    shop.run(&["balance", "--min", "300.01", "-o", "json"])
        .expect_exit(9)
        .expect_error("below_min");
}

#[test]
fn what_cannot_be_sold_is_refused_before_it_leaves() {
    let cases = [
        ("MIX1000_OOREDOO", "1000", "plan_disabled"),
        ("PREPAID_DJEZY", "500", "unknown_plan"),
        ("PREPAID_DJEZZY", "99", "amount_out_of_range"),
        ("PREPAID_DJEZZY", "10001", "amount_out_of_range"),
        ("PIXX_500", "400", "not_the_price"),
    ];
    let shop = Shop::open();
    for (plan, amount, code) in cases {
        let order = [
            "send", "--plan", plan, "--phone", PHONE, "--amount", amount, "-o", "json",
        ];
        shop.run(&order)
            .expect_exit(3)
            .expect_error(code)
            .expect_no_post();
    }
    let mistyped = shop.run(&[
        "send",
        "--plan",
        "PREPAID_DJEZY",
        "--phone",
        PHONE,
        "--amount",
        "500",
    ]);
    mistyped.expect_said(["did you mean `PREPAID_DJEZZY`?"]);
    assert!(
        shop.ledger().is_empty(),
        "nothing that never could be sent is an order"
    );
}

/// A fixed plan is sent with its price, spelt out.
#[test]
fn a_fixed_plan_needs_no_amount() {
    let shop = Shop::open();
    let sent = shop.run(&[
        "send",
        "--plan",
        "PIXX_500",
        "--phone",
        "0661234567",
        "-o",
        "json",
    ]);
    assert_eq!(sent.expect_exit(0).expect_paid_once().json()["amount"], 500);
}

/// Phones as people write them; a prefix of another operator is a warning only.
#[test]
fn phones_are_read_as_people_write_them() {
    let shop = Shop::open();
    for (number, phone) in ["+213 778 03 73 40", "0778-03-73-40", "00213778037340"]
        .iter()
        .enumerate()
    {
        let amount = (500 + number).to_string();
        let sent = shop.run(&[
            "send", "--plan", "auto", "--phone", phone, "--amount", &amount, "-o", "json",
        ]);
        let order = sent.expect_exit(0).json();
        assert_eq!((&order["phone"], &order["plan"]), (&PHONE.into(), &PLAN.into()));
    }
    let other = shop
        .run(&["send", "--plan", PLAN, "--phone", "0661234567", "--amount", "500"])
        .expect_exit(0);
    other.expect_said(["Mobilis", "Djezzy"]);
}

#[test]
fn a_key_of_the_other_environment_is_refused() {
    let shop = Shop::open().set("ONECLICKDZ_ENVIRONMENT", "production");
    shop.send(500)
        .expect_exit(4)
        .expect_error("environment_mismatch")
        .expect_no_post();
    let shop = Shop::open_with(&["--environment", "production"]).set("ONECLICKDZ_ENVIRONMENT", "production");
    let sent = shop.send(500).expect_exit(0);
    assert_eq!(sent.json()["environment"], "production", "{sent:?}");
}

/// A rehearsal asks and shows, and sends nothing.
#[test]
fn a_dry_run_sends_nothing() {
    let shop = Shop::open();
    let shown = shop
        .send_plus(500, &["-n"])
        .expect_exit(0)
        .expect_no_post()
        .json();
    assert_eq!(
        (&shown["dry_run"], &shown["cost"]),
        (&true.into(), &"496.25".into()),
        "{shown}"
    );
    assert!(shop.ledger().is_empty());
}

/// Account and plans come from the cache while they are fresh: what is left is the balance, one POST, and looks.
#[test]
fn a_send_costs_few_calls() {
    let shop = Shop::open();
    shop.send(500).expect_exit(0);
    let before = shop.books();
    shop.send(600).expect_exit(0);
    let after = shop.books();
    let spent = |endpoint| after.calls(endpoint) - before.calls(endpoint);
    let calls = ["send", "balance", "validate", "plans", "check-ref", "list"].map(spent);
    assert_eq!(calls, [1, 1, 0, 0, 0, 0]);
    assert!((1..=10).contains(&spent("check-id")), "{}", after.0);
}

/// An order under our ref that is not as it was meant may be ours, shown in another way: the same again is a repeat.
#[test]
fn the_same_behind_a_conflict_is_a_repeat() {
    let shop = Shop::open();
    shop.provider
        .make_order("order-1", "0661234567", "PREPAID_MOBILIS", 500);
    shop.send_as("order-1", 500).expect_error("conflict");
    let posts = shop.books().calls("send");
    shop.send(500).expect_exit(2).expect_error("repeat");
    let november = shop.sheet("november.csv").row("0778037340,500");
    november.send().expect_exit(2).expect_error("repeat");
    assert_eq!(shop.books().calls("send"), posts);
    shop.send_plus(500, &["--again"]).expect_exit(0);
    assert_eq!(shop.books().orders(), 2);
}
