//! Books that were changed behind the ledger's back: each difference is found and named, and nothing else is reported.

use serde_json::Value;

use crate::outcome::Outcome;
use crate::reconcile::{RECONCILE, day, expect_agreement, found, send_to};
use crate::support::{OrFail, PHONE, PLAN, Shop};

/// A shop after its day, whose books agree.
fn shop() -> Shop {
    let shop = Shop::open();
    day(&shop);
    shop.provider.advance(60);
    expect_agreement(shop.run(&RECONCILE));
    shop
}

/// Exactly one finding; returned.
#[track_caller]
fn only(outcome: &Outcome<'_>, kind: &str, reference: &str) -> Value {
    assert_eq!(outcome.code, Some(5), "{outcome:?}");
    assert_eq!(
        found(outcome),
        [(kind.to_owned(), reference.to_owned())],
        "{outcome:?}"
    );
    let finding = outcome.json()["findings"][0].clone();
    assert!(
        finding["next"].as_str().is_some_and(|next| !next.is_empty()),
        "{finding}"
    );
    finding
}

#[test]
fn each_tampering_is_found_and_named_and_nothing_else_is() {
    for (deed, reference, more, kind, named) in [
        ("drop_refund", "back", "", "refund_missing", "back"),
        ("drop_debit", "single", "", "debit_missing", "single"),
        ("duplicate_debit", "single", "", "debit_duplicated", "single"),
        ("duplicate_debit", "back", "", "debit_duplicated", "back"),
        ("duplicate_refund", "back", "", "refund_duplicated", "back"),
        ("change_cost", "single", "390", "cost_differs", "single"),
        ("change_shown_cost", "single", "390", "cost_differs", "single"),
        ("change_debit", "single", "390", "debit_differs", "single"),
        ("drop_order", "single", "", "order_missing", "single"),
        ("drop_order", "back", "", "order_missing", "back"),
        (
            "change_status",
            "single",
            "REFUNDED",
            "state_contradicted",
            "single",
        ),
        ("change_status", "back", "FULFILLED", "state_contradicted", "back"),
        (
            "change_status",
            "single",
            "PENDING",
            "state_contradicted",
            "single",
        ),
        ("change_phone", "single", "0778999999", "details_differ", "single"),
        ("extra_debit", "", "100", "debit_without_order", ""),
        ("extra_refund", "", "100", "refund_without_order", ""),
        ("gap", "", "12.34", "", ""),
    ] {
        let shop = shop();
        shop.provider.tamper(deed, reference, more);
        if deed == "gap" {
            // It shows with the next line.
            shop.provider.deposit(10);
            let gap = only(&shop.run(&RECONCILE), "balance_gap", "");
            assert_eq!(gap["money"], "-12.34", "{gap}");
            continue;
        }
        let outcome = shop.run(&RECONCILE);
        only(&outcome, kind, named);
        // Nothing of it was written into the ledger.
        assert_eq!(shop.ledger()["single"], "fulfilled");
        only(&shop.run(&RECONCILE), kind, named);
    }
}

#[test]
fn a_foreign_order_is_named_with_all_that_is_known() {
    let shop = shop();
    shop.provider
        .make_order("counter", "0661000000", "PREPAID_MOBILIS", 100);
    let finding = only(&shop.run(&RECONCILE), "foreign_order", "counter");
    assert_eq!(
        (
            &finding["phone"],
            &finding["plan"],
            &finding["amount"],
            &finding["money"]
        ),
        (
            &"0661000000".into(),
            &"PREPAID_MOBILIS".into(),
            &100.into(),
            &"96".into()
        )
    );
    assert!(finding["topup_id"].is_string(), "{finding}");
}

/// Money that is gone behind the last line shows in the balance of now, and in no range that ends before.
#[test]
fn a_balance_that_no_line_leads_to_is_a_gap() {
    let shop = shop();
    shop.provider.tamper("gap", "", "12.34");
    let gap = only(&shop.run(&RECONCILE), "balance_gap", "");
    assert_eq!(gap["money"], "-12.34", "{gap}");
    let detail = gap["detail"].as_str().or_fail("no detail");
    for side in ["ours", "theirs"] {
        assert!(detail.contains(gap[side].as_str().or_fail("no number")), "{gap}");
    }
}

/// A duplicated debit costs what one order costs; the sums say so.
#[test]
fn the_money_of_a_finding_is_exact() {
    let shop = shop();
    shop.provider.tamper("duplicate_debit", "single", "");
    let finding = only(&shop.run(&RECONCILE), "debit_duplicated", "single");
    assert_eq!(finding["money"], "397", "{finding}");
    let shop = self::shop();
    shop.provider.tamper("change_cost", "single", "390.5");
    let finding = only(&shop.run(&RECONCILE), "cost_differs", "single");
    assert_eq!(
        (&finding["ours"], &finding["theirs"], &finding["money"]),
        (&"397".into(), &"390.50".into(), &"-6.50".into())
    );
}

/// The provider calls an order refunded, or shows it no more, and its money has not come back: the sum is named.
#[test]
fn money_that_a_contradiction_hides_is_named() {
    for (deeds, kind, reference, amount) in [
        (
            &[("change_status", "single")][..],
            "state_contradicted",
            "single",
            "397",
        ),
        (
            &[("drop_refund", "back"), ("drop_order", "back")],
            "order_missing",
            "back",
            "446.62",
        ),
    ] {
        let shop = shop();
        for (deed, reference) in deeds {
            shop.provider.tamper(deed, reference, "REFUNDED");
        }
        let finding = only(&shop.run(&RECONCILE), kind, reference);
        assert_eq!(finding["money"], amount, "{finding}");
        let detail = finding["detail"].as_str().or_fail("no detail");
        assert!(detail.contains("has not come back"), "{finding}");
    }
}

/// The cost is compared with what was expected, although the provider's own has taken its place in the ledger.
#[test]
fn a_cost_that_was_changed_before_the_end_is_found() {
    let shop = Shop::open();
    shop.send_plus(400, &["--ref", "left", "--no-wait"])
        .expect_exit(8);
    shop.provider.tamper("change_cost", "left", "390");
    shop.provider.advance(60);
    let outcome = shop.run(&RECONCILE).expect_exit(5);
    let expected = [("cost_differs", "left"), ("settled", "left")];
    let expected = expected.map(|(kind, name)| (kind.to_owned(), name.to_owned()));
    assert_eq!(found(&outcome), expected, "{outcome:?}");
}

/// Half a centime is rounding; a centime is a difference.
#[test]
fn half_a_centime_is_no_difference() {
    for (cost, code) in [("397.005", 0), ("396.995", 0), ("397.01", 5)] {
        let shop = shop();
        shop.provider.tamper("change_cost", "single", cost);
        shop.run(&RECONCILE).expect_exit(code);
    }
}

/// What somebody has settled by hand is theirs; the provider's other word is told, and nothing is rewritten.
#[test]
fn a_settlement_that_the_provider_contradicts_is_told() {
    let shop = Shop::open();
    send_to(&shop, "0600000003", 300, &["--ref", "review"]).expect_exit(8);
    shop.run(&[
        "ref",
        "settle",
        "review",
        "--as",
        "refunded",
        "--because",
        "support said so",
    ])
    .expect_exit(0);
    expect_agreement(shop.run(&RECONCILE));
    shop.provider.advance(25 * 3600);
    let finding = only(&shop.run(&RECONCILE), "settlement_contradicted", "review");
    assert_eq!(
        (&finding["ours"], &finding["theirs"]),
        (&"refunded by hand".into(), &"FULFILLED".into())
    );
    let detail = finding["detail"].as_str().or_fail("no reason");
    assert!(detail.contains("support said so"), "{finding}");
    assert_eq!(shop.ledger()["review"], "refunded");
}

/// The provider has taken a ref twice.
#[test]
fn a_second_order_under_a_ref_of_ours_is_named() {
    let shop = shop();
    shop.provider.make_order("single", PHONE, PLAN, 400);
    only(&shop.run(&RECONCILE), "ref_twice", "single");
}

/// Several at once: each by its own name.
#[test]
fn several_differences_are_told_apart() {
    let shop = shop();
    shop.provider.tamper("drop_refund", "back", "");
    shop.provider.tamper("change_shown_cost", "single", "1");
    shop.provider
        .make_order("counter", "0661000000", "PREPAID_MOBILIS", 100);
    shop.provider.tamper("extra_debit", "", "77");
    let outcome = shop.run(&RECONCILE).expect_exit(5).expect_error("books_differ");
    let kinds: Vec<_> = found(&outcome).into_iter().map(|(kind, _)| kind).collect();
    assert_eq!(
        kinds,
        [
            "foreign_order",
            "cost_differs",
            "debit_without_order",
            "refund_missing"
        ],
        "{outcome:?}"
    );
}

/// Every form carries the same findings.
#[test]
fn findings_are_the_same_in_every_form() {
    let shop = shop();
    shop.provider.tamper("duplicate_debit", "single", "");
    let with = |form| {
        shop.run(&["reconcile", "--since", "7d", "-o", form])
            .expect_exit(5)
    };
    let json = with("json").json();
    let lines = with("jsonl").stdout;
    let lines: Vec<Value> = lines
        .lines()
        .map(|line| serde_json::from_str(line).or_fail("a line is no JSON"))
        .collect();
    assert_eq!(
        (&lines[0]["type"], &lines[1]["type"]),
        (&"finding".into(), &"summary".into())
    );
    assert_eq!(lines[0]["kind"], json["findings"][0]["kind"]);
    assert_eq!(lines[1]["differences"], json["differences"]);
    let csv = with("csv").stdout;
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    let header: Vec<_> = reader
        .headers()
        .or_fail("no header")
        .iter()
        .map(str::to_owned)
        .collect();
    let keys: Vec<_> = json["findings"][0]
        .as_object()
        .or_fail("no finding")
        .keys()
        .cloned()
        .collect();
    assert_eq!(header, keys);
    let table = with("table").stdout;
    assert!(
        table.contains("agrees\tfalse\n") && table.contains("debit_duplicated\t"),
        "{table}"
    );
}
