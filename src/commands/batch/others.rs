//! Rows of a sheet that are orders of another batch or of `send`: this batch neither sends them nor asks about them, and
//! says who does.

use super::words::{rows_of, were};
use crate::domain::{Label, State};
use crate::error::{Error, Kind};
use crate::ledger::Standings;

/// Who asks about those in states that `wanted` picks.
pub(super) fn asked_by(elsewhere: &Standings, wanted: impl Fn(State) -> bool) -> Option<String> {
    let orders = elsewhere.count(wanted);
    (orders > 0).then(|| {
        format!(
            "{} {}, and this one does not ask about {}: `oneclick ref check` does",
            rows_of(orders),
            were(
                orders,
                "is an order of another command",
                "are orders of other commands"
            ),
            were(orders, "it", "them")
        )
    })
}

/// Those that `batches` have planned: only these send them.
pub(super) fn planned_by(elsewhere: &Standings, batches: &[Label]) -> Option<Error> {
    let rows = elsewhere.count(|state| state == State::Planned);
    (rows > 0).then(|| {
        let names: Vec<_> = batches.iter().map(|label| format!("`{label}`")).collect();
        let (names, it) = (names.join(", "), were(rows, "it", "them"));
        let message = format!(
            "{} {} planned in another batch, which is the one that sends {it}: {names}",
            rows_of(rows),
            were(rows, "is", "are")
        );
        Error::new(Kind::Open, "not_final", message).hint(format!(
            "`oneclick batch` with the sheet of {names} sends {it}; `oneclick batch --list` names the sheet"
        ))
    })
}
