//! Sending, checking, and what becomes of orders.

use std::io::{Read, Write};
use std::net::TcpStream;

use serde_json::{Value, json};

use super::rig::{End, Rig, heard, top_up};

#[test]
fn a_send_is_accepted_debited_and_delivered() {
    let rig = Rig::calm();
    let answer = rig.send("order-1", "0778037340");
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(
        answer.header("content-type"),
        Some("application/json; charset=utf-8")
    );
    assert!(answer.header("date").is_some_and(|date| date.ends_with(" GMT")));
    let body = answer.json();
    let topup_id = body["data"]["topupId"].as_str().unwrap_or_default();
    assert_eq!(topup_id.len(), 24);
    assert!(topup_id.bytes().all(|byte| byte.is_ascii_hexdigit()));
    assert_eq!(body["data"]["topupRef"], "API-+213770000000-order-1");
    assert_eq!(
        body["requestId"],
        answer.header("x-request-id").unwrap_or_default()
    );
    assert_eq!(rig.balance(), "49503.75");
    assert_eq!(rig.status("order-1"), "PENDING");
    rig.pass(8);
    assert_eq!(rig.status("order-1"), "HANDLING");
    rig.pass(8);
    let order = rig.data(&format!("/v3/mobile/check-id/{topup_id}"));
    let created_at = order["created_at"].as_str().unwrap_or_default().to_owned();
    assert_eq!(
        order,
        json!({
            "ref": "order-1",
            "status": "FULFILLED",
            "plan_code": "PREPAID_DJEZZY",
            "MSSIDN": "0778037340",
            "topup_amount": 500,
            "balance_amount": order["balance_amount"],
            "created_at": created_at,
            "_id": topup_id,
        })
    );
    assert_eq!(order["balance_amount"].to_string(), "496.25");
    assert_eq!(rig.simulator.books()["deliveries"], json!({ "order-1": 1 }));
}

#[test]
fn the_test_numbers_end_as_they_should() {
    let rig = Rig::calm();
    for (reference, phone) in [
        ("refund", "0600000001"),
        ("suggest", "0600000002"),
        ("review", "0600000003"),
    ] {
        assert_eq!(rig.send(reference, phone).status, 200);
    }
    rig.pass(16);
    let refunded = rig.data("/v3/mobile/check-ref/refund");
    assert_eq!(refunded["status"], "REFUNDED");
    assert_eq!(refunded["balance_amount"], json!(0));
    assert!(refunded["refund_message"].is_string());
    assert!(refunded.get("suggested_offers").is_none());
    let offered = rig.data("/v3/mobile/check-ref/suggest");
    assert_eq!(offered["status"], "REFUNDED");
    assert_eq!(offered["suggested_offers"][0]["plan_code"], "FACTURE_DJEZZY");
    assert_eq!(rig.status("review"), "UNKNOWN_ERROR");
    // Two refunds came back; the one in review stays paid.
    assert_eq!(rig.balance(), "49503.75");
    rig.pass(24 * 3600 - 1);
    assert_eq!(rig.status("review"), "UNKNOWN_ERROR");
    rig.pass(1);
    assert_eq!(rig.status("review"), "FULFILLED");
}

#[test]
fn a_ref_is_accepted_once() {
    let rig = Rig::calm();
    assert_eq!(rig.send("once", "0778037340").status, 200);
    let again = rig.send("once", "0555123456");
    assert_eq!((again.status, again.code().as_str()), (403, "DUPLICATED-REF"));
    assert_eq!(
        again.json()["error"]["message"],
        "This reference ID is already in use."
    );
    assert!(again.json()["error"].get("details").is_none());
    assert!(again.json().get("meta").is_none());
    assert_eq!(rig.accepted("once"), 1);
    assert_eq!(rig.balance(), "49503.75");
}

#[test]
fn a_send_without_a_ref_gets_one() {
    let rig = Rig::calm();
    let body = json!({ "plan_code": "PREPAID_MOBILIS", "MSSIDN": "0661000000", "amount": 100 });
    let stored = rig.post(&body).json()["data"]["topupRef"].clone();
    let raw = stored
        .as_str()
        .and_then(|stored| stored.strip_prefix("API-+213770000000-"))
        .map(str::to_owned);
    assert!(raw.is_some_and(|raw| rig.status(&raw) == "PENDING"), "{stored}");
}

#[test]
fn both_forms_of_a_ref_find_an_order_and_strange_ones_are_decoded() {
    let rig = Rig::calm();
    rig.send("commande n° 1/é+", "0778037340");
    let raw = "commande%20n%C2%B0%201%2F%C3%A9%2B";
    assert_eq!(rig.status(raw), "PENDING");
    assert_eq!(rig.status(&format!("API-%2B213770000000-{raw}")), "PENDING");
    assert_eq!(rig.status(&format!("API-+213770000000-{raw}")), "PENDING");
    let missing = rig.get("/v3/mobile/check-ref/order%2D2");
    assert_eq!((missing.status, missing.code().as_str()), (404, "NOT_FOUND"));
    assert_eq!(
        missing.json()["error"]["message"],
        "Top-up with reference 'order-2' not found"
    );
}

#[test]
fn what_is_wrong_with_a_body_is_named() {
    let rig = Rig::calm();
    let good = top_up("x", "0778037340");
    for (field, value, message) in [
        ("plan_code", Value::Null, "body/plan_code must be string"),
        ("plan_code", json!("NO_SUCH_PLAN"), "Plan not found"),
        ("plan_code", json!("MIX1000_OOREDOO"), "Plan is not available"),
        ("plan_code", json!("SAMA_MOBILIS"), "Plan is not available"),
        ("MSSIDN", json!(778_037_340), "body/MSSIDN must be string"),
        (
            "MSSIDN",
            json!("+213778037340"),
            r#"body/MSSIDN must match pattern "^0[567][0-9]{8}$""#,
        ),
        ("amount", json!("500"), "body/amount must be integer"),
        ("amount", json!(500.5), "body/amount must be integer"),
        ("amount", json!(-500), "body/amount must be >= 0"),
        ("amount", json!(99), "Amount must be between 100 and 10000"),
        ("amount", json!(10_001), "Amount must be between 100 and 10000"),
        ("ref", json!(""), "body/ref must NOT have fewer than 1 characters"),
    ] {
        let mut body = good.clone();
        body[field] = value.clone();
        let answer = rig.post(&body);
        let error = &answer.json()["error"];
        assert_eq!((answer.status, error["message"].as_str()), (400, Some(message)));
        assert_eq!(error["code"], "ERR_VALIDATION");
        assert_eq!(error["details"]["field"], field);
    }
    for field in ["plan_code", "MSSIDN", "amount"] {
        let mut body = good.clone();
        body.as_object_mut().and_then(|body| body.shift_remove(field));
        let message = format!("body must have required property '{field}'");
        assert_eq!(rig.post(&body).json()["error"]["message"], message);
    }
    assert_eq!(rig.post(&json!([])).code(), "ERR_VALIDATION");
    assert_eq!(rig.simulator.books()["orders"], 0);
    assert_eq!(rig.balance(), "50000");
}

#[test]
fn an_amount_that_is_whole_in_another_spelling_is_taken() {
    let rig = Rig::calm();
    let mut body = top_up("whole", "0778037340");
    body["amount"] = serde_json::from_str("5.0e2").unwrap_or_default();
    assert_eq!(rig.post(&body).status, 200);
}

#[test]
fn an_empty_wallet_refuses_until_money_comes_in() {
    let mut options = super::rig::calm();
    options.balance = "496.24".parse().unwrap_or_default();
    let rig = Rig::start(options);
    let refused = rig.send("poor", "0778037340");
    assert_eq!(
        (refused.status, refused.code().as_str()),
        (403, "INSUFFICIENT_BALANCE")
    );
    let details = refused.json()["error"]["details"].clone();
    assert_eq!(details.to_string(), r#"{"required":496.25,"available":496.24}"#);
    rig.admin("deposit", &json!({ "amount": "0.01" }));
    assert_eq!(rig.send("poor", "0778037340").status, 200);
    assert_eq!(rig.balance(), "0");
}

#[test]
fn fixed_plans_and_menus_have_their_own_amounts() {
    let rig = Rig::calm();
    let fixed = |amount: Value| {
        rig.post(&json!({ "plan_code": "PIXX_500", "MSSIDN": "0661000000", "amount": amount }))
            .status
    };
    assert_eq!((fixed(json!(500)), fixed(json!(400))), (200, 400));
    let menu = json!({ "plan_code": "GETMENU_Mobilis", "MSSIDN": "0661000000", "amount": 0, "ref": "menu" });
    assert_eq!(rig.post(&menu).status, 200);
    rig.pass(16);
    let order = rig.data("/v3/mobile/check-ref/menu");
    assert_eq!(order["status"], "REFUNDED");
    assert!(order["suggested_offers"].is_array());
    assert_eq!(rig.balance(), "49515");
}

#[test]
fn the_router_answers_unknown_paths_in_its_own_words() {
    let rig = Rig::calm();
    let missing = rig.get("/v3/partners?x=1");
    assert_eq!(missing.status, 404);
    assert_eq!(
        missing.json(),
        json!({ "message": "Route GET:/v3/partners not found", "error": "Not Found", "statusCode": 404 })
    );
    assert_eq!(rig.get("/v3/mobile/send").status, 404);
    assert_eq!(rig.get("/v3/mobile/check/1").status, 404);
}

#[test]
fn bodies_are_limited_and_must_be_json() {
    let rig = Rig::calm();
    let large = Value::String("x".repeat(1024 * 1024));
    match rig.send_raw(&large) {
        End::Answer(answer) => assert_eq!(answer.status, 413),
        // The rest of the body may meet a closed connection.
        end => assert_eq!(end, End::Reset),
    }
    let text = heard(rig.call("POST", "/v3/mobile/send", Some("simulator"), None));
    assert_eq!((text.status, text.code().as_str()), (400, "ERR_VALIDATION"));
}

#[test]
fn a_connection_serves_several_calls() {
    let rig = Rig::calm();
    let mut stream = TcpStream::connect(rig.address).unwrap_or_else(|error| panic!("{error}"));
    let ask = |close: &str| format!("GET /v3/ping HTTP/1.1\r\nHost: localhost\r\n{close}\r\n");
    let both = ask("") + &ask("Connection: close\r\n");
    let mut answers = String::new();
    stream
        .write_all(both.as_bytes())
        .and_then(|()| stream.read_to_string(&mut answers))
        .unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(answers.matches("HTTP/1.1 200 OK").count(), 2);
    assert_eq!(rig.simulator.books()["calls"], json!({ "ping": 2 }));
}
