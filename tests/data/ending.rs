//! What a program that ends at once leaves behind. In a process of its own: nothing can be written after this.

#[path = "../common/mod.rs"]
pub mod common;

use std::fs;

use common::program::names;
use fallline::engine::atomic_file;

#[test]
fn a_program_that_ends_at_once_leaves_no_temporary_files() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    fs::write(&path, "old").unwrap();
    let written = atomic_file::write(&path, |out| {
        out.write_all(b"new")?;
        assert_eq!(names(folder.path()).len(), 2);
        atomic_file::remove_temporaries();
        assert_eq!(names(folder.path()), ["file"]);
        Ok(())
    });
    assert!(written.unwrap_err().to_string().ends_with("the program is about to end"));
    assert!(atomic_file::write(&folder.path().join("new"), |_| Ok(())).is_err());
    assert_eq!(names(folder.path()), ["file"]);
    assert_eq!(fs::read_to_string(&path).unwrap(), "old");
}
