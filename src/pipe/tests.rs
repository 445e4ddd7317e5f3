use std::io;
use std::io::{Read, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use super::*;

fn named_pipe(folder: &Path, name: &str) -> std::path::PathBuf {
    let path = folder.join(name);
    assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
    path
}

/// One test, since the flag that ends all waiting is the process's.
#[test]
fn both_ends_wait_for_each_other_and_can_be_stopped() {
    let folder = tempfile::tempdir().unwrap();
    let path = named_pipe(folder.path(), "pipe");
    // More than the pipe and what is read ahead hold.
    let bytes: Vec<u8> = (0..1_000_000u32).map(|index| (index % 251) as u8).collect();
    for is_reader_first in [true, false] {
        let read = std::thread::scope(|scope| {
            let writer = scope.spawn(|| {
                std::thread::sleep(Duration::from_millis(if is_reader_first { 150 } else { 0 }));
                create(&path).unwrap().write_all(&bytes).unwrap();
            });
            std::thread::sleep(Duration::from_millis(if is_reader_first { 0 } else { 150 }));
            let mut input = open(&path).unwrap();
            assert_eq!(input.length().unwrap(), None);
            let mut read = vec![0; 10];
            input.read_exact(&mut read).unwrap();
            // The pipe is full meanwhile.
            std::thread::sleep(Duration::from_millis(150));
            input.read_to_end(&mut read).unwrap();
            writer.join().unwrap();
            read
        });
        assert!(read == bytes, "{is_reader_first}");
    }

    let stop = Arc::new(AtomicBool::new(false));
    give_up_when(Arc::clone(&stop));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(Duration::from_millis(150));
            stop.store(true, Relaxed);
        });
        let error = create(&path).err().unwrap();
        assert_eq!((error.kind(), error.to_string().as_str()), TIMED_OUT_WRITING);
    });
    let error = open(&path).err().unwrap();
    assert_eq!((error.kind(), error.to_string().as_str()), TIMED_OUT_READING);
    // A reader that does not go on. The thread that was given up still stands at the first pipe.
    stop.store(false, Relaxed);
    let path = named_pipe(folder.path(), "full");
    let reader = std::thread::scope(|scope| {
        let reader = scope.spawn(|| std::fs::File::open(&path).unwrap());
        let mut output = create(&path).unwrap();
        stop.store(true, Relaxed);
        let error = output.write_all(&bytes).unwrap_err();
        assert_eq!((error.kind(), error.to_string().as_str()), TIMED_OUT_WRITING);
        reader.join().unwrap()
    });
    drop(reader);
    stop.store(false, Relaxed);
}

const TIMED_OUT_WRITING: (io::ErrorKind, &str) = (io::ErrorKind::TimedOut, "no program reads this pipe");
const TIMED_OUT_READING: (io::ErrorKind, &str) = (io::ErrorKind::TimedOut, "no program writes to this pipe");

#[test]
fn files_are_read_as_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    assert_eq!(open(&path).err().unwrap().kind(), io::ErrorKind::NotFound);
    std::fs::write(&path, "text").unwrap();
    let mut file = open(&path).unwrap();
    assert_eq!(file.length().unwrap(), Some(4));
    let mut text = String::new();
    file.read_to_string(&mut text).unwrap();
    assert_eq!(text, "text");
    assert!(!is_pipe(&std::fs::metadata(&path).unwrap()));
}
