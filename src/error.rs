//! The error of the whole tool: kind, message, source, hints; and the exit code, a type of its own.
//!
//! Rooms below `commands/` have small error enums of their own; here they become what an operator reads.
//! Exit codes are a contract (design, section 3).

use std::fmt;

use crate::domain::Ref;

/// How the process ends. The numbers are a contract with scripts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ExitCode {
    /// 0: all that was asked for reached its good end.
    Success,
    /// 1: a fault of the tool itself.
    Internal,
    /// 2: usage, a bad file, a missing confirmation.
    Usage,
    /// 3: refused before creation, or refunded.
    Refused,
    /// 4: the key is missing, wrong, disabled or blocked.
    Auth,
    /// 5: the batch ended; some rows were rejected or refunded. Or the books differ, or could not all be compared.
    Partial,
    /// 6: at least one outcome is unknown.
    Unknown,
    /// 7: unavailable; nothing was sent.
    Unavailable,
    /// 8: accepted, not final when we stopped waiting.
    Open,
    /// 9: a cap, a threshold or the balance stopped it.
    Limit,
    /// 10: the ledger is missing, damaged, newer, or the disk is full.
    Ledger,
    /// 11: the batch is running elsewhere, or the account is being compared.
    Busy,
    /// 130: interrupted by Ctrl-C, after answers in flight were stored.
    Interrupted,
    /// 143: asked to stop by SIGTERM, after answers in flight were stored.
    Terminated,
}

impl ExitCode {
    /// The number that the shell sees.
    pub fn number(self) -> u8 {
        match self {
            Self::Success => 0,
            Self::Internal => 1,
            Self::Usage => 2,
            Self::Refused => 3,
            Self::Auth => 4,
            Self::Partial => 5,
            Self::Unknown => 6,
            Self::Unavailable => 7,
            Self::Open => 8,
            Self::Limit => 9,
            Self::Ledger => 10,
            Self::Busy => 11,
            Self::Interrupted => 130,
            Self::Terminated => 143,
        }
    }

    /// Which code wins when several apply: 10, 6, 4, 9, 8, 5, 3 (design, section 3).
    fn weight(self) -> u8 {
        match self {
            Self::Success => 0,
            Self::Refused => 1,
            Self::Partial => 2,
            Self::Open => 3,
            Self::Unavailable => 4,
            Self::Limit => 5,
            Self::Auth => 6,
            Self::Unknown => 7,
            Self::Interrupted => 8,
            Self::Terminated => 9,
            Self::Usage => 10,
            Self::Busy => 11,
            Self::Internal => 12,
            Self::Ledger => 13,
        }
    }

    /// The code that several outcomes together deserve.
    pub fn worst(codes: impl IntoIterator<Item = Self>) -> Self {
        codes
            .into_iter()
            .max_by_key(|code| code.weight())
            .unwrap_or(Self::Success)
    }
}

/// What sort of failure it is; each sort has one exit code and one word in JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A fault of the tool itself.
    Internal,
    /// Bad arguments, a bad file, a missing confirmation.
    Usage,
    /// Refused before creation, or refunded.
    Refused,
    /// The key.
    Auth,
    /// At least one outcome is unknown.
    Unknown,
    /// Unavailable; nothing was sent.
    Unavailable,
    /// The batch ended; some rows were rejected or refunded.
    Partial,
    /// Accepted, not final when we stopped waiting.
    Open,
    /// A cap, a threshold or the balance.
    Limit,
    /// The ledger or its disk.
    Ledger,
    /// The batch is running elsewhere.
    Busy,
    /// Ctrl-C.
    Interrupted,
    /// SIGTERM.
    Terminated,
}

impl Kind {
    /// The exit code of this kind.
    pub fn exit_code(self) -> ExitCode {
        match self {
            Self::Internal => ExitCode::Internal,
            Self::Usage => ExitCode::Usage,
            Self::Refused => ExitCode::Refused,
            Self::Auth => ExitCode::Auth,
            Self::Unknown => ExitCode::Unknown,
            Self::Unavailable => ExitCode::Unavailable,
            Self::Partial => ExitCode::Partial,
            Self::Busy => ExitCode::Busy,
            Self::Open => ExitCode::Open,
            Self::Limit => ExitCode::Limit,
            Self::Ledger => ExitCode::Ledger,
            Self::Interrupted => ExitCode::Interrupted,
            Self::Terminated => ExitCode::Terminated,
        }
    }

    /// The word in `error.kind` of the JSON form.
    pub fn word(self) -> &'static str {
        match self {
            Self::Internal => "internal",
            Self::Usage => "usage",
            Self::Refused => "refused",
            Self::Auth => "auth",
            Self::Unknown => "unknown",
            Self::Unavailable => "unavailable",
            Self::Partial => "partial",
            Self::Busy => "busy",
            Self::Open => "open",
            Self::Limit => "limit",
            Self::Ledger => "ledger",
            Self::Interrupted => "interrupted",
            Self::Terminated => "terminated",
        }
    }
}

/// What went wrong, where, and how to mend it.
#[derive(Debug)]
pub struct Error {
    /// The sort of failure; decides the exit code.
    pub kind: Kind,
    /// A stable word for scripts: the provider's own code, or one of ours in `snake_case`.
    pub code: String,
    /// One sentence, no full stop, literals in backticks.
    pub message: String,
    /// How to mend it, each a sentence of its own.
    pub hints: Vec<String>,
    /// What lay underneath, shown as a chain.
    pub source: Option<anyhow::Error>,
    /// The status of the provider's answer, where there was one.
    pub http_status: Option<u16>,
    /// The provider's request id: what its support asks for.
    pub request_id: Option<String>,
    /// The order that it is about.
    pub reference: Option<Box<Ref>>,
    /// Whether the same command may simply be run again.
    pub retryable: bool,
}

/// A result whose failure an operator will read.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// An error of `kind`, with a stable `code` for scripts and a message for people.
    pub fn new(kind: Kind, code: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            kind,
            code: code.into(),
            message: message.into(),
            hints: Vec::new(),
            source: None,
            http_status: None,
            request_id: None,
            reference: None,
            retryable: matches!(kind, Kind::Unavailable | Kind::Unknown | Kind::Open),
        }
    }

    /// Bad arguments or a missing confirmation: exit code 2.
    pub fn usage(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(Kind::Usage, code, message)
    }

    /// A fault of the tool itself: exit code 1.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(Kind::Internal, "internal", message)
            .hint("this is a fault of oneclick; please report it with the command that you typed")
    }

    /// Adds a hint: how to mend it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// Adds a hint where there is one.
    #[must_use]
    pub fn maybe_hint(self, hint: Option<String>) -> Self {
        match hint {
            Some(hint) => self.hint(hint),
            None => self,
        }
    }

    /// Adds what lay underneath.
    #[must_use]
    pub fn because(mut self, source: impl Into<anyhow::Error>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Names the order that it is about.
    #[must_use]
    pub fn about(mut self, reference: &Ref) -> Self {
        self.reference = Some(Box::new(reference.clone()));
        self
    }

    /// The exit code.
    pub fn exit_code(&self) -> ExitCode {
        self.kind.exit_code()
    }

    /// What lay underneath, outermost first.
    pub fn causes(&self) -> Vec<String> {
        self.source
            .iter()
            .flat_map(|source| source.chain())
            .map(ToString::to_string)
            .collect()
    }

    /// The JSON form: one object under `error` (design, section 3).
    pub fn to_json(&self) -> serde_json::Value {
        let causes = self.causes();
        let message = if causes.is_empty() {
            self.message.clone()
        } else {
            format!("{}: {}", self.message, causes.join(": "))
        };
        serde_json::json!({
            "error": {
                "kind": self.kind.word(),
                "code": self.code,
                "message": message,
                "hints": self.hints,
                "http_status": self.http_status,
                "request_id": self.request_id,
                "ref": self.reference.as_ref().map(|reference| reference.as_str()),
                "retryable": self.retryable,
                "exit_code": self.exit_code().number(),
            }
        })
    }
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_design_ranks_the_codes() {
        let ranked = [
            ExitCode::Ledger,
            ExitCode::Unknown,
            ExitCode::Auth,
            ExitCode::Limit,
            ExitCode::Open,
            ExitCode::Partial,
            ExitCode::Refused,
            ExitCode::Success,
        ];
        for (place, stronger) in ranked.iter().enumerate() {
            for weaker in &ranked[place..] {
                assert_eq!(ExitCode::worst([*weaker, *stronger]), *stronger);
            }
        }
        assert_eq!(ExitCode::worst([]), ExitCode::Success);
    }

    #[test]
    fn json_has_every_key_of_the_contract() {
        let json = Error::usage("x", "y").hint("z").to_json();
        let keys: Vec<_> = json["error"]
            .as_object()
            .into_iter()
            .flatten()
            .map(|(key, _)| key.as_str())
            .collect();
        let contract = [
            "kind",
            "code",
            "message",
            "hints",
            "http_status",
            "request_id",
            "ref",
            "retryable",
            "exit_code",
        ];
        assert_eq!(keys, contract);
    }
}
