//! Published texts and series, each a single file: where one is found, and whether it is as published.

use std::path::{Path, PathBuf};
use std::slice;

use crate::data::inspect::{FileCheck, Verdict};
use crate::data::known::{self, KnownText};
use crate::data::source::{Naming, Places};
use crate::error::{Error, Result};

/// The path of a published text: in `data_dir` alone, if a folder is named; else in the folder that `$FALLLINE_DATA` names
/// alone, if it does; else in `datasets` of the working folder or the user's cache folder.
///
/// # Errors
/// [`Error::DataMissing`] with what to do if it is in none of them; [`Error::Io`] if a folder that was named cannot be read.
pub fn find(text: &KnownText, data_dir: Option<&Path>) -> Result<PathBuf> {
    find_in(text, &Places::new(data_dir))
}

fn find_in(text: &KnownText, places: &Places) -> Result<PathBuf> {
    let folders = match places {
        Places::Usual(folders) => folders.as_slice(),
        Places::Named { folder, by } => {
            let action = match by {
                Naming::Caller => "read the folder",
                Naming::Variable => "read the folder, which $FALLLINE_DATA names",
            };
            std::fs::read_dir(folder).map_err(Error::io(folder, action))?;
            slice::from_ref(folder)
        }
    };
    let paths: Vec<PathBuf> = folders.iter().map(|folder| folder.join(text.file)).collect();
    if let Some(path) = paths.iter().find(|path| path.is_file()) {
        return Ok(path.clone());
    }
    let mut hint = format!("; run \"fallline data download {}", text.name);
    if let Places::Named { folder, .. } = places {
        hint += &format!(" --out {}", folder.display());
    }
    Err(Error::DataMissing { name: text.name.into(), searched: paths, hint: hint + "\"" })
}

/// The files of a folder that are called as published texts and series are, each compared with its published checksum.
///
/// # Errors
/// [`Error::Io`] if the folder cannot be read.
pub fn verify(folder: &Path) -> Result<Vec<FileCheck>> {
    std::fs::read_dir(folder).map_err(Error::io(folder, "read the folder"))?;
    let here = known::texts().map(|text| (text, folder.join(text.file))).filter(|(_, path)| path.is_file());
    Ok(here.map(|(text, path)| FileCheck { role: text.role, outcome: check(text, &path), path }).collect())
}

/// Whether the file is the published one.
///
/// # Errors
/// [`Error::Io`] if it cannot be read; [`Error::Mismatch`] with both checksums if it is another one.
pub fn check(text: &KnownText, path: &Path) -> Result<Verdict> {
    let found = known::checksum_of(&std::fs::read(path).map_err(Error::io(path, "read"))?);
    if found == text.sha256 {
        return Ok(Verdict::Published { set: text.name });
    }
    Err(Error::Mismatch {
        what: format!("SHA-256 of {}", path.display()),
        expected: format!("{} as published for {}", text.sha256, text.name),
        found,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_published_text_is_sought_in_order_and_where_it_is_missing_the_command_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let places = [folder.path().join("first"), folder.path().join("second")];
        places.iter().for_each(|place| std::fs::create_dir(place).unwrap());
        let usual = Places::Usual(places.to_vec());
        let names = known::text("names").unwrap();
        let refused = find_in(names, &usual).unwrap_err().to_string();
        assert!(refused.starts_with("data set `names` not found; looked in "), "{refused}");
        assert!(refused.contains("first/names.txt"), "{refused}");
        assert!(refused.ends_with("; run \"fallline data download names\""), "{refused}");
        std::fs::write(places[1].join("names.txt"), "ada\n").unwrap();
        assert_eq!(find_in(names, &usual).unwrap(), places[1].join("names.txt"));
        let named = |folder: &Path| Places::Named { folder: folder.into(), by: Naming::Caller };
        let refused = find_in(names, &named(&places[0])).unwrap_err().to_string();
        assert!(refused.ends_with(&format!("download names --out {}\"", places[0].display())), "{refused}");
        assert!(matches!(find_in(names, &named(Path::new("no-such"))), Err(Error::Io { .. })));
    }

    #[test]
    fn files_of_known_names_are_compared_with_what_was_published() {
        let folder = tempfile::tempdir().unwrap();
        assert!(verify(folder.path()).unwrap().is_empty());
        std::fs::write(folder.path().join("shampoo.csv"), "x").unwrap();
        std::fs::write(folder.path().join("other.csv"), "x").unwrap();
        let checks = verify(folder.path()).unwrap();
        assert_eq!((checks.len(), checks[0].role), (1, "series"));
        assert!(matches!(checks[0].outcome, Err(Error::Mismatch { .. })));
    }
}
