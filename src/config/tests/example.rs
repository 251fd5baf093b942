//! `config.example.toml` tells every key and its true default.

use super::super::{KEYS, Key, Place};
use super::Scene;

const EXAMPLE: &str = include_str!("../../../config.example.toml");
const PROFILE: &str = "# [profiles.shop]";

/// The lines that are settings, without their comment sign.
fn settings(text: &str) -> Vec<(&str, &str)> {
    text.lines()
        .filter_map(|line| {
            let line = line.strip_prefix("# ")?;
            let (name, _) = line.split_once(" = ")?;
            let is_name = name.chars().all(|c| c.is_ascii_lowercase() || c == '_');
            is_name.then_some((name, line))
        })
        .collect()
}

fn top() -> &'static str {
    EXAMPLE.split(PROFILE).next().unwrap_or_default()
}

fn example_profile() -> String {
    let lines = settings(EXAMPLE.split(PROFILE).nth(1).unwrap_or_default());
    let lines: Vec<_> = lines.into_iter().map(|(_, line)| line).collect();
    format!("\n[profiles.shop]\n{}\n", lines.join("\n"))
}

fn of_file() -> impl Iterator<Item = &'static Key> {
    KEYS.iter().filter(|key| key.place != Place::Outside)
}

#[test]
fn each_key_stands_once() {
    let mut named: Vec<_> = settings(top()).into_iter().map(|(name, _)| name).collect();
    let mut known: Vec<_> = of_file().map(|key| key.name).collect();
    named.sort_unstable();
    known.sort_unstable();
    assert_eq!(named, known);
}

#[test]
fn the_example_as_it_stands_changes_nothing() {
    let (plain, example) = (Scene::new(), Scene::new().file(EXAMPLE));
    for key in of_file() {
        assert_eq!(plain.row(key.name), example.row(key.name), "{}", key.name);
    }
}

#[test]
fn each_default_that_is_told_is_the_true_one() {
    let has_default = |name: &str| of_file().any(|key| key.name == name && key.default.is_some());
    let lines: Vec<_> = settings(top())
        .into_iter()
        .filter(|(name, _)| has_default(name))
        .map(|(_, line)| line)
        .collect();
    let (plain, example) = (Scene::new(), Scene::new().file(&lines.join("\n")));
    for key in of_file().filter(|key| key.default.is_some()) {
        let (value, origin) = example.row(key.name);
        assert_eq!(value, plain.row(key.name).0, "{}", key.name);
        assert_eq!(origin, "~/.config/oneclick/config.toml", "{}", key.name);
    }
}

#[test]
fn each_example_of_a_key_without_default_is_a_value_of_it() {
    for key in of_file().filter(|key| key.default.is_none()) {
        let line = settings(top()).into_iter().find(|(name, _)| *name == key.name);
        let line = line.map_or("", |(_, line)| line);
        let scene = Scene::new().file(&format!("{line}\n{}", example_profile()));
        assert!(scene.row(key.name).0.is_some(), "{}", key.name);
    }
}

#[test]
fn the_whole_example_with_its_profile_can_be_used() {
    let lines: Vec<_> = settings(top()).into_iter().map(|(_, line)| line).collect();
    let scene = Scene::new().file(&format!("{}{}", lines.join("\n"), example_profile()));
    let (value, origin) = scene.row("max_per_day");
    assert_eq!(value.as_deref(), Some("200000"));
    assert_eq!(origin, "profile `shop` in ~/.config/oneclick/config.toml");
}
