//! Names of standard output and standard error.

use std::fs::File;
use std::io;
use std::path::Path;

const OUTPUT: [&str; 3] = ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"];
const ERROR: [&str; 3] = ["/dev/stderr", "/dev/fd/2", "/proc/self/fd/2"];

fn is_one_of(path: &Path, names: [&str; 3]) -> bool {
    cfg!(unix) && names.iter().any(|name| path.as_os_str() == *name)
}

/// Whether `path` is a name of standard output or standard error.
pub fn is_standard_stream(path: &Path) -> bool {
    is_one_of(path, OUTPUT) || is_one_of(path, ERROR)
}

/// Standard output or error, if `path` is a name of it. To open it by that name would begin at the start of
/// the file that it may lead to, and a rename would leave what is printed without a name.
#[cfg(unix)]
pub fn standard_stream(path: &Path) -> Option<io::Result<File>> {
    use std::os::fd::AsFd;
    let stream = if is_one_of(path, OUTPUT) {
        io::stdout().as_fd().try_clone_to_owned()
    } else if is_one_of(path, ERROR) {
        io::stderr().as_fd().try_clone_to_owned()
    } else {
        return None;
    };
    Some(stream.map(File::from))
}

#[cfg(not(unix))]
pub fn standard_stream(_path: &Path) -> Option<io::Result<File>> {
    None
}
