//! The road between shop and provider: a TCP server that passes requests on to the simulator, and does to bytes and
//! connections what its script says. The simulator's books stay the truth.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::Value;

use crate::support::OrFail;

/// Both ends of what is said, encrypted or not.
pub trait Pipe: Read + Write {}

impl<T: Read + Write> Pipe for T {}

/// What happens to a connection behind an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    Keep,
    Close,
    /// The connection is reset, not closed.
    Reset,
}

/// Writes what it makes of an answer.
pub type Play = Arc<dyn Fn(&Reply, &mut dyn Pipe) -> io::Result<Then> + Send + Sync>;

/// What the road does with one request.
#[derive(Clone)]
pub struct Act {
    /// Whether the request reaches the provider before anything is answered.
    pub arrives: bool,
    pub play: Play,
}

impl Act {
    /// Passes the answer on as it is.
    pub fn honest() -> Self {
        Self {
            arrives: true,
            play: Arc::new(|reply, pipe| {
                pipe.write_all(&reply.bytes())?;
                Ok(Then::Keep)
            }),
        }
    }
}

/// What is asked for, as far as the script tells it apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Call {
    Send,
    /// `check-ref`, `check-id`, `list`.
    Question,
    Balance,
    Other,
}

/// When an act is played: on these calls, from the `first` of them (from 1) on, so many times.
#[derive(Clone)]
pub struct Rule {
    pub call: Call,
    pub first: usize,
    pub times: usize,
    pub act: Act,
}

/// A request as it came.
#[derive(Debug, Clone)]
pub struct Request {
    pub call: Call,
    /// The ref of a POST.
    pub reference: String,
    head: String,
    body: Vec<u8>,
}

/// The provider's answer.
#[derive(Debug, Clone)]
pub struct Reply {
    /// The status line and the headers that matter, without line ends.
    pub head: Vec<String>,
    pub body: Vec<u8>,
}

impl Reply {
    /// What the provider has not said: for acts that write something of their own, or little of it.
    fn imitation() -> Self {
        Self {
            head: vec![
                "HTTP/1.1 200 OK".to_owned(),
                "content-type: application/json".to_owned(),
            ],
            body: br#"{"success":true,"data":{"topupId":"000000000000000000000000","topupRef":"#.to_vec(),
        }
    }

    /// The head with other headers behind it, and the empty line.
    pub fn head_with(&self, more: &[&str]) -> Vec<u8> {
        let lines = self.head.iter().map(String::as_str).chain(more.iter().copied());
        let mut head = lines.collect::<Vec<_>>().join("\r\n");
        head.push_str("\r\n\r\n");
        head.into_bytes()
    }

    /// The head as it should be.
    pub fn honest_head(&self) -> Vec<u8> {
        self.head_with(&[&format!("content-length: {}", self.body.len())])
    }

    /// All of it as it should be.
    pub fn bytes(&self) -> Vec<u8> {
        [self.honest_head(), self.body.clone()].concat()
    }
}

#[derive(Default)]
struct Script {
    rules: Vec<Rule>,
    counts: BTreeMap<Call, usize>,
}

impl Script {
    fn act(&mut self, call: Call) -> Act {
        let count = self.counts.entry(call).or_default();
        *count += 1;
        let fits =
            |rule: &&Rule| rule.call == call && *count >= rule.first && *count - rule.first < rule.times;
        self.rules
            .iter()
            .find(fits)
            .map_or_else(Act::honest, |rule| rule.act.clone())
    }
}

/// A connection once it is accepted: encrypted, or as it is.
pub type Open = Arc<dyn Fn(TcpStream) -> io::Result<Box<dyn Pipe>> + Send + Sync>;

struct Shared {
    address: SocketAddr,
    provider: String,
    script: Mutex<Script>,
    requests: Mutex<Vec<Request>>,
    connections: Mutex<usize>,
    open: Open,
    is_closed: AtomicBool,
}

/// A road with its script; gone when dropped.
pub struct Road {
    shared: Arc<Shared>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Road {
    /// A road in plain HTTP to the provider at `http://…`; honest until its script says otherwise.
    pub fn to(provider: &str) -> Self {
        Self::opened(provider, Arc::new(|stream| Ok(Box::new(stream))))
    }

    /// A road whose connections are opened in a way of their own.
    pub fn opened(provider: &str, open: Open) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").or_fail("no port");
        let address = listener.local_addr().or_fail("no address");
        let shared = Arc::new(Shared {
            address,
            provider: provider.trim_start_matches("http://").to_owned(),
            script: Mutex::default(),
            requests: Mutex::default(),
            connections: Mutex::default(),
            open,
            is_closed: AtomicBool::new(false),
        });
        Arc::clone(&shared).listen(listener);
        Self { shared }
    }

    /// It is there again, at its old address.
    pub fn come_back(&self) {
        self.shared.is_closed.store(false, Ordering::SeqCst);
        let listener = TcpListener::bind(self.shared.address).or_fail("the port is taken");
        Arc::clone(&self.shared).listen(listener);
    }

    /// Something that lets nobody in any more, once it is called: a connection is refused then.
    pub fn leaving(&self) -> impl Fn() + Send + Sync + 'static {
        let shared = Arc::clone(&self.shared);
        move || shared.leave()
    }

    pub fn address(&self) -> SocketAddr {
        self.shared.address
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.shared.address)
    }

    /// From now on these rules and no others, counted anew.
    pub fn set(&self, rules: &[Rule]) {
        *locked(&self.shared.script) = Script {
            rules: rules.to_vec(),
            counts: BTreeMap::new(),
        };
    }

    /// The road is mended.
    pub fn mend(&self) {
        self.set(&[]);
    }

    /// How many whole POSTs have come for a ref, or for all of them.
    pub fn posts(&self, reference: Option<&str>) -> usize {
        let requests = locked(&self.shared.requests);
        let posts = requests.iter().filter(|request| request.call == Call::Send);
        posts
            .filter(|request| reference.is_none_or(|reference| request.reference == reference))
            .count()
    }

    /// How many connections were opened.
    pub fn connections(&self) -> usize {
        *locked(&self.shared.connections)
    }
}

impl Drop for Road {
    fn drop(&mut self) {
        self.shared.leave();
    }
}

impl Shared {
    fn listen(self: Arc<Self>, listener: TcpListener) {
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if self.is_closed.load(Ordering::SeqCst) {
                    break;
                }
                let shared = Arc::clone(&self);
                // A client that goes away early shows in its own exit code.
                std::thread::spawn(move || shared.serve(stream));
            }
        });
    }

    /// Returns when a connection is refused.
    fn leave(&self) {
        self.is_closed.store(true, Ordering::SeqCst);
        // Each attempt wakes the listener, which then goes.
        while TcpStream::connect(self.address).is_ok() {}
    }

    fn serve(&self, stream: TcpStream) -> io::Result<()> {
        *locked(&self.connections) += 1;
        stream.set_nodelay(true)?;
        let socket = stream.try_clone()?;
        let mut pipe = (self.open)(stream)?;
        while let Some(request) = read_request(&mut *pipe)? {
            let act = locked(&self.script).act(request.call);
            locked(&self.requests).push(request.clone());
            let reply = if act.arrives {
                self.pass_on(&request)?
            } else {
                Reply::imitation()
            };
            match (act.play)(&reply, &mut *pipe)? {
                Then::Keep => pipe.flush()?,
                Then::Close => break,
                Then::Reset => {
                    let at_once = Some(std::time::Duration::ZERO);
                    return socket2::SockRef::from(&socket).set_linger(at_once);
                }
            }
        }
        Ok(())
    }

    fn pass_on(&self, request: &Request) -> io::Result<Reply> {
        let mut provider = TcpStream::connect(&self.provider)?;
        write!(provider, "{}connection: close\r\n\r\n", request.head)?;
        provider.write_all(&request.body)?;
        let mut bytes = Vec::new();
        provider.read_to_end(&mut bytes)?;
        let end = find(&bytes, b"\r\n\r\n").unwrap_or(bytes.len());
        let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
        let is_kept = |line: &&str| {
            let name = line.to_ascii_lowercase();
            !name.starts_with("content-length:") && !name.starts_with("connection:")
        };
        Ok(Reply {
            head: head.split("\r\n").filter(is_kept).map(str::to_owned).collect(),
            body: bytes.get(end + 4..).unwrap_or_default().to_vec(),
        })
    }
}

fn find(bytes: &[u8], needle: &[u8]) -> Option<usize> {
    bytes.windows(needle.len()).position(|window| window == needle)
}

/// The next request, head and body; none where the client has closed.
fn read_request(pipe: &mut dyn Pipe) -> io::Result<Option<Request>> {
    let (mut bytes, mut byte) = (Vec::new(), [0]);
    while !bytes.ends_with(b"\r\n\r\n") {
        if pipe.read(&mut byte)? == 0 {
            return Ok(None);
        }
        bytes.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&bytes).trim_end().to_owned() + "\r\n";
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length")
            .then(|| value.trim().parse().ok())?
    });
    let mut body = vec![0; length.unwrap_or(0)];
    pipe.read_exact(&mut body)?;
    let target = head.split(' ').nth(1).unwrap_or_default();
    let call = match target {
        "/v3/mobile/send" => Call::Send,
        "/v3/account/balance" => Call::Balance,
        _ if ["check-ref", "check-id", "mobile/list"]
            .iter()
            .any(|part| target.contains(part)) =>
        {
            Call::Question
        }
        _ => Call::Other,
    };
    let order: Value = serde_json::from_slice(&body).unwrap_or_default();
    let reference = order["ref"].as_str().unwrap_or_default().to_owned();
    Ok(Some(Request {
        call,
        reference,
        head,
        body,
    }))
}
