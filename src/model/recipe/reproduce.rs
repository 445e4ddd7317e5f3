//! The `[reproduce]` table: how the recipe's accuracy is shown to be reached again.

use toml::Table;

use super::super::section::Section;
use super::values::{integer, table_of};
use crate::error::Result;

/// Seeds where a recipe says nothing.
const SEEDS: usize = 5;

/// The most seeds that can be asked for.
pub const MOST_SEEDS: usize = 1000;

/// How often the training is repeated to know the mean of its accuracy.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ReproduceConfig {
    /// Trainings, the first from the recipe's seed, the next from that plus 1, and so on; at least 1.
    pub seeds: usize,
}

impl Default for ReproduceConfig {
    fn default() -> ReproduceConfig {
        ReproduceConfig { seeds: SEEDS }
    }
}

impl ReproduceConfig {
    pub(super) fn read(mut section: Section) -> Result<ReproduceConfig> {
        let config = ReproduceConfig { seeds: section.integer("seeds", SEEDS, 1, MOST_SEEDS)? };
        section.finish()?;
        Ok(config)
    }

    pub(super) fn table(&self) -> Table {
        table_of([("seeds", integer(self.seeds as u64))])
    }
}
