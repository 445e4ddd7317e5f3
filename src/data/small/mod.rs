//! Small sets that need no file: generated ones, and tables that are part of the program.
//!
//! A recipe names them by `[data] set`, and treats them as tables. [`SmallSet::named`] finds one, [`Generated::of`] a
//! generator, whose samples [`Generated::draw`] draws. [`load`](super::load) makes a data set of each.

mod airline;
mod blobs;
mod circles;
mod drawn;
mod embedded;
mod friedman;
mod generator;
mod iris;
mod line;
mod moons;
mod sine;
mod spirals;
#[cfg(test)]
mod tests;
mod write;
mod xor;

use std::path::Path;
use std::sync::Arc;

use super::samples::{DataSet, Origin};
use super::split::hold_out_rows;
use super::table::{Encoder, Kind as ColumnKind, Setup, Table, TableOptions};
use crate::error::{Error, Result};

pub use drawn::{Drawn, DrawnTarget};
pub use embedded::Embedded;
pub use generator::{Count, Draw, Generated, Generator, Kind, MOST_NOISE, Part};
pub use write::{WriteOptions, write};

/// All generators.
pub const GENERATORS: [&Generator; 11] = [
    &line::LINE,
    &line::LINEAR,
    &sine::SINE,
    &friedman::FRIEDMAN_1,
    &friedman::FRIEDMAN_2,
    &friedman::FRIEDMAN_3,
    &moons::MOONS,
    &circles::CIRCLES,
    &spirals::SPIRALS,
    &blobs::BLOBS,
    &xor::XOR,
];

/// All tables that are part of the program.
pub const EMBEDDED: [&Embedded; 2] = [&iris::IRIS, &airline::AIRLINE];

/// The seed of generated samples, and of the choice of test rows, where no other is asked for.
pub const SEED: u64 = 1;

/// The part of the rows of an embedded table that is its test, where no other is asked for.
const TEST: f64 = 0.2;

/// A small set.
#[derive(Clone, Debug, PartialEq)]
pub enum SmallSet {
    Embedded(&'static Embedded),
    Generated(Generated),
}

/// The names of all small sets.
pub fn names() -> impl Iterator<Item = &'static str> + Clone {
    GENERATORS.iter().map(|generator| generator.name).chain(EMBEDDED.iter().map(|table| table.name))
}

impl Generated {
    /// The generator of this name, as it is by default.
    ///
    /// # Errors
    /// [`Error::Unknown`] with the nearest name.
    pub fn of(name: &str) -> Result<Generated> {
        let found = GENERATORS.into_iter().find(|generator| generator.name == name);
        let names = GENERATORS.iter().map(|generator| generator.name);
        found.map(Generated::by).ok_or_else(|| Error::unknown("data", "generated set", name, names))
    }
}

impl SmallSet {
    /// The set of this name, a generated one as it is by default.
    pub fn named(name: &str) -> Option<SmallSet> {
        let embedded = EMBEDDED.into_iter().find(|table| table.name == name).map(SmallSet::Embedded);
        embedded.or_else(|| Generated::of(name).ok().map(SmallSet::Generated))
    }

    /// The name in recipes.
    pub fn name(&self) -> &'static str {
        match self {
            SmallSet::Embedded(table) => table.name,
            SmallSet::Generated(set) => set.generator.name,
        }
    }

    /// What it is, in a line.
    pub fn summary(&self) -> &'static str {
        match self {
            SmallSet::Embedded(table) => table.summary,
            SmallSet::Generated(set) => set.generator.summary,
        }
    }

    /// The table: all rows of an embedded one, or so many training rows that are drawn.
    ///
    /// # Errors
    /// Those of [`Generated::draw`].
    pub fn table(&self, samples: Option<usize>, seed: u64) -> Result<Table> {
        match self {
            SmallSet::Embedded(table) => Ok((table.table)()),
            SmallSet::Generated(set) => set.rows(Part::Train, samples, seed),
        }
    }

    /// What it is, with its settings, and how a recipe names it.
    pub fn about(&self, seed: u64) -> String {
        let made = match self {
            SmallSet::Embedded(_) => "part of the program".to_string(),
            SmallSet::Generated(set) => {
                format!("training samples generated from seed {seed}, noise {}", set.noise)
            }
        };
        format!("{}; {made}; in a recipe: [data] set = \"{}\"", self.summary(), self.name())
    }

    /// Where its samples are from.
    pub fn origin(&self, seed: u64) -> Origin {
        match self {
            SmallSet::Embedded(_) => Origin::Embedded,
            SmallSet::Generated(_) => Origin::Generated { seed },
        }
    }

    /// Refuses a folder that was named for data.
    ///
    /// # Errors
    /// [`Error::Mismatch`] if there is one.
    pub fn check_alone(&self, data_dir: Option<&Path>) -> Result<()> {
        let Some(folder) = data_dir else { return Ok(()) };
        Err(Error::Mismatch {
            what: "folder of data (--data)".into(),
            expected: format!("none with the set `{}`, which needs no file", self.name()),
            found: folder.display().to_string(),
        })
    }

    /// The data set as it is by default: numbers standardised, a value put back for metrics, and a fifth of an embedded
    /// table for the test.
    ///
    /// # Errors
    /// If memory is short.
    pub(super) fn data_set(&self) -> Result<DataSet> {
        let table = self.table(None, SEED)?;
        let rows = table.rows;
        let (train, test) = match self {
            SmallSet::Generated(_) => (Vec::from_iter(0..rows as u32), None),
            SmallSet::Embedded(_) => {
                let split = hold_out_rows(strata(&table).as_deref(), rows, test_rows(rows), SEED)?;
                (split.subset, Some(split.held))
            }
        };
        let fitted = Encoder::fit(&table, &train, &Setup::default(), &TableOptions::default())?;
        let encoder = Arc::new(fitted.encoder);
        let test = match (self, test) {
            (SmallSet::Generated(set), _) => {
                let table = set.rows(Part::Test, None, SEED)?;
                encoder.samples(&table, &Vec::from_iter(0..table.rows as u32))?
            }
            (SmallSet::Embedded(_), held) => encoder.samples(&table, &held.unwrap_or_default())?,
        };
        let train = encoder.samples(&table, &train)?;
        let class_names = encoder.target.class_names().to_vec();
        let set = DataSet::new(self.name(), encoder.outputs(), train, test, self.origin(SEED))?;
        Ok(DataSet { class_names, notes: fitted.notes, ..set })
    }
}

impl Generated {
    /// Rows of a part as a table, as many as by default where no number is asked for.
    ///
    /// # Errors
    /// Those of [`Generated::draw`].
    pub fn rows(&self, part: Part, samples: Option<usize>, seed: u64) -> Result<Table> {
        self.draw(part, samples.unwrap_or(self.generator.samples), seed)?.table()
    }
}

/// How many of so many rows are the test.
fn test_rows(rows: usize) -> usize {
    (TEST * rows as f64).round() as usize
}

/// The class of each row, where the last column is one of classes.
fn strata(table: &Table) -> Option<Vec<u32>> {
    let target = table.columns.last().filter(|column| column.kind == ColumnKind::Category)?;
    Some(target.numbers()?.map(|number| number as u32).collect())
}
