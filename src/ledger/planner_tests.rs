//! Sheets against orders that change while somebody looks at them.

use super::*;
use crate::domain::{Amount, Environment, Intent};
use crate::ledger::{Begun, Change, NewSend};

type Failed = Box<dyn std::error::Error>;

/// One order by hand, and one row that is new.
const REFS: [(&str, &str); 2] = [("own-1", "0778037341"), ("own-2", "0778037342")];

fn account() -> Account {
    Account {
        username: "+213770000000".to_owned(),
        environment: Environment::Sandbox,
    }
}

/// The first of `REFS` as a single order whose answer was lost.
async fn lost_by_hand(ledger: &Ledger) -> std::result::Result<Order, Failed> {
    let [(reference, phone), _] = REFS;
    let intent = Intent {
        reference: reference.parse()?,
        phone: phone.parse()?,
        plan: "PREPAID_DJEZZY".parse()?,
        amount: Amount::of(500)?,
    };
    let new = NewSend::by_hand(account(), intent);
    let Begun::Written(written) = ledger.begin(new).await? else {
        return Err("not written".into());
    };
    moved(ledger, &written.order, State::Unknown).await
}

async fn moved(ledger: &Ledger, order: &Order, to: State) -> std::result::Result<Order, Failed> {
    let change = Change::to(to, Timestamp::UNIX_EPOCH, "a test");
    Ok(ledger.change(order, change).await?)
}

/// A sheet of `REFS`, staged.
fn staged(ledger: &Ledger) -> std::result::Result<Planner, Failed> {
    let mut planner = ledger.planner(&account(), &"november".parse()?)?;
    for (row, (reference, phone)) in (2..).zip(REFS) {
        planner.stage(&StagedRow {
            row,
            reference: Some(&reference.parse()?),
            phone: &phone.parse()?,
            plan: &"PREPAID_DJEZZY".parse()?,
            operator: &Operator::Djezzy,
            amount: Amount::of(500)?,
            cost: None,
            note: None,
            cells: "[]",
            left_open: LeftOpen::default(),
            refused: None,
        })?;
    }
    planner.resolve(Timestamp::UNIX_EPOCH, &mut |_, _| {})?;
    Ok(planner)
}

fn to_send(planner: &Planner) -> Result<Vec<u32>> {
    let mut rows = Vec::new();
    planner.each_to_send(true, &mut |row| {
        rows.push(row.row);
        Ok(())
    })?;
    Ok(rows)
}

fn stored(planner: Planner) -> Result<Batch> {
    planner.store(&NewSheet {
        file: "november.csv".to_owned(),
        header: Vec::new(),
        digest: String::new(),
        is_whole: true,
        with_repeats: true,
        at: Timestamp::UNIX_EPOCH,
        act: None,
    })
}

/// Nobody was asked about it, so it is not sent; the sheet is read anew by the next run, which asks.
#[tokio::test]
async fn what_is_cancelled_while_consent_is_asked_is_not_planned() -> std::result::Result<(), Failed> {
    let place = tempfile::tempdir()?;
    let ledger = Ledger::open(&place.path().join("ledger.db"))?;
    let order = lost_by_hand(&ledger).await?;
    let planner = staged(&ledger)?;
    assert_eq!(to_send(&planner)?, [3]);
    let order = moved(&ledger, &order, State::Cancelled).await?;
    let batch = stored(planner)?;
    let now = ledger.find(&account(), &order.intent.reference)?;
    assert_eq!(
        now.map(|order| (order.state, order.batch)),
        Some((State::Cancelled, None))
    );
    assert_eq!(batch.sheet.map(|sheet| sheet.is_whole), Some(false));
    let planner = staged(&ledger)?;
    assert_eq!(to_send(&planner)?, [2, 3]);
    let batch = stored(planner)?;
    let now = ledger.find(&account(), &order.intent.reference)?;
    let november = Some("november".to_owned());
    assert_eq!(
        now.map(|order| (order.state, order.batch)),
        Some((State::Planned, november))
    );
    assert_eq!(batch.sheet.map(|sheet| sheet.is_whole), Some(true));
    Ok(())
}
