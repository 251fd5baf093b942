//! What is sent: plan, amount and cost from the catalogue, and a ref where none was given.

use std::time::SystemTime;

use jiff::Timestamp;

use super::guard::guard;
use super::{Offer, PlanChoice, Request};
use crate::commands::link::Connected;
use crate::commands::session::Session;
use crate::domain::{Catalogue, Intent, NONCE_LENGTH, Operator, Plan, PriceError, Ref, RefPrefix};
use crate::error::{Error, Kind, Result};
use crate::topup::Wish;

/// Plan, amount and cost from the catalogue; asked anew once when the stored one does not have the plan.
pub(super) async fn price(session: &Session, connected: &Connected, request: &Request) -> Result<Offer> {
    let desk = &connected.desk;
    let catalogue = async |refresh: bool| {
        session
            .catalogue(&desk.client, Some(&desk.ledger), &desk.account, refresh)
            .await
    };
    let phone = &request.phone.phone;
    let find = |catalogue: &Catalogue| match &request.plan {
        PlanChoice::Auto => catalogue.prepaid_for(phone).cloned(),
        PlanChoice::Code(code) => catalogue.find(code).cloned(),
    };
    let mut stored = catalogue(false).await?;
    let mut plan = find(&stored);
    if !plan
        .as_ref()
        .is_some_and(|plan| plan.enabled && plan.price.settle(request.amount).is_ok())
    {
        // It may have been added, switched on or repriced since.
        stored = catalogue(true).await?;
        plan = find(&stored);
    }
    let plan = plan.ok_or_else(|| unknown_plan(request, &stored.plans))?;
    if !plan.enabled {
        return Err(Error::new(
            Kind::Refused,
            "plan_disabled",
            format!("`{}` can't be sold just now", plan.code),
        )
        .hint("`oneclick plans` shows what can be sold; nothing was sent"));
    }
    let amount = plan
        .price
        .settle(request.amount)
        .map_err(|error| price_error(&plan, &error))?;
    if !plan.operator.fits(phone) {
        session.printer.warn(&format!(
            "`{phone}` has the prefix of {}, and `{}` is a plan of {}",
            Operator::of(phone),
            plan.code,
            plan.operator
        ));
    }
    let intent = Intent {
        reference: request
            .reference
            .clone()
            .unwrap_or_else(|| made_ref(session.clock.now())),
        phone: phone.clone(),
        plan: plan.code.clone(),
        amount,
    };
    let cost = plan.cost_of(amount);
    let wish = Wish {
        intent,
        operator: plan.operator,
        cost,
        guard: guard(session, request),
    };
    Ok(Offer { wish, balance: None })
}

fn unknown_plan(request: &Request, plans: &[Plan]) -> Error {
    let PlanChoice::Code(code) = &request.plan else {
        let operator = Operator::of(&request.phone.phone);
        let message = format!("the catalogue has no prepaid plan of {operator} for `--plan auto`");
        return Error::new(Kind::Refused, "unknown_plan", message)
            .hint("choose one of `oneclick plans`; nothing was sent");
    };
    let nearest = plans
        .iter()
        .map(|plan| {
            (
                strsim::damerau_levenshtein(
                    &plan.code.as_str().to_uppercase(),
                    &code.as_str().to_uppercase(),
                ),
                plan,
            )
        })
        .min_by_key(|(distance, _)| *distance)
        .filter(|(distance, _)| *distance <= 2.max(code.as_str().chars().count() / 4))
        .map(|(_, plan)| format!("did you mean `{}`?", plan.code));
    Error::new(
        Kind::Refused,
        "unknown_plan",
        format!("there is no plan `{code}`"),
    )
    .maybe_hint(nearest)
    .hint("`oneclick plans --all` shows every plan; nothing was sent")
}

fn price_error(plan: &Plan, error: &PriceError) -> Error {
    let message = format!("`{}`: {error}", plan.code);
    let hint = "nothing was sent; `oneclick plans` shows what each plan takes";
    match error {
        PriceError::Missing { .. } => Error::usage("amount_missing", message).hint("add `--amount`"),
        PriceError::OutOfRange { .. } => Error::new(Kind::Refused, "amount_out_of_range", message).hint(hint),
        PriceError::NotThePrice { .. } => Error::new(Kind::Refused, "not_the_price", message)
            .hint("leave `--amount` out, or give the plan's price; nothing was sent"),
        PriceError::Unpriced => Error::new(Kind::Refused, "unpriced_plan", message).hint(hint),
    }
}

/// A ref of our own: `oc-<unix ms>-<6 base36>`.
fn made_ref(now: Timestamp) -> Ref {
    RefPrefix::default().make(u64::try_from(now.as_millisecond()).unwrap_or(0), &nonce())
}

/// Six characters of `0-9a-z`, drawn from the system's randomness.
pub(in crate::commands) fn nonce() -> String {
    use std::hash::{BuildHasher, RandomState};
    // Each `RandomState` is keyed from the system; time and process keep two starts apart even without it.
    let seed = RandomState::new().hash_one((SystemTime::now(), std::process::id()));
    let mut random = fastrand::Rng::with_seed(seed);
    (0..NONCE_LENGTH).map(|_| random.digit(36)).collect()
}
