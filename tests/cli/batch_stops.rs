//! What stops a batch halfway: money, key, network, signals. It says what is done, keeps the rest planned, and the
//! command that it names goes on to the end.

use serde_json::Value;

use crate::outcome::Outcome;
use crate::sheet::Sheet;
use crate::support::{OrFail, Shop};

/// A shop whose batches take a while, one row after another.
fn slow_shop(flags: &[&str]) -> Shop {
    Shop::open_with(&[&["--latency", "10ms"], flags].concat()).set("ONECLICKDZ_CONCURRENCY", "2")
}

/// What was typed goes on by the command that the summary names.
#[track_caller]
fn go_on(shop: &Shop, stopped: &Outcome<'_>, sheet: &Sheet<'_>) {
    shop.shell(&stopped.next()).expect_exit(0);
    sheet.expect_each_paid_once();
    sheet.expect_true_results();
}

/// A balance for five rows of ten: nothing is sent, and it is said how far it goes.
#[test]
fn a_balance_that_does_not_cover_the_sheet_sends_nothing() {
    let shop = Shop::open_with(&["--balance", "500"]);
    let november = shop.sheet("november.csv").customers(10);
    let refused = november
        .send()
        .expect_exit(9)
        .expect_error("balance_too_low")
        .expect_hint("--limit 5")
        .expect_hint("--until-empty")
        .expect_no_post();
    // 5 × 99.25 is covered, the sixth row stands on line 7.
    assert!(
        refused.error()["message"].to_string().contains("line 7"),
        "{refused:?}"
    );
    let shown = november.batch(&["-n"]).expect_exit(0).json();
    assert_eq!(shown["runs_out_at"], 7, "{shown}");
    november.batch(&["--yes", "--limit", "5"]).expect_posts(5);
    november.send().expect_exit(9).expect_posts(5);
    shop.provider.deposit(500);
    november.send().expect_exit(0);
    november.expect_each_paid_once();
}

/// Near the end of the money rows go one by one, so that an empty wallet refuses one request only.
#[test]
fn until_the_wallet_is_empty_and_on_after_a_deposit() {
    for code in ["INSUFFICIENT_BALANCE", "NO_BALANCE"] {
        let shop = Shop::open_with(&["--balance", "500"]);
        shop.provider.set_switch(&format!("empty_wallet_code={code}"));
        let november = shop.sheet("november.csv").customers(12);
        let stopped = november
            .batch(&["--yes", "--until-empty"])
            .expect_exit(9)
            .expect_error("empty_wallet")
            .expect_posts(6);
        assert_eq!(
            (stopped.rows("fulfilled"), stopped.rows("planned")),
            (5, 7),
            "{stopped:?}"
        );
        assert_eq!(stopped.json()["stopped"], "empty_wallet");
        assert_eq!(shop.books().0["answers"]["403"], 1, "{}", shop.books().0);
        november.expect_true_results();
        shop.provider.deposit(1_000);
        go_on(&shop, &stopped, &november);
    }
}

/// The last row that a limit allows finds the wallet empty: that is what the operator must hear of.
#[test]
fn a_limit_does_not_hide_an_empty_wallet() {
    let shop = Shop::open_with(&["--balance", "500"]);
    let november = shop.sheet("november.csv").customers(12);
    let stopped = november
        .batch(&["--yes", "--until-empty", "--limit", "6"])
        .expect_exit(9)
        .expect_error("empty_wallet")
        .expect_posts(6);
    assert_eq!(stopped.json()["stopped"], "empty_wallet");
    shop.provider.deposit(5000);
    november.send().expect_exit(0);
    november.expect_each_paid_once();
}

/// Somebody else spends the money meanwhile: the wallet is empty sooner than the preview said.
#[test]
fn a_wallet_that_others_empty_stops_the_batch() {
    let shop = slow_shop(&["--balance", "3000"]);
    let november = shop.sheet("november.csv").customers(30);
    let running = november.start(&[]);
    shop.provider
        .await_books("the first POSTs", |books| books.calls("send") >= 3);
    for _ in 0..3 {
        shop.provider.make_order(
            &format!("other-{}", shop.books().orders()),
            "0661234567",
            "PREPAID_MOBILIS",
            600,
        );
    }
    let stopped = running.finish().expect_exit(9).expect_error("empty_wallet");
    assert!(
        stopped.rows("planned") > 0 && stopped.rows("fulfilled") > 0,
        "{stopped:?}"
    );
    assert_eq!(
        stopped.rows("planned") + stopped.rows("fulfilled"),
        30,
        "{stopped:?}"
    );
    shop.provider.deposit(5_000);
    shop.shell(&stopped.next()).expect_exit(0);
    shop.books().expect_no_doubles();
    assert_eq!(shop.books().orders(), 33);
}

/// A key that is switched off halfway, several times: as few requests as were on their way hear of it, and every other
/// row stays planned.
#[test]
fn a_refused_key_stops_at_once() {
    let shop = slow_shop(&[]);
    let november = shop.sheet("november.csv").customers(80);
    let mut refused_before = 0;
    for _ in 0..6 {
        let posts = shop.books().calls("send") + 4;
        let running = november.start(&[]);
        shop.provider
            .await_books("more POSTs", |books| books.calls("send") >= posts);
        shop.provider.set_switch("key_enabled=off");
        let stopped = running.finish().expect_exit(4);
        assert_eq!(stopped.json()["stopped"], "auth", "{stopped:?}");
        assert!(stopped.rows("planned") > 0, "{stopped:?}");
        let refused = shop.books().0["answers"]["403"].as_u64().unwrap_or_default();
        // One for each of two connections, and a sweep beside them.
        let heard = refused - refused_before;
        assert!(
            (1..=3).contains(&heard),
            "{heard} requests with a refused key: {stopped:?}"
        );
        refused_before = refused;
        shop.provider.set_switch("key_enabled=on");
    }
    november.send().expect_exit(0);
    november.expect_each_paid_once();
    november.expect_true_results();
}

/// A key that is another's from the start costs one request and plans nothing.
#[test]
fn a_wrong_key_plans_nothing() {
    let shop = Shop::open().set("ONECLICKDZ_API_KEY", "a-wrong-key-1234");
    let november = shop.sheet("november.csv").customers(3);
    november.send().expect_exit(4).expect_no_post();
    assert_eq!(shop.books().all_calls(), 1);
    assert!(!shop.home().join(november.results()).exists());
}

#[test]
fn a_key_that_may_only_read_sends_no_row() {
    let shop = Shop::open().switches(["scope=READ-ONLY"]);
    let november = shop.sheet("november.csv").customers(3);
    november
        .send()
        .expect_exit(4)
        .expect_error("read_only_key")
        .expect_no_post();
    november.batch(&["-n"]).expect_exit(0).expect_no_post();
}

/// Nobody answers: nothing is sent, and the batch is as it was.
#[test]
fn an_unreachable_provider_is_7() {
    let shop = Shop::open();
    let november = shop.sheet("november.csv").customers(5);
    november.batch(&["--yes", "--limit", "2"]);
    shop.provider.close();
    november.send().expect_exit(7);
    let states = shop.states();
    assert_eq!((states["fulfilled"], states["planned"]), (2, 3));
}

/// The cable is cut in the middle of it. What was on its way is not known, what had not left stays planned; and when
/// the provider is back, with all that it had accepted, each row has been paid once.
#[test]
fn a_provider_that_goes_in_the_middle_is_waited_for() {
    let books = tempfile::tempdir().unwrap_or_else(|error| panic!("{error}"));
    let store = books.path().display().to_string();
    let flags = ["--latency", "10ms", "--store", store.as_str()];
    let shop = Shop::open_with(&flags).set("ONECLICKDZ_CONCURRENCY", "2");
    let november = shop.sheet("november.csv").customers(30);
    let running = november.start(&[]);
    shop.provider
        .await_books("the first POSTs", |books| books.calls("send") >= 6);
    shop.provider.close();
    let stopped = running.finish();
    let unknown = stopped.rows("unknown");
    match stopped.code {
        Some(6) => assert!((1..=8).contains(&unknown), "{stopped:?}"),
        Some(7) => assert_eq!(unknown, 0, "{stopped:?}"),
        _ => panic!("{stopped:?}"),
    }
    assert!(stopped.rows("planned") >= 15, "{stopped:?}");
    shop.provider.open_again(shop.home(), &flags);
    go_on(&shop, &stopped, &november);
}

/// The first Ctrl-C, and what a service manager sends: no new rows, answers on their way are stored, the rest stays
/// planned, and the same command goes on.
#[test]
fn an_interrupt_stores_what_was_on_its_way() {
    for (signal, code, word) in [("INT", 130, "interrupted"), ("TERM", 143, "terminated")] {
        let shop = slow_shop(&[]);
        let november = shop.sheet("november.csv").customers(30);
        let running = november.start(&[]);
        shop.provider
            .await_books("the first POSTs", |books| books.calls("send") >= 6);
        running.signal(signal);
        let stopped = running.finish().expect_exit(code);
        assert_eq!(stopped.json()["stopped"], word, "{stopped:?}");
        let (books, states) = (shop.books(), shop.states());
        let has = |state: &str| states.get(state).copied().unwrap_or_default();
        assert_eq!(has("sending") + has("unknown"), 0, "{states:?}");
        assert_eq!(has("accepted") + has("fulfilled"), books.orders(), "{states:?}");
        assert!(has("planned") >= 15, "{states:?}");
        assert_eq!(has("planned"), stopped.rows("planned"));
        go_on(&shop, &stopped, &november);
    }
}

/// Again and again through one batch, whatever the engine was at: not one row is left on its way.
#[test]
fn every_interrupt_leaves_a_clean_ledger() {
    let shop = slow_shop(&[]).set("ONECLICKDZ_CONCURRENCY", "8");
    let november = shop.sheet("november.csv").customers(150);
    let mut interrupts = 0;
    while shop.books().orders() < 90 {
        interrupts += 1;
        let posts = shop.books().calls("send") + 5;
        let running = november.start(&[]);
        shop.provider
            .await_books("more POSTs", |books| books.calls("send") >= posts);
        running.signal("INT");
        let stopped = running.finish().expect_exit(130);
        let lost = stopped.rows("sending") + stopped.rows("unknown");
        assert_eq!(lost, 0, "{stopped:?}");
        let (planned, made) = (stopped.rows("planned"), shop.books().orders());
        assert_eq!(planned + made, 150, "{stopped:?}");
    }
    assert!(interrupts >= 2, "{interrupts} interrupts show little");
    november.send().expect_exit(0).expect_posts(150);
    november.expect_each_paid_once();
}

/// An answer that takes longer is awaited all the same: its row would be unknown otherwise. A terminal that is closed tells
/// of it several times, which is no second Ctrl-C.
#[test]
fn an_interrupt_awaits_slow_answers() {
    for (signals, code) in [(&["INT"][..], 130), (&["HUP", "HUP", "HUP"], 143)] {
        let shop = Shop::open_with(&["--latency", "700ms"])
            .set("ONECLICKDZ_CONCURRENCY", "1")
            .set("ONECLICKDZ_SEND_TIMEOUT", "30s");
        let november = shop.sheet("november.csv").customers(5);
        let running = november.start(&[]);
        shop.await_states("a row on its way", |states| states.contains_key("sending"));
        for signal in signals {
            running.signal(signal);
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        let stopped = running.finish().expect_exit(code);
        let made = shop.books().orders();
        assert_eq!(
            (stopped.rows("unknown"), stopped.rows("planned")),
            (0, 5 - made),
            "{stopped:?}"
        );
        assert!((1..5).contains(&made), "{stopped:?}");
    }
}

/// `nohup`, and a script's command in the background: what was ignored when the batch was started does not stop it, and
/// what was not does.
#[cfg(target_os = "linux")]
#[test]
fn signals_that_were_ignored_from_the_start_stay_ignored() {
    for (ignored, sent, code) in [
        ("HUP", &["HUP", "HUP"][..], 0),
        ("INT", &["INT", "INT"], 0),
        ("TERM", &["TERM", "TERM"], 0),
        ("HUP INT", &["HUP", "INT", "TERM"], 143),
        ("TERM", &["TERM", "INT"], 130),
    ] {
        let shop = slow_shop(&[]);
        let november = shop.sheet("november.csv").customers(30);
        let words = ["batch", "november.csv", "--yes", "-o", "json"];
        let running = shop.start_ignoring(ignored, &words);
        shop.provider
            .await_books("the first POSTs", |books| books.calls("send") >= 6);
        for signal in sent {
            running.signal(signal);
        }
        let ended = running.finish().expect_exit(code);
        if code == 0 {
            assert_eq!(ended.rows("fulfilled"), 30, "{ended:?}");
            november.expect_true_results();
        } else {
            assert!(ended.rows("planned") >= 15, "{ended:?}");
        }
    }
}

/// The second one leaves at once; what was on its way is found by the next run.
#[test]
fn a_second_interrupt_leaves_at_once() {
    let shop = Shop::open()
        .set("ONECLICKDZ_SEND_TIMEOUT", "30s")
        .faults(["hang_after@1-2"]);
    let november = shop.sheet("november.csv").customers(10);
    let started = std::time::Instant::now();
    let mut running = november.start(&[]);
    shop.provider
        .await_books("all POSTs", |books| books.orders() == 10);
    // As often as it takes: signals of one kind that wait are one.
    while !running.has_ended() && started.elapsed().as_secs() < 20 {
        running.signal("INT");
        std::thread::sleep(std::time::Duration::from_millis(200));
    }
    let stopped = running.finish().expect_exit(130).expect_error("interrupted");
    assert!(
        stopped.stderr.contains("to go on: `oneclick batch november.csv"),
        "{stopped:?}"
    );
    assert!(started.elapsed().as_secs() < 20, "it waited for the answers");
    // What it says of them is what the ledger has.
    let message = stopped.error()["message"].to_string();
    for (state, rows) in shop.states() {
        assert!(
            message.contains(&format!("{rows} {state}")),
            "{rows} {state}: {stopped:?}"
        );
    }
    shop.provider.set_faults(&[]);
    november.send().expect_exit(0).expect_posts(10);
    november.expect_each_paid_once();
}

/// A claim that was on its way to the ledger meets the cap of the day, which others have reached meanwhile. What the run
/// was asked before is still the reason of its end.
#[test]
fn a_cap_takes_no_interrupts_place() {
    let shop = Shop::open_with(&["--latency", "300ms"])
        .set("ONECLICKDZ_CONCURRENCY", "1")
        .set("ONECLICKDZ_MAX_PER_DAY", "1000");
    shop.send_as("own", 900).expect_exit(0);
    shop.rewrite("UPDATE orders SET sent_at = sent_at - 259200000 WHERE ref = 'own'");
    let november = shop.sheet("november.csv").customers(5);
    let running = november.start(&[]);
    shop.await_states("a row on its way", |states| states.contains_key("sending"));
    // Who writes holds up the claim that the first answer calls for.
    let mut ledger = rusqlite::Connection::open(shop.ledger_path()).or_fail("no ledger");
    let held = ledger
        .transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)
        .or_fail("another writes");
    held.execute(
        "UPDATE orders SET sent_at = sent_at + 259200000 WHERE ref = 'own'",
        [],
    )
    .or_fail("not paid");
    shop.provider
        .await_books("the first answer", |books| books.orders() == 2);
    std::thread::sleep(std::time::Duration::from_secs(1));
    running.signal("INT");
    std::thread::sleep(std::time::Duration::from_millis(300));
    held.commit().or_fail("not paid");
    let stopped = running.finish().expect_exit(130).expect_error("interrupted");
    assert_eq!(stopped.json()["stopped"], "interrupted", "{stopped:?}");
    assert_eq!(stopped.rows("planned"), 4, "{stopped:?}");
}

/// What was shown: an order a line, and the summary behind them.
#[track_caller]
fn json_lines(ended: &Outcome<'_>) -> (Vec<Value>, Value) {
    let lines = ended
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).or_fail(line));
    let mut lines: Vec<Value> = lines.collect();
    let summary = lines.pop().or_fail("nothing is shown");
    assert_eq!(summary["type"], "summary", "{summary}");
    (lines, summary)
}

/// Rows are sent and settled behind a pipe that is full, and every line comes through it in the end.
#[test]
fn a_reader_that_stalls_holds_up_no_row() {
    let shop = slow_shop(&[]);
    let november = shop.sheet("november.csv").customers(400);
    // Far more than a pipe holds.
    let running = shop.start(&["batch", "november.csv", "--yes", "-o", "jsonl"]);
    shop.await_states("the end of all rows", |states| {
        states.get("fulfilled") == Some(&400)
    });
    let ended = running.finish().expect_exit(0);
    let (orders, summary) = json_lines(&ended);
    let refs: std::collections::BTreeSet<_> = orders.iter().map(|order| order["ref"].as_str()).collect();
    assert_eq!((orders.len(), refs.len()), (400, 400), "{ended:?}");
    assert!(orders.iter().all(|order| order["state"] == "fulfilled"));
    assert_eq!(summary["states"]["fulfilled"], 400, "{summary}");
    november.expect_true_results();
}

/// Ctrl-C is heard behind a pipe that is full: no row is sent from then on, and none is lost.
#[test]
fn a_reader_that_stalls_holds_up_no_interrupt() {
    let shop = slow_shop(&["--balance", "1000000"]);
    let _ = shop.sheet("november.csv").customers(3_000);
    let running = shop.start(&["batch", "november.csv", "--yes", "-o", "jsonl"]);
    shop.await_states("rows behind a full pipe", |states| {
        states.get("fulfilled").is_some_and(|rows| *rows >= 400)
    });
    running.signal("INT");
    let made = shop.provider.await_rest().orders();
    assert!(made < 3_000, "the interrupt was not heard");
    let ended = running.finish().expect_exit(130);
    let (orders, summary) = json_lines(&ended);
    assert_eq!(summary["stopped"], "interrupted", "{summary}");
    assert_eq!(summary["states"]["fulfilled"], orders.len(), "{summary}");
    assert_eq!(summary["states"]["planned"], 3_000 - made, "{summary}");
    assert!(summary["states"]["unknown"].is_null(), "{summary}");
    assert_eq!(shop.books().orders(), made);
    shop.books().expect_no_doubles();
}

/// All rows have ended, and only the reader is waited for: the second Ctrl-C leaves, and the results are whole.
#[test]
fn a_reader_that_never_reads_can_be_left() {
    let shop = slow_shop(&[]);
    let november = shop.sheet("november.csv").customers(400);
    let mut running = shop.start(&["batch", "november.csv", "--yes", "-o", "jsonl"]);
    shop.await_states("the end of all rows", |states| {
        states.get("fulfilled") == Some(&400)
    });
    for _ in 0..50 {
        if running.has_ended() {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(200));
        running.signal("INT");
    }
    assert!(running.has_ended(), "it waits for the reader");
    running
        .finish()
        .expect_exit(130)
        .expect_error("interrupted")
        .expect_said(["400 fulfilled"]);
    november.expect_true_results();
}

/// `--no-wait` leaves accepted rows to a later run.
#[test]
fn without_waiting_accepted_rows_are_8() {
    let shop = Shop::open_with(&["--switch", "order_seconds=3600"]);
    let november = shop.sheet("november.csv").customers(5);
    let left = november
        .batch(&["--yes", "--no-wait"])
        .expect_exit(8)
        .expect_posts(5);
    assert_eq!(left.rows("accepted"), 5, "{left:?}");
    shop.provider.advance(3600);
    november.send().expect_exit(0).expect_posts(5);
    november.expect_true_results();
}

/// A provider that asks to wait means everybody: the requests on their way are refused, and no other leaves.
#[test]
fn a_pause_that_the_provider_asks_for_holds_for_all_connections() {
    const CONNECTIONS: u64 = 16;
    let shop = Shop::open_with(&["--latency", "20ms", "--balance", "1000000"])
        .set("ONECLICKDZ_CONCURRENCY", CONNECTIONS.to_string())
        .switches(["retry_after=huge"]);
    let november = shop.sheet("november.csv").customers(1_500);
    let running = november.start(&[]);
    shop.provider
        .await_books("the first POSTs", |books| books.calls("send") >= 2 * CONNECTIONS);
    shop.provider.set_faults(&["rate_limited=100%"]);
    let refused = |books: &crate::provider::Books| books.0["answers"]["429"].as_u64().unwrap_or_default();
    shop.provider.await_books("a refusal", |books| refused(books) > 0);
    let settled = shop.provider.await_rest();
    assert!(refused(&settled) <= CONNECTIONS, "{}", settled.0);
    running.signal("INT");
    running.finish().expect_exit(130);
    assert_eq!(
        refused(&shop.books()),
        refused(&settled),
        "one left behind the stop"
    );
    shop.provider.set_faults(&[]);
    november.send().expect_exit(0);
    november.expect_each_paid_once();
    november.expect_true_results();
}

/// A provider that goes away draws few rows in: the others stay where they are until it is back.
#[test]
fn a_provider_that_goes_away_draws_few_rows_in() {
    const CONNECTIONS: i64 = 4;
    let kept = tempfile::tempdir().or_fail("no temporary directory");
    let store = kept.path().join("books").display().to_string();
    let flags = ["--latency", "20ms", "--store", &store];
    let shop = Shop::open_with(&flags)
        .set("ONECLICKDZ_CONCURRENCY", CONNECTIONS.to_string())
        .set("ONECLICKDZ_RETRY_DELAY", "3s");
    let november = shop.sheet("november.csv").customers(400);
    let running = november.start(&[]);
    shop.provider
        .await_books("the first POSTs", |books| books.calls("send") >= 10);
    shop.provider.close();
    let drawn_in = || shop.count("SELECT count(*) FROM attempts WHERE answer LIKE 'not sent%'");
    let (mut last, mut quiet) = (0, 0);
    for _ in 0..300 {
        std::thread::sleep(std::time::Duration::from_millis(30));
        let now = drawn_in();
        quiet = if now == last { quiet + 1 } else { 0 };
        last = now;
        if last > 0 && quiet == 10 {
            break;
        }
    }
    assert!(last > 0, "none waits for its next try");
    assert!(last <= 3 * CONNECTIONS, "{last} rows wait for their next try");
    running.signal("INT");
    running.finish().expect_exit(130);
    shop.provider.open_again(shop.home(), &flags);
    november.send().expect_exit(0);
    november.expect_each_paid_once();
    november.expect_true_results();
}

/// The system lets a file grow no further: that is a disk that is full, and no sudden end.
#[test]
fn a_limit_on_the_size_of_files_is_a_full_disk() {
    let shop = Shop::open_with(&["--balance", "1000000"]);
    shop.run(&["plans"]).expect_exit(0);
    let november = shop.sheet("november.csv").customers(1_500);
    // In blocks of 512 bytes.
    shop.shell("ulimit -f 1000; oneclick batch november.csv --yes -o json")
        .expect_exit(10);
    november.send().expect_exit(0);
    november.expect_each_paid_once();
    november.expect_true_results();
}

/// A row has become dearer than it was when somebody consented: it waits until they are asked again.
#[test]
fn no_more_is_sent_than_was_consented_to() {
    let shop = slow_shop(&[]);
    let november = shop.sheet("november.csv").customers(100);
    let running = november.start(&[]);
    shop.provider
        .await_books("the first POSTs", |books| books.calls("send") >= 2);
    shop.rewrite("UPDATE sheet_rows SET amount = 200 WHERE row = 101");
    let stopped = running
        .finish()
        .expect_exit(9)
        .expect_error("over_consent")
        .expect_posts(99);
    assert_eq!(
        (stopped.rows("fulfilled"), stopped.rows("planned")),
        (99, 1),
        "{stopped:?}"
    );
    assert_eq!(stopped.json()["stopped"], "consent");
    shop.shell(&stopped.next()).expect_exit(0).expect_posts(100);
}
