//! From a sheet to staged rows: each row gets its plan, its price and its place in the planner; what can't be sent is
//! refused with line, column, value and reason. All rows are read before any is sent (design, section 4).

use jiff::Timestamp;
use sha2::{Digest, Sha256};

use super::pricing::{Against, Offer, Priced};
use super::sheet::{Entry, PlanCell, Refusal, Remark, RemarkKind, Row, Rows, Sheet};
use crate::domain::{Amount, Catalogue, Operator, Phone, hex};
use crate::error::{Error, Result};
use crate::ledger::{LeftOpen, Planner, StagedRow};
use crate::pipeline;

/// How many refusals and remarks are kept to be shown; all are counted.
pub const KEPT_MAX: usize = 20;
/// How many refusals are kept: somebody has to mend every one of them.
const REFUSALS_MAX: usize = 1_000;

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

    /// Reads all rows of a sheet, stages those that can be sent, and holds them against the ledger. What the catalogue or
    /// a cap has against a row that is an order already, it has come too late for: the row is done.
    pub fn plan(&self, sheet: &Sheet, planner: &mut Planner, repeat_since: Timestamp) -> Result<Reading> {
        let mut reading = self.stage(sheet, planner)?;
        planner.resolve(repeat_since, &mut |line, refused| {
            reading.refuse_sending(line, refused);
        })?;
        reading.refusals.sort_by_key(|refusal| refusal.line);
        reading.refusals.truncate(REFUSALS_MAX);
        reading.rows = planner.rows().into();
        reading.face = planner.face();
        Ok(reading)
    }

    /// Reads and stages the rows: while one thread stages, another reads on.
    fn stage(&self, sheet: &Sheet, planner: &mut Planner) -> Result<Reading> {
        let mut reading = Reading::default();
        let (mut rows, mut row) = (sheet.rows()?, Row::default());
        let looks = Looks {
            has_plans: sheet.columns().plan.is_some(),
            is_known: planner.batch().is_some(),
        };
        let read = || {
            let portion = self.portion(&mut rows, &mut row, looks, &mut reading)?;
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
    pub fn retell(&self, sheet: &Sheet, tell: &mut dyn FnMut(Told<'_>) -> Result<()>) -> Result<()> {
        let (mut rows, mut row) = (sheet.rows()?, Row::default());
        let has_plans = sheet.columns().plan.is_some();
        while rows.read(&mut row)? {
            let refusals = match row.entry() {
                Err(refusals) => refusals,
                Ok(entry) => {
                    let against = match self.priced(&entry, row.line, has_plans) {
                        Ok(priced) => priced.against,
                        Err(against) => Some(against),
                    };
                    let remarks = entry.remarks.iter().filter(|_| against.is_none());
                    for remark in remarks {
                        tell(Told::Read(row.line, remark))?;
                    }
                    against.into_iter().map(|(refusal, _)| refusal).collect()
                }
            };
            for refusal in &refusals {
                tell(Told::Refused(refusal))?;
            }
        }
        Ok(())
    }

    /// The next rows that can be sent, or may have been; none at the end of the sheet.
    fn portion(
        &self,
        rows: &mut Rows,
        row: &mut Row,
        looks: Looks,
        reading: &mut Reading,
    ) -> Result<Portion<'_>> {
        let mut portion = Portion::default();
        while portion.has_room() && rows.read(row)? {
            let number = u32::try_from(row.line).map_err(|_| too_long())?;
            let entry = match row.entry() {
                Ok(entry) => entry,
                Err(refusals) => {
                    reading.refuse(refusals, Against::Sheet);
                    continue;
                }
            };
            let may_be_an_order = looks.is_known || entry.reference.is_some();
            let priced = match self.priced(&entry, row.line, looks.has_plans) {
                Ok(Priced {
                    against: Some(against),
                    ..
                }) if !may_be_an_order => Err(against),
                priced => priced,
            };
            let Priced {
                offer,
                amount,
                against,
                left_open,
            } = match priced {
                Ok(priced) => priced,
                Err((refusal, against)) => {
                    reading.refuse(vec![refusal], against);
                    continue;
                }
            };
            if against.is_none() {
                reading.take(&entry, row.line, &offer);
            }
            write_cells(row, &mut portion.cells);
            portion.rows.push(PricedRow {
                number,
                entry,
                offer,
                amount,
                left_open,
                refused: against.map(|(refusal, against)| written(&refusal, against)),
                cells_end: portion.cells.len(),
            });
        }
        Ok(portion)
    }
}

/// What decides how rows are looked at.
#[derive(Clone, Copy)]
struct Looks {
    /// Whether the sheet has a column of plans.
    has_plans: bool,
    /// Whether the batch is known: then its rows may be orders already.
    is_known: bool,
}

/// A refusal as the planner keeps it.
fn written(refusal: &Refusal, against: Against) -> String {
    let Refusal {
        column,
        value,
        reason,
        ..
    } = refusal;
    serde_json::to_string(&(against, column, value, reason)).unwrap_or_default()
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
    offer: Offer<'t>,
    amount: Amount,
    left_open: LeftOpen,
    /// What stands against sending it.
    refused: Option<String>,
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
                plan: row.offer.code(),
                operator: row.offer.operator(),
                amount: row.amount,
                cost: row.offer.cost_of(row.amount),
                note: row.entry.note.as_deref(),
                cells: self.cells.get(from..row.cells_end).unwrap_or_default(),
                left_open: row.left_open,
                refused: row.refused.as_deref(),
            })?;
            from = row.cells_end;
        }
        Ok(())
    }
}

impl Reading {
    /// A row that is none of the orders that there are already, and that the terms stand against.
    fn refuse_sending(&mut self, line: u32, written: &str) {
        let Ok((against, column, value, reason)) = serde_json::from_str(written) else {
            // Nothing but `written` writes it.
            self.bad += 1;
            return;
        };
        let refusal = Refusal {
            line: line.into(),
            column,
            value,
            reason,
        };
        self.refuse(vec![refusal], against);
    }

    fn refuse(&mut self, refusals: Vec<Refusal>, against: Against) {
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

    fn take(&mut self, entry: &Entry, line: u64, offer: &Offer<'_>) {
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
            && offer.operator() != named
        {
            self.contradicted += 1;
            if self.contradictions.len() < KEPT_MAX {
                let (phone, plan) = (entry.phone.clone(), offer.code().to_string());
                self.contradictions.push((line, named.clone(), phone, plan));
            }
        }
        if !offer.operator().fits(&entry.phone) {
            self.misfits += 1;
            self.misfit
                .get_or_insert_with(|| (line, entry.phone.clone(), offer.code().to_string()));
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
