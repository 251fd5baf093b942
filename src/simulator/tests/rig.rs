//! A simulator on a thread of its own, and the smallest HTTP/1.1 client that can see how a call ends.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::oneshot;

use crate::simulator::{Options, Simulator};

pub(super) const KEY: &str = "simulator";
const PATIENCE: Duration = Duration::from_millis(300);

/// A simulator that serves until it is dropped.
pub(super) struct Rig {
    pub(super) simulator: Simulator,
    pub(super) address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// How a call ended.
#[derive(Debug, PartialEq)]
pub(super) enum End {
    Answer(Heard),
    /// The connection was reset.
    Reset,
    /// The connection was closed without a whole head.
    Closed,
    /// The head and some bytes, but fewer than it announced.
    Cut,
    /// Nothing came while we were patient.
    Silence,
}

/// An answer.
#[derive(Debug, PartialEq, Clone)]
pub(super) struct Heard {
    pub(super) status: u16,
    head: String,
    pub(super) body: String,
}

impl Heard {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (key, value) = line.split_once(": ")?;
            key.eq_ignore_ascii_case(name).then_some(value)
        })
    }

    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    pub(super) fn code(&self) -> String {
        self.json()["error"]["code"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }
}

/// Options with no quota, whose simulated time stands still until it is advanced.
pub(super) fn calm() -> Options {
    Options {
        speed: 0,
        rate: Some(0),
        ..Options::default()
    }
}

impl Rig {
    pub(super) fn start(options: Options) -> Self {
        let simulator = Simulator::open(options).unwrap_or_else(|error| panic!("{error}"));
        let listener = TcpListener::bind("127.0.0.1:0").unwrap_or_else(|error| panic!("{error}"));
        let address = listener.local_addr().unwrap_or_else(|error| panic!("{error}"));
        let (stop, stopped) = oneshot::channel();
        let served = simulator.clone();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap_or_else(|error| panic!("{error}"));
            runtime.block_on(async {
                listener
                    .set_nonblocking(true)
                    .unwrap_or_else(|error| panic!("{error}"));
                let listener =
                    tokio::net::TcpListener::from_std(listener).unwrap_or_else(|error| panic!("{error}"));
                tokio::select! {
                    result = served.serve(listener) => panic!("{result:?}"),
                    _ = stopped => {}
                }
            });
        });
        Self {
            simulator,
            address,
            stop: Some(stop),
            thread: Some(thread),
        }
    }

    pub(super) fn calm() -> Self {
        Self::start(calm())
    }

    /// A simulator in which these switches are set.
    pub(super) fn switched(switches: &[&str]) -> Self {
        let mut options = calm();
        for spelling in switches {
            options
                .switches
                .set(spelling)
                .unwrap_or_else(|error| panic!("{error}"));
        }
        Self::start(options)
    }

    /// A simulator in which these faults strike.
    pub(super) fn faulty(faults: &[&str]) -> Self {
        let mut options = calm();
        options.faults = faults
            .iter()
            .map(|fault| fault.parse().unwrap_or_else(|error| panic!("{error}")))
            .collect();
        Self::start(options)
    }

    /// Makes a call with any key, and says how it ended.
    pub(super) fn call(&self, method: &str, path: &str, key: Option<&str>, body: Option<&Value>) -> End {
        let mut stream = TcpStream::connect(self.address).unwrap_or_else(|error| panic!("{error}"));
        let body = body.map(Value::to_string).unwrap_or_default();
        let key = key
            .map(|key| format!("X-Access-Token: {key}\r\n"))
            .unwrap_or_default();
        let length = body.len();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\n{key}Content-Type: application/json\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
        );
        stream
            .set_read_timeout(Some(PATIENCE))
            .unwrap_or_else(|error| panic!("{error}"));
        match stream.write_all(request.as_bytes()) {
            Ok(()) => listen(&mut stream),
            Err(_) => End::Reset,
        }
    }

    /// Reads with the right key.
    pub(super) fn get(&self, path: &str) -> Heard {
        heard(self.call("GET", path, Some(KEY), None))
    }

    /// The data of a success.
    pub(super) fn data(&self, path: &str) -> Value {
        let answer = self.get(path);
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()["data"].clone()
    }

    /// Sends a body with the right key.
    pub(super) fn post(&self, body: &Value) -> Heard {
        heard(self.send_raw(body))
    }

    /// Sends a body with the right key, however it ends.
    pub(super) fn send_raw(&self, body: &Value) -> End {
        self.call("POST", "/v3/mobile/send", Some(KEY), Some(body))
    }

    /// Sends 500 to a number under a ref.
    pub(super) fn send(&self, reference: &str, phone: &str) -> Heard {
        self.post(&top_up(reference, phone))
    }

    /// Calls a route of the simulator's own.
    pub(super) fn admin(&self, route: &str, body: &Value) -> Value {
        let answer = heard(self.call("POST", &format!("/_simulator/{route}"), None, Some(body)));
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()
    }

    /// Lets simulated time pass.
    pub(super) fn pass(&self, seconds: u32) {
        self.admin("advance", &json!({ "seconds": seconds }));
    }

    /// How often a ref was accepted.
    pub(super) fn accepted(&self, reference: &str) -> u64 {
        self.simulator.books()["accepted"][reference]["count"]
            .as_u64()
            .unwrap_or_default()
    }

    /// The state of a ref as a check tells it.
    pub(super) fn status(&self, reference: &str) -> String {
        let data = self.data(&format!("/v3/mobile/check-ref/{reference}"));
        data["status"].as_str().unwrap_or_default().to_owned()
    }

    /// The balance as the account tells it, digit by digit.
    pub(super) fn balance(&self) -> String {
        self.data("/v3/account/balance")["balance"].to_string()
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic of the server has been printed; the test fails by what it misses.
            let _ = thread.join();
        }
    }
}

/// 500 dinars by the plan that every number takes.
pub(super) fn top_up(reference: &str, phone: &str) -> Value {
    json!({ "plan_code": "PREPAID_DJEZZY", "MSSIDN": phone, "amount": 500, "ref": reference })
}

pub(super) fn heard(end: End) -> Heard {
    match end {
        End::Answer(heard) => heard,
        other => panic!("no answer: {other:?}"),
    }
}

fn listen(stream: &mut TcpStream) -> End {
    let mut bytes = Vec::new();
    let result = stream.read_to_end(&mut bytes);
    if let Err(error) = result {
        return match error.kind() {
            ErrorKind::WouldBlock | ErrorKind::TimedOut => End::Silence,
            _ => End::Reset,
        };
    }
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let Some((head, body)) = text.split_once("\r\n\r\n") else {
        return End::Closed;
    };
    let status = head.get(9..12).and_then(|code| code.parse().ok());
    let answer = Heard {
        status: status.unwrap_or_default(),
        head: head.to_owned(),
        body: body.to_owned(),
    };
    let announced = answer
        .header("content-length")
        .and_then(|length| length.parse().ok())
        .unwrap_or(0);
    match answer.body.len() {
        whole if whole >= announced => End::Answer(answer),
        0 => End::Closed,
        _ => End::Cut,
    }
}
