//! Batches that are killed, cut off and run into each other, on a bad day of the provider: whatever strikes, and
//! whenever, each row is paid once, and the results say what the books say.

use std::collections::BTreeSet;

use crate::sheet::{Sheet, number};
use crate::support::{OrFail, Shop};

const CUSTOMERS: u32 = 60;
const ROWS: u64 = CUSTOMERS as u64;

/// Ends a batch that may have been struck: typed again until nothing is open, and never more often than that takes.
#[track_caller]
fn finish(shop: &Shop, sheet: &Sheet<'_>) {
    shop.provider.set_faults(&[]);
    shop.provider.advance(60);
    for _ in 0..3 {
        if sheet.send().code == Some(0) {
            return;
        }
    }
    sheet.send().expect_exit(0);
}

/// Lets a batch run until three more POSTs have reached the provider, and kills it; true where it was still running.
fn strike(shop: &Shop, sheet: &Sheet<'_>) -> bool {
    let posts = shop.books().calls("send") + 3;
    let mut running = sheet.start(&[]);
    while !running.has_ended() {
        let books = shop.books();
        if books.calls("send") >= posts || books.orders() == ROWS {
            running.kill();
            return true;
        }
    }
    false
}

/// A kill at an instant that the number of POSTs marks, again and again through the same batch: some strike while
/// answers are on the way, some while they are stored, some while a sweep is read.
fn kill_at_every_third_post(faults: &[&str], switches: &[&str]) {
    let shop = Shop::open_with(&["--latency", "15ms", "--seed", "7"])
        .set("ONECLICKDZ_CONCURRENCY", "4")
        .set("ONECLICKDZ_SEND_TIMEOUT", "300ms");
    for switch in switches {
        shop.provider.set_switch(switch);
    }
    shop.run(&["plans"]).expect_exit(0);
    shop.provider.set_faults(faults);
    let november = shop.sheet("november.csv").customers(CUSTOMERS);
    let mut kills = 0;
    for _ in 0..2 * CUSTOMERS {
        kills += u32::from(strike(&shop, &november));
        let books = shop.books();
        books.expect_no_doubles();
        if books.orders() == ROWS {
            break;
        }
    }
    assert!(kills >= 5, "{kills} kills are no torture");
    finish(&shop, &november);
    november.expect_each_paid_once();
    november.expect_true_results();
    shop.expect_agreement();
}

/// A batch of 40 rows whose run was killed while four of them at least were `sending`.
fn killed_while_some_hang(shop: &Shop) -> Sheet<'_> {
    let november = shop.sheet("november.csv").customers(40);
    let running = november.start(&[]);
    shop.provider
        .await_books("a first order", |books| books.orders() > 0);
    shop.provider.set_faults(&["hang_before"]);
    shop.await_states("some that hang", |states| states.get("sending") >= Some(&4));
    running.kill();
    shop.provider.set_faults(&[]);
    november
}

/// What a killed run has left open may be sent again: `--limit` and `--max-total` bind that as well.
#[test]
fn what_was_left_open_counts_against_the_bounds_of_the_next_run() {
    let shop = Shop::open_with(&["--latency", "100ms"]).set("ONECLICKDZ_CONCURRENCY", "4");
    let november = killed_while_some_hang(&shop);
    let face_of = |wanted: &[&str]| -> u64 {
        let states = shop.states();
        wanted
            .iter()
            .map(|state| 100 * states.get(*state).unwrap_or(&0))
            .sum()
    };
    let most = (face_of(&["planned", "sending"]) - 1).to_string();
    // What became of them is asked first, and it comes to the same.
    november
        .batch(&["--yes", "--max-total", &most])
        .expect_exit(9)
        .expect_error("max_total")
        .expect_said(["again whose answers were lost"]);
    assert_eq!(shop.states().get("sending"), None);
    let before = shop.books().calls("send");
    november.batch(&["--yes", "--limit", "2"]);
    assert_eq!(shop.books().calls("send"), before + 2);
    let most = face_of(&["planned"]).to_string();
    november.batch(&["--yes", "--max-total", &most]).expect_exit(0);
    november.expect_each_paid_once();
    november.expect_true_results();
}

/// All of them are sent in one run, where the limit leaves room for them.
#[test]
fn what_was_left_open_is_sent_within_the_limit() {
    let shop = Shop::open_with(&["--latency", "100ms"]).set("ONECLICKDZ_CONCURRENCY", "4");
    let november = killed_while_some_hang(&shop);
    november.batch(&["--yes", "--limit", "40"]).expect_exit(0);
    november.expect_each_paid_once();
}

#[test]
fn killed_at_any_instant_each_row_is_paid_once() {
    kill_at_every_third_post(&[], &[]);
}

#[test]
fn killed_while_answers_are_lost_each_row_is_paid_once() {
    kill_at_every_third_post(
        &[
            "answer_lost=15%",
            "request_lost=10%",
            "html_502_after=10%",
            "half_body=10%",
            "late_visibility=15%",
        ],
        &[],
    );
}

#[test]
fn killed_while_checks_and_list_fail_each_row_is_paid_once() {
    kill_at_every_third_post(
        &[
            "answer_lost=20%",
            "error_500_before=10%",
            "hang_after=3%",
            "html_502_before:list=20%",
            "half_body:list=20%",
            "request_lost:check-ref=20%",
            "error_503_after:check-id=20%",
        ],
        &["list_order=oldest", "pagination=meta"],
    );
}

/// Every row is on its way when it is killed, so that nothing is left to send but questions to ask: the next run asks
/// them, and ends.
#[test]
fn killed_with_all_rows_on_their_way_it_ends() {
    let shop = Shop::open()
        .set("ONECLICKDZ_SEND_TIMEOUT", "30s")
        .faults(["hang_after"]);
    let november = shop.sheet("november.csv").customers(8);
    let running = november.start(&[]);
    shop.provider
        .await_books("all POSTs", |books| books.orders() == 8);
    running.kill();
    shop.provider.set_faults(&[]);
    november.send().expect_exit(0).expect_posts(8);
    november.expect_each_paid_once();
    november.expect_true_results();
}

/// A row whose ref another batch has taken meanwhile counts with its sheet: nobody calls it done before it is.
#[test]
fn a_ref_that_another_batch_has_lost_is_unknown_here_too() {
    let shop = Shop::open().set("ONECLICKDZ_SEND_TIMEOUT", "30s");
    let rows = ["0770000001,300,R1", "0770000002,300,R2"];
    let sheet = |name| shop.sheet(name).columns("phone,amount,ref");
    let mine = sheet("mine.csv")
        .row("0770000009,300,R9")
        .row(rows[0])
        .row(rows[1]);
    let theirs = sheet("theirs.csv").row(rows[0]).row(rows[1]);
    mine.batch(&["--yes", "--limit", "1"]).expect_exit(0);
    shop.provider.set_faults(&["hang_after"]);
    let running = theirs.start(&[]);
    shop.provider
        .await_books("their first POST", |books| books.orders() == 2);
    running.kill();
    shop.provider.set_faults(&[]);
    for _ in 0..2 {
        let ended = mine.send().expect_exit(6);
        assert_eq!(
            (&ended.json()["total"], ended.rows("sending")),
            (&3.into(), 1),
            "{ended:?}"
        );
    }
    shop.run(&["ref", "check"]).expect_exit(0);
    let ended = mine.send().expect_exit(0);
    assert_eq!(
        (&ended.json()["total"], ended.rows("fulfilled")),
        (&3.into(), 3),
        "{ended:?}"
    );
    assert_eq!(shop.records("mine.results.csv").len(), 3);
    shop.books().expect_no_doubles();
}

/// What another command settles is settled: the batch does not wait for it.
#[test]
fn orders_that_another_command_settles_are_not_waited_for() {
    let shop = Shop::open_with(&["--speed", "1", "--switch", "order_seconds=3600"])
        .set("ONECLICKDZ_POLL_INTERVAL", "3s")
        .set("ONECLICKDZ_POLL_TIMEOUT", "40s");
    let november = shop.sheet("november.csv").customers(5);
    let running = november.start(&[]);
    shop.await_states("all accepted", |states| states.get("accepted") == Some(&5));
    shop.provider.advance(7200);
    shop.run(&["ref", "check"]).expect_exit(0);
    let settled = std::time::Instant::now();
    let ended = running.finish().expect_exit(0);
    assert!(settled.elapsed().as_secs() < 30, "it waited for what had ended");
    assert_eq!(ended.rows("fulfilled"), 5, "{ended:?}");
    november.expect_true_results();
}

/// A row that is planned can be looked at like any order.
#[test]
fn a_planned_row_is_shown() {
    let shop = Shop::open();
    let november = shop.sheet("november.csv").customers(2);
    november.batch(&["--yes", "--limit", "1"]).expect_exit(0);
    let listed = shop
        .run(&["ref", "list", "--state", "planned", "-o", "json"])
        .json();
    let reference = listed[0]["ref"].as_str().or_fail("no ref").to_owned();
    let shown = shop
        .run(&["ref", "show", &reference, "-o", "json"])
        .expect_exit(0);
    assert_eq!(shown.json()["state"], "planned", "{shown:?}");
    let waited = shop.run(&["ref", "wait", &reference]).expect_exit(8);
    assert!(waited.stderr.contains("oneclick batch"), "{waited:?}");
}

/// Without a kill: a bad day from the first row to the last, and what is not known at the end is found later.
#[test]
fn a_bad_day_pays_each_row_once() {
    for seed in ["1", "2", "3"] {
        let shop = Shop::open_with(&["--seed", seed]).set("ONECLICKDZ_SEND_TIMEOUT", "300ms");
        shop.run(&["plans"]).expect_exit(0);
        shop.provider.set_faults(&[
            "answer_lost=10%",
            "request_lost=10%",
            "html_502_before=5%",
            "html_502_after=10%",
            "half_body=10%",
            "not_json_200=5%",
            "empty_200=5%",
            "no_id_200=5%",
            "hang_before=2%",
            "redirect=5%",
            "late_visibility=10%",
            "error_500_after:list=10%",
            "answer_lost:check-ref=10%",
        ]);
        let november = shop.sheet("november.csv").customers(CUSTOMERS);
        let ended = november.send();
        assert!(matches!(ended.code, Some(0 | 6 | 8)), "{ended:?}");
        shop.books().expect_no_doubles();
        finish(&shop, &november);
        november.expect_each_paid_once();
        november.expect_true_results();
    }
}

/// The lock goes with its process, however that ends.
#[test]
fn one_process_at_a_time_has_a_batch() {
    let shop = Shop::open_with(&["--latency", "20ms"]).set("ONECLICKDZ_CONCURRENCY", "1");
    let november = shop.sheet("november.csv").customers(20);
    let first = november.start(&[]);
    shop.provider
        .await_books("the first POST", |books| books.calls("send") >= 1);
    november.send().expect_exit(11).expect_error("batch_busy");
    // Another name of it is the same batch, another batch is free.
    let copied = november.copied("copied.csv");
    copied.batch(&["--yes", "--label", "november"]).expect_exit(11);
    shop.sheet("december.csv")
        .row("0661234567,500")
        .send()
        .expect_exit(0);
    first.kill();
    november.send().expect_exit(0);
    assert_eq!(shop.books().orders(), 21);
    shop.books().expect_no_doubles();
}

/// A dry run changes nothing, so it looks at a batch that runs.
#[test]
fn a_running_batch_can_be_looked_at() {
    let shop = Shop::open_with(&["--latency", "20ms"]).set("ONECLICKDZ_CONCURRENCY", "1");
    let november = shop.sheet("november.csv").customers(20);
    let running = november.start(&[]);
    shop.provider
        .await_books("some POSTs", |books| books.calls("send") >= 3);
    november.batch(&["-n"]).expect_exit(0);
    let listed = shop.batch(&["--list", "-o", "json"]).expect_exit(0).json();
    assert_eq!(listed[0]["total"], 20, "{listed}");
    running.finish().expect_exit(0);
    november.expect_each_paid_once();
}

/// Counter and batch share a ledger: a customer whose row is still planned comes to the counter, and is not paid
/// again when the batch reaches the row.
#[test]
fn a_send_beside_a_running_batch_pays_nobody_twice() {
    let shop = Shop::open_with(&["--latency", "15ms"]).set("ONECLICKDZ_CONCURRENCY", "1");
    let november = shop.sheet("november.csv").customers(20);
    let running = november.start(&[]);
    shop.provider
        .await_books("the first POSTs", |books| books.calls("send") >= 2);
    let last = number(19);
    let by_hand = [
        "send",
        "--plan",
        "auto",
        "--amount",
        "100",
        "--no-wait",
        "--phone",
    ];
    shop.run(&[&by_hand[..], &[&last]].concat()).expect_exit(8);
    shop.send(500).expect_exit(0);
    let ended = running.finish().expect_exit(2).expect_error("repeat");
    assert_eq!(
        (ended.rows("planned"), ended.rows("fulfilled")),
        (1, 19),
        "{ended:?}"
    );
    assert_eq!(shop.paid()[&(last.clone(), 100)], 1);
    assert_eq!(shop.books().orders(), 21);
    // Typed again it is a repeat like any other.
    november.send().expect_exit(2).expect_error("repeat");
    november.batch(&["--yes", "--again"]).expect_exit(0);
    assert_eq!(shop.books().orders(), 22);
}

/// Two clerks send the same people under two labels at the same instant: whoever claims a row first pays it.
#[test]
fn two_labels_with_the_same_rows_pay_nobody_twice() {
    let shop = Shop::open_with(&["--latency", "5ms"]).set("ONECLICKDZ_CONCURRENCY", "2");
    shop.run(&["plans"]).expect_exit(0);
    let november = shop.sheet("november.csv").customers(30);
    let copied = november.copied("copied.csv");
    let both = [november.start(&[]), copied.start(&[])];
    let codes: BTreeSet<_> = both.into_iter().map(|running| running.finish().code).collect();
    assert!(codes.contains(&Some(2)), "nobody was told of a repeat: {codes:?}");
    november.expect_each_paid_once();
    november.batch(&["-n"]).expect_exit(0);
    copied.batch(&["--yes", "--skip-bad"]);
    november.batch(&["--yes", "--skip-bad"]);
    november.expect_each_paid_once();
}

/// Rows that were claimed when the process was killed, and that the provider never saw, are asked for by both spellings
/// of their refs, twice, before they are sent: no row more often, however many sweeps there are while it waits for its
/// turn to be asked for.
#[test]
fn what_was_claimed_at_a_kill_is_asked_for_no_more_than_it_must() {
    let shop = Shop::open_with(&["--latency", "20ms", "--balance", "1000000"])
        .set("ONECLICKDZ_CONCURRENCY", "64")
        .set("ONECLICKDZ_RETRY_DELAY", "300ms");
    let november = shop.sheet("november.csv").customers(500);
    let running = november.start(&[]);
    shop.provider
        .await_books("the first POSTs", |books| books.calls("send") >= 100);
    running.kill();
    let claimed = shop.count("SELECT count(*) FROM orders WHERE state = 'sending'");
    let claimed = u64::try_from(claimed).or_fail("a count");
    assert!(claimed > 64, "{claimed} claimed rows are no test");
    // Fewer connections ask for fewer at a time.
    shop.shell("ONECLICKDZ_CONCURRENCY=2 oneclick batch november.csv --yes -o json")
        .expect_exit(0);
    november.expect_each_paid_once();
    let asked = shop.books().calls("check-ref") + shop.books().calls("check-id");
    assert!(asked <= 4 * claimed, "{asked} questions about {claimed} rows");
}
