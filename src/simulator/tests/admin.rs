//! The simulator's own routes, and the books that they show.

use serde_json::{Value, json};

use super::rig::{End, KEY, Rig, heard, top_up};

#[test]
fn the_books_tell_what_was_really_accepted() {
    let rig = Rig::faulty(&["answer_lost@1"]);
    assert_eq!(rig.send_raw(&top_up("lost", "0778037340")), End::Reset);
    rig.send("lost", "0778037340");
    rig.pass(16);
    rig.get("/v3/mobile/check-ref/lost");
    rig.get("/v3/nowhere");
    let books = heard(rig.call("GET", "/_simulator/books", None, None)).json();
    assert_eq!(books, rig.simulator.books());
    let row = &books["accepted"]["lost"];
    assert_eq!((&row["count"], &row["status"]), (&1.into(), &"FULFILLED".into()));
    assert_eq!(
        (&row["plan"], &row["amount"]),
        (&"PREPAID_DJEZZY".into(), &500.into())
    );
    assert_eq!(books["balance"].to_string(), "49503.75");
    assert_eq!(books["orders"], 1);
    assert_eq!(books["deliveries"], json!({ "lost": 1 }));
    assert_eq!(books["calls"], json!({ "check-ref": 1, "other": 1, "send": 2 }));
    assert_eq!(
        books["answers"],
        json!({ "200": 1, "403": 1, "404": 1, "reset": 1 })
    );
}

#[test]
fn faults_and_switches_change_while_it_serves() {
    let rig = Rig::calm();
    let told = rig.admin(
        "faults",
        &json!({ "faults": ["request_lost=100%", "hang_after:list@1-2"] }),
    );
    assert_eq!(
        told,
        json!({ "faults": ["request_lost:send=1.000000", "hang_after:list@1-2"] })
    );
    assert_eq!(rig.send_raw(&top_up("a", "0778037340")), End::Reset);
    rig.admin("faults", &json!({ "faults": [] }));
    assert_eq!(rig.send("a", "0778037340").status, 200);
    rig.admin("switch", &json!({ "name": "order_seconds", "value": 2 }));
    rig.send("b", "0778037340");
    rig.pass(2);
    assert_eq!([rig.status("a"), rig.status("b")], ["PENDING", "FULFILLED"]);
}

#[test]
fn foreign_orders_come_in_by_another_door() {
    let rig = Rig::calm();
    let body =
        json!({ "ref": "counter", "phone": "0661000000", "plan_code": "PREPAID_MOBILIS", "amount": 100 });
    let made = rig.admin("order", &body);
    let topup_id = made["topup_id"].as_str().unwrap_or_default();
    let order = rig.data(&format!("/v3/mobile/check-id/{topup_id}"));
    assert_eq!(
        (&order["ref"], &order["topup_amount"]),
        (&"counter".into(), &100.into())
    );
    assert_eq!(rig.balance(), "49904");
}

#[test]
fn what_cannot_be_done_is_told() {
    let rig = Rig::calm();
    for (route, body) in [
        ("deposit", json!({ "amount": "much" })),
        ("advance", json!({})),
        ("switch", json!({ "name": "list", "value": "gone" })),
        ("faults", json!({ "faults": ["answers_lost"] })),
        ("faults", Value::Null),
        ("tamper", json!({ "what": "burn" })),
        ("tamper", json!({ "what": "drop_order", "ref": "none" })),
        ("tamper", json!({ "what": "extra_debit" })),
        (
            "order",
            json!({ "ref": "a", "phone": "0661000000", "plan_code": "NONE", "amount": 1 }),
        ),
    ] {
        let path = format!("/_simulator/{route}");
        let answer = heard(rig.call("POST", &path, None, Some(&body)));
        assert_eq!(answer.status, 400, "{answer:?}");
        assert!(answer.json()["error"].is_string());
    }
    assert_eq!(
        heard(rig.call("GET", "/_simulator/nothing", Some(KEY), None)).status,
        404
    );
}

fn entries(rig: &Rig) -> Vec<String> {
    let page = rig.data("/v3/account/transactions?pageSize=100");
    let rows = page["items"].as_array().cloned().unwrap_or_default();
    let told = |row: &Value| {
        format!(
            "{} {} {}->{}",
            row["type"].as_str().unwrap_or_default(),
            row["amount"],
            row["oldBalance"],
            row["newBalance"]
        )
    };
    rows.iter().rev().map(told).collect()
}

#[test]
fn tampered_books_go_on_adding_up_unless_a_gap_is_made() {
    let rig = Rig::calm();
    rig.send("back", "0600000001");
    rig.send("paid", "0778037340");
    rig.pass(20);
    rig.admin("tamper", &json!({ "what": "drop_refund", "ref": "back" }));
    rig.admin(
        "tamper",
        &json!({ "what": "change_cost", "ref": "paid", "amount": "400" }),
    );
    rig.admin("tamper", &json!({ "what": "duplicate_debit", "ref": "paid" }));
    assert_eq!(
        entries(&rig),
        [
            "DEPOSIT 50000 0->50000",
            "FLEXY 496.25 50000->49503.75",
            "FLEXY 400 49503.75->49103.75",
            "FLEXY 400 49103.75->48703.75",
        ]
    );
    rig.admin("tamper", &json!({ "what": "gap", "amount": "3.75" }));
    assert_eq!(rig.balance(), "48700");
    let row = rig.data("/v3/mobile/check-ref/paid");
    assert_eq!(row["balance_amount"], 400);
    rig.admin(
        "tamper",
        &json!({ "what": "change_status", "ref": "paid", "text": "REFUNDED" }),
    );
    let row = rig.data("/v3/mobile/check-ref/paid");
    assert_eq!(
        (&row["status"], &row["balance_amount"]),
        (&"REFUNDED".into(), &0.into())
    );
    rig.admin("tamper", &json!({ "what": "drop_order", "ref": "paid" }));
    assert_eq!(rig.get("/v3/mobile/check-ref/paid").status, 404);
}

#[test]
fn a_refund_that_was_dropped_before_it_was_due_never_comes() {
    let rig = Rig::calm();
    rig.send("back", "0600000001");
    rig.admin("tamper", &json!({ "what": "drop_refund", "ref": "back" }));
    rig.pass(60);
    assert_eq!(rig.balance(), "49503.75");
}
