//! Files that are no text at all, known by their first bytes, so that the refusal can name them.

/// First bytes, and what a file that begins with them is.
const SIGNATURES: &[(&[u8], &str)] = &[
    (b"PK\x03\x04", "an Excel workbook (.xlsx) or another zip archive"),
    (b"PK\x05\x06", "an empty zip archive"),
    (
        b"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1",
        "an old Excel workbook (.xls) or another Office file",
    ),
    (b"%PDF", "a PDF document"),
    (b"\x1F\x8B", "a gzip archive"),
    (b"BZh", "a bzip2 archive"),
    (b"\xFD7zXZ\0", "an xz archive"),
    (b"\x28\xB5\x2F\xFD", "a zstd archive"),
    (b"7z\xBC\xAF\x27\x1C", "a 7-Zip archive"),
    (b"Rar!\x1A\x07", "a RAR archive"),
    (b"\x89PNG\r\n\x1A\n", "a PNG picture"),
    (b"\xFF\xD8\xFF", "a JPEG picture"),
    (b"GIF8", "a GIF picture"),
    (b"SQLite format 3\0", "a SQLite database"),
    (b"{\\rtf", "an RTF document"),
    (b"\x7FELF", "a program"),
    (b"\xFF\xFE\0\0", "text in UTF-32"),
    (b"\0\0\xFE\xFF", "text in UTF-32"),
];

/// Markup that a spreadsheet opens and that is no CSV, in lower case.
const MARKUP: &[(&str, &str)] = &[
    ("<?xml", "an XML file"),
    ("<!doctype html", "a web page"),
    ("<html", "a web page"),
    ("<table", "a web page"),
    ("<workbook", "an XML file"),
];

/// What the file is that begins with these bytes, if it is known to be no CSV.
pub(super) fn name(head: &[u8]) -> Option<&'static str> {
    if let Some((_, what)) = SIGNATURES.iter().find(|(bytes, _)| head.starts_with(bytes)) {
        return Some(what);
    }
    let text = head
        .strip_prefix(b"\xEF\xBB\xBF")
        .unwrap_or(head)
        .trim_ascii_start();
    let begins = |tag: &str| {
        text.get(..tag.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(tag.as_bytes()))
    };
    MARKUP.iter().find(|(tag, _)| begins(tag)).map(|(_, what)| *what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_other_kinds_are_named() {
        for (head, word) in [
            (b"PK\x03\x04\x14".as_slice(), "xlsx"),
            (b"%PDF-1.7", "PDF"),
            (b"\x1F\x8B\x08", "gzip"),
            (b"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1\0", ".xls"),
            (b"\xFF\xFE\0\0p\0\0\0", "UTF-32"),
            (b"\xEF\xBB\xBF\n <!DOCTYPE HTML>", "web page"),
        ] {
            let found = name(head).unwrap_or_default();
            assert!(found.contains(word), "{found:?} {word:?}");
        }
    }

    #[test]
    fn text_is_not_taken_for_another_kind() {
        for head in [
            b"".as_slice(),
            b"phone,amount",
            b"\xFF\xFEp\0h\0",
            b"P",
            b"0555123456;500",
            b"\xEF\xBB\xBFphone",
        ] {
            assert_eq!(name(head), None);
        }
    }
}
