//! The data of a benchmark as other frameworks read it.

use tempfile::TempDir;

use super::peers::{self, DataFiles, Specification};
use super::plan::{BenchPlan, PlannedCase};
use crate::data::{DataSet, Targets};
use crate::error::{Error, Result};

/// Training data as files for other frameworks, if any are asked for.
pub(super) struct DataFolders {
    _folder: Option<TempDir>,
    /// Of each data set; none of one whose targets are no classes, which no other framework is told of.
    files: Vec<Option<DataFiles>>,
}

impl DataFolders {
    /// # Errors
    /// [`Error::Io`] if files cannot be written.
    pub(super) fn new(plan: &BenchPlan) -> Result<DataFolders> {
        if plan.peers.is_empty() {
            return Ok(DataFolders { _folder: None, files: Vec::new() });
        }
        let place = std::env::temp_dir();
        let folder = TempDir::with_prefix("fallline-").map_err(Error::io(&place, "create a folder"))?;
        let write = |(index, set): (usize, &DataSet)| {
            let inner = folder.path().join(index.to_string());
            if !matches!(set.train.targets(), Targets::Classes(_) | Targets::Tokens(_)) {
                return Ok(None);
            }
            std::fs::create_dir(&inner).map_err(Error::io(&inner, "create"))?;
            peers::write_data(&set.train, &inner).map(Some)
        };
        let files = plan.data.iter().enumerate().map(write).collect::<Result<_>>()?;
        Ok(DataFolders { _folder: Some(folder), files })
    }

    /// The task of other frameworks, or the reason why they cannot do it.
    pub(super) fn specification(
        &self,
        planned: &PlannedCase,
        set: &DataSet,
    ) -> Result<Specification, String> {
        let files = self.files.get(planned.data).ok_or("no other framework was asked for")?;
        let files = files.as_ref().ok_or("the peers have no targets but classes")?;
        Specification::of(&planned.recipe, &set.train, files, planned.threads)
    }
}
