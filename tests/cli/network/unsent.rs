//! Requests that never leave: no listener, no TLS, no way through a proxy, no such host. Nothing is claimed but that
//! (exit 7), nothing is sent, and the same command again does it once.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::case::{arrived, never_arrived};
use super::papers::Papers;
use super::road::{Act, Call, Open, Pipe, Road, Rule, Then};
use super::suite::{Remote, run_on, tell};
use crate::support::{KEY, OrFail};

/// Answers the question for the balance honestly, closes, and calls this: the next connection is for the POST.
fn behind_the_balance(change: impl Fn() + Send + Sync + 'static) -> Rule {
    let act = Act {
        arrives: true,
        play: Arc::new(move |reply, pipe| {
            change();
            pipe.write_all(&reply.head_with(&[
                "connection: close",
                &format!("content-length: {}", reply.body.len()),
            ]))?;
            pipe.write_all(&reply.body)?;
            Ok(Then::Close)
        }),
    };
    Rule {
        call: Call::Balance,
        first: 1,
        times: usize::MAX,
        act,
    }
}

/// The way breaks between balance and POST, or before all: nothing left, and nothing is claimed. Mended, the same
/// commands do what they should.
#[track_caller]
fn expect_not_sent(remote: &Remote, breaks: impl Fn() + Clone + Send + Sync + 'static, mends: impl Fn()) {
    remote.save("november.csv", 2, 100);
    remote.road.set(&[behind_the_balance(breaks.clone())]);
    remote
        .send("order-1", 500)
        .expect_exit(7)
        .expect_error("not_sent");
    mends();
    let batch = remote.batch("november.csv").expect_exit(7);
    assert_eq!(
        remote.states(""),
        ["planned", "planned", "cancelled"],
        "{batch:?}"
    );
    assert_eq!(remote.road.posts(None), 0, "{batch:?}");
    breaks();
    remote.run(&["balance"]).expect_exit(7);
    remote.send("order-2", 600).expect_exit(7);
    mends();
    remote.road.mend();
    remote.send("order-1", 500).expect_exit(0);
    remote.batch("november.csv").expect_exit(0);
    // What could not even ask for the balance was not begun.
    assert_eq!(remote.states("order-2"), Vec::<String>::new());
    assert_eq!(remote.road.posts(None), 3);
    remote.expect_each_paid_once(3);
}

#[test]
fn a_refused_connection_is_not_sent() {
    let remote = Remote::open();
    let leaving = Arc::new(remote.road.leaving());
    expect_not_sent(&remote, move || leaving(), || remote.road.come_back());
    tell("refused", &[&remote]);
}

/// A name that nobody has (RFC 6761 keeps it so).
#[test]
fn a_host_that_is_not_found_is_not_sent() {
    let remote = Remote::open();
    let url = remote.road.url();
    let remote = remote.set("BASE_URL", "https://api.invalid");
    remote.save("november.csv", 2, 100);
    for words in [
        &["balance"][..],
        &["plans", "--refresh"],
        &["batch", "november.csv", "--yes"],
    ] {
        remote.run(words).expect_exit(7);
    }
    remote.send("order-1", 500).expect_exit(7);
    let remote = remote.set("BASE_URL", &url);
    assert_eq!(remote.states(""), Vec::<String>::new());
    remote.send("order-1", 500).expect_exit(0);
    remote.batch("november.csv").expect_exit(0);
    remote.expect_each_paid_once(3);
    tell("no such host", &[&remote]);
}

/// What a server does in place of a handshake.
type Broken = fn(&Papers, TcpStream) -> io::Result<Box<dyn Pipe>>;

/// Accepts with good papers, or breaks while it is told to.
fn tls(papers: &Arc<Papers>, broken: Broken, is_broken: &Arc<AtomicBool>) -> Open {
    let (papers, is_broken) = (Arc::clone(papers), Arc::clone(is_broken));
    Arc::new(move |stream| {
        if is_broken.load(Ordering::SeqCst) {
            broken(&papers, stream)
        } else {
            papers.shake(stream, &papers.good)
        }
    })
}

fn ends(mut stream: TcpStream, said: &[u8]) -> io::Result<Box<dyn Pipe>> {
    stream.read_exact(&mut [0; 5])?;
    stream.write_all(said)?;
    Err(io::ErrorKind::ConnectionAborted.into())
}

#[test]
fn a_handshake_that_fails_is_not_sent() {
    let ways: &[Broken] = &[
        |papers, stream| papers.shake(stream, &papers.self_signed),
        |papers, stream| papers.shake(stream, &papers.of_another_host),
        |papers, stream| papers.shake(stream, &papers.expired),
        |papers, stream| papers.shake(stream, &papers.not_yet_valid),
        |_, stream| ends(stream, b""),
        |_, stream| ends(stream, b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n"),
        |_, stream| ends(stream, b"\x15\x03\x03\x00\x02\x02\x28"),
        |_, stream| ends(stream, b"\x16\x03\x03\x00\x7a\x02\x00\x00\x76\x03\x03"),
        |_, _| Err(io::ErrorKind::ConnectionReset.into()),
    ];
    let papers = Arc::new(Papers::issue());
    let run = |broken: &Broken| {
        let is_broken = Arc::new(AtomicBool::new(false));
        let open = tls(&papers, *broken, &is_broken);
        let remote = Remote::open_tls(&papers, open);
        let breaks = Arc::clone(&is_broken);
        expect_not_sent(
            &remote,
            move || breaks.store(true, Ordering::SeqCst),
            || is_broken.store(false, Ordering::SeqCst),
        );
        remote
    };
    let remotes: Vec<_> = ways.iter().map(run).collect();
    tell("TLS", &remotes.iter().collect::<Vec<_>>());
}

/// Behind a good handshake a cut is a cut: also one that only TLS can tell from an end.
#[test]
fn a_cut_behind_the_handshake_is_unknown() {
    let papers = Arc::new(Papers::issue());
    let open = || {
        let open = tls(&papers, |_, _| Err(io::ErrorKind::Other.into()), &Arc::default());
        Remote::open_tls(&papers, open)
    };
    run_on(
        "cut inside TLS",
        &[
            never_arrived().closed_without_a_byte().expect_unknown(),
            arrived().reset_without_a_byte().expect_unknown(),
            arrived().cut_inside_body().expect_unknown(),
            arrived().no_length().expect_unknown(),
            arrived().cut_after_body().expect_accepted(),
        ],
        &open,
    );
}

/// Plain HTTP where TLS should be, from the first byte on, and the other way round.
#[test]
fn a_server_that_speaks_no_tls_gets_no_key() {
    let papers = Papers::issue();
    let remote = Remote::open_unseen(Road::to);
    let (plain, secret) = (remote.road.url(), remote.road.url().replace("http:", "https:"));
    // The server waits for the end of a head, and the client for the server.
    let remote = remote
        .set("BASE_URL", &secret)
        .set("CONNECT_TIMEOUT", "250ms")
        .with("SSL_CERT_FILE", &papers.authority());
    remote.run(&["balance"]).expect_exit(7);
    remote.send("order-1", 500).expect_exit(7);
    assert_eq!(remote.road.posts(None), 0);
    let remote = remote.set("BASE_URL", &plain);
    remote.send("order-1", 500).expect_exit(0);
    remote.expect_each_paid_once(1);
    tell("no TLS", &[&remote]);
}

/// What a proxy does with the wish for a tunnel.
type Tunnel = fn(&mut TcpStream) -> io::Result<bool>;

/// A proxy: what it was asked, and what it does.
struct Proxy {
    address: String,
    asked: Arc<Mutex<Vec<String>>>,
    does: Arc<Mutex<Tunnel>>,
}

/// A tunnel as it should be.
fn opens(guest: &mut TcpStream) -> io::Result<bool> {
    guest.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")?;
    Ok(true)
}

impl Proxy {
    /// One that leads to this road, whatever host is asked for.
    fn to(road: &Road) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").or_fail("no port");
        let address = listener.local_addr().or_fail("no address").to_string();
        let asked: Arc<Mutex<Vec<String>>> = Arc::default();
        let does: Arc<Mutex<Tunnel>> = Arc::new(Mutex::new(opens));
        let (heard, plays, behind) = (Arc::clone(&asked), Arc::clone(&does), road.address());
        std::thread::spawn(move || {
            for guest in listener.incoming().flatten() {
                let (heard, plays) = (Arc::clone(&heard), Arc::clone(&plays));
                // A guest that goes early shows in its own exit code.
                std::thread::spawn(move || tunnel(guest, &heard, &plays, behind));
            }
        });
        Self { address, asked, does }
    }

    fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Does this from now on.
    fn doing(&self, tunnel: Tunnel) -> impl Fn() + Clone + Send + Sync + 'static {
        let does = Arc::clone(&self.does);
        move || *does.lock().unwrap_or_else(PoisonError::into_inner) = tunnel
    }
}

fn tunnel(
    mut guest: TcpStream,
    asked: &Mutex<Vec<String>>,
    plays: &Mutex<Tunnel>,
    behind: std::net::SocketAddr,
) -> io::Result<()> {
    let (mut wish, mut byte) = (Vec::new(), [0]);
    while !wish.ends_with(b"\r\n\r\n") && guest.read(&mut byte)? == 1 {
        wish.push(byte[0]);
    }
    let wish = String::from_utf8_lossy(&wish).into_owned();
    asked.lock().unwrap_or_else(PoisonError::into_inner).push(wish);
    let does = *plays.lock().unwrap_or_else(PoisonError::into_inner);
    if !does(&mut guest)? {
        return Ok(());
    }
    let server = TcpStream::connect(behind)?;
    let (mut from_guest, mut to_server) = (guest.try_clone()?, server.try_clone()?);
    std::thread::spawn(move || {
        let _ = io::copy(&mut from_guest, &mut to_server);
        to_server.shutdown(std::net::Shutdown::Write)
    });
    let (mut from_server, mut to_guest) = (server, guest);
    io::copy(&mut from_server, &mut to_guest)?;
    to_guest.shutdown(std::net::Shutdown::Both)
}

/// A shop whose provider is `api.invalid`, which only a proxy finds.
fn behind_a_proxy(variable: &str) -> (Remote, Proxy) {
    let papers = Arc::new(Papers::issue());
    let open = tls(&papers, |_, _| Err(io::ErrorKind::Other.into()), &Arc::default());
    let remote = Remote::open_unseen(|provider| Road::opened(provider, open));
    let proxy = Proxy::to(&remote.road);
    let remote = remote
        .set("BASE_URL", "https://api.invalid")
        .with("SSL_CERT_FILE", &papers.authority())
        .with(variable, &proxy.url());
    (remote, proxy)
}

/// The proxy variables are honoured in each spelling, and the proxy sees neither the key nor an order.
#[test]
fn a_proxy_that_opens_a_tunnel_is_taken_and_sees_nothing() {
    let mut remotes = Vec::new();
    for variable in ["HTTPS_PROXY", "https_proxy", "ALL_PROXY"] {
        let (remote, proxy) = behind_a_proxy(variable);
        remote.send("order-1", 500).expect_exit(0);
        let asked = proxy.asked();
        assert!(!asked.is_empty(), "{variable}");
        for head in asked {
            assert!(head.starts_with("CONNECT api.invalid:443 HTTP/1.1\r\n"), "{head}");
            assert!(
                !head.contains(KEY) && !head.to_lowercase().contains("x-access-token"),
                "{head}"
            );
        }
        remote.expect_each_paid_once(1);
        remotes.push(remote);
    }
    tell("proxy", &remotes.iter().collect::<Vec<_>>());
}

#[test]
fn a_proxy_that_opens_no_tunnel_is_not_sent() {
    let ways: &[Tunnel] = &[
        |guest| {
            guest.write_all(b"HTTP/1.1 407 Proxy Authentication Required\r\nproxy-authenticate: Basic\r\ncontent-length: 13\r\n\r\n<html></html>")?;
            Ok(false)
        },
        |guest| {
            guest.write_all(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 13\r\n\r\n<html></html>")?;
            Ok(false)
        },
        |guest| {
            guest.write_all(b"HTTP/1.1 502 Bad Gateway\r\n\r\n<html>no such host</html>")?;
            Ok(false)
        },
        |guest| {
            guest.write_all(b"HTTP/1.1 302 Found\r\nlocation: http://portal.invalid/\r\n\r\n")?;
            Ok(false)
        },
        // A portal's page in place of the tunnel: its bytes are no handshake.
        |guest| {
            guest.write_all(b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\n\r\n<html>sign in</html>")?;
            Ok(false)
        },
        |guest| {
            guest.write_all(b"garbage\r\n\r\n")?;
            Ok(false)
        },
        |_| Ok(false),
        |guest| {
            opens(guest)?;
            Ok(false)
        },
    ];
    let remotes: Vec<_> = ways
        .iter()
        .map(|way| {
            let (remote, proxy) = behind_a_proxy("HTTPS_PROXY");
            remote.run(&["plans"]).expect_exit(0);
            let mends = proxy.doing(opens);
            expect_not_sent(&remote, proxy.doing(*way), mends);
            remote
        })
        .collect();
    tell("no tunnel", &remotes.iter().collect::<Vec<_>>());
}

/// What must not go through a proxy does not: this machine, and hosts that `NO_PROXY` names.
#[test]
fn a_proxy_that_is_not_meant_is_not_asked() {
    let remote = Remote::open();
    let proxy = Proxy::to(&remote.road);
    let remote = ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY"]
        .into_iter()
        .fold(remote, |remote, variable| remote.with(variable, &proxy.url()));
    remote.send("order-1", 500).expect_exit(0);
    assert_eq!(proxy.asked(), Vec::<String>::new());
    tell("this machine", &[&remote]);
    let (remote, proxy) = behind_a_proxy("HTTPS_PROXY");
    let remote = remote.with("NO_PROXY", "api.invalid");
    remote.send("order-1", 500).expect_exit(7);
    assert_eq!(proxy.asked(), Vec::<String>::new());
}
