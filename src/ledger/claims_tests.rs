//! Claims against a real file.

use super::*;
use crate::domain::{Amount, Environment, Label, Operator, Phone};
use crate::ledger::{Begun, Caps, Ledger, LeftOpen, NewSend, NewSheet, StagedRow};

type Outcome = std::result::Result<(), Failed>;

/// Whatever fails.
type Failed = Box<dyn std::error::Error>;

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

/// The first claim of a run to which all was consented.
fn start() -> ClaimCursor {
    consented(REFS.len(), 5 * 500, None)
}

fn consented(rows: usize, face: u64, last_row: Option<u32>) -> ClaimCursor {
    let consent = Consent {
        rows: u64::try_from(rows).unwrap_or_default(),
        face,
        last_row,
    };
    ClaimCursor::within(consent, Timestamp::MAX)
}

/// A batch of a row for each of `REFS`.
fn planned(ledger: &Ledger) -> std::result::Result<Batch, Failed> {
    planned_with(ledger, &REFS.map(Some))
}

/// A batch of five rows with refs of the caller's own, or of ours.
fn planned_with(ledger: &Ledger, refs: &[Option<&str>]) -> std::result::Result<Batch, Failed> {
    let label: Label = "november".parse()?;
    let mut planner = ledger.planner(&account(), &label)?;
    for (nth, reference) in (1_u32..).zip(refs) {
        let phone: Phone = format!("077803734{nth}").parse()?;
        let reference = reference.map(str::parse).transpose()?;
        planner.stage(&StagedRow {
            row: nth + 1,
            reference: reference.as_ref(),
            phone: &phone,
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
    let (one, cursor) = (account(), start());
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

/// All rows of a batch were claimed, and have come back to `planned`.
async fn returned(ledger: &Ledger, batch: &Batch) -> Outcome {
    let claims = ledger.claim(&account(), batch, rules(), start(), 9).await?;
    put_back(ledger, claims).await
}

/// What was claimed comes back to `planned`.
async fn put_back(ledger: &Ledger, claims: Claims) -> Outcome {
    let why = "stopped before it was sent";
    let back = claims.written.into_iter().map(|written| {
        let change = Change {
            key: Some(written.key),
            ..Change::to(State::Planned, Timestamp::UNIX_EPOCH, why)
        };
        Box::new((written.order, change))
    });
    for put_back in ledger.change_all(back.collect()).await? {
        assert_eq!(put_back?.state, State::Planned);
    }
    Ok(())
}

/// The number of the first row gets the same by hand.
async fn sent_by_hand(ledger: &Ledger) -> Outcome {
    let intent = Intent {
        reference: "by-hand".parse()?,
        phone: "0778037341".parse()?,
        plan: "PREPAID_DJEZZY".parse()?,
        amount: Amount::of(500)?,
    };
    let new = NewSend::by_hand(account(), intent);
    assert!(matches!(ledger.begin(new).await?, Begun::Written(_)));
    Ok(())
}

/// One at a time, as they are claimed where there is a quota.
#[tokio::test]
async fn a_returned_row_that_is_held_does_not_stand_before_those_behind_it() -> Outcome {
    let place = tempfile::tempdir()?;
    let ledger = Ledger::open(&place.path().join("ledger.db"))?;
    let batch = planned(&ledger)?;
    returned(&ledger, &batch).await?;
    sent_by_hand(&ledger).await?;
    let mut rules = rules();
    rules.guard.caps = Caps {
        per_number_per_day: Some(500),
        per_day: None,
    };
    let (mut cursor, mut claimed, mut held, mut rounds) = (start(), Vec::new(), 0, 0);
    loop {
        let claims = ledger.claim(&account(), &batch, rules.clone(), cursor, 1).await?;
        claimed.extend(refs_of(&claims).into_iter().map(str::to_owned));
        held += claims.held.len();
        cursor = claims.cursor;
        rounds += 1;
        if claims.is_exhausted || rounds > 9 {
            break;
        }
    }
    assert_eq!((claimed.join(" "), held), (REFS[1..].join(" "), 1));
    assert!(rounds <= 9, "there is no end to it");
    Ok(())
}

/// The next run reads the sheet anew: only so does it find the repeat, and can somebody consent to it.
#[tokio::test]
async fn a_returned_row_that_is_held_as_a_repeat_has_the_sheet_read_anew() -> Outcome {
    for is_repeat in [true, false] {
        let place = tempfile::tempdir()?;
        let ledger = Ledger::open(&place.path().join("ledger.db"))?;
        let batch = planned_with(&ledger, &[None; 5])?;
        returned(&ledger, &batch).await?;
        if is_repeat {
            sent_by_hand(&ledger).await?;
        }
        let mut rules = rules();
        rules.guard.no_repeat_since = Some(Timestamp::UNIX_EPOCH);
        let claims = ledger.claim(&account(), &batch, rules, start(), 9).await?;
        let (written, held) = (claims.written.len(), claims.held.len());
        assert_eq!((written, held), if is_repeat { (4, 1) } else { (5, 0) });
        let now = ledger.batch(&account(), &batch.label)?;
        let is_whole = now.and_then(|batch| batch.sheet).map(|sheet| sheet.is_whole);
        assert_eq!(is_whole, Some(!is_repeat));
    }
    Ok(())
}

#[tokio::test]
async fn claims_never_pass_what_was_consented_to() -> Outcome {
    for is_returned in [true, false] {
        for (cursor, rows) in [
            (consented(5, 1_499, None), 2),
            (consented(3, 2_500, None), 3),
            (consented(0, 0, None), 0),
        ] {
            let place = tempfile::tempdir()?;
            let ledger = Ledger::open(&place.path().join("ledger.db"))?;
            let batch = planned(&ledger)?;
            if is_returned {
                returned(&ledger, &batch).await?;
            }
            let claims = ledger.claim(&account(), &batch, rules(), cursor, 9).await?;
            assert_eq!(refs_of(&claims), &REFS[..rows]);
            assert!(claims.is_over_consent);
            let more = ledger
                .claim(&account(), &batch, rules(), claims.cursor, 9)
                .await?;
            assert_eq!((refs_of(&more).len(), more.is_over_consent), (0, true));
        }
    }
    Ok(())
}

/// Rows behind the last one that was shown stay, wherever they are kept, also where one of those before it is held.
#[tokio::test]
async fn rows_that_were_not_shown_are_not_claimed() -> Outcome {
    for is_returned in [true, false] {
        let place = tempfile::tempdir()?;
        let ledger = Ledger::open(&place.path().join("ledger.db"))?;
        let batch = planned(&ledger)?;
        if is_returned {
            returned(&ledger, &batch).await?;
        }
        sent_by_hand(&ledger).await?;
        let mut rules = rules();
        rules.guard.caps.per_number_per_day = Some(500);
        // The sheet's first row stands on its second line.
        let cursor = consented(2, 1_000, Some(3));
        let claims = ledger.claim(&account(), &batch, rules, cursor, 2).await?;
        assert_eq!((refs_of(&claims), claims.held.len()), (vec![REFS[1]], 1));
        let more = ledger
            .claim(&account(), &batch, self::rules(), claims.cursor, 2)
            .await?;
        assert_eq!((refs_of(&more), more.is_exhausted), (Vec::new(), true));
    }
    Ok(())
}

/// A row that this run has claimed and that came back is paid once, so it is counted once.
#[tokio::test]
async fn a_row_that_is_claimed_a_second_time_has_its_consent() -> Outcome {
    let place = tempfile::tempdir()?;
    let ledger = Ledger::open(&place.path().join("ledger.db"))?;
    let batch = planned(&ledger)?;
    returned(&ledger, &batch).await?;
    for (began_at, rows) in [(Timestamp::UNIX_EPOCH, 5), (Timestamp::MAX, 0)] {
        let cursor = ClaimCursor::within(Consent::default(), began_at);
        let claims = ledger.claim(&account(), &batch, rules(), cursor, 9).await?;
        assert_eq!(refs_of(&claims), &REFS[..rows]);
        put_back(&ledger, claims).await?;
    }
    Ok(())
}
