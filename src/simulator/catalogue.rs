//! The plans that can be sold. Where no page gives a cost or a range, it is a plausible one.

use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::answers::number;
use super::switches::CataloguePage;

/// Something that can be sent to a number.
#[derive(Debug, Clone, Copy)]
pub(super) struct Plan {
    /// The value for `plan_code`.
    pub(super) code: &'static str,
    name: &'static str,
    /// Whose numbers it is for.
    pub(super) operator: &'static str,
    cost_ten_thousandths: Option<i64>,
    /// Whether it can be sold now.
    pub(super) enabled: bool,
    /// What amounts it takes.
    pub(super) price: Price,
}

/// What amounts a plan takes, in dinars.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Price {
    /// Any in a range, both ends included.
    Range(u64, u64),
    /// This one. Zero is listed, but cannot be sold.
    Fixed(u64),
    /// None: it asks which offers the number may take.
    Menu(u64, u64),
}

const fn plan(
    code: &'static str,
    name: &'static str,
    operator: &'static str,
    cost_ten_thousandths: Option<i64>,
    price: Price,
) -> Plan {
    Plan {
        code,
        name,
        operator,
        cost_ten_thousandths,
        enabled: true,
        price,
    }
}

const PREPAID: &str = "📱 PREPAID | عادي";
const POSTPAID: &str = "📋 FACTURE | فاتورة";
const MENU: &str = "📜 GETMENU | العروض";

const REFERENCE_DJEZZY: Plan = plan(
    "PREPAID_DJEZZY",
    PREPAID,
    "Djezzy",
    Some(9925),
    Price::Range(100, 10_000),
);
const GUIDE_DJEZZY: Plan = plan(
    "PREPAID_DJEZZY",
    "Djezzy Prepaid",
    "Djezzy",
    Some(9800),
    Price::Range(50, 5_000),
);

const PLANS: &[Plan] = &[
    plan(
        "PREPAID_MOBILIS",
        PREPAID,
        "Mobilis",
        Some(9600),
        Price::Range(40, 3_999),
    ),
    plan(
        "PREPAID_OOREDOO",
        PREPAID,
        "Ooredoo",
        Some(9700),
        Price::Range(50, 5_000),
    ),
    plan(
        "GROS_MOBILIS",
        "📱 GROS MOBILIS | جملة",
        "GMobilis",
        None,
        Price::Range(5_000, 300_000),
    ),
    plan(
        "FACTURE_DJEZZY",
        POSTPAID,
        "Djezzy",
        Some(9950),
        Price::Range(100, 10_000),
    ),
    plan(
        "GETMENU_Mobilis",
        MENU,
        "Mobilis",
        Some(9800),
        Price::Menu(50, 5_000),
    ),
    plan(
        "GETMENU_Ooredoo",
        MENU,
        "Ooredoo",
        Some(9800),
        Price::Menu(50, 5_000),
    ),
    plan(
        "GETMENU_Djezzy",
        MENU,
        "Djezzy",
        Some(9800),
        Price::Menu(50, 5_000),
    ),
    plan(
        "PIXX_500",
        "🎮 PIXX 500 | بيكس",
        "Pixx",
        Some(9700),
        Price::Fixed(500),
    ),
    plan(
        "MIX500_MOBILIS",
        "📱🌐 AUTO | MIX 500",
        "Mobilis",
        Some(9650),
        Price::Fixed(500),
    ),
    Plan {
        enabled: false,
        ..plan(
            "MIX1000_OOREDOO",
            "📱🌐 MIX 1000 | ميكس",
            "Ooredoo",
            Some(9700),
            Price::Fixed(1_000),
        )
    },
    plan(
        "SAMA_MOBILIS",
        "☎️ SAMA | سما",
        "Mobilis",
        Some(9600),
        Price::Fixed(0),
    ),
];

/// Every plan of a page, in the order of the catalogue.
fn plans(page: CataloguePage) -> impl Iterator<Item = Plan> {
    let djezzy = match page {
        CataloguePage::Reference => REFERENCE_DJEZZY,
        CataloguePage::Guide => GUIDE_DJEZZY,
    };
    std::iter::once(djezzy).chain(PLANS.iter().copied())
}

/// The plan with a code.
pub(super) fn find(page: CataloguePage, code: &str) -> Option<Plan> {
    plans(page).find(|plan| plan.code == code)
}

/// The data of `GET /v3/mobile/plans`.
pub(super) fn listing(page: CataloguePage) -> Value {
    let (fixed, dynamic): (Vec<_>, Vec<_>) =
        plans(page).partition(|plan| matches!(plan.price, Price::Fixed(_)));
    let rows = |plans: Vec<Plan>| plans.into_iter().map(Plan::row).collect::<Vec<_>>();
    json!({ "dynamicPlans": rows(dynamic), "fixedPlans": rows(fixed) })
}

/// The offers for a number that does not take what was sent.
pub(super) fn offers() -> Value {
    json!([
        { "typename": POSTPAID, "plan_code": "FACTURE_DJEZZY", "amount": 500 },
        { "typename": PREPAID, "plan_code": "PREPAID_DJEZZY", "amount": 1000 },
    ])
}

impl Plan {
    fn row(self) -> Value {
        let mut row = json!({ "code": self.code, "name": self.name, "operator": self.operator });
        if let Some(parts) = self.cost_ten_thousandths {
            row["cost"] = number(Decimal::new(parts, 4));
        }
        row["isEnabled"] = self.enabled.into();
        match self.price {
            Price::Range(min, max) | Price::Menu(min, max) => {
                row["min_amount"] = min.into();
                row["max_amount"] = max.into();
            }
            Price::Fixed(amount) => row["amount"] = amount.into(),
        }
        row
    }

    /// What a face value takes from the balance, to the centime.
    pub(super) fn cost_of(self, amount: u64) -> Decimal {
        let multiplier = self
            .cost_ten_thousandths
            .map_or(Decimal::ONE, |parts| Decimal::new(parts, 4));
        Decimal::from(amount).saturating_mul(multiplier).round_dp(2)
    }

    /// Whether a number's prefix belongs to the plan's operator.
    pub(super) fn fits(self, phone: &str) -> bool {
        let prefix = match self.operator {
            "Ooredoo" => "05",
            "Djezzy" => "07",
            _ => "06",
        };
        phone.starts_with(prefix)
    }
}
