//! What comes behind a lost answer: neither a refusal, nor a provider that asks to wait, nor an order that shows
//! itself late may make a top-up look as if it had never been made.

use crate::support::{PHONE, PLAN, Shop};

/// The first request is accepted, its answer lost, and it can't be seen for a while. `unique_refs=off` stands for
/// a provider that looks at the balance before it looks at the ref.
fn shop_in_doubt(flags: &[&str]) -> Shop {
    Shop::open_with(flags)
        .faults(["answer_lost@1", "late_visibility@1"])
        .switches(["late_by=1000", "unique_refs=off"])
}

/// The money of the first request is what the second one lacks: that it is refused proves nothing.
#[test]
fn an_empty_wallet_behind_a_lost_answer_is_no_failure() {
    let shop = shop_in_doubt(&["--balance", "600"]);
    shop.send_as("order-1", 500).expect_true_exit().expect_exit(6);
    assert_eq!(shop.books().calls("send"), 2, "nothing was refused");
    assert_eq!(shop.ledger()["order-1"], "unknown");
    shop.provider.advance(2000);
    shop.run(&["ref", "check", "-o", "json"]).expect_exit(0);
    assert_eq!(
        (shop.ledger()["order-1"].as_str(), shop.books().count("order-1")),
        ("fulfilled", 1)
    );
    shop.send(500).expect_exit(2).expect_error("repeat");
}

/// The key is refused behind a lost answer: everything stops at once, and the order stays unknown.
#[test]
fn a_refused_key_behind_a_lost_answer_is_no_failure() {
    let shop = shop_in_doubt(&[]).set("ONECLICKDZ_RETRY_DELAY", "1s");
    let sending = shop.start(&[
        "send", "--plan", PLAN, "--phone", PHONE, "--amount", "500", "--ref", "order-1", "-o", "json",
    ]);
    shop.provider
        .await_books("the first look", |books| books.calls("check-ref") >= 2);
    shop.provider.set_switch("key_enabled=off");
    sending.finish().expect_exit(6);
    assert_eq!(shop.ledger()["order-1"], "unknown");
    shop.provider.set_switch("key_enabled=on");
    shop.expect_agreement_after(2000);
    shop.books().expect_no_doubles();
}

/// Stopped while the provider asks to wait: the last request made nothing, the one before it may have.
#[test]
fn ctrl_c_behind_a_lost_answer_leaves_it_unknown() {
    let shop = shop_in_doubt(&[])
        .faults(["answer_lost@1", "late_visibility@1", "rate_limited@2"])
        .switches(["retry_after=huge"]);
    let sending = shop.start(&[
        "send", "--plan", PLAN, "--phone", PHONE, "--amount", "500", "--ref", "order-1", "-o", "json",
    ]);
    shop.provider
        .await_books("the second POST", |books| books.calls("send") == 2);
    shop.await_waiting("order-1");
    sending.signal("INT");
    sending.finish().expect_exit(130);
    assert_eq!(shop.ledger()["order-1"], "unknown");
    shop.expect_agreement_after(2000);
}

/// Nothing was made, so nothing can have become of it: the same command is what goes on.
#[test]
fn a_send_that_is_stopped_before_it_made_anything_says_so() {
    let shop = Shop::open()
        .faults(["rate_limited@1"])
        .switches(["retry_after=huge"]);
    let sending = shop.start(&[
        "send", "--plan", PLAN, "--phone", PHONE, "--amount", "500", "--ref", "order-1", "-o", "json",
    ]);
    shop.provider
        .await_books("the POST", |books| books.calls("send") == 1);
    shop.await_answers("order-1", 1);
    sending.signal("INT");
    let stopped = sending
        .finish()
        .expect_exit(130)
        .expect_error("interrupted")
        .error();
    assert_eq!(stopped["message"], "stopped before anything was made");
    assert_eq!(
        stopped["hints"],
        serde_json::json!(["the same command can be typed again"])
    );
    assert_eq!(shop.ledger()["order-1"], "cancelled");
    shop.provider.set_faults(&[]);
    shop.provider.advance(2000);
    shop.send_as("order-1", 500).expect_exit(0).expect_paid_once();
}

/// An order that was given up because the provider did not know it goes on under its own ref when it is typed
/// again: what turns up late is adopted, not paid a second time.
#[test]
fn an_order_given_up_in_doubt_is_never_paid_under_another_ref() {
    let shop = Shop::open()
        .set("ONECLICKDZ_SEND_TIMEOUT", "30s")
        .faults(["hang_after@1", "late_visibility@1"])
        .switches(["late_by=1000"]);
    let order = ["--plan", PLAN, "--phone", PHONE, "--amount", "500", "-o", "json"];
    let sending = shop.start(&[&["send"], &order[..]].concat());
    shop.provider
        .await_books("the POST", |books| books.calls("send") == 1);
    sending.kill();
    shop.run(&["ref", "check", "-o", "json"])
        .expect_exit(3)
        .expect_error("cancelled");
    shop.provider.advance(2000);
    shop.run(&[&["send"], &order[..]].concat()).expect_exit(0);
    assert_eq!((shop.books().orders(), shop.ledger().len()), (1, 1));
}
