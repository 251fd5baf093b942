//! Each way in which one order may differ, and each in which it does not.

use super::*;
use crate::domain::{Account, Amount, Environment, Intent, Operator};

fn money(text: &str) -> Money {
    text.parse().unwrap_or_else(|error| panic!("{error}"))
}

fn order(state: State, cost: &str) -> Order {
    let intent = Intent {
        reference: "r-1".parse().unwrap_or_else(|error| panic!("{error}")),
        phone: "0778037340".parse().unwrap_or_else(|error| panic!("{error}")),
        plan: "PREPAID_DJEZZY".parse().unwrap_or_else(|error| panic!("{error}")),
        amount: Amount::of(500).unwrap_or_else(|error| panic!("{error}")),
    };
    Order {
        account: Account {
            username: "+213770000000".to_owned(),
            environment: Environment::Sandbox,
        },
        intent,
        operator: Operator::Djezzy,
        state,
        revision: 1,
        provider_status: None,
        topup_id: None,
        provider_ref: None,
        cost: Some(money(cost)),
        batch: None,
        row: None,
        attempts: 1,
        created_at: Timestamp::UNIX_EPOCH,
        updated_at: Timestamp::UNIX_EPOCH,
        sent_at: None,
        message: None,
        offers: Vec::new(),
        request_id: None,
        settled_by: None,
        note: None,
        owner: None,
    }
}

fn moved(debits: u32, debited: &str, refunds: u32, refunded: &str) -> Moved {
    Moved {
        debits,
        refunds,
        debited: money(debited),
        refunded: money(refunded),
    }
}

/// Ours in a state, theirs with a status, and what the account shows.
fn compared(state: State, status: &str, moved: Moved) -> Compared {
    let cost = if status == "REFUNDED" { "0" } else { "496.25" };
    Compared {
        theirs: Theirs {
            topup_id: Some("id-1".to_owned()),
            reference: Some("r-1".to_owned()),
            status: ProviderStatus::named(status),
            plan: Some("PREPAID_DJEZZY".to_owned()),
            phone: Some("0778037340".to_owned()),
            amount: Some(money("500")),
            cost: Some(money(cost)),
            created_at: None,
        },
        ours: Some(order(state, cost)),
        before: None,
        moved,
        is_listed: true,
        is_twin: false,
    }
}

fn known() -> Known {
    Known {
        begun_at: Timestamp::from_second(1_000).unwrap_or_else(|error| panic!("{error}")),
        has_entries: true,
    }
}

fn kinds(compared: &Compared) -> Vec<&'static str> {
    judge(compared, known())
        .iter()
        .map(|finding| finding.kind.word())
        .collect()
}

const PAID: (u32, &str, u32, &str) = (1, "496.25", 0, "0");
const BACK: (u32, &str, u32, &str) = (1, "496.25", 1, "496.25");

fn of((debits, debited, refunds, refunded): (u32, &str, u32, &str)) -> Moved {
    moved(debits, debited, refunds, refunded)
}

#[test]
fn what_agrees_is_no_finding() {
    for (state, status, lines) in [
        (State::Fulfilled, "FULFILLED", PAID),
        (State::Refunded, "REFUNDED", BACK),
        (State::Refunded, "REFUNDED", (0, "0", 0, "0")),
        (State::Accepted, "PENDING", PAID),
        (State::Accepted, "HANDLING", (0, "0", 0, "0")),
        (State::Accepted, "HANDLING", BACK),
        (State::InReview, "UNKNOWN_ERROR", PAID),
        (State::Fulfilled, "FULFILLED", (2, "992.5", 1, "496.25")),
        (State::Fulfilled, "FULFILLED", (1, "496.254", 0, "0")),
        (State::Fulfilled, "ARCHIVED", PAID),
        (State::Accepted, "ARCHIVED", PAID),
    ] {
        assert_eq!(
            kinds(&compared(state, status, of(lines))),
            [""; 0],
            "{state} {status} {lines:?}"
        );
    }
}

#[test]
fn the_money_of_each_end_is_held_against_the_account() {
    for (state, status, lines, kind, amount) in [
        (
            State::Fulfilled,
            "FULFILLED",
            (0, "0", 0, "0"),
            "debit_missing",
            "496.25",
        ),
        (
            State::Fulfilled,
            "FULFILLED",
            (2, "992.5", 0, "0"),
            "debit_duplicated",
            "496.25",
        ),
        (
            State::Fulfilled,
            "FULFILLED",
            BACK,
            "refund_of_fulfilled",
            "496.25",
        ),
        (
            State::Fulfilled,
            "FULFILLED",
            (1, "490", 0, "0"),
            "debit_differs",
            "-6.25",
        ),
        (State::Refunded, "REFUNDED", PAID, "refund_missing", "496.25"),
        (
            State::Refunded,
            "REFUNDED",
            (1, "496.25", 2, "992.5"),
            "refund_duplicated",
            "496.25",
        ),
        (
            State::Refunded,
            "REFUNDED",
            (2, "992.5", 1, "496.25"),
            "debit_duplicated",
            "496.25",
        ),
        (
            State::Refunded,
            "REFUNDED",
            (1, "496.25", 1, "400"),
            "refund_differs",
            "-96.25",
        ),
        (
            State::Refunded,
            "REFUNDED",
            (0, "0", 1, "496.25"),
            "debit_missing",
            "496.25",
        ),
        (
            State::Accepted,
            "PENDING",
            (2, "992.5", 0, "0"),
            "debit_duplicated",
            "496.25",
        ),
    ] {
        let found = judge(&compared(state, status, of(lines)), known());
        let told: Vec<_> = found
            .iter()
            .map(|finding| (finding.kind.word(), finding.money.map(|money| money.to_string())))
            .collect();
        assert_eq!(
            told,
            [(kind, Some(amount.to_owned()))],
            "{state} {status} {lines:?}"
        );
    }
}

#[test]
fn without_the_accounts_lines_no_money_is_missed() {
    let known = Known {
        has_entries: false,
        ..known()
    };
    let nothing = of((0, "0", 0, "0"));
    assert!(judge(&compared(State::Fulfilled, "FULFILLED", nothing), known).is_empty());
    assert!(judge(&compared(State::Refunded, "REFUNDED", nothing), known).is_empty());
}

#[test]
fn a_contradiction_is_told_once_with_money_that_fits_either_side() {
    for lines in [PAID, BACK] {
        assert_eq!(
            kinds(&compared(State::Fulfilled, "REFUNDED", of(lines))),
            ["state_contradicted"],
            "{lines:?}"
        );
    }
    let twice = compared(State::Fulfilled, "REFUNDED", of((3, "1488.75", 1, "496.25")));
    assert_eq!(kinds(&twice), ["state_contradicted", "debit_duplicated"]);
    for state in [State::Cancelled, State::Rejected] {
        assert_eq!(
            kinds(&compared(state, "FULFILLED", of(PAID))),
            ["made_after_all"],
            "{state}"
        );
    }
}

#[test]
fn a_contradiction_says_what_the_account_shows_and_which_money_is_wrong() {
    let taken = (2, "992.5", 1, "496.25");
    for (state, status, lines, amount, says) in [
        (
            State::Fulfilled,
            "REFUNDED",
            PAID,
            Some("496.25"),
            "has not come back",
        ),
        (State::Fulfilled, "REFUNDED", BACK, None, "1 debit, 1 refund"),
        (
            State::Refunded,
            "FULFILLED",
            BACK,
            Some("496.25"),
            "its money came back",
        ),
        (State::Refunded, "FULFILLED", taken, None, "2 debits, 1 refund"),
        (
            State::Cancelled,
            "REFUNDED",
            PAID,
            Some("496.25"),
            "has not come back",
        ),
    ] {
        let found = judge(&compared(state, status, of(lines)), known());
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0].money, amount.map(money), "{state} {status} {lines:?}");
        let detail = found[0].detail.as_deref().unwrap_or_default();
        assert!(detail.contains(says), "{state} {status}: {detail}");
    }
}

#[test]
fn an_order_that_is_not_shown_says_that_its_refund_is_missing() {
    let gone = |lines| {
        let order = order(State::Refunded, "0");
        weighed_alone(Finding::about(Kind::OrderMissing, &order), &order, of(lines)).money
    };
    assert_eq!((gone(PAID), gone(BACK)), (Some(money("496.25")), None));
}

#[test]
fn an_end_that_came_behind_the_page_is_no_contradiction() {
    let mut late = compared(State::Fulfilled, "PENDING", of(PAID));
    assert_eq!(kinds(&late), ["state_contradicted"]);
    if let Some(order) = &mut late.ours {
        order.updated_at = known().begun_at;
    }
    assert_eq!(kinds(&late), [""; 0]);
}

#[test]
fn a_settlement_by_hand_is_contradicted_by_another_end_alone() {
    let by_hand = |state, status, lines| {
        let mut settled = compared(state, status, of(lines));
        if let Some(order) = &mut settled.ours {
            order.settled_by = Some(SettledBy::Operator);
        }
        kinds(&settled)
    };
    let contradicted = ["settlement_contradicted"];
    assert_eq!(by_hand(State::Fulfilled, "REFUNDED", BACK), contradicted);
    assert_eq!(by_hand(State::WrittenOff, "FULFILLED", PAID), contradicted);
    assert_eq!(by_hand(State::Refunded, "UNKNOWN_ERROR", PAID), [""; 0]);
    assert_eq!(by_hand(State::Fulfilled, "FULFILLED", PAID), [""; 0]);
}

#[test]
fn orders_that_are_not_ours_are_told_apart() {
    let foreign = Compared {
        ours: None,
        ..compared(State::Fulfilled, "FULFILLED", of(PAID))
    };
    assert_eq!(kinds(&foreign), ["foreign_order"]);
    let twin = Compared {
        is_twin: true,
        ..foreign.clone()
    };
    assert_eq!(kinds(&twin), ["ref_twice"]);
    let clashing = compared(State::Conflict, "FULFILLED", of(PAID));
    assert_eq!(kinds(&clashing), ["foreign_order"]);
    let found_now = Compared {
        before: Some((State::Unknown, None)),
        ..clashing
    };
    assert_eq!(kinds(&found_now), ["conflict"]);
    let unpaid = Compared {
        moved: of((0, "0", 0, "0")),
        ..foreign
    };
    assert_eq!(kinds(&unpaid), ["foreign_order"], "nothing was lost by it");
    let owed = Compared {
        theirs: compared(State::Refunded, "REFUNDED", of(PAID)).theirs,
        moved: of(PAID),
        ..unpaid
    };
    assert_eq!(kinds(&owed), ["foreign_order", "refund_missing"]);
}

#[test]
fn details_that_differ_are_one_finding_and_explain_the_cost() {
    let mut other = compared(State::Fulfilled, "FULFILLED", of(PAID));
    other.theirs.phone = Some("0661000000".to_owned());
    other.theirs.amount = Some(money("700"));
    other.theirs.cost = Some(money("694.75"));
    other.moved = of((1, "694.75", 0, "0"));
    let found = judge(&other, known());
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].theirs.as_deref(), Some("phone 0661000000, amount 700"));
}

#[test]
fn a_cost_is_held_against_what_was_expected() {
    let mut dear = compared(State::Fulfilled, "FULFILLED", of((1, "480", 0, "0")));
    dear.theirs.cost = Some(money("480"));
    assert_eq!(kinds(&dear), ["cost_differs"]);
    dear.before = Some((State::Accepted, Some(money("496.25"))));
    dear.ours = Some(order(State::Fulfilled, "480"));
    assert_eq!(kinds(&dear), ["settled", "cost_differs"]);
    dear.before = Some((State::Unknown, Some(money("480.005"))));
    assert_eq!(kinds(&dear), ["adopted"]);
}

#[test]
fn the_lines_of_an_order_beside_the_range_may_be_out_of_reach() {
    for lines in [(0, "0", 0, "0"), (0, "0", 1, "496.25")] {
        let mut beside = compared(State::Refunded, "REFUNDED", of(lines));
        beside.is_listed = false;
        assert_eq!(kinds(&beside), [""; 0], "{lines:?}");
    }
    let mut beside = compared(State::Refunded, "REFUNDED", of(PAID));
    beside.is_listed = false;
    assert_eq!(kinds(&beside), ["refund_missing"]);
}
