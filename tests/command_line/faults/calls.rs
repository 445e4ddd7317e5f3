//! System calls that touch files: their kinds, and which file a call is about.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use libc::{c_long, pid_t, user_regs_struct};

/// What a call does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Open,
    Write,
    Sync,
    Rename,
    Unlink,
    MakeFolder,
    ChangeMode,
    Truncate,
    Close,
    Stat,
    ReadLink,
    List,
    Lock,
}

/// Where the file of a call is named.
#[derive(Clone, Copy)]
enum Place {
    /// By the path in the first argument.
    Path,
    /// By a folder in the first argument and a path from there in the second.
    At,
    /// By a descriptor in the first argument.
    First,
    /// By a descriptor in the third argument.
    Third,
}

/// Every call that is looked at.
const CALLS: [(c_long, Kind, Place); 33] = [
    (libc::SYS_open, Kind::Open, Place::Path),
    (libc::SYS_openat, Kind::Open, Place::At),
    (libc::SYS_write, Kind::Write, Place::First),
    (libc::SYS_pwrite64, Kind::Write, Place::First),
    (libc::SYS_writev, Kind::Write, Place::First),
    (libc::SYS_sendfile, Kind::Write, Place::First),
    (libc::SYS_copy_file_range, Kind::Write, Place::Third),
    (libc::SYS_fsync, Kind::Sync, Place::First),
    (libc::SYS_fdatasync, Kind::Sync, Place::First),
    (libc::SYS_rename, Kind::Rename, Place::Path),
    (libc::SYS_renameat, Kind::Rename, Place::At),
    (libc::SYS_renameat2, Kind::Rename, Place::At),
    (libc::SYS_link, Kind::Rename, Place::Path),
    (libc::SYS_linkat, Kind::Rename, Place::At),
    (libc::SYS_unlink, Kind::Unlink, Place::Path),
    (libc::SYS_unlinkat, Kind::Unlink, Place::At),
    (libc::SYS_rmdir, Kind::Unlink, Place::Path),
    (libc::SYS_mkdir, Kind::MakeFolder, Place::Path),
    (libc::SYS_mkdirat, Kind::MakeFolder, Place::At),
    (libc::SYS_chmod, Kind::ChangeMode, Place::Path),
    (libc::SYS_fchmod, Kind::ChangeMode, Place::First),
    (libc::SYS_fchmodat, Kind::ChangeMode, Place::At),
    (libc::SYS_truncate, Kind::Truncate, Place::Path),
    (libc::SYS_ftruncate, Kind::Truncate, Place::First),
    (libc::SYS_fallocate, Kind::Truncate, Place::First),
    (libc::SYS_close, Kind::Close, Place::First),
    (libc::SYS_stat, Kind::Stat, Place::Path),
    (libc::SYS_fstat, Kind::Stat, Place::First),
    (libc::SYS_newfstatat, Kind::Stat, Place::At),
    (libc::SYS_statx, Kind::Stat, Place::At),
    (libc::SYS_readlink, Kind::ReadLink, Place::Path),
    (libc::SYS_getdents64, Kind::List, Place::First),
    (libc::SYS_flock, Kind::Lock, Place::First),
];

/// The longest path, in bytes.
const LONGEST_PATH: usize = 4096;

/// A call that is about to be made.
#[derive(Clone, Debug)]
pub struct Call {
    pub kind: Kind,
    /// The how manieth of its kind, from 1.
    pub number: usize,
    /// The how manieth of all.
    pub of_all: usize,
    pub path: PathBuf,
    pub is_folder: bool,
    /// Whether it changes what is on the disk, which one that can only be read refuses.
    pub changes: bool,
    /// Whether it needs room, which a full disk refuses.
    pub needs_room: bool,
}

impl Call {
    /// Whether it may fail. To close a folder does not, and the standard library takes an error for a bug of the program.
    pub fn can_fail(&self) -> bool {
        self.kind != Kind::Close || !self.is_folder
    }
}

/// The numbers of all calls that are looked at.
pub fn numbers() -> impl ExactSizeIterator<Item = u32> {
    CALLS.iter().map(|(number, ..)| *number as u32)
}

impl Call {
    /// The call for which a thread has stopped with these registers; not counted yet.
    pub fn of(thread: pid_t, registers: &user_regs_struct) -> Option<Call> {
        let asked = registers.orig_rax as c_long;
        let (number, kind, place) = CALLS.iter().find(|(number, ..)| *number == asked)?;
        let path = match place {
            Place::Path => located(thread, libc::AT_FDCWD, text(thread, registers.rdi)?),
            Place::At => located(thread, registers.rdi as i32, text(thread, registers.rsi)?),
            Place::First => opened(thread, registers.rdi as i32)?,
            Place::Third => opened(thread, registers.rdx as i32)?,
        };
        let flags = if *number == libc::SYS_open { registers.rsi } else { registers.rdx } as i32;
        let makes = flags & libc::O_CREAT != 0 || flags & libc::O_TMPFILE == libc::O_TMPFILE;
        let alters = flags & libc::O_ACCMODE != libc::O_RDONLY || makes;
        let (changes, needs_room) = match kind {
            Kind::Open => (alters, makes),
            Kind::Write | Kind::Rename | Kind::MakeFolder => (true, true),
            Kind::Unlink | Kind::ChangeMode | Kind::Truncate => (true, false),
            _ => (false, false),
        };
        // Also of one that has been removed.
        let is_folder = match place {
            Place::First => fs::metadata(format!("/proc/{thread}/fd/{}", registers.rdi as i32))
                .is_ok_and(|of| of.is_dir()),
            _ => path.is_dir(),
        };
        Some(Call { kind: *kind, number: 0, of_all: 0, path, is_folder, changes, needs_room })
    }
}

/// The text that ends with a zero at an address of the traced process; none if there is nothing.
fn text(thread: pid_t, address: u64) -> Option<PathBuf> {
    let memory = File::open(format!("/proc/{thread}/mem")).ok()?;
    let mut bytes = vec![0; LONGEST_PATH];
    // It may lie at the end of what can be read: no further than to the next page at once.
    let mut length = 0;
    while length < LONGEST_PATH && !bytes[..length].contains(&0) {
        let from = address + length as u64;
        let page = (LONGEST_PATH as u64 - from % LONGEST_PATH as u64) as usize;
        let piece = page.min(LONGEST_PATH - length);
        length += memory.read_at(&mut bytes[length..length + piece], from).ok().filter(|read| *read > 0)?;
    }
    let end = bytes.iter().position(|&byte| byte == 0)?;
    Some(String::from_utf8_lossy(&bytes[..end]).into_owned().into())
}

fn opened(thread: pid_t, descriptor: i32) -> Option<PathBuf> {
    fs::read_link(format!("/proc/{thread}/fd/{descriptor}")).ok()
}

/// A path as seen from a folder that is open, or from where the process is.
fn located(thread: pid_t, folder: i32, path: PathBuf) -> PathBuf {
    if path.is_absolute() {
        return path;
    }
    let folder = match folder {
        libc::AT_FDCWD => fs::read_link(format!("/proc/{thread}/cwd")).ok(),
        descriptor => opened(thread, descriptor),
    };
    let folder = folder.unwrap_or_default();
    // Of an empty path the descriptor itself is meant.
    if path == Path::new("") { folder } else { folder.join(path) }
}
