//! Amounts as people and spreadsheets write them: what is read, what is told, what is refused.

use super::*;

fn read(raw: &str) -> (u32, Vec<AmountNote>) {
    let reading = Amount::read(raw).unwrap_or_else(|error| panic!("{raw:?}: {error}"));
    (reading.amount.dinars(), reading.notes)
}

#[test]
fn amounts_as_spreadsheets_write_them() {
    for (raw, dinars) in [
        ("500", 500),
        ("500,00", 500),
        ("500.00", 500),
        ("500.0", 500),
        ("0500", 500),
        ("1 000", 1000),
        ("1 000,00", 1000),
        ("1\u{a0}000", 1000),
        ("1\u{202f}000,00", 1000),
        ("300 000", 300_000),
    ] {
        assert_eq!(read(raw), (dinars, vec![]), "{raw:?}");
    }
    for raw in [
        "500 DA",
        "500DZD",
        "500 دج",
        "500 da",
        "500 د.ج",
        "500دج",
        "DA 500",
        "dzd500",
        "500 Dinars",
        "500 D.A.",
        "500,00 DA",
        "500 dinars algériens",
        "500 دينار",
        "دج 500",
    ] {
        assert_eq!(read(raw), (500, vec![AmountNote::Currency]), "{raw:?}");
    }
    assert_eq!(
        read("٥٠٠"),
        (500, vec![AmountNote::Cell(CellNote::ForeignDigits)])
    );
    for raw in ["500,-", "500.-", "500,--", "500.\u{2014}"] {
        assert_eq!(read(raw), (500, vec![AmountNote::NoCentimes]), "{raw:?}");
    }
    assert_eq!(
        read("500.- DA"),
        (500, vec![AmountNote::Currency, AmountNote::NoCentimes])
    );
    for raw in ["1'000", "1\u{2019}000", "1\u{66c}000", "1'000,00"] {
        assert_eq!(read(raw), (1000, vec![AmountNote::Grouped]), "{raw:?}");
    }
    for space in [
        "\u{20}", "\u{a0}", "\u{202f}", "\u{2009}", "\u{2007}", "\u{3000}", "\u{205f}",
    ] {
        assert_eq!(read(&format!("1{space}000")), (1000, vec![]), "{space:?}");
    }
    for raw in ["١٠٠٠", "۱۰۰۰", "１０００", "١٠٠٠٫٠٠"] {
        assert_eq!(
            read(raw),
            (1000, vec![AmountNote::Cell(CellNote::ForeignDigits)]),
            "{raw:?}"
        );
    }
    assert_eq!(read("500\u{66b}00"), (500, vec![]));
    assert_eq!(read("'500"), (500, vec![AmountNote::Cell(CellNote::TextTrick)]));
}

#[test]
fn an_ambiguous_amount_is_told_with_its_own_two_readings() {
    for (raw, readings) in [
        ("1.000", "1000 or 1? write `1000` or `1`"),
        ("1,000", "1000 or 1? write `1000` or `1`"),
        ("500,000", "500000 or 500? write `500000` or `500`"),
        ("50.000 DA", "50000 or 50? write `50000` or `50`"),
        ("1 500.000", "1500000 or 1500? write `1500000` or `1500`"),
        ("0,500", "500 or 0,500? write `500` if that is meant"),
        ("1.250", "1250 or 1,250? write `1250` if that is meant"),
        ("٥٠٫٠٠٠", "50000 or 50? write `50000` or `50`"),
    ] {
        let error = Amount::read(raw).err().map(|error| error.to_string());
        let told = error.unwrap_or_else(|| panic!("{raw} is accepted"));
        assert!(
            told.starts_with(&format!("`{raw}` is ambiguous: {readings}")),
            "{told}"
        );
    }
}

#[test]
fn what_is_not_certain_is_refused_with_the_reason() {
    let refused = |raw: &str| Amount::read(raw).err();
    assert_eq!(refused("0,000"), Some(AmountError::Zero));
    for raw in ["500,5", "500.55", "1 000,50", "0,5", "1'000.5"] {
        assert_eq!(refused(raw), Some(AmountError::Fraction(raw.to_owned())));
    }
    assert_eq!(refused("0"), Some(AmountError::Zero));
    assert_eq!(refused("000,00"), Some(AmountError::Zero));
    assert_eq!(refused("-500"), Some(AmountError::Negative("-500".to_owned())));
    for raw in ["(500)", "500-", "- 500", "(1 000,00)", "\u{2212}500", "-500 DA"] {
        assert_eq!(refused(raw), Some(AmountError::Negative(raw.to_owned())));
    }
    for raw in ["1e3", "5E+2", "1,5E3"] {
        assert_eq!(refused(raw), Some(AmountError::Scientific(raw.to_owned())));
    }
    assert_eq!(refused("5e2"), Some(AmountError::Scientific("5e2".to_owned())));
    for raw in ["", " ", "DA"] {
        assert_eq!(refused(raw), Some(AmountError::Empty), "{raw:?}");
    }
    for raw in [
        "abc",
        "50 0",
        "5 00",
        "1000 000",
        "1.000.000",
        "500.",
        ".5",
        "+500",
        "0x1F4",
        "=500",
        "1.000,00",
        "½",
        "5OO",
        "500%",
        "$500",
        "500 €",
        "50000 cts",
        "500 centimes",
        "500 ou 1000",
        "500/1000",
        "1 000'000",
        "1''000",
        "10'00",
        "1,000,000",
        "500 DA DA",
        "-",
        ",-",
        "()",
        "mille",
        "5 000 00",
        "²",
        "五百",
        "==500",
        "-abc",
    ] {
        assert_eq!(
            refused(raw),
            Some(AmountError::NotANumber(raw.to_owned())),
            "{raw:?}"
        );
    }
    for raw in ["1\u{2028}000", "500\n200", "1\t000", "500\r\n300"] {
        assert!(
            matches!(refused(raw), Some(AmountError::NotANumber(_))),
            "{raw:?}"
        );
    }
    for raw in ["12345678901234567890", "10000001", "99999999"] {
        assert_eq!(refused(raw), Some(AmountError::TooLarge(raw.to_owned())));
    }
}

proptest::proptest! {
    #[test]
    fn no_text_panics(raw in ".{0,24}") {
        let _ = Amount::read(&raw);
    }

    #[test]
    fn what_is_written_is_read_back(dinars in 1_u32..=LARGEST) {
        let amount = Amount::of(dinars).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(amount.to_string().parse(), Ok(amount));
        assert_eq!(amount.grouped().parse(), Ok(amount));
    }
}
