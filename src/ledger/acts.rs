//! Acts: who has moved money, with which command, and what was overridden. An act is written with its first move, in
//! the same transaction; a command that moves nothing leaves none.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};
use serde_json::{Value, json};

use super::rows::millis;
use super::{Ledger, Result};
use crate::domain::Account;

/// Who works, where, and what was typed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Author {
    /// The user's name, where the system knows one.
    pub user: Option<String>,
    /// The user's number.
    pub uid: Option<u32>,
    /// The machine.
    pub host: String,
    /// The process.
    pub pid: u32,
    /// The version of the tool.
    pub version: String,
    /// The command line, without the key.
    pub command: String,
    /// The profile in use.
    pub profile: Option<String>,
}

/// A guard that somebody has set aside, or a consent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Override {
    /// Which one.
    pub what: String,
    /// By which flag, variable or answer.
    pub by: String,
    /// Why, where somebody has said so.
    pub reason: Option<String>,
}

/// What this process is about to do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NewAct {
    /// Who.
    pub author: Author,
    /// For which account.
    pub account: Option<Account>,
    /// Against which guards.
    pub overrides: Vec<Override>,
}

/// What kind of line an act is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ActEvent {
    /// A command moves its first order.
    Begun,
    /// Somebody has consented to sending.
    Consented,
    /// Somebody was asked and did not consent.
    Declined,
    /// The file of the log was found to be another than was written.
    Damaged,
    /// The log of another ledger stood in the place of ours and was put out of the way.
    SetAside,
}

impl ActEvent {
    /// The word in the log.
    pub fn word(self) -> &'static str {
        match self {
            Self::Begun => "begun",
            Self::Consented => "consented",
            Self::Declined => "declined",
            Self::Damaged => "damaged",
            Self::SetAside => "set_aside",
        }
    }
}

impl Ledger {
    /// Says what this process is about to do. Nothing is written before the first move, or before
    /// [`Ledger::note_act`].
    pub async fn begin_act(&self, act: NewAct) -> Result<()> {
        self.writer.write(move |connection| keep(connection, &act)).await
    }

    /// Writes down something that matters although it moves nothing. What this process moves from now on follows it.
    pub async fn note_act(&self, act: NewAct, event: ActEvent, why: String, at: Timestamp) -> Result<i64> {
        self.writer
            .write(move |connection| {
                keep(connection, &act)?;
                write(connection, event, Some(&why), millis(at))
            })
            .await
    }
}

/// Where a connection keeps what its process is about to do: a temporary table, which is taken back with the
/// transaction or the savepoint that an act was written in.
const ACTING: &str = "
    -- It holds one row, and a full disk must not touch it.
    PRAGMA temp_store = memory;
    CREATE TEMP TABLE acting (
        -- The act as it stands in the ledger; none until it is written.
        id INTEGER,
        user TEXT, uid INTEGER, host TEXT NOT NULL, pid INTEGER NOT NULL, version TEXT NOT NULL,
        command TEXT NOT NULL, profile TEXT, account TEXT, environment TEXT, overrides TEXT NOT NULL
    ) STRICT;";

/// Lets a connection write acts.
pub(super) fn prepare(connection: &Connection) -> Result<()> {
    Ok(connection.execute_batch(ACTING)?)
}

pub(super) fn keep(connection: &Connection, act: &NewAct) -> Result<()> {
    let (author, account) = (&act.author, act.account.as_ref());
    let overrides: Vec<_> = act.overrides.iter().map(override_json).collect();
    connection.execute("DELETE FROM temp.acting", [])?;
    connection.execute(
        "INSERT INTO temp.acting VALUES (NULL, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        params![
            author.user,
            author.uid,
            author.host,
            author.pid,
            author.version,
            author.command,
            author.profile,
            account.map(|account| &account.username),
            account.map(|account| account.environment.word()),
            Value::from(overrides).to_string(),
        ],
    )?;
    Ok(())
}

fn override_json(set_aside: &Override) -> Value {
    let mut json = json!({"what": set_aside.what, "by": set_aside.by});
    if let Some(reason) = &set_aside.reason {
        json["reason"] = json!(reason);
    }
    json
}

/// The act that a move of this connection belongs to, written where it is the first; none where nobody has said what
/// this process is about to do.
pub(super) fn current(connection: &Connection, at: i64) -> Result<Option<i64>> {
    let known: Option<Option<i64>> = connection
        .prepare_cached("SELECT id FROM temp.acting")?
        .query_row([], |row| row.get(0))
        .optional()?;
    match known {
        None => Ok(None),
        Some(Some(id)) => Ok(Some(id)),
        Some(None) => write(connection, ActEvent::Begun, None, at).map(Some),
    }
}

/// Writes an act into the sequence of acts and moves.
pub(super) fn write(connection: &Connection, event: ActEvent, why: Option<&str>, at: i64) -> Result<i64> {
    connection.execute(
        "INSERT INTO acts (after_move, at, event, user, uid, host, pid, version, command, profile, account, \
         environment, overrides, why) SELECT (SELECT coalesce(max(id), 0) FROM moves), ?1, ?2, user, uid, host, pid, \
         version, command, profile, account, environment, overrides, ?3 FROM temp.acting",
        (at, event.word(), why),
    )?;
    let id = connection.last_insert_rowid();
    connection.execute("UPDATE temp.acting SET id = ?1", [id])?;
    Ok(id)
}
