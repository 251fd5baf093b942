//! The account's lines on the wire (API page `list-transactions`), decoded as tolerantly as all else.

use serde_json::Value;

use super::wire::{money, pagination, rows, text};
use crate::domain::{Direction, Entry};

/// A page of the account's lines.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EntryPage {
    /// The lines that could be read.
    pub entries: Vec<Entry>,
    /// How many rows the page had, readable or not.
    pub rows: usize,
    /// How many pages there are, where the provider says.
    pub pages: Option<u64>,
    /// How many rows all pages have together, where the provider says.
    pub total: Option<u64>,
}

impl EntryPage {
    /// Whether it shows the lines of the page before once more: a provider that does not turn the pages would be asked
    /// for ever.
    pub fn is_again(&self, before: &[Entry]) -> bool {
        !before.is_empty() && self.entries == before
    }
}

/// Reads a page of the account's lines. None where there are no rows to be seen, not even an empty list.
pub fn read_entries(data: &Value, meta: Option<&Value>) -> Option<EntryPage> {
    let rows = rows(data)?;
    Some(EntryPage {
        entries: rows.iter().filter_map(read_entry).collect(),
        rows: rows.len(),
        pages: pagination(data, meta, "totalPages"),
        total: pagination(data, meta, "totalResults"),
    })
}

/// A line without type or amount says nothing.
fn read_entry(row: &Value) -> Option<Entry> {
    let word = text(row, "type")?;
    let operation = text(row, "operation").map(|operation| operation.to_ascii_lowercase());
    Some(Entry {
        id: text(row, "_id").or_else(|| text(row, "id")),
        direction: Direction::of(operation.as_deref(), &word),
        amount: money(row, "amount")?,
        before: money(row, "oldBalance"),
        after: money(row, "newBalance"),
        subject: text(row, "objid"),
        at: text(row, "time")
            .or_else(|| text(row, "created_at"))
            .and_then(|at| at.parse().ok()),
        word,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::EntryKind;

    fn json(text: &str) -> Value {
        serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}"))
    }

    #[test]
    fn a_page_that_shows_the_lines_of_the_one_before_is_no_further_page() {
        let page = |amount: u32| {
            let data = format!(r#"{{"items":[{{"type":"FLEXY","amount":{amount}}},{{"type":"FLEXY"}}]}}"#);
            read_entries(&json(&data), None).unwrap_or_default()
        };
        assert!(page(5).is_again(&page(5).entries));
        assert!(!page(5).is_again(&page(6).entries));
        assert!(!page(5).is_again(&[]));
        assert!(!EntryPage::default().is_again(&[]));
    }

    #[test]
    fn lines_are_read_from_the_sample_and_from_less() {
        let page = read_entries(
            &json(
                r#"{"items":[
                {"_id":"a1","type":"FLEXY","operation":"decrement","amount":490.5,"oldBalance":1326.13,"newBalance":"835.63","objid":"t1","note":"","time":"2025-10-29T00:35:59.454Z"},
                {"type":"REFUND-FLEXY","amount":"490.50","time":"2025-10-29T00:36:59.454Z"},
                {"type":"FLEXY"},{"amount":3}]}"#,
            ),
            Some(&json(r#"{"pagination":{"totalPages":1,"totalResults":4}}"#)),
        )
        .unwrap_or_default();
        assert_eq!((page.rows, page.pages, page.total), (4, Some(1), Some(4)));
        let [full, short] = page.entries.as_slice() else {
            panic!("{page:?}")
        };
        assert_eq!((full.kind(), short.kind()), (EntryKind::Debit, EntryKind::Refund));
        assert_eq!(
            full.after.map(|after| after.to_string()).as_deref(),
            Some("835.63")
        );
        assert_eq!(
            (full.subject.as_deref(), short.subject.as_deref()),
            (Some("t1"), None)
        );
        assert_eq!(full.amount, short.amount);
        assert_eq!(read_entries(&json("{}"), None), None);
    }
}
