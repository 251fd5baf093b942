//! Each fault: how the call ends, and whether the order was accepted.

use super::rig::{End, Rig, heard, top_up};

/// Sends under a fault, and tells how the call ended and how often the ref was accepted.
fn send_under(fault: &str) -> (End, u64) {
    let rig = Rig::faulty(&[fault]);
    let end = rig.send_raw(&top_up("lost", "0778037340"));
    let accepted = rig.accepted("lost");
    (end, accepted)
}

fn answer_under(fault: &str) -> (u16, String, u64) {
    let (end, accepted) = send_under(fault);
    let answer = heard(end);
    (answer.status, answer.body, accepted)
}

#[test]
fn lost_requests_and_answers_end_in_a_reset() {
    assert_eq!(send_under("request_lost"), (End::Reset, 0));
    assert_eq!(send_under("answer_lost"), (End::Reset, 1));
}

#[test]
fn half_a_body_is_cut_after_acceptance() {
    assert_eq!(send_under("half_body"), (End::Cut, 1));
}

#[test]
fn hanging_calls_stay_silent() {
    assert_eq!(send_under("hang_before"), (End::Silence, 0));
    assert_eq!(send_under("hang_after"), (End::Silence, 1));
}

#[test]
fn server_errors_come_before_or_after_acceptance() {
    for (fault, status, word, accepted) in [
        ("html_502_before", 502, "<html>", 0),
        ("html_502_after", 502, "<html>", 1),
        ("error_500_before", 500, "INTERNAL_ERROR", 0),
        ("error_500_after", 500, "INTERNAL_ERROR", 1),
        ("error_503_before", 503, "SERVICE_UNAVAILABLE", 0),
        ("error_503_after", 503, "SERVICE_UNAVAILABLE", 1),
        ("not_json_200", 200, "<!doctype html>", 1),
    ] {
        let (got, body, count) = answer_under(fault);
        assert_eq!((got, count), (status, accepted), "{fault}");
        assert!(body.contains(word), "{fault}: {body}");
    }
}

#[test]
fn nothing_is_started_while_the_key_cannot_be_verified() {
    let (end, accepted) = send_under("auth_unavailable");
    let answer = heard(end);
    assert_eq!((answer.status, accepted), (503, 0));
    assert_eq!(answer.code(), "AUTH_UNAVAILABLE");
    assert_eq!(answer.header("retry-after"), Some("5"));
}

#[test]
fn a_429_out_of_the_blue_creates_nothing() {
    let (end, accepted) = send_under("rate_limited");
    let answer = heard(end);
    assert_eq!((answer.status, accepted), (429, 0));
    assert_eq!(answer.code(), "RATE_LIMIT_EXCEEDED");
    assert_eq!(answer.header("retry-after"), Some("1"));
}

#[test]
fn a_redirect_points_at_the_same_path() {
    let (end, accepted) = send_under("redirect");
    let answer = heard(end);
    assert_eq!((answer.status, accepted), (307, 0));
    assert_eq!(answer.header("location"), Some("/v3/mobile/send"));
}

#[test]
fn successes_without_a_body_or_an_id_are_accepted() {
    let (status, body, accepted) = answer_under("empty_200");
    assert_eq!((status, body.as_str(), accepted), (200, "", 1));
    let (status, body, accepted) = answer_under("no_id_200");
    assert_eq!((status, accepted), (200, 1));
    assert!(body.contains("topupRef") && !body.contains("topupId"), "{body}");
}

#[test]
fn a_refusal_is_not_turned_into_a_success() {
    let rig = Rig::faulty(&["empty_200", "not_json_200", "no_id_200"]);
    assert_eq!(rig.send("x", "0178037340").code(), "ERR_VALIDATION");
}

#[test]
fn late_orders_are_accepted_but_out_of_sight() {
    let rig = Rig::faulty(&["late_visibility"]);
    let topup_id = rig.send("late", "0778037340").json()["data"]["topupId"].clone();
    let by_id = format!("/v3/mobile/check-id/{}", topup_id.as_str().unwrap_or_default());
    let total = |rig: &Rig| rig.data("/v3/mobile/list")["pagination"]["totalResults"].clone();
    rig.pass(4);
    let missing = rig.get("/v3/mobile/check-ref/late");
    assert_eq!((missing.status, missing.code().as_str()), (404, "NOT_FOUND"));
    assert_eq!((rig.get(&by_id).status, total(&rig)), (404, 0.into()));
    assert_eq!(rig.send("late", "0778037340").code(), "DUPLICATED-REF");
    rig.pass(1);
    assert_eq!(rig.status("late"), "PENDING");
    assert_eq!((rig.get(&by_id).status, total(&rig)), (200, 1.into()));
}

#[test]
fn faults_strike_the_endpoint_and_the_calls_they_name() {
    let rig = Rig::faulty(&[
        "error_500_before:check-ref@2",
        "answer_lost:balance",
        "error_503_after:any@7",
    ]);
    rig.send("x", "0778037340");
    let check = || rig.get("/v3/mobile/check-ref/x").status;
    assert_eq!([check(), check(), check()], [200, 500, 200]);
    assert_eq!(
        rig.call("GET", "/v3/account/balance", Some("simulator"), None),
        End::Reset
    );
    assert_eq!([check(), check(), check()], [200, 503, 200]);
    assert_eq!(rig.get("/_simulator/books").status, 200);
}

#[test]
fn reads_fail_alike_before_and_after() {
    for name in ["html_502", "error_500", "error_503"] {
        for half in ["before", "after"] {
            let rig = Rig::faulty(&[&format!("{name}_{half}:list")]);
            let expected = if name == "html_502" { 502 } else { 500 };
            let status = rig.get("/v3/mobile/list").status;
            assert_eq!(status, if name == "error_503" { 503 } else { expected });
        }
    }
}
