//! The audit log: every act that touches money leaves its lines, nobody can change them unseen, and nothing that is
//! wrong with the log stops a top-up.

use std::fs;
use std::io::Write as _;
use std::path::PathBuf;

use oneclick::domain::hex;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::outcome::Outcome;
use crate::support::files_with;
use crate::support::{KEY, OrFail, PLAN, Shop};

impl Shop {
    /// Writes a configuration file in the home.
    fn configure(&self, place: &str, text: &str) {
        let path = self.home().join(place);
        fs::create_dir_all(path.parent().or_fail("no directory")).or_fail("no directory");
        fs::write(path, text).or_fail("not written");
    }

    fn log_path(&self) -> PathBuf {
        self.ledger_path().with_file_name("ledger.db.audit.jsonl")
    }

    /// The lines of the log, the chain checked as anybody can with `sha256sum` and `jq`.
    #[track_caller]
    fn log(&self) -> Vec<Value> {
        let text = fs::read_to_string(self.log_path()).or_fail("no log");
        let mut previous = "0".repeat(64);
        let mut lines = Vec::new();
        for line in text.lines() {
            let json: Value = serde_json::from_str(line).or_fail("no JSON");
            assert_eq!(
                (&json["n"], &json["prev"]),
                (&(lines.len() + 1).into(), &Value::from(previous)),
                "{line}"
            );
            previous = hex(Sha256::digest(line.as_bytes()).iter());
            lines.push(json);
        }
        assert!(text.ends_with('\n'));
        lines
    }

    #[track_caller]
    fn verify(&self) -> Outcome<'_> {
        self.run(&["ref", "audit", "--verify", "-o", "json"])
    }

    /// The log is whole, and every step of every order is in it.
    #[track_caller]
    fn expect_whole(&self) {
        let verdict = self.verify().expect_exit(0).json();
        assert_eq!(verdict["whole"], true, "{verdict}");
        let log = self.log();
        assert_eq!(verdict["lines"], log.len(), "{verdict}");
        for reference in self.ledger().keys() {
            let order = self.run(&["ref", "show", reference, "-o", "json"]).json();
            let steps: Vec<_> = order["history"].as_array().into_iter().flatten().collect();
            let steps: Vec<_> = steps.iter().map(|step| &step["to"]).collect();
            let lines: Vec<_> = log
                .iter()
                .filter(|line| line["ref"] == reference.as_str())
                .map(|line| &line["to"])
                .collect();
            assert_eq!(lines, steps, "{reference}");
        }
    }
}

/// The acts among lines: what they are and what was typed.
fn acts(log: &[Value]) -> Vec<(String, String)> {
    let word = |line: &Value, name: &str| line[name].as_str().unwrap_or_default().to_owned();
    log.iter()
        .filter(|line| line.get("event").is_some())
        .map(|line| (word(line, "event"), word(line, "command")))
        .collect()
}

fn what_of(line: &Value) -> Vec<(&str, &str)> {
    let list = line["overrides"].as_array().into_iter().flatten();
    list.map(|one| {
        (
            one["what"].as_str().unwrap_or_default(),
            one["by"].as_str().unwrap_or_default(),
        )
    })
    .collect()
}

#[test]
fn every_command_that_touches_money_leaves_its_lines() {
    let shop = Shop::open();
    shop.send_as("order-1", 500).expect_exit(0);
    shop.send_plus(500, &["--again"]).expect_exit(0);
    let shop = shop
        .faults(["answer_lost=100%"])
        .switches(["check_ref=missing", "list=missing"]);
    shop.send_as("lost", 700).expect_exit(6);
    let shop = shop.faults([]).switches(["check_ref=both", "list=present"]);
    shop.run(&["ref", "check"]);
    shop.run(&["ref", "wait", "lost"]).expect_exit(0);
    let log = shop.log();
    let told = acts(&log);
    let commands: Vec<_> = told.iter().map(|(_, command)| command.as_str()).collect();
    assert!(
        commands[0].starts_with("oneclick send --plan ") && commands[0].ends_with("--ref order-1"),
        "{commands:?}"
    );
    assert!(
        commands[1].ends_with(" --again") && commands[2].ends_with("--ref lost"),
        "{commands:?}"
    );
    assert_eq!(commands[3], "oneclick ref check");
    let first = &log[0];
    assert_eq!(
        (&first["account"], &first["environment"]),
        (&"+213770000000".into(), &"sandbox".into())
    );
    assert!(first["pid"].as_u64().is_some() && first["host"].as_str().is_some_and(|host| !host.is_empty()));
    let again = log.iter().find(|line| line["act"] == 2).or_fail("no second act");
    assert_eq!(what_of(again), [("repeat", "--again")]);
    let moved = &log[1];
    assert_eq!(
        (
            &moved["ref"],
            &moved["to"],
            &moved["amount"],
            &moved["phone"],
            &moved["act"]
        ),
        (
            &"order-1".into(),
            &"sending".into(),
            &500.into(),
            &"0778037340".into(),
            &1.into()
        )
    );
    shop.expect_whole();
}

#[test]
fn an_order_settled_by_hand_is_a_line_with_its_reason() {
    let shop = Shop::open();
    // The provider says `UNKNOWN_ERROR` of this number.
    let order = [
        "send",
        "--plan",
        PLAN,
        "--phone",
        "0600000003",
        "--amount",
        "500",
        "--ref",
        "open",
    ];
    shop.run(&order).expect_exit(8);
    let because = format!("support, ticket 4711; the key is {KEY}");
    shop.run(&[
        "ref",
        "settle",
        "open",
        "--as",
        "written-off",
        "--because",
        &because,
    ])
    .expect_exit(0);
    let log = shop.log();
    let act = &log[log.len() - 2];
    assert_eq!(what_of(act), [("settled by hand", "--as written_off")]);
    let reason = act["overrides"][0]["reason"].as_str().or_fail("no reason");
    assert_eq!(reason, "support, ticket 4711; the key is [key withheld]");
    assert_eq!(
        (&log[log.len() - 1]["to"], &log[log.len() - 1]["act"]),
        (&"written_off".into(), &act["act"])
    );
    assert_eq!(files_with(shop.home(), KEY), Vec::<PathBuf>::new());
    shop.expect_whole();
}

#[test]
fn a_batch_leaves_consent_and_every_row() {
    let shop = Shop::open().set("ONECLICKDZ_MAX_PER_DAY", "100000");
    shop.configure(".config/oneclick/config.toml", "max_per_day = 50000\n");
    let november = shop.sheet("november.csv").customers(3);
    november.batch(&["--confirm-total", "299"]).expect_exit(2);
    november
        .batch(&["--confirm-total", "300", "--skip-bad"])
        .expect_exit(0);
    let log = shop.log();
    let told = acts(&log);
    let events: Vec<_> = told.iter().map(|(event, _)| event.as_str()).collect();
    assert_eq!(events, ["declined", "consented"]);
    let why = log[1]["why"].as_str().or_fail("no reason");
    assert_eq!(why, "batch `november`: 3 rows for 300 DZD, by `--confirm-total`");
    assert_eq!(
        what_of(&log[1]),
        [
            ("max_per_day = 100000", "variable `ONECLICKDZ_MAX_PER_DAY`"),
            ("rows that can't be sent", "--skip-bad")
        ]
    );
    let fulfilled = log.iter().filter(|line| line["to"] == "fulfilled").count();
    assert_eq!(
        (fulfilled, log.iter().filter(|line| line["act"] == 2).count()),
        (3, log.len() - 1)
    );
    // Nobody was asked, so nobody has declined; and what moves nothing leaves nothing.
    shop.sheet("december.csv").customers(3).batch(&[]).expect_exit(2);
    november.send().expect_exit(0);
    assert_eq!(shop.log().len(), log.len());
    shop.expect_whole();
}

#[test]
fn looking_leaves_no_line() {
    let shop = Shop::open();
    for command in [
        &["balance"][..],
        &["plans"],
        &["ref", "list"],
        &["ref", "check"],
        &["ref", "audit"],
        &["ref", "audit", "--verify"],
    ] {
        shop.run(command).expect_exit(0);
    }
    shop.send_plus(500, &["--dry-run"]).expect_exit(0);
    assert!(!shop.log_path().exists());
    shop.send_as("order-1", 500).expect_exit(0);
    let lines = shop.log().len();
    shop.send_as("order-1", 500).expect_exit(0);
    shop.run(&["ref", "show", "order-1"]).expect_exit(0);
    assert_eq!(shop.log().len(), lines);
}

/// What was changed is named, with exit code 10, and shown as before otherwise.
#[test]
fn a_log_that_was_changed_is_found() {
    let shop = Shop::open();
    shop.send_as("order-1", 500).expect_exit(0);
    shop.send_as("order-2", 700).expect_exit(0);
    shop.expect_whole();
    let whole = fs::read_to_string(shop.log_path()).or_fail("no log");
    let write = |text: &str| fs::write(shop.log_path(), text).or_fail("not written");
    write(&whole.replacen("\"amount\":500", "\"amount\":900", 1));
    let found = shop.verify().expect_exit(10).expect_error("audit_damaged");
    let difference = &found.json()["differences"][0];
    assert_eq!(
        (&difference["kind"], &difference["line"], &difference["ref"]),
        (&"changed".into(), &2.into(), &"order-1".into()),
        "{found:?}"
    );
    assert!(
        found.error()["hints"]
            .as_array()
            .is_some_and(|hints| !hints.is_empty())
    );
    let table = shop.run(&["ref", "audit", "--verify"]).expect_exit(10);
    table.expect_said(["line 2", "`order-1`", "`900` in the file"]);
    write(&whole);
    shop.expect_whole();
}

/// The log goes on, the money too, and what is missing stays missing.
#[test]
fn a_log_that_was_taken_away_stops_no_top_up_and_stays_found() {
    let shop = Shop::open();
    shop.send_as("order-1", 500).expect_exit(0);
    fs::remove_file(shop.log_path()).or_fail("not removed");
    shop.send_as("order-2", 700)
        .expect_exit(0)
        .expect_said(["the audit log was changed", "ref audit --verify"]);
    let sent = shop.send_as("order-3", 800).expect_exit(0);
    assert!(!sent.stderr.contains("audit"), "{sent:?}");
    let found = shop.verify().expect_exit(10).json();
    let first = &found["differences"][0];
    assert_eq!(
        (&first["kind"], &first["n"], &first["until"]),
        (&"cut".into(), &1.into(), &4.into()),
        "{found}"
    );
}

/// Whoever writes to the log while a batch runs is found by it, and told of once.
#[test]
fn a_log_that_is_changed_while_a_batch_runs_is_told_of() {
    let shop = Shop::open_with(&["--latency", "50ms"]);
    shop.send_as("order-1", 500).expect_exit(0);
    let november = shop.sheet("november.csv").customers(20);
    let running = november.start(&[]);
    shop.provider
        .await_books("rows", |books| books.calls("send") >= 3);
    let mut log = fs::OpenOptions::new()
        .append(true)
        .open(shop.log_path())
        .or_fail("no log");
    log.write_all(b"not ours\n").or_fail("not written");
    let told = running.finish().expect_exit(0);
    assert_eq!(
        told.stderr.matches("the audit log was changed").count(),
        1,
        "{told:?}"
    );
    let found = shop.verify().expect_exit(10).json();
    assert_eq!(found["differences"][0]["kind"], "inserted", "{found}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_fails_no_send_and_its_lines_come_later() {
    let shop = Shop::open();
    shop.run(&["plans"]).expect_exit(0);
    std::os::unix::fs::symlink("/dev/full", shop.log_path()).or_fail("no link");
    let sent = shop.send_as("order-1", 500).expect_exit(0).expect_paid_once();
    sent.expect_said(["warning", "the audit log can't be written"]);
    fs::remove_file(shop.log_path()).or_fail("not removed");
    shop.run(&["ref", "audit"]).expect_exit(0);
    assert_eq!(shop.log().len(), 4);
    shop.expect_whole();
}

#[test]
fn a_log_that_can_not_be_opened_fails_no_send() {
    let shop = Shop::open();
    shop.run(&["plans"]).expect_exit(0);
    fs::create_dir(shop.log_path()).or_fail("no directory");
    let sent = shop.send_as("order-1", 500).expect_exit(0).expect_paid_once();
    sent.expect_said([
        "the audit log can't be written",
        "its lines are kept in the ledger",
    ]);
    // The error stays the last line for scripts.
    let refused = shop.send_plus(500, &[]).expect_exit(2).expect_error("repeat");
    refused.expect_said(["the audit log can't be written"]);
    let sheet = shop.sheet("november.csv").customers(2);
    sheet.send().expect_exit(0);
    fs::remove_dir(shop.log_path()).or_fail("not removed");
    shop.run(&["ref", "check"]).expect_exit(0);
    shop.expect_whole();
}

/// A batch and single top-ups beside it, all at the same time.
#[test]
fn processes_that_work_at_once_share_one_log() {
    let shop = Shop::open();
    let november = shop.sheet("november.csv").customers(40);
    let batch = november.start(&[]);
    let sends: Vec<_> = (0..3)
        .map(|number| {
            let reference = format!("order-{number}");
            let phone = format!("077803734{number}");
            let words = [
                "send",
                "--plan",
                "PREPAID_DJEZZY",
                "--amount",
                "500",
                "--phone",
                &phone,
                "--ref",
                &reference,
            ];
            shop.start(&words)
        })
        .collect();
    for send in sends {
        send.finish().expect_exit(0);
    }
    batch.finish().expect_exit(0);
    shop.expect_whole();
}

/// A kill at any instant loses no line: the next command writes what was left.
#[test]
fn a_killed_batch_leaves_a_log_that_the_next_command_completes() {
    let shop = Shop::open_with(&["--latency", "5ms"]).set("ONECLICKDZ_CONCURRENCY", "4");
    let november = shop.sheet("november.csv").customers(40);
    for posts in [1, 5, 12, 25] {
        let mut running = november.start(&[]);
        while !running.has_ended() && shop.books().calls("send") < posts {}
        running.kill();
        shop.run(&["ref", "audit"]).expect_exit(0);
        shop.expect_whole();
    }
    shop.provider.advance(60);
    november.send().expect_exit(0);
    shop.expect_whole();
}

#[test]
fn the_log_is_listed_by_order_and_a_noted_head_is_found_again() {
    let shop = Shop::open();
    shop.send_as("order-1", 500).expect_exit(0);
    let head = shop.verify().json()["head"]
        .as_str()
        .or_fail("no head")
        .to_owned();
    shop.send_as("order-2", 700).expect_exit(0);
    let listed = shop
        .run(&["ref", "audit", "--ref", "order-2", "-o", "json"])
        .expect_exit(0)
        .json();
    let states: Vec<_> = listed
        .as_array()
        .into_iter()
        .flatten()
        .map(|line| &line["to"])
        .collect();
    assert_eq!(states, ["sending", "accepted", "fulfilled"]);
    assert_eq!(listed[0], shop.log()[5], "as it stands in the file");
    let newest = shop
        .run(&["ref", "audit", "--limit", "1", "-o", "jsonl"])
        .expect_exit(0);
    newest.clone().expect_said(["the newest 1 of 8 lines"]);
    assert_eq!(newest.json()["n"], 8);
    let empty = shop
        .run(&["ref", "audit", "--until", "2020-01-01", "-o", "json"])
        .expect_exit(0);
    assert_eq!(empty.json(), serde_json::json!([]));
    let proved = shop
        .run(&["ref", "audit", "--verify", "--head", &head, "-o", "json"])
        .expect_exit(0);
    assert_eq!(proved.json()["noted_head"]["n"], 4);
    let other = "ab".repeat(32);
    let lost = shop
        .run(&["ref", "audit", "--verify", "--head", &other, "-o", "json"])
        .expect_exit(10);
    assert_eq!(lost.json()["differences"][0]["kind"], "noted_head");
    shop.run(&["ref", "audit", "--verify", "--head", "abc"])
        .expect_exit(2);
}

/// What proves nothing else must not change what it proves.
#[test]
fn verifying_changes_nothing_and_names_what_stands_behind_the_end() {
    let shop = Shop::open();
    shop.send_as("order-1", 500).expect_exit(0);
    let whole = fs::read(shop.log_path()).or_fail("no log");
    let cut = whole.len() - 1;
    let tampered = [
        ([&whole[..], &[0; 7]].concat(), "tail"),
        ([&whole[..], b"not ours\n"].concat(), "tail"),
        (whole[..cut].to_vec(), "changed"),
    ];
    for (bytes, kind) in tampered {
        fs::write(shop.log_path(), &bytes).or_fail("not written");
        for _ in 0..2 {
            let found = shop.verify().expect_exit(10).expect_error("audit_damaged");
            assert_eq!(found.json()["differences"][0]["kind"], kind, "{found:?}");
        }
        assert!(
            fs::read(shop.log_path()).or_fail("no log") == bytes,
            "{kind}: it was changed"
        );
    }
    fs::write(shop.log_path(), &whole).or_fail("not written");
    shop.expect_whole();
}

/// A new ledger knows nothing of the lines of the old one: they are named, kept, and never forgotten.
#[test]
fn a_log_whose_ledger_is_gone_is_not_whole_and_is_not_forgotten() {
    let shop = Shop::open();
    shop.send_as("order-1", 500).expect_exit(0);
    let verdict = shop.verify().expect_exit(0).json();
    let head = verdict["head"].as_str().or_fail("no head").to_owned();
    let old = fs::read(shop.log_path()).or_fail("no log");
    for ending in ["", "-wal", "-shm"] {
        let _ = fs::remove_file(shop.ledger_path().with_file_name(format!("ledger.db{ending}")));
    }
    for _ in 0..2 {
        let found = shop.verify().expect_exit(10).expect_error("audit_damaged");
        assert_eq!(
            found.json()["differences"][0]["kind"],
            "other_ledger",
            "{found:?}"
        );
        found.expect_said(["another ledger"]);
    }
    shop.run(&["ref", "audit"]).expect_exit(0);
    assert!(
        fs::read(shop.log_path()).or_fail("no log") == old,
        "only looked at"
    );
    shop.send_as("order-2", 700)
        .expect_exit(0)
        .expect_said(["ledger.db.audit.1.jsonl"]);
    let aside = shop.log_path().with_file_name("ledger.db.audit.1.jsonl");
    assert!(fs::read(aside).or_fail("not kept") == old);
    let log = shop.log();
    assert_eq!(log[0]["event"], "set_aside", "{log:#?}");
    let why = log[0]["why"].as_str().or_fail("no reason");
    assert!(
        why.contains("ledger.db.audit.1.jsonl") && why.contains(&head),
        "{why}"
    );
    let later = shop.verify().expect_exit(0);
    assert_eq!(later.json()["set_aside"], serde_json::json!([why]));
    later.expect_said(["ledger.db.audit.1.jsonl"]);
    shop.expect_whole();
}

/// A pipe in the place of the log would be waited for without end.
#[cfg(unix)]
#[test]
fn a_pipe_in_the_place_of_the_log_is_refused() {
    let shop = Shop::open();
    shop.send_as("order-1", 500).expect_exit(0);
    fs::remove_file(shop.log_path()).or_fail("not removed");
    let made = std::process::Command::new("mkfifo").arg(shop.log_path()).status();
    assert!(made.or_fail("no mkfifo").success());
    for more in [&["--verify"][..], &[]] {
        shop.run(&[&["ref", "audit", "-o", "json"], more].concat())
            .expect_exit(10)
            .expect_error("audit_unreadable")
            .expect_said(["no regular file"]);
    }
    let sent = shop.send_as("order-2", 700).expect_exit(0);
    sent.expect_said(["the audit log can't be written"]);
}

/// What tightens sets nothing aside; what loosens does, and another configuration file may.
#[test]
fn an_act_names_what_loosens_and_nothing_else() {
    let shop = Shop::open()
        .set("ONECLICKDZ_MAX_PER_SEND", "600")
        .set("ONECLICKDZ_MAX_PER_DAY", "40000")
        .set("ONECLICKDZ_REPEAT_WINDOW", "48h");
    shop.configure(".config/oneclick/config.toml", "max_per_day = 50000\n");
    let november = shop.sheet("november.csv").customers(2);
    november.batch(&["--yes", "--max-total", "5000"]).expect_exit(0);
    assert_eq!(what_of(&shop.log()[0]), []);
    let shop = shop.set("ONECLICKDZ_REPEAT_WINDOW", "1m");
    shop.configure("other.toml", "max_per_send = 500\n");
    shop.send_plus(550, &["--config", "other.toml"]).expect_exit(0);
    let log = shop.log();
    let act = log.iter().rfind(|line| line.get("event").is_some());
    assert_eq!(
        what_of(act.or_fail("no act")),
        [
            ("configuration = other.toml", "flag `--config`"),
            ("repeat_window = 1m", "variable `ONECLICKDZ_REPEAT_WINDOW`"),
            ("max_per_send = 600", "variable `ONECLICKDZ_MAX_PER_SEND`"),
        ]
    );
}
