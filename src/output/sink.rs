//! A stream that may be closed from the other side.

use std::io::{self, ErrorKind, Write};

/// A writer that falls silent once nobody reads it any more: `oneclick ref list | head` is no failure.
pub(super) struct Sink {
    writer: Box<dyn Write + Send>,
    closed: bool,
}

impl Sink {
    pub(super) fn new(writer: Box<dyn Write + Send>) -> Self {
        Self {
            writer,
            closed: false,
        }
    }

    /// Writes all of it at once. A closed pipe is remembered and is no error; a full disk is one.
    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.closed {
            return Ok(());
        }
        match self.writer.write_all(bytes).and_then(|()| self.writer.flush()) {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => {
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
        kind: ErrorKind,
        calls: Arc<AtomicU32>,
    }

    impl Write for Failing {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            self.calls.fetch_add(1, Ordering::SeqCst);
            Err(self.kind.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn failing(kind: ErrorKind) -> (Sink, Arc<AtomicU32>) {
        let calls = Arc::new(AtomicU32::new(0));
        let writer = Failing {
            kind,
            calls: Arc::clone(&calls),
        };
        (Sink::new(Box::new(writer)), calls)
    }

    #[test]
    fn a_closed_pipe_is_no_error_and_is_not_written_to_again() {
        let (mut sink, calls) = failing(ErrorKind::BrokenPipe);
        assert!(sink.write(b"a").is_ok());
        assert!(sink.write(b"b").is_ok());
        assert_eq!(calls.load(Ordering::SeqCst), 1);
    }

    #[test]
    fn a_full_disk_is_an_error() {
        let (mut sink, _) = failing(ErrorKind::StorageFull);
        assert!(sink.write(b"a").is_err());
    }
}
