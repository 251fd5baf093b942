//! Sheets as they should not be: each is refused as a whole with exit code 2, nothing is sent or planned, and the
//! message says which line, which column, which value, and what to do.

use std::fs;

use crate::outcome::Outcome;
use crate::support::{OrFail, Shop};

/// Nothing happened.
#[track_caller]
fn expect_refused<'shop>(shop: &Shop, refused: Outcome<'shop>) -> Outcome<'shop> {
    let refused = refused.expect_exit(2).expect_no_post();
    let hints = refused.error()["hints"].as_array().cloned().unwrap_or_default();
    assert!(!hints.is_empty(), "no hint\n{refused:?}");
    let listed = shop.batch(&["--list", "-o", "json"]).expect_exit(0).json();
    assert_eq!(listed, serde_json::json!([]), "{refused:?}");
    refused
}

fn message(refused: &Outcome<'_>) -> String {
    refused.error()["message"]
        .as_str()
        .or_fail("no message")
        .to_owned()
}

/// Phone, amount, and the column at fault.
const CELLS: &[(&str, &str, &str)] = &[
    ("2,13556E+11", "500", "phone"),
    ("5.55123E+8", "500", "phone"),
    ("055512345", "500", "phone"),
    ("05551234567", "500", "phone"),
    ("0215551234", "500", "phone"),
    ("0455123456", "500", "phone"),
    ("+33612345678", "500", "phone"),
    ("abc", "500", "phone"),
    ("0778037340 0778037341", "500", "phone"),
    ("=A1", "500", "phone"),
    ("0778037340", "1.000", "amount"),
    ("0778037340", "1,000", "amount"),
    ("0778037340", "0", "amount"),
    ("0778037340", "-500", "amount"),
    ("0778037340", "500,5", "amount"),
    ("0778037340", "500.50", "amount"),
    ("0778037340", "5e2", "amount"),
    ("0778037340", "abc", "amount"),
    ("0778037340", "99999999999999999999", "amount"),
    ("0778037340", "500 EUR", "amount"),
    ("0778037340", "=1+1", "amount"),
    ("0778037340", "99", "amount"),
    ("0778037340", "10001", "amount"),
    ("0778037340", "٥٠٠٫٥", "amount"),
];

/// One such row on line 4 of a good sheet: all of it is refused, and the cell is named.
#[test]
fn a_cell_that_cannot_be_told_refuses_the_sheet() {
    let shop = Shop::open();
    for (phone, amount, column) in CELLS {
        let sheet = shop
            .sheet("hostile.csv")
            .customers(2)
            .row_of(&[phone, amount])
            .row("0550123456,500");
        let refused = expect_refused(&shop, sheet.send());
        let said = message(&refused);
        let value = if *column == "phone" { phone } else { amount };
        for part in ["line 4", column, value] {
            assert!(
                said.contains(part),
                "`{part}` is not named for {phone};{amount}: {said}"
            );
        }
    }
}

#[test]
fn an_empty_cell_is_named_as_well() {
    let shop = Shop::open();
    for (row, column) in [(&["", "500"], "phone"), (&["0778037340", ""], "amount")] {
        let sheet = shop.sheet("hostile.csv").customers(2).row_of(row);
        let refused = expect_refused(&shop, sheet.send());
        let said = message(&refused);
        assert!(said.contains("line 4") && said.contains(column), "{said}");
    }
}

#[test]
fn a_plan_or_ref_that_cannot_be_is_named() {
    let shop = Shop::open();
    for (plan, reference, part) in [
        ("PREPAID_DJEZY", "order-9", "PREPAID_DJEZY"),
        ("MIX1000_OOREDOO", "order-9", "MIX1000_OOREDOO"),
        ("", "order-9", "plan"),
        ("PREPAID_DJEZZY", "a\u{7}b", "ref"),
    ] {
        let sheet = shop
            .sheet("hostile.csv")
            .columns("phone,amount,plan,ref")
            .row("0778037341,500,auto,order-1")
            .row_of(&["0778037340", "500", plan, reference]);
        let refused = expect_refused(&shop, sheet.send());
        let said = message(&refused);
        assert!(said.contains("line 3") && said.contains(part), "{said}");
    }
}

/// What each file says, and the word for scripts.
#[test]
fn a_file_that_is_no_sheet_is_refused() {
    let long = format!("phone,amount\n0778037340,{}\n", "5".repeat(2 << 20));
    let files: &[(&str, &[u8], &str)] = &[
        (
            "an Excel workbook",
            b"PK\x03\x04\x14\x00\x06\x00\x08\x00workbook",
            "sheet_not_csv",
        ),
        (
            "an old workbook",
            b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1workbook",
            "sheet_not_csv",
        ),
        ("a PDF", b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n", "sheet_not_csv"),
        ("nothing", b"", "sheet_no_rows"),
        ("a mark", b"\xef\xbb\xbf", "sheet_no_rows"),
        ("a header", b"phone,amount\n", "sheet_no_rows"),
        ("blank rows", b"phone,amount\n,\n\n,,\n", "sheet_no_rows"),
        ("zeros", b"phone,amount\n0778037340,5\x0000\n", "sheet_binary"),
        (
            "an open quote",
            b"phone,amount\n0778037340,\"500\n0778037341,500\n",
            "sheet_open_quote",
        ),
        (
            "half a character",
            b"phone,amount,note\n0778037341,500,\xd8\xb2\n0778037340,500,\xd8",
            "sheet_cut",
        ),
        (
            "two phones",
            b"phone,mobile,amount\n0778037340,0778037341,500\n",
            "sheet_column_twice",
        ),
        ("no phones", b"name,amount\nAli,500\n", "sheet_header"),
        (
            "a strange separator",
            b"sep=|\nphone|amount\n0778037340|500\n",
            "sheet_separator",
        ),
        ("a long line", long.as_bytes(), "sheet_line_too_long"),
        (
            "four columns without a header",
            b"0778037340,500,600,700\n",
            "sheet_shape",
        ),
    ];
    let shop = Shop::open();
    for (what, bytes, code) in files {
        fs::write(shop.home().join("hostile.csv"), bytes).or_fail("it can't be written");
        let refused = expect_refused(&shop, shop.batch(&["hostile.csv", "--yes", "-o", "json"]));
        assert_eq!(refused.error()["code"], *code, "{what}: {refused:?}");
    }
}

#[test]
fn a_place_that_is_no_file_is_refused() {
    let shop = Shop::open();
    fs::create_dir(shop.home().join("november.csv")).or_fail("no directory");
    let cases = [
        ("november.csv", "sheet_not_a_file"),
        ("december.csv", "sheet_unreadable"),
        ("/dev/null", "sheet_not_a_file"),
    ];
    for (file, code) in cases {
        let refused = expect_refused(&shop, shop.batch(&[file, "--yes", "-o", "json"]));
        assert_eq!(refused.error()["code"], code, "{refused:?}");
        assert!(message(&refused).contains(file), "{refused:?}");
    }
    assert_eq!(
        (shop.books().calls("balance"), shop.books().calls("plans")),
        (0, 0),
        "nobody is asked about what can't be read"
    );
}

/// A row that was cut in its middle, as by a full disk, is not half an amount.
#[test]
fn a_cut_row_is_not_paid() {
    let shop = Shop::open();
    for text in [
        "phone,amount\n0778037340,500\n0778037341,50",
        "phone,amount,note\n0778037340,500,a\n0778037341,50",
    ] {
        fs::write(shop.home().join("hostile.csv"), text).or_fail("it can't be written");
        let ended = shop.batch(&["hostile.csv", "--yes", "-o", "json"]);
        // A last line without its end is usual; one without its cells is cut.
        if text.contains("note") {
            let refused = expect_refused(&shop, ended);
            assert!(message(&refused).contains("line 3"), "{refused:?}");
        } else {
            ended.expect_exit(2);
        }
        assert_eq!(shop.books().orders(), 0);
    }
}

/// Google Sheets writes no line end behind the last row: there the total proves that nothing is missing.
#[test]
fn a_total_proves_that_a_last_line_is_not_cut() {
    let shop = Shop::open();
    let text = "phone,amount\r\n0778037340,500\r\n0778037341,500";
    fs::write(shop.home().join("sheet.csv"), text).or_fail("it can't be written");
    let typed = |more: &[&str]| shop.batch(&[&["sheet.csv", "-o", "json"], more].concat());
    let refused = typed(&["--yes"]).expect_exit(2).expect_no_post();
    assert!(message(&refused).contains("--expect-total"), "{refused:?}");
    typed(&["--yes", "--expect-total", "5500"])
        .expect_exit(2)
        .expect_error("not_expected")
        .expect_no_post();
    // That of the rows which a limit lets through says nothing of the last one.
    let limited = ["--limit", "1", "--confirm-total", "500"];
    typed(&limited)
        .expect_exit(2)
        .expect_error("bad_rows")
        .expect_no_post();
    typed(&["--yes", "--expect-total", "1000"])
        .expect_exit(0)
        .expect_posts(2);
    typed(&["--yes"]).expect_exit(0).expect_posts(2);
}

/// The total that consents is compared with the sheet's as well.
#[test]
fn a_confirmed_total_proves_that_a_last_line_is_not_cut() {
    let shop = Shop::open();
    let text = "phone,amount\r\n0778037340,500\r\n0778037341,500";
    fs::write(shop.home().join("sheet.csv"), text).or_fail("it can't be written");
    let typed = |total: &str| shop.batch(&["sheet.csv", "-o", "json", "--confirm-total", total]);
    typed("5500")
        .expect_exit(2)
        .expect_error("total_not_confirmed")
        .expect_no_post();
    typed("1000").expect_exit(0).expect_posts(2);
}

/// What is wrong with the only bad row is said once.
#[test]
fn one_bad_row_is_told_once() {
    let shop = Shop::open();
    let sheet = shop
        .sheet("one.csv")
        .row_of(&["0778037340", "500"])
        .row_of(&["077803734", "500"]);
    let refused = sheet.typed(&["--yes"]).expect_exit(2).expect_no_post();
    assert_eq!(refused.stderr.matches("line 3").count(), 1, "{refused:?}");
    let sheet = sheet.row_of(&["077803735", "500"]);
    let refused = sheet.typed(&["--yes"]).expect_exit(2).expect_no_post();
    assert_eq!(refused.stderr.matches("line 4").count(), 1, "{refused:?}");
}

/// Control characters of a cell reach neither the terminal nor the log of a script as they are.
#[test]
fn what_a_cell_says_is_said_harmlessly() {
    let shop = Shop::open();
    let sheet = shop
        .sheet("hostile.csv")
        .row_of(&["0778\u{1b}[31m037340x", "500"])
        .row_of(&["\u{202e}0778037340x", "500"]);
    let refused = sheet.typed(&["--yes"]).expect_exit(2).expect_no_post();
    assert!(!refused.stderr.contains(['\u{1b}', '\u{202e}']), "{refused:?}");
}

/// Words of the command line that mean nothing here.
#[test]
fn what_cannot_be_parsed_is_2() {
    let shop = Shop::open();
    let november = shop.sheet("november.csv").customers(2);
    for words in [
        &[][..],
        &["november.csv", "--yes", "--limit", "0"],
        &["november.csv", "--yes", "--amount", "5.5"],
        &["november.csv", "--confirm-total", "six hundred"],
        &["november.csv", "--yes", "--expect-count", "-1"],
        &["november.csv", "--yes", "--label", ""],
        &["november.csv", "december.csv"],
        &["november.csv", "--list"],
    ] {
        shop.batch(words).expect_exit(2).expect_no_post();
    }
    assert_eq!(shop.books().all_calls(), 0);
    november.send().expect_exit(0);
}

/// What can't be done is not advised: there are no other rows to send, and no cell to fill.
#[test]
fn a_sheet_without_a_good_row_is_told_what_would_help() {
    let shop = Shop::open();
    let refused = shop
        .sheet("phones.csv")
        .columns("phone")
        .row("0661234567")
        .row("0661234568")
        .send();
    let refused = refused.expect_exit(2).expect_error("bad_rows").expect_no_post();
    let error = refused.error();
    assert!(error["message"].to_string().contains("`--amount`"), "{error}");
    assert!(!error["hints"].to_string().contains("--skip-bad"), "{error}");
}

/// The rows to be mended stand beside the results, and never where the sheet stands.
#[test]
fn rows_to_be_mended_are_not_written_over_the_sheet() {
    let shop = Shop::open();
    let sheet = shop.sheet("r.retry.csv").customers(2);
    let before = shop.read("r.retry.csv");
    for results in ["r.csv", "r.results.csv", "./r.csv", "r"] {
        sheet
            .batch(&["--yes", "--results", results])
            .expect_exit(2)
            .expect_error("results_are_the_sheet")
            .expect_no_post();
        assert!(!shop.home().join(results).exists(), "{results}");
    }
    assert_eq!(shop.read("r.retry.csv"), before);
    sheet.batch(&["--yes", "--results", "other.csv"]).expect_exit(0);
    assert_eq!(shop.read("r.retry.csv"), before);
}

/// Results never stand where the ledger stands, however it is spelt; and what is no text is somebody's file, too.
#[test]
fn results_are_written_over_nothing_that_is_kept() {
    let shop = Shop::open();
    shop.send(500).expect_exit(0);
    let november = shop.sheet("november.csv").customers(2);
    let ledger = shop.ledger_path();
    let around = ledger.with_file_name("../oneclick/ledger.db");
    for ending in ["", "-wal", "-shm", ".audit.jsonl"] {
        for path in [&ledger, &around] {
            let path = format!("{}{ending}", path.display());
            november
                .batch(&["--yes", "--results", &path])
                .expect_exit(2)
                .expect_error("results_are_kept")
                .expect_posts(1);
        }
    }
    assert_eq!(shop.ledger().len(), 1);
    shop.expect_whole_log();
    let picture = [0x89, b'P', b'N', b'G', 0xFF, 0x00];
    fs::write(shop.home().join("picture.csv"), picture).or_fail("not written");
    november
        .batch(&["--yes", "--results", "picture.csv"])
        .expect_exit(0);
    assert_eq!(
        fs::read(shop.home().join("picture.1.csv")).or_fail("not kept"),
        picture
    );
}
