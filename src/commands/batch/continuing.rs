//! The exact command that continues a batch.

use super::{Job, PlanCell};
use crate::config::shell_word;

/// What says that no flag comes behind it.
const END_OF_FLAGS: &str = "--";

impl Job<'_> {
    /// The command line that sends the file of rows to be retried, for the same account.
    pub(super) fn retry_command(&self, retry: &str) -> String {
        let mut line = Line::default();
        if self.session.simulates {
            line.word("--simulate");
        }
        if let Some(profile) = &self.session.config.profile {
            line.flag("--profile", &profile.value);
        }
        line.word("batch");
        line.file(retry);
        // The file has the cells of the sheet: what flags have filled is not in it.
        if let Some(plan) = &self.sending.plan {
            line.flag(
                "--plan",
                match plan {
                    PlanCell::Auto => "auto",
                    PlanCell::Code(code) => code.as_str(),
                },
            );
        }
        if let Some(amount) = self.sending.amount {
            line.flag("--amount", &amount.to_string());
        }
        // Under the file's own name it would be the batch of another label.
        if let Some(label) = &self.sending.label {
            line.flag("--label", &format!("{label}.retry"));
        }
        line.typed()
    }

    /// The command line to be typed again: what was typed, without what belonged to one run only.
    pub(super) fn next_command(&self) -> String {
        let mut line = Line::default();
        let confirmed = self.confirmed.get().copied();
        // The total of this run's rows bound it; without one it would consent to any others.
        let is_unbound = confirmed == Some(None);
        for word in &self.sending.typed {
            if word == "--yes" && is_unbound && !line.has_ended() {
                continue;
            }
            if word == "-" && self.file.is_stdin() {
                line.file(&self.file.resumed_from().display().to_string());
            } else {
                line.word(word);
            }
        }
        if self.file.is_stdin() {
            if self.sending.label.is_none() {
                line.flag("--label", self.label.as_str());
            }
            if self.sending.results.is_none() {
                line.flag("--results", &self.file.results.display().to_string());
            }
        }
        // That of the sheet holds however much of it is left; before it is known, what was typed does.
        if let Some(total) = confirmed.unwrap_or(self.sending.confirm_total) {
            line.flag("--confirm-total", &total.to_string());
        }
        line.typed()
    }
}

/// A command line of ours, word by word.
#[derive(Debug, Default)]
struct Line {
    words: Vec<String>,
}

impl Line {
    fn word(&mut self, word: &str) {
        self.words.push(word.to_owned());
    }

    /// A file's name that looks like a flag is none with its directory before it.
    fn file(&mut self, name: &str) {
        let looks_like_a_flag = name.starts_with('-');
        self.word(&if looks_like_a_flag {
            format!("./{name}")
        } else {
            name.to_owned()
        });
    }

    /// Whether no flag comes any more.
    fn has_ended(&self) -> bool {
        self.words.iter().any(|word| word == END_OF_FLAGS)
    }

    /// A flag with its value, before the word behind which there are none. A value that looks like a flag is joined to
    /// its own.
    fn flag(&mut self, name: &str, value: &str) {
        let words = if value.starts_with('-') {
            vec![format!("{name}={value}")]
        } else {
            vec![name.to_owned(), value.to_owned()]
        };
        let end = self.words.iter().position(|word| word == END_OF_FLAGS);
        let place = end.unwrap_or(self.words.len());
        self.words.splice(place..place, words);
    }

    /// The line as it is typed.
    fn typed(&self) -> String {
        let words = ["oneclick"]
            .into_iter()
            .chain(self.words.iter().map(String::as_str));
        words.map(shell_word).collect::<Vec<_>>().join(" ")
    }
}
