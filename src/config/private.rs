//! Files that only their owner may read: the check, the hint that mends it, and the writing.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// Whether anyone but the owner can read, write or run the file.
#[cfg(unix)]
pub(super) fn others_can_read(metadata: &Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt;
    metadata.permissions().mode() & 0o077 != 0
}

/// Elsewhere the directory of the user protects the file.
#[cfg(not(unix))]
pub(super) fn others_can_read(_metadata: &Metadata) -> bool {
    false
}

/// The command that takes a file from the others, ready to paste.
pub(super) fn chmod_hint(path: &Path) -> String {
    format!("run `chmod 600 {}`", shell_word(&path.to_string_lossy()))
}

/// A text as one word of the shell; quoted only where it must be.
pub fn shell_word(text: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "/._-+,:@%=".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

/// Writes a file that only its owner can read (0600), whole or not at all, making its directories (0700).
///
/// An existing file is replaced only when `overwrite` says so; behind a symbolic link it is the link's target.
/// Errors are of kind usage: `file_exists`, `file_unwritable`.
pub fn write_private(path: &Path, text: &str, overwrite: bool) -> Result<()> {
    if !overwrite && path.symlink_metadata().is_ok() {
        let message = format!("{} exists already", path.display());
        return Err(Error::usage("file_exists", message));
    }
    let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    replace(&target, text).map_err(|error| {
        let message = format!("can't write {}", path.display());
        Error::usage("file_unwritable", message).because(error)
    })
}

fn replace(target: &Path, text: &str) -> io::Result<()> {
    let directory = match target.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    };
    private_directory(&directory)?;
    let name = target.file_name().ok_or(ErrorKind::InvalidInput)?;
    let draft = directory.join(format!(".{}.{:08x}", name.to_string_lossy(), fastrand::u32(..)));
    let written = write_new(&draft, text).and_then(|()| fs::rename(&draft, target));
    if written.is_err() {
        // The first failure is the one to tell; a draft that can't be removed either adds nothing.
        let _ = fs::remove_file(&draft);
    }
    written?;
    sync_directory(&directory)
}

fn write_new(path: &Path, text: &str) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

/// Makes a directory that only its owner can enter, with all those above it.
pub fn private_directory(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// The name of a renamed file is durable only once its directory is.
fn sync_directory(path: &Path) -> io::Result<()> {
    if cfg!(unix) {
        File::open(path)?.sync_all()
    } else {
        Ok(())
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    fn directory() -> tempfile::TempDir {
        tempfile::tempdir().unwrap_or_else(|error| panic!("{error}"))
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path)
            .unwrap_or_else(|error| panic!("{error}"))
            .permissions()
            .mode()
            & 0o777
    }

    fn content(path: &Path) -> String {
        fs::read_to_string(path).unwrap_or_else(|error| panic!("{error}"))
    }

    #[test]
    fn a_new_file_and_its_directories_are_private() -> Result<()> {
        let home = directory();
        let path = home.path().join("a/b/config.toml");
        write_private(&path, "rate = 1\n", false)?;
        assert_eq!(content(&path), "rate = 1\n");
        assert_eq!(mode(&path), 0o600);
        assert_eq!(mode(&home.path().join("a")), 0o700);
        assert_eq!(mode(&home.path().join("a/b")), 0o700);
        Ok(())
    }

    #[test]
    fn an_existing_file_is_replaced_only_when_told() -> Result<()> {
        let home = directory();
        let path = home.path().join("config.toml");
        write_private(&path, "old", false)?;
        let refused = write_private(&path, "new", false).err();
        assert_eq!(refused.map(|error| error.code).as_deref(), Some("file_exists"));
        assert_eq!(content(&path), "old");
        write_private(&path, "new", true)?;
        assert_eq!(content(&path), "new");
        Ok(())
    }

    #[test]
    fn replacing_makes_an_open_file_private_and_leaves_no_draft() -> Result<()> {
        let home = directory();
        let path = home.path().join("config.toml");
        let opened = fs::write(&path, "old")
            .and_then(|()| fs::set_permissions(&path, PermissionsExt::from_mode(0o644)));
        assert!(opened.is_ok());
        write_private(&path, "new", true)?;
        assert_eq!(mode(&path), 0o600);
        assert_eq!(fs::read_dir(home.path()).map(Iterator::count).ok(), Some(1));
        Ok(())
    }

    #[test]
    fn a_link_stays_a_link() -> Result<()> {
        let home = directory();
        let (target, link) = (home.path().join("dotfiles.toml"), home.path().join("config.toml"));
        write_private(&target, "old", false)?;
        assert!(symlink(&target, &link).is_ok());
        write_private(&link, "new", true)?;
        assert_eq!(content(&target), "new");
        assert!(link.is_symlink());
        Ok(())
    }

    #[test]
    fn a_failed_write_says_where_and_leaves_nothing() {
        let home = directory();
        let path = home.path().join("config.toml");
        assert!(fs::create_dir(&path).is_ok());
        let error = write_private(&path, "new", true).err();
        assert_eq!(error.map(|error| error.code).as_deref(), Some("file_unwritable"));
        assert_eq!(fs::read_dir(home.path()).map(Iterator::count).ok(), Some(1));
    }

    #[test]
    fn the_hint_can_be_pasted() {
        assert_eq!(chmod_hint(Path::new("/a/b.toml")), "run `chmod 600 /a/b.toml`");
        assert_eq!(
            chmod_hint(Path::new("/a b/c'd")),
            r"run `chmod 600 '/a b/c'\''d'`"
        );
    }
}
