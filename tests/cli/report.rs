//! The closing of a day, read beside the provider's books: what it says was taken has left the balance, what it calls
//! sold was delivered, and what nobody knows is neither.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::outcome::Outcome;
use crate::support::{OrFail, PLAN, Shop};

/// What the simulator's account begins with.
const BALANCE_CENTIMES: i64 = 5_000_000;

/// What was sent by this test: also where midnight passes while it runs.
const NOW: [&str; 2] = ["--since", "12h"];

fn report(shop: &Shop, more: &[&str]) -> Value {
    shop.run(&[&["report", "-o", "json"], more].concat())
        .expect_exit(0)
        .json()
}

fn report_now(shop: &Shop, more: &[&str]) -> Value {
    report(shop, &[&NOW, more].concat())
}

/// Money in centimes: exact, unlike a float.
#[track_caller]
fn centimes(value: &Value) -> i64 {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    assert!(fraction.len() <= 2, "{text}");
    format!("{whole}{fraction:0<2}").parse().or_fail("no money")
}

/// What has left the account since it was opened.
fn spent(shop: &Shop) -> i64 {
    BALANCE_CENTIMES - centimes(&shop.books().0["balance"])
}

/// A day of everything: delivered, refunded, in review, refused before it was made, and one of which nobody knows.
fn a_day() -> Shop {
    let shop = Shop::open();
    let sheet = shop
        .sheet("november.csv")
        .row("0778037340,500")
        .row("0661234567,1000")
        .row("0550123456,200")
        .row("0600000001,300")
        .row("0600000002,400")
        .row("0600000003,600");
    // The one in review holds the batch back at 8.
    sheet.send();
    shop.provider.set_switch("operator_check=on");
    let refused = ["send", "--plan", PLAN, "--phone", "0661234568", "--amount", "500"];
    shop.run(&refused).expect_exit(3);
    shop.provider.set_switch("operator_check=off");
    shop.provider.set_faults(&[
        "answer_lost",
        "error_500_before:check-ref",
        "error_500_before:list",
    ]);
    shop.send_as("lost", 700).expect_exit(6);
    shop.provider.set_faults(&[]);
    shop
}

#[test]
fn the_sums_of_a_day_are_those_of_the_books() {
    let shop = a_day();
    let report = report_now(&shop, &[]);
    let (books, totals, balance) = (shop.books(), &report["totals"], &report["balance"]);
    let delivered: u64 = books.0["accepted"]
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(_, order)| order["status"] == "FULFILLED")
        .filter(|(reference, _)| *reference != "lost")
        .map(|(_, order)| order["amount"].as_u64().or_fail("no amount"))
        .sum();
    assert_eq!(totals["face"], delivered, "{report:#}");
    assert_eq!(
        (
            &totals["orders"],
            &totals["sold"],
            &totals["refunded"],
            &totals["open"]
        ),
        (&8.into(), &3.into(), &2.into(), &2.into())
    );
    assert_eq!(
        (&totals["not_made"], &totals["costs_unknown"]),
        (&1.into(), &0.into())
    );
    assert_eq!(
        centimes(&balance["net"]) + centimes(&balance["may_be_taken"]),
        spent(&shop),
        "the unknown one was made: {report:#}"
    );
    assert_eq!(
        centimes(&balance["came_back"]),
        centimes(&totals["refunded_cost"])
    );
    assert_eq!(
        centimes(&totals["margin"]),
        i64::try_from(delivered).or_fail("too much") * 100 - centimes(&totals["cost"])
    );
    // Once everything is known there is no doubt left, and still every dinar.
    shop.expect_agreement_after(90_000);
    let report = report_now(&shop, &[]);
    assert_eq!(report["balance"]["may_be_taken"], "0", "{report:#}");
    assert_eq!(centimes(&report["balance"]["net"]), spent(&shop));
    assert_eq!(report["totals"]["open"], 0);
}

/// However orders are grouped, each is in one row, and the rows come to the totals.
#[test]
fn rows_come_to_the_totals() {
    let shop = a_day();
    let whole = report_now(&shop, &[]);
    for by in [
        "operator",
        "plan",
        "batch",
        "state",
        "day",
        "operator,state",
        "batch,plan,state,day",
    ] {
        let report = report_now(&shop, &["--by", by]);
        assert_eq!(report["totals"], whole["totals"], "{by}");
        let rows = report["rows"].as_array().or_fail("no rows");
        for (key, total) in report["totals"].as_object().or_fail("no totals") {
            if total.is_string() {
                let sum: i64 = rows
                    .iter()
                    .filter(|row| !row[key].is_null())
                    .map(|row| centimes(&row[key]))
                    .sum();
                assert_eq!(sum, centimes(total), "{by}: {key}");
            } else {
                let sum: u64 = rows.iter().filter_map(|row| row[key].as_u64()).sum();
                assert_eq!(total, sum, "{by}: {key}");
            }
        }
    }
    let by_batch = report_now(&shop, &["--by", "batch"]);
    assert_eq!(
        (&by_batch["rows"][0]["batch"], &by_batch["rows"][1]["batch"]),
        (&Value::Null, &"november".into())
    );
}

/// The last millisecond of a day in Algiers belongs to it, and the next one does not.
#[test]
fn a_day_ends_at_midnight_in_algiers() {
    let shop = Shop::open();
    shop.send_as("before", 500).expect_exit(0);
    shop.send_as("behind", 600).expect_exit(0);
    let sent = |reference: &str, at: &str| {
        let moment: jiff::Timestamp = at.parse().or_fail("no moment");
        let millis = moment.as_millisecond();
        shop.rewrite(&format!(
            "UPDATE orders SET sent_at = {millis}, updated_at = {millis} WHERE ref = '{reference}'"
        ));
    };
    sent("before", "2026-11-24T22:59:59.999Z");
    sent("behind", "2026-11-24T23:00:00Z");
    for (span, face) in [
        (&["--day", "2026-11-24"][..], 500),
        (&["--day", "2026-11-25"], 600),
        (&["--since", "2026-11-24", "--until", "2026-11-25"], 1_100),
        (&["--month", "2026-11"], 1_100),
        (&["--month", "2026-12"], 0),
        (&["--day", "2026-11-23"], 0),
    ] {
        assert_eq!(report(&shop, span)["totals"]["face"], face, "{span:?}");
    }
    let days = report(&shop, &["--month", "2026-11", "--by", "day"]);
    let days: Vec<_> = days["rows"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|row| row["day"].as_str().or_fail("no day"))
        .collect();
    assert_eq!(days, ["2026-11-24", "2026-11-25"]);
}

/// Its own day counts it as refunded at no cost; the day of the money has it on a line of its own.
#[test]
fn money_that_comes_back_later_is_said_on_that_day() {
    let shop = Shop::open();
    let send = [
        "send",
        "--plan",
        PLAN,
        "--phone",
        "0600000001",
        "--amount",
        "500",
        "--ref",
        "order-1",
    ];
    shop.run(&send).expect_exit(3);
    shop.send_as("order-2", 600).expect_exit(0);
    shop.rewrite("UPDATE orders SET sent_at = sent_at - 86400000 WHERE ref = 'order-1'");
    let yesterday = report(&shop, &["--since", "36h", "--until", "12h"]);
    assert_eq!(
        (&yesterday["totals"]["refunded"], &yesterday["totals"]["cost"]),
        (&1.into(), &"0".into())
    );
    assert_eq!(
        yesterday["balance"]["net"], "496.25",
        "it was taken on that day, and came back on another: {yesterday:#}"
    );
    let today = report_now(&shop, &[]);
    assert_eq!(today["totals"]["refunded"], 0);
    assert_eq!(
        (
            &today["balance"]["came_back_earlier"],
            &today["balance"]["came_back_earlier_orders"]
        ),
        (&"496.25".into(), &1.into())
    );
    let both = centimes(&yesterday["balance"]["net"]) + centimes(&today["balance"]["net"]);
    assert_eq!(both, spent(&shop));
}

#[test]
fn a_cost_that_nobody_has_told_is_said() {
    let shop = Shop::open();
    let gros = [
        "send",
        "--plan",
        "GROS_MOBILIS",
        "--phone",
        "0661234567",
        "--amount",
        "5000",
        "--no-wait",
        "--ref",
        "gros",
    ];
    shop.run(&gros).expect_exit(8);
    let settle = [
        "ref",
        "settle",
        "gros",
        "--as",
        "fulfilled",
        "--because",
        "seen on the phone",
    ];
    shop.run(&settle).expect_exit(0);
    shop.send_as("order-1", 500).expect_exit(0);
    let totals = report_now(&shop, &[])["totals"].clone();
    assert_eq!(
        (&totals["sold"], &totals["costs_unknown"], &totals["by_hand"]),
        (&2.into(), &1.into(), &1.into())
    );
    assert_eq!(
        (&totals["face"], &totals["cost"], &totals["margin"]),
        (&5_500.into(), &"496.25".into(), &"3.75".into())
    );
    let by_plan = report_now(&shop, &["--by", "plan"]);
    let gros = &by_plan["rows"][0];
    assert_eq!(
        (&gros["plan"], &gros["cost"], &gros["margin"]),
        (&"GROS_MOBILIS".into(), &Value::Null, &Value::Null)
    );
}

#[test]
fn what_is_written_off_is_no_sale() {
    let shop = Shop::open();
    shop.send_plus(500, &["--no-wait", "--ref", "order-1"])
        .expect_exit(8);
    let settle = [
        "ref",
        "settle",
        "order-1",
        "--as",
        "written-off",
        "--because",
        "ticket 4711",
    ];
    shop.run(&settle).expect_exit(0);
    let report = report_now(&shop, &[]);
    let totals = &report["totals"];
    assert_eq!(
        (
            &totals["written_off"],
            &totals["sold"],
            &totals["open"],
            &totals["cost"]
        ),
        (&1.into(), &0.into(), &0.into(), &"0".into())
    );
    let balance = &report["balance"];
    assert_eq!(
        (&balance["taken"], &balance["may_be_taken"]),
        (&"496.25".into(), &"0".into()),
        "it was accepted"
    );
}

/// A key of the other environment has a report of its own.
#[test]
fn accounts_never_meet_in_a_report() {
    let shop = Shop::open();
    shop.send_as("order-1", 500).expect_exit(0);
    shop.rewrite("UPDATE identities SET environment = 'production'");
    let other = report_now(&shop, &[]);
    assert_eq!(
        (&other["environment"], &other["totals"]["orders"]),
        (&"production".into(), &0.into())
    );
}

fn header(outcome: &Outcome<'_>, separator: char) -> Vec<String> {
    let line = outcome.stdout.lines().next().or_fail("no header");
    let line = line.trim_start_matches('\u{feff}').trim_end();
    line.split(separator).map(str::to_owned).collect()
}

/// Every form has the columns of the rows in JSON; nothing but rows is in CSV, so that they can be summed.
#[test]
fn the_forms_agree() {
    let shop = a_day();
    let json = report_now(&shop, &[]);
    let keys: Vec<_> = json["rows"][0]
        .as_object()
        .or_fail("no row")
        .keys()
        .cloned()
        .collect();
    let csv = shop
        .run(&[&["report", "-o", "csv"][..], &NOW].concat())
        .expect_exit(0);
    assert_eq!(header(&csv, ','), keys);
    assert_eq!(
        header(&shop.run(&[&["report"][..], &NOW].concat()).expect_exit(0), '\t'),
        keys
    );
    let rows = json["rows"].as_array().or_fail("no rows").len();
    assert_eq!(csv.stdout.lines().count(), rows + 1);
    let lines = shop
        .run(&[&["report", "-o", "jsonl"][..], &NOW].concat())
        .expect_exit(0)
        .stdout;
    let lines: Vec<Value> = lines
        .lines()
        .map(|line| serde_json::from_str(line).or_fail("a line is no JSON"))
        .collect();
    assert_eq!(lines.len(), rows + 1);
    let last = lines.last().or_fail("no line");
    assert_eq!(
        (&last["type"], &last["totals"]),
        (&"summary".into(), &json["totals"])
    );
}

/// A French Excel takes `;` and a decimal comma, and knows UTF-8 by its mark.
#[test]
fn the_accountant_opens_it_in_a_french_excel() {
    let shop = Shop::open();
    shop.send_as("order-1", 500).expect_exit(0);
    let shown = shop
        .run(&[&["report", "--by", "plan", "--excel"][..], &NOW].concat())
        .expect_exit(0);
    assert!(
        shown
            .stdout
            .starts_with("\u{feff}plan;orders;sold;face;cost;margin;")
    );
    let row = shown.stdout.lines().nth(1).or_fail("no row");
    assert!(row.starts_with("PREPAID_DJEZZY;1;1;500;496,25;3,75;"), "{row}");
    assert!(shown.stdout.ends_with("\r\n"));
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(b';')
        .from_reader(shown.stdout.trim_start_matches('\u{feff}').as_bytes());
    let rows: Vec<BTreeMap<String, String>> = reader.deserialize().map(|row| row.or_fail("csv")).collect();
    assert_eq!(rows[0]["cost"], "496,25");
}

/// Nobody is asked: a report works without the network.
#[test]
fn a_report_asks_nobody() {
    let shop = Shop::open();
    shop.send_as("order-1", 500).expect_exit(0);
    let calls = shop.books().all_calls();
    report_now(&shop, &[]);
    assert_eq!(shop.books().all_calls(), calls);
    let told = shop.run(&["report", "--day", "2001-01-01"]).expect_exit(0);
    assert_eq!(told.stdout.lines().count(), 1, "a header alone: {told:?}");
}

/// What the provider has accepted it has taken, also where nobody waits for its end any more.
#[test]
fn a_written_off_order_that_was_accepted_stays_taken() {
    let shop = Shop::open();
    let order = [
        "send",
        "--plan",
        PLAN,
        "--phone",
        "0600000003",
        "--amount",
        "500",
        "--ref",
        "open",
    ];
    shop.run(&order).expect_exit(8);
    let before = report_now(&shop, &[])["balance"].clone();
    assert_eq!(centimes(&before["net"]), spent(&shop));
    let settle = [
        "ref",
        "settle",
        "open",
        "--as",
        "written-off",
        "--because",
        "nobody answers",
    ];
    shop.run(&settle).expect_exit(0);
    let after = report_now(&shop, &[])["balance"].clone();
    assert_eq!(
        (&after["taken"], &after["may_be_taken"], &after["net"]),
        (&before["taken"], &"0".into(), &before["net"])
    );
}

/// Two forms at once are a mistake, and not silently one of them.
#[test]
fn excel_and_another_format_are_refused() {
    let shop = Shop::open();
    shop.send_as("order-1", 500).expect_exit(0);
    for format in ["json", "jsonl", "table"] {
        let refused = shop.run(&["report", "--excel", "-o", format]).expect_exit(2);
        assert_eq!(refused.stdout, "", "{format}");
        refused.expect_said(["--excel"]);
    }
    shop.run(&["report", "--excel", "-o", "csv"]).expect_exit(0);
    // A flag beats what is set elsewhere.
    let shop = shop.set("ONECLICKDZ_OUTPUT", "json");
    let shown = shop.run(&["report", "--excel"]).expect_exit(0);
    assert!(shown.stdout.starts_with('\u{feff}'), "{shown:?}");
}
