//! Reading the log: its lines as they stand in the file, the newest that were asked for.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::fs::OpenOptions;
use std::io::{BufRead, BufReader, ErrorKind};
use std::path::Path;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use super::{AuditError, Result, open, path_of};
use crate::domain::{Account, Ref};

/// Which lines to show; everything that is none does not filter.
#[derive(Debug, Clone, Default)]
pub struct Lookup {
    /// Of this account, and those of none.
    pub account: Option<Account>,
    /// About this order.
    pub reference: Option<Ref>,
    /// At or after.
    pub since: Option<Timestamp>,
    /// Before.
    pub until: Option<Timestamp>,
    /// At most so many, the newest.
    pub limit: Option<usize>,
}

/// Lines of the log.
#[derive(Debug, Clone, Default)]
pub struct Listed {
    /// The lines, oldest first.
    pub lines: Vec<Value>,
    /// How many would have been shown without a limit.
    pub found: u64,
    /// How many can't be read.
    pub unreadable: u64,
}

/// What is looked at in a line before it is kept.
#[derive(Deserialize)]
struct Brief<'a> {
    #[serde(borrow)]
    at: Cow<'a, str>,
    #[serde(borrow)]
    account: Option<Cow<'a, str>>,
    #[serde(borrow)]
    environment: Option<Cow<'a, str>>,
    #[serde(borrow, rename = "ref")]
    reference: Option<Cow<'a, str>>,
}

/// Lists lines of the log of a ledger. A log that is not there has none.
pub fn list(ledger: &Path, lookup: &Lookup) -> Result<Listed> {
    let path = path_of(ledger);
    let failed = |error| AuditError::file(&path, error);
    let file = match open(&path, OpenOptions::new().read(true)) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Listed::default()),
        Err(error) => return Err(failed(error)),
    };
    let mut reader = BufReader::with_capacity(256 * 1024, file);
    let (mut listed, mut kept) = (Listed::default(), VecDeque::new());
    let mut line = Vec::new();
    while reader.read_until(b'\n', &mut line).map_err(failed)? > 0 {
        match serde_json::from_slice::<Brief<'_>>(&line) {
            Err(_) => listed.unreadable += 1,
            Ok(brief) if lookup.takes(&brief) => {
                listed.found += 1;
                kept.push_back(line.clone());
                if lookup.limit.is_some_and(|limit| kept.len() > limit) {
                    kept.pop_front();
                }
            }
            Ok(_) => {}
        }
        line.clear();
    }
    listed.lines = kept
        .iter()
        .filter_map(|line| serde_json::from_slice(line).ok())
        .collect();
    Ok(listed)
}

impl Lookup {
    fn takes(&self, line: &Brief<'_>) -> bool {
        let is_of = |account: &Account| match (&line.account, &line.environment) {
            (Some(username), Some(environment)) => {
                *username == account.username && *environment == account.environment.word()
            }
            _ => true,
        };
        let is_about = |reference: &Ref| {
            line.reference
                .as_ref()
                .is_some_and(|text| text == reference.as_str())
        };
        let at = || line.at.parse::<Timestamp>().ok();
        self.account.as_ref().is_none_or(is_of)
            && self.reference.as_ref().is_none_or(is_about)
            && self.since.is_none_or(|since| at().is_some_and(|at| at >= since))
            && self.until.is_none_or(|until| at().is_some_and(|at| at < until))
    }
}
