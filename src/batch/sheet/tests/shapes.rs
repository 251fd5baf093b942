//! What the first rows say: separator, header, columns; and the sheets that say too little.

use super::{opened, refused, seen};
use crate::batch::sheet::{Columns, SheetError};

#[test]
fn headers_of_the_table() {
    for text in [
        "Numéro;Montant\n0555123456;500\n",
        "telephone;montant\n0555123456;500\n",
        "MSISDN,amount\n0555123456,500\n",
        "رقم الهاتف;المبلغ\n0555123456;500\n",
        "المبلغ\tالجوال\n500\t0555123456\n",
        "0555123456;500\n",
        "0555123456,500\n",
        "0555123456\t500\n",
        "Montant (DA) ; N° Tél.\n500,00;0555123456\n",
        "amount,Ville,phone number\n\"500,00\",\"Oran; Sud\",0555123456\n",
        "sep=;\nphone;amount\n0555123456;500\n",
        "SEP=,\r\n0555123456,500\r\n",
        "sep=\t\nphone\tamount\n0555123456\t500\n",
        "sep=;;;\nphone;amount;;\n0555123456;500;;\n",
        "\"phone\";\"amount\"\n\"0555123456\";\"500\"\n",
        "phone;amount\n0555123456;\"500\"\n",
    ] {
        assert_eq!(seen(text).brief(), ["0555123456 - 500 - -"], "{text:?}");
    }
}

#[test]
fn decimals_with_commas_do_not_make_the_comma_a_separator() {
    for text in [
        "500,00;0555123456\n",
        "0555123456;500,00\n",
        "0555123456;500,00\n0666123456;1 000,00\n0770123456;2 000,00\n",
        "phone;amount\n0555123456;500,00\n",
        "phone\tamount\n0555123456\t500,00\n",
        "\"0555123456\";\"500,00\"\n",
    ] {
        let first = super::try_seen(text).map(|seen| seen.brief()[0].clone());
        if text.starts_with("500") {
            // Not by position: the phone comes first in a sheet without header.
            assert!(
                matches!(first, Err(SheetError::Shape { .. })),
                "{text:?} {first:?}"
            );
        } else {
            assert_eq!(first.as_deref(), Ok("0555123456 - 500 - -"), "{text:?}");
        }
    }
}

/// The rows decide where the header has no separator.
#[test]
fn rows_with_phones_speak_for_a_separator() {
    for separator in [",", ";", "\t"] {
        let seen = seen(format!("phone\n0555123456{separator}500\n"));
        let reason = &seen.refusal().reason;
        assert!(reason.contains("the row has 2 cells"), "{separator:?}: {reason}");
    }
}

#[test]
fn without_a_header_the_position_decides() {
    for (text, header, brief) in [
        ("0555123456\n", vec!["phone"], "0555123456 - - - -"),
        ("0555123456;;;\n", vec!["phone"], "0555123456 - - - -"),
        (
            "0555123456;500\n",
            vec!["phone", "amount"],
            "0555123456 - 500 - -",
        ),
        (
            "555123456;;500\n",
            vec!["phone", "plan", "amount"],
            "0555123456 - 500 - -",
        ),
        (
            "+213 555 12 34 56;PREPAID_OOREDOO;500\n",
            vec!["phone", "plan", "amount"],
            "0555123456 PREPAID_OOREDOO 500 - -",
        ),
    ] {
        let opened = opened(text).unwrap_or_else(|error| panic!("{text:?}: {error}"));
        assert!(!opened.sheet.has_header());
        assert_eq!(opened.sheet.header(), header);
        assert_eq!(
            opened.sheet.remarks(),
            [format!("no header; columns taken as: {}", header.join(", "))]
        );
        assert_eq!(seen(text).brief(), [brief]);
    }
    for text in [
        "0555123456;auto;500;x\n",
        "500;0555123456\n",
        "0555123456;a;b;\"\";c\n",
    ] {
        assert!(
            matches!(refused(text), SheetError::Shape { line: 1, .. }),
            "{text:?}"
        );
    }
}

#[test]
fn a_refusal_without_header_counts_the_columns() {
    let seen = seen("0555123456;500\n0666123456;abc\n");
    assert_eq!(seen.refusal().column, "column 2");
}

#[test]
fn columns_in_any_order_with_others_between() {
    let opened = opened("Date;Note;Montant;;Wilaya;Tel;Offre;Ref\n1/2;x;500;;Oran;0555123456;auto;r1\n")
        .unwrap_or_else(|error| panic!("{error}"));
    let expected = Columns {
        phone: 5,
        amount: Some(2),
        plan: Some(6),
        reference: Some(7),
        note: Some(1),
    };
    assert_eq!(opened.sheet.columns(), &expected);
    assert_eq!(opened.sheet.remarks(), ["columns not used: `Date`, `Wilaya`"]);
    let seen = super::read(&opened.sheet).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(seen.brief(), ["0555123456 auto 500 r1 x"]);
}

#[test]
fn a_row_number_column_is_told_and_not_taken_for_the_phone() {
    let opened = opened("N°;Nom;Téléphone;Montant\n1;Ali;0555123456;500\n2;Mus;0666123456;100\n")
        .unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(opened.sheet.columns().phone, 2);
    assert_eq!(opened.sheet.remarks(), ["columns not used: `N°`"]);
}

#[test]
fn the_same_column_twice_names_both() {
    let error = refused("Téléphone;Montant;Mobile\n0555123456;500;0666123456\n");
    assert_eq!(
        error.to_string(),
        "the columns `Téléphone` and `Mobile` both mean the phone"
    );
}

#[test]
fn a_first_row_that_means_nothing_is_shown_with_the_names_that_do() {
    for text in [
        "Liste de novembre;;\nphone;amount\n0555123456;500\n",
        "Ville;Montant\nOran;500\n",
        "5,55E+08;500\n0555123456;500\n",
        "055512345;500\n0555123456;500\n",
        "phone|amount\n0555123456|500\n",
    ] {
        let error = refused(text);
        let SheetError::Header { line: 1, cells, .. } = &error else {
            panic!("{text:?}: {error}")
        };
        assert!(cells.starts_with(&format!("`{}", &text[..5])), "{cells}");
        assert!(error.hint().contains("`montant`") && error.hint().contains("`رقم الهاتف`"));
        assert!(error.hint().contains("`,`, `;` or a tab"), "{}", error.hint());
    }
    let wide = format!("{}\n", ["x".repeat(100).as_str(); 200].join(";"));
    assert!(refused(wide).to_string().len() < 800);
}

/// A first row that is meant as a top-up says what is wrong with its number.
#[test]
fn a_first_number_that_is_broken_is_told_with_the_reason() {
    for (text, word) in [
        ("7,78E+08;500\n0661234567;500\n", "format the column as text"),
        ("\"7,78E+08\",500\n0661234567,500\n", "format the column as text"),
        ("055512345;500\n0661234567;500\n", "has 9 digits"),
        ("0215551234;500\n0661234567;500\n", "fixed line"),
        ("7780373.40;500\n0661234567;500\n", "decimal"),
        ("\u{202e}0557308770;500\n0661234567;500\n", "another order"),
    ] {
        let told = refused(text).to_string();
        assert!(told.contains("line 1") && told.contains(word), "{text:?}: {told}");
    }
    for text in ["2026;500\n", "Ville;Montant\nOran;500\n", ";500\n"] {
        let told = refused(text).to_string();
        assert!(told.ends_with('`'), "no number is meant: {told}");
    }
}

/// The first row may leave cells empty that the others fill.
#[test]
fn without_a_header_the_rows_tell_what_an_empty_cell_would_hold() {
    let told = seen("0778037340;\n0661234567;500\n");
    assert_eq!(told.brief(), ["0778037340 - - - -", "0661234567 - 500 - -"]);
    let told = seen("0778037340;;\n0555123456;;\n0661234567;auto;500\n");
    assert_eq!(told.brief()[2], "0661234567 auto 500 - -");
    let told = seen("0778037340;;;\n0661234567;500;;\n");
    assert_eq!(told.brief()[1], "0661234567 - 500 - -");
    // One cell is one cell: where no more stand in the first row, more in another are too many.
    let told = seen("0778037340\n0661234567;500\n");
    assert!(
        told.refusal()
            .reason
            .contains("the row has 2 cells, and the first row has 1")
    );
    // The comma of an amount makes no plan.
    let told = seen("0778037340,,\n0661234567,1,500\n");
    assert_eq!(told.brief(), ["0778037340 - - - -"]);
    let many = format!("0778037340;\n{}0661234567;500\n", "0555123456;\n".repeat(30));
    let told = seen(many);
    assert!(
        told.refusal().reason.contains("the first row fills 1 of its 2"),
        "{}",
        told.refusal().reason
    );
}

#[test]
fn too_many_columns_are_told_where_they_are_the_headers() {
    let wide = format!("phone;amount{}\n0555123456;500\n", ";".repeat(16_384));
    assert_eq!(refused(wide), SheetError::TooWide { line: 1 });
    let wide = format!("0555123456,500{}\n", ",".repeat(16_384));
    assert_eq!(refused(wide), SheetError::TooWide { line: 1 });
}

#[test]
fn a_separator_that_is_not_known_is_refused() {
    for text in [
        "sep=|\nphone|amount\n0555123456|500\n",
        "sep=\nphone\n0555123456\n",
        "sep=;x\nphone\n",
    ] {
        assert!(matches!(refused(text), SheetError::Separator(_)), "{text:?}");
    }
}

#[test]
fn a_sheet_without_rows_is_refused() {
    for text in [
        "",
        "\n\n",
        "\u{feff}",
        " ;;\n",
        "phone;amount",
        "phone;amount\n",
        "phone;amount\n;;\n\n",
        "sep=;\n",
        "sep=;\nphone;amount\n",
        "\"\"\n",
        "\r\r\r",
        "\u{feff}sep=;\n\n",
    ] {
        assert!(matches!(refused(text), SheetError::NoRows { .. }), "{text:?}");
    }
}
