//! How many rows are claimed ahead of their connections: a commit of many costs little more than one of few, but each of
//! them must be asked about once a process is killed. So no more than will leave in a moment.

use std::time::Duration;

use tokio::time::Instant;

/// What leaves within this is claimed ahead: a few times what a claim takes.
const HORIZON: Duration = Duration::from_millis(25);
/// The most for each connection, however fast they are.
const MOST_PER_CONNECTION: u32 = 16;

/// Learns from claim to claim how fast rows are answered.
#[derive(Debug)]
pub(super) struct Ahead {
    connections: u32,
    rows: u32,
    /// When the last claim was made, and how many rows had been answered by then.
    last: Option<(Instant, u32)>,
}

impl Ahead {
    /// Nothing is known yet: one row for each connection.
    pub fn new(connections: usize) -> Self {
        let connections = u32::try_from(connections).unwrap_or(u32::MAX);
        Self {
            connections,
            rows: connections,
            last: None,
        }
    }

    /// How many rows may wait for a connection.
    pub fn rows(&self) -> usize {
        usize::try_from(self.rows).unwrap_or(usize::MAX)
    }

    /// A claim is made, and so many rows have been answered by now. Where connections have waited for rows meanwhile,
    /// it was the claims that were slow: then twice as many as were answered may wait.
    pub fn claiming(&mut self, now: Instant, answered: u32, has_starved: bool) {
        if let Some((then, before)) = self.last.replace((now, answered)) {
            let took = now.duration_since(then).as_micros().max(1);
            let since = answered.saturating_sub(before);
            let in_time = u128::from(since) * HORIZON.as_micros() / took;
            let starved = if has_starved { since.saturating_mul(2) } else { 0 };
            let rows = u32::try_from(in_time).unwrap_or(u32::MAX).max(starved);
            let most = self.connections.saturating_mul(MOST_PER_CONNECTION);
            self.rows = rows.clamp(self.connections, most);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The rows ahead of 64 connections over which so many were answered in so many milliseconds.
    fn ahead_of(rows: u32, millis: u64, has_starved: bool) -> usize {
        let (mut ahead, start) = (Ahead::new(64), Instant::now());
        ahead.claiming(start, 1_000, true);
        ahead.claiming(start + Duration::from_millis(millis), 1_000 + rows, has_starved);
        ahead.rows()
    }

    fn ahead(rows: u32, millis: u64) -> usize {
        ahead_of(rows, millis, false)
    }

    #[test]
    fn what_will_leave_in_a_moment_is_claimed_ahead_and_no_more() {
        assert_eq!(Ahead::new(64).rows(), 64);
        assert_eq!(ahead(200, 20), 250);
        assert_eq!(ahead(64, 50), 64);
        assert_eq!(ahead(0, 60_000), 64);
        assert_eq!(ahead(10_000, 20), 16 * 64);
        assert_eq!(ahead(10_000, 0), 16 * 64);
    }

    #[test]
    fn connections_that_have_waited_for_rows_get_twice_as_many() {
        assert_eq!(ahead_of(200, 50, false), 100);
        assert_eq!(ahead_of(200, 50, true), 400);
        assert_eq!(ahead_of(200, 5, true), 1_000);
        // The first one goes alone, and nothing of many was answered yet.
        assert_eq!(ahead_of(1, 1, true), 64);
        assert_eq!(ahead_of(0, 1, true), 64);
        assert_eq!(ahead_of(10_000, 1_000, true), 16 * 64);
    }
}
