//! The one owner of both streams.

use std::io::{self, BufRead, BufReader, Write};
use std::str::FromStr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::Value;

use super::aim::Aim;
use super::bar::Bar;
use super::chart::Chart;
use super::data::Data;
use super::failure::{describe, labelled};
use super::feed::Feed;
use super::json;
use super::paint::{Label, Paint};
use super::progress::{MARKER, Messages, Progress};
use super::record::Record;
use super::sanitise::clean_lines;
use super::sink::Sink;
use super::table::Table;
use super::terminal::{Colour, Terminal};
use crate::error::Error;

/// What `--output` asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// Aligned columns on a terminal, tabs otherwise.
    #[default]
    Table,
    /// An array or an object, indented.
    Json,
    /// An object a line.
    Jsonl,
    /// RFC 4180.
    Csv,
}

/// A word that is no format.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no output format; it is `table`, `json`, `jsonl` or `csv`")]
pub struct FormatError(pub String);

impl Format {
    /// The word of `--output`, and in the configuration.
    pub fn word(self) -> &'static str {
        match self {
            Self::Table => "table",
            Self::Json => "json",
            Self::Jsonl => "jsonl",
            Self::Csv => "csv",
        }
    }

    /// Whether scripts read JSON: then errors are JSON too.
    pub fn is_json(self) -> bool {
        match self {
            Self::Json | Self::Jsonl => true,
            Self::Table | Self::Csv => false,
        }
    }
}

impl FromStr for Format {
    type Err = FormatError;

    fn from_str(word: &str) -> Result<Self, FormatError> {
        [Self::Table, Self::Json, Self::Jsonl, Self::Csv]
            .into_iter()
            .find(|format| format.word() == word)
            .ok_or_else(|| FormatError(word.to_owned()))
    }
}

/// What the flags and the configuration ask of output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PrinterOptions {
    /// `--output`.
    pub format: Format,
    /// `--color`.
    pub colour: Colour,
    /// `--quiet`: no progress and no notes.
    pub quiet: bool,
    /// How often `--verbose` was given.
    pub verbosity: u8,
}

/// Where output goes and answers come from. [`Streams::standard`] outside of tests.
pub struct Streams {
    /// Data.
    pub stdout: Box<dyn Write + Send>,
    /// All else.
    pub stderr: Box<dyn Write + Send>,
    /// Answers to questions.
    pub stdin: Box<dyn BufRead + Send>,
}

impl Streams {
    /// The three streams of this process.
    pub fn standard() -> Self {
        Self {
            stdout: Box::new(io::stdout()),
            stderr: Box::new(io::stderr()),
            // One byte ahead at most: what is not read here stays for whoever reads stdin next.
            stdin: Box::new(BufReader::with_capacity(1, io::stdin())),
        }
    }
}

/// Shows data and messages to whoever is reading.
pub struct Printer {
    options: PrinterOptions,
    aim: Aim,
    terminal: Terminal,
    stdout: Data,
    messages: Arc<Mutex<Messages>>,
    stdin: Arc<Mutex<Box<dyn BufRead + Send>>>,
}

impl Printer {
    /// A printer on the streams of this process.
    pub fn new(options: PrinterOptions) -> Self {
        Self::on(options, Terminal::detect(), Streams::standard())
    }

    /// A printer on other streams, in other surroundings.
    pub fn on(options: PrinterOptions, terminal: Terminal, streams: Streams) -> Self {
        let stdout = Sink::new(streams.stdout, terminal.stdout_is_terminal);
        let stderr = Sink::new(streams.stderr, terminal.stderr_is_terminal);
        let messages = Arc::new(Mutex::new(Messages::new(stderr)));
        // The same terminal as that of the messages.
        let beside = terminal.stdout_is_terminal.then(|| Arc::clone(&messages));
        Self {
            options,
            aim: Aim::default(),
            terminal,
            stdout: Data::new(stdout, beside),
            messages,
            stdin: Arc::new(Mutex::new(streams.stdin)),
        }
    }

    /// The same printer, whose hints, notes and warnings aim the commands in them.
    #[must_use]
    pub fn aimed(self, aim: Aim) -> Self {
        Self { aim, ..self }
    }

    /// What commands are aimed at: for those that are data.
    pub fn aim(&self) -> &Aim {
        &self.aim
    }

    /// The format of data.
    pub fn format(&self) -> Format {
        self.options.format
    }

    /// Whether progress and notes are silenced.
    pub fn quiet(&self) -> bool {
        self.options.quiet
    }

    /// How often `--verbose` was given.
    pub fn verbosity(&self) -> u8 {
        self.options.verbosity
    }

    /// The surroundings, as they were found.
    pub fn terminal(&self) -> &Terminal {
        &self.terminal
    }

    /// Whether somebody can be asked: stdin and stderr are terminals.
    pub fn is_interactive(&self) -> bool {
        self.terminal.stdin_is_terminal && self.terminal.stderr_is_terminal
    }

    /// Shows a list of records.
    pub fn list(&self, table: Table) -> io::Result<()> {
        match self.options.format {
            Format::Table if self.terminal.stdout_is_terminal && table.rows.is_empty() => {
                self.note(&table.empty);
                Ok(())
            }
            Format::Table if self.terminal.stdout_is_terminal => {
                self.data(&table.for_people(self.terminal.columns, self.data_paint()))
            }
            Format::Table => self.data(&table.for_tabs()),
            Format::Csv => self.data(&table.for_csv()),
            Format::Json => self.json_text(&json::pretty(&Value::Array(table.json))),
            Format::Jsonl => self.json_text(&table.json.iter().map(json::line).collect::<String>()),
        }
    }

    /// Shows a list as a spreadsheet in French opens it, whatever the format.
    pub fn excel(&self, table: &Table) -> io::Result<()> {
        self.data(&table.for_excel())
    }

    /// Draws a chart on a terminal; scripts have the numbers.
    pub fn chart(&self, chart: &Chart) -> io::Result<()> {
        if self.options.format == Format::Table && self.terminal.stdout_is_terminal {
            self.data(&chart.for_people(self.terminal.columns, self.data_paint()))
        } else {
            Ok(())
        }
    }

    /// Shows a list as people read it, among the messages: what is looked at before something is done.
    pub fn message_table(&self, table: &Table) {
        self.message(&table.for_people(self.terminal.columns, self.message_paint()));
    }

    /// Shows one object.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "a record is made to be shown once, as a table is"
    )]
    pub fn record(&self, record: Record) -> io::Result<()> {
        match self.options.format {
            Format::Table if self.terminal.stdout_is_terminal => {
                self.data(&record.for_people(self.terminal.columns, self.data_paint()))
            }
            Format::Table => self.data(&record.for_tabs()),
            Format::Csv => self.data(&record.for_csv()),
            Format::Json | Format::Jsonl => self.json(&record.json),
        }
    }

    /// Shows a JSON value: on one line with `jsonl`, indented otherwise.
    pub fn json(&self, value: &Value) -> io::Result<()> {
        match self.options.format {
            Format::Jsonl => self.json_text(&json::line(value)),
            Format::Table | Format::Json | Format::Csv => self.json_text(&json::pretty(value)),
        }
    }

    /// Writes bytes of our own as they are: completions, the manual.
    pub fn raw(&self, bytes: &[u8]) -> io::Result<()> {
        self.stdout.write(bytes)
    }

    /// JSON lines that come while other work is under way.
    pub fn feed(&self) -> io::Result<Feed> {
        Feed::start(self.stdout.clone(), self.terminal.stdout_is_terminal)
    }

    /// Says what is being done; silent with `--quiet`.
    pub fn status(&self, text: &str) {
        if !self.options.quiet {
            self.sentence(Label::Detail, MARKER, text);
        }
    }

    /// Says something worth knowing; silent with `--quiet`.
    pub fn note(&self, text: &str) {
        if !self.options.quiet {
            self.sentence(Label::Note, "note:", text);
        }
    }

    /// Warns, with `--quiet` too.
    pub fn warn(&self, text: &str) {
        self.sentence(Label::Warning, "warning:", text);
    }

    /// Shows an error. With JSON output it is one line of JSON, meant to be the last line on stderr: nothing
    /// may be printed after it. Commands of ours stand in its hints; its message may be the provider's, and stays.
    pub fn error(&self, error: &Error) {
        let text = if self.options.format.is_json() {
            let mut told = error.to_json();
            told["error"]["hints"] = error.hints.iter().map(|hint| self.aim.sentence(hint)).collect();
            safe_for(self.terminal.stderr_is_terminal, &json::line(&told))
        } else {
            describe(error, &self.aim, self.message_paint())
        };
        let mut messages = lock(&self.messages);
        messages.stop_spinner();
        messages.write(&text);
    }

    /// Shows a question; [`Printer::answer`] reads what is typed.
    pub fn question(&self, question: &str) {
        let mut messages = lock(&self.messages);
        messages.stop_spinner();
        messages.write(&(clean_lines(question).join("\n") + " "));
    }

    /// Reads a line from stdin, trimmed; empty at its end. What is returned may wait on a thread of its own.
    pub fn answer(&self) -> impl FnOnce() -> io::Result<String> + Send + 'static {
        let stdin = Arc::clone(&self.stdin);
        move || {
            let mut answer = String::new();
            lock(&stdin).read_line(&mut answer)?;
            Ok(answer.trim().to_owned())
        }
    }

    /// Whether an answer is a yes: `y`, `yes`, `o` or `oui`. Anything else is a no.
    pub fn is_yes(answer: &str) -> bool {
        matches!(answer.to_lowercase().as_str(), "y" | "yes" | "o" | "oui")
    }

    /// Reports work as it goes on: a spinner for people, otherwise each new sentence once.
    pub fn spinner(&self) -> Progress {
        let messages = Arc::clone(&self.messages);
        if self.options.quiet {
            Progress::silent(messages)
        } else if self.terminal.stderr_is_terminal && !self.terminal.dumb {
            Progress::spinning(messages)
        } else {
            Progress::lines(messages, self.message_paint())
        }
    }

    /// Reports how far a long batch is: a bar for people, otherwise a line now and then.
    pub fn bar(&self) -> Bar {
        let messages = Arc::clone(&self.messages);
        if self.options.quiet {
            Bar::silent(messages)
        } else if self.terminal.stderr_is_terminal && !self.terminal.dumb {
            Bar::drawn(messages, self.terminal.columns, self.message_paint())
        } else {
            Bar::lines(messages, self.message_paint())
        }
    }

    fn data(&self, text: &str) -> io::Result<()> {
        self.raw(text.as_bytes())
    }

    fn json_text(&self, text: &str) -> io::Result<()> {
        self.data(&safe_for(self.terminal.stdout_is_terminal, text))
    }

    fn sentence(&self, label: Label, prefix: &str, text: &str) {
        let text = self.aim.sentence(text);
        self.message(&labelled(label, prefix, &text, self.message_paint()));
    }

    fn message(&self, text: &str) {
        lock(&self.messages).write(text);
    }

    fn data_paint(&self) -> Paint {
        self.paint(self.terminal.stdout_is_terminal)
    }

    fn message_paint(&self) -> Paint {
        self.paint(self.terminal.stderr_is_terminal)
    }

    fn paint(&self, is_terminal: bool) -> Paint {
        Paint {
            on: self.terminal.takes_colour(self.options.colour, is_terminal),
            isolates: is_terminal,
        }
    }
}

/// JSON as the reader of a stream may have it: people don't see what is invisible unless it is spelt out.
pub(super) fn safe_for(is_terminal: bool, text: &str) -> String {
    if is_terminal {
        json::escape_invisible(text)
    } else {
        text.to_owned()
    }
}

/// Takes a lock even if a thread died holding it: half a message is no reason to lose the next.
pub(super) fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
#[path = "printer_tests.rs"]
pub(super) mod tests;
