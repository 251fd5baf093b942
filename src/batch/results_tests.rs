//! Results files, as the `csv` crate reads them back.

use std::fs;

use jiff::Timestamp;

use super::*;
use crate::domain::{Account, Amount, Environment, Intent, Operator, State};

fn read<T: std::str::FromStr>(text: &str) -> T {
    text.parse().unwrap_or_else(|_| panic!("{text}"))
}

/// A refunded order of which all is known.
pub(in crate::batch) fn order(reference: &str) -> Order {
    let moment: Timestamp = read("2026-11-24T20:05:10.5Z");
    Order {
        account: Account {
            username: "213665983439".to_owned(),
            environment: Environment::Sandbox,
        },
        intent: Intent {
            reference: read(reference),
            phone: read("0778037340"),
            plan: read("PREPAID_DJEZZY"),
            amount: Amount::of(500).unwrap_or_else(|error| panic!("{error}")),
        },
        operator: Operator::Djezzy,
        state: State::Refunded,
        revision: 4,
        provider_status: Some(ProviderStatus::Refunded),
        topup_id: TopupId::new("6901616fe9e88196b4eb64b0"),
        provider_ref: None,
        cost: Some(read("496.125")),
        batch: Some("november".to_owned()),
        row: Some(7),
        attempts: 1,
        created_at: moment,
        updated_at: moment,
        sent_at: Some(moment),
        message: Some("العرض غير متوفر\u{202e}\r\nx".to_owned()),
        offers: Vec::new(),
        request_id: Some("-req-7".to_owned()),
        settled_by: Some(SettledBy::Provider),
        note: Some("=SUM(A1)".to_owned()),
        owner: None,
    }
}

/// A sheet with these columns, the first of them the phone.
pub(in crate::batch) fn layout(header: &[&str]) -> Layout {
    Layout {
        header: cells(header),
        phone: Some(0),
        reference: None,
        separator: b',',
    }
}

pub(in crate::batch) fn cells(cells: &[&str]) -> Vec<String> {
    cells.iter().map(|cell| (*cell).to_owned()).collect()
}

/// All records of a file that begins with the mark of UTF-8, the header too; all are equally long.
pub(in crate::batch) fn records(path: &Path, separator: u8) -> Vec<Vec<String>> {
    let Ok(text) = fs::read_to_string(path) else {
        return Vec::new();
    };
    let body = text.strip_prefix(UTF8_MARK).unwrap_or_default();
    assert!(body.ends_with('\n') && !body.contains('\r'), "{text:?}");
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .delimiter(separator)
        .from_reader(body.as_bytes());
    let records = reader
        .records()
        .map(|record| record.unwrap_or_else(|error| panic!("{error}")));
    records
        .map(|record| record.iter().map(str::to_owned).collect())
        .collect()
}

fn written(
    layout: &Layout,
    write: impl FnOnce(&mut Results) -> io::Result<()>,
) -> io::Result<Vec<Vec<String>>> {
    let home = tempfile::tempdir()?;
    let path = home.path().join("november.results.csv");
    let mut results = Results::begin(&path, layout)?;
    write(&mut results)?;
    results.publish()?;
    results.finish()?;
    Ok(records(&path, layout.separator))
}

#[test]
fn the_callers_cells_come_first_and_all_of_the_order_behind_them() -> io::Result<()> {
    let row = cells(&["+213 778 03 73 40", "Ali\nBaba", "ملاحظة \"x\"; y"]);
    let sheet = layout(&["Téléphone", "Nom", "=x"]);
    let rows = written(&sheet, |results| {
        results.write(Some(12), Some(&row), &order("r-1"))
    })?;
    let header = [&["Téléphone", "Nom", "'=x"][..], &COLUMNS].concat();
    assert_eq!(rows[0], header);
    let line = [
        "'+213 778 03 73 40",
        "Ali\nBaba",
        "ملاحظة \"x\"; y",
        "12",
        "r-1",
        "refunded",
        "0778037340",
        "PREPAID_DJEZZY",
        "Djezzy",
        "500",
        "496.125",
        "6901616fe9e88196b4eb64b0",
        "REFUNDED",
        "1",
        "العرض غير متوفر x",
        "'-req-7",
        "2026-11-24T20:05:10.500Z",
        "2026-11-24T20:05:10.500Z",
        "provider",
        "'=SUM(A1)",
    ];
    assert_eq!(rows[1..], [line]);
    Ok(())
}

#[test]
fn names_that_the_caller_has_are_written_as_ours() -> io::Result<()> {
    let sheet = layout(&["phone", " Amount ", "REF", "note", "oneclick_note", "plan "]);
    let rows = written(&sheet, |_| Ok(()))?;
    for name in [
        "oneclick_phone",
        "oneclick_amount",
        "oneclick_ref",
        "oneclick_plan",
        "oneclick_oneclick_note",
        "row",
        "state",
    ] {
        let behind = &rows[0][sheet.header.len()..];
        assert!(behind.iter().any(|other| other == name), "{name}: {behind:?}");
    }
    Ok(())
}

#[test]
fn a_clash_can_push_no_name_of_ours_into_another() {
    let sheet = layout(&["x", "a"]);
    let head = sheet.head(&["oneclick_a", "a"]);
    assert!(String::from_utf8_lossy(&head).ends_with("x,a,oneclick_a,oneclick_oneclick_a\n"));
}

#[test]
fn an_order_that_the_sheet_no_longer_has_keeps_its_columns() -> io::Result<()> {
    let mut bare = order("r-1");
    (bare.cost, bare.message, bare.note, bare.topup_id) = (None, None, None, None);
    let rows = written(&layout(&["phone", "name"]), |results| {
        results.write(None, None, &bare)?;
        results.write(Some(3), Some(&cells(&["0778037340"])), &bare)?;
        assert_eq!(results.lines(), 2);
        Ok(())
    })?;
    assert_eq!(rows[1][..5], ["", "", "", "r-1", "refunded"]);
    assert_eq!(rows[2][..5], ["0778037340", "", "3", "r-1", "refunded"]);
    assert_eq!(rows[1][9], "", "no cost is nothing, not zero");
    Ok(())
}

#[test]
fn the_callers_semicolon_stays() -> io::Result<()> {
    let sheet = Layout {
        separator: b';',
        ..layout(&["phone", "a;b"])
    };
    let row = cells(&["0778037340", "1,5;x"]);
    let rows = written(&sheet, |results| results.write(Some(2), Some(&row), &order("r")))?;
    assert_eq!(rows[1][..3], ["0778037340", "1,5;x", "2"]);
    Ok(())
}

#[test]
fn each_line_is_there_as_soon_as_it_is_written() -> io::Result<()> {
    let home = tempfile::tempdir()?;
    let path = home.path().join("r.csv");
    fs::write(&path, "old")?;
    let sheet = layout(&["phone"]);
    let row = cells(&["0778037340"]);
    let mut results = Results::begin(&path, &sheet)?;
    results.write(Some(2), Some(&row), &order("r-1"))?;
    assert_eq!(fs::read_to_string(&path)?, "old");
    results.publish()?;
    assert_eq!(records(&path, b',').len(), 2);
    results.write(Some(3), Some(&row), &order("r-2"))?;
    assert_eq!(records(&path, b',').len(), 3);
    assert_eq!(results.path(), path);
    Ok(())
}
