//! The retry file: the rows that were definitely not delivered, ready to be mended and sent (design, section 4).

use std::io;
use std::path::Path;

use super::draft::Draft;
use super::line::Line;
use super::results::Layout;
use crate::domain::{Order, Ref, State};

/// What stands behind the caller's columns.
const COLUMNS: [&str; 1] = ["why"];

/// The number in the ref of a second try.
const SECOND: u32 = 2;

/// The retry file of a batch: a sheet again, of the rows that were rejected or refunded.
///
/// The same rows in the same order make the same file. One without rows is none: what an earlier run left goes away.
pub struct Retry {
    layout: Layout,
    draft: Draft,
    line: Line,
    lines: u64,
    is_wanted: bool,
}

impl Retry {
    /// Begins a new file beside `path`; what stands there stays until [`Self::publish`].
    ///
    /// Every error of this type names the file and has the kind of the failure beneath.
    pub fn begin(path: &Path, layout: &Layout) -> io::Result<Self> {
        Ok(Self {
            draft: Draft::begin(path, &layout.head(&COLUMNS))?,
            line: Line::new(layout.separator),
            layout: layout.clone(),
            lines: 0,
            is_wanted: false,
        })
    }

    /// Writes the row of an order that was definitely not delivered; passes over any other, and over an order that
    /// the sheet no longer has. Sending such a row again can pay nobody twice.
    ///
    /// A ref means one order for ever, so a row with a ref of its own gets the next one.
    pub fn write(&mut self, cells: Option<&[String]>, order: &Order) -> io::Result<()> {
        let (Some(cells), true) = (cells, is_undelivered(order.state)) else {
            return Ok(());
        };
        let reference = next_ref(order.intent.reference.as_str());
        self.line.clear();
        self.layout.put(&mut self.line, |column| {
            let cell = cells.get(column).map_or("", String::as_str);
            let has_ref = self.layout.reference == Some(column) && !cell.trim().is_empty();
            if has_ref { &reference } else { cell }
        });
        self.line.foreign(&why(order));
        self.lines += 1;
        self.draft.add(self.line.end())?;
        if self.is_wanted {
            self.draft.publish()
        } else {
            Ok(())
        }
    }

    /// Puts the file in its place at a stroke, durably; while it has no rows, there is none, and the first row brings
    /// it. From now on every line is there as soon as it is written.
    pub fn publish(&mut self) -> io::Result<()> {
        self.is_wanted = true;
        if self.lines == 0 {
            self.draft.remove_old()
        } else {
            self.draft.publish()
        }
    }

    /// Where it stands or will stand.
    pub fn path(&self) -> &Path {
        self.draft.path()
    }

    /// How many rows it has.
    pub fn lines(&self) -> u64 {
        self.lines
    }

    /// Makes all lines durable. A file that was never published goes away.
    pub fn finish(self) -> io::Result<()> {
        self.draft.finish()
    }
}

/// Whether it is certain that nobody got credit and no money is gone.
pub fn is_undelivered(state: State) -> bool {
    match state {
        State::Rejected | State::Refunded => true,
        State::Planned
        | State::Sending
        | State::Accepted
        | State::Fulfilled
        | State::InReview
        | State::Conflict
        | State::Unknown
        | State::Cancelled
        | State::WrittenOff => false,
    }
}

/// How it ended, and the provider's words.
fn why(order: &Order) -> String {
    let state = order.state.word();
    match order.message.as_deref().map(str::trim) {
        Some(message) if !message.is_empty() => format!("{state}: {message}"),
        _ => state.to_owned(),
    }
}

/// The ref of the next try: `x` is followed by `x-r2`, and that by `x-r3`. Empty where that is no ref: then the row's
/// ref is made from its cells.
fn next_ref(reference: &str) -> String {
    let (stem, round) = match reference.rsplit_once("-r") {
        Some((stem, digits)) if !stem.is_empty() => (stem, round_of(digits)),
        _ => (reference, None),
    };
    let next = match round.and_then(|round| round.checked_add(1)) {
        Some(round) => format!("{stem}-r{round}"),
        None => format!("{reference}-r{SECOND}"),
    };
    if next.parse::<Ref>().is_ok() {
        next
    } else {
        String::new()
    }
}

/// The number that we would have written so.
fn round_of(digits: &str) -> Option<u32> {
    let round: u32 = digits.parse().ok()?;
    (round >= SECOND && round.to_string() == digits).then_some(round)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::PathBuf;

    use super::*;
    use crate::batch::results::tests::{cells, layout, order, records};

    fn rejected(reference: &str) -> Order {
        let mut order = order(reference);
        order.state = State::Rejected;
        order.message = Some("رقم غير صالح; =x".to_owned());
        order
    }

    struct Scene {
        home: tempfile::TempDir,
        layout: Layout,
    }

    impl Scene {
        fn new(header: &[&str]) -> io::Result<Self> {
            let mut layout = layout(header);
            layout.reference = Some(2);
            let home = tempfile::tempdir()?;
            Ok(Self { home, layout })
        }

        fn path(&self) -> PathBuf {
            self.home.path().join("november.retry.csv")
        }

        fn after(&self, write: impl FnOnce(&mut Retry) -> io::Result<()>) -> io::Result<Vec<Vec<String>>> {
            let mut retry = Retry::begin(&self.path(), &self.layout)?;
            write(&mut retry)?;
            retry.publish()?;
            retry.finish()?;
            Ok(records(&self.path(), b','))
        }
    }

    #[test]
    fn rows_come_with_their_cells_the_next_ref_and_the_reason() -> io::Result<()> {
        let scene = Scene::new(&["Tel", "Montant", "Ref", "Why"])?;
        let (own, derived) = (
            cells(&["+213778037340", "500", " a-1", "x"]),
            cells(&["0778037340", "500"]),
        );
        let write = |retry: &mut Retry| {
            retry.write(Some(&own), &rejected("a-1"))?;
            retry.write(Some(&derived), &rejected("oc-9"))
        };
        let rows = scene.after(write)?;
        let why = "rejected: رقم غير صالح;' =x";
        assert_eq!(rows[0], ["Tel", "Montant", "Ref", "Why", "oneclick_why"]);
        assert_eq!(rows[1], ["'+213778037340", "500", "a-1-r2", "x", why]);
        assert_eq!(rows[2], ["0778037340", "500", "", "", why]);
        let first = fs::read(scene.path())?;
        scene.after(write)?;
        assert_eq!(fs::read(scene.path())?, first, "the same rows make the same file");
        Ok(())
    }

    #[test]
    fn only_rows_that_were_surely_not_delivered_come() -> io::Result<()> {
        let scene = Scene::new(&["phone", "amount", "ref"])?;
        let row = cells(&["0778037340", "500", "a"]);
        let rows = scene.after(|retry| {
            for state in State::ALL {
                let mut order = rejected("a");
                order.state = state;
                retry.write(Some(&row), &order)?;
            }
            retry.write(None, &rejected("b"))
        })?;
        let states: Vec<_> = rows[1..].iter().map(|row| row[3].split(':').next()).collect();
        assert_eq!(states, [Some("refunded"), Some("rejected")]);
        Ok(())
    }

    #[test]
    fn a_file_without_rows_is_none_and_the_first_row_brings_it() -> io::Result<()> {
        let scene = Scene::new(&["phone", "amount", "ref"])?;
        fs::write(scene.path(), "old")?;
        let mut retry = Retry::begin(&scene.path(), &scene.layout)?;
        assert!(scene.path().exists(), "until it is published");
        retry.publish()?;
        assert!(!scene.path().exists());
        retry.write(Some(&cells(&["0778037340", "500", "a"])), &rejected("a"))?;
        assert_eq!(records(&scene.path(), b',').len(), 2);
        retry.finish()?;
        scene.after(|_| Ok(()))?;
        assert_eq!(fs::read_dir(scene.home.path())?.count(), 0);
        Ok(())
    }

    #[test]
    fn each_ref_has_one_next() {
        let (longest, too_long) = ("x".repeat(97), "x".repeat(98));
        for (reference, next) in [
            ("a", "a-r2"),
            ("a-r2", "a-r3"),
            ("a-r9", "a-r10"),
            ("a-r1", "a-r1-r2"),
            ("a-r02", "a-r02-r2"),
            ("a-r", "a-r-r2"),
            ("-r2", "-r2-r2"),
            ("a-r4294967295", "a-r4294967295-r2"),
            ("طلب-7", "طلب-7-r2"),
            (&longest, &format!("{longest}-r2")),
            (&too_long, ""),
        ] {
            assert_eq!(next_ref(reference), next);
        }
    }
}
