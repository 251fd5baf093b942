//! How often what was called and answered, for the books that tests read.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::call::Endpoint;
use super::fault::Ordinal;

/// Counts of calls and answers of this process.
#[derive(Debug, Default)]
pub(super) struct Tally {
    calls: BTreeMap<&'static str, u64>,
    answers: BTreeMap<String, u64>,
    all: u64,
    requests: u64,
}

impl Tally {
    /// Counts a call, and says which it is.
    pub(super) fn call(&mut self, endpoint: Endpoint) -> Ordinal {
        self.all += 1;
        Ordinal {
            endpoint,
            of_endpoint: self.named(endpoint.name()),
            of_all: self.all,
        }
    }

    /// Counts a call to a path that is no endpoint.
    pub(super) fn stray(&mut self) {
        self.named("other");
    }

    fn named(&mut self, name: &'static str) -> u64 {
        let count = self.calls.entry(name).or_default();
        *count += 1;
        *count
    }

    /// Counts an answer by its status, or by what came in its place.
    pub(super) fn answer(&mut self, outcome: impl Into<String>) {
        *self.answers.entry(outcome.into()).or_default() += 1;
    }

    /// A new id for a request, in the form of a live capture: `req-1a`.
    pub(super) fn request_id(&mut self) -> String {
        self.requests += 1;
        format!("req-{}", base36(self.requests))
    }

    /// Calls by endpoint.
    pub(super) fn calls(&self) -> Value {
        self.calls
            .iter()
            .map(|(name, count)| ((*name).to_owned(), Value::from(*count)))
            .collect::<Map<_, _>>()
            .into()
    }

    /// Answers by status.
    pub(super) fn answers(&self) -> Value {
        self.answers
            .iter()
            .map(|(status, count)| (status.clone(), Value::from(*count)))
            .collect::<Map<_, _>>()
            .into()
    }
}

fn base36(mut number: u64) -> String {
    let mut digits = Vec::new();
    while number > 0 {
        let digit = u32::try_from(number % 36).unwrap_or_default();
        digits.extend(char::from_digit(digit, 36));
        number /= 36;
    }
    digits.iter().rev().collect()
}

#[cfg(test)]
mod tests {
    use super::base36;

    #[test]
    fn request_ids_count_in_base_36() {
        assert_eq!(base36(35), "z");
        assert_eq!(base36(36), "10");
    }
}
