//! Rows that are orders of somebody else: of `send`, of another batch, or of this one when its sheet no longer has them. Each
//! has a command that brings it to its end, and that command is the one that is told.

use crate::outcome::Outcome;
use crate::sheet::Sheet;
use crate::support::{OrFail, PHONE, PLAN, Shop};

/// A row to the usual number under a ref, as `send_as` makes it, and one to another customer before it.
fn two_rows<'shop>(shop: &'shop Shop, name: &str, refs: [&str; 2]) -> Sheet<'shop> {
    shop.sheet(name)
        .columns("phone,amount,ref")
        .row(&format!("0770000001,100,{}", refs[0]))
        .row(&format!("{PHONE},100,{}", refs[1]))
}

/// A shop whose wallet is empty before the second row of `first.csv`.
fn stopped_at_its_second_row() -> Shop {
    let shop = Shop::open_with(&["--balance", "100"]).set("ONECLICKDZ_CONCURRENCY", "1");
    let first = two_rows(&shop, "first.csv", ["R1", "R2"]);
    first.batch(&["--yes", "--until-empty"]).expect_exit(9);
    assert_eq!(shop.ledger()["R2"], "planned");
    shop.provider.deposit(1_000);
    shop
}

/// The batch is listed with so many rows in all.
#[track_caller]
fn expect_listed(shop: &Shop, batch: &str, total: u64) {
    let listed = shop.run(&["batch", "--list", "-o", "json"]).expect_exit(0).json();
    let batches = listed.as_array().into_iter().flatten();
    let mut totals = batches.filter(|listed| listed["batch"] == batch);
    let found = totals.next().or_fail("the batch is not listed");
    assert_eq!(found["total"], total, "{listed}");
}

#[track_caller]
fn expect_no_hint(outcome: &Outcome<'_>, text: &str) {
    let error = outcome.error();
    assert!(!error.to_string().contains(text), "`{text}` is told: {outcome:?}");
}

/// Sent by hand, put off by the provider, and stopped.
#[cfg(unix)]
fn put_off_and_stopped<'shop>(shop: &'shop Shop, reference: &str, plan: &str) -> Outcome<'shop> {
    let order = [
        "--plan", plan, "--phone", PHONE, "--amount", "100", "--ref", reference,
    ];
    shop.provider.set_switch("retry_after=huge");
    shop.provider.set_faults(&["rate_limited"]);
    let sending = shop.start(&[&["send", "-o", "json"], &order[..]].concat());
    shop.provider
        .await_books("a 429", |books| books.0["rate_limited"].as_u64() >= Some(1));
    sending.signal("INT");
    let stopped = sending.finish().expect_exit(130);
    shop.provider.set_faults(&[]);
    stopped
}

/// It belongs to no queue any more: put down behind a 429 it is cancelled like any single order, and sent by the same
/// command typed again.
#[cfg(unix)]
#[test]
fn a_row_that_its_sheet_no_longer_has_can_be_stopped_and_sent_by_hand() {
    let shop = stopped_at_its_second_row();
    let first = two_rows(&shop, "first.csv", ["R1", "R2"]).without(1);
    first.send().expect_exit(0);
    assert_eq!(shop.ledger()["R2"], "cancelled");
    put_off_and_stopped(&shop, "R2", PLAN).expect_hint("the same command can be typed again");
    assert_eq!(shop.ledger()["R2"], "cancelled");
    let dry = first.batch(&["-n"]).expect_exit(0).json();
    assert_eq!(dry["to_send"]["rows"], 0, "{dry}");
    shop.send_as("R2", 100).expect_exit(0);
    first.send().expect_exit(0);
    assert_eq!((shop.books().count("R1"), shop.books().count("R2")), (1, 1));
    shop.books().expect_no_doubles();
}

/// A row that its sheet has is put back into the queue, and the batch is the one that sends it.
#[cfg(unix)]
#[test]
fn a_row_that_is_stopped_by_hand_goes_back_to_its_batch() {
    let shop = Shop::open_with(&["--switch", "operator_check=on"]);
    let sheet = shop.sheet("first.csv").columns("phone,plan,amount,ref");
    let first = sheet.row(&format!("{PHONE},PREPAID_MOBILIS,100,R1"));
    first.send().expect_exit(5);
    assert_eq!(shop.ledger()["R1"], "rejected");
    shop.provider.set_switch("operator_check=off");
    put_off_and_stopped(&shop, "R1", "PREPAID_MOBILIS").expect_hint("with the sheet of the batch `first`");
    assert_eq!(shop.ledger()["R1"], "planned");
    first.send().expect_exit(0);
    first.expect_each_paid_once();
}

/// What an older version has left planned beside every sheet is no row of any: nothing waits for it, and it is sent by
/// hand.
#[test]
fn an_order_that_was_left_planned_without_a_row_is_sent_by_hand() {
    let shop = stopped_at_its_second_row();
    let first = two_rows(&shop, "first.csv", ["R1", "R2"]);
    let first = first.without(1);
    first.send().expect_exit(0);
    shop.rewrite("UPDATE orders SET state = 'planned' WHERE ref = 'R2'");
    let dry = first.batch(&["-n"]).expect_exit(0).json();
    assert_eq!(dry["to_send"]["rows"], 0, "{dry}");
    first.send().expect_exit(0);
    shop.send_as("R2", 100).expect_exit(0);
    assert_eq!((shop.books().count("R1"), shop.books().count("R2")), (1, 1));
}

/// Only the batch that has planned it sends it; the other one says so, and is done when that one has.
#[test]
fn a_row_that_another_batch_has_planned_is_left_to_that_one() {
    let shop = stopped_at_its_second_row();
    let second = two_rows(&shop, "second.csv", ["R3", "R2"]).mended(0, "0770000003,100,R3");
    for _ in 0..2 {
        let ended = second.send().expect_exit(8).expect_error("not_final");
        assert_eq!(
            (ended.rows("planned"), ended.rows("fulfilled")),
            (1, 1),
            "{ended:?}"
        );
        let summary = ended.json();
        assert_eq!(summary["elsewhere"]["planned"], 1, "{summary}");
        assert!(summary["next"].is_null(), "{summary}");
        expect_no_hint(&ended, "put them back");
        expect_no_hint(&ended, "to go on");
        assert!(!ended.stderr.contains("sent before: 1 planned"), "{ended:?}");
        ended
            .expect_hint("the sheet of `first`")
            .expect_said(["1 row is planned in another batch"]);
    }
    let again = second.send().json();
    assert_eq!(again["already_done"], 1, "{again}");
    two_rows(&shop, "first.csv", ["R1", "R2"]).send().expect_exit(0);
    let again = second.send().expect_exit(0).expect_posts(4).json();
    assert_eq!(again["already_done"], 2, "{again}");
    shop.books().expect_no_doubles();
    assert_eq!(shop.books().orders(), 3);
}

/// The batch asks about its own orders alone: it names the command that asks about others, and sends what that one has
/// proved absent.
#[test]
fn a_row_whose_answer_a_single_send_has_lost_is_asked_about_by_ref_check() {
    let shop = Shop::open().faults(["request_lost"]);
    shop.send_as("R2", 100).expect_exit(6);
    shop.provider.set_faults(&[]);
    let november = two_rows(&shop, "november.csv", ["R1", "R2"]);
    let ended = november.send().expect_exit(6).expect_error("outcome_unknown");
    expect_no_hint(&ended, "the same command asks again");
    assert_eq!(ended.json()["already_done"], 0, "{ended:?}");
    ended.expect_hint("this one does not ask about it: `oneclick ref check` does");
    shop.run(&["ref", "check"]);
    assert_eq!(shop.ledger()["R2"], "cancelled");
    november.send().expect_exit(0);
    november.expect_each_paid_once();
    november.expect_true_results();
}

#[test]
fn a_row_that_a_single_send_did_not_wait_for_is_asked_about_by_ref_check() {
    let shop = Shop::open_with(&["--switch", "order_seconds=3600"]);
    shop.send_plus(100, &["--ref", "R2", "--no-wait"]).expect_exit(8);
    shop.provider.set_switch("order_seconds=1");
    let november = two_rows(&shop, "november.csv", ["R1", "R2"]);
    let ended = november.send().expect_exit(8).expect_error("not_final");
    expect_no_hint(&ended, "the same command asks");
    assert_eq!(ended.rows("accepted"), 1, "{ended:?}");
    ended.expect_hint("this one does not ask about it: `oneclick ref check` does");
    shop.provider.advance(3600);
    shop.run(&["ref", "check"]).expect_exit(0);
    november.send().expect_exit(0).expect_posts(2);
}

/// An order that was refused goes over to the batch that sends its ref again, and stays a row of the first one's sheet.
#[test]
fn a_batch_counts_the_rows_that_another_one_has_taken_over() {
    let shop = Shop::open().switches(["operator_check=on"]);
    let header = "phone,plan,amount,ref";
    let refused = "0661234567,PREPAID_DJEZZY,500,R1";
    let first = shop.sheet("first.csv").columns(header);
    let first = first.row(refused).row("0778037340,PREPAID_DJEZZY,500,R2");
    first.send().expect_exit(5);
    shop.provider.set_switch("operator_check=off");
    let second = shop.sheet("second.csv").columns(header).row(refused);
    second.send().expect_exit(0);
    for _ in 0..2 {
        let ended = first.send().expect_exit(0).expect_posts(3);
        assert_eq!(
            (ended.json()["total"].as_u64(), ended.rows("fulfilled")),
            (Some(2), 2),
            "{ended:?}"
        );
        assert_eq!(ended.json()["face"], 1000, "{ended:?}");
    }
    assert_eq!(shop.records("first.results.csv").len(), 2);
    let third = shop.sheet("third.csv").columns(header).row(refused);
    third.send().expect_exit(0).expect_posts(3);
    for (batch, total) in [("first", 2), ("second", 1), ("third", 1)] {
        expect_listed(&shop, batch, total);
    }
}
