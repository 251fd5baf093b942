//! Commands that are printed mean the account and the ledger of the run that prints them: pasted into a shell, each
//! carries the `--simulate`, `--profile` and `--config` that were typed.

use std::fs;

use crate::outcome::Outcome;
use crate::support::{KEY, OrFail, PHONE, PLAN, Shop};

const WRONG_KEY: &str = "0c2d9e55-wrong-key-77aa";
const FORMS: [&str; 2] = ["table", "json"];

/// A shop without a variable that names its key: only the words of the command line lead to it.
fn shop() -> Shop {
    Shop::open().unset("ONECLICKDZ_API_KEY")
}

fn write_config(shop: &Shop, path: &str, text: &str) {
    let path = shop.home().join(path);
    fs::create_dir_all(path.parent().or_fail("no parent")).or_fail("no directory");
    fs::write(&path, text).or_fail("not written");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).or_fail("no permissions");
    }
}

/// Two profiles. The one in use when none is named has a key that the provider refuses.
fn with_two_profiles(shop: Shop) -> Shop {
    let shop = shop.unset("ONECLICKDZ_API_KEY");
    let text = format!(
        "profile = \"a\"\n[profiles.a]\napi_key = \"{WRONG_KEY}\"\n[profiles.b]\napi_key = \"{KEY}\"\n"
    );
    write_config(&shop, ".config/oneclick/config.toml", &text);
    shop
}

/// A shop whose key is in a file of a name that a shell would take apart.
fn spaced_config() -> Shop {
    let shop = shop();
    write_config(
        &shop,
        "config/the shop's file.toml",
        &format!("api_key = \"{KEY}\"\n"),
    );
    shop
}

/// Each kind of words, with a shop in which nothing else leads to the account.
fn kinds() -> Vec<(Shop, Vec<&'static str>)> {
    vec![
        (shop(), vec!["--simulate"]),
        (with_two_profiles(shop()), vec!["--profile", "b"]),
        (spaced_config(), vec!["--config", "config/the shop's file.toml"]),
    ]
}

fn run<'shop>(shop: &'shop Shop, words: &[&str], rest: &[&str]) -> Outcome<'shop> {
    shop.run(&[words, rest].concat())
}

/// Sends an order and does not wait for its end.
fn leave_open<'shop>(shop: &'shop Shop, words: &[&str], reference: &str, form: &str) -> Outcome<'shop> {
    let send = [
        "send",
        "--plan",
        PLAN,
        "--phone",
        PHONE,
        "--amount",
        "500",
        "--no-wait",
        "--ref",
        reference,
        "-o",
        form,
    ];
    run(shop, words, &send).expect_exit(8)
}

/// The command in backticks that begins a line or stands in it, behind `before`.
#[track_caller]
fn command_behind(text: &str, before: &str) -> String {
    let line = text
        .lines()
        .find_map(|line| line.split_once(&format!("{before}`")));
    let (_, rest) = line.or_fail(&format!("`{before}` is not said:\n{text}"));
    rest.split('`').next().unwrap_or_default().to_owned()
}

#[test]
fn the_hint_of_an_error_asks_the_account_that_was_meant() {
    for form in FORMS {
        for (shop, words) in kinds() {
            let open = leave_open(&shop, &words, "order-1", form);
            let hint = if form == "json" {
                command_behind(open.error()["hints"][0].as_str().unwrap_or_default(), "")
            } else {
                command_behind(&open.stderr, "hint: ")
            };
            let waited = shop.shell(&hint).expect_exit(0);
            assert!(waited.stdout.contains("order-1"), "{waited:?}");
        }
    }
}

#[test]
fn the_note_of_open_orders_lists_those_of_the_account_that_was_meant() {
    for (shop, words) in kinds() {
        leave_open(&shop, &words, "order-1", "json");
        let balance = run(&shop, &words, &["balance"]).expect_exit(0);
        let listed = shop
            .shell(&command_behind(&balance.stderr, " s): "))
            .expect_exit(0);
        assert!(listed.stdout.contains("order-1"), "{listed:?}");
    }
}

#[test]
fn the_desk_s_next_command_asks_the_account_that_was_meant() {
    for form in FORMS {
        for (shop, words) in kinds() {
            leave_open(&shop, &words, "order-1", "json");
            let desk = run(&shop, &words, &["ref", "list", "--open", "-o", form]).expect_exit(0);
            let (next, bare) = if form == "json" {
                let row = &desk.json()[0];
                let text = |key: &str| row[key].as_str().or_fail("no command").to_owned();
                (text("next"), text("next_command"))
            } else {
                let row = desk.stdout.lines().nth(1).or_fail("no row");
                let mut fields = row.rsplit('\t').map(str::to_owned);
                let bare = fields.next().or_fail("no command");
                (fields.next().or_fail("no words"), bare)
            };
            assert_eq!(command_behind(&next, "wait for its end: "), bare, "{desk:?}");
            let waited = shop.shell(&bare).expect_exit(0);
            assert!(waited.stdout.contains("order-1"), "{waited:?}");
        }
    }
}

/// A variable is still set when the next command is typed.
#[test]
fn what_a_variable_says_needs_no_flag() {
    let shop = with_two_profiles(shop()).set("ONECLICKDZ_PROFILE", "b");
    let open = leave_open(&shop, &[], "order-1", "table");
    let hint = command_behind(&open.stderr, "hint: ");
    assert_eq!(hint, "oneclick ref wait order-1");
    shop.shell(&hint).expect_exit(0);
}

/// What goes on with a batch is made of the words that were typed, wherever they stood.
#[test]
fn the_command_that_goes_on_with_a_batch_has_each_word_once() {
    let shop = with_two_profiles(Shop::open_with(&["--balance", "500"]));
    let sheet = shop.sheet("november.csv").customers(12);
    let words = [
        "batch",
        "november.csv",
        "--yes",
        "--until-empty",
        "--profile=b",
        "-o",
        "json",
    ];
    let stopped = shop.run(&words).expect_exit(9);
    let hints = stopped.error()["hints"].to_string();
    let next = stopped.next();
    assert_eq!(command_behind(&hints, "to go on: "), next, "{stopped:?}");
    assert_eq!(next.matches("--profile").count(), 1, "{next}");
    shop.provider.deposit(1_000);
    shop.shell(&next).expect_exit(0);
    sheet.expect_each_paid_once();
}

/// Such a name needs a `--` before it, and what is added to the words must not land behind that.
#[test]
fn a_sheet_that_is_named_like_a_flag_is_gone_on_with() {
    let shop = Shop::open_with(&["--balance", "500"]);
    let sheet = shop.sheet("-x.csv").customers(12);
    let words = ["batch", "--yes", "--until-empty", "-o", "json", "--", "-x.csv"];
    let next = shop.run(&words).expect_exit(9).next();
    shop.provider.deposit(5_000);
    shop.shell(&next).expect_exit(0);
    sheet.expect_each_paid_once();

    let _refused = shop.sheet("-y.csv").row("0600000001,500");
    for label in ["--label=-y", "--label=y"] {
        let ended = shop
            .run(&["batch", "--yes", label, "--", "-y.csv"])
            .expect_exit(5);
        let retry = command_behind(&ended.stderr, "then send them: ");
        shop.shell(&format!("{retry} --dry-run")).expect_exit(0);
    }
}

#[test]
fn the_rows_that_were_not_delivered_are_sent_by_the_account_that_was_meant() {
    for (shop, words) in kinds() {
        let _sheet = shop.sheet("november.csv").row("0600000001,500");
        let ended = run(&shop, &words, &["batch", "november.csv", "--yes"]).expect_exit(5);
        let retry = command_behind(&ended.stderr, "then send them: ");
        assert_eq!(retry.matches(words[0]).count(), 1, "{retry}");
        shop.shell(&format!("{retry} --dry-run")).expect_exit(0);
    }
}

#[test]
fn the_orders_of_the_account_that_was_meant_are_listed_where_a_ref_is_unknown() {
    for (shop, words) in kinds() {
        let settle = [
            "ref",
            "settle",
            "no-such-order",
            "--as",
            "fulfilled",
            "--because",
            "seen",
        ];
        let refused = run(&shop, &words, &settle);
        let listed = shop
            .shell(&command_behind(&refused.stderr, "hint: "))
            .expect_exit(0);
        assert!(listed.stderr.contains("account "), "{listed:?}");
    }
}

/// The wizard knows best which profile it has made.
#[test]
fn the_wizard_names_the_profile_that_it_has_made() {
    let shop = with_two_profiles(shop());
    let made = shop
        .run_with(&["config", "init", "--profile", "c"], &format!("{KEY}\n"))
        .expect_exit(0);
    shop.shell(&command_behind(&made.stderr, "next: ")).expect_exit(0);
    made.expect_said(["`oneclick --profile c --simulate send …`"]);
}

/// A ref of words and one that a shell would run are one word in what is pasted.
#[test]
fn a_ref_is_one_word_of_the_command() {
    let shop = with_two_profiles(shop());
    for reference in ["order n°7", "$(touch seen)", "it's `touch seen`"] {
        let open = leave_open(&shop, &["--profile", "b"], reference, "json");
        let hint = open.error()["hints"][0].as_str().or_fail("no hint").to_owned();
        let (command, _) = hint.rsplit_once("` waits for its end").or_fail("another hint");
        let waited = shop.shell(command.trim_start_matches('`')).expect_exit(0);
        assert!(waited.stdout.contains(reference), "{waited:?}");
        assert!(!shop.home().join("seen").exists(), "{hint}");
    }
}

#[test]
fn a_finding_s_next_command_shows_an_order_of_the_account_that_was_meant() {
    let words = ["--profile", "b"];
    let reference = "order n°7";
    for form in FORMS {
        let shop = with_two_profiles(shop());
        leave_open(&shop, &words, reference, "json");
        let settle = [
            "ref",
            "settle",
            reference,
            "--as",
            "refunded",
            "--because",
            "seen",
        ];
        run(&shop, &words, &settle).expect_exit(0);
        shop.provider.advance(120);
        let compared = run(&shop, &words, &["reconcile", "-o", form]).expect_exit(5);
        let command = command_behind(&compared.stdout, "the reason given is in ");
        assert_eq!(command, "oneclick --profile b ref show 'order n°7'");
        let shown = shop.shell(&command).expect_exit(0);
        assert!(shown.stdout.contains(reference), "{shown:?}");
    }
}
