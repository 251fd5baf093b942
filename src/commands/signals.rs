//! The signals that ask a command to stop, as far as whoever started it wants them to be heard.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGXFSZ};
use tokio::signal::unix::{self, SignalKind, signal};

use crate::error::{Error, ExitCode, Result};
use crate::stop::Signal;

/// Ctrl-C, SIGTERM and the terminal that is closed. One that comes before the last was seen to ends the process.
///
/// Those that were ignored when the process was started stay ignored: `nohup` means that the terminal may be closed, and
/// a shell that runs a script's command in the background keeps Ctrl-C from it.
pub(super) struct Signals {
    interrupt: Option<unix::Signal>,
    terminate: Option<unix::Signal>,
    hangup: Option<unix::Signal>,
    is_unseen: Arc<AtomicBool>,
    /// Whether one has come.
    has_come: bool,
}

impl Signals {
    /// Listens from now on.
    pub(super) fn watch() -> Result<Self> {
        let failed = |error: std::io::Error| Error::internal("signals can't be watched").because(error);
        let ignored = Ignored::of_this_process();
        let is_unseen = Arc::new(AtomicBool::new(false));
        for (number, code) in [(SIGINT, ExitCode::Interrupted), (SIGTERM, ExitCode::Terminated)] {
            if ignored.has(number) {
                continue;
            }
            // The order matters: the check comes before the flag is set, so the first signal only sets it.
            signal_hook::flag::register_conditional_shutdown(
                number,
                i32::from(code.number()),
                Arc::clone(&is_unseen),
            )
            .map_err(failed)?;
            signal_hook::flag::register(number, Arc::clone(&is_unseen)).map_err(failed)?;
        }
        // A file that has reached its limit is a write that fails, and is told like a full disk.
        signal_hook::flag::register(SIGXFSZ, Arc::default()).map_err(failed)?;
        let heard = |number: i32| {
            let signal = (!ignored.has(number)).then(|| signal(SignalKind::from_raw(number)));
            signal.transpose().map_err(failed)
        };
        Ok(Self {
            interrupt: heard(SIGINT)?,
            terminate: heard(SIGTERM)?,
            hangup: heard(SIGHUP)?,
            is_unseen,
            has_come: false,
        })
    }

    /// The next one. A terminal that is closed asks to stop, and never to leave at once: shell and system both tell of it.
    pub(super) async fn next(&mut self) -> Signal {
        let signal = tokio::select! {
            () = heard(&mut self.interrupt) => Signal::Interrupt,
            () = heard(&mut self.terminate) => Signal::Terminate,
            () = heard(&mut self.hangup), if !self.has_come => Signal::Terminate,
        };
        self.has_come = true;
        self.is_unseen.store(false, Ordering::SeqCst);
        signal
    }
}

/// Waits for a signal; for ever, where it is ignored.
async fn heard(signal: &mut Option<unix::Signal>) {
    match signal {
        Some(signal) => {
            signal.recv().await;
        }
        None => std::future::pending().await,
    }
}

/// Signals that are ignored: bit `n - 1` stands for signal `n`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Ignored(u64);

impl Ignored {
    /// Those of this process, before anything listens. Only Linux tells without unsafe code; elsewhere none are known.
    fn of_this_process() -> Self {
        let status = std::fs::read_to_string("/proc/self/status");
        status.map(|status| Self::read(&status)).unwrap_or_default()
    }

    /// From the text of `/proc/<pid>/status`.
    fn read(status: &str) -> Self {
        let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
        let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
        Self(mask.unwrap_or_default())
    }

    fn has(self, number: i32) -> bool {
        let bit = u32::try_from(number)
            .ok()
            .and_then(|number| number.checked_sub(1));
        let bit = bit.and_then(|bit| 1_u64.checked_shl(bit));
        bit.is_some_and(|bit| self.0 & bit != 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_ignored_is_read_from_the_status_of_the_process() {
        let ignored =
            Ignored::read("Name:\toneclick\nSigBlk:\tffffffffffffffff\nSigIgn:\t0000000000001001\n");
        assert!(ignored.has(SIGHUP) && ignored.has(13));
        assert!(!ignored.has(SIGINT) && !ignored.has(SIGTERM));
        assert!(!ignored.has(0) && !ignored.has(-1) && !ignored.has(65));
    }

    #[test]
    fn where_nothing_tells_nothing_is_ignored() {
        for status in ["", "SigIgn:", "SigIgn:\tnone\n"] {
            assert_eq!(Ignored::read(status), Ignored::default());
        }
    }
}
