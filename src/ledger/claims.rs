//! Claims: rows of a sheet become orders that are `sending`, many in one transaction, each behind its guard; and
//! the other moves that a batch makes for many orders at once.

mod claiming;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, named_params};

use super::batches::{Batch, PlannedRow};
use super::guard::{CapPassed, Guard};
use super::rows::{Attempt, OPEN, ORDER_COLUMNS, millis, read_order};
use super::writes::{Change, Changes, Moves, Written, changed, insert_attempt, insert_move};
use super::{Ledger, LedgerError, Result};
use crate::clock::to_the_millisecond;
use crate::domain::{Account, Intent, Order, State};
use claiming::{Ahead, Claimed, Claiming, INSERT_ROW, sent_first};

/// Rows that are written before others have the processor.
const ROWS_AT_A_STRETCH: usize = 32;

/// What must hold for a row to be claimed, and how its request will look.
#[derive(Debug, Clone)]
pub struct ClaimRules {
    /// The repeat guard, for rows whose repeat nobody has consented to; caps.
    pub guard: Guard,
    /// When.
    pub at: Timestamp,
    /// When, by the provider's clock.
    pub their_at: Timestamp,
    /// Path and body of the request for an order.
    pub request: fn(&Intent) -> (&'static str, String),
}

/// What somebody has consented to: the claims of a run never come to more.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Consent {
    /// How many rows.
    pub rows: u64,
    /// Their face value, in dinars.
    pub face: u64,
    /// The last line of the sheet that was shown; none where all of it was.
    pub last_row: Option<u32>,
}

/// How far the claims of this process have come.
#[derive(Debug, Clone, Copy, Default)]
pub struct ClaimCursor {
    /// What is left of the consent.
    left: Consent,
    /// When the run began: what it has sent behind that moment has had its consent.
    began_at: Timestamp,
    /// Orders that came back to `planned`, up to this line of the sheet, have been looked at: one of them was held.
    returned: u32,
    /// What has or may have been paid today at most, and the state of the database when that was counted.
    today: Option<(i64, u64)>,
}

impl ClaimCursor {
    /// Before the first claim of a run that began then.
    pub fn within(consent: Consent, began_at: Timestamp) -> Self {
        Self {
            left: consent,
            began_at,
            ..Self::default()
        }
    }

    /// What was paid today is counted anew before the next claim: orders of other days were sent again today.
    pub fn count_anew(&mut self) {
        self.today = None;
    }

    /// An order on this line has come back to `planned`: it is looked at, also where one behind it was held.
    pub fn come_back(&mut self, row: u32) {
        self.returned = self.returned.min(row.saturating_sub(1));
    }

    /// The last line of the sheet that may be claimed.
    fn last_row(&self) -> u32 {
        self.left.last_row.unwrap_or(u32::MAX)
    }
}

/// Why a row was not claimed and stays planned.
#[derive(Debug, Clone)]
pub enum Hold {
    /// The same phone, plan and amount, not long ago.
    Repeat(Box<Order>),
    /// A cap that other rows may still pass under.
    OverCap(CapPassed),
    /// Its ref is another order's.
    Clash(Box<Order>),
}

/// What came of claiming.
#[derive(Debug, Default)]
pub struct Claims {
    /// How far the claims have come.
    pub cursor: ClaimCursor,
    /// Orders that stand as `sending`: now their requests may leave.
    pub written: Vec<Box<Written>>,
    /// Rows that stay planned.
    pub held: Vec<(PlannedRow, Hold)>,
    /// Rows that are orders already, made by another command.
    pub existing: Vec<Order>,
    /// The cap of the day: nothing more may be claimed.
    pub over_cap: Option<CapPassed>,
    /// The next row would pass what was consented to: nothing more may be claimed.
    pub is_over_consent: bool,
    /// Whether there is nothing more to claim.
    pub is_exhausted: bool,
}

impl Ledger {
    /// Claims up to `limit` rows of a batch, in the order of its sheet: each stands as `sending`, durable when this
    /// returns.
    pub async fn claim(
        &self,
        account: &Account,
        batch: &Batch,
        rules: ClaimRules,
        cursor: ClaimCursor,
        limit: u32,
    ) -> Result<Claims> {
        let owner = self.owner_name()?;
        let (request, at) = (rules.request, to_the_millisecond(rules.at));
        let (its_owner, its_account, its_batch) = (owner.to_owned(), account.clone(), batch.clone());
        let ahead = batch.sheet.as_ref();
        let ahead = ahead
            .map(|sheet| Ahead::read(&self.reader(), sheet.id, cursor.last_row(), limit))
            .transpose()?;
        let (mut claims, claimed) = self
            .writer
            .write_whole(move |connection| {
                let mut claiming = Claiming {
                    connection,
                    insert: connection.prepare_cached(INSERT_ROW)?,
                    moves: Moves::on(connection)?,
                    account: &its_account,
                    batch: &its_batch,
                    owner: &its_owner,
                    rules: &rules,
                    limit,
                    claims: Claims {
                        cursor,
                        ..Claims::default()
                    },
                    claimed: Vec::new(),
                };
                if claiming.returned()? {
                    claiming.waiting(ahead)?;
                }
                Ok((claiming.claims, claiming.claimed))
            })
            .await?;
        let written = claimed.into_iter().map(|(key, claimed)| {
            let order = match claimed {
                Claimed::New(row) => sent_first(row, account, batch, owner, at),
                Claimed::Returned(order) => *order,
            };
            let (_, request) = request(&order.intent);
            Box::new(Written {
                order,
                key,
                attempt: None,
                request,
            })
        });
        claims.written = written.collect();
        Ok(claims)
    }

    /// Moves many orders in one transaction. Each answer is its own: an order that somebody else has changed leaves
    /// the others alone.
    pub async fn change_all(&self, changes: Vec<Box<(Order, Change)>>) -> Result<Vec<Result<Order>>> {
        let (changes, written) = self
            .writer
            .write_whole(move |connection| {
                let mut changes = changes;
                let mut written = Vec::with_capacity(changes.len());
                let mut writing = Changes::on(connection)?;
                for (nth, change) in changes.iter_mut().enumerate() {
                    give_way(nth);
                    let (order, change) = &mut **change;
                    match writing.apply(order, change) {
                        Err(LedgerError::Stale(reference)) if change.answers.is_some() => {
                            let late = writing.take_late(order, change)?;
                            written.push(late.then_some(()).ok_or(LedgerError::Stale(reference)));
                        }
                        applied @ (Ok(()) | Err(LedgerError::Stale(_) | LedgerError::Illegal(_))) => {
                            written.push(applied);
                        }
                        Err(error) => return Err(error),
                    }
                }
                // What this thread has not made it does not take apart: two threads that do are in each other's way.
                Ok((changes, written))
            })
            .await?;
        let orders = changes.into_iter().zip(written).map(|(change, written)| {
            let (order, change) = *change;
            written.map(|()| changed(order, change))
        });
        Ok(orders.collect())
    }

    /// Takes over the orders of a batch whose answers were lost: those that were `sending` when their process ended
    /// become `unknown`, and this process is the one that asks about them from now on.
    pub async fn take_over_lost(
        &self,
        batch: &Batch,
        request: fn(&Intent) -> (&'static str, String),
        at: Timestamp,
    ) -> Result<u64> {
        let owner = self.owner_name()?.to_owned();
        let lost = self.lost_orders(batch)?;
        let mut taken = 0;
        for chunk in lost.chunks(500) {
            let (chunk, owner) = (chunk.to_vec(), owner.clone());
            taken += self
                .writer
                .write(move |connection| {
                    let mut count = 0;
                    for order in &chunk {
                        count += u64::from(take_over(connection, order, request, &owner, at)?);
                    }
                    Ok(count)
                })
                .await?;
        }
        Ok(taken)
    }

    /// Orders of a batch that are `sending` or `unknown` and that no living process works on.
    fn lost_orders(&self, batch: &Batch) -> Result<Vec<Order>> {
        let orders = {
            let reader = self.reader();
            let mut statement = reader.prepare_cached(&format!(
                "SELECT {ORDER_COLUMNS} FROM orders {OPEN} AND batch_id = ?1 AND state IN ('sending', 'unknown')"
            ))?;
            let mut rows = statement.query([batch.id])?;
            let mut orders = Vec::new();
            while let Some(row) = rows.next()? {
                orders.push(read_order(row)?);
            }
            orders
        };
        Ok(orders
            .into_iter()
            .filter(|order| !self.is_being_sent(order))
            .collect())
    }
}

/// Between some rows of a long transaction others have the processor: without that, whoever answers or sends can wait
/// for milliseconds.
fn give_way(nth: usize) {
    if nth % ROWS_AT_A_STRETCH == ROWS_AT_A_STRETCH - 1 {
        std::thread::yield_now();
    }
}

fn take_over(
    connection: &Connection,
    order: &Order,
    request: fn(&Intent) -> (&'static str, String),
    owner: &str,
    at: Timestamp,
) -> Result<bool> {
    let id: Option<i64> = connection
        .prepare_cached(
            "UPDATE orders SET state = 'unknown', owner = :owner, revision = revision + 1, updated_at = :at \
             WHERE account = :account AND environment = :environment AND ref = :ref AND revision = :revision RETURNING id",
        )?
        .query_row(
            named_params! {
                ":owner": owner, ":at": millis(at), ":account": order.account.username,
                ":environment": order.account.environment.word(), ":ref": order.intent.reference.as_str(),
                ":revision": order.revision,
            },
            |row| row.get(0),
        )
        .optional()?;
    if let Some(id) = id
        && order.state == State::Sending
    {
        let why = "the process that sent it has ended before it stored an answer";
        insert_move(
            connection,
            id,
            at,
            Some(State::Sending),
            State::Unknown,
            Some(why),
        )?;
        let (path, body) = request(&order.intent);
        let attempt = Attempt {
            endpoint: "send".to_owned(),
            path: path.to_owned(),
            request: Some(body),
            started_at: order.sent_at.unwrap_or(at),
            ended_at: None,
            http_status: None,
            request_id: None,
            answer: None,
            outcome: Some(why.to_owned()),
        };
        insert_attempt(connection, id, &attempt)?;
    }
    Ok(id.is_some())
}

#[cfg(test)]
#[path = "claims_tests.rs"]
mod tests;
