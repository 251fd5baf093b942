//! Rows on their way out: each stands in the ledger as `sending`, and leaves over the first connection that is free.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, TryAcquireError, mpsc, watch};

use crate::ledger::Written;
use crate::topup::{self, Desk, Halt, RowSent};

/// Rows for each connection that have left and do not stand yet, those that wait for their next try among them: a
/// provider that lets nothing through draws no more of them in.
const IN_HAND_PER_CONNECTION: usize = 3;

/// What came of a row's request.
#[derive(Debug)]
pub(super) struct Sent {
    pub came: topup::Result<RowSent>,
    /// Held until the row stands.
    pub hand: OwnedSemaphorePermit,
}

/// Rows that wait for a connection.
#[derive(Debug)]
pub(super) struct Outbox {
    rows: Mutex<Rows>,
    /// Counts the rows that have been added; closed with the outbox.
    added: Semaphore,
    hands: Arc<Semaphore>,
    /// Rows whose answers are awaited.
    away: AtomicUsize,
    /// Whether a connection has waited for a row since that was last asked.
    has_starved: AtomicBool,
    /// Whether rows wait although connections are free.
    is_held: watch::Sender<bool>,
}

#[derive(Debug, Default)]
struct Rows {
    waiting: VecDeque<Box<Written>>,
    is_closed: bool,
}

impl Outbox {
    pub fn new(connections: usize) -> Self {
        Self {
            rows: Mutex::default(),
            added: Semaphore::new(0),
            hands: Arc::new(Semaphore::new(connections * IN_HAND_PER_CONNECTION)),
            away: AtomicUsize::new(0),
            has_starved: AtomicBool::new(false),
            is_held: watch::Sender::new(false),
        }
    }

    fn rows(&self) -> MutexGuard<'_, Rows> {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        self.rows().waiting.len()
    }

    /// Puts rows behind those that wait.
    pub fn add(&self, rows: impl IntoIterator<Item = Box<Written>, IntoIter: ExactSizeIterator>) {
        let rows = rows.into_iter();
        let count = rows.len();
        self.rows().waiting.extend(rows);
        self.added.add_permits(count);
    }

    /// Takes all of them back: none of them leaves.
    pub fn take_back(&self) -> VecDeque<Box<Written>> {
        std::mem::take(&mut self.rows().waiting)
    }

    /// Nothing leaves any more. What is added from now on can only be taken back.
    pub fn close(&self) {
        self.rows().is_closed = true;
        self.added.close();
        self.hold(false);
    }

    /// Nothing leaves for now; or what was held leaves again.
    pub fn hold(&self, is_held: bool) {
        let is_held = is_held && !self.is_closed();
        self.is_held
            .send_if_modified(|was_held| std::mem::replace(was_held, is_held) != is_held);
    }

    /// Waits until rows may leave, or nothing leaves any more.
    async fn released(&self) {
        if *self.is_held.borrow() {
            // It can't be gone: it is ours.
            let _ = self.is_held.subscribe().wait_for(|is_held| !is_held).await;
        }
    }

    /// Whether nothing leaves any more.
    pub fn is_closed(&self) -> bool {
        self.rows().is_closed
    }

    /// How many rows are on the way: their answers are awaited.
    pub fn away(&self) -> usize {
        self.away.load(Ordering::Relaxed)
    }

    /// Whether no answer is awaited.
    pub fn is_idle(&self) -> bool {
        self.away() == 0
    }

    /// Whether a connection has had to wait for a row since this was last asked.
    pub fn take_starved(&self) -> bool {
        self.has_starved.swap(false, Ordering::Relaxed)
    }

    /// Waits until there may be a row; false when there will be no more.
    async fn ready(&self) -> bool {
        let added = match self.added.try_acquire() {
            Err(TryAcquireError::NoPermits) => {
                self.has_starved.store(true, Ordering::Relaxed);
                self.added.acquire().await.ok()
            }
            added => added.ok(),
        };
        match added {
            Some(row) => {
                row.forget();
                true
            }
            None => false,
        }
    }

    /// The next row. It may have been taken back meanwhile.
    fn take(&self) -> Option<(Box<Written>, Away<'_>)> {
        let mut rows = self.rows();
        let row = if rows.is_closed {
            None
        } else {
            rows.waiting.pop_front()
        };
        row.map(|row| (row, Away::of(self)))
    }
}

/// A row whose answer is awaited, until this is dropped.
struct Away<'o>(&'o Outbox);

impl<'o> Away<'o> {
    fn of(outbox: &'o Outbox) -> Self {
        outbox.away.fetch_add(1, Ordering::Relaxed);
        Self(outbox)
    }
}

impl Drop for Away<'_> {
    fn drop(&mut self) {
        self.0.away.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A connection: sends one row at a time, and says what came of it. It ends when there are no more rows, when an answer
/// has put an end to sending, or when the ledger can't be read.
pub(super) async fn connection(desk: Arc<Desk>, outbox: Arc<Outbox>, answers: mpsc::UnboundedSender<Sent>) {
    // These permits are never taken away.
    while let Ok(hand) = Arc::clone(&outbox.hands).acquire_owned().await {
        if !outbox.ready().await {
            return;
        }
        outbox.released().await;
        // Whoever asks for a pause means all rows, not only the one that it answers.
        desk.client.limiter().unpaused().await;
        // From here on to the request nothing is awaited, so that nothing can have stopped everything meanwhile.
        if desk.halted.is(Halt::Sends) {
            return;
        }
        let Some((row, away)) = outbox.take() else {
            continue;
        };
        let came = desk.send_row(row).await;
        let has_failed = came.is_err();
        // Nobody listens any more where the engine has gone.
        let _ = answers.send(Sent { came, hand });
        drop(away);
        if has_failed {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::OrderKey;

    fn row(reference: &str) -> Box<Written> {
        Box::new(Written {
            order: crate::batch::results::tests::order(reference),
            key: OrderKey::default(),
            attempt: None,
            request: String::new(),
        })
    }

    async fn taken(outbox: &Outbox) -> Option<String> {
        if !outbox.ready().await {
            return None;
        }
        let (row, _) = outbox.take()?;
        Some(row.order.intent.reference.as_str().to_owned())
    }

    #[tokio::test]
    async fn rows_leave_in_their_order_and_each_once() {
        let outbox = Outbox::new(1);
        outbox.add(vec![row("r-1"), row("r-2")]);
        outbox.add(vec![row("r-3")]);
        let all = [taken(&outbox).await, taken(&outbox).await, taken(&outbox).await];
        assert_eq!(all, ["r-1", "r-2", "r-3"].map(|name| Some(name.to_owned())));
        outbox.close();
        assert_eq!(taken(&outbox).await, None);
    }

    #[tokio::test]
    async fn what_is_taken_back_does_not_leave() {
        let outbox = Outbox::new(1);
        outbox.add(vec![row("r-1"), row("r-2")]);
        assert_eq!(outbox.take_back().len(), 2);
        outbox.add(vec![row("r-3")]);
        // Two are waited for in vain.
        let all = [taken(&outbox).await, taken(&outbox).await, taken(&outbox).await];
        assert_eq!(all, [Some("r-3".to_owned()), None, None]);
    }

    /// Also a row that a connection had been told of, and one that comes later.
    #[tokio::test]
    async fn nothing_leaves_a_closed_outbox() {
        let outbox = Outbox::new(1);
        outbox.add(vec![row("r-1")]);
        assert!(outbox.ready().await);
        assert!(!outbox.is_closed());
        outbox.close();
        assert!(outbox.is_closed());
        assert!(outbox.take().is_none());
        outbox.add(vec![row("r-2")]);
        assert!(!outbox.ready().await);
        assert_eq!(outbox.take_back().len(), 2);
    }

    #[test]
    fn a_row_is_away_until_its_answer_is_there() {
        let outbox = Outbox::new(1);
        outbox.add(vec![row("r-1")]);
        let away = outbox.take();
        assert!(away.is_some() && !outbox.is_idle());
        drop(away);
        assert!(outbox.is_idle());
    }

    #[tokio::test]
    async fn a_connection_that_waits_for_a_row_take_starved() {
        let outbox = Outbox::new(1);
        outbox.add(vec![row("r-1")]);
        assert_eq!(taken(&outbox).await.as_deref(), Some("r-1"));
        assert!(!outbox.take_starved());
        let (next, ()) = tokio::join!(taken(&outbox), async { outbox.add(vec![row("r-2")]) });
        assert_eq!(next.as_deref(), Some("r-2"));
        assert!(outbox.take_starved());
        assert!(!outbox.take_starved());
    }
}
