//! The pack for the provider's support: all that it needs of one order, nothing of others, and never the key.

use std::fs;

use serde_json::Value;

use crate::support::{KEY, OrFail, PHONE, PLAN, Shop};

/// A customer who has nothing to do with it.
const OTHER: &str = "0555999888";

/// An order of which nobody knows, with all that came back about it.
fn shop_with_a_case() -> Shop {
    let shop = Shop::open().set("ONECLICKDZ_RETRY_DELAY", "10ms");
    shop.provider.set_faults(&[
        "answer_lost",
        "error_500_before:check-ref",
        "error_500_before:list",
    ]);
    shop.send_as("order-1", 500).expect_exit(6);
    shop.provider.set_faults(&[]);
    shop.provider.advance(60);
    shop
}

#[test]
fn support_gets_every_id_time_and_call() {
    let shop = shop_with_a_case();
    shop.run(&["ref", "check", "order-1"]).expect_exit(0);
    let told = shop.run(&["ref", "show", "order-1", "--support"]).expect_exit(0);
    let shown = shop.run(&["ref", "show", "order-1", "-o", "json"]).json();
    let id = shown["topup_id"].as_str().or_fail("no id");
    for needed in [
        id,
        "order-1",
        "API-+213770000000-order-1",
        "+213770000000",
        PHONE,
        PLAN,
        "496.25",
        concat!("oneclick ", env!("CARGO_PKG_VERSION")),
    ] {
        assert!(told.stdout.contains(needed), "`{needed}` is missing: {told:?}");
    }
    for call in shown["calls"].as_array().or_fail("no calls") {
        for key in ["request_id", "request", "answer", "started_at"] {
            if let Some(text) = call[key].as_str() {
                assert!(told.stdout.contains(text), "`{text}` is missing: {told:?}");
            }
        }
    }
    let sent = shown["history"][0]["at"].as_str().or_fail("no moment");
    let algiers: jiff::Timestamp = sent.parse().or_fail("no moment");
    let algiers = jiff::tz::Offset::constant(1).to_datetime(algiers);
    let both = format!("{sent}; {}", algiers.strftime("%Y-%m-%d %H:%M"));
    assert!(told.stdout.contains(&both), "`{both}` is missing: {told:?}");
    let json = shop
        .run(&["ref", "show", "order-1", "--support", "-o", "json"])
        .expect_exit(0)
        .json();
    assert_eq!(json["ref_at_provider"], "API-+213770000000-order-1");
    assert_eq!(
        json["calls"].as_array().map(Vec::len),
        shown["calls"].as_array().map(Vec::len)
    );
}

/// Whatever a provider echoes, and however it spells it: what an older version may have stored is cleaned too.
#[test]
fn no_spelling_of_the_key_leaves_the_house() {
    let shop = shop_with_a_case();
    let spelt = |spell: fn(u32) -> String| {
        let spelt: Vec<_> = KEY.chars().map(|character| spell(character.into())).collect();
        spelt.concat()
    };
    let escaped = spelt(|code| format!("\\u{code:04x}"));
    let percent = spelt(|code| format!("%{code:02X}"));
    let entities = spelt(|code| format!("&#{code};"));
    let spellings = [
        KEY.to_owned(),
        KEY.to_uppercase(),
        escaped,
        percent.clone(),
        percent.replace('%', "%25"),
        entities,
        KEY.replace('-', "\\u002D"),
        KEY.replace('-', "%2d"),
    ];
    for (place, spelling) in spellings.iter().enumerate() {
        let answer = format!("{{\"echo\":\"X{spelling}Y\"}}");
        for column in ["answer", "outcome", "request", "path", "request_id"] {
            shop.rewrite(&format!("UPDATE attempts SET {column} = '{answer}'"));
        }
        shop.rewrite(&format!(
            "UPDATE orders SET message = '{answer}', request_id = '{answer}'"
        ));
        for form in ["table", "json", "csv"] {
            let told = shop
                .run(&["ref", "show", "order-1", "--support", "-o", form])
                .expect_exit(0);
            // JSON escapes a backslash of its own text.
            let inside = Value::from(spelling.as_str()).to_string();
            let lower = told.stdout.to_lowercase();
            for leak in [spelling.as_str(), inside.trim_matches('"'), KEY] {
                assert!(
                    !lower.contains(&leak.to_lowercase()),
                    "spelling {place}, {form}: {told:?}"
                );
            }
            assert!(told.stdout.contains("[key withheld]"), "{told:?}");
        }
    }
}

/// A page of the list shows what other customers bought; none of it goes into a mail about this order.
#[test]
fn other_orders_stay_out_of_the_pack() {
    let shop = shop_with_a_case();
    shop.run(&["ref", "check", "order-1"]).expect_exit(0);
    let ours = format!(
        "{{\"ref\":\"API-+213770000000-order-1\",\"status\":\"PENDING\",\"MSSIDN\":\"{PHONE}\",\"_id\":\"x\"}}"
    );
    let theirs = format!(
        "{{\"ref\":\"API-+213770000000-order-9\",\"status\":\"FULFILLED\",\"MSSIDN\":\"{OTHER}\",\"_id\":\"y\"}}"
    );
    let page = format!("{{\"success\":true,\"data\":{{\"items\":[{theirs},{ours},{theirs}]}}}}");
    let half = &page[..page.len() - 20];
    for (answer, has_ours) in [
        (page.as_str(), true),
        (half, false),
        (&theirs, false),
        (&ours, true),
    ] {
        shop.rewrite(&format!(
            "UPDATE attempts SET endpoint = 'list', answer = '{answer}' WHERE id = (SELECT max(id) FROM attempts)"
        ));
        for form in ["table", "json"] {
            let told = shop
                .run(&["ref", "show", "order-1", "--support", "-o", form])
                .expect_exit(0);
            assert!(
                !told.stdout.contains(OTHER) && !told.stdout.contains("order-9"),
                "{told:?}"
            );
            assert_eq!(told.stdout.contains("PENDING"), has_ours, "{answer}: {told:?}");
        }
    }
}

/// What is kept of a page in the first place is the row about the order.
#[test]
fn a_page_that_is_kept_is_cut_down_to_the_order() {
    let shop = Shop::open().switches(["check_ref=missing"]);
    shop.run(&[
        "send",
        "--plan",
        "PREPAID_OOREDOO",
        "--phone",
        OTHER,
        "--amount",
        "600",
        "--ref",
        "order-9",
    ])
    .expect_exit(0);
    shop.provider.set_faults(&["answer_lost"]);
    shop.send_as("order-1", 500).expect_exit(0);
    let shown = shop.run(&["ref", "show", "order-1", "-o", "json"]).json();
    let calls = shown["calls"].as_array().or_fail("no calls");
    let list = calls.iter().find(|call| call["endpoint"] == "list");
    let answer = list.or_fail("it was not looked for on the list")["answer"].to_string();
    assert!(answer.contains("order-1") && !answer.contains(OTHER), "{answer}");
}

/// The operator's own words are not for the provider.
#[test]
fn notes_and_batches_stay_at_home() {
    let shop = Shop::open();
    fs::write(
        shop.home().join("november.csv"),
        "phone,amount,note\n0600000003,500,Karim owes me\n",
    )
    .or_fail("no sheet");
    shop.run(&["batch", "november.csv", "--yes"]).expect_exit(8);
    let reference = shop.ledger().into_keys().next().or_fail("no order");
    let pack = |form: &str| {
        shop.run(&["ref", "show", &reference, "--support", "-o", form])
            .expect_exit(0)
            .stdout
    };
    assert!(!pack("table").contains("Karim") && !pack("json").contains("Karim"));
    let settle = [
        "ref",
        "settle",
        &reference,
        "--as",
        "refunded",
        "--because",
        "Amine at the till says so",
    ];
    shop.run(&settle).expect_exit(0);
    assert!(!pack("table").contains("Amine") && !pack("json").contains("Amine"));
    assert!(pack("table").contains("settled by hand"));
}

#[test]
fn a_pack_in_a_file_is_private_and_never_written_over() {
    let shop = shop_with_a_case();
    let words = ["ref", "show", "order-1", "--support", "pack.txt"];
    let told = shop.run(&words).expect_exit(0);
    assert!(told.stdout.is_empty(), "{told:?}");
    let path = shop.home().join("pack.txt");
    let text = fs::read_to_string(&path).or_fail("no pack");
    assert!(text.contains("order-1"));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = fs::metadata(&path).or_fail("no pack").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    shop.run(&[&words[..], &["-o", "json"]].concat())
        .expect_exit(2)
        .expect_error("file_exists");
    assert_eq!(fs::read_to_string(&path).or_fail("no pack"), text);
}

/// The file may be left out: then the order is named whichever word comes first.
#[test]
fn the_order_may_stand_behind_the_flag() {
    let shop = shop_with_a_case();
    let pack = |words: &[&str]| {
        let words = [&["ref", "show"], words, &["-o", "json"]].concat();
        let mut pack = shop.run(&words).expect_exit(0).json();
        pack["made_at"].take();
        pack
    };
    let before = pack(&["order-1", "--support"]);
    assert_eq!(before["ref"], "order-1");
    assert_eq!(pack(&["--support", "order-1"]), before);
    assert_eq!(pack(&["--support", "-", "order-1"]), before);
    shop.run(&["ref", "show", "--support", "pack.txt", "order-1"])
        .expect_exit(0);
    assert!(shop.home().join("pack.txt").exists());
    let unnamed = shop.run(&["ref", "show", "--support", "-o", "json"]);
    unnamed.expect_exit(2).expect_error("ref_missing");
    shop.run(&["ref", "show"]).expect_exit(2).expect_said(["<REF>"]);
}

/// Every line is one line whatever the provider wrote: no break, no control or direction character comes through.
#[test]
fn foreign_text_breaks_no_line_of_a_mail() {
    let shop = shop_with_a_case();
    shop.rewrite("UPDATE orders SET message = 'هذا الرقم' || char(10) || 'Ref  forged' || char(8238) || 'é'");
    let told = shop.run(&["ref", "show", "order-1", "--support"]).expect_exit(0);
    assert!(
        told.stdout.contains("Message         هذا الرقم Ref  forgedé\n"),
        "{told:?}"
    );
    let unseen = |c: char| (c.is_control() && c != '\n') || ('\u{202a}'..='\u{202e}').contains(&c);
    assert!(!told.stdout.contains(unseen), "{told:?}");
}
