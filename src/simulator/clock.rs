//! Simulated time: an anchor in real time and a pace, so that it can be compressed, moved and shared.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Simulated or real milliseconds since the Unix epoch.
pub(super) type Millis = i64;

/// A moment at which real and simulated time are both known, and the pace from there on.
///
/// It is stored with the books, so every process that shares them reads the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Anchor {
    real_ms: Millis,
    simulated_ms: Millis,
    speed: u32,
}

impl Anchor {
    /// Simulated time that begins as real time, and runs `speed` times as fast. Zero stands still.
    pub(super) fn start(speed: u32) -> Self {
        let real_ms = real_now();
        Self {
            real_ms,
            simulated_ms: real_ms,
            speed,
        }
    }

    /// The simulated now.
    pub(super) fn now(self) -> Millis {
        let passed = real_now().saturating_sub(self.real_ms).max(0);
        self.simulated_ms
            .saturating_add(passed.saturating_mul(i64::from(self.speed)))
    }

    /// The pace: simulated milliseconds in a real one.
    pub(super) fn speed(self) -> u32 {
        self.speed
    }

    /// The same time at another pace from now on.
    pub(super) fn paced(self, speed: u32) -> Self {
        Self {
            real_ms: real_now(),
            simulated_ms: self.now(),
            speed,
        }
    }

    /// The same pace, `by_ms` later.
    pub(super) fn advanced(self, by_ms: Millis) -> Self {
        let anchor = self.paced(self.speed);
        Self {
            simulated_ms: anchor.simulated_ms.saturating_add(by_ms),
            ..anchor
        }
    }
}

fn real_now() -> Millis {
    Timestamp::now().as_millisecond()
}

fn timestamp(at: Millis) -> Timestamp {
    Timestamp::from_millisecond(at).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// As the provider writes it: ISO 8601 in UTC, with milliseconds.
pub(super) fn iso(at: Millis) -> String {
    timestamp(at).strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
}

/// As HTTP headers write it: `Wed, 29 Oct 2025 00:35:59 GMT`.
pub(super) fn http_date(at: Millis) -> String {
    timestamp(at).strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

/// Reads an instant in ISO 8601 with an offset; a bare date is none.
pub(super) fn read_iso(text: &str) -> Option<Millis> {
    text.parse::<Timestamp>().ok().map(Timestamp::as_millisecond)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_stands_still_moves_only_when_told() {
        let anchor = Anchor::start(0);
        assert_eq!(anchor.advanced(3_600_000).now(), anchor.now() + 3_600_000);
    }

    #[test]
    fn instants_are_written_as_the_provider_and_http_write_them() {
        let at = read_iso("2025-10-29T00:35:59.454Z").unwrap_or_default();
        assert_eq!(iso(at), "2025-10-29T00:35:59.454Z");
        assert_eq!(http_date(at), "Wed, 29 Oct 2025 00:35:59 GMT");
        assert_eq!(read_iso("2025-10-29T01:35:59.454+01:00"), Some(at));
        assert_eq!(read_iso("2025-10-29"), None);
    }
}
