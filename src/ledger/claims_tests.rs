//! Claims against a real file.

use super::*;
use crate::domain::{Environment, Label, Operator, Phone};
use crate::ledger::{Ledger, NewSheet, StagedRow};

type Outcome = std::result::Result<(), Box<dyn std::error::Error>>;

const REFS: [&str; 5] = ["r-1", "r-2", "r-3", "r-4", "r-5"];

fn account() -> Account {
    Account {
        username: "+213770000000".to_owned(),
        environment: Environment::Sandbox,
    }
}

fn rules() -> ClaimRules {
    ClaimRules {
        guard: Guard::default(),
        at: Timestamp::UNIX_EPOCH,
        their_at: Timestamp::UNIX_EPOCH,
        request: |intent| ("/v3/mobile/send", intent.reference.to_string()),
    }
}

/// A batch of a row for each of `REFS`.
fn planned(ledger: &Ledger) -> std::result::Result<Batch, Box<dyn std::error::Error>> {
    let label: Label = "november".parse()?;
    let mut planner = ledger.planner(&account(), &label)?;
    for (nth, reference) in (1_u32..).zip(REFS) {
        let phone: Phone = format!("077803734{nth}").parse()?;
        planner.stage(&StagedRow {
            row: nth + 1,
            reference: Some(&reference.parse()?),
            phone: &phone,
            plan: &"PREPAID_DJEZZY".parse()?,
            operator: &Operator::Djezzy,
            amount: Amount::of(500)?,
            cost: None,
            note: None,
            cells: "[]",
        })?;
    }
    planner.resolve(Timestamp::UNIX_EPOCH)?;
    let sheet = NewSheet {
        file: "november.csv".to_owned(),
        header: Vec::new(),
        digest: String::new(),
        is_whole: true,
        with_repeats: false,
        at: Timestamp::UNIX_EPOCH,
        act: None,
    };
    Ok(planner.store(&sheet)?)
}

fn refs_of(claims: &Claims) -> Vec<&str> {
    let written = claims.written.iter();
    written
        .map(|written| written.order.intent.reference.as_str())
        .collect()
}

/// Both have read the same rows before the first of them has written: the second claims those behind.
#[tokio::test]
async fn rows_that_were_read_before_another_claim_are_not_claimed_again() -> Outcome {
    let place = tempfile::tempdir()?;
    let ledger = Ledger::open(&place.path().join("ledger.db"))?;
    let batch = planned(&ledger)?;
    let (one, cursor) = (account(), ClaimCursor::default());
    let claim = |limit| ledger.claim(&one, &batch, rules(), cursor, limit);
    let (first, second) = tokio::join!(claim(2), claim(2));
    let (first, second) = (first?, second?);
    assert_eq!(
        (refs_of(&first), refs_of(&second)),
        (REFS[..2].into(), REFS[2..4].into())
    );
    assert!(first.existing.is_empty() && second.existing.is_empty() && second.held.is_empty());
    let (third, none) = (claim(2).await?, claim(2).await?);
    assert_eq!((refs_of(&third), third.is_exhausted), (REFS[4..].into(), true));
    assert_eq!((refs_of(&none), none.is_exhausted), (Vec::new(), true));
    Ok(())
}
