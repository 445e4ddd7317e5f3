use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;

use super::waiting::{Awaited, PAUSE, Waiting, is_pipe};

/// Bytes that are taken out of a pipe at a time.
const CHUNK: usize = 1 << 16;

/// Chunks that lie ready before they are asked for.
const AHEAD: usize = 2;

/// A file that is read, or a pipe.
pub enum Input {
    File(File),
    Pipe(Pipe),
}

/// Opens a file for reading. Of a named pipe that no program writes to, and of a writer that is idle, this
/// says so ([`super::on_waiting`]), and it can be given up ([`super::give_up_when`]).
///
/// # Errors
/// Those of the system; [`io::ErrorKind::TimedOut`] if the program is to stop while a pipe is waited for.
pub fn open(path: &Path) -> io::Result<Input> {
    if !is_pipe(&std::fs::metadata(path)?) {
        return File::open(path).map(Input::File);
    }
    // Opening waits for a writer, and reading for what it writes, and no signal ends either: so both are
    // done by a thread that can be left alone.
    let (sender, receiver) = sync_channel(AHEAD);
    let own = path.to_path_buf();
    thread::Builder::new().name("pipe".into()).spawn(move || pass_on(&own, &sender))?;
    let mut pipe = Pipe { path: path.to_path_buf(), receiver, chunk: Vec::new(), position: 0 };
    pipe.refill()?;
    Ok(Input::Pipe(pipe))
}

impl Input {
    /// The length, where it is known before all is read.
    ///
    /// # Errors
    /// Those of the system.
    pub fn length(&self) -> io::Result<Option<u64>> {
        let length = |metadata: Metadata| metadata.is_file().then_some(metadata.len());
        match self {
            Input::File(file) => file.metadata().map(length),
            Input::Pipe(_) => Ok(None),
        }
    }
}

impl Read for Input {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Input::File(file) => file.read(buffer),
            Input::Pipe(pipe) => pipe.read(buffer),
        }
    }
}

/// What comes out of a pipe; first an empty chunk, once it is open.
type Chunk = io::Result<Vec<u8>>;

/// The end of a pipe that is read from.
pub struct Pipe {
    path: PathBuf,
    receiver: Receiver<Chunk>,
    chunk: Vec<u8>,
    /// How much of the chunk has been read.
    position: usize,
}

impl Pipe {
    fn refill(&mut self) -> io::Result<()> {
        let mut waiting = Waiting::new(&self.path, Awaited::Writer);
        loop {
            match self.receiver.recv_timeout(PAUSE) {
                Ok(chunk) => {
                    (self.chunk, self.position) = (chunk?, 0);
                    return Ok(());
                }
                // After the end.
                Err(RecvTimeoutError::Disconnected) => {
                    (self.chunk, self.position) = (Vec::new(), 0);
                    return Ok(());
                }
                Err(RecvTimeoutError::Timeout) => waiting.goes_on(PAUSE)?,
            }
        }
    }
}

impl Read for Pipe {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.position == self.chunk.len() {
            self.refill()?;
        }
        let count = (&self.chunk[self.position..]).read(buffer)?;
        self.position += count;
        Ok(count)
    }
}

/// Opens the pipe and sends all that comes out of it.
fn pass_on(path: &Path, sender: &SyncSender<Chunk>) {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) => {
            sender.send(Err(error)).ok();
            return;
        }
    };
    sender.send(Ok(Vec::new())).ok();
    let mut buffer = vec![0; CHUNK];
    loop {
        let chunk = match file.read(&mut buffer) {
            Ok(0) => return,
            Ok(count) => Ok(buffer[..count].to_vec()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => Err(error),
        };
        let is_last = chunk.is_err();
        // Nobody may receive any more.
        if sender.send(chunk).is_err() || is_last {
            return;
        }
    }
}
