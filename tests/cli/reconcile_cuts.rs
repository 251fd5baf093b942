//! `reconcile` that is cut off: what was read is kept, and the same command goes on where it stopped. And ranges that
//! cut an order from its money.

use std::time::Duration;

use crate::reconcile::{RECONCILE, day, expect_agreement, send_to};
use crate::support::{OrFail, Shop};

/// Three pages of orders, four of the account's lines, and a provider that takes its time.
fn shop() -> Shop {
    let shop = Shop::open_with(&["--latency", "30ms"]);
    day(&shop);
    shop.sheet("more.csv")
        .customers(240)
        .batch(&["--yes", "--again"])
        .expect_exit(0);
    shop
}

fn pages(shop: &Shop) -> (u64, u64) {
    let books = shop.books();
    (books.calls("list"), books.calls("transactions"))
}

/// The pages that a whole run reads.
const ORDERS: u64 = 3;
const LINES: u64 = 3;

#[test]
fn a_killed_run_goes_on_where_it_stopped() {
    let shop = shop();
    let begun = pages(&shop);
    expect_agreement(shop.run(&RECONCILE));
    let whole = pages(&shop);
    assert_eq!((whole.0 - begun.0, whole.1 - begun.1), (ORDERS, LINES));
    for kills in 1..=4 {
        let begun = pages(&shop);
        let running = shop.start(&RECONCILE);
        shop.provider.await_books("some pages are read", |books| {
            books.calls("list") + books.calls("transactions") >= begun.0 + begun.1 + kills
        });
        running.kill();
        let outcome = expect_agreement(shop.run(&RECONCILE));
        let after = pages(&shop);
        let read = (after.0 - begun.0) + (after.1 - begun.1);
        // The page that was on its way when the run was killed is asked for once more, at most.
        assert!(
            (ORDERS + LINES..=ORDERS + LINES + 1).contains(&read),
            "{kills}: {read} pages\n{outcome:?}"
        );
    }
}

#[test]
fn an_interrupted_run_says_how_to_go_on() {
    let shop = shop();
    let begun = pages(&shop);
    let running = shop.start(&RECONCILE);
    shop.provider
        .await_books("a page is read", |books| books.calls("list") >= begun.0 + 2);
    running.signal("INT");
    let stopped = running.finish().expect_exit(130);
    let hint = stopped.error()["hints"][0].as_str().or_fail("no hint").to_owned();
    assert!(
        hint.contains("`oneclick reconcile --since 7d -o json`"),
        "{stopped:?}"
    );
    assert!(stopped.stdout.is_empty(), "{stopped:?}");
    let goes_on = expect_agreement(shop.run(&RECONCILE));
    goes_on.expect_said(["goes on where an earlier run stopped"]);
    let read = pages(&shop);
    assert!(read.0 - begun.0 <= ORDERS + 1, "{read:?}");
}

/// A cut of the provider's: the run ends with 7, and the next one goes on.
#[test]
fn a_cut_is_gone_on_behind() {
    let shop = shop();
    let begun = pages(&shop);
    let first = begun.1 + 2;
    shop.provider
        .set_faults(&[&format!("error_503_before:transactions@{}-{}", first, first + 2)]);
    shop.run(&RECONCILE).expect_exit(7).expect_error("unavailable");
    expect_agreement(shop.run(&RECONCILE));
    let after = pages(&shop);
    assert_eq!(
        (after.0 - begun.0, after.1 - begun.1),
        (ORDERS, LINES + 3),
        "the three refused calls alone are over"
    );
}

/// `--fresh` and another range read anew.
#[test]
fn fresh_reads_anew() {
    let shop = shop();
    for other in [
        &["reconcile", "--since", "7d", "--fresh", "-o", "json"][..],
        &["reconcile", "--since", "6d", "-o", "json"],
    ] {
        let begun = pages(&shop);
        let running = shop.start(&RECONCILE);
        shop.provider
            .await_books("pages are read", |books| books.calls("list") >= begun.0 + 2);
        running.kill();
        let killed = pages(&shop);
        expect_agreement(shop.run(other));
        let after = pages(&shop);
        assert_eq!(after.0 - killed.0, ORDERS, "{other:?}");
    }
}

/// Orders that come in while the pages are read belong to the next run.
#[test]
fn orders_that_come_in_meanwhile_are_no_difference() {
    let shop = shop();
    let begun = pages(&shop);
    let running = shop.start(&RECONCILE);
    for number in 0..5 {
        shop.provider
            .await_books("a page is read", |books| books.calls("list") > begun.0);
        shop.send_as(&format!("meanwhile-{number}"), 100 + number)
            .expect_exit(0);
    }
    expect_agreement(running.finish());
    expect_agreement(shop.run(&RECONCILE));
}

/// The range ends between an order and its refund, or begins there.
#[test]
fn a_range_that_cuts_an_order_from_its_refund_is_no_difference() {
    let shop = Shop::open_with(&["--speed", "1", "--switch", "order_seconds=2"]);
    send_to(&shop, "0600000001", 500, &["--ref", "back"]).expect_exit(3);
    let shown = shop.run(&["ref", "show", "back", "-o", "json"]).json();
    let sent: jiff::Timestamp = shown["created_at"]
        .as_str()
        .or_fail("no time")
        .parse()
        .or_fail("no time");
    let between = (sent + Duration::from_secs(1)).to_string();
    let before = shop.run(&["reconcile", "--since", "1h", "--until", &between, "-o", "json"]);
    let before = expect_agreement(before);
    assert_eq!(before.json()["theirs"]["orders"], 1, "{before:?}");
    let behind = expect_agreement(shop.run(&["reconcile", "--since", &between, "-o", "json"]));
    assert_eq!(behind.json()["theirs"]["orders"], 0, "{behind:?}");
    let lines = &behind.json()["transactions"];
    assert_eq!(lines[0]["type"], "REFUND-FLEXY", "{behind:?}");
}

/// The money comes back a moment behind the word: the account is looked at a second time.
#[test]
fn a_refund_that_comes_a_moment_later_is_waited_for() {
    let shop = Shop::open_with(&["--speed", "1", "--switch", "order_seconds=1"])
        .set("ONECLICKDZ_SETTLE_DELAY", "3s")
        .switches(["refund_after=2"]);
    send_to(&shop, "0600000001", 500, &["--ref", "back"]).expect_exit(3);
    let outcome = expect_agreement(shop.run(&RECONCILE));
    let back = &outcome.json()["theirs"]["statuses"]["REFUNDED"];
    assert_eq!(back, 1, "{outcome:?}");
}

/// Two at once on the same range: neither harms the other.
#[test]
fn two_at_once_do_no_harm() {
    let shop = shop();
    let (one, other) = (shop.start(&RECONCILE), shop.start(&RECONCILE));
    for outcome in [one.finish(), other.finish()] {
        assert!(matches!(outcome.code, Some(0 | 11)), "{outcome:?}");
    }
    expect_agreement(shop.run(&RECONCILE));
}

/// Money that moves while the books are read is on the account before its line has been seen: no difference.
#[test]
fn money_that_moves_beside_a_run_is_no_gap() {
    let shop = Shop::open();
    day(&shop);
    let begun = pages(&shop);
    // The balance is asked for once at the beginning, for the time, and has to be waited for at the end.
    let last = shop.books().calls("balance") + 2;
    shop.provider
        .set_faults(&[&format!("rate_limited:balance@{last}")]);
    let running = shop.start(&RECONCILE);
    shop.provider.await_books("the lines have been read", |books| {
        books.calls("transactions") > begun.1 && books.calls("balance") >= last
    });
    shop.provider.deposit(77);
    expect_agreement(running.finish());
    assert!(pages(&shop).1 - begun.1 > 1, "the lines were not read again");
}
