//! The writes against a real file.

use super::*;
use crate::domain::{Amount, Environment, Ref};
use crate::ledger::{Caps, Filter, InHand, Ledger, schema};

type Outcome = std::result::Result<(), Box<dyn std::error::Error>>;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap_or(Timestamp::UNIX_EPOCH)
}

fn account(environment: Environment) -> Account {
    Account {
        username: "+213770000000".to_owned(),
        environment,
    }
}

fn new_send(reference: &str, amount: u32) -> NewSend {
    NewSend {
        account: account(Environment::Sandbox),
        intent: Intent {
            reference: reference.parse().unwrap_or_else(|error| panic!("{error}")),
            phone: "0778037340".parse().unwrap_or_else(|error| panic!("{error}")),
            plan: "PREPAID_DJEZZY".parse().unwrap_or_else(|error| panic!("{error}")),
            amount: Amount::of(amount).unwrap_or_else(|error| panic!("{error}")),
        },
        operator: Operator::Djezzy,
        cost: "496.25".parse().ok(),
        at: at(0),
        path: "/v3/mobile/send".to_owned(),
        request: "{}".to_owned(),
        again: None,
        why: None,
        guard: Guard::default(),
    }
}

async fn written(ledger: &Ledger, new: NewSend) -> Result<Written> {
    match ledger.begin(new).await? {
        Begun::Written(written) => Ok(*written),
        other => panic!("not written: {other:?}"),
    }
}

#[tokio::test]
async fn an_order_is_in_the_ledger_before_it_is_sent_and_after_it_is_opened_again() -> Outcome {
    let place = tempfile::tempdir()?;
    let path = place.path().join("ledger.db");
    let ledger = Ledger::open(&path)?;
    let first = written(&ledger, new_send("a", 500)).await?;
    assert_eq!((first.order.state, first.order.attempts), (State::Sending, 1));
    drop(ledger);
    let ledger = Ledger::open(&path)?;
    let again = ledger.find(&first.order.account, &first.order.intent.reference)?;
    assert_eq!(again.as_ref(), Some(&first.order));
    let attempts = ledger.attempts(&first.order)?;
    assert_eq!(attempts.len(), 1);
    assert_eq!(attempts.first().and_then(|attempt| attempt.ended_at), None);
    Ok(())
}

#[tokio::test]
async fn a_ref_is_written_once_per_account() -> Outcome {
    let place = tempfile::tempdir()?;
    let ledger = Ledger::open(&place.path().join("ledger.db"))?;
    written(&ledger, new_send("a", 500)).await?;
    assert!(
        matches!(ledger.begin(new_send("a", 700)).await?, Begun::Exists(order) if order.intent.amount.dinars() == 500)
    );
    let elsewhere = NewSend {
        account: account(Environment::Production),
        ..new_send("a", 500)
    };
    written(&ledger, elsewhere).await?;
    assert_eq!(
        ledger
            .list(&account(Environment::Production), &Filter::default())?
            .len(),
        1
    );
    Ok(())
}

#[tokio::test]
async fn two_writers_can_not_both_pass_the_guard() -> Outcome {
    let place = tempfile::tempdir()?;
    let path = place.path().join("ledger.db");
    let (one, two) = (Ledger::open(&path)?, Ledger::open(&path)?);
    let guarded = |reference| NewSend {
        guard: Guard {
            no_repeat_since: Some(at(-60)),
            ..Guard::default()
        },
        ..new_send(reference, 500)
    };
    let (first, second) = tokio::join!(one.begin(guarded("a")), two.begin(guarded("b")));
    let repeats = [first?, second?]
        .iter()
        .filter(|begun| matches!(begun, Begun::Repeat(_)))
        .count();
    assert_eq!(repeats, 1);
    Ok(())
}

#[tokio::test]
async fn what_was_not_delivered_is_no_repeat_and_counts_against_no_cap() -> Outcome {
    let place = tempfile::tempdir()?;
    let ledger = Ledger::open(&place.path().join("ledger.db"))?;
    let caps = Caps {
        per_number_per_day: Some(1000),
        per_day: Some(1400),
    };
    let guard = Guard {
        no_repeat_since: Some(at(-60)),
        caps,
        day_start: at(-3600),
        own_batch: None,
    };
    let first = written(&ledger, new_send("a", 600)).await?;
    let over = ledger
        .begin(NewSend {
            guard: guard.clone(),
            ..new_send("b", 401)
        })
        .await?;
    let passed = CapPassed {
        cap: "max_per_number_per_day",
        limit: 1000,
        used: 600,
    };
    assert!(
        matches!(over, Begun::OverCap(found) if found == passed),
        "{over:?}"
    );
    ledger
        .change(&first.order, Change::to(State::Rejected, at(1), "refused"))
        .await?;
    written(
        &ledger,
        NewSend {
            guard: guard.clone(),
            ..new_send("c", 600)
        },
    )
    .await?;
    let mut other = NewSend {
        guard,
        ..new_send("d", 801)
    };
    other.intent.phone = "0555123456".parse()?;
    assert!(matches!(ledger.begin(other).await?, Begun::OverCap(found) if found.cap == "max_per_day"));
    Ok(())
}

#[tokio::test]
async fn illegal_moves_and_stale_readers_are_refused() -> Outcome {
    let place = tempfile::tempdir()?;
    let ledger = Ledger::open(&place.path().join("ledger.db"))?;
    let read = written(&ledger, new_send("a", 500)).await?.order;
    let done = ledger
        .change(&read, Change::to(State::Fulfilled, at(1), "delivered"))
        .await?;
    assert_eq!(done.owner, None);
    let stale = ledger
        .change(&read, Change::to(State::Unknown, at(2), "late"))
        .await;
    assert_eq!(stale, Err(LedgerError::Stale(read.intent.reference.clone())));
    let illegal = ledger
        .change(&done, Change::to(State::Refunded, at(3), "no"))
        .await;
    assert!(matches!(illegal, Err(LedgerError::Illegal(_))));
    let by_hand = Change {
        settled_by: Some(SettledBy::Operator),
        ..Change::to(State::WrittenOff, at(3), "no")
    };
    assert!(matches!(
        ledger.change(&done, by_hand).await,
        Err(LedgerError::Illegal(_))
    ));
    Ok(())
}

/// A process that was taken for dead has its answer after all: nothing of it is lost, and an acceptance is believed.
#[tokio::test]
async fn an_answer_that_comes_late_stays_with_its_order() -> Outcome {
    let place = tempfile::tempdir()?;
    let path = place.path().join("ledger.db");
    let (ledger, other) = (Ledger::open(&path)?, Ledger::open(&path)?);
    let answer = Attempt {
        endpoint: "send".to_owned(),
        path: "/v3/mobile/send".to_owned(),
        request: Some("{}".to_owned()),
        started_at: at(0),
        ended_at: Some(at(3)),
        http_status: Some(200),
        request_id: None,
        answer: Some("the answer".to_owned()),
        outcome: Some("it came".to_owned()),
    };
    for (reference, meanwhile, to, expected) in [
        ("found", &[State::Unknown][..], State::Accepted, State::Accepted),
        ("refused", &[State::Unknown], State::Rejected, State::Unknown),
        (
            "ended",
            &[State::Unknown, State::Fulfilled],
            State::Accepted,
            State::Fulfilled,
        ),
        (
            "again",
            &[State::Unknown, State::Sending],
            State::Accepted,
            State::Sending,
        ),
    ] {
        for has_number in [true, false] {
            let sent = written(&ledger, new_send(&format!("{reference}-{has_number}"), 500)).await?;
            let mut known = sent.order.clone();
            for state in meanwhile {
                known = other
                    .change(&known, Change::to(*state, at(1), "taken over"))
                    .await?;
            }
            let sent = Written {
                attempt: sent.attempt.filter(|_| has_number),
                ..sent
            };
            let change = Change {
                topup_id: TopupId::new("t-1"),
                ..Change::to(to, at(3), "it came")
            };
            let told = ledger
                .change(&sent.order, change.answering(&sent, answer.clone()))
                .await;
            let found = ledger.find(&known.account, &known.intent.reference)?;
            assert_eq!(
                found.as_ref().map(|order| order.state),
                Some(expected),
                "{reference}"
            );
            if expected == State::Accepted {
                assert_eq!(Some(told?), found, "{reference}");
            } else {
                assert_eq!(
                    told,
                    Err(LedgerError::Stale(known.intent.reference.clone())),
                    "{reference}"
                );
                assert_eq!(found, Some(known.clone()), "{reference}");
            }
            let kept = ledger.attempts(&known)?;
            let kept: Vec<_> = kept.iter().filter(|attempt| attempt.answer.is_some()).collect();
            assert_eq!(kept, [&answer], "{reference}");
        }
    }
    Ok(())
}

/// Each end, from every state that it is come to from, by the provider's word or by the operator's: no statement takes it
/// back, and news about it leaves it as it is.
#[tokio::test]
async fn the_database_itself_keeps_every_end() -> Outcome {
    let place = tempfile::tempdir()?;
    let path = place.path().join("ledger.db");
    let ledger = Ledger::open(&path)?;
    let raw = rusqlite::Connection::open(&path)?;
    let mut count = 0;
    for end in State::ALL.into_iter().filter(|state| state.is_end()) {
        for from in State::ALL {
            let by_hand = !from.may_become(end) && from.may_be_settled();
            if !by_hand && !from.may_become(end) {
                continue;
            }
            count += 1;
            let sent = written(&ledger, new_send(&format!("o-{count}"), 500))
                .await?
                .order;
            let before = if from == State::Sending {
                sent
            } else {
                ledger
                    .change(&sent, Change::to(from, at(1), "on its way"))
                    .await?
            };
            let ending = Change {
                settled_by: Some(if by_hand {
                    SettledBy::Operator
                } else {
                    SettledBy::Provider
                }),
                ..Change::to(end, at(2), "ended")
            };
            let ended = ledger.change(&before, ending).await?;
            let news = Change {
                note: Some("seen".to_owned()),
                ..Change::to(end, at(3), "news")
            };
            let ended = ledger.change(&ended, news).await?;
            for to in State::ALL.into_iter().filter(|to| *to != end) {
                let is_open = i32::from(to.is_open());
                for further in ["", ", ended_as = NULL", ", ended_as = state", ", ended_as = ?1"] {
                    let update =
                        format!("UPDATE orders SET state = ?1, is_open = ?2{further} WHERE ref = ?3");
                    let tried = raw.execute(&update, (to.word(), is_open, ended.intent.reference.as_str()));
                    assert!(tried.is_err(), "{from} to {end}, then {to}{further}");
                }
            }
            let read = ledger.find(&ended.account, &ended.intent.reference)?;
            assert_eq!(read.map(|order| order.state), Some(end));
        }
    }
    assert!(count > 3);
    Ok(())
}

#[tokio::test]
async fn only_what_made_nothing_is_sent_again_under_its_ref() -> Outcome {
    let place = tempfile::tempdir()?;
    let ledger = Ledger::open(&place.path().join("ledger.db"))?;
    let first = written(&ledger, new_send("a", 500)).await?.order;
    let again = |revision| NewSend {
        again: Some(Again {
            revision,
            counts: true,
        }),
        ..new_send("a", 500)
    };
    let rejected = ledger
        .change(&first, Change::to(State::Rejected, at(1), "refused"))
        .await?;
    assert!(matches!(
        ledger.begin(again(first.revision)).await,
        Err(LedgerError::Stale(_))
    ));
    let second = written(&ledger, again(rejected.revision)).await?.order;
    assert_eq!((second.state, second.attempts), (State::Sending, 2));
    let moves: Vec<_> = ledger.moves(&second)?.into_iter().map(|step| step.to).collect();
    assert_eq!(moves, [State::Sending, State::Rejected, State::Sending]);
    Ok(())
}

#[tokio::test]
async fn the_owner_of_a_sending_order_is_known_to_others() -> Outcome {
    let place = tempfile::tempdir()?;
    let path = place.path().join("ledger.db");
    let (one, two) = (Ledger::open(&path)?, Ledger::open(&path)?);
    let order = written(&one, new_send("a", 500)).await?.order;
    assert!(two.is_being_sent(&order) && !one.is_being_sent(&order));
    drop(one);
    assert!(!two.is_being_sent(&order));
    Ok(())
}

#[tokio::test]
async fn lists_are_filtered_and_come_oldest_first() -> Outcome {
    let place = tempfile::tempdir()?;
    let ledger = Ledger::open(&place.path().join("ledger.db"))?;
    for (index, reference) in (0_i64..).zip(["a", "b", "c"]) {
        written(
            &ledger,
            NewSend {
                at: at(index),
                ..new_send(reference, 500)
            },
        )
        .await?;
    }
    let b: Ref = "b".parse()?;
    let order = ledger.find(&account(Environment::Sandbox), &b)?.ok_or("b")?;
    ledger
        .change(&order, Change::to(State::Fulfilled, at(9), "delivered"))
        .await?;
    let refs = |filter: Filter| -> Result<Vec<String>> {
        let orders = ledger.list(&account(Environment::Sandbox), &filter)?;
        Ok(orders
            .iter()
            .map(|order| order.intent.reference.to_string())
            .collect())
    };
    assert_eq!(refs(Filter::default())?, ["a", "b", "c"]);
    assert_eq!(
        refs(Filter {
            limit: Some(2),
            ..Filter::default()
        })?,
        ["b", "c"]
    );
    assert_eq!(
        refs(Filter {
            states: vec![State::Sending],
            ..Filter::default()
        })?,
        ["a", "c"]
    );
    assert_eq!(
        refs(Filter {
            since: Some(at(1)),
            until: Some(at(2)),
            ..Filter::default()
        })?,
        ["b"]
    );
    assert_eq!(
        refs(Filter {
            phone: "0555123456".parse().ok(),
            ..Filter::default()
        })?,
        Vec::<String>::new()
    );
    let open = |in_hand| ledger.open_count(&account(Environment::Sandbox), in_hand);
    let all = open(InHand::Nothing)?;
    assert_eq!((all.count, all.oldest), (2, Some(at(0))));
    let (a, november) = ("a".parse()?, "november".parse()?);
    let but_a = open(InHand::Order(&a))?;
    assert_eq!((but_a.count, but_a.oldest), (1, Some(at(2))));
    assert_eq!(open(InHand::Batch(&november))?.count, 2);
    let in_states = |states| {
        refs(Filter {
            states,
            ..Filter::default()
        })
    };
    let open_states = State::ALL.into_iter().filter(|state| state.is_open());
    assert_eq!(in_states(open_states.collect())?, ["a", "c"]);
    assert_eq!(in_states(vec![State::Conflict])?, Vec::<String>::new());
    assert_eq!(ledger.refs_like("b", 5)?, [(b, State::Fulfilled)]);
    Ok(())
}

/// Every move of the machine, and news about an order where it stands, with all that an answer can say and with nothing.
#[tokio::test]
async fn what_a_change_returns_is_what_is_read_behind_it() -> Outcome {
    let place = tempfile::tempdir()?;
    let path = place.path().join("ledger.db");
    let ledger = Ledger::open(&path)?;
    let by_hand = schema::connect(&path)?;
    let full = |to| Change {
        provider_status: Some(ProviderStatus::named("PENDING")),
        topup_id: TopupId::new("t-1"),
        provider_ref: Some("API-x".to_owned()),
        their_at: Some(at(3)),
        cost: "1.25".parse().ok(),
        message: Some("m".to_owned()),
        offers: vec![Offer {
            name: "n".to_owned(),
            plan: "p".to_owned(),
            amount: None,
        }],
        request_id: Some("req-1".to_owned()),
        settled_by: Some(SettledBy::Provider),
        note: Some("n".to_owned()),
        keep_owner: true,
        ..Change::to(to, at(2), "why")
    };
    let mut expected = Vec::new();
    let mut given = Vec::new();
    for from in State::ALL {
        for to in State::ALL
            .into_iter()
            .filter(|to| *to == from || from.may_become(*to))
        {
            for is_full in [true, false] {
                let reference = format!("order-{}", given.len());
                let sent = written(&ledger, new_send(&reference, 500)).await?;
                let update = "UPDATE orders SET state = ?2, is_open = ?3 WHERE ref = ?1";
                by_hand.execute(update, params![reference, from.word(), from.is_open()])?;
                let read = ledger.find(&sent.order.account, &sent.order.intent.reference)?;
                let change = if is_full {
                    full(to)
                } else {
                    Change::to(to, at(2), "why")
                };
                expected.push((from, to));
                given.push(Box::new((read.ok_or("not there")?, change)));
            }
        }
    }
    let changed = ledger.change_all(given).await?;
    assert_eq!(changed.len(), expected.len());
    for (changed, (from, to)) in changed.into_iter().zip(expected) {
        let changed = changed?;
        assert_eq!(changed.state, to);
        let found = ledger.find(&changed.account, &changed.intent.reference)?;
        assert_eq!(found, Some(changed), "{from} to {to}");
    }
    Ok(())
}

/// A number may have many orders: the newest of them is found without sorting them all.
#[test]
fn a_repeat_is_found_without_going_through_all_orders_of_its_number() -> Outcome {
    let place = tempfile::tempdir()?;
    let path = place.path().join("ledger.db");
    drop(Ledger::open(&path)?);
    let connection = schema::connect(&path)?;
    let query = crate::ledger::guard::repeat_query();
    let mut plan = connection.prepare(&format!("EXPLAIN QUERY PLAN {query}"))?;
    let steps = plan.query_map([rusqlite::types::Null; 8], |row| row.get::<_, String>("detail"))?;
    let steps: Vec<_> = steps.collect::<std::result::Result<_, _>>()?;
    let [step] = &steps[..] else {
        panic!("{steps:?}");
    };
    assert!(
        step.contains("orders_by_phone") && step.contains("sent_at>?"),
        "{step}"
    );
    Ok(())
}
