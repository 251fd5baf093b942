//! Phone numbers, amounts and money: what is accepted is what an oracle of the test's own reads in the same text.

use oneclick::domain::{Amount, Money, Multiplier, Phone};

use crate::runner::Target;

const WORDS: &[&str] = &[
    "0778037340",
    "778037340",
    "7780373.40",
    "+213",
    "00213",
    "213",
    "(0)",
    "0",
    "00",
    "5",
    "6",
    "7",
    " ",
    "\u{a0}",
    "\u{202f}",
    "-",
    "\u{2212}",
    ".",
    ",",
    ";",
    "/",
    "'",
    "\u{2019}",
    "\u{66b}",
    "\u{66c}",
    "\"",
    "=\"",
    "e",
    "E+11",
    "2,13556E+11",
    "tel:",
    "tél. ",
    "GSM ",
    "هاتف",
    "٠٥",
    "٥٠٠",
    "۵",
    "５",
    "\u{200f}",
    "\u{202e}",
    "\u{feff}",
    "\t",
    "\n",
    "DA",
    " DZD",
    "دج",
    "د.ج.",
    "dinars",
    "500",
    "1 000",
    "1,000",
    "1.000",
    "500,00",
    "500.0",
    ",-",
    ".-",
    "(500)",
    "%",
    "x",
    "1e3",
];

/// The digit that a character stands for, in the scripts that people here write.
fn digit(character: char) -> Option<char> {
    let zero = ['0', '\u{660}', '\u{6f0}', '\u{ff10}'].into_iter().map(u32::from);
    let place = zero
        .into_iter()
        .find_map(|zero| u32::from(character).checked_sub(zero).filter(|place| *place < 10))?;
    char::from_digit(place, 10)
}

fn digits(text: &str) -> String {
    text.chars().filter_map(digit).collect()
}

/// An override shows digits in another order than they stand.
fn is_shown_as_it_stands(text: &str) {
    assert!(!text.contains(['\u{202d}', '\u{202e}']), "{text:?} was read");
}

/// Accepted is a mobile number of ten digits, spelt by the digits of the input and no others; read again it is itself.
pub fn phone(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let Ok(reading) = Phone::read(&text) else {
        return;
    };
    is_shown_as_it_stands(&text);
    let number = reading.phone.as_str();
    let is_mobile = number.len() == 10
        && number.starts_with('0')
        && matches!(number.as_bytes()[1], b'5'..=b'7')
        && number.bytes().all(|byte| byte.is_ascii_digit());
    assert!(is_mobile, "{text:?} was read as {number}");
    let written = digits(&text);
    let spellings = ["", "213", "00213"]
        .into_iter()
        .flat_map(|code| [format!("{code}{number}"), format!("{code}{}", &number[1..])]);
    assert!(
        spellings.into_iter().any(|spelling| spelling == written),
        "{text:?} was read as {number}"
    );
    let again = Phone::read(number);
    assert!(
        again
            .as_ref()
            .is_ok_and(|again| again.phone == reading.phone && again.notes.is_empty()),
        "{number}: {again:?}"
    );
    assert_eq!(
        number == text,
        reading.notes.is_empty() && number == text,
        "{text:?}: {:?}",
        reading.notes
    );
}

/// What an amount can only mean: its digits without the decimals, which are zeros, and nothing but marks and words for
/// the dinar around them.
fn meant(text: &str) -> Option<String> {
    // Marks that nobody sees, anywhere.
    let is_seen = |c: &char| {
        !"\u{ad}\u{61c}\u{180e}\u{feff}".contains(*c)
            && !matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}')
    };
    let folded: String = text
        .chars()
        .filter(is_seen)
        .map(|c| digit(c).unwrap_or(c))
        .collect();
    let first = folded.find(|c: char| c.is_ascii_digit())?;
    let last = folded.rfind(|c: char| c.is_ascii_digit())?;
    let number = &folded[first..=last];
    let letters: String = [&folded[..first], &folded[last + 1..]]
        .concat()
        .to_lowercase()
        .chars()
        .filter(|c| c.is_alphabetic())
        .collect();
    let currencies = [
        "",
        "da",
        "dzd",
        "dinar",
        "dinars",
        "dinarsalgériens",
        "dinarsalgeriens",
        "دج",
        "دينار",
        "دينارجزائري",
    ];
    let is_below_zero = folded[..first].contains(['-', '\u{2212}', '(']);
    if number.contains(char::is_alphabetic) || !currencies.contains(&letters.as_str()) || is_below_zero {
        return None;
    }
    let marks = number.matches(['.', ',', '\u{66b}']).count();
    let whole = match number.rsplit_once(['.', ',', '\u{66b}']) {
        None => number,
        Some((whole, "0" | "00")) if marks == 1 => whole,
        Some(_) => return None,
    };
    let significant = digits(whole);
    Some(significant.trim_start_matches('0').to_owned())
}

/// Accepted is a whole number from 1 to ten million, the one that the oracle reads.
pub fn amount(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let Ok(reading) = Amount::read(&text) else {
        return;
    };
    is_shown_as_it_stands(&text);
    let dinars = reading.amount.dinars();
    assert!(
        (1..=10_000_000).contains(&dinars),
        "{text:?} was read as {dinars}"
    );
    assert_eq!(
        meant(&text),
        Some(dinars.to_string()),
        "{text:?} was read as {dinars}"
    );
    let plain = dinars.to_string();
    for spelling in [&plain, &reading.amount.grouped()] {
        let again = Amount::read(spelling);
        assert!(
            again.as_ref().is_ok_and(|again| again.amount == reading.amount),
            "{spelling}: {again:?}"
        );
    }
}

/// A decimal text as sign, significant digits, and the power of ten that goes with them.
fn exact(text: &str) -> Option<(bool, String, i64)> {
    let text = text.trim();
    let (number, power) = match text.split_once(['e', 'E']) {
        Some((number, power)) => (number, power.parse::<i64>().ok()?),
        None => (text, 0),
    };
    let (is_negative, unsigned) = match number.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, number.strip_prefix('+').unwrap_or(number)),
    };
    // Both of ours and of `rust_decimal` allow `_` between digits.
    let unsigned = unsigned.replace('_', "");
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((&unsigned, ""));
    let all = format!("{whole}{fraction}");
    if all.is_empty() || !all.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let significant = all.trim_start_matches('0');
    let bare = significant.trim_end_matches('0');
    if bare.is_empty() {
        return Some((false, String::new(), 0));
    }
    let dropped = i64::try_from(significant.len() - bare.len()).ok()?;
    Some((
        is_negative,
        bare.to_owned(),
        power - i64::try_from(fraction.len()).ok()? + dropped,
    ))
}

/// Money is exact: printed it is the very number that was read, and read again it is itself.
pub fn money(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    if let Ok(multiplier) = text.parse::<Multiplier>() {
        assert_eq!(
            exact(&multiplier.to_string()),
            exact(&text),
            "{text:?} was read as {multiplier}"
        );
    }
    let Ok(money) = text.parse::<Money>() else {
        return;
    };
    let printed = money.to_string();
    assert_eq!(exact(&printed), exact(&text), "{text:?} was read as {printed}");
    assert_eq!(printed.parse(), Ok(money), "{printed}");
    assert_eq!(
        money.grouped().replace(' ', "").parse(),
        Ok(money),
        "{}",
        money.grouped()
    );
    assert_eq!(money.is_negative(), printed.starts_with('-'), "{printed}");
}

/// Hundredths as people write them.
fn decimal(hundredths: i128) -> String {
    let sign = if hundredths < 0 { "-" } else { "" };
    let (whole, rest) = (hundredths.abs() / 100, hundredths.abs() % 100);
    format!("{sign}{whole}.{rest:02}")
}

/// Sums, differences and prices are those of whole numbers.
pub fn sums(bytes: &[u8]) {
    let mut numbers = bytes.chunks(6).map(|chunk| {
        let number = chunk
            .iter()
            .fold(0_i128, |number, byte| number << 8 | i128::from(*byte));
        if number % 2 == 0 { number } else { -number }
    });
    let read = |hundredths: i128| -> Money {
        decimal(hundredths)
            .parse()
            .unwrap_or_else(|error| panic!("{error}"))
    };
    let all: Vec<i128> = numbers.by_ref().take(50).collect();
    let total: Money = all.iter().map(|number| read(*number)).sum();
    assert_eq!(total, read(all.iter().sum()), "{all:?}");
    let [first, second, ..] = all[..] else {
        return;
    };
    assert_eq!(read(first) - read(second), read(first - second));
    let face = u32::try_from(first.unsigned_abs() % 10_000_000 + 1).unwrap_or(1);
    let rate = second.unsigned_abs() % 10_000;
    let multiplier: Multiplier = format!("0.{rate:04}")
        .parse()
        .unwrap_or_else(|error| panic!("{error}"));
    let amount = Amount::of(face).unwrap_or_else(|error| panic!("{error}"));
    let cost = multiplier.cost_of(amount);
    assert_eq!(
        exact(&cost.to_string()),
        exact(&format!("{}e-4", u128::from(face) * rate))
    );
}

#[test]
fn an_accepted_phone_is_a_mobile_number_of_the_digits_that_were_written() {
    Target::new("phone", WORDS, 40_000).run(phone);
}

#[test]
fn an_accepted_amount_is_the_whole_number_that_was_written() {
    Target::new("amount", WORDS, 40_000).run(amount);
}

#[test]
fn money_is_exact() {
    let words = &[
        "0",
        "1",
        "9",
        ".",
        "-",
        "+",
        "e",
        "E",
        "00",
        "123456789",
        "0.00",
        "_",
        "1326.13",
        "e-2",
        "e28",
        " ",
    ];
    Target::new("money", words, 40_000).run(money);
}

#[test]
fn sums_and_prices_are_exact() {
    Target::new("sums", &["\u{0}\u{0}\u{0}\u{0}\u{1}\u{2}"], 5_000).run(sums);
}
