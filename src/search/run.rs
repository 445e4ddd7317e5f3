//! A search from its beginning to its end.

use std::sync::atomic::AtomicBool;

use super::plan::Plan;
use super::record::SearchRecord;
use super::request::Search;
use super::rounds::SearchWatcher;
use crate::Result;
use crate::data::DataSet;

impl Search {
    /// Searches with the training samples of a data set.
    ///
    /// # Errors
    /// [`Error::Unknown`](crate::Error::Unknown) or [`Error::Setting`](crate::Error::Setting) for a key or a value that the recipe does not take, and for too few trials;
    /// those with which a training on these samples would begin. A trial that diverges is none.
    pub fn run(&self, data: &DataSet) -> Result<SearchRecord> {
        struct Quiet;
        impl SearchWatcher for Quiet {}
        self.run_with(data, &AtomicBool::new(false), &mut Quiet)
    }

    /// [`run`](Search::run), and tells `watcher` of each trial that is done. Whoever sets `stop` ends the search; the trials
    /// that are done are in the record, which then says that it is incomplete.
    ///
    /// # Errors
    /// Those of [`run`](Search::run).
    pub fn run_with(
        &self,
        data: &DataSet,
        stop: &AtomicBool,
        watcher: &mut (dyn SearchWatcher + Send),
    ) -> Result<SearchRecord> {
        Plan::new(self, data)?.run(None, Vec::new(), stop, watcher)
    }
}
