//! The exact command that continues a batch.

use super::{Job, PlanCell};
use crate::config::shell_word;

impl Job<'_> {
    /// The command line that sends the file of rows to be retried, for the same account.
    pub(super) fn retry_command(&self, retry: &str) -> String {
        let mut words = vec!["oneclick".to_owned()];
        if self.session.simulates {
            words.push("--simulate".to_owned());
        }
        if let Some(profile) = &self.session.config.profile {
            words.extend(["--profile".to_owned(), profile.value.clone()]);
        }
        words.extend(["batch".to_owned(), retry.to_owned()]);
        // The file has the cells of the sheet: what flags have filled is not in it.
        if let Some(plan) = &self.sending.plan {
            let plan = match plan {
                PlanCell::Auto => "auto".to_owned(),
                PlanCell::Code(code) => code.to_string(),
            };
            words.extend(["--plan".to_owned(), plan]);
        }
        if let Some(amount) = self.sending.amount {
            words.extend(["--amount".to_owned(), amount.to_string()]);
        }
        // Under the file's own name it would be the batch of another label.
        if let Some(label) = &self.sending.label {
            words.extend(["--label".to_owned(), format!("{label}.retry")]);
        }
        line_of(&words)
    }

    /// The command line to be typed again: what was typed, without what belonged to one run only.
    pub(super) fn next_command(&self) -> String {
        let mut words = vec!["oneclick".to_owned()];
        for word in &self.sending.typed {
            if word == "-" && self.file.is_stdin() {
                words.push(self.file.resumed_from().display().to_string());
                continue;
            }
            words.push(word.clone());
        }
        if self.file.is_stdin() {
            if self.sending.label.is_none() {
                words.extend(["--label".to_owned(), self.label.to_string()]);
            }
            if self.sending.results.is_none() {
                words.extend(["--results".to_owned(), self.file.results.display().to_string()]);
            }
        }
        // That of the sheet holds however much of it is left; before it is known, what was typed does.
        if let Some(total) = self.confirmed.get().or(self.sending.confirm_total.as_ref()) {
            words.extend(["--confirm-total".to_owned(), total.to_string()]);
        }
        line_of(&words)
    }
}

fn line_of(words: &[String]) -> String {
    let words: Vec<_> = words.iter().map(|word| shell_word(word)).collect();
    words.join(" ")
}
