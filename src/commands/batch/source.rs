//! Where a sheet comes from: a file, or standard input, which is kept beside the ledger so that the batch can go on.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use super::Sending;
use crate::batch::sheet::{self, Sheet};
use crate::commands::session::Session;
use crate::domain::{Label, LabelError, shown};
use crate::error::{Error, Result};
use crate::ledger::true_path;

/// Where the sheet is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A file.
    File(PathBuf),
    /// Standard input.
    Stdin,
}

/// The most that is taken from standard input: thirty million rows.
const STDIN_BYTES_MAX: u64 = 1 << 30;
/// The label of what comes from standard input.
const STDIN_LABEL: &str = "stdin";

/// What a name for the results means for the file beside them.
const RETRY_LEADS: &str = "puts the rows that are to be mended over";

/// A sheet in a file, whatever it came from.
pub(super) struct SheetFile {
    /// The file that is read.
    pub path: PathBuf,
    /// What people call it.
    pub shown: String,
    /// The batch's name.
    pub label: Label,
    /// Where results go.
    pub results: PathBuf,
    /// Where the rows go that are to be mended.
    pub retry: PathBuf,
    /// Where what came from standard input is kept once it is planned.
    keep: Option<PathBuf>,
    /// What came from there, with the lock that tells other processes that it is in use.
    _draft: Option<(Draft, File)>,
}

/// What came from standard input, until this is dropped.
struct Draft(PathBuf);

impl Drop for Draft {
    fn drop(&mut self) {
        // A draft that stays is written over by the next process of this number.
        let _ = fs::remove_file(&self.0);
    }
}

impl Source {
    /// Brings the sheet into a file and names its batch.
    pub(super) async fn prepare(&self, session: &Session, sending: &Sending) -> Result<SheetFile> {
        match self {
            Self::File(path) => of_file(path, sending),
            Self::Stdin => of_stdin(session, sending).await,
        }
        .and_then(|file| {
            for (path, leads) in [(&file.results, "names"), (&file.retry, RETRY_LEADS)] {
                refuse_what_is_kept(session, path, leads)?;
            }
            Ok(file)
        })
    }
}

/// Results never go where the ledger and what belongs to it stand, nor over the configuration. What `--results` does to
/// the path is said in the words of `leads`.
fn refuse_what_is_kept(session: &Session, path: &Path, leads: &str) -> Result<()> {
    let (ledger, config) = (&session.config.ledger.value, &session.config.path);
    let name = ledger.file_name().unwrap_or_default().as_encoded_bytes();
    let begins_like_it = path
        .file_name()
        .is_some_and(|path| path.as_encoded_bytes().starts_with(name));
    let is_beside_it = matches!(
        (directory_of(path), directory_of(ledger)),
        (Some(one), Some(other)) if one == other
    );
    if (begins_like_it && is_beside_it) || is_same_file(path, config) || is_same_file(path, ledger) {
        let message = format!(
            "`--results` {leads} a file of the ledger or the configuration, `{}`; nothing was sent",
            path.display()
        );
        return Err(Error::usage("results_are_kept", message).hint("name another file"));
    }
    Ok(())
}

/// Neither results nor the rows to be mended go over the sheet that they come from.
fn refuse_the_sheet(sheet: &Path, results: &Path, retry: &Path) -> Result<()> {
    let refused = |leads: &str| {
        let message = format!("`--results` {leads} the sheet itself; nothing was sent");
        Error::usage("results_are_the_sheet", message).hint("name another file")
    };
    if is_same_file(results, sheet) {
        return Err(refused("names"));
    }
    if is_same_file(retry, sheet) {
        return Err(refused(RETRY_LEADS));
    }
    Ok(())
}

/// `november.retry.csv` beside `november.results.csv`.
fn retry_of(results: &Path) -> PathBuf {
    let name = results.file_name().unwrap_or_default().to_string_lossy();
    let stem = name
        .strip_suffix(".results.csv")
        .or_else(|| name.strip_suffix(".csv"))
        .unwrap_or(&name);
    results.with_file_name(format!("{stem}.retry.csv"))
}

fn directory_of(path: &Path) -> Option<PathBuf> {
    let path = std::path::absolute(path).ok()?;
    fs::canonicalize(path.parent()?).ok()
}

fn of_file(path: &Path, sending: &Sending) -> Result<SheetFile> {
    let stem = path
        .file_stem()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    let label = match &sending.label {
        Some(label) => label.clone(),
        None => stem.parse().map_err(|error: LabelError| {
            Error::usage("label", format!("the file's name gives no label: {error}"))
                .hint("give the batch a name with `--label`")
        })?,
    };
    let results = match &sending.results {
        Some(results) => results.clone(),
        None => path.with_file_name(format!("{stem}.results.csv")),
    };
    let retry = retry_of(&results);
    refuse_the_sheet(path, &results, &retry)?;
    Ok(SheetFile {
        path: path.to_owned(),
        shown: path.display().to_string(),
        label,
        results,
        retry,
        keep: None,
        _draft: None,
    })
}

fn is_same_file(one: &Path, other: &Path) -> bool {
    matches!((fs::canonicalize(one), fs::canonicalize(other)), (Ok(one), Ok(other)) if one == other)
}

async fn of_stdin(session: &Session, sending: &Sending) -> Result<SheetFile> {
    let failed = |path: &Path, error: io::Error| {
        Error::usage(
            "stdin_unkept",
            format!(
                "what comes from standard input can't be kept in `{}`",
                path.display()
            ),
        )
        .because(error)
        .hint("put the sheet into a file, and name that")
    };
    let label = match &sending.label {
        Some(label) => label.clone(),
        None => STDIN_LABEL
            .parse()
            .map_err(|error: LabelError| Error::internal(error.to_string()))?,
    };
    let ledger = true_path(&session.config.ledger.value);
    let mut name = ledger.file_name().unwrap_or_default().to_owned();
    name.push(".sheets");
    let directory = ledger.with_file_name(name);
    crate::config::private_directory(&directory).map_err(|error| failed(&directory, error))?;
    sweep_away_drafts(&directory);
    let draft = Draft(directory.join(format!("stdin-{}.part", std::process::id())));
    let results = sending
        .results
        .clone()
        .unwrap_or_else(|| PathBuf::from(format!("{}.results.csv", file_name_of(&label))));
    let keep = directory.join(format!("{}.csv", file_name_of(&label)));
    let path = draft.0.clone();
    let spooled = session.read(move || spool(&path)).await?;
    let lock = spooled.map_err(|error| failed(&draft.0, error))?;
    Ok(SheetFile {
        path: draft.0.clone(),
        shown: "standard input".to_owned(),
        label,
        retry: retry_of(&results),
        results,
        keep: Some(keep),
        _draft: Some((draft, lock)),
    })
}

/// Drafts that a killed process has left.
fn sweep_away_drafts(directory: &Path) {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    for path in entries.map(|entry| entry.path()) {
        let is_draft = path.extension().is_some_and(|extension| extension == "part");
        // One that is locked is in use; one that can't be removed is in nobody's way.
        if is_draft && File::open(&path).is_ok_and(|file| file.try_lock().is_ok()) {
            let _ = fs::remove_file(&path);
        }
    }
}

/// Standard input into a private file, as it comes. The file is locked while it is in use.
fn spool(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.lock()?;
    let copied = io::copy(&mut io::stdin().lock().take(STDIN_BYTES_MAX + 1), &mut file)?;
    if copied > STDIN_BYTES_MAX {
        let why = format!("it is longer than {STDIN_BYTES_MAX} bytes");
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, why));
    }
    file.flush()?;
    file.sync_all()?;
    Ok(file)
}

/// A label as the name of a file.
fn file_name_of(label: &Label) -> String {
    let plain = |character: char| {
        if character.is_alphanumeric() || "-_. ".contains(character) {
            character
        } else {
            '_'
        }
    };
    label.as_str().chars().map(plain).collect()
}

impl SheetFile {
    /// Learns what the sheet is.
    pub fn open(&self) -> Result<Sheet> {
        sheet::open(&self.path).map_err(|error| {
            let mut error = Error::from(error);
            if self.is_stdin() {
                // The file that it is kept in is ours.
                let path = format!("`{}`", shown(&self.path.display().to_string()));
                error.message = error.message.replace(&path, &self.shown);
            }
            error
        })
    }

    /// Whether the sheet came from standard input.
    pub fn is_stdin(&self) -> bool {
        self.keep.is_some()
    }

    /// The file that the batch goes on with, kept from now on.
    pub fn kept(&self) -> Result<String> {
        if let Some(keep) = &self.keep {
            // A copy and not a move: the draft is still read.
            fs::copy(&self.path, keep)
                .and_then(|_| File::open(keep)?.sync_all())
                .map_err(|error| {
                    Error::usage(
                        "stdin_unkept",
                        format!("the sheet can't be kept in `{}`", keep.display()),
                    )
                    .because(error)
                    .hint("put the sheet into a file, and name that")
                })?;
        }
        Ok(self.resumed_from().display().to_string())
    }

    /// The file that the batch goes on with.
    pub fn resumed_from(&self) -> &Path {
        self.keep.as_deref().unwrap_or(&self.path)
    }
}
