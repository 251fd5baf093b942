//! Sheets that nobody thought of: nothing panics, and no row is lost in silence.

use proptest::collection::vec;
use proptest::prelude::*;

use super::{opened, read, seen, try_seen};

/// Pieces that sheets are made of, so that chance comes near to the edges.
fn piece() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "phone",
        "amount",
        "Téléphone",
        "المبلغ",
        "note",
        "sep=",
        "0555123456",
        "500",
        "1,500",
        "500,00",
        "+213",
        "E+11",
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
        "é",
        "ر",
        "\u{1a}",
    ])
}

/// A cell that has no line break and no quote.
fn cell() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(String::new()),
        Just(" ".to_owned()),
        "[0-9]{1,10}",
        "0[567][0-9]{8}",
        "[a-zéèرقم .+'=-]{1,8}",
    ]
}

/// Records and cells as the `csv` crate sees them.
fn by_csv(text: &str, separator: u8) -> Vec<Vec<String>> {
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(separator)
        .from_reader(text.as_bytes());
    let records = reader.records();
    records
        .map(|record| {
            let record = record.unwrap_or_else(|error| panic!("{error}"));
            record.iter().map(str::to_owned).collect()
        })
        .collect()
}

fn is_blank(cells: &[String]) -> bool {
    let mut characters = cells.iter().flat_map(|cell| cell.chars());
    characters.all(|c| c.is_whitespace() || "'\"".contains(c))
}

/// The rows that our reader gives below a header of its own.
fn by_us(text: &str) -> (Vec<Vec<String>>, u64) {
    let opened = opened(text).unwrap_or_else(|error| panic!("{text:?}: {error}"));
    let (mut row, mut all) = (crate::batch::sheet::Row::default(), Vec::new());
    let mut rows = opened.sheet.rows().unwrap_or_else(|error| panic!("{error}"));
    while rows.read(&mut row).unwrap_or_else(|error| panic!("{error}")) {
        all.push(row.cells().map(str::to_owned).collect());
    }
    (all, rows.blank())
}

proptest! {
    #[test]
    fn random_bytes_never_panic(bytes in vec(any::<u8>(), 0..400)) {
        let _ = try_seen(bytes);
    }

    #[test]
    fn random_pieces_never_panic_and_no_row_is_silent(pieces in vec(piece(), 0..40)) {
        let text = pieces.concat();
        if let Ok(seen) = try_seen(&text) {
            let refused: std::collections::BTreeSet<_> = seen.refusals.iter().map(|refusal| refusal.line).collect();
            prop_assert_eq!(seen.rows, (seen.entries.len() + refused.len()) as u64);
            prop_assert!(seen.rows > 0);
        }
    }

    /// A header in front makes the rest of a random file be looked at.
    #[test]
    fn random_rows_never_panic(bytes in vec(any::<u8>(), 0..400), encoding in 0..3) {
        let header: &[u8] = match encoding {
            0 => b"phone;amount;note\n",
            1 => b"\xFF\xFEp\0h\0o\0n\0e\0\n\0",
            _ => b"\xD1\xDE\xE3;amount\n",
        };
        let _ = try_seen([header, &bytes].concat());
    }

    /// An amount is read only from a cell that says it: never from half of one.
    #[test]
    fn no_amount_is_guessed(pieces in vec(piece(), 0..12)) {
        let text = format!("phone;amount\n0555123456;{}\n", pieces.concat());
        for (_, entry) in try_seen(&text).map(|seen| seen.entries).unwrap_or_default() {
            let digits = |text: &str| text.chars().filter(char::is_ascii_digit).collect::<String>();
            let cell = text.lines().nth(1).unwrap_or_default().split(';').nth(1).unwrap_or_default();
            if let Some(amount) = entry.amount && entry.phone.as_str() == "0555123456" && !text.contains('\r') {
                let (whole, read) = (digits(cell), digits(&amount.to_string()));
                prop_assert!(whole == read || whole == format!("{read}00"), "{:?} gave {}", cell, amount);
            }
        }
    }

    #[test]
    fn every_line_is_a_row_or_blank_or_the_heading(
        lines in vec(vec(cell(), 1..5), 1..20),
        separator in prop::sample::select(vec![";", ",", "\t"]),
        end in prop::sample::select(vec!["\n", "\r\n", "\r"]),
        has_sep in any::<bool>(),
        has_header in any::<bool>(),
    ) {
        let heading = [
            has_sep.then(|| format!("sep={separator}")),
            has_header.then(|| format!("phone{separator}plan{separator}amount")),
        ];
        let first = ["0555123456", "auto", "500"].join(separator);
        let body = lines.iter().map(|cells| cells.join(separator));
        let all: Vec<_> = heading.into_iter().flatten().chain([first]).chain(body).collect();
        let seen = seen(all.join(end) + end);
        let counted = seen.rows + seen.blank + u64::from(has_sep) + u64::from(has_header);
        prop_assert_eq!(counted, all.len() as u64);
    }

    /// Quoted as the `csv` crate writes, read as the `csv` crate reads.
    #[test]
    fn cells_are_those_of_the_csv_crate(
        rows in vec(vec("[a-c0-9 ;,\"\r\n\té]{0,6}", 1..6), 1..12),
        separator in prop::sample::select(vec![b';', b',', b'\t']),
        ends in any::<bool>(),
    ) {
        let ends = if ends { csv::Terminator::CRLF } else { csv::Terminator::Any(b'\n') };
        let mut writer = csv::WriterBuilder::new()
            .flexible(true)
            .delimiter(separator)
            .terminator(ends)
            .from_writer(Vec::new());
        let heading = ["phone", "amount", "note"];
        writer.write_record(heading).unwrap_or_else(|error| panic!("{error}"));
        writer.write_record(["0555123456", "500", "x"]).unwrap_or_else(|error| panic!("{error}"));
        for row in &rows {
            writer.write_record(row).unwrap_or_else(|error| panic!("{error}"));
        }
        let bytes = writer.into_inner().unwrap_or_else(|error| panic!("{error}"));
        let text = String::from_utf8(bytes).unwrap_or_else(|error| panic!("{error}"));
        let mut expected = by_csv(&text, separator);
        expected.retain(|cells| !is_blank(cells));
        expected.remove(0);
        prop_assert_eq!(by_us(&text).0, expected);
    }

    #[test]
    fn entries_are_those_that_were_written(
        rows in vec(("0[567][0-9]{8}", 1_u32..300_000, "[a-zé]{0,5}"), 1..30),
        separator in prop::sample::select(vec![";", ",", "\t"]),
    ) {
        let lines = rows.iter().map(|(phone, amount, note)| [note, phone, &amount.to_string()].map(String::as_str).join(separator) + "\n");
        let text = ["note", "phone", "amount"].join(separator) + "\n" + &lines.collect::<String>();
        let opened = opened(&text).unwrap_or_else(|error| panic!("{error}"));
        let seen = read(&opened.sheet).unwrap_or_else(|error| panic!("{error}"));
        let written = rows.iter().map(|(phone, amount, note)| {
            let note = if note.is_empty() { "-" } else { note };
            format!("{phone} - {amount} - {note}")
        });
        prop_assert_eq!(seen.brief(), written.collect::<Vec<_>>());
        prop_assert_eq!(seen.remarks().count(), 0);
    }
}
