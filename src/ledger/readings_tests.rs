//! Passes, repeated rows, and what is stored of them.

use super::*;
use crate::domain::{Direction, Money};

fn stretch() -> Stretch {
    Stretch {
        reading: 1,
        listing: Listing::Orders,
        number: 1,
        between: (Timestamp::UNIX_EPOCH, Timestamp::UNIX_EPOCH),
        pass: 1,
        next_page: 1,
        total: None,
        has_moved: false,
        unreadable: 0,
        end: None,
    }
}

fn page(total: Option<u64>, is_last: bool) -> StoredPage {
    StoredPage {
        rows: PageRows::Orders(Vec::new()),
        unreadable: 0,
        total,
        is_last,
    }
}

/// So many rows, each under an id of its own.
fn all(rows: u64) -> Counted {
    Counted {
        shown: rows,
        single: rows,
    }
}

#[test]
fn a_list_that_stands_still_is_read_once() {
    let second = stretch().behind(&page(Some(150), false), all(100));
    assert_eq!((second.next_page, second.end), (2, None));
    let end = second.behind(&page(Some(150), true), all(150));
    assert_eq!(end.end, Some(StretchEnd::Whole));
    let silent = stretch().behind(&page(None, true), all(3));
    assert_eq!(
        silent.end,
        Some(StretchEnd::Whole),
        "a list that counts nothing is believed"
    );
}

#[test]
fn a_list_that_changes_is_read_again_and_not_for_ever() {
    let mut at = stretch();
    for pass in 1..=3 {
        assert_eq!((at.pass, at.next_page, at.total), (pass, 1, None));
        at = at.behind(&page(Some(150), false), all(100));
        at = at.behind(&page(Some(151), true), all(151));
    }
    assert_eq!(at.end, Some(StretchEnd::Unstable));
}

#[test]
fn a_list_with_fewer_rows_than_it_says_is_not_whole() {
    let again = stretch().behind(&page(Some(150), true), all(149));
    assert_eq!((again.pass, again.end), (2, None));
    let whole = stretch().behind(
        &StoredPage {
            unreadable: 1,
            ..page(Some(150), true)
        },
        all(149),
    );
    assert_eq!(whole.end, Some(StretchEnd::Whole));
}

#[test]
fn rows_that_are_alike_on_one_page_are_two() {
    let mut names = Names::default();
    let told: Vec<_> = ["a", "a", "b"]
        .map(|name| names.tell_apart(name.to_owned()))
        .into();
    assert_eq!(told, ["a", "a #2", "b"]);
}

/// A line; one whose name begins with a dash has no id.
fn entry(id: &str) -> Entry {
    Entry {
        id: (!id.starts_with('-')).then(|| id.to_owned()),
        word: "FLEXY".to_owned(),
        direction: Some(Direction::Out),
        amount: Money::from_dinars(500),
        before: None,
        after: None,
        subject: Some(format!("order {id}")),
        at: Some(Timestamp::UNIX_EPOCH),
    }
}

/// Reads pages of lines, each with the total that it tells and whether it is the last.
async fn read(pages: &[(&[&str], u64, bool)]) -> Result<(Stretch, i64)> {
    let place = tempfile::tempdir().unwrap_or_else(|error| panic!("{error}"));
    let ledger = Ledger::open(&place.path().join("ledger.db"))?;
    let account = Account {
        username: "+213770000000".to_owned(),
        environment: crate::domain::Environment::Sandbox,
    };
    let now = Timestamp::UNIX_EPOCH;
    let reading = ledger
        .begin_reading(&account, "today", (now, now), (now, now), now)
        .await?;
    let mut stretch = ledger
        .begin_stretch(&reading, Listing::Entries, 1, (now, now))
        .await?;
    for (ids, total, is_last) in pages {
        let page = StoredPage {
            rows: PageRows::Entries(ids.iter().map(|id| entry(id)).collect()),
            unreadable: 0,
            total: Some(*total),
            is_last: *is_last,
        };
        stretch = ledger.store_page(stretch, page, &account, now).await?;
    }
    assert_eq!(ledger.stretches(&reading, Listing::Entries)?, [stretch.clone()]);
    let rows = ledger
        .reader()
        .query_row("SELECT count(*) FROM seen_entries", [], |row| row.get(0))?;
    ledger.drop_readings(&account, None).await?;
    assert!(ledger.open_reading(&account, "today", now)?.is_none());
    Ok((stretch, rows))
}

#[tokio::test]
async fn a_row_that_moves_to_the_next_page_is_one() -> Result<()> {
    let (stretch, rows) = read(&[
        (&["c", "b"], 3, false),
        (&["b", "a"], 4, true),
        (&["d", "c"], 4, false),
        (&["b", "a"], 4, true),
    ])
    .await?;
    assert_eq!((stretch.end, stretch.pass, rows), (Some(StretchEnd::Whole), 2, 4));
    Ok(())
}

#[tokio::test]
async fn a_row_that_is_there_twice_again_and_again_is_two() -> Result<()> {
    let twice: &[(&[&str], u64, bool)] = &[(&["a", "-b"], 3, false), (&["-b"], 3, true)];
    let (stretch, rows) = read(&[twice, twice].concat()).await?;
    assert_eq!((stretch.end, stretch.pass, rows), (Some(StretchEnd::Whole), 2, 3));
    Ok(())
}

#[tokio::test]
async fn what_was_taken_for_two_by_mistake_is_one_again() -> Result<()> {
    let pages: &[(&[&str], u64, bool)] = &[
        (&["b", "a"], 3, true),
        (&["b", "a"], 3, false),
        (&["a"], 4, true),
        (&["d", "c"], 4, false),
        (&["b", "a"], 4, true),
    ];
    let (stretch, rows) = read(pages).await?;
    assert_eq!((stretch.end, stretch.pass, rows), (Some(StretchEnd::Whole), 3, 4));
    Ok(())
}

#[tokio::test]
async fn a_row_that_is_there_twice_under_one_id_is_one() -> Result<()> {
    let across: &[(&[&str], u64, bool)] = &[(&["a", "b"], 3, false), (&["b"], 3, true)];
    let beside: &[(&[&str], u64, bool)] = &[(&["a", "b", "b"], 3, true)];
    let uncounted: &[(&[&str], u64, bool)] = &[(&["a", "b", "b"], 2, true)];
    for pages in [&[across, across].concat(), beside, uncounted] {
        let (stretch, rows) = read(pages).await?;
        assert_eq!((stretch.end, rows), (Some(StretchEnd::Whole), 2), "{pages:?}");
    }
    let (_, rows) = read(&[(&["-a", "-a"], 2, true)]).await?;
    assert_eq!(rows, 2, "without an id, two that are alike are two");
    Ok(())
}
