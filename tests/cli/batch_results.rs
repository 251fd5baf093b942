//! What a batch leaves behind: results with the caller's own cells, the rows to be mended and sent again, an order a
//! line for programs, and a summary.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::outcome::Running;
use crate::support::{OrFail, Shop};

/// Cells as people write them: Arabic, formulas, quotes, separators.
const NOTES: [&str; 4] = [
    "زبون جديد، الجزائر",
    "=HYPERLINK(\"http://x\")",
    "a \"quoted\", note",
    "@cmd|' /C calc'!A0",
];

#[test]
fn results_carry_the_callers_cells_and_run_no_formula() {
    let shop = Shop::open();
    let mut november = shop.sheet("november.csv").columns("phone,الاسم,amount,note");
    for (row, note) in NOTES.iter().enumerate() {
        november = november.row_of(&[&format!("077803734{row}"), "محمد", "500", note]);
    }
    november.send().expect_exit(0);
    november.expect_true_results();
    let records = shop.records(&november.results());
    for (row, (record, note)) in records.iter().zip(NOTES).enumerate() {
        assert_eq!(record["phone"], format!("077803734{row}"));
        assert_eq!(record["الاسم"], "محمد");
        let cell = &record["note"];
        assert!(cell.contains(note), "{cell}");
        assert!(
            !cell.starts_with(['=', '+', '-', '@']),
            "a spreadsheet would run `{cell}`"
        );
        assert_eq!(record["row"], (row + 2).to_string());
        // Our own names give way to the caller's.
        assert_eq!(record["oneclick_amount"], "500");
        assert!(record.contains_key("oneclick_phone") && record.contains_key("oneclick_note"));
    }
}

/// The names behind the caller's, in their order: scripts read them.
#[test]
fn the_columns_of_results_are_a_contract() {
    let shop = Shop::open();
    let november = shop
        .sheet("november.csv")
        .columns("phone,amount")
        .row("0778037340,500");
    november.send().expect_exit(0);
    let text = shop.read("november.results.csv");
    let header = text
        .lines()
        .next()
        .or_fail("no header")
        .trim_start_matches('\u{feff}');
    let ours = "row,ref,state,oneclick_phone,plan,operator,oneclick_amount,cost,topup_id,provider_status,attempts,message,\
                request_id,created_at,updated_at,settled_by,note";
    assert_eq!(header, format!("phone,amount,{ours}"));
}

/// In the dialect of the sheet, so that the same spreadsheet opens it.
#[test]
fn results_of_a_french_sheet_open_in_a_french_excel() {
    let shop = Shop::open();
    let november = shop
        .sheet("november.csv")
        .row("+213778037340,500")
        .row("0778037341,500")
        .saved_by_excel();
    november.send().expect_exit(0);
    let records = shop.records("november.results.csv");
    let phones: Vec<_> = records
        .iter()
        .map(|record| record["oneclick_phone"].as_str())
        .collect();
    assert_eq!(phones, ["0778037340", "0778037341"]);
    assert_eq!(
        records[0]["phone"], "'+213778037340",
        "a spreadsheet would bend it"
    );
    // The results are a sheet again: the same rows, which are done.
    shop.batch(&["november.results.csv", "--label", "november", "--yes"])
        .expect_exit(0)
        .expect_posts(2);
}

/// Whatever the caller calls its columns: the results of a French sheet are a sheet again too, and known as this batch's
/// when the sheet has changed.
#[test]
fn results_under_names_of_other_languages_are_a_sheet_again() {
    let shop = Shop::open();
    let rows = ["0661234567,300", "0661234568,400"];
    let november = shop.sheet("november.csv").row(rows[0]).row(rows[1]);
    november.send().expect_exit(0);
    for header in ["Numéro,Montant", "téléphone,المبلغ"] {
        let renamed = shop
            .sheet("november.csv")
            .columns(header)
            .row(rows[0])
            .row(rows[1]);
        renamed.send().expect_exit(0).expect_posts(2);
        shop.batch(&["november.results.csv", "--label", "november", "--yes"])
            .expect_exit(0)
            .expect_posts(2);
        // As a batch of its own it is known by its refs.
        shop.batch(&["november.results.csv", "--yes"])
            .expect_exit(0)
            .expect_posts(2);
    }
    // Also where the sheet has a column for refs, and nothing in it.
    let empty = shop
        .sheet("december.csv")
        .columns("phone,amount,ref")
        .row("0661234570,300,");
    empty.send().expect_exit(0).expect_posts(3);
    let again = shop
        .batch(&["december.results.csv", "--yes", "--again", "-o", "json"])
        .expect_exit(0);
    assert_eq!(again.json()["already_done"], 1, "{again:?}");
    again.expect_posts(3);
    let added = shop.sheet("november.csv").columns("Numéro,Montant");
    let added = added.row(rows[0]).row(rows[1]).row("0661234569,500");
    let sent = added.send().expect_exit(0).expect_posts(4);
    assert!(!sent.stderr.contains("was not as this batch left it"), "{sent:?}");
    assert!(!shop.home().join("november.results.1.csv").exists());
}

/// A retry file that is announced is there: written again where it could not be, and where it was taken away.
#[test]
fn a_retry_file_that_is_missing_comes_with_the_next_run() {
    let shop = Shop::open();
    let november = shop.sheet("november.csv").customers(1).row("0600000001,500");
    let place = shop.home().join("november.retry.csv");
    fs::create_dir(&place).or_fail("no directory");
    november.send().expect_error("results_unwritten");
    november.send().expect_error("results_unwritten");
    fs::remove_dir(&place).or_fail("not removed");
    for _ in 0..2 {
        november.send().expect_exit(5).expect_hint("november.retry.csv");
        assert_eq!(shop.records("november.retry.csv").len(), 1);
        fs::remove_file(&place).or_fail("not removed");
    }
    november.send().expect_exit(5);
    shop.books().expect_no_doubles();
}

/// stdout that takes nothing takes nothing from the exit code.
#[cfg(target_os = "linux")]
#[test]
fn what_is_unknown_is_told_where_stdout_is_full() {
    let shop = Shop::open().faults(["request_lost=100%"]);
    let _ = shop.sheet("november.csv").customers(2);
    shop.shell("oneclick batch november.csv --yes -o json > /dev/full")
        .expect_exit(6)
        .expect_error("outcome_unknown")
        .expect_said(["can't be written to stdout"]);
    // Asked about they are proved absent, and planned again.
    for (line, code) in [
        ("oneclick ref check > /dev/full", 8),
        (
            "oneclick send --plan PREPAID_DJEZZY --phone 0778037340 --amount 700 > /dev/full",
            6,
        ),
    ] {
        shop.shell(line)
            .expect_exit(code)
            .expect_said(["can't be written to stdout"]);
    }
}

/// Orders that stdout does not take as they end show in the exit code, and take nothing from the results; a reader that
/// has gone is no failure.
#[cfg(target_os = "linux")]
#[test]
fn lines_that_stdout_does_not_take_show_at_the_end() {
    let shop = Shop::open();
    for (name, target, code) in [("full.csv", "> /dev/full", 10), ("gone.csv", "| true", 0)] {
        let sheet = shop.sheet(name).customers(20);
        let line = format!("{{ oneclick batch {name} --yes --again -o jsonl; echo $? > code; }} {target}");
        let ended = shop.shell(&line);
        assert_eq!(shop.read("code").trim(), code.to_string(), "{ended:?}");
        if code == 10 {
            assert_eq!(ended.error()["code"], "results_unwritten", "{ended:?}");
        }
        assert_eq!(shop.records(&sheet.results()).len(), 20, "{ended:?}");
    }
}

/// What was surely not delivered stands in a sheet of its own: mended, it is sent, and nothing else with it.
#[test]
fn the_retry_file_is_a_sheet() {
    let shop = Shop::open();
    let november = shop
        .sheet("november.csv")
        .customers(3)
        .row("0600000001,500")
        .row("0600000002,600");
    let ended = november.send().expect_exit(5).expect_error("partial");
    assert_eq!(
        (ended.rows("refunded"), ended.rows("fulfilled")),
        (2, 3),
        "{ended:?}"
    );
    ended.expect_hint("november.retry.csv");
    let retry = shop.records("november.retry.csv");
    let phones: Vec<_> = retry.iter().map(|record| record["phone"].as_str()).collect();
    assert_eq!(phones, ["0600000001", "0600000002"]);
    assert!(
        retry.iter().all(|record| record["why"].starts_with("refunded")),
        "{retry:?}"
    );
    // As it is it may be sent, under its own name; with mended numbers each is paid.
    let mended = shop
        .read("november.retry.csv")
        .replace("0600000001", "0661234567")
        .replace("0600000002", "0661234568");
    fs::write(shop.home().join("november.retry.csv"), mended).or_fail("the file can't be mended");
    shop.batch(&["november.retry.csv", "--yes"])
        .expect_exit(0)
        .expect_posts(7);
    assert_eq!(shop.paid()[&("0661234568".to_owned(), 600)], 1);
    assert!(
        !shop.home().join("november.retry.retry.csv").exists(),
        "nothing is left to mend"
    );
}

/// What flags had filled is not in the file, and its name is not the batch's: the command that is printed has both.
#[test]
fn the_command_for_the_retry_file_sells_the_same_again() {
    let shop = Shop::open();
    let sheet = shop.sheet("november.csv").columns("phone").row("0600000001");
    for label in ["first", "second"] {
        let flags = [
            "--yes",
            "--plan",
            "GETMENU_Mobilis",
            "--amount",
            "200",
            "--label",
            label,
        ];
        let ended = sheet.batch(&[&flags[..], &["--again"]].concat()).expect_exit(5);
        let hints = ended.error()["hints"].to_string();
        let retry = hints
            .split('`')
            .find(|hint| hint.starts_with("oneclick batch"))
            .or_fail("no command");
        assert!(retry.ends_with(&format!("--label {label}.retry")), "{retry}");
        let dry = shop.shell(&format!("{retry} -n -o json")).expect_exit(0).json();
        let plan = &dry["to_send"]["plans"][0];
        assert_eq!(
            (&plan["plan"], &plan["rows"], &plan["face"]),
            (&"GETMENU_Mobilis".into(), &1.into(), &200.into()),
            "{dry}"
        );
        shop.shell(&format!("{retry} --yes -o json")).expect_exit(5);
    }
    assert_eq!(shop.books().orders(), 4);
}

/// A row that is refused before anything is made stands there with the provider's reason; a ref of its own is used up.
#[test]
fn a_refused_row_is_to_be_mended_under_the_next_ref() {
    let shop = Shop::open().switches(["operator_check=on"]);
    let november = shop
        .sheet("november.csv")
        .columns("ref,phone,plan,amount")
        .row("order-1,0661234567,PREPAID_DJEZZY,500")
        .row("order-2,0778037340,PREPAID_DJEZZY,500");
    let ended = november.send().expect_exit(5);
    assert_eq!(
        (ended.rows("rejected"), ended.rows("fulfilled")),
        (1, 1),
        "{ended:?}"
    );
    let retry = shop.records("november.retry.csv");
    assert_eq!((retry.len(), retry[0]["ref"].as_str()), (1, "order-1-r2"));
    assert!(retry[0]["why"].contains("rejected"), "{retry:?}");
    shop.provider.set_switch("operator_check=off");
    shop.batch(&["november.retry.csv", "--yes"]).expect_exit(0);
    let books = shop.books();
    assert_eq!(
        (books.count("order-1"), books.count("order-1-r2"), books.orders()),
        (0, 1, 2)
    );
    // The first one stays refused under its own name.
    november.send().expect_exit(5);
    assert_eq!(shop.books().orders(), 2);
}

/// What a run that was killed had left undelivered is to be mended too; and what has been mended is left alone.
#[test]
fn the_retry_file_has_the_rows_of_killed_runs_and_is_the_operators_from_then_on() {
    let shop = Shop::open_with(&["--latency", "5ms"]).set("ONECLICKDZ_SEND_TIMEOUT", "30s");
    shop.provider.set_switch("operator_check=on");
    let november = shop
        .sheet("november.csv")
        .columns("phone,plan,amount")
        .row("0661234567,PREPAID_DJEZZY,500")
        .row("0778037340,PREPAID_DJEZZY,500");
    shop.run(&["plans"]).expect_exit(0);
    shop.provider.set_faults(&["hang_after@2"]);
    let running = november.start(&[]);
    shop.await_states("the first row is refused", |states| {
        states.get("rejected") == Some(&1) && states.get("sending") == Some(&1)
    });
    running.kill();
    assert!(!shop.home().join("november.retry.csv").exists(), "too early");
    shop.provider.set_faults(&[]);
    november.send().expect_exit(5);
    let retry = shop.records("november.retry.csv");
    assert_eq!((retry.len(), retry[0]["phone"].as_str()), (1, "0661234567"));

    let mended = shop
        .read("november.retry.csv")
        .replace("0661234567", "0770000001");
    fs::write(shop.home().join("november.retry.csv"), &mended).or_fail("the file can't be mended");
    november.send().expect_exit(5);
    assert_eq!(shop.read("november.retry.csv"), mended);
}

/// The retry file is that of the rows that are undelivered now; what was mended in an older one is kept beside it.
#[test]
fn the_retry_file_follows_the_sheet_and_keeps_what_was_mended() {
    let shop = Shop::open();
    shop.sheet("november.csv")
        .row("0600000001,500")
        .customers(1)
        .send()
        .expect_exit(5);
    assert_eq!(shop.records("november.retry.csv")[0]["phone"], "0600000001");
    let mended = shop
        .read("november.retry.csv")
        .replace("0600000001", "0661111111");
    fs::write(shop.home().join("november.retry.csv"), &mended).or_fail("the file can't be mended");
    shop.sheet("november.csv")
        .row("0600000002,500")
        .customers(1)
        .send()
        .expect_exit(5);
    let retry = shop.records("november.retry.csv");
    assert_eq!((retry.len(), retry[0]["phone"].as_str()), (1, "0600000002"));
    assert_eq!(shop.read("november.retry.1.csv"), mended);
}

/// A file of another batch, another account or another program is never written over.
#[test]
fn what_others_have_written_is_kept() {
    let shop = Shop::open();
    let november = shop.sheet("november.csv").customers(2);
    fs::write(shop.home().join("november.results.csv"), "my own data\n").or_fail("no file");
    november.send().expect_exit(0);
    assert_eq!(shop.read("november.results.1.csv"), "my own data\n");
    november.expect_true_results();
    let real = shop.read("november.results.csv");
    // The same sheet in another batch, which writes to the same place.
    let other = ["november.csv", "--yes", "--label", "other", "--again"];
    shop.batch(&other).expect_exit(0);
    assert_eq!(shop.read("november.results.2.csv"), real);
    // Its own results a batch writes anew, as often as it likes.
    let spoiled = shop.read("november.results.csv") + "\n";
    fs::write(shop.home().join("november.results.csv"), spoiled).or_fail("no file");
    shop.batch(&other).expect_exit(0);
    assert!(!shop.home().join("november.results.3.csv").exists());
}

/// What is left out is counted for scripts, and every row of it is named.
#[test]
fn rows_that_are_left_out_are_named_and_counted() {
    let shop = Shop::open();
    let mut sheet = shop
        .sheet("november.csv")
        .customers(2)
        .row("0770000001,100")
        .row("0770000001,100");
    for number in 0..30 {
        sheet = sheet.row(&format!("bad{number},100"));
    }
    let sent = sheet.batch(&["--yes", "--skip-bad"]).expect_exit(0);
    assert_eq!(
        sent.json()["left_out"],
        serde_json::json!({ "bad": 30, "repeats": sent.json()["left_out"]["repeats"] })
    );
    let rows = sent.json()["total"].as_u64().unwrap_or_default();
    let repeats = sent.json()["left_out"]["repeats"].as_u64().unwrap_or_default();
    assert_eq!((rows + repeats, repeats > 0), (4, true), "{sent:?}");
    for number in 0..30 {
        assert!(
            sent.stderr.contains(&format!("`bad{number}`")),
            "{number}: {sent:?}"
        );
    }
}

#[test]
fn results_go_where_they_are_wanted() {
    let shop = Shop::open();
    let november = shop.sheet("november.csv").customers(2).row("0600000001,500");
    fs::create_dir(shop.home().join("out")).or_fail("no directory");
    let ended = november
        .batch(&["--yes", "--results", "out/done.csv"])
        .expect_exit(5);
    assert_eq!(ended.json()["results"], "out/done.csv");
    assert_eq!(shop.records("out/done.csv").len(), 3);
    assert_eq!(shop.records("out/done.retry.csv").len(), 1);
    assert!(!shop.home().join("november.results.csv").exists());
}

/// A place where nothing can be written is refused before money moves.
#[test]
fn results_that_cannot_be_written_stop_the_batch_before_it_sends() {
    let shop = Shop::open();
    let november = shop.sheet("november.csv").customers(2);
    november
        .batch(&["--yes", "--results", "no/such/place.csv"])
        .expect_exit(2)
        .expect_error("results_unwritable")
        .expect_hint("--results")
        .expect_no_post();
    november.send().expect_exit(0).expect_posts(2);
}

/// Whatever was in the file: after a kill and a run it is whole, and in the order of the sheet.
#[test]
fn results_are_whole_after_a_kill() {
    let shop = Shop::open_with(&["--latency", "5ms"]).set("ONECLICKDZ_CONCURRENCY", "4");
    let november = shop.sheet("november.csv").customers(40);
    for orders in [10, 20, 30] {
        let running = november.start(&[]);
        shop.provider
            .await_books("rows", |books| books.orders() >= orders);
        running.kill();
        // What is there is whole: each line has all its cells, and says what the books say.
        for record in shop.records("november.results.csv") {
            assert_eq!(shop.books().count(&record["ref"]), 1, "{record:?}");
        }
    }
    november.send().expect_exit(0);
    november.expect_true_results();
    let rows: Vec<_> = shop
        .records("november.results.csv")
        .iter()
        .map(|record| record["row"].parse::<u32>().or_fail("no row"))
        .collect();
    assert_eq!(rows, (2..42).collect::<Vec<_>>());
    fs::remove_file(shop.home().join("november.results.csv")).or_fail("it can't be deleted");
    november.send().expect_exit(0).expect_posts(40);
    november.expect_true_results();
}

const SUMMARY_KEYS: [&str; 17] = [
    "batch",
    "file",
    "total",
    "already_done",
    "states",
    "face",
    "cost",
    "calls",
    "elapsed_s",
    "stopped",
    "next",
    // Added to the contract's.
    "results",
    "gone",
    "elsewhere",
    "retry",
    "left_out",
    "type",
];

fn keys(value: &Value) -> BTreeSet<&str> {
    let fields = value.as_object().into_iter().flatten();
    fields.map(|(key, _)| key.as_str()).collect()
}

#[test]
fn json_is_the_summary_alone() {
    let shop = Shop::open();
    let sent = shop.sheet("november.csv").customers(3).send().expect_exit(0);
    let summary = sent.json();
    let mut known = BTreeSet::from(SUMMARY_KEYS);
    known.remove("type");
    assert_eq!(keys(&summary), known, "{sent:?}");
    assert_eq!(
        keys(&summary["calls"]),
        BTreeSet::from(["send", "list", "check", "other"])
    );
}

/// An order as it ends, in the same shape as everywhere, then the summary.
#[test]
fn json_lines_are_an_order_each_and_the_summary() {
    let shop = Shop::open();
    let november = shop.sheet("november.csv").customers(5).row("0600000001,500");
    let sent = november.typed(&["--yes", "-o", "jsonl"]).expect_exit(5);
    let lines: Vec<Value> = sent
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).or_fail("a line is no JSON"))
        .collect();
    let (summary, orders) = lines.split_last().or_fail("no line");
    assert_eq!(
        (&summary["type"], orders.len()),
        (&"summary".into(), 6),
        "{sent:?}"
    );
    assert_eq!(keys(summary), BTreeSet::from(SUMMARY_KEYS));
    let listed = shop
        .run(&["ref", "list", "--batch", "november", "-o", "json"])
        .json();
    for order in orders {
        assert_eq!(keys(order), keys(&listed[0]));
        let reference = order["ref"].as_str().or_fail("no ref");
        let status = shop.books().status(reference).map(str::to_lowercase);
        assert_eq!(order["state"].as_str(), status.as_deref(), "{order}");
    }
    let refs: BTreeSet<_> = orders.iter().map(|order| order["ref"].to_string()).collect();
    assert_eq!(refs.len(), 6, "each once");
    // Nothing ends in a run that has nothing to do.
    let again = november.typed(&["--yes", "-o", "jsonl"]).expect_exit(5);
    assert_eq!(again.stdout.lines().count(), 1, "{again:?}");
}

/// Standard input is kept, so that the command that goes on needs no pipe.
#[test]
fn a_sheet_from_a_pipe_goes_on_by_the_command_that_is_named() {
    let shop = Shop::open();
    let text = shop.sheet("november.csv").customers(6).text();
    let words = [
        "batch",
        "-",
        "--yes",
        "--label",
        "from a pipe",
        "--limit",
        "2",
        "-o",
        "json",
    ];
    let first = shop.run_with(&words, &text).expect_posts(2);
    assert_eq!(
        (first.rows("fulfilled"), first.rows("planned")),
        (2, 4),
        "{first:?}"
    );
    let next = first.next().replace("--limit 2", "");
    let ended = shop.shell(&next).expect_exit(0).expect_posts(6);
    assert_eq!(ended.json()["batch"], "from a pipe", "{ended:?}");
    assert_eq!(shop.records("from a pipe.results.csv").len(), 6);
    // The same rows through the same pipe are done.
    let words = ["batch", "-", "--yes", "--label", "from a pipe"];
    shop.run_with(&words, &text).expect_exit(0).expect_posts(6);
}

/// Without a label of its own, a pipe's batch is `stdin`, and goes on as that.
#[test]
fn a_pipe_without_a_name_goes_on_as_well() {
    let shop = Shop::open();
    let text = shop.sheet("november.csv").customers(4).text();
    shop.run_with(&["batch", "-", "-o", "json"], &text)
        .expect_exit(2)
        .expect_error("consent")
        .expect_no_post();
    let first = shop
        .run_with(
            &["batch", "-", "--confirm-total=100", "--limit=1", "-o", "json"],
            &text,
        )
        .expect_posts(1);
    let next = first.next();
    shop.shell(&next.replace("--limit=1", "--limit=1 --confirm-total=100"))
        .expect_posts(2);
    shop.shell(&next.replace("--limit=1", "--confirm-total=200"))
        .expect_exit(0)
        .expect_posts(4);
    assert_eq!(shop.records("stdin.results.csv").len(), 4);
}

/// The first Ctrl-C is heard while nothing comes through a pipe that stays open, and the draft goes with the command.
#[test]
fn a_pipe_that_stalls_can_be_left() {
    let shop = Shop::open();
    let words = ["batch", "-", "--yes", "-o", "json"];
    let mut command = shop.command(&words);
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut process = command.spawn().or_fail("the command does not start");
    let mut pipe = process.stdin.take().or_fail("no pipe");
    pipe.write_all(b"phone,amount\n0661234567,500\n")
        .or_fail("not written");
    let drafts = shop.ledger_path().with_file_name("ledger.db.sheets");
    let mut running = Running::new(&shop, process, &words);
    await_that("the draft", || has_file(&drafts, "part", 28));
    running.signal("INT");
    await_that("its end", || running.has_ended());
    running
        .finish()
        .expect_exit(130)
        .expect_error("interrupted")
        .expect_no_post();
    assert_eq!(fs::read_dir(&drafts).or_fail("no directory").count(), 0);
    drop(pipe);
}

#[track_caller]
fn await_that(what: &str, mut holds: impl FnMut() -> bool) {
    let started = Instant::now();
    while !holds() {
        assert!(started.elapsed() < Duration::from_secs(10), "never seen: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Whether there is a file with such an ending and so many bytes.
fn has_file(directory: &Path, ending: &str, bytes: u64) -> bool {
    let files = fs::read_dir(directory).into_iter().flatten().flatten();
    let mut files = files.filter(|file| file.path().extension().is_some_and(|it| it == ending));
    files.any(|file| file.metadata().is_ok_and(|data| data.len() == bytes))
}
