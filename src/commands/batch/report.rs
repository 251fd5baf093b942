//! What becomes of a batch while it runs: counts for the bar, a line in the results for every row that has ended, and
//! with `jsonl` an order a line.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest, Sha256};
use tokio::time::Instant;

use super::conclude::worded;
use super::words::count;
use super::{Job, aside, unwritable};
use crate::batch::{Event, Layout, Results, Retry, is_undelivered};
use crate::commands::link::Connected;
use crate::commands::send::told;
use crate::domain::{Order, State};
use crate::error::{Error, Result};
use crate::ledger::{Batch, Hold, PlannedRow, Standings};
use crate::output::{Bar, Feed, Format, Tally, Tone, order_json};
use crate::topup::Desk;

/// How many held rows are told one by one.
const HELD_SHOWN_MAX: u64 = 20;
/// How often the bar moves at most.
const SHOWN_EVERY: Duration = Duration::from_millis(100);
/// The pace is that of so long.
const PACE_WINDOW: Duration = Duration::from_mins(1);

/// Consumes the events of a run.
pub(super) struct Report<'a> {
    job: &'a Job<'a>,
    desk: &'a Desk,
    batch: Batch,
    layout: Layout,
    bar: Option<Bar>,
    /// Orders as they end, with `jsonl`.
    feed: Option<Feed>,
    total: u64,
    counts: BTreeMap<State, u64>,
    /// Orders by state when the run began.
    pub before: Standings,
    /// Rows that other commands had made orders of.
    pub elsewhere: Standings,
    results: Option<Results>,
    /// What went wrong with the results; the ledger knows all the same.
    pub trouble: Option<io::Error>,
    /// Held rows by why.
    pub held_repeats: u64,
    /// Rows that a cap holds.
    pub held_caps: u64,
    /// Those of them that are above it by themselves: no other day lets them through.
    pub held_above_cap: u64,
    /// Rows whose ref is another order's.
    pub held_clashes: u64,
    lines_before: u64,
    /// Rows that this run has claimed.
    claimed: u64,
    /// Whether a line could not be written.
    is_cut: bool,
    /// Whether other commands have made or moved orders of these rows: the results are written anew.
    has_others: bool,
    /// When the run began.
    pub started: Instant,
    pace: Pace,
    /// When it was last shown.
    shown: Option<Instant>,
    /// What is waited for, and until when.
    waiting: Option<(String, Instant)>,
}

/// The rows of the sheet by state, whoever has made their orders.
fn counts_of(desk: &Desk, batch: &Batch) -> Result<BTreeMap<State, u64>> {
    let elsewhere = desk.ledger.standings_elsewhere(batch)?;
    Ok(desk.ledger.standings(batch)?.with(&elsewhere).states)
}

/// Rows sent in the last minute.
#[derive(Default)]
struct Pace {
    since: Option<Instant>,
    sent: u64,
    last: Option<u64>,
}

impl Pace {
    fn count(&mut self, rows: u64) {
        let now = Instant::now();
        let since = *self.since.get_or_insert(now);
        self.sent += rows;
        let took = now.duration_since(since);
        if took >= PACE_WINDOW {
            self.last = Some(per_minute(self.sent, took));
            self.since = Some(now);
            self.sent = 0;
        }
    }

    fn per_minute(&self) -> Option<u64> {
        let took = self.since?.elapsed();
        // The first seconds say little.
        let now = (took >= Duration::from_secs(5)).then(|| per_minute(self.sent, took));
        self.last.or(now)
    }
}

/// Of the rows that are still planned, those that this run will send.
fn left_in_run(planned: u64, limit: Option<u32>, claimed: u64) -> u64 {
    limit.map_or(planned, |limit| {
        planned.min(u64::from(limit).saturating_sub(claimed))
    })
}

fn per_minute(count: u64, took: Duration) -> u64 {
    let millis = u64::try_from(took.as_millis()).unwrap_or(u64::MAX).max(1);
    count.saturating_mul(60_000) / millis
}

impl<'a> Report<'a> {
    /// Begins the results with what has ended before, so that they are complete at any moment.
    pub fn begin(job: &'a Job<'a>, connected: &'a Connected, batch: &Batch) -> Result<Self> {
        let desk = &connected.desk;
        let mut before = desk.ledger.standings(batch)?;
        // The lock of the batch is ours: nobody sends them any more, and this run asks about them.
        if let Some(lost) = before.states.remove(&State::Sending) {
            *before.states.entry(State::Unknown).or_default() += lost;
        }
        let elsewhere = desk.ledger.standings_elsewhere(batch)?;
        let counts = before.clone().with(&elsewhere).states;
        let printer = &job.session.printer;
        let feed = (printer.format() == Format::Jsonl).then(|| printer.feed());
        let feed = feed
            .transpose()
            .map_err(|error| Error::internal("no thread is to be had").because(error))?;
        let mut report = Self {
            feed,
            total: counts.values().sum(),
            layout: job.layout(),
            bar: Some(printer.bar()),
            job,
            desk,
            batch: batch.clone(),
            counts,
            before,
            elsewhere,
            results: None,
            trouble: None,
            held_repeats: 0,
            held_caps: 0,
            held_above_cap: 0,
            held_clashes: 0,
            lines_before: 0,
            claimed: 0,
            has_others: false,
            is_cut: false,
            started: Instant::now(),
            pace: Pace::default(),
            waiting: None,
            shown: None,
        };
        if !report.is_written() {
            report.move_strangers_aside()?;
            let results = if report.ended() == 0 {
                // There is nothing to go through the sheet for.
                Results::begin(&job.file.results, &report.layout)
            } else {
                report.rewritten()?
            };
            let mut results = results.map_err(unwritable)?;
            results.publish().map_err(unwritable)?;
            report.lines_before = results.lines();
            report.results = Some(results);
        }
        // The ledger knows best: answers that wait to be told are stored, and rows that wait to be sent are put back.
        let (desk, batch) = (Arc::clone(&connected.desk), batch.clone());
        let standing = move || counts_of(&desk, &batch).ok().map(|counts| worded(&counts));
        job.session.set_last_words(standing, job.next_command());
        report.show();
        Ok(report)
    }

    /// Whether everything has ended and the results of it stand in their file already.
    fn is_written(&self) -> bool {
        let is_over = self
            .counts
            .iter()
            .all(|(state, orders)| *orders == 0 || state.is_final());
        let noted = self.batch.sheet.as_ref().and_then(|sheet| sheet.results.as_ref());
        is_over && noted.is_some() && noted == self.mark().as_ref()
    }

    /// The results file as it stands: where, how long, since when, and of how many ended orders.
    fn mark(&self) -> Option<String> {
        let path = std::path::absolute(&self.job.file.results).ok()?;
        let metadata = std::fs::metadata(&path).ok()?;
        let changed = metadata
            .modified()
            .ok()?
            .duration_since(std::time::UNIX_EPOCH)
            .ok()?;
        Some(format!(
            "{}|{}|{}|{}",
            path.display(),
            metadata.len(),
            changed.as_nanos(),
            self.ended()
        ))
    }

    /// How many orders of the batch have ended, those that the sheet no longer has among them.
    fn ended(&self) -> u64 {
        let in_sheet = self.counts.iter().filter(|(state, _)| state.is_final());
        let in_sheet: u64 = in_sheet.map(|(_, orders)| orders).sum();
        in_sheet + self.before.count_gone(State::is_final)
    }

    /// Results of another batch, account or program are not written over.
    fn move_strangers_aside(&self) -> Result<()> {
        let path = &self.job.file.results;
        let is_file = std::fs::metadata(path).is_ok_and(|metadata| metadata.is_file());
        if is_file && !aside::is_of(&self.desk.ledger, &self.batch, path)? {
            self.tell_moved(path, aside::put(path).map_err(unwritable)?.as_path());
        }
        Ok(())
    }

    fn tell_moved(&self, from: &Path, to: &Path) {
        let message = format!(
            "`{}` was not as this batch left it; it is kept as `{}`",
            from.display(),
            to.display()
        );
        self.job.session.printer.warn(&message);
    }

    /// The results of everything that has ended, in the order of the sheet.
    fn rewritten(&self) -> Result<io::Result<Results>> {
        let mut results = match Results::begin(&self.job.file.results, &self.layout) {
            Ok(results) => results,
            Err(error) => return Ok(Err(error)),
        };
        let mut written = Ok(());
        self.desk.ledger.each_order(&self.batch, &mut |row| {
            if written.is_ok() && row.order.state.is_final() {
                written = results.write(row.row, row.cells.as_deref(), &row.order);
            }
            Ok(())
        })?;
        Ok(written.map(|()| results))
    }

    /// The rows that were definitely not delivered, ready to be mended and sent. How many they are, and what is to be
    /// noted of the file where it was written. It may have been mended since it was last written: it is written again
    /// only when there are others to mend, and what was mended is kept.
    fn retry(&self) -> Result<io::Result<(u64, Option<String>)>> {
        let path = self.job.retry_path();
        let known = self
            .batch
            .retried
            .as_deref()
            .and_then(|noted| noted.split_once('|'));
        if self.undelivered() == 0 && known.is_none() {
            return Ok(Ok((0, None)));
        }
        let mut refs = Sha256::new();
        let mut retry = match Retry::begin(path, &self.layout) {
            Ok(retry) => retry,
            Err(error) => return Ok(Err(error)),
        };
        let mut written = Ok(());
        self.desk.ledger.each_order(&self.batch, &mut |row| {
            if written.is_ok() && is_undelivered(row.order.state) && row.cells.is_some() {
                written = retry.write(row.cells.as_deref(), &row.order);
                refs.update(row.order.intent.reference.as_str());
                refs.update("\n");
            }
            Ok(())
        })?;
        let (lines, refs) = (retry.lines(), aside::brief(refs));
        let there = aside::digest(path);
        let is_the_same = known.is_some_and(|(noted, _)| noted == refs);
        if written.is_ok() && is_the_same && (there.is_some() || lines == 0) {
            return Ok(Ok((lines, None)));
        }
        let is_ours = there.as_deref() == known.map(|(_, bytes)| bytes);
        Ok(written
            .and_then(|()| {
                if there.is_some() && !is_ours {
                    self.tell_moved(path, &aside::put(path)?);
                }
                retry.publish()
            })
            .and_then(|()| retry.finish())
            .map(|()| {
                let bytes = aside::digest(path).unwrap_or_default();
                (lines, Some(format!("{refs}|{bytes}")))
            }))
    }

    /// Rows that had come to their end before this run, whoever has made their orders.
    pub fn done_before(&self) -> u64 {
        self.before.count(State::is_final) + self.elsewhere.count(State::is_final)
    }

    /// One thing that has happened.
    pub fn take(&mut self, event: &Event<'_>) {
        match event {
            Event::Claimed(rows) => {
                self.count(State::Planned, State::Sending, *rows);
                self.pace.count(*rows);
                self.claimed += rows;
            }
            Event::Moved { from, order } => {
                // An order that the sheet no longer has is none of its rows.
                if order.row.is_some() {
                    self.count(*from, order.state, 1);
                }
                self.tell(order);
            }
            Event::Existing(order) => {
                self.count(State::Planned, order.state, 1);
                self.has_others = true;
            }
            Event::Recounted => {
                // Counts that can't be read now stay as they were; the summary reads them again.
                if let Ok(counts) = counts_of(self.desk, &self.batch) {
                    self.counts = counts;
                }
                self.has_others = true;
            }
            Event::Held(row, hold) => self.held(row, hold),
            Event::Waiting { why, length } => {
                self.waiting = Some(((*why).to_owned(), Instant::now() + *length));
            }
        }
        self.show();
    }

    fn count(&mut self, from: State, to: State, rows: u64) {
        if let Some(known) = self.counts.get_mut(&from) {
            *known = known.saturating_sub(rows);
        }
        *self.counts.entry(to).or_default() += rows;
    }

    fn tell(&mut self, order: &Order) {
        let is_end = order.state.is_final() || order.state == State::InReview;
        let is_told = is_end || (self.job.sending.no_wait && order.state == State::Accepted);
        if is_told && let Some(feed) = &self.feed {
            feed.json(&order_json(order));
        }
        if order.state.is_final() {
            self.write(order);
        }
    }

    fn write(&mut self, order: &Order) {
        let Some(results) = &mut self.results else { return };
        let sheet = self.batch.sheet.as_ref();
        let cells = match (order.row, sheet) {
            (Some(row), Some(sheet)) => self.desk.ledger.cells(sheet, row).unwrap_or_default(),
            _ => None,
        };
        if let Err(error) = results.write(order.row, cells.as_deref(), order) {
            let message =
                format!("the results can't be written any more: {error}; the ledger has them all the same");
            self.job.session.printer.warn(&message);
            self.is_cut = true;
            self.results = None;
        }
    }

    fn held(&mut self, row: &PlannedRow, hold: &Hold) {
        let (line, phone) = (row.row, &row.intent.phone);
        let why = match hold {
            Hold::Repeat(order) => {
                self.held_repeats += 1;
                format!("a repeat, which needs `--again`: {}", told(order))
            }
            Hold::OverCap(passed) => {
                self.held_caps += 1;
                let limit = count(passed.limit);
                if u64::from(row.intent.amount.dinars()) > passed.limit {
                    self.held_above_cap += 1;
                    let amount = row.intent.amount.grouped();
                    format!(
                        "{amount} DZD to `{phone}` are more than `{}` of {limit} DZD",
                        passed.cap
                    )
                } else {
                    format!("`{phone}` would pass `{}` of {limit} DZD", passed.cap)
                }
            }
            Hold::Clash(order) => {
                self.held_clashes += 1;
                format!("its ref is another order's: {}", told(order))
            }
        };
        if self.held_repeats + self.held_caps + self.held_clashes <= HELD_SHOWN_MAX {
            self.job
                .session
                .printer
                .warn(&format!("line {line} stays planned: {why}"));
        }
    }

    fn show(&mut self) {
        // People can't read faster, and thousands of rows may end in a second.
        if self.shown.is_some_and(|shown| shown.elapsed() < SHOWN_EVERY) {
            return;
        }
        self.shown = Some(Instant::now());
        let (counts, total) = (&self.counts, self.total);
        let of = |wanted: fn(State) -> bool| -> u64 {
            counts
                .iter()
                .filter(|(state, _)| wanted(**state))
                .map(|(_, count)| count)
                .sum()
        };
        let planned = of(|state| state == State::Planned);
        let per_minute = self.pace.per_minute();
        let left = left_in_run(planned, self.job.sending.limit, self.claimed);
        let eta = per_minute
            .filter(|pace| *pace > 0 && left > 0)
            .map(|pace| Duration::from_secs(left.saturating_mul(60) / pace));
        let tally = Tally {
            total,
            done: of(State::is_final),
            sent: total.saturating_sub(planned),
            parts: PARTS
                .iter()
                .map(|(state, tone)| {
                    (
                        state.word(),
                        counts.get(state).copied().unwrap_or_default(),
                        *tone,
                    )
                })
                .collect(),
            per_minute,
            eta,
            waiting: self
                .waiting
                .as_ref()
                .filter(|(_, until)| *until > Instant::now())
                .map(|(why, _)| why.clone()),
        };
        if let Some(bar) = &self.bar {
            bar.show(&tally);
        }
    }

    fn undelivered(&self) -> u64 {
        let undelivered = self.counts.iter().filter(|(state, _)| is_undelivered(**state));
        undelivered.map(|(_, orders)| orders).sum()
    }

    /// The run is over: the bar goes.
    pub fn finish(&mut self) {
        self.shown = None;
        self.show();
        if let Some(bar) = self.bar.take() {
            bar.finish();
        }
    }

    /// Writes the results in the order of the sheet, and the rows to be retried. How many those are. The files stand
    /// before a reader of stdout is waited for.
    pub async fn close(&mut self) -> Result<u64> {
        let retry_rows = self.close_files().await;
        if let Some(feed) = self.feed.take()
            && let Err(error) = feed.finish().await
        {
            self.trouble.get_or_insert(error);
        }
        retry_rows
    }

    async fn close_files(&mut self) -> Result<u64> {
        if self.results.is_none() && !self.is_cut {
            let undelivered = self.undelivered();
            if undelivered == 0 || self.job.retry_path().exists() {
                return Ok(undelivered);
            }
            return self.close_retry(Ok(())).await;
        }
        // Lines come in the order in which they end; those that could not be written are missing.
        let (outcome, is_due) = match self.results.take() {
            Some(results) => {
                let has_grown = results.lines() > self.lines_before || self.has_others;
                (results.finish(), has_grown)
            }
            None => (Ok(()), true),
        };
        let outcome = match outcome {
            Ok(()) if is_due => self
                .rewritten()?
                .and_then(|mut results| results.publish().and_then(|()| results.finish())),
            outcome => outcome,
        };
        self.close_retry(outcome).await
    }

    /// The rows to be mended, behind the results. Only where both stand they need not be written again.
    async fn close_retry(&mut self, outcome: io::Result<()>) -> Result<u64> {
        let retry = self.retry()?;
        let lines = retry.as_ref().map_or(0, |(lines, _)| *lines);
        if let Ok((_, Some(noted))) = &retry {
            self.desk.ledger.note_retried(&self.batch, noted.clone()).await?;
        }
        if outcome.is_ok()
            && retry.is_ok()
            && let (Some(sheet), Some(mark)) = (&self.batch.sheet, self.mark())
        {
            self.desk.ledger.note_results(sheet, mark).await?;
        }
        if let Err(error) = outcome.and(retry.map(|_| ())) {
            self.job.session.printer.warn(&format!(
                "the results can't be written: {error}; the ledger has them all the same"
            ));
            self.trouble.get_or_insert(error);
        }
        Ok(lines)
    }
}

/// Counts in the order in which people want to know them.
const PARTS: [(State, Tone); 10] = [
    (State::Fulfilled, Tone::Good),
    (State::Refunded, Tone::Bad),
    (State::Rejected, Tone::Bad),
    (State::Conflict, Tone::Bad),
    (State::Unknown, Tone::Warning),
    (State::InReview, Tone::Warning),
    (State::Accepted, Tone::Plain),
    (State::Sending, Tone::Plain),
    (State::Cancelled, Tone::Muted),
    (State::WrittenOff, Tone::Muted),
];

impl Job<'_> {
    /// The caller's columns.
    fn layout(&self) -> Layout {
        let columns = self.sheet.columns();
        Layout {
            header: self.sheet.header().to_vec(),
            phone: Some(columns.phone),
            reference: columns.reference,
            separator: self.sheet.separator(),
        }
    }

    /// Where the rows go that are to be mended.
    pub(super) fn retry_path(&self) -> &Path {
        &self.file.retry
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_shortens_what_is_left() {
        assert_eq!(left_in_run(100, None, 10), 100);
        assert_eq!(left_in_run(100, Some(30), 10), 20);
        assert_eq!(left_in_run(100, Some(30), 30), 0);
        assert_eq!(left_in_run(5, Some(30), 10), 5);
    }
}
