//! `batch`: a sheet of top-ups, safe to type again: it is the resume (design, section 4).

mod aside;
mod bounds;
mod conclude;
mod consent;
mod continuing;
mod list;
mod others;
mod preview;
mod report;
mod rows;
mod source;
mod words;

use std::cell::OnceCell;
use std::path::PathBuf;
use std::sync::Arc;

use super::acting::by_flag;
use super::link::Connected;
use super::outcome::{asked_error, unprintable, unrecorded};
use super::session::Session;
pub use crate::batch::sheet::PlanCell;
use crate::batch::sheet::{self, Sheet};
use crate::batch::{Options, Preview, Reading, Terms, Unsettled};
use crate::config::Concurrency;
use crate::domain::{Amount, Catalogue, Label, Money, State};
use crate::error::{Error, ExitCode, Kind, Result};
use crate::ledger::{Batch, BatchLock, InDoubt, InHand, NewSheet, Override, Planner};
use crate::topup::Desk;
use bounds::Weighed;
pub use source::Source;

/// What is asked for.
#[derive(Debug, Clone)]
pub enum Request {
    /// What batches there are.
    List,
    /// A sheet is sent.
    Send(Box<Sending>),
}

/// A sheet, and how it is sent.
#[derive(Debug, Clone)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is one flag of the command line"
)]
pub struct Sending {
    /// Where the sheet is.
    pub source: Source,
    /// Fills a missing plan.
    pub plan: Option<PlanCell>,
    /// Fills a missing amount.
    pub amount: Option<Amount>,
    /// The batch's name, where it is not the file's stem.
    pub label: Option<Label>,
    /// Shows what would be sent.
    pub dry_run: bool,
    /// Consents.
    pub yes: bool,
    /// Consents to this face value.
    pub confirm_total: Option<u64>,
    /// The sheet must have so many rows.
    pub expect_count: Option<u64>,
    /// The sheet must have this face value.
    pub expect_total: Option<u64>,
    /// Leaves out what can't be sent.
    pub skip_bad: bool,
    /// Consents to repeats.
    pub again: bool,
    /// The most face value that this run may send.
    pub max_total: Option<u64>,
    /// The most rows that this run may send.
    pub limit: Option<u32>,
    /// Sends although the balance does not cover everything.
    pub until_empty: bool,
    /// Does not wait for the end of what was accepted.
    pub no_wait: bool,
    /// Where the results go.
    pub results: Option<PathBuf>,
    /// The command line without what belongs to a single run: how to type it again.
    pub typed: Vec<String>,
}

impl Sending {
    /// Whether the command line consents to sending.
    fn is_agreed(&self) -> bool {
        self.yes || self.confirm_total.is_some()
    }

    /// Whether it names the face value of the whole sheet, which is compared before anything is sent: a sheet that was cut
    /// has another. Under a limit the total to confirm is that of fewer rows.
    fn names_the_total(&self) -> bool {
        self.expect_total.is_some() || (self.confirm_total.is_some() && self.limit.is_none())
    }

    /// The guards that its flags set aside; a bound that they set is none.
    fn overrides(&self) -> Vec<Override> {
        let flags = [
            self.again.then(|| by_flag("repeats", "--again")),
            self.skip_bad
                .then(|| by_flag("rows that can't be sent", "--skip-bad")),
            self.until_empty
                .then(|| by_flag("a balance that does not cover all rows", "--until-empty")),
        ];
        flags.into_iter().flatten().collect()
    }
}

/// Does it.
pub async fn run(session: &Session, request: &Request) -> Result<ExitCode> {
    match request {
        Request::List => list::run(session).await,
        Request::Send(sending) => {
            let sheet_file = sending.source.prepare(session, sending).await?;
            let sheet = sheet_file.open()?.known_whole(sending.names_the_total());
            let connected = session.connect().await?;
            let desk = &connected.desk;
            session
                .act(&desk.ledger, &desk.account, sending.overrides())
                .await?;
            let job = Job {
                session,
                sending,
                label: desk.ledger.known_label(&desk.account, &sheet_file.label)?,
                file: &sheet_file,
                sheet,
                confirmed: OnceCell::new(),
            };
            match job.run(&connected).await {
                Ok(code) => Ok(code),
                Err(error) => {
                    let error = connected.heed(error).await;
                    Err(job.with_standing(&connected, error))
                }
            }
        }
    }
}

/// One sheet on its way.
struct Job<'a> {
    session: &'a Session,
    sending: &'a Sending,
    label: Label,
    file: &'a source::SheetFile,
    sheet: Sheet,
    /// The face value of the whole sheet, where a total was confirmed by a flag; none under a limit, where the next run is
    /// of other rows.
    confirmed: OnceCell<Option<u64>>,
}

/// The sheet as it was understood: staged anew, or stored before.
enum Planned {
    /// The same file under the same terms is in the ledger already.
    Stored(Batch),
    /// It is staged.
    Staged(Box<Planner>, Reading),
}

/// Rows of the sheet that are not part of the batch.
#[derive(Debug, Clone, Copy)]
struct LeftOut {
    /// They can't be sent.
    bad: u64,
    /// Nobody has consented to the repeats.
    repeats: u64,
}

impl Planned {
    /// The batch, where there is one already.
    fn batch(&self) -> Option<&Batch> {
        match self {
            Self::Stored(batch) => Some(batch),
            Self::Staged(planner, _) => planner.batch(),
        }
    }

    /// Rows and face value of the whole file, as far as it can be sent.
    fn totals(&self) -> (u64, u64) {
        match self {
            Self::Stored(batch) => batch
                .sheet
                .as_ref()
                .map_or((0, 0), |sheet| (sheet.rows.into(), sheet.face)),
            Self::Staged(_, reading) => (reading.rows, reading.face),
        }
    }
}

impl Job<'_> {
    async fn run(&self, connected: &Connected) -> Result<ExitCode> {
        self.check_key(connected)?;
        let desk = &connected.desk;
        let limiter = desk.client.limiter();
        limiter.set_steady(self.session.rate_for(desk.account.environment));
        let _lock = self.lock(connected)?;
        let in_hand = InHand::Batch(&self.label);
        self.session
            .say_what_is_open(&desk.ledger, &desk.account, in_hand);
        let (terms, planned) = self.plan(connected).await?;
        for slip in self.sheet.slips() {
            self.session.printer.warn(&slip);
        }
        for remark in self.sheet.remarks() {
            self.session.printer.note(&remark);
        }
        // What is wrong with rows tells more than that their total is another one.
        let bad = rows::check(self, &terms, &planned)?;
        self.check_expectations(&planned)?;
        let balance = self.session.balance(&desk.client).await?.balance;
        let with_repeats = match &planned {
            Planned::Staged(staged, _) => consent::repeats(self, connected, staged).await?,
            Planned::Stored(..) => true,
        };
        let Some(Weighed { preview, in_doubt }) =
            self.weigh(connected, &planned, balance, with_repeats).await?
        else {
            return Ok(ExitCode::Success);
        };
        let act = consent::noted(self, connected, &planned, &preview, in_doubt).await?;
        if sheet::open(&self.file.path)?.digest() != self.sheet.digest() {
            return Err(changed(&self.file.shown));
        }
        let repeats = match &planned {
            Planned::Staged(staged, _) if !with_repeats => staged.repeats(0)?.0,
            _ => 0,
        };
        let left_out = LeftOut { bad, repeats };
        let batch = self.store(connected, &terms, planned, with_repeats, act)?;
        let options = self.options(connected, &preview, in_doubt, balance);
        self.send(connected, batch, options, left_out).await
    }

    /// Where a run is refused before it begins, by the provider, its key or a bound, earlier runs may have sent all the
    /// same: how the batch stands is said with it, and what is not known weighs more.
    fn with_standing(&self, connected: &Connected, error: Error) -> Error {
        let desk = &connected.desk;
        let continues = format!("to go on: `{}`", self.next_command());
        let kind = error.kind;
        let is_outranked = matches!(kind, Kind::Unavailable | Kind::Auth | Kind::Limit);
        if !is_outranked || error.hints.contains(&continues) {
            return error;
        }
        let Ok(Some(batch)) = desk.ledger.batch(&desk.account, &self.label) else {
            return error;
        };
        let ledger = &desk.ledger;
        let (Ok(standings), Ok(elsewhere)) = (ledger.standings(&batch), ledger.standings_elsewhere(&batch))
        else {
            return error;
        };
        let standings = standings.with(&elsewhere);
        let in_doubt = standings.count(State::is_in_doubt) + standings.count_gone(State::is_in_doubt);
        if standings.count(|state| state != State::Planned) == 0 && in_doubt == 0 {
            return error;
        }
        let standing = format!(
            "the batch stands as it did: {}",
            conclude::worded(&standings.states)
        );
        let sent_before = |text: &String| text.replace("nothing was sent", "nothing more was sent");
        let mut error = Error {
            message: sent_before(&error.message),
            hints: error.hints.iter().map(sent_before).collect(),
            ..error
        };
        if in_doubt > 0 {
            error.kind = Kind::Unknown;
            error.message = format!("{}; {}", error.message, conclude::not_known(in_doubt));
        }
        // A bound refuses the same command again; its own hints say how to go on.
        let continues = (kind != Kind::Limit).then_some(continues);
        error.hint(standing).maybe_hint(continues)
    }

    fn check_key(&self, connected: &Connected) -> Result<()> {
        if connected.identity.is_read_only && !self.sending.dry_run {
            return Err(Error::new(
                Kind::Auth,
                "read_only_key",
                "the API key may only read; it can't send",
            )
            .hint("make a key with the scope READ-WRITE in the provider's dashboard"));
        }
        Ok(())
    }

    /// One process per batch. A dry run changes nothing, so it needs no lock.
    fn lock(&self, connected: &Connected) -> Result<Option<BatchLock>> {
        if self.sending.dry_run {
            return Ok(None);
        }
        let desk = &connected.desk;
        let lock = desk.ledger.lock_batch(&desk.account, &self.label)?;
        lock.map(Some).ok_or_else(|| {
            let message = format!("the batch `{}` is running in another process", self.label);
            Error::new(Kind::Busy, "batch_busy", message)
                .hint("wait for it to end; `oneclick batch --list` shows how far it is")
        })
    }

    async fn plan(&self, connected: &Connected) -> Result<(Terms, Planned)> {
        let desk = &connected.desk;
        let known = desk.ledger.batch(&desk.account, &self.label)?;
        let terms = self.terms(self.catalogue(connected, false).await?);
        if let Some(planned) = self.stored(desk, known.as_ref(), &terms)? {
            return Ok((terms, planned));
        }
        if let Some(batch) = &known
            && !self.sending.dry_run
        {
            self.settle_lost(connected, batch).await?;
        }
        let staged = self.stage(connected, &terms)?;
        if let Planned::Staged(_, reading) = &staged
            && reading.unsold > 0
        {
            // A plan may have been added, switched on or repriced since the catalogue was stored.
            let fresh = self.terms(self.catalogue(connected, true).await?);
            if fresh.catalogue != terms.catalogue {
                let staged = self.stage(connected, &fresh)?;
                return Ok((fresh, staged));
            }
        }
        Ok((terms, staged))
    }

    /// Asks about rows whose answers were lost: what became of them decides what a changed sheet has that is a repeat now,
    /// and what there is still to pay.
    async fn settle_lost(&self, connected: &Connected, batch: &Batch) -> Result<()> {
        let progress = self.session.printer.spinner();
        let standings = connected.desk.ledger.standings(batch)?;
        if standings.count(State::is_in_doubt) + standings.count_gone(State::is_in_doubt) > 0 {
            progress.say("asking about rows whose answers were lost");
        }
        let settled = crate::batch::settle_lost(&connected.desk, batch).await;
        progress.finish();
        match settled {
            Ok(_) => Ok(()),
            Err(Unsettled::Ledger(failure)) => Err(unrecorded(failure)),
            Err(Unsettled::Asked(asked)) => Err(asked_error(asked, "ask about rows whose answers were lost")),
        }
    }

    async fn catalogue(&self, connected: &Connected, refresh: bool) -> Result<Catalogue> {
        let desk = &connected.desk;
        self.session
            .catalogue(&desk.client, Some(&desk.ledger), &desk.account, refresh)
            .await
    }

    fn terms(&self, catalogue: Catalogue) -> Terms {
        Terms {
            plan: self.sending.plan.clone(),
            amount: self.sending.amount,
            max_per_send: self.session.config.max_per_send.as_ref().map(|cap| cap.value),
            catalogue,
        }
    }

    /// The same bytes under the same terms, every row of which is planned: nothing needs a second look.
    fn stored(&self, desk: &Desk, known: Option<&Batch>, terms: &Terms) -> Result<Option<Planned>> {
        let Some((batch, sheet)) = known.and_then(|batch| Some((batch, batch.sheet.as_ref()?))) else {
            return Ok(None);
        };
        let is_the_same = sheet.is_whole && sheet.digest == terms.digest(&self.sheet);
        // What another command has given up since, this batch sends: the sheet still has it.
        let cap = self.session.config.max_per_send.as_ref();
        let is_planned = is_the_same
            && !desk.ledger.has_given_up_elsewhere(batch)?
            // Rows that were paid before a cap was set, or lowered, are nothing that it holds back.
            && match cap {
                Some(cap) => !desk.ledger.may_send_over(batch, cap.value)?,
                None => true,
            };
        Ok(is_planned.then(|| Planned::Stored(batch.clone())))
    }

    fn stage(&self, connected: &Connected, terms: &Terms) -> Result<Planned> {
        let desk = &connected.desk;
        let mut planner = desk.ledger.planner(&desk.account, &self.label)?;
        let window = self.session.config.repeat_window.value.duration();
        let since = crate::clock::earlier(self.session.clock.now(), window);
        let reading = terms.plan(&self.sheet, &mut planner, since)?;
        Ok(Planned::Staged(Box::new(planner), reading))
    }

    /// `--expect-count` and `--expect-total` speak of the whole sheet.
    fn check_expectations(&self, planned: &Planned) -> Result<()> {
        let (rows, face) = planned.totals();
        let bad = match planned {
            Planned::Staged(_, reading) => reading.bad,
            Planned::Stored(..) => 0,
        };
        let differs = |what: &str, there: u64, expected: u64| {
            let message = format!("the sheet has {what} of {there}, not of {expected}; nothing was sent");
            Error::usage("not_expected", message).hint("check that this is the sheet that is meant")
        };
        match (self.sending.expect_count, self.sending.expect_total) {
            (Some(count), _) if count != rows + bad => Err(differs("a count", rows + bad, count)),
            (_, Some(total)) if total != face => Err(differs("a total", face, total)),
            _ => Ok(()),
        }
    }

    fn store(
        &self,
        connected: &Connected,
        terms: &Terms,
        planned: Planned,
        with_repeats: bool,
        act: Option<i64>,
    ) -> Result<Batch> {
        let (staged, reading) = match planned {
            Planned::Stored(batch) => return Ok(batch),
            Planned::Staged(staged, reading) => (staged, reading),
        };
        let progress = self.session.printer.spinner();
        if reading.rows > 100_000 {
            progress.say("storing the sheet");
        }
        let new = NewSheet {
            file: self.file.kept()?,
            header: self.sheet.header().to_vec(),
            digest: terms.digest(&self.sheet),
            is_whole: reading.bad == 0,
            with_repeats,
            at: connected.desk.clock.now(),
            act,
        };
        Ok(staged.store(&new)?)
    }

    async fn send(
        &self,
        connected: &Connected,
        batch: Batch,
        options: Options,
        left_out: LeftOut,
    ) -> Result<ExitCode> {
        let desk: &Arc<Desk> = &connected.desk;
        let mut report = report::Report::begin(self, connected, &batch)?;
        let log = self.session.write_log_meanwhile();
        let ran = crate::batch::run(Arc::clone(desk), batch.clone(), options, &mut |event| {
            report.take(&event);
        })
        .await;
        drop(log);
        report.finish();
        let outcome = ran.map_err(unrecorded)?;
        conclude::conclude(self, connected, &batch, &outcome, report, left_out).await
    }

    fn options(
        &self,
        connected: &Connected,
        preview: &Preview,
        in_doubt: InDoubt,
        balance: Money,
    ) -> Options {
        let config = &self.session.config;
        Options {
            connections: self.connections(connected),
            waits: !self.sending.no_wait,
            limit: self.sending.limit,
            consent: preview.consent(in_doubt),
            repeat_window: config.repeat_window.value.duration(),
            caps: self.session.caps(),
            balance: Some(balance),
            dearest: preview.dearest,
        }
    }

    /// A schedule needs few connections: enough for a provider that takes ten seconds.
    fn connections(&self, connected: &Connected) -> usize {
        match self.session.config.concurrency.value {
            Concurrency::Fixed(count) => count.get().into(),
            Concurrency::Auto => match self.session.rate_for(connected.desk.account.environment) {
                crate::api::Rate::Unlimited => 64,
                crate::api::Rate::PerMinute(rate) => {
                    usize::try_from(rate.get() / 6).unwrap_or(64).clamp(4, 64)
                }
            },
        }
    }
}

fn changed(file: &str) -> Error {
    Error::usage(
        "sheet_changed",
        format!("`{file}` has changed since it was read; nothing was sent"),
    )
    .hint("run the command again once nobody is writing to it")
}

/// A file beside the sheet can't be written.
fn unwritable(error: std::io::Error) -> Error {
    Error::usage("results_unwritable", "the results can't be written")
        .because(error)
        .hint("name another place with `--results`; nothing was sent")
}
