//! The exact command that continues a batch.

use super::Job;

impl Job<'_> {
    /// The command line to be typed again: what was typed, without what belonged to one run only.
    pub(super) fn next_command(&self) -> String {
        let mut words = vec!["oneclick".to_owned()];
        let mut typed = self.sending.typed.iter();
        while let Some(word) = typed.next() {
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
        if self.sending.confirm_total.is_some() {
            words.push("--yes".to_owned());
        }
        words.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ")
    }
}

/// A word as a shell reads it back.
pub(super) fn quoted(word: &str) -> String {
    let is_plain = !word.is_empty()
        && word
            .chars()
            .all(|character| character.is_ascii_alphanumeric() || "-_./:=+,@%".contains(character));
    if is_plain { word.to_owned() } else { format!("'{}'", word.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_come_back_from_a_shell_as_they_were() {
        for (word, expected) in [
            ("november.csv", "november.csv"),
            ("mes recharges.csv", "'mes recharges.csv'"),
            ("l'été.csv", r"'l'\''été.csv'"),
            ("", "''"),
            ("$(rm -rf x)", "'$(rm -rf x)'"),
            ("نوفمبر.csv", "'نوفمبر.csv'"),
        ] {
            assert_eq!(quoted(word), expected);
        }
    }
}
