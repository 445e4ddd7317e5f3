//! The last calibration of this machine, in the user's cache folder.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::atomic_file;
use crate::bench::record::{CALIBRATION_SCHEMA, Calibration, Topology};
use crate::bench::topology;
use crate::data::source::cache_dir;
use crate::kernels::simd::peak::available;
use crate::train::machine::Machine;
use crate::{Error, Result, foreign};

/// Hexadecimal digits of a fingerprint: 64 bits.
const DIGITS: usize = 16;

/// A calibration takes some ten kilobytes; a file that is larger is none.
const MOST_BYTES: u64 = 1 << 20;

/// What tells this machine from others: a digest of its processor, cores, caches and memory, the
/// instruction sets that it has, and the release of its kernel.
pub fn fingerprint(machine: &Machine, topology: &Topology) -> String {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    digest(machine, topology, release.trim())
}

fn digest(machine: &Machine, topology: &Topology, release: &str) -> String {
    // The kernel takes a little of the memory for itself, not always the same.
    let gibibytes = topology.memory_bytes.saturating_add(1 << 29) >> 30;
    let Topology { processors, caches, .. } = topology;
    let facts = format!("{machine:?}\n{processors}\n{caches:?}\n{gibibytes}\n{:?}\n{release}\n", available());
    let digest = Sha256::digest(facts.as_bytes());
    let mut digits: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    digits.truncate(DIGITS);
    digits
}

/// The calibration that [`store`] kept for this machine. A file that is damaged, or of another
/// machine or version, is as good as none.
pub fn load_cached() -> Option<Calibration> {
    load(&cached_at()?, &fingerprint(&Machine::current(), &topology::current()))
}

/// The file that [`load_cached`] reads; absent if the user has no cache folder.
pub fn cached_at() -> Option<PathBuf> {
    Some(place(&cache_dir()?, &fingerprint(&Machine::current(), &topology::current())))
}

/// Keeps a calibration for [`load_cached`], and gives the file that holds it.
///
/// # Errors
/// [`Error::Io`]; [`Error::Mismatch`] if the user has no cache folder.
pub fn store(calibration: &Calibration) -> Result<PathBuf> {
    let folder = cache_dir().ok_or_else(|| Error::Mismatch {
        what: "a place to keep the calibration".into(),
        expected: "a cache folder of the user".into(),
        found: "none".into(),
    })?;
    store_in(&folder, calibration)
}

fn store_in(folder: &Path, calibration: &Calibration) -> Result<PathBuf> {
    fs::create_dir_all(folder).map_err(Error::io(folder, "create"))?;
    let path = place(folder, &calibration.fingerprint);
    atomic_file::write(&path, |file| {
        serde_json::to_writer_pretty(&mut *file, calibration)?;
        file.write_all(b"\n")
    })?;
    Ok(path)
}

fn place(folder: &Path, fingerprint: &str) -> PathBuf {
    folder.join(format!("calibration-{fingerprint}.json"))
}

/// The calibration in this file, if it is a sound one of the machine with this fingerprint.
pub fn load(path: &Path, fingerprint: &str) -> Option<Calibration> {
    // A pipe in its place would be waited for.
    if !fs::metadata(path).ok()?.is_file() {
        return None;
    }
    let mut text = String::new();
    File::open(path).ok()?.take(MOST_BYTES).read_to_string(&mut text).ok()?;
    let found: Calibration = foreign::json(text.as_bytes()).ok()?;
    (found.schema == CALIBRATION_SCHEMA && found.fingerprint == fingerprint).then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn calibration() -> Calibration {
        let machine = Machine::current();
        Calibration {
            schema: CALIBRATION_SCHEMA.into(),
            fingerprint: fingerprint(&machine, &topology::current()),
            machine,
            topology: topology::current(),
            peaks: vec![],
            bandwidths: vec![],
            latencies: vec![],
            barriers: vec![],
            warnings: vec!["noisy".into()],
            seconds: 1.5,
        }
    }

    #[test]
    fn what_is_stored_is_loaded_and_what_is_foreign_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("not/yet");
        let stored = calibration();
        let path = store_in(&inner, &stored).unwrap();
        assert_eq!(path.file_name().unwrap().to_str().unwrap().len(), "calibration-.json".len() + DIGITS);
        assert_eq!(load(&path, &stored.fingerprint), Some(stored.clone()));
        assert_eq!(load(&path, "another"), None);

        let text = fs::read_to_string(&path).unwrap();
        let next = text.replace("calibration/1", "calibration/2");
        for damaged in ["", "{}", &text[..text.len() / 2], &next, "\u{0}", &" ".repeat(2 << 20)] {
            fs::write(&path, damaged).unwrap();
            assert_eq!(load(&path, &stored.fingerprint), None);
        }
        store_in(&inner, &stored).unwrap();
        assert_eq!(load(&path, &stored.fingerprint), Some(stored.clone()));
        fs::remove_file(&path).unwrap();
        assert_eq!(load(&path, &stored.fingerprint), None);
        fs::create_dir(&path).unwrap();
        assert_eq!(load(&path, &stored.fingerprint), None);
        assert!(store_in(&inner, &stored).is_err());
    }

    #[test]
    fn other_machines_have_other_fingerprints() {
        let Calibration { machine, topology, .. } = calibration();
        let same = digest(&machine, &topology, "6.1");
        assert_eq!(same, digest(&machine, &topology, "6.1"));
        let slightly = Topology { memory_bytes: (8 << 30) - 4096, ..topology.clone() };
        let exactly = Topology { memory_bytes: 8 << 30, ..topology.clone() };
        assert_eq!(digest(&machine, &slightly, "6.1"), digest(&machine, &exactly, "6.1"));

        let cores = Machine { cores: machine.cores + 1, ..machine.clone() };
        let memory = Topology { memory_bytes: topology.memory_bytes + (4 << 30), ..topology.clone() };
        let caches = Topology { caches: vec![], processors: topology.processors + 1, ..topology.clone() };
        let others = [
            digest(&cores, &topology, "6.1"),
            digest(&machine, &memory, "6.1"),
            digest(&machine, &caches, "6.1"),
            digest(&machine, &topology, "6.2"),
        ];
        assert!(others.iter().all(|other| *other != same));
    }
}
