//! Who wins: flag, variable, profile, file, default.

use super::super::{KEYS, Origin, OutputFormat};
use super::{Scene, said};

const FILE: &str = "~/.config/oneclick/config.toml";

#[test]
fn with_nothing_said_every_key_has_the_default_of_the_table() {
    let scene = Scene::new();
    let config = scene.load();
    assert!(!config.file_exists);
    assert_eq!(config.path, scene.path());
    assert!(config.warnings.is_empty() && config.profiles.is_empty());
    let rows = config.rows();
    let names: Vec<_> = rows.iter().map(|row| row.key).collect();
    assert_eq!(names, KEYS.iter().map(|key| key.name).collect::<Vec<_>>());
    for (row, key) in rows.iter().zip(KEYS) {
        assert_eq!(row.origin, "default", "{}", key.name);
        let told = row.value.as_deref().map(|value| {
            value
                .replace(&scene.at(".config").display().to_string(), "<config dir>")
                .replace(&scene.at(".local/share").display().to_string(), "<data dir>")
        });
        assert_eq!(told.as_deref(), key.default, "{}", key.name);
    }
}

#[test]
fn each_layer_hides_those_below_it() {
    let scene = Scene::new();
    assert_eq!(scene.row("rate"), said("auto", "default"));
    let scene = scene.file("rate = 10\n[profiles.shop]\nrate = 20\n");
    assert_eq!(scene.row("rate"), said("10", FILE));
    let scene = scene.profile("shop");
    assert_eq!(
        scene.row("rate"),
        said("20", &format!("profile `shop` in {FILE}"))
    );
    let scene = scene.var("ONECLICKDZ_RATE", "30");
    assert_eq!(scene.row("rate"), said("30", "variable `ONECLICKDZ_RATE`"));
}

#[test]
fn a_flag_hides_every_layer() {
    let scene = Scene::new().file("output = \"csv\"\n");
    assert_eq!(scene.row("output"), said("csv", FILE));
    let scene = scene.var("ONECLICKDZ_OUTPUT", "json");
    assert_eq!(scene.row("output"), said("json", "variable `ONECLICKDZ_OUTPUT`"));
    let scene = scene.output(OutputFormat::Jsonl);
    assert_eq!(scene.row("output"), said("jsonl", "flag `--output`"));
}

#[test]
fn what_a_profile_does_not_say_comes_from_the_top() {
    let scene = Scene::new().file("max_per_day = 5000\n[profiles.shop]\nrate = 20\n");
    assert_eq!(scene.profile("shop").row("max_per_day"), said("5000", FILE));
}

#[test]
fn an_empty_variable_says_nothing() {
    let scene = Scene::new().file("rate = 10\n").var("ONECLICKDZ_RATE", "");
    assert_eq!(scene.row("rate"), said("10", FILE));
}

#[test]
fn the_profile_itself_has_layers() {
    let scene = Scene::new().file("profile = \"a\"\n[profiles.a]\n[profiles.b]\n[profiles.c]\n");
    assert_eq!(scene.load().profiles, ["a", "b", "c"]);
    assert_eq!(scene.row("profile"), said("a", FILE));
    let scene = scene.var("ONECLICKDZ_PROFILE", "b");
    assert_eq!(scene.row("profile"), said("b", "variable `ONECLICKDZ_PROFILE`"));
    assert_eq!(scene.profile("c").row("profile"), said("c", "flag `--profile`"));
}

#[test]
fn the_singular_heading_is_read_where_the_file_chooses_no_profile() {
    let scene = Scene::new().file("[profile.shop]\nrate = 20\n").profile("shop");
    assert_eq!(scene.row("rate").0.as_deref(), Some("20"));
}

#[test]
fn the_file_itself_has_layers() {
    let scene = Scene::new()
        .file("rate = 1\n")
        .other_file("variable.toml", b"rate = 2\n")
        .other_file("flag.toml", b"rate = 3\n");
    assert_eq!(scene.row("config"), said(FILE, "default"));
    assert_eq!(scene.row("rate").0.as_deref(), Some("1"));
    let path = scene.at("variable.toml").display().to_string();
    let scene = scene.var("ONECLICKDZ_CONFIG", &path);
    assert_eq!(scene.row("rate"), said("2", "~/variable.toml"));
    let scene = scene.config("flag.toml");
    assert_eq!(scene.row("rate"), said("3", "~/flag.toml"));
    assert_eq!(scene.row("config"), said("~/flag.toml", "flag `--config`"));
}

#[test]
fn every_key_has_a_working_variable() {
    let settings = [
        ("output", "json"),
        ("color", "never"),
        ("ledger", "/x/ledger.db"),
        ("environment", "production"),
        ("base_url", "https://proxy.example/flexy"),
        ("rate", "unlimited"),
        ("concurrency", "8"),
        ("poll_interval", "10ms"),
        ("poll_timeout", "0s"),
        ("settle_delay", "1ms"),
        ("retry_delay", "3s"),
        ("retry_attempts", "20"),
        ("connect_timeout", "1s"),
        ("send_timeout", "2m"),
        ("read_timeout", "1m"),
        ("repeat_window", "24h"),
        ("max_per_send", "1000"),
        ("max_per_number_per_day", "2000"),
        ("max_per_day", "1000000000"),
        ("low_balance", "10000.50"),
    ];
    let scene = settings.iter().fold(Scene::new(), |scene, (key, value)| {
        scene.var(&format!("ONECLICKDZ_{}", key.to_uppercase()), value)
    });
    for (key, value) in settings {
        let origin = format!("variable `ONECLICKDZ_{}`", key.to_uppercase());
        assert_eq!(scene.row(key), said(value, &origin));
    }
    let others = ["config", "profile", "api_key", "api_key_file", "api_key_command"];
    assert_eq!(settings.len() + others.len(), KEYS.len());
}

#[test]
fn paths_start_from_the_file_or_the_home_and_variables_from_where_the_command_runs() {
    let scene = Scene::new().file("ledger = \"desk/ledger.db\"\n");
    assert_eq!(
        scene.row("ledger"),
        said("~/.config/oneclick/desk/ledger.db", FILE)
    );
    let scene = scene.file("ledger = \"~/desk.db\"\n");
    assert_eq!(scene.row("ledger"), said("~/desk.db", FILE));
    let scene = scene.var("ONECLICKDZ_LEDGER", "desk.db");
    assert_eq!(scene.row("ledger").0.as_deref(), Some("desk.db"));
}

#[test]
fn a_variable_that_means_nothing_is_told_without_its_value() {
    let scene = Scene::new()
        .var("ONECLICKDZ_APIKEY", "s3cret")
        .var("ONECLICKDZ_ZZZ", "s3cret")
        .var("OTHER_TOOL", "x")
        .var("ONECLICKDZ_RATE", "5");
    let warnings = [
        "variable `ONECLICKDZ_APIKEY` means nothing; did you mean `ONECLICKDZ_API_KEY`?",
        "variable `ONECLICKDZ_ZZZ` means nothing",
    ];
    assert_eq!(scene.load().warnings, warnings);
}

#[test]
fn a_rehearsal_has_a_ledger_and_a_pace_of_its_own_and_no_key() {
    let scene = Scene::new()
        .file("ledger = \"~/desk/ledger.db\"\nenvironment = \"production\"\napi_key = \"a-key-of-some-length\"\nretry_delay = \"1s\"\n");
    let store = scene.at("desk/simulator");
    assert_eq!(scene.load().simulator_store(), store);
    let scene = scene.simulate();
    let config = scene.load();
    assert_eq!(config.ledger.value, store.join("ledger.db"));
    assert_eq!(config.ledger.origin, Origin::Flag("--simulate"));
    assert_eq!(config.simulator_store(), store);
    assert!(config.environment.is_none() && config.api_key.is_none());
    assert_eq!(config.poll_interval.value.to_string(), "400ms");
    assert_eq!(config.settle_delay.value.to_string(), "300ms");
    assert_eq!(config.retry_delay.value.to_string(), "1s");
    let base = "http://127.0.0.1:9"
        .parse()
        .unwrap_or_else(|error| panic!("{error}"));
    let config = config.with_base_url(base);
    assert_eq!(config.base_url.value.as_str(), "http://127.0.0.1:9");
    assert_eq!(config.base_url.origin, Origin::Flag("--simulate"));
}
