//! What an answer has put an end to, known to everything that this process sends or asks at once: five bad keys lock the
//! address (design, section 2), and rows that wait for their next try must hear of the first.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use super::Halt;

/// What has come to an end. A clone is the same.
#[derive(Debug, Clone, Default)]
pub struct Halted(Arc<AtomicU8>);

impl Halted {
    /// Puts an end to it; what has ended before stays so.
    pub(super) fn raise(&self, halt: Halt) {
        self.0.fetch_max(halt as u8, Ordering::Relaxed);
    }

    /// Whether it has come to an end.
    pub fn is(&self, halt: Halt) -> bool {
        self.0.load(Ordering::Relaxed) >= halt as u8
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_ended_stays_so() {
        let halted = Halted::default();
        assert!(!halted.is(Halt::Sends));
        halted.clone().raise(Halt::Sends);
        assert!(halted.is(Halt::Sends) && !halted.is(Halt::Everything));
        halted.raise(Halt::Everything);
        halted.raise(Halt::Nothing);
        assert!(halted.is(Halt::Everything) && halted.is(Halt::Sends));
    }
}
