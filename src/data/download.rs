//! Downloading the published data sets, texts and series: mirrors tried in turn, checksums compared, files replaced
//! whole or not at all.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::folder;
use super::idx::Idx;
use super::known::{self, KnownFile, KnownSet, KnownText};
use crate::atomic_file;
use crate::error::{Error, Result};

/// An event of a download; they come in this order for each file.
#[derive(Clone, Copy, Debug)]
pub enum Progress<'a> {
    /// The file is there already, with the right checksum. Nothing else follows for it.
    Present { path: &'a Path },
    /// A mirror has begun to send `bytes` bytes, if it told.
    Started { url: &'a str, bytes: Option<u64> },
    /// So many bytes of the file have arrived so far.
    Received { bytes: u64 },
    /// A mirror failed or sent something else; the next one is tried.
    Refused { url: &'a str, reason: &'a str },
    /// The file is there, with the right checksum.
    Saved { path: &'a Path },
}

/// How long a mirror may take to accept a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);
/// How long a mirror may be silent.
const SILENCE_TIMEOUT: Duration = Duration::from_secs(30);
/// By how much a compressed file may exceed its content: headers, and blocks that do not compress.
const GZIP_OVERHEAD: u64 = 64 * 1024;

/// Downloads the files of `set` into `folder`, which is created if need be, from the mirrors of the
/// set or from `mirror` alone. Files that are there with the right checksum stay, whatever they are called;
/// a broken one of the name that is downloaded is replaced.
///
/// # Errors
/// [`Error::Mismatch`], before anything is downloaded, if another file would lie beside the right one;
/// [`Error::Download`] with the reason of every mirror if a file could not be had from any;
/// [`Error::Io`] if it cannot be saved. Files already in the folder are not harmed by either.
pub fn download(
    set: &KnownSet,
    folder: &Path,
    mirror: Option<&str>,
    progress: &mut dyn FnMut(Progress),
) -> Result<()> {
    std::fs::create_dir_all(folder).map_err(Error::io(folder, "create"))?;
    let mirrors = mirror.map_or_else(|| set.mirrors.to_vec(), |mirror| vec![mirror]);
    let agent = agent();
    let mut found = Vec::new();
    for (role, (file, candidates)) in set.files.iter().zip(folder::candidates(folder)?).enumerate() {
        found.push(present(file, folder, role, candidates)?);
    }
    for (file, path) in set.files.iter().zip(found) {
        match path {
            Some(path) => progress(Progress::Present { path: &path }),
            None => download_file(&agent, file, folder, &mirrors, progress)?,
        }
    }
    Ok(())
}

/// Downloads a text or a series into `folder`, which is created if need be, from its addresses or from `mirror` alone, to
/// which the name of the file is appended. A file that is there with the right checksum stays.
///
/// # Errors
/// [`Error::Mismatch`], before anything is downloaded, if another file of that name is there; those of [`download`].
pub fn download_text(
    text: &KnownText,
    folder: &Path,
    mirror: Option<&str>,
    progress: &mut dyn FnMut(Progress),
) -> Result<()> {
    std::fs::create_dir_all(folder).map_err(Error::io(folder, "create"))?;
    let path = folder.join(text.file);
    if path.symlink_metadata().is_ok() {
        if known::checksum_of(&std::fs::read(&path).map_err(Error::io(&path, "read"))?) == text.sha256 {
            progress(Progress::Present { path: &path });
            return Ok(());
        }
        return Err(Error::Mismatch {
            what: format!("content of {}", path.display()),
            expected: format!("{} as published", text.name),
            found: "something else; remove it first, or name another folder with --out".into(),
        });
    }
    let addresses = match mirror {
        Some(mirror) => vec![format!("{}/{}", mirror.trim_end_matches('/'), text.file)],
        None => text.addresses.iter().map(ToString::to_string).collect(),
    };
    let (agent, most) = (agent(), text.bytes as u64);
    let check = |bytes: Vec<u8>| match known::checksum_of(&bytes) {
        found if found == text.sha256 => Ok(bytes),
        found => Err(format!("expected content with SHA-256 {}, found {found}", text.sha256)),
    };
    let from = &addresses;
    first_of(text.file, &path, from, |url, told| fetch(&agent, url, most, told).and_then(check), progress)
}

fn agent() -> ureq::Agent {
    let config = ureq::Agent::config_builder()
        .timeout_connect(Some(CONNECT_TIMEOUT))
        .timeout_recv_response(Some(SILENCE_TIMEOUT))
        .timeout_per_read(Some(SILENCE_TIMEOUT))
        .user_agent(concat!("fallline/", env!("CARGO_PKG_VERSION")));
    config.build().new_agent()
}

/// The path of `file` in `folder`, if it is the only candidate and has the right checksum; none if it can
/// be downloaded, and nothing else then lies beside it.
fn present(
    file: &KnownFile,
    folder: &Path,
    role: usize,
    candidates: Vec<PathBuf>,
) -> Result<Option<PathBuf>> {
    let Some(path) = folder::only(folder, role, candidates)? else { return Ok(None) };
    if Idx::read(&path).is_ok_and(|idx| known::checksum(&idx) == file.sha256) {
        return Ok(Some(path));
    }
    if path == folder.join(format!("{}.gz", file.name)) {
        return Ok(None);
    }
    Err(Error::Mismatch {
        what: format!("content of {}", path.display()),
        expected: format!("{} as published", folder::ROLES[role]),
        found: format!("something else, which would lie beside the new {}.gz; remove it first", file.name),
    })
}

fn download_file(
    agent: &ureq::Agent,
    file: &KnownFile,
    folder: &Path,
    mirrors: &[&str],
    progress: &mut dyn FnMut(Progress),
) -> Result<()> {
    let url = |mirror: &&str| format!("{}/{}.gz", mirror.trim_end_matches('/'), file.name);
    let addresses: Vec<String> = mirrors.iter().map(url).collect();
    let path = folder.join(format!("{}.gz", file.name));
    let most = file.bytes() as u64 + GZIP_OVERHEAD;
    first_of(
        file.name,
        &path,
        &addresses,
        |url, told| fetch(agent, url, most, told).and_then(|bytes| check(file, url, bytes)),
        progress,
    )
}

/// Saves what `from` gives for the first address for which it does.
fn first_of(
    name: &str,
    path: &Path,
    addresses: &[String],
    from: impl Fn(&str, &mut dyn FnMut(Progress)) -> Result<Vec<u8>, String>,
    progress: &mut dyn FnMut(Progress),
) -> Result<()> {
    let mut reasons = Vec::new();
    for url in addresses {
        match from(url, progress) {
            Ok(bytes) => {
                atomic_file::write(path, |out| out.write_all(&bytes))?;
                progress(Progress::Saved { path });
                return Ok(());
            }
            Err(reason) => {
                progress(Progress::Refused { url, reason: &reason });
                reasons.push(format!("{url}: {reason}"));
            }
        }
    }
    Err(Error::Download { file: name.to_string(), reasons })
}

/// The bytes that `url` sends, read no further than the most that the file can have.
fn fetch(
    agent: &ureq::Agent,
    url: &str,
    most: u64,
    progress: &mut dyn FnMut(Progress),
) -> Result<Vec<u8>, String> {
    let response = agent.get(url).call().map_err(|error| error.to_string())?;
    let body = response.into_body();
    progress(Progress::Started { url, bytes: body.content_length() });
    let mut reader = body.into_reader().take(most + 1);
    let (mut bytes, mut piece) = (Vec::new(), vec![0; 64 * 1024]);
    loop {
        match reader.read(&mut piece) {
            Ok(0) => return Ok(bytes),
            Ok(count) => bytes.extend_from_slice(&piece[..count]),
            Err(error) => return Err(format!("broke off after {} bytes: {error}", bytes.len())),
        }
        if bytes.len() as u64 > most {
            return Err(format!("expected at most {most} bytes, found more"));
        }
        progress(Progress::Received { bytes: bytes.len() as u64 });
    }
}

/// Checks that the uncompressed content of `bytes` is that of `file`, and returns them.
fn check(file: &KnownFile, url: &str, bytes: Vec<u8>) -> Result<Vec<u8>, String> {
    let idx = Idx::from_bytes(Path::new(url), &bytes).map_err(|error| match error {
        Error::Format { place, expected, found, .. } => {
            format!("{place}: expected {expected}, found {found}")
        }
        other => other.to_string(),
    })?;
    let found = known::checksum(&idx);
    if found != file.sha256 {
        return Err(format!("expected content with SHA-256 {}, found {found}", file.sha256));
    }
    Ok(bytes)
}
