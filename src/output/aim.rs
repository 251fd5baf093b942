//! Commands of ours in what is printed: each is aimed at the account and the ledger of the run that prints it. Hints and
//! notes are made in rooms that know no command line, so what was typed is put into them here, on the way out.

use std::borrow::Cow;

/// What opens a command of ours in a sentence.
const OPENING: &str = "`oneclick ";
const CLOSING: char = '`';
const PROGRAM: &str = "oneclick ";

/// The flags of this run that say which account and which ledger it means. What a variable or the file says is still
/// said when the next command is typed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Aim {
    /// Whether `--simulate` was typed.
    pub simulates: bool,
    /// What was typed behind `--profile`, as one word of the shell.
    pub profile: Option<String>,
    /// What was typed behind `--config`, as one word of the shell.
    pub config: Option<String>,
}

/// What a command of ours understands of an aim.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reach {
    /// It works on an account and a ledger.
    All,
    /// It works on the configuration, and the simulator has none.
    Configuration,
}

impl Reach {
    /// Of a command by its words behind the program's name; none where it is the same in every run, or no command of ours.
    fn of(words: &[String]) -> Option<Self> {
        let mut words = named(words);
        match words.next()? {
            "balance" | "plans" | "send" | "batch" | "ref" | "report" | "reconcile" => Some(Self::All),
            "config" => matches!(words.next()?, "show" | "check" | "path").then_some(Self::Configuration),
            _ => None,
        }
    }
}

/// The words that are no flags of the whole program, nor their values.
fn named(words: &[String]) -> impl Iterator<Item = &str> {
    let mut words = words.iter().map(String::as_str);
    std::iter::from_fn(move || {
        loop {
            match words.next()? {
                "--profile" | "--config" | "--output" | "-o" | "--color" => {
                    words.next()?;
                }
                flag if flag.starts_with('-') => {}
                word => return Some(word),
            }
        }
    })
}

impl Aim {
    /// A sentence of ours, its commands in backticks aimed.
    #[must_use]
    pub fn sentence<'a>(&self, text: &'a str) -> Cow<'a, str> {
        if *self == Self::default() || !text.contains(OPENING) {
            return Cow::Borrowed(text);
        }
        let mut aimed = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(place) = rest.find(OPENING) {
            let (before, command) = rest.split_at(place + CLOSING.len_utf8());
            let (command, after) = command.split_at(length(command));
            aimed += before;
            aimed += &self.command(command);
            rest = after;
        }
        aimed += rest;
        Cow::Owned(aimed)
    }

    /// A command of ours as it is pasted, aimed. A flag that it has stays as it is.
    #[must_use]
    pub fn command(&self, line: &str) -> String {
        let Some(behind) = line.strip_prefix(PROGRAM) else {
            return line.to_owned();
        };
        let flags = self.flags_for(&words_of(behind));
        format!("{PROGRAM}{flags}{behind}")
    }

    /// What a command of these words lacks, with a space behind each.
    fn flags_for(&self, words: &[String]) -> String {
        let Some(reach) = Reach::of(words) else {
            return String::new();
        };
        let lacks = |flag: &str| {
            let typed = words.iter().take_while(|word| *word != "--");
            !typed.into_iter().any(|word| {
                let value = word.strip_prefix(flag);
                value.is_some_and(|value| value.is_empty() || value.starts_with('='))
            })
        };
        let valued = |flag: &str, value: &Option<String>| {
            let value = value.as_ref().filter(|_| lacks(flag))?;
            // The shell takes quotes away, so a dash behind one is a dash that opens the value.
            let joint = if value.trim_start_matches('\'').starts_with('-') {
                '='
            } else {
                ' '
            };
            Some(format!("{flag}{joint}{value} "))
        };
        let simulates = self.simulates && reach == Reach::All && lacks("--simulate");
        [
            simulates.then(|| "--simulate ".to_owned()),
            valued("--profile", &self.profile),
            valued("--config", &self.config),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

/// How long the command is that `text` begins with: up to the first backtick that stands in no quotes.
fn length(text: &str) -> usize {
    let mut ends = text.match_indices(CLOSING).map(|(end, _)| end);
    let first = ends.clone().next().unwrap_or(text.len());
    ends.find(|end| {
        text.get(..*end)
            .is_some_and(|command| shlex::split(command).is_some())
    })
    .unwrap_or(first)
}

/// The words as a shell takes them; where quotes are open, as they stand.
fn words_of(line: &str) -> Vec<String> {
    shlex::split(line).unwrap_or_else(|| line.split_whitespace().map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn aim(simulates: bool, profile: Option<&str>, config: Option<&str>) -> Aim {
        Aim {
            simulates,
            profile: profile.map(str::to_owned),
            config: config.map(str::to_owned),
        }
    }

    fn all() -> Aim {
        aim(true, Some("b"), Some("'my file.toml'"))
    }

    #[test]
    fn every_command_of_a_sentence_is_aimed() {
        assert_eq!(
            all().sentence(
                "look at `oneclick plans --all`, then `oneclick ref check 'a b'`; `--limit 0` shows all"
            ),
            "look at `oneclick --simulate --profile b --config 'my file.toml' plans --all`, \
             then `oneclick --simulate --profile b --config 'my file.toml' ref check 'a b'`; `--limit 0` shows all"
        );
    }

    #[test]
    fn a_run_without_such_flags_changes_nothing() {
        let text = "look at `oneclick plans`";
        assert_eq!(Aim::default().sentence(text), text);
        assert_eq!(
            Aim::default().command("oneclick ref check a"),
            "oneclick ref check a"
        );
    }

    #[test]
    fn a_flag_that_stands_there_is_not_said_twice() {
        for (line, aimed) in [
            (
                "oneclick --simulate batch x.csv",
                "oneclick --profile b --config 'my file.toml' --simulate batch x.csv",
            ),
            (
                "oneclick batch x.csv --profile=b --config 'my file.toml'",
                "oneclick --simulate batch x.csv --profile=b --config 'my file.toml'",
            ),
            (
                "oneclick --profile b --config 'my file.toml' batch --simulate x.csv",
                "oneclick --profile b --config 'my file.toml' batch --simulate x.csv",
            ),
        ] {
            assert_eq!(all().command(line), aimed);
            assert_eq!(all().command(aimed), aimed, "aimed twice");
        }
    }

    #[test]
    fn a_command_is_known_behind_its_flags() {
        let aim = aim(true, None, None);
        for behind in [
            "--profile b plans",
            "--config x.toml -o json ref list",
            "--color never --quiet config show",
        ] {
            let line = format!("oneclick {behind}");
            let flag = if behind.contains("config show") {
                ""
            } else {
                "--simulate "
            };
            assert_eq!(aim.command(&line), format!("oneclick {flag}{behind}"));
        }
    }

    #[test]
    fn what_only_looks_like_a_flag_is_none() {
        let aim = aim(true, None, None);
        for behind in [
            "ref check -- --simulate",
            "ref check 'a --simulate b'",
            "ref list --simulated",
        ] {
            let line = format!("oneclick {behind}");
            assert_eq!(aim.command(&line), format!("oneclick --simulate {behind}"));
        }
    }

    #[test]
    fn commands_that_are_the_same_in_every_run_stay() {
        for behind in [
            "config init",
            "simulate --listen 127.0.0.1:0",
            "completions bash",
            "man send",
            "--help",
            "of another world",
        ] {
            let line = format!("oneclick {behind}");
            assert_eq!(all().command(&line), line);
        }
    }

    #[test]
    fn the_configuration_of_a_run_is_looked_at_without_the_simulator() {
        for behind in ["config show", "config check", "config path"] {
            assert_eq!(
                all().command(&format!("oneclick {behind}")),
                format!("oneclick --profile b --config 'my file.toml' {behind}")
            );
        }
    }

    #[test]
    fn what_is_no_command_of_ours_stays() {
        for text in [
            "run `chmod 600 config.toml`",
            "a fault of oneclick plans nobody has made",
            "`oneclicker plans` and `my oneclick plans`",
            "try `--simulate`",
        ] {
            assert_eq!(all().sentence(text), text);
            assert_eq!(all().command(text), text);
        }
    }

    #[test]
    fn a_backtick_in_quotes_ends_no_command() {
        let aim = aim(true, None, None);
        assert_eq!(
            aim.sentence("to go on: `oneclick batch 'a`b.csv' --simulate`, or `oneclick ref list`"),
            "to go on: `oneclick batch 'a`b.csv' --simulate`, or `oneclick --simulate ref list`"
        );
        assert_eq!(
            aim.sentence("`oneclick ref check it's` and the rest"),
            "`oneclick --simulate ref check it's` and the rest"
        );
        assert_eq!(aim.sentence("`oneclick plans"), "`oneclick --simulate plans");
    }

    #[test]
    fn a_value_that_begins_with_a_dash_is_no_flag() {
        for value in ["-odd.toml", "'-odd file.toml'"] {
            assert_eq!(
                aim(false, None, Some(value)).command("oneclick plans"),
                format!("oneclick --config={value} plans")
            );
        }
    }
}
