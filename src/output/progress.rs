//! What is going on right now: a spinner for people, a line for each change otherwise.

use std::sync::{Arc, Mutex, Once};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::failure::labelled;
use super::paint::{Label, Paint};
use super::printer::lock;
use super::sanitise::clean_lines;
use super::sink::Sink;

/// The marker of a progress sentence.
pub(super) const MARKER: &str = "·";

/// How often the spinner turns.
const TURN: Duration = Duration::from_millis(100);

/// Stderr, and the spinner or bar that may be drawn on its last lines.
pub(super) struct Messages {
    sink: Sink,
    spinner: Option<ProgressBar>,
}

impl Messages {
    pub(super) fn new(sink: Sink) -> Self {
        Self { sink, spinner: None }
    }

    /// Writes above the spinner. A message that can't be written is lost: there is nowhere left to say so.
    pub(super) fn write(&mut self, text: &str) {
        let sink = &mut self.sink;
        let _lost = match &self.spinner {
            Some(spinner) => spinner.suspend(|| sink.write(text.as_bytes())),
            None => sink.write(text.as_bytes()),
        };
    }

    /// Runs `act`, which may write on the same terminal, while the spinner is away.
    pub(super) fn aside<T>(&self, act: impl FnOnce() -> T) -> T {
        match &self.spinner {
            Some(spinner) => spinner.suspend(act),
            None => act(),
        }
    }

    /// Gives the last line to `spinner`; an older one gives way.
    pub(super) fn hold(&mut self, spinner: &ProgressBar) {
        self.stop_spinner();
        self.spinner = Some(spinner.clone());
    }

    /// Takes `spinner` off the line; a newer one stays.
    pub(super) fn release(&mut self, spinner: &ProgressBar) {
        spinner.finish_and_clear();
        if self.spinner.as_ref().is_some_and(ProgressBar::is_finished) {
            self.spinner = None;
        }
    }

    /// Takes the spinner off the line for good.
    pub(super) fn stop_spinner(&mut self) {
        if let Some(spinner) = self.spinner.take() {
            spinner.finish_and_clear();
        }
    }
}

/// A running report of one piece of work. It ends when it is finished or dropped.
pub struct Progress {
    messages: Arc<Mutex<Messages>>,
    reporting: Reporting,
}

enum Reporting {
    Silent,
    Spinner { bar: ProgressBar, turning: Once },
    Lines { paint: Paint, last: Mutex<String> },
}

impl Progress {
    pub(super) fn silent(messages: Arc<Mutex<Messages>>) -> Self {
        Self {
            messages,
            reporting: Reporting::Silent,
        }
    }

    pub(super) fn lines(messages: Arc<Mutex<Messages>>, paint: Paint) -> Self {
        let last = Mutex::new(String::new());
        Self {
            messages,
            reporting: Reporting::Lines { paint, last },
        }
    }

    /// One spinner turns at a time: an older one gives way.
    pub(super) fn spinning(messages: Arc<Mutex<Messages>>) -> Self {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}") {
            bar.set_style(style);
        }
        lock(&messages).hold(&bar);
        Self {
            messages,
            reporting: Reporting::Spinner {
                bar,
                turning: Once::new(),
            },
        }
    }

    /// What is being done now. The same sentence again is not repeated.
    pub fn say(&self, text: &str) {
        let sentence = clean_lines(text).join(" ");
        match &self.reporting {
            Reporting::Silent => {}
            Reporting::Spinner { bar, turning } => {
                bar.set_message(sentence);
                // Only now: a spinner with nothing to say would flash on quick work.
                turning.call_once(|| bar.enable_steady_tick(TURN));
            }
            Reporting::Lines { paint, last } => {
                let mut last = lock(last);
                if *last != sentence {
                    lock(&self.messages).write(&labelled(Label::Detail, MARKER, &sentence, *paint));
                    *last = sentence;
                }
            }
        }
    }

    /// The work is done; the line is free again.
    pub fn finish(self) {
        drop(self);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Reporting::Spinner { bar, .. } = &self.reporting {
            lock(&self.messages).release(bar);
        }
    }
}
