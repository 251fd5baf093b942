//! The key stays secret: in no output at any verbosity, in no file, whatever a server echoes.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::outcome::Outcome;
use crate::support::{KEY, OrFail, Shop, files_with};

#[track_caller]
fn expect_secret(shop: &Shop, outcome: &Outcome<'_>) {
    for text in [&outcome.stdout, &outcome.stderr] {
        assert!(!text.contains(KEY), "the key is shown\n{outcome:?}");
    }
    assert_eq!(files_with(shop.home(), KEY), Vec::<PathBuf>::new());
}

/// At every verbosity, in every command, and although the provider echoes it.
#[test]
fn the_key_is_nowhere() {
    let shop = Shop::open().faults(["answer_lost@1"]);
    for command in [
        &["balance"][..],
        &["plans", "--all"],
        &["config", "show"],
        &["config", "check"],
    ] {
        expect_secret(&shop, &shop.run(&[command, &["-vv"]].concat()).expect_exit(0));
    }
    let sent = shop.send_plus(500, &["-vv", "--ref", "order-1"]).expect_exit(0);
    assert!(
        sent.stderr.contains("/v3/mobile/send"),
        "the wire is not shown at all\n{sent:?}"
    );
    expect_secret(&shop, &sent);
    for command in [
        &["ref", "show", "order-1"][..],
        &["ref", "show", "order-1", "--support"],
        &["ref", "list"],
        &["ref", "list", "--open"],
        &["ref", "check", "order-1"],
        &["report"],
        &["reconcile", "--since", "7d"],
    ] {
        expect_secret(
            &shop,
            &shop
                .run(&[command, &["-vv", "-o", "json"]].concat())
                .expect_exit(0),
        );
    }
    let shop = Shop::open();
    let asked = shop.run(&["config", "check", "-vv"]).expect_exit(0);
    assert!(asked.stderr.contains("/v3/validate"), "{asked:?}");
    assert!(
        !asked.stderr.contains("allowedips"),
        "the body of validate is shown\n{asked:?}"
    );
}

/// What a provider without manners answers: the key in every text that it sends.
fn rude_answer(path: &str, key: &str) -> (u16, Value) {
    let data = match path.rsplit('/').next().unwrap_or_default() {
        "validate" => {
            let key = json!({ "key": key, "isEnabled": true, "type": "SANDBOX", "scope": "READ-WRITE" });
            json!({ "username": "+213770000000", "apiKey": key })
        }
        "balance" => json!({ "balance": 5000 }),
        "plans" => json!({ "fixedPlans": [], "dynamicPlans": [{
            "code": "PREPAID_DJEZZY", "name": format!("for {key}"), "operator": "Djezzy", "cost": 0.98,
            "isEnabled": true, "min_amount": 100, "max_amount": 1000,
        }] }),
        _ => {
            let error = json!({ "code": "ERR_VALIDATION", "message": format!("{key} may not"), "details": { "key": key } });
            return (
                400,
                json!({ "success": false, "error": error, "requestId": format!("req-{key}") }),
            );
        }
    };
    (
        200,
        json!({ "success": true, "data": data, "requestId": format!("req-{key}") }),
    )
}

/// Answers one request, and closes.
fn answer_rudely(stream: &TcpStream) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    let (mut first, mut key, mut length) = (String::new(), String::new(), 0);
    reader.read_line(&mut first)?;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.trim().split_once(": ") else {
            break;
        };
        match name.to_ascii_lowercase().as_str() {
            "x-access-token" => value.clone_into(&mut key),
            "content-length" => length = value.parse().unwrap_or(0),
            _ => {}
        }
    }
    reader.take(length).read_to_end(&mut Vec::new())?;
    let path = first.split_whitespace().nth(1).unwrap_or_default();
    let (status, body) = rude_answer(path, &key);
    let (body, mut stream) = (body.to_string(), stream);
    write!(
        stream,
        "HTTP/1.1 {status} Rude\r\ncontent-type: application/json\r\nx-request-id: {key}\r\nconnection: close\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    )
}

#[test]
fn a_provider_that_echoes_the_key_cannot_spread_it() {
    let listener = TcpListener::bind("127.0.0.1:0").or_fail("no port");
    let address = listener.local_addr().or_fail("no address");
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            // A client that went away is no matter here.
            let _ = answer_rudely(&stream);
        }
    });
    let shop = Shop::open().set("ONECLICKDZ_BASE_URL", format!("http://{address}"));
    let refused = shop.send_plus(500, &["-vv", "--ref", "order-1"]).expect_exit(3);
    assert_eq!(refused.error()["code"], "ERR_VALIDATION", "{refused:?}");
    expect_secret(&shop, &refused);
    for command in [
        &["balance"][..],
        &["plans"],
        &["config", "check"],
        &["ref", "show", "order-1"],
    ] {
        for form in ["table", "json", "csv"] {
            expect_secret(
                &shop,
                &shop.run(&[command, &["-vv", "-o", form]].concat()).expect_exit(0),
            );
        }
    }
}
