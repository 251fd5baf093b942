//! `ref new`: refs to be used with `send --ref`.

use serde_json::{Value, json};

use crate::commands::outcome::unprintable;
use crate::commands::send::nonce;
use crate::commands::session::Session;
use crate::domain::{Ref, RefPrefix};
use crate::error::{ExitCode, Result};
use crate::output::Format;

/// What is asked for.
#[derive(Debug, Clone)]
pub struct Request {
    /// What the refs begin with.
    pub prefix: RefPrefix,
    /// How many.
    pub count: u32,
}

/// Makes refs: `<prefix>-<unix ms>-<6 base36>`, no two alike.
pub fn run(session: &Session, request: &Request) -> Result<ExitCode> {
    let now = u64::try_from(session.clock.now().as_millisecond()).unwrap_or(0);
    let mut made = std::collections::BTreeSet::new();
    while made.len() < usize::try_from(request.count).unwrap_or(usize::MAX) {
        made.insert(request.prefix.make(now, &nonce()));
    }
    let refs: Vec<&str> = made.iter().map(Ref::as_str).collect();
    let printed = match session.printer.format() {
        Format::Json => session.printer.json(&json!(refs)),
        Format::Jsonl => refs
            .iter()
            .try_for_each(|text| session.printer.json(&Value::from(*text))),
        Format::Table | Format::Csv => session.printer.raw(format!("{}\n", refs.join("\n")).as_bytes()),
    };
    printed.map_err(unprintable)?;
    Ok(ExitCode::Success)
}
