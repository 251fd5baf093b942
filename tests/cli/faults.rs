//! Every fault and every reading of the API, each on a send of its own: paid once at most, and no exit code that
//! claims what the books deny.

use oneclick::simulator::FAULTS;

use crate::support::Shop;

/// A fault on the first POST: the books have one top-up at most, the exit code is true, and a check settles it.
#[test]
fn every_fault_on_the_post_is_survived() {
    for (fault, _) in FAULTS {
        let shop = Shop::open();
        shop.provider.set_faults(&[&format!("{fault}@1")]);
        shop.send(500)
            .expect_true_exit()
            .expect_exit(0)
            .expect_paid_once();
        shop.expect_agreement();
    }
}

/// A fault that stays on every POST: what was accepted is found, what was not is never claimed.
#[test]
fn a_fault_that_stays_leaves_no_false_word() {
    // Those that ask to wait are obeyed for five minutes: not in a test.
    let waits = ["auth_unavailable", "rate_limited"];
    for (fault, _) in FAULTS.iter().filter(|(name, _)| !waits.contains(name)) {
        let shop = Shop::open();
        shop.provider.set_faults(&[fault]);
        let sent = shop.send_as("order-1", 500).expect_true_exit();
        assert!(shop.books().count("order-1") <= 1, "{sent:?}");
        shop.expect_agreement();
    }
}

/// The answer to the POST is lost, and so is the first question of each kind.
#[test]
fn every_fault_on_the_first_question_is_survived() {
    for endpoint in ["check-ref", "check-id"] {
        for (fault, _) in FAULTS.iter().filter(|(name, _)| *name != "auth_unavailable") {
            let shop = Shop::open();
            shop.provider
                .set_faults(&["answer_lost@1", &format!("{fault}:{endpoint}@1")]);
            shop.send(500)
                .expect_true_exit()
                .expect_exit(0)
                .expect_paid_once();
        }
    }
}

/// The answer is lost under every reading of the API that the provider's pages leave open.
#[test]
fn a_lost_answer_is_found_under_every_reading() {
    let readings = [
        "check_ref=raw",
        "check_ref=prefixed",
        "check_ref=missing",
        "check_id=missing",
        "list=missing",
        "duplicate_code=hyphen",
        "duplicate_code=underscore",
        "duplicate_details=on",
        "list_order=newest",
        "list_order=oldest",
        "pagination=meta",
        "topup_ref=raw",
        "list_ref=raw",
        "check_shows_ref=prefixed",
        "check_form=short",
        "request_id=none",
        "request_id=header",
        "request_id=body",
        "validate=short",
        "validate_meta=on",
        "new_balance=on",
        "currency=on",
        "catalogue=guide",
    ];
    for reading in readings {
        let shop = Shop::open().faults(["answer_lost@1"]).switches([reading]);
        shop.send(500)
            .expect_true_exit()
            .expect_exit(0)
            .expect_paid_once();
        shop.expect_agreement();
    }
}

/// The first request is lost, so the second one is the one that counts; under the readings that matter for that.
#[test]
fn a_lost_request_is_sent_again_under_every_reading_of_a_missing_ref() {
    for reading in [
        "check_ref=both",
        "check_ref=raw",
        "check_ref=prefixed",
        "list_order=oldest",
        "pagination=meta",
    ] {
        let shop = Shop::open().faults(["request_lost@1"]).switches([reading]);
        shop.send(500)
            .expect_true_exit()
            .expect_exit(0)
            .expect_paid_once();
        assert_eq!(shop.books().calls("send"), 2, "{reading}");
    }
}

/// Without `check-ref` a request that may be lost stays unknown: a 404 of the router proves nothing.
#[test]
fn a_missing_route_is_no_proof_of_absence() {
    let shop = Shop::open()
        .faults(["request_lost@1"])
        .switches(["check_ref=missing"]);
    let sent = shop
        .send(500)
        .expect_true_exit()
        .expect_exit(6)
        .expect_error("outcome_unknown");
    assert_eq!(
        (shop.books().calls("send"), shop.books().orders()),
        (1, 0),
        "{sent:?}"
    );
    assert_eq!(sent.error()["retryable"], true, "{sent:?}");
}

/// Where nobody can be asked it stays unknown, and is settled as soon as one of the routes is back.
#[test]
fn what_nobody_can_tell_stays_unknown_until_somebody_can() {
    for route in ["check_ref=both", "list=present"] {
        let shop = Shop::open()
            .faults(["answer_lost@1"])
            .switches(["check_ref=missing", "list=missing"]);
        let sent = shop
            .send(500)
            .expect_true_exit()
            .expect_exit(6)
            .expect_paid_once();
        let hints = sent.error()["hints"].to_string();
        assert!(
            hints.contains("ref check") && hints.contains("ref settle"),
            "{sent:?}"
        );
        shop.run(&["ref", "check"]).expect_exit(6);
        shop.provider.set_switch(route);
        shop.expect_agreement();
        assert_eq!(shop.books().calls("send"), 1);
    }
}

/// A word that the API's own pages do not list is no end: the order is open, and ends once its word is known.
#[test]
fn an_unlisted_status_is_still_open() {
    for words in ["statuses=arabic", "statuses=odd"] {
        let shop = Shop::open()
            .set("ONECLICKDZ_POLL_TIMEOUT", "400ms")
            .faults(["answer_lost@1"])
            .switches([words]);
        shop.send(500)
            .expect_true_exit()
            .expect_exit(8)
            .expect_paid_once();
        shop.provider.set_switch("statuses=english");
        shop.expect_agreement();
    }
}

/// An order that shows itself late is waited for, and the provider's refusal of the ref is the last guard.
#[test]
fn an_order_that_shows_itself_late_is_paid_once() {
    for switches in [
        ["late_by=100", "duplicate_code=hyphen"],
        ["late_by=200", "duplicate_code=underscore"],
    ] {
        let shop = Shop::open()
            .faults(["answer_lost@1", "late_visibility@1"])
            .switches(switches);
        shop.send(500)
            .expect_true_exit()
            .expect_exit(0)
            .expect_paid_once();
        assert!(
            shop.books().calls("send") >= 2,
            "it was never seen late: {switches:?}"
        );
        shop.expect_agreement();
    }
}

/// One "not found" is not enough, even where the provider would not refuse the ref: the first may still be landing.
#[test]
fn one_absence_is_no_proof() {
    let shop = Shop::open()
        .set("ONECLICKDZ_RETRY_DELAY", "1500ms")
        .faults(["answer_lost@1", "late_visibility@1"])
        .switches(["late_by=100", "unique_refs=off"]);
    shop.send(500)
        .expect_true_exit()
        .expect_exit(0)
        .expect_paid_once();
    let books = shop.books();
    assert!(
        books.calls("check-ref") > 2,
        "it was seen at the first look: {}",
        books.0
    );
    assert_eq!(books.calls("send"), 1);
}

/// `Retry-After` as a number, a date or not at all, with each body that a 429 may have: waited for, and no attempt.
#[test]
fn a_full_quota_is_waited_for_in_every_form() {
    for form in ["retry_after=seconds", "retry_after=date", "retry_after=missing"] {
        for body in [
            "rate_429_body=envelope",
            "rate_429_body=bare",
            "rate_429_body=html",
        ] {
            let shop = Shop::open().faults(["rate_limited@1"]).switches([form, body]);
            let sent = shop
                .send(500)
                .expect_true_exit()
                .expect_exit(0)
                .expect_paid_once();
            assert_eq!(sent.json()["attempts"], 1, "{form} {body} {sent:?}");
        }
    }
}

/// 503 of both kinds: one says that nothing was made, the other says nothing.
#[test]
fn both_kinds_of_503_end_delivered() {
    let shop = Shop::open()
        .faults(["auth_unavailable@1"])
        .switches(["retry_after=missing"]);
    let sent = shop
        .send(500)
        .expect_true_exit()
        .expect_exit(0)
        .expect_paid_once();
    assert_eq!(sent.json()["attempts"], 1, "{sent:?}");
    assert_eq!(shop.books().calls("check-ref"), 0, "nothing was in doubt");
    for (fault, sends) in [("error_503_before@1", 2), ("error_503_after@1", 1)] {
        let shop = Shop::open().faults([fault]);
        shop.send(500)
            .expect_true_exit()
            .expect_exit(0)
            .expect_paid_once();
        assert_eq!(shop.books().calls("send"), sends, "{fault}");
    }
}

/// The sandbox's numbers: refunded is 3 with the other plans that the number takes, in review is 8 and open.
#[test]
fn ends_that_are_not_good_have_codes_of_their_own() {
    let send_to = |shop: &Shop, phone: &str| {
        let sent = shop.run(&[
            "send",
            "--plan",
            "PREPAID_DJEZZY",
            "--phone",
            phone,
            "--amount",
            "500",
            "-o",
            "json",
        ]);
        (sent.code, sent.error(), sent.json())
    };
    let shop = Shop::open();
    let (code, error, order) = send_to(&shop, "0600000002");
    assert_eq!((code, &error["code"]), (Some(3), &"refunded".into()));
    assert_eq!(
        (&order["state"], &order["provider_status"]),
        (&"refunded".into(), &"REFUNDED".into())
    );
    assert!(error["hints"].to_string().contains("FACTURE_DJEZZY"), "{error}");
    let (code, error, order) = send_to(&shop, "0600000003");
    assert_eq!(
        (code, &error["code"], &order["state"]),
        (Some(8), &"in_review".into(), &"in_review".into())
    );
    shop.provider.advance(25 * 3600);
    shop.expect_agreement();
}

/// A provider that cannot be reached: nothing left, 7, and the order can be tried again under its ref.
#[test]
fn no_connection_is_7_and_can_be_tried_again() {
    let shop = Shop::open();
    shop.run(&["balance"]).expect_exit(0);
    let url = shop.provider.url();
    let shop = shop.set("ONECLICKDZ_BASE_URL", "http://127.0.0.1:9");
    shop.send_as("order-1", 500)
        .expect_exit(7)
        .expect_error("no_connection")
        .expect_no_post();
    let shop = shop.set("ONECLICKDZ_BASE_URL", url);
    shop.send_as("order-1", 500).expect_exit(0).expect_paid_once();
}
