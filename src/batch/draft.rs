//! A file that grows line by line and is whole at every instant.
//!
//! It begins beside the file that it will replace, under a name of its own. Until it is published the old file
//! stands untouched; publishing puts the new one in its place at a stroke. From then on each line is one write: a
//! crash cuts the last line at worst, and a write that fails is taken back.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How much is gathered before it is written, as long as nobody can see the file.
const GATHERED_BYTES_MAX: usize = 64 * 1024;

/// How long a draft is in use at most.
const DRAFT_AGE_MAX: Duration = Duration::from_hours(1);

/// The file, unseen or published.
pub(super) struct Draft {
    /// Where it will stand, as the caller wrote it: what messages name.
    path: PathBuf,
    /// The same behind its symbolic links, so that a link stays a link.
    target: PathBuf,
    /// Its own name until it is published.
    hidden: Option<PathBuf>,
    file: File,
    gathered: Vec<u8>,
    /// The length of all that was written whole.
    length: u64,
}

impl Draft {
    /// Begins a file with `head`. What stands at `path` stays; it must be a plain file, if there is one.
    pub(super) fn begin(path: &Path, head: &[u8]) -> io::Result<Self> {
        let begun = fs::canonicalize(path).or_else(|_| Ok(path.to_owned()));
        let begun = begun.and_then(|target| {
            check_target(&target)?;
            sweep_away_old(&directory_of(&target));
            let hidden = directory_of(&target).join(format!(".oneclick-{:016x}.csv", fastrand::u64(..)));
            Ok((create_private(&hidden)?, hidden, target))
        });
        let (file, hidden, target) = begun.map_err(|error| about(path, &error))?;
        Ok(Self {
            path: path.to_owned(),
            target,
            hidden: Some(hidden),
            file,
            gathered: head.to_vec(),
            length: 0,
        })
    }

    /// Adds a line, its end included. Once published it is written at once; one that can't be is written with the
    /// next.
    pub(super) fn add(&mut self, line: &[u8]) -> io::Result<()> {
        self.gathered.extend_from_slice(line);
        if self.is_published() || self.gathered.len() > GATHERED_BYTES_MAX {
            self.write_gathered()?;
        }
        Ok(())
    }

    /// Puts the file in its place, durably. A second time does nothing.
    pub(super) fn publish(&mut self) -> io::Result<()> {
        let Some(hidden) = self.hidden.clone() else {
            return Ok(());
        };
        self.write_gathered()?;
        let moved = self
            .file
            .sync_all()
            .and_then(|()| fs::rename(&hidden, &self.target));
        moved.map_err(|error| about(&self.path, &error))?;
        self.hidden = None;
        sync_directory(&self.target).map_err(|error| about(&self.path, &error))
    }

    /// Whether it stands under its name.
    pub(super) fn is_published(&self) -> bool {
        self.hidden.is_none()
    }

    /// Where it stands or will stand.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Removes what an earlier run left in its place.
    pub(super) fn remove_old(&self) -> io::Result<()> {
        match fs::remove_file(&self.target) {
            Ok(()) => sync_directory(&self.target).map_err(|error| about(&self.path, &error)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            Err(error) => Err(about(&self.path, &error)),
        }
    }

    /// Makes all that was written durable. What was never published goes away.
    pub(super) fn finish(mut self) -> io::Result<()> {
        if self.is_published() {
            self.write_gathered()?;
            self.file.sync_all().map_err(|error| about(&self.path, &error))
        } else {
            Ok(())
        }
    }

    /// Writes what was gathered, whole or not at all. What could not be written stays for the next time.
    fn write_gathered(&mut self) -> io::Result<()> {
        if let Err(error) = self.file.write_all(&self.gathered) {
            self.take_back();
            return Err(about(&self.path, &error));
        }
        self.length += self.gathered.len() as u64;
        self.gathered.clear();
        Ok(())
    }

    /// Cuts off what a failed write has left of its line. If that fails too, the first failure is the one to tell.
    fn take_back(&self) {
        let _ = self.file.set_len(self.length);
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if let Some(hidden) = &self.hidden {
            // A draft that can't be removed is private and hidden, and nobody is left to tell.
            let _ = fs::remove_file(hidden);
        }
    }
}

/// Drafts that a killed process has left: nobody needs an hour to publish one.
fn sweep_away_old(directory: &Path) {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    for entry in entries {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let is_draft = name.starts_with(".oneclick-") && name.ends_with(".csv");
        let age = || entry.metadata().ok()?.modified().ok()?.elapsed().ok();
        if is_draft && age().is_some_and(|age| age > DRAFT_AGE_MAX) {
            // One that can't be removed is in nobody's way.
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// A device or a directory must never be replaced by a file.
fn check_target(target: &Path) -> io::Result<()> {
    match fs::metadata(target) {
        Ok(found) if found.is_dir() => Err(ErrorKind::IsADirectory.into()),
        Ok(found) if !found.is_file() => Err(io::Error::new(
            ErrorKind::InvalidInput,
            "it is a device or a pipe",
        )),
        _ if target.file_name().is_none() => Err(io::Error::new(ErrorKind::InvalidInput, "it names no file")),
        _ => Ok(()),
    }
}

fn directory_of(target: &Path) -> PathBuf {
    match target.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// Opened for appending: after a line that was taken back the next one stands at the new end.
fn create_private(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.append(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// The name of a renamed file is durable only once its directory is.
fn sync_directory(target: &Path) -> io::Result<()> {
    if cfg!(unix) {
        File::open(directory_of(target))?.sync_all()
    } else {
        Ok(())
    }
}

/// The same failure, saying which file.
fn about(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("can't write {}: {error}", path.display()))
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    fn content(path: &Path) -> String {
        fs::read_to_string(path).unwrap_or_default()
    }

    fn names(directory: &Path) -> usize {
        fs::read_dir(directory).map(Iterator::count).unwrap_or_default()
    }

    #[test]
    fn the_old_file_stands_until_the_new_one_takes_its_place() -> io::Result<()> {
        let home = tempfile::tempdir()?;
        let path = home.path().join("november.results.csv");
        fs::write(&path, "old")?;
        fs::set_permissions(&path, PermissionsExt::from_mode(0o644))?;
        let mut draft = Draft::begin(&path, b"head\n")?;
        draft.add(b"one\n")?;
        assert_eq!(content(&path), "old");
        draft.publish()?;
        assert_eq!(content(&path), "head\none\n");
        draft.add(b"two\n")?;
        assert_eq!(content(&path), "head\none\ntwo\n", "each line is there at once");
        draft.publish()?;
        draft.finish()?;
        assert_eq!(fs::metadata(&path)?.permissions().mode() & 0o777, 0o600);
        assert_eq!(names(home.path()), 1);
        Ok(())
    }

    #[test]
    fn a_draft_is_private_and_goes_when_it_is_dropped() -> io::Result<()> {
        let home = tempfile::tempdir()?;
        let path = home.path().join("r.csv");
        fs::write(&path, "old")?;
        let mut draft = Draft::begin(&path, b"head\n")?;
        draft.add(&vec![b'x'; GATHERED_BYTES_MAX])?;
        let hidden = draft.hidden.clone().unwrap_or_default();
        let metadata = fs::metadata(&hidden)?;
        assert_eq!(metadata.permissions().mode() & 0o777, 0o600);
        assert!(metadata.len() > GATHERED_BYTES_MAX as u64, "memory does not grow");
        drop(draft);
        assert_eq!((content(&path).as_str(), names(home.path())), ("old", 1));
        Ok(())
    }

    #[test]
    fn half_a_line_is_taken_back() -> io::Result<()> {
        let home = tempfile::tempdir()?;
        let path = home.path().join("r.csv");
        let mut draft = Draft::begin(&path, b"head\n")?;
        draft.publish()?;
        draft.file.write_all(b"half a li")?;
        draft.take_back();
        draft.add(b"whole\n")?;
        assert_eq!(content(&path), "head\nwhole\n");
        Ok(())
    }

    #[test]
    fn a_failure_names_the_file_and_keeps_its_kind() -> io::Result<()> {
        let home = tempfile::tempdir()?;
        let path = home.path().join("gone/r.csv");
        let error = Draft::begin(&path, b"").err();
        let told = error.map(|error| (error.kind(), error.to_string().contains("gone/r.csv")));
        assert_eq!(told, Some((ErrorKind::NotFound, true)));
        let error = Draft::begin(home.path(), b"").err();
        assert_eq!(error.map(|error| error.kind()), Some(ErrorKind::IsADirectory));
        let mut draft = Draft::begin(&home.path().join("r.csv"), b"head\n")?;
        draft.publish()?;
        let writable = std::mem::replace(&mut draft.file, File::open(&draft.target)?);
        let error = draft.add(b"one\n").err().map(|error| error.to_string());
        assert!(error.is_some_and(|error| error.contains("r.csv")));
        draft.file = writable;
        draft.add(b"two\n")?;
        assert_eq!(content(&draft.target), "head\none\ntwo\n", "nothing is lost");
        Ok(())
    }

    #[test]
    fn a_device_is_never_replaced_and_a_link_stays_a_link() -> io::Result<()> {
        let home = tempfile::tempdir()?;
        let (target, link) = (home.path().join("real.csv"), home.path().join("link.csv"));
        symlink("/dev/null", home.path().join("null.csv"))?;
        let error = Draft::begin(&home.path().join("null.csv"), b"").err();
        assert_eq!(error.map(|error| error.kind()), Some(ErrorKind::InvalidInput));
        fs::write(&target, "old")?;
        symlink(&target, &link)?;
        Draft::begin(&link, b"new\n")?.publish()?;
        assert_eq!(content(&target), "new\n");
        assert!(link.is_symlink());
        Ok(())
    }
}
