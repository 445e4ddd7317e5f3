//! Opening files that are read.

use std::fs::{self, File, Metadata};
use std::io::{self, ErrorKind};
use std::path::Path;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// How long a named pipe may stay without a writer: a program that writes to it opens it when it starts.
const PATIENCE: Duration = Duration::from_secs(5);

/// Opens a file for reading. It may be a pipe; but a named pipe that nothing has opened for writing in five
/// seconds is an error, where the system would wait for ever.
///
/// # Errors
/// Those of [`File::open`]; [`ErrorKind::TimedOut`] for a pipe without a writer.
pub fn open(path: &Path) -> io::Result<File> {
    open_within(path, PATIENCE)
}

fn open_within(path: &Path, patience: Duration) -> io::Result<File> {
    if !is_fifo(&fs::metadata(path)?) {
        return File::open(path);
    }
    let (sender, opened) = mpsc::channel();
    let path = path.to_path_buf();
    // If no writer comes, this thread waits on until the program ends.
    thread::Builder::new().spawn(move || sender.send(File::open(path)))?;
    opened.recv_timeout(patience).unwrap_or_else(|_| {
        let text = format!("a named pipe that nothing writes to, not in {} seconds", patience.as_secs_f32());
        Err(io::Error::new(ErrorKind::TimedOut, text))
    })
}

#[cfg(unix)]
fn is_fifo(metadata: &Metadata) -> bool {
    std::os::unix::fs::FileTypeExt::is_fifo(&metadata.file_type())
}

#[cfg(not(unix))]
fn is_fifo(_metadata: &Metadata) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn what_is_no_pipe_is_opened_as_ever() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        assert_eq!(open(&path).unwrap_err().kind(), ErrorKind::NotFound);
        fs::write(&path, "text").unwrap();
        assert_eq!(io::read_to_string(open(&path).unwrap()).unwrap(), "text");
    }

    #[cfg(unix)]
    #[test]
    fn a_named_pipe_is_read_if_a_writer_comes_and_refused_if_none_does() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
        let writer = thread::spawn({
            let path = path.clone();
            move || {
                thread::sleep(Duration::from_millis(50));
                fs::write(path, "late")
            }
        });
        let mut text = String::new();
        open(&path).unwrap().read_to_string(&mut text).unwrap();
        writer.join().unwrap().unwrap();
        assert_eq!(text, "late");
        let refused = open_within(&path, Duration::from_millis(50)).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::TimedOut);
        assert_eq!(refused.to_string(), "a named pipe that nothing writes to, not in 0.05 seconds");
    }
}
