//! How far a long batch is, in words: one line for a log, one or two lines of any width for a terminal.

use std::time::Duration;

use unicode_width::UnicodeWidthStr;

use super::paint::{Paint, Tone};
use super::sanitise::{cap, clean_lines, isolate};
use crate::domain::group_thousands;

/// The bar is left out where it would be narrower.
const BAR_COLUMNS_MIN: usize = 8;
/// The bar is no wider: it shows no more, and the eye has further to go.
const BAR_COLUMNS_MAX: usize = 40;
/// From this long on the rest is told in hours.
const HOURS_FROM: Duration = Duration::from_mins(90);

/// How far a long batch is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tally {
    /// How many orders there are.
    pub total: u64,
    /// How many of them are settled.
    pub done: u64,
    /// How many have been sent, the settled ones too.
    pub sent: u64,
    /// Counts by state in the order in which they are shown, with how they ended; zeros are left out.
    pub parts: Vec<(&'static str, u64, Tone)>,
    /// The pace.
    pub per_minute: Option<u64>,
    /// How long the rest will take.
    pub eta: Option<Duration>,
    /// What it is waiting for, while nothing moves.
    pub waiting: Option<String>,
}

impl Tally {
    /// All of it in one sentence: `1 200 of 3 000: 1 150 fulfilled, 12 refunded; 118 a minute; about 15 minutes left`.
    pub(super) fn sentence(&self) -> String {
        let counts: Vec<_> = self.counts().map(|(text, _)| text).collect();
        let standing = if counts.is_empty() {
            self.share()
        } else {
            format!("{}: {}", self.share(), counts.join(", "))
        };
        let rest = [self.pace(), self.rest(), self.reason()].into_iter().flatten();
        [standing].into_iter().chain(rest).collect::<Vec<_>>().join("; ")
    }

    /// One or two lines, none wider than `columns`; what does not fit is left out.
    pub(super) fn lines(&self, columns: usize, paint: Paint) -> Vec<String> {
        // The last column stays free: some terminals break the line as soon as it is filled.
        let columns = columns.saturating_sub(1).max(1);
        let mut lines = vec![self.first_line(columns, paint)];
        lines.extend(self.second_line(columns, paint));
        lines
    }

    /// Whether it says more than `other` than another pace.
    pub(super) fn has_moved_since(&self, other: &Self) -> bool {
        let standing = |tally: &Self| {
            let counts = tally.parts.iter().map(|(word, count, _)| (*word, *count));
            (
                tally.total,
                tally.done,
                tally.sent,
                tally.waiting.clone(),
                counts.collect::<Vec<_>>(),
            )
        };
        standing(self) != standing(other)
    }

    /// The bar takes what the words leave.
    fn first_line(&self, columns: usize, paint: Paint) -> String {
        let share = cap(&self.share(), columns);
        let mut words = vec![share];
        let mut width = words[0].width();
        for text in [self.pace(), self.rest()].into_iter().flatten() {
            let wider = width + "; ".len() + text.width();
            if wider + BAR_COLUMNS_MIN < columns {
                width = wider;
                words.push(text);
            }
        }
        let bar_columns = columns.saturating_sub(width + 1).min(BAR_COLUMNS_MAX);
        let text = words.join("; ");
        if bar_columns < BAR_COLUMNS_MIN {
            text
        } else {
            format!("{} {text}", self.bar(bar_columns, paint))
        }
    }

    /// Settled orders in full, sent ones in half.
    fn bar(&self, columns: usize, paint: Paint) -> String {
        let filled = |count: u64| {
            let share = u128::from(count.min(self.total)) * columns as u128;
            // At most `columns`, which came from there.
            usize::try_from(share.checked_div(u128::from(self.total)).unwrap_or(0)).unwrap_or(columns)
        };
        let done = filled(self.done);
        let sent = filled(self.sent.max(self.done));
        let full = paint.tone(Tone::Good, &"█".repeat(done));
        let rest = "▒".repeat(sent - done) + &"░".repeat(columns - sent);
        full + &paint.tone(Tone::Muted, &rest)
    }

    /// The counts, as many as fit, and the reason of a wait before any of them.
    fn second_line(&self, columns: usize, paint: Paint) -> Option<String> {
        let reason = self.reason().map(|text| cap_columns(&text, columns));
        let taken = reason.as_ref().map_or(0, |text| text.width() + "; ".len());
        let counts = self.fitting_counts(columns.saturating_sub(taken), paint);
        let isolated = |text: String| if paint.isolates { isolate(&text) } else { text };
        let reason = reason.map(|text| paint.tone(Tone::Warning, &isolated(text)));
        let texts: Vec<_> = [counts, reason].into_iter().flatten().collect();
        (!texts.is_empty()).then(|| texts.join("; "))
    }

    fn fitting_counts(&self, columns: usize, paint: Paint) -> Option<String> {
        let counts: Vec<_> = self.counts().collect();
        let (mut shown, mut width) = (Vec::new(), 0);
        for (index, (text, tone)) in counts.iter().enumerate() {
            let is_last = index + 1 == counts.len();
            let wider = width + text.width() + if shown.is_empty() { 0 } else { ", ".len() };
            // What comes behind must at least fit as an ellipsis.
            if wider + if is_last { 0 } else { ", …".width() } > columns {
                shown.push("…".to_owned());
                break;
            }
            width = wider;
            shown.push(paint.tone(*tone, text));
        }
        let is_told = shown.first().is_some_and(|first| first != "…");
        is_told.then(|| shown.join(", "))
    }

    fn counts(&self) -> impl Iterator<Item = (String, Tone)> {
        let filled = self.parts.iter().filter(|(_, count, _)| *count > 0);
        filled.map(|(word, count, tone)| (format!("{} {word}", grouped(*count)), *tone))
    }

    fn share(&self) -> String {
        format!("{} of {}", grouped(self.done), grouped(self.total))
    }

    fn pace(&self) -> Option<String> {
        self.per_minute.map(|pace| format!("{} a minute", grouped(pace)))
    }

    fn rest(&self) -> Option<String> {
        self.eta.map(time_left)
    }

    fn reason(&self) -> Option<String> {
        let reason = clean_lines(self.waiting.as_deref()?).join(" ");
        (!reason.is_empty()).then_some(reason)
    }
}

fn grouped(count: u64) -> String {
    group_thousands(&count.to_string())
}

/// As exactly as such a guess can be.
fn time_left(eta: Duration) -> String {
    let round = |unit: u64| (eta.as_secs() + unit / 2) / unit;
    let about = |count: u64, unit: &str| {
        let plural = if count == 1 { "" } else { "s" };
        format!("about {} {unit}{plural} left", grouped(count))
    };
    if eta < Duration::from_mins(1) {
        "less than a minute left".to_owned()
    } else if eta < HOURS_FROM {
        about(round(60), "minute")
    } else {
        about(round(3600), "hour")
    }
}

/// The beginning of `text` that fits into `columns`; wide letters take two.
fn cap_columns(text: &str, columns: usize) -> String {
    let mut characters = columns;
    loop {
        let capped = cap(text, characters);
        if capped.width() <= columns || characters == 0 {
            return capped;
        }
        characters -= 1;
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    const PLAIN: Paint = Paint::of(false);

    pub(in crate::output) fn tally() -> Tally {
        Tally {
            total: 3_000,
            done: 1_162,
            sent: 1_200,
            parts: vec![
                ("fulfilled", 1_150, Tone::Good),
                ("refunded", 12, Tone::Bad),
                ("unknown", 0, Tone::Warning),
                ("accepted", 38, Tone::Plain),
            ],
            per_minute: Some(118),
            eta: Some(Duration::from_secs(15 * 60 + 20)),
            waiting: None,
        }
    }

    fn waiting() -> Tally {
        let waiting = Some("the provider asks for \u{1b}patience, 12 s".to_owned());
        Tally { waiting, ..tally() }
    }

    #[test]
    fn a_log_gets_all_of_it_in_one_sentence() {
        assert_eq!(
            tally().sentence(),
            "1 162 of 3 000: 1 150 fulfilled, 12 refunded, 38 accepted; 118 a minute; about 15 minutes left"
        );
        assert!(
            waiting()
                .sentence()
                .ends_with("; the provider asks for patience, 12 s")
        );
        let start = Tally {
            total: 3_000,
            ..Tally::default()
        };
        assert_eq!(start.sentence(), "0 of 3 000");
    }

    #[test]
    fn a_terminal_gets_what_fits() {
        let shown = |columns| tally().lines(columns, PLAIN).join("\n");
        assert_eq!(
            shown(40),
            "███▒░░░░░░ 1 162 of 3 000; 118 a minute\n1 150 fulfilled, 12 refunded, …"
        );
        assert_eq!(
            shown(80),
            "██████████░░░░░░░░░░░░░░░░░ 1 162 of 3 000; 118 a minute; about 15 minutes left\n\
             1 150 fulfilled, 12 refunded, 38 accepted"
        );
        assert_eq!(shown(14), "1 162 of 3 0…");
        let wide = shown(200);
        assert_eq!(wide.matches(['█', '▒', '░']).count(), BAR_COLUMNS_MAX);
        assert!(wide.ends_with("about 15 minutes left\n1 150 fulfilled, 12 refunded, 38 accepted"));
    }

    #[test]
    fn the_reason_of_a_wait_goes_before_the_counts() {
        let second = |columns| waiting().lines(columns, PLAIN)[1].clone();
        assert_eq!(second(30), "the provider asks for patien…");
        assert_eq!(
            second(60),
            "1 150 fulfilled, …; the provider asks for patience, 12 s"
        );
        assert_eq!(
            second(80),
            "1 150 fulfilled, 12 refunded, 38 accepted; the provider asks for patience, 12 s"
        );
    }

    #[test]
    fn no_line_is_wider_than_the_terminal() {
        let wide = Tally {
            waiting: Some("等待运营商的答复".repeat(9)),
            ..tally()
        };
        let huge = Tally {
            done: u64::MAX,
            sent: 0,
            ..tally()
        };
        for tally in [tally(), waiting(), wide, huge, Tally::default()] {
            for columns in 2..220 {
                let lines = tally.lines(columns, PLAIN);
                assert!(lines.len() <= 2);
                for line in lines {
                    assert!(line.width() < columns, "{columns}: {line}");
                }
            }
        }
    }

    #[test]
    fn colour_changes_no_text() {
        let plain = waiting().lines(100, PLAIN).join("\n");
        let coloured = waiting().lines(100, Paint::of(true)).join("\n");
        assert!(coloured.contains("\u{1b}[32m1 150 fulfilled\u{1b}[0m, \u{1b}[31m12 refunded"));
        let stripped = coloured.split('\u{1b}').map(|part| {
            part.split_once('m')
                .filter(|_| part.starts_with('['))
                .map_or(part, |(_, text)| text)
        });
        assert_eq!(stripped.collect::<String>(), plain);
    }

    #[test]
    fn the_rest_is_told_as_exactly_as_a_guess_can_be() {
        for (seconds, text) in [
            (0, "less than a minute left"),
            (60, "about 1 minute left"),
            (89, "about 1 minute left"),
            (90, "about 2 minutes left"),
            (89 * 60, "about 89 minutes left"),
            (90 * 60, "about 2 hours left"),
            (30 * 3600, "about 30 hours left"),
        ] {
            assert_eq!(time_left(Duration::from_secs(seconds)), text);
        }
    }

    #[test]
    fn another_pace_alone_is_no_move() {
        let faster = Tally {
            per_minute: Some(200),
            eta: None,
            ..tally()
        };
        assert!(!faster.has_moved_since(&tally()));
        assert!(waiting().has_moved_since(&tally()));
    }
}
