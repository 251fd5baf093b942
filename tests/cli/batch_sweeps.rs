//! What became of the rows is asked of the provider's list, a hundred at a time, whichever way the list is made; single
//! checks are for what it does not show. At least 95 of 100 calls are sends.

use crate::support::Shop;

/// A provider whose orders end as soon as they are made. Its time is ours: a list that is asked for between two moments
/// is only as good as the clocks.
fn settled_shop() -> Shop {
    Shop::open_with(&["--speed", "1", "--switch", "order_seconds=0"])
}

/// All answers are lost, and the list tells all.
#[test]
fn lost_answers_are_found_on_the_list() {
    let shop = settled_shop().faults(["answer_lost"]);
    let november = shop.sheet("november.csv").customers(40);
    november.send().expect_exit(0).expect_posts(40);
    november.expect_each_paid_once();
    november.expect_true_results();
    let books = shop.books();
    assert_eq!(books.calls("check-ref"), 0, "{}", books.0["calls"]);
    assert!(books.calls("list") >= 1, "{}", books.0["calls"]);
}

/// However the list is sorted, paged and labelled, and whichever form of a ref a check finds.
#[test]
fn every_reading_of_list_and_checks_finds_each_row() {
    for switches in [
        &["list_order=oldest"][..],
        &["list_ref=raw"],
        &["pagination=meta"],
        &[
            "list_order=oldest",
            "pagination=meta",
            "list_ref=raw",
            "topup_ref=raw",
        ],
        &["check_ref=raw"],
        &["check_ref=prefixed"],
        &["check_ref=missing"],
        &["check_shows_ref=prefixed", "check_form=short"],
        &["check_id=missing"],
        &["list=missing"],
        &["list=missing", "check_id=missing", "check_ref=prefixed"],
    ] {
        let shop = settled_shop();
        for switch in switches {
            shop.provider.set_switch(switch);
        }
        shop.provider
            .set_faults(&["answer_lost=30%", "html_502_after=10%"]);
        // More than a page of the list.
        let november = shop.sheet("november.csv").customers(130);
        let sent = november.send();
        assert_eq!(sent.code, Some(0), "{switches:?}: {sent:?}");
        november.expect_each_paid_once();
        assert_eq!(
            shop.books().calls("send"),
            130,
            "{switches:?}: sent again although it was there"
        );
    }
}

/// A word for the end that no page names is no end: nothing is called delivered or failed by guessing.
#[test]
fn an_unlisted_word_is_no_end() {
    for switch in ["statuses=arabic", "statuses=odd"] {
        let shop = settled_shop()
            .switches([switch])
            .set("ONECLICKDZ_POLL_TIMEOUT", "500ms");
        let november = shop.sheet("november.csv").customers(5);
        let ended = november.send().expect_exit(8).expect_posts(5);
        assert_eq!(ended.rows("accepted"), 5, "{ended:?}");
        shop.provider.set_switch("statuses=english");
        november.send().expect_exit(0).expect_posts(5);
        november.expect_true_results();
    }
}

/// Rows that never arrived are proved absent and sent again under their refs.
#[test]
fn lost_requests_are_sent_again() {
    for switch in ["list=present", "list=missing", "check_ref=raw"] {
        let shop = Shop::open().switches([switch]).faults(["request_lost@1-10"]);
        let november = shop.sheet("november.csv").customers(20);
        november.send().expect_exit(0).expect_posts(30);
        november.expect_each_paid_once();
        november.expect_true_results();
    }
}

/// Where neither list nor checks are there, nobody can tell: unknown, never sent a second time.
#[test]
fn what_nobody_can_tell_stays_unknown() {
    let shop = Shop::open()
        .switches(["list=missing", "check_ref=missing"])
        .faults(["answer_lost@1-3"]);
    let november = shop.sheet("november.csv").customers(6);
    let ended = november.send().expect_exit(6).expect_posts(6);
    assert_eq!(
        (ended.rows("unknown"), ended.rows("fulfilled")),
        (3, 3),
        "{ended:?}"
    );
    november.send().expect_exit(6).expect_posts(6);
    shop.provider.set_switch("check_ref=both");
    november.send().expect_exit(0).expect_posts(6);
    november.expect_each_paid_once();
    november.expect_true_results();
}

/// The quota is spent on sends.
#[test]
fn nearly_all_calls_are_sends() {
    let shop = settled_shop()
        .set("ONECLICKDZ_POLL_INTERVAL", "1s")
        .set("ONECLICKDZ_POLL_TIMEOUT", "20s");
    let november = shop.sheet("november.csv").customers(300);
    let sent = november.send().expect_exit(0).expect_posts(300);
    november.expect_each_paid_once();
    let books = shop.books();
    let (sends, all) = (books.calls("send"), books.all_calls());
    assert!(sends * 100 >= all * 95, "{}", books.0["calls"]);
    // What the summary counts is what the provider counts.
    let told = &sent.json()["calls"];
    let asked = books.calls("check-ref") + books.calls("check-id");
    let other = all - sends - asked - books.calls("list");
    assert_eq!(
        [&told["send"], &told["list"], &told["check"], &told["other"]],
        [sends, books.calls("list"), asked, other],
        "{told} {}",
        books.0["calls"]
    );
}

/// A quota that is known is kept: 60 calls a second here.
#[test]
fn a_quota_is_kept() {
    let shop = Shop::open_with(&["--speed", "60", "--rate", "60"]).set("ONECLICKDZ_RATE", "3600");
    let november = shop.sheet("november.csv").customers(100);
    november.send().expect_exit(0).expect_posts(100);
    november.expect_each_paid_once();
    let books = shop.books();
    assert!(
        books.0["rate_limited"]
            .as_u64()
            .is_some_and(|refused| refused <= 2),
        "{}",
        books.0
    );
}

/// The provider's quota is smaller than was thought: it says so, and is obeyed.
#[test]
fn a_429_is_waited_for() {
    let shop = Shop::open().faults(["rate_limited@3-4"]);
    let november = shop.sheet("november.csv").customers(8);
    november.send().expect_exit(0);
    november.expect_each_paid_once();
    assert_eq!(shop.books().0["rate_limited"], 2);
}

/// `UNKNOWN_ERROR` is settled by hand there: reported as open, and what becomes of it is asked by a later run.
#[test]
fn rows_in_review_are_settled_by_a_later_run() {
    let shop = Shop::open();
    let november = shop.sheet("november.csv").customers(3).row("0600000003,100");
    let ended = november.send().expect_exit(8).expect_error("not_final");
    assert_eq!(
        (ended.rows("in_review"), ended.rows("fulfilled")),
        (1, 3),
        "{ended:?}"
    );
    assert!(ended.json()["next"].is_string(), "{ended:?}");
    let records = shop.records(&november.results());
    assert_eq!(records.len(), 3, "a row in review has not ended: {records:?}");
    november.send().expect_exit(8).expect_posts(4);
    shop.provider.advance(25 * 3600);
    let settled = november.send().expect_exit(0).expect_posts(4);
    assert_eq!(settled.rows("fulfilled"), 4, "{settled:?}");
    november.expect_true_results();
}

/// Orders that the provider shows late are waited for, and are not made a second time.
#[test]
fn late_orders_are_not_made_twice() {
    let shop = Shop::open_with(&["--switch", "late_by=30"]).faults(["late_visibility", "answer_lost=50%"]);
    let november = shop.sheet("november.csv").customers(30);
    let ended = november.send();
    assert!(matches!(ended.code, Some(0 | 6)), "{ended:?}");
    shop.provider.advance(60);
    november.send().expect_exit(0);
    november.expect_each_paid_once();
    november.expect_true_results();
}

/// What a sweep does not show is asked for by itself, also where it shows others: an order in review would otherwise hold
/// up the end of every order that the list leaves out.
#[test]
fn what_the_list_leaves_out_is_checked_by_itself() {
    let shop = Shop::open_with(&["--switch", "order_seconds=3600"]);
    let november = shop.sheet("november.csv").customers(8).row("0600000003,100");
    november.batch(&["--yes", "--no-wait"]).expect_exit(8);
    let refs = shop.books().refs();
    for reference in refs.iter().take(6) {
        shop.provider.tamper("unlist_order", reference, "");
    }
    shop.provider.advance(3600);
    let ended = november.send().expect_exit(8);
    assert_eq!(
        (ended.rows("in_review"), ended.rows("fulfilled")),
        (1, 8),
        "{ended:?}"
    );
}
