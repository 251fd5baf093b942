//! Phone numbers as people and spreadsheets write them: what is read, what is told, what is refused.

use super::*;

fn notes(raw: &str) -> Vec<PhoneNote> {
    let reading = Phone::read(raw).unwrap_or_else(|error| panic!("{raw:?}: {error}"));
    assert_eq!(reading.phone.as_str(), "0555123456", "{raw:?}");
    reading.notes
}

#[test]
fn one_number_in_every_plain_spelling() {
    for raw in [
        "0555123456",
        "05 55 12 34 56",
        "0555-12-34-56",
        "05.55.12.34.56",
        "(0555) 123456",
        " 0555 123456 ",
    ] {
        assert_eq!(notes(raw), [], "{raw:?}");
    }
}

#[test]
fn international_spellings_are_noted() {
    for raw in [
        "+213555123456",
        "00213555123456",
        "213555123456",
        "+213 555 12 34 56",
        "(+213) 555 12 34 56",
        "+(213) 555-123-456",
        "+213.555.12.34.56",
        "00 213 555 12 34 56",
    ] {
        assert_eq!(notes(raw), [PhoneNote::International], "{raw:?}");
    }
    for raw in [
        "+213 (0)555 12 34 56",
        "+213 0555 12 34 56",
        "002130555123456",
        "2130555123456",
    ] {
        assert_eq!(
            notes(raw),
            [PhoneNote::International, PhoneNote::TrunkZero],
            "{raw:?}"
        );
    }
}

#[test]
fn a_zero_that_a_spreadsheet_ate_is_a_repair() {
    for raw in ["555123456", "555 12 34 56"] {
        let notes = notes(raw);
        assert_eq!(notes, [PhoneNote::MissingZero], "{raw:?}");
        assert!(notes.iter().all(|note| note.is_repair()));
    }
}

#[test]
fn a_word_in_front_and_a_mark_behind_are_told() {
    for raw in [
        "tel:0555123456",
        "Tél. 05 55 12 34 56",
        "GSM : 0555123456",
        "هاتف: 0555123456",
    ] {
        assert_eq!(notes(raw), [PhoneNote::Label], "{raw:?}");
    }
    assert_eq!(
        notes("tel:+213555123456"),
        [PhoneNote::Label, PhoneNote::International]
    );
    for raw in ["0555123456,", "0555123456;", "0555123456.", "05 55 12 34 56 ,"] {
        assert_eq!(notes(raw), [PhoneNote::Punctuation], "{raw:?}");
    }
}

/// `7780373.40` is a price or a measure, wherever its digits would be those of a number.
#[test]
fn a_lone_dot_is_a_decimal_point_unless_it_groups_as_phones_are_grouped() {
    for raw in [
        "7780373.40",
        "778037.340",
        "6551.23456",
        "2137780373.40",
        "213778037.340",
        "07780373.40",
        "0778037.340",
        "555.123456",
        "7 780 373.40",
        "778 037.340",
        "77803734.0",
        "+2137780373.40",
        "+2137780373.4 0",
        "0778037.34 0",
        "'7780373.40",
        "tel 7780373.40",
    ] {
        assert!(matches!(Phone::read(raw), Err(PhoneError::Decimal(_))), "{raw:?}");
    }
    for raw in [
        "05.55.12.34.56",
        "0555.12.34.56",
        "0555.123.456",
        "0555.123456",
        "555.12.34.56",
        "555.123.456",
        "05 55 12 34.56",
        "0555 12.34 56",
        "+213.555.12.34.56",
        "+213.555123456",
        "00213.555123456",
        "+213 (0)555.123456",
        "0555123456.",
    ] {
        let read = Phone::read(raw).map(|reading| reading.phone.to_string());
        assert_eq!(read.as_deref(), Ok("0555123456"), "{raw:?}");
    }
}

#[test]
fn dates_are_no_numbers() {
    for raw in [
        "05-12-2026 14",
        "05.12.2026 14",
        "05 12 2026 14",
        "5-12-2026 14",
        "06-07-1999-07",
        "07-31-2026 10",
        "7/12/2026 101",
    ] {
        assert!(Phone::read(raw).is_err(), "{raw:?}");
        if !raw.contains('/') {
            assert!(matches!(Phone::read(raw), Err(PhoneError::Date(_))), "{raw:?}");
        }
    }
    for raw in ["05 55 20 26 14", "0555-20-26-14", "05 552 026 14", "0555 2026 14"] {
        assert_eq!(
            Phone::read(raw)
                .map(|reading| reading.phone.to_string())
                .as_deref(),
            Ok("0555202614")
        );
    }
}

#[test]
fn text_tricks_and_foreign_digits_are_read() {
    assert_eq!(notes("=\"0555123456\""), [PhoneNote::Cell(CellNote::TextTrick)]);
    assert_eq!(notes("'0555123456"), [PhoneNote::Cell(CellNote::TextTrick)]);
    assert_eq!(notes("٠٥٥٥١٢٣٤٥٦"), [PhoneNote::Cell(CellNote::ForeignDigits)]);
    assert_eq!(
        notes("\u{202a}0555\u{a0}123456\u{202c}"),
        [PhoneNote::Cell(CellNote::Invisible)]
    );
}

#[test]
fn what_is_not_certain_is_refused_with_the_reason() {
    for raw in ["2,13556E+11", "5.55123E+8", "5E8"] {
        assert!(
            matches!(Phone::read(raw), Err(PhoneError::DigitsLost(_))),
            "{raw:?}"
        );
    }
    for raw in [
        "0555 12 34 56 / 0666 12 34 56",
        "0555123456,0666123456",
        "0555123456\n0666123456",
        "0555123456 ou 0666123456",
        "05551234560666123456",
    ] {
        assert!(matches!(Phone::read(raw), Err(PhoneError::Several(_))), "{raw:?}");
    }
    for raw in [
        "555123456.0",
        "055512345.6",
        "055512345,6",
        "0555123456.00",
        "5.55123456",
        "0,555123456",
    ] {
        assert!(matches!(Phone::read(raw), Err(PhoneError::Decimal(_))), "{raw:?}");
    }
    for raw in ["055512345", "05551234567", "123", "21355512345"] {
        assert!(
            matches!(Phone::read(raw), Err(PhoneError::Length { .. })),
            "{raw:?}"
        );
    }
    for raw in ["+33612345678", "0033612345678", "+0555123456"] {
        assert!(matches!(Phone::read(raw), Err(PhoneError::Foreign(_))), "{raw:?}");
    }
    for raw in ["0215551234", "0455123456", "021555123"] {
        assert!(
            matches!(Phone::read(raw), Err(PhoneError::FixedLine(_))),
            "{raw:?}"
        );
    }
    for raw in ["0855123456", "5551234567", "1234567890"] {
        assert!(
            matches!(Phone::read(raw), Err(PhoneError::NotMobile(_))),
            "{raw:?}"
        );
    }
    for raw in [
        "0555/123456",
        "055512345O",
        "0555+123456",
        "=HYPERLINK(1)",
        "0555123456\u{0}",
        "-555123456",
        "\u{2212}0555123456",
        "0555+123456",
        "++213555123456",
        "0555123456 (Ali)",
        "Ali 0555123456",
        "=0555123456",
        "#0555123456",
        "*610*0555123456#",
        "0555_123456",
        "O555123456",
    ] {
        assert!(
            matches!(Phone::read(raw), Err(PhoneError::Character { .. })),
            "{raw:?}"
        );
    }
    for raw in ["", "  ", "\u{200b}", "=\"\"", "-", "( )"] {
        assert_eq!(Phone::read(raw), Err(PhoneError::Empty), "{raw:?}");
    }
}

proptest::proptest! {
    #[test]
    fn no_text_panics_and_what_is_read_is_what_the_api_takes(raw in ".{0,24}") {
        if let Ok(reading) = Phone::read(&raw) {
            let digits = reading.phone.as_str();
            assert!(digits.len() == 10 && digits.starts_with('0'));
            assert!(matches!(digits.as_bytes()[1], b'5'..=b'7'));
        }
    }

    #[test]
    fn separators_never_change_the_number(digits in "0[567][0-9]{8}", at in 2_usize..9, separator in "[ -]") {
        let (head, tail) = digits.split_at(at);
        let phone: Phone = format!("{head}{separator}{tail}").parse().unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(phone.as_str(), digits);
    }
}
