//! `reconcile` where the books agree: nothing is reported, whichever way the provider shows its lists. And where
//! something can't be compared, it says so.

use serde_json::Value;

use crate::outcome::Outcome;
use crate::support::{OrFail, PHONE, PLAN, Shop};

/// The usual question, over more than the simulated time of any test.
pub const RECONCILE: [&str; 5] = ["reconcile", "--since", "7d", "-o", "json"];

/// A day of a shop: delivered, refunded and offered orders, one in review, deposits, another product, a withdrawal.
pub fn day(shop: &Shop) {
    let november = shop.sheet("november.csv");
    let november = november
        .customers(5)
        .row("0600000001,500")
        .row("0600000002,300")
        .row("0600000003,200");
    november.send();
    shop.provider.deposit(1_000);
    shop.provider.tamper("withdraw", "", "250");
    shop.provider.tamper("adsl", "", "1500");
    shop.send_as("single", 400).expect_exit(0);
    send_to(shop, "0600000001", 450, &["--ref", "back"]);
}

/// Sends a top-up to a number of its own.
pub fn send_to<'shop>(shop: &'shop Shop, phone: &str, amount: u32, more: &[&str]) -> Outcome<'shop> {
    let amount = amount.to_string();
    let words = [
        "send", "--plan", PLAN, "--phone", phone, "--amount", &amount, "-o", "json",
    ];
    shop.run(&[&words, more].concat())
}

/// The kinds that were found, with the refs that they name.
pub fn found(outcome: &Outcome<'_>) -> Vec<(String, String)> {
    let json = outcome.json();
    let word = |row: &Value, key: &str| row[key].as_str().unwrap_or_default().to_owned();
    let findings = json["findings"].as_array().or_fail("no findings");
    findings
        .iter()
        .map(|row| (word(row, "kind"), word(row, "ref")))
        .collect()
}

/// Nothing differs, nothing is reported.
#[track_caller]
pub fn expect_agreement(outcome: Outcome<'_>) -> Outcome<'_> {
    let outcome = outcome.expect_exit(0);
    assert_eq!(found(&outcome), [], "{outcome:?}");
    let json = outcome.json();
    assert_eq!(json["agrees"], true, "{outcome:?}");
    assert_eq!(json["unchecked"], Value::Array(Vec::new()), "{outcome:?}");
    outcome
}

/// What goes into a pipe is exact; people get spaces between thousands.
#[test]
fn a_pipe_gets_exact_numbers() {
    let shop = Shop::open();
    shop.send(3_000).expect_exit(0);
    let told = shop.run(&["reconcile", "--since", "7d"]).expect_exit(0);
    assert!(told.stdout.contains("1 order, face 3000"), "{told:?}");
    let grouped = |line: &str| {
        let words: Vec<_> = line.split([' ', '\t', '+', '-']).collect();
        let is_number = |word: &str| word.starts_with(|c: char| c.is_ascii_digit());
        words
            .windows(2)
            .any(|pair| is_number(pair[0]) && is_number(pair[1]))
    };
    let kept: Vec<_> = told.stdout.lines().filter(|line| grouped(line)).collect();
    assert_eq!(kept, [""; 0], "{told:?}");
    told.expect_said(["1 of 1: 1 page of orders"]);
}

#[test]
fn books_that_agree_are_left_alone() {
    let shop = Shop::open();
    day(&shop);
    let sends = shop.books().calls("send");
    let outcome = expect_agreement(shop.run(&RECONCILE));
    let json = outcome.json();
    assert_eq!(json["ours"]["orders"], 10, "{outcome:?}");
    assert_eq!(json["theirs"]["orders"], 10, "{outcome:?}");
    assert_eq!(
        json["open"], 1,
        "the one in review is open, and no difference: {outcome:?}"
    );
    assert_eq!(json["matched_by"], "id", "{outcome:?}");
    assert_eq!(json["balance"]["difference"], "0", "{outcome:?}");
    let lines = json["transactions"].as_array().or_fail("no lines");
    let types: Vec<_> = lines
        .iter()
        .map(|line| line["type"].as_str().unwrap_or_default())
        .collect();
    assert_eq!(types, ["DEPOSIT", "REFUND-FLEXY", "ADSL", "FLEXY", "WITHDRAW"]);
    assert_eq!(shop.books().calls("send"), sends, "it never sends");
    assert_eq!(json["calls"]["check"], 0, "{outcome:?}");
}

#[test]
fn an_empty_day_agrees() {
    let shop = Shop::open();
    expect_agreement(shop.run(&RECONCILE));
}

/// However the lists are sorted, paged and labelled, and whatever happens on the way.
#[test]
fn every_reading_of_the_lists_agrees() {
    for switches in [
        &["list_order=oldest"][..],
        &["list_ref=raw", "topup_ref=raw"],
        &["pagination=meta", "list_ref=raw", "list_order=oldest"],
        &["objid=ref"],
        &["objid=ref", "list_ref=raw"],
    ] {
        let shop = Shop::open();
        for switch in switches {
            shop.provider.set_switch(switch);
        }
        day(&shop);
        // More than a page of either list.
        shop.sheet("more.csv").customers(120).batch(&["--yes", "--again"]);
        shop.provider.set_faults(&[
            "html_502_after:list@1",
            "half_body:transactions@1",
            "answer_lost:transactions@3",
            "rate_limited:list@3",
        ]);
        let outcome = shop.run(&RECONCILE);
        assert_eq!(outcome.code, Some(0), "{switches:?}: {outcome:?}");
        expect_agreement(outcome);
    }
}

#[test]
fn a_small_quota_is_kept() {
    let shop = Shop::open_with(&["--speed", "60", "--rate", "60"]).set("ONECLICKDZ_RATE", "3600");
    day(&shop);
    shop.sheet("more.csv").customers(130).batch(&["--yes", "--again"]);
    let refused = shop.books().0["rate_limited"].as_u64().unwrap_or(0);
    expect_agreement(shop.run(&RECONCILE));
    let refused_now = shop.books().0["rate_limited"].as_u64().unwrap_or(0);
    assert!(refused_now - refused <= 2, "{}", shop.books().0);
}

/// What was open here and has ended there is moved, as `ref check` does, and shown once.
#[test]
fn open_orders_that_have_ended_are_moved() {
    let shop = Shop::open();
    shop.send_plus(500, &["--ref", "left", "--no-wait"])
        .expect_exit(8);
    send_to(&shop, "0600000003", 300, &["--ref", "review"]).expect_exit(8);
    send_to(&shop, "0600000001", 200, &["--ref", "back", "--no-wait"]);
    shop.provider.advance(25 * 3600);
    let outcome = shop.run(&RECONCILE).expect_exit(0);
    let kind = "settled".to_owned();
    let expected = ["left", "review", "back"].map(|name| (kind.clone(), name.to_owned()));
    assert_eq!(found(&outcome), expected, "{outcome:?}");
    let first = &outcome.json()["findings"][0];
    assert_eq!(
        (&first["ours"], &first["theirs"], &first["difference"]),
        (
            &"accepted -> fulfilled".into(),
            &"FULFILLED".into(),
            &false.into()
        )
    );
    assert_eq!(shop.ledger()["review"], "fulfilled");
    assert_eq!(shop.ledger()["back"], "refunded");
    let log = shop
        .run(&["ref", "audit", "--limit", "0", "-o", "jsonl"])
        .expect_exit(0);
    let says_who = log
        .stdout
        .lines()
        .any(|line| line.contains("\"act\"") && line.contains("reconcile"));
    assert!(says_who, "it does not say what has moved them: {log:?}");
    shop.run(&["ref", "audit", "--verify"]).expect_exit(0);
    expect_agreement(shop.run(&RECONCILE));
}

/// Lost answers are settled by the protocol's own proof: found and compared, or proved absent.
#[test]
fn lost_orders_are_adopted_or_given_up() {
    let shop = Shop::open()
        .set("ONECLICKDZ_RETRY_ATTEMPTS", "1")
        .switches(["check_ref=missing", "list=missing"])
        .faults(["answer_lost@1", "request_lost@2"]);
    shop.send_as("there", 500).expect_exit(6);
    shop.send_plus(300, &["--ref", "nowhere", "--again"])
        .expect_exit(6);
    shop.provider.set_switch("check_ref=both");
    shop.provider.set_switch("list=present");
    shop.provider.advance(60);
    let sends = shop.books().calls("send");
    let outcome = shop.run(&RECONCILE).expect_exit(0);
    let expected = [("adopted", "there"), ("absent", "nowhere")];
    let expected = expected.map(|(kind, name)| (kind.to_owned(), name.to_owned()));
    assert_eq!(found(&outcome), expected, "{outcome:?}");
    assert_eq!(shop.ledger()["there"], "fulfilled");
    assert_eq!(shop.ledger()["nowhere"], "cancelled");
    assert_eq!(shop.books().calls("send"), sends, "it never sends");
    expect_agreement(shop.run(&RECONCILE));
}

/// The provider says that it does not know a lost order, and has taken its money all the same: nobody calls it absent.
#[test]
fn a_lost_order_whose_debit_is_on_the_account_stays_unknown() {
    for (switch, reference) in [("objid=id", "taken"), ("objid=other", "hidden")] {
        let shop = Shop::open()
            .set("ONECLICKDZ_RETRY_ATTEMPTS", "1")
            .switches(["check_ref=missing", "list=missing"])
            .faults(["answer_lost@1"]);
        shop.send_as(reference, 500).expect_exit(6);
        shop.provider.tamper("drop_order", reference, "");
        for switch in [switch, "check_ref=both", "list=present"] {
            shop.provider.set_switch(switch);
        }
        shop.provider.advance(60);
        let outcome = shop.run(&RECONCILE).expect_exit(6);
        let finding = outcome.json()["findings"][0].clone();
        assert_eq!(
            (&finding["kind"], &finding["ref"]),
            (&"unknown".into(), &reference.into()),
            "{outcome:?}"
        );
        let detail = finding["detail"].as_str().or_fail("no detail");
        assert!(detail.contains("was charged 496.25 at "), "{detail}");
        assert_eq!(shop.ledger()[reference], "unknown", "{outcome:?}");
        shop.run(&RECONCILE).expect_exit(6);
    }
}

/// What nobody can tell stays unknown: exit code 6.
#[test]
fn what_stays_unknown_is_6() {
    let shop = Shop::open()
        .set("ONECLICKDZ_RETRY_ATTEMPTS", "1")
        .switches(["check_ref=missing", "list=missing"])
        .faults(["request_lost@1"]);
    shop.send_as("gone", 500).expect_exit(6);
    shop.provider.set_switch("list=present");
    let outcome = shop.run(&RECONCILE).expect_exit(6);
    assert_eq!(
        found(&outcome),
        [("unknown".to_owned(), "gone".to_owned())],
        "{outcome:?}"
    );
    assert_eq!(shop.ledger()["gone"], "unknown");
}

/// Another's order under our ref is in conflict, and is not taken over.
#[test]
fn another_order_under_our_ref_is_a_conflict() {
    let shop = Shop::open()
        .set("ONECLICKDZ_RETRY_ATTEMPTS", "1")
        .switches(["check_ref=missing", "list=missing"])
        .faults(["request_lost@1"]);
    shop.send_as("clash", 500).expect_exit(6);
    shop.provider.make_order("clash", "0778999999", PLAN, 700);
    shop.provider.set_switch("list=present");
    shop.provider.advance(60);
    let outcome = shop.run(&RECONCILE).expect_exit(5);
    assert_eq!(
        found(&outcome),
        [("conflict".to_owned(), "clash".to_owned())],
        "{outcome:?}"
    );
    assert_eq!(shop.ledger()["clash"], "conflict");
}

/// Where the account's lines are not there, orders are compared all the same, and nothing is called agreement.
#[test]
fn without_the_accounts_lines_it_says_what_was_not_compared() {
    let shop = Shop::open().switches(["transactions=missing"]);
    day(&shop);
    let outcome = shop
        .run(&RECONCILE)
        .expect_exit(5)
        .expect_error("not_all_compared");
    assert_eq!(found(&outcome), [], "{outcome:?}");
    let json = outcome.json();
    assert_eq!(json["unchecked"][0]["what"], "account", "{outcome:?}");
    assert!(
        json["balance"].is_null() && json["matched_by"].is_null(),
        "{outcome:?}"
    );
    shop.provider.make_order("counter", PHONE, PLAN, 100);
    let outcome = shop.run(&RECONCILE).expect_exit(5).expect_error("books_differ");
    assert_eq!(found(&outcome).len(), 1, "{outcome:?}");
}

/// Where the lines name something else, amounts and times still add up, and it says so.
#[test]
fn lines_that_name_no_order_are_matched_by_amount_and_time() {
    for switch in ["objid=other", "entry_form=short"] {
        let shop = Shop::open().switches([switch]);
        day(&shop);
        shop.provider.advance(60);
        let outcome = shop.run(&RECONCILE);
        assert_eq!(outcome.json()["matched_by"], "amount_and_time", "{outcome:?}");
        assert_eq!(found(&outcome), [], "{switch}: {outcome:?}");
        let is_short = switch == "entry_form=short";
        assert_eq!(outcome.code, Some(if is_short { 5 } else { 0 }), "{outcome:?}");
        shop.provider.tamper("duplicate_debit", "single", "");
        let outcome = shop.run(&RECONCILE).expect_exit(5);
        let kinds: Vec<_> = found(&outcome).into_iter().map(|(kind, _)| kind).collect();
        assert_eq!(kinds, ["debit_without_order"], "{switch}: {outcome:?}");
    }
}

/// A word for a status that no page names proves nothing.
#[test]
fn an_unlisted_status_is_no_agreement() {
    let shop = Shop::open();
    day(&shop);
    shop.provider.set_switch("statuses=odd");
    let outcome = shop
        .run(&RECONCILE)
        .expect_exit(5)
        .expect_error("not_all_compared");
    assert_eq!(found(&outcome), [], "{outcome:?}");
    assert_eq!(outcome.json()["unchecked"][0]["what"], "status", "{outcome:?}");
}

/// The provider's list can't be read at all: nothing is claimed.
#[test]
fn without_the_list_nothing_is_compared() {
    let shop = Shop::open();
    day(&shop);
    shop.provider.set_switch("list=missing");
    let outcome = shop.run(&RECONCILE).expect_exit(7);
    assert!(outcome.stdout.is_empty(), "{outcome:?}");
    shop.run(&["reconcile", "--since", "today", "--until", "yesterday"])
        .expect_exit(2);
}

/// The other account of this machine has nothing to do with it.
#[test]
fn accounts_never_meet() {
    let shop = Shop::open();
    shop.send_as("ours", 500).expect_exit(0);
    let path = shop.ledger_path();
    let other = Shop::open_with(&["--username", "+213550000000"])
        .set("ONECLICKDZ_LEDGER", path.to_str().or_fail("a path").to_owned());
    other.send_as("others", 300).expect_exit(0);
    expect_agreement(other.run(&RECONCILE));
    expect_agreement(shop.run(&RECONCILE));
}
