//! The house of the design, section 6: which room may import which, who may name which crate, and what lies at the
//! top level of the repository.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Each room or single file of `src`, and what it may import of the others.
const ROOMS: &[(&str, &[&str])] = &[
    ("main", &["cli"]),
    ("cli", &["commands", "config", "domain", "error", "simulator"]),
    (
        "commands",
        &[
            "batch",
            "reconcile",
            "topup",
            "api",
            "ledger",
            "domain",
            "output",
            "config",
            "error",
            "clock",
            "stop",
            "simulator",
        ],
    ),
    (
        "batch",
        &[
            "topup", "api", "ledger", "domain", "error", "clock", "stop", "promise", "pipeline",
        ],
    ),
    ("topup", &["promise", "api", "ledger", "domain", "clock", "stop"]),
    ("api", &["promise", "domain", "clock"]),
    ("ledger", &["promise", "domain", "error", "clock", "pipeline"]),
    (
        "reconcile",
        &["topup", "api", "ledger", "domain", "clock", "stop"],
    ),
    ("output", &["domain", "error", "clock"]),
    ("config", &["domain", "error", "clock"]),
    ("error", &["domain"]),
    ("domain", &[]),
    ("promise", &[]),
    ("pipeline", &[]),
    (
        "proof",
        &[
            "batch", "topup", "api", "ledger", "domain", "clock", "stop", "promise",
        ],
    ),
    ("clock", &[]),
    ("stop", &[]),
    ("simulator", &[]),
];

/// Crates that one room alone may name.
const CRATES: &[(&str, &str)] = &[
    ("reqwest", "api"),
    ("rusqlite", "ledger"),
    ("compact_str", "domain"),
    ("clap", "cli"),
    ("clap_complete", "cli"),
    ("clap_mangen", "cli"),
    ("hyper", "simulator"),
    ("hyper_util", "simulator"),
    ("http_body_util", "simulator"),
    ("rpassword", "commands"),
    ("rustix", "commands"),
    ("nix", "commands"),
    ("comfy_table", "output"),
    ("indicatif", "output"),
    ("toml", "config"),
    ("toml_edit", "config"),
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn fail(what: &Path, error: &std::io::Error) -> ! {
    panic!("{}: {error}", what.display())
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| fail(path, &error))
}

fn entries(directory: &Path) -> Vec<PathBuf> {
    let listed = fs::read_dir(directory).unwrap_or_else(|error| fail(directory, &error));
    listed
        .map(|entry| entry.unwrap_or_else(|error| fail(directory, &error)).path())
        .collect()
}

fn name(path: &Path) -> String {
    path.file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

/// Every Rust file of `src` except `lib.rs`, with its room.
fn files() -> Vec<(String, PathBuf)> {
    fn walk(directory: &Path, found: &mut Vec<PathBuf>) {
        for path in entries(directory) {
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    let source = root().join("src");
    let mut found = Vec::new();
    walk(&source, &mut found);
    found.retain(|path| *path != source.join("lib.rs"));
    let room = |path: &Path| {
        let first = path
            .strip_prefix(&source)
            .ok()
            .and_then(|inner| inner.components().next());
        first.map(|first| {
            first
                .as_os_str()
                .to_string_lossy()
                .trim_end_matches(".rs")
                .to_owned()
        })
    };
    found
        .into_iter()
        .map(|path| (room(&path).unwrap_or_default(), path))
        .collect()
}

/// The code of a file: without comments, and without the texts that a line quotes.
fn code(path: &Path) -> String {
    let text = read(path);
    let lines = text
        .lines()
        .map(|line| line.split("//").next().unwrap_or_default());
    lines.collect::<Vec<_>>().join("\n")
}

fn is_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

/// The words that stand behind `path::`, as in `crate::domain`; a braced list gives each of its first words.
fn words_behind(code: &str, start: &str) -> BTreeSet<String> {
    let mut words = BTreeSet::new();
    for (place, _) in code.match_indices(start) {
        let is_whole = !code[..place].ends_with(is_word);
        let rest = &code[place + start.len()..];
        if !is_whole {
            continue;
        }
        if let Some(list) = rest.strip_prefix('{') {
            let (mut depth, mut word, mut is_first) = (0, String::new(), true);
            for character in list.chars() {
                match character {
                    '{' => depth += 1,
                    '}' if depth == 0 => break,
                    '}' => depth -= 1,
                    ',' if depth == 0 => is_first = true,
                    ':' => is_first = false,
                    _ if is_word(character) && depth == 0 && is_first => {
                        word.push(character);
                        continue;
                    }
                    _ => {}
                }
                words.insert(std::mem::take(&mut word));
            }
            words.insert(word);
        } else {
            words.insert(rest.chars().take_while(|character| is_word(*character)).collect());
        }
    }
    words.remove("");
    words
}

#[test]
fn imports_run_one_way_down() {
    let rooms: BTreeSet<_> = ROOMS.iter().map(|(room, _)| *room).collect();
    let mut wrong = Vec::new();
    for (room, path) in files() {
        let Some((_, allowed)) = ROOMS.iter().find(|(known, _)| *known == room) else {
            panic!("`{room}` is no room of the house: say in this test what it may import");
        };
        let code = code(&path);
        let mut imported = words_behind(&code, "crate::");
        imported.extend(words_behind(&code, "oneclick::"));
        for other in imported
            .iter()
            .filter(|other| rooms.contains(other.as_str()) && **other != room)
        {
            if !allowed.contains(&other.as_str()) {
                wrong.push(format!("{} imports `{other}`", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn one_room_alone_names_each_of_these_crates() {
    let mut wrong = Vec::new();
    for (room, path) in files() {
        let code = code(&path);
        for (krate, home) in CRATES.iter().filter(|(_, home)| *home != room) {
            let named = code
                .match_indices(&format!("{krate}::"))
                .any(|(place, _)| !code[..place].ends_with(is_word));
            if named {
                wrong.push(format!(
                    "{} names `{krate}`, which only `{home}` may",
                    path.display()
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// The reader of imports sees what it must: this test's own eyes.
#[test]
fn the_reader_of_imports_sees_them() {
    let code =
        "use crate::domain::{Ref, State};\nuse crate::{api::{Client, ledger}, clock};\nlet x = mycrate::cli;";
    let words: Vec<_> = words_behind(code, "crate::").into_iter().collect();
    assert_eq!(words, ["api", "clock", "domain"]);
}

#[test]
fn main_is_short() {
    let lines = read(&root().join("src/main.rs")).lines().count();
    assert!(lines <= 40, "main.rs has {lines} lines");
}

#[test]
fn the_top_level_is_as_designed() {
    let allowed = [
        "Cargo.toml",
        "Cargo.lock",
        "src",
        "tests",
        "completions",
        "config.example.toml",
        "README.md",
        "rustfmt.toml",
        "target",
    ];
    let there: Vec<_> = entries(root())
        .iter()
        .map(|path| name(path))
        .filter(|name| !name.starts_with('.'))
        .collect();
    let foreign: Vec<_> = there
        .iter()
        .filter(|name| !allowed.contains(&name.as_str()))
        .collect();
    assert!(foreign.is_empty(), "not in section 6 of the design: {foreign:?}");
    for needed in allowed.iter().filter(|name| **name != "target") {
        assert!(there.iter().any(|name| name == needed), "`{needed}` is missing");
    }
}

/// `lib.rs` lists every room, and no room is there that it does not list.
#[test]
fn the_rooms_are_those_of_the_list() {
    let there: BTreeSet<_> = files().into_iter().map(|(room, _)| room).collect();
    let listed: BTreeSet<_> = ROOMS.iter().map(|(room, _)| (*room).to_owned()).collect();
    assert_eq!(there, listed);
}
