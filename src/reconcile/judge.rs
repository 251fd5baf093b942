//! One order of the provider beside ours, and beside the lines of the account: what differs. Pure.

use jiff::Timestamp;

use super::finding::{Finding, Kind, standing, step};
use crate::domain::{Money, Order, ProviderStatus, SettledBy, State};
use crate::ledger::{Compared, Moved, Theirs};

/// Half a centime: how the provider rounds is not known. No more than this is the same.
const ROUNDING_MICROS: i64 = 5_000;

/// Whether two amounts are the same but for rounding.
pub(super) fn is_same(one: Money, other: Money) -> bool {
    (one - other).abs() <= Money::from_micros(ROUNDING_MICROS)
}

/// What both sides are known from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known {
    /// When the reading began.
    pub begun_at: Timestamp,
    /// Whether the account's lines are known.
    pub has_entries: bool,
}

/// What differs about an order that the provider shows.
pub(super) fn judge(compared: &Compared, known: Known) -> Vec<Finding> {
    let has_entries = known.has_entries;
    let Compared { theirs, ours, .. } = compared;
    let mut findings = Vec::new();
    let mut is_contradicted = false;
    match ours {
        Some(order) if order.state != State::Conflict => {
            findings.extend(moved(order, compared));
            let contradiction = contradiction(order, theirs, known.begun_at);
            is_contradicted = contradiction.is_some();
            findings.extend(contradiction.map(|finding| {
                if has_entries {
                    weighed(finding, order, compared)
                } else {
                    finding
                }
            }));
            findings.extend(details(order, theirs));
        }
        other => findings.push(foreign(other.as_ref(), compared)),
    }
    let differs = findings.iter().any(|finding| is_another(finding.kind));
    let cost = ours
        .as_ref()
        .filter(|_| !differs)
        .and_then(|order| cost(order, compared, has_entries));
    let money = has_entries.then(|| money(compared, cost.is_some(), is_contradicted));
    match (money.flatten(), findings.as_mut_slice()) {
        // Nothing was lost by it, and the order itself is the difference.
        (Some(finding), [foreign]) if differs && finding.kind == Kind::DebitMissing => {
            *foreign = foreign.clone().detail(Kind::DebitMissing.meaning());
        }
        (finding, _) => findings.extend(finding),
    }
    findings.extend(cost);
    findings
}

/// Whether the order itself is another one than ours.
fn is_another(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::DetailsDiffer | Kind::ForeignOrder | Kind::Conflict | Kind::RefTwice
    )
}

fn foreign(conflict: Option<&Order>, compared: &Compared) -> Finding {
    let theirs = &compared.theirs;
    let kind = match (conflict, compared.is_twin) {
        (Some(_), _) if compared.before.is_some() => Kind::Conflict,
        (None, true) => Kind::RefTwice,
        _ => Kind::ForeignOrder,
    };
    let finding = Finding::about_theirs(kind, theirs)
        .sides(conflict.map(standing), Some(theirs.status.word().to_owned()));
    match theirs.cost {
        Some(cost) => finding.money(cost),
        None => finding,
    }
}

/// What this run has moved.
fn moved(order: &Order, compared: &Compared) -> Option<Finding> {
    let (from, _) = compared.before.filter(|(from, _)| *from != order.state)?;
    let kind = match from {
        State::Unknown | State::Sending => Kind::Adopted,
        _ => Kind::Settled,
    };
    let status = compared.theirs.status.word().to_owned();
    Some(Finding::about(kind, order).sides(Some(step(from, order.state)), Some(status)))
}

fn contradiction(order: &Order, theirs: &Theirs, begun_at: Timestamp) -> Option<Finding> {
    let there = theirs.status.state();
    // Its end may have come behind the page that showed it on its way.
    if !there.is_final() && order.updated_at >= begun_at {
        return None;
    }
    let is_by_hand = order.settled_by == Some(SettledBy::Operator);
    let kind = match order.state {
        State::Planned | State::Rejected | State::Cancelled => Kind::MadeAfterAll,
        State::Fulfilled | State::Refunded | State::WrittenOff if is_by_hand => {
            if !there.is_final() || there == order.state {
                return None;
            }
            Kind::SettlementContradicted
        }
        State::Fulfilled | State::Refunded => {
            let is_unlisted = matches!(theirs.status, ProviderStatus::Other(_));
            if is_unlisted || there == order.state {
                return None;
            }
            Kind::StateContradicted
        }
        // It can't be moved by what was seen: another process is at it, or it was seen too late.
        State::Accepted | State::InReview if there.is_final() => Kind::StateContradicted,
        State::Accepted
        | State::InReview
        | State::Sending
        | State::Unknown
        | State::Conflict
        | State::WrittenOff => return None,
    };
    let finding = Finding::about(kind, order);
    let id = finding.topup_id.clone().or_else(|| theirs.topup_id.clone());
    let finding = Finding {
        topup_id: id,
        ..finding
    };
    let finding = finding.sides(Some(standing(order)), Some(theirs.status.word().to_owned()));
    Some(match &order.note {
        Some(note) if is_by_hand => finding.detail(format!("settled by hand because: {note}")),
        _ => finding,
    })
}

fn details(order: &Order, theirs: &Theirs) -> Option<Finding> {
    let intent = &order.intent;
    let mut pairs = Vec::new();
    let mut compare = |name: &str, ours: String, theirs: Option<&String>| {
        if let Some(theirs) = theirs.filter(|theirs| **theirs != ours) {
            pairs.push((name.to_owned(), ours, theirs.clone()));
        }
    };
    compare("phone", intent.phone.to_string(), theirs.phone.as_ref());
    compare("plan", intent.plan.to_string(), theirs.plan.as_ref());
    let amount = theirs.amount.map(|amount| amount.to_string());
    compare("amount", Money::from(intent.amount).to_string(), amount.as_ref());
    if pairs.is_empty() {
        return None;
    }
    let side = |pick: fn(&(String, String, String)) -> &String| {
        let texts: Vec<_> = pairs
            .iter()
            .map(|pair| format!("{} {}", pair.0, pick(pair)))
            .collect();
        Some(texts.join(", "))
    };
    let finding = Finding::about(Kind::DetailsDiffer, order);
    Some(finding.sides(side(|pair| &pair.1), side(|pair| &pair.2)))
}

/// The cost that the list shows beside ours. A refunded order shows none.
fn cost(order: &Order, compared: &Compared, has_entries: bool) -> Option<Finding> {
    let theirs = compared.theirs.cost?;
    if compared.theirs.status == ProviderStatus::Refunded || order.state == State::Refunded {
        return None;
    }
    let expected = compared.before.map_or(order.cost, |(_, cost)| cost)?;
    if is_same(expected, theirs) {
        return None;
    }
    let Moved { debits, debited, .. } = compared.moved;
    let finding = Finding::about(Kind::CostDiffers, order)
        .sides(Some(expected.to_string()), Some(theirs.to_string()))
        .money(theirs - expected);
    Some(match (has_entries, debits) {
        (true, 1) => finding
            .jump(debited - expected)
            .detail(format!("the account was charged {debited}")),
        _ => finding,
    })
}

/// What an order ought to have moved.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Due {
    /// It is paid for.
    Paid,
    /// It was paid for, and the money is back; or neither.
    Back,
    /// It is still open.
    Open,
}

impl Due {
    fn of(state: State) -> Self {
        match state {
            State::Fulfilled => Self::Paid,
            State::Refunded => Self::Back,
            State::Planned
            | State::Sending
            | State::Accepted
            | State::InReview
            | State::Rejected
            | State::Conflict
            | State::Unknown
            | State::Cancelled
            | State::WrittenOff => Self::Open,
        }
    }
}

/// The lines of the account about one order. Where the two sides disagree about its end, money that fits either of
/// them is no difference of its own.
fn money(compared: &Compared, cost_differs: bool, is_contradicted: bool) -> Option<Finding> {
    if !compared.is_listed && compared.moved.debits == 0 {
        // It lies beside the range that was read, and so may its lines.
        return None;
    }
    let theirs = &compared.theirs;
    let there = Due::of(theirs.status.state());
    let here = compared
        .ours
        .as_ref()
        .filter(|_| is_contradicted)
        .map(|order| Due::of(order.state));
    if here.is_some_and(|here| trouble(here, compared.moved, theirs.cost).is_none()) {
        return None;
    }
    if let Some((kind, money, jump)) = trouble(there, compared.moved, theirs.cost) {
        let finding = Finding {
            theirs: Some(told(compared.moved)),
            ..about(kind, compared)
        };
        return Some(finding.money(money).jump(jump));
    }
    let Moved {
        debits,
        refunds,
        debited,
        ..
    } = compared.moved;
    let cost = theirs.cost.filter(|cost| *cost != Money::ZERO)?;
    let is_single = debits == 1 && refunds == 0 && there != Due::Back;
    if !is_single || cost_differs || is_same(debited, cost) {
        return None;
    }
    let finding = about(Kind::DebitDiffers, compared);
    Some(
        finding
            .sides(Some(cost.to_string()), Some(debited.to_string()))
            .money(debited - cost)
            .jump(debited - cost),
    )
}

/// A contradiction with what the account shows: money that fits our side alone is what is wrong by the provider's word.
fn weighed(finding: Finding, order: &Order, compared: &Compared) -> Finding {
    let Compared { theirs, moved, .. } = compared;
    if !compared.is_listed && moved.debits == 0 {
        return finding;
    }
    let finding = finding.detail(format!("the account shows {}", told(*moved)));
    let wrong = |state| trouble(Due::of(state), *moved, theirs.cost);
    match (wrong(theirs.status.state()), wrong(order.state)) {
        (Some((kind, money, jump)), None) => finding.detail(kind.meaning()).money(money).jump(jump),
        _ => finding,
    }
}

/// An order that the provider does not show, with what the account shows of it.
pub(super) fn weighed_alone(finding: Finding, order: &Order, moved: Moved) -> Finding {
    let finding = finding.detail(format!("the account shows {} of it", told(moved)));
    match trouble(Due::of(order.state), moved, order.cost) {
        Some((kind, money, jump)) if kind != Kind::DebitMissing => {
            finding.detail(kind.meaning()).money(money).jump(jump)
        }
        _ => finding,
    }
}

fn about(kind: Kind, compared: &Compared) -> Finding {
    match &compared.ours {
        Some(order) if order.state != State::Conflict => Finding {
            topup_id: compared.theirs.topup_id.clone(),
            ours: Some(standing(order)),
            ..Finding::about(kind, order)
        },
        _ => Finding::about_theirs(kind, &compared.theirs),
    }
}

/// What is wrong with the number of debits and refunds, the money that it is about, and the jump of the balance that
/// would go with lines that only look wrong.
fn trouble(due: Due, moved: Moved, cost: Option<Money>) -> Option<(Kind, Money, Money)> {
    let Moved {
        debits,
        refunds,
        debited,
        refunded,
    } = moved;
    let out = debited - refunded;
    let net = i64::from(debits) - i64::from(refunds);
    let minus = |money: Money| Money::ZERO - money;
    let is_free = cost == Some(Money::ZERO);
    match (due, net) {
        (Due::Paid, 1) | (Due::Open, 0 | 1) => None,
        (Due::Paid | Due::Open, net) if net > 1 => {
            let over = out - cost.unwrap_or(Money::ZERO);
            Some((Kind::DebitDuplicated, over, over))
        }
        (Due::Paid, 0) if debits == 0 => {
            let missing = cost.unwrap_or(Money::ZERO);
            (!is_free).then_some((Kind::DebitMissing, missing, minus(missing)))
        }
        (Due::Paid, _) => Some((Kind::RefundOfFulfilled, refunded, minus(refunded))),
        (Due::Back, 0) => (!is_same(debited, refunded))
            .then(|| (Kind::RefundDiffers, refunded - debited, refunded - debited)),
        (Due::Back, net) if net > 0 && refunds > 0 => Some((Kind::DebitDuplicated, out, out)),
        (Due::Back, net) if net > 0 => Some((Kind::RefundMissing, out, out)),
        (Due::Back, _) if debits == 0 && refunds == 1 => {
            Some((Kind::DebitMissing, refunded, minus(refunded)))
        }
        (Due::Back | Due::Open, _) => Some((Kind::RefundDuplicated, minus(out), out)),
    }
}

fn told(moved: Moved) -> String {
    let count = |count: u32, word: &str| format!("{count} {word}{}", if count == 1 { "" } else { "s" });
    format!(
        "{}, {}",
        count(moved.debits, "debit"),
        count(moved.refunds, "refund")
    )
}

#[cfg(test)]
#[path = "judge_tests.rs"]
mod tests;
