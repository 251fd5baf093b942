//! What `config init` writes is read back by the loader, and edited files stay as they were.

use secrecy::{ExposeSecret, SecretString};

use super::super::{Initial, InitialKey, initial_file, with_key, write_private};
use super::{Scene, said};
use crate::domain::Environment;
use crate::error::Result;

fn answers(key: InitialKey) -> Initial {
    Initial {
        key,
        environment: None,
        base_url: None,
        profile: None,
    }
}

fn inline(key: &str) -> Initial {
    answers(InitialKey::Inline(SecretString::from(key)))
}

fn profile(name: &str) -> Initial {
    Initial {
        profile: Some(name.to_owned()),
        ..inline("0123456789ab3f2a")
    }
}

#[test]
fn a_first_file_is_private_and_read_back() -> Result<()> {
    let scene = Scene::new();
    let initial = Initial {
        environment: Some(Environment::Sandbox),
        base_url: "http://127.0.0.1:8080/v3".parse().ok(),
        ..inline("a\"key'with#signs")
    };
    write_private(&scene.path(), &initial_file(&initial), false)?;
    let config = scene.load();
    assert_eq!(config.api_key(&scene.env())?.expose_secret(), "a\"key'with#signs");
    assert_eq!(scene.row("environment").0.as_deref(), Some("sandbox"));
    assert_eq!(scene.row("base_url").0.as_deref(), Some("http://127.0.0.1:8080"));
    Ok(())
}

#[test]
fn a_first_file_may_name_a_command_or_a_file() {
    let command = answers(InitialKey::Command("pass show \"one click\"".to_owned()));
    let scene = Scene::new().file(&initial_file(&command));
    assert_eq!(scene.row("api_key_command").0.as_deref(), Some("pass …"));
    let file = answers(InitialKey::File("~/key".to_owned()));
    let scene = Scene::new().file(&initial_file(&file));
    assert_eq!(scene.row("api_key_file").0.as_deref(), Some("~/key"));
}

#[test]
fn a_first_profile_is_the_one_in_use() {
    let initial = Initial {
        profile: Some("shop".to_owned()),
        ..inline("0123456789ab3f2a")
    };
    let text = initial_file(&initial);
    assert_eq!(
        text,
        "# The configuration of oneclick. config.example.toml explains every key.\n\n\
         profile = \"shop\"\n\n[profiles.shop]\napi_key = \"0123456789ab3f2a\"\n"
    );
    let scene = Scene::new().file(&text);
    let origin = "profile `shop` in ~/.config/oneclick/config.toml";
    assert_eq!(scene.row("api_key"), said("…3f2a", origin));
}

#[test]
fn one_more_profile_leaves_the_rest_as_it_was() -> Result<()> {
    let existing = "# my desk\nrate = 60 # gently\n\n[profiles.shop] # the first\nrate = 10\n";
    let text = with_key(existing, &profile("desk"), false)?;
    assert_eq!(
        text,
        format!("{existing}\n[profiles.desk]\napi_key = \"0123456789ab3f2a\"\n")
    );
    let text = with_key("# only a word\n", &profile("desk"), false)?;
    assert!(
        text.contains("# only a word\n") && text.contains("[profiles.desk]"),
        "{text}"
    );
    let scene = Scene::new().file(&text).profile("desk");
    assert_eq!(scene.row("api_key").0.as_deref(), Some("…3f2a"));
    Ok(())
}

#[test]
fn a_profile_joins_the_others_however_they_are_headed() -> Result<()> {
    for existing in [
        "[profile.shop]\nrate = 10\n",
        "profiles = { shop = { rate = 10 } }\n",
        "profiles.shop.rate = 10\n",
    ] {
        let text = with_key(existing, &profile("desk"), false)?;
        let scene = Scene::new().file(&text).profile("desk");
        assert_eq!(scene.load().profiles, ["desk", "shop"], "{text}");
    }
    Ok(())
}

#[test]
fn a_profile_is_not_replaced_nor_badly_named_and_the_file_is_not_quoted() {
    for (existing, name, code) in [
        ("[profiles.shop]\n", "shop", "profile_exists"),
        ("", "a b", "profile_name"),
        ("", "", "profile_name"),
        ("", "-x", "profile_name"),
        ("api_key = s3cret\n", "shop", "config_syntax"),
        ("profiles = 5\n", "shop", "config_value"),
    ] {
        let error = with_key(existing, &profile(name), false).err();
        assert!(!format!("{error:?}").contains("s3cret"));
        assert_eq!(error.map(|error| error.code).as_deref(), Some(code), "{existing}");
    }
}

#[test]
fn another_key_leaves_limits_comments_and_other_profiles_as_they_were() -> Result<()> {
    let existing = "# my desk\napi_key = \"old-top\" # mine\nmax_per_day = 9000\n\n\
                    [profiles.shop] # the first\n# of the shop\napi_key_command = \"pass shop\"\nmax_per_day = 500\n\n\
                    [profiles.desk]\napi_key = \"key-of-desk\"\n";
    let shop = with_key(existing, &profile("shop"), true)?;
    let renewed = "api_key = \"0123456789ab3f2a\"";
    assert_eq!(shop, existing.replace("api_key_command = \"pass shop\"", renewed));
    let top = with_key(existing, &inline("0123456789ab3f2a"), true)?;
    assert_eq!(top, existing.replace("api_key = \"old-top\"", renewed));
    let command = answers(InitialKey::Command("pass top".to_owned()));
    let text = with_key(existing, &command, true)?;
    assert!(
        text.starts_with("# my desk\napi_key_command = \"pass top\"\nmax_per_day = 9000\n\n[profiles.shop]"),
        "{text}"
    );
    Ok(())
}

#[test]
fn another_key_reaches_a_profile_however_it_is_headed() -> Result<()> {
    for existing in [
        "[profile.desk]\napi_key_file = \"key\"\nrate = 10\n",
        "profiles = { desk = { api_key_file = \"key\", rate = 10 } }\n",
        "profiles.desk.rate = 10\nprofiles.desk.api_key_file = \"key\"\n",
    ] {
        let text = with_key(existing, &profile("desk"), true)?;
        let scene = Scene::new().file(&text).profile("desk");
        assert_eq!(scene.row("api_key").0.as_deref(), Some("…3f2a"), "{text}");
        assert_eq!(scene.row("api_key_file").0, None, "{text}");
        assert_eq!(scene.row("rate").0.as_deref(), Some("10"), "{text}");
    }
    Ok(())
}
