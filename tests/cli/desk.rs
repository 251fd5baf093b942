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
    shop.execute("DROP TRIGGER intents_are_kept");
    shop.rewrite("UPDATE orders SET amount = 501 WHERE ref = 'order-1'");
    shop.provider.advance(60);
    shop.run(&["ref", "check"]);
    let states = shop.ledger();
    assert_eq!(
        (states["order-1"].as_str(), states["order-2"].as_str()),
        ("accepted", "fulfilled")
    );
}

fn desk(shop: &Shop) -> Vec<Value> {
    let listed = shop.run(&["ref", "list", "--open", "-o", "json"]).expect_exit(0);
    listed.json().as_array().or_fail("no list").clone()
}

/// Makes an order older, in hours.
fn age(shop: &Shop, reference: &str, hours: u32) {
    let by = hours * 3_600_000;
    shop.rewrite(&format!(
        "UPDATE orders SET sent_at = sent_at - {by}, created_at = created_at - {by} WHERE ref = '{reference}'"
    ));
}

/// Each order on the desk says how old it is, what was tried and what to do; the command it names is one that works.
#[test]
fn the_desk_says_what_to_do_next() {
    let shop = Shop::open();
    shop.send_to(REVIEWED, "young").expect_exit(8);
    shop.send_plus(600, &["--no-wait", "--ref", "fresh"])
        .expect_exit(8);
    shop.provider.set_faults(&[
        "answer_lost",
        "error_500_before:check-ref",
        "error_500_before:list",
    ]);
    shop.send_as("lost", 700).expect_exit(6);
    shop.provider.set_faults(&[]);
    shop.provider.make_order("taken", PHONE, PLAN, 800);
    shop.send_as("taken", 900).expect_exit(3);
    age(&shop, "young", 3);
    let rows = desk(&shop);
    let row = |reference: &str| {
        let found = rows.iter().find(|row| row["ref"] == reference);
        found.or_fail(reference).clone()
    };
    let refs: Vec<_> = rows.iter().filter_map(|row| row["ref"].as_str()).collect();
    assert_eq!(
        refs,
        ["young", "fresh", "lost", "taken"],
        "the oldest first, clashes last"
    );
    let young = row("young");
    assert!(
        young["age_s"]
            .as_u64()
            .is_some_and(|age| (10_800..10_860).contains(&age))
            && young["overdue"] == false,
        "{young:#}"
    );
    assert!(
        young["next"]
            .as_str()
            .or_fail("no next")
            .starts_with("wait until "),
        "{young:#}"
    );
    assert_eq!(young["next_command"], "oneclick ref check young");
    assert_eq!(young["last_answer"], "in review at the provider (UNKNOWN_ERROR)");
    assert_eq!(row("fresh")["next_command"], "oneclick ref wait fresh");
    let lost = row("lost");
    assert!(lost["asked"].as_u64() >= Some(1), "{lost:#}");
    assert!(
        lost["next"]
            .to_string()
            .contains("do not send it under another ref"),
        "{lost:#}"
    );
    let taken = row("taken");
    assert_eq!(
        (&taken["state"], &taken["due_at"]),
        (&"conflict".into(), &Value::Null)
    );
    assert!(
        taken["next"]
            .to_string()
            .contains("ref settle taken --as written-off"),
        "{taken:#}"
    );
    for row in rows.iter().filter(|row| !row["next_command"].is_null()) {
        let command = row["next_command"].as_str().or_fail("no command");
        let told = shop.shell(command);
        assert_ne!(told.code, Some(2), "{command}: {told:?}");
    }
}

/// Both hold: of what is open or clashes, only what is in these states. What can't be there is refused, not an empty list.
#[test]
fn the_desk_is_filtered_by_state() {
    let shop = Shop::open().faults([
        "answer_lost@1",
        "error_500_before:check-ref",
        "error_500_before:list",
    ]);
    shop.send_as("lost", 700).expect_exit(6);
    shop.provider.set_faults(&[]);
    shop.send_plus(600, &["--no-wait", "--ref", "fresh"])
        .expect_exit(8);
    let listed = |states: &[&str]| {
        let words = states.iter().flat_map(|state| ["--state", state]);
        let words: Vec<_> = ["ref", "list", "--open", "-o", "json"]
            .into_iter()
            .chain(words)
            .collect();
        let listed = shop.run(&words).expect_exit(0).json();
        let refs = listed.as_array().or_fail("no list").iter();
        refs.map(|row| row["ref"].as_str().or_fail("no ref").to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(listed(&[]), ["lost", "fresh"]);
    let newest = shop.run(&["ref", "list", "--limit", "1"]).expect_exit(0);
    newest.expect_said(["the newest order; `--limit 0` shows all"]);
    assert_eq!(listed(&["accepted"]), ["fresh"]);
    assert_eq!(listed(&["planned", "unknown"]), ["lost"]);
    assert_eq!(listed(&["conflict"]), [""; 0]);
    let never = ["ref", "list", "--open", "--state", "planned", "-o", "json"];
    shop.run(&never).expect_exit(2).expect_error("never_open");
}

/// An end before the beginning is a slip, and an empty list would look like an answer.
#[test]
fn a_range_that_ends_before_it_begins_is_refused() {
    let shop = Shop::open();
    shop.send(500).expect_exit(0);
    let range = ["--since", "2026-11-30", "--until", "2026-11-01", "-o", "json"];
    let of_report = shop
        .run(&[&["report"], &range[..]].concat())
        .expect_exit(2)
        .error();
    for command in ["list", "audit"] {
        let refused = shop
            .run(&[&["ref", command], &range[..]].concat())
            .expect_exit(2)
            .error();
        assert_eq!(refused, of_report, "ref {command}");
    }
}

/// One reason is told once, in words that an operator can do something with.
#[test]
fn a_provider_that_can_not_be_asked_says_so_once() {
    let shop = Shop::open()
        .faults(["answer_lost@1"])
        .switches(["check_ref=missing", "list=missing"]);
    let told = shop.send_as("lost", 600).expect_exit(6);
    let message = told.error()["message"].as_str().or_fail("no message").to_owned();
    let said = "the provider's server knows no such address (HTTP 404)";
    assert_eq!(message.matches(said).count(), 1, "{message}");
    assert!(!message.contains("no such path"), "{message}");
}

/// Behind the provider's time it is asked once more, and then support is written to.
#[test]
fn what_is_overdue_goes_to_support() {
    let shop = Shop::open();
    shop.send_to(REVIEWED, "command n°1").expect_exit(8);
    age(&shop, "command n°1", 25);
    // All that was asked, was asked before.
    shop.rewrite("UPDATE attempts SET started_at = started_at - 90000000, ended_at = ended_at - 90000000");
    let row = desk(&shop).remove(0);
    assert_eq!(
        (&row["overdue"], &row["next_command"]),
        (&true.into(), &"oneclick ref check 'command n°1'".into())
    );
    shop.shell("oneclick ref check 'command n°1'").expect_exit(8);
    let row = desk(&shop).remove(0);
    assert_eq!(row["next_command"], "oneclick ref show 'command n°1' --support");
    let asked = row["asked"].as_u64();
    shop.run(&["ref", "check"]);
    assert_eq!(
        desk(&shop)[0]["asked"].as_u64(),
        asked.map(|asked| asked + 1),
        "no news is kept too"
    );
    let told = shop
        .shell("oneclick ref show 'command n°1' --support")
        .expect_exit(0);
    assert!(told.stdout.contains("UNKNOWN_ERROR"), "{told:?}");
}

#[test]
fn an_order_in_other_hands_is_waited_for() {
    let shop = Shop::open()
        .set("ONECLICKDZ_SEND_TIMEOUT", "50s")
        .faults(["hang_after"]);
    let sending = shop.start(&[
        "send", "--plan", PLAN, "--phone", PHONE, "--amount", "500", "--ref", "order-1",
    ]);
    shop.provider
        .await_books("the POST", |books| books.calls("send") == 1);
    let row = desk(&shop).remove(0);
    assert_eq!(row["next_command"], "oneclick ref wait order-1", "{row:#}");
    assert!(row["next"].to_string().contains("another process"), "{row:#}");
    sending.kill();
}

fn settle<'shop>(shop: &'shop Shop, refs: &[&str], end: &str) -> Outcome<'shop> {
    let words = ["--as", end, "--because", "support, ticket 4711", "-o", "json"];
    shop.run(&[&["ref", "settle"], refs, &words].concat())
}

/// Several at once, all or none; from then on everyone sees by whom, and why.
#[test]
fn several_orders_are_settled_or_none() {
    let shop = Shop::open();
    for reference in ["order-1", "order-2"] {
        shop.send_to(REVIEWED, reference).expect_exit(8);
    }
    shop.send_as("good", 600).expect_exit(0);
    settle(&shop, &["order-1", "good", "order-2"], "fulfilled")
        .expect_exit(2)
        .expect_error("not_open");
    settle(&shop, &["order-1", "no-such"], "fulfilled").expect_exit(2);
    assert_eq!(shop.ledger()["order-1"], "in_review");
    let settled = settle(&shop, &["order-1", "order-2", "order-1"], "fulfilled")
        .expect_exit(0)
        .json();
    assert_eq!(settled.as_array().map(Vec::len), Some(2));
    assert!(desk(&shop).is_empty());
    let listed = shop.run(&["ref", "list", "-o", "json"]).json();
    assert_eq!(
        (&listed[0]["settled_by"], &listed[0]["note"]),
        (&"operator".into(), &"support, ticket 4711".into())
    );
    let history = shop.run(&["ref", "show", "order-1", "-o", "json"]).json();
    assert!(
        history["history"]
            .to_string()
            .contains("settled by hand: support, ticket 4711")
    );
}

/// A clash was never made, so giving it up costs nothing.
#[test]
fn a_clash_is_given_up_at_no_cost() {
    let shop = Shop::open();
    shop.provider.make_order("taken", PHONE, PLAN, 800);
    shop.send_as("taken", 900).expect_exit(3);
    let settled = settle(&shop, &["taken"], "written-off").expect_exit(0).json();
    assert_eq!(
        (&settled["state"], &settled["cost"]),
        (&"written_off".into(), &"0".into())
    );
    assert!(desk(&shop).is_empty());
    let report = shop.run(&["report", "--since", "1h", "-o", "json"]).json();
    assert_eq!(report["balance"]["may_be_taken"], "0", "{report:#}");
}

/// An order whose answer was lost, and that is shown in another way since, may be called delivered by who knows.
#[test]
fn a_conflict_that_may_be_this_very_order_is_settled_as_fulfilled() {
    let shop = Shop::open()
        .set("ONECLICKDZ_SEND_TIMEOUT", "30s")
        .faults(["hang_after"]);
    let sending = shop.start(&[
        "send", "--plan", PLAN, "--phone", PHONE, "--amount", "500", "--ref", "order-1", "-o", "json",
    ]);
    shop.provider
        .await_books("the order", |books| books.orders() == 1);
    sending.kill();
    shop.provider.set_faults(&[]);
    shop.provider.tamper("change_phone", "order-1", "0661234567");
    shop.run(&["ref", "check"]);
    assert_eq!(shop.ledger()["order-1"], "conflict");
    let settle = |end: &str| shop.run(&["ref", "settle", "order-1", "--as", end, "--because", "support"]);
    settle("refunded").expect_exit(2);
    settle("fulfilled").expect_exit(0);
    let report = shop.run(&["report", "--since", "12h", "-o", "json"]).json();
    assert_eq!(report["totals"]["sold"], 1, "{report:#}");
    shop.send(500).expect_exit(2).expect_error("repeat");
}

/// Nothing was made under a ref that clashes: called delivered, it would be a sale that never was.
#[test]
fn a_conflict_is_settled_as_written_off_and_as_nothing_else() {
    let shop = Shop::open();
    shop.provider.make_order("taken", "0661234567", PLAN, 500);
    shop.send_as("taken", 500).expect_exit(3).expect_error("conflict");
    let settle = |end: &str| {
        let because = ["--because", "support, ticket 4711", "-o", "json"];
        shop.run(&[&["ref", "settle", "taken", "--as", end][..], &because].concat())
    };
    for end in ["fulfilled", "refunded"] {
        let refused = settle(end).expect_exit(2).expect_error("conflict");
        refused.expect_said(["written-off"]);
        assert_eq!(shop.ledger()["taken"], "conflict");
    }
    settle("written-off").expect_exit(0);
    let report = shop.run(&["report", "--since", "12h", "-o", "json"]).json();
    assert_eq!(
        (
            &report["totals"]["sold"],
            &report["totals"]["face"],
            &report["balance"]["net"]
        ),
        (&0.into(), &0.into(), &"0".into())
    );
}
