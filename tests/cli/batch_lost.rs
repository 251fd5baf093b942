//! Rows whose answers were lost, when their batch goes on: what is sent again is consented to like anything else, and no
//! more often than an order may be sent.

use crate::sheet::{Paid, Sheet, number};
use crate::support::{OrFail, PHONE, PLAN, Shop};

/// Eight rows of 100 DZD that were on their way when their process was killed, and that the provider has never seen.
fn cut_off(shop: &Shop) -> Sheet<'_> {
    let november = shop.sheet("november.csv").customers(8);
    let running = november.start(&[]);
    shop.provider
        .await_books("all POSTs", |books| books.calls("send") == 8);
    running.kill();
    assert_eq!(shop.books().orders(), 0);
    shop.provider.set_faults(&[]);
    november
}

fn shop() -> Shop {
    Shop::open()
        .set("ONECLICKDZ_SEND_TIMEOUT", "30s")
        .faults(["hang_before"])
}

#[test]
fn what_was_lost_is_not_sent_again_without_consent() {
    let shop = shop();
    let november = cut_off(&shop);
    let dry = november.batch(&["-n"]).expect_exit(0).expect_posts(8).json();
    assert_eq!(
        (&dry["in_doubt"]["rows"], &dry["in_doubt"]["face"]),
        (&8.into(), &800.into()),
        "{dry}"
    );
    assert_eq!(
        (&dry["to_send"]["rows"], &dry["already_done"]),
        (&0.into(), &0.into()),
        "{dry}"
    );
    november
        .batch(&[])
        .expect_exit(2)
        .expect_error("consent")
        .expect_hint("--confirm-total 800")
        .expect_hint("ref check")
        .expect_posts(8)
        .expect_said(["8 rows for 800 DZD", "asked about them first"]);
    november
        .batch(&["--confirm-total", "100"])
        .expect_exit(2)
        .expect_error("total_not_confirmed")
        .expect_posts(8);
    let again = november.batch(&["--confirm-total", "800"]).expect_exit(0);
    let progress = again.stderr.lines().rfind(|line| line.starts_with('·'));
    assert_eq!(progress, Some("· 8 of 8: 8 fulfilled"), "{again:?}");
    again.expect_posts(16);
    november.expect_each_paid_once();
    november.expect_true_results();
}

/// Without the provider nothing more is sent; what earlier runs have left is told all the same, and what is not known
/// decides the exit code.
#[test]
fn what_was_lost_is_told_where_nobody_can_be_asked() {
    let flags = ["--switch", "order_seconds=3600"];
    let shop = Shop::open_with(&flags);
    let november = shop.sheet("november.csv").customers(3);
    november.batch(&["--yes", "--no-wait"]).expect_exit(8);
    shop.provider.close();
    november
        .batch(&["--confirm-total", "300"])
        .expect_exit(7)
        .expect_hint("oneclick batch november.csv -o json --confirm-total 300");
    november
        .send()
        .expect_exit(7)
        .expect_hint("nothing more was sent")
        .expect_hint("3 accepted")
        .expect_hint("oneclick batch november.csv --yes");
    shop.provider.open_again(shop.home(), &flags);
    let shop = shop.faults([
        "answer_lost=100%",
        "error_500_before:check-ref=100%",
        "error_500_before:list=100%",
    ]);
    let december = shop.sheet("december.csv").customers(1);
    december.batch(&["--yes", "--again"]).expect_exit(6);
    shop.provider.close();
    let unknown = december.send().expect_exit(6).expect_error("no_connection");
    unknown.expect_said(["of 1 row it is not known whether it was made"]);
}

/// New rows and lost ones are one total.
#[test]
fn consent_is_to_everything_that_may_leave() {
    let shop = shop();
    let november = cut_off(&shop).row(&format!("{},500", number(70)));
    let said = november.batch(&[]).expect_exit(2).expect_error("consent");
    // The sheet has changed: what was lost was asked about, and is to be sent like any other row.
    said.expect_said(["9 rows for 1 300 DZD"]);
    november
        .batch(&["--confirm-total", "500"])
        .expect_exit(2)
        .expect_error("total_not_confirmed")
        .expect_posts(8);
    november.batch(&["--confirm-total", "1300"]).expect_exit(0);
    november.expect_each_paid_once();
}

/// A cap that was set meanwhile, and that the day has passed already, lets nothing more through.
#[test]
fn a_cap_of_the_day_binds_what_would_be_sent_again() {
    let shop = shop();
    let november = cut_off(&shop);
    let shop_with = |cap: &str| {
        let line = format!("ONECLICKDZ_MAX_PER_DAY={cap} oneclick batch november.csv --yes -o json");
        shop.shell(&line)
    };
    // They are asked about all the same, and are planned from then on.
    shop_with("700")
        .expect_exit(9)
        .expect_error("max_per_day")
        .expect_posts(8);
    shop_with("800").expect_exit(0).expect_posts(16);
    november.expect_each_paid_once();
}

/// `retry_attempts` counts the first request of a row as it counts that of a single order.
#[test]
fn a_row_is_sent_as_often_as_an_order_and_no_more() {
    let shop = Shop::open().faults(["request_lost=100%"]);
    shop.send_as("single", 700).expect_exit(6);
    let november = shop.sheet("november.csv").customers(3);
    let attempts = |state: &Shop| {
        let listed = state.run(&["ref", "list", "-o", "json"]).json();
        let orders = listed.as_array().cloned().or_fail("no list");
        let attempts = orders.iter().map(|order| order["attempts"].as_u64());
        attempts.collect::<Vec<_>>()
    };
    november.send().expect_exit(6);
    assert_eq!(attempts(&shop), [Some(3); 4]);
    let again = november.send().expect_exit(6);
    assert_eq!(attempts(&shop), [Some(3), Some(6), Some(6), Some(6)]);
    let unknown = shop.run(&["ref", "list", "--open", "-o", "json"]).json();
    assert!(
        unknown
            .to_string()
            .contains("sent 6 times, and the provider knows of none"),
        "{again:?}\n{unknown}"
    );
    shop.provider.set_faults(&[]);
    november.send().expect_exit(0);
    november.expect_true_results();
}

/// What is unknown decides the exit code, and does not hide that the key was refused: asking again would not mend that.
#[test]
fn a_refused_key_is_told_beside_what_is_unknown() {
    let shop = Shop::open_with(&["--latency", "30ms"])
        .set("ONECLICKDZ_CONCURRENCY", "2")
        .switches(["check_ref=missing", "list=missing"])
        .faults(["answer_lost@1"]);
    let november = shop.sheet("november.csv").customers(60);
    let running = november.start(&[]);
    shop.provider
        .await_books("some POSTs", |books| books.calls("send") >= 6);
    shop.provider.set_switch("key_enabled=off");
    let ended = running.finish().expect_exit(6).expect_error("outcome_unknown");
    assert_eq!(ended.json()["stopped"], "auth", "{ended:?}");
    ended.expect_hint("besides: ").expect_hint("the API key");
}

/// Its first requests were lost, so that a refusal of the next one proves nothing: the row is asked about for long, by
/// one question after the other, and no sweep has it sent meanwhile.
#[test]
fn a_row_that_is_asked_about_behind_a_refusal_is_not_sent_by_a_sweep() {
    let shop = Shop::open().faults(["error_503_before"]);
    let november = shop
        .sheet("november.csv")
        .columns("phone,plan,amount")
        // It is waited for meanwhile, with one sweep after the other.
        .row("0778037340,PREPAID_DJEZZY,500")
        .row("0661234567,PREPAID_DJEZZY,500");
    november.send().expect_exit(6);
    shop.provider.set_faults(&[]);
    shop.run(&["ref", "check"]);
    assert_eq!(shop.states().get("planned"), Some(&2), "{:?}", shop.states());
    shop.provider.set_switch("operator_check=on");
    let posts = shop.books().calls("send");
    november.send().expect_posts(posts + 2);
}

/// The money is spent elsewhere: what the provider does not know of stays planned, and is not called unknown.
#[test]
fn behind_an_empty_wallet_what_was_lost_is_planned_again() {
    let shop = Shop::open_with(&["--balance", "1000"])
        .set("ONECLICKDZ_SEND_TIMEOUT", "30s")
        .faults(["hang_before"]);
    // New rows leave at once, and the last money with them.
    let november = (8..13).fold(cut_off(&shop), |sheet, row| {
        sheet.row(&format!("{},100", number(row)))
    });
    shop.send_as("other", 700).expect_exit(0);
    let ended = november.batch(&["--yes", "--until-empty"]).expect_exit(9);
    assert_eq!(ended.rows("unknown"), 0, "{ended:?}");
    assert_eq!(ended.rows("fulfilled"), 3, "{ended:?}");
    assert_eq!(ended.rows("planned"), 10, "{ended:?}");
    shop.provider.deposit(2_000);
    shop.shell(&ended.next()).expect_exit(0);
    assert_eq!(shop.books().orders(), 14);
    shop.books().expect_no_doubles();
}

/// Nobody waits for the end of what was sent, and the next run looks once what has become of it.
#[test]
fn what_was_not_waited_for_is_looked_at_by_the_next_run() {
    let shop = Shop::open();
    let november = shop.sheet("november.csv").customers(5);
    let left = november.batch(&["--yes", "--no-wait"]).expect_exit(8);
    shop.provider.advance(600);
    // The simulated time is the provider's; young orders are left alone.
    shop.rewrite("UPDATE orders SET sent_at = sent_at - 1000");
    shop.shell(&left.next()).expect_exit(0).expect_posts(5);
    november.expect_true_results();
}

/// The balance does not cover what is left: what became of the rows whose answers were lost is asked all the same.
#[test]
fn what_was_lost_is_asked_about_where_the_balance_refuses_the_run() {
    let shop = Shop::open_with(&["--balance", "1200"])
        .set("ONECLICKDZ_SEND_TIMEOUT", "30s")
        .set("ONECLICKDZ_CONCURRENCY", "8")
        .faults(["hang_after"]);
    let november = shop.sheet("november.csv").customers(12);
    let running = november.start(&[]);
    shop.provider
        .await_books("orders that hang", |books| books.orders() == 8);
    running.kill();
    shop.provider.set_faults(&[]);
    shop.send_as("other", 400).expect_exit(0);
    november
        .send()
        .expect_exit(9)
        .expect_error("balance_too_low")
        .expect_posts(9);
    assert_eq!(shop.states().get("fulfilled"), Some(&9));
    shop.provider.deposit(1000);
    november.send().expect_exit(0).expect_posts(13);
    shop.books().expect_no_doubles();
}

/// What an earlier run has left unknown decides the exit code of one that is refused before it begins.
#[test]
fn what_was_lost_is_told_where_the_run_is_refused() {
    let shop = Shop::open_with(&["--balance", "150"]).faults(["request_lost"]);
    let november = shop.sheet("november.csv").customers(3);
    november.batch(&["--yes", "--limit", "1"]).expect_exit(6);
    shop.provider
        .set_faults(&["error_500_before:check-ref=100%", "error_500_before:list=100%"]);
    let unknown = "of 1 row it is not known whether it was made";
    november
        .send()
        .expect_exit(6)
        .expect_error("balance_too_low")
        .expect_hint("the batch stands as it did")
        .expect_said([unknown, "nothing more was sent"]);
    november
        .batch(&["--yes", "--max-total", "100"])
        .expect_exit(6)
        .expect_error("max_total")
        .expect_said([unknown]);
    shop.provider.set_switch("key_enabled=off");
    let refused = november.send().expect_exit(6).expect_said([unknown]);
    assert_eq!(refused.error()["code"], "API_DISABLED", "{refused:?}");
    // Whose the key is has been forgotten: nobody can tell which batch is meant before it is known again.
    november.send().expect_exit(4);
}

/// A row that was put off and given back was not sent: it is not said to have been.
#[cfg(unix)]
#[test]
fn a_row_that_was_put_off_does_not_count_as_sent() {
    let shop = Shop::open()
        .set("ONECLICKDZ_CONCURRENCY", "1")
        .switches(["retry_after=huge"])
        .faults(["rate_limited"]);
    let november = shop.sheet("november.csv").customers(1);
    let running = november.start(&[]);
    shop.provider
        .await_books("a 429", |books| books.0["rate_limited"].as_u64() >= Some(1));
    running.signal("INT");
    running.finish().expect_exit(130);
    assert_eq!(shop.states()["planned"], 1);
    shop.provider.set_switch("retry_after=seconds");
    shop.provider.set_faults(&["request_lost"]);
    november.send().expect_exit(6).expect_posts(4);
    let unknown = shop.run(&["ref", "list", "--open", "-o", "json"]).json();
    let message = unknown[0]["message"].to_string();
    assert!(
        message.contains("sent 3 times, and the provider knows of none"),
        "{unknown}"
    );
}

/// A row whose answer was lost may have to be sent again: what the catalogue has against it by then counts.
#[test]
fn what_was_lost_is_not_sent_again_when_it_can_no_longer_be_sold() {
    let shop = Shop::open().faults(["request_lost=100%"]);
    let november = shop
        .sheet("november.csv")
        .row("0778037340,8000")
        .row("0778037341,500");
    november.send().expect_exit(6);
    let posts = shop.books().calls("send");
    // There a send takes 5 000 DZD at most, and nobody can be asked for now.
    shop.provider.set_switch("catalogue=guide");
    shop.provider
        .set_faults(&["error_500_before:check-ref=100%", "error_500_before:list=100%"]);
    shop.run(&["plans", "--refresh"]).expect_exit(0);
    let refused = november
        .send()
        .expect_exit(2)
        .expect_error("bad_rows")
        .expect_posts(posts);
    assert!(refused.stderr.contains("line 2"), "{refused:?}");
    shop.provider.set_faults(&[]);
    shop.run(&["ref", "check"]);
    november
        .send()
        .expect_exit(2)
        .expect_error("bad_rows")
        .expect_posts(posts);
    november
        .batch(&["--yes", "--skip-bad"])
        .expect_exit(0)
        .expect_posts(posts + 1);
    assert_eq!(shop.paid(), Paid::from([(("0778037341".to_owned(), 500), 1)]));
}

/// A ref that somebody else has taken while the batch was on its way leads to that one's order, not to the row's.
#[test]
fn a_row_whose_ref_was_taken_has_no_end_of_another_order() {
    let shop = Shop::open_with(&["--latency", "30ms"]).set("ONECLICKDZ_CONCURRENCY", "1");
    let mut november = shop.sheet("november.csv").columns("ref,phone,amount,note");
    for row in 0..40 {
        november = november.row(&format!("row-{row},{},100,n{row}", number(row)));
    }
    let running = november.start(&[]);
    shop.provider
        .await_books("some POSTs", |books| books.calls("send") >= 3);
    let taken = [
        "send", "--plan", PLAN, "--phone", PHONE, "--amount", "700", "--ref", "row-39",
    ];
    shop.run(&taken).expect_exit(0);
    let ended = running.finish();
    assert_eq!(ended.rows("planned"), 1, "{ended:?}");
    let records = shop.records("november.results.csv");
    assert_eq!(records.len(), 39, "{records:?}");
    assert!(
        records.iter().all(|record| record["note"] != "n39"),
        "{records:?}"
    );
}

/// While rows are sent, a list that fails is not made up for by asking about order after order.
#[test]
fn a_list_that_fails_costs_no_questions_while_rows_are_sent() {
    let shop = Shop::open_with(&["--latency", "20ms"])
        .set("ONECLICKDZ_CONCURRENCY", "1")
        .set("ONECLICKDZ_POLL_INTERVAL", "50ms")
        .faults(["error_500_before:list=100%"]);
    let november = shop.sheet("november.csv").customers(400);
    let running = november.start(&[]);
    shop.provider
        .await_books("three sweeps", |books| books.calls("list") >= 9);
    let books = shop.books();
    running.kill();
    assert!(books.calls("send") < 400, "the rows have all been sent meanwhile");
    // A sweep that is for one order alone asks about that one.
    assert!(books.calls("check-id") <= 3, "{}", books.calls("check-id"));
}

/// What an earlier run has lost is held against what was sent since, and against the caps of today.
#[test]
fn what_was_lost_is_sent_again_under_the_guard_of_today() {
    let shop = Shop::open().faults(["request_lost=100%"]);
    let november = shop.sheet("november.csv").customers(2);
    november.send().expect_exit(6);
    shop.provider.set_faults(&[]);
    let phone = number(0);
    let by_hand = [
        "send", "--plan", PLAN, "--phone", &phone, "--amount", "100", "--again",
    ];
    shop.run(&by_hand).expect_exit(0);
    let posts = shop.books().calls("send");
    let held = shop
        .shell("ONECLICKDZ_MAX_PER_NUMBER_PER_DAY=50 oneclick batch november.csv --yes -o json")
        .expect_exit(9)
        .expect_posts(posts)
        .expect_said(["line 2 stays planned: a repeat", "line 3 stays planned"]);
    assert_eq!(held.rows("planned"), 2, "{held:?}");
    november
        .batch(&["--yes", "--skip-bad"])
        .expect_exit(0)
        .expect_posts(posts + 1);
    let once = (0..2).map(|row| ((number(row), 100), 1)).collect();
    assert_eq!(shop.paid(), once);
    november.batch(&["--yes", "--again"]).expect_exit(0);
    assert_eq!(shop.paid()[&(phone, 100)], 2, "it was meant");
}

/// Two rows of one sheet that are alike have been consented to: the one whose request was lost is no repeat of the other.
#[test]
fn a_lost_row_is_no_repeat_of_its_twin() {
    let shop = Shop::open()
        .set("ONECLICKDZ_SEND_TIMEOUT", "30s")
        .set("ONECLICKDZ_CONCURRENCY", "2")
        .faults(["hang_before@1"]);
    let november = shop
        .sheet("november.csv")
        .row("0778037340,100")
        .row("0778037340,100");
    let running = november.start(&["--again"]);
    shop.provider
        .await_books("the second row", |books| books.orders() == 1);
    running.kill();
    shop.provider.set_faults(&[]);
    november
        .batch(&["--yes", "--again"])
        .expect_exit(0)
        .expect_posts(3);
    assert_eq!(shop.paid(), Paid::from([((PHONE.to_owned(), 100), 2)]));
}
