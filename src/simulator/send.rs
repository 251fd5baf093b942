//! `POST /v3/mobile/send`: the body is checked, then the plan, the ref and the balance; then it is accepted.

use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::answers::{Answer, number};
use super::call::Call;
use super::catalogue::{self, Plan, Price};
use super::clock::Millis;
use super::desk::Desk;
use super::journal::Event;
use super::mobile::shape_ref;
use super::options::{Options, SimulatorError};
use super::order::{Course, Fate, Order};
use super::switches::{DuplicateCode, EmptyWallet, FixedAmount, Switches};

const PHONE_PATTERN: &str = r#"body/MSSIDN must match pattern "^0[567][0-9]{8}$""#;

/// No page gives a limit for refs of this endpoint; this one is what the pages give elsewhere.
const REF_CHARS_MAX: usize = 100;

/// What a body asks for, once its form is right.
#[derive(Debug)]
struct Wish {
    plan_code: String,
    phone: String,
    amount: Option<u64>,
    reference: Option<String>,
}

/// Accepts a top-up, or refuses it.
pub(super) fn send(desk: &mut Desk, call: &Call, now: Millis, late: bool) -> Result<Answer, Answer> {
    let wish = Wish::read(call)?;
    let switches = &desk.options.switches;
    let (plan, amount) = wish.price(switches)?;
    let topup_id = desk.store.next_id(desk.options.seed);
    let reference = match wish.reference {
        Some(reference) => unused(desk, reference)?,
        None => format!("auto-{topup_id}"),
    };
    let cost = plan.cost_of(amount);
    let available = desk.store.books().balance();
    if available < cost {
        return Err(empty_wallet(cost, available, switches));
    }
    let fate = match plan.price {
        Price::Menu(..) => Fate::Offered,
        Price::Range(..) | Price::Fixed(_) => Fate::of_phone(&wish.phone),
    };
    let order = Order {
        topup_id,
        reference,
        phone: wish.phone,
        plan_code: wish.plan_code,
        amount,
        cost,
        course: Course::begin(now, fate, late, switches),
    };
    let receipt = receipt(&order, available.saturating_sub(cost), &desk.options);
    desk.store
        .record(Event::Order(order))
        .map_err(|error| Answer::broken(&error))?;
    Ok(receipt)
}

/// An order that came in by another door, such as the provider's website: nothing is checked but the plan.
pub(super) fn foreign(
    desk: &mut Desk,
    reference: &str,
    phone: &str,
    plan_code: &str,
    amount: u64,
) -> Result<Option<String>, SimulatorError> {
    let switches = &desk.options.switches;
    let Some(plan) = catalogue::find(switches.catalogue, plan_code) else {
        return Ok(None);
    };
    let now = desk.store.books().now();
    let topup_id = desk.store.next_id(desk.options.seed);
    let order = Order {
        topup_id: topup_id.clone(),
        reference: reference.to_owned(),
        phone: phone.to_owned(),
        plan_code: plan_code.to_owned(),
        amount,
        cost: plan.cost_of(amount),
        course: Course::begin(now, Fate::of_phone(phone), false, switches),
    };
    desk.store.record(Event::Order(order))?;
    Ok(Some(topup_id))
}

impl Wish {
    fn read(call: &Call) -> Result<Self, Answer> {
        let is_json = call
            .content_type
            .as_deref()
            .is_some_and(|kind| kind.trim().starts_with("application/json"));
        if !is_json {
            let kind = call.content_type.as_deref().unwrap_or("undefined");
            let message = format!("Unsupported Media Type: {kind}");
            return Err(Answer::bare(415, "Unsupported Media Type", &message));
        }
        let body = match serde_json::from_slice(&call.body) {
            Ok(Value::Object(body)) => body,
            Ok(_) => return Err(Answer::invalid("body", Value::Null, "body must be object")),
            Err(_) => return Err(Answer::invalid("body", Value::Null, "Body is not valid JSON")),
        };
        let plan_code = text(body.get("plan_code"), "plan_code")?;
        let phone = text(body.get("MSSIDN"), "MSSIDN")?;
        if !is_mobile(&phone) {
            return Err(Answer::invalid("MSSIDN", phone.into(), PHONE_PATTERN));
        }
        Ok(Self {
            plan_code,
            phone,
            amount: body.get("amount").map(whole).transpose()?,
            reference: body.get("ref").map(reference).transpose()?,
        })
    }

    /// The plan, and the face value that it is sold at.
    fn price(&self, switches: &Switches) -> Result<(Plan, u64), Answer> {
        let refuse = |message: &str| {
            Err(Answer::invalid(
                "plan_code",
                self.plan_code.as_str().into(),
                message,
            ))
        };
        let Some(plan) = catalogue::find(switches.catalogue, &self.plan_code) else {
            return refuse("Plan not found");
        };
        if !plan.enabled || plan.price == Price::Fixed(0) {
            return refuse("Plan is not available");
        }
        if switches.operator_check && !plan.fits(&self.phone) {
            let message = format!("Phone number does not belong to {}", plan.operator);
            return Err(Answer::invalid("MSSIDN", self.phone.as_str().into(), &message));
        }
        self.face_value(plan.price, switches.fixed_amount)
            .map(|amount| (plan, amount))
    }

    fn face_value(&self, price: Price, fixed: FixedAmount) -> Result<u64, Answer> {
        match (price, self.amount) {
            (Price::Fixed(price), _) if fixed == FixedAmount::Ignored => Ok(price),
            (Price::Menu(..), None | Some(0)) => Ok(0),
            (_, None) => Err(Answer::invalid(
                "amount",
                Value::Null,
                "body must have required property 'amount'",
            )),
            (Price::Fixed(price), Some(amount)) if amount == price => Ok(price),
            (Price::Fixed(price), Some(amount)) => Err(out_of_range(amount, price, price)),
            (Price::Range(min, max) | Price::Menu(min, max), Some(amount)) => {
                if (min..=max).contains(&amount) {
                    Ok(amount)
                } else {
                    Err(out_of_range(amount, min, max))
                }
            }
        }
    }
}

fn out_of_range(amount: u64, min: u64, max: u64) -> Answer {
    let message = format!("Amount must be between {min} and {max}");
    Answer::invalid("amount", amount.into(), &message)
}

fn text(value: Option<&Value>, field: &str) -> Result<String, Answer> {
    match value {
        Some(Value::String(text)) => Ok(text.clone()),
        Some(other) => {
            let message = format!("body/{field} must be string");
            Err(Answer::invalid(field, other.clone(), &message))
        }
        None => {
            let message = format!("body must have required property '{field}'");
            Err(Answer::invalid(field, Value::Null, &message))
        }
    }
}

fn reference(value: &Value) -> Result<String, Answer> {
    let reference = text(Some(value), "ref")?;
    let refuse = |message| Err(Answer::invalid("ref", value.clone(), message));
    if reference.is_empty() {
        return refuse("body/ref must NOT have fewer than 1 characters");
    }
    if reference.chars().count() > REF_CHARS_MAX {
        return refuse("body/ref must NOT have more than 100 characters");
    }
    Ok(reference)
}

/// Reads a whole number; `500.0` and `5e2` are whole as well, as they are for the provider's validator.
fn whole(value: &Value) -> Result<u64, Answer> {
    let refuse = |message| Answer::invalid("amount", value.clone(), message);
    let Value::Number(number) = value else {
        return Err(refuse("body/amount must be integer"));
    };
    let text = number.to_string();
    let decimal = Decimal::from_str_exact(&text)
        .or_else(|_| Decimal::from_scientific(&text))
        .ok()
        .filter(|decimal| decimal.fract().is_zero())
        .ok_or_else(|| refuse("body/amount must be integer"))?;
    u64::try_from(decimal).map_err(|_| refuse("body/amount must be >= 0"))
}

fn is_mobile(phone: &str) -> bool {
    let digits = phone.as_bytes();
    digits.len() == 10
        && digits.iter().all(u8::is_ascii_digit)
        && digits.first() == Some(&b'0')
        && matches!(digits.get(1), Some(b'5'..=b'7'))
}

fn unused(desk: &Desk, reference: String) -> Result<String, Answer> {
    let switches = &desk.options.switches;
    match desk.store.books().by_ref(&reference) {
        Some(existing) if switches.unique_refs => Err(duplicate(existing, switches)),
        _ => Ok(reference),
    }
}

fn duplicate(existing: &Order, switches: &Switches) -> Answer {
    let (code, message) = match switches.duplicate_code {
        DuplicateCode::Hyphen => ("DUPLICATED-REF", "This reference ID is already in use."),
        DuplicateCode::Underscore => ("DUPLICATED_REF", "This reference ID is already in use"),
    };
    let answer = Answer::refuse(403, code, message);
    if switches.duplicate_details {
        answer.details(json!({ "existingTopupId": existing.topup_id }))
    } else {
        answer
    }
}

fn empty_wallet(required: Decimal, available: Decimal, switches: &Switches) -> Answer {
    let (code, message) = match switches.empty_wallet_code {
        EmptyWallet::InsufficientBalance => (
            "INSUFFICIENT_BALANCE",
            "Your balance is insufficient for this operation",
        ),
        EmptyWallet::NoBalance => ("NO_BALANCE", "Insufficient balance"),
    };
    let details = json!({ "required": number(required), "available": number(available) });
    Answer::refuse(403, code, message).details(details)
}

fn receipt(order: &Order, balance: Decimal, options: &Options) -> Answer {
    let mut data = json!({
        "topupId": order.topup_id,
        "topupRef": shape_ref(&order.reference, options.switches.topup_ref, options),
    });
    if options.switches.new_balance {
        data["newBalance"] = number(balance);
    }
    Answer::ok(data)
}
