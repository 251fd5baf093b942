//! What verifying has found, in words.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

/// Differences that are told one by one; the others are counted.
pub(super) const DIFFERENCES_MAX: usize = 1_000;
/// The longest value that a difference quotes.
const QUOTED_MAX: usize = 60;

/// How the log differs from what was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DifferenceKind {
    /// A line is another than was written.
    Changed,
    /// A line and its row in the ledger say different things, and the lines behind it fit the line.
    RowDiffers,
    /// A line is not there.
    Missing,
    /// The lines up to the end, or up to where the log was taken up again, are not there.
    Cut,
    /// A line is there that was never written.
    Inserted,
    /// A line fits those around it, and the ledger has no row for it.
    RowMissing,
    /// A line stands elsewhere than it was written.
    OutOfOrder,
    /// A line carries another hash than that of the line before.
    Chain,
    /// The last line is another than the ledger has noted.
    Head,
    /// The hash that was noted elsewhere is not in the log.
    Noted,
    /// Behind the last line stands what nobody has written.
    Tail,
    /// The log is that of another ledger.
    OtherLedger,
    /// An order stands elsewhere than its last move has put it.
    State,
}

impl DifferenceKind {
    /// The word in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Changed => "changed",
            Self::RowDiffers => "row_differs",
            Self::Missing => "missing",
            Self::Cut => "cut",
            Self::Inserted => "inserted",
            Self::RowMissing => "row_missing",
            Self::OutOfOrder => "out_of_order",
            Self::Chain => "chain",
            Self::Head => "head",
            Self::Noted => "noted_head",
            Self::Tail => "tail",
            Self::OtherLedger => "other_ledger",
            Self::State => "state",
        }
    }
}

/// One difference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// What it is.
    pub kind: DifferenceKind,
    /// The line of the file.
    pub line: Option<u64>,
    /// The number that the line has or should have.
    pub n: Option<i64>,
    /// The last of several numbers.
    pub until: Option<i64>,
    /// The order that it is about.
    pub reference: Option<String>,
    /// What differs, for people.
    pub detail: String,
}

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verdict {
    /// The number of the last line, as the ledger has noted it.
    pub last: i64,
    /// The hash of that line: to be noted elsewhere.
    pub head: String,
    /// The line whose hash was noted elsewhere.
    pub noted: Option<i64>,
    /// How many rows of the ledger are not yet in the file.
    pub waiting: u64,
    /// What the log says of logs of other ledgers that stood in its place.
    pub set_aside: Vec<String>,
    /// The first differences.
    pub differences: Vec<Difference>,
    /// How many there are.
    pub count: u64,
}

impl Verdict {
    /// Tells a difference, or counts it.
    pub(super) fn push(&mut self, difference: Difference) {
        self.count += 1;
        if self.differences.len() < DIFFERENCES_MAX {
            self.differences.push(difference);
        }
    }

    /// A line that was told as missing has turned up elsewhere.
    pub(super) fn takes_back_missing(&mut self, n: i64) -> bool {
        let is_it = |told: &Difference| {
            told.kind == DifferenceKind::Missing && told.n == Some(n) && told.until.is_none()
        };
        let found = self.differences.iter().position(is_it);
        if let Some(place) = found {
            self.differences.remove(place);
            self.count -= 1;
        }
        found.is_some()
    }
}

/// A difference of which nothing but that is known.
pub(super) fn difference(kind: DifferenceKind, detail: String) -> Difference {
    Difference {
        kind,
        line: None,
        n: None,
        until: None,
        reference: None,
        detail,
    }
}

fn object(body: &[u8]) -> Option<Map<String, Value>> {
    let mut text = vec![b'{'];
    text.extend_from_slice(body);
    text.push(b'}');
    serde_json::from_slice(&text).ok()
}

/// The order that a body is about.
pub(super) fn reference(body: &[u8]) -> Option<String> {
    Some(object(body)?.get("ref")?.as_str()?.to_owned())
}

/// Which fields of a line are others than in its row.
pub(super) fn fields(line: &[u8], row: &[u8]) -> String {
    let (Some(line), Some(row)) = (object(line), object(row)) else {
        return "it is no line of the log".to_owned();
    };
    let names: BTreeSet<_> = line.keys().chain(row.keys()).collect();
    let told: Vec<_> = names
        .into_iter()
        .filter(|name| line.get(*name) != row.get(*name))
        .map(|name| {
            let (line, row) = (quoted(line.get(name)), quoted(row.get(name)));
            format!("`{name}` is {line} in the file and {row} in the ledger")
        })
        .collect();
    if told.is_empty() {
        "it is written another way".to_owned()
    } else {
        told.join("; ")
    }
}

fn quoted(value: Option<&Value>) -> String {
    let text = match value {
        None => return "not".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    };
    let short: String = text.chars().take(QUOTED_MAX).collect();
    format!("`{short}`")
}
