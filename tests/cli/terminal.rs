//! A person at a terminal: what is shown is read, what is asked is answered, and the window may be closed.

use std::io::{Read, Write};
use std::process::Child;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use pty_process::Size;
use pty_process::blocking::{Command, Pty, open};
use rustix::termios::{LocalModes, tcgetattr};

use crate::support::{BINARY, KEY, OrFail, PHONE, PLAN, Shop};

/// How long a text is waited for.
const SHOWN_WITHIN: Duration = Duration::from_secs(30);
/// Between two looks.
const LOOK: Duration = Duration::from_millis(10);

/// A command in a window of its own.
struct Window {
    pty: Option<Arc<Pty>>,
    reader: Option<JoinHandle<()>>,
    process: Child,
    shown: Arc<Mutex<String>>,
    is_closed: Arc<AtomicBool>,
}

impl Shop {
    /// Types a command into a terminal.
    fn type_in(&self, words: &[&str]) -> Window {
        let model = self.command(&[]);
        let variables = model.get_envs().filter_map(|(name, value)| Some((name, value?)));
        let (pty, end) = open().or_fail("there is no pseudo-terminal");
        pty.resize(Size::new(30, 100)).or_fail("it has no size");
        let process = Command::new(BINARY)
            .env_clear()
            .envs(variables)
            .env("TERM", "xterm")
            .env("NO_COLOR", "1")
            .current_dir(self.home())
            .args(words)
            .spawn(end)
            .or_fail("the command does not start");
        let (pty, shown, is_closed) = (Arc::new(pty), Arc::default(), Arc::default());
        Window {
            reader: Some(read(&pty, &shown, &is_closed)),
            pty: Some(pty),
            process,
            shown,
            is_closed,
        }
    }
}

/// Reads what is shown, until the window is closed or the command has ended.
fn read(pty: &Arc<Pty>, shown: &Arc<Mutex<String>>, is_closed: &Arc<AtomicBool>) -> JoinHandle<()> {
    let (pty, shown, is_closed) = (Arc::clone(pty), Arc::clone(shown), Arc::clone(is_closed));
    std::thread::spawn(move || {
        let mut bytes = [0; 4096];
        while !is_closed.load(Ordering::SeqCst)
            && let Ok(count @ 1..) = (&*pty).read(&mut bytes)
        {
            let text = String::from_utf8_lossy(&bytes[..count]);
            shown
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push_str(&text);
        }
    })
}

impl Window {
    fn shown(&self) -> String {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits until a text is there.
    #[track_caller]
    fn expect(&self, text: &str) -> &Self {
        let until = Instant::now() + SHOWN_WITHIN;
        while !self.shown().contains(text) {
            assert!(Instant::now() < until, "`{text}` is not shown: {}", self.shown());
            std::thread::sleep(LOOK);
        }
        self
    }

    /// Types a line.
    fn answer(&self, line: &str) -> &Self {
        let mut pty: &Pty = self.pty.as_deref().or_fail("it is closed");
        pty.write_all(format!("{line}\n").as_bytes())
            .or_fail("it takes no answer");
        self
    }

    /// Presses a key.
    fn press(&self, key: &str) -> &Self {
        let mut pty: &Pty = self.pty.as_deref().or_fail("it is closed");
        pty.write_all(key.as_bytes()).or_fail("it takes no key");
        self
    }

    /// Sends a signal by name.
    fn signal(&self, name: &str) {
        let line = format!("kill -{name} {}", self.process.id());
        let status = std::process::Command::new("/bin/sh").args(["-c", &line]).status();
        assert!(status.or_fail("there is no /bin/sh").success(), "`{line}` fails");
    }

    /// Whether what is typed is shown.
    fn echoes(&self) -> bool {
        let pty: &Pty = self.pty.as_deref().or_fail("it is closed");
        let modes = tcgetattr(pty).or_fail("it has no modes").local_modes;
        modes.contains(LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG)
    }

    /// Waits until what is typed is not shown.
    #[track_caller]
    fn expect_hiding(&self) -> &Self {
        let until = Instant::now() + SHOWN_WITHIN;
        while self.echoes() {
            assert!(Instant::now() < until, "it shows what is typed: {}", self.shown());
            std::thread::sleep(LOOK);
        }
        self
    }

    /// Closes the window: nobody reads any more, and the system tells the command.
    fn close(&mut self) {
        self.is_closed.store(true, Ordering::SeqCst);
        // What is shown next lets the reader go.
        self.reader
            .take()
            .or_fail("closed twice")
            .join()
            .or_fail("no reader");
        drop(self.pty.take());
    }

    /// Waits for its end, and says how it ended.
    #[track_caller]
    fn end(mut self) -> Option<i32> {
        self.ended()
    }

    #[track_caller]
    fn ended(&mut self) -> Option<i32> {
        let until = Instant::now() + SHOWN_WITHIN;
        loop {
            if let Some(status) = self.process.try_wait().or_fail("it can't be asked") {
                return status.code();
            }
            assert!(Instant::now() < until, "it does not end: {}", self.shown());
            std::thread::sleep(LOOK);
        }
    }
}

impl Drop for Window {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn a_batch_is_sent_when_its_question_is_answered_with_yes() {
    let shop = Shop::open();
    let november = shop.sheet("november.csv").customers(3);
    let window = shop.type_in(&["batch", "november.csv"]);
    window.expect("send 3 rows for 300 DZD?").answer("y");
    assert_eq!(window.end(), Some(0));
    november.expect_each_paid_once();
    shop.expect_whole_log();
}

/// Who is asked must see to what, also with `--quiet`.
#[test]
fn a_quiet_question_still_shows_what_would_be_sent() {
    let shop = Shop::open();
    drop(shop.sheet("november.csv").customers(3));
    let window = shop.type_in(&["batch", "november.csv", "-q"]);
    window.expect("PREPAID_DJEZZY").expect("send 3 rows").answer("n");
    assert_eq!(window.end(), Some(2));
}

#[test]
fn anything_but_a_yes_sends_nothing() {
    for answer in ["n", "", "maybe"] {
        let shop = Shop::open();
        drop(shop.sheet("november.csv").customers(3));
        let window = shop.type_in(&["batch", "november.csv"]);
        window
            .expect("send 3 rows")
            .answer(answer)
            .expect("nothing was sent");
        assert_eq!(window.end(), Some(2), "{answer}");
        assert_eq!(shop.books().calls("send"), 0, "{answer}");
    }
}

/// In production the total is typed in, as people write it; another number sends nothing.
#[test]
fn in_production_the_total_is_typed() {
    for (answer, code) in [("300", 0), (" 3 00 ", 0), ("y", 2), ("3000", 2), ("", 2)] {
        let shop = Shop::open_with(&["--environment", "production"]);
        let november = shop.sheet("november.csv").customers(3);
        let window = shop.type_in(&["batch", "november.csv"]);
        window.expect("type the total in dinars, 300").answer(answer);
        assert_eq!(window.end(), Some(code), "{answer}");
        if code == 0 {
            november.expect_each_paid_once();
        } else {
            assert_eq!(shop.books().calls("send"), 0, "{answer}");
        }
    }
}

#[test]
fn repeats_are_asked_for_and_left_out_on_a_no() {
    for (answer, sends) in [("y", 2), ("n", 1)] {
        let shop = Shop::open();
        let november = shop
            .sheet("november.csv")
            .row(&format!("{PHONE},100"))
            .row(&format!("{PHONE},100"));
        let window = shop.type_in(&["batch", "november.csv", "--plan", PLAN]);
        window.expect("send the repeats as well").answer(answer);
        window.expect("DZD?").answer("y");
        assert_eq!(window.end(), Some(0), "{answer}");
        assert_eq!(shop.books().calls("send"), sends, "{answer}");
        drop(november);
    }
}

/// The window is closed in the middle: it stops as for SIGTERM, what is on its way is stored, and the same line goes on.
#[test]
fn a_window_that_is_closed_stops_a_batch_and_loses_nothing() {
    let shop = Shop::open_with(&["--latency", "20ms"]).set("ONECLICKDZ_CONCURRENCY", "2");
    let november = shop.sheet("november.csv").customers(200);
    let mut window = shop.type_in(&["batch", "november.csv", "--yes"]);
    shop.provider
        .await_books("the first POSTs", |books| books.calls("send") >= 5);
    window.close();
    assert_eq!(window.end(), Some(143));
    let sent = shop.books().calls("send");
    assert!(sent < 200, "it was not stopped");
    november.send().expect_exit(0);
    november.expect_each_paid_once();
    november.expect_true_results();
    shop.expect_whole_log();
}

/// Whoever is faster, the signal or the end of what can be read.
#[test]
fn a_window_that_is_closed_at_a_question_sends_nothing() {
    for _ in 0..4 {
        let shop = Shop::open();
        let _november = shop.sheet("november.csv").customers(3);
        let mut window = shop.type_in(&["batch", "november.csv"]);
        window.expect("[y/N]");
        // The echo lets the reader go.
        window.is_closed.store(true, Ordering::SeqCst);
        window.press("x");
        window.close();
        assert_eq!(window.end(), Some(143));
        assert_eq!(shop.books().calls("send"), 0);
    }
}

/// An order is settled by hand only once somebody has said yes to it.
#[test]
fn settling_by_hand_is_asked_for() {
    for (answer, state) in [("n", "unknown"), ("y", "written_off")] {
        let shop = Shop::open().faults(["request_lost=100%"]);
        shop.send_as("lost", 500).expect_exit(6);
        let window = shop.type_in(&[
            "ref",
            "settle",
            "lost",
            "--as",
            "written-off",
            "--because",
            "seen",
        ]);
        window.expect("[y/N]").answer(answer);
        window.end();
        assert_eq!(shop.ledger()["lost"], state, "{answer}");
    }
}

/// The key is typed unseen; who thinks better of it is told that nothing was written, and sees again what he types.
#[test]
fn the_wizard_can_be_left_at_the_key() {
    for more in [&[][..], &["--no-check"][..]] {
        for (signal, code) in [("", 130), ("INT", 130), ("TERM", 143)] {
            let shop = Shop::open().unset("ONECLICKDZ_API_KEY");
            let mut window = shop.type_in(&[&["config", "init"], more].concat());
            window.expect("API key (not shown)").expect_hiding();
            if signal.is_empty() {
                window.press("\u{3}");
            } else {
                window.signal(signal);
            }
            window.expect("stopped; nothing was written");
            assert_eq!(window.ended(), Some(code), "{signal} {more:?}");
            assert!(window.echoes(), "{signal} {more:?}");
            assert!(!shop.home().join(".config").exists(), "{signal} {more:?}");
        }
    }
}

#[test]
fn a_key_is_typed_unseen_and_works() {
    let shop = Shop::open().unset("ONECLICKDZ_API_KEY");
    let window = shop.type_in(&["config", "init"]);
    window.expect("API key (not shown)").expect_hiding().answer(KEY);
    window.expect("the key works");
    assert!(!window.shown().contains(KEY));
    assert_eq!(window.end(), Some(0));
    shop.run(&["balance"]).expect_exit(0);
}
