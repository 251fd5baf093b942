//! How many rows are claimed ahead of their connections: a commit of many costs little more than one of few, but each of
//! them must be asked about once a process is killed. So no more than will leave in a moment.

use std::time::Duration;

use tokio::time::Instant;

/// What leaves within this is claimed ahead: a few times what a claim takes.
const HORIZON: Duration = Duration::from_millis(25);
/// The most for each connection, however fast they are.
const MOST_PER_CONNECTION: u32 = 16;

/// Learns from claim to claim how fast rows leave.
#[derive(Debug)]
pub(super) struct Ahead {
    connections: u32,
    rows: u32,
    /// When the last claim was made, and how many rows had left by then.
    last: Option<(Instant, u32)>,
}

impl Ahead {
    /// Nothing has left yet: one row for each connection.
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

    /// A claim is made, and so many rows have left by now.
    pub fn claiming(&mut self, now: Instant, left: u32) {
        if let Some((then, before)) = self.last.replace((now, left)) {
            let took = now.duration_since(then).as_micros().max(1);
            let rows = u128::from(left.saturating_sub(before)) * HORIZON.as_micros() / took;
            let most = self.connections.saturating_mul(MOST_PER_CONNECTION);
            self.rows = u32::try_from(rows).unwrap_or(most).clamp(self.connections, most);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The rows ahead of 64 connections over which so many left in so many milliseconds.
    fn ahead(rows: u32, millis: u64) -> usize {
        let (mut ahead, start) = (Ahead::new(64), Instant::now());
        ahead.claiming(start, 1_000);
        ahead.claiming(start + Duration::from_millis(millis), 1_000 + rows);
        ahead.rows()
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
}
