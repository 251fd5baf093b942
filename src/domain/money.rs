//! Exact decimals: money in dinars, and the multiplier that turns a face value into a cost. No floats.

use std::fmt;
use std::ops::{Add, Sub};
use std::str::FromStr;

use rust_decimal::Decimal;

use super::Amount;

/// Millionths in a dinar, and the decimals that they have.
const MICROS: i64 = 1_000_000;
const MICROS_SCALE: u32 = 6;

/// Algerian dinars (DZD) as an exact decimal: costs and balances. May be negative (a difference).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Money(Decimal);

/// A text that is no exact decimal.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no amount of money")]
pub struct MoneyError(pub String);

impl Money {
    /// No dinars.
    pub const ZERO: Self = Self(Decimal::ZERO);

    /// So many whole dinars.
    pub fn from_dinars(dinars: u64) -> Self {
        Self(Decimal::from(dinars))
    }

    /// With at least two decimals and thin groups of three, as people read it: `12 503.75`.
    pub fn grouped(self) -> String {
        let text = self.to_string();
        let (sign, digits) = text
            .strip_prefix('-')
            .map_or(("", text.as_str()), |rest| ("-", rest));
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "00"));
        format!("{sign}{}.{fraction:0<2}", group_thousands(whole))
    }

    /// In millionths of a dinar, rounded to the nearest: what a database can add up exactly. None where it is
    /// beyond all money.
    pub fn micros(self) -> Option<i64> {
        let scaled = self.0.checked_mul(Decimal::from(MICROS))?;
        i64::try_from(scaled.round()).ok()
    }

    /// So many millionths of a dinar.
    pub fn from_micros(micros: i64) -> Self {
        Self(Decimal::from_i128_with_scale(i128::from(micros), MICROS_SCALE))
    }

    /// Without its sign.
    #[must_use]
    pub fn abs(self) -> Self {
        Self(self.0.abs())
    }

    /// Whether it is below zero.
    pub fn is_negative(self) -> bool {
        self.0.is_sign_negative() && !self.0.is_zero()
    }
}

/// Groups digits by three with a space: `10000` becomes `10 000`.
pub fn group_thousands(digits: &str) -> String {
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(' ');
        }
        grouped.push(digit);
    }
    grouped
}

/// As many dinars nobody has: a text that says more is no money. Below it every number can be printed and read again,
/// and the sum of all rows of a sheet is exact.
const BEYOND: u64 = 1_000_000_000_000_000_000;

/// Reads plain and scientific spellings, since JSON numbers may have either. What does not fit exactly is refused, not
/// rounded.
fn read_decimal(text: &str) -> Option<Decimal> {
    exactly(text.trim()).filter(|number| number.abs() < Decimal::from(BEYOND))
}

fn exactly(trimmed: &str) -> Option<Decimal> {
    let Some((mantissa, power)) = trimmed.split_once(['e', 'E']) else {
        return Decimal::from_str_exact(trimmed).ok();
    };
    let mut number = Decimal::from_str_exact(mantissa).ok()?.normalize();
    let power: i32 = power.parse().ok()?;
    if number.is_zero() {
        return Some(number);
    }
    let scale = i32::try_from(number.scale()).ok()?.checked_sub(power)?;
    number.set_scale(u32::try_from(scale.max(0)).ok()?).ok()?;
    (scale..0).try_fold(number, |number, _| number.checked_mul(Decimal::TEN))
}

impl FromStr for Money {
    type Err = MoneyError;

    fn from_str(text: &str) -> Result<Self, MoneyError> {
        read_decimal(text)
            .map(Self)
            .ok_or_else(|| MoneyError(text.to_owned()))
    }
}

impl fmt::Display for Money {
    /// Plain digits with a point, two decimals at least unless whole: `496.25`, `500`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shortest = self.0.normalize();
        let text = if shortest.scale() == 1 {
            format!("{shortest:.2}")
        } else {
            shortest.to_string()
        };
        formatter.pad(&text)
    }
}

impl From<Amount> for Money {
    fn from(amount: Amount) -> Self {
        Self(Decimal::from(amount.dinars()))
    }
}

impl Add for Money {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl Sub for Money {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl std::iter::Sum for Money {
    fn sum<I: Iterator<Item = Self>>(items: I) -> Self {
        items.fold(Self::ZERO, Add::add)
    }
}

/// What a dinar of face value costs: 0.98 means that 1000 DZD cost 980 (API page `list-plans`, `cost`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Multiplier(Decimal);

impl Multiplier {
    /// The expected cost of a face value, exact; the provider's own rounding is not documented.
    pub fn cost_of(self, amount: Amount) -> Money {
        Money(self.0.saturating_mul(Decimal::from(amount.dinars())))
    }
}

impl FromStr for Multiplier {
    type Err = MoneyError;

    fn from_str(text: &str) -> Result<Self, MoneyError> {
        read_decimal(text)
            .filter(|value| !value.is_sign_negative())
            .map(Self)
            .ok_or_else(|| MoneyError(text.to_owned()))
    }
}

impl fmt::Display for Multiplier {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.0.normalize().to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn money(text: &str) -> Money {
        text.parse().unwrap_or_else(|error| panic!("{error}"))
    }

    #[test]
    fn money_is_exact_and_reads_json_spellings() {
        assert_eq!(money("0.1") + money("0.2"), money("0.3"));
        assert_eq!(money("1326.13") - money("500"), money("826.13"));
        assert_eq!(money("1.5e3"), money("1500"));
        assert_eq!(money("1E2"), money("100"));
        assert_eq!(money("12.5e-2"), money("0.125"));
        assert_eq!(money("-0e999999999"), Money::ZERO);
        for inexact in [
            "0.12345678901234567890123456789e0",
            "1e29",
            "1e-29",
            "1e999999999",
            "1e-2147483648",
        ] {
            assert!(inexact.parse::<Money>().is_err(), "{inexact}");
        }
        assert!("1,5".parse::<Money>().is_err());
        assert!("NaN".parse::<Money>().is_err());
    }

    #[test]
    fn money_is_written_for_scripts_and_for_people() {
        for (text, plain, grouped) in [
            ("496.25", "496.25", "496.25"),
            ("496.5", "496.50", "496.50"),
            ("500.00", "500", "500.00"),
            ("12503.75", "12503.75", "12 503.75"),
            ("1000000", "1000000", "1 000 000.00"),
            ("-1234.5", "-1234.50", "-1 234.50"),
            ("100.2425", "100.2425", "100.2425"),
            ("0", "0", "0.00"),
        ] {
            assert_eq!(money(text).to_string(), plain);
            assert_eq!(money(text).grouped(), grouped);
        }
    }

    #[test]
    fn millionths_go_there_and_back() {
        for (text, micros) in [
            ("496.25", 496_250_000),
            ("-0.0001", -100),
            ("0", 0),
            ("1326.1299999999", 1_326_130_000),
        ] {
            assert_eq!(money(text).micros(), Some(micros), "{text}");
        }
        assert_eq!(Money::from_micros(496_250_000).to_string(), "496.25");
        assert_eq!(money("999999999999999999").micros(), None);
    }

    #[test]
    fn a_multiplier_prices_a_face_value() {
        let multiplier: Multiplier = "0.9925".parse().unwrap_or_else(|error| panic!("{error}"));
        let amount = Amount::of(500).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(multiplier.cost_of(amount), money("496.25"));
        assert!("-1".parse::<Multiplier>().is_err());
    }
}
