//! All findings together, with the counts and sums of both sides.

use std::collections::BTreeMap;

use super::Result;
use super::ask::{Asked, Unsettled};
use super::chain::{Equation, Gap};
use super::closing::{Closing, follow};
use super::finding::{Finding, Kind, standing, step};
use super::judge::{Known, is_same, judge, weighed_alone};
use crate::clock::later;
use crate::domain::{Money, Order, ProviderStatus, State};
use crate::ledger::{AnswerKind, Comparison, EntrySum, Listing, MatchedBy, Moved, Reading, StretchEnd, Sum};
use crate::topup::Desk;

/// Counts and sums, side by side.
#[derive(Debug, Clone, Default)]
pub struct Sides {
    /// Our orders by state.
    pub ours: BTreeMap<State, Sum>,
    /// The provider's by status.
    pub theirs: BTreeMap<String, Sum>,
    /// The lines of the account by type.
    pub entries: Vec<EntrySum>,
}

/// Something that could not be compared: no agreement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unchecked {
    /// The word for scripts.
    pub what: &'static str,
    /// Why, in a sentence.
    pub why: String,
}

/// What came of a comparison.
#[derive(Debug, Clone)]
pub struct Report {
    /// What was read.
    pub reading: Reading,
    /// Counts and sums.
    pub sides: Sides,
    /// How the lines of the account were assigned to orders; none where they are not known.
    pub matched_by: Option<MatchedBy>,
    /// The balance equation, where the lines tell balances.
    pub equation: Option<Equation>,
    /// What differs and what was moved, the gravest first.
    pub findings: Vec<Finding>,
    /// What could not be compared.
    pub unchecked: Vec<Unchecked>,
    /// Orders that are open on both sides: no difference, and not at their end.
    pub open: u64,
}

impl Report {
    /// How many findings are differences.
    pub fn differences(&self) -> usize {
        self.findings
            .iter()
            .filter(|finding| finding.kind.is_difference())
            .count()
    }

    /// Whether all agrees, and all could be compared.
    pub fn agrees(&self) -> bool {
        self.differences() == 0 && self.unchecked.is_empty()
    }

    /// Whether it stays unknown what became of an order.
    pub fn has_unknown(&self) -> bool {
        self.findings.iter().any(|finding| finding.kind == Kind::Unknown)
    }
}

/// What was found before the books are held against each other.
#[derive(Debug)]
pub(super) struct Found {
    /// Whether the account's lines are known.
    pub has_entries: bool,
    /// Lost orders that stay lost.
    pub unsettled: Vec<Unsettled>,
    /// What came of the questions.
    pub asked: Asked,
    /// The balance of now.
    pub closing: Closing,
}

/// Puts it together.
pub(super) fn assemble(
    desk: &Desk,
    reading: &Reading,
    comparison: &Comparison,
    found: Found,
) -> Result<Report> {
    let Found {
        has_entries,
        unsettled,
        asked,
        closing,
    } = found;
    let sides = Sides {
        ours: comparison.our_sums()?,
        theirs: comparison.their_sums()?,
        entries: if has_entries {
            comparison.entry_sums()?
        } else {
            Vec::new()
        },
    };
    let mut unchecked = lists(desk, reading)?;
    unchecked.extend(words(&sides));
    unchecked.extend(questions(asked));
    let mut findings = Vec::new();
    let known = Known {
        begun_at: reading.begun_at,
        has_entries,
    };
    comparison.each_suspect(&mut |compared| {
        findings.extend(judge(&compared, known));
        Ok(())
    })?;
    let open = open_there(&sides) + count(unsettled.iter().filter(|lost| lost.is_busy).count());
    findings.extend(unsettled.into_iter().filter(|lost| !lost.is_busy).map(unknown));
    findings.extend(comparison.proved_absent()?.iter().map(absent));
    for (order, moved) in comparison.missing()? {
        let answer = desk
            .ledger
            .reading_answer(reading, order.intent.reference.as_str())?;
        findings.push(missing(&order, moved, answer, has_entries));
    }
    let mut equation = None;
    if has_entries {
        for orphan in comparison.orphans()? {
            findings.push(stray(&orphan));
        }
        let followed = follow(reading, comparison)?;
        equation = followed.equation;
        findings_of_gaps(followed.gaps, &mut findings);
        if followed.bare > 0 {
            let why = format!("{} lines of the account show no balance", followed.bare);
            unchecked.push(Unchecked {
                what: "balances",
                why,
            });
        }
    }
    match closing {
        Closing::Agrees => {}
        Closing::Differs(gap) => findings.push(finding_at_the_end(&gap)),
        Closing::Open(open) => unchecked.push(open),
    }
    findings.sort_by_key(|finding| (finding.kind, finding.at));
    Ok(Report {
        reading: reading.clone(),
        sides,
        matched_by: has_entries.then(|| comparison.matched_by()),
        equation,
        findings,
        unchecked,
        open,
    })
}

fn open_there(sides: &Sides) -> u64 {
    let open = sides
        .theirs
        .iter()
        .filter(|(word, _)| !ProviderStatus::named(word).state().is_final());
    open.map(|(_, sum)| sum.count).sum()
}

fn count(rows: usize) -> u64 {
    u64::try_from(rows).unwrap_or(u64::MAX)
}

/// Lists that were not there, would not stand still, or had rows that can't be read.
fn lists(desk: &Desk, reading: &Reading) -> Result<Vec<Unchecked>> {
    let mut unchecked = Vec::new();
    for (listing, what, name) in [
        (Listing::Orders, "orders", "the provider's list of orders"),
        (Listing::Entries, "account", "the account's transactions"),
    ] {
        for stretch in desk.ledger.stretches(reading, listing)? {
            let end = match stretch.end {
                Some(StretchEnd::Missing) => Some(format!(
                    "{name} can't be read: the provider's server knows no such address (HTTP 404), so no debit, refund or balance was compared"
                )),
                Some(StretchEnd::Unstable) => Some(format!(
                    "{name} changed each time that it was read, or shows another number of rows than it counts"
                )),
                Some(StretchEnd::Whole) | None => None,
            };
            let rows = (stretch.unreadable > 0)
                .then(|| format!("{} rows of {name} can't be understood", stretch.unreadable));
            unchecked.extend(
                [end, rows]
                    .into_iter()
                    .flatten()
                    .map(|why| Unchecked { what, why }),
            );
        }
    }
    Ok(unchecked)
}

/// Words for a status that no page names prove nothing.
fn words(sides: &Sides) -> Vec<Unchecked> {
    let unlisted = sides
        .theirs
        .iter()
        .filter(|(word, _)| matches!(ProviderStatus::named(word), ProviderStatus::Other(_)));
    unlisted
        .map(|(word, sum)| Unchecked {
            what: "status",
            why: format!(
                "{} orders have the status `{word}`, which is not documented",
                sum.count
            ),
        })
        .collect()
}

fn questions(asked: Asked) -> Vec<Unchecked> {
    let told = |count: u64, why: &str| {
        (count > 0).then(|| Unchecked {
            what: "questions",
            why: format!("{count} {why}"),
        })
    };
    let left = told(
        asked.left,
        "orders that no list shows were not asked about one by one: too many",
    );
    let unclear = told(asked.unclear, "orders were asked about, and nobody could tell");
    [left, unclear].into_iter().flatten().collect()
}

fn unknown(lost: Unsettled) -> Finding {
    Finding::about(Kind::Unknown, &lost.order)
        .sides(Some(lost.order.state.to_string()), None)
        .detail(lost.why)
}

fn absent((from, order): &(State, Order)) -> Finding {
    let finding = Finding::about(Kind::Absent, order);
    let finding = finding.sides(Some(step(*from, order.state)), Some("not known".to_owned()));
    match &order.message {
        Some(message) => finding.detail(message.clone()),
        None => finding,
    }
}

fn missing(order: &Order, moved: Moved, answer: Option<AnswerKind>, has_entries: bool) -> Finding {
    let asked = match answer {
        Some(AnswerKind::Absent) => "asked by id and by ref, the provider does not know it",
        Some(AnswerKind::Found | AnswerKind::Unclear) => "asked by id and by ref, nobody could tell",
        None => "it was not asked about by itself",
    };
    let finding = Finding::about(Kind::OrderMissing, order)
        .sides(Some(standing(order)), Some("not shown".to_owned()))
        .detail(asked);
    // One that was refunded shows no cost, and need not have cost any.
    let finding = match order.cost.filter(|cost| *cost != Money::ZERO) {
        Some(cost) => finding.money(cost),
        None => finding,
    };
    if has_entries {
        weighed_alone(finding, order, moved)
    } else {
        finding
    }
}

fn stray(entry: &crate::ledger::SeenEntry) -> Finding {
    use crate::domain::Direction;
    let is_debit = entry.direction == Some(Direction::Out);
    let kind = if is_debit {
        Kind::DebitWithoutOrder
    } else {
        Kind::RefundWithoutOrder
    };
    let jump = if is_debit {
        entry.amount
    } else {
        Money::ZERO - entry.amount
    };
    Finding::about_entry(kind, entry).jump(jump)
}

/// A gap that is as large as the money of another finding is the same difference seen from the other side, and is told
/// there. All others are findings of their own.
fn findings_of_gaps(gaps: Vec<Gap>, findings: &mut Vec<Finding>) {
    for gap in gaps {
        let jump = gap.jump();
        let same = findings.iter_mut().find(|finding| {
            let is_same = finding.jump.is_some_and(|other| is_same(other, jump));
            // A day behind its order at most.
            let is_near = matches!((finding.at, gap.entry.at), (Some(order), Some(line))
                if line <= later(order, std::time::Duration::from_hours(25)) && order <= later(line, std::time::Duration::from_hours(1)));
            is_same && is_near
        });
        match same {
            Some(finding) => {
                finding.jump = None;
                let at = gap.entry.at.map(|at| format!(" at {at}")).unwrap_or_default();
                let told = format!("the balance{at} moves by {jump} without a line that says so");
                *finding = finding.clone().detail(told);
            }
            None => findings.push(finding_of(&gap)),
        }
    }
}

fn finding_of(gap: &Gap) -> Finding {
    let kind = if gap.is_within {
        Kind::EntryWrong
    } else {
        Kind::BalanceGap
    };
    let line = format!("{} of {}", gap.entry.word, gap.entry.amount);
    let finding = Finding::about_entry(kind, &gap.entry)
        .sides(Some(gap.expected.to_string()), Some(gap.found.to_string()))
        .money(gap.jump());
    if gap.is_within {
        finding.detail(format!("the line {line}"))
    } else {
        finding.detail(format!("before the line {line}"))
    }
}

/// The balance of now is another than the last line leads to.
fn finding_at_the_end(gap: &Gap) -> Finding {
    Finding::of(Kind::BalanceGap)
        .sides(Some(gap.expected.to_string()), Some(gap.found.to_string()))
        .money(gap.jump())
        .detail(format!(
            "the account has {} now, and its last line, {} of {}, leads to {}",
            gap.found, gap.entry.word, gap.entry.amount, gap.expected
        ))
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::domain::{Direction, Money};
    use crate::ledger::SeenEntry;

    fn money(text: &str) -> Money {
        text.parse().unwrap_or_else(|error| panic!("{error}"))
    }

    fn gap(expected: &str, found: &str) -> Gap {
        Gap {
            entry: SeenEntry {
                id: 1,
                word: "FLEXY".to_owned(),
                direction: Some(Direction::Out),
                amount: money("100"),
                before: None,
                after: None,
                subject: None,
                at: Some(Timestamp::UNIX_EPOCH),
            },
            expected: money(expected),
            found: money(found),
            is_within: false,
        }
    }

    fn refund_missing() -> Finding {
        Finding {
            at: Some(Timestamp::UNIX_EPOCH),
            ..Finding::of(Kind::RefundMissing).jump(money("496.25"))
        }
    }

    #[test]
    fn a_gap_of_the_same_money_is_the_same_difference() {
        let mut findings = vec![refund_missing()];
        findings_of_gaps(vec![gap("1000", "1496.25")], &mut findings);
        assert_eq!(findings.len(), 1, "{findings:?}");
        let told = findings[0].detail.clone().unwrap_or_default();
        assert!(told.contains("moves by 496.25"), "{told}");
    }

    #[test]
    fn each_finding_explains_one_gap_and_only_its_own() {
        for jump in ["503.75", "1500"] {
            let mut findings = vec![refund_missing()];
            findings_of_gaps(vec![gap("1000", jump)], &mut findings);
            assert_eq!(findings.len(), 2, "{jump}");
        }
        let mut findings = vec![refund_missing()];
        let same = || gap("1000", "1496.25");
        findings_of_gaps(vec![same(), same()], &mut findings);
        assert_eq!(findings.len(), 2, "{findings:?}");
        assert_eq!(findings[1].kind, Kind::BalanceGap);
        assert_eq!(findings[1].money, Some(money("496.25")));
    }
}
