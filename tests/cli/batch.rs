//! `batch` as it is typed every day: sent, typed again, rehearsed, consented to, and stopped by what was agreed before.

use crate::sheet::{Paid, number};
use crate::support::{OrFail, PHONE, PLAN, Shop};

/// How often each endpoint was called since.
fn spent(shop: &Shop, before: &crate::provider::Books) -> Vec<(String, u64)> {
    let now = shop.books();
    let names = now.0["calls"].as_object().into_iter().flatten();
    names
        .map(|(name, _)| (name.clone(), now.calls(name) - before.calls(name)))
        .filter(|(_, calls)| *calls > 0)
        .collect()
}

#[test]
fn a_quiet_batch_says_nothing_but_its_result() {
    let shop = Shop::open();
    let november = shop.sheet("november.csv").customers(3);
    for words in [["-q", "--yes"], ["-q", "--confirm-total=300"]] {
        let sent = november.batch(&words).expect_exit(0);
        assert_eq!(sent.stderr, "", "{sent:?}");
    }
    november.expect_each_paid_once();
}

#[test]
fn a_sheet_is_sent_each_row_once() {
    let shop = Shop::open();
    let november = shop
        .sheet("november.csv")
        .row("0778037340,500")
        .row("0661234567,300")
        .row("0550123456,1000");
    let sent = november.send().expect_exit(0).expect_posts(3);
    november.expect_each_paid_once();
    november.expect_true_results();
    let summary = sent.json();
    assert_eq!(
        (&summary["total"], &summary["face"]),
        (&3.into(), &1800.into()),
        "{sent:?}"
    );
    // By the catalogue: 500 × 0.9925 + 300 × 0.96 + 1000 × 0.97.
    assert_eq!(
        (&summary["cost"], &summary["next"]),
        (&"1754.25".into(), &serde_json::Value::Null)
    );
    assert_eq!(sent.rows("fulfilled"), 3);
}

/// The same command again is the resume: with nothing left, it asks for the balance and for nothing else.
#[test]
fn typed_again_it_sends_nothing() {
    let shop = Shop::open();
    let november = shop.sheet("november.csv").customers(5);
    november.send().expect_exit(0);
    let before = shop.books();
    for _ in 0..2 {
        let again = november.send().expect_exit(0).expect_posts(5);
        assert_eq!(again.json()["already_done"], 5, "{again:?}");
    }
    assert_eq!(spent(&shop, &before), [("balance".to_owned(), 2)]);
    november.expect_each_paid_once();
    november.expect_true_results();
}

/// Nothing is left to consent to, so nobody has to.
#[test]
fn a_finished_batch_needs_no_consent() {
    let shop = Shop::open();
    let november = shop.sheet("november.csv").customers(2);
    november.send().expect_exit(0);
    november.batch(&[]).expect_exit(0).expect_posts(2);
}

#[test]
fn a_dry_run_sends_nothing_and_stores_nothing() {
    let shop = Shop::open();
    let november = shop.sheet("november.csv").customers(3);
    let shown = november.batch(&["-n"]).expect_exit(0).expect_no_post().json();
    let to_send = &shown["to_send"];
    assert_eq!(
        (&to_send["rows"], &to_send["face"]),
        (&3.into(), &300.into()),
        "{shown}"
    );
    assert_eq!(
        (&to_send["cost"], &shown["balance_after"]),
        (&"297.75".into(), &"49702.25".into())
    );
    let listed = shop.batch(&["--list", "-o", "json"]).expect_exit(0).json();
    assert_eq!((listed, shop.ledger().len()), (serde_json::json!([]), 0));
    assert!(!shop.home().join(november.results()).exists());
    // It binds nobody either.
    november.send().expect_exit(0);
    november.expect_each_paid_once();
}

/// Off a terminal somebody must have said yes. Nothing is sent, planned or written without.
#[test]
fn without_consent_nothing_is_sent() {
    let shop = Shop::open();
    let november = shop.sheet("november.csv").customers(3);
    november
        .batch(&[])
        .expect_exit(2)
        .expect_error("consent")
        .expect_hint("--confirm-total 300")
        .expect_no_post();
    let listed = shop.batch(&["--list", "-o", "json"]).expect_exit(0).json();
    assert_eq!(listed, serde_json::json!([]));
    assert!(!shop.home().join(november.results()).exists());
}

/// The total of the whole sheet, or of what is left of it; any other is another sheet.
#[test]
fn a_total_is_consent_to_this_total_only() {
    let shop = Shop::open();
    let november = shop.sheet("november.csv").customers(4);
    for wrong in ["399", "401", "40000"] {
        november
            .batch(&["--confirm-total", wrong])
            .expect_exit(2)
            .expect_error("total_not_confirmed")
            .expect_no_post();
    }
    let first = november
        .batch(&["--confirm-total", "200", "--limit", "2"])
        .expect_posts(2);
    november
        .batch(&["--confirm-total", "100"])
        .expect_exit(2)
        .expect_error("total_not_confirmed")
        .expect_posts(2);
    let rest = first.next().replace("--limit 2", "--confirm-total 200 --no-wait");
    let sent = shop.shell(&rest).expect_exit(8).expect_posts(4);
    // What goes on is bound to the sheet.
    let next = sent.next();
    assert!(next.contains("--confirm-total 400"), "{next}");
    shop.shell(&next.replace("--no-wait", ""))
        .expect_exit(0)
        .expect_posts(4);
    november.expect_each_paid_once();
}

/// Under a limit it is the total of the rows that the limit lets through. The next ones are others: the command that
/// goes on consents to none of them.
#[test]
fn a_total_under_a_limit_is_that_of_its_rows() {
    let shop = Shop::open();
    let november = shop.sheet("november.csv").customers(4);
    november
        .batch(&["--confirm-total", "400", "--limit", "1", "--yes"])
        .expect_exit(2)
        .expect_error("total_not_confirmed")
        .expect_hint("--limit")
        .expect_no_post();
    let first = november
        .batch(&["--confirm-total", "100", "--limit", "1", "--yes"])
        .expect_posts(1);
    let next = first.next();
    assert!(next.contains("--limit 1"), "{next}");
    assert!(
        !next.contains("--confirm-total") && !next.contains("--yes"),
        "{next}"
    );
    shop.shell(&next)
        .expect_exit(2)
        .expect_error("consent")
        .expect_hint("--confirm-total 100")
        .expect_posts(1);
}

/// A row came back because the money was used up, and then another is put before it: that one is shown, and sent.
#[test]
fn a_limit_sends_the_row_that_it_shows() {
    let shop = Shop::open_with(&["--balance", "50"]);
    shop.sheet("november.csv")
        .row("0778037341,5000")
        .batch(&["--yes", "--until-empty"])
        .expect_exit(9)
        .expect_error("empty_wallet");
    shop.provider.deposit(6_000);
    let november = shop
        .sheet("november.csv")
        .row("0778037342,100")
        .row("0778037343,100")
        .row("0778037341,5000");
    let words = ["--limit", "1", "--max-total", "100", "--confirm-total", "100"];
    let mut paid = Paid::new();
    // The same bytes again: the order that came back is a row among others.
    for number in ["0778037342", "0778037343"] {
        let sent = november.batch(&words).expect_exit(0);
        paid.insert((number.to_owned(), 100), 1);
        assert_eq!(shop.paid(), paid);
        assert_eq!(sent.json()["stopped"], "limit", "{sent:?}");
    }
    let words = ["--limit", "1", "--max-total", "5000", "--confirm-total", "5000"];
    november.batch(&words).expect_exit(0);
    november.expect_each_paid_once();
}

/// A row that waits under its cap is no room for a dearer one that was not shown.
#[test]
fn a_limit_sends_no_other_row_in_place_of_one_that_is_held() {
    let shop = Shop::open().set("ONECLICKDZ_MAX_PER_NUMBER_PER_DAY", "5000");
    shop.send(5000).expect_exit(0);
    let november = shop
        .sheet("november.csv")
        .row("0778037340,100")
        .row("0778037341,5000")
        .row("0778037342,100");
    for _ in 0..2 {
        let words = ["--limit", "1", "--max-total", "100", "--confirm-total", "100"];
        november
            .batch(&words)
            .expect_exit(9)
            .expect_error("max_per_number_per_day")
            .expect_posts(1);
    }
    november.send().expect_exit(9).expect_posts(3);
}

/// A file that is not the one meant is refused, consent or not.
#[test]
fn a_sheet_that_is_not_expected_is_refused() {
    let shop = Shop::open();
    let november = shop.sheet("november.csv").customers(4);
    for wrong in [
        ["--expect-count", "3"],
        ["--expect-count", "5"],
        ["--expect-total", "399"],
        ["--expect-total", "401"],
    ] {
        november
            .batch(&[&wrong[..], &["--yes"]].concat())
            .expect_exit(2)
            .expect_error("not_expected")
            .expect_no_post();
    }
    let expected = ["--yes", "--expect-count", "4", "--expect-total", "400"];
    november.batch(&expected).expect_exit(0).expect_posts(4);
    // They speak of the sheet, so they hold when it is typed again.
    november.batch(&expected).expect_exit(0).expect_posts(4);
    // A row that can't be sent says why the total is another one.
    let november = november.row("077803734,100");
    november
        .batch(&["--yes", "--expect-count", "5", "--expect-total", "500"])
        .expect_exit(2)
        .expect_error("bad_rows")
        .expect_posts(4);
}

#[test]
fn more_than_the_most_of_a_run_is_refused() {
    let shop = Shop::open();
    let november = shop.sheet("november.csv").customers(4);
    november
        .batch(&["--yes", "--max-total", "399"])
        .expect_exit(9)
        .expect_error("max_total")
        .expect_no_post();
    november
        .batch(&["--yes", "--max-total", "200", "--limit", "2"])
        .expect_posts(2);
    november.batch(&["--yes", "--max-total", "200"]).expect_exit(0);
    november.expect_each_paid_once();
}

/// The first rows of the sheet now, the next ones with the same words again.
#[test]
fn a_limit_sends_the_first_rows() {
    let shop = Shop::open();
    let november = shop.sheet("november.csv").customers(5);
    let limited = november.batch(&["--yes", "--limit", "2"]).expect_posts(2);
    assert_eq!(
        (limited.rows("fulfilled"), limited.rows("planned")),
        (2, 3),
        "{limited:?}"
    );
    assert_eq!(limited.json()["stopped"], "limit");
    let first: Paid = (0..2).map(|row| ((number(row), 100), 1)).collect();
    assert_eq!(shop.paid(), first);
    shop.shell(&limited.next()).expect_posts(4);
    november.send().expect_exit(0).expect_posts(5);
    november.expect_each_paid_once();
}

/// A row above the cap of one send is a bad row.
#[test]
fn a_row_above_the_cap_of_a_send_refuses_the_sheet() {
    let shop = Shop::open().set("ONECLICKDZ_MAX_PER_SEND", "400");
    let november = shop
        .sheet("november.csv")
        .row("0778037340,400")
        .row("0778037341,401");
    let refused = november
        .send()
        .expect_exit(9)
        .expect_error("max_per_send")
        .expect_no_post();
    assert!(
        refused.error()["message"].to_string().contains("line 3"),
        "{refused:?}"
    );
    november.batch(&["--yes", "--skip-bad"]).expect_posts(1);
    assert_eq!(shop.paid(), Paid::from([(("0778037340".to_owned(), 400), 1)]));
    // What was left out was not planned: once the cap allows it, it goes.
    shop.shell("ONECLICKDZ_MAX_PER_SEND=401 oneclick batch november.csv --yes -o json")
        .expect_exit(0)
        .expect_posts(2);
    november.expect_each_paid_once();
}

/// No other day lets a row through that is above its cap by itself.
#[test]
fn a_row_above_the_cap_of_its_number_is_not_promised_for_tomorrow() {
    let shop = Shop::open().set("ONECLICKDZ_MAX_PER_NUMBER_PER_DAY", "1000");
    let november = shop
        .sheet("november.csv")
        .row("0778037342,1200")
        .row("0778037341,500");
    let stopped = november.typed(&["--yes"]).expect_exit(9).expect_posts(1);
    assert!(!stopped.stderr.contains("tomorrow"), "{stopped:?}");
    assert!(stopped.stderr.contains("above the cap by itself"), "{stopped:?}");
    shop.send(600).expect_exit(0);
    let november = november.row("0778037340,450");
    let stopped = november.typed(&["--yes"]).expect_exit(9).expect_posts(2);
    for told in ["tomorrow", "1 row is above the cap by itself"] {
        assert!(stopped.stderr.contains(told), "{told}: {stopped:?}");
    }
}

/// What a number has had today counts, wherever it came from; the others of the sheet are sent.
#[test]
fn a_number_at_its_cap_of_the_day_waits() {
    let shop = Shop::open().set("ONECLICKDZ_MAX_PER_NUMBER_PER_DAY", "1000");
    shop.send(600).expect_exit(0);
    let november = shop
        .sheet("november.csv")
        .row("0778037340,500")
        .row("0778037341,500");
    let stopped = november
        .send()
        .expect_exit(9)
        .expect_error("max_per_number_per_day")
        .expect_posts(2);
    assert_eq!(
        (stopped.rows("planned"), stopped.rows("fulfilled")),
        (1, 1),
        "{stopped:?}"
    );
    assert_eq!(stopped.json()["stopped"], "cap", "{stopped:?}");
    shop.set("ONECLICKDZ_MAX_PER_NUMBER_PER_DAY", "1100")
        .batch(&["november.csv", "--yes"])
        .expect_exit(0)
        .expect_posts(3);
}

/// More than the day has room for is refused before the first row, with the number of rows that fit.
#[test]
fn the_cap_of_the_day_refuses_the_sheet() {
    let shop = Shop::open().set("ONECLICKDZ_MAX_PER_DAY", "1000");
    shop.send(600).expect_exit(0);
    let november = shop.sheet("november.csv").customers(5);
    november
        .send()
        .expect_exit(9)
        .expect_error("max_per_day")
        .expect_hint("--limit 4")
        .expect_posts(1);
    november.batch(&["--yes", "--limit", "4"]).expect_posts(5);
    november.send().expect_exit(9).expect_posts(5);
    shop.set("ONECLICKDZ_MAX_PER_DAY", "1100")
        .batch(&["november.csv", "--yes"])
        .expect_exit(0)
        .expect_posts(6);
}

/// One bad row refuses all, and then all but the bad ones are sent.
#[test]
fn a_bad_row_refuses_the_sheet_unless_it_is_left_out() {
    let shop = Shop::open();
    let november = shop
        .sheet("november.csv")
        .row("0778037340,500")
        .row("0215551234,500")
        .row("0778037341,500");
    november
        .send()
        .expect_exit(2)
        .expect_error("bad_rows")
        .expect_no_post();
    let sent = november.batch(&["--yes", "--skip-bad"]).expect_posts(2);
    assert_eq!(sent.rows("fulfilled"), 2, "{sent:?}");
    sent.expect_exit(0).expect_said(["line 3"]);
    // Mended, only the row that was left out goes.
    let mended = november.mended(1, "0778037342,500");
    mended.send().expect_exit(0).expect_posts(3);
    mended.expect_each_paid_once();
}

/// Cells that the sheet does not have come from the command.
#[test]
fn plan_and_amount_fill_what_is_missing() {
    let shop = Shop::open();
    let phones = shop
        .sheet("phones.csv")
        .columns("phone")
        .row("0778037340")
        .row("0778037341");
    phones.send().expect_exit(2).expect_no_post();
    phones
        .batch(&["--yes", "--amount", "700", "--plan", "FACTURE_DJEZZY"])
        .expect_exit(0);
    let books = shop.books();
    for (reference, order) in books.0["accepted"].as_object().into_iter().flatten() {
        let sold = (order["plan"].as_str(), order["amount"].as_u64());
        assert_eq!(sold, (Some("FACTURE_DJEZZY"), Some(700)), "{reference}");
    }
    assert_eq!(books.orders(), 2);
}

/// Batches are told with how far they are, from the ledger alone.
#[test]
fn batches_and_their_orders_are_listed() {
    let shop = Shop::open();
    let november = shop.sheet("november.csv").customers(3);
    shop.sheet("december.csv")
        .row("0778037340,500")
        .send()
        .expect_exit(0);
    november.batch(&["--yes", "--limit", "2"]);
    let calls = shop.books().all_calls();
    let listed = shop.batch(&["--list", "-o", "json"]).expect_exit(0).json();
    let of = |label: &str| {
        let batches = listed.as_array().into_iter().flatten();
        batches
            .clone()
            .find(|batch| batch["batch"] == label)
            .cloned()
            .unwrap_or_default()
    };
    let states = serde_json::json!({ "planned": 1, "fulfilled": 2 });
    assert_eq!(
        (&of("november")["states"], &of("november")["total"]),
        (&states, &3.into()),
        "{listed}"
    );
    assert_eq!(
        of("december")["states"],
        serde_json::json!({ "fulfilled": 1 }),
        "{listed}"
    );
    let orders = shop
        .run(&["ref", "list", "--batch", "november", "-o", "json"])
        .expect_exit(0)
        .json();
    let phones: Vec<_> = orders
        .as_array()
        .into_iter()
        .flatten()
        .map(|order| &order["phone"])
        .collect();
    assert_eq!(phones.len(), 3, "planned rows are orders to be: {orders}");
    assert!(phones.iter().all(|phone| *phone != PHONE), "{orders}");
    assert_eq!(orders[0]["plan"], PLAN);
    assert_eq!(shop.books().all_calls(), calls, "a list asks nobody");
}

/// What the catalogue has no cost for is counted at face value, and nobody is told that it is known.
#[test]
fn a_cost_that_nobody_knows_is_a_bound() {
    let shop = Shop::open();
    let november = shop
        .sheet("november.csv")
        .row("0661234567,7000")
        .row("0661234568,5000");
    let words = ["-n", "--plan", "GROS_MOBILIS"];
    november
        .typed(&words)
        .expect_said(["2 rows cost", "the most", "at least 38 000.00 DZD after it"]);
    let dry = november.batch(&words).expect_exit(0).json();
    assert_eq!(
        (
            &dry["to_send"]["unpriced"],
            &dry["to_send"]["plans"][0]["unpriced"]
        ),
        (&2.into(), &2.into()),
        "{dry}"
    );
}

/// A file's name with its accents apart, as some archives and systems make it, is the same name.
#[test]
fn a_name_is_the_same_however_its_accents_are_spelt() {
    let (composed, apart) = ("ao\u{fb}t.csv", "aou\u{302}t.csv");
    let shop = Shop::open().set("ONECLICKDZ_REPEAT_WINDOW", "1ms");
    let august = shop.sheet(composed).customers(3);
    august.send().expect_exit(0);
    shop.sheet(apart)
        .customers(3)
        .send()
        .expect_exit(0)
        .expect_posts(3);
    let listed = shop.batch(&["--list", "-o", "json"]).expect_exit(0).json();
    assert_eq!(listed.as_array().map(Vec::len), Some(1), "{listed}");
    let label = apart.trim_end_matches(".csv");
    let orders = shop
        .run(&["ref", "list", "--batch", label, "-o", "json"])
        .expect_exit(0)
        .json();
    assert_eq!(orders.as_array().map(Vec::len), Some(3), "{orders}");
}

/// A program counts what is not there, too.
#[test]
fn a_list_of_batches_has_a_number_in_every_count() {
    let shop = Shop::open();
    shop.sheet("november.csv").customers(2).send().expect_exit(0);
    let listed = shop.run(&["batch", "--list", "-o", "csv"]).expect_exit(0);
    let mut lines = listed.stdout.lines();
    let header: Vec<_> = lines.next().or_fail("no header").split(',').collect();
    let cells: Vec<_> = lines.next().or_fail("no batch").split(',').collect();
    assert_eq!(
        header[1..8],
        [
            "total",
            "planned",
            "open",
            "fulfilled",
            "refunded",
            "rejected",
            "other"
        ]
    );
    assert_eq!(cells[1..8], ["2", "0", "0", "2", "0", "0", "0"]);
}

/// Two names of one ledger: there is one lock, one owner and one log.
#[cfg(unix)]
#[test]
fn a_link_to_the_ledger_leads_to_the_same_locks() {
    let shop = Shop::open()
        .set("ONECLICKDZ_SEND_TIMEOUT", "30s")
        .faults(["hang_before"]);
    let november = shop.sheet("november.csv").customers(2);
    let running = november.start(&[]);
    shop.provider
        .await_books("a POST", |books| books.calls("send") > 0);
    let link = shop.home().join("link.db");
    std::os::unix::fs::symlink(shop.ledger_path(), &link).or_fail("no link");
    let through = format!("ONECLICKDZ_LEDGER={} oneclick", link.display());
    shop.shell(&format!("{through} batch november.csv --yes -o json"))
        .expect_exit(11)
        .expect_error("batch_busy");
    running.kill();
    shop.provider.set_faults(&[]);
    shop.shell(&format!("{through} batch november.csv --yes -o json"))
        .expect_exit(0);
    november.expect_each_paid_once();
    shop.run(&["ref", "audit", "--verify"]).expect_exit(0);
    let beside = std::fs::read_dir(shop.home()).or_fail("no home").flatten();
    let of_the_link = beside.filter(|entry| entry.file_name().to_string_lossy().starts_with("link.db"));
    assert_eq!(of_the_link.count(), 1);
}

/// A cap that is set once rows were paid does not make bad rows of them; it binds what is still to be sent.
#[test]
fn a_cap_that_is_lowered_binds_what_is_still_to_be_sent() {
    let shop = Shop::open();
    let november = shop
        .sheet("november.csv")
        .row(&format!("{},900", number(0)))
        .row(&format!("{},200", number(1)))
        .row(&format!("{},800", number(2)));
    let under = |cap: u32, more: &str| {
        shop.shell(&format!(
            "ONECLICKDZ_MAX_PER_SEND={cap} oneclick batch november.csv --yes -o json {more}"
        ))
    };
    november.batch(&["--yes", "--limit", "1"]).expect_posts(1);
    under(300, "")
        .expect_exit(9)
        .expect_error("max_per_send")
        .expect_posts(1);
    under(800, "").expect_exit(0).expect_posts(3);
    let again = under(100, "").expect_exit(0).expect_posts(3);
    assert_eq!(again.rows("fulfilled"), 3);
    november.expect_each_paid_once();
    november.expect_true_results();
}
