//! Nobody is paid twice without `--again`: not by a line that stands twice, not by another label, not by a sheet that
//! was edited after it was sent, and not where the ledger is lost.

use std::fs;

use crate::sheet::Paid;
use crate::support::{OrFail, PHONE, Shop};

fn paid(rows: &[(&str, u64, u64)]) -> Paid {
    rows.iter()
        .map(|(phone, amount, times)| (((*phone).to_owned(), *amount), *times))
        .collect()
}

/// The same row twice, one number in two spellings, one number with another amount: each needs consent, and both
/// lines are named.
#[test]
fn a_number_that_stands_twice_needs_again() {
    let other = "0778037341";
    for (twice, all) in [
        ("0778037340,500", paid(&[(PHONE, 500, 2), (other, 500, 1)])),
        ("+213 778 03 73 40,500", paid(&[(PHONE, 500, 2), (other, 500, 1)])),
        (
            "0778037340,700",
            paid(&[(PHONE, 500, 1), (PHONE, 700, 1), (other, 500, 1)]),
        ),
    ] {
        let shop = Shop::open();
        let november = shop
            .sheet("november.csv")
            .row("0778037340,500")
            .row("0778037341,500")
            .row(twice);
        let refused = november
            .send()
            .expect_exit(2)
            .expect_error("repeat")
            .expect_hint("--again")
            .expect_no_post();
        let message = refused.error()["message"].to_string();
        assert!(
            message.contains("line 4") && message.contains("line 2"),
            "{refused:?}"
        );
        november
            .batch(&["--yes", "--again"])
            .expect_exit(0)
            .expect_posts(3);
        assert_eq!(shop.paid(), all);
        november.send().expect_exit(0).expect_posts(3);
        november
            .batch(&["--yes", "--again"])
            .expect_exit(0)
            .expect_posts(3);
    }
}

/// Left out, and sent by a later run that consents to them.
#[test]
fn repeats_are_left_out_with_skip_bad() {
    let shop = Shop::open();
    let november = shop
        .sheet("november.csv")
        .row("0778037340,500")
        .row("0778037340,500")
        .row("0778037341,500");
    november.batch(&["--yes", "--skip-bad"]).expect_posts(2);
    assert_eq!(shop.paid(), paid(&[(PHONE, 500, 1), ("0778037341", 500, 1)]));
    november
        .send()
        .expect_exit(2)
        .expect_error("repeat")
        .expect_posts(2);
    november
        .batch(&["--yes", "--again"])
        .expect_exit(0)
        .expect_posts(3);
    november.expect_each_paid_once();
}

#[test]
fn what_was_sent_by_hand_is_a_repeat() {
    let shop = Shop::open();
    shop.send(500).expect_exit(0);
    let november = shop
        .sheet("november.csv")
        .row("0778037340,500")
        .row("0778037341,500");
    november
        .send()
        .expect_exit(2)
        .expect_error("repeat")
        .expect_posts(1);
    november
        .batch(&["--yes", "--again"])
        .expect_exit(0)
        .expect_posts(3);
    assert_eq!(shop.paid(), paid(&[(PHONE, 500, 2), ("0778037341", 500, 1)]));
}

/// The row had been sent and refused for want of money when the same was sent by hand: it is held, and can be released.
#[test]
fn what_was_sent_by_hand_before_a_row_came_round_again_is_a_repeat() {
    let shop = Shop::open_with(&["--balance", "100"]);
    let november = shop
        .sheet("november.csv")
        .row("0778037340,500")
        .row("0778037341,500");
    november
        .batch(&["--yes", "--until-empty"])
        .expect_exit(9)
        .expect_error("empty_wallet")
        .expect_posts(1);
    shop.provider.deposit(5_000);
    shop.send(500).expect_exit(0);
    november
        .send()
        .expect_exit(2)
        .expect_error("repeat")
        .expect_hint("--again")
        .expect_posts(3);
    november
        .send()
        .expect_exit(2)
        .expect_error("repeat")
        .expect_posts(3);
    november
        .batch(&["--yes", "--again"])
        .expect_exit(0)
        .expect_posts(4);
    assert_eq!(shop.paid(), paid(&[(PHONE, 500, 2), ("0778037341", 500, 1)]));
}

/// A row that was sent by the batch is a repeat for `send`, too.
#[test]
fn what_a_batch_has_sent_is_a_repeat_by_hand() {
    let shop = Shop::open();
    shop.sheet("november.csv")
        .row("0778037340,500")
        .send()
        .expect_exit(0);
    shop.send(500).expect_exit(2).expect_error("repeat");
    assert_eq!(shop.books().orders(), 1);
}

/// The same sheet under another name is the same people again.
#[test]
fn another_label_is_a_repeat() {
    let shop = Shop::open();
    let november = shop.sheet("november.csv").customers(3);
    november.send().expect_exit(0);
    november
        .batch(&["--yes", "--label", "once more"])
        .expect_exit(2)
        .expect_error("repeat")
        .expect_posts(3);
    let copied = november.copied("december.csv");
    copied
        .send()
        .expect_exit(2)
        .expect_error("repeat")
        .expect_posts(3);
    // Under its first name it is still known.
    copied
        .batch(&["--yes", "--label", "november"])
        .expect_exit(0)
        .expect_posts(3);
    copied.batch(&["--yes", "--again"]).expect_exit(0).expect_posts(6);
}

/// Another amount in a row that was paid is a second payment to the same number.
#[test]
fn a_changed_amount_of_a_paid_row_needs_again() {
    let shop = Shop::open();
    let november = shop
        .sheet("november.csv")
        .row("0778037340,500")
        .row("0778037341,500");
    november.send().expect_exit(0);
    let changed = november.mended(0, "0778037340,600");
    changed
        .send()
        .expect_exit(2)
        .expect_error("repeat")
        .expect_posts(2);
    changed
        .batch(&["--yes", "--again"])
        .expect_exit(0)
        .expect_posts(3);
    let all = paid(&[(PHONE, 500, 1), (PHONE, 600, 1), ("0778037341", 500, 1)]);
    assert_eq!(shop.paid(), all);
}

/// What surely was not delivered is no repeat: another sheet may send it.
#[test]
fn a_refunded_row_is_no_repeat() {
    let shop = Shop::open();
    let november = shop.sheet("november.csv").row("0600000001,500");
    november.send().expect_exit(5).expect_posts(1);
    november.send().expect_exit(5).expect_posts(1);
    november
        .batch(&["--yes", "--label", "second"])
        .expect_exit(5)
        .expect_posts(2);
}

fn lose_the_ledger(shop: &Shop) {
    for name in ["ledger.db", "ledger.db-wal", "ledger.db-shm"] {
        let path = shop.ledger_path().with_file_name(name);
        if path.exists() {
            fs::remove_file(path).or_fail("the ledger can't be deleted");
        }
    }
}

/// A disk is lost with the ledger on it. Refs are made from the rows, so the provider knows each of them, and every
/// order is taken over as it is there.
#[test]
fn without_its_ledger_nobody_is_paid_twice() {
    for switch in [
        "duplicate_code=hyphen",
        "duplicate_details=on",
        "check_ref=prefixed",
    ] {
        let shop = Shop::open().switches([switch]);
        let november = shop.sheet("november.csv").customers(12).row("0600000001,500");
        november.send().expect_exit(5).expect_posts(13);
        let before = shop.ledger();
        lose_the_ledger(&shop);
        november.send().expect_exit(5).expect_posts(26);
        november.expect_each_paid_once();
        november.expect_true_results();
        assert_eq!(shop.ledger(), before, "{switch}");
    }
}

/// The same where no check finds an order by its ref: nobody is paid twice, and nothing is called failed.
#[test]
fn without_ledger_and_checks_nobody_is_paid_twice() {
    let shop = Shop::open().switches(["check_ref=missing"]);
    let november = shop.sheet("november.csv").customers(5);
    november.send().expect_exit(0);
    lose_the_ledger(&shop);
    let ended = november.send();
    assert!(matches!(ended.code, Some(0 | 6)), "{ended:?}");
    november.expect_each_paid_once();
    shop.expect_agreement();
}

/// The list of that time shows them, as it does to `send`.
#[test]
fn without_ledger_and_checks_orders_are_found_on_the_list() {
    let shop = Shop::open().switches(["check_ref=missing"]);
    let november = shop.sheet("november.csv").customers(5);
    november.send().expect_exit(0);
    lose_the_ledger(&shop);
    november.send().expect_exit(0);
    november.expect_true_results();
}

/// As it comes from a results file: the ref that one line has in its cell is the one that another line gets.
#[test]
fn a_ref_that_another_line_is_given_stands_twice() {
    let shop = Shop::open();
    let november = shop
        .sheet("november.csv")
        .row("0778037340,500")
        .row("0661234567,300");
    november.send().expect_exit(0);
    let refs = shop.ledger();
    let reference = refs.keys().find(|reference| reference.contains("778037340"));
    let reference = reference.or_fail("no ref");
    for phone in ["0778037340", "0661234567"] {
        let shop = Shop::open();
        let november = shop
            .sheet("november.csv")
            .columns("phone,amount,ref")
            .row(&format!("{phone},300,{reference}"))
            .row("0778037340,500,");
        let refused = november.send().expect_exit(2).expect_no_post();
        assert!(refused.stderr.contains(reference.as_str()), "{refused:?}");
    }
}
