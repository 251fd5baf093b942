//! A disk, built anew from what the binary did to it: what is on it for good, and what a power cut may leave.
//!
//! The rules are those of POSIX and no kinder: a file's content is durable when the file was synced, a name when its
//! directory was, the making of a directory when its own parent was. What was not synced may be there in part, in any
//! order, and cut at any sector.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use crate::support::OrFail;

/// What a disk writes whole or not at all.
const SECTOR_BYTES: usize = 512;
/// The numbers in front of each entry of the journal.
const HEAD: usize = 5;

/// One thing that the binary did, in order.
#[derive(Debug, Clone)]
pub enum Step {
    /// Bytes were written into a file, or it was cut to a length.
    Changed(u64, Change),
    /// A file was synced.
    Synced(u64),
    /// The sync of a file failed: what it was to make durable is gone, whatever a later one says.
    SyncFailed(u64),
    /// A directory was synced.
    DirectorySynced(PathBuf),
    /// A file or directory was made.
    Made(PathBuf, u64),
    /// A file has another name.
    Renamed(PathBuf, PathBuf),
    /// A name is gone.
    Removed(PathBuf),
    /// Bytes may leave for the network.
    Sent(Vec<u8>),
}

/// A change of a file.
#[derive(Debug, Clone)]
pub enum Change {
    /// Bytes at an offset.
    Written(usize, Vec<u8>),
    /// The end is here.
    Cut(usize),
}

/// How a power cut leaves the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loss {
    /// What was synced, and nothing else.
    AllUnsynced,
    /// Nothing: a copy that somebody takes of the files as they stand.
    Nothing,
    /// Some of what was not synced, by this seed.
    Some(u64),
}

#[derive(Debug, Clone, Default)]
struct File {
    durable: Vec<u8>,
    unsynced: Vec<Change>,
    is_directory: bool,
}

/// The disk below the root.
#[derive(Debug, Default)]
pub struct Disk {
    root: PathBuf,
    files: Vec<File>,
    /// The file that a number of the system stands for now; numbers are used again.
    numbers: BTreeMap<u64, usize>,
    names: BTreeMap<PathBuf, usize>,
    durable_names: BTreeMap<PathBuf, usize>,
}

/// Reads what `inject.c` has written.
pub fn steps(mut journal: &[u8]) -> Vec<Step> {
    let mut steps = Vec::new();
    while !journal.is_empty() {
        let head = take(&mut journal, HEAD * 8);
        let number = |place: usize| {
            let bytes = head[place * 8..][..8].try_into();
            u64::from_ne_bytes(bytes.or_fail("a number has eight bytes"))
        };
        let size = |place| usize::try_from(number(place)).or_fail("a size");
        let what = u8::try_from(number(0)).or_fail("no step");
        let (inode, offset) = (number(1), size(2));
        let name = text(take(&mut journal, size(3)));
        let data = take(&mut journal, size(4));
        steps.push(match what {
            b'w' => Step::Changed(inode, Change::Written(offset, data.to_vec())),
            b't' => Step::Changed(inode, Change::Cut(offset)),
            b's' => Step::Synced(inode),
            b'x' => Step::SyncFailed(inode),
            b'd' => Step::DirectorySynced(name),
            b'c' | b'm' => Step::Made(name, inode),
            b'r' => Step::Renamed(name, text(data)),
            b'u' => Step::Removed(name),
            b'n' => Step::Sent(data.to_vec()),
            other => panic!("a step `{other}`"),
        });
    }
    steps
}

fn take<'a>(journal: &mut &'a [u8], length: usize) -> &'a [u8] {
    let (taken, rest) = journal.split_at_checked(length).or_fail("the journal is cut");
    *journal = rest;
    taken
}

fn text(bytes: &[u8]) -> PathBuf {
    PathBuf::from(std::str::from_utf8(bytes).or_fail("a name that is no text"))
}

impl Disk {
    /// A disk whose `root` is there for good; everything below is made by steps.
    pub fn new(root: &Path) -> Self {
        let root = root.canonicalize().or_fail("there is no root");
        Self {
            root,
            ..Self::default()
        }
    }

    /// Whether a step makes something durable or lets something leave: where it matters what a power cut leaves.
    pub fn is_boundary(step: &Step) -> bool {
        matches!(step, Step::Synced(_) | Step::DirectorySynced(_) | Step::Sent(_))
    }

    /// Goes on by a step.
    pub fn apply(&mut self, step: &Step) {
        match step {
            Step::Changed(number, change) => self.file(*number).unsynced.push(change.clone()),
            Step::Synced(number) => {
                let file = self.file(*number);
                for change in std::mem::take(&mut file.unsynced) {
                    change.apply(&mut file.durable);
                }
            }
            Step::SyncFailed(number) => self.file(*number).unsynced.clear(),
            Step::DirectorySynced(directory) => self.sync_directory(directory),
            Step::Made(path, number) => {
                self.numbers.insert(*number, self.files.len());
                self.names.insert(path.clone(), self.files.len());
                self.files.push(File::default());
            }
            Step::Renamed(from, to) => {
                let file = self.names.remove(from).or_fail("an unknown file is renamed");
                self.names.insert(to.clone(), file);
            }
            Step::Removed(path) => {
                self.names.remove(path).or_fail("an unknown file is removed");
            }
            Step::Sent(_) => {}
        }
        if let Step::Made(path, _) = step
            && let Some(parent) = path.parent().and_then(|parent| self.names.get(parent))
        {
            self.files[*parent].is_directory = true;
        }
    }

    fn file(&mut self, number: u64) -> &mut File {
        let place = *self.numbers.get(&number).or_fail("an unknown file is changed");
        &mut self.files[place]
    }

    fn sync_directory(&mut self, directory: &Path) {
        let is_inside = |path: &PathBuf| path.parent() == Some(directory);
        self.durable_names.retain(|path, _| !is_inside(path));
        let inside = self.names.iter().filter(|(path, _)| is_inside(path));
        self.durable_names
            .extend(inside.map(|(path, file)| (path.clone(), *file)));
    }

    /// Lays the disk out under `target` as a power cut now would leave it.
    pub fn lay_out(&self, target: &Path, loss: Loss) {
        let mut random = match loss {
            Loss::Some(seed) => fastrand::Rng::with_seed(seed),
            _ => fastrand::Rng::with_seed(0),
        };
        let takes_live_names = match loss {
            Loss::AllUnsynced => false,
            Loss::Nothing => true,
            Loss::Some(_) => random.bool(),
        };
        let names = if takes_live_names {
            &self.names
        } else {
            &self.durable_names
        };
        let reachable = self.reachable(names);
        for (path, file) in names.iter().filter(|(path, _)| reachable.contains(*path)) {
            // Only the shared memory of the database is of no use behind a cut.
            if path.to_string_lossy().ends_with("-shm") {
                continue;
            }
            let file = &self.files[*file];
            let place = target.join(path.strip_prefix(&self.root).or_fail("a file outside the root"));
            if file.is_directory {
                fs::create_dir_all(place).or_fail("no directory");
            } else {
                fs::write(place, file.content(loss, &mut random)).or_fail("no file");
            }
        }
    }

    /// Names whose every directory is there.
    fn reachable<'a>(&self, names: &'a BTreeMap<PathBuf, usize>) -> BTreeSet<&'a PathBuf> {
        let mut reachable = BTreeSet::new();
        // A directory comes before what is in it.
        for path in names.keys() {
            let parent = path.parent().or_fail("a name without a directory");
            if parent == self.root || reachable.contains(&parent.to_path_buf()) {
                reachable.insert(path);
            }
        }
        reachable
    }
}

impl File {
    fn content(&self, loss: Loss, random: &mut fastrand::Rng) -> Vec<u8> {
        let mut content = self.durable.clone();
        for change in &self.unsynced {
            match loss {
                Loss::AllUnsynced => {}
                Loss::Nothing => change.apply(&mut content),
                Loss::Some(_) => match random.u8(0..3) {
                    0 => {}
                    1 => change.apply(&mut content),
                    _ => change.torn(random).apply(&mut content),
                },
            }
        }
        content
    }
}

impl Change {
    fn apply(&self, content: &mut Vec<u8>) {
        match self {
            Self::Cut(length) => content.resize(*length, 0),
            Self::Written(offset, data) => {
                let end = offset + data.len();
                if content.len() < end {
                    content.resize(end, 0);
                }
                content[*offset..end].copy_from_slice(data);
            }
        }
    }

    /// The same, cut at a sector.
    fn torn(&self, random: &mut fastrand::Rng) -> Self {
        match self {
            Self::Cut(length) => Self::Cut(*length),
            Self::Written(offset, data) => {
                let sectors = (offset + data.len()) / SECTOR_BYTES - offset / SECTOR_BYTES;
                let end = (offset / SECTOR_BYTES + random.usize(0..=sectors)) * SECTOR_BYTES;
                Self::Written(
                    *offset,
                    data[..end.saturating_sub(*offset).min(data.len())].to_vec(),
                )
            }
        }
    }
}
