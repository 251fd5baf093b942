//! Rows on their way out: each stands in the ledger as `sending`, and leaves over the first connection that is free.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Semaphore, mpsc};

use crate::ledger::Written;
use crate::topup::{self, Desk, Halt, RowSent};

/// What came of a row's request.
pub(super) type Sent = topup::Result<RowSent>;

/// Rows that wait for a connection.
#[derive(Debug)]
pub(super) struct Outbox {
    rows: Mutex<VecDeque<Written>>,
    /// As many permits as there are rows, or more.
    waiting: Semaphore,
}

impl Outbox {
    pub fn new() -> Self {
        Self {
            rows: Mutex::default(),
            waiting: Semaphore::new(0),
        }
    }

    fn rows(&self) -> MutexGuard<'_, VecDeque<Written>> {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        self.rows().len()
    }

    /// Puts rows behind those that wait.
    pub fn add(&self, rows: Vec<Written>) {
        let count = rows.len();
        self.rows().extend(rows);
        self.waiting.add_permits(count);
    }

    /// Takes all of them back: none of them leaves.
    pub fn take_back(&self) -> Vec<Written> {
        std::mem::take(&mut *self.rows()).into()
    }

    /// The next row; none when there will be no more.
    async fn next(&self) -> Option<Written> {
        loop {
            self.waiting.acquire().await.ok()?.forget();
            // It may have been taken back.
            if let Some(row) = self.rows().pop_front() {
                return Some(row);
            }
        }
    }

    /// There will be no more.
    pub fn close(&self) {
        self.waiting.close();
    }
}

/// A connection: sends one row at a time, and says what came of it. It ends when there are no more rows, or when an
/// answer has put an end to sending: what it has in hand then stays behind, for the engine to take it back.
pub(super) async fn connection(desk: Arc<Desk>, outbox: Arc<Outbox>, answers: mpsc::UnboundedSender<Sent>) {
    while let Some(written) = outbox.next().await {
        if desk.halted.is(Halt::Sends) {
            outbox.rows().push_front(written);
            return;
        }
        let sent = desk.send_row(written).await;
        // Nobody listens any more where the engine has gone.
        let _ = answers.send(sent);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::OrderKey;

    fn row(reference: &str) -> Written {
        Written {
            order: crate::batch::results::tests::order(reference),
            key: OrderKey::default(),
            attempt: None,
            request: String::new(),
        }
    }

    async fn taken(outbox: &Outbox) -> Option<String> {
        let row = outbox.next().await?;
        Some(row.order.intent.reference.as_str().to_owned())
    }

    #[tokio::test]
    async fn rows_leave_in_their_order_and_each_once() {
        let outbox = Outbox::new();
        outbox.add(vec![row("r-1"), row("r-2")]);
        outbox.add(vec![row("r-3")]);
        let all = [taken(&outbox).await, taken(&outbox).await, taken(&outbox).await];
        assert_eq!(all, ["r-1", "r-2", "r-3"].map(|name| Some(name.to_owned())));
        outbox.close();
        assert_eq!(taken(&outbox).await, None);
    }

    #[tokio::test]
    async fn what_is_taken_back_does_not_leave() {
        let outbox = Outbox::new();
        outbox.add(vec![row("r-1"), row("r-2")]);
        assert_eq!(outbox.take_back().len(), 2);
        outbox.add(vec![row("r-3")]);
        assert_eq!(taken(&outbox).await.as_deref(), Some("r-3"));
        assert_eq!(outbox.len(), 0);
    }
}
