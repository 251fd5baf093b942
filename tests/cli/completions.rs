//! Completion for the shells: the files that are checked in are those that the binary prints, and what it
//! completes comes from the ledger and its caches alone.

use std::fs;
use std::path::Path;

use crate::outcome::Outcome;
use crate::support::{OrFail, Shop};

const FILES: &[(&str, &str)] = &[
    ("bash", "oneclick.bash"),
    ("zsh", "_oneclick"),
    ("fish", "oneclick.fish"),
    ("powershell", "_oneclick.ps1"),
    ("elvish", "oneclick.elv"),
];

#[test]
fn the_files_are_those_that_the_binary_prints() {
    let shop = Shop::open();
    for (shell, file) in FILES {
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("completions")
            .join(file);
        let printed = shop.run(&["completions", shell]).expect_exit(0).stdout;
        assert!(
            fs::read(&path).is_ok_and(|kept| kept == printed.as_bytes()),
            "completions/{file} is old; run: cargo run -- completions {shell} > completions/{file}"
        );
    }
}

#[test]
fn no_other_file_is_kept_beside_them() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("completions");
    let entries = fs::read_dir(&directory).or_fail("no completions");
    let mut kept: Vec<_> = entries
        .map(|entry| {
            entry
                .or_fail("not read")
                .file_name()
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    kept.sort_unstable();
    let mut expected: Vec<_> = FILES.iter().map(|(_, file)| (*file).to_owned()).collect();
    expected.sort_unstable();
    assert_eq!(kept, expected);
}

/// A shop whose ledger knows an order and the plans, and which from now on has no way to the provider.
fn shop_that_knows() -> Shop {
    let shop = Shop::open();
    shop.send_as("order-1042", 500).expect_exit(0);
    shop.set("ONECLICKDZ_BASE_URL", "http://127.0.0.1:9")
}

/// Asks as the script of a shell does: the last word is the one that is being typed.
fn completed<'shop>(shop: &'shop mut Option<Shop>, shell: &str, line: &[&str]) -> Outcome<'shop> {
    let index = (line.len() - 1).to_string();
    let asked = shop
        .take()
        .or_fail("no shop")
        .set("COMPLETE", shell)
        .set("_CLAP_COMPLETE_INDEX", index);
    let asked = shop.insert(asked.set("_CLAP_IFS", "\n"));
    asked.run(&[&["--"], line].concat()).expect_exit(0)
}

#[test]
fn refs_are_completed_from_the_ledger() {
    let mut shop = Some(shop_that_knows());
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        for command in ["check", "show", "wait", "settle"] {
            let told = completed(&mut shop, shell, &["oneclick", "ref", command, "ord"]);
            assert!(told.stdout.contains("order-1042"), "{shell}: {told:?}");
        }
        let told = completed(&mut shop, shell, &["oneclick", "ref", "show", "other"]);
        assert!(!told.stdout.contains("order-1042"), "{shell}: {told:?}");
    }
}

#[test]
fn plans_are_completed_from_the_cache() {
    let mut shop = Some(shop_that_knows());
    let line = ["oneclick", "send", "--plan", "PREPAID"];
    let told = completed(&mut shop, "bash", &line);
    let plans: Vec<_> = told.stdout.lines().map(str::trim).collect();
    assert_eq!(
        plans,
        ["PREPAID_DJEZZY", "PREPAID_MOBILIS", "PREPAID_OOREDOO"],
        "{told:?}"
    );
    let told = completed(&mut shop, "bash", &["oneclick", "send", "--plan", ""]);
    assert!(told.stdout.contains("auto"), "{told:?}");
    assert!(
        !told.stdout.contains("MIX1000_OOREDOO"),
        "it can't be sold: {told:?}"
    );
}

#[test]
fn states_and_profiles_are_completed() {
    let shop = shop_that_knows();
    let directory = shop.home().join(".config/oneclick");
    fs::create_dir_all(&directory).or_fail("no directory");
    fs::write(directory.join("config.toml"), "[profiles.counter]\nrate = 30\n").or_fail("not written");
    let mut shop = Some(shop);
    let told = completed(&mut shop, "bash", &["oneclick", "ref", "list", "--state", "in"]);
    assert_eq!(told.stdout.trim(), "in_review");
    let told = completed(&mut shop, "bash", &["oneclick", "--profile", "c"]);
    assert_eq!(told.stdout.trim(), "counter");
}

/// A shell that completes in a fresh home must not leave a ledger there, nor fail.
#[test]
fn completing_makes_no_ledger() {
    let shop = Shop::open();
    let path = shop.ledger_path();
    let mut shop = Some(shop);
    completed(&mut shop, "bash", &["oneclick", "ref", "show", ""]);
    assert!(!path.exists());
    let calls = shop.or_fail("no shop").books().all_calls();
    assert_eq!(calls, 0);
}
