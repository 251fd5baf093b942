//! `api_key_command`: a password manager prints the key, and nobody else sees it.

use std::io::Read;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use secrecy::{ExposeSecret, SecretString};

use super::secret::{KEY_BYTES_MAX, auth, malformed, secret_text};
use crate::error::{Error, Result};

/// How long a command may take; long enough to type a passphrase into an agent's window.
pub(super) const TIME_MAX: Duration = Duration::from_secs(10);

/// How often to look whether a command that closed its output has ended.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// Runs the command in the platform's shell: its output is the key, its complaints go to the terminal.
///
/// It reads nothing from the standard input: that may be a sheet of top-ups.
pub(super) fn run(command: &str, time_max: Duration) -> Result<SecretString> {
    let failed = |what: String| failure(command, &what);
    let mut child = shell(command)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .map_err(|error| failed("could not be started".to_owned()).because(error))?;
    let deadline = Instant::now() + time_max;
    let ended = output(&mut child, time_max).and_then(|output| Some((output, wait(&mut child, deadline)?)));
    let Some((output, status)) = ended else {
        // It may have ended by itself meanwhile; all that matters is that it is gone.
        let _ = child.kill();
        let _ = child.wait();
        let seconds = time_max.as_secs();
        return Err(auth(
            "key_command_timeout",
            format!("{} took more than {seconds} s and was stopped", named(command)),
        ));
    };
    if !status.success() {
        return Err(failed(format!("failed ({status})")));
    }
    let text = secret_text(output).ok_or_else(|| malformed(&named(command)))?;
    let key = without_newline(text.expose_secret());
    if key.is_empty() {
        return Err(failed("printed nothing".to_owned()));
    }
    Ok(SecretString::from(key))
}

fn failure(command: &str, what: &str) -> Error {
    auth("key_command_failed", format!("{} {what}", named(command)))
        .hint("run the command by hand; it must print the key alone")
}

#[cfg(not(windows))]
fn shell(command: &str) -> Command {
    let mut shell = Command::new("sh");
    shell.arg("-c").arg(command);
    shell
}

#[cfg(windows)]
fn shell(command: &str) -> Command {
    let mut shell = Command::new("cmd");
    shell.arg("/C").arg(command);
    shell
}

/// What the command prints until it closes its output; nothing when that takes too long. A thread reads, since
/// something that the command left behind may keep the pipe open for ever.
fn output(child: &mut Child, time_max: Duration) -> Option<Vec<u8>> {
    let pipe = child.stdout.take()?;
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if pipe.take(KEY_BYTES_MAX + 1).read_to_end(&mut bytes).is_ok() {
            // The other end has gone when the time was up.
            let _ = sender.send(bytes);
        }
    });
    receiver.recv_timeout(time_max).ok()
}

fn wait(child: &mut Child, deadline: Instant) -> Option<ExitStatus> {
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Some(status),
            Ok(None) if Instant::now() < deadline => thread::sleep(LOOK_EVERY),
            Ok(None) | Err(_) => return None,
        }
    }
}

fn without_newline(text: &str) -> &str {
    let line = text.strip_suffix('\n').unwrap_or(text);
    line.strip_suffix('\r').unwrap_or(line)
}

/// The command in a sentence.
pub(super) fn named(command: &str) -> String {
    format!("`api_key_command` (`{}`)", shortened(command))
}

/// The command by its first word: the others may hold the key.
pub(super) fn shortened(command: &str) -> String {
    let mut words = command.split_whitespace();
    match (words.next(), words.next()) {
        (Some(first), _) if first.contains(['=', '$', '<', '|', ';', '&']) => "…".to_owned(),
        (Some(first), None) => first.escape_debug().to_string(),
        (Some(first), Some(_)) => format!("{} …", first.escape_debug()),
        (None, _) => String::new(),
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    const SHORT: Duration = Duration::from_millis(300);

    fn key(command: &str) -> Result<String> {
        run(command, TIME_MAX).map(|key| key.expose_secret().to_owned())
    }

    fn refusal(command: &str) -> (String, String) {
        match key(command) {
            Ok(key) => panic!("{command} gave {key}"),
            Err(error) => (error.code, error.message),
        }
    }

    #[test]
    fn the_key_is_the_output_without_one_newline() -> Result<()> {
        assert_eq!(key("printf 'abc'")?, "abc");
        assert_eq!(key("printf 'abc\\n'")?, "abc");
        assert_eq!(key("printf 'abc\\r\\n'")?, "abc");
        assert_eq!(key("printf 'abc\\n\\n'")?, "abc\n");
        assert_eq!(key("printf a; printf b | tr b c")?, "ac");
        Ok(())
    }

    #[test]
    fn a_failing_command_is_named_but_neither_its_output_nor_its_words_are_told() {
        let (code, message) = refusal("echo s3cret-key; exit 3");
        assert_eq!(code, "key_command_failed");
        assert_eq!(message, "`api_key_command` (`echo …`) failed (exit status: 3)");
        assert_eq!(refusal("true").1, "`api_key_command` (`true`) printed nothing");
        assert_eq!(refusal("echo").1, "`api_key_command` (`echo`) printed nothing");
        assert!(
            refusal("no-such-command-here 2>/dev/null")
                .1
                .contains("exit status: 127")
        );
    }

    #[test]
    fn too_much_output_is_no_key() {
        assert_eq!(refusal("head -c 5000 /dev/zero | tr '\\0' a").0, "key_malformed");
        assert_eq!(refusal("printf '\\377\\376'").0, "key_malformed");
    }

    #[test]
    fn a_command_that_hangs_is_stopped() {
        let started = Instant::now();
        for command in [
            "sleep 20",
            "echo early; sleep 20",
            "exec >&-; sleep 20",
            "sleep 20 | cat",
        ] {
            let error = run(command, SHORT).err();
            assert_eq!(
                error.map(|error| error.code).as_deref(),
                Some("key_command_timeout"),
                "{command}"
            );
        }
        assert!(started.elapsed() < Duration::from_secs(10));
    }

    #[test]
    fn it_does_not_eat_the_standard_input() -> Result<()> {
        assert_eq!(key("cat; echo abc")?, "abc");
        Ok(())
    }

    #[test]
    fn only_the_first_word_is_shown() {
        for (command, told) in [
            ("pass show oneclick", "pass …"),
            ("/opt/key.sh", "/opt/key.sh"),
            ("KEY=s3cret env", "…"),
            ("cat<<<s3cret", "…"),
            ("  echo   s3cret", "echo …"),
        ] {
            assert_eq!(shortened(command), told);
        }
    }
}
