//! The same sheet in every encoding, with every separator and line end, is the same sheet.

use super::{open, opened, read, refused, seen};
use crate::batch::sheet::SheetError;

const ROWS: [[&str; 3]; 3] = [
    ["0555123456", "500,00", "été à béjaïa"],
    ["06 66 12 34 56", "1 000", "a \"b\"; c, d\te"],
    ["0770123456", "250", "deux\nlignes"],
];

fn sheet(header: [&str; 3], separator: &str, end: &str) -> String {
    let line = |cells: &[&str; 3]| {
        let quoted = cells.map(|cell| format!("\"{}\"", cell.replace('"', "\"\"")));
        quoted.join(separator) + end
    };
    line(&header) + &ROWS.iter().map(line).collect::<String>()
}

fn utf16(text: &str, mark: bool, of: fn(u16) -> [u8; 2]) -> Vec<u8> {
    let mark = mark.then_some(0xFEFF_u16);
    mark.into_iter().chain(text.encode_utf16()).flat_map(of).collect()
}

/// The text in each encoding that has it, with the name that is told.
fn encoded(text: &str) -> Vec<(&'static str, Vec<u8>)> {
    let mut all = vec![
        ("", text.as_bytes().to_vec()),
        ("", [b"\xEF\xBB\xBF", text.as_bytes()].concat()),
        ("UTF-16", utf16(text, true, u16::to_le_bytes)),
        ("UTF-16", utf16(text, true, u16::to_be_bytes)),
        ("UTF-16", utf16(text, false, u16::to_le_bytes)),
        ("UTF-16", utf16(text, false, u16::to_be_bytes)),
    ];
    for (name, encoding) in [
        ("Windows-1252", encoding_rs::WINDOWS_1252),
        ("Windows-1256", encoding_rs::WINDOWS_1256),
    ] {
        let (bytes, _, has_holes) = encoding.encode(text);
        if !has_holes {
            all.push((name, bytes.into_owned()));
        }
    }
    all
}

#[test]
fn encodings_separators_and_line_ends_change_nothing() {
    for header in [
        ["Numéro", "Montant", "Remarque"],
        ["TÉLÉPHONE", "CRÉDIT", "NOTE"],
        ["رقم الهاتف", "المبلغ", "ملاحظة"],
        ["phone", "amount", "note"],
    ] {
        let expected = seen(sheet(header, ";", "\n"));
        assert_eq!(expected.entries.len(), 3);
        assert_eq!(expected.brief()[1], "0666123456 - 1000 - a \"b\"; c, d\te");
        for separator in [",", ";", "\t"] {
            for end in ["\n", "\r\n", "\r"] {
                for mark in ["", "sep="] {
                    let first = if mark.is_empty() {
                        String::new()
                    } else {
                        format!("{mark}{separator}{end}")
                    };
                    for (name, bytes) in encoded(&(first.clone() + &sheet(header, separator, end))) {
                        // Small letters of French are the same in both encodings of Windows.
                        let opened = opened(&bytes).unwrap_or_else(|error| panic!("{error}"));
                        let seen = read(&opened.sheet).unwrap_or_else(|error| panic!("{error}"));
                        let told = opened.sheet.remarks().join("");
                        assert_eq!(
                            seen.brief(),
                            expected.brief(),
                            "{header:?} {separator:?} {end:?} {name}"
                        );
                        assert!(
                            opened.sheet.header().iter().eq(&header),
                            "{:?}",
                            opened.sheet.header()
                        );
                        if name.starts_with("Windows") {
                            assert!(told.starts_with("read as Windows-125"), "{told}");
                        } else if name.is_empty() {
                            assert_eq!(told, "");
                        } else {
                            assert_eq!(told, format!("read as {name}"));
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn arabic_in_windows_1256_and_french_capitals_in_windows_1252() {
    for (header, encoding, name) in [
        (
            "رقم الهاتف;المبلغ;الولاية",
            encoding_rs::WINDOWS_1256,
            "Windows-1256",
        ),
        ("phone;amount;الولاية", encoding_rs::WINDOWS_1256, "Windows-1256"),
        ("TÉLÉPHONE;SOMME;CAFÉ", encoding_rs::WINDOWS_1252, "Windows-1252"),
        ("phone;amount;DÉPÔT", encoding_rs::WINDOWS_1252, "Windows-1252"),
    ] {
        let (bytes, _, _) = encoding.encode(header);
        let bytes = [&bytes, b"\n0555123456;500;x\n".as_slice()].concat();
        let opened = opened(&bytes).unwrap_or_else(|error| panic!("{header}: {error}"));
        assert_eq!(opened.sheet.header().join(";"), header);
        assert_eq!(opened.sheet.remarks()[0], format!("read as {name}"));
    }
}

#[test]
fn an_amount_with_arabic_currency_needs_the_right_encoding() {
    let (bytes, _, _) = encoding_rs::WINDOWS_1256.encode("phone;amount\n0555123456;500 دج\n");
    assert_eq!(seen(&bytes).brief(), ["0555123456 - 500 - -"]);
}

/// The guess is made for the whole file: another row, or the same text saved as UTF-8, would make another ref of it.
#[test]
fn a_ref_whose_letters_were_guessed_is_refused() {
    for (encoding, reference) in [
        (encoding_rs::WINDOWS_1256, "ا1"),
        (encoding_rs::WINDOWS_1252, "é1"),
    ] {
        let text = format!("phone;amount;ref;note\n0778037340;500;{reference};x\n0555123456;500;r-2;café\n");
        let (bytes, _, _) = encoding.encode(&text);
        let seen = seen(&bytes);
        let refusal = seen.refusal();
        assert_eq!(refusal.line, 2);
        assert!(refusal.reason.contains("UTF-8"), "{refusal:?}");
        assert_eq!(seen.brief().len(), 1, "{seen:?}");
        let seen = super::seen(&text);
        assert_eq!(seen.brief().len(), 2, "{seen:?}");
    }
}

#[test]
fn a_second_mark_and_a_mark_before_sep_are_left_out() {
    let text = "\u{feff}\u{feff}phone;amount\n0555123456;500\n";
    assert_eq!(seen(text).brief(), ["0555123456 - 500 - -"]);
    let text = "\u{feff}\"sep=;\"\r\nphone;amount\r\n0555123456;500\r\n";
    assert_eq!(seen(text).brief(), ["0555123456 - 500 - -"]);
    assert_eq!(seen(text).entries[0].0, 3);
    let text = "\u{feff}0555123456;500\n";
    assert_eq!(seen(text).brief(), ["0555123456 - 500 - -"]);
}

#[test]
fn broken_encodings_are_refused() {
    let bytes = [
        b"\xEF\xBB\xBFphone;note\n0555123456;a\n0666123456;".as_slice(),
        b"\xFF\xFE\n",
    ]
    .concat();
    assert!(matches!(refused(bytes), SheetError::Undecodable { line: 3, .. }));
    let mut odd = utf16("phone;amount\n0555123456;500\n", true, u16::to_le_bytes);
    odd.push(b'x');
    assert!(matches!(refused(odd), SheetError::Undecodable { .. }));
    let lone = utf16("phone;note\n0555123456;x\n", true, |unit| {
        if unit == u16::from(b'x') {
            [0x00, 0xD8]
        } else {
            unit.to_le_bytes()
        }
    });
    assert!(matches!(refused(lone), SheetError::Undecodable { line: 2, .. }));
    let whole = "phone;note\n0555123456;é\n0666123456;é";
    assert!(matches!(
        refused(&whole.as_bytes()[..whole.len() - 1]),
        SheetError::Cut { .. }
    ));
}

#[test]
fn the_digest_is_that_of_the_bytes() {
    let opened = opened("\u{feff}phone\r\n0555123456\r\n").unwrap_or_else(|error| panic!("{error}"));
    let digest = opened.sheet.digest().iter();
    let hex: Vec<_> = digest.map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(hex.concat(), DIGEST);
}

/// By `printf '\xef\xbb\xbfphone\r\n0555123456\r\n' | sha256sum`.
const DIGEST: &str = "f825000cb26bb70d4a7ef18b50a8a43ca1eb811cde8fbc9f33e40681cba69fb4";

#[test]
fn a_file_that_changes_is_refused() {
    let changed = |bytes: &str| {
        let opened = opened("phone\n0555123456\n").unwrap_or_else(|error| panic!("{error}"));
        std::fs::write(opened.file.path(), bytes).unwrap_or_else(|error| panic!("{error}"));
        (opened.sheet.rows().err(), read(&opened.sheet).err())
    };
    // Another length is seen before the first row, another content after the last.
    let (at_once, _) = changed("phone\n0555123456\n0555123456\n");
    assert!(matches!(at_once, Some(SheetError::Changed { .. })), "{at_once:?}");
    let (at_once, in_the_end) = changed("phone\n0555123457\n");
    assert!(at_once.is_none() && matches!(in_the_end, Some(SheetError::Changed { .. })));
    assert_eq!(changed("phone\n0555123456\n"), (None, None));
}

#[test]
fn rows_can_be_read_again() {
    let opened = opened("phone\n0555123456\n").unwrap_or_else(|error| panic!("{error}"));
    let again = open(opened.file.path()).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(read(&opened.sheet), read(&opened.sheet));
    assert_eq!(read(&opened.sheet), read(&again));
}
