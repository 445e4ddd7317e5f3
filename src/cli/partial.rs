//! Results that take long: kept beside their file until they are whole.

use std::fs;
use std::path::{Path, PathBuf};

use super::output::save_or_rescue;
use crate::atomic_file;
use crate::error::Result;

/// What the name of a file of partial results goes on with.
pub const ENDING: &str = ".partial";

/// A file of results, which stays as it is until they are whole.
#[derive(Clone, Debug)]
pub struct Growing {
    file: PathBuf,
    /// Absent where there is nothing to be lost: a device or a pipe.
    partial: Option<PathBuf>,
}

impl Growing {
    pub fn new(file: &Path) -> Growing {
        let is_other = atomic_file::is_standard_stream(file)
            || fs::metadata(file).is_ok_and(|existing| !existing.is_file());
        let mut partial = file.as_os_str().to_os_string();
        partial.push(ENDING);
        Growing { file: file.to_path_buf(), partial: (!is_other).then(|| partial.into()) }
    }

    pub fn file(&self) -> &Path {
        &self.file
    }

    /// Where partial results are kept.
    pub fn partial(&self) -> Option<&Path> {
        self.partial.as_deref()
    }

    /// All that is written.
    pub fn paths(&self) -> impl Iterator<Item = &PathBuf> {
        std::iter::once(&self.file).chain(&self.partial)
    }

    /// Keeps what there is so far, with `write` to a path.
    ///
    /// # Errors
    /// Those of `write`, which then say where the results are instead.
    pub fn keep(&self, write: impl Fn(&Path) -> Result<()>) -> Result<()> {
        self.partial.as_deref().map_or(Ok(()), |partial| save_or_rescue(partial, write))
    }

    /// Writes results that will not be whole, and gives where: beside the file, or to what is none.
    ///
    /// # Errors
    /// Those of `write`, which then say where the results are instead.
    pub fn leave(&self, write: impl Fn(&Path) -> Result<()>) -> Result<&Path> {
        let place = self.partial().unwrap_or(&self.file);
        save_or_rescue(place, write).map(|()| place)
    }

    /// Writes the whole results, which take the place of the partial ones.
    ///
    /// # Errors
    /// Those of `write`, which then say where the results are instead.
    pub fn finish(&self, write: impl Fn(&Path) -> Result<()>) -> Result<()> {
        save_or_rescue(&self.file, write)?;
        // There is none where they were whole at once.
        if let Some(partial) = &self.partial {
            fs::remove_file(partial).ok();
        }
        Ok(())
    }
}

/// The file with the results to go on with: partial ones before whole ones, which are older.
pub fn to_resume(records: &[Growing]) -> Option<&Path> {
    let partial = records.iter().filter_map(Growing::partial);
    let mut candidates = partial.chain(records.iter().map(Growing::file));
    candidates.find(|path| path.exists()).or(records.first().map(Growing::file))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_only_by_whole_results() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let write = |text: &'static str| {
            move |path: &Path| atomic_file::write(path, |file| file.write_all(text.as_bytes()))
        };
        let growing = Growing::new(&at("r.json"));
        let records = [growing.clone(), Growing::new(&at("other.json"))];
        assert_eq!(to_resume(&records), Some(&*at("r.json")));
        growing.finish(write("whole")).unwrap();
        assert_eq!(to_resume(&records), Some(&*at("r.json")));
        growing.keep(write("part")).unwrap();
        assert_eq!(growing.leave(write("parts")).unwrap(), at("r.json.partial"));
        let read = |name: &str| fs::read_to_string(at(name)).unwrap();
        assert_eq!((read("r.json").as_str(), read("r.json.partial").as_str()), ("whole", "parts"));
        assert_eq!(to_resume(&records), Some(&*at("r.json.partial")));
        growing.finish(write("new")).unwrap();
        assert!(read("r.json") == "new" && !at("r.json.partial").exists());
        assert_eq!(to_resume(&[]), None);
    }

    #[cfg(unix)]
    #[test]
    fn a_device_has_nothing_beside_it() {
        for path in ["/dev/null", "/dev/stdout"] {
            let growing = Growing::new(Path::new(path));
            assert_eq!(growing.partial(), None);
            growing.keep(|_| panic!("nothing is to be written yet")).unwrap();
        }
    }
}
