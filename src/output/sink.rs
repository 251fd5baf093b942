//! A stream that may be closed from the other side.

use std::io::{self, ErrorKind, Write};

/// What writing to a terminal ends with once its window is closed: `EIO`. From a file it is a disk that fails.
const TERMINAL_IS_CLOSED: i32 = 5;

/// A writer that falls silent once nobody reads it any more: `oneclick ref list | head` is no failure, and behind a
/// window that is closed there is work to be brought to its end.
pub(super) struct Sink {
    writer: Box<dyn Write + Send>,
    is_terminal: bool,
    closed: bool,
}

impl Sink {
    pub(super) fn new(writer: Box<dyn Write + Send>, is_terminal: bool) -> Self {
        Self {
            writer,
            is_terminal,
            closed: false,
        }
    }

    /// Whether there is nobody on the other side any more.
    fn is_closed_by(&self, error: &io::Error) -> bool {
        let is_window = self.is_terminal && error.raw_os_error() == Some(TERMINAL_IS_CLOSED);
        is_window || error.kind() == ErrorKind::BrokenPipe
    }

    /// Writes all of it at once. A closed pipe or window is remembered and is no error; a full disk is one.
    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.closed {
            return Ok(());
        }
        match self.writer.write_all(bytes).and_then(|()| self.writer.flush()) {
            Err(error) if self.is_closed_by(&error) => {
                self.closed = true;
                Ok(())
            }
            outcome => outcome,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    struct Failing {
        error: fn() -> io::Error,
        calls: Arc<AtomicU32>,
    }

    impl Write for Failing {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            self.calls.fetch_add(1, Ordering::SeqCst);
            Err((self.error)())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn failing(error: fn() -> io::Error, is_terminal: bool) -> (Sink, Arc<AtomicU32>) {
        let calls = Arc::new(AtomicU32::new(0));
        let writer = Failing {
            error,
            calls: Arc::clone(&calls),
        };
        (Sink::new(Box::new(writer), is_terminal), calls)
    }

    const CLOSED_PIPE: fn() -> io::Error = || ErrorKind::BrokenPipe.into();
    const CLOSED_WINDOW: fn() -> io::Error = || io::Error::from_raw_os_error(TERMINAL_IS_CLOSED);

    #[test]
    fn what_nobody_reads_is_no_error_and_is_not_written_to_again() {
        for (error, is_terminal) in [(CLOSED_PIPE, false), (CLOSED_PIPE, true), (CLOSED_WINDOW, true)] {
            let (mut sink, calls) = failing(error, is_terminal);
            assert!(sink.write(b"a").is_ok());
            assert!(sink.write(b"b").is_ok());
            assert_eq!(calls.load(Ordering::SeqCst), 1);
        }
    }

    #[test]
    fn a_disk_that_is_full_or_fails_is_an_error() {
        let full: fn() -> io::Error = || ErrorKind::StorageFull.into();
        for (error, is_terminal) in [(full, false), (full, true), (CLOSED_WINDOW, false)] {
            let (mut sink, _) = failing(error, is_terminal);
            assert!(sink.write(b"a").is_err());
        }
    }
}
