//! The configuration as an operator meets it: the wizard, what is in force and why, and files that are refused.

use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use crate::outcome::Outcome;
use crate::support::{KEY, OrFail, Shop};

fn config_path(shop: &Shop) -> PathBuf {
    shop.home().join(".config/oneclick/config.toml")
}

/// A shop that knows its key from nowhere but its file.
fn shop_without_key() -> Shop {
    Shop::open().unset("ONECLICKDZ_API_KEY")
}

#[cfg(unix)]
fn set_mode(path: &std::path::Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).or_fail("no permissions");
}

fn write_config(shop: &Shop, text: &str) {
    let path = config_path(shop);
    fs::create_dir_all(path.parent().or_fail("no parent")).or_fail("no directory");
    fs::write(&path, text).or_fail("not written");
    #[cfg(unix)]
    set_mode(&path, 0o600);
}

/// Value and origin of a key, as `config show` tells them.
fn row(shown: &Outcome<'_>, key: &str) -> (Value, String) {
    let rows = shown.json();
    let row = rows
        .as_array()
        .into_iter()
        .flatten()
        .find(|row| row["key"] == key)
        .or_fail("no such key")
        .clone();
    let origin = row["origin"].as_str().or_fail("no origin").to_owned();
    (row["value"].clone(), origin)
}

/// The key comes by stdin, is asked about, and then everything works without a variable.
#[test]
fn the_wizard_makes_a_file_that_works() {
    let shop = shop_without_key();
    let made = shop
        .run_with(&["config", "init"], &format!("{KEY}\n"))
        .expect_exit(0);
    assert!(
        !made.stdout.contains(KEY) && !made.stderr.contains(KEY),
        "the key is shown: {made:?}"
    );
    let text = fs::read_to_string(config_path(&shop)).or_fail("no file");
    assert!(
        text.contains(KEY) && text.contains("sandbox") && text.contains(&shop.provider.url()),
        "{text}"
    );
    let shop = shop.unset("ONECLICKDZ_BASE_URL");
    shop.send(500).expect_exit(0).expect_paid_once();
    shop.run(&["config", "check"]).expect_exit(0);
    assert_eq!(crate::support::files_with(shop.home(), KEY), [config_path(&shop)]);
}

#[cfg(unix)]
#[test]
fn the_file_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt;
    let shop = shop_without_key();
    shop.run_with(&["config", "init"], KEY).expect_exit(0);
    let mode = fs::metadata(config_path(&shop))
        .or_fail("no file")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    set_mode(&config_path(&shop), 0o644);
    let refused = shop
        .send(500)
        .expect_exit(4)
        .expect_error("config_permissions")
        .expect_no_post();
    let hint = format!("chmod 600 {}", config_path(&shop).display());
    assert!(
        refused.error()["hints"].to_string().contains(&hint),
        "{refused:?}"
    );
    assert_eq!(shop.books().calls("balance"), 0);
}

#[cfg(unix)]
#[test]
fn a_key_file_that_others_can_read_is_refused() {
    let shop = shop_without_key();
    let path = shop.home().join("key");
    fs::write(&path, format!("{KEY}\n")).or_fail("not written");
    let shop = shop.set("ONECLICKDZ_API_KEY_FILE", path.display().to_string());
    set_mode(&path, 0o640);
    let refused = shop.send(500).expect_exit(4).expect_no_post();
    assert!(
        refused.error()["hints"].to_string().contains("chmod 600"),
        "{refused:?}"
    );
    set_mode(&path, 0o600);
    shop.send(500).expect_exit(0);
}

#[cfg(unix)]
#[test]
fn a_command_may_print_the_key() {
    let shop = shop_without_key()
        .set("ONECLICKDZ_API_KEY_COMMAND", format!("echo {KEY}"))
        .set("PATH", "/usr/bin:/bin");
    shop.send(500).expect_exit(0);
    let shop = shop.set("ONECLICKDZ_API_KEY_COMMAND", format!("echo {KEY}; exit 3"));
    let refused = shop.run(&["balance", "-vv"]).expect_exit(4);
    assert!(
        !refused.stderr.contains(&format!("\n{KEY}")),
        "what it printed is shown: {refused:?}"
    );
}

#[test]
fn a_wrong_key_makes_no_file() {
    let shop = shop_without_key();
    let refused = shop.run_with(&["config", "init", "-o", "json"], "a-wrong-key-1234");
    let hints = refused.expect_exit(4).error()["hints"].to_string();
    assert!(
        hints.contains("nothing was written") && !hints.contains("config show"),
        "{hints}"
    );
    assert!(!config_path(&shop).exists());
    assert_eq!(shop.books().all_calls(), 1);
    shop.run_with(&["config", "init", "--no-check"], "")
        .expect_exit(2);
    assert!(!config_path(&shop).exists());
}

#[test]
fn a_file_that_is_there_is_kept() {
    let shop = shop_without_key();
    shop.run_with(&["config", "init"], KEY).expect_exit(0);
    let before = fs::read_to_string(config_path(&shop)).or_fail("no file");
    shop.run_with(&["config", "init", "-o", "json"], KEY)
        .expect_exit(2)
        .expect_error("file_exists");
    assert_eq!(fs::read_to_string(config_path(&shop)).or_fail("no file"), before);
    shop.run_with(&["config", "init", "--profile", "second"], KEY)
        .expect_exit(0);
    let after = fs::read_to_string(config_path(&shop)).or_fail("no file");
    assert!(after.starts_with(&before) && after.contains("second"), "{after}");
    shop.run(&["balance", "--profile", "second"]).expect_exit(0);
    let refused = shop
        .run(&["balance", "--profile", "secnd", "-o", "json"])
        .expect_exit(2);
    assert!(refused.stderr.contains("second"), "{refused:?}");
    shop.run_with(&["config", "init", "--force"], KEY).expect_exit(0);
}

#[test]
fn every_key_is_shown_with_its_origin_and_the_key_masked() {
    let shop = Shop::open();
    let shown = shop.run(&["config", "show", "-o", "json"]).expect_exit(0);
    assert!(!shown.stdout.contains(KEY), "{shown:?}");
    let (masked, origin) = row(&shown, "api_key");
    let (masked, last) = (
        masked.as_str().or_fail("no mask").to_owned(),
        &KEY[KEY.len() - 4..],
    );
    assert!(
        masked.ends_with(last) && !masked.contains(&KEY[..KEY.len() - 4]),
        "{masked}"
    );
    assert!(origin.contains("ONECLICKDZ_API_KEY"), "{origin}");
    assert_eq!(row(&shown, "send_timeout").0, "1s");
    assert_eq!(
        row(&shown, "connect_timeout"),
        ("10s".into(), "default".to_owned())
    );
    let example = include_str!("../../config.example.toml");
    for row in shown.json().as_array().into_iter().flatten() {
        let key = row["key"].as_str().or_fail("no key");
        assert!(
            key == "config" || example.contains(&format!("# {key} = ")),
            "the example lacks `{key}`"
        );
    }
    assert_eq!(shop.books().all_calls(), 0);
}

/// Flag, variable, profile, file, default: each wins over those behind it.
#[test]
fn the_nearer_word_wins() {
    let shop = Shop::open().unset("ONECLICKDZ_POLL_INTERVAL");
    let shown = |shop: &Shop, flags: &[&str]| {
        let shown = shop
            .run(&[&["config", "show", "-o", "json"], flags].concat())
            .expect_exit(0);
        row(&shown, "poll_interval").0
    };
    assert_eq!(shown(&shop, &[]), "5s");
    write_config(
        &shop,
        "poll_interval = \"6s\"\n[profiles.slow]\npoll_interval = \"7s\"\n",
    );
    assert_eq!(shown(&shop, &[]), "6s");
    assert_eq!(shown(&shop, &["--profile", "slow"]), "7s");
    let shop = shop.set("ONECLICKDZ_PROFILE", "slow");
    assert_eq!(shown(&shop, &[]), "7s");
    let shop = shop.set("ONECLICKDZ_POLL_INTERVAL", "8s");
    assert_eq!(shown(&shop, &[]), "8s");
    // Only the global flags stand for keys: `--output` is one.
    let shop = shop.set("ONECLICKDZ_OUTPUT", "csv");
    assert!(
        shop.run(&["config", "show"])
            .expect_exit(0)
            .stdout
            .starts_with("key,value,origin")
    );
    shop.run(&["config", "show", "-o", "json"]).expect_exit(0).json();
}

#[test]
fn what_cannot_be_read_is_refused_with_the_way_to_mend_it() {
    let cases = [
        ("raet = 60\n", ["raet", "hint: did you mean `rate`?"]),
        ("rate = \"fast\"\n", ["rate", "fast"]),
        ("poll_interval = 5\n", ["poll_interval", "5s"]),
        ("base_url = \"http://example.com\"\n", ["base_url", "https"]),
        ("rate = \n", ["config.toml", "line 1"]),
    ];
    for (text, said) in cases {
        let shop = Shop::open()
            .unset("ONECLICKDZ_BASE_URL")
            .unset("ONECLICKDZ_POLL_INTERVAL")
            .unset("ONECLICKDZ_RATE");
        write_config(&shop, text);
        let refused = shop.run(&[
            "send",
            "--plan",
            "auto",
            "--phone",
            "0778037340",
            "--amount",
            "500",
        ]);
        refused.expect_exit(2).expect_no_post().expect_said(said);
    }
    let shop = Shop::open().set("ONECLICKDZ_RETRY_ATTEMPTS", "many");
    shop.run(&["balance"])
        .expect_exit(2)
        .expect_said(["ONECLICKDZ_RETRY_ATTEMPTS", "many"]);
}

/// The path is told even where the file cannot be read: that is where to mend it.
#[test]
fn the_path_is_told_in_any_case() {
    let shop = Shop::open();
    let told = shop.run(&["config", "path"]).expect_exit(0);
    assert_eq!(told.stdout.trim(), config_path(&shop).display().to_string());
    write_config(&shop, "raet = 60\n");
    assert_eq!(shop.run(&["config", "path"]).expect_exit(0).stdout, told.stdout);
    let elsewhere = shop.home().join("elsewhere");
    let shop = shop.set("XDG_CONFIG_HOME", elsewhere.display().to_string());
    let told = shop.run(&["config", "path", "-o", "json"]).expect_exit(0).json();
    assert_eq!(
        told["path"],
        elsewhere.join("oneclick/config.toml").display().to_string()
    );
    assert_eq!(told["exists"], false);
}

/// The example in the repository is a file that works.
#[test]
fn the_example_is_read() {
    let shop = Shop::open();
    write_config(&shop, include_str!("../../config.example.toml"));
    shop.send(500).expect_exit(0);
}

/// The help's own examples: a password manager, and a file that is named from where the operator stands.
#[cfg(unix)]
#[test]
fn the_wizard_takes_a_command_or_a_file_and_checks_its_key() {
    let shop = shop_without_key().set("PATH", "/usr/bin:/bin");
    let command = format!("echo {KEY}");
    shop.run(&["config", "init", "--key-command", &command])
        .expect_exit(0)
        .expect_said(["the key works"]);
    shop.run(&["balance"]).expect_exit(0);
    fs::remove_file(config_path(&shop)).or_fail("no file");

    let key = shop.home().join("key");
    fs::write(&key, format!("{KEY}\n")).or_fail("not written");
    set_mode(&key, 0o600);
    shop.run(&["config", "init", "--key-file", "key"]).expect_exit(0);
    shop.run(&["balance"]).expect_exit(0);
    fs::remove_file(config_path(&shop)).or_fail("no file");

    for failing in ["echo a-wrong-key-1234", "exit 3"] {
        shop.run(&["config", "init", "--key-command", failing])
            .expect_exit(4);
    }
    shop.run(&["config", "init", "--key-command", " "]).expect_exit(2);
    assert!(!config_path(&shop).exists());
}

/// A file that does not exist yet is made where it is named, with a profile that is in use before it is there.
#[test]
fn the_wizard_makes_the_file_that_is_named() {
    let shop = shop_without_key();
    let by_flag = shop.home().join("new/by flag.toml").display().to_string();
    let refused = shop.run(&["balance", "--config", &by_flag, "-o", "json"]);
    let hint = refused.expect_exit(2).error()["hints"][0].clone();
    let hint = hint.as_str().or_fail("no hint").to_owned();
    assert!(
        hint.contains(&format!("`oneclick config init --config '{by_flag}'`")),
        "{hint}"
    );
    let made = shop.run_with(&["--config", &by_flag, "config", "init"], KEY);
    made.expect_exit(0)
        .expect_said([&format!("`oneclick --config '{by_flag}' balance`")]);
    shop.run(&["balance", "--config", &by_flag]).expect_exit(0);

    let by_variable = shop.home().join("by-variable.toml").display().to_string();
    let shop = shop
        .set("ONECLICKDZ_CONFIG", &by_variable)
        .set("ONECLICKDZ_PROFILE", "shop2");
    shop.run_with(&["config", "init", "--profile", "shop2"], KEY)
        .expect_exit(0);
    shop.run(&["balance"]).expect_exit(0);
    assert!(!config_path(&shop).exists());
}

/// Nobody is asked for a key that will not be written.
#[test]
fn a_profile_that_is_there_is_told_before_the_key_is_asked_for() {
    let shop = shop_without_key();
    shop.run_with(&["config", "init", "--profile", "shop2"], KEY)
        .expect_exit(0)
        .expect_said(["`oneclick --profile shop2 balance`"]);
    let asked = shop.books().all_calls();
    let words = ["config", "init", "--profile", "shop2", "-o", "json"];
    let refused = shop
        .run_with(&words, "")
        .expect_exit(2)
        .expect_error("profile_exists");
    assert!(
        refused.error()["hints"].to_string().contains("`--force`"),
        "{refused:?}"
    );
    shop.run_with(&["config", "init", "--profile", "a b", "-o", "json"], "")
        .expect_exit(2)
        .expect_error("profile_name");
    assert_eq!(shop.books().all_calls(), asked);
}

/// Another key for one profile or for the top of the file loses no limit, no comment and no key of another profile.
#[test]
fn force_gives_another_key_and_keeps_the_rest() {
    let shop = shop_without_key();
    let text = "# mine\napi_key = \"key-of-the-top\"\nmax_per_day = 9000\n\n[profiles.shop2]\n\
                api_key = \"key-of-shop-2\"\nmax_per_day = 500\n\n[profiles.desk]\napi_key = \"key-of-desk\"\n";
    write_config(&shop, text);
    shop.run_with(&["config", "init", "--profile", "shop2", "--force"], KEY)
        .expect_exit(0);
    let after = fs::read_to_string(config_path(&shop)).or_fail("no file");
    let kept = [
        "# mine\n",
        "key-of-the-top",
        "9000",
        "max_per_day = 500",
        "key-of-desk",
    ];
    assert!(kept.iter().all(|text| after.contains(text)), "{after}");
    assert!(!after.contains("key-of-shop-2") && after.contains(KEY), "{after}");
    shop.run(&["balance", "--profile", "shop2"]).expect_exit(0);
    shop.run_with(&["config", "init", "--force", "--no-check"], "another-key")
        .expect_exit(0);
    let top = after.replace("key-of-the-top", "another-key");
    let now = fs::read_to_string(config_path(&shop)).or_fail("no file");
    assert!(now.contains(KEY) && now.contains("max_per_day = 9000"), "{now}");
    assert_eq!(now.lines().next(), top.lines().next());
    assert!(now.contains("api_key = \"another-key\""), "{now}");
}

/// Who replaces a key that is not in use would wonder why nothing changes.
#[test]
fn a_key_that_another_one_goes_before_is_told() {
    let shop = shop_without_key();
    let silent = shop.run_with(&["config", "init", "--profile", "shop2"], KEY);
    assert!(!silent.expect_exit(0).stderr.contains("goes before"));
    let words = ["config", "init", "--force", "--no-check"];
    shop.run_with(&words, "another-key")
        .expect_exit(0)
        .expect_said(["another key goes before this one, from profile `shop2`"]);
    let shop = shop.set("ONECLICKDZ_API_KEY", KEY);
    shop.run_with(&words, "another-key")
        .expect_exit(0)
        .expect_said(["another key goes before this one, from variable `ONECLICKDZ_API_KEY`"]);
}
