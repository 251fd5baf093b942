//! What bounds a run: the balance, the cap of the day, `--max-total`. What would be sent is held against them before
//! anybody is asked for consent (design, section 4).

use super::preview::Shown;
use super::words::count;
use super::{Job, Planned};
use crate::batch::{Bounds, Preview};
use crate::commands::link::Connected;
use crate::domain::Money;
use crate::error::{Error, Kind, Result};
use crate::ledger::InDoubt;

/// What would be sent, which nothing stands against.
pub(super) struct Weighed {
    pub preview: Preview,
    /// Rows whose answers were lost, and that may be sent again.
    pub in_doubt: InDoubt,
}

impl Job<'_> {
    /// Shows what would be sent, and holds it against what bounds the run; none after a dry run.
    ///
    /// What is in doubt weighs as if it were still to be paid, and it may have been: where a bound refuses the run for it,
    /// it is asked about once, and shown anew. Whatever stands against sending, nothing stands against asking.
    pub(super) async fn weigh(
        &self,
        connected: &Connected,
        planned: &Planned,
        balance: Money,
        with_repeats: bool,
    ) -> Result<Option<Weighed>> {
        let ledger = &connected.desk.ledger;
        // Before a sheet is staged, those in doubt are asked about.
        let mut may_ask = matches!(planned, Planned::Stored(..));
        loop {
            let bounds = self.bounds(connected, balance)?;
            let preview = match planned {
                Planned::Stored(batch) => Preview::of_stored(ledger, batch, bounds)?,
                Planned::Staged(staged, _) => Preview::of_staged(staged, bounds, with_repeats)?,
            };
            let in_doubt = self.in_doubt(connected, planned)?;
            let shown = Shown {
                job: self,
                connected,
                planned,
                preview: &preview,
                in_doubt,
                balance,
            };
            shown.show()?;
            if self.sending.dry_run {
                shown.warn_of_bounds(&bounds);
                self.session.printer.note("nothing was sent (`--dry-run`)");
                return Ok(None);
            }
            match (shown.check_bounds(&bounds), planned.batch()) {
                (Ok(()), _) => return Ok(Some(Weighed { preview, in_doubt })),
                (Err(refused), Some(batch)) if may_ask && in_doubt.rows > 0 => {
                    may_ask = false;
                    self.session.printer.warn(&refused.message);
                    self.settle_lost(connected, batch).await?;
                }
                (Err(refused), _) => return Err(refused),
            }
        }
    }

    fn bounds(&self, connected: &Connected, balance: Money) -> Result<Bounds> {
        let desk = &connected.desk;
        let cap = self.session.config.max_per_day.as_ref();
        let cap = cap.map(|cap| cap.value.dinars());
        let used = if cap.is_some() {
            let today = crate::domain::start_of_day(self.session.clock.now());
            desk.ledger.paid_face_since(&desk.account, today)?
        } else {
            0
        };
        Ok(Bounds {
            limit: self.sending.limit,
            balance: Some(balance),
            room_today: cap.map(|cap| cap.saturating_sub(used)),
            is_day_passed: cap.is_some_and(|cap| used > cap),
        })
    }

    /// What earlier runs have left in doubt: this one may send it again.
    fn in_doubt(&self, connected: &Connected, planned: &Planned) -> Result<InDoubt> {
        let today = crate::domain::start_of_day(self.session.clock.now());
        Ok(match planned.batch() {
            Some(batch) => connected.desk.ledger.in_doubt(batch, today)?,
            None => InDoubt::default(),
        })
    }
}

impl Shown<'_> {
    /// What would refuse the run, as warnings.
    pub fn warn_of_bounds(&self, bounds: &Bounds) {
        let printer = &self.job.session.printer;
        for error in [self.over_max_total(), self.over_balance(), self.over_day(bounds)]
            .into_iter()
            .flatten()
        {
            printer.warn(&error.message);
        }
    }

    /// Refuses a run that the balance, a cap or `--max-total` does not let through.
    pub fn check_bounds(&self, bounds: &Bounds) -> Result<()> {
        if let Some(row) = self.preview.runs_out_at.filter(|_| self.job.sending.until_empty) {
            let message = format!("the money runs out at line {row}; the rows from there on stay planned");
            self.job.session.printer.warn(&message);
        }
        match self
            .over_max_total()
            .or_else(|| self.over_day(bounds))
            .or_else(|| self.over_balance())
        {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }

    fn over_max_total(&self) -> Option<Error> {
        let (face, max) = (self.preview.to_send.face, self.job.sending.max_total?);
        // Also under a limit: which rows it lets through is not known before the provider has been asked.
        let sent_again = self.in_doubt.face;
        if face.saturating_add(sent_again) <= max {
            return None;
        }
        let sent = count(face);
        Some(if face > max {
            let message =
                format!("{sent} DZD would be sent, more than `--max-total {max}`; nothing was sent");
            Error::new(Kind::Limit, "max_total", message)
                .hint("check that this is the sheet that is meant; `--limit` sends its first rows only")
        } else {
            let message = format!(
                "{sent} DZD would be sent, and up to {} DZD again whose answers were lost, together more than \
                 `--max-total {max}`; nothing was sent",
                count(sent_again)
            );
            Error::new(Kind::Limit, "max_total", message)
                .hint("`oneclick ref check` asks what became of those first; it sends nothing")
        })
    }

    /// What may be sent again at once. Where a limit is set, a row in doubt is only asked about; proved absent it is claimed
    /// like any other, within the limit and the caps.
    fn sent_again(&self) -> u64 {
        if self.job.sending.limit.is_some() {
            0
        } else {
            self.in_doubt.face
        }
    }

    fn over_day(&self, bounds: &Bounds) -> Option<Error> {
        let (face, room) = (self.preview.to_send.face, bounds.room_today?);
        let sent_again = self.sent_again();
        // What was sent today has its room already.
        let anew = sent_again.saturating_sub(self.in_doubt.face_today);
        (face.saturating_add(anew) > room || sent_again > 0 && bounds.is_day_passed).then(|| {
            let again = if sent_again > 0 {
                format!(
                    ", and up to {} DZD again whose answers were lost",
                    count(sent_again)
                )
            } else {
                String::new()
            };
            let message = format!(
                "{} DZD would be sent{again}, and `max_per_day` leaves {} DZD today; nothing was sent",
                count(face),
                count(room)
            );
            let error = Error::new(Kind::Limit, "max_per_day", message)
                .hint("`oneclick config show` says where the cap is set");
            match self.preview.under_cap {
                0 => error,
                rows => error.hint(format!("`--limit {rows}` sends the rows that fit")),
            }
        })
    }

    fn over_balance(&self) -> Option<Error> {
        let row = self
            .preview
            .runs_out_at
            .filter(|_| !self.job.sending.until_empty)?;
        let (cost, missing) = (
            self.preview.to_send.cost,
            self.preview.to_send.cost - self.balance,
        );
        let message = format!(
            "the balance is {} DZD and the rows cost {} DZD: the money would run out at line {row}; nothing was sent",
            self.balance.grouped(),
            cost.grouped()
        );
        let error = Error::new(Kind::Limit, "balance_too_low", message)
            .hint(format!(
                "put {} DZD more on the account, then run the command again",
                missing.grouped()
            ))
            .hint("`--until-empty` sends as far as the money goes");
        Some(match self.preview.covered {
            0 => error,
            rows => error.hint(format!("`--limit {rows}` sends the rows that it covers")),
        })
    }
}
