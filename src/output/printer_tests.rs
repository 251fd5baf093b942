//! The printer, as people at a terminal and scripts at a pipe meet it.

use std::io::Cursor;

use serde_json::json;

use super::*;
use crate::error::Kind;
use crate::output::order::tests::{planned, refunded};
use crate::output::{order_record, orders_table};

/// A stream that can be read after the printer has written to it.
#[derive(Clone, Default)]
struct Page(Arc<Mutex<Vec<u8>>>);

impl Page {
    fn text(&self) -> String {
        String::from_utf8_lossy(&lock(&self.0)).into_owned()
    }
}

impl Write for Page {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        lock(&self.0).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A reader that has gone away.
struct Gone;

impl Write for Gone {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::BrokenPipe.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A printer in surroundings of the test's choice.
#[derive(Clone)]
pub(in crate::output) struct Scene {
    options: PrinterOptions,
    aim: Aim,
    terminal: Terminal,
    answer: &'static str,
}

impl Scene {
    pub(in crate::output) fn at_a_terminal() -> Self {
        Self {
            options: PrinterOptions::default(),
            aim: Aim::default(),
            terminal: Terminal::people(100),
            answer: "",
        }
    }

    pub(in crate::output) fn in_a_pipe() -> Self {
        Self {
            terminal: Terminal::pipes(),
            ..Self::at_a_terminal()
        }
    }

    fn format(mut self, format: Format) -> Self {
        self.options.format = format;
        self
    }

    pub(in crate::output) fn columns(mut self, columns: usize) -> Self {
        self.terminal.columns = columns;
        self
    }

    pub(in crate::output) fn colour(mut self, colour: Colour) -> Self {
        self.options.colour = colour;
        self
    }

    pub(in crate::output) fn quiet(mut self) -> Self {
        self.options.quiet = true;
        self
    }

    pub(in crate::output) fn dumb(mut self) -> Self {
        self.terminal.dumb = true;
        self
    }

    fn simulating(mut self) -> Self {
        self.aim.simulates = true;
        self
    }

    fn answer(mut self, answer: &'static str) -> Self {
        self.answer = answer;
        self
    }

    /// What is on stdout and on stderr after `act`.
    fn after(self, act: impl FnOnce(&Printer)) -> (String, String) {
        let (stdout, stderr) = (Page::default(), Page::default());
        let streams = Streams {
            stdout: Box::new(stdout.clone()),
            stderr: Box::new(stderr.clone()),
            stdin: Box::new(Cursor::new(self.answer)),
        };
        act(&Printer::on(self.options, self.terminal, streams).aimed(self.aim));
        (stdout.text(), stderr.text())
    }

    fn stdout(self, act: impl FnOnce(&Printer) -> io::Result<()>) -> String {
        let (stdout, stderr) = self.after(|printer| assert!(act(printer).is_ok()));
        assert_eq!(stderr, "");
        stdout
    }

    pub(in crate::output) fn stderr(self, act: impl FnOnce(&Printer)) -> String {
        let (stdout, stderr) = self.after(act);
        assert_eq!(stdout, "");
        stderr
    }
}

fn orders() -> Table {
    orders_table(&[planned("oc-1"), refunded("طلب-2")])
}

fn timed_out() -> Error {
    Error::new(Kind::Unknown, "timeout", "no answer\u{1b}[2J came").hint("run `oneclick ref check`")
}

#[test]
fn every_output_is_as_it_was_looked_at() {
    let scenes = [
        (
            "terminal",
            Scene::at_a_terminal().columns(160).colour(Colour::Never),
        ),
        ("narrow", Scene::at_a_terminal().columns(40).colour(Colour::Never)),
        ("pipe", Scene::in_a_pipe()),
        ("csv", Scene::in_a_pipe().format(Format::Csv)),
        (
            "jsonl at a terminal",
            Scene::at_a_terminal().format(Format::Jsonl),
        ),
        ("colour", Scene::at_a_terminal().columns(160)),
    ];
    let seen = scenes.map(|(name, scene)| {
        let (stdout, stderr) = scene.after(|printer| {
            assert!(printer.list(orders()).is_ok());
            assert!(printer.record(order_record(&refunded("oc-2"))).is_ok());
            printer.status("asking for 2 orders");
            printer.note("sandbox: no money moves");
            printer.warn("`0778037340` looks like Djezzy, the plan is of Mobilis");
            printer.error(&timed_out());
        });
        format!("=== {name}: stdout\n{stdout}=== {name}: stderr\n{stderr}")
    });
    insta::assert_snapshot!(spelt_out(&seen.join("\n")));
}

/// Keeps what can't be seen visible in the snapshot.
fn spelt_out(text: &str) -> String {
    json::escape_invisible(&text.replace('\t', " → "))
}

#[test]
fn a_pipe_gets_no_colour_and_no_isolates() {
    let piped = Scene::in_a_pipe().stdout(|printer| printer.list(orders()));
    assert!(!piped.contains(['\u{1b}', '\u{2068}', '\u{202e}']), "{piped:?}");
    assert_eq!(piped.lines().count(), 3);
    for line in piped.lines() {
        assert_eq!(line.split('\t').count(), 19, "{line:?}");
    }
}

#[test]
fn colour_can_be_forced_and_forbidden() {
    let escapes = |scene: Scene| scene.stderr(|printer| printer.warn("x")).contains('\u{1b}');
    assert!(escapes(Scene::at_a_terminal()));
    assert!(escapes(Scene::in_a_pipe().colour(Colour::Always)));
    assert!(!escapes(Scene::at_a_terminal().colour(Colour::Never)));
    assert!(!escapes(Scene::in_a_pipe()));
}

#[test]
fn each_stream_is_judged_by_itself() {
    let mut scene = Scene::at_a_terminal();
    scene.terminal.stdout_is_terminal = false;
    let (stdout, stderr) = scene.after(|printer| {
        assert!(printer.list(orders()).is_ok());
        printer.warn("x");
    });
    assert!(stdout.starts_with("ref\tstate\t") && !stdout.contains('\u{1b}'));
    assert!(stderr.contains('\u{1b}'));
}

#[test]
fn an_empty_list_is_a_sentence_for_people_and_a_shape_for_scripts() {
    let empty = |printer: &Printer| printer.list(orders_table(&[]));
    let (stdout, stderr) = Scene::at_a_terminal()
        .colour(Colour::Never)
        .after(|printer| assert!(empty(printer).is_ok()));
    assert_eq!((stdout.as_str(), stderr.as_str()), ("", "note: no orders\n"));
    assert_eq!(Scene::in_a_pipe().stdout(empty).lines().count(), 1);
    assert_eq!(
        Scene::in_a_pipe()
            .format(Format::Csv)
            .stdout(empty)
            .lines()
            .count(),
        1
    );
    assert_eq!(Scene::in_a_pipe().format(Format::Json).stdout(empty), "[]\n");
    assert_eq!(Scene::in_a_pipe().format(Format::Jsonl).stdout(empty), "");
}

#[test]
fn lists_are_arrays_and_lines_are_objects() {
    let array = Scene::in_a_pipe()
        .format(Format::Json)
        .stdout(|printer| printer.list(orders()));
    let parsed: Vec<Value> = serde_json::from_str(&array).unwrap_or_default();
    assert_eq!(parsed, orders().json);
    assert!(array.starts_with("[\n  {\n    \"ref\""), "{array}");
    let lines = Scene::in_a_pipe()
        .format(Format::Jsonl)
        .stdout(|printer| printer.list(orders()));
    let parsed: Vec<Value> = lines
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect();
    assert_eq!(parsed, orders().json);
}

#[test]
fn json_is_safe_to_look_at_and_exact_in_a_pipe() {
    let value = json!({"message": "a\u{202e}b\u{9b}c"});
    let people = Scene::at_a_terminal()
        .format(Format::Jsonl)
        .stdout(|printer| printer.json(&value));
    assert_eq!(people, "{\"message\":\"a\\u202eb\\u009bc\"}\n");
    let piped = Scene::in_a_pipe()
        .format(Format::Jsonl)
        .stdout(|printer| printer.json(&value));
    assert_eq!(piped, "{\"message\":\"a\u{202e}b\u{9b}c\"}\n");
}

#[test]
fn a_closed_pipe_is_no_failure() {
    let streams = Streams {
        stdout: Box::new(Gone),
        stderr: Box::new(Gone),
        stdin: Box::new(Cursor::new("")),
    };
    let printer = Printer::on(PrinterOptions::default(), Terminal::pipes(), streams);
    assert!(printer.list(orders()).is_ok());
    assert!(printer.json(&json!(1)).is_ok());
    assert!(printer.raw(b"x").is_ok());
    printer.warn("nobody reads this");
}

#[test]
fn an_error_in_json_is_the_last_line_of_stderr() {
    for format in [Format::Json, Format::Jsonl] {
        let stderr = Scene::at_a_terminal().format(format).stderr(|printer| {
            printer.status("sending");
            printer.error(&timed_out());
        });
        let last = stderr.lines().last().unwrap_or_default();
        let value: Value = serde_json::from_str(last).unwrap_or_default();
        assert_eq!(value, timed_out().to_json());
        assert!(stderr.ends_with("}\n"));
    }
}

#[test]
fn commands_of_ours_are_aimed_and_the_words_of_others_are_not() {
    let theirs = "type `oneclick plans`";
    let error = || Error::new(Kind::Unknown, "timeout", theirs).hint("run `oneclick ref check`");
    let stderr = Scene::in_a_pipe().simulating().stderr(|printer| {
        printer.note("see `oneclick ref list`");
        printer.warn("see `oneclick report`");
        printer.error(&error());
    });
    assert_eq!(
        stderr,
        "note: see `oneclick --simulate ref list`\nwarning: see `oneclick --simulate report`\n\
         error: type `oneclick plans`\nhint: run `oneclick --simulate ref check`\n"
    );
    let scene = Scene::in_a_pipe().simulating().format(Format::Json);
    let told = scene.clone().stderr(|printer| printer.error(&error()));
    let told: Value = serde_json::from_str(&told).unwrap_or_default();
    assert_eq!(told["error"]["message"], theirs);
    assert_eq!(
        told["error"]["hints"],
        json!(["run `oneclick --simulate ref check`"])
    );
    let data = json!({ "message": theirs });
    assert_eq!(scene.stdout(|printer| printer.json(&data)), json::pretty(&data));
}

#[test]
fn quiet_silences_progress_and_notes_only() {
    let stderr = Scene::in_a_pipe().quiet().stderr(|printer| {
        printer.status("a");
        printer.note("b");
        printer.spinner().say("c");
        printer.warn("d");
        printer.error(&Error::usage("e", "e"));
    });
    assert_eq!(stderr, "warning: d\nerror: e\n");
}

#[test]
fn a_spinner_in_a_pipe_says_each_sentence_once() {
    let stderr = Scene::in_a_pipe().stderr(|printer| {
        let progress = printer.spinner();
        for sentence in ["sending", "sending", "waiting for\u{1b} the end", "sending"] {
            progress.say(sentence);
        }
        progress.finish();
    });
    assert_eq!(stderr, "· sending\n· waiting for the end\n· sending\n");
}

#[test]
fn messages_are_heard_while_a_spinner_turns() {
    let stderr = Scene::at_a_terminal().colour(Colour::Never).stderr(|printer| {
        let older = printer.spinner();
        let progress = printer.spinner();
        older.finish();
        progress.say("sending");
        printer.warn("slow");
        progress.finish();
        printer.note("sent");
    });
    assert_eq!(stderr, "warning: slow\nnote: sent\n");
}

#[test]
fn only_a_clear_yes_is_a_yes() {
    for (answer, meant) in [
        ("y\n", true),
        (" YES \n", true),
        ("o\n", true),
        ("Oui\r\n", true),
        ("\n", false),
        ("", false),
        ("yep\n", false),
        ("n\n", false),
    ] {
        let stderr = Scene::at_a_terminal().answer(answer).stderr(|printer| {
            printer.question("send 500 DZD?");
            let typed = printer.answer()().unwrap_or_default();
            assert_eq!(Printer::is_yes(&typed), meant, "{answer:?}");
        });
        assert_eq!(stderr, "send 500 DZD? ");
    }
}

#[test]
fn questions_need_somebody_at_both_streams() {
    let asks = |terminal: Terminal| {
        let mut scene = Scene::in_a_pipe();
        scene.terminal = terminal;
        let mut interactive = false;
        scene.after(|printer| interactive = printer.is_interactive());
        interactive
    };
    let people = Terminal::people(80);
    assert!(asks(people));
    assert!(asks(Terminal {
        stdout_is_terminal: false,
        ..people
    }));
    assert!(!asks(Terminal {
        stdin_is_terminal: false,
        ..people
    }));
    assert!(!asks(Terminal {
        stderr_is_terminal: false,
        ..people
    }));
}

#[test]
fn formats_are_read_back() {
    for format in [Format::Table, Format::Json, Format::Jsonl, Format::Csv] {
        assert_eq!(format.word().parse(), Ok(format));
    }
    assert!("xml".parse::<Format>().is_err());
}
