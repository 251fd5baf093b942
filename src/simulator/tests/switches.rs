//! Each switch turned to its other readings.

use serde_json::json;

use super::rig::{Rig, top_up};

#[test]
fn refs_are_shown_in_either_form() {
    let rig = Rig::switched(&["topup_ref=raw", "list_ref=raw", "check_shows_ref=prefixed"]);
    let sent = rig.send("a", "0778037340").json();
    assert_eq!(sent["data"]["topupRef"], "a");
    assert_eq!(rig.data("/v3/mobile/list")["items"][0]["ref"], "a");
    assert_eq!(rig.data("/v3/mobile/check-ref/a")["ref"], "API-+213770000000-a");
}

#[test]
fn check_ref_may_find_one_form_only_or_be_missing() {
    for (value, raw, prefixed) in [("raw", 200, 404), ("prefixed", 404, 200)] {
        let rig = Rig::switched(&[&format!("check_ref={value}")]);
        rig.send("a", "0778037340");
        assert_eq!(rig.get("/v3/mobile/check-ref/a").status, raw);
        let path = "/v3/mobile/check-ref/API-%2B213770000000-a";
        assert_eq!(rig.get(path).status, prefixed);
    }
    let rig = Rig::switched(&["check_ref=missing", "check_id=missing", "list=missing"]);
    for path in ["check-ref/a", "check-id/a", "list"] {
        let answer = rig.get(&format!("/v3/mobile/{path}"));
        assert_eq!(
            (answer.status, answer.json()["statusCode"].clone()),
            (404, 404.into())
        );
        assert!(answer.json().get("success").is_none());
    }
}

#[test]
fn a_repeated_ref_is_told_in_other_words_or_taken() {
    let rig = Rig::switched(&["duplicate_code=underscore", "duplicate_details=on"]);
    let first = rig.send("a", "0778037340").json();
    let again = rig.send("a", "0778037340");
    assert_eq!(again.code(), "DUPLICATED_REF");
    let error = again.json()["error"].clone();
    assert_eq!(error["message"], "This reference ID is already in use");
    assert_eq!(error["details"]["existingTopupId"], first["data"]["topupId"]);
    let rig = Rig::switched(&["unique_refs=off"]);
    assert_eq!(rig.send("a", "0778037340").status, 200);
    assert_eq!(rig.send("a", "0778037340").status, 200);
    rig.pass(16);
    let books = rig.simulator.books();
    assert_eq!(
        (&books["accepted"]["a"]["count"], &books["deliveries"]["a"]),
        (&2.into(), &2.into())
    );
}

#[test]
fn the_samples_of_single_pages_can_be_had() {
    let rig = Rig::switched(&["new_balance=on", "currency=on", "check_form=short"]);
    let sent = rig.send("a", "0778037340").json();
    assert_eq!(sent["data"]["newBalance"].to_string(), "49503.75");
    assert_eq!(rig.data("/v3/account/balance")["currency"], "DZD");
    let short = rig.data("/v3/mobile/check-ref/a");
    assert_eq!(
        short,
        json!({ "status": "PENDING", "MSSIDN": "0778037340", "topup_amount": 500 })
    );
}

#[test]
fn validate_is_full_and_bare_or_short_and_dressed() {
    let rig = Rig::calm();
    let body = rig.get("/v3/validate").json();
    let key = json!({
        "key": "simulator", "isEnabled": true, "type": "SANDBOX", "allowedips": [], "scope": "READ-WRITE",
    });
    assert_eq!(
        body,
        json!({ "success": true, "data": { "username": "+213770000000", "apiKey": key } })
    );
    let rig = Rig::switched(&["validate=short", "validate_meta=on"]);
    let body = rig.get("/v3/validate").json();
    let key = json!({ "type": "SANDBOX", "scope": "READ-WRITE", "isEnabled": true });
    assert_eq!(body["data"]["apiKey"], key);
    assert!(body["meta"]["timestamp"].is_string() && body["requestId"].is_string());
}

#[test]
fn the_empty_wallet_has_two_codes() {
    let rig = Rig::switched(&["empty_wallet_code=NO_BALANCE"]);
    let body = json!({ "plan_code": "GROS_MOBILIS", "MSSIDN": "0661000000", "amount": 100_000 });
    let answer = rig.post(&body);
    assert_eq!((answer.status, answer.code().as_str()), (403, "NO_BALANCE"));
    assert_eq!(answer.json()["error"]["message"], "Insufficient balance");
}

#[test]
fn the_amount_of_a_fixed_plan_is_required_or_ignored() {
    let without = json!({ "plan_code": "PIXX_500", "MSSIDN": "0661000000" });
    let with_other = json!({ "plan_code": "PIXX_500", "MSSIDN": "0661000000", "amount": 7 });
    let rig = Rig::calm();
    assert_eq!(rig.post(&without).code(), "ERR_VALIDATION");
    let rig = Rig::switched(&["fixed_amount=ignored"]);
    assert_eq!(
        [rig.post(&without).status, rig.post(&with_other).status],
        [200, 200]
    );
    assert_eq!(rig.data("/v3/mobile/list")["items"][0]["topup_amount"], 500);
}

#[test]
fn states_have_other_words_on_other_pages() {
    for (value, fulfilled, refunded) in [("arabic", "SUCCESS", "FAILED"), ("odd", "ARCHIVED", "ARCHIVED")] {
        let rig = Rig::switched(&[&format!("statuses={value}")]);
        rig.send("good", "0778037340");
        rig.send("bad", "0600000001");
        assert_eq!(rig.status("good"), "PENDING");
        rig.pass(16);
        assert_eq!(
            (rig.status("good").as_str(), rig.status("bad").as_str()),
            (fulfilled, refunded)
        );
        assert_eq!(rig.simulator.books()["accepted"]["good"]["status"], "FULFILLED");
    }
}

#[test]
fn a_number_may_have_to_fit_the_operator() {
    let rig = Rig::switched(&["operator_check=on"]);
    let answer = rig.send("a", "0661000000");
    assert_eq!((answer.status, answer.code().as_str()), (400, "ERR_VALIDATION"));
    assert_eq!(answer.json()["error"]["details"]["field"], "MSSIDN");
    assert_eq!(rig.send("b", "0778037340").status, 200);
}

#[test]
fn the_catalogue_has_the_price_of_either_page() {
    let rig = Rig::calm();
    let plans = rig.data("/v3/mobile/plans");
    let djezzy = plans["dynamicPlans"][0].clone();
    assert_eq!(
        djezzy.to_string(),
        r#"{"code":"PREPAID_DJEZZY","name":"📱 PREPAID | عادي","operator":"Djezzy","cost":0.9925,"isEnabled":true,"min_amount":100,"max_amount":10000}"#
    );
    let dynamic = plans["dynamicPlans"].as_array().into_iter().flatten();
    assert!(
        dynamic
            .clone()
            .any(|plan| plan["code"] == "GROS_MOBILIS" && plan.get("cost").is_none())
    );
    let fixed: Vec<_> = plans["fixedPlans"].as_array().into_iter().flatten().collect();
    assert!(fixed.iter().any(|plan| plan["isEnabled"] == false));
    assert!(fixed.iter().any(|plan| plan["amount"] == 0));
    assert!(fixed.iter().all(|plan| plan.get("min_amount").is_none()));
    rig.admin("switch", &json!({ "name": "catalogue", "value": "guide" }));
    let djezzy = rig.data("/v3/mobile/plans")["dynamicPlans"][0].clone();
    assert_eq!(
        (djezzy["cost"].to_string().as_str(), &djezzy["max_amount"]),
        ("0.98", &5000.into())
    );
}

#[test]
fn the_id_of_a_request_is_told_where_the_switch_says() {
    for (value, in_body, in_header) in [
        ("both", true, true),
        ("body", true, false),
        ("header", false, true),
        ("none", false, false),
    ] {
        let rig = Rig::switched(&[&format!("request_id={value}")]);
        for path in ["/v3/account/balance", "/v3/mobile/check-ref/none"] {
            let answer = rig.get(path);
            assert_eq!(answer.json()["requestId"].is_string(), in_body);
            assert_eq!(answer.header("x-request-id").is_some(), in_header);
        }
    }
}

#[test]
fn durations_are_switches_too() {
    let rig = Rig::switched(&["order_seconds=0", "review_hours=1"]);
    rig.post(&top_up("now", "0778037340"));
    rig.send("review", "0600000003");
    assert_eq!(
        [rig.status("now"), rig.status("review")],
        ["FULFILLED", "UNKNOWN_ERROR"]
    );
    rig.pass(3600);
    assert_eq!(rig.status("review"), "FULFILLED");
}
