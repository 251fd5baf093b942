//! Counts as people read them.

use crate::domain::{State, group_thousands};

/// A number with groups of three.
pub(super) fn count(number: u64) -> String {
    group_thousands(&number.to_string())
}

/// `1 row`, `2 rows`.
pub(super) fn rows_of(number: u64) -> String {
    if number == 1 {
        "1 row".to_owned()
    } else {
        format!("{} rows", count(number))
    }
}

/// One word or the other, after a number.
pub(super) fn were(number: u64, one: &str, many: &str) -> String {
    if number == 1 {
        one.to_owned()
    } else {
        many.to_owned()
    }
}

/// States that have ended well, for those who count.
pub(super) fn is_good(state: State) -> bool {
    state == State::Fulfilled
}
