//! `ref show REF --support`: one order as the provider's support needs it, fit to be pasted into a mail. Nothing of other
//! orders is in it, nothing that the operator wrote for himself, and not the key, however it is spelt in an answer.

use std::fmt::Write;
use std::path::PathBuf;

use jiff::Timestamp;
use secrecy::SecretString;
use serde_json::{Map, Value, json};

use crate::api::withhold;
use crate::commands::outcome::unprintable;
use crate::commands::session::Session;
use crate::config::write_private;
use crate::domain::{Account, Order, ProviderStatus, Ref, SettledBy, State, TopupId, foreign, in_algiers};
use crate::error::{ExitCode, Result};
use crate::ledger::{Attempt, Move};

/// Where a pack goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PackTarget {
    /// stdout.
    Stdout,
    /// A new file that only its owner can read.
    File(PathBuf),
}

/// The fields in which a key that could be an ordinary word may stand.
const IDENTITIES: [&str; 9] = [
    "topup_id",
    "ref",
    "ref_at_provider",
    "account",
    "phone",
    "plan",
    "name",
    "version",
    "environment",
];
/// What stands for an answer that may show orders of others.
const LEFT_OUT: &str = "(left out: it may show other orders)";

/// Everything that the pack is made of.
pub(super) struct Evidence<'a> {
    pub order: &'a Order,
    pub moves: &'a [Move],
    pub attempts: &'a [Attempt],
    pub now: Timestamp,
}

/// Writes the pack.
pub(super) fn write(session: &Session, evidence: &Evidence<'_>, target: &PackTarget) -> Result<ExitCode> {
    let mut pack = evidence.pack();
    // Without a key here there is none to be withheld but what the ledger has withheld already.
    if let Some(key) = session.any_key() {
        withhold_everywhere(&key, &mut pack, "");
    }
    let printer = &session.printer;
    let text = if printer.format().is_json() {
        format!("{pack:#}\n")
    } else {
        letter(&pack)
    };
    match target {
        PackTarget::Stdout if printer.format().is_json() => printer.json(&pack).map_err(unprintable)?,
        PackTarget::Stdout => printer.raw(text.as_bytes()).map_err(unprintable)?,
        PackTarget::File(path) => {
            write_private(path, &text, false)
                .map_err(|error| error.hint("choose a name that is still free"))?;
            printer.note(&format!("written to {}", path.display()));
        }
    }
    Ok(ExitCode::Success)
}

impl Evidence<'_> {
    fn pack(&self) -> Value {
        let order = self.order;
        let intent = &order.intent;
        let exact = |at: Timestamp| format!("{at:.3}");
        let mut requests: Vec<&str> = Vec::new();
        let told = self.attempts.iter().filter_map(|call| call.request_id.as_deref());
        for id in told.chain(order.request_id.as_deref()) {
            if !requests.contains(&id) {
                requests.push(id);
            }
        }
        json!({
            "tool": {"name": "oneclick", "version": env!("CARGO_PKG_VERSION")},
            "made_at": exact(self.now),
            "account": order.account.username,
            "environment": order.account.environment.word(),
            "topup_id": order.topup_id.as_ref().map(TopupId::as_str),
            "ref": intent.reference.as_str(),
            "ref_at_provider": self.ref_there(),
            "phone": intent.phone.as_str(),
            "plan": intent.plan.as_str(),
            "operator": order.operator.name(),
            "amount": intent.amount.dinars(),
            "cost": order.cost.map(|cost| cost.to_string()),
            "state": order.state.word(),
            "provider_status": order.provider_status.as_ref().map(ProviderStatus::word),
            "settled_by": order.settled_by.map(SettledBy::word),
            "message": order.message,
            "sent_at": order.sent_at.map(exact),
            "created_at": exact(order.created_at),
            "requests_sent": order.attempts,
            "request_ids": requests,
            "history": self.moves.iter().map(|step| json!({
                "at": exact(step.at), "from": step.from.map(State::word), "to": step.to.word(), "why": why(step),
            })).collect::<Vec<_>>(),
            "calls": self.attempts.iter().map(|call| json!({
                "endpoint": call.endpoint, "path": call.path,
                "started_at": exact(call.started_at), "ended_at": call.ended_at.map(exact),
                "http_status": call.http_status, "request_id": call.request_id,
                "outcome": call.outcome, "request": call.request, "answer": self.answer(call),
            })).collect::<Vec<_>>(),
        })
    }

    /// The ref as the provider stores it: as it has said, or as it always has.
    fn ref_there(&self) -> String {
        let reference = &self.order.intent.reference;
        let prefixed = reference.prefixed(&self.order.account.username);
        self.order
            .provider_ref
            .clone()
            .filter(|theirs| theirs != reference.as_str())
            .unwrap_or(prefixed)
    }

    /// The answer to a call. Of the list's only the rows about this order.
    fn answer(&self, call: &Attempt) -> Option<String> {
        let text = call.answer.as_deref()?;
        if call.endpoint != "list" || !text.contains(['{', '[']) {
            return Some(text.to_owned());
        }
        let Ok(mut body) = serde_json::from_str::<Value>(text) else {
            return Some(LEFT_OUT.to_owned());
        };
        let order = self.order;
        let is_ours = |row: &Map<String, Value>| {
            let text = |name: &str| row.get(name).and_then(Value::as_str);
            let id = order.topup_id.as_ref().map(TopupId::as_str);
            (id.is_some() && text("_id") == id)
                || text("ref").is_some_and(|theirs| is_meant(&order.intent.reference, theirs, &order.account))
        };
        if body.as_object().is_some_and(|row| is_row(row) && !is_ours(row)) {
            return Some(LEFT_OUT.to_owned());
        }
        keep_rows(&mut body, &is_ours);
        Some(body.to_string())
    }
}

fn is_meant(reference: &Ref, theirs: &str, account: &Account) -> bool {
    reference.is_meant_by(theirs, &account.username)
}

/// Whether an object is an order, and not what stands around orders.
fn is_row(object: &Map<String, Value>) -> bool {
    ["_id", "MSSIDN", "plan_code", "topup_amount"]
        .iter()
        .any(|name| object.contains_key(*name))
}

/// Takes every row out that is another order's.
fn keep_rows(value: &mut Value, is_ours: &impl Fn(&Map<String, Value>) -> bool) {
    match value {
        Value::Array(rows) => {
            rows.retain(|row| row.as_object().is_none_or(|row| !is_row(row) || is_ours(row)));
            for row in rows {
                keep_rows(row, is_ours);
            }
        }
        Value::Object(fields) => {
            for field in fields.values_mut() {
                keep_rows(field, is_ours);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Why an order moved. What the operator wrote when he settled it is his own.
fn why(step: &Move) -> Option<String> {
    let why = step.why.as_deref()?;
    let by_hand = "settled by hand";
    Some(if why.starts_with(by_hand) { by_hand } else { why }.to_owned())
}

/// Every text in a value loses the key.
fn withhold_everywhere(key: &SecretString, value: &mut Value, name: &str) {
    match value {
        Value::String(text) => *text = withhold(key, text, IDENTITIES.contains(&name)),
        Value::Array(rows) => {
            for row in rows {
                withhold_everywhere(key, row, name);
            }
        }
        Value::Object(fields) => {
            for (name, field) in fields.iter_mut() {
                withhold_everywhere(key, field, name);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// The pack as text: labels on the left, every value on a line of its own, so that Arabic does not turn a line round.
fn letter(pack: &Value) -> String {
    let mut text = String::new();
    // Writing to a String can't fail.
    let mut say = |label: &str, value: &Value| {
        if let Some(shown) = shown(value) {
            let _ = writeln!(text, "{label:<16}{shown}");
        }
    };
    say("Account", &pack["account"]);
    say("Environment", &pack["environment"]);
    say("Top-up id", &pack["topup_id"]);
    say("Ref", &pack["ref"]);
    say("Ref stored as", &pack["ref_at_provider"]);
    say("Phone", &pack["phone"]);
    say("Plan", &pack["plan"]);
    say("Amount, DZD", &pack["amount"]);
    say("Cost, DZD", &pack["cost"]);
    say("Provider status", &pack["provider_status"]);
    say("State here", &pack["state"]);
    say("Settled by", &pack["settled_by"]);
    say("Message", &pack["message"]);
    say("Sent", &timed(&pack["sent_at"]));
    say("Requests sent", &pack["requests_sent"]);
    say("Request ids", &listed(&pack["request_ids"]));
    say("Made", &timed(&pack["made_at"]));
    say("Made by", &json!(concat!("oneclick ", env!("CARGO_PKG_VERSION"))));
    text.push_str("\nHistory (UTC; Algiers)\n");
    for step in pack["history"].as_array().into_iter().flatten() {
        let at = timed(&step["at"]);
        let from = shown(&step["from"]).map(|from| format!("{from} -> "));
        let why = shown(&step["why"]).map(|why| format!(": {why}"));
        let _ = writeln!(
            text,
            "  {}  {}{}{}",
            at.as_str().unwrap_or_default(),
            from.unwrap_or_default(),
            step["to"].as_str().unwrap_or_default(),
            why.unwrap_or_default()
        );
    }
    text.push_str("\nCalls (UTC; Algiers)\n");
    for (place, call) in pack["calls"].as_array().into_iter().flatten().enumerate() {
        say_call(&mut text, place + 1, call);
    }
    text
}

fn say_call(text: &mut String, number: usize, call: &Value) {
    let endpoint = call["endpoint"].as_str().unwrap_or_default();
    let path = shown(&call["path"]).unwrap_or_default();
    let _ = writeln!(text, "  {number}. {endpoint} {path}");
    for (label, value) in [
        ("asked", timed(&call["started_at"])),
        ("answered", timed(&call["ended_at"])),
        ("HTTP", call["http_status"].clone()),
        ("request id", call["request_id"].clone()),
        ("understood as", call["outcome"].clone()),
        ("request", call["request"].clone()),
        ("answer", call["answer"].clone()),
    ] {
        if let Some(shown) = shown(&value) {
            let _ = writeln!(text, "     {label:<15}{shown}");
        }
    }
}

/// A value on one line; none where there is nothing.
fn shown(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) if text.is_empty() => None,
        Value::String(text) => Some(foreign::clean(text)),
        other => Some(other.to_string()),
    }
}

fn listed(values: &Value) -> Value {
    let texts = values.as_array().into_iter().flatten().filter_map(Value::as_str);
    json!(texts.collect::<Vec<_>>().join(", "))
}

/// A moment in UTC, and as people in Algiers read it.
fn timed(value: &Value) -> Value {
    let moment = value.as_str().and_then(|text| text.parse::<Timestamp>().ok());
    json!(moment.map(|moment| format!("{moment:.3}; {}", in_algiers(moment))))
}
