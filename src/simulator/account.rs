//! The account's endpoints: balance, transactions, the key, and the health of the operators.

use serde_json::{Value, json};

use super::answers::{Answer, number};
use super::books::{Books, Entry, EntryKind};
use super::call::Call;
use super::clock::iso;
use super::mobile::shape_ref;
use super::options::Options;
use super::page::Page;
use super::store::object_id;
use super::switches::{Form, ListOrder, Scope, Subject};

/// `GET /v3/account/balance`.
pub(super) fn balance(books: &Books, options: &Options) -> Answer {
    let mut data = json!({ "balance": number(books.balance()) });
    if options.switches.currency {
        data["currency"] = "DZD".into();
    }
    Answer::ok(data)
}

/// `GET /v3/account/transactions`.
pub(super) fn transactions(books: &Books, options: &Options, call: &Call) -> Result<Answer, Answer> {
    let page = Page::read(call)?;
    let entries = page.window(books.entries(), |entry| entry.at);
    let mut seen: Vec<_> = entries.iter().collect();
    let switches = &options.switches;
    if switches.list_order == ListOrder::Newest {
        seen.reverse();
    }
    let rows = page
        .cut(&seen)
        .iter()
        .map(|entry| row(books, entry, options))
        .collect();
    Ok(page.answer(rows, seen.len(), switches))
}

fn row(books: &Books, entry: &Entry, options: &Options) -> Value {
    let kind = entry.kind.word();
    if options.switches.entry_form == Form::Short {
        return json!({ "type": kind, "amount": number(entry.amount), "time": iso(entry.at) });
    }
    let note = match entry.kind {
        EntryKind::Deposit => "Deposit",
        EntryKind::Flexy => "Mobile top-up",
        EntryKind::RefundFlexy => "Refund of a mobile top-up",
        EntryKind::Withdraw => "Withdrawal",
        EntryKind::Adsl => "Internet top-up",
    };
    json!({
        "_id": object_id(&format!("{}/{}", books.salt(), entry.number)),
        "type": kind,
        "operation": entry.kind.operation(),
        "amount": number(entry.amount),
        "oldBalance": number(entry.before),
        "newBalance": number(entry.after),
        "objid": subject(books, entry, options),
        "note": note,
        "time": iso(entry.at),
    })
}

/// What `objid` points to.
fn subject(books: &Books, entry: &Entry, options: &Options) -> String {
    match options.switches.objid {
        Subject::Id => entry.topup_id.clone(),
        Subject::Ref => books
            .by_id(&entry.topup_id)
            .map(|order| shape_ref(&order.reference, options.switches.list_ref, options))
            .unwrap_or_default(),
        Subject::Other => object_id(&format!("another book/{}", entry.number)),
    }
}

/// `GET /v3/validate`. It echoes the key, as the provider does.
pub(super) fn validate(options: &Options) -> Answer {
    let switches = &options.switches;
    let scope = match switches.scope {
        Scope::ReadWrite => "READ-WRITE",
        Scope::ReadOnly => "READ-ONLY",
    };
    let kind = options.environment.key_type();
    let key = match switches.validate {
        Form::Full => json!({
            "key": options.key,
            "isEnabled": switches.key_enabled,
            "type": kind,
            "allowedips": [],
            "scope": scope,
        }),
        Form::Short => json!({ "type": kind, "scope": scope, "isEnabled": switches.key_enabled }),
    };
    let data = json!({ "username": options.username, "apiKey": key });
    if switches.validate_meta {
        Answer::ok(data)
    } else {
        Answer::plain(data)
    }
}

/// `GET /v3/ping`: everything is up.
pub(super) fn ping() -> Answer {
    Answer::ok(json!({
        "api": "ok",
        "operators": { "mobilis": "up", "ooredoo": "up", "djezzy": "up", "mobilisFixedPlans": "up" },
    }))
}
