//! The provider that batches are measured against: this program once more, in a process of its own.

use std::cell::RefCell;
use std::error::Error;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde::{Deserialize, Serialize};

use super::PROVIDER;
use crate::stand::bare;

/// How the provider behaves until it is told otherwise.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub struct Terms {
    /// How long an answer is held back.
    pub latency_ms: u64,
    /// The most calls in any stretch of [`Terms::window_s`]; none is no limit.
    pub quota: Option<usize>,
    /// What the quota counts.
    pub window_s: u64,
    /// How long an order is on its way before it is fulfilled. Without it no order is kept, and the list is empty.
    pub life_ms: Option<i64>,
}

/// Calls since the last [`Terms`].
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub struct Counts {
    /// Top-ups that were accepted.
    pub sends: u64,
    /// Pages of the list.
    pub lists: u64,
    /// Questions about single orders.
    pub checks: u64,
    /// The balance.
    pub balances: u64,
    /// All else.
    pub others: u64,
    /// Calls over the quota.
    pub refused: u64,
    /// When the last top-up was accepted, in milliseconds of the system's clock.
    pub last_send_ms: i64,
    /// From the first top-up that was accepted to the last, in microseconds.
    pub sending_us: u64,
}

impl Counts {
    /// Every call.
    pub fn all(&self) -> u64 {
        self.sends + self.lists + self.checks + self.balances + self.others + self.refused
    }
}

/// The process. It ends with this one.
pub struct Provider {
    /// Where it listens.
    pub base_url: String,
    child: Child,
    line: RefCell<(ChildStdin, BufReader<ChildStdout>)>,
}

impl Provider {
    /// Starts it.
    pub fn start() -> Result<Self, Box<dyn Error>> {
        let mut child = itself(&[PROVIDER])?
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let (Some(to), Some(from)) = (child.stdin.take(), child.stdout.take()) else {
            return Err("the provider has no pipes".into());
        };
        let mut from = BufReader::new(from);
        let mut address = String::new();
        from.read_line(&mut address)?;
        Ok(Self {
            base_url: format!("http://{}", address.trim()),
            child,
            line: RefCell::new((to, from)),
        })
    }

    /// From now on it behaves like this, and counts from zero.
    pub fn set(&self, terms: &Terms) -> Result<(), Box<dyn Error>> {
        self.say(&serde_json::to_string(terms)?)?;
        Ok(())
    }

    /// What it has counted.
    pub fn counts(&self) -> Result<Counts, Box<dyn Error>> {
        Ok(serde_json::from_str(&self.say("")?)?)
    }

    /// A line to it, and the line that it answers.
    fn say(&self, text: &str) -> Result<String, Box<dyn Error>> {
        let (to, from) = &mut *self.line.borrow_mut();
        writeln!(to, "{text}")?;
        to.flush()?;
        let mut answer = String::new();
        from.read_line(&mut answer)?;
        if answer.is_empty() {
            return Err("the provider has gone".into());
        }
        Ok(answer)
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        // It may have gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// This program again.
pub fn itself(words: &[&str]) -> Result<Command, Box<dyn Error>> {
    let mut command = bare(&std::env::current_exe()?);
    command.args(words);
    Ok(command)
}
