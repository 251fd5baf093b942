//! Sheets against orders that change while somebody looks at them.

use super::*;
use crate::domain::{Amount, Environment, Intent};
use crate::ledger::{Begun, Change, ClaimCursor, ClaimRules, Consent, Guard, NewSend};

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

/// A line of a sheet by the catalogue of the day: number, plan, amount, and what the sheet leaves open.
type Line<'l> = (&'l str, &'l str, u32, LeftOpen);

const AUTO: LeftOpen = LeftOpen {
    plan: true,
    amount: false,
};
const PRICE: LeftOpen = LeftOpen {
    plan: false,
    amount: true,
};
const NOTHING: LeftOpen = LeftOpen {
    plan: false,
    amount: false,
};

fn sheet(ledger: &Ledger, lines: &[Line<'_>]) -> std::result::Result<Planner, Failed> {
    let mut planner = ledger.planner(&account(), &"november".parse()?)?;
    for (row, (phone, plan, amount, left_open)) in (2..).zip(lines) {
        planner.stage(&StagedRow {
            row,
            reference: None,
            phone: &phone.parse()?,
            plan: &plan.parse()?,
            operator: &Operator::Djezzy,
            amount: Amount::of(*amount)?,
            cost: None,
            note: None,
            cells: "[]",
            left_open: *left_open,
            refused: None,
        })?;
    }
    planner.resolve(Timestamp::UNIX_EPOCH, &mut |_, _| {})?;
    Ok(planner)
}

/// Stores a sheet, and brings everything that it has still to send to this state.
async fn sent(ledger: &Ledger, lines: &[Line<'_>], to: State) -> std::result::Result<(), Failed> {
    let batch = stored(sheet(ledger, lines)?)?;
    let rules = ClaimRules {
        guard: Guard::default(),
        at: Timestamp::UNIX_EPOCH,
        their_at: Timestamp::UNIX_EPOCH,
        request: |_| ("", String::new()),
    };
    let consent = Consent {
        rows: 1_000,
        face: 1_000_000,
        last_row: None,
    };
    let cursor = ClaimCursor::within(consent, Timestamp::MAX);
    let claims = ledger.claim(&account(), &batch, rules, cursor, 1_000).await?;
    for written in claims.written {
        if to == State::Unknown {
            moved(ledger, &written.order, to).await?;
        } else {
            let accepted = moved(ledger, &written.order, State::Accepted).await?;
            moved(ledger, &accepted, to).await?;
        }
    }
    Ok(())
}

/// `auto` means another plan each day: what was paid under one is paid, however often a number stands in the sheet.
#[tokio::test]
async fn a_row_is_the_same_when_auto_means_another_plan() -> std::result::Result<(), Failed> {
    let place = tempfile::tempdir()?;
    let ledger = Ledger::open(&place.path().join("ledger.db"))?;
    let day = |plan| {
        [
            ("0778037341", plan, 500, AUTO),
            ("0778037342", plan, 300, AUTO),
            ("0778037341", plan, 500, AUTO),
            ("0778037341", plan, 500, AUTO),
        ]
    };
    let (first, second) = (day("PREPAID_DJEZZY"), day("PREPAID_DJEZZY_2"));
    sent(&ledger, &first[..3], State::Fulfilled).await?;
    let planner = sheet(&ledger, &second[..3])?;
    assert_eq!((to_send(&planner)?, planner.face()), (Vec::new(), 1300));
    assert_eq!(planner.known()?, BTreeMap::from([(State::Fulfilled, 3)]));
    assert_eq!(planner.under_other_terms(), 3);
    // One that is new is sent by the plan of its day, and is known by it from then on.
    assert_eq!(to_send(&sheet(&ledger, &second)?)?, [5]);
    sent(&ledger, &second, State::Fulfilled).await?;
    for lines in [&first, &second, &day("PREPAID_3")] {
        assert!(to_send(&sheet(&ledger, lines)?)?.is_empty(), "{lines:?}");
    }
    Ok(())
}

#[tokio::test]
async fn a_row_is_the_same_when_its_price_has_changed() -> std::result::Result<(), Failed> {
    let place = tempfile::tempdir()?;
    let ledger = Ledger::open(&place.path().join("ledger.db"))?;
    sent(
        &ledger,
        &[("0778037341", "PIXX_500", 500, PRICE)],
        State::Refunded,
    )
    .await?;
    let planner = sheet(&ledger, &[("0778037341", "PIXX_500", 550, PRICE)])?;
    assert_eq!((to_send(&planner)?, planner.face()), (Vec::new(), 500));
    // An amount that the sheet names is another row.
    let planner = sheet(&ledger, &[("0778037341", "PIXX_500", 550, NOTHING)])?;
    assert_eq!(to_send(&planner)?, [2]);
    Ok(())
}

/// What somebody has bought on purpose is no ordinary credit, and the other way round.
#[tokio::test]
async fn a_row_is_another_one_than_that_of_another_kind_of_plan() -> std::result::Result<(), Failed> {
    let place = tempfile::tempdir()?;
    let ledger = Ledger::open(&place.path().join("ledger.db"))?;
    sent(
        &ledger,
        &[("0778037341", "FACTURE_DJEZZY", 500, NOTHING)],
        State::Fulfilled,
    )
    .await?;
    let planner = sheet(&ledger, &[("0778037341", "PREPAID_DJEZZY", 500, AUTO)])?;
    assert_eq!(to_send(&planner)?, [2]);
    assert_eq!(planner.repeats(9)?.0, 1);
    let planner = sheet(&ledger, &[("0778037341", "PREPAID_DJEZZY", 500, NOTHING)])?;
    assert_eq!(to_send(&planner)?, [2]);
    Ok(())
}

/// Of what is in doubt under another plan nobody knows yet whether it is the row: the next run looks again.
#[tokio::test]
async fn a_row_in_doubt_under_another_plan_is_looked_at_again() -> std::result::Result<(), Failed> {
    let place = tempfile::tempdir()?;
    let ledger = Ledger::open(&place.path().join("ledger.db"))?;
    let day = |plan| [("0778037341", plan, 500, AUTO)];
    sent(&ledger, &day("PREPAID_DJEZZY"), State::Unknown).await?;
    let planner = sheet(&ledger, &day("PREPAID_DJEZZY_2"))?;
    assert!(to_send(&planner)?.is_empty());
    let batch = stored(planner)?;
    assert_eq!(batch.sheet.map(|sheet| sheet.is_whole), Some(false));
    Ok(())
}

/// However often a number stands in a sheet.
#[tokio::test]
async fn many_rows_that_are_alike_are_the_same_under_another_plan() -> std::result::Result<(), Failed> {
    let place = tempfile::tempdir()?;
    let ledger = Ledger::open(&place.path().join("ledger.db"))?;
    let day = |plan| [("0778037341", plan, 500, AUTO); 130];
    for _ in 0..2 {
        sent(&ledger, &day("PREPAID_DJEZZY"), State::Fulfilled).await?;
    }
    let planner = sheet(&ledger, &day("PREPAID_DJEZZY_2"))?;
    assert!(to_send(&planner)?.is_empty());
    assert_eq!((planner.under_other_terms(), planner.face()), (130, 65_000));
    Ok(())
}

/// Under a ref of the caller's own `auto` may have meant another prepaid plan, but no plan of another kind.
#[tokio::test]
async fn an_own_ref_of_another_kind_of_plan_is_another_order() -> std::result::Result<(), Failed> {
    let place = tempfile::tempdir()?;
    let ledger = Ledger::open(&place.path().join("ledger.db"))?;
    for (reference, plan, clashing) in [("own-1", "PREPAID_OLD", 0), ("own-2", "FACTURE_DJEZZY", 1)] {
        let intent = Intent {
            reference: reference.parse()?,
            phone: "0778037341".parse()?,
            plan: plan.parse()?,
            amount: Amount::of(500)?,
        };
        let Begun::Written(written) = ledger.begin(NewSend::by_hand(account(), intent)).await? else {
            return Err("not written".into());
        };
        moved(&ledger, &written.order, State::Accepted).await?;
        let mut planner = ledger.planner(&account(), &"november".parse()?)?;
        planner.stage(&StagedRow {
            row: 2,
            reference: Some(&reference.parse()?),
            phone: &"0778037341".parse()?,
            plan: &"PREPAID_DJEZZY".parse()?,
            operator: &Operator::Djezzy,
            amount: Amount::of(500)?,
            cost: None,
            note: None,
            cells: "[]",
            left_open: AUTO,
            refused: None,
        })?;
        planner.resolve(Timestamp::UNIX_EPOCH, &mut |_, _| {})?;
        assert_eq!(planner.clashes(9)?.0, clashing, "{plan}");
        assert!(to_send(&planner)?.is_empty(), "{plan}");
    }
    Ok(())
}
