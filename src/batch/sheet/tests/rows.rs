//! Rows as such: where they begin, what is blank, what makes a whole row bad.

use super::{refused, seen};
use crate::batch::sheet::SheetError;

#[test]
fn lines_are_the_physical_ones() {
    let text = "\n\nphone,note,amount\r\n0555123456,\"a\r\nb\rc\nd\",500\r\n\r\n;\r\n0666123456,x,100\r0770123456,y,200\n\n";
    let seen = seen(text.replace("\r\n;\r\n", "\r\n,\r\n"));
    let lines: Vec<_> = seen.entries.iter().map(|(line, _)| *line).collect();
    assert_eq!(lines, [4, 10, 11]);
    assert_eq!(seen.brief()[0], "0555123456 - 500 - a\r\nb\rc\nd");
    assert_eq!(seen.blank, 5);
}

#[test]
fn blank_rows_are_passed_and_counted() {
    let blanks = [
        "",
        ";;;;",
        "   ",
        " ; \t; ",
        "\"\"",
        "\"\";\"\"",
        "\" \";",
        "\u{a0};\u{200b}",
        "''",
        "\u{1a}",
    ];
    let text = format!(
        "phone;amount\n0555123456;500\n{}\n0666123456;100\n",
        blanks.join("\n")
    );
    let seen = seen(text);
    assert_eq!((seen.rows, seen.blank), (2, blanks.len() as u64));
    assert_eq!(seen.entries[1].0, 13);
}

#[test]
fn empty_columns_on_the_right_are_fine() {
    let wide = ";".repeat(16_000);
    let seen = seen(format!(
        "phone;amount{wide}\n0555123456;500{wide}\n0666123456;100\n0770123456;200; ;\"\"\n"
    ));
    assert_eq!(seen.entries.len(), 3);
}

#[test]
fn the_widest_and_the_longest_row_that_are_read() {
    let cells = |count: usize| {
        format!(
            "phone;amount\n0555123456;500\n0666123456;100{}\n",
            ";".repeat(count - 2)
        )
    };
    assert_eq!(seen(cells(16_384)).entries.len(), 2);
    assert_eq!(refused(cells(16_385)), SheetError::TooWide { line: 3 });
    let bytes = |count: usize| {
        let head = "0666123456;";
        format!(
            "phone;note\n0555123456;x\n{head}{}\n0770123456;y\n",
            "x".repeat(count - head.len())
        )
    };
    // Separators are no bytes of a record, but they are of its line.
    assert_eq!(seen(bytes(1 << 20)).entries.len(), 3);
    assert_eq!(refused(bytes((1 << 20) + 1)), SheetError::TooLong { line: 3 });
}

#[test]
fn the_longest_record_may_have_line_breaks() {
    let text = |count: usize| {
        let note = "x\n".repeat(count / 2) + &"x".repeat(count % 2);
        format!("phone;note\n0555123456;\"{note}\"\n0770123456;y\n")
    };
    let fits = (1 << 20) - "0555123456".len();
    assert_eq!(seen(text(fits)).entries.len(), 2);
    assert_eq!(refused(text(fits + 1)), SheetError::TooLong { line: 2 });
}

#[test]
fn a_record_of_many_short_lines_is_measured_too() {
    let text = format!(
        "phone;note\n0555123456;x\n0666123456;\"{}\"\n",
        "line\n".repeat(300_000)
    );
    assert_eq!(refused(text), SheetError::TooLong { line: 3 });
}

#[test]
fn quotes_hold_separators_and_doubled_quotes_and_may_stand_inside_text() {
    let seen = seen(concat!(
        "phone,note,amount\n",
        "0555123456,\"a, \"\"b\"\"\",\"500,00\"\n",
        "0666123456,6\" pipe,100\n",
        "0770123456,\"x\" ,200\n",
    ));
    assert_eq!(
        seen.brief(),
        [
            "0555123456 - 500 - a, \"b\"",
            "0666123456 - 100 - 6\" pipe",
            "0770123456 - 200 - x",
        ]
    );
}

#[test]
fn text_behind_a_closing_quote_refuses_the_row_that_may_have_swallowed_others() {
    let seen = seen("phone;note;amount\n0555123456;\"open;500\n0666123456;\"x\";100\n0770123456;y;200\n");
    let refusal = seen.refusal();
    assert_eq!((refusal.line, refusal.column.as_str()), (2, "row"));
    assert!(refusal.reason.contains("closing quote"), "{}", refusal.reason);
    assert_eq!(seen.brief(), ["0770123456 - 200 - y"]);
}

#[test]
fn a_lone_quote_behind_a_closing_one_refuses_the_row_too() {
    let seen = seen("phone;note\n0555123456;\"x\" \"\n0770123456;y\n");
    assert!(seen.refusal().reason.contains("closing quote"));
    assert_eq!(seen.brief(), ["0770123456 - - - y"]);
}

/// Both quotes are where quotes may be, and yet a row is inside.
#[test]
fn a_row_inside_quotes_is_not_lost_in_silence() {
    let seen = seen(concat!(
        "phone;amount;note\n",
        "0555123456;500;\"open\n",
        "0666123456;100;close\"\n",
        "0770123456;200;\"call 0666123456;\nthen\"\n",
    ));
    let refusal = seen.refusal();
    assert_eq!((refusal.line, refusal.column.as_str()), (2, "row"));
    assert!(refusal.reason.contains("another row"), "{}", refusal.reason);
    assert_eq!(seen.entries.len(), 1);
    assert_eq!(seen.entries[0].0, 4);
}

#[test]
fn a_quote_that_is_never_closed_refuses_the_file_with_its_line() {
    let text = "phone;note\n0555123456;\"a\nb\"\n0666123456;\"cut\n0770123456;x\n";
    assert_eq!(refused(text), SheetError::OpenQuote { line: 4 });
    assert_eq!(
        refused("\"phone;amount\n0555123456;500\n"),
        SheetError::OpenQuote { line: 1 }
    );
    assert_eq!(
        refused("phone,note\n0555123456,\"x"),
        SheetError::OpenQuote { line: 2 }
    );
}

#[test]
fn the_last_row_needs_its_line_end() {
    let seen_cut = seen("phone;amount\n0555123456;500\n0666123456;10");
    let refusal = seen_cut.refusal();
    assert_eq!((refusal.line, refusal.value.as_str()), (3, "0666123456;10"));
    assert!(refusal.reason.contains("no line end"), "{}", refusal.reason);
    assert_eq!(seen_cut.brief(), ["0555123456 - 500 - -"]);
    for cut in ["phone;amount\n0555123456;500", "0555123456;500"] {
        assert_eq!(seen(cut).refusals.len(), 1, "{cut:?}");
    }
    for whole in [
        "phone;amount\n0555123456;500\n0666123456;100\n\u{1a}",
        "phone;amount\n0555123456;500\r0666123456;100\r",
    ] {
        assert_eq!(seen(whole).refusals, [], "{whole:?}");
    }
}

/// What is left of a last row may be its separators or spaces alone.
#[test]
fn a_last_line_without_its_end_is_cut_even_where_it_looks_empty() {
    for cut in [
        "note;phone;amount\nx;0778037340;500\n;",
        "note;phone;amount\nx;0778037340;500\n;;",
        "phone;amount\n  0778037340;500\n  ",
        "phone;amount\n0778037340;500\n\"\"",
        "phone;amount\n0778037340;500\n\n\u{a0}",
        "0778037340;500\n;",
    ] {
        let seen = seen(cut);
        assert!(seen.refusal().reason.contains("no line end"), "{cut:?}");
        assert_eq!(
            (seen.refusal().line, seen.entries.len()),
            (cut.matches('\n').count() as u64 + 1, 1)
        );
        assert_eq!(seen.blank, cut.matches("\n\n").count() as u64, "{cut:?}");
        let opened = super::opened(cut).unwrap_or_else(|error| panic!("{error}"));
        let known = super::read(&opened.sheet.known_whole(true)).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(
            (known.refusals.len(), known.rows),
            (0, 1),
            "{cut:?}: its total speaks for it"
        );
    }
}

#[test]
fn more_filled_cells_than_the_header_refuse_the_row() {
    let comma = seen("phone,amount\n0555123456,500,00\n0666123456,500,\n");
    assert!(
        comma
            .refusal()
            .reason
            .contains("3 cells, and the header has 2; an amount with a comma")
    );
    assert_eq!(comma.brief(), ["0666123456 - 500 - -"]);
    let semicolon = seen("phone;amount;;\n0555123456;500;;x\n");
    assert!(
        semicolon
            .refusal()
            .reason
            .contains("4 cells, and the header has 2")
    );
    let bare = seen("0555123456;500\n0666123456;500;x\n");
    assert!(bare.refusal().reason.contains("the first row has 2"));
}

/// `1,500` without quotes must become neither 1 nor 500.
#[test]
fn an_amount_that_its_comma_has_cut_is_refused() {
    for text in [
        "phone,amount,note\n0555123456,1,500,\n",
        "phone,amount,note\n0555123456,500,00,\n",
        "phone,amount,note,,\n0555123456,1,500,,,\n",
        "phone,amount\n0555123456,1,500\n",
        "phone,plan,amount\n0555123456,auto,1,500\n",
        "0555123456,500\n0555123456,1,500\n",
        "0666123456,auto,500\n0555123456,1,500\n",
        "0666123456,auto,500\n0555123456,\"1\",500\n",
    ] {
        let seen = seen(text);
        assert!(
            seen.refusal().reason.contains("comma"),
            "{text:?}: {:?}",
            seen.refusals
        );
        assert!(
            seen.entries
                .iter()
                .all(|(_, entry)| entry.phone.as_str() == "0666123456" || seen.rows == 2)
        );
    }
    assert!(matches!(
        refused("0555123456,1,500\n"),
        SheetError::Shape { line: 1, .. }
    ));
    // A ref of three digits is none of that business, nor are the empty columns of the whole sheet.
    for text in [
        "phone,amount,ref\n0555123456,500,001\n",
        "phone,amount,ref,,\n0555123456,500,001,,\n",
    ] {
        assert_eq!(seen(text).brief(), ["0555123456 - 500 001 -"], "{text:?}");
    }
}

#[test]
fn cells_that_money_depends_on_must_be_there() {
    let seen =
        seen("phone;plan;amount;note\n0555123456\n0555123456;auto\n0555123456;auto;500\n0555123456;;;\n");
    let told: Vec<_> = seen
        .refusals
        .iter()
        .map(|r| (r.line, r.column.as_str()))
        .collect();
    assert_eq!(told, [(2, "amount"), (2, "plan"), (3, "amount")]);
    assert!(seen.refusals[0].reason.contains("ends before this cell"));
    assert_eq!(seen.brief(), ["0555123456 auto 500 - -", "0555123456 - - - -"]);
}

#[test]
fn the_callers_cells_are_given_as_written() {
    let opened = super::opened("phone;Ville; amount \n 0555 12 34 56 ;\"a;\"\"b\"\"\"; 500 DA;;\n")
        .unwrap_or_else(|error| panic!("{error}"));
    let mut row = crate::batch::sheet::Row::default();
    let mut rows = opened.sheet.rows().unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(rows.read(&mut row), Ok(true));
    let cells: Vec<_> = row.cells().collect();
    assert_eq!(cells, [" 0555 12 34 56 ", "a;\"b\"", " 500 DA", "", ""]);
    assert_eq!(opened.sheet.header(), ["phone", "Ville", "amount"]);
    assert_eq!(opened.sheet.remarks(), ["columns not used: `Ville`"]);
    assert_eq!(rows.read(&mut row), Ok(false));
}
