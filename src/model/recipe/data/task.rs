//! The key of `[data]` of tasks that the program draws: how long a sample is.

use toml::Table;

use super::super::super::section::Section;
use super::super::values::integer;
use crate::data::tasks::Task;
use crate::error::Result;

/// The fewest positions: the two marks of the adding task lie in two halves.
const LEAST: usize = 2;

/// A task as a data set.
#[derive(Clone, Debug, PartialEq)]
pub struct TaskConfig {
    pub task: Task,
    /// Positions, blanks or symbols, as [`Task::length`] says; 0 of samples that are no sequences.
    pub length: usize,
}

impl TaskConfig {
    /// That of the set of this name, if it is one.
    pub(super) fn read(section: &mut Section, set: &str) -> Result<Option<TaskConfig>> {
        let Some(task) = Task::named(set) else { return Ok(None) };
        let length = match task.length() {
            Some([default, most]) => section.integer("length", default, LEAST, most)?,
            None => 0,
        };
        Ok(Some(TaskConfig { task, length }))
    }

    pub(super) fn write(&self, table: &mut Table) {
        if self.length > 0 {
            table.insert("length".into(), integer(self.length as u64));
        }
    }
}
