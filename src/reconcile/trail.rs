//! Lines of one moment in the order of their balances: a way along all of them, each from its balance before to its
//! balance behind.

use super::judge::is_same;
use crate::domain::Money;

/// The balances that lines lead from and to; those that differ by rounding alone are one.
struct Balances(Vec<Money>);

impl Balances {
    fn of(mut all: Vec<Money>) -> Self {
        all.sort_unstable();
        let mut before = None;
        all.retain(|balance| {
            let is_new = before.is_none_or(|before| !is_same(before, *balance));
            before = Some(*balance);
            is_new
        });
        Self(all)
    }

    fn place(&self, balance: Money) -> usize {
        self.0
            .partition_point(|known| *known <= balance)
            .saturating_sub(1)
    }
}

/// The order in which lines (balance before, balance behind) follow each other, as places in `lines`: all of them, from
/// the balance `from` where that is known. None where they can't be put in one row. Where the row may begin anywhere,
/// it ends where one of `next` goes on.
pub(super) fn trail(lines: &[(Money, Money)], from: Option<Money>, next: &[Money]) -> Option<Vec<usize>> {
    let ends = lines.iter().flat_map(|line| [line.0, line.1]);
    let balances = Balances::of(ends.chain(from).chain(next.iter().copied()).collect());
    let mut leading = vec![Vec::new(); balances.0.len()];
    let mut surplus = vec![0_i64; balances.0.len()];
    for (place, (before, behind)) in lines.iter().enumerate().rev() {
        let (before, behind) = (balances.place(*before), balances.place(*behind));
        leading[before].push((place, behind));
        surplus[before] += 1;
        surplus[behind] -= 1;
    }
    let open = surplus.iter().position(|surplus| *surplus > 0);
    let first = from.map(|from| balances.place(from)).or(open).or_else(|| {
        let goes_on = next.iter().map(|next| balances.place(*next));
        let mut goes_on = goes_on.filter(|place| !leading[*place].is_empty());
        goes_on.next().or_else(|| Some(balances.place(lines.first()?.0)))
    })?;
    // Each line is walked once; where the way ends early, the rest is put in where it branched off (Hierholzer).
    let mut way = vec![(first, None)];
    let mut found = Vec::with_capacity(lines.len());
    while let Some((at, by)) = way.last().copied() {
        if let Some((line, to)) = leading[at].pop() {
            way.push((to, Some(line)));
        } else {
            found.extend(by);
            way.pop();
        }
    }
    found.reverse();
    is_way(lines, from, &found).then_some(found)
}

/// Whether all lines are there and each goes on where the one before it ends.
fn is_way(lines: &[(Money, Money)], from: Option<Money>, found: &[usize]) -> bool {
    let mut at = from;
    let goes_on = found.iter().all(|place| {
        let (before, behind) = lines[*place];
        at.replace(behind).is_none_or(|at| is_same(at, before))
    });
    goes_on && found.len() == lines.len()
}
