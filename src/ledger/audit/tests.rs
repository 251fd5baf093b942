//! The log against a real ledger and real files.

use std::fs;
use std::path::PathBuf;

use jiff::Timestamp;
use sha2::{Digest, Sha256};

use super::*;
use crate::domain::{Account, Amount, Environment, Intent, Operator, Order, State, hex};
use crate::ledger::{ActEvent, Author, Begun, Change, Guard, Ledger, NewAct, NewSend, Override, schema};

type Outcome = std::result::Result<(), Box<dyn std::error::Error>>;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap_or(Timestamp::UNIX_EPOCH)
}

fn account() -> Account {
    Account {
        username: "+213770000000".to_owned(),
        environment: Environment::Sandbox,
    }
}

fn act(command: &str) -> NewAct {
    NewAct {
        author: Author {
            user: Some("amine".to_owned()),
            uid: Some(1000),
            host: "desk-1".to_owned(),
            pid: 4711,
            version: "0.1.0".to_owned(),
            command: command.to_owned(),
            profile: None,
        },
        account: Some(account()),
        overrides: vec![Override {
            what: "repeat".to_owned(),
            by: "--again".to_owned(),
            reason: None,
        }],
    }
}

/// A ledger in a place of its own, and its log.
struct Desk {
    place: tempfile::TempDir,
    ledger: Ledger,
}

impl Desk {
    fn open() -> std::result::Result<Self, Box<dyn std::error::Error>> {
        let place = tempfile::tempdir()?;
        let ledger = Ledger::open(&place.path().join("ledger.db"))?;
        Ok(Self { place, ledger })
    }

    fn path(&self) -> PathBuf {
        self.place.path().join("ledger.db")
    }

    fn log(&self) -> PathBuf {
        path_of(&self.path())
    }

    fn bytes(&self) -> Vec<u8> {
        fs::read(self.log()).unwrap_or_default()
    }

    fn lines(&self) -> Vec<String> {
        let text = String::from_utf8(self.bytes()).unwrap_or_else(|error| panic!("{error}"));
        text.lines().map(str::to_owned).collect()
    }

    fn write(&self, lines: &[String]) {
        let text = lines.join("\n") + "\n";
        fs::write(self.log(), text).unwrap_or_else(|error| panic!("{error}"));
    }

    async fn send(&self, reference: &str) -> std::result::Result<Order, Box<dyn std::error::Error>> {
        let new = NewSend {
            account: account(),
            intent: Intent {
                reference: reference.parse()?,
                phone: "0778037340".parse()?,
                plan: "PREPAID_DJEZZY".parse()?,
                amount: Amount::of(500)?,
            },
            operator: Operator::Djezzy,
            cost: None,
            at: at(0),
            path: "/v3/mobile/send".to_owned(),
            request: "{}".to_owned(),
            again: None,
            why: None,
            guard: Guard::default(),
        };
        match self.ledger.begin(new).await? {
            Begun::Written(written) => Ok(written.order),
            other => panic!("not written: {other:?}"),
        }
    }

    /// An act with orders that are sent and accepted: 1 + 2 × `orders` lines.
    async fn sell(&self, orders: usize) -> Outcome {
        self.ledger.begin_act(act("oneclick send")).await?;
        for number in 0..orders {
            let order = self.send(&format!("order-{number}")).await?;
            let change = Change {
                request_id: Some("req-1".to_owned()),
                ..Change::to(State::Accepted, at(1), "accepted")
            };
            self.ledger.change(&order, change).await?;
        }
        Ok(())
    }

    fn export(&self) -> Result<Exported> {
        Exporter::open(&self.path(), &act("oneclick ref audit"))?.export(at(60))
    }

    fn verify(&self) -> Result<Verdict> {
        verify(&self.path(), None)
    }

    /// Kinds and lines of the differences.
    fn kinds(&self) -> Vec<(DifferenceKind, Option<u64>, Option<i64>)> {
        let verdict = self.verify().unwrap_or_else(|error| panic!("{error}"));
        let told = verdict.differences.iter();
        told.map(|told| (told.kind, told.line, told.n)).collect()
    }

    /// Changes the database as nobody should.
    fn tamper(&self, statement: &str) -> Outcome {
        let connection = schema::connect(&self.path())?;
        connection.execute_batch(
            "DROP TRIGGER moves_are_kept; DROP TRIGGER moves_never_change; DROP TRIGGER acts_never_change; \
             DROP TRIGGER acts_are_kept; DROP TRIGGER intents_are_kept;",
        )?;
        Ok(connection.execute_batch(statement)?)
    }
}

/// What anybody can do with `sha256sum` and a reader of JSON.
fn check_alone(lines: &[String]) {
    let mut previous = "0".repeat(64);
    for (place, line) in lines.iter().enumerate() {
        let json: serde_json::Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(json["n"], place + 1, "{line}");
        assert_eq!(json["prev"], previous, "{line}");
        previous = hex(Sha256::digest(line.as_bytes()).iter());
    }
}

/// Makes the chain anew, with right hashes.
fn forged(lines: &[String]) -> Vec<String> {
    let mut previous = NO_HASH.to_owned();
    let mut made = Vec::new();
    for line in lines {
        let kept = &line[..line.len() - 66];
        let line = format!("{kept}{previous}\"}}");
        previous = hex(Sha256::digest(line.as_bytes()).iter());
        made.push(line);
    }
    made
}

#[tokio::test]
async fn acts_and_moves_are_lines_in_the_order_of_their_commits() -> Outcome {
    let desk = Desk::open()?;
    desk.sell(1).await?;
    desk.ledger
        .note_act(
            act("oneclick batch"),
            ActEvent::Consented,
            "2 rows".to_owned(),
            at(2),
        )
        .await?;
    desk.send("later").await?;
    assert_eq!(desk.export()?.lines, 5);
    let lines = desk.lines();
    check_alone(&lines);
    let read: Vec<serde_json::Value> = lines
        .iter()
        .map(|line| serde_json::from_str(line))
        .collect::<std::result::Result<_, _>>()?;
    let told: Vec<_> = read
        .iter()
        .map(|line| line["event"].as_str().or(line["to"].as_str()).unwrap_or("?"))
        .collect();
    assert_eq!(told, ["begun", "sending", "accepted", "consented", "sending"]);
    assert_eq!(
        (
            &read[0]["command"],
            &read[0]["who"],
            &read[0]["overrides"][0]["by"]
        ),
        (&"oneclick send".into(), &"amine".into(), &"--again".into())
    );
    assert_eq!(
        (
            &read[2]["ref"],
            &read[2]["from"],
            &read[2]["request_id"],
            &read[2]["act"]
        ),
        (&"order-0".into(), &"sending".into(), &"req-1".into(), &1.into())
    );
    assert_eq!((&read[4]["act"], &read[3]["why"]), (&2.into(), &"2 rows".into()));
    assert_eq!(desk.verify()?.differences, []);
    assert_eq!(desk.export()?, Exported::default(), "nothing is new");
    Ok(())
}

#[tokio::test]
async fn an_act_that_moves_nothing_leaves_no_line() -> Outcome {
    let desk = Desk::open()?;
    desk.ledger.begin_act(act("oneclick ref check")).await?;
    assert_eq!(desk.export()?, Exported::default());
    assert!(!desk.log().exists());
    assert_eq!(desk.verify()?.count, 0);
    Ok(())
}

/// The act is taken back with the move that it was written for, and written again with the next.
#[tokio::test]
async fn an_act_lives_and_dies_with_its_first_move() -> Outcome {
    let desk = Desk::open()?;
    desk.ledger.begin_act(act("oneclick send")).await?;
    let failed = desk
        .ledger
        .writer
        .write(|connection| {
            crate::ledger::acts::current(connection, 0)?;
            Err::<(), _>(LedgerError::Full)
        })
        .await;
    assert!(failed.is_err());
    desk.send("order-1").await?;
    desk.export()?;
    assert_eq!(desk.lines().len(), 2);
    assert_eq!(desk.verify()?.differences, []);
    Ok(())
}

#[tokio::test]
async fn moves_without_an_act_are_lines_as_well() -> Outcome {
    let desk = Desk::open()?;
    desk.send("old").await?;
    desk.sell(1).await?;
    desk.export()?;
    let lines = desk.lines();
    check_alone(&lines);
    assert!(
        lines[0].contains(r#""ref":"old""#) && !lines[0].contains(r#""act":"#),
        "{}",
        lines[0]
    );
    assert_eq!(desk.verify()?.differences, []);
    Ok(())
}

/// A ledger of the version before: its moves are lines like any other, without an act.
#[tokio::test]
async fn an_old_ledger_is_taken_over() -> Outcome {
    let place = tempfile::tempdir()?;
    let path = place.path().join("ledger.db");
    schema::prepare_place(&path)?;
    let old = schema::connect(&path)?;
    old.execute_batch(include_str!("../schema_1.sql"))?;
    old.execute_batch(include_str!("../schema_2.sql"))?;
    old.execute_batch(
        "INSERT INTO orders (account, environment, ref, state, phone, plan, operator, amount, created_at, updated_at) \
         VALUES ('+213770000000', 'sandbox', 'old', 'fulfilled', '0778037340', 'PREPAID_DJEZZY', 'Djezzy', 500, 1, 2); \
         INSERT INTO moves (order_id, at, from_state, to_state) VALUES (1, 1, NULL, 'sending'), \
         (1, 2, 'sending', 'fulfilled'); \
         PRAGMA application_id = 826494027; PRAGMA user_version = 2;",
    )?;
    drop(old);
    let desk = Desk {
        ledger: Ledger::open(&path)?,
        place,
    };
    desk.sell(1).await?;
    assert_eq!(desk.export()?.lines, 5);
    check_alone(&desk.lines());
    assert_eq!(desk.verify()?.differences, []);
    Ok(())
}

#[tokio::test]
async fn every_single_byte_that_is_changed_is_found() -> Outcome {
    let desk = Desk::open()?;
    desk.sell(1).await?;
    desk.export()?;
    let whole = desk.bytes();
    let connection = schema::connect(&desk.path())?;
    let verify = || verify::verify_with(&connection, &desk.log(), None);
    for place in 0..whole.len() {
        let mut changed = whole.clone();
        changed[place] ^= if place % 2 == 0 { 1 } else { 0x20 };
        fs::write(desk.log(), &changed)?;
        let verdict = verify()?;
        assert!(verdict.count > 0, "byte {place} of {}", whole.len());
        let line = whole[..place].split(|byte| *byte == b'\n').count();
        assert_eq!(
            verdict.differences[0].line,
            u64::try_from(line).ok(),
            "byte {place}: {:?}",
            verdict.differences
        );
    }
    Ok(())
}

#[tokio::test]
async fn every_byte_that_is_taken_away_or_put_in_is_found() -> Outcome {
    let desk = Desk::open()?;
    desk.sell(1).await?;
    desk.export()?;
    let whole = desk.bytes();
    let connection = schema::connect(&desk.path())?;
    let verify = || verify::verify_with(&connection, &desk.log(), None);
    for place in 0..whole.len() {
        let mut shorter = whole.clone();
        shorter.remove(place);
        fs::write(desk.log(), &shorter)?;
        assert!(verify()?.count > 0, "without byte {place}");
        for byte in [b'\n', b' ', b'0'] {
            let mut longer = whole.clone();
            longer.insert(place, byte);
            if longer[..whole.len()] == whole[..] {
                continue;
            }
            fs::write(desk.log(), &longer)?;
            assert!(verify()?.count > 0, "with {byte} at {place}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn every_line_that_is_taken_away_is_named() -> Outcome {
    let desk = Desk::open()?;
    desk.sell(3).await?;
    desk.export()?;
    let whole = desk.lines();
    for place in 0..whole.len() {
        let mut lines = whole.clone();
        lines.remove(place);
        desk.write(&lines);
        let kind = if place + 1 == whole.len() {
            DifferenceKind::Cut
        } else {
            DifferenceKind::Missing
        };
        assert_eq!(desk.kinds(), [(kind, None, i64::try_from(place + 1).ok())]);
    }
    desk.write(&[&whole[..1], &whole[4..]].concat());
    let verdict = desk.verify()?;
    assert_eq!(verdict.count, 1, "{:?}", verdict.differences);
    assert_eq!(
        (verdict.differences[0].n, verdict.differences[0].until),
        (Some(2), Some(4))
    );
    Ok(())
}

#[tokio::test]
async fn lines_that_change_places_are_named() -> Outcome {
    let desk = Desk::open()?;
    desk.sell(3).await?;
    desk.export()?;
    let whole = desk.lines();
    for first in 0..whole.len() - 1 {
        let mut lines = whole.clone();
        lines.swap(first, first + 1);
        desk.write(&lines);
        let told = desk.kinds();
        let line = u64::try_from(first + 1).ok();
        assert!(
            matches!(told.as_slice(), [(DifferenceKind::OutOfOrder, found, _)] if *found == line),
            "{first}: {told:?}"
        );
    }
    let mut lines = whole.clone();
    let moved = lines.remove(1);
    lines.insert(4, moved);
    desk.write(&lines);
    let told = desk.kinds();
    assert_eq!(told, [(DifferenceKind::OutOfOrder, Some(5), Some(2))]);
    Ok(())
}

#[tokio::test]
async fn a_line_that_is_put_in_is_named_whatever_it_says() -> Outcome {
    let desk = Desk::open()?;
    desk.sell(2).await?;
    desk.export()?;
    let whole = desk.lines();
    let mut twin = whole[1].clone();
    twin.replace_range(5..6, "9");
    for put_in in [
        whole[1].clone(),
        twin,
        "{}".to_owned(),
        String::new(),
        "words".to_owned(),
    ] {
        for place in 2..whole.len() {
            let mut lines = whole.clone();
            lines.insert(place, put_in.clone());
            desk.write(&lines);
            // The next command takes up what stands behind the head.
            desk.export()?;
            let told = desk.kinds();
            assert!(
                told.iter().any(|told| told.0 == DifferenceKind::Inserted && told.1 == u64::try_from(place + 1).ok()),
                "{put_in} at {place}: {told:?}"
            );
        }
        desk.write(&whole);
        desk.tamper_head(&whole)?;
    }
    Ok(())
}

impl Desk {
    /// Puts the head back to these lines, and takes the acts away that damage has left.
    fn tamper_head(&self, lines: &[String]) -> Outcome {
        let bytes: usize = lines.iter().map(|line| line.len() + 1).sum();
        let hash = hex(Sha256::digest(lines.last().map_or("", String::as_str).as_bytes()).iter());
        let connection = schema::connect(&self.path())?;
        connection.execute_batch(
            "DROP TRIGGER IF EXISTS acts_are_kept; DELETE FROM acts WHERE event = 'damaged'",
        )?;
        connection.execute(
            "UPDATE audit_head SET n = ?1, hash = ?2, bytes = ?3, act_id = 1",
            (i64::try_from(lines.len())?, hash, i64::try_from(bytes)?),
        )?;
        Ok(())
    }
}

/// A chain that is made anew fits itself, but neither the rows nor the head.
#[tokio::test]
async fn a_chain_that_is_forged_anew_is_found() -> Outcome {
    let desk = Desk::open()?;
    desk.sell(2).await?;
    desk.export()?;
    let mut lines = desk.lines();
    lines[2] = lines[2].replace(r#""amount":500"#, r#""amount":900"#);
    let lines = forged(&lines);
    check_alone(&lines);
    desk.write(&lines);
    let verdict = desk.verify()?;
    let kinds: Vec<_> = verdict.differences.iter().map(|told| told.kind).collect();
    assert_eq!(kinds, [DifferenceKind::RowDiffers, DifferenceKind::Head]);
    assert_eq!(
        (
            verdict.differences[0].line,
            verdict.differences[0].reference.as_deref()
        ),
        (Some(3), Some("order-0"))
    );
    assert!(verdict.differences[0].detail.contains("`900`"), "{verdict:?}");
    Ok(())
}

/// Whoever changes rows, file and head alike is found by a head that was noted elsewhere.
#[tokio::test]
async fn a_head_that_was_noted_elsewhere_proves_the_rest() -> Outcome {
    let desk = Desk::open()?;
    desk.sell(1).await?;
    desk.export()?;
    let noted = desk.verify()?.head;
    desk.send("later").await?;
    desk.export()?;
    let verdict = verify(&desk.path(), Some(&noted))?;
    assert_eq!((verdict.noted, verdict.count), (Some(3), 0));
    desk.tamper("UPDATE orders SET amount = 900")?;
    let lines: Vec<_> = desk
        .lines()
        .iter()
        .map(|line| line.replace(r#""amount":500"#, r#""amount":900"#))
        .collect();
    let lines = forged(&lines);
    desk.write(&lines);
    desk.tamper_head(&lines)?;
    assert_eq!(desk.verify()?.count, 0, "a perfect forgery");
    let verdict = verify(&desk.path(), Some(&noted))?;
    assert_eq!(verdict.noted, None);
    assert_eq!(verdict.differences[0].kind, DifferenceKind::Noted);
    Ok(())
}

#[tokio::test]
async fn rows_that_are_changed_behind_the_log_are_found() -> Outcome {
    use DifferenceKind::{RowDiffers, RowMissing, State as OtherState};
    let cases: [(&str, &[DifferenceKind]); 5] = [
        ("UPDATE moves SET why = 'paid' WHERE id = 2", &[RowDiffers]),
        ("UPDATE acts SET overrides = '[]'", &[RowDiffers]),
        (
            "UPDATE orders SET amount = 900 WHERE ref = 'order-1'",
            &[RowDiffers, RowDiffers],
        ),
        ("DELETE FROM moves WHERE id = 3", &[RowMissing]),
        (
            "UPDATE orders SET state = 'fulfilled', is_open = 0 WHERE ref = 'order-0'",
            &[OtherState],
        ),
    ];
    for (statement, kinds) in cases {
        let desk = Desk::open()?;
        desk.sell(2).await?;
        desk.export()?;
        desk.tamper(statement)?;
        let found = desk.verify()?.differences;
        let told: Vec<_> = found.iter().map(|told| told.kind).collect();
        assert_eq!(told, kinds, "{statement}: {found:?}");
    }
    Ok(())
}

#[tokio::test]
async fn a_log_that_was_cut_or_taken_away_is_gone_on_with_and_stays_found() -> Outcome {
    for keeps in [0_usize, 1, 300, 700] {
        let desk = Desk::open()?;
        desk.sell(2).await?;
        desk.export()?;
        let whole = desk.bytes();
        fs::write(desk.log(), &whole[..keeps])?;
        if keeps == 0 {
            fs::remove_file(desk.log())?;
        }
        let found = desk.export()?;
        assert_eq!(found.damages.len(), 1, "{found:?}");
        assert_eq!(desk.export()?.damages, Vec::<String>::new(), "it is told once");
        desk.send("later").await?;
        desk.export()?;
        let kept = desk.bytes();
        assert_eq!(kept[..keeps], whole[..keeps], "what was there stays");
        let told = desk.kinds();
        assert!(
            told.iter().any(|told| told.0 == DifferenceKind::Cut),
            "{keeps}: {told:?}"
        );
        let lines = String::from_utf8(kept)?;
        let last: serde_json::Value = serde_json::from_str(lines.lines().last().unwrap_or_default())?;
        assert_eq!(last["ref"], "later");
    }
    Ok(())
}

/// A process that dies at any byte of an append leaves a surplus that the next one completes to the same bytes.
#[tokio::test]
async fn a_surplus_of_any_length_is_completed_to_the_same_bytes() -> Outcome {
    let desk = Desk::open()?;
    desk.sell(1).await?;
    desk.export()?;
    let before = desk.bytes();
    let copy = |name: &str| fs::copy(desk.path(), desk.place.path().join(name));
    desk.send("later").await?;
    // All that is committed is in the file of the database itself.
    schema::connect(&desk.path())?.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
    copy("other.db")?;
    let other = desk.place.path().join("other.db");
    desk.export()?;
    let after = desk.bytes();
    assert!(after.len() > before.len());
    for length in before.len()..=after.len() {
        let here = desk.place.path().join("here.db");
        fs::copy(&other, &here)?;
        let _ = fs::remove_file(desk.place.path().join("here.db-wal"));
        fs::write(path_of(&here), &after[..length])?;
        let exported = Exporter::open(&here, &act("x"))?.export(at(60))?;
        assert_eq!((exported.lines, exported.damages.len()), (1, 0), "at {length}");
        assert_eq!(fs::read(path_of(&here))?, after, "at {length}");
        // A power cut may leave zeros in the place of bytes.
        fs::copy(&other, &here)?;
        let _ = fs::remove_file(desk.place.path().join("here.db-wal"));
        let mut torn = after[..length].to_vec();
        torn.resize(after.len() + 5, 0);
        fs::write(path_of(&here), &torn)?;
        let exported = Exporter::open(&here, &act("x"))?.export(at(60))?;
        assert_eq!(exported.damages, Vec::<String>::new(), "zeros at {length}");
        assert_eq!(fs::read(path_of(&here))?, after, "zeros at {length}");
    }
    Ok(())
}

/// So many lines are read by one thread and written by another.
#[tokio::test]
async fn many_lines_are_written_in_their_order_and_what_a_dead_process_has_left_of_them_is_completed()
-> Outcome {
    let desk = Desk::open()?;
    desk.sell(1).await?;
    desk.export()?;
    let before = desk.bytes().len();
    desk.tamper(
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2600)
         INSERT INTO moves (order_id, at, from_state, to_state, why, act_id)
         SELECT 1, 1800000000000 + i, 'accepted', 'accepted', printf('look %d', i), 1 FROM n",
    )?;
    schema::connect(&desk.path())?.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
    let other = desk.place.path().join("other.db");
    fs::copy(desk.path(), &other)?;
    assert_eq!(desk.export()?.lines, 2600);
    let (after, lines) = (desk.bytes(), desk.lines());
    check_alone(&lines);
    let looks: Vec<_> = lines.iter().filter(|line| line.contains("look ")).collect();
    assert_eq!(looks.len(), 2600);
    assert!(
        looks
            .iter()
            .zip(1..)
            .all(|(line, n)| line.contains(&format!("\"look {n}\"")))
    );
    // As another process finds it that does not know of them yet.
    for (length, spoilt, lines, damages) in [
        (before, None, 2600, 0),
        (usize::midpoint(before, after.len()), None, 2600, 0),
        (after.len(), None, 2600, 0),
        (after.len(), Some(usize::midpoint(before, after.len())), 2601, 1),
    ] {
        let here = desk.place.path().join("here.db");
        fs::copy(&other, &here)?;
        let _ = fs::remove_file(desk.place.path().join("here.db-wal"));
        let mut left = after[..length].to_vec();
        if let Some(at) = spoilt {
            left[at] ^= 1;
        }
        fs::write(path_of(&here), &left)?;
        let exported = Exporter::open(&here, &act("x"))?.export(at(60))?;
        assert_eq!(
            (exported.lines, exported.damages.len()),
            (lines, damages),
            "at {length}"
        );
        let now = fs::read(path_of(&here))?;
        assert_eq!(now[..left.len()], left[..]);
        assert_eq!(now == after, spoilt.is_none());
    }
    Ok(())
}

#[tokio::test]
async fn a_surplus_that_is_not_ours_is_kept_and_told() -> Outcome {
    let desk = Desk::open()?;
    desk.sell(1).await?;
    desk.export()?;
    let mut bytes = desk.bytes();
    bytes.extend_from_slice(b"{\"n\":4,\"forged\":true}\n");
    fs::write(desk.log(), &bytes)?;
    desk.send("later").await?;
    assert_eq!(desk.export()?.damages.len(), 1);
    assert_eq!(desk.bytes()[..bytes.len()], bytes[..]);
    let told = desk.kinds();
    assert_eq!(
        told.first().map(|told| (told.0, told.1)),
        Some((DifferenceKind::Inserted, Some(4))),
        "{told:?}"
    );
    Ok(())
}

#[tokio::test]
async fn the_log_of_another_ledger_is_put_aside() -> Outcome {
    let desk = Desk::open()?;
    fs::write(desk.log(), "{\"n\":1,\"of\":\"another ledger\"}\n")?;
    desk.sell(1).await?;
    let exported = desk.export()?;
    assert_eq!((exported.lines, exported.damages.len()), (4, 1));
    let verdict = desk.verify()?;
    assert_eq!(verdict.differences, []);
    let hash = hex(Sha256::digest(b"{\"n\":1,\"of\":\"another ledger\"}").iter());
    let [told] = &verdict.set_aside[..] else {
        panic!("{verdict:?}");
    };
    assert!(
        told.contains(&hash) && told.contains("ledger.db.audit.1.jsonl"),
        "{told}"
    );
    assert!(fs::read_to_string(desk.place.path().join("ledger.db.audit.1.jsonl"))?.contains("another"));
    Ok(())
}

#[tokio::test]
async fn two_that_write_at_once_write_each_line_once() -> Outcome {
    let desk = Desk::open()?;
    let (path, done) = (desk.path(), std::sync::atomic::AtomicBool::new(false));
    std::thread::scope(|scope| {
        let writers: Vec<_> = (0..3)
            .map(|_| {
                scope.spawn(|| {
                    let mut exporter = Exporter::open(&path, &act("x"))?;
                    while !done.load(std::sync::atomic::Ordering::SeqCst) {
                        exporter.export(at(60))?;
                    }
                    Ok::<_, AuditError>(())
                })
            })
            .collect();
        let runtime = tokio::runtime::Handle::current();
        let sold = std::thread::scope(|inner| {
            inner
                .spawn(|| {
                    runtime
                        .block_on(desk.sell(100))
                        .map_err(|error| error.to_string())
                })
                .join()
        });
        done.store(true, std::sync::atomic::Ordering::SeqCst);
        assert!(matches!(sold, Ok(Ok(()))), "{sold:?}");
        for writer in writers {
            assert!(matches!(writer.join(), Ok(Ok(()))));
        }
    });
    desk.export()?;
    assert_eq!(desk.lines().len(), 201);
    check_alone(&desk.lines());
    assert_eq!(desk.verify()?.differences, []);
    Ok(())
}

#[cfg(unix)]
#[tokio::test]
async fn the_log_is_readable_by_its_owner_only() -> Outcome {
    use std::os::unix::fs::PermissionsExt;
    let desk = Desk::open()?;
    desk.sell(1).await?;
    desk.export()?;
    let mode = || fs::metadata(desk.log()).map(|data| data.permissions().mode() & 0o777);
    assert_eq!(mode()?, 0o600);
    fs::set_permissions(desk.log(), fs::Permissions::from_mode(0o644))?;
    desk.export()?;
    assert_eq!(mode()?, 0o600);
    Ok(())
}

#[tokio::test]
async fn a_log_that_can_not_be_written_keeps_its_lines_in_the_ledger() -> Outcome {
    let desk = Desk::open()?;
    fs::create_dir(desk.log())?;
    desk.sell(1).await?;
    assert!(matches!(desk.export(), Err(AuditError::File { .. })));
    fs::remove_dir(desk.log())?;
    assert_eq!(desk.export()?.lines, 3);
    assert_eq!(desk.verify()?.differences, []);
    Ok(())
}

#[tokio::test]
async fn lines_are_found_by_order_and_time_the_newest_first_dropped_last() -> Outcome {
    let desk = Desk::open()?;
    desk.sell(3).await?;
    desk.export()?;
    let found = |lookup: Lookup| list(&desk.path(), &lookup).map(|listed| (listed.found, listed.lines));
    let (count, lines) = found(Lookup {
        reference: "order-1".parse().ok(),
        ..Lookup::default()
    })?;
    assert_eq!((count, lines.len()), (2, 2));
    let (count, lines) = found(Lookup {
        limit: Some(1),
        account: Some(account()),
        ..Lookup::default()
    })?;
    assert_eq!((count, lines.len(), &lines[0]["n"]), (7, 1, &7.into()));
    let since = Some(at(1));
    assert_eq!(
        found(Lookup {
            since,
            ..Lookup::default()
        })?
        .0,
        3
    );
    assert_eq!(
        found(Lookup {
            until: since,
            ..Lookup::default()
        })?
        .0,
        4
    );
    let elsewhere = Account {
        environment: Environment::Production,
        ..account()
    };
    assert_eq!(
        found(Lookup {
            account: Some(elsewhere),
            ..Lookup::default()
        })?
        .0,
        0
    );
    Ok(())
}
