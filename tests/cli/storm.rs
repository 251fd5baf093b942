//! Everything goes wrong at random while several clerks send at once: nothing is paid twice, nothing that was
//! delivered is called failed, and one `ref check` settles the rest.

use std::collections::BTreeMap;

use oneclick::simulator::FAULTS;

use crate::support::{OrFail, PHONE, PLAN, Shop};

const CLERKS: u32 = 4;
const SENDS_PER_CLERK: u32 = 15;

/// About half of all sends are struck, and some of the questions behind them.
fn weather() -> Vec<String> {
    let on_sends = FAULTS.iter().map(|(fault, _)| match *fault {
        // Both are obeyed in real seconds.
        "auth_unavailable" | "rate_limited" => format!("{fault}=1%"),
        _ => format!("{fault}=5%"),
    });
    let on_questions = FAULTS
        .iter()
        .filter(|(fault, _)| *fault != "auth_unavailable")
        .flat_map(|(fault, _)| ["check-ref", "check-id"].map(|endpoint| format!("{fault}:{endpoint}=1%")));
    on_sends.chain(on_questions).collect()
}

/// How each ref's send ended.
fn send_all(shop: &Shop, clerk: u32) -> Vec<(String, Option<i32>)> {
    (0..SENDS_PER_CLERK)
        .map(|number| {
            let reference = format!("storm-{clerk}-{number}");
            let amount = (500 + clerk * 100 + number).to_string();
            let order = [
                "--plan", PLAN, "--phone", PHONE, "--amount", &amount, "--ref", &reference,
            ];
            let sent = shop.run(&[&["send", "-o", "json"], &order[..]].concat());
            (reference, sent.code)
        })
        .collect()
}

#[test]
fn a_storm_of_all_faults_pays_nothing_twice_and_lies_never() {
    let shop = Shop::open_with(&["--seed", "20260719"]).set("ONECLICKDZ_SEND_TIMEOUT", "500ms");
    // Account and plans are known before it begins.
    shop.run(&["plans"]).expect_exit(0);
    let weather = weather();
    shop.provider
        .set_faults(&weather.iter().map(String::as_str).collect::<Vec<_>>());
    let shop = &shop;
    let codes: BTreeMap<_, _> = std::thread::scope(|scope| {
        let clerks: Vec<_> = (0..CLERKS)
            .map(|clerk| scope.spawn(move || send_all(shop, clerk)))
            .collect();
        clerks
            .into_iter()
            .flat_map(|clerk| clerk.join().or_fail("a clerk fell"))
            .collect()
    });
    shop.provider.set_faults(&[]);
    let (books, ledger) = (shop.books(), shop.ledger());
    books.expect_no_doubles();
    let struck = books.calls("send") + books.calls("check-ref");
    assert!(
        struck > u64::from(CLERKS * SENDS_PER_CLERK),
        "it was no storm: {}",
        books.0
    );
    for (reference, code) in &codes {
        let state = ledger.get(reference).map(String::as_str);
        let is_true = match code {
            Some(0) => books.status(reference) == Some("FULFILLED"),
            Some(3 | 7) => books.count(reference) == 0,
            Some(6) => state == Some("unknown"),
            Some(8) => books.count(reference) == 1 && state == Some("accepted"),
            _ => false,
        };
        assert!(
            is_true,
            "`{reference}`: {code:?}, `{state:?}` here, {:?} there",
            books.status(reference)
        );
    }
    shop.expect_agreement();
}
