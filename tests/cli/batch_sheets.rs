//! A sheet lives: it is sorted, saved anew, shortened, mended and added to between two runs, and carries refs of the
//! caller's own. What was sent stays sent, and only what is new goes.

use crate::sheet::Paid;
use crate::support::{OrFail, PHONE, PLAN, Shop};

/// The last line of `cells.md`: a finished file comes back from Excel in another order and another dialect, one row
/// shorter, one row mended and one row longer.
#[test]
fn of_an_edited_sheet_only_the_new_rows_are_sent() {
    let shop = Shop::open();
    let november = shop.sheet("november.csv").customers(6).row("0600000001,500");
    november.send().expect_exit(5).expect_posts(7);
    let before = shop.paid();
    let edited = november
        .mended(6, "0661234567,500")
        .without(2)
        .row("0778037340,900")
        .sorted()
        .saved_by_excel();
    assert!(edited.text().contains("0661234567;500\r\n"));
    let sent = edited.send().expect_posts(9);
    let mut all = before;
    all.insert(("0661234567".to_owned(), 500), 1);
    all.insert((PHONE.to_owned(), 900), 1);
    assert_eq!(shop.paid(), all, "{sent:?}");
    edited.send().expect_posts(9);
}

/// Saved anew without a change, it is the same sheet.
#[test]
fn saved_by_excel_it_is_the_same_sheet() {
    let shop = Shop::open();
    let november = shop.sheet("november.csv").customers(4);
    november.send().expect_exit(0);
    let saved = november.saved_by_excel().sorted();
    saved.send().expect_exit(0).expect_posts(4);
    saved.expect_each_paid_once();
    saved.expect_true_results();
    assert!(
        shop.read("november.results.csv")
            .lines()
            .next()
            .or_fail("no header")
            .starts_with("\u{feff}phone;amount;row;"),
        "the results speak the dialect of the sheet"
    );
}

/// A row that was planned and is not in the file any more is not meant any more.
#[test]
fn a_planned_row_that_was_deleted_is_not_sent() {
    let shop = Shop::open();
    let november = shop.sheet("november.csv").customers(5);
    november.batch(&["--yes", "--limit", "2"]).expect_posts(2);
    let shorter = november.without(3);
    let sent = shorter.send().expect_exit(0).expect_posts(4);
    assert_eq!((sent.rows("planned"), sent.rows("fulfilled")), (0, 4), "{sent:?}");
    shorter.expect_each_paid_once();
}

/// A row that is deleted leaves the second of two alike rows in its place: one of them was paid, one is still due.
#[test]
fn alike_rows_are_counted_and_not_numbered() {
    let shop = Shop::open();
    let november = shop
        .sheet("november.csv")
        .row("0778037340,500")
        .row("0778037341,500")
        .row("0778037340,500");
    november
        .batch(&["--yes", "--again"])
        .expect_exit(0)
        .expect_posts(3);
    let shorter = november.without(0);
    shorter.send().expect_exit(0).expect_posts(3);
    let longer = shorter.row("0778037340,500");
    longer.send().expect_exit(0).expect_posts(3);
    longer.expect_each_paid_once();
}

/// A ref cell is the row's identity: it is sent as it is written.
#[test]
fn refs_of_the_callers_own_are_kept() {
    let shop = Shop::open();
    let november = shop
        .sheet("november.csv")
        .columns("ref,phone,amount")
        .row("order-1,0778037340,500")
        .row("order-2,0778037341,500")
        .row("order-3,0778037340,500");
    let sent = november.send().expect_exit(0).expect_posts(3);
    assert!(
        sent.stderr.contains("repeat"),
        "a repeat under a ref of its own is told: {sent:?}"
    );
    november.expect_each_paid_once();
    let books = shop.books();
    let counts = ["order-1", "order-2", "order-3"].map(|reference| books.count(reference));
    assert_eq!(counts, [1, 1, 1]);
    november.sorted().send().expect_exit(0).expect_posts(3);
    shop.send_as("order-1", 500).expect_exit(0).expect_posts(3);
}

/// Refs that others gave are data, not paths: asked for after every answer was lost, each is found.
#[test]
fn refs_of_any_characters_are_found_again() {
    let shop = Shop::open().faults(["answer_lost"]).switches(["list=missing"]);
    let november = shop
        .sheet("november.csv")
        .columns("ref,phone,amount")
        .row("a/b c?d=e&f#g,0778037341,500")
        .row("../validate,0778037342,500")
        .row("فاتورة-12,0778037343,500")
        .row("100%,0778037344,500")
        .row("x%2Fy,0778037345,500");
    november.send().expect_exit(0).expect_posts(5);
    november.expect_each_paid_once();
    november.expect_true_results();
}

/// One ref is one order: on two lines it is a mistake, whether their details differ or not.
#[test]
fn a_ref_on_two_lines_refuses_the_sheet() {
    for second in ["order-1,0778037340,500", "order-1,0778037341,500"] {
        let shop = Shop::open();
        let november = shop
            .sheet("november.csv")
            .columns("ref,phone,amount")
            .row("order-1,0778037340,500")
            .row("order-2,0778037342,500")
            .row(second);
        let refused = november
            .send()
            .expect_exit(2)
            .expect_error("bad_rows")
            .expect_no_post();
        let message = refused.error()["message"].to_string();
        let is_told = ["line 4", "line 2", "order-1"]
            .iter()
            .all(|part| message.contains(part));
        assert!(is_told, "{refused:?}");
        november.batch(&["--yes", "--skip-bad"]).expect_posts(2);
        assert_eq!(shop.books().count("order-1"), 1);
    }
}

/// Rows are read and stored some hundreds at a time.
#[test]
fn a_sheet_of_any_length_is_read_to_its_last_row() {
    for length in [255, 256, 257, 511, 512, 513, 1_025] {
        let shop = Shop::open();
        let november = shop
            .sheet("november.csv")
            .columns("phone,amount")
            .customers(length);
        let shown = november.batch(&["-n"]).expect_exit(0);
        let to_send = &shown.json()["to_send"];
        let face = 100 * u64::from(length);
        assert_eq!(
            (&to_send["rows"], &to_send["face"]),
            (&length.into(), &face.into()),
            "{length}"
        );
        let bad = november.row("0778,500");
        let refused = bad.batch(&["-n"]).expect_exit(2).expect_error("bad_rows");
        let message = refused.error()["message"].to_string();
        assert!(
            message.contains(&format!("line {}", length + 2)),
            "{length}: {message}"
        );
        let rest = bad.batch(&["-n", "--skip-bad"]).expect_exit(0);
        assert_eq!(rest.json()["to_send"]["rows"], length, "{length}");
    }
}

/// Refs that come sorted are not sorted again.
#[test]
fn a_ref_on_two_lines_is_found_wherever_they_stand() {
    for refs in [
        ["order-1", "order-1", "order-2"],
        ["order-1", "order-2", "order-2"],
        ["order-2", "order-1", "order-2"],
        ["order-1", "", "order-1"],
        ["", "order-1", "order-1"],
    ] {
        let shop = Shop::open();
        let november = shop
            .sheet("november.csv")
            .columns("ref,phone,amount")
            .row_of(&[refs[0], "0778037340", "500"])
            .row_of(&[refs[1], "0778037341", "500"])
            .row_of(&[refs[2], "0778037342", "500"]);
        let refused = november.send().expect_exit(2).expect_no_post();
        let message = refused.error()["message"].to_string();
        assert!(message.contains("already"), "{refs:?}: {refused:?}");
    }
}

/// A ref that is another order here refuses the sheet; with the same details it is that order.
#[test]
fn a_ref_of_another_order_is_a_clash() {
    let shop = Shop::open();
    shop.send_as("order-1", 500).expect_exit(0);
    let november = shop
        .sheet("november.csv")
        .columns("ref,phone,amount")
        .row("order-1,0778037340,700")
        .row("order-2,0778037341,500");
    let refused = november
        .send()
        .expect_exit(2)
        .expect_error("bad_rows")
        .expect_posts(1);
    assert!(
        refused.error()["message"].to_string().contains("order-1"),
        "{refused:?}"
    );
    let mended = november.mended(0, "order-1,0778037340,500");
    mended.send().expect_exit(0).expect_posts(2);
    mended.expect_each_paid_once();
}

/// Where only the provider knows of the other order, the row is a conflict and makes nothing; the others are sent.
#[test]
fn a_ref_of_another_order_there_is_a_conflict() {
    let shop = Shop::open();
    shop.provider.make_order("order-1", PHONE, PLAN, 700);
    let november = shop
        .sheet("november.csv")
        .columns("ref,phone,amount")
        .row("order-1,0778037340,500")
        .row("order-2,0778037341,500");
    let ended = november.send().expect_exit(5);
    assert_eq!(
        (ended.rows("conflict"), ended.rows("fulfilled")),
        (1, 1),
        "{ended:?}"
    );
    let all = Paid::from([((PHONE.to_owned(), 700), 1), (("0778037341".to_owned(), 500), 1)]);
    assert_eq!(shop.paid(), all);
    november.send().expect_exit(5);
    assert_eq!(shop.paid(), all);
}

/// Each row has the plan of its cell; `auto` is the prepaid plan of its number.
#[test]
fn a_plan_column_is_obeyed() {
    let shop = Shop::open();
    let november = shop
        .sheet("november.csv")
        .columns("phone,plan,amount")
        .row("0778037340,auto,500")
        .row("0661234567,MIX500_MOBILIS,500")
        .row("0778037341,FACTURE_DJEZZY,100");
    november.send().expect_exit(0).expect_posts(3);
    let books = shop.books();
    let mut plans: Vec<_> = books.0["accepted"]
        .as_object()
        .into_iter()
        .flatten()
        .filter_map(|(_, order)| order["plan"].as_str())
        .collect();
    plans.sort_unstable();
    assert_eq!(plans, ["FACTURE_DJEZZY", "MIX500_MOBILIS", "PREPAID_DJEZZY"]);
}

/// Somebody saves the file while it is looked at: neither version is sent before it has been looked at again.
#[test]
fn a_sheet_that_changes_while_it_is_looked_at_is_not_sent() {
    let shop = Shop::open();
    shop.run(&["plans"]).expect_exit(0);
    // The balance is asked for behind the look at the rows, and keeps the command waiting.
    shop.provider.set_faults(&["hang_before:balance@1"]);
    let november = shop.sheet("november.csv").customers(3);
    let running = november.start(&[]);
    shop.provider
        .await_books("the question", |books| books.calls("balance") == 1);
    let november = november.row("0778037340,5000");
    running
        .finish()
        .expect_exit(2)
        .expect_error("sheet_changed")
        .expect_no_post();
    november.send().expect_exit(0);
    november.expect_each_paid_once();
}

/// What the catalogue no longer sells was sold before: those rows are done, and the others are told apart from them.
#[test]
fn rows_that_are_paid_need_nothing_of_todays_catalogue() {
    let shop = Shop::open();
    let november = shop
        .sheet("november.csv")
        .columns("phone,amount,note")
        .row("0778037340,8000,Amina")
        .row("0778037341,500,Karim");
    november.send().expect_exit(0).expect_posts(2);
    // There a send takes 5 000 DZD at most.
    shop.provider.set_switch("catalogue=guide");
    shop.run(&["plans", "--refresh"]).expect_exit(0);
    november.send().expect_exit(0).expect_posts(2);
    let november = november.row("0778037342,6000,Lina").row("0778037343,300,Omar");
    for more in [&["--yes"][..], &["--yes", "-v"]] {
        let refused = november.typed(more).expect_exit(2).expect_posts(2);
        assert!(refused.stderr.contains("line 4"), "{refused:?}");
        assert!(!refused.stderr.contains("line 2"), "{refused:?}");
    }
    let ended = november
        .batch(&["--yes", "--skip-bad"])
        .expect_exit(0)
        .expect_posts(3);
    let (json, records) = (ended.json(), shop.records("november.results.csv"));
    assert_eq!(json["left_out"]["bad"], 1, "{json}");
    assert_eq!(json["face"], 8800, "{json}");
    let notes: Vec<_> = records.iter().map(|record| record["note"].as_str()).collect();
    assert_eq!(notes, ["Amina", "Karim", "Omar"], "{records:?}");
}

/// The same with a cap that was lowered.
#[test]
fn rows_that_are_paid_are_above_no_cap() {
    let shop = Shop::open();
    let november = shop
        .sheet("november.csv")
        .columns("phone,amount,note")
        .row("0778037340,900,Amina")
        .row("0778037341,500,Karim");
    november.send().expect_exit(0).expect_posts(2);
    let shop_now = shop.set("ONECLICKDZ_MAX_PER_SEND", "600");
    let text = "phone,amount,note\n0778037341,500,Karim\n0778037340,900,Amina\n0778037342,700,Lina\n0778037343,300,Omar\n";
    std::fs::write(shop_now.home().join("november.csv"), text).or_fail("it can't be written");
    let refused = shop_now
        .batch(&["november.csv", "--yes", "-o", "json"])
        .expect_exit(9)
        .expect_error("max_per_send")
        .expect_posts(2);
    assert!(refused.stderr.contains("line 4"), "{refused:?}");
    assert!(!refused.stderr.contains("line 3"), "{refused:?}");
    shop_now
        .batch(&["november.csv", "--yes", "--skip-bad"])
        .expect_exit(0)
        .expect_posts(3);
    let records = shop_now.records("november.results.csv");
    let mut notes: Vec<_> = records.iter().map(|record| record["note"].as_str()).collect();
    notes.sort_unstable();
    assert_eq!(notes, ["Amina", "Karim", "Omar"], "{records:?}");
}
