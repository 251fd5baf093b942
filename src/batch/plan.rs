//! From a sheet to staged rows: each row gets its plan, its price and its place in the planner; what can't be sent is
//! refused with line, column, value and reason. All rows are read before any is sent (design, section 4).

use sha2::{Digest, Sha256};

use super::sheet::{Entry, PlanCell, Refusal, Remark, RemarkKind, Row, Rows, Sheet};
use crate::domain::{Amount, Catalogue, Operator, Phone, Plan, PlanCode, hex};
use crate::error::{Error, Result};
use crate::ledger::{Planner, StagedRow};
use crate::pipeline;

/// How many refusals and remarks are kept to be shown; all are counted.
pub const KEPT_MAX: usize = 20;
/// How many refusals are kept: somebody has to mend every one of them.
const REFUSALS_MAX: usize = 1_000;

/// How far a plan's code may be from a known one to be taken for a slip of the keyboard.
const LETTERS_AWAY_MAX: usize = 2;
/// Rows that one thread reads and another stages at a time.
const ROWS_PER_PORTION: usize = 256;
/// Once a portion has so many bytes of cells, no further row is put to it.
const CELL_BYTES_PER_PORTION: usize = 64 * 1024;

/// What fills cells that are missing, and what no row may pass.
#[derive(Debug, Clone)]
pub struct Terms {
    /// `--plan`.
    pub plan: Option<PlanCell>,
    /// `--amount`.
    pub amount: Option<Amount>,
    /// `max_per_send`.
    pub max_per_send: Option<Amount>,
    /// What can be sold.
    pub catalogue: Catalogue,
}

/// What reading a sheet has brought.
#[derive(Debug, Default)]
pub struct Reading {
    /// Rows that are staged.
    pub rows: u64,
    /// Their face value, in dinars.
    pub face: u64,
    /// Rows that can't be sent.
    pub bad: u64,
    /// Those of them that only the catalogue stands against.
    pub unsold: u64,
    /// Those of them that only `max_per_send` stands against.
    pub over_cap: u64,
    /// The first of what is wrong with them.
    pub refusals: Vec<Refusal>,
    /// How many rows they are of.
    pub told: u64,
    /// Blank rows.
    pub blank: u64,
    /// Cells in which digits were put back.
    pub repaired: u64,
    /// The first of them, with their lines.
    pub repairs: Vec<(u64, Remark)>,
    /// Cells that were read in another spelling.
    pub noted: u64,
    /// The first of them, with their lines.
    pub notes: Vec<(u64, Remark)>,
    /// Numbers whose prefix is not that of the operator that the sheet itself names beside them.
    pub contradicted: u64,
    /// The first of them: line, what the sheet names, number, plan.
    pub contradictions: Vec<(u64, Operator, Phone, String)>,
    /// Numbers whose prefix is not the plan's operator's.
    pub misfits: u64,
    /// The first of them: line, number, plan.
    pub misfit: Option<(u64, Phone, String)>,
}

/// One thing that is worth telling of a row.
#[derive(Debug)]
pub enum Told<'a> {
    /// The line, and what was done to a cell of it.
    Read(u64, &'a Remark),
    /// Why it can't be sent.
    Refused(&'a Refusal),
}

/// What stands against a row.
enum Against {
    Sheet,
    Catalogue,
    Cap,
}

impl Terms {
    /// Stands for the bytes of a sheet and for all that decides what they mean. A cap does not: it refuses rows, and a sheet
    /// of which rows were refused is read again.
    pub fn digest(&self, sheet: &Sheet) -> String {
        let digest = Sha256::new()
            .chain_update("oneclick sheet 3\n")
            .chain_update(sheet.digest())
            .chain_update(format!("{:?}\n{:?}\n", self.plan, self.amount))
            .chain_update(format!("{:?}", self.catalogue))
            .finalize();
        hex(&digest)
    }

    /// Reads all rows of a sheet and stages those that can be sent: while one thread stages, another reads on.
    pub fn stage(&self, sheet: &Sheet, planner: &mut Planner) -> Result<Reading> {
        let mut reading = Reading::default();
        let (mut rows, mut row) = (sheet.rows()?, Row::default());
        let has_plans = sheet.columns().plan.is_some();
        let read = || {
            let portion = self.portion(&mut rows, &mut row, has_plans, &mut reading)?;
            Ok((!portion.rows.is_empty()).then_some(portion))
        };
        pipeline::run_ahead(read, |portion: Portion<'_>| {
            portion.stage(planner)?;
            Ok::<_, Error>(true)
        })?;
        reading.blank = rows.blank();
        Ok(reading)
    }

    /// Reads all rows once more, to tell everything that a [`Reading`] keeps the first of.
    pub fn retell(&self, sheet: &Sheet, tell: &mut dyn FnMut(Told<'_>)) -> Result<()> {
        let (mut rows, mut row) = (sheet.rows()?, Row::default());
        let has_plans = sheet.columns().plan.is_some();
        while rows.read(&mut row)? {
            let refusals = match row.entry() {
                Err(refusals) => refusals,
                Ok(entry) => {
                    let against = self.priced(&entry, row.line, has_plans).err();
                    let remarks = entry.remarks.iter().filter(|_| against.is_none());
                    remarks.for_each(|remark| tell(Told::Read(row.line, remark)));
                    against.into_iter().map(|(refusal, _)| refusal).collect()
                }
            };
            for refusal in &refusals {
                tell(Told::Refused(refusal));
            }
        }
        Ok(())
    }

    /// The next rows that can be sent; none at the end of the sheet.
    fn portion(
        &self,
        rows: &mut Rows,
        row: &mut Row,
        has_plans: bool,
        reading: &mut Reading,
    ) -> Result<Portion<'_>> {
        let mut portion = Portion::default();
        while portion.has_room() && rows.read(row)? {
            let number = u32::try_from(row.line).map_err(|_| too_long())?;
            let entry = match row.entry() {
                Ok(entry) => entry,
                Err(refusals) => {
                    reading.refuse(refusals, &Against::Sheet);
                    continue;
                }
            };
            let (plan, amount) = match self.priced(&entry, row.line, has_plans) {
                Ok(priced) => priced,
                Err((refusal, against)) => {
                    reading.refuse(vec![refusal], &against);
                    continue;
                }
            };
            reading.take(&entry, row.line, plan, amount);
            write_cells(row, &mut portion.cells);
            portion.rows.push(PricedRow {
                number,
                entry,
                plan,
                amount,
                cells_end: portion.cells.len(),
            });
        }
        Ok(portion)
    }

    /// The plan whose code is the same but for its case, or at most two letters away. It is named, never taken.
    fn nearest(&self, code: &PlanCode) -> Option<&Plan> {
        let typed = code.as_str().to_lowercase();
        let distance = |plan: &&Plan| strsim::damerau_levenshtein(&typed, &plan.code.as_str().to_lowercase());
        let nearest = self.catalogue.plans.iter().min_by_key(distance)?;
        let is_near = distance(&nearest) <= LETTERS_AWAY_MAX && typed.len() > 2 * LETTERS_AWAY_MAX;
        is_near.then_some(nearest)
    }

    /// The plan of a row and its amount by that plan.
    fn priced(
        &self,
        entry: &Entry,
        line: u64,
        has_plans: bool,
    ) -> std::result::Result<(&Plan, Amount), (Refusal, Against)> {
        let refuse = |column: &str, value: String, reason: String, against| {
            let refusal = Refusal {
                line,
                column: column.to_owned(),
                value,
                reason,
            };
            (refusal, against)
        };
        let asked = entry.plan.as_ref().or(self.plan.as_ref());
        let plan = match asked {
            None if has_plans => {
                let reason =
                    "the plan is empty; fill the cell, or give a plan for all such rows with `--plan`";
                return Err(refuse("plan", String::new(), reason.to_owned(), Against::Sheet));
            }
            None | Some(PlanCell::Auto) => self.catalogue.prepaid_for(&entry.phone).ok_or_else(|| {
                let operator = Operator::of(&entry.phone);
                let reason = format!("the catalogue has no prepaid plan of {operator} for this number");
                refuse("plan", "auto".to_owned(), reason, Against::Catalogue)
            })?,
            Some(PlanCell::Code(code)) => self.catalogue.find(code).ok_or_else(|| {
                let meant = self
                    .nearest(code)
                    .map(|plan| format!(" (did you mean `{}`?)", plan.code));
                let reason = format!(
                    "there is no such plan{}; `oneclick plans --all` shows every plan",
                    meant.unwrap_or_default()
                );
                refuse("plan", code.to_string(), reason, Against::Catalogue)
            })?,
        };
        if !plan.enabled {
            let reason = "the plan can't be sold just now; `oneclick plans` shows those that can";
            return Err(refuse(
                "plan",
                plan.code.to_string(),
                reason.to_owned(),
                Against::Catalogue,
            ));
        }
        let asked = entry.amount.or(self.amount);
        let amount = plan.price.settle(asked).map_err(|error| {
            let value = asked.map(|amount| amount.to_string()).unwrap_or_default();
            let mend = if asked.is_none() {
                "; fill the cell, or give an amount for all such rows with `--amount`"
            } else {
                ""
            };
            let reason = format!("{error} (`{}`){mend}", plan.code);
            // A missing amount is the sheet's fault, whatever the catalogue says.
            let against = if asked.is_none() {
                Against::Sheet
            } else {
                Against::Catalogue
            };
            refuse("amount", value, reason, against)
        })?;
        match self.max_per_send {
            Some(cap) if amount > cap => {
                let reason = format!("it would pass `max_per_send` of {} DZD", cap.grouped());
                Err(refuse("amount", amount.to_string(), reason, Against::Cap))
            }
            _ => Ok((plan, amount)),
        }
    }
}

/// Rows that are read and priced, and not yet staged.
#[derive(Default)]
struct Portion<'t> {
    rows: Vec<PricedRow<'t>>,
    /// The caller's cells, row behind row.
    cells: String,
}

struct PricedRow<'t> {
    number: u32,
    entry: Entry,
    plan: &'t Plan,
    amount: Amount,
    /// Where its cells end.
    cells_end: usize,
}

impl Portion<'_> {
    fn has_room(&self) -> bool {
        self.rows.len() < ROWS_PER_PORTION && self.cells.len() < CELL_BYTES_PER_PORTION
    }

    fn stage(&self, planner: &mut Planner) -> Result<()> {
        let mut from = 0;
        for row in &self.rows {
            planner.stage(&StagedRow {
                row: row.number,
                reference: row.entry.reference.as_ref(),
                phone: &row.entry.phone,
                plan: &row.plan.code,
                operator: &row.plan.operator,
                amount: row.amount,
                cost: row.plan.cost_of(row.amount),
                note: row.entry.note.as_deref(),
                cells: self.cells.get(from..row.cells_end).unwrap_or_default(),
            })?;
            from = row.cells_end;
        }
        Ok(())
    }
}

impl Reading {
    fn refuse(&mut self, refusals: Vec<Refusal>, against: &Against) {
        self.bad += 1;
        match against {
            Against::Sheet => {}
            Against::Catalogue => self.unsold += 1,
            Against::Cap => self.over_cap += 1,
        }
        let room = REFUSALS_MAX.saturating_sub(self.refusals.len());
        self.told += u64::from(room > 0);
        self.refusals.extend(refusals.into_iter().take(room));
    }

    fn take(&mut self, entry: &Entry, line: u64, plan: &Plan, amount: Amount) {
        self.rows += 1;
        self.face += u64::from(amount.dinars());
        for (place, remark) in entry.remarks.iter().enumerate() {
            let (count, kept) = match remark.kind {
                RemarkKind::Repaired => (&mut self.repaired, &mut self.repairs),
                RemarkKind::Noted => (&mut self.noted, &mut self.notes),
            };
            // A cell of which several things are told is one cell.
            let is_counted = entry.remarks[..place]
                .iter()
                .any(|earlier| (earlier.kind, &earlier.column) == (remark.kind, &remark.column));
            *count += u64::from(!is_counted);
            if kept.len() < KEPT_MAX {
                kept.push((line, remark.clone()));
            }
        }
        // A plan of the operator that the sheet names is what the sheet wants.
        if let Some(named) = &entry.operator
            && !named.fits(&entry.phone)
            && plan.operator != *named
        {
            self.contradicted += 1;
            if self.contradictions.len() < KEPT_MAX {
                let (phone, plan) = (entry.phone.clone(), plan.code.to_string());
                self.contradictions.push((line, named.clone(), phone, plan));
            }
        }
        if !plan.operator.fits(&entry.phone) {
            self.misfits += 1;
            self.misfit
                .get_or_insert_with(|| (line, entry.phone.clone(), plan.code.to_string()));
        }
    }
}

/// Writes the caller's cells as a JSON array behind what is there.
fn write_cells(row: &Row, cells: &mut String) {
    cells.push('[');
    for (place, cell) in row.cells().enumerate() {
        if place > 0 {
            cells.push(',');
        }
        let is_plain = cell
            .bytes()
            .all(|byte| byte >= b' ' && byte != b'"' && byte != b'\\');
        if is_plain {
            cells.push('"');
            cells.push_str(cell);
            cells.push('"');
        } else {
            cells.push_str(&serde_json::Value::from(cell).to_string());
        }
    }
    cells.push(']');
}

fn too_long() -> Error {
    Error::usage("sheet_too_long", "the sheet has more than four billion lines").hint("send it in parts")
}
