//! Quotes that are missing or too many: no row may be lost inside of them, in the heading as little as below it.

use super::{refused, seen};
use crate::batch::sheet::SheetError;

/// A stray quote in the header would make customers part of a column's name.
#[test]
fn rows_inside_the_quotes_of_a_header_refuse_the_file() {
    let many = "0778037340;500;a\n".repeat(101);
    for text in [
        "phone;amount;\"note\n0778037340;500;a\"\n0661234567;300;b\n".to_owned(),
        "phone,amount,\"note\n0778037340,500,a\"\n0661234567,300,b\n".to_owned(),
        "sep=;\nphone;amount;\"note\n0778037340;500;a\"\n0661234567;300;b\n".to_owned(),
        "phone;amount;\"\n0778037340;500;a\"\n0661234567;300;b\n".to_owned(),
        "phone;amount;\"note\n6,61E+08;500;a\"\n0661234567;300;b\n".to_owned(),
        "phone;\"note\r0778037340\r\"\r0661234567;b\r".to_owned(),
        "phone;\"note\n0778037340;500\nx\";amount\n0661234567;b;300\n".to_owned(),
        format!("phone;amount;\"note\n{many}\"\n0661234567;300;b\n"),
    ] {
        let error = refused(&text);
        assert!(
            matches!(error, SheetError::HeaderQuotes { .. }),
            "{text:?}: {error}"
        );
    }
    assert_eq!(
        refused("\nphone;\"a\"b;\"note\n\"\n0661234567;300;b\n"),
        SheetError::HeaderQuotes { line: 2 }
    );
}

#[test]
fn rows_inside_the_quotes_of_a_sep_line_refuse_the_file() {
    let text = "sep=;\"\nphone;amount\n0778037340;500\n\"\nphone;amount\n0661234567;300\n";
    assert_eq!(refused(text), SheetError::HeaderQuotes { line: 1 });
}

#[test]
fn names_on_two_lines_are_no_rows() {
    for header in [
        "phone;\"amount\n(DA)\"",
        "\"Téléphone\nmobile\";Montant",
        "phone;amount;\"Adresse;\nville\"",
        "phone;amount;\"Tarif\n(100; 200 ou 500 DA)\"",
    ] {
        let text = format!("{header}\n0555123456;500\n");
        assert_eq!(seen(text).brief(), ["0555123456 - 500 - -"], "{header:?}");
    }
}

/// What is wrong with a row does not make it less of a row.
#[test]
fn broken_rows_inside_quotes_are_rows_as_well() {
    for text in [
        "phone;amount;note\n0778037340;500;\"a\n6,61E+08;500;c\nx\"\n",
        "phone;amount;note\n0778037340;500;\"a\n066123456;500;c\nx\"\n",
        "phone;amount;note\n0778037340;500;\"a\n066123456;500\nx\"\n",
        "phone;amount;note\n0778037340;500;\"a\n066123456;500;c;;\nx\"\n",
        "phone;amount;note\n0778037340;500;\"a\n;500;c\nx\"\n",
        "phone;amount;note\n0778037340;500;\"a\nO661234567;;c\nx\"\n",
        "phone,amount,note\n0778037340,500,\"a\r\n066123456,500,c\r\nx\"\r\n",
        "note;phone;amount\n\"a;0778037340;500\nb\";0661234567;300\n",
        "note;phone;amount\n\"a;077803734;500\nb\";0661234567;300\n",
        "note;phone;amount\n\"a\nb;077803734;500\nc\";0661234567;300\n",
        "phone;note;amount\n0778037340;\"a;500\n066123456;b\";300\n",
        "phone;note;amount\n0778037340;\"a\n066123456;b\";300\n",
        "phone;note;amount\n0778037340;\"a\n6,61E+08;b\";300\n",
    ] {
        let seen = seen(text);
        assert!(seen.refusal().reason.contains("another row"), "{text:?}");
        assert_eq!(seen.entries, [], "{text:?}");
    }
}

#[test]
fn notes_of_several_lines_are_no_rows() {
    for text in [
        "phone,amount,note\n0555123456,500,\"12 rue Didouche, Alger\n16000 Alger, 3e étage\"\n",
        "phone,amount,note\n0555123456,500,\"Ali,\nCité 5, bloc 3, Alger\nmerci\"\n",
        "phone,note,amount\n0555123456,\"12 rue Didouche, Alger\nCité 5, bloc 3\",500\n",
        "phone,note,amount\n0555123456,\"rue Didouche,\n16000, Alger\",500\n",
        "phone;amount;note\n0555123456;500;\"call 0666123456;\nthen 5\"\n",
        "phone;amount;note\n0555123456;500;\"call\n0666123456\"\n",
    ] {
        let seen = seen(text);
        assert_eq!(
            (seen.refusals.len(), seen.entries.len()),
            (0, 1),
            "{text:?}: {:?}",
            seen.refusals
        );
    }
}

#[test]
fn a_row_that_is_stuck_to_the_heading_refuses_the_file() {
    for between in ["\u{b}", "\u{c}", "\u{85}", "\u{2028}", " ", "  \u{200b}"] {
        let text = format!("phone;amount;note{between}0778037340;500;a\n0661234567;300;b\n");
        let error = refused(&text);
        assert!(
            matches!(error, SheetError::HeaderRow { line: 1, .. }),
            "{text:?}: {error}"
        );
    }
    for header in ["phone;amount;note 2", "phone;amount;Tel 0"] {
        let text = format!("{header}\n0555123456;500;a\n");
        assert_eq!(seen(&text).brief().len(), 1, "{header:?}");
    }
}
