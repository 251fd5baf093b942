//! The list and the account's transactions: pages, spans, order, and what must be refused.

use serde_json::{Value, json};

use super::rig::Rig;

fn refs(data: &Value) -> Vec<String> {
    data["items"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|row| {
            row["ref"]
                .as_str()
                .unwrap_or_default()
                .replace("API-+213770000000-", "")
        })
        .collect()
}

/// Five orders, ten simulated seconds apart.
fn five() -> Rig {
    let rig = Rig::calm();
    for reference in ["a", "b", "c", "d", "e"] {
        assert_eq!(rig.send(reference, "0778037340").status, 200);
        rig.pass(10);
    }
    rig
}

#[test]
fn pages_are_cut_and_counted_newest_first() {
    let rig = five();
    let page = rig.data("/v3/mobile/list?page=2&pageSize=2");
    assert_eq!(refs(&page), ["c", "b"]);
    assert_eq!(
        page["pagination"],
        json!({ "page": 2, "pageSize": 2, "totalPages": 3, "totalResults": 5 })
    );
    assert_eq!(refs(&rig.data("/v3/mobile/list?page=4&pageSize=2")), [""; 0]);
    assert_eq!(page["items"][0]["ref"], "API-+213770000000-c");
    rig.admin("switch", &json!({ "name": "list_order", "value": "oldest" }));
    assert_eq!(refs(&rig.data("/v3/mobile/list?pageSize=2")), ["a", "b"]);
}

#[test]
fn a_span_includes_both_ends() {
    let rig = five();
    let time = |reference: &str| {
        let order = rig.data(&format!("/v3/mobile/check-ref/{reference}"));
        order["created_at"].as_str().unwrap_or_default().to_owned()
    };
    let (from, to) = (time("b"), time("d"));
    let seen = rig.data(&format!("/v3/mobile/list?from={from}&to={to}"));
    assert_eq!(refs(&seen), ["d", "c", "b"]);
    let encoded = from.replace(':', "%3A").replace('Z', "%2B00%3A00");
    let one = rig.data(&format!("/v3/mobile/list?from={encoded}&to={from}"));
    assert_eq!(refs(&one), ["b"]);
}

#[test]
fn a_query_that_is_wrong_is_refused() {
    let rig = Rig::calm();
    for (query, message) in [
        ("page=0", "querystring/page must be >= 1"),
        ("page=-1", "querystring/page must be >= 1"),
        ("page=x", "querystring/page must be integer"),
        ("pageSize=101", "querystring/pageSize must be <= 100"),
        (
            "from=2025-10-01&to=2025-10-02",
            "querystring/from must match format \"date-time\"",
        ),
        (
            "from=2025-10-01T00:00:00Z",
            "Both 'from' and 'to' must be provided together",
        ),
        (
            "to=2025-10-01T00:00:00Z",
            "Both 'from' and 'to' must be provided together",
        ),
    ] {
        for path in ["/v3/mobile/list", "/v3/account/transactions"] {
            let answer = rig.get(&format!("{path}?{query}"));
            assert_eq!((answer.status, answer.code().as_str()), (400, "ERR_VALIDATION"));
            assert_eq!(answer.json()["error"]["message"], message);
        }
    }
}

#[test]
fn every_dinar_is_explained_by_a_transaction() {
    let rig = Rig::calm();
    let topup_id = rig.send("back", "0600000001").json()["data"]["topupId"].clone();
    rig.pass(16);
    rig.admin("deposit", &json!({ "amount": "1000.50" }));
    let page = rig.data("/v3/account/transactions");
    let rows: Vec<_> = page["items"].as_array().into_iter().flatten().collect();
    let told: Vec<_> = rows
        .iter()
        .map(|row| {
            format!(
                "{} {} {} {}->{}",
                row["type"], row["operation"], row["amount"], row["oldBalance"], row["newBalance"]
            )
            .replace('"', "")
        })
        .collect();
    assert_eq!(
        told,
        [
            "DEPOSIT increment 1000.5 50000->51000.5",
            "REFUND-FLEXY increment 496.25 49503.75->50000",
            "FLEXY decrement 496.25 50000->49503.75",
            "DEPOSIT increment 50000 0->50000",
        ]
    );
    assert_eq!((&rows[1]["objid"], &rows[2]["objid"]), (&topup_id, &topup_id));
    assert_eq!(rig.balance(), "51000.5");
}

#[test]
fn pagination_may_be_in_meta() {
    let rig = Rig::switched(&["pagination=meta"]);
    rig.send("a", "0778037340");
    let body = rig.get("/v3/mobile/list").json();
    assert_eq!(body["meta"]["pagination"]["totalResults"], 1);
    assert!(body["data"].get("pagination").is_none());
    assert!(body["meta"]["timestamp"].is_string());
}
