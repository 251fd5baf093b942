//! The API key: which source decides, how it is fetched, what is refused, and that it is never shown.

use secrecy::ExposeSecret;

use super::{Scene, said};
use crate::error::Kind;

const FILE: &str = "~/.config/oneclick/config.toml";

fn key(scene: &Scene) -> String {
    match scene.load().api_key(&scene.env()) {
        Ok(key) => key.expose_secret().to_owned(),
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn each_source_hides_those_below_it() {
    let top = "api_key = \"top-inline\"\n";
    let scene = Scene::new()
        .other_file("key", b"from-file\n")
        .other_file("key2", b"from-file-2\n");
    let scene = scene.file(top);
    assert_eq!(key(&scene), "top-inline");
    let top = format!("{top}api_key_file = \"~/key\"\n");
    let scene = scene.file(&top);
    assert_eq!(key(&scene), "from-file");
    let top = format!("{top}api_key_command = \"echo top-command\"\n");
    let scene = scene.file(&top);
    assert_eq!(key(&scene), "top-command");
    let scene = scene
        .file(&format!("{top}[profiles.shop]\napi_key = \"shop-inline\"\n"))
        .profile("shop");
    assert_eq!(key(&scene), "shop-inline");
    let path = scene.at("key2").display().to_string();
    let scene = scene.var("ONECLICKDZ_API_KEY_FILE", &path);
    assert_eq!(key(&scene), "from-file-2");
    let scene = scene.var("ONECLICKDZ_API_KEY_COMMAND", "echo variable-command");
    assert_eq!(key(&scene), "variable-command");
    let scene = scene.var("ONECLICKDZ_API_KEY", "variable");
    assert_eq!(key(&scene), "variable");
}

#[test]
fn a_key_file_of_the_configuration_may_lie_beside_it() {
    let scene = Scene::new()
        .other_file(".config/oneclick/keys/shop", b"  beside\r\n\n")
        .file("api_key_file = \"keys/shop\"\n");
    assert_eq!(key(&scene), "beside");
}

#[test]
fn no_key_at_all_is_told_with_three_ways_out() {
    let scene = Scene::new();
    let error = scene.key_refusal();
    assert_eq!((error.kind, error.exit_code().number()), (Kind::Auth, 4));
    assert_eq!(
        scene.told(&error),
        "key_missing: there is no API key\n\
         hint: `oneclick config init` asks for it and keeps it in a private file\n\
         hint: or set `ONECLICKDZ_API_KEY`\n\
         hint: or try the command without a key: `--simulate`"
    );
}

#[test]
fn a_malformed_key_is_refused_and_not_shown() {
    for (text, code) in [
        ("s3cret s3cret", "key_malformed"),
        ("s3cret\\ts3cret", "key_malformed"),
        ("s3cret\\u0000", "key_malformed"),
        ("s3crét", "key_malformed"),
        ("s3cret\\u200b", "key_malformed"),
        ("", "key_empty"),
        ("  ", "key_empty"),
    ] {
        let scene = Scene::new().file(&format!("api_key = \"{text}\"\n"));
        let error = scene.key_refusal();
        assert_eq!((error.kind, error.code.as_str()), (Kind::Auth, code), "{text}");
        assert!(!format!("{error:?}").contains("s3cr"), "{error:?}");
    }
    let scene = Scene::new().var("ONECLICKDZ_API_KEY", "s3cret s3cret");
    assert_eq!(
        scene.told(&scene.key_refusal()),
        "key_malformed: the API key from variable `ONECLICKDZ_API_KEY` holds a space or another character that no key has\n\
         hint: copy the key again from the dashboard; it stands alone on one line"
    );
}

#[test]
fn a_key_file_is_read_only_when_it_is_private_and_holds_a_key() {
    let scene = Scene::new().file("api_key_file = \"~/key\"\n");
    let error = scene.key_refusal();
    assert_eq!(
        scene.told(&error),
        "key_file_unreadable: can't read the API key from ~/key"
    );
    assert_eq!((error.kind, error.causes().len()), (Kind::Auth, 1));
    for (content, code) in [
        (&b""[..], "key_empty"),
        (b"\n", "key_empty"),
        (b"two\nlines\n", "key_malformed"),
        (b"\xff\xfe", "key_malformed"),
        (&[b'a'; 5000], "key_malformed"),
    ] {
        let scene = Scene::new()
            .file("api_key_file = \"~/key\"\n")
            .other_file("key", content);
        assert_eq!(scene.key_refusal().code, code);
    }
}

#[cfg(unix)]
#[test]
fn a_key_that_others_can_read_is_refused_with_the_command_that_mends_it() {
    for mode in [0o640, 0o604, 0o644, 0o660] {
        let scene = Scene::new()
            .file("api_key_file = \"~/key\"\n")
            .other_file("key", b"abc\n");
        let path = scene.at("key");
        let scene = scene.mode(&path, mode);
        let error = scene.key_refusal();
        assert_eq!(error.kind, Kind::Auth);
        assert_eq!(
            scene.told(&error),
            "key_file_permissions: ~/key holds the API key and others can read it\nhint: run `chmod 600 ~/key`"
        );
    }
    for file in ["api_key = \"abc\"\n", "[profiles.shop]\napi_key = \"abc\"\n"] {
        let scene = Scene::new().file(file);
        let path = scene.path();
        let scene = scene.mode(&path, 0o644);
        let error = scene.refusal();
        assert_eq!(error.kind, Kind::Auth);
        assert_eq!(
            scene.told(&error),
            format!(
                "config_permissions: {FILE} holds an API key and others can read it\nhint: run `chmod 600 {FILE}`"
            )
        );
        assert!(scene.mode(&path, 0o400).try_load().is_ok());
    }
}

#[cfg(unix)]
#[test]
fn a_file_without_a_key_may_be_read_by_others() {
    let scene = Scene::new().file("rate = 5\napi_key_command = \"echo abc\"\n");
    let path = scene.path();
    assert!(scene.mode(&path, 0o644).try_load().is_ok());
}

#[test]
fn a_command_is_told_by_its_first_word() {
    let scene = Scene::new().file("api_key_command = \"echo s3cret s3cret\"\n");
    let error = scene.key_refusal();
    assert_eq!(error.code, "key_malformed");
    assert!(
        error.message.contains("`api_key_command` (`echo …`)"),
        "{}",
        error.message
    );
    assert!(!format!("{error:?}").contains("s3cret"));
}

#[test]
fn the_rows_show_the_last_4_characters_at_most() {
    for (text, shown) in [
        ("0123456789ab3f2a", "…3f2a"),
        ("01234567890a", "…890a"),
        ("01234567890", "…"),
        ("", "…"),
        ("0123456789ab3f é", "…"),
    ] {
        let scene = Scene::new().file(&format!("api_key = \"{text}\"\n"));
        assert_eq!(scene.row("api_key"), said(shown, FILE), "{text}");
    }
    let scene = Scene::new().var("ONECLICKDZ_API_KEY", "0123456789ab3f2a");
    assert_eq!(
        scene.row("api_key"),
        said("…3f2a", "variable `ONECLICKDZ_API_KEY`")
    );
}

#[test]
fn the_rows_tell_which_source_decides() {
    let scene = Scene::new().file("api_key = \"0123456789ab3f2a\"\napi_key_command = \"pass show s3cret\"\n");
    assert_eq!(scene.row("api_key_command"), said("pass …", FILE));
    let not_used = (None, "not used: `api_key_command` decides".to_owned());
    assert_eq!(scene.row("api_key"), not_used);
    assert_eq!(scene.row("api_key_file"), not_used);
    let scene = Scene::new().file("api_key_file = \"~/key\"\n");
    assert_eq!(scene.row("api_key_file"), said("~/key", FILE));
}

#[test]
fn the_key_is_not_printed_while_debugging() {
    let scene = Scene::new().file("api_key = \"s3cret-s3cret-s3cret\"\n");
    assert!(!format!("{:?}", scene.load()).contains("s3cret-s3cret"));
}

#[test]
fn a_key_of_the_wrong_type_is_not_shown() {
    let scene = Scene::new().file("api_key = 12345678\n");
    assert_eq!(
        scene.told(&scene.refusal()),
        format!(
            "config_value: `api_key` is the integer in {FILE}, line 1, column 11; expected the key in quotes"
        )
    );
}
