//! The rows of the log: acts and moves in the order in which they were committed, each as the body of its line.

use std::collections::HashMap;
use std::io::Write;

use jiff::Timestamp;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension, Row, Rows, Statement};

use super::{Head, Result};

/// Acts whose authors are kept in mind: few processes move money at a time.
const AUTHORS_MAX: usize = 256;

const MOVES: &str = "SELECT m.id, m.at, m.act_id, o.account, o.environment, o.ref, o.phone, o.plan, o.amount, \
     m.from_state, m.to_state, m.why, m.request_id FROM moves AS m LEFT JOIN orders AS o ON o.id = m.order_id \
     WHERE m.id > ?1 ORDER BY m.id";
const ACTS: &str = "SELECT id, after_move, at, event, user, uid, host, pid, version, command, profile, account, \
     environment, overrides, why FROM acts WHERE id > ?1 ORDER BY id";

/// Where a row stands in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry {
    /// The number of its line: moves and acts are numbered by their keys, which have no gaps, so that a row that has
    /// been taken away leaves one.
    pub n: i64,
    /// The last move up to it.
    pub move_id: i64,
    /// The last act up to it.
    pub act_id: i64,
}

/// The statements that [`Entries`] reads from.
pub(super) struct Queries<'c> {
    connection: &'c Connection,
    moves: Statement<'c>,
    acts: Statement<'c>,
}

impl<'c> Queries<'c> {
    pub fn prepare(connection: &'c Connection) -> Result<Self> {
        Ok(Self {
            connection,
            moves: connection.prepare(MOVES)?,
            acts: connection.prepare(ACTS)?,
        })
    }

    /// The rows behind a head.
    pub fn behind(&mut self, head: &Head) -> Result<Entries<'_>> {
        let mut entries = Entries {
            connection: self.connection,
            moves: self.moves.query([head.move_id])?,
            acts: self.acts.query([head.act_id])?,
            next_move: None,
            next_act: None,
            move_body: Vec::new(),
            act_body: Vec::new(),
            last: Entry {
                n: head.n,
                move_id: head.move_id,
                act_id: head.act_id,
            },
            authors: HashMap::new(),
            moment: (i64::MIN, Vec::new()),
        };
        entries.read_move()?;
        entries.read_act()?;
        Ok(entries)
    }
}

/// Reads acts and moves, one at a time.
pub(super) struct Entries<'s> {
    connection: &'s Connection,
    moves: Rows<'s>,
    acts: Rows<'s>,
    /// The move that is read next, and its act.
    next_move: Option<(i64, Option<i64>)>,
    /// The act that is read next, and the last move before it.
    next_act: Option<(i64, i64)>,
    move_body: Vec<u8>,
    act_body: Vec<u8>,
    last: Entry,
    /// What lines say of the authors of acts.
    authors: HashMap<i64, Vec<u8>>,
    /// The last moment, and how lines write it: many moves share one.
    moment: (i64, Vec<u8>),
}

impl Entries<'_> {
    /// The next row; its body is put in the place of `body`. None at the end.
    pub fn next(&mut self, body: &mut Vec<u8>) -> Result<Option<Entry>> {
        match (self.next_act, self.next_move) {
            (None, None) => return Ok(None),
            // Behind the move that it follows, and before the next one.
            (Some((id, after)), next) if next.is_none_or(|(next, _)| after < next) => {
                self.last.act_id = id;
                self.last.n = after.saturating_add(id);
                std::mem::swap(body, &mut self.act_body);
                self.read_act()?;
            }
            (_, Some((id, act))) => {
                self.last.move_id = id;
                // Its own act stands before it, even where that row has been taken away.
                self.last.act_id = self.last.act_id.max(act.unwrap_or_default());
                self.last.n = id.saturating_add(self.last.act_id);
                std::mem::swap(body, &mut self.move_body);
                self.read_move()?;
            }
            (Some(_), None) => {}
        }
        Ok(Some(self.last))
    }

    fn read_move(&mut self) -> Result<()> {
        let Some(row) = self.moves.next()? else {
            self.next_move = None;
            return Ok(());
        };
        let act: Option<i64> = row.get(2)?;
        self.next_move = Some((row.get(0)?, act));
        let body = &mut self.move_body;
        body.clear();
        let at = row.get(1)?;
        if self.moment.0 != at {
            self.moment.1.clear();
            put_time(&mut self.moment.1, at);
            self.moment.0 = at;
        }
        body.extend_from_slice(&self.moment.1);
        if let Some(act) = act {
            if !self.authors.contains_key(&act) {
                let author = author(self.connection, act)?;
                if self.authors.len() >= AUTHORS_MAX {
                    self.authors.clear();
                }
                self.authors.insert(act, author);
            }
            body.extend_from_slice(self.authors.get(&act).map_or(&[], Vec::as_slice));
        }
        let fields = [
            "account",
            "environment",
            "ref",
            "phone",
            "plan",
            "amount",
            "from",
            "to",
        ];
        for (column, name) in (3..).zip(fields) {
            put(body, name, row.get_ref(column)?);
        }
        put_filled(body, "why", row.get_ref(11)?);
        put_filled(body, "request_id", row.get_ref(12)?);
        Ok(())
    }

    fn read_act(&mut self) -> Result<()> {
        let Some(row) = self.acts.next()? else {
            self.next_act = None;
            return Ok(());
        };
        let id: i64 = row.get(0)?;
        self.next_act = Some((id, row.get(1)?));
        act_body(&mut self.act_body, id, row)
    }
}

fn act_body(body: &mut Vec<u8>, id: i64, row: &Row<'_>) -> Result<()> {
    body.clear();
    put_time(body, row.get(2)?);
    put(body, "act", ValueRef::Integer(id));
    put(body, "event", row.get_ref(3)?);
    put_filled(body, "who", row.get_ref(4)?);
    put_filled(body, "uid", row.get_ref(5)?);
    let fields = ["host", "pid", "version", "command"];
    for (column, name) in (6..).zip(fields) {
        put(body, name, row.get_ref(column)?);
    }
    for (column, name) in (10..).zip(["profile", "account", "environment"]) {
        put_filled(body, name, row.get_ref(column)?);
    }
    // It is JSON already.
    body.extend_from_slice(b",\"overrides\":");
    body.extend_from_slice(row.get_ref(13)?.as_bytes().unwrap_or(b"null"));
    put_filled(body, "why", row.get_ref(14)?);
    Ok(())
}

/// What a move's line says of its act.
fn author(connection: &Connection, act: i64) -> Result<Vec<u8>> {
    let mut statement = connection.prepare_cached("SELECT user, host FROM acts WHERE id = ?1")?;
    let known = statement.query_row([act], |row| {
        let mut body = Vec::new();
        put(&mut body, "act", ValueRef::Integer(act));
        put_filled(&mut body, "who", row.get_ref(0)?);
        put(&mut body, "host", row.get_ref(1)?);
        Ok(body)
    });
    Ok(known.optional()?.unwrap_or_else(|| {
        let mut body = Vec::new();
        put(&mut body, "act", ValueRef::Integer(act));
        body
    }))
}

fn put_time(body: &mut Vec<u8>, millisecond: i64) {
    match Timestamp::from_millisecond(millisecond) {
        // Writing to memory does not fail.
        Ok(at) => drop(write!(body, "\"at\":\"{at:.3}\"")),
        Err(_) => drop(write!(body, "\"at\":{millisecond}")),
    }
}

/// A field that is left out where there is nothing to say.
fn put_filled(body: &mut Vec<u8>, name: &str, value: ValueRef<'_>) {
    if value != ValueRef::Null {
        put(body, name, value);
    }
}

fn put(body: &mut Vec<u8>, name: &str, value: ValueRef<'_>) {
    body.extend_from_slice(b",\"");
    body.extend_from_slice(name.as_bytes());
    body.extend_from_slice(b"\":");
    match value {
        // Writing to memory does not fail.
        ValueRef::Integer(number) => drop(serde_json::to_writer(body, &number)),
        ValueRef::Text(text) if text.iter().all(|byte| is_plain(*byte)) => {
            body.push(b'"');
            body.extend_from_slice(text);
            body.push(b'"');
        }
        ValueRef::Text(text) => drop(serde_json::to_writer(body, &String::from_utf8_lossy(text))),
        ValueRef::Null | ValueRef::Real(_) | ValueRef::Blob(_) => body.extend_from_slice(b"null"),
    }
}

/// Whether a byte stands in JSON as it is, by itself.
fn is_plain(byte: u8) -> bool {
    matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\')
}
