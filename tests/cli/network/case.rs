//! The language of a broken road: `arrived().cut_inside_body().expect_unknown()`.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use super::road::{Act, Pipe, Reply, Then};

/// What must follow from an answer of this kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning {
    /// Nothing certain: the order is unknown and asked about, never sent blindly again.
    Unknown,
    /// As good as an honest one.
    Good,
}

/// One way in which an answer comes.
#[derive(Clone)]
pub struct Case {
    pub name: String,
    pub act: Act,
    pub meaning: Meaning,
    /// Whether the client waits a moment only: the answer never comes to its end.
    pub is_endless: bool,
}

/// The request is accepted by the provider; what happens then, happens to the answer.
pub fn arrived() -> Case {
    Case::new(true)
}

/// The request is taken on the way, and the provider never sees it.
pub fn never_arrived() -> Case {
    Case::new(false)
}

/// A page as a hotel, an office or a broken gateway shows it.
pub const PAGE: &str = "<!DOCTYPE html><html><body>Please sign in to continue</body></html>";

const GIGABYTES_10: u64 = 10 << 30;

impl Case {
    fn new(arrives: bool) -> Self {
        Self {
            name: if arrives { "arrived" } else { "never arrived" }.to_owned(),
            act: Act {
                arrives,
                ..Act::honest()
            },
            meaning: Meaning::Unknown,
            is_endless: false,
        }
    }

    /// Nothing can be told from it.
    #[must_use]
    pub fn expect_unknown(self) -> Self {
        Self {
            meaning: Meaning::Unknown,
            ..self
        }
    }

    /// It is as good as an honest answer.
    #[must_use]
    pub fn expect_accepted(self) -> Self {
        Self {
            meaning: Meaning::Good,
            ..self
        }
    }

    fn does(
        mut self,
        what: &str,
        play: impl Fn(&Reply, &mut dyn Pipe) -> io::Result<Then> + Send + Sync + 'static,
    ) -> Self {
        self.name = format!("{}, {what}", self.name);
        self.act.play = Arc::new(play);
        self
    }

    /// So many bytes of the honest answer, and then something else.
    fn cut(self, what: &str, then: Then, kept: impl Fn(&Reply) -> usize + Send + Sync + 'static) -> Self {
        self.does(what, move |reply, pipe| {
            pipe.write_all(&reply.bytes()[..kept(reply)])?;
            pipe.flush()?;
            Ok(then)
        })
    }

    /// Other headers in place of the length, then the body, then the end of the connection.
    fn says(self, what: &str, headers: &'static [&'static str]) -> Self {
        self.does(what, move |reply, pipe| {
            pipe.write_all(&reply.head_with(headers))?;
            pipe.write_all(&reply.body)?;
            Ok(Then::Close)
        })
    }

    /// These bytes and nothing of the answer.
    pub fn writes(self, what: &str, bytes: impl Into<Vec<u8>>) -> Self {
        let bytes = bytes.into();
        self.does(what, move |_, pipe| {
            pipe.write_all(&bytes)?;
            Ok(Then::Close)
        })
    }

    /// These bytes, then the honest answer.
    pub fn writes_first(self, what: &str, bytes: impl Into<Vec<u8>>) -> Self {
        let bytes = bytes.into();
        self.does(what, move |reply, pipe| {
            pipe.write_all(&bytes)?;
            pipe.write_all(&reply.bytes())?;
            Ok(Then::Close)
        })
    }

    /// A whole answer of a server that is not the provider.
    pub fn answers(self, status: &str, headers: &str, body: &str) -> Self {
        let bytes = format!(
            "HTTP/1.1 {status}\r\n{headers}content-length: {}\r\n\r\n{body}",
            body.len()
        );
        let what = format!("answered by a stranger: {status}");
        self.does(&what, move |_, pipe| {
            pipe.write_all(bytes.as_bytes())?;
            Ok(Then::Keep)
        })
    }

    // Cuts.

    pub fn closed_without_a_byte(self) -> Self {
        self.cut("closed without a byte", Then::Close, |_| 0)
    }

    pub fn reset_without_a_byte(self) -> Self {
        self.cut("reset without a byte", Then::Reset, |_| 0)
    }

    pub fn cut_inside_status_line(self) -> Self {
        self.cut("cut inside the status line", Then::Close, |_| 7)
    }

    pub fn cut_inside_headers(self) -> Self {
        self.cut("cut inside the headers", Then::Close, |reply| {
            reply.honest_head().len() - 8
        })
    }

    pub fn cut_before_body(self) -> Self {
        self.cut("cut before the body", Then::Close, |reply| {
            reply.honest_head().len()
        })
    }

    pub fn cut_inside_body(self) -> Self {
        self.cut("cut inside the body", Then::Close, |reply| {
            reply.bytes().len() - reply.body.len() / 2
        })
    }

    pub fn reset_inside_body(self) -> Self {
        self.cut("reset inside the body", Then::Reset, |reply| {
            reply.bytes().len() - reply.body.len() / 2
        })
    }

    pub fn cut_before_last_byte(self) -> Self {
        self.cut("cut before the last byte", Then::Close, |reply| {
            reply.bytes().len() - 1
        })
    }

    pub fn cut_after_body(self) -> Self {
        self.cut("cut after the body", Then::Close, |reply| reply.bytes().len())
    }

    pub fn reset_after_body(self) -> Self {
        self.cut("reset after the body", Then::Reset, |reply| reply.bytes().len())
    }

    // Time.

    /// Nothing comes, and nobody closes.
    pub fn hangs(self) -> Self {
        self.stalls("no answer, half open", |_| 0)
    }

    pub fn hangs_inside_headers(self) -> Self {
        self.stalls("stalls inside the headers", |reply| reply.honest_head().len() - 8)
    }

    pub fn hangs_inside_body(self) -> Self {
        self.stalls("stalls inside the body", |reply| {
            reply.bytes().len() - reply.body.len() / 2
        })
    }

    fn stalls(self, what: &str, kept: impl Fn(&Reply) -> usize + Send + Sync + 'static) -> Self {
        self.endless().does(what, move |reply, pipe| {
            pipe.write_all(&reply.bytes()[..kept(reply)])?;
            pipe.flush()?;
            // Until the client gives up.
            let _ = pipe.read(&mut [0]);
            Ok(Then::Close)
        })
    }

    pub fn one_byte_a_second(self) -> Self {
        self.endless().does("one byte a second", |reply, pipe| {
            trickle(reply, pipe, Duration::from_secs(1))
        })
    }

    /// Slow, but in time.
    pub fn one_byte_at_a_time(self) -> Self {
        self.does("one byte at a time", |reply, pipe| {
            trickle(reply, pipe, Duration::from_micros(100))
        })
    }

    fn endless(self) -> Self {
        Self {
            is_endless: true,
            ..self
        }
    }

    // More than anybody may keep in memory.

    pub fn endless_header_line(self) -> Self {
        self.floods(
            "an endless header line",
            b"HTTP/1.1 200 OK\r\nx: ",
            b"aaaaaaaaaaaaaaaa",
        )
    }

    pub fn endless_headers(self) -> Self {
        self.floods(
            "endless headers",
            b"HTTP/1.1 200 OK\r\n",
            b"x-more: aaaaaaaaaaaaaaaa\r\n",
        )
    }

    pub fn endless_interim_answers(self) -> Self {
        self.endless().does("100 without end", |_, pipe| {
            loop {
                pipe.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
                std::thread::sleep(Duration::from_millis(10));
            }
        })
    }

    pub fn ten_gigabytes_by_length(self) -> Self {
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {GIGABYTES_10}\r\n\r\n");
        self.floods("10 GB by length", head.as_bytes(), b" ")
    }

    pub fn ten_gigabytes_in_chunks(self) -> Self {
        let chunk = format!("10000\r\n{}\r\n", " ".repeat(1 << 16));
        self.floods(
            "10 GB in chunks",
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
            chunk.as_bytes(),
        )
    }

    pub fn ten_gigabytes_until_closed(self) -> Self {
        self.floods("10 GB until closed", b"HTTP/1.1 200 OK\r\n\r\n", b" ")
    }

    pub fn endless_chunk_extensions(self) -> Self {
        self.floods(
            "endless chunk extensions",
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1",
            b";extension=aaaaaaaaaaaaaaaa",
        )
    }

    pub fn endless_trailers(self) -> Self {
        self.floods(
            "endless trailers",
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n",
            b"x-more: aaaaaaaaaaaaaaaa\r\n",
        )
    }

    fn floods(self, what: &str, head: &[u8], piece: &[u8]) -> Self {
        let head = head.to_vec();
        let pieces = piece.repeat((1_usize << 16).div_ceil(piece.len()));
        self.does(what, move |_, pipe| {
            pipe.write_all(&head)?;
            let mut sent = 0;
            // Ends with an error as soon as the client has had enough.
            while sent < GIGABYTES_10 {
                pipe.write_all(&pieces)?;
                sent += pieces.len() as u64;
            }
            Ok(Then::Close)
        })
    }

    // Lengths.

    pub fn length_too_long(self) -> Self {
        self.does("the length too long", |reply, pipe| {
            let length = format!("content-length: {}", reply.body.len() + 1);
            pipe.write_all(&reply.head_with(&[&length]))?;
            pipe.write_all(&reply.body)?;
            Ok(Then::Close)
        })
    }

    pub fn length_too_short(self) -> Self {
        self.does("the length too short", |reply, pipe| {
            let length = format!("content-length: {}", reply.body.len() - 2);
            pipe.write_all(&reply.head_with(&[&length]))?;
            pipe.write_all(&reply.body)?;
            Ok(Then::Keep)
        })
    }

    pub fn length_negative(self) -> Self {
        self.says("a negative length", &["content-length: -1"])
    }

    pub fn length_no_number(self) -> Self {
        self.says("a length that is no number", &["content-length: many"])
    }

    pub fn length_beyond_numbers(self) -> Self {
        self.says(
            "a length beyond all numbers",
            &["content-length: 99999999999999999999999999"],
        )
    }

    pub fn two_lengths(self) -> Self {
        self.says("two lengths", &["content-length: 2", "content-length: 200"])
    }

    pub fn no_length(self) -> Self {
        self.says("no length, until closed", &[])
    }

    pub fn no_length_and_cut(self) -> Self {
        self.does("no length, cut inside the body", |reply, pipe| {
            pipe.write_all(&reply.head_with(&[]))?;
            pipe.write_all(&reply.body[..reply.body.len() / 2])?;
            Ok(Then::Close)
        })
    }

    /// Chunks, and between the parts of the body what `more` says.
    fn chunked(
        self,
        what: &str,
        headers: &'static [&'static str],
        extension: &'static str,
        end: &'static str,
    ) -> Self {
        self.does(what, move |reply, pipe| {
            pipe.write_all(&reply.head_with(headers))?;
            let (first, second) = reply.body.split_at(reply.body.len() / 2);
            for part in [first, second] {
                write!(pipe, "{:x}{extension}\r\n", part.len())?;
                pipe.write_all(part)?;
                pipe.write_all(b"\r\n")?;
            }
            pipe.write_all(end.as_bytes())?;
            Ok(Then::Close)
        })
    }

    pub fn in_chunks(self) -> Self {
        self.chunked(
            "in chunks",
            &["transfer-encoding: chunked"],
            ";a=b",
            "0\r\nx-trailer: 1\r\n\r\n",
        )
    }

    pub fn chunks_without_end(self) -> Self {
        self.chunked(
            "chunks without the last one",
            &["transfer-encoding: chunked"],
            "",
            "",
        )
    }

    pub fn chunks_and_length(self) -> Self {
        self.chunked(
            "chunks and a length",
            &["content-length: 5", "transfer-encoding: chunked"],
            "",
            "0\r\n\r\n",
        )
    }

    pub fn chunk_of_no_size(self) -> Self {
        self.says("a chunk whose size is no number", &["transfer-encoding: chunked"])
    }

    pub fn chunk_too_large(self) -> Self {
        self.chunked(
            "a chunk larger than any number",
            &["transfer-encoding: chunked"],
            "ffffffffffffffffff",
            "0\r\n\r\n",
        )
    }
}

fn trickle(reply: &Reply, pipe: &mut dyn Pipe, pause: Duration) -> io::Result<Then> {
    for byte in reply.bytes() {
        pipe.write_all(&[byte])?;
        pipe.flush()?;
        std::thread::sleep(pause);
    }
    Ok(Then::Keep)
}
