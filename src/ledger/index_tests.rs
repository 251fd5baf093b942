//! What is asked through the indexes of orders, held against a plain walk over all of them.

use rusqlite::params;

use super::*;
use crate::domain::Environment;
use crate::ledger::{InHand, schema};

type Outcome = std::result::Result<(), Box<dyn std::error::Error>>;

/// An order as it was put there.
struct Put {
    id: i64,
    reference: String,
    state: State,
    batch: Option<i64>,
    row: Option<u32>,
    amount: u32,
    is_ours: bool,
}

const BATCHES: [(i64, &str); 2] = [(1, "november"), (2, "december")];

fn account() -> Account {
    Account {
        username: "+213770000000".to_owned(),
        environment: Environment::Sandbox,
    }
}

/// Three orders in every state, of either batch or of none, of a row or of none, of this account or of another.
fn orders() -> Vec<Put> {
    let mut all = Vec::new();
    for round in 0..3 {
        for state in State::ALL {
            for batch in [Some(1), Some(2), None] {
                for has_row in [true, false] {
                    let id = i64::try_from(all.len()).unwrap_or_default() + 1;
                    // What the sheet no longer has is not planned any more.
                    let has_row = has_row || (state == State::Planned && batch.is_some());
                    all.push(Put {
                        id,
                        reference: format!("order-{id:03}"),
                        state,
                        batch,
                        row: u32::try_from(id).ok().filter(|_| has_row),
                        amount: 100 + 10 * u32::try_from(id).unwrap_or_default(),
                        is_ours: batch.is_some() || round < 2,
                    });
                }
            }
        }
    }
    all
}

fn filled(
    ledger: &Ledger,
    path: &std::path::Path,
) -> std::result::Result<Vec<Put>, Box<dyn std::error::Error>> {
    let (orders, owner) = (orders(), ledger.owner_name()?);
    let connection = schema::connect(path)?;
    for (id, label) in BATCHES {
        connection.execute(
            "INSERT INTO batches (id, account, environment, label, created_at) VALUES (?1, '+213770000000', 'sandbox', ?2, 1)",
            params![id, label],
        )?;
    }
    for put in &orders {
        connection.execute(
            "INSERT INTO orders (id, account, environment, ref, state, is_open, phone, plan, operator, amount, cost, \
             batch_id, row, owner, created_at, updated_at, sent_at) VALUES (?1, ?2, 'sandbox', ?3, ?4, ?5, '0778037340', \
             'P', 'Djezzy', ?6, '1.5', ?7, ?8, ?9, ?10, ?10, ?10)",
            params![
                put.id,
                if put.is_ours { "+213770000000" } else { "+213660000000" },
                put.reference,
                put.state.word(),
                put.state.is_open(),
                put.amount,
                put.batch,
                put.row,
                owner,
                // Later ones were sent earlier, two at a time.
                1_800_000_000_000 - put.id / 2,
            ],
        )?;
    }
    Ok(orders)
}

#[test]
fn a_batch_is_the_same_through_its_indexes_and_without_them() -> Outcome {
    let place = tempfile::tempdir()?;
    let path = place.path().join("ledger.db");
    let ledger = Ledger::open(&path)?;
    let orders = filled(&ledger, &path)?;
    for (id, label) in BATCHES {
        let batch = ledger.batch(&account(), &label.parse()?)?.ok_or("no batch")?;
        let of_batch: Vec<_> = orders.iter().filter(|put| put.batch == Some(id)).collect();
        let count = |wanted: &dyn Fn(&Put) -> bool| {
            u64::try_from(of_batch.iter().filter(|put| wanted(put)).count()).unwrap_or_default()
        };
        let standings = ledger.standings(&batch)?;
        for state in State::ALL {
            let in_sheet = count(&|put| put.state == state && put.row.is_some());
            let gone = count(&|put| put.state == state && put.row.is_none());
            assert_eq!(
                standings.states.get(&state).copied().unwrap_or_default(),
                in_sheet,
                "{state}"
            );
            assert_eq!(
                standings.gone.get(&state).copied().unwrap_or_default(),
                gone,
                "{state}"
            );
        }
        assert_eq!(
            ledger.accepted(&batch)?,
            count(&|put| put.state == State::Accepted)
        );
        let paid: Vec<_> = of_batch
            .iter()
            .filter(|put| put.row.is_some() && put.state.may_have_paid())
            .collect();
        let face: u32 = paid.iter().map(|put| put.amount).sum();
        assert_eq!(ledger.paid(&batch)?.face, u64::from(face));
        let unsure: Vec<_> = of_batch
            .iter()
            .filter(|put| put.row.is_some() && put.state.is_in_doubt())
            .collect();
        let face: u32 = unsure.iter().map(|put| put.amount).sum();
        let in_doubt = ledger.in_doubt(&batch, Timestamp::from_millisecond(1_800_000_000_000 - 50)?)?;
        let rows = u64::try_from(unsure.len())?;
        assert_eq!((in_doubt.rows, in_doubt.face), (rows, u64::from(face)));
        let today: u32 = unsure
            .iter()
            .filter(|put| put.id / 2 <= 50)
            .map(|put| put.amount)
            .sum();
        assert!(0 < today && today < face, "{today} of {face}");
        assert_eq!(in_doubt.face_today, u64::from(today));

        let mut sent: Vec<_> = of_batch.iter().filter(|put| put.state.is_open()).collect();
        sent.sort_by_key(|put| (-(put.id / 2), put.id));
        let open = ledger.open_rows(&batch, OpenRow::START, 1_000, true)?;
        let ids = |rows: &[OpenRow]| rows.iter().map(|row| row.id).collect::<Vec<_>>();
        let expected: Vec<_> = sent.iter().map(|put| put.id).collect();
        assert_eq!(ids(&open), expected);
        // Page by page.
        let (first, rest) = expected.split_at(5);
        let page = ledger.open_rows(&batch, OpenRow::START, 5, true)?;
        assert_eq!(ids(&page), first);
        let last = *page.last().ok_or("no page")?;
        assert_eq!(ids(&ledger.open_rows(&batch, last, 1_000, true)?), rest);

        let unknown: Vec<_> = sent
            .iter()
            .filter(|put| put.state == State::Unknown)
            .map(|put| put.reference.clone())
            .collect();
        let found = ledger.lost_rows(&batch, 1_000)?;
        let found: Vec<_> = found
            .iter()
            .map(|order| order.intent.reference.to_string())
            .collect();
        assert_eq!(found, unknown);

        let mut gone = Vec::new();
        ledger.each_order(&batch, &mut |order| {
            gone.push(order.order.intent.reference.to_string());
            Ok(())
        })?;
        let expected: Vec<_> = of_batch
            .iter()
            .filter(|put| put.row.is_none())
            .map(|put| put.reference.clone())
            .collect();
        assert_eq!(gone, expected);

        let mut waiting = Vec::new();
        ledger.each_waiting(&batch, &mut |row| {
            waiting.push(Some(row.row));
            Ok(())
        })?;
        let planned = of_batch.iter().filter(|put| put.state == State::Planned);
        assert_eq!(waiting, planned.map(|put| put.row).collect::<Vec<_>>());
    }
    Ok(())
}

#[test]
fn an_account_is_the_same_through_the_indexes_and_without_them() -> Outcome {
    let place = tempfile::tempdir()?;
    let path = place.path().join("ledger.db");
    let ledger = Ledger::open(&path)?;
    let orders = filled(&ledger, &path)?;
    let of_account = |states: &[State]| -> Vec<_> {
        let wanted = orders
            .iter()
            .filter(|put| put.is_ours && states.contains(&put.state));
        let mut wanted: Vec<_> = wanted
            .map(|put| (-(put.id / 2), put.id, put.reference.clone()))
            .collect();
        wanted.sort();
        wanted.into_iter().map(|(_, _, reference)| reference).collect()
    };
    let open: Vec<_> = State::ALL.into_iter().filter(|state| state.is_open()).collect();
    let alone = State::ALL.map(|state| vec![state]);
    for states in alone.into_iter().chain([open.clone(), State::ALL.to_vec()]) {
        let found = ledger.list(
            &account(),
            &Filter {
                states: states.clone(),
                ..Filter::default()
            },
        )?;
        let found: Vec<_> = found
            .iter()
            .map(|order| order.intent.reference.to_string())
            .collect();
        assert_eq!(found, of_account(&states), "{states:?}");
    }
    let counted = ledger.open_count(&account(), InHand::Nothing)?;
    assert_eq!(usize::try_from(counted.count)?, of_account(&open).len());
    Ok(())
}

/// A batch that was begun under the other spelling of its accents goes on under that.
#[test]
fn a_batch_is_known_under_either_spelling_of_its_name() -> Outcome {
    let place = tempfile::tempdir()?;
    let path = place.path().join("ledger.db");
    let ledger = Ledger::open(&path)?;
    let (composed, apart): (Label, Label) = ("ao\u{fb}t".parse()?, "aou\u{302}t".parse()?);
    let known = |label| ledger.known_label(&account(), label);
    assert_eq!(
        (known(&composed)?, known(&apart)?),
        (composed.clone(), composed.clone())
    );
    begin_batch(&path, &apart)?;
    assert_eq!((known(&composed)?, known(&apart)?), (apart.clone(), apart));
    Ok(())
}

/// Where both spellings are batches, each sheet is that of its own: under the other one all of its refs would be new.
#[test]
fn batches_of_both_spellings_are_told_apart() -> Outcome {
    let place = tempfile::tempdir()?;
    let path = place.path().join("ledger.db");
    let ledger = Ledger::open(&path)?;
    let (composed, apart): (Label, Label) = ("ao\u{fb}t".parse()?, "aou\u{302}t".parse()?);
    for label in [&composed, &apart] {
        begin_batch(&path, label)?;
    }
    for label in [composed, apart] {
        assert_eq!(ledger.known_label(&account(), &label)?, label);
    }
    Ok(())
}

fn begin_batch(path: &std::path::Path, label: &Label) -> Outcome {
    schema::connect(path)?.execute(
        "INSERT INTO batches (account, environment, label, created_at) VALUES ('+213770000000', 'sandbox', ?1, 1)",
        [label.as_str()],
    )?;
    Ok(())
}
