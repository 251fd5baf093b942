//! Sheets: bytes to rows. No row is silent, the pieces in which a file is read don't matter, and what our own writer
//! writes is read again as the same rows.

use std::fs;
use std::path::Path;

use oneclick::batch::sheet::{Entry, Refusal, Row, Sheet, SheetError, open, open_in_pieces};
use oneclick::batch::{Layout, Retry};
use oneclick::domain::{Account, Amount, Environment, Intent, Operator, Order, State};

use crate::runner::Target;

const WORDS: &[&str] = &[
    "phone",
    "amount",
    "plan",
    "ref",
    "note",
    "Téléphone",
    "Numéro",
    "Montant",
    "المبلغ",
    "رقم الهاتف",
    "sep=;",
    "sep=,",
    "0778037340",
    "0555123456",
    "778037340",
    "+213",
    "2,13556E+11",
    "500",
    "1 000",
    "500,00",
    "1,500",
    "auto",
    ";",
    ",",
    "\t",
    "\"",
    "\"\"",
    "\n",
    "\r\n",
    "\r",
    " ",
    "\u{a0}",
    "\u{feff}",
    "\u{1a}",
    "\u{0}",
    "=\"",
    "=1+1",
    "@x",
    "'",
    "é",
    "٥",
    "\u{202e}",
    "PREPAID_DJEZZY",
    ";;;;",
    ",,,,",
    "0778037340;500\n",
    "0778037340,500\n",
    "\u{85}",
    "\u{2028}",
];

/// Everything that a sheet gives.
#[derive(Debug, PartialEq)]
struct Seen {
    rows: Vec<(u64, Result<Entry, Vec<Refusal>>)>,
    cells: Vec<Vec<String>>,
    blank: u64,
}

fn read(sheet: &Sheet) -> Result<Seen, SheetError> {
    let (mut row, mut rows) = (Row::default(), sheet.rows()?);
    let mut seen = Seen {
        rows: Vec::new(),
        cells: Vec::new(),
        blank: 0,
    };
    while rows.read(&mut row)? {
        seen.rows.push((row.line, row.entry()));
        seen.cells.push(row.cells().map(str::to_owned).collect());
    }
    seen.blank = rows.blank();
    Ok(seen)
}

/// Each row is an entry, or is refused with line, column and reason; lines go up.
fn no_row_is_silent(sheet: &Sheet, seen: &Seen, text: Option<&str>) {
    let mut last = 0;
    for (line, entry) in &seen.rows {
        assert!(*line > last, "line {line} behind line {last}");
        last = *line;
        let Err(refusals) = entry else { continue };
        assert!(!refusals.is_empty(), "line {line} is refused without a reason");
        for Refusal {
            line: at,
            column,
            value,
            reason,
        } in refusals
        {
            assert_eq!(at, line);
            assert!(!column.is_empty() && !reason.is_empty(), "line {line}");
            assert!(!value.contains(char::is_control), "{value:?} is shown as it is");
        }
    }
    assert!(!seen.rows.is_empty(), "a sheet without rows");
    // In UTF-8 without quotes a line is a row: an oracle that needs no reader.
    if let Some(text) = text.filter(|text| !text.contains(['"', '\0'])) {
        let lines = text.replace("\r\n", "\n").replace('\r', "\n");
        let count = lines.split('\n').count() - usize::from(lines.ends_with('\n') || lines.is_empty());
        let told = seen.rows.len() as u64 + seen.blank + u64::from(sheet.has_header());
        let heading = count as u64 - told;
        assert!(heading <= 1, "{count} lines, of which {told} are told: {seen:?}");
        assert!(
            heading == 0 || text.contains("sep="),
            "{count} lines, of which {told} are told"
        );
    }
}

/// An order of a row, so that the writer takes it.
fn rejected(entry: &Entry) -> Order {
    let moment = jiff::Timestamp::UNIX_EPOCH;
    let word = |text: &str| text.parse().unwrap_or_else(|_| panic!("{text}"));
    Order {
        account: Account {
            username: "+213770000000".to_owned(),
            environment: Environment::Sandbox,
        },
        intent: Intent {
            reference: "r-1".parse().unwrap_or_else(|error| panic!("{error}")),
            phone: entry.phone.clone(),
            plan: word("PREPAID_DJEZZY"),
            amount: Amount::of(500).unwrap_or_else(|error| panic!("{error}")),
        },
        operator: Operator::Djezzy,
        state: State::Rejected,
        revision: 1,
        provider_status: None,
        topup_id: None,
        provider_ref: None,
        cost: None,
        batch: None,
        row: None,
        attempts: 1,
        created_at: moment,
        updated_at: moment,
        sent_at: None,
        message: None,
        offers: Vec::new(),
        request_id: None,
        settled_by: None,
        note: None,
        owner: None,
    }
}

/// The rows that can be sent, written by our own writer and read again: the same numbers, amounts and plans.
fn written_again(sheet: &Sheet, seen: &Seen, directory: &Path) {
    let sound: Vec<_> = seen
        .rows
        .iter()
        .zip(&seen.cells)
        .filter_map(|((_, entry), cells)| Some((entry.as_ref().ok()?, cells)))
        .collect();
    if sound.is_empty() {
        return;
    }
    let layout = Layout {
        header: sheet.header().to_vec(),
        phone: Some(sheet.columns().phone),
        reference: None,
        separator: sheet.separator(),
    };
    let path = directory.join("again.csv");
    let write = || {
        let mut retry = Retry::begin(&path, &layout)?;
        for (entry, cells) in &sound {
            retry.write(Some(cells), &rejected(entry))?;
        }
        retry.publish()?;
        retry.finish()
    };
    write().unwrap_or_else(|error: std::io::Error| panic!("{error}"));
    let text = fs::read_to_string(&path).unwrap_or_default();
    let again = open(&path).and_then(|sheet| read(&sheet));
    let again = again.unwrap_or_else(|error| panic!("{error}:\n{text}"));
    let brief = |entry: &Entry| (entry.phone.clone(), entry.amount, entry.plan.clone());
    let expected: Vec<_> = sound.iter().map(|(entry, _)| brief(entry)).collect();
    let found: Vec<_> = again
        .rows
        .iter()
        .map(|(line, entry)| match entry {
            Ok(entry) => brief(entry),
            Err(refusals) => panic!("line {line}: {refusals:?}\n{text}"),
        })
        .collect();
    assert_eq!(found, expected, "{text}");
}

/// The whole reader.
pub fn sheet(bytes: &[u8]) {
    let directory = tempfile::tempdir().unwrap_or_else(|error| panic!("{error}"));
    let path = directory.path().join("sheet.csv");
    fs::write(&path, bytes).unwrap_or_else(|error| panic!("{error}"));
    let opened = open(&path);
    let seen = opened.as_ref().map_err(Clone::clone).and_then(read);
    // From the input, so that the same input is read in the same pieces.
    let piece = 64
        + bytes
            .iter()
            .fold(0_usize, |sum, byte| (sum * 31 + usize::from(*byte)) % 97);
    let in_pieces = open_in_pieces(&path, piece).and_then(|sheet| read(&sheet));
    assert_eq!(in_pieces, seen, "in pieces of {piece} bytes");
    match (&opened, &seen) {
        (Ok(sheet), Ok(seen)) => {
            no_row_is_silent(sheet, seen, std::str::from_utf8(bytes).ok());
            written_again(sheet, seen, directory.path());
        }
        (_, Err(error)) | (Err(error), _) => {
            let (said, hint) = (error.to_string(), error.hint());
            assert!(
                !said.contains(|c: char| c.is_control() || c == '\u{202e}'),
                "{said:?} is shown as it is"
            );
            assert!(!hint.is_empty() && !error.code().is_empty());
        }
    }
}

#[test]
fn every_row_is_an_entry_or_refused_however_the_file_is_read() {
    Target::new("sheet", WORDS, 2_000).run(sheet);
}
