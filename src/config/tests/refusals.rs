//! What is refused, and the exact words.

use super::super::{Config, Env, Overrides, Places};
use super::Scene;
use crate::error::Kind;

fn told(file: &str) -> String {
    let scene = Scene::new().file(file);
    let error = scene.refusal();
    assert_eq!(error.kind, Kind::Usage, "{file}");
    scene.told(&error)
}

const FILE: &str = "~/.config/oneclick/config.toml";

#[test]
fn an_unknown_key_is_found_with_its_place_and_the_nearest_name() {
    assert_eq!(
        told("# é\nrate = 1\n  pol_interval = \"5s\"\n"),
        format!(
            "config_unknown_key: unknown key `pol_interval` in {FILE}, line 3, column 3\nhint: did you mean `poll_interval`?"
        )
    );
    assert_eq!(
        told("[profiles.shop]\nraet = 1\n"),
        format!(
            "config_unknown_key: unknown key `raet` in {FILE}, line 2, column 1\nhint: did you mean `rate`?"
        )
    );
    assert_eq!(
        told("[telemetry]\nx = 1\n"),
        format!("config_unknown_key: unknown key `telemetry` in {FILE}, line 1, column 2")
    );
    assert_eq!(
        told("config = \"x\"\n"),
        format!("config_unknown_key: unknown key `config` in {FILE}, line 1, column 1")
    );
}

#[test]
fn columns_count_characters_as_editors_do() {
    let told = told("profiles.\"é\".raet = 1\n");
    assert!(told.contains("line 1, column 14"), "{told}");
}

#[test]
fn the_first_mistake_of_the_file_is_told() {
    assert!(told("zebra = 1\nant = 1\n").contains("`zebra`"));
}

#[test]
fn a_key_of_the_top_is_refused_in_a_profile() {
    assert_eq!(
        told("[profiles.shop]\nledger = \"x\"\n"),
        format!(
            "config_misplaced_key: `ledger` can't stand in a profile: {FILE}, line 2, column 1\nhint: put `ledger` at the top of the file"
        )
    );
}

#[test]
fn a_bad_value_is_told_with_what_is_expected() {
    assert_eq!(
        told("rate = \"fa\\u001bst\""),
        format!(
            "config_value: `rate` is `fa\\u{{1b}}st` in {FILE}, line 1, column 8; expected a whole number of requests a minute from 1 to 1000000, `auto` or `unlimited`\nhint: mend it there, or leave `rate` out for the default, `auto`"
        )
    );
    for (line, expected) in [
        ("poll_interval = 5", "`poll_interval` is `5`"),
        ("poll_interval = \"9ms\"", "expected 10ms or more"),
        ("send_timeout = \"0s\"", "expected 1ms or more"),
        ("retry_attempts = 0", "expected a whole number from 1 to 20"),
        ("retry_attempts = 21", "expected a whole number from 1 to 20"),
        ("retry_attempts = -1", "`retry_attempts` is `-1`"),
        ("rate = 99999999999999999999", "`rate` is `99999999999999999999`"),
        (
            "max_per_send = 10000001",
            "expected whole dinars from 1 to 10000000",
        ),
        ("max_per_day = 0", "expected whole dinars from 1 to 1000000000000"),
        ("low_balance = -1", "expected dinars in plain digits"),
        ("environment = \"prod\"", "expected `sandbox` or `production`"),
        ("ledger = \"\"", "expected a path"),
        (
            "base_url = \"http://api.oneclickdz.com\"",
            "any other needs `https`",
        ),
        ("api_key_command = \" \"", "expected a shell command"),
    ] {
        let told = told(line);
        assert!(told.contains(expected), "{line}: {told}");
    }
}

#[test]
fn numbers_may_be_spelt_in_every_way_of_toml_except_as_floats() {
    for (line, key, value) in [
        ("rate = 1_20", "rate", "120"),
        ("rate = \"120\"", "rate", "120"),
        ("rate = 0x78", "rate", "120"),
        ("max_per_day = +5000", "max_per_day", "5000"),
        ("low_balance = \"99.50\"", "low_balance", "99.50"),
    ] {
        assert_eq!(
            Scene::new().file(line).row(key).0.as_deref(),
            Some(value),
            "{line}"
        );
    }
    assert_eq!(
        told("low_balance = 99.5"),
        format!(
            "config_value: `low_balance` is the float `99.5` in {FILE}, line 1, column 15; expected dinars in plain digits, as in `10000` or `\"10000.50\"`"
        )
    );
}

#[test]
fn a_wrong_type_is_told() {
    for (line, expected) in [
        ("rate = true", "`rate` is the boolean `true`"),
        ("ledger = 5", "`ledger` is the integer `5`"),
        ("rate = [1, 2]", "`rate` is the array in"),
        ("base_url = {}", "`base_url` is the table in"),
        ("output = 2026-01-01", "`output` is the datetime `2026-01-01`"),
        ("[profiles]\nshop = 1", "`shop` is no table"),
        ("[profiles.\"a b\"]", "`a b` is no name for a profile"),
        ("[profiles.\"\"]", "`` is no name for a profile"),
    ] {
        let told = told(line);
        assert!(
            told.starts_with("config_value: ") && told.contains(expected),
            "{line}: {told}"
        );
    }
}

#[test]
fn a_bad_value_of_a_variable_names_the_variable() {
    let scene = Scene::new().var("ONECLICKDZ_COLOR", "yes");
    assert_eq!(
        scene.told(&scene.refusal()),
        "config_value: `color` is `yes` in variable `ONECLICKDZ_COLOR`; expected `auto`, `always` or `never`\nhint: mend it there, or leave `color` out for the default, `auto`"
    );
}

#[cfg(unix)]
#[test]
fn a_variable_that_is_not_utf_8_is_refused() {
    use std::ffi::OsString;
    use std::os::unix::ffi::OsStringExt;
    let env = Env::of([("ONECLICKDZ_RATE", OsString::from_vec(vec![b'1', 0xff]))]);
    let scene = Scene::new();
    let error = Config::load(&Overrides::default(), &env, &Places::under(scene.home.path())).err();
    assert_eq!(
        error.map(|error| error.message).as_deref(),
        Some("variable `ONECLICKDZ_RATE` is not UTF-8")
    );
}

#[test]
fn an_unknown_profile_is_told_with_those_that_are_there() {
    let scene = Scene::new()
        .file("[profiles.shop]\n[profiles.desk]\n")
        .profile("shpo");
    assert_eq!(
        scene.told(&scene.refusal()),
        format!(
            "profile_unknown: there is no profile `shpo`, named by flag `--profile`\nhint: did you mean `shop`?\nhint: {FILE} has `desk`, `shop`"
        )
    );
    let scene = Scene::new().var("ONECLICKDZ_PROFILE", "shop");
    assert_eq!(
        scene.told(&scene.refusal()),
        format!(
            "profile_unknown: there is no profile `shop`, named by variable `ONECLICKDZ_PROFILE`\nhint: {FILE} has no `[profiles.NAME]`"
        )
    );
}

#[test]
fn a_syntax_error_has_a_place_and_never_quotes_the_line() {
    for file in [
        "rate = 1\napi_key = s3cret-s3cret\n",
        "rate = 1\napi_key = \"s3cret-s3cret\n",
        "rate = 1\napi_key = \"s3cret\" s3cret\n",
        "rate = 1\napi_key = \"s3cret\"\napi_key = \"s3cret\"\n",
        "rate = 1\ns3cret-s3cret\n",
        "rate = 1\napi_key \"s3cret\"\n",
        "rate = 1\napi_key = \"s3cret\\q\"\n",
        "rate = 1\n[api_key = \"s3cret\"\n",
    ] {
        let scene = Scene::new().file(file);
        let error = scene.refusal();
        let told = scene.told(&error);
        assert!(
            told.starts_with(&format!("config_syntax: {FILE}, line ")),
            "{told}"
        );
        assert!(!told.contains("line 1,"), "{told}");
        let everything = format!("{error:?} {}", error.to_json());
        assert!(!everything.contains("s3cret"), "{everything}");
    }
}

#[test]
fn a_chosen_profile_and_singular_headings_get_the_way_out() {
    let told = told("profile = \"shop\"\n[profile.shop]\nrate = 1\n");
    assert!(
        told.contains("hint: a file with `profile = …` names its profiles `[profiles.NAME]`"),
        "{told}"
    );
}

#[test]
fn the_same_profile_twice_is_refused() {
    let told = told("[profile.shop]\n[profiles.shop]\n");
    assert!(told.contains("profile `shop` stands twice, again in"), "{told}");
}

#[test]
fn a_file_that_was_asked_for_must_be_there() {
    let scene = Scene::new().config("no.toml");
    assert_eq!(
        scene.told(&scene.refusal()),
        "config_missing: there is no file ~/no.toml\nhint: `oneclick config init --config ~/no.toml` writes a first one there"
    );
    let scene = Scene::new();
    let path = scene.at("no.toml").display().to_string();
    assert_eq!(
        scene.var("ONECLICKDZ_CONFIG", &path).refusal().code,
        "config_missing"
    );
}

#[test]
fn what_is_no_file_of_text_is_refused() {
    let scene = Scene::new().other_file("directory/x", b"").config("directory");
    assert_eq!(
        scene.told(&scene.refusal()),
        "config_is_directory: ~/directory is a directory, not a file"
    );
    let scene = Scene::new().bytes(b"rate = 1\n# caf\xe9\n");
    assert_eq!(
        scene.told(&scene.refusal()),
        format!("config_encoding: {FILE}, line 2, column 6 is not UTF-8\nhint: save it again as UTF-8")
    );
    let largest = format!("#{}\n", "x".repeat(1024 * 1024 - 2));
    assert!(Scene::new().file(&largest).try_load().is_ok());
    assert_eq!(
        Scene::new().file(&format!("{largest}\n")).refusal().code,
        "config_too_large"
    );
}

#[test]
fn windows_habits_are_read() {
    let scene = Scene::new().file("\u{feff}rate = 5\r\ncolor = \"never\"\r\n");
    assert_eq!(scene.row("rate").0.as_deref(), Some("5"));
    assert_eq!(scene.row("color").0.as_deref(), Some("never"));
}

#[test]
fn without_a_home_the_way_out_is_told() {
    let nowhere = Places {
        config_dir: None,
        data_dir: None,
        home: None,
    };
    let load = |vars: &[(&str, &str)]| Config::load(&Overrides::default(), &Env::of(vars.to_vec()), &nowhere);
    let error = load(&[]).err();
    assert_eq!(error.map(|error| error.code).as_deref(), Some("no_home"));
    let scene = Scene::new().other_file("c.toml", b"");
    let path = scene.at("c.toml").display().to_string();
    assert!(load(&[("ONECLICKDZ_CONFIG", &path)]).is_err());
    assert!(load(&[("ONECLICKDZ_CONFIG", &path), ("ONECLICKDZ_LEDGER", "/x.db")]).is_ok());
    assert!(load(&[("ONECLICKDZ_CONFIG", &path), ("ONECLICKDZ_LEDGER", "~/x.db")]).is_err());
}

#[test]
fn a_password_in_an_address_is_not_repeated() {
    for address in [
        "https://me:s3cret@host",
        "https://host?key=s3cret",
        "https://host#s3cret",
    ] {
        let told = told(&format!("base_url = \"{address}\"\n"));
        assert!(
            !told.contains("s3cret") && told.contains("`base_url` is not usable in"),
            "{told}"
        );
    }
}
