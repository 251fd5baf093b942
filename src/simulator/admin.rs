//! Routes under `/_simulator/` for tests and tools: read the books, pay money in, move time, change switches.
//!
//! They need no key, are not counted, and no fault strikes them. Switches and faults change in this process
//! only; money, time and orders change for everyone who shares the books.

use std::str::FromStr;

use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::answers::Answer;
use super::call::Call;
use super::desk::Desk;
use super::fault::Fault;
use super::journal::Event;
use super::options::SimulatorError;
use super::send;
use super::tamper::{Deed, TAMPERINGS, Tampering};

/// Answers a call to one of the routes.
pub(super) fn answer(desk: &mut Desk, call: &Call) -> Answer {
    let body: Value = serde_json::from_slice(&call.body).unwrap_or_default();
    let done = match (call.method.as_str(), call.path.as_str()) {
        ("GET", "/_simulator/books") => Ok(desk.books()),
        ("POST", "/_simulator/deposit") => deposit(desk, &body),
        ("POST", "/_simulator/advance") => advance(desk, &body),
        ("POST", "/_simulator/switch") => switch(desk, &body),
        ("POST", "/_simulator/faults") => faults(desk, &body),
        ("POST", "/_simulator/order") => order(desk, &body),
        ("POST", "/_simulator/tamper") => tamper(desk, &body),
        (method, path) => Err((404, format!("there is no `{method} {path}`"))),
    };
    match done {
        Ok(body) => Answer::foreign(200, body),
        Err((status, message)) => Answer::foreign(status, json!({ "error": message })),
    }
}

type Done = Result<Value, (u16, String)>;

fn wrong(message: impl Into<String>) -> (u16, String) {
    (400, message.into())
}

fn failed(error: &SimulatorError) -> (u16, String) {
    (500, error.to_string())
}

/// A field's text; numbers may be written as such.
fn field(body: &Value, name: &str) -> Result<String, (u16, String)> {
    match &body[name] {
        Value::String(text) => Ok(text.clone()),
        Value::Number(number) => Ok(number.to_string()),
        _ => Err(wrong(format!("`{name}` is missing"))),
    }
}

fn parsed<T: FromStr>(body: &Value, name: &str) -> Result<T, (u16, String)> {
    let text = field(body, name)?;
    text.parse()
        .map_err(|_| wrong(format!("`{name}` cannot be `{text}`")))
}

fn deposit(desk: &mut Desk, body: &Value) -> Done {
    let amount: Decimal = parsed(body, "amount")?;
    desk.store.deposit(amount).map_err(|error| failed(&error))?;
    Ok(desk.books())
}

fn advance(desk: &mut Desk, body: &Value) -> Done {
    let seconds: u32 = parsed(body, "seconds")?;
    desk.store
        .advance(i64::from(seconds) * 1_000)
        .map_err(|error| failed(&error))?;
    Ok(desk.books())
}

fn switch(desk: &mut Desk, body: &Value) -> Done {
    let spelling = format!("{}={}", field(body, "name")?, field(body, "value")?);
    desk.options
        .switches
        .set(&spelling)
        .map_err(|error| wrong(error.to_string()))?;
    Ok(json!({ "switch": spelling }))
}

fn faults(desk: &mut Desk, body: &Value) -> Done {
    let spellings = body["faults"]
        .as_array()
        .ok_or_else(|| wrong("`faults` is missing"))?;
    let faults = spellings
        .iter()
        .map(|spelling| spelling.as_str().unwrap_or_default().parse::<Fault>())
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| wrong(error.to_string()))?;
    let told: Vec<_> = faults.iter().map(ToString::to_string).collect();
    desk.options.faults = faults;
    Ok(json!({ "faults": told }))
}

fn order(desk: &mut Desk, body: &Value) -> Done {
    let (reference, phone) = (field(body, "ref")?, field(body, "phone")?);
    let plan_code = field(body, "plan_code")?;
    let amount = parsed(body, "amount")?;
    let made = send::foreign(desk, &reference, &phone, &plan_code, amount);
    match made.map_err(|error| failed(&error))? {
        Some(topup_id) => Ok(json!({ "topup_id": topup_id })),
        None => Err(wrong(format!("there is no plan `{plan_code}`"))),
    }
}

/// Changes the books behind everybody's back.
fn tamper(desk: &mut Desk, body: &Value) -> Done {
    let word = field(body, "what")?;
    let what = Deed::read(&word).ok_or_else(|| {
        let words: Vec<_> = TAMPERINGS.iter().map(|(word, ..)| *word).collect();
        wrong(format!(
            "`what` cannot be `{word}`; it takes {}",
            words.join(", ")
        ))
    })?;
    let needs = |name: &str| what.needs().split(' ').any(|need| need == name);
    let topup_id = if needs("ref") {
        let reference = field(body, "ref")?;
        let order = desk.store.books().by_ref(&reference);
        order
            .map(|order| order.topup_id.clone())
            .ok_or_else(|| wrong(format!("there is no order `{reference}`")))?
    } else {
        String::new()
    };
    let tampering = Tampering {
        what,
        topup_id,
        amount: if needs("amount") {
            parsed(body, "amount")?
        } else {
            Decimal::ZERO
        },
        text: if needs("text") {
            field(body, "text")?
        } else {
            String::new()
        },
        at_ms: desk.store.books().now(),
    };
    let done = desk.store.record(Event::Tampered(tampering));
    done.map_err(|error| failed(&error))?;
    Ok(desk.books())
}
