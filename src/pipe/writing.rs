use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::waiting::{Awaited, PAUSE, Waiting};

/// The first pause of a writer whose pipe is full; each next one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_micros(100);

/// The end of a pipe that is written to.
pub struct Output {
    path: PathBuf,
    file: File,
}

/// Opens a pipe for writing, once a program reads it. The waiting for that is told
/// ([`super::on_waiting`]), and so is that for a reader who does not go on; both can be given up
/// ([`super::give_up_when`]).
///
/// # Errors
/// Those of the system; [`io::ErrorKind::TimedOut`] if the program is to stop meanwhile.
pub fn create(path: &Path) -> io::Result<Output> {
    let mut waiting = Waiting::new(path, Awaited::Reader);
    loop {
        match open_now(path) {
            Ok(file) => return Ok(Output { path: path.to_path_buf(), file }),
            Err(error) if has_no_reader(&error) => {}
            Err(error) => return Err(error),
        }
        std::thread::sleep(PAUSE);
        waiting.goes_on(PAUSE)?;
    }
}

/// Opens a pipe so that no call waits, since no signal would end that.
#[cfg(unix)]
fn open_now(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    File::options().write(true).custom_flags(libc::O_NONBLOCK).open(path)
}

#[cfg(unix)]
fn has_no_reader(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::ENXIO)
}

/// Only Unix has pipes among its files.
#[cfg(not(unix))]
fn open_now(path: &Path) -> io::Result<File> {
    File::options().write(true).open(path)
}

#[cfg(not(unix))]
fn has_no_reader(_error: &io::Error) -> bool {
    false
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut waiting = Waiting::new(&self.path, Awaited::Reader);
        let mut pause = FIRST_PAUSE;
        loop {
            match self.file.write(bytes) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                written => return written,
            }
            std::thread::sleep(pause);
            waiting.goes_on(pause)?;
            pause = PAUSE.min(2 * pause);
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
