//! Lines of data that come while other work is under way: a thread of their own writes them, so that a reader who
//! takes his time holds up neither answers nor signals.

use std::io;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use serde_json::Value;
use tokio::sync::oneshot;

use super::data::Data;
use super::json;
use super::printer::safe_for;

/// How many lines may wait for the reader; orders take about half a kibibyte each. Where the provider's quota sets the
/// pace, so many take more than an hour. The next one waits for room, and with it whoever brings it.
const WAITING_MAX: usize = 8 * 1024;
/// Lines that wait are written together, about so many bytes at a time.
const TOGETHER_BYTES: usize = 64 * 1024;

/// JSON on stdout, a line at a time and in their order. All are written once this is finished or dropped.
pub struct Feed {
    lines: Option<SyncSender<String>>,
    written: Option<oneshot::Receiver<io::Result<()>>>,
    writer: Option<JoinHandle<()>>,
    is_terminal: bool,
}

impl Feed {
    /// Starts the thread.
    pub(super) fn start(data: Data, is_terminal: bool) -> io::Result<Self> {
        let (lines, waiting) = sync_channel(WAITING_MAX);
        let (outcome, written) = oneshot::channel();
        let writer = std::thread::Builder::new().spawn(move || {
            // Nobody waits for the outcome where the feed was dropped.
            let _ = outcome.send(write(&waiting, &data));
        })?;
        Ok(Self {
            lines: Some(lines),
            written: Some(written),
            writer: Some(writer),
            is_terminal,
        })
    }

    /// Adds a line. What comes of it shows at the end.
    pub fn json(&self, value: &Value) {
        if let Some(lines) = &self.lines {
            // A writer that has fallen shows at the end, too.
            let _ = lines.send(safe_for(self.is_terminal, &json::line(value)));
        }
    }

    /// Waits until all lines are written: the first error, where there was one. A reader that has gone is none.
    pub async fn finish(mut self) -> io::Result<()> {
        self.lines = None;
        match self.written.take() {
            Some(written) => written.await.unwrap_or_else(|_| Err(io::ErrorKind::Other.into())),
            None => Ok(()),
        }
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        self.lines = None;
        if let Some(writer) = self.writer.take() {
            // One that has fallen has written what it could.
            let _ = writer.join();
        }
    }
}

/// Writes lines until no more can come. One that can't be written takes no other with it.
fn write(waiting: &Receiver<String>, data: &Data) -> io::Result<()> {
    let mut outcome = Ok(());
    while let Ok(mut text) = waiting.recv() {
        while text.len() < TOGETHER_BYTES
            && let Ok(line) = waiting.try_recv()
        {
            text.push_str(&line);
        }
        outcome = outcome.and(data.write(text.as_bytes()));
    }
    outcome
}

#[cfg(test)]
mod tests {
    use std::io::{ErrorKind, Write};
    use std::sync::{Arc, Mutex, mpsc};

    use serde_json::json;

    use super::super::printer::lock;
    use super::super::sink::Sink;
    use super::*;

    /// A stream on which each write waits until it is let through, and then ends as it is told.
    struct Gate {
        let_through: mpsc::Receiver<Option<ErrorKind>>,
        page: Arc<Mutex<Vec<u8>>>,
    }

    impl Write for Gate {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            match self.let_through.recv() {
                Ok(Some(error)) => Err(error.into()),
                Ok(None) | Err(_) => lock(&self.page).write(bytes),
            }
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    struct Scene {
        feed: Feed,
        gate: mpsc::Sender<Option<ErrorKind>>,
        page: Arc<Mutex<Vec<u8>>>,
    }

    /// A feed whose reader stalls until it lets lines through, or its gate is dropped.
    fn stalled() -> Scene {
        let (gate, let_through) = mpsc::channel();
        let page = Arc::new(Mutex::new(Vec::new()));
        let stream = Gate {
            let_through,
            page: Arc::clone(&page),
        };
        let data = Data::new(Sink::new(Box::new(stream), false), None);
        let feed = Feed::start(data, false).unwrap_or_else(|error| panic!("{error}"));
        Scene { feed, gate, page }
    }

    fn lines(count: usize) -> String {
        let lines: Vec<_> = (0..count).map(|row| format!("{{\"row\":{row}}}\n")).collect();
        lines.concat()
    }

    fn text(page: &Mutex<Vec<u8>>) -> String {
        String::from_utf8_lossy(&lock(page)).into_owned()
    }

    #[tokio::test]
    async fn lines_wait_for_a_reader_that_stalls_and_come_in_their_order() {
        let Scene { feed, gate, page } = stalled();
        for row in 0..WAITING_MAX {
            feed.json(&json!({ "row": row }));
        }
        assert_eq!(text(&page), "");
        drop(gate);
        assert!(feed.finish().await.is_ok());
        assert_eq!(text(&page), lines(WAITING_MAX));
    }

    #[tokio::test]
    async fn a_reader_that_has_gone_is_no_failure_and_a_full_disk_is_one() {
        for (error, is_failure) in [(ErrorKind::BrokenPipe, false), (ErrorKind::StorageFull, true)] {
            let Scene { feed, gate, page } = stalled();
            assert!(gate.send(Some(error)).is_ok());
            drop(gate);
            feed.json(&json!({ "row": 0 }));
            let finished = feed.finish().await;
            assert_eq!(
                finished.err().map(|error| error.kind()),
                is_failure.then_some(error)
            );
            assert_eq!(text(&page), "");
        }
    }

    #[test]
    fn what_is_dropped_has_written_all() {
        let Scene { feed, gate, page } = stalled();
        for row in 0..100 {
            feed.json(&json!({ "row": row }));
        }
        drop(gate);
        drop(feed);
        assert_eq!(text(&page), lines(100));
    }
}
