//! What a command does and how it ends: the claims of the process, held to the provider's books and the ledger.

use std::fmt::Debug;
use std::process::{Child, Command, Output};

use serde_json::Value;

use crate::provider::Books;
use crate::support::{OrFail, Shop};

/// A command that is still running; killed when dropped.
pub struct Running<'shop> {
    shop: &'shop Shop,
    process: Option<Child>,
    arguments: Vec<String>,
}

impl<'shop> Running<'shop> {
    pub fn new(shop: &'shop Shop, process: Child, arguments: &[&str]) -> Self {
        Self {
            shop,
            process: Some(process),
            arguments: owned(arguments),
        }
    }

    /// `kill -9`.
    pub fn kill(self) {
        drop(self);
    }

    /// Sends a signal by name, as the shell spells it.
    pub fn signal(&self, name: &str) {
        let process = self.process.as_ref().or_fail("it has ended");
        let line = format!("kill -{name} {}", process.id());
        let status = Command::new("/bin/sh")
            .args(["-c", &line])
            .status()
            .or_fail("there is no /bin/sh");
        assert!(status.success(), "`{line}` fails");
    }

    /// Whether it has ended already.
    pub fn has_ended(&mut self) -> bool {
        let process = self.process.as_mut().or_fail("it has ended");
        process.try_wait().or_fail("it can't be asked").is_some()
    }

    /// Waits for its end.
    pub fn finish(mut self) -> Outcome<'shop> {
        let process = self.process.take().or_fail("it has ended");
        let output = process.wait_with_output().or_fail("it does not end");
        let words: Vec<_> = self.arguments.iter().map(String::as_str).collect();
        Outcome::new(self.shop, &words, &output)
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        if let Some(process) = &mut self.process {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

fn owned(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

/// How a run ended.
#[derive(Clone)]
pub struct Outcome<'shop> {
    shop: &'shop Shop,
    arguments: Vec<String>,
    pub stdout: String,
    pub stderr: String,
    /// None where a signal ended it.
    pub code: Option<i32>,
}

impl Debug for Outcome<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            arguments,
            code,
            stdout,
            stderr,
            ..
        } = self;
        let line = arguments.join(" ");
        write!(
            formatter,
            "$ oneclick {line}\nexit: {code:?}\nstdout:\n{stdout}\nstderr:\n{stderr}"
        )
    }
}

impl<'shop> Outcome<'shop> {
    pub fn new(shop: &'shop Shop, arguments: &[&str], output: &Output) -> Self {
        Self {
            shop,
            arguments: owned(arguments),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
            code: output.status.code(),
        }
    }

    #[track_caller]
    pub fn expect_exit(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self:?}");
        self
    }

    /// The provider's books now.
    pub fn books(&self) -> Books {
        self.shop.books()
    }

    /// Exactly one top-up was accepted, and it is this one.
    #[track_caller]
    pub fn expect_paid_once(self) -> Self {
        let books = self.shop.books();
        assert_eq!(books.orders(), 1, "{self:?}\n{}", books.0);
        assert_eq!(books.count(&self.reference()), 1, "{self:?}\n{}", books.0);
        self
    }

    /// No request to send has reached the provider.
    #[track_caller]
    pub fn expect_no_post(self) -> Self {
        let books = self.shop.books();
        assert_eq!(
            (books.calls("send"), books.orders()),
            (0, 0),
            "{self:?}\n{}",
            books.0
        );
        self
    }

    /// The exit code claims nothing that the books deny.
    #[track_caller]
    pub fn expect_true_exit(self) -> Self {
        let (books, ledger, reference) = (self.shop.books(), self.shop.ledger(), self.reference());
        let status = books.status(&reference);
        let state = ledger.get(&reference).map(String::as_str);
        let is_true = match self.code {
            Some(0) => status == Some("FULFILLED") && state == Some("fulfilled"),
            Some(3) => {
                matches!(status, None | Some("REFUNDED")) && !matches!(state, Some("unknown" | "accepted"))
            }
            Some(6) => state == Some("unknown"),
            Some(7) => status.is_none() && matches!(state, None | Some("cancelled")),
            Some(8) => status.is_some() && matches!(state, Some("accepted" | "in_review")),
            _ => false,
        };
        assert!(is_true, "{status:?} there, {state:?} here\n{self:?}");
        self
    }

    /// The explicit `--ref`, the one that is shown, or the one that the error names.
    #[track_caller]
    fn reference(&self) -> String {
        let explicit = self
            .arguments
            .iter()
            .skip_while(|word| *word != "--ref")
            .nth(1)
            .cloned();
        let shown = || {
            serde_json::from_str::<Value>(&self.stdout).ok()?["ref"]
                .as_str()
                .map(str::to_owned)
        };
        let named = || self.error()["ref"].as_str().map(str::to_owned);
        explicit.or_else(shown).or_else(named).unwrap_or_default()
    }

    /// stdout as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).or_fail(&format!("stdout is no JSON\n{self:?}"))
    }

    /// What is under `error` in the last line of stderr; null where that is no JSON.
    pub fn error(&self) -> Value {
        let line = self.stderr.lines().last().unwrap_or_default();
        serde_json::from_str::<Value>(line)
            .map(|value| value["error"].clone())
            .unwrap_or_default()
    }

    /// The error's code for scripts.
    #[track_caller]
    pub fn expect_error(self, code: &str) -> Self {
        assert_eq!(self.error()["code"], code, "{self:?}");
        self
    }

    /// stderr holds every one of these texts.
    #[track_caller]
    pub fn expect_said<const N: usize>(self, texts: [&str; N]) -> Self {
        for text in texts {
            assert!(self.stderr.contains(text), "`{text}` is not said\n{self:?}");
        }
        self
    }
}
