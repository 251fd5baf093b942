//! Files that are no sheets: each is named, and nothing of it is read.

use std::io::{Seek, SeekFrom, Write};
use std::path::Path;

use super::{file, open, refused};
use crate::batch::sheet::SheetError;
use crate::error::{Error, ExitCode};

#[test]
fn files_of_another_kind_are_named_with_the_way_out() {
    for (bytes, word) in [
        (b"PK\x03\x04\x14\0\x06\0".as_slice(), "Excel workbook (.xlsx)"),
        (
            b"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1\0\0",
            "old Excel workbook (.xls)",
        ),
        (b"%PDF-1.4\n", "PDF"),
        (b"\x1F\x8B\x08\0", "gzip"),
        (b"<html><table><tr><td>0555123456", "web page"),
        (b"<?xml version=\"1.0\"?>", "XML"),
    ] {
        let error = refused(bytes);
        assert!(error.to_string().contains(word), "{error}");
        assert!(error.hint().contains("save the sheet as CSV"), "{}", error.hint());
    }
}

#[test]
fn bytes_that_no_text_has_are_refused_with_their_line() {
    for (bytes, line) in [
        (b"phone;amount\n0555123456;5\x0000\n".as_slice(), 2),
        (b"phone;amount\n\n0555123456;500\n\0\0\0", 4),
        (b"\xEF\xBB\xBFphone\n0555123456\0\n", 2),
        (b"phone\n\x01\x02\x03\x04\x05\x06\x07\x08", 2),
    ] {
        let error = refused(bytes);
        assert!(
            matches!(error, SheetError::Binary { line: at, .. } if at == line),
            "{error}"
        );
    }
    // In UTF-16 a NUL is a character of its own.
    let utf16: Vec<u8> = "\u{feff}phone\n0555\u{0}123456\n"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    assert!(matches!(refused(utf16), SheetError::Binary { line: 2, .. }));
}

#[test]
fn what_is_no_file_is_refused() {
    let directory = tempfile::tempdir().unwrap_or_else(|error| panic!("{error}"));
    let error = open(directory.path()).err();
    assert!(matches!(error, Some(SheetError::NotAFile { .. })), "{error:?}");
    let error = open(Path::new("/dev/null")).err();
    assert!(matches!(error, Some(SheetError::NotAFile { .. })), "{error:?}");
    let error = open(&directory.path().join("none.csv")).err();
    assert!(matches!(error, Some(SheetError::Read { .. })), "{error:?}");
}

/// Two gigabytes on one line are given up after one megabyte.
#[test]
fn a_line_without_end_is_refused_early() {
    let mut file = file("phone;note\n0555123456;");
    let mebibyte = vec![b'x'; 1 << 20];
    for _ in 0..3 {
        file.write_all(&mebibyte)
            .unwrap_or_else(|error| panic!("{error}"));
    }
    file.seek(SeekFrom::Start(2 << 30))
        .unwrap_or_else(|error| panic!("{error}"));
    file.write_all(b"\n").unwrap_or_else(|error| panic!("{error}"));
    let before = std::time::Instant::now();
    assert_eq!(open(file.path()).err(), Some(SheetError::TooLong { line: 2 }));
    assert!(before.elapsed().as_secs() < 2, "{:?}", before.elapsed());
}

#[test]
fn a_refused_sheet_is_a_fault_of_usage_with_a_hint() {
    for error in [
        refused(""),
        refused("x;y\n"),
        refused("PK\x03\x04"),
        refused("phone;tel\n0555123456;1\n"),
        refused("phone\n\"0555123456\n"),
    ] {
        let code = error.code();
        let error = Error::from(error);
        assert_eq!((error.exit_code(), error.code.as_str()), (ExitCode::Usage, code));
        assert!(code.starts_with("sheet_") && !error.hints.is_empty());
    }
}
