//! The desk of open orders: nobody forgets one, one command settles what can be settled, and each says what to do next.

use serde_json::Value;

use crate::outcome::Outcome;
use crate::support::{OrFail, PHONE, PLAN, Shop};

/// A number whose orders the provider settles by hand.
const REVIEWED: &str = "0600000003";

impl Shop {
    fn send_to(&self, phone: &str, reference: &str) -> Outcome<'_> {
        self.run(&[
            "send", "--plan", PLAN, "--phone", phone, "--amount", "500", "--ref", reference, "-o", "json",
        ])
    }
}

fn says_open(outcome: &Outcome<'_>) -> Option<String> {
    let line = outcome
        .stderr
        .lines()
        .find(|line| line.contains("ref list --open`"))?;
    Some(line.to_owned())
}

#[test]
fn every_money_command_says_what_is_open() {
    let shop = Shop::open();
    let sheet = shop.sheet("november.csv").row("0778037341,500");
    let commands: &[&[&str]] = &[
        &["balance"],
        &["report"],
        &["batch", "november.csv", "--dry-run"],
        &[
            "send",
            "--plan",
            PLAN,
            "--phone",
            PHONE,
            "--amount",
            "100",
            "--dry-run",
        ],
    ];
    for command in commands {
        let told = shop.run(command).expect_exit(0);
        assert_eq!(says_open(&told), None, "nothing is open: {told:?}");
    }
    shop.send_to(REVIEWED, "order-1").expect_exit(8);
    for command in commands {
        for form in ["table", "json", "csv"] {
            let told = shop.run(&[command, &["-o", form][..]].concat()).expect_exit(0);
            let line = says_open(&told).or_fail(&format!("it says nothing of what is open: {told:?}"));
            assert!(line.starts_with("note: 1 order is open (oldest "), "{line}");
            assert!(!told.stdout.contains("is open"), "stdout is data: {told:?}");
        }
        let quiet = shop.run(&[command, &["-q"][..]].concat()).expect_exit(0);
        assert!(quiet.stderr.is_empty(), "{quiet:?}");
    }
    shop.send_to(REVIEWED, "order-2");
    let two = says_open(&shop.run(&["balance"])).or_fail("it says nothing");
    assert!(two.starts_with("note: 2 orders are open (oldest "), "{two}");
    let sent = sheet.send().expect_exit(0);
    assert!(says_open(&sent).is_some(), "{sent:?}");
}

/// What a command works on itself is no news, and where the orders are shown the line would say it twice.
#[test]
fn nobody_is_told_what_he_is_doing() {
    let shop = Shop::open();
    shop.send_to(REVIEWED, "order-1").expect_exit(8);
    let again = shop.send_to(REVIEWED, "order-1").expect_exit(8);
    assert_eq!(says_open(&again), None, "{again:?}");
    for command in [
        &["ref", "list"][..],
        &["ref", "list", "--open"],
        &["ref", "show", "order-1"],
    ] {
        let told = shop.run(command).expect_exit(0);
        assert_eq!(says_open(&told), None, "{told:?}");
    }
    let other = Shop::open();
    let sheet = other.sheet("november.csv").row("0600000003,500");
    sheet.send().expect_exit(8);
    let again = sheet.send();
    assert_eq!(says_open(&again), None, "its own rows: {again:?}");
    let error = shop.send_to(REVIEWED, "order-2").expect_exit(8);
    assert_eq!(
        error.error()["ref"],
        "order-2",
        "the error is the last line: {error:?}"
    );
    assert!(says_open(&error).is_some(), "the other one is open: {error:?}");
}

/// Many open orders cost pages of the list, not a question each.
#[test]
fn many_are_settled_by_a_few_pages_of_the_list() {
    let shop = Shop::open_with(&["--speed", "0"]);
    let mut sheet = shop.sheet("november.csv");
    for row in 0..30 {
        sheet = sheet.row(&format!("07780374{row:02},500"));
    }
    sheet.batch(&["--yes", "--no-wait"]).expect_exit(8);
    shop.send_plus(600, &["--no-wait", "--ref", "single"])
        .expect_exit(8);
    let before = shop.books();
    let early = shop.run(&["ref", "check", "-o", "json"]).expect_exit(8);
    early
        .clone()
        .expect_said(["nothing settled; 31 still open: `oneclick ref list --open`"]);
    assert_eq!(early.json().as_array().map(Vec::len), Some(31));
    shop.provider.advance(60);
    let told = shop.run(&["ref", "check", "-o", "json"]).expect_exit(0);
    told.clone()
        .expect_said(["31 settled: 31 fulfilled; nothing is open any more"]);
    let books = shop.books();
    let asked = |endpoint| books.calls(endpoint) - before.calls(endpoint);
    assert_eq!(
        (asked("list"), asked("check-id"), asked("check-ref")),
        (2, 0, 0),
        "{told:?}"
    );
    shop.run(&["ref", "check"])
        .expect_exit(0)
        .expect_said(["no order is open"]);
}

/// One of which nobody can tell does not hide the others.
#[test]
fn an_unknown_order_holds_nothing_up() {
    let shop = Shop::open_with(&["--speed", "0"]);
    shop.provider.set_faults(&[
        "answer_lost",
        "error_500_before:check-ref",
        "error_500_before:list",
    ]);
    for reference in ["lost-1", "lost-2"] {
        let amount = if reference == "lost-1" { 500 } else { 600 };
        shop.send_as(reference, amount).expect_exit(6);
    }
    shop.provider.set_faults(&[]);
    for (reference, amount) in [("good-1", 700), ("good-2", 800), ("good-3", 900)] {
        shop.send_plus(amount, &["--no-wait", "--ref", reference])
            .expect_exit(8);
    }
    shop.provider.advance(60);
    shop.provider
        .set_faults(&["error_500_before:check-ref", "error_500_before:list"]);
    let told = shop.run(&["ref", "check", "-o", "json"]).expect_exit(6);
    told.clone()
        .expect_said(["3 settled: 3 fulfilled; 2 still open", "2 of 5 orders are not"]);
    let refs: Vec<_> = told
        .json()
        .as_array()
        .into_iter()
        .flatten()
        .map(|order| order["ref"].as_str().or_fail("no ref").to_owned())
        .collect();
    assert_eq!(refs, ["lost-1", "lost-2", "good-1", "good-2", "good-3"]);
    shop.expect_agreement();
}

/// A ref that nobody knows is said, and the others are asked about all the same.
#[test]
fn a_slip_in_one_ref_stops_nothing() {
    let shop = Shop::open_with(&["--speed", "0"]);
    shop.send_plus(500, &["--no-wait", "--ref", "order-1"])
        .expect_exit(8);
    shop.provider.advance(60);
    let told = shop
        .run(&["ref", "check", "nobodys", "order-1", "nobodys-2", "-o", "json"])
        .expect_exit(2)
        .expect_error("ref_not_found");
    assert_eq!(told.json()[0]["state"], "fulfilled", "{told:?}");
    told.clone()
        .expect_said(["`nobodys`", "`nobodys-2`", "1 settled: 1 fulfilled"]);
    shop.provider.set_faults(&[
        "answer_lost",
        "error_500_before:check-ref",
        "error_500_before:list",
    ]);
    shop.send_as("lost", 600).expect_exit(6);
    shop.provider.set_faults(&["error_500_before:list"]);
    shop.provider.set_switch("check_ref=missing");
    let told = shop.run(&["ref", "check", "nobodys", "lost", "-o", "json"]);
    assert_eq!(
        told.code,
        Some(6),
        "what may have been paid weighs more: {told:?}"
    );
    assert_eq!(told.json().as_array().map(Vec::len), Some(1));
}

/// The row of another order under a ref of ours is no end of ours.
#[test]
fn a_page_with_foreign_details_settles_nothing() {
    let shop = Shop::open_with(&["--speed", "0"]);
    for (reference, amount) in [("order-1", 500), ("order-2", 600), ("order-3", 700)] {
        shop.send_plus(amount, &["--no-wait", "--ref", reference])
            .expect_exit(8);
    }
    let ledger = rusqlite::Connection::open(shop.ledger_path()).or_fail("no ledger");
    ledger
        .execute("DROP TRIGGER intents_are_kept", [])
        .or_fail("no trigger");
    ledger
        .execute("UPDATE orders SET amount = 501 WHERE ref = 'order-1'", [])
        .or_fail("not changed");
    shop.provider.advance(60);
    shop.run(&["ref", "check"]);
    let states = shop.ledger();
    assert_eq!(
        (states["order-1"].as_str(), states["order-2"].as_str()),
        ("accepted", "fulfilled")
    );
    let _: Value = shop.run(&["ref", "show", "order-1", "-o", "json"]).json();
}
