//! What a row would buy and for how much, and what the catalogue and a cap have against selling it.

use super::plan::Terms;
use super::sheet::{Entry, PlanCell, Refusal};
use crate::domain::{Amount, Money, Operator, Plan, PlanCode};
use crate::ledger::LeftOpen;

/// How far a plan's code may be from a known one to be taken for a slip of the keyboard.
const LETTERS_AWAY_MAX: usize = 2;
/// What a cell says that leaves the plan to the number; and the plan of a number that has none.
const AUTO: &str = "auto";

/// What stands against a row.
#[derive(Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(super) enum Against {
    /// The sheet itself.
    Sheet,
    /// What can be sold today.
    Catalogue,
    /// `max_per_send`.
    Cap,
}

/// A row under the terms: what it would be, and what they have against sending it.
pub(super) struct Priced<'t> {
    pub offer: Offer<'t>,
    pub amount: Amount,
    pub against: Option<(Refusal, Against)>,
    /// What the sheet leaves to the catalogue.
    pub left_open: LeftOpen,
}

/// What a row would buy.
pub(super) enum Offer<'t> {
    /// A plan of the catalogue.
    Known(&'t Plan),
    /// A plan that it does not have, or no longer.
    Unknown(PlanCode, Operator),
}

impl Offer<'_> {
    pub fn code(&self) -> &PlanCode {
        match self {
            Self::Known(plan) => &plan.code,
            Self::Unknown(code, _) => code,
        }
    }

    pub fn operator(&self) -> &Operator {
        match self {
            Self::Known(plan) => &plan.operator,
            Self::Unknown(_, operator) => operator,
        }
    }

    pub fn cost_of(&self, amount: Amount) -> Option<Money> {
        match self {
            Self::Known(plan) => plan.cost_of(amount),
            Self::Unknown(..) => None,
        }
    }
}

/// Something that stands against a row.
type Objection = (Refusal, Against);

impl Terms {
    /// What a row would be. An error where nothing tells that: then no order can be known to be this row.
    pub(super) fn priced(&self, entry: &Entry, line: u64, has_plans: bool) -> Result<Priced<'_>, Objection> {
        let (offer, mut against) = self.offer(entry, line, has_plans)?;
        let asked = entry.amount.or(self.amount);
        let left_open = LeftOpen {
            plan: !matches!(
                entry.plan.as_ref().or(self.plan.as_ref()),
                Some(PlanCell::Code(_))
            ),
            amount: asked.is_none(),
        };
        let settled = match &offer {
            Offer::Known(plan) => settled(plan, asked, line),
            Offer::Unknown(..) => asked.ok_or_else(|| {
                let reason = format!("the amount is missing{MISSING_AMOUNT}");
                (refusal(line, "amount", String::new(), reason), Against::Sheet)
            }),
        };
        let amount = match (settled, asked) {
            (Ok(amount), _) => amount,
            (Err(objection), Some(amount)) => {
                against.get_or_insert(objection);
                amount
            }
            (Err(objection), None) => return Err(against.unwrap_or(objection)),
        };
        let over_cap = || {
            let cap = self.max_per_send.filter(|cap| amount > *cap)?;
            let reason = format!("it would pass `max_per_send` of {} DZD", cap.grouped());
            Some((refusal(line, "amount", amount.to_string(), reason), Against::Cap))
        };
        Ok(Priced {
            offer,
            amount,
            against: against.or_else(over_cap),
            left_open,
        })
    }

    /// The plan of a row, and what stands against selling it.
    fn offer(
        &self,
        entry: &Entry,
        line: u64,
        has_plans: bool,
    ) -> Result<(Offer<'_>, Option<Objection>), Objection> {
        let unsold =
            |code: &str, reason: String| (refusal(line, "plan", code.to_owned(), reason), Against::Catalogue);
        let plan = match entry.plan.as_ref().or(self.plan.as_ref()) {
            None if has_plans => {
                let reason =
                    "the plan is empty; fill the cell, or give a plan for all such rows with `--plan`";
                let refusal = refusal(line, "plan", String::new(), reason.to_owned());
                return Err((refusal, Against::Sheet));
            }
            None | Some(PlanCell::Auto) => {
                let Some(plan) = self.catalogue.prepaid_for(&entry.phone) else {
                    let operator = Operator::of(&entry.phone);
                    let reason = format!("the catalogue has no prepaid plan of {operator} for this number");
                    let against = unsold(AUTO, reason);
                    let Ok(nothing) = AUTO.parse() else {
                        return Err(against);
                    };
                    return Ok((Offer::Unknown(nothing, operator), Some(against)));
                };
                plan
            }
            Some(PlanCell::Code(code)) => {
                let Some(plan) = self.catalogue.find(code) else {
                    let meant = self
                        .nearest(code)
                        .map(|plan| format!(" (did you mean `{}`?)", plan.code));
                    let reason = format!(
                        "there is no such plan{}; `oneclick plans --all` shows every plan",
                        meant.unwrap_or_default()
                    );
                    let offer = Offer::Unknown(code.clone(), Operator::of(&entry.phone));
                    return Ok((offer, Some(unsold(code.as_str(), reason))));
                };
                plan
            }
        };
        let against = (!plan.enabled).then(|| {
            let reason = "the plan can't be sold just now; `oneclick plans` shows those that can";
            unsold(plan.code.as_str(), reason.to_owned())
        });
        Ok((Offer::Known(plan), against))
    }

    /// The plan whose code is the same but for its case, or at most two letters away. It is named, never taken.
    fn nearest(&self, code: &PlanCode) -> Option<&Plan> {
        let typed = code.as_str().to_lowercase();
        let distance = |plan: &&Plan| strsim::damerau_levenshtein(&typed, &plan.code.as_str().to_lowercase());
        let nearest = self.catalogue.plans.iter().min_by_key(distance)?;
        let is_near = distance(&nearest) <= LETTERS_AWAY_MAX && typed.len() > 2 * LETTERS_AWAY_MAX;
        is_near.then_some(nearest)
    }
}

/// The amount of a row by its plan.
fn settled(plan: &Plan, asked: Option<Amount>, line: u64) -> Result<Amount, Objection> {
    plan.price.settle(asked).map_err(|error| {
        let (value, mend, against) = match asked {
            Some(amount) => (amount.to_string(), "", Against::Catalogue),
            // A missing amount is the sheet's fault, whatever the catalogue says.
            None => (String::new(), MISSING_AMOUNT, Against::Sheet),
        };
        let reason = format!("{error} (`{}`){mend}", plan.code);
        (refusal(line, "amount", value, reason), against)
    })
}

/// How a missing amount is mended.
const MISSING_AMOUNT: &str = "; fill the cell, or give an amount for all such rows with `--amount`";

fn refusal(line: u64, column: &str, value: String, reason: String) -> Refusal {
    Refusal {
        line,
        column: column.to_owned(),
        value,
        reason,
    }
}
