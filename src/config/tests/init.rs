//! What `config init` writes is read back by the loader, and edited files stay as they were.

use secrecy::{ExposeSecret, SecretString};

use super::super::{Initial, InitialKey, add_profile, initial_file, write_private};
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
    let text = add_profile(existing, "desk", &inline("0123456789ab3f2a"))?;
    assert_eq!(
        text,
        format!("{existing}\n[profiles.desk]\napi_key = \"0123456789ab3f2a\"\n")
    );
    let text = add_profile("# only a word\n", "desk", &inline("0123456789ab3f2a"))?;
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
        let text = add_profile(existing, "desk", &inline("0123456789ab3f2a"))?;
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
        let error = add_profile(existing, name, &inline("0123456789ab3f2a")).err();
        assert!(!format!("{error:?}").contains("s3cret"));
        assert_eq!(error.map(|error| error.code).as_deref(), Some(code), "{existing}");
    }
}
