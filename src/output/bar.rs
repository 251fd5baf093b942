//! How far a long batch is while it runs: a bar for people, now and then a line for a log.

use std::sync::{Arc, Mutex, Once};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio::time::Instant;

use super::failure::labelled;
use super::paint::{Label, Paint};
use super::printer::lock;
use super::progress::{MARKER, Messages};
use super::tally::Tally;

/// A log gets a line this often at most.
const LINE_EVERY: Duration = Duration::from_secs(10);
/// A terminal is drawn on this often at most.
const DRAWS_A_SECOND: u8 = 10;
/// What came between two draws is shown this much later at most.
const REDRAW: Duration = Duration::from_millis(500);

/// A running report of a long batch. It ends when it is finished or dropped.
pub struct Bar {
    messages: Arc<Mutex<Messages>>,
    showing: Showing,
}

enum Showing {
    Silent,
    Drawn {
        bar: ProgressBar,
        columns: usize,
        paint: Paint,
        drawing: Once,
    },
    Lines {
        paint: Paint,
        log: Mutex<Log>,
    },
}

impl Bar {
    pub(super) fn silent(messages: Arc<Mutex<Messages>>) -> Self {
        Self {
            messages,
            showing: Showing::Silent,
        }
    }

    /// One bar or spinner is drawn at a time: an older one gives way.
    pub(super) fn drawn(messages: Arc<Mutex<Messages>>, columns: usize, paint: Paint) -> Self {
        let target = ProgressDrawTarget::stderr_with_hz(DRAWS_A_SECOND);
        let bar = ProgressBar::with_draw_target(None, target);
        if let Ok(style) = ProgressStyle::with_template("{msg}") {
            bar.set_style(style);
        }
        lock(&messages).hold(&bar);
        Self {
            messages,
            showing: Showing::Drawn {
                bar,
                columns,
                paint,
                drawing: Once::new(),
            },
        }
    }

    pub(super) fn lines(messages: Arc<Mutex<Messages>>, paint: Paint) -> Self {
        let log = Mutex::new(Log::default());
        Self {
            messages,
            showing: Showing::Lines { paint, log },
        }
    }

    /// How far it is now. Cheap enough for every event; a log gets the first tally at once, and then one every 10
    /// seconds at most, when it is shown then.
    pub fn show(&self, tally: &Tally) {
        match &self.showing {
            Showing::Silent => {}
            Showing::Drawn { bar, .. } if bar.is_finished() => {}
            Showing::Drawn {
                bar,
                columns,
                paint,
                drawing,
            } => {
                bar.set_message(tally.lines(*columns, *paint).join("\n"));
                // Only now: a bar with nothing to say would clear a line for nothing.
                drawing.call_once(|| bar.enable_steady_tick(REDRAW));
            }
            Showing::Lines { paint, log } => {
                if let Some(sentence) = lock(log).take(tally, Instant::now()) {
                    self.say(&sentence, *paint);
                }
            }
        }
    }

    /// The work is done: the bar goes, a log gets what it has not been told.
    pub fn finish(self) {
        drop(self);
    }

    fn say(&self, sentence: &str, paint: Paint) {
        lock(&self.messages).write(&labelled(Label::Detail, MARKER, sentence, paint));
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        match &self.showing {
            Showing::Silent => {}
            Showing::Drawn { bar, .. } => lock(&self.messages).release(bar),
            Showing::Lines { paint, log } => {
                let untold = lock(log).untold();
                if let Some(sentence) = untold {
                    self.say(&sentence, *paint);
                }
            }
        }
    }
}

/// What a log has been told.
#[derive(Default)]
struct Log {
    told: Option<(Instant, Tally)>,
    latest: Option<Tally>,
}

impl Log {
    /// The sentence that is due.
    fn take(&mut self, tally: &Tally, now: Instant) -> Option<String> {
        let is_due = match &self.told {
            None => true,
            Some((at, told)) => now.duration_since(*at) >= LINE_EVERY && tally != told,
        };
        if is_due {
            self.told = Some((now, tally.clone()));
            self.latest = None;
            Some(tally.sentence())
        } else {
            self.latest = Some(tally.clone());
            None
        }
    }

    /// The last sentence, if more has happened than was told.
    fn untold(&self) -> Option<String> {
        let (_, told) = self.told.as_ref()?;
        let latest = self.latest.as_ref()?;
        let end = Tally {
            eta: None,
            waiting: None,
            ..latest.clone()
        };
        latest.has_moved_since(told).then(|| end.sentence())
    }
}

#[cfg(test)]
mod tests {
    use super::super::printer::tests::Scene;
    use super::super::tally::tests::tally;
    use super::*;
    use crate::output::{Colour, Tone};

    fn done(done: u64) -> Tally {
        let parts = vec![("fulfilled", done, Tone::Good)];
        Tally {
            total: 3_000,
            done,
            parts,
            ..Tally::default()
        }
    }

    fn line(count: &str) -> String {
        format!("· {count} of 3 000: {count} fulfilled\n")
    }

    /// Shows a tally at each of these seconds, as many orders done as seconds gone.
    fn shown_at(scene: Scene, seconds: &[u64]) -> String {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap_or_else(|error| panic!("{error}"));
        scene.stderr(|printer| {
            runtime.block_on(async {
                let (start, bar) = (Instant::now(), printer.bar());
                for second in seconds {
                    tokio::time::sleep_until(start + Duration::from_secs(*second)).await;
                    bar.show(&done(*second));
                }
                bar.finish();
            });
        })
    }

    #[test]
    fn a_log_gets_the_start_a_line_every_ten_seconds_and_the_end() {
        let seconds: Vec<_> = (1..=25).collect();
        for scene in [Scene::in_a_pipe(), Scene::at_a_terminal().dumb()] {
            let expected = line("1") + &line("11") + &line("21") + &line("25");
            assert_eq!(shown_at(scene, &seconds), expected);
        }
    }

    #[test]
    fn ten_seconds_are_counted_from_the_last_line() {
        let expected = line("1") + &line("19") + &line("29") + &line("30");
        assert_eq!(
            shown_at(Scene::in_a_pipe(), &[1, 2, 10, 19, 20, 28, 29, 30]),
            expected
        );
    }

    #[test]
    fn nothing_is_told_twice() {
        assert_eq!(shown_at(Scene::in_a_pipe(), &[7, 7, 7]), line("7"));
        assert_eq!(shown_at(Scene::in_a_pipe(), &[]), "");
        let stderr = Scene::in_a_pipe().stderr(|printer| {
            let bar = printer.bar();
            bar.show(&tally());
            bar.show(&Tally {
                per_minute: None,
                ..tally()
            });
        });
        assert_eq!(
            stderr.lines().count(),
            1,
            "another pace alone is no news at the end"
        );
    }

    #[test]
    fn quiet_is_silent() {
        assert_eq!(shown_at(Scene::in_a_pipe().quiet(), &[1, 20]), "");
        assert_eq!(shown_at(Scene::at_a_terminal().quiet(), &[1, 20]), "");
    }

    #[test]
    fn messages_are_heard_while_a_bar_is_drawn() {
        let scene = Scene::at_a_terminal().colour(Colour::Never).columns(40);
        let stderr = scene.stderr(|printer| {
            let older = printer.spinner();
            let bar = printer.bar();
            older.finish();
            bar.show(&tally());
            printer.warn("slow");
            bar.finish();
            printer.note("sent");
        });
        assert_eq!(stderr, "warning: slow\nnote: sent\n");
    }
}
