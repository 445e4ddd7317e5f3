//! Downloads, from a small HTTP server on this machine.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;

use crate::common::idx::gzip;
use crate::common::program::names;
use fallline::data::download::{Progress, download};
use fallline::data::idx::{Elements, Idx};
use fallline::data::known::{KnownFile, KnownSet, checksum};

/// What the server sends for a path; anything else is 404.
#[derive(Clone)]
enum Answer {
    PerTensor(Vec<u8>),
    /// Announces this many bytes more than it sends, then hangs up.
    Truncated(Vec<u8>, usize),
    /// Sends the bytes over and over, without announcing a length.
    Endless(Vec<u8>),
    Redirect(String),
}

/// Starts a server for the rest of the test; its address.
fn serve(answers: HashMap<String, Answer>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            // A client that hangs up early is part of the tests.
            let _ = answer(stream, &answers);
        }
    });
    address
}

fn answer(mut stream: TcpStream, answers: &HashMap<String, Answer>) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let request = lines.next().unwrap_or(Ok(String::new()))?;
    let path = request.split(' ').nth(1).unwrap_or("").to_string();
    while lines.next().transpose()?.is_some_and(|line| !line.is_empty()) {}
    let mut head =
        |status: &str, more: &str| write!(stream, "HTTP/1.1 {status}\r\nConnection: close\r\n{more}\r\n\r\n");
    match answers.get(&path) {
        None => head("404 Not Found", "Content-Length: 0"),
        Some(Answer::Redirect(to)) => head("302 Found", &format!("Location: {to}\r\nContent-Length: 0")),
        Some(Answer::PerTensor(bytes)) => {
            head("200 OK", &format!("Content-Length: {}", bytes.len()))?;
            stream.write_all(bytes)
        }
        Some(Answer::Truncated(bytes, missing)) => {
            head("200 OK", &format!("Content-Length: {}", bytes.len() + missing))?;
            stream.write_all(bytes)
        }
        Some(Answer::Endless(bytes)) => {
            head("200 OK", "Content-Type: application/gzip")?;
            loop {
                stream.write_all(bytes)?;
            }
        }
    }
}

const NAMES: [&str; 4] = ["train-images", "train-labels", "t10k-images", "t10k-labels"];

fn array(role: usize) -> Idx {
    Idx {
        dimensions: vec![40, 100],
        elements: Elements::U8((0..4000).map(|i| (i * (role + 3)) as u8).collect()),
    }
}

fn packed(idx: &Idx) -> Vec<u8> {
    let mut bytes = Vec::new();
    idx.write_to(&mut bytes).unwrap();
    gzip(&bytes)
}

/// A set of four small files with these mirrors.
fn set(mirrors: &[&str]) -> KnownSet {
    // Known sets live as long as the program; here, as long as the test.
    fn keep<T: ?Sized>(value: Box<T>) -> &'static T {
        Box::leak(value)
    }
    let file = |role: usize| KnownFile {
        name: NAMES[role],
        dimensions: &[40, 100],
        sha256: keep(checksum(&array(role)).into_boxed_str()),
    };
    let mirrors: Vec<&str> = mirrors.iter().map(|mirror| keep(Box::from(*mirror))).collect();
    KnownSet {
        name: "small",
        source: "",
        licence: "",
        classes: 10,
        files: [0, 1, 2, 3].map(file),
        mirrors: keep(mirrors.into_boxed_slice()),
    }
}

/// Right answers for every file, under this folder of the server.
fn good(folder: &str) -> HashMap<String, Answer> {
    let entry =
        |role: usize| (format!("{folder}/{}.gz", NAMES[role]), Answer::PerTensor(packed(&array(role))));
    (0..4).map(entry).collect()
}

/// Downloads; the error, and what was told on the way.
fn fetch(set: &KnownSet, folder: &Path, mirror: Option<&str>) -> (Result<(), String>, Vec<String>) {
    let mut told = Vec::new();
    let result = download(set, folder, mirror, &mut |progress| match progress {
        Progress::Present { path } => told.push(format!("present {}", name(path))),
        Progress::Started { .. } | Progress::Received { .. } => {}
        Progress::Refused { reason, .. } => told.push(format!("refused {reason}")),
        Progress::Saved { path } => told.push(format!("saved {}", name(path))),
    });
    (result.map_err(|error| error.to_string()), told)
}

fn name(path: &Path) -> String {
    path.file_name().unwrap().to_string_lossy().into_owned()
}

#[test]
fn files_are_downloaded_once() {
    let server = serve(good("/a"));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("new/small");
    let set = set(&[&format!("{server}/a/")]);
    let (result, told) = fetch(&set, &path, None);
    result.unwrap();
    assert_eq!(told, NAMES.map(|name| format!("saved {name}.gz")));
    for (role, name) in NAMES.iter().enumerate() {
        assert_eq!(Idx::read(&path.join(format!("{name}.gz"))).unwrap(), array(role));
    }
    // A plain file counts as well as a compressed one; a broken one is replaced.
    std::fs::remove_file(path.join("train-images.gz")).unwrap();
    array(0).write(&path.join("train-images"), false).unwrap();
    std::fs::write(path.join("train-labels.gz"), "broken").unwrap();
    let (result, told) = fetch(&set, &path, None);
    result.unwrap();
    let expected =
        ["present train-images", "saved train-labels.gz", "present t10k-images.gz", "present t10k-labels.gz"];
    assert_eq!(told, expected);
}

#[test]
fn the_next_mirror_is_tried_and_redirects_are_followed() {
    let server = serve(good("/b"));
    let redirects =
        NAMES.map(|name| (format!("/c/{name}.gz"), Answer::Redirect(format!("{server}/b/{name}.gz"))));
    let other = serve(redirects.into_iter().collect());
    let folder = tempfile::tempdir().unwrap();
    let set = set(&[&format!("{server}/nothing/"), &format!("{other}/c/")]);
    let (result, told) = fetch(&set, folder.path(), None);
    result.unwrap();
    assert!(told[0].starts_with("refused") && told[0].contains("404"), "{told:?}");
    assert_eq!(told[1], "saved train-images.gz");
    assert_eq!(names(folder.path()).len(), 4);
}

#[test]
fn what_is_not_the_file_is_refused_and_the_old_one_kept() {
    let whole = packed(&array(0));
    let half = whole[..whole.len() / 2].to_vec();
    let table = [
        ("a checksum", Answer::PerTensor(packed(&array(1))), "expected content with SHA-256"),
        ("cut off", Answer::Truncated(half.clone(), 100), "broke off after"),
        (
            "half",
            Answer::PerTensor(half),
            "expected sound gzip data to the end of the file, found the end of the file",
        ),
        ("a page", Answer::PerTensor(b"<html>".to_vec()), "expected 0x00 0x00, the start of an IDX file"),
        ("nothing", Answer::PerTensor(vec![]), "byte 0: expected an IDX header"),
        ("endless", Answer::Endless(vec![7; 10_000]), "expected at most 69548 bytes, found more"),
    ];
    for (what, bad, expected) in table {
        let mut answers = good("");
        answers.insert("/train-images.gz".into(), bad);
        let server = serve(answers);
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("train-images.gz"), "old").unwrap();
        // One mirror after the other: both reasons are told.
        let set = set(&[&server, &format!("{server}/none")]);
        let (result, _) = fetch(&set, folder.path(), None);
        let error = result.expect_err(what);
        assert!(error.starts_with("cannot download train-images: http://127.0.0.1:"), "{what}: {error}");
        assert!(error.contains(expected) && error.contains("404"), "{what}: {error}");
        assert_eq!(std::fs::read(folder.path().join("train-images.gz")).unwrap(), b"old", "{what}");
        assert_eq!(names(folder.path()), ["train-images.gz"], "{what}");
    }
}

#[test]
fn a_mirror_of_the_users_replaces_the_known_ones() {
    let server = serve(good("/d"));
    let folder = tempfile::tempdir().unwrap();
    let set = set(&["http://127.0.0.1:1/"]);
    let (result, told) = fetch(&set, folder.path(), None);
    let error = result.unwrap_err();
    assert!(error.contains("http://127.0.0.1:1/train-images.gz: ") && told.len() == 1, "{error}");
    fetch(&set, folder.path(), Some(&format!("{server}/d"))).0.unwrap();
    let (result, _) = fetch(&set, folder.path(), Some("no address"));
    result.unwrap();
    std::fs::remove_file(folder.path().join("train-labels.gz")).unwrap();
    assert!(fetch(&set, folder.path(), Some("no address")).0.is_err());
}
