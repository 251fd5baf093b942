//! Wire shapes, decoded tolerantly: unknown fields are ignored, numbers may be strings, most may be missing.
//! `MSSIDN` and the like stay in this file.

use serde_json::Value;

use crate::domain::{
    Account, Amount, Catalogue, Environment, Money, Multiplier, Offer, Operator, Plan, Price, ProviderStatus,
    Seen, TopupId,
};

/// Whose key it is, and what it may do (API page `validate-token`). The key itself is not read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The account and its environment.
    pub account: Account,
    /// Whether the key is on.
    pub is_enabled: bool,
    /// Whether it may only read.
    pub is_read_only: bool,
}

/// A page of the provider's list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Page {
    /// The orders that could be read.
    pub orders: Vec<Seen>,
    /// Each of them as it came, the key taken out: what a ledger keeps of it.
    pub texts: Vec<String>,
    /// How many rows the page had, readable or not.
    pub rows: usize,
    /// How many pages there are, where the provider says.
    pub pages: Option<u64>,
    /// How many rows all pages have together, where the provider says.
    pub total: Option<u64>,
}

/// A string, or a number as its digits.
pub(super) fn text(object: &Value, name: &str) -> Option<String> {
    match object.get(name)? {
        Value::String(text) if !text.trim().is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// An exact decimal, from a number or a string.
pub(super) fn money(object: &Value, name: &str) -> Option<Money> {
    text(object, name)?.parse().ok()
}

/// Reads the answer of `/v3/validate`, in its documented, short and bill-payment forms. None where account or
/// environment can't be told: then nothing may be sent.
pub fn read_identity(data: &Value) -> Option<Identity> {
    let none = Value::Null;
    let key = data.get("apiKey").or_else(|| data.get("key")).unwrap_or(&none);
    let account = data.get("account").unwrap_or(&none);
    let username = text(data, "username")
        .or_else(|| text(account, "username"))
        .or_else(|| text(account, "id"))?;
    let kind = text(key, "type").or_else(|| text(data, "type"))?;
    Some(Identity {
        account: Account {
            username,
            environment: kind.parse::<Environment>().ok()?,
        },
        is_enabled: key.get("isEnabled").and_then(Value::as_bool).unwrap_or(true),
        is_read_only: text(key, "scope")
            .is_some_and(|scope| scope.to_ascii_uppercase().replace('_', "-") == "READ-ONLY"),
    })
}

/// Reads the answer of `/v3/account/balance`.
pub fn read_balance(data: &Value) -> Option<Money> {
    money(data, "balance")
}

/// Reads the answer of `/v3/mobile/plans`. A row without code or price can't be sold and is left out. None
/// where neither list is there.
pub fn read_catalogue(data: &Value) -> Option<Catalogue> {
    let rows = |name: &str| data.get(name).and_then(Value::as_array);
    let (dynamic, fixed) = (rows("dynamicPlans"), rows("fixedPlans"));
    if dynamic.is_none() && fixed.is_none() {
        return None;
    }
    let dynamic = dynamic
        .into_iter()
        .flatten()
        .filter_map(|row| read_plan(row, range(row)));
    let fixed = fixed
        .into_iter()
        .flatten()
        .filter_map(|row| read_plan(row, price(row)));
    Some(Catalogue {
        plans: dynamic.chain(fixed).collect(),
    })
}

fn read_plan(row: &Value, price: Price) -> Option<Plan> {
    let code = text(row, "code")?;
    Some(Plan {
        name: text(row, "name").unwrap_or_else(|| code.clone()),
        operator: Operator::named(&text(row, "operator").unwrap_or_default()),
        multiplier: text(row, "cost").and_then(|cost| cost.parse::<Multiplier>().ok()),
        price,
        enabled: row.get("isEnabled").and_then(Value::as_bool).unwrap_or(true),
        code: code.parse().ok()?,
    })
}

fn range(row: &Value) -> Price {
    match (whole(row, "min_amount"), whole(row, "max_amount")) {
        (Some(min), Some(max)) if min <= max => Price::Range { min, max },
        _ => Price::Unpriced,
    }
}

fn price(row: &Value) -> Price {
    whole(row, "amount").map_or(Price::Unpriced, Price::Fixed)
}

/// Whole dinars; `500` and `500.00` alike.
fn whole(row: &Value, name: &str) -> Option<Amount> {
    money(row, name)?.to_string().parse().ok()
}

/// The catalogue as `/v3/mobile/plans` would show it: what the cache stores, so that one reader serves both.
pub fn catalogue_json(catalogue: &Catalogue) -> Value {
    let (mut dynamic, mut fixed) = (Vec::new(), Vec::new());
    for plan in &catalogue.plans {
        let mut row = serde_json::json!({
            "code": plan.code.as_str(),
            "name": plan.name,
            "operator": plan.operator.name(),
            "cost": plan.multiplier.map(|multiplier| multiplier.to_string()),
            "isEnabled": plan.enabled,
        });
        match plan.price {
            Price::Range { min, max } => {
                row["min_amount"] = min.dinars().into();
                row["max_amount"] = max.dinars().into();
                dynamic.push(row);
            }
            Price::Fixed(amount) => {
                row["amount"] = amount.dinars().into();
                fixed.push(row);
            }
            Price::Unpriced => fixed.push(row),
        }
    }
    serde_json::json!({ "dynamicPlans": dynamic, "fixedPlans": fixed })
}

/// Reads an order from a check or a row of the list. None where it has no status: then it says nothing.
pub fn read_seen(data: &Value) -> Option<Seen> {
    let status = data.get("status")?.as_str()?;
    let id = text(data, "_id")
        .or_else(|| text(data, "topupId"))
        .or_else(|| text(data, "id"));
    Some(Seen {
        id: id.and_then(|id| TopupId::new(&id)),
        reference: text(data, "ref").or_else(|| text(data, "topupRef")),
        status: ProviderStatus::named(status),
        plan: text(data, "plan_code"),
        phone: text(data, "MSSIDN"),
        amount: money(data, "topup_amount"),
        cost: money(data, "balance_amount"),
        created_at: text(data, "created_at").and_then(|at| at.parse().ok()),
        message: text(data, "refund_message"),
        offers: data
            .get("suggested_offers")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(read_offer)
            .collect(),
    })
}

fn read_offer(row: &Value) -> Option<Offer> {
    let plan = text(row, "plan_code")?;
    Some(Offer {
        name: text(row, "typename").unwrap_or_default(),
        plan,
        amount: money(row, "amount"),
    })
}

/// Reads a page of the list: rows under `items`, `topups` or bare; pagination in `data` or in `meta`. None
/// where there are no rows to be seen, not even an empty list.
pub fn read_page(data: &Value, meta: Option<&Value>) -> Option<Page> {
    let rows = rows(data)?;
    let readable = rows
        .iter()
        .filter_map(|row| Some((read_seen(row)?, row.to_string())));
    let (orders, texts) = readable.unzip();
    Some(Page {
        orders,
        texts,
        rows: rows.len(),
        pages: pagination(data, meta, "totalPages"),
        total: pagination(data, meta, "totalResults"),
    })
}

/// The rows of a page, wherever they stand.
pub(super) fn rows(data: &Value) -> Option<&Vec<Value>> {
    data.get("items")
        .or_else(|| data.get("topups"))
        .unwrap_or(data)
        .as_array()
}

/// A count of the pagination, in `data` or in `meta`.
pub(super) fn pagination(data: &Value, meta: Option<&Value>, name: &str) -> Option<u64> {
    [Some(data), meta].into_iter().flatten().find_map(|place| {
        let pagination = place.get("pagination").unwrap_or(place);
        text(pagination, name)?.parse().ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::State;

    fn json(text: &str) -> Value {
        serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}"))
    }

    #[test]
    fn identities_are_read_in_every_form() {
        let full = r#"{"username":"+213665983439","apiKey":{"key":"k","isEnabled":true,"type":"SANDBOX","allowedips":[],"scope":"READ-WRITE"}}"#;
        let short = r#"{"username":"+213665983439","apiKey":{"type":"PRODUCTION","scope":"READ-ONLY","isEnabled":false}}"#;
        let bills = r#"{"account":{"id":"+213665983439","status":"ok"},"key":{"type":"SANDBOX"}}"#;
        let read = |text: &str| {
            read_identity(&json(text)).map(|i| (i.account.environment, i.is_enabled, i.is_read_only))
        };
        assert_eq!(read(full), Some((Environment::Sandbox, true, false)));
        assert_eq!(read(short), Some((Environment::Production, false, true)));
        assert_eq!(read(bills), Some((Environment::Sandbox, true, false)));
        assert_eq!(read(r#"{"username":"x","apiKey":{"type":"OTHER"}}"#), None);
        assert_eq!(read(r#"{"apiKey":{"type":"SANDBOX"}}"#), None);
    }

    #[test]
    fn catalogues_survive_gaps_and_the_cache() {
        let catalogue = read_catalogue(&json(
            r#"{"dynamicPlans":[
                {"code":"PREPAID_DJEZZY","name":"📱 PREPAID | عادي","operator":"Djezzy","cost":0.9925,"isEnabled":true,"min_amount":100,"max_amount":10000},
                {"code":"GROS_MOBILIS","name":"x","operator":"GMobilis","isEnabled":true,"min_amount":5000,"max_amount":300000},
                {"name":"no code"}],
              "fixedPlans":[
                {"code":"PIXX_500","name":"p","operator":"Pixx","cost":0.97,"isEnabled":false,"amount":500},
                {"code":"FREE","operator":"Pixx","cost":0.97,"isEnabled":true,"amount":0}],"more":1}"#,
        ))
        .unwrap_or_default();
        let codes: Vec<_> = catalogue.plans.iter().map(|plan| plan.code.as_str()).collect();
        assert_eq!(codes, ["PREPAID_DJEZZY", "GROS_MOBILIS", "PIXX_500", "FREE"]);
        assert_eq!(
            catalogue.plans[0].multiplier.map(|m| m.to_string()).as_deref(),
            Some("0.9925")
        );
        assert_eq!(catalogue.plans[1].multiplier, None);
        assert_eq!(catalogue.plans[3].price, Price::Unpriced);
        assert_eq!(read_catalogue(&catalogue_json(&catalogue)), Some(catalogue));
        assert_eq!(read_catalogue(&json("{}")), None);
    }

    #[test]
    fn orders_are_read_from_the_samples_and_from_less() {
        let sample = r#"{"_id":"6901616fe9e88196b4eb64b0","ref":"order-12345","status":"FULFILLED","plan_code":"PREPAID_DJEZZY","MSSIDN":"0778037340","topup_amount":500,"balance_amount":490,"created_at":"2025-10-29T00:35:59.378Z"}"#;
        let seen = read_seen(&json(sample)).unwrap_or_else(|| panic!("unread"));
        assert_eq!(seen.status.state(), State::Fulfilled);
        assert_eq!(seen.cost.map(|cost| cost.to_string()).as_deref(), Some("490"));
        assert!(seen.created_at.is_some());
        let short = read_seen(&json(
            r#"{"status":"HANDLING","MSSIDN":"0778037340","topup_amount":"500"}"#,
        ));
        assert_eq!(short.and_then(|seen| seen.amount), "500".parse().ok());
        assert_eq!(read_seen(&json(r#"{"MSSIDN":"0778037340"}"#)), None);
    }

    #[test]
    fn pages_are_read_wherever_their_parts_stand() {
        let row = r#"{"status":"PENDING","ref":"a"}"#;
        for (data, meta) in [
            (
                format!(r#"{{"items":[{row},{{}}],"pagination":{{"totalPages":3}}}}"#),
                "{}",
            ),
            (
                format!(r#"{{"topups":[{row},{{}}]}}"#),
                r#"{"pagination":{"totalPages":3}}"#,
            ),
            (format!("[{row},{{}}]"), r#"{"totalPages":"3"}"#),
        ] {
            let page = read_page(&json(&data), Some(&json(meta))).unwrap_or_default();
            assert_eq!(
                (page.orders.len(), page.rows, page.pages),
                (1, 2, Some(3)),
                "{data}"
            );
        }
        assert_eq!(read_page(&json(r#"{"other":1}"#), None), None);
    }
}
