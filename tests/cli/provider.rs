//! The provider of these tests: `oneclick simulate` in a process of its own, with its controls and its books.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{BINARY, KEY, OrFail};

/// A simulator; gone when dropped.
pub struct Provider {
    process: Mutex<Child>,
    address: String,
}

impl Provider {
    /// Starts one. Time goes a hundredfold and there is no quota, unless the flags say otherwise.
    pub fn open(home: &Path, flags: &[&str]) -> Self {
        Self::open_at("127.0.0.1:0", home, flags)
    }

    fn open_at(address: &str, home: &Path, flags: &[&str]) -> Self {
        let mut command = Command::new(BINARY);
        command.env_clear().env("HOME", home).current_dir(home);
        command.args(["simulate", "--listen", address]);
        for (flag, value) in [("--speed", "100"), ("--rate", "0"), ("--key", KEY)] {
            if !flags.contains(&flag) {
                command.args([flag, value]);
            }
        }
        command
            .args(flags)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut process = command.spawn().or_fail("the simulator does not start");
        let stdout = process.stdout.take().or_fail("the simulator has no stdout");
        let mut line = String::new();
        BufReader::new(stdout)
            .read_line(&mut line)
            .or_fail("the simulator says nothing");
        let address = line
            .trim()
            .strip_prefix("http://")
            .or_fail("the simulator tells no address")
            .to_owned();
        let process = Mutex::new(process);
        Self { process, address }
    }

    /// Where it listens, as `base_url` wants it.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What it has really accepted.
    pub fn books(&self) -> Books {
        Books(self.call("GET", "books", &Value::Null))
    }

    /// Looks at the books until `holds`; panics when that takes more than ten seconds.
    #[track_caller]
    pub fn await_books(&self, what: &str, holds: impl Fn(&Books) -> bool) -> Books {
        let started = Instant::now();
        loop {
            let books = self.books();
            if holds(&books) {
                return books;
            }
            assert!(
                started.elapsed() < Duration::from_secs(10),
                "never seen: {what}; {}",
                books.0
            );
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Waits until nothing is asked any more, for as long as a dozen requests would take.
    pub fn await_rest(&self) -> Books {
        let (mut last, mut looks) = (self.books(), 0);
        while looks < 10 {
            std::thread::sleep(Duration::from_millis(30));
            let now = self.books();
            looks = if now.all_calls() == last.all_calls() {
                looks + 1
            } else {
                0
            };
            last = now;
        }
        last
    }

    /// From now on these faults and no others.
    pub fn set_faults(&self, faults: &[&str]) {
        self.call("POST", "faults", &json!({ "faults": faults }));
    }

    /// Sets a switch, spelt `name=value`.
    pub fn set_switch(&self, spelling: &str) {
        let (name, value) = spelling.split_once('=').or_fail("a switch is name=value");
        self.call("POST", "switch", &json!({ "name": name, "value": value }));
    }

    /// Lets simulated time pass.
    pub fn advance(&self, seconds: u32) {
        self.call("POST", "advance", &json!({ "seconds": seconds }));
    }

    /// Puts money on the account.
    pub fn deposit(&self, dinars: u32) {
        self.call("POST", "deposit", &json!({ "amount": dinars.to_string() }));
    }

    /// It goes, at whatever it was. What it keeps in `--store` is there when it opens again.
    pub fn close(&self) {
        let mut process = self.process.lock().unwrap_or_else(PoisonError::into_inner);
        // It may have gone already; what counts is that none stays behind.
        let _ = process.kill();
        let _ = process.wait();
    }

    /// It comes back at its old address.
    pub fn open_again(&self, home: &Path, flags: &[&str]) {
        self.close();
        let mut again = Self::open_at(&self.address, home, flags);
        let mut process = self.process.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::swap(
            &mut *process,
            again.process.get_mut().unwrap_or_else(PoisonError::into_inner),
        );
    }

    /// An order of the same account that came in by another door.
    pub fn make_order(&self, reference: &str, phone: &str, plan: &str, amount: u32) {
        let order = json!({ "ref": reference, "phone": phone, "plan_code": plan, "amount": amount });
        self.call("POST", "order", &order);
    }

    /// Changes the books behind the ledger's back; `more` is the amount or the text that the deed needs.
    pub fn tamper(&self, what: &str, reference: &str, more: &str) {
        let deed = json!({ "what": what, "ref": reference, "amount": more, "text": more });
        self.call("POST", "tamper", &deed);
    }

    #[track_caller]
    fn call(&self, method: &str, route: &str, body: &Value) -> Value {
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        let mut stream = TcpStream::connect(&self.address).or_fail("the simulator is gone");
        let (address, length) = (&self.address, body.len());
        let head = format!(
            "{method} /_simulator/{route} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\
             content-type: application/json\r\ncontent-length: {length}\r\n\r\n"
        );
        stream
            .write_all(format!("{head}{body}").as_bytes())
            .or_fail("the simulator does not listen");
        let mut answer = String::new();
        stream
            .read_to_string(&mut answer)
            .or_fail("the simulator does not answer");
        let (head, body) = answer.split_once("\r\n\r\n").or_fail("the answer has no body");
        assert!(
            head.starts_with("HTTP/1.1 200"),
            "{method} {route} is refused: {body}"
        );
        serde_json::from_str(body).or_fail("the answer is no JSON")
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        self.close();
    }
}

/// What the provider has really accepted, whatever its client was told.
pub struct Books(pub Value);

impl Books {
    /// How many top-ups were accepted.
    pub fn orders(&self) -> u64 {
        self.0["orders"].as_u64().or_fail("the books count no orders")
    }

    /// How often a ref was accepted.
    pub fn count(&self, reference: &str) -> u64 {
        self.0["accepted"][reference]["count"].as_u64().unwrap_or(0)
    }

    /// Every accepted ref.
    pub fn refs(&self) -> Vec<String> {
        self.0["accepted"]
            .as_object()
            .into_iter()
            .flatten()
            .map(|(name, _)| name.clone())
            .collect()
    }

    /// The provider's word on a ref, where it knows it.
    pub fn status(&self, reference: &str) -> Option<&str> {
        self.0["accepted"][reference]["status"].as_str()
    }

    /// How often an endpoint was called.
    pub fn calls(&self, endpoint: &str) -> u64 {
        self.0["calls"][endpoint].as_u64().unwrap_or(0)
    }

    /// How often anything was called.
    pub fn all_calls(&self) -> u64 {
        self.0["calls"]
            .as_object()
            .into_iter()
            .flatten()
            .filter_map(|(_, count)| count.as_u64())
            .sum()
    }

    /// No ref was accepted twice.
    #[track_caller]
    pub fn expect_no_doubles(&self) {
        for reference in self.refs() {
            assert_eq!(
                self.count(&reference),
                1,
                "`{reference}` was topped up twice: {}",
                self.0
            );
        }
    }
}
