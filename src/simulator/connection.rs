//! The wire: serves HTTP/1.1 on a socket, and cuts, resets or holds a connection where a fault says so.

use std::future::pending;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use http_body_util::{BodyExt, Limited};
use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use hyper::header::{CONTENT_TYPE, HeaderMap};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::Simulator;
use super::answers::{Answer, Reply};
use super::call::Call;

const BODY_BYTES_MAX: usize = 1024 * 1024;
const ACCEPT_FAILURES_MAX: u32 = 100;
const ACCEPT_PAUSE: Duration = Duration::from_millis(20);

/// Serves until dropped; every connection ends with it.
pub(super) async fn serve(simulator: Simulator, listener: TcpListener) -> io::Result<()> {
    let mut guests = JoinSet::new();
    let mut failures = 0;
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => {
                    failures = 0;
                    guests.spawn(attend(simulator.clone(), stream, peer));
                }
                // A guest that left early or a lack of descriptors passes; what stays is told.
                Err(error) if failures >= ACCEPT_FAILURES_MAX => return Err(error),
                Err(_) => {
                    failures += 1;
                    sleep(ACCEPT_PAUSE).await;
                }
            },
            Some(_) = guests.join_next() => {}
        }
    }
}

async fn attend(simulator: Simulator, stream: TcpStream, peer: SocketAddr) {
    // Answers are small, and a delayed one would look like a slow provider.
    let _ = stream.set_nodelay(true);
    let reset = Arc::new(AtomicBool::new(false));
    let service = service_fn(|request| handle(simulator.clone(), peer.ip(), Arc::clone(&reset), request));
    let mut connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    // An error here is a client that went, or a fault at work.
    let _ = (&mut connection).await;
    if reset.load(Ordering::Relaxed) {
        let stream = connection.into_parts().io.into_inner();
        let _ = stream.set_zero_linger();
    }
}

/// The connection ends without an answer.
#[derive(Debug, thiserror::Error)]
#[error("the connection is cut")]
struct Cut;

async fn handle(
    simulator: Simulator,
    peer: IpAddr,
    reset: Arc<AtomicBool>,
    request: Request<Incoming>,
) -> Result<Response<Parcel>, Cut> {
    let reply = match read(request, peer).await? {
        Some(call) => simulator.desk().answer(&call),
        None => Reply::Whole(Answer::bare(
            413,
            "Payload Too Large",
            "Request body is too large",
        )),
    };
    let latency = simulator.latency();
    match reply {
        Reply::Whole(answer) => {
            hold_back(latency).await;
            respond(&answer, false)
        }
        Reply::Half(answer) => {
            hold_back(latency).await;
            respond(&answer, true)
        }
        Reply::Reset => {
            reset.store(true, Ordering::Relaxed);
            Err(Cut)
        }
        Reply::Hang => pending().await,
    }
}

/// Reads a request to its end; `None` when its body is larger than any that the API knows.
async fn read(request: Request<Incoming>, peer: IpAddr) -> Result<Option<Call>, Cut> {
    let (head, body) = request.into_parts();
    let body = match Limited::new(body, BODY_BYTES_MAX).collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) if error.is::<http_body_util::LengthLimitError>() => return Ok(None),
        Err(_) => return Err(Cut),
    };
    Ok(Some(Call {
        method: head.method.to_string(),
        path: head.uri.path().to_owned(),
        query: head.uri.query().unwrap_or_default().to_owned(),
        token: text(&head.headers, "x-access-token"),
        content_type: text(&head.headers, CONTENT_TYPE.as_str()),
        body,
        peer,
    }))
}

fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    let value = headers.get(name)?;
    Some(String::from_utf8_lossy(value.as_bytes()).into_owned())
}

fn respond(answer: &Answer, half: bool) -> Result<Response<Parcel>, Cut> {
    let (media_type, bytes) = answer.content.encode();
    let mut response = Response::builder().status(answer.status);
    if !bytes.is_empty() {
        response = response.header(CONTENT_TYPE, media_type);
    }
    for (name, value) in &answer.headers {
        response = response.header(*name, value);
    }
    response.body(Parcel::new(bytes, half)).map_err(|_| Cut)
}

/// A body that is sent whole, or announced whole and cut in the middle.
struct Parcel {
    length: u64,
    next: Option<Bytes>,
    cut: Stage,
}

/// How far a cut has got. What was sent must leave before the connection ends, so one turn is waited.
enum Stage {
    None,
    Due,
    Flushed,
}

impl Parcel {
    fn new(bytes: Vec<u8>, half: bool) -> Self {
        let length = bytes.len();
        let mut bytes = Bytes::from(bytes);
        if half {
            bytes.truncate(length / 2);
        }
        Self {
            length: length as u64,
            next: Some(bytes).filter(|bytes| !bytes.is_empty()),
            cut: if half { Stage::Due } else { Stage::None },
        }
    }
}

impl Body for Parcel {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        if let Some(bytes) = self.next.take() {
            return Poll::Ready(Some(Ok(Frame::data(bytes))));
        }
        match self.cut {
            Stage::None => Poll::Ready(None),
            Stage::Due => {
                self.cut = Stage::Flushed;
                context.waker().wake_by_ref();
                Poll::Pending
            }
            Stage::Flushed => Poll::Ready(Some(Err(Cut))),
        }
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.length)
    }
}

/// Even a sleep of nothing lasts until the runtime's next tick, a millisecond later.
async fn hold_back(latency: Duration) {
    if !latency.is_zero() {
        sleep(latency).await;
    }
}
