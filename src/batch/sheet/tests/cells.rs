//! The table of `cells.md` and cells like its own, each through a whole sheet.

use super::{Seen, seen};
use crate::batch::sheet::RemarkKind;

/// A sheet of one row in which every cell is quoted, so that it may hold anything.
fn one(header: &str, cells: &[&str]) -> Seen {
    let quoted: Vec<_> = cells
        .iter()
        .map(|cell| format!("\"{}\"", cell.replace('"', "\"\"")))
        .collect();
    seen(format!("{header}\n{}\n", quoted.join(";")))
}

fn phone(cell: &str) -> Seen {
    one("phone;amount", &[cell, "500"])
}

fn amount(cell: &str) -> Seen {
    one("phone;amount", &["0555123456", cell])
}

/// Why the cell in `column` is refused.
fn reason(seen: &Seen, column: &str) -> String {
    let refusal = seen.refusal();
    assert_eq!((refusal.line, refusal.column.as_str()), (2, column));
    assert!(seen.entries.is_empty());
    refusal.reason.clone()
}

#[test]
fn one_phone_in_every_spelling() {
    for (cell, notes) in [
        ("0555123456", 0),
        ("05 55 12 34 56", 0),
        ("0555-12-34-56", 0),
        ("05.55.12.34.56", 0),
        ("(0555) 123456", 0),
        ("  0555123456  ", 0),
        ("+213555123456", 1),
        ("00213555123456", 1),
        ("213555123456", 1),
        ("+213 (0)555 12 34 56", 2),
        ("+213 0555 12 34 56", 2),
        ("=\"0555123456\"", 1),
        ("'0555123456", 1),
        ("٠٥٥٥١٢٣٤٥٦", 1),
        ("۰۵۵۵۱۲۳۴۵۶", 1),
        ("０５５５１２３４５６", 1),
        ("\u{202a}0555123456\u{202c}", 1),
        ("05\u{a0}55\u{a0}12\u{a0}34\u{a0}56", 1),
        ("0555\u{200b}123456", 1),
        ("tel:+213555123456", 2),
        ("0555123456,", 1),
        ("0555123456\n", 0),
        ("0555\n123456", 0),
    ] {
        let seen = phone(cell);
        assert_eq!(seen.brief(), ["0555123456 - 500 - -"], "{cell:?}");
        assert_eq!(seen.remarks().count(), notes, "{cell:?}");
        assert_eq!(seen.repairs(), 0, "{cell:?}");
    }
}

#[test]
fn the_zero_that_excel_ate_is_a_repair_with_both_values() {
    let seen = phone("770 12 34 56");
    assert_eq!(seen.brief(), ["0770123456 - 500 - -"]);
    let remark = seen.remarks().next().unwrap_or_else(|| panic!("no remark"));
    assert_eq!(remark.kind, RemarkKind::Repaired);
    assert_eq!(
        (remark.column.as_str(), remark.from.as_str(), remark.to.as_str()),
        ("phone", "770 12 34 56", "0770123456")
    );
}

#[test]
fn phones_that_are_not_certain_are_refused() {
    for (cell, word) in [
        ("2,13556E+11", "digits are gone"),
        ("5.55123E+8", "digits are gone"),
        ("055512345", "has 9 digits"),
        ("05551234567", "has 11 digits"),
        ("0215551234", "fixed line"),
        ("0455123456", "fixed line"),
        ("555123456.0", "decimal"),
        ("7780373.40", "decimal"),
        ("05-12-2026 14", "a date"),
        ("0555 12 34 56 / 0666 12 34 56", "more than one number"),
        ("+33612345678", "not an Algerian"),
        ("O555123456", "has a `O`"),
        ("Total", "has a `T`"),
        ("", "empty"),
        ("=\"\"", "empty"),
        ("\u{200b}", "empty"),
        ("123", "has 3 digits"),
        ("#N/A", "has a `#`"),
        ("#####", "has a `#`"),
        ("5", "has 1 digits"),
    ] {
        let reason = reason(&phone(cell), "phone");
        assert!(reason.contains(word), "{cell:?}: {reason}");
    }
}

#[test]
fn amounts_that_are_certain() {
    for (cell, dinars, notes) in [
        ("500", 500, 0),
        ("500,00", 500, 0),
        ("500.00", 500, 0),
        ("00500", 500, 0),
        ("1 000", 1000, 0),
        ("1 000,00", 1000, 0),
        ("1\u{a0}000", 1000, 0),
        ("1\u{202f}000,00", 1000, 0),
        ("1\u{2009}000", 1000, 0),
        ("500 DA", 500, 1),
        ("500DZD", 500, 1),
        ("500 دج", 500, 1),
        ("500دج", 500, 1),
        ("DA 500", 500, 1),
        ("500 Dinars", 500, 1),
        ("500.- DA", 500, 2),
        ("500,-", 500, 1),
        ("1'000", 1000, 1),
        ("٥٠٠", 500, 1),
        ("١٠٠٠", 1000, 1),
        ("1٬000", 1000, 1),
        ("500٫00", 500, 0),
        ("۵۰۰", 500, 1),
        ("５００", 500, 1),
        ("=\"500\"", 500, 1),
        ("'500", 500, 1),
        ("500\n", 500, 0),
        ("300 000", 300_000, 0),
        ("\u{200e}500", 500, 1),
        ("5\u{200b}00", 500, 1),
        ("5\u{ad}00", 500, 1),
        ("1\u{a0}000\u{200f}", 1000, 1),
        ("\u{feff}500", 500, 1),
    ] {
        let seen = amount(cell);
        assert_eq!(seen.brief(), [format!("0555123456 - {dinars} - -")], "{cell:?}");
        assert_eq!(seen.remarks().count(), notes, "{cell:?}");
    }
}

#[test]
fn amounts_that_are_not_certain_are_refused() {
    for (cell, word) in [
        ("1.000", "ambiguous"),
        ("1,000", "ambiguous"),
        ("0", "at least 1"),
        ("0,00", "at least 1"),
        ("-500", "negative"),
        ("\u{2212}500", "negative"),
        ("(500)", "negative"),
        ("500-", "negative"),
        ("500,5", "fraction"),
        ("0,5", "fraction"),
        ("5e2", "scientific"),
        ("1e3", "scientific"),
        ("1,5E+05", "scientific"),
        ("abc", "no amount"),
        ("½", "no amount"),
        ("0x1F4", "no amount"),
        ("5OO", "no amount"),
        ("+500", "no amount"),
        ("500%", "no amount"),
        ("500 €", "no amount"),
        ("=500", "no amount"),
        ("500\n200", "no amount"),
        ("500/1000", "no amount"),
        ("#REF!", "no amount"),
        ("DA", "empty"),
        ("\"", "no amount"),
        ("\"\"", "empty"),
        ("''", "empty"),
        ("-", "no amount"),
        ("idem", "no amount"),
        ("12345678901234567890", "more than any plan"),
    ] {
        let reason = reason(&amount(cell), "amount");
        assert!(reason.contains(word), "{cell:?}: {reason}");
    }
}

/// What a spreadsheet shows in another order than it stands must not be sent in that order.
#[test]
fn digits_that_are_shown_in_another_order_are_refused() {
    for cell in [
        "\u{202e}521\u{202c}",
        "\u{202d}521\u{202c}",
        "5\u{202e}21",
        "\u{202b}1 000\u{202c}",
        "\u{2067}1 000\u{2069}",
    ] {
        let reason = reason(&amount(cell), "amount");
        assert!(reason.contains("another order"), "{cell:?}: {reason}");
        assert!(!reason.contains('\u{202e}'), "{reason:?}");
    }
    for cell in [
        "\u{202e}0557308770\u{202c}",
        "0778\u{202e}037\u{202c}340",
        "\u{202d}0557308770",
        "\u{202b}05 57 30 87 70\u{202c}",
        "\u{2067}0557-308770\u{2069}",
    ] {
        let reason = reason(&phone(cell), "phone");
        assert!(reason.contains("another order"), "{cell:?}: {reason}");
    }
    let seen = one("phone;plan", &["0555123456", "\u{202e}5000"]);
    assert!(reason(&seen, "plan").contains("another order"));
    for cell in [
        "\u{200e}0555123456",
        "\u{200f}0555123456\u{200f}",
        "\u{202b}0555123456\u{202c}",
        "\u{2067}0555123456\u{2069}",
        "\u{202a}05 55 12 34 56\u{202c}",
        "\u{2066}05 55 12 34 56\u{2069}",
        "\u{2068}05 55 12 34 56\u{2069}",
        "\u{200f}05 55 12 34 56",
    ] {
        let seen = phone(cell);
        assert_eq!(seen.brief(), ["0555123456 - 500 - -"], "{cell:?}");
        assert_eq!(seen.remarks().count(), 1, "{cell:?}");
    }
}

#[test]
fn an_empty_amount_or_plan_is_none_for_the_caller_to_fill() {
    for cell in ["", "  ", "=\"\"", "\u{a0}", "\u{200b}"] {
        let seen = one(
            "phone;amount;plan;ref;note",
            &["0555123456", cell, cell, cell, cell],
        );
        assert_eq!(seen.brief(), ["0555123456 - - - -"], "{cell:?}");
    }
}

#[test]
fn plans_are_codes_or_auto() {
    for (cell, plan) in [
        ("PREPAID_DJEZZY", "PREPAID_DJEZZY"),
        (" GETMENU_Mobilis ", "GETMENU_Mobilis"),
        ("=\"PREPAID_DJEZZY\"", "PREPAID_DJEZZY"),
        ("\u{200f}PREPAID_DJEZZY", "PREPAID_DJEZZY"),
        ("AUTO", "auto"),
        ("Automatique", "auto"),
        ("5000", "5000"),
    ] {
        let seen = one("phone;plan", &["0555123456", cell]);
        assert_eq!(seen.brief(), [format!("0555123456 {plan} - - -")], "{cell:?}");
    }
    for cell in ["=HYPERLINK(1)", "a/b", "PLAN\nX", &"x".repeat(81)] {
        let reason = reason(&one("phone;plan", &["0555123456", cell]), "plan");
        assert!(reason.contains("no plan code"), "{cell:?}: {reason}");
        assert!(reason.len() < 200, "{reason}");
    }
}

#[test]
fn refs_are_taken_as_they_stand_or_refused() {
    for (cell, reference) in [
        ("order-7", "order-7"),
        ("00123 ", "00123"),
        ("=\"00123\"", "00123"),
        ("12E3", "12E3"),
        ("طلب-1", "طلب-1"),
    ] {
        let seen = one("phone;ref", &["0555123456", cell]);
        assert_eq!(
            seen.brief(),
            [format!("0555123456 - - {reference} -")],
            "{cell:?}"
        );
    }
    for (cell, word) in [
        ("1,23457E+14", "digits are gone"),
        ("1E+15", "digits are gone"),
        ("a\u{202e}b", "can't be seen"),
        ("a\nb", "can't be seen"),
        ("..", "can't be a ref"),
        (&*"r".repeat(101), "101 characters"),
    ] {
        let reason = reason(&one("phone;ref", &["0555123456", cell]), "ref");
        assert!(reason.contains(word), "{cell:?}: {reason}");
    }
}

#[test]
fn notes_are_text_whatever_they_say() {
    for cell in [
        "=HYPERLINK(\"http://x\";\"y\")",
        "@cmd",
        "+1+1",
        "a\nb",
        "l'ami de \"Ali\"",
        "'x",
    ] {
        let seen = one("phone;note", &["0555123456", cell]);
        assert_eq!(seen.brief(), [format!("0555123456 - - - {cell}")]);
        assert_eq!(seen.remarks().count(), 0);
    }
    let seen = one("phone;note", &["0555123456", &"é".repeat(501)]);
    assert_eq!(seen.brief(), [format!("0555123456 - - - {}", "é".repeat(500))]);
    assert_eq!(seen.remarks().count(), 1);
    assert_eq!(
        one("phone;note", &["0555123456", &"é".repeat(500)])
            .remarks()
            .count(),
        0
    );
}

#[test]
fn all_bad_cells_of_a_row_are_told_short_and_harmless() {
    let long = format!("\u{1b}[31m{}", "x".repeat(100_000));
    let seen = one("Téléphone;Montant;ref", &["123", &long, ".."]);
    let columns: Vec<_> = seen
        .refusals
        .iter()
        .map(|refusal| refusal.column.as_str())
        .collect();
    assert_eq!(columns, ["Téléphone", "Montant", "ref"]);
    let refusal = &seen.refusals[1];
    assert!(refusal.value.starts_with("\\u{1b}[31mxxx"), "{}", refusal.value);
    assert!(
        refusal.value.len() < 80 && refusal.reason.len() < 200,
        "{refusal:?}"
    );
    assert!(!refusal.reason.contains('\u{1b}'));
}
