//! Which column holds what, from the header's names; where names collide, the first rows may tell.

use super::super::results::{OWN_REF, own_columns};
use super::names::{self, Role, Strength};
use crate::domain::Phone;

/// Where each kind of cell stands, counted from 0.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Columns {
    /// The number that is topped up.
    pub phone: usize,
    /// The face value.
    pub amount: Option<usize>,
    /// The plan.
    pub plan: Option<usize>,
    /// The caller's own identity of the order.
    pub reference: Option<usize>,
    /// Text for people.
    pub note: Option<usize>,
}

impl Columns {
    /// Whether a column is one of these.
    pub(super) fn is_used(&self, index: usize) -> bool {
        self.phone == index || [self.amount, self.plan, self.reference, self.note].contains(&Some(index))
    }

    /// How many of the five are there.
    pub(super) fn count(&self) -> usize {
        let others = [self.amount, self.plan, self.reference, self.note];
        1 + others.iter().flatten().count()
    }
}

/// Why names make no header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Trouble {
    /// None of them is a phone column.
    NoPhone,
    /// Two mean the same; these are their places.
    Twice(Role, usize, usize),
}

/// Finds the columns that `header` names; `rows` are the first of those below it.
pub(super) fn columns(header: &[String], rows: &[Vec<String>]) -> Result<Columns, Trouble> {
    let mut found: Vec<_> = header.iter().map(|cell| names::role(cell)).collect();
    if let Some(start) = own_columns(header) {
        give_way(&mut found, start);
    }
    let of = |role: Role| column(role, &found, rows);
    Ok(Columns {
        phone: of(Role::Phone)?.ok_or(Trouble::NoPhone)?,
        amount: of(Role::Amount)?,
        plan: of(Role::Plan)?,
        reference: of(Role::Reference)?,
        note: of(Role::Note)?,
    })
}

type Found = Option<(Role, Strength)>;

/// Of a results file the caller's columns are meant, whatever ours behind them are called; those that he has none of are
/// ours. A ref is always ours: it is the order's, where the caller's cell may be empty.
fn give_way(found: &mut [Found], start: usize) {
    let (theirs, ours) = found.split_at_mut(start);
    for column in theirs.iter_mut() {
        if matches!(column, Some((Role::Reference, _))) {
            *column = None;
        }
    }
    if let Some(column) = ours.get_mut(OWN_REF) {
        *column = Some((Role::Reference, Strength::Strong));
    }
    for column in ours {
        let has_it = |role: Role| theirs.iter().flatten().any(|(other, _)| *other == role);
        if column.is_some_and(|(role, _)| has_it(role)) {
            *column = None;
        }
    }
}

/// The column of one role. A weak name (`N°` beside `Téléphone`, `Nom` beside `Observation`) gives way, but a
/// phone column only if it holds no phone numbers.
fn column(role: Role, found: &[Found], rows: &[Vec<String>]) -> Result<Option<usize>, Trouble> {
    let places = |strength: Strength| -> Vec<usize> {
        let is_it = |place: &usize| found[*place] == Some((role, strength));
        (0..found.len()).filter(is_it).collect()
    };
    let (strong, mut weak) = (places(Strength::Strong), places(Strength::Weak));
    if role == Role::Phone && strong.len() + weak.len() > 1 {
        weak.retain(|place| holds_phones(*place, rows));
    }
    if role == Role::Note {
        weak.truncate(usize::from(strong.is_empty()));
    }
    match [strong, weak].concat()[..] {
        [] => Ok(None),
        [place] => Ok(Some(place)),
        [one, other, ..] => Err(Trouble::Twice(role, one.min(other), one.max(other))),
    }
}

fn holds_phones(place: usize, rows: &[Vec<String>]) -> bool {
    let mut cells = rows.iter().filter_map(|row| row.get(place));
    cells.any(|cell| Phone::read(cell).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(header: &str, rows: &[&str]) -> Result<Columns, Trouble> {
        let cells = |line: &str| line.split(';').map(str::to_owned).collect::<Vec<_>>();
        let rows: Vec<_> = rows.iter().map(|row| cells(row)).collect();
        columns(&cells(header), &rows)
    }

    #[test]
    fn any_order_and_unknown_columns_between() {
        let columns = of("Ville;Montant;Réf;Téléphone;Offre;Observation", &[]);
        let expected = Columns {
            phone: 3,
            amount: Some(1),
            plan: Some(4),
            reference: Some(2),
            note: Some(5),
        };
        assert_eq!(columns, Ok(expected));
    }

    #[test]
    fn the_same_twice_is_refused() {
        assert_eq!(of("phone;mobile", &[]), Err(Trouble::Twice(Role::Phone, 0, 1)));
        assert_eq!(
            of("tel;prix;montant", &[]),
            Err(Trouble::Twice(Role::Amount, 1, 2))
        );
        assert_eq!(
            of("ref;tel;order id", &[]),
            Err(Trouble::Twice(Role::Reference, 0, 2))
        );
        assert_eq!(
            of("tel;note;remarque", &[]),
            Err(Trouble::Twice(Role::Note, 1, 2))
        );
        assert_eq!(
            of("N°;Tel", &["0555123456;0666123456"]),
            Err(Trouble::Twice(Role::Phone, 0, 1))
        );
    }

    #[test]
    fn a_row_number_gives_way_to_the_phone() {
        let columns = of("N°;Téléphone;Nom;Observation", &["1;0555123456;Ali;x"]);
        let expected = Columns {
            phone: 1,
            note: Some(3),
            ..Columns::default()
        };
        assert_eq!(columns, Ok(expected));
    }

    #[test]
    fn without_a_phone_column_there_is_no_header() {
        assert_eq!(of("montant;offre", &[]), Err(Trouble::NoPhone));
        assert_eq!(of("", &[]), Err(Trouble::NoPhone));
    }
}
