//! Plans: what can be sold, by whom, at which price and cost (API page `list-plans`).

use std::fmt;
use std::str::FromStr;

use compact_str::CompactString;

use super::{Amount, Money, Multiplier, Phone, shown};

/// The code of a plan, as the provider spells it; upper and lower case differ (`GETMENU_Mobilis`).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PlanCode(CompactString);

/// A text that can be no plan code.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no plan code; codes are words such as `PREPAID_DJEZZY`")]
pub struct PlanCodeError(pub String);

impl PlanCode {
    /// The text as it is sent.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it names an operator's ordinary prepaid credit.
    pub fn is_prepaid(&self) -> bool {
        self.0.to_ascii_uppercase().starts_with("PREPAID")
    }
}

impl FromStr for PlanCode {
    type Err = PlanCodeError;

    fn from_str(text: &str) -> Result<Self, PlanCodeError> {
        let trimmed = text.trim();
        let fits = (1..=80).contains(&trimmed.chars().count());
        if fits
            && trimmed
                .chars()
                .all(|c| c.is_alphanumeric() || "_-.+ ".contains(c))
        {
            Ok(Self(trimmed.into()))
        } else {
            Err(PlanCodeError(shown(text)))
        }
    }
}

impl fmt::Display for PlanCode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.0)
    }
}

/// Whose credit it is.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Operator {
    /// Prefix 06.
    Mobilis,
    /// Prefix 07.
    Djezzy,
    /// Prefix 05.
    Ooredoo,
    /// A product of Mobilis.
    Pixx,
    /// Mobilis, wholesale.
    GMobilis,
    /// One that this version does not know.
    Other(String),
}

impl Operator {
    /// Those that have a name here.
    pub const KNOWN: [Self; 5] = [
        Self::Mobilis,
        Self::Djezzy,
        Self::Ooredoo,
        Self::Pixx,
        Self::GMobilis,
    ];

    /// The name as the provider spells it.
    pub fn name(&self) -> &str {
        match self {
            Self::Mobilis => "Mobilis",
            Self::Djezzy => "Djezzy",
            Self::Ooredoo => "Ooredoo",
            Self::Pixx => "Pixx",
            Self::GMobilis => "GMobilis",
            Self::Other(name) => name,
        }
    }

    /// Reads a name in any case.
    pub fn named(name: &str) -> Self {
        let known = Self::KNOWN
            .into_iter()
            .find(|operator| operator.name().eq_ignore_ascii_case(name.trim()));
        known.unwrap_or_else(|| Self::Other(name.trim().to_owned()))
    }

    /// The operator whose prefix a number has (API page `2-validation`). Numbers will be portable, so this is
    /// a guess to warn by, never a reason to refuse.
    pub fn of(phone: &Phone) -> Self {
        match phone.as_str().as_bytes().get(1) {
            Some(b'5') => Self::Ooredoo,
            Some(b'6') => Self::Mobilis,
            _ => Self::Djezzy,
        }
    }

    /// Whether a number's prefix goes with this operator's plans. Pixx and wholesale are Mobilis products.
    pub fn fits(&self, phone: &Phone) -> bool {
        match self {
            Self::Mobilis | Self::Pixx | Self::GMobilis => Self::of(phone) == Self::Mobilis,
            Self::Djezzy | Self::Ooredoo => Self::of(phone) == *self,
            Self::Other(_) => true,
        }
    }
}

impl fmt::Display for Operator {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.name())
    }
}

/// Which face values a plan takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Price {
    /// Any whole amount from `min` to `max`, both included.
    Range {
        /// The least.
        min: Amount,
        /// The most.
        max: Amount,
    },
    /// This one only.
    Fixed(Amount),
    /// The catalogue names no price that can be sold (fixed plans with 0 exist).
    Unpriced,
}

/// Why a plan does not take an amount.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PriceError {
    /// A dynamic plan needs one.
    #[error("the plan takes {min} to {max} DZD; no amount was given")]
    Missing {
        /// The least.
        min: Amount,
        /// The most.
        max: Amount,
    },
    /// Outside the range.
    #[error("the plan takes {min} to {max} DZD, not {amount}")]
    OutOfRange {
        /// What was asked for.
        amount: Amount,
        /// The least.
        min: Amount,
        /// The most.
        max: Amount,
    },
    /// Another price.
    #[error("the plan costs {price} DZD, not {amount}")]
    NotThePrice {
        /// What was asked for.
        amount: Amount,
        /// The plan's price.
        price: Amount,
    },
    /// Nothing to sell by.
    #[error("the catalogue names no price for the plan")]
    Unpriced,
}

impl Price {
    /// The amount to send: the one asked for when the plan takes it; a fixed plan's own price when none was.
    pub fn settle(self, asked: Option<Amount>) -> Result<Amount, PriceError> {
        match (self, asked) {
            (Self::Range { min, max }, None) => Err(PriceError::Missing { min, max }),
            (Self::Range { min, max }, Some(amount)) if amount < min || amount > max => {
                Err(PriceError::OutOfRange { amount, min, max })
            }
            (Self::Range { .. }, Some(amount)) => Ok(amount),
            (Self::Fixed(price), Some(amount)) if amount != price => {
                Err(PriceError::NotThePrice { amount, price })
            }
            (Self::Fixed(price), _) => Ok(price),
            (Self::Unpriced, _) => Err(PriceError::Unpriced),
        }
    }
}

/// One thing that can be sold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// What `--plan` takes.
    pub code: PlanCode,
    /// The provider's name for it: foreign text, often with emoji and Arabic.
    pub name: String,
    /// Whose credit it is.
    pub operator: Operator,
    /// What a dinar of face value costs; the provider leaves it out for some plans.
    pub multiplier: Option<Multiplier>,
    /// Which amounts it takes.
    pub price: Price,
    /// Whether it can be sold just now.
    pub enabled: bool,
}

impl Plan {
    /// What a face value is expected to cost, where the catalogue says.
    pub fn cost_of(&self, amount: Amount) -> Option<Money> {
        self.multiplier.map(|multiplier| multiplier.cost_of(amount))
    }

    /// Whether it is an operator's ordinary prepaid credit: what `--plan auto` chooses.
    fn is_prepaid_of(&self, operator: &Operator) -> bool {
        self.operator == *operator && matches!(self.price, Price::Range { .. }) && self.code.is_prepaid()
    }
}

/// All plans, in the provider's order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Catalogue {
    /// The plans.
    pub plans: Vec<Plan>,
}

impl Catalogue {
    /// The plan with exactly this code.
    pub fn find(&self, code: &PlanCode) -> Option<&Plan> {
        self.plans.iter().find(|plan| plan.code == *code)
    }

    /// The prepaid plan of a number's prefix: an enabled one where there are several.
    pub fn prepaid_for(&self, phone: &Phone) -> Option<&Plan> {
        let operator = Operator::of(phone);
        let mut candidates = self.plans.iter().filter(|plan| plan.is_prepaid_of(&operator));
        let first = candidates.clone().next();
        candidates.find(|plan| plan.enabled).or(first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn amount(dinars: u32) -> Amount {
        Amount::of(dinars).unwrap_or_else(|error| panic!("{error}"))
    }

    fn plan(code: &str, operator: Operator, enabled: bool) -> Plan {
        Plan {
            code: code.parse().unwrap_or_else(|error| panic!("{error}")),
            name: String::new(),
            operator,
            multiplier: None,
            price: Price::Range {
                min: amount(40),
                max: amount(3999),
            },
            enabled,
        }
    }

    #[test]
    fn a_range_takes_its_bounds_and_nothing_outside() {
        let range = Price::Range {
            min: amount(40),
            max: amount(3999),
        };
        assert_eq!(range.settle(Some(amount(40))), Ok(amount(40)));
        assert_eq!(range.settle(Some(amount(3999))), Ok(amount(3999)));
        assert!(matches!(
            range.settle(Some(amount(39))),
            Err(PriceError::OutOfRange { .. })
        ));
        assert!(matches!(
            range.settle(Some(amount(4000))),
            Err(PriceError::OutOfRange { .. })
        ));
        assert!(matches!(range.settle(None), Err(PriceError::Missing { .. })));
    }

    #[test]
    fn a_fixed_plan_is_sold_at_its_price_only() {
        let fixed = Price::Fixed(amount(500));
        assert_eq!(fixed.settle(None), Ok(amount(500)));
        assert_eq!(fixed.settle(Some(amount(500))), Ok(amount(500)));
        assert!(matches!(
            fixed.settle(Some(amount(400))),
            Err(PriceError::NotThePrice { .. })
        ));
        assert_eq!(
            Price::Unpriced.settle(Some(amount(500))),
            Err(PriceError::Unpriced)
        );
    }

    #[test]
    fn auto_takes_the_enabled_prepaid_plan_of_the_prefix() {
        let catalogue = Catalogue {
            plans: vec![
                plan("GETMENU_Djezzy", Operator::Djezzy, true),
                plan("PREPAID_MOBILIS", Operator::Mobilis, true),
                plan("PREPAID_OLD_DJEZZY", Operator::Djezzy, false),
                plan("PREPAID_DJEZZY", Operator::Djezzy, true),
            ],
        };
        let phone: Phone = "0778037340".parse().unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(
            catalogue.prepaid_for(&phone).map(|plan| plan.code.as_str()),
            Some("PREPAID_DJEZZY")
        );
        let ooredoo: Phone = "0555123456".parse().unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(catalogue.prepaid_for(&ooredoo), None);
    }

    #[test]
    fn operators_fit_their_prefixes() {
        let mobilis: Phone = "0661234567".parse().unwrap_or_else(|error| panic!("{error}"));
        assert!(Operator::named("pixx").fits(&mobilis));
        assert!(Operator::GMobilis.fits(&mobilis));
        assert!(!Operator::Djezzy.fits(&mobilis));
        assert!(Operator::named("Lycamobile").fits(&mobilis));
    }

    #[test]
    fn codes_keep_their_case_and_refuse_what_is_no_word() {
        assert_eq!(
            "GETMENU_Mobilis".parse::<PlanCode>().map(|code| code.to_string()),
            Ok("GETMENU_Mobilis".to_owned())
        );
        for text in ["", " ", "a/b", "a\u{1b}[31m", "x".repeat(81).as_str()] {
            assert!(text.parse::<PlanCode>().is_err(), "{text:?}");
        }
    }
}
