//! Answers that are cut, slow, endless, of a wrong length, or none at all.

use super::case::{Case, PAGE, arrived, never_arrived};
use super::suite::{Remote, run, run_on};

/// What a run may take of the address space, in kilobytes: a twentieth of what the server sends.
const MEMORY_KB: u32 = 512 << 10;

#[test]
fn a_cut_answer_is_unknown_wherever_it_is_cut() {
    run(
        "cut",
        &[
            never_arrived().closed_without_a_byte().expect_unknown(),
            never_arrived().reset_without_a_byte().expect_unknown(),
            never_arrived().cut_inside_status_line().expect_unknown(),
            never_arrived().cut_inside_headers().expect_unknown(),
            arrived().closed_without_a_byte().expect_unknown(),
            arrived().reset_without_a_byte().expect_unknown(),
            arrived().cut_inside_status_line().expect_unknown(),
            arrived().cut_inside_headers().expect_unknown(),
            arrived().cut_before_body().expect_unknown(),
            arrived().cut_inside_body().expect_unknown(),
            arrived().reset_inside_body().expect_unknown(),
            arrived().cut_before_last_byte().expect_unknown(),
            arrived().cut_after_body().expect_accepted(),
        ],
    );
}

#[test]
fn an_answer_that_does_not_come_in_time_is_unknown() {
    run(
        "slow",
        &[
            arrived().hangs().expect_unknown(),
            never_arrived().hangs().expect_unknown(),
            arrived().hangs_inside_headers().expect_unknown(),
            arrived().hangs_inside_body().expect_unknown(),
            arrived().one_byte_a_second().expect_unknown(),
            arrived().endless_interim_answers().expect_unknown(),
            arrived().one_byte_at_a_time().expect_accepted(),
        ],
    );
}

/// In an address space that holds a twentieth of it.
#[test]
fn an_answer_without_end_is_unknown_and_takes_no_memory() {
    run_on(
        "endless",
        &[
            arrived().endless_header_line().expect_unknown(),
            arrived().endless_headers().expect_unknown(),
            arrived().ten_gigabytes_by_length().expect_unknown(),
            arrived().ten_gigabytes_in_chunks().expect_unknown(),
            arrived().ten_gigabytes_until_closed().expect_unknown(),
            never_arrived().ten_gigabytes_by_length().expect_unknown(),
            arrived().endless_chunk_extensions().expect_unknown(),
            arrived().endless_trailers().expect_unknown(),
        ],
        &|| Remote::open().within(MEMORY_KB),
    );
}

#[test]
fn an_answer_of_a_wrong_length_is_unknown() {
    run(
        "length",
        &[
            arrived().length_too_long().expect_unknown(),
            arrived().length_too_short().expect_unknown(),
            arrived().length_negative().expect_unknown(),
            arrived().length_no_number().expect_unknown(),
            arrived().length_beyond_numbers().expect_unknown(),
            arrived().two_lengths().expect_unknown(),
            arrived().no_length_and_cut().expect_unknown(),
            arrived().chunks_without_end().expect_unknown(),
            arrived().chunk_of_no_size().expect_unknown(),
            arrived().chunk_too_large().expect_unknown(),
            arrived().no_length().expect_accepted(),
            arrived().in_chunks().expect_accepted(),
            // The chunks win (RFC 9112, 6.3), and the connection is not used again.
            arrived().chunks_and_length().expect_accepted(),
        ],
    );
}

#[test]
fn what_is_no_http_is_unknown() {
    let frames = b"\x00\x00\x12\x04\x00\x00\x00\x00\x00\x00\x03\x00\x00\x00\x80\x00\x04\x00\x01\x00\x00";
    run(
        "no HTTP",
        &[
            arrived()
                .writes_first("garbage in front", *b"\x00\xff\x13garbage\r\n")
                .expect_unknown(),
            arrived().writes("HTTP/0.9", PAGE).expect_unknown(),
            never_arrived().writes("HTTP/0.9", PAGE).expect_unknown(),
            arrived().writes("frames of HTTP/2", *frames).expect_unknown(),
            arrived()
                .writes("the preface of HTTP/2", *b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
                .expect_unknown(),
            arrived()
                .writes("a version nobody knows", *b"HTTP/3.7 200 OK\r\n\r\n{}")
                .expect_unknown(),
            arrived()
                .writes("a status of two digits", *b"HTTP/1.1 20 OK\r\n\r\n{}")
                .expect_unknown(),
            arrived()
                .writes("the greeting of a mail server", *b"220 mail ESMTP\r\n")
                .expect_unknown(),
            arrived()
                .writes("an alert of TLS", *b"\x15\x03\x03\x00\x02\x02\x28")
                .expect_unknown(),
        ],
    );
}

#[test]
fn interim_and_odd_statuses_say_nothing_or_no_harm() {
    let flood = b"HTTP/1.1 100 Continue\r\n\r\n".repeat(50);
    run(
        "status",
        &[
            arrived().writes_first("100 fifty times", flood).expect_accepted(),
            arrived()
                .writes_first(
                    "102 and 103",
                    *b"HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n",
                )
                .expect_accepted(),
            arrived()
                .writes(
                    "101",
                    *b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n",
                )
                .expect_unknown(),
            arrived()
                .writes(
                    "204 with a body",
                    *b"HTTP/1.1 204 No Content\r\ncontent-length: 2\r\n\r\n{}",
                )
                .expect_unknown(),
            arrived()
                .answers("304 Not Modified", "etag: \"x\"\r\n", "")
                .expect_unknown(),
            arrived().answers("200 OK", "", "").expect_unknown(),
            arrived()
                .answers("200 OK", "content-encoding: gzip\r\n", "\u{1f}")
                .expect_unknown(),
            never_arrived().answers("202 Accepted", "", "{}").expect_unknown(),
            never_arrived().answers("999 What", "", "").expect_unknown(),
        ],
    );
}

/// The road sees one POST for each: a redirect is never followed.
#[test]
fn a_redirect_is_followed_by_nobody() {
    let statuses = [
        "301 Moved",
        "302 Found",
        "303 See Other",
        "307 Temporary",
        "308 Permanent",
    ];
    let places = [
        "/v3/mobile/send",
        "http://127.0.0.1:9/elsewhere",
        "https://portal.invalid/login",
    ];
    let cases: Vec<Case> = statuses
        .iter()
        .zip(places.iter().cycle())
        .enumerate()
        .map(|(place_of, (status, place))| {
            let location = format!("location: {place}\r\n");
            let case = if place_of % 2 == 0 {
                never_arrived()
            } else {
                arrived()
            };
            case.answers(status, &location, PAGE).expect_unknown()
        })
        .collect();
    run("redirect", &cases);
}

/// A page of a hotel's portal, an office's proxy, a gateway.
#[test]
fn the_page_of_a_stranger_is_unknown() {
    let html = "content-type: text/html\r\n";
    run(
        "page",
        &[
            never_arrived().answers("200 OK", html, PAGE).expect_unknown(),
            arrived().answers("200 OK", html, PAGE).expect_unknown(),
            never_arrived()
                .answers("403 Forbidden", html, PAGE)
                .expect_unknown(),
            never_arrived()
                .answers("404 Not Found", html, PAGE)
                .expect_unknown(),
            never_arrived()
                .answers(
                    "407 Proxy Authentication Required",
                    "proxy-authenticate: Basic\r\n",
                    PAGE,
                )
                .expect_unknown(),
            never_arrived()
                .answers("511 Network Authentication Required", html, PAGE)
                .expect_unknown(),
            arrived().answers("502 Bad Gateway", html, PAGE).expect_unknown(),
            never_arrived()
                .answers("502 Bad Gateway", html, PAGE)
                .expect_unknown(),
            arrived()
                .answers("504 Gateway Timeout", html, PAGE)
                .expect_unknown(),
            never_arrived()
                .answers(
                    "404 Not Found",
                    "",
                    r#"{"message":"Route not found","error":"Not Found","statusCode":404}"#,
                )
                .expect_unknown(),
        ],
    );
}
