//! Stdout, as several threads may write to it.

use std::io;
use std::sync::{Arc, Mutex};

use super::printer::lock;
use super::progress::Messages;
use super::sink::Sink;

/// Stdout. Whoever has a copy writes to the same stream.
#[derive(Clone)]
pub(super) struct Data {
    sink: Arc<Mutex<Sink>>,
    /// What is drawn on the same terminal, where stdout is one.
    beside: Option<Arc<Mutex<Messages>>>,
}

impl Data {
    pub(super) fn new(sink: Sink, beside: Option<Arc<Mutex<Messages>>>) -> Self {
        Self {
            sink: Arc::new(Mutex::new(sink)),
            beside,
        }
    }

    /// Writes all of it. On a terminal it stands above what is being drawn.
    pub(super) fn write(&self, bytes: &[u8]) -> io::Result<()> {
        match &self.beside {
            Some(messages) => lock(messages).aside(|| lock(&self.sink).write(bytes)),
            None => lock(&self.sink).write(bytes),
        }
    }
}
