//! What is printed, where, and in which form: stdout is data, stderr is all else, and JSON is a contract.

use std::fmt::Write;

use serde_json::Value;

use crate::outcome::Outcome;
use crate::support::{OrFail, PHONE, PLAN, Shop};

const ERROR_KEYS: [&str; 9] = [
    "kind",
    "code",
    "message",
    "hints",
    "http_status",
    "request_id",
    "ref",
    "retryable",
    "exit_code",
];

fn keys(value: &Value) -> Vec<&str> {
    value
        .as_object()
        .into_iter()
        .flatten()
        .map(|(key, _)| key.as_str())
        .collect()
}

/// The first thing of a list, or the thing itself.
fn first(value: &Value) -> &Value {
    if value.is_array() { &value[0] } else { value }
}

/// The type of every value, in place of what differs from run to run.
fn shape(value: &Value) -> Value {
    match value {
        Value::Null => "null".into(),
        Value::Bool(_) => "boolean".into(),
        Value::Number(number) if number.is_u64() => "integer".into(),
        Value::Number(_) => "other number".into(),
        Value::String(_) => "string".into(),
        Value::Array(items) => items.iter().take(1).map(shape).collect(),
        Value::Object(fields) => fields
            .iter()
            .map(|(key, value)| (key.clone(), shape(value)))
            .collect(),
    }
}

/// JSON, JSON lines and CSV of one command carry the same keys in the same order.
#[test]
fn every_form_carries_the_same_keys() {
    let shop = Shop::open();
    shop.send_as("order-1", 500).expect_exit(0);
    // Simulated time is fast: it is asked about by nobody.
    shop.send_plus(600, &["--no-wait", "--ref", "open"])
        .expect_exit(8);
    let send = [
        "send", "--plan", PLAN, "--phone", PHONE, "--amount", "500", "--ref", "order-1",
    ];
    for command in [
        &["balance"][..],
        &["plans", "--all"],
        &send,
        &["ref", "list"],
        &["ref", "list", "--open"],
        &["config", "show"],
    ] {
        let run = |form| shop.run(&[command, &["-o", form]].concat()).expect_exit(0);
        let json = run("json").json();
        let expected = keys(first(&json));
        assert!(!expected.is_empty(), "{command:?}");
        let lines = run("jsonl").stdout;
        for line in lines.lines() {
            let row: Value = serde_json::from_str(line).or_fail("a line is no JSON");
            assert_eq!(keys(&row), expected, "{command:?}");
        }
        assert_eq!(
            lines.lines().count(),
            json.as_array().map_or(1, Vec::len),
            "{command:?}"
        );
        let csv = run("csv").stdout;
        assert_eq!(
            csv.lines()
                .next()
                .or_fail("no header")
                .split(',')
                .collect::<Vec<_>>(),
            expected,
            "{command:?}"
        );
        assert_eq!(csv.lines().count(), lines.lines().count() + 1, "{command:?}");
    }
}

/// Off a terminal a table is tab-separated and not cut, however narrow the screen would be.
#[test]
fn a_table_in_a_pipe_is_for_programs() {
    let shop = Shop::open().set("COLUMNS", "20");
    shop.send_as("order-1", 500).expect_exit(0);
    let json = shop.run(&["ref", "list", "-o", "json"]).json();
    let table = shop.run(&["ref", "list"]).expect_exit(0).stdout;
    let mut lines = table.lines().map(|line| line.split('\t').collect::<Vec<_>>());
    assert_eq!(lines.next().or_fail("no header"), keys(&json[0]));
    let cells = lines.next().or_fail("no row");
    let value = |key: &str| json[0][key].as_str().or_fail("no value").to_owned();
    for key in ["ref", "state", "plan", "phone", "cost", "created_at", "topup_id"] {
        assert!(
            cells.contains(&value(key).as_str()),
            "`{key}` is not there as it is: {cells:?}"
        );
    }
    let record = shop.run(&["balance"]).expect_exit(0).stdout;
    assert!(
        record.lines().all(|line| line.split('\t').count() == 2),
        "{record}"
    );
    assert!(record.contains("environment\tsandbox\n"), "{record}");
}

/// Pinned: keys are only ever added.
#[test]
fn the_shapes_of_json_are_a_contract() {
    let shop = Shop::open();
    let sent = shop.send_as("order-1", 500).expect_exit(0).json();
    let json = |words: &[&str]| shape(&shop.run(&[words, &["-o", "json"]].concat()).expect_exit(0).json());
    let dry = shop.send_plus(600, &["--dry-run"]).expect_exit(0).json();
    let sheet = shop
        .sheet("november.csv")
        .row("0778037341,500")
        .row("0778037342,500");
    let dry_batch = sheet.batch(&["--dry-run"]).expect_exit(0).json();
    let started = sheet.batch(&["--yes", "--limit", "1"]).json();
    let batch = sheet.send().expect_exit(0).json();
    let listed = json(&["ref", "list"]);
    shop.send_plus(700, &["--no-wait", "--ref", "open"])
        .expect_exit(8);
    let desk = json(&["ref", "list", "--open"]);
    shop.provider.advance(60);
    shop.provider
        .make_order("counter", "0661000000", "PREPAID_MOBILIS", 100);
    let reconciled = shop
        .run(&["reconcile", "--since", "7d", "-o", "json"])
        .expect_exit(5)
        .json();
    let shapes = [
        ("balance", json(&["balance"])),
        ("plans", json(&["plans"])),
        ("send", shape(&sent)),
        ("send --dry-run", shape(&dry)),
        ("batch november.csv --dry-run", shape(&dry_batch)),
        ("batch november.csv --yes --limit 1", shape(&started)),
        ("batch november.csv --yes", shape(&batch)),
        ("batch --list", json(&["batch", "--list"])),
        ("ref list", listed),
        ("ref list --open", desk),
        ("reconcile", shape(&reconciled)),
        ("ref show", json(&["ref", "show", "order-1"])),
        ("report", json(&["report", "--since", "12h"])),
        (
            "ref show --support",
            json(&["ref", "show", "order-1", "--support"]),
        ),
        ("ref audit", json(&["ref", "audit"])),
        ("ref audit --verify", json(&["ref", "audit", "--verify"])),
        ("config show", json(&["config", "show"])),
        ("config path", json(&["config", "path"])),
        ("config check", json(&["config", "check"])),
        ("ref new", json(&["ref", "new"])),
    ];
    let mut text = String::new();
    for (command, shape) in shapes {
        let pretty = serde_json::to_string_pretty(&shape).or_fail("no JSON");
        writeln!(text, "$ oneclick {command}\n{pretty}\n").or_fail("not written");
    }
    insta::assert_snapshot!(text);
}

/// With JSON output the last line on stderr is the error, whatever went wrong, and stdout stays data.
#[test]
fn an_error_is_the_last_line_in_json() {
    let shop = Shop::open();
    let too_much = ["send", "--plan", PLAN, "--phone", PHONE, "--amount", "99999"];
    for command in [
        &["no-such-command"][..],
        &["ref", "show", "none"],
        &too_much,
        &["balance", "--min", "1000000"],
    ] {
        for form in ["json", "jsonl"] {
            let refused = shop.run(&[command, &["-o", form]].concat());
            let error = refused.error();
            assert_eq!(keys(&error), ERROR_KEYS, "{refused:?}");
            assert_eq!(
                error["exit_code"].as_i64(),
                refused.code.map(i64::from),
                "{refused:?}"
            );
            assert!(
                error["hints"].as_array().is_some_and(|hints| !hints.is_empty()),
                "{refused:?}"
            );
        }
    }
    let refunded = [
        "send",
        "--plan",
        PLAN,
        "--phone",
        "0600000001",
        "--amount",
        "500",
        "-o",
        "json",
    ];
    let refunded = shop.run(&refunded).expect_exit(3);
    assert_eq!(refunded.json()["ref"], refunded.error()["ref"], "{refunded:?}");
}

/// For people: what, and how to mend it.
#[test]
fn an_error_is_a_sentence_with_a_hint() {
    let shop = Shop::open();
    let refused = shop
        .run(&["send", "--plan", PLAN, "--phone", PHONE, "--amount", "99999"])
        .expect_exit(3);
    refused.clone().expect_said(["error: ", "hint: ", "10000"]);
    assert!(
        refused.stdout.is_empty() && !refused.stderr.contains('\u{1b}'),
        "{refused:?}"
    );
}

#[test]
fn quiet_says_only_results_and_errors() {
    let shop = Shop::open();
    let sent = shop.send_plus(500, &["--quiet"]).expect_exit(0);
    assert!(sent.stderr.is_empty(), "{sent:?}");
    let refused = shop.send_plus(500, &["--quiet"]).expect_exit(2);
    assert_eq!(refused.stderr.lines().count(), 1, "{refused:?}");
}

#[test]
fn colours_follow_the_usual_variables() {
    let coloured =
        |outcome: &Outcome<'_>| outcome.stderr.contains('\u{1b}') || outcome.stdout.contains('\u{1b}');
    let failing = |shop: &Shop, more: &[&str]| {
        let failed = shop
            .run(&[&["ref", "show", "none"], more].concat())
            .expect_exit(2);
        coloured(&failed)
    };
    let shop = Shop::open();
    assert!(!failing(&shop, &[]), "a pipe has no colours");
    assert!(failing(&shop, &["--color", "always"]));
    let shop = shop.set("CLICOLOR_FORCE", "1");
    assert!(failing(&shop, &[]));
    assert!(!failing(&shop, &["--color", "never"]));
    let shop = shop.set("NO_COLOR", "1");
    assert!(!failing(&shop, &[]), "NO_COLOR weighs more");
}

/// A reader that has gone away is no failure and no reason for a message.
#[test]
fn a_closed_pipe_is_no_error() {
    let shop = Shop::open();
    for command in [
        &["ref", "new", "--count", "100000"][..],
        &["plans", "--all"],
        &["--help"],
        &["man"],
    ] {
        let line = "{ \"$@\"; echo \"exit=$?\" >&2; } | head -c 0";
        let mut words = vec!["-c", line, "sh", crate::support::BINARY];
        words.extend(command);
        let mut shell = std::process::Command::new("/bin/sh");
        let model = shop.command(&[]);
        let variables = model.get_envs().filter_map(|(name, value)| Some((name, value?)));
        shell
            .env_clear()
            .envs(variables)
            .env("PATH", "/usr/bin:/bin")
            .args(words);
        let output = shell.output().or_fail("there is no /bin/sh");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(stderr.contains("exit=0"), "{command:?}: {stderr}");
        assert!(
            !stderr.contains("error") && !stderr.contains("panic"),
            "{command:?}: {stderr}"
        );
    }
}

/// Every command's help as it was looked at, at 100 columns.
#[test]
fn the_whole_help() {
    let commands = [
        "",
        "balance",
        "plans",
        "send",
        "batch",
        "ref",
        "ref new",
        "ref check",
        "ref wait",
        "ref list",
        "ref show",
        "ref settle",
        "report",
        "ref audit",
        "reconcile",
        "config",
        "config init",
        "config show",
        "config path",
        "config check",
        "simulate",
        "completions",
        "man",
    ];
    let shop = Shop::open();
    let mut text = String::new();
    for command in commands {
        let words: Vec<_> = command.split_whitespace().chain(["--help"]).collect();
        let help = shop.run(&words).expect_exit(0).stdout;
        let line = words.join(" ");
        writeln!(text, "$ oneclick {line}\n{help}\n").or_fail("not written");
    }
    insta::assert_snapshot!(text);
}

/// No command is missing from the snapshot above, and none is promised that is not there.
#[test]
fn every_command_has_help_and_a_page() {
    let shop = Shop::open();
    for group in ["", "ref", "config"] {
        let words: Vec<_> = group.split_whitespace().chain(["-h"]).collect();
        let help = shop.run(&words).expect_exit(0).stdout;
        let listed = help
            .lines()
            .skip_while(|line| *line != "Commands:")
            .skip(1)
            .take_while(|line| !line.is_empty());
        // A line that goes on from the one before stands further in.
        let lines = listed.filter(|line| line.starts_with("  ") && !line.starts_with("   "));
        let names: Vec<_> = lines
            .filter_map(|line| line.split_whitespace().next())
            .filter(|name| *name != "help")
            .collect();
        assert!(names.len() >= 4, "{help}");
        for name in names {
            let path: Vec<_> = group.split_whitespace().chain([name]).collect();
            let page = shop.run(&[&["man"], &path[..]].concat()).expect_exit(0).stdout;
            let title = format!(".TH oneclick-{}", path.join("-"));
            assert!(page.contains(&title) && page.contains(".SH SYNOPSIS"), "{page}");
        }
    }
    shop.run(&["man", "no-such-command"]).expect_exit(2);
}

#[test]
fn what_cannot_be_parsed_is_2() {
    let shop = Shop::open();
    let cases: &[&[&str]] = &[
        &[],
        &["no-such-command"],
        &["send"],
        &["send", "--plan", PLAN, "--phone", "12", "--amount", "500"],
        &["send", "--plan", PLAN, "--phone", PHONE, "--amount", "5.50"],
        &["send", "--plan", PLAN, "--phone", PHONE, "--amount", "-500"],
        &["balance", "-o", "yaml"],
        &["balance", "--color", "blue"],
        &["report", "--day", "12h"],
        &["report", "--month", "2026-13"],
        &["report", "--day", "today", "--month", "2026-11"],
        &["report", "--day", "today", "--since", "today"],
        &["report", "--since", "2026-11-15", "--until", "2026-11-01"],
        &["report", "--by", "phone"],
        &["completions", "tcsh"],
        &["ref", "wait"],
        &["simulate", "--listen", "0.0.0.0:0"],
        &["simulate", "--switch", "list=gone"],
        &["simulate", "--fault", "no_such_fault"],
    ];
    for words in cases {
        let refused = shop.run(words).expect_exit(2);
        assert!(
            refused.stdout.is_empty() && !refused.stderr.is_empty(),
            "{refused:?}"
        );
    }
    assert_eq!(shop.books().all_calls(), 0);
    shop.run(&["--version"]).expect_exit(0);
}

/// What is wanted is said in the words of the operator, with an example or a range, and not in those of a library.
#[test]
fn a_bad_word_is_answered_with_what_is_wanted() {
    let shop = Shop::open();
    let cases: &[(&[&str], &str)] = &[
        (
            &["ref", "new", "--count", "x"],
            "a whole number from 1 to 100000, as in `10`",
        ),
        (
            &["ref", "new", "--count", "0"],
            "a whole number from 1 to 100000, as in `10`",
        ),
        (
            &["ref", "new", "--count", "100001"],
            "a whole number from 1 to 100000",
        ),
        (
            &["batch", "a.csv", "--limit", "0"],
            "a whole number from 1 on, as in `100`",
        ),
        (
            &["batch", "a.csv", "--expect-count", "x"],
            "a whole number, as in `3000`",
        ),
        (
            &["ref", "list", "--limit", "x"],
            "a whole number, as in `100`, or 0 for all",
        ),
        (
            &["ref", "audit", "--limit", "x"],
            "a whole number, as in `100`, or 0 for all",
        ),
        (&["simulate", "--listen", "foo"], "as in `127.0.0.1:8787`"),
        (&["simulate", "--seed", "x"], "a whole number, as in `42`"),
        (&["simulate", "--speed", "1.5"], "a whole number, as in `10`"),
        (&["simulate", "--rate", "x"], "calls a minute, as in `60`"),
    ];
    for (words, wanted) in cases {
        let refused = shop.run(words).expect_exit(2).expect_said([wanted]);
        for foreign in ["digit", "syntax", "..="] {
            assert!(!refused.stderr.contains(foreign), "{refused:?}");
        }
    }
}

/// The first command of the README, with no key, no network and no set-up.
#[test]
fn a_rehearsal_needs_nothing() {
    let shop = Shop::open()
        .unset("ONECLICKDZ_API_KEY")
        .unset("ONECLICKDZ_BASE_URL");
    let sent = shop.run(&[
        "--simulate",
        "send",
        "--plan",
        PLAN,
        "--phone",
        PHONE,
        "--amount",
        "500",
        "-o",
        "json",
    ]);
    let order = sent.expect_exit(0).json();
    assert_eq!(
        (&order["state"], &order["cost"]),
        (&"fulfilled".into(), &"496.25".into())
    );
    let listed = shop
        .run(&["--simulate", "ref", "list", "-o", "json"])
        .expect_exit(0)
        .json();
    assert_eq!(
        listed[0]["ref"], order["ref"],
        "the simulator's orders stay between calls"
    );
    assert!(
        !shop.ledger_path().exists(),
        "a rehearsal has a ledger of its own"
    );
    assert_eq!(shop.books().all_calls(), 0);
}
