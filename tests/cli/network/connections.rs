//! Connections that are used again: answers that belong to another request, and connections that die while they wait.

use std::sync::{Arc, Mutex, PoisonError};

use super::case::{PAGE, arrived};
use super::road::{Act, Call, Reply, Rule, Then};
use super::suite::{Remote, tell};
use crate::support::files_with;

/// How many rows a sheet has here: enough for a connection to be used several times.
const ROWS: u32 = 5;

/// A shop that has one connection at most, so that every call takes the one before it.
fn with_one_connection() -> Remote {
    Remote::open().set("CONCURRENCY", "1")
}

fn always(call: Call, act: Act) -> Rule {
    Rule {
        call,
        first: 1,
        times: usize::MAX,
        act,
    }
}

/// An acceptance that nobody has asked for, of an order that nobody has made.
fn forged() -> Vec<u8> {
    let body = br#"{"success":true,"data":{"topupId":"ffffffffffffffffffffffff","topupRef":"forged-1"}}"#;
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

/// The honest answer, and at once or a moment later something that belongs to no request.
fn followed_by(bytes: impl Fn(&Reply) -> Vec<u8> + Send + Sync + 'static, is_late: bool) -> Act {
    Act {
        arrives: true,
        play: Arc::new(move |reply, pipe| {
            let (answer, more) = (reply.bytes(), bytes(reply));
            if is_late {
                pipe.write_all(&answer)?;
                pipe.flush()?;
                std::thread::sleep(std::time::Duration::from_millis(3));
                pipe.write_all(&more)?;
            } else {
                pipe.write_all(&[answer, more].concat())?;
            }
            Ok(Then::Keep)
        }),
    }
}

/// Sends a sheet and a single order under these rules, and again on a mended road: nothing is claimed that is not so,
/// and every order ends under its own id, paid once.
#[track_caller]
fn expect_own_answers(remote: &Remote, rules: &[Rule]) {
    remote.save("november.csv", ROWS, 100);
    remote.road.set(rules);
    let sent = [remote.batch("november.csv"), remote.send("order-1", 500)];
    for outcome in &sent {
        assert!(matches!(outcome.code, Some(0 | 6)), "{outcome:?}");
    }
    remote.road.mend();
    remote.batch("november.csv").expect_exit(0);
    remote.send("order-1", 500).expect_exit(0);
    remote.expect_each_paid_once(ROWS as usize + 1);
}

/// The forged answer was not even read as one.
#[track_caller]
fn expect_not_read(remote: &Remote) {
    let taken = files_with(remote.shop.home(), "forged-1");
    assert!(taken.is_empty(), "it was stored as the answer to a request");
}

/// Whatever comes behind an answer is nobody's: not the acceptance of the next order.
#[test]
fn an_answer_that_nobody_asked_for_is_given_to_no_order() {
    let remotes: Vec<_> = [false, true]
        .into_iter()
        .map(|is_late| {
            let remote = with_one_connection();
            let act = followed_by(|_| forged(), is_late);
            let rules = [Call::Balance, Call::Send, Call::Question].map(|call| always(call, act.clone()));
            expect_own_answers(&remote, &rules);
            // One that comes while the next request is under way is read as its answer by any client: its ref tells.
            if !is_late {
                expect_not_read(&remote);
            }
            remote
        })
        .collect();
    tell("unasked", &remotes.iter().collect::<Vec<_>>());
}

/// An answer that comes twice is not the next order's as well.
#[test]
fn an_answer_that_comes_twice_is_given_to_one_order() {
    let remotes: Vec<_> = [false, true]
        .into_iter()
        .map(|is_late| {
            let remote = with_one_connection();
            let act = followed_by(Reply::bytes, is_late);
            expect_own_answers(&remote, &[always(Call::Send, act)]);
            remote
        })
        .collect();
    tell("twice", &remotes.iter().collect::<Vec<_>>());
}

/// A body where none may be holds an acceptance: it is not read as the next answer.
#[test]
fn an_answer_hidden_in_another_is_given_to_no_order() {
    let hidden = ["204 No Content", "304 Not Modified", "200 OK"];
    let remotes: Vec<_> = hidden
        .into_iter()
        .map(|status| {
            let remote = with_one_connection();
            let act = Act {
                arrives: true,
                play: Arc::new(move |_, pipe| {
                    let head = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n");
                    pipe.write_all(&[head.into_bytes(), forged()].concat())?;
                    Ok(Then::Keep)
                }),
            };
            expect_own_answers(&remote, &[always(Call::Send, act)]);
            expect_not_read(&remote);
            remote
        })
        .collect();
    tell("hidden", &remotes.iter().collect::<Vec<_>>());
}

/// A broken proxy answers each POST with the answer to the one before it: every order is asked about, and ends under
/// its own id.
#[test]
fn the_answer_to_another_order_is_not_believed() {
    let remote = with_one_connection();
    let before: Mutex<Option<Reply>> = Mutex::new(None);
    let act = Act {
        arrives: true,
        play: Arc::new(move |reply, pipe| {
            let mut before = before.lock().unwrap_or_else(PoisonError::into_inner);
            let shown = before.replace(reply.clone()).unwrap_or_else(|| reply.clone());
            pipe.write_all(&shown.bytes())?;
            Ok(Then::Keep)
        }),
    };
    expect_own_answers(&remote, &[always(Call::Send, act)]);
    assert_eq!(remote.road.posts(None), ROWS as usize + 1, "none was sent twice");
    tell("swapped", &[&remote]);
}

/// A cache that should not be there keeps the second POST to itself and answers it with the acceptance of the first:
/// nothing was made of it, so nothing may be claimed; it is asked about, proved absent, and sent.
#[test]
fn an_acceptance_from_a_cache_is_not_believed() {
    let remote = with_one_connection();
    let kept: Arc<Mutex<Option<Reply>>> = Arc::default();
    let keeps = Arc::clone(&kept);
    let keep = Act {
        arrives: true,
        play: Arc::new(move |reply, pipe| {
            *keeps.lock().unwrap_or_else(PoisonError::into_inner) = Some(reply.clone());
            pipe.write_all(&reply.bytes())?;
            Ok(Then::Keep)
        }),
    };
    let repeat = Act {
        arrives: false,
        play: Arc::new(move |reply, pipe| {
            let kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
            pipe.write_all(&kept.as_ref().unwrap_or(reply).bytes())?;
            Ok(Then::Keep)
        }),
    };
    let once = |first, act| Rule {
        first,
        times: 1,
        ..always(Call::Send, act)
    };
    remote.road.set(&[once(1, keep), once(2, repeat)]);
    // The same number and amount, so that nothing but the ref tells them apart.
    remote.send("order-1", 500).expect_exit(0);
    remote.send("order-2", 500).expect_exit(0);
    assert_eq!(remote.road.posts(Some("order-2")), 2);
    remote.expect_each_paid_once(2);
    tell("cache", &[&remote]);
}

/// The server closes or resets behind every answer, as one does whose idle time is over: the next POST may find the
/// connection gone. It is sent once all the same.
#[test]
fn a_post_on_a_connection_that_has_died_is_never_sent_blindly_again() {
    let cases = [arrived().cut_after_body(), arrived().reset_after_body()];
    let remotes: Vec<_> = cases
        .into_iter()
        .map(|case| {
            let remote = with_one_connection();
            let rules =
                [Call::Balance, Call::Send, Call::Question].map(|call| always(call, case.act.clone()));
            expect_own_answers(&remote, &rules);
            assert_eq!(remote.road.posts(None), ROWS as usize + 1, "none was sent twice");
            remote
        })
        .collect();
    tell("dead connection", &remotes.iter().collect::<Vec<_>>());
}

/// The server takes the POST on a used connection, accepts it, and closes without a byte: the way a race of
/// keep-alive looks to the client. It is unknown and asked about; one POST is all that comes.
#[test]
fn a_used_connection_that_closes_on_the_post_leaves_it_unknown() {
    let remote = with_one_connection();
    let lost = arrived().closed_without_a_byte().act;
    remote.road.set(&[
        always(Call::Send, lost),
        always(Call::Question, arrived().answers("502 Bad Gateway", "", PAGE).act),
    ]);
    let before = remote.road.connections();
    remote.send("order-1", 500).expect_exit(6);
    assert_eq!(remote.road.posts(None), 1);
    // The balance was asked for on the same connection; each question behind the loss needs a new one at most.
    assert!(remote.road.connections() > before);
    remote.road.mend();
    remote.send("order-1", 500).expect_exit(0);
    assert_eq!(remote.road.posts(None), 1);
    remote.expect_each_paid_once(1);
    tell("closed on reuse", &[&remote]);
}
